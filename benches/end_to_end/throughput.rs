//! How fast photos are indexed, everything on, against the decoder's floor and the naive way.

use std::path::Path;
use std::time::Instant;

use image::imageops::FilterType;

use crate::measure::{cost, median, ms, photond, scratch};
use crate::photos::{fill_large, jpeg, jpegs, synthetic};

pub fn large() {
    let (_dir, photos, data) = scratch();
    const COUNT: usize = 96;
    println!("{}", fill_large(&photos, COUNT));
    report(&photos, &data, COUNT, 16);
    walls(&photos, &data);
}

/// What decoding behind walls costs: whole runs with and without, in turn.
fn walls(photos: &Path, data: &Path) {
    const PAIRS: usize = 5;
    let run = |decode: &str, n: usize| {
        let settings = data.with_file_name(format!("{decode}.toml"));
        std::fs::write(&settings, format!("decode = \"{decode}\"\n")).expect("writable");
        let (settings, photos) = (settings.to_string_lossy(), photos.to_string_lossy());
        let data = data.join(format!("{decode}-{n}"));
        cost(&mut photond(
            &data,
            &["--config", &settings, "index", "-q", &photos],
        ))
    };
    let (mut walls, mut cpus, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..PAIRS {
        let (with, without) = (run("workers", n), run("in-process", n));
        walls.push(with.wall.as_secs_f64() / without.wall.as_secs_f64());
        cpus.push(with.cpu.as_secs_f64() / without.cpu.as_secs_f64());
        peaks.push(with.peak_mb / without.peak_mb);
    }
    println!(
        "  behind walls      {:5.2} × the time, {:.2} × the CPU, {:.2} × the peak of decoding in the daemon itself (median of {PAIRS} pairs)",
        median(&mut walls),
        median(&mut cpus),
        median(&mut peaks)
    );
}

pub fn small() {
    let (_dir, photos, data) = scratch();
    const COUNT: usize = 1000;
    for i in 0..COUNT {
        let bytes = jpeg(&synthetic(u32::try_from(i).unwrap_or(0), 640, 480), 85);
        std::fs::write(photos.join(format!("{i:04}.jpg")), bytes).expect("writable");
    }
    println!("{COUNT} synthetic 640×480 JPEGs");
    report(&photos, &data, COUNT, 100);
}

fn report(photos: &Path, data: &Path, count: usize, naive_count: usize) {
    let run = |data: &Path| {
        cost(&mut photond(
            data,
            &["index", "-q", &photos.to_string_lossy()],
        ))
    };
    run(&data.join("warm-up"));
    let (mut rates, mut cpus, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..3 {
        let c = run(&data.join(i.to_string()));
        rates.push(count as f64 / c.wall.as_secs_f64());
        cpus.push(ms(c.cpu) / count as f64);
        peaks.push(c.peak_mb);
    }
    println!(
        "photond index     {:7.1} photos/s   {:6.1} ms CPU a photo   {:5.0} MB peak   (median of 3 whole runs)",
        median(&mut rates),
        median(&mut cpus),
        median(&mut peaks)
    );
    let files = jpegs(photos);
    let floor: Vec<f64> = files
        .iter()
        .take(naive_count)
        .map(|f| entropy_floor(f))
        .collect();
    let floor = floor.iter().sum::<f64>() / floor.len() as f64;
    println!(
        "  decoder's floor   {:5.0} photos/s   {floor:6.1} ms (libjpeg at 1/8, one core, nothing else)",
        1e3 / floor
    );
    let naive: Vec<f64> = files.iter().take(naive_count).map(|f| naive(f)).collect();
    let naive = naive.iter().sum::<f64>() / naive.len() as f64;
    println!(
        "  the naive way     {:5.0} photos/s   {naive:6.1} ms (full decode, Lanczos3, hash of the full picture; one core, no model)",
        1e3 / naive
    );
}

/// Decoding at an eighth: what no JPEG indexer can do without.
fn entropy_floor(file: &Path) -> f64 {
    let bytes = std::fs::read(file).expect("readable");
    let start = Instant::now();
    let mut decoder = mozjpeg::Decompress::new_mem(&bytes).expect("a JPEG");
    decoder.scale(1);
    let mut started = decoder.rgb().expect("it decodes");
    let pixels: Vec<[u8; 3]> = started.read_scanlines().expect("it decodes");
    std::hint::black_box(pixels);
    ms(start.elapsed())
}

fn naive(file: &Path) -> f64 {
    let bytes = std::fs::read(file).expect("readable");
    let start = Instant::now();
    let picture = image::load_from_memory(&bytes).expect("it decodes");
    let hasher = image_hasher::HasherConfig::new()
        .hash_alg(image_hasher::HashAlg::DoubleGradient)
        .hash_size(16, 16)
        .to_hasher();
    std::hint::black_box(hasher.hash_image(&picture));
    std::hint::black_box(picture.resize_exact(224, 224, FilterType::Lanczos3));
    std::hint::black_box(picture.thumbnail(256, 256));
    std::hint::black_box(blake3::hash(&bytes));
    ms(start.elapsed())
}
