//! What paths mean, in an index of a few folders, with and without the disk.

use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::store::tests::library::{Library, key};
use crate::store::{Change, PhotoFilter};

/// Root, path below it.
type Place = (&'static str, &'static [u8]);

const PLACES: [Place; 13] = [
    ("/home/ann/pics", b"a.jpg"),
    ("/home/ann/pics", b"sub/b.jpg"),
    ("/home/ann/pics", b"sub/deep/c.JPG"),
    ("/home/ann/pics", b"other/deep/d.jpg"),
    ("/home/ann/pics", b"Trip [2019]/e.jpg"),
    ("/home/ann/pics", b"Trip [2019]/more/f.jpg"),
    ("/home/ann/pics", b"Hochzeit Anna/g.jpg"),
    ("/home/ann/pics", "Mu\u{308}nchen.jpg".as_bytes()),
    ("/home/ann/pics", b"f\xe9tes/lat_\xe9.jpg"),
    ("/home/ann/pics", b"sub/Hochzeit.png"),
    ("/home/ann/pics", b"x1/i[1].jpg"),
    ("/off/drive", b"2019/h.jpg"),
    ("/off/drive", "Stra\u{df}e/sub/i.jpg".as_bytes()),
];

fn library() -> Library {
    let mut lib = Library::new();
    let pics = lib.root("/home/ann/pics");
    let off = lib.root("/off/drive");
    for (n, (root, path)) in (1..).zip(PLACES) {
        let root = if root == "/off/drive" { off } else { pics };
        lib.apply(crate::store::tests::library::indexed(root, path, n));
    }
    // A folder that had a photo once.
    lib.put(pics, "empty/z.jpg", 99);
    lib.apply(Change::Gone {
        key: key(pics, b"empty/z.jpg"),
        excluded: false,
    });
    lib.store.root_offline(off, "away").unwrap();
    lib
}

/// What a path finds, by the numbers of the places above.
fn found(lib: &Library, typed: &[u8], here: &str) -> Vec<usize> {
    let given = GivenPath::new(std::ffi::OsStr::from_bytes(typed), here);
    let reader = lib.reader();
    let pattern = PathPattern::new(&reader, &given).unwrap();
    let fits = |root, path: &RelPath| pattern.fits(root, path);
    let filter = PhotoFilter {
        folders: pattern.folders.clone(),
        path: pattern.is_checked().then_some(&fits),
        ..PhotoFilter::default()
    };
    let mut numbers = Vec::new();
    let mut note = |hit: crate::store::Hit| {
        let at = PLACES
            .iter()
            .position(|(root, path)| Path::new(root) == hit.root && *path == hit.path.as_bytes());
        numbers.push(at.unwrap());
        std::ops::ControlFlow::Continue(())
    };
    reader.list(&filter, None, &mut note).unwrap();
    numbers.sort_unstable();
    assert_eq!(pattern.finds_any(&reader).unwrap(), !numbers.is_empty());
    numbers
}

#[test]
fn paths_are_found_as_people_name_them() {
    let lib = library();
    let all: Vec<usize> = (0..PLACES.len()).collect();
    let of_pics: Vec<usize> = (0..11).collect();
    let cases: [(&str, &str, &[usize]); 41] = [
        ("/", "/", &all),
        ("/home/ann/pics", "/", &of_pics),
        ("/home/ann/pics/", "/", &of_pics),
        ("pics", "/home/ann", &of_pics),
        ("pics", "/somewhere/else", &of_pics),
        ("./pics", "/home/ann", &of_pics),
        ("./pics", "/somewhere/else", &[]),
        (".", "/home/ann/pics/sub", &[1, 2, 9]),
        ("..", "/home/ann/pics/sub/deep", &[1, 2, 9]),
        ("../sub", "/home/ann/pics/other", &[1, 2, 9]),
        ("../sub/*", "/home/ann/pics/other", &[1, 9]),
        ("../sub/../sub/*.jpg", "/home/ann/pics/other", &[1]),
        ("/home/ann/pics/sub/deep", "/", &[2]),
        ("/home/ann/pics/a.jpg", "/", &[0]),
        ("a.jpg", "/", &[0]),
        ("sub/b.jpg", "/", &[1]),
        ("sub", "/home/ann/pics", &[1, 2, 9]),
        // At any depth, where it is none from here.
        ("sub", "/", &[1, 2, 9, 12]),
        ("deep", "/", &[2, 3]),
        ("sub/deep", "/", &[2]),
        ("Trip [2019]", "/", &[4, 5]),
        ("pics/Trip [2019]", "/home/ann", &[4, 5]),
        ("Trip [2019]/more", "/", &[5]),
        ("i[1].jpg", "/", &[10]),
        ("Trip*", "/", &[4, 5]),
        ("*Hochzeit*", "/", &[6, 9]),
        ("Hochzeit*", "/", &[6, 9]),
        ("Hoch*/*", "/", &[6]),
        ("/home/ann/pics/*", "/", &[0, 7]),
        ("/home/ann/pics/**", "/", &of_pics),
        ("/home/ann/pics/sub*", "/", &[1, 2, 9]),
        ("/home/*", "/", &[]),
        ("*.{JPG,png}", "/", &[2, 9]),
        ("**/deep/**", "/", &[2, 3]),
        ("{sub,other}/deep/*", "/", &[2, 3]),
        ("M\u{fc}nchen.jpg", "/", &[7]),
        ("Mu\u{308}nchen.jpg", "/", &[7]),
        ("/home/ann/pics/M\u{fc}n*", "/", &[7]),
        ("/off/drive", "/", &[11, 12]),
        ("/off/drive/2019/", "/", &[11]),
        ("../drive/2019", "/off/other", &[11]),
    ];
    for (typed, here, wanted) in cases {
        assert_eq!(
            found(&lib, typed.as_bytes(), here),
            wanted,
            "{typed} in {here}"
        );
    }
    for typed in [
        &b"f\xe9tes"[..],
        b"lat_\xe9.jpg",
        b"/home/ann/pics/f\xe9tes/*",
        b"f\xe9tes/lat_?.jpg",
    ] {
        assert_eq!(found(&lib, typed, "/"), [8], "{typed:?}");
    }
    for typed in [
        "PICS",
        "SUB",
        "hochzeit*",
        "nothing",
        "/home/ann/pics/empty",
        "strasse",
    ] {
        assert_eq!(found(&lib, typed.as_bytes(), "/"), [0usize; 0], "{typed}");
    }
    let bad = GivenPath::new("a[", "/");
    assert!(PathPattern::new(&lib.reader(), &bad).is_err());
}

#[test]
fn links_on_the_way_are_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let dir = std::fs::canonicalize(dir.path()).unwrap();
    std::fs::create_dir(dir.join("pics [1]")).unwrap();
    std::os::unix::fs::symlink(dir.join("pics [1]"), dir.join("link")).unwrap();
    let mut lib = Library::new();
    let root = lib.root(dir.join("pics [1]").to_str().unwrap());
    for (n, path) in (1..).zip(["a.jpg", "2019/b.jpg", "2020/c.jpg"]) {
        lib.put(root, path, n);
    }
    let reader = lib.reader();
    let count = |typed: &str| {
        let given = GivenPath::new(typed, &dir);
        let pattern = PathPattern::new(&reader, &given).unwrap();
        let fits = |root, path: &RelPath| pattern.fits(root, path);
        let filter = PhotoFilter {
            folders: pattern.folders.clone(),
            path: pattern.is_checked().then_some(&fits),
            ..PhotoFilter::default()
        };
        reader.photo_ids(&filter).unwrap().len()
    };
    let whole = dir.join("link/20*");
    for (typed, wanted) in [
        ("link", 3),
        ("./link/2019", 1),
        ("link/a.jpg", 1),
        ("./link/2*", 2),
        (whole.to_str().unwrap(), 2),
        ("./link/2*/c.jpg", 1),
        ("pics [1]/2*", 2),
    ] {
        assert_eq!(count(typed), wanted, "{typed}");
    }
}
