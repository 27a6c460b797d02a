//! `photond model install`
//!
//! The installation runs in a thread of its own, so that Ctrl-C is answered at once whatever the
//! network does: what is on the disk is to be gone on with at any moment.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Sender, bounded};
use indicatif::ProgressBar;
use tokio::signal::unix::{SignalKind, signal};

use super::super::output::{Output, span};
use super::super::{Context_, Exit};
use crate::model::install::{
    Check, Environment, InstallError, InstallProgress, InstallRequest, Installed, Installer,
    Patience, Sleep, Step, Watch, bytes, is_built_in,
};
use crate::model::packs::Packs;

/// How long an installation has to end by itself after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

enum News {
    Ended(Box<Result<Installed, InstallError>>),
    Stop,
}

pub(super) fn run(
    context: &Context_,
    name: &str,
    variant: Option<&str>,
    from: Option<&Path>,
) -> anyhow::Result<Exit> {
    let request = InstallRequest {
        what: name.to_owned(),
        variant: variant.map(str::to_owned),
        from: from.map(Path::to_path_buf),
    };
    let teller = Arc::new(Teller::new(context.out, context.quiet));
    // One place each: the installation and the signals send one thing.
    let (send, news) = bounded(2);
    on_stop(send.clone())?;
    let data_dir = context.data_dir.clone();
    let watch = Arc::clone(&teller);
    std::thread::Builder::new()
        .name("photond-install".to_owned())
        .spawn(move || {
            let installer = Installer {
                data_dir: &data_dir,
                environment: Environment::read(),
                patience: Patience::default(),
                pause: &Sleep,
                watch: &*watch,
            };
            let _ = send.send(News::Ended(Box::new(installer.install(&request))));
        })
        .context("cannot start a thread")?;
    let result = match news.recv() {
        Ok(News::Ended(result)) => *result,
        Ok(News::Stop) => {
            teller.stop.store(true, Ordering::Relaxed);
            match news.recv_timeout(GRACE) {
                Ok(News::Ended(result)) => *result,
                _ => Err(InstallError::Stopped),
            }
        }
        Err(e) => anyhow::bail!("the installation ended without a word ({e})"),
    };
    teller.clear();
    report(context, &result?)
}

fn report(context: &Context_, done: &Installed) -> anyhow::Result<Exit> {
    let out = &context.out;
    let name = done.id.pack_name().to_owned();
    if done.already {
        out.line(&format!("{} is installed already, and whole", done.id))?;
    } else {
        let total = done.files.iter().map(|(_, size, _)| size).sum();
        out.line(&format!(
            "{} is installed ({})",
            out.bold(&done.id.0),
            bytes(total)
        ))?;
        if let Some(commit) = &done.commit {
            out.line(&format!("  from commit {commit}"))?;
        }
        for (file, size, check) in &done.files {
            out.line(&format!("  {file} ({}): {}", bytes(*size), check.words()))?;
        }
        if done.files.iter().any(|(_, _, c)| *c == Check::Recorded) {
            context.out.notice(
                "a file without a known checksum is only as good as where it came from; `photond model verify` finds later damage",
            );
        }
    }
    let in_use = Packs::new(&context.data_dir).in_use().ok();
    if in_use.as_deref() != Some(name.as_str()) && !is_built_in(&name) {
        out.line(&format!(
            "  `photond model use {name}` makes --text and --like use it"
        ))?;
    }
    Ok(Exit::Done)
}

/// Sends [`News::Stop`] at the first SIGINT or SIGTERM.
fn on_stop(news: Sender<News>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot handle signals")?;
    // Registered before the thread runs: no signal is lost between.
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate()).context("cannot handle signals")?,
            signal(SignalKind::interrupt()).context("cannot handle signals")?,
        )
    };
    std::thread::Builder::new()
        .name("photond-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            let _ = news.send(News::Stop);
        })
        .context("cannot start a thread")?;
    Ok(())
}

/// Says how it goes: a bar on a terminal, else a line now and then.
struct Teller {
    out: Output,
    quiet: bool,
    stop: AtomicBool,
    bar: Option<ProgressBar>,
    rate: Mutex<DownloadRate>,
}

/// Since when bytes come, and when something was last said.
#[derive(Default)]
struct DownloadRate {
    since: Option<(Instant, u64)>,
    said: Option<Instant>,
}

impl Teller {
    fn new(out: Output, quiet: bool) -> Self {
        Self {
            out,
            quiet,
            stop: AtomicBool::new(false),
            bar: out.spinner(quiet),
            rate: Mutex::default(),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Teller {
    fn progress(&self, now: &InstallProgress) {
        if self.quiet {
            return;
        }
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = Instant::now();
        let (since, first) = match rate.since {
            Some(since) if now.step != Step::Check => since,
            _ if now.step == Step::Check => (clock, now.done),
            _ => *rate.since.insert((clock, now.before)),
        };
        let text = text(now, clock - since, first);
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        } else if rate.said.is_none_or(|said| said.elapsed() >= BETWEEN_LINES) {
            // The first piece says nothing yet, but starts the clock.
            if rate.said.replace(clock).is_some() {
                self.out.notice(&text);
            }
        }
    }

    fn notice(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.notice(line)),
            None => self.out.notice(line),
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// `vision_model.onnx: 120.3 MB of 371.7 MB, 12.0 MB/s, about 21 s left`
fn text(now: &InstallProgress, elapsed: Duration, first: u64) -> String {
    let what = match now.step {
        Step::Download => "",
        Step::Copy => "copying ",
        Step::Check => "checking ",
    };
    let mut text = format!("{what}{}: {}", now.file, bytes(now.done));
    if let Some(total) = now.total {
        text += &format!(" of {}", bytes(total));
    }
    let seconds = elapsed.as_secs_f64();
    if now.step == Step::Check || seconds < 0.5 {
        return text;
    }
    {
        let rate = now.done.saturating_sub(first) as f64 / seconds;
        text += &format!(", {}/s", bytes(rate as u64));
        if let Some(left) = now.total.map(|t| t.saturating_sub(now.done))
            && rate >= 1.0
        {
            text += &format!(", about {} left", span((left as f64 / rate) as u64));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_well() {
        let mut now = InstallProgress {
            step: Step::Download,
            file: "vision_model.onnx".to_owned(),
            done: 120_000_000,
            total: Some(371_776_512),
            before: 100_000_000,
        };
        assert_eq!(
            text(&now, Duration::from_secs(2), now.before),
            "vision_model.onnx: 120.0 MB of 371.7 MB, 10.0 MB/s, about 25 s left"
        );
        now.total = None;
        assert_eq!(
            text(&now, Duration::from_secs(2), now.before),
            "vision_model.onnx: 120.0 MB, 10.0 MB/s"
        );
        now.step = Step::Check;
        assert_eq!(
            text(&now, Duration::from_secs(2), now.before),
            "checking vision_model.onnx: 120.0 MB"
        );
    }
}
