//! The order of things, and the fence that keeps a decoder's panic inside.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::{FilterType, Resizer};
use image_hasher::Hasher;

use super::decode::{Decoded, decode, no_decoder};
use super::error::InspectError;
use super::exif::{self, Metadata};
use super::exif_block::exif_block;
use super::jpeg::Need;
use super::limits::Limits;
use super::sniff::sniff;
use super::{perceptual_hash, tensor, thumbnail};
use crate::embedding::{Fit, InputSpec, Tensor};
use crate::photo::{Format, Inspection};

/// How many times larger than the model's input the part it sees must be after a scaled decode.
/// Measured with the embedded model on photos of 8 to 16 megapixels: from 1.25 on, the vectors of a
/// scaled and of a full decode agree to a cosine above 0.993 (0.997 at twice the scale, 0.86 at a
/// margin of 0.6), and a 12-megapixel photo is decoded at 1/8.
const TENSOR_MARGIN: f64 = 1.25;

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
        let format = recognise(bytes, extension)?;
        fenced(format, || {
            let need = need(inputs, true);
            let (decoded, metadata) = self.open(bytes, format, need)?;
            let mut resizer = Resizer::new();
            let words = |e: &dyn std::fmt::Display| InspectError::corrupt(format, e);
            let tensors = inputs
                .iter()
                .map(|spec| {
                    tensor::tensor(&decoded.picture, metadata.orientation, spec, &mut resizer)
                })
                .collect::<Result<_, _>>()
                .map_err(|e| words(&e))?;
            let small = decoded
                .picture
                .reduced(perceptual_hash::SIDE, FilterType::Bilinear, &mut resizer)
                .map_err(|e| words(&e))?;
            drop(decoded.picture);
            let thumbnail = thumbnail::thumbnail(&small, metadata.orientation, &mut resizer)
                .map_err(|e| words(&e))?;
            let hash = perceptual_hash::hash(&self.hasher, small, metadata.orientation);
            let (width, height) = metadata
                .orientation
                .displayed(decoded.width, decoded.height);
            Ok(Inspection {
                format,
                width,
                height,
                orientation: metadata.orientation.value(),
                exif: metadata.exif,
                perceptual_hash: hash,
                thumbnail,
                tensors,
            })
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
    ) -> Result<Vec<Tensor>, InspectError> {
        let format = recognise(bytes, extension)?;
        fenced(format, || {
            let (decoded, metadata) = self.open(bytes, format, need(inputs, false))?;
            let mut resizer = Resizer::new();
            inputs
                .iter()
                .map(|spec| {
                    tensor::tensor(&decoded.picture, metadata.orientation, spec, &mut resizer)
                })
                .collect::<Result<_, _>>()
                .map_err(|e| InspectError::corrupt(format, e))
        })
    }

    fn open(
        &self,
        bytes: &[u8],
        format: Format,
        need: Need,
    ) -> Result<(Decoded, Metadata), InspectError> {
        let metadata = exif::read(exif_block(bytes, format, &self.limits));
        if format == Format::Tiff && metadata.raw {
            return Err(no_decoder(Format::Raw));
        }
        Ok((decode(bytes, format, need, &self.limits)?, metadata))
    }
}

/// What a scaled decode must keep for the models and, with `all`, for hash and thumbnail.
fn need(inputs: &[InputSpec], all: bool) -> Need {
    let short = inputs
        .iter()
        .map(|spec| {
            let fraction = match spec.fit {
                Fit::CenterCrop(fraction) => f64::from(fraction),
                Fit::Squash => 1.0,
            };
            f64::from(spec.size) * TENSOR_MARGIN / fraction
        })
        .fold(0.0, f64::max);
    let long = if all { f64::from(thumbnail::SIDE) } else { 0.0 };
    Need { short, long }
}

fn recognise(bytes: &[u8], extension: Option<&str>) -> Result<Format, InspectError> {
    if bytes.is_empty() {
        return Err(InspectError::Empty);
    }
    sniff(bytes, extension).ok_or(InspectError::NotAnImage)
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
