//! Samples as TIFF packs them: of 1 to 64 bits, unsigned, signed or floats, in either byte order.

use crate::media::tiff::layout::Kind;

/// One row of packed samples.
pub(crate) struct Samples<'a> {
    pub(crate) row: &'a [u8],
    pub(crate) bits: usize,
    pub(crate) kind: Kind,
    pub(crate) is_little: bool,
}

impl Samples<'_> {
    /// The `i`th sample's bits; of more than 32 the highest.
    pub(crate) fn raw(&self, i: usize) -> u32 {
        let bits = self.bits;
        if bits.is_multiple_of(8) {
            let size = bits / 8;
            let sample = &self.row[i * size..(i + 1) * size];
            let append = |n: u64, b: &u8| (n << 8) | u64::from(*b);
            let all = if self.is_little {
                sample.iter().rev().fold(0, append)
            } else {
                sample.iter().fold(0, append)
            };
            return (all >> bits.saturating_sub(32)) as u32;
        }
        let first = i * bits;
        let window = (first / 8..first / 8 + 3).fold(0_u32, |n, at| {
            (n << 8) | u32::from(self.row.get(at).copied().unwrap_or(0))
        });
        (window >> (24 - first % 8 - bits)) & ((1 << bits) - 1)
    }

    /// The sample as 8 bits.
    pub(crate) fn byte(&self, i: usize) -> u8 {
        if self.kind == Kind::Float {
            return (self.float(i).clamp(0.0, 1.0) * 255.0).round() as u8;
        }
        let bits = self.bits.min(32);
        let mut value = self.raw(i);
        if self.kind == Kind::Signed {
            value ^= 1 << (bits - 1);
        }
        if bits >= 8 {
            (value >> (bits - 8)) as u8
        } else {
            (value * 255 / ((1 << bits) - 1)) as u8
        }
    }

    /// The sample as a number.
    pub(crate) fn number(&self, i: usize) -> f32 {
        let value = self.raw(i);
        match self.kind {
            Kind::Float => self.float(i),
            Kind::Unsigned => value as f32,
            Kind::Signed => ((value << (32 - self.bits.min(32))) as i32) as f32,
        }
    }

    /// The sample as a number, if it is a float; of 16, 24, 32 or 64 bits.
    fn float(&self, i: usize) -> f32 {
        match self.bits {
            16 => small_float(self.raw(i), 5, 10),
            24 => small_float(self.raw(i), 7, 16),
            32 => f32::from_bits(self.raw(i)),
            _ => double_top(self.raw(i)),
        }
    }
}

/// A float of fewer than 32 bits: sign, exponent, fraction.
fn small_float(bits: u32, exponent_bits: u32, fraction_bits: u32) -> f32 {
    let sign = if bits >> (exponent_bits + fraction_bits) & 1 == 1 {
        -1.0
    } else {
        1.0
    };
    let max = (1 << exponent_bits) - 1;
    let exponent = (bits >> fraction_bits) & max;
    let fraction = (bits & ((1 << fraction_bits) - 1)) as f32 / (1_u32 << fraction_bits) as f32;
    let bias = (max >> 1) as i32;
    sign * match exponent {
        0 => fraction * 2_f32.powi(1 - bias),
        e if e == max => f32::NAN, // also infinity: it has no brightness either
        e => (1.0 + fraction) * 2_f32.powi(e as i32 - bias),
    }
}

/// A 64-bit float by its upper half, which is more precise than a pixel.
fn double_top(bits: u32) -> f32 {
    f64::from_bits(u64::from(bits) << 32) as f32
}
