//! Pairs in a small index.

use super::*;
use crate::photo::RelPath;
use crate::store::PhotoFilter;
use crate::store::tests::library::Library;

/// Files with their formats and seconds of one minute; without one: no date.
fn library(files: &[(&str, &str, Option<u8>)]) -> (Library, i64) {
    let mut lib = Library::new();
    let root = lib.root("/p");
    for (n, (path, format, second)) in (1..).zip(files) {
        let id = lib.put(root, path, n);
        let date = match second {
            Some(second) => format!("'2024-05-01T10:00:{second:02}'"),
            None => "NULL".to_owned(),
        };
        lib.sql(&format!(
            "UPDATE photos SET format = '{format}', captured_local = {date} WHERE id = {id}"
        ));
    }
    (lib, root)
}

/// Every result, as `face + members`, sorted; `wanted` says what was asked for.
fn shown(lib: &Library, wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    let reader = lib.reader();
    let fits = |_, path: &RelPath| wanted(&path.to_string());
    let filter = PhotoFilter {
        path: Some(&fits),
        ..PhotoFilter::default()
    };
    let condition = reader.condition(&filter).unwrap();
    let mut shots = Shots::new(&reader, false, false);
    let mut shown = Vec::new();
    reader
        .list(&filter, None, &mut |hit| {
            let mut answers = |other: &Hit| Ok(condition.holds(other)?);
            if let Some(shot) = shots.shot(hit, &mut answers).unwrap() {
                let files = std::iter::once(&shot.face).chain(&shot.members);
                let paths: Vec<String> = files.map(|hit| hit.path.to_string()).collect();
                shown.push(paths.join(" + "));
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    shown.sort();
    shown
}

#[test]
fn a_raw_and_its_picture_are_one_result() {
    let (lib, _) = library(&[
        ("a/IMG_1.CR2", "raw", Some(1)),
        ("a/IMG_1.JPG", "jpeg", Some(1)),
        // In another folder, of another stem, of another kind: something else.
        ("b/IMG_1.CR2", "raw", Some(1)),
        ("a/IMG_10.JPG", "jpeg", Some(1)),
        ("a/IMG_1.png", "png", Some(1)),
        ("a/IMG_1.x.JPG", "jpeg", Some(1)),
        // Written otherwise.
        ("a/Img_2.dng", "raw", Some(9)),
        ("a/iMG_2.HEIC", "heic", Some(11)),
        // Two pictures without a raw are two photos; two raws of one picture are one.
        ("a/3.jpg", "jpeg", Some(1)),
        ("a/3.heic", "heic", Some(1)),
        ("a/4.ARW", "raw", Some(1)),
        ("a/4.dng", "raw", None),
        ("a/4.jpg", "jpeg", Some(1)),
        ("a/5.ARW", "raw", Some(1)),
        ("a/5.dng", "raw", Some(1)),
    ]);
    let all = [
        "a/3.heic",
        "a/3.jpg",
        "a/4.jpg + a/4.ARW + a/4.dng",
        "a/5.ARW",
        "a/5.dng",
        "a/IMG_1.JPG + a/IMG_1.CR2",
        "a/IMG_1.png",
        "a/IMG_1.x.JPG",
        "a/IMG_10.JPG",
        "a/iMG_2.HEIC + a/Img_2.dng",
        "b/IMG_1.CR2",
    ];
    assert_eq!(shown(&lib, &|_| true), all);
}

#[test]
fn only_files_of_one_time_are_one_photo() {
    let (lib, _) = library(&[
        ("1.raw", "raw", Some(10)),
        ("1.jpg", "jpeg", Some(12)),
        ("2.raw", "raw", Some(10)),
        ("2.jpg", "jpeg", Some(13)),
        ("3.raw", "raw", None),
        ("3.jpg", "jpeg", Some(13)),
        ("4.raw", "raw", Some(13)),
        ("4.jpg", "jpeg", None),
        // The counter of the camera has begun anew: two photos, and the name of one of them twice.
        ("5.raw", "raw", Some(20)),
        ("5.jpg", "jpeg", Some(20)),
        ("5.heic", "heic", Some(40)),
    ]);
    let all = [
        "1.jpg + 1.raw",
        "2.jpg",
        "2.raw",
        "3.jpg + 3.raw",
        "4.jpg + 4.raw",
        "5.heic",
        "5.jpg + 5.raw",
    ];
    assert_eq!(shown(&lib, &|_| true), all);
}

#[test]
fn the_file_that_was_asked_for_is_the_one_shown() {
    let (mut lib, root) = library(&[
        ("1.CR2", "raw", Some(1)),
        ("1.JPG", "jpeg", Some(1)),
        ("2.CR2", "raw", Some(1)),
        ("2.DNG", "raw", Some(1)),
        ("2.heic", "heic", Some(1)),
        ("3.CR2", "raw", Some(1)),
        ("3.JPG", "jpeg", Some(1)),
    ]);
    let raws = ["1.CR2 + 1.JPG", "2.CR2 + 2.heic + 2.DNG", "3.CR2 + 3.JPG"];
    assert_eq!(shown(&lib, &|path| path.ends_with(".CR2")), raws);
    let raws = ["1.CR2 + 1.JPG", "2.CR2 + 2.heic + 2.DNG", "3.CR2 + 3.JPG"];
    let is_raw = |path: &str| path.ends_with(".CR2") || path.ends_with(".DNG");
    assert_eq!(shown(&lib, &is_raw), raws, "once, whatever of it was found");
    // What is gone or held as missing stands for nothing.
    lib.gone(root, "1.JPG");
    lib.apply(crate::store::Change::Missing {
        key: crate::store::FileKey {
            root,
            path: RelPath::from_bytes("3.JPG"),
        },
    });
    let left = ["1.CR2", "2.heic + 2.CR2 + 2.DNG", "3.CR2"];
    assert_eq!(shown(&lib, &|_| true), left);
}

#[test]
fn a_pair_is_the_same_seen_from_each_of_its_files() {
    let (lib, root) = library(&[
        ("x/1.ARW", "raw", Some(1)),
        ("x/1.dng", "raw", None),
        ("x/1.jpg", "jpeg", Some(1)),
        ("x/1.png", "png", Some(1)),
    ]);
    let reader = lib.reader();
    let files = |path: &str| -> Vec<String> {
        let path = RelPath::from_bytes(path);
        let hit = reader.photo_at(root, &path).unwrap().unwrap();
        let files = files_of(&reader, &hit).unwrap();
        files.iter().map(|file| file.path.to_string()).collect()
    };
    for path in ["x/1.ARW", "x/1.dng", "x/1.jpg"] {
        assert_eq!(files(path), ["x/1.jpg", "x/1.ARW", "x/1.dng"]);
    }
    assert_eq!(files("x/1.png"), ["x/1.png"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn the_faces_of_all_raws_are_those_of_each(
        files in proptest::collection::btree_map(
            ("[ab]/", "(IMG_1|img_1|IMG_1\\(1\\)|IMG_1_01|x\\.1)", "\\.(cr2|DNG|jpg|JPG|heic|png)"),
            (proptest::option::of(1u8..6), 0u8..20),
            1..14,
        ),
    ) {
        let mut lib = Library::new();
        let root = lib.root("/p");
        for (n, ((folder, stem, ending), (second, content))) in (20u8..).zip(&files) {
            // Some contents lie at several places.
            let content = if *content < 3 { *content } else { n };
            let id = lib.put(root, &format!("{folder}{stem}{ending}"), content.into());
            let format = match ending.to_ascii_lowercase().as_str() {
                ".cr2" | ".dng" => "raw",
                ".jpg" => "jpeg",
                ".heic" => "heic",
                _ => "png",
            };
            let date = second.map_or("NULL".to_owned(), |s| format!("'2024-05-01T10:00:{s:02}'"));
            lib.sql(&format!("UPDATE photos SET format = '{format}', captured_local = {date} WHERE id = {id}"));
        }
        let reader = lib.reader();
        let mut wanted = HashMap::new();
        for id in 0..40 {
            let Some(hit) = reader.photo_called(id).unwrap() else { continue };
            let face = files_of(&reader, &hit).unwrap()[0].photo.id;
            if part(&hit) == Some(Part::Raw) && face != id {
                wanted.insert(id, face);
            }
        }
        proptest::prop_assert_eq!(faces_of_raws(&reader).unwrap(), wanted);
    }
}

#[test]
fn where_nothing_is_raw_the_search_for_pairs_ends() {
    let (lib, root) = library(&[("1.jpg", "jpeg", Some(1)), ("2.jpg", "jpeg", Some(1))]);
    let reader = lib.reader();
    let path = RelPath::from_bytes("1.jpg");
    let hit = reader.photo_at(root, &path).unwrap().unwrap();
    let mut shots = Shots::new(&reader, false, false);
    for _ in 0..WORTH_ASKING {
        assert!(!shots.each_file);
        let shot = shots.shot(hit.clone(), &mut |_| Ok(true)).unwrap().unwrap();
        assert!(shot.members.is_empty());
    }
    assert!(shots.each_file);
    // Where something is, it goes on.
    lib.sql("UPDATE photos SET format = 'raw' WHERE id = 2");
    let mut shots = Shots::new(&reader, false, false);
    for _ in 0..=WORTH_ASKING {
        shots.shot(hit.clone(), &mut |_| Ok(true)).unwrap();
    }
    assert!(!shots.each_file);
}
