//! From the classifier's answer to tags: evidence for each term, and what it is worth.
//!
//! A term's evidence is the sum of the classes' probabilities, each by how likely the term is true of
//! a photo of that class. Probabilities are those of people's own photos: the classes' odds are
//! shifted from an even spread to what people photograph. A logistic function of the evidence's log
//! odds, measured on real-life photos (`models/efficientnet-lite0/README.md`), makes it a confidence.
//! So doubt between breeds says "dog", and doubt between kinds of room says "room".

use std::sync::Arc;

use super::error::TagError;
use super::head::Head;
use super::vocabulary::{Group, Vocabulary};
use super::{LEAST_KEPT, MOST_KEPT};
use crate::embedding::{Sources, Tag};

/// What a classifier's probabilities are worth on people's own photos: from the pack's manifest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassOdds {
    /// Divides the logits before the softmax.
    pub temperature: f32,
    /// Slope and constant, from log odds of evidence to log odds of being right, of a class …
    pub classes: [f32; 2],
    /// … of a kind …
    pub kinds: [f32; 2],
    /// … and of a concept.
    pub concepts: [f32; 2],
}

/// What is said of one term.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Said {
    pub confidence: f32,
    pub sources: Sources,
}

/// A classifier's last layer and words, resident in memory.
pub struct Classifier {
    vocabulary: Vocabulary,
    head: Head,
    calibration: ClassOdds,
    /// Added to a class's logit.
    shift: Vec<f32>,
}

impl Classifier {
    /// Puts a vocabulary and a last layer together.
    ///
    /// # Errors
    /// If the vocabulary's classes are not the layer's rows.
    pub fn new(
        vocabulary: Vocabulary,
        head: Head,
        calibration: ClassOdds,
    ) -> Result<Self, TagError> {
        let shift: Vec<f32> = vocabulary.likely().iter().map(|l| l.ln()).collect();
        if shift.len() != head.rows() {
            return Err(TagError::Mismatch {
                what: "the vocabulary's classes",
                found: shift.len(),
                expected: head.rows(),
            });
        }
        Ok(Self {
            vocabulary,
            head,
            calibration,
            shift,
        })
    }

    /// The words.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// One score a class, for the encoder's vector.
    ///
    /// # Errors
    /// If the vector has another length.
    pub fn logits(&self, embedding: &[f32]) -> Result<Vec<f32>, TagError> {
        self.head.score(embedding)
    }

    /// How probable each class is among ImageNet's, all equally common.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        softmax(logits.to_vec())
    }

    /// The tags that go with these scores, surest first, from [`LEAST_KEPT`] on.
    pub fn tags(&self, logits: &[f32]) -> Vec<Tag> {
        self.worth_keeping(&self.said(logits))
    }

    /// What these scores say of each term of the vocabulary.
    pub(super) fn said(&self, logits: &[f32]) -> Vec<Said> {
        let scaled = logits.iter().zip(&self.shift);
        let p = softmax(
            scaled
                .map(|(logit, shift)| logit / self.calibration.temperature + shift)
                .collect(),
        );
        let terms = self.vocabulary.terms().iter();
        terms
            .map(|term| {
                // Nothing is known of a detector's own term.
                if term.general || term.weights.is_empty() {
                    return Said::default();
                }
                let evidence: f32 = term.weights.iter().map(|(row, w)| p[*row] * w).sum();
                Said {
                    confidence: self.confidence(term.group, evidence),
                    sources: Sources::CLASSIFIER,
                }
            })
            .collect()
    }

    /// The tags among what is said of each term, surest first, from [`LEAST_KEPT`] on.
    pub(super) fn worth_keeping(&self, said: &[Said]) -> Vec<Tag> {
        let mut tags = Vec::new();
        for (term, said) in self.vocabulary.terms().iter().zip(said) {
            if said.confidence >= LEAST_KEPT && !term.general {
                tags.push((said.confidence, term.weights.len(), term, said.sources));
            }
        }
        // Of equals the narrower first.
        tags.sort_by(|a, b| {
            let order = b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            order.then_with(|| a.2.key.cmp(&b.2.key))
        });
        tags.truncate(MOST_KEPT);
        let tag = |(confidence, _, term, sources): (f32, usize, &super::Term, Sources)| Tag {
            key: Arc::clone(&term.key),
            name: Arc::clone(&term.name),
            confidence,
            sources,
        };
        tags.into_iter().map(tag).collect()
    }

    fn confidence(&self, group: Group, evidence: f32) -> f32 {
        /// Evidence beyond these says no more.
        const EDGE: f32 = 1e-6;
        let p = evidence.clamp(EDGE, 1.0 - EDGE);
        let [slope, constant] = match group {
            Group::Class => self.calibration.classes,
            Group::Kind => self.calibration.kinds,
            Group::Concept => self.calibration.concepts,
        };
        logistic(slope * (p / (1.0 - p)).ln() + constant)
    }
}

pub(super) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Probabilities of mutually exclusive classes. The largest score is subtracted first, so that no
/// exponent overflows.
fn softmax(mut scores: Vec<f32>) -> Vec<f32> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f32;
    for score in &mut scores {
        *score = (*score - max).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::head::tests::file;
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    pub const PLAIN: ClassOdds = ClassOdds {
        temperature: 1.0,
        classes: [1.0, 0.0],
        kinds: [1.0, 0.0],
        concepts: [1.0, 0.0],
    };

    pub fn classifier(calibration: ClassOdds) -> Classifier {
        let rows: Vec<Vec<i8>> = (0..5)
            .map(|at| (0..5).map(|i| if i == at { 8 } else { 0 }).collect())
            .collect();
        let rows: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
        // Biases 0, 1, 2 … are taken back.
        let head = Head::parse(&file(&rows)).unwrap();
        Classifier::new(vocabulary(), head, calibration).unwrap()
    }

    /// Scores whose softmax is `p`, before the shift of `classes.tsv` (3, 0.5, 2, 1, 1).
    fn scores(p: [f32; 5]) -> Vec<f32> {
        let likely = [3.0f32, 0.5, 2.0, 1.0, 1.0];
        p.iter().zip(likely).map(|(p, l)| (p / l).ln()).collect()
    }

    fn of(tags: &[Tag], key: &str) -> Option<f32> {
        tags.iter().find(|t| &*t.key == key).map(|t| t.confidence)
    }

    #[test]
    fn evidence_is_what_the_classes_say() {
        let tags = classifier(PLAIN).tags(&scores([0.3, 0.2, 0.25, 0.15, 0.1]));
        let near = |key: &str, expected: f32| {
            let found = of(&tags, key).unwrap();
            assert!((found - expected).abs() < 1e-4, "{key}: {found}");
        };
        near("n2", 0.5);
        near("n3", 0.3);
        near("c.beach", 0.25 * 0.8);
        near("n7", 0.25 + 0.1 * 0.9);
        near("c.people", 0.15 + 0.5 * 0.5);
        assert_eq!(of(&tags, "n1"), None, "too general");
        assert!(tags.windows(2).all(|w| w[0].confidence >= w[1].confidence));
    }

    #[test]
    fn each_group_has_its_calibration() {
        let calibration = ClassOdds {
            kinds: [2.0, 1.0],
            ..PLAIN
        };
        let tags = classifier(calibration).tags(&scores([0.3, 0.2, 0.25, 0.15, 0.1]));
        // Log odds of one half are 0: what is left is the constant.
        assert!((of(&tags, "n2").unwrap() - logistic(1.0)).abs() < 1e-4);
        assert!((of(&tags, "n3").unwrap() - 0.3).abs() < 1e-4);
    }

    proptest! {
        #[test]
        fn confidences_lie_in_their_range(logits in prop::collection::vec(-1e4f32..1e4, 5)) {
            for tag in classifier(PLAIN).tags(&logits) {
                prop_assert!((LEAST_KEPT..=1.0).contains(&tag.confidence), "{tag:?}");
            }
            let p = classifier(PLAIN).probabilities(&logits);
            prop_assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
