//! Setting all photos of an index against a bank: by the program, and in this process, step by step.

use std::path::Path;
use std::time::{Duration, Instant};

use half::f16;
use photond::embedding::{ModelId, Tag};
use photond::store::{LabelBatch, Labelled, Labelling, Store, StoreReader, TagRow};
use photond::tag::{Hit, Lexicon, Rows, TermBank, best};

use super::Run;
use crate::measure::photond;

/// Photos at once, as many as photond takes.
pub const PAGE: usize = 256;
/// Tags of a photo.
pub const TAGS: usize = 15;

/// Where the time went.
#[derive(Default)]
pub struct Steps {
    pub photos: usize,
    pub tags: usize,
    pub reading: Duration,
    pub scoring: Duration,
    pub writing: Duration,
}

impl Steps {
    pub fn seconds(&self) -> f64 {
        (self.reading + self.scoring + self.writing).as_secs_f64()
    }
}

/// Reads all vectors of a model page by page, sets them against the bank, and writes the nearest 15
/// terms of each as its tags.
pub fn all(
    data: &Path,
    model: &ModelId,
    bank: &TermBank,
    lexicon: &Lexicon,
    threads: usize,
) -> Steps {
    let reader = StoreReader::open(data).expect("an index");
    let (mut store, _) = Store::open(data).expect("an index");
    let row = reader.model(model).expect("readable");
    let model = row.expect("the model is there").id;
    let mut steps = Steps::default();
    let mut after = 0;
    loop {
        let start = Instant::now();
        let page = page(&reader, model, after, PAGE);
        steps.reading += start.elapsed();
        let Some((last, _, _)) = page.last() else {
            return steps;
        };
        after = *last;
        let start = Instant::now();
        let vectors: Vec<&[f32]> = page.iter().map(|(_, _, v)| v.as_slice()).collect();
        let hits = best(bank, &Rows::All, &vectors, TAGS, threads).expect("it scans");
        steps.scoring += start.elapsed();
        let start = Instant::now();
        let photos: Vec<Labelled> = page
            .iter()
            .zip(hits)
            .map(|((_, photo, _), hits)| Labelled {
                photo: *photo,
                tags: Some(hits.iter().map(|hit| tag(lexicon, hit)).collect()),
                own: None,
            })
            .collect();
        steps.photos += photos.len();
        steps.tags += photos.len() * TAGS;
        store
            .label(&LabelBatch {
                model,
                bank: "bench".to_owned(),
                photos,
                mark: Labelling {
                    scheme: "bench".to_owned(),
                    done: after,
                    ..Labelling::default()
                },
                ..LabelBatch::default()
            })
            .expect("writable");
        steps.writing += start.elapsed();
    }
}

/// Tags all photos of an index again by the program. The last one's tags are taken away before, so
/// that a run that ends too early is noticed.
pub fn retag(data: &Path, name: &ModelId) -> Run {
    let reader = StoreReader::open(data).expect("an index");
    let row = reader.model(name).expect("readable");
    let model = row.expect("the model is there").id;
    let newest = reader.newest_seq(model).expect("readable");
    let (_, last, _) = page(&reader, model, newest - 1, 1).remove(0);
    if let Some(mark) = reader.labelling(model).expect("readable") {
        let (mut store, _) = Store::open(data).expect("an index");
        let bare = Labelled {
            photo: last,
            tags: Some(Vec::new()),
            own: None,
        };
        store
            .label(&LabelBatch {
                model,
                bank: "bench".to_owned(),
                photos: vec![bare],
                mark,
                ..LabelBatch::default()
            })
            .expect("writable");
    }
    assert!(tags(&reader, last, name).is_empty(), "they were taken away");
    let run = Run::of(&mut photond(data, &["retag", "-q"]));
    assert!(
        !tags(&reader, last, name).is_empty(),
        "`photond retag` has ended before the last photo had its tags, after {:?}",
        run.took
    );
    run
}

/// The tags of a photo that come from a model.
pub fn tags(reader: &StoreReader, photo: i64, model: &ModelId) -> Vec<TagRow> {
    let mut tags = reader.tags_of(photo, 0.0).expect("readable");
    tags.retain(|tag| tag.model.as_deref() == Some(model.0.as_str()));
    tags
}

/// All photos with a vector that was written after a number, in that order.
pub fn photos(reader: &StoreReader, model: i64, after: i64) -> Vec<i64> {
    let mut photos = Vec::new();
    reader
        .embeddings_since(model, after, usize::MAX >> 1, &mut |_, photo, _| {
            photos.push(photo);
        })
        .expect("readable");
    photos
}

/// Up to `limit` vectors after a number: their own numbers, photos, values.
pub fn page(
    reader: &StoreReader,
    model: i64,
    after: i64,
    limit: usize,
) -> Vec<(i64, i64, Vec<f32>)> {
    let mut page = Vec::with_capacity(limit);
    reader
        .embeddings_since(model, after, limit, &mut |seq, photo, bytes| {
            let values = bytes
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect();
            page.push((seq, photo, values));
        })
        .expect("readable");
    page
}

/// Rows that the lexicon has no term for are called by their number.
fn tag(lexicon: &Lexicon, hit: &Hit) -> Tag {
    let row = hit.row as usize;
    let (term, name) = if row < lexicon.len() {
        let term = lexicon.term(row);
        (term.key.to_owned(), term.name.to_owned())
    } else {
        (format!("bench.{row}"), format!("term {row}"))
    };
    Tag {
        term,
        name,
        confidence: hit.cosine.midpoint(1.0),
    }
}
