//! `photond status`: what is known of the index and of whoever works on it, for people (`text`, and `roots`
//! for the lines of a folder) and for programs (`json`).

mod json;
mod roots;
mod text;

use clap::ValueEnum;

pub(super) use self::json::all_as_json;
pub(super) use self::roots::root_lines;
use super::detecting::Detecting;
use super::metrics;
use super::searching::Searching;
use super::{Context_, Exit};
use crate::daemon::{Report, RootReport, VerifyState, held_says, is_held};
use crate::index::Activity;
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
            for line in text::lines(context, &status) {
                context.out.line(&line)?;
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) fn read(
    context: &Context_,
    reader: &StoreReader,
    errors: bool,
) -> anyhow::Result<Status> {
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
    let live = report.as_ref().filter(|_| alive);
    let searched = live.and_then(|r| {
        let mut search = r.search.clone()?;
        if r.activity == Activity::Idle {
            // What is left of a rate that fades out says nothing of what waits.
            (search.rate, search.eta_s) = (0.0, None);
        }
        Some(search)
    });
    Ok(Status {
        detecting: Detecting::read(context, live)?,
        searching: Searching::read(context, reader, searched)?,
        verified: VerifyState::read(&context.data_dir),
        counts,
        said: held_says(&context.data_dir),
        untagged,
        roots: reader.roots()?,
        kinds: reader.failure_kinds()?,
        failures: errors.then(|| reader.failures()).transpose()?,
        troubled_sidecars: reader.troubled_sidecars(if errors { usize::MAX } else { 1 })?,
        alive,
        pid: daemon.as_ref().map(|d| d.pid),
        started_at: daemon.as_ref().map(|d| d.started_at),
        heartbeat_age: daemon
            .as_ref()
            .map(|d| (unix_now() - d.heartbeat_at).max(0)),
        model: default_pack()?.id.0,
        report,
    })
}

impl Status {
    /// What the running daemon says of each root.
    fn reports(&self) -> impl Iterator<Item = &RootReport> {
        self.live().into_iter().flat_map(|r| &r.roots)
    }

    /// What the running daemon says; `None`: none runs.
    fn live(&self) -> Option<&Report> {
        self.report.as_ref().filter(|_| self.alive)
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
