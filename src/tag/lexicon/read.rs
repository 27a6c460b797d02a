//! From the compressed files to lines and rows.

#[cfg(test)]
use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;

use super::super::error::TagError;
#[cfg(test)]
use super::super::spelling::normalise;
use super::kin::Kin;
use super::{LEXICON_FILE, Lexicon, NODE};

/// Bytes a damaged file may inflate to: ten times what the built-in ones do.
const MOST_BYTES: u64 = 32 << 20;
/// Tabs in a line: key, name, synonyms, category, parents.
const TABS: usize = 4;

/// The text of a gzip file.
pub(super) fn inflate(packed: &[u8], file: &'static str) -> Result<String, TagError> {
    let bad = |reason: String| TagError::Line {
        file,
        line: 1,
        reason,
    };
    let mut text = String::with_capacity(packed.len() * 3);
    GzDecoder::new(packed)
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|why| bad(format!("it cannot be inflated: {why}")))?;
    Ok(text)
}

impl Lexicon {
    /// Takes the text apart as far as every caller needs it. What only a wrongly made file can
    /// break is left to [`Lexicon::check`].
    pub(super) fn read(text: String) -> Result<Self, TagError> {
        let version = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        if u32::try_from(text.len()).is_err() {
            return Err(bad(1, "the text is longer than 4 GiB".to_owned()));
        }
        let mut starts = line_starts(&text);
        if starts.len() < 2 || !text.starts_with('#') {
            return Err(bad(1, "it has no header".to_owned()));
        }
        starts.remove(0);
        let rows = starts.len() - 1;
        let mut labels = rows;
        let mut parents = Kin::with_capacity(rows, rows + rows / 8);
        for row in 0..rows {
            // Line 1 is the header, so row 0 is line 2.
            let at = row + 2;
            let line = &text[starts[row] as usize..starts[row + 1] as usize];
            let line = line.trim_end_matches(['\n', '\r']);
            if line.bytes().filter(|byte| *byte == b'\t').count() != TABS {
                return Err(bad(at, "it has not five columns".to_owned()));
            }
            let mut back = line.rsplitn(3, '\t');
            let above = back.next().unwrap_or("");
            if back.next() == Some(NODE) {
                labels = labels.min(row);
            } else if labels < row {
                return Err(bad(at, "a label stands after a node".to_owned()));
            }
            for number in above.split('|').filter(|number| !number.is_empty()) {
                match number.parse::<u32>() {
                    Ok(parent) if (parent as usize) < rows && parent as usize != row => {
                        parents.push(parent);
                    }
                    _ => return Err(bad(at, format!("its parent {number} is not there"))),
                }
            }
            parents.close();
        }
        Ok(Self {
            text,
            starts,
            labels,
            parents,
            children: OnceLock::new(),
            by_key: OnceLock::new(),
            version,
        })
    }

    /// A lexicon of a test's own, checked.
    #[cfg(test)]
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let lexicon = Self::read(text.to_owned())?;
        lexicon.check()?;
        Ok(lexicon)
    }

    /// What the reader takes on trust from the built-in file.
    #[cfg(test)]
    pub(super) fn check(&self) -> Result<(), TagError> {
        let mut keys = HashMap::new();
        let mut words = HashMap::new();
        for row in 0..self.rows() {
            let (term, at) = (self.term(row), row + 2);
            if term.key.is_empty() || term.name.is_empty() || term.category.is_empty() {
                return Err(bad(at, "its key, name or category is empty".to_owned()));
            }
            if let Some(other) = keys.insert(term.key, at) {
                return Err(bad(at, format!("line {other} has the same key")));
            }
            for word in self.words(row) {
                if let Some(other) = words.insert(normalise(word), at) {
                    return Err(bad(at, format!("line {other} has the word {word} too")));
                }
            }
        }
        match self.parents.cycle() {
            Some(row) => Err(bad(row + 2, "it is above itself".to_owned())),
            None => Ok(()),
        }
    }
}

fn bad(line: usize, reason: String) -> TagError {
    TagError::Line {
        file: LEXICON_FILE,
        line,
        reason,
    }
}

/// Where each line starts, and the end of the text.
#[allow(clippy::cast_possible_truncation)] // callers hold texts under 4 GiB
fn line_starts(text: &str) -> Vec<u32> {
    let mut starts = Vec::with_capacity(text.len() / 40 + 2);
    starts.push(0);
    starts.extend(text.match_indices('\n').map(|(place, _)| place as u32 + 1));
    if starts.last() != Some(&(text.len() as u32)) {
        starts.push(text.len() as u32);
    }
    starts
}
