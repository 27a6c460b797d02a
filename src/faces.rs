//! Floor 0: faces that can be told apart, and how they are kept.
//!
//! The faces of a photo are kept where vectors are, each as its box ([`crate::boxes`], six numbers) and then its
//! vector of [`DIMS`] numbers. A photo without such faces has a vector of length 0.

use crate::boxes::{self, DetectedBox};
use crate::embedding::Embedding;

/// Length of a face's vector.
pub const DIMS: usize = 128;

/// Numbers that a face is kept in.
pub const NUMBERS: usize = boxes::NUMBERS + DIMS;

/// Most faces of one photo: the surest. A crowd of more is nobody's album.
pub const MOST: usize = 100;

/// Two boxes are of one face from this overlap on.
pub const SAME_PLACE: f32 = 0.4;

/// A face and what tells it from others.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Where it is.
    pub found: DetectedBox,
    /// [`DIMS`] finite numbers; faces of one person lie near each other.
    pub vector: Vec<f32>,
}

/// Faces as they are kept.
pub fn kept(faces: &[Face]) -> Embedding {
    let mut values = Vec::with_capacity(faces.len() * NUMBERS);
    for face in faces {
        values.extend(boxes::kept(&[face.found]).values);
        values.extend(&face.vector);
    }
    Embedding { values }.as_kept()
}

/// The faces that are kept in these numbers. What is no face is passed over.
pub fn of(values: &[f32]) -> Vec<Face> {
    let faces = values.as_chunks::<NUMBERS>().0.iter();
    faces
        .filter_map(|numbers| {
            let (found, vector) = numbers.split_at(boxes::NUMBERS);
            let found = *boxes::of(found).first()?;
            let whole = vector.iter().all(|v| v.is_finite());
            whole.then(|| Face {
                found,
                vector: vector.to_vec(),
            })
        })
        .take(MOST)
        .collect()
}

/// How far two vectors are apart.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    apart.sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn face(left: f32, value: f32) -> Face {
        let found = DetectedBox {
            class: 0,
            score: 0.75,
            left,
            top: 0.25,
            right: left + 0.125,
            bottom: 0.5,
        };
        let vector = vec![value; DIMS];
        Face { found, vector }
    }

    #[test]
    fn what_is_no_face_is_passed_over() {
        assert!(of(&[]).is_empty());
        let (one, two) = (face(0.25, 0.5), face(0.5, -0.25));
        let mut values = kept(&[one.clone(), two.clone()]).values;
        assert_eq!(of(&values), [one, two.clone()]);
        values[20] = f32::NAN;
        assert_eq!(of(&values), std::slice::from_ref(&two));
        values[20] = 0.0;
        values[3] = 7.0;
        assert_eq!(of(&values), std::slice::from_ref(&two));
        // One that is cut short is none.
        values.truncate(2 * NUMBERS - 1);
        assert!(of(&values).is_empty());
    }

    #[test]
    fn a_crowd_is_bounded() {
        let many: Vec<Face> = (0..MOST + 20).map(|_| face(0.25, 0.5)).collect();
        assert_eq!(of(&kept(&many).values).len(), MOST);
    }

    proptest! {
        #[test]
        fn faces_are_sound_whatever_is_stored(values in prop::collection::vec(any::<f32>(), 0..3 * NUMBERS)) {
            let faces = of(&values);
            prop_assert!(faces.iter().all(|f| f.found.is_sound() && f.vector.len() == DIMS));
            prop_assert!(faces.iter().flat_map(|f| &f.vector).all(|v| v.is_finite()));
        }
    }
}
