//! Some photos' vectors, ready to be compared.

use half::bf16;

use super::ScanError;
use super::kernel::{Block, Kernel, Queries};

/// Photos of one batch.
pub(super) struct Photos {
    dims: usize,
    /// `len · dims` values, each photo of length one.
    exact: Vec<f32>,
    /// How far a rough score may be from the exact one.
    margins: Vec<f32>,
    kernel: Kernel,
    queries: Queries,
}

impl Photos {
    /// `stride` is the rows': photos are padded with zeros to the same length.
    pub(super) fn new(
        photos: &[&[f32]],
        dims: usize,
        stride: usize,
        kernel: Kernel,
    ) -> Result<Self, ScanError> {
        let mut exact = Vec::with_capacity(photos.len() * dims);
        let mut margins = Vec::with_capacity(photos.len());
        let mut queries = Queries::new(photos.len(), stride);
        for (photo, vector) in photos.iter().enumerate() {
            if vector.len() != dims {
                return Err(ScanError::Dims {
                    photo,
                    expected: dims,
                    found: vector.len(),
                });
            }
            let squares: f64 = vector.iter().map(|v| f64::from(*v).powi(2)).sum();
            let length = squares.sqrt();
            if !squares.is_finite() || length < 1e-12 {
                return Err(ScanError::NoDirection { photo });
            }
            let start = exact.len();
            #[allow(clippy::cast_possible_truncation)]
            exact.extend(vector.iter().map(|v| (f64::from(*v) / length) as f32));
            let exact = &exact[start..];
            let rounded: Vec<bf16> = exact.iter().map(|v| bf16::from_f32(*v)).collect();
            margins.push(margin(exact, &rounded));
            queries.push(&rounded);
        }
        Ok(Self {
            dims,
            exact,
            margins,
            kernel,
            queries,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.margins.len()
    }

    /// Cache lines of each photo and row.
    pub(super) fn lines(&self) -> usize {
        self.queries.lines()
    }

    pub(super) fn margins(&self) -> impl Iterator<Item = f32> {
        self.margins.iter().copied()
    }

    pub(super) fn exact(&self, photo: usize) -> &[f32] {
        &self.exact[photo * self.dims..(photo + 1) * self.dims]
    }

    /// Rough scores: those of photo `p` from `p · BLOCK` on, one for each row of the block.
    pub(super) fn score<'a>(&self, block: impl Block<'a>, scores: &mut [f32]) {
        self.kernel.score(&self.queries, block, scores);
    }
}

/// A bound on |rough − exact| for rows whose length is at most 1 + 2⁻⁶ (a bank takes vectors up to
/// 1 + 2⁻⁸ as they are, and rounding to bf16 makes them at most 2⁻⁸ longer): by Cauchy and Schwarz the length of what rounding took from the photo,
/// and for `n` products of length one summed in f32 in any order `n · 2⁻²³`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn margin(exact: &[f32], rounded: &[bf16]) -> f32 {
    let lost: f64 = exact
        .iter()
        .zip(rounded)
        .map(|(e, r)| (f64::from(*e) - r.to_f64()).powi(2))
        .sum();
    let sums = exact.len() as f64 * f64::from(f32::EPSILON);
    ((lost.sqrt() + sums) * (1.0 + 1.0 / 64.0)) as f32
}
