//! `photond verify`

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::bail;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::output::{count, plural, printable, span};
use super::paths::{real, with_path};
use super::{Context_, Exit, TableOrJson};
use crate::daemon::{
    SampleSize, VerifyCounts, VerifyFinding, VerifyObserver, VerifyPlan, VerifyRun, VerifyState,
    VerifyVerdict, verify,
};
use crate::store::unix_now;

/// Read photos again and compare them with what was indexed, to find rotten ones
///
/// A photo is rotten if its file has the size and time that were indexed and not the bytes: nobody
/// has changed it, and the disk does not give back what was once there. Photos that were changed
/// openly are only named. Nothing is ever written to a photo or repaired; where another file had the
/// same content, it is named.
///
/// It reads slowly and with low priority, also beside a running daemon. Interrupted, the same command
/// goes on where it was. Exits with 0 if nothing is wrong, 1 if there was no photo to read, 2 if
/// something is rotten or unreadable or it was interrupted. `photond status` shows how the last one
/// ended.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only these photos and folders [default: all that are indexed]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only so many photos, or such a part of them, drawn anew each time [default: all]
    #[arg(long, value_name = "N|P%")]
    sample: Option<SampleSize>,
    /// Megabytes read a second at most; 0: as fast as the disk goes
    #[arg(long, value_name = "MB", default_value_t = 30.0, value_parser = rate)]
    rate: f64,
    /// Begin anew, even if the last one was interrupted
    #[arg(long)]
    restart: bool,
    /// Also name what is sound
    #[arg(long)]
    all: bool,
    /// Shape of the report
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

const EXAMPLES: &str = "Examples:
  photond verify                      everything, at 30 MB a second
  photond verify ~/Pictures/2019 --rate 0
  photond verify --sample 2%          from time to time, from a timer";

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1e6).contains(&rate) && (rate == 0.0 || rate >= 0.001) => Ok(rate),
        _ => Err("megabytes a second, or 0 for no limit".to_owned()),
    }
}

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let plan = VerifyPlan {
        data_dir: context.data_dir.clone(),
        paths: args.paths.iter().map(|path| real(path)).collect(),
        size: args.sample.unwrap_or(SampleSize::All),
        rate: (args.rate > 0.0).then_some(args.rate * 1e6),
        restart: args.restart,
    };
    let teller = Teller {
        context,
        table: args.format == TableOrJson::Table,
        all: args.all,
        bar: context.out.spinner(context.quiet),
        sound: RefCell::default(),
    };
    let ended = verify(&plan, &teller);
    if let Some(bar) = &teller.bar {
        bar.finish_and_clear();
    }
    let run = ended?;
    if args.format == TableOrJson::Json {
        let mut value = as_json(&run);
        value["findings"] = run.findings.iter().map(finding_json).collect();
        if args.all {
            let sound = teller.sound.borrow();
            value["sound"] = sound
                .iter()
                .map(|path| with_path(path, json!({})))
                .collect();
        }
        context.out.line(&serde_json::to_string_pretty(&value)?)?;
    } else {
        context.out.line(&summary(&run))?;
    }
    if run.finished_at.is_none() {
        bail!("interrupted; the same command goes on from here");
    }
    let c = &run.counts;
    if c.bad() > 0 {
        bail!(
            "{}: bring back what is rotten from a backup or from the copies that are named, and have the disk looked at",
            faults(c)
        );
    }
    if c.files() + c.offline == 0 {
        context.out.notice("no photo is indexed there");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}

struct Teller<'a> {
    context: &'a Context_,
    table: bool,
    all: bool,
    bar: Option<ProgressBar>,
    sound: RefCell<Vec<PathBuf>>,
}

impl Teller<'_> {
    fn line(&self, line: &str) {
        let say = || {
            // A reader who has gone away is noticed at the end.
            let _ = self.context.out.line(line);
        };
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn notice(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.context.out.notice(line)),
            None => self.context.out.notice(line),
        }
    }
}

impl VerifyObserver for Teller<'_> {
    fn goes_on(&self, run: &VerifyRun) {
        self.notice(&format!(
            "going on after {} of {} photos (begun {} ago; --restart begins anew)",
            count(run.counts.files()),
            count(run.planned),
            span(u64::try_from(unix_now() - run.started_at).unwrap_or(0))
        ));
    }

    fn file(&self, path: &Path, verdict: VerifyVerdict, finding: Option<&VerifyFinding>) {
        if verdict == VerifyVerdict::Sound {
            if self.all && self.table {
                self.line(&format!(
                    "sound       {}",
                    printable(&path.to_string_lossy())
                ));
            } else if self.all {
                self.sound.borrow_mut().push(path.to_path_buf());
            }
            return;
        }
        if !self.table {
            return;
        }
        let out = self.context.out;
        let word = format!("{:10}", word(verdict));
        let word = if verdict.is_bad() {
            out.red(&word)
        } else {
            word
        };
        let detail = finding.map_or("", |f| f.detail.as_str());
        self.line(&format!(
            "{word}  {}: {}",
            printable(&path.to_string_lossy()),
            printable(detail)
        ));
        for copy in finding.iter().flat_map(|f| &f.copies) {
            self.line(&format!(
                "            the same content was indexed at {}",
                printable(&copy.path().to_string_lossy())
            ));
        }
    }

    fn offline(&self, root: &Path, why: &str, photos: u64) {
        self.notice(&format!(
            "{}: {why}; {} passed over",
            root.display(),
            plural(photos, "photo is", "photos are")
        ));
    }

    fn progress(&self, run: &VerifyRun) {
        let Some(bar) = &self.bar else {
            return;
        };
        let c = &run.counts;
        let mut text = format!("{} of {} photos", count(c.files()), count(run.planned));
        if c.bad() > 0 {
            text += &format!(", {}", faults(c));
        }
        bar.set_message(text);
        bar.tick();
    }
}

fn word(verdict: VerifyVerdict) -> &'static str {
    match verdict {
        VerifyVerdict::Sound => "sound",
        VerifyVerdict::Rotten => "ROTTEN",
        VerifyVerdict::Unsteady => "UNSTEADY",
        VerifyVerdict::Changed => "changed",
        VerifyVerdict::Gone => "gone",
        VerifyVerdict::Unreadable => "UNREADABLE",
    }
}

fn faults(c: &VerifyCounts) -> String {
    let parts = [
        (c.rotten, "rotten"),
        (c.unsteady, "read otherwise each time"),
        (c.unreadable, "unreadable"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", count(*n)))
        .collect();
    parts.join(", ")
}

/// One line on a run.
fn summary(run: &VerifyRun) -> String {
    let c = &run.counts;
    let read = c.sound + c.rotten + c.unsteady;
    let megabytes = c.bytes as f64 / 1e6;
    let mut line = format!(
        "{} read ({megabytes:.1} MB)",
        plural(read, "photo", "photos")
    );
    if run.finished_at.is_none() {
        line += &format!(" of {}", count(run.planned));
    }
    line += &if c.bad() > 0 {
        format!(", {}", faults(c))
    } else if read == 0 {
        String::new()
    } else if read == 1 {
        ", sound".to_owned()
    } else {
        ", all sound".to_owned()
    };
    for (n, what) in [
        (c.changed, "changed and not indexed again yet"),
        (c.gone, "gone and not noticed yet"),
        (c.offline, "offline"),
    ] {
        if n > 0 {
            line += &format!(", {} {what}", count(n));
        }
    }
    line
}

/// What `status` says of the last verifications.
pub(super) fn status_lines(context: &Context_, state: &VerifyState) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(run) = &state.last {
        let at = run.finished_at.unwrap_or(run.started_at);
        let ago = span(u64::try_from(unix_now() - at).unwrap_or(0));
        let line = format!("last verified {ago} ago: {}", summary(run));
        lines.push(if run.counts.bad() > 0 {
            context.out.red(&line)
        } else {
            line
        });
        for finding in run.findings.iter().filter(|f| f.verdict.is_bad()).take(20) {
            lines.push(format!(
                "  {}  {}",
                context.out.red(word(finding.verdict)),
                printable(&finding.path.path().to_string_lossy())
            ));
        }
    }
    if let Some(run) = &state.current {
        lines.push(format!(
            "a verification is at work or was interrupted: {}",
            summary(run)
        ));
    }
    lines
}

/// The same for programs.
pub(super) fn status_json(state: &VerifyState) -> Value {
    let of = |run: &Option<VerifyRun>| {
        run.as_ref().map(|run| {
            let mut value = as_json(run);
            let bad = run.findings.iter().filter(|f| f.verdict.is_bad());
            value["findings"] = bad.map(finding_json).collect();
            value
        })
    };
    json!({ "last": of(&state.last), "current": of(&state.current) })
}

fn as_json(run: &VerifyRun) -> Value {
    let paths: Vec<Value> = run
        .paths
        .iter()
        .map(|path| with_path(&path.path(), json!({})))
        .collect();
    json!({
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "paths": paths,
        "sample": match run.sample.size {
            SampleSize::All => json!("all"),
            SampleSize::Part(part) => json!(format!("{}%", part * 100.0)),
            SampleSize::Number(n) => json!(n),
        },
        "seed": run.sample.seed,
        "planned": run.planned,
        "counts": run.counts,
    })
}

fn finding_json(finding: &VerifyFinding) -> Value {
    let copies: Vec<Value> = finding
        .copies
        .iter()
        .map(|copy| with_path(&copy.path(), json!({})))
        .collect();
    let fields = json!({
        "verdict": finding.verdict,
        "detail": finding.detail,
        "copies": copies,
    });
    with_path(&finding.path.path(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_megabytes() {
        assert_eq!(rate("0"), Ok(0.0));
        assert_eq!(rate("2.5"), Ok(2.5));
        for wrong in ["-1", "x", "1e99", "NaN", "0.00001"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn faults_are_named_only_where_there_are_some() {
        let counts = VerifyCounts {
            sound: 3,
            rotten: 1,
            unreadable: 2,
            ..VerifyCounts::default()
        };
        assert_eq!(faults(&counts), "1 rotten, 2 unreadable");
    }
}
