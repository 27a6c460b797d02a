//! All words there are: the classifier's, the lexicon's, and a person's own.
//!
//! A word means every term that one of them calls by it. Photos carry the kinds above their tags too,
//! so that a word needs no look at what is below it. Of a photo's tags few are worth showing: the
//! most specific of what is sure, in words people use, and nothing twice.

use super::lexicon::Lexicon;
use super::own_terms::OwnTerms;
use super::spelling::{SUGGESTIONS, normalise};
use super::vocabulary::{Aspect, LIKELY, SAID, Term, Vocabulary};

/// Most tags shown of one photo.
pub const MOST_SHOWN: usize = 5;
/// Shorter words in a name say nothing of what it is about.
const LONG_WORD: usize = 4;

/// The vocabularies, side by side.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The classifier's.
    pub vocabulary: &'a Vocabulary,
    /// Tens of thousands of terms.
    pub lexicon: &'a Lexicon,
    /// A person's own.
    pub own: &'a OwnTerms,
}

/// What a word in a query means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Keys of the terms it names, ascending.
    Found(Vec<String>),
    /// Nothing; names that are close.
    Unknown(Vec<String>),
}

impl Words<'_> {
    /// What a word of a query means.
    pub fn look_up(&self, word: &str) -> Lookup {
        let keys = self.keys(word);
        if keys.is_empty() {
            return Lookup::Unknown(self.suggest(word));
        }
        Lookup::Found(keys)
    }

    /// Whether a word of a query means anything.
    pub fn know(&self, word: &str) -> bool {
        !self.keys(word).is_empty()
    }

    /// Keys of the terms that a word means, ascending.
    fn keys(&self, word: &str) -> Vec<String> {
        let mut keys: Vec<String> = self.own.find(word).map(|t| t.key()).into_iter().collect();
        keys.extend(
            self.vocabulary
                .named(word)
                .iter()
                .map(|t| t.key.to_string()),
        );
        // `parking` is that, and no park, where one of the two knows it as it is.
        let mut rows = self.lexicon.named(word);
        if self.vocabulary.knows(word) {
            rows.retain(|row| self.lexicon.is_named(*row, word));
        }
        keys.extend(
            rows.iter()
                .map(|row| self.lexicon.term(*row).key.to_owned()),
        );
        if self.lexicon.row(word).is_some() || self.vocabulary.term(word).is_some() {
            keys.push(word.to_owned());
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn suggest(&self, word: &str) -> Vec<String> {
        let mut close = self.vocabulary.suggest(word);
        for name in self.lexicon.suggest(word) {
            if !close.contains(&name) {
                close.push(name);
            }
        }
        close.truncate(SUGGESTIONS);
        close
    }

    /// For a word that names only terms which the classifier has not: those above them that it has,
    /// the nearest first. `None`: it has one itself, or the word is a person's own.
    pub fn unsaid(&self, word: &str) -> Option<Vec<String>> {
        let said = |key: &str| self.vocabulary.term(key).filter(|t| !t.general);
        let Lookup::Found(keys) = self.look_up(word) else {
            return None;
        };
        if self.own.find(word).is_some() || keys.iter().any(|key| said(key).is_some()) {
            return None;
        }
        let mut near: Vec<String> = Vec::new();
        for row in keys.iter().filter_map(|key| self.lexicon.row(key)) {
            let above = self.lexicon.ancestors(row).into_iter();
            let terms = above.filter_map(|r| said(self.lexicon.term(r as usize).key));
            for term in terms.take(2) {
                if !near.contains(&term.name.to_string()) {
                    near.push(term.name.to_string());
                }
            }
        }
        near.truncate(SUGGESTIONS);
        Some(near)
    }

    /// Places in `tags` (key, name, confidence; surest first) of those worth showing: of at least `least`,
    /// the most specific of its aspect, at most [`MOST_SHOWN`], no two that say the same. What is `sure`
    /// does not give way to what is not.
    pub fn worth_showing(&self, tags: &[(&str, &str, f32)], least: f32, sure: f32) -> Vec<usize> {
        let candidates: Vec<(usize, Option<&Term>)> = tags
            .iter()
            .enumerate()
            .filter(|(_, (_, _, confidence))| *confidence >= least)
            .map(|(at, (key, _, _))| (at, self.vocabulary.term(key)))
            .collect();
        // A quiet one gives way to the plain word for it, if that is there.
        let plain = |quiet: &Term| {
            let mut others = candidates.iter().filter_map(|(_, term)| *term);
            others.any(|other| !other.quiet && other.is_said_by(quiet, LIKELY))
        };
        let candidates: Vec<(usize, Option<&Term>)> = candidates
            .iter()
            .filter(|(_, term)| term.is_none_or(|t| !t.quiet || !plain(t)))
            .copied()
            .collect();
        let mut said: Vec<String> = Vec::new();
        let mut shown = Vec::new();
        for (at, term) in &candidates {
            let covered = candidates.iter().any(|(other, narrower)| {
                other != at
                    && (tags[*other].2 >= sure || tags[*at].2 < sure)
                    && match (term, narrower) {
                        (Some(term), Some(narrower)) => is_said_by(term, narrower),
                        _ => self.is_above(tags[*at].0, tags[*other].0),
                    }
            });
            let name = normalise(tags[*at].1);
            let words = || name.split(' ').filter(|word| word.len() >= LONG_WORD);
            if covered || name.is_empty() || words().any(|word| said.iter().any(|s| s == word)) {
                continue;
            }
            said.extend(words().map(str::to_owned));
            shown.push(*at);
            if shown.len() == MOST_SHOWN {
                break;
            }
        }
        shown
    }

    fn is_above(&self, upper: &str, lower: &str) -> bool {
        match (self.lexicon.row(upper), self.lexicon.row(lower)) {
            (Some(upper), Some(lower)) => upper != lower && self.lexicon.is_above(upper, lower),
            _ => false,
        }
    }
}

/// Whether the narrower term says what the broader one does: wherever it is said, the other is true.
/// A scene or an activity stands beside a thing.
fn is_said_by(broad: &Term, narrow: &Term) -> bool {
    let same = broad.aspect == narrow.aspect;
    if !same && (broad.aspect != Aspect::Thing || narrow.aspect == Aspect::People) {
        return false;
    }
    if narrow.is_above_said(&broad.key) {
        return true;
    }
    let strong = |term: &Term| term.weights.iter().filter(|(_, w)| *w >= SAID).count();
    let (here, there) = (strong(narrow), strong(broad));
    // Of two that say the same of the same classes, the later one goes.
    here > 0
        && (here < there || (same && here == there && broad.key > narrow.key))
        && broad.is_said_by(narrow, LIKELY)
}

#[cfg(test)]
mod tests {
    use super::super::bank::tests::lexicon;
    use super::super::own_terms::OwnTerm;
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    fn with<T>(f: impl FnOnce(Words<'_>) -> T) -> T {
        let (vocabulary, lexicon) = (vocabulary(), lexicon());
        let mut own = OwnTerms::default();
        own.put(OwnTerm {
            name: "Our Tent".to_owned(),
            category: None,
            examples: Vec::new(),
        })
        .unwrap();
        f(Words {
            vocabulary: &vocabulary,
            lexicon: &lexicon,
            own: &own,
        })
    }

    fn found(word: &str) -> Vec<String> {
        with(|words| match words.look_up(word) {
            Lookup::Found(keys) => keys,
            Lookup::Unknown(_) => Vec::new(),
        })
    }

    #[test]
    fn a_word_means_what_any_vocabulary_says() {
        assert_eq!(found("dogs"), ["n2"]);
        assert_eq!(found("our tent"), ["u.our-tent"]);
        assert_eq!(found("golden hour"), ["v.golden-hour"]);
        assert_eq!(found("m1"), ["m1"]);
        let unknown = with(|words| words.look_up("beagel"));
        assert_eq!(unknown, Lookup::Unknown(vec!["beagle".to_owned()]));
    }

    #[test]
    fn a_word_that_nothing_can_tell_has_near_ones() {
        let unsaid = |word: &str| with(|words| words.unsaid(word));
        assert_eq!(unsaid("puppy"), Some(vec!["dog".to_owned()]));
        assert_eq!(unsaid("golden hour"), Some(Vec::new()));
        assert_eq!(unsaid("beagle"), None);
        assert_eq!(unsaid("our tent"), None);
    }

    #[test]
    fn what_is_shown_is_specific_plain_and_said_once() {
        let shown = |tags: &[(&str, &str, f32)]| -> Vec<String> {
            with(|words| {
                let shown = words.worth_showing(tags, 0.5, 0.5);
                shown.into_iter().map(|at| tags[at].1.to_owned()).collect()
            })
        };
        assert_eq!(
            shown(&[
                ("n2", "dog", 0.9),
                ("n3", "beagle", 0.8),
                ("c.people", "people", 0.6)
            ]),
            ["beagle", "people"]
        );
        // Doubt between breeds is a dog; a quiet class is said by the plain word above it.
        assert_eq!(shown(&[("n2", "dog", 0.9), ("n3", "beagle", 0.4)]), ["dog"]);
        assert_eq!(
            shown(&[
                ("c.beach", "beach", 0.8),
                ("n5", "seashore", 0.7),
                ("n7", "shore", 0.6)
            ]),
            ["beach"]
        );
        // An activity stands beside who does it, but not in the same words.
        assert_eq!(
            shown(&[
                ("n6", "ball game player", 0.9),
                ("c.ball-game", "ball game", 0.8)
            ]),
            ["ball game player"]
        );
        // A search model's kinds are above by the lexicon.
        assert_eq!(
            shown(&[("n2", "dog", 0.7), ("m1", "puppy", 0.7)]),
            ["puppy"]
        );
        let many: Vec<String> = (0..9).map(|i| format!("u.word{i}")).collect();
        let many: Vec<(&str, &str, f32)> =
            many.iter().map(|k| (k.as_str(), k.as_str(), 0.9)).collect();
        assert_eq!(shown(&many).len(), MOST_SHOWN);
    }
}
