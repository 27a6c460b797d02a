//! What the fuzzer reaches of this room: what is read of a file before its pixels.

use super::exif::{self, Metadata};
use super::exif_block::is_bounded;
use super::facts::facts;
use super::limits::Limits;
use super::{iptc, png_words, raw, xmp};
use crate::photo::{Exif, Format};
use crate::said::Said;

/// An EXIF block, with the care that is taken of every one.
pub fn exif(block: &[u8]) -> (Exif, Said) {
    let block = Some(block).filter(|block| is_bounded(block));
    let Metadata { exif, said, .. } = exif::read(block);
    (exif, said.tidied())
}

/// What XMP, IPTC and a PNG's texts say, each of the same bytes.
pub fn words(bytes: &[u8]) -> [Said; 3] {
    let png = Said {
        dates: png_words::dates(bytes),
        ..Said::default()
    };
    [xmp::read(bytes), iptc::read(bytes), png].map(Said::tidied)
}

/// Size and length of the EXIF block, by the container's own reader; a raw file's previews are
/// looked for too.
pub fn container(bytes: &[u8], format: Format) -> (u32, u32, usize) {
    let limits = Limits::default();
    let found = facts(bytes, format, &limits);
    if format == Format::Raw {
        for preview in raw::previews(bytes) {
            let _ = preview.jpeg(bytes);
        }
    }
    let exif = found.exif.as_ref().map_or(0, |block| block.len());
    (found.width, found.height, exif)
}
