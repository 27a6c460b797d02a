//! `photond status`

use serde_json::{Value, json};

use clap::ValueEnum;

use super::detecting::Detecting;
use super::metrics;
use super::output::{count, moment, plural, printable, span};
use super::paths::{put_path_as, with_path};
use super::searching::Searching;
use super::{Context_, Exit, durability, serve, verify};
use crate::daemon::{Report, RootReport, RootStanding, VerifyState, held_says, is_held};
use crate::index::{Activity, Skipped, TagReport};
use crate::model::{default_pack, find_runtime};
use crate::store::{
    Counts, FailureRow, RootRow, StoreError, StoreReader, TroubledSidecar, unix_now,
};

/// Show what is indexed, what is going on, and what failed
#[derive(clap::Args)]
pub(super) struct Args {
    /// Shape of the report
    #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
    format: StatusFormat,
    /// List every file that could not be indexed, and why
    #[arg(long)]
    errors: bool,
}

/// Output shape of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// For Prometheus: the text exposition format
    Prometheus,
}

pub(super) struct Status {
    pub counts: Counts,
    pub roots: Vec<RootRow>,
    pub kinds: Vec<(String, i64)>,
    pub failures: Option<Vec<FailureRow>>,
    /// Sidecars that cannot be read: one of them, or all where they are asked for.
    pub troubled_sidecars: Vec<TroubledSidecar>,
    /// Somebody works on the data directory.
    pub alive: bool,
    pub pid: Option<u32>,
    pub started_at: Option<i64>,
    pub heartbeat_age: Option<i64>,
    pub report: Option<Report>,
    /// What the running process says of itself outside the database: why it cannot write there.
    pub said: Option<String>,
    pub model: String,
    /// Why photos have no tags yet, if some have none.
    pub untagged: Option<String>,
    pub searching: Searching,
    pub detecting: Detecting,
    pub verified: VerifyState,
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let reader = match StoreReader::open(&context.data_dir) {
        Err(e @ StoreError::NoIndex { .. }) => match held_says(&context.data_dir) {
            Some(line) => anyhow::bail!("photond is running, but has no index yet: {line}"),
            None => return Err(e.into()),
        },
        reader => reader?,
    };
    let status = read(context, &reader, args.errors)?;
    match args.format {
        StatusFormat::Json => {
            let value = all_as_json(context, &reader, &status)?;
            context.out.line(&serde_json::to_string_pretty(&value)?)?;
        }
        StatusFormat::Prometheus => {
            context.out.line(metrics::of(context, &status).text())?;
        }
        StatusFormat::Table => {
            for line in as_text(context, &status) {
                context.out.line(&line)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What `--format json` says.
pub(super) fn all_as_json(
    context: &Context_,
    reader: &StoreReader,
    status: &Status,
) -> anyhow::Result<Value> {
    let mut value = as_json(context, status);
    value["detectors"] = status.detecting.json(reader)?;
    Ok(value)
}

pub(super) fn read(
    context: &Context_,
    reader: &StoreReader,
    errors: bool,
) -> anyhow::Result<Status> {
    let model = default_pack()?.id.0;
    let roots = reader.roots()?;
    let daemon = reader.daemon()?;
    let counts = reader.counts()?;
    let untagged = (counts.untagged > 0).then(|| match find_runtime(&context.data_dir) {
        Err(e) => e.to_string(),
        Ok(_) => "they get them while photond runs".to_owned(),
    });
    let alive = is_held(&context.data_dir);
    let report: Option<Report> = daemon
        .as_ref()
        .and_then(|d| serde_json::from_str(&d.report).ok());
    let searched = report.as_ref().filter(|_| alive);
    let searched = searched.and_then(|r| {
        let mut search = r.search.clone()?;
        if r.activity == Activity::Idle {
            // What is left of a rate that fades out says nothing of what waits.
            (search.rate, search.eta_s) = (0.0, None);
        }
        Some(search)
    });
    let detecting = Detecting::read(context, report.as_ref().filter(|_| alive))?;
    Ok(Status {
        detecting,
        searching: Searching::read(context, reader, searched)?,
        verified: VerifyState::read(&context.data_dir),
        counts,
        said: held_says(&context.data_dir),
        untagged,
        roots,
        kinds: reader.failure_kinds()?,
        failures: errors.then(|| reader.failures()).transpose()?,
        troubled_sidecars: reader.troubled_sidecars(if errors { usize::MAX } else { 1 })?,
        alive,
        pid: daemon.as_ref().map(|d| d.pid),
        started_at: daemon.as_ref().map(|d| d.started_at),
        heartbeat_age: daemon
            .as_ref()
            .map(|d| (unix_now() - d.heartbeat_at).max(0)),
        report,
        model,
    })
}

fn as_text(context: &Context_, s: &Status) -> Vec<String> {
    let out = context.out;
    let c = &s.counts;
    let mut lines = vec![daemon_line(context, s)];
    if let Some(said) = &s.said {
        lines.push(out.red(&format!("paused: {}", printable(said))));
    } else if let Some(report) = s.report.as_ref().filter(|_| s.alive) {
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
    if let Some(report) = s.report.as_ref().filter(|_| s.alive) {
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
fn counted<N: Copy + Default + PartialOrd + TryInto<i128>>(
    parts: impl IntoIterator<Item = (N, &'static str)>,
) -> Option<String> {
    let there = parts.into_iter().filter(|(n, _)| *n > N::default());
    let there: Vec<String> = there
        .map(|(n, what)| format!("{} {what}", count(n)))
        .collect();
    (!there.is_empty()).then(|| there.join(", "))
}

impl Status {
    /// What the running daemon says of each root.
    fn reports(&self) -> impl Iterator<Item = &RootReport> {
        let report = self.report.as_ref().filter(|_| self.alive);
        report.into_iter().flat_map(|r| &r.roots)
    }

    pub fn report_of(&self, row: &RootRow) -> Option<&RootReport> {
        self.reports().find(|r| is_of(r, row))
    }
}

fn is_of(report: &RootReport, row: &RootRow) -> bool {
    match report.root {
        Some(id) => id == row.id,
        None => report.path == row.path.to_string_lossy(),
    }
}

/// A root in a few lines: what it holds, where it stands, what is to be done.
pub(super) fn root_lines(
    context: &Context_,
    root: &RootRow,
    report: Option<&RootReport>,
) -> Vec<String> {
    let out = context.out;
    let mut line = format!(
        "{}  {}",
        out.bold(&printable(&root.path.to_string_lossy())),
        photos_in_files(root.contents, root.photos)
    );
    if root.linked_by.is_some() {
        line += ", by a symbolic link";
    }
    if root.failed > 0 {
        line += &format!(", {} failed", count(root.failed));
    }
    if root.missing > 0 {
        line += &format!(", {} missing", count(root.missing));
    }
    if root.other_files > 0 {
        line += &format!(
            ", {} of other kinds",
            plural(root.other_files, "file", "files")
        );
    }
    line += &match root.last_full_scan {
        Some(at) => format!(
            ", last full scan {} ago",
            span(u64::try_from(unix_now() - at).unwrap_or(0))
        ),
        None => ", not scanned to the end yet".to_owned(),
    };
    let mut lines = vec![line];
    let said = report.map_or_else(Vec::new, |report| standing_lines(context, report));
    if !root.online && said.is_empty() {
        let why = root.note.as_deref().unwrap_or("not there");
        lines.push(format!(
            "  {}: {why}; its photos stay in the index",
            out.red("offline")
        ));
    }
    lines.extend(said);
    if let Some(line) = skipped_line(&passed_over(root, report)) {
        lines.push(out.dim(&line));
    }
    if root.missing > 0 {
        lines.push(format!(
            "  {}",
            out.red(&format!(
                "{} disappeared at once and are held{}: bring them back, or let go of them with `photond confirm`",
                plural(root.missing, "file", "files"),
                root.missing_since.map_or_else(String::new, |at| format!(" since {}", moment(at)))
            ))
        ));
    }
    lines
}

/// `30 photos in 32 files`: a content that lies at several places is one photo.
fn photos_in_files(photos: i64, files: i64) -> String {
    format!(
        "{} in {}",
        plural(photos, "photo", "photos"),
        plural(files, "file", "files")
    )
}

/// What the last full scan passed over: of the one that runs, or as it was stored.
fn passed_over(root: &RootRow, report: Option<&RootReport>) -> Skipped {
    let stored = || serde_json::from_str(&root.skipped).unwrap_or_default();
    let live = report.map(|report| report.skipped);
    live.filter(|skipped| *skipped != Skipped::default())
        .unwrap_or_else(stored)
}

/// What was passed over, counted by rule.
fn skipped_line(skipped: &Skipped) -> Option<String> {
    let rules = &skipped.rules;
    let parts = [
        (rules.hidden, "hidden"),
        (rules.system, "of systems and programs"),
        (rules.companions, "macOS's notes on files"),
        (rules.bin, "in a bin"),
        (rules.backups, "backup copies"),
        (rules.marked, "closed by .nomedia or .noimage"),
        (rules.ignore_files, "by .photondignore"),
        (rules.settings, "by `exclude`"),
        (skipped.temporary, "not finished yet"),
        (skipped.links, "symbolic links"),
        (
            skipped.special - skipped.links.min(skipped.special),
            "special files",
        ),
    ];
    counted(parts).map(|parts| format!("  skipped: {parts} (`photond why PATH` says which rule)"))
}

/// What is to be known of a root that is not simply watched.
fn standing_lines(context: &Context_, report: &RootReport) -> Vec<String> {
    let out = context.out;
    let mut lines = Vec::new();
    match report.standing {
        RootStanding::Hanging => lines.push(out.red(&format!(
            "  its disk has not answered for {}; its photos stay in the index, other folders go on",
            span(report.hangs_s.unwrap_or(0))
        ))),
        RootStanding::Offline => lines.push(format!(
            "  {}: {}; its photos stay in the index",
            out.red("offline"),
            report.why.as_deref().unwrap_or("not there")
        )),
        RootStanding::Busy => lines.push("  waits until another folder is let go".to_owned()),
        RootStanding::Ending => lines.push("  is being let go".to_owned()),
        RootStanding::Starting | RootStanding::Scanning | RootStanding::Watching => {}
    }
    if report.left_over > 0 {
        lines.push(format!(
            "  {} could not be read to the end, and is tried again",
            plural(report.left_over, "folder", "folders")
        ));
    }
    if let Some(watch) = report.watch.as_ref().filter(|w| w.polled > 0) {
        let why = watch.degraded.as_deref().unwrap_or("no watch to be had");
        lines.push(format!(
            "  {} with what lies below {} scanned at intervals: {why}",
            plural(watch.polled, "folder", "folders"),
            if watch.polled == 1 {
                "it is"
            } else {
                "them are"
            },
        ));
    }
    lines
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

fn as_json(context: &Context_, s: &Status) -> Value {
    let c = &s.counts;
    let roots: Vec<Value> = s
        .roots
        .iter()
        .map(|r| {
            let fields = json!({
                "id": r.id,
                "volume": r.volume,
                "state": if r.online { "online" } else { "offline" },
                "note": r.note,
                "photos": r.contents,
                "indexed": r.photos,
                "failed": r.failed,
                "missing": r.missing,
                "missing_since": r.missing_since,
                "other_files": r.other_files,
                "skipped": passed_over(r, s.report_of(r)),
                "last_full_scan": r.last_full_scan,
                "live": s.report_of(r),
            });
            with_path(&r.path, fields)
        })
        .collect();
    let report = s.report.as_ref();
    let mut value = json!({
        "daemon": {
            "alive": s.alive,
            "pid": s.pid.filter(|_| s.alive),
            "started_at": s.started_at,
            "heartbeat_age_s": s.heartbeat_age,
            "activity": match &s.said {
                Some(_) => Some(Activity::Paused),
                None => report.filter(|_| s.alive).map(|r| r.activity),
            },
            "paused": s.said.clone().or_else(|| report.filter(|_| s.alive).and_then(|r| r.paused.clone())),
            "resting": report.filter(|_| s.alive).and_then(|r| r.resting.clone()),
            "queue": report.filter(|_| s.alive).map_or(0, |r| r.counters.queued),
            "rate": report.filter(|_| s.alive).map_or(0.0, |r| r.rate),
            "eta_s": report.filter(|_| s.alive).and_then(|r| r.eta_s),
            "watch": report.filter(|_| s.alive).and_then(|r| r.watch.clone()),
            "roots": report.filter(|_| s.alive).map(|r| &r.roots),
            "decoding_lacks": report.filter(|_| s.alive).map(|r| &r.decoding_lacks),
            "counters": report.map(|r| r.counters),
        },
        "model": {
            "id": s.model,
            "ready": report.filter(|_| s.alive).map(|r| r.model.ready),
            "detail": report.filter(|_| s.alive).map(|r| r.model.detail.clone()),
            "untagged": c.untagged,
            "untagged_because": s.untagged,
        },
        "lan": serve::status_json(context, s.alive),
        "index": durability::as_json(&context.data_dir),
        "search": s.searching.json(),
        "tags": report.filter(|_| s.alive).map(|r| &r.tags),
        "counts": {
            "files": c.files,
            "indexed": c.indexed,
            "failed": c.failed,
            "missing": c.missing,
            "troubled": c.troubled,
            "photos": c.photos,
            "tagged": c.tagged(),
            "damaged": c.damaged,
            "thumbnail_only": c.thumbnail_only,
            "without_picture": c.without_picture,
            "previews": c.previews,
        },
        "failures_by_kind": s.kinds.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "roots": roots,
        "verify": verify::status_json(&s.verified),
    });
    if let Value::Object(fields) = &mut value {
        put_path_as(fields, "data_dir", &context.data_dir);
    }
    if let (Some(failures), Value::Object(fields)) = (&s.failures, &mut value) {
        let rows: Vec<Value> = failures
            .iter()
            .map(|f| {
                let path = f.path.under(&f.root);
                let fields = json!({
                    // As long as there is no other: it has always been there.
                    "path_bytes": null,
                    "stage": f.stage,
                    "model": f.model,
                    "kind": f.kind,
                    "error": f.message,
                    "attempts": f.attempts,
                    "failed_at": f.failed_at,
                });
                with_path(&path, fields)
            })
            .collect();
        fields.insert("errors".to_owned(), Value::Array(rows));
        let sidecar = |row: &TroubledSidecar| {
            with_path(&row.path.under(&row.root), json!({ "error": row.why }))
        };
        let sidecars: Vec<Value> = s.troubled_sidecars.iter().map(sidecar).collect();
        fields.insert("sidecar_errors".to_owned(), Value::Array(sidecars));
    }
    value
}
