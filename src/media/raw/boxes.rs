//! Boxes of ISO base media files (ISO 14496-12): a length, a four-letter type, a body.

use super::bytes::{Order, size};

/// Boxes of one file that are looked at. Canon's files have about a hundred.
const MAX_BOXES: usize = 2048;

/// A box and where its body is in the file, cut to what is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) kind: [u8; 4],
    /// The 16 bytes after the header of a "uuid" box.
    pub(super) uuid: Option<&'a [u8; 16]>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Hands out the boxes of stretches of a file, up to a number of them in all.
#[derive(Debug)]
pub(super) struct Boxes<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Boxes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            left: MAX_BOXES,
        }
    }

    /// The boxes between `start` and `end`.
    pub(super) fn between(&mut self, start: usize, end: usize) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut at = start;
        let end = end.min(self.bytes.len());
        while at < end && self.left > 0 {
            self.left -= 1;
            let Some(part) = part(self.bytes, at, end) else {
                break;
            };
            at = part.end;
            parts.push(part);
        }
        parts
    }

    /// The boxes inside `parent`.
    pub(super) fn inside(&mut self, parent: &Part<'_>) -> Vec<Part<'a>> {
        self.between(parent.start, parent.end)
    }
}

fn part(bytes: &[u8], at: usize, end: usize) -> Option<Part<'_>> {
    let len = Order::Big.u32(bytes, at)?;
    let kind = *bytes.get(at + 4..)?.first_chunk::<4>()?;
    let (mut start, len) = match len {
        // To the end of the file.
        0 => (at + 8, end - at),
        1 => {
            let long = Order::Big.u64(bytes, at + 8)?;
            (at + 16, usize::try_from(long).ok()?)
        }
        n => (at + 8, size(n)),
    };
    let end = at.checked_add(len)?.min(end);
    let mut uuid = None;
    if kind == *b"uuid" {
        uuid = bytes.get(start..)?.first_chunk::<16>();
        start += 16;
    }
    (start <= end).then_some(Part {
        kind,
        uuid,
        start,
        end,
    })
}
