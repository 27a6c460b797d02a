use super::*;
use crate::media::testing::{assert_close, damaged, drawn, drawn_grey, drawn_over_white};

const RGB: &[u8] = include_bytes!("../../../tests/samples/rgb.jp2");
const RGBA: &[u8] = include_bytes!("../../../tests/samples/rgba.jp2");
const GREY: &[u8] = include_bytes!("../../../tests/samples/grey.j2k");
const TIFF: &[u8] = b"MM\0*\0\0\0\x08\0\0";

fn decoded(bytes: &[u8]) -> Result<Picture, NoPixels> {
    decode(bytes, &Limits::default())
}

fn with_metadata() -> Vec<u8> {
    let mut file = RGB.to_vec();
    for (id, content) in [
        (XMP, &b"<x/>"[..]),
        (EXIF[0], &[b"Exif\0\0", TIFF].concat()),
    ] {
        let len = (8 + 16 + content.len()) as u32;
        file.extend_from_slice(&len.to_be_bytes());
        file.extend_from_slice(b"uuid");
        file.extend_from_slice(id);
        file.extend_from_slice(content);
    }
    file
}

#[test]
fn a_picture_without_loss_is_exact_in_colour_in_grey_and_over_white() -> Result<(), NoPixels> {
    assert_close(&decoded(RGB)?, Channels::Rgb, &drawn(), 0);
    assert_close(&decoded(GREY)?, Channels::Grey, &drawn_grey(), 0);
    assert_close(&decoded(RGBA)?, Channels::Rgb, &drawn_over_white(), 1);
    Ok(())
}

#[test]
fn metadata_is_read_from_its_boxes() -> Result<(), NoPixels> {
    let file = with_metadata();
    let found = facts(&file, &Limits::default())?;
    assert_eq!((found.width, found.height), (24, 16));
    assert_eq!(found.xmp.as_deref(), Some(&b"<x/>"[..]));
    assert_eq!(found.exif.as_deref(), Some(TIFF));
    // Half a block is none.
    let cut = facts(&file[..file.len() - 1], &Limits::default())?;
    assert_eq!((cut.exif, cut.xmp.is_some()), (None, true));
    // Before the codestream, the header box tells the size.
    let start = RGB.windows(4).position(|w| w == b"jp2c").unwrap_or(0);
    assert_eq!(facts(&RGB[..start], &Limits::default())?.width, 24);
    Ok(())
}

#[test]
fn a_picture_that_takes_too_much_memory_comes_smaller() -> Result<(), NoPixels> {
    let limit = |max_alloc| Limits {
        max_alloc,
        ..Limits::default()
    };
    let picture = decode(GREY, &limit(24 * 16 * 9 / 4))?;
    assert_eq!((picture.width, picture.height), (12, 8));
    assert!(matches!(
        decode(GREY, &limit(10)),
        Err(NoPixels::TooLarge(_))
    ));
    let narrow = Limits {
        max_side: 20,
        ..Limits::default()
    };
    assert!(matches!(decode(RGB, &narrow), Err(NoPixels::TooLarge(_))));
    Ok(())
}

#[test]
fn a_file_that_is_cut_off_is_truncated() {
    for file in [RGB, RGBA, GREY] {
        // Without its end marker only, a picture is whole.
        for len in 0..file.len() - 2 {
            assert_eq!(decoded(&file[..len]), Err(NoPixels::Truncated), "{len}");
        }
    }
    assert!(matches!(decoded(b"no picture"), Err(NoPixels::Corrupt(_))));
}

#[test]
fn damaged_files_never_panic() {
    let limits = Limits {
        max_pixels: 100_000,
        ..Limits::default()
    };
    for file in [&with_metadata(), RGBA, GREY] {
        for bytes in damaged(file) {
            let _ = facts(&bytes, &limits);
            let _ = decode(&bytes, &limits);
        }
    }
}
