//! The order of things, and the fence that keeps a decoder's panic inside. `open` says what of a file is to be
//! had.

mod open;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::{FilterType, Resizer};
use image_hasher::Hasher;

use super::error::{InspectError, Refusal};
use super::jpeg::Need;
use super::limits::Limits;
use super::sniff::sniff;
use super::{looks, perceptual_hash, raw, tensor, thumbnail};
use crate::embedding::{Fit, InputSpec, ModelInput};
use crate::looks::Looks;
use crate::photo::{Format, Inspection, PerceptualHash};

/// How many times larger than the model's input the part it sees must be after a scaled decode.
/// Measured with the embedded model on photos of 8 to 16 megapixels: from 1.25 on, the vectors of a
/// scaled and of a full decode agree to a cosine above 0.993 (0.997 at twice the scale, 0.86 at a
/// margin of 0.6), and a 12-megapixel photo is decoded at 1/8.
const TENSOR_MARGIN: f64 = 1.25;

/// How much of a picture is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Extent {
    /// Where decoding takes long, the small picture beside the large one for now
    /// ([`Pixels::Preview`]). Of 1,000 labelled photos the right word was among the tags of 968 by
    /// pictures of 320 pixels, of 976 by whole ones: good enough to be found by, not for good.
    Quick,
    /// All that can be had.
    Whole,
    /// No more than the small picture: the large one has ended a decoder.
    Small,
    /// None of it: only what the file says.
    Facts,
}

/// Whoever looks at pictures: an [`Inspector`] in this process, or one in another.
pub trait Inspects: Send + Sync {
    /// See [`Inspector::look`].
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    fn look(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
        look: Extent,
    ) -> Result<Inspection, Refusal>;

    /// See [`Inspector::tensors`].
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    fn tensors(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
    ) -> Result<Vec<ModelInput>, Refusal>;

    /// What of the walls around decoding is lacking on this machine, in plain words; empty: nothing, or
    /// not known yet.
    fn lacks(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

impl Inspects for Inspector {
    fn look(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
        look: Extent,
    ) -> Result<Inspection, Refusal> {
        Ok(Self::look(self, bytes, extension, inputs, look)?)
    }

    fn tensors(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
    ) -> Result<Vec<ModelInput>, Refusal> {
        Ok(Self::tensors(self, bytes, extension, inputs)?)
    }
}

/// Looks at pictures. Built once and shared: every method takes `&self`, nothing in it changes.
pub struct Inspector {
    limits: Limits,
    hasher: Hasher<Vec<u8>>,
}

impl Inspector {
    /// An inspector that keeps to `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: perceptual_hash::hasher(),
        }
    }

    /// Everything about one picture. `extension` is the file's in lower case, consulted only where
    /// the bytes have no signature of their own. `inputs` is what the models in use want: one
    /// decode serves them all.
    ///
    /// # Errors
    ///
    /// [`InspectError`], about these bytes alone and the same on every try.
    pub fn inspect(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
    ) -> Result<Inspection, InspectError> {
        self.look(bytes, extension, inputs, Extent::Whole)
    }

    /// The same with less of the picture, if that will do.
    ///
    /// # Errors
    ///
    /// As [`Inspector::inspect`].
    pub fn look(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
        look: Extent,
    ) -> Result<Inspection, InspectError> {
        let format = self.recognise(bytes, extension)?;
        fenced(format, || {
            let need = need(inputs, true);
            let opened = self.open(bytes, format, need, look)?;
            let orientation = opened.metadata.orientation;
            let (width, height) = orientation.displayed(opened.width, opened.height);
            let mut seen = Inspection {
                format,
                width,
                height,
                orientation: orientation.value(),
                exif: opened.metadata.exif,
                said: opened.metadata.said,
                pixels: opened.pixels,
                perceptual_hash: PerceptualHash(Vec::new()),
                thumbnail: None,
                tensors: Vec::new(),
                looks: Looks {
                    width,
                    height,
                    signs: opened.signs,
                    pixels: None,
                },
            };
            let Some(picture) = opened.picture else {
                return Ok(seen);
            };
            let mut resizer = Resizer::new();
            let words = |e: &dyn std::fmt::Display| InspectError::corrupt(format, e);
            seen.tensors = inputs
                .iter()
                .map(|spec| tensor::tensor(&picture, orientation, spec, &mut resizer))
                .collect::<Result<_, _>>()
                .map_err(|e| words(&e))?;
            let small = picture
                .reduced(perceptual_hash::SIDE, FilterType::Bilinear, &mut resizer)
                .map_err(|e| words(&e))?;
            drop(picture);
            let tiny = small.reduced(looks::SIDE, FilterType::Bilinear, &mut resizer);
            let tiny = orientation.upright(tiny.map_err(|e| words(&e))?);
            seen.looks.pixels = Some(looks::pixels(&tiny));
            let thumbnail = thumbnail::thumbnail(&small, orientation, &mut resizer);
            seen.thumbnail = Some(thumbnail.map_err(|e| words(&e))?);
            seen.perceptual_hash = perceptual_hash::hash(&self.hasher, small, orientation);
            Ok(seen)
        })
    }

    /// Only the model inputs, for a picture inspected before that other models should see.
    ///
    /// # Errors
    ///
    /// As [`Inspector::inspect`].
    pub fn tensors(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
    ) -> Result<Vec<ModelInput>, InspectError> {
        let format = self.recognise(bytes, extension)?;
        fenced(format, || {
            let opened = self.open(bytes, format, need(inputs, false), Extent::Whole)?;
            let Some(picture) = opened.picture else {
                return Err(InspectError::unsupported(format, "its picture"));
            };
            let mut resizer = Resizer::new();
            inputs
                .iter()
                .map(|spec| {
                    tensor::tensor(&picture, opened.metadata.orientation, spec, &mut resizer)
                })
                .collect::<Result<_, _>>()
                .map_err(|e| InspectError::corrupt(format, e))
        })
    }

    /// What the bytes are. A camera's raw file in TIFF's clothes is told by what is in it.
    fn recognise(&self, bytes: &[u8], extension: Option<&str>) -> Result<Format, InspectError> {
        if bytes.is_empty() {
            return Err(InspectError::Empty);
        }
        let format = sniff(bytes, extension).ok_or(InspectError::NotAnImage)?;
        let is_raw = || fenced(format, || Ok(raw::is_raw(bytes))).unwrap_or(false);
        Ok(match format {
            Format::Tiff if is_raw() => Format::Raw,
            other => other,
        })
    }
}

/// What a scaled decode must keep for the models and, with `all`, for hash and thumbnail.
fn need(inputs: &[InputSpec], all: bool) -> Need {
    let short = inputs.iter().filter_map(|spec| {
        let fraction = match spec.fit {
            Fit::CenterCrop(fraction) => f64::from(fraction),
            Fit::Squash => 1.0,
            Fit::Letterbox(_) | Fit::Within(_) => return None,
        };
        Some(f64::from(spec.size) * TENSOR_MARGIN / fraction)
    });
    let short = short.fold(0.0, f64::max);
    // Boxes need no margin, which would have 12 megapixels decoded at twice the scale.
    let letterboxes = inputs.iter().filter_map(|spec| match spec.fit {
        Fit::Letterbox(_) | Fit::Within(_) => Some(f64::from(spec.size)),
        Fit::CenterCrop(_) | Fit::Squash => None,
    });
    let least = if all { f64::from(thumbnail::SIDE) } else { 0.0 };
    let long = letterboxes.fold(least, f64::max);
    Need { short, long }
}

/// Runs `work` so that a panic in it becomes an error about this picture. Nothing `work` touches
/// outlives it, so nothing can be seen half-changed.
fn fenced<T>(
    format: Format,
    work: impl FnOnce() -> Result<T, InspectError>,
) -> Result<T, InspectError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(InspectError::panicked(format, payload.as_ref())))
}
