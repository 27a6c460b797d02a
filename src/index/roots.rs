//! The roots in work: one handle for as long as one actor keeps a root.
//!
//! Scans, jobs and changes carry the handle they were made under. Once it has ended they do
//! nothing: whoever keeps the root next has a handle of its own, so that nothing of the old life
//! can touch the new one.
//!
//! Every stretch of work that asks the root's disk is a [`Visit`]. A disk that hangs holds its
//! visitors for as long as it likes; that one of them has seen no progress for [`HANGS_AFTER`] is
//! how everybody else learns to keep away.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::probe::Probe;
use super::wanted::{ScanScope, WantedScans};
use crate::source::{Filter, RootPlace};

/// A visitor without progress for this long hangs. Longer than a sleeping disk or NAS takes to wake
/// up; what is put off by mistake is only looked at later.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(10);

/// A root in work.
pub struct RootHandle {
    /// `roots.id`.
    pub id: i64,
    /// Absolute path.
    pub path: PathBuf,
    /// What is left out.
    pub filter: Arc<Filter>,
    /// What is to be scanned.
    pub wanted: Arc<WantedScans>,
    /// The volume when it was taken on.
    pub(super) volume: String,
    /// Where the folder was then.
    pub(super) place: RootPlace,
    /// Whether it is still that volume has to be found out anew.
    pub(super) suspect: AtomicBool,
    ended: AtomicBool,
    probe: Probe,
    born: Instant,
    visits: Mutex<Vec<Arc<AtomicU64>>>,
}

impl RootHandle {
    pub(super) fn new(
        (id, path): (i64, &Path),
        filter: Arc<Filter>,
        wanted: Arc<WantedScans>,
        (volume, place): (String, RootPlace),
        probe: Probe,
    ) -> Self {
        Self {
            id,
            path: path.to_path_buf(),
            filter,
            wanted,
            volume,
            place,
            suspect: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            probe,
            born: Instant::now(),
            visits: Mutex::default(),
        }
    }

    /// Nothing more is to be done under this handle.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// True once [`end`](Self::end) was called.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Something has been heard (an unmount, the root renamed) that makes its identity doubtful.
    pub fn doubt(&self) {
        self.suspect.store(true, Ordering::Release);
    }

    /// Whether the folder is the very one that was taken on: a file that is not found below it is
    /// gone, not merely unplugged. `None`: its disk does not answer.
    pub fn is_present(self: &Arc<Self>) -> Option<bool> {
        self.probe.is_present(self)
    }

    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// For how long somebody has been waiting for its disk in vain, if that is too long.
    pub fn hangs(&self) -> Option<Duration> {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = visits.iter().map(|v| v.load(Ordering::Relaxed)).min()?;
        let waited = self
            .born
            .elapsed()
            .saturating_sub(Duration::from_millis(oldest));
        (waited >= HANGS_AFTER).then_some(waited)
    }

    /// Looked at as a whole when its disk answers again.
    pub(super) fn put_off(&self) {
        self.wanted.scan(ScanScope::whole());
    }

    /// Begins a stretch of work that asks the disk.
    pub(super) fn visit(self: &Arc<Self>) -> Visit {
        let visit = Visit {
            root: Arc::clone(self),
            touched: Arc::default(),
        };
        visit.goes_on();
        self.visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&visit.touched));
        visit
    }
}

/// Work that asks a root's disk, until dropped.
pub(super) struct Visit {
    root: Arc<RootHandle>,
    /// Milliseconds from the handle's birth to the last sign of progress.
    touched: Arc<AtomicU64>,
}

impl Visit {
    /// The disk has answered.
    pub fn goes_on(&self) {
        let now = u64::try_from(self.root.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.touched.store(now, Ordering::Relaxed);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.root
            .visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| !Arc::ptr_eq(other, &self.touched));
    }
}

/// The roots in work, by id.
#[derive(Default)]
pub(super) struct Roots(RwLock<HashMap<i64, Arc<RootHandle>>>);

impl Roots {
    pub fn get(&self, id: i64) -> Option<Arc<RootHandle>> {
        self.read().get(&id).cloned()
    }

    pub fn at(&self, path: &Path) -> Option<Arc<RootHandle>> {
        self.read().values().find(|root| root.path == path).cloned()
    }

    pub fn put(&self, handle: Arc<RootHandle>) {
        self.write().insert(handle.id, handle);
    }

    /// Takes this very handle out; a newer one of the same root stays.
    pub fn remove(&self, handle: &Arc<RootHandle>) {
        let mut table = self.write();
        if table
            .get(&handle.id)
            .is_some_and(|h| Arc::ptr_eq(h, handle))
        {
            table.remove(&handle.id);
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<i64, Arc<RootHandle>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<i64, Arc<RootHandle>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
