//! How good ranked queries are on labelled photos: the whole rule and the vectors alone, things
//! that are there and things that are not.
//!
//! Photos are copied under names that say nothing: what a file is called would answer the query.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use photond::daemon::classifier;
use photond::model::default_pack;
use photond::search::{Chosen, Query, Searcher, SourceNames, Space, Wish, choose};
use photond::store::StoreReader;
use photond::tag::{Group, Lexicon, OwnTerms, Term, Words};

use crate::measure::{cost, photond, scratch};
use crate::photos::{copy_without_names, folder_from};

/// Terms with so many photos are asked for.
const SIZES: std::ops::RangeInclusive<usize> = 6..=80;
/// Rows of a ranking that count.
const LIMIT: usize = 250;

/// Sentences, each with the term that a right photo belongs to. Whether it is there or not is what
/// the labels say.
const SENTENCES: &[(&str, &str)] = &[
    ("a striped cat of prey in the jungle", "tiger"),
    ("a black bird swimming on a lake", "black swan"),
    ("a panda chewing bamboo", "giant panda"),
    ("a passenger plane at the airport", "airliner"),
    ("two people on one bicycle", "bicycle-built-for-two"),
    ("zebras on the savannah", "zebra"),
    ("a bowl of ice cream", "ice cream"),
    ("a volcano with smoke above it", "volcano"),
    ("an old locomotive under steam", "steam locomotive"),
    ("a rocket on its way to space", "space shuttle"),
    ("people playing billiards", "pool table"),
    ("a sloth in a tree", "three-toed sloth"),
    ("a hippo with its mouth open", "hippopotamus"),
    ("a polar bear on the ice", "ice bear"),
    ("an orca jumping out of the sea", "killer whale"),
    ("a computer on a desk", "computer"),
    ("a musician playing the saxophone", "sax"),
    ("a yacht under sail", "sailing vessel"),
    ("a mosque with minarets", "mosque"),
    ("a tent in the mountains", "mountain tent"),
    ("a mushroom in the grass", "fungus"),
    ("a butterfly on a flower", "butterfly"),
    ("a spider in its web", "spider"),
    ("a snake on a rock", "snake"),
    ("an owl at night", "owl"),
    ("a peacock with its tail spread", "peacock"),
    ("a monkey on a branch", "monkey"),
    ("a crab on the shore", "crab"),
    ("a yellow taxi in traffic", "cab"),
    ("a fox in the snow", "fox"),
    ("a giraffe eating leaves", ""),
    ("an elephant with its calf", "elephant"),
    ("penguins on the ice", "penguin"),
    ("a guitar on a stand", "guitar"),
    ("a grand piano on a stage", "grand piano"),
    ("a castle on a hill", "castle"),
    ("a slice of pizza", "pizza"),
    ("a burger with cheese", "cheeseburger"),
    ("ripe strawberries", "strawberry"),
    ("a bunch of bananas", "banana"),
    ("a lighthouse by the sea", "beacon"),
    ("a violin and its bow", "violin"),
    ("a submarine at the surface", "submarine"),
    ("a tractor in a field", "tractor"),
    ("an ambulance with blue lights", "ambulance"),
    ("a fire engine in front of a house", "fire engine"),
    ("a goldfish in a bowl", "goldfish"),
    ("pink flamingos in shallow water", "flamingo"),
    ("a koala asleep", "koala"),
    ("a camel in the desert", "Arabian camel"),
    ("a lion with a mane", "lion"),
    ("a crocodile with open jaws", "crocodile"),
    ("a jellyfish in dark water", "jellyfish"),
    ("an umbrella in the rain", "umbrella"),
    ("the lecture on quantum physics", ""),
    ("my tax return", ""),
    ("a bank statement", ""),
    ("a wedding in a church garden", ""),
    ("the northern lights", ""),
    ("a newborn baby", ""),
    ("a birthday cake with candles", ""),
    ("somebody doing a skateboard trick", ""),
    ("a plate of sushi", ""),
    ("the Eiffel tower", ""),
    ("a christmas tree", ""),
    ("a screenshot of a chat", ""),
    ("cows on a meadow", ""),
    ("a snowman", ""),
    ("a basketball game", ""),
    ("a hot-air balloon festival", "balloon"),
];

struct Library<'a> {
    searcher: &'a Searcher<'a>,
    space: Space<'a>,
    /// Term keys of each photo: its label and all above, by file name.
    terms: HashMap<String, BTreeSet<String>>,
}

pub fn run() {
    let Some(folder) = folder_from("PHOTOND_BENCH_LABELLED") else {
        println!("skipped: PHOTOND_BENCH_LABELLED names no folder with labels.tsv");
        return;
    };
    let (_dir, photos, data) = scratch();
    let built_in = default_pack().expect("the built-in pack");
    let classifier = classifier(&built_in).expect("it fits");
    let labels = copy_without_names(&folder, &photos, |n| format!("{n:04}.jpg"));
    cost(&mut photond(
        &data,
        &["index", "-q", &photos.to_string_lossy()],
    ));
    let reader = StoreReader::open(&data).expect("an index");
    let Chosen { pack, row, .. } = choose(&reader, &data).expect("a search model");
    if pack.text_side().is_err() {
        println!("skipped: the text model is not there (`make text-model`)");
        return;
    }
    let (lexicon, own) = (
        Lexicon::built_in().expect("the lexicon"),
        OwnTerms::default(),
    );
    let searcher = Searcher {
        reader: &reader,
        words: Words {
            vocabulary: classifier.vocabulary(),
            lexicon: &lexicon,
            own: &own,
        },
        classifier: &classifier,
        sources: SourceNames::default(),
        cutoff: 0.6,
    };
    let library = Library {
        searcher: &searcher,
        space: Space {
            pack: &pack,
            model: row.id,
            classifier: &built_in,
            data_dir: &data,
            max_file: 1 << 29,
            stop: None,
            text: None,
        },
        terms: labels
            .into_iter()
            .map(|(file, key)| (file, above(&lexicon, &key)))
            .collect(),
    };
    println!("{} photos, {}", library.terms.len(), pack.id);
    library.precision();
    library.class_names();
    library.sentences();
}

/// A label's key and those of everything above it.
fn above(lexicon: &Lexicon, key: &str) -> BTreeSet<String> {
    let Some(row) = lexicon.row(key) else {
        return BTreeSet::new();
    };
    let kinds = lexicon.ancestors(row).into_iter().map(|kind| kind as usize);
    let all = std::iter::once(row).chain(kinds);
    all.map(|row| lexicon.term(row).key.to_owned()).collect()
}

impl Library<'_> {
    /// File names, best first.
    fn ranking(&self, text: &str, all: bool, limit: usize) -> Vec<String> {
        let query = Query {
            all,
            limit: Some(limit),
            ..Query::default()
        };
        let wishes = [Wish::text(text, true).expect("a wish")];
        let mut names = Vec::new();
        self.searcher
            .rank(&self.space, &query, &wishes, &mut |_, _| (), &mut |row| {
                names.push(String::from_utf8_lossy(row.shot.face.path.name()).into_owned());
                ControlFlow::Continue(())
            })
            .expect("it ranks");
        names
    }

    fn belongs(&self, file: &str, key: &str) -> bool {
        self.terms.get(file).is_some_and(|keys| keys.contains(key))
    }

    fn photos_of(&self, key: &str) -> usize {
        self.terms.values().filter(|k| k.contains(key)).count()
    }

    /// Mean over the ranks of right photos of the share of right ones down to there; those beyond
    /// the ranking count as never found.
    fn average_precision(&self, ranking: &[String], key: &str) -> f64 {
        let (mut right, mut sum) = (0, 0.0);
        for (rank, file) in ranking.iter().enumerate() {
            if self.belongs(file, key) {
                right += 1;
                sum += f64::from(right) / (rank + 1) as f64;
            }
        }
        sum / self.photos_of(key) as f64
    }

    fn terms(&self, fits: impl Fn(&Term) -> bool) -> Vec<&Term> {
        let terms = self.searcher.words.vocabulary.terms().iter();
        terms.filter(|term| fits(term)).collect()
    }

    fn precision(&self) {
        let asked = self.terms(|t| SIZES.contains(&self.photos_of(&t.key)));
        let precision = |term: &&Term| {
            self.average_precision(&self.ranking(&term.name, true, LIMIT), &term.key)
        };
        let sum: f64 = asked.iter().map(precision).sum();
        println!(
            "mean average precision for {} hypernyms of {} to {} photos: {:.3} (wanted: 0.50)",
            asked.len(),
            SIZES.start(),
            SIZES.end(),
            sum / asked.len().max(1) as f64
        );
    }

    /// Every class name of the classifier as a query.
    fn class_names(&self) {
        let (mut there, mut found, mut absent, mut silent) = (0, 0, 0, 0);
        for leaf in self.terms(|t| t.group == Group::Class) {
            let rows = self.ranking(&leaf.name, false, 3);
            if self.photos_of(&leaf.key) > 0 {
                there += 1;
                found += u32::from(rows.iter().any(|f| self.belongs(f, &leaf.key)));
            } else {
                absent += 1;
                silent += u32::from(rows.is_empty());
            }
        }
        report("class names", (found, there), (silent, absent), &[]);
    }

    fn sentences(&self) {
        let (mut there, mut found, mut absent, mut silent) = (0, 0, 0, 0);
        let mut wrong = Vec::new();
        for (sentence, word) in SENTENCES {
            let named = self.searcher.words.vocabulary.named(word);
            let keys: Vec<&str> = named.iter().map(|term| &*term.key).collect();
            assert_eq!(keys.is_empty(), word.is_empty(), "{word:?} is no term");
            let rows = self.ranking(sentence, false, 3);
            let right = if keys.iter().any(|key| self.photos_of(key) > 0) {
                there += 1;
                let any = |file: &String| keys.iter().any(|key| self.belongs(file, key));
                let right = rows.iter().any(any);
                found += u32::from(right);
                right
            } else {
                absent += 1;
                silent += u32::from(rows.is_empty());
                rows.is_empty()
            };
            if !right {
                wrong.push(*sentence);
            }
        }
        report("sentences", (found, there), (silent, absent), &wrong);
    }
}

fn report(what: &str, there: (u32, u32), absent: (u32, u32), wrong: &[&str]) {
    let percent = |(part, of): (u32, u32)| 100.0 * f64::from(part) / f64::from(of.max(1));
    println!(
        "{what}: of {} that are there {} have a right photo in the first three ({:.0} %), of {} that are not {} find nothing ({:.0} %; wanted: 90 % each)",
        there.1,
        there.0,
        percent(there),
        absent.1,
        absent.0,
        percent(absent)
    );
    if !wrong.is_empty() {
        println!("  wrong: {}", wrong.join("; "));
    }
}
