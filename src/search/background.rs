//! What a random query scores in this library: the background that real scores are set against.
//!
//! A few hundred everyday phrases stand for random sentences, a few hundred of the library's own
//! photos for random examples: in a space with a graph of its own photos are far closer to each
//! other than to any sentence, so each kind of query has a background of its own. The phrases'
//! vectors are made once a model, how they and the photos score once whenever the library has grown
//! or shrunk by a tenth; it all lies beside the vector file, is derived, and is made again when it
//! is missing or of something else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::allowed::Allowed;
use super::error::SearchError;
use super::example::Examples;
use super::scan::{Scan, Spread};
use crate::embedding::ModelId;
use crate::model::ModelPack;
use crate::photo::hex;
use crate::store::{VectorFile, VectorSource, Vectors};

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
    /// Its vector file, which the background lies beside.
    pub file: &'a VectorFile,
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
        if let Ok(text) = serde_json::to_vec(&stored) {
            keep(&self.path(), &text);
        }
    }

    fn path(&self) -> PathBuf {
        self.file.path().with_extension("background.json")
    }
}

fn phrases_hash() -> String {
    hex(blake3::hash(PHRASES.as_bytes()).as_bytes())
}

impl Background {
    /// Of the photos in `vectors`, with all that is needed that can be had; taken from beside the
    /// vector file where that still fits.
    ///
    /// # Errors
    /// The scan, a stop, or the database.
    pub fn of(
        of: Of<'_>,
        needed: Needed,
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        examples: &mut Examples<'_>,
    ) -> Result<Self, SearchError> {
        let photos = vectors.most() as u64;
        let kept = of.kept(photos);
        let mut background = kept.unwrap_or(Self {
            photos,
            phrases: None,
            pictures: None,
        });
        if needed.phrases && background.phrases.is_none() {
            match phrase_vectors(of.model, of.file, vectors.dims(), examples) {
                Ok(phrases) => {
                    let queries: Vec<&[f32]> = phrases.iter().map(Vec::as_slice).collect();
                    let scan = Scan::new(&queries, vectors.dims())?
                        .sampled(photos.div_ceil(SAMPLE))
                        .spread(vectors, source, &Allowed::All)?;
                    background.phrases = Some(summary(&scan.result));
                }
                Err(SearchError::Stopped) => return Err(SearchError::Stopped),
                // Examples go without sentences.
                Err(e) => tracing::debug!("background: {e}"),
            }
        }
        if needed.pictures && background.pictures.is_none() {
            background.pictures = pictures(photos, vectors, source)?;
        }
        if kept != Some(background) {
            of.keep(background);
        }
        Ok(background)
    }

    /// About how long it takes to make the phrases' vectors, if that is yet to be done before a
    /// sentence can be judged.
    pub fn phrases_take(file: &VectorFile, pack: &ModelPack) -> Option<Duration> {
        let text = pack.text_side().ok()?;
        if kept_phrases(&pack.id, file, pack.dims).is_some() {
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
        let phrases = phrases(can_keep(file.path())).len();
        #[allow(clippy::cast_precision_loss)]
        let seconds = bytes as f64 * phrases as f64 / BYTES_PER_SECOND / threads as f64;
        Some(Duration::from_secs_f64(seconds))
    }
}

/// How photos of the library, chosen by their ids, score against the others.
fn pictures(
    photos: u64,
    vectors: &Vectors,
    source: &mut dyn VectorSource,
) -> Result<Option<Against>, SearchError> {
    let mut own = Vec::new();
    let mut chosen: Vec<Vec<f32>> = Vec::new();
    let every = photos.div_ceil(EXAMPLES);
    vectors.visit(source, &mut |rows| {
        for row in 0..rows.len() {
            let Some(photo) = rows.photo(row).filter(|p| Scan::samples(*p, every)) else {
                continue;
            };
            let vector: Vec<f32> = rows.vector(row).iter().map(|v| v.to_f32()).collect();
            // A damaged row is no example.
            if vector.iter().all(|v| v.is_finite()) && vector.iter().any(|v| *v != 0.0) {
                own.push(photo);
                chosen.push(vector);
            }
        }
    })?;
    let queries: Vec<&[f32]> = chosen.iter().map(Vec::as_slice).collect();
    let spreads = Scan::new(&queries, vectors.dims())?
        .sampled(photos.div_ceil(SAMPLE))
        .of_photos(own)
        .spread(vectors, source, &Allowed::All)?
        .result;
    let compared: Vec<Spread> = spreads.into_iter().filter(|s| s.photos > 0).collect();
    Ok((!compared.is_empty()).then(|| summary(&compared)))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn summary(spreads: &[Spread]) -> Against {
    let mut best: Vec<f32> = spreads.iter().map(|s| s.highest).collect();
    best.sort_by(f32::total_cmp);
    let n = spreads.len().max(1) as f64;
    let mean = spreads.iter().map(|s| s.mean).sum::<f64>() / n;
    // Of all queries and photos together: within the queries and between them.
    let variance = spreads
        .iter()
        .map(|s| s.deviation.powi(2) + (s.mean - mean).powi(2))
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

/// Whether something can be kept beside this file.
fn can_keep(file: &Path) -> bool {
    let probe = file.with_extension(format!("probe.{}.tmp", std::process::id()));
    let made = file
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&probe, b""));
    let _ = std::fs::remove_file(&probe);
    made.is_ok()
}

fn phrases_key(model: &ModelId, dims: usize) -> blake3::Hash {
    blake3::hash(format!("{model}\n{dims}\n{PHRASES}").as_bytes())
}

/// The phrases' vectors, from the file that they were kept in.
fn kept_phrases(model: &ModelId, file: &VectorFile, dims: usize) -> Option<Vec<Vec<f32>>> {
    let bytes = std::fs::read(file.path().with_extension("phrases")).ok()?;
    let key = phrases_key(model, dims);
    parse(&bytes, key.as_bytes(), phrases(true).len(), dims)
}

/// The same, or through the text model.
fn phrase_vectors(
    model: &ModelId,
    file: &VectorFile,
    dims: usize,
    examples: &mut Examples<'_>,
) -> Result<Vec<Vec<f32>>, SearchError> {
    if let Some(kept) = kept_phrases(model, file, dims) {
        return Ok(kept);
    }
    let all = can_keep(file.path());
    let vectors: Vec<Vec<f32>> = examples
        .phrases(&phrases(all))?
        .into_iter()
        .map(|e| e.values)
        .collect();
    if !all {
        return Ok(vectors);
    }
    let path = file.path().with_extension("phrases");
    let key = phrases_key(model, dims);
    let mut body = key.as_bytes().to_vec();
    for value in vectors.iter().flatten() {
        body.extend(value.to_le_bytes());
    }
    let check = blake3::hash(&body);
    body.extend(check.as_bytes());
    keep(&path, &body);
    Ok(vectors)
}

/// Key (32 bytes), values (f32, little endian), BLAKE3 of all that.
fn parse(bytes: &[u8], key: &[u8; 32], rows: usize, dims: usize) -> Option<Vec<Vec<f32>>> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    let values = body.strip_prefix(key)?;
    if check != blake3::hash(body).as_bytes() || values.len() != rows * dims * 4 {
        return None;
    }
    let rows = values.chunks_exact(dims * 4).map(|row| {
        row.chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    });
    Some(rows.collect())
}

/// Whole or not at all; where it cannot be kept it is made again the next time.
fn keep(path: &Path, bytes: &[u8]) {
    let mut new: PathBuf = path.to_path_buf();
    new.as_mut_os_string()
        .push(format!(".{}.tmp", std::process::id()));
    let kept = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&new, bytes))
        .and_then(|()| std::fs::rename(&new, path));
    if let Err(e) = kept {
        tracing::debug!("{}: {e}", path.display());
        let _ = std::fs::remove_file(&new);
    }
}

#[cfg(test)]
mod tests;
