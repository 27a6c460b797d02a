//! What is found in TIFF-based files.

use std::borrow::Cow;

use exif::Tag;

use super::super::{Facts, Limits, facts, is_raw, previews};
use super::build::{Tiff, Value, exif_block, long, short};
use super::cameras::{arw, cr2, dng, nef, orf, pef, rw2, srw};
use super::exif_text;

fn read(file: &[u8]) -> Facts<'_> {
    facts(file, &Limits::default())
}

fn size(file: &[u8]) -> (u32, u32) {
    let facts = read(file);
    (facts.width, facts.height)
}

fn best(file: &[u8]) -> (u32, u32) {
    let found = previews(file);
    let first = found.first().expect("a preview");
    assert!(first.is_whole);
    (first.width, first.height)
}

#[test]
fn nef_has_the_size_of_the_cameras_own_jpeg() {
    let file = nef(6, (6016, 4016));
    assert_eq!(size(&file), (6016, 4016));
    assert_eq!(best(&file), (6016, 4016));
    assert!(previews(&file).iter().any(|p| p.width == 570));
    assert!(!read(&file).is_upright);
    assert!(is_raw(&file));
}

#[test]
fn a_small_preview_does_not_make_the_photo_small() {
    assert_eq!(size(&nef(1, (1620, 1080))), (6048, 4024));
}

#[test]
fn a_preview_stored_turned_makes_the_file_upright() {
    let file = nef(6, (4016, 6016));
    assert!(read(&file).is_upright);
    assert_eq!(size(&file), (4024, 6048));
    assert!(!read(&nef(1, (4016, 6016))).is_upright);
}

#[test]
fn cr2_has_the_size_that_exif_says() {
    let file = cr2();
    assert_eq!(size(&file), (5184, 3456));
    assert_eq!(best(&file), (2784, 1856));
    assert_eq!(previews(&file).len(), 1);
    assert!(is_raw(&file));
}

#[test]
fn dng_has_its_default_crop() {
    let file = dng();
    assert_eq!(size(&file), (3456, 2304));
    assert_eq!(best(&file), (1024, 683));
    assert_eq!(read(&file).xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
    assert!(is_raw(&file));
}

#[test]
fn rw2_has_the_size_inside_its_borders_and_the_previews_exif() {
    let file = rw2();
    assert_eq!(size(&file), (4608, 3464));
    assert_eq!(best(&file), (1920, 1440));
    let block = read(&file).exif.expect("EXIF");
    let date = exif_text(&block, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2020-01-02 03:04:05"));
}

#[test]
fn orf_has_a_preview_in_its_maker_note_and_readable_exif() {
    let file = orf();
    assert_eq!(size(&file), (4608, 3456));
    assert_eq!(best(&file), (1600, 1200));
    let block = read(&file).exif.expect("EXIF");
    assert!(block.starts_with(b"II*\0"));
    assert_eq!(
        exif_text(&block, Tag::Model).as_deref(),
        Some("\"Camera 1\"")
    );
    assert!(is_raw(&file));
}

#[test]
fn previews_in_maker_notes_are_found() {
    assert_eq!(best(&pef()), (640, 480));
    assert_eq!(best(&srw()), (1440, 960));
    assert_eq!(best(&arw()), (1616, 1080));
}

#[test]
fn exif_is_the_file_itself_unless_that_is_large() {
    let file = dng();
    assert!(matches!(read(&file).exif, Some(Cow::Borrowed(b)) if b == file));
    let limits = Limits {
        max_metadata: 600,
        ..Limits::default()
    };
    let block = facts(&file, &limits).exif.expect("EXIF");
    assert!(matches!(block, Cow::Owned(_)) && block.len() <= 600);
    let date = exif_text(&block, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2020-01-02 03:04:05"));
    assert_eq!(
        exif_text(&block, Tag::ExposureTime).as_deref(),
        Some("1/250")
    );
    assert_eq!(exif_text(&block, Tag::Make).as_deref(), Some("\"Maker\""));
}

#[test]
fn big_endian_facts_survive_being_gathered() {
    let mut file = exif_block(true, 6);
    file.mark = Some(*b"MMOR");
    let file = file.to_bytes();
    let block = read(&file).exif.expect("EXIF");
    assert_eq!(
        exif_text(&block, Tag::ExposureTime).as_deref(),
        Some("1/250")
    );
    let turn = exif_text(&block, Tag::Orientation);
    assert_eq!(turn.as_deref(), Some("row 0 at right and column 0 at top"));
}

#[test]
fn a_date_in_the_first_directory_is_moved_where_readers_look() {
    let file = Tiff {
        directories: vec![vec![
            (0x0110, Value::Ascii("Back")),
            (0x9003, Value::Ascii("2003:04:05 06:07:08")),
        ]],
        ..Tiff::default()
    }
    .to_bytes();
    let block = read(&file).exif.expect("EXIF");
    let date = exif_text(&block, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2003-04-05 06:07:08"));
}

#[test]
fn a_plain_tiff_is_not_raw() {
    let file = Tiff {
        directories: vec![vec![
            (0x0100, long(10)),
            (0x0101, long(10)),
            (0x0106, short(2)),
        ]],
        ..Tiff::default()
    };
    assert!(!is_raw(&file.to_bytes()));
    assert!(!is_raw(b"IIxyz and more"));
    assert!(!is_raw(b""));
}
