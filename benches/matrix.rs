//! One scan for label banks and search vectors, beside its limits: reading the same bytes once, and
//! what ndarray and a scalar loop take. All of them in turns, since absolute times on shared machines
//! lie.
//!
//! A bank of 68,000 terms × 768 (104 MB), in pieces as the daemon makes them; then a million photos ×
//! 768 (1.6 GB in the temporary directory), left out where disk or memory are too small, or with
//! `PHOTOND_BENCH_SMALL=1`.

#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use memmap2::Mmap;
use photond::matrix::{Matrix, MatrixWriter, Piece, Scan};
use photond::tag::{Bank, Lexicon, Sigmoid};

const DIMS: usize = 768;
const TERMS: usize = 68_000;
/// Rows of a vocabulary's piece.
const PIECE: usize = 512;
/// Nearest terms looked at of a photo.
const K: usize = 64;
const ROUNDS: usize = 15;
const IDENTITY: [u8; 32] = [7; 32];

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    println!("== {TERMS} terms × {DIMS}, medians of {ROUNDS} rounds in turns");
    bank(dir.path());
    if std::env::var_os("PHOTOND_BENCH_SMALL").is_none() && has_room(dir.path()) {
        println!("\n== 1,000,000 photos × {DIMS}");
        million(dir.path());
    }
}

/// A vector near one of 1,000 centres, as photos' and terms' vectors are; its direction depends on
/// `seed` alone.
fn vector(seed: u64) -> Vec<f32> {
    let random = |seed: u64| {
        let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        }
    };
    let (mut centre, mut own) = (random(u64::MAX / 2 + seed % 1000), random(seed));
    (0..DIMS).map(|_| centre() + 0.7 * own()).collect()
}

/// Writes rows as pieces of so many.
fn write(dir: &Path, rows: usize, piece: usize, row: &dyn Fn(u64) -> Vec<f32>) -> Vec<PathBuf> {
    (0..rows)
        .step_by(piece)
        .map(|from| {
            let path = dir.join(format!("{rows}-{from:07}.mx"));
            let to = (from + piece).min(rows);
            let mut writer = MatrixWriter::begin(&path, &IDENTITY, DIMS).expect("it begins");
            for id in from..to {
                writer.push(id as i64, &row(id as u64)).expect("it writes");
            }
            writer
                .finish((from as i64, to as i64))
                .expect("it is there");
            path
        })
        .collect()
}

fn open(paths: &[PathBuf]) -> Vec<Matrix> {
    let open = |path: &PathBuf| Matrix::open(path, &IDENTITY, DIMS).expect("it opens");
    paths.iter().map(open).collect()
}

/// The limit that memory sets: every byte of the files once, as fast as a loop of sums does.
fn read_once(maps: &[Mmap], threads: usize) -> u64 {
    let read = |map: &Mmap| {
        let mut sums = [0u64; 16];
        // SAFETY: eight bytes are a `u64`; what is not aligned to it is left out.
        let (_, words, _) = unsafe { black_box(&map[..]).align_to::<u64>() };
        for words in words.as_chunks::<16>().0 {
            for (sum, word) in sums.iter_mut().zip(words) {
                *sum = sum.wrapping_add(*word);
            }
        }
        sums.iter().fold(0u64, |a, b| a.wrapping_add(*b))
    };
    std::thread::scope(|scope| {
        let share = maps.len().div_ceil(threads);
        let parts: Vec<_> = maps
            .chunks(share)
            .map(|maps| scope.spawn(move || maps.iter().map(read).fold(0, u64::wrapping_add)))
            .collect();
        let sums = parts.into_iter().map(|part| part.join().expect("no panic"));
        sums.fold(0, u64::wrapping_add)
    })
}

struct Contender<'a> {
    name: &'static str,
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

/// Runs all in turns and prints them; the answer gives the milliseconds a photo of one of them.
fn in_turns(mut contenders: Vec<Contender<'_>>) -> impl Fn(&str) -> f64 {
    for round in 0..=ROUNDS {
        for one in &mut contenders {
            let start = Instant::now();
            (one.run)();
            let took = start.elapsed().as_secs_f64() * 1e3 / one.photos;
            // The first round warms up.
            if round > 0 {
                one.times.push(took);
            }
        }
    }
    let mut medians = Vec::new();
    for one in &mut contenders {
        one.times.sort_by(f64::total_cmp);
        let middle = one.times[ROUNDS / 2];
        let (name, least, most) = (one.name, one.times[0], one.times[ROUNDS - 1]);
        println!("  {name:46} {middle:8.3} ms a photo   ({least:.3} to {most:.3})");
        medians.push((name, middle));
    }
    move |name| {
        let found = medians.iter().find(|(other, _)| *other == name);
        found.expect("a contender of this name").1
    }
}

fn scan(pieces: &[Matrix], photos: &[Vec<f32>], threads: usize) -> Vec<Vec<u32>> {
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let pieces: Vec<Piece<'_>> = pieces.iter().map(Piece::from).collect();
    let scan = Scan::new(&photos, DIMS).expect("directions");
    let found = scan.with_threads(threads).best(&pieces, &|_| true, K);
    let of_photo = |best: Vec<photond::matrix::Scored>| best.iter().map(|s| s.id as u32).collect();
    let found = found.expect("it scans").result;
    found.into_iter().map(of_photo).collect()
}

fn maps(paths: &[PathBuf]) -> Vec<Mmap> {
    let map = |path: &PathBuf| {
        let file = File::open(path).expect("it is there");
        // SAFETY: nobody writes to it.
        unsafe { Mmap::map(&file) }.expect("it maps")
    };
    paths.iter().map(map).collect()
}

fn bank(dir: &Path) {
    let paths = write(dir, TERMS, PIECE, &vector);
    let (pieces, maps) = (open(&paths), maps(&paths));
    let floats: Vec<f32> = (0..TERMS as u64)
        .flat_map(|id| {
            let row = vector(id);
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.into_iter().map(move |v| v / length)
        })
        .collect();
    let matrix = ndarray::ArrayView2::from_shape((TERMS, DIMS), &floats).expect("whole rows");
    let photos: Vec<Vec<f32>> = (0..64).map(|n| vector(1 << 40 | n)).collect();
    let eight = photos[..8].concat();
    let eight = ndarray::ArrayView2::from_shape((8, DIMS), &eight).expect("whole rows");
    let (pieces, photos) = (&pieces, &photos);
    let ours = |count: usize, threads: usize| move || scan(pieces, &photos[..count], threads);
    let two_thousand = |count: usize| {
        let list: HashSet<i64> = (0..2000).map(|n| n * 34).collect();
        let pieces: Vec<Piece<'_>> = pieces.iter().map(Piece::from).collect();
        move || {
            for photo in &photos[..count] {
                let scan = Scan::new(&[photo], DIMS)
                    .expect("a direction")
                    .with_threads(1);
                let best = scan.best(&pieces, &|id| list.contains(&id), K);
                black_box(best.expect("it scans"));
            }
        }
    };
    let ms = in_turns(vec![
        contender("bytes read once, 1 thread", 1, || read_once(&maps, 1)),
        contender("photond, 1 thread", 1, ours(1, 1)),
        contender("bytes read once, 2 threads", 1, || read_once(&maps, 2)),
        contender("photond, 2 threads", 1, ours(1, 2)),
        contender("scalar f32, scores only", 1, || {
            let photo = &photos[0];
            let row = |row: &[f32]| row.iter().zip(photo).map(|(a, b)| a * b).sum();
            black_box(&floats)
                .chunks_exact(DIMS)
                .map(row)
                .collect::<Vec<f32>>()
        }),
        contender("ndarray f32, scores only", 1, || {
            black_box(&matrix).dot(&ndarray::ArrayView1::from(&photos[0][..]))
        }),
        contender("ndarray f32, 8 photos as a matrix product", 8, || {
            black_box(&matrix).dot(&eight.t())
        }),
        contender("photond, 8 photos, 1 thread", 8, ours(8, 1)),
        contender("photond, 64 photos, 2 threads", 64, ours(64, 2)),
        contender(
            "photond, a pool of 2,000, photo after photo",
            32,
            two_thousand(32),
        ),
    ]);
    let one = ms("photond, 1 thread");
    let batch = ms("photond, 8 photos, 1 thread");
    let (array, product) = (
        ms("ndarray f32, scores only"),
        ms("ndarray f32, 8 photos as a matrix product"),
    );
    println!("ratios (wanted in brackets):");
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
        ("ndarray f32 : one photo", array / one, ""),
        ("ndarray f32 : 8 photos, each", array / batch, "≥ 6"),
        (
            "ndarray f32, 8 as a matrix : 8 photos, each",
            product / batch,
            "",
        ),
        (
            "all rows : a pool of 2,000",
            one / ms("photond, a pool of 2,000, photo after photo"),
            "",
        ),
    ] {
        println!("  {what:46} {ratio:6.2}   [{wanted}]");
    }
    println!(
        "  10,000 stored photos, 2 threads, 64 at a time: {:.1} s   [≤ 30]",
        ms("photond, 64 photos, 2 threads") * 10.0
    );
    exactness(pieces, &floats);
    files(&paths);
}

/// How many of the 15 best by f32 rows are the 15 best of the bank.
fn exactness(pieces: &[Matrix], floats: &[f32]) {
    const BEST: usize = 15;
    let photos: Vec<Vec<f32>> = (0..200).map(|n| vector(1 << 41 | n)).collect();
    let found = scan(pieces, &photos, 2);
    let mut same = 0;
    for (photo, found) in photos.iter().zip(found) {
        let dot = |row: &[f32]| -> f32 { row.iter().zip(photo).map(|(a, b)| a * b).sum() };
        let scores: Vec<f32> = floats.chunks_exact(DIMS).map(dot).collect();
        let mut order: Vec<u32> = (0..TERMS as u32).collect();
        order.sort_unstable_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
        same += order[..BEST]
            .iter()
            .filter(|id| found[..BEST].contains(id))
            .count();
    }
    let share = 100.0 * same as f64 / (photos.len() * BEST) as f64;
    println!(
        "{BEST} best of {} photos beside f32: {share:.2} % the same [≥ 99]",
        photos.len()
    );
}

fn files(paths: &[PathBuf]) {
    let median = |run: &dyn Fn()| {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                run();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let all = median(&|| drop(black_box(open(paths))));
    let check = median(&|| {
        for piece in open(paths) {
            piece.verify(&AtomicBool::new(false)).expect("it is sound");
        }
    });
    println!(
        "open all {} pieces: {all:.2} ms [≤ 5]; and check every byte: {check:.0} ms",
        paths.len()
    );
    let lexicon = Arc::new(Lexicon::built_in().expect("the lexicon"));
    let mut pieces: Vec<Arc<Matrix>> = open(paths).into_iter().map(Arc::new).collect();
    let (last, sigmoid) = (
        pieces.pop().expect("pieces"),
        Sigmoid {
            scale: 1.0,
            bias: 0.0,
        },
    );
    let before = Bank::new(pieces.clone(), Arc::clone(&lexicon), sigmoid, TERMS);
    let start = Instant::now();
    pieces.push(last);
    let after = Bank::new(pieces.clone(), lexicon, sigmoid, TERMS);
    println!(
        "publish one piece more: {:.1} µs",
        start.elapsed().as_secs_f64() * 1e6
    );
    // The pieces themselves are shared, not copied.
    assert!(
        pieces[..pieces.len() - 1]
            .iter()
            .all(|piece| Arc::strong_count(piece) == 3)
    );
    drop((before, after));
}

fn million(dir: &Path) {
    const ROWS: usize = 1_000_000;
    let kinds: Vec<Vec<f32>> = (0..1000).map(vector).collect();
    let paths = write(dir, ROWS, ROWS / 8, &|id| {
        kinds[id as usize % kinds.len()].clone()
    });
    let (pieces, maps) = (open(&paths), maps(&paths));
    let query = [vector(u64::MAX / 3)];
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let ms = in_turns(vec![
        contender("bytes read once", 1, || read_once(&maps, threads)),
        contender("photond", 1, || scan(&pieces, &query, threads)),
        contender("photond, opened for it (a one-shot query)", 1, || {
            scan(&open(&paths), &query, threads)
        }),
    ]);
    let read = ms("bytes read once");
    println!("ratios, {threads} threads (wanted in brackets):");
    println!(
        "  {:46} {:6.2}   [≤ 2]",
        "photond : bytes read once",
        ms("photond") / read
    );
    println!(
        "  {:46} {:6.2}   []",
        "opened for it, every byte checked : read once",
        ms("photond, opened for it (a one-shot query)") / read
    );
}

/// 4 GB free on the disk and 3 GB in memory, so that the file stays in the page cache.
fn has_room(dir: &Path) -> bool {
    let disk = rustix::fs::statvfs(dir).is_ok_and(|s| s.f_bavail * s.f_frsize > 4 << 30);
    let memory = std::fs::read_to_string("/proc/meminfo").is_ok_and(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .is_some_and(|kb| kb > 3 << 20)
    });
    disk && memory
}
