//! What a root has been asked to scan: a set that never blocks the asker and never loses a request.
//!
//! Two kinds wait apart, because two threads serve them: the whole root, and single folders (which
//! have just arrived or left, and must not wait behind the first scan of a large root).

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::index::ScanScope;
use crate::photo::RelPath;

/// Folders waiting at once; more are one scan of the whole root.
const FOLDERS: usize = 10_000;

/// The requests of one root.
#[derive(Default)]
pub(super) struct Requests {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    whole: bool,
    /// Folder, and whether it is known to be deleted.
    folders: BTreeSet<(RelPath, bool)>,
    /// The root's threads should end.
    stop: bool,
    /// The root has left: the folder thread should end.
    released: bool,
}

/// What the root's main thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedScans {
    Whole,
    Stop,
    /// Nothing, for as long as was waited.
    Nothing,
}

impl Requests {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        result
    }

    /// Asks for a scan.
    pub fn scan(&self, scope: ScanScope) {
        self.with(|i| {
            if scope.dir.is_root() || i.folders.len() >= FOLDERS {
                i.whole = true;
                i.folders.clear();
            } else {
                i.folders.insert((scope.dir, scope.deletion));
            }
        });
    }

    /// Ends both threads.
    pub fn stop(&self) {
        self.with(|i| i.stop = true);
    }

    /// The root is taken on (false) or let go (true): the folder thread works or ends.
    pub fn set_released(&self, released: bool) {
        self.with(|i| i.released = released);
    }

    /// Waits for the main thread's next work, at most `patience`.
    pub fn next(&self, patience: Duration) -> WantedScans {
        let end = Instant::now() + patience;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if inner.stop {
                return WantedScans::Stop;
            }
            if std::mem::take(&mut inner.whole) {
                return WantedScans::Whole;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return WantedScans::Nothing;
            }
            inner = self
                .changed
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for folders to scan; those inside another are dropped. `None`: the thread should end.
    pub fn next_folders(&self) -> Option<Vec<ScanScope>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if inner.stop || inner.released {
                return None;
            }
            if !inner.folders.is_empty() {
                return Some(merged(std::mem::take(&mut inner.folders)));
            }
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Folders in path order, without those inside one that is scanned anyway.
fn merged(folders: BTreeSet<(RelPath, bool)>) -> Vec<ScanScope> {
    let mut kept: Vec<ScanScope> = Vec::new();
    for (dir, deletion) in folders {
        // In byte order a folder comes before what lies in it, so that one look back per kind
        // would do but for names between; a few are kept in vain, none is lost.
        let inside = kept
            .iter()
            .rev()
            .take(64)
            .any(|k| k.deletion == deletion && dir.is_within(&k.dir));
        if !inside {
            kept.push(ScanScope {
                dir,
                deletion,
                urgent: true,
            });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(dir: &str, deletion: bool) -> ScanScope {
        ScanScope {
            dir: RelPath::from_bytes(dir),
            deletion,
            urgent: true,
        }
    }

    #[test]
    fn too_many_folders_are_the_whole_root() {
        let requests = Requests::default();
        for i in 0..=FOLDERS {
            requests.scan(scope(&format!("{i}"), false));
        }
        assert_eq!(requests.next(Duration::ZERO), WantedScans::Whole);
        assert_eq!(requests.next(Duration::ZERO), WantedScans::Nothing);
    }

    proptest! {
        #[test]
        fn every_request_is_covered(asked in prop::collection::vec(("[ab]{1,2}(/[ab]{1,2}){0,3}", any::<bool>()), 1..40)) {
            let requests = Requests::default();
            for (dir, deletion) in &asked {
                requests.scan(scope(dir, *deletion));
            }
            let got = requests.next_folders().expect("there are some");
            for (dir, deletion) in &asked {
                let dir = RelPath::from_bytes(dir.as_bytes());
                prop_assert!(got.iter().any(|s| s.deletion == *deletion && dir.is_within(&s.dir)));
            }
        }
    }
}
