//! `photond status --format prometheus`: what `status` knows, as metrics.

mod exposition;

use super::Context_;
use super::status::Status;
use crate::daemon::{DetectorReport, Report, RootStanding, VerifyState};
use crate::index::Activity;
use crate::store::RootRow;
use exposition::{Exposition, path_label};

/// States of a root, as in JSON.
const STANDINGS: [(RootStanding, &str); 7] = [
    (RootStanding::Starting, "starting"),
    (RootStanding::Scanning, "scanning"),
    (RootStanding::Watching, "watching"),
    (RootStanding::Offline, "offline"),
    (RootStanding::Hanging, "hanging"),
    (RootStanding::Ending, "ending"),
    (RootStanding::Busy, "busy"),
];

fn yes(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn of(context: &Context_, s: &Status) -> Exposition {
    let mut e = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    e.gauge("build_info", "Which photond made this.")
        .labelled(&[("version", version)], 1.0);
    e.gauge("up", "Whether a photond works on the index.")
        .is(yes(s.alive));
    let c = &s.counts;
    for (name, help, value) in [
        (
            "photos",
            "Different photos with at least one file.",
            c.photos,
        ),
        (
            "photos_untagged",
            "Photos that no model has seen.",
            c.untagged,
        ),
        (
            "photos_damaged",
            "Photos shown as far as they go.",
            c.damaged,
        ),
        (
            "photos_thumbnail_only",
            "Photos shown by their embedded thumbnail.",
            c.thumbnail_only,
        ),
        (
            "photos_without_picture",
            "Photos known by their metadata only.",
            c.without_picture,
        ),
        (
            "photos_previews",
            "Photos seen by their small picture until there is time for the large one.",
            c.previews,
        ),
        ("files", "Files that are known.", c.files),
        ("files_indexed", "Files that are photos.", c.indexed),
        ("files_failed", "Files that could not be indexed.", c.failed),
        (
            "files_missing",
            "Files held as missing until a person says so.",
            c.missing,
        ),
        (
            "files_troubled",
            "Files that are known and cannot be read now.",
            c.troubled,
        ),
    ] {
        e.gauge(name, help).is(value as f64);
    }
    e.gauge("failures", "Files that could not be indexed, by kind.");
    for (kind, n) in &s.kinds {
        e.labelled(&[("kind", kind)], *n as f64);
    }
    let incidents = crate::store::incidents(&context.data_dir).len();
    e.gauge(
        "index_incidents",
        "Times that the index was found damaged in the last 30 days.",
    )
    .is(incidents as f64);
    root_metrics(&mut e, s);
    if s.alive {
        daemon_metrics(&mut e, s);
    }
    verify_metrics(&mut e, &s.verified);
    e
}

#[allow(clippy::cast_precision_loss)]
fn root_metrics(e: &mut Exposition, s: &Status) {
    // A folder has a row for each volume that was there; the one that is there now counts.
    let mut roots: Vec<(String, &RootRow)> = Vec::new();
    for row in &s.roots {
        let label = path_label(&row.path);
        match roots.iter_mut().find(|(path, _)| *path == label) {
            Some(known) if row.online => known.1 = row,
            Some(_) => {}
            None => roots.push((label, row)),
        }
    }
    let mut each = |name: &str, help: &str, value: &dyn Fn(&RootRow) -> Option<f64>| {
        e.gauge(name, help);
        for (path, row) in &roots {
            if let Some(value) = value(row) {
                e.labelled(&[("path", path)], value);
            }
        }
    };
    each("root_online", "Whether the folder is there.", &|r| {
        Some(yes(r.online))
    });
    each(
        "root_photos",
        "Files of the folder that are photos.",
        &|r| Some(r.photos as f64),
    );
    each(
        "root_failed",
        "Files of the folder that could not be indexed.",
        &|r| Some(r.failed as f64),
    );
    each(
        "root_missing",
        "Files of the folder held as missing.",
        &|r| Some(r.missing as f64),
    );
    each(
        "root_other_files",
        "Files of the folder that are no photos.",
        &|r| Some(r.other_files as f64),
    );
    each(
        "root_last_full_scan_timestamp_seconds",
        "When a scan last walked all of the folder.",
        &|r| r.last_full_scan.map(|at| at as f64),
    );
    each(
        "root_left_over_folders",
        "Folders that could not be read to their end and are tried again.",
        &|r| s.report_of(r).map(|r| r.left_over as f64),
    );
    each(
        "root_hanging_seconds",
        "For how long the folder's disk has not answered.",
        &|r| s.report_of(r).map(|r| r.hangs_s.unwrap_or(0) as f64),
    );
    let names = STANDINGS.map(|(_, name)| name);
    e.gauge(
        "root_state",
        "Where the folder stands: 1 for its state, 0 for the others.",
    );
    for (path, row) in &roots {
        if let Some(report) = s.report_of(row) {
            let now = STANDINGS
                .iter()
                .find(|(standing, _)| *standing == report.standing);
            e.state(&[("path", path)], &names, now.map(|(_, name)| *name));
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn daemon_metrics(e: &mut Exposition, s: &Status) {
    e.gauge("start_time_seconds", "When the daemon was started.")
        .known(s.started_at.map(|at| at as f64));
    e.gauge(
        "report_age_seconds",
        "How old the daemon's last report is; idle, it has none to make.",
    )
    .known(s.heartbeat_age.map(|age| age as f64));
    let Some(report) = &s.report else {
        return;
    };
    let activity = match (&s.said, report.activity) {
        (Some(_), _) | (None, Activity::Paused) => "paused",
        (None, Activity::Idle) => "idle",
        (None, Activity::Scanning) => "scanning",
        (None, Activity::Indexing) => "indexing",
    };
    e.gauge("activity", "What goes on: 1 for that, 0 for the others.");
    e.state(
        &[],
        &["idle", "scanning", "indexing", "paused"],
        Some(activity),
    );
    e.gauge(
        "paused",
        "Whether nothing can be written, a full disk for instance.",
    )
    .is(yes(activity == "paused"));
    e.gauge(
        "resting",
        "Whether a person or the battery has it do less than everything.",
    )
    .is(yes(report.resting.is_some()));
    let now = &report.counters;
    e.gauge("queue_files", "Files on their way into the index.")
        .is(now.queued as f64);
    e.gauge(
        "waiting_files",
        "Files that change or could not be opened, and are looked at again.",
    )
    .is(now.waiting as f64);
    e.gauge("files_per_second", "Files finished a second, of late.")
        .is(report.rate);
    for (name, help, value) in [
        ("seen", "Files met by scans and events.", now.seen),
        (
            "unchanged",
            "Files met that had not changed.",
            now.unchanged,
        ),
        ("opened", "Files opened.", now.opened),
        ("sidecars_read", "Sidecars read.", now.sidecars),
        ("read_bytes", "Bytes read from files.", now.bytes),
        ("indexed", "Files indexed.", now.indexed),
        (
            "deduplicated",
            "Files whose content was known.",
            now.deduplicated,
        ),
        ("decoded", "Photos decoded.", now.inspected),
        (
            "embedded",
            "Photos that a model has looked at.",
            now.embedded,
        ),
        ("failed", "Files that could not be indexed.", now.failed),
        ("gone", "Files found gone.", now.gone),
    ] {
        e.counter(name, &format!("{help} Since the daemon's start."))
            .is(value as f64);
    }
    if let Some(watch) = &report.watch {
        e.gauge("watched_folders", "Folders with a live watch.")
            .is(watch.watched as f64);
        e.gauge("polled_folders", "Folders scanned at intervals instead.")
            .is(watch.polled as f64);
        e.gauge("watch_limit", "Watches that the system allows this user.")
            .known(watch.limit.map(|limit| limit as f64));
        e.counter(
            "event_overflows",
            "Times that events were lost and a full scan made up for it.",
        )
        .is(watch.overflows as f64);
    }
    e.gauge("model_ready", "Whether the model that makes tags runs.")
        .is(yes(report.model.ready));
    detector_metrics(e, report);
    e.gauge("tags_stale_photos", "Photos to be tagged again.")
        .is(report.tags.stale as f64);
    let (encoded, terms) = report.tags.terms;
    e.gauge(
        "vocabulary_terms",
        "Words to tag with, once all are encoded.",
    )
    .is(terms as f64);
    e.gauge("vocabulary_terms_encoded", "Words that are encoded.")
        .is(encoded as f64);
}

#[allow(clippy::cast_precision_loss)]
fn detector_metrics(e: &mut Exposition, report: &Report) {
    let mut each = |name: &str, help: &str, value: &dyn Fn(&DetectorReport) -> f64| {
        e.gauge(name, help);
        for detector in &report.detectors {
            e.labelled(&[("model", &detector.model.name)], value(detector));
        }
    };
    each("detector_ready", "Whether the detector runs.", &|d| {
        yes(d.model.ready)
    });
    each(
        "detector_seen_photos",
        "Photos that the detector has seen.",
        &|d| d.done.saturating_sub(d.failed) as f64,
    );
    each(
        "detector_waiting_photos",
        "Photos that it can see now and has not.",
        &|d| d.waiting() as f64,
    );
    each(
        "detector_failed_photos",
        "Photos that it makes nothing of.",
        &|d| d.failed as f64,
    );
}

#[allow(clippy::cast_precision_loss)]
fn verify_metrics(e: &mut Exposition, state: &VerifyState) {
    e.gauge(
        "verify_running",
        "Whether a verification has begun and not come to its end.",
    )
    .is(yes(state.current.is_some()));
    let Some(run) = &state.last else {
        return;
    };
    e.gauge(
        "verify_last_timestamp_seconds",
        "When the last verification came to its end.",
    )
    .known(run.finished_at.map(|at| at as f64));
    let c = &run.counts;
    e.gauge(
        "verify_files",
        "Files of the last verification, by what they proved to be.",
    );
    for (verdict, n) in [
        ("sound", c.sound),
        ("rotten", c.rotten),
        ("unsteady", c.unsteady),
        ("changed", c.changed),
        ("gone", c.gone),
        ("unreadable", c.unreadable),
        ("offline", c.offline),
    ] {
        e.labelled(&[("verdict", verdict)], n as f64);
    }
}
