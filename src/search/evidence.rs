//! What words say: tags, file and folder names, places. The other half of a ranked
//! query beside the vectors.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::SearchError;
use super::locality;
use super::sentence::Sentence;
use super::wish::Wish;
use crate::store::{BEYOND_SURE, CONFIDENCE_STEPS, StoreReader};
use crate::tag::{Vocabulary, forms};

/// Words that the vocabulary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// As the sentence has them.
    pub words: String,
    /// Keys of the terms they name.
    pub keys: Vec<String>,
}

/// A sentence as the vocabulary reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The sentence as a whole names a term.
    pub whole: Option<Phrase>,
    /// Else: the parts of it that do.
    pub phrases: Vec<Phrase>,
    /// Its words that say something.
    pub words: Vec<String>,
}

impl Reading {
    /// What is wanted. Words count where one sentence is all that is wanted; beside others, or
    /// with examples, the vectors alone decide what the sum of it all means.
    pub fn of(wishes: &[Wish], words: &Vocabulary) -> Self {
        let text = Wish::only_sentence(wishes);
        text.map_or_else(Self::default, |text| {
            Self::read(&Sentence::new(text), words)
        })
    }

    /// What is not wanted: every term that a sentence with a negative weight names as a whole.
    pub fn unwanted(wishes: &[Wish], words: &Vocabulary) -> Self {
        let phrases = wishes
            .iter()
            .filter(|w| w.weight < 0.0)
            .filter_map(Wish::sentence)
            .filter_map(|text| Self::read(&Sentence::new(text), words).whole)
            .collect();
        Self {
            phrases,
            ..Self::default()
        }
    }

    fn read(sentence: &Sentence, words: &Vocabulary) -> Self {
        let whole = sentence.core().and_then(|core| phrase(&core, words));
        let phrases = if whole.is_some() {
            Vec::new()
        } else {
            sentence.phrases(|said| phrase(said, words))
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

/// Each word with its other forms, as names may have it.
pub(super) fn forms_of_each(words: &[String]) -> Vec<Vec<String>> {
    let all = |word: &String| std::iter::once(word.clone()).chain(forms(word)).collect();
    words.iter().map(all).collect()
}

/// Words as terms that photos can be tagged with.
pub(super) fn phrase(said: &str, words: &Vocabulary) -> Option<Phrase> {
    let named = words.named(said);
    let keys: Vec<String> = named
        .iter()
        .filter(|term| !term.general)
        .map(|term| term.key.to_string())
        .collect();
    (!keys.is_empty()).then(|| Phrase {
        words: said.to_owned(),
        keys,
    })
}

/// What tags say of photos.
#[derive(Debug, Default)]
pub struct TagEvidence {
    /// By photo: the surest tag among the sayings.
    said: Vec<Said>,
}

/// A tag's confidence, as exact as it is stored, and which saying it answers, in one number: the larger one is the
/// surer tag, of equals that of the earlier saying; 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Said(u32);

impl Said {
    fn new(confidence: f32, saying: u16) -> Self {
        Self(((confidence * CONFIDENCE_STEPS + 0.5) as u32) << 16 | u32::from(u16::MAX - saying))
    }

    fn read(self) -> Option<(f32, usize)> {
        let confidence = (self.0 >> 16) as f32 / CONFIDENCE_STEPS;
        let saying = u16::MAX - (self.0 & 0xFFFF) as u16;
        (self.0 > 0).then_some((confidence, saying.into()))
    }
}

/// Ids up to this one have a place in a list; a library of so many photos is beyond it.
const MOST: i64 = 1 << 28;
/// Tags that are entered at a time.
const AT_A_TIME: usize = 4096;
/// Where the confidences that are looked up at a time begin and end: a word that is a possible tag of every photo has
/// its millions of rows divided between two readers.
const BOUNDS: [f32; 8] = [0.0, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, BEYOND_SURE];
/// From each of them to the next one.
const BANDS: usize = BOUNDS.len() - 1;

impl TagEvidence {
    /// Tags of these confidences, whatever was asked.
    #[cfg(test)]
    pub fn of(tags: &[(i64, f32)]) -> Self {
        let mut evidence = Self::default();
        let said = |(photo, confidence): &(i64, f32)| (*photo, Said::new(*confidence, 0));
        evidence.enter(&mut tags.iter().map(said).collect());
        evidence
    }

    /// Tags come in the order of their confidence, so that each lies somewhere else in the list: many at once are
    /// fetched from memory side by side. One by one, between steps of the database, they took a quarter of the time
    /// of a query over a million photos.
    fn enter(&mut self, tags: &mut Vec<(i64, Said)>) {
        for (photo, said) in tags.drain(..) {
            let Some(at) = usize::try_from(photo).ok().filter(|_| photo < MOST) else {
                continue;
            };
            if at >= self.said.len() {
                self.said.resize(at + 1, Said::default());
            }
            self.said[at] = self.said[at].max(said);
        }
    }

    /// Looks up what the reading asks for, tags from a confidence on: those parts of it that nobody else has taken
    /// who goes by the same `next`. What several readers found is joined.
    ///
    /// # Errors
    /// The database.
    pub fn read(
        reader: &StoreReader,
        reading: &Reading,
        least: f32,
        next: &AtomicUsize,
    ) -> Result<Self, SearchError> {
        let mut evidence = Self::default();
        let mut tags = Vec::with_capacity(AT_A_TIME);
        let sayings: Vec<&Phrase> = reading.sayings().collect();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            let (index, band) = (part / BANDS, part % BANDS);
            let Some(saying) = sayings.get(index) else {
                evidence.enter(&mut tags);
                return Ok(evidence);
            };
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            let range = (BOUNDS[band].max(least), BOUNDS[band + 1]);
            reader.tag_confidences(&saying.keys, range, &mut |photo, confidence| {
                tags.push((photo, Said::new(confidence, index)));
                if tags.len() == AT_A_TIME {
                    evidence.enter(&mut tags);
                }
            })?;
        }
    }

    /// What both say.
    pub fn join(mut self, mut other: Self) -> Self {
        if self.said.len() < other.said.len() {
            std::mem::swap(&mut self, &mut other);
        }
        for (known, said) in self.said.iter_mut().zip(&other.said) {
            *known = (*known).max(*said);
        }
        self
    }

    /// Confidence of the surest tag, and which of the sayings it answers.
    pub fn said(&self, photo: i64) -> Option<(f32, usize)> {
        let at = usize::try_from(photo).ok()?;
        self.said.get(at)?.read()
    }
}

/// What names say of photos.
#[derive(Debug, Default)]
pub struct NameEvidence {
    /// Photos whose names and places say every word, ascending.
    named: Vec<i64>,
    /// Of those, the ones in whose pictures every word stands, ascending.
    in_picture: Vec<i64>,
}

impl NameEvidence {
    /// Looks up these words, of which there is one at least.
    ///
    /// # Errors
    /// The database.
    pub fn read(reader: &StoreReader, words: &[String]) -> Result<Self, SearchError> {
        let mut evidence = Self {
            named: named(reader, words)?,
            in_picture: Vec::new(),
        };
        // They are among those.
        if !evidence.is_empty() {
            evidence.in_picture = reader.in_picture(&forms_of_each(words))?;
        }
        Ok(evidence)
    }

    /// No photo's names say every word.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Whether every word stands in the picture.
    pub fn in_picture(&self, photo: i64) -> bool {
        self.in_picture.binary_search(&photo).is_ok()
    }

    /// Whether names of files, folders and places, or the picture, say every word.
    pub fn say(&self, photo: i64) -> bool {
        !self.named.is_empty() && self.named.binary_search(&photo).is_ok()
    }
}

/// Photos that have every one of these words, ascending: in the names of their files and folders, in what
/// people say of them, in their pictures, or in the name of where they were taken.
pub(super) fn named(reader: &StoreReader, words: &[String]) -> Result<Vec<i64>, SearchError> {
    let mut named = reader.named(&forms_of_each(words))?;
    let each: Vec<&str> = words.iter().map(String::as_str).collect();
    for (said, localities) in locality::said(&reader.locality_counts()?, &each) {
        let there = reader.taken_in(&localities)?;
        let rest = words.iter().filter(|word| !said.contains(&word.as_str()));
        let rest: Vec<String> = rest.cloned().collect();
        if rest.is_empty() {
            named.extend(there);
        } else {
            let of_the_rest = reader.named(&forms_of_each(&rest))?;
            let there = there.into_iter();
            named.extend(there.filter(|photo| of_the_rest.binary_search(photo).is_ok()));
        }
    }
    named.sort_unstable();
    named.dedup();
    Ok(named)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The surest tag is kept, exactly as sure as it is stored, of equals that of the first saying, however
        /// many are joined at a time.
        #[test]
        fn the_surest_of_the_first_saying_is_kept(
            tags in prop::collection::vec((1..30i64, 0..=10_000u16, 0..4u16), 0..200),
            at_a_time in 1..300usize,
        ) {
            let mut evidence = TagEvidence::default();
            let mut kept: HashMap<i64, (u16, u16)> = HashMap::new();
            for tags in tags.chunks(at_a_time) {
                for &(photo, stored, saying) in tags {
                    let best = kept.entry(photo).or_insert((stored, saying));
                    if (stored, std::cmp::Reverse(saying)) > (best.0, std::cmp::Reverse(best.1)) {
                        *best = (stored, saying);
                    }
                }
                let said = |&(photo, stored, saying)| (photo, Said::new(f32::from(stored) / 1e4, saying));
                let mut others = TagEvidence::default();
                others.enter(&mut tags.iter().map(said).collect());
                evidence = evidence.join(others);
            }
            for photo in 0..40 {
                let wanted = kept.get(&photo);
                let wanted = wanted.map(|(stored, saying)| (f32::from(*stored) / 1e4, usize::from(*saying)));
                prop_assert_eq!(evidence.said(photo), wanted);
            }
        }
    }
}
