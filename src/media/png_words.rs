//! Dates that a PNG says of itself, outside of EXIF and XMP: `Creation Time` among its texts, and
//! when it was last changed (PNG specification, 11.3.3.2 and 11.3.4.7).

use jiff::fmt::rfc2822;

use crate::said::text::utf8_or_latin1;
use crate::said::{DateField, SaidDate, WrittenDate};

/// Chunks that are looked at. Programs write some tens before the picture.
const MAX_CHUNKS: usize = 1000;
/// Longest date, in bytes.
const LONGEST: usize = 64;

/// All of them, those before and behind the picture.
pub(super) fn dates(bytes: &[u8]) -> Vec<SaidDate> {
    let mut dates = Vec::new();
    for (kind, data) in chunks(bytes).take(MAX_CHUNKS) {
        let date = match kind {
            b"tEXt" => created(data).map(|date| (DateField::PngCreated, date)),
            b"iTXt" => international(data).map(|date| (DateField::PngCreated, date)),
            b"tIME" => changed(data).map(|date| (DateField::PngModified, date)),
            b"IEND" => break,
            _ => None,
        };
        dates.extend(date.map(|(field, date)| SaidDate { field, date }));
    }
    dates
}

/// The chunks of a PNG, kind and data, as far as they are whole.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_at_checked(8)?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (data, behind) = behind.split_at_checked(len)?;
        // The sum behind each chunk.
        rest = behind.get(4..).unwrap_or_default();
        Some((&head[4..], data))
    })
}

/// Keyword, NUL, Latin-1.
fn created(data: &[u8]) -> Option<WrittenDate> {
    let (keyword, text) = split_at_nul(data)?;
    keyword
        .eq_ignore_ascii_case(b"creation time")
        .then(|| written(text))?
}

/// Keyword, NUL, two bytes about compression, language, NUL, translated keyword, NUL, UTF-8.
fn international(data: &[u8]) -> Option<WrittenDate> {
    let (keyword, rest) = split_at_nul(data)?;
    let is_plain = keyword.eq_ignore_ascii_case(b"creation time") && rest.first() == Some(&0);
    let (_, rest) = split_at_nul(rest.get(2..).filter(|_| is_plain)?)?;
    let (_, text) = split_at_nul(rest)?;
    written(text)
}

fn split_at_nul(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let nul = data.iter().take(256).position(|b| *b == 0)?;
    Some((&data[..nul], &data[nul + 1..]))
}

/// The specification wants the form of mails; programs write that of EXIF and ISO 8601.
fn written(text: &[u8]) -> Option<WrittenDate> {
    let text = utf8_or_latin1(&text[..text.len().min(LONGEST)]);
    let text = text.trim();
    WrittenDate::parse(text).or_else(|| {
        let moment = rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
        WrittenDate::parse(&moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    })
}

/// Year, month, day, hour, minute, second; UTC.
fn changed(data: &[u8]) -> Option<WrittenDate> {
    let [y1, y0, month, day, hour, minute, second] = *data else {
        return None;
    };
    let year = u16::from_be_bytes([y1, y0]);
    WrittenDate::parse(&format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in chunks {
            out.extend((data.len() as u32).to_be_bytes());
            out.extend(*kind);
            out.extend(*data);
            out.extend([0; 4]);
        }
        out
    }

    fn found(chunks: &[(&[u8; 4], &[u8])]) -> Vec<(DateField, String)> {
        let found = dates(&png(chunks));
        found
            .iter()
            .map(|d| (d.field, d.date.to_string()))
            .collect()
    }

    #[test]
    fn both_dates_are_read_in_all_their_forms() {
        for (text, date) in [
            (
                &b"Creation Time\x002012:03:04 05:06:07"[..],
                "2012-03-04T05:06:07",
            ),
            (
                b"creation time\x002012-03-04T05:06:07+02:00",
                "2012-03-04T05:06:07+02:00",
            ),
            (
                b"Creation Time\0Sun, 4 Mar 2012 05:06:07 GMT",
                "2012-03-04T05:06:07Z",
            ),
            (
                b"Creation Time\0Sun, 04 Mar 2012 05:06:07 -0300",
                "2012-03-04T05:06:07-03:00",
            ),
        ] {
            let wanted = vec![(DateField::PngCreated, date.to_owned())];
            assert_eq!(found(&[(b"IHDR", b"x"), (b"tEXt", text)]), wanted);
        }
        let changed = found(&[
            (b"IDAT", &[7; 99]),
            (b"tIME", b"\x07\xdc\x03\x04\x05\x06\x07"),
        ]);
        assert_eq!(
            changed,
            [(DateField::PngModified, "2012-03-04T05:06:07Z".to_owned())]
        );
        let text = b"Creation Time\0\0\0de\0Zeit\x002012-03-04";
        assert_eq!(
            found(&[(b"iTXt", text)]),
            [(DateField::PngCreated, "2012-03-04".to_owned())]
        );
    }

    #[test]
    fn what_is_none_is_none() {
        assert_eq!(found(&[(b"tEXt", b"Comment\x002012-03-04")]), []);
        assert_eq!(found(&[(b"tEXt", b"Creation Time\0yesterday")]), []);
        assert_eq!(found(&[(b"tIME", b"\x07\xdc\x0d\x04\x05\x06\x07")]), []);
        assert_eq!(found(&[(b"tIME", b"\x07")]), []);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = dates(&bytes);
            let _ = dates(&png(&[(b"tEXt", &bytes), (b"iTXt", &bytes), (b"tIME", &bytes)]));
        }
    }
}
