//! Canon CR3: an ISO base media file. Facts are in four small TIFF structures, previews in boxes of
//! Canon's own and in the first track. Layout: Laurent Clévy's description of CR3, ExifTool.

use std::borrow::Cow;

use super::boxes::{Boxes, Part};
use super::bytes::{Order, Span, available, size, slice};
use super::compact::{Compact, Place};
use super::found::Found;
use super::ifd::{Budget, View};
use super::jpeg;
use super::size::Size;
use super::tags;

/// The box with Canon's TIFF structures and the thumbnail, inside "moov".
const CANON: [u8; 16] = *b"\x85\xC0\xB6\x87\x82\x0F\x11\xE0\x81\x11\xF4\xCE\x46\x2B\x6A\x48";
const XMP: [u8; 16] = *b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";
const PREVIEW: [u8; 16] = *b"\xEA\xF4\x2B\x5E\x1C\x98\x4B\x88\xB9\xFB\xB7\xDC\x40\x6E\x4D\x16";
/// Bytes between the preview box's identifier and the box in it.
const PREVIEW_HEADER: usize = 8;
/// The JPEG starts within so many bytes of a THMB or PRVW box's body.
const PICTURE_HEADER: usize = 32;
/// Boxes on the way to a track's sample tables.
const TRACK_PATH: [[u8; 4]; 3] = [*b"mdia", *b"minf", *b"stbl"];

/// True if `bytes` start as a CR3 file does.
pub(super) fn is_cr3(bytes: &[u8]) -> bool {
    slice(bytes, 4, 8) == Some(b"ftypcrx ")
}

pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let mut found = Found::default();
    let mut boxes = Boxes::new(bytes);
    for part in boxes.between(0, bytes.len()) {
        match (&part.kind, part.uuid) {
            (b"moov", _) => read_movie(bytes, &part, &mut boxes, max_metadata, &mut found),
            (b"uuid", Some(&XMP)) => {
                found.xmp = slice(bytes, part.start, part.end - part.start)
                    .filter(|x| !x.is_empty() && x.len() <= max_metadata)
                    .map(Cow::Borrowed);
            }
            (b"uuid", Some(&PREVIEW)) => {
                for inner in boxes.between(part.start + PREVIEW_HEADER, part.end) {
                    add_picture(bytes, &inner, &mut found.candidates);
                }
            }
            _ => {}
        }
    }
    found
}

fn read_movie<'a>(
    bytes: &'a [u8],
    movie: &Part<'_>,
    boxes: &mut Boxes<'a>,
    max_metadata: usize,
    found: &mut Found<'a>,
) {
    for part in boxes.inside(movie) {
        match (&part.kind, part.uuid) {
            (b"uuid", Some(&CANON)) => {
                let parts = boxes.inside(&part);
                read_facts(bytes, &parts, max_metadata, found);
                for part in parts.iter().filter(|p| p.kind == *b"THMB") {
                    add_picture(bytes, part, &mut found.candidates);
                }
            }
            (b"trak", _) => {
                if let Some(span) = first_sample(bytes, &part, boxes) {
                    jpeg::note(bytes, span, &mut found.candidates);
                }
            }
            _ => {}
        }
    }
}

/// Joins the first directories of CMT1 (TIFF), CMT2 (EXIF) and CMT4 (GPS). CMT3 is the maker note.
fn read_facts<'a>(bytes: &'a [u8], parts: &[Part<'_>], max: usize, found: &mut Found<'a>) {
    let mut facts = Compact::default();
    for (kind, place) in [
        (b"CMT2", Place::Exif),
        (b"CMT4", Place::Gps),
        (b"CMT1", Place::Root),
    ] {
        let Some(part) = parts.iter().find(|p| p.kind == *kind) else {
            continue;
        };
        let Some((view, first)) = View::open(bytes, part.start) else {
            continue;
        };
        let Some(directory) = view.directory(first, &mut Budget::new()) else {
            continue;
        };
        facts.add_directory(place, &view, &directory);
        if place == Place::Root {
            let number = |tag| view.number(directory.get(tag)?, 0);
            found.orientation = number(tags::ORIENTATION).unwrap_or(1);
            found.size = number(tags::IMAGE_WIDTH)
                .zip(number(tags::IMAGE_LENGTH))
                .and_then(|(w, h)| Size::developed(w, h));
        }
    }
    found.exif = facts.into_bytes(max).map(Cow::Owned);
}

/// The JPEG in a THMB or PRVW box: a header whose length differs between versions, then the data.
fn add_picture(bytes: &[u8], part: &Part<'_>, candidates: &mut Vec<Span>) {
    if !matches!(&part.kind, b"THMB" | b"PRVW") {
        return;
    }
    let header = available(bytes, part.start, PICTURE_HEADER.min(part.end - part.start));
    if let Some(at) = memchr::memmem::find(header, &[0xFF, 0xD8, 0xFF]) {
        let start = part.start + at;
        let len = part.end - start;
        jpeg::note(bytes, Span { start, len }, candidates);
    }
}

/// The first sample of a track: the first chunk's offset ("co64", "stco") and
/// the first sample's length ("stsz").
fn first_sample(bytes: &[u8], track: &Part<'_>, boxes: &mut Boxes<'_>) -> Option<Span> {
    let mut table = *track;
    for kind in TRACK_PATH {
        table = boxes.inside(&table).into_iter().find(|p| p.kind == kind)?;
    }
    let parts = boxes.inside(&table);
    let body = |kind: &[u8; 4]| Some(parts.iter().find(|p| p.kind == *kind)?.start);
    let sizes = body(b"stsz")?;
    // One size for all, or 0 and a list of them.
    let len = match Order::Big.u32(bytes, sizes + 4)? {
        0 => Order::Big.u32(bytes, sizes + 12)?,
        n => n,
    };
    let start = match body(b"co64") {
        Some(at) => usize::try_from(Order::Big.u64(bytes, at + 8)?).ok()?,
        None => size(Order::Big.u32(bytes, body(b"stco")? + 8)?),
    };
    Some(Span {
        start,
        len: size(len),
    })
}
