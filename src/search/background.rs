//! What a random query scores in this library: the background that real scores are set against.
//!
//! A few hundred everyday phrases stand for random sentences, a few hundred of the library's own
//! photos for random examples: in a space with a graph of its own photos are far closer to each
//! other than to any sentence, so each kind of query has a background of its own. The phrases'
//! vectors are made once a model, how they and the photos score once whenever the library has grown
//! or shrunk by a tenth; it all lies beside the vectors, is derived, and is made again when it is
//! missing or of something else.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::SearchError;
use super::example::Examples;
use super::vectors::{VectorIndex, Vectors};
use crate::embedding::ModelId;
use crate::matrix::{self, Matrix, MatrixWriter, Scan};
use crate::model::ModelPack;
use crate::photo::hex;
use crate::safe_file;

/// Short phrases of broad variety, one a line.
const PHRASES: &str = include_str!("../../models/background-phrases.txt");
/// Of the phrases, one in so many must do where their vectors cannot be kept for the next query.
const FEWER: usize = 8;
/// Photos that are looked at, at most about: the spread of a sample is that of the whole.
const SAMPLE: u64 = 8192;
/// Of them, about so many stand for random examples.
const EXAMPLES: u64 = 256;
/// A library that has changed by less than one photo in so many has the same background.
const DRIFT: u64 = 10;
/// How it is taken; another number makes kept ones void.
const VERSION: u32 = 2;
/// Bytes of a text model's graph that one thread works through in a second: a model of 0.44 GB
/// takes 17 s for 256 phrases on two.
const BYTES_PER_SECOND: f64 = 3.3e9;

/// How random queries score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Background {
    /// Photos in the library when it was taken.
    pub photos: u64,
    /// Sentences, where the model reads any and they were asked for.
    pub phrases: Option<Against>,
    /// Other photos, where the model has a graph of its own and there are two or more.
    pub pictures: Option<Against>,
}

/// How one kind of query scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// Middle one of the best scores: what half of all random queries find here.
    pub median_best: f32,
    /// Mean cosine of a query and a photo.
    pub mean: f32,
    /// Standard deviation of those cosines.
    pub deviation: f32,
}

/// What a query needs of a background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// How sentences score: the text model must be at hand.
    pub phrases: bool,
    /// How photos score against each other.
    pub pictures: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    model: String,
    database: String,
    phrases: String,
    background: Background,
}

/// Whose background it is.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    /// The model.
    pub model: &'a ModelId,
    /// The database.
    pub identity: [u8; 16],
    /// Its vectors, which the background lies beside.
    pub index: &'a VectorIndex<'a>,
}

impl Of<'_> {
    /// The kept one, if it is of a library like this one.
    fn kept(&self, photos: u64) -> Option<Background> {
        let bytes = std::fs::read(self.path()).ok()?;
        let stored = serde_json::from_slice::<Stored>(&bytes).ok()?;
        let fits = stored.version == VERSION
            && stored.model == self.model.0
            && stored.database == hex(&self.identity)
            && stored.phrases == phrases_hash()
            && stored.background.photos.abs_diff(photos) * DRIFT <= photos;
        fits.then_some(stored.background)
    }

    fn keep(&self, background: Background) {
        let stored = Stored {
            version: VERSION,
            model: self.model.0.clone(),
            database: hex(&self.identity),
            phrases: phrases_hash(),
            background,
        };
        let text = serde_json::to_vec(&stored).unwrap_or_default();
        if let Err(e) = safe_file::write(&self.path(), &text) {
            tracing::debug!("{}: {e}", self.path().display());
        }
    }

    fn path(&self) -> PathBuf {
        self.index.dir().join("background.json")
    }
}

fn phrases_hash() -> String {
    hex(blake3::hash(PHRASES.as_bytes()).as_bytes())
}

impl Background {
    /// Of the photos in `vectors`, with all that is needed that can be had; taken from beside the
    /// vectors where that still fits.
    ///
    /// # Errors
    /// The scan, a stop, or the database.
    pub fn of(
        of: Of<'_>,
        needed: Needed,
        vectors: &Vectors,
        examples: &mut Examples<'_>,
        dims: usize,
    ) -> Result<Self, SearchError> {
        let photos = vectors.most() as u64;
        let kept = of.kept(photos);
        let mut background = kept.unwrap_or(Self {
            photos,
            phrases: None,
            pictures: None,
        });
        let sample = photos.div_ceil(SAMPLE);
        if needed.phrases && background.phrases.is_none() {
            match phrase_vectors(of, dims, examples) {
                Ok(phrases) => {
                    let spread = spread(of.index, vectors, &phrases, &[], sample, dims)?;
                    background.phrases = Some(summary(&spread));
                }
                Err(SearchError::Stopped) => return Err(SearchError::Stopped),
                // Examples go without sentences.
                Err(e) => tracing::debug!("background: {e}"),
            }
        }
        if needed.pictures && background.pictures.is_none() {
            background.pictures = pictures(of.index, photos, vectors, dims)?;
        }
        if kept != Some(background) {
            of.keep(background);
        }
        Ok(background)
    }

    /// About how long it takes to make the phrases' vectors, if that is yet to be done before a
    /// sentence can be judged.
    pub fn phrases_take(of: Of<'_>, pack: &ModelPack) -> Option<Duration> {
        let text = pack.text_side().ok()?;
        if kept_phrases(of, pack.dims).is_some() {
            return None;
        }
        // The graph, and what lies beside it of its weights.
        let graph = text.file.trim_end_matches(".onnx");
        let bytes: u64 = pack
            .files()
            .filter(|(name, _)| name.starts_with(graph))
            .map(|(_, size)| size)
            .sum();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let seconds = bytes as f64 * phrases(true).len() as f64 / BYTES_PER_SECOND / threads as f64;
        Some(Duration::from_secs_f64(seconds))
    }
}

/// How the scores of one query are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    photos: u64,
    sum: f64,
    squares: f64,
    highest: f32,
}

impl Spread {
    const NONE: Self = Self {
        photos: 0,
        sum: 0.0,
        squares: 0.0,
        highest: f32::NEG_INFINITY,
    };

    fn add(&mut self, score: f32) {
        self.photos += 1;
        self.sum += f64::from(score);
        self.squares += f64::from(score).powi(2);
        self.highest = self.highest.max(score);
    }

    fn mean(&self) -> f64 {
        self.sum / self.photos.max(1) as f64
    }

    fn variance(&self) -> f64 {
        let n = self.photos.max(1) as f64;
        (self.squares / n - self.mean().powi(2)).max(0.0)
    }
}

/// Whether a photo is in the sample of one in `every`: by its id, mixed (Fibonacci hashing), so that
/// it does not matter where its row lies.
fn is_sampled(photo: i64, every: u64) -> bool {
    let mixed = photo.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    every <= 1 || mixed.is_multiple_of(every)
}

/// How each query scores over about one photo in `every`. A query that is the vector of a photo of
/// `own`, in their order, is not compared with itself. One thread, so that sums come out the same.
fn spread(
    index: &VectorIndex<'_>,
    vectors: &Vectors,
    queries: &[Vec<f32>],
    own: &[i64],
    every: u64,
    dims: usize,
) -> Result<Vec<Spread>, SearchError> {
    let slices: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let scan = Scan::new(&slices, dims)?.with_threads(1);
    let mut spreads = vec![Spread::NONE; queries.len()];
    vectors.visit(index, &mut |pieces| -> Result<(), SearchError> {
        let found = scan.all(
            pieces,
            &|photo| is_sampled(photo, every),
            &Vec::new,
            &|rows: &mut Vec<(i64, Vec<f32>)>, photo, scores| rows.push((photo, scores.to_vec())),
        )?;
        for (photo, scores) in found.result.into_iter().flatten() {
            for (at, score) in scores.into_iter().enumerate() {
                if own.get(at) != Some(&photo) {
                    spreads[at].add(score);
                }
            }
        }
        Ok(())
    })?;
    Ok(spreads)
}

/// How photos of the library, chosen by their ids, score against the others.
fn pictures(
    index: &VectorIndex<'_>,
    photos: u64,
    vectors: &Vectors,
    dims: usize,
) -> Result<Option<Against>, SearchError> {
    let every = photos.div_ceil(EXAMPLES);
    let (mut own, mut chosen) = (Vec::new(), Vec::new());
    for piece in vectors.pieces() {
        for at in (0..piece.len()).filter(|at| is_sampled(piece.id(*at), every)) {
            own.push(piece.id(at));
            chosen.push(piece.row(at).iter().map(|v| v.to_f32()).collect());
        }
    }
    let sample = photos.div_ceil(SAMPLE);
    let spreads = spread(index, vectors, &chosen, &own, sample, dims)?;
    let compared: Vec<Spread> = spreads.into_iter().filter(|s| s.photos > 0).collect();
    Ok((!compared.is_empty()).then(|| summary(&compared)))
}

fn summary(spreads: &[Spread]) -> Against {
    let mut best: Vec<f32> = spreads.iter().map(|s| s.highest).collect();
    best.sort_by(f32::total_cmp);
    let n = spreads.len().max(1) as f64;
    let mean = spreads.iter().map(Spread::mean).sum::<f64>() / n;
    // Of all queries and photos together: within the queries and between them.
    let variance = spreads
        .iter()
        .map(|s| s.variance() + (s.mean() - mean).powi(2))
        .sum::<f64>()
        / n;
    let middle = best.get(best.len() / 2).copied().unwrap_or(0.0);
    Against {
        median_best: if middle.is_finite() { middle } else { 0.0 },
        mean: mean as f32,
        deviation: variance.sqrt() as f32,
    }
}

/// All phrases, or fewer.
fn phrases(all: bool) -> Vec<&'static str> {
    let lines = PHRASES.lines().filter(|l| !l.is_empty());
    lines.step_by(if all { 1 } else { FEWER }).collect()
}

/// The phrases' vectors lie in a piece of their own.
fn phrases_piece(of: Of<'_>) -> (PathBuf, [u8; 32]) {
    let identity = matrix::identity(&["phrases", &of.model.0, PHRASES]);
    (of.index.dir().join("phrases.mx"), identity)
}

/// The phrases' vectors, from the file that they were kept in.
fn kept_phrases(of: Of<'_>, dims: usize) -> Option<Vec<Vec<f32>>> {
    let (path, identity) = phrases_piece(of);
    let piece = Matrix::open(&path, &identity, dims).ok()?;
    let rows = 0..piece.len();
    let sound =
        piece.len() == phrases(true).len() && (0..piece.chunks()).all(|c| piece.is_sound(c));
    sound.then(|| {
        rows.map(|at| piece.row(at).iter().map(|v| v.to_f32()).collect())
            .collect()
    })
}

/// The same, or through the text model; fewer where they cannot be kept for the next query.
fn phrase_vectors(
    of: Of<'_>,
    dims: usize,
    examples: &mut Examples<'_>,
) -> Result<Vec<Vec<f32>>, SearchError> {
    if let Some(kept) = kept_phrases(of, dims) {
        return Ok(kept);
    }
    let (path, identity) = phrases_piece(of);
    let writer = MatrixWriter::begin(&path, &identity, dims);
    let made = examples.phrases(&phrases(writer.is_ok()))?;
    let vectors: Vec<Vec<f32>> = made.into_iter().map(|e| e.values).collect();
    let kept = writer.and_then(|mut writer| {
        for (at, vector) in (0..).zip(&vectors) {
            writer.push(at, vector)?;
        }
        writer.finish((0, 0))
    });
    if let Err(e) = kept {
        tracing::debug!("{e}");
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests;
