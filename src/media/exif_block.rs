//! Where containers keep their EXIF block, and whether a block is safe to parse.

use super::jpeg_layout::Layout;
use super::limits::Limits;
use crate::photo::Format;

/// The TIFF structure that holds a file's EXIF, if it has one.
pub(super) fn exif_block<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Option<&'a [u8]> {
    let block = match format {
        Format::Jpeg => Layout::read(bytes).exif,
        Format::Png => png(bytes),
        Format::Webp => webp(bytes),
        _ => None,
    }?;
    (block.len() <= limits.max_metadata).then_some(block)
}

/// The `eXIf` chunk (PNG 1.5 extensions); chunks are length, type, data, checksum.
fn png(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (kind, data) = after.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        match kind {
            b"eXIf" => return data.get(..len),
            b"IEND" => return None,
            _ => rest = data.get(len.checked_add(4)?..)?,
        }
    }
}

/// The `EXIF` chunk; RIFF chunks are type, length, data padded to even. Some writers repeat
/// JPEG's prefix inside it.
fn webp(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (len, data) = after.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len) as usize;
        if kind == b"EXIF" {
            let block = data.get(..len)?;
            return Some(block.strip_prefix(b"Exif\0\0").unwrap_or(block));
        }
        rest = data.get(len.checked_add(len & 1)?..)?;
    }
}

/// Whether walking all directories of a TIFF structure stays a small job.
///
/// The parser never visits one directory twice, but directories may overlap: a block of 64 KB can
/// hold thousands of pointers to thousands of overlapping directories of thousands of entries,
/// gigabytes once parsed. This counts what the parser would meet and stops at a number no camera
/// comes near.
pub(super) fn is_bounded(block: &[u8]) -> bool {
    const MAX_ENTRIES: usize = 20_000;
    const MAX_DIRECTORIES: usize = 64;
    const POINTERS: [u16; 3] = [0x8769, 0x8825, 0xA005]; // EXIF, GPS, interoperability
    let little = block.starts_with(b"II");
    let u16_at = |at: usize| -> Option<u16> {
        let b = *block.get(at..)?.first_chunk::<2>()?;
        Some(if little {
            u16::from_le_bytes(b)
        } else {
            u16::from_be_bytes(b)
        })
    };
    let u32_at = |at: usize| -> Option<usize> {
        let b = *block.get(at..)?.first_chunk::<4>()?;
        Some(if little {
            u32::from_le_bytes(b)
        } else {
            u32::from_be_bytes(b)
        } as usize)
    };
    let mut entries = 0;
    let mut seen = Vec::new();
    let mut waiting = Vec::from_iter(u32_at(4));
    while let Some(directory) = waiting.pop() {
        if directory == 0 || seen.contains(&directory) {
            continue;
        }
        seen.push(directory);
        let Some(count) = u16_at(directory) else {
            continue;
        };
        for i in 0..usize::from(count) {
            let entry = directory + 2 + 12 * i;
            let Some(tag) = u16_at(entry) else { break };
            entries += 1;
            if POINTERS.contains(&tag) {
                // An inline short sits in the first half of the value, a long fills it.
                waiting.extend(u32_at(entry + 8));
                waiting.extend(u16_at(entry + 8).map(usize::from));
            }
            if entries > MAX_ENTRIES || seen.len() + waiting.len() > MAX_DIRECTORIES {
                return false;
            }
        }
        waiting.extend(u32_at(directory + 2 + 12 * usize::from(count)));
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn directory(entries: &[(u16, u16, u32, u32)], next: u32) -> Vec<u8> {
        let mut d = u16::try_from(entries.len()).unwrap().to_le_bytes().to_vec();
        for (tag, kind, count, value) in entries {
            d.extend_from_slice(&tag.to_le_bytes());
            d.extend_from_slice(&kind.to_le_bytes());
            d.extend_from_slice(&count.to_le_bytes());
            d.extend_from_slice(&value.to_le_bytes());
        }
        d.extend_from_slice(&next.to_le_bytes());
        d
    }

    #[test]
    fn loops_end_and_are_harmless() {
        let own_tail = [
            &b"II\x2a\0\x08\0\0\0"[..],
            &directory(&[(0x8769, 4, 1, 8)], 8),
        ]
        .concat();
        assert!(
            is_bounded(&own_tail),
            "two directories that point at each other are still two"
        );
    }

    #[test]
    fn a_web_of_overlapping_directories_is_refused() {
        let pointers: Vec<_> = (0..2000_u32).map(|i| (0x8769, 4, 1, 24_100 + i)).collect();
        let mut block = [&b"II\x2a\0\x08\0\0\0"[..], &directory(&pointers, 0)].concat();
        block.resize(60_000, 0x20);
        assert!(!is_bounded(&block));
    }

    #[test]
    fn an_entry_count_beyond_the_block_is_not_believed() {
        let mut block = b"II\x2a\0\x08\0\0\0".to_vec();
        block.extend_from_slice(&[0xFF, 0xFF, 0, 0]);
        assert!(is_bounded(&block));
    }

    #[test]
    fn chunks_with_lengths_beyond_the_file_are_not_followed() {
        let limits = Limits::default();
        let png = b"\x89PNG\r\n\x1a\n\xFF\xFF\xFF\xFFeXIfII\x2a\0";
        assert_eq!(exif_block(png, Format::Png, &limits), None);
        let webp = b"RIFF\x10\0\0\0WEBPEXIF\xFF\xFF\xFF\xFFII\x2a\0";
        assert_eq!(exif_block(webp, Format::Webp, &limits), None);
    }
}
