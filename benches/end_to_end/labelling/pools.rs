//! Terms that nobody's photo has are looked for less often: what that saves while a library comes
//! in, what it loses, and whether the program's own measure of that is true.
//!
//! The library is simulated (`life.rs`). What full scoring would have kept is seen in the end, when
//! all photos are tagged again.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use photond::embedding::{Embedding, ModelId};
use photond::media::DECODER_VERSION;
use photond::model::{default_pack, packs};
use photond::photo::{ContentHash, Exif, RelPath};
use photond::store::{Change, FileKey, ModelResult, Results, SpaceKind, Store, StoreReader};
use photond::tag::{Lexicon, PoolProgress, PoolSettings, Pools};

use super::life::Life;
use super::{Encoded, Run, percent, steps};
use crate::library::{inspection, stamp};
use crate::measure::{photond, scratch};

/// Photos that come in at once, and how often.
const AT_ONCE: u64 = 1000;
const TIMES: u64 = 20;
/// No more come in after so long: what is left of three minutes is for tagging all again.
const LONGEST: Duration = Duration::from_secs(140);
/// Confidence from which a tag is shown.
const SHOWN: f32 = 0.3;

/// Tags by photo: row of the term, confidence.
type Tags = HashMap<i64, Vec<(usize, f32)>>;

pub fn run(encoded: &Encoded) {
    let begun = Instant::now();
    let (_dir, empty, data) = scratch();
    let bank = encoded.open();
    let lexicon = Lexicon::built_in().expect("the lexicon");
    let mut life = Life::new(&bank, &lexicon);
    let mut index = Index::new(&data, &encoded.model);
    encoded.put(&data);
    let terms = bank.len();
    let mut at_first = Tags::new();
    let mut thousands: Vec<Thousand> = Vec::new();
    let mut pools = index.pools(terms);
    let mut after = 0;
    for _ in 0..TIMES {
        index.add(AT_ONCE, &mut life);
        Run::of(&mut photond(
            &data,
            &["index", "-q", &empty.to_string_lossy()],
        ));
        let reader = StoreReader::open(&data).expect("an index");
        let came = steps::photos(&reader, index.search, after);
        index.read_tags(&reader, &lexicon, &came, &mut at_first);
        after = reader.newest_seq(index.search).expect("readable");
        thousands.push(Thousand {
            came,
            // They are moved between pools after a thousand photos.
            pools: std::mem::replace(&mut pools, index.pools(terms)),
            missed: index.missed(&reader),
        });
        if begun.elapsed() > LONGEST {
            println!("(no more than these come in: it has taken long enough)");
            break;
        }
    }
    let again = steps::retag(&data, &encoded.model);
    let reader = StoreReader::open(&data).expect("an index");
    let photos = steps::photos(&reader, index.search, 0);
    let mut in_full = Tags::new();
    index.read_tags(&reader, &lexicon, &photos, &mut in_full);
    println!(
        "{AT_ONCE} photos at a time, then `photond index`; in the end all {} set against all {terms} terms in {:.1} s. Lost: of the tags of {SHOWN} or more that a photo then has, those it did not have when it came in; instead: those it had then and has no longer",
        photos.len(),
        again.took.as_secs_f64()
    );
    println!(
        "  photos   active     warm  one in     cold  one in  rows a photo   missed as measured    lost in truth  instead"
    );
    let (mut all, mut rows) = (Lost::default(), 0.0);
    for (number, thousand) in (1..).zip(&thousands) {
        let (lost, p) = (
            Lost::of(&thousand.came, &at_first, &in_full),
            &thousand.pools,
        );
        println!(
            "  {:6} {:8} {:8} {:7} {:8} {:7} {:7.0} ({:3.0} %) {:>20}  {:5} ({:5.2} %)  {:7}",
            number * AT_ONCE,
            p.active,
            p.warm,
            p.warm_every,
            p.cold,
            p.cold_every,
            p.rows(),
            100.0 * p.rows() / terms as f64,
            thousand.missed,
            lost.lost,
            percent(lost.lost, lost.sure),
            lost.instead
        );
        all.add(&lost);
        rows += p.rows();
    }
    println!(
        "  of {} tags {} were lost ({:.2} %; {} more were less sure than {SHOWN}), {} were there instead; a photo was set against {:.0} % of the terms; in {:.0} s",
        all.sure,
        all.lost,
        percent(all.lost, all.sure),
        all.faint,
        all.instead,
        100.0 * rows / thousands.len() as f64 / terms as f64,
        begun.elapsed().as_secs_f64()
    );
}

/// Tags that photos had when they came in, beside those of full scoring.
#[derive(Default)]
struct Lost {
    /// Tags to be shown, by full scoring.
    sure: usize,
    /// Of them, those that were not there,
    lost: usize,
    /// and those that were, but not sure enough to be shown.
    faint: usize,
    /// Tags that were shown and are not there by full scoring.
    instead: usize,
}

impl Lost {
    fn of(photos: &[i64], at_first: &Tags, in_full: &Tags) -> Self {
        let mut lost = Self::default();
        let nothing = Vec::new();
        for photo in photos {
            let before = at_first.get(photo).unwrap_or(&nothing);
            let after = in_full.get(photo).unwrap_or(&nothing);
            let among = |tags: &[(usize, f32)], row| tags.iter().find(|t| t.0 == row).map(|t| t.1);
            for (row, _) in after.iter().filter(|(_, sure)| *sure >= SHOWN) {
                lost.sure += 1;
                match among(before, *row) {
                    None => lost.lost += 1,
                    Some(was) if was < SHOWN => lost.faint += 1,
                    Some(_) => {}
                }
            }
            lost.instead += before
                .iter()
                .filter(|(row, was)| *was >= SHOWN && among(after, *row).is_none())
                .count();
        }
        lost
    }

    fn add(&mut self, other: &Self) {
        self.sure += other.sure;
        self.lost += other.lost;
        self.faint += other.faint;
        self.instead += other.instead;
    }
}

/// Photos that came in together.
struct Thousand {
    came: Vec<i64>,
    /// The pools that they met.
    pools: Sizes,
    /// What the index says is missed, after them.
    missed: String,
}

/// How many terms are where, and how often they are looked for.
struct Sizes {
    active: u64,
    warm: u64,
    cold: u64,
    warm_every: u64,
    cold_every: u64,
}

impl Sizes {
    /// Terms that a photo is set against, on average.
    fn rows(&self) -> f64 {
        self.active as f64
            + self.warm as f64 / self.warm_every as f64
            + self.cold as f64 / self.cold_every as f64
    }
}

/// The index that they come into, as the pipeline would write it.
struct Index<'a> {
    data: &'a Path,
    name: &'a ModelId,
    root: i64,
    classifier: (i64, usize),
    search: i64,
    photos: u64,
}

impl<'a> Index<'a> {
    fn new(data: &'a Path, name: &'a ModelId) -> Self {
        std::fs::create_dir_all(data).expect("it can be made");
        let (mut store, _) = Store::open(data).expect("a new index");
        let classifier = default_pack().expect("the built-in pack");
        let derived = packs::derived(data).expect("the built-in pack");
        let mut adopt =
            |id: &ModelId, dims, kind| store.adopt_model(id, dims, kind).expect("writable");
        let first = adopt(&classifier.id, classifier.dims, SpaceKind::Classifier);
        let search = adopt(&derived.id, derived.dims, SpaceKind::Search);
        store.serve(search).expect("writable");
        let place = Path::new("/photond-bench/pools");
        let root = store.adopt_root(place, "bench").expect("writable").id;
        store
            .root_offline(root, "made for a benchmark")
            .expect("writable");
        Self {
            data,
            name,
            root,
            classifier: (first, classifier.dims),
            search,
            photos: 0,
        }
    }

    fn add(&mut self, count: u64, life: &mut Life<'_>) {
        let (mut store, _) = Store::open(self.data).expect("an index");
        let changes: Vec<Change> = (0..count)
            .map(|_| {
                self.photos += 1;
                self.photo(self.photos, life.photo())
            })
            .collect();
        for batch in changes.chunks(steps::PAGE) {
            store.apply(batch).expect("writable");
        }
    }

    fn photo(&self, number: u64, vector: Embedding) -> Change {
        let hash = ContentHash(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let path = RelPath::from_bytes(format!("IMG_{number:06}.jpg").into_bytes());
        let result = |model, embedding| ModelResult {
            model,
            embedding,
            tags: None,
        };
        // The classifier's vector is there so that nothing waits for it; nobody looks at it.
        let (classifier, dims) = self.classifier;
        let seen = Embedding {
            values: vec![0.1; dims],
        };
        Change::Indexed {
            place: Some((
                FileKey {
                    root: self.root,
                    path,
                },
                stamp(number),
            )),
            hash,
            inspection: Some(Box::new(inspection(&hash, Exif::default()))),
            decoder_version: DECODER_VERSION,
            results: Some(Box::new(Results {
                made: vec![result(classifier, seen), result(self.search, vector)],
            })),
        }
    }

    /// The search model's tags of some photos.
    fn read_tags(&self, reader: &StoreReader, lexicon: &Lexicon, of: &[i64], tags: &mut Tags) {
        for photo in of {
            let rows = steps::tags(reader, *photo, self.name)
                .iter()
                .filter_map(|tag| Some((lexicon.row(&tag.key)?, tag.confidence)))
                .collect();
            tags.insert(*photo, rows);
        }
    }

    /// Sizes as `status` has them, and how often the pools' state says terms are looked for.
    fn pools(&self, terms: usize) -> Sizes {
        let reader = StoreReader::open(self.data).expect("an index");
        let Some(state) = self.relevance(&reader) else {
            return Sizes {
                active: terms as u64,
                warm: 0,
                cold: 0,
                warm_every: 1,
                cold_every: 1,
            };
        };
        let output = photond(self.data, &["status", "--format", "json"])
            .output()
            .expect("it runs");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let pools = &status["labels"]["pools"];
        let size = |pool: &str| pools[pool].as_u64().expect("a number");
        let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
        let width = state["width"].as_u64().expect("a number");
        let often = |every: u64| (every >> width).max(1);
        let settings = PoolSettings::default();
        Sizes {
            active: size("active"),
            warm: size("warm"),
            cold: size("cold"),
            warm_every: often(settings.warm_every),
            cold_every: often(settings.cold_every),
        }
    }

    fn missed(&self, reader: &StoreReader) -> String {
        let state = self.relevance(reader).expect("photos are labelled");
        let progress: PoolProgress = serde_json::from_str(&state).expect("as it was written");
        let pools = Pools::restore(PoolSettings::default(), 0, progress, []);
        pools.missed().map_or_else(
            || "nothing known yet".to_owned(),
            |(share, of)| format!("{:.2} % of {of} tags", share * 100.0),
        )
    }

    /// What the index keeps of the pools as a whole.
    fn relevance(&self, reader: &StoreReader) -> Option<String> {
        let mark = reader.labelling(self.search).expect("readable");
        mark.map(|mark| mark.relevance)
    }
}
