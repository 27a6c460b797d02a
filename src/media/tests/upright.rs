//! Whatever way up a camera stored a photo, it is seen the same.

use super::*;
use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};

/// The scene as a camera would store it so that orientation `value` turns it upright; made with
/// the `image` crate's operations, not with ours.
fn stored_for(value: u16, upright: &RgbImage) -> RgbImage {
    match value {
        2 => flip_horizontal(upright),
        3 => rotate180(upright),
        4 => flip_vertical(upright),
        5 => flip_horizontal(&rotate90(upright)),
        6 => rotate270(upright),
        7 => flip_horizontal(&rotate270(upright)),
        8 => rotate90(upright),
        _ => upright.clone(),
    }
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| f64::from(x.abs_diff(*y)))
        .sum::<f64>()
        / a.len() as f64
}

#[test]
fn all_eight_orientations_give_one_upright_picture() {
    // Long enough for a scaled decode, so that turning happens after scaling.
    let upright = scene(1200, 800);
    let plain = look(&png(&upright, None), "png").unwrap();
    let thumb = image::load_from_memory(&plain.thumbnail.as_ref().unwrap().bytes)
        .unwrap()
        .into_rgb8();
    for value in 1..=8 {
        let stored = stored_for(value, &upright);
        let block = orientation_block(value);
        let seen = look(&jpeg(&stored, Jpeg::Baseline, Some(&block)), "jpg").unwrap();
        assert_eq!(u16::from(seen.orientation), value);
        assert_eq!(
            (seen.width, seen.height),
            (1200, 800),
            "orientation {value}"
        );
        let thumbnail = seen.thumbnail.as_ref().unwrap();
        assert_eq!((thumbnail.width, thumbnail.height), (256, 171));
        let other = image::load_from_memory(&thumbnail.bytes)
            .unwrap()
            .into_rgb8();
        let apart = mean_difference(&thumb, &other);
        assert!(
            apart < 2.0,
            "orientation {value}: thumbnails differ by {apart}"
        );
        let distance = plain.perceptual_hash.distance(&seen.perceptual_hash);
        assert!(
            distance.is_some_and(|d| d <= 2),
            "orientation {value}: {distance:?} bits"
        );
        let tensors = square(&plain.tensors[0])
            .iter()
            .zip(square(&seen.tensors[0]))
            .map(|(a, b)| f64::from((a - b).abs()) * 128.0)
            .sum::<f64>()
            / (3.0 * 32.0 * 32.0);
        assert!(
            tensors < 2.0,
            "orientation {value}: tensors differ by {tensors}"
        );
    }
}

#[test]
fn lossless_formats_turn_to_the_very_same_pixels() {
    let upright = scene(40, 24);
    let plain = look(&png(&upright, None), "png").unwrap();
    for value in 1..=8 {
        let stored = stored_for(value, &upright);
        let block = orientation_block(value);
        for (bytes, extension) in [
            (png(&stored, Some(&block)), "png"),
            (webp(&stored, Some(&block)), "webp"),
        ] {
            let seen = look(&bytes, extension).unwrap();
            assert_eq!((seen.width, seen.height), (40, 24), "{extension} {value}");
            assert_eq!(seen.thumbnail, plain.thumbnail, "{extension} {value}");
            assert_eq!(
                seen.perceptual_hash, plain.perceptual_hash,
                "{extension} {value}"
            );
        }
    }
}

#[test]
fn a_tiff_tag_turns_too() {
    let upright = scene(30, 20);
    let plain = look(&tiff(&upright, 1), "tif").unwrap();
    for value in 2..=8 {
        let bytes = tiff(&stored_for(u16::from(value), &upright), value);
        let seen = look(&bytes, "tif").unwrap();
        assert_eq!((seen.width, seen.height), (30, 20), "orientation {value}");
        assert_eq!(seen.thumbnail, plain.thumbnail, "orientation {value}");
    }
}

/// A packet that says nothing but an orientation.
fn packet(value: u8) -> String {
    format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
         <rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='{value}'/></rdf:RDF></x:xmpmeta>"
    )
}

fn jpeg_with(packet: &str, jpeg: &[u8]) -> Vec<u8> {
    let content = [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat();
    let len = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &len, &content, &jpeg[2..]].concat()
}

fn png_with(packet: &str, png: &[u8]) -> Vec<u8> {
    const AFTER_HEADER: usize = 33;
    let chunk = [b"iTXtXML:com.adobe.xmp\0\0\0\0\0", packet.as_bytes()].concat();
    let len = u32::try_from(chunk.len() - 4).unwrap().to_be_bytes();
    let sum = crc32fast::hash(&chunk).to_be_bytes();
    let (head, rest) = png.split_at(AFTER_HEADER);
    [head, &len, &chunk, &sum, rest].concat()
}

fn webp_with(packet: &str, webp: &[u8]) -> Vec<u8> {
    let len = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let padding = &[0][..packet.len() % 2];
    let chunk = [b"XMP ", &len[..], packet.as_bytes(), padding].concat();
    let all = u32::try_from(webp.len() - 8 + chunk.len()).unwrap();
    [&webp[..4], &all.to_le_bytes(), &webp[8..], &chunk].concat()
}

/// The packet takes the place of the tag for orientation.
fn tiff_with(packet: &str, mut tiff: Vec<u8>) -> Vec<u8> {
    let entry = [0x12, 1, 3, 0, 1, 0, 0, 0];
    let at = tiff.windows(8).position(|w| w == entry).unwrap();
    let (len, end) = (packet.len() as u32, tiff.len() as u32);
    tiff[at..at + 4].copy_from_slice(&[0xBC, 2, 7, 0]);
    tiff[at + 4..at + 8].copy_from_slice(&len.to_le_bytes());
    tiff[at + 8..at + 12].copy_from_slice(&end.to_le_bytes());
    [&tiff, packet.as_bytes()].concat()
}

#[test]
fn where_exif_says_nothing_xmp_turns() {
    let upright = scene(40, 24);
    for value in 1..=8 {
        let stored = stored_for(value, &upright);
        let packet = packet(value as u8);
        for (bytes, extension) in [
            (
                jpeg_with(&packet, &jpeg(&stored, Jpeg::Baseline, None)),
                "jpg",
            ),
            (png_with(&packet, &png(&stored, None)), "png"),
            (webp_with(&packet, &webp(&stored, None)), "webp"),
            (tiff_with(&packet, tiff(&stored, 1)), "tif"),
        ] {
            let seen = look(&bytes, extension).unwrap();
            let found = (seen.width, seen.height, u16::from(seen.orientation));
            assert_eq!(found, (40, 24, value), "{extension} {value}");
        }
    }
}

#[test]
fn what_exif_says_goes_before_xmp_and_nonsense_counts_for_nothing() {
    let turned = orientation_block(6);
    let unknown = orientation_block(0);
    let size = |exif: Option<&[u8]>, packet: &str| {
        let bytes = jpeg_with(packet, &jpeg(&scene(40, 24), Jpeg::Baseline, exif));
        let seen = look(&bytes, "jpg").unwrap();
        (seen.width, seen.height)
    };
    assert_eq!(size(Some(&turned), &packet(1)), (24, 40));
    assert_eq!(size(Some(&orientation_block(1)), &packet(6)), (40, 24));
    assert_eq!(size(Some(&unknown), &packet(6)), (24, 40));
    assert_eq!(size(None, &packet(9)), (40, 24));
    assert_eq!(size(None, "<!DOCTYPE a><Orientation"), (40, 24));
}
