//! A face out of a picture: turned upright, scaled, and put where the encoder expects it.
//!
//! Pure. The similarity (turn, scale, shift; no mirror, no shear) that brings the five points nearest to where
//! they belong, by least squares. Every pixel is the mean of as many samples as the picture has pixels for
//! it, at most [`FINEST`] squared; what lies outside of the picture is black.

use ndarray::{Array3, ArrayView3};

use crate::embedding::Letterbox;

/// Samples along each side of a pixel: a face as high as a picture of 1,024 pixels needs seven.
const FINEST: usize = 8;

/// Turn, scale and shift: `x' = a·x − b·y + left`, `y' = b·x + a·y + top`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Similarity {
    a: f32,
    b: f32,
    left: f32,
    top: f32,
}

impl Similarity {
    /// The one that brings `from` nearest to `to`; none where the points of `from` are all the same, or one of
    /// them is not a number.
    pub fn fit(from: &[[f32; 2]; 5], to: &[[f32; 2]; 5]) -> Option<Self> {
        let mean = |points: &[[f32; 2]; 5], axis: usize| {
            points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / 5.0
        };
        let (from_x, from_y, to_x, to_y) = (mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1));
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for (f, t) in from.iter().zip(to) {
            let (fx, fy) = (f64::from(f[0]) - from_x, f64::from(f[1]) - from_y);
            let (tx, ty) = (f64::from(t[0]) - to_x, f64::from(t[1]) - to_y);
            spread += fx * fx + fy * fy;
            along += fx * tx + fy * ty;
            across += fx * ty - fy * tx;
        }
        let (a, b) = (along / spread, across / spread);
        let found = Self {
            a: a as f32,
            b: b as f32,
            left: (to_x - a * from_x + b * from_y) as f32,
            top: (to_y - b * from_x - a * from_y) as f32,
        };
        let whole = [found.a, found.b, found.left, found.top].map(f32::is_finite);
        (whole == [true; 4] && found.scale() > 0.0).then_some(found)
    }

    /// By how much it enlarges.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// Where a point goes.
    pub fn of(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            self.a * x - self.b * y + self.left,
            self.b * x + self.a * y + self.top,
        ]
    }

    /// How far the points still lie from where they belong: root mean square.
    pub fn askew(&self, from: &[[f32; 2]; 5], to: &[[f32; 2]; 5]) -> f32 {
        let apart = from.iter().zip(to).map(|(from, to)| {
            let [x, y] = self.of(*from);
            (x - to[0]).powi(2) + (y - to[1]).powi(2)
        });
        (apart.sum::<f32>() / 5.0).sqrt()
    }
}

/// The face whose pixels `to_picture` finds in the picture: `[side, side, 3]`.
pub(super) fn cut(picture: &Letterbox, to_picture: &Similarity, side: u32) -> Array3<u8> {
    let side = side as usize;
    let fine = (to_picture.scale().ceil() as usize).clamp(1, FINEST);
    let size = [picture.width, picture.height].map(|v| v as usize);
    let pixels = picture.pixels.view();
    let mut chip = Array3::zeros((side, side, 3));
    for row in 0..side {
        for column in 0..side {
            let mut sum = [0.0f32; 3];
            for down in 0..fine {
                for right in 0..fine {
                    let at =
                        |pixel: usize, sub: usize| pixel as f32 + (sub as f32 + 0.5) / fine as f32;
                    let place = to_picture.of([at(column, right), at(row, down)]);
                    let seen = sample(&pixels, size, place);
                    sum.iter_mut()
                        .zip(seen)
                        .for_each(|(sum, seen)| *sum += seen);
                }
            }
            for (channel, sum) in sum.into_iter().enumerate() {
                let mean = sum / (fine * fine) as f32;
                chip[[row, column, channel]] = mean.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    chip
}

/// Between the four pixels around a place; pixels have their middle at a half.
fn sample(pixels: &ArrayView3<'_, u8>, [width, height]: [usize; 2], [x, y]: [f32; 2]) -> [f32; 3] {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_share, low_share) = (x - left, y - top);
    let mut seen = [0.0; 3];
    for (row, row_share) in [(top, 1.0 - low_share), (top + 1.0, low_share)] {
        for (column, share) in [(left, 1.0 - right_share), (left + 1.0, right_share)] {
            let inside =
                row >= 0.0 && column >= 0.0 && row < height as f32 && column < width as f32;
            if inside {
                let (row, column) = (row as usize, column as usize);
                for (channel, seen) in seen.iter_mut().enumerate() {
                    *seen += row_share * share * f32::from(pixels[[row, column, channel]]);
                }
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POINTS: [[f32; 2]; 5] = [
        [47.5, 46.6],
        [100.5, 46.6],
        [74.0, 76.6],
        [50.4, 103.0],
        [97.6, 103.0],
    ];

    #[test]
    fn points_that_are_one_or_no_numbers_fit_nothing() {
        assert_eq!(Similarity::fit(&[[3.0, 4.0]; 5], &POINTS), None);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut points = POINTS;
            points[2][0] = bad;
            assert_eq!(Similarity::fit(&points, &POINTS), None, "{bad}");
        }
    }

    #[test]
    fn a_chip_of_a_picture_at_its_own_size_is_that_part_of_it() {
        let mut picture = Letterbox::black((40, 30), 32);
        for (at, value) in picture.pixels.iter_mut().enumerate() {
            *value = (at * 7 % 251) as u8;
        }
        let shift = Similarity {
            a: 1.0,
            b: 0.0,
            left: 5.0,
            top: 6.0,
        };
        let chip = cut(&picture, &shift, 16);
        for ((row, column, channel), value) in chip.indexed_iter() {
            assert_eq!(*value, picture.pixels[[row + 6, column + 5, channel]]);
        }
        // Outside of the picture it is black, also where the tensor goes on.
        let away = Similarity {
            left: 39.5,
            ..shift
        };
        let chip = cut(&picture, &away, 16);
        assert!(chip.iter().skip(3).take(3).all(|v| *v == 0));
    }

    #[test]
    fn a_large_face_is_averaged_and_not_sampled() {
        // Black and white columns in turn: their mean is grey wherever a pixel begins.
        let mut picture = Letterbox::black((96, 96), 32);
        for ((_, column, _), value) in picture.pixels.indexed_iter_mut() {
            *value = if column % 2 == 0 { 255 } else { 0 };
        }
        let half = Similarity {
            a: 4.0,
            b: 0.0,
            left: 8.0,
            top: 8.0,
        };
        let chip = cut(&picture, &half, 20);
        assert!(chip.iter().all(|v| (125..=130).contains(v)), "{chip:?}");
    }

    proptest! {
        #[test]
        fn a_turned_and_scaled_face_is_found_again(
            turn in -3.0f32..3.0, scale in 0.2f32..6.0, shift in (-200.0f32..800.0, -200.0f32..800.0),
        ) {
            let moved = Similarity {
                a: scale * turn.cos(), b: scale * turn.sin(), left: shift.0, top: shift.1,
            };
            let there = POINTS.map(|p| moved.of(p));
            let found = Similarity::fit(&POINTS, &there).unwrap();
            prop_assert!((found.scale() - scale).abs() < 0.01 * scale);
            prop_assert!(found.askew(&POINTS, &there) < 0.05);
            // The way back is as good.
            let back = Similarity::fit(&there, &POINTS).unwrap();
            prop_assert!(back.askew(&there, &POINTS) < 0.05);
        }

        #[test]
        fn whatever_the_points_a_chip_is_made(points in prop::array::uniform5(prop::array::uniform2(any::<f32>()))) {
            if let Some(similarity) = Similarity::fit(&POINTS, &points) {
                let picture = Letterbox::black((9, 5), 32);
                prop_assert_eq!(cut(&picture, &similarity, 16).dim(), (16, 16, 3));
            }
        }
    }
}
