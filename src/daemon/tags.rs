//! Tags from outside: waiting for them, and having all photos tagged again without opening any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::DaemonError;
use super::sighting::Sighting;
use super::start::{Setup, tell};
use super::{DataDirLock, Observer, signals};
use crate::index::{Indexer, TagReport, tag_again};
use crate::model::default_pack;
use crate::store::{Store, StoreError, ask_again_beside};
use crate::tag::{OWN_TERMS_DIR, OwnTerms};

/// A one-shot run does not wait longer than this for a search model to encode words …
const PATIENCE: Duration = Duration::from_secs(120);
/// … and not at all if the rest would take longer than this.
const LONG: Duration = Duration::from_secs(600);
/// Seconds after which the rate is known well enough to give up.
const KNOWN: Duration = Duration::from_secs(10);

/// Does what is left to do for tags, or as much of it as is worth waiting for.
pub(super) fn finish(indexer: &Indexer, interrupted: &AtomicBool, observer: &dyn Observer) {
    let begun = Instant::now();
    while !interrupted.load(Ordering::Relaxed) && !indexer.is_stopping() && indexer.tend_tags() {
        let report = indexer.tag_report();
        observer.tags(&report);
        let (encoded, terms) = report.terms;
        if report.stale > 0 || encoded == terms {
            continue;
        }
        let left = report.eta_s().map_or(Duration::ZERO, Duration::from_secs);
        let waited = begun.elapsed();
        if waited > PATIENCE || (waited > KNOWN && left > LONG) {
            observer.notice(&format!(
                "{encoded} of {terms} words of the vocabulary are there to tag with; `photond watch`, or the next `photond index`, goes on (about {} min)",
                left.as_secs().div_ceil(60)
            ));
            break;
        }
    }
}

/// Tags all photos again from their stored vectors, in this process.
///
/// # Errors
/// If another process works on the index, or it cannot be written.
pub fn retag(setup: &Setup, observer: &dyn Observer) -> Result<TagReport, DaemonError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let _lock = DataDirLock::take(&setup.data_dir)?;
    let (mut store, recovery) = Store::open(&setup.data_dir)?;
    tell(recovery, observer);
    let flag = Arc::clone(&interrupted);
    let _signals = signals::on_stop_signal(move || flag.store(true, Ordering::Relaxed))?;
    store.ask_again()?;
    store.count_from(setup.config.min_confidence)?;
    let plan = setup.tag_plan(&default_pack()?)?;
    let report = tag_again(&mut store, plan, &interrupted, &|now| observer.tags(now))?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(DaemonError::Interrupted);
    }
    Ok(report)
}

/// Asks the running daemon to tag all photos again. Returns the wish's number: it has been heard
/// when the daemon reports it.
///
/// # Errors
/// If the database cannot be written.
pub fn request_retag(data_dir: &Path) -> Result<i64, StoreError> {
    let wish = ask_again_beside(data_dir)?;
    // A change of the folder's time wakes the daemon; without, its next look around does.
    let folder = std::fs::File::open(data_dir.join(OWN_TERMS_DIR));
    let _ = folder.and_then(|folder| folder.set_modified(std::time::SystemTime::now()));
    Ok(wish)
}

/// What says that tags may have to be made otherwise: the folder of a person's own words, and the file.
pub(super) struct TagWishes {
    paths: [PathBuf; 2],
    seen: [Sighting; 2],
}

impl TagWishes {
    pub fn new(data_dir: &Path) -> Self {
        let paths = [data_dir.join(OWN_TERMS_DIR), OwnTerms::path(data_dir)];
        let seen = paths.each_ref().map(|path| Sighting::of(path));
        Self { paths, seen }
    }

    /// Whether there is something new since the last look.
    pub fn changed(&mut self) -> bool {
        let now = self.paths.each_ref().map(|path| Sighting::of(path));
        let before = std::mem::replace(&mut self.seen, now);
        before != self.seen
    }
}
