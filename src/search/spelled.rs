//! Sentences that tags and boxes spell out: "man with a dog", "two people on a beach".
//!
//! Each word of such a sentence is a term that photos are tagged with, or says how many there are of the next
//! one, which is counted in the boxes of the detector. A photo that has all of it is an answer, as sure as the
//! least sure of its parts. A sentence with any other word in it is not spelled out, and the vectors decide.

use std::collections::HashMap;

use super::error::SearchError;
use super::evidence::{Phrase, phrase};
use super::sentence::{LONGEST_PHRASE, Sentence, is_empty_word};
use super::wish::Wish;
use crate::boxes::{self, DetectedBox};
use crate::embedding::ModelId;
use crate::store::{BEYOND_SURE, StoreReader};
use crate::tag::Vocabulary;

/// Words for somebody: no tag tells them apart, but there is somebody.
const SOMEBODY: [&str; 18] = [
    "boy", "boys", "girl", "girls", "guy", "guys", "ladies", "lady", "man", "men", "person",
    "persons", "friend", "friends", "tourist", "tourists", "woman", "women",
];
const PEOPLE: &str = "people";
/// Words for how parts stand to each other, which no tag tells. What has both is mostly so: a man and a
/// motorcycle, an umbrella and a woman.
const BETWEEN: [&str; 12] = [
    "carrying", "eating", "holding", "lying", "playing", "riding", "running", "sitting",
    "sleeping", "standing", "walking", "wearing",
];
/// How many there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(usize),
    AtLeast(usize),
}

impl Count {
    fn of(word: &str) -> Option<Self> {
        const NUMBERS: [&str; 10] = [
            "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        ];
        let number = NUMBERS.iter().position(|n| *n == word).map(|at| at + 1);
        let digits = || word.parse().ok().filter(|n| (1..=20).contains(n));
        match word {
            "couple" | "pair" => Some(Self::Exactly(2)),
            "several" | "few" => Some(Self::AtLeast(3)),
            "group" => Some(Self::AtLeast(3)),
            "many" | "lots" | "lot" => Some(Self::AtLeast(5)),
            _ => number.or_else(digits).map(Self::Exactly),
        }
    }

    /// Of many, one more or less is a box that was missed or seen twice.
    fn fits(self, found: usize) -> bool {
        match self {
            Self::Exactly(n) if n <= 3 => found == n,
            Self::Exactly(n) => found.abs_diff(n) <= 1 + n / 8,
            Self::AtLeast(n) => found >= n,
        }
    }
}

/// One thing that is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub phrase: Phrase,
    pub count: Option<Count>,
}

/// A sentence that is nothing but such parts, two or more, or one that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpelledOut {
    parts: Vec<Part>,
}

impl SpelledOut {
    /// If one sentence is all that is wanted, and it is spelled out.
    pub fn of(wishes: &[Wish], words: &Vocabulary) -> Option<Self> {
        Self::read(Wish::only_sentence(wishes)?, words)
    }

    fn read(text: &str, words: &Vocabulary) -> Option<Self> {
        let sentence = Sentence::new(text);
        let said = sentence.words();
        let mut parts: Vec<Part> = Vec::new();
        let (mut at, mut count) = (0, None);
        while at < said.len() {
            let most = LONGEST_PHRASE.min(said.len() - at);
            let known = (1..=most).rev().find_map(|length| {
                let words_said = said[at..at + length].join(" ");
                Some((length, thing(&words_said, words)?))
            });
            let word = said[at].as_str();
            let next = said.get(at + 1).map(String::as_str);
            if word == "couple" && next != Some("of") {
                parts.push(Part {
                    phrase: phrase(PEOPLE, words)?,
                    count: Some(Count::Exactly(2)),
                });
                at += 1;
            } else if let Some(found) = Count::of(word).filter(|_| known.is_none()) {
                count = Some(found);
                at += 1;
            } else if is_empty_word(word) || (known.is_none() && BETWEEN.contains(&word)) {
                at += 1;
            } else {
                let (length, phrase) = known?;
                parts.push(Part {
                    phrase,
                    count: count.take(),
                });
                at += length;
            }
        }
        // Of nothing.
        if count.is_some() {
            return None;
        }
        let is_worth_it = parts.len() > 1 || parts.iter().any(|part| part.count.is_some());
        let counted = |part: &Part| part.count.is_none() || class(part, words).is_some();
        (is_worth_it && parts.iter().all(counted)).then_some(Self { parts })
    }

    /// As it was understood, for a person.
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.parts.iter().map(|part| &*part.phrase.words).collect();
        words.join(" + ")
    }

    /// The photos that have all of it, each part at least as sure as `least`.
    ///
    /// # Errors
    /// The database.
    pub fn photos(
        &self,
        reader: &StoreReader,
        (words, detector): (&Vocabulary, &str),
        least: f32,
    ) -> Result<HashMap<i64, f32>, SearchError> {
        let mut found: Option<HashMap<i64, f32>> = None;
        for part in &self.parts {
            let mut with: HashMap<i64, f32> = HashMap::new();
            let sure = (least, BEYOND_SURE);
            reader.tag_confidences(&part.phrase.keys, sure, &mut |photo, confidence| {
                let before = match &found {
                    None => Some(confidence),
                    Some(before) => before.get(&photo).copied(),
                };
                if let Some(other) = before {
                    let known = with.entry(photo).or_default();
                    *known = known.max(confidence.min(other));
                }
            })?;
            found = Some(with);
        }
        let mut found = found.unwrap_or_default();
        let counted: Vec<(usize, Count)> = self
            .parts
            .iter()
            .filter_map(|part| Some((class(part, words)?, part.count?)))
            .collect();
        if counted.is_empty() || found.is_empty() {
            return Ok(found);
        }
        let Some(model) = reader.model(&ModelId(detector.to_owned()))? else {
            return Ok(HashMap::new());
        };
        let mut unfit = Vec::new();
        for photo in found.keys() {
            let kept = reader.embedding(*photo, model.id)?;
            let boxes = kept.map(|kept| boxes::of(&kept.values));
            let fits = |(class, count): &(usize, Count)| {
                boxes
                    .as_ref()
                    .is_some_and(|boxes| count.fits(number(boxes, *class)))
            };
            if !counted.iter().all(fits) {
                unfit.push(*photo);
            }
        }
        for photo in unfit {
            found.remove(&photo);
        }
        Ok(found)
    }
}

/// How many there are of a class.
fn number(boxes: &[DetectedBox], class: usize) -> usize {
    let counts = |found: &&DetectedBox| found.class == class && found.is_counted();
    boxes.iter().filter(counts).count()
}

/// A term that photos are tagged with, or somebody.
fn thing(said: &str, words: &Vocabulary) -> Option<Phrase> {
    if SOMEBODY.contains(&said) {
        let people = phrase(PEOPLE, words)?;
        return Some(Phrase {
            words: said.to_owned(),
            ..people
        });
    }
    if said.split(' ').next().is_some_and(is_empty_word) {
        return None;
    }
    phrase(said, words)
}

/// The detector's class that a part is, if it is one.
fn class(part: &Part, words: &Vocabulary) -> Option<usize> {
    let mut things = words.things().iter();
    things.position(|thing| {
        let term = &words.terms()[thing.term];
        part.phrase.keys.iter().any(|key| **key == *term.key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vocabulary {
        Vocabulary::parse(
            include_str!("../../models/efficientnet-lite0/vocabulary.tsv"),
            include_str!("../../models/efficientnet-lite0/concepts.tsv"),
            include_str!("../../models/efficientnet-lite0/classes.tsv"),
        )
        .unwrap()
        .with_kinds()
        .with_things(include_str!("../../models/nanodet/classes.tsv"))
        .unwrap()
    }

    fn read(text: &str) -> Option<Vec<(String, Option<Count>)>> {
        let spelled = SpelledOut::read(text, &words())?;
        let parts = spelled.parts.into_iter();
        Some(parts.map(|part| (part.phrase.words, part.count)).collect())
    }

    #[test]
    fn a_sentence_of_known_words_is_spelled_out() {
        let some = |parts: &[(&str, Option<Count>)]| {
            let parts = parts
                .iter()
                .map(|(words, count)| ((*words).to_owned(), *count));
            Some(parts.collect::<Vec<_>>())
        };
        let two = Some(Count::Exactly(2));
        assert_eq!(
            read("man with a dog"),
            some(&[("man", None), ("dog", None)])
        );
        assert_eq!(
            read("two people on a beach"),
            some(&[("people", two), ("beach", None)])
        );
        assert_eq!(
            read("woman holding an umbrella"),
            some(&[("woman", None), ("umbrella", None)])
        );
        assert_eq!(read("a photo of 2 dogs"), some(&[("dogs", two)]));
        assert_eq!(
            read("a couple on a bench"),
            some(&[("people", two), ("bench", None)])
        );
        assert_eq!(read("a couple of dogs"), some(&[("dogs", two)]));
        assert_eq!(read("a couple"), some(&[("people", two)]));
        assert_eq!(
            read("several boats"),
            some(&[("boats", Some(Count::AtLeast(3)))])
        );
        // One word is its tag's, a word that nobody knows is the vectors'.
        for text in [
            "dog",
            "a dog",
            "an angry dog",
            "two castles",
            "two",
            "the",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn large_numbers_are_about() {
        assert!(Count::Exactly(2).fits(2) && !Count::Exactly(2).fits(3));
        assert!(Count::Exactly(6).fits(7) && !Count::Exactly(6).fits(9));
        assert!(Count::AtLeast(3).fits(9) && !Count::AtLeast(3).fits(2));
    }
}
