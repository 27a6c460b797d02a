//! Plain words in a query, where no text model answers: photos whose tags, keywords or names say them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::error::SearchError;
use super::evidence::named;
use super::pairs::{Shot, Shots};
use super::query::{Query, Searcher};
use super::ranked::DEFAULT_LIMIT;
use super::sentence::Sentence;
use crate::store::PhotoFilter;

impl Searcher<'_> {
    /// Shows photos that say all of these words to `visit`, in the order of their dates, until it breaks or the
    /// limit is reached. Returns how many were shown.
    ///
    /// # Errors
    /// A bad filter; the database.
    pub fn by_words(
        &self,
        query: &Query,
        text: &str,
        visit: &mut dyn FnMut(&Shot) -> ControlFlow<()>,
    ) -> Result<usize, SearchError> {
        let sentence = Sentence::new(text);
        let words: Vec<String> = sentence.content().into_iter().map(str::to_owned).collect();
        let mut found: Option<HashSet<i64>> = None;
        for word in &words {
            let with = self.saying(query, word)?;
            found = Some(match found {
                None => with,
                Some(before) => before.intersection(&with).copied().collect(),
            });
        }
        let mut found = found.unwrap_or_default();
        // `ice cream` is no ice.
        if let Some(core) = sentence.core().filter(|_| words.len() > 1) {
            found.extend(self.saying(query, &core)?);
        }
        self.show(query, &found, visit)
    }

    /// Shows those of some photos that fit to `visit`, in the order of their dates, until it breaks or the limit is
    /// reached. Returns how many were shown.
    ///
    /// # Errors
    /// A bad filter; the database.
    pub fn show(
        &self,
        query: &Query,
        found: &HashSet<i64>,
        visit: &mut dyn FnMut(&Shot) -> ControlFlow<()>,
    ) -> Result<usize, SearchError> {
        let places = self.places_of(query)?;
        let fits = |root, path: &_| places.fit(root, path);
        let filter = self.filter(query, &places, &fits)?;
        let ids: Vec<i64> = found.iter().copied().collect();
        let mut hits = self.reader.hits_of(&ids, &filter)?;
        query.by_date(&mut hits, |hit| hit);
        let condition = self.reader.condition(&filter)?;
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        let mut shots = Shots::new(self.reader, query.all_files, query.all_paths);
        let mut shown = 0;
        for hit in hits {
            if shown >= limit {
                break;
            }
            let shot = shots.shot(hit, &mut |other| {
                Ok(found.contains(&other.photo.id) && condition.holds(other)?)
            })?;
            if let Some(shot) = shot {
                shown += 1;
                if visit(&shot).is_break() {
                    break;
                }
            }
        }
        Ok(shown)
    }

    /// Photos with a tag of this name, or that have the word in their names or in what people say of them.
    fn saying(&self, query: &Query, word: &str) -> Result<HashSet<i64>, SearchError> {
        let mut found = HashSet::new();
        if let Ok(condition) = self.terms(word) {
            let tagged = PhotoFilter {
                tags: vec![condition],
                min_confidence: self.min_confidence(query),
                ..PhotoFilter::default()
            };
            found.extend(self.reader.photo_ids(&tagged)?);
        }
        let words: Vec<String> = word.split(' ').map(str::to_owned).collect();
        found.extend(named(self.reader, &words)?);
        Ok(found)
    }
}
