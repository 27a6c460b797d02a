//! From boxes to confidences, by the formulas of `models/detection/README.md`.
//!
//! A box's evidence is the log odds of its score, less for a small one. What a thing's best box says and
//! what the classifier says of the same term become one number; people go by the best person box and
//! the best face, and by rule some pictures of them are a portrait, a group or a crowd.

use super::classifier::{Said, logistic};
use super::things::{CROWD, GROUP, PORTRAIT, ThingClass};
use super::vocabulary::Vocabulary;
use crate::boxes::DetectedBox;
use crate::embedding::Sources;

/// What the boxes of things and people are worth: from the pack's manifest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThingOdds {
    /// The share of the picture from which size takes nothing from a person's evidence, and what a smaller box
    /// takes for each e-fold.
    pub size: [f32; 2],
    /// Slope and constant, where the classifier has no such term; size says nothing there.
    pub alone: [f32; 2],
    /// Slopes of box and classifier, and constant, where it has.
    pub with_classifier: [f32; 3],
    /// As `size`, where it has.
    pub with_classifier_size: [f32; 2],
    /// Weights of the best person's and the best face's evidence.
    pub people: [f32; 2],
    /// Added to their sum.
    pub people_constant: f32,
    /// What each evidence is at least.
    pub people_least: [f32; 2],
    /// As `area`, of a face.
    pub face_area: f32,
}

/// What faces are worth: from the pack's manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceOdds {
    /// Score from which a face counts.
    pub shown: f32,
    /// They are looked for where a box of this class has this score.
    pub after: Option<(String, f32)>,
}

/// Which detectors are on, and what they say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detectors {
    /// Of things and people.
    pub things: Option<ThingOdds>,
    /// Of faces.
    pub faces: Option<FaceOdds>,
    /// Stands for their classes and calibration.
    pub label_revision: String,
}

/// The boxes of one photo; absent where a detector has not seen it.
#[derive(Debug, Clone, Default)]
pub(super) struct Boxes {
    pub things: Option<Vec<DetectedBox>>,
    pub faces: Option<Vec<DetectedBox>>,
}

/// The network's own name of people.
const PERSON: &str = "person";
/// Between which the classifier's confidence counts.
const CLASSIFIED: (f32, f32) = (0.02, 0.98);
/// Where only faces are looked for: 6 of 59 photos with one had none.
const PEOPLE_BY_A_FACE: f32 = 0.9;
/// A face this high, with none more than half as high beside it, makes a portrait: right 11 of 12 times. In those
/// with a smaller one somebody is doing something.
const PORTRAIT_HEIGHT: f32 = 0.25;
const PORTRAIT_CONFIDENCE: f32 = 0.85;
/// So many faces, none much smaller than the largest, make a group: right 6 of 7 times.
const GROUP_FACES: usize = 3;
const GROUP_CONFIDENCE: f32 = 0.78;
/// So many people or faces make a crowd: right 4 of 6 times.
const CROWD_OF: usize = 8;
const CROWD_CONFIDENCE: f32 = 0.63;

impl Detectors {
    /// Whether faces are to be looked for in a photo with these things in it.
    pub fn faces_wanted(&self, words: &Vocabulary, things: &[DetectedBox]) -> bool {
        let after = self.faces.as_ref().and_then(|faces| faces.after.as_ref());
        let Some((class, least)) = after.filter(|_| self.things.is_some()) else {
            return true;
        };
        let wanted = |found: &DetectedBox| {
            let known = words.things().get(found.class);
            found.score >= *least && known.is_some_and(|thing| thing.class == *class)
        };
        things.iter().any(wanted)
    }

    /// The height of the largest face that counts, 0 without any; `None` if nobody has looked.
    pub(super) fn largest_face(&self, boxes: &Boxes) -> Option<f32> {
        let (odds, faces) = (self.faces.as_ref()?, boxes.faces.as_ref()?);
        let shown = faces.iter().filter(|face| face.score >= odds.shown);
        Some(shown.map(DetectedBox::height).fold(0.0, f32::max))
    }

    /// Adds what boxes say to what the classifier says of each term; `classified`: it has seen the photo.
    pub(super) fn add(
        &self,
        words: &Vocabulary,
        boxes: &Boxes,
        classified: bool,
        said: &mut [Said],
    ) {
        let things = boxes.things.as_deref().filter(|_| self.things.is_some());
        let faces = boxes.faces.as_deref().filter(|_| self.faces.is_some());
        // Looked for where they would not be now, they would say more than they are worth.
        let faces = match (faces, things) {
            (Some(_), Some(things)) if !self.faces_wanted(words, things) => Some(&[][..]),
            (faces, _) => faces,
        };
        if let (Some(odds), Some(things)) = (&self.things, things) {
            odds.add(words, things, classified, said);
        }
        let shown: Vec<&DetectedBox> = match (&self.faces, faces) {
            (Some(odds), Some(faces)) => faces.iter().filter(|f| f.score >= odds.shown).collect(),
            _ => Vec::new(),
        };
        let people = words.things().iter().find(|thing| thing.class == PERSON);
        match (&self.things, things, people) {
            (Some(odds), Some(things), Some(people)) => {
                // The classifier's is not asked: it finds an eighth of them.
                let faces = faces.unwrap_or_default();
                let by_faces = if faces.is_empty() {
                    Sources::default()
                } else {
                    Sources::FACES
                };
                said[people.term] = Said {
                    confidence: odds.people(words, things, faces),
                    sources: Sources::THINGS | by_faces,
                };
            }
            (_, None, Some(people)) if !shown.is_empty() => {
                said[people.term].hear(PEOPLE_BY_A_FACE, Sources::FACES);
            }
            _ => {}
        }
        let mut say = |name: &str, confidence: f32, sources: Sources| {
            if let Some(at) = words.by_name(name) {
                said[at].hear(confidence, sources);
            }
        };
        let mut heights: Vec<f32> = shown.iter().map(|face| face.height()).collect();
        heights.sort_by(|a, b| b.total_cmp(a));
        let largest = heights.first().copied().unwrap_or_default();
        let second = heights.get(1).copied().unwrap_or_default();
        if largest >= PORTRAIT_HEIGHT && second <= largest / 2.0 {
            say(PORTRAIT, PORTRAIT_CONFIDENCE, Sources::FACES);
        }
        if heights.iter().filter(|h| **h >= largest / 3.0).count() >= GROUP_FACES {
            say(GROUP, GROUP_CONFIDENCE, Sources::FACES);
        }
        let is_counted = |found: &&DetectedBox| {
            let is_person = words
                .things()
                .get(found.class)
                .is_some_and(|t| t.class == PERSON);
            is_person && found.is_counted()
        };
        let persons = things.unwrap_or_default().iter().filter(is_counted).count();
        for (count, source) in [(persons, Sources::THINGS), (shown.len(), Sources::FACES)] {
            if count >= CROWD_OF {
                say(CROWD, CROWD_CONFIDENCE, source);
            }
        }
    }
}

impl ThingOdds {
    fn add(&self, words: &Vocabulary, boxes: &[DetectedBox], classified: bool, said: &mut [Said]) {
        let mut heard: Vec<(&ThingClass, f32)> = Vec::new();
        for (class, thing) in words.things().iter().enumerate() {
            // People go by faces too.
            if thing.class == PERSON {
                continue;
            }
            let confidence = if thing.is_classified && classified {
                let [a, c, b] = self.with_classifier;
                let alone = said[thing.term].confidence;
                let k = log_odds(alone.clamp(CLASSIFIED.0, CLASSIFIED.1));
                let seen = evidence(boxes, class, self.with_classifier_size);
                seen.map(|e| logistic(a * e + c * k + b))
            } else {
                let [a, b] = self.alone;
                evidence(boxes, class, ANY_SIZE).map(|e| logistic(a * e + b))
            };
            heard.extend(confidence.map(|confidence| (thing, confidence)));
        }
        // Together they are of what the classifier said, and not of each other.
        for (thing, confidence) in &heard {
            let said = &mut said[thing.term];
            // A weak box is no evidence against it: without any it would be as sure as it is.
            if *confidence > said.confidence {
                said.confidence = *confidence;
                said.sources |= Sources::THINGS;
            }
        }
        for (thing, confidence) in heard {
            for (term, likely) in &thing.above {
                said[*term].hear(confidence * likely, Sources::THINGS);
            }
        }
    }

    fn people(&self, words: &Vocabulary, things: &[DetectedBox], faces: &[DetectedBox]) -> f32 {
        let person = words
            .things()
            .iter()
            .position(|thing| thing.class == PERSON);
        let person = person.and_then(|class| evidence(things, class, self.size));
        let face = evidence(faces, 0, [self.face_area, self.size[1]]);
        let [p, f] = [(person, 0), (face, 1)]
            .map(|(e, at)| e.unwrap_or(f32::NEG_INFINITY).max(self.people_least[at]));
        logistic(self.people[0] * p + self.people[1] * f + self.people_constant)
    }

    /// What one box is worth by itself.
    pub fn confidence(&self, found: &DetectedBox) -> f32 {
        let evidence = evidence(std::slice::from_ref(found), found.class, ANY_SIZE);
        evidence.map_or(0.0, |e| logistic(self.alone[0] * e + self.alone[1]))
    }
}

/// A box is worth the same whatever its size.
const ANY_SIZE: [f32; 2] = [1.0, 0.0];

/// The evidence of a class's best box: less for one that covers less than `area` of the picture.
fn evidence(boxes: &[DetectedBox], class: usize, [area, per_area]: [f32; 2]) -> Option<f32> {
    let of_class = boxes.iter().filter(|found| found.class == class);
    let evidence = of_class.map(|found| {
        let small = (found.area() / area).ln().min(0.0);
        log_odds(found.score) + per_area * small
    });
    evidence.reduce(f32::max)
}

/// Of a probability; bounded, since nothing is certain.
pub(super) fn log_odds(p: f32) -> f32 {
    const EDGE: f32 = 1e-4;
    let p = p.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

impl Said {
    /// Boxes say it too: the surer of the two counts.
    pub(super) fn hear(&mut self, confidence: f32, sources: Sources) {
        if confidence > self.confidence {
            *self = Self {
                confidence,
                sources,
            };
        }
    }
}

#[cfg(test)]
#[path = "detectors_tests.rs"]
mod tests;
