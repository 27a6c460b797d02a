//! The rules, each by example, and one property: what is left out stays out.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn rel(s: &str) -> RelPath {
    RelPath::from_bytes(s)
}

fn is_out(f: &Filter, path: &str) -> bool {
    matches!(f.file_kind(&rel(path)), FileKind::Excluded(_))
}

fn filter(root: &Path, exclude: &[&str], hidden: bool) -> Filter {
    let exclude = exclude.iter().map(ToString::to_string).collect();
    Filter::new(
        root,
        &FilterConfig {
            exclude,
            hidden,
            follow_links: false,
        },
    )
    .unwrap()
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
        (".a.xmp", FileKind::Excluded(Rule::Hidden)),
        ("._a.xmp", FileKind::Excluded(Rule::Companion)),
        ("node_modules/a.json", FileKind::Excluded(Rule::System)),
        (".a.jpg.xmp.Xy12Zz", FileKind::Temporary),
        ("Thumbs.db", FileKind::OtherKind),
        (".a.jpg", FileKind::Excluded(Rule::Hidden)),
        ("._a.jpg", FileKind::Excluded(Rule::Companion)),
        (".photondignore", FileKind::Excluded(Rule::System)),
        ("node_modules/a.jpg", FileKind::Excluded(Rule::System)),
        ("x/.git/y/z/a.jpg", FileKind::Excluded(Rule::System)),
        ("x/@eaDir/a.jpg", FileKind::Excluded(Rule::System)),
        (
            "L.photoslibrary/resources/a.jpg",
            FileKind::Excluded(Rule::System),
        ),
        ("a.jpg_original", FileKind::Excluded(Rule::Backup)),
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
        ".trashed-1700000000-IMG_1.jpg",
        "a.jpg_original",
        ".a.jpg~",
        ".nomedia",
    ] {
        assert!(is_out(&f, p), "{p}");
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
    assert!(is_out(&f, "a/b.gif") && is_out(&f, "deep/1/x.jpg"));
    assert_eq!(f.file_kind(&rel("deep/1/2/x.jpg")), FileKind::Candidate);
    assert!(f.dir_excluded(&rel("only")));
    assert_eq!(f.file_kind(&rel("only")), FileKind::Candidate);
}

#[test]
fn a_bad_glob_is_named() {
    let cfg = FilterConfig {
        exclude: vec!["ok".into(), "a[b".into()],
        ..FilterConfig::default()
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
        ("x.png", true),
        ("a/secret/x.jpg", true),
        ("secret/x.jpg", false),
        ("a/b/x.png", true),
        ("a/b/keep.png", false),
        ("a/keep.png", true),
        ("a/b/x.jpg", true),
        ("a/b/c/x.jpg", false),
    ];
    for (path, out) in table {
        assert_eq!(is_out(&f, path), out, "{path}");
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
    assert!(is_out(&f, "d/x.jpg"));
    assert!(f.dir_excluded(&dir) && f.undecided_at(&dir).is_none());
}

#[test]
fn a_mark_closes_its_folder_and_all_below_until_it_goes() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("d");
    std::fs::create_dir_all(dir.join("e")).unwrap();
    let f = filter(t.path(), &[], true);
    for mark in MARKS {
        std::fs::write(dir.join(mark), b"").unwrap();
        // Whatever an ignore file beside it says, and even if that cannot be read.
        std::fs::create_dir(dir.join(IGNORE_FILE)).unwrap();
        f.learn_with_ancestors(&rel("d/e"));
        assert_eq!(f.file_kind(&rel("d/x.jpg")), FileKind::Excluded(Rule::Mark));
        assert!(is_out(&f, "d/e/x.jpg") && f.dir_excluded(&rel("d/e")));
        assert!(!is_out(&f, "x.jpg"));
        assert!(
            !f.dir_excluded(&rel("d")),
            "watched, so that it is seen to go"
        );
        std::fs::remove_dir(dir.join(IGNORE_FILE)).unwrap();
        std::fs::remove_file(dir.join(mark)).unwrap();
        f.learn_with_ancestors(&rel("d/e"));
        assert_eq!(f.file_kind(&rel("d/e/x.jpg")), FileKind::Candidate);
    }
}

#[test]
fn a_rule_says_where_it_stands() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(t.path().join("a/closed/deep")).unwrap();
    std::fs::write(t.path().join("a/closed/.nomedia"), b"").unwrap();
    let rules = "\u{feff}# ours\n*.gif\r\n!x.gif\n/private \n*.gif\n";
    std::fs::write(t.path().join("a").join(IGNORE_FILE), rules).unwrap();
    let f = filter(t.path(), &["*.bmp", "/top/"], false);
    f.learn_with_ancestors(&rel("a/closed/deep"));
    let say = |path: &str, is_dir: bool| {
        f.explain(&rel(path), is_dir).map(|o| {
            let file = o.file.map(|file| file.to_string());
            (o.rule, o.at.to_string(), o.pattern, file, o.line)
        })
    };
    let own = |s: &str| s.to_owned();
    let by_file = |at: &str, pattern: &str, line| {
        let file = Some(own("a/.photondignore"));
        Some((
            Rule::IgnoreFile,
            own(at),
            Some(own(pattern)),
            file,
            Some(line),
        ))
    };
    assert_eq!(say("a/y.gif", false), by_file("a/y.gif", "*.gif", 5));
    assert_eq!(
        say("a/private/b/x.jpg", false),
        by_file("a/private", "/private", 4)
    );
    let mark = Some((
        Rule::Mark,
        own("a/closed"),
        None,
        Some(own("a/closed/.nomedia")),
        None,
    ));
    assert_eq!(say("a/closed/deep/x.jpg", false), mark);
    assert_eq!(say("a/closed", true), mark);
    let by_setting =
        |at: &str, pattern: &str| Some((Rule::Setting, own(at), Some(own(pattern)), None, None));
    assert_eq!(say("b/x.bmp", false), by_setting("b/x.bmp", "*.bmp"));
    assert_eq!(say("top/b/x.jpg", false), by_setting("top", "/top/"));
    let by_name = |rule, at: &str| Some((rule, own(at), None, None, None));
    assert_eq!(say(".git/x.jpg", false), by_name(Rule::System, ".git"));
    assert_eq!(say("b/.x.jpg", false), by_name(Rule::Hidden, "b/.x.jpg"));
    assert_eq!(say("b/x.jpg~", false), by_name(Rule::Backup, "b/x.jpg~"));
    for open in ["", "a", "b/x.jpg", "a/x.jpg", "x.gif", "b/x.mp4"] {
        assert_eq!(say(open, !open.contains('.')), None, "{open}");
    }
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
            prop_assert_eq!(f.explain(&dir, true).is_some(), out);
            if out {
                prop_assert!(matches!(f.file_kind(&dir.join(b"z.jpg")), FileKind::Excluded(_)));
            }
        }
    }
}
