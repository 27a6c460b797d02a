//! All words there are: the classifier's, the lexicon's, and a person's own.
//!
//! A word means what any of them says it means, and everything below. Names are shown once: where
//! two vocabularies have tagged the same thing, or one says it more narrowly, the narrower is said.

use std::collections::HashSet;

use super::lexicon::Lexicon;
use super::own_terms::OwnTerms;
use super::score::Tagger;
use super::vocabulary::Lookup;

/// Most tags shown of one photo.
pub const MOST_SHOWN: usize = 15;

/// The vocabularies, side by side.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The classifier's.
    pub tagger: &'a Tagger,
    /// Tens of thousands of terms.
    pub lexicon: &'a Lexicon,
    /// A person's own.
    pub own: &'a OwnTerms,
}

/// A tag as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said<'a> {
    /// Key in its vocabulary.
    pub key: &'a str,
    /// Name shown to people.
    pub name: &'a str,
    /// 0 to 1.
    pub confidence: f32,
    /// By the classifier, whose tags hold every ancestor too.
    pub by_classifier: bool,
}

impl Words<'_> {
    /// What a word of a query means.
    #[must_use]
    pub fn look_up(&self, word: &str) -> Lookup {
        let mut keys: Vec<String> = self.own.find(word).map(|t| t.key()).into_iter().collect();
        let mut close: Vec<String> = Vec::new();
        for found in [self.tagger.look_up(word), self.lexicon.look_up(word)] {
            match found {
                Lookup::Found(more) => keys.extend(more),
                Lookup::Unknown(names) => close.extend(names),
            }
        }
        if keys.is_empty() {
            let mut said = HashSet::new();
            close.retain(|name| said.insert(name.clone()));
            close.truncate(5);
            return Lookup::Unknown(close);
        }
        keys.sort_unstable();
        keys.dedup();
        Lookup::Found(keys)
    }

    /// Places in `tags` (most confident first) of those worth saying to a person, at most
    /// [`MOST_SHOWN`].
    #[must_use]
    pub fn worth_saying(&self, tags: &[Said<'_>]) -> Vec<usize> {
        let classified: Vec<(&str, f32)> = tags
            .iter()
            .filter(|t| t.by_classifier)
            .map(|t| (t.key, t.confidence))
            .collect();
        let classified: HashSet<&str> = self.tagger.worth_saying(&classified).into_iter().collect();
        let rows: Vec<Option<usize>> = tags.iter().map(|t| self.lexicon.row(t.key)).collect();
        let mut names = HashSet::new();
        let mut shown: Vec<usize> = Vec::new();
        for (at, tag) in tags.iter().enumerate() {
            if tag.by_classifier && !classified.contains(tag.key) {
                continue;
            }
            // Said more narrowly by the other vocabulary.
            let narrower = |other: usize| match (rows[at], rows[other]) {
                (Some(upper), Some(lower)) => upper != lower && self.lexicon.is_above(upper, lower),
                _ => false,
            };
            let covered = (0..tags.len()).any(|other| {
                other != at
                    && (!tags[other].by_classifier || classified.contains(tags[other].key))
                    && tags[other].confidence * 1.6 > tag.confidence
                    && narrower(other)
            });
            if !covered && names.insert(tag.name.to_lowercase()) {
                shown.push(at);
            }
        }
        shown.truncate(MOST_SHOWN);
        shown
    }
}
