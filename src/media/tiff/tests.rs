use std::io::Write;

use super::*;
use crate::media::testing::{assert_close, assert_data_close, damaged, drawn};
use crate::media::tiff::testing::file;

#[test]
fn grey_of_all_depths_has_its_high_bits() -> Result<(), NoPixels> {
    let cases: [(u32, &[u8], [u8; 3]); 5] = [
        (1, &[0b1010_0000], [255, 0, 255]),
        (2, &[0b1101_0000], [255, 85, 0]),
        (4, &[0xF5, 0x00], [255, 85, 0]),
        (12, &[0xFF, 0xF8, 0x00, 0x01, 0x20], [255, 128, 1]),
        (16, &[0xFF, 0xFF, 0x80, 0x00, 0x01, 0x23], [255, 128, 1]),
    ];
    for (bits, data, expected) in cases {
        let black_is_zero = file((3, 1), &[bits], 1, &[data]).big_endian();
        assert_eq!(black_is_zero.decoded()?.data, expected, "{bits} bits");
        let white_is_zero = file((3, 1), &[bits], 0, &[data]).big_endian();
        let inverse = expected.map(|v| 255 - v);
        assert_eq!(white_is_zero.decoded()?.data, inverse, "{bits} bits");
    }
    let little = file((2, 1), &[16], 1, &[&[0xFF, 0x01, 0x00, 0xFE]]);
    assert_eq!(little.decoded()?.data, [1, 0xFE]);
    Ok(())
}

#[test]
fn measured_grey_goes_from_its_least_to_its_greatest() -> Result<(), NoPixels> {
    let floats = |values: [f32; 3]| values.map(f32::to_le_bytes).concat();
    let float = |data: &[u8]| file((3, 1), &[32], 1, &[data]).with(339, &[3]);
    assert_eq!(
        float(&floats([0.0, 0.5, f32::NAN])).decoded()?.data,
        [0, 128, 0]
    );
    assert_eq!(
        float(&floats([-10.0, 0.0, 10.0])).decoded()?.data,
        [0, 128, 255]
    );
    let half = file((3, 1), &[16], 1, &[&[0, 0, 0, 0x38, 0, 0x3C]]).with(339, &[3]);
    assert_eq!(half.decoded()?.data, [0, 128, 255]);
    // 24 bits: 7 of exponent, 16 of fraction.
    let three = file((3, 1), &[24], 1, &[&[0, 0, 0, 0, 0, 0x3E, 0, 0, 0x3F]]).with(339, &[3]);
    assert_eq!(three.decoded()?.data, [0, 128, 255]);
    let doubles = [0.0_f64, 0.5, 1.0].map(f64::to_le_bytes).concat();
    let double = file((3, 1), &[64], 1, &[&doubles]).with(339, &[3]);
    assert_eq!(double.decoded()?.data, [0, 128, 255]);
    let signed = file((3, 1), &[8], 1, &[&[0xF6, 0, 10]]).with(339, &[2]);
    assert_eq!(signed.decoded()?.data, [0, 128, 255]);
    Ok(())
}

#[test]
fn palettes_of_all_depths_become_colours() -> Result<(), NoPixels> {
    for bits in [1, 2, 4, 8] {
        let count = 1 << bits;
        let mut map = vec![0; 3 * count];
        (map[1], map[count + 1], map[2 * count + 1]) = (0x1234, 0x5678, 0xFFFF);
        let data = [1_u8 << (8 - bits)];
        let picture = file((1, 1), &[bits as u32], 3, &[&data]).with(320, &map);
        let data = picture.decoded()?.data;
        assert_eq!(data, [0x12, 0x56, 0xFF], "{bits} bits");
    }
    let bytes = [0, 200, 0, 100, 0, 50]; // some writers put bytes there
    let picture = file((2, 1), &[1], 3, &[&[0b0100_0000]]).with(320, &bytes);
    assert_eq!(picture.decoded()?.data, [0, 0, 0, 200, 100, 50]);
    let without = file((1, 1), &[8], 3, &[&[0]]);
    assert!(matches!(without.decoded(), Err(NoPixels::Corrupt(_))));
    Ok(())
}

#[test]
fn alpha_lies_over_white() -> Result<(), NoPixels> {
    let grey = file((2, 1), &[8, 8], 1, &[&[10, 255, 0, 128]]).with(338, &[2]);
    assert_eq!(grey.decoded()?.data, [10, 127]);
    let inverse = file((2, 1), &[8, 8], 0, &[&[245, 255, 255, 128]]).with(338, &[2]);
    assert_eq!(inverse.decoded()?.data, [10, 127]);
    let associated = file((1, 1), &[8; 4], 2, &[&[10, 20, 30, 100]]).with(338, &[1]);
    assert_eq!(associated.decoded()?.data, [165, 175, 185]);
    let deep = file((1, 1), &[16; 4], 2, &[&[1, 2, 3, 4, 5, 6, 0xFF, 0xFF]]).with(338, &[2]);
    assert_eq!(deep.decoded()?.data, [2, 4, 6]);
    let meaningless = file((1, 1), &[8; 4], 2, &[&[1, 2, 3, 9]]).with(338, &[0]);
    assert_eq!(meaningless.decoded()?.data, [1, 2, 3]);
    Ok(())
}

#[test]
fn ycbcr_is_brought_up_to_full_size_and_converted() -> Result<(), NoPixels> {
    let full = file((2, 1), &[8; 3], 6, &[&[76, 85, 255, 200, 128, 128]]).with(530, &[1, 1]);
    assert_data_close(&full.decoded()?.data, &[254, 0, 0, 200, 200, 200], 1);
    // Blocks of two by two; the right one and the lower ones reach beyond the picture.
    let blocks: [&[u8]; 2] = [
        &[10, 20, 40, 50, 128, 128, 30, 0, 60, 0, 128, 128],
        &[70, 80, 0, 0, 128, 128, 90, 0, 0, 0, 128, 128],
    ];
    let shared = file((3, 3), &[8; 3], 6, &blocks).with(278, &[2]);
    let grey = |v: u8| [v; 3];
    let expected = [10, 20, 30, 40, 50, 60, 70, 80, 90].map(grey).concat();
    assert_eq!(shared.decoded()?.data, expected);
    Ok(())
}

#[test]
fn lab_and_ink_become_srgb() -> Result<(), NoPixels> {
    // White, and L*a*b* 54, 81, 70, which is sRGB's red.
    let expected = [255, 255, 255, 255, 0, 0];
    let lab = file((2, 1), &[8; 3], 8, &[&[255, 0, 0, 138, 81, 70]]);
    assert_data_close(&lab.decoded()?.data, &expected, 6);
    let icc = file((2, 1), &[8; 3], 9, &[&[255, 128, 128, 138, 209, 198]]);
    assert_data_close(&icc.decoded()?.data, &expected, 6);
    let deep = [255, 255, 0, 0, 0, 0, 138, 0, 81, 0, 70, 0];
    let deep = file((2, 1), &[16; 3], 8, &[&deep]).big_endian();
    assert_data_close(&deep.decoded()?.data, &expected, 6);
    let planes: [&[u8]; 4] = [&[0], &[255], &[0], &[127]];
    let ink = file((1, 1), &[8; 4], 5, &planes).with(284, &[2]);
    assert_eq!(ink.decoded()?.data, [128, 0, 128]);
    Ok(())
}

/// Three by two pixels in tiles of two by two, each with its number.
fn tiles() -> crate::media::tiff::testing::File {
    let chunks: [&[u8]; 2] = [&[1, 2, 4, 5], &[3, 99, 6, 99]];
    file((3, 2), &[8], 1, &chunks).tiled(2, 2)
}

#[test]
fn chunks_go_to_their_places() -> Result<(), NoPixels> {
    assert_eq!(tiles().decoded()?.data, [1, 2, 3, 4, 5, 6]);
    assert_eq!(tiles().big_tiff().decoded()?.data, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        tiles().big_tiff().big_endian().decoded()?.data,
        [1, 2, 3, 4, 5, 6]
    );
    let strips: [&[u8]; 2] = [&[1, 2, 3, 4], &[5, 6]];
    let strips = file((2, 3), &[8], 1, &strips).with(278, &[2]);
    assert_eq!(strips.decoded()?.data, [1, 2, 3, 4, 5, 6]);
    let planes: [&[u8]; 3] = [&[0, 1, 0, 4], &[0, 2, 0, 5], &[0, 3, 0, 6]];
    let planes = file((2, 1), &[16; 3], 2, &planes).with(284, &[2]);
    assert_eq!(planes.decoded()?.data, [1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn compressions_and_predictors_are_undone() -> Result<(), NoPixels> {
    let differences = [1, 2, 3, 1, 1, 1, 10, 20, 30, 255, 255, 255];
    let expected = [1, 2, 3, 2, 3, 4, 10, 20, 30, 9, 19, 29];
    let mut deflater = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    let deflated = deflater
        .write_all(&differences)
        .and_then(|()| deflater.finish());
    let lzw =
        weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(&differences);
    let zstd = ruzstd::encoding::compress_to_vec(
        &differences[..],
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    for (number, data) in [
        (8, deflated.unwrap_or_default()),
        (5, lzw.unwrap_or_default()),
        (50_000, zstd),
    ] {
        let picture = file((2, 2), &[8; 3], 2, &[&data]).with(259, &[number]);
        assert_eq!(picture.decoded()?.data, differences, "compression {number}");
        assert_eq!(picture.with(317, &[2]).decoded()?.data, expected);
    }
    let packed = file((4, 1), &[8], 1, &[&[0, 7, 128, 254, 9]]).with(259, &[32_773]);
    assert_eq!(packed.decoded()?.data, [7, 9, 9, 9]);
    let reversed = file((8, 1), &[1], 1, &[&[0b0000_0001]]).with(266, &[2]);
    assert_eq!(reversed.decoded()?.data, [255, 0, 0, 0, 0, 0, 0, 0]);
    Ok(())
}

#[test]
fn predictors_of_large_samples_are_undone() -> Result<(), NoPixels> {
    let layout = |bits, kind, predictor| {
        let picture = file((3, 1), &[bits], 1, &[&[]]).with(317, &[predictor]);
        let bytes = picture.with(339, &[kind]).bytes();
        let directory = Directory::first(&bytes).ok_or(NoPixels::Truncated)?;
        Layout::read(&directory, &Limits::default())
    };
    let undone = |layout: &Layout, data: &[u8], is_little| {
        let mut data = data.to_vec();
        let stride = data.len();
        codec::undo_predictor(&mut data, stride, 1, layout, is_little);
        data
    };
    let shorts = layout(16, 1, 2)?;
    assert_eq!(
        undone(&shorts, &[0xFF, 0, 2, 0, 0, 1], true),
        [0xFF, 0, 1, 1, 1, 2]
    );
    assert_eq!(
        undone(&shorts, &[0, 0xFF, 0, 2, 1, 0], false),
        [0, 0xFF, 1, 1, 2, 1]
    );
    let floats = layout(16, 3, 3)?;
    // The high bytes 1, 2, 3, then the low ones 4, 5, 6, as differences.
    assert_eq!(
        undone(&floats, &[1, 1, 1, 1, 1, 1], true),
        [1, 4, 2, 5, 3, 6]
    );
    Ok(())
}

#[test]
fn samples_of_other_programs_are_read() -> Result<(), NoPixels> {
    let fax: Vec<u8> = (0..24 * 16)
        .map(|i| (i % 24, i / 24))
        .map(|(x, y)| if (x + y) % 3 == 0 || x > 16 { 0 } else { 255 })
        .collect();
    for bytes in [
        &include_bytes!("../../../tests/samples/fax_g3_1d.tif")[..],
        include_bytes!("../../../tests/samples/fax_g3_2d.tif"),
        include_bytes!("../../../tests/samples/fax_g4.tif"),
        include_bytes!("../../../tests/samples/fax_rle.tif"),
    ] {
        assert_close(&decode(bytes, &Limits::default())?, Channels::Grey, &fax, 0);
    }
    let lzma = decode(
        include_bytes!("../../../tests/samples/lzma.tif"),
        &Limits::default(),
    )?;
    assert_close(&lzma, Channels::Rgb, &drawn(), 0);
    Ok(())
}

const JPEG: &[u8] = include_bytes!("../../../tests/samples/ycbcr_jpeg.tif");

#[test]
fn jpeg_inside_is_read_in_chunks_and_as_a_whole() -> Result<(), NoPixels> {
    let picture = decode(JPEG, &Limits::default())?;
    assert_close(&picture, Channels::Rgb, &drawn(), 45); // chroma at half size
    // The old kind: one stream with its tables, pointed to by a tag.
    let directory = Directory::first(JPEG).ok_or(NoPixels::Truncated)?;
    let tables = directory.raw(JPEG_TABLES).unwrap_or_default();
    let start = directory.number(273).unwrap_or(0) as usize;
    let len = directory.number(279).unwrap_or(0) as usize;
    let stream = [&tables[..tables.len() - 2], &JPEG[start + 2..start + len]].concat();
    let whole = file((24, 16), &[8; 3], 6, &[&stream]).with(259, &[6]);
    assert!(matches!(whole.decoded(), Err(NoPixels::Unsupported(_))));
    // Header, directory of ten tags: there the chunk is.
    let whole = whole
        .with(JPEG_START, &[8 + 2 + 10 * 12 + 4])
        .with(JPEG_LEN, &[stream.len() as u32]);
    assert_eq!(whole.decoded()?, picture);
    Ok(())
}

#[test]
fn facts_are_read_from_the_directory() -> Result<(), NoPixels> {
    let bytes = tiles().bytes();
    let found = facts(&bytes, &Limits::default())?;
    assert_eq!((found.width, found.height, found.is_upright), (3, 2, false));
    assert_eq!(found.exif.as_deref(), Some(&bytes[..]));
    assert_eq!(found.xmp, None);
    let arrow = facts(b"II*\0\xFF\xFF\0\0", &Limits::default());
    assert_eq!(arrow, Err(NoPixels::Truncated));
    Ok(())
}

#[test]
fn limits_hold_and_unknown_kinds_are_refused_by_name() {
    let huge = file((60_000, 60_000), &[8], 1, &[&[]]);
    assert!(matches!(huge.decoded(), Err(NoPixels::TooLarge(_))));
    let wide_chunk = file((1, 1), &[8], 1, &[&[0]]).tiled(65_536, 65_536);
    assert!(matches!(wide_chunk.decoded(), Err(NoPixels::TooLarge(_))));
    let narrow = vec![&[0][..]; 20_000];
    let narrow = file((1, 20_000), &[8], 1, &narrow).tiled(65_536, 1);
    assert!(matches!(narrow.decoded(), Err(NoPixels::Corrupt(_))));
    for (tag, value) in [(259, 34_712), (262, 32_803), (339, 6)] {
        let mut odd = file((1, 1), &[8], 1, &[&[0]]);
        odd.tags.retain(|(t, _)| *t != tag);
        let result = odd.with(tag, &[value]).decoded();
        assert!(
            matches!(result, Err(NoPixels::Unsupported(_))),
            "{result:?}"
        );
    }
}

#[test]
fn a_file_that_is_cut_off_is_truncated() {
    let whole = tiles().bytes();
    for len in 0..whole.len() - 4 {
        let result = decode(&whole[..len], &Limits::default());
        assert_eq!(result, Err(NoPixels::Truncated), "{len}");
    }
    assert!(matches!(
        decode(b"no picture", &Limits::default()),
        Err(NoPixels::Corrupt(_))
    ));
}

#[test]
fn damaged_files_never_panic() {
    let limits = Limits {
        max_pixels: 100_000,
        max_alloc: 16 << 20,
        ..Limits::default()
    };
    let palette = file((2, 1), &[1], 3, &[&[0b0100_0000]]).with(320, &[0, 200, 0, 100, 0, 50]);
    for file in [
        JPEG,
        include_bytes!("../../../tests/samples/lzma.tif"),
        include_bytes!("../../../tests/samples/fax_g3_2d.tif"),
        include_bytes!("../../../tests/samples/fax_g4.tif"),
        &tiles().bytes(),
        &palette.big_tiff().bytes(),
        &file((2, 1), &[8; 3], 6, &[&[1; 6]]).with(259, &[8]).bytes(),
    ] {
        for bytes in damaged(file) {
            let _ = facts(&bytes, &limits);
            let _ = decode(&bytes, &limits);
        }
    }
}
