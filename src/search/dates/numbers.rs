//! Dates in numbers: `2019-05-03`, `2019/5/3`, `20190503`, `3.5.2019`, each with or without a time and
//! the offset of its clock.

use jiff::ToSpan;
use jiff::civil::{Date, Time};

use super::{DateReading, Stretch};
use crate::store::YearlyDay;

/// A date as far as it is told.
#[derive(Clone, Copy)]
enum Numbers {
    Year(i16),
    Month(i16, i8),
    Day(Date),
    Ambiguous(Date, Date),
}

/// Reads a date, and perhaps a time of day.
pub(super) fn read(text: &str) -> Option<DateReading> {
    let (date, time) = cut(text);
    let date = date_of(date)?;
    let Some(time) = time else {
        return Some(match date {
            Numbers::Year(year) => DateReading::Stretch(Stretch::of(year, None, None)?),
            Numbers::Month(year, month) => {
                DateReading::Stretch(Stretch::of(year, Some(month), None)?)
            }
            Numbers::Day(day) => DateReading::Stretch(Stretch::of_day(day)?),
            Numbers::Ambiguous(one, other) => DateReading::Ambiguous(one, other),
        });
    };
    match date {
        Numbers::Day(day) => at_time(day, time).map(DateReading::Stretch),
        Numbers::Ambiguous(one, other) => Some(DateReading::Ambiguous(one, other)),
        Numbers::Year(_) | Numbers::Month(..) => None,
    }
}

/// The stretch of a time of that day: a minute, a second, or an hour.
pub(super) fn at_time(day: Date, text: &str) -> Option<Stretch> {
    let (clock, offset_minutes) = offset(text)?;
    let clock = clock.trim();
    let fields: Vec<&str> = match clock.len() {
        4 if digits(clock).is_some() => vec![&clock[..2], &clock[2..]],
        6 if digits(clock).is_some() => vec![&clock[..2], &clock[2..4], &clock[4..]],
        _ => clock.split(':').collect(),
    };
    let (time, length) = match fields[..] {
        [h] => (Time::new(two(h)?, 0, 0, 0).ok()?, 1.hour()),
        [h, m] => (Time::new(two(h)?, two(m)?, 0, 0).ok()?, 1.minute()),
        [h, m, s] => {
            // Of a second's parts nothing is asked for.
            let (s, parts) = s.split_once('.').unwrap_or((s, "0"));
            digits(parts)?;
            (Time::new(two(h)?, two(m)?, two(s)?, 0).ok()?, 1.second())
        }
        _ => return None,
    };
    let start = day.to_datetime(time);
    Some(Stretch {
        start,
        end: start.checked_add(length).ok()?,
        offset_minutes,
    })
}

/// A day or a month of any year: `12-24`, `*-12-25`, `*-12`, `24.12.`, `12/24`.
pub(super) fn any_year(text: &str) -> Option<YearlyDay> {
    let starred = text.strip_prefix("*-").or_else(|| text.strip_prefix("--"));
    if let Some(month) = starred.and_then(|rest| number(rest, 2)) {
        return yearly(month, None);
    }
    let text = starred.unwrap_or(text);
    if let Some((day, month)) = text.trim_end_matches('.').split_once('.') {
        return yearly(number(month, 2)?, Some(number(day, 2)?));
    }
    let (month, day) = text.split_once(['-', '/'])?;
    let (month, day) = (number(month, 2)?, number(day, 2)?);
    // Only one of them can be a month.
    if month > 12 {
        yearly(day, Some(month))
    } else {
        yearly(month, Some(day))
    }
}

/// If there is such a day in any year.
pub(super) fn yearly(month: i16, day: Option<i16>) -> Option<YearlyDay> {
    let month = i8::try_from(month).ok()?;
    let day = day.map(i8::try_from).transpose().ok()?;
    // A leap year has them all.
    Date::new(2000, month, day.unwrap_or(1)).ok()?;
    Some(YearlyDay { month, day })
}

/// The date, and what is said of the time: behind a `t` between digits, or behind a blank.
fn cut(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let t = (1..bytes.len()).find(|at| bytes[*at] == b't' && is_digit(at - 1) && is_digit(at + 1));
    match t.or_else(|| text.find(' ')) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn date_of(text: &str) -> Option<Numbers> {
    if digits(text).is_some() {
        return match text.len() {
            4 => Some(Numbers::Year(text.parse().ok()?)),
            8 => day(
                number(&text[..4], 4)?,
                number(&text[4..6], 2)?,
                number(&text[6..], 2)?,
            ),
            _ => None,
        };
    }
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(separator, '-' | '/' | '.' | ':') {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).collect();
    match parts[..] {
        [year, month] if year.len() == 4 => month_of(number(year, 4)?, number(month, 2)?),
        [month, year] if year.len() == 4 => month_of(number(year, 4)?, number(month, 2)?),
        [year, month, of_month] if year.len() == 4 => {
            day(number(year, 4)?, number(month, 2)?, number(of_month, 2)?)
        }
        [one, other, year] if year.len() == 4 => {
            let (year, one, other) = (number(year, 4)?, number(one, 2)?, number(other, 2)?);
            by_day(year, one, other, separator)
        }
        _ => None,
    }
}

/// A date with the year at its end: with dots the day comes first; with anything else whichever of
/// the two can be one.
fn by_day(year: i16, one: i16, other: i16, separator: char) -> Option<Numbers> {
    let date = |month: i16, of_month: i16| match day(year, month, of_month)? {
        Numbers::Day(date) => Some(date),
        _ => None,
    };
    let (day_first, month_first) = (date(other, one), date(one, other));
    match (day_first, month_first) {
        (Some(date), _) if separator == '.' => Some(Numbers::Day(date)),
        (None, _) if separator == '.' => None,
        (Some(a), Some(b)) if a != b => Some(Numbers::Ambiguous(b, a)),
        (found, other) => found.or(other).map(Numbers::Day),
    }
}

fn month_of(year: i16, month: i16) -> Option<Numbers> {
    let month = i8::try_from(month).ok().filter(|m| (1..=12).contains(m))?;
    Some(Numbers::Month(year, month))
}

fn day(year: i16, month: i16, of_month: i16) -> Option<Numbers> {
    let (month, of_month) = (i8::try_from(month).ok()?, i8::try_from(of_month).ok()?);
    Some(Numbers::Day(Date::new(year, month, of_month).ok()?))
}

/// The time without what is said of its offset, and that in minutes: `z`, `utc`, `+02:00`, `-0330`,
/// `+2`.
fn offset(text: &str) -> Option<(&str, Option<i32>)> {
    if let Some(clock) = text.strip_suffix("utc").or_else(|| text.strip_suffix('z')) {
        return Some((clock, Some(0)));
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, None));
    };
    let (clock, told) = text.split_at(at);
    let sign = if told.starts_with('-') { -1 } else { 1 };
    let told = &told[1..];
    let (hours, rest) = match told.split_once(':') {
        Some(parts) => parts,
        None if told.len() == 4 => told.split_at(2),
        None => (told, "0"),
    };
    let (hours, rest) = (number(hours, 2)?, number(rest, 2)?);
    let minutes = i32::from(hours) * 60 + i32::from(rest);
    (hours <= 14 && rest < 60).then_some((clock, Some(sign * minutes)))
}

/// At least one digit and nothing else.
fn digits(text: &str) -> Option<()> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(())
}

/// A number of so many digits at most.
pub(super) fn number(text: &str, most: usize) -> Option<i16> {
    digits(text)?;
    (text.len() <= most).then(|| text.parse().ok())?
}

fn two(text: &str) -> Option<i8> {
    i8::try_from(number(text, 2)?).ok()
}
