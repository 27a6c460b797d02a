//! What counts as a preview, and where it ends.

use super::super::{Preview, previews};
use super::build::{Tiff, Value, jpeg, jpeg_with, long};

/// A TIFF file whose only directory names `picture` as a JPEG of `len` bytes.
fn naming(picture: Vec<u8>, len: usize) -> Vec<u8> {
    Tiff {
        directories: vec![vec![(0x0201, Value::Blob(0)), (0x0202, long(len))]],
        blobs: vec![picture],
        ..Tiff::default()
    }
    .to_bytes()
}

fn only(bytes: &[u8]) -> Preview {
    let found = previews(bytes);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

#[test]
fn a_preview_ends_at_its_end_marker() {
    let picture = jpeg(800, 600);
    let len = picture.len();
    let padded = [&picture[..], &[0; 300]].concat();
    let file = naming(padded, len + 300);
    let found = only(&file);
    assert_eq!((found.width, found.height, found.len), (800, 600, len));
    assert!(found.is_whole);
    assert_eq!(*found.jpeg(&file), *picture);
}

#[test]
fn a_wrong_length_is_put_right() {
    let picture = jpeg(800, 600);
    let len = picture.len();
    for declared in [1, 40, len - 1, len + 1_000_000, u32::MAX as usize] {
        let file = naming([&picture[..], &[9; 50]].concat(), declared);
        let found = only(&file);
        assert_eq!((found.len, found.is_whole), (len, true), "{declared}");
    }
}

#[test]
fn a_preview_cut_off_is_listed_to_the_end_of_the_file() {
    let picture = jpeg(800, 600);
    let len = picture.len();
    let file = naming(picture, len);
    let cut = &file[..file.len() - 100];
    let found = only(cut);
    assert_eq!(found.start + found.len, cut.len());
    assert!(!found.is_whole);
}

#[test]
fn a_preview_without_an_end_marker_ends_where_declared() {
    let mut picture = jpeg(800, 600);
    picture.truncate(picture.len() - 2);
    let len = picture.len();
    let found = only(&naming([&picture[..], &[1; 50]].concat(), len));
    assert_eq!((found.len, found.is_whole), (len, false));
}

#[test]
fn lossless_and_arithmetic_pictures_are_no_previews() {
    for sof in [0xC3, 0xC5, 0xC7, 0xC9, 0xCA, 0xCB, 0xCF] {
        let picture = jpeg_with(sof, 800, 600, &[], 500);
        let len = picture.len();
        assert_eq!(previews(&naming(picture, len)), [], "{sof:x}");
    }
    for sof in [0xC0, 0xC1, 0xC2] {
        let picture = jpeg_with(sof, 800, 600, &[], 500);
        let len = picture.len();
        only(&naming(picture, len));
    }
}

#[test]
fn minoltas_first_byte_is_put_right() {
    let picture = jpeg(800, 600);
    let mut stored = picture.clone();
    stored[0] = 0;
    let file = naming(stored, picture.len());
    assert_eq!(*only(&file).jpeg(&file), *picture);
}

#[test]
fn the_thumbnail_in_a_previews_exif_does_not_end_it() {
    let inner = [&b"Exif\0\0"[..], &jpeg(160, 120)].concat();
    let picture = jpeg_with(0xC0, 800, 600, &[&inner], 500);
    let len = picture.len();
    let found = only(&naming(picture, 3));
    assert_eq!((found.width, found.len), (800, len));
}

#[test]
fn whole_ones_come_first_then_the_largest() {
    let (small, middle, large) = (jpeg(160, 120), jpeg(800, 600), jpeg(1600, 1200));
    let directory = |i: usize, len| vec![(0x0201, Value::Blob(i)), (0x0202, long(len))];
    let file = Tiff {
        directories: vec![
            directory(0, small.len()),
            directory(2, large.len()),
            directory(1, middle.len()),
        ],
        blobs: vec![small, middle, large],
        chained: 2,
        ..Tiff::default()
    }
    .to_bytes();
    let widths = |bytes: &[u8]| previews(bytes).iter().map(|p| p.width).collect::<Vec<_>>();
    assert_eq!(widths(&file), [1600, 800, 160]);
    assert_eq!(widths(&file[..file.len() - 10]), [800, 160, 1600]);
}

#[test]
fn without_a_structure_the_file_is_searched() {
    let noise = vec![0x5A; 3000];
    let large = jpeg_with(0xC2, 1600, 1200, &[], 900);
    let lossless = jpeg_with(0xC3, 4000, 3000, &[], 900);
    let file = [
        &b"II*\0\0\0\0\0"[..],
        &noise,
        &jpeg(160, 120),
        &lossless,
        &large,
        &noise,
    ]
    .concat();
    let found = previews(&file);
    assert_eq!(found[0].width, 1600);
    assert_eq!(*found[0].jpeg(&file), *large);
    assert!(found.iter().all(|p| p.width != 4000));
}

#[test]
fn the_file_is_not_searched_when_the_structure_has_a_good_preview() {
    let picture = jpeg(800, 600);
    let len = picture.len();
    let file = [naming(picture, len), jpeg(3000, 2000)].concat();
    assert_eq!(only(&file).width, 800);
}
