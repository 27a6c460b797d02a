//! A classifier's last layer: one row a class, resident in memory.
//!
//! File layout, little endian: `PHLB`, version, rows, dims (u32 each), scales (f32 a row), biases
//! (f32 a row), zeros up to a multiple of 64, weights (i8, row by row). A row's score for a vector
//! x is `scale · (weights · x) + bias`.

use ndarray::Array2;
use simsimd::SpatialSimilarity;

use super::error::TagError;

const MAGIC: &[u8; 4] = b"PHLB";
const VERSION: u32 = 1;
const ALIGN: usize = 64;

/// The label rows, ready to score.
pub struct Head {
    /// Rows × dims, expanded once so that each row is one SIMD dot product.
    weights: Array2<f32>,
    biases: Vec<f32>,
}

impl Head {
    /// Reads the file layout above.
    ///
    /// # Errors
    /// A foreign, cut-off or inconsistent file, or one with values that are not finite.
    pub fn parse(bytes: &[u8]) -> Result<Self, TagError> {
        let word = |at: usize| -> Result<u32, TagError> {
            let b = bytes
                .get(at..at + 4)
                .ok_or_else(|| TagError::Head("it is cut off in its header".to_owned()))?;
            Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        };
        if bytes.get(..4) != Some(MAGIC) || word(4)? != VERSION {
            return Err(TagError::Head(
                "it is no file of label rows of this version".to_owned(),
            ));
        }
        let (rows, dims) = (word(8)? as usize, word(12)? as usize);
        let header = 16 + rows * 8;
        let start = header.next_multiple_of(ALIGN);
        let Some(len) = rows.checked_mul(dims).filter(|n| *n > 0) else {
            return Err(TagError::Head(format!("{rows} rows × {dims} values")));
        };
        if bytes.len() != start + len {
            return Err(TagError::Mismatch {
                what: "its file size in bytes",
                found: bytes.len(),
                expected: start + len,
            });
        }
        let floats = |from: usize| -> Vec<f32> {
            bytes[from..from + rows * 4]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        };
        let (scales, biases) = (floats(16), floats(16 + rows * 4));
        if scales.iter().chain(&biases).any(|v| !v.is_finite()) {
            return Err(TagError::Head(
                "it holds values that are not finite".to_owned(),
            ));
        }
        let weights = bytes[start..]
            .chunks_exact(dims)
            .zip(&scales)
            .flat_map(|(row, scale)| row.iter().map(move |w| f32::from(w.cast_signed()) * scale))
            .collect();
        Ok(Self {
            weights: Array2::from_shape_vec((rows, dims), weights)
                .map_err(|e| TagError::Head(e.to_string()))?,
            biases,
        })
    }

    /// Number of labels.
    pub fn rows(&self) -> usize {
        self.weights.nrows()
    }

    /// Length of the vectors it scores.
    pub fn dims(&self) -> usize {
        self.weights.ncols()
    }

    /// One score a label.
    ///
    /// # Errors
    /// If the vector has another length than the rows.
    pub fn score(&self, vector: &[f32]) -> Result<Vec<f32>, TagError> {
        if vector.len() != self.dims() {
            return Err(TagError::Mismatch {
                what: "the vector's length",
                found: vector.len(),
                expected: self.dims(),
            });
        }
        Ok(self
            .weights
            .outer_iter()
            .zip(&self.biases)
            .map(|(row, bias)| {
                let row = row.to_slice().unwrap_or_default();
                f32::dot(row, vector).unwrap_or(f64::NAN) as f32 + bias
            })
            .collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of the given rows, scale 0.5, biases 0, 1, 2, …
    pub fn file(rows: &[&[i8]]) -> Vec<u8> {
        let dims = rows[0].len();
        let mut out = MAGIC.to_vec();
        for n in [VERSION, rows.len() as u32, dims as u32] {
            out.extend(n.to_le_bytes());
        }
        rows.iter().for_each(|_| out.extend(0.5f32.to_le_bytes()));
        (0..rows.len()).for_each(|i| out.extend((i as f32).to_le_bytes()));
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        for row in rows {
            out.extend(row.iter().map(|w| w.cast_unsigned()));
        }
        out
    }

    #[test]
    fn scores_are_scaled_dot_products_plus_bias() {
        let bank = Head::parse(&file(&[&[2, 0, -4], &[1, 1, 1]])).unwrap();
        assert_eq!(
            bank.score(&[1.0, 10.0, 0.5]).unwrap(),
            vec![0.0, 0.5 * 11.5 + 1.0]
        );
        assert!(bank.score(&[1.0]).is_err());
    }

    #[test]
    fn damaged_files_are_refused() {
        let good = file(&[&[2, 0, -4], &[1, 1, 1]]);
        for cut in 0..good.len() {
            assert!(Head::parse(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut nan = good.clone();
        nan[16..20].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Head::parse(&nan).is_err());
    }
}
