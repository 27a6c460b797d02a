//! Several models side by side: vectors, failures, serving, catching up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::library::{Library, failure, hash, id, indexed, key, result};
use crate::photo::FileStamp;
use crate::store::{
    Change, Coverage, FileKey, Known, Results, SpaceKind, Stage, StoreError, StoreReader,
};

/// (seq, photo, first value of the vector) above `seq`.
fn since(reader: &StoreReader, model: i64, seq: i64, limit: usize) -> Vec<(i64, i64, f32)> {
    let mut all = Vec::new();
    let shown = reader
        .embeddings_since(model, seq, limit, &mut |seq, photo, bytes| {
            assert_eq!(bytes.len(), 8);
            let first = half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
            all.push((seq, photo, first));
        })
        .unwrap();
    assert_eq!(shown, all.len());
    all
}

fn waiting(reader: &StoreReader, model: i64) -> Vec<FileKey> {
    let rows = reader.without_embedding(model, 0, 100).unwrap();
    rows.into_iter().map(|(_, _, key)| key).collect()
}

#[test]
fn one_model_failing_says_nothing_of_another() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let (a, b) = (
        lib.model("a@1", SpaceKind::Classifier),
        lib.model("b@1", SpaceKind::Search),
    );
    for n in 1..=3 {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.fail(1, Some(a));
    lib.fail(1, Some(b));
    lib.fail(2, Some(a));
    lib.fail(3, None);
    let paths =
        |keys: &[&str]| -> Vec<FileKey> { keys.iter().map(|p| key(root, p.as_bytes())).collect() };
    assert_eq!(waiting(&lib.reader(), a), paths(&[]));
    assert_eq!(waiting(&lib.reader(), b), paths(&["2.jpg"]));
    assert_eq!(lib.reader().failures().unwrap().len(), 4);
    for n in 1..=3 {
        let known = lib.reader().known(&hash(n), 1).unwrap();
        assert_eq!(known, Some(Known::Indexed));
    }

    // b sees photo 1 after all: that a failed on it stays, and the other way round nothing does.
    lib.embed(1, b);
    let left: Vec<_> = lib.reader().failures_of(&hash(1)).unwrap();
    assert_eq!(left.iter().map(|(m, _)| *m).collect::<Vec<_>>(), [Some(a)]);
    // An input could be made of photo 3 after all.
    lib.embed(3, b);
    assert_eq!(waiting(&lib.reader(), a), paths(&["3.jpg"]));
}

#[test]
fn content_that_cannot_be_decoded_fails_for_all_models() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let a = lib.model("a@1", SpaceKind::Classifier);
    lib.apply(Change::Failed {
        key: key(root, b"broken.jpg"),
        stamp: FileStamp::default(),
        hash: Some(hash(1)),
        failure: failure(Stage::Inspect),
    });
    let known = lib.reader().known(&hash(1), 1).unwrap();
    assert_eq!(known, Some(Known::Failed(failure(Stage::Inspect))));
    assert_eq!(lib.reader().known(&hash(1), 2).unwrap(), None);
    // A model's failure on content without a photo is no verdict on the picture.
    lib.fail(2, Some(a));
    assert_eq!(lib.reader().known(&hash(2), 1).unwrap(), None);
}

#[test]
fn other_dimensions_under_one_name_are_refused() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let a = lib.model("a@1", SpaceKind::Search);
    assert_eq!(lib.model("a@1", SpaceKind::Search), a);
    lib.put(root, "1.jpg", 1);
    lib.embed(1, a);
    lib.fail(2, Some(a));
    let err = lib
        .store
        .adopt_model(&id("a@1"), 768, SpaceKind::Search)
        .unwrap_err();
    assert!(
        matches!(
            err,
            StoreError::Dimensions {
                stored: 4,
                found: 768,
                ..
            }
        ),
        "{err}"
    );
    assert_eq!(lib.reader().models().unwrap()[0].dims, 4);

    // Once its vectors are gone, the name may come back with others, under the same id.
    lib.store.serve(a).unwrap();
    assert!(!lib.store.drop_space(a, 10).unwrap());
    let reader = lib.reader();
    assert_eq!(reader.serving().unwrap(), None);
    assert_eq!(reader.embedding_count(a).unwrap(), 0);
    assert_eq!(reader.failures_of(&hash(2)).unwrap(), []);
    assert_eq!(reader.models().unwrap()[0].dims, 0);
    let again = lib.store.adopt_model(&id("a@1"), 768, SpaceKind::Search);
    assert_eq!(again.unwrap(), a);
}

#[test]
fn a_space_is_dropped_in_steps_and_no_other_with_it() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let (a, b) = (
        lib.model("a@1", SpaceKind::Search),
        lib.model("b@1", SpaceKind::Search),
    );
    for n in 1..=5 {
        lib.put(root, &format!("{n}.jpg"), n);
        lib.embed(n, a);
        lib.embed(n, b);
    }
    assert!(lib.store.drop_space(a, 2).unwrap());
    assert!(lib.store.drop_space(a, 2).unwrap());
    assert_eq!(lib.reader().embedding_count(a).unwrap(), 1);
    assert!(!lib.store.drop_space(a, 2).unwrap());
    assert_eq!(lib.reader().embedding_count(b).unwrap(), 5);
}

#[test]
fn one_model_serves_at_most() {
    let mut lib = Library::new();
    let (a, b) = (
        lib.model("a@1", SpaceKind::Search),
        lib.model("b@1", SpaceKind::Search),
    );
    assert_eq!(lib.reader().serving().unwrap(), None);
    for model in [a, b, b, a] {
        lib.store.serve(model).unwrap();
        assert_eq!(lib.reader().serving().unwrap().unwrap().id, model);
        let serving = lib.reader().models().unwrap();
        assert_eq!(serving.iter().filter(|m| m.serving).count(), 1);
    }
}

#[test]
fn results_of_several_models_are_written_together() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let (a, b) = (
        lib.model("a@1", SpaceKind::Classifier),
        lib.model("b@1", SpaceKind::Search),
    );
    let Change::Indexed {
        place,
        hash: h,
        inspection,
        decoder_version,
        ..
    } = indexed(root, b"1.jpg", 1)
    else {
        unreachable!()
    };
    lib.apply(Change::Indexed {
        place,
        hash: h,
        inspection,
        decoder_version,
        results: Some(Box::new(Results {
            made: vec![result(a, 1), result(b, 1)],
            tagged: None,
            text: None,
        })),
    });
    let photo = lib.photo(1);
    assert_eq!(lib.reader().embeddings_of(photo).unwrap().len(), 2);
    assert_eq!(
        lib.reader().embedding(photo, b).unwrap().unwrap().values,
        [1.0, 1.0, -0.5, 0.25]
    );
    assert_eq!(lib.reader().embedding(photo, b + 1).unwrap(), None);
}

#[test]
fn a_derived_space_is_made_from_the_classifiers_vectors() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let (a, d) = (
        lib.model("a@1", SpaceKind::Classifier),
        lib.model("d@1", SpaceKind::Search),
    );
    let mut ids = Vec::new();
    for n in 1..=6 {
        ids.push(lib.put(root, &format!("{n}.jpg"), n));
        if n != 2 {
            lib.embed(n, a);
        }
    }
    lib.embed(3, d);
    lib.fail(4, Some(d));
    lib.store.root_offline(root, "away").unwrap();
    let page = lib.reader().without_derived(a, d, 0, 2).unwrap();
    let photos: Vec<i64> = page.iter().map(|p| p.0).collect();
    assert_eq!(photos, [ids[0], ids[4]]);
    assert_eq!(page[1].1, hash(5));
    assert_eq!(page[1].2.values, [5.0, 1.0, -0.5, 0.25]);
    let rest = lib.reader().without_derived(a, d, ids[4], 2).unwrap();
    assert_eq!(rest.len(), 1);
}

#[test]
fn coverage_counts_what_waits() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let away = lib.root("/q");
    let a = lib.model("a@1", SpaceKind::Search);
    assert!(lib.reader().coverage(a).unwrap().is_whole());
    for n in 1..=6 {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.put(root, "copy of 1.jpg", 1);
    lib.put(away, "7.jpg", 7);
    lib.put(away, "6.jpg", 6);
    lib.embed(1, a);
    lib.embed(2, a);
    lib.fail(3, Some(a));
    lib.fail(4, None);
    lib.gone(root, "2.jpg");
    lib.apply(Change::Missing {
        key: key(root, b"5.jpg"),
    });
    lib.store.root_offline(away, "away").unwrap();
    // 1 seen, 3 and 4 failed, 6 waits, 7 is away; 2 and 5 do not lie anywhere.
    let coverage = lib.reader().coverage(a).unwrap();
    assert_eq!(
        coverage,
        Coverage {
            photos: 5,
            embedded: 1,
            failed: 2,
            away: 1,
            lost: 0,
        }
    );
    assert_eq!((coverage.waiting(), coverage.is_whole()), (1, false));
    // Photos that are away and in no space yet are no loss; in the space before they are.
    lib.embed(6, a);
    let before = lib.model("b@1", SpaceKind::Search);
    for n in [1, 3, 7] {
        lib.embed(n, before);
    }
    assert_eq!(lib.reader().coverage(a).unwrap().lost, 0);
    lib.store.serve(before).unwrap();
    let coverage = lib.reader().coverage(a).unwrap();
    assert_eq!((coverage.waiting(), coverage.lost), (0, 1));
    assert_eq!(lib.root("/q"), away, "it is back");
    let coverage = lib.reader().coverage(a).unwrap();
    assert_eq!((coverage.waiting(), coverage.lost), (1, 0));
}

#[test]
fn a_space_is_whole_when_queries_lose_nothing_by_it() {
    let seen = Coverage {
        photos: 40,
        embedded: 30,
        failed: 4,
        away: 6,
        lost: 0,
    };
    assert!(seen.is_whole());
    assert!(Coverage::default().is_whole());
    let not = |change: &dyn Fn(&mut Coverage)| {
        let mut c = seen;
        change(&mut c);
        assert!(!c.is_whole(), "{c:?}");
    };
    not(&|c| c.photos += 1);
    not(&|c| c.lost = 1);
    not(&|c| (c.embedded, c.failed) = (29, 5));
    not(&|c| (c.embedded, c.failed, c.away) = (0, 0, 40));
}

#[test]
fn new_vectors_are_read_off_an_index_in_order() {
    let lib = Library::new();
    let plan = lib.plan(
        "SELECT seq, photo, vector FROM embeddings WHERE model = ?1 AND seq > 5 ORDER BY seq LIMIT 3",
    );
    assert!(plan.contains("(model=? AND rowid>?)"), "{plan}");
    assert!(!plan.contains("B-TREE"), "{plan}");
}

#[derive(Debug, Clone)]
enum Step {
    Embed(u64, bool),
    Gone(u64),
    Sweep,
    Drop(bool),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5u64, any::<bool>()).prop_map(|(n, m)| Step::Embed(n, m)),
        2 => (0..5u64).prop_map(Step::Gone),
        1 => Just(Step::Sweep),
        1 => any::<bool>().prop_map(Step::Drop),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Numbers and ids only ever rise, whatever is written again, swept, dropped or reopened; and
    /// who follows the numbers has at the end what is there.
    #[test]
    fn numbers_and_ids_are_never_given_twice(steps in prop::collection::vec(step(), 1..40)) {
        let mut lib = Library::new();
        let root = lib.root("/p");
        let models = [lib.model("a@1", SpaceKind::Search), lib.model("b@1", SpaceKind::Search)];
        let mut last = [0, 0];
        let mut follower = [BTreeMap::new(), BTreeMap::new()];
        let mut swept: Vec<i64> = Vec::new();
        let ids = |lib: &Library| -> Vec<i64> {
            (0..5).filter_map(|n| lib.reader().photo_id(&hash(n)).unwrap()).collect()
        };
        for step in steps {
            match step {
                Step::Embed(n, m) => {
                    let photo = lib.put(root, &format!("{n}.jpg"), n);
                    prop_assert!(!swept.contains(&photo), "id {photo} was given twice");
                    let (model, before) = (models[usize::from(m)], lib.reader().last_seq().unwrap());
                    lib.embed(n, model);
                    let newest = lib.reader().newest_seq(model).unwrap();
                    prop_assert!(newest > before, "{newest} came after {before}");
                    prop_assert_eq!(newest, lib.reader().last_seq().unwrap());
                }
                Step::Gone(n) => lib.gone(root, &format!("{n}.jpg")),
                Step::Sweep => {
                    let before = ids(&lib);
                    lib.store.sweep(std::time::Duration::ZERO, 100).unwrap();
                    let after = ids(&lib);
                    swept.extend(before.into_iter().filter(|id| !after.contains(id)));
                }
                Step::Drop(m) => while lib.store.drop_space(models[usize::from(m)], 2).unwrap() {},
                Step::Reopen => {
                    let (store, _) = crate::store::Store::open(lib.dir.path()).unwrap();
                    lib.store = store;
                }
            }
            let reader = lib.reader();
            for (slot, model) in models.into_iter().enumerate() {
                for (seq, photo, value) in since(&reader, model, last[slot], 3) {
                    prop_assert!(seq > last[slot]);
                    last[slot] = seq;
                    follower[slot].insert(photo, (seq, value));
                }
            }
        }
        let reader = lib.reader();
        for (slot, model) in models.into_iter().enumerate() {
            for (seq, photo, value) in since(&reader, model, 0, 100) {
                prop_assert_eq!(follower[slot].get(&photo), Some(&(seq, value)));
            }
        }
    }
}
