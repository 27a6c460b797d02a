//! What ours is set beside. All but the first give scores only; choosing the best is not counted
//! against them.

use std::hint::black_box;

use photond::tag::TermBank;
use simsimd::SpatialSimilarity;

use crate::made::DIMS;

/// Reads every byte once, as fast as a loop of sums does.
pub fn read_once(bits: &[u16], threads: usize) -> u64 {
    let read = |bits: &[u16]| {
        let mut sums = [0u64; 16];
        // SAFETY: four `u16`s are a `u64`; what is not aligned to it is left out.
        let (_, words, _) = unsafe { bits.align_to::<u64>() };
        for words in words.as_chunks::<16>().0 {
            for (sum, word) in sums.iter_mut().zip(words) {
                *sum = sum.wrapping_add(*word);
            }
        }
        sums.iter().fold(0u64, |a, b| a.wrapping_add(*b))
    };
    in_parts(bits, threads, read).into_iter().sum()
}

/// One row after the other with simsimd's bf16 kernel, the photo rounded to bf16.
pub fn simsimd(bank: &TermBank, photo: &[f32], threads: usize) -> usize {
    let photo: Vec<simsimd::bf16> = photo
        .iter()
        .map(|v| simsimd::bf16(half::bf16::from_f32(*v).to_bits()))
        .collect();
    let score = |bits: &[u16]| -> Vec<f32> {
        bits.chunks_exact(bank.stride())
            .map(|row| {
                let row = &row[..DIMS];
                // SAFETY: simsimd's type is `repr(transparent)` over `u16`.
                let row = unsafe {
                    std::slice::from_raw_parts(row.as_ptr().cast::<simsimd::bf16>(), row.len())
                };
                simsimd::bf16::dot(&photo, row).expect("the same length") as f32
            })
            .collect()
    };
    in_parts(bank.raw(), threads, score)
        .iter()
        .map(Vec::len)
        .sum()
}

/// A loop of products and sums in f32.
pub fn scalar(floats: &[f32], photo: &[f32]) -> Vec<f32> {
    black_box(floats)
        .chunks_exact(DIMS)
        .map(|row| row.iter().zip(photo).map(|(a, b)| a * b).sum())
        .collect()
}

fn in_parts<T: Send>(bits: &[u16], threads: usize, work: impl Fn(&[u16]) -> T + Sync) -> Vec<T> {
    let bits = black_box(bits);
    if threads == 1 {
        return vec![work(bits)];
    }
    let rows = bits.len() / DIMS;
    std::thread::scope(|scope| {
        let parts: Vec<_> = bits
            .chunks(rows.div_ceil(threads) * DIMS)
            .map(|part| scope.spawn(|| work(part)))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("no panic"))
            .collect()
    })
}
