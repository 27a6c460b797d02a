//! Text in pictures: kept, found, and gone with what says that it was read.

use super::library::{Library, hash, result};
use crate::picture_text::ReadLine;
use crate::store::{Change, PhotoFilter, ReadText, Results, SaidFilter, SpaceKind};

fn lines(texts: &[&str]) -> Vec<ReadLine> {
    let line = |(n, text): (usize, &&str)| ReadLine {
        text: (*text).to_owned(),
        confidence: 0.9,
        area: [0.0, n as f32 / 10.0, 1.0, n as f32 / 10.0 + 0.05],
    };
    texts.iter().enumerate().map(line).collect()
}

/// The model reads this in photo `n`.
fn read(lib: &mut Library, n: u64, model: i64, texts: &[&str]) {
    lib.apply(Change::Embedded {
        hash: hash(n),
        results: Box::new(Results {
            made: vec![result(model, n)],
            tagged: None,
            text: Some(ReadText {
                model,
                lines: lines(texts),
            }),
        }),
    });
}

fn each(words: &[&str]) -> Vec<Vec<String>> {
    words.iter().map(|w| vec![(*w).to_owned()]).collect()
}

fn found(lib: &Library, words: &[&str]) -> Vec<i64> {
    let found = lib.reader().in_picture(&each(words)).unwrap();
    let filter = PhotoFilter {
        said: SaidFilter {
            in_picture: each(words),
            ..SaidFilter::default()
        },
        ..PhotoFilter::default()
    };
    assert_eq!(lib.reader().photo_ids(&filter).unwrap(), found, "{words:?}");
    found
}

#[test]
fn words_in_pictures_are_found_in_any_case_and_all_of_them_must_be_there() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("reader@1", SpaceKind::Text);
    let sign = lib.put(root, "sign.jpg", 1);
    let bill = lib.put(root, "bill.jpg", 2);
    let bare = lib.put(root, "museum.jpg", 3);
    read(
        &mut lib,
        1,
        model,
        &["TOWN MUSEUM", "Rue de l'\u{c9}glise 42"],
    );
    read(&mut lib, 2, model, &["Bakery", "Total 9.80", "Town"]);
    read(&mut lib, 3, model, &[]);
    assert_eq!(found(&lib, &["museum"]), [sign]);
    assert_eq!(found(&lib, &["town"]), [sign, bill]);
    assert_eq!(found(&lib, &["eglise", "42"]), [sign]);
    assert_eq!(found(&lib, &["9.80"]), [bill]);
    assert_eq!(found(&lib, &["town", "zebra"]), [] as [i64; 0]);
    assert_eq!(found(&lib, &["\"*"]), [] as [i64; 0]);
    assert_eq!(lib.reader().with_text().unwrap(), 2);
    assert_eq!(
        lib.reader().picture_text(sign).unwrap(),
        lines(&["TOWN MUSEUM", "Rue de l'\u{c9}glise 42"])
    );
    assert!(lib.reader().picture_text(bare).unwrap().is_empty());
    // A name says it as well as a picture.
    assert_eq!(
        lib.reader().named(&each(&["museum"])).unwrap(),
        [sign, bare]
    );
}

#[test]
fn text_that_is_read_anew_replaces_what_was_read() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("reader@1", SpaceKind::Text);
    let photo = lib.put(root, "a.jpg", 1);
    read(&mut lib, 1, model, &["old words"]);
    read(&mut lib, 1, model, &["new words"]);
    assert_eq!(found(&lib, &["new"]), [photo]);
    assert!(found(&lib, &["old"]).is_empty());
    read(&mut lib, 1, model, &[]);
    assert!(found(&lib, &["words"]).is_empty());
    assert!(lib.reader().picture_text(photo).unwrap().is_empty());
}

#[test]
fn text_goes_with_its_model_and_with_its_photo() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("reader@1", SpaceKind::Text);
    let other = lib.model("things@1", SpaceKind::Boxes);
    for n in 1..=3 {
        lib.put(root, &format!("{n}.jpg"), n);
        read(&mut lib, n, model, &["words"]);
        lib.embed(n, other);
    }
    while lib.store.drop_space(other, 1).unwrap() {}
    assert_eq!(
        found(&lib, &["words"]).len(),
        3,
        "another model's vectors are not its own"
    );
    lib.gone(root, "3.jpg");
    lib.store.sweep(std::time::Duration::ZERO, 10).unwrap();
    assert_eq!(found(&lib, &["words"]).len(), 2);
    while lib.store.drop_space(model, 1).unwrap() {}
    assert!(found(&lib, &["words"]).is_empty());
    assert_eq!(lib.reader().with_text().unwrap(), 0);
}
