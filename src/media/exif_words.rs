//! What people and programs have said in EXIF: titles, captions, keywords and stars in the fields
//! that Windows made for them, and every date with what belongs to it. The camera's own facts are
//! in [`super::exif`].

use exif::{Context, Tag, Value};

use super::exif::Fields;
use crate::said::date::WrittenDate;
use crate::said::text::{folded, is_camera_default, line, paragraphs, utf8_or_latin1, utf16_le};
use crate::said::{
    DateField, Keyword, MAX_CAPTION, MAX_TITLE, Position, Said, SaidDate, Standard, is_blank_date,
    stars_of_percent,
};

/// Windows' fields, in UTF-16.
const XP_TITLE: Tag = Tag(Context::Tiff, 0x9C9B);
const XP_COMMENT: Tag = Tag(Context::Tiff, 0x9C9C);
const XP_KEYWORDS: Tag = Tag(Context::Tiff, 0x9C9E);
const XP_SUBJECT: Tag = Tag(Context::Tiff, 0x9C9F);
/// Stars, and the same in percent.
const RATING: Tag = Tag(Context::Tiff, 0x4746);
const RATING_PERCENT: Tag = Tag(Context::Tiff, 0x4749);

/// All that an EXIF block says in words.
pub(super) fn said(fields: &Fields) -> Said {
    let mut said = Said {
        orientation: fields.orientation().and_then(|o| u8::try_from(o).ok()),
        position: fields.position().map(|(lat, lon)| Position {
            lat,
            lon,
            altitude_m: fields.altitude(),
            source: Standard::Exif,
        }),
        rating: fields.rating(),
        ..Said::default()
    };
    // EXIF calls ImageDescription the title (EXIF 2.32, 4.6.5.4); Windows fills it with that.
    let windows = |tag, most| paragraphs(&fields.utf16(tag)?, most);
    let description = fields.description();
    said.title = windows(XP_TITLE, MAX_TITLE)
        .and_then(|title| line(&title, MAX_TITLE))
        .or_else(|| line(description.as_deref()?, MAX_TITLE));
    let is_title = |text: &String| {
        let title = said.title.as_deref().map(folded);
        line(text, MAX_TITLE).is_some_and(|text| Some(folded(&text)) == title)
    };
    said.caption = [
        description,
        windows(XP_COMMENT, MAX_CAPTION),
        windows(XP_SUBJECT, MAX_CAPTION),
    ]
    .into_iter()
    .flatten()
    .find(|text| !is_title(text));
    for keyword in fields.utf16(XP_KEYWORDS).unwrap_or_default().split(';') {
        if !said.add_keyword(Standard::Exif, Keyword::flat(keyword)) {
            break;
        }
    }
    for (field, name, [date, fraction, offset]) in DATES {
        fields.add_date(&mut said, field, name, date, [fraction, offset]);
    }
    said.dates.extend(fields.gps_date());
    said
}

/// Each date with its fields for fractions of seconds and for the offset.
const DATES: [(DateField, &str, [Tag; 3]); 3] = [
    (
        DateField::ExifOriginal,
        "DateTimeOriginal",
        [
            Tag::DateTimeOriginal,
            Tag::SubSecTimeOriginal,
            Tag::OffsetTimeOriginal,
        ],
    ),
    (
        DateField::ExifDigitized,
        "DateTimeDigitized",
        [
            Tag::DateTimeDigitized,
            Tag::SubSecTimeDigitized,
            Tag::OffsetTimeDigitized,
        ],
    ),
    (
        DateField::ExifModified,
        "DateTime",
        [Tag::DateTime, Tag::SubSecTime, Tag::OffsetTime],
    ),
];

impl Fields {
    fn utf16(&self, tag: Tag) -> Option<String> {
        match self.value(tag)? {
            Value::Byte(bytes) | Value::Undefined(bytes, _) => Some(utf16_le(bytes)),
            _ => None,
        }
    }

    fn description(&self) -> Option<String> {
        let raw = self.ascii(Tag::ImageDescription)?;
        let text = paragraphs(&utf8_or_latin1(raw), MAX_CAPTION)?;
        (!is_camera_default(&text)).then_some(text)
    }

    fn rating(&self) -> Option<i8> {
        let stars = self.uint(RATING).filter(|stars| *stars <= 5);
        stars
            .and_then(|stars| i8::try_from(stars).ok())
            .or_else(|| {
                let percent = self.uint(RATING_PERCENT)?;
                stars_of_percent(f64::from(percent))
            })
    }

    fn add_date(
        &self,
        said: &mut Said,
        field: DateField,
        name: &str,
        tag: Tag,
        [fraction, offset]: [Tag; 2],
    ) {
        let Some(raw) = self.ascii(tag) else {
            return;
        };
        match WrittenDate::of_bytes(raw) {
            Some(date) => {
                let date = date
                    .with_fraction(self.ascii(fraction).unwrap_or_default())
                    .with_offset(self.ascii(offset).unwrap_or_default());
                said.dates.push(SaidDate { field, date });
            }
            None => {
                let text = utf8_or_latin1(raw);
                if !is_blank_date(&text) {
                    said.drop_value(Standard::Exif, name, &text, "is no date");
                }
            }
        }
    }

    /// The satellites' date and time, which are UTC. The time alone is worth nothing.
    fn gps_date(&self) -> Option<SaidDate> {
        let day = WrittenDate::of_bytes(self.ascii(Tag::GPSDateStamp)?)?;
        let time = self.numbers(Tag::GPSTimeStamp).unwrap_or_default();
        let moment = match time[..] {
            [hour, minute, second] => WrittenDate::parse(&format!(
                "{day}T{hour:02}:{minute:02}:{:02}Z",
                second.floor()
            )),
            _ => None,
        };
        Some(SaidDate {
            field: DateField::Gps,
            date: moment.unwrap_or(day),
        })
    }
}

#[cfg(test)]
mod tests;
