//! When photos were taken, in queries: bounds on the wall clock, instants, and days of any year.
//!
//! `files.taken` is the wall clock of whoever took the photo, as if that were UTC. A bound that names
//! the offset of its clock is an instant: photos that tell theirs are compared by it, and others by
//! their wall clock.

use rusqlite::types::Value;

/// A bound in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, milliseconds as if it were UTC.
    pub millis: i64,
    /// Minutes east of UTC of that clock, if it is an instant.
    pub offset_minutes: Option<i32>,
}

/// A day, or a month, of any year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearlyDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31; `None`: all of the month.
    pub day: Option<i8>,
}

/// No clock on Earth is further from another.
const CLOCKS_APART: i64 = 26 * 3600 * 1000;

/// The conditions over `files f`, with their values.
pub(super) fn conditions(
    (since, until): (&[Moment], &[Moment]),
    on: Option<YearlyDay>,
) -> (Vec<String>, Vec<Value>) {
    let (mut wheres, mut values) = (Vec::new(), Vec::new());
    let bounds = since.iter().map(|moment| (moment, ">=", -1));
    let bounds = bounds.chain(until.iter().map(|moment| (moment, "<", 1)));
    for (moment, sign, wider) in bounds {
        let Some(offset) = moment.offset_minutes else {
            wheres.push(format!("f.taken {sign} ?"));
            values.push(Value::Integer(moment.millis));
            continue;
        };
        // Off the index first, then by each photo's own clock.
        wheres.push(format!(
            "f.taken {sign} ? AND coalesce(
                 (SELECT CAST(round(1000 * unixepoch(i.dated, 'subsec')) AS INTEGER) {sign} ? FROM photos i
                  WHERE i.id = f.photo AND i.dated GLOB '*T*[-+Z]*'), f.taken {sign} ?)"
        ));
        let instant = moment.millis - i64::from(offset) * 60_000;
        for bound in [moment.millis + wider * CLOCKS_APART, instant, moment.millis] {
            values.push(Value::Integer(bound));
        }
    }
    if let Some(on) = on {
        // What is known to the year or the month only is of no day.
        let (format, text, told) = match on.day {
            Some(day) => (
                "%m-%d",
                format!("{:02}-{day:02}", on.month),
                "2019-05-03".len(),
            ),
            None => ("%m", format!("{:02}", on.month), "2019-05".len()),
        };
        // Down to the second, also before 1970.
        wheres.push(format!(
            "strftime('{format}', (f.taken - (f.taken % 1000 + 1000) % 1000) / 1000, 'unixepoch') = ?
             AND NOT EXISTS (SELECT 1 FROM photos y WHERE y.id = f.photo AND length(y.dated) < {told})"
        ));
        values.push(Value::Text(text));
    }
    (wheres, values)
}

/// The days, or months, of every year between two moments, as a JSON list of pairs of `files.taken`:
/// the first moment, and the one after the last.
pub(super) fn every_year(on: YearlyDay, first: i64, last: i64) -> String {
    use jiff::ToSpan;
    use jiff::civil::Date;
    let year = |taken: i64| {
        let at = jiff::Timestamp::from_millisecond(taken);
        at.map_or(1970, |at| at.to_zoned(jiff::tz::TimeZone::UTC).year())
    };
    let mut ranges = Vec::new();
    for year in year(first)..=year(last) {
        let Ok(begin) = Date::new(year, on.month, on.day.unwrap_or(1)) else {
            continue; // No 29th of February in that year.
        };
        let length = if on.day.is_some() { 1.day() } else { 1.month() };
        let at = |date: Date| {
            let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(zoned.timestamp().as_millisecond())
        };
        let end = begin.checked_add(length).ok();
        ranges.extend(at(begin).zip(end.and_then(at)));
    }
    serde_json::to_string(&ranges).unwrap_or_else(|_| "[]".to_owned())
}
