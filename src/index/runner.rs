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
use crate::model::ModelError;

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

/// What runs in the thread: made there, and never seen elsewhere.
pub(super) trait Graph {
    /// What it is shown.
    type Ask: Send + 'static;
    /// What it makes of one.
    type Answer: Send + 'static;

    /// Most of them in one run.
    fn batch(&self) -> usize;

    /// One answer for each, in order.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if one of them spoils the run, others if the model fails.
    fn see(&mut self, asked: &[Self::Ask]) -> Result<Vec<Self::Answer>, ModelError>;
}

/// What was asked, and what became of it.
type Answered<Q, A> = (Vec<Q>, Result<Vec<A>, ModelError>);

/// The way to a session. Dropped, it waits for the session to be gone: a process that ends under a
/// thread inside the runtime can crash.
pub(super) struct Runner<Q, A> {
    /// Dropped, it lets the thread end.
    ask: Option<Sender<Vec<Q>>>,
    thread: Option<JoinHandle<()>>,
    answers: Receiver<Answered<Q, A>>,
    pack: String,
    batch: usize,
    /// What the slowest run lately took, for one of what it was shown.
    slowest: Option<Duration>,
    hangs: bool,
}

/// A session that is being made. Several can be at once: whoever begins one waits for it.
pub(super) struct Starting<Q, A> {
    runner: Runner<Q, A>,
    is_made: Receiver<Result<usize, ModelError>>,
}

impl<Q: Send + 'static, A: Send + 'static> Starting<Q, A> {
    /// Begins to make the session of a pack, in the background's low priority if so wanted.
    ///
    /// # Errors
    /// If no thread can be had.
    pub fn begin<G>(
        pack: String,
        background: bool,
        make: impl FnOnce() -> Result<G, ModelError> + Send + 'static,
    ) -> Result<Self, ModelError>
    where
        G: Graph<Ask = Q, Answer = A>,
    {
        let fail = |reason: String| ModelError::Run {
            pack: pack.clone(),
            reason,
        };
        // One question at a time.
        let (ask, asked) = bounded::<Vec<Q>>(1);
        let (answer, answers) = bounded::<Answered<Q, A>>(1);
        let (made, is_made) = bounded(1);
        let work = move || {
            if background {
                priority::lower();
            }
            let mut graph = match make() {
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
            pack,
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
    pub fn wait(mut self, stop: &AtomicBool) -> Result<Runner<Q, A>, ModelError> {
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

impl<Q, A> Runner<Q, A> {
    /// Most of what it is shown in one run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// One run: what is shown comes back with the answers.
    ///
    /// # Errors
    /// If the model hangs or has died; this runner is of no use then. An error beside what was shown is
    /// the run's own.
    pub fn see(
        &mut self,
        shown: Vec<Q>,
        stop: &AtomicBool,
    ) -> Result<Outcome<Answered<Q, A>>, ModelError> {
        let count = u32::try_from(shown.len()).unwrap_or(1).max(1);
        let patience = self.slowest.map_or(RUN_PATIENCE, |slowest| {
            (slowest * count * SLACK).clamp(RUN_PATIENCE / 2, RUN_PATIENCE * 4)
        });
        let begun = Instant::now();
        let ask = self.ask.as_ref().filter(|_| !self.hangs);
        let sent = ask.is_some_and(|ask| ask.try_send(shown).is_ok());
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

impl<Q, A> Drop for Runner<Q, A> {
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
