//! Words of a systemd command line: any bytes in, the same bytes out of systemd's own parser.
//!
//! Quotes, backslashes, specifiers (`%h`) and variables (`$HOME`) are switched off, and what is no
//! printable UTF-8 is written as `\xNN`: a unit file that is not UTF-8 is passed over line by line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One word of `ExecStart=`, quoted.
pub(super) fn quoted(word: &OsStr) -> String {
    let mut out = String::from("\"");
    for chunk in word.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '%' => out.push_str("%%"),
                '$' => out.push_str("$$"),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// The words of a line that [`quoted`] made; nothing else is understood.
pub(super) fn unquoted(line: &str) -> Option<Vec<OsString>> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let mut word = Vec::new();
        let mut bytes = rest.strip_prefix('"')?.bytes();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => match bytes.next()? {
                    b'x' => {
                        let hex = [bytes.next()?, bytes.next()?];
                        let hex = std::str::from_utf8(&hex).ok()?;
                        word.push(u8::from_str_radix(hex, 16).ok()?);
                    }
                    c @ (b'\\' | b'"') => word.push(c),
                    _ => return None,
                },
                c @ (b'%' | b'$') => word.push((bytes.next()? == c).then_some(c)?),
                c => word.push(c),
            }
        }
        words.push(OsString::from_vec(word));
        rest = rest[rest.len() - bytes.len()..].trim_start();
    }
    Some(words)
}

/// A path in a setting that takes paths (`ReadWritePaths=`), where only quotes, backslashes and
/// specifiers can be switched off. `None`: it holds something that cannot be said there.
pub(super) fn path_word(prefix: &str, path: &OsStr) -> Option<String> {
    let text = path.to_str()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    Some(format!("\"{prefix}{escaped}\""))
}

/// Whether systemd takes this as the path of a program.
pub(super) fn is_plain_program(path: &OsStr) -> bool {
    path.to_str().is_some_and(|text| {
        !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$'))
    })
}

/// Runs the words after it, which [`veiled`] has made.
pub(super) const UNVEIL: [&str; 4] = [
    "/bin/sh",
    "-c",
    "for w; do w=$(printf %b. \"$w\"); set -- \"$@\" \"${w%.}\"; shift; done; exec \"$@\"",
    "photond",
];

/// A word in UTF-8 for `printf %b`: a unit may hold other bytes, but then nobody can ask the manager
/// about it any more, since the bus carries no text but UTF-8.
pub(super) fn veiled(word: &OsStr) -> OsString {
    let mut out = String::new();
    for chunk in word.as_bytes().utf8_chunks() {
        out.push_str(&chunk.valid().replace('\\', "\\0134"));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\0{byte:03o}"));
        }
    }
    out.into()
}

pub(super) fn unveiled(word: &OsStr) -> Option<OsString> {
    let mut out = Vec::new();
    let mut bytes = word.as_bytes().iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let mut value = 0_u32;
        for _ in 0..4 {
            value = value * 8 + char::from(bytes.next()?).to_digit(8)?;
        }
        out.push(u8::try_from(value).ok()?);
    }
    Some(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_systemd_would_expand_is_switched_off() {
        let word = OsStr::new("/opt/a b/%h $HOME \"q\" \\ \n é");
        assert_eq!(quoted(word), r#""/opt/a b/%%h $$HOME \"q\" \\ \x0a é""#);
        assert_eq!(quoted(OsStr::from_bytes(b"caf\xe9")), r#""caf\xe9""#);
        assert!(unquoted(r#""half"#).is_none() && unquoted("bare").is_none());
    }

    #[test]
    fn paths_say_no_more_than_they_can() {
        let word = path_word("-", OsStr::new("/a b/100%")).unwrap();
        assert_eq!(word, r#""-/a b/100%%""#);
        assert!(path_word("", OsStr::from_bytes(b"/caf\xe9")).is_none());
        assert!(path_word("", OsStr::new("/a\nb")).is_none());
        assert!(is_plain_program(OsStr::new("/opt/a b/100%/photond")));
        assert!(!is_plain_program(OsStr::new("/opt/$a/photond")));
    }

    /// By the shell itself.
    #[test]
    fn a_veiled_command_is_the_command() {
        let odd: Vec<&[u8]> = vec![
            b"plain",
            b"caf\xe9 \\n %s $x \"'",
            b"two\nlines\n",
            "\u{e9}".as_bytes(),
        ];
        let script = "printf '[%s]' \"$@\"";
        let mut words: Vec<OsString> = ["sh", "-c", script, "sh"].map(OsString::from).to_vec();
        words.extend(odd.iter().map(|w| OsStr::from_bytes(w).to_owned()));
        let output = std::process::Command::new(UNVEIL[0])
            .args(&UNVEIL[1..])
            .args(words.iter().map(|w| veiled(w)))
            .output()
            .unwrap();
        let expected: Vec<u8> = odd.iter().flat_map(|w| [b"[", *w, b"]"].concat()).collect();
        assert_eq!(output.stdout, expected);
    }

    proptest! {
        #[test]
        fn every_word_comes_back(words in prop::collection::vec(prop::collection::vec(1u8.., 0..40), 1..5)) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
            let line: Vec<String> = words.iter().map(|w| quoted(w)).collect();
            prop_assert!(line.iter().all(|w| !w.contains('\n')));
            prop_assert_eq!(unquoted(&line.join(" ")), Some(words.clone()));
            for word in words {
                let veiled = veiled(&word);
                prop_assert!(veiled.to_str().is_some());
                prop_assert_eq!(unveiled(&veiled), Some(word));
            }
        }
    }
}
