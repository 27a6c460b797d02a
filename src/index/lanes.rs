//! A lane: one model's way from a photo to a vector, with what it takes to load it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::runner::{Graph, Outcome, Runner, Starting};
use super::spaces::{LaneId, LaneSpace, ModelState, Role};
use super::tagging::TagPlan;
use crate::boxes;
use crate::embedding::{Embedding, ModelId, ModelInput, Tensor};
use crate::model::{
    Detector, EncoderOptions, ImageEncoder, ImageSide, ModelError, ModelPack, Projection, Runtime,
};

/// Which models are to be used, and how.
pub struct ModelPlan {
    /// The pack that makes tags.
    pub classifier: ModelPack,
    /// The pack that finds things and people, if it is on.
    pub things: Option<ModelPack>,
    /// The pack that finds faces, if it is on.
    pub faces: Option<ModelPack>,
    /// What tags are made with.
    pub tags: TagPlan,
    /// The space that costs no inference: always filled, so that there is always one to search.
    pub derived: Derived,
    /// The search model in use.
    pub search: SearchChoice,
    /// The one that queries go by until that one is whole, where it has a graph of its own: what
    /// comes in meanwhile is to be found in both.
    pub before: Option<Box<ModelPack>>,
    /// Where a runtime may lie.
    pub data_dir: PathBuf,
    /// Threads inside one run.
    pub threads: usize,
}

/// A space made from the classifier's answer.
#[derive(Clone)]
pub struct Derived {
    /// Its pack.
    pub id: ModelId,
    /// From probabilities to vectors.
    pub projection: Arc<Projection>,
    /// Length of its vectors.
    pub dims: usize,
}

/// The search model that a person has chosen.
#[derive(Clone)]
pub enum SearchChoice {
    /// The derived space.
    Derived,
    /// A pack with an image graph of its own.
    Graph(Box<ModelPack>),
    /// A pack that cannot be opened: its name, and why.
    Broken(String, String),
}

/// Seconds that a run may take: a photo that has just landed waits no longer behind others.
const RUN_SECONDS: f64 = 1.0;

/// A lane that has hung so often is not tried again: each time costs a thread and its memory, until
/// photond ends.
const HANGS_AT_MOST: u32 = 3;

/// The graph of a lane.
enum LaneGraph {
    Encoder(ImageEncoder),
    Detector(Detector),
}

impl LaneGraph {
    fn new(runtime: &Runtime, pack: &ModelPack, threads: usize) -> Result<Self, ModelError> {
        Ok(match pack.image {
            ImageSide::Boxes(_) => Self::Detector(Detector::new(runtime, pack)?),
            ImageSide::Graph(_)
            | ImageSide::Derived(_)
            | ImageSide::Text(_)
            | ImageSide::Faces(_) => Self::Encoder(ImageEncoder::new(
                runtime,
                pack,
                EncoderOptions { threads },
            )?),
        })
    }
}

impl Graph for LaneGraph {
    type Ask = ModelInput;
    type Answer = Embedding;

    fn batch(&self) -> usize {
        match self {
            Self::Encoder(encoder) => encoder.batch(),
            Self::Detector(_) => 1,
        }
    }

    /// Inputs of the other kind are no one's: they get no answer, which the asker sees.
    fn see(&mut self, inputs: &[ModelInput]) -> Result<Vec<Embedding>, ModelError> {
        match self {
            Self::Encoder(encoder) => {
                let tensors: Vec<&Tensor> = inputs.iter().filter_map(ModelInput::square).collect();
                encoder.encode(&tensors)
            }
            Self::Detector(detector) => {
                let pictures = inputs.iter().filter_map(ModelInput::whole);
                pictures
                    .map(|whole| Ok(boxes::kept(&detector.detect(whole)?)))
                    .collect()
            }
        }
    }
}

/// What makes a lane's vectors.
enum Maker {
    Graph(Runner<ModelInput, Embedding>),
    Derived(Arc<Projection>),
}

/// One model in the embed thread.
pub(super) struct Lane {
    pub id: LaneId,
    pub role: Role,
    pub name: ModelId,
    pub dims: usize,
    pub model: Option<i64>,
    pub state: ModelState,
    pack: Option<ModelPack>,
    maker: Option<Maker>,
    /// The session that is being made.
    starting: Option<Starting<ModelInput, Embedding>>,
    /// Seconds a photo takes, as lately measured.
    pace: f64,
    /// When it last worked, or was loaded.
    used: Instant,
    retries: Retries,
}

/// When a model that failed is tried again.
#[derive(Default)]
pub(super) struct Retries {
    /// Failures since it last worked.
    failed: u32,
    /// How often it has hung.
    hung: u32,
    not_before: Option<Instant>,
}

impl Retries {
    /// Not to be tried again for a while, longer each time until it has worked.
    pub fn put_off(&mut self, least: Duration, e: &ModelError) {
        /// An hour, as powers of two of the least.
        const LONGEST: u32 = 7;
        if matches!(e, ModelError::Hangs { .. }) {
            self.hung += 1;
            self.failed = LONGEST;
        }
        self.not_before = Some(Instant::now() + least * 2u32.pow(self.failed.min(LONGEST)));
        self.failed += 1;
    }

    pub fn is_due(&self) -> bool {
        self.hung < HANGS_AT_MOST && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    pub fn worked(&mut self) {
        self.failed = 0;
    }
}

impl Lane {
    /// A lane for a pack with a graph; not loaded yet.
    pub fn graph(id: LaneId, role: Role, pack: ModelPack) -> Self {
        Self {
            id,
            role,
            name: pack.id.clone(),
            dims: pack.dims,
            model: None,
            state: ModelState::Loading,
            pack: Some(pack),
            maker: None,
            starting: None,
            pace: 0.0,
            used: Instant::now(),
            retries: Retries::default(),
        }
    }

    /// The lane that needs no graph.
    pub fn derived(id: LaneId, derived: &Derived) -> Self {
        Self {
            id,
            role: Role::Derived,
            name: derived.id.clone(),
            dims: derived.dims,
            model: None,
            state: ModelState::Loading,
            pack: None,
            maker: Some(Maker::Derived(Arc::clone(&derived.projection))),
            starting: None,
            pace: 0.0,
            used: Instant::now(),
            retries: Retries::default(),
        }
    }

    pub fn space(&self) -> LaneSpace {
        LaneSpace {
            lane: self.id,
            id: self.name.clone(),
            role: self.role,
            model: self.model,
            input: self.pack.as_ref().and_then(|p| p.input().cloned()),
            state: self.state.clone(),
        }
    }

    pub fn is_loaded(&self) -> bool {
        matches!(self.state, ModelState::Ready { .. })
    }

    /// Begins to make the session, if the lane has one to make; [`Self::load`] follows.
    pub fn begin(&mut self, runtime: &Runtime, how: (usize, bool)) -> Result<(), ModelError> {
        if let (Some(pack), None, None) = (&self.pack, &self.maker, &self.starting) {
            let (name, (threads, background)) = (pack.id.to_string(), how);
            let (runtime, pack) = (runtime.clone(), pack.clone());
            let make = move || LaneGraph::new(&runtime, &pack, threads);
            self.starting = Some(Starting::begin(name, background, make)?);
        }
        Ok(())
    }

    /// Makes the session, if the lane has one to make.
    pub fn load(
        &mut self,
        runtime: &Runtime,
        how: (usize, bool),
        stop: &AtomicBool,
    ) -> Result<(), ModelError> {
        self.begin(runtime, how)?;
        if let Some(starting) = self.starting.take() {
            self.maker = Some(Maker::Graph(starting.wait(stop)?));
        }
        Ok(())
    }

    /// How long it has had no work.
    pub fn idle(&self) -> Duration {
        self.used.elapsed()
    }

    /// Lets the session go until there is work again; true if there was one.
    pub fn rest(&mut self) -> bool {
        self.pack.is_some() && self.is_loaded() && self.maker.take().is_some()
    }

    /// Makes the session again, if the lane rests.
    pub fn wake(
        &mut self,
        runtime: &Runtime,
        how: (usize, bool),
        stop: &AtomicBool,
    ) -> Result<(), ModelError> {
        self.used = Instant::now();
        if self.is_loaded() {
            self.load(runtime, how, stop)?;
        }
        Ok(())
    }

    /// Gives the session up; the lane is loaded again later.
    pub fn unload(&mut self, why: String) {
        if self.pack.is_some() {
            self.maker = None;
        }
        self.state = ModelState::Missing(why);
    }

    /// Not to be loaded again for a while.
    pub fn put_off(&mut self, least: Duration, e: &ModelError) {
        self.retries.put_off(least, e);
    }

    pub fn is_due(&self) -> bool {
        self.retries.is_due()
    }

    /// Most photos that should be gathered for one round of this lane.
    pub fn most(&self, most: usize) -> usize {
        if self.pace <= 0.0 {
            // How fast a large model is shows the first photo.
            return if self.role == Role::Search { 1 } else { most };
        }
        let fitting = (RUN_SECONDS / self.pace) as usize;
        fitting.clamp(1, most)
    }

    /// One answer a picture, in order; fewer if a stop comes first. An error means that the model
    /// itself has failed; a picture of which it makes nothing usable is an error of its own.
    pub fn see(
        &mut self,
        tensors: Vec<ModelInput>,
        stop: &AtomicBool,
    ) -> Result<Vec<Result<Embedding, ModelError>>, ModelError> {
        let Some(Maker::Graph(runner)) = &mut self.maker else {
            return Ok(Vec::new());
        };
        let (begun, count) = (Instant::now(), tensors.len());
        let mut answers = Vec::with_capacity(count);
        let mut waiting = tensors.into_iter();
        loop {
            let chunk: Vec<ModelInput> = waiting.by_ref().take(runner.batch().max(1)).collect();
            if chunk.is_empty() {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(answers);
            }
            let Outcome::Answer((chunk, encoded)) = runner.see(chunk, stop)? else {
                return Ok(answers);
            };
            match encoded {
                Ok(vectors) => answers.extend(vectors.into_iter().map(Ok)),
                Err(e @ ModelError::BadOutput { .. }) if chunk.len() == 1 => answers.push(Err(e)),
                // One picture may have spoilt the batch: each for itself.
                Err(ModelError::BadOutput { .. }) => {
                    for tensor in chunk {
                        let Outcome::Answer((_, encoded)) = runner.see(vec![tensor], stop)? else {
                            return Ok(answers);
                        };
                        match encoded {
                            Ok(mut vectors) => answers.push(Ok(vectors.remove(0))),
                            Err(e @ ModelError::BadOutput { .. }) => answers.push(Err(e)),
                            Err(e) => return Err(e),
                        }
                    }
                }
                Err(e) => return Err(e),
            }
        }
        if answers.iter().any(Result::is_ok) {
            self.retries.worked();
            let now = begun.elapsed().as_secs_f64() / count as f64;
            self.pace = if self.pace > 0.0 {
                0.7 * self.pace + 0.3 * now
            } else {
                now
            };
        }
        Ok(answers)
    }

    /// The derived lane's answer.
    pub fn derive(&self, probabilities: &[f32]) -> Option<Result<Embedding, ModelError>> {
        match &self.maker {
            Some(Maker::Derived(projection)) => Some(projection.project(probabilities)),
            _ => None,
        }
    }
}
