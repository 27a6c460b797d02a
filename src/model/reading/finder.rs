//! Finds lines of text: a network of the kind "differentiable binarization", which says of each pixel how
//! likely it lies in the heart of a line, and rectangles around what hangs together.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{ArrayView2, Axis, Ix4};

use super::quad::TextBox;
use super::{Channels, Network, bad, tables};
use crate::embedding::Letterbox;
use crate::model::error::ModelError;
use crate::model::manifest::FinderTable;
use crate::model::pack::ModelPack;
use crate::model::runtime::Runtime;

/// A session. Owned by one thread.
pub struct TextFinder {
    network: Network,
    table: FinderTable,
}

impl TextFinder {
    /// Makes the session and checks it with one black picture.
    ///
    /// # Errors
    /// If the pack reads no text, the graph does not load, or it has not the inputs and outputs that the
    /// manifest promises.
    pub fn new(runtime: &Runtime, pack: &ModelPack, threads: usize) -> Result<Self, ModelError> {
        let table = tables(pack)?.finder.clone();
        let how = Channels {
            order: table.channels,
            mean: table.mean,
            std: table.std,
        };
        let names = (&*table.file, &*table.tensor, &*table.output);
        let network = Network::open(runtime, pack, names, how, threads)?;
        let multiple = table.multiple;
        let mut finder = Self { network, table };
        finder.find(&Letterbox::black((multiple, multiple), multiple))?;
        Ok(finder)
    }

    /// The lines in a picture, the surest first. One that is larger than the network wants is made smaller.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if the answer has a wrong shape, [`ModelError::Run`] if the run itself
    /// fails.
    pub fn find(&mut self, picture: &Letterbox) -> Result<Vec<TextBox>, ModelError> {
        let table = &self.table;
        let whole = picture;
        let smaller = shrunk(picture, table.size, table.multiple);
        let smaller = smaller.map_err(|reason| bad(&self.network.pack, reason))?;
        let picture = smaller.as_ref().unwrap_or(picture);
        let (rows, columns, _) = picture.pixels.dim();
        let found = self.network.see(picture.pixels.view(), |output| {
            let shape = output.shape().to_vec();
            if shape != [1, 1, rows, columns] {
                return Err(format!(
                    "shape {shape:?} of a picture of {columns} × {rows}"
                ));
            }
            let map = output.into_dimensionality::<Ix4>();
            let map = map.map_err(|e| e.to_string())?;
            let map = map.index_axis(Axis(0), 0);
            let size = (picture.width as usize, picture.height as usize);
            Ok(lines(map.index_axis(Axis(0), 0), size, table))
        })?;
        let scale = |larger: u32, smaller: u32| larger as f32 / smaller.max(1) as f32;
        let scales = [
            scale(whole.width, picture.width),
            scale(whole.height, picture.height),
        ];
        Ok(found.into_iter().map(|line| line.scaled(scales)).collect())
    }
}

/// The picture made smaller, so that its longer side is `size`; `None`: it is no larger.
fn shrunk(picture: &Letterbox, size: u32, multiple: u32) -> Result<Option<Letterbox>, String> {
    let (width, height) = (picture.width, picture.height);
    if width.max(height) <= size {
        return Ok(None);
    }
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let (rows, columns, _) = picture.pixels.dim();
    let bytes = picture.pixels.as_slice().unwrap_or_default();
    let source = TypedImageRef::<U8x3>::from_buffer(columns as u32, rows as u32, bytes)
        .map_err(|e| text(&e))?;
    let (w, h) = Letterbox::scaled(size, (f64::from(width), f64::from(height)));
    let mut shrunk = vec![0; w as usize * h as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(w, h, &mut shrunk).map_err(|e| text(&e))?;
    let options = ResizeOptions::new()
        .crop(0.0, 0.0, f64::from(width), f64::from(height))
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| text(&e))?;
    let mut smaller = Letterbox::black((w, h), multiple);
    let step = smaller.pixels.dim().1 * 3;
    let targets = smaller.pixels.as_slice_mut().unwrap_or_default();
    let rows = shrunk.chunks_exact(w as usize * 3);
    for (target, row) in targets.chunks_exact_mut(step.max(1)).zip(rows) {
        target[..row.len()].copy_from_slice(row);
    }
    Ok(Some(smaller))
}

/// Rectangles around what is likely text, in a part of the map that the picture covers.
fn lines(
    map: ArrayView2<'_, f32>,
    (width, height): (usize, usize),
    table: &FinderTable,
) -> Vec<TextBox> {
    let mut is_new: Vec<bool> = Vec::with_capacity(width * height);
    for row in map.outer_iter().take(height) {
        // What is not a number is not at least anything.
        is_new.extend(row.iter().take(width).map(|p| *p > table.threshold));
    }
    let mut found = Vec::new();
    for start in 0..is_new.len() {
        if !is_new[start] {
            continue;
        }
        let edge = outline(&mut is_new, start, width, height);
        let Some(heart) = TextBox::around(&edge) else {
            continue;
        };
        if heart.height.min(heart.length) < table.least_side {
            continue;
        }
        let score = mean_inside(map, &heart, (width, height));
        if score < table.box_score {
            continue;
        }
        let line = heart.grown(table.unclip);
        if line.height.min(line.length) >= table.least_side + 2.0 {
            found.push(TextBox { score, ..line });
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(table.most);
    found
}

/// The leftmost and rightmost pixel in each row of what hangs together with one pixel (also by its corners);
/// its pixels are taken off the map.
fn outline(is_new: &mut [bool], start: usize, width: usize, height: usize) -> Vec<[f32; 2]> {
    let mut rows: std::collections::BTreeMap<usize, (usize, usize)> =
        std::collections::BTreeMap::new();
    let mut waiting = vec![start];
    is_new[start] = false;
    while let Some(at) = waiting.pop() {
        let (x, y) = (at % width, at / width);
        let row = rows.entry(y).or_insert((x, x));
        *row = (row.0.min(x), row.1.max(x));
        for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                let near = ny * width + nx;
                if std::mem::take(&mut is_new[near]) {
                    waiting.push(near);
                }
            }
        }
    }
    let ends = |(y, (left, right)): (usize, (usize, usize))| {
        [[left as f32, y as f32], [right as f32, y as f32]]
    };
    rows.into_iter().flat_map(ends).collect()
}

/// What the network says of a rectangle's pixels, on average.
fn mean_inside(map: ArrayView2<'_, f32>, heart: &TextBox, (width, height): (usize, usize)) -> f32 {
    let [left, top, right, bottom] = heart.bounds();
    let from = |v: f32| v.floor().max(0.0) as usize;
    let to = |v: f32, side: usize| (v.ceil().max(0.0) as usize).min(side - 1);
    let (mut sum, mut count) = (0.0, 0);
    for y in from(top)..=to(bottom, height) {
        for x in from(left)..=to(right, width) {
            if heart.has(x as f32, y as f32) {
                sum += f64::from(map[[y, x]]);
                count += 1;
            }
        }
    }
    if count > 0 {
        (sum / f64::from(count)) as f32
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;
    use crate::model::reading::tests::tables;

    fn map_of(blocks: &[(std::ops::Range<usize>, std::ops::Range<usize>, f32)]) -> Array2<f32> {
        let mut map = Array2::zeros((96, 192));
        for (rows, columns, p) in blocks {
            for y in rows.clone() {
                for x in columns.clone() {
                    map[[y, x]] = *p;
                }
            }
        }
        map
    }

    #[test]
    fn what_hangs_together_is_a_line() {
        let map = map_of(&[(10..18, 20..120, 0.9), (40..48, 20..60, 0.8)]);
        let found = lines(map.view(), (192, 96), &tables().finder);
        assert_eq!(found.len(), 2);
        assert!((found[0].score - 0.9).abs() < 1e-5 && (found[1].score - 0.8).abs() < 1e-5);
        let [left, top, right, bottom] = found[0].bounds();
        assert!(
            left < 20.0 && top < 10.0 && right > 119.0 && bottom > 17.0,
            "{:?}",
            found[0]
        );
        assert!((found[0].middle[0] - 69.5).abs() < 1e-3);
    }

    #[test]
    fn the_weak_the_tiny_and_the_padding_are_no_lines() {
        let map = map_of(&[
            (10..18, 20..120, 0.35),
            (40..41, 20..21, 0.9),
            (60..68, 150..190, 0.9),
        ]);
        // The picture covers the left 140 columns.
        assert!(lines(map.view(), (140, 96), &tables().finder).is_empty());
        let nothing = map_of(&[(0..96, 0..192, f32::NAN)]);
        assert!(lines(nothing.view(), (192, 96), &tables().finder).is_empty());
    }

    #[test]
    fn ten_thousand_dots_are_bounded() {
        let mut map = Array2::zeros((512, 512));
        for y in (0..512).step_by(5) {
            for x in (0..512).step_by(5) {
                for (dy, dx) in (0..4).flat_map(|dy| (0..4).map(move |dx| (dy, dx))) {
                    if y + dy < 512 && x + dx < 512 {
                        map[[y + dy, x + dx]] = 1.0;
                    }
                }
            }
        }
        let found = lines(map.view(), (512, 512), &tables().finder);
        assert_eq!(found.len(), tables().finder.most);
    }

    proptest! {
        #[test]
        fn any_map_gives_boxes_with_numbers(
            values in prop::collection::vec(prop_oneof![0.0f32..1.0, Just(f32::NAN), Just(f32::INFINITY)], 24 * 24),
        ) {
            let map = Array2::from_shape_vec((24, 24), values).unwrap();
            for line in lines(map.view(), (24, 20), &tables().finder) {
                prop_assert!(line.bounds().iter().all(|v| v.is_finite()));
                prop_assert!(line.length > 0.0 && line.height > 0.0);
            }
        }
    }
}
