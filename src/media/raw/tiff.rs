//! Raw files that are TIFF structures: CR2, NEF, ARW, DNG, PEF, SRW, IIQ and others as TIFF has it,
//! RW2 and ORF with their own magic number.

use std::borrow::Cow;

use super::bytes::{Span, slice};
use super::compact::Compact;
use super::found::{Found, embedded_exif, embedded_xmp};
use super::ifd::Directory;
use super::tree::Tree;
use super::{jpeg, size, tags};

/// Reads the structure that is the file.
pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let Some(tree) = Tree::read(bytes, 0) else {
        return Found::default();
    };
    let all = Span {
        start: 0,
        len: bytes.len(),
    };
    of_tree(tree, all, max_metadata)
}

/// What `tree` tells, whose TIFF structure is the bytes of `span`.
pub(super) fn of_tree<'a>(tree: Tree<'a>, span: Span, max_metadata: usize) -> Found<'a> {
    let mut exif = block(&tree, span, max_metadata);
    let mut xmp = tree.xmp(max_metadata).map(Cow::Borrowed);
    let bytes = tree.view.bytes;
    if !has_date(&tree) || xmp.is_none() {
        // Panasonic's preview has its own EXIF, in early cameras the only one.
        let previews = || tree.candidates.iter().map(|c| c.start);
        let headers = || previews().filter_map(|at| jpeg::header(bytes, at));
        if !has_date(&tree) {
            let inner = headers().find_map(|h| embedded_exif(bytes, &h, max_metadata));
            exif = inner.map(Cow::Borrowed).or(exif);
        }
        xmp = xmp.or_else(|| {
            headers()
                .find_map(|h| embedded_xmp(bytes, &h, max_metadata))
                .map(Cow::Borrowed)
        });
    }
    Found {
        size: size::of_tree(&tree),
        orientation: tree.orientation(),
        exif,
        xmp,
        candidates: tree.candidates,
    }
}

/// True if some directory has DateTimeOriginal.
fn has_date(tree: &Tree<'_>) -> bool {
    tree.exif(tags::DATE_TIME_ORIGINAL).is_some() || tree.root(tags::DATE_TIME_ORIGINAL).is_some()
}

/// The structure itself where every EXIF reader finds its way in it, else its facts in a new one.
fn block<'a>(tree: &Tree<'a>, span: Span, max_metadata: usize) -> Option<Cow<'a, [u8]>> {
    let itself = slice(tree.view.bytes, span.start, span.len)?;
    let is_plain = has_plain_mark(itself);
    let date_is_in_place = tree.exif(tags::DATE_TIME_ORIGINAL).is_some()
        || tree.root(tags::DATE_TIME_ORIGINAL).is_none();
    if is_plain && date_is_in_place && itself.len() <= max_metadata {
        return Some(Cow::Borrowed(itself));
    }
    Compact::of_tree(tree)
        .into_bytes(max_metadata)
        .map(Cow::Owned)
}

/// True if `bytes` start as any TIFF file does.
fn has_plain_mark(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"II*\0" | b"MM\0*"))
}

/// True if `bytes` start as Panasonic's (and Leica's) or Olympus's raw files do.
fn has_maker_mark(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"IIU\0" | b"IIRO" | b"IIRS" | b"MMOR"))
}

/// True if a file that starts with TIFF's two letters is a camera's raw file.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    let is_camera_tiff = || {
        Tree::read(bytes, 0).is_some_and(|tree| {
            bytes.get(8..10) == Some(b"CR")
                || size::is_phase_one(bytes)
                || tree.root(tags::DNG_VERSION).is_some()
                || tree
                    .pictures()
                    .any(|d| tree.holds_samples(d) || is_coded_by_maker(&tree, d))
        })
    };
    has_maker_mark(bytes) || (has_plain_mark(bytes) && is_camera_tiff())
}

/// Compression schemes that camera makers made for their sensors: Kodak 262 and 65000, Sony 32767,
/// Samsung 32769 to 32772, Nikon 34713, Pentax 65535.
fn is_coded_by_maker(tree: &Tree<'_>, directory: &Directory) -> bool {
    const SCHEMES: [u32; 9] = [
        262, 32_767, 32_769, 32_770, 32_772, 34_713, 65_000, 65_024, 65_535,
    ];
    directory
        .get(tags::COMPRESSION)
        .and_then(|e| tree.view.number(e, 0))
        .is_some_and(|c| SCHEMES.contains(&c))
}
