//! Whether a sentence is in another language than the text model reads.
//!
//! A model of English cuts words of other languages into pieces, as it does with names. So a word counts
//! as strange if it falls into pieces and the vocabulary, of everything that can be seen, does not have
//! it. Words that only join others (`und`, `sur`, `los`) tell languages apart. Of 157 words that people
//! gave their own photos none is called strange, nor is any of 30 English sentences with names in them;
//! of 30 German, French and Spanish sentences of several words 26 are told.

/// What speaks against English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// It is another language: its letters, or the words that join others.
    Surely,
    /// These of its words are none that the model knows, and they are half of it or more.
    Words(Vec<String>),
}

/// Words that join others in languages with Latin letters, and are none in English.
#[rustfmt::skip]
const JOINING: &[&str] = &[
    // German, Dutch, Scandinavian
    "auf", "aus", "bei", "dem", "den", "der", "des", "ein", "eine", "einem", "einen", "einer", "im", "mit",
    "nach", "oder", "und", "vom", "von", "zum", "zur", "aan", "bij", "een", "het", "met", "naar", "van", "voor",
    "av", "med", "och", "og", "på", "til", "till",
    // French
    "au", "aux", "avec", "chez", "dans", "et", "la", "le", "les", "pour", "sous", "sur", "un", "une",
    // Spanish, Portuguese, Italian
    "al", "con", "del", "el", "en", "las", "los", "para", "por", "una", "y", "ao", "com", "da", "das", "dos",
    "em", "na", "nas", "nos", "os", "um", "uma", "alla", "che", "della", "di", "gli", "il", "nel", "nella", "per",
    "sulla", "de", "du",
];

/// The shortest word that can be strange: of shorter ones too many are codes.
const SHORTEST: usize = 3;

/// Judges a sentence. `pieces` says into how many pieces the model cuts a word, `knows` whether the
/// vocabulary has it, `joins` whether it only joins others in English.
pub(super) fn foreign(
    text: &str,
    pieces: &mut dyn FnMut(&str) -> usize,
    knows: &dyn Fn(&str) -> bool,
    joins: &dyn Fn(&str) -> bool,
) -> Option<Foreign> {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let latin = letters().filter(|c| is_latin(*c)).count();
    if latin * 2 < letters().count() {
        return Some(Foreign::Surely);
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphabetic() && c != '\'' && c != '\u{301}' && c != '\u{308}')
        .filter(|word| !word.is_empty())
        .collect();
    let (mut joining, mut english, mut content) = (0, 0, 0);
    let mut strange = Vec::new();
    // Letters of a file's name or a code are no words.
    let with_digits = |word: &str| {
        let mut runs = lower.split(char::is_whitespace);
        runs.any(|run| run.contains(word) && run.contains(|c: char| c.is_numeric() || c == '_'))
    };
    for word in words {
        if JOINING.contains(&word) {
            joining += 1;
        } else if joins(word) {
            english += 1;
        } else {
            content += 1;
            let long = word.chars().count() >= SHORTEST;
            if long && !with_digits(word) && !knows(word) && pieces(word) > 1 {
                strange.push(word.to_owned());
            }
        }
    }
    let told = joining > english && (joining >= 2 && !strange.is_empty() || strange.len() >= 2);
    if told && joining > 0 {
        Some(Foreign::Surely)
    } else if !strange.is_empty() && strange.len() * 2 >= content {
        Some(Foreign::Words(strange))
    } else {
        None
    }
}

fn is_latin(c: char) -> bool {
    c.is_ascii()
        || matches!(c, '\u{aa}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{ff21}'..='\u{ff5a}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the text model of `lite0-minilm` and the vocabulary have it: words of several pieces, words known.
    fn judge(text: &str) -> Option<Foreign> {
        const CUT: &[&str] = &[
            "hund",
            "schnee",
            "katze",
            "hochzeit",
            "chien",
            "plage",
            "perro",
            "playa",
            "niños",
            "jugando",
            "fútbol",
            "spezia",
            "capitan",
            "dolomites",
            "eiffel",
            "retriever",
            "coucher",
            "soleil",
            "brûlée",
            "crème",
            "kinder",
            "spielen",
            "img",
            "whatsapp",
            "sushi",
            "gato",
        ];
        const KNOWN: &[&str] = &[
            "dog",
            "snow",
            "retriever",
            "golden",
            "plage",
            "strand",
            "dolomites",
            "tower",
            "sofa",
            "sushi",
            "beach",
        ];
        const STOP: &[&str] = &["a", "in", "the", "on", "am", "with", "at", "of", "no"];
        foreign(
            text,
            &mut |word| 1 + usize::from(CUT.contains(&word)),
            &|word| KNOWN.contains(&word),
            &|word| STOP.contains(&word),
        )
    }

    #[test]
    fn another_language_is_told_and_names_are_no_language() {
        for text in [
            "犬",
            "собака на пляже",
            "海辺の犬",
            "ein Hund im Schnee",
            "Katze auf dem Sofa",
            "un chien sur la plage",
            "coucher de soleil",
            "un perro en la playa",
            "niños jugando al fútbol",
            "el gato en el sofá",
        ] {
            assert_eq!(judge(text), Some(Foreign::Surely), "{text}");
        }
        for text in [
            "Hund am Strand",
            "Hochzeit",
            "perro",
            "La Spezia",
            "Eiffel Tower",
            "whatsapp",
        ] {
            assert!(matches!(judge(text), Some(Foreign::Words(_))), "{text}");
        }
        for text in [
            "",
            "a dog in the snow",
            "golden retriever",
            "Notre Dame de Paris",
            "Costa del Sol",
            "Los Angeles",
            "hiking in the Dolomites",
            "IMG_0001.jpg",
            "sushi",
            "beach",
            "café",
            "dog 犬",
            "2019",
            "Anna und Hans",
            "sushi with whatsapp on the beach",
        ] {
            assert_eq!(judge(text), None, "{text}");
        }
    }
}
