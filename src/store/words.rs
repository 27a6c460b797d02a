//! Words in names: what of a path or a query can be searched for.
//!
//! Pure functions from bytes to words of letters and digits, without case and accents. Plurals and
//! other forms are whoever asks' affair. Nothing that comes out of here means anything in the language
//! of full-text queries.

use std::collections::HashSet;

use crate::said::text::bare;

/// Words kept of one photo's names: more than any sane path has, a bound for insane ones.
pub(super) const MAX_WORDS: usize = 512;
/// Longest word kept, in characters; a longer one is cut there.
const MAX_CHARS: usize = 64;
/// A run that falls into more parts than this is a serial number or a checksum, not words.
const MAX_PARTS: usize = 6;

/// The different words of the places (paths below their roots) of one photo, separated by spaces;
/// empty if there are none.
pub(super) fn of_places<'a>(places: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut seen = HashSet::new();
    let mut text = String::new();
    for path in places {
        let path = String::from_utf8_lossy(without_extension(path));
        for run in runs(&path) {
            for word in of_run(run) {
                if seen.len() == MAX_WORDS {
                    return text;
                }
                if !seen.contains(&word) {
                    if !text.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(&word);
                    seen.insert(word);
                }
            }
        }
    }
    text
}

/// The different words of a text, cut as names are; the first so many.
pub(super) fn of_text(text: &str, most: usize) -> String {
    let mut seen = HashSet::new();
    let words = runs(text).flat_map(of_run);
    let words: Vec<String> = words
        .filter(|word| seen.insert(word.clone()))
        .take(most)
        .collect();
    words.join(" ")
}

/// A word somebody asks for, as a full-text expression: all of its runs, each as it stands or in
/// its parts. `None` if there is no letter or digit in it.
pub(super) fn expression(asked: &str) -> Option<String> {
    let runs: Vec<String> = runs(asked)
        .take(MAX_PARTS)
        .map(|run| {
            let (whole, parts) = cut(run);
            let parts: Vec<String> = parts.iter().map(|p| quoted(p)).collect();
            match (whole, parts.len()) {
                (Some(whole), 0 | 1) => quoted(whole),
                (Some(whole), _) => format!("({} OR ({}))", quoted(whole), parts.join(" AND ")),
                (None, _) => format!("({})", parts.join(" AND ")),
            }
        })
        .collect();
    (!runs.is_empty()).then(|| runs.join(" AND "))
}

/// The same for a word in one of its forms; `None` if none of them has a letter or digit in it.
pub(super) fn any_form(forms: &[String]) -> Option<String> {
    let forms = forms.iter().filter_map(|form| expression(form));
    let forms: Vec<String> = forms.map(|form| format!("({form})")).collect();
    (!forms.is_empty()).then(|| forms.join(" OR "))
}

/// The path without the extension of its last name.
fn without_extension(path: &[u8]) -> &[u8] {
    let name = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
    match path[name..].iter().rposition(|b| *b == b'.') {
        Some(dot) if dot > 0 => &path[..name + dot],
        _ => path,
    }
}

/// Runs of letters and digits; accents that stand by themselves (as macOS writes them) belong to
/// the letter before.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !belongs(c))
        .filter(|run| run.chars().any(char::is_alphanumeric))
}

fn belongs(c: char) -> bool {
    (c.is_alphanumeric() || is_accent(c)) && c != char::REPLACEMENT_CHARACTER
}

fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Scripts written without spaces: each character is a word.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Every word that a run is indexed under: itself, and its parts.
fn of_run(run: &str) -> Vec<String> {
    let (whole, parts) = cut(run);
    whole.into_iter().chain(parts).map(plain).collect()
}

/// A word as it is stored and asked for.
fn plain(word: &str) -> String {
    let word = bare(word);
    // Of a fraction or a letter in a circle more is left than letters and digits.
    word.chars()
        .filter(|c| belongs(*c))
        .take(MAX_CHARS)
        .collect()
}

/// A run as a whole (unless its script has no such thing) and its parts, if it has several:
/// `beachParty2019` is `beach`, `Party` and `2019` too.
fn cut(run: &str) -> (Option<&str>, Vec<&str>) {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut alone = false;
    let mut before: Option<char> = None;
    let mut chars = run.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        alone |= stands_alone(c);
        if is_accent(c) {
            continue;
        }
        let next = chars.peek().map(|(_, c)| *c);
        if at > start && before.is_some_and(|b| is_border(b, c, next)) {
            parts.push(&run[start..at]);
            start = at;
        }
        before = Some(c);
    }
    parts.push(&run[start..]);
    if alone {
        (None, parts)
    } else if parts.len() > 1 && parts.len() <= MAX_PARTS {
        (Some(run), parts)
    } else {
        (Some(run), Vec::new())
    }
}

/// Whether a new part begins between `a` and `b`, which `next` follows.
fn is_border(a: char, b: char, next: Option<char>) -> bool {
    stands_alone(a)
        || stands_alone(b)
        || a.is_numeric() != b.is_numeric()
        || (a.is_lowercase() && b.is_uppercase())
        // The last capital of several begins the next word: `IMGBeach`.
        || (a.is_uppercase() && b.is_uppercase() && next.is_some_and(char::is_lowercase))
}

fn quoted(word: &str) -> String {
    format!("\"{}\"", plain(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(path: &str) -> String {
        of_places([path.as_bytes()])
    }

    #[test]
    fn names_fall_into_words() {
        for (path, wanted) in [
            ("Paris2019/IMG_0042.JPG", "paris2019 paris 2019 img 0042"),
            ("beachParty-old.tar.jpg", "beachparty beach party old tar"),
            ("IMGBeach.png", "imgbeach img beach"),
            ("Stra\u{df}e/\u{c5}l.jpg", "strasse al"),
            (".hidden/.jpg", "hidden jpg"),
            ("a/b/a.jpg", "a b"),
            ("東京 trip/海.jpg", "東 京 trip 海"),
            ("cafe\u{301}.jpg", "cafe"),
            ("3f9a0c2b7d41e8.jpg", "3f9a0c2b7d41e8"),
            ("___.jpg", ""),
            ("noextension", "noextension"),
            ("dots.in.folder/x", "dots in folder x"),
        ] {
            assert_eq!(words(path), wanted, "{path}");
        }
        assert_eq!(of_places([&b"\xff\xfebad\xff.jpg"[..]]), "bad");
    }

    #[test]
    fn huge_paths_are_bounded() {
        let long = "x".repeat(4000);
        assert_eq!(words(&long).chars().count(), MAX_CHARS);
        let many: String = (0..2000).fold(String::new(), |s, i| format!("{s}/w{i}q"));
        let kept = words(&many);
        assert_eq!(kept.split(' ').count(), MAX_WORDS);
    }

    #[test]
    fn asked_words_are_quoted() {
        assert_eq!(expression("beach").as_deref(), Some("\"beach\""));
        assert_eq!(
            expression("Paris2019").as_deref(),
            Some("(\"paris2019\" OR (\"paris\" AND \"2019\"))")
        );
        assert_eq!(
            expression("new-york").as_deref(),
            Some("\"new\" AND \"york\"")
        );
        assert_eq!(expression("東京").as_deref(), Some("(\"東\" AND \"京\")"));
        assert_eq!(expression("\"*^"), None);
    }

    proptest! {
        #[test]
        fn nothing_but_letters_and_digits_comes_out(text in any::<String>(), path in any::<Vec<u8>>()) {
            for word in of_places([path.as_slice(), text.as_bytes()]).split_whitespace() {
                prop_assert!(word.chars().all(|c| c.is_alphanumeric() || is_accent(c)), "{word:?}");
                prop_assert!(word.chars().count() <= MAX_CHARS);
            }
            if let Some(expression) = expression(&text) {
                for inside in expression.split('"').skip(1).step_by(2) {
                    prop_assert!(inside.chars().all(|c| c.is_alphanumeric() || is_accent(c)));
                }
            }
        }

        #[test]
        fn a_name_without_marks_is_asked_for_as_it_is_stored(name in "[A-Za-z0-9]{1,40}") {
            let stored = words(&format!("{name}/x.jpg"));
            let stored: Vec<&str> = stored.split(' ').collect();
            prop_assert!(stored.contains(&name.to_lowercase().as_str()), "{name} in {stored:?}");
        }
    }
}
