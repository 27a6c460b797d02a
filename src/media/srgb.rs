//! Colour conversions that several formats share, on 8-bit samples.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

/// Rewrites pixels of `from` bytes as pixels of `to` bytes (at most as many) inside one buffer.
///
/// `convert` gets a pixel of the first kind (at most eight bytes) and fills one of the second.
pub(crate) fn in_place(
    data: &mut Vec<u8>,
    from: usize,
    to: usize,
    mut convert: impl FnMut(&[u8], &mut [u8]),
) {
    let mut pixel = [0_u8; 8];
    if from == 0 || to > from || from > pixel.len() {
        return;
    }
    let count = data.len() / from;
    for i in 0..count {
        pixel[..from].copy_from_slice(&data[i * from..(i + 1) * from]);
        convert(&pixel[..from], &mut data[i * to..(i + 1) * to]);
    }
    data.truncate(count * to);
}

/// A conversion of pixels of three bytes.
pub(crate) type ToSrgb8 = Arc<dyn TransformExecutor<u8> + Send + Sync>;

/// What an ICC profile means for 8-bit RGB.
pub(crate) enum Profile8 {
    /// These colours are sRGB, or so near that nobody sees it.
    Srgb,
    /// They are to be converted.
    Other(ToSrgb8),
}

impl Profile8 {
    /// `None` if the profile cannot be used: it is not one for RGB, or broken.
    pub(crate) fn read(profile: &[u8]) -> Option<Self> {
        let from = ColorProfile::new_from_slice(profile).ok()?;
        Self::of(&from)
    }

    pub(crate) fn of(from: &ColorProfile) -> Option<Self> {
        if from.color_space != DataColorSpace::Rgb {
            return None;
        }
        let (to, options) = (ColorProfile::new_srgb(), TransformOptions::default());
        let transform = from
            .create_transform_8bit(Layout::Rgb, &to, Layout::Rgb, options)
            .ok()?;
        // Many profiles are sRGB's own: colours that it would not change need no work.
        let probes: Vec<u8> = (0..9 * 9 * 9)
            .flat_map(|n: u32| [n % 9, n / 9 % 9, n / 81].map(|level| (level * 255 / 8) as u8))
            .collect();
        let mut changed = vec![0; probes.len()];
        transform.transform(&probes, &mut changed).ok()?;
        let is_srgb = probes
            .iter()
            .zip(&changed)
            .all(|(a, b)| a.abs_diff(*b) <= 1);
        Some(if is_srgb {
            Self::Srgb
        } else {
            Self::Other(transform)
        })
    }
}

/// Converts the first three bytes of pixels of `step` bytes.
pub(crate) fn convert(data: &mut [u8], step: usize, to_srgb: &ToSrgb8) {
    /// Pixels at a time: enough that a call costs nothing, few enough to stay in the cache.
    const PIECE: usize = 1024;
    let (mut from, mut to) = (vec![0; 3 * PIECE], vec![0; 3 * PIECE]);
    for piece in data.chunks_mut(step * PIECE) {
        let pixels = piece.len() / step;
        let (from, to) = (&mut from[..3 * pixels], &mut to[..3 * pixels]);
        for (colours, pixel) in from.chunks_exact_mut(3).zip(piece.chunks_exact(step)) {
            colours.copy_from_slice(&pixel[..3]);
        }
        if to_srgb.transform(from, to).is_err() {
            return;
        }
        for (colours, pixel) in to.chunks_exact(3).zip(piece.chunks_exact_mut(step)) {
            pixel[..3].copy_from_slice(colours);
        }
    }
}

/// Lays colours over white by `alpha`.
pub(crate) fn over_white(colours: &mut [u8], alpha: u8) {
    let a = u32::from(alpha);
    for v in colours {
        *v = ((u32::from(*v) * a + 255 * (255 - a) + 127) / 255) as u8;
    }
}

/// The same for colours that are multiplied by their alpha already.
pub(crate) fn associated_over_white(colours: &mut [u8], alpha: u8) {
    for v in colours {
        *v = v.saturating_add(255 - alpha);
    }
}

/// Ink as light, without a profile: what is not cyan is red.
pub(crate) fn cmyk_to_rgb(cmyk: &[u8]) -> [u8; 3] {
    let light = |ink: u8| u32::from(255 - ink);
    let black = light(cmyk[3]);
    [cmyk[0], cmyk[1], cmyk[2]].map(|ink| ((light(ink) * black + 127) / 255) as u8)
}

/// CIE XYZ as shares of a D50 white to linear sRGB: Bradford's adaptation, then sRGB's primaries.
const FROM_D50: [[f32; 3]; 3] = [
    [3.021_664, -1.616_867, -0.404_708],
    [-0.943_728, 1.916_142, 0.027_596],
    [0.069_369, -0.228_991, 1.159_185],
];
/// The same from a D65 white.
const FROM_D65: [[f32; 3]; 3] = [
    [3.079_933, -1.537_15, -0.542_783],
    [-0.921_235, 1.875_992, 0.045_244],
    [0.052_889, -0.204_043, 1.151_152],
];

/// CIE L*a*b* (L from 0 to 255 for 0 to 100, a and b with 128 added) as sRGB. Its white is D50, as is usual, or
/// sRGB's own D65.
pub(crate) fn lab_to_srgb(lab: [u8; 3], is_white_d65: bool) -> [u8; 3] {
    let lightness = f32::from(lab[0]) * 100.0 / 255.0;
    let fy = (lightness + 16.0) / 116.0;
    let fx = fy + (f32::from(lab[1]) - 128.0) / 500.0;
    let fz = fy - (f32::from(lab[2]) - 128.0) / 200.0;
    let cube = |f: f32| {
        if f > 6.0 / 29.0 {
            f * f * f
        } else {
            (f - 4.0 / 29.0) * 3.0 * (6.0 / 29.0) * (6.0 / 29.0)
        }
    };
    let (x, y, z) = (cube(fx), cube(fy), cube(fz));
    let matrix = if is_white_d65 { FROM_D65 } else { FROM_D50 };
    matrix
        .map(|row| row[0] * x + row[1] * y + row[2] * z)
        .map(srgb)
}

/// Linear light, 0 to 1, as an sRGB byte.
pub(crate) fn srgb(linear: f32) -> u8 {
    let v = linear.clamp(0.0, 1.0);
    let curved = if v <= 0.003_130_8 {
        v * 12.92
    } else {
        1.055 * v.powf(1.0 / 2.4) - 0.055
    };
    (curved * 255.0).round() as u8
}
