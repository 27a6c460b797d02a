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
        let tensors = plain.tensors[0]
            .iter()
            .zip(&seen.tensors[0])
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
