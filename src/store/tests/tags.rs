//! Tags and the numbers that are kept of them.

use proptest::prelude::*;

use super::library::{Library, hash, inspection, numbers};
use super::localities::Halves;
use super::steps::{step, take};
use crate::embedding::{Sources, Tag};
use crate::looks::{Looks, PixelLooks, Signs};
use crate::photo::Inspection;
use crate::store::{Change, SpaceKind, StoreReader, Tagged, ask_again_beside};

fn tag(key: &str, confidence: f32) -> Tag {
    Tag {
        key: key.into(),
        name: key.into(),
        confidence,
        sources: Sources::CLASSIFIER | Sources::OWN,
    }
}

fn names(reader: &StoreReader, photo: i64) -> Vec<String> {
    let tags = reader.tags_of(photo, 0.0).unwrap();
    tags.iter().map(|t| t.name.to_string()).collect()
}

#[test]
fn tags_come_back_as_they_were_and_are_replaced_as_a_whole() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let photo = lib.put(root, "1.jpg", 1);
    let tagger = lib.store.adopt_tagger("first").unwrap();
    let tags = vec![tag("sea", 0.9), tag("dog", 0.1234)];
    let tagged = Tagged { tagger, tags };
    let gone = 99;
    lib.store
        .retag(&[(photo, tagged.clone()), (gone, tagged.clone())])
        .unwrap();
    assert_eq!(lib.reader().tags_of(photo, 0.0).unwrap(), tagged.tags);
    assert_eq!(lib.reader().tags_of(photo, 0.2).unwrap().len(), 1);
    lib.store
        .retag(&[(
            photo,
            Tagged {
                tagger,
                tags: vec![tag("cat", 0.5)],
            },
        )])
        .unwrap();
    assert_eq!(names(&lib.reader(), photo), ["cat"]);
    assert_eq!(lib.reader().counts().unwrap().untagged, 0);
}

#[test]
fn what_is_read_again_tells_a_kind_and_has_it_tagged_again() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let photo = lib.put(root, "1.jpg", 1);
    let tagger = lib.store.adopt_tagger("first").unwrap();
    lib.tag(1, &[("sea", "sea", 0.9)]);
    lib.store
        .conn
        .execute("UPDATE photos SET looks = NULL, facts_by = 0", [])
        .unwrap();
    let reader = lib.reader();
    assert_eq!(reader.looks(photo).unwrap(), None);
    assert_eq!(reader.unread(0, 9).unwrap().len(), 1);
    let looks = Looks {
        width: 4,
        height: 3,
        signs: Signs::MOVES,
        pixels: Some(PixelLooks::default()),
    };
    lib.apply(Change::ReadAgain {
        hash: hash(1),
        inspection: Some(Box::new(Inspection {
            looks,
            ..inspection()
        })),
    });
    assert_eq!(reader.looks(photo).unwrap(), Some(looks));
    assert!(reader.unread(0, 9).unwrap().is_empty());
    assert_eq!(reader.stale(tagger, 9).unwrap(), [photo]);
    assert_eq!(
        names(&reader, photo),
        ["sea"],
        "until then it has those it had"
    );
}

#[test]
fn photos_of_another_snapshot_are_found_newest_first() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let model = lib.model("a@1", SpaceKind::Classifier);
    let photos: Vec<i64> = (1..=6)
        .map(|n| lib.put(root, &format!("{n}.jpg"), n))
        .collect();
    let [old, new] = ["old", "new"].map(|identity| lib.store.adopt_tagger(identity).unwrap());
    assert_eq!(lib.store.adopt_tagger("old").unwrap(), old);
    // The fourth has been set against some terms only, the last has been seen by no model.
    for (photo, tagger) in photos.iter().zip([old, new, old, -new, old]) {
        let tags = vec![tag("dog", 0.5)];
        lib.store
            .retag(&[(*photo, Tagged { tagger, tags })])
            .unwrap();
    }
    lib.embed(6, model);
    let reader = lib.reader();
    let (first, third, fourth, fifth) = (photos[0], photos[2], photos[3], photos[4]);
    assert_eq!(
        reader.stale(new, 10).unwrap(),
        [fifth, third, first, fourth]
    );
    assert_eq!(reader.stale(new, 2).unwrap(), [fifth, third]);
    assert_eq!(reader.stale_count(new).unwrap(), 4);
    assert_eq!(reader.stale(old, 10).unwrap(), [fourth, photos[1]]);
}

#[test]
fn a_wish_is_counted_by_whoever_makes_it() {
    let mut lib = Library::new();
    assert_eq!(lib.store.ask_again().unwrap(), 1);
    assert_eq!(ask_again_beside(lib.dir.path()).unwrap(), 2);
    assert_eq!(lib.reader().asked_again().unwrap(), 2);
    let nowhere = tempfile::tempdir().unwrap();
    assert!(ask_again_beside(nowhere.path()).is_err());
    assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0);
}

/// What is kept, and the same counted.
pub const KEPT: &[(&str, &str)] = &[
    (
        "SELECT 'photos', photos FROM database",
        "SELECT 'photos', count(DISTINCT photo) FROM files WHERE photo IS NOT NULL AND missing_since IS NULL",
    ),
    (
        "SELECT CAST(id AS TEXT), places FROM photos ORDER BY id",
        "SELECT CAST(p.id AS TEXT), (SELECT count(*) FROM files f WHERE f.photo = p.id AND f.missing_since IS NULL)
         FROM photos p ORDER BY p.id",
    ),
    (
        "SELECT id || ' ' || photos || ' ' || failed, missing FROM roots ORDER BY id",
        "SELECT r.id || ' '
             || (SELECT count(*) FROM files f WHERE f.root = r.id AND f.photo IS NOT NULL AND f.missing_since IS NULL)
             || ' ' || (SELECT count(*) FROM files f WHERE f.root = r.id AND f.failure IS NOT NULL AND f.missing_since IS NULL),
             (SELECT count(*) FROM files f WHERE f.root = r.id AND f.missing_since IS NOT NULL)
         FROM roots r ORDER BY r.id",
    ),
    (
        "SELECT CAST(id AS TEXT), contents FROM roots ORDER BY id",
        "SELECT CAST(r.id AS TEXT), (SELECT count(DISTINCT f.photo) FROM files f WHERE f.root = r.id
             AND f.photo IS NOT NULL AND f.missing_since IS NULL) FROM roots r ORDER BY r.id",
    ),
    (
        "SELECT CAST(id AS TEXT), photos FROM folders ORDER BY id",
        "SELECT CAST(d.id AS TEXT), (SELECT count(*) FROM files f WHERE f.folder = d.id
             AND f.photo IS NOT NULL AND f.missing_since IS NULL) FROM folders d ORDER BY d.id",
    ),
    (
        "SELECT key, photos FROM terms ORDER BY key",
        "SELECT t.key, (SELECT count(*) FROM tags g WHERE g.term = t.id
             AND g.confidence >= (SELECT cutoff FROM database)
             AND EXISTS (SELECT 1 FROM files f WHERE f.photo = g.photo AND f.missing_since IS NULL))
         FROM terms t ORDER BY t.key",
    ),
    (
        "SELECT code || region || name || near, photos FROM localities ORDER BY id",
        "SELECT l.code || l.region || l.name || l.near, (SELECT count(*) FROM photos p WHERE p.locality = l.id AND p.places > 0)
         FROM localities l ORDER BY l.id",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kept_numbers_are_those_that_a_count_gives(steps in prop::collection::vec(step(), 1..60)) {
        let mut lib = Library::new();
        lib.store.name_localities(Box::new(Halves { edition: 1 })).unwrap();
        for root in ["/p", "/q"] {
            lib.root(root);
        }
        for step in &steps {
            take(&mut lib, step);
            let astray = "SELECT 'astray', count(*) FROM files f JOIN folders d ON d.id = f.folder
                 WHERE f.root <> d.root OR folder_of(f.path) <> d.path";
            prop_assert_eq!(numbers(&lib, astray)[0].1, 0, "after {:?}", step);
            for (kept, counted) in KEPT {
                prop_assert_eq!(numbers(&lib, kept), numbers(&lib, counted), "{} after {:?}", kept, step);
            }
        }
        // As `tags` reads them, and as it counts them for another confidence.
        let reader = lib.reader();
        let cutoff = numbers(&lib, "SELECT '', cutoff FROM database")[0].1;
        let kept = reader.tag_counts(cutoff as f32 / 1e4).unwrap();
        let elsewhere = if cutoff == 5000 { 6000 } else { 5000 };
        lib.store.conn.execute("UPDATE database SET cutoff = ?1", [elsewhere]).unwrap();
        let counted = reader.tag_counts(cutoff as f32 / 1e4).unwrap();
        prop_assert_eq!(kept, counted);
    }
}
