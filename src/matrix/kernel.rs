//! The innermost step: one row against a few queries.
//!
//! simsimd takes one query at a time, and for AVX2 it keeps one sum, each step of which waits for the
//! one before: of eight photos each took 11 ms against 68,000 × 768 terms. Where there is AVX2 the loop
//! here widens a row once and compares it with four queries while it is in registers: 2.2 ms, and
//! for one photo as fast as memory gives the rows. Everywhere else simsimd does it. Either way the dot
//! product of a row and a query is the same to the last bit, whatever other queries there are.

use std::ops::Range;

use half::bf16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use simsimd::SpatialSimilarity;

/// Values in a step. Rows are padded with zeros to whole steps.
const STEP: usize = 16;
/// Queries compared with a row at once.
const TOGETHER: usize = 4;

/// Queries, ready to be compared.
pub(super) struct Queries {
    count: usize,
    /// Steps of each query.
    steps: usize,
    values: Values,
}

/// One query after the other, each padded with zeros to whole steps.
enum Values {
    /// Of each step those in even places, then those in odd ones.
    #[cfg(target_arch = "x86_64")]
    Avx2(Vec<[f32; STEP]>),
    Simsimd(Vec<bf16>),
}

impl Queries {
    /// Of vectors of one length.
    pub fn new(queries: &[Vec<f32>], dims: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self::with(queries, dims, |all| {
                let parted = |step: &[f32; STEP]| {
                    std::array::from_fn(|i| step[if i < 8 { 2 * i } else { 2 * i - STEP + 1 }])
                };
                Values::Avx2(all.as_chunks().0.iter().map(parted).collect())
            });
        }
        Self::for_simsimd(queries, dims)
    }

    fn for_simsimd(queries: &[Vec<f32>], dims: usize) -> Self {
        Self::with(queries, dims, |all| {
            let mut narrow = vec![bf16::ZERO; all.len()];
            narrow.convert_from_f32_slice(all);
            Values::Simsimd(narrow)
        })
    }

    fn with(queries: &[Vec<f32>], dims: usize, values: impl Fn(&[f32]) -> Values) -> Self {
        let steps = dims.div_ceil(STEP);
        let mut all = Vec::with_capacity(queries.len() * steps * STEP);
        for query in queries {
            all.extend(query);
            all.resize(all.len().next_multiple_of(steps * STEP), 0.0);
        }
        Self {
            count: queries.len(),
            steps,
            values: values(&all),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Groups of queries that are compared with a row at once.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let last = self.count;
        let starts = (0..last).step_by(TOGETHER);
        starts.map(move |from| from..(from + TOGETHER).min(last))
    }

    /// The dot product of a row, padded to whole steps, and each query of a group, into `scores`.
    pub fn compare(&self, group: &Range<usize>, row: &[u16], scores: &mut [f32]) {
        let row = &row[..self.steps * STEP];
        match &self.values {
            #[cfg(target_arch = "x86_64")]
            Values::Avx2(values) => {
                let queries = &values[group.start * self.steps..group.end * self.steps];
                // SAFETY: these values are made only where the processor has both.
                unsafe { avx2::compare(queries, row.as_chunks().0, scores) }
            }
            Values::Simsimd(values) => {
                let queries = &values[group.start * row.len()..group.end * row.len()];
                for (query, score) in queries.chunks_exact(row.len()).zip(scores) {
                    *score = by_simsimd(query, row.reinterpret_cast());
                }
            }
        }
    }
}

/// Both of the same length.
fn by_simsimd(query: &[bf16], row: &[bf16]) -> f32 {
    /// simsimd's name for the same 16 bits.
    fn as_its(values: &[bf16]) -> &[simsimd::bf16] {
        // SAFETY: both types are `repr(transparent)` over `u16`, of which every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
    }
    simsimd::bf16::dot(as_its(query), as_its(row)).map_or(f32::NAN, |dot| dot as f32)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_ps,
        _mm256_slli_epi32, _mm256_storeu_ps,
    };
    use std::array::from_fn;

    use super::STEP;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn compare(queries: &[[f32; STEP]], row: &[[u16; STEP]], scores: &mut [f32]) {
        match scores.len() {
            1 => few::<1>(queries, row, scores),
            2 => few::<2>(queries, row, scores),
            3 => few::<3>(queries, row, scores),
            _ => few::<4>(queries, row, scores),
        }
    }

    /// Two sums a query, so that fewer products wait for the one before.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn few<const Q: usize>(queries: &[[f32; STEP]], row: &[[u16; STEP]], scores: &mut [f32]) {
        let queries: [&[[f32; STEP]]; Q] = from_fn(|q| &queries[q * row.len()..][..row.len()]);
        let mut sums = [[_mm256_setzero_ps(); 2]; Q];
        for (at, values) in row.iter().enumerate() {
            let values = widen(values);
            for (sums, query) in sums.iter_mut().zip(queries) {
                for (parity, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: of 16 values the 8 from the first or the ninth on.
                    let query = unsafe { _mm256_loadu_ps(query[at].as_ptr().add(8 * parity)) };
                    *sum = _mm256_fmadd_ps(values[parity], query, *sum);
                }
            }
        }
        for (score, [even, odd]) in scores.iter_mut().zip(sums) {
            let mut eight = [0.0; 8];
            // SAFETY: room for eight values.
            unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), _mm256_add_ps(even, odd)) };
            *score = eight.iter().sum();
        }
    }

    /// The values in even places and those in odd ones. A bf16 is the upper half of an f32: of each
    /// pair the second is one already once the first is masked away, the first once it is shifted up.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn widen(values: &[u16; STEP]) -> [__m256; 2] {
        // SAFETY: 16 values are 32 bytes.
        let pairs = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
        [
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, upper)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_say_the_same_and_company_changes_no_bit() {
        for dims in [1, 15, 16, 17, 384, 768, 1152] {
            let value = |n: usize| ((n * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
            let queries: Vec<Vec<f32>> = (0..11)
                .map(|q| (0..dims).map(|i| value(q * 1000 + i)).collect())
                .collect();
            let padded = dims.next_multiple_of(32);
            let mut row: Vec<u16> = (0..dims)
                .map(|i| bf16::from_f32(value(i + 77)).to_bits())
                .collect();
            row.resize(padded, 0);
            let compare = |queries: &Queries| {
                let mut scores = vec![0.0; queries.len()];
                for group in queries.groups() {
                    queries.compare(&group, &row, &mut scores[group.clone()]);
                }
                scores
            };
            let scores = compare(&Queries::new(&queries, dims));
            let by_simsimd = compare(&Queries::for_simsimd(&queries, dims));
            for (query, score) in scores.iter().enumerate() {
                let alone = compare(&Queries::new(&queries[query..=query], dims));
                assert_eq!(alone[0].to_bits(), score.to_bits(), "{dims}, {query}");
                // Queries are rounded to 8 bits there.
                let near = (score - by_simsimd[query]).abs();
                assert!(near < 0.01 * (dims as f32).sqrt(), "{dims}: {near}");
            }
        }
    }
}
