//! Keeping roots: one thread a root, so that a hanging disk holds up only itself.
//!
//! A root thread takes its root on when the volume is there, scans it, answers scan requests, and
//! lets go when the volume leaves, without touching a row.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::Observer;
use super::error::DaemonError;
use super::requests::{Requests, WantedScans};
use crate::index::{ArmDirectory, Indexer, RootHandle, RootState, ScanScope, Scanning};
use crate::photo::RelPath;
use crate::source::{Filter, LiveSource, SourceEvent};

/// How often a root's presence is looked at.
const PRESENCE: Duration = Duration::from_secs(5);
/// How often a root on a network file system is scanned: other machines' changes cause no events.
const NETWORK_RESCAN: Duration = Duration::from_secs(300);
/// How long a root's thread may take to end; one that hangs in a system call on a dead volume is
/// left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How soon a scan that failed is tried again.
const RETRY: Duration = Duration::from_secs(60);

type Routes = Arc<RwLock<HashMap<i64, Arc<Requests>>>>;

/// All root threads, and where live events go.
pub(super) struct Keeper {
    indexer: Arc<Indexer>,
    live: Arc<LiveSource>,
    observer: Arc<dyn Observer>,
    routes: Routes,
    threads: Vec<(Arc<Requests>, JoinHandle<()>)>,
}

/// What a root thread needs.
pub(super) struct RootPlan {
    pub path: PathBuf,
    pub filter: Arc<Filter>,
    pub rescan_every: Duration,
}

impl Keeper {
    /// Starts a thread for each root.
    pub fn start(
        indexer: &Arc<Indexer>,
        live: &Arc<LiveSource>,
        observer: &Arc<dyn Observer>,
        plans: Vec<RootPlan>,
    ) -> Result<Self, DaemonError> {
        let mut keeper = Self {
            indexer: Arc::clone(indexer),
            live: Arc::clone(live),
            observer: Arc::clone(observer),
            routes: Routes::default(),
            threads: Vec::new(),
        };
        for plan in plans {
            keeper.keep(plan)?;
        }
        Ok(keeper)
    }

    fn keep(&mut self, plan: RootPlan) -> Result<(), DaemonError> {
        let requests = Arc::new(Requests::default());
        let thread = RootThread {
            indexer: Arc::clone(&self.indexer),
            live: Arc::clone(&self.live),
            observer: Arc::clone(&self.observer),
            routes: Arc::clone(&self.routes),
            plan,
            requests: Arc::clone(&requests),
            said: None,
            starting: Mutex::new(Some(self.indexer.progress().scanning())),
        };
        let handle = std::thread::Builder::new()
            .name("photond-root".to_owned())
            .spawn(move || thread.run())
            .map_err(|source| DaemonError::Start {
                what: "a folder's thread",
                source,
            })?;
        self.threads.push((requests, handle));
        Ok(())
    }

    /// Lets all roots go and takes these on, each with a full scan.
    pub fn replace(&mut self, plans: Vec<RootPlan>) -> Result<(), DaemonError> {
        self.end_threads();
        plans.into_iter().try_for_each(|plan| self.keep(plan))
    }

    /// Passes live events on until their channel closes.
    pub fn dispatcher(&self, events: Receiver<SourceEvent>) -> Result<JoinHandle<()>, DaemonError> {
        let (indexer, routes) = (Arc::clone(&self.indexer), Arc::clone(&self.routes));
        std::thread::Builder::new()
            .name("photond-events".to_owned())
            .spawn(move || {
                for event in events {
                    if indexer.is_stopping() {
                        return;
                    }
                    dispatch(&indexer, &routes, event);
                }
            })
            .map_err(|source| DaemonError::Start {
                what: "the events thread",
                source,
            })
    }

    /// Ends the root threads; scans break off when the pipeline has been asked to stop.
    pub fn stop(mut self) {
        self.end_threads();
    }

    fn end_threads(&mut self) {
        for (requests, _) in &self.threads {
            requests.stop();
        }
        let end = Instant::now() + STOP_PATIENCE;
        for (_, thread) in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(2));
            }
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                tracing::warn!("a folder's thread is left behind: its volume hangs");
            }
        }
    }
}

fn dispatch(indexer: &Indexer, routes: &Routes, event: SourceEvent) {
    let scan = |root: i64, scope: ScanScope| {
        let route = routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&root)
            .cloned();
        if let Some(route) = route {
            route.scan(scope);
        }
    };
    match event {
        SourceEvent::Path { root, path, .. } => indexer.submit_live(id(root), path),
        SourceEvent::Rescan { root, dir, why } => {
            tracing::debug!("scan of root {root}, {dir:?}: {why:?}");
            let urgent = !dir.is_root();
            scan(
                id(root),
                ScanScope {
                    dir,
                    deletion: false,
                    urgent,
                },
            );
        }
        SourceEvent::DirGone { root, path } => scan(
            id(root),
            ScanScope {
                dir: path,
                deletion: true,
                urgent: true,
            },
        ),
        SourceEvent::WatchDegraded { dir, reason, .. } => {
            // `status` and `doctor` say it with the remedy.
            tracing::info!("{dir:?} cannot be watched ({reason:?}); it is scanned at intervals");
        }
    }
}

/// The source numbers roots by their keys in the store.
fn number(id: i64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

fn id(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct RootThread {
    indexer: Arc<Indexer>,
    live: Arc<LiveSource>,
    observer: Arc<dyn Observer>,
    routes: Routes,
    plan: RootPlan,
    requests: Arc<Requests>,
    said: Option<String>,
    /// Until the first scan is through (or the root is known to be away), the daemon is not idle.
    starting: Mutex<Option<Scanning>>,
}

struct Arming<'a>(&'a LiveSource);

impl ArmDirectory for Arming<'_> {
    fn arm(&self, root: i64, dir: &RelPath) {
        if let Err(e) = self.0.arm(number(root), dir) {
            // Not watched: the source's own health report says so, and scans cover it.
            tracing::debug!("{e}");
        }
    }
}

impl RootThread {
    fn run(mut self) {
        while !self.indexer.is_stopping() {
            let Some((handle, network)) = self.take_on() else {
                self.started();
                match self.requests.next(PRESENCE) {
                    WantedScans::Stop => return,
                    WantedScans::Whole | WantedScans::Nothing => {}
                }
                continue;
            };
            self.requests.set_released(false);
            let stop = std::thread::scope(|scope| {
                // New folders must not wait behind the first scan of a large root.
                scope.spawn(|| {
                    while let Some(scopes) = self.requests.next_folders() {
                        for scope in scopes.iter().take_while(|_| handle.is_present()) {
                            self.scan(&handle, scope);
                        }
                    }
                });
                let stop = self.keep(&handle, network);
                self.requests.set_released(true);
                stop
            });
            self.let_go(&handle);
            if stop {
                return;
            }
        }
    }

    fn started(&self) {
        *self.starting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn take_on(&mut self) -> Option<(Arc<RootHandle>, bool)> {
        match self
            .indexer
            .attach(&self.plan.path, Arc::clone(&self.plan.filter))
        {
            Ok((RootState::Online { network, .. }, Some(handle))) => {
                self.routes
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(handle.id, Arc::clone(&self.requests));
                if let Err(e) = self.live.add_root(
                    number(handle.id),
                    &handle.path,
                    Arc::clone(&self.plan.filter),
                ) {
                    tracing::warn!("{e}");
                }
                if self.said.take().is_some() {
                    self.observer
                        .notice(&format!("{} is back", handle.path.display()));
                }
                Some((handle, network))
            }
            Ok((RootState::Offline { why }, _)) => {
                self.say_once(format!(
                    "{} is offline ({why}); its photos stay in the index",
                    self.plan.path.display()
                ));
                None
            }
            Ok((RootState::Online { .. }, None)) => None,
            Err(e) => {
                self.say_once(e.to_string());
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

    /// Works on the root until it leaves (false) or a stop is asked for (true).
    fn keep(&self, handle: &RootHandle, network: bool) -> bool {
        let every = if network {
            self.plan.rescan_every.min(NETWORK_RESCAN)
        } else {
            self.plan.rescan_every
        };
        let mut first = true;
        let mut due = Instant::now();
        loop {
            if self.indexer.is_stopping() {
                return true;
            }
            if Instant::now() >= due {
                let complete = self.full_scan(handle, first);
                self.started();
                first &= !complete;
                due = Instant::now() + if complete { every } else { RETRY.min(every) };
            }
            let left = due.saturating_duration_since(Instant::now());
            match self.requests.next(PRESENCE.min(left)) {
                WantedScans::Stop => return true,
                WantedScans::Whole => due = Instant::now(),
                WantedScans::Nothing => {}
            }
            if !handle.is_present() {
                return false;
            }
        }
    }

    fn full_scan(&self, handle: &RootHandle, first: bool) -> bool {
        let outcome = self.scan(handle, &ScanScope::whole());
        let Some(outcome) = outcome.filter(|o| o.complete) else {
            return false;
        };
        if outcome.held > 0 {
            self.observer.notice(&format!(
                "{} files in {} disappeared at once and are held, not deleted: bring them back, or confirm with `photond index --confirm-deletions {}`",
                outcome.held,
                handle.path.display(),
                handle.path.display()
            ));
        }
        if first {
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
        self.indexer.request_catch_up();
        true
    }

    fn scan(&self, handle: &RootHandle, scope: &ScanScope) -> Option<crate::index::ScanOutcome> {
        match self.indexer.scan(handle, scope, Some(&Arming(&self.live))) {
            Ok(outcome) => Some(outcome),
            Err(e) => {
                tracing::warn!("{}: {e}", handle.path.display());
                if !scope.dir.is_root() {
                    // What could not be looked at now is looked at with everything else.
                    self.requests.scan(ScanScope::whole());
                }
                None
            }
        }
    }

    fn let_go(&self, handle: &RootHandle) {
        self.routes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&handle.id);
        self.live.remove_root(number(handle.id));
        self.indexer.detach(handle.id);
    }
}
