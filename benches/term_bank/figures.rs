//! Contenders in turns, medians and ratios; exactness; memory.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use photond::tag::{BankWriter, Hit, Rows, TermBank, best};

use crate::made::{CHUNK, DIMS, Full, K, ROWS, identity};
use crate::memory::{Resident, peak_heap};
use crate::rivals;

const ROUNDS: usize = 21;
/// Photos whose best are compared with the f32 result.
const COMPARED: usize = 400;

pub fn run() {
    println!("{ROWS} rows × {DIMS} values, medians of {ROUNDS} rounds in turns");
    let full = Full::make();
    speed(&full);
    exactness(&full);
    file(&full);
}

struct Contender<'a> {
    name: &'static str,
    /// Photos that one run scores.
    photos: f64,
    run: Box<dyn Fn() + 'a>,
    times: Vec<f64>,
}

fn contender<'a, T>(name: &'static str, photos: usize, run: impl Fn() -> T + 'a) -> Contender<'a> {
    Contender {
        name,
        photos: photos as f64,
        run: Box::new(move || {
            black_box(run());
        }),
        times: Vec::new(),
    }
}

/// Milliseconds a photo, by name.
fn in_turns(contenders: &mut [Contender<'_>]) -> impl Fn(&str) -> f64 {
    for round in 0..=ROUNDS {
        for one in &mut *contenders {
            let start = Instant::now();
            (one.run)();
            let took = start.elapsed().as_secs_f64() * 1e3 / one.photos;
            // The first round warms up.
            if round > 0 {
                one.times.push(took);
            }
        }
    }
    let medians: Vec<(&str, f64)> = contenders
        .iter_mut()
        .map(|one| {
            one.times.sort_by(f64::total_cmp);
            let middle = one.times[ROUNDS / 2];
            println!(
                "  {:46} {middle:8.3} ms a photo   ({:.3} to {:.3})",
                one.name,
                one.times[0],
                one.times[ROUNDS - 1]
            );
            (one.name, middle)
        })
        .collect();
    move |name| {
        let found = medians.iter().find(|(other, _)| *other == name);
        found.expect("a contender of this name").1
    }
}

fn speed(full: &Full) {
    let bank = &full.bank;
    let photos = full.photos(64);
    let all: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let list = full.active();
    let matrix = full.matrix();
    let eight: Vec<f32> = photos[..8].concat();
    let eight = ndarray::ArrayView2::from_shape((8, DIMS), &eight).expect("whole rows");
    let ours = |rows: Rows<'static>, count: usize, threads: usize| {
        let all = &all;
        move || best(bank, &rows, &all[..count], K, threads).expect("it scans")
    };
    let mut contenders = [
        contender("bytes read once, 1 thread", 1, || {
            rivals::read_once(bank.raw(), 1)
        }),
        contender("photond, 1 thread", 1, ours(Rows::All, 1, 1)),
        contender("bytes read once, 2 threads", 1, || {
            rivals::read_once(bank.raw(), 2)
        }),
        contender("photond, 2 threads", 1, ours(Rows::All, 1, 2)),
        contender("simsimd bf16, 1 thread, scores only", 1, || {
            rivals::simsimd(bank, &photos[0], 1)
        }),
        contender("simsimd bf16, 2 threads, scores only", 1, || {
            rivals::simsimd(bank, &photos[0], 2)
        }),
        contender("scalar f32, scores only", 1, || {
            rivals::scalar(&full.floats, &photos[0])
        }),
        contender("ndarray f32, scores only", 1, || {
            black_box(&matrix).dot(&ndarray::ArrayView1::from(&photos[0][..]))
        }),
        contender("ndarray f32, 8 photos as a matrix product", 8, || {
            black_box(&matrix).dot(&eight.t())
        }),
        contender("photond, 8 photos, 1 thread", 8, ours(Rows::All, 8, 1)),
        contender("photond, 8 photos, 2 threads", 8, ours(Rows::All, 8, 2)),
        contender("photond, 64 photos, 1 thread", 64, ours(Rows::All, 64, 1)),
        contender("photond, 64 photos, 2 threads", 64, ours(Rows::All, 64, 2)),
        // Whole banks have gone through the caches since its last turn.
        contender("photond, list of 2,000, from memory", 1, || {
            best(bank, &Rows::List(&list), &all[..1], K, 1).expect("it scans")
        }),
        contender("photond, list of 2,000, photo after photo", 32, || {
            for photo in &all[..32] {
                black_box(best(bank, &Rows::List(&list), &[photo], K, 1).expect("it scans"));
            }
        }),
        contender("photond, list of 2,000, 8 photos", 8, || {
            best(bank, &Rows::List(&list), &all[..8], K, 1).expect("it scans")
        }),
    ];
    let ms = in_turns(&mut contenders);
    println!("ratios (wanted in brackets):");
    let one = ms("photond, 1 thread");
    for (what, ratio, wanted) in [
        (
            "one photo : bytes read once, 1 thread",
            one / ms("bytes read once, 1 thread"),
            "≤ 1.3",
        ),
        (
            "one photo : bytes read once, 2 threads",
            ms("photond, 2 threads") / ms("bytes read once, 2 threads"),
            "≤ 1.3",
        ),
        (
            "ndarray f32 : one photo",
            ms("ndarray f32, scores only") / one,
            "≥ 2",
        ),
        (
            "simsimd bf16 : one photo",
            ms("simsimd bf16, 1 thread, scores only") / one,
            "",
        ),
        (
            "scalar f32 : one photo",
            ms("scalar f32, scores only") / one,
            "",
        ),
        (
            "ndarray f32 : 8 photos, each",
            ms("ndarray f32, scores only") / ms("photond, 8 photos, 1 thread"),
            "≥ 6",
        ),
        (
            "ndarray f32, 8 as a matrix : 8 photos, each",
            ms("ndarray f32, 8 photos as a matrix product") / ms("photond, 8 photos, 1 thread"),
            "",
        ),
        (
            "all rows : list of 2,000, from memory",
            one / ms("photond, list of 2,000, from memory"),
            "",
        ),
        (
            "all rows : list of 2,000, photo after photo",
            one / ms("photond, list of 2,000, photo after photo"),
            "≥ 20",
        ),
    ] {
        println!("  {what:46} {ratio:6.2}   [{wanted}]");
    }
    println!(
        "  10,000 stored photos, 2 threads, 64 at a time: {:.1} s   [≤ 30]",
        ms("photond, 64 photos, 2 threads") * 10.0
    );
}

/// How many of the 15 best by f32 rows are among the 15 best of the bank.
fn exactness(full: &Full) {
    let photos = full.photos(COMPARED);
    let all: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let (mut same, mut all_same, mut in_order) = (0, 0, 0);
    let (mut worst, mut spread) = (0f32, Vec::new());
    for batch in all.chunks(50) {
        let found = best(&full.bank, &Rows::All, batch, K, 2).expect("it scans");
        for (photo, found) in batch.iter().zip(found) {
            let scores = rivals::scalar(&full.floats, photo);
            let mut order: Vec<u32> = (0..ROWS as u32).collect();
            let by_score = |a: &u32, b: &u32| {
                scores[*b as usize]
                    .total_cmp(&scores[*a as usize])
                    .then(a.cmp(b))
            };
            order.select_nth_unstable_by(K, by_score);
            order.truncate(K);
            order.sort_unstable_by(by_score);
            let rows: Vec<u32> = found.iter().map(|hit: &Hit| hit.row).collect();
            let wanted: HashSet<u32> = order.iter().copied().collect();
            let common = rows.iter().filter(|row| wanted.contains(row)).count();
            same += common;
            all_same += usize::from(common == K);
            in_order += usize::from(rows == order);
            for hit in &found {
                worst = worst.max((hit.cosine - scores[hit.row as usize]).abs());
            }
            spread.push((found[0].cosine, found[K - 1].cosine));
        }
    }
    let share = |n: usize, of: usize| 100.0 * n as f64 / of as f64;
    let mean =
        |pick: fn(&(f32, f32)) -> f32| spread.iter().map(pick).sum::<f32>() / spread.len() as f32;
    println!(
        "{K} best of {COMPARED} photos beside scalar f32: {:.2} % of tags the same [≥ 99]; all {K} the same {:.1} %, also in order {:.1} %",
        share(same, COMPARED * K),
        share(all_same, COMPARED),
        share(in_order, COMPARED)
    );
    println!(
        "  cosines off by at most {worst:.1e}; the best are about {:.3}, the 15th {:.3}",
        mean(|s| s.0),
        mean(|s| s.1)
    );
}

fn file(full: &Full) {
    let path = full.bank.path();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(TermBank::open(path, &identity()).expect("it opens"));
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "open a full bank: {:.2} ms, at most {:.2} [≤ 20]",
        times[ROUNDS / 2],
        times[ROUNDS - 1]
    );
    let before = Resident::now();
    let (bank, heap) = peak_heap(|| TermBank::open(path, &identity()).expect("it opens"));
    let opened = Resident::now();
    let photo = full.photos(1).remove(0);
    let (_, scan_heap) = peak_heap(|| best(&bank, &Rows::All, &[&photo], K, 1).expect("it scans"));
    let scanned = Resident::now();
    println!(
        "  heap while opening: at most {} KB; while scoring one photo {} KB",
        heap >> 10,
        scan_heap >> 10
    );
    if let (Some(before), Some(opened), Some(scanned)) = (before, opened, scanned) {
        println!(
            "  resident, opened: {:+} KB anonymous, {:+} KB of files; scored: {:+} KB anonymous, {:+} KB of files",
            opened.anonymous - before.anonymous,
            opened.file - before.file,
            scanned.anonymous - opened.anonymous,
            scanned.file - opened.file
        );
    }
    let start = Instant::now();
    bank.verify(&AtomicBool::new(false)).expect("it is sound");
    println!("verify: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(bank);
    append(full);
}

/// A bank that is half there, and one chunk more.
fn append(full: &Full) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut writer, bank, _) =
        BankWriter::open(&dir.path().join("grows.bank"), &identity()).expect("it opens");
    let chunk = CHUNK * DIMS;
    for rows in full.floats.chunks(chunk).take(7) {
        writer.append(rows).expect("it writes");
    }
    let (before, mapped) = (Resident::now(), bank.raw().as_ptr());
    let start = Instant::now();
    let (_, heap) = peak_heap(|| {
        writer
            .append(&full.floats[7 * chunk..8 * chunk])
            .expect("it writes")
    });
    let took = start.elapsed().as_secs_f64() * 1e3;
    let after = Resident::now();
    assert_eq!(
        (bank.len(), bank.raw().as_ptr()),
        (8 * CHUNK, mapped),
        "seen where it was mapped"
    );
    println!(
        "append and publish 5,000 rows to 35,000: {took:.0} ms; heap at most {} KB more",
        heap >> 10
    );
    if let (Some(before), Some(after)) = (before, after) {
        println!(
            "  resident: {:+} KB anonymous, {:+} KB of files",
            after.anonymous - before.anonymous,
            after.file - before.file
        );
    }
}
