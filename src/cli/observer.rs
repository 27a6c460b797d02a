//! The daemon's voice on the terminal: notices, and a progress bar where there is a terminal.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::output::{Output, count, plural, span};
use crate::daemon::Observer;
use crate::index::{Activity, Snapshot, TagReport};

pub(super) struct Terminal {
    out: Output,
    quiet: bool,
    bar: Option<ProgressBar>,
    /// Since when there is work, and what was done before.
    start: Mutex<Option<(Instant, u64)>>,
}

impl Terminal {
    pub fn new(out: Output, quiet: bool) -> Self {
        Self {
            out,
            quiet,
            bar: out.spinner(quiet),
            start: Mutex::new(None),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Terminal {
    fn notice(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.notice(line)),
            None => self.out.notice(line),
        }
    }

    fn tags(&self, now: &TagReport) {
        let Some(bar) = &self.bar else {
            return;
        };
        let (encoded, terms) = now.terms;
        if now.stale > 0 {
            let left = plural(now.stale, "photo", "photos");
            bar.set_message(format!("{left} to tag again, {:.0}/s", now.rate));
        } else if now.is_working() {
            let (encoded, terms) = (count(encoded as u64), count(terms as u64));
            let mut text = format!("{encoded} of {terms} words encoded");
            if let Some(s) = now.eta_s() {
                text += &format!(", about {} left", span(s));
            }
            bar.set_message(text);
        } else {
            bar.finish_and_clear();
            return;
        }
        bar.tick();
    }

    fn progress(&self, activity: Activity, now: &Snapshot) {
        let Some(bar) = &self.bar else {
            return;
        };
        let mut start = self
            .start
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = now.indexed + now.failed;
        if activity == Activity::Idle {
            if start.take().is_some() {
                bar.finish_and_clear();
            }
            return;
        }
        let (begun, before) = *start.get_or_insert_with(|| {
            bar.reset();
            (Instant::now(), done)
        });
        let seconds = begun
            .elapsed()
            .max(Duration::from_millis(200))
            .as_secs_f64();
        let rate = (done - before) as f64 / seconds;
        let mut text = match activity {
            Activity::Paused => "waiting for disk space".to_owned(),
            _ => format!("{} indexed", plural(now.indexed, "photo", "photos")),
        };
        if now.unchanged > 0 {
            text += &format!(", {} unchanged", count(now.unchanged));
        }
        if now.failed > 0 {
            text += &format!(", {} failed", count(now.failed));
        }
        if rate >= 0.5 {
            text += &format!(", {rate:.0}/s");
        }
        if activity == Activity::Scanning {
            text += ", looking through the folders";
        } else {
            text += &format!(", {} under way", count(now.queued));
        }
        text += &format!(" ({})", span(begun.elapsed().as_secs()));
        bar.set_message(text);
        bar.tick();
    }
}
