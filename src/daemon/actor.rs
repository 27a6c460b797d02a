//! The life of one root: taken on when its volume is there, scanned, kept current, let go when the
//! volume leaves, without touching a row.
//!
//! One actor a root, with a mailbox of its own ([`WantedScans`]); it ends when it is told to, at the
//! next entry of a folder it is reading, and until it has ended no other one begins. Two threads: the
//! whole root's scans and its presence on one, folders that have just arrived or left on the other,
//! since they must not wait behind the first scan of a large root.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Observer;
use super::error::DaemonError;
use super::report::{RootReport, RootStanding};
use super::start::Setup;
use crate::index::{
    ArmDirectory, Indexer, RootHandle, RootState, ScanOutcome, ScanScope, Scanning, Skipped,
    Wanted, WantedScans,
};
use crate::photo::RelPath;
use crate::source::{ArmError, Filter, FilterConfig, LiveSource};

/// How often a root's presence is looked at.
const PRESENCE: Duration = Duration::from_secs(5);
/// How often a root on a network file system is scanned: other machines' changes cause no events.
const NETWORK_RESCAN: Duration = Duration::from_secs(300);
/// A root that takes this long to be taken on hangs.
const TAKE_ON_PATIENCE: Duration = Duration::from_secs(10);

/// What a root is to be kept with.
#[derive(Clone)]
pub(super) struct RootPlan {
    pub path: PathBuf,
    pub filter: Arc<Filter>,
    pub filter_config: FilterConfig,
    pub rescan_every: Duration,
    /// The root with a symbolic link to it, if that is why it is one.
    pub linked_by: Option<PathBuf>,
    /// What it was made from, for the folders that its links lead to.
    pub setup: Arc<Setup>,
}

impl RootPlan {
    /// A root as the settings have it.
    ///
    /// # Errors
    /// A bad exclude pattern.
    pub fn new(
        setup: &Arc<Setup>,
        path: &Path,
        linked_by: Option<PathBuf>,
    ) -> Result<Self, DaemonError> {
        let filter_config = setup.filter_config(path);
        Ok(Self {
            filter: Arc::new(Filter::new(path, &filter_config)?),
            filter_config,
            path: path.to_path_buf(),
            rescan_every: Duration::from_secs_f64(setup.config.rescan_hours * 3600.0),
            linked_by,
            setup: Arc::clone(setup),
        })
    }

    /// True if an actor that works by `other` need not be told anything.
    pub fn is_same(&self, other: &Self) -> bool {
        self.path == other.path
            && self.filter_config == other.filter_config
            && self.rescan_every == other.rescan_every
            && self.linked_by == other.linked_by
    }
}

/// What others see of an actor, and how they speak to it.
pub(super) struct Life {
    pub wanted: Arc<WantedScans>,
    path: PathBuf,
    state: Mutex<LifeState>,
}

struct LifeState {
    standing: RootStanding,
    why: Option<String>,
    since: Instant,
    handle: Option<Arc<RootHandle>>,
    /// The first scan is through, or the root is known to be away.
    settled: bool,
    /// A full scan of this life has read all of it.
    scanned: bool,
    skipped: Skipped,
    unreadable: u64,
}

impl Life {
    pub fn new(path: PathBuf, wanted: Arc<WantedScans>) -> Self {
        Self {
            wanted,
            path,
            state: Mutex::new(LifeState {
                standing: RootStanding::Starting,
                why: None,
                since: Instant::now(),
                handle: None,
                settled: false,
                scanned: false,
                skipped: Skipped::default(),
                unreadable: 0,
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut LifeState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stands(&self, standing: RootStanding, why: Option<String>) {
        self.with(|s| (s.standing, s.why, s.since) = (standing, why, Instant::now()));
    }

    /// Tells it to end, and that nothing more is to be done about its root.
    pub fn stop(&self) {
        self.with(|s| {
            s.standing = RootStanding::Ending;
            if let Some(handle) = &s.handle {
                handle.end();
            }
        });
        self.wanted.stop();
    }

    /// Tells it to end with the pipeline: what has been read by now is still written.
    pub fn go_home(&self) {
        self.wanted.stop();
    }

    /// True when the first scan is through, or the root is known to be away.
    pub fn is_settled(&self) -> bool {
        self.with(|s| s.settled)
    }

    /// The root, once all of it has been read.
    pub fn scanned(&self) -> Option<i64> {
        self.with(|s| s.handle.as_ref().filter(|_| s.scanned).map(|h| h.id))
    }

    /// Why it is not there, if it is not.
    pub fn offline(&self) -> Option<String> {
        self.with(|s| {
            s.why
                .clone()
                .filter(|_| s.standing == RootStanding::Offline)
        })
    }

    pub fn handle(&self) -> Option<Arc<RootHandle>> {
        self.with(|s| s.handle.clone())
    }

    /// For how long its disk has not answered, if that is too long.
    pub fn hangs(&self) -> Option<Duration> {
        let (handle, taking_on) = self.with(|s| {
            let waiting = s.since.elapsed();
            let starting = s.standing == RootStanding::Starting;
            let taking_on = (starting && waiting > TAKE_ON_PATIENCE).then_some(waiting);
            (s.handle.clone(), taking_on)
        });
        handle.and_then(|h| h.hangs()).or(taking_on)
    }

    /// For `status`.
    pub fn report(&self) -> RootReport {
        let hangs = self.hangs();
        self.with(|s| RootReport {
            path: self.path.to_string_lossy().into_owned(),
            root: s.handle.as_ref().map(|h| h.id),
            standing: match hangs {
                Some(_) => RootStanding::Hanging,
                None => s.standing,
            },
            why: s.why.clone(),
            hangs_s: hangs.map(|d| d.as_secs()),
            left_over: self.wanted.left_over() as u64,
            unreadable: s.unreadable,
            skipped: s.skipped,
            watch: None,
        })
    }
}

/// The actor's side.
pub(super) struct Actor {
    pub indexer: Arc<Indexer>,
    /// Absent in a single pass.
    pub live: Option<Arc<LiveSource>>,
    pub observer: Arc<dyn Observer>,
    pub plan: RootPlan,
    pub life: Arc<Life>,
    pub said: Option<String>,
}

struct Arming<'a>(&'a LiveSource);

impl ArmDirectory for Arming<'_> {
    fn arm(&self, root: i64, dir: &RelPath) -> bool {
        let armed = self.0.arm(number(root), dir);
        if let Err(e) = &armed {
            // Not watched: the source's own health report says so, and scans cover it.
            tracing::debug!("{e}");
        }
        // If the walk can enter it a moment later, permissions have just changed.
        !matches!(armed, Err(ArmError::Unreadable { .. }))
    }

    fn refused(&self, root: i64, dir: &RelPath) -> bool {
        self.0.refused(number(root), dir)
    }
}

/// The source numbers roots by their keys in the store.
pub(super) fn number(id: i64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

impl Actor {
    /// Lives until it is told to end; in a single pass, until its root turns out to be away.
    /// `starting` counts it as work until the first scan is wanted.
    pub fn run(mut self, starting: Scanning) {
        let wanted = Arc::clone(&self.life.wanted);
        let one_pass = self.live.is_none();
        let mut starting = Some(starting);
        while !self.is_over() {
            self.life.stands(RootStanding::Starting, None);
            let first = starting.take().unwrap_or_else(|| wanted.scanning());
            let Some((handle, network)) = self.take_on() else {
                self.life.with(|s| s.settled = true);
                drop(first);
                if one_pass || matches!(wanted.next(PRESENCE), Wanted::Stop) {
                    return;
                }
                continue;
            };
            wanted.set_released(false);
            wanted.scan(ScanScope::whole());
            drop(first);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while let Some(scopes) = wanted.next_folders() {
                        for (scope, _guard) in scopes {
                            self.scan(&handle, &scope);
                        }
                    }
                });
                // Walks step back; what has just arrived does not.
                self.indexer.step_back();
                self.keep(&handle, network);
                wanted.set_released(true);
            });
            self.let_go(&handle);
        }
    }

    fn is_over(&self) -> bool {
        self.life.wanted.is_stopped() || self.indexer.is_stopping()
    }

    fn take_on(&mut self) -> Option<(Arc<RootHandle>, bool)> {
        let plan = &self.plan;
        let attached = self
            .indexer
            .attach(&plan.path, Arc::clone(&plan.filter), &self.life.wanted);
        match attached {
            Ok((RootState::Online { network, .. }, Some(handle))) => {
                let (id, by) = (handle.id, plan.linked_by.clone());
                let noted = self
                    .indexer
                    .with_store(move |store| store.set_linked_by(id, by.as_deref()));
                if let Err(e) = noted {
                    tracing::warn!("{e}");
                }
                if let Some(live) = &self.live
                    && let Err(e) =
                        live.add_root(number(handle.id), &handle.path, Arc::clone(&plan.filter))
                {
                    tracing::warn!("{e}");
                }
                if self.said.take().is_some() {
                    self.observer
                        .notice(&format!("{} is back", handle.path.display()));
                }
                let held = Arc::clone(&handle);
                self.life.with(|s| s.handle = Some(held));
                self.life.stands(RootStanding::Scanning, None);
                Some((handle, network))
            }
            Ok((RootState::Offline { why }, _)) => {
                let path = plan.path.display().to_string();
                self.say_once(format!(
                    "{path} is offline ({why}); what is known of its photos stays in the index"
                ));
                self.life.stands(RootStanding::Offline, Some(why));
                None
            }
            Ok((RootState::Online { .. }, None)) => None,
            Err(e) => {
                self.say_once(e.to_string());
                self.life.stands(RootStanding::Offline, Some(e.to_string()));
                None
            }
        }
    }

    fn say_once(&mut self, line: String) {
        if self.said.as_ref() != Some(&line) {
            self.observer.notice(&line);
            self.said = Some(line);
        }
    }

    /// Works on the root until it leaves or a stop is asked for.
    fn keep(&self, handle: &Arc<RootHandle>, network: bool) {
        let every = if network {
            self.plan.rescan_every.min(NETWORK_RESCAN)
        } else {
            self.plan.rescan_every
        };
        let mut first = true;
        let mut due = Instant::now() + every;
        let mut silent = false;
        while !handle.is_ended() && !self.indexer.is_stopping() {
            let left = due.saturating_duration_since(Instant::now());
            match self.life.wanted.next(PRESENCE.min(left)) {
                Wanted::Stop => return,
                Wanted::Whole(_guard) => {
                    self.full_scan(handle, &mut first);
                    due = Instant::now() + every;
                }
                Wanted::Nothing => {}
            }
            match handle.is_present() {
                Some(true) if silent => {
                    silent = false;
                    self.observer
                        .notice(&format!("{} answers again", handle.path.display()));
                    self.life.wanted.scan(ScanScope::whole());
                }
                Some(true) => {}
                Some(false) => return,
                None if handle.is_ended() => return,
                None => silent = true,
            }
            if self
                .live
                .as_ref()
                .is_some_and(|live| !live.is_alive(number(handle.id)))
            {
                tracing::error!(
                    "{}: its watcher has died; it is taken on anew",
                    handle.path.display()
                );
                return;
            }
            if Instant::now() >= due && self.live.is_some() {
                self.life.wanted.scan(ScanScope::whole());
            }
        }
    }

    fn full_scan(&self, handle: &Arc<RootHandle>, first: &mut bool) {
        self.life.stands(RootStanding::Scanning, None);
        let outcome = self.scan(handle, &ScanScope::whole());
        if handle.is_ended() {
            return;
        }
        self.life.stands(RootStanding::Watching, None);
        self.life.with(|s| s.settled = true);
        let Some(outcome) = outcome.filter(|o| o.complete) else {
            return;
        };
        self.life.with(|s| {
            s.scanned = true;
            s.unreadable = outcome.unreadable;
            s.skipped = outcome.skipped;
        });
        if std::mem::replace(first, false) && self.live.is_some() {
            let word = if outcome.files == 1 {
                "photo"
            } else {
                "photos"
            };
            self.observer.notice(&format!(
                "{}: {} {word} found, {} new or changed; watching",
                handle.path.display(),
                outcome.files,
                outcome.changed
            ));
        }
        if self.live.is_some() {
            self.indexer.request_catch_up();
        }
    }

    fn scan(&self, handle: &Arc<RootHandle>, scope: &ScanScope) -> Option<ScanOutcome> {
        let arming = self.live.as_deref().map(Arming);
        let arm = arming.as_ref().map(|a| a as &dyn ArmDirectory);
        match self.indexer.scan(handle, scope, arm) {
            Ok(outcome) => Some(outcome),
            Err(e) => {
                tracing::warn!("{}: {e}", handle.path.display());
                // What could not be looked at now is looked at later.
                handle.wanted.unfinished(scope.dir.clone(), false);
                None
            }
        }
    }

    fn let_go(&self, handle: &Arc<RootHandle>) {
        if !self.indexer.is_stopping() {
            self.indexer.detach(handle);
        }
        self.life.with(|s| (s.handle, s.scanned) = (None, false));
        if let Some(live) = &self.live {
            live.remove_root(number(handle.id));
        }
    }
}
