//! Photos for the benchmarks: made here, or real ones from folders named in the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// A picture with the detail of a photo: smooth shapes, edges, and fine grain.
pub fn synthetic(seed: u32, width: u32, height: u32) -> RgbImage {
    let mut state = u64::from(seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let waves: Vec<[f32; 4]> = (0..6)
        .map(|_| std::array::from_fn(|_| (next() % 1000) as f32 / 1000.0))
        .collect();
    let scale = 40.0 / width as f32;
    RgbImage::from_fn(width, height, |x, y| {
        let (fx, fy) = (x as f32 * scale, y as f32 * scale);
        let v: f32 = waves
            .iter()
            .map(|w| ((fx * w[0] + fy * w[1]) * (1.0 + 4.0 * w[2]) + 7.0 * w[3]).sin())
            .sum();
        let grain = (next() >> 40) as i32 % 23 - 11;
        let base = (128.0 + 24.0 * v) as i32;
        let edge = if ((x / 97) + (y / 61)).is_multiple_of(5) {
            40
        } else {
            0
        };
        Rgb([base + edge + grain, base + grain, base - edge + grain].map(|c| c.clamp(0, 255) as u8))
    })
}

/// Encodes as JPEG.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .expect("it encodes");
    bytes
}

/// Fills a folder with `count` 12 MP JPEGs of distinct content, and says where they come from.
pub fn fill_large(folder: &Path, count: usize) -> String {
    let (sources, origin) = match folder_from("PHOTOND_BENCH_LARGE") {
        Some(real) => {
            let files = jpegs(&real);
            let bytes: Vec<Vec<u8>> = files
                .iter()
                .map(|f| std::fs::read(f).expect("readable"))
                .collect();
            (
                bytes,
                format!("{} real JPEGs of {}", files.len(), real.display()),
            )
        }
        None => {
            let made = (0..4)
                .map(|i| jpeg(&synthetic(i, 4032, 3024), 78))
                .collect::<Vec<_>>();
            (
                made,
                "synthetic 12 MP JPEGs (PHOTOND_BENCH_LARGE names real ones)".to_owned(),
            )
        }
    };
    for i in 0..count {
        let mut bytes = sources[i % sources.len()].clone();
        // Bytes after the picture's end: another content, the same picture.
        bytes.extend(format!("copy {i}").bytes());
        std::fs::write(folder.join(format!("{i:04}.jpg")), bytes).expect("writable");
    }
    let mean = sources.iter().map(Vec::len).sum::<usize>() as f64 / sources.len() as f64 / 1e6;
    format!("{count} files from {origin}, {mean:.1} MB each")
}

/// A folder named in the environment.
pub fn folder_from(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|p| p.is_dir())
}

/// The JPEGs of a folder, sorted.
pub fn jpegs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| {
            p.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"))
        })
        .collect();
    files.sort();
    files
}

/// Copies the labelled photos of a folder (`labels.tsv`: file name and WordNet id) under names that
/// say nothing, made from their numbers; returns the label of each.
pub fn copy_without_names(
    folder: &Path,
    photos: &Path,
    name: impl Fn(usize) -> String,
) -> BTreeMap<String, String> {
    let table = std::fs::read_to_string(folder.join("labels.tsv")).expect("labels.tsv");
    let mut labels = BTreeMap::new();
    for (number, line) in table.lines().enumerate() {
        let mut columns = line.split('\t');
        let (Some(file), Some(key)) = (columns.next(), columns.next()) else {
            continue;
        };
        let name = name(number);
        std::fs::copy(folder.join(file), photos.join(&name)).expect("a photo");
        labels.insert(name, key.to_owned());
    }
    labels
}
