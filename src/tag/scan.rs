//! The labels nearest to some photos: every row of a term bank, or some, against each photo.
//!
//! Promises: the `k` best rows by cosine, ties by row, bit for bit the same whatever the number of
//! threads, the photos scored together, the instructions the processor has, and however the rows
//! are listed. Memory is bounded by `k`, not by the bank. Never: reads a row twice for up to eight
//! photos, sorts more than what is near the best, or trusts a row whose score cannot be a cosine.
//!
//! It goes in two steps. A fast one (`kernel.rs`) rounds the photos to bf16 like the rows and keeps
//! all rows whose score is within a bound on its own error of the `k` best (`select.rs`): 16 on
//! average for 15 of real text vectors. An exact one (`exact.rs`) scores those few from the
//! unrounded photo in f64, always in the same order of sums. So the fast step may differ from
//! machine to machine, and the result does not; what is left is that the rows are bf16. Of the 15
//! best of 68,000 by f32 rows that changes 0.1 % (MiniLM's texts, 273 photos) to 0.5 % (the made ones
//! of `benches/term_bank`).
//!
//! Cost: for one photo the time to read the rows from memory once; for eight or more together about
//! a millisecond of one core a photo for 68,000 × 768 with AVX-512, two with AVX2.

mod exact;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod kernel_x86;
mod photos;
mod select;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::kernel::{BLOCK, Kernel, Line};
use self::photos::Photos;
use self::select::Select;
use super::term_bank::{BankError, TermBank};

/// Rows are handed to threads in pieces of about this size: enough that handing out costs nothing,
/// few enough that no thread waits long for the last.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes of rows times photos below which another thread costs more than it brings (some 50 µs).
const THREAD_BYTES: usize = 8 << 20;
/// Rows of a list that lie this far apart or more are fetched ahead by name.
const SCATTERED: usize = 4;

/// A row of the bank and its cosine with a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Row of the bank: the term's number in the lexicon.
    pub row: u32,
    /// Cosine, −1 to 1 but for rounding.
    pub cosine: f32,
}

/// Which rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows<'a> {
    /// All that are published when the scan begins.
    All,
    /// Those of them in a range; what of it lies beyond does not count.
    Range(Range<usize>),
    /// These, in ascending order, each once; those not published yet do not count.
    List(&'a [u32]),
}

/// What cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A photo of another space.
    #[error(
        "photo {photo} of the batch: its vector has {found} values, the labels' have {expected}: they are of different models"
    )]
    Dims {
        /// Place in the batch, from 0.
        photo: usize,
        /// The labels'.
        expected: usize,
        /// The photo's.
        found: usize,
    },
    /// Zero, infinite or not a number.
    #[error(
        "photo {photo} of the batch: its vector has no direction (all zero, or a value that is not finite)"
    )]
    NoDirection {
        /// Place in the batch, from 0.
        photo: usize,
    },
    /// The bank was damaged under us.
    #[error(transparent)]
    Bank(#[from] BankError),
}

/// The `k` best of `rows` for each photo, best first. Photos are scaled to length one. Up to 64
/// photos at once gain by sharing the pass over the bank.
///
/// # Errors
/// If a photo's vector cannot be compared with the labels', or the bank's file was cut short.
pub fn best(
    bank: &TermBank,
    rows: &Rows<'_>,
    photos: &[&[f32]],
    k: usize,
    threads: usize,
) -> Result<Vec<Vec<Hit>>, ScanError> {
    best_with(Kernel::best(), bank, rows, photos, k, threads)
}

fn best_with(
    kernel: Kernel,
    bank: &TermBank,
    rows: &Rows<'_>,
    photos: &[&[f32]],
    k: usize,
    threads: usize,
) -> Result<Vec<Vec<Hit>>, ScanError> {
    let photos = Photos::new(photos, bank.dims(), bank.stride(), kernel)?;
    bank.check()?;
    let bits = bank.raw();
    let chosen = Chosen::of(rows, bits.len() / bank.stride());
    if photos.len() == 0 || k == 0 {
        return Ok(vec![Vec::new(); photos.len()]);
    }
    let scan = Scan {
        bits,
        lines: kernel::lines(bits),
        stride: bank.stride(),
        chosen,
        photos: &photos,
        k,
    };
    Ok(scan.run(threads))
}

/// [`Rows`] that exist.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    Range {
        from: usize,
        to: usize,
    },
    List {
        rows: &'a [u32],
        /// Most of them do not lie beside each other.
        scattered: bool,
    },
}

impl<'a> Chosen<'a> {
    fn of(rows: &Rows<'a>, published: usize) -> Self {
        match rows {
            Rows::All => Self::Range {
                from: 0,
                to: published,
            },
            Rows::Range(range) => {
                let to = range.end.min(published);
                Self::Range {
                    from: range.start.min(to),
                    to,
                }
            }
            Rows::List(list) => {
                debug_assert!(list.is_sorted_by(|a, b| a < b), "ascending, each once");
                let rows = &list[..list.partition_point(|row| (*row as usize) < published)];
                let span = rows
                    .last()
                    .zip(rows.first())
                    .map_or(0, |(z, a)| z.saturating_sub(*a)) as usize;
                Self::List {
                    rows,
                    scattered: span >= SCATTERED * rows.len(),
                }
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Range { from, to } => to - from,
            Self::List { rows, .. } => rows.len(),
        }
    }

    /// The row in this place.
    fn row(&self, at: usize) -> usize {
        match self {
            Self::Range { from, .. } => from + at,
            Self::List { rows, .. } => rows[at] as usize,
        }
    }
}

struct Scan<'a> {
    bits: &'a [u16],
    /// The same.
    lines: &'a [Line],
    /// Values from one row to the next.
    stride: usize,
    chosen: Chosen<'a>,
    photos: &'a Photos,
    k: usize,
}

impl Scan<'_> {
    fn run(&self, threads: usize) -> Vec<Vec<Hit>> {
        let len = self.chosen.len();
        let row_bytes = self.stride * 2;
        let piece = (PIECE_BYTES / row_bytes).next_multiple_of(BLOCK);
        let worth = (len * row_bytes * self.photos.len()).div_ceil(THREAD_BYTES);
        let threads = threads.min(worth).min(len.div_ceil(piece)).max(1);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut selects: Vec<Select> = self
                .photos
                .margins()
                .map(|m| Select::new(self.k, m))
                .collect();
            let mut scores = vec![0.0; self.photos.len() * BLOCK];
            loop {
                let from = next.fetch_add(piece, Ordering::Relaxed);
                if from >= len {
                    break selects;
                }
                self.piece(from, (from + piece).min(len), &mut scores, &mut selects);
            }
        };
        let mut selects = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut all = work();
            for other in others {
                match other.join() {
                    Ok(part) => all
                        .iter_mut()
                        .zip(part)
                        .for_each(|(all, part)| all.merge(part)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        });
        selects
            .iter_mut()
            .enumerate()
            .map(|(photo, select)| exact::best(self, photo, &select.near(), self.k))
            .collect()
    }

    fn piece(&self, from: usize, to: usize, scores: &mut [f32], selects: &mut [Select]) {
        for start in (from..to).step_by(BLOCK) {
            let end = (start + BLOCK).min(to);
            match self.chosen {
                Chosen::Range { from, .. } => {
                    let lines = self.photos.lines();
                    let block = &self.lines[(from + start) * lines..(from + end) * lines];
                    self.photos.score(block.chunks_exact(lines), scores);
                }
                Chosen::List { rows, scattered } => {
                    let block = rows[start..end].iter().map(|row| self.lines(*row as usize));
                    if scattered {
                        kernel::prefetch(block.clone());
                    }
                    self.photos.score(block, scores);
                }
            }
            for (select, scores) in selects.iter_mut().zip(scores.chunks_exact(BLOCK)) {
                for (at, score) in (start..end).zip(scores) {
                    if select.wants(*score) {
                        #[allow(clippy::cast_possible_truncation)] // a bank has at most 2³² rows
                        select.push(self.chosen.row(at) as u32, *score);
                    }
                }
            }
        }
    }

    fn lines(&self, row: usize) -> &[Line] {
        let lines = self.photos.lines();
        &self.lines[row * lines..(row + 1) * lines]
    }

    /// A row as it lies there, padding included.
    fn row(&self, row: usize) -> &[u16] {
        &self.bits[row * self.stride..(row + 1) * self.stride]
    }
}
