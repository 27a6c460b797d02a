//! Photos that some model has not seen: found by a look at the index, queued behind everything else.
//!
//! The derived space costs no picture: it is filled from the classifier's stored vectors. For the
//! others a photo is read and decoded once for all models that lack it. Nothing here is remembered
//! but in the index itself, so a kill costs no more than what was under way.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::error::IndexError;
use super::job::{Job, Task, Write};
use super::lanes::Derived;
use super::progress::Progress;
use super::scan::enqueue;
use super::spaces::Role;
use super::worker::Shared;
use crate::store::{Change, ModelResult, Results, StoreError, StoreReader};
use crate::tag::Tagger;

/// Photos looked up at once.
const PAGE: usize = 512;
/// Photos whose names are put into the full-text index in one transaction.
const NAMES: usize = 2000;

pub(super) struct CatchUp {
    pub shared: Arc<Shared>,
    /// What the derived space is made with.
    pub plan: Option<(Arc<Tagger>, Derived)>,
    pub data_dir: PathBuf,
    pub backlog: Mutex<Option<Sender<Job>>>,
    pub write: Mutex<Option<Sender<Write>>>,
}

impl CatchUp {
    /// Works once for every request, until nobody can make one any more.
    pub fn serve(&self, requests: &Receiver<()>) {
        for () in requests {
            match self.run() {
                Ok(0) => {}
                Ok(n) => tracing::info!("{n} photos go to models that had not seen them"),
                Err(_) if self.stopping() => return,
                Err(e) => tracing::warn!("{e}"),
            }
        }
    }

    /// Gives up the channels, so that the stages behind them can end.
    pub fn let_go(&self) {
        *lock(&self.backlog) = None;
        *lock(&self.write) = None;
    }

    /// Everything once; returns how many photos went somewhere.
    pub fn run(&self) -> Result<u64, IndexError> {
        let reader = StoreReader::open(&self.data_dir)?;
        self.fill_names()?;
        let derived = self.derive(&reader)?;
        Ok(derived + self.queue(&reader)?)
    }

    /// Names of photos that were indexed before names could be searched.
    fn fill_names(&self) -> Result<(), IndexError> {
        while !self.stopping() {
            let (tx, rx) = bounded(1);
            self.send(Write::Run(Box::new(move |store| {
                let _ = tx.send(store.fill_words(NAMES));
            })))?;
            if !rx.recv().map_err(|_| IndexError::StageDied("commit"))?? {
                break;
            }
        }
        Ok(())
    }

    fn derive(&self, reader: &StoreReader) -> Result<u64, IndexError> {
        let table = self.shared.spaces.get();
        let model = |role| table.with_role(role).and_then(|s| s.model);
        let (Some((tagger, derived)), Some(classifier), Some(target)) =
            (&self.plan, model(Role::Tags), model(Role::Derived))
        else {
            return Ok(0);
        };
        let (mut after, mut count) = (0, 0);
        loop {
            let page = reader.without_derived(classifier, target, after, PAGE)?;
            let Some((last, _, _)) = page.last() else {
                return Ok(count);
            };
            after = *last;
            for (_, hash, embedding) in page {
                if self.stopping() {
                    return Ok(count);
                }
                let made = tagger
                    .probabilities(&embedding)
                    .map_err(|e| e.to_string())
                    .and_then(|p| derived.projection.project(&p).map_err(|e| e.to_string()));
                match made {
                    Ok(embedding) => {
                        let results = Box::new(Results {
                            made: vec![ModelResult {
                                model: target,
                                embedding,
                                tags: None,
                            }],
                        });
                        self.send(Write::Change {
                            change: Change::Embedded { hash, results },
                            release: None,
                            urgent: false,
                            ticket: Some(self.shared.progress.ticket()),
                        })?;
                        Progress::add(&self.shared.progress.caught_up, 1);
                        count += 1;
                    }
                    Err(e) => tracing::warn!("photo {}: {e}", hash.to_hex()),
                }
            }
        }
    }

    /// Photos that lack a vector of a model that runs. One that lacks several is queued once: the
    /// worker looks what is lacking when it comes to it.
    fn queue(&self, reader: &StoreReader) -> Result<u64, IndexError> {
        let table = self.shared.spaces.get();
        let mut queued = HashSet::new();
        let models = table.seeing().filter(|(s, _)| s.is_ready());
        for model in models.filter_map(|(space, _)| space.model) {
            let mut after = 0;
            loop {
                let page = reader.without_embedding(model, after, PAGE)?;
                let Some((last, _, _)) = page.last() else {
                    break;
                };
                after = *last;
                for (photo, hash, key) in page {
                    if !queued.insert(photo) {
                        continue;
                    }
                    let job = Job {
                        key,
                        task: Task::Embed(hash),
                        urgent: false,
                        tries: 0,
                        ticket: self.shared.progress.ticket(),
                    };
                    let Some(backlog) = lock(&self.backlog).clone() else {
                        return Ok(0);
                    };
                    if self.stopping() || !enqueue(&backlog, job, &self.shared.stop) {
                        return Ok(queued.len() as u64);
                    }
                }
            }
        }
        Ok(queued.len() as u64)
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn send(&self, write: Write) -> Result<(), StoreError> {
        if let Some(out) = lock(&self.write).clone() {
            // The writer goes last: this fails only when it has died, and then everything stops.
            let _ = out.send(write);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
