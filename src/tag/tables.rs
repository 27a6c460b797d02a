//! Reads the tables of a vocabulary: `vocabulary.tsv`, `concepts.tsv` and `classes.tsv`, one term a line,
//! columns apart by tabs and lists by `|`.
//!
//! Promises: every complaint names the file and the line; a term without any class below it, or a name
//! that no line has, is a mistake of the tables and never passed over.

use std::collections::{BTreeSet, HashMap};

use super::error::TagError;
use super::vocabulary::{Aspect, Group, Term};

/// Terms while the tables are read.
struct Tables {
    terms: Vec<Term>,
    /// Rows of classes at or below each term.
    below: Vec<BTreeSet<usize>>,
    classes: usize,
    by_name: HashMap<String, usize>,
}

/// All terms, concepts last, and how likely each class is in people's own photos.
///
/// # Errors
/// The first bad line, with its number.
pub(super) fn read(
    synsets: &str,
    concepts: &str,
    classes: &str,
) -> Result<(Vec<Term>, Vec<f32>), TagError> {
    let mut tables = Tables::read(synsets)?;
    let likely = tables.likely(classes)?;
    let everyday = tables.concepts(concepts)?;
    tables.terms.extend(everyday);
    Ok((tables.terms, likely))
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
mod tests {
    use super::super::vocabulary::tests::{CLASSES, CONCEPTS, SYNSETS, vocabulary};
    use super::super::vocabulary::{Group, Vocabulary};

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
}
