//! IPTC-IIM: keywords, title, caption and date as agencies and older programs write them.
//!
//! Records stand one after the other: a mark, two numbers that say which field it is, a length, the
//! value (IPTC-NAA Information Interchange Model 4.2). They are in Photoshop's image resource 1028,
//! which JPEGs keep in APP13 segments, and in tag 33723 of TIFFs.
//!
//! Reading costs no more than the records are long. What cannot be read ends it.

use std::borrow::Cow;

use super::jpeg_layout::segments;
use super::limits::Limits;
use super::{psd, tiff};
use crate::photo::Format;
use crate::said::text::{is_camera_default, latin1, line, paragraphs, utf8_or_latin1};
use crate::said::{DateField, Keyword, MAX_CAPTION, MAX_TITLE, Said, Standard, is_blank_date};

/// The image resource with IPTC records.
const RESOURCE: u16 = 1028;

/// Fields of the application record: its number, and theirs.
const APPLICATION: u8 = 2;
const TITLE: u8 = 5;
const KEYWORD: u8 = 25;
const DATE: u8 = 55;
const TIME: u8 = 60;
const HEADLINE: u8 = 105;
const CAPTION: u8 = 120;

/// The IPTC records of a file, at most `limits.max_metadata` bytes.
pub(super) fn iptc_block<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &Limits,
) -> Option<Cow<'a, [u8]>> {
    let block = match format {
        Format::Jpeg => jpeg(bytes, limits.max_metadata),
        Format::Psd => psd::resource(bytes, RESOURCE).map(Cow::Borrowed),
        Format::Tiff | Format::Raw => tiff::iptc(bytes),
        _ => None,
    }?;
    (!block.is_empty() && block.len() <= limits.max_metadata).then_some(block)
}

/// A resource that is too long for one segment goes on in the next.
fn jpeg(bytes: &[u8], max: usize) -> Option<Cow<'_, [u8]>> {
    const NAME: &[u8] = b"Photoshop 3.0\0";
    let mut parts = segments(bytes)
        .filter(|(marker, ..)| *marker == 0xED)
        .filter_map(|(_, segment, _)| segment.strip_prefix(NAME));
    let first = parts.next()?;
    let rest: Vec<&[u8]> = parts.collect();
    if let Some(found) = psd::find_resource(first, 0..first.len(), RESOURCE) {
        return first.get(found).map(Cow::Borrowed);
    }
    let len = first.len() + rest.iter().map(|part| part.len()).sum::<usize>();
    if rest.is_empty() || len > max {
        return None;
    }
    let all = [&[first][..], &rest].concat().concat();
    let found = psd::find_resource(&all, 0..all.len(), RESOURCE)?;
    Some(Cow::Owned(all.get(found)?.to_vec()))
}

/// All that records say.
pub(super) fn read(records: &[u8]) -> Said {
    let mut said = Said::default();
    let charset = records_of(records).find(|r| (r.record, r.field) == (1, 90));
    let charset = Charset::of(charset.map_or(&[], |r| r.value));
    let first = |field| {
        let mut all = records_of(records).filter(|r| r.record == APPLICATION);
        all.find(|r| r.field == field && !r.value.trim_ascii().is_empty())
    };
    let words = |field| first(field).map(|r| charset.decode(r.value));
    let title = |field| line(&words(field)?, MAX_TITLE);
    said.title = title(TITLE).or_else(|| title(HEADLINE));
    said.caption = words(CAPTION)
        .and_then(|text| paragraphs(&text, MAX_CAPTION))
        .filter(|text| !is_camera_default(text));
    for record in records_of(records) {
        if (record.record, record.field) == (APPLICATION, KEYWORD) {
            let keyword = Keyword::flat(&charset.decode(record.value));
            if !said.add_keyword(Standard::Iptc, keyword) {
                break;
            }
        }
    }
    if let Some(date) = first(DATE) {
        let date = utf8_or_latin1(date.value);
        let time = first(TIME).map(|time| utf8_or_latin1(time.value));
        // A time that cannot be does not spoil the date.
        let moment = time.map(|time| format!("{}T{}", date.trim(), time.trim()));
        let moment = moment.filter(|m| crate::said::WrittenDate::parse(m).is_some());
        let text = moment.as_deref().unwrap_or(&date);
        if !is_blank_date(&date) {
            said.add_date(Standard::Iptc, DateField::Iptc, "DateCreated", text);
        }
    }
    said
}

/// One field's value.
#[derive(Debug, Clone, Copy)]
struct Dataset<'a> {
    record: u8,
    field: u8,
    value: &'a [u8],
}

fn records_of(bytes: &[u8]) -> impl Iterator<Item = Dataset<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&[0x1C, record, field, high, low], after) = rest.split_first_chunk::<5>()? else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (len, after) = match len {
            // The length of the length.
            0x8000.. => {
                let (digits, after) = after.split_at_checked(len & 0x7FFF)?;
                let add = |n: usize, digit: &u8| n.checked_mul(256)?.checked_add((*digit).into());
                (digits.iter().try_fold(0, add)?, after)
            }
            _ => (len, after),
        };
        let (value, after) = after.split_at_checked(len)?;
        rest = after;
        Some(Dataset {
            record,
            field,
            value,
        })
    })
}

/// How words are encoded, by field 1:90: an ISO 2022 escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Latin1,
    /// Nothing is said that is understood, which is usual.
    Unknown,
}

impl Charset {
    fn of(escape: &[u8]) -> Self {
        match escape {
            b"\x1b%G" | b"\x1b%/G" | b"\x1b%/H" | b"\x1b%/I" => Self::Utf8,
            b"\x1b.A" | b"\x1b-A" => Self::Latin1,
            _ => Self::Unknown,
        }
    }

    fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Latin1 => bytes.iter().map(|b| latin1(*b)).collect(),
            // Fields have a longest length, where writers cut through characters.
            Self::Utf8 if is_cut_utf8(bytes) => String::from_utf8_lossy(bytes),
            _ => utf8_or_latin1(bytes),
        }
    }
}

fn is_cut_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::testing::damaged;

    fn record(number: u8, field: u8, value: &[u8]) -> Vec<u8> {
        let len = (value.len() as u16).to_be_bytes();
        [&[0x1C, number, field], &len[..], value].concat()
    }

    fn words_of(said: &Said) -> Vec<&str> {
        said.keywords.iter().map(Keyword::word).collect()
    }

    fn dates_of(said: &Said) -> Vec<String> {
        said.dates.iter().map(|d| d.date.to_string()).collect()
    }

    fn resource(records: &[u8]) -> Vec<u8> {
        let len = (records.len() as u32).to_be_bytes();
        [
            b"8BIM\x04\x04\0\0",
            &len[..],
            records,
            &[0][..records.len() % 2],
        ]
        .concat()
    }

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u16 + 2).to_be_bytes();
        [&[0xFF, marker], &len[..], content].concat()
    }

    fn jpeg_of(segments: &[Vec<u8>]) -> Vec<u8> {
        [&[0xFF, 0xD8], &segments.concat()[..], &[0xFF, 0xD9]].concat()
    }

    fn found(bytes: &[u8], format: Format) -> Option<Vec<u8>> {
        iptc_block(bytes, format, &Limits::default()).map(Cow::into_owned)
    }

    #[test]
    fn all_fields_are_read() {
        let said = read(
            &[
                record(2, 0, &[0, 4]),
                record(2, 5, b"Opa"),
                record(2, 25, b"lake"),
                record(2, 25, b"boat"),
                record(2, 55, b"20100304"),
                record(2, 60, b"050607+0100"),
                record(2, 105, b"not this one"),
                record(2, 120, b"Opa at the lake\rwith a boat"),
            ]
            .concat(),
        );
        assert_eq!(said.title.as_deref(), Some("Opa"));
        assert_eq!(said.caption.as_deref(), Some("Opa at the lake with a boat"));
        assert_eq!(words_of(&said), ["lake", "boat"]);
        assert_eq!(dates_of(&said), ["2010-03-04T05:06:07+01:00"]);
        assert_eq!(said.dropped, [""; 0]);
    }

    #[test]
    fn words_are_utf8_or_latin1() {
        let latin = record(2, 25, b"K\xFCste");
        let utf8 = record(2, 25, "Küste".as_bytes());
        let cut = record(2, 25, b"K\xC3\xBCste\xC3");
        let says = |escape: &[u8], word: &[u8]| [&record(1, 90, escape), word].concat();
        for records in [
            latin.clone(),
            utf8.clone(),
            says(b"\x1b%G", &utf8),
            says(b"\x1b%G", &latin),
            says(b"\x1b%G", &cut),
            says(b"\x1b.A", &latin),
        ] {
            assert_eq!(words_of(&read(&records)), ["Küste"], "{records:?}");
        }
    }

    #[test]
    fn dates_are_read_as_far_as_they_can_be() {
        let said =
            |date: &[u8], time: &[u8]| read(&[record(2, 55, date), record(2, 60, time)].concat());
        for (date, time, expected) in [
            (&b"20100304"[..], &b"050607"[..], "2010-03-04T05:06:07"),
            (b"20100304", b"", "2010-03-04"),
            (b"20100304", b"250000", "2010-03-04"),
            (b"20100300", b"050607", "2010-03"),
            (b"2010-03-04", b"05:06:07", "2010-03-04T05:06:07"),
        ] {
            assert_eq!(dates_of(&said(date, time)), [expected]);
        }
        let none = said(b"00000000", b"000000");
        assert_eq!((none.dates.len(), none.dropped.len()), (0, 0));
        let odd = said(b"20101350", b"");
        assert_eq!(odd.dropped, ["iptc: DateCreated 20101350 is no date"]);
    }

    #[test]
    fn records_are_found_in_one_segment_and_across_two() {
        let records = record(2, 25, b"lake");
        let other = [&b"8BIM\x03\xED\0\0\0\0\0\x02ab"[..], &resource(&records)].concat();
        let name = b"Photoshop 3.0\0";
        let whole = jpeg_of(&[
            segment(0xED, b"Adobe_CM"),
            segment(0xED, &[name, &other[..]].concat()),
        ]);
        assert_eq!(found(&whole, Format::Jpeg).as_deref(), Some(&records[..]));
        let (a, b) = other.split_at(30);
        let parts = [a, b].map(|part| segment(0xED, &[name, part].concat()));
        assert_eq!(
            found(&jpeg_of(&parts), Format::Jpeg).as_deref(),
            Some(&records[..])
        );
        assert_eq!(found(&jpeg_of(&parts[..1]), Format::Jpeg), None);
    }

    #[test]
    fn records_are_found_in_tiffs_whatever_their_type_says() {
        let records = [record(2, 25, b"lake"), vec![0; 3]].concat();
        let tiff = |kind: u8, data: &[u8]| {
            let count = data.len() / if kind == 4 { 4 } else { 1 };
            let head = [b"MM\0*\0\0\0\x08\0\x01\x83\xBB\0", &[kind][..]].concat();
            [
                &head,
                &(count as u32).to_be_bytes()[..],
                &[0, 0, 0, 26],
                &[0; 4],
                data,
            ]
            .concat()
        };
        let swapped: Vec<u8> = records
            .chunks(4)
            .flat_map(|c| c.iter().rev().copied())
            .collect();
        for file in [tiff(7, &records), tiff(4, &records), tiff(4, &swapped)] {
            let block = found(&file, Format::Tiff).unwrap_or_default();
            assert_eq!(words_of(&read(&block)), ["lake"]);
        }
    }

    #[test]
    fn long_lengths_are_followed_and_false_ones_end_it() {
        let long = [&[0x1C, 2, 25, 0x80, 2, 0, 4][..], b"lake"].concat();
        assert_eq!(words_of(&read(&long)), ["lake"]);
        let endless = [&long[..], &[0x1C, 2, 25, 0xFF, 0xFF], &[0xFF; 99]].concat();
        assert_eq!(words_of(&read(&endless)), ["lake"]);
        let longer = [&long[..], &[0x1C, 2, 25, 0, 9], b"short"].concat();
        assert_eq!(words_of(&read(&longer)), ["lake"]);
    }

    #[test]
    fn absurd_counts_of_keywords_are_cut_off_and_told() {
        let many: Vec<u8> = (0..50_000)
            .flat_map(|i: u32| record(2, 25, &i.to_be_bytes()))
            .collect();
        let said = read(&many);
        assert!(said.keywords.len() < 5000);
        assert_eq!(
            said.dropped,
            ["iptc: too many keywords, the rest is left out"]
        );
    }

    #[test]
    fn damaged_files_never_panic() {
        let records = [
            record(1, 90, b"\x1b%G"),
            record(2, 25, b"lake"),
            record(2, 55, b"20100304"),
        ]
        .concat();
        let content = [b"Photoshop 3.0\0", &resource(&records)[..]].concat();
        for bytes in damaged(&jpeg_of(&[segment(0xED, &content)])) {
            if let Some(block) = found(&bytes, Format::Jpeg) {
                read(&block);
            }
            found(&bytes, Format::Tiff);
            found(&bytes, Format::Psd);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).tidied().is_possible());
            let keyword = read(&[&[0x1C, 2, 25][..], &bytes].concat());
            prop_assert!(keyword.tidied().is_possible());
        }
    }
}
