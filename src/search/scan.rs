//! Cosines of a few query vectors with every vector there is: exact, no index, no sorting of all.
//!
//! Promises: results do not depend on the number of threads or on what of the vectors is in the
//! file and what in memory; memory is bounded by what is asked for (16 bytes a kept photo and
//! thread for the best, 16 bytes a photo for all scores). Never: reads a row twice, or trusts one
//! whose score cannot be a cosine.
//!
//! Rows and queries are f16 of length one, multiplied and summed in f32, so a score is off
//! by some 1e-5 of what f64 gives for the same rows. Cost: the time to read the vectors from memory
//! once, for one query; about 0.1 µs a row of 768 and query on one thread for many.

use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;

use super::allowed::Allowed;
use super::dot::Dot;
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
    queries: Vec<Dot>,
    dims: usize,
    threads: usize,
    sample: u64,
    /// Photos that the queries are the vectors of; empty: of none.
    own: Vec<i64>,
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
            own: Vec::new(),
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

    /// Each query is the vector of one of these photos, in their order: [`Scan::spread`] does not
    /// compare it with itself.
    #[must_use]
    pub fn of_photos(mut self, own: Vec<i64>) -> Self {
        self.own = own;
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
            &|sums: &mut Vec<Sums>, photo, scores| {
                for (at, (sum, score)) in sums.iter_mut().zip(scores).enumerate() {
                    if self.own.get(at) != Some(&photo) {
                        sum.add(*score);
                    }
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
            result: merged.iter().map(Sums::spread).collect(),
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
                gathered.damaged += u64::from(rows.is_damaged(row));
                continue;
            };
            if !allowed.contains(photo) || !Self::samples(photo, self.sample) {
                continue;
            }
            let vector = rows.vector(row);
            let mut sound = true;
            for (score, query) in scores.iter_mut().zip(&self.queries) {
                *score = query.with(vector);
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

    /// Whether a photo is in the sample of one in `every`. By its id, mixed (Fibonacci hashing), so
    /// that it does not matter where its row lies.
    #[must_use]
    pub fn samples(photo: i64, every: u64) -> bool {
        every <= 1
            || (photo.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32)
                .is_multiple_of(every)
    }
}

/// Scaled to length one, as f16.
fn prepare(query: &[f32], dims: usize) -> Result<Dot, ScanError> {
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
    let query: Vec<f16> = query
        .iter()
        .map(|v| f16::from_f64(f64::from(*v) * scale))
        .collect();
    Ok(Dot::new(&query))
}

/// Sums in fixed point: whichever way they are divided, they come out the same.
#[derive(Clone, Copy)]
struct Sums {
    photos: u64,
    sum: i128,
    squares: i128,
    highest: f32,
}

impl Sums {
    const NONE: Self = Self {
        photos: 0,
        sum: 0,
        squares: 0,
        highest: f32::NEG_INFINITY,
    };

    fn add(&mut self, score: f32) {
        #[allow(clippy::cast_possible_truncation)]
        let fixed = i128::from((f64::from(score) * ONE) as i64);
        self.photos += 1;
        self.sum += fixed;
        self.squares += fixed * fixed;
        self.highest = self.highest.max(score);
    }

    fn merge(&mut self, other: Self) {
        self.photos += other.photos;
        self.sum += other.sum;
        self.squares += other.squares;
        self.highest = self.highest.max(other.highest);
    }

    #[allow(clippy::cast_precision_loss)]
    fn spread(&self) -> Spread {
        let n = self.photos.max(1) as f64;
        let mean = self.sum as f64 / ONE / n;
        let variance = self.squares as f64 / ONE / ONE / n - mean * mean;
        Spread {
            photos: self.photos,
            mean,
            deviation: variance.max(0.0).sqrt(),
            highest: self.highest,
        }
    }
}

#[cfg(test)]
mod tests;
