//! How far each model is: counted now and then, and between that by what it has been shown since. Once the
//! search model in use has seen all, queries go by it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::CatchUp;
use crate::index::embed::Order;
use crate::index::error::IndexError;
use crate::index::models::SettledModel;
use crate::index::spaces::{LaneSpace, Role};
use crate::index::tagging::lock;
use crate::store::{Coverage, StoreReader};

/// How far a model was when that was counted.
pub(in crate::index) struct Counted {
    model: i64,
    coverage: Coverage,
    /// Photos that it had been shown since the start by then.
    before: u64,
}

impl CatchUp {
    /// If the space of the search model in use is whole, queries go by it from now on, and those
    /// before it end. Otherwise how far it is.
    pub fn settle(&self) -> Result<SettledModel, IndexError> {
        let settled = self.look()?;
        lock(&self.settled).clone_from(&settled);
        Ok(settled)
    }

    /// What [`Self::settle`] found last.
    pub fn settled(&self) -> SettledModel {
        lock(&self.settled).clone()
    }

    fn look(&self) -> Result<SettledModel, IndexError> {
        let table = self.shared.spaces.get();
        let space = table
            .in_use
            .as_ref()
            .and_then(|id| table.spaces.iter().find(|s| s.id == *id));
        let Some((space, model)) = space.and_then(|s| Some((s, s.model?))) else {
            return Ok(SettledModel::Unknown);
        };
        let reader = StoreReader::open(&self.data_dir)?;
        let serving = reader.serving()?;
        if serving.as_ref().map(|m| m.id) != Some(model) {
            let coverage = reader.coverage(model)?;
            if !coverage.is_whole() {
                return Ok(SettledModel::Behind {
                    id: space.id.clone(),
                    serving: serving.map(|m| m.name),
                    done: coverage.embedded + coverage.failed,
                    photos: coverage.photos,
                    lost: coverage.lost,
                });
            }
            self.ask(move |store| store.serve(model))?;
            tracing::info!("queries use {}", space.id);
        }
        let others = |s: &LaneSpace| s.role == Role::Search && s.id != space.id;
        if table.spaces.iter().any(others) {
            let _ = self.orders.send(Order::Settled(space.id.clone()));
        }
        Ok(SettledModel::Serving {
            id: space.id.clone(),
        })
    }

    /// Counts how far the detectors are: as much work as a look for what they have not seen.
    pub(super) fn count_detectors(&self) -> Result<(), IndexError> {
        let table = self.shared.spaces.get();
        let detectors = table.spaces.iter().filter(|s| s.role.is_detector());
        let counted = self.count(detectors, &self.shared.progress.caught_up)?;
        *lock(&self.detecting) = counted;
        Ok(())
    }

    /// The same of the models that look closer.
    pub(super) fn count_closer(&self) -> Result<(), IndexError> {
        let table = self.shared.closer.get();
        let counted = self.count(table.spaces.iter(), &self.shared.progress.looked_closer)?;
        *lock(&self.looking_closer) = counted;
        Ok(())
    }

    fn count<'s>(
        &self,
        models: impl Iterator<Item = &'s LaneSpace>,
        seen: &AtomicU64,
    ) -> Result<Vec<Counted>, IndexError> {
        let reader = StoreReader::open(&self.data_dir)?;
        let counted = models.filter_map(|space| space.model).map(|model| {
            let before = seen.load(Ordering::Relaxed);
            Ok(Counted {
                model,
                coverage: reader.coverage(model)?,
                before,
            })
        });
        counted.collect()
    }

    /// How far a detector is, as far as that is known.
    pub fn covered(&self, model: Option<i64>) -> Coverage {
        covered(
            &lock(&self.detecting),
            model,
            &self.shared.progress.caught_up,
        )
    }

    /// How far a model that looks closer is, as far as that is known.
    pub fn looked_closer(&self, model: Option<i64>) -> Coverage {
        covered(
            &lock(&self.looking_closer),
            model,
            &self.shared.progress.looked_closer,
        )
    }

    /// Whether a detector had more to see when that was last counted.
    pub(super) fn is_detecting(&self) -> bool {
        lock(&self.detecting)
            .iter()
            .any(|c| c.coverage.waiting() > 0)
    }
}

/// What was counted of a model, and what it has been shown since.
fn covered(counted: &[Counted], model: Option<i64>, seen: &AtomicU64) -> Coverage {
    let Some(counted) = counted.iter().find(|c| Some(c.model) == model) else {
        return Coverage::default();
    };
    let mut coverage = counted.coverage;
    let since = seen.load(Ordering::Relaxed).saturating_sub(counted.before);
    // A photo is shown to all that have not seen it.
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    coverage.embedded += since.min(coverage.waiting().max(0));
    coverage
}
