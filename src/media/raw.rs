//! Camera raw files: how large the photo is, its EXIF and XMP, and the JPEGs embedded in it.
//!
//! **Promises.** [`facts`] and [`previews`] are pure functions of the bytes: no panic, no loop and no
//! allocation that a field of the file could drive without a bound, on files that lie or are cut off
//! anywhere. Memory beyond the bytes is below a megabyte. What is not known is 0 or `None`.
//!
//! **Never.** The sensor's data is not decoded; previews are not decoded either, only checked by
//! their markers (baseline, extended or progressive, 8 bits a sample).
//!
//! **Cost.** Microseconds, except where the structure leads to no preview of [`MIN_LONG_SIDE`]: then
//! the whole file is looked through once (about 10 GB/s, so a file's reading from disk).
//!
//! | room | what is in it |
//! |---|---|
//! | `tiff`, `tree`, `ifd`, `tags` | TIFF-based files: CR2, NEF, NRW, ARW, SR2, DNG, RW2, RWL, ORF, PEF, SRW, IIQ, 3FR, … |
//! | `maker` | previews that only a maker note knows of |
//! | `size` | the developed photo's size inside the sensor's |
//! | `cr3`, `boxes`, `raf`, `crw`, `mrw`, `x3f` | containers of their own |
//! | `compact` | a small TIFF structure for facts that are in no TIFF structure, or in several |
//! | `jpeg`, `scan` | whether a preview can be shown and where it ends; the search without a structure |

mod boxes;
mod bytes;
mod compact;
mod cr3;
mod crw;
mod found;
mod ifd;
mod jpeg;
mod maker;
mod mrw;
mod raf;
mod scan;
mod size;
mod tags;
#[cfg(test)]
mod tests;
mod tiff;
mod tree;
mod x3f;

use std::borrow::Cow;

use super::facts::Facts;
use super::limits::Limits;
use bytes::{Order, Span};
use found::Found;

/// Pixels that the longer side of a preview has at least, if the file is not to be searched for a
/// better one.
pub(super) const MIN_LONG_SIDE: u32 = 640;
/// Bytes of compressed data that are walked for end markers, over all previews of a file. Only
/// previews whose declared length is wrong need it.
const MAX_WALK: usize = 64 << 20;
/// A preview with a shorter long side says nothing of how the camera turns its previews.
const MIN_TURN_SIDE: u32 = 160;

/// A JPEG embedded in a raw file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preview {
    /// Where it starts in the file.
    pub(super) start: usize,
    /// Its bytes, all of them inside the file.
    pub(super) len: usize,
    /// In pixels, before EXIF orientation.
    pub(super) width: u32,
    /// In pixels, before EXIF orientation.
    pub(super) height: u32,
    /// False if its end marker is missing: the file was cut off, or the camera wrote none.
    pub(super) is_whole: bool,
}

impl Preview {
    /// The JPEG out of the file it was found in. Copied only where its first byte has to be put
    /// right: Minolta's cameras store something else than FF there.
    pub(super) fn jpeg<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let stored = bytes::available(bytes, self.start, self.len);
        match stored {
            [] | [0xFF, ..] => Cow::Borrowed(stored),
            [_, rest @ ..] => Cow::Owned([&[0xFF], rest].concat()),
        }
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// What the raw file `bytes` says of its photo. `exif` is a slice of the file where that is a plain
/// TIFF structure of at most `limits.max_metadata` bytes, else a small one with the same facts.
pub(super) fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Facts<'a> {
    let found = read(bytes, limits.max_metadata);
    let largest = headers(bytes, &found.candidates)
        .map(|(_, h)| (h.width, h.height))
        .max_by_key(|(w, h)| u64::from(*w) * u64::from(*h));
    let mut facts = Facts {
        exif: found.exif,
        xmp: found.xmp,
        ..Facts::default()
    };
    let Some(mut size) = found.size else {
        return facts;
    };
    if let Some((width, height)) = largest {
        size = size.refined_by(width, height);
        // Orientations 5 to 8 swap the sides. A preview that has them swapped already is upright.
        facts.is_upright = (5..=8).contains(&found.orientation)
            && width.max(height) >= MIN_TURN_SIDE
            && size.is_turned_against(width, height);
    }
    (facts.width, facts.height) = if facts.is_upright {
        (size.height, size.width)
    } else {
        (size.width, size.height)
    };
    facts
}

/// The JPEGs embedded in the raw file `bytes` that can be shown: whole ones first, then by pixels,
/// largest first.
pub(super) fn previews(bytes: &[u8]) -> Vec<Preview> {
    let mut walk = MAX_WALK;
    let mut previews = Vec::new();
    add_previews(bytes, &read(bytes, 0).candidates, &mut walk, &mut previews);
    let long_side = |p: &Preview| p.width.max(p.height);
    if previews.iter().all(|p| long_side(p) < MIN_LONG_SIDE) {
        add_previews(bytes, &scan::largest(bytes), &mut walk, &mut previews);
    }
    previews.sort_by_key(|p| (!p.is_whole, std::cmp::Reverse(p.pixels()), p.start));
    previews
}

/// True if `bytes` are a raw file: by the container's mark or, in plain TIFF files, by a sensor's
/// samples or a DNG version in one of the directories.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    match Kind::of(bytes) {
        None => false,
        Some(Kind::Tiff) => tiff::is_raw(bytes),
        Some(_) => true,
    }
}

fn add_previews(bytes: &[u8], spans: &[Span], walk: &mut usize, previews: &mut Vec<Preview>) {
    for (span, header) in headers(bytes, spans) {
        if previews.iter().any(|p| p.start == span.start) {
            continue;
        }
        let declared_end = span.start.saturating_add(span.len);
        let end = jpeg::end(bytes, &header, declared_end, walk);
        let fallback = match declared_end {
            end if end > header.data_at && end < bytes.len() => end,
            _ => bytes.len(),
        };
        previews.push(Preview {
            start: span.start,
            len: end.unwrap_or(fallback) - span.start,
            width: header.width,
            height: header.height,
            is_whole: end.is_some(),
        });
    }
}

/// Those of `spans` that are JPEGs.
fn headers<'a>(
    bytes: &'a [u8],
    spans: &'a [Span],
) -> impl Iterator<Item = (Span, jpeg::Header)> + 'a {
    spans
        .iter()
        .filter_map(move |s| Some((*s, jpeg::header(bytes, s.start)?)))
}

/// How a raw file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tiff,
    Cr3,
    Crw,
    Mrw,
    Raf,
    X3f,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        if cr3::is_cr3(bytes) {
            Some(Self::Cr3)
        } else if crw::is_crw(bytes) {
            Some(Self::Crw)
        } else if mrw::is_mrw(bytes) {
            Some(Self::Mrw)
        } else if raf::is_raf(bytes) {
            Some(Self::Raf)
        } else if x3f::is_x3f(bytes) {
            Some(Self::X3f)
        } else {
            Order::from_mark(bytes).map(|_| Self::Tiff)
        }
    }
}

fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    match Kind::of(bytes) {
        None => Found::default(),
        Some(Kind::Tiff) => tiff::read(bytes, max_metadata),
        Some(Kind::Cr3) => cr3::read(bytes, max_metadata),
        Some(Kind::Crw) => crw::read(bytes, max_metadata),
        Some(Kind::Mrw) => mrw::read(bytes, max_metadata),
        Some(Kind::Raf) => raf::read(bytes, max_metadata),
        Some(Kind::X3f) => x3f::read(bytes, max_metadata),
    }
}
