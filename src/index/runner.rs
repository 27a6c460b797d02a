//! A model's session on a thread of its own, so that one that hangs can be given up on.
//!
//! Foreign code runs in it: a run that never comes back must cost its pictures their vectors, and
//! nothing else. The embed thread asks and waits; when its patience is over, or a stop comes, the
//! runner is left behind with what it was given, and everything that counts (photos, tickets, the
//! way to the writer) is still on the asker's side. While it works this costs two passings of a
//! pointer a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::priority;
use super::stage::{Ending, leave_behind, spawn};
use crate::boxes;
use crate::embedding::{Embedding, ModelInput, Tensor};
use crate::model::{
    Detector, EncoderOptions, ImageEncoder, ImageSide, ModelError, ModelPack, Runtime,
};

/// How long making a session may take: a model of 1 GB is read and optimised in half a minute on a
/// slow machine.
const LOAD_PATIENCE: Duration = Duration::from_secs(180);
/// How long a run may take while it is not known how long runs take.
const RUN_PATIENCE: Duration = Duration::from_secs(30);
/// Runs take no more than so many times what they lately took; a busy or throttled machine is slow.
const SLACK: u32 = 50;
/// How long a stop waits for a run: a good one ends within it, and its photos keep their vectors.
const STOP_PATIENCE: Duration = Duration::from_millis(1200);

/// How long a session may take to be given back.
const END_PATIENCE: Duration = Duration::from_millis(1500);

/// What became of a question.
pub(super) enum Outcome<T> {
    Answer(T),
    /// A stop came first.
    Stopped,
}

type Asked = Vec<ModelInput>;
type Answered = (Vec<ModelInput>, Result<Vec<Embedding>, ModelError>);

/// What runs in the thread.
enum Graph {
    Encoder(ImageEncoder),
    Detector(Detector),
}

impl Graph {
    fn new(runtime: &Runtime, pack: &ModelPack, threads: usize) -> Result<Self, ModelError> {
        Ok(match pack.image {
            ImageSide::Boxes(_) => Self::Detector(Detector::new(runtime, pack)?),
            ImageSide::Graph(_) | ImageSide::Derived(_) => Self::Encoder(ImageEncoder::new(
                runtime,
                pack,
                EncoderOptions { threads },
            )?),
        })
    }

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

/// The way to a session. Dropped, it waits for the session to be gone: a process that ends under a
/// thread inside the runtime can crash.
pub(super) struct Runner {
    /// Dropped, it lets the thread end.
    ask: Option<Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
    answers: Receiver<Answered>,
    pack: String,
    batch: usize,
    /// What the slowest run lately took, for one picture.
    slowest: Option<Duration>,
    hangs: bool,
}

/// A session that is being made. Several can be at once: whoever begins one waits for it.
pub(super) struct Starting {
    runner: Runner,
    is_made: Receiver<Result<usize, ModelError>>,
}

impl Starting {
    /// Begins to make the session.
    ///
    /// # Errors
    /// If no thread can be had.
    pub fn begin(
        runtime: &Runtime,
        pack: &ModelPack,
        (threads, background): (usize, bool),
    ) -> Result<Self, ModelError> {
        let name = pack.id.to_string();
        let fail = |reason: String| ModelError::Run {
            pack: name.clone(),
            reason,
        };
        // One question at a time.
        let (ask, asked) = bounded::<Asked>(1);
        let (answer, answers) = bounded::<Answered>(1);
        let (made, is_made) = bounded(1);
        let (runtime, pack) = (runtime.clone(), pack.clone());
        let work = move || {
            if background {
                priority::lower();
            }
            let mut graph = match Graph::new(&runtime, &pack, threads) {
                Ok(graph) => graph,
                Err(e) => return drop(made.send(Err(e))),
            };
            if made.send(Ok(graph.batch())).is_err() {
                return;
            }
            drop(made);
            for inputs in asked {
                let seen = graph.see(&inputs);
                if answer.send((inputs, seen)).is_err() {
                    return;
                }
            }
        };
        let thread = spawn("model", work).map_err(|e| fail(e.to_string()))?;
        let runner = Runner {
            ask: Some(ask),
            thread: Some(thread),
            answers,
            pack: name,
            batch: 1,
            slowest: None,
            hangs: false,
        };
        Ok(Self { runner, is_made })
    }

    /// Waits for the session.
    ///
    /// # Errors
    /// If it cannot be made, or that takes for ever.
    pub fn wait(mut self, stop: &AtomicBool) -> Result<Runner, ModelError> {
        let fail = |pack: &str, reason: &str| ModelError::Run {
            pack: pack.to_owned(),
            reason: reason.to_owned(),
        };
        let pack = self.runner.pack.clone();
        match wait(&self.is_made, LOAD_PATIENCE, stop) {
            Ok(Outcome::Answer(made)) => {
                self.runner.batch = made?;
                Ok(self.runner)
            }
            Ok(Outcome::Stopped) => {
                self.runner.hangs = true;
                Err(fail(&pack, "a stop came first"))
            }
            Err(Silence::Died) => Err(fail(&pack, "it died while it was loaded")),
            Err(Silence::Hangs) => {
                self.runner.hangs = true;
                Err(ModelError::Hangs {
                    pack,
                    what: "loading it",
                    seconds: LOAD_PATIENCE.as_secs(),
                })
            }
        }
    }
}

impl Runner {
    /// Most pictures in one run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// One run: the pictures come back with their vectors.
    ///
    /// # Errors
    /// If the model hangs or has died; this runner is of no use then. An error beside the pictures is
    /// the run's own.
    pub fn encode(
        &mut self,
        tensors: Vec<ModelInput>,
        stop: &AtomicBool,
    ) -> Result<Outcome<Answered>, ModelError> {
        let count = u32::try_from(tensors.len()).unwrap_or(1).max(1);
        let patience = self.slowest.map_or(RUN_PATIENCE, |slowest| {
            (slowest * count * SLACK).clamp(RUN_PATIENCE / 2, RUN_PATIENCE * 4)
        });
        let begun = Instant::now();
        let ask = self.ask.as_ref().filter(|_| !self.hangs);
        let sent = ask.is_some_and(|ask| ask.try_send(tensors).is_ok());
        let waited = if sent {
            wait(&self.answers, patience, stop)
        } else {
            Err(Silence::Died)
        };
        match waited {
            Ok(Outcome::Answer(answer)) => {
                let took = begun.elapsed() / count;
                self.slowest = Some(self.slowest.map_or(took, |s| s.max(took)));
                Ok(Outcome::Answer(answer))
            }
            Ok(Outcome::Stopped) => {
                self.hangs = true;
                Ok(Outcome::Stopped)
            }
            Err(Silence::Died) => Err(ModelError::Run {
                pack: self.pack.clone(),
                reason: "its thread has died".to_owned(),
            }),
            Err(Silence::Hangs) => {
                self.hangs = true;
                Err(ModelError::Hangs {
                    pack: self.pack.clone(),
                    what: "a run",
                    seconds: patience.as_secs(),
                })
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.ask = None;
        if !self.hangs {
            Ending::within(END_PATIENCE).wait_for("model", self.thread.take());
        }
    }
}

enum Silence {
    Died,
    Hangs,
}

/// Waits for an answer; a stop shortens the wait. Whoever does not answer is left behind.
fn wait<T>(
    answers: &Receiver<T>,
    patience: Duration,
    stop: &AtomicBool,
) -> Result<Outcome<T>, Silence> {
    let mut end = Instant::now() + patience;
    let mut stopped = false;
    loop {
        if !stopped && stop.load(Ordering::Relaxed) {
            stopped = true;
            end = end.min(Instant::now() + STOP_PATIENCE);
        }
        let step = end.min(Instant::now() + Duration::from_millis(50));
        match answers.recv_deadline(step) {
            Ok(answer) => return Ok(Outcome::Answer(answer)),
            Err(RecvTimeoutError::Disconnected) => return Err(Silence::Died),
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            Err(RecvTimeoutError::Timeout) => {
                leave_behind("a model's thread");
                return if stopped {
                    Ok(Outcome::Stopped)
                } else {
                    Err(Silence::Hangs)
                };
            }
        }
    }
}
