//! The model's input: crop or squash, bicubic, normalise; or the whole picture in its own shape.
//!
//! The method of Pillow's `resize((n, n), BICUBIC, box=…)` on the upright picture (antialiased
//! Catmull-Rom, a = −0.5, rounded to 8 bits), then `(x − mean) / std` per channel, channel-first.
//! The two passes run in the other order, which shows by a few levels of 255 in the rare pixel
//! where an overshoot is clipped in between. Both fits are symmetric under all eight orientations, so the picture is turned
//! after it has become a small square. A letterbox is none: its picture is turned before it is laid down
//! (`models/detection/README.md`; bilinear, also up).

use fast_image_resize::{FilterType, Resizer};

use super::orientation::Orientation;
use super::picture::{Channels, Picture, ResampleError};
use crate::embedding::{Fit, InputSpec, Letterbox, ModelInput, Tensor};

/// What a model that wants `spec` is shown of `picture` (stored orientation).
pub(super) fn tensor(
    picture: &Picture,
    orientation: Orientation,
    spec: &InputSpec,
    resizer: &mut Resizer,
) -> Result<ModelInput, ResampleError> {
    let (w, h) = picture.content;
    let part = match spec.fit {
        Fit::Letterbox(multiple) | Fit::Within(multiple) => {
            let size = match spec.fit {
                Fit::Within(_) => spec.size.min(w.max(h).round() as u32).max(1),
                _ => spec.size,
            };
            let scaled = Letterbox::scaled(size, picture.content);
            let scaled =
                picture.resampled([0.0, 0.0, w, h], scaled, FilterType::Bilinear, resizer)?;
            return Ok(ModelInput::Whole(letterbox(
                &orientation.upright(scaled),
                multiple,
            )));
        }
        Fit::Squash => [0.0, 0.0, w, h],
        Fit::CenterCrop(fraction) => {
            let side = f64::from(fraction) * w.min(h);
            [(w - side) / 2.0, (h - side) / 2.0, side, side]
        }
    };
    let square = picture.resampled(
        part,
        (spec.size, spec.size),
        FilterType::CatmullRom,
        resizer,
    )?;
    let tensor = normalised(&orientation.upright(square), spec);
    Ok(ModelInput::Square(tensor))
}

fn letterbox(picture: &Picture, multiple: u32) -> Letterbox {
    let mut whole = Letterbox::black((picture.width, picture.height), multiple);
    let step = picture.channels.count();
    let rows = picture.data.chunks_exact(picture.width as usize * step);
    let columns = whole.pixels.shape()[1];
    let targets = whole.pixels.as_slice_mut().unwrap_or_default();
    for (target, row) in targets.chunks_exact_mut(columns * 3).zip(rows) {
        match picture.channels {
            Channels::Rgb => target[..row.len()].copy_from_slice(row),
            Channels::Grey => {
                for (target, value) in target.as_chunks_mut::<3>().0.iter_mut().zip(row) {
                    *target = [*value; 3];
                }
            }
        }
    }
    whole
}

fn normalised(square: &Picture, spec: &InputSpec) -> Tensor {
    let side = spec.size as usize;
    let mut tensor = Tensor::zeros((3, side, side));
    let step = square.channels.count();
    for (channel, mut plane) in tensor.outer_iter_mut().enumerate() {
        // 256 possible bytes: one table a channel instead of a division a pixel.
        let table: [f32; 256] =
            std::array::from_fn(|v| (v as f32 - spec.mean[channel]) / spec.std[channel]);
        let first = if square.channels == Channels::Grey {
            0
        } else {
            channel
        };
        let pixels = square.data[first..].iter().step_by(step);
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            *value = table[usize::from(*pixel)];
        }
    }
    tensor
}
