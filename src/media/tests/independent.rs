//! Pictures at full size beside those of other programs.
//!
//! `PHOTOND_TEST_PICTURES` names a folder of HEIC, HIF, AVIF and JPEG XL files; `heif-convert` or `heif-dec`,
//! `avifdec` and `djxl` decode them where they are installed. What is lacking is skipped, and said so: whoever
//! runs the tests need have neither. Colours are brought to sRGB by the profile that the other program gives
//! with its picture. HDR pictures are left out, for there is no one way to show them on an ordinary screen.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use moxcms::{ColorProfile, Layout, TransformOptions};

use super::super::decode::decode;
use super::super::jpeg::Need;
use super::super::picture::Channels;
use super::super::sniff::sniff;
use super::*;

/// Decibels from which two pictures are the same but for rounding.
const SAME: f64 = 40.0;
/// Where colour is stored at half the size, photond spreads it as the standard places it, and libheif up to
/// 1.15 (and Pillow's) repeats it. Both were compared with a third way, written out by hand: 65 dB each with
/// its own, and 36 to 50 with each other. So a picture is also the same whose light is, and whose colours are
/// no further off than that.
const SAME_LIGHT: f64 = 45.0;
const COLOURS_SPREAD: f64 = 35.0;

/// A picture as three bytes a pixel.
struct Pixels8 {
    size: (u32, u32),
    data: Vec<u8>,
}

#[test]
fn other_decoders_see_the_same_pictures() {
    let Some(folder) = std::env::var_os("PHOTOND_TEST_PICTURES") else {
        eprintln!("skipped: PHOTOND_TEST_PICTURES names no folder");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut unlike = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match compared(&file, scratch.path()) {
            Ok([colours, light]) => {
                let line = format!("{name}: {colours:.1} dB (light {light:.1})");
                eprintln!("{line}");
                if colours < SAME && (light < SAME_LIGHT || colours < COLOURS_SPREAD) {
                    unlike.push(line);
                }
            }
            Err(why) => eprintln!("{name} skipped: {why}"),
        }
    }
    assert!(unlike.is_empty(), "{unlike:#?}");
}

/// Decibels between our picture and another program's, and between their light alone; `Err`: why there is
/// nothing to compare.
fn compared(file: &Path, scratch: &Path) -> Result<[f64; 2], String> {
    let bytes = std::fs::read(file).unwrap();
    let format = sniff(&bytes, None).ok_or("no picture")?;
    if is_hdr(&bytes) {
        return Err("HDR".to_owned());
    }
    let out = scratch.join("other.png");
    // Some end with success when they have failed.
    let written = || std::fs::read(&out).unwrap_or_default();
    let programs: &[&[&str]] = match format {
        Format::Heic => &[&["heif-dec"], &["heif-convert"]],
        Format::Avif => &[&["avifdec"], &["heif-dec"], &["heif-convert"]],
        Format::Jxl => &[&["djxl"]],
        _ => return Err(format!("a {}", format.name())),
    };
    let mut why = "no program that decodes it is installed".to_owned();
    for program in programs {
        let _ = std::fs::remove_file(&out);
        let run = Command::new(program[0])
            .args(&program[1..])
            .args([file, &out])
            .stdin(Stdio::null())
            .output();
        match run {
            Ok(run) if run.status.success() && !written().is_empty() => {
                let ours = ours(&bytes, format);
                let theirs = read_png(&written());
                assert_eq!(ours.size, theirs.size, "{}", file.display());
                let light = [light(&ours.data), light(&theirs.data)];
                return Ok([
                    decibels(&ours.data, &theirs.data),
                    decibels(&light[0], &light[1]),
                ]);
            }
            Ok(run) => why = format!("{}: {}", program[0], String::from_utf8_lossy(&run.stderr)),
            Err(_) => {}
        }
    }
    Err(why)
}

fn ours(bytes: &[u8], format: Format) -> Pixels8 {
    let everything = Need {
        short: f64::INFINITY,
        long: f64::INFINITY,
    };
    let decoded = decode(bytes, format, everything, &Limits::default()).unwrap();
    let picture = decoded.picture;
    let data = match picture.channels {
        Channels::Rgb => picture.data,
        Channels::Grey => picture.data.iter().flat_map(|v| [*v; 3]).collect(),
    };
    Pixels8 {
        size: (picture.width, picture.height),
        data,
    }
}

/// PQ or HLG, by code points anywhere in the file.
fn is_hdr(bytes: &[u8]) -> bool {
    let mut boxes = bytes.windows(12).filter(|w| w.starts_with(b"colrnclx"));
    boxes.any(|w| matches!(w[11], 16 | 18))
}

/// Another program's picture over white, in sRGB.
fn read_png(bytes: &[u8]) -> Pixels8 {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let profile = reader.info().icc_profile.clone();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    let samples: Vec<u16> = match info.bit_depth {
        png::BitDepth::Sixteen => data
            .chunks_exact(2)
            .map(|s| u16::from_be_bytes([s[0], s[1]]))
            .collect(),
        _ => data.iter().map(|v| u16::from(*v) * 257).collect(),
    };
    let channels = info.color_type.samples();
    let mut colours = Vec::new();
    for pixel in samples.chunks_exact(channels) {
        let (colour, alpha) = match pixel {
            [grey] => ([*grey; 3], u16::MAX),
            [grey, alpha] => ([*grey; 3], *alpha),
            [r, g, b] => ([*r, *g, *b], u16::MAX),
            [r, g, b, a] => ([*r, *g, *b], *a),
            _ => unreachable!(),
        };
        let over_white = |v: u16| {
            let a = u64::from(alpha);
            ((u64::from(v) * a + 65_535 * (65_535 - a)) / 65_535) as u16
        };
        colours.extend(colour.map(over_white));
    }
    if let Some(profile) = profile {
        let from = ColorProfile::new_from_slice(&profile).unwrap();
        let options = TransformOptions::default();
        let to = ColorProfile::new_srgb();
        if let Ok(transform) = from.create_transform_16bit(Layout::Rgb, &to, Layout::Rgb, options) {
            let from = colours.clone();
            transform.transform(&from, &mut colours).unwrap();
        }
    }
    Pixels8 {
        size: (info.width, info.height),
        data: colours
            .iter()
            .map(|v| ((u32::from(*v) + 128) / 257) as u8)
            .collect(),
    }
}

/// One byte a pixel, by the weights of BT.601.
fn light(data: &[u8]) -> Vec<u8> {
    let weighed = |p: &[u8]| 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]);
    data.chunks_exact(3)
        .map(|pixel| ((weighed(pixel) + 500) / 1000) as u8)
        .collect()
}

fn decibels(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let sum: u64 = a.iter().zip(b).map(square).sum();
    let mean = sum as f64 / a.len() as f64;
    10.0 * (255.0_f64.powi(2) / mean.max(1e-9)).log10()
}
