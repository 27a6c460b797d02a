//! The innermost step: rough dot products of a block of rows with a few photos.
//!
//! One photo is simsimd's: with bf16 instructions it reads the rows as fast as memory gives them.
//! Several photos are compared with each row while it is in a register (`kernel_x86.rs`), where the
//! processor can. For AVX2 simsimd has one sum, each step of which waits for the one before, so that
//! the kernel here does single photos too: 1.4 times as fast, and three times for eight. Everywhere
//! else simsimd does it all.

use half::bf16;
use simsimd::SpatialSimilarity;

/// Rows scored together; with their photos they stay in the second cache.
pub(super) const BLOCK: usize = 32;
/// Values in a cache line.
const LANES: usize = 32;

/// One cache line of bf16.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u16; LANES]);

/// Whole rows as lines.
///
/// # Panics
/// If they are not aligned, which a bank's are.
pub(super) fn lines(bits: &[u16]) -> &[Line] {
    // SAFETY: a `Line` is 32 `u16`s without padding, each bit pattern of which is valid.
    let (before, lines, after) = unsafe { bits.align_to::<Line>() };
    assert!(
        before.is_empty() && after.is_empty(),
        "rows are whole lines"
    );
    lines
}

/// Rows of as many lines as a photo has, up to [`BLOCK`] of them; gone through once for some photos.
pub(super) trait Block<'a>: Iterator<Item = &'a [Line]> + Clone {}

impl<'a, I: Iterator<Item = &'a [Line]> + Clone> Block<'a> for I {}

/// Begins to read rows that do not lie one behind the other, so that the processor does not guess
/// them and would wait for each in turn: a third of the time of a short list that is not in the
/// caches.
pub(super) fn prefetch<'a>(block: impl Block<'a>) {
    #[cfg(target_arch = "x86_64")]
    block.for_each(super::kernel_x86::prefetch);
    #[cfg(not(target_arch = "x86_64"))]
    drop(block);
}

/// Photos rounded to bf16, each padded to whole lines.
pub(super) struct Queries {
    /// Lines of one photo.
    lines: usize,
    all: Vec<Line>,
}

impl Queries {
    /// Room for photos of `stride` values.
    pub(super) fn new(photos: usize, stride: usize) -> Self {
        let lines = stride.div_ceil(LANES);
        Self {
            lines,
            all: Vec::with_capacity(photos * lines),
        }
    }

    pub(super) fn push(&mut self, photo: &[bf16]) {
        let start = self.all.len();
        self.all.resize(start + self.lines, Line([0; LANES]));
        for (line, values) in self.all[start..].iter_mut().zip(photo.chunks(LANES)) {
            for (to, from) in line.0.iter_mut().zip(values) {
                *to = from.to_bits();
            }
        }
    }

    /// Lines of each photo.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The lines of so many photos together; fewer at the end.
    pub(super) fn groups(&self, photos: usize) -> std::slice::Chunks<'_, Line> {
        self.all.chunks(photos * self.lines)
    }

    /// Each photo's lines.
    fn photos(&self) -> std::slice::ChunksExact<'_, Line> {
        self.all.chunks_exact(self.lines)
    }
}

/// Which instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// AVX-512 with bf16 products.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2, bf16 widened to f32.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What simsimd has for this processor.
    Simsimd,
}

impl Kernel {
    /// All that this processor can run, the fastest first.
    pub(super) fn possible() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            (
                Self::Avx512,
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16"),
            ),
            #[cfg(target_arch = "x86_64")]
            (
                Self::Avx2,
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            ),
            (Self::Simsimd, true),
        ]
        .into_iter()
        .filter_map(|(kernel, can)| can.then_some(kernel))
    }

    /// The fastest that this processor can run.
    pub(super) fn best() -> Self {
        Self::possible().next().unwrap_or(Self::Simsimd)
    }

    /// Scores of photo `p` and the block's rows from `p · BLOCK` on.
    pub(super) fn score<'a>(self, queries: &Queries, block: impl Block<'a>, scores: &mut [f32]) {
        match self {
            // SAFETY: `possible` gives these out only where the processor has what they need, and
            // nobody else makes them.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if queries.photos().len() > 1 => unsafe {
                super::kernel_x86::avx512(queries, block, scores);
            },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { super::kernel_x86::avx2(queries, block, scores) },
            _ => {
                for (photo, scores) in queries.photos().zip(scores.chunks_exact_mut(BLOCK)) {
                    for (row, score) in block.clone().zip(scores) {
                        *score = simsimd_dot(photo, row);
                    }
                }
            }
        }
    }
}

/// NaN where the lengths differ.
#[allow(clippy::cast_possible_truncation)]
fn simsimd_dot(photo: &[Line], row: &[Line]) -> f32 {
    simsimd::bf16::dot(as_simsimd(photo), as_simsimd(row)).map_or(f32::NAN, |dot| dot as f32)
}

fn as_simsimd(lines: &[Line]) -> &[simsimd::bf16] {
    // SAFETY: a `Line` is 32 `u16`s without padding, and simsimd's type is `repr(transparent)` over
    // `u16` with each bit pattern valid; address, length in bytes and lifetime are those of `lines`.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LANES) }
}
