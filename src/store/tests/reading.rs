//! What searches read: ids, places, tags.

use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;

use super::library::{Library, key};
use crate::store::{Change, PhotoFilter, Place, SpaceKind, TagCondition, TagConfidence};

/// A few photos in all states that matter to listings.
fn library() -> (Library, i64, i64) {
    let mut lib = Library::new();
    let (root, away) = (lib.root("/p"), lib.root("/q"));
    let model = lib.model("a@1", SpaceKind::Classifier);
    for n in 1..=6 {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.put(away, "copies/1.jpg", 1);
    lib.put(away, "7.jpg", 7);
    lib.tag(1, model, &[("dog", "dog", 0.9), ("cat", "cat", 0.1)]);
    lib.tag(2, model, &[("dog", "dog", 0.4)]);
    lib.tag(7, model, &[("cat", "cat", 0.8)]);
    lib.gone(root, "3.jpg");
    for path in ["4.jpg", "1.jpg"] {
        lib.apply(Change::Missing {
            key: key(root, path.as_bytes()),
        });
    }
    lib.store.root_offline(away, "away").unwrap();
    lib.store
        .conn
        .execute(
            "UPDATE photos SET lat = 52.5, lon = 13.4, camera = 'Canon', captured_local =
             '2020-01-0' || id || 'T00:00:00' WHERE id <> 5",
            [],
        )
        .unwrap();
    (lib, root, away)
}

fn filter() -> impl Strategy<Value = PhotoFilter> {
    let condition = prop::sample::subsequence(vec!["dog", "cat", "none"], 1..=2).prop_map(|keys| {
        TagCondition {
            keys: keys.into_iter().map(str::to_owned).collect(),
        }
    });
    let place = prop_oneof![Just(13.4), Just(14.0)].prop_map(|lon| Place {
        lat: 52.5,
        lon,
        km: 20.0,
    });
    let date = (1..9u8).prop_map(|d| format!("2020-01-0{d}T00:00:00"));
    (
        prop::collection::vec(condition.clone(), 0..2),
        prop::collection::vec(condition, 0..2),
        0f32..1.0,
        prop::option::of(date.clone()),
        prop::option::of(date),
        prop::option::of(prop_oneof![Just("canon"), Just("nikon")]),
        prop::option::of(place),
    )
        .prop_map(
            |(tags, not_tags, min_confidence, since, until, camera, near)| PhotoFilter {
                tags,
                not_tags,
                min_confidence,
                since,
                until,
                camera: camera.map(str::to_owned),
                near,
            },
        )
}

type Shown = (i64, PathBuf, Vec<u8>);

fn listed(lib: &Library, filter: &PhotoFilter) -> Vec<Shown> {
    let mut shown = Vec::new();
    lib.reader()
        .list(filter, &mut |hit| {
            shown.push((hit.photo.id, hit.root, hit.path.as_bytes().to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    shown.sort();
    shown
}

fn check(lib: &Library, filter: &PhotoFilter) {
    let listed = listed(lib, filter);
    let mut ids: Vec<i64> = listed.iter().map(|s| s.0).collect();
    ids.dedup();
    assert_eq!(lib.reader().photo_ids(filter).unwrap(), ids, "{filter:?}");
    let hits = lib
        .reader()
        .hits_of(&[7, 1, 2, 6, 5, 4, 3, 1, 99], filter)
        .unwrap();
    let shown: Vec<Shown> = hits
        .into_iter()
        .map(|h| (h.photo.id, h.root, h.path.as_bytes().to_vec()))
        .collect();
    assert_eq!(shown, listed, "{filter:?}");
    assert_eq!(lib.reader().hits_of(&[], filter).unwrap().len(), 0);
}

#[test]
fn ids_and_places_are_those_that_a_listing_shows() {
    let (lib, ..) = library();
    let all = PhotoFilter::default();
    // 3 is gone, 4 is held as missing, 1 lies at its other place, away.
    assert_eq!(lib.reader().photo_ids(&all).unwrap(), [1, 2, 5, 6, 7]);
    check(&lib, &all);
    proptest!(ProptestConfig::with_cases(64), |(filter in filter())| check(&lib, &filter));
}

#[test]
fn terms_lead_to_photos_with_their_confidence() {
    let (mut lib, ..) = library();
    // Another model is surer of one, and a person says another.
    let other = lib.model("b@1", SpaceKind::Classifier);
    lib.tag(2, other, &[("dog", "dog", 0.7)]);
    lib.store
        .conn
        .execute(
            "INSERT INTO tags (photo, source, term, confidence)
             SELECT 5, 1, id, 0 FROM terms WHERE key = 'cat'",
            [],
        )
        .unwrap();
    let found = lib
        .reader()
        .tag_confidences(&["cat", "none", "dog"], 0.35)
        .unwrap();
    let wanted = [(5, 0, 0.0), (7, 0, 0.8), (1, 2, 0.9), (2, 2, 0.7)];
    let wanted = wanted.map(|(photo, term, confidence)| TagConfidence {
        photo,
        term,
        confidence,
    });
    assert_eq!(found, wanted);
}
