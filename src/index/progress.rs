//! What the pipeline is doing: counters that any thread may read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

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
    /// Sidecars opened and read.
    pub sidecars: AtomicU64,
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
    /// Photos seen by their small picture until there is time for the large one.
    pub previews: AtomicU64,
    /// Contents indexed before that a model has now seen.
    pub caught_up: AtomicU64,
    /// Contents that have had a closer look.
    pub looked_closer: AtomicU64,
    /// Paths committed as failed.
    pub failed: AtomicU64,
    /// Paths forgotten.
    pub gone: AtomicU64,
    /// Files put off because they changed while they were read.
    pub changing: AtomicU64,
    /// Files that are looked at again later: they keep changing, or could not be opened for now.
    pub waiting: AtomicU64,
    /// Set while writes cannot be made (disk full); why.
    paused: Mutex<Option<String>>,
    under_way: Mutex<UnderWay>,
    idle: Condvar,
    turning: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Set when a stage has failed for good.
    pub dead: AtomicBool,
}

/// Closer looks at once: one, and one whose picture is made meanwhile. No worker ever waits to hand one over.
pub(super) const CLOSER: usize = 2;

/// Work under way. Both numbers under one lock: a scan that makes jobs, or a job that asks for a scan,
/// is never between them.
#[derive(Default)]
struct UnderWay {
    jobs: u64,
    scans: u64,
    /// Of the scans, those that wait for a disk that hangs.
    hanging: u64,
    /// Of the jobs, those of photos that have just landed.
    live: u64,
    /// When the last of those ended.
    last_live: Option<Instant>,
    /// Closer looks, which are no jobs: nobody waits for them.
    closer: u64,
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
    #[serde(default)]
    pub sidecars: u64,
    pub indexed: u64,
    pub deduplicated: u64,
    pub inspected: u64,
    pub embedded: u64,
    #[serde(default)]
    pub caught_up: u64,
    #[serde(default)]
    pub looked_closer: u64,
    pub failed: u64,
    pub gone: u64,
    pub changing: u64,
    #[serde(default)]
    pub waiting: u64,
    pub queued: u64,
}

impl Snapshot {
    /// What has been counted since then; what is queued is of now.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            seen: self.seen - before.seen,
            unchanged: self.unchanged - before.unchanged,
            opened: self.opened - before.opened,
            bytes: self.bytes - before.bytes,
            sidecars: self.sidecars - before.sidecars,
            indexed: self.indexed - before.indexed,
            deduplicated: self.deduplicated - before.deduplicated,
            inspected: self.inspected - before.inspected,
            embedded: self.embedded - before.embedded,
            caught_up: self.caught_up - before.caught_up,
            looked_closer: self.looked_closer - before.looked_closer,
            failed: self.failed - before.failed,
            gone: self.gone - before.gone,
            changing: self.changing - before.changing,
            ..*self
        }
    }
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
            sidecars: get(&self.sidecars),
            indexed: get(&self.indexed),
            deduplicated: get(&self.deduplicated),
            inspected: get(&self.inspected),
            embedded: get(&self.embedded),
            caught_up: get(&self.caught_up),
            looked_closer: get(&self.looked_closer),
            failed: get(&self.failed),
            gone: get(&self.gone),
            changing: get(&self.changing),
            waiting: get(&self.waiting),
            queued: self.lock().jobs,
        }
    }

    /// What is going on.
    pub fn activity(&self) -> Activity {
        if self.paused().is_some() {
            return Activity::Paused;
        }
        let now = self.lock();
        if now.jobs > 0 {
            Activity::Indexing
        } else if now.scans > now.hanging {
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
    pub fn turn(&self) {
        if let Some(call) = self.turning.get() {
            call();
        }
    }

    /// Counts a job as under way until the ticket is dropped.
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let first = {
            let mut now = self.lock();
            now.jobs += 1;
            now.jobs == 1
        };
        if first {
            self.turn();
        }
        Ticket {
            progress: Arc::clone(self),
            kind: TicketKind::Job,
            _claim: None,
        }
    }

    /// Counts a closer look as under way until the ticket is dropped; `None`: there are as many as there
    /// is room for ([`CLOSER`]).
    pub(super) fn closer_ticket(self: &Arc<Self>) -> Option<Ticket> {
        let mut now = self.lock();
        if now.closer >= CLOSER as u64 {
            return None;
        }
        now.closer += 1;
        Some(Ticket {
            progress: Arc::clone(self),
            kind: TicketKind::Closer,
            _claim: None,
        })
    }

    /// Waits until no closer look is under way, at most `timeout`; true if so.
    pub(super) fn wait_closer(&self, timeout: Duration) -> bool {
        let (now, _) = self
            .idle
            .wait_timeout_while(self.lock(), timeout, |now| now.closer > 0)
            .unwrap_or_else(PoisonError::into_inner);
        now.closer == 0
    }

    /// Whether a photo that has just landed is under way, or was so short a time ago.
    pub(super) fn is_live(&self, lately: Duration) -> bool {
        let now = self.lock();
        now.live > 0 || now.last_live.is_some_and(|at| at.elapsed() < lately)
    }

    /// Counts a scan as under way (or about to be) until the guard is dropped; in `of_root` too.
    pub fn scanning(self: &Arc<Self>, of_root: &Arc<AtomicU64>) -> Scanning {
        of_root.fetch_add(1, Ordering::Relaxed);
        let first = {
            let mut now = self.lock();
            now.scans += 1;
            now.scans == 1
        };
        if first {
            self.turn();
        }
        Scanning {
            progress: Arc::clone(self),
            of_root: Arc::clone(of_root),
        }
    }

    /// Scans under way.
    pub fn scans(&self) -> u64 {
        self.lock().scans
    }

    /// So many of the scans wait for a disk that hangs: nobody waits for them.
    pub fn set_hanging(&self, scans: u64) {
        let turned = std::mem::replace(&mut self.lock().hanging, scans) != scans;
        if turned {
            self.idle.notify_all();
            self.turn();
        }
    }

    /// Waits until nothing is under way, at most `timeout`; true if so.
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        let busy = |now: &mut UnderWay| now.jobs > 0 || now.scans > now.hanging;
        let (mut now, _) = self
            .idle
            .wait_timeout_while(self.lock(), timeout, busy)
            .unwrap_or_else(PoisonError::into_inner);
        !busy(&mut now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TicketKind {
    Job,
    Live,
    Closer,
}

/// A job under way. Dropping it is what ends the job, whatever became of it.
pub(super) struct Ticket {
    progress: Arc<Progress>,
    kind: TicketKind,
    /// Let go with the job.
    _claim: Option<PhotoClaim>,
}

impl Ticket {
    /// The job is a photo's that has just landed.
    pub fn live(mut self) -> Self {
        if self.kind == TicketKind::Job {
            self.kind = TicketKind::Live;
            self.progress.lock().live += 1;
        }
        self
    }

    /// The job is this photo's.
    pub fn holding(mut self, claim: PhotoClaim) -> Self {
        self._claim = Some(claim);
        self
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let last = {
            let mut now = self.progress.lock();
            if self.kind == TicketKind::Closer {
                now.closer = now.closer.saturating_sub(1);
                now.closer == 0
            } else {
                now.jobs = now.jobs.saturating_sub(1);
                if self.kind == TicketKind::Live {
                    now.live = now.live.saturating_sub(1);
                    now.last_live = Some(Instant::now());
                }
                now.jobs == 0
            }
        };
        if last {
            self.progress.idle.notify_all();
            self.progress.turn();
        }
    }
}

/// A scan under way.
pub struct Scanning {
    progress: Arc<Progress>,
    of_root: Arc<AtomicU64>,
}

impl Drop for Scanning {
    fn drop(&mut self) {
        self.of_root.fetch_sub(1, Ordering::Relaxed);
        let last = {
            let mut now = self.progress.lock();
            now.scans = now.scans.saturating_sub(1);
            now.scans == 0
        };
        if last {
            self.progress.idle.notify_all();
            self.progress.turn();
        }
    }
}
