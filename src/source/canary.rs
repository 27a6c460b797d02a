//! The canary: a file only we change, to find out whether the watcher still sees.
//!
//! It lives in a private directory, one a root, watched by that root's watcher; its events never
//! reach the settler. Nothing is written to it, so that an idle daemon lets the disk sleep. A file that
//! cannot be opened proves nothing and is passed over.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::watch::Signals;

/// What a look at the canary says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CanaryVerdict {
    Fine,
    /// The watcher did not notice in time.
    Dead,
}

#[derive(Debug)]
pub(super) struct Canary {
    dir: Option<PathBuf>,
    every: Duration,
    timeout: Duration,
    /// Whether its directory is watched by the present watcher.
    pub(super) watched: bool,
    next: Instant,
    waiting: bool,
}

impl Canary {
    pub(super) fn new(dir: Option<PathBuf>, every: Duration, timeout: Duration) -> Self {
        let dir = dir.and_then(|dir| std::path::absolute(dir).ok());
        let dir = dir.filter(|dir| match std::fs::create_dir_all(dir) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "the watcher's life is not tested");
                false
            }
        });
        Self {
            dir,
            every,
            timeout,
            watched: false,
            next: Instant::now() + every,
            waiting: false,
        }
    }

    pub(super) fn dir(&self) -> Option<&PathBuf> {
        self.dir.as_ref()
    }

    /// When [`look`](Self::look) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.watched && self.dir.is_some()).then_some(self.next)
    }

    /// Begins anew, for a new watcher.
    pub(super) fn restart(&mut self, watched: bool) {
        self.watched = watched;
        self.waiting = false;
        self.next = Instant::now() + self.every;
    }

    /// Touches the file, or judges the last touch.
    pub(super) fn look(&mut self, now: Instant, signals: &Signals) -> CanaryVerdict {
        let Some(dir) = self
            .dir
            .as_ref()
            .filter(|_| self.watched && now >= self.next)
        else {
            return CanaryVerdict::Fine;
        };
        if self.waiting {
            self.waiting = false;
            self.next = now + self.every;
            let seen = signals.canary_seen.load(Ordering::Acquire);
            return if seen {
                CanaryVerdict::Fine
            } else {
                CanaryVerdict::Dead
            };
        }
        signals.canary_seen.store(false, Ordering::Release);
        match beat(&dir.join("beat")) {
            Ok(()) => {
                self.waiting = true;
                self.next = now + self.timeout;
            }
            Err(error) => {
                tracing::debug!(dir = %dir.display(), %error, "the canary cannot be written");
                self.next = now + self.every;
            }
        }
        CanaryVerdict::Fine
    }
}

/// Opened for writing and closed: that alone is an event, and costs the disk nothing.
#[cfg(target_os = "linux")]
fn beat(file: &Path) -> std::io::Result<()> {
    let open = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(file);
    open.map(drop)
}

#[cfg(not(target_os = "linux"))]
fn beat(file: &Path) -> std::io::Result<()> {
    std::fs::write(file, b".")
}

impl Drop for Canary {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            let _ = std::fs::remove_file(dir.join("beat"));
            let _ = std::fs::remove_dir(dir);
        }
    }
}
