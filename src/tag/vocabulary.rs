//! The words: leaves with a row in the label bank, their ancestors, and everyday aliases.

use std::collections::{BTreeSet, HashMap};

use super::error::TagError;

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Stable key: WordNet synset (`n02084071`) or alias (`c.beach`).
    pub key: String,
    /// Name shown to people.
    pub name: String,
    /// Other words for it, lower case.
    pub synonyms: Vec<String>,
    /// Row in the label bank, for a leaf.
    pub row: Option<usize>,
    /// Too general to be a tag (`entity`, `artifact`).
    pub general: bool,
    /// True for a hand-made everyday concept over the synsets.
    pub alias: bool,
    /// Indices of the terms directly above.
    pub parents: Vec<usize>,
    /// Rows of all leaves at or below this term, ascending, each once.
    pub leaves: Vec<usize>,
}

/// All terms, with a look-up by word.
pub struct Vocabulary {
    terms: Vec<Term>,
    by_key: HashMap<String, usize>,
    by_word: HashMap<String, Vec<(Tier, usize)>>,
    rows: usize,
}

/// How closely a word belongs to a term. The closest reading of a word wins: `cat` is the domestic
/// cat (its name), not every synset that lists "cat" among its synonyms; `train` is what people
/// mean by it (an alias), not WordNet's narrower senses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Name,
    Alias,
    Synonym,
}

/// What a word in a query means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Keys of the terms it names and of everything below them.
    Found(Vec<String>),
    /// Nothing; names that are close.
    Unknown(Vec<String>),
}

impl Vocabulary {
    /// Reads `vocabulary.tsv` and `aliases.tsv` (columns in their first lines).
    ///
    /// # Errors
    /// The first bad line, with its number.
    pub fn parse(synsets: &str, aliases: &str) -> Result<Self, TagError> {
        let mut terms = Vec::new();
        let mut by_key = HashMap::new();
        let mut parent_keys: Vec<(usize, Vec<String>)> = Vec::new();
        for (line, columns) in lines(synsets) {
            let bad = |reason: &str| TagError::Line {
                file: "vocabulary.tsv",
                line,
                reason: reason.to_owned(),
            };
            let [key, row, general, name, synonyms, parents] = columns[..] else {
                return Err(bad("it has not six columns"));
            };
            let row = match row {
                "-" => None,
                n => Some(n.parse().map_err(|_| bad("the row is no number"))?),
            };
            if by_key.insert(key.to_owned(), terms.len()).is_some() {
                return Err(bad("the key is there twice"));
            }
            parent_keys.push((line, split(parents)));
            terms.push(Term {
                key: key.to_owned(),
                name: name.to_owned(),
                synonyms: split(synonyms),
                row,
                general: general == "1",
                alias: false,
                parents: Vec::new(),
                leaves: Vec::new(),
            });
        }
        for (index, (line, keys)) in parent_keys.iter().enumerate() {
            for key in keys {
                let parent = *by_key.get(key).ok_or_else(|| TagError::Line {
                    file: "vocabulary.tsv",
                    line: *line,
                    reason: format!("its parent {key} is not there"),
                })?;
                terms[index].parents.push(parent);
            }
        }
        let rows = terms
            .iter()
            .filter_map(|t| t.row)
            .max()
            .map_or(0, |r| r + 1);
        collect_leaves(&mut terms)?;
        for (line, columns) in lines(aliases) {
            let bad = |reason: String| TagError::Line {
                file: "aliases.tsv",
                line,
                reason,
            };
            let [key, name, synonyms, members] = columns[..] else {
                return Err(bad("it has not four columns".to_owned()));
            };
            let mut leaves = BTreeSet::new();
            for member in split(members) {
                let index = *by_key
                    .get(&member)
                    .ok_or_else(|| bad(format!("its member {member} is not there")))?;
                leaves.extend(terms[index].leaves.iter().copied());
            }
            if by_key.insert(key.to_owned(), terms.len()).is_some() {
                return Err(bad("the key is there twice".to_owned()));
            }
            terms.push(Term {
                key: key.to_owned(),
                name: name.to_owned(),
                synonyms: split(synonyms),
                row: None,
                general: false,
                alias: true,
                parents: Vec::new(),
                leaves: leaves.into_iter().collect(),
            });
        }
        let mut by_word: HashMap<String, Vec<(Tier, usize)>> = HashMap::new();
        for (index, term) in terms.iter().enumerate() {
            let tier = |own: Tier| if term.alias { Tier::Alias } else { own };
            let mut words = vec![(tier(Tier::Name), normalise(&term.name))];
            words.extend(
                term.synonyms
                    .iter()
                    .map(|w| (tier(Tier::Synonym), normalise(w))),
            );
            for (tier, word) in words {
                by_word.entry(word).or_default().push((tier, index));
            }
        }
        Ok(Self {
            terms,
            by_key,
            by_word,
            rows,
        })
    }

    /// Every term; a term's index is its identity within this vocabulary.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Number of label rows its leaves name.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The term with this key.
    #[must_use]
    pub fn term(&self, key: &str) -> Option<&Term> {
        self.by_key.get(key).map(|i| &self.terms[*i])
    }

    /// The terms that a word names in its closest reading; case, plural, `_` and `-` do not matter.
    #[must_use]
    pub fn named(&self, word: &str) -> Vec<&Term> {
        self.closest(word)
            .into_iter()
            .map(|index| &self.terms[index])
            .collect()
    }

    fn closest(&self, word: &str) -> BTreeSet<usize> {
        let named: Vec<(Tier, usize)> = forms(word)
            .iter()
            .filter_map(|form| self.by_word.get(form))
            .flatten()
            .copied()
            .collect();
        let closest = named.iter().map(|(tier, _)| *tier).min();
        named
            .iter()
            .filter(|(tier, _)| Some(*tier) == closest)
            .map(|(_, index)| *index)
            .collect()
    }

    /// What a word of a query means: case, plural, `_` and `-` do not matter.
    #[must_use]
    pub fn look_up(&self, word: &str) -> Lookup {
        let mut keys = BTreeSet::new();
        for index in self.closest(word) {
            keys.insert(self.terms[index].key.clone());
            keys.extend(self.below(index).map(|t| t.key.clone()));
        }
        if let Some(index) = self.by_key.get(word) {
            keys.insert(word.to_owned());
            keys.extend(self.below(*index).map(|t| t.key.clone()));
        }
        if keys.is_empty() {
            Lookup::Unknown(self.suggest(word))
        } else {
            Lookup::Found(keys.into_iter().collect())
        }
    }

    /// The terms all of whose leaves lie below this one.
    fn below(&self, index: usize) -> impl Iterator<Item = &Term> {
        let top = &self.terms[index];
        self.terms.iter().filter(move |t| {
            !t.leaves.is_empty()
                && t.leaves.len() < top.leaves.len()
                && t.leaves
                    .iter()
                    .all(|leaf| top.leaves.binary_search(leaf).is_ok())
        })
    }

    /// Up to five names close to a word that is not there.
    fn suggest(&self, word: &str) -> Vec<String> {
        let word = normalise(word);
        // Short words have too many neighbours: `water` is no misspelt `wader`.
        let limit = match word.chars().count() {
            0..=4 => 0,
            5..=7 => 1,
            _ => 2,
        };
        let mut close: Vec<(usize, &String)> = self
            .by_word
            .keys()
            .filter_map(|known| {
                let same_start = word.chars().next() == known.chars().next();
                let distance = edits(&word, known, limit).filter(|_| same_start)?;
                Some((distance, known))
            })
            .collect();
        if word.chars().count() >= 3 {
            close.extend(
                self.by_word
                    .keys()
                    .filter(|known| known.split(' ').any(|part| part == word))
                    .map(|known| (limit, known)),
            );
        }
        close.sort();
        let mut names = Vec::new();
        for (_, known) in close {
            if !names.contains(known) && names.len() < 5 {
                names.push(known.clone());
            }
        }
        names
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(i, line)| (i, line.split('\t').collect()))
}

fn split(field: &str) -> Vec<String> {
    field
        .split('|')
        .map(str::trim)
        .filter(|s| !s.is_empty() && *s != "-")
        .map(str::to_owned)
        .collect()
}

/// Fills `leaves` from the bottom up. The hierarchy is a graph without cycles.
fn collect_leaves(terms: &mut [Term]) -> Result<(), TagError> {
    let mut sets: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); terms.len()];
    for index in 0..terms.len() {
        let Some(row) = terms[index].row else {
            continue;
        };
        let mut above = vec![index];
        let mut seen = BTreeSet::new();
        while let Some(i) = above.pop() {
            if !seen.insert(i) {
                continue;
            }
            sets[i].insert(row);
            above.extend(&terms[i].parents);
        }
    }
    for (term, set) in terms.iter_mut().zip(sets) {
        if set.is_empty() {
            return Err(TagError::Bank(format!("{} has no leaf below it", term.key)));
        }
        term.leaves = set.into_iter().collect();
    }
    Ok(())
}

/// Lower case, `_` and `-` as spaces, single spaces.
pub(super) fn normalise(word: &str) -> String {
    let lower = word.to_lowercase().replace(['_', '-'], " ");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The word itself and its singular and plural forms.
pub(super) fn forms(word: &str) -> Vec<String> {
    let word = normalise(word);
    let mut forms = vec![word.clone()];
    for (plural, singular) in [
        ("ies", "y"),
        ("ves", "f"),
        ("ves", "fe"),
        ("es", ""),
        ("s", ""),
        ("men", "man"),
        ("mice", "mouse"),
        ("geese", "goose"),
        ("children", "child"),
        ("people", "person"),
        ("feet", "foot"),
        ("teeth", "tooth"),
    ] {
        if let Some(stem) = word.strip_suffix(plural) {
            forms.push(format!("{stem}{singular}"));
        }
        if let Some(stem) = word.strip_suffix(singular) {
            forms.push(format!("{stem}{plural}"));
        }
    }
    forms
}

/// Edit distance (insert, delete, replace, swap of neighbours), if it is at most `limit`.
pub(super) fn edits(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let width = b.len() + 1;
    let mut d = vec![0usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        d[i * width] = i;
    }
    for (j, cell) in d.iter_mut().enumerate().take(width) {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (d[(i - 1) * width + j] + 1)
                .min(d[i * width + j - 1] + 1)
                .min(d[(i - 1) * width + j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(d[(i - 2) * width + j - 2] + 1);
            }
            d[i * width + j] = best;
        }
    }
    let found = d[a.len() * width + b.len()];
    (found <= limit).then_some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const SYNSETS: &str = "#key\trow\tgeneral\tname\tsynonyms\tparents\n\
        n1\t-\t1\tentity\tentity\t\n\
        n2\t-\t0\tdog\tdog|domestic dog\tn1\n\
        n3\t0\t0\tbeagle\tbeagle\tn2\n\
        n4\t1\t0\tpug\tpug|pug dog\tn2\n\
        n5\t2\t0\tseashore\tseashore|coast\tn1\n";
    pub const ALIASES: &str = "#key\tname\tsynonyms\tmembers\n\
        c.beach\tbeach\tseaside\tn5\n\
        c.pet\tpet\t\tn2\n";

    #[test]
    fn a_word_means_its_term_its_synonyms_and_all_below() {
        let v = Vocabulary::parse(SYNSETS, ALIASES).unwrap();
        let found = |w: &str| match v.look_up(w) {
            Lookup::Found(keys) => keys,
            Lookup::Unknown(_) => Vec::new(),
        };
        assert_eq!(found("Dogs"), ["n2", "n3", "n4"]);
        assert_eq!(found("pug_dog"), ["n4"]);
        assert!(found("beaches").contains(&"c.beach".to_owned()));
        assert!(found("pets").contains(&"n3".to_owned()));
        assert_eq!(
            v.look_up("beagel"),
            Lookup::Unknown(vec!["beagle".to_owned()])
        );
        assert_eq!(v.look_up("zzzzzz"), Lookup::Unknown(vec![]));
    }

    #[test]
    fn the_closest_reading_of_a_word_wins() {
        let aliases = "#h\nc.x\tpug dog\tbeagle\tn5\n";
        let v = Vocabulary::parse(SYNSETS, aliases).unwrap();
        assert_eq!(
            v.look_up("beagle"),
            Lookup::Found(vec!["n3".to_owned()]),
            "a name before an alias"
        );
        let found = v.look_up("pug dog");
        let Lookup::Found(keys) = found else {
            panic!("an alias before a synonym")
        };
        assert!(keys.contains(&"c.x".to_owned()) && !keys.contains(&"n4".to_owned()));
    }

    #[test]
    fn bad_lines_are_named() {
        let err = Vocabulary::parse("#h\nn1\tx\t0\ta\ta\t\n", "")
            .err()
            .unwrap()
            .to_string();
        assert!(err.contains("line 2"), "{err}");
        let err = Vocabulary::parse("#h\nn1\t0\t0\ta\ta\tn9\n", "")
            .err()
            .unwrap()
            .to_string();
        assert!(err.contains("n9"), "{err}");
    }
}
