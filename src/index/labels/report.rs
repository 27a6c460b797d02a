//! What the labelling thread says of itself, for `status` and for progress bars.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelPhase {
    /// Not begun: no search model serves queries yet, or labels are turned off.
    #[default]
    Off,
    /// Everything is done.
    Idle,
    /// Photos are set against terms.
    Tagging,
    /// Terms are encoded.
    Encoding,
    /// Something is missing, see the reason.
    Waiting,
}

/// How labelling stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LabelReport {
    /// What is being done.
    pub phase: LabelPhase,
    /// The search model, name and revision.
    pub model: String,
    /// Terms encoded.
    pub terms: usize,
    /// Terms there are to be.
    pub of: usize,
    /// Terms a second, while they are encoded.
    pub rate: f64,
    /// Photos of the pass under way that are through; 0 of 0: none is.
    pub passed: (u64, u64),
    /// Photos a second of it.
    pub pass_rate: f64,
    /// Terms in the pools: on every photo, on some, on few, and on none since they fit everything.
    pub pools: [usize; 4],
    /// Share of tags that is lost because not every photo is set against every term, and of how many
    /// tags that is known.
    pub missed: Option<(f64, u64)>,
    /// Terms of the user's own.
    pub own: usize,
    /// Why it does not go on.
    pub reason: Option<String>,
    /// Photos that have been set against terms.
    pub photos: u64,
    /// Photos have tags from what is encoded by now.
    pub rows_tagged: bool,
    /// Terms encoded in this run.
    pub encoded: usize,
    /// How often there was nothing more to do.
    pub looks: u64,
    /// How often all photos were to be tagged again by a person's wish.
    pub retags: u64,
}

impl LabelReport {
    /// Seconds until all terms are encoded, as far as can be said.
    #[must_use]
    pub fn eta_s(&self) -> Option<u64> {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        (self.rate > 0.0 && self.terms < self.of)
            .then(|| ((self.of - self.terms) as f64 / self.rate).ceil() as u64)
    }
}

/// The last report, shared with whoever asks, and what somebody else asks of labelling.
#[derive(Debug, Default)]
pub struct Reported {
    report: Mutex<LabelReport>,
    /// Another thread has the text model in memory: two of a large one are too much.
    text_taken: AtomicBool,
}

impl Reported {
    pub fn get(&self) -> LabelReport {
        self.lock().clone()
    }

    /// Takes over how things are; what is counted here goes on.
    pub fn set(&self, report: LabelReport) {
        let mut there = self.lock();
        let (looks, retags) = (there.looks, there.retags);
        *there = LabelReport {
            looks,
            retags,
            ..report
        };
    }

    pub fn missing(&self, reason: &str) {
        let mut report = self.lock();
        report.phase = LabelPhase::Waiting;
        report.reason = Some(reason.to_owned());
        report.looks += 1;
    }

    /// Whether terms are not to be encoded now.
    pub fn text_taken(&self) -> bool {
        self.text_taken.load(Ordering::Relaxed)
    }

    /// See [`Reported::text_taken`].
    pub fn take_text(&self, taken: bool) {
        self.text_taken.store(taken, Ordering::Relaxed);
    }

    /// There is nothing more to do.
    pub fn looked(&self) {
        self.lock().looks += 1;
    }

    /// All photos are to be tagged again by a person's wish, and whoever waits for that must not
    /// take what was said before for its end.
    pub fn retagging(&self) {
        let mut report = self.lock();
        report.retags += 1;
        report.phase = LabelPhase::Tagging;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LabelReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
