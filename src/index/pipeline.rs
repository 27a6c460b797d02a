//! The pipeline as a whole: starts its threads in order, feeds them, stops them in order.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded, unbounded};

use super::catch_up::{CatchUp, Request};
use super::claims::Claims;
use super::commit::CommitThread;
use super::embed::{EmbedThread, Order};
use super::error::IndexError;
use super::inflight::InFlight;
use super::job::{Job, Task, Write};
use super::lanes::ModelPlan;
use super::later::put_off;
use super::progress::Progress;
use super::roots::{RootHandle, RootState, Roots};
use super::scan::{ArmDirectory, ScanOutcome, ScanScope, Scanner};
use super::spaces::Spaces;
use super::stage::{Deadman, spawn};
use super::tagging::{TagReport, Tagging};
use super::worker::{Outputs, Shared, Worker};
use crate::media::{Inspector, Limits};
use crate::photo::RelPath;
use crate::source::Filter;
use crate::store::{FileKey, Store, StoreError, StoreReader, ThumbStore};

/// How the pipeline uses the machine.
pub struct IndexerOptions {
    /// Photos worked on at once.
    pub parallel: usize,
    /// Largest file read, in bytes.
    pub max_file: u64,
    /// Low CPU and I/O priority.
    pub background: bool,
    /// The models, if any are to be used.
    pub model: Option<ModelPlan>,
}

/// The running pipeline.
pub struct Indexer {
    pub(super) shared: Arc<Shared>,
    urgent: Sender<Job>,
    backlog: Sender<Job>,
    write: Sender<Write>,
    pub(super) orders: Sender<Order>,
    pub(super) catch_up: Arc<CatchUp>,
    pub(super) catch_up_requests: Sender<Request>,
    catching_up: Option<JoinHandle<()>>,
    pub(super) data_dir: std::path::PathBuf,
    workers: Vec<JoinHandle<()>>,
    embed: Option<JoinHandle<()>>,
    later: Option<JoinHandle<()>>,
    commit: Option<JoinHandle<Result<Store, StoreError>>>,
    pub(super) tag_report: Arc<Mutex<TagReport>>,
    pub(super) text_lent: Arc<AtomicUsize>,
}

/// Live paths waiting for a worker: a burst this long is a second's work or more, and the watcher
/// collapses longer ones into scans.
const URGENT_QUEUE: usize = 4096;
/// Paths a scan runs ahead of the workers: enough that none ever waits, small in memory.
const BACKLOG_QUEUE: usize = 256;
/// Inspected photos waiting for the models, live ones and others apart: a round each. A photo waits
/// with 0.6 MB for each model that wants 224 pixels, 1.8 MB for one that wants 384.
const EMBED_QUEUE: usize = 8;
/// Changes waiting for the writer: two transactions.
const WRITE_QUEUE: usize = 256;

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
        let roots = Arc::new(Roots::default());
        let inflight = Arc::new(InFlight::default());
        let shared = Arc::new(Shared {
            progress: Arc::new(Progress::default()),
            roots: Arc::clone(&roots),
            inflight: Arc::clone(&inflight),
            inspector: Inspector::new(Limits::default()),
            spaces: Spaces::default(),
            embedding: Claims::default(),
            max_file: options.max_file,
            damaged: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            background: options.background,
        });
        let (urgent, urgent_in) = bounded(URGENT_QUEUE);
        let (backlog, backlog_in) = bounded(BACKLOG_QUEUE);
        let (embed_out, embed_in) = bounded(EMBED_QUEUE);
        let (embed_urgent, embed_urgent_in) = bounded(EMBED_QUEUE);
        // Orders are a person's, one at a time.
        let (orders, orders_in) = unbounded();
        let (write, write_in) = bounded(WRITE_QUEUE);
        // Jobs put off are few: files caught while they were being written.
        let (later_out, later_in) = unbounded();
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
        let commit = CommitThread {
            shared: Arc::clone(&shared),
            roots,
            inflight,
            store,
            thumbs,
            input: write_in,
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
            backlog: Mutex::new(Some(backlog.clone())),
            write: Mutex::new(Some(write.clone())),
            orders: Mutex::new(Some(orders.clone())),
            settled: Mutex::default(),
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
        let mut workers = Vec::with_capacity(parallel);
        for reader in readers {
            let out = Outputs {
                embed: embed_out.clone(),
                embed_urgent: embed_urgent.clone(),
                write: write.clone(),
                later: later_out.clone(),
            };
            let worker = Worker::new(Arc::clone(&shared), reader, out);
            let (urgent, backlog) = (urgent_in.clone(), backlog_in.clone());
            let watched = Deadman(Arc::clone(&shared));
            workers.push(spawn("worker", move || {
                worker.run(&urgent, &backlog);
                drop(watched);
            })?);
        }
        let (again, stop) = (urgent.clone(), Arc::clone(&shared));
        let later = spawn("later", move || put_off(&later_in, &again, &stop.stop))?;
        // Two that wait are enough: each looks at everything.
        let (catch_up_requests, requested) = bounded(2);
        let work = Arc::clone(&catch_up);
        let catching_up = spawn("catch-up", move || work.serve(&requested))?;
        Ok(Self {
            tag_report,
            text_lent,
            shared,
            urgent,
            backlog,
            write,
            orders,
            catch_up,
            catch_up_requests,
            data_dir: data_dir.to_path_buf(),
            workers,
            catching_up: Some(catching_up),
            embed: Some(embed),
            later: Some(later),
            commit: Some(commit),
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
        Write::ask(&self.write, work)
    }

    /// Runs something on the writer's store when it comes to it; dropped if the writer is behind.
    pub fn post(&self, work: impl FnOnce(&mut Store) + Send + 'static) {
        let _ = self.write.try_send(Write::Run(Box::new(work)));
    }

    /// Looks at a root's path and, if its volume is there, takes it on. Its files are not scanned.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn attach(
        &self,
        path: &Path,
        filter: Arc<Filter>,
    ) -> Result<(RootState, Option<Arc<RootHandle>>), IndexError> {
        let known = {
            let path = path.to_path_buf();
            self.with_store(move |store| store.root_at(&path))?
        };
        let state = RootState::look(path, known.as_ref().map(|row| (row, row.files())));
        match &state {
            RootState::Offline { why } => {
                if let Some(row) = known {
                    let why = why.clone();
                    self.shared.roots.remove(row.id);
                    self.with_store(move |store| store.root_offline(row.id, &why))?;
                }
                Ok((state, None))
            }
            RootState::Online { volume, place, .. } => {
                let place = *place;
                let (path_owned, volume) = (path.to_path_buf(), volume.clone());
                let row = self.with_store(move |store| store.adopt_root(&path_owned, &volume))?;
                let handle = Arc::new(RootHandle::new(row.id, path, filter, place));
                self.shared.roots.put(Arc::clone(&handle));
                Ok((state, Some(handle)))
            }
        }
    }

    /// Stops work on a root; its rows stay.
    pub fn detach(&self, root: i64) {
        self.shared.roots.remove(root);
    }

    /// Queues one path at once, ahead of the backlog.
    pub fn submit_live(&self, root: i64, path: RelPath) {
        let job = Job {
            key: FileKey { root, path },
            task: Task::Refresh,
            urgent: true,
            tries: 0,
            ticket: self.shared.progress.ticket(),
        };
        let _ = self.urgent.send(job);
    }

    /// Scans part of a root on the calling thread, arming each directory first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn scan(
        &self,
        root: &RootHandle,
        scope: &ScanScope,
        arm: Option<&dyn ArmDirectory>,
    ) -> Result<ScanOutcome, IndexError> {
        let scanner = Scanner {
            shared: Arc::clone(&self.shared),
            reader: StoreReader::open(&self.data_dir)?,
            backlog: self.backlog.clone(),
            urgent: self.urgent.clone(),
            write: self.write.clone(),
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
            let note = (outcome.held > 0).then(|| {
                format!(
                    "{} files disappeared at once and are held: bring them back, or confirm with `photond index --confirm-deletions`",
                    outcome.held
                )
            });
            let (id, other) = (root.id, i64::try_from(outcome.other).unwrap_or(i64::MAX));
            self.with_store(move |store| store.root_scanned(id, other, note.as_deref()))?;
        }
        Ok(outcome)
    }

    /// Asks every stage to end soon: scans break off, queued work is dropped (it was never
    /// acknowledged), what is inspected by now is still committed.
    pub fn ask_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
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
    pub fn stop(mut self) -> Result<Store, IndexError> {
        self.shut_down()?.ok_or(IndexError::StageDied("commit"))
    }

    /// Ends every thread; `None` if that was done before.
    fn shut_down(&mut self) -> Result<Option<Store>, IndexError> {
        self.ask_to_stop();
        // A channel without its last sender is what ends a stage.
        self.urgent = bounded(0).0;
        self.backlog = bounded(0).0;
        self.catch_up_requests = bounded(0).0;
        let mut died = None;
        if self.catching_up.take().is_some_and(|t| t.join().is_err()) {
            died = Some("catch-up");
        }
        self.catch_up.let_go();
        for worker in std::mem::take(&mut self.workers) {
            if worker.join().is_err() {
                died = Some("worker");
            }
        }
        // Its input ends with the workers, and the model's with theirs.
        for (stage, thread) in [("later", self.later.take()), ("embed", self.embed.take())] {
            if thread.is_some_and(|t| t.join().is_err()) {
                died = Some(stage);
            }
        }
        self.write = bounded(0).0;
        let store = match self.commit.take() {
            Some(thread) => Some(
                thread
                    .join()
                    .map_err(|_| IndexError::StageDied("commit"))??,
            ),
            None => None,
        };
        match died {
            _ if self.shared.damaged.load(Ordering::Relaxed) => {
                Err(IndexError::Store(StoreError::Damaged {
                    path: self.data_dir.join(crate::store::INDEX_FILE),
                    reason: "found while reading it".to_owned(),
                }))
            }
            Some(stage) => Err(IndexError::StageDied(stage)),
            None => Ok(store),
        }
    }
}

impl Drop for Indexer {
    /// However it ends, no thread is left behind: a process that exits under a thread that is
    /// inside the model's runtime can crash.
    fn drop(&mut self) {
        if let Err(e) = self.shut_down() {
            tracing::warn!("{e}");
        }
    }
}
