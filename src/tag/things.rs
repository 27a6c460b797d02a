//! A detector's classes among the words: `classes.tsv` of its pack.
//!
//! A class whose name the classifier has a term of is that term; the others become terms of their own,
//! as do the kinds of picture that boxes tell ([`PORTRAIT`], [`GROUP`], [`CROWD`]). None of these has a
//! class of the classifier's below it.

use std::sync::Arc;

use super::error::TagError;
use super::spelling::normalise;
use super::tables::{bad, lines, split};
use super::vocabulary::{Aspect, Group, Term, Tier, Vocabulary};

/// One face fills the picture.
pub(super) const PORTRAIT: &str = "portrait";
/// Some people together.
pub(super) const GROUP: &str = "group";
/// Many people.
pub(super) const CROWD: &str = "crowd";

/// Kinds of picture: name and synonyms.
const KINDS: [(&str, &[&str]); 3] = [
    (PORTRAIT, &["portraits", "headshot", "close-up of a face"]),
    (GROUP, &["group photo", "group picture", "group of people"]),
    (CROWD, &["crowds", "crowd of people"]),
];

/// A class of a detector in words.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingClass {
    /// What the network's makers call it.
    pub class: String,
    /// Its term, among [`Vocabulary::terms`].
    pub term: usize,
    /// The classifier has something to say of that term too.
    pub is_classified: bool,
    /// Other terms that are true of a photo with such a thing, with how likely.
    pub above: Vec<(usize, f32)>,
}

impl Vocabulary {
    /// The same with the classes of `table` (`class name synonyms above`), in its order.
    ///
    /// # Errors
    /// The first bad line, with its number.
    pub fn with_things(mut self, table: &str) -> Result<Self, TagError> {
        const FILE: &str = "classes.tsv";
        self.know_all(&KINDS, Aspect::People);
        let mut unread = Vec::new();
        for (line, columns) in lines(table) {
            let [class, name, synonyms, above] = columns[..] else {
                return Err(bad(FILE, line, "it has not four columns".to_owned()));
            };
            let (term, is_classified) = self.known_or_new(name, Aspect::Thing, &split(synonyms));
            self.things.push(ThingClass {
                class: class.to_owned(),
                term,
                is_classified,
                above: Vec::new(),
            });
            unread.push((line, split(above)));
        }
        for (at, (line, above)) in unread.into_iter().enumerate() {
            for entry in above {
                let (name, likely) = match entry.rsplit_once(' ') {
                    Some((name, likely)) => likely.parse().map_or((&*entry, 1.0), |l| (name, l)),
                    None => (&*entry, 1.0),
                };
                let term = self
                    .by_name(name)
                    .ok_or_else(|| bad(FILE, line, format!("there is no term {name:?}")))?;
                if !(likely > 0.0 && likely <= 1.0) {
                    return Err(bad(FILE, line, format!("{entry:?} has no likelihood")));
                }
                self.things[at].above.push((term, likely));
                let (key, own) = (Arc::clone(&self.terms[term].key), self.things[at].term);
                self.terms[own].above.push((key, likely));
            }
        }
        Ok(self)
    }

    /// The classes of the detector, in its order.
    pub fn things(&self) -> &[ThingClass] {
        &self.things
    }

    /// The term of this very name that photos are tagged with.
    pub(super) fn by_name(&self, name: &str) -> Option<usize> {
        let named = self.by_word.get(&normalise(name))?;
        let tagged = |(tier, at): &&(Tier, usize)| *tier == Tier::Name && !self.terms[*at].general;
        named.iter().rfind(tagged).map(|(_, at)| *at)
    }

    /// Adds the terms of these names with their synonyms that are not there.
    pub(super) fn know_all(&mut self, names: &[(&str, &[&str])], aspect: Aspect) {
        for (name, synonyms) in names {
            let synonyms: Vec<String> = synonyms.iter().map(|s| (*s).to_owned()).collect();
            self.known_or_new(name, aspect, &synonyms);
        }
    }

    /// The term of a name, and whether it was there.
    pub(super) fn known_or_new(
        &mut self,
        name: &str,
        aspect: Aspect,
        synonyms: &[String],
    ) -> (usize, bool) {
        let known = self.by_name(name);
        let at = known.unwrap_or_else(|| {
            let at = self.terms.len();
            let key: Arc<str> = format!("d.{}", name.replace(' ', "-")).into();
            self.by_key.insert(Arc::clone(&key), at);
            // What people meant by the word until now they mean by it still: with a wine glass, wine.
            let readings = self.by_word.entry(normalise(name)).or_default();
            for (tier, _) in readings.iter_mut().filter(|(t, _)| *t == Tier::Everyday) {
                *tier = Tier::Name;
            }
            readings.push((Tier::Name, at));
            self.terms.push(Term {
                key,
                name: name.into(),
                synonyms: synonyms.to_vec(),
                group: Group::Concept,
                aspect,
                general: false,
                quiet: false,
                weights: Vec::new(),
                above: Vec::new(),
            });
            at
        });
        for word in synonyms {
            let readings = self.by_word.entry(normalise(word)).or_default();
            if !readings.iter().any(|(_, other)| *other == at) {
                readings.push((Tier::Everyday, at));
            }
        }
        let is_classified = !self.terms[at].weights.is_empty();
        (at, is_classified)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    pub const TABLE: &str = "# class\tname\tsynonyms\tabove\n\
        person\tpeople\tperson\t\n\
        dog\tdog\tdogs|doggo\t\n\
        kite\tkite\tkites|kite flying\tbeach 0.8|dog\n";

    pub fn with_things() -> Vocabulary {
        vocabulary().with_things(TABLE).unwrap()
    }

    #[test]
    fn a_class_is_the_term_of_its_name_or_a_new_one() {
        let words = with_things();
        let [people, dog, kite] = words.things() else {
            panic!("{:?}", words.things());
        };
        assert_eq!(&*words.terms()[people.term].key, "c.people");
        assert_eq!(&*words.terms()[dog.term].key, "n2");
        assert!(dog.is_classified && !kite.is_classified);
        assert_eq!(&*words.terms()[kite.term].key, "d.kite");
        let above: Vec<&str> = kite
            .above
            .iter()
            .map(|(at, _)| &*words.terms()[*at].name)
            .collect();
        assert_eq!(above, ["beach", "dog"]);
        let named = |word: &str| -> Vec<String> {
            words
                .named(word)
                .iter()
                .map(|t| t.name.to_string())
                .collect()
        };
        assert_eq!(named("doggo"), ["dog"]);
        assert_eq!(named("Kite Flying"), ["kite"]);
        assert_eq!(named("headshot"), ["portrait"]);
        assert!(words.terms()[kite.term].is_above_said("c.beach"));
    }

    #[test]
    fn a_new_term_takes_no_word_from_another() {
        let words = vocabulary().with_things("pier\twaterside\t\t\n").unwrap();
        let named = words.named("waterside");
        let named: Vec<&str> = named.iter().map(|t| &*t.name).collect();
        assert_eq!(named, ["shore", "waterside"]);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (table, line) in [
            ("# x\ndog\tdog\t\n", 2),
            ("dog\tdog\t\tnothing of the sort\n", 1),
            ("dog\tdog\t\tbeach 1.5\n", 1),
        ] {
            let e = vocabulary().with_things(table).unwrap_err();
            assert!(e.to_string().contains(&format!("line {line}")), "{e}");
        }
    }
}
