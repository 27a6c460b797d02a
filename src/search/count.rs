//! How many results a query has, without a look at each.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::error::SearchError;
use super::pairs::faces_of_raws;
use super::query::{Query, Searcher};

impl Searcher<'_> {
    /// How many results [`Self::run`] shows.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn count(&self, query: &Query) -> Result<usize, SearchError> {
        if query.all_paths {
            return self.run(query, &mut |_| ControlFlow::Continue(()));
        }
        let ids = self.photo_ids(query)?;
        self.count_of(query, ids)
    }

    /// How many results these photos are: a raw and its picture are one.
    ///
    /// # Errors
    /// The database.
    pub fn count_of(&self, query: &Query, photos: Vec<i64>) -> Result<usize, SearchError> {
        let most = query.limit.unwrap_or(usize::MAX);
        if query.all_files || photos.len() < 2 {
            return Ok(photos.len().min(most));
        }
        let faces = faces_of_raws(self.reader)?;
        let shown = photos
            .into_iter()
            .map(|id| faces.get(&id).copied().unwrap_or(id));
        Ok(shown.collect::<HashSet<_>>().len().min(most))
    }
}
