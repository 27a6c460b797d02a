//! Previews that only a camera maker's own directory (the EXIF maker note) knows of.
//!
//! Layouts: ExifTool's tables for Nikon, Olympus, Pentax, Minolta, Samsung, Sony and Casio. The
//! same few entries are looked for in all of them, since what they point at is checked to be a JPEG
//! anyway; that also settles from where a maker counts its offsets, which differs between models.

use super::bytes::{Order, Span, available, size};
use super::ifd::{Budget, Directory, Entry, View};
use super::jpeg;
use super::tags::{JPEG_LENGTH, JPEG_OFFSET};

/// Tags of offset and length: the common pair, Minolta and early Olympus, Olympus, Pentax.
const PAIRS: [(u16, u16); 4] = [
    (JPEG_OFFSET, JPEG_LENGTH),
    (0x0088, 0x0089),
    (0x1036, 0x1037),
    (0x0004, 0x0003),
];
/// The same inside the directories of [`SUB_DIRECTORIES`]: the common pair, Olympus.
const SUB_PAIRS: [(u16, u16); 2] = [(JPEG_OFFSET, JPEG_LENGTH), (0x0101, 0x0102)];
/// Tags whose value is the JPEG: Minolta, Olympus's thumbnail, Casio, Sony.
const BLOBS: [u16; 4] = [0x0081, 0x0100, 0x2000, 0x2001];
/// Tags of a directory that knows of a preview: Nikon, Olympus's camera settings, Samsung.
const SUB_DIRECTORIES: [u16; 3] = [0x0011, 0x2020, 0x0035];
/// Sony's JPEG follows a header of 32 bytes.
const SONY_HEADER: usize = 32;
/// Entries a maker's directory has at most; more means that it is none.
const MAX_MAKER_ENTRIES: u16 = 512;

/// Where a maker note's directory starts and from where it counts offsets, both from the note's start.
struct Layout {
    prefix: &'static [u8],
    directory: usize,
    /// `None`: offsets count from the surrounding TIFF structure.
    base: Option<usize>,
}

const LAYOUTS: [Layout; 10] = [
    layout(b"Nikon\0\x02", 18, Some(10)),
    layout(b"Nikon\0\x01", 8, None),
    layout(b"OLYMPUS\0", 12, Some(0)),
    layout(b"OM SYSTEM\0", 16, Some(0)),
    layout(b"OLYMP\0", 8, None),
    layout(b"EPSON\0", 8, None),
    layout(b"AOC\0", 6, None),
    layout(b"PENTAX \0", 10, Some(0)),
    layout(b"SAMSUNG\0", 10, Some(0)),
    layout(b"SONY ", 12, None),
];

const fn layout(prefix: &'static [u8], directory: usize, base: Option<usize>) -> Layout {
    Layout {
        prefix,
        directory,
        base,
    }
}

/// Adds what may be previews in the maker note `note` of `tiff` to `found`.
pub(super) fn previews(tiff: &View<'_>, note: &Entry, budget: &mut Budget, found: &mut Vec<Span>) {
    let head = available(tiff.bytes, note.at, 16);
    let layout = LAYOUTS
        .iter()
        .find(|l| head.starts_with(l.prefix))
        .unwrap_or(&Layout {
            prefix: b"",
            directory: 0,
            base: None,
        });
    let base = layout.base.map_or(tiff.base, |b| note.at.saturating_add(b));
    let Some(at) = note.at.checked_add(layout.directory) else {
        return;
    };
    let Some(offset) = at.checked_sub(base).and_then(|o| u32::try_from(o).ok()) else {
        return;
    };
    let Some(order) = order_of(tiff.bytes, at, tiff.order) else {
        return;
    };
    let view = View {
        base,
        order,
        ..*tiff
    };
    let Some(directory) = view.directory(offset, budget) else {
        return;
    };
    let bases = [base, tiff.base, note.at];
    add(&view, &directory, &PAIRS, &bases, found);
    for blob in BLOBS.iter().filter_map(|t| directory.get(*t)) {
        for start in shifted(blob, base, &bases) {
            push(tiff.bytes, start, blob.len, found);
            push(
                tiff.bytes,
                start.saturating_add(SONY_HEADER),
                blob.len,
                found,
            );
        }
    }
    for entry in SUB_DIRECTORIES.iter().filter_map(|t| directory.get(*t)) {
        for (view, sub) in sub_directories(&view, entry, &bases, budget) {
            add(&view, &sub, &SUB_PAIRS, &bases, found);
        }
    }
}

/// The byte order in which the directory at `at` makes sense.
fn order_of(bytes: &[u8], at: usize, likely: Order) -> Option<Order> {
    [likely, likely.other()].into_iter().find(|order| {
        let count = order.u16(bytes, at);
        let kind = order.u16(bytes, at.saturating_add(4));
        count.is_some_and(|c| (1..=MAX_MAKER_ENTRIES).contains(&c))
            && kind.is_some_and(|k| (1..=13).contains(&k))
    })
}

/// Where the value of `entry` starts, were its offset counted from each of `bases`.
fn shifted(entry: &Entry, base: usize, bases: &[usize; 3]) -> [usize; 3] {
    let offset = entry.at.saturating_sub(base);
    bases.map(|b| b.saturating_add(offset))
}

/// The directory that `entry` points at or, in early Olympus cameras, holds.
fn sub_directories<'a>(
    view: &View<'a>,
    entry: &Entry,
    bases: &[usize; 3],
    budget: &mut Budget,
) -> Vec<(View<'a>, Directory)> {
    let mut starts = Vec::new();
    if entry.kind == 7 {
        starts.extend(shifted(entry, view.base, bases));
    } else if let Some(offset) = view.number(entry, 0) {
        starts.extend(bases.map(|b| b.saturating_add(size(offset))));
    }
    starts
        .into_iter()
        .filter_map(|at| {
            let order = order_of(view.bytes, at, view.order)?;
            let offset = u32::try_from(at.checked_sub(view.base)?).ok()?;
            let view = View { order, ..*view };
            Some((view, view.directory(offset, budget)?))
        })
        .collect()
}

fn add(
    view: &View<'_>,
    directory: &Directory,
    pairs: &[(u16, u16)],
    bases: &[usize; 3],
    found: &mut Vec<Span>,
) {
    for (offset, len) in pairs {
        let number = |tag| view.number(directory.get(tag)?, 0).map(size);
        if let (Some(offset), Some(len)) = (number(*offset), number(*len)) {
            for base in bases {
                push(view.bytes, base.saturating_add(offset), len, found);
            }
        }
    }
}

fn push(bytes: &[u8], start: usize, len: usize, found: &mut Vec<Span>) {
    jpeg::note(bytes, Span { start, len }, found);
}
