//! The walk against real trees: order, completeness, depth, and what it must not touch.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;
use crate::source::filter::FilterConfig;
use crate::source::testing::{deep_tree, open_dir_at};

fn filter(root: &Path) -> Filter {
    Filter::new(root, &FilterConfig::default()).unwrap()
}

fn rel(s: &str) -> RelPath {
    RelPath::from_bytes(s)
}

/// Every file the walk emits, in its order, and the summary.
fn files(root: &Path, start: &str) -> (Vec<RelPath>, WalkSummary) {
    let mut seen = Vec::new();
    let sum = walk(root, &rel(start), &filter(root), &mut |e| {
        if let WalkEvent::File { path, .. } = e {
            seen.push(path.clone());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (seen, sum)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The order is that of a plain sort of the paths, and nothing is left out or doubled.
    #[test]
    fn files_come_in_byte_order_of_their_paths(
        paths in prop::collection::btree_set("([a-c!-./0é]{1,3}/){0,3}[a-c!0-1 -]{1,3}", 1..40)
    ) {
        let t = tempfile::tempdir().unwrap();
        let mut expected = BTreeSet::new();
        for p in &paths {
            // Names the built-in rules leave out, and file/directory clashes, are not the point.
            let parts: Vec<&str> = p.split('/').filter(|c| !c.is_empty()).collect();
            if parts.iter().any(|c| c.starts_with('.') || c.contains('/')) {
                continue;
            }
            let p = parts.join("/");
            let full = t.path().join(&p);
            if std::fs::create_dir_all(full.parent().unwrap()).is_ok()
                && !full.is_dir()
                && std::fs::write(&full, b"").is_ok()
            {
                expected.insert(RelPath::from_bytes(p));
            }
        }
        let filter = filter(t.path());
        expected.retain(|p| filter.file_kind(p) == FileKind::Candidate);
        let (seen, sum) = files(t.path(), "");
        prop_assert_eq!(sum.files, seen.len() as u64);
        prop_assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_directory_sorts_as_its_name_with_a_slash() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir(t.path().join("a")).unwrap();
    for p in ["a!", "a/z", "a-b", "a0", "a.jpg"] {
        std::fs::write(t.path().join(p), b"").unwrap();
    }
    let (seen, _) = files(t.path(), "");
    let want = ["a!", "a-b", "a.jpg", "a/z", "a0"].map(rel);
    assert_eq!(seen, want);
}

#[test]
fn stamps_are_those_of_stat_and_names_are_bytes() {
    let t = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m.jpg");
    std::fs::write(t.path().join(name), b"1234").unwrap();
    std::fs::write(t.path().join("n".repeat(255)), b"").unwrap();
    let mut seen = Vec::new();
    walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        if let WalkEvent::File { path, stamp } = e {
            seen.push((path.clone(), stamp));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen.len(), 2);
    for (path, stamp) in seen {
        let meta = std::fs::metadata(path.under(t.path())).unwrap();
        assert_eq!(stamp, FileStamp::of(&meta));
    }
}

#[test]
fn a_directory_is_announced_before_it_is_read() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(t.path().join("a/b")).unwrap();
    let mut seen = Vec::new();
    walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        match e {
            // What appears while the visitor hears of the directory is found in it.
            WalkEvent::Dir { path } => {
                std::fs::write(path.under(t.path()).join("late.jpg"), b"").unwrap();
            }
            WalkEvent::File { path, .. } => seen.push(path.clone()),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, ["a/b/late.jpg", "a/late.jpg", "late.jpg"].map(rel));
}

#[test]
fn links_and_special_files_are_named_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.jpg"), b"").unwrap();
    let t = tempfile::tempdir().unwrap();
    symlink(outside.path(), t.path().join("out")).unwrap();
    symlink("/dev/zero", t.path().join("zero.jpg")).unwrap();
    symlink(".", t.path().join("loop")).unwrap();
    let fifo = t.path().join("f.jpg");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    std::fs::write(t.path().join("real.jpg"), b"").unwrap();
    let (seen, sum) = files(t.path(), "");
    assert_eq!(seen, [rel("real.jpg")]);
    assert_eq!((sum.links, sum.special, sum.dirs), (3, 1, 1));
    assert!(matches!(
        walk(t.path(), &rel("out"), &filter(t.path()), &mut |_| {
            ControlFlow::Continue(())
        }),
        Err(WalkError::StartGone { .. })
    ));
    // The root itself may be a link.
    symlink(t.path(), outside.path().join("rootlink")).unwrap();
    assert_eq!(
        files(&outside.path().join("rootlink"), "").0,
        [rel("real.jpg")]
    );
}

#[test]
fn sidecars_come_in_their_place_with_their_stamps() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir(t.path().join("a.xmp")).unwrap();
    for name in [
        "a.jpg",
        "a.jpg.xmp",
        "b.json",
        "a.xmp/c.jpg",
        "x.JSON",
        "v.mp4",
    ] {
        std::fs::write(t.path().join(name), name).unwrap();
    }
    std::fs::write(t.path().join(".photondignore"), "x.*\n").unwrap();
    symlink("b.json", t.path().join("link.json")).unwrap();
    let mut seen = Vec::new();
    let sum = walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        match e {
            WalkEvent::File { path, .. } => seen.push((path.clone(), false)),
            WalkEvent::Sidecar { path, stamp } => {
                let meta = std::fs::metadata(path.under(t.path())).unwrap();
                assert_eq!(stamp, FileStamp::of(&meta));
                seen.push((path.clone(), true));
            }
            WalkEvent::Dir { .. } => {}
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let want = [
        ("a.jpg", false),
        ("a.jpg.xmp", true),
        ("a.xmp/c.jpg", false),
        ("b.json", true),
    ];
    assert_eq!(seen, want.map(|(path, is_sidecar)| (rel(path), is_sidecar)));
    assert_eq!(
        (sum.files, sum.sidecars, sum.excluded.total(), sum.other),
        (2, 2, 2, 2)
    );
}

#[test]
fn excluded_places_are_not_entered_and_ignore_files_hold() {
    let t = tempfile::tempdir().unwrap();
    for d in [".git", "node_modules", "keep/skip", "keep/sub"] {
        std::fs::create_dir_all(t.path().join(d)).unwrap();
        std::fs::write(t.path().join(d).join("x.jpg"), b"").unwrap();
    }
    std::fs::write(t.path().join("keep/.photondignore"), "skip/\n*.png\n").unwrap();
    for f in ["keep/sub/a.png", "movie.mp4", "b.jpg.part"] {
        std::fs::write(t.path().join(f), b"").unwrap();
    }
    let (seen, sum) = files(t.path(), "");
    assert_eq!(seen, [rel("keep/sub/x.jpg")]);
    assert_eq!((sum.other, sum.temporary, sum.dirs), (1, 1, 3));
    let out = sum.excluded;
    assert_eq!((out.system, out.ignore_files, out.total()), (3, 2, 5));
    // Beginning further down, the rules above hold too; an excluded start is empty.
    assert_eq!(files(t.path(), "keep/sub").0, [rel("keep/sub/x.jpg")]);
    assert_eq!(files(t.path(), "keep/skip").1.dirs, 0);
    // A rule that is gone is forgotten.
    std::fs::remove_file(t.path().join("keep/.photondignore")).unwrap();
    assert_eq!(files(t.path(), "").0.len(), 3);
}

#[test]
fn a_marked_folder_is_announced_and_nothing_in_it_is_shown() {
    let t = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(t.path().join("a/closed/deep")).unwrap();
    for f in ["a/x.jpg", "a/closed/x.jpg", "a/closed/deep/x.jpg"] {
        std::fs::write(t.path().join(f), b"").unwrap();
    }
    std::fs::write(t.path().join("a/closed/.noimage"), b"").unwrap();
    let filter = filter(t.path());
    let seen = |start: &str| {
        let (mut dirs, mut files) = (Vec::new(), Vec::new());
        let sum = walk(t.path(), &rel(start), &filter, &mut |e| {
            match e {
                WalkEvent::Dir { path } => dirs.push(path.to_string()),
                WalkEvent::File { path, .. } => files.push(path.to_string()),
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        });
        (dirs, files, sum.unwrap().excluded.marked)
    };
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let wanted = (own(&["", "a", "a/closed"]), own(&["a/x.jpg"]), 1);
    assert_eq!(seen(""), wanted);
    assert_eq!(seen("a/closed"), (own(&["a/closed"]), Vec::new(), 1));
    assert_eq!(seen("a/closed/deep"), (Vec::new(), Vec::new(), 0));
    std::fs::remove_file(t.path().join("a/closed/.noimage")).unwrap();
    // A walk that begins further down learns that the mark is gone.
    assert_eq!(seen("a/closed/deep").1, own(&["a/closed/deep/x.jpg"]));
    assert_eq!(seen("").1.len(), 3);
}

#[test]
fn an_unreadable_directory_is_reported_and_the_rest_goes_on() {
    if rustix::process::geteuid().is_root() && !drop_read_override() {
        // Root reads everything; the kernel gave no way to stop that in this thread.
        return;
    }
    let t = tempfile::tempdir().unwrap();
    for d in ["a", "b", "c"] {
        std::fs::create_dir(t.path().join(d)).unwrap();
        std::fs::write(t.path().join(d).join("x.jpg"), b"").unwrap();
    }
    let lock = |mode| {
        std::fs::set_permissions(t.path().join("b"), std::fs::Permissions::from_mode(mode))
            .unwrap();
    };
    lock(0o000);
    let mut trouble = Vec::new();
    let sum = walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        if let WalkEvent::Unreadable {
            path,
            is_dir,
            error,
        } = e
        {
            trouble.push((path.clone(), is_dir, error.kind()));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((sum.files, sum.unreadable), (2, 1));
    assert_eq!(trouble, [(rel("b"), true, io::ErrorKind::PermissionDenied)]);
    // The names can be listed, but nothing can be said of the files.
    lock(0o444);
    assert_eq!(files(t.path(), "").1.unreadable, 1);
    lock(0o755);
    assert_eq!(files(t.path(), "").1.files, 3);
}

/// Takes from this thread the right to read what permissions forbid. False if that is not
/// possible here.
#[cfg(target_os = "linux")]
fn drop_read_override() -> bool {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let Ok(mut sets) = capabilities(None) else {
        return false;
    };
    sets.effective &= !(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, sets).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn drop_read_override() -> bool {
    false
}

#[test]
fn a_tree_of_2000_levels_is_walked_with_few_open_directories() {
    let t = tempfile::tempdir().unwrap();
    let deepest = deep_tree(t.path(), 2000, 1, b"z.jpg");
    // A sibling after the deep child at every tenth level: the walk must come back out.
    let mut at = open_root(t.path()).unwrap();
    for level in 0..200u32 {
        if level % 10 == 0 {
            rustix::fs::mkdirat(at.as_fd(), "e", Mode::RWXU).unwrap();
            rustix::fs::openat(
                at.as_fd(),
                "e/s.jpg",
                OFlags::WRONLY | OFlags::CREATE,
                Mode::RUSR,
            )
            .unwrap();
        }
        at = open_dir_at(at.as_fd(), b"d").unwrap();
    }
    let mut walked = Vec::new();
    let mut most_open = 0;
    walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        match e {
            WalkEvent::File { path, .. } => walked.push(path.clone()),
            WalkEvent::Dir { path } if path.as_bytes().len() > 3990 => {
                most_open = most_open.max(open_below(t.path()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(walked.len(), 21);
    assert_eq!(walked[0], deepest);
    assert!(walked.is_sorted());
    assert!(most_open <= 4, "{most_open} directories open");
    // Ten-kilobyte paths too.
    let t = tempfile::tempdir().unwrap();
    let deepest = deep_tree(t.path(), 50, 255, b"z.jpg");
    assert_eq!(files(t.path(), "").0, [deepest]);
}

/// How many descriptors of this process are open at or below `root`.
fn open_below(root: &Path) -> usize {
    let Ok(fds) = std::fs::read_dir("/proc/self/fd") else {
        return 0;
    };
    fds.flatten()
        .filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|p| p.starts_with(root)))
        .count()
}

#[test]
fn the_walk_says_why_it_cannot_begin_and_stops_when_told() {
    let t = tempfile::tempdir().unwrap();
    std::fs::write(t.path().join("f"), b"").unwrap();
    let f = filter(t.path());
    let go = &mut |_: WalkEvent<'_>| ControlFlow::Continue(());
    let missing = walk(&t.path().join("nix"), &rel(""), &f, go);
    assert!(matches!(missing, Err(WalkError::RootMissing { .. })));
    let file = walk(&t.path().join("f"), &rel(""), &f, go);
    assert!(matches!(file, Err(WalkError::NotADirectory { .. })));
    assert!(matches!(
        walk(t.path(), &rel("d"), &f, go),
        Err(WalkError::StartGone { .. })
    ));
    let mut n = 0;
    let sum = walk(t.path(), &rel(""), &f, &mut |_| {
        n += 1;
        ControlFlow::Break(())
    });
    assert_eq!((n, sum.unwrap().stopped), (1, true));
}

#[test]
fn what_is_deleted_during_the_walk_is_skipped_quietly() {
    let t = tempfile::tempdir().unwrap();
    for d in ["a", "b", "c"] {
        std::fs::create_dir(t.path().join(d)).unwrap();
        std::fs::write(t.path().join(d).join("x.jpg"), b"").unwrap();
    }
    let mut seen = Vec::new();
    let sum = walk(t.path(), &rel(""), &filter(t.path()), &mut |e| {
        match e {
            WalkEvent::Dir { path } if *path == rel("a") => {
                std::fs::remove_dir_all(t.path().join("b")).unwrap();
            }
            WalkEvent::Dir { path } if *path == rel("c") => {
                std::fs::remove_dir_all(t.path().join("c")).unwrap();
            }
            WalkEvent::File { path, .. } => seen.push(path.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, [rel("a/x.jpg")]);
    assert_eq!(sum.unreadable, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernels_own_file_systems_are_not_entered() {
    let mut entered = 0;
    let sum = walk(
        Path::new("/proc"),
        &rel(""),
        &filter(Path::new("/proc")),
        &mut |_| {
            entered += 1;
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!((entered, sum.pseudo, sum.dirs), (0, 1, 0));
}
