//! What words say: tags that the classifier gave, file and folder names. The other half of a ranked
//! query beside the vectors.

use std::collections::{HashMap, HashSet};

use super::error::SearchError;
use super::sentence::Sentence;
use super::wish::Wish;
use crate::store::{SpaceKind, StoreReader};
use crate::tag::{Lookup, Tagger};

/// Confidence below which the classifier's tags are not stored at all; such a tag counts as zero.
const STORED_FROM: f32 = 0.05;

/// Words that the vocabulary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// As the sentence has them.
    pub words: String,
    /// Keys of the terms they name, and of all below.
    pub keys: Vec<String>,
    /// Rows of the label bank that they cover, ascending.
    pub leaves: Vec<usize>,
}

/// A sentence as the vocabulary reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The sentence as a whole names a term.
    pub whole: Option<Phrase>,
    /// Else: the parts of it that do, none too general.
    pub phrases: Vec<Phrase>,
    /// Its words that say something.
    pub words: Vec<String>,
}

impl Reading {
    /// What is wanted. Words count where one sentence is all that is wanted; beside others, or
    /// with examples, the vectors alone decide what the sum of it all means.
    #[must_use]
    pub fn of(wishes: &[Wish], tagger: &Tagger) -> Self {
        let mut wanted = wishes.iter().filter(|w| w.weight > 0.0);
        match (wanted.next().and_then(Wish::sentence), wanted.next()) {
            (Some(text), None) => Self::read(&Sentence::new(text), tagger),
            _ => Self::default(),
        }
    }

    /// What is not wanted: every term that a sentence with a negative weight names as a whole.
    #[must_use]
    pub fn unwanted(wishes: &[Wish], tagger: &Tagger) -> Self {
        let phrases = wishes
            .iter()
            .filter(|w| w.weight < 0.0)
            .filter_map(Wish::sentence)
            .filter_map(|text| Self::read(&Sentence::new(text), tagger).whole)
            .collect();
        Self {
            phrases,
            ..Self::default()
        }
    }

    fn read(sentence: &Sentence, tagger: &Tagger) -> Self {
        let whole = sentence.core().and_then(|core| phrase(&core, tagger, true));
        let phrases = if whole.is_some() {
            Vec::new()
        } else {
            sentence.phrases(|words| phrase(words, tagger, false))
        };
        Self {
            whole,
            phrases,
            words: sentence.content().into_iter().map(str::to_owned).collect(),
        }
    }

    /// The phrases that tags are looked up for.
    pub fn sayings(&self) -> impl Iterator<Item = &Phrase> {
        self.whole.iter().chain(&self.phrases)
    }
}

/// Words as terms; those that are too general for a tag only where they are all that was said.
fn phrase(words: &str, tagger: &Tagger, general: bool) -> Option<Phrase> {
    let vocabulary = tagger.vocabulary();
    let named = vocabulary.named(words);
    if named.is_empty() || (!general && named.iter().all(|t| t.general)) {
        return None;
    }
    let Lookup::Found(keys) = vocabulary.look_up(words) else {
        return None;
    };
    let mut leaves: Vec<usize> = named.iter().flat_map(|t| &t.leaves).copied().collect();
    leaves.sort_unstable();
    leaves.dedup();
    Some(Phrase {
        words: words.to_owned(),
        keys,
        leaves,
    })
}

/// What tags and names say of photos.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Photo to the strongest tag among the sayings: its confidence and which saying.
    said: HashMap<i64, (f32, usize)>,
    /// Photos with a weak tag that is the likeliest of all that the classifier can say.
    likeliest: HashSet<i64>,
    /// Photos whose names say every word, ascending.
    named: Vec<i64>,
}

/// Photos with a weak tag that are looked at more closely, at most.
const LOOKED_AT: usize = 2000;

impl Evidence {
    /// Tags of these confidences, whatever was asked.
    #[cfg(test)]
    pub fn of_tags(tags: &[(i64, f32)]) -> Self {
        Self {
            said: tags.iter().map(|(photo, p)| (*photo, (*p, 0))).collect(),
            ..Self::default()
        }
    }

    /// Looks up what the reading asks for. `weak` is the range of confidence in which it matters
    /// whether a tag is the likeliest.
    ///
    /// # Errors
    /// The database.
    pub fn read(
        reader: &StoreReader,
        tagger: &Tagger,
        reading: &Reading,
        weak: std::ops::Range<f32>,
    ) -> Result<Self, SearchError> {
        let mut evidence = Self::default();
        for (index, saying) in reading.sayings().enumerate() {
            let keys: Vec<&str> = saying.keys.iter().map(String::as_str).collect();
            for tag in reader.tag_confidences(&keys, STORED_FROM)? {
                let best = evidence.said.entry(tag.photo).or_insert((0.0, index));
                if tag.confidence > best.0 {
                    *best = (tag.confidence, index);
                }
            }
        }
        if let Some(whole) = &reading.whole {
            evidence.look_closer(reader, tagger, &whole.leaves, weak)?;
        }
        if !reading.words.is_empty() {
            let words: Vec<&str> = reading.words.iter().map(String::as_str).collect();
            let mut lists = reader
                .matching_words(&words)?
                .words
                .into_iter()
                .map(|w| w.photos);
            evidence.named = lists.next().unwrap_or_default();
            for list in lists {
                evidence.named.retain(|id| list.binary_search(id).is_ok());
            }
        }
        Ok(evidence)
    }

    /// Finds the photos whose likeliest leaf is among these although the tag is weak.
    fn look_closer(
        &mut self,
        reader: &StoreReader,
        tagger: &Tagger,
        leaves: &[usize],
        weak: std::ops::Range<f32>,
    ) -> Result<(), SearchError> {
        let mut doubtful: Vec<(i64, f32)> = self
            .said
            .iter()
            .filter(|(_, (p, _))| weak.contains(p))
            .map(|(photo, (p, _))| (*photo, *p))
            .collect();
        doubtful.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (photo, _) in doubtful.into_iter().take(LOOKED_AT) {
            let tags = reader.tags_of(photo, 0.0)?;
            let likeliest = tags
                .iter()
                .filter(|tag| tag.kind != Some(SpaceKind::Search))
                .find_map(|tag| tagger.vocabulary().term(&tag.key)?.row);
            if likeliest.is_some_and(|row| leaves.binary_search(&row).is_ok()) {
                self.likeliest.insert(photo);
            }
        }
        Ok(())
    }

    /// Whether a weak tag is the likeliest of all.
    #[must_use]
    pub fn is_likeliest(&self, photo: i64) -> bool {
        self.likeliest.contains(&photo)
    }

    /// Confidence of the strongest tag, and which of the sayings it answers.
    #[must_use]
    pub fn said(&self, photo: i64) -> Option<(f32, usize)> {
        self.said.get(&photo).copied()
    }

    /// Whether file and folder names say every word.
    #[must_use]
    pub fn named(&self, photo: i64) -> bool {
        self.named.binary_search(&photo).is_ok()
    }
}
