//! 10,000 stored photos against 68,000 terms of 768 values, beside what memory allows and beside a
//! plain program.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use photond::embedding::ModelId;
use photond::store::StoreReader;
use photond::tag::{BankIdentity, Lexicon, Rows, TermBank, best};

use super::steps::{self, PAGE, TAGS};
use super::{megabytes, percent, resident, threads};
use crate::library::{self, SYNTHETIC, clustered};
use crate::measure::median;

/// Terms of a whole vocabulary.
pub const TERMS: usize = 68_000;
/// Values of a vector, those of SigLIP base.
pub const DIMS: usize = library::DIMS;
/// Photos that the plain program does.
const PLAIN: usize = 100;
/// Vectors of terms come from other seeds than those of photos, around the same centres.
const SEEDS: u64 = 1 << 32;
/// Photos that a pass over the bank is to be shared by.
const SHARED: usize = 64;

/// `data` has a library with vectors of [`SYNTHETIC`].
pub fn run(data: &Path) {
    let threads = threads();
    let floats = rows();
    let identity = BankIdentity {
        model: SYNTHETIC.to_owned(),
        texts: "{}".to_owned(),
        vocabulary: "bench".to_owned(),
        tokenizer: "bench".to_owned(),
        dims: DIMS,
        rows: TERMS,
    };
    let bank = TermBank::in_memory(&identity, &floats).expect("sound rows");
    let lexicon = Lexicon::built_in().expect("the lexicon");
    let id = ModelId(SYNTHETIC.to_owned());
    let done = steps::all(data, &id, &bank, &lexicon, threads);
    assert!(done.photos > 0, "there are vectors of {SYNTHETIC}");
    println!(
        "{} photos × {TERMS} terms × {DIMS}, {PAGE} at a time, {threads} threads: {:.1} s (wanted: 30): vectors read {:.2} s, scored {:.2} s, {} tags written {:.2} s",
        done.photos,
        done.seconds(),
        done.reading.as_secs_f64(),
        done.scoring.as_secs_f64(),
        done.tags,
        done.writing.as_secs_f64()
    );
    let again = steps::all(data, &id, &bank, &lexicon, threads);
    println!(
        "  all tags once more: {:.1} s: read {:.2} s, scored {:.2} s, written {:.2} s",
        again.seconds(),
        again.reading.as_secs_f64(),
        again.scoring.as_secs_f64(),
        again.writing.as_secs_f64()
    );
    let once = read_once(bank.raw(), threads);
    let passes = |page: usize| done.photos.div_ceil(page) as f64;
    println!(
        "  beside it, the bank's {:.0} MB read from memory and nothing done with them: {:.1} ms, once for each {SHARED} photos {:.2} s, once for each {PAGE} {:.2} s",
        bank.raw().len() as f64 * 2.0 / 1e6,
        once * 1e3,
        once * passes(SHARED),
        once * passes(PAGE)
    );
    let reader = StoreReader::open(data).expect("an index");
    let row = reader.model(&id).expect("readable");
    let model = row.expect("the model is there").id;
    let photos: Vec<Vec<f32>> = steps::page(&reader, model, 0, PLAIN)
        .into_iter()
        .map(|(_, _, values)| values)
        .collect();
    let start = Instant::now();
    let plainly = plain(&floats, &photos, threads);
    let scaled = start.elapsed().as_secs_f64() * done.photos as f64 / photos.len() as f64;
    println!(
        "  beside it, f32 in a loop and all {TERMS} sorted, {threads} threads: {scaled:.0} s ({} photos, scaled), {:.0} times as long as {:.2} s",
        photos.len(),
        scaled / done.scoring.as_secs_f64(),
        done.scoring.as_secs_f64()
    );
    let vectors: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let ours = best(&bank, &Rows::All, &vectors, TAGS, threads).expect("it scans");
    let same: usize = ours
        .iter()
        .zip(&plainly)
        .map(|(ours, plainly)| ours.iter().filter(|hit| plainly.contains(&hit.row)).count())
        .sum();
    println!(
        "  {:.2} % of the best {TAGS} are the same by f32 (wanted: 99 %); peak of this process, with the rows in f32 and what ran before: {}",
        percent(same, plainly.iter().map(Vec::len).sum()),
        megabytes(resident(Path::new("/proc/self/status")))
    );
}

/// All rows in f32, each of length one.
fn rows() -> Vec<f32> {
    let mut rows = Vec::with_capacity(TERMS * DIMS);
    for row in 0..TERMS as u64 {
        let vector = clustered(SEEDS + row, DIMS);
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        rows.extend(vector.iter().map(|v| v / length));
    }
    rows
}

/// Seconds to read every byte once, by several threads.
fn read_once(bits: &[u16], threads: usize) -> f64 {
    let part = bits.len().div_ceil(threads);
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for part in black_box(bits).chunks(part) {
                    scope.spawn(move || {
                        black_box(part.iter().fold(0u16, |a, b| a.wrapping_add(*b)));
                    });
                }
            });
            start.elapsed().as_secs_f64()
        })
        .collect();
    median(&mut times)
}

/// The rows of the best of each photo: one product after the other, everything sorted.
fn plain(floats: &[f32], photos: &[Vec<f32>], threads: usize) -> Vec<Vec<u32>> {
    let of = |photo: &Vec<f32>| {
        let mut scores: Vec<(f32, u32)> = floats
            .chunks_exact(DIMS)
            .zip(0u32..)
            .map(|(row, number)| (row.iter().zip(photo).map(|(a, b)| a * b).sum(), number))
            .collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        scores.iter().take(TAGS).map(|(_, row)| *row).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = photos
            .chunks(photos.len().div_ceil(threads))
            .map(|part| scope.spawn(move || part.iter().map(of).collect::<Vec<Vec<u32>>>()))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().expect("no panic"))
            .collect()
    })
}
