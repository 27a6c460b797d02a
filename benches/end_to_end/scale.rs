//! Very many files: the first scan and a rescan that finds nothing new, beside `find -printf`.
//!
//! 200,000 files unless `PHOTOND_BENCH_FILES` says otherwise; one in twenty is a photo by its name
//! (and a tiny picture, each its own), the others are no photos by theirs.

use std::path::Path;
use std::process::Command;

use crate::measure::{cost, median, photond, scratch};

const A_FOLDER: usize = 1000;
const PHOTO_EVERY: usize = 20;

fn make(photos: &Path, files: usize) {
    for d in 0..files.div_ceil(A_FOLDER) {
        let dir = photos.join(format!("{:02}/{d:05}", d % 50));
        std::fs::create_dir_all(&dir).expect("it can be made");
        for f in 0..A_FOLDER.min(files - d * A_FOLDER) {
            let made = if f % PHOTO_EVERY == 0 {
                let text = format!("P2\n# {d}/{f}\n1 1\n255\n{}\n", (d + f) % 256);
                std::fs::write(dir.join(format!("{f:03}.pgm")), text)
            } else {
                std::fs::File::create(dir.join(format!("{f:03}.txt"))).map(drop)
            };
            made.expect("writable");
        }
    }
}

pub fn run() {
    let files = std::env::var("PHOTOND_BENCH_FILES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200_000);
    let (_dir, photos, data) = scratch();
    make(&photos, files);
    let root = photos.to_string_lossy().into_owned();
    let index = || {
        let mut command = photond(&data, &["index", "-q", &root]);
        // The scan is what is measured, not the models.
        command.env("ORT_DYLIB_PATH", "/nowhere");
        command
    };
    let first = cost(&mut index());
    println!(
        "{files} files, {} of them photos: first run {:.1} s, {:.1} s of processor time, {:.0} MB at most",
        files.div_ceil(PHOTO_EVERY),
        first.wall.as_secs_f64(),
        first.cpu.as_secs_f64(),
        first.peak_mb
    );
    let (mut ours, mut finds, mut ratios, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0f64);
    for _ in 0..5 {
        let f = cost(Command::new("find").args([&root, "-type", "f", "-printf", "%s %T@ %p\\n"]));
        let r = cost(&mut index());
        finds.push(f.cpu.as_secs_f64());
        ours.push(r.cpu.as_secs_f64());
        ratios.push(r.cpu.as_secs_f64() / f.cpu.as_secs_f64());
        peak = peak.max(r.peak_mb);
    }
    println!(
        "rescan, whole command: {:.2} s of processor time, {peak:.0} MB at most   find: {:.2} s   ratio {:.2} (median of 5 pairs)",
        median(&mut ours),
        median(&mut finds),
        median(&mut ratios)
    );
}
