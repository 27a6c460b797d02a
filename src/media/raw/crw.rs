//! Canon CRW: a CIFF file, a tree of heaps each with its directory at the end. Layout: Canon's CIFF
//! specification 1.0, ExifTool's CanonRaw tables.

use std::borrow::Cow;

use super::bytes::{Order, Span, available, size, slice};
use super::compact::{Compact, Place, exif_time};
use super::found::Found;
use super::size::Size;
use super::{jpeg, tags};

const MAX_DEPTH: u8 = 8;
const MAX_HEAPS: usize = 64;
const MAX_RECORDS: usize = 4096;

/// Bits of a record's type: where its data is (here: in the record itself), and which types are heaps.
const IN_RECORD: u16 = 0x4000;
const TYPE: u16 = 0x3FFF;
const HEAP_BITS: u16 = 0x3800;
const HEAPS: [u16; 2] = [0x2800, 0x3000];

const MAKE_AND_MODEL: u16 = 0x080A;
const TIME: u16 = 0x180E;
const IMAGE_INFO: u16 = 0x1810;
const EXPOSURE: u16 = 0x1818;
const JPG_FROM_RAW: u16 = 0x2007;
const THUMBNAIL: u16 = 0x2008;

pub(super) fn is_crw(bytes: &[u8]) -> bool {
    slice(bytes, 6, 8) == Some(b"HEAPCCDR") && Order::from_mark(bytes).is_some()
}

struct Reader<'a> {
    bytes: &'a [u8],
    order: Order,
    heaps_left: usize,
    records_left: usize,
    facts: Compact,
    found: Found<'a>,
}

pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let Some(order) = Order::from_mark(bytes) else {
        return Found::default();
    };
    let Some(start) = order.u32(bytes, 2).map(size) else {
        return Found::default();
    };
    let mut reader = Reader {
        bytes,
        order,
        heaps_left: MAX_HEAPS,
        records_left: MAX_RECORDS,
        facts: Compact::default(),
        found: Found::default(),
    };
    let mut open = vec![(start, bytes.len(), 0)];
    while let Some((start, end, depth)) = open.pop() {
        reader.read_heap(start, end, depth, &mut open);
    }
    let mut found = reader.found;
    found.exif = reader.facts.into_bytes(max_metadata).map(Cow::Owned);
    found
}

impl Reader<'_> {
    /// Reads the directory of the heap between `start` and `end`: its offset is the heap's last
    /// number; then a count and records of 10 bytes (type, length, offset in the heap).
    fn read_heap(
        &mut self,
        start: usize,
        end: usize,
        depth: u8,
        open: &mut Vec<(usize, usize, u8)>,
    ) -> Option<()> {
        self.heaps_left = self.heaps_left.checked_sub(1)?;
        let offset = self.order.u32(self.bytes, end.checked_sub(4)?)?;
        let at = start.checked_add(size(offset))?;
        let count = usize::from(self.order.u16(self.bytes, at)?).min(self.records_left);
        self.records_left -= count;
        let records_at = at.checked_add(2)?;
        for i in 0..count {
            let at = records_at + i * 10;
            let kind = self.order.u16(self.bytes, at)?;
            let data = if kind & !TYPE == IN_RECORD {
                Span {
                    start: at + 2,
                    len: 8,
                }
            } else {
                Span {
                    start: start.checked_add(size(self.order.u32(self.bytes, at + 6)?))?,
                    len: size(self.order.u32(self.bytes, at + 2)?),
                }
            };
            let kind = kind & TYPE;
            if HEAPS.contains(&(kind & HEAP_BITS)) {
                let end = data.start.checked_add(data.len)?;
                if depth < MAX_DEPTH && end <= self.bytes.len() {
                    open.push((data.start, end, depth + 1));
                }
            } else {
                self.read_record(kind, data);
            }
        }
        Some(())
    }

    fn read_record(&mut self, kind: u16, data: Span) -> Option<()> {
        let (bytes, order) = (self.bytes, self.order);
        let number = |i: usize| order.u32(bytes, data.start.checked_add(4 * i)?);
        match kind {
            MAKE_AND_MODEL => {
                let text = available(bytes, data.start, data.len);
                let (make, model) = text.split_at(text.iter().position(|b| *b == 0)?);
                self.facts.add_text(Place::Root, tags::MAKE, make);
                self.facts
                    .add_text(Place::Root, tags::MODEL, model.get(1..)?);
            }
            TIME => {
                let time = exif_time(number(0)?)?;
                let tag = tags::DATE_TIME_ORIGINAL;
                self.facts.add_text(Place::Exif, tag, time.as_bytes());
            }
            IMAGE_INFO => {
                self.found.size = Size::developed(number(0)?, number(1)?);
                let degrees = number(3)?.cast_signed();
                let orientation = orientation(degrees);
                self.found.orientation = u32::from(orientation);
                self.facts
                    .add_short(Place::Root, tags::ORIENTATION, orientation);
            }
            EXPOSURE => {
                // APEX values; exposure time is 2^-Tv seconds, f-number is 2^(Av/2).
                let (tv, av) = (f32::from_bits(number(1)?), f32::from_bits(number(2)?));
                if tv.abs() < 20.0 {
                    let micros = (1e6 * (-f64::from(tv)).exp2()).round() as u32;
                    self.facts
                        .add_rational(Place::Exif, tags::EXPOSURE_TIME, micros, 1_000_000);
                }
                if av > 0.0 && av < 20.0 {
                    let tenths = (10.0 * (f64::from(av) / 2.0).exp2()).round() as u32;
                    self.facts
                        .add_rational(Place::Exif, tags::F_NUMBER, tenths, 10);
                }
            }
            JPG_FROM_RAW | THUMBNAIL => {
                jpeg::note(bytes, data, &mut self.found.candidates);
            }
            _ => {}
        }
        Some(())
    }
}

/// EXIF orientation for a picture to be turned clockwise by `degrees`.
pub(super) fn orientation(degrees: i32) -> u16 {
    match degrees.rem_euclid(360) {
        90 => 6,
        180 => 3,
        270 => 8,
        _ => 1,
    }
}
