//! From the colour spaces that a JPEG XL codestream can describe to sRGB.

use jxl::api::{JxlColorEncoding, JxlColorProfile, JxlPrimaries, JxlTransferFunction};

use crate::media::srgb::srgb;

/// Brightness of white in pictures made for bright displays, in candela a square metre (ITU-R BT.2408).
const HDR_WHITE: f32 = 203.0;
/// Brightest that PQ can say (SMPTE ST 2084).
const PQ_PEAK: f32 = 10_000.0;
/// Peak of the display that HLG is meant for here (ITU-R BT.2100's reference).
const HLG_PEAK: f32 = 1_000.0;

/// A conversion of 16-bit samples.
pub(crate) struct ToSrgb {
    /// Linear light of each sample value, 1 is white.
    curve: Vec<f32>,
    /// Linear light in the picture's primaries to that in sRGB's.
    matrix: [[f32; 3]; 3],
    /// Values above white occur and are to be brought down.
    is_hdr: bool,
    is_hlg: bool,
}

impl ToSrgb {
    /// `None` if samples in this profile are sRGB, or nothing is known that would say how they are not.
    pub(crate) fn from_profile(profile: &JxlColorProfile) -> Option<Self> {
        let JxlColorProfile::Simple(encoding) = profile else {
            return None;
        };
        let (transfer, primaries, white) = match encoding {
            JxlColorEncoding::RgbColorSpace {
                white_point,
                primaries,
                transfer_function,
                ..
            } => (transfer_function, Some(primaries), white_point),
            JxlColorEncoding::GrayscaleColorSpace {
                white_point,
                transfer_function,
                ..
            } => (transfer_function, None, white_point),
            JxlColorEncoding::XYB { .. } => return None,
        };
        let is_srgb_light = primaries.is_none_or(|p| *p == JxlPrimaries::SRGB)
            && *white == jxl::api::JxlWhitePoint::D65;
        if *transfer == JxlTransferFunction::SRGB && (is_srgb_light || primaries.is_none()) {
            return None;
        }
        let (wx, wy) = white.to_xy_coords();
        let matrix = match primaries {
            Some(primaries) if !is_srgb_light => to_srgb_light(primaries.to_xy_coords(), (wx, wy))?,
            _ => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        };
        let linear = |i: u32| light(transfer, i as f32 / 65_535.0);
        Some(Self {
            curve: (0..=65_535).map(linear).collect(),
            matrix,
            is_hdr: matches!(transfer, JxlTransferFunction::PQ | JxlTransferFunction::HLG),
            is_hlg: *transfer == JxlTransferFunction::HLG,
        })
    }

    pub(crate) fn grey(&self, sample: u16) -> u8 {
        let light = self.curve[usize::from(sample)];
        srgb(self.displayed([light; 3])[0])
    }

    pub(crate) fn rgb(&self, samples: [u16; 3]) -> [u8; 3] {
        let light = self.displayed(samples.map(|s| self.curve[usize::from(s)]));
        let out = self
            .matrix
            .map(|row| row[0] * light[0] + row[1] * light[1] + row[2] * light[2]);
        out.map(srgb)
    }

    /// Light as an ordinary display shows it.
    fn displayed(&self, mut light: [f32; 3]) -> [f32; 3] {
        if self.is_hlg {
            // The display's own curve (BT.2100): light times luma to the power of 0.2.
            let luma = 0.2627 * light[0] + 0.678 * light[1] + 0.0593 * light[2];
            let gain = luma.max(0.0).powf(0.2) * HLG_PEAK / HDR_WHITE;
            light = light.map(|v| v * gain);
        }
        if self.is_hdr {
            let most = light[0].max(light[1]).max(light[2]);
            if most > KNEE {
                let gain = brought_down(most) / most;
                light = light.map(|v| v * gain);
            }
        }
        light
    }
}

/// Up to here light stays as it is; above, it nears 1 and never reaches it.
const KNEE: f32 = 0.6;

fn brought_down(light: f32) -> f32 {
    let (over, room) = (light - KNEE, 1.0 - KNEE);
    KNEE + room * over / (over + room)
}

/// Linear light of a sample from 0 to 1; of HLG without its display's curve.
fn light(transfer: &JxlTransferFunction, v: f32) -> f32 {
    match transfer {
        JxlTransferFunction::Linear => v,
        JxlTransferFunction::SRGB if v <= 0.040_45 => v / 12.92,
        JxlTransferFunction::SRGB => ((v + 0.055) / 1.055).powf(2.4),
        JxlTransferFunction::BT709 if v < 0.081 => v / 4.5,
        JxlTransferFunction::BT709 => ((v + 0.099) / 1.099).powf(1.0 / 0.45),
        JxlTransferFunction::DCI => v.powf(2.6),
        JxlTransferFunction::Gamma(g) => v.powf(1.0 / g.max(0.1)),
        JxlTransferFunction::PQ => {
            // SMPTE ST 2084.
            let p = v.powf(1.0 / 78.843_75);
            let top = (p - 0.835_937_5).max(0.0);
            let light = (top / (18.851_562 - 18.6875 * p)).powf(1.0 / 0.159_301_76);
            light * PQ_PEAK / HDR_WHITE
        }
        // ITU-R BT.2100.
        JxlTransferFunction::HLG if v <= 0.5 => v * v / 3.0,
        JxlTransferFunction::HLG => {
            (((v - 0.559_910_7) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
        }
    }
}

type Matrix = [[f64; 3]; 3];

/// Linear light in these primaries and white (CIE x and y) to that of sRGB, white staying white (Bradford).
fn to_srgb_light(primaries: [(f32, f32); 3], white: (f32, f32)) -> Option<[[f32; 3]; 3]> {
    const SRGB: [(f32, f32); 3] = [(0.64, 0.33), (0.3, 0.6), (0.15, 0.06)];
    const D65: (f32, f32) = (0.3127, 0.329);
    const BRADFORD: Matrix = [
        [0.8951, 0.2664, -0.1614],
        [-0.7502, 1.7135, 0.0367],
        [0.0389, -0.0685, 1.0296],
    ];
    let cones = |white| times(&BRADFORD, xyz(white));
    let (from, to) = (cones(white), cones(D65));
    let mut scale = [[0.0; 3]; 3];
    for i in 0..3 {
        scale[i][i] = to[i] / from[i];
    }
    let adapt = product(&product(&inverse(&BRADFORD)?, &scale), &BRADFORD);
    let out = product(
        &inverse(&to_xyz(SRGB, D65)?)?,
        &product(&adapt, &to_xyz(primaries, white)?),
    );
    let is_sound = out.iter().flatten().all(|v| v.is_finite());
    is_sound.then(|| out.map(|row| row.map(|v| v as f32)))
}

fn xyz((x, y): (f32, f32)) -> [f64; 3] {
    let (x, y) = (f64::from(x), f64::from(y));
    [x / y, 1.0, (1.0 - x - y) / y]
}

fn to_xyz(primaries: [(f32, f32); 3], white: (f32, f32)) -> Option<Matrix> {
    let columns = primaries.map(xyz);
    let mut matrix = [0, 1, 2].map(|row| columns.map(|column| column[row]));
    let strengths = times(&inverse(&matrix)?, xyz(white));
    for row in &mut matrix {
        for (v, strength) in row.iter_mut().zip(strengths) {
            *v *= strength;
        }
    }
    Some(matrix)
}

fn times(m: &Matrix, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    a.map(|row| [0, 1, 2].map(|c| row[0] * b[0][c] + row[1] * b[1][c] + row[2] * b[2][c]))
}

fn inverse(m: &Matrix) -> Option<Matrix> {
    let minor = |r: usize, c: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant = (0..3).map(|c| m[0][c] * minor(0, c)).sum::<f64>();
    if determinant.abs() < 1e-12 || !determinant.is_finite() {
        return None;
    }
    Some([0, 1, 2].map(|r| [0, 1, 2].map(|c| minor(c, r) / determinant)))
}
