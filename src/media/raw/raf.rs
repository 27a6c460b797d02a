//! Fujifilm RAF: a fixed header, a JPEG with the EXIF, and a list of records about the sensor.
//! Layout: ExifTool's FujiFilm tables. All numbers are big-endian.

use std::borrow::Cow;

use super::bytes::{Order, Span, size, slice};
use super::found::{Found, embedded_exif, embedded_xmp};
use super::jpeg;
use super::size::Size;
use super::tags;
use super::tree::Tree;

const MAGIC: &[u8] = b"FUJIFILMCCD-RAW ";
/// Header fields: offset and length of the JPEG, offset of the records.
const JPEG_AT: usize = 84;
const RECORDS_AT: usize = 92;
const MAX_RECORDS: u32 = 512;
/// Record tags, each of two 16-bit numbers, height first: with and without the sensor's borders.
const FULL_SIZE: u16 = 0x0100;
const CROPPED_SIZE: u16 = 0x0111;

pub(super) fn is_raf(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let mut found = Found::default();
    let number = |at| Order::Big.u32(bytes, at).map(size);
    let mut shape = None;
    if let (Some(start), Some(len)) = (number(JPEG_AT), number(JPEG_AT + 4)) {
        jpeg::note(bytes, Span { start, len }, &mut found.candidates);
        if let Some(header) = jpeg::header(bytes, start) {
            shape = Some((header.width, header.height));
            found.exif = embedded_exif(bytes, &header, max_metadata).map(Cow::Borrowed);
            found.xmp = embedded_xmp(bytes, &header, max_metadata).map(Cow::Borrowed);
            if let Some(tree) = header.exif.and_then(|e| Tree::read(bytes, e.start)) {
                found.orientation = tree.orientation();
                let side = |tag| tree.view.number(tree.exif(tag)?, 0);
                shape = side(tags::PIXEL_X_DIMENSION)
                    .zip(side(tags::PIXEL_Y_DIMENSION))
                    .or(shape);
                found.candidates.extend(&tree.candidates);
            }
        }
    }
    found.size = sensor_size(bytes).map(|s| unsqueezed(s, shape));
    found
}

fn sensor_size(bytes: &[u8]) -> Option<Size> {
    let records = size(Order::Big.u32(bytes, RECORDS_AT)?);
    let count = Order::Big.u32(bytes, records)?.min(MAX_RECORDS);
    let mut at = records.checked_add(4)?;
    let (mut full, mut cropped) = (None, None);
    for _ in 0..count {
        let Some(head) = slice(bytes, at, 4) else {
            break;
        };
        let tag = u16::from_be_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let side = |i| Order::Big.u16(bytes, at + 4 + i).map(u32::from);
        if let (FULL_SIZE | CROPPED_SIZE, Some(height), Some(width)) = (tag, side(0), side(2)) {
            let size = Size::whole_sensor(width, height);
            if tag == FULL_SIZE {
                full = size;
            } else {
                cropped = size;
            }
        }
        at = at.checked_add(4 + len)?;
    }
    cropped.or(full)
}

/// Sensors with two photosites a place (Super CCD SR) count one side in halves: the other size
/// tells by its shape.
fn unsqueezed(sensor: Size, shape: Option<(u32, u32)>) -> Size {
    let Some((width, height)) = shape.filter(|(w, h)| *w > 0 && *h > 0) else {
        return sensor;
    };
    let aspect = |w, h| f64::from(w) / f64::from(h);
    let squeeze = aspect(sensor.width, sensor.height) / aspect(width, height);
    if (1.8..2.2).contains(&squeeze) {
        return Size {
            height: sensor.height.saturating_mul(2),
            ..sensor
        };
    }
    if (0.45..0.55).contains(&squeeze) {
        return Size {
            width: sensor.width.saturating_mul(2),
            ..sensor
        };
    }
    sensor
}
