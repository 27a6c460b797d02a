//! Exact search over all vectors in its forms, beside the plain way (a scalar loop, everything
//! sorted). How it stands to reading the same bytes once is what `make bench BENCH=search` says: it
//! does both in turns, minutes apart they meet another machine.
//!
//! The group of a million rows writes 1.6 GB into the temporary directory. It is left out where
//! disk or memory are too small for it, or with `PHOTOND_BENCH_SMALL=1`.

#[path = "end_to_end/room.rs"]
mod room;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use photond::embedding::ModelId;
use photond::search::{Allowed, Scan, Scored, TopK};
use photond::store::{StoreError, VectorFile, VectorSource};

use room::has_room;

const DIMS: usize = 768;
const K: usize = 100;

/// As many random vectors as asked for, made when they are read.
struct Made {
    rows: i64,
}

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A vector whose direction depends on `seed` alone.
fn vector(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..DIMS).map(move |_| (xorshift(&mut state) >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
}

impl VectorSource for Made {
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError> {
        let mut bytes = vec![0; DIMS * 2];
        for seq in (after + 1..=self.rows).take(limit) {
            for (to, value) in bytes.chunks_exact_mut(2).zip(vector(seq as u64)) {
                to.copy_from_slice(&f16::from_f32(value).to_le_bytes());
            }
            visit(seq, seq, &bytes);
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<i64, StoreError> {
        Ok(self.rows)
    }

    fn live(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows as u64)
    }
}

fn scan_group(c: &mut Criterion, name: &str, rows: i64, dir: &Path) {
    let file = VectorFile::new(dir, [1; 16], &ModelId(format!("bench@{rows}")), DIMS);
    let mut source = Made { rows };
    let vectors = file.refresh(&mut source, 0).expect("the file is made");
    assert!(vectors.is_resident(), "{:?}", vectors.not_written());
    let query: Vec<f32> = vector(u64::MAX / 3).collect();
    let scan = Scan::new(&[&query], DIMS).expect("a direction");
    let mut group = c.benchmark_group(name);
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(rows as u64));
    group.bench_function("best 100 of all", |b| {
        b.iter(|| {
            scan.best(&vectors, &mut source, &Allowed::All, K)
                .expect("it scans")
        });
    });
    group.bench_function("best 100, file opened for it (a one-shot query)", |b| {
        b.iter(|| {
            let vectors = file.refresh(&mut source, 1000).expect("it opens");
            scan.best(&vectors, &mut source, &Allowed::All, K)
                .expect("it scans")
        });
    });
    let tenth = Allowed::these((1..=rows).step_by(10).collect());
    group.bench_function("best 100 of every tenth", |b| {
        b.iter(|| {
            scan.best(&vectors, &mut source, &tenth, K)
                .expect("it scans")
        });
    });
    group.bench_function("all scores, by photo", |b| {
        b.iter(|| {
            scan.scores(&vectors, &mut source, &Allowed::All)
                .expect("it scans")
        });
    });
    let background: Vec<Vec<f32>> = (0..256).map(|i| vector(1 << 40 | i).collect()).collect();
    let background: Vec<&[f32]> = background.iter().map(Vec::as_slice).collect();
    let sample = Scan::new(&background, DIMS)
        .expect("directions")
        .sampled(rows as u64 / 4096);
    group.bench_function("spread of 256 queries over 4096 photos", |b| {
        b.iter(|| {
            sample
                .spread(&vectors, &mut source, &Allowed::All)
                .expect("it scans")
        });
    });
    if rows <= 100_000 {
        group.bench_function("naive: scalar, all sorted", |b| {
            b.iter(|| {
                let mut all = Vec::new();
                vectors
                    .visit(&mut source, &mut |rows| {
                        for row in 0..rows.len() {
                            let score: f32 = rows
                                .vector(row)
                                .iter()
                                .zip(&query)
                                .map(|(a, b)| a.to_f32() * b)
                                .sum();
                            all.push((score, rows.photo(row)));
                        }
                    })
                    .expect("nothing to fail");
                all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                all.truncate(K);
                all
            });
        });
    }
    group.finish();
}

fn scan(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    scan_group(c, "scan_100k_768", 100_000, dir.path());
    if std::env::var_os("PHOTOND_BENCH_SMALL").is_none() && has_room(dir.path()) {
        scan_group(c, "scan_1m_768", 1_000_000, dir.path());
    }
}

fn top_k(c: &mut Criterion) {
    let mut state = 9;
    let scores: Vec<Scored> = (0..1_000_000)
        .map(|photo| Scored {
            photo,
            score: (xorshift(&mut state) >> 40) as f32 / (1u64 << 24) as f32,
        })
        .collect();
    let mut group = c.benchmark_group("best 100 of a million scores");
    group.sample_size(20);
    group.bench_function("photond: bounded heap", |b| {
        b.iter(|| {
            let mut top = TopK::new(K);
            black_box(&scores).iter().for_each(|s| top.push(*s));
            top.into_sorted()
        });
    });
    group.bench_function("naive: sort all", |b| {
        b.iter(|| {
            let mut all = black_box(&scores).clone();
            all.sort_unstable();
            all.truncate(K);
            all
        });
    });
    group.finish();
}

criterion_group!(benches, scan, top_k);
criterion_main!(benches);
