//! A line of text as a picture of its own: upright, of one height.

use ndarray::Array3;

use super::quad::TextBox;
use crate::embedding::Letterbox;

/// Points taken of a pixel in each direction, at most: lines four times as high are as good as smaller.
const MOST_POINTS: usize = 4;

/// What is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePicture {
    /// `[height, width, 3]`, RGB.
    pub pixels: Array3<u8>,
}

/// Cuts a line out: as high as the reader wants it, as wide as that makes it within bounds.
pub(super) fn cut(picture: &Letterbox, line: &TextBox, height: usize, most: usize) -> LinePicture {
    let scale = height as f32 / line.height.max(1.0);
    let width = (line.length.max(1.0) * scale).round() as usize;
    let width = width.clamp(height / 3, most.max(height / 3)).max(1);
    let points = |of: f32, on: usize| ((of / on as f32).ceil() as usize).clamp(1, MOST_POINTS);
    let (across, along) = (points(line.height, height), points(line.length, width));
    let count = (across * along) as f32;
    let mut pixels = Array3::zeros((height, width, 3));
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for (i, j) in (0..across).flat_map(|i| (0..along).map(move |j| (i, j))) {
                let part = |at: usize, n: usize, of: usize, on: usize, size: f32| {
                    let share = (at as f32 + (n as f32 + 0.5) / of as f32) / on as f32;
                    (share - 0.5) * size
                };
                let u = part(x, j, along, width, line.length);
                let v = part(y, i, across, height, line.height);
                let [sx, sy] = line.at(u, v);
                let colour = sample(picture, sx, sy);
                (0..3).for_each(|c| sum[c] += colour[c]);
            }
            for c in 0..3 {
                pixels[[y, x, c]] = (sum[c] / count).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    LinePicture { pixels }
}

/// Between four pixels; beyond the edge, the edge.
fn sample(picture: &Letterbox, x: f32, y: f32) -> [f32; 3] {
    let edge = |v: f32, side: u32| v.clamp(0.0, side.saturating_sub(1) as f32);
    let (x, y) = (edge(x, picture.width), edge(y, picture.height));
    let (left, top) = (x as usize, y as usize);
    let right = (left + 1).min(picture.width.saturating_sub(1) as usize);
    let bottom = (top + 1).min(picture.height.saturating_sub(1) as usize);
    let (fx, fy) = (x - left as f32, y - top as f32);
    std::array::from_fn(|c| {
        let at = |row: usize, column: usize| f32::from(picture.pixels[[row, column, c]]);
        let above = at(top, left) * (1.0 - fx) + at(top, right) * fx;
        let below = at(bottom, left) * (1.0 - fx) + at(bottom, right) * fx;
        above * (1.0 - fy) + below * fy
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brighter to the right, greener downwards.
    fn slope() -> Letterbox {
        let mut picture = Letterbox::black((200, 100), 32);
        for y in 0..100 {
            for x in 0..200 {
                picture.pixels[[y, x, 0]] = x as u8;
                picture.pixels[[y, x, 1]] = y as u8;
            }
        }
        picture
    }

    fn upright(left: f32, top: f32, right: f32, bottom: f32) -> TextBox {
        TextBox::around(&[[left, top], [right, top], [right, bottom], [left, bottom]]).unwrap()
    }

    #[test]
    fn a_line_is_cut_out_where_it_lies() {
        let cut_out = cut(&slope(), &upright(20.0, 10.0, 180.0, 42.0), 48, 2000);
        assert_eq!(cut_out.pixels.dim(), (48, 240, 3));
        let at = |y: usize, x: usize| (cut_out.pixels[[y, x, 0]], cut_out.pixels[[y, x, 1]]);
        assert_eq!(at(0, 0), (20, 10));
        assert_eq!(at(47, 239), (180, 42));
        assert_eq!(at(24, 120), (100, 26));
    }

    #[test]
    fn a_column_is_laid_on_its_side() {
        let cut_out = cut(&slope(), &upright(50.0, 10.0, 60.0, 90.0), 48, 2000);
        let at = |y: usize, x: usize| (cut_out.pixels[[y, x, 0]], cut_out.pixels[[y, x, 1]]);
        let width = cut_out.pixels.dim().1;
        // Its upper edge was on the right, its beginning above.
        assert_eq!(at(0, 0), (60, 10));
        assert_eq!(at(47, width - 1), (50, 90));
    }

    #[test]
    fn what_lies_outside_or_is_endless_is_bounded() {
        let far = cut(&slope(), &upright(-500.0, -50.0, 9000.0, -20.0), 48, 2000);
        assert_eq!(far.pixels.dim(), (48, 2000, 3));
        let dot = TextBox::around(&[[3.0, 3.0]]).unwrap();
        assert_eq!(cut(&slope(), &dot, 48, 2000).pixels.dim(), (48, 48, 3));
    }
}
