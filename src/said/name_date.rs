//! Dates in the names of files: phones, messengers, screenshots and people write them there.
//!
//! A date is a whole number of its own in the name that can be nothing else: eight digits that no
//! calendar has are a counter, and so is a year behind what cameras begin their names with. What
//! the time behind it cannot be is left out, the day stays.

use super::date::WrittenDate;

/// Eight digits in a row are a date from when there were digital cameras on; later ones are counters.
const COMPACT_YEARS: std::ops::RangeInclusive<u32> = 1985..=2049;
/// With marks between its parts a date is a date; the first photo is of 1826.
const MARKED_YEARS: std::ops::RangeInclusive<u32> = 1826..=2049;
/// What programs write before milliseconds since 1970.
const EPOCH_PREFIXES: [&str; 3] = ["fb_img_", "mmexport", "wx_camera_"];
/// Milliseconds since 1970 of photos that such programs can have saved: 2005 to 2049.
const EPOCH: std::ops::Range<i64> = 1_104_537_600_000..2_493_072_000_000;
/// Words that a number stands behind which counts, and is no year.
const COUNTED: [&str; 12] = [
    "photo", "photos", "foto", "image", "img", "picture", "pic", "bild", "imagen", "immagine",
    "no", "nr",
];

/// When the photo was taken by its file's name. Pure; a path's folders do not count.
pub fn date_of_name(path: &[u8]) -> Option<WrittenDate> {
    let name = path.rsplit(|b| *b == b'/').next()?;
    let name = String::from_utf8_lossy(name);
    let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
    epoch(stem)
        .or_else(|| marked_or_compact(stem))
        .or_else(|| month(stem))
        .or_else(|| year(stem))
}

fn epoch(stem: &str) -> Option<WrittenDate> {
    let lower = stem.to_ascii_lowercase();
    let digits = EPOCH_PREFIXES
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))?;
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    let millis: i64 = (len == 13).then(|| digits[..len].parse().ok())??;
    EPOCH
        .contains(&millis)
        .then(|| WrittenDate::of_utc_millis(millis))?
}

/// A run of digits, and where it ends.
#[derive(Clone, Copy)]
struct Run<'a> {
    start: usize,
    digits: &'a str,
}

impl Run<'_> {
    fn end(self) -> usize {
        self.start + self.digits.len()
    }

    fn number(self) -> u32 {
        self.digits.parse().unwrap_or(u32::MAX)
    }
}

fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        match (byte.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let digits = &text[from..at];
                runs.push(Run {
                    start: from,
                    digits,
                });
                start = None;
            }
            _ => {}
        }
    }
    runs
}

fn marked_or_compact(stem: &str) -> Option<WrittenDate> {
    let runs = runs(stem);
    (0..runs.len()).find_map(|at| {
        let (day, behind) = compact_day(&runs[at..]).or_else(|| marked_day(stem, &runs[at..]))?;
        with_time(stem, day, behind)
    })
}

/// What is behind a day: digits that were not used up, and the runs after those.
struct Behind<'a> {
    rest: &'a str,
    from: usize,
    runs: &'a [Run<'a>],
}

/// `20190503`, also with the time in the same run.
fn compact_day<'a>(runs: &'a [Run<'a>]) -> Option<([u32; 3], Behind<'a>)> {
    let (first, more) = runs.split_first()?;
    // A day, a minute, a second, milliseconds: any other length is another number.
    if !matches!(first.digits.len(), 8 | 12 | 14 | 17) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| first.digits[range].parse().unwrap_or(u32::MAX);
    let day = [part(0..4), part(4..6), part(6..8)];
    let behind = Behind {
        rest: &first.digits[8..],
        from: first.end(),
        runs: more,
    };
    (COMPACT_YEARS.contains(&day[0]) && exists(day)).then_some((day, behind))
}

/// `2019-05-03`, with any one mark between the parts, twice the same.
fn marked_day<'a>(stem: &str, runs: &'a [Run<'a>]) -> Option<([u32; 3], Behind<'a>)> {
    let [year, month, last, more @ ..] = runs else {
        return None;
    };
    let marks = [
        &stem[year.end()..month.start],
        &stem[month.end()..last.start],
    ];
    let is_mark = |mark: &str| matches!(mark, "-" | "_" | "." | " ");
    // `2019-05-03101112` has the time in the last run.
    let (digits, rest) = match last.digits.len() {
        2 => (last.digits, ""),
        8 => last.digits.split_at(2),
        _ => return None,
    };
    let day = [
        year.number(),
        month.number(),
        digits.parse().unwrap_or(u32::MAX),
    ];
    let is_day = year.digits.len() == 4
        && month.digits.len() == 2
        && is_mark(marks[0])
        && marks[0] == marks[1]
        && MARKED_YEARS.contains(&day[0])
        && exists(day);
    let behind = Behind {
        rest,
        from: last.end(),
        runs: more,
    };
    is_day.then_some((day, behind))
}

fn exists([year, month, day]: [u32; 3]) -> bool {
    WrittenDate::parse(&format!("{year:04}-{month:02}-{day:02}")).is_some_and(|d| d.day.is_some())
}

/// The day with the time that is behind it, if that is one.
fn with_time(stem: &str, [year, month, day]: [u32; 3], behind: Behind<'_>) -> Option<WrittenDate> {
    let date = format!("{year:04}-{month:02}-{day:02}");
    let day = WrittenDate::parse(&date);
    let time = time(stem, &behind).and_then(|time| WrittenDate::parse(&format!("{date}T{time}")));
    time.filter(|time| time.minute.is_some()).or(day)
}

/// `HH:MM`, `HH:MM:SS` or with milliseconds.
fn time(stem: &str, behind: &Behind<'_>) -> Option<String> {
    if !behind.rest.is_empty() {
        return compact_time(behind.rest, "");
    }
    let (first, more) = behind.runs.split_first()?;
    let between = stem[behind.from..first.start].trim();
    let joins = [
        "", "-", "_", "T", "t", ",", "at", "um", "à", "a las", "alle", "--", ".",
    ];
    if !joins.contains(&between) {
        return None;
    }
    let follows =
        |a: &Run<'_>, b: &Run<'_>| matches!(&stem[a.end()..b.start], "-" | "." | "_" | ":" | " ");
    if first.digits.len() > 2 {
        let millis = more
            .first()
            .filter(|next| follows(first, next) && next.digits.len() == 3);
        return compact_time(first.digits, millis.map_or("", |next| next.digits));
    }
    let [minute, ..] = more else {
        return None;
    };
    if minute.digits.len() != 2 || !follows(first, minute) {
        return None;
    }
    let second = more
        .get(1)
        .filter(|s| s.digits.len() == 2 && follows(minute, s));
    let end = second.unwrap_or(minute).end();
    let hour = twelve_hours(first.number(), stem.get(end..)?)?;
    let millis = second.and_then(|second| {
        more.get(2)
            .filter(|ms| follows(second, ms) && ms.digits.len() == 3)
    });
    Some(match (second, millis) {
        (Some(s), Some(ms)) => format!("{hour:02}:{}:{}.{}", minute.digits, s.digits, ms.digits),
        (Some(s), None) => format!("{hour:02}:{}:{}", minute.digits, s.digits),
        (None, _) => format!("{hour:02}:{}", minute.digits),
    })
}

/// `101112`, `1011` or `101112123`.
fn compact_time(digits: &str, millis: &str) -> Option<String> {
    let millis = if digits.len() == 9 {
        &digits[6..]
    } else {
        millis
    };
    let clock = match digits.len() {
        4 => return Some(format!("{}:{}", &digits[..2], &digits[2..])),
        6 | 9 => format!("{}:{}:{}", &digits[..2], &digits[2..4], &digits[4..6]),
        _ => return None,
    };
    Some(if millis.is_empty() {
        clock
    } else {
        format!("{clock}.{millis}")
    })
}

/// The hour of a clock that says AM or PM behind the time, or of one that does not.
fn twelve_hours(hour: u32, behind: &str) -> Option<u32> {
    let behind = behind.trim_start().to_ascii_lowercase();
    let is = |half: &str| {
        behind
            .strip_prefix(half)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    match (is("am"), is("pm")) {
        (true, _) => (1..=12).contains(&hour).then_some(hour % 12),
        (_, true) => (1..=12).contains(&hour).then_some(hour % 12 + 12),
        _ => (hour < 24).then_some(hour),
    }
}

/// `1985-06 Rome`: a year and a month that stand alone.
fn month(stem: &str) -> Option<WrittenDate> {
    stem.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
        .find_map(|word| {
            let (year, month) = word.split_once('-').or_else(|| word.split_once('.'))?;
            let is_month =
                is_year(year) && month.len() == 2 && month.bytes().all(|b| b.is_ascii_digit());
            is_month
                .then(|| WrittenDate::parse(&format!("{year}-{month}")))?
                .filter(|d| d.month.is_some())
        })
}

/// `Scan 1978`: a year that stands alone, as people write it.
fn year(stem: &str) -> Option<WrittenDate> {
    let mut before = "";
    for word in stem.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',')) {
        if word.is_empty() {
            continue;
        }
        if is_year(word) && !COUNTED.contains(&before.to_lowercase().as_str()) {
            return WrittenDate::parse(word);
        }
        before = word;
    }
    None
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && word.bytes().all(|b| b.is_ascii_digit())
        && word.parse().is_ok_and(|year| MARKED_YEARS.contains(&year))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn iso(name: &str) -> Option<String> {
        date_of_name(name.as_bytes()).map(|date| date.to_string())
    }

    #[test]
    fn what_phones_and_programs_write_is_read() {
        for (name, date) in [
            ("IMG_20190503_101112.jpg", "2019-05-03T10:11:12"),
            ("IMG_20190503_101112_1.jpg", "2019-05-03T10:11:12"),
            ("IMG_20190503_101112~2.jpg", "2019-05-03T10:11:12"),
            ("IMG20190503101112.jpg", "2019-05-03T10:11:12"),
            ("20190503_101112.HEIC", "2019-05-03T10:11:12"),
            ("20190503_101112(0).jpg", "2019-05-03T10:11:12"),
            ("VID_20190503_101112.jpg", "2019-05-03T10:11:12"),
            ("PXL_20210304_050607123.MP.jpg", "2021-03-04T05:06:07.123"),
            (
                "PXL_20210304_050607123.PORTRAIT.jpg",
                "2021-03-04T05:06:07.123",
            ),
            ("IMG-20190503-WA0001.jpg", "2019-05-03"),
            ("Screenshot_20200102-030405.png", "2020-01-02T03:04:05"),
            (
                "Screenshot_2020-01-02-03-04-05-678_com.app.jpg",
                "2020-01-02T03:04:05.678",
            ),
            (
                "Screenshot 2020-01-02 at 03.04.05.png",
                "2020-01-02T03:04:05",
            ),
            (
                "Screen Shot 2020-01-02 at 3.04.05 PM.png",
                "2020-01-02T15:04:05",
            ),
            (
                "Bildschirmfoto 2020-01-02 um 03.04.05.png",
                "2020-01-02T03:04:05",
            ),
            ("signal-2022-03-04-050607.jpg", "2022-03-04T05:06:07"),
            (
                "signal-2022-03-04-050607_002.jpeg",
                "2022-03-04T05:06:07.002",
            ),
            (
                "signal-2022-03-04-05-06-07-123.jpg",
                "2022-03-04T05:06:07.123",
            ),
            ("photo_2019-05-03_10-11-12.jpg", "2019-05-03T10:11:12"),
            ("2012-08-09_10-11-12.jpg", "2012-08-09T10:11:12"),
            ("2012-08-09 10.11.12-1.jpg", "2012-08-09T10:11:12"),
            ("2012_08_09 Rome.jpg", "2012-08-09"),
            (
                "C360_2013-08-19-12-14-50-499.jpg",
                "2013-08-19T12:14:50.499",
            ),
            ("DJI_20190503101112_0001_D.JPG", "2019-05-03T10:11:12"),
            ("WP_20130819_001.jpg", "2013-08-19"),
            (
                "WhatsApp Image 2021-05-06 at 07.08.09.jpeg",
                "2021-05-06T07:08:09",
            ),
            (
                "WhatsApp Image 2021-05-06 at 07.08.09 (1).jpeg",
                "2021-05-06T07:08:09",
            ),
            ("FB_IMG_1557137411234.jpg", "2019-05-06T10:10:11.234Z"),
            ("mmexport1557137411234.jpg", "2019-05-06T10:10:11.234Z"),
            ("Scan 1978.jpg", "1978"),
            ("Christmas 1956 (2).tif", "1956"),
            ("1985-06 Rome 12.jpg", "1985-06"),
            ("2019-05-03.jpg", "2019-05-03"),
            ("20190503.jpg", "2019-05-03"),
            ("2019/20180503_x.jpg", "2018-05-03"),
            ("IMG_20190503_996112.jpg", "2019-05-03"),
        ] {
            assert_eq!(iso(name).as_deref(), Some(date), "{name}");
        }
    }

    #[test]
    fn numbers_that_are_no_dates_are_none() {
        for name in [
            "IMG_12345678.jpg",
            "99999999_999999.jpg",
            "DSC20191345.jpg",
            "DSC_1987.jpg",
            "IMG_2019.jpg",
            "P1978.jpg",
            "Photo 1978.jpg",
            "IMG 2001.jpg",
            "1557137411234.jpg",
            "FB_IMG_9957137411234.jpg",
            "20190229.jpg",
            "120190503.jpg",
            "4006381333931.jpg",
            "2019/photo.jpg",
            "",
            "._.jpg",
        ] {
            assert_eq!(iso(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_panics(name in any::<Vec<u8>>(), text in "[0-9 ._-]{0,40}") {
            let _ = (date_of_name(&name), date_of_name(text.as_bytes()));
        }

        #[test]
        fn every_moment_is_found_in_a_phones_name(
            (y, mo, d) in (1990_u32..2040, 1_u32..13, 1_u32..29),
            (h, mi, s) in (0_u32..24, 0_u32..60, 0_u32..60),
            prefix in "(IMG_|VID_|PANO_|Screenshot_||img)", between in "[-_T]",
        ) {
            let name = format!("{prefix}{y}{mo:02}{d:02}{between}{h:02}{mi:02}{s:02}.jpg");
            let wanted = format!("{y}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}");
            prop_assert_eq!(iso(&name), Some(wanted));
        }
    }
}
