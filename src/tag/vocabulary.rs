//! What the classifier can say: its classes, the kinds above them, and everyday words for what they
//! show.
//!
//! Made of three tables (`tables` reads them). `vocabulary.tsv`: classes and kinds, with names, synonyms and what is above what.
//! `concepts.tsv`: everyday words (kitchen, sport, people), each with how likely it is true of a
//! photo of this class or kind; a concept takes the place of the term that has its key.
//! `classes.tsv`: how likely a class is in people's own photos, and which terms are *quiet*: counted
//! and searchable, but the plain word above them is what is shown.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::TagError;
use super::spelling::{SUGGESTIONS, forms, nearness, normalise};
use super::tables;
use super::things::ThingClass;

/// Likelihood from which a term is said of a class, where terms are compared …
pub(super) const SAID: f32 = 0.5;
/// … and from which another one says it too.
pub(super) const LIKELY: f32 = 0.6;

/// What sort of term it is; each has a calibration of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// A class of the classifier.
    Class,
    /// A kind of classes.
    Kind,
    /// An everyday word over classes.
    Concept,
}

/// What a term is about: one of the same aspect stands for another, one of another stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// Something that is there.
    Thing,
    /// Where it is.
    Scene,
    /// What is going on.
    Activity,
    /// Who is there.
    People,
}

/// One term.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Stable key: WordNet synset (`n02084071`), or `c.` or `v.` and a name.
    pub key: Arc<str>,
    /// Name shown to people.
    pub name: Arc<str>,
    /// Other words for it, lower case.
    pub synonyms: Vec<String>,
    /// What sort of term it is.
    pub group: Group,
    /// What it is about.
    pub aspect: Aspect,
    /// Too general to be a tag (`entity`, `artifact`), or replaced by a concept.
    pub general: bool,
    /// Said by the plain word above it.
    pub quiet: bool,
    /// Class and how likely the term is true of a photo of it, by class.
    pub weights: Vec<(usize, f32)>,
    /// Keys of terms that a detector's class implies, with how likely.
    pub above: Vec<(Arc<str>, f32)>,
}

/// All terms, with a look-up by word.
#[derive(Debug)]
pub struct Vocabulary {
    pub(super) terms: Vec<Term>,
    pub(super) by_key: HashMap<Arc<str>, usize>,
    pub(super) by_word: HashMap<String, Vec<(Tier, usize)>>,
    /// How likely each class is in people's own photos, beside the classifier's own even spread.
    likely: Vec<f32>,
    /// A detector's classes, in its order.
    pub(super) things: Vec<ThingClass>,
}

/// How closely a word belongs to a term. The closest reading of a word wins: `cat` is the domestic
/// cat (its name), not every synset that lists "cat" among its synonyms; `bike` is what people mean
/// by it (a concept's synonym), not WordNet's narrower senses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Name,
    Everyday,
    Synonym,
}

impl Vocabulary {
    /// Reads `vocabulary.tsv`, `concepts.tsv` and `classes.tsv` (columns in their first lines).
    ///
    /// # Errors
    /// The first bad line, with its number.
    pub fn parse(synsets: &str, concepts: &str, classes: &str) -> Result<Self, TagError> {
        let (mut terms, likely) = tables::read(synsets, concepts, classes)?;
        let mut by_key = HashMap::new();
        let mut by_word: HashMap<String, Vec<(Tier, usize)>> = HashMap::new();
        for (index, term) in terms.iter().enumerate() {
            // The concept of a key comes last, and stays.
            by_key.insert(Arc::clone(&term.key), index);
            let synonym = match term.group {
                Group::Concept => Tier::Everyday,
                Group::Class | Group::Kind => Tier::Synonym,
            };
            let name = (Tier::Name, normalise(&term.name));
            let synonyms = term.synonyms.iter().map(|w| (synonym, normalise(w)));
            for (tier, word) in std::iter::once(name).chain(synonyms) {
                by_word.entry(word).or_default().push((tier, index));
            }
        }
        for index in 0..terms.len() {
            terms[index].general |= by_key[&terms[index].key] != index;
        }
        Ok(Self {
            terms,
            by_key,
            by_word,
            likely,
            things: Vec::new(),
        })
    }

    /// Every term; a term's index is its identity within this vocabulary.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// How many times as likely each class is in people's own photos as in the classifier's.
    pub fn likely(&self) -> &[f32] {
        &self.likely
    }

    /// The term with this key.
    pub fn term(&self, key: &str) -> Option<&Term> {
        self.by_key.get(key).map(|i| &self.terms[*i])
    }

    /// The terms that a word names in its closest reading, with the compounds of an activity (of
    /// `baseball` the player and the game); case, number, `_` and `-` do not matter. General ones are among
    /// them.
    pub fn named(&self, word: &str) -> Vec<&Term> {
        let mut found: Vec<usize> = Vec::new();
        for form in forms(word) {
            let of_form = self.by_word.get(&form).into_iter().flatten();
            let closest = of_form.clone().map(|(tier, _)| *tier).min();
            let of_form = of_form.filter(|(tier, _)| Some(*tier) == closest);
            found.extend(of_form.map(|(_, index)| index));
            // A form counts only where the word as it is, or a nearer form, is nothing.
            if !found.is_empty() {
                break;
            }
        }
        let word = normalise(word);
        let named = self.by_word.get(&word).into_iter().flatten();
        let named = named.map(|(_, index)| &self.terms[*index]);
        for activity in named.filter(|term| term.aspect == Aspect::Activity) {
            let start = format!("{word} ");
            let compound = |term: &Term| {
                normalise(&term.name).starts_with(&start) && activity.is_said_by(term, LIKELY)
            };
            found.extend((0..self.terms.len()).filter(|at| compound(&self.terms[*at])));
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|index| &self.terms[index]).collect()
    }

    /// Whether some term is called by this very word.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.by_word.contains_key(&normalise(word))
    }

    /// Names close to a word that is not there, the closest first.
    pub fn suggest(&self, word: &str) -> Vec<String> {
        let word = normalise(word);
        let mut close: Vec<(usize, &String)> = self
            .by_word
            .iter()
            .filter(|(_, terms)| terms.iter().any(|(_, index)| !self.terms[*index].general))
            .filter_map(|(known, _)| Some((nearness(&word, known)?, known)))
            .collect();
        close.sort();
        close.truncate(SUGGESTIONS);
        close.into_iter().map(|(_, known)| known.clone()).collect()
    }
}

impl Term {
    /// Whether a detector's class that is this term says another one.
    pub(super) fn is_above_said(&self, key: &str) -> bool {
        let mut above = self.above.iter();
        above.any(|(above, likely)| **above == *key && *likely >= LIKELY)
    }

    /// Whether this is at least so likely wherever the other term is said.
    pub(super) fn is_said_by(&self, other: &Self, likely: f32) -> bool {
        let mut classes = other.weights.iter().filter(|(_, weight)| *weight >= SAID);
        classes.all(|(row, _)| {
            let found = self.weights.binary_search_by_key(row, |(row, _)| *row);
            found.is_ok_and(|at| self.weights[at].1 >= likely)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const SYNSETS: &str = "#key\trow\tgeneral\tname\tsynonyms\tparents\n\
        n1\t-\t1\tentity\tentity\t\n\
        n2\t-\t0\tdog\tdog|domestic dog\tn1\n\
        n3\t0\t0\tbeagle\tbeagle\tn2\n\
        n4\t1\t0\tpug\tpug|pug dog\tn2\n\
        n5\t2\t0\tseashore\tseashore|coast\tn1\n\
        n6\t3\t0\tball game player\t\tn1\n\
        n7\t-\t0\tshore\t\tn1\n\
        n8\t4\t0\tlakeshore\t\tn7\n";
    pub const CONCEPTS: &str = "#key\tname\tsynonyms\tkind\tmembers\n\
        c.beach\tbeach\tseaside\tscene\tseashore 0.8\n\
        n7\tshore\twaterside\tscene\tseashore|lakeshore 0.9\n\
        c.ball-game\tball game\t\tactivity\tball game player\n\
        c.people\tpeople\tfolk\tpeople\tball game player|dog 0.5|pug 0.25\n";
    pub const CLASSES: &str =
        "# term\tlikely\tquiet\nseashore\t2\tquiet\ndog\t0.5\t\nbeagle\t3\t\n";

    pub fn vocabulary() -> Vocabulary {
        Vocabulary::parse(SYNSETS, CONCEPTS, CLASSES).unwrap()
    }

    fn names(word: &str) -> Vec<String> {
        let vocabulary = vocabulary();
        let named = vocabulary.named(word);
        named.iter().map(|t| t.name.to_string()).collect()
    }

    #[test]
    fn a_word_means_what_is_nearest_to_it() {
        assert_eq!(names("Dogs"), ["dog"]);
        assert_eq!(names("PUG-dog"), ["pug"]);
        assert_eq!(names("seaside"), ["beach"]);
        assert_eq!(names("beaches"), ["beach"]);
        assert_eq!(names("ball game"), ["ball game player", "ball game"]);
        assert!(names("volcano").is_empty());
        assert_eq!(vocabulary().suggest("beagel"), ["beagle"]);
        assert_eq!(
            vocabulary().suggest("game"),
            ["ball game", "ball game player"]
        );
    }

    #[test]
    fn the_built_in_tables_are_sound() {
        let vocabulary = Vocabulary::parse(
            include_str!("../../models/efficientnet-lite0/vocabulary.tsv"),
            include_str!("../../models/efficientnet-lite0/concepts.tsv"),
            include_str!("../../models/efficientnet-lite0/classes.tsv"),
        )
        .unwrap();
        assert_eq!(vocabulary.likely().len(), 1000);
        let named = |word: &str| -> Vec<String> {
            let named = vocabulary.named(word);
            named.iter().map(|t| t.name.to_string()).collect()
        };
        for (word, name) in [
            ("dogs", "dog"),
            ("cat", "cat"),
            ("bike", "bicycle"),
            ("baseball", "baseball player"),
            ("baseball", "baseball game"),
            ("persons", "people"),
            ("human", "people"),
            ("ski", "ski"),
            ("buses", "bus"),
            ("plane", "airplane"),
            ("sofas", "sofa"),
            ("couch", "sofa"),
        ] {
            assert!(
                named(word).contains(&name.to_owned()),
                "{word}: {:?}",
                named(word)
            );
        }
        let quiet = vocabulary.terms().iter().filter(|t| t.quiet).count();
        assert!(quiet > 100, "{quiet}");
    }
}
