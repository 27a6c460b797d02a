//! The rules, each by example, and one property: what is left out stays out.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn rel(s: &str) -> RelPath {
    RelPath::from_bytes(s)
}

fn filter(root: &Path, exclude: &[&str], hidden: bool) -> Filter {
    let exclude = exclude.iter().map(ToString::to_string).collect();
    Filter::new(root, &FilterConfig { exclude, hidden }).unwrap()
}

#[test]
fn kinds_by_name() {
    let f = filter(Path::new("/x"), &[], false);
    let table = [
        ("a.jpg", FileKind::Candidate),
        ("a.JPG", FileKind::Candidate),
        ("noext", FileKind::Candidate),
        ("a.unknown", FileKind::Candidate),
        ("d/\u{e9}.jpg", FileKind::Candidate),
        ("a.MP4", FileKind::OtherKind),
        ("LICENSE", FileKind::OtherKind),
        ("a.XMP", FileKind::Sidecar),
        ("a.jpg.json", FileKind::Sidecar),
        (".a.xmp", FileKind::Excluded),
        ("._a.xmp", FileKind::Excluded),
        ("node_modules/a.json", FileKind::Excluded),
        (".a.jpg.xmp.Xy12Zz", FileKind::Temporary),
        ("Thumbs.db", FileKind::OtherKind),
        (".a.jpg", FileKind::Excluded),
        ("._a.jpg", FileKind::Excluded),
        (".photondignore", FileKind::Excluded),
        ("node_modules/a.jpg", FileKind::Excluded),
        ("x/.git/y/z/a.jpg", FileKind::Excluded),
        ("x/@eaDir/a.jpg", FileKind::Excluded),
        ("L.photoslibrary/resources/a.jpg", FileKind::Excluded),
        ("L.photoslibrary/originals/0/a.jpg", FileKind::Candidate),
        ("a.jpg.part", FileKind::Temporary),
    ];
    for (path, kind) in table {
        assert_eq!(f.file_kind(&rel(path)), kind, "{path}");
    }
}

#[test]
fn hidden_files_can_be_asked_for_but_not_the_built_in_list() {
    let f = filter(Path::new("/x"), &[], true);
    assert_eq!(f.file_kind(&rel(".a.jpg")), FileKind::Candidate);
    assert_eq!(f.file_kind(&rel(".private/a.jpg")), FileKind::Candidate);
    for p in [
        ".git/a.jpg",
        ".thumbnails/a.jpg",
        ".Trash-1000/a.jpg",
        "._a.jpg",
    ] {
        assert_eq!(f.file_kind(&rel(p)), FileKind::Excluded, "{p}");
    }
}

#[test]
fn configured_globs_are_relative_to_the_root() {
    let f = filter(
        Path::new("/x"),
        &["/top", "*.gif", "deep/*/x.jpg", "only/"],
        false,
    );
    assert!(f.dir_excluded(&rel("top")) && !f.dir_excluded(&rel("a/top")));
    assert!(f.dir_excluded(&rel("top/below")));
    assert_eq!(f.file_kind(&rel("a/b.gif")), FileKind::Excluded);
    assert_eq!(f.file_kind(&rel("deep/1/x.jpg")), FileKind::Excluded);
    assert_eq!(f.file_kind(&rel("deep/1/2/x.jpg")), FileKind::Candidate);
    assert!(f.dir_excluded(&rel("only")));
    assert_eq!(f.file_kind(&rel("only")), FileKind::Candidate);
}

#[test]
fn a_bad_glob_is_named() {
    let cfg = FilterConfig {
        exclude: vec!["ok".into(), "a[b".into()],
        hidden: false,
    };
    let e = Filter::new(Path::new("/x"), &cfg).unwrap_err();
    assert!(
        matches!(&e, FilterError::BadGlob { glob, .. } if glob == "a[b"),
        "{e}"
    );
}

#[test]
fn nested_ignore_files_hold_for_their_subtree_and_the_nearest_wins() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(t.path().join("a/b")).unwrap();
    std::fs::write(t.path().join(IGNORE_FILE), "*.png\n/a/secret\n").unwrap();
    std::fs::write(
        t.path().join("a/b").join(IGNORE_FILE),
        "!keep.png\r\n/x.jpg\r\n",
    )
    .unwrap();
    let f = filter(t.path(), &["*.png"], false);
    f.learn_with_ancestors(&rel("a/b"));
    let table = [
        ("x.png", FileKind::Excluded),
        ("a/secret/x.jpg", FileKind::Excluded),
        ("secret/x.jpg", FileKind::Candidate),
        ("a/b/x.png", FileKind::Excluded),
        ("a/b/keep.png", FileKind::Candidate),
        ("a/keep.png", FileKind::Excluded),
        ("a/b/x.jpg", FileKind::Excluded),
        ("a/b/c/x.jpg", FileKind::Candidate),
    ];
    for (path, kind) in table {
        assert_eq!(f.file_kind(&rel(path)), kind, "{path}");
    }
    std::fs::remove_file(t.path().join(IGNORE_FILE)).unwrap();
    assert!(f.learn(&rel("")) && !f.learn(&rel("")));
    assert_eq!(f.file_kind(&rel("a/secret/x.jpg")), FileKind::Candidate);
    f.forget(&rel("a"));
    assert_eq!(f.file_kind(&rel("a/b/x.jpg")), FileKind::Candidate);
}

#[test]
fn a_bad_line_does_not_undo_the_others() {
    let t = tempfile::tempdir().unwrap();
    std::fs::write(t.path().join(IGNORE_FILE), b"{oops\nsecret\n\xff\n").unwrap();
    let f = filter(t.path(), &[], false);
    assert!(f.learn(&rel("")));
    assert!(f.dir_excluded(&rel("secret")));
}

#[test]
fn an_ignore_file_that_cannot_be_read_stops_its_folder() {
    let t = tempfile::tempdir().unwrap();
    let f = filter(t.path(), &[], false);
    let (dir, photo) = (rel("d"), rel("d/e/x.jpg"));
    let file = t.path().join("d").join(IGNORE_FILE);
    std::fs::create_dir(t.path().join("d")).unwrap();
    // A link, a folder, a file of more bytes than any list of rules has.
    let unusable: [&dyn Fn(); 3] = [
        &|| std::os::unix::fs::symlink("../rules", &file).unwrap(),
        &|| std::fs::create_dir(&file).unwrap(),
        &|| std::fs::write(&file, vec![b'#'; 2 << 20]).unwrap(),
    ];
    for make in unusable {
        make();
        assert!(f.learn(&dir));
        assert_eq!(f.file_kind(&photo), FileKind::Undecided);
        assert_eq!(f.file_kind(&rel("x.jpg")), FileKind::Candidate);
        assert!(
            f.unusable(&dir)
                .is_some_and(|e| e.to_string().contains(IGNORE_FILE))
        );
        let _ = std::fs::remove_dir(&file);
        let _ = std::fs::remove_file(&file);
        assert!(f.learn(&dir), "it is gone, and that is news");
        assert_eq!(f.file_kind(&photo), FileKind::Candidate);
    }
}

#[test]
fn what_is_left_out_further_up_is_decided_whatever_cannot_be_read_below() {
    let t = tempfile::tempdir().unwrap();
    let f = filter(t.path(), &[], false);
    let (dir, photo) = (rel("d"), rel("d/x.jpg"));
    // An ignore file that is no file.
    std::fs::create_dir_all(t.path().join("d").join(IGNORE_FILE)).unwrap();
    assert!(f.learn(&dir));
    assert_eq!(f.file_kind(&photo), FileKind::Undecided);
    std::fs::write(t.path().join(IGNORE_FILE), "d\n").unwrap();
    f.learn_with_ancestors(&dir);
    assert_eq!(f.file_kind(&photo), FileKind::Excluded);
    assert!(f.dir_excluded(&dir) && f.undecided_at(&dir).is_none());
}

proptest! {
    /// Whatever lies below a directory that is left out is left out.
    #[test]
    fn nothing_below_an_excluded_directory_comes_back(
        parts in prop::collection::vec("(a|b|top|\\.git|node_modules|[a-c]{1,2}\\.jpg|@eaDir)", 1..6),
        hidden: bool,
    ) {
        let f = filter(Path::new("/x"), &["top", "!b", "a/b"], hidden);
        let path = parts.join("/");
        let mut above = false;
        for dir in ancestors(&rel(&path)) {
            let out = f.dir_excluded(&dir);
            prop_assert!(!above || out, "{dir} came back");
            above = out;
            if out {
                prop_assert_eq!(f.file_kind(&dir.join(b"z.jpg")), FileKind::Excluded);
            }
        }
    }
}
