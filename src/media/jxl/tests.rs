use super::*;
use crate::media::testing::{
    HEIGHT, WIDTH, assert_close, assert_data_close, colour, damaged, drawn, drawn_grey,
    drawn_over_white,
};

const RGB: &[u8] = include_bytes!("../../../tests/samples/rgb.jxl");
const XMP_PACKED: &[u8] = include_bytes!("../../../tests/samples/xmp.br");
const XMP: &[u8] = b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF/></x:xmpmeta>";
const TIFF: &[u8] = b"II*\0\x08\0\0\0\0\0";

fn decoded(bytes: &[u8]) -> Result<Picture, NoPixels> {
    decode(bytes, &Limits::default())
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let len = (content.len() + 8) as u32;
    [&len.to_be_bytes(), &kind[..], content].concat()
}

fn file_of(boxes: &[Vec<u8>]) -> Vec<u8> {
    let kind = boxed(b"ftyp", b"jxl \0\0\0\0jxl ");
    [SIGNATURE_BOX, &kind, &boxes.concat()].concat()
}

#[test]
fn a_picture_without_loss_is_exact_in_colour_in_grey_and_over_white() -> Result<(), NoPixels> {
    assert_close(&decoded(RGB)?, Channels::Rgb, &drawn(), 0);
    let grey = decoded(include_bytes!("../../../tests/samples/grey.jxl"))?;
    assert_close(&grey, Channels::Grey, &drawn_grey(), 0);
    let over = decoded(include_bytes!("../../../tests/samples/rgba.jxl"))?;
    assert_close(&over, Channels::Rgb, &drawn_over_white(), 1);
    Ok(())
}

#[test]
fn a_lossy_picture_is_near() -> Result<(), NoPixels> {
    let picture = decoded(include_bytes!("../../../tests/samples/lossy.jxl"))?;
    assert_close(&picture, Channels::Rgb, &drawn(), 24);
    Ok(())
}

#[test]
fn the_decoder_turns_the_picture_and_the_facts_say_so() -> Result<(), NoPixels> {
    let bytes = include_bytes!("../../../tests/samples/turned.jxl");
    let facts = facts(bytes, &Limits::default())?;
    assert!(facts.is_upright);
    assert_eq!((facts.width, facts.height), (HEIGHT as u32, WIDTH as u32));
    let picture = decoded(bytes)?;
    assert_eq!(
        (picture.width, picture.height),
        (HEIGHT as u32, WIDTH as u32)
    );
    // A quarter to the right: the left column, from its bottom, becomes the top row.
    let turned: Vec<u8> = (0..WIDTH)
        .flat_map(|y| (0..HEIGHT).flat_map(move |x| colour(y, HEIGHT - 1 - x)))
        .collect();
    assert_data_close(&picture.data, &turned, 24);
    Ok(())
}

#[test]
fn wide_and_bright_colours_become_srgb() -> Result<(), NoPixels> {
    // Display P3 to sRGB, computed apart from this program with the usual matrix.
    let picture = decoded(include_bytes!("../../../tests/samples/p3.jxl"))?;
    let at = |picture: &Picture, x: usize, y: usize| {
        let at = (y * WIDTH + x) * 3;
        [picture.data[at], picture.data[at + 1], picture.data[at + 2]]
    };
    assert_eq!(at(&picture, 3, 10), [0, 153, 69]);
    assert_eq!(at(&picture, 12, 8), [120, 120, 120]);
    // The same by an ICC profile, whose curve is a plain power; computed by Little CMS.
    let picture = decoded(include_bytes!("../../../tests/samples/p3_profile.jxl"))?;
    for (x, y, expected) in [
        (3, 10, [0, 154, 67]),
        (12, 8, [121, 121, 121]),
        (20, 3, [220, 0, 142]),
    ] {
        assert_data_close(&at(&picture, x, y), &expected, 1);
    }
    // PQ 120/255 is 69 cd/m², a third of white: 157 in sRGB.
    let picture = decoded(include_bytes!("../../../tests/samples/pq.jxl"))?;
    assert_data_close(&at(&picture, 12, 8), &[157, 157, 157], 2);
    assert_eq!(at(&picture, 0, 0), [0, 0, 0]);
    Ok(())
}

#[test]
fn of_a_film_the_first_frame_counts() -> Result<(), NoPixels> {
    let picture = decoded(include_bytes!("../../../tests/samples/film.jxl"))?;
    assert_close(&picture, Channels::Rgb, &drawn(), 16); // it went through a GIF's palette
    Ok(())
}

#[test]
fn metadata_is_read_from_boxes_before_and_behind_the_picture() -> Result<(), NoPixels> {
    let exif = boxed(b"Exif", &[&[0, 0, 0, 2, 9, 9], TIFF].concat());
    let packed = boxed(b"brob", &[b"xml ", XMP_PACKED].concat());
    let file = file_of(&[exif, boxed(b"jxlc", RGB), packed]);
    let found = facts(&file, &Limits::default())?;
    assert_eq!((found.width, found.height), (24, 16));
    assert_eq!(found.exif.as_deref(), Some(TIFF));
    assert_eq!(found.xmp.as_deref(), Some(XMP));
    assert_close(&decoded(&file)?, Channels::Rgb, &drawn(), 0);
    let tight = Limits {
        max_metadata: XMP.len() - 1,
        ..Limits::default()
    };
    assert_eq!(facts(&file, &tight)?.xmp, None);
    // Cut off behind the header, the size is known and the packet is not.
    let cut = facts(
        &file[..file.len() - XMP_PACKED.len() - 20],
        &Limits::default(),
    )?;
    assert_eq!((cut.width, cut.xmp), (24, None));
    assert_eq!(cut.exif.as_deref(), Some(TIFF));
    Ok(())
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let narrow = Limits {
        max_side: 23,
        ..Limits::default()
    };
    assert!(matches!(decode(RGB, &narrow), Err(NoPixels::TooLarge(_))));
    let small = Limits {
        max_alloc: 1000,
        ..Limits::default()
    };
    assert!(matches!(decode(RGB, &small), Err(NoPixels::TooLarge(_))));
}

#[test]
fn a_file_that_is_cut_off_is_truncated() {
    let file = file_of(&[boxed(b"jxlc", RGB)]);
    for len in 0..RGB.len() {
        assert_eq!(decoded(&RGB[..len]), Err(NoPixels::Truncated), "{len}");
    }
    for len in 0..file.len() {
        assert_eq!(decoded(&file[..len]), Err(NoPixels::Truncated), "{len}");
    }
    assert!(matches!(decoded(b"no picture"), Err(NoPixels::Corrupt(_))));
}

#[test]
fn damaged_files_never_panic() {
    let packed = boxed(b"brob", &[b"xml ", XMP_PACKED].concat());
    let file = file_of(&[
        packed,
        boxed(b"jxlc", include_bytes!("../../../tests/samples/lossy.jxl")),
    ]);
    let limits = Limits {
        max_pixels: 100_000,
        ..Limits::default()
    };
    for file in [
        &file,
        RGB,
        include_bytes!("../../../tests/samples/rgba.jxl"),
    ] {
        for bytes in damaged(file) {
            let _ = facts(&bytes, &limits);
            let _ = decode(&bytes, &limits);
        }
    }
}
