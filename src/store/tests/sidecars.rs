//! What lies beside photos counts, whatever comes first and whatever leaves.

use std::path::Path;

use proptest::prelude::*;

use super::library::{Library, failure, hash, inspection, key, sidecar};
use crate::photo::FileStamp;
use crate::said::{DateField, Keyword, Position, Said, SaidDate, Standard, WrittenDate};
use crate::sidecar::SidecarWords;
use crate::store::{Change, Layer, Stage};

fn word(word: &str) -> Said {
    Said {
        keywords: Keyword::flat(word).into_iter().collect(),
        ..Said::default()
    }
}

fn dated(field: DateField, date: &str) -> Said {
    let date = WrittenDate::parse(date).unwrap();
    Said {
        dates: vec![SaidDate { field, date }],
        ..Said::default()
    }
}

fn words(said: Said) -> Result<Option<SidecarWords>, String> {
    Ok(Some(SidecarWords {
        said,
        derived_from: None,
    }))
}

/// Photo `n` at `path`, with this time of change, whose file says this.
fn put(lib: &mut Library, root: i64, path: &str, n: u64, mtime_ns: i64, said: Said) -> i64 {
    let mut seen = inspection();
    seen.said = said;
    lib.apply(Change::Indexed {
        place: Some((
            key(root, path.as_bytes()),
            FileStamp {
                mtime_ns,
                ..FileStamp::default()
            },
        )),
        hash: hash(n),
        inspection: Some(Box::new(seen)),
        decoder_version: 1,
        results: None,
    });
    lib.photo(n)
}

/// The keywords of photo `n`.
fn has(lib: &Library, n: u64) -> String {
    let rows = lib.reader().keywords_of(lib.photo(n)).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    names.join(" ")
}

/// Its date with the source of that.
fn date(lib: &Library, n: u64) -> String {
    let hit = lib.reader().places(&hash(n)).unwrap().remove(0);
    let dated = hit.photo.dated.unwrap();
    format!("{} {}", dated.date, dated.field.source())
}

#[test]
fn a_sidecar_counts_whether_it_comes_before_or_after_and_takes_its_words_with_it() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.sidecar(root, "a.xmp", word("before"));
    lib.put(root, "a.jpg", 1);
    assert_eq!(has(&lib, 1), "before");
    lib.put(root, "b.jpg", 2);
    lib.sidecar(root, "b.JPG.xmp", word("after"));
    assert_eq!(has(&lib, 2), "after");
    assert_eq!(
        lib.reader().named(&[vec!["after".to_owned()]]).unwrap(),
        [lib.photo(2)]
    );
    lib.sidecar(root, "b.JPG.xmp", word("changed"));
    assert_eq!(has(&lib, 2), "changed");
    lib.sidecar(root, "b.xmp", word("more"));
    assert_eq!(has(&lib, 2), "changed more");
    lib.sidecar_gone(root, "b.JPG.xmp");
    assert_eq!(has(&lib, 2), "more");
    lib.apply(Change::SidecarGone {
        key: key(root, b"b.xmp"),
        excluded: true,
    });
    assert_eq!(has(&lib, 2), "");
    assert_eq!(
        lib.reader().said(lib.photo(2), Layer::Beside).unwrap(),
        Said::default()
    );
    assert_eq!(has(&lib, 1), "before");
}

#[test]
fn a_photo_that_moves_has_the_sidecars_of_where_it_is() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.sidecar(root, "a.xmp", word("here"));
    lib.sidecar(root, "d/a.xmp", word("there"));
    lib.put(root, "a.jpg", 1);
    lib.apply(Change::known(
        key(root, b"d/a.jpg"),
        FileStamp::default(),
        hash(1),
    ));
    assert_eq!(has(&lib, 1), "here there", "two places of one content");
    lib.gone(root, "a.jpg");
    assert_eq!(has(&lib, 1), "there");
    lib.apply(Change::known(
        key(root, b"d/b.jpg"),
        FileStamp::default(),
        hash(1),
    ));
    lib.gone(root, "d/a.jpg");
    assert_eq!(has(&lib, 1), "");
    // Another photo takes its place, then none that can be read.
    lib.put(root, "d/a.jpg", 2);
    assert_eq!(has(&lib, 2), "there");
    lib.apply(Change::Failed {
        key: key(root, b"d/a.jpg"),
        stamp: FileStamp::default(),
        hash: None,
        failure: failure(Stage::Read),
    });
    assert_eq!(has(&lib, 2), "");
}

#[test]
fn a_sidecar_of_its_own_name_arrives_and_the_other_photo_loses_it() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "A.jpg", 1);
    lib.sidecar(root, "a.jpg.xmp", word("x"));
    assert_eq!(has(&lib, 1), "x");
    lib.put(root, "a.jpg", 2);
    assert_eq!((has(&lib, 1).as_str(), has(&lib, 2).as_str()), ("", "x"));
    lib.gone(root, "a.jpg");
    assert_eq!(has(&lib, 1), "x");
}

#[test]
fn dates_beside_count_where_the_file_has_none_or_is_older() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let exif = dated(DateField::ExifOriginal, "2010-01-02T03:04:05");
    let beside = |date: &str| words(dated(DateField::XmpOriginal, date));
    put(&mut lib, root, "a.jpg", 1, 100, exif.clone());
    lib.apply(sidecar(root, "a.xmp", 100, beside("2009-08-07T06:05:04")));
    assert_eq!(
        date(&lib, 1),
        "2010-01-02T03:04:05 exif",
        "no newer than the file"
    );
    lib.apply(sidecar(root, "a.xmp", 101, beside("2009-08-07T06:05:04")));
    assert_eq!(date(&lib, 1), "2009-08-07T06:05:04 sidecar", "edited later");
    put(&mut lib, root, "a.jpg", 1, 102, exif.clone());
    assert_eq!(
        date(&lib, 1),
        "2010-01-02T03:04:05 exif",
        "and the file after that"
    );
    lib.apply(sidecar(
        root,
        "a.xmp",
        103,
        beside("2010-01-02T03:04:05+02:00"),
    ));
    assert_eq!(
        date(&lib, 1),
        "2010-01-02T03:04:05 exif",
        "copied, not corrected"
    );
    let of_file = words(dated(DateField::XmpFileCreated, "2024-01-01"));
    lib.apply(sidecar(root, "a.xmp", 103, of_file));
    assert_eq!(
        date(&lib, 1),
        "2010-01-02T03:04:05 exif",
        "the sidecar's own"
    );

    put(
        &mut lib,
        root,
        "b.jpg",
        2,
        100,
        dated(DateField::Gps, "2011-01-01"),
    );
    let note = words(dated(DateField::Takeout, "2012-07-10T12:00:00Z"));
    lib.apply(sidecar(root, "b.jpg.json", 200, note.clone()));
    assert_eq!(date(&lib, 2), "2012-07-10T12:00:00Z takeout");
    lib.apply(sidecar(root, "b.xmp", 1, beside("1985-06")));
    assert_eq!(date(&lib, 2), "1985-06 sidecar");
    put(&mut lib, root, "c.jpg", 3, 100, exif);
    lib.apply(sidecar(root, "c.jpg.json", 200, note));
    assert_eq!(date(&lib, 3), "2010-01-02T03:04:05 exif", "Google guesses");
}

#[test]
fn what_is_read_of_the_file_later_is_compared_too() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    put(&mut lib, root, "a.jpg", 1, 1, Said::default());
    let corrected = words(dated(DateField::XmpOriginal, "2009-08-07"));
    lib.apply(sidecar(root, "a.xmp", 2, corrected));
    let mut seen = inspection();
    seen.said = dated(DateField::ExifOriginal, "2010-01-02T03:04:05");
    lib.apply(Change::ReadAgain {
        hash: hash(1),
        inspection: Some(Box::new(seen)),
    });
    assert_eq!(date(&lib, 1), "2009-08-07 sidecar");
}

#[test]
fn of_several_sidecars_the_nearest_is_believed_and_versions_give_keywords_only() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let stars = |rating, title: &str| Said {
        rating: Some(rating),
        title: Some(title.to_owned()),
        ..word(title)
    };
    lib.put(root, "a.jpg", 1);
    lib.apply(sidecar(
        root,
        "a_01.jpg.xmp",
        0,
        Ok(Some(SidecarWords {
            said: stars(1, "version"),
            derived_from: Some("a.jpg".to_owned()),
        })),
    ));
    let photo = |lib: &Library| lib.reader().places(&hash(1)).unwrap().remove(0).photo;
    assert_eq!((photo(&lib).rating, photo(&lib).title), (None, None));
    assert_eq!(has(&lib, 1), "version");
    lib.sidecar(root, "a.jpg.json", stars(5, "note"));
    assert_eq!(photo(&lib).rating, Some(5));
    lib.sidecar(root, "a.xmp", stars(2, "stem"));
    assert_eq!(photo(&lib).title.as_deref(), Some("stem"));
    lib.sidecar(
        root,
        "a.jpg.xmp",
        Said {
            rating: Some(3),
            ..Said::default()
        },
    );
    assert_eq!(
        (photo(&lib).rating, photo(&lib).title.as_deref()),
        (Some(3), Some("stem"))
    );
    assert_eq!(has(&lib, 1), "note stem version");
    // A heart does not undo stars.
    put(
        &mut lib,
        root,
        "b.jpg",
        2,
        0,
        Said {
            rating: Some(1),
            ..Said::default()
        },
    );
    lib.sidecar(root, "b.jpg.json", stars(5, "note"));
    let other = lib.reader().places(&hash(2)).unwrap().remove(0).photo;
    assert_eq!(other.rating, Some(1));
}

#[test]
fn sidecars_of_photos_that_are_held_are_held_too() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "a.cr2", 1);
    lib.put(root, "a.jpg", 2);
    lib.sidecar(root, "a.xmp", word("x"));
    let missing = |name: &[u8]| Change::Missing {
        key: key(root, name),
    };
    let row = |lib: &Library| lib.reader().sidecar(&key(root, b"a.xmp")).unwrap();
    lib.apply(missing(b"a.jpg"));
    lib.sidecar_gone(root, "a.xmp");
    assert_eq!(
        (has(&lib, 1), row(&lib)),
        (String::new(), None),
        "one of its photos is there"
    );
    lib.sidecar(root, "a.xmp", word("x"));
    lib.apply(missing(b"a.cr2"));
    lib.sidecar_gone(root, "a.xmp");
    assert!(row(&lib).is_some());
    lib.apply(Change::Found {
        key: key(root, b"a.cr2"),
    });
    assert_eq!(has(&lib, 1), "x");
    lib.apply(missing(b"a.cr2"));
    lib.store.release_missing(root).unwrap();
    lib.sidecar_gone(root, "a.xmp");
    assert_eq!(row(&lib), None);
}

#[test]
fn sidecars_go_with_their_root_from_hand_to_hand() {
    let mut lib = Library::new();
    let outer = lib.root("/p");
    lib.put(outer, "d/a.jpg", 1);
    lib.sidecar(outer, "d/a.xmp", word("x"));
    lib.sidecar(outer, "d/other.json", Said::default());
    let inner = lib.root("/p/d");
    assert!(
        lib.reader()
            .sidecar(&key(inner, b"a.xmp"))
            .unwrap()
            .is_some()
    );
    assert_eq!(has(&lib, 1), "x");
    lib.sidecar(inner, "a.xmp", word("y"));
    assert_eq!(has(&lib, 1), "y");
    let outer = lib.root("/p");
    assert!(
        lib.reader()
            .sidecar(&key(outer, b"d/a.xmp"))
            .unwrap()
            .is_some()
    );
    lib.sidecar(outer, "d/a.xmp", word("z"));
    assert_eq!(has(&lib, 1), "z");
    // What lies elsewhere too loses the words of the place that is forgotten.
    let other = lib.root("/q");
    lib.apply(Change::known(
        key(other, b"a.jpg"),
        FileStamp::default(),
        hash(1),
    ));
    lib.store.forget_root(Path::new("/p")).unwrap();
    assert_eq!(has(&lib, 1), "");
    assert!(
        lib.reader()
            .sidecars_page(outer, &Default::default(), None, 9)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_cannot_be_read_is_told_and_json_of_another_kind_is_remembered() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "a.jpg", 1);
    lib.sidecar(root, "a.xmp", word("x"));
    lib.apply(sidecar(
        root,
        "a.jpg.xmp",
        0,
        Err("it is broken".to_owned()),
    ));
    lib.apply(sidecar(root, "a.json", 0, Ok(None)));
    let dropped = Said {
        dropped: vec!["xmp: GPSLatitude 91 is out of range".to_owned()],
        ..word("y")
    };
    lib.sidecar(root, "a.xmp", dropped);
    let reader = lib.reader();
    let told = reader.troubled_sidecars(9).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].path.as_bytes(), told[0].why.as_str()),
        (&b"a.jpg.xmp"[..], "it is broken")
    );
    let said = reader.said(lib.photo(1), Layer::Beside).unwrap();
    assert_eq!(
        said.dropped,
        [
            "a.jpg.xmp: it is broken",
            "a.xmp: GPSLatitude 91 is out of range"
        ]
    );
    let path = key(root, b"a.jpg").path;
    let names: Vec<String> = reader
        .sidecars_of(root, &path)
        .unwrap()
        .iter()
        .map(|s| s.path.to_string())
        .collect();
    assert_eq!(names, ["a.jpg.xmp", "a.xmp"]);
    let state = |name: &[u8]| reader.sidecar_state(root, &key(root, name).path).unwrap();
    assert!(!state(b"a.json").unwrap().speaks && state(b"b.json").is_none());
    assert_eq!(state(b"a.xmp").unwrap().photos, [path]);
    lib.sidecar(root, "a.jpg.xmp", word("z"));
    assert!(reader.troubled_sidecars(9).unwrap().is_empty());
}

#[test]
fn a_place_beside_a_photo_is_its_place() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "a.jpg", 1);
    let position = Position {
        lat: 40.4,
        lon: -3.7,
        altitude_m: Some(600.0),
        source: Standard::Xmp,
    };
    let said = Said {
        position: Some(position),
        ..Said::default()
    };
    lib.sidecar(root, "a.xmp", said);
    let exif = |lib: &Library| lib.reader().places(&hash(1)).unwrap().remove(0).photo.exif;
    assert_eq!(
        (exif(&lib).lat, exif(&lib).altitude_m),
        (Some(40.4), Some(600.0))
    );
    lib.sidecar_gone(root, "a.xmp");
    assert_eq!(exif(&lib).lat, None);
}

#[test]
fn a_sidecar_and_its_photo_that_leave_together_leave_no_words() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let steps = [
        Step::Sidecar("a.jpg.json", Some("x")),
        Step::Photo("a-edited.jpg", Some(2)),
        Step::Sidecar("a.jpg.json", None),
        Step::Photo("a-edited.jpg", None),
    ];
    take(&mut lib, root, &steps, 2);
    assert_eq!(has(&lib, 2), "");
}

/// What may happen to a folder: photo `n`'s content at a name, or no photo there; words at a sidecar's
/// name, or none there.
#[derive(Debug, Clone)]
enum Step {
    Photo(&'static str, Option<u64>),
    Sidecar(&'static str, Option<&'static str>),
}

fn step() -> impl Strategy<Value = Step> {
    let photos = prop_oneof![
        Just("a.jpg"),
        Just("A.jpg"),
        Just("a.cr2"),
        Just("a-edited.jpg"),
        Just("a(1).jpg"),
    ];
    let sidecars = prop_oneof![
        Just("a.xmp"),
        Just("a.jpg.xmp"),
        Just("A.JPG.xmp"),
        Just("a.jpg.json"),
        Just("a.jpg(1).json"),
        Just("a.cr2.xmp"),
    ];
    prop_oneof![
        (photos, prop::option::of(1u64..4)).prop_map(|(name, n)| Step::Photo(name, n)),
        (
            sidecars,
            prop::option::of(prop_oneof![Just("x"), Just("y"), Just("z")])
        )
            .prop_map(|(name, word)| Step::Sidecar(name, word)),
    ]
}

/// Takes steps, so many in one transaction.
fn take(lib: &mut Library, root: i64, steps: &[Step], together: usize) {
    for part in steps.chunks(together) {
        let changes: Vec<Change> = part
            .iter()
            .map(|step| match step {
                Step::Photo(name, Some(n)) => super::library::indexed(root, name.as_bytes(), *n),
                Step::Photo(name, None) => Change::Gone {
                    key: key(root, name.as_bytes()),
                    excluded: false,
                },
                Step::Sidecar(name, Some(w)) => sidecar(root, name, 0, words(word(w))),
                Step::Sidecar(name, None) => Change::SidecarGone {
                    key: key(root, name.as_bytes()),
                    excluded: false,
                },
            })
            .collect();
        lib.store.apply(&changes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn only_what_lies_there_now_counts(
        steps in prop::collection::vec(step(), 1..25),
        together in 1usize..6,
    ) {
        let mut lib = Library::new();
        let root = lib.root("/p");
        take(&mut lib, root, &steps, together);
        // The same end, come to at once: sidecars before photos.
        let last = |is_photo: bool| -> Vec<Step> {
            let mut last: Vec<Step> = Vec::new();
            for step in steps.iter().rev() {
                let name = |s: &Step| match s { Step::Photo(n, _) | Step::Sidecar(n, _) => *n };
                let known = last.iter().any(|l| name(l) == name(step));
                if matches!(step, Step::Photo(..)) == is_photo && !known {
                    last.push(step.clone());
                }
            }
            last
        };
        let mut fresh = Library::new();
        let other = fresh.root("/p");
        take(&mut fresh, other, &last(false), 1);
        take(&mut fresh, other, &last(true), 1);
        for n in 1..4 {
            let at = |lib: &Library| lib.reader().photo_id(&hash(n)).unwrap();
            let places = lib.reader().places(&hash(n)).unwrap().len();
            let (here, there) = match (at(&lib), at(&fresh)) {
                (Some(_), Some(_)) => (has(&lib, n), has(&fresh, n)),
                (Some(_), None) => (has(&lib, n), String::new()),
                _ => continue,
            };
            prop_assert_eq!(here, there, "photo {} with {} places", n, places);
        }
    }
}
