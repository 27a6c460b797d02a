//! Some vectors against all rows of some pieces, on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::file::Matrix;
use super::kernel::Queries;
use super::topk::{Scored, TopK};

/// Rows that are compared with every query before the next are read: they stay in the nearest
/// cache (32 rows of 768 values are 48 KiB).
const BLOCK: usize = 32;
/// A score beyond this is no cosine, whatever the rounding: the row is damaged.
const MOST: f32 = 1.05;

/// What cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A query of another space.
    #[error("a vector has {found} values, those it is compared with have {expected}")]
    Dims {
        /// The rows'.
        expected: usize,
        /// The query's.
        found: usize,
    },
    /// Zero, infinite or not a number.
    #[error("a vector has no direction (all zero, or a value that is not finite)")]
    NoDirection,
}

/// A piece, without some of its rows.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// The rows.
    pub matrix: &'a Matrix,
    /// Ids whose rows do not count (any more), sorted.
    pub hidden: &'a [i64],
}

impl<'a> From<&'a Matrix> for Piece<'a> {
    fn from(matrix: &'a Matrix) -> Self {
        Self {
            matrix,
            hidden: &[],
        }
    }
}

/// Query vectors, ready to be compared.
pub struct Scan {
    queries: Queries,
    dims: usize,
    threads: usize,
}

/// What a scan gave, and what it met.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned<T> {
    /// The result.
    pub result: T,
    /// Rows compared.
    pub rows: u64,
    /// Rows left out because they are not what was written: the piece is to be made again.
    pub damaged: u64,
}

impl Scan {
    /// Takes queries of `dims` values each; they are scaled to length one.
    ///
    /// # Errors
    /// [`ScanError`].
    pub fn new(queries: &[&[f32]], dims: usize) -> Result<Self, ScanError> {
        let queries = queries.iter().map(|query| scaled(query, dims));
        let queries: Vec<Vec<f32>> = queries.collect::<Result<_, _>>()?;
        Ok(Self {
            queries: Queries::new(&queries, dims),
            dims,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
        })
    }

    /// With this many threads instead of one a processor.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Calls `step` with the id of each row that `wanted` wants and its cosine with each query,
    /// gathering into values made by `start`, one or more a thread, in no particular order.
    ///
    /// # Errors
    /// [`ScanError::Dims`] if a piece's rows have another length.
    pub fn all<A: Send>(
        &self,
        pieces: &[Piece<'_>],
        wanted: &(impl Fn(i64) -> bool + Sync),
        start: &(impl Fn() -> A + Sync),
        step: &(impl Fn(&mut A, i64, &[f32]) + Sync),
    ) -> Result<Scanned<Vec<A>>, ScanError> {
        let mut work = Vec::new();
        for piece in pieces {
            if piece.matrix.dims() != self.dims {
                return Err(ScanError::Dims {
                    expected: piece.matrix.dims(),
                    found: self.dims,
                });
            }
            work.extend((0..piece.matrix.chunks()).map(|chunk| (*piece, chunk)));
        }
        let next = AtomicUsize::new(0);
        let run = || {
            let mut gathered = Scanned {
                result: start(),
                rows: 0,
                damaged: 0,
            };
            let mut scores = vec![0.0; BLOCK * self.queries.len()];
            while let Some((piece, chunk)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                let rows = piece.matrix.chunk(*chunk);
                if !piece.matrix.is_sound(*chunk) {
                    gathered.damaged += rows.len() as u64;
                    continue;
                }
                for from in rows.clone().step_by(BLOCK) {
                    let block = from..(from + BLOCK).min(rows.end);
                    self.block(*piece, block, wanted, &mut scores, &mut gathered, step);
                }
            }
            gathered
        };
        let threads = self.threads.min(work.len()).max(1);
        let parts = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, run).ok())
                .collect();
            let mut parts = vec![run()];
            for other in others {
                match other.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        });
        Ok(Scanned {
            rows: parts.iter().map(|p| p.rows).sum(),
            damaged: parts.iter().map(|p| p.damaged).sum(),
            result: parts.into_iter().map(|p| p.result).collect(),
        })
    }

    fn block<A>(
        &self,
        piece: Piece<'_>,
        rows: std::ops::Range<usize>,
        wanted: &impl Fn(i64) -> bool,
        scores: &mut [f32],
        gathered: &mut Scanned<A>,
        step: &impl Fn(&mut A, i64, &[f32]),
    ) {
        let count = self.queries.len();
        let mut ids = [(0usize, 0i64); BLOCK];
        let mut taken = 0;
        let (bits, width) = piece.matrix.padded(rows.clone());
        for (row, at) in rows.enumerate() {
            let id = piece.matrix.id(at);
            let hidden = !piece.hidden.is_empty() && piece.hidden.binary_search(&id).is_ok();
            if !hidden && wanted(id) {
                ids[taken] = (row, id);
                taken += 1;
            }
        }
        for group in self.queries.groups() {
            for (place, (row, _)) in ids[..taken].iter().enumerate() {
                let scores = &mut scores[place * count..][group.clone()];
                let row = &bits[row * width..][..width];
                self.queries.compare(&group, row, scores);
            }
        }
        for (place, (_, id)) in ids[..taken].iter().enumerate() {
            let of_row = &scores[place * count..(place + 1) * count];
            // NaN is not within either.
            if of_row.iter().all(|score| score.abs() <= MOST) {
                gathered.rows += 1;
                step(&mut gathered.result, *id, of_row);
            } else {
                gathered.damaged += 1;
            }
        }
    }

    /// The `k` best rows of each query, best first.
    ///
    /// # Errors
    /// [`ScanError::Dims`] if a piece's rows have another length.
    pub fn best(
        &self,
        pieces: &[Piece<'_>],
        wanted: &(impl Fn(i64) -> bool + Sync),
        k: usize,
    ) -> Result<Scanned<Vec<Vec<Scored>>>, ScanError> {
        let start = || vec![TopK::new(k); self.queries.len()];
        let found = self.all(
            pieces,
            wanted,
            &start,
            &|tops: &mut Vec<TopK>, id, scores| {
                for (top, score) in tops.iter_mut().zip(scores) {
                    top.push(Scored { id, score: *score });
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
            rows: found.rows,
            damaged: found.damaged,
        })
    }
}

/// Scaled to length one.
fn scaled(query: &[f32], dims: usize) -> Result<Vec<f32>, ScanError> {
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
    let scaled = query.iter().map(|v| (f64::from(*v) * scale) as f32);
    Ok(scaled.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(seed: usize, dims: usize) -> Vec<f32> {
        let noise = |seed: usize| {
            let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            }
        };
        let (mut group, mut own) = (noise(seed / 10), noise(seed + 1_000_000));
        (0..dims).map(|_| group() + 0.3 * own()).collect()
    }

    fn matrix(dims: usize, ids: impl Iterator<Item = i64>) -> Matrix {
        let rows: Vec<(i64, Vec<f32>)> = ids.map(|id| (id, vector(id as usize, dims))).collect();
        Matrix::in_memory(dims, rows.iter().map(|(id, row)| (*id, row.as_slice())))
    }

    fn plain(query: &[f32], row: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        dot(query, row) / (dot(query, query) * dot(row, row)).sqrt()
    }

    #[test]
    fn a_score_is_the_cosine_within_what_eight_bits_can_say() {
        for dims in (1..100).chain([384, 767, 768, 1152]) {
            let rows = matrix(dims, 0..3);
            let query = vector(77, dims);
            let found = Scan::new(&[&query], dims).unwrap();
            let found = found.best(&[(&rows).into()], &|_| true, 3).unwrap();
            assert_eq!(found.rows, 3);
            for hit in &found.result[0] {
                let exact = plain(&query, &vector(hit.id as usize, dims));
                assert!(
                    (f64::from(hit.score) - exact).abs() < 0.01,
                    "{dims}: {hit:?}, {exact}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// However the rows are cut into pieces, and whatever the threads and the other queries.
        #[test]
        fn division_changes_no_bit(
            dims in prop::sample::select(vec![3usize, 32, 50, 96]),
            cuts in prop::collection::vec(1usize..400, 1..5),
            count in 1..6usize,
            threads in 1..4usize,
            k in 0..60usize,
            every in 1..5i64,
        ) {
            let total: usize = cuts.iter().sum();
            let whole = matrix(dims, 0..total as i64);
            let queries: Vec<Vec<f32>> = (0..count).map(|q| vector(q * 37 + 5, dims)).collect();
            let slices: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
            let wanted = |id: i64| id % every == 0;
            let mut from = 0;
            let parts: Vec<Matrix> = cuts.iter().map(|len| {
                from += len;
                matrix(dims, (from - len) as i64..from as i64)
            }).collect();
            let pieces: Vec<Piece<'_>> = parts.iter().map(Piece::from).collect();
            let found = Scan::new(&slices, dims).unwrap().with_threads(threads)
                .best(&pieces, &wanted, k).unwrap();
            for (at, query) in slices.iter().enumerate() {
                let alone = Scan::new(&[query], dims).unwrap().with_threads(1)
                    .best(&[(&whole).into()], &wanted, k).unwrap();
                prop_assert_eq!(&found.result[at], &alone.result[0]);
                prop_assert_eq!(found.rows, alone.rows);
            }
        }
    }

    #[test]
    fn hidden_rows_do_not_count() {
        let rows = matrix(16, 0..100);
        let piece = Piece {
            matrix: &rows,
            hidden: &[3, 50, 99],
        };
        let query = vector(50, 16);
        let found = Scan::new(&[&query], 16).unwrap();
        let found = found.best(&[piece], &|_| true, 100).unwrap();
        assert_eq!(found.rows, 97);
        assert!(found.result[0].iter().all(|hit| hit.id != 50));
    }

    #[test]
    fn queries_of_another_space_are_refused() {
        let rows = matrix(8, 0..2);
        assert!(matches!(
            Scan::new(&[&[1.0; 7]], 8),
            Err(ScanError::Dims { .. })
        ));
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(
                Scan::new(&[&[bad; 8]], 8),
                Err(ScanError::NoDirection)
            ));
        }
        let scan = Scan::new(&[&[1.0; 7]], 7).unwrap();
        assert!(matches!(
            scan.best(&[(&rows).into()], &|_| true, 1),
            Err(ScanError::Dims { .. })
        ));
        assert_eq!(
            Scan::new(&[], 8)
                .unwrap()
                .best(&[(&rows).into()], &|_| true, 1)
                .unwrap()
                .result
                .len(),
            0
        );
    }
}
