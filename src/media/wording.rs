//! A decoder's complaint in a photographer's words.
//!
//! Decoders speak to programmers, quote the file and print their own types. Here their text decides
//! which [`InspectError`] it is (too large, not implemented, or damaged), our own sentence comes
//! first, and what the decoder said follows in brackets: short, printable, no Rust syntax. The
//! phrases are those of the pinned decoder crates; a phrase that changes falls back to "damaged",
//! never to a wrong claim about the picture.

use super::error::InspectError;
use crate::photo::Format;

/// The most that is kept of a decoder's words.
const MAX_CHARS: usize = 100;

/// What a decoder says of a file that is larger than it takes.
const TOO_LARGE: &[&str] = &[
    "greater than height limit",
    "greater than width limit",
    "image too large",
    "maximum supported image dimension",
    "size limits exceeded",
];

/// What a decoder says of a file that is right, or may be, but asks for what it cannot do. An
/// "unsupported marker" is not among it: a marker nobody knows comes from damaged data.
const NOT_IMPLEMENTED: &[&str] = &[
    "unsupported feature",
    "unsupported color conversion",
    "unsupported jpeg process",
    "unsupported bit depth",
    "not implemented",
    "not supported",
    "is unsupported",
    "unknown image compression type",
    "for top-down image",
];

/// Decoders' terms and what they are about, most telling first.
const FEATURES: &[(&str, &str)] = &[
    ("palette", "colours from a palette"),
    ("ycbcr", "YCbCr colours"),
    ("cielab", "Lab colours"),
    ("multiband", "an unusual number of colour channels"),
    ("top-down", "compressed rows stored from the top down"),
    ("non-keyframe", "frames that build on earlier ones"),
    ("bitmap header", "an unusual kind of header"),
    ("compression", "an unusual compression method"),
    ("photometric", "an unusual colour model"),
    ("sample format", "an unusual number format for its samples"),
    ("planar", "colour channels stored one after the other"),
    ("jpeg process", "an unusual way of coding"),
    ("bits per", "an unusual number of bits a sample"),
    ("color", "an unusual colour layout"),
];

/// The error that a decoder's refusal amounts to. `size` is the header's, (0, 0) if unknown.
pub(super) fn refusal(format: Format, size: (u32, u32), words: &str) -> InspectError {
    let lower = words.to_lowercase();
    let any = |phrases: &[&str]| phrases.iter().any(|p| lower.contains(p));
    if any(TOO_LARGE) {
        too_large(format, size, &lower)
    } else if any(NOT_IMPLEMENTED) {
        unsupported(format, words)
    } else {
        InspectError::corrupt(format, brief(words))
    }
}

/// A feature of the format that the decoder names and lacks.
pub(super) fn unsupported(format: Format, words: &str) -> InspectError {
    let lower = words.to_lowercase();
    let feature = FEATURES
        .iter()
        .find(|(term, _)| lower.contains(term))
        .map_or("a rare feature of the format", |(_, feature)| feature);
    InspectError::unsupported(format, format!("{feature} ({})", brief(words)))
}

/// Says which side is meant where the decoder does: data inside a file may claim another size than
/// the file itself.
fn too_large(format: Format, (mut width, mut height): (u32, u32), lower: &str) -> InspectError {
    let number = |after: &str| {
        let digits = lower.split_once(after)?.1.trim_start();
        let end = digits.find(|c: char| !c.is_ascii_digit());
        digits[..end.unwrap_or(digits.len())].parse::<u32>().ok()
    };
    width = number("image width ").unwrap_or(width);
    height = number("image height ").unwrap_or(height);
    let side = ["height limit", "width limit", "image dimension is"]
        .iter()
        .find_map(|after| number(after));
    let limit = match side {
        Some(side) => format!("its decoder takes at most {side} pixels a side"),
        None => "more than its decoder takes".to_owned(),
    };
    InspectError::TooLarge {
        format,
        width,
        height,
        limit,
    }
}

/// A decoder's own words: no control characters, quotations, Rust types or checksums, at most
/// [`MAX_CHARS`] of them. Empty words become "no details".
pub(super) fn brief(words: &str) -> String {
    let mut text: String = words
        .chars()
        .filter(|c| !matches!(c, '"' | '`' | '\\' | '“' | '”'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(8 * MAX_CHARS)
        .collect();
    for noise in ["format error: ", "compressed data is corrupt: "] {
        text = text.replace(noise, "");
    }
    if let (true, Some(place)) = (text.starts_with("CRC error"), text.find(" while ")) {
        text.replace_range("CRC error".len()..place, "");
    }
    let text = without_structs(&text).replace(". ", ", ");
    let words: Vec<String> = text.split_whitespace().map(plain_word).collect();
    let mut text = words.join(" ");
    for noise in [" with identifier", " encountered"] {
        text = text.trim_end_matches(noise).to_owned();
    }
    let text = text.trim_matches([' ', '.', ':', ',']);
    match text.char_indices().nth(MAX_CHARS) {
        None if text.is_empty() => "no details".to_owned(),
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// `Name { type: X, … }` as `X`, other values in braces as nothing; whatever follows an opening
/// brace that is never closed goes too.
fn without_structs(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once('{') {
        let before = before.trim_end();
        let name = before.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |i| {
            before[i..].chars().next().map_or(0, |c| i + c.len_utf8())
        });
        out.push_str(&before[..name]);
        let (fields, after) = inner.split_once('}').unwrap_or((inner, ""));
        let kind = fields
            .split(',')
            .find_map(|f| f.trim().strip_prefix("type: "));
        out.push_str(kind.unwrap_or_default());
        rest = after;
    }
    out + rest
}

/// `Unknown(24)` as `unknown 24`, `DistanceTooFarBack` as `distance too far back`.
fn plain_word(word: &str) -> String {
    let variant = word.find('(').is_some_and(|i| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word[..i].chars().all(|c| c.is_ascii_alphanumeric())
    });
    let word = if variant {
        word.replace('(', " ").replace(')', "")
    } else {
        word.to_owned()
    };
    let chars: Vec<char> = word.chars().collect();
    let hump = |i: usize| i > 0 && chars[i].is_uppercase() && chars[i - 1].is_lowercase();
    if !variant && !(0..chars.len()).any(hump) {
        return word;
    }
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        if hump(i) {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kind_and_text(format: Format, words: &str) -> (&'static str, String) {
        let error = refusal(format, (640, 480), words);
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_decoders_types_and_quotations_do_not_reach_the_user() {
        for (words, expected) in [
            (
                "CRC error: expected 0x9e087f57 have 0x815467c7 while decoding ChunkType { type: \
                 IHDR, critical: true, private: false } chunk.",
                "CRC error while decoding IHDR chunk",
            ),
            (
                "Corrupt deflate stream. DistanceTooFarBack",
                "Corrupt deflate stream, distance too far back",
            ),
            (
                "Unknown header line with identifier \"\"",
                "Unknown header line",
            ),
            (
                "format error: required tag `ImageWidth` not found",
                "required tag image width not found",
            ),
            (
                "Unhandled TIFF color type Multiband { bit_depth: 8, num_samples: 2 }",
                "Unhandled TIFF color type",
            ),
            ("colour type Unknown(24)", "colour type unknown 24"),
            ("broken Thing { a: 1, b: (", "broken"),
            ("größe { x }", "no details"),
            (" \u{1b}[31m\n", "[31m"),
            ("\"\"", "no details"),
        ] {
            assert_eq!(brief(words), expected, "{words:?}");
        }
    }

    #[test]
    fn words_are_cut_at_a_hundred_characters() {
        let long = brief(&"größer ".repeat(400));
        assert_eq!(long.chars().count(), MAX_CHARS + 1, "{long:?}");
        assert!(long.ends_with('…'));
        assert_eq!(brief(&"x".repeat(MAX_CHARS)), "x".repeat(MAX_CHARS));
    }

    #[test]
    fn what_is_only_not_implemented_is_not_called_damaged() {
        for (format, words, feature) in [
            (
                Format::Bmp,
                "Invalid image type 1 for top-down image.",
                "bmp: compressed rows stored from the top down",
            ),
            (
                Format::Bmp,
                "Unknown image compression type 6",
                "bmp: an unusual compression method",
            ),
            (
                Format::Webp,
                "Unsupported feature: Non-keyframe frames",
                "webp: frames that build on earlier ones",
            ),
            (
                Format::Jpeg,
                "Unsupported JPEG process: SOF type 0xc3",
                "jpeg: an unusual way of coding",
            ),
        ] {
            let (kind, text) = kind_and_text(format, words);
            assert_eq!(kind, "unsupported", "{words:?}");
            let says = feature.replacen(": ", ": this version cannot yet decode ", 1);
            assert!(text.starts_with(&says), "{text}");
        }
        for words in [
            "Bogus Huffman table definition",
            "Unsupported marker type 0x4c",
            "Non-contiguous bitfield mask",
            "invalid code in LZW stream",
        ] {
            assert_eq!(kind_and_text(Format::Jpeg, words).0, "corrupt", "{words:?}");
        }
    }

    #[test]
    fn a_decoders_own_limit_is_a_limit() {
        let (kind, text) = kind_and_text(
            Format::Tiff,
            "compressed data is corrupt: \"Image height 52502 greater than height limit 16384. If \
             use `set_limits` if you want to support huge images\"",
        );
        assert_eq!(kind, "too-large");
        assert!(
            text.contains("640×52502") && text.contains("16384"),
            "{text}"
        );
        assert!(!text.contains("set_limits"), "{text}");
        let (kind, text) = kind_and_text(Format::Webp, "Image too large");
        assert_eq!(kind, "too-large");
        assert!(text.contains("640×480"), "{text}");
    }
}
