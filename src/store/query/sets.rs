//! The photos of a query as sets that are put together: those that carry a tag, or were taken with a camera, are
//! read off an index, once, and not asked for at each place. Quicker wherever very many photos fit, and only where all
//! of them are wanted.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::PhotoFilter;
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
        let has_sets = !(filter.tags.is_empty() && filter.not_tags.is_empty())
            || filter.gear().next().is_some();
        let way = self.way(filter, None).at(&self.path)?;
        if has_sets && way.places > MANY {
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
            camera: None,
            lens: None,
            ..filter.clone()
        };
        let mut wanted = Vec::new();
        for tag in &filter.tags {
            let sql = self.carried_by(tag, filter.min_confidence).at(&self.path)?;
            wanted.push((sql, None));
        }
        for gear in filter.gear() {
            let (sql, names) = self.photos_with(gear).at(&self.path)?;
            wanted.push((sql, Some(names)));
        }
        let mut wanted = wanted.into_iter();
        let first = rest.is_empty().then(|| wanted.next()).flatten();
        let mut ids = match first {
            Some((sql, names)) => {
                let mut ids = self.set(&sql, names)?;
                keep(&mut ids, &self.nowhere()?, false);
                ids
            }
            None => {
                let way = self.way(&rest, None).at(&self.path)?;
                self.ids_by_places(&rest, &way)?
            }
        };
        for (sql, names) in wanted {
            keep(&mut ids, &self.set(&sql, names)?, true);
        }
        for tag in &filter.not_tags {
            let sql = self.carried_by(tag, filter.not_confidence).at(&self.path)?;
            keep(&mut ids, &self.set(&sql, None)?, false);
        }
        Ok(ids)
    }

    /// The photos that a statement gives, ascending, each once.
    fn set(&self, sql: &str, value: Option<Value>) -> Result<Vec<i64>, StoreError> {
        let mut ids: Vec<i64> = self
            .conn
            .prepare(sql)
            .and_then(|mut s| {
                s.query_map(params_from_iter(value), |r| r.get(0))?
                    .collect()
            })
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
