//! The words of a sentence: what is looked up in names, and what the vocabulary may know.
//!
//! A word is a run of letters and digits; an apostrophe inside belongs to it, a possessive `'s`
//! does not. Words that say nothing of a picture (`the`, `with`) and words that every picture
//! answers to (`photo`) do not count.

/// Words without content of their own.
const STOP: &[&str] = &[
    "a",
    "about",
    "above",
    "after",
    "against",
    "all",
    "am",
    "an",
    "and",
    "any",
    "are",
    "around",
    "as",
    "at",
    "be",
    "been",
    "before",
    "behind",
    "being",
    "below",
    "beside",
    "between",
    "but",
    "by",
    "down",
    "for",
    "from",
    "front",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "his",
    "how",
    "i",
    "in",
    "into",
    "is",
    "it",
    "its",
    "me",
    "my",
    "near",
    "next",
    "of",
    "off",
    "on",
    "one",
    "onto",
    "or",
    "our",
    "out",
    "over",
    "she",
    "show",
    "some",
    "somebody",
    "someone",
    "something",
    "that",
    "the",
    "their",
    "them",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "under",
    "up",
    "us",
    "very",
    "was",
    "we",
    "were",
    "what",
    "where",
    "which",
    "while",
    "who",
    "with",
    "without",
    "you",
    "your",
];

/// Words that are true of every photo.
const GENERIC: &[&str] = &[
    "photo",
    "photos",
    "photograph",
    "photographs",
    "picture",
    "pictures",
    "image",
    "images",
    "pic",
    "pics",
    "shot",
    "shots",
    "snapshot",
    "snapshots",
];

/// Endings of pictures' names, which say nothing of what is in them.
#[rustfmt::skip]
const ENDINGS: &[&str] = &[
    "arw", "avif", "bmp", "cr2", "cr3", "crw", "dng", "gif", "heic", "heif", "hif", "jfif", "jp2", "jpeg", "jpg",
    "jxl", "mrw", "nef", "orf", "pef", "png", "psd", "raf", "rw2", "srw", "tif", "tiff", "webp", "x3f",
];

/// A file's name without its ending, else what it is.
fn without_ending(chunk: &str) -> &str {
    match chunk.rsplit_once('.') {
        Some((name, ending)) if !name.is_empty() && ENDINGS.binary_search(&ending).is_ok() => name,
        _ => chunk,
    }
}

/// Most words of a phrase that the vocabulary is asked for.
pub(super) const LONGEST_PHRASE: usize = 5;

/// A sentence in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    words: Vec<String>,
}

impl Sentence {
    /// Lower case, in the order of the text.
    pub fn new(text: &str) -> Self {
        let mut words = Vec::new();
        let lower = text.to_lowercase().replace('\u{2019}', "'");
        for chunk in lower.split_whitespace() {
            for run in without_ending(chunk).split(|c: char| !c.is_alphanumeric() && c != '\'') {
                let run = run.trim_matches('\'');
                let word = run.strip_suffix("'s").unwrap_or(run);
                if !word.is_empty() {
                    words.push(word.to_owned());
                }
            }
        }
        Self { words }
    }

    /// All words.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The words that say something.
    pub fn content(&self) -> Vec<&str> {
        self.words
            .iter()
            .map(String::as_str)
            .filter(|w| !is_empty_word(w))
            .collect()
    }

    /// The sentence without empty words at both ends; `None` if nothing else is there.
    pub fn core(&self) -> Option<String> {
        let first = self.words.iter().position(|w| !is_empty_word(w))?;
        let last = self.words.iter().rposition(|w| !is_empty_word(w))?;
        Some(self.words[first..=last].join(" "))
    }

    /// The phrases that `knows` takes, from left to right, the longest at each place; no word is
    /// in two of them, and none begins with a stop word.
    pub fn phrases<T>(&self, mut knows: impl FnMut(&str) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.words.len() {
            let mut step = 1;
            if !is_empty_word(&self.words[at]) {
                let most = LONGEST_PHRASE.min(self.words.len() - at);
                for length in (1..=most).rev() {
                    if let Some(known) = knows(&self.words[at..at + length].join(" ")) {
                        found.push(known);
                        step = length;
                        break;
                    }
                }
            }
            at += step;
        }
        found
    }
}

/// Whether an English word has no content of its own.
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP.binary_search(&word).is_ok()
}

pub(super) fn is_empty_word(word: &str) -> bool {
    STOP.binary_search(&word).is_ok() || GENERIC.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stop_words_are_in_order() {
        assert!(STOP.windows(2).all(|w| w[0] < w[1]));
        assert!(ENDINGS.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn a_sentence_is_its_words_that_say_something() {
        let s = Sentence::new("A photo of my Grandmother's dog, on the BEACH!");
        assert_eq!(s.content(), ["grandmother", "dog", "beach"]);
        assert_eq!(s.core().as_deref(), Some("grandmother dog on the beach"));
        assert_eq!(Sentence::new("the photo").core(), None);
        assert_eq!(Sentence::new("IMG_0001.JPG").content(), ["img", "0001"]);
        assert_eq!(Sentence::new("rain.snow").content(), ["rain", "snow"]);
        assert_eq!(
            Sentence::new("l'été à la mer").content(),
            ["l'été", "à", "la", "mer"]
        );
    }

    #[test]
    fn the_longest_phrase_wins_and_no_word_is_used_twice() {
        let known = ["golden retriever", "retriever", "beach", "golden"];
        let knows = |p: &str| known.contains(&p).then(|| p.to_owned());
        let phrases = Sentence::new("a golden retriever at the beach").phrases(knows);
        assert_eq!(phrases, ["golden retriever", "beach"]);
    }

    proptest! {
        #[test]
        fn any_text_has_words(text in "\\PC{0,60}") {
            let s = Sentence::new(&text);
            prop_assert!(s.content().iter().all(|w| !w.is_empty()));
            prop_assert_eq!(s.core().is_some(), !s.content().is_empty());
            let mut asked = 0;
            let none: Vec<()> = s.phrases(|_| { asked += 1; None });
            prop_assert!(none.is_empty() && asked <= 5 * s.words.len());
        }
    }
}
