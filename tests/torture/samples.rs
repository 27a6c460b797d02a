//! Good files of every format, small: those of `tests/samples`, and others that are made here.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::{gif, jpeg, pnm};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};

use crate::env::{picture, tiff};

const WIDTH: u32 = 48;
const HEIGHT: u32 = 36;

/// A file that nothing is wrong with.
pub struct GoodFile {
    pub name: String,
    /// What such a file is called.
    pub extension: String,
    pub bytes: Vec<u8>,
}

fn good(name: &str, bytes: Vec<u8>) -> GoodFile {
    let extension = name.rsplit('.').next().unwrap_or_default();
    GoodFile {
        name: name.to_owned(),
        extension: extension.to_owned(),
        bytes,
    }
}

/// All of them, in the same order on every machine.
pub fn all() -> Vec<GoodFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".py") && !name.ends_with(".br"))
        .collect();
    names.sort();
    let mut files: Vec<GoodFile> = names
        .iter()
        .map(|name| good(name, fs::read(folder.join(name)).unwrap()))
        .collect();
    files.extend(made());
    files
}

fn made() -> Vec<GoodFile> {
    let drawn = picture(7, WIDTH, HEIGHT);
    let grey = image::DynamicImage::from(drawn.clone()).into_luma8();
    let written = |format| {
        let mut bytes = Cursor::new(Vec::new());
        drawn.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let mut pgm = Vec::new();
    grey.write_with_encoder(pnm::PnmEncoder::new(&mut pgm))
        .unwrap();
    let deep = image::DynamicImage::from(drawn.clone()).into_rgba16();
    let mut deep_png = Cursor::new(Vec::new());
    deep.write_to(&mut deep_png, ImageFormat::Png).unwrap();
    let baseline = baseline(&drawn);
    vec![
        good("with_exif.jpg", with_exif(&baseline)),
        good("nikon.nef", nef(&baseline)),
        good("fujifilm.raf", raf(&baseline)),
        good("baseline.jpg", baseline),
        good("progressive.jpg", progressive(&drawn)),
        good("colour.png", written(ImageFormat::Png)),
        good("deep.png", deep_png.into_inner()),
        good("palette.png", palette_png()),
        good("still.gif", gif(&drawn, 1)),
        good("film.gif", gif(&drawn, 3)),
        good("lossless.webp", written(ImageFormat::WebP)),
        good("colour.bmp", written(ImageFormat::Bmp)),
        good("icon.ico", icon(&drawn)),
        good("bitmap.ico", bitmap_icon(&drawn)),
        good("packed.tga", written(ImageFormat::Tga)),
        good("colour.ppm", written(ImageFormat::Pnm)),
        good("grey.pgm", pgm),
        good("strip.tif", tiff(&drawn)),
        good("flat.psd", psd(&drawn)),
    ]
}

fn baseline(drawn: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    jpeg::JpegEncoder::new_with_quality(&mut bytes, 80)
        .write_image(drawn, WIDTH, HEIGHT, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn progressive(drawn: &RgbImage) -> Vec<u8> {
    let mut encoder = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    encoder.set_size(WIDTH as usize, HEIGHT as usize);
    encoder.set_progressive_mode();
    let mut started = encoder.start_compress(Vec::new()).unwrap();
    started.write_scanlines(drawn).unwrap();
    started.finish().unwrap()
}

/// Sixteen colours, two pixels a byte.
fn palette_png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_palette((0..48).map(|n: u8| n * 5).collect::<Vec<_>>());
    encoder.set_trns((0..16).map(|n: u8| 255 - n).collect::<Vec<_>>());
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..WIDTH / 2 * HEIGHT).map(|n| (n % 256) as u8).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn gif(drawn: &RgbImage, frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = gif::GifEncoder::new_with_speed(&mut bytes, 30);
    for _ in 0..frames {
        encoder
            .encode(drawn, WIDTH, HEIGHT, ExtendedColorType::Rgb8)
            .unwrap();
    }
    drop(encoder);
    bytes
}

/// A PNG in an icon; only one with transparency may be there.
fn icon(drawn: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let drawn = image::DynamicImage::from(drawn.clone()).into_rgba8();
    drawn.write_to(&mut bytes, ImageFormat::Ico).unwrap();
    bytes.into_inner()
}

/// The older kind: a bitmap from its header on, and a mask.
fn bitmap_icon(drawn: &RgbImage) -> Vec<u8> {
    let (mut rows, mask) = (Vec::new(), 8 * HEIGHT);
    for row in drawn.rows().rev() {
        rows.extend(row.flat_map(|pixel| [pixel.0[2], pixel.0[1], pixel.0[0], 255]));
    }
    let mut bitmap = 40_u32.to_le_bytes().to_vec();
    bitmap.extend([WIDTH, 2 * HEIGHT].into_iter().flat_map(u32::to_le_bytes));
    bitmap.extend([1, 0, 32, 0]);
    bitmap.resize(40, 0);
    bitmap.extend(rows);
    bitmap.resize(bitmap.len() + mask as usize, 0);
    let mut bytes = vec![
        0,
        0,
        1,
        0,
        1,
        0,
        WIDTH as u8,
        HEIGHT as u8,
        0,
        0,
        1,
        0,
        32,
        0,
    ];
    bytes.extend((bitmap.len() as u32).to_le_bytes());
    bytes.extend(22_u32.to_le_bytes());
    bytes.extend(bitmap);
    bytes
}

/// Three planes, nothing compressed, no layers.
fn psd(drawn: &RgbImage) -> Vec<u8> {
    let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0\0\x03".to_vec();
    bytes.extend(HEIGHT.to_be_bytes());
    bytes.extend(WIDTH.to_be_bytes());
    bytes.extend([0, 8, 0, 3]);
    bytes.extend([0; 3 * 4]);
    bytes.extend([0, 0]);
    for plane in 0..3 {
        bytes.extend(drawn.pixels().map(|pixel| pixel.0[plane]));
    }
    bytes
}

/// Tag, type, number of values, and the values.
type Entry = (u16, u16, u32, Vec<u8>);

fn ascii(tag: u16, text: &str) -> Entry {
    let bytes = [text.as_bytes(), &[0]].concat();
    (tag, 2, bytes.len() as u32, bytes)
}

fn short(tag: u16, value: u16) -> Entry {
    (tag, 3, 1, value.to_le_bytes().to_vec())
}

fn long(tag: u16, value: usize) -> Entry {
    (tag, 4, 1, (value as u32).to_le_bytes().to_vec())
}

fn rationals(tag: u16, values: &[(u32, u32)]) -> Entry {
    let bytes = values.iter().flat_map(|v| [v.0, v.1]);
    let bytes = bytes.flat_map(u32::to_le_bytes).collect();
    (tag, 5, values.len() as u32, bytes)
}

/// A directory at `at`, little-endian, and behind it the values that do not fit into it.
fn directory(at: usize, entries: &[Entry], next: usize) -> Vec<u8> {
    let mut table = (entries.len() as u16).to_le_bytes().to_vec();
    let mut behind = Vec::new();
    let start = at + 2 + 12 * entries.len() + 4;
    for (tag, kind, count, value) in entries {
        table.extend(tag.to_le_bytes());
        table.extend(kind.to_le_bytes());
        table.extend(count.to_le_bytes());
        if value.len() <= 4 {
            table.extend(value);
            table.resize(table.len() + 4 - value.len(), 0);
        } else {
            table.extend(((start + behind.len()) as u32).to_le_bytes());
            behind.extend(value);
            behind.resize(behind.len().next_multiple_of(2), 0);
        }
    }
    table.extend((next as u32).to_le_bytes());
    table.extend(behind);
    table
}

/// What a camera writes: date, exposure, place, and a small picture.
fn exif(small: &[u8]) -> Vec<u8> {
    let first = |exif, gps| {
        vec![
            ascii(0x10F, "Canon"),
            ascii(0x110, "Canon EOS 40D"),
            short(0x112, 6),
            long(0x8769, exif),
            long(0x8825, gps),
        ]
    };
    let camera = [
        rationals(0x829A, &[(1, 160)]),
        rationals(0x829D, &[(71, 10)]),
        short(0x8827, 100),
        ascii(0x9003, "2008:05:30 15:56:01"),
        rationals(0x920A, &[(135, 1)]),
    ];
    let place = [
        ascii(1, "N"),
        rationals(2, &[(48, 1), (51, 1), (2964, 100)]),
        ascii(3, "E"),
        rationals(4, &[(2, 1), (17, 1), (4020, 100)]),
    ];
    let preview = |at| vec![short(0x103, 6), long(0x201, at), long(0x202, small.len())];
    let camera_at = 8 + directory(8, &first(0, 0), 0).len();
    let camera = directory(camera_at, &camera, 0);
    let place_at = camera_at + camera.len();
    let place = directory(place_at, &place, 0);
    let preview_at = place_at + place.len();
    let small_at = preview_at + directory(preview_at, &preview(0), 0).len();
    [
        b"II*\0\x08\0\0\0".to_vec(),
        directory(8, &first(camera_at, place_at), preview_at),
        camera,
        place,
        directory(preview_at, &preview(small_at), 0),
        small.to_vec(),
    ]
    .concat()
}

/// What a camera writes, by itself.
pub fn camera_exif() -> Vec<u8> {
    exif(&baseline(&picture(7, WIDTH, HEIGHT)))
}

fn with_exif(jpeg: &[u8]) -> Vec<u8> {
    let block = [b"Exif\0\0", &exif(jpeg)[..]].concat();
    let len = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &len, &block, &jpeg[2..]].concat()
}

/// A raw file as far as photond reads one: a directory and the camera's own picture.
fn nef(jpeg: &[u8]) -> Vec<u8> {
    let entries = |at| {
        vec![
            long(0x100, 6000),
            long(0x101, 4000),
            ascii(0x10F, "NIKON CORPORATION"),
            ascii(0x110, "NIKON D610"),
            long(0x201, at),
            long(0x202, jpeg.len()),
        ]
    };
    let at = 8 + directory(8, &entries(0), 0).len();
    let table = directory(8, &entries(at), 0);
    [b"II*\0\x08\0\0\0", &table[..], jpeg].concat()
}

fn raf(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = b"FUJIFILMCCD-RAW 0201FF129502X-T1".to_vec();
    bytes.resize(84, 0);
    bytes.extend(160_u32.to_be_bytes());
    bytes.extend((jpeg.len() as u32).to_be_bytes());
    // Records: one, the size of the sensor.
    bytes.extend(128_u32.to_be_bytes());
    bytes.resize(128, 0);
    bytes.extend([0, 0, 0, 1, 1, 0, 0, 4]);
    bytes.extend([3264_u16, 4928].into_iter().flat_map(u16::to_be_bytes));
    bytes.resize(160, 0);
    bytes.extend(jpeg);
    bytes
}
