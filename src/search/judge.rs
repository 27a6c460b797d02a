//! Whether a photo is an answer, and where it stands.
//!
//! Three kinds of evidence: the photo's vector, its tags, and what its names say. The vector's cosine is set against the library's own background, what random phrases
//! and random photos score here: in a large or uniform library everything is close to something.
//!
//! What a cosine means depends on what was asked: in spaces with a graph of their own photos are
//! much closer to photos than to sentences, so that sentences and examples, wanted or not, have a
//! threshold each. In the derived space, which comes from the tags, a query that is a tag's name is
//! decided by the tag; elsewhere the model sees more than the tags say, and they only help.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicUsize;

use serde::Serialize;

use super::background::{Against, Background, Needed};
use super::error::SearchError;
use super::evidence::{NameEvidence, Reading, TagEvidence};
use super::spelled::SpelledOut;
use super::wish::Wish;
use crate::model::{Calibration, ModelPack};
use crate::store::StoreReader;
use crate::tag::Vocabulary;

/// What a phrase's tag adds to the cosine of a photo that surely has it, and takes from one that
/// surely has not. Measured, like all constants of the derived space, with some 280 sentences for
/// what is and is not there, on random halves of 250 photos: 0.10 to 0.20 are equally good.
const SAYING: f32 = 0.15;
/// Cosine from which a photo of the derived space is an answer where half of all random phrases
/// find [`USUAL_BEST`]. Below it wrong answers come fast (0.40: one query in ten for what is not
/// there), above it right ones go (0.46: one in twenty more).
const FLOOR: f32 = 0.43;
/// The median of the phrases' best scores in a library of 250 various photos.
const USUAL_BEST: f32 = 0.36;
/// How much the floor follows the library's background: without it small libraries find too little
/// (of five photos: 74 % of what is there, instead of 82 %).
const FOLLOW: f32 = 0.5;
/// The floor's own limits.
const FLOOR_RANGE: (f32, f32) = (0.25, 0.50);
/// Cosine from which two photos of the derived space are alike: four pairs in five are then of one
/// kind in the sense of `WordNet` (a common ancestor of at most 40 of 250 classes).
const ALIKE: f32 = 0.50;
/// Confidence from which a tag that is all of the query is an answer.
const SURE_TAG: f32 = 0.6;
/// Cosine from which two photos are the same picture in any space; a copy in another size or format
/// is above it, rounding to f16 far above.
const SAME: f32 = 0.98;
/// In spaces with a graph of their own, one random query in so many may find something.
const FALSE_ALARMS: f64 = 0.02;
/// Standard deviations above the background that are needed in the smallest library, and enough in
/// the largest: related things that are not the thing score two to three.
const DEVIATIONS: (f64, f64) = (2.5, 3.7);
/// Standard deviations above the background from which two photos are alike there, however many
/// photos there are: they have kin in the library, which random phrases have not. It is what
/// [`ALIKE`] is in the derived space (mean 0.00, deviation 0.185 over 250 photos, of which 84 in 100
/// have one that is alike).
const KIN: f32 = 2.7;
/// Probability from which a pack's own calibration decides alone.
const SURE: f64 = 0.5;
/// Probability below which it forbids.
const UNLIKELY: f64 = 0.01;
/// What a tag is worth in such spaces, in standard deviations.
const TAG_DEVIATIONS: f32 = 0.5;

/// Where a photo stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// `photos.id`.
    pub photo: i64,
    /// Closeness of the vectors.
    pub cosine: f32,
    /// All evidence together; higher is better, comparable within one query.
    pub score: f32,
    /// An answer, not merely the best there is.
    pub confident: bool,
}

/// Why a photo stands where it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// Closeness of photo and query in the search model's space, −1 to 1.
    pub cosine: f64,
    /// Cosine (or cosine and tags together) from which a photo is an answer here.
    pub needed: f64,
    /// The words that tags answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Confidence of the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_confidence: Option<f64>,
    /// The tag decides alone: the query as a whole is its name.
    pub by_tag: bool,
    /// Confidence from which the tag makes it an answer whatever the cosine, where the query as a
    /// whole is its name and the cosine counts too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_suffices: Option<f64>,
    /// File or folder names, what people say, or the picture have every word of the query.
    pub named: bool,
    /// The picture has; left out where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_picture: bool,
    /// Confidence of a tag that was not wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwanted: Option<f64>,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cosine {:.2}", self.cosine)?;
        if !self.by_tag {
            write!(f, " (from {:.2} an answer)", self.needed)?;
        }
        if let Some(words) = &self.words {
            let p = self.tag_confidence.unwrap_or(0.0) * 100.0;
            write!(f, "; tag {words:?} {p:.0}%")?;
            if self.by_tag {
                write!(f, " (from {:.0}% an answer)", self.needed * 100.0)?;
            }
            if let Some(least) = self.tag_suffices {
                write!(f, " (from {:.0}% an answer by itself)", least * 100.0)?;
            }
        }
        if self.in_picture {
            write!(f, "; every word stands in the picture")?;
        } else if self.named {
            write!(f, "; its name, or what is said of it, has every word")?;
        }
        if let Some(p) = self.unwanted {
            write!(f, "; not wanted: {:.0}%", p * 100.0)?;
        }
        Ok(())
    }
}

/// The rule of one query.
pub(super) struct Judge {
    wanted: Reading,
    unwanted: Reading,
    /// Score from which a photo is an answer.
    needed: f32,
    /// Cosine from which it is like what is not wanted, for each such wish.
    forbidden: Vec<f32>,
    /// What a phrase's tag is worth.
    saying: f32,
    /// The space comes from the tags: a tag that is all of the query decides, and the lack of a
    /// phrase's tag speaks against a photo.
    derived: bool,
    /// Confidence from which a tag decides alone.
    tag: f32,
    /// The sentence, where tags spell it out.
    spelled: Option<SpelledOut>,
}

/// How close a photo is to the parts of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Closeness {
    /// To the sum of all wishes.
    pub all: f32,
    /// To the sum of what is wanted.
    pub wanted: f32,
    /// By how much it is closer than it may be to the worst of what is not wanted; below 0: to
    /// none too close.
    pub excess: f32,
}

/// What words say of photos, wanted and not.
pub(super) struct WordEvidence {
    wanted: TagEvidence,
    unwanted: TagEvidence,
    names: NameEvidence,
    /// Photos that have every part of a sentence that is spelled out in tags.
    spelled: HashMap<i64, f32>,
}

impl WordEvidence {
    /// Whether names, or what people say, have all words of what is wanted.
    pub fn are_names(&self) -> bool {
        !self.names.is_empty()
    }
}

impl Judge {
    /// The rule for `wishes` in the space of `pack`; `least_tag` is a person's own idea of how
    /// confident a tag must be.
    pub fn new(
        pack: &ModelPack,
        background: Option<&Background>,
        (wishes, words): (&[Wish], &Vocabulary),
        least_tag: Option<f32>,
    ) -> Self {
        let derived = pack.derived_from().is_some();
        let thresholds = Thresholds::new(pack, background);
        let phrases = background.and_then(|b| b.phrases);
        Self {
            wanted: Reading::of(wishes, words),
            unwanted: Reading::unwanted(wishes, words),
            needed: thresholds.wanted(wishes, derived),
            forbidden: thresholds.forbidden(wishes),
            saying: if derived {
                SAYING
            } else {
                TAG_DEVIATIONS * phrases.map_or(0.0, |b| b.deviation)
            },
            derived,
            tag: least_tag.unwrap_or(SURE_TAG),
            spelled: SpelledOut::of(wishes, words),
        }
    }

    /// How close a photo is, from one score a direction: all wishes, what is wanted, and each
    /// unwanted thing in the order of the wishes (the last two only if something is not wanted).
    pub fn closeness(&self, scores: &[f32]) -> Closeness {
        let unwanted = scores.get(2..).unwrap_or_default();
        Closeness {
            all: scores[0],
            wanted: scores.get(1).copied().unwrap_or(scores[0]),
            excess: unwanted
                .iter()
                .zip(&self.forbidden)
                .map(|(score, from)| score - from)
                .fold(f32::NEG_INFINITY, f32::max),
        }
    }

    /// Whether the tags alone decide.
    fn by_tag(&self) -> bool {
        self.derived && self.wanted.whole.is_some()
    }

    /// Looks up what words say; of tags that decide alone only those that make an answer, unless `all`
    /// photos are to be ordered. Names are looked up beside the tags, and whoever is done with names helps with
    /// those.
    ///
    /// # Errors
    /// The database.
    pub fn words(
        &self,
        reader: &StoreReader,
        (vocabulary, detector): (&Vocabulary, &str),
        all: bool,
    ) -> Result<WordEvidence, SearchError> {
        let least = if self.by_tag() && !all { self.tag } else { 0.0 };
        let spelled = self
            .spelled
            .as_ref()
            .filter(|_| self.wanted.whole.is_none());
        let (said, next) = (&self.wanted.words, AtomicUsize::new(0));
        let wanted = |reader: &StoreReader| TagEvidence::read(reader, &self.wanted, least, &next);
        let beside = (!said.is_empty()).then(|| reader.beside()).transpose()?;
        std::thread::scope(|scope| {
            let other = beside.map(|beside| {
                scope.spawn(move || {
                    Ok::<_, SearchError>((NameEvidence::read(&beside, said)?, wanted(&beside)?))
                })
            });
            let spelled = spelled.map(|s| s.photos(reader, (vocabulary, detector), self.tag));
            let spelled = spelled.transpose()?.unwrap_or_default();
            let tags = wanted(reader)?;
            let nobody = &AtomicUsize::new(0);
            let unwanted = TagEvidence::read(reader, &self.unwanted, 0.0, nobody)?;
            let (names, others) = match other {
                Some(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                None => Default::default(),
            };
            Ok(WordEvidence {
                spelled,
                wanted: tags.join(others),
                unwanted,
                names,
            })
        })
    }

    /// Where a photo stands.
    pub fn standing(&self, photo: i64, close: Closeness, words: &WordEvidence) -> Standing {
        let said = words.wanted.said(photo).map_or(0.0, |(p, _)| p);
        let unwanted = words.unwanted.said(photo).map_or(0.0, |(p, _)| p);
        let sure = self.wanted.whole.is_some() && said >= self.tag;
        let (mut score, mut confident) = if self.by_tag() {
            // The vectors only order what the tags call equal.
            (said + 0.01 * close.all, sure)
        } else {
            let tagged = match (self.wanted.sayings().next(), self.derived) {
                (None, _) => 0.0,
                (Some(_), true) => self.saying * (2.0 * said - 1.0),
                (Some(_), false) => self.saying * said,
            };
            let close_enough = close.wanted + tagged >= self.needed;
            (close.all + tagged, close_enough || sure)
        };
        // Where tags spell the sentence out for some photos, having a part of it is no answer; a model with a graph of
        // its own sees more than they say.
        match words.spelled.get(&photo) {
            Some(sure) => (score, confident) = (score.max(sure + 0.01 * close.all), true),
            None => confident &= !self.derived || words.spelled.is_empty(),
        }
        if words.names.say(photo) {
            score += 1.0;
            confident = true;
        }
        // A near thing that is not wanted must not drown what is wanted: it forbids, by itself.
        score -= unwanted;
        confident &= unwanted < self.tag && close.excess < 0.0;
        Standing {
            photo,
            cosine: close.all,
            score,
            confident,
        }
    }

    /// Why it stands there.
    pub fn why(&self, standing: &Standing, words: &WordEvidence) -> Why {
        let spelled = words.spelled.get(&standing.photo);
        let spelled = spelled.zip(self.spelled.as_ref());
        let by_tag = self.by_tag() || spelled.is_some();
        let suffices = self.wanted.whole.is_some() && !by_tag;
        let said = words.wanted.said(standing.photo);
        let unwanted = words.unwanted.said(standing.photo);
        let round = |v: f32| (f64::from(v) * 1e4).round() / 1e4;
        Why {
            cosine: round(standing.cosine),
            needed: round(if by_tag { self.tag } else { self.needed }),
            words: spelled.map(|(_, all)| all.words()).or_else(|| {
                let (_, index) = said?;
                Some(self.wanted.sayings().nth(index)?.words.clone())
            }),
            tag_confidence: spelled
                .map(|(sure, _)| *sure)
                .or_else(|| said.map(|(p, _)| p))
                .map(round),
            by_tag,
            tag_suffices: suffices.then(|| round(self.tag)),
            named: words.names.say(standing.photo),
            in_picture: words.names.in_picture(standing.photo),
            unwanted: unwanted.map(|(p, _)| round(p)),
        }
    }
}

/// What a background must know to judge these wishes.
pub(super) fn asks(wishes: &[Wish], derived: bool) -> Needed {
    let sentence = |w: &Wish| w.sentence().is_some();
    Needed {
        phrases: wishes.iter().any(sentence),
        pictures: !derived && !wishes.iter().all(sentence),
    }
}

/// Cosines from which a photo is like a sentence, and like another photo.
struct Thresholds {
    sentence: f32,
    picture: f32,
}

impl Thresholds {
    fn new(pack: &ModelPack, background: Option<&Background>) -> Self {
        let phrases = background.and_then(|b| b.phrases);
        if pack.derived_from().is_some() {
            let best = phrases.map_or(USUAL_BEST, |b| b.median_best);
            let floor = FLOOR + FOLLOW * (best - USUAL_BEST);
            return Self {
                sentence: floor.clamp(FLOOR_RANGE.0, FLOOR_RANGE.1),
                picture: ALIKE,
            };
        }
        let photos = background.map_or(0, |b| b.photos);
        let kin = background.and_then(|b| b.pictures);
        let kin = kin.map_or(SAME, |b| b.mean + KIN * b.deviation);
        Self {
            sentence: needed(pack.calibration.as_ref(), photos, phrases),
            // What a pack says of its scores, it says of sentences. However alike the photos of a
            // library are, and however few: the same picture is an answer.
            picture: kin.min(SAME),
        }
    }

    fn of(&self, wish: &Wish) -> f32 {
        match wish.sentence() {
            Some(_) => self.sentence,
            None => self.picture,
        }
    }

    /// Of each wish that is not wanted.
    fn forbidden(&self, wishes: &[Wish]) -> Vec<f32> {
        let unwanted = wishes.iter().filter(|w| w.weight < 0.0);
        unwanted.map(|w| self.of(w)).collect()
    }

    /// Of the sum of what is wanted.
    fn wanted(&self, wishes: &[Wish], derived: bool) -> f32 {
        let weight = |sentence: bool| -> f32 {
            let of = wishes
                .iter()
                .filter(|w| w.weight > 0.0 && w.sentence().is_some() == sentence);
            of.map(|w| w.weight).sum()
        };
        match (weight(true), weight(false)) {
            (0.0, _) => self.picture,
            (_, 0.0) => self.sentence,
            // Sentences and photos lie in the same region here.
            _ if derived => self.sentence,
            // Cosines with a sum are the sum of the cosines, over its length; sentences and photos
            // are nearly at right angles in such spaces.
            (s, p) => (s * self.sentence + p * self.picture) / s.hypot(p),
        }
    }
}

/// The cosine from which a photo is an answer in a space with a graph of its own: far above what
/// random queries of the kind score among so many photos, and not called impossible by the pack; or
/// called likely by it. Where nothing is known, nothing is confident.
fn needed(calibration: Option<&Calibration>, photos: u64, against: Option<Against>) -> f32 {
    let above = against.map(|b| b.mean + deviations(photos) as f32 * b.deviation);
    let Some(Calibration::Sigmoid { scale, bias }) = calibration.filter(|c| match c {
        Calibration::Sigmoid { scale, .. } => *scale > 0.0,
        _ => false,
    }) else {
        return above.unwrap_or(f32::INFINITY);
    };
    let at = |p: f64| (((p / (1.0 - p)).ln() - bias) / scale) as f32;
    above.map_or(at(SURE), |above| above.max(at(UNLIKELY)).min(at(SURE)))
}

/// Standard deviations that the best of `photos` random scores exceeds in one query in
/// 1 / [`FALSE_ALARMS`].
fn deviations(photos: u64) -> f64 {
    let tail = FALSE_ALARMS / photos.max(1) as f64;
    upper_quantile(tail).clamp(DEVIATIONS.0, DEVIATIONS.1)
}

/// The value that a standard normal variable exceeds with this probability, below one half:
/// Abramowitz and Stegun, formula 26.2.23, off by at most 4.5e-4.
fn upper_quantile(p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let bottom = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - top / bottom
}

#[cfg(test)]
mod tests;
