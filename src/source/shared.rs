//! What a root's thread shares with the live source: the watches behind their lock, counts that
//! can be read without it, and the word to stop.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::live::LiveConfig;
use super::watch::Signals;
use super::watched::{DegradeReason, Watched};
use crate::photo::RelPath;

/// See the module.
#[derive(Debug)]
pub(super) struct SharedWatch {
    watched: Mutex<Watched>,
    signals: Arc<Signals>,
    degraded: Mutex<Option<DegradeReason>>,
    pub(super) armed: AtomicUsize,
    pub(super) polled: AtomicUsize,
    polled_dirs: Mutex<Vec<RelPath>>,
    pub(super) overflows: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) stop: AtomicBool,
}

impl SharedWatch {
    pub(super) fn new(root: &Path, cfg: &LiveConfig) -> Self {
        let signals = Arc::<Signals>::default();
        Self {
            watched: Mutex::new(Watched::new(root, cfg.max_watches, &signals)),
            signals,
            degraded: Mutex::default(),
            armed: AtomicUsize::new(0),
            polled: AtomicUsize::new(0),
            polled_dirs: Mutex::default(),
            overflows: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    pub(super) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// Does something with the watches, under their lock, and keeps the public counts.
    pub(super) fn with_watched<T>(&self, f: impl FnOnce(&mut Watched) -> T) -> T {
        // Each change of the table is complete before anything that could panic.
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut watched);
        let (armed, polled) = watched.counts();
        self.armed.store(armed, Ordering::Relaxed);
        let before = self.polled.swap(polled, Ordering::Relaxed);
        if polled > 0 || before > 0 {
            // At most a few dozen; a list of its own, so that nobody who asks waits for this lock.
            let mut dirs = self
                .polled_dirs
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *dirs = watched.polled_dirs();
        }
        result
    }

    pub(super) fn polled_dirs(&self) -> Vec<RelPath> {
        let dirs = self
            .polled_dirs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        dirs.clone()
    }

    pub(super) fn degraded(&self) -> Option<DegradeReason> {
        self.degraded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_degraded(&self, why: Option<DegradeReason>) {
        *self.degraded.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}
