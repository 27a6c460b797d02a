//! What a file says of its picture before anything is decoded, whatever its container.

use std::borrow::Cow;

use super::decode::stored_size;
use super::error::InspectError;
use super::exif_block::exif_block;
use super::limits::Limits;
use super::xmp::xmp_block;
use super::{heif, jp2, jxl, psd, raw, tiff};
use crate::photo::Format;

/// See the module. Sizes in pixels, 0: not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts<'a> {
    /// Of the picture people would see before any EXIF orientation is applied, with the container's
    /// own turns and crops.
    pub(super) width: u32,
    pub(super) height: u32,
    /// The container says itself how the picture is turned, and the decoder turns it: EXIF
    /// orientation does not count.
    pub(super) is_upright: bool,
    /// The TIFF structure with EXIF, without any prefix.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// The XMP packet.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
}

/// Why a decoder gives no pixels. Becomes a sentence for people with the format's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoPixels {
    /// The data end before the picture does.
    Truncated,
    /// A variant that there is no decoder for, as a noun.
    Unsupported(String),
    /// It breaks the rules of its format: how, in plain words.
    Corrupt(String),
    /// More than the limits allow: which limit, in plain words.
    TooLarge(String),
    /// The system has no memory for it now.
    NoMemory,
}

impl NoPixels {
    /// The error about a file of this format, whose header claims this size.
    pub(super) fn of(self, format: Format, (width, height): (u32, u32)) -> InspectError {
        match self {
            Self::Truncated => InspectError::Truncated { format },
            Self::Unsupported(what) => InspectError::unsupported(format, what),
            Self::Corrupt(how) => InspectError::corrupt(format, how),
            Self::TooLarge(limit) => InspectError::TooLarge {
                format,
                width,
                height,
                limit,
            },
            Self::NoMemory => InspectError::NoMemory { format },
        }
    }
}

/// Reads them; costs microseconds. Of a container that cannot be read nothing is known.
pub(super) fn facts<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Facts<'a> {
    let mut facts = read(bytes, format, limits);
    // A picture with one side only is none.
    if facts.width == 0 || facts.height == 0 {
        (facts.width, facts.height) = (0, 0);
    }
    facts
}

fn read<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Facts<'a> {
    let read = match format {
        Format::Raw => return raw::facts(bytes, limits),
        Format::Heic | Format::Avif => heif::facts(bytes, limits),
        Format::Jxl => jxl::facts(bytes, limits),
        Format::Jp2 => jp2::facts(bytes, limits),
        Format::Psd => psd::facts(bytes, limits),
        Format::Tiff => tiff::facts(bytes, limits),
        _ => return plain(bytes, format, limits),
    };
    read.unwrap_or_default()
}

fn plain<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Facts<'a> {
    let (width, height) = stored_size(bytes, format).unwrap_or_default();
    Facts {
        width,
        height,
        is_upright: false,
        exif: exif_block(bytes, format, limits).map(Cow::Borrowed),
        xmp: xmp_block(bytes, format, limits),
    }
}
