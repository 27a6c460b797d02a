//! `photond index`

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::observer::Terminal;
use super::output::{count, plural};
use super::paths::real;
use super::{Context_, Exit, TableOrJson, control};
use crate::daemon::{
    ControlAnswer, ControlOrder, HexPath, Observer, OnceOptions, Pause, Setup, Summary, index_once,
    is_held, order,
};

/// Index folders once, with a summary, then exit
///
/// Files that are indexed already and have not changed are not opened.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders to index [default: `roots` in the settings file]
    #[arg(value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// Photos worked on at once [default: one a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: Option<u16>,
    /// Shape of the summary
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// Forget files that are held because very many disappeared at once
    #[arg(long)]
    confirm_deletions: bool,
    /// Forget the folders instead: take them out of the index (photos are not touched)
    #[arg(long, conflicts_with = "confirm_deletions", requires = "roots")]
    forget: bool,
}

pub(super) fn run(context: &Context_, args: Args) -> anyhow::Result<Exit> {
    if args.forget {
        return control::forget_all(context, &args.roots);
    }
    let setup = super::watch::setup(context, "index", args.roots, args.parallel)?;
    let summary = match by_daemon(context, &setup, args.confirm_deletions)? {
        Some(summary) => summary,
        None => {
            let terminal = Arc::new(Terminal::new(context.out, context.quiet));
            let observer: Arc<dyn Observer> = terminal.clone();
            let options = OnceOptions {
                confirm_deletions: args.confirm_deletions,
            };
            let result = index_once(&setup, options, &observer);
            terminal.finish();
            result?
        }
    };
    match args.format {
        TableOrJson::Json => context.out.line(&as_json(&summary).to_string())?,
        TableOrJson::Table => {
            for line in as_text(&summary) {
                context.out.line(&line)?;
            }
        }
    }
    if summary.interrupted {
        anyhow::bail!("interrupted; what was indexed stays, run it again to go on");
    }
    if !summary.missing.is_empty() {
        let missing: Vec<String> = summary
            .missing
            .iter()
            .map(|(path, why)| format!("{}: {why}", path.path().display()))
            .collect();
        anyhow::bail!("not indexed now: {}", missing.join("; "));
    }
    if summary.left_over > 0 {
        anyhow::bail!(
            "{} could not be read to the end, see `photond status --errors`; run it again when that is mended",
            plural(summary.left_over as u64, "folder", "folders")
        );
    }
    Ok(Exit::Done)
}

/// The pass as the running daemon makes it; `None`: none runs, or what runs takes no orders.
fn by_daemon(
    context: &Context_,
    setup: &Setup,
    confirm_deletions: bool,
) -> anyhow::Result<Option<Summary>> {
    let dir = &context.data_dir;
    if !is_held(dir) {
        return Ok(None);
    }
    if Pause::now(dir).is_some() {
        anyhow::bail!("photond is running and paused: `photond resume` lets it go on");
    }
    let folders: Vec<HexPath> = setup
        .roots
        .iter()
        .map(|root| HexPath::new(&real(root)))
        .collect();
    if !context.quiet {
        context
            .out
            .notice("photond is running: it makes the pass, and this waits for it");
    }
    let asked = ControlOrder::Index {
        folders: folders.clone(),
    };
    let Ok(answer) = order(dir, &asked) else {
        return Ok(None);
    };
    let summary = match answer {
        ControlAnswer::Indexed(summary) => *summary,
        ControlAnswer::Failed(why) => anyhow::bail!("{why}"),
        ControlAnswer::Done(_) => return Ok(None),
    };
    if confirm_deletions {
        let roots = folders;
        if let ControlAnswer::Done(Some(n)) = order(dir, &ControlOrder::Confirm { roots })? {
            let n = plural(n, "missing file", "missing files");
            context.out.notice(&format!("{n} forgotten"));
        }
    }
    Ok(Some(summary))
}

fn as_text(s: &Summary) -> Vec<String> {
    let c = &s.counters;
    let seconds = s.elapsed.as_secs_f64();
    let mut lines = vec![format!(
        "{} indexed, {} unchanged, {} failed, {} gone in {seconds:.1} s",
        plural(c.indexed, "photo", "photos"),
        count(c.unchanged),
        count(c.failed),
        count(c.gone),
    )];
    if c.deduplicated > 0 {
        lines.push(format!(
            "{} had content that was known (renamed or copied) and cost no decoding",
            count(c.deduplicated)
        ));
    }
    if c.sidecars > 0 {
        lines.push(format!(
            "{} read",
            plural(c.sidecars, "sidecar", "sidecars")
        ));
    }
    if c.changing > 0 {
        lines.push(format!(
            "{} kept changing while being read; run it again when they are complete",
            plural(c.changing, "file", "files")
        ));
    }
    if s.failing > 0 {
        lines.push(format!(
            "{} cannot be indexed; `photond status --errors` lists them, and why",
            plural(s.failing, "file", "files")
        ));
    }
    if s.held > 0 {
        lines.push(format!(
            "{} disappeared at once and are held: bring them back, or confirm with --confirm-deletions",
            plural(s.held, "file", "files")
        ));
    }
    if !s.model.ready {
        lines.push(format!("no tags yet: {}", s.model.detail));
    }
    lines
}

fn as_json(s: &Summary) -> serde_json::Value {
    let c = &s.counters;
    json!({
        "seen": c.seen,
        "unchanged": c.unchanged,
        "opened": c.opened,
        "bytes_read": c.bytes,
        "sidecars_read": c.sidecars,
        "indexed": c.indexed,
        "deduplicated": c.deduplicated,
        "decoded": c.inspected,
        "embedded": c.embedded,
        "failed": c.failed,
        "gone": c.gone,
        "changing": c.changing,
        "failing": s.failing,
        "held": s.held,
        "seconds": (s.elapsed.as_secs_f64() * 1e3).round() / 1e3,
        "model": s.model,
        "interrupted": s.interrupted,
    })
}
