//! `photond retag`

use std::time::Duration;

use super::observer::Terminal;
use super::output::plural;
use super::{Context_, Exit};
use crate::daemon::{Observer, Report, is_held, request_retag, retag};
use crate::index::TagReport;
use crate::store::StoreReader;

/// Make the tags of all photos again, from what is stored of them: no photo is opened
///
/// Done by itself when your own words, the settings or a model change. With photond running, it does
/// the work and this command shows how far it is; stopping this command stops nothing then.
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(context: &Context_, _args: &Args) -> anyhow::Result<Exit> {
    let terminal = Terminal::new(context.out, context.quiet);
    let result = if is_held(&context.data_dir) {
        follow(context, &terminal)
    } else {
        let setup = super::watch::setup_without_roots(context);
        retag(&setup, &terminal).map_err(anyhow::Error::from)
    };
    terminal.finish();
    let report = result?;
    if let Some(trouble) = &report.trouble {
        if report.stuck || report.stale > 0 {
            anyhow::bail!("photos cannot be tagged: {trouble}");
        }
        context.out.notice(&format!("photond: {trouble}"));
    }
    let counts = StoreReader::open(&context.data_dir)?.counts()?;
    let tagged = counts.tagged();
    if tagged == 0 {
        context
            .out
            .notice("nothing to tag yet: no model has seen a photo");
        return Ok(Exit::Nothing);
    }
    let mut line = format!("{} tagged again", plural(tagged, "photo", "photos"));
    if report.own > 0 {
        let own = plural(report.own as u64, "word of your own", "words of your own");
        line += &format!(", with {own}");
    }
    context.out.line(&line)?;
    Ok(Exit::Done)
}

/// The running daemon does it.
fn follow(context: &Context_, terminal: &Terminal) -> anyhow::Result<TagReport> {
    let wish = request_retag(&context.data_dir)?;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        if !is_held(&context.data_dir) {
            anyhow::bail!("photond has stopped; the next start goes on with it");
        }
        let daemon = StoreReader::open(&context.data_dir)?.daemon()?;
        let report = daemon.and_then(|d| serde_json::from_str::<Report>(&d.report).ok());
        let Some(report) = report.map(|r| r.tags) else {
            continue;
        };
        terminal.tags(&report);
        if report.stuck || (report.again >= wish && report.stale == 0) {
            return Ok(report);
        }
    }
}
