//! The second step: some rows scored so that the result is the same everywhere.

use super::select::MOST;
use super::{Hit, Scan};

/// Sums that go on side by side. A product of f32 and bf16 is exact in f64, so that the order of
/// the sums is all that could make a difference, and it is fixed here.
const SUMS: usize = 16;

/// Photo · row in f64. The row's padding is left out.
pub(super) fn dot(photo: &[f32], row: &[u16]) -> f64 {
    let row = &row[..photo.len()];
    let mut sums = [0f64; SUMS];
    let (photos, photo_rest) = photo.as_chunks::<SUMS>();
    let (rows, row_rest) = row.as_chunks::<SUMS>();
    for (photo, row) in photos.iter().zip(rows) {
        for ((sum, p), r) in sums.iter_mut().zip(photo).zip(row) {
            *sum += f64::from(*p) * value(*r);
        }
    }
    let rest: f64 = photo_rest
        .iter()
        .zip(row_rest)
        .map(|(p, r)| f64::from(*p) * value(*r))
        .sum();
    sums.iter().sum::<f64>() + rest
}

/// A bf16 is the upper half of an f32.
fn value(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// The `k` best of `near`, best first, ties by row.
pub(super) fn best(scan: &Scan<'_>, photo: usize, near: &[u32], k: usize) -> Vec<Hit> {
    let photo = scan.photos.exact(photo);
    let mut hits: Vec<Hit> = near
        .iter()
        .map(|row| {
            #[allow(clippy::cast_possible_truncation)]
            let cosine = dot(photo, scan.row(*row as usize)) as f32;
            Hit { row: *row, cosine }
        })
        .filter(|hit| hit.cosine.abs() <= MOST)
        .collect();
    hits.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
    hits.truncate(k);
    hits
}
