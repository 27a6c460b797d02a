//! Sigma X3F: a header, sections, and at the end a directory of them. Layout: Foveon's X3F
//! description, ExifTool's SigmaRaw tables. All numbers are little-endian.

use std::borrow::Cow;

use super::bytes::{Order, Span, available, size, slice};
use super::compact::{Compact, Place, exif_time};
use super::crw::orientation;
use super::found::{Found, embedded_exif, embedded_xmp};
use super::size::Size;
use super::tree::Tree;
use super::{jpeg, scan, tags};

const MAX_SECTIONS: u32 = 64;
const MAX_PROPERTIES: u32 = 512;
/// Characters of a property that are looked at.
const MAX_TEXT: usize = 64;
/// Header fields: major version, then columns, rows and the clockwise rotation in degrees, which moved with version 4.
const VERSION_AT: usize = 6;
const SIZE_AT: usize = 28;
const SIZE_AT_SINCE_4: usize = 40;
/// Bytes of a picture section's header and of a property section's.
const PICTURE_HEADER: usize = 28;
const PROPERTY_HEADER: usize = 24;

pub(super) fn is_x3f(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FOVb")
}

pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let number = |at| Order::Little.u32(bytes, at);
    let is_new = Order::Little.u16(bytes, VERSION_AT).is_some_and(|v| v >= 4);
    let at = if is_new { SIZE_AT_SINCE_4 } else { SIZE_AT };
    let degrees = number(at + 8).unwrap_or(0).cast_signed();
    let mut found = Found {
        size: number(at)
            .zip(number(at + 4))
            .and_then(|(w, h)| Size::developed(w, h)),
        orientation: u32::from(orientation(degrees)),
        ..Found::default()
    };
    let mut properties = Compact::default();
    properties.add_short(Place::Root, tags::ORIENTATION, orientation(degrees));
    if read_directory(bytes, &mut properties, &mut found).is_none() {
        // Cut off before its directory: the preview's EXIF may still be there.
        found.candidates = scan::largest(bytes);
    }
    for header in found
        .candidates
        .iter()
        .filter_map(|c| jpeg::header(bytes, c.start))
    {
        found.xmp = found
            .xmp
            .or_else(|| embedded_xmp(bytes, &header, max_metadata).map(Cow::Borrowed));
        if found.exif.is_none()
            && let Some(exif) = embedded_exif(bytes, &header, max_metadata)
        {
            found.exif = Some(Cow::Borrowed(exif));
            let tree = header.exif.and_then(|e| Tree::read(bytes, e.start));
            found.orientation = tree.map_or(found.orientation, |t| t.orientation());
        }
    }
    found.exif = found
        .exif
        .or_else(|| properties.into_bytes(max_metadata).map(Cow::Owned));
    found
}

/// The directory's offset is the file's last number; then "SECd", version, count, and 12 bytes a
/// section: offset, length, type.
fn read_directory(bytes: &[u8], properties: &mut Compact, found: &mut Found<'_>) -> Option<()> {
    let number = |at| Order::Little.u32(bytes, at);
    let directory = size(number(bytes.len().checked_sub(4)?)?);
    if slice(bytes, directory, 4)? != b"SECd" {
        return None;
    }
    let count = number(directory + 8)?.min(MAX_SECTIONS);
    for i in 0..size(count) {
        let at = directory + 12 + 12 * i;
        let (start, len) = (size(number(at)?), size(number(at + 4)?));
        match slice(bytes, at + 8, 4)? {
            b"IMAG" | b"IMA2" => {
                let span = Span {
                    start: start.saturating_add(PICTURE_HEADER),
                    len: len.saturating_sub(PICTURE_HEADER),
                };
                jpeg::note(bytes, span, &mut found.candidates);
            }
            b"PROP" => {
                read_properties(available(bytes, start, len), properties);
            }
            _ => {}
        }
    }
    Some(())
}

/// "SECp", version, count, encoding, reserved, length; then two offsets (of name and value, in
/// characters) a property; then UTF-16 text, each piece ended by NUL.
fn read_properties(section: &[u8], facts: &mut Compact) -> Option<()> {
    let number = |at| Order::Little.u32(section, at);
    if slice(section, 0, 4)? != b"SECp" {
        return None;
    }
    let count = number(8)?;
    let text_at = PROPERTY_HEADER.checked_add(size(count).checked_mul(8)?)?;
    let text = section.get(text_at..)?;
    for i in 0..size(count.min(MAX_PROPERTIES)) {
        let at = PROPERTY_HEADER + 8 * i;
        let name = piece(text, size(number(at)?));
        let value = piece(text, size(number(at + 4)?));
        let whole = || std::str::from_utf8(&value).ok()?.trim().parse::<u32>().ok();
        match name.as_slice() {
            b"CAMMANUF" => facts.add_text(Place::Root, tags::MAKE, &value),
            b"CAMMODEL" => facts.add_text(Place::Root, tags::MODEL, &value),
            b"TIME" => {
                if let Some(time) = whole().and_then(exif_time) {
                    facts.add_text(Place::Exif, tags::DATE_TIME_ORIGINAL, time.as_bytes());
                }
            }
            // In microseconds.
            b"EXPTIME" => {
                if let Some(micros) = whole() {
                    facts.add_rational(Place::Exif, tags::EXPOSURE_TIME, micros, 1_000_000);
                }
            }
            b"APERTURE" => {
                let f_number = std::str::from_utf8(&value).ok()?.trim().parse::<f64>();
                if let Some(f) = f_number.ok().filter(|f| (0.1..1000.0).contains(f)) {
                    facts.add_rational(Place::Exif, tags::F_NUMBER, (f * 10.0).round() as u32, 10);
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// The piece of text that starts at character `at`, its ASCII only.
fn piece(text: &[u8], at: usize) -> Vec<u8> {
    text.as_chunks::<2>()
        .0
        .iter()
        .skip(at)
        .take(MAX_TEXT)
        .map(|c| u16::from_le_bytes(*c))
        .take_while(|c| *c != 0)
        .filter_map(|c| u8::try_from(c).ok())
        .collect()
}
