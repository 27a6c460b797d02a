//! How good ranked queries are on labelled photos: the whole rule and the vectors alone, things
//! that are there and things that are not.
//!
//! Photos are copied under names that say nothing: what a file is called would answer the query.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use photond::daemon::tagger;
use photond::model::default_pack;
use photond::search::{
    Allowed, Chosen, Examples, Query, Scan, SearchError, Searcher, Space, Wish, choose,
};
use photond::store::{ModelVectors, StoreReader, VectorFile};
use photond::tag::{Lexicon, OwnTerms, Tagger, Term, Words};

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
    tagger: &'a Tagger,
    /// Term keys of each photo: its label and all above, by file name.
    terms: HashMap<String, BTreeSet<String>>,
}

pub fn run() {
    let Some(folder) = folder_from("PHOTOND_BENCH_LABELLED") else {
        println!("skipped: PHOTOND_BENCH_LABELLED names no folder with labels.tsv");
        return;
    };
    let (_dir, photos, data) = scratch();
    let classifier = default_pack().expect("the built-in pack");
    let tagger = tagger(&classifier).expect("it fits");
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
            tagger: &tagger,
            lexicon: &lexicon,
            own: &own,
        },
        cutoff: 0.3,
    };
    let library = Library {
        searcher: &searcher,
        space: Space {
            pack: &pack,
            model: row.id,
            classifier: &classifier,
            data_dir: &data,
            max_file: 1 << 29,
            stop: None,
        },
        tagger: &tagger,
        terms: labels
            .into_iter()
            .map(|(file, key)| (file, above(&tagger, &key)))
            .collect(),
    };
    println!("{} photos, {}", library.terms.len(), pack.id);
    library.precision();
    library.class_names();
    library.sentences();
}

/// A label's key and those of everything above it.
fn above(tagger: &Tagger, key: &str) -> BTreeSet<String> {
    let terms = tagger.vocabulary().terms();
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = terms
        .iter()
        .position(|t| t.key == key)
        .into_iter()
        .collect();
    while let Some(at) = open.pop() {
        if found.insert(terms[at].key.clone()) {
            open.extend(&terms[at].parents);
        }
    }
    found
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
            .rank(&self.space, &query, &wishes, &mut |row| {
                names.push(String::from_utf8_lossy(row.hit.path.name()).into_owned());
                ControlFlow::Continue(())
            })
            .expect("it ranks");
        names
    }

    /// The same by cosine alone.
    fn by_vectors(&self, text: &str) -> Result<Vec<String>, SearchError> {
        let (reader, pack) = (self.searcher.reader, self.space.pack);
        let mut examples = Examples::new(
            reader,
            (pack, self.space.model),
            (self.space.classifier, self.tagger),
            (self.space.data_dir, self.space.max_file),
            None,
        );
        let vector = examples.sentence(text)?;
        let identity = reader.identity()?;
        let file = VectorFile::new(self.space.data_dir, identity, &pack.id, pack.dims);
        let mut source = ModelVectors::new(reader, self.space.model);
        let vectors = file.refresh(&mut source, 0)?;
        let scan = Scan::new(&[&vector.values], pack.dims)?;
        let best = scan
            .best(&vectors, &mut source, &Allowed::All, LIMIT)?
            .result;
        let hits = reader.hits_of(
            &best[0].iter().map(|s| s.photo).collect::<Vec<_>>(),
            &photond::store::PhotoFilter::default(),
        )?;
        let names: HashMap<i64, String> = hits
            .iter()
            .map(|h| {
                let name = String::from_utf8_lossy(h.path.name()).into_owned();
                (h.photo.id, name)
            })
            .collect();
        Ok(best[0]
            .iter()
            .filter_map(|s| names.get(&s.photo).cloned())
            .collect())
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

    fn precision(&self) {
        let asked: Vec<&Term> = self
            .tagger
            .vocabulary()
            .terms()
            .iter()
            .filter(|t| !t.alias && SIZES.contains(&self.photos_of(&t.key)))
            .collect();
        let mean = |rank: &dyn Fn(&Term) -> Vec<String>| {
            asked
                .iter()
                .map(|term| self.average_precision(&rank(term), &term.key))
                .sum::<f64>()
                / asked.len().max(1) as f64
        };
        let whole = mean(&|term| self.ranking(&term.name, true, LIMIT));
        let vectors = mean(&|term| self.by_vectors(&term.name).expect("it ranks"));
        println!(
            "mean average precision for {} hypernyms of {} to {} photos: {whole:.3} (wanted: 0.50); by vectors alone {vectors:.3}",
            asked.len(),
            SIZES.start(),
            SIZES.end()
        );
    }

    /// Every class name of the classifier as a query.
    fn class_names(&self) {
        let (mut there, mut found, mut absent, mut silent) = (0, 0, 0, 0);
        let leaves = self.tagger.vocabulary().terms().iter();
        for leaf in leaves.filter(|t| t.row.is_some()) {
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
            let keys: Vec<String> = self
                .tagger
                .vocabulary()
                .named(word)
                .iter()
                .map(|t| t.key.clone())
                .collect();
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
