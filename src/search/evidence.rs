//! What words say: tags, file and folder names, places. The other half of a ranked
//! query beside the vectors.

use super::error::SearchError;
use super::locality;
use super::sentence::Sentence;
use super::wish::Wish;
use crate::store::StoreReader;
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

/// What tags and names say of photos.
#[derive(Debug, Default)]
pub struct Evidence {
    /// By photo: the strongest tag among the sayings, and which saying.
    said: Vec<Option<(f32, u16)>>,
    /// Photos whose names and places say every word, ascending.
    named: Vec<i64>,
    /// Of those, the ones in whose pictures every word stands, ascending.
    in_picture: Vec<i64>,
}

/// Ids up to this one have a place in a list; a library of so many photos is beyond it.
const MOST: i64 = 1 << 28;

impl Evidence {
    /// Tags of these confidences, whatever was asked.
    #[cfg(test)]
    pub fn of_tags(tags: &[(i64, f32)]) -> Self {
        let mut evidence = Self::default();
        tags.iter()
            .for_each(|(photo, p)| evidence.say(*photo, *p, 0));
        evidence
    }

    fn say(&mut self, photo: i64, confidence: f32, saying: u16) {
        let Some(at) = usize::try_from(photo).ok().filter(|_| photo < MOST) else {
            return;
        };
        if at >= self.said.len() {
            self.said.resize(at + 1, None);
        }
        if self.said[at].is_none_or(|(known, _)| known < confidence) {
            self.said[at] = Some((confidence, saying));
        }
    }

    /// Looks up what the reading asks for, tags from a confidence on.
    ///
    /// # Errors
    /// The database.
    pub fn read(reader: &StoreReader, reading: &Reading, least: f32) -> Result<Self, SearchError> {
        let mut evidence = Self::default();
        for (index, saying) in (0..).zip(reading.sayings()) {
            let keys: Vec<&str> = saying.keys.iter().map(String::as_str).collect();
            for tag in reader.tag_confidences(&keys, least)? {
                evidence.say(tag.photo, tag.confidence, index);
            }
        }
        if !reading.words.is_empty() {
            evidence.named = named(reader, &reading.words)?;
        }
        // They are among those.
        if evidence.has_names() {
            evidence.in_picture = reader.in_picture(&forms_of_each(&reading.words))?;
        }
        Ok(evidence)
    }

    /// Confidence of the strongest tag, and which of the sayings it answers.
    pub fn said(&self, photo: i64) -> Option<(f32, usize)> {
        let at = usize::try_from(photo).ok()?;
        let (confidence, saying) = self.said.get(at).copied().flatten()?;
        Some((confidence, saying.into()))
    }

    /// Whether any photo's names say every word.
    pub fn has_names(&self) -> bool {
        !self.named.is_empty()
    }

    /// Whether every word stands in the picture.
    pub fn in_picture(&self, photo: i64) -> bool {
        self.in_picture.binary_search(&photo).is_ok()
    }

    /// Whether names of files, folders and places, or the picture, say every word.
    pub fn named(&self, photo: i64) -> bool {
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
