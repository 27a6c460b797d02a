//! What people type, and what it must mean.

use proptest::prelude::*;

use super::*;

/// A Sunday.
fn today() -> Date {
    Date::constant(2024, 3, 31)
}

/// Both ends, as text; with an offset where one was told.
fn both(text: &str) -> String {
    let stretch = stretch(text, today()).unwrap_or_else(|e| panic!("{text}: {e}"));
    let at = |at: DateTime| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let at = |t| at(t).trim_end_matches(" 00:00:00").to_owned();
    let offset = stretch
        .offset_minutes
        .map_or_else(String::new, |o| format!(" {o:+}"));
    format!("{} to {}{offset}", at(stretch.start), at(stretch.end))
}

#[test]
fn a_date_is_all_of_itself() {
    for (text, wanted) in [
        ("2023", "2023-01-01 to 2024-01-01"),
        ("2024-02", "2024-02-01 to 2024-03-01"),
        ("2024-02-29", "2024-02-29 to 2024-03-01"),
        ("2020/05/03", "2020-05-03 to 2020-05-04"),
        ("2020/5/3", "2020-05-03 to 2020-05-04"),
        ("2020.05.03", "2020-05-03 to 2020-05-04"),
        ("20190503", "2019-05-03 to 2019-05-04"),
        (
            "2019:05:03 10:11:12",
            "2019-05-03 10:11:12 to 2019-05-03 10:11:13",
        ),
        ("3.5.2020", "2020-05-03 to 2020-05-04"),
        ("25/12/2020", "2020-12-25 to 2020-12-26"),
        ("12/25/2020", "2020-12-25 to 2020-12-26"),
        ("5/5/2020", "2020-05-05 to 2020-05-06"),
        ("05/2020", "2020-05-01 to 2020-06-01"),
        ("2024-02-29T23:59", "2024-02-29 23:59:00 to 2024-03-01"),
        ("2024-02-29 23", "2024-02-29 23:00:00 to 2024-03-01"),
        ("20240229T235959", "2024-02-29 23:59:59 to 2024-03-01"),
        (
            "2020-05-03T10:00:00.250",
            "2020-05-03 10:00:00 to 2020-05-03 10:00:01",
        ),
        (
            "2020-05-03T10:00:00Z",
            "2020-05-03 10:00:00 to 2020-05-03 10:00:01 +0",
        ),
        (
            "2020-05-03t10:00:00+02:00",
            "2020-05-03 10:00:00 to 2020-05-03 10:00:01 +120",
        ),
        (
            "2020-05-03 10:00 -0330",
            "2020-05-03 10:00:00 to 2020-05-03 10:01:00 -210",
        ),
        (
            "2020-05-03 10:00 UTC",
            "2020-05-03 10:00:00 to 2020-05-03 10:01:00 +0",
        ),
    ] {
        assert_eq!(both(text), wanted, "{text}");
    }
}

#[test]
fn words_count_from_today() {
    for (text, wanted) in [
        ("today", "2024-03-31 to 2024-04-01"),
        ("Yesterday", "2024-03-30 to 2024-03-31"),
        ("tomorrow", "2024-04-01 to 2024-04-02"),
        ("sunday", "2024-03-31 to 2024-04-01"),
        ("last sunday", "2024-03-24 to 2024-03-25"),
        ("monday", "2024-03-25 to 2024-03-26"),
        ("Sat", "2024-03-30 to 2024-03-31"),
        ("this week", "2024-03-25 to 2024-04-01"),
        ("last week", "2024-03-18 to 2024-03-25"),
        ("last month", "2024-02-01 to 2024-03-01"),
        ("last  year", "2023-01-01 to 2024-01-01"),
        ("this year", "2024-01-01 to 2025-01-01"),
        ("1m", "2024-02-29 to 2024-03-01"),
        ("30d", "2024-03-01 to 2024-03-02"),
        ("30days", "2024-03-01 to 2024-03-02"),
        ("30 days", "2024-03-01 to 2024-03-02"),
        ("30 days ago", "2024-03-01 to 2024-03-02"),
        ("a week ago", "2024-03-24 to 2024-03-25"),
        ("2 years", "2022-03-31 to 2022-04-01"),
        ("last 30 days", "2024-03-01 to 2024-04-01"),
    ] {
        assert_eq!(both(text), wanted, "{text}");
    }
}

#[test]
fn months_have_names() {
    for (text, wanted) in [
        ("may 2020", "2020-05-01 to 2020-06-01"),
        ("2020 May", "2020-05-01 to 2020-06-01"),
        ("3 May 2020", "2020-05-03 to 2020-05-04"),
        ("May 3, 2020", "2020-05-03 to 2020-05-04"),
        ("may 3rd 2020", "2020-05-03 to 2020-05-04"),
        ("3. may 2020", "2020-05-03 to 2020-05-04"),
        ("3-May-2020", "2020-05-03 to 2020-05-04"),
        ("2020-may-03", "2020-05-03 to 2020-05-04"),
        (
            "3 may 2020 10:15",
            "2020-05-03 10:15:00 to 2020-05-03 10:16:00",
        ),
        ("sept. 2019", "2019-09-01 to 2019-10-01"),
        ("march", "2024-03-01 to 2024-04-01"),
        ("april", "2023-04-01 to 2023-05-01"),
        ("last march", "2023-03-01 to 2023-04-01"),
        ("this march", "2024-03-01 to 2024-04-01"),
        ("24 dec", "2023-12-24 to 2023-12-25"),
    ] {
        assert_eq!(both(text), wanted, "{text}");
    }
}

#[test]
fn a_day_of_any_year_has_no_year() {
    let on = |text: &str| match parse_on(text, today()) {
        Ok(OnDay::AnyYear(day)) => Some((day.month, day.day)),
        _ => None,
    };
    for (text, wanted) in [
        ("12-24", Some((12, Some(24)))),
        ("*-12-25", Some((12, Some(25)))),
        ("--02-29", Some((2, Some(29)))),
        ("*-12", Some((12, None))),
        ("12/24", Some((12, Some(24)))),
        ("24-12", Some((12, Some(24)))),
        ("24.12.", Some((12, Some(24)))),
        ("Dec 24th", Some((12, Some(24)))),
        ("24 december", Some((12, Some(24)))),
        ("december", Some((12, None))),
        ("2019-05-03", None),
        ("2019-05", None),
        ("yesterday", None),
        ("13-32", None),
        ("02-30", None),
        ("*", None),
    ] {
        assert_eq!(on(text), wanted, "{text}");
    }
    let stretch = |text| match parse_on(text, today()) {
        Ok(OnDay::Stretch(from, to)) => Some((to.millis - from.millis) / 86_400_000),
        _ => None,
    };
    assert_eq!(stretch("2019-05-03"), Some(1));
    assert_eq!(stretch("2019-05"), Some(31));
    assert_eq!(stretch("last week"), Some(7));
    assert_eq!(stretch("02-30"), None);
}

#[test]
fn what_is_no_date_is_refused_and_what_is_two_dates_too() {
    for text in [
        "",
        "2023-13",
        "2023-02-30",
        "201905",
        "23",
        "x",
        "2023-01T10:00",
        "-5d",
        "5",
        "d",
        "2023-01-01T25:00",
        "2023-01-01T10:00+99:00",
        "31.4.2020",
        "32/13/2020",
        "3 may 3 2020",
        "2020-05-03T",
        "99999d",
        "may 2020 2021",
        "la",
        "12-24",
        "noon",
        "3/may",
    ] {
        let refused = parse_date(text, Edge::Start, today());
        assert!(
            matches!(refused, Err(SearchError::BadDate { .. })),
            "{text}"
        );
    }
    let two = parse_date("3/5/2020", Edge::Start, today()).unwrap_err();
    let said = two.to_string();
    assert!(
        said.contains("2020-03-05") && said.contains("2020-05-03"),
        "{said}"
    );
}

#[test]
fn a_span_is_empty_if_its_end_is_not_after_its_start() {
    let at = |text, edge| parse_date(text, edge, today()).unwrap();
    let empty = |since, until| is_empty_span(at(since, Edge::Start), at(until, Edge::End));
    assert!(empty("2025", "2020") && empty("2020-05-04", "2020-05-03"));
    assert!(!empty("2020", "2020") && !empty("1978", "1978"));
    assert!(empty("2020-05-03T12:00Z", "2020-05-03T12:00+02:00"));
    assert!(!empty("2020-05-03T12:00+02:00", "2020-05-03T12:00Z"));
    // Of a photo that tells no offset nobody knows.
    assert!(!empty("2020-05-03T12:00Z", "2020-05-03T11:00"));
    assert!(empty("2020-05-03T12:00Z", "2020-05-01"));
}

proptest! {
    #[test]
    fn never_panics_and_start_is_before_end(text in "\\PC{0,24}") {
        if let Ok(start) = parse_date(&text, Edge::Start, today()) {
            let end = parse_date(&text, Edge::End, today()).unwrap();
            prop_assert!(start.millis < end.millis);
        }
        let _ = parse_on(&text, today());
    }

    #[test]
    fn never_panics_on_what_is_nearly_a_date(
        text in "(last |[0-9]{0,3} ?)?(may|days?|w|[0-9]{1,4})[-/. :tT]{0,2}[0-9]{0,4}[-/.: ]{0,2}[0-9]{0,4}( ?[0-9]{1,2}(:[0-9]{1,2}){0,2}[Zz+-]?[0-9:]{0,5})?",
    ) {
        if let (Ok(start), Ok(end)) = (
            parse_date(&text, Edge::Start, today()),
            parse_date(&text, Edge::End, today()),
        ) {
            prop_assert!(start.millis < end.millis, "{}", text);
        }
        let _ = parse_on(&text, today());
    }

    #[test]
    fn every_real_day_is_understood_in_every_spelling(
        year in 1900i16..2100, month in 1i8..=12, day in 1i8..=31, how in 0usize..6,
    ) {
        let text = match how {
            0 => format!("{year:04}-{month:02}-{day:02}"),
            1 => format!("{year:04}/{month}/{day}"),
            2 => format!("{year:04}{month:02}{day:02}"),
            3 => format!("{day}.{month}.{year:04}"),
            4 => format!("{day} {} {year}", jiff::civil::date(2000, month, 1).strftime("%B")),
            _ => format!("{} {day}, {year}", jiff::civil::date(2000, month, 1).strftime("%b")),
        };
        let real = Date::new(year, month, day);
        let read = parse_date(&text, Edge::Start, today()).ok();
        let wanted = real.ok().map(|d| moment(d.at(0, 0, 0, 0), None));
        prop_assert_eq!(read, wanted, "{}", text);
    }
}
