//! The pipeline's models from outside: how they do, what they have not seen, and the switch to
//! another search model.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::catch_up::{CloserExtent, Request};
use super::embed::Order;
use super::error::IndexError;
use super::lanes::SearchChoice;
use super::pipeline::Indexer;
use super::spaces::{LaneSpace, ModelState, Role};
use super::tagging::{TagReport, TextModelTurn};
use crate::embedding::ModelId;
use crate::store::Coverage;

/// Whether queries use the search model that a person has chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SettledModel {
    /// They do.
    Serving {
        /// The search model in use.
        id: ModelId,
    },
    /// Its space is being filled; they use the one before, if there was one.
    Behind {
        /// The search model in use.
        id: ModelId,
        /// What queries use meanwhile.
        serving: Option<ModelId>,
        /// Photos it has seen (or will never make sense of).
        done: i64,
        /// Photos there are.
        photos: i64,
        /// Photos that would be lost to queries: their volumes are away.
        lost: i64,
    },
    /// It is not loaded (yet).
    #[default]
    Unknown,
}

/// How a detector is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorState {
    /// Name and revision.
    pub id: ModelId,
    /// Whether it runs.
    pub state: ModelState,
    /// It looks at photos behind everything else.
    pub looks_closer: bool,
    /// How far it has come with what was there when that was last counted; all zero: not yet.
    pub coverage: Coverage,
}

impl Indexer {
    /// How the classifier is doing.
    pub fn model_state(&self) -> ModelState {
        let table = self.shared.spaces.get();
        table
            .with_role(Role::Tags)
            .map(|space| space.state.clone())
            .unwrap_or_default()
    }

    /// How the detectors that are on are doing, and what looks closer.
    pub fn detectors(&self) -> Vec<DetectorState> {
        let state = |space: &LaneSpace, coverage, looks_closer| DetectorState {
            id: space.id.clone(),
            state: space.state.clone(),
            looks_closer,
            coverage,
        };
        let table = self.shared.spaces.get();
        let detectors = table.spaces.iter().filter(|s| s.role.is_detector());
        let detectors = detectors.map(|s| state(s, self.catch_up.covered(s.model), false));
        let table = self.shared.closer.get();
        let closer = table.spaces.iter().filter(|s| s.state != ModelState::Off);
        let closer = closer.map(|s| state(s, self.catch_up.looked_closer(s.model), true));
        detectors.chain(closer).collect()
    }

    /// Whether anything looks closer.
    pub fn looks_closer(&self) -> bool {
        let table = self.shared.closer.get();
        table.spaces.iter().any(LaneSpace::is_ready)
    }

    /// Has the catch-up thread look whether a photo wants a closer look.
    pub fn request_closer_look(&self) {
        let _ = self.catch_up_requests.try_send(Request::Closer);
    }

    /// Has what looks closer see what it has not seen and is likely to find something in, on the calling
    /// thread; waits for the last.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn look_closer(&self) -> Result<u64, IndexError> {
        let looked = self.catch_up.look_closer(CloserExtent::Likely, &|| true)?;
        let stopping = || self.shared.stop.load(Ordering::Relaxed);
        while !self.shared.progress.wait_closer(Duration::from_millis(50)) && !stopping() {}
        Ok(looked)
    }

    /// The models that run.
    pub fn ready_models(&self) -> Vec<ModelId> {
        let tables = [self.shared.spaces.get(), self.shared.closer.get()];
        let spaces = tables.iter().flat_map(|table| &table.spaces);
        let ready = spaces.filter(|s| s.is_ready());
        ready.map(|s| s.id.clone()).collect()
    }

    /// Waits until every model is running or known to be missing, at most `timeout`.
    pub fn wait_for_models(&self, timeout: Duration) {
        let end = Instant::now() + timeout;
        let loading = || {
            let tables = [self.shared.spaces.get(), self.shared.closer.get()];
            let mut spaces = tables.iter().flat_map(|table| &table.spaces);
            spaces.any(|s| s.state == ModelState::Loading)
        };
        while loading() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Fills what models have not seen yet, behind everything else, on the calling thread. Returns
    /// how many photos that concerns. Queued work may still be under way when it returns.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn catch_up(&self) -> Result<u64, IndexError> {
        let seen = self.catch_up.run()?;
        Ok(seen + self.catch_up.look_again(&|| true)?)
    }

    /// If the space of the search model in use is whole, queries go by it from now on.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn settle_search(&self) -> Result<SettledModel, IndexError> {
        self.catch_up.settle()
    }

    /// Both on a thread of their own, first the one, then the other; asked for while it works, it
    /// does it once more. Never blocks.
    pub fn request_catch_up(&self) {
        // Full: one is waiting already.
        let _ = self.catch_up_requests.try_send(Request::CatchUp);
    }

    /// [`Self::settle_search`] alone, on that thread.
    pub fn request_settling(&self) {
        let _ = self.catch_up_requests.try_send(Request::Settle);
    }

    /// What settling found last, for the choice that was in use then.
    pub fn settled(&self) -> SettledModel {
        self.catch_up.settled()
    }

    /// What of the walls around decoding is lacking on this machine.
    pub fn decoding_lacks(&self) -> Vec<&'static str> {
        self.shared.inspector.lacks()
    }

    /// How tagging stands.
    pub fn tag_report(&self) -> TagReport {
        let report = self.tag_report.lock();
        report.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One step of what is left to do for tags, on the calling thread: the snapshot renewed, photos of
    /// older ones tagged again, terms encoded. True: there is more.
    pub fn tend_tags(&self) -> bool {
        self.catch_up.tend()
    }

    /// While what this returns lives, no terms are encoded: two text models do not fit a small machine.
    pub fn take_text_model(&self) -> TextModelTurn {
        TextModelTurn::new(&self.text_lent)
    }

    /// Has the catch-up thread look whether tags are to be made otherwise: a person's own words may
    /// have changed, or a wish to tag all again was made.
    pub fn request_tags(&self) {
        let _ = self.catch_up_requests.try_send(Request::Tags);
    }

    /// From now on this search model is to be used. The one that serves queries stays until the new
    /// space is whole.
    pub fn use_search(&self, choice: SearchChoice, serving: Option<ModelId>) {
        let _ = self.orders.send(Order::Use { choice, serving });
    }

    /// How the search model in use is doing.
    pub fn search_state(&self) -> Option<(ModelId, ModelState)> {
        let table = self.shared.spaces.get();
        let id = table.in_use.clone()?;
        let state = table.spaces.iter().find(|s| s.id == id).map_or_else(
            || {
                ModelState::Missing(format!(
                    "{id} cannot be opened: `photond model verify` says why"
                ))
            },
            |space| space.state.clone(),
        );
        Some((id, state))
    }
}
