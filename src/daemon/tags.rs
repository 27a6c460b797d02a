//! Labels from outside: waiting for them, and tagging all photos again without opening any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::DaemonError;
use super::sighting::Sighting;
use super::start::Setup;
use super::{Observer, watch};
use crate::index::{Indexer, LabelPhase, LabelReport};
use crate::tag::{OWN_TERMS_DIR, OwnTerms};

/// A one-shot run does not wait longer than this for terms to be encoded …
const PATIENCE: Duration = Duration::from_secs(120);
/// … and not at all if the rest would take longer than this.
const LONG: Duration = Duration::from_secs(600);
/// Terms after which the rate is known well enough to give up.
const KNOWN: usize = 64;
/// Name of the file, beside the user's own terms, that asks a running daemon to tag all photos
/// again. It is deleted when that has begun.
const RETAG_FILE: &str = "retag";

/// Waits until photos are labelled with all terms, or as far as it goes. Returns the last report.
pub(super) fn wait(
    indexer: &Indexer,
    interrupted: &AtomicBool,
    observer: &dyn Observer,
) -> LabelReport {
    // Twice: a look that was under way may have begun before the last photos were written.
    let mut seen = indexer.label_report().looks;
    let settled = seen + 2;
    indexer.request_labels();
    let begun = Instant::now();
    loop {
        if interrupted.load(Ordering::Relaxed) {
            indexer.ask_to_stop();
        }
        let report = indexer.label_report();
        if indexer.is_stopping() || report.looks >= settled || !indexer.labels() {
            return report;
        }
        if report.looks > seen {
            seen = report.looks;
            indexer.request_labels();
        }
        if report.phase == LabelPhase::Encoding {
            let left = report.eta_s().map_or(Duration::ZERO, Duration::from_secs);
            let known = report.encoded >= KNOWN;
            let enough = begun.elapsed() > PATIENCE || (known && left > LONG);
            if enough && report.rows_tagged {
                observer.notice(&format!(
                    "{} of {} words of the vocabulary are there to tag with; `photond watch`, or the next `photond index`, goes on (about {} min)",
                    report.terms,
                    report.of,
                    left.as_secs().div_ceil(60)
                ));
                return report;
            }
        }
        observer.labels(&report);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tags all photos again from their stored vectors, in this process.
///
/// # Errors
/// If another process works on the index, or it cannot be written.
pub fn retag(setup: &Setup, observer: &dyn Observer) -> Result<LabelReport, DaemonError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let started = setup.start_labels(observer)?;
    let flag = Arc::clone(&interrupted);
    let _signals = watch::on_stop_signal(move || flag.store(true, Ordering::Relaxed))?;
    let indexer = &started.indexer;
    indexer.request_retag();
    // Heard first: a look that was under way knows nothing of it.
    while indexer.label_report().retags == 0 && indexer.labels() && !indexer.is_stopping() {
        if interrupted.load(Ordering::Relaxed) {
            indexer.ask_to_stop();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let report = wait(indexer, &interrupted, observer);
    drop(started.indexer.stop()?);
    drop(started.lock);
    if interrupted.load(Ordering::Relaxed) {
        return Err(DaemonError::Settings(
            "interrupted; what was tagged stays, run it again to go on".to_owned(),
        ));
    }
    Ok(report)
}

/// Asks the running daemon to tag all photos again.
///
/// # Errors
/// If the data directory cannot be written.
pub fn request_retag(data_dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(data_dir.join(OWN_TERMS_DIR))?;
    std::fs::write(retag_file(data_dir), b"")
}

/// True once for each request.
pub(super) fn take_retag(data_dir: &Path) -> bool {
    std::fs::remove_file(retag_file(data_dir)).is_ok()
}

/// Whether the daemon has not seen the request yet.
#[must_use]
pub fn retag_waits(data_dir: &Path) -> bool {
    retag_file(data_dir).exists()
}

fn retag_file(data_dir: &Path) -> PathBuf {
    data_dir.join(OWN_TERMS_DIR).join(RETAG_FILE)
}

/// The file of the user's own terms, looked at for changes.
pub(super) struct OwnTermsFile {
    path: PathBuf,
    seen: Sighting,
}

impl OwnTermsFile {
    pub fn new(data_dir: &Path) -> Self {
        let path = OwnTerms::path(data_dir);
        let seen = Sighting::of(&path);
        Self { path, seen }
    }

    /// Whether it is another file than at the last look.
    pub fn changed(&mut self) -> bool {
        let before = std::mem::replace(&mut self.seen, Sighting::of(&self.path));
        before != self.seen
    }
}
