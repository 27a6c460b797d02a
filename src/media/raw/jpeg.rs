//! Whether bytes are a JPEG that can be shown, how large it is, and where it ends.
//!
//! Marker codes: ITU-T T.81, table B.1.

use super::bytes::{Order, Span, slice};

/// Markers and fill bytes before the first scan. A camera writes about ten; colour profiles and
/// multi-picture data can make it a few hundred.
const MAX_MARKERS: usize = 1024;
/// Bytes before the declared end that are looked through for the end marker: padding is at most a
/// sector or two.
const END_WINDOW: usize = 8192;

/// Previews noted of one file, at most. Real files have one to six.
const MAX_CANDIDATES: usize = 64;

const SOF0: u8 = 0xC0;
const SOF2: u8 = 0xC2;
const SOS: u8 = 0xDA;
const EOI: u8 = 0xD9;
const DQT: u8 = 0xDB;
const APP1: u8 = 0xE1;

/// Where XMP starts in an APP1 segment (XMP specification, part 3).
const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Where EXIF starts in an APP1 segment.
const EXIF_PREFIX: &[u8] = b"Exif\0\0";

/// What stands before a JPEG's first scan. Spans are positions in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The TIFF structure of its EXIF segment.
    pub(super) exif: Option<Span>,
    pub(super) xmp: Option<Span>,
    /// Where the compressed data of the first scan starts.
    pub(super) data_at: usize,
}

/// True if a JPEG may start at `at`. Minolta's cameras store something else than FF in its first
/// byte; what follows them then is always a quantisation table.
fn may_start(bytes: &[u8], at: usize) -> bool {
    matches!(
        slice(bytes, at, 4),
        Some([0xFF, 0xD8, 0xFF, _] | [_, 0xD8, 0xFF, DQT])
    )
}

/// Notes that `span` may be a preview, unless no JPEG can start there or enough are noted.
pub(super) fn note(bytes: &[u8], span: Span, candidates: &mut Vec<Span>) {
    let is_new = candidates.len() < MAX_CANDIDATES && !candidates.contains(&span);
    if is_new && span.len > 0 && may_start(bytes, span.start) {
        candidates.push(span);
    }
}

/// Reads the markers from `start`. `None` unless they lead to a scan of a baseline, extended or
/// progressive Huffman picture of 8 bits a sample.
pub(super) fn header(bytes: &[u8], start: usize) -> Option<Header> {
    if !may_start(bytes, start) {
        return None;
    }
    let mut size = None;
    let (mut exif, mut xmp) = (None, None);
    let mut has_tables = false;
    let mut at = start.checked_add(2)?;
    for _ in 0..MAX_MARKERS {
        let &[0xFF, marker] = slice(bytes, at, 2)? else {
            return None;
        };
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0x01 | 0xD0..=0xD7 => {
                at += 2;
                continue;
            }
            0x00 | 0xD8 | EOI => return None,
            _ => {}
        }
        let len = usize::from(Order::Big.u16(bytes, at + 2)?);
        let body_at = at + 4;
        let body = slice(bytes, body_at, len.checked_sub(2)?)?;
        at = body_at + body.len();
        match marker {
            SOF0..=SOF2 => size = size.or(Some(frame(body)?)),
            // Lossless, hierarchical and arithmetic frames; DHT (C4), JPG (C8) and DAC (CC) are none.
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return None,
            DQT => has_tables = true,
            APP1 if exif.is_none() && body.starts_with(EXIF_PREFIX) => {
                exif = Some(rest(body_at, body, EXIF_PREFIX));
            }
            APP1 if xmp.is_none() && body.starts_with(XMP_PREFIX) => {
                xmp = Some(rest(body_at, body, XMP_PREFIX));
            }
            SOS => {
                let (width, height) = size?;
                let is_sound = has_tables && at < bytes.len();
                return is_sound.then_some(Header {
                    width,
                    height,
                    exif,
                    xmp,
                    data_at: at,
                });
            }
            _ => {}
        }
    }
    None
}

fn rest(body_at: usize, body: &[u8], prefix: &[u8]) -> Span {
    Span {
        start: body_at + prefix.len(),
        len: body.len() - prefix.len(),
    }
}

/// Width and height out of a frame header that decoders can take.
fn frame(body: &[u8]) -> Option<(u32, u32)> {
    let &[8, h1, h0, w1, w0, components, ref sampling @ ..] = body else {
        return None;
    };
    let width = u32::from(u16::from_be_bytes([w1, w0]));
    let height = u32::from(u16::from_be_bytes([h1, h0]));
    let is_sound = matches!(components, 1 | 3 | 4)
        && sampling.len() >= usize::from(components) * 3
        && width > 0
        && height > 0;
    is_sound.then_some((width, height))
}

/// Where the JPEG with `header` that is declared to end at `declared_end` really ends (after its
/// end marker). `None`: there is no end marker, or `walk` (bytes of compressed data that may still
/// be walked, over all pictures of a file) does not reach that far.
pub(super) fn end(
    bytes: &[u8],
    header: &Header,
    declared_end: usize,
    walk: &mut usize,
) -> Option<usize> {
    let window_at = declared_end.saturating_sub(END_WINDOW).max(header.data_at);
    if let Some(tail) = bytes.get(window_at..declared_end)
        && let Some(at) = memchr::memmem::rfind(tail, &[0xFF, EOI])
    {
        return Some(window_at + at + 2);
    }
    walk_to_end(bytes, header.data_at, walk)
}

/// Follows scans and the segments between them from `at` to the end marker.
fn walk_to_end(bytes: &[u8], at: usize, walk: &mut usize) -> Option<usize> {
    let mut at = at;
    loop {
        let stretch = bytes.get(at..at.saturating_add(*walk).min(bytes.len()))?;
        let skipped = memchr::memchr(0xFF, stretch);
        *walk -= skipped.unwrap_or(stretch.len());
        at += skipped?;
        let step = match *bytes.get(at + 1)? {
            EOI => return Some(at + 2),
            0xFF => 1,
            // Stuffing and restart markers belong to the data.
            0x00 | 0x01 | 0xD0..=0xD8 => 2,
            _ => 2 + usize::from(Order::Big.u16(bytes, at + 2)?),
        };
        *walk = walk.saturating_sub(step);
        at += step;
    }
}
