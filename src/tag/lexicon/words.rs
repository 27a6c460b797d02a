//! From a word in a query to rows of the lexicon.

use super::super::spelling::{SUGGESTIONS, forms, nearness, normalise};
use super::Lexicon;

impl Lexicon {
    /// The rows a word names: that of the word as it is, or else those of its other forms,
    /// ascending. `glasses` are spectacles, though `glass` is a word too.
    pub fn named(&self, word: &str) -> Vec<usize> {
        let forms = forms(word);
        let mut exact = None;
        let mut close = Vec::new();
        for row in 0..self.rows() {
            for known in self.words(row) {
                match forms.iter().position(|form| same(known, form)) {
                    Some(0) => exact = Some(row),
                    Some(_) => close.push(row),
                    None => {}
                }
            }
        }
        close.dedup();
        exact.map_or(close, |row| vec![row])
    }

    /// Whether a row is called by this very word.
    pub(in crate::tag) fn is_named(&self, row: usize, word: &str) -> bool {
        let word = normalise(word);
        self.words(row).any(|known| same(known, &word))
    }

    /// Name and synonyms.
    pub(super) fn words(&self, row: usize) -> impl Iterator<Item = &str> {
        let mut columns = self.line(row).splitn(4, '\t').skip(1);
        let name = columns.next().unwrap_or("");
        let synonyms = columns.next().unwrap_or("");
        std::iter::once(name)
            .chain(synonyms.split('|'))
            .filter(|word| !word.is_empty())
    }

    /// Names of terms close to a word that is not there, the closest and most used first.
    pub fn suggest(&self, word: &str) -> Vec<String> {
        let word = normalise(word);
        let Some(first) = word.chars().next() else {
            return Vec::new();
        };
        let mut close: Vec<(usize, usize, String)> = Vec::new();
        for row in 0..self.labels() {
            let best = self
                .words(row)
                .filter(|known| {
                    known.starts_with(|c: char| c.to_lowercase().eq(first.to_lowercase()))
                        || has_word(known, &word)
                })
                .map(normalise)
                .filter_map(|known| Some((nearness(&word, &known)?, known)))
                .min();
            close.extend(best.map(|(distance, known)| (distance, row, known)));
        }
        close.sort_unstable();
        close.truncate(SUGGESTIONS);
        close.into_iter().map(|(_, _, name)| name).collect()
    }
}

/// True if `known`, made plain, is `form`, which is so already. Allocates for other than ASCII
/// only: this is asked of every word of the vocabulary.
fn same(known: &str, form: &str) -> bool {
    if !known.is_ascii() {
        return normalise(known) == form;
    }
    known.len() == form.len()
        && known.bytes().zip(form.bytes()).all(|(k, f)| match k {
            b'-' | b'_' => f == b' ',
            _ => k.to_ascii_lowercase() == f,
        })
}

/// A quick sign that `word` may be one of the words of `known`; not exact.
fn has_word(known: &str, word: &str) -> bool {
    known.len() > word.len()
        && known
            .as_bytes()
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}
