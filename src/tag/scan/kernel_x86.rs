//! Kernels for x86-64: one row and up to eight photos at a time, all sums in registers.
//!
//! One row after the other, because that is how memory is read fastest: four rows side by side, with
//! four photos each, save loads and took three times as long for one photo and 1.5 times for eight.

use std::arch::x86_64::{
    __m256, __m512bh, __m512i, _MM_HINT_T1, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehdup_ps,
    _mm_movehl_ps, _mm_prefetch, _mm256_add_ps, _mm256_and_si256, _mm256_castps256_ps128,
    _mm256_castsi256_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_load_si256,
    _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi32, _mm512_add_ps, _mm512_dpbf16_ps,
    _mm512_load_si512, _mm512_reduce_add_ps, _mm512_setzero_ps,
};
use std::array::from_fn;

use super::kernel::{BLOCK, Block, Line, Queries};

/// Photos in registers at once.
const PHOTOS: usize = 8;

/// Makes `fn(queries, block, scores)` of a function for one row, `P` photos and `A` sums a photo:
/// so many that no product waits for the sum before it.
macro_rules! kernel {
    ($name:ident, $features:literal, $few:ident) => {
        /// See [`super::kernel::Kernel::score`].
        #[target_feature(enable = $features)]
        pub(super) fn $name<'a>(queries: &Queries, block: impl Block<'a>, scores: &mut [f32]) {
            let groups = queries
                .groups(PHOTOS)
                .zip(scores.chunks_mut(PHOTOS * BLOCK));
            for (photos, scores) in groups {
                match photos.len() / queries.lines() {
                    1 => some::<1, 4>(photos, block.clone(), scores),
                    2 => some::<2, 2>(photos, block.clone(), scores),
                    3 => some::<3, 2>(photos, block.clone(), scores),
                    4 => some::<4, 1>(photos, block.clone(), scores),
                    5 => some::<5, 1>(photos, block.clone(), scores),
                    6 => some::<6, 1>(photos, block.clone(), scores),
                    7 => some::<7, 1>(photos, block.clone(), scores),
                    _ => some::<PHOTOS, 1>(photos, block.clone(), scores),
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn some<'a, const P: usize, const A: usize>(
                photos: &[Line],
                block: impl Block<'a>,
                scores: &mut [f32],
            ) {
                let lines = photos.len() / P;
                let photos: [&[Line]; P] = from_fn(|p| &photos[p * lines..(p + 1) * lines]);
                for (at, row) in block.enumerate() {
                    let sums = $few::<P, A>(photos, &row[..lines]);
                    for (scores, sum) in scores.chunks_exact_mut(BLOCK).zip(sums) {
                        scores[at] = sum;
                    }
                }
            }
        }
    };
}

kernel!(avx512, "avx512f,avx512bf16", avx512_few);
kernel!(avx2, "avx2,fma", avx2_few);

/// Begins to read a row into the second cache.
pub(super) fn prefetch(row: &[Line]) {
    for line in row {
        // SAFETY: every x86-64 processor has it, and it reads nothing that the program sees.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(line).cast()) };
    }
}

/// All of the same length.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn avx512_few<const P: usize, const A: usize>(photos: [&[Line]; P], row: &[Line]) -> [f32; P] {
    let mut sums = [[_mm512_setzero_ps(); A]; P];
    let (several, rest) = row.as_chunks::<A>();
    for (at, several) in several.iter().enumerate() {
        for (a, line) in several.iter().enumerate() {
            let values = as_bf16(line);
            for p in 0..P {
                let photo = as_bf16(&photos[p][at * A + a]);
                sums[p][a] = _mm512_dpbf16_ps(sums[p][a], photo, values);
            }
        }
    }
    for (at, line) in (row.len() - rest.len()..).zip(rest) {
        for p in 0..P {
            sums[p][0] = _mm512_dpbf16_ps(sums[p][0], as_bf16(&photos[p][at]), as_bf16(line));
        }
    }
    let mut out = [0.0; P];
    for p in 0..P {
        let mut sum = sums[p][0];
        for other in &sums[p][1..] {
            sum = _mm512_add_ps(sum, *other);
        }
        out[p] = _mm512_reduce_add_ps(sum);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f")]
fn as_bf16(line: &Line) -> __m512bh {
    // SAFETY: a line is 64 bytes, aligned to 64.
    let bits: __m512i = unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) };
    // SAFETY: 64 bytes both, of which each bit pattern is valid.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) }
}

/// All of the same length. A bf16 is the upper half of an f32: of each pair of values the second is
/// one already when the first is masked away, and the first when it is shifted up.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn avx2_few<const P: usize, const A: usize>(photos: [&[Line]; P], row: &[Line]) -> [f32; P] {
    let mut sums = [[_mm256_setzero_ps(); A]; P];
    for (at, line) in row.iter().enumerate() {
        for half in 0..2 {
            let row = widen(line, half);
            for p in 0..P {
                let photo = widen(&photos[p][at], half);
                for parity in 0..2 {
                    let sum = &mut sums[p][(2 * half + parity) % A];
                    *sum = _mm256_fmadd_ps(photo[parity], row[parity], *sum);
                }
            }
        }
    }
    let mut out = [0.0; P];
    for p in 0..P {
        let mut sum = sums[p][0];
        for other in &sums[p][1..] {
            sum = _mm256_add_ps(sum, *other);
        }
        out[p] = sum_of_eight(sum);
    }
    out
}

/// The first or second 16 values of a line: those in even and those in odd places.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(line: &Line, half: usize) -> [__m256; 2] {
    let (halves, _) = line.0.as_chunks::<16>();
    // SAFETY: 16 values are 32 bytes, aligned to 32 as a line is to 64.
    let pairs = unsafe { _mm256_load_si256(std::ptr::from_ref(&halves[half]).cast()) };
    let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    [
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
        _mm256_castsi256_ps(_mm256_and_si256(pairs, upper)),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum_of_eight(values: __m256) -> f32 {
    let four = _mm_add_ps(
        _mm256_castps256_ps128(values),
        _mm256_extractf128_ps::<1>(values),
    );
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
