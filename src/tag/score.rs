//! From a vector to tags.

use super::calibration::softmax;
use super::error::TagError;
use super::hierarchy;
use super::label_bank::LabelBank;
use super::vocabulary::{Lookup, Vocabulary};
use crate::embedding::{Embedding, Tag};

/// What is stored and what is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keep {
    /// Terms below this probability are not stored (the likeliest leaf always is).
    pub floor: f32,
    /// Probability from which a tag counts in queries and is shown.
    pub cutoff: f32,
    /// Most tags stored for one photo.
    pub most: usize,
}

impl Default for Keep {
    /// Measured on 250 photos, one a class: see the table in `models/efficientnet-lite0/README.md`.
    fn default() -> Self {
        Self {
            floor: 0.05,
            cutoff: 0.3,
            most: 40,
        }
    }
}

/// A vocabulary and its label bank, resident in memory. Shared by threads.
pub struct Tagger {
    vocabulary: Vocabulary,
    bank: LabelBank,
    keep: Keep,
}

impl Tagger {
    /// Puts a vocabulary and a bank together.
    ///
    /// # Errors
    /// If the vocabulary's leaves are not the bank's rows.
    pub fn new(vocabulary: Vocabulary, bank: LabelBank, keep: Keep) -> Result<Self, TagError> {
        if vocabulary.rows() != bank.rows() {
            return Err(TagError::Mismatch {
                what: "the vocabulary's leaves",
                found: vocabulary.rows(),
                expected: bank.rows(),
            });
        }
        Ok(Self {
            vocabulary,
            bank,
            keep,
        })
    }

    /// How probable each of the bank's labels is, in the order of its rows.
    ///
    /// # Errors
    /// If the vector has not the bank's length.
    pub fn probabilities(&self, embedding: &Embedding) -> Result<Vec<f32>, TagError> {
        let mut p = self.bank.score(&embedding.values)?;
        softmax(&mut p);
        Ok(p)
    }

    /// The tags that go with these probabilities, most probable first. A term's probability is the
    /// sum over the leaves at or below it. `p` has one value a row of the bank.
    #[must_use]
    pub fn tags(&self, p: &[f32]) -> Vec<Tag> {
        let best = p
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map(|(row, _)| row);
        let mut kept: Vec<(f32, usize)> = self
            .vocabulary
            .terms()
            .iter()
            .enumerate()
            .filter(|(_, term)| !term.general)
            .map(|(index, term)| {
                let sum: f32 = term.leaves.iter().map(|row| p[*row]).sum();
                (sum.min(1.0), index)
            })
            .filter(|(sum, index)| {
                *sum >= self.keep.floor
                    || (best.is_some() && self.vocabulary.terms()[*index].row == best)
            })
            .collect();
        // Equal sums (a term and its only child): the narrower term first.
        kept.sort_by(|a, b| {
            let leaves = |i: usize| self.vocabulary.terms()[i].leaves.len();
            b.0.total_cmp(&a.0)
                .then_with(|| leaves(a.1).cmp(&leaves(b.1)))
                .then(a.1.cmp(&b.1))
        });
        kept.truncate(self.keep.most);
        kept.into_iter()
            .map(|(confidence, index)| {
                let term = &self.vocabulary.terms()[index];
                Tag {
                    term: term.key.clone(),
                    name: term.name.clone(),
                    confidence,
                }
            })
            .collect()
    }

    /// Version of the label bank, stored with each tag.
    #[must_use]
    pub fn bank_version(&self) -> &str {
        self.bank.version()
    }

    /// What is stored and what is shown.
    #[must_use]
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// What a word of a query means.
    #[must_use]
    pub fn look_up(&self, word: &str) -> Lookup {
        self.vocabulary.look_up(word)
    }

    /// The words.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Of the given term keys, most confident first, those worth saying to a person.
    #[must_use]
    pub fn worth_saying<'a>(&self, kept: &[(&'a str, f32)]) -> Vec<&'a str> {
        hierarchy::narrowest(&self.vocabulary, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::super::label_bank::tests::file;
    use super::super::vocabulary::tests::{ALIASES, SYNSETS};
    use super::*;

    fn tagger() -> Tagger {
        let bank = LabelBank::parse(&file(&[&[8, 0, 0], &[0, 8, 0], &[0, 0, 8]])).unwrap();
        let vocabulary = Vocabulary::parse(SYNSETS, ALIASES).unwrap();
        Tagger::new(vocabulary, bank, Keep::default()).unwrap()
    }

    #[test]
    fn an_ancestor_has_the_probability_of_its_leaves() {
        let tagger = tagger();
        let values = vec![1.25, 1.0, 0.0];
        let tags = tagger.tags(&tagger.probabilities(&Embedding { values }).unwrap());
        let of = |key: &str| tags.iter().find(|t| t.term == key).map(|t| t.confidence);
        assert!((of("n2").unwrap() - (of("n3").unwrap() + of("n4").unwrap())).abs() < 1e-6);
        assert_eq!(of("c.pet"), of("n2"));
        assert_eq!(of("n1"), None, "too general");
        assert!(tags.windows(2).all(|w| w[0].confidence >= w[1].confidence));
    }
}
