//! The pipeline's models from outside: how they do, what they have not seen, and the switch to
//! another search model.

use std::time::{Duration, Instant};

use super::embed::Order;
use super::error::IndexError;
use super::lanes::SearchChoice;
use super::pipeline::Indexer;
use super::spaces::{ModelState, Role};
use crate::embedding::ModelId;
use crate::store::StoreReader;

/// Whether queries use the search model that a person has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// They do.
    Serving,
    /// Its space is being filled; they use the one before, if there was one.
    Behind {
        /// What queries use meanwhile.
        serving: Option<ModelId>,
        /// Photos it has seen (or will never make sense of).
        done: i64,
        /// Photos there are.
        photos: i64,
    },
    /// It is not loaded (yet).
    Unknown,
}

impl Indexer {
    /// How the classifier is doing.
    #[must_use]
    pub fn model_state(&self) -> ModelState {
        let table = self.shared.spaces.get();
        table
            .with_role(Role::Tags)
            .map(|space| space.state.clone())
            .unwrap_or_default()
    }

    /// The models that run.
    #[must_use]
    pub fn ready_models(&self) -> Vec<ModelId> {
        let table = self.shared.spaces.get();
        let ready = table.spaces.iter().filter(|s| s.is_ready());
        ready.map(|s| s.id.clone()).collect()
    }

    /// Waits until every model is running or known to be missing, at most `timeout`.
    pub fn wait_for_models(&self, timeout: Duration) {
        let end = Instant::now() + timeout;
        let loading = || {
            let table = self.shared.spaces.get();
            table.spaces.iter().any(|s| s.state == ModelState::Loading)
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
        self.catch_up.run()
    }

    /// The same on a thread of its own; one that is asked for while it runs follows it.
    pub fn request_catch_up(&self) {
        // Full: one is waiting already.
        let _ = self.catch_up_requests.try_send(());
    }

    /// From now on this search model is to be used. The one before stays until the new space is
    /// whole, see [`Self::settle_search`].
    pub fn use_search(&self, choice: SearchChoice) {
        let _ = self.orders.send(Order::Use(choice));
    }

    /// How the search model in use is doing.
    #[must_use]
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

    /// If the space of the search model in use is whole, queries go by it from now on, and the
    /// models before it end. Otherwise how far it is.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn settle_search(&self) -> Result<Settled, IndexError> {
        let table = self.shared.spaces.get();
        let space = table
            .in_use
            .as_ref()
            .and_then(|id| table.spaces.iter().find(|s| s.id == *id));
        let Some((space, model)) = space.and_then(|s| Some((s, s.model?))) else {
            return Ok(Settled::Unknown);
        };
        let reader = StoreReader::open(&self.data_dir)?;
        let serving = reader.serving()?;
        if serving.as_ref().map(|m| m.id) != Some(model) {
            let coverage = reader.coverage(model)?;
            if !coverage.is_whole() {
                return Ok(Settled::Behind {
                    serving: serving.map(|m| m.name),
                    done: coverage.embedded + coverage.failed,
                    photos: coverage.photos,
                });
            }
            self.with_store(move |store| store.serve(model))?;
            tracing::info!("queries use {}", space.id);
        }
        if table
            .spaces
            .iter()
            .any(|s| s.role == Role::Search && s.id != space.id)
        {
            let _ = self.orders.send(Order::Settled);
        }
        Ok(Settled::Serving)
    }
}
