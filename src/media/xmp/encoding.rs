//! From a packet's bytes to text that an XML parser takes.

use std::borrow::Cow;

use crate::said::text::latin1;

/// The text of a packet, from its first tag to its last: packets are padded with blanks and zeros.
pub(super) fn decode(packet: &[u8]) -> Cow<'_, str> {
    let text = match packet {
        [0, 0, 0xFE, 0xFF, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        // Without a mark, the first character tells.
        [0, 0, 0, b'<', ..] => utf32(packet, u32::from_be_bytes),
        [b'<', 0, 0, 0, ..] => utf32(packet, u32::from_le_bytes),
        [0, b'<', ..] => utf16(packet, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(packet, u16::from_le_bytes),
        _ => utf8(packet),
    };
    legal(tags(text))
}

fn utf32(bytes: &[u8], read: fn([u8; 4]) -> u32) -> Cow<'_, str> {
    let (units, _) = bytes.as_chunks::<4>();
    let text = units.iter().map(|unit| char::from_u32(read(*unit)));
    text.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Cow<'_, str> {
    let (units, _) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|unit| read(*unit)));
    text.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A byte that is not UTF-8 was meant as Latin-1, most likely.
fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|b| latin1(*b)));
    }
    Cow::Owned(text)
}

fn tags(text: Cow<'_, str>) -> Cow<'_, str> {
    let range = match (text.find('<'), text.rfind('>')) {
        (Some(from), Some(to)) if from < to => from..to + 1,
        _ => return Cow::Borrowed(""),
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(mut text) => {
            text.truncate(range.end);
            text.drain(..range.start);
            Cow::Owned(text)
        }
    }
}

/// One character that XML does not have would cost the whole packet.
fn legal(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_illegal = |c: char| match c {
        '\t' | '\n' | '\r' => false,
        c => c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}'),
    };
    if text.contains(is_illegal) {
        return Cow::Owned(text.replace(is_illegal, " "));
    }
    text
}
