//! Previews of a file whose structure does not tell of any: looks for JPEGs byte by byte.

use super::bytes::Span;
use super::jpeg::{self, Header};

/// Bytes of the file that are looked through. The largest cameras' files are below 300 MB.
const MAX_SCANNED: usize = 512 << 20;
/// Places that look like a JPEG's start, at most. In compressed data one of 16 million places does.
const MAX_STARTS: usize = 4096;
/// Pictures handed back, the largest ones.
const MAX_FOUND: usize = 4;

/// Where the largest JPEGs in `bytes` start, by pixels; their lengths are not known (0).
pub(super) fn largest(bytes: &[u8]) -> Vec<Span> {
    let scanned = &bytes[..bytes.len().min(MAX_SCANNED)];
    let mut found: Vec<(u64, usize)> = memchr::memmem::find_iter(scanned, &[0xFF, 0xD8, 0xFF])
        .take(MAX_STARTS)
        .filter_map(|at| Some((pixels(&jpeg::header(bytes, at)?), at)))
        .collect();
    found.sort_by_key(|(pixels, at)| (std::cmp::Reverse(*pixels), *at));
    found.truncate(MAX_FOUND);
    found
        .into_iter()
        .map(|(_, start)| Span { start, len: 0 })
        .collect()
}

fn pixels(header: &Header) -> u64 {
    u64::from(header.width) * u64::from(header.height)
}
