//! The module as a whole, on small files that `tests/make_heif_samples.py` makes: each picture has four
//! patches whose colours are known.

use super::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/samples/", $name)).as_slice()
    };
}

const RED: [u8; 3] = [220, 40, 40];
const GREEN: [u8; 3] = [40, 200, 60];
const BLUE: [u8; 3] = [50, 70, 210];
const GREY: [u8; 3] = [190, 190, 190];

const ALL: [&[u8]; 11] = [
    sample!("rotated_exif_xmp_thumb.heic"),
    sample!("grid_mirrored_alpha.heic"),
    sample!("identity_cropped_p3.heic"),
    sample!("pq_10.heic"),
    sample!("yuv444_12.heic"),
    sample!("grey_8.heic"),
    sample!("p3_8_mirrored.avif"),
    sample!("hlg_422_12.avif"),
    sample!("overlay.avif"),
    sample!("alpha_444_10_limited.avif"),
    sample!("sequence.avif"),
];

fn grey(level: u8) -> [u8; 3] {
    [level; 3]
}

fn decoded(bytes: &[u8]) -> Picture {
    let picture = decode(bytes, Need::WHOLE, &Limits::default()).unwrap();
    let told = facts(bytes, &Limits::default()).unwrap();
    assert_eq!((told.width, told.height), (picture.width, picture.height));
    assert!(told.is_upright);
    assert_eq!(
        picture.data.len(),
        3 * (picture.width * picture.height) as usize
    );
    picture
}

/// Coded colours come out a little different.
#[track_caller]
fn assert_pixel(picture: &Picture, x: u32, y: u32, expected: [u8; 3]) {
    let at = 3 * (y * picture.width + x) as usize;
    let found = &picture.data[at..at + 3];
    let is_near = found
        .iter()
        .zip(expected)
        .all(|(found, expected)| found.abs_diff(expected) <= 5);
    assert!(is_near, "({x}, {y}) is {found:?}, not {expected:?}");
}

/// The middles of the four patches: left and right above, left and right below.
#[track_caller]
fn assert_patches(picture: &Picture, width: u32, height: u32, expected: [[u8; 3]; 4]) {
    assert_eq!((picture.width, picture.height), (width, height));
    for (index, expected) in (0..).zip(expected) {
        assert_pixel(
            picture,
            width / 4 + index % 2 * width / 2,
            height / 4 + index / 2 * height / 2,
            expected,
        );
    }
}

#[test]
fn the_container_turns_and_exif_does_not() {
    let bytes = sample!("rotated_exif_xmp_thumb.heic");
    let turned = [GREEN, GREY, RED, BLUE];
    assert_patches(&decoded(bytes), 48, 64, turned);
    let Some(Thumbnail::Pixels(small)) = thumbnail(bytes, &Limits::default()) else {
        panic!("no thumbnail");
    };
    assert_patches(&small, 24, 32, turned);
    let facts = facts(bytes, &Limits::default()).unwrap();
    assert!(facts.exif.unwrap().starts_with(b"MM\0*\0\0\0\x08"));
    assert!(facts.xmp.unwrap().starts_with(b"<x:xmpmeta"));
}

#[test]
fn long_metadata_is_left_out() {
    let limits = Limits {
        max_metadata: 60,
        ..Limits::default()
    };
    let facts = facts(sample!("rotated_exif_xmp_thumb.heic"), &limits).unwrap();
    assert!(facts.exif.is_none() && facts.xmp.is_some());
}

#[test]
fn a_grid_is_cut_mirrored_and_laid_over_white() {
    let bytes = sample!("grid_mirrored_alpha.heic");
    let picture = decoded(bytes);
    assert_eq!((picture.width, picture.height), (100, 80));
    assert_pixel(&picture, 10, 10, GREEN);
    assert_pixel(&picture, 90, 10, RED);
    let half = |colour: [u8; 3]| colour.map(|v| ((u32::from(v) * 128 + 255 * 127) / 255) as u8);
    assert_pixel(&picture, 90, 55, half(RED));
    assert_pixel(&picture, 10, 75, half(GREY));
    assert_pixel(&picture, 90, 75, half(BLUE));
    match thumbnail(bytes, &Limits::default()) {
        Some(Thumbnail::Jpeg {
            bytes,
            orientation: 5,
        }) => assert!(bytes.ends_with(&[0xFF, 0xD9])),
        other => panic!("{other:?}"),
    }
}

#[test]
fn display_p3_by_profile_and_by_code_points() {
    let picture = decoded(sample!("identity_cropped_p3.heic"));
    assert_eq!((picture.width, picture.height), (32, 48));
    assert_pixel(&picture, 16, 12, GREEN);
    assert_pixel(&picture, 16, 36, GREY);
    // The same code values taken as Display P3, worked out in floating point; 0 is clipped.
    let [red, green, blue] = [[240, 0, 21], [0, 204, 12], [44, 71, 218]];
    assert_patches(
        &decoded(sample!("p3_8_mirrored.avif")),
        64,
        48,
        [green, red, GREY, blue],
    );
}

#[test]
fn hdr_is_tone_mapped() {
    // Worked out in floating point from the standards' formulas and the curve in `colour`.
    let levels = [0, 109, 225, 255].map(grey);
    assert_patches(&decoded(sample!("pq_10.heic")), 64, 48, levels);
    let levels = [0, 106, 165, 226].map(grey);
    assert_patches(&decoded(sample!("hlg_422_12.avif")), 64, 48, levels);
}

#[test]
fn depths_and_forms_of_chroma() {
    assert_patches(
        &decoded(sample!("yuv444_12.heic")),
        64,
        48,
        [RED, GREEN, BLUE, GREY],
    );
    let mirrored = [150, 220, 30, 90].map(grey);
    assert_patches(&decoded(sample!("grey_8.heic")), 64, 48, mirrored);
}

#[test]
fn premultiplied_alpha_in_the_television_range() {
    let below = [[152, 162, 232], [222, 222, 222]];
    let expected = [RED, GREEN, below[0], below[1]];
    assert_patches(
        &decoded(sample!("alpha_444_10_limited.avif")),
        64,
        48,
        expected,
    );
}

#[test]
fn pictures_laid_over_each_other() {
    let picture = decoded(sample!("overlay.avif"));
    assert_pixel(&picture, 16, 16, RED);
    assert_pixel(&picture, 56, 32, GREEN);
    assert_pixel(&picture, 40, 8, [0, 0, 255]);
    assert_pixel(&picture, 16, 40, [0, 0, 255]);
}

#[test]
fn the_first_frame_of_a_sequence() {
    assert_patches(
        &decoded(sample!("sequence.avif")),
        48,
        64,
        [BLUE, RED, GREY, GREEN],
    );
}

#[test]
fn facts_of_files_that_are_cut_off_still_come() {
    for bytes in ALL {
        let whole = facts(bytes, &Limits::default()).unwrap();
        let cut = &bytes[..bytes.len() - 1];
        let told = facts(cut, &Limits::default()).unwrap();
        assert_eq!((told.width, told.height), (whole.width, whole.height));
        // The last item's data is at the end, and that is the picture's but for these two.
        if decode(cut, Need::WHOLE, &Limits::default()) != Err(NoPixels::Truncated) {
            assert!(whole.xmp.is_some() || thumbnail(bytes, &Limits::default()).is_some());
        }
    }
    let bytes = sample!("pq_10.heic");
    let boxes_alone = &bytes[..bytes
        .windows(4)
        .position(|window| window == b"mdat")
        .unwrap()];
    assert_eq!(
        facts(boxes_alone, &Limits::default()).map(|facts| facts.width),
        Ok(64)
    );
    assert_eq!(
        decode(boxes_alone, Need::WHOLE, &Limits::default()),
        Err(NoPixels::Truncated)
    );
    assert_eq!(
        facts(&boxes_alone[..100], &Limits::default()),
        Err(NoPixels::Truncated)
    );
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let refused = |bytes: &[u8], limits: Limits| match decode(bytes, Need::WHOLE, &limits) {
        Err(NoPixels::TooLarge(why)) => why,
        other => panic!("{:?}", other.map(|picture| (picture.width, picture.height))),
    };
    for bytes in ALL {
        refused(
            bytes,
            Limits {
                max_side: 31,
                ..Limits::default()
            },
        );
        refused(
            bytes,
            Limits {
                max_pixels: 32 * 48 - 1,
                ..Limits::default()
            },
        );
        refused(
            bytes,
            Limits {
                max_alloc: 4000,
                ..Limits::default()
            },
        );
    }
    // A grid that claims to be larger than its tiles is refused as such, one that claims too much as too large.
    let mut huge = sample!("grid_mirrored_alpha.heic").to_vec();
    let sizes = [100u16.to_be_bytes(), 80u16.to_be_bytes()].concat();
    let at = huge.windows(4).position(|window| window == sizes).unwrap();
    huge[at..at + 4].copy_from_slice(&[0xFF; 4]);
    let why = refused(&huge, Limits::default());
    assert!(why.contains("4294836225 pixels"), "{why}");
    huge[at..at + 4].copy_from_slice(&[0x10; 4]);
    assert!(matches!(
        decode(&huge, Need::WHOLE, &Limits::default()),
        Err(NoPixels::Corrupt(_))
    ));
}

/// Everything that can be asked of a file.
fn read(bytes: &[u8]) {
    let limits = Limits {
        max_pixels: 1 << 20,
        max_alloc: 32 << 20,
        ..Limits::default()
    };
    if let Ok(facts) = facts(bytes, &limits)
        && let Ok(picture) = decode(bytes, Need::WHOLE, &limits)
    {
        assert_eq!((facts.width, facts.height), (picture.width, picture.height));
    }
    let _ = thumbnail(bytes, &limits);
}

#[test]
fn truncations_never_panic() {
    for bytes in ALL {
        for length in 0..bytes.len() {
            read(&bytes[..length]);
        }
    }
}

#[test]
fn mutations_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: usize| {
        // xorshift64*, so that each run is the same.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
    };
    let rounds: usize = std::env::var("HEIF_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(400);
    for bytes in ALL {
        for _ in 0..rounds {
            let mut mutated = bytes.to_vec();
            for _ in 0..=random(4) {
                let at = random(mutated.len());
                match random(4) {
                    0 => mutated[at] = [0, 1, 0x7F, 0x80, 0xFF][random(5)],
                    1 => mutated[at] ^= 1 << random(8),
                    2 => mutated[at] = random(256) as u8,
                    _ => {
                        let value = [0u32, 1, 2, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x1_0000][random(6)];
                        let end = (at + 4).min(mutated.len());
                        mutated[at..end].copy_from_slice(&value.to_be_bytes()[..end - at]);
                    }
                }
            }
            read(&mutated);
        }
    }
}

#[test]
fn other_data_is_refused() {
    assert!(facts(b"", &Limits::default()).is_err());
    assert!(facts(b"GIF89a", &Limits::default()).is_err());
    assert!(matches!(
        facts(b"\0\0\0\x10ftypheic\0\0\0\0", &Limits::default()),
        Err(NoPixels::Corrupt(_))
    ));
    assert!(thumbnail(b"\0\0\0\x10ftypheic\0\0\0\0", &Limits::default()).is_none());
}

#[test]
fn half_a_picture_is_the_mean_of_its_pixels() {
    let need = Need {
        short: 1.0,
        long: 1.0,
    };
    let mut halved = 0;
    for (name, bytes) in ALL.iter().enumerate() {
        let Ok(whole) = decode(bytes, Need::WHOLE, &Limits::default()) else {
            continue;
        };
        let half = decode(bytes, need, &Limits::default()).unwrap();
        if half.width == whole.width {
            assert_eq!(half.data, whole.data, "{name}");
            continue;
        }
        halved += 1;
        assert_eq!(
            (2 * half.width, 2 * half.height),
            (whole.width, whole.height)
        );
        let stride = 3 * whole.width as usize;
        let mut off: f64 = 0.0;
        for (at, &found) in half.data.iter().enumerate() {
            let (x, y) = (at / 3 % half.width as usize, at / 3 / half.width as usize);
            let first = 2 * y * stride + 6 * x + at % 3;
            let four = [first, first + 3, first + stride, first + stride + 3];
            let mean = four.map(|at| f64::from(whole.data[at])).iter().sum::<f64>() / 4.0;
            off += (mean - f64::from(found)).powi(2);
        }
        // Curves are taken before the mean or after it, and colours at the edges of patches differ.
        let off = (off / half.data.len() as f64).sqrt();
        assert!(off < 8.0, "{name}: {off:.2} levels");
    }
    assert!(halved >= 5, "{halved} were halved");
}
