//! The full-text index: in step with every change, and no syntax in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;

use super::library::{Library, failure, hash, indexed, key, named};
use crate::photo::FileStamp;
use crate::store::words::of_places;
use crate::store::{Change, MatchedTerm, SpaceKind, Stage};

fn saying(lib: &Library, word: &str) -> Vec<i64> {
    let found = lib.reader().matching_words(&[word]).unwrap();
    found.words[0].photos.clone()
}

#[test]
fn names_are_found_by_any_form_of_their_words() {
    let mut lib = Library::new();
    let root = lib.root("/photos/invisible");
    let photo = lib.put(root, "Paris2019/Été chez Mémé/beachParties_0042.jpg", 1);
    lib.put(root, "東京/unrelated.jpg", 2);
    for word in [
        "paris",
        "PARIS",
        "2019",
        "paris2019",
        "Paris2019",
        "ete",
        "e\u{301}te\u{301}",
        "meme",
        "beach",
        "beaches",
        "party",
        "beachparties",
        "beachParty",
        "0042",
        "chez-meme",
        "beach party",
    ] {
        assert_eq!(saying(&lib, word), [photo], "{word}");
    }
    for word in [
        "invisible",
        "photos",
        "jpg",
        "par",
        "beac",
        "42",
        "beach-rome",
        "",
        "*",
        "é*t",
    ] {
        assert_eq!(saying(&lib, word), [] as [i64; 0], "{word}");
    }
    assert_eq!(saying(&lib, "京"), [2]);
    assert_eq!(saying(&lib, "東京"), [2]);
}

#[test]
fn each_word_is_counted_by_itself() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("a@1", SpaceKind::Classifier);
    lib.put(root, "dogs/IMG_1.jpg", 1);
    lib.put(root, "dogs/IMG_2.jpg", 2);
    lib.put(root, "cats/IMG_3.jpg", 3);
    lib.tag(
        1,
        model,
        &[
            ("n1", "dog", 0.9),
            ("n2", "hot dog, red hot", 0.2),
            ("n3", "cat", 0.1),
        ],
    );
    let found = lib
        .reader()
        .matching_words(&["red", "IMG", "dogs", "dogs"])
        .unwrap();
    let photos: Vec<_> = found.words.iter().map(|w| w.photos.clone()).collect();
    assert_eq!(photos, [vec![], vec![1, 2, 3], vec![1, 2], vec![1, 2]]);
    assert_eq!(named(&lib.reader()), 3);
    let term = |key: &str, name: &str, words: &[usize], length| MatchedTerm {
        key: key.to_owned(),
        name: name.to_owned(),
        words: words.to_vec(),
        length,
    };
    assert_eq!(
        found.terms,
        [
            term("n1", "dog", &[2, 3], 1),
            term("n2", "hot dog, red hot", &[0, 2, 3], 4)
        ]
    );
    // A term that is renamed is found by its new name only.
    lib.tag(1, model, &[("n1", "hound", 0.9)]);
    let found = lib.reader().matching_words(&["dog", "hounds"]).unwrap();
    let keys: Vec<&str> = found.terms.iter().map(|t| t.key.as_str()).collect();
    assert_eq!(keys, ["n1", "n2"]);
    assert_eq!(found.terms[0].words, [1]);
}

#[test]
fn thousands_of_copies_add_nothing() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let batch: Vec<Change> = (0..3000)
        .map(|n| indexed(root, format!("copy{n:04}/a.jpg").as_bytes(), 1))
        .collect();
    let started = std::time::Instant::now();
    lib.store.apply(&batch).unwrap();
    assert_eq!(saying(&lib, "copy0063").len(), 1);
    assert_eq!(saying(&lib, "copy0064").len(), 0);
    // The first places go: others move up.
    lib.gone(root, "copy0000/a.jpg");
    assert_eq!(saying(&lib, "copy0000").len(), 0);
    assert_eq!(saying(&lib, "copy0064").len(), 1);
    assert!(started.elapsed().as_secs() < 60, "not quadratic");
    let long = "long/".repeat(800) + "word.jpg";
    lib.put(root, &long, 2);
    assert_eq!(saying(&lib, "word"), [lib.photo(2)]);
}

const PATHS: &[&str] = &[
    "a/one.jpg",
    "a/two.jpg",
    "a/b/three.jpg",
    "four.jpg",
    "b/five.jpg",
];
const ROOTS: &[&str] = &["/p", "/p/a", "/q"];

#[derive(Debug, Clone)]
enum Step {
    Put(usize, usize, u64),
    Known(usize, usize, u64),
    Fail(usize, usize),
    Gone(usize, usize),
    Missing(usize, usize),
    Found(usize, usize),
    Release(usize),
    Forget(usize),
    Adopt(usize),
    Sweep,
    Fill,
}

fn step() -> impl Strategy<Value = Step> {
    let (root, path, photo) = (0..ROOTS.len(), 0..PATHS.len(), 0..4u64);
    let place = (root.clone(), path);
    prop_oneof![
        6 => (place.clone(), photo.clone()).prop_map(|((r, p), n)| Step::Put(r, p, n)),
        3 => (place.clone(), photo).prop_map(|((r, p), n)| Step::Known(r, p, n)),
        2 => place.clone().prop_map(|(r, p)| Step::Fail(r, p)),
        3 => place.clone().prop_map(|(r, p)| Step::Gone(r, p)),
        2 => place.clone().prop_map(|(r, p)| Step::Missing(r, p)),
        1 => place.prop_map(|(r, p)| Step::Found(r, p)),
        1 => root.clone().prop_map(Step::Release),
        1 => root.clone().prop_map(Step::Forget),
        2 => root.prop_map(Step::Adopt),
        1 => Just(Step::Sweep),
        1 => Just(Step::Fill),
    ]
}

fn take(lib: &mut Library, step: &Step) {
    let root_of = |lib: &Library, r: &usize| {
        let row = lib.store.root_at(Path::new(ROOTS[*r])).unwrap();
        row.map(|row| row.id)
    };
    let place = match step {
        Step::Put(r, p, _)
        | Step::Known(r, p, _)
        | Step::Fail(r, p)
        | Step::Gone(r, p)
        | Step::Missing(r, p)
        | Step::Found(r, p) => root_of(lib, r).map(|root| key(root, PATHS[*p].as_bytes())),
        _ => None,
    };
    let stamp = FileStamp::default();
    match (step, place) {
        (Step::Put(_, p, n), Some(at)) => lib.apply(indexed(at.root, PATHS[*p].as_bytes(), *n)),
        (Step::Known(_, _, n), Some(key)) => lib.apply(Change::known(key, stamp, hash(*n))),
        (Step::Fail(..), Some(key)) => lib.apply(Change::Failed {
            key,
            stamp,
            hash: None,
            failure: failure(Stage::Read),
        }),
        (Step::Gone(..), Some(key)) => lib.apply(Change::Gone {
            key,
            excluded: false,
        }),
        (Step::Missing(..), Some(key)) => lib.apply(Change::Missing { key }),
        (Step::Found(..), Some(key)) => lib.apply(Change::Found { key }),
        (Step::Release(r), _) => {
            if let Some(root) = root_of(lib, r) {
                lib.store.release_missing(root, None).unwrap();
            }
        }
        (Step::Forget(r), _) => {
            lib.store.forget_root(Path::new(ROOTS[*r])).unwrap();
        }
        (Step::Adopt(r), _) => {
            lib.root(ROOTS[*r]);
        }
        (Step::Sweep, _) => {
            lib.store.sweep(std::time::Duration::ZERO, 2).unwrap();
        }
        (Step::Fill, _) => {
            lib.store.fill_words(2).unwrap();
        }
        (_, None) => {}
    }
}

/// What must be found, from the files alone: for each word the photos whose paths say it.
fn model(lib: &Library) -> BTreeMap<String, BTreeSet<i64>> {
    let mut stmt = lib
        .store
        .conn
        .prepare("SELECT photo, path FROM files WHERE photo IS NOT NULL")
        .unwrap();
    let rows = stmt
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap()
        .map(Result::unwrap);
    let mut said: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (photo, path) in rows.collect::<Vec<(i64, Vec<u8>)>>() {
        for word in of_places([path.as_slice()]).split(' ') {
            said.entry(word.to_owned()).or_default().insert(photo);
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn words_follow_every_change(steps in prop::collection::vec(step(), 1..40)) {
        let mut lib = Library::new();
        for root in ["/p", "/q"] {
            lib.root(root);
        }
        for step in &steps {
            take(&mut lib, step);
            let said = model(&lib);
            let words = ["one", "two", "three", "four", "five", "a", "b"];
            let found = lib.reader().matching_words(&words).unwrap();
            for matched in &found.words {
                let wanted: Vec<i64> = said.get(&matched.word).into_iter().flatten().copied().collect();
                prop_assert_eq!(&matched.photos, &wanted, "{} after {:?}", matched.word, step);
            }
            let all: BTreeSet<i64> = said.values().flatten().copied().collect();
            prop_assert_eq!(named(&lib.reader()), i64::try_from(all.len()).unwrap());
        }
        prop_assert_eq!(lib.reader().integrity().unwrap(), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is asked, it is words: no error, and a path is found by the words it was given.
    #[test]
    fn nothing_asked_is_syntax(asked in prop::collection::vec(any::<String>(), 0..4), operators in "[\"*^:(){}a-z NEAROT+-]{0,20}") {
        let mut lib = Library::new();
        let root = lib.root("/p");
        let word = asked.first().cloned().unwrap_or_default().replace(['/', '\0'], " ");
        let photo = lib.put(root, &format!("{word}/x.jpg"), 1);
        let mut all: Vec<&str> = asked.iter().map(String::as_str).collect();
        all.push(&operators);
        let found = lib.reader().matching_words(&all).unwrap();
        prop_assert_eq!(found.words.len(), all.len());
        for matched in &found.words {
            prop_assert!(matched.photos.is_empty() || matched.photos == [photo]);
        }
    }
}

#[test]
fn a_photo_whose_place_is_taken_by_a_failure_has_no_words() {
    let mut lib = Library::new();
    lib.root("/p");
    let put = Step::Put(0, 0, 0);
    for step in [put, Step::Adopt(1), Step::Fail(0, 0), Step::Adopt(1)] {
        take(&mut lib, &step);
    }
    assert_eq!(saying(&lib, "one"), [0i64; 0]);
}

#[test]
fn operators_are_words() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "cat.jpg", 1);
    lib.put(root, "this or that near not.jpg", 2);
    for word in [
        "cat OR dog",
        "ca*t",
        "words:cat",
        "NEAR(cat dog)",
        "cat NOT dog",
        "{words}:cat",
    ] {
        assert!(!saying(&lib, word).contains(&1), "{word}");
    }
    for word in ["OR", "NOT", "near"] {
        assert_eq!(saying(&lib, word), [2], "{word}");
    }
    // Marks around a word do not matter.
    for word in ["\"cat\"", "cat*", "^cat", "-cat", "(cat)", "cat:"] {
        assert_eq!(saying(&lib, word), [1], "{word}");
    }
}
