//! `photond retag`

use std::time::Duration;

use super::observer::Terminal;
use super::output::{count, plural};
use super::{Context_, Exit};
use crate::daemon::{Report, is_held, request_retag, retag, retag_waits};
use crate::index::{LabelPhase, LabelReport};
use crate::store::StoreReader;

/// Set all photos against all terms again, from what is stored of them: no photo is opened
///
/// Done by itself when the vocabulary, your own words or the model change. With photond running,
/// it does the work and this command shows how far it is; stopping this command stops nothing then.
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
    if let Some(reason) = &report.reason
        && report.phase == LabelPhase::Waiting
    {
        anyhow::bail!("photos cannot be tagged: {reason}");
    }
    if report.phase == LabelPhase::Off {
        context
            .out
            .notice("nothing to tag yet: no photo has been indexed, or labels are turned off");
        return Ok(Exit::Nothing);
    }
    let mut line = format!(
        "{} set against {} of {} by {}",
        plural(report.photos, "photo", "photos"),
        count(report.terms as u64),
        plural(report.of as u64, "term", "terms"),
        report.model
    );
    if report.own > 0 {
        line += &format!(
            " and {}",
            plural(report.own as u64, "word of your own", "words of your own")
        );
    }
    context.out.line(&line)?;
    Ok(Exit::Done)
}

/// The running daemon does it.
fn follow(context: &Context_, terminal: &Terminal) -> anyhow::Result<LabelReport> {
    use crate::daemon::Observer;
    let said = || -> anyhow::Result<Option<LabelReport>> {
        let daemon = StoreReader::open(&context.data_dir)?.daemon()?;
        let report = daemon.and_then(|d| serde_json::from_str::<Report>(&d.report).ok());
        Ok(report.and_then(|r| r.labels))
    };
    let before = said()?.map_or(0, |r| r.retags);
    request_retag(&context.data_dir)?;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        if !is_held(&context.data_dir) {
            anyhow::bail!("photond has stopped; the next start goes on with it");
        }
        let Some(report) = said()? else {
            continue;
        };
        terminal.labels(&report);
        if report.phase == LabelPhase::Waiting && !retag_waits(&context.data_dir) {
            return Ok(report);
        }
        if report.retags > before && report.phase == LabelPhase::Idle {
            return Ok(report);
        }
        if report.retags > before && report.phase == LabelPhase::Encoding && report.passed.1 == 0 {
            // The terms there are have been gone through; the rest comes by and by.
            return Ok(report);
        }
    }
}
