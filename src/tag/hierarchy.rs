//! Which of several kept terms a person would say.

use std::collections::HashSet;

use super::vocabulary::{Term, Vocabulary};

/// Of the given keys, most confident first, those to show: a term is left out where a narrower one
/// of nearly its confidence is there (of beagle, hound, dog and animal, the beagle is said), and
/// where an alias says the same as a term with the same name.
pub(super) fn narrowest<'a>(vocabulary: &Vocabulary, kept: &[(&'a str, f32)]) -> Vec<&'a str> {
    // A broader term is worth saying beside a narrower one only if it is much surer.
    const MUCH_SURER: f32 = 1.6;
    let mut names = HashSet::new();
    let mut shown = Vec::new();
    for (key, confidence) in kept {
        let Some(term) = vocabulary.term(key) else {
            shown.push(*key);
            continue;
        };
        let said = kept.iter().any(|(other, c)| {
            other != key
                && confidence < &(c * MUCH_SURER)
                && vocabulary.term(other).is_some_and(|o| says_more(o, term))
        });
        if !said && names.insert(term.name.to_lowercase()) {
            shown.push(*key);
        }
    }
    shown
}

/// True if `a` is narrower than `b`, or means the same things and is the more particular word: a
/// leaf before its only ancestor, a WordNet term before an alias.
fn says_more(a: &Term, b: &Term) -> bool {
    if a.leaves == b.leaves {
        let rank = |t: &Term| (t.row.is_some(), !t.alias, std::cmp::Reverse(t.key.clone()));
        return rank(a) > rank(b);
    }
    a.leaves.len() < b.leaves.len()
        && a.leaves
            .iter()
            .all(|leaf| b.leaves.binary_search(leaf).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::tests::{ALIASES, SYNSETS};
    use super::*;

    #[test]
    fn the_narrowest_sure_term_is_said() {
        let v = Vocabulary::parse(SYNSETS, ALIASES).unwrap();
        assert_eq!(narrowest(&v, &[("n2", 0.9), ("n3", 0.8)]), ["n3"]);
        assert_eq!(
            narrowest(&v, &[("n2", 0.9), ("n3", 0.3), ("n4", 0.2)]),
            ["n2", "n3", "n4"]
        );
        assert_eq!(narrowest(&v, &[("n2", 0.9), ("n5", 0.3)]), ["n2", "n5"]);
        // The same things by two names: one is said.
        assert_eq!(narrowest(&v, &[("c.beach", 0.9), ("n5", 0.9)]), ["n5"]);
        assert_eq!(narrowest(&v, &[("n2", 0.9), ("c.pet", 0.9)]), ["n2"]);
    }
}
