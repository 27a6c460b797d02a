//! The full-text index: in step with every change, and no syntax in it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::library::{Library, indexed, named};
use super::steps::{Step, step, take};
use crate::store::Change;
use crate::store::words::of_places;

fn saying(lib: &Library, word: &str) -> Vec<i64> {
    asking(lib, &[word])
}

/// Each word as it is.
fn asking(lib: &Library, words: &[&str]) -> Vec<i64> {
    let words: Vec<Vec<String>> = words.iter().map(|w| vec![(*w).to_owned()]).collect();
    lib.reader().named(&words).unwrap()
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
        "parties",
        "beachparties",
        "beachParties",
        "0042",
        "chez-meme",
        "beach parties",
    ] {
        assert_eq!(saying(&lib, word), [photo], "{word}");
    }
    for word in [
        "invisible",
        "photos",
        "jpg",
        "par",
        "beac",
        "party",
        "beaches",
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
    let forms = vec!["party".to_owned(), "parties".to_owned()];
    assert_eq!(lib.reader().named(&[forms]).unwrap(), [photo]);
    lib.put(root, "Stra\u{df}e/University.jpg", 3);
    for word in ["strasse", "STRA\u{df}E", "university"] {
        assert_eq!(saying(&lib, word), [3], "{word}");
    }
    assert_eq!(saying(&lib, "universe"), [0i64; 0]);
}

#[test]
fn every_word_must_be_in_the_name() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    for (n, path) in [
        (1, "dogs/IMG_1.jpg"),
        (2, "dogs/IMG_2.jpg"),
        (3, "cats/IMG_3.jpg"),
    ] {
        lib.put(root, path, n);
    }
    let found = |words: &[&str]| asking(&lib, words);
    assert_eq!(found(&["IMG"]), [1, 2, 3]);
    assert_eq!(found(&["dogs", "IMG", "dogs"]), [1, 2]);
    assert_eq!(found(&["dogs", "cats"]), [0i64; 0]);
    assert_eq!(found(&[]), [0i64; 0]);
    assert_eq!(named(&lib.reader()), 3);
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
            for word in words {
                let wanted: Vec<i64> = said.get(word).into_iter().flatten().copied().collect();
                prop_assert_eq!(saying(&lib, word), wanted, "{} after {:?}", word, step);
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
        for words in all.iter().map(|word| vec![*word]).chain([all.clone()]) {
            let found = asking(&lib, &words);
            prop_assert!(found.is_empty() || found == [photo]);
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
