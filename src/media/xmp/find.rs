//! Where JPEG, PNG, WebP and GIF keep their XMP packet. Other formats' decoders find it themselves.
//!
//! Finds it, joins or decompresses it if it must, and does not read it. A block larger than
//! [`Limits::max_metadata`] counts as none. Works on files that are cut off after the packet.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::memmem::{find, rfind};

use super::read::is_sound;
use crate::media::jpeg_layout::segments;
use crate::media::limits::Limits;
use crate::photo::Format;

/// The XMP packet of a file, at most `limits.max_metadata` bytes.
pub(in crate::media) fn xmp_block<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &Limits,
) -> Option<Cow<'a, [u8]>> {
    let max = limits.max_metadata;
    let packet = match format {
        Format::Jpeg => jpeg(bytes, max),
        Format::Png => png(bytes, max),
        Format::Webp => webp(bytes).map(Cow::Borrowed),
        Format::Gif => gif(bytes).map(Cow::Borrowed),
        _ => None,
    }?;
    (!packet.is_empty() && packet.len() <= max).then_some(packet)
}

/// Starts the segment with the main packet (Adobe XMP specification, part 3, "JPEG").
const MAIN: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Starts a segment with a part of a packet that did not fit into one segment.
const EXTENDED: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

/// Whether `tiff:Orientation` of the packet that is found in a file is about the pixels beside it.
///
/// Copies from a photo site have the first bytes of the packet's header overwritten
/// (`XMP\0://ns.adobe.com/…`). The words in it are still the photo's, but whether the site turned
/// such a copy upright when it made it smaller is not known, so it is shown as it is stored.
pub(in crate::media) fn is_about_these_pixels(bytes: &[u8], format: Format) -> bool {
    format != Format::Jpeg || segments(bytes).any(|(_, segment, _)| segment.starts_with(MAIN))
}

/// The packet in a segment that is the main one, even if its header is overwritten.
fn main_packet(segment: &[u8]) -> Option<&[u8]> {
    const END: &[u8] = b"ns.adobe.com/xap/1.0/\0";
    let head = segment.get(..MAIN.len() + 4).unwrap_or(segment);
    segment.get(find(head, END)? + END.len()..)
}

/// The main packet with the extended one in it, if there is one that is complete.
///
/// The two are XML documents of their own, each with its own name spaces. The specification has
/// readers merge them; here the extension becomes the last element of the main packet, so that one
/// parser sees both.
fn jpeg(bytes: &[u8], max: usize) -> Option<Cow<'_, [u8]>> {
    let mut main = None;
    let mut parts = Vec::new();
    let app1 = segments(bytes).filter(|(marker, ..)| *marker == 0xE1);
    for (_, segment, _) in app1 {
        if let Some(packet) = main_packet(segment) {
            main = main.or(Some(packet));
        } else if let Some(part) = segment.strip_prefix(EXTENDED) {
            parts.extend(Part::read(part));
        }
    }
    let joined = |main: &[u8]| {
        let (name, total) = extension_named_by(main, &parts)?;
        let extension = join(&parts, name, total, max.checked_sub(main.len())?)?;
        merge(main, &extension)
    };
    let main = main?;
    Some(match joined(main) {
        Some(packet) => Cow::Owned(packet),
        None => Cow::Borrowed(main),
    })
}

/// A piece of an extended packet.
struct Part<'a> {
    /// The MD5 of the whole extended packet in hexadecimal; the main packet names it.
    name: &'a [u8],
    /// Bytes of the whole extended packet.
    total: usize,
    /// Where in it this piece belongs.
    offset: usize,
    data: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        let (name, rest) = part.split_at_checked(32)?;
        let (total, rest) = rest.split_first_chunk::<4>()?;
        let (offset, data) = rest.split_first_chunk::<4>()?;
        Some(Self {
            name,
            total: u32::from_be_bytes(*total) as usize,
            offset: u32::from_be_bytes(*offset) as usize,
            data,
        })
    }
}

/// The extension that the main packet asks for by `xmpNote:HasExtendedXMP`.
fn extension_named_by<'a>(main: &[u8], parts: &[Part<'a>]) -> Option<(&'a [u8], usize)> {
    let at = find(main, b"HasExtendedXMP")?;
    let near = main.get(at..)?;
    let near = &near[..near.len().min(100)]; // the name, a few characters of XML, 32 digits
    parts
        .iter()
        .find(|p| find(near, p.name).is_some())
        .map(|p| (p.name, p.total))
}

/// The pieces of one extension in their places. `None` if one is missing or they contradict each other.
fn join(parts: &[Part], name: &[u8], total: usize, max: usize) -> Option<Vec<u8>> {
    let mut mine: Vec<&Part> = parts.iter().filter(|p| p.name == name).collect();
    let there: usize = mine.iter().map(|p| p.data.len()).sum();
    if total > max.min(there) {
        return None;
    }
    mine.sort_by_key(|p| p.offset);
    let mut packet = Vec::new();
    packet.try_reserve_exact(total).ok()?;
    for part in mine {
        // The same piece twice is harmless, a gap is not.
        if part.total != total || part.offset > packet.len() {
            return None;
        }
        let known = packet.len() - part.offset;
        let fresh = part.data.get(known..).unwrap_or_default();
        packet.extend_from_slice(fresh.get(..fresh.len().min(total - packet.len()))?);
    }
    (packet.len() == total).then_some(packet)
}

/// `main` with the extension before its last end tag.
fn merge(main: &[u8], extension: &[u8]) -> Option<Vec<u8>> {
    let text = extension.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(extension);
    // A second document may be an element; its XML declaration may not.
    let text = match text.trim_ascii_start().starts_with(b"<?xml ") {
        true => &text[find(text, b"?>")? + 2..],
        false => text,
    };
    // What is not well-formed would take the main packet with it.
    let at = rfind(main, b"</").filter(|_| is_sound(text))?;
    let mut packet = Vec::new();
    packet.try_reserve_exact(main.len() + text.len()).ok()?;
    packet.extend_from_slice(&main[..at]);
    packet.extend_from_slice(text);
    packet.extend_from_slice(&main[at..]);
    Some(packet)
}

/// The text of the `iTXt` chunk: keyword, 0, is compressed, method, language, 0, translated keyword, 0, text.
fn png(bytes: &[u8], max: usize) -> Option<Cow<'_, [u8]>> {
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    loop {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (kind, data) = after.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        if kind == b"IEND" {
            return None;
        }
        if kind == b"iTXt"
            && let Some(text) = data.get(..len)?.strip_prefix(b"XML:com.adobe.xmp\0")
        {
            let (flags, text) = text.split_first_chunk::<2>()?;
            let text = after_zero(after_zero(text)?)?;
            return match flags {
                [0, _] => Some(Cow::Borrowed(text)),
                [1, 0] => inflate(text, max).map(Cow::Owned),
                _ => None,
            };
        }
        rest = data.get(len.checked_add(4)?..)?;
    }
}

fn after_zero(bytes: &[u8]) -> Option<&[u8]> {
    let zero = bytes.iter().position(|b| *b == 0)?;
    bytes.get(zero + 1..)
}

/// Decompressed zlib data, unless it is more than `max` bytes.
fn inflate(data: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut limited = ZlibDecoder::new(data).take(max as u64 + 1);
    limited.read_to_end(&mut text).ok()?;
    (text.len() <= max).then_some(text)
}

/// The `XMP ` chunk; RIFF chunks are type, length, data padded to even.
fn webp(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.get(8..12)? != b"WEBP" {
        return None;
    }
    let mut rest = bytes.get(12..)?;
    loop {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (len, data) = after.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len) as usize;
        if kind == b"XMP " {
            return data.get(..len);
        }
        rest = data.get(len.checked_add(len & 1)?..)?;
    }
}

/// The application extension. Its packet is not cut into sub-blocks: a "magic trailer" after it (the bytes 1, 255, 254
/// … 0) makes readers that skip by sub-block lengths arrive at the end of it from wherever they land in it.
fn gif(bytes: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"\x21\xFF\x0BXMP DataXMP";
    if !bytes.starts_with(b"GIF8") {
        return None;
    }
    let flags = *bytes.get(10)?;
    let mut at = 13 + color_table(flags);
    loop {
        let rest = bytes.get(at..)?;
        if let Some(packet) = rest.strip_prefix(NAME) {
            return packet.get(..magic_trailer(packet)?);
        }
        at = match rest.first()? {
            0x21 => after_sub_blocks(bytes, at + 2)?,
            // Place, size and flags of a frame, its colours, its code size, its data.
            0x2C => after_sub_blocks(bytes, at + 10 + color_table(*rest.get(9)?) + 1)?,
            _ => return None,
        };
    }
}

/// Bytes of a GIF colour table, by the flags of its screen or frame.
fn color_table(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        return 0;
    }
    3 << ((flags & 7) + 1)
}

/// The first position after a chain of sub-blocks (a length byte and so many bytes; 0 ends it).
fn after_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1 + len;
        if len == 0 {
            return Some(at);
        }
    }
}

/// Where the magic trailer starts.
fn magic_trailer(packet: &[u8]) -> Option<usize> {
    packet
        .windows(258)
        .position(|w| w.starts_with(&[1, 255, 254, 253]) && w.ends_with(&[2, 1, 0, 0]))
}

#[cfg(test)]
mod tests;
