//! What every format's reader hands back.

use std::borrow::Cow;

use super::bytes::{Span, slice};
use super::jpeg::Header;
use super::size::Size;

/// One file, read.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) size: Option<Size>,
    /// EXIF orientation, 1 to 8; 0: not known.
    pub(super) orientation: u32,
    pub(super) exif: Option<Cow<'a, [u8]>>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    /// What may be JPEG previews, by the file's structure.
    pub(super) candidates: Vec<Span>,
}

/// The EXIF of a preview, if it is of at most `max` bytes.
pub(super) fn embedded_exif<'a>(bytes: &'a [u8], header: &Header, max: usize) -> Option<&'a [u8]> {
    bounded(bytes, header.exif?, max)
}

/// The XMP packet of a preview, if it is of at most `max` bytes.
pub(super) fn embedded_xmp<'a>(bytes: &'a [u8], header: &Header, max: usize) -> Option<&'a [u8]> {
    bounded(bytes, header.xmp?, max)
}

fn bounded(bytes: &[u8], span: Span, max: usize) -> Option<&[u8]> {
    slice(bytes, span.start, span.len).filter(|s| !s.is_empty() && s.len() <= max)
}
