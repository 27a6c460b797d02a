//! What a file says of its picture before anything is decoded, whatever its container.

use std::borrow::Cow;

use super::decode::stored_size;
use super::exif_block::exif_block;
use super::limits::Limits;
use super::raw;
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

/// Reads them; costs microseconds.
pub(super) fn facts<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Facts<'a> {
    if format == Format::Raw {
        return raw::facts(bytes, limits);
    }
    let (width, height) = stored_size(bytes, format).unwrap_or_default();
    Facts {
        width,
        height,
        exif: exif_block(bytes, format, limits).map(Cow::Borrowed),
        ..Facts::default()
    }
}
