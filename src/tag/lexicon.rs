//! The built-in vocabulary: what a photo can be tagged with by a dual encoder.
//!
//! `models/vocabulary/lexicon.tsv.gz` has one line a term: curated ones first, then WordNet's
//! nouns, the most used first. A line's number is the term's row in every label bank. After the
//! terms come *nodes*: kinds too general to be said ("artifact"), that make the chains of kinds
//! whole, so that `--tag vehicle` finds a tram.
//!
//! Promises: a word belongs to one line only; every parent is there; there is no cycle. Never:
//! opens a file, changes after it is read, keeps a `String` for a term: all words are slices of
//! one text.
//!
//! Cost: one-shot commands read it each time, so reading inflates 1.3 MB and notes where each
//! line starts, a few milliseconds and two megabytes; what only some callers need (the key
//! index, the children) is made on first use. A word is looked up by a scan of the text, under a
//! millisecond. `Sync`, no locks but those first uses.

mod kin;
mod read;
mod words;

use std::sync::OnceLock;

use super::error::TagError;
use kin::Kin;

const LEXICON: &[u8] = include_bytes!("../../models/vocabulary/lexicon.tsv.gz");
const LEXICON_FILE: &str = "lexicon.tsv";

/// All terms and nodes, read-only.
#[derive(Debug)]
pub struct Lexicon {
    text: String,
    /// Where each line starts, and the text's end.
    starts: Vec<u32>,
    labels: usize,
    parents: Kin,
    children: OnceLock<Kin>,
    /// Hash of the key and row, ascending.
    by_key: OnceLock<Vec<(u64, u32)>>,
    version: String,
}

/// One line of the lexicon.
#[derive(Debug, Clone, Copy)]
pub struct LexTerm<'a> {
    /// Line, counted from 0: the row in a label bank if it is a label.
    pub row: usize,
    /// Stable key: WordNet synset (`n02084071`) or curated (`v.golden-hour`).
    pub key: &'a str,
    /// Name shown to people.
    pub name: &'a str,
    /// `scene`, `activity` and so on for a curated term, `noun.animal` and so on (WordNet's
    /// lexicographer file) for a noun, `-` for a node.
    pub category: &'a str,
    /// Rows directly above.
    pub parents: &'a [u32],
}

/// Category of a node.
const NODE: &str = "-";

impl Lexicon {
    /// The vocabulary compiled into the program.
    ///
    /// # Errors
    /// The compiled-in data is damaged; a test holds that it is not.
    pub fn built_in() -> Result<Self, TagError> {
        Self::read(read::inflate(LEXICON, LEXICON_FILE)?)
    }

    /// The first 16 hex digits of the BLAKE3 of the text.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Number of lines, nodes included.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of labels: rows of a whole label bank. Rows from here on are nodes.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The line of this row.
    ///
    /// # Panics
    /// If `row` is not below [`Lexicon::rows`].
    pub fn term(&self, row: usize) -> LexTerm<'_> {
        let mut columns = self.line(row).split('\t');
        let mut next = || columns.next().unwrap_or("");
        let (key, name, _synonyms, category) = (next(), next(), next(), next());
        LexTerm {
            row,
            key,
            name,
            category,
            parents: self.parents.of(row),
        }
    }

    /// The row of a key.
    pub fn row(&self, key: &str) -> Option<usize> {
        let by_key = self.by_key.get_or_init(|| self.rows_by_key());
        let hash = hash(key);
        let first = by_key.partition_point(|(other, _)| *other < hash);
        by_key[first..]
            .iter()
            .take_while(|(other, _)| *other == hash)
            .map(|(_, row)| *row as usize)
            .find(|row| self.key(*row) == key)
    }

    fn line(&self, row: usize) -> &str {
        let (from, to) = (self.starts[row] as usize, self.starts[row + 1] as usize);
        self.text[from..to].trim_end_matches(['\n', '\r'])
    }

    fn key(&self, row: usize) -> &str {
        let line = self.line(row);
        line.split_once('\t').map_or(line, |(key, _)| key)
    }

    fn rows_by_key(&self) -> Vec<(u64, u32)> {
        let rows = (0u32..).take(self.rows());
        let mut by_key: Vec<_> = rows
            .map(|row| (hash(self.key(row as usize)), row))
            .collect();
        by_key.sort_unstable();
        by_key
    }
}

/// FNV-1a, 64 bits: keys are a dozen bytes, and equal hashes are told apart by the key.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
