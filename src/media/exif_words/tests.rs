use super::*;
use crate::media::exif_block::is_bounded;
use crate::media::tests::push_directory;

const BYTE: u16 = 1;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const RATIONAL: u16 = 5;

type Entry<'a> = (u16, u16, &'a [u8]);

/// Directories of the picture, of EXIF and of GPS.
fn block(main: &[Entry], exif: &[Entry], gps: &[Entry]) -> Vec<u8> {
    fn entries<'a>(all: &[Entry<'a>]) -> Vec<(u16, u16, u32, &'a [u8])> {
        let size = |kind| match kind {
            SHORT => 2,
            RATIONAL => 8,
            _ => 1,
        };
        all.iter()
            .map(|(tag, kind, value)| (*tag, *kind, (value.len() / size(*kind)) as u32, *value))
            .collect()
    }
    let build = |exif_at: usize, gps_at: usize| {
        let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
        let pointers = [(0x8769, exif_at as u32), (0x8825, gps_at as u32)];
        let exif_at = push_directory(&mut out, &entries(main), &pointers);
        let gps_at = push_directory(&mut out, &entries(exif), &[]);
        push_directory(&mut out, &entries(gps), &[]);
        (out, exif_at, gps_at)
    };
    let (_, exif_at, gps_at) = build(0, 0);
    build(exif_at, gps_at).0
}

fn read(block: &[u8]) -> Said {
    crate::media::exif::read(Some(block).filter(|block| is_bounded(block))).said
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

fn words_of(said: &Said) -> Vec<&str> {
    said.keywords.iter().map(Keyword::word).collect()
}

fn dates_of(said: &Said) -> Vec<(DateField, String)> {
    let dates = said.dates.iter();
    dates.map(|d| (d.field, d.date.to_string())).collect()
}

#[test]
fn the_fields_of_windows_are_read() {
    let (title, comment, keywords) = (utf16("Opa"), utf16("At the lake"), utf16("ferry;Möwe;"));
    let said = read(&block(
        &[
            (0x010E, ASCII, b"Opa\0"),
            (0x0112, SHORT, &[6, 0]),
            (0x4746, SHORT, &[4, 0]),
            (0x9C9B, BYTE, &title),
            (0x9C9C, BYTE, &comment),
            (0x9C9E, BYTE, &keywords),
        ],
        &[],
        &[],
    ));
    assert_eq!(said.title.as_deref(), Some("Opa"));
    assert_eq!(said.caption.as_deref(), Some("At the lake"));
    assert_eq!(words_of(&said), ["ferry", "Möwe"]);
    assert_eq!((said.rating, said.orientation), (Some(4), Some(6)));
}

#[test]
fn a_description_is_a_title_unless_a_camera_wrote_it() {
    let title = |text: &[u8]| read(&block(&[(0x010E, ASCII, text)], &[], &[])).title;
    assert_eq!(
        title(b"Opa at the lake\0").as_deref(),
        Some("Opa at the lake")
    );
    assert_eq!(title(b"K\xFCste\0").as_deref(), Some("Küste"));
    for text in [
        &b"OLYMPUS DIGITAL CAMERA         \0"[..],
        b"SONY DSC\0",
        b"     \0",
    ] {
        assert_eq!(title(text), None);
    }
}

#[test]
fn stars_out_of_range_give_way_to_the_percent() {
    let rating = |stars, percent| {
        let main: [Entry; 2] = [(0x4746, SHORT, stars), (0x4749, SHORT, percent)];
        read(&block(&main, &[], &[])).rating
    };
    assert_eq!(rating(&[9, 0], &[75, 0]), Some(4));
    assert_eq!(rating(&[9, 0], &[0, 9]), None);
    assert_eq!(rating(&[0, 0], &[75, 0]), Some(0));
}

#[test]
fn dates_have_their_fractions_and_offsets() {
    let said = read(&block(
        &[(0x0132, ASCII, b"2024:12:01 10:00:00\0")],
        &[
            (0x9003, ASCII, b"2024:07:01 10:00:00\0"),
            (0x9004, ASCII, b"    :  :     :  :  \0"),
            (0x9010, ASCII, b"+01:00\0"),
            (0x9011, ASCII, b"+2:00\0"),
            (0x9291, ASCII, b"789\0"),
        ],
        &[],
    ));
    let expected = [
        (DateField::ExifOriginal, "2024-07-01T10:00:00.789+02:00"),
        (DateField::ExifModified, "2024-12-01T10:00:00+01:00"),
    ];
    assert_eq!(dates_of(&said), expected.map(|(f, d)| (f, d.to_owned())));
    assert_eq!(said.dropped, [""; 0]);
}

#[test]
fn a_date_that_cannot_be_is_told() {
    let said = read(&block(
        &[],
        &[(0x9003, ASCII, b"2024:13:01 10:00:00\0")],
        &[],
    ));
    assert_eq!(
        said.dropped,
        ["exif: DateTimeOriginal 2024:13:01 10:00:00 is no date"]
    );
}

#[test]
fn satellites_have_a_clock() {
    let parts = [12, 1, 10, 1, 1150, 100];
    let time: Vec<u8> = parts.into_iter().flat_map(u32::to_le_bytes).collect();
    let said = read(&block(
        &[],
        &[],
        &[(7, RATIONAL, &time), (29, ASCII, b"2016:07:08\0")],
    ));
    let expected = [(DateField::Gps, "2016-07-08T12:10:11Z".to_owned())];
    assert_eq!(dates_of(&said), expected);
    let alone = read(&block(&[], &[], &[(7, RATIONAL, &time)]));
    assert_eq!(dates_of(&alone), []);
}

#[test]
fn damaged_blocks_never_panic() {
    let words = utf16("ferry");
    let whole = block(
        &[(0x9C9E, BYTE, &words), (0x010E, ASCII, b"Opa\0")],
        &[(0x9003, ASCII, b"2024:07:01 10:00:00\0")],
        &[(29, ASCII, b"2016:07:08\0")],
    );
    for bytes in crate::media::testing::damaged(&whole) {
        read(&bytes);
    }
}
