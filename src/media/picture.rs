//! Decoded pixels, 8-bit grey or RGB, in the file's own orientation, and their resampling.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// What one pixel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// One byte: luma.
    Grey,
    /// Three bytes: R, G, B.
    Rgb,
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// A picture in memory: rows from the top, no padding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: Channels,
    /// `width · height · channels` bytes.
    pub(super) data: Vec<u8>,
    /// How much of `width` and `height` the photo itself covers. A scaled JPEG decode rounds its
    /// size up, so that the last column and row may be only partly photo.
    pub(super) content: (f64, f64),
}

/// The resampler refused; its own words. Only a bug here can cause it.
#[derive(Debug, thiserror::Error)]
#[error("cannot resample: {0}")]
pub(super) struct ResampleError(String);

impl Picture {
    pub(super) fn new(width: u32, height: u32, channels: Channels, data: Vec<u8>) -> Self {
        Self {
            width,
            height,
            channels,
            data,
            content: (f64::from(width), f64::from(height)),
        }
    }

    /// Size with the longer side at most `side`, never larger than now, never zero.
    pub(super) fn fitted(&self, side: u32) -> (u32, u32) {
        let (w, h) = self.content;
        let scale = (f64::from(side) / w.max(h)).min(1.0);
        let fit = |v: f64, now: u32| ((v * scale).round() as u32).clamp(1, now);
        (fit(w, self.width), fit(h, self.height))
    }

    /// The photo at most `side` long, antialiased; itself where it is small enough already.
    pub(super) fn reduced(
        &self,
        side: u32,
        filter: FilterType,
        resizer: &mut Resizer,
    ) -> Result<Self, ResampleError> {
        if self.width.max(self.height) <= side {
            return Ok(self.clone());
        }
        let (w, h) = self.content;
        self.resampled([0.0, 0.0, w, h], self.fitted(side), filter, resizer)
    }

    /// The box `[left, top, width, height]` (pixels, fractions allowed) as a picture of `size`.
    pub(super) fn resampled(
        &self,
        [left, top, width, height]: [f64; 4],
        size: (u32, u32),
        filter: FilterType,
        resizer: &mut Resizer,
    ) -> Result<Self, ResampleError> {
        // Rounding must not push the box over the edge.
        let (left, top) = (left.max(0.0), top.max(0.0));
        let width = width.min(f64::from(self.width) - left);
        let height = height.min(f64::from(self.height) - top);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(filter))
            .crop(left, top, width, height);
        let mut data = vec![0; size.0 as usize * size.1 as usize * self.channels.count()];
        match self.channels {
            Channels::Grey => self.convolve::<U8>((&mut data, size), &options, resizer),
            Channels::Rgb => self.convolve::<U8x3>((&mut data, size), &options, resizer),
        }
        .map_err(ResampleError)?;
        Ok(Self::new(size.0, size.1, self.channels, data))
    }

    /// Of a known kind of pixel: otherwise those of all others are compiled in, 2 MB of them.
    fn convolve<P: PixelTrait>(
        &self,
        (data, (width, height)): (&mut [u8], (u32, u32)),
        options: &ResizeOptions,
        resizer: &mut Resizer,
    ) -> Result<(), String> {
        let source = TypedImageRef::<P>::from_buffer(self.width, self.height, &self.data);
        let source = source.map_err(|e| e.to_string())?;
        let target = TypedImage::<P>::from_buffer(width, height, data);
        let mut target = target.map_err(|e| e.to_string())?;
        let resized = resizer.resize_typed(&source, &mut target, options);
        resized.map_err(|e| e.to_string())
    }

    /// One byte a pixel: luma by Rec. 709 weights, as the `image` crate weighs them, so that
    /// hashes agree with those of other tools built on it.
    pub(super) fn into_luma(self) -> Vec<u8> {
        match self.channels {
            Channels::Grey => self.data,
            Channels::Rgb => self
                .data
                .as_chunks::<3>()
                .0
                .iter()
                .map(|&[r, g, b]| luma(r, g, b))
                .collect(),
        }
    }
}

fn luma(r: u8, g: u8, b: u8) -> u8 {
    let sum = 2126 * u32::from(r) + 7152 * u32::from(g) + 722 * u32::from(b);
    (sum / 10_000) as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn luma_weighs_as_the_image_crate_does() {
        use image::Pixel;
        for c in [
            [0, 0, 0],
            [255, 255, 255],
            [255, 0, 0],
            [12, 200, 99],
            [1, 2, 3],
        ] {
            assert_eq!(
                luma(c[0], c[1], c[2]),
                image::Rgb(c).to_luma().0[0],
                "{c:?}"
            );
        }
    }

    #[test]
    fn a_picture_is_never_enlarged_and_never_vanishes() {
        let p = |w, h| Picture::new(w, h, Channels::Grey, vec![0; (w * h) as usize]);
        assert_eq!(p(100, 50).fitted(256), (100, 50));
        assert_eq!(p(1024, 512).fitted(256), (256, 128));
        assert_eq!(p(1, 4000).fitted(256), (1, 256));
    }
}
