//! `photond retag` over a library whose photos are out of reach, beside opening the photos.

use std::time::Instant;

use photond::media::{Inspector, Limits};
use photond::model::default_pack;

use crate::library::fill;
use crate::measure::{cost, median, ms, photond, scratch};
use crate::photos::{jpeg, synthetic};

const PHOTOS: u64 = 10_000;
const RUNS: usize = 3;

pub fn run() {
    let (_dir, _, data) = scratch();
    fill(&data, PHOTOS, &jpeg(&synthetic(0, 1024, 768), 85));
    let mut seconds = Vec::new();
    let mut peak = 0f64;
    for _ in 0..RUNS {
        let run = cost(&mut photond(&data, &["-q", "retag"]));
        seconds.push(run.wall.as_secs_f64());
        peak = peak.max(run.peak_mb);
    }
    let middle = median(&mut seconds);
    println!(
        "{PHOTOS} photos tagged again from their vectors: median {middle:.1} s of {RUNS} ({:.0} photos/s), peak {peak:.0} MB [≤ 30 s]",
        PHOTOS as f64 / middle
    );
    let opening = opening();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "  beside it, opening the photos: {:.0} s to decode {PHOTOS} of 12 MP with {threads} threads ({opening:.0} ms each), before any model has seen them",
        opening / 1e3 * PHOTOS as f64 / threads as f64
    );
}

/// Milliseconds of one thread for one photo, by the pipeline's own scaled decoding.
fn opening() -> f64 {
    let bytes = jpeg(&synthetic(0, 4032, 3024), 78);
    let pack = default_pack().expect("the built-in pack");
    let inputs = [pack.input().expect("it sees pictures").clone()];
    let inspector = Inspector::new(Limits::default());
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            inspector
                .inspect(&bytes, Some("jpg"), &inputs)
                .expect("it is a photo");
            ms(start.elapsed())
        })
        .collect();
    median(&mut times)
}
