//! What a root has been asked to scan: a set that never blocks the asker and never loses a request.
//!
//! Two kinds wait apart, because two threads serve them: the whole root, and single folders (which
//! have just arrived or left, and must not wait behind the first scan of a large root). A folder
//! that could not be read to its end comes back by itself, with growing patience, until it could.
//! From the request to the end of its scan the pipeline counts it as work, so that "up to date" is
//! never said in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::progress::{Progress, Scanning};
use crate::photo::RelPath;

/// What to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanScope {
    /// Directory below the root; the empty path is all of it.
    pub dir: RelPath,
    /// Commit what is found at once (it has just arrived) instead of behind the backlog.
    pub urgent: bool,
}

impl ScanScope {
    /// All of a root, behind everything else.
    pub fn whole() -> Self {
        Self {
            dir: RelPath::root(),
            urgent: false,
        }
    }

    /// A folder that has just arrived, changed or left.
    pub fn folder(dir: RelPath) -> Self {
        Self { dir, urgent: true }
    }
}

/// Folders waiting at once; more are one scan of the whole root.
const FOLDERS: usize = 10_000;
/// How soon a folder that could not be read to its end is looked at again: one that the moment was
/// wrong for (no descriptors left) …
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// … and one that has something against it (permissions, a disk that fails); the watcher may hear of
/// its mending sooner.
const FIRST_PATIENCE_WITH_FAULTS: Duration = Duration::from_secs(30);
/// How long that grows, by half each time.
const LONGEST_PATIENCE: Duration = Duration::from_secs(600);

/// The requests of one root.
pub struct WantedScans {
    progress: Arc<Progress>,
    /// Scans of this root that are wanted or under way.
    scans: Arc<AtomicU64>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    whole: Option<Scanning>,
    folders: BTreeMap<RelPath, Scanning>,
    unfinished: BTreeMap<RelPath, Retry>,
    /// The root's threads should end.
    stop: bool,
    /// The root has left: the folder thread should end.
    released: bool,
}

/// When a folder is looked at again, and how long was waited for that.
#[derive(Debug, Clone, Copy)]
struct Retry {
    /// When it was last found unfinished.
    reported: Instant,
    /// `None`: it is being looked at.
    due: Option<Instant>,
    patience: Duration,
    /// Something is wrong with it, and that has been recorded.
    at_fault: bool,
}

/// What the root's main thread is to do.
pub enum Wanted {
    /// Scan all of it; the guard ends with that scan.
    Whole(Scanning),
    /// End.
    Stop,
    /// Nothing, for as long as was waited.
    Nothing,
}

impl WantedScans {
    /// Nothing is wanted yet.
    pub fn new(progress: &Arc<Progress>) -> Self {
        Self {
            progress: Arc::clone(progress),
            scans: Arc::default(),
            inner: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a scan of this root as under way until the guard is dropped.
    pub fn scanning(&self) -> Scanning {
        self.progress.scanning(&self.scans)
    }

    /// Scans of this root that are wanted or under way.
    pub fn scans(&self) -> u64 {
        self.scans.load(Ordering::Relaxed)
    }

    /// Asks for a scan.
    pub fn scan(&self, scope: ScanScope) {
        let guard = self.scanning();
        // The guards that are let go do so after the lock.
        let _let_go = self.with(|i| {
            if scope.dir.is_root() || i.folders.len() >= FOLDERS {
                i.whole.get_or_insert(guard);
                std::mem::take(&mut i.folders)
            } else {
                i.folders.entry(scope.dir).or_insert(guard);
                BTreeMap::new()
            }
        });
    }

    /// This folder could not be read to its end: it is wanted again, later each time. `at_fault`:
    /// something is wrong with it, and has been recorded.
    pub fn unfinished(&self, dir: RelPath, at_fault: bool) {
        let now = Instant::now();
        self.with(|i| {
            let patience = if at_fault {
                FIRST_PATIENCE_WITH_FAULTS
            } else {
                FIRST_PATIENCE
            };
            let retry = i.unfinished.entry(dir).or_insert(Retry {
                reported: now,
                due: None,
                patience,
                at_fault,
            });
            (retry.reported, retry.at_fault) = (now, at_fault);
            if retry.due.is_none() {
                retry.due = Some(now + retry.patience);
                retry.patience = (retry.patience * 3 / 2).min(LONGEST_PATIENCE);
            }
        });
    }

    /// What lies at and below this folder has been read, but for what was reported
    /// [`unfinished`](Self::unfinished) since `begun`.
    pub fn finished(&self, dir: &RelPath, begun: Instant) {
        self.with(|i| {
            i.unfinished
                .retain(|other, retry| retry.reported >= begun || !other.is_within(dir));
        });
    }

    /// Folders that could not be read to their end though nothing is wrong with them.
    pub fn left_over(&self) -> usize {
        let inner = self.lock();
        inner.unfinished.values().filter(|r| !r.at_fault).count()
    }

    /// Ends both threads.
    pub fn stop(&self) {
        let _let_go = self.with(|i| {
            i.stop = true;
            (i.whole.take(), std::mem::take(&mut i.folders))
        });
    }

    /// True once [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    /// The root is taken on (false) or let go (true): the folder thread works or ends.
    pub fn set_released(&self, released: bool) {
        let _let_go = self.with(|i| {
            i.released = released;
            if released {
                i.unfinished.clear();
                (i.whole.take(), std::mem::take(&mut i.folders))
            } else {
                (None, BTreeMap::new())
            }
        });
    }

    /// Waits for the main thread's next work, at most `patience`.
    pub fn next(&self, patience: Duration) -> Wanted {
        let end = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if inner.stop {
                return Wanted::Stop;
            }
            let root = RelPath::root();
            let due = inner.unfinished.get_mut(&root).and_then(|r| {
                let due = r.due.filter(|due| *due <= Instant::now());
                due.inspect(|_| r.due = None)
            });
            if let Some(guard) = inner.whole.take() {
                return Wanted::Whole(guard);
            }
            if due.is_some() {
                return Wanted::Whole(self.scanning());
            }
            let retry = inner.unfinished.get(&root).and_then(|r| r.due);
            let until = retry.map_or(end, |at| at.min(end));
            if Instant::now() >= end {
                return Wanted::Nothing;
            }
            inner = self.wait(inner, Some(until));
        }
    }

    /// Waits for folders to scan; those inside another are dropped. `None`: the thread should end.
    pub fn next_folders(&self) -> Option<Vec<(ScanScope, Scanning)>> {
        let mut inner = self.lock();
        loop {
            if inner.stop || inner.released {
                return None;
            }
            let now = Instant::now();
            let mut next = None;
            let mut due = Vec::new();
            for (dir, retry) in inner
                .unfinished
                .iter_mut()
                .filter(|(dir, _)| !dir.is_root())
            {
                match retry.due {
                    Some(at) if at <= now => {
                        retry.due = None;
                        due.push(dir.clone());
                    }
                    Some(at) => next = Some(next.map_or(at, |n: Instant| n.min(at))),
                    None => {}
                }
            }
            for dir in due {
                let guard = self.scanning();
                inner.folders.entry(dir).or_insert(guard);
            }
            if !inner.folders.is_empty() {
                return Some(merged(std::mem::take(&mut inner.folders)));
            }
            inner = self.wait(inner, next);
        }
    }

    fn wait<'a>(
        &'a self,
        inner: std::sync::MutexGuard<'a, Inner>,
        until: Option<Instant>,
    ) -> std::sync::MutexGuard<'a, Inner> {
        let wait = until.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(Instant::now())
        });
        let waited = self.changed.wait_timeout(inner, wait);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Folders in path order, without those inside one that is scanned anyway.
fn merged(folders: BTreeMap<RelPath, Scanning>) -> Vec<(ScanScope, Scanning)> {
    let mut kept: Vec<(ScanScope, Scanning)> = Vec::new();
    for (dir, guard) in folders {
        // In byte order a folder comes before what lies in it, so that one look back would do but
        // for names between; a few are kept in vain, none is lost.
        let inside = kept
            .iter()
            .rev()
            .take(64)
            .any(|(scope, _)| dir.is_within(&scope.dir));
        if !inside {
            kept.push((ScanScope::folder(dir), guard));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted() -> WantedScans {
        WantedScans::new(&Arc::default())
    }

    fn folder(dir: &str) -> ScanScope {
        ScanScope::folder(RelPath::from_bytes(dir))
    }

    #[test]
    fn too_many_folders_are_the_whole_root() {
        let wanted = wanted();
        for i in 0..=FOLDERS {
            wanted.scan(folder(&format!("{i}")));
        }
        assert!(matches!(wanted.next(Duration::ZERO), Wanted::Whole(_)));
        assert!(matches!(wanted.next(Duration::ZERO), Wanted::Nothing));
    }

    #[test]
    fn a_request_is_work_until_its_scan_has_ended() {
        let progress = Arc::<Progress>::default();
        let wanted = WantedScans::new(&progress);
        wanted.scan(ScanScope::whole());
        wanted.scan(ScanScope::whole());
        assert_eq!(progress.scans(), 1);
        let Wanted::Whole(guard) = wanted.next(Duration::ZERO) else {
            panic!("asked in vain");
        };
        assert_eq!(progress.scans(), 1);
        drop(guard);
        wanted.scan(folder("a"));
        wanted.stop();
        assert_eq!(progress.scans(), 0, "nobody waits for a root that ends");
    }

    #[test]
    fn an_unfinished_folder_comes_back_until_it_is_finished() {
        let wanted = wanted();
        let dir = RelPath::from_bytes("a/b");
        let mut waits = Vec::new();
        for _ in 0..2 {
            let asked = Instant::now();
            wanted.unfinished(dir.clone(), false);
            let got = wanted.next_folders().expect("it goes on");
            assert_eq!(got[0].0.dir, dir);
            waits.push(asked.elapsed());
        }
        assert!(waits[0] >= FIRST_PATIENCE && waits[1] >= FIRST_PATIENCE * 3 / 2);
        let begun = Instant::now();
        wanted.unfinished(RelPath::from_bytes("a/c"), false);
        wanted.finished(&RelPath::from_bytes("a"), begun);
        assert_eq!(wanted.left_over(), 1, "what failed in this very scan stays");
        wanted.finished(&RelPath::root(), Instant::now() + Duration::from_secs(60));
        assert_eq!(wanted.left_over(), 0);
    }

    proptest! {
        #[test]
        fn every_request_is_covered(asked in prop::collection::vec("[ab]{1,2}(/[ab]{1,2}){0,3}", 1..40)) {
            let wanted = wanted();
            for dir in &asked {
                wanted.scan(folder(dir));
            }
            let got = wanted.next_folders().expect("there are some");
            for dir in &asked {
                let dir = RelPath::from_bytes(dir.as_bytes());
                prop_assert!(got.iter().any(|(s, _)| dir.is_within(&s.dir)));
            }
        }
    }
}
