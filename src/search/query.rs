//! A query and how it is answered.

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};

use super::dates::{Edge, parse_date};
use super::error::SearchError;
use super::place::parse_place;
use super::row::{PhotoJson, TagJson};
use crate::store::{Hit, PhotoFilter, SpaceKind, StoreReader, TagCondition};
use crate::tag::{Lookup, Said, Words};

/// What a person asked for, as given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Each must be there.
    pub tags: Vec<String>,
    /// None may be there.
    pub not_tags: Vec<String>,
    /// From this date on.
    pub since: Option<String>,
    /// Up to and including this date.
    pub until: Option<String>,
    /// Part of the camera's name.
    pub camera: Option<String>,
    /// `LAT,LON[,KM]`.
    pub near: Option<String>,
    /// Glob over the whole path.
    pub path: Option<String>,
    /// Confidence from which a tag counts; the cutoff where absent.
    pub min_confidence: Option<f32>,
    /// Count tags below the cutoff too.
    pub all: bool,
    /// Most rows shown.
    pub limit: Option<usize>,
    /// Of a ranked query, exact counts: somebody will read them. Costs a look at every photo's
    /// places (about 50 ms a million).
    pub counted: bool,
}

/// A reader with the words to understand queries.
pub struct Searcher<'a> {
    /// The database.
    pub reader: &'a StoreReader,
    /// All words.
    pub words: Words<'a>,
    /// Confidence from which a tag counts where the query says nothing.
    pub cutoff: f32,
}

impl Searcher<'_> {
    /// Shows every match to `visit`, newest first, until it breaks or the limit is reached.
    /// Returns how many were shown.
    ///
    /// # Errors
    /// An unknown tag, a bad date, place or glob; or the database.
    pub fn run(
        &self,
        query: &Query,
        visit: &mut dyn FnMut(&Hit) -> ControlFlow<()>,
    ) -> Result<usize, SearchError> {
        let filter = self.filter(query)?;
        let glob = query.path.as_deref().map(path_glob).transpose()?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut shown = 0;
        if limit == 0 {
            return Ok(0);
        }
        self.reader.list(&filter, &mut |hit| {
            if glob.as_ref().is_some_and(|g| !matches(g, &hit)) {
                return ControlFlow::Continue(());
            }
            shown += 1;
            if visit(&hit).is_break() || shown >= limit {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(shown)
    }

    pub(super) fn filter(&self, query: &Query) -> Result<PhotoFilter, SearchError> {
        let today = jiff::Zoned::now().date();
        let terms = |words: &[String]| -> Result<Vec<TagCondition>, SearchError> {
            words.iter().map(|word| self.terms(word)).collect()
        };
        let date = |given: &Option<String>, edge| {
            given
                .as_deref()
                .map(|d| parse_date(d, edge, today))
                .transpose()
        };
        Ok(PhotoFilter {
            tags: terms(&query.tags)?,
            not_tags: terms(&query.not_tags)?,
            min_confidence: self.min_confidence(query),
            since: date(&query.since, Edge::Start)?,
            until: date(&query.until, Edge::End)?,
            camera: query.camera.clone(),
            near: query.near.as_deref().map(parse_place).transpose()?,
        })
    }

    /// Confidence from which a tag counts in this query.
    #[must_use]
    pub fn min_confidence(&self, query: &Query) -> f32 {
        match (query.min_confidence, query.all) {
            (Some(given), _) => given,
            (None, true) => 0.0,
            (None, false) => self.cutoff,
        }
    }

    fn terms(&self, word: &str) -> Result<TagCondition, SearchError> {
        match self.words.look_up(word) {
            Lookup::Found(keys) => Ok(TagCondition { keys }),
            Lookup::Unknown(suggestions) => Err(SearchError::UnknownTag {
                tag: word.to_owned(),
                suggestions,
            }),
        }
    }

    /// A hit as JSON, with all its stored tags of at least `min_confidence`.
    ///
    /// # Errors
    /// The database.
    pub fn json(&self, hit: &Hit, min_confidence: f32) -> Result<PhotoJson, SearchError> {
        let tags = self.reader.tags_of(hit.photo.id, min_confidence)?;
        Ok(PhotoJson::new(
            hit,
            tags.into_iter().map(TagJson::from).collect(),
        ))
    }

    /// The tags of a hit that a person would say, most confident first.
    ///
    /// # Errors
    /// The database.
    pub fn said(&self, hit: &Hit, min_confidence: f32) -> Result<Vec<TagJson>, SearchError> {
        let tags = self.reader.tags_of(hit.photo.id, min_confidence)?;
        let kept: Vec<Said<'_>> = tags
            .iter()
            .map(|t| Said {
                key: &t.key,
                name: &t.name,
                confidence: t.confidence,
                by_classifier: t.kind == Some(SpaceKind::Classifier),
            })
            .collect();
        let said = self.words.worth_saying(&kept);
        let said = said.into_iter().map(|at| tags[at].clone());
        Ok(said.map(TagJson::from).collect())
    }
}

/// `**` crosses folders, `*` and `?` do not; a glob that does not start at `/` may match anywhere
/// below a folder.
pub(super) fn path_glob(given: &str) -> Result<GlobMatcher, SearchError> {
    let anchored = if given.starts_with('/') || given.starts_with("**") {
        given.to_owned()
    } else {
        format!("**/{given}")
    };
    GlobBuilder::new(&anchored)
        .literal_separator(true)
        .build()
        .map(|g| g.compile_matcher())
        .map_err(|e| SearchError::BadGlob {
            given: given.to_owned(),
            reason: e.kind().to_string(),
        })
}

pub(super) fn matches(glob: &GlobMatcher, hit: &Hit) -> bool {
    let path = hit.path.under(&hit.root);
    glob.is_match(std::ffi::OsStr::from_bytes(path.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_the_whole_path() {
        let yes = |glob: &str, path: &str| path_glob(glob).unwrap().is_match(path);
        assert!(yes("*.jpg", "/home/ann/Pictures/a.jpg"));
        assert!(yes("2023/*.jpg", "/home/ann/Pictures/2023/a.jpg"));
        assert!(!yes("2023/*.jpg", "/home/ann/Pictures/2023/07/a.jpg"));
        assert!(yes("**/2023/**/*.jpg", "/home/ann/Pictures/2023/07/a.jpg"));
        assert!(!yes("/home/*.jpg", "/home/ann/a.jpg"));
        assert!(path_glob("a[").is_err());
    }
}
