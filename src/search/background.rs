//! What a random query scores in this library: the background that real scores are set against.
//!
//! A few hundred everyday phrases stand for random queries. Their vectors are made once a model,
//! how they score once whenever the library has grown or shrunk by a tenth; both lie beside the
//! vector file, are derived, and are made again when they are missing or of something else.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::allowed::Allowed;
use super::error::SearchError;
use super::example::Examples;
use super::scan::Scan;
use crate::embedding::ModelId;
use crate::photo::hex;
use crate::store::{VectorFile, VectorSource, Vectors};

/// Short phrases of broad variety, one a line.
const PHRASES: &str = include_str!("../../models/background-phrases.txt");
/// Photos that are looked at, at most about: the spread of a sample is that of the whole.
const SAMPLE: u64 = 8192;
/// A library that has changed by less than one photo in so many has the same background.
const DRIFT: u64 = 10;

/// How random queries score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Background {
    /// Photos in the library when it was taken.
    pub photos: u64,
    /// Middle one of the phrases' best scores: what half of all random queries find here.
    pub median_best: f32,
    /// Mean cosine of a phrase and a photo.
    pub mean: f32,
    /// Standard deviation of those cosines.
    pub deviation: f32,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    model: String,
    database: String,
    phrases: String,
    background: Background,
}

impl Background {
    /// Of the photos in `vectors`; taken from beside the vector file where that still fits.
    ///
    /// # Errors
    /// A model without a text side, the scan, or the database.
    pub fn of(
        (model, identity, file): (&ModelId, [u8; 16], &VectorFile),
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        examples: &mut Examples<'_>,
    ) -> Result<Self, SearchError> {
        let path = file.path().with_extension("background.json");
        let photos = vectors.most() as u64;
        let phrases = hex(blake3::hash(PHRASES.as_bytes()).as_bytes());
        let fits = |s: &Stored| {
            s.model == model.0
                && s.database == hex(&identity)
                && s.phrases == phrases
                && s.background.photos.abs_diff(photos) * DRIFT <= photos
        };
        let stored = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        if let Some(stored) = stored.filter(fits) {
            return Ok(stored.background);
        }
        let vectors_of_phrases = phrase_vectors(model, file, vectors.dims(), examples)?;
        let queries: Vec<&[f32]> = vectors_of_phrases.iter().map(Vec::as_slice).collect();
        let spreads = Scan::new(&queries, vectors.dims())?
            .sampled(photos.div_ceil(SAMPLE))
            .spread(vectors, source, &Allowed::All)?
            .result;
        let background = summary(photos, &spreads);
        let stored = Stored {
            model: model.0.clone(),
            database: hex(&identity),
            phrases,
            background,
        };
        if let Ok(text) = serde_json::to_vec(&stored) {
            keep(&path, &text);
        }
        Ok(background)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn summary(photos: u64, spreads: &[super::scan::Spread]) -> Background {
    let mut best: Vec<f32> = spreads.iter().map(|s| s.highest).collect();
    best.sort_by(f32::total_cmp);
    let n = spreads.len().max(1) as f64;
    let mean = spreads.iter().map(|s| s.mean).sum::<f64>() / n;
    // Of all phrases and photos together: within the phrases and between them.
    let variance = spreads
        .iter()
        .map(|s| s.deviation.powi(2) + (s.mean - mean).powi(2))
        .sum::<f64>()
        / n;
    let middle = best.get(best.len() / 2).copied().unwrap_or(0.0);
    Background {
        photos,
        median_best: if middle.is_finite() { middle } else { 0.0 },
        mean: mean as f32,
        deviation: variance.sqrt() as f32,
    }
}

/// The phrases' vectors, from the file they were kept in or through the text model.
fn phrase_vectors(
    model: &ModelId,
    file: &VectorFile,
    dims: usize,
    examples: &mut Examples<'_>,
) -> Result<Vec<Vec<f32>>, SearchError> {
    let path = file.path().with_extension("phrases");
    let key = blake3::hash(format!("{model}\n{dims}\n{PHRASES}").as_bytes());
    let phrases: Vec<&str> = PHRASES.lines().filter(|l| !l.is_empty()).collect();
    if let Some(kept) = std::fs::read(&path)
        .ok()
        .and_then(|bytes| parse(&bytes, key.as_bytes(), phrases.len(), dims))
    {
        return Ok(kept);
    }
    let vectors: Vec<Vec<f32>> = examples
        .phrases(&phrases)?
        .into_iter()
        .map(|e| e.values)
        .collect();
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
mod tests {
    use super::*;
    use crate::search::scan::Spread;

    #[test]
    fn phrases_are_many_and_none_is_there_twice() {
        let mut lines: Vec<&str> = PHRASES.lines().filter(|l| !l.is_empty()).collect();
        assert!(lines.len() >= 200);
        lines.sort_unstable();
        assert!(lines.windows(2).all(|w| w[0] != w[1]));
    }

    #[test]
    fn a_kept_file_is_read_back_and_a_damaged_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.phrases");
        let key = [7u8; 32];
        let mut body = key.to_vec();
        for v in [1.0f32, -2.0, 3.5, 0.25] {
            body.extend(v.to_le_bytes());
        }
        let check = blake3::hash(&body);
        body.extend(check.as_bytes());
        keep(&path, &body);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            parse(&bytes, &key, 2, 2),
            Some(vec![vec![1.0, -2.0], vec![3.5, 0.25]])
        );
        assert_eq!(parse(&bytes, &[8; 32], 2, 2), None);
        assert_eq!(parse(&bytes, &key, 3, 2), None);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(parse(&bad, &key, 2, 2), None, "byte {at}");
            assert_eq!(parse(&bytes[..at], &key, 2, 2), None, "cut at {at}");
        }
    }

    #[test]
    fn the_summary_pools_all_phrases() {
        let spread = |mean, deviation, highest| Spread {
            photos: 10,
            mean,
            deviation,
            highest,
        };
        let b = summary(10, &[spread(0.0, 0.3, 0.5), spread(0.8, 0.3, 0.9)]);
        assert_eq!(b.median_best, 0.9);
        assert!((b.mean - 0.4).abs() < 1e-6 && (b.deviation - 0.5).abs() < 1e-6);
        assert_eq!(summary(0, &[]).median_best, 0.0);
    }
}
