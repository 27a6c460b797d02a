//! The photos of a query as sets that are put together: those that carry a tag are read off an index, once, and
//! not asked for at each place. Quicker wherever very many photos fit, and only where all of them are wanted.

use super::{PhotoFilter, TagCondition};
use crate::store::StoreReader;
use crate::store::error::{At, StoreError};

/// From so many places on that would be asked, sets are put together: below that, either takes milliseconds.
const MANY: f64 = 5_000.0;

impl StoreReader {
    /// The photos with a place that [`Self::list`] would show, ascending, each once.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn photo_ids(&self, filter: &PhotoFilter<'_>) -> Result<Vec<i64>, StoreError> {
        let has_tags = !(filter.tags.is_empty() && filter.not_tags.is_empty());
        let way = self.way(filter, None).at(&self.path)?;
        if has_tags && way.places > MANY {
            return self.ids_by_sets(filter);
        }
        self.ids_by_places(filter, &way)
    }

    /// The same, whatever is quicker.
    pub(in crate::store) fn ids_by_sets(
        &self,
        filter: &PhotoFilter<'_>,
    ) -> Result<Vec<i64>, StoreError> {
        let rest = PhotoFilter {
            tags: Vec::new(),
            not_tags: Vec::new(),
            ..filter.clone()
        };
        let mut tags = filter.tags.iter();
        let first = tags.next().filter(|_| rest.is_empty());
        let mut ids = match first {
            Some(first) => {
                let mut ids = self.carriers(first, filter.min_confidence)?;
                keep(&mut ids, &self.nowhere()?, false);
                ids
            }
            None => {
                tags = filter.tags.iter();
                let way = self.way(&rest, None).at(&self.path)?;
                self.ids_by_places(&rest, &way)?
            }
        };
        for tag in tags {
            keep(&mut ids, &self.carriers(tag, filter.min_confidence)?, true);
        }
        for tag in &filter.not_tags {
            keep(&mut ids, &self.carriers(tag, filter.not_confidence)?, false);
        }
        Ok(ids)
    }

    /// The photos that a condition lets through, ascending.
    fn carriers(&self, tag: &TagCondition, least: f32) -> Result<Vec<i64>, StoreError> {
        let sql = self.carried_by(tag, least).at(&self.path)?;
        let mut ids: Vec<i64> = self
            .conn
            .prepare(&sql)
            .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect())
            .at(&self.path)?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// Keeps what is among the others, or what is not; both ascend.
fn keep(ids: &mut Vec<i64>, others: &[i64], those_among: bool) {
    let mut others = others.iter().peekable();
    ids.retain(|id| {
        while others.next_if(|other| *other < id).is_some() {}
        (others.peek() == Some(&id)) == those_among
    });
}
