//! Where photos were taken.

use std::ops::ControlFlow;

use super::library::{Library, hash, inspection, key, numbers};
use super::tags::KEPT;
use crate::photo::{FileStamp, Locality, LocalityNames};
use crate::said::{Position, Said, Standard};
use crate::store::{Change, LocalityFilter, NamesLocalities, PhotoFilter};

/// Two countries north of the equator, split at Greenwich; nothing in the south. The second edition has
/// another name for one place.
pub struct Halves {
    pub edition: u8,
}

impl NamesLocalities for Halves {
    fn identity(&self) -> &str {
        if self.edition == 1 { "first" } else { "second" }
    }

    fn locality(&mut self, lat: f64, lon: f64) -> Option<Locality> {
        if lat < 0.0 {
            return None;
        }
        let (code, country) = if lon < 0.0 {
            ("WE", "Westland")
        } else {
            ("EA", "Eastland")
        };
        let renamed = self.edition == 2 && code == "WE";
        Some(Locality {
            name: (lat < 60.0).then(|| if renamed { "Newtown" } else { "Town" }.to_owned()),
            near: lat > 30.0 && lat < 60.0,
            region: (lat > 10.0).then(|| "The North".to_owned()),
            country: country.to_owned(),
            code: code.to_owned(),
        })
    }

    fn words(&mut self, lat: f64, lon: f64) -> LocalityNames {
        let Some(locality) = self.locality(lat, lon) else {
            return LocalityNames::default();
        };
        let words = |name: &str| vec![name.to_lowercase(), format!("old {}", name.to_lowercase())];
        LocalityNames {
            place: locality.name.as_deref().map(words).unwrap_or_default(),
            region: locality.region.as_deref().map(words).unwrap_or_default(),
            country: words(&locality.country),
        }
    }
}

/// The file of photo `n` says that it was taken there.
fn put(lib: &mut Library, root: i64, n: u64, at: Option<(f64, f64)>) -> i64 {
    let mut seen = inspection();
    seen.said = Said {
        position: at.map(|(lat, lon)| Position {
            lat,
            lon,
            altitude_m: None,
            source: Standard::Exif,
        }),
        ..Said::default()
    };
    let path = format!("{n}.jpg");
    lib.apply(Change::Indexed {
        place: Some((key(root, path.as_bytes()), FileStamp::default())),
        hash: hash(n),
        inspection: Some(Box::new(seen)),
        decoder_version: 1,
        results: None,
    });
    lib.photo(n)
}

fn place(lib: &Library, n: u64) -> Option<String> {
    let found = lib.reader().locality_of(lib.photo(n)).unwrap();
    found.map(|locality| locality.to_string())
}

fn counts(lib: &Library) -> Vec<(String, i64)> {
    let counts = lib.reader().locality_counts().unwrap().into_iter();
    counts.map(|c| (c.locality.to_string(), c.photos)).collect()
}

fn listed(lib: &Library, taken: LocalityFilter) -> Vec<i64> {
    let filter = PhotoFilter {
        taken,
        ..PhotoFilter::default()
    };
    let mut found = Vec::new();
    let reader = lib.reader();
    let show = &mut |hit: crate::store::Hit| {
        found.push(hit.photo.id);
        ControlFlow::Continue(())
    };
    reader.list(&filter, None, show).unwrap();
    found.sort_unstable();
    assert_eq!(reader.photo_ids(&filter).unwrap(), found);
    found
}

#[test]
fn a_photo_commits_with_where_it_was_taken() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.store
        .name_localities(Box::new(Halves { edition: 1 }))
        .unwrap();
    put(&mut lib, root, 1, Some((5.0, 20.0)));
    put(&mut lib, root, 2, Some((40.0, -20.0)));
    put(&mut lib, root, 3, Some((70.0, -20.0)));
    put(&mut lib, root, 4, Some((-5.0, 20.0)));
    put(&mut lib, root, 5, None);
    let places: Vec<_> = (1..=5).map(|n| place(&lib, n)).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        places,
        [
            some("Town, Eastland"),
            some("near Town, The North, Westland"),
            some("The North, Westland"),
            None,
            None
        ]
    );
    assert_eq!(
        counts(&lib),
        [
            ("Town, Eastland".to_owned(), 1),
            ("The North, Westland".to_owned(), 1),
            ("near Town, The North, Westland".to_owned(), 1),
        ]
    );
    let reader = lib.reader();
    let called = |word: &str| {
        let within = Some(reader.localities_called(word).unwrap());
        listed(
            &lib,
            LocalityFilter {
                within,
                nowhere: false,
            },
        )
    };
    assert_eq!(called("town"), [1, 2]);
    assert_eq!(called("the north"), [2, 3]);
    assert_eq!(called("old westland"), [2, 3]);
    assert_eq!(called("eastland"), [1]);
    assert!(called("tow").is_empty());
    let nowhere = LocalityFilter {
        within: None,
        nowhere: true,
    };
    assert_eq!(listed(&lib, nowhere), [5]);
    assert_eq!(
        reader
            .taken_in(&reader.localities_called("westland").unwrap())
            .unwrap(),
        [2, 3]
    );
}

#[test]
fn other_coordinates_are_another_place() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.store
        .name_localities(Box::new(Halves { edition: 1 }))
        .unwrap();
    put(&mut lib, root, 1, Some((5.0, 20.0)));
    // As whoever writes coordinates without knowing of localities.
    lib.sql("UPDATE photos SET lon = -20");
    assert_eq!(place(&lib, 1), None, "it is not where it was");
    put(&mut lib, root, 2, None);
    assert_eq!(place(&lib, 1).as_deref(), Some("Town, Westland"));
    lib.sql("UPDATE photos SET lat = NULL, lon = NULL");
    put(&mut lib, root, 3, None);
    assert_eq!(place(&lib, 1), None);
    assert_eq!(counts(&lib), []);
}

#[test]
fn older_rows_and_other_names_are_caught_up_a_few_at_a_time() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    for n in 1..=5 {
        put(&mut lib, root, n, Some((5.0, -20.0)));
    }
    assert!(
        !lib.store.locate_again(2).unwrap(),
        "nobody knows any names"
    );
    // As the migration leaves them: they do not hold up the next photo.
    lib.sql("UPDATE photos SET gazetteer = 0");
    for edition in 1..=2 {
        lib.store
            .name_localities(Box::new(Halves { edition }))
            .unwrap();
        put(&mut lib, root, 5 + u64::from(edition), Some((5.0, 20.0)));
        let before = (edition == 2).then(|| "Town, Westland".to_owned());
        assert_eq!(place(&lib, 1), before, "behind everything else");
        let steps = (0..9).take_while(|_| lib.store.locate_again(2).unwrap());
        // Five of the one half, and with the second edition one of the other.
        assert_eq!(steps.count(), [2, 3][usize::from(edition) - 1]);
        let name = ["Town", "Newtown"][usize::from(edition) - 1];
        for n in 1..=5 {
            assert_eq!(place(&lib, n), Some(format!("{name}, Westland")));
        }
        for (kept, counted) in KEPT {
            assert_eq!(numbers(&lib, kept), numbers(&lib, counted));
        }
    }
    // One edition and the other, then the first again: nobody is asked twice for the same.
    assert!(!lib.store.locate_again(100).unwrap());
    lib.store
        .name_localities(Box::new(Halves { edition: 1 }))
        .unwrap();
    lib.store.locate_again(100).unwrap();
    assert_eq!(counts(&lib)[1], ("Town, Westland".to_owned(), 5));
}
