//! Keeping roots: one thread a root, so that a hanging disk holds up only itself.
//!
//! A root thread takes its root on when the volume is there, scans it, answers scan requests, and
//! lets go when the volume leaves, without touching a row.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Observer;
use super::error::DaemonError;
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
/// Scan requests waiting for one root: they are merged when taken, so few are needed.
const REQUESTS: usize = 256;

enum Request {
    Scan(ScanScope),
    /// The model has come: photos indexed without it get their tags.
    CatchUp,
    Stop,
}

type Routes = Arc<RwLock<HashMap<i64, Sender<Request>>>>;

/// All root threads, and where live events go.
pub(super) struct Keeper {
    indexer: Arc<Indexer>,
    live: Arc<LiveSource>,
    observer: Arc<dyn Observer>,
    routes: Routes,
    threads: Vec<(Sender<Request>, JoinHandle<()>)>,
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
        let (tx, rx) = bounded(REQUESTS);
        let thread = RootThread {
            indexer: Arc::clone(&self.indexer),
            live: Arc::clone(&self.live),
            observer: Arc::clone(&self.observer),
            routes: Arc::clone(&self.routes),
            plan,
            own: tx.clone(),
            requests: rx,
            said: None,
            starting: Some(self.indexer.progress().scanning()),
        };
        let handle = std::thread::Builder::new()
            .name("photond-root".to_owned())
            .spawn(move || thread.run())
            .map_err(|source| DaemonError::Start {
                what: "a folder's thread",
                source,
            })?;
        self.threads.push((tx, handle));
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

    /// Has photos without tags tagged, now that the model is there.
    pub fn catch_up(&self) {
        if let Some((tx, _)) = self.threads.first() {
            let _ = tx.try_send(Request::CatchUp);
        }
    }

    /// Ends the root threads; scans break off when the pipeline has been asked to stop.
    pub fn stop(mut self) {
        self.end_threads();
    }

    fn end_threads(&mut self) {
        for (tx, _) in &self.threads {
            let _ = tx.send_timeout(Request::Stop, Duration::from_secs(1));
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
            // A full queue of requests is one request: look at everything.
            if route.try_send(Request::Scan(scope)).is_err() {
                let _ = route.send_timeout(Request::Scan(whole()), Duration::from_secs(1));
            }
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

fn whole() -> ScanScope {
    ScanScope {
        dir: RelPath::root(),
        deletion: false,
        urgent: false,
    }
}

struct RootThread {
    indexer: Arc<Indexer>,
    live: Arc<LiveSource>,
    observer: Arc<dyn Observer>,
    routes: Routes,
    plan: RootPlan,
    own: Sender<Request>,
    requests: Receiver<Request>,
    said: Option<String>,
    /// Until the first scan is through (or the root is known to be away), the daemon is not idle.
    starting: Option<Scanning>,
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
        loop {
            if self.indexer.is_stopping() {
                return;
            }
            match self.take_on() {
                Some((handle, network)) => {
                    let stop = self.keep(&handle, network);
                    self.let_go(&handle);
                    if stop {
                        return;
                    }
                }
                None => match self.wait_for_volume() {
                    Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Request::CatchUp) => self.catch_up(),
                    Ok(Request::Scan(_)) | Err(RecvTimeoutError::Timeout) => {}
                },
            }
        }
    }

    fn wait_for_volume(&mut self) -> Result<Request, RecvTimeoutError> {
        self.starting = None;
        self.requests.recv_timeout(PRESENCE)
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
                    .insert(handle.id, self.own.clone());
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
    fn keep(&mut self, handle: &Arc<RootHandle>, network: bool) -> bool {
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
                if !self.full_scan(handle, first) && !handle.is_present() {
                    return false;
                }
                first = false;
                self.starting = None;
                due = Instant::now() + every;
            }
            let wait = PRESENCE.min(due.saturating_duration_since(Instant::now()));
            match self.requests.recv_timeout(wait) {
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(Request::CatchUp) => self.catch_up(),
                Ok(Request::Scan(scope)) => {
                    if !handle.is_present() {
                        return false;
                    }
                    let Some(scopes) = self.merge(scope) else {
                        return true;
                    };
                    if scopes.iter().any(|s| s.dir.is_root()) {
                        due = Instant::now();
                        continue;
                    }
                    for scope in scopes {
                        self.scan(handle, &scope);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !handle.is_present() {
                        return false;
                    }
                }
            }
        }
    }

    /// Takes all waiting requests at once; those inside another are dropped. `None`: stop.
    fn merge(&self, first: ScanScope) -> Option<Vec<ScanScope>> {
        let mut scopes = vec![first];
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Stop => return None,
                Request::CatchUp => self.catch_up(),
                Request::Scan(scope) => scopes.push(scope),
            }
        }
        let inside = |i: usize| {
            scopes.iter().enumerate().any(|(j, other)| {
                i != j
                    && other.deletion == scopes[i].deletion
                    && scopes[i].dir.is_within(&other.dir)
                    && (scopes[i].dir != other.dir || j < i)
            })
        };
        let keep: Vec<bool> = (0..scopes.len()).map(|i| !inside(i)).collect();
        let mut keep = keep.iter();
        scopes.retain(|_| *keep.next().unwrap_or(&true));
        Some(scopes)
    }

    fn full_scan(&self, handle: &Arc<RootHandle>, first: bool) -> bool {
        let outcome = self.scan(handle, &whole());
        let Some(outcome) = outcome.filter(|o| o.complete) else {
            return false;
        };
        if outcome.held > 0 {
            self.observer.notice(&format!(
                "{} files in {} disappeared at once and are held, not deleted: bring them back, or confirm with `photond index --confirm-deletions`",
                outcome.held,
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
        self.catch_up();
        true
    }

    fn catch_up(&self) {
        match self.indexer.catch_up() {
            Ok(0) => {}
            Ok(n) => tracing::info!("{n} photos indexed without the model get their tags"),
            Err(e) => tracing::warn!("{e}"),
        }
    }

    fn scan(&self, handle: &RootHandle, scope: &ScanScope) -> Option<crate::index::ScanOutcome> {
        match self.indexer.scan(handle, scope, Some(&Arming(&self.live))) {
            Ok(outcome) => Some(outcome),
            Err(e) => {
                tracing::warn!("{}: {e}", handle.path.display());
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
