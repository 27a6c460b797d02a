//! Cosines of a few query vectors with every vector there is: exact, no index, no sorting of all.
//!
//! Promises: results do not depend on the number of threads or on what of the vectors is in the
//! file and what in memory; memory is bounded by what is asked for (16 bytes a kept photo and
//! thread for the best, 16 bytes a photo for all scores). Never: reads a row twice, or trusts one
//! whose score cannot be a cosine.
//!
//! Rows and queries are f16 of length one, multiplied and summed in f32 (simsimd), so a score is off
//! by some 1e-5 of what f64 gives for the same rows. Cost: the time to read the vectors from memory
//! once, for one query; about 0.1 µs a row of 768 and query on one thread for many.

use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use simsimd::SpatialSimilarity;

use super::allowed::Allowed;
use super::topk::{Scored, TopK};
use crate::store::{Rows, StoreError, VectorSource, Vectors};

/// Rows are handed to threads in pieces of about this size: enough that handing out costs nothing,
/// few enough that no thread waits long for the last.
const PIECE_BYTES: usize = 1 << 20;

/// A score beyond this is no cosine, whatever the rounding: the row is damaged.
const MOST: f32 = 1.05;

/// Fixed-point one, for sums that do not depend on the order.
const ONE: f64 = (1u64 << 32) as f64;

/// What cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A query of another space.
    #[error("the query's vector has {found} values, the photos' have {expected}")]
    Dims {
        /// The photos'.
        expected: usize,
        /// The query's.
        found: usize,
    },
    /// Zero, infinite or not a number.
    #[error("the query's vector has no direction (all zero, or a value that is not finite)")]
    NoDirection,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Query vectors, ready to be compared.
pub struct Scan {
    queries: Vec<Vec<simsimd::f16>>,
    dims: usize,
    threads: usize,
    sample: u64,
}

/// What a scan gave, and what it met.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned<T> {
    /// The result.
    pub result: T,
    /// Photos compared.
    pub photos: u64,
    /// Rows left out because their score was no cosine: the file should be thrown away
    /// ([`crate::store::VectorFile::remove`]).
    pub damaged: u64,
}

/// How the scores of one query are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Photos compared.
    pub photos: u64,
    /// Mean cosine; 0 without photos.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Highest cosine; −∞ without photos.
    pub highest: f32,
}

impl Scan {
    /// Takes queries of `dims` values each; they are scaled to length one.
    ///
    /// # Errors
    /// [`ScanError::Dims`] and [`ScanError::NoDirection`].
    pub fn new(queries: &[&[f32]], dims: usize) -> Result<Self, ScanError> {
        let queries = queries
            .iter()
            .map(|query| prepare(query, dims))
            .collect::<Result<_, _>>()?;
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        Ok(Self {
            queries,
            dims,
            threads,
            sample: 1,
        })
    }

    /// With this many threads instead of one a core.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Compares only about one photo in `every`, always the same ones: enough for [`Scan::spread`].
    #[must_use]
    pub fn sampled(mut self, every: u64) -> Self {
        self.sample = every.max(1);
        self
    }

    /// The `k` best photos of each query, best first.
    ///
    /// # Errors
    /// If the vectors have other dimensions, or the database cannot be read.
    pub fn best(
        &self,
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        allowed: &Allowed,
        k: usize,
    ) -> Result<Scanned<Vec<Vec<Scored>>>, ScanError> {
        let start = || vec![TopK::new(k); self.queries.len()];
        let found = self.all(
            vectors,
            source,
            allowed,
            &start,
            &|tops: &mut Vec<TopK>, photo, scores| {
                for (top, score) in tops.iter_mut().zip(scores) {
                    top.push(Scored {
                        photo,
                        score: *score,
                    });
                }
            },
        )?;
        let mut merged = start();
        for tops in found.result {
            for (all, top) in merged.iter_mut().zip(tops) {
                all.merge(top);
            }
        }
        Ok(Scanned {
            result: merged.into_iter().map(TopK::into_sorted).collect(),
            photos: found.photos,
            damaged: found.damaged,
        })
    }

    /// The scores of all photos with the first query, by photo.
    ///
    /// # Errors
    /// If the vectors have other dimensions, or the database cannot be read.
    pub fn scores(
        &self,
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        allowed: &Allowed,
    ) -> Result<Scanned<Vec<Scored>>, ScanError> {
        let found = self.all(
            vectors,
            source,
            allowed,
            &Vec::new,
            &|list: &mut Vec<Scored>, photo, scores| {
                list.extend(scores.first().map(|&score| Scored { photo, score }));
            },
        )?;
        let mut result = found.result.concat();
        // Threads' pieces are long ascending runs, which this sort merges.
        result.sort_by_key(|s| s.photo);
        Ok(Scanned {
            result,
            photos: found.photos,
            damaged: found.damaged,
        })
    }

    /// How each query's scores are spread over the photos; to the last bit the same for any number
    /// of threads.
    ///
    /// # Errors
    /// If the vectors have other dimensions, or the database cannot be read.
    pub fn spread(
        &self,
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        allowed: &Allowed,
    ) -> Result<Scanned<Vec<Spread>>, ScanError> {
        let start = || vec![Sums::NONE; self.queries.len()];
        let found = self.all(
            vectors,
            source,
            allowed,
            &start,
            &|sums: &mut Vec<Sums>, _, scores| {
                for (sum, score) in sums.iter_mut().zip(scores) {
                    sum.add(*score);
                }
            },
        )?;
        let mut merged = start();
        for sums in found.result {
            for (all, sum) in merged.iter_mut().zip(sums) {
                all.merge(sum);
            }
        }
        Ok(Scanned {
            result: merged.iter().map(|sum| sum.spread(found.photos)).collect(),
            photos: found.photos,
            damaged: found.damaged,
        })
    }

    /// Calls `step` with each photo and its score with each query, gathering into values made by
    /// `start`, one or more a thread, returned in no particular order.
    ///
    /// # Errors
    /// If the vectors have other dimensions, or the database cannot be read.
    pub fn all<A: Send>(
        &self,
        vectors: &Vectors,
        source: &mut dyn VectorSource,
        allowed: &Allowed,
        start: &(impl Fn() -> A + Sync),
        step: &(impl Fn(&mut A, i64, &[f32]) + Sync),
    ) -> Result<Scanned<Vec<A>>, ScanError> {
        if vectors.dims() != self.dims {
            return Err(ScanError::Dims {
                expected: vectors.dims(),
                found: self.dims,
            });
        }
        let mut all = Scanned {
            result: Vec::new(),
            photos: 0,
            damaged: 0,
        };
        vectors.visit(source, &mut |rows| {
            let part = self.rows(rows, allowed, start, step);
            all.result.extend(part.result);
            all.photos += part.photos;
            all.damaged += part.damaged;
        })?;
        Ok(all)
    }

    /// The same for some rows.
    fn rows<A: Send>(
        &self,
        rows: Rows<'_>,
        allowed: &Allowed,
        start: &(impl Fn() -> A + Sync),
        step: &(impl Fn(&mut A, i64, &[f32]) + Sync),
    ) -> Scanned<Vec<A>> {
        let len = rows.len();
        let piece = (PIECE_BYTES * len / rows.bytes().max(1)).max(64);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut gathered = Scanned {
                result: start(),
                photos: 0,
                damaged: 0,
            };
            let mut scores = vec![0.0; self.queries.len()];
            loop {
                let from = next.fetch_add(piece, Ordering::Relaxed);
                if from >= len {
                    break gathered;
                }
                let to = (from + piece).min(len);
                self.piece(
                    rows.slice(from, to),
                    allowed,
                    &mut scores,
                    &mut gathered,
                    step,
                );
            }
        };
        let threads = self.threads.min(len.div_ceil(piece)).max(1);
        let parts = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut parts = vec![work()];
            for other in others {
                match other.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        });
        Scanned {
            photos: parts.iter().map(|p| p.photos).sum(),
            damaged: parts.iter().map(|p| p.damaged).sum(),
            result: parts.into_iter().map(|p| p.result).collect(),
        }
    }

    fn piece<A>(
        &self,
        rows: Rows<'_>,
        allowed: &Allowed,
        scores: &mut [f32],
        gathered: &mut Scanned<A>,
        step: &impl Fn(&mut A, i64, &[f32]),
    ) {
        for row in 0..rows.len() {
            let Some(photo) = rows.photo(row) else {
                continue;
            };
            if !allowed.contains(photo) || !self.takes(photo) {
                continue;
            }
            let vector = as_simsimd(rows.vector(row));
            let mut sound = true;
            for (score, query) in scores.iter_mut().zip(&self.queries) {
                *score = dot(query, vector);
                sound &= score.abs() <= MOST;
            }
            if sound {
                gathered.photos += 1;
                step(&mut gathered.result, photo, scores);
            } else {
                gathered.damaged += 1;
            }
        }
    }

    /// Whether a photo is in the sample. By its id, mixed (Fibonacci hashing), so that it does not
    /// matter where its row lies.
    fn takes(&self, photo: i64) -> bool {
        self.sample == 1
            || (photo.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32)
                .is_multiple_of(self.sample)
    }
}

/// Scaled to length one, as f16.
fn prepare(query: &[f32], dims: usize) -> Result<Vec<simsimd::f16>, ScanError> {
    if query.len() != dims {
        return Err(ScanError::Dims {
            expected: dims,
            found: query.len(),
        });
    }
    let squares: f64 = query.iter().map(|v| f64::from(*v).powi(2)).sum();
    if !squares.is_finite() || squares <= 0.0 {
        return Err(ScanError::NoDirection);
    }
    let scale = squares.sqrt().recip();
    Ok(query
        .iter()
        .map(|v| simsimd::f16(f16::from_f64(f64::from(*v) * scale).to_bits()))
        .collect())
}

/// NaN where the lengths differ, which counts as damaged.
#[allow(clippy::cast_possible_truncation)]
fn dot(a: &[simsimd::f16], b: &[simsimd::f16]) -> f32 {
    simsimd::f16::dot(a, b).map_or(f32::NAN, |d| d as f32)
}

fn as_simsimd(halves: &[f16]) -> &[simsimd::f16] {
    // SAFETY: both types are `repr(transparent)` over `u16` with every bit pattern valid; address,
    // length and lifetime are those of `halves`.
    unsafe { std::slice::from_raw_parts(halves.as_ptr().cast(), halves.len()) }
}

/// Sums in fixed point: whichever way they are divided, they come out the same.
#[derive(Clone, Copy)]
struct Sums {
    sum: i128,
    squares: i128,
    highest: f32,
}

impl Sums {
    const NONE: Self = Self {
        sum: 0,
        squares: 0,
        highest: f32::NEG_INFINITY,
    };

    fn add(&mut self, score: f32) {
        #[allow(clippy::cast_possible_truncation)]
        let fixed = i128::from((f64::from(score) * ONE) as i64);
        self.sum += fixed;
        self.squares += fixed * fixed;
        self.highest = self.highest.max(score);
    }

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
        self.highest = self.highest.max(other.highest);
    }

    #[allow(clippy::cast_precision_loss)]
    fn spread(&self, photos: u64) -> Spread {
        let n = photos.max(1) as f64;
        let mean = self.sum as f64 / ONE / n;
        let variance = self.squares as f64 / ONE / ONE / n - mean * mean;
        Spread {
            photos,
            mean,
            deviation: variance.max(0.0).sqrt(),
            highest: self.highest,
        }
    }
}

#[cfg(test)]
mod tests;
