//! A large library as it would be after indexing, written through the store: rows, names, tags and
//! vectors of photos that lie on a volume that is away.

use std::path::Path;
use std::sync::Arc;

use photond::boxes::NUMBERS;
use photond::embedding::{Embedding, ModelId};
use photond::index::BuiltInNames;
use photond::media::DECODER_VERSION;
use photond::model::{ModelPack, Projection, default_pack, packs, text_id};
use photond::photo::{
    CapturedAt, ContentHash, Exif, FileStamp, Format, Inspection, PerceptualHash, Pixels, RelPath,
    Thumbnail,
};
use photond::picture_text::ReadLine;
use photond::said::{DateField, Keyword, Position, Said, SaidDate, Standard, WrittenDate};
use photond::store::{Change, FileKey, ModelResult, ReadText, Results, SpaceKind, Store, Tagged};
use photond::tag::{Classifier, SearchWords, Tagger};

/// Search space of [`DIMS`] values that no pack stands behind.
pub const SYNTHETIC: &str = "synthetic@1";
/// Its vectors' length, that of SigLIP base.
pub const DIMS: usize = 768;
/// One photo in so many shows a dog.
const DOG_EVERY: u64 = 5;
/// Two in three photos were taken around one of these.
const CITIES: [(f64, f64); 10] = [
    (35.01, 135.77),
    (35.68, 139.69),
    (48.86, 2.35),
    (52.52, 13.40),
    (40.71, -74.01),
    (33.66, -95.56),
    (-33.87, 151.21),
    (38.72, -9.14),
    (19.43, -99.13),
    (30.04, 31.24),
];
/// Changes in one transaction, about as many as the pipeline's.
const BATCH: usize = 256;

/// Cheap random numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.draw() >> 11) as usize % n
    }

    /// 0 to 1.
    pub fn share(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A vector near one of 1000 centres, as photos' vectors are.
pub fn clustered(seed: u64, dims: usize) -> Vec<f32> {
    let mut own = Random::new(seed);
    let mut centre = Random::new(u64::MAX / 2 + own.draw() % 1000);
    (0..dims)
        .map(|_| centre.share() - 0.5 + 0.7 * (own.share() - 0.5))
        .collect()
}

/// What the models said of a photo.
struct Maker {
    words: Arc<Classifier>,
    tagger: i64,
    projection: Projection,
    dogs: Vec<usize>,
    others: Vec<usize>,
    classifier: (i64, usize),
    derived: i64,
    synthetic: i64,
    reader: i64,
}

/// The derived space's pack.
pub fn derived_pack(data: &Path) -> ModelPack {
    packs::derived(data).expect("the built-in pack")
}

/// Fills the index in `data` with `photos` photos; the bytes of the first are `example`. Returns
/// the derived space's pack.
pub fn fill(data: &Path, photos: u64, example: &[u8]) -> ModelPack {
    std::fs::create_dir_all(data).expect("it can be made");
    let (mut store, _) = Store::open(data).expect("a new index");
    let pack = default_pack().expect("the built-in pack");
    let derived = derived_pack(data);
    let mut adopt = |id: &ModelId, dims, kind| store.adopt_model(id, dims, kind).expect("writable");
    let words = Arc::new(photond::daemon::classifier(&pack).expect("it fits"));
    let vocabulary = words.vocabulary();
    let mut dogs: Vec<usize> = vocabulary
        .named("dog")
        .iter()
        .flat_map(|term| term.weights.iter().map(|(class, _)| *class))
        .collect();
    dogs.sort_unstable();
    let revision = pack.manifest.label_revision.as_deref().unwrap_or_default();
    let identity = Tagger::new(
        (Arc::clone(&words), Arc::default()),
        SearchWords::default(),
        revision,
        0,
    );
    let maker = Maker {
        others: (0..vocabulary.likely().len())
            .filter(|row| dogs.binary_search(row).is_err())
            .collect(),
        dogs,
        projection: Projection::new(&derived).expect("the built-in pack"),
        classifier: (adopt(&pack.id, pack.dims, SpaceKind::Classifier), pack.dims),
        derived: adopt(&derived.id, derived.dims, SpaceKind::Search),
        synthetic: adopt(&ModelId(SYNTHETIC.to_owned()), DIMS, SpaceKind::Search),
        reader: adopt(
            &text_id().expect("the built-in pack"),
            NUMBERS,
            SpaceKind::Text,
        ),
        tagger: store.adopt_tagger(identity.identity()).expect("writable"),
        words,
    };
    let places = BuiltInNames::new().expect("the built-in place names");
    store.name_localities(Box::new(places)).expect("writable");
    let root = Path::new("/photond-bench/library");
    let root = store
        .adopt_root(root, ("bench", ""), None)
        .expect("writable");
    let mut batch = Vec::with_capacity(BATCH);
    for number in 0..photos {
        let hash = if number == 0 {
            blake3::hash(example)
        } else {
            blake3::hash(&number.to_le_bytes())
        };
        batch.push(maker.photo(root.id, number, ContentHash(*hash.as_bytes())));
        if batch.len() == BATCH || number + 1 == photos {
            store.apply(&batch).expect("writable");
            batch.clear();
        }
    }
    store.serve(maker.derived).expect("writable");
    store
        .root_offline(root.id, "made for a benchmark")
        .expect("writable");
    derived
}

/// Up to 40 km around a city.
fn position(number: u64) -> Option<Position> {
    let (lat, lon) = CITIES[(number / 3) as usize % CITIES.len()];
    let mut random = Random::new(number);
    let mut aside = || f64::from(random.share() - 0.5) * 0.7;
    (!number.is_multiple_of(3)).then(|| Position {
        lat: lat + aside(),
        lon: lon + aside(),
        altitude_m: None,
        source: Standard::Exif,
    })
}

/// What people say of one photo in four: three keywords out of 500 in 20 groups, and somebody out of 50.
fn words(number: u64) -> Said {
    let mut random = Random::new(number);
    let mut said = Said::default();
    if number.is_multiple_of(4) {
        for _ in 0..3 {
            let word = random.below(500);
            let keyword = Keyword::path(&format!("Topics|Group {}|Word {word}", word % 20), '|');
            said.add_keyword(Standard::Xmp, keyword);
        }
        said.add_person(Standard::Xmp, &format!("Person {}", random.below(50)), None);
    }
    said.tidied()
}

impl Maker {
    fn photo(&self, root: i64, number: u64, hash: ContentHash) -> Change {
        let (year, month) = (2005 + number % 20, 1 + number / 20 % 12);
        let day = 1 + number % 28;
        let path = format!("{year}/{month:02}/IMG_{number:07}.jpg");
        let exif = Exif {
            captured_at: Some(CapturedAt {
                local: format!("{year}-{month:02}-{day:02}T12:00:00"),
                offset_minutes: None,
            }),
            camera: Some("Bench 1".to_owned()),
            ..Exif::default()
        };
        let said = Said {
            dates: exif.captured_at.iter().filter_map(said_date).collect(),
            position: position(number),
            rating: number.is_multiple_of(4).then_some((number % 6) as i8),
            ..words(number)
        };
        Change::Indexed {
            place: Some((
                FileKey {
                    root,
                    path: RelPath::from_bytes(path.into_bytes()),
                },
                stamp(number),
            )),
            hash,
            inspection: Some(Box::new(Inspection {
                said,
                ..inspection(&hash, exif)
            })),
            decoder_version: DECODER_VERSION,
            results: Some(Box::new(self.results(number))),
        }
    }

    fn results(&self, number: u64) -> Results {
        let mut random = Random::new(number);
        let from = if number.is_multiple_of(DOG_EVERY) {
            &self.dogs
        } else {
            &self.others
        };
        let surest = random.below(from.len());
        // The rest of the probability goes to neighbours, which are of the same kind.
        let mut p = vec![1e-9f32; self.words.vocabulary().likely().len()];
        let share = 0.3 + 0.6 * random.share();
        p[from[surest]] += share;
        for _ in 0..9 {
            let near = (surest + random.below(21)).saturating_sub(10);
            p[from[near.min(from.len() - 1)]] += (1.0 - share) / 9.0;
        }
        let logits: Vec<f32> = p.iter().map(|p| p.ln()).collect();
        let (classifier, dims) = self.classifier;
        let made = |model, values| ModelResult {
            model,
            embedding: Embedding { values },
        };
        let derived = self.projection.project(&p).expect("it fits");
        Results {
            made: vec![
                made(classifier, clustered(number, dims)),
                made(self.derived, derived.values),
                made(self.synthetic, clustered(number, DIMS)),
            ],
            tagged: Some(Tagged {
                tagger: self.tagger,
                tags: self.words.tags(&logits),
            }),
            text: lines(number).map(|lines| ReadText {
                model: self.reader,
                lines,
            }),
        }
    }
}

/// What stands in one picture in three: five lines of four words out of 5,000.
fn lines(number: u64) -> Option<Vec<ReadLine>> {
    let mut random = Random::new(number ^ 1);
    let mut line = |at: u8| ReadLine {
        text: format!(
            "sign{} notice{} paper{} total{}",
            random.below(5000),
            random.below(5000),
            random.below(5000),
            random.below(50)
        ),
        confidence: 0.95,
        area: [0.1, f32::from(at) / 10.0, 0.9, f32::from(at) / 10.0 + 0.05],
    };
    number
        .is_multiple_of(3)
        .then(|| (0..5).map(&mut line).collect())
}

fn said_date(captured: &CapturedAt) -> Option<SaidDate> {
    Some(SaidDate {
        field: DateField::ExifOriginal,
        date: WrittenDate::parse(&captured.local)?,
    })
}

/// The stamp of photo `number`.
pub fn stamp(number: u64) -> FileStamp {
    FileStamp {
        size: 3_000_000 + number,
        mtime_ns: 1_700_000_000_000_000_000 + number as i64,
        ctime_ns: 1_700_000_000_000_000_000 + number as i64,
        inode: number,
    }
}

/// What the image code would find of a 12 MP photo.
pub fn inspection(hash: &ContentHash, exif: Exif) -> Inspection {
    Inspection {
        format: Format::Jpeg,
        width: 4032,
        height: 3024,
        orientation: 1,
        exif,
        said: Said::default(),
        perceptual_hash: PerceptualHash(hash.0.to_vec()),
        looks: photond::looks::Looks::default(),
        pixels: Pixels::Whole,
        thumbnail: Some(Thumbnail {
            width: 1,
            height: 1,
            mime: "image/jpeg",
            bytes: Vec::new(),
        }),
        tensors: Vec::new(),
    }
}
