//! The embed thread: owns the model, runs batches, scores tags.
//!
//! A batch closes when it is full, when it has waited long enough, or at once when it holds a live
//! photo and nothing more is waiting. Without a model, photos pass through and are caught up later.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::job::{Seen, Write};
use super::progress::Progress;
use super::worker::Shared;
use super::{failing, priority};
use crate::embedding::{Embedding, ModelId, Tensor};
use crate::media::DECODER_VERSION;
use crate::model::{EncoderOptions, ImageEncoder, ModelError, ModelPack, Runtime, find_runtime};
use crate::store::{Change, Results};
use crate::tag::Tagger;

/// Which model is to be used, and how.
pub struct ModelPlan {
    /// The pack.
    pub pack: ModelPack,
    /// Its words and label bank.
    pub tagger: Arc<Tagger>,
    /// Where a runtime may lie.
    pub data_dir: std::path::PathBuf,
    /// Threads inside one run.
    pub threads: usize,
}

/// How the model is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelState {
    /// Not looked for yet.
    #[default]
    Loading,
    /// Running.
    Ready {
        /// The runtime's library.
        runtime: std::path::PathBuf,
    },
    /// Not running; why, and what to do.
    Missing(String),
}

/// Photos in one run: from 8 on, batching gains little, and each takes 0.6 MB of input.
const BATCH: usize = 8;
/// How long the first photo of a batch waits for others.
const MAX_AGE: Duration = Duration::from_millis(200);
/// How often a missing runtime is looked for again.
const RETRY: Duration = Duration::from_secs(30);

pub(super) struct EmbedThread {
    pub shared: Arc<Shared>,
    pub plan: Option<ModelPlan>,
    pub state: Arc<Mutex<ModelState>>,
    pub input: Receiver<Seen>,
    pub write: Sender<Write>,
}

impl EmbedThread {
    pub fn run(mut self) {
        if self.shared.background {
            priority::lower();
        }
        let mut encoder = self.load();
        let mut last_try = Instant::now();
        loop {
            let first = match self.input.recv_timeout(RETRY) {
                Ok(seen) => Some(seen),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if encoder.is_none() && last_try.elapsed() >= RETRY {
                encoder = self.load();
                last_try = Instant::now();
            }
            let Some(first) = first else {
                continue;
            };
            if self.shared.stop.load(Ordering::Relaxed) {
                // Not committed is not acknowledged: the next start does these again.
                continue;
            }
            let batch = self.gather(first);
            if let Err(e) = self.embed(encoder.as_mut(), batch) {
                tracing::warn!("{e}; trying again in {} s", RETRY.as_secs());
                self.set(ModelState::Missing(e.to_string()));
                self.shared.tensors.store(false, Ordering::Relaxed);
                self.shared.model.store(0, Ordering::Relaxed);
                encoder = None;
                last_try = Instant::now();
            }
        }
    }

    fn set(&self, state: ModelState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn load(&mut self) -> Option<ImageEncoder> {
        let plan = self.plan.as_ref()?;
        match load(plan) {
            Ok((encoder, runtime)) => {
                let id = self.adopt(plan.pack.id.clone(), plan.pack.dims)?;
                self.shared.model.store(id, Ordering::Relaxed);
                self.shared.tensors.store(true, Ordering::Relaxed);
                tracing::info!("{} runs on {}", plan.pack.id, runtime.display());
                self.set(ModelState::Ready { runtime });
                self.shared.progress.turn();
                Some(encoder)
            }
            Err(e) => {
                let message = e.to_string();
                let known = matches!(&*self.state.lock().unwrap_or_else(PoisonError::into_inner), ModelState::Missing(m) if *m == message);
                if !known {
                    tracing::warn!("{message}");
                }
                self.set(ModelState::Missing(message));
                self.shared.tensors.store(false, Ordering::Relaxed);
                None
            }
        }
    }

    /// The model's key in the store.
    fn adopt(&self, id: ModelId, dims: usize) -> Option<i64> {
        let (tx, rx) = crossbeam_channel::bounded(1);
        self.write
            .send(Write::Run(Box::new(move |store| {
                let _ = tx.send(store.adopt_model(&id, dims));
            })))
            .ok()?;
        match rx.recv().ok()? {
            Ok(id) => Some(id),
            Err(e) => {
                self.set(ModelState::Missing(e.to_string()));
                None
            }
        }
    }

    fn gather(&self, first: Seen) -> Vec<Seen> {
        let deadline = Instant::now() + MAX_AGE;
        let mut urgent = first.urgent;
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let next = if urgent {
                self.input.try_recv().ok()
            } else {
                self.input.recv_deadline(deadline).ok()
            };
            let Some(next) = next else {
                break;
            };
            urgent |= next.urgent;
            batch.push(next);
        }
        batch
    }

    /// Sends every photo of the batch on, with the model's results where there are any. An error
    /// means that the model itself has failed; the photos are sent on without results.
    fn embed(
        &self,
        encoder: Option<&mut ImageEncoder>,
        mut batch: Vec<Seen>,
    ) -> Result<(), ModelError> {
        let tensors: Vec<Option<Tensor>> = batch
            .iter_mut()
            .map(|seen| seen.inspection.tensor.take())
            .collect();
        let (Some(encoder), Some(plan)) = (encoder, self.plan.as_ref()) else {
            batch.into_iter().for_each(|seen| self.pass_on(seen, None));
            return Ok(());
        };
        let present: Vec<&Tensor> = tensors.iter().flatten().collect();
        if present.is_empty() {
            batch.into_iter().for_each(|seen| self.pass_on(seen, None));
            return Ok(());
        }
        let mut vectors = match encoder.encode(&present) {
            Ok(vectors) => vectors.into_iter().map(Ok).collect::<Vec<_>>(),
            // One picture may have spoilt the batch: each for itself.
            Err(ModelError::BadOutput { .. }) => present
                .iter()
                .map(|t| encoder.encode(&[t]).map(|mut v| v.remove(0)))
                .collect(),
            Err(e) => {
                batch.into_iter().for_each(|seen| self.pass_on(seen, None));
                return Err(e);
            }
        }
        .into_iter();
        for (seen, tensor) in batch.into_iter().zip(&tensors) {
            let result = match tensor {
                Some(_) => vectors
                    .next()
                    .map(|v| v.and_then(|v| self.results(plan, v))),
                None => None,
            };
            self.pass_on(seen, result);
        }
        Ok(())
    }

    fn results(&self, plan: &ModelPlan, embedding: Embedding) -> Result<Box<Results>, ModelError> {
        let tags = plan
            .tagger
            .tags(&embedding)
            .map_err(|e| ModelError::BadOutput {
                pack: plan.pack.id.to_string(),
                reason: e.to_string(),
            })?;
        Ok(Box::new(Results {
            model: self.shared.model.load(Ordering::Relaxed),
            bank: plan.tagger.bank_version().to_owned(),
            embedding,
            tags,
        }))
    }

    fn pass_on(&self, seen: Seen, results: Option<Result<Box<Results>, ModelError>>) {
        let (results, failure) = match results {
            None => {
                Progress::add(&self.shared.progress.untagged, 1);
                (None, None)
            }
            Some(Ok(results)) => {
                Progress::add(&self.shared.progress.embedded, 1);
                (Some(results), None)
            }
            Some(Err(e)) => (None, Some(failing::no_embedding(&e))),
        };
        let Seen {
            hash,
            place,
            inspection,
            urgent,
            ticket,
        } = seen;
        let send = |change, release, ticket| {
            let _ = self.write.send(Write::Change {
                change,
                release,
                urgent,
                ticket,
            });
        };
        match (place, results) {
            (Some(place), results) => send(
                Change::Indexed {
                    place: Some((place.key, place.stamp)),
                    hash,
                    inspection: Some(inspection),
                    decoder_version: DECODER_VERSION,
                    results,
                },
                Some(hash),
                Some(place.ticket),
            ),
            (None, Some(results)) => send(Change::Embedded { hash, results }, None, ticket),
            (None, None) => drop(ticket),
        }
        // After the photo itself: a failure without a photo would look like a broken file.
        if let Some(failure) = failure {
            send(Change::NotEmbedded { hash, failure }, None, None);
        }
    }
}

fn load(plan: &ModelPlan) -> Result<(ImageEncoder, std::path::PathBuf), ModelError> {
    let choice = find_runtime(&plan.data_dir)?;
    let runtime = Runtime::load(&choice)?;
    let options = EncoderOptions {
        threads: plan.threads,
    };
    Ok((
        ImageEncoder::new(&runtime, &plan.pack, options)?,
        choice.path,
    ))
}
