//! Words as people type them: case, plurals and other forms, and words that are nearly right.

/// Most names offered for a word that is not there.
pub(super) const SUGGESTIONS: usize = 5;

/// Lower case, `_` and `-` as spaces, single spaces.
pub(super) fn normalise(word: &str) -> String {
    let lower = word.to_lowercase().replace(['_', '-'], " ");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Endings of plural and singular; the first that fits need not be right: a form that is no word
/// finds nothing.
const ENDINGS: [(&str, &str); 6] = [
    ("ies", "y"),
    ("ves", "f"),
    ("ves", "fe"),
    ("es", ""),
    ("s", ""),
    ("men", "man"),
];
/// Plurals that no ending tells.
const IRREGULAR: [(&str, &str); 8] = [
    ("mice", "mouse"),
    ("geese", "goose"),
    ("children", "child"),
    ("people", "person"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("oxen", "ox"),
    ("cacti", "cactus"),
];

/// The word itself, then its singular and plural forms, then what is done with it or who does it
/// (`ski`, `skiing`). The last word of several is the one that changes.
pub fn forms(word: &str) -> Vec<String> {
    let word = normalise(word);
    let mut forms = vec![word.clone()];
    for (plural, singular) in ENDINGS.iter().chain(&IRREGULAR) {
        for (from, to) in [(plural, singular), (singular, plural)] {
            if let Some(stem) = word.strip_suffix(from) {
                forms.push(format!("{stem}{to}"));
            }
        }
    }
    if word.len() >= 3 {
        for ending in ["ing", "er", "ers"] {
            if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.len() >= 3) {
                forms.extend([stem.to_owned(), format!("{stem}e"), format!("{stem}ing")]);
                forms.extend(undoubled(stem));
            }
        }
        let stem = word.strip_suffix('e').unwrap_or(&word);
        forms.push(format!("{stem}ing"));
        if let Some(last) = stem.chars().last() {
            forms.push(format!("{stem}{last}ing"));
        }
    }
    forms
}

/// `swimm` is `swim`.
fn undoubled(stem: &str) -> Option<String> {
    let shorter = &stem[..stem.len() - stem.chars().last()?.len_utf8()];
    (shorter.chars().last() == stem.chars().last()).then(|| shorter.to_owned())
}

/// How far a known word is from one that is not there: none if it is not near. A word of several of
/// which one is the word asked for counts as the farthest that is near.
pub(super) fn nearness(asked: &str, known: &str) -> Option<usize> {
    // Short words have too many neighbours: `cat` is no misspelt `cut`.
    let length = asked.chars().count();
    let limit = match length {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    let same_start = asked.chars().next() == known.chars().next();
    let spelt = same_start.then(|| edits(asked, known, limit)).flatten();
    spelt.or_else(|| (length >= 3 && known.split(' ').any(|part| part == asked)).then_some(limit))
}

/// Names that are near a word that is not among them, the nearest first; each once.
pub fn near(asked: &str, names: &[String]) -> Vec<String> {
    let asked = normalise(asked);
    let with_distance = |name: &String| Some((nearness(&asked, &normalise(name))?, name.clone()));
    let mut found: Vec<(usize, String)> = names.iter().filter_map(with_distance).collect();
    found.sort();
    found.dedup();
    found
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

/// Edit distance (insert, delete, replace, swap of neighbours), if it is at most `limit`.
fn edits(a: &str, b: &str, limit: usize) -> Option<usize> {
    // Most names are of quite another length.
    if a.chars().count().abs_diff(b.chars().count()) > limit {
        return None;
    }
    let found = strsim::osa_distance(a, b);
    (found <= limit).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_has_its_forms() {
        for (asked, form) in [
            ("Dogs", "dog"),
            ("berries", "berry"),
            ("wolves", "wolf"),
            ("knives", "knife"),
            ("snowmen", "snowman"),
            ("children", "child"),
            ("golden_retrievers", "golden retriever"),
            ("ski", "skiing"),
            ("swim", "swimming"),
            ("bike", "biking"),
            ("swimming", "swim"),
            ("skiing", "ski"),
            ("skier", "ski"),
            ("surfer", "surfing"),
            ("beach", "beaches"),
        ] {
            assert!(
                forms(asked).contains(&form.to_owned()),
                "{asked}: {:?}",
                forms(asked)
            );
        }
        assert_eq!(forms("Dog")[0], "dog");
    }

    #[test]
    fn near_words_are_near() {
        assert_eq!(nearness("girafe", "giraffe"), Some(1));
        assert_eq!(nearness("beagel", "beagle"), Some(1));
        assert_eq!(nearness("hour", "golden hour"), Some(1));
        assert_eq!(nearness("pupy", "puppy"), Some(1));
        assert_eq!(nearness("cat", "cut"), None);
        assert_eq!(nearness("giraffe", "agiraffe"), None);
        assert_eq!(nearness("", "a"), None);
    }

    proptest! {
        #[test]
        fn no_word_is_too_odd(word in "\\PC{0,20}", known in "\\PC{0,20}") {
            let found = forms(&word);
            prop_assert_eq!(&found[0], &normalise(&word));
            let _ = nearness(&normalise(&word), &known);
        }
    }
}
