//! What people and programs have said of a photo, beyond its pixels: when and where it was, what
//! and who is on it, how good it is. One structure for all three standards, and for sidecars.
//!
//! XMP, IPTC and EXIF are read each by itself into a [`Said`], then merged. Where they contradict
//! each other, the order is that of the Metadata Working Group's guidelines, as other programs
//! have it: cameras' facts (place, orientation) from EXIF first, people's words from XMP first,
//! then IPTC, then EXIF. Keywords and people are put together. A value that cannot be is left out
//! by itself, and told in [`Said::dropped`].

use std::collections::HashSet;
use std::fmt::Display;

use super::date::WrittenDate;
use super::text::{folded, line};
use super::{exif_words, iptc, xmp};

/// Keywords of one photo; people who tag much have fifty.
const MAX_KEYWORDS: usize = 1000;
/// Levels of a hierarchy of keywords.
const MAX_LEVELS: usize = 16;
/// People on one photo. A school's group picture has some hundred.
const MAX_PEOPLE: usize = 500;
/// Reasons that are told of one photo.
const MAX_DROPPED: usize = 16;
/// Longest keyword or name, in characters.
pub(super) const MAX_WORD: usize = 256;
/// Longest title, in characters.
pub(super) const MAX_TITLE: usize = 512;
/// Longest caption, in characters; the longest in use are newspapers', of about 2,000.
pub(super) const MAX_CAPTION: usize = 10_000;

/// See the module. All of it is cleaned, within limits, and possible.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Said {
    /// How the stored picture is to be turned, 1 to 8 as EXIF has it.
    pub(crate) orientation: Option<u8>,
    /// All dates, the most trustworthy first.
    pub(crate) dates: Vec<SaidDate>,
    pub(crate) position: Option<Position>,
    /// Each once, whatever its case and spelling; in the order of finding.
    pub(crate) keywords: Vec<Keyword>,
    pub(crate) title: Option<String>,
    pub(crate) caption: Option<String>,
    /// 1 to 5 stars; 0: none, said so; −1: rejected.
    pub(crate) rating: Option<i8>,
    /// Each once, by name.
    pub(crate) people: Vec<Person>,
    /// What was not taken and why, in short: `xmp: GPSLatitude 123,0N is out of range`.
    pub(crate) dropped: Vec<String>,
}

/// A metadata standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Standard {
    Exif,
    Xmp,
    Iptc,
}

impl Standard {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exif => "exif",
            Self::Xmp => "xmp",
            Self::Iptc => "iptc",
        }
    }
}

/// The field that a date is from; those that are trusted more are less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DateField {
    /// EXIF DateTimeOriginal.
    ExifOriginal,
    /// EXIF DateTimeDigitized.
    ExifDigitized,
    /// XMP `exif:DateTimeOriginal`.
    XmpOriginal,
    /// XMP `photoshop:DateCreated`.
    XmpCreated,
    /// XMP `xmp:CreateDate`: of the file, usually.
    XmpFileCreated,
    /// IPTC DateCreated and TimeCreated.
    Iptc,
    /// GPSDateStamp and GPSTimeStamp, which are UTC.
    Gps,
    /// EXIF DateTime: when a camera or program last wrote the file.
    ExifModified,
}

impl DateField {
    /// Where it is from, in a word: `exif`, `xmp`, `iptc`, `gps`.
    #[allow(dead_code)] // told with the date, once that is
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::ExifOriginal | Self::ExifDigitized | Self::ExifModified => "exif",
            Self::XmpOriginal | Self::XmpCreated | Self::XmpFileCreated => "xmp",
            Self::Iptc => "iptc",
            Self::Gps => "gps",
        }
    }
}

/// A date and the field it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SaidDate {
    pub(crate) field: DateField,
    pub(crate) date: WrittenDate,
}

/// Where the photo was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    /// Degrees north, −90 to 90. Never 0 together with `lon`.
    pub(crate) lat: f64,
    /// Degrees east, −180 to 180.
    pub(crate) lon: f64,
    /// Metres above sea level.
    pub(crate) altitude_m: Option<f64>,
    pub(crate) source: Standard,
}

impl Position {
    /// Above sea level or below, in metres, no photo is beyond.
    pub(super) const MAX_ALTITUDE: f64 = 100_000.0;
}

/// A keyword with what it stands below in its hierarchy, the topmost first. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Keyword(Vec<String>);

impl Keyword {
    /// A word of its own.
    pub(super) fn flat(text: &str) -> Option<Self> {
        Some(Self(vec![line(text, MAX_WORD)?]))
    }

    /// `Places|Portugal|Lisbon`, with `separator` between the levels.
    pub(super) fn path(text: &str, separator: char) -> Option<Self> {
        Self::of_levels(text.split(separator))
    }

    pub(super) fn of_levels<'a>(levels: impl Iterator<Item = &'a str>) -> Option<Self> {
        let levels = levels.filter_map(|level| line(level, MAX_WORD));
        let levels: Vec<String> = levels.take(MAX_LEVELS).collect();
        (!levels.is_empty()).then_some(Self(levels))
    }

    /// The word itself.
    pub(crate) fn word(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// All levels, the topmost first, the word last.
    pub(crate) fn levels(&self) -> &[String] {
        &self.0
    }

    fn folded(&self) -> Vec<String> {
        self.0.iter().map(|level| folded(level)).collect()
    }
}

/// Somebody on the photo.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// Where the face is.
    pub(crate) area: Option<FaceArea>,
}

/// A part of the picture, in fractions of its width and height, inside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FaceArea {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl FaceArea {
    /// What of the rectangle is inside the picture, if it is one and begins there.
    pub(super) fn inside(left: f64, top: f64, width: f64, height: f64) -> Option<Self> {
        let (right, bottom) = (left + width, top + height);
        let is_sound = |from: f64, to: f64| from < to && from >= -1.0 && to <= 2.0;
        if !is_sound(left, right) || !is_sound(top, bottom) {
            return None;
        }
        let [left, top, right, bottom] = [left, top, right, bottom].map(|v| v.clamp(0.0, 1.0));
        (left < right && top < bottom).then_some(Self {
            left,
            top,
            width: right - left,
            height: bottom - top,
        })
    }
}

/// What a file says: its EXIF block (a TIFF structure), XMP packet and IPTC records, as far as it
/// has them. Costs about a millisecond for what cameras and programs write.
pub(crate) fn said_by_file(exif: Option<&[u8]>, xmp: Option<&[u8]>, iptc: Option<&[u8]>) -> Said {
    let words = [
        xmp.map(xmp::read).unwrap_or_default(),
        iptc.map(iptc::read).unwrap_or_default(),
        exif.map(exif_words::read).unwrap_or_default(),
    ];
    merged(words)
}

/// What an XMP sidecar says of the photo beside it.
#[allow(dead_code)] // sidecars come with keywords
pub(crate) fn said_by_sidecar(text: &[u8]) -> Said {
    let said = xmp::read(text);
    let none = Said::default;
    merged([said, none(), none()])
}

/// One after the other in their order for words; for facts EXIF, which is the last, goes first.
fn merged([xmp, iptc, exif]: [Said; 3]) -> Said {
    let caption = xmp.caption.or(iptc.caption).or(exif.caption);
    // Programs write a caption into EXIF's title field too, for it has no better one.
    let is_caption = |title: &String| {
        caption
            .as_ref()
            .is_some_and(|caption| folded(caption) == folded(title))
    };
    let title = exif.title.filter(|title| !is_caption(title));
    let mut said = Said {
        orientation: exif.orientation.or(xmp.orientation),
        position: exif.position.or(xmp.position),
        title: xmp.title.or(iptc.title).or(title),
        caption,
        rating: xmp.rating.or(exif.rating),
        ..Said::default()
    };
    for (dates, keywords, people, dropped) in [
        (xmp.dates, xmp.keywords, xmp.people, xmp.dropped),
        (iptc.dates, iptc.keywords, iptc.people, iptc.dropped),
        (exif.dates, exif.keywords, exif.people, exif.dropped),
    ] {
        said.dates.extend(dates);
        said.keywords.extend(keywords);
        said.people.extend(people);
        said.dropped.extend(dropped);
    }
    said.dates.sort_by_key(|date| date.field);
    said.keywords = each_once(said.keywords);
    if said.keywords.len() > MAX_KEYWORDS {
        said.keywords.truncate(MAX_KEYWORDS);
        said.dropped
            .push(format!("more than {MAX_KEYWORDS} keywords"));
    }
    said.people = each_person_once(said.people);
    said.people.truncate(MAX_PEOPLE);
    said.dropped.truncate(MAX_DROPPED);
    said
}

/// A word that stands somewhere in a hierarchy is not there a second time without it.
fn each_once(keywords: Vec<Keyword>) -> Vec<Keyword> {
    let placed = keywords.iter().filter(|keyword| keyword.0.len() > 1);
    let placed: HashSet<String> = placed.map(|keyword| folded(keyword.word())).collect();
    let mut seen = HashSet::new();
    let mut once = Vec::new();
    for keyword in keywords {
        let levels = keyword.folded();
        let is_placed = matches!(&levels[..], [word] if placed.contains(word));
        if !is_placed && seen.insert(levels) {
            once.push(keyword);
        }
    }
    once
}

/// The first area that is given for a name is its.
fn each_person_once(people: Vec<Person>) -> Vec<Person> {
    let mut once: Vec<(String, Person)> = Vec::new();
    for person in people {
        let name = folded(&person.name);
        match once.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.area = known.area.or(person.area),
            None => once.push((name, person)),
        }
    }
    once.into_iter().map(|(_, person)| person).collect()
}

impl Said {
    /// Tells that a field's value was not taken.
    pub(super) fn drop_value(&mut self, from: Standard, field: &str, value: &str, why: &str) {
        let value = line(value, 40).unwrap_or_default();
        self.tell(from, format_args!("{field} {value} {why}"));
    }

    /// Tells something about all of a standard's data.
    pub(super) fn tell(&mut self, from: Standard, what: impl Display) {
        if self.dropped.len() < MAX_DROPPED {
            self.dropped.push(format!("{}: {what}", from.name()));
        }
    }

    /// Takes a date, or tells that it is none. Blanks and zeros stand for "not known".
    pub(super) fn add_date(&mut self, from: Standard, field: DateField, name: &str, text: &str) {
        match WrittenDate::parse(text) {
            Some(date) => self.dates.push(SaidDate { field, date }),
            None if is_blank_date(text) => {}
            None => self.drop_value(from, name, text, "is no date"),
        }
    }

    /// False when there are too many already, which is told.
    pub(super) fn add_keyword(&mut self, from: Standard, keyword: Option<Keyword>) -> bool {
        // Of these some may still be the same.
        if self.keywords.len() >= 4 * MAX_KEYWORDS {
            self.tell(from, "too many keywords, the rest is left out");
            return false;
        }
        self.keywords.extend(keyword);
        true
    }

    /// False when there are too many already, which is told.
    pub(super) fn add_person(
        &mut self,
        from: Standard,
        name: &str,
        area: Option<FaceArea>,
    ) -> bool {
        if self.people.len() >= MAX_PEOPLE {
            self.tell(from, "too many people, the rest is left out");
            return false;
        }
        let name = line(name, MAX_WORD);
        self.people.extend(name.map(|name| Person { name, area }));
        true
    }
}

/// Windows writes 1, 25, 50, 75 and 99 for one to five stars.
pub(super) fn stars_of_percent(percent: f64) -> Option<i8> {
    if !(0.0..=100.0).contains(&percent) {
        return None;
    }
    Some(if percent < 1.0 {
        0
    } else {
        (percent / 25.0).round() as i8 + 1
    })
}

/// True for a date that is all zeros, blanks and separators.
pub(super) fn is_blank_date(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(
            c,
            '0' | ' ' | ':' | '-' | '/' | '.' | 'T' | 'Z' | '+' | '\0'
        )
    })
}

#[cfg(test)]
mod tests;
