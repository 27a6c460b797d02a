//! `[calibration]`: what a score of this pack means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules::share;
use super::{Kind, Manifest};
use crate::model::error::ModelError;

/// `[calibration]`: what a score means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Calibration {
    /// Classifiers: the scores of all classes together, and what evidence is worth on people's own
    /// photos (slope and constant, from log odds of evidence to log odds of being right).
    Softmax {
        /// Divides the scores before the softmax.
        temperature: f32,
        /// Of a class.
        classes: [f32; 2],
        /// Of a kind of classes.
        kinds: [f32; 2],
        /// Of an everyday word.
        concepts: [f32; 2],
    },
    /// `sigmoid(scale · cosine + bias)`.
    Sigmoid {
        /// Multiplies the cosine.
        scale: f64,
        /// Added to it.
        bias: f64,
    },
    /// Detectors: a logistic function of a box's score and size.
    SizedLogistic {
        /// The share of the picture from which size takes nothing from the evidence for people.
        area: f32,
        /// What a smaller one takes, for each e-fold.
        per_area: f32,
        /// Slope and constant.
        alone: [f32; 2],
        /// Slope of the box's evidence, of the classifier's log odds, and constant.
        with_classifier: [f32; 3],
        /// `area` and `per_area` there.
        with_classifier_size: [f32; 2],
    },
    /// Detectors: a box counts from here on.
    Threshold {
        /// Least score.
        shown: f32,
    },
    /// Face encoders: two faces are the same person's up to this distance.
    Distance {
        /// Of two faces' vectors, or of one from the mean of a person's.
        same: f32,
    },
    /// The cosine itself, with named numbers for whoever judges it.
    Cosine {
        /// The numbers by name.
        #[serde(flatten)]
        values: BTreeMap<String, f64>,
    },
}

/// Whether it is one that this kind of pack can have, and its values make sense.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    let Some(calibration) = &m.calibration else {
        return if m.kind == Kind::FaceEncoder {
            Err(m.wrong("calibration", "is missing (a face encoder needs it)"))
        } else {
            Ok(())
        };
    };
    if let Some(reason) = misplaced(calibration, m.kind) {
        return Err(m.wrong("calibration.kind", reason));
    }
    let are_numbers = match calibration {
        Calibration::Distance { same } => {
            above_0(m, "calibration.same", *same)?;
            same.is_finite()
        }
        Calibration::SizedLogistic {
            area,
            per_area,
            alone,
            with_classifier,
            with_classifier_size: [classified_area, classified_per_area],
        } => {
            share(m, "calibration.area", *area)?;
            share(m, "calibration.with_classifier_size", *classified_area)?;
            let numbers = alone.iter().chain(with_classifier);
            let numbers = numbers.chain([per_area, classified_per_area]);
            numbers.into_iter().all(|v| v.is_finite())
        }
        Calibration::Threshold { shown } => {
            share(m, "calibration.shown", *shown)?;
            true
        }
        Calibration::Softmax {
            temperature,
            classes,
            kinds,
            concepts,
        } => {
            above_0(m, "calibration.temperature", *temperature)?;
            let mut all = [classes, kinds, concepts].into_iter().flatten();
            temperature.is_finite() && all.all(|v| v.is_finite())
        }
        Calibration::Sigmoid { scale, bias } => {
            above_0(m, "calibration.scale", *scale)?;
            scale.is_finite() && bias.is_finite()
        }
        Calibration::Cosine { values } => values.values().all(|v| v.is_finite()),
    };
    if are_numbers {
        Ok(())
    } else {
        Err(m.wrong("calibration", "has a value that is not a number"))
    }
}

/// Why a kind of pack cannot have this.
fn misplaced(calibration: &Calibration, kind: Kind) -> Option<&'static str> {
    use Calibration::{Cosine, Distance, Sigmoid, SizedLogistic, Softmax, Threshold};
    match (calibration, kind) {
        (SizedLogistic { .. } | Threshold { .. }, Kind::Detector)
        | (Distance { .. }, Kind::FaceEncoder) => None,
        (SizedLogistic { .. } | Threshold { .. }, _) => Some("is one that only a detector has"),
        (_, Kind::FaceEncoder) => Some("is not distance, as a face encoder's is"),
        (Distance { .. }, _) => Some("is one that only a face encoder has"),
        (_, Kind::Detector) => Some("is not sized-logistic or threshold, as a detector's is"),
        (Softmax { .. }, Kind::DualEncoder) => {
            Some("is softmax, which a dual encoder cannot have (sigmoid or cosine)")
        }
        (Sigmoid { .. } | Cosine { .. }, Kind::Classifier) => {
            Some("is not softmax, as a classifier's is")
        }
        (Softmax { .. } | Sigmoid { .. } | Cosine { .. }, _) => None,
    }
}

fn above_0<T>(m: &Manifest, key: &str, found: T) -> Result<(), ModelError>
where
    T: PartialOrd + Default + std::fmt::Display,
{
    if found <= T::default() {
        return Err(m.wrong(key, &format!("is {found}, not above 0")));
    }
    Ok(())
}
