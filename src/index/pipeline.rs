//! The pipeline as a whole: starts its threads in order, feeds them, stops them in order.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};

use super::adopt::{self, RootState};
use super::catch_up::{CatchUp, Request};
use super::claims::Claims;
use super::closer::{CloserPlan, CloserThread};
use super::commit::CommitThread;
use super::crew::Crew;
use super::departures::Departures;
use super::embed::{EmbedThread, Order};
use super::error::IndexError;
use super::gate::{Flow, Gate};
use super::inflight::InFlight;
use super::job::{Job, Write};
use super::lanes::ModelPlan;
use super::later::Later;
use super::links::LinkNames;
use super::localities::BuiltInNames;
use super::priority;
use super::probe::Probe;
use super::progress::{CLOSER, Progress};
use super::roots::RootHandle;
use super::scan::{ArmDirectory, ScanOutcome, Scanner, enqueue};
use super::spaces::Spaces;
use super::stage::{Deadman, Ending, spawn};
use super::tagging::{TagReport, Tagging};
use super::wanted::{ScanScope, WantedScans};
use super::worker::{Outputs, Shared};
use crate::media::Inspects;
use crate::photo::RelPath;
use crate::source::Filter;
use crate::store::{Store, StoreError, StoreReader, ThumbStore};

/// How the pipeline uses the machine.
pub struct IndexerOptions {
    /// Photos worked on at once.
    pub parallel: usize,
    /// Largest file read, in bytes.
    pub max_file: u64,
    /// Low CPU and I/O priority.
    pub background: bool,
    /// One pass and an end: what keeps changing is given up after some tries.
    pub one_pass: bool,
    /// Who looks at pictures.
    pub inspector: Arc<dyn Inspects>,
    /// The models, if any are to be used.
    pub model: Option<ModelPlan>,
    /// The models that look closer, behind everything else.
    pub closer: Vec<CloserPlan>,
}

/// The running pipeline.
pub struct Indexer {
    pub(super) shared: Arc<Shared>,
    ways: Ways,
    later: Later,
    pub(super) orders: Sender<Order>,
    pub(super) catch_up: Arc<CatchUp>,
    pub(super) catch_up_requests: Sender<Request>,
    pub(super) data_dir: std::path::PathBuf,
    crew: Mutex<Crew>,
    stages: Mutex<Stages>,
    pub(super) tag_report: Arc<Mutex<TagReport>>,
    pub(super) text_lent: Arc<AtomicUsize>,
}

/// The threads beside the workers.
#[derive(Default)]
struct Stages {
    catching_up: Option<JoinHandle<()>>,
    /// Dropped, it ends the thread that looks closer.
    closer_goes_on: Option<Sender<()>>,
    closer: Option<JoinHandle<()>>,
    embed: Option<JoinHandle<()>>,
    putting_off: Option<JoinHandle<()>>,
    commit: Option<JoinHandle<Result<Store, StoreError>>>,
}

/// The ways into the pipeline.
struct Ways {
    urgent: Sender<Job>,
    backlog: Sender<Job>,
    write: Sender<Write>,
}

/// Live paths waiting for a worker: a burst this long is a second's work or more, and the watcher
/// collapses longer ones into scans.
const URGENT_QUEUE: usize = 4096;
/// Paths a scan runs ahead of the workers: enough that none ever waits, small in memory.
const BACKLOG_QUEUE: usize = 256;
/// Inspected photos waiting for the models, live ones and others apart: a round each. A photo waits
/// with 0.6 MB for each model that wants 224 pixels, 1.8 MB for one that wants 384, 1 MB for both detectors.
const EMBED_QUEUE: usize = 8;
/// Changes waiting for the writer: two transactions.
const WRITE_QUEUE: usize = 256;
/// How long the stages may take to end. With what comes before and after, a stop takes no more than
/// five seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

impl Indexer {
    /// Starts all threads. The store is the writer's from here on.
    ///
    /// # Errors
    /// If a thread or a reader cannot be had.
    pub fn start(
        mut store: Store,
        thumbs: ThumbStore,
        data_dir: &Path,
        options: IndexerOptions,
    ) -> Result<Self, IndexError> {
        let parallel = options.parallel.max(1);
        let inflight = Arc::new(InFlight::default());
        let shared = Arc::new(Shared {
            progress: Arc::new(Progress::default()),
            roots: Arc::default(),
            inflight: Arc::clone(&inflight),
            inspector: options.inspector,
            gate: Gate::default(),
            spaces: Spaces::default(),
            closer: Spaces::default(),
            embedding: Claims::default(),
            links: LinkNames::default(),
            large: Arc::default(),
            max_file: options.max_file,
            one_pass: options.one_pass,
            damaged: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            background: options.background,
        });
        let (urgent, urgent_in) = bounded(URGENT_QUEUE);
        let (backlog, backlog_in) = bounded(BACKLOG_QUEUE);
        let (embed_out, embed_in) = bounded(EMBED_QUEUE);
        let (embed_urgent, embed_urgent_in) = bounded(EMBED_QUEUE);
        let (closer_out, closer_in) = bounded(CLOSER);
        // Orders are a person's, one at a time.
        let (orders, orders_in) = unbounded();
        let (write, write_in) = bounded(WRITE_QUEUE);
        let (later, putting_off) = Later::new(&shared, urgent.clone(), backlog.clone());
        let readers = (0..parallel)
            .map(|_| store.reader())
            .collect::<Result<Vec<_>, _>>()?;
        let tags = options.model.as_ref().map(|plan| plan.tags.clone());
        let (tagging, current) = tags
            .map(|plan| Tagging::begin(plan, &mut store))
            .transpose()?
            .unzip();
        let tag_report = tagging.as_ref().map(Tagging::report).unwrap_or_default();
        let text_lent = tagging.as_ref().map(Tagging::lent).unwrap_or_default();
        store.name_localities(Box::new(BuiltInNames::new()?))?;
        let commit = CommitThread {
            shared: Arc::clone(&shared),
            inflight,
            store,
            thumbs,
            input: write_in,
            later: later.clone(),
            departures: Departures::default(),
        };
        let watched = Deadman(Arc::clone(&shared));
        let commit = spawn("commit", move || {
            let result = commit.run();
            if result.is_err() {
                watched.report();
            }
            drop(watched);
            result
        })?;
        let catch_up = Arc::new(CatchUp {
            shared: Arc::clone(&shared),
            plan: options
                .model
                .as_ref()
                .map(|plan| (Arc::clone(&plan.tags.classifier), plan.derived.clone())),
            tagging: Mutex::new(tagging),
            data_dir: data_dir.to_path_buf(),
            backlog: backlog.clone(),
            write: write.clone(),
            orders: orders.clone(),
            settled: Mutex::default(),
            detecting: Mutex::default(),
            looking_closer: Mutex::default(),
        });
        let embed = EmbedThread::new(
            Arc::clone(&shared),
            (options.model, current),
            (orders_in, embed_urgent_in, embed_in),
            write.clone(),
        );
        let watched = Deadman(Arc::clone(&shared));
        let embed = spawn("embed", move || {
            embed.run();
            drop(watched);
        })?;
        let (closer_goes_on, quit) = bounded(0);
        let closer = CloserThread::new(
            Arc::clone(&shared),
            data_dir,
            options.closer,
            (closer_in, quit),
            write.clone(),
        );
        let watched = Deadman(Arc::clone(&shared));
        let closer = spawn("closer", move || {
            closer.run();
            drop(watched);
        })?;
        let out = Outputs {
            embed: embed_out,
            embed_urgent,
            closer: closer_out,
            write: write.clone(),
            later: later.clone(),
        };
        let mut crew = Crew::new(Arc::clone(&shared), out, (urgent_in, backlog_in));
        for reader in readers {
            crew.take_on(reader)?;
        }
        let putting_off = spawn("later", move || putting_off.run())?;
        // Two that wait are enough: each looks at everything.
        let (catch_up_requests, requested) = bounded(2);
        let work = Arc::clone(&catch_up);
        let catching_up = spawn("catch-up", move || work.serve(&requested))?;
        Ok(Self {
            tag_report,
            text_lent,
            shared,
            ways: Ways {
                urgent,
                backlog,
                write,
            },
            later,
            orders,
            catch_up,
            catch_up_requests,
            data_dir: data_dir.to_path_buf(),
            crew: Mutex::new(crew),
            stages: Mutex::new(Stages {
                catching_up: Some(catching_up),
                closer_goes_on: Some(closer_goes_on),
                closer: Some(closer),
                embed: Some(embed),
                putting_off: Some(putting_off),
                commit: Some(commit),
            }),
        })
    }

    /// Counters.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.shared.progress
    }

    /// Runs something on the writer's store, between two batches, and waits for its answer.
    ///
    /// # Errors
    /// If the writer has died, or the work itself fails.
    pub fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, IndexError> {
        Write::ask(&self.ways.write, work)
    }

    /// Runs something on the writer's store when it comes to it; dropped, and false, if the writer is behind.
    pub fn post(&self, work: impl FnOnce(&mut Store) + Send + 'static) -> bool {
        let work = Write::Run(Box::new(work));
        self.ways.write.try_send(work).is_ok()
    }

    /// Looks at a root's path and, if its volume is there, takes it on. Its files are not scanned.
    /// Asks the root's disk, on the calling thread.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn attach(
        &self,
        path: &Path,
        filter: Arc<Filter>,
        wanted: &Arc<WantedScans>,
    ) -> Result<(RootState, Option<Arc<RootHandle>>), IndexError> {
        let state = adopt::look(path, &StoreReader::open(&self.data_dir)?)?;
        let path_owned = path.to_path_buf();
        match &state {
            RootState::Offline { why } => {
                let why = why.clone();
                self.with_store(move |store| match store.root_at(&path_owned)? {
                    Some(row) => store.root_offline(row.id, &why),
                    None => Ok(()),
                })?;
                Ok((state, None))
            }
            RootState::Online {
                volume,
                place,
                known,
                ..
            } => {
                let (name, mark, known) = (volume.clone(), place.mark(), *known);
                let row = self.with_store(move |store| {
                    store.adopt_root(&path_owned, (&name, &mark), known)
                })?;
                let handle = Arc::new(RootHandle::new(
                    (row.id, path),
                    filter,
                    Arc::clone(wanted),
                    (volume.clone(), *place),
                    Probe::start(&self.data_dir)?,
                ));
                self.shared.roots.put(Arc::clone(&handle));
                Ok((state, Some(handle)))
            }
        }
    }

    /// Ends work under this handle; the root's rows stay.
    pub fn detach(&self, root: &Arc<RootHandle>) {
        root.end();
        self.shared.roots.remove(root);
    }

    /// The root in work under this number.
    pub fn root(&self, id: i64) -> Option<Arc<RootHandle>> {
        self.shared.roots.get(id)
    }

    /// Queues one path at once, ahead of the backlog.
    pub fn submit_live(&self, root: i64, path: RelPath) {
        if let Some(root) = self.root(root) {
            let job = Job::refresh(&root, path, &self.shared.progress).live();
            let _ = enqueue(&self.ways.urgent, job, &self.shared.stop, &|| {});
        }
    }

    /// Lets this much work through from now on; what is under way is finished.
    pub fn let_through(&self, flow: Flow) {
        if self.shared.gate.set(flow) {
            self.shared.progress.turn();
            if flow == Flow::Everything {
                self.request_catch_up();
            }
        }
    }

    /// Lowers the calling thread's priority if this is work in the background.
    pub fn step_back(&self) {
        if self.shared.background {
            priority::lower();
        }
    }

    /// Puts others in the place of workers that wait for a disk that hangs: to be called now and
    /// then.
    pub fn look_after_workers(&self) {
        self.crew().relieve(&self.data_dir);
    }

    fn crew(&self) -> std::sync::MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Scans part of a root on the calling thread, arming each directory first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn scan(
        &self,
        root: &Arc<RootHandle>,
        scope: &ScanScope,
        arm: Option<&dyn ArmDirectory>,
    ) -> Result<ScanOutcome, IndexError> {
        let scanner = Scanner {
            shared: Arc::clone(&self.shared),
            reader: StoreReader::open(&self.data_dir)?,
            backlog: self.ways.backlog.clone(),
            urgent: self.ways.urgent.clone(),
            write: self.ways.write.clone(),
        };
        let outcome = scanner
            .scan(root, scope, arm)
            .inspect_err(|e| self.shared.met(e))?;
        tracing::info!(
            "{}: {} photos seen, {} new or changed, {} gone, {} held",
            scope.dir.under(&root.path).display(),
            outcome.files,
            outcome.changed,
            outcome.gone,
            outcome.held
        );
        if outcome.complete && scope.dir.is_root() {
            let other = i64::try_from(outcome.skipped.other).unwrap_or(i64::MAX);
            let (id, skipped) = (root.id, outcome.skipped.to_json());
            self.with_store(move |store| store.root_scanned(id, other, &skipped))?;
        }
        Ok(outcome)
    }

    /// Asks every stage to end soon: scans break off, queued work is dropped (it was never
    /// acknowledged), what is inspected by now is still committed.
    pub fn ask_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.large.close();
    }

    /// True once a stop was asked for or the writer has died.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
            || self.shared.progress.dead.load(Ordering::Relaxed)
    }

    /// Stops in order: workers, model, writer. Returns the store for the last upkeep.
    ///
    /// # Errors
    /// What made the writer fail, or the name of a stage that panicked.
    pub fn stop(&self) -> Result<Store, IndexError> {
        self.shut_down()?.ok_or(IndexError::StageDied("commit"))
    }

    /// Ends every thread; `None` if that was done before. Whoever hangs is left behind when
    /// [`STOP_PATIENCE`] is over.
    fn shut_down(&self) -> Result<Option<Store>, IndexError> {
        self.ask_to_stop();
        let stages =
            std::mem::take(&mut *self.stages.lock().unwrap_or_else(PoisonError::into_inner));
        let mut end = Ending::within(STOP_PATIENCE);
        self.later.end();
        // A full channel has a request in it, after which it looks whether it is to end.
        let _ = self.catch_up_requests.try_send(Request::End);
        end.wait_for("later", stages.putting_off);
        end.wait_for("catch-up", stages.catching_up);
        let workers = self.crew().dismiss();
        for worker in workers {
            end.wait_for("worker", Some(worker));
        }
        drop(stages.closer_goes_on);
        end.wait_for("closer", stages.closer);
        let _ = self.orders.send(Order::End);
        end.wait_for("embed", stages.embed);
        let Some(commit) = stages.commit else {
            return Ok(None);
        };
        let _ = self.ways.write.send(Write::End);
        // Never given up: what is being written is written to its end, and the writer asks no disk
        // but the index's own.
        let store = commit
            .join()
            .map_err(|_| IndexError::StageDied("commit"))??;
        if self.shared.damaged.load(Ordering::Relaxed) {
            return Err(IndexError::Store(StoreError::Damaged {
                path: self.data_dir.join(crate::store::INDEX_FILE),
                reason: "found while reading it".to_owned(),
            }));
        }
        match end.died {
            Some(stage) => Err(IndexError::StageDied(stage)),
            None => Ok(Some(store)),
        }
    }
}

impl Drop for Indexer {
    /// However it ends, no thread that can end is left behind: a process that exits under a thread
    /// that is inside the model's runtime can crash.
    fn drop(&mut self) {
        if let Err(e) = self.shut_down() {
            tracing::warn!("{e}");
        }
    }
}
