//! Coded pictures: from an item to a frame, whichever codec it is, and from a frame's rows to strips.

use super::budget::Budget;
use super::canvas::{STRIP, filled};
use super::container::{Container, Item};
use super::frame::{Frame, Header};
use super::properties::{Nclx, Property};
use super::{av1, hevc};
use crate::media::facts::NoPixels;

/// Decodes a coded picture. Also gives what its header says, and the bytes that the budget holds for it until
/// the frame is dropped.
pub(super) fn decode<'a>(
    container: &Container<'a>,
    item: &Item<'a>,
    budget: &mut Budget<'_>,
) -> Result<(Frame, Header, u64), NoPixels> {
    let data = container.data(item)?;
    if data.is_empty() {
        return Err(NoPixels::Corrupt("a coded picture has no data".into()));
    }
    budget.spend_bytes(data.len() as u64)?;
    if item.kind == *b"av01" {
        let point = container
            .properties_of(item)
            .find_map(|property| match property {
                Property::OperatingPoint(point) => Some(*point),
                _ => None,
            });
        let stream = av1::Stream::new(&data, point.unwrap_or(0))?;
        let (header, memory) = (stream.header, stream.memory());
        budget.prepare(&header, memory)?;
        return Ok((stream.decode()?, header, memory));
    }
    let config = container.codec(item, b"hvcC");
    let config = config.ok_or_else(|| NoPixels::Corrupt("its HEVC set-up is missing".into()))?;
    let stream = hevc::Stream::new(config, &data)?;
    let (header, memory) = (stream.header, stream.memory());
    budget.prepare(&header, memory)?;
    Ok((stream.decode()?, header, memory))
}

/// The container's code points, and the stream's where it has none.
pub(super) fn effective(container: Option<Nclx>, stream: Nclx) -> Nclx {
    let Some(told) = container else {
        return stream;
    };
    let either = |told: u16, stream: u16| if told == 2 { stream } else { told };
    Nclx {
        primaries: either(told.primaries, stream.primaries),
        transfer: either(told.transfer, stream.transfer),
        matrix: either(told.matrix, stream.matrix),
        is_full_range: told.is_full_range,
    }
}

/// Makes rows of `bytes` bytes a pixel with `make`, and hands on sixteen at a time with `put`.
pub(super) fn in_strips(
    [_, top, width, height]: [u32; 4],
    bytes: usize,
    mut make: impl FnMut(u32, &mut [u8]) -> Result<(), NoPixels>,
    mut put: impl FnMut(u32, &[u8]),
) -> Result<(), NoPixels> {
    let stride = width as usize * bytes;
    let mut strip = filled((stride * STRIP as usize) as u64, 0)?;
    for start in (0..height).step_by(STRIP as usize) {
        let count = STRIP.min(height - start);
        for (y, row) in (start..start + count).zip(strip.chunks_exact_mut(stride)) {
            make(y, row)?;
        }
        put(top + start, &strip[..count as usize * stride]);
    }
    Ok(())
}
