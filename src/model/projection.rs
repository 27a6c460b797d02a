//! Class probabilities in, a vector in a text model's space out: the image side of a derived pack.
//!
//! The method is `ConSE` (Norouzi et al. 2013): each class of the classifier has a vector in the
//! text model's space, and a picture's vector is the mean of its likeliest classes' vectors,
//! weighted by their probabilities: `normalise(Σ over the top k of p · (class − μ))`, where μ is
//! the mean of all class vectors. Taking μ away removes what all classes have in common, and the
//! text side of the pack takes the same μ from its vectors ([`Projection::centre`]).
//!
//! Costs some ten multiplications of `dims` values a photo: no inference. Owns no session; shared
//! between threads by reference.
//!
//! # `class_vectors.bin`
//!
//! Little-endian, nothing between the parts, nothing after the last:
//!
//! | offset | what |
//! |---|---|
//! | 0 | magic, 4 bytes: `PHCV` |
//! | 4 | u32 version: 1 |
//! | 8 | u32 `rows`: classes, in the order of the classifier's outputs |
//! | 12 | u32 `dims`: the pack's `dims` |
//! | 16 | `dims` × f32: μ, the mean of the (unit length) class vectors |
//! | 16 + 4·dims | `rows` × `dims` × IEEE f16, row after row: class − μ, not normalised |
//!
//! Size: `16 + 4·dims + 2·rows·dims` bytes. Every value is finite.

use half::f16;

use super::error::ModelError;
use super::pack::{DerivedImage, ImageSide, ModelPack};
use super::unit::finished;
use crate::embedding::Embedding;

const MAGIC: &[u8; 4] = b"PHCV";
const VERSION: u32 = 1;
const HEADER: usize = 16;

/// The classes' vectors of a derived pack.
#[derive(Debug)]
pub struct Projection {
    pack: String,
    dims: usize,
    rows: usize,
    top: usize,
    centre: Vec<f32>,
    /// `rows` × `dims`, class − μ.
    classes: Vec<f16>,
}

impl Projection {
    /// Reads the class vectors of a derived pack.
    ///
    /// # Errors
    /// If the pack is not derived, or the file is not as the module's documentation says.
    pub fn new(pack: &ModelPack) -> Result<Self, ModelError> {
        let ImageSide::Derived(derived) = &pack.image else {
            return Err(ModelError::BadPack {
                pack: pack.id.to_string(),
                reason: "its photo vectors come from a graph of its own, it has no class vectors"
                    .to_owned(),
            });
        };
        let bytes = pack.file(&derived.class_vectors)?;
        Self::parse(&bytes, pack.id.to_string(), pack.dims, derived)
    }

    fn parse(
        bytes: &[u8],
        pack: String,
        dims: usize,
        derived: &DerivedImage,
    ) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: pack.clone(),
            reason: format!("{} {reason}", derived.class_vectors),
        };
        if bytes.len() < HEADER || bytes[..4] != *MAGIC {
            return Err(bad("is no file of class vectors".to_owned()));
        }
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if word(4) != VERSION {
            return Err(bad(format!(
                "has version {}; this photond reads {VERSION}",
                word(4)
            )));
        }
        let (rows, found) = (word(8) as usize, word(12) as usize);
        if found != dims {
            return Err(ModelError::Dimensions {
                pack,
                what: derived.class_vectors.clone(),
                expected: dims,
                found,
            });
        }
        // In u64, where the product of two u32 and a 2 cannot wrap around.
        let size = HEADER as u64 + 4 * dims as u64 + 2 * rows as u64 * dims as u64;
        if rows == 0 || bytes.len() as u64 != size {
            return Err(bad(format!(
                "has {} bytes, not the {size} of {rows} classes",
                bytes.len()
            )));
        }
        let (middle, vectors) = bytes[HEADER..].split_at(4 * dims);
        let centre: Vec<f32> = middle
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let classes: Vec<f16> = vectors
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]))
            .collect();
        if centre.iter().any(|v| !v.is_finite()) {
            return Err(bad("has a centre that is not finite".to_owned()));
        }
        if let Some(at) = classes.iter().position(|v| !v.is_finite()) {
            return Err(bad(format!(
                "has a value that is not finite in class {}",
                at / dims
            )));
        }
        Ok(Self {
            top: derived.top.min(rows),
            pack,
            dims,
            rows,
            centre,
            classes,
        })
    }

    /// μ alone; the classes are let go.
    pub(super) fn into_centre(self) -> Vec<f32> {
        self.centre
    }

    /// A photo's vector, of length one, from the classifier's probabilities in its order of classes.
    /// Of equally likely classes the first counts, so that the same probabilities always give the
    /// same vector.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if there is not one probability a class, each 0 to 1.
    pub fn project(&self, probabilities: &[f32]) -> Result<Embedding, ModelError> {
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        if probabilities.len() != self.rows {
            return Err(bad(format!(
                "it wants the probabilities of {} classes, got {}",
                self.rows,
                probabilities.len()
            )));
        }
        // A hair above 1 is rounding.
        if let Some(at) = probabilities
            .iter()
            .position(|p| !(0.0..=1.001).contains(p))
        {
            return Err(bad(format!(
                "the probability of class {at} is {}",
                probabilities[at]
            )));
        }
        let likelier = |a: &usize, b: &usize| {
            probabilities[*b]
                .total_cmp(&probabilities[*a])
                .then(a.cmp(b))
        };
        let mut order: Vec<usize> = (0..self.rows).collect();
        if self.top < self.rows {
            order.select_nth_unstable_by(self.top, likelier);
            order.truncate(self.top);
        }
        order.sort_unstable_by(likelier);
        let mut sum = vec![0f32; self.dims];
        for class in order {
            let p = probabilities[class];
            let vector = &self.classes[class * self.dims..][..self.dims];
            for (total, value) in sum.iter_mut().zip(vector) {
                *total += p * value.to_f32();
            }
        }
        finished(&self.pack, sum, true)
    }
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
