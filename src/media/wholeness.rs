//! Whether a file stops in the middle of something: a look at the container's own bookkeeping.
//!
//! Decoders read until they have their picture, or paint over what is missing, so a half-copied
//! animation or lossy WebP can pass for whole. Here a block that promises more bytes than the file
//! has is the sign; a missing end marker after complete blocks is not, viewers forgive that.

use crate::photo::Format;

/// True when `bytes` end inside a block. Formats without blocks (and JPEG, which has its own way)
/// are left to their decoders.
pub(super) fn is_cut_short(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Png => png(bytes),
        Format::Webp => webp(bytes),
        Format::Gif => gif(bytes).is_none(),
        _ => false,
    }
}

/// Chunks of length, type, data, checksum. The last one is empty and its loss costs nothing.
fn png(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, data)) = rest.split_first_chunk::<8>() {
        let [l3, l2, l1, l0, kind @ ..] = *head;
        if &kind == b"IEND" {
            return false;
        }
        let len = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        match data.get(len.saturating_add(4)..) {
            Some(next) => rest = next,
            None => return true,
        }
    }
    false
}

/// Chunks of type, length, data padded to even.
fn webp(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((head, data)) = rest.split_first_chunk::<8>() {
        let [.., l0, l1, l2, l3] = *head;
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if data.len() < len {
            return true;
        }
        rest = data.get(len.saturating_add(len & 1)..).unwrap_or_default();
    }
    false
}

/// Screen descriptor, then extensions and images, each a row of sub-blocks; `None` when one of
/// them is not whole. Anything that is no block ends the walk: that is the decoder's business.
fn gif(bytes: &[u8]) -> Option<()> {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let screen = bytes.get(6..13)?;
    let mut rest = bytes.get(13 + table(screen[4])..)?;
    loop {
        let sub_blocks = match rest {
            [0x21, ..] => 2,
            [0x2C, ..] => 11 + table(*rest.get(9)?),
            _ => return Some(()),
        };
        rest = rest.get(sub_blocks..)?;
        loop {
            let (len, data) = rest.split_first()?;
            rest = data.get(usize::from(*len)..)?;
            if *len == 0 {
                break;
            }
        }
    }
}
