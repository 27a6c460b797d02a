//! Colour conversions that several formats share, on 8-bit samples.

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
