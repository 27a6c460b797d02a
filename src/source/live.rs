//! The live source: the paths that may have changed, soon after they did.
//!
//! Promises: every change below a followed root leads to an event that covers it, a path, a
//! directory to scan again, or the whole root when something was lost; a file still being written
//! is not reported before it rests; events never block the kernel's queue or notify's thread.
//! Never says that something *has* changed, and never looks into a file.
//!
//! Each root has a thread of its own with its watcher and settler, parked until the next deadline
//! or event, so that a hanging volume holds up nobody else; it is joined on [`LiveSource::stop`].
//! Locks: the table of roots (read by `arm`), and one a root around its watches. The channel to
//! the caller should be bounded: while it is full, events collect in the root's queue, and when
//! that is full they become one rescan.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::error::{ArmError, SourceError};
use super::filter::Filter;
use super::follow::Follower;
use super::settle::SettleConfig;
use super::shared::SharedWatch;
use super::watch::Message;
use super::watched::{Arm, DegradeReason};
use crate::photo::{FileStamp, RelPath};

/// How long [`LiveSource::stop`] waits for a root's thread; one that hangs in a system call on a
/// dead volume is left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Settings of a live source.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// When a file counts as written.
    pub settle: SettleConfig,
    /// Events a root's queue holds before they become a rescan. 65,536, four times the kernel's
    /// own queue and about 10 MB when full.
    pub queue: usize,
    /// How often directories without a watch are scanned.
    pub poll_interval: Duration,
    /// A private directory, outside the roots, where the watcher's life is tested. `None`: no test.
    pub canary_dir: Option<PathBuf>,
    /// How often that is done.
    pub canary_interval: Duration,
    /// How long the watcher may take to notice.
    pub canary_timeout: Duration,
    /// Most directories to watch in one root, to leave watches for other programs. `None`: as
    /// many as the system gives.
    pub max_watches: Option<usize>,
    /// Shortest time between two rebuilds of a root's watcher after lost events.
    pub rebuild_pause: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            settle: SettleConfig::default(),
            queue: 65_536,
            poll_interval: Duration::from_secs(60),
            canary_dir: None,
            canary_interval: Duration::from_secs(30),
            canary_timeout: Duration::from_secs(10),
            max_watches: None,
            rebuild_pause: Duration::from_secs(1),
        }
    }
}

/// What lies at a path that had events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A regular file at rest.
    File(FileStamp),
    /// A directory: no file any more. A [`SourceEvent::Rescan`] covers what is in it.
    Dir,
    /// A link, FIFO, socket or device: no file any more.
    Special,
    /// Nothing: whatever was known at this path or below it is gone.
    Gone,
    /// It cannot be said (permissions, I/O error).
    Unreadable,
}

/// Why a directory has to be scanned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RescanReason {
    /// Events were lost; the watches are new.
    Overflow,
    /// It is new.
    NewDirectory,
    /// It was moved here, or away under its watch.
    Moved,
    /// The watcher failed or died; the watches are new.
    WatcherError,
    /// Its ignore file changed.
    IgnoreFileChanged,
    /// It could not be read before, or cannot be read any more.
    Permissions,
    /// It has no watch, and its time has come.
    Polled,
    /// The root itself was deleted, moved or unmounted.
    RootChanged,
}

/// One hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// This path may have changed.
    Path {
        /// The caller's number of the root.
        root: usize,
        /// The path, a candidate by its name.
        path: RelPath,
        /// What lay there a moment ago.
        found: Found,
    },
    /// Walk this directory and everything below it, arming each directory.
    Rescan {
        /// The caller's number of the root.
        root: usize,
        /// The directory; the empty path is the root.
        dir: RelPath,
        /// Why.
        why: RescanReason,
    },
    /// This directory, with everything below it, was not there when it was looked at. Another of its
    /// name may have come and been scanned before this is heard: look again.
    DirGone {
        /// The caller's number of the root.
        root: usize,
        /// The directory.
        path: RelPath,
    },
    /// From here down (or at least here) changes are found by polling. Said once, until all is
    /// well again; [`LiveSource::health`] has the numbers and the advice.
    WatchDegraded {
        /// The caller's number of the root.
        root: usize,
        /// The first directory concerned.
        dir: RelPath,
        /// Why.
        reason: DegradeReason,
    },
}

/// How well the source sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchHealth {
    /// Directories with a watch.
    pub watched_dirs: usize,
    /// Subtrees that are polled.
    pub polled_dirs: usize,
    /// Times that events were lost.
    pub overflows: u64,
    /// Times that a watcher was found dead or broken.
    pub failures: u64,
    /// Events received.
    pub events: u64,
    /// Watches one user may have, where the system says.
    pub limit: Option<u64>,
    /// Why directories are polled, by root.
    pub degraded: Vec<(usize, DegradeReason)>,
    /// What the user can do about it.
    pub advice: Option<String>,
}

/// How well one root is seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootHealth {
    /// Directories with a watch.
    pub watched: usize,
    /// Subtrees that are polled.
    pub polled: usize,
    /// Their tops.
    pub polled_dirs: Vec<RelPath>,
    /// Times that events were lost.
    pub overflows: u64,
    /// Why directories are polled.
    pub degraded: Option<DegradeReason>,
}

/// See the module.
#[derive(Debug)]
pub struct LiveSource {
    cfg: LiveConfig,
    /// Closed by the stop, which ends whoever listens.
    out: Mutex<Option<Sender<SourceEvent>>>,
    roots: RwLock<HashMap<usize, Root>>,
}

#[derive(Debug)]
struct Root {
    shared: Arc<SharedWatch>,
    wake: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl LiveSource {
    /// A source without roots. Events go to `out`, which should be bounded.
    pub fn start(cfg: LiveConfig, out: Sender<SourceEvent>) -> Self {
        Self {
            cfg,
            out: Mutex::new(Some(out)),
            roots: RwLock::default(),
        }
    }

    /// Follows the root at `path` under the caller's number `id`. Nothing is watched until
    /// directories are [armed](Self::arm) (on macOS all of it is, at once). A system that gives
    /// no watcher is no error: the root is polled.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the number is taken, or a thread cannot be started.
    pub fn add_root(&self, id: usize, path: &Path, filter: Arc<Filter>) -> Result<(), SourceError> {
        let root = std::path::absolute(path).map_err(|source| SourceError::Absolute {
            root: path.into(),
            source,
        })?;
        let out = self
            .out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(out) = out else {
            return Ok(());
        };
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        if roots.contains_key(&id) {
            return Err(SourceError::Duplicate { id, root });
        }
        let (wake, queue) = crossbeam_channel::bounded(self.cfg.queue.max(1));
        let shared = Arc::new(SharedWatch::new(&root, &self.cfg));
        let follower = Follower::new(
            id,
            root.clone(),
            filter,
            self.cfg.clone(),
            Arc::clone(&shared),
            (wake.clone(), queue),
            out,
        );
        let thread = std::thread::Builder::new()
            .name(format!("source-{id}"))
            .spawn(move || follower.run())
            .map_err(|source| SourceError::Thread { root, source })?;
        roots.insert(
            id,
            Root {
                shared,
                wake,
                thread: Some(thread),
            },
        );
        Ok(())
    }

    /// Stops following a root. Events already sent stay in the channel.
    pub fn remove_root(&self, id: usize) {
        let root = self
            .roots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        if let Some(mut root) = root {
            root.tell_to_stop();
            root.join(Instant::now() + STOP_PATIENCE);
        }
    }

    /// Watches one directory, before its entries are read. The scanner calls this from
    /// [`WalkEvent::Dir`](super::WalkEvent::Dir); it costs next to nothing when the directory is
    /// watched already. Whoever calls it must read the directory afterwards.
    ///
    /// # Errors
    ///
    /// [`ArmError`]: unknown root, or a directory that is gone or cannot be read. None of them
    /// need stop a walk.
    pub fn arm(&self, id: usize, dir: &RelPath) -> Result<Arm, ArmError> {
        let (shared, wake) = {
            let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
            let root = roots.get(&id).ok_or(ArmError::UnknownRoot(id))?;
            (Arc::clone(&root.shared), root.wake.clone())
        };
        let armed = shared.with_watched(|w| w.arm(dir));
        if !matches!(armed, Ok(Arm::Already | Arm::Watched)) {
            // The thread tells the caller; this call must not wait for room in that channel.
            let _ = wake.try_send(Message::Wake);
        }
        armed
    }

    /// Something in `dir` could not be looked at for want of permission: a change of that is an event
    /// from now on. True if there was one just now: look again.
    pub fn refused(&self, id: usize, dir: &RelPath) -> bool {
        let shared = {
            let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
            roots.get(&id).map(|root| Arc::clone(&root.shared))
        };
        shared.is_some_and(|shared| shared.with_watched(|w| w.refuse(dir)))
    }

    /// How well the source sees at the moment. Takes no root's lock.
    pub fn health(&self) -> WatchHealth {
        let mut health = WatchHealth {
            limit: watch_limit(),
            ..WatchHealth::default()
        };
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        for (id, root) in roots.iter() {
            let shared = &root.shared;
            health.watched_dirs += shared.armed.load(Ordering::Relaxed);
            health.polled_dirs += shared.polled.load(Ordering::Relaxed);
            health.overflows += shared.overflows.load(Ordering::Relaxed);
            health.failures += shared.failures.load(Ordering::Relaxed);
            health.events += shared.signals().events.load(Ordering::Relaxed);
            if let Some(reason) = shared.degraded() {
                health.degraded.push((*id, reason));
            }
        }
        health.degraded.sort_by_key(|(id, _)| *id);
        health.advice = health
            .degraded
            .iter()
            .find_map(|(_, why)| advice(why, health.limit));
        health
    }

    /// True while a root's thread lives; it ends only when it is told to, unless something is broken.
    pub fn is_alive(&self, id: usize) -> bool {
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        let thread = roots.get(&id).and_then(|root| root.thread.as_ref());
        thread.is_some_and(|thread| !thread.is_finished())
    }

    /// How well one root is seen; `None`: it is not followed.
    pub fn health_of(&self, id: usize) -> Option<RootHealth> {
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        let shared = &roots.get(&id)?.shared;
        Some(RootHealth {
            watched: shared.armed.load(Ordering::Relaxed),
            polled: shared.polled.load(Ordering::Relaxed),
            polled_dirs: shared.polled_dirs(),
            overflows: shared.overflows.load(Ordering::Relaxed),
            degraded: shared.degraded(),
        })
    }

    /// Ends all threads, joins them, and closes the channel of events. Nothing is followed from
    /// then on.
    pub fn stop(&self) {
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let roots =
            std::mem::take(&mut *self.roots.write().unwrap_or_else(PoisonError::into_inner));
        for root in roots.values() {
            root.tell_to_stop();
        }
        let end = Instant::now() + STOP_PATIENCE;
        for mut root in roots.into_values() {
            root.join(end);
        }
    }

    /// The signals of a root, to play the kernel in tests.
    #[cfg(test)]
    pub(super) fn signals(&self, id: usize) -> Arc<super::watch::Signals> {
        Arc::clone(
            self.roots.read().unwrap_or_else(PoisonError::into_inner)[&id]
                .shared
                .signals(),
        )
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Root {
    fn tell_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.wake.try_send(Message::Wake);
    }

    fn join(&mut self, end: Instant) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        while !thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            let _ = thread.join();
        } else {
            tracing::warn!(thread = ?thread.thread().name(), "left behind: its volume hangs");
        }
    }
}

/// inotify watches a user may have.
fn watch_limit() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches")
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// What the user can do about directories without a watch.
fn advice(why: &DegradeReason, limit: Option<u64>) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    match why {
        DegradeReason::WatchLimit => {
            // 1,048,576 is what current kernels choose by themselves on machines with memory.
            let more = limit.map_or(1_048_576, |l| (l * 2).max(1_048_576));
            Some(format!("sudo sysctl fs.inotify.max_user_watches={more}"))
        }
        DegradeReason::NoWatcher(_) => {
            Some("sudo sysctl fs.inotify.max_user_instances=1024".to_owned())
        }
        DegradeReason::PathTooLong | DegradeReason::RootGone | DegradeReason::Other(_) => None,
    }
}

#[cfg(test)]
mod tests;
