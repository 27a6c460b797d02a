//! Where a line of text lies: a rectangle that may be turned, and how one is found around some pixels.
//!
//! Coordinates are pixels of a picture, whole numbers at their middles; y points down.

/// A turned rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextBox {
    /// Its middle.
    pub middle: [f32; 2],
    /// Unit vector in which the line is read.
    pub along: [f32; 2],
    /// Unit vector from the line's upper edge to its lower one.
    pub down: [f32; 2],
    /// Size along the line.
    pub length: f32,
    /// Size across.
    pub height: f32,
    /// Mean of what the network says inside, 0 to 1.
    pub score: f32,
}

/// From so much higher than wide on, text is taken to run downwards.
const UPRIGHT: f32 = 1.5;

impl TextBox {
    /// The smallest rectangle around points of which no three need lie apart; `None`: there are none.
    pub(super) fn around(points: &[[f32; 2]]) -> Option<Self> {
        let hull = hull(points);
        let first = *hull.first()?;
        let edges = hull.iter().zip(hull.iter().cycle().skip(1));
        let mut best: Option<(f32, Self)> = None;
        for (a, b) in edges {
            let edge = [b[0] - a[0], b[1] - a[1]];
            let long = edge[0].hypot(edge[1]);
            let unit = if long > 0.0 {
                [edge[0] / long, edge[1] / long]
            } else {
                [1.0, 0.0]
            };
            let across = [-unit[1], unit[0]];
            let (left, right) = extent(&hull, unit);
            let (top, bottom) = extent(&hull, across);
            let area = (right - left) * (bottom - top);
            if best.as_ref().is_none_or(|(smallest, _)| area < *smallest) {
                let (u, v) = (f32::midpoint(left, right), f32::midpoint(top, bottom));
                let found = Self {
                    middle: [u * unit[0] + v * across[0], u * unit[1] + v * across[1]],
                    along: unit,
                    down: across,
                    length: right - left,
                    height: bottom - top,
                    score: 0.0,
                };
                best = Some((area, found));
            }
        }
        let found = best.map(|(_, found)| found).unwrap_or(Self {
            middle: first,
            along: [1.0, 0.0],
            down: [0.0, 1.0],
            length: 0.0,
            height: 0.0,
            score: 0.0,
        });
        Some(found.as_read())
    }

    /// The same rectangle, its sides named as text in it is read: from left to right, or downwards where
    /// it is much higher than wide.
    fn as_read(self) -> Self {
        let [ax, ay] = self.along;
        // Of the two directions the one nearer to the horizontal.
        let (along, length, height) = if ax.abs() >= ay.abs() {
            (self.along, self.length, self.height)
        } else {
            (self.down, self.height, self.length)
        };
        let sign = if along[0] < 0.0 { -1.0 } else { 1.0 };
        let along = [along[0] * sign, along[1] * sign];
        let down = [-along[1], along[0]];
        if height >= UPRIGHT * length {
            Self {
                along: down,
                down: [-along[0], -along[1]],
                length: height,
                height: length,
                ..self
            }
        } else {
            Self {
                along,
                down,
                length,
                height,
                ..self
            }
        }
    }

    /// Larger by so much on each side: networks of this kind mark the heart of a line only.
    pub(super) fn grown(self, ratio: f32) -> Self {
        let around = 2.0 * (self.length + self.height);
        if around <= 0.0 {
            return self;
        }
        let by = self.length * self.height * ratio / around;
        Self {
            length: self.length + 2.0 * by,
            height: self.height + 2.0 * by,
            ..self
        }
    }

    /// The same box in a picture that is so many times as wide and as high.
    pub(super) fn scaled(self, [x, y]: [f32; 2]) -> Self {
        let stretched = |v: [f32; 2]| [v[0] * x, v[1] * y];
        let unit = |v: [f32; 2]| {
            let long = v[0].hypot(v[1]).max(f32::MIN_POSITIVE);
            ([v[0] / long, v[1] / long], long)
        };
        let (along, longer) = unit(stretched(self.along));
        let (_, higher) = unit(stretched(self.down));
        // Turned as it was: what is read is a rectangle.
        let down = [-along[1], along[0]];
        Self {
            middle: stretched(self.middle),
            along,
            down,
            length: self.length * longer,
            height: self.height * higher,
            score: self.score,
        }
    }

    /// Whether it is taken to run downwards: then it may as well run upwards.
    pub fn is_column(&self) -> bool {
        self.along[1].abs() > self.along[0].abs()
    }

    /// The same box read from its other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        let back = |v: [f32; 2]| [-v[0], -v[1]];
        Self {
            along: back(self.along),
            down: back(self.down),
            ..self
        }
    }

    /// Its corners, beginning where reading begins.
    pub fn corners(&self) -> [[f32; 2]; 4] {
        let [hx, hy] = [self.length / 2.0, self.height / 2.0];
        [[-hx, -hy], [hx, -hy], [hx, hy], [-hx, hy]].map(|[u, v]| self.at(u, v))
    }

    /// So far from the middle along the line and across it.
    pub(super) fn at(&self, u: f32, v: f32) -> [f32; 2] {
        let Self {
            middle,
            along,
            down,
            ..
        } = self;
        [
            middle[0] + u * along[0] + v * down[0],
            middle[1] + u * along[1] + v * down[1],
        ]
    }

    /// Whether a point lies in it.
    pub(super) fn has(&self, x: f32, y: f32) -> bool {
        let [dx, dy] = [x - self.middle[0], y - self.middle[1]];
        let u = dx * self.along[0] + dy * self.along[1];
        let v = dx * self.down[0] + dy * self.down[1];
        // Half a pixel more: a line of one row of pixels has no height.
        u.abs() <= self.length / 2.0 + 0.5 && v.abs() <= self.height / 2.0 + 0.5
    }

    /// Left, top, right, bottom of the upright rectangle around it.
    pub fn bounds(&self) -> [f32; 4] {
        let corners = self.corners();
        let least = |axis: usize| corners.iter().map(|c| c[axis]).fold(f32::MAX, f32::min);
        let most = |axis: usize| corners.iter().map(|c| c[axis]).fold(f32::MIN, f32::max);
        [least(0), least(1), most(0), most(1)]
    }
}

fn extent(points: &[[f32; 2]], unit: [f32; 2]) -> (f32, f32) {
    let along = points.iter().map(|p| p[0] * unit[0] + p[1] * unit[1]);
    along.fold((f32::MAX, f32::MIN), |(least, most), v| {
        (least.min(v), most.max(v))
    })
}

/// The convex hull, in order (Andrew's monotone chain).
fn hull(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let turns_right = |a: [f32; 2], b: [f32; 2], c: [f32; 2]| {
        (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0.0
    };
    let half = |points: &mut dyn Iterator<Item = [f32; 2]>| {
        let mut chain: Vec<[f32; 2]> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..]
                && turns_right(a, b, point)
            {
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut lower = half(&mut points.iter().copied());
    lower.extend(half(&mut points.iter().rev().copied()));
    lower
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_upright_rectangle_is_found_as_it_is() {
        let found = TextBox::around(&[[2.0, 3.0], [12.0, 3.0], [12.0, 7.0], [2.0, 7.0]]).unwrap();
        assert_eq!((found.length, found.height), (10.0, 4.0));
        assert_eq!(found.middle, [7.0, 5.0]);
        assert_eq!(found.bounds(), [2.0, 3.0, 12.0, 7.0]);
        assert_eq!(found.corners()[0], [2.0, 3.0]);
        let grown = found.grown(1.4);
        // 40 × 1.4 / 28 on each side.
        assert!((grown.height - 8.0).abs() < 1e-4 && (grown.length - 14.0).abs() < 1e-4);
    }

    #[test]
    fn a_column_is_read_downwards() {
        let found = TextBox::around(&[[0.0, 0.0], [4.0, 0.0], [4.0, 20.0], [0.0, 20.0]]).unwrap();
        assert_eq!((found.length, found.height), (20.0, 4.0));
        assert_eq!(found.along, [0.0, 1.0]);
        // What was on the right is above.
        assert_eq!(found.corners()[0], [4.0, 0.0]);
    }

    #[test]
    fn a_point_and_a_row_have_boxes() {
        let point = TextBox::around(&[[5.0, 5.0]]).unwrap();
        assert_eq!((point.length, point.height), (0.0, 0.0));
        assert_eq!(point.grown(2.0), point);
        let row = TextBox::around(&[[1.0, 2.0], [4.0, 2.0], [3.0, 2.0]]).unwrap();
        assert_eq!((row.length, row.height), (3.0, 0.0));
        assert!(row.has(2.0, 2.3) && !row.has(2.0, 3.0));
        assert!(TextBox::around(&[]).is_none());
    }

    proptest! {
        #[test]
        fn a_turned_rectangle_is_found_whatever_its_angle(
            degrees in -44.0f32..44.0, length in 20.0f32..200.0, share in 0.05f32..0.9,
            (x, y) in (0.0f32..500.0, 0.0f32..500.0),
        ) {
            let height = length * share;
            let turn = degrees.to_radians();
            let given = TextBox {
                middle: [x, y],
                along: [turn.cos(), turn.sin()],
                down: [-turn.sin(), turn.cos()],
                length,
                height,
                score: 0.0,
            };
            let found = TextBox::around(&given.corners()).unwrap();
            prop_assert!((found.length - length).abs() < 0.1, "{found:?}");
            prop_assert!((found.height - height).abs() < 0.1, "{found:?}");
            prop_assert!((found.along[0] - turn.cos()).abs() < 0.01, "{found:?}");
        }

        #[test]
        fn all_points_lie_in_the_box_around_them(
            points in prop::collection::vec((0.0f32..100.0, 0.0f32..100.0), 1..40),
        ) {
            let points: Vec<[f32; 2]> = points.into_iter().map(|(x, y)| [x, y]).collect();
            let found = TextBox::around(&points).unwrap();
            prop_assert!(points.iter().all(|[x, y]| found.has(*x, *y)));
        }
    }
}
