//! Keywords and what they stand below: programs write them flat, in hierarchies, or both at once.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::MAX_WORD;
use super::text::{folded, line};

/// Levels of a hierarchy of keywords.
pub(crate) const MAX_LEVELS: usize = 16;
/// A keyword with what it stands below in its hierarchy, the topmost first. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Keyword(Vec<String>);

impl Keyword {
    /// A word of its own.
    pub(crate) fn flat(text: &str) -> Option<Self> {
        Some(Self(vec![line(text, MAX_WORD)?]))
    }

    /// `Places|Portugal|Lisbon`, with `separator` between the levels.
    pub fn path(text: &str, separator: char) -> Option<Self> {
        Self::of_levels(text.split(separator))
    }

    pub(crate) fn of_levels<'a>(levels: impl Iterator<Item = &'a str>) -> Option<Self> {
        let levels = levels.filter_map(|level| line(level, MAX_WORD));
        let levels: Vec<String> = levels.take(MAX_LEVELS).collect();
        (!levels.is_empty()).then_some(Self(levels))
    }

    /// The word itself.
    pub fn word(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// All levels, the topmost first, the word last.
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// What two spellings of it have in common.
    pub fn folded(&self) -> Vec<String> {
        self.0.iter().map(|level| folded(level)).collect()
    }
}

/// The levels with `|` between them, the topmost first.
impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

/// What stands in the hierarchy of another keyword is not there a second time: programs write all its
/// levels as keywords of their own, flat and in their places.
pub(super) fn each_once(keywords: Vec<Keyword>) -> Vec<Keyword> {
    let folded: Vec<Vec<String>> = keywords.iter().map(Keyword::folded).collect();
    let placed = || folded.iter().filter(|levels| levels.len() > 1);
    let words: HashSet<&String> = placed().flatten().collect();
    let above: HashSet<&[String]> = placed()
        .flat_map(|levels| (1..levels.len()).map(move |depth| &levels[..depth]))
        .collect();
    let mut seen = HashSet::new();
    let mut once = Vec::new();
    for (keyword, levels) in keywords.into_iter().zip(&folded) {
        let is_placed = matches!(&levels[..], [word] if words.contains(word));
        if !is_placed && !above.contains(&levels[..]) && seen.insert(levels) {
            once.push(keyword);
        }
    }
    once
}
