//! Floor 0: what people and programs have said of a photo, beyond its pixels: when and where it was, what
//! and who is on it, how good it is. One structure for all standards, for sidecars and for a
//! person's own marks; which of several that contradict each other counts is decided where they
//! are put together (`media::said_by` for one file's standards, `store::said` for file, sidecars
//! and marks).
//!
//! A value that cannot be is left out by itself, and told in [`Said::dropped`]. Kept as JSON in
//! the index, so a field that is not set takes no room there.

pub mod date;
mod keyword;
mod name_date;
pub(crate) mod text;

use std::fmt::Display;

use serde::{Deserialize, Serialize};

pub use self::date::WrittenDate;
pub use self::keyword::Keyword;
pub(crate) use self::keyword::MAX_LEVELS;
pub use self::name_date::date_of_name;
use self::text::{folded, line};
use crate::photo::CapturedAt;

/// Keywords of one photo; people who tag much have fifty.
pub(crate) const MAX_KEYWORDS: usize = 1000;
/// People on one photo. A school's group picture has some hundred.
const MAX_PEOPLE: usize = 500;
/// Bytes of all keywords and names of one photo together.
const MAX_TEXT: usize = 64 << 10;
/// Longest of those, in characters.
const MAX_TOLD: usize = 200;
/// Bringing a text into one Unicode form makes it longer at times, by this at most (UAX 15, 9).
const MOST_LONGER: usize = 3;
/// Dates of one photo.
const MAX_DATES: usize = 32;
/// Reasons that are told of one photo.
const MAX_DROPPED: usize = 16;
/// Longest keyword or name, in characters.
pub(crate) const MAX_WORD: usize = 256;
/// Longest title, in characters.
pub(crate) const MAX_TITLE: usize = 512;
/// Longest caption, in characters; the longest in use are newspapers', of about 2,000.
pub(crate) const MAX_CAPTION: usize = 10_000;

/// See the module. All of it is cleaned, within limits, and possible.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// How the stored picture is to be turned, 1 to 8 as EXIF has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
    /// All dates, the most trustworthy first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<SaidDate>,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Each once, whatever its case and spelling; in the order of finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<Keyword>,
    /// A few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Some sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// 1 to 5 stars; 0: none, said so; −1: rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<i8>,
    /// Each once, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
    /// What was not taken and why, in short: `xmp: GPSLatitude 123,0N is out of range`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// A metadata standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Standard {
    Exif,
    Xmp,
    Iptc,
    /// The notes that Google puts beside the photos of an export.
    Takeout,
}

impl Standard {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exif => "exif",
            Self::Xmp => "xmp",
            Self::Iptc => "iptc",
            Self::Takeout => "takeout",
        }
    }
}

/// The field that a date is from; those that are trusted more are less. The numbers stand in the
/// index ([`DateField::number`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateField {
    /// An XMP sidecar's that was written after the file.
    Corrected = 5,
    /// EXIF DateTimeOriginal.
    ExifOriginal = 10,
    /// EXIF DateTimeDigitized.
    ExifDigitized = 11,
    /// XMP `exif:DateTimeOriginal`.
    XmpOriginal = 20,
    /// XMP `photoshop:DateCreated`.
    XmpCreated = 21,
    /// XMP `xmp:CreateDate`: of the file, usually.
    XmpFileCreated = 22,
    /// IPTC DateCreated and TimeCreated.
    Iptc = 30,
    /// An XMP sidecar's.
    Sidecar = 40,
    /// Google Takeout's photoTakenTime, which is UTC.
    Takeout = 41,
    /// GPSDateStamp and GPSTimeStamp, which are UTC.
    Gps = 50,
    /// A PNG's `Creation Time`.
    PngCreated = 51,
    /// The file's name.
    Name = 60,
    /// EXIF DateTime: when a camera or program last wrote the file.
    ExifModified = 70,
    /// A PNG's tIME, the same.
    PngModified = 71,
    /// The file's own time of change.
    File = 80,
}

impl DateField {
    const ALL: [Self; 15] = [
        Self::Corrected,
        Self::ExifOriginal,
        Self::ExifDigitized,
        Self::XmpOriginal,
        Self::XmpCreated,
        Self::XmpFileCreated,
        Self::Iptc,
        Self::Sidecar,
        Self::Takeout,
        Self::Gps,
        Self::PngCreated,
        Self::Name,
        Self::ExifModified,
        Self::PngModified,
        Self::File,
    ];

    /// Where it is from, in a word: `exif`, `xmp`, `iptc`, `sidecar`, `takeout`, `gps`, `png`, `name`
    /// or `file`.
    pub fn source(self) -> &'static str {
        match self {
            Self::ExifOriginal | Self::ExifDigitized | Self::ExifModified => "exif",
            Self::XmpOriginal | Self::XmpCreated | Self::XmpFileCreated => "xmp",
            Self::Iptc => "iptc",
            Self::Corrected | Self::Sidecar => "sidecar",
            Self::Takeout => "takeout",
            Self::Gps => "gps",
            Self::PngCreated | Self::PngModified => "png",
            Self::Name => "name",
            Self::File => "file",
        }
    }

    /// The number that stands for it in the index.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The field that a number stands for.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.number() == number)
    }
}

/// A date and the field it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidDate {
    /// Where it stands.
    pub field: DateField,
    /// The date.
    pub date: WrittenDate,
}

impl SaidDate {
    /// When a photo at one of its places was taken: by what is said of it, by the place's name, or by
    /// the file's time of change on the clock here.
    pub fn of_place(said: Option<Self>, path: &[u8], mtime_ns: i64) -> Self {
        if let Some(said) = said.filter(|said| said.field < DateField::Name) {
            return said;
        }
        let name = date_of_name(path).map(|date| Self {
            field: DateField::Name,
            date,
        });
        name.or(said).unwrap_or_else(|| Self {
            field: DateField::File,
            date: WrittenDate::of_file(mtime_ns),
        })
    }
}

/// Where the photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees north, −90 to 90. Never 0 together with `lon`.
    pub lat: f64,
    /// Degrees east, −180 to 180.
    pub lon: f64,
    /// Metres above sea level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub altitude_m: Option<f64>,
    /// Who says so.
    pub source: Standard,
}

impl Position {
    /// Above sea level or below, in metres, no photo is beyond.
    pub(crate) const MAX_ALTITUDE: f64 = 100_000.0;

    fn is_possible(self) -> bool {
        self.lat.abs() <= 90.0
            && self.lon.abs() <= 180.0
            && self
                .altitude_m
                .is_none_or(|m| m.abs() <= Self::MAX_ALTITUDE)
    }
}

/// Somebody on the photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// As written.
    pub name: String,
    /// Where the face is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<FaceArea>,
}

/// A part of the picture, in fractions of its width and height, inside it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaceArea {
    /// From the left edge.
    pub left: f64,
    /// From the upper edge.
    pub top: f64,
    /// Of the picture's.
    pub width: f64,
    /// Of the picture's.
    pub height: f64,
}

impl FaceArea {
    /// What of the rectangle is inside the picture, if it is one and begins there.
    pub(crate) fn inside(left: f64, top: f64, width: f64, height: f64) -> Option<Self> {
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
    /// With its dates in order, keywords and people each once, and no more of all than are kept.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        self.dates.sort_by_key(|date| date.field);
        self.dates.truncate(MAX_DATES);
        self.keywords = keyword::each_once(self.keywords);
        self.people = each_person_once(self.people);
        let words = (self.keywords.len(), self.people.len());
        self.keywords.truncate(MAX_KEYWORDS);
        self.people.truncate(MAX_PEOPLE);
        let mut left = MAX_TEXT;
        let mut fits = |len: usize| {
            left = left.saturating_sub(len);
            left > 0
        };
        self.keywords
            .retain(|keyword| fits(keyword.levels().iter().map(String::len).sum()));
        self.people.retain(|person| fits(person.name.len()));
        if words != (self.keywords.len(), self.people.len()) {
            self.dropped
                .push("more keywords and people than are kept of one photo".to_owned());
        }
        self.dropped.truncate(MAX_DROPPED);
        self
    }

    /// A title as it is kept; `None`: there is nothing in it.
    pub fn cleaned_title(text: &str) -> Option<String> {
        line(text, MAX_TITLE)
    }

    /// A person's name without blanks and control characters around and in it.
    pub fn cleaned_name(text: &str) -> Option<String> {
        line(text, MAX_WORD)
    }

    /// The most trustworthy date, with the earliest moment that it can mean.
    pub fn captured_at(&self) -> Option<CapturedAt> {
        self.dates.first().map(|said| said.date.earliest())
    }

    /// Whether it can have come out of [`Said::tidied`].
    pub fn is_possible(&self) -> bool {
        let clean = |text: &str, most: usize| {
            text.chars().count() <= MOST_LONGER * most
                && !text.is_empty()
                && text.chars().all(text::is_shown)
        };
        let words = self.keywords.iter().flat_map(Keyword::levels);
        let names = self.people.iter().map(|person| &person.name);
        let is_part = |part: f64| (0.0..=1.0).contains(&part);
        let areas = self.people.iter().filter_map(|person| person.area);
        let caption = self.caption.as_deref();
        self.orientation.is_none_or(|turn| (1..=8).contains(&turn))
            && self.dates.len() <= MAX_DATES
            && self.dates.is_sorted_by_key(|date| date.field)
            && self.position.is_none_or(Position::is_possible)
            && self.rating.is_none_or(|stars| (-1..=5).contains(&stars))
            && self.keywords.len() <= MAX_KEYWORDS
            && self
                .keywords
                .iter()
                .all(|keyword| (1..=MAX_LEVELS).contains(&keyword.levels().len()))
            && self.people.len() <= MAX_PEOPLE
            && words.chain(names).all(|word| clean(word, MAX_WORD))
            && self
                .title
                .as_deref()
                .is_none_or(|title| clean(title, MAX_TITLE))
            && caption.is_none_or(|text| {
                text.lines()
                    .all(|line| line.is_empty() || clean(line, MAX_CAPTION))
            })
            && areas
                .into_iter()
                .all(|a| [a.left, a.top, a.width, a.height].into_iter().all(is_part))
            && self.dropped.len() <= MAX_DROPPED
            && self.dropped.iter().all(|why| clean(why, MAX_TOLD))
    }

    /// Tells that a field's value was not taken.
    pub(crate) fn drop_value(&mut self, from: Standard, field: &str, value: &str, why: &str) {
        let value = line(value, 40).unwrap_or_default();
        self.tell(from, format_args!("{field} {value} {why}"));
    }

    /// Tells something about all of a standard's data.
    pub(crate) fn tell(&mut self, from: Standard, what: impl Display) {
        if self.dropped.len() < MAX_DROPPED {
            let what = format!("{}: {what}", from.name());
            self.dropped.extend(line(&what, MAX_TOLD));
        }
    }

    /// Takes a date, or tells that it is none. Blanks and zeros stand for "not known".
    pub(crate) fn add_date(&mut self, from: Standard, field: DateField, name: &str, text: &str) {
        match WrittenDate::parse(text) {
            Some(date) => self.dates.push(SaidDate { field, date }),
            None if is_blank_date(text) => {}
            None => self.drop_value(from, name, text, "is no date"),
        }
    }

    /// False when there are too many already, which is told.
    pub fn add_keyword(&mut self, from: Standard, keyword: Option<Keyword>) -> bool {
        // Of these some may still be the same.
        if self.keywords.len() >= 4 * MAX_KEYWORDS {
            self.tell(from, "too many keywords, the rest is left out");
            return false;
        }
        self.keywords.extend(keyword);
        true
    }

    /// False when there are too many already, which is told.
    pub fn add_person(&mut self, from: Standard, name: &str, area: Option<FaceArea>) -> bool {
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
pub(crate) fn stars_of_percent(percent: f64) -> Option<i8> {
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
pub(crate) fn is_blank_date(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(
            c,
            '0' | ' ' | ':' | '-' | '/' | '.' | 'T' | 'Z' | '+' | '\0'
        )
    })
}
