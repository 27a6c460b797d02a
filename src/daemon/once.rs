//! `photond index`: one pass over the folders, then an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::control::HexPath;
use super::error::DaemonError;
use super::keeper::Keeper;
use super::report::ModelReport;
use super::start::{Setup, Started, Way};
use super::{Observer, signals, tags, upkeep};
use serde::{Deserialize, Serialize};

use crate::index::{Ending, IndexError, Indexer, Snapshot};

/// How long folders that could not be read are tried again: out of descriptors, perhaps, or a disk
/// that fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the roots' threads may take to end.
const STOP_PATIENCE: Duration = Duration::from_millis(1500);

/// How one pass is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnceOptions {
    /// Delete the rows held after a mass disappearance.
    pub confirm_deletions: bool,
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Counters.
    pub counters: Snapshot,
    /// Wall time.
    pub elapsed: Duration,
    /// Files that cannot be indexed, those of earlier passes included.
    pub failing: i64,
    /// Files held as missing now.
    pub held: i64,
    /// The model.
    pub model: ModelReport,
    /// A stop came first; what was done stays done.
    pub interrupted: bool,
    /// Folders that were not there or did not answer, and why. The others are indexed.
    pub missing: Vec<(HexPath, String)>,
    /// Folders of which not everything could be read.
    pub left_over: usize,
}

/// Indexes the setup's roots once.
///
/// # Errors
/// If a root is not there, or the index cannot be written.
pub fn index_once(
    setup: &Setup,
    options: OnceOptions,
    observer: &Arc<dyn Observer>,
) -> Result<Summary, DaemonError> {
    let begun = Instant::now();
    let plans = setup.plans()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let Started {
        lock,
        indexer,
        model,
        ..
    } = setup.start(Way::Once, observer.as_ref())?;
    let indexer = Arc::new(indexer);
    let flag = Arc::clone(&interrupted);
    let _signals = signals::on_stop_signal(move || flag.store(true, Ordering::Relaxed))?;
    indexer.wait_for_models(Duration::from_secs(60));
    let keeper = Keeper::new(&indexer, None, observer);
    let pass = Pass {
        indexer: &indexer,
        keeper: &keeper,
        interrupted: &interrupted,
        observer: observer.as_ref(),
    };
    let done = keeper.want(plans).and_then(|()| pass.make(options));
    let missing = keeper.missing();
    let left_over = keeper.left_over();
    keeper.stop(&mut Ending::within(STOP_PATIENCE));
    let counters = indexer.progress().snapshot();
    let model = ModelReport::new(&model, indexer.model_state());
    let mut store = indexer.stop()?;
    done?;
    let held = store.held_missing()?;
    let failing = store.reader()?.counts()?.failed;
    if !interrupted.load(Ordering::Relaxed) {
        upkeep::after_one_pass(&mut store, &setup.data_dir)?;
    }
    drop((store, lock));
    Ok(Summary {
        counters,
        elapsed: begun.elapsed(),
        failing,
        held,
        model,
        interrupted: interrupted.load(Ordering::Relaxed),
        missing: missing
            .iter()
            .map(|(path, why)| (HexPath::new(path), why.clone()))
            .collect(),
        left_over,
    })
}

/// What one pass works with.
struct Pass<'a> {
    indexer: &'a Arc<Indexer>,
    keeper: &'a Keeper,
    interrupted: &'a AtomicBool,
    observer: &'a dyn Observer,
}

impl Pass<'_> {
    /// On a thread of its own, so that a stop is heard: it waits for the models.
    fn catch_up(&self) -> Result<u64, IndexError> {
        self.beside(|| self.indexer.catch_up())
    }

    fn beside(
        &self,
        work: impl FnOnce() -> Result<u64, IndexError> + Send,
    ) -> Result<u64, IndexError> {
        std::thread::scope(|scope| {
            let work = scope.spawn(work);
            while !work.is_finished() && !self.is_stopping() {
                std::thread::sleep(Duration::from_millis(50));
                self.show();
            }
            work.join().map_err(|_| IndexError::StageDied("catch-up"))?
        })
    }

    fn make(&self, options: OnceOptions) -> Result<(), DaemonError> {
        self.look_through()?;
        if self.is_stopping() {
            return Ok(());
        }
        // A photo that is in work for one reason is passed over for another, and not in work the second time.
        for _ in 0..2 {
            let caught_up = self.catch_up();
            if self.is_stopping() {
                return Ok(());
            }
            let caught_up = caught_up?;
            self.drain()?;
            if self.is_stopping() {
                return Ok(());
            }
            if caught_up == 0 {
                break;
            }
        }
        self.indexer.settle_search()?;
        self.beside(|| self.indexer.look_closer())?;
        if self.is_stopping() {
            return Ok(());
        }
        tags::finish(self.indexer, self.interrupted, self.observer);
        if options.confirm_deletions && !self.is_stopping() {
            // After the scan: what has come back is no longer held.
            let mut forgotten = 0;
            for id in self.keeper.roots() {
                forgotten += self
                    .indexer
                    .with_store(move |store| store.release_missing(id))?;
            }
            let word = if forgotten == 1 { "file" } else { "files" };
            self.observer
                .notice(&format!("{forgotten} missing {word} forgotten"));
        }
        Ok(())
    }

    /// Until every root has been read, with what could not be read at first tried again for a while.
    fn look_through(&self) -> Result<(), DaemonError> {
        self.drain()?;
        let begun = Instant::now();
        while self.keeper.left_over() > 0 && begun.elapsed() < PATIENCE && !self.is_stopping() {
            std::thread::sleep(Duration::from_millis(100));
            self.drain()?;
        }
        Ok(())
    }

    /// Until there is nothing to do.
    fn drain(&self) -> Result<(), DaemonError> {
        loop {
            self.keeper.turn()?;
            let idle = self
                .indexer
                .progress()
                .wait_idle(Duration::from_millis(100));
            if self.is_stopping() || (idle && self.keeper.is_settled()) {
                return Ok(());
            }
            self.show();
        }
    }

    fn show(&self) {
        let progress = self.indexer.progress();
        self.observer
            .progress(progress.activity(), &progress.snapshot());
    }

    fn is_stopping(&self) -> bool {
        if self.interrupted.load(Ordering::Relaxed) {
            self.indexer.ask_to_stop();
        }
        self.indexer.is_stopping()
    }
}
