//! Vectors as they lie in a bank: checked, scaled to length one, rounded to bf16, padded.

use std::path::Path;

use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::error::BankError;
use super::layout::Layout;

/// A vector whose length is this near to one is stored as it is, so that a row taken over from a
/// former bank keeps its bits: rounding to bf16 changes a value by at most 2⁻⁸ of it.
const NEAR_ONE: f64 = 1.0 / 256.0;

/// Whether these are whole vectors with a direction, the first meant for row `first`.
pub(super) fn look_at(
    path: &Path,
    layout: &Layout,
    first: usize,
    rows: &[f32],
) -> Result<(), BankError> {
    if !rows.len().is_multiple_of(layout.dims) {
        return Err(BankError::Dims {
            path: path.to_path_buf(),
            values: rows.len(),
            dims: layout.dims,
        });
    }
    for (at, row) in rows.chunks_exact(layout.dims).enumerate() {
        scale(row).map_err(|reason| BankError::BadRow {
            path: path.to_path_buf(),
            row: first + at,
            reason,
        })?;
    }
    Ok(())
}

/// Rows as they lie in a file.
pub(super) fn encode(path: &Path, layout: &Layout, rows: &[f32]) -> Result<Vec<u8>, BankError> {
    look_at(path, layout, 0, rows)?;
    let mut encoded = Encoded::new(layout, layout.capacity);
    encoded.fill(rows);
    Ok(encoded.bytes)
}

/// Some rows as they lie in the file; used again for the next ones.
pub(super) struct Encoded {
    dims: usize,
    stride: usize,
    bytes: Vec<u8>,
    scaled: Vec<f32>,
    halves: Vec<bf16>,
}

impl Encoded {
    pub(super) fn new(layout: &Layout, rows: usize) -> Self {
        Self {
            dims: layout.dims,
            stride: layout.stride,
            bytes: Vec::with_capacity(rows * layout.stride),
            scaled: vec![0.0; layout.dims],
            halves: vec![bf16::ZERO; layout.dims],
        }
    }

    /// Of rows that `scale` has accepted.
    pub(super) fn fill(&mut self, rows: &[f32]) -> &[u8] {
        self.bytes.clear();
        for row in rows.chunks_exact(self.dims) {
            let by = scale(row).unwrap_or(1.0);
            for (to, from) in self.scaled.iter_mut().zip(row) {
                *to = from * by;
            }
            self.halves.convert_from_f32_slice(&self.scaled);
            let end = self.bytes.len() + self.stride;
            self.bytes
                .extend(self.halves.iter().flat_map(|half| half.to_ne_bytes()));
            self.bytes.resize(end, 0);
        }
        &self.bytes
    }
}

/// What makes a vector's length one, or why nothing does.
fn scale(row: &[f32]) -> Result<f32, &'static str> {
    let squares: f64 = row.iter().map(|v| f64::from(*v).powi(2)).sum();
    if !squares.is_finite() {
        return Err("has a value that is not a number or infinite");
    }
    let length = squares.sqrt();
    // Far above where f32 loses digits, far below what any model gives.
    if length < 1e-12 {
        return Err("has no direction: all its values are zero");
    }
    if (length - 1.0).abs() < NEAR_ONE {
        return Ok(1.0);
    }
    #[allow(clippy::cast_possible_truncation)]
    let scale = length.recip() as f32;
    Ok(scale)
}
