//! `photond retag` over a library whose photos are out of reach, beside its parts and beside opening
//! the photos.

use std::path::Path;
use std::time::Instant;

use photond::media::{Inspector, Limits};
use photond::model::default_pack;
use photond::store::StoreReader;
use photond::tag::Lexicon;

use super::{Encoded, PHOTOS, megabytes, scale, steps, threads};
use crate::measure::{median, ms};
use crate::photos::{jpeg, synthetic};

const RUNS: usize = 3;

/// `data` has a library whose vectors have not been set against any term.
pub fn run(data: &Path, bank: &Encoded) {
    bank.put(data);
    let roots = StoreReader::open(data).and_then(|reader| reader.roots());
    for root in roots.expect("readable") {
        assert!(!root.path.exists(), "{} is there", root.path.display());
    }
    let (terms, dims) = {
        let bank = bank.open();
        (bank.len(), bank.dims())
    };
    let first = steps::retag(data, &bank.model);
    let tags = stored(data, bank);
    println!(
        "first `photond retag`, {PHOTOS} × {terms} terms × {dims}: {:.1} s, {tags} tags, peak {}",
        first.took.as_secs_f64(),
        megabytes(first.peak_kb)
    );
    let mut seconds = Vec::new();
    let mut peak = None;
    for _ in 0..RUNS {
        let again = steps::retag(data, &bank.model);
        seconds.push(again.took.as_secs_f64());
        peak = peak.max(again.peak_kb);
    }
    let middle = median(&mut seconds);
    let smaller = (scale::TERMS * scale::DIMS) as f64 / (terms * dims) as f64;
    println!(
        "again: median {middle:.1} s of {RUNS} ({:.0} photos/s), most {:.1} s, {} tags, peak {} (wanted: 30 s for {} × {}, which is {smaller:.1} times as much to multiply; that is below)",
        PHOTOS as f64 / middle,
        seconds[RUNS - 1],
        stored(data, bank),
        megabytes(peak),
        scale::TERMS,
        scale::DIMS
    );
    let lexicon = Lexicon::built_in().expect("the lexicon");
    let parts = steps::all(data, &bank.model, &bank.open(), &lexicon, threads());
    println!(
        "  beside it, in this process and without judging: vectors read {:.2} s, scored {:.2} s, {} tags a photo written {:.2} s",
        parts.reading.as_secs_f64(),
        parts.scoring.as_secs_f64(),
        steps::TAGS,
        parts.writing.as_secs_f64()
    );
    let opening = opening();
    println!(
        "  beside it, opening the photos: {:.0} s to decode {PHOTOS} of 12 MP with {} threads ({opening:.0} ms each), before any model has seen them",
        opening / 1e3 * PHOTOS as f64 / threads() as f64,
        threads()
    );
}

/// Tags of the search model that are there.
fn stored(data: &Path, bank: &Encoded) -> usize {
    let reader = StoreReader::open(data).expect("an index");
    let row = reader.model(&bank.model).expect("readable");
    let model = row.expect("the model is there").id;
    steps::photos(&reader, model, 0)
        .into_iter()
        .map(|photo| steps::tags(&reader, photo, &bank.model).len())
        .sum()
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
