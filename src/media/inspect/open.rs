//! What is to be had of a file: the facts, what it says of itself, and the best picture, which may be a small
//! one beside the large one.
//!
//! What is known of a photo outlives trouble with its picture: an error is all there is only where nothing at
//! all is known, or the machine has no memory for it now.

use super::{Extent, Inspector, fenced};
use crate::looks::Signs;
use crate::media::decode::{Decoded, decode};
use crate::media::error::InspectError;
use crate::media::exif::{self, Metadata};
use crate::media::exif_block::is_bounded;
use crate::media::facts::facts;
use crate::media::iptc::iptc_block;
use crate::media::jpeg::Need;
use crate::media::orientation::Orientation;
use crate::media::picture::Picture;
use crate::media::said_by::said_by_file;
use crate::media::{heif, looks, png_words, psd, raw, xmp};
use crate::photo::{Exif, Format, Pixels};
use crate::said::Said;

/// A format that takes a second to decode shows its small picture first if the large one has more
/// pixels than this: a twelfth of a second of work and more.
const LONG_WORK: u64 = 1_000_000;
/// The small picture's shorter side, to be good enough for now: the models see 224 pixels.
const GOOD_FOR_NOW: u32 = 224;

/// Embedded pictures of a raw file that are tried.
const PREVIEWS: usize = 4;

/// What one look at a file gives.
pub(super) struct Opened {
    pub metadata: Metadata,
    pub signs: Signs,
    /// As stored, before orientation; 0: not known.
    pub width: u32,
    pub height: u32,
    pub pixels: Pixels,
    pub picture: Option<Picture>,
}

impl Inspector {
    /// The facts, and as much of the picture as can be had.
    ///
    /// # Errors
    ///
    /// Nothing at all is known of it, or the machine has no memory for it now.
    pub(super) fn open(
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
