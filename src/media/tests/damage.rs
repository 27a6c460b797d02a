//! Half-copied, bent and invented files: refused or seen, never a crash, never half a picture.

use super::*;
use proptest::prelude::*;

#[test]
fn a_file_cut_anywhere_is_never_taken_for_whole() {
    for (format, extension, bytes) in one_of_each(48, 40) {
        // What may go missing: end markers, and the checksum or padding before them.
        let spare = match format {
            Format::Jpeg => 4,
            Format::Png | Format::Ico => 12, // icons hold a PNG
            Format::Tga => 32,               // an optional footer
            Format::Gif | Format::Webp => 1,
            _ => 0,
        };
        for len in (0..bytes.len() - spare)
            .step_by(7)
            .chain([bytes.len() - spare - 1])
        {
            let error = match look(&bytes[..len], extension) {
                Err(error) => error,
                Ok(_) => panic!("{format:?}: {len} of {} bytes pass for whole", bytes.len()),
            };
            assert_ne!(error.kind(), "panic", "{format:?} at {len}: {error}");
            let half_there = len > 64
                && matches!(
                    format,
                    Format::Jpeg | Format::Png | Format::Gif | Format::Webp | Format::Bmp
                );
            if half_there {
                assert_eq!(error.kind(), "truncated", "{format:?} at {len}: {error}");
            }
        }
    }
}

#[test]
fn half_an_animation_is_half_a_file() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for shade in [10, 90, 200] {
        let frame = image::RgbaImage::from_pixel(24, 24, image::Rgba([shade, 40, 80, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    assert!(look(&bytes, "gif").is_ok());
    let cut = bytes.len() - 12;
    assert_eq!(look(&bytes[..cut], "gif").unwrap_err().kind(), "truncated");
}

#[test]
fn what_every_viewer_forgives_is_forgiven() {
    let picture = scene(120, 90);
    for kind in [Jpeg::Baseline, Jpeg::Progressive] {
        let whole = jpeg(&picture, kind, None);
        let expected = look(&whole, "jpg").unwrap();
        let without_end = whole[..whole.len() - 2].to_vec();
        let with_garbage = [&whole[..], b"trailing garbage from a card reader"].concat();
        let padded = [&whole[..], &[0; 4096]].concat();
        for bytes in [without_end, with_garbage, padded] {
            let seen = look(&bytes, "jpg").unwrap();
            assert_eq!(seen.tensors, expected.tensors, "{kind:?}");
        }
    }
}

#[test]
fn a_preallocated_copy_that_ends_in_zeros_is_truncated() {
    for kind in [Jpeg::Baseline, Jpeg::Progressive] {
        let mut bytes = jpeg(&scene(400, 300), kind, None);
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        assert_eq!(
            look(&bytes, "jpg").unwrap_err().kind(),
            "truncated",
            "{kind:?}"
        );
    }
}

#[test]
fn a_progressive_file_that_ends_between_scans_is_truncated() {
    let bytes = jpeg(&scene(200, 150), Jpeg::Progressive, None);
    let starts: Vec<usize> = (0..bytes.len() - 1)
        .filter(|i| bytes[*i..*i + 2] == [0xFF, 0xDA])
        .collect();
    assert!(starts.len() > 2, "several scans");
    for start in &starts[1..] {
        assert_eq!(
            look(&bytes[..*start], "jpg").unwrap_err().kind(),
            "truncated"
        );
        // The same scans with an end marker behind them are a coarse picture, left so on purpose.
        let ended = [&bytes[..*start], &[0xFF, 0xD9]].concat();
        assert!(look(&ended, "jpg").is_ok());
    }
}

#[test]
fn a_progressive_file_without_its_first_scan_is_damaged() {
    let whole = jpeg(&scene(120, 90), Jpeg::Progressive, None);
    let marker = |from: usize, is: fn(u8) -> bool| {
        let at = whole[from..]
            .windows(2)
            .position(|w| w[0] == 0xFF && is(w[1]));
        from + at.unwrap()
    };
    let first = marker(2, |m| m == 0xDA);
    let next = marker(first + 2, |m| !matches!(m, 0 | 0xD0..=0xD7));
    let rest = [&whole[..first], &whole[next..]].concat();
    assert_eq!(look(&rest, "jpg").unwrap_err().kind(), "corrupt");
}

#[test]
fn a_progressive_file_that_has_lost_one_scan_is_damaged() {
    let whole = jpeg(&scene(640, 480), Jpeg::Progressive, None);
    assert!(look(&whole, "jpg").is_ok());
    let starts: Vec<usize> = (0..whole.len() - 1)
        .filter(|i| whole[*i..*i + 2] == [0xFF, 0xDA])
        .collect();
    assert!(starts.len() > 4, "{starts:?}");
    // Its marker, and all of it from there on as far as a sector reaches.
    for (start, zeros) in starts.iter().flat_map(|s| [(*s, 2), (*s, 40), (*s, 512)]) {
        let mut lost = whole.clone();
        let end = (start + zeros).min(whole.len() - 2);
        lost[start..end].fill(0);
        let seen = see(&lost, "jpg").unwrap();
        assert!(
            !matches!(seen.pixels, Pixels::Whole),
            "{zeros} zeros at {start} of {}",
            whole.len()
        );
    }
}

/// The blocks of a PNG anew, with right checksums, the pixels' data as `change` leaves them.
fn png_with(bytes: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = bytes[..8].to_vec();
    let mut at = 8;
    while at < bytes.len() {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let kind = &bytes[at + 4..at + 8];
        let mut data = bytes[at + 8..at + 8 + len].to_vec();
        if kind == b"IDAT" {
            change(&mut data);
        }
        out.extend((data.len() as u32).to_be_bytes());
        let block = [kind, &data].concat();
        out.extend(&block);
        out.extend(crc32fast::hash(&block).to_be_bytes());
        at += 12 + len;
    }
    out
}

#[test]
fn a_png_with_a_wrong_checksum_is_shown_and_called_damaged() {
    let bytes = png(&scene(200, 150), None);
    let whole = look(&bytes, "png").unwrap();
    assert_eq!(
        look(&png_with(&bytes, |_| {}), "png").unwrap().tensors,
        whole.tensors
    );
    // Of the block that the pixels end in, and of all pixels.
    let mut block = bytes.clone();
    let end = block.len() - 12 - 1;
    block[end] ^= 1;
    let all = png_with(&bytes, |data| *data.last_mut().unwrap() ^= 1);
    for wrong in [block, all] {
        let seen = see(&wrong, "png").unwrap();
        assert!(
            matches!(&seen.pixels, Pixels::Damaged(t) if t.kind == "corrupt"),
            "{:?}",
            seen.pixels
        );
        assert_eq!(seen.tensors, whole.tensors);
    }
    // Wrong in the middle: what comes before is seen.
    let broken = png_with(&bytes, |data| {
        let middle = data.len() / 2;
        data[middle..middle + 64].fill(0xFF);
    });
    let seen = see(&broken, "png").unwrap();
    assert!(
        matches!(&seen.pixels, Pixels::Damaged(_)),
        "{:?}",
        seen.pixels
    );
    assert_ne!(seen.tensors, whole.tensors);
}

/// The same PNG in seven passes (Adam7), so many bytes of pixels' data left out at the end.
fn interlaced(picture: &RgbImage, left_out: usize) -> Vec<u8> {
    use std::io::Write;
    let (width, height) = picture.dimensions();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for (x0, dx, y0, dy) in [
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ] {
        for y in (y0..height).step_by(dy) {
            packed.write_all(&[0]).unwrap();
            for x in (x0..width).step_by(dx) {
                packed.write_all(&picture.get_pixel(x, y).0).unwrap();
            }
        }
    }
    let packed = packed.finish().unwrap();
    let mut bytes = png_with(&png(picture, None), |data| data.clone_from(&packed));
    bytes[28] = 1;
    let header = crc32fast::hash(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&header);
    bytes.truncate(bytes.len() - 12 - 4 - left_out);
    if left_out == 0 {
        let rest = png(picture, None);
        bytes.extend(crc32fast::hash(&[&b"IDAT"[..], &packed].concat()).to_be_bytes());
        bytes.extend(&rest[rest.len() - 12..]);
    }
    bytes
}

#[test]
fn an_interlaced_png_is_seen_as_far_as_it_has_come() {
    let picture = scene(203, 150);
    let plain = look(&png(&picture, None), "png").unwrap();
    let whole = look(&interlaced(&picture, 0), "png").unwrap();
    assert_eq!(whole.tensors, plain.tensors);
    // Half of the data is a quarter of the pixels, all over the picture: coarse, and the same picture.
    let half = see(&interlaced(&picture, 40_000), "png").unwrap();
    assert!(
        matches!(&half.pixels, Pixels::Damaged(t) if t.kind == "truncated"),
        "{:?}",
        half.pixels
    );
    let apart = half.perceptual_hash.distance(&plain.perceptual_hash);
    assert!(apart.is_some_and(|bits| bits <= 24), "{apart:?} bits");
}

#[test]
fn an_icon_may_hold_a_png_of_any_kind() {
    let picture = scene(48, 40);
    let icon = |entries: &[(u8, u8, u16, &[u8])]| {
        let mut bytes = vec![0, 0, 1, 0, entries.len() as u8, 0];
        let mut at = 6 + 16 * entries.len();
        for (width, height, bits, data) in entries {
            bytes.extend([*width, *height, 0, 0, 1, 0]);
            bytes.extend(bits.to_le_bytes());
            bytes.extend((data.len() as u32).to_le_bytes());
            bytes.extend((at as u32).to_le_bytes());
            at += data.len();
        }
        entries.iter().for_each(|entry| bytes.extend(entry.3));
        bytes
    };
    let colour = png(&picture, None);
    let expected = look(&colour, "png").unwrap();
    let mut grey = Vec::new();
    let small = image::imageops::grayscale(&scene(16, 16));
    small
        .write_with_encoder(PngEncoder::new(&mut grey))
        .unwrap();
    // The deepest counts, of those the largest.
    let two = icon(&[(16, 16, 8, &grey), (48, 40, 24, &colour)]);
    let seen = look(&two, "ico").unwrap();
    assert_eq!((seen.width, seen.height), (48, 40));
    assert_eq!(seen.tensors, expected.tensors);
    let alone = look(&icon(&[(16, 16, 8, &grey)]), "ico").unwrap();
    assert_eq!((alone.width, alone.height), (16, 16));
    let cut = &two[..two.len() - 100];
    assert_eq!(look(cut, "ico").unwrap_err().kind(), "truncated");
}

#[test]
fn a_picture_with_one_side_only_has_no_size() {
    let mut psd = b"8BPS\0\x01\0\0\0\0\0\0\0\x03".to_vec();
    psd.extend([0, 0, 0, 0, 0, 0, 0, 48, 0, 8, 0, 3]);
    psd.extend([0; 14]);
    assert_eq!(see(&psd, "psd").unwrap_err().kind(), "corrupt");
    // Known by its date, of no size.
    let dated = date_block();
    let resource = [
        b"8BIM\x04\x22\0\0",
        &(dated.len() as u32).to_be_bytes()[..],
        &dated,
    ]
    .concat();
    psd.truncate(30);
    psd.extend((resource.len() as u32).to_be_bytes());
    psd.extend(resource);
    psd.extend([0; 6]);
    let seen = see(&psd, "psd").unwrap();
    assert_eq!((seen.width, seen.height), (0, 0));
}

#[test]
fn half_a_picture_is_shown_and_called_damaged() {
    let picture = scene(400, 300);
    let upper = |seen: &Inspection| {
        let small = image::load_from_memory(&seen.thumbnail.as_ref().unwrap().bytes)
            .unwrap()
            .into_rgb8();
        let half = small.height() / 3 * small.width();
        small.into_raw()[..3 * half as usize].to_vec()
    };
    let apart = |a: &[u8], b: &[u8]| {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(x.abs_diff(*y)))
            .sum::<f64>()
            / a.len() as f64
    };
    let block = date_block();
    for (bytes, extension) in [
        (jpeg(&picture, Jpeg::Baseline, Some(&block)), "jpg"),
        (png(&picture, None), "png"),
    ] {
        let whole = see(&bytes, extension).unwrap();
        let cut = bytes[..bytes.len() / 2].to_vec();
        let mut zeroed = bytes.clone();
        zeroed[bytes.len() / 2..].fill(0);
        let cases = [cut, zeroed];
        for bytes in cases.iter().take(if extension == "jpg" { 2 } else { 1 }) {
            let seen = see(bytes, extension).unwrap();
            assert!(
                matches!(&seen.pixels, Pixels::Damaged(t) if t.kind == "truncated"),
                "{extension}: {:?}",
                seen.pixels
            );
            assert_eq!((seen.width, seen.height), (400, 300));
            assert_eq!(seen.exif, whole.exif);
            assert!(apart(&upper(&seen), &upper(&whole)) < 3.0, "{extension}");
        }
    }
}

#[test]
fn a_bad_sector_in_the_middle_is_told() {
    let mut bytes = jpeg(&scene(400, 300), Jpeg::Baseline, None);
    let at = bytes.len() / 2;
    for (i, byte) in bytes[at..at + 512].iter_mut().enumerate() {
        *byte = (i * 37 % 251) as u8;
    }
    let seen = see(&bytes, "jpg").unwrap();
    assert!(
        matches!(&seen.pixels, Pixels::Damaged(t) if t.kind == "corrupt"),
        "{:?}",
        seen.pixels
    );
}

#[test]
fn what_cannot_be_decoded_is_still_known() {
    // Too large for anyone, with a date and a small picture beside it.
    let small = jpeg(&scene(160, 120), Jpeg::Baseline, None);
    let mut large = jpeg(&scene(64, 64), Jpeg::Baseline, Some(&date_block()));
    let frame = large.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    large[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let seen = see(&large, "jpg").unwrap();
    assert!(matches!(&seen.pixels, Pixels::None(t) if t.kind == "too-large"));
    assert_eq!((seen.width, seen.height), (65_500, 65_500));
    let date = seen.exif.captured_at.unwrap();
    assert_eq!(date.local, "2019-05-03T10:11:12");
    assert!(seen.thumbnail.is_none() && seen.tensors.is_empty());
    let with_small = jpeg(
        &scene(64, 64),
        Jpeg::Baseline,
        Some(&thumbnail_block(&small)),
    );
    let mut with_small = with_small;
    let frame = with_small
        .windows(2)
        .rposition(|w| w == [0xFF, 0xC0])
        .unwrap();
    with_small[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let seen = see(&with_small, "jpg").unwrap();
    assert!(
        matches!(&seen.pixels, Pixels::Thumbnail(t) if t.kind == "too-large"),
        "{:?}",
        seen.pixels
    );
    assert_eq!(seen.tensors.len(), 1);
}

/// EXIF with a date.
fn date_block() -> Vec<u8> {
    // DateTime lies behind the directory.
    let text = b"2019:05:03 10:11:12\0";
    tiff_block(&[(0x0132, 2, text.len() as u32, text)])
}

/// EXIF whose second directory has a small JPEG.
fn thumbnail_block(small: &[u8]) -> Vec<u8> {
    let mut block = b"II\x2a\0\x08\0\0\0\0\0\x0e\0\0\0".to_vec();
    let at = 14 + 2 + 2 * 12 + 4;
    block.extend(2_u16.to_le_bytes());
    for (tag, value) in [(0x0201_u16, at), (0x0202, small.len())] {
        block.extend(tag.to_le_bytes());
        block.extend(4_u16.to_le_bytes());
        block.extend(1_u32.to_le_bytes());
        block.extend(u32::try_from(value).unwrap().to_le_bytes());
    }
    block.extend([0; 4]);
    block.extend(small);
    block
}

#[test]
fn errors_inside_libjpeg_do_not_reach_the_panic_hook() {
    let mut bytes = jpeg(&scene(64, 64), Jpeg::Baseline, None);
    let table = bytes.windows(2).position(|w| w == [0xFF, 0xC4]).unwrap();
    bytes[table + 5..table + 21].fill(0xFF); // code counts no Huffman table can have
    let layout = jpeg_layout::Layout::read(&bytes);
    let need = jpeg::Need {
        short: 32.0,
        long: 32.0,
    };
    let error = jpeg::decode(
        &bytes,
        &layout,
        need,
        jpeg::Care::WantAll,
        &Limits::default(),
    )
    .unwrap_err();
    assert!(matches!(&error, InspectError::Corrupt { reason, .. } if reason.contains("Huffman")));
}

/// The same JPEG, its frame header claiming `bits` a sample.
fn jpeg_of_depth(bits: u8) -> Vec<u8> {
    let mut bytes = jpeg(&scene(64, 64), Jpeg::Baseline, None);
    let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    bytes[frame + 4] = bits;
    bytes
}

#[test]
fn what_is_legal_and_not_implemented_is_told_from_what_is_broken() {
    let mut top_down = encoded(&scene(8, 8), ImageFormat::Bmp);
    top_down[22..26].copy_from_slice(&(-8_i32).to_le_bytes());
    top_down[30] = 1; // run-length coded
    for (bytes, extension, kind) in [
        (jpeg_of_depth(12), "jpg", "unsupported"),
        (jpeg_of_depth(5), "jpg", "corrupt"),
        (top_down, "bmp", "unsupported"),
    ] {
        let error = look(&bytes, extension).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(!text.contains(['{', '`', '"', '\\']), "{text}");
        let format = text.split(':').next().unwrap();
        assert_eq!(
            text.to_lowercase().matches(&format!("{format}:")).count(),
            1,
            "{text}"
        );
    }
}

#[test]
fn a_checksum_error_is_told_without_the_decoders_types() {
    let mut bytes = png(&scene(8, 8), None);
    bytes[29] ^= 0xFF; // the header chunk's checksum
    let error = look(&bytes, "png").unwrap_err();
    assert_eq!(error.kind(), "corrupt");
    let words = error.to_string();
    assert!(
        words.contains("(CRC error while decoding IHDR chunk)"),
        "{words}"
    );
}

/// Bounds small enough that thousands of invented files decode in no time.
fn tight() -> Limits {
    Limits {
        max_side: 2000,
        max_pixels: 500_000,
        max_alloc: 8 << 20,
        max_scan_pixels: 5_000_000,
        max_metadata: 1 << 20,
    }
}

/// What holds of any outcome at all.
fn check(bytes: &[u8], extension: Option<&str>) -> Result<(), TestCaseError> {
    match Inspector::new(tight()).inspect(bytes, extension, &[SPEC]) {
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
        Ok(seen) => {
            prop_assert!((1..=8).contains(&seen.orientation));
            let has_picture = !matches!(seen.pixels, Pixels::None(_));
            prop_assert_eq!(seen.thumbnail.is_some(), has_picture);
            prop_assert_eq!(seen.tensors.len(), usize::from(has_picture));
            prop_assert_eq!(seen.perceptual_hash.0.is_empty(), !has_picture);
            if let Some(thumbnail) = &seen.thumbnail {
                prop_assert!(seen.width >= 1 && seen.height >= 1);
                prop_assert!(thumbnail.width.max(thumbnail.height) <= 256);
            }
            for tensor in seen.tensors.iter().map(square) {
                prop_assert_eq!(tensor.len(), 3 * 32 * 32);
                prop_assert!(tensor.iter().all(|v| v.is_finite()));
            }
            if seen.pixels == Pixels::Whole {
                prop_assert!(u64::from(seen.width) * u64::from(seen.height) <= 500_000);
            }
            prop_assert!(seen.exif.lat.is_none_or(|v| v.abs() <= 90.0));
            prop_assert!(seen.exif.lon.is_none_or(|v| v.abs() <= 180.0));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_behind_any_signature_are_survived(
        magic in proptest::sample::select(vec![
            &b""[..], b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xFF\0\0\0WEBPVP8L",
            b"RIFF\xFF\0\0\0WEBPVP8X", b"II\x2a\0\x08\0\0\0", b"MM\0\x2a\0\0\0\x08", b"P6 9 9 255\n",
            b"P3\n4 4\n", b"\0\0\x01\0\x01\0",
        ]),
        body in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        check(&[magic, &body].concat(), Some("tga"))?;
    }

    #[test]
    fn bent_files_are_survived(
        which in 0_usize..11,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        twice in any::<bool>(),
    ) {
        let (_, extension, mut bytes) = one_of_each(24, 18).swap_remove(which);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(at) = cut {
            bytes.truncate(at.index(bytes.len()));
        }
        if twice {
            bytes.extend_from_within(bytes.len() / 2..);
        }
        check(&bytes, Some(extension))?;
    }

    #[test]
    fn bent_headers_are_survived(
        which in 0_usize..11,
        edits in proptest::collection::vec((0_usize..64, any::<u8>()), 1..5),
    ) {
        let (_, extension, mut bytes) = one_of_each(24, 18).swap_remove(which);
        for (at, value) in edits {
            bytes[at] = value;
        }
        check(&bytes, Some(extension))?;
    }
}

#[test]
fn a_rotten_sector_in_the_middle_is_called_damaged() {
    let picture = scene(640, 480);
    for kind in [Jpeg::Baseline, Jpeg::Progressive] {
        let sound = jpeg(&picture, kind, None);
        assert!(look(&sound, "jpg").is_ok(), "{kind:?}");
        // Some cameras leave a few bytes before the end.
        let end = sound.len() - 2;
        let padded = [&sound[..end], &[0x5A; 8], &sound[end..]].concat();
        assert!(look(&padded, "jpg").is_ok(), "{kind:?}");
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        let mut noticed = 0;
        for _ in 0..40 {
            let mut rotten = sound.clone();
            let middle = rotten.len() / 2;
            for byte in &mut rotten[middle..middle + 512] {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                *byte = (noise >> 56).min(0xFE) as u8;
            }
            let seen = see(&rotten, "jpg").unwrap();
            assert_eq!((seen.width, seen.height), (640, 480));
            noticed += u32::from(matches!(&seen.pixels, Pixels::Damaged(_)));
        }
        // Wrong codes may by chance end where the right ones did.
        assert!(noticed >= 36, "{kind:?}: {noticed} of 40");
    }
}
