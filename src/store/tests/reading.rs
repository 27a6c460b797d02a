//! What searches read: ids, places, tags.

use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;

use super::library::{Library, failure, hash, key};
use crate::photo::FileStamp;
use crate::store::{
    BEYOND_SURE, Change, Circle, Hit, LocalityFilter, Moment, PhotoFilter, SaidFilter, Stage,
    TagCondition, YearlyDay,
};

/// 2020-01-01T00:00:00, milliseconds as if it were UTC.
const FIRST_OF_2020: i64 = 1_577_836_800_000;

/// A few photos in all states that matter to listings.
fn library() -> (Library, i64, i64) {
    let mut lib = Library::new();
    let (root, away) = (lib.root("/p"), lib.root("/q"));
    for n in 1..=6 {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.put(away, "copies/1.jpg", 1);
    lib.put(away, "7.jpg", 7);
    lib.tag(1, &[("dog", "dog", 0.9), ("cat", "cat", 0.1)]);
    lib.tag(2, &[("dog", "dog", 0.4)]);
    lib.tag(7, &[("cat", "cat", 0.8)]);
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
            "UPDATE photos SET lat = 52.5, lon = 13.4, camera = 'Canon', lens = 'EF 28-70', captured_local =
             '2020-01-0' || id || 'T00:00:00',
             dated = '2020-01-0' || id || 'T00:00:00' || CASE WHEN id % 2 = 0 THEN '+0' || id || ':00' ELSE '' END
             WHERE id <> 5",
            [],
        )
        .unwrap();
    lib.sql(
        "INSERT INTO localities (id, code, region, name, near, country) VALUES (1, 'DE', '', 'Berlin', 0, 'Germany'), (2, 'DE', '', 'Potsdam', 1, 'Germany');
         UPDATE photos SET locality = 1 + id % 2 WHERE id NOT IN (5, 6)",
    );
    lib.sql(
        "UPDATE files SET taken = 1000 * unixepoch('2020-01-0' || photo || 'T00:00:00')
         WHERE photo IS NOT NULL AND photo <> 5",
    );
    (lib, root, away)
}

impl std::fmt::Debug for PhotoFilter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhotoFilter")
            .field("tags", &(&self.tags, &self.not_tags))
            .field("confidence", &(self.min_confidence, self.not_confidence))
            .field("time", &(&self.since, &self.until, self.on))
            .field("gear", &(&self.camera, &self.lens))
            .field("oldest_first", &self.oldest_first)
            .field("taken", &self.taken)
            .field("place", &(&self.near, &self.folders))
            .finish_non_exhaustive()
    }
}

fn filter() -> impl Strategy<Value = PhotoFilter<'static>> {
    let condition = prop::sample::subsequence(vec!["dog", "cat", "none"], 1..=2).prop_map(|keys| {
        TagCondition {
            keywords: Vec::new(),
            keys: keys.into_iter().map(str::to_owned).collect(),
        }
    });
    let place = prop_oneof![Just(13.4), Just(14.0)].prop_map(|lon| Circle {
        lat: 52.5,
        lon,
        km: 20.0,
    });
    // Days around those of the photos, on no clock in particular or on one.
    let date = (1..9i64, prop::option::of(-600..600i32)).prop_map(|(day, offset_minutes)| Moment {
        millis: FIRST_OF_2020 + (day - 1) * 86_400_000,
        offset_minutes,
    });
    let on = (0..2i8, prop::option::of(1..9i8)).prop_map(|(month, day)| YearlyDay {
        month: month + 1,
        day,
    });
    (
        prop::collection::vec(condition.clone(), 0..2),
        prop::collection::vec(condition, 0..2),
        (0f32..1.0, 0f32..1.0),
        prop::collection::vec(date.clone(), 0..2),
        prop::collection::vec(date, 0..2),
        prop::option::weighted(0.3, on),
        (
            prop::option::of(prop_oneof![Just("canon"), Just("nikon")]),
            prop::option::weighted(0.2, prop_oneof![Just("28 70"), Just("50")]),
            any::<bool>(),
        ),
        prop::option::of(place),
        prop::option::of(prop::sample::subsequence(vec![1, 2, 3, 9], 0..=3)),
        (
            prop::option::weighted(0.3, prop::sample::subsequence(vec![1, 2, 7], 0..=3)),
            prop::bool::weighted(0.1),
        ),
    )
        .prop_map(
            |(tags, not_tags, (min, not), since, until, on, gear, near, folders, taken)| {
                let (camera, lens, oldest_first) = gear;
                PhotoFilter {
                    taken: LocalityFilter {
                        within: taken.0,
                        nowhere: taken.1,
                    },
                    said: SaidFilter::default(),
                    tags,
                    not_tags,
                    min_confidence: min,
                    not_confidence: not,
                    since,
                    until,
                    on,
                    camera: camera.map(str::to_owned),
                    lens: lens.map(str::to_owned),
                    oldest_first,
                    damaged: false,
                    near,
                    folders,
                    path: None,
                }
            },
        )
}

type Shown = (i64, PathBuf, Vec<u8>);

fn listed(lib: &Library, filter: &PhotoFilter<'_>, limit: Option<usize>) -> Vec<Shown> {
    let mut shown = Vec::new();
    lib.reader()
        .list(filter, limit, &mut |hit| {
            shown.push((hit.photo.id, hit.root, hit.path.as_bytes().to_vec()));
            if limit.is_some_and(|limit| shown.len() >= limit) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    shown
}

/// The same by a look at every place, from the words of the contract alone.
fn plainly(lib: &Library, filter: &PhotoFilter<'_>) -> Vec<Shown> {
    let reader = lib.reader();
    let mut stmt = reader
        .conn
        .prepare(
            "SELECT f.photo, r.path, f.path, f.folder, f.taken FROM files f JOIN roots r ON r.id = f.root
             WHERE f.photo IS NOT NULL AND f.missing_since IS NULL ORDER BY f.taken DESC, f.photo DESC",
        )
        .unwrap();
    let rows = stmt.query_map([], |r| {
        let root = String::from_utf8(r.get(1)?).unwrap();
        Ok((
            r.get(0)?,
            PathBuf::from(root),
            r.get(2)?,
            r.get(3)?,
            r.get(4)?,
        ))
    });
    let rows: Vec<(i64, PathBuf, Vec<u8>, i64, i64)> = rows.unwrap().map(Result::unwrap).collect();
    let offset = |photo: i64| -> Option<i32> {
        // As the library above has it.
        (photo != 5 && photo % 2 == 0).then(|| 60 * i32::try_from(photo).unwrap())
    };
    // Milliseconds by which it was taken after a moment; an instant by its own clock, if it tells it.
    let after = |photo: i64, taken: i64, moment: &Moment| -> i64 {
        let clocks = moment.offset_minutes.zip(offset(photo));
        let apart = clocks.map_or(0, |(asked, own)| i64::from(asked - own) * 60_000);
        taken - moment.millis + apart
    };
    let yearly = |taken: i64| {
        let date = jiff::Timestamp::from_millisecond(taken).unwrap();
        let date = date.to_zoned(jiff::tz::TimeZone::UTC);
        (date.month(), date.day())
    };
    let carries = |photo: i64, condition: &TagCondition, least: f32| {
        let tags = reader.tags_of(photo, least).unwrap();
        tags.iter()
            .any(|t| condition.keys.iter().any(|key| **key == *t.key))
    };
    let fits =
        |(photo, _, _, folder, taken): &(i64, PathBuf, Vec<u8>, i64, i64)| {
            let dated = *photo != 5;
            filter
                .tags
                .iter()
                .all(|t| carries(*photo, t, filter.min_confidence))
                && !filter
                    .not_tags
                    .iter()
                    .any(|t| carries(*photo, t, filter.not_confidence))
                && filter.since.iter().all(|m| after(*photo, *taken, m) >= 0)
                && filter.until.iter().all(|m| after(*photo, *taken, m) < 0)
                && filter.on.is_none_or(|on| {
                    let (month, day) = yearly(*taken);
                    on.month == month && on.day.is_none_or(|d| d == day)
                })
                && filter
                    .camera
                    .as_deref()
                    .is_none_or(|camera| dated && camera == "canon")
                && filter
                    .lens
                    .as_deref()
                    .is_none_or(|lens| dated && lens == "28 70")
                && filter.near.is_none_or(|near| dated && near.lon < 14.0)
                && filter.taken.within.as_ref().is_none_or(|within| {
                    ![5, 6].contains(photo) && within.contains(&(1 + photo % 2))
                })
                && (!filter.taken.nowhere || !dated)
                && filter
                    .folders
                    .as_ref()
                    .is_none_or(|folders| folders.contains(folder))
        };
    let rows = rows.into_iter().filter(|row| fits(row));
    let mut rows: Vec<Shown> = rows
        .map(|(photo, root, path, ..)| (photo, root, path))
        .collect();
    if filter.oldest_first {
        rows.reverse();
    }
    rows
}

fn check(lib: &Library, filter: &PhotoFilter<'_>) {
    let all = listed(lib, filter, None);
    for limit in 1..4 {
        // Of two places of a photo, either may come first.
        let ids = |shown: &[Shown]| shown.iter().map(|s| s.0).take(limit).collect::<Vec<_>>();
        assert_eq!(
            ids(&listed(lib, filter, Some(limit))),
            ids(&all),
            "{filter:?}"
        );
    }
    let mut plain = plainly(lib, filter);
    let order = |shown: &[Shown]| shown.iter().map(|s| s.0).collect::<Vec<_>>();
    assert_eq!(order(&all), order(&plain), "{filter:?}");
    let mut listed = all;
    listed.sort();
    plain.sort();
    assert_eq!(listed, plain, "{filter:?}");
    let mut ids: Vec<i64> = listed.iter().map(|s| s.0).collect();
    ids.dedup();
    assert_eq!(lib.reader().photo_ids(filter).unwrap(), ids, "{filter:?}");
    assert_eq!(lib.reader().ids_by_sets(filter).unwrap(), ids, "{filter:?}");
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
    // Asked about a place alone, a filter says what its listing shows.
    let reader = lib.reader();
    let condition = reader.condition(filter).unwrap();
    let every_photo: Vec<i64> = (1..8).collect();
    let everything = PhotoFilter::default();
    for hit in reader.hits_of(&every_photo, &everything).unwrap() {
        let is_shown = listed
            .iter()
            .any(|(_, root, path)| *root == hit.root && path == hit.path.as_bytes());
        assert_eq!(condition.holds(&hit).unwrap(), is_shown, "{filter:?}");
    }
}

/// A million rows are not gone through for a look at two dozen.
#[test]
fn a_sample_of_a_folder_is_read_from_where_it_lies() {
    let plan = Library::new().plan(crate::store::files::SAMPLE);
    let (folders, files) = (plan.find("SCAN d"), plan.find("SEARCH f USING PRIMARY KEY"));
    assert!(folders.is_some() && folders < files, "{plan}");
}

#[test]
fn ids_and_places_are_those_that_a_listing_shows() {
    let (lib, ..) = library();
    let all = PhotoFilter::default();
    // 3 is gone, 4 is held as missing, 1 lies at its other place, away.
    assert_eq!(lib.reader().photo_ids(&all).unwrap(), [1, 2, 5, 6, 7]);
    check(&lib, &all);
    // Newest first: those with the camera's date by it, 5 by the file's, which is of 1970.
    let newest: Vec<i64> = listed(&lib, &all, None).iter().map(|s| s.0).collect();
    assert_eq!(newest, [7, 6, 2, 1, 5]);
    // Whoever wants one and takes none of them is shown all the others, each once.
    let mut passed_over = Vec::new();
    let goes_on = &mut |hit: Hit| {
        passed_over.push(hit.photo.id);
        ControlFlow::Continue(())
    };
    lib.reader().list(&all, Some(1), goes_on).unwrap();
    assert_eq!(passed_over, newest);
    proptest!(ProptestConfig::with_cases(256), |(filter in filter())| check(&lib, &filter));
}

#[test]
fn terms_lead_to_photos_with_their_confidence() {
    let (mut lib, ..) = library();
    // What a photo is tagged with last is what it carries.
    lib.tag(2, &[("dog", "dog", 0.7)]);
    let found = |keys: &[&str], range| {
        let mut found = Vec::new();
        let mut put = |photo, confidence| found.push((photo, confidence));
        lib.reader().tag_confidences(keys, range, &mut put).unwrap();
        found
    };
    let all = found(&["cat", "none", "dog"], (0.35, BEYOND_SURE));
    assert_eq!(all, [(7, 0.8), (2, 0.7), (1, 0.9)]);
    // What one range ends before, the next one begins with.
    assert_eq!(found(&["dog"], (0.35, 0.9)), [(2, 0.7)]);
    assert_eq!(found(&["dog"], (0.9, BEYOND_SURE)), [(1, 0.9)]);
}

#[test]
fn names_of_one_file_are_found_by_what_it_was_and_by_what_it_is() {
    let mut lib = Library::new();
    let root = lib.root("/photos");
    let written = |mtime_ns| FileStamp {
        size: 7,
        mtime_ns,
        ctime_ns: mtime_ns,
        inode: 42,
    };
    lib.put(root, "elsewhere.jpg", 2);
    for path in ["a.jpg", "b.jpg"] {
        lib.put(root, path, 1);
        lib.apply(Change::known(
            key(root, path.as_bytes()),
            written(10),
            hash(1),
        ));
    }
    lib.apply(Change::Failed {
        key: key(root, b"broken.jpg"),
        stamp: written(10),
        hash: Some(hash(3)),
        failure: failure(Stage::Inspect),
    });
    let links = |path: &str, now: i64, content: u64| {
        let of = key(root, path.as_bytes());
        let found = lib.reader().links_of(&of, &written(now), &hash(content));
        let mut found: Vec<String> = found.unwrap().iter().map(ToString::to_string).collect();
        found.sort();
        found
    };
    let none: [&str; 0] = [];
    assert_eq!(links("a.jpg", 10, 1), none, "nothing has happened");
    assert_eq!(links("a.jpg", 11, 9), ["b.jpg"], "written to through a.jpg");
    assert_eq!(
        links("new.jpg", 11, 1),
        ["a.jpg", "b.jpg"],
        "only its time was set"
    );
    assert_eq!(links("new.jpg", 11, 3), ["broken.jpg"]);
    assert_eq!(links("new.jpg", 11, 9), none, "nobody knows");
}
