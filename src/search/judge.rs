//! Whether a photo is an answer, and where it stands.
//!
//! Three kinds of evidence: the photo's vector, the tags that the classifier gave it, and what its
//! names say. The vector's cosine is set against the library's own background, what random phrases
//! score here: in a large or uniform library everything is close to something.

use std::fmt;

use serde::Serialize;

use super::background::Background;
use super::error::SearchError;
use super::evidence::{Evidence, Reading};
use super::wish::Wish;
use crate::model::{Calibration, ModelPack};
use crate::store::StoreReader;
use crate::tag::Tagger;

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
/// Confidence from which a tag that is all of the query is an answer; from [`LIKELIEST`] on if it
/// is the likeliest thing the classifier can say (its probabilities are cautious).
const SURE_TAG: f32 = 0.35;
/// See [`SURE_TAG`].
const LIKELIEST: f32 = 0.15;
/// In spaces with a graph of their own, one random query in so many may find something.
const FALSE_ALARMS: f64 = 0.02;
/// Standard deviations above the background that are needed in the smallest library, and enough in
/// the largest: related things that are not the thing score two to three.
const DEVIATIONS: (f64, f64) = (2.5, 3.7);
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
    /// The words that the classifier's tags answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Confidence of the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_confidence: Option<f64>,
    /// The tag decides alone: the query as a whole is its name.
    pub by_tag: bool,
    /// The tag is weak, but the likeliest of all that the classifier can say.
    pub likeliest: bool,
    /// File or folder names say every word of the query.
    pub named: bool,
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
            if self.likeliest {
                write!(f, ", the likeliest of all")?;
            }
        }
        if self.named {
            write!(f, "; its name says so")?;
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
    /// What a phrase's tag is worth.
    saying: f32,
    /// Whether the lack of a phrase's tag speaks against a photo.
    denies: bool,
    /// Confidences from which a tag decides alone, and from which it does as the likeliest.
    tag: (f32, f32),
}

/// How close a photo is to the parts of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Closeness {
    /// To the sum of all wishes.
    pub all: f32,
    /// To the sum of what is wanted.
    pub wanted: f32,
    /// To the closest of what is not wanted; −1 without any.
    pub unwanted: f32,
}

/// What words say of photos, wanted and not.
pub(super) struct Words {
    wanted: Evidence,
    unwanted: Evidence,
}

impl Judge {
    /// The rule for `wishes` in the space of `pack`; `least_tag` is a person's own idea of how
    /// confident a tag must be.
    pub fn new(
        pack: &ModelPack,
        background: Option<&Background>,
        (wishes, tagger): (&[Wish], &Tagger),
        least_tag: Option<f32>,
    ) -> Self {
        let pictured = wishes
            .iter()
            .filter(|w| w.weight > 0.0)
            .all(|w| w.sentence().is_none());
        let derived = pack.derived_from().is_some();
        let needed = match (derived, pictured) {
            (true, true) => ALIKE,
            (true, false) => {
                let best = background.map_or(USUAL_BEST, |b| b.median_best);
                (FLOOR + FOLLOW * (best - USUAL_BEST)).clamp(FLOOR_RANGE.0, FLOOR_RANGE.1)
            }
            (false, _) => needed(pack.calibration.as_ref(), background),
        };
        Self {
            wanted: Reading::of(wishes, tagger),
            unwanted: Reading::unwanted(wishes, tagger),
            needed,
            saying: if derived {
                SAYING
            } else {
                TAG_DEVIATIONS * background.map_or(0.0, |b| b.deviation)
            },
            denies: derived,
            tag: least_tag.map_or((SURE_TAG, LIKELIEST), |least| (least, least)),
        }
    }

    /// Looks up what words say.
    ///
    /// # Errors
    /// The database.
    pub fn words(&self, reader: &StoreReader, tagger: &Tagger) -> Result<Words, SearchError> {
        let weak = self.tag.1..self.tag.0;
        Ok(Words {
            wanted: Evidence::read(reader, tagger, &self.wanted, weak)?,
            unwanted: Evidence::read(reader, tagger, &self.unwanted, 0.0..0.0)?,
        })
    }

    /// Where a photo stands.
    pub fn standing(&self, photo: i64, close: Closeness, words: &Words) -> Standing {
        let said = words.wanted.said(photo).map_or(0.0, |(p, _)| p);
        let unwanted = words.unwanted.said(photo).map_or(0.0, |(p, _)| p);
        let (mut score, mut confident) = if self.wanted.whole.is_some() {
            let sure = said >= self.tag.0 || words.wanted.is_likeliest(photo);
            // The vectors only order what the tags call equal.
            (said + 0.01 * close.all, sure)
        } else {
            let tagged = match (self.wanted.phrases.is_empty(), self.denies) {
                (true, _) => 0.0,
                (false, true) => self.saying * (2.0 * said - 1.0),
                (false, false) => self.saying * said,
            };
            (close.all + tagged, close.wanted + tagged >= self.needed)
        };
        if words.wanted.named(photo) {
            score += 1.0;
            confident = true;
        }
        // A near thing that is not wanted must not drown what is wanted: it forbids, by itself.
        score -= unwanted;
        confident &= unwanted < self.tag.0 && close.unwanted < self.needed;
        Standing {
            photo,
            cosine: close.all,
            score,
            confident,
        }
    }

    /// Why it stands there.
    pub fn why(&self, standing: &Standing, words: &Words) -> Why {
        let by_tag = self.wanted.whole.is_some();
        let said = words.wanted.said(standing.photo);
        let unwanted = words.unwanted.said(standing.photo);
        let round = |v: f32| (f64::from(v) * 1e4).round() / 1e4;
        Why {
            cosine: round(standing.cosine),
            needed: round(if by_tag { self.tag.0 } else { self.needed }),
            words: said
                .and_then(|(_, index)| self.wanted.sayings().nth(index))
                .map(|saying| saying.words.clone()),
            tag_confidence: said.map(|(p, _)| round(p)),
            by_tag,
            likeliest: words.wanted.is_likeliest(standing.photo),
            named: words.wanted.named(standing.photo),
            unwanted: unwanted.map(|(p, _)| round(p)),
        }
    }
}

/// The cosine from which a photo is an answer in a space with a graph of its own: far above what
/// random phrases score here, and not called impossible by the pack; or called likely by it.
/// Where nothing is known, nothing is confident.
#[allow(clippy::cast_possible_truncation)]
fn needed(calibration: Option<&Calibration>, background: Option<&Background>) -> f32 {
    let above = background.map(|b| b.mean + deviations(b.photos) as f32 * b.deviation);
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
    #[allow(clippy::cast_precision_loss)]
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
mod tests {
    use super::*;

    fn background(photos: u64) -> Background {
        Background {
            photos,
            median_best: 0.4,
            mean: 0.02,
            deviation: 0.03,
        }
    }

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (p, z) in [(0.05, 1.6449), (0.01, 2.3263), (1e-6, 4.7534)] {
            assert!((upper_quantile(p) - z).abs() < 1e-3, "{p}");
        }
        assert_eq!(deviations(1), 2.5);
        assert_eq!(deviations(1_000_000), 3.7);
        assert!((deviations(10) - 2.878).abs() < 1e-2);
    }

    #[test]
    fn a_calibration_forbids_and_permits() {
        let siglip = Calibration::Sigmoid {
            scale: 117.33,
            bias: -12.93,
        };
        let with = |deviation| {
            let b = Background {
                deviation,
                ..background(1000)
            };
            needed(Some(&siglip), Some(&b))
        };
        // Probability one half is at a cosine of 0.110, one in a hundred at 0.071.
        assert!((with(0.2) - 0.1102).abs() < 1e-3, "a wide background");
        assert!((with(0.001) - 0.0710).abs() < 1e-3, "a narrow one");
        assert!((with(0.02) - (0.02 + 3.7 * 0.02)).abs() < 1e-3);
        assert_eq!(needed(None, None), f32::INFINITY);
        assert!((needed(None, Some(&background(1))) - 0.095).abs() < 1e-6);
    }
}
