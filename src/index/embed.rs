//! The embed thread: owns the models, runs batches, makes tags.
//!
//! A batch closes when it is full, when it has waited long enough, or at once when it holds a live
//! photo and nothing more is waiting; live photos overtake the others. Each photo goes through
//! every lane that it has a picture for. What a model that is missing would have said is caught up
//! later.

mod running;
mod tags;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select};

use super::job::{Seen, Write};
use super::lanes::{Lane, ModelPlan, SearchChoice};
use super::progress::Progress;
use super::scoped::ScopedTagging;
use super::spaces::{LaneId, LaneTensor, Role};
use super::tagging::Current;
use super::worker::Shared;
use super::{failing, priority};
use crate::embedding::{Embedding, ModelId, ModelInput};
use crate::media::DECODER_VERSION;
use crate::model::{ModelError, Runtime};
use crate::photo::Pixels;
use crate::store::{Change, ModelResult, Results, Tagged};

/// Photos in one round: from 8 on, batching gains little, and each takes 1.6 MB of input.
const BATCH: usize = 8;
/// How long the first photo of a batch waits for others.
const MAX_AGE: Duration = Duration::from_millis(200);
/// How often a missing runtime or model is looked for again.
const RETRY: Duration = Duration::from_secs(30);
/// How long a search model's session is kept without work: making it again takes a second or two.
const REST: Duration = Duration::from_secs(300);

/// What the embed thread can be told.
pub(super) enum Order {
    /// This search model is to be used from now on; queries go by `serving` meanwhile.
    Use {
        choice: SearchChoice,
        serving: Option<ModelId>,
    },
    /// Queries go by this one: search models beside it are of no use any more.
    Settled(ModelId),
    /// The pipeline ends.
    End,
}

pub(super) struct EmbedThread {
    shared: Arc<Shared>,
    plan: Option<ModelPlan>,
    orders: Receiver<Order>,
    urgent: Receiver<Seen>,
    input: Receiver<Seen>,
    write: Sender<Write>,
    lanes: Vec<Lane>,
    next_lane: LaneId,
    in_use: Option<ModelId>,
    runtime: Option<Runtime>,
    last_try: Instant,
    /// The snapshot that tags are made with; none without a plan.
    current: Option<Arc<Current>>,
    tagging: ScopedTagging,
}

enum Next {
    Photo(Box<Seen>),
    Order(Order),
    Nothing,
    Closed,
}

/// A photo in the batch, and what has been made of it.
struct BatchWork {
    seen: Seen,
    tensors: Vec<LaneTensor>,
    /// The classifier's scores.
    logits: Option<Vec<f32>>,
    made: Vec<ModelResult>,
    failed: Vec<(Option<i64>, ModelError)>,
}

impl EmbedThread {
    /// The thread's state; the table of spaces says from here on what is to be loaded.
    pub fn new(
        shared: Arc<Shared>,
        (plan, current): (Option<ModelPlan>, Option<Arc<Current>>),
        (orders, urgent, input): (Receiver<Order>, Receiver<Seen>, Receiver<Seen>),
        write: Sender<Write>,
    ) -> Self {
        let mut thread = Self {
            shared,
            plan,
            orders,
            urgent,
            input,
            write,
            lanes: Vec::new(),
            next_lane: 0,
            in_use: None,
            runtime: None,
            last_try: Instant::now(),
            current,
            tagging: ScopedTagging::default(),
        };
        if let Some(plan) = &thread.plan {
            let (classifier, derived) = (plan.classifier.clone(), plan.derived.clone());
            let (search, before) = (plan.search.clone(), plan.before.clone());
            let detectors = [
                (Role::Things, plan.things.clone()),
                (Role::Faces, plan.faces.clone()),
            ];
            thread.lanes = vec![
                Lane::graph(0, Role::Tags, classifier),
                Lane::derived(1, &derived),
            ];
            thread.next_lane = 2;
            // Things before faces, which are looked for where there are people.
            for (role, pack) in detectors {
                let Some(pack) = pack else { continue };
                thread.lanes.push(Lane::graph(thread.next_lane, role, pack));
                thread.next_lane += 1;
            }
            if let Some(before) = before {
                thread.choose(SearchChoice::Graph(before));
            }
            thread.choose(search);
        }
        thread.publish();
        thread
    }

    pub fn run(mut self) {
        if self.shared.background {
            priority::lower();
        }
        self.load();
        loop {
            let first = match self.next() {
                Next::Photo(seen) => *seen,
                Next::Order(Order::End) => return,
                Next::Order(order) => {
                    self.obey(order);
                    continue;
                }
                Next::Nothing => {
                    self.rest();
                    self.retry();
                    continue;
                }
                Next::Closed => return,
            };
            if self.shared.stop.load(Ordering::Relaxed) {
                // Not committed is not acknowledged: the next start does these again.
                continue;
            }
            self.retry();
            let batch = self.gather(first);
            self.embed(batch);
        }
    }

    fn next(&mut self) -> Next {
        if let Ok(seen) = self.urgent.try_recv() {
            return Next::Photo(Box::new(seen));
        }
        select! {
            recv(self.orders) -> order => match order {
                Ok(order) => Next::Order(order),
                Err(_) => {
                    self.orders = never();
                    Next::Nothing
                }
            },
            recv(self.urgent) -> seen => self.or_the_rest(seen.ok()),
            recv(self.input) -> seen => self.or_the_rest(seen.ok()),
            default(RETRY) => Next::Nothing,
        }
    }

    /// Both inputs close together, when the last worker ends; what is left in them comes first.
    fn or_the_rest(&self, seen: Option<Seen>) -> Next {
        seen.or_else(|| self.urgent.try_recv().ok())
            .or_else(|| self.input.try_recv().ok())
            .map_or(Next::Closed, |seen| Next::Photo(Box::new(seen)))
    }

    fn gather(&self, first: Seen) -> Vec<Seen> {
        let most = self
            .lanes
            .iter()
            .map(|l| l.most(BATCH))
            .min()
            .unwrap_or(BATCH);
        let deadline = Instant::now() + MAX_AGE;
        let mut urgent = first.urgent;
        let mut batch = vec![first];
        while batch.len() < most {
            let next = match self.urgent.try_recv().or_else(|_| self.input.try_recv()) {
                Ok(seen) => Some(seen),
                Err(_) if urgent => None,
                Err(_) => select! {
                    recv(self.urgent) -> seen => seen.ok(),
                    recv(self.input) -> seen => seen.ok(),
                    default(deadline.saturating_duration_since(Instant::now())) => None,
                },
            };
            let Some(next) = next else {
                break;
            };
            urgent |= next.urgent;
            batch.push(next);
        }
        batch
    }

    /// Takes every photo of the batch through every lane, and sends it on.
    fn embed(&mut self, batch: Vec<Seen>) {
        let begun = Instant::now();
        let mut works: Vec<BatchWork> = batch
            .into_iter()
            .map(|mut seen| BatchWork {
                tensors: std::mem::take(&mut seen.tensors),
                seen,
                logits: None,
                made: Vec::new(),
                failed: Vec::new(),
            })
            .collect();
        let mut lanes = std::mem::take(&mut self.lanes);
        let mut lost = false;
        let things = lanes.iter().find(|l| l.role == Role::Things);
        let things = things.and_then(|lane| lane.model);
        for lane in &mut lanes {
            let Some(model) = lane.model else {
                continue;
            };
            if lane.role == Role::Faces {
                self.pass_over(lane, model, things, &mut works);
            }
            if lane.role == Role::Derived {
                self.derive(lane, model, &mut works);
            } else if let Err(e) = self.see(lane, model, &mut works) {
                tracing::warn!("{e}; trying again later");
                lane.put_off(RETRY, &e);
                lane.unload(e.to_string());
                lost = true;
            }
        }
        let expected = lanes.iter().filter(|l| l.is_loaded()).count();
        self.lanes = lanes;
        if lost {
            self.last_try = Instant::now();
            self.publish();
        }
        let tagged = self.tag(&mut works);
        self.tagging.took(begun.elapsed());
        for (work, tagged) in works.into_iter().zip(tagged) {
            self.pass_on(work, tagged, expected);
        }
    }

    fn see(&self, lane: &mut Lane, model: i64, works: &mut [BatchWork]) -> Result<(), ModelError> {
        let wanted: Vec<(usize, LaneTensor)> = works
            .iter_mut()
            .enumerate()
            .filter_map(|(i, w)| {
                let at = w.tensors.iter().position(|t| t.lane == lane.id)?;
                Some((i, w.tensors.swap_remove(at)))
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        if let (Some(runtime), Some(plan)) = (&self.runtime, &self.plan) {
            let how = (plan.threads, self.shared.background);
            lane.wake(runtime, how, &self.shared.stop)?;
        }
        let (whose, tensors): (Vec<usize>, Vec<ModelInput>) =
            wanted.into_iter().map(|(i, t)| (i, t.tensor)).unzip();
        let answers = lane.see(tensors, &self.shared.stop)?;
        for (i, answer) in whose.into_iter().zip(answers) {
            let work = &mut works[i];
            match answer.and_then(|e| self.result(lane, model, e, &mut work.logits)) {
                Ok(result) => work.made.push(result),
                Err(e) => work.failed.push((Some(model), e)),
            }
        }
        Ok(())
    }

    fn result(
        &self,
        lane: &Lane,
        model: i64,
        embedding: Embedding,
        logits: &mut Option<Vec<f32>>,
    ) -> Result<ModelResult, ModelError> {
        let embedding = embedding.as_kept();
        if let (Some(plan), Role::Tags) = (&self.plan, lane.role) {
            let scores = plan.tags.classifier.logits(&embedding.values);
            *logits = Some(scores.map_err(|e| ModelError::BadOutput {
                pack: lane.name.to_string(),
                reason: e.to_string(),
            })?);
        }
        Ok(ModelResult { model, embedding })
    }

    fn pass_on(&self, work: BatchWork, tagged: Option<Tagged>, expected: usize) {
        let BatchWork {
            seen, made, failed, ..
        } = work;
        let Seen {
            hash,
            place,
            inspection,
            urgent,
            ticket,
            ..
        } = seen;
        if !made.is_empty() {
            Progress::add(&self.shared.progress.embedded, 1);
        }
        let pixels = inspection.as_ref().map(|seen| &seen.pixels);
        let pictured = !matches!(pixels, Some(Pixels::None(_)));
        if place.is_some() && pictured && made.len() + failed.len() < expected {
            Progress::add(&self.shared.progress.untagged, 1);
        }
        if pixels == Some(&Pixels::Preview) {
            Progress::add(&self.shared.progress.previews, 1);
        }
        let results = (!made.is_empty()).then(|| {
            Box::new(Results {
                made,
                tagged,
                text: None,
            })
        });
        let send = |change, root, release, ticket| {
            let _ = self.write.send(Write::Change {
                change,
                root,
                release,
                urgent,
                ticket,
            });
        };
        let mut left = None;
        match (place, inspection, results) {
            (Some(place), inspection, results) => send(
                Change::Indexed {
                    place: Some((place.key, place.stamp)),
                    hash,
                    inspection,
                    decoder_version: DECODER_VERSION,
                    results,
                },
                Some(place.root),
                Some(hash),
                Some(place.ticket),
            ),
            (None, _, Some(results)) => {
                Progress::add(&self.shared.progress.caught_up, 1);
                send(Change::Embedded { hash, results }, None, None, ticket);
            }
            (None, _, None) => left = ticket,
        }
        // After the photo itself: a failure without a photo would look like a broken file.
        let last = failed.len();
        for (n, (model, e)) in failed.into_iter().enumerate() {
            let change = Change::NotEmbedded {
                hash,
                model,
                failure: failing::no_embedding(&e),
            };
            send(change, None, None, left.take_if(|_| n + 1 == last));
        }
    }

    fn derive(&self, lane: &Lane, model: i64, works: &mut [BatchWork]) {
        let Some(plan) = &self.plan else {
            return;
        };
        for work in works {
            let p = work
                .logits
                .as_ref()
                .map(|l| plan.tags.classifier.probabilities(l));
            match p.and_then(|p| lane.derive(&p)) {
                Some(Ok(embedding)) => work.made.push(ModelResult {
                    model,
                    embedding: embedding.as_kept(),
                }),
                Some(Err(e)) => work.failed.push((Some(model), e)),
                None if !work.failed.is_empty() => {
                    let reason = "the classifier gave nothing to derive it from".to_owned();
                    let e = ModelError::BadOutput {
                        pack: lane.name.to_string(),
                        reason,
                    };
                    work.failed.push((Some(model), e));
                }
                None => {}
            }
        }
    }
}
