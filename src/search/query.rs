//! A query and how it is answered.

use std::ffi::OsString;
use std::ops::ControlFlow;

use super::dates::{Edge, OnDay, is_empty_span, parse_date, parse_on};
use super::error::SearchError;
use super::name::NamePattern;
use super::pairs::{Shot, Shots};
use super::path::{GivenPath, PathPattern};
use super::place::parse_place;
use super::row::{PhotoJson, TagJson};
use super::said;
use crate::embedding::Tag;
use crate::photo::RelPath;
use crate::store::{
    BEYOND_SURE, FitsPath, Hit, Moment, PhotoFilter, StoreReader, TagCondition, YearlyDay,
};
use crate::tag::{Classifier, Lookup, Words};

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
    /// On this day or in this month or year; of any year, if none is named.
    pub on: Option<String>,
    /// Part of the camera's name.
    pub camera: Option<String>,
    /// Part of the lens's name.
    pub lens: Option<String>,
    /// Only those whose picture is not whole.
    pub damaged: bool,
    /// Each must have been given by people.
    pub keywords: Vec<String>,
    /// Each must be on it, by name.
    pub people: Vec<String>,
    /// Words that must stand in the picture.
    pub in_picture: Vec<String>,
    /// Stars: `4`, `4-`, `3-5`.
    pub rating: Option<String>,
    /// Names of places; taken in each of them.
    pub places: Vec<String>,
    /// Without coordinates.
    pub no_place: bool,
    /// `LAT,LON[,KM]`.
    pub near: Option<String>,
    /// A folder, a file or a pattern.
    pub path: Option<GivenPath>,
    /// Each must be in the file's name.
    pub names: Vec<OsString>,
    /// Confidence from which a tag counts; the cutoff where absent.
    pub min_confidence: Option<f32>,
    /// Count tags below the cutoff too.
    pub all: bool,
    /// Show every file by itself, also those that are one photo.
    pub all_files: bool,
    /// Show a photo at each of its places, not once.
    pub all_paths: bool,
    /// Most rows shown.
    pub limit: Option<usize>,
    /// In the order of their dates, but from the first on.
    pub oldest_first: bool,
}

impl Query {
    /// Puts what is to be shown in the order of its dates; of equals the photo indexed last comes first, or last where
    /// the oldest does.
    pub fn by_date<T>(&self, shown: &mut [T], hit: impl Fn(&T) -> &Hit) {
        shown.sort_by_key(|one| (hit(one).date().date.millis(), hit(one).photo.id));
        if !self.oldest_first {
            shown.reverse();
        }
    }
}

/// A reader with the words to understand queries.
pub struct Searcher<'a> {
    /// The database.
    pub reader: &'a StoreReader,
    /// All words.
    pub words: Words<'a>,
    /// The classifier, for examples that are not in the index.
    pub classifier: &'a Classifier,
    /// Who says tags, by name.
    pub sources: SourceNames,
    /// Confidence from which a tag counts where the query says nothing.
    pub cutoff: f32,
}

/// Names of those who say tags.
#[derive(Debug, Clone, Default)]
pub struct SourceNames {
    /// The classifier, name and revision.
    pub classifier: String,
    /// The search model, name and revision.
    pub search: String,
    /// The detector of things and people, name and revision.
    pub things: String,
    /// The detector of faces, name and revision.
    pub faces: String,
}

impl Searcher<'_> {
    /// Shows every result to `visit`, in the order of their dates, until it breaks or the limit is reached.
    /// Returns how many were shown.
    ///
    /// # Errors
    /// An unknown tag, a bad date, place or glob; or the database.
    pub fn run(
        &self,
        query: &Query,
        visit: &mut dyn FnMut(&Shot) -> ControlFlow<()>,
    ) -> Result<usize, SearchError> {
        let places = self.places_of(query)?;
        let fits = |root, path: &_| places.fit(root, path);
        let filter = self.filter(query, &places, &fits)?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut shown = 0;
        if limit == 0 {
            return Ok(0);
        }
        let condition = self.reader.condition(&filter)?;
        let mut shots = Shots::new(self.reader, query.all_files, query.all_paths);
        let mut failed = None;
        self.reader.list(&filter, query.limit, &mut |hit| {
            let shot = shots.shot(hit, &mut |other| Ok(condition.holds(other)?));
            match shot {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(shot)) => {
                    shown += 1;
                    if visit(&shot).is_continue() && shown < limit {
                        return ControlFlow::Continue(());
                    }
                }
                Err(e) => failed = Some(e),
            }
            ControlFlow::Break(())
        })?;
        failed.map_or(Ok(shown), Err)
    }

    /// The photos that fit, ascending, each once and each file by itself: what [`Self::run`] shows, without
    /// an order.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn photo_ids(&self, query: &Query) -> Result<Vec<i64>, SearchError> {
        let places = self.places_of(query)?;
        let fits = |root, path: &_| places.fit(root, path);
        Ok(self
            .reader
            .photo_ids(&self.filter(query, &places, &fits)?)?)
    }

    /// Where photos must lie.
    pub(super) fn places_of(&self, query: &Query) -> Result<Places, SearchError> {
        let path = query.path.as_ref();
        let name = (!query.names.is_empty()).then(|| NamePattern::new(&query.names));
        Ok(Places {
            path: path.map(|p| PathPattern::new(self.reader, p)).transpose()?,
            name: name.transpose()?,
        })
    }

    pub(super) fn filter<'f>(
        &self,
        query: &Query,
        places: &Places,
        fits: FitsPath<'f>,
    ) -> Result<PhotoFilter<'f>, SearchError> {
        let today = jiff::Zoned::now().date();
        let terms = |words: &[String]| -> Result<Vec<TagCondition>, SearchError> {
            words.iter().map(|word| self.terms(word)).collect()
        };
        let span = Span::of(query, today)?;
        Ok(PhotoFilter {
            tags: terms(&query.tags)?,
            not_tags: terms(&query.not_tags)?,
            min_confidence: self.min_confidence(query),
            // `--all` shows more, and hides no more.
            not_confidence: query.min_confidence.unwrap_or(self.cutoff),
            since: span.since,
            until: span.until,
            on: span.on,
            camera: query.camera.clone(),
            lens: query.lens.clone(),
            damaged: query.damaged,
            said: self.said_filter(query)?,
            taken: self.taken(query)?,
            near: query.near.as_deref().map(parse_place).transpose()?,
            folders: places.path.as_ref().and_then(|p| p.folders.clone()),
            path: places.are_checked().then_some(fits),
            oldest_first: query.oldest_first,
        })
    }

    /// Confidence from which a tag counts in this query.
    pub fn min_confidence(&self, query: &Query) -> f32 {
        match (query.min_confidence, query.all) {
            (Some(given), _) => given,
            (None, true) => 0.0,
            (None, false) => self.cutoff,
        }
    }

    /// What a word means as a tag: terms that photond tells, and keywords that people gave.
    pub(super) fn terms(&self, word: &str) -> Result<TagCondition, SearchError> {
        let negation = || {
            negated(word).map(|rest| SearchError::Negated {
                given: word.to_owned(),
                word: rest.to_owned(),
            })
        };
        // A sign is none of a name's; a word may be.
        if let Some(negated) = negation().filter(|_| word.trim().starts_with(['-', '!'])) {
            return Err(negated);
        }
        let keywords = self.reader.keywords_called(word)?;
        match self.words.look_up(word) {
            Lookup::Found(keys) => Ok(TagCondition { keys, keywords }),
            Lookup::Unknown(_) if !keywords.is_empty() => Ok(TagCondition {
                keys: Vec::new(),
                keywords,
            }),
            Lookup::Unknown(suggestions) => {
                Err(negation().unwrap_or_else(|| SearchError::UnknownTag {
                    tag: word.to_owned(),
                    suggestions,
                }))
            }
        }
    }

    /// Names that are nearly this word; none, if it is one itself.
    pub fn near(&self, word: &str) -> Vec<String> {
        match self.words.look_up(word) {
            Lookup::Found(_) => Vec::new(),
            Lookup::Unknown(near) => near,
        }
    }

    /// For a word that no model in use can tell: names near it that one can.
    ///
    /// # Errors
    /// The database.
    pub fn unsaid(&self, word: &str) -> Result<Option<Vec<String>>, SearchError> {
        let Some(near) = self.words.unsaid(word) else {
            return Ok(None);
        };
        let Lookup::Found(keys) = self.words.look_up(word) else {
            return Ok(None);
        };
        // A search model's vocabulary has said it of some photo.
        let mut is_said = false;
        self.reader
            .tag_confidences(&keys, (0.0, BEYOND_SURE), &mut |_, _| is_said = true)?;
        Ok((!is_said).then_some(near))
    }

    /// A hit as JSON, with all its stored tags of at least `min_confidence`.
    ///
    /// # Errors
    /// The database.
    pub fn json(&self, hit: &Hit, min_confidence: f32) -> Result<PhotoJson, SearchError> {
        let photo = hit.photo.id;
        let mut tags = self.tags_json(&self.reader.tags_of(photo, min_confidence)?);
        let keywords = self.reader.keywords_of(photo)?;
        said::add(&mut tags, &keywords);
        let keywords = keywords.into_iter().map(|keyword| keyword.name).collect();
        let people = self.reader.people_of(photo)?;
        let named = people.into_iter().filter(|person| person.is_named);
        let people = named.map(|person| person.name).collect();
        let text = self.reader.picture_text(photo)?;
        let text = text.into_iter().map(|line| line.text).collect();
        let row = PhotoJson::new(hit, tags, keywords, people).reads(text);
        Ok(row.taken_at(self.reader.locality_of(photo)?))
    }

    /// Tags as JSON, those worth showing marked.
    pub fn tags_json(&self, tags: &[Tag]) -> Vec<TagJson> {
        let shown = self
            .words
            .worth_showing(&named(tags), self.cutoff, self.cutoff);
        let tag = |(at, tag)| TagJson::new(tag, &self.sources, shown.contains(&at));
        tags.iter().enumerate().map(tag).collect()
    }

    /// The tags of a hit that are worth showing, surest first.
    ///
    /// # Errors
    /// The database.
    pub fn said(&self, hit: &Hit, min_confidence: f32) -> Result<Vec<Tag>, SearchError> {
        let tags = self.reader.tags_of(hit.photo.id, min_confidence)?;
        let shown = self
            .words
            .worth_showing(&named(&tags), min_confidence, self.cutoff);
        Ok(shown.into_iter().map(|at| tags[at].clone()).collect())
    }
}

/// Where photos must lie, and what their files must be called.
pub(super) struct Places {
    path: Option<PathPattern>,
    name: Option<NamePattern>,
}

impl Places {
    /// Whether [`Self::fit`] has anything to say beside the folders.
    fn are_checked(&self) -> bool {
        self.name.is_some() || self.path.as_ref().is_some_and(PathPattern::is_checked)
    }

    pub fn fit(&self, root: i64, path: &RelPath) -> bool {
        let named = self.name.as_ref().is_none_or(|name| name.fits(path.name()));
        named && self.path.as_ref().is_none_or(|p| p.fits(root, path))
    }
}

/// When photos were taken, as a query has it.
#[derive(Debug, Default, PartialEq)]
struct Span {
    since: Vec<Moment>,
    until: Vec<Moment>,
    on: Option<YearlyDay>,
}

impl Span {
    fn of(query: &Query, today: jiff::civil::Date) -> Result<Self, SearchError> {
        let mut span = Self::default();
        // With the words that say so, for a person.
        let (mut after, mut before) = (Vec::new(), Vec::new());
        if let Some(given) = &query.since {
            after.push((
                parse_date(given, Edge::Start, today)?,
                format!("--since {given:?}"),
            ));
        }
        if let Some(given) = &query.until {
            before.push((
                parse_date(given, Edge::End, today)?,
                format!("--until {given:?}"),
            ));
        }
        if let Some(given) = &query.on {
            match parse_on(given, today)? {
                OnDay::AnyYear(day) => span.on = Some(day),
                OnDay::Stretch(from, to) => {
                    after.push((from, format!("--on {given:?}")));
                    before.push((to, format!("--on {given:?}")));
                }
            }
        }
        for (since, after) in &after {
            for (until, before) in &before {
                if is_empty_span(*since, *until) {
                    return Err(SearchError::EmptySpan {
                        after: after.clone(),
                        before: before.clone(),
                    });
                }
            }
        }
        span.since = after.into_iter().map(|(moment, _)| moment).collect();
        span.until = before.into_iter().map(|(moment, _)| moment).collect();
        Ok(span)
    }
}

/// What is meant not to be there: `dog` of `-dog`, `!dog` and `not dog`.
pub fn negated(word: &str) -> Option<&str> {
    let word = word.trim();
    let lower = word.to_ascii_lowercase();
    let sign = ["-", "!", "not ", "no ", "without "]
        .into_iter()
        .find(|sign| lower.starts_with(sign))?;
    let rest = word[sign.len()..].trim();
    (!rest.is_empty()).then_some(rest)
}

fn named(tags: &[Tag]) -> Vec<(&str, &str, f32)> {
    tags.iter()
        .map(|t| (&*t.key, &*t.name, t.confidence))
        .collect()
}
