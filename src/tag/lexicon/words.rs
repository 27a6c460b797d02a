//! From a word in a query to terms.

use super::super::vocabulary::{Lookup, edits, forms, normalise};
use super::Lexicon;

/// Most names offered for a word that is not there.
const SUGGESTIONS: usize = 5;

impl Lexicon {
    /// What a word of a query means: the term that has it, and everything below that term. Case,
    /// plural, `_` and `-` do not matter, but the word as it is comes before its singular or
    /// plural: `glasses` are spectacles. A key means its term. Keys are ascending.
    #[must_use]
    pub fn look_up(&self, word: &str) -> Lookup {
        let mut rows = self.named(word);
        rows.extend(self.row(word));
        if rows.is_empty() {
            return Lookup::Unknown(self.suggest(word));
        }
        for row in rows.clone() {
            rows.extend(self.below(row).into_iter().map(|row| row as usize));
        }
        rows.sort_unstable();
        rows.dedup();
        let mut keys: Vec<String> = rows.iter().map(|row| self.key(*row).to_owned()).collect();
        keys.sort_unstable();
        Lookup::Found(keys)
    }

    /// The rows a word names by itself: that of the word as it is, or else those of its singular
    /// and plural forms, ascending.
    #[must_use]
    pub fn named(&self, word: &str) -> Vec<usize> {
        let forms = forms(word);
        let mut exact = None;
        let mut close = Vec::new();
        for row in 0..self.len() {
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

    /// Name and synonyms.
    fn words(&self, row: usize) -> impl Iterator<Item = &str> {
        let mut columns = self.line(row).splitn(4, '\t').skip(1);
        let name = columns.next().unwrap_or("");
        let synonyms = columns.next().unwrap_or("");
        std::iter::once(name)
            .chain(synonyms.split('|'))
            .filter(|word| !word.is_empty())
    }

    /// Names of terms close to a word that is not there, the closest and most used first.
    fn suggest(&self, word: &str) -> Vec<String> {
        let word = normalise(word);
        let Some(first) = word.chars().next() else {
            return Vec::new();
        };
        // Short words have too many neighbours: `water` is no misspelt `wader`.
        let length = word.chars().count();
        let limit = match length {
            0..=4 => 0,
            5..=7 => 1,
            _ => 2,
        };
        let mut close: Vec<(usize, usize, String)> = Vec::new();
        for row in 0..self.labels() {
            for known in self.words(row) {
                if !known.starts_with(|c: char| c.to_lowercase().eq(first.to_lowercase()))
                    && !has_word(known, &word)
                {
                    continue;
                }
                let plain = normalise(known);
                let same_start = plain.starts_with(first);
                let distance = edits(&word, &plain, limit).filter(|_| same_start);
                let part =
                    (length >= 3 && plain.split(' ').any(|part| part == word)).then_some(limit);
                if let Some(distance) = distance.or(part) {
                    close.push((distance, row, plain));
                }
            }
        }
        close.sort_unstable();
        let mut offered = Vec::new();
        close.retain(|(_, row, _)| {
            let new = !offered.contains(row);
            offered.push(*row);
            new
        });
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
