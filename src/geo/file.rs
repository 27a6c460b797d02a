//! The compiled-in file: parts that are packed one by one. `models/places/steps/pack.py` writes it and
//! describes it.

use std::io::Read;
use std::ops::Range;

use brotli_decompressor::Decompressor;

use super::{Areas, Gazetteer, GeoError};

const MAGIC: &[u8; 8] = b"photplc1";
/// Where the number of parts stands, after the identity.
const COUNT: usize = 16;
/// What is read of a part at a time.
const BUFFER: usize = 16 << 10;
/// Bytes that a damaged part may inflate to: several times what any does.
const MOST_BYTES: u64 = 16 << 20;

/// The file, taken apart but not inflated.
pub(super) struct Packed<'a> {
    bytes: &'a [u8],
    /// Of the points, the areas, and then each group of names.
    parts: Vec<Range<usize>>,
}

impl<'a> Packed<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, GeoError> {
        let wrong = GeoError("it is no file of place names");
        if !bytes.starts_with(MAGIC) {
            return Err(wrong);
        }
        let Some(count) = number(bytes, COUNT) else {
            return Err(wrong);
        };
        let lengths = COUNT + 4;
        let mut start = lengths.saturating_add((count as usize).saturating_mul(4));
        if start > bytes.len() {
            return Err(wrong);
        }
        let mut parts = Vec::with_capacity(count as usize);
        for part in 0..count as usize {
            let length = number(bytes, lengths + 4 * part).unwrap_or(u32::MAX);
            let end = start.saturating_add(length as usize);
            if end > bytes.len() {
                return Err(GeoError("it ends too early"));
            }
            parts.push(start..end);
            start = end;
        }
        Ok(Self { bytes, parts })
    }

    pub(super) fn identity(&self) -> String {
        crate::photo::hex(self.bytes.get(MAGIC.len()..COUNT).unwrap_or_default())
    }

    /// Groups of names.
    pub(super) fn groups(&self) -> usize {
        self.parts.len().saturating_sub(2)
    }

    /// The names of a group, a place a line.
    pub(super) fn group(&self, group: usize) -> Result<String, GeoError> {
        String::from_utf8(self.part(group + 2)?).map_err(|_| GeoError("its names are no text"))
    }

    pub(super) fn part(&self, part: usize) -> Result<Vec<u8>, GeoError> {
        let range = self.parts.get(part).ok_or(GeoError("a part is missing"))?;
        let packed = &self.bytes[range.clone()];
        let mut out = Vec::with_capacity(packed.len() * 3);
        Decompressor::new(packed, BUFFER)
            .take(MOST_BYTES)
            .read_to_end(&mut out)
            .map_err(|_| GeoError("a part cannot be inflated"))?;
        Ok(out)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

/// Inflates the points and areas.
pub(super) fn read(bytes: &'static [u8]) -> Result<Gazetteer, GeoError> {
    let packed = Packed::new(bytes)?;
    let areas =
        String::from_utf8(packed.part(1)?).map_err(|_| GeoError("its areas are no text"))?;
    let areas = Areas::new(areas);
    let raw = packed.part(0)?;
    let short = GeoError("points are missing");
    let (Some(count), Some(GROUP)) = (number(&raw, 0), number(&raw, 4)) else {
        return Err(short);
    };
    let count = count as usize;
    // Three bytes a place follow the points.
    let Some(end) = raw.len().checked_sub(3 * count).filter(|end| *end >= 8) else {
        return Err(short);
    };
    let points = ways(&raw[8..end], count).ok_or(short)?;
    let sizes = raw[end..end + count].to_vec();
    let (low, high) = raw[end + count..].split_at(count);
    let area_of = low.iter().zip(high);
    let area_of: Vec<u16> = area_of.map(|(l, h)| u16::from_le_bytes([*l, *h])).collect();
    if area_of.iter().any(|line| usize::from(*line) >= areas.len()) {
        return Err(GeoError("a place is nowhere"));
    }
    if packed.groups() != count.div_ceil(GROUP as usize) {
        return Err(GeoError("names are missing"));
    }
    Ok(Gazetteer {
        packed,
        points,
        sizes,
        area_of,
        areas,
    })
}

/// Places in a group of names.
pub(super) const GROUP: u32 = 1024;

/// Adds the ways between points up, each in bytes of seven bits.
fn ways(bytes: &[u8], count: usize) -> Option<Vec<u64>> {
    let mut points = Vec::with_capacity(count);
    let (mut at, mut way, mut shift) = (0u64, 0u64, 0u32);
    for byte in bytes {
        way |= u64::from(byte & 127).checked_shl(shift)?;
        if byte & 128 == 0 {
            at = at.checked_add(way)?;
            points.push(at);
            (way, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    (points.len() == count).then_some(points)
}

impl Areas {
    fn new(text: String) -> Self {
        let mut starts = vec![0];
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        // A part is at most MOST_BYTES long.
        starts.extend(ends.map(|end| end as u32 + 1));
        Self { text, starts }
    }
}
