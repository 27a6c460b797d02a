//! How good the tags of labelled photos are, the search model's beside the classifier's.
//!
//! Photos are copied under names that say nothing, and everything goes through the program: what
//! `photond show` says of a photo is what is judged.

use std::collections::HashMap;
use std::path::Path;

use photond::daemon::tagger;
use photond::model::default_pack;
use photond::tag::{Lexicon, MOST_SHOWN, OwnTerms, Said, Tagger, Words};

use super::{Encoded, Run, percent};
use crate::measure::{photond, scratch};
use crate::photos::{copy_without_names, folder_from};

/// Confidence from which tags are shown, where a person has set nothing else.
const SHOWN: f64 = 0.3;
/// Two terms are relatives if a kind above both has at most this share of all labels.
const NARROW: f64 = 0.04;

pub fn run(bank: &Encoded) {
    let Some(folder) = folder_from("PHOTOND_BENCH_LABELLED") else {
        println!("skipped: PHOTOND_BENCH_LABELLED names no folder with labels.tsv");
        return;
    };
    let (_dir, photos, data) = scratch();
    let labels = copy_without_names(&folder, &photos, |n| format!("IMG_{n:04}.jpg"));
    bank.put(&data);
    let index = Run::of(&mut photond(
        &data,
        &["index", "-q", &photos.to_string_lossy()],
    ));
    let classifier = default_pack().expect("the built-in pack");
    let tagger = tagger(&classifier).expect("it fits");
    let lexicon = Lexicon::built_in().expect("the lexicon");
    let mut judge = Judge {
        tagger: &tagger,
        lexicon: &lexicon,
        labels_below: HashMap::new(),
    };
    println!(
        "{} photos indexed and tagged in {:.1} s; the class, a synonym, or what is directly above it is to be among the tags",
        labels.len(),
        index.took.as_secs_f64()
    );
    let said: Vec<(String, Vec<Stored>)> = labels
        .into_iter()
        .map(|(name, class)| (class, tags_of(&data, &photos.join(name))))
        .collect();
    let own = OwnTerms::default();
    let words = Words {
        tagger: &tagger,
        lexicon: &lexicon,
        own: &own,
    };
    let by = |model: &str, least: f64, most: usize| -> Vec<(&str, Vec<&Stored>)> {
        let chosen = |all: &'_ [Stored]| -> Vec<usize> {
            (0..all.len())
                .filter(|at| all[*at].model == model && all[*at].confidence >= least)
                .take(most)
                .collect()
        };
        said.iter()
            .map(|(class, all)| {
                let tags = chosen(all).into_iter().map(|at| &all[at]).collect();
                (class.as_str(), tags)
            })
            .collect()
    };
    let (search, classes) = (bank.model.0.as_str(), classifier.id.0.as_str());
    let shown = by(search, SHOWN, MOST_SHOWN);
    let what = format!("first {MOST_SHOWN} from {SHOWN} on");
    judge.report(&format!("{search}, {what}"), &shown, " (wanted: 80 %)");
    judge.missed(&shown);
    judge.report("  all that is stored", &by(search, 0.0, usize::MAX), "");
    judge.report(
        &format!("{classes}, {what}"),
        &by(classes, SHOWN, MOST_SHOWN),
        "",
    );
    judge.report("  all that is stored", &by(classes, 0.0, usize::MAX), "");
    let read: Vec<(&str, Vec<&Stored>)> = said
        .iter()
        .map(|(class, all)| {
            let sure: Vec<&Stored> = all.iter().filter(|t| t.confidence >= SHOWN).collect();
            let tags: Vec<Said<'_>> = sure
                .iter()
                .map(|tag| Said {
                    key: &tag.key,
                    name: &tag.name,
                    confidence: tag.confidence as f32,
                    by_classifier: tag.model == classes,
                })
                .collect();
            let worth = words.worth_saying(&tags);
            (
                class.as_str(),
                worth.into_iter().map(|at| sure[at]).collect(),
            )
        })
        .collect();
    judge.report("both, as words for a person", &read, "");
}

/// One tag as `photond show` has it.
struct Stored {
    key: String,
    name: String,
    model: String,
    confidence: f64,
}

fn tags_of(data: &Path, photo: &Path) -> Vec<Stored> {
    let output = photond(data, &["show", &photo.to_string_lossy()])
        .output()
        .expect("it runs");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |tag: &serde_json::Value, key| tag[key].as_str().unwrap_or_default().to_owned();
    shown["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| Stored {
            key: text(tag, "term"),
            name: text(tag, "name"),
            model: text(tag, "model"),
            confidence: tag["confidence"].as_f64().unwrap_or(0.0),
        })
        .collect()
}

/// What a tag is to the photo's class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    Class,
    Above,
    Relative,
    Other,
}

struct Judge<'a> {
    tagger: &'a Tagger,
    lexicon: &'a Lexicon,
    labels_below: HashMap<u32, usize>,
}

impl Judge<'_> {
    fn report(&mut self, what: &str, photos: &[(&str, Vec<&Stored>)], wanted: &str) {
        let mut counts = [0; 4];
        let (mut hits, mut exact, mut without) = (0, 0, 0);
        for (class, tags) in photos {
            for tag in tags {
                counts[self.kin(class, &tag.key) as usize] += 1;
            }
            hits += usize::from(self.is_hit(class, tags));
            exact += usize::from(tags.iter().any(|tag| tag.key == *class));
            without += usize::from(tags.is_empty());
        }
        let all: usize = counts.iter().sum();
        let share = |kin: Kin| percent(counts[kin as usize], all);
        println!(
            "{what}: there on {:.1} % of {} photos{wanted}, the very class on {:.1} %; {:.1} tags a photo, none on {without}; of the tags {:.0} % are the class, {:.0} % above it, {:.0} % relatives, {:.0} % neither",
            percent(hits, photos.len()),
            photos.len(),
            percent(exact, photos.len()),
            all as f64 / photos.len().max(1) as f64,
            share(Kin::Class),
            share(Kin::Above),
            share(Kin::Relative),
            share(Kin::Other)
        );
    }

    /// Names of some classes that are not among their photos' tags, with what is.
    fn missed(&self, photos: &[(&str, Vec<&Stored>)]) {
        let missed: Vec<String> = photos
            .iter()
            .filter(|(class, tags)| !self.is_hit(class, tags))
            .map(|(class, tags)| {
                let name = self.lexicon.row(class).map(|row| self.lexicon.term(row));
                let said: Vec<&str> = tags.iter().take(3).map(|tag| tag.name.as_str()).collect();
                format!("{} ({})", name.map_or(*class, |t| t.name), said.join(", "))
            })
            .take(12)
            .collect();
        println!("  not there, for example: {}", missed.join("; "));
    }

    fn is_hit(&self, class: &str, tags: &[&Stored]) -> bool {
        let parents: Vec<&str> = self.lexicon.row(class).map_or_else(Vec::new, |row| {
            let parents = self.lexicon.term(row).parents;
            parents
                .iter()
                .map(|row| self.lexicon.term(*row as usize).key)
                .collect()
        });
        tags.iter()
            .any(|tag| tag.key == class || parents.contains(&tag.key.as_str()))
    }

    fn kin(&mut self, class: &str, tag: &str) -> Kin {
        if tag == class {
            return Kin::Class;
        }
        let (Some(class_row), Some(tag_row)) = (self.lexicon.row(class), self.lexicon.row(tag))
        else {
            // A concept of the classifier's own over some of its classes.
            let vocabulary = self.tagger.vocabulary();
            let leaf = vocabulary.term(class).and_then(|term| term.row);
            let above = vocabulary
                .term(tag)
                .zip(leaf)
                .is_some_and(|(term, leaf)| term.leaves.contains(&leaf));
            return if above { Kin::Above } else { Kin::Other };
        };
        if self.lexicon.is_above(tag_row, class_row) {
            return Kin::Above;
        }
        let mut above = self.lexicon.ancestors(class_row);
        above.push(u32::try_from(class_row).expect("rows fit"));
        let common: Vec<u32> = self
            .lexicon
            .ancestors(tag_row)
            .into_iter()
            .filter(|kind| above.contains(kind))
            .collect();
        if common.into_iter().any(|kind| self.is_narrow(kind)) {
            Kin::Relative
        } else {
            Kin::Other
        }
    }

    fn is_narrow(&mut self, kind: u32) -> bool {
        let labels = self.lexicon.labels();
        let below = self.labels_below.entry(kind).or_insert_with(|| {
            let below = self.lexicon.below(kind as usize);
            below.iter().filter(|r| (**r as usize) < labels).count()
        });
        *below as f64 <= NARROW * labels as f64
    }
}
