//! Keeping roots: one [`Actor`] a root, each for as long as its root is wanted.
//!
//! What is wanted is a list of plans. An actor whose plan stays is left alone, whatever it is doing;
//! one whose plan changed or went is told to end, and its successor begins when it has, however long
//! its disk takes. A root around or inside another one waits in the same way, since rows change
//! hands between them.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::Observer;
use super::actor::{Actor, Life, RootPlan};
use super::error::DaemonError;
use super::report::{RootReport, RootStanding};
use crate::index::{Ending, Indexer, ScanScope, WantedScans};
use crate::source::{LiveSource, RescanReason, SharedLinks, SourceEvent};

/// All actors, and what is wanted of them.
pub(super) struct Keeper {
    indexer: Arc<Indexer>,
    /// Absent in a single pass.
    live: Option<Arc<LiveSource>>,
    observer: Arc<dyn Observer>,
    state: Mutex<Kept>,
    links: Arc<SharedLinks>,
    /// Somebody has changed what the daemon looks at now and then.
    look: AtomicBool,
}

#[derive(Default)]
struct Kept {
    plans: Vec<RootPlan>,
    /// Folders that symbolic links in the others lead to.
    linked: Vec<RootPlan>,
    /// Of those, the ones that a person does not want.
    dropped: Vec<PathBuf>,
    actors: Vec<Keeping>,
    /// By root: the folders it had links to when those that it no longer has were last forgotten.
    swept: HashMap<i64, Vec<PathBuf>>,
}

struct Keeping {
    plan: RootPlan,
    life: Arc<Life>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub fn new(
        indexer: &Arc<Indexer>,
        live: Option<&Arc<LiveSource>>,
        observer: &Arc<dyn Observer>,
    ) -> Self {
        Self {
            indexer: Arc::clone(indexer),
            live: live.map(Arc::clone),
            observer: Arc::clone(observer),
            state: Mutex::default(),
            links: Arc::default(),
            look: AtomicBool::new(false),
        }
    }

    /// Has the daemon look around at once.
    pub fn look(&self) {
        self.look.store(true, Ordering::Relaxed);
        self.indexer.progress().turn();
    }

    /// True once after each [`look`](Self::look).
    pub fn told_to_look(&self) -> bool {
        self.look.swap(false, Ordering::Relaxed)
    }

    /// No longer keeps this root, and waits until it is let go; false: its disk hangs.
    pub fn drop_root(&self, path: &Path, patience: Duration) -> bool {
        {
            let mut state = self.state();
            state.plans.retain(|plan| plan.path != path);
            state.dropped.push(path.to_path_buf());
            for actor in state.actors.iter().filter(|a| a.plan.path == path) {
                actor.life.stop();
            }
        }
        let end = Instant::now() + patience;
        loop {
            let _ = self.turn();
            if !self.state().actors.iter().any(|a| a.plan.path == path) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These roots are wanted from now on. Never waits.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn want(&self, plans: Vec<RootPlan>) -> Result<(), DaemonError> {
        {
            let mut state = self.state();
            for actor in &state.actors {
                let linked = actor.plan.linked_by.is_some();
                if !linked && !plans.iter().any(|plan| plan.is_same(&actor.plan)) {
                    actor.life.stop();
                }
            }
            state.dropped.clear();
            state.plans = plans;
        }
        self.turn()
    }

    /// Whether a folder is kept, or lies in one that is.
    pub fn is_kept(&self, path: &Path) -> bool {
        let state = self.state();
        state.plans.iter().any(|plan| path.starts_with(&plan.path))
    }

    /// A folder in this one that is kept.
    pub fn kept_in(&self, path: &Path) -> Option<PathBuf> {
        let state = self.state();
        let inner = state.plans.iter().find(|plan| plan.path.starts_with(path));
        inner.map(|plan| plan.path.clone())
    }

    /// This root is wanted too, until it is dropped or the settings are read again.
    pub fn invite(&self, plan: RootPlan) {
        self.state().plans.push(plan);
        self.indexer.progress().turn();
    }

    /// Looks around: actors that have ended make room for others. To be called now and then.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn turn(&self) -> Result<(), DaemonError> {
        let mut state = self.state();
        let (ended, alive): (Vec<_>, Vec<_>) = std::mem::take(&mut state.actors)
            .into_iter()
            .partition(|actor| actor.thread.is_finished() && self.may_go(actor));
        state.actors = alive;
        for actor in ended {
            if actor.thread.join().is_err() {
                tracing::error!("{}: its thread has died", actor.plan.path.display());
            }
        }
        state.linked = state.linked_folders();
        let plans: Vec<RootPlan> = state.plans.iter().chain(&state.linked).cloned().collect();
        for actor in state.actors.iter().filter(|a| a.plan.linked_by.is_some()) {
            if !plans.iter().any(|plan| plan.is_same(&actor.plan)) {
                actor.life.stop();
            }
        }
        self.links
            .set_roots(plans.iter().map(|plan| plan.path.clone()).collect());
        for plan in plans {
            let in_the_way = |actor: &Keeping| {
                actor.plan.path.starts_with(&plan.path) || plan.path.starts_with(&actor.plan.path)
            };
            if !state.actors.iter().any(in_the_way) {
                let actor = self.begin(plan)?;
                state.actors.push(actor);
            }
        }
        let hanging = state.actors.iter().filter(|a| a.life.hangs().is_some());
        let scans = hanging.map(|a| a.life.wanted.scans()).sum();
        self.indexer.progress().set_hanging(scans);
        self.indexer.look_after_workers();
        let unlinked = state.unlinked();
        drop(state);
        for (root, still) in unlinked {
            let forgotten = self.indexer.with_store({
                let still = still.clone();
                move |store| store.forget_unlinked(root, &still)
            });
            match forgotten {
                Ok(_) => drop(self.state().swept.insert(root, still)),
                Err(e) => tracing::warn!("{e}"),
            }
        }
        Ok(())
    }

    /// In a single pass an actor whose root is away has ended and is not begun again.
    fn may_go(&self, actor: &Keeping) -> bool {
        self.live.is_some() || actor.life.wanted.is_stopped()
    }

    fn begin(&self, plan: RootPlan) -> Result<Keeping, DaemonError> {
        plan.filter.share_links(&self.links);
        let wanted = Arc::new(WantedScans::new(self.indexer.progress()));
        let life = Arc::new(Life::new(plan.path.clone(), wanted));
        let actor = Actor {
            indexer: Arc::clone(&self.indexer),
            live: self.live.clone(),
            observer: Arc::clone(&self.observer),
            plan: plan.clone(),
            life: Arc::clone(&life),
            said: None,
        };
        // Counted as work from here on, so that nobody finds the daemon idle before it has looked.
        let starting = life.wanted.scanning();
        let progress = Arc::clone(self.indexer.progress());
        let thread = std::thread::Builder::new()
            .name("photond-root".to_owned())
            .spawn(move || {
                let _ended = OnEnd(|| progress.turn());
                actor.run(starting);
            })
            .map_err(|source| DaemonError::Start {
                what: "a folder's thread",
                source,
            })?;
        Ok(Keeping { plan, life, thread })
    }

    /// Where each wanted root stands, and those that are still ending.
    pub fn reports(&self) -> Vec<RootReport> {
        let state = self.state();
        let mut reports: Vec<RootReport> = state.actors.iter().map(|a| a.life.report()).collect();
        for plan in state.plans.iter().chain(&state.linked) {
            if !state.actors.iter().any(|a| a.plan.path == plan.path) {
                reports.push(RootReport::busy(&plan.path));
            }
        }
        reports
    }

    /// True when every root has been scanned once, or is known to be away or not to answer.
    pub fn is_settled(&self) -> bool {
        let state = self.state();
        let settled = |a: &Keeping| a.life.is_settled() || a.life.hangs().is_some();
        let linked = state.linked_folders();
        let kept = |plan: &RootPlan| state.actors.iter().any(|a| a.plan.path == plan.path);
        state.actors.iter().all(settled) && state.plans.iter().chain(&linked).all(kept)
    }

    /// Folders that could not be read to their end.
    pub fn left_over(&self) -> usize {
        let state = self.state();
        state.actors.iter().map(|a| a.life.wanted.left_over()).sum()
    }

    /// The roots that are not there, or do not answer, and why.
    pub fn missing(&self) -> Vec<(PathBuf, String)> {
        let state = self.state();
        let why = |a: &Keeping| match a.life.hangs() {
            Some(_) => Some("its disk does not answer".to_owned()),
            None => a.life.offline(),
        };
        let missing = state.actors.iter();
        missing
            .filter_map(|a| Some((a.plan.path.clone(), why(a)?)))
            .collect()
    }

    /// The roots in work.
    pub fn roots(&self) -> Vec<i64> {
        let state = self.state();
        let handles = state.actors.iter().filter_map(|a| a.life.handle());
        handles.map(|handle| handle.id).collect()
    }

    /// Has a root scanned, or all of them; how many that are.
    pub fn rescan(&self, path: Option<&Path>) -> usize {
        let state = self.state();
        let chosen = state
            .actors
            .iter()
            .filter(|a| path.is_none_or(|p| p.starts_with(&a.plan.path)));
        let mut count = 0;
        for actor in chosen {
            count += 1;
            let below = path.and_then(|p| crate::photo::RelPath::below(&actor.plan.path, p));
            let scope = match below {
                Some(dir) if !dir.is_root() => ScanScope::folder(dir),
                _ => ScanScope::whole(),
            };
            actor.life.wanted.scan(scope);
        }
        count
    }

    /// Passes live events on until their channel closes.
    pub fn dispatcher(&self, events: Receiver<SourceEvent>) -> Result<JoinHandle<()>, DaemonError> {
        let indexer = Arc::clone(&self.indexer);
        std::thread::Builder::new()
            .name("photond-events".to_owned())
            .spawn(move || {
                for event in events {
                    if indexer.is_stopping() {
                        return;
                    }
                    dispatch(&indexer, event);
                }
            })
            .map_err(|source| DaemonError::Start {
                what: "the events thread",
                source,
            })
    }

    /// Ends all actors with the pipeline; one whose disk hangs is left behind.
    pub fn stop(&self, end: &mut Ending) {
        let actors = {
            let mut state = self.state();
            state.plans.clear();
            std::mem::take(&mut state.actors)
        };
        for actor in &actors {
            actor.life.go_home();
        }
        for actor in actors {
            end.wait_for("folder's", Some(actor.thread));
        }
    }
}

/// Folders that links lead to, at most: each is a root with threads of its own.
const MOST_LINKED: usize = 64;

impl Kept {
    /// The folders that links in kept roots lead to, each once: none that lies in another one, and none
    /// around one, which would be a circle.
    fn linked_folders(&self) -> Vec<RootPlan> {
        let mut linked: Vec<RootPlan> = Vec::new();
        let mut queue: VecDeque<PathBuf> = self.plans.iter().map(|p| p.path.clone()).collect();
        while let Some(from) = queue.pop_front() {
            let Some(actor) = self.actors.iter().find(|a| a.plan.path == from) else {
                // It waits for something; what is known of its links stays.
                let before = self
                    .linked
                    .iter()
                    .filter(|p| p.linked_by.as_ref() == Some(&from));
                linked.extend(before.cloned());
                continue;
            };
            for folder in actor.plan.filter.linked_folders() {
                let inside = |plan: &RootPlan| folder.starts_with(&plan.path);
                let around = |plan: &RootPlan| plan.path.starts_with(&folder);
                if self.plans.iter().chain(&linked).any(inside)
                    || self.plans.iter().any(around)
                    || self.dropped.contains(&folder)
                    || linked.len() >= MOST_LINKED
                {
                    continue;
                }
                // Of two links to a folder and to one in it, the outer one is all it takes.
                linked.retain(|plan| !around(plan));
                let Ok(plan) = RootPlan::new(&actor.plan.setup, &folder, Some(from.clone())) else {
                    continue;
                };
                // One that is kept has a filter that knows its own links.
                let kept = self.actors.iter().find(|a| a.plan.is_same(&plan));
                linked.push(kept.map_or(plan, |actor| actor.plan.clone()));
                queue.push_back(folder);
            }
        }
        linked
    }

    /// Roots that have been read to the end, with the folders they have links to, where the index may
    /// still hold others, which nobody keeps any more.
    fn unlinked(&self) -> Vec<(i64, Vec<PathBuf>)> {
        let scanned = self.actors.iter().filter_map(|actor| {
            let root = actor.life.scanned()?;
            let folders = self.linked.iter();
            let by = |plan: &&RootPlan| plan.linked_by.as_ref() == Some(&actor.plan.path);
            let still: Vec<PathBuf> = folders.filter(by).map(|p| p.path.clone()).collect();
            let leaving = self.actors.iter().any(|other| {
                other.plan.linked_by.as_ref() == Some(&actor.plan.path)
                    && !still.contains(&other.plan.path)
            });
            let is_news = self.swept.get(&root) != Some(&still);
            (is_news && !leaving).then_some((root, still))
        });
        scanned.collect()
    }
}

/// Calls something when dropped.
struct OnEnd<F: Fn()>(F);

impl<F: Fn()> Drop for OnEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn dispatch(indexer: &Indexer, event: SourceEvent) {
    let scan = |root: usize, scope: ScanScope, doubt: bool| {
        if let Some(root) = indexer.root(id(root)) {
            if doubt {
                root.doubt();
            }
            root.wanted.scan(scope);
        }
    };
    match event {
        SourceEvent::Path { root, path, .. } => indexer.submit_live(id(root), path),
        SourceEvent::Rescan { root, dir, why } => {
            tracing::debug!("scan of root {root}, {dir:?}: {why:?}");
            let scope = if dir.is_root() {
                ScanScope::whole()
            } else {
                ScanScope::folder(dir)
            };
            scan(root, scope, why == RescanReason::RootChanged);
        }
        SourceEvent::DirGone { root, path } => scan(root, ScanScope::folder(path), false),
        SourceEvent::WatchDegraded { dir, reason, .. } => {
            // `status` and `doctor` say it with the remedy.
            tracing::info!("{dir:?} cannot be watched ({reason:?}); it is scanned at intervals");
        }
    }
}

fn id(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl RootReport {
    /// A root that is wanted and waits for another one to be let go.
    fn busy(path: &Path) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            standing: RootStanding::Busy,
            ..Self::default()
        }
    }
}
