//! The snapshot that tags are made with, and what keeps rows in step with it.
//!
//! There is one [`Current`] snapshot, swapped as a whole: the embed thread tags new photos with it. What
//! changes it (a person's own words, another search model, more of a vocabulary encoded, a wish to tag
//! all again) is noticed by the catch-up thread, which makes the next one, publishes it, and tags the
//! rows of older ones again from stored vectors, the newest photos first. Nothing of this is remembered
//! but in `photos.tagger`, so that a kill costs a page of photos and the piece of a vocabulary in work.
//!
//! Never: opens a photo, or holds more than a page of vectors.

mod own;
mod vocabulary;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

pub use own::ExampleVectors;
pub use vocabulary::vocabulary_dir;

use self::own::OwnWords;
use self::vocabulary::EncodedTerms;
use super::error::IndexError;
use super::job::Write;
use crate::embedding::ModelId;
use crate::model::{Calibration, ModelError, ModelPack, packs};
use crate::store::{ModelRow, Store, StoreError, StoreReader, Tagged};
use crate::tag::{
    Classifier, Detectors, Lexicon, OwnTerms, SearchWords, SeenByModels, Sigmoid, Tagger,
};

/// Photos tagged again in one transaction: a twentieth of a second's work for the writer.
const PAGE: usize = 256;
/// Photos set against a vocabulary together: a block of its rows is read once for all of them.
const TOGETHER: usize = 8;
/// How long it waits after something went wrong, doubling up to the second.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// What photos are tagged with.
#[derive(Clone)]
pub struct TagPlan {
    /// The classifier's last layer and words.
    pub classifier: Arc<Classifier>,
    /// Stands for the classifier's tables and calibration.
    pub label_revision: String,
    /// The detectors that are on.
    pub detectors: Arc<Detectors>,
    /// Whose boxes of things and people count.
    pub things: Option<ModelId>,
    /// Whose boxes of faces count.
    pub faces: Option<ModelId>,
    /// Words for search models that say what their cosines mean.
    pub lexicon: Arc<Lexicon>,
    /// Most terms of it.
    pub terms: usize,
    /// Where vocabularies and own words lie.
    pub data_dir: PathBuf,
    /// Threads for texts and scans.
    pub threads: usize,
}

impl TagPlan {
    fn sight(&self) -> (Arc<Classifier>, Arc<Detectors>) {
        (Arc::clone(&self.classifier), Arc::clone(&self.detectors))
    }
}

/// A snapshot, and what the store calls it.
pub(super) struct VersionedTagger {
    pub tagger: Tagger,
    /// `taggers.id`.
    pub id: i64,
    /// The search model whose vectors it looks at (`models.id`).
    pub search: Option<i64>,
}

/// The snapshot that is in use.
pub(super) struct Current(Mutex<Arc<VersionedTagger>>);

impl Current {
    pub fn get(&self) -> Arc<VersionedTagger> {
        Arc::clone(&lock(&self.0))
    }

    fn set(&self, snapshot: VersionedTagger) {
        *lock(&self.0) = Arc::new(snapshot);
    }
}

/// How tagging stands, for `status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TagReport {
    /// Photos whose tags an older snapshot made.
    pub stale: i64,
    /// Photos tagged again a second, lately.
    pub rate: f64,
    /// Terms of the search model's vocabulary that are encoded, of how many; 0 of 0: it has none.
    pub terms: (usize, usize),
    /// Terms encoded a second, lately.
    pub terms_rate: f64,
    /// Words of a person's own.
    pub own: usize,
    /// What is in the way.
    pub trouble: Option<String>,
    /// Nothing goes on: what is in the way is tried again after a while.
    #[serde(default)]
    pub stuck: bool,
    /// How often a person had asked to have all tagged again when the snapshot was made.
    #[serde(default)]
    pub again: i64,
}

impl TagReport {
    /// Photos are tagged again, or terms encoded.
    pub fn is_working(&self) -> bool {
        !self.stuck && (self.stale > 0 || self.terms.0 < self.terms.1)
    }

    /// Seconds until all terms are encoded, as far as can be said.
    pub fn eta_s(&self) -> Option<u64> {
        let left = self.terms.1.saturating_sub(self.terms.0);
        (self.terms_rate > 0.0 && left > 0).then(|| (left as f64 / self.terms_rate).ceil() as u64)
    }
}

/// What a snapshot is made of, as far as it can change while the program runs.
#[derive(Clone, PartialEq)]
struct Inputs {
    serving: Option<ModelRow>,
    own: Option<(SystemTime, u64)>,
    again: i64,
    /// Terms of the vocabulary that count.
    terms: usize,
}

/// Makes snapshots and keeps rows in step. Owned by the catch-up thread, but for the first snapshot.
pub(super) struct Tagging {
    plan: TagPlan,
    current: Arc<Current>,
    inputs: Option<Inputs>,
    pack: Option<ModelPack>,
    vocabulary: Option<EncodedTerms>,
    report: Arc<Mutex<TagReport>>,
    not_before: Option<Instant>,
    patience: Duration,
    /// Somebody else needs the memory of a text model.
    lent: Arc<AtomicUsize>,
}

/// Another's turn with a text model: while this lives, no terms are encoded.
pub struct TextModelTurn(Arc<AtomicUsize>);

impl TextModelTurn {
    pub(super) fn new(lent: &Arc<AtomicUsize>) -> Self {
        lent.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(lent))
    }
}

impl Drop for TextModelTurn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Anything that can go wrong here; the photos keep the tags they have.
#[derive(Debug, thiserror::Error)]
pub(super) enum TaggingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Matrix(#[from] crate::matrix::MatrixError),
    #[error(transparent)]
    Pack(#[from] crate::model::InstallError),
}

impl Tagging {
    /// The first snapshot, of what needs no model: own words come with the next one.
    pub fn begin(plan: TagPlan, store: &mut Store) -> Result<(Self, Arc<Current>), StoreError> {
        let reader = store.reader()?;
        let tagger = Tagger::new(
            plan.sight(),
            SearchWords::default(),
            &plan.label_revision,
            reader.asked_again()?,
        );
        let id = store.adopt_tagger(tagger.identity())?;
        let current = Arc::new(Current(Mutex::new(Arc::new(VersionedTagger {
            tagger,
            id,
            search: None,
        }))));
        let tagging = Self {
            plan,
            current: Arc::clone(&current),
            inputs: None,
            pack: None,
            vocabulary: None,
            report: Arc::default(),
            not_before: None,
            patience: PATIENCE.0,
            lent: Arc::default(),
        };
        Ok((tagging, current))
    }

    /// Counts those who need the memory of a text model.
    pub fn lent(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.lent)
    }

    /// What is said of it, shared with whoever asks.
    pub fn report(&self) -> Arc<Mutex<TagReport>> {
        Arc::clone(&self.report)
    }

    /// One step of at most about a second; true: there is more to do.
    pub fn step(&mut self, write: &Writer<'_>, stop: &AtomicBool) -> bool {
        let waits = self.not_before.is_some_and(|at| at > Instant::now());
        let done = self.tend_photos(write);
        let done = done.and_then(|more| Ok(more || (!waits && self.encode(stop)?)));
        self.heard(done, stop)
    }

    /// The same, but that it encodes no terms.
    pub fn step_for_photos(&mut self, write: &Writer<'_>) -> bool {
        let done = self.tend_photos(write);
        self.heard(done, &AtomicBool::new(false))
    }

    fn heard(&mut self, done: Result<bool, TaggingError>, stop: &AtomicBool) -> bool {
        lock(&self.report).stuck = done.is_err();
        match done {
            Ok(more) => more,
            Err(e) => {
                if !stop.load(Ordering::Relaxed) {
                    tracing::warn!("tags: {e}; trying again in {} s", self.patience.as_secs());
                    lock(&self.report).trouble = Some(e.to_string());
                }
                self.not_before = Some(Instant::now() + self.patience);
                self.patience = (self.patience * 2).min(PATIENCE.1);
                false
            }
        }
    }

    fn tend_photos(&mut self, write: &Writer<'_>) -> Result<bool, TaggingError> {
        let reader = StoreReader::open(&self.plan.data_dir)?;
        let inputs = self.look(&reader)?;
        if self.inputs.as_ref() != Some(&inputs) {
            self.renew(&reader, inputs, write)?;
            return Ok(true);
        }
        self.retag(&reader, write)
    }

    fn encode(&mut self, stop: &AtomicBool) -> Result<bool, TaggingError> {
        let Some(vocabulary) = &mut self.vocabulary else {
            return Ok(false);
        };
        if self.lent.load(Ordering::Relaxed) > 0 {
            vocabulary.rest();
            return Ok(false);
        }
        let more = vocabulary.step(&self.plan, stop)?;
        let mut report = lock(&self.report);
        report.terms.0 = vocabulary.encoded();
        report.terms_rate = vocabulary.rate();
        self.patience = PATIENCE.0;
        Ok(more)
    }

    fn look(&mut self, reader: &StoreReader) -> Result<Inputs, TaggingError> {
        let own = std::fs::metadata(OwnTerms::path(&self.plan.data_dir));
        let own = own.ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        let inputs = Inputs {
            serving: reader.serving()?,
            own,
            again: reader.asked_again()?,
            terms: self
                .vocabulary
                .as_ref()
                .map_or(0, EncodedTerms::worth_using),
        };
        let model = |inputs: &Inputs| inputs.serving.as_ref().map(|m| m.id);
        if self
            .inputs
            .as_ref()
            .is_none_or(|before| model(before) != model(&inputs))
        {
            self.take_on(inputs.serving.as_ref())?;
            let terms = self
                .vocabulary
                .as_ref()
                .map_or(0, EncodedTerms::worth_using);
            return Ok(Inputs { terms, ..inputs });
        }
        Ok(inputs)
    }

    /// Another search model: its pack, and what of the vocabulary is encoded with it.
    fn take_on(&mut self, serving: Option<&ModelRow>) -> Result<(), TaggingError> {
        (self.pack, self.vocabulary) = (None, None);
        let Some(serving) = serving else {
            return Ok(());
        };
        let pack = packs::open(&self.plan.data_dir, serving.name.pack_name())?;
        if pack.id != serving.name {
            // Another revision has come; queries go by the old vectors until it has seen all.
            return Ok(());
        }
        self.vocabulary = EncodedTerms::open(&self.plan, &pack);
        let terms = self.vocabulary.as_ref().map(|v| (v.encoded(), v.goal()));
        lock(&self.report).terms = terms.unwrap_or_default();
        self.pack = Some(pack);
        Ok(())
    }

    /// The next snapshot.
    fn renew(
        &mut self,
        reader: &StoreReader,
        inputs: Inputs,
        write: &Writer<'_>,
    ) -> Result<(), TaggingError> {
        let mut space = SearchWords::default();
        let mut trouble = None;
        if let (Some(pack), Some(serving)) = (&self.pack, &inputs.serving) {
            let own = OwnWords::read(&self.plan, reader, pack, serving.id)?;
            trouble = own.trouble;
            space = SearchWords {
                model: pack.id.0.clone(),
                bank: self.vocabulary.as_ref().and_then(|v| v.bank(&self.plan)),
                own: own.words,
            };
        }
        let (own, again) = (space.own.len(), inputs.again);
        let tagger = Tagger::new(
            self.plan.sight(),
            space,
            &self.plan.label_revision,
            inputs.again,
        );
        let identity = tagger.identity().to_owned();
        let id = write(Box::new(move |store| store.adopt_tagger(&identity)))?;
        if self.current.get().id != id {
            tracing::info!("tags are made by snapshot {id}");
        }
        let search = inputs.serving.as_ref().map(|m| m.id);
        self.current.set(VersionedTagger { tagger, id, search });
        let stale = reader.stale_count(id)?;
        let mut report = lock(&self.report);
        (report.own, report.again, report.stale) = (own, again, stale);
        report.trouble = trouble;
        drop(report);
        self.inputs = Some(inputs);
        Ok(())
    }

    /// Tags a page of photos that an older snapshot has tagged; true: there were some.
    fn retag(&mut self, reader: &StoreReader, write: &Writer<'_>) -> Result<bool, TaggingError> {
        let snapshot = self.current.get();
        let begun = Instant::now();
        let photos = reader.stale(snapshot.id, PAGE)?;
        if photos.is_empty() {
            let mut report = lock(&self.report);
            (report.stale, report.rate) = (0, 0.0);
            return Ok(false);
        }
        let classifier = reader.classifier_id()?;
        let model = snapshot
            .search
            .filter(|_| !snapshot.tagger.space().is_empty());
        let detector = |id: &Option<ModelId>| match id {
            Some(id) => Ok(reader.model(id)?.map(|row| row.id)),
            None => Ok::<_, StoreError>(None),
        };
        let (things, faces) = (detector(&self.plan.things)?, detector(&self.plan.faces)?);
        let mut tagged = Vec::with_capacity(photos.len());
        for photos in photos.chunks(TOGETHER) {
            let mut vectors = Vec::with_capacity(photos.len());
            for photo in photos {
                let of = |model: Option<i64>| match model {
                    Some(model) => reader.embedding(*photo, model),
                    None => Ok(None),
                };
                let logits =
                    of(classifier)?.and_then(|e| self.plan.classifier.logits(&e.values).ok());
                let kept = [of(model)?, of(things)?, of(faces)?];
                vectors.push((logits, kept, reader.looks(*photo)?));
            }
            let seen: Vec<SeenByModels<'_>> = vectors
                .iter()
                .map(|(logits, kept, looks)| {
                    let [search, things, faces] = kept
                        .each_ref()
                        .map(|e| e.as_ref().map(|e| e.values.as_slice()));
                    SeenByModels {
                        logits: logits.as_deref(),
                        search,
                        things,
                        faces,
                        looks: *looks,
                    }
                })
                .collect();
            let tags = snapshot.tagger.tags(&seen, self.plan.threads);
            tagged.extend(photos.iter().zip(tags).map(|(photo, tags)| {
                let tagger = snapshot.id;
                (*photo, Tagged { tagger, tags })
            }));
        }
        let count = tagged.len();
        write(Box::new(move |store| store.retag(&tagged).map(|()| 0)))?;
        // Counting them takes a moment where there are many.
        let known = lock(&self.report).stale - count as i64;
        let stale = match known {
            1.. => known,
            _ => reader.stale_count(snapshot.id)?,
        };
        let mut report = lock(&self.report);
        report.stale = stale;
        let now = count as f64 / begun.elapsed().as_secs_f64().max(1e-6);
        report.rate = if report.rate > 0.0 {
            0.8 * report.rate + 0.2 * now
        } else {
            now
        };
        Ok(true)
    }
}

/// Tags all photos in this process, with no pipeline: as [`Tagging`] does behind one, but that no terms
/// are encoded.
///
/// # Errors
/// If the database cannot be read or written.
pub fn tag_again(
    store: &mut Store,
    plan: TagPlan,
    stop: &AtomicBool,
    tell: &dyn Fn(&TagReport),
) -> Result<TagReport, IndexError> {
    let (mut tagging, _) = Tagging::begin(plan, store)?;
    let store = RefCell::new(store);
    let write = |work: Work| Ok(work(&mut store.borrow_mut())?);
    loop {
        let more = tagging.tend_photos(&write);
        let report = lock(&tagging.report).clone();
        tell(&report);
        match more {
            Ok(true) if !stop.load(Ordering::Relaxed) => {}
            Ok(_) => return Ok(report),
            Err(TaggingError::Store(e)) => return Err(e.into()),
            Err(TaggingError::Index(e)) => return Err(e),
            Err(e) => {
                let trouble = Some(e.to_string());
                return Ok(TagReport { trouble, ..report });
            }
        }
    }
}

/// Runs something on the writer's store and waits for its answer.
pub(super) type Writer<'a> = dyn Fn(Work) -> Result<i64, IndexError> + 'a;
type Work = Box<dyn FnOnce(&mut Store) -> Result<i64, StoreError> + Send>;

/// A [`Writer`] over the writer's channel.
pub(super) fn writer(
    channel: crossbeam_channel::Sender<Write>,
) -> impl Fn(Work) -> Result<i64, IndexError> {
    move |work| Write::ask(&channel, work)
}

/// A panic elsewhere has left nothing half done here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pack says that its cosines with texts mean, if it does.
fn stated(pack: &ModelPack) -> Option<Sigmoid> {
    match &pack.calibration {
        Some(Calibration::Sigmoid { scale, bias }) => Some(Sigmoid {
            scale: *scale as f32,
            bias: *bias as f32,
        }),
        _ => None,
    }
}
