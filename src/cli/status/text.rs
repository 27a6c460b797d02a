//! The report for people: whether photond runs and at what, the folders, what is indexed, what failed.

use super::roots::{root_lines, standing_lines};
use super::{Status, is_of};
use crate::cli::output::{count, plural, printable, span};
use crate::cli::{Context_, durability, serve, verify};
use crate::daemon::{Report, RootReport, RootStanding};
use crate::index::{Activity, TagReport};
use crate::store::{Counts, unix_now};

/// All of it.
pub(super) fn lines(context: &Context_, s: &Status) -> Vec<String> {
    let out = context.out;
    let c = &s.counts;
    let mut lines = vec![daemon_line(context, s)];
    if let Some(said) = &s.said {
        lines.push(out.red(&format!("paused: {}", printable(said))));
    } else if let Some(report) = s.live() {
        lines.extend(work_lines(context, report));
    }
    if s.alive {
        lines.extend(serve::status_lines(context));
    }
    for line in durability::lines(&context.data_dir) {
        lines.push(out.red(&line));
    }
    let lacks = s.report.as_ref().map_or(&[][..], |r| &r.decoding_lacks);
    if s.alive && !lacks.is_empty() {
        lines.push(out.red(&format!(
            "decoding is walled in less than it could be; lacking: {}",
            printable(&lacks.join(", "))
        )));
    }
    lines.push(String::new());
    for root in &s.roots {
        lines.extend(root_lines(context, root, s.report_of(root)));
    }
    for report in s
        .reports()
        .filter(|r| !s.roots.iter().any(|row| is_of(r, row)))
    {
        lines.push(out.bold(&printable(&report.path)));
        lines.extend(standing_lines(context, report));
    }
    if s.roots.is_empty() {
        lines.push("no folders yet".to_owned());
    }
    lines.push(String::new());
    lines.push(format!(
        "{}, {} with tags from {}",
        photos_in_files(c.photos, c.indexed),
        count(c.tagged()),
        s.model
    ));
    lines.extend(picture_line(c));
    if let Some(why) = &s.untagged {
        lines.push(format!(
            "{} no tags yet: {}",
            plural(c.untagged, "photo has", "photos have"),
            printable(why)
        ));
    }
    lines.extend(s.detecting.lines(context));
    lines.extend(s.searching.lines(context));
    if let Some(report) = s.live() {
        lines.extend(tag_lines(context, &report.tags));
    }
    if c.failed > 0 {
        let kinds: Vec<String> = s
            .kinds
            .iter()
            .map(|(kind, n)| format!("{} {kind}", count(*n)))
            .collect();
        lines.push(format!(
            "{} could not be indexed: {}",
            count(c.failed),
            kinds.join(", ")
        ));
    }
    let sidecars = i64::from(!s.troubled_sidecars.is_empty());
    if sidecars > 0 {
        lines.push("some sidecars cannot be read; what they say does not count".to_owned());
    }
    let more = c.failed + c.damaged + c.thumbnail_only + c.without_picture + sidecars;
    if s.failures.is_none() && more > 0 {
        lines.push(out.dim("  `photond status --errors` lists them, each with what to do"));
    }
    if c.troubled > 0 {
        lines.push(format!(
            "{} cannot be read now; what is known of {} stays",
            plural(c.troubled, "file", "files"),
            if c.troubled == 1 { "it" } else { "them" },
        ));
    }
    lines.extend(verify::status_lines(context, &s.verified));
    for f in s.failures.iter().flatten() {
        // Of one model's alone: the file itself is indexed.
        let model = f
            .model
            .as_ref()
            .map_or_else(String::new, |model| format!(" with {}", printable(model)));
        lines.push(format!(
            "  {}  {}{model}: {}",
            printable(&f.path.under(&f.root).to_string_lossy()),
            out.red(&f.kind),
            printable(&f.message)
        ));
    }
    for row in s.troubled_sidecars.iter().filter(|_| s.failures.is_some()) {
        lines.push(format!(
            "  {}  {}: {}",
            printable(&row.path.under(&row.root).to_string_lossy()),
            out.red("sidecar"),
            printable(&row.why)
        ));
    }
    lines
}

/// Of how many photos the picture is not all there.
fn picture_line(c: &Counts) -> Option<String> {
    let parts = [
        (c.damaged, "shown as far as they go (damaged)"),
        (c.thumbnail_only, "shown by their embedded thumbnail"),
        (c.without_picture, "known without their picture"),
        (
            c.previews,
            "seen by their small picture until there is time for the large one",
        ),
    ];
    counted(parts).map(|parts| format!("of them {parts}"))
}

/// How many there are of what, of all that there is any of.
pub(super) fn counted<N: Copy + Default + PartialOrd + TryInto<i128>>(
    parts: impl IntoIterator<Item = (N, &'static str)>,
) -> Option<String> {
    let there = parts.into_iter().filter(|(n, _)| *n > N::default());
    let there: Vec<String> = there
        .map(|(n, what)| format!("{} {what}", count(n)))
        .collect();
    (!there.is_empty()).then(|| there.join(", "))
}

/// `30 photos in 32 files`: a content that lies at several places is one photo.
pub(super) fn photos_in_files(photos: i64, files: i64) -> String {
    format!(
        "{} in {}",
        plural(photos, "photo", "photos"),
        plural(files, "file", "files")
    )
}

fn daemon_line(context: &Context_, s: &Status) -> String {
    let out = context.out;
    if !s.alive {
        return format!(
            "{}  (start it with `photond watch DIR`)",
            out.bold("photond is not running")
        );
    }
    let since = s
        .started_at
        .map(|at| format!(", up {}", span(u64::try_from(unix_now() - at).unwrap_or(0))))
        .unwrap_or_default();
    let pid = s
        .pid
        .map(|p| format!(" (process {p}{since})"))
        .unwrap_or_default();
    if s.said.is_some() {
        return out.red(&format!("photond is running{pid} but cannot write"));
    }
    // The lock says it lives; that it has been at work for so long without a word says it hangs. When
    // it has nothing to do it has nothing to say.
    const STALE: i64 = 120;
    let at_work = s
        .report
        .as_ref()
        .is_none_or(|r| r.activity != Activity::Idle);
    if at_work && s.heartbeat_age.is_some_and(|age| age > STALE) {
        return out.red(&format!(
            "photond is running{pid} but has not reported for {}; see `photond doctor`",
            span(
                s.heartbeat_age
                    .and_then(|a| u64::try_from(a).ok())
                    .unwrap_or(0)
            )
        ));
    }
    format!("{}{pid}", out.green("photond is running"))
}

fn work_lines(context: &Context_, report: &Report) -> Vec<String> {
    let out = context.out;
    let mut lines = Vec::new();
    let queue = report.counters.queued;
    if let Some(why) = &report.resting {
        lines.push(out.red(&format!(
            "{}; {} waiting",
            printable(why),
            plural(queue, "file", "files")
        )));
    }
    lines.push(match report.activity {
        Activity::Idle => {
            let behind = |r: &&RootReport| r.left_over > 0 || r.standing == RootStanding::Hanging;
            match report.roots.iter().filter(behind).count() {
                0 => "up to date, waiting for changes".to_owned(),
                n => out.red(&format!(
                    "waiting: {} not be read to the end (see below)",
                    if n == 1 {
                        "a folder could"
                    } else {
                        "some folders could"
                    }
                )),
            }
        }
        Activity::Scanning => "looking through the folders".to_owned(),
        Activity::Paused => out.red(&format!(
            "paused: {}",
            report
                .paused
                .as_deref()
                .unwrap_or("the disk cannot be written")
        )),
        Activity::Indexing => {
            let eta = report
                .eta_s
                .map(|s| format!(", about {} left", span(s)))
                .unwrap_or_default();
            format!(
                "indexing: {} under way, {:.0}/s{eta}",
                plural(queue, "file", "files"),
                report.rate
            )
        }
    });
    if let Some(watch) = &report.watch {
        let mut line = format!("watching {}", plural(watch.watched, "folder", "folders"));
        if let Some(limit) = watch.limit {
            line += &format!(" of {} that the system allows", count(limit));
        }
        if watch.polled > 0 {
            line += &format!(", {} scanned at intervals instead", count(watch.polled));
        }
        if watch.overflows > 0 {
            line += &format!(
                ", {} answered by full scans",
                plural(watch.overflows, "event overflow", "event overflows")
            );
        }
        lines.push(line);
        if let Some(advice) = &watch.advice {
            lines.push(out.red(advice));
        }
    }
    if report.counters.waiting > 0 {
        lines.push(format!(
            "{} changing or could not be opened, and {} looked at again",
            plural(report.counters.waiting, "file is still", "files are still"),
            if report.counters.waiting == 1 {
                "is"
            } else {
                "are"
            },
        ));
    }
    if !report.model.ready {
        lines.push(out.red(&format!("no tags for new photos: {}", report.model.detail)));
    }
    lines
}

/// Photos that are tagged again, words of a search model's vocabulary, and what is in the way.
fn tag_lines(context: &Context_, tags: &TagReport) -> Vec<String> {
    let mut lines = Vec::new();
    if tags.stale > 0 {
        let left = plural(tags.stale, "photo is", "photos are");
        lines.push(format!("{left} being tagged again, {:.0}/s", tags.rate));
    }
    let (encoded, terms) = tags.terms;
    if encoded < terms {
        let (encoded, terms) = (count(encoded as u64), count(terms as u64));
        let mut line = format!("vocabulary: {encoded} of {terms} words to tag with");
        if let Some(s) = tags.eta_s() {
            line += &format!(", about {} left", span(s));
        }
        lines.push(line);
    }
    if let Some(trouble) = &tags.trouble {
        lines.push(context.out.red(&format!("tags: {}", printable(trouble))));
    }
    lines
}
