//! One root's `notify` watcher, reduced to what photond needs.
//!
//! The callback runs on notify's thread. It never blocks and does no I/O: it turns an event into
//! a [`Raw`] and offers it to a bounded queue; if that is full it raises a flag, which means "all
//! bets are off, scan the root". The event mask leaves out open, read and close-after-read, so
//! that our own reading causes no events at all.
//!
//! One watcher (one inotify instance) a root: an overflow, a hanging network volume or a rebuild
//! of one root leaves the others alone, and a root is dropped by dropping its watcher.
//!
//! Traps of notify 9.0.0-rc.7 handled here: watching a path twice is a no-op even if another
//! directory lies there by now (so [`Watched`](super::watched::Watched) decides what is watched,
//! and forgets on every removal); after a queue overflow its tables may lie (so the watcher is
//! thrown away); dropping a watcher whose thread has died panics (so it is leaked). A thread that
//! dies drops its callback, which is how that is noticed at once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};
use notify::{
    Config, ErrorKind, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode,
    WatchPathConfig, Watcher as _,
};

use super::error::is_gone;
use crate::photo::RelPath;

/// Whether one watch covers everything below a root (FSEvents) or one directory (inotify).
pub(super) const RECURSIVE: bool = cfg!(target_os = "macos");

/// What happened, as far as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Written,
    Closed,
    Touched,
    /// A file was deleted; as everything that takes a name away, it ends a watch on that name.
    Removed,
    DirCreated,
    DirRemoved,
    /// Renamed away; file or directory.
    MovedFrom,
    /// Renamed to here; file or directory.
    MovedTo,
    /// A watched directory was renamed; reported by its own watch under its old name.
    SelfMoved,
    Unmounted,
}

/// One event on one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) what: What,
    pub(super) path: RelPath,
    /// Which of all events delivered this is, from 1.
    pub(super) number: u64,
}

/// What wakes the thread that owns a root.
#[derive(Debug)]
pub(super) enum Message {
    Event(Raw),
    /// Look at the flags.
    Wake,
}

/// What the callback and the thread share.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Events were lost, here or in the kernel.
    pub(super) overflow: AtomicBool,
    /// The watcher reported an error or is gone.
    pub(super) broken: AtomicBool,
    /// Events delivered, the canary's own not counted.
    pub(super) events: AtomicU64,
    /// The canary's file was seen to change.
    pub(super) canary_seen: AtomicBool,
    /// Makes the callback panic, as a bug in it would: for tests.
    #[cfg(test)]
    pub(super) die: AtomicBool,
}

/// Why a directory is not watched.
#[derive(Debug)]
pub(super) enum WatchFailure {
    /// No watches left.
    Limit,
    Gone,
    Unreadable(io::Error),
    /// Longer than the system takes in one piece.
    TooLong,
    /// The watcher's thread is gone.
    Dead,
    Other(String),
}

/// A running watcher.
#[derive(Debug)]
pub(super) struct Watcher {
    inner: Option<RecommendedWatcher>,
    life: Arc<Life>,
}

/// Whether a watcher's thread lives.
#[derive(Debug, Default)]
struct Life {
    /// It has been started and not been ended by us: the end of its callback is a failure. (A
    /// watcher the system refuses to start drops its callback too.)
    running: AtomicBool,
    /// Its callback has been dropped.
    over: AtomicBool,
}

impl Watcher {
    /// Starts a watcher for the root at the absolute path `root` that watches nothing yet.
    pub(super) fn start(
        root: &Path,
        canary: Option<PathBuf>,
        queue: Sender<Message>,
        signals: Arc<Signals>,
    ) -> Result<Self, String> {
        let kinds = EventKindMask::CORE | EventKindMask::ACCESS_CLOSE;
        let config = Config::default()
            .with_event_kinds(kinds)
            .with_follow_symlinks(false);
        let life = Arc::<Life>::default();
        let root = root.to_path_buf();
        let sink = Sink {
            root,
            canary,
            queue,
            signals,
            life: Arc::clone(&life),
        };
        let handler = move |event| sink.take(event);
        match RecommendedWatcher::new(handler, config) {
            Ok(inner) => {
                life.running.store(true, Ordering::Release);
                Ok(Self {
                    inner: Some(inner),
                    life,
                })
            }
            Err(e) => Err(e.to_string()),
        }
    }

    /// Watches one directory. `follow` if the path itself may be a link (the root).
    pub(super) fn watch(&mut self, dir: &Path, follow: bool) -> Result<(), WatchFailure> {
        let mode = if RECURSIVE {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        let config = WatchPathConfig::new(mode).with_dereference_symlinks(follow);
        let Some(inner) = self.inner.as_mut() else {
            return Err(WatchFailure::Dead);
        };
        inner.watch_with(dir, config).map_err(|e| match failure(e) {
            WatchFailure::Other(_) if self.life.over.load(Ordering::Acquire) => WatchFailure::Dead,
            other => other,
        })
    }

    /// Ends the watch on one path; not being watched is fine.
    pub(super) fn unwatch(&mut self, dir: &Path) {
        if let Some(inner) = self.inner.as_mut() {
            let _ = inner.unwatch(dir);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        self.life.running.store(false, Ordering::Release);
        if self.life.over.load(Ordering::Acquire) {
            // Its own drop would panic. The thread's unwinding has closed what it held; the end
            // of a channel is all that leaks.
            std::mem::forget(inner);
        } else {
            // It may die this very moment.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(inner)));
        }
    }
}

fn failure(e: notify::Error) -> WatchFailure {
    use rustix::io::Errno;
    match e.kind {
        ErrorKind::MaxFilesWatch => WatchFailure::Limit,
        ErrorKind::PathNotFound => WatchFailure::Gone,
        ErrorKind::Io(e) => match Errno::from_io_error(&e) {
            Some(e) if is_gone(e) => WatchFailure::Gone,
            Some(Errno::ACCESS | Errno::PERM) => WatchFailure::Unreadable(e),
            Some(Errno::NAMETOOLONG) => WatchFailure::TooLong,
            Some(Errno::NOSPC) => WatchFailure::Limit,
            _ => WatchFailure::Other(e.to_string()),
        },
        other => WatchFailure::Other(format!("{other:?}")),
    }
}

/// The callback's side.
struct Sink {
    root: PathBuf,
    canary: Option<PathBuf>,
    queue: Sender<Message>,
    signals: Arc<Signals>,
    life: Arc<Life>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.life.over.store(true, Ordering::Release);
        if self.life.running.load(Ordering::Acquire) {
            self.raise(&self.signals.broken);
        }
    }
}

impl Sink {
    fn take(&self, event: notify::Result<Event>) {
        #[cfg(test)]
        assert!(
            !self.signals.die.load(Ordering::Relaxed),
            "told to die by a test"
        );
        if !self.life.running.load(Ordering::Acquire) {
            // Another watcher has taken its place and watches what this one did.
            return;
        }
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(root = %self.root.display(), %error, "the watcher reports an error");
                return self.raise(&self.signals.broken);
            }
        };
        if event.need_rescan() {
            return self.raise(&self.signals.overflow);
        }
        let Some(what) = meaning(&event) else { return };
        for path in &event.paths {
            if self
                .canary
                .as_ref()
                .is_some_and(|dir| path.starts_with(dir))
            {
                self.signals.canary_seen.store(true, Ordering::Release);
            } else if let Some(path) = RelPath::below(&self.root, path) {
                // One thread counts: notify's.
                let number = self.signals.events.fetch_add(1, Ordering::AcqRel) + 1;
                if self
                    .queue
                    .try_send(Message::Event(Raw { what, path, number }))
                    .is_err()
                {
                    self.raise(&self.signals.overflow);
                }
            }
        }
    }

    fn raise(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::Release);
        // A full queue needs no waking: its reader is on its way.
        let _ = self.queue.try_send(Message::Wake);
    }
}

/// What an event means; `None` for those that say nothing new.
fn meaning(event: &Event) -> Option<What> {
    Some(match event.kind {
        EventKind::Create(CreateKind::Folder) => What::DirCreated,
        EventKind::Create(_) => What::Written,
        EventKind::Modify(ModifyKind::Data(_)) => What::Written,
        EventKind::Modify(ModifyKind::Metadata(_)) => What::Touched,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => What::Closed,
        EventKind::Access(_) => return None,
        EventKind::Modify(ModifyKind::Name(mode)) => match mode {
            // A directory's own watch says so without the tracker that pairs the two names.
            RenameMode::From if event.tracker().is_none() => What::SelfMoved,
            RenameMode::From => What::MovedFrom,
            // Both names have had events of their own.
            RenameMode::Both => return None,
            // FSEvents does not say which end this is: a look tells.
            RenameMode::To | RenameMode::Any | RenameMode::Other => What::MovedTo,
        },
        EventKind::Modify(_) => What::Touched,
        EventKind::Remove(RemoveKind::Folder) => What::DirRemoved,
        EventKind::Remove(RemoveKind::Other) if event.info() == Some("unmount") => What::Unmounted,
        EventKind::Remove(_) => What::Removed,
        EventKind::Any | EventKind::Other => What::Touched,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sink(capacity: usize) -> (Sink, crossbeam_channel::Receiver<Message>) {
        let (queue, rx) = crossbeam_channel::bounded(capacity);
        let canary = Some(PathBuf::from("/data/canary"));
        let (signals, life) = (Arc::default(), Arc::<Life>::default());
        life.running.store(true, Ordering::Release);
        (
            Sink {
                root: "/photos".into(),
                canary,
                queue,
                signals,
                life,
            },
            rx,
        )
    }

    fn written(path: &str) -> notify::Result<Event> {
        Ok(Event::new(EventKind::Create(CreateKind::File)).add_path(path.into()))
    }

    #[test]
    fn a_full_queue_raises_the_flag_and_does_not_wait() {
        let (sink, rx) = sink(2);
        for i in 0..5 {
            sink.take(written(&format!("/photos/{i}")));
        }
        assert!(sink.signals.overflow.load(Ordering::Acquire));
        assert_eq!(rx.len(), 2);
    }

    #[test]
    fn the_canary_and_foreign_paths_are_no_events() {
        let (sink, rx) = sink(9);
        sink.take(written("/data/canary/beat"));
        sink.take(written("/elsewhere/a.jpg"));
        assert!(sink.signals.canary_seen.load(Ordering::Acquire));
        assert!(rx.is_empty());
        assert_eq!(sink.signals.events.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_kernel_overflow_and_an_error_wake_the_thread() {
        let (sink, rx) = sink(9);
        sink.take(Ok(
            Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)
        ));
        assert!(sink.signals.overflow.load(Ordering::Acquire));
        sink.take(Err(notify::Error::generic("x")));
        assert!(sink.signals.broken.load(Ordering::Acquire));
        assert_eq!(rx.len(), 2);
    }

    #[test]
    fn the_two_ends_of_a_rename_and_a_moved_watch_are_told_apart() {
        let name = |m| Event::new(EventKind::Modify(ModifyKind::Name(m)));
        let from = name(RenameMode::From);
        assert_eq!(meaning(&from.clone().set_tracker(7)), Some(What::MovedFrom));
        assert_eq!(meaning(&from), Some(What::SelfMoved));
        assert_eq!(meaning(&name(RenameMode::To)), Some(What::MovedTo));
        assert_eq!(meaning(&name(RenameMode::Both)), None);
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert_eq!(meaning(&Event::new(read)), None);
    }

    #[test]
    fn only_the_unexpected_end_of_a_running_watcher_is_a_failure() {
        for running in [false, true] {
            let (sink, rx) = sink(9);
            let (signals, life) = (Arc::clone(&sink.signals), Arc::clone(&sink.life));
            life.running.store(running, Ordering::Release);
            drop(sink);
            assert_eq!(signals.broken.load(Ordering::Acquire), running);
            assert_eq!(rx.len(), usize::from(running));
            assert!(life.over.load(Ordering::Acquire));
        }
    }
}
