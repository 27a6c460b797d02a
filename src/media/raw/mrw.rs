//! Minolta MRW: a list of blocks (four-letter type, length, body). "TTW" is a TIFF structure with
//! EXIF and the maker's preview, "PRD" tells the sizes. Layout: ExifTool's MinoltaRaw tables.

use super::bytes::{Order, Span, available, size, slice};
use super::found::Found;
use super::size::Size;
use super::tiff;
use super::tree::Tree;

/// A file has about five blocks.
const MAX_BLOCKS: usize = 64;
/// In "PRD": the picture's height, then its width, 16 bits each.
const PRD_HEIGHT: usize = 12;
const PRD_WIDTH: usize = 14;

/// The order of numbers, by the last letter of the mark.
fn order(bytes: &[u8]) -> Option<Order> {
    match bytes.get(..4)? {
        b"\0MRM" => Some(Order::Big),
        b"\0MRI" => Some(Order::Little),
        _ => None,
    }
}

pub(super) fn is_mrw(bytes: &[u8]) -> bool {
    order(bytes).is_some()
}

pub(super) fn read(bytes: &[u8], max_metadata: usize) -> Found<'_> {
    let mut found = Found::default();
    let Some(order) = order(bytes) else {
        return found;
    };
    let mut sensor = None;
    let mut at = 8;
    for _ in 0..MAX_BLOCKS {
        let (Some(kind), Some(len)) = (slice(bytes, at, 4), order.u32(bytes, at + 4)) else {
            break;
        };
        let body_at = at + 8;
        let len = size(len);
        match kind {
            b"\0PRD" => {
                let side = |i| order.u16(bytes, body_at + i).map(u32::from);
                sensor = side(PRD_WIDTH)
                    .zip(side(PRD_HEIGHT))
                    .and_then(|(w, h)| Size::developed(w, h));
            }
            b"\0TTW" => {
                if let Some(tree) = Tree::read(bytes, body_at) {
                    let span = Span {
                        start: body_at,
                        len: available(bytes, body_at, len).len(),
                    };
                    found = tiff::of_tree(tree, span, max_metadata);
                }
            }
            [0, ..] => {}
            // Past the blocks.
            _ => break,
        }
        let Some(next) = body_at.checked_add(len) else {
            break;
        };
        at = next;
    }
    found.size = sensor.or(found.size);
    found
}
