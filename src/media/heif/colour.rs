//! From a picture's own colour space to 8-bit sRGB, a row at a time.
//!
//! An ICC profile counts before code points (ISO/IEC 23000-22, 7.3.6.4), except that PQ and HLG always
//! follow the code points: a profile can only describe them for a screen. Where nothing is said, colours are
//! taken as sRGB, as that standard has it.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use super::primaries::{self, Matrix3, applied};
use super::properties::Nclx;
use super::yuv::Row;
use crate::media::srgb::{Profile8, ToSrgb8};

/// Entries of the table from linear light to sRGB: at black, where the curve is steepest, a step is a fifth
/// of a level.
const ENCODE_STEPS: usize = 16_384;

/// Nits of white on paper in HDR pictures, which become sRGB white before tone mapping (ITU-R BT.2408).
const HDR_WHITE: f32 = 203.0;

/// Nits that HDR pictures are shaped for: HLG's nominal screen, and what PQ is mostly graded for. Brighter
/// light is clipped.
const HDR_PEAK: f32 = 1000.0;

/// Linear light, as a part of white, up to which tone mapping changes nothing. The brighter part of the range
/// is compressed into what is left above it.
const KNEE: f32 = 0.5;

/// The way from a picture's colours to sRGB.
pub(super) struct ToSrgb {
    step: Step,
    scratch: Vec<u16>,
    narrow: Vec<u8>,
}

enum Step {
    /// The colours are sRGB already, or near enough.
    None,
    Curves(Curves),
    Icc8(ToSrgb8),
    Icc16(Arc<dyn TransformExecutor<u16> + Send + Sync>),
}

/// Code points, worked out as tables.
struct Curves {
    /// Linear light of each code value.
    decode: Vec<f32>,
    /// True for HLG: light still has to be given a screen's contrast.
    is_scene_light: bool,
    is_hdr: bool,
    matrix: Option<Matrix3>,
    /// sRGB of linear light from 0 to 1.
    encode: Vec<u8>,
}

impl ToSrgb {
    /// For samples of `depth` bits, from a picture's ICC profile and code points.
    pub(super) fn new(icc: Option<&[u8]>, nclx: Nclx, depth: u8) -> Self {
        let is_hdr = matches!(nclx.transfer, 16 | 18);
        let step = match icc {
            Some(profile) if !is_hdr => from_icc(profile, depth).unwrap_or(Step::None),
            _ => from_code_points(nclx, depth),
        };
        Self {
            step,
            scratch: Vec::new(),
            narrow: Vec::new(),
        }
    }

    /// The largest value of the rows that [`Self::finish`] expects.
    pub(super) fn top(&self) -> u16 {
        match &self.step {
            Step::None | Step::Icc8(_) => 255,
            Step::Curves(curves) => (curves.decode.len() - 1) as u16,
            Step::Icc16(_) => u16::MAX,
        }
    }

    /// Writes a row as sRGB, three bytes a pixel, into `out`, which has room for just that.
    pub(super) fn finish(&mut self, row: &Row, out: &mut [u8]) {
        match &self.step {
            Step::None => interleave(row, out, |value| value as u8),
            Step::Curves(curves) => curves.finish(row, out),
            Step::Icc8(transform) => {
                self.narrow.resize(out.len(), 0);
                interleave(row, &mut self.narrow, |value| value as u8);
                if transform.transform(&self.narrow, out).is_err() {
                    out.copy_from_slice(&self.narrow);
                }
            }
            Step::Icc16(transform) => {
                self.scratch.resize(2 * out.len(), 0);
                let (from, to) = self.scratch.split_at_mut(out.len());
                interleave(row, from, |value| value);
                if transform.transform(from, to).is_err() {
                    to.copy_from_slice(from);
                }
                for (byte, &value) in out.iter_mut().zip(to.iter()) {
                    *byte = ((u32::from(value) * 255 + 32_767) / 65_535) as u8;
                }
            }
        }
    }
}

fn interleave<T>(row: &Row, out: &mut [T], convert: impl Fn(u16) -> T) {
    let colours = row.red.iter().zip(&row.green).zip(&row.blue);
    for (pixel, ((&red, &green), &blue)) in out.chunks_exact_mut(3).zip(colours) {
        pixel[0] = convert(red);
        pixel[1] = convert(green);
        pixel[2] = convert(blue);
    }
}

/// `None` if the profile cannot be used: it is not one for RGB, or broken. Such pictures are taken as sRGB.
fn from_icc(profile: &[u8], depth: u8) -> Option<Step> {
    let from = ColorProfile::new_from_slice(profile).ok()?;
    if from.color_space != DataColorSpace::Rgb {
        return None;
    }
    if depth > 8 {
        let (to, options) = (ColorProfile::new_srgb(), TransformOptions::default());
        let transform = from
            .create_transform_16bit(Layout::Rgb, &to, Layout::Rgb, options)
            .ok()?;
        return Some(Step::Icc16(transform));
    }
    Some(match Profile8::of(&from)? {
        Profile8::Srgb => Step::None,
        Profile8::Other(transform) => Step::Icc8(transform),
    })
}

fn from_code_points(nclx: Nclx, depth: u8) -> Step {
    let matrix = primaries::to_bt709(nclx.primaries);
    let linear: fn(f32) -> f32 = match nclx.transfer {
        4 => |v| v.powf(2.2),
        5 => |v| v.powf(2.8),
        8 => |v| v,
        16 => pq_to_light,
        17 => |v| v.powf(2.6), // SMPTE 428-1
        18 => hlg_to_scene_light,
        // sRGB (13) and what is not said (2). The curves of BT.709, 601, 2020 and others near them (1, 6, 7,
        // 11, 12, 14, 15) are a camera's; screens show such pictures like sRGB ones, and so do browsers.
        _ if matrix.is_none() => return Step::None,
        _ => srgb_to_linear,
    };
    let top = (1u32 << depth.clamp(8, 16)) - 1;
    let last = (ENCODE_STEPS - 1) as f32;
    Step::Curves(Curves {
        decode: (0..=top)
            .map(|code| linear(code as f32 / top as f32))
            .collect(),
        is_scene_light: nclx.transfer == 18,
        is_hdr: matches!(nclx.transfer, 16 | 18),
        matrix,
        encode: (0..ENCODE_STEPS)
            .map(|step| linear_to_srgb(step as f32 / last))
            .collect(),
    })
}

impl Curves {
    fn finish(&self, row: &Row, out: &mut [u8]) {
        let colours = row.red.iter().zip(&row.green).zip(&row.blue);
        let light_of = |value: u16| self.decode.get(usize::from(value)).copied().unwrap_or(1.0);
        let last = (ENCODE_STEPS - 1) as f32;
        for (pixel, ((&red, &green), &blue)) in out.chunks_exact_mut(3).zip(colours) {
            let mut light = [red, green, blue].map(light_of);
            if self.is_scene_light {
                light = hlg_on_screen(light);
            }
            if let Some(matrix) = &self.matrix {
                light = applied(matrix, light);
            }
            if self.is_hdr {
                light = tone_mapped(light);
            }
            for (byte, light) in pixel.iter_mut().zip(light) {
                let step = (light.clamp(0.0, 1.0) * last + 0.5) as usize;
                *byte = self.encode[step.min(ENCODE_STEPS - 1)];
            }
        }
    }
}

/// IEC 61966-2-1.
fn srgb_to_linear(v: f32) -> f32 {
    if v <= 0.040_45 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

fn linear_to_srgb(v: f32) -> u8 {
    let encoded = if v <= 0.003_130_8 {
        v * 12.92
    } else {
        1.055 * v.powf(1.0 / 2.4) - 0.055
    };
    (encoded * 255.0 + 0.5) as u8
}

/// SMPTE ST 2084 (BT.2100, table 4): a code value to light as a part of [`HDR_WHITE`].
fn pq_to_light(v: f32) -> f32 {
    const M1: f32 = 2610.0 / 16384.0;
    const M2: f32 = 2523.0 / 32.0;
    const C1: f32 = 3424.0 / 4096.0;
    const C2: f32 = 2413.0 / 128.0;
    const C3: f32 = 2392.0 / 128.0;
    let power = v.powf(1.0 / M2);
    10_000.0 / HDR_WHITE * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

/// BT.2100, table 5: a code value to the light that the camera saw, 0 to 1.
fn hlg_to_scene_light(v: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 1.0 - 4.0 * A;
    const C: f32 = 0.559_910_7;
    if v <= 0.5 {
        v * v / 3.0
    } else {
        (((v - C) / A).exp() + B) / 12.0
    }
}

/// The light of an HLG picture on a screen of [`HDR_PEAK`], as a part of [`HDR_WHITE`]: luminance to the
/// power of 1.2, the colours kept.
fn hlg_on_screen(light: [f32; 3]) -> [f32; 3] {
    let luminance = 0.2627 * light[0] + 0.678 * light[1] + 0.0593 * light[2];
    let factor = HDR_PEAK / HDR_WHITE * luminance.max(0.0).powf(0.2);
    light.map(|light| light * factor)
}

/// Light up to [`HDR_PEAK`] brought down to at most white. Up to [`KNEE`] nothing changes; above it Reinhard's
/// extended curve goes on with the same slope and reaches white at the peak. The strongest of the three
/// colours decides, and the others are scaled with it, so that the hue stays.
fn tone_mapped(light: [f32; 3]) -> [f32; 3] {
    let light = light.map(|light| light.max(0.0));
    let strongest = light[0].max(light[1]).max(light[2]);
    if strongest <= KNEE {
        return light;
    }
    let peak = (HDR_PEAK / HDR_WHITE - KNEE) / (1.0 - KNEE);
    let above = ((strongest - KNEE) / (1.0 - KNEE)).min(peak);
    let mapped = KNEE + (1.0 - KNEE) * above * (1.0 + above / (peak * peak)) / (1.0 + above);
    light.map(|light| light * (mapped / strongest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nclx(primaries: u16, transfer: u16) -> Nclx {
        Nclx {
            primaries,
            transfer,
            matrix: 6,
            is_full_range: true,
        }
    }

    fn srgb(primaries: u16, transfer: u16, codes: [u16; 3]) -> [u8; 3] {
        let mut to = ToSrgb::new(None, nclx(primaries, transfer), 10);
        assert_eq!(to.top(), 1023);
        let [red, green, blue] = codes.map(|code| vec![code]);
        let mut out = [0; 3];
        to.finish(&Row { red, green, blue }, &mut out);
        out
    }

    #[test]
    fn what_is_srgb_already_is_left_alone() {
        for (primaries, transfer) in [(1, 13), (2, 2), (1, 1), (1, 6)] {
            assert_eq!(ToSrgb::new(None, nclx(primaries, transfer), 10).top(), 255);
        }
    }

    #[test]
    fn display_p3_becomes_srgb() {
        assert_eq!(srgb(12, 13, [0, 0, 0]), [0, 0, 0]);
        assert_eq!(srgb(12, 13, [1023, 1023, 1023]), [255, 255, 255]);
        // Outside of sRGB: clipped.
        assert_eq!(srgb(12, 13, [0, 1023, 0]), [0, 255, 0]);
        // sRGB (200, 100, 50) is (187, 105, 61) in Display P3.
        let found = srgb(12, 13, [187, 105, 61].map(|v: u32| (v * 1023 / 255) as u16));
        for (found, expected) in found.iter().zip([200u8, 100, 50]) {
            assert!(found.abs_diff(expected) <= 2, "{found} is not {expected}");
        }
    }

    #[test]
    fn hdr_keeps_dark_parts_and_compresses_bright_ones() {
        // 18 % grey is 36.5 nits, PQ code 0.4123 of 1.
        let grey = srgb(9, 16, [422; 3]);
        assert!(grey.iter().all(|v| v.abs_diff(118) <= 3), "{grey:?}");
        // White on paper: PQ 0.581, HLG 0.75.
        let (pq, hlg) = (srgb(9, 16, [594; 3]), srgb(9, 18, [767; 3]));
        for white in [pq, hlg] {
            assert!(white.iter().all(|v| v.abs_diff(225) <= 4), "{white:?}");
        }
        assert_eq!(srgb(9, 16, [1023; 3]), [255; 3]);
        assert_eq!(srgb(9, 18, [1023; 3]), [255; 3]);
    }
}
