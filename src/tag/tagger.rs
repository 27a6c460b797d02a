//! The one way from vectors to tags.
//!
//! A [`Tagger`] is a snapshot that never changes: the classifier with its words, the terms that a
//! search model has encoded, a person's own words, calibration and settings. Its [`Tagger::identity`]
//! says which snapshot made a photo's tags; whatever changes what they would be makes another. The
//! same vectors and the same snapshot give the same tags, whatever else came before.
//!
//! Never: runs a model, opens a photo, touches the database. Cost: a fraction of a millisecond for the
//! classifier's 1,000 classes and 1,400 terms; the terms of a search model cost one pass over their
//! rows, shared by photos that come together.

use std::sync::Arc;

use super::bank::{Bank, Sigmoid};
use super::classifier::{Classifier, Said};
use super::detectors::{Boxes, Detectors};
use super::{LEAST_KEPT, MOST_KEPT, kinds, scenes};
use crate::embedding::{Sources, Tag};
use crate::looks::Looks;
use crate::matrix::{self, ScanError};
use crate::photo::hex;

/// A word of a person's own, as a vector of the search model.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnWord {
    /// Stable key.
    pub key: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
    /// Of length one.
    pub vector: Vec<f32>,
    /// What a cosine with it means.
    pub sigmoid: Sigmoid,
}

/// What is said in the space of the search model that queries go by.
#[derive(Default)]
pub struct SearchWords {
    /// The model, name and revision.
    pub model: String,
    /// Its vocabulary, as far as it is encoded; absent where it says nothing true.
    pub bank: Option<Bank>,
    /// A person's own words.
    pub own: Vec<OwnWord>,
}

impl SearchWords {
    /// The terms that are encoded, if there are any.
    pub fn terms(&self) -> Option<&Bank> {
        self.bank.as_ref().filter(|bank| !bank.is_empty())
    }

    /// Whether a photo's vector says nothing here.
    pub fn is_empty(&self) -> bool {
        self.terms().is_none() && self.own.is_empty()
    }
}

/// What is known of one photo.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeenByModels<'a> {
    /// The classifier's scores, one a class.
    pub logits: Option<&'a [f32]>,
    /// Its vector in the search model's space.
    pub search: Option<&'a [f32]>,
    /// Boxes of things and people, as they are kept ([`crate::boxes`]).
    pub things: Option<&'a [f32]>,
    /// Boxes of faces.
    pub faces: Option<&'a [f32]>,
    /// What tells its kind.
    pub looks: Option<Looks>,
}

/// See the module.
pub struct Tagger {
    classifier: Arc<Classifier>,
    detectors: Arc<Detectors>,
    space: SearchWords,
    identity: String,
}

impl Tagger {
    /// A snapshot. `label_revision` stands for the classifier's tables and calibration, `again` for how often
    /// a person has asked for all photos to be tagged again.
    pub fn new(
        (classifier, detectors): (Arc<Classifier>, Arc<Detectors>),
        space: SearchWords,
        label_revision: &str,
        again: i64,
    ) -> Self {
        /// How tags are put together; another number makes another identity.
        const WAY: u32 = 2;
        let mut parts = vec![format!("{WAY} {label_revision} {again}").into_bytes()];
        if *detectors != Detectors::default() {
            let Detectors {
                things,
                faces,
                label_revision,
            } = &*detectors;
            let on = (things.is_some(), faces.is_some());
            parts.push(format!("boxes {label_revision} {on:?}").into_bytes());
        }
        if !space.is_empty() {
            parts.push(space.model.clone().into_bytes());
        }
        parts.extend(space.terms().map(|bank| bank.identity().into_bytes()));
        for word in &space.own {
            let Sigmoid { scale, bias } = word.sigmoid;
            parts.push(format!("{} {} {scale} {bias}", word.key, word.name).into_bytes());
            parts.push(word.vector.iter().flat_map(|v| v.to_le_bytes()).collect());
        }
        let identity = hex(&matrix::identity(&parts)[..16]);
        Self {
            classifier,
            detectors,
            space,
            identity,
        }
    }

    /// Tells this snapshot from every other one.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// What is said in the search model's space.
    pub fn space(&self) -> &SearchWords {
        &self.space
    }

    /// The tags of some photos, surest first, one entry a term.
    pub fn tags(&self, photos: &[SeenByModels<'_>], threads: usize) -> Vec<Vec<Tag>> {
        self.tags_within(photos, &|_| true, threads)
    }

    /// The same, with only those terms of the search model that `wanted` wants.
    pub fn tags_within(
        &self,
        photos: &[SeenByModels<'_>],
        wanted: &(impl Fn(u32) -> bool + Sync),
        threads: usize,
    ) -> Vec<Vec<Tag>> {
        let mut all: Vec<Vec<Tag>> = photos.iter().map(|seen| self.by_sight(seen)).collect();
        let (places, vectors): (Vec<usize>, Vec<&[f32]>) = photos
            .iter()
            .enumerate()
            .filter_map(|(at, seen)| Some((at, seen.search?)))
            .unzip();
        match self.by_bank(&vectors, wanted, threads) {
            Ok(found) => {
                for (at, tags) in places.iter().zip(found) {
                    tags.into_iter()
                        .for_each(|tag| self.add(&mut all[*at], tag));
                }
            }
            // One of them has no direction: the others go one by one.
            Err(_) if vectors.len() > 1 => {
                return photos
                    .iter()
                    .flat_map(|seen| self.tags_within(&[*seen], wanted, threads))
                    .collect();
            }
            Err(e) => tracing::debug!("{e}"),
        }
        for (at, vector) in places.into_iter().zip(vectors) {
            self.own(vector).for_each(|tag| self.add(&mut all[at], tag));
        }
        for tags in &mut all {
            tags.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
            tags.truncate(MOST_KEPT);
        }
        all
    }

    /// What the classifier and the detectors say, one number a term.
    fn by_sight(&self, seen: &SeenByModels<'_>) -> Vec<Tag> {
        let boxes = Boxes {
            things: seen.things.map(crate::boxes::of),
            faces: seen.faces.map(crate::boxes::of),
        };
        let words = self.classifier.vocabulary();
        let nothing = || vec![Said::default(); words.terms().len()];
        let mut said = seen
            .logits
            .map_or_else(nothing, |l| self.classifier.said(l));
        if let (Some(looks), Some(_)) = (&seen.looks, seen.logits) {
            scenes::add(words, looks, &mut said);
        }
        self.detectors
            .add(words, &boxes, seen.logits.is_some(), &mut said);
        if let Some(looks) = &seen.looks {
            kinds::add(words, looks, self.detectors.largest_face(&boxes), &mut said);
        }
        self.classifier.worth_keeping(&said)
    }

    /// The detectors that are on.
    pub fn detectors(&self) -> &Detectors {
        &self.detectors
    }

    fn by_bank(
        &self,
        vectors: &[&[f32]],
        wanted: &(impl Fn(u32) -> bool + Sync),
        threads: usize,
    ) -> Result<Vec<Vec<Tag>>, ScanError> {
        match &self.space.bank {
            Some(bank) if !vectors.is_empty() => bank.tags(vectors, wanted, threads),
            _ => Ok(Vec::new()),
        }
    }

    fn own(&self, photo: &[f32]) -> impl Iterator<Item = Tag> {
        self.space.own.iter().filter_map(|word| {
            let confidence = word.sigmoid.of(cosine(&word.vector, photo));
            (confidence >= LEAST_KEPT).then(|| Tag {
                key: Arc::clone(&word.key),
                name: Arc::clone(&word.name),
                confidence,
                sources: Sources::OWN,
            })
        })
    }

    /// One entry a term, as sure as the surest of those that say it; by the classifier's name.
    fn add(&self, tags: &mut Vec<Tag>, mut tag: Tag) {
        if let Some(known) = tags.iter_mut().find(|t| t.key == tag.key) {
            known.confidence = known.confidence.max(tag.confidence);
            known.sources |= tag.sources;
            return;
        }
        if let Some(term) = self.classifier.vocabulary().term(&tag.key) {
            if term.general {
                return;
            }
            tag.name = Arc::clone(&term.name);
        }
        tags.push(tag);
    }
}

/// The cosine of two vectors, the second of any length; NaN if they do not compare.
fn cosine(unit: &[f32], other: &[f32]) -> f32 {
    use simsimd::SpatialSimilarity;
    let dot = f32::dot(unit, other).unwrap_or(f64::NAN);
    let length = f32::dot(other, other).unwrap_or(f64::NAN).sqrt();
    (dot / length) as f32
}

#[cfg(test)]
mod tests {
    use super::super::bank::tests::{lexicon, piece};
    use super::super::classifier::tests::{PLAIN, classifier};
    use super::super::detectors::FaceOdds;
    use super::*;

    const SURE: Sigmoid = Sigmoid {
        scale: 10.0,
        bias: -5.0,
    };

    fn own(name: &str, vector: [f32; 3]) -> OwnWord {
        OwnWord {
            key: format!("u.{name}").into(),
            name: name.into(),
            vector: vector.to_vec(),
            sigmoid: SURE,
        }
    }

    fn space() -> SearchWords {
        let pieces = vec![piece(&[(0, [0.0, 1.0, 0.0]), (1, [0.0, 0.0, 1.0])])];
        SearchWords {
            model: "m@1".to_owned(),
            bank: Some(Bank::new(pieces, lexicon(), SURE, 9)),
            own: vec![own("Rex", [0.6, 0.8, 0.0])],
        }
    }

    fn sighted() -> (Arc<Classifier>, Arc<Detectors>) {
        (Arc::new(classifier(PLAIN)), Arc::default())
    }

    fn tagger(space: SearchWords) -> Tagger {
        Tagger::new(sighted(), space, "l1", 0)
    }

    #[test]
    fn what_several_say_is_one_tag() {
        let tagger = tagger(space());
        // The classifier sees a beagle, the search model a dog, and a person's own word fits.
        let logits = [3.0, 0.0, 0.0, 0.0, 0.0];
        let seen = SeenByModels {
            logits: Some(&logits),
            search: Some(&[0.0, 2.0, 0.0]),
            ..SeenByModels::default()
        };
        let tags = tagger.tags(&[seen], 1).remove(0);
        let dog = tags.iter().find(|t| &*t.key == "n2").unwrap();
        assert_eq!(dog.sources, Sources::CLASSIFIER | Sources::VOCABULARY);
        assert!((dog.confidence - SURE.of(1.0)).abs() < 0.01);
        assert_eq!(tags.iter().filter(|t| &*t.key == "n2").count(), 1);
        let rex = tags.iter().find(|t| &*t.name == "Rex").unwrap();
        assert!((rex.confidence - SURE.of(0.8)).abs() < 0.001);
        assert_eq!(rex.sources, Sources::OWN);
        assert!(tags.windows(2).all(|w| w[0].confidence >= w[1].confidence));
    }

    #[test]
    fn neighbours_and_threads_change_nothing() {
        let tagger = tagger(space());
        let logits = [1.0, 2.0, 3.0, 0.0, 0.0];
        let vectors = [
            [0.0, 1.0, 0.2],
            [0.3, 0.1, 0.9],
            [0.0, 0.0, 0.0],
            [1.0, 1.0, 1.0],
        ];
        let seen: Vec<SeenByModels<'_>> = vectors
            .iter()
            .map(|v| SeenByModels {
                logits: Some(&logits),
                search: Some(v),
                ..SeenByModels::default()
            })
            .collect();
        let together = tagger.tags(&seen, 2);
        for (one, tags) in seen.iter().zip(&together) {
            assert_eq!(&tagger.tags(&[*one], 1)[0], tags);
        }
        assert!(together[2].iter().all(|t| t.sources == Sources::CLASSIFIER));
        assert!(tagger.tags(&[SeenByModels::default()], 1)[0].is_empty());
    }

    #[test]
    fn whatever_changes_tags_changes_the_identity() {
        let make = |space, revision, again| {
            Tagger::new(sighted(), space, revision, again)
                .identity()
                .to_owned()
        };
        let base = make(space(), "l1", 0);
        assert_eq!(base, make(space(), "l1", 0));
        let others = [
            make(space(), "l2", 0),
            make(space(), "l1", 1),
            make(
                SearchWords {
                    own: Vec::new(),
                    ..space()
                },
                "l1",
                0,
            ),
            make(
                SearchWords {
                    own: vec![own("Rex", [1.0, 0.0, 0.0])],
                    ..space()
                },
                "l1",
                0,
            ),
            make(
                SearchWords {
                    bank: None,
                    ..space()
                },
                "l1",
                0,
            ),
            make(
                SearchWords {
                    model: "m@2".to_owned(),
                    ..space()
                },
                "l1",
                0,
            ),
        ];
        assert!(others.iter().all(|other| *other != base));
        let sees = |label_revision: &str, faces| {
            let faces = Some(FaceOdds {
                shown: 0.5,
                after: None,
            })
            .filter(|_| faces);
            let detectors = Arc::new(Detectors {
                things: None,
                faces,
                label_revision: label_revision.to_owned(),
            });
            let sight = (Arc::new(classifier(PLAIN)), detectors);
            Tagger::new(sight, space(), "l1", 0).identity().to_owned()
        };
        let seeing = [base, sees("d1", true), sees("d2", true), sees("d1", false)];
        let different: std::collections::HashSet<&String> = seeing.iter().collect();
        assert_eq!(different.len(), seeing.len());
        // A search model that says nothing is none.
        let none = |model: &str| SearchWords {
            model: model.to_owned(),
            ..SearchWords::default()
        };
        assert_eq!(make(none("a"), "l1", 0), make(none("b"), "l1", 0));
    }
}
