//! Which directories of a root are watched and which are polled.
//!
//! The one table that says so, behind the root's lock: the scanner arms directories from its
//! thread, the root's own thread forgets them when their names are taken away. A name is in the
//! table from the moment its watch is real until an event takes the name away, never longer, so
//! "already watched" can be believed: whoever armed it reads its entries after that.
//!
//! notify has a table of its own, which it changes as it reads the events, and a name that is in it
//! is not watched again. The two must not part: an event may be old by the time it is heard here, of
//! a directory that lay under the name before. So each watch knows which events were delivered
//! before it was set, and those do not end it.
//!
//! Out of watches is no error: the directory is polled, and with it everything below, without
//! another try until the next poll. The lock is held during one call into notify; never while
//! an event is sent to the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use super::error::{ArmError, is_gone};
use super::watch::{RECURSIVE, Signals, WatchFailure, Watcher};
use crate::photo::RelPath;

/// Polled directories listed one by one; beyond that the whole root is polled.
const POLLED_LIMIT: usize = 64;

/// Watches to remove one by one; each costs notify a look through all of them, so that beyond
/// this a new watcher is cheaper.
const UNWATCH_LIMIT: usize = 256;

/// What arming did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// Watched from now on.
    Watched,
    /// It was watched already.
    Already,
    /// Not watched: it is rescanned from time to time.
    Polled,
}

/// Why a directory is polled instead of watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DegradeReason {
    /// The system, or the configuration, gives no more watches.
    WatchLimit,
    /// The system gave no watcher at all (out of instances, not supported).
    NoWatcher(String),
    /// Its path is longer than the system takes.
    PathTooLong,
    /// The root is not there to be watched.
    RootGone,
    /// Anything else, in the system's words.
    Other(String),
}

impl std::fmt::Display for DegradeReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WatchLimit => f.write_str("there are no more watches"),
            Self::NoWatcher(why) => write!(f, "no watcher could be started: {why}"),
            Self::PathTooLong => f.write_str("the path is too long to be watched"),
            Self::RootGone => f.write_str("the folder is not there"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// The numbers of the last events delivered before notify was asked for a watch, and after it had
/// answered. What came in between may be older than the watch or not.
#[derive(Debug, Clone, Copy)]
struct SetAt {
    before: u64,
    after: u64,
}

/// Why a name is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// An event of this number took it away, which notify has seen too.
    Event(u64),
    /// An event of this number, at which notify keeps its watches.
    EventUnseen(u64),
    /// We do not want to watch it any more.
    Ours,
}

/// What [`Watched::forget`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgot {
    Nothing,
    Some,
    /// So many watches that the watcher has to be built anew.
    TooMany,
}

/// The state of a polled subtree.
#[derive(Debug, Clone, Copy)]
struct Polling {
    /// A scan has been asked for since, and may try to watch again.
    retry: bool,
    /// Something in it could not be watched since the last scan was asked for.
    failed: bool,
}

/// The watches of one root.
#[derive(Debug)]
pub(super) struct Watched {
    root: PathBuf,
    watcher: Option<Watcher>,
    signals: Arc<Signals>,
    armed: BTreeMap<RelPath, SetAt>,
    /// Directories in which something could not be looked at for want of permission: that they leave
    /// is news even if they are not watched, and so is any change of their permissions.
    refused: BTreeSet<RelPath>,
    polled: BTreeMap<RelPath, Polling>,
    /// Most directories to watch, if the user set a bound.
    max: usize,
    /// Why polling began, until somebody has been told.
    news: Vec<(RelPath, DegradeReason)>,
    /// Polling has been reported and has not ended since.
    reported: bool,
    /// The watcher's thread is gone.
    pub(super) dead: bool,
}

impl Watched {
    pub(super) fn new(root: &Path, max: Option<usize>, signals: &Arc<Signals>) -> Self {
        Self {
            root: root.to_path_buf(),
            watcher: None,
            signals: Arc::clone(signals),
            armed: BTreeMap::new(),
            refused: BTreeSet::new(),
            polled: BTreeMap::new(),
            max: max.unwrap_or(usize::MAX),
            news: Vec::new(),
            reported: false,
            dead: false,
        }
    }

    /// Puts a new watcher, or none, in the place of the old and watches again what was watched.
    pub(super) fn install(&mut self, watcher: Result<Watcher, String>) {
        let before = std::mem::take(&mut self.armed);
        self.polled.clear();
        self.dead = false;
        self.watcher = None;
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(why) => return self.poll(RelPath::root(), DegradeReason::NoWatcher(why)),
        }
        if RECURSIVE {
            let _ = self.arm(&RelPath::root());
            return;
        }
        for dir in before.keys() {
            let _ = self.arm(dir);
        }
    }

    /// Watches a directory that is no part of the root: the canary's.
    pub(super) fn watch_canary(&mut self, dir: &Path) -> bool {
        self.watcher
            .as_mut()
            .is_some_and(|w| w.watch(dir, false).is_ok())
    }

    /// Makes sure that `dir` is watched, or polled. Cheap if it is already.
    pub(super) fn arm(&mut self, dir: &RelPath) -> Result<Arm, ArmError> {
        let known = if RECURSIVE { &RelPath::root() } else { dir };
        if self.armed.contains_key(known) {
            return Ok(Arm::Already);
        }
        let above = self.polled.iter_mut().find(|(top, _)| dir.is_within(top));
        if let Some((_, polling)) = above
            && !polling.retry
        {
            polling.failed = true;
            return Ok(Arm::Polled);
        }
        let path = known.under(&self.root);
        let before = self.signals.events.load(Ordering::Acquire);
        let failed = match self.try_watch(&path, known.is_root()) {
            Ok(()) => {
                let after = self.signals.events.load(Ordering::Acquire);
                self.armed.insert(known.clone(), SetAt { before, after });
                tracing::trace!(dir = ?known, before, after, "watched");
                return Ok(Arm::Watched);
            }
            Err(failed) => failed,
        };
        let reason = match failed {
            WatchFailure::Gone => {
                if !dir.is_root() {
                    self.polled.remove(dir);
                }
                return Err(ArmError::Gone { path });
            }
            WatchFailure::Unreadable(source) => {
                self.refused.insert(dir.clone());
                return Err(ArmError::Unreadable { path, source });
            }
            WatchFailure::Limit => DegradeReason::WatchLimit,
            WatchFailure::TooLong => DegradeReason::PathTooLong,
            WatchFailure::Other(why) => DegradeReason::Other(why),
            WatchFailure::Dead => {
                self.dead = true;
                DegradeReason::Other("the watcher has died and is started again".into())
            }
        };
        self.poll(dir.clone(), reason);
        Ok(Arm::Polled)
    }

    fn try_watch(&mut self, path: &Path, follow: bool) -> Result<(), WatchFailure> {
        let Some(watcher) = self.watcher.as_mut() else {
            return Err(WatchFailure::Other("there is no watcher".into()));
        };
        if self.armed.len() >= self.max {
            return Err(WatchFailure::Limit);
        }
        // A directory that can be listed but not entered can be watched, but nothing in it can be
        // looked at: leaving it unwatched lets the change of its permissions be noticed.
        match accessible(path) {
            Ok(()) => watcher.watch(path, follow),
            Err(e) if is_gone(e) => Err(WatchFailure::Gone),
            Err(Errno::NAMETOOLONG) => Err(WatchFailure::TooLong),
            Err(e) => Err(WatchFailure::Unreadable(e.into())),
        }
    }

    /// Polls `dir` and everything below it from now on.
    pub(super) fn poll(&mut self, dir: RelPath, reason: DegradeReason) {
        if !self.reported {
            self.reported = true;
            self.news.push((dir.clone(), reason.clone()));
        }
        if let Some((_, polling)) = self.polled.iter_mut().find(|(top, _)| dir.is_within(top)) {
            polling.failed = true;
            // No use in trying again for each directory below when there are no watches at all.
            polling.retry &= !matches!(reason, DegradeReason::WatchLimit);
            return;
        }
        let dir = if self.polled.len() >= POLLED_LIMIT {
            RelPath::root()
        } else {
            dir
        };
        self.polled.retain(|other, _| !other.is_within(&dir));
        self.polled.insert(
            dir,
            Polling {
                retry: false,
                failed: true,
            },
        );
    }

    /// The directories to scan now, those left out in which everything has been watched since
    /// the last time. None: polling is over.
    pub(super) fn next_poll(&mut self) -> Vec<RelPath> {
        let armed = &self.armed;
        self.polled
            .retain(|top, polling| polling.failed || !armed.contains_key(top));
        for polling in self.polled.values_mut() {
            *polling = Polling {
                retry: true,
                failed: false,
            };
        }
        self.reported &= !self.polled.is_empty();
        self.polled.keys().cloned().collect()
    }

    /// The directories that are polled, each with all below it.
    pub(super) fn polled_dirs(&self) -> Vec<RelPath> {
        self.polled.keys().cloned().collect()
    }

    /// True if the system gave no watcher.
    pub(super) fn has_no_watcher(&self) -> bool {
        self.watcher.is_none()
    }

    /// What has to be told to the caller.
    pub(super) fn take_news(&mut self) -> Vec<(RelPath, DegradeReason)> {
        std::mem::take(&mut self.news)
    }

    /// True if a watch on this very directory is known to be real.
    pub(super) fn is_armed(&self, dir: &RelPath) -> bool {
        !RECURSIVE && self.armed.contains_key(dir)
    }

    /// Something in this directory could not be looked at for want of permission. True if it can be
    /// entered by now: then no event will say so any more.
    pub(super) fn refuse(&mut self, dir: &RelPath) -> bool {
        let mended = accessible(&dir.under(&self.root)).is_ok();
        if !mended {
            self.refused.insert(dir.clone());
        }
        mended
    }

    /// Whether something at or below this directory was refused; that is asked once.
    pub(super) fn take_refused(&mut self, dir: &RelPath) -> bool {
        let before = self.refused.len();
        self.refused.retain(|other| !other.is_within(dir));
        self.refused.len() < before
    }

    /// Forgets the watches on a name that was taken away and on everything below it.
    pub(super) fn forget(&mut self, dir: &RelPath, because: Because) -> Forgot {
        let before = self.polled.len();
        self.polled
            .retain(|other, _| other.is_root() || !other.is_within(dir));
        let refused = self.take_refused(dir);
        let unwatched = refused || self.polled.len() < before;
        let below = self.armed_within(dir);
        if below.is_empty() {
            return if unwatched {
                Forgot::Some
            } else {
                Forgot::Nothing
            };
        }
        // notify ends what lies below a name that it watches, and only then.
        let top = self.armed.get(dir).map(|set| set.after);
        let by_notify = |number| top.is_some_and(|set| number > set);
        let ended = |set: &SetAt| match because {
            Because::Event(number) | Because::EventUnseen(number) if number <= set.before => None,
            Because::Event(number) => Some(!by_notify(number) || number <= set.after),
            Because::EventUnseen(_) | Because::Ours => Some(true),
        };
        let gone: Vec<(RelPath, bool)> = below
            .into_iter()
            .filter_map(|path| {
                let unwatch = ended(self.armed.get(&path)?)?;
                Some((path, unwatch))
            })
            .collect();
        let too_many = gone.iter().filter(|(_, unwatch)| *unwatch).count() > UNWATCH_LIMIT;
        for (path, unwatch) in gone {
            tracing::trace!(dir = ?path, unwatch, ?because, "watched no more");
            self.armed.remove(&path);
            if let Some(watcher) = self.watcher.as_mut().filter(|_| unwatch && !too_many) {
                watcher.unwatch(&path.under(&self.root));
            }
        }
        if too_many {
            Forgot::TooMany
        } else {
            Forgot::Some
        }
    }

    fn armed_within(&self, dir: &RelPath) -> Vec<RelPath> {
        if dir.is_root() {
            return self.armed.keys().cloned().collect();
        }
        let mut first = dir.as_bytes().to_vec();
        let mut end = first.clone();
        first.push(b'/');
        end.push(b'/' + 1);
        let below = (
            Bound::Included(RelPath::from_bytes(first)),
            Bound::Excluded(RelPath::from_bytes(end)),
        );
        let itself = self.armed.get_key_value(dir).into_iter();
        let all = itself.chain(self.armed.range(below));
        all.map(|(path, _)| path.clone()).collect()
    }

    /// The watched directories that are left out by now.
    pub(super) fn armed_where(
        &self,
        dir: &RelPath,
        out: impl Fn(&RelPath) -> bool,
    ) -> Vec<RelPath> {
        self.armed_within(dir)
            .into_iter()
            .filter(|d| out(d))
            .collect()
    }

    /// How many directories are watched and how many are polled.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.armed.len(), self.polled.len())
    }
}

/// Whether this process can list and enter a directory.
pub(super) fn accessible(dir: &Path) -> Result<(), Errno> {
    accessat(
        CWD,
        dir,
        Access::READ_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    )
}
