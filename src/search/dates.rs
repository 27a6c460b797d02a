//! Dates in queries: whole years, months, days, minutes, or an age.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::error::SearchError;

/// Which end of a period is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Its first moment (`--since 2023`: from 2023-01-01).
    Start,
    /// The moment after its last one (`--until 2023`: before 2024-01-01), so that a period
    /// includes all of itself.
    End,
}

/// Parses a date as local time, `YYYY-MM-DDTHH:MM:SS`; `today` is the day it is now.
///
/// # Errors
/// [`SearchError::BadDate`] with what is allowed.
pub fn parse_date(given: &str, edge: Edge, today: Date) -> Result<String, SearchError> {
    period(given.trim(), today)
        .map(|(start, end)| match edge {
            Edge::Start => start,
            Edge::End => end,
        })
        .map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S").to_string())
        .ok_or_else(|| SearchError::BadDate {
            given: given.to_owned(),
        })
}

/// First moment, and first moment after.
fn period(text: &str, today: Date) -> Option<(DateTime, DateTime)> {
    let day = |d: Date| {
        Some((
            d.at(0, 0, 0, 0),
            d.checked_add(1.day()).ok()?.at(0, 0, 0, 0),
        ))
    };
    match text.to_ascii_lowercase().as_str() {
        "today" => return day(today),
        "yesterday" => return day(today.checked_sub(1.day()).ok()?),
        _ => {}
    }
    if let Some(start) = age(text, today) {
        return day(start);
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let widths = [4, 2, 2];
    if parts.len() > 3
        || parts
            .iter()
            .zip(widths)
            .any(|(p, w)| p.len() != w || !p.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let year = parts[0].parse().ok()?;
    let month = parts.get(1).map_or(Ok(1), |p| p.parse()).ok()?;
    let date = Date::new(year, month, parts.get(2).map_or(Ok(1), |p| p.parse()).ok()?).ok()?;
    let span = match parts.len() {
        1 => 1.year(),
        2 => 1.month(),
        _ => 1.day(),
    };
    let Some(time) = time else {
        return Some((
            date.at(0, 0, 0, 0),
            date.checked_add(span).ok()?.at(0, 0, 0, 0),
        ));
    };
    if parts.len() != 3 {
        return None;
    }
    let fields: Vec<i8> = time
        .split(':')
        .map(|p| (p.len() == 2).then(|| p.parse().ok()).flatten())
        .collect::<Option<_>>()?;
    let (clock, span) = match fields[..] {
        [h, m] => (jiff::civil::Time::new(h, m, 0, 0).ok()?, 1.minute()),
        [h, m, s] => (jiff::civil::Time::new(h, m, s, 0).ok()?, 1.second()),
        _ => return None,
    };
    let start = date.to_datetime(clock);
    Some((start, start.checked_add(span).ok()?))
}

/// `30d`, `6w`, `3m`, `2y`: the day that long ago.
fn age(text: &str, today: Date) -> Option<Date> {
    let unit = text.chars().last()?;
    let count: i32 = text[..text.len() - unit.len_utf8()]
        .parse()
        .ok()
        .filter(|n| (0..=9000).contains(n))?;
    let span = match unit.to_ascii_lowercase() {
        'd' => count.days(),
        'w' => count.weeks(),
        'm' => count.months(),
        'y' => count.years(),
        _ => return None,
    };
    today.checked_sub(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn today() -> Date {
        Date::constant(2024, 3, 31)
    }

    #[test]
    fn periods_include_all_of_themselves() {
        let both = |text| {
            let at = |edge| parse_date(text, edge, today()).unwrap();
            (at(Edge::Start), at(Edge::End))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            both("2023"),
            pair("2023-01-01T00:00:00", "2024-01-01T00:00:00")
        );
        assert_eq!(
            both("2024-02"),
            pair("2024-02-01T00:00:00", "2024-03-01T00:00:00")
        );
        assert_eq!(
            both("2024-02-29"),
            pair("2024-02-29T00:00:00", "2024-03-01T00:00:00")
        );
        assert_eq!(
            both("2024-02-29T23:59"),
            pair("2024-02-29T23:59:00", "2024-03-01T00:00:00")
        );
        assert_eq!(both("yesterday").0, "2024-03-30T00:00:00");
        assert_eq!(both("1m").0, "2024-02-29T00:00:00");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2023-13",
            "2023-02-30",
            "20230101",
            "23",
            "2023-1-1",
            "x",
            "2023-01T10:00",
            "-5d",
            "2023-01-01T25:00",
        ] {
            assert!(parse_date(text, Edge::Start, today()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_start_is_before_end(text in "\\PC{0,24}") {
            if let Ok(start) = parse_date(&text, Edge::Start, today()) {
                prop_assert!(start < parse_date(&text, Edge::End, today()).unwrap());
            }
        }

        #[test]
        fn every_real_day_is_understood(year in 1900i16..2100, month in 1i8..=12, day in 1i8..=31) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let real = Date::new(year, month, day).is_ok();
            prop_assert_eq!(parse_date(&text, Edge::Start, today()).is_ok(), real);
        }
    }
}
