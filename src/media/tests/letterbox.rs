//! The whole picture as detectors want it: `models/detection/letterbox.py` in Rust.

use super::*;
use crate::embedding::Letterbox;

const WHOLE: InputSpec = InputSpec {
    size: 416,
    fit: Fit::Letterbox(32),
    ..SPEC
};

fn whole(bytes: &[u8], extension: &str) -> Letterbox {
    let alone = inspector()
        .tensors(bytes, Some(extension), std::slice::from_ref(&WHOLE))
        .unwrap()
        .remove(0);
    alone.whole().unwrap().clone()
}

#[test]
fn sides_are_rounded_as_by_the_reference() {
    for (picture, scaled, tensor) in [
        ((4000.0, 3000.0), (416, 312), (320, 416)),
        ((3000.0, 4000.0), (312, 416), (416, 320)),
        ((640.0, 427.0), (416, 278), (288, 416)),
        // 92.5 to the even side.
        ((832.0, 185.0), (416, 92), (96, 416)),
        ((1.0, 1.0), (416, 416), (416, 416)),
        ((60_000.0, 1.0), (416, 1), (32, 416)),
        ((1.0, 60_000.0), (1, 416), (416, 32)),
    ] {
        assert_eq!(Letterbox::scaled(416, picture), scaled, "{picture:?}");
        let black = Letterbox::black(scaled, 32);
        assert_eq!(black.pixels.shape(), [tensor.0, tensor.1, 3], "{picture:?}");
    }
}

#[test]
fn a_picture_of_the_right_size_lies_there_as_it_is() {
    let picture = scene(416, 200);
    let whole = whole(&png(&picture, None), "png");
    assert_eq!((whole.width, whole.height), (416, 200));
    assert_eq!(whole.pixels.shape(), [224, 416, 3]);
    for ((y, x, channel), value) in whole.pixels.indexed_iter() {
        let expected = if y < 200 {
            picture.get_pixel(x as u32, y as u32).0[channel]
        } else {
            0
        };
        assert_eq!(*value, expected, "{x} {y}");
    }
}

#[test]
fn it_is_upright_whatever_way_the_file_lies() {
    let picture = scene(96, 64);
    let upright = whole(&png(&picture, None), "png");
    for value in 1..=8u8 {
        let stored = stored_as(&picture, value);
        let seen = whole(&tiff(&stored, value), "tiff");
        assert_eq!((seen.width, seen.height), (416, 277), "orientation {value}");
        let apart = seen
            .pixels
            .iter()
            .zip(&upright.pixels)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum::<f64>()
            / seen.pixels.len() as f64;
        assert!(apart < 0.5, "orientation {value}: {apart}");
    }
}

/// What a file holds so that this orientation shows `picture`.
fn stored_as(picture: &RgbImage, orientation: u8) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(picture),
        3 => rotate180(picture),
        4 => flip_vertical(picture),
        5 => flip_horizontal(&rotate90(picture)),
        6 => rotate270(picture),
        7 => flip_horizontal(&rotate270(picture)),
        8 => rotate90(picture),
        _ => picture.clone(),
    }
}

#[test]
fn grey_is_grey_in_every_channel_and_thin_ones_have_an_edge() {
    let grey = whole(&jpeg(&scene(200, 150), Jpeg::Grey, None), "jpg");
    for pixel in grey.pixels.rows() {
        assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2]);
    }
    for (w, h) in [(1, 1), (1, 1000), (1000, 1), (2, 3)] {
        let seen = whole(&png(&scene(w, h), None), "png");
        assert_eq!(seen.width.max(seen.height), 416);
        assert!(seen.width.min(seen.height) >= 1);
        let shape = [seen.height, seen.width].map(|v| v.next_multiple_of(32) as usize);
        assert_eq!(seen.pixels.shape()[..2], shape);
    }
}
