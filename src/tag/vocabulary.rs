//! What the classifier can say: its classes, the kinds above them, and everyday words for what they
//! show.
//!
//! Three tables. `vocabulary.tsv`: classes and kinds, with names, synonyms and what is above what.
//! `concepts.tsv`: everyday words (kitchen, sport, people), each with how likely it is true of a
//! photo of this class or kind; a concept takes the place of the term that has its key.
//! `classes.tsv`: how likely a class is in people's own photos, and which terms are *quiet*: counted
//! and searchable, but the plain word above them is what is shown.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::error::TagError;
use super::spelling::{SUGGESTIONS, forms, nearness, normalise};
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

/// Terms while the tables are read.
struct Tables {
    terms: Vec<Term>,
    /// Rows of classes at or below each term.
    below: Vec<BTreeSet<usize>>,
    classes: usize,
    by_name: HashMap<String, usize>,
}

impl Vocabulary {
    /// Reads `vocabulary.tsv`, `concepts.tsv` and `classes.tsv` (columns in their first lines).
    ///
    /// # Errors
    /// The first bad line, with its number.
    pub fn parse(synsets: &str, concepts: &str, classes: &str) -> Result<Self, TagError> {
        let mut tables = Tables::read(synsets)?;
        let likely = tables.likely(classes)?;
        let everyday = tables.concepts(concepts)?;
        let mut terms = tables.terms;
        terms.extend(everyday);
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

impl Tables {
    fn read(synsets: &str) -> Result<Self, TagError> {
        const FILE: &str = "vocabulary.tsv";
        let mut terms: Vec<Term> = Vec::new();
        let (mut rows, mut above) = (Vec::new(), Vec::new());
        let mut by_key = HashMap::new();
        for (line, columns) in lines(synsets) {
            let bad = |reason: String| bad(FILE, line, reason);
            let [key, row, general, name, synonyms, parents] = columns[..] else {
                return Err(bad("it has not six columns".to_owned()));
            };
            let row: Option<usize> = match row {
                "-" => None,
                n => Some(
                    n.parse()
                        .map_err(|_| bad("the row is no number".to_owned()))?,
                ),
            };
            if by_key.insert(key, terms.len()).is_some() {
                return Err(bad("the key is there twice".to_owned()));
            }
            rows.push(row);
            above.push((line, split(parents)));
            terms.push(Term {
                key: key.into(),
                name: name.into(),
                synonyms: split(synonyms),
                group: if row.is_some() {
                    Group::Class
                } else {
                    Group::Kind
                },
                aspect: Aspect::Thing,
                general: general == "1",
                quiet: false,
                weights: Vec::new(),
                above: Vec::new(),
            });
        }
        let mut parents = Vec::with_capacity(terms.len());
        for (line, keys) in &above {
            let parent = |key: &String| {
                let found = by_key.get(key.as_str()).copied();
                found.ok_or_else(|| bad(FILE, *line, format!("its parent {key} is not there")))
            };
            parents.push(keys.iter().map(parent).collect::<Result<Vec<_>, _>>()?);
        }
        let classes = rows.iter().flatten().max().map_or(0, |row| row + 1);
        let mut below = vec![BTreeSet::new(); terms.len()];
        for (index, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let mut todo = vec![index];
            while let Some(term) = todo.pop() {
                if below[term].insert(*row) {
                    todo.extend(&parents[term]);
                }
            }
        }
        for (at, (term, below)) in terms.iter_mut().zip(&below).enumerate() {
            if below.is_empty() {
                return Err(bad(
                    FILE,
                    above[at].0,
                    format!("{} has no class below it", term.key),
                ));
            }
            term.weights = below.iter().map(|row| (*row, 1.0)).collect();
        }
        let names = terms.iter().enumerate();
        let by_name = names
            .map(|(at, term)| (term.name.to_lowercase(), at))
            .collect();
        Ok(Self {
            terms,
            below,
            classes,
            by_name,
        })
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// Reads `classes.tsv`: a factor a class; marks quiet terms.
    fn likely(&mut self, classes: &str) -> Result<Vec<f32>, TagError> {
        const FILE: &str = "classes.tsv";
        let mut factors = Vec::new();
        for (line, columns) in lines(classes) {
            let bad = |reason: String| bad(FILE, line, reason);
            let [name, likely, quiet] = columns[..] else {
                return Err(bad("it has not three columns".to_owned()));
            };
            let index = self
                .index(name)
                .ok_or_else(|| bad(format!("there is no term {name:?}")))?;
            match likely.parse::<f32>() {
                Ok(factor) if factor > 0.0 && factor.is_finite() => factors.push((index, factor)),
                _ => return Err(bad(format!("{likely:?} is no likelihood"))),
            }
            self.terms[index].quiet = quiet == "quiet";
        }
        let mut likely = vec![1.0; self.classes];
        // The narrowest line is the last word; a kind that is only made quiet says nothing.
        factors.sort_by_key(|(index, _)| std::cmp::Reverse(self.below[*index].len()));
        for (index, factor) in factors {
            if factor != 1.0 || self.below[index].len() == 1 {
                self.below[index]
                    .iter()
                    .for_each(|row| likely[*row] = factor);
            }
        }
        Ok(likely)
    }

    fn concepts(&self, concepts: &str) -> Result<Vec<Term>, TagError> {
        let mut found = Vec::new();
        for (line, columns) in lines(concepts) {
            let bad = |reason: String| bad("concepts.tsv", line, reason);
            let [key, name, synonyms, aspect, members] = columns[..] else {
                return Err(bad("it has not five columns".to_owned()));
            };
            let aspect = match aspect {
                "thing" => Aspect::Thing,
                "scene" => Aspect::Scene,
                "activity" => Aspect::Activity,
                "people" => Aspect::People,
                other => return Err(bad(format!("{other:?} is no kind of concept"))),
            };
            let mut weights: HashMap<usize, f32> = HashMap::new();
            for member in split(members) {
                let (term, weight) = match member.rsplit_once(' ') {
                    Some((term, weight)) => weight.parse().map_or((&*member, 1.0), |w| (term, w)),
                    None => (&*member, 1.0),
                };
                let index = self
                    .index(term)
                    .ok_or_else(|| bad(format!("its member {term:?} is not there")))?;
                if !(0.0..=1.0).contains(&weight) {
                    return Err(bad(format!("{member:?}: a likelihood lies in 0 to 1")));
                }
                for row in &self.below[index] {
                    let old = weights.entry(*row).or_insert(weight);
                    *old = old.max(weight);
                }
            }
            let mut weights: Vec<(usize, f32)> = weights.into_iter().collect();
            weights.sort_unstable_by_key(|(row, _)| *row);
            found.push(Term {
                key: key.into(),
                name: name.into(),
                synonyms: split(synonyms),
                group: Group::Concept,
                aspect,
                general: false,
                quiet: false,
                weights,
                above: Vec::new(),
            });
        }
        Ok(found)
    }
}

pub(super) fn bad(file: &'static str, line: usize, reason: String) -> TagError {
    TagError::Line { file, line, reason }
}

pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(i, line)| (i, line.split('\t').collect()))
}

pub(super) fn split(field: &str) -> Vec<String> {
    field
        .split('|')
        .map(str::trim)
        .filter(|s| !s.is_empty() && *s != "-")
        .map(str::to_owned)
        .collect()
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
    fn tables_say_how_likely_a_term_is() {
        let vocabulary = vocabulary();
        let weights = |key: &str| vocabulary.term(key).unwrap().weights.clone();
        assert_eq!(weights("n2"), [(0, 1.0), (1, 1.0)]);
        assert_eq!(weights("c.beach"), [(2, 0.8)]);
        assert_eq!(weights("c.people"), [(0, 0.5), (1, 0.5), (3, 1.0)]);
        assert_eq!(vocabulary.likely(), [3.0, 0.5, 2.0, 1.0, 1.0]);
        assert!(vocabulary.term("n5").unwrap().quiet);
        // The concept has the key, and the kind it stands for is no tag any more.
        assert_eq!(vocabulary.term("n7").unwrap().group, Group::Concept);
        let kinds = vocabulary.terms().iter().filter(|t| &*t.key == "n7");
        assert_eq!(kinds.map(|t| t.general).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn bad_lines_are_named() {
        for (table, from, to, said) in [
            (
                0,
                "n3\t0",
                "n3\tx",
                "vocabulary.tsv, line 4: the row is no number",
            ),
            (
                0,
                "n4\t1",
                "n3\t1",
                "vocabulary.tsv, line 5: the key is there twice",
            ),
            (
                0,
                "pug dog\tn2",
                "pug dog\tn9",
                "vocabulary.tsv, line 5: its parent n9 is not there",
            ),
            (
                0,
                "dog\tn1\n",
                "dog\n",
                "vocabulary.tsv, line 3: it has not six columns",
            ),
            (0, "n8\t4\t", "n8\t-\t", "line 8: n7 has no class below it"),
            (
                1,
                "\tscene\tseashore 0",
                "\tscenery\tseashore 0",
                "concepts.tsv, line 2: \"scenery\"",
            ),
            (
                1,
                "seashore 0.8",
                "seaside 0.8",
                "concepts.tsv, line 2: its member \"seaside\"",
            ),
            (
                1,
                "seashore 0.8",
                "seashore 8",
                "a likelihood lies in 0 to 1",
            ),
            (
                2,
                "dog\t0.5",
                "cat\t0.5",
                "classes.tsv, line 3: there is no term \"cat\"",
            ),
            (
                2,
                "dog\t0.5",
                "dog\t-1",
                "classes.tsv, line 3: \"-1\" is no likelihood",
            ),
        ] {
            let mut tables = [SYNSETS, CONCEPTS, CLASSES].map(str::to_owned);
            assert!(tables[table].contains(from), "{from}");
            tables[table] = tables[table].replacen(from, to, 1);
            let [synsets, concepts, classes] = &tables;
            let error = Vocabulary::parse(synsets, concepts, classes).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
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
