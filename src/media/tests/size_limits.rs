//! Bombs: headers that promise more than anyone may have.

use super::*;
use std::time::{Duration, Instant};

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend_from_slice(&width.to_be_bytes());
    chunk.extend_from_slice(&height.to_be_bytes());
    chunk.extend_from_slice(&[8, 6, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    let crc = crc32(&chunk);
    out.extend_from_slice(&chunk);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(b"\0\0\0\x04IDAT\x78\x9c\0\0\0\0\0\0");
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0_u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| {
            (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg())
        })
    })
}

fn gif_header(width: u16, height: u16) -> Vec<u8> {
    let mut out = b"GIF89a".to_vec();
    out.extend_from_slice(&width.to_le_bytes());
    out.extend_from_slice(&height.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0x2C, 0, 0, 0, 0]);
    out.extend_from_slice(&width.to_le_bytes());
    out.extend_from_slice(&height.to_le_bytes());
    out.extend_from_slice(&[0, 2, 1, 0x44, 0, 0x3B]);
    out
}

/// `bytes` with the 32-bit little-endian fields at the given places overwritten.
fn patched(mut bytes: Vec<u8>, fields: &[(usize, u32)]) -> Vec<u8> {
    for (at, value) in fields {
        bytes[*at..*at + 4].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let small = scene(8, 8);
    let mut sof = jpeg(&small, Jpeg::Baseline, None);
    let at = sof.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    sof[at + 5..at + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let mut tga = encoded(&small, ImageFormat::Tga);
    tga[12..16].copy_from_slice(&[0xFF; 4]);
    // VP8L: 14 bits of width less one, then 14 of height: 16,383 each.
    let webp = patched(webp(&small, None), &[(21, 0x0FFF_BFFE)]);
    let mut tiff = b"II\x2a\0\x08\0\0\0".to_vec();
    push_directory(
        &mut tiff,
        &[
            (256, 4, 1, &50_000_u32.to_le_bytes()),
            (257, 4, 1, &50_000_u32.to_le_bytes()),
            (258, 3, 1, &[8, 0]),
            (259, 3, 1, &[1, 0]),
            (262, 3, 1, &[1, 0]),
            (273, 4, 1, &[8, 0, 0, 0]),
            (277, 3, 1, &[1, 0]),
            (278, 4, 1, &50_000_u32.to_le_bytes()),
            (279, 4, 1, &[8, 0, 0, 0]),
        ],
        &[],
    );
    let ico_png = png_header(50_000, 50_000);
    let mut ico = vec![0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0];
    ico.extend_from_slice(&u32::try_from(ico_png.len()).unwrap().to_le_bytes());
    ico.extend_from_slice(&22_u32.to_le_bytes());
    ico.extend_from_slice(&ico_png);
    vec![
        ("png", png_header(50_000, 50_000)),
        ("png", png_header(16_000, 16_000)),
        ("gif", gif_header(60_000, 60_000)),
        ("jpg", sof),
        (
            "bmp",
            patched(
                encoded(&small, ImageFormat::Bmp),
                &[(18, 60_000), (22, 60_000)],
            ),
        ),
        ("tga", tga),
        ("ppm", b"P6 50000 50000 255\n".to_vec()),
        ("webp", webp),
        ("tif", tiff),
        ("ico", ico),
    ]
}

#[test]
fn bombs_are_refused_on_their_header() {
    for (extension, bytes) in bombs() {
        let start = Instant::now();
        let error = look(&bytes, extension).unwrap_err();
        assert_eq!(error.kind(), "too-large", "{extension}: {error}");
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{extension} took its time"
        );
    }
}

#[test]
fn every_decoder_honours_side_area_and_memory() {
    for (format, extension, bytes) in one_of_each(96, 64) {
        for tight in [
            Limits {
                max_side: 95,
                ..Limits::default()
            },
            Limits {
                max_pixels: 96 * 64 - 1,
                ..Limits::default()
            },
            Limits {
                max_alloc: 4096,
                ..Limits::default()
            },
        ] {
            let seen = Inspector::new(tight.clone()).inspect(&bytes, Some(extension), &[]);
            let error = whole(seen).expect_err("over the limit");
            assert_eq!(error.kind(), "too-large", "{format:?} {tight:?}: {error}");
        }
        let exact = Limits {
            max_side: 96,
            max_pixels: 96 * 64,
            ..Limits::default()
        };
        whole(Inspector::new(exact).inspect(&bytes, Some(extension), &[])).expect("just within");
    }
}

#[test]
fn a_progressive_jpeg_pays_for_its_coefficients_and_its_scans() {
    let bytes = jpeg(&scene(1600, 1200), Jpeg::Progressive, None);
    let inspect = |limits| whole(Inspector::new(limits).inspect(&bytes, None, &[])).map(|_| ());
    assert_eq!(inspect(Limits::default()), Ok(()));
    let memory = Limits {
        max_alloc: 1600 * 1200,
        ..Limits::default()
    };
    assert_eq!(inspect(memory).unwrap_err().kind(), "too-large");
    let scans = Limits {
        max_scan_pixels: 2 * 1600 * 1200,
        ..Limits::default()
    };
    assert_eq!(inspect(scans).unwrap_err().kind(), "too-large");
}

#[test]
fn a_large_baseline_jpeg_needs_little_memory() {
    let bytes = jpeg(&scene(4000, 3000), Jpeg::Baseline, None);
    let tight = Limits {
        max_alloc: 4 << 20,
        ..Limits::default()
    };
    let seen = Inspector::new(tight).inspect(&bytes, None, &[InputSpec { size: 224, ..SPEC }]);
    assert_eq!(
        seen.unwrap().width,
        4000,
        "12 megapixels decode within 4 MiB"
    );
}
