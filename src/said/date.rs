//! Dates as cameras, programs and people write them: one reader for EXIF, XMP and IPTC.
//!
//! Pure: text in, date out. What is written vaguely stays vague (`1985:06:00` is June 1985), so a
//! date has a precision. Lenient where files in the wild are known to stray: any of `:-/.` between
//! the parts of a date, blanks or zeros for what is not known, second 60, hour 24 (of clocks that
//! count from 1), an offset inside the text and of nearly any form. Strict in all else: a day or a
//! minute that cannot be makes the text no date, and so do years that only clocks that were never
//! set have.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::photo::CapturedAt;

/// Years that a picture can be of. Museums write when the original was made; 0, 1 and 9999 are
/// what unset clocks and empty fields give.
const YEARS: RangeInclusive<i16> = 1500..=2199;

/// A date as far as it is known: where a part is missing, so are all smaller ones. Local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WrittenDate {
    /// Of our era.
    pub year: i16,
    /// 1 to 12.
    pub month: Option<u8>,
    /// 1 to 31.
    pub day: Option<u8>,
    /// 0 to 23.
    pub hour: Option<u8>,
    /// 0 to 59.
    pub minute: Option<u8>,
    /// 0 to 59.
    pub second: Option<u8>,
    /// Of the second.
    pub nanosecond: Option<u32>,
    /// Minutes east of UTC, where the file says so.
    pub offset_minutes: Option<i16>,
}

impl WrittenDate {
    /// Reads `text` up to its first NUL. See the module for what it forgives.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split('\0').next()?.trim();
        let mut rest = Cursor(text.as_bytes());
        let year = rest.digits(4).and_then(|y| i16::try_from(y).ok())?;
        let mut date = YEARS.contains(&year).then_some(Self::of_year(year))?;
        if rest.is_empty() {
            return Some(date);
        }
        let is_compact = rest.0[0].is_ascii_digit();
        if is_compact && Cursor(rest.0).digits(4).is_none() {
            return None;
        }
        let is_separator = |c: u8| matches!(c, b':' | b'-' | b'/' | b'.');
        let part = |rest: &mut Cursor<'_>| {
            if !is_compact {
                rest.skip(is_separator)?;
            }
            rest.part()
        };
        let Some(month) = part(&mut rest)?.filter(|m| *m != 0) else {
            return Some(date);
        };
        date.month = (month <= 12).then_some(Some(month))?;
        if rest.is_empty() && !is_compact {
            return Some(date);
        }
        let Some(day) = part(&mut rest)?.filter(|d| *d != 0) else {
            return Some(date);
        };
        Date::new(year, month.cast_signed(), i8::try_from(day).ok()?).ok()?;
        date.day = Some(day);
        if rest.is_empty() {
            return Some(date);
        }
        rest.skip(|c| matches!(c, b' ' | b'T' | b't'))?;
        date.read_time(rest)
    }

    /// The same from the bytes of an EXIF or IPTC field.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        /// More than any date has.
        const LONGEST: usize = 64;
        Self::parse(&String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]))
    }

    fn of_year(year: i16) -> Self {
        Self {
            year,
            month: None,
            day: None,
            hour: None,
            minute: None,
            second: None,
            nanosecond: None,
            offset_minutes: None,
        }
    }

    /// What is behind the day. Where it is not understood to its end, only the day is certain.
    fn read_time(mut self, mut rest: Cursor<'_>) -> Option<Self> {
        let day = self;
        rest.skip_blanks();
        let Some(hour) = rest.number() else {
            return rest.is_blank_time().then_some(day);
        };
        // Some clocks count from 1 to 24, and so write the hour after midnight.
        self.hour = (hour <= 24).then_some(Some(hour % 24))?;
        let is_compact = rest.0.first().is_some_and(u8::is_ascii_digit);
        if is_compact || rest.skip(|c| c == b':').is_some() {
            self.minute = rest.part()?;
            let more = is_compact && rest.0.first().is_some_and(u8::is_ascii_digit);
            if more || (!is_compact && rest.skip(|c| c == b':').is_some()) {
                // Of a minute that is not known there are no seconds.
                self.second = rest.part()?.filter(|_| self.minute.is_some());
            }
        }
        let is_sound = self.minute.is_none_or(|m| m < 60) && self.second.is_none_or(|s| s <= 60);
        self.second = is_sound.then_some(self.second.map(|s| s.min(59)))?;
        if rest.skip(|c| matches!(c, b'.' | b',')).is_some() {
            self.nanosecond = rest.fraction().filter(|_| self.second.is_some());
        }
        let tail = std::str::from_utf8(rest.0).unwrap_or("?").trim();
        if tail.is_empty() {
            return Some(self);
        }
        let is_offset = tail.starts_with(['+', '-', 'Z', 'z']) || is_utc(tail);
        self.offset_minutes = offset_minutes(tail);
        Some(if is_offset { self } else { day })
    }

    /// With the digits of a sub-second field of its own, unless it has a fraction.
    #[must_use]
    pub fn with_fraction(mut self, digits: &[u8]) -> Self {
        if self.second.is_some() && self.nanosecond.is_none() {
            let end = digits.iter().position(|b| *b == 0);
            let digits = digits[..end.unwrap_or(digits.len())].trim_ascii();
            let mut rest = Cursor(digits);
            self.nanosecond = rest.fraction().filter(|_| rest.is_empty());
        }
        self
    }

    /// With the offset in a field of its own, unless it has one.
    #[must_use]
    pub fn with_offset(mut self, text: &[u8]) -> Self {
        if self.hour.is_some() && self.offset_minutes.is_none() {
            self.offset_minutes = std::str::from_utf8(text).ok().and_then(offset_minutes);
        }
        self
    }

    /// Whether the other date says nothing that this one does not. Fractions of seconds do not count,
    /// nor does an offset that only the other one has: programs put their own there.
    pub fn covers(&self, other: &Self) -> bool {
        let moment = |date: &Self| {
            let offset = date.offset_minutes.filter(|_| date.second.is_some());
            offset.map(|minutes| date.millis() / 1000 - i64::from(minutes) * 60)
        };
        if let (Some(mine), Some(others)) = (moment(self), moment(other)) {
            return mine == others;
        }
        self.year == other.year
            && [
                (self.month, other.month),
                (self.day, other.day),
                (self.hour, other.hour),
                (self.minute, other.minute),
                (self.second, other.second),
            ]
            .into_iter()
            .all(|(mine, others)| others.is_none() || mine == others)
    }

    /// The first moment that it can mean, in milliseconds since 1970 as if its clock were UTC's.
    pub fn millis(&self) -> i64 {
        let [month, day] = [self.month, self.day].map(|part| part.unwrap_or(1).cast_signed());
        let [hour, minute, second] =
            [self.hour, self.minute, self.second].map(|part| i64::from(part.unwrap_or(0)));
        // Each part was checked when it was read.
        let days = Date::new(self.year, month, day).map_or(0, |date| {
            let since = date.duration_since(Date::constant(1970, 1, 1));
            since.as_secs() / 86_400
        });
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        seconds * 1000 + i64::from(self.nanosecond.unwrap_or(0) / 1_000_000)
    }

    /// A moment on UTC's clock, from seconds or milliseconds since 1970.
    pub fn of_utc_millis(millis: i64) -> Option<Self> {
        let moment = jiff::Timestamp::from_millisecond(millis).ok()?;
        let text = moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut date = Self::parse(&text)?;
        let rest = millis.rem_euclid(1000);
        date.nanosecond = u32::try_from(rest * 1_000_000).ok().filter(|n| *n > 0);
        Some(date)
    }

    /// A file's time of change, on the clock here.
    pub fn of_file(mtime_ns: i64) -> Self {
        let moment = jiff::Timestamp::from_nanosecond(i128::from(mtime_ns)).unwrap_or_default();
        let here = moment.to_zoned(jiff::tz::TimeZone::system());
        let part = |value: i8| Some(value.unsigned_abs());
        Self {
            year: here.year(),
            month: part(here.month()),
            day: part(here.day()),
            hour: part(here.hour()),
            minute: part(here.minute()),
            second: part(here.second()),
            nanosecond: None,
            offset_minutes: i16::try_from(here.offset().seconds() / 60).ok(),
        }
    }

    /// The first second that it can mean.
    pub fn earliest(&self) -> CapturedAt {
        let date = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let [hour, minute, second] =
            [self.hour, self.minute, self.second].map(|part| part.unwrap_or(0));
        CapturedAt {
            local: format!(
                "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
                self.year, date.0, date.1
            ),
            offset_minutes: self.offset_minutes.map(i32::from),
        }
    }
}

/// As it is displayed.
impl Serialize for WrittenDate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WrittenDate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no date"))
    }
}

/// ISO 8601, to its precision.
impl fmt::Display for WrittenDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        for (mark, part) in [
            ('-', self.month),
            ('-', self.day),
            ('T', self.hour),
            (':', self.minute),
            (':', self.second),
        ] {
            if let Some(part) = part {
                write!(f, "{mark}{part:02}")?;
            }
        }
        if let Some(nanos) = self.nanosecond {
            let digits = format!("{nanos:09}");
            let (first, more) = digits.split_at(1);
            write!(f, ".{first}{}", more.trim_end_matches('0'))?;
        }
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(m) => {
                let (sign, m) = (if m < 0 { '-' } else { '+' }, m.abs());
                write!(f, "{sign}{:02}:{:02}", m / 60, m % 60)
            }
        }
    }
}

/// `+05:30`, `+2:00`, `+0200`, `+02` or `Z` as minutes east of UTC; zones lie between −12 and +14
/// hours.
pub fn offset_minutes(text: &str) -> Option<i16> {
    let text = text.split('\0').next()?.trim();
    if is_utc(text) {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes() {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h @ .., b':', a, b] if !h.is_empty() => (h, [*a, *b]),
        [h @ .., a, b] if !h.is_empty() => (h, [*a, *b]),
        hours => (hours, *b"00"),
    };
    let number = |digits: &[u8]| {
        let mut rest = Cursor(digits);
        rest.number().filter(|_| rest.is_empty()).map(i16::from)
    };
    let (hours, minutes) = (number(hours)?, number(&minutes).filter(|m| *m < 60)?);
    let east = sign * (hours * 60 + minutes);
    (-12 * 60..=14 * 60).contains(&east).then_some(east)
}

fn is_utc(text: &str) -> bool {
    ["Z", "UTC", "GMT"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name))
}

/// The text that is not read yet.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = wanted(*first).then_some(rest)?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// True if nothing is left but what stands for a time that is not known.
    fn is_blank_time(&self) -> bool {
        self.0.iter().all(|c| matches!(c, b' ' | b':'))
    }

    /// Exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        self.0 = all.then_some(rest)?;
        Some(digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u8> {
        let number = self.digits(2).or_else(|| self.digits(1))?;
        u8::try_from(number).ok()
    }

    /// Two places: a number, which may be filled up with a blank before it, or blanks for what is
    /// not known. The blanks may have been trimmed away at the end.
    fn part(&mut self) -> Option<Option<u8>> {
        match self.0 {
            [b' ', d, ..] if d.is_ascii_digit() => {
                self.0 = &self.0[1..];
                Some(self.digits(1).and_then(|n| u8::try_from(n).ok()))
            }
            [b' ', b' ', rest @ ..] => {
                self.0 = rest;
                Some(None)
            }
            [] | [b' '] => {
                self.0 = &[];
                Some(None)
            }
            _ => {
                let number = self.digits(2)?;
                Some(Some(u8::try_from(number).ok()?))
            }
        }
    }

    /// All digits that follow, as the nanoseconds of a decimal fraction.
    fn fraction(&mut self) -> Option<u32> {
        let len = self.0.iter().take_while(|c| c.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let nine = digits.iter().chain(b"00000000").take(9);
        (len > 0).then(|| nine.fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    }
}

#[cfg(test)]
mod tests;
