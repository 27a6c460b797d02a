use proptest::prelude::*;

use super::*;

fn iso(text: &str) -> Option<String> {
    WrittenDate::parse(text).map(|date| date.to_string())
}

#[track_caller]
fn assert_reads(pairs: &[(&str, &str)]) {
    for (text, expected) in pairs {
        assert_eq!(iso(text).as_deref(), Some(*expected), "{text:?}");
    }
}

#[test]
fn the_forms_of_exif_xmp_and_iptc_are_read() {
    assert_reads(&[
        ("2019:05:03 10:11:12", "2019-05-03T10:11:12"),
        ("2019:05:03 10:11:12\0junk", "2019-05-03T10:11:12"),
        ("2020-02-03 04:05:06", "2020-02-03T04:05:06"),
        ("2011-04-05T06:07:08", "2011-04-05T06:07:08"),
        (
            "2011-04-05T06:07:08.89+02:00",
            "2011-04-05T06:07:08.89+02:00",
        ),
        ("2011-04-05T06:07Z", "2011-04-05T06:07Z"),
        ("2011-04-05T06:07:08.0Z", "2011-04-05T06:07:08.0Z"),
        ("2011-04-05", "2011-04-05"),
        ("2011-04", "2011-04"),
        ("2011", "2011"),
        ("20100304T050607+0000", "2010-03-04T05:06:07Z"),
        ("20100304", "2010-03-04"),
        ("1890:06:01 12:00:00", "1890-06-01T12:00:00"),
        ("2000:02:29 00:00:00", "2000-02-29T00:00:00"),
    ]);
}

#[test]
fn what_is_not_known_stays_unknown() {
    assert_reads(&[
        ("1985:06:00 00:00:00", "1985-06"),
        ("1985:00:00", "1985"),
        ("19850600", "1985-06"),
        ("19850000", "1985"),
        ("2012:03:04 05:06:  ", "2012-03-04T05:06"),
        ("2012:03:04 05:06:", "2012-03-04T05:06"),
        ("2012:03:04 05:  :  ", "2012-03-04T05"),
        ("2012:03:04   :  :  ", "2012-03-04"),
        ("2012:03:  ", "2012-03"),
    ]);
}

#[test]
fn what_cameras_get_wrong_is_forgiven() {
    assert_reads(&[
        ("2012:03:04  5:06:07", "2012-03-04T05:06:07"),
        ("2012:03:04 05: 6: 7", "2012-03-04T05:06:07"),
        ("2012:03:04 05:06:60", "2012-03-04T05:06:59"),
        ("2012:03:14 24:08:19", "2012-03-14T00:08:19"),
        ("2019:05:03 10:11:12+05:30", "2019-05-03T10:11:12+05:30"),
        ("2019:05:03 10:11:12 +2:00", "2019-05-03T10:11:12+02:00"),
        ("2019:05:03 10:11:12 UTC", "2019-05-03T10:11:12Z"),
        ("2019:05:03 10:11:12+99:00", "2019-05-03T10:11:12"),
        ("2019:05:03 10:11:12 PM", "2019-05-03"),
    ]);
}

#[test]
fn what_cannot_be_is_no_date() {
    for text in [
        "",
        "0000:00:00 00:00:00",
        "0001:01:01 00:00:00",
        "9999:12:31 23:59:59",
        "    :  :     :  :  ",
        "2023:02:29 12:00:00",
        "2024:13:01 12:00:00",
        "2024:01:32",
        "2024:01:01 25:00:00",
        "2024:01:01 12:60:00",
        "2024:01:01 12:00:61",
        "+024:01:01 12:00:00",
        "2024:01:01 12:00:0\u{e9}",
        "201003",
        "03/04/2010",
        "yesterday",
    ] {
        assert_eq!(iso(text), None, "{text:?}");
    }
}

#[test]
fn offsets_of_all_forms_are_read_and_those_outside_the_worlds_zones_are_not() {
    for (text, minutes) in [
        ("+05:30", 330),
        ("+2:00", 120),
        ("+0200", 120),
        ("+02", 120),
        ("-03:30\0", -210),
        (" Z ", 0),
        ("+00:00", 0),
        ("+14:00", 840),
    ] {
        assert_eq!(offset_minutes(text), Some(minutes), "{text:?}");
    }
    for text in [
        "+15:00", "-13:00", "+02:60", "2:00", "", "+", "+0a:00", "+:30", "   :  ", "+02:0",
    ] {
        assert_eq!(offset_minutes(text), None, "{text:?}");
    }
}

#[test]
fn fields_of_their_own_complete_a_date() {
    let date =
        |text| WrittenDate::parse(text).map(|d| d.with_fraction(b"789 \0").with_offset(b"+0200"));
    let text = |t| date(t).map(|d| d.to_string());
    assert_eq!(
        text("2019:05:03 10:11:12").as_deref(),
        Some("2019-05-03T10:11:12.789+02:00")
    );
    assert_eq!(
        text("2019-05-03T10:11:12.5Z").as_deref(),
        Some("2019-05-03T10:11:12.5Z")
    );
    assert_eq!(text("2019:05:03").as_deref(), Some("2019-05-03"));
    let odd = WrittenDate::parse("2019:05:03 10:11:12").map(|d| d.with_fraction(b"7a"));
    assert_eq!(odd.and_then(|d| d.nanosecond), None);
}

#[test]
fn the_earliest_moment_of_a_month_is_its_first() {
    let date = WrittenDate::parse("1985:06:00");
    let earliest = date.map(|d| d.earliest().to_iso());
    assert_eq!(earliest.as_deref(), Some("1985-06-01T00:00:00"));
}

/// Anything that looks like a date, right or wrong.
fn date_like() -> impl Strategy<Value = String> {
    "[0-9]{4}[:/. -]?[0-9 ]{2}[:/. -]?[0-9 ]{0,2}[T ]{0,2}[0-9 ]{0,2}:?[0-9 ]{0,2}:?[0-9 ]{0,2}([.,][0-9]{0,12})?[Z+-]?[0-9:]{0,5}"
}

#[test]
fn moments_are_counted_from_1970() {
    for (text, millis) in [
        ("1970", 0),
        ("1970-01-01T00:00:00.25+05:00", 250),
        ("2000-03-01", 951_868_800_000),
        ("1969-12-31T23:59:59", -1000),
        ("1890-06-01T12:00:00", -2_511_432_000_000),
    ] {
        assert_eq!(
            WrittenDate::parse(text).map(|d| d.millis()),
            Some(millis),
            "{text}"
        );
    }
    let moment = WrittenDate::of_utc_millis(1_341_917_312_345).map(|d| d.to_string());
    assert_eq!(moment.as_deref(), Some("2012-07-10T10:48:32.345Z"));
    assert_eq!(WrittenDate::of_utc_millis(i64::MAX), None);
}

proptest! {
    #[test]
    fn kept_as_text_it_comes_back(text in date_like()) {
        if let Some(date) = WrittenDate::parse(&text) {
            let json = serde_json::to_string(&date).unwrap();
            prop_assert_eq!(serde_json::from_str::<WrittenDate>(&json).unwrap(), date);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = (WrittenDate::parse(&text), WrittenDate::of_bytes(&bytes), offset_minutes(&text));
    }

    #[test]
    fn what_is_read_exists_and_reads_the_same_again(text in date_like()) {
        if let Some(date) = WrittenDate::parse(&text) {
            prop_assert!(YEARS.contains(&date.year));
            let parts = [date.month, date.day, date.hour, date.minute, date.second];
            prop_assert!(parts.windows(2).all(|p| p[0].is_some() || p[1].is_none()), "{parts:?}");
            let local = date.earliest().local;
            prop_assert!(local.parse::<jiff::civil::DateTime>().is_ok(), "{local}");
            prop_assert_eq!(WrittenDate::parse(&date.to_string()), Some(date));
        }
    }

    #[test]
    fn every_moment_is_read_as_it_is_written(
        (y, mo, d) in (1500_i16..2200, 1_u8..13, 1_u8..29),
        (h, mi, s) in (0_u8..24, 0_u8..60, 0_u8..60),
        offset in prop::option::of(-720_i16..841),
        dots in any::<bool>(),
    ) {
        let between = if dots { ':' } else { '-' };
        let zone = offset.map_or(String::new(), |o| {
            format!("{}{:02}:{:02}", if o < 0 { '-' } else { '+' }, o.abs() / 60, o.abs() % 60)
        });
        let text = format!("{y:04}{between}{mo:02}{between}{d:02} {h:02}:{mi:02}:{s:02}{zone}");
        let expected = WrittenDate {
            month: Some(mo), day: Some(d), hour: Some(h), minute: Some(mi), second: Some(s),
            offset_minutes: offset, ..WrittenDate::of_year(y)
        };
        prop_assert_eq!(WrittenDate::parse(&text), Some(expected));
    }
}
