//! EXIF, from the file to the facts: what is there is found, what cannot be is dropped, and no
//! block, however broken, costs the photo.

use super::*;
use crate::photo::Exif;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const RATIONAL: u16 = 5;

fn rationals(parts: &[(u32, u32)]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()])
        .flatten()
        .collect()
}

/// A camera's usual block: first directory, then EXIF, then GPS.
fn block(
    main: &[(u16, u16, u32, &[u8])],
    exif: &[(u16, u16, u32, &[u8])],
    gps: &[(u16, u16, u32, &[u8])],
) -> Vec<u8> {
    let build = |exif_at: u32, gps_at: u32| {
        let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
        push_directory(&mut out, main, &[(0x8769, exif_at), (0x8825, gps_at)]);
        let first = u32::try_from(out.len()).unwrap();
        push_directory(&mut out, exif, &[]);
        let second = u32::try_from(out.len()).unwrap();
        push_directory(&mut out, gps, &[]);
        (out, first, second)
    };
    let (_, exif_at, gps_at) = build(0, 0);
    build(exif_at, gps_at).0
}

fn place(lat: &[(u32, u32)], lat_ref: &[u8], lon: &[(u32, u32)], lon_ref: &[u8]) -> Exif {
    let (lat, lon) = (rationals(lat), rationals(lon));
    let n = |v: &[u8]| u32::try_from(v.len() / 8).unwrap();
    exif_of(&block(
        &[],
        &[],
        &[
            (1, ASCII, u32::try_from(lat_ref.len()).unwrap(), lat_ref),
            (2, RATIONAL, n(&lat), &lat),
            (3, ASCII, u32::try_from(lon_ref.len()).unwrap(), lon_ref),
            (4, RATIONAL, n(&lon), &lon),
        ],
    ))
}

fn exif_of(tiff: &[u8]) -> Exif {
    look(&jpeg(&scene(16, 16), Jpeg::Baseline, Some(tiff)), "jpg")
        .expect("the photo itself is fine")
        .exif
}

fn full_block() -> Vec<u8> {
    block(
        &[
            (0x010F, ASCII, 6, b"Canon\0"),
            (0x0110, ASCII, 14, b"Canon EOS 40D\0"),
            (0x0112, SHORT, 1, &[6, 0]),
            (0x0132, ASCII, 20, b"2020:01:01 00:00:00\0"),
        ],
        &[
            (0x829A, RATIONAL, 1, &rationals(&[(1, 160)])),
            (0x829D, RATIONAL, 1, &rationals(&[(71, 10)])),
            (0x8827, SHORT, 1, &[100, 0]),
            (0x9003, ASCII, 20, b"2008:05:30 15:56:01\0"),
            (0x9011, ASCII, 7, b"+02:00\0"),
            (0x920A, RATIONAL, 1, &rationals(&[(135, 1)])),
            (0xA434, ASCII, 12, b"EF135mm f/2\0"),
        ],
        &[
            (1, ASCII, 2, b"S\0"),
            (2, RATIONAL, 3, &rationals(&[(33, 1), (51, 1), (36, 1)])),
            (3, ASCII, 2, b"E\0"),
            (4, RATIONAL, 3, &rationals(&[(151, 1), (12, 1), (36, 1)])),
            (5, 1, 1, &[1]),
            (6, RATIONAL, 1, &rationals(&[(125, 10)])),
        ],
    )
}

#[test]
fn a_cameras_block_is_read_in_full_in_every_container() {
    let picture = scene(20, 12);
    let tiff = full_block();
    for (bytes, extension) in [
        (jpeg(&picture, Jpeg::Baseline, Some(&tiff)), "jpg"),
        (png(&picture, Some(&tiff)), "png"),
        (webp(&picture, Some(&tiff)), "webp"),
    ] {
        let seen = look(&bytes, extension).unwrap();
        assert_eq!(
            (seen.width, seen.height, seen.orientation),
            (12, 20, 6),
            "{extension}"
        );
        let e = seen.exif;
        assert_eq!(e.captured_at.unwrap().to_iso(), "2008-05-30T15:56:01+02:00");
        assert_eq!(e.camera.as_deref(), Some("Canon EOS 40D"));
        assert_eq!(e.lens.as_deref(), Some("EF135mm f/2"));
        assert_eq!((e.exposure_s, e.f_number), (Some(0.006_25), Some(7.1)));
        assert_eq!((e.iso, e.focal_length_mm), (Some(100), Some(135.0)));
        assert!((e.lat.unwrap() + 33.86).abs() < 1e-9 && (e.lon.unwrap() - 151.21).abs() < 1e-9);
        assert_eq!(e.altitude_m, Some(-12.5));
    }
}

#[test]
fn a_date_that_cannot_be_gives_way_to_the_next() {
    let of = |original: &[u8; 20]| {
        exif_of(&block(
            &[(0x0132, ASCII, 20, b"2020:01:02 03:04:05\0")],
            &[(0x9003, ASCII, 20, original)],
            &[],
        ))
        .captured_at
        .map(|c| c.to_iso())
    };
    assert_eq!(
        of(b"2008:05:30 15:56:01\0").as_deref(),
        Some("2008-05-30T15:56:01")
    );
    assert_eq!(
        of(b"0000:00:00 00:00:00\0").as_deref(),
        Some("2020-01-02T03:04:05")
    );
    assert_eq!(
        of(b"2021:02:30 10:00:00\0").as_deref(),
        Some("2020-01-02T03:04:05")
    );
}

#[test]
fn a_place_is_whole_and_on_earth_or_not_there() {
    let here = [(10, 1), (30, 1), (0, 1)];
    let some = |e: Exif| (e.lat, e.lon);
    assert_eq!(
        some(place(&here, b"N\0", &here, b"W\0")),
        (Some(10.5), Some(-10.5))
    );
    assert_eq!(
        some(place(&[(10, 1), (30, 1), (0, 0)], b"N\0", &here, b"E\0")).0,
        Some(10.5)
    );
    let zero = [(0, 1), (0, 1), (0, 1)];
    for (what, e) in [
        ("no fix", place(&zero, b"N\0", &zero, b"E\0")),
        (
            "0/0 degrees",
            place(&[(0, 0), (0, 0), (0, 0)], b"N\0", &here, b"E\0"),
        ),
        (
            "beyond the pole",
            place(&[(91, 1), (0, 1), (0, 1)], b"N\0", &here, b"E\0"),
        ),
        ("no hemisphere", place(&here, b"\0\0", &here, b"E\0")),
        ("wrong hemisphere", place(&here, b"E\0", &here, b"E\0")),
        (
            "huge numbers",
            place(&here, b"N\0", &[(u32::MAX, 1)], b"E\0"),
        ),
    ] {
        assert_eq!(some(e), (None, None), "{what}");
    }
}

#[test]
fn numbers_out_of_range_are_dropped() {
    let e = exif_of(&block(
        &[(0x010F, ASCII, 5, b"\x1b[2J\0")],
        &[
            (0x829A, RATIONAL, 1, &rationals(&[(1, 0)])),
            (0x829D, RATIONAL, 1, &rationals(&[(0, 1)])),
            (0x8827, SHORT, 1, &[0, 0]),
            (0x920A, RATIONAL, 1, &rationals(&[(u32::MAX, 1)])),
        ],
        &[(6, RATIONAL, 1, &rationals(&[(9_000_000, 1)]))],
    ));
    assert_eq!(
        e,
        Exif {
            camera: Some("[2J".into()),
            ..Exif::default()
        }
    );
}

#[test]
fn loops_and_giant_counts_cost_neither_time_nor_the_photo() {
    let mut webbed = b"II\x2a\0\x08\0\0\0".to_vec();
    let pointers: Vec<(u16, u32)> = (0..2_500).map(|i| (0x8769, 31_000 + i)).collect();
    push_directory(&mut webbed, &[], &pointers);
    webbed.resize(65_000, 0x21);
    let mut own_tail = b"II\x2a\0\x08\0\0\0".to_vec();
    push_directory(&mut own_tail, &[], &[(0x8769, 8), (0x8825, 8), (0xA005, 8)]);
    let giant = tiff_block(&[
        (0x010F, ASCII, u32::MAX, &[0; 4]),
        (0x9003, 5, u32::MAX, &[0; 4]),
    ]);
    for (what, tiff) in [("web", webbed), ("loop", own_tail), ("giant", giant)] {
        let start = Instant::now();
        assert_eq!(exif_of(&tiff), Exif::default(), "{what}");
        assert!(start.elapsed() < Duration::from_secs(1), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_bent_block_never_costs_the_photo(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut tiff = full_block();
        for (at, value) in edits {
            let at = at.index(tiff.len());
            tiff[at] = value;
        }
        if let Some(at) = cut {
            tiff.truncate(at.index(tiff.len()));
        }
        let e = exif_of(&tiff);
        prop_assert!(e.camera.is_none_or(|c| !c.chars().any(char::is_control)));
        prop_assert!(e.lat.is_none_or(|v| v.abs() <= 90.0));
        prop_assert!(e.lon.is_none_or(|v| v.abs() <= 180.0));
        for v in [e.exposure_s, e.f_number, e.focal_length_mm].into_iter().flatten() {
            prop_assert!(v.is_finite() && v > 0.0);
        }
    }
}
