//! Text out of files, made safe to store and show: of one Unicode form (NFC), without control
//! characters and without marks that turn the direction of what follows, and not too long.
//!
//! And what is no text at all: the words that cameras and programs put where a person's belong.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// One line: runs of white space become one blank. At most `longest` characters.
pub(crate) fn line(text: &str, longest: usize) -> Option<String> {
    cleaned(text, longest, false)
}

/// Like [`line`], but line breaks stay, at most one empty line together.
pub(crate) fn paragraphs(text: &str, longest: usize) -> Option<String> {
    cleaned(text, longest, true)
}

fn cleaned(text: &str, longest: usize, keeps_breaks: bool) -> Option<String> {
    let mut out = String::new();
    let (mut blank, mut breaks, mut left) = (false, 0, longest);
    for c in text.chars() {
        if left == 0 {
            break;
        }
        if c.is_whitespace() || !is_shown(c) {
            blank = true;
            breaks += usize::from(keeps_breaks && c == '\n');
            continue;
        }
        if blank && !out.is_empty() {
            match breaks.min(2) {
                0 => out.push(' '),
                n => out.extend(std::iter::repeat_n('\n', n)),
            }
            left -= 1;
        }
        (blank, breaks) = (false, 0);
        if left > 0 {
            out.push(c);
            left -= 1;
        }
    }
    let text: String = out.trim_end().nfc().collect();
    (!text.is_empty()).then_some(text)
}

/// Terminals act on control characters; a mark of direction would turn the text after it as well.
pub(crate) fn is_shown(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns && !matches!(c, '\u{FEFF}' | char::REPLACEMENT_CHARACTER)
}

/// What two spellings of one word have in common: no case, one Unicode form.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// What is left of a word for somebody who types it without accents: no case, `ß` as `ss`, `ø` as
/// `o`, full-width letters as plain ones.
pub(crate) fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        for c in c.to_lowercase() {
            match c {
                'ß' => out.push_str("ss"),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ø' => out.push('o'),
                'ł' => out.push('l'),
                'đ' | 'ð' => out.push('d'),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                '\u{307}' => {}
                c => out.push(c),
            }
        }
    }
    out
}

/// UTF-8 where it is that, else Latin-1 as Windows has it.
pub(crate) fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|b| latin1(*b)).collect()),
    }
}

/// Latin-1 has control characters from 128 to 159; what is found there was meant as Windows-1252.
pub(crate) fn latin1(byte: u8) -> char {
    const FROM_128: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match byte {
        128..160 => FROM_128[usize::from(byte) - 128],
        _ => char::from(byte),
    }
}

/// UTF-16 of little-endian byte order, as Windows writes it into EXIF.
pub(crate) fn utf16_le(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]));
    let text = char::decode_utf16(units.take_while(|unit| *unit != 0));
    text.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// True for what no person wrote about the picture: the maker's name, or a phone's code for the
/// mode it was in. In EXIF's ImageDescription, and from there copied into the other standards.
pub(crate) fn is_camera_default(text: &str) -> bool {
    /// Whole texts, in lower case.
    const TEXTS: [&str; 27] = [
        "binary comment",
        "bty",
        "btf",
        "burst",
        "charset=ascii",
        "cof",
        "created by imlib",
        "created with gimp",
        "dav",
        "default",
        "edf",
        "exif_jpeg_picture",
        "fbt",
        "fshbty",
        "hdrpl",
        "image description",
        "jpeg",
        "mde",
        "nor",
        "olympus camera",
        "oznor",
        "ptr",
        "qrf",
        "rbt",
        "rhdr",
        "samsung",
        "sony dsc",
    ];
    let text = text.to_lowercase();
    TEXTS.contains(&text.as_str())
        || text.ends_with("digital camera")
        || text.starts_with("dcim\\")
        || text.starts_with("<digimax")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_clean_and_short() {
        assert_eq!(line(" a\r\n\tb  c ", 99).as_deref(), Some("a b c"));
        assert_eq!(
            line("\u{1b}[31mred\u{202E}evil\0", 99).as_deref(),
            Some("[31mred evil")
        );
        assert_eq!(line("\u{FFFD} \0", 99), None);
        assert_eq!(line("abc def", 3).as_deref(), Some("abc"));
        assert_eq!(line("abc def", 4).as_deref(), Some("abc"));
        assert_eq!(line("Ku\u{308}ste", 99).as_deref(), Some("K\u{fc}ste"));
    }

    #[test]
    fn words_are_found_without_their_accents() {
        for (text, plain) in [
            ("Küste", "kuste"),
            ("KU\u{308}STE", "kuste"),
            ("Straße", "strasse"),
            ("Ærøskøbing", "aeroskobing"),
            ("İstanbul", "istanbul"),
            ("Łódź", "lodz"),
            ("東京", "東京"),
        ] {
            assert_eq!(bare(text), plain, "{text}");
        }
    }

    #[test]
    fn paragraphs_stay_apart() {
        let text = paragraphs("one\r\ntwo \n\n\n three  four\n", 99);
        assert_eq!(text.as_deref(), Some("one\ntwo\n\nthree four"));
    }

    #[test]
    fn bytes_are_what_they_can_be() {
        assert_eq!(utf8_or_latin1("Küste".as_bytes()), "Küste");
        assert_eq!(utf8_or_latin1(b"K\xFCste \x80"), "Küste €");
        assert_eq!(utf16_le(b"M\0\xF6\0w\0e\0\0\0x\0"), "Möwe");
        assert_eq!(utf16_le(b"a\0\x00\xD8b\0c"), "a\u{FFFD}b");
    }

    #[test]
    fn words_of_cameras_are_told_from_those_of_people() {
        for text in [
            "OLYMPUS DIGITAL CAMERA",
            "SONY DSC",
            "cof",
            "DCIM\\100MEDIA",
            "<Digimax i5>",
        ] {
            assert!(is_camera_default(text), "{text}");
        }
        for text in ["Opa at the lake", "My camera", "coffee"] {
            assert!(!is_camera_default(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_keeps_what_must_not_be_shown(text in any::<String>(), longest in 0_usize..40) {
            for clean in [line(&text, longest), paragraphs(&text, longest)].into_iter().flatten() {
                prop_assert!(clean.chars().all(|c| c == '\n' || is_shown(c)));
                prop_assert!(!clean.is_empty() && clean.trim() == clean);
            }
            prop_assert_eq!(folded(&text.to_uppercase()).is_empty(), text.is_empty());
        }
    }
}
