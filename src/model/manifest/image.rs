//! `[image]` and `[derived]`: how a pack comes to a picture's vector or boxes.

use serde::{Deserialize, Serialize};

use super::rules::{MULTIPLES, SIDES, identity, listed, named, scaling, within};
use super::{Kind, Manifest};
use crate::embedding::{Fit, InputSpec};
use crate::model::error::ModelError;

/// Pictures in one run.
const BATCHES: std::ops::RangeInclusive<usize> = 1..=256;

/// `[image]`: a graph that takes pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The graph's file.
    pub file: String,
    /// Name of its input, `[N, 3, size, size]`, float32 or float16.
    pub tensor: String,
    /// Name of its output, `[N, dims]`, float32 or float16. A detector has `scores` and `boxes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Detectors: name of the output `[N, classes, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<String>,
    /// Detectors: name of the output `[N, 4, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<String>,
    /// Detectors of faces: name of the output `[N, 10, places]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<String>,
    /// Width and height of its pictures in pixels; of a detector the longer side.
    pub size: u32,
    /// With `letterbox` only: what the sides of the tensor are multiples of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple: Option<u32>,
    /// What of a picture is taken.
    pub fit: FitName,
    /// Fraction of the shorter side, with `center-crop` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<f32>,
    /// Subtracted from each 0…255 value (R, G, B); in a detector's graph itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f32; 3]>,
    /// Divides the difference (R, G, B); in a detector's graph itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f32; 3]>,
    /// Most pictures in one run; 1 where a picture's vector would depend on its neighbours.
    #[serde(default = "default_batch")]
    pub batch: usize,
}

/// Beyond eight pictures a run gains next to nothing on a CPU and costs memory.
const fn default_batch() -> usize {
    8
}

/// How a picture is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitName {
    /// The centred square of `crop` of the shorter side.
    CenterCrop,
    /// The whole picture, squashed.
    Squash,
    /// The whole picture in its own shape.
    Letterbox,
}

impl ImageTable {
    /// How it wants its pictures. `crop` was checked against `fit`.
    pub fn spec(&self) -> InputSpec {
        InputSpec {
            size: self.size,
            fit: match self.fit {
                FitName::CenterCrop => Fit::CenterCrop(self.crop.unwrap_or(1.0)),
                FitName::Squash => Fit::Squash,
                FitName::Letterbox => Fit::Letterbox(self.multiple.unwrap_or(1)),
            },
            mean: self.mean.unwrap_or([0.0; 3]),
            std: self.std.unwrap_or([1.0; 3]),
        }
    }
}

/// `[derived]`: an image side without a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedTable {
    /// The classifier, `name@revision`.
    pub from: String,
    /// File with its classes' vectors, see [`crate::model::projection`].
    pub class_vectors: String,
    /// How many of the likeliest classes count.
    pub top: usize,
}

/// Whether `[image]` suits the kind of pack.
pub(super) fn picture(m: &Manifest, image: &ImageTable) -> Result<(), ModelError> {
    listed(m, "image.file", &image.file)?;
    named(m, "image.tensor", &image.tensor)?;
    let outputs = [
        ("image.output", &image.output, m.kind != Kind::Detector),
        ("image.scores", &image.scores, m.kind == Kind::Detector),
        ("image.boxes", &image.boxes, m.kind == Kind::Detector),
    ];
    for (key, output, wanted) in outputs {
        match output {
            Some(name) if wanted => named(m, key, name)?,
            None if !wanted => {}
            Some(_) => return Err(m.wrong(key, &format!("is there, but a {} has none", m.kind))),
            None => return Err(m.wrong(key, &format!("is missing (a {} needs it)", m.kind))),
        }
    }
    within(m, "image.size", image.size, &SIDES)?;
    match (image.fit, image.crop) {
        (FitName::CenterCrop, Some(crop)) if crop > 0.0 && crop <= 1.0 => {}
        (FitName::CenterCrop, crop) => {
            let found = crop.map_or("missing".to_owned(), |c| c.to_string());
            return Err(m.wrong(
                "image.crop",
                &format!("is {found}; center-crop wants more than 0, at most 1"),
            ));
        }
        (FitName::Squash | FitName::Letterbox, None) => {}
        (FitName::Squash | FitName::Letterbox, Some(_)) => {
            return Err(m.wrong(
                "image.crop",
                "is there, but squash and letterbox take the whole picture",
            ));
        }
    }
    if (image.fit == FitName::Letterbox) != (m.kind == Kind::Detector) {
        let reason = format!("is not what a {} takes", m.kind);
        return Err(m.wrong("image.fit", &reason));
    }
    match (image.fit, image.multiple) {
        (FitName::Letterbox, Some(multiple)) if MULTIPLES.contains(&multiple) => {}
        (FitName::Letterbox, found) => {
            let found = found.map_or("missing".to_owned(), |m| m.to_string());
            let (least, most) = (MULTIPLES.start(), MULTIPLES.end());
            let reason = format!("is {found}; letterbox wants {least} to {most}");
            return Err(m.wrong("image.multiple", &reason));
        }
        (_, None) => {}
        (_, Some(_)) => {
            return Err(m.wrong("image.multiple", "is there, but only letterbox has one"));
        }
    }
    for (key, values) in [("image.mean", image.mean), ("image.std", image.std)] {
        if values.is_some() == (m.kind == Kind::Detector) {
            let reason = if values.is_some() {
                "is there, but a detector's graph does that itself"
            } else {
                "is missing"
            };
            return Err(m.wrong(key, reason));
        }
    }
    if let (Some(mean), Some(std)) = (&image.mean, &image.std) {
        scaling(m, "image", mean, std)?;
    }
    within(m, "image.batch", image.batch, &BATCHES)
}

pub(super) fn probabilities(m: &Manifest, derived: &DerivedTable) -> Result<(), ModelError> {
    listed(m, "derived.class_vectors", &derived.class_vectors)?;
    identity(m, "derived.from", &derived.from)?;
    if derived.top == 0 {
        return Err(m.wrong("derived.top", "is 0"));
    }
    Ok(())
}
