//! Layers of what is said of photos, and what queries read of them.

use std::ops::ControlFlow;
use std::time::Duration;

use proptest::prelude::*;

use super::library::{Library, hash, inspection, key};
use crate::photo::FileStamp;
use crate::said::{DateField, Keyword, Person, Position, Said, SaidDate, Standard, WrittenDate};
use crate::store::{Change, Layer, PhotoFilter, SaidFilter, mark_beside, said};

fn keywords(words: &[&str]) -> Vec<Keyword> {
    words
        .iter()
        .filter_map(|word| Keyword::path(word, '|'))
        .collect()
}

fn words(words: &[&str]) -> Said {
    Said {
        keywords: keywords(words),
        ..Said::default()
    }
}

fn dated(field: DateField, date: &str) -> SaidDate {
    let date = WrittenDate::parse(date).unwrap();
    SaidDate { field, date }
}

fn at(lat: f64, source: Standard) -> Option<Position> {
    Some(Position {
        lat,
        lon: 1.0,
        altitude_m: None,
        source,
    })
}

/// Photo `n` at `path`, whose file says this.
fn put(lib: &mut Library, root: i64, path: &str, n: u64, said: Said) -> i64 {
    let mut seen = inspection();
    seen.said = said;
    lib.apply(Change::Indexed {
        place: Some((key(root, path.as_bytes()), FileStamp::default())),
        hash: hash(n),
        inspection: Some(Box::new(seen)),
        decoder_version: 1,
        results: None,
    });
    lib.photo(n)
}

/// What lies beside a photo says this, until it is asked again.
fn beside(lib: &Library, photo: i64, text: &Said) {
    said::put(&lib.store.conn, photo, Layer::Beside, text).unwrap();
    said::settle(&lib.store.conn, photo, false).unwrap();
}

/// Keywords with who says so.
fn shown(lib: &Library, photo: i64) -> Vec<String> {
    let rows = lib.reader().keywords_of(photo).unwrap();
    let row = |row: &crate::store::KeywordRow| {
        let layers: Vec<_> = row.layers.iter().map(|layer| layer.name()).collect();
        format!("{} {}", row.name, layers.join("+"))
    };
    rows.iter().map(row).collect()
}

fn with_keyword(lib: &Library, typed: &str) -> Vec<i64> {
    let filter = PhotoFilter {
        said: SaidFilter {
            keywords: vec![lib.reader().keywords_called(typed).unwrap()],
            ..SaidFilter::default()
        },
        ..PhotoFilter::default()
    };
    lib.reader().photo_ids(&filter).unwrap()
}

#[test]
fn words_of_all_layers_are_put_together_and_each_goes_with_its_own() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let photo = put(&mut lib, root, "a.jpg", 1, words(&["Lisbon", "Küste"]));
    put(&mut lib, root, "b.jpg", 2, words(&["Porto"]));
    beside(&lib, photo, &words(&["Places|Portugal|Lisbon", "küste"]));
    assert_eq!(
        shown(&lib, photo),
        ["Küste file+sidecar", "Places|Portugal|Lisbon file+sidecar"]
    );
    for typed in [
        "portugal",
        "Places/Portugal",
        "LISBON",
        "portugal|lisbon",
        "kuste",
        "places",
    ] {
        assert_eq!(with_keyword(&lib, typed), [photo], "{typed}");
    }
    for typed in ["lisb", "spain|lisbon", "", "|"] {
        assert!(with_keyword(&lib, typed).is_empty(), "{typed}");
    }
    assert_eq!(
        lib.reader().named(&[vec!["portugal".to_owned()]]).unwrap(),
        [photo]
    );
    let counts = lib.reader().keyword_counts().unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.name.as_str(), c.photos)).collect();
    assert!(counts.contains(&("Places|Portugal", 1)), "{counts:?}");

    beside(&lib, photo, &Said::default());
    assert_eq!(shown(&lib, photo), ["Küste file", "Lisbon file"]);
    assert!(with_keyword(&lib, "portugal").is_empty());
    assert!(
        lib.reader()
            .named(&[vec!["portugal".to_owned()]])
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_persons_marks_go_first_and_outlive_the_photos_row() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let file = Said {
        title: Some("of the file".to_owned()),
        rating: Some(2),
        ..words(&["sea"])
    };
    let photo = put(&mut lib, root, "a.jpg", 1, file.clone());
    let mark = |lib: &Library, change: &dyn Fn(&mut Said)| {
        mark_beside(lib.dir.path(), &[hash(1), hash(7)], change).unwrap();
    };
    mark(&lib, &|said| {
        said.rating = Some(5);
        said.keywords = keywords(&["Best|Of 2020"]);
    });
    let row = |lib: &Library| lib.reader().places(&hash(1)).unwrap().remove(0).photo;
    assert_eq!(
        (row(&lib).rating, row(&lib).title.as_deref()),
        (Some(5), Some("of the file"))
    );
    assert_eq!(shown(&lib, photo), ["Best|Of 2020 mark", "sea file"]);
    let best = PhotoFilter {
        said: SaidFilter {
            rating: Some(4..=5),
            ..SaidFilter::default()
        },
        ..PhotoFilter::default()
    };
    assert_eq!(lib.reader().photo_ids(&best).unwrap(), [photo]);

    lib.gone(root, "a.jpg");
    lib.store.sweep(Duration::ZERO, 10).unwrap();
    lib.store.sweep(Duration::ZERO, 10).unwrap();
    assert_eq!(lib.reader().photo_id(&hash(1)).unwrap(), None);
    let again = put(&mut lib, root, "b.jpg", 1, file);
    assert_eq!((row(&lib).rating, shown(&lib, again).len()), (Some(5), 2));

    mark(&lib, &|said| *said = Said::default());
    assert_eq!((row(&lib).rating, shown(&lib, again).len()), (Some(2), 1));
    // Content that is not indexed yet.
    mark(&lib, &|said| said.rating = Some(3));
    put(&mut lib, root, "c.jpg", 7, Said::default());
    assert_eq!(
        lib.reader().places(&hash(7)).unwrap()[0].photo.rating,
        Some(3)
    );
}

#[test]
fn the_most_trustworthy_date_counts_and_orders_photos() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let of = |dates: &[SaidDate]| Said {
        dates: dates.to_vec(),
        ..Said::default()
    };
    let exif = [dated(DateField::ExifOriginal, "2019-05-03T10:11:12.2")];
    let first = put(&mut lib, root, "1.jpg", 1, of(&exif));
    let burst = [dated(DateField::ExifOriginal, "2019-05-03T10:11:12.3")];
    let second = put(&mut lib, root, "2.jpg", 2, of(&burst));
    let gps = [dated(DateField::Gps, "2010-01-01T00:00:00Z")];
    let gps = put(&mut lib, root, "IMG_20300101_101112.jpg", 3, of(&gps));
    let named = put(
        &mut lib,
        root,
        "IMG_20200101_101112.jpg",
        4,
        Said::default(),
    );
    let edit = [dated(DateField::ExifModified, "2025-01-01T00:00:00")];
    let edited = put(&mut lib, root, "IMG_20180101_101112.jpg", 5, of(&edit));
    let bare = put(&mut lib, root, "x.jpg", 6, Said::default());
    let order = |lib: &Library| {
        let mut order = Vec::new();
        let mut visit = |hit: crate::store::Hit| {
            order.push((hit.photo.id, hit.date().field.source()));
            ControlFlow::Continue(())
        };
        lib.reader()
            .list(&PhotoFilter::default(), None, &mut visit)
            .unwrap();
        order
    };
    assert_eq!(
        order(&lib),
        [
            (named, "name"),
            (second, "exif"),
            (first, "exif"),
            (edited, "name"),
            (gps, "gps"),
            (bare, "file"),
        ]
    );
    beside(
        &lib,
        gps,
        &of(&[dated(DateField::Takeout, "2029-01-01T00:00:00Z")]),
    );
    beside(&lib, first, &of(&[dated(DateField::Sidecar, "2031-01-01")]));
    beside(
        &lib,
        second,
        &of(&[dated(DateField::Corrected, "2028-01-01")]),
    );
    assert_eq!(
        order(&lib)[..3],
        [(gps, "takeout"), (second, "sidecar"), (named, "name")],
        "a sidecar's date counts where the file has none, or where it is newer"
    );
    beside(&lib, gps, &Said::default());
    assert_eq!(order(&lib)[4], (gps, "gps"));
}

#[test]
fn a_sidecars_place_goes_before_the_files_and_googles_behind() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let of = |position| Said {
        position,
        ..Said::default()
    };
    let photo = put(&mut lib, root, "1.jpg", 1, of(at(10.0, Standard::Exif)));
    let lat = |lib: &Library| lib.reader().places(&hash(1)).unwrap()[0].photo.exif.lat;
    assert_eq!(lat(&lib), Some(10.0));
    beside(&lib, photo, &of(at(20.0, Standard::Takeout)));
    assert_eq!(lat(&lib), Some(10.0));
    beside(&lib, photo, &of(at(30.0, Standard::Xmp)));
    assert_eq!(lat(&lib), Some(30.0));
    beside(&lib, photo, &Said::default());
    assert_eq!(lat(&lib), Some(10.0));
}

#[test]
fn people_are_found_by_any_of_their_names() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let with = |names: &[&str]| Said {
        people: names
            .iter()
            .map(|name| Person {
                name: (*name).to_owned(),
                area: None,
            })
            .collect(),
        ..Said::default()
    };
    put(&mut lib, root, "1.jpg", 1, with(&["Zoë Müller", "Ben"]));
    put(&mut lib, root, "2.jpg", 2, with(&["Ben Müller"]));
    let called = |typed: &str| lib.reader().people_called(typed).unwrap().len();
    assert_eq!((called("zoe"), called("muller"), called("Ben")), (1, 2, 2));
    assert_eq!(
        (called("Müller Zoe"), called("Mull"), called("")),
        (1, 0, 0)
    );
    let counts = lib.reader().people_counts().unwrap();
    assert_eq!(counts.len(), 3);
    let of = lib.reader().people_of(lib.photo(1)).unwrap();
    assert_eq!(
        of.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["Ben", "Zoë Müller"]
    );
}

/// Everything that [`said::settle`] makes.
fn settled(lib: &Library) -> Vec<String> {
    [
        "SELECT id || ' ' || coalesce(dated, '') || coalesce(title, '') || coalesce(rating, '') || coalesce(lat, '') FROM photos ORDER BY id",
        "SELECT photo || ' ' || sources || ' ' || k.path FROM photo_keywords JOIN keywords k ON k.id = keyword ORDER BY 1",
        "SELECT photo || ' ' || sources || ' ' || word FROM photo_people JOIN people n ON n.id = person ORDER BY 1",
        "SELECT path || ' ' || taken FROM files ORDER BY 1",
        "SELECT count(*) FROM said_words_docsize",
    ]
    .iter()
    .flat_map(|sql| {
        let mut stmt = lib.store.conn.prepare(sql).unwrap();
        let rows = stmt.query_map([], |r| r.get::<_, rusqlite::types::Value>(0)).unwrap();
        rows.map(|row| format!("{:?}", row.unwrap())).collect::<Vec<_>>()
    })
    .collect()
}

fn anything() -> impl Strategy<Value = Said> {
    let words = prop::sample::subsequence(vec!["a", "B|a", "b", "Ä", "c|d|e"], 0..4);
    let names = prop::sample::subsequence(vec!["Ben", "BEN", "Zoë"], 0..3);
    let fields = vec![
        DateField::ExifOriginal,
        DateField::Gps,
        DateField::Sidecar,
        DateField::ExifModified,
    ];
    let dates = prop::sample::subsequence(fields, 0..3);
    (words, names, dates, prop::option::of(0..5i8)).prop_map(|(words, names, dates, rating)| Said {
        keywords: keywords(&words),
        people: names
            .iter()
            .map(|n| Person {
                name: (*n).to_owned(),
                area: None,
            })
            .collect(),
        dates: dates
            .iter()
            .map(|field| dated(*field, &format!("20{}", 10 + field.number() / 10)))
            .collect(),
        rating,
        title: rating.map(|r| format!("title {r}")),
        ..Said::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_came_before_only_the_layers_of_now_count(
        steps in prop::collection::vec((1u64..4, 0u8..3, anything()), 1..12),
    ) {
        let mut lib = Library::new();
        let root = lib.root("/p");
        let mut last: std::collections::BTreeMap<(u64, u8), Said> = std::collections::BTreeMap::new();
        for n in 1..4 {
            put(&mut lib, root, &format!("{n}.jpg"), n, Said::default());
        }
        for (n, layer, said) in steps {
            let said = said.tidied();
            match layer {
                0 => {
                    put(&mut lib, root, &format!("{n}.jpg"), n, said.clone());
                }
                1 => lib.sidecar(root, &format!("{n}.xmp"), said.clone()),
                _ => mark_beside(lib.dir.path(), &[hash(n)], &|mark| *mark = said.clone()).unwrap(),
            }
            last.insert((n, layer), said);
        }
        let mut fresh = Library::new();
        let root = fresh.root("/p");
        for n in 1..4 {
            let of = |layer| last.get(&(n, layer)).cloned().unwrap_or_default();
            mark_beside(fresh.dir.path(), &[hash(n)], &|mark| *mark = of(2)).unwrap();
            put(&mut fresh, root, &format!("{n}.jpg"), n, of(0));
            fresh.sidecar(root, &format!("{n}.xmp"), of(1));
        }
        prop_assert_eq!(settled(&lib), settled(&fresh));
    }
}
