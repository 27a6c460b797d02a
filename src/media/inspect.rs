//! The order of things, and the fence that keeps a decoder's panic inside.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::{FilterType, Resizer};
use image_hasher::Hasher;

use super::decode::{Decoded, decode};
use super::error::{InspectError, Refusal};
use super::exif::{self, Metadata};
use super::exif_block::is_bounded;
use super::facts::facts;
use super::iptc::iptc_block;
use super::jpeg::Need;
use super::limits::Limits;
use super::orientation::Orientation;
use super::picture::Picture;
use super::said_by::said_by_file;
use super::sniff::sniff;
use super::{heif, looks, perceptual_hash, png_words, psd, raw, tensor, thumbnail, xmp};
use crate::embedding::{Fit, InputSpec, ModelInput};
use crate::looks::{Looks, Signs};
use crate::photo::{Exif, Format, Inspection, PerceptualHash, Pixels};
use crate::said::Said;

/// How many times larger than the model's input the part it sees must be after a scaled decode.
/// Measured with the embedded model on photos of 8 to 16 megapixels: from 1.25 on, the vectors of a
/// scaled and of a full decode agree to a cosine above 0.993 (0.997 at twice the scale, 0.86 at a
/// margin of 0.6), and a 12-megapixel photo is decoded at 1/8.
const TENSOR_MARGIN: f64 = 1.25;

/// A format that takes a second to decode shows its small picture first if the large one has more
/// pixels than this: a twelfth of a second of work and more.
const LONG_WORK: u64 = 1_000_000;
/// The small picture's shorter side, to be good enough for now: the models see 224 pixels.
const GOOD_FOR_NOW: u32 = 224;

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

/// Embedded pictures of a raw file that are tried.
const PREVIEWS: usize = 4;

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

    /// The facts, and as much of the picture as can be had.
    ///
    /// # Errors
    ///
    /// Nothing at all is known of it, or the machine has no memory for it now.
    fn open(
        &self,
        bytes: &[u8],
        format: Format,
        need: Need,
        look: Extent,
    ) -> Result<Opened, InspectError> {
        let facts = fenced(format, || Ok(facts(bytes, format, &self.limits)))?;
        let block = facts.exif.as_deref().filter(|block| is_bounded(block));
        let mut metadata = exif::read(block);
        let by_exif = std::mem::take(&mut metadata.said);
        // What cannot be read in one of the standards is known from the others, or not at all.
        let said = fenced(format, || {
            let iptc = iptc_block(bytes, format, &self.limits);
            let mut said = said_by_file(by_exif, facts.xmp.as_deref(), iptc.as_deref());
            if format == Format::Png {
                said.dates.extend(png_words::dates(bytes));
            }
            Ok(said.tidied())
        });
        let said = said.unwrap_or_default();
        complete(&mut metadata.exif, &said);
        let signs = fenced(format, || {
            let exif = (&metadata.exif, metadata.signed);
            Ok(looks::signs(bytes, format, exif, facts.xmp.as_deref()))
        });
        let signs = signs.unwrap_or_default();
        if facts.is_upright {
            metadata.orientation = Orientation::UPRIGHT;
        } else if let Some(turn) = said.orientation
            && !metadata.has_orientation
            && is_turned_by_xmp(format)
            && xmp::is_about_these_pixels(bytes, format)
        {
            metadata.orientation = Orientation::from_exif(u32::from(turn));
        }
        metadata.said = said;
        if look == Extent::Facts {
            let unseen = InspectError::unsupported(format, "its picture, which was not asked for");
            return Ok(Opened {
                metadata,
                signs,
                width: facts.width,
                height: facts.height,
                pixels: Pixels::None(unseen.trouble()),
                picture: None,
            });
        }
        if format == Format::Raw {
            return self.open_raw(bytes, need, (facts.width, facts.height), (metadata, signs));
        }
        let in_exif = metadata.thumbnail.clone().zip(block);
        let in_exif = in_exif.and_then(|(range, block)| block.get(range));
        if look == Extent::Quick && takes_long(format, facts.width, facts.height) {
            let small = self.small(bytes, format, in_exif, need);
            let small = small.filter(|p| p.width.min(p.height) >= GOOD_FOR_NOW);
            if let Some(small) = small {
                return Ok(Opened {
                    metadata,
                    signs,
                    width: facts.width,
                    height: facts.height,
                    pixels: Pixels::Preview,
                    picture: Some(small),
                });
            }
        }
        // What is known of a photo outlives its decoder's panic.
        let decoded = if look == Extent::Small {
            Err(InspectError::corrupt(format, "its picture is not decoded"))
        } else {
            fenced(format, || decode(bytes, format, need, &self.limits))
        };
        let error = match decoded {
            Ok(decoded) => {
                let damage = decoded.damage.map(|e| e.trouble());
                return Ok(Opened {
                    metadata,
                    signs,
                    width: decoded.width,
                    height: decoded.height,
                    pixels: damage.map_or(Pixels::Whole, Pixels::Damaged),
                    picture: Some(decoded.picture),
                });
            }
            Err(e) if e.is_passing() => return Err(e),
            Err(e) => e,
        };
        let small = self.small(bytes, format, in_exif, need);
        if facts.width == 0 && small.is_none() && metadata.exif == Exif::default() {
            return Err(error);
        }
        let trouble = error.trouble();
        Ok(Opened {
            metadata,
            signs,
            width: facts.width,
            height: facts.height,
            pixels: match small {
                Some(_) => Pixels::Thumbnail(trouble),
                None => Pixels::None(trouble),
            },
            picture: small,
        })
    }

    /// A camera's raw file is seen by the largest sound picture in it.
    fn open_raw(
        &self,
        bytes: &[u8],
        need: Need,
        (width, height): (u32, u32),
        (metadata, signs): (Metadata, Signs),
    ) -> Result<Opened, InspectError> {
        let format = Format::Raw;
        let previews = fenced(format, || Ok(raw::previews(bytes)))?;
        let seen = previews
            .iter()
            .take(PREVIEWS)
            .find_map(|preview| self.embedded(&preview.jpeg(bytes), need));
        let none = InspectError::unsupported(
            format,
            "a camera's unprocessed sensor data, and there is no large preview in the file",
        );
        let Some(seen) = seen else {
            if width == 0 && metadata.exif == Exif::default() {
                return Err(none);
            }
            return Ok(Opened {
                metadata,
                signs,
                width,
                height,
                pixels: Pixels::None(none.trouble()),
                picture: None,
            });
        };
        let is_large = seen.width.max(seen.height) >= raw::MIN_LONG_SIDE;
        Ok(Opened {
            metadata,
            signs,
            width: if width == 0 { seen.width } else { width },
            height: if height == 0 { seen.height } else { height },
            pixels: if is_large {
                Pixels::Whole
            } else {
                Pixels::Thumbnail(none.trouble())
            },
            picture: Some(seen.picture),
        })
    }

    /// The small picture beside the large one, in the large one's orientation.
    fn small(
        &self,
        bytes: &[u8],
        format: Format,
        in_exif: Option<&[u8]>,
        need: Need,
    ) -> Option<Picture> {
        let limits = &self.limits;
        let own = match format {
            Format::Heic | Format::Avif => {
                match fenced(format, || Ok(heif::thumbnail(bytes, limits)))
                    .ok()
                    .flatten()
                {
                    Some(heif::Thumbnail::Pixels(picture)) => Some(picture),
                    Some(heif::Thumbnail::Jpeg { bytes, orientation }) => {
                        let turn = Orientation::from_exif(u32::from(orientation));
                        let decoded = self.embedded(&bytes, need);
                        decoded.map(|decoded| turn.upright(decoded.picture))
                    }
                    None => None,
                }
            }
            Format::Psd => {
                let range = fenced(format, || Ok(psd::thumbnail(bytes))).ok().flatten();
                let jpeg = range.and_then(|range| bytes.get(range));
                jpeg.and_then(|jpeg| self.embedded(jpeg, need))
                    .map(|d| d.picture)
            }
            _ => None,
        };
        own.or_else(|| Some(self.embedded(in_exif?, need)?.picture))
    }

    /// A picture that a camera puts beside the large one.
    fn embedded(&self, jpeg: &[u8], need: Need) -> Option<Decoded> {
        let decoded = fenced(Format::Jpeg, || {
            decode(jpeg, Format::Jpeg, need, &self.limits)
        });
        decoded.ok().filter(|decoded| decoded.damage.is_none())
    }
}

/// Whether the whole picture is the work of a second rather than of some milliseconds.
fn takes_long(format: Format, width: u32, height: u32) -> bool {
    matches!(format, Format::Heic | Format::Avif)
        && u64::from(width) * u64::from(height) > LONG_WORK
}

/// When and where, by the most trustworthy of all that the file says of it.
fn complete(exif: &mut Exif, said: &Said) {
    exif.captured_at = said.captured_at();
    if exif.lat.is_none()
        && let Some(place) = &said.position
    {
        (exif.lat, exif.lon) = (Some(place.lat), Some(place.lon));
        exif.altitude_m = exif.altitude_m.or(place.altitude_m);
    }
}

/// Formats whose programs turn a picture by XMP where EXIF says nothing of it.
fn is_turned_by_xmp(format: Format) -> bool {
    matches!(
        format,
        Format::Jpeg | Format::Png | Format::Webp | Format::Tiff
    )
}

/// What one look at a file gives.
struct Opened {
    metadata: Metadata,
    signs: Signs,
    /// As stored, before orientation; 0: not known.
    width: u32,
    height: u32,
    pixels: Pixels,
    picture: Option<Picture>,
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
