//! Tags from a vocabulary of tens of thousands of terms, for the space that queries go by.
//!
//! One thread does it all from stored vectors, behind the pipeline: it encodes the terms' texts
//! into a bank that grows on disk, sets photos against what there is of it as their vectors are
//! committed, and goes over the photos again whenever the bank has doubled and when it is whole.
//! No photo is ever opened for it. How far it is stands in the database, in the same transaction as
//! the tags, and in the bank's header; so a kill costs a batch of photos and some seconds of
//! encoding.
//!
//! Order of work: new photos first, then terms of the user's own, then photos tagged with fewer
//! terms, then more terms, then what is left of models that queries no longer use. Each step is
//! about a second at most, and a stop is heard between any two.
//!
//! Never: blocks the pipeline (it only sends batches to the writer), holds more than a page of
//! vectors, or keeps the text model loaded once the bank is whole.

mod choice;
mod doubt;
mod encode;
mod own;
mod report;
mod space;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub use own::ExampleVectors;
pub(super) use report::Reported;
pub use report::{LabelPhase, LabelReport};
pub use space::{LabelSettings, bank_path, identity};

use self::space::Space;
use super::error::IndexError;
use super::job::Write;
use super::priority;
use super::worker::Shared;
use crate::model::{ModelError, packs};
use crate::store::{LabelBatch, StoreError, StoreReader};
use crate::tag::{BankError, Lexicon, OwnTermsError, ScanError, TagError};

/// How long the thread sleeps when there is nothing to do and nobody wakes it.
const LOOK: Duration = Duration::from_secs(60);
/// How often it looks whether the text model is free again.
const TEXT_TAKEN: Duration = Duration::from_millis(200);
/// How long it waits after something went wrong, doubling.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));
/// Photos whose tags are forgotten in one transaction.
const FORGOTTEN: usize = 1000;

/// The name of a term by its key, where it has one.
pub type Names = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the labelling thread works with.
pub struct LabelPlan {
    /// The words.
    pub lexicon: Arc<Lexicon>,
    /// Names of terms that another vocabulary names too, by key: a term has one name everywhere.
    pub names: Names,
    /// What a person has set.
    pub settings: LabelSettings,
    /// Where packs, banks and the user's own terms lie.
    pub data_dir: PathBuf,
    /// Threads of the text model and of scoring.
    pub threads: usize,
}

/// What the thread can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LabelRequest {
    /// To look whether there is something to do.
    Look,
    /// To set every photo against every term again.
    Retag,
    /// To end.
    End,
}

/// Why labelling does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LabelError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Install(#[from] crate::model::install::InstallError),
    #[error(transparent)]
    Bank(#[from] BankError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    Own(#[from] OwnTermsError),
    #[error("{0}")]
    Cannot(String),
}

pub(super) struct Labeller {
    shared: Arc<Shared>,
    plan: LabelPlan,
    write: Sender<Write>,
    requests: Receiver<LabelRequest>,
    report: Arc<Reported>,
    space: Option<Space>,
    patience: Duration,
    told: String,
    /// All photos are to be tagged again, when the space is open.
    again: bool,
    /// The bank's content was found to be damaged: what is sound of it is taken over.
    repair: bool,
    repaired: bool,
}

impl Labeller {
    pub fn new(
        shared: Arc<Shared>,
        plan: LabelPlan,
        write: Sender<Write>,
        requests: Receiver<LabelRequest>,
        report: Arc<Reported>,
    ) -> Self {
        Self {
            shared,
            plan,
            write,
            requests,
            report,
            space: None,
            patience: PATIENCE.0,
            told: String::new(),
            again: false,
            repair: false,
            repaired: false,
        }
    }

    /// Works until it is told to end.
    pub fn run(mut self) {
        if self.shared.background {
            priority::lower();
        }
        loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                return;
            }
            let wait = match self.turn() {
                Ok(true) => {
                    self.patience = PATIENCE.0;
                    Duration::ZERO
                }
                Ok(false) => {
                    self.patience = PATIENCE.0;
                    self.told.clear();
                    self.report.looked();
                    self.shared.progress.turn();
                    LOOK
                }
                Err(e) => self.put_off(&e),
            };
            if !self.listen(wait) {
                return;
            }
        }
    }

    fn put_off(&mut self, e: &LabelError) -> Duration {
        let text = e.to_string();
        self.report.missing(&text);
        if text != self.told {
            tracing::warn!("labels: {text}");
            self.told = text;
        }
        // A bank that was cut short or replaced under us is opened anew.
        self.space = None;
        let damaged = matches!(e, LabelError::Bank(e) if e.is_unusable());
        if damaged && !self.repaired {
            // Once a run: a disk that damages it again is not cured by writing more.
            (self.repair, self.repaired, self.again) = (true, true, true);
            return Duration::ZERO;
        }
        self.shared.progress.turn();
        let wait = self.patience;
        self.patience = (self.patience * 2).min(PATIENCE.1);
        wait
    }

    /// Hears what is asked, for at most `wait`; false: the end.
    fn listen(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left) {
                Ok(LabelRequest::Look) if !wait.is_zero() => return true,
                Ok(LabelRequest::Look) => {}
                Ok(LabelRequest::Retag) => {
                    self.report.retagging();
                    self.again = true;
                    return true;
                }
                Ok(LabelRequest::End) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    /// One step; true: there may be more to do.
    fn turn(&mut self) -> Result<bool, LabelError> {
        let reader = StoreReader::open(&self.plan.data_dir)?;
        let wanted = self.plan.settings.terms > 0;
        let Some(serving) = reader.serving()?.filter(|_| wanted) else {
            self.report.set(LabelReport::default());
            return Ok(false);
        };
        if self.space.as_ref().is_none_or(|s| s.model != serving.id) {
            let pack = packs::open(&self.plan.data_dir, serving.name.pack_name())?;
            if pack.id != serving.name {
                return Err(LabelError::Cannot(format!(
                    "the index goes by {}, but {} is installed; the switch is not through yet",
                    serving.name, pack.id
                )));
            }
            self.space = None;
            let repair = std::mem::take(&mut self.repair);
            self.space = Some(Space::open(
                &self.plan,
                &reader,
                (pack, serving.id),
                repair,
            )?);
        }
        let Some(space) = &mut self.space else {
            return Ok(false);
        };
        if std::mem::take(&mut self.again) {
            space.start_over();
        }
        let stop = &self.shared.stop;
        let write = |batch: LabelBatch| {
            Write::ask(&self.write, move |store| store.label(&batch)).map_err(LabelError::from)
        };
        if space.new_photos(&self.plan, &reader, &write)? {
            self.report.set(space.report(LabelPhase::Tagging));
            return Ok(true);
        }
        if space.own_terms(&self.plan, &reader, &write)? {
            self.report.set(space.report(LabelPhase::Tagging));
            return Ok(true);
        }
        if space.pass(&self.plan, &reader, &write)? {
            self.report.set(space.report(LabelPhase::Tagging));
            self.shared.progress.turn();
            return Ok(true);
        }
        if self.report.text_taken() && space.is_begun(&self.plan) {
            space.encoding = None;
            std::thread::sleep(TEXT_TAKEN);
            return Ok(true);
        }
        if space.encode(&self.plan, stop)? {
            self.report.set(space.report(LabelPhase::Encoding));
            self.shared.progress.turn();
            return Ok(true);
        }
        space.verify_once(stop)?;
        if self.drop_others(&reader, serving.id)? {
            return Ok(true);
        }
        if let Some(space) = &mut self.space {
            let mut report = space.report(LabelPhase::Idle);
            report.photos = u64::try_from(reader.embedding_count(serving.id)?).unwrap_or(0);
            self.report.set(report);
        }
        self.shared.progress.turn();
        Ok(false)
    }

    /// Tags of models that queries no longer use go, once the one they use has tagged all.
    fn drop_others(&self, reader: &StoreReader, serving: i64) -> Result<bool, LabelError> {
        let others = reader.labelled_models()?;
        let Some(other) = others.into_iter().find(|m| *m != serving) else {
            return Ok(false);
        };
        let mut after = 0;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let forgotten = Write::ask(&self.write, move |store| {
                store.drop_labels(other, after, FORGOTTEN)
            });
            match forgotten? {
                Some(last) => after = last,
                None => break,
            }
        }
        Ok(true)
    }
}
