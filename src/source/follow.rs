//! The thread of one followed root: from raw events to hints.
//!
//! One turn of its loop: take what is in the queue (or sleep to the next deadline), sort it into
//! paths, which go to the settler, and directories; then ask the file system what the directories
//! are now, and say so. Judging directories after the whole batch, by what is there, makes the
//! order of events within it irrelevant: a directory that was moved, made and removed again is
//! either there (scan it) or not (it is gone).
//!
//! Lost events throw the watcher away: a new one watches everything that was watched, and then
//! the root is scanned. That happens at most once in `rebuild_pause`; until then events are
//! discarded, since the scan will cover them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};

use super::canary::{Canary, CanaryVerdict};
use super::filter::{Filter, is_rule_file};
use super::live::{LiveConfig, RescanReason, SourceEvent};
use super::open::{Probe, probe};
use super::settle::{Hint, Settler};
use super::shared::SharedWatch;
use super::watch::{Message, Raw, Watcher, What};
use super::watched::{Because, DegradeReason, Forgot, Watched};
use crate::photo::RelPath;

/// Messages taken in one turn, so that a storm does not keep settled paths waiting.
const BATCH: usize = 4096;

/// How often a thread that waits for room in the caller's channel looks whether it is to stop.
const STOP_LOOK: Duration = Duration::from_millis(50);

mod report;

/// See the module.
pub(super) struct Follower {
    id: usize,
    root: PathBuf,
    filter: Arc<Filter>,
    cfg: LiveConfig,
    shared: Arc<SharedWatch>,
    wake: Sender<Message>,
    queue: Receiver<Message>,
    out: Sender<SourceEvent>,
    settler: Settler<RelPath>,
    /// Directories to judge at the end of this turn.
    dirs: BTreeMap<RelPath, RescanReason>,
    canary: Canary,
    next_poll: Option<Instant>,
    /// Events were lost: when, and why, the watcher is built anew.
    rebuild: Option<(Instant, RescanReason)>,
    last_rebuild: Option<Instant>,
}

impl Follower {
    pub(super) fn new(
        id: usize,
        root: PathBuf,
        filter: Arc<Filter>,
        cfg: LiveConfig,
        shared: Arc<SharedWatch>,
        (wake, queue): (Sender<Message>, Receiver<Message>),
        out: Sender<SourceEvent>,
    ) -> Self {
        let canary_dir = cfg
            .canary_dir
            .as_ref()
            .map(|dir| dir.join(format!("root-{id}")));
        let canary = Canary::new(canary_dir, cfg.canary_interval, cfg.canary_timeout);
        let mut follower = Self {
            id,
            root,
            filter,
            settler: Settler::new(cfg.settle),
            cfg,
            shared,
            wake,
            queue,
            out,
            dirs: BTreeMap::new(),
            canary,
            next_poll: None,
            rebuild: None,
            last_rebuild: None,
        };
        follower.install_watcher();
        follower
    }

    /// Runs until it is told to stop or nobody listens any more.
    pub(super) fn run(mut self) {
        while !self.stopped() {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.take_messages();
        let now = Instant::now();
        self.look_at_flags(now);
        if let Some((at, why)) = self.rebuild {
            if now < at {
                return;
            }
            self.rebuild_watcher(why);
        }
        self.settle(now);
        self.judge_dirs();
        if self.canary.look(now, self.shared.signals()) == CanaryVerdict::Dead {
            tracing::warn!(root = %self.root.display(), "the watcher is dead and is started again");
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            self.rebuild_watcher(RescanReason::WatcherError);
        }
        self.poll(now);
        self.tell_news();
    }

    /// Sleeps until there is something to do, and takes the messages there are.
    fn take_messages(&mut self) {
        let deadlines = [
            self.settler
                .next_deadline()
                .filter(|_| self.rebuild.is_none()),
            self.canary.deadline().filter(|_| self.rebuild.is_none()),
            self.next_poll.filter(|_| self.rebuild.is_none()),
            self.rebuild.map(|(at, _)| at),
        ];
        let first = match deadlines.into_iter().flatten().min() {
            Some(at) => self.queue.recv_deadline(at).ok(),
            None => self.queue.recv().ok(),
        };
        let Some(first) = first else { return };
        self.take(first);
        for _ in 1..BATCH {
            match self.queue.try_recv() {
                Ok(message) => self.take(message),
                Err(_) => break,
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            // What is lost anyway need not be looked at.
            Message::Event(event) if self.rebuild.is_none() => self.sort(event),
            Message::Event(_) | Message::Wake => {}
        }
    }

    fn look_at_flags(&mut self, now: Instant) {
        let signals = self.shared.signals();
        let lost = signals.overflow.swap(false, Ordering::AcqRel);
        let broken = signals.broken.swap(false, Ordering::AcqRel)
            || self.shared.with_watched(|w| std::mem::take(&mut w.dead));
        if lost && self.rebuild.is_none() {
            self.shared.overflows.fetch_add(1, Ordering::Relaxed);
        }
        if broken {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
        }
        if lost || broken {
            let why = if lost {
                RescanReason::Overflow
            } else {
                RescanReason::WatcherError
            };
            self.lose_events(now, why);
        }
    }

    /// Plans a new watcher, and a scan of everything, as soon as the last is old enough.
    fn lose_events(&mut self, now: Instant, why: RescanReason) {
        let earliest = self
            .last_rebuild
            .map_or(now, |last| last + self.cfg.rebuild_pause);
        if self.rebuild.is_none() {
            self.rebuild = Some((earliest.max(now), why));
        }
        self.settler.retain(|_| false);
        self.dirs.clear();
    }

    /// What one event means for the settler, the directories and the watches.
    fn sort(&mut self, event: Raw) {
        let Raw { what, path, number } = event;
        tracing::trace!(?what, ?path, number, "event");
        let seen = Because::Event(number);
        let unseen = Because::EventUnseen(number);
        if path.is_root() {
            if what == What::Touched {
                self.note(path, Hint::Doubt);
            } else if !matches!(what, What::Written | What::Closed) {
                self.shared.with_watched(|w| {
                    w.forget(&path, unseen);
                    w.poll(path.clone(), DegradeReason::RootGone);
                });
                self.dirs.insert(path, RescanReason::RootChanged);
            }
            return;
        }
        match what {
            What::Written => self.note(path, Hint::Written),
            What::Closed => self.note(path, Hint::Closed),
            What::Touched => self.note(path, Hint::Doubt),
            What::MovedTo => self.note(path, Hint::MovedIn),
            What::Removed => {
                self.forget(&path, seen);
                self.note(path, Hint::Removed);
            }
            What::MovedFrom => {
                // notify has ended the watches below the old name by itself.
                if self.forget(&path, seen) {
                    self.dirs.insert(path, RescanReason::Moved);
                } else {
                    self.note(path, Hint::Removed);
                }
            }
            // A folder in the place of an ignore file: nobody can tell what it leaves out.
            What::DirCreated if is_rule_file(path.name()) => {
                self.note(path, Hint::MovedIn);
            }
            What::DirCreated => {
                self.dirs.entry(path).or_insert(RescanReason::NewDirectory);
            }
            What::DirRemoved if is_rule_file(path.name()) => {
                self.note(path, Hint::Removed);
            }
            What::DirRemoved | What::Unmounted => {
                let unmounted = what == What::Unmounted;
                self.forget(&path, if unmounted { unseen } else { seen });
                self.dirs.insert(path, RescanReason::Moved);
            }
            What::SelfMoved => {
                // Comes after the two names had their events, unless the parent is not watched.
                if self.forget(&path, unseen) {
                    self.dirs.insert(path, RescanReason::Moved);
                }
            }
        }
    }

    /// Forgets the watches at and below a name. True if there were any.
    fn forget(&mut self, dir: &RelPath, because: Because) -> bool {
        match self.shared.with_watched(|w| w.forget(dir, because)) {
            Forgot::Nothing => false,
            Forgot::Some => true,
            Forgot::TooMany => {
                self.lose_events(Instant::now(), RescanReason::WatcherError);
                true
            }
        }
    }

    fn note(&mut self, path: RelPath, hint: Hint) {
        // A rename or a touch does not say whether it is of a file or a directory.
        let may_be_dir = matches!(hint, Hint::MovedIn | Hint::Doubt);
        // What is undecided now may be decided by the time it rests.
        let kind = self.filter.file_kind(&path);
        let wanted = kind.may_matter()
            || is_rule_file(path.name())
            || (may_be_dir && !self.filter.dir_excluded(&path));
        if wanted && !self.settler.note(path, hint, Instant::now()) {
            // More paths than are worth holding: one scan does better.
            self.settler.retain(|_| false);
            self.dirs.insert(RelPath::root(), RescanReason::Overflow);
        }
    }

    fn rebuild_watcher(&mut self, why: RescanReason) {
        // Events of the old watcher are covered by the scan; those of the new one are not lost,
        // since it is started after this.
        while self.queue.try_recv().is_ok() {}
        self.rebuild = None;
        self.settler.retain(|_| false);
        self.dirs.clear();
        self.install_watcher();
        self.last_rebuild = Some(Instant::now());
        self.send(SourceEvent::Rescan {
            root: self.id,
            dir: RelPath::root(),
            why,
        });
    }

    fn install_watcher(&mut self) {
        let canary = self.canary.dir().cloned();
        let signals = Arc::clone(self.shared.signals());
        let watcher = Watcher::start(&self.root, canary.clone(), self.wake.clone(), signals);
        let watched = self.shared.with_watched(|w| {
            w.install(watcher);
            canary.is_some_and(|dir| w.watch_canary(&dir))
        });
        self.canary.restart(watched);
    }

    /// Has directories without a watch scanned when their time has come.
    fn poll(&mut self, now: Instant) {
        if self.shared.polled.load(Ordering::Relaxed) == 0 {
            self.next_poll = None;
            return;
        }
        let Some(at) = self.next_poll else {
            self.next_poll = Some(now + self.cfg.poll_interval);
            return;
        };
        if now < at {
            return;
        }
        if self.shared.with_watched(|w| w.has_no_watcher()) {
            self.install_watcher();
        }
        let dirs = self.shared.with_watched(Watched::next_poll);
        if dirs.is_empty() {
            self.shared.set_degraded(None);
        }
        for dir in dirs {
            let event = match probe(&self.root, &dir) {
                Ok(Probe::File(_) | Probe::Special | Probe::Gone) if !dir.is_root() => {
                    self.forget(&dir, Because::Ours);
                    SourceEvent::DirGone {
                        root: self.id,
                        path: dir,
                    }
                }
                _ => SourceEvent::Rescan {
                    root: self.id,
                    dir,
                    why: RescanReason::Polled,
                },
            };
            self.send(event);
        }
        self.next_poll = Some(Instant::now() + self.cfg.poll_interval);
    }

    fn tell_news(&mut self) {
        for (dir, reason) in self.shared.with_watched(Watched::take_news) {
            tracing::debug!(root = %self.root.display(), ?dir, %reason, "polled instead of watched");
            self.shared.set_degraded(Some(reason.clone()));
            self.send(SourceEvent::WatchDegraded {
                root: self.id,
                dir,
                reason,
            });
        }
    }

    /// Sends an event, waiting for room; gives up only when told to stop.
    fn send(&self, mut event: SourceEvent) {
        while !self.stopped() {
            event = match self.out.send_timeout(event, STOP_LOOK) {
                Ok(()) => return,
                Err(SendTimeoutError::Timeout(back)) => back,
                Err(SendTimeoutError::Disconnected(_)) => {
                    return self.shared.stop.store(true, Ordering::Release);
                }
            };
        }
    }

    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }
}
