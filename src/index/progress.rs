//! What the pipeline is doing: counters that any thread may read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::claims::PhotoClaim;

/// Counters since the start, and the number of jobs under way.
#[derive(Default)]
pub struct Progress {
    /// Files whose stamp was compared.
    pub seen: AtomicU64,
    /// Files the pre-filter stopped.
    pub unchanged: AtomicU64,
    /// Files opened and read.
    pub opened: AtomicU64,
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Paths committed as pointing at a photo.
    pub indexed: AtomicU64,
    /// Of those, the ones whose content was known (rename, copy): not decoded.
    pub deduplicated: AtomicU64,
    /// Contents decoded.
    pub inspected: AtomicU64,
    /// Contents that a model has seen.
    pub embedded: AtomicU64,
    /// Contents committed without all models' results, to be caught up.
    pub untagged: AtomicU64,
    /// Contents indexed before that a model has now seen.
    pub caught_up: AtomicU64,
    /// Paths committed as failed.
    pub failed: AtomicU64,
    /// Paths forgotten.
    pub gone: AtomicU64,
    /// Files put off because they changed while they were read.
    pub changing: AtomicU64,
    /// Set while writes cannot be made (disk full); why.
    paused: Mutex<Option<String>>,
    scans: AtomicU64,
    outstanding: Mutex<u64>,
    idle: Condvar,
    turning: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Set when a stage has failed for good.
    pub dead: AtomicBool,
}

/// What is going on, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Walking folders.
    Scanning,
    /// Working on files.
    Indexing,
    /// Waiting for something to happen.
    Idle,
    /// Waiting for the disk.
    Paused,
}

/// All counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub seen: u64,
    pub unchanged: u64,
    pub opened: u64,
    pub bytes: u64,
    pub indexed: u64,
    pub deduplicated: u64,
    pub inspected: u64,
    pub embedded: u64,
    #[serde(default)]
    pub caught_up: u64,
    pub failed: u64,
    pub gone: u64,
    pub changing: u64,
    pub queued: u64,
}

impl Progress {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads all counters.
    pub fn snapshot(&self) -> Snapshot {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        Snapshot {
            seen: get(&self.seen),
            unchanged: get(&self.unchanged),
            opened: get(&self.opened),
            bytes: get(&self.bytes),
            indexed: get(&self.indexed),
            deduplicated: get(&self.deduplicated),
            inspected: get(&self.inspected),
            embedded: get(&self.embedded),
            caught_up: get(&self.caught_up),
            failed: get(&self.failed),
            gone: get(&self.gone),
            changing: get(&self.changing),
            queued: *self.lock(),
        }
    }

    /// What is going on.
    pub fn activity(&self) -> Activity {
        if self.paused().is_some() {
            Activity::Paused
        } else if *self.lock() > 0 {
            Activity::Indexing
        } else if self.scans.load(Ordering::Relaxed) > 0 {
            Activity::Scanning
        } else {
            Activity::Idle
        }
    }

    /// Why writing waits, if it does.
    pub fn paused(&self) -> Option<String> {
        self.paused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_paused(&self, why: Option<String>) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Sets what is called, from any thread, when work begins or ends. It must not block. Only the
    /// first call counts.
    pub fn on_turn(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.turning.set(Box::new(call));
    }

    /// Tells whoever listens that something has begun or ended.
    pub(super) fn turn(&self) {
        if let Some(call) = self.turning.get() {
            call();
        }
    }

    /// Counts a job as under way until the ticket is dropped.
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let first = {
            let mut count = self.lock();
            *count += 1;
            *count == 1
        };
        if first {
            self.turn();
        }
        Ticket {
            progress: Arc::clone(self),
            _claim: None,
        }
    }

    /// Counts a scan as under way (or about to be) until the guard is dropped.
    pub fn scanning(self: &Arc<Self>) -> Scanning {
        if self.scans.fetch_add(1, Ordering::Relaxed) == 0 {
            self.turn();
        }
        Scanning(Arc::clone(self))
    }

    /// Scans under way.
    pub fn scans(&self) -> u64 {
        self.scans.load(Ordering::Relaxed)
    }

    /// Waits until no job is under way, at most `timeout`; true if so.
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        let (count, _) = self
            .idle
            .wait_timeout_while(self.lock(), timeout, |n| *n > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *count == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.outstanding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job under way. Dropping it is what ends the job, whatever became of it.
pub(super) struct Ticket {
    progress: Arc<Progress>,
    /// Let go with the job.
    _claim: Option<PhotoClaim>,
}

impl Ticket {
    /// The job is this photo's.
    pub fn holding(mut self, claim: PhotoClaim) -> Self {
        self._claim = Some(claim);
        self
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let last = {
            let mut count = self.progress.lock();
            *count = count.saturating_sub(1);
            *count == 0
        };
        if last {
            self.progress.idle.notify_all();
            self.progress.turn();
        }
    }
}

/// A scan under way.
pub struct Scanning(Arc<Progress>);

impl Drop for Scanning {
    fn drop(&mut self) {
        if self.0.scans.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.turn();
        }
    }
}
