//! The label bank at full scale, 68,000 × 768: scoring, opening and growing, each beside what a
//! plainer program would do.
//!
//! `cargo bench --bench term_bank` has the forms one by one. `cargo bench --bench term_bank --
//! --figures` does them in turns and prints ratios: minutes apart, contenders meet another machine.
//! It writes 110 MB into the temporary directory and holds 210 MB of f32 rows for the comparisons.

#![allow(clippy::print_stdout)]

mod figures;
mod made;
mod memory;
mod rivals;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group};
use photond::tag::{BankWriter, Rows, TermBank, best};

use self::made::{CHUNK, DIMS, Full, K, ROWS};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn one_photo(c: &mut Criterion) {
    let full = Full::make();
    let photo = full.photos(1).remove(0);
    let mut group = c.benchmark_group(format!("one photo, {ROWS} × {DIMS}"));
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(ROWS as u64));
    for threads in [1, 2] {
        let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
        group.bench_function(id("bytes of the bank read once"), |b| {
            b.iter(|| rivals::read_once(full.bank.raw(), threads));
        });
        group.bench_function(id("simsimd bf16, scores only"), |b| {
            b.iter(|| rivals::simsimd(&full.bank, &photo, threads));
        });
        group.bench_function(id("photond, 15 best"), |b| {
            b.iter(|| best(&full.bank, &Rows::All, &[&photo], K, threads).expect("it scans"));
        });
    }
    group.bench_function("scalar f32, scores only", |b| {
        b.iter(|| rivals::scalar(&full.floats, &photo));
    });
    let matrix = full.matrix();
    let vector = ndarray::ArrayView1::from(&photo[..]);
    group.bench_function("ndarray f32, scores only", |b| {
        b.iter(|| black_box(&matrix).dot(&vector));
    });
    group.finish();
}

fn several_photos(c: &mut Criterion) {
    let full = Full::make();
    let photos = full.photos(64);
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let mut group = c.benchmark_group("several photos in one pass, per photo");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(4));
    for count in [1, 2, 4, 8, 16, 64] {
        group.throughput(Throughput::Elements(count as u64));
        for threads in [1, 2] {
            group.bench_function(
                BenchmarkId::new(format!("{count} photos"), format!("{threads} threads")),
                |b| {
                    b.iter(|| {
                        best(&full.bank, &Rows::All, &photos[..count], K, threads)
                            .expect("it scans")
                    });
                },
            );
        }
    }
    group.finish();
}

fn listed(c: &mut Criterion) {
    let full = Full::make();
    let photo = full.photos(1).remove(0);
    let list = full.active();
    let mut group = c.benchmark_group("one photo, one thread");
    group.sample_size(20);
    for (name, rows) in [
        ("2,000 rows of a list", Rows::List(&list)),
        ("2,000 rows in a row", Rows::Range(30_000..32_000)),
        ("all rows", Rows::All),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| best(&full.bank, &rows, &[&photo], K, 1).expect("it scans"));
        });
    }
    group.finish();
}

fn file(c: &mut Criterion) {
    let full = Full::make();
    let identity = full.bank.identity();
    let path = full.bank.path();
    let mut group = c.benchmark_group("the file");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    group.bench_function("open a full bank", |b| {
        b.iter(|| TermBank::open(path, identity).expect("it opens"));
    });
    group.bench_function("open it and score one photo", |b| {
        let photo = full.photos(1).remove(0);
        b.iter(|| {
            let bank = TermBank::open(path, identity).expect("it opens");
            best(&bank, &Rows::All, &[&photo], K, 1).expect("it scans")
        });
    });
    group.bench_function("verify it", |b| {
        let never = std::sync::atomic::AtomicBool::new(false);
        b.iter(|| full.bank.verify(&never).expect("it is sound"));
    });
    let chunk = &full.floats[..CHUNK * DIMS];
    let dir = tempfile::tempdir().expect("a temporary directory");
    group.bench_function("append and publish 5,000 rows", |b| {
        let mut number = 0;
        b.iter_batched(
            || {
                number += 1;
                let path = dir.path().join(number.to_string());
                BankWriter::open(&path, identity).expect("it opens").0
            },
            |mut writer| {
                writer.append(chunk).expect("it writes");
                let _ = std::fs::remove_file(writer.bank().path());
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, one_photo, several_photos, listed, file);

fn main() {
    if std::env::args().any(|arg| arg == "--figures") {
        return figures::run();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
