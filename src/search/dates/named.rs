//! Dates in words: `yesterday`, `monday`, `last week`, `30 days`, `3 May 2020`.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::numbers::{at_time, number, yearly};
use super::{DateReading, Stretch};
use crate::store::YearlyDay;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Longest that something is said to be ago, in whatever unit: a bound for what is no age.
const MOST: i32 = 9000;

/// Reads a date in words.
pub(super) fn read(text: &str, today: Date) -> Option<DateReading> {
    let stretch = relative(text, today)
        .or_else(|| age(text, today).and_then(Stretch::of_day))
        .or_else(|| with_month(text, today))?;
    Some(DateReading::Stretch(stretch))
}

/// A month, or a day of one, without a year: `december`, `24 dec`, `Dec 24th`.
pub(super) fn any_year(text: &str) -> Option<YearlyDay> {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        [name] => yearly(month(name)?, None),
        [a, b] => {
            let (name, day) = month(a).map(|m| (m, b)).or_else(|| Some((month(b)?, a)))?;
            yearly(name, Some(ordinal(day)?))
        }
        _ => None,
    }
}

/// Told from today.
fn relative(text: &str, today: Date) -> Option<Stretch> {
    match text {
        "today" | "now" => return Stretch::of_day(today),
        "yesterday" => return Stretch::of_day(today.checked_sub(1.day()).ok()?),
        "tomorrow" => return Stretch::of_day(today.checked_add(1.day()).ok()?),
        _ => {}
    }
    if let Some(day) = weekday(text) {
        return Stretch::of_day(latest(day, today)?);
    }
    let (which, unit) = text.split_once(' ')?;
    let back = match which {
        "this" => 0,
        "last" | "past" | "previous" => 1,
        _ => return None,
    };
    let (first, length) = match unit {
        "week" => (latest(Weekday::Monday, today)?, 1.week()),
        "month" => (today.first_of_month(), 1.month()),
        "year" => (today.first_of_year(), 1.year()),
        _ => return last_named(unit, back, today),
    };
    let first = if back == 1 {
        first.checked_sub(length).ok()?
    } else {
        first
    };
    Some(Stretch::of_days(first, first.checked_add(length).ok()?))
}

/// `last monday` is never today, `last may` never this month; and `last 30 days`.
fn last_named(unit: &str, back: i32, today: Date) -> Option<Stretch> {
    if let Some(day) = weekday(unit) {
        let from = if back == 1 {
            today.checked_sub(1.day()).ok()?
        } else {
            today
        };
        return Stretch::of_day(latest(day, from)?);
    }
    if let Some(month) = month(unit) {
        let month = i8::try_from(month).ok()?;
        let is_over = month < today.month() || (back == 0 && month == today.month());
        let year = if is_over {
            today.year()
        } else {
            today.year() - 1
        };
        return Stretch::of(year, Some(month), None);
    }
    // All of it, up to today.
    let first = age(unit, today).filter(|_| back == 1)?;
    Some(Stretch::of_days(first, today.checked_add(1.day()).ok()?))
}

/// The latest such day up to this one.
fn latest(day: Weekday, from: Date) -> Option<Date> {
    let back = from.weekday().since(day);
    from.checked_sub(i64::from(back).days()).ok()
}

/// `30d`, `30days`, `30 days`, `30 days ago`, `a week ago`: the day that long ago.
fn age(text: &str, today: Date) -> Option<Date> {
    let text = text.strip_suffix(" ago").unwrap_or(text);
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(split);
    let (count, unit) = match unit.strip_prefix("an ").or_else(|| unit.strip_prefix("a ")) {
        Some(unit) if count.is_empty() => (1, unit),
        _ => (count.parse::<i32>().ok()?, unit.trim_start()),
    };
    if !(0..=MOST).contains(&count) {
        return None;
    }
    let span = match unit {
        "d" | "day" | "days" => count.days(),
        "w" | "week" | "weeks" => count.weeks(),
        "m" | "mo" | "month" | "months" => count.months(),
        "y" | "year" | "years" => count.years(),
        _ => return None,
    };
    today.checked_sub(span).ok()
}

/// `may 2020`, `2020 may`, `3 may 2020`, `may 3 2020`, with a time behind it or not; without a year
/// the latest such one.
fn with_month(text: &str, today: Date) -> Option<Stretch> {
    let (date, time) = match text.split_once(' ').and(text.rsplit_once(' ')) {
        Some((date, time)) if time.contains(':') => (date, Some(time)),
        _ => (text, None),
    };
    let words: Vec<&str> = date.split([' ', '-']).collect();
    let named = words.iter().position(|word| month(word).is_some())?;
    let of_year = i8::try_from(month(words[named])?).ok()?;
    let (mut year, mut day) = (None, None);
    for (_, word) in words.iter().enumerate().filter(|(at, _)| *at != named) {
        let before = match number(word, 4).filter(|_| word.len() == 4) {
            Some(number) => year.replace(number),
            None => day.replace(ordinal(word)?),
        };
        if before.is_some() {
            return None;
        }
    }
    let day = day.map(i8::try_from).transpose().ok()?;
    let year = match year {
        Some(year) => year,
        None => {
            let this = Date::new(today.year(), of_year, day.unwrap_or(1));
            // The 29th of February of a year that has none is of an earlier one.
            match this {
                Ok(this) if this <= today => today.year(),
                _ => today.year() - 1,
            }
        }
    };
    match (day, time) {
        (Some(day), Some(time)) => at_time(Date::new(year, of_year, day).ok()?, time),
        (None, Some(_)) => None,
        (_, None) => Stretch::of(year, Some(of_year), day),
    }
}

/// A month by its name or the beginning of it, from three letters on.
fn month(word: &str) -> Option<i16> {
    let word = word.trim_end_matches('.');
    let at = MONTHS.iter().position(|name| is_short_for(word, name))?;
    i16::try_from(at + 1).ok()
}

fn weekday(word: &str) -> Option<Weekday> {
    let named = WEEKDAYS.iter().find(|(name, _)| is_short_for(word, name));
    named.map(|(_, day)| *day)
}

fn is_short_for(word: &str, name: &str) -> bool {
    word.len() >= 3 && name.starts_with(word)
}

/// `3`, `3.`, `3rd`.
fn ordinal(word: &str) -> Option<i16> {
    let ends = ["st", "nd", "rd", "th", "."];
    let plain = ends.iter().find_map(|end| word.strip_suffix(end));
    number(plain.unwrap_or(word), 2)
}
