//! What the decoders here share: a size held against the limits, a buffer that may be refused, and
//! Apple's PackBits.

use super::facts::NoPixels;
use super::limits::Limits;

/// Holds a size against the limits.
pub(crate) fn check_size(width: u32, height: u32, limits: &Limits) -> Result<(), NoPixels> {
    if width == 0 || height == 0 {
        return Err(NoPixels::Corrupt("its width or height is zero".to_owned()));
    }
    if width.max(height) > limits.max_side {
        let limit = format!("at most {} pixels a side", limits.max_side);
        return Err(NoPixels::TooLarge(limit));
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        let limit = format!("at most {} million pixels", limits.max_pixels / 1_000_000);
        return Err(NoPixels::TooLarge(limit));
    }
    Ok(())
}

/// An empty buffer that takes `len` bytes.
pub(crate) fn buffer(len: usize) -> Result<Vec<u8>, NoPixels> {
    let mut out = Vec::new();
    out.try_reserve_exact(len).map_err(|_| NoPixels::NoMemory)?;
    Ok(out)
}

/// Decodes Apple's PackBits into an empty buffer, up to `len` bytes: a count below 128 says that so many bytes and one
/// follow, one above 128 that the next byte comes 257 minus count times; 128 does nothing.
pub(crate) fn pack_bits_row(mut data: &[u8], len: usize, out: &mut Vec<u8>) {
    while out.len() < len
        && let Some((count, rest)) = data.split_first()
    {
        let room = len - out.len();
        let count = usize::from(*count);
        data = match count {
            0..128 => {
                let run = &rest[..rest.len().min(count + 1)];
                out.extend_from_slice(&run[..run.len().min(room)]);
                &rest[run.len()..]
            }
            128 => rest,
            _ => {
                let Some((byte, rest)) = rest.split_first() else {
                    break;
                };
                out.resize(out.len() + room.min(257 - count), *byte);
                rest
            }
        };
    }
}
