//! Photos that some model has not seen: found by a look at the index, queued behind everything else.
//!
//! The derived space costs no picture: it is filled from the classifier's stored vectors. For the
//! others a photo is read and decoded once for all models that lack it. Between and after all that the
//! same thread keeps tags in step with what they are made with ([`super::tagging`]). Nothing here is remembered
//! but in the index itself, so a kill costs no more than what was under way.

mod coverage;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

pub(super) use self::coverage::Counted;
use super::closer::QUIET;
use super::embed::Order;
use super::error::IndexError;
use super::failing;
use super::gate::Flow;
use super::job::{Job, Task, Write};
use super::lanes::Derived;
use super::models::SettledModel;
use super::progress::{Progress, Ticket};
use super::roots::RootHandle;
use super::scan::enqueue;
use super::spaces::{Role, Table};
use super::tagging::{Tagging, Writer, lock, writer};
use super::worker::Shared;
use crate::store::{Change, FileKey, ModelResult, Results, Store, StoreError, StoreReader};
use crate::tag::Classifier;

/// Photos that wait to be seen whole are queued while less than this is queued, which is looked at so
/// often: each takes a second.
const WAITING: usize = 2;
const WAIT: Duration = Duration::from_millis(20);
/// Photos looked up at once.
const PAGE: usize = 512;
/// Photos whose names are put into the full-text index in one transaction.
const NAMES: usize = 2000;

/// Photos that are asked about in one transaction, a few hundredths of a second.
const LOCATED: usize = 1000;

pub(super) struct CatchUp {
    pub shared: Arc<Shared>,
    /// What the derived space is made with.
    pub plan: Option<(Arc<Classifier>, Derived)>,
    pub tagging: Mutex<Option<Tagging>>,
    pub data_dir: PathBuf,
    pub backlog: Sender<Job>,
    pub write: Sender<Write>,
    pub orders: Sender<Order>,
    pub settled: Mutex<SettledModel>,
    pub detecting: Mutex<Vec<Counted>>,
    pub looking_closer: Mutex<Vec<Counted>>,
}

/// How much is looked at closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloserExtent {
    /// Where something is likely to be found.
    Likely,
    /// Everything.
    All,
}

/// What the thread can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// To look for photos that a model has not seen, and to settle.
    CatchUp,
    /// To look whether the search model in use has seen all.
    Settle,
    /// To look whether tags are to be made otherwise.
    Tags,
    /// To look whether a photo wants a closer look.
    Closer,
    /// To end.
    End,
}

impl CatchUp {
    /// Works once for every request, until it is told to end.
    pub fn serve(&self, requests: &Receiver<Request>) {
        for request in requests {
            if request == Request::End || self.stopping() {
                return;
            }
            let done = match request {
                // First how far it is: the work itself may take hours.
                Request::CatchUp if self.may_work() => self.settle().and_then(|_| self.run()),
                Request::CatchUp => Ok(0),
                Request::Settle | Request::Tags | Request::Closer | Request::End => Ok(0),
            };
            let done = match done {
                Ok(n) if self.is_detecting() => self.count_detectors().map(|()| n),
                done => done,
            };
            match done.and_then(|n| self.settle().map(|_| n)) {
                Ok(0) => {}
                Ok(n) => tracing::info!("{n} photos go to models that had not seen them"),
                Err(_) if self.stopping() => return,
                Err(e) => tracing::warn!("{e}"),
            }
            self.shared.progress.turn();
            let mut tended = false;
            while !self.stopping() && self.may_work() && requests.is_empty() && self.tend() {
                if !std::mem::replace(&mut tended, true) {
                    self.shared.progress.turn();
                }
            }
            if tended {
                self.shared.progress.turn();
            }
            // Behind everything else: any request comes first, and what is left is found again.
            match self.look_again(&|| requests.is_empty()) {
                Ok(0) => {}
                Ok(n) => {
                    tracing::info!("{n} photos are looked at again");
                    self.shared.progress.turn();
                }
                Err(_) if self.stopping() => return,
                Err(e) => tracing::warn!("{e}"),
            }
            let goes_on = || requests.is_empty();
            match self.look_closer(CloserExtent::All, &goes_on) {
                Ok(_) => {}
                Err(_) if self.stopping() => return,
                Err(e) => tracing::warn!("{e}"),
            }
        }
    }

    /// One step of what is left to do for tags; true: there is more.
    pub fn tend(&self) -> bool {
        self.tend_by(|tagging, write| tagging.step(write, &self.shared.stop)) && !self.stopping()
    }

    fn tend_by(&self, step: impl FnOnce(&mut Tagging, &Writer<'_>) -> bool) -> bool {
        let write = writer(self.write.clone());
        lock(&self.tagging)
            .as_mut()
            .is_some_and(|tagging| step(tagging, &write))
    }

    /// Everything once; returns how many photos went somewhere.
    pub fn run(&self) -> Result<u64, IndexError> {
        let reader = StoreReader::open(&self.data_dir)?;
        self.count_detectors()?;
        self.fill_names()?;
        let derived = self.derive(&reader)?;
        Ok(derived + self.queue(&reader)?)
    }

    /// Queues the photos that were seen by their small picture, and those of which an older photond read less:
    /// whatever else there is to do comes before them. Returns how many.
    pub fn look_again(&self, goes_on: &dyn Fn() -> bool) -> Result<u64, IndexError> {
        self.locate(goes_on)?;
        let reader = StoreReader::open(&self.data_dir)?;
        let seen = self.requeue(&|after| reader.previews(after, PAGE), Task::Whole, goes_on)?;
        Ok(seen + self.requeue(&|after| reader.unread(after, PAGE), Task::Facts, goes_on)?)
    }

    /// Where photos were taken that no place names, or older ones, have been asked about. No photo is opened.
    fn locate(&self, goes_on: &dyn Fn() -> bool) -> Result<(), IndexError> {
        while !self.stopping()
            && self.may_work()
            && goes_on()
            && self.ask(|store| store.locate_again(LOCATED))?
        {}
        Ok(())
    }

    /// A few at a time.
    fn requeue(
        &self,
        page: &dyn Fn(i64) -> Result<Vec<(i64, FileKey)>, StoreError>,
        task: fn(Arc<RootHandle>) -> Task,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<u64, IndexError> {
        let (mut after, mut count) = (0, 0);
        loop {
            let page = page(after)?;
            let Some((last, _)) = page.last() else {
                return Ok(count);
            };
            after = *last;
            for (photo, key) in page {
                let Some(claim) = self.shared.embedding.claim(photo) else {
                    continue;
                };
                let Some(root) = self.shared.roots.get(key.root) else {
                    // Indexed before and not looked after now.
                    continue;
                };
                while self.backlog.len() >= WAITING && self.may_work() && goes_on() {
                    if self.stopping() {
                        return Ok(count);
                    }
                    std::thread::sleep(WAIT);
                }
                if self.stopping() || !self.may_work() || !goes_on() {
                    return Ok(count);
                }
                let mut job = Job::refresh(&root, key.path, &self.shared.progress);
                job.task = task(root);
                job.ticket = job.ticket.holding(claim);
                if !enqueue(&self.backlog, job, &self.shared.stop, &|| {}) {
                    return Ok(count);
                }
                count += 1;
            }
        }
    }

    /// Has the models that look closer see what they have not seen, first what they are likely to find
    /// something in, newest first, as long as nothing else is asked for. Returns how many photos went to them.
    pub fn look_closer(
        &self,
        extent: CloserExtent,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<u64, IndexError> {
        let reader = StoreReader::open(&self.data_dir)?;
        let mut count = 0;
        for likely in [true, false] {
            if !likely && extent == CloserExtent::Likely {
                break;
            }
            let table = self.shared.closer.get();
            for space in table.seeing().map(|(space, _)| space) {
                let carrying = likely.then(|| space.role.likely()).flatten();
                // What is not told apart is looked at once.
                if likely && carrying.is_none() && extent == CloserExtent::All {
                    continue;
                }
                let Some(model) = space.model else { continue };
                let mut before = i64::MAX;
                while runs(&self.shared.closer.get(), model) {
                    let page = reader.without_closer_look(model, before, PAGE, carrying)?;
                    let Some((last, _, _)) = page.last() else {
                        break;
                    };
                    if count == 0 {
                        self.count_closer()?;
                    }
                    before = *last;
                    for (photo, hash, key) in page {
                        let Some(ticket) = self.turn_of_closer(goes_on) else {
                            return Ok(count);
                        };
                        let Some(claim) = self.shared.embedding.claim(photo) else {
                            continue;
                        };
                        let job = Job {
                            key,
                            task: Task::Closer(hash),
                            urgent: false,
                            tries: 0,
                            ticket: ticket.holding(claim),
                        };
                        if !enqueue(&self.backlog, job, &self.shared.stop, &|| {}) {
                            return Ok(count);
                        }
                        count += 1;
                    }
                }
            }
        }
        Ok(count)
    }

    /// Waits until there is room for a closer look and nothing else to do; `None`: something is asked for.
    fn turn_of_closer(&self, goes_on: &dyn Fn() -> bool) -> Option<Ticket> {
        loop {
            if self.stopping() || !self.may_work() || !goes_on() {
                return None;
            }
            if self.backlog.len() < WAITING
                && !self.shared.progress.is_live(QUIET)
                && let Some(ticket) = self.shared.progress.closer_ticket()
            {
                return Some(ticket);
            }
            std::thread::sleep(WAIT);
        }
    }

    /// Names of photos that were indexed before names could be searched.
    fn fill_names(&self) -> Result<(), IndexError> {
        while !self.stopping() && self.ask(|store| store.fill_words(NAMES))? {}
        Ok(())
    }

    fn derive(&self, reader: &StoreReader) -> Result<u64, IndexError> {
        let table = self.shared.spaces.get();
        let model = |role| table.with_role(role).and_then(|s| s.model);
        let (Some((words, derived)), Some(classifier), Some(target)) =
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
                let made = words
                    .logits(&embedding.values)
                    .map(|logits| words.probabilities(&logits))
                    .map_err(|e| e.to_string())
                    .and_then(|p| derived.projection.project(&p).map_err(|e| e.to_string()));
                let change = match made {
                    Ok(embedding) => {
                        Progress::add(&self.shared.progress.caught_up, 1);
                        count += 1;
                        let model = target;
                        let results = Box::new(Results {
                            made: vec![ModelResult { model, embedding }],
                            tagged: None,
                            text: None,
                        });
                        Change::Embedded { hash, results }
                    }
                    Err(e) => Change::NotEmbedded {
                        hash,
                        model: Some(target),
                        failure: failing::not_derived(&e),
                    },
                };
                // The writer goes last: this fails only when it has died, and then everything stops.
                let _ = self.write.send(Write::Change {
                    change,
                    root: None,
                    release: None,
                    urgent: false,
                    ticket: Some(self.shared.progress.ticket()),
                });
            }
        }
    }

    /// Photos that lack a vector of a model that runs. One that lacks several is queued once, and
    /// not again while it is under way: the worker looks what is lacking when it comes to it.
    fn queue(&self, reader: &StoreReader) -> Result<u64, IndexError> {
        let mut count = 0;
        let mut done = HashSet::new();
        // A model that fails or is given up meanwhile is not read files for.
        while let Some(model) = next(&self.shared.spaces.get(), &done) {
            done.insert(model);
            let mut after = 0;
            while runs(&self.shared.spaces.get(), model) {
                let page = reader.without_embedding(model, after, PAGE)?;
                let Some((last, _, _)) = page.last() else {
                    break;
                };
                after = *last;
                // This may take hours: a new word does not wait for its end.
                while self.may_work() && self.tend_briefly() {}
                for (photo, hash, key) in page {
                    let Some(claim) = self.shared.embedding.claim(photo) else {
                        continue;
                    };
                    let job = Job {
                        key,
                        task: Task::Embed(hash),
                        urgent: false,
                        tries: 0,
                        ticket: self.shared.progress.ticket().holding(claim),
                    };
                    if self.stopping() || !enqueue(&self.backlog, job, &self.shared.stop, &|| {}) {
                        return Ok(count);
                    }
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// A step for tags, if any photo waits for one; terms are left for when there is nothing else.
    fn tend_briefly(&self) -> bool {
        !self.stopping() && self.tend_by(Tagging::step_for_photos)
    }

    /// Not while only live photos are let through: there is another request when more is.
    fn may_work(&self) -> bool {
        self.shared.gate.flow() == Flow::Everything
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, IndexError> {
        Write::ask(&self.write, work)
    }
}

/// A model that runs and has not had its turn.
fn next(table: &Table, done: &HashSet<i64>) -> Option<i64> {
    let mut models = table.seeing().filter(|(s, _)| s.is_ready());
    models.find_map(|(space, _)| space.model.filter(|m| !done.contains(m)))
}

fn runs(table: &Table, model: i64) -> bool {
    table
        .seeing()
        .any(|(s, _)| s.is_ready() && s.model == Some(model))
}
