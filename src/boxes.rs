//! Floor 0: what a detector found in a photo, and how it is kept.
//!
//! The boxes of a photo are kept where vectors are, as six numbers each in half precision (class, score,
//! left, top, right, bottom), the surest first: whoever catches models up, forgets one or carries its
//! results need not know which kind it is. A photo in which nothing was found has a vector of length 0.

use crate::embedding::Embedding;

/// Numbers that a box is kept in.
pub const NUMBERS: usize = 6;

/// Most classes of a detector: half precision tells whole numbers apart up to there.
pub const MOST_CLASSES: usize = 2048;

/// Something that was found, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectedBox {
    /// Which of the detector's classes it is.
    pub class: usize,
    /// What the network gave it, 0 to 1.
    pub score: f32,
    /// Shares of the upright picture's width and height, 0 to 1.
    pub left: f32,
    /// See `left`.
    pub top: f32,
    /// See `left`.
    pub right: f32,
    /// See `left`.
    pub bottom: f32,
}

impl DetectedBox {
    /// Share of the picture that it covers.
    pub fn area(&self) -> f32 {
        (self.right - self.left) * self.height()
    }

    /// Share of the picture's height.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// The area both cover as a share of the area either covers.
    pub fn overlap(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        let both = width.max(0.0) * height.max(0.0);
        if both > 0.0 {
            both / (self.area() + other.area() - both)
        } else {
            0.0
        }
    }

    /// Whether it counts where it matters how many there are.
    pub fn is_counted(&self) -> bool {
        const LEAST_SCORE: f32 = 0.4;
        const LEAST_AREA: f32 = 0.002;
        self.score >= LEAST_SCORE && self.area() >= LEAST_AREA
    }

    /// Whether it lies in the picture, covers some of it and has a score that is one.
    pub fn is_sound(&self) -> bool {
        let within = |v: f32| (0.0..=1.0).contains(&v);
        let edges = [self.left, self.top, self.right, self.bottom, self.score];
        edges.into_iter().all(within) && self.left < self.right && self.top < self.bottom
    }
}

/// Boxes as they are kept.
pub fn kept(boxes: &[DetectedBox]) -> Embedding {
    let numbers = |b: &DetectedBox| [b.class as f32, b.score, b.left, b.top, b.right, b.bottom];
    Embedding {
        values: boxes.iter().flat_map(numbers).collect(),
    }
    .as_kept()
}

/// The boxes that are kept in these numbers. What is no box is passed over.
pub fn of(values: &[f32]) -> Vec<DetectedBox> {
    let boxes = values.as_chunks::<NUMBERS>().0.iter();
    boxes
        .filter(|[class, ..]| *class >= 0.0 && class.fract() == 0.0)
        .map(|&[class, score, left, top, right, bottom]| DetectedBox {
            class: class as usize,
            score,
            left,
            top,
            right,
            bottom,
        })
        .filter(DetectedBox::is_sound)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(left: f32, top: f32, right: f32, bottom: f32) -> DetectedBox {
        DetectedBox {
            class: 16,
            score: 0.7,
            left,
            top,
            right,
            bottom,
        }
    }

    #[test]
    fn an_overlap_is_a_share_of_both() {
        let whole = found(0.0, 0.0, 1.0, 1.0);
        assert_eq!(whole.overlap(&whole), 1.0);
        assert!((whole.overlap(&found(0.0, 0.0, 0.5, 0.5)) - 0.25).abs() < 1e-6);
        assert_eq!(
            found(0.0, 0.0, 0.5, 1.0).overlap(&found(0.5, 0.0, 1.0, 1.0)),
            0.0
        );
    }

    #[test]
    fn what_is_no_box_is_passed_over() {
        assert!(of(&[]).is_empty());
        let good = [3.0, 0.5, 0.1, 0.1, 0.2, 0.2];
        for (at, bad) in [
            (0, -1.0),
            (0, 0.5),
            (0, f32::NAN),
            (1, f32::NAN),
            (1, 1.5),
            (2, -0.1),
            (2, 0.2),
            (3, f32::INFINITY),
            (4, 1.1),
            (5, 0.05),
        ] {
            let mut values = good;
            values[at] = bad;
            assert!(of(&values).is_empty(), "{values:?}");
            // Its neighbour stays, and so does a list that is cut short.
            let both: Vec<f32> = values.into_iter().chain(good).chain([3.0, 0.5]).collect();
            assert_eq!(of(&both).len(), 1);
        }
    }

    proptest! {
        #[test]
        fn boxes_survive_as_they_are_kept(
            class in 0..MOST_CLASSES, score in 0.0f32..=1.0,
            (left, top) in (0.0f32..0.9, 0.0f32..0.9), (width, height) in (0.01f32..0.1, 0.01f32..0.1),
        ) {
            let (right, bottom) = (left + width, top + height);
            let one = DetectedBox { class, score, left, top, right, bottom };
            let back = of(&kept(&[one, one]).values);
            prop_assert_eq!(back.len(), 2);
            prop_assert_eq!(back[0].class, class);
            for (a, b) in [(back[0].left, left), (back[0].bottom, bottom), (back[0].score, score)] {
                prop_assert!((a - b).abs() < 0.0005, "{} became {}", b, a);
            }
        }
    }
}
