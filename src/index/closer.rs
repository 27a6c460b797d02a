//! The closer look: models that want a larger picture, or longer than a photo that has just landed may
//! wait. A thread of their own shows them photo by photo, behind everything else.
//!
//! Between two steps of a look it waits while live photos are under way or less is let through. What is
//! looked at, and whether it has been, stands in the index as for any other model: a photo without its
//! vector is found by the catch-up thread, and a kill costs no more than the look that was under way.

mod people;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::error::IndexError;
use super::failing;
use super::gate::Flow;
use super::job::{Seen, Write};
use super::lanes::Retries;
use super::memory::{give_large_blocks_back, give_memory_back};
use super::priority;
use super::progress::Progress;
use super::spaces::{LaneId, LaneSpace, LaneTensor, ModelState, Role, Table};
use super::worker::Shared;
use crate::embedding::{Embedding, InputSpec, Letterbox, ModelId, ModelInput};
use crate::model::{ModelError, Runtime};
use crate::photo::ContentHash;
use crate::picture_text::ReadLine;
use crate::store::{Change, ModelResult, ReadText, Results};

/// How often a missing runtime or model is looked for again.
const RETRY: Duration = Duration::from_secs(30);
/// How long sessions are kept without work: they are made again in a second.
const REST: Duration = Duration::from_secs(60);
/// How often a look that waits looks whether it may go on.
const CALM: Duration = Duration::from_millis(20);
/// How long no photo must have landed: where one lands, the next is often near, and a step of a look that
/// is under way cannot be broken off.
pub(super) const QUIET: Duration = Duration::from_secs(2);

/// What is made of a photo.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Looked {
    /// What is kept where vectors are.
    pub vector: Vec<f32>,
    /// What stands in the picture, if that is what is looked for.
    pub lines: Option<Vec<ReadLine>>,
}

/// Something that looks closer.
pub(super) trait CloserLook: Send {
    /// Whether all that it needs is installed.
    ///
    /// # Errors
    /// What is missing, and what to do.
    fn is_there(&mut self) -> Result<(), ModelError>;

    /// Whether nobody wants it now.
    fn is_off(&self) -> bool {
        false
    }

    /// Makes the sessions that are not there.
    ///
    /// # Errors
    /// If one cannot be made.
    fn load(
        &mut self,
        runtime: &Runtime,
        background: bool,
        stop: &AtomicBool,
    ) -> Result<(), ModelError>;

    /// Lets the sessions go.
    fn rest(&mut self);

    /// What is in a picture. Between two steps `calm` waits while others go first; where it says no, or a
    /// stop comes, there is no answer.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if nothing can be made of this picture; any other: the model fails.
    fn look(
        &mut self,
        picture: Letterbox,
        calm: &mut dyn FnMut() -> bool,
        stop: &AtomicBool,
    ) -> Result<Option<Looked>, ModelError>;
}

/// A model that looks closer.
pub struct CloserPlan {
    pub(super) role: Role,
    pub(super) id: ModelId,
    /// Numbers of one of the things it keeps.
    pub(super) dims: usize,
    /// How it wants its pictures.
    pub(super) input: InputSpec,
    pub(super) look: Box<dyn CloserLook>,
}

struct CloserLane {
    plan: CloserPlan,
    model: Option<i64>,
    state: ModelState,
    retries: Retries,
    /// The photo at which it failed last.
    failed_at: Option<ContentHash>,
}

impl CloserLane {
    fn space(&self, lane: LaneId) -> LaneSpace {
        LaneSpace {
            lane,
            id: self.plan.id.clone(),
            role: self.plan.role,
            model: self.model,
            input: Some(self.plan.input.clone()),
            state: self.state.clone(),
        }
    }

    fn is_ready(&self) -> bool {
        matches!(self.state, ModelState::Ready { .. })
    }

    /// Whether it is wanted and does not run.
    fn is_due(&self) -> bool {
        !self.is_ready() && self.state != ModelState::Off
    }

    /// Follows what a person wants.
    fn turn(&mut self) {
        match (self.plan.look.is_off(), &self.state) {
            (true, ModelState::Off) => {}
            (true, _) => {
                self.plan.look.rest();
                self.state = ModelState::Off;
                // What it has made may be forgotten meanwhile: it is taken on anew.
                self.model = None;
            }
            (false, ModelState::Off) => {
                self.retries = Retries::default();
                self.state = ModelState::Loading;
            }
            (false, _) => {}
        }
    }
}

/// The thread.
pub(super) struct CloserThread {
    shared: Arc<Shared>,
    data_dir: std::path::PathBuf,
    input: Receiver<Seen>,
    /// Closed, it ends the thread.
    quit: Receiver<()>,
    write: Sender<Write>,
    lanes: Vec<CloserLane>,
    runtime: Option<Runtime>,
    last_try: Instant,
}

impl CloserThread {
    /// The thread's state; the table of spaces says from here on what it waits for.
    pub fn new(
        shared: Arc<Shared>,
        data_dir: &std::path::Path,
        plans: Vec<CloserPlan>,
        (input, quit): (Receiver<Seen>, Receiver<()>),
        write: Sender<Write>,
    ) -> Self {
        let lanes = plans.into_iter().map(|plan| CloserLane {
            plan,
            model: None,
            state: ModelState::Loading,
            retries: Retries::default(),
            failed_at: None,
        });
        let thread = Self {
            shared,
            data_dir: data_dir.to_path_buf(),
            input,
            quit,
            write,
            lanes: lanes.collect(),
            runtime: None,
            last_try: Instant::now(),
        };
        thread.publish();
        thread
    }

    pub fn run(mut self) {
        if self.shared.background {
            priority::lower();
        }
        self.find();
        let mut rests = true;
        loop {
            let wait = if rests { RETRY } else { REST };
            select! {
                recv(self.quit) -> _ => return,
                recv(self.input) -> seen => match seen {
                    Ok(seen) if !self.stopping() => {
                        rests = false;
                        self.look_at(seen);
                    }
                    Ok(_) => {}
                    Err(_) => return,
                },
                default(wait) => {
                    if !std::mem::replace(&mut rests, true) {
                        self.lanes.iter_mut().for_each(|lane| lane.plan.look.rest());
                        give_memory_back();
                    }
                }
            }
            if self.last_try.elapsed() >= RETRY {
                self.find();
            }
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn publish(&self) {
        let lanes = self.lanes.iter().zip(0..);
        self.shared.closer.set(Table {
            spaces: lanes.map(|(lane, at)| lane.space(at)).collect(),
            in_use: None,
        });
    }

    /// Finds the runtime, and takes on the models that are due. Their sessions are made when there is work.
    fn find(&mut self) {
        self.last_try = Instant::now();
        for lane in &mut self.lanes {
            lane.turn();
        }
        if self.lanes.iter().all(|lane| !lane.is_due()) {
            self.publish();
            return;
        }
        if self.runtime.is_none() {
            self.runtime = Runtime::find(&self.data_dir).ok();
        }
        let write = self.write.clone();
        let runtime = self.runtime.as_ref();
        let due = |lane: &&mut CloserLane| lane.is_due() && lane.retries.is_due();
        for lane in self.lanes.iter_mut().filter(due) {
            lane.state = match (lane.plan.look.is_there(), runtime) {
                (Err(e), _) => ModelState::Missing(e.to_string()),
                // The other thread says so too, in the log.
                (Ok(()), None) => ModelState::Missing("ONNX Runtime is not loaded".to_owned()),
                (Ok(()), Some(runtime)) => match adopt(lane, &write) {
                    Ok(()) => {
                        tracing::info!("{} runs", lane.plan.id);
                        ModelState::Ready {
                            runtime: runtime.path.clone(),
                        }
                    }
                    Err(e) => ModelState::Missing(e.to_string()),
                },
            };
        }
        self.publish();
        self.shared.progress.turn();
    }

    fn look_at(&mut self, seen: Seen) {
        let Seen {
            hash,
            tensors,
            ticket,
            ..
        } = seen;
        let mut results = Results::default();
        let mut failed = Vec::new();
        for LaneTensor { lane, tensor } in tensors {
            let ModelInput::Whole(picture) = tensor else {
                continue;
            };
            let at = lane as usize;
            match self.look(at, picture) {
                Ok(None) => {}
                Ok(Some((model, looked))) => {
                    let embedding = Embedding {
                        values: looked.vector,
                    };
                    results.made.push(ModelResult {
                        model,
                        embedding: embedding.as_kept(),
                    });
                    if let Some(lines) = looked.lines {
                        results.text = Some(ReadText { model, lines });
                    }
                }
                Err(e @ ModelError::BadOutput { .. }) => {
                    let model = self.lanes[at].model;
                    failed.extend(model.map(|model| (model, e)));
                }
                Err(e) => {
                    // Once more it is the photo, not the model: others are not to wait behind it for ever.
                    let again = self.lanes[at].failed_at.replace(hash) == Some(hash);
                    let model = self.lanes[at].model.filter(|_| again);
                    self.lose(at, &e);
                    failed.extend(model.map(|model| (model, e)));
                }
            }
        }
        let send = |change, ticket| {
            let _ = self.write.send(Write::Change {
                change,
                root: None,
                release: None,
                urgent: false,
                ticket,
            });
        };
        for (model, e) in failed {
            let change = Change::NotEmbedded {
                hash,
                model: Some(model),
                failure: failing::no_embedding(&e),
            };
            send(change, None);
        }
        if results.made.is_empty() {
            // Ended only when what was sent before has been written: the writer takes one after the other.
            let ended = Write::Run(Box::new(move |_| drop(ticket)));
            let _ = self.write.send(ended);
        } else {
            Progress::add(&self.shared.progress.looked_closer, 1);
            let results = Box::new(results);
            send(Change::Embedded { hash, results }, ticket);
        }
    }

    fn look(&mut self, at: usize, picture: Letterbox) -> Result<Option<(i64, Looked)>, ModelError> {
        let shared = Arc::clone(&self.shared);
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.turn();
            if lane.state == ModelState::Off {
                self.publish();
                return Ok(None);
            }
        }
        let (Some(lane), Some(runtime)) = (self.lanes.get_mut(at), &self.runtime) else {
            return Ok(None);
        };
        let Some(model) = lane.model.filter(|_| lane.is_ready()) else {
            return Ok(None);
        };
        let mut calm = || shared.is_calm();
        if !calm() {
            return Ok(None);
        }
        let look = &mut lane.plan.look;
        give_large_blocks_back(true);
        let loaded = look.load(runtime, shared.background, &shared.stop);
        let looked = loaded.and_then(|()| look.look(picture, &mut calm, &shared.stop));
        give_large_blocks_back(false);
        let looked = looked?;
        lane.retries.worked();
        Ok(looked.map(|looked| (model, looked)))
    }

    fn lose(&mut self, at: usize, e: &ModelError) {
        tracing::warn!("{e}; trying again later");
        let lane = &mut self.lanes[at];
        lane.plan.look.rest();
        lane.retries.put_off(RETRY, e);
        lane.state = ModelState::Missing(e.to_string());
        self.publish();
    }
}

/// The model's key in the store.
fn adopt(lane: &mut CloserLane, write: &Sender<Write>) -> Result<(), IndexError> {
    if lane.model.is_none() {
        let (name, dims, kind) = (lane.plan.id.clone(), lane.plan.dims, lane.plan.role.kind());
        let adopted = Write::ask(write, move |store| store.adopt_model(&name, dims, kind));
        lane.model = Some(adopted?);
    }
    Ok(())
}

impl Shared {
    /// Waits while others go first; false: a stop came, or only those others are let through now.
    fn is_calm(&self) -> bool {
        while !self.stop.load(Ordering::Relaxed) && self.gate.flow() == Flow::Everything {
            if !self.progress.is_live(QUIET) {
                return true;
            }
            std::thread::sleep(CALM);
        }
        false
    }
}
