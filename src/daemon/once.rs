//! `photond index`: one pass over the folders, then an end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::DaemonError;
use super::lock::DataDirLock;
use super::report::ModelReport;
use super::start::{Setup, Started};
use super::{Observer, tags, watch};
use crate::index::{Activity, RootState, ScanScope, Snapshot};
use crate::store::Store;

/// How one pass is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnceOptions {
    /// Delete the rows held after a mass disappearance.
    pub confirm_deletions: bool,
}

/// What one pass did.
#[derive(Debug, Clone)]
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
}

/// Indexes the setup's roots once.
///
/// # Errors
/// If a root is not there, or the index cannot be written.
pub fn index_once(
    setup: &Setup,
    options: OnceOptions,
    observer: &dyn Observer,
) -> Result<Summary, DaemonError> {
    let begun = Instant::now();
    let mut roots = Vec::new();
    for path in setup.resolved_roots()? {
        let filter = setup.filter(&path)?;
        roots.push((path, filter));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let Started {
        lock,
        indexer,
        model,
    } = setup.start(false, observer)?;
    let flag = Arc::clone(&interrupted);
    let _signals = watch::on_stop_signal(move || flag.store(true, Ordering::Relaxed))?;
    let mut handles = Vec::new();
    for (path, filter) in &roots {
        match indexer.attach(path, Arc::clone(filter))? {
            (RootState::Offline { why }, _) => {
                return Err(DaemonError::Root {
                    path: path.clone(),
                    reason: why,
                });
            }
            (_, handle) => handles.extend(handle),
        }
    }
    indexer.wait_for_models(Duration::from_secs(60));
    let scanned: Result<(), DaemonError> = std::thread::scope(|scope| {
        let scans: Vec<_> = handles
            .iter()
            .map(|root| {
                let indexer = &indexer;
                scope.spawn(move || indexer.scan(root, &ScanScope::whole(), None))
            })
            .collect();
        while scans.iter().any(|s| !s.is_finished()) && !watch_stop(&indexer, &interrupted) {
            std::thread::sleep(Duration::from_millis(50));
            observer.progress(Activity::Scanning, &indexer.progress().snapshot());
        }
        for scan in scans {
            scan.join()
                .map_err(|_| crate::index::IndexError::StageDied("scan"))??;
        }
        Ok(())
    });
    if scanned.is_ok() {
        drain(&indexer, &interrupted, observer);
        if !indexer.is_stopping() {
            // On a thread of its own, so that a stop is heard: it waits for the models.
            let caught_up = std::thread::scope(|scope| {
                let work = scope.spawn(|| indexer.catch_up());
                while !work.is_finished() && !watch_stop(&indexer, &interrupted) {
                    std::thread::sleep(Duration::from_millis(50));
                    let progress = indexer.progress();
                    observer.progress(progress.activity(), &progress.snapshot());
                }
                work.join()
                    .map_err(|_| crate::index::IndexError::StageDied("catch-up"))?
            });
            if !indexer.is_stopping() {
                caught_up?;
            }
            drain(&indexer, &interrupted, observer);
            if !indexer.is_stopping() {
                indexer.settle_search()?;
                tags::finish(&indexer, &interrupted, observer);
            }
        }
    }
    if scanned.is_ok() && options.confirm_deletions && !indexer.is_stopping() {
        // After the scan: what has come back is no longer held.
        let mut forgotten = 0;
        for root in &handles {
            let id = root.id;
            forgotten += indexer.with_store(move |store| store.release_missing(id, None))?;
        }
        let word = if forgotten == 1 { "file" } else { "files" };
        observer.notice(&format!("{forgotten} missing {word} forgotten"));
    }
    let counters = indexer.progress().snapshot();
    let model = ModelReport::new(&model, indexer.model_state());
    let store = indexer.stop()?;
    scanned?;
    let held = store.held_missing()?;
    let failing = store.reader()?.counts()?.failed;
    drop((store, lock));
    Ok(Summary {
        counters,
        elapsed: begun.elapsed(),
        failing,
        held,
        model,
        interrupted: interrupted.load(Ordering::Relaxed),
    })
}

/// Takes the setup's roots out of the index; for each, how many files that were.
///
/// # Errors
/// If another process works on the index, or it cannot be written.
pub fn forget_roots(setup: &Setup) -> Result<Vec<(PathBuf, Option<usize>)>, DaemonError> {
    let _lock = DataDirLock::take(&setup.data_dir)?;
    let (mut store, _) = Store::open(&setup.data_dir)?;
    let mut forgotten = Vec::new();
    for path in setup.resolved_roots()? {
        let files = store.forget_root(&path)?;
        forgotten.push((path, files));
    }
    Ok(forgotten)
}

fn drain(indexer: &crate::index::Indexer, interrupted: &AtomicBool, observer: &dyn Observer) {
    while !watch_stop(indexer, interrupted)
        && !indexer.progress().wait_idle(Duration::from_millis(100))
    {
        observer.progress(
            indexer.progress().activity(),
            &indexer.progress().snapshot(),
        );
    }
}

fn watch_stop(indexer: &crate::index::Indexer, interrupted: &AtomicBool) -> bool {
    if interrupted.load(Ordering::Relaxed) {
        indexer.ask_to_stop();
    }
    indexer.is_stopping()
}
