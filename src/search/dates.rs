//! Dates in queries, as people type them: years, months, days, minutes, instants, names of days and
//! months, and how long ago.
//!
//! Every date is a stretch of time that includes all of itself: `--since 2023` begins with its first
//! moment, `--until 2023` ends after its last. A stretch is told on the wall clock, and a photo is
//! compared by the clock of its own camera, so that the answer is the same wherever it is asked for;
//! only what is told from today (`yesterday`, `30d`) depends on where one is. What can be read in two
//! ways is refused with both. Pure: today is handed in.

mod named;
mod numbers;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::error::SearchError;
use crate::store::{Moment, YearlyDay};

/// Which end of a stretch is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Its first moment.
    Start,
    /// The moment after its last one.
    End,
}

/// What `--on` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDay {
    /// From the first moment up to the second.
    Stretch(Moment, Moment),
    /// This day, or month, of any year.
    AnyYear(YearlyDay),
}

/// A stretch of time on the wall clock: its first moment, and the one after its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: DateTime,
    end: DateTime,
    /// Minutes east of UTC of the clock, where it was said: then these are instants.
    offset_minutes: Option<i32>,
}

/// What a text can be.
enum DateReading {
    Stretch(Stretch),
    /// Two dates, by the order of day and month.
    Ambiguous(Date, Date),
}

/// Reads the bound of `--since` or `--until`; `today` is the day it is now.
///
/// # Errors
/// [`SearchError::BadDate`] with what is understood, or [`SearchError::AmbiguousDate`].
pub fn parse_date(given: &str, edge: Edge, today: Date) -> Result<Moment, SearchError> {
    let stretch = stretch(given, today)?;
    Ok(match edge {
        Edge::Start => moment(stretch.start, stretch.offset_minutes),
        Edge::End => moment(stretch.end, stretch.offset_minutes),
    })
}

/// Reads the day, or the stretch, of `--on`: any date, or one without a year.
///
/// # Errors
/// As [`parse_date`].
pub fn parse_on(given: &str, today: Date) -> Result<OnDay, SearchError> {
    let text = tidy(given);
    let yearly = numbers::any_year(&text).or_else(|| named::any_year(&text));
    if let Some(day) = yearly {
        return Ok(OnDay::AnyYear(day));
    }
    let stretch = stretch(given, today)?;
    let at = |at| moment(at, stretch.offset_minutes);
    Ok(OnDay::Stretch(at(stretch.start), at(stretch.end)))
}

/// Whether nothing lies at or after the one and before the other.
pub fn is_empty_span(since: Moment, until: Moment) -> bool {
    match (since.offset_minutes, until.offset_minutes) {
        // Of one clock, or of none.
        (None, None) => since.millis >= until.millis,
        (Some(a), Some(b)) => since.millis - minutes(a) >= until.millis - minutes(b),
        // A photo's own clock may be anywhere on Earth.
        _ => since.millis >= until.millis + minutes(26 * 60),
    }
}

fn minutes(count: i32) -> i64 {
    i64::from(count) * 60_000
}

fn moment(at: DateTime, offset_minutes: Option<i32>) -> Moment {
    let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
    Moment {
        millis: utc.map_or(i64::MAX, |utc| utc.timestamp().as_millisecond()),
        offset_minutes,
    }
}

fn stretch(given: &str, today: Date) -> Result<Stretch, SearchError> {
    let text = tidy(given);
    let reading = named::read(&text, today).or_else(|| numbers::read(&text));
    match reading {
        Some(DateReading::Stretch(stretch)) => Ok(stretch),
        Some(DateReading::Ambiguous(one, other)) => Err(SearchError::AmbiguousDate {
            given: given.to_owned(),
            one: one.to_string(),
            other: other.to_string(),
        }),
        None => Err(SearchError::BadDate {
            given: given.to_owned(),
        }),
    }
}

/// Lower case, commas as spaces, single spaces.
fn tidy(given: &str) -> String {
    let lower = given.to_lowercase().replace(',', " ");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Stretch {
    /// From the beginning of one day to that of another.
    fn of_days(first: Date, after: Date) -> Self {
        Self {
            start: first.at(0, 0, 0, 0),
            end: after.at(0, 0, 0, 0),
            offset_minutes: None,
        }
    }

    fn of_day(day: Date) -> Option<Self> {
        Some(Self::of_days(day, day.checked_add(1.day()).ok()?))
    }

    /// A year, a month or a day.
    fn of(year: i16, month: Option<i8>, day: Option<i8>) -> Option<Self> {
        let first = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
        let length = match (month, day) {
            (None, _) => 1.year(),
            (Some(_), None) => 1.month(),
            (Some(_), Some(_)) => 1.day(),
        };
        Some(Self::of_days(first, first.checked_add(length).ok()?))
    }
}

#[cfg(test)]
mod tests;
