//! Pictures the tests make themselves, in every format, and what is held of them all.
#![allow(clippy::unwrap_used)]

mod damage;
mod fidelity;
mod independent;
mod letterbox;
mod metadata;
mod size_limits;
mod upright;

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};
use mozjpeg::{ColorSpace, Compress};

use super::*;
use crate::embedding::{Fit, InputSpec, ModelInput, Tensor};
use crate::photo::{Format, Inspection, PerceptualHash, PixelTrouble, Pixels};

/// An encoder's input.
pub(super) fn square(input: &ModelInput) -> &Tensor {
    input.square().unwrap()
}

pub(super) const SPEC: InputSpec = InputSpec {
    size: 32,
    fit: Fit::CenterCrop(0.875),
    mean: [127.0; 3],
    std: [128.0; 3],
};

pub(super) fn inspector() -> Inspector {
    Inspector::new(Limits::default())
}

/// Why there is no whole picture, whatever else is known of the photo.
#[derive(Debug, PartialEq)]
pub(super) struct NotWhole(PixelTrouble);

impl NotWhole {
    pub(super) fn kind(&self) -> &str {
        &self.0.kind
    }
}

impl std::fmt::Display for NotWhole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// The photo, if its picture is whole.
pub(super) fn whole(seen: Result<Inspection, InspectError>) -> Result<Inspection, NotWhole> {
    let seen = seen.map_err(|e| NotWhole(e.trouble()))?;
    match seen.pixels.trouble() {
        None => Ok(seen),
        Some(trouble) => Err(NotWhole(trouble.clone())),
    }
}

/// The photo, as it is.
pub(super) fn see(bytes: &[u8], extension: &str) -> Result<Inspection, InspectError> {
    inspector().inspect(bytes, Some(extension), &[SPEC])
}

pub(super) fn look(bytes: &[u8], extension: &str) -> Result<Inspection, NotWhole> {
    whole(see(bytes, extension))
}

/// A scene without symmetry: a slope of colour, a bright disc upper left, dark bars lower right.
pub(super) fn scene(width: u32, height: u32) -> RgbImage {
    let (w, h) = (width as f32, height as f32);
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = ((x as f32 + 0.5) / w, (y as f32 + 0.5) / h);
        let disc = ((u - 0.3).powi(2) + (v - 0.25).powi(2)).sqrt() < 0.17;
        let bars = u > 0.55 && v > 0.6 && ((u * 14.0) as u32).is_multiple_of(2);
        let wave = 20.0 * (9.0 * u + 5.0 * v).sin();
        match (disc, bars) {
            (true, _) => image::Rgb([250, 240, 120]),
            (_, true) => image::Rgb([25, 30, 60]),
            _ => image::Rgb([
                (60.0 + 150.0 * u + wave) as u8,
                (200.0 - 120.0 * v + wave) as u8,
                (80.0 + 90.0 * (u + v) / 2.0 - wave) as u8,
            ]),
        }
    })
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Jpeg {
    Baseline,
    Progressive,
    Grey,
    Cmyk,
}

/// An uncompressed TIFF of `picture` with this orientation, its pixels at the end.
pub(super) fn tiff(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let pixels = picture.as_raw();
    let long = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    // Header, ten entries with their count and the next directory, the depths behind them.
    let at = 8 + 2 + 10 * 12 + 4 + 6;
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    push_directory(
        &mut out,
        &[
            (256, 4, 1, &picture.width().to_le_bytes()),
            (257, 4, 1, &picture.height().to_le_bytes()),
            (258, 3, 3, &[8, 0, 8, 0, 8, 0]),
            (259, 3, 1, &[1, 0]),
            (262, 3, 1, &[2, 0]),
            (273, 4, 1, &long(at)),
            (274, 3, 1, &[orientation, 0]),
            (277, 3, 1, &[3, 0]),
            (278, 4, 1, &picture.height().to_le_bytes()),
            (279, 4, 1, &long(pixels.len())),
        ],
        &[],
    );
    assert_eq!(out.len(), at);
    out.extend(pixels);
    out
}

/// A JPEG of `picture`, with `exif` (a TIFF structure) if given.
pub(super) fn jpeg(picture: &RgbImage, kind: Jpeg, exif: Option<&[u8]>) -> Vec<u8> {
    let (space, pixels): (_, Vec<u8>) = match kind {
        Jpeg::Baseline | Jpeg::Progressive => (ColorSpace::JCS_RGB, picture.as_raw().clone()),
        Jpeg::Grey => {
            let luma = DynamicImage::ImageRgb8(picture.clone()).into_luma8();
            (ColorSpace::JCS_GRAYSCALE, luma.into_raw())
        }
        // Inverted, as libjpeg's Adobe marker promises: full sample, no ink.
        Jpeg::Cmyk => (
            ColorSpace::JCS_CMYK,
            picture
                .pixels()
                .flat_map(|p| [p.0[0], p.0[1], p.0[2], 255])
                .collect(),
        ),
    };
    let mut c = Compress::new(space);
    c.set_fastest_defaults();
    if kind == Jpeg::Progressive {
        c.set_optimize_scans(false); // forgets the script, so it goes first
        c.set_progressive_mode();
    }
    c.set_size(picture.width() as usize, picture.height() as usize);
    c.set_quality(92.0);
    let mut started = c.start_compress(Vec::new()).unwrap();
    if let Some(tiff) = exif {
        started.write_marker(mozjpeg::Marker::APP(1), &[b"Exif\0\0", tiff].concat());
    }
    started.write_scanlines(&pixels).unwrap();
    started.finish().unwrap()
}

pub(super) fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgb8(picture.clone());
    // Icons keep PNGs, and those with alpha only.
    match format {
        ImageFormat::Ico => picture.into_rgba8().write_to(&mut out, format).unwrap(),
        _ => picture.write_to(&mut out, format).unwrap(),
    }
    out.into_inner()
}

pub(super) fn png(picture: &RgbImage, exif: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = PngEncoder::new(&mut out);
    if let Some(tiff) = exif {
        encoder.set_exif_metadata(tiff.to_vec()).unwrap();
    }
    let (w, h) = picture.dimensions();
    encoder
        .write_image(picture.as_raw(), w, h, ExtendedColorType::Rgb8)
        .unwrap();
    out
}

pub(super) fn webp(picture: &RgbImage, exif: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut out);
    if let Some(tiff) = exif {
        encoder.set_exif_metadata(tiff.to_vec()).unwrap();
    }
    let (w, h) = picture.dimensions();
    encoder
        .write_image(picture.as_raw(), w, h, ExtendedColorType::Rgb8)
        .unwrap();
    out
}

/// One file of each format photond decodes: what it is, its extension, its bytes.
pub(super) fn one_of_each(width: u32, height: u32) -> Vec<(Format, &'static str, Vec<u8>)> {
    let picture = scene(width, height);
    vec![
        (Format::Jpeg, "jpg", jpeg(&picture, Jpeg::Baseline, None)),
        (Format::Jpeg, "jpg", jpeg(&picture, Jpeg::Progressive, None)),
        (Format::Jpeg, "jpg", jpeg(&picture, Jpeg::Grey, None)),
        (Format::Png, "png", png(&picture, None)),
        (Format::Gif, "gif", encoded(&picture, ImageFormat::Gif)),
        (Format::Webp, "webp", webp(&picture, None)),
        (Format::Tiff, "tif", tiff(&picture, 1)),
        (Format::Bmp, "bmp", encoded(&picture, ImageFormat::Bmp)),
        (Format::Ico, "ico", encoded(&picture, ImageFormat::Ico)),
        (Format::Tga, "tga", encoded(&picture, ImageFormat::Tga)),
        (Format::Pnm, "ppm", encoded(&picture, ImageFormat::Pnm)),
    ]
}

/// A TIFF structure with one directory: tag, type, count and the value's bytes for each entry.
pub(super) fn tiff_block(entries: &[(u16, u16, u32, &[u8])]) -> Vec<u8> {
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    push_directory(&mut out, entries, &[]);
    out
}

/// Appends a directory and, behind it, the values that do not fit into their entries; `pointers`
/// are further LONG entries (tag, offset). Returns where the directory ended.
pub(super) fn push_directory(
    out: &mut Vec<u8>,
    entries: &[(u16, u16, u32, &[u8])],
    pointers: &[(u16, u32)],
) -> usize {
    let count = entries.len() + pointers.len();
    out.extend_from_slice(&u16::try_from(count).unwrap().to_le_bytes());
    let mut values = out.len() + 12 * count + 4;
    let mut tail = Vec::new();
    for (tag, kind, n, value) in entries {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&n.to_le_bytes());
        if value.len() <= 4 {
            let mut inline = value.to_vec();
            inline.resize(4, 0);
            out.extend_from_slice(&inline);
        } else {
            out.extend_from_slice(&u32::try_from(values).unwrap().to_le_bytes());
            tail.extend_from_slice(value);
            values += value.len();
        }
    }
    for (tag, offset) in pointers {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&[4, 0, 1, 0, 0, 0]);
        out.extend_from_slice(&offset.to_le_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&tail);
    out.len()
}

/// An EXIF block that says nothing but an orientation.
pub(super) fn orientation_block(value: u16) -> Vec<u8> {
    tiff_block(&[(0x0112, 3, 1, &value.to_le_bytes())])
}

#[test]
fn every_format_is_recognised_decoded_and_measured() {
    for (format, extension, bytes) in one_of_each(64, 48) {
        let seen = look(&bytes, extension).unwrap();
        assert_eq!(seen.format, format);
        assert_eq!(
            (seen.width, seen.height, seen.orientation),
            (64, 48, 1),
            "{format:?}"
        );
        assert_eq!(seen.perceptual_hash.0.len(), 18, "{format:?}");
        assert_eq!(square(&seen.tensors[0]).len(), 3 * 32 * 32, "{format:?}");
        let thumb = image::load_from_memory(&seen.thumbnail.as_ref().unwrap().bytes).unwrap();
        assert_eq!(
            (thumb.width(), thumb.height()),
            (64, 48),
            "{format:?}: never enlarged"
        );
    }
}

#[test]
fn the_name_never_overrules_the_bytes() {
    for (format, extension, bytes) in one_of_each(20, 20) {
        if format != Format::Tga {
            assert_eq!(
                look(&bytes, "nonsense").unwrap().format,
                format,
                "{extension}"
            );
        }
    }
    assert_eq!(see(b"", "jpg").unwrap_err(), InspectError::Empty);
    assert_eq!(
        see(b"just some text", "jpg").unwrap_err(),
        InspectError::NotAnImage
    );
}

#[test]
fn a_raw_file_without_a_picture_says_so() {
    let dng = tiff_block(&[(0xC612, 1, 4, &[1, 4, 0, 0])]);
    let nef = tiff_block(&[(0x0112, 3, 1, &[1, 0])]);
    for (bytes, extension, format) in [
        (&dng[..], "tif", Format::Raw),
        (&nef[..], "nef", Format::Raw),
    ] {
        let error = look(bytes, extension).unwrap_err();
        assert_eq!(error.kind(), "unsupported");
        assert!(error.to_string().starts_with(format.name()), "{error}");
        assert!(
            error.to_string().contains("retried automatically"),
            "{error}"
        );
        let advice = "this version cannot yet decode a camera's unprocessed sensor data, and there is no large \
                      preview in the file; save it as a JPEG";
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn an_inspector_is_shared_by_threads() {
    let bytes = jpeg(&scene(300, 200), Jpeg::Baseline, None);
    let inspector = inspector();
    let alone = inspector.inspect(&bytes, None, &[SPEC]).unwrap();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                let seen = inspector.inspect(&bytes, None, &[SPEC]).unwrap();
                assert_eq!(seen.perceptual_hash, alone.perceptual_hash);
                assert_eq!(seen.tensors, alone.tensors);
                assert_eq!(seen.thumbnail, alone.thumbnail);
            });
        }
    });
}
