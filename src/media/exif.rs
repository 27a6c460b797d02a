//! Camera facts from an EXIF block. Everything is optional and checked: a value out of range, not
//! finite or not text is as if it were not there, and a broken block never fails the photo.
//!
//! Tag meanings and units: EXIF 2.32 (CIPA DC-008). GPS: degrees in WGS 84.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use exif::{In, Reader, Tag, Value};

use super::orientation::Orientation;
use super::{exif_words, looks};
use crate::looks::Signs;
use crate::photo::Exif;
use crate::said::Said;

/// Longest camera or lens name kept, in characters.
const MAX_NAME: usize = 128;

/// What one EXIF block says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metadata {
    pub(super) orientation: Orientation,
    /// The block says how the picture is turned; else it counts as upright.
    pub(super) has_orientation: bool,
    /// Without the date, which is [`Said`]'s.
    pub(super) exif: Exif,
    pub(super) said: Said,
    /// What it says of the picture's kind.
    pub(super) signed: Signs,
    /// Where in the block a small JPEG of the photo lies.
    pub(super) thumbnail: Option<Range<usize>>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            orientation: Orientation::UPRIGHT,
            has_orientation: false,
            exif: Exif::default(),
            said: Said::default(),
            signed: Signs::default(),
            thumbnail: None,
        }
    }
}

/// Reads `block` (see [`super::exif_block`]) as far as it can be read: the camera's facts, and what is
/// said in it.
pub(super) fn read(block: Option<&[u8]>) -> Metadata {
    let read = block.and_then(|block| with_fields(block, Fields::metadata));
    read.unwrap_or_default()
}

/// Calls `work` with the fields of `block`, as far as they can be read.
fn with_fields<T>(block: &[u8], work: impl FnOnce(&Fields) -> T) -> Option<T> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let parsed = Reader::new()
            .continue_on_error(true)
            .read_raw(block.to_vec())
            .or_else(|e| e.distill_partial_result(|_| {}));
        parsed.ok().map(|fields| work(&Fields(fields)))
    }));
    read.ok().flatten()
}

pub(super) struct Fields(exif::Exif);

impl Fields {
    fn metadata(&self) -> Metadata {
        let (lat, lon) = self.position().unzip();
        Metadata {
            orientation: Orientation::from_exif(self.orientation().unwrap_or(1)),
            has_orientation: self.orientation().is_some(),
            exif: Exif {
                captured_at: None,
                camera: camera(self.text(Tag::Make), self.text(Tag::Model)),
                lens: self.text(Tag::LensModel),
                exposure_s: self
                    .number(Tag::ExposureTime)
                    .filter(|v| *v > 0.0 && *v <= 86_400.0),
                f_number: self
                    .number(Tag::FNumber)
                    .filter(|v| *v > 0.0 && *v <= 1000.0),
                iso: self
                    .uint(Tag::PhotographicSensitivity)
                    .filter(|v| (1..=10_000_000).contains(v)),
                focal_length_mm: self
                    .number(Tag::FocalLength)
                    .filter(|v| *v > 0.0 && *v <= 100_000.0),
                lat,
                lon,
                altitude_m: self.altitude(),
            },
            said: exif_words::said(self),
            signed: self.signed(),
            thumbnail: self.thumbnail(),
        }
    }

    /// Its comment, or the program's name, is that of a screenshot; a phone that turned has put it together.
    fn signed(&self) -> Signs {
        /// What iPhones write of a panorama into CustomRendered, beyond the standard's 0 and 1.
        const APPLE_PANORAMA: u32 = 6;
        // Eight bytes name the comment's encoding (EXIF 2.32, 4.6.5.5).
        let comment = match self.value(Tag::UserComment) {
            Some(Value::Undefined(bytes, _)) => bytes.get(8..),
            _ => None,
        };
        let named = [comment, self.ascii(Tag::Software)].into_iter().flatten();
        let is_screenshot = named.into_iter().any(looks::names_a_shooter);
        let is_panorama = self.uint(Tag::CustomRendered) == Some(APPLE_PANORAMA);
        Signs::default()
            .with(Signs::SAID_SCREENSHOT, is_screenshot)
            .with(Signs::PANORAMA, is_panorama)
    }

    /// 1 to 8. Cameras that do not know it write 0.
    pub(super) fn orientation(&self) -> Option<u32> {
        self.uint(Tag::Orientation)
            .filter(|value| (1..=8).contains(value))
    }

    /// The second directory has it (EXIF 2.32, 4.8.1).
    fn thumbnail(&self) -> Option<Range<usize>> {
        let number = |tag| {
            let field = self.0.get_field(tag, In::THUMBNAIL)?;
            usize::try_from(field.value.get_uint(0)?).ok()
        };
        let start = number(Tag::JPEGInterchangeFormat)?;
        let end = start.checked_add(number(Tag::JPEGInterchangeFormatLength)?)?;
        Some(start..end)
    }

    pub(super) fn value(&self, tag: Tag) -> Option<&Value> {
        self.0.get_field(tag, In::PRIMARY).map(|f| &f.value)
    }

    pub(super) fn uint(&self, tag: Tag) -> Option<u32> {
        self.value(tag)?.get_uint(0)
    }

    /// The numbers of a rational field, each finite and with a denominator.
    pub(super) fn numbers(&self, tag: Tag) -> Option<Vec<f64>> {
        let Value::Rational(parts) = self.value(tag)? else {
            return None;
        };
        parts
            .iter()
            .map(|r| (r.denom != 0).then(|| r.to_f64()))
            .collect()
    }

    fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag)?.first().copied()
    }

    pub(super) fn ascii(&self, tag: Tag) -> Option<&[u8]> {
        match self.value(tag)? {
            Value::Ascii(parts) => parts.first().map(Vec::as_slice),
            _ => None,
        }
    }

    fn text(&self, tag: Tag) -> Option<String> {
        name(self.ascii(tag)?)
    }

    /// Latitude and longitude. Exactly (0, 0) is what receivers write before they have a fix.
    pub(super) fn position(&self) -> Option<(f64, f64)> {
        let lat = self.angle(Tag::GPSLatitude, Tag::GPSLatitudeRef, (b'N', b'S'), 90.0)?;
        let lon = self.angle(Tag::GPSLongitude, Tag::GPSLongitudeRef, (b'E', b'W'), 180.0)?;
        ((lat, lon) != (0.0, 0.0)).then_some((lat, lon))
    }

    /// Degrees, minutes, seconds and a hemisphere, without which the place is a guess.
    fn angle(&self, tag: Tag, hemisphere: Tag, signs: (u8, u8), most: f64) -> Option<f64> {
        let Value::Rational(parts) = self.value(tag)? else {
            return None;
        };
        let mut degrees = 0.0;
        for (i, unit) in [1.0, 60.0, 3600.0].into_iter().enumerate() {
            match parts.get(i) {
                // Seconds left out as 0/0 are common; degrees never are.
                None if i > 0 => {}
                Some(r) if i == 2 && r.num == 0 && r.denom == 0 => {}
                Some(r) if r.denom != 0 => degrees += r.to_f64() / unit,
                _ => return None,
            }
        }
        let sign = match self.ascii(hemisphere)?.first()?.to_ascii_uppercase() {
            c if c == signs.0 => 1.0,
            c if c == signs.1 => -1.0,
            _ => return None,
        };
        (degrees.is_finite() && degrees <= most).then_some(sign * degrees)
    }

    pub(super) fn altitude(&self) -> Option<f64> {
        let metres = self.number(Tag::GPSAltitude)?;
        // 0 above sea level, 1 below; absent means above. Written as a byte, rarely as a short.
        let below = match self.value(Tag::GPSAltitudeRef) {
            Some(Value::Byte(b)) => b.first() == Some(&1),
            Some(v) => v.get_uint(0) == Some(1),
            None => false,
        };
        (metres <= 100_000.0).then_some(if below { -metres } else { metres })
    }
}

/// Readable text: up to the first NUL, no control characters, single spaces, not too long.
fn name(raw: &[u8]) -> Option<String> {
    let raw = &raw[..raw
        .iter()
        .position(|b| *b == 0)
        .unwrap_or(raw.len())
        .min(4 * MAX_NAME)];
    let text = String::from_utf8_lossy(raw);
    let printable: String = text
        .chars()
        .map(|c| {
            if c.is_control() || c == '\u{FFFD}' {
                ' '
            } else {
                c
            }
        })
        .collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(MAX_NAME).collect();
    (!text.is_empty()).then_some(text)
}

/// One name for a camera, without its maker's name twice: "NIKON CORPORATION" and "NIKON D70"
/// give "NIKON D70", "Apple" and "iPhone 13 Pro Max" give "Apple iPhone 13 Pro Max".
fn camera(make: Option<String>, model: Option<String>) -> Option<String> {
    let (make, model) = match (make, model) {
        (Some(make), Some(model)) => (make, model),
        (make, model) => return model.or(make),
    };
    let first = |s: &str| s.split(' ').next().unwrap_or_default().to_lowercase();
    if first(&make) == first(&model) || model.to_lowercase().starts_with(&make.to_lowercase()) {
        return Some(model);
    }
    Some(format!("{make} {model}").chars().take(MAX_NAME).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_maker_is_said_once() {
        let c = |make: &str, model: &str| camera(name(make.as_bytes()), name(model.as_bytes()));
        assert_eq!(
            c("Canon", "Canon EOS 40D").as_deref(),
            Some("Canon EOS 40D")
        );
        assert_eq!(
            c("NIKON CORPORATION", "NIKON D70").as_deref(),
            Some("NIKON D70")
        );
        assert_eq!(
            c("Apple", "iPhone 13 Pro Max").as_deref(),
            Some("Apple iPhone 13 Pro Max")
        );
        assert_eq!(c("", "DSC-H9").as_deref(), Some("DSC-H9"));
        assert_eq!(c("SONY  \0junk", " \0").as_deref(), Some("SONY"));
        assert_eq!(
            c("\u{1b}[31mEvil", "Cam\r\n1").as_deref(),
            Some("[31mEvil Cam 1")
        );
        assert_eq!(
            c("M", &"x".repeat(4000)).map(|s| s.chars().count()),
            Some(MAX_NAME)
        );
    }
}
