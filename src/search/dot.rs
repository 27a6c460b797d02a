//! One query's dot product with one row, the innermost step of every scan.
//!
//! simsimd's f16 kernel for AVX2 gathers into one register, so that every step waits for the one
//! before it, and a scan takes twice the time that reading the vectors takes. The kernel here holds
//! four sums and the query in f32, and waits for memory instead. Where the processor has no AVX2
//! (or is no x86-64), simsimd's does it. Both multiply the same f16 values and sum in f32: they
//! differ by some 1e-6.

use half::f16;
use simsimd::SpatialSimilarity;

/// A query's values, rounded to f16 like the rows'.
pub(super) struct Dot {
    halves: Vec<simsimd::f16>,
    /// The same in f32, where the kernel here can run.
    floats: Option<Vec<f32>>,
}

impl Dot {
    pub(super) fn new(query: &[f16]) -> Self {
        let floats = || query.iter().map(|v| v.to_f32()).collect();
        Self {
            halves: query.iter().map(|v| simsimd::f16(v.to_bits())).collect(),
            floats: wide().then(floats),
        }
    }

    /// NaN where the lengths differ.
    #[inline]
    pub(super) fn with(&self, row: &[f16]) -> f32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(query) = &self.floats {
            if query.len() != row.len() {
                return f32::NAN;
            }
            // SAFETY: the floats are there only where `wide` found every feature it is built with.
            return unsafe { avx2(query, row) };
        }
        self.plain(row)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn plain(&self, row: &[f16]) -> f32 {
        simsimd::f16::dot(&self.halves, as_simsimd(row)).map_or(f32::NAN, |d| d as f32)
    }
}

fn as_simsimd(halves: &[f16]) -> &[simsimd::f16] {
    // SAFETY: both types are `repr(transparent)` over `u16` with every bit pattern valid; address,
    // length and lifetime are those of `halves`.
    unsafe { std::slice::from_raw_parts(halves.as_ptr().cast(), halves.len()) }
}

/// Whether the processor can run the kernel here.
fn wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    let wide = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    #[cfg(not(target_arch = "x86_64"))]
    let wide = false;
    wide
}

/// Both of the same length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2(query: &[f32], row: &[f16]) -> f32 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_add_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let (queries, last_of_query) = query.as_chunks::<32>();
    let (rows, last_of_row) = row.as_chunks::<32>();
    let mut sums = [_mm256_setzero_ps(); 4];
    for (query, row) in queries.iter().zip(rows) {
        for (at, sum) in sums.iter_mut().enumerate() {
            // SAFETY: eight values from 8·`at` on lie within both arrays of 32; loads need no
            // alignment.
            let (q, r) = unsafe {
                (
                    _mm256_loadu_ps(query.as_ptr().add(8 * at)),
                    _mm_loadu_si128(row.as_ptr().add(8 * at).cast()),
                )
            };
            *sum = _mm256_fmadd_ps(_mm256_cvtph_ps(r), q, *sum);
        }
    }
    let [a, b, c, d] = sums;
    let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
    let mut lanes = [0f32; 8];
    // SAFETY: room for eight values; stores need no alignment.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    let rest = last_of_query.iter().zip(last_of_row);
    lanes.iter().sum::<f32>() + rest.map(|(q, r)| q * r.to_f32()).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u32, len: usize) -> Vec<f16> {
        let scale = (len as f32).sqrt().recip();
        (0..len as u32)
            .map(|i| f16::from_f32(((i * 37 + seed * 101) % 61) as f32 / 30.0 * scale - scale))
            .collect()
    }

    #[test]
    fn both_kernels_give_the_sum_of_products() {
        for len in (0..100).chain([384, 767, 768, 1152]) {
            let (query, row) = (values(1, len), values(2, len));
            let exact: f64 = query
                .iter()
                .zip(&row)
                .map(|(a, b)| a.to_f64() * b.to_f64())
                .sum();
            let dot = Dot::new(&query);
            for got in [dot.with(&row), dot.plain(&row)] {
                assert!(
                    (f64::from(got) - exact).abs() < 1e-5,
                    "{len}: {got}, {exact}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_number_or_of_another_length_is_nan() {
        let query = values(1, 70);
        let dot = Dot::new(&query);
        for at in [0, 33, 69] {
            let mut row = values(2, 70);
            row[at] = f16::NAN;
            assert!(dot.with(&row).is_nan() && dot.plain(&row).is_nan(), "{at}");
        }
        assert!(dot.with(&query[..64]).is_nan() && dot.plain(&query[..64]).is_nan());
    }
}
