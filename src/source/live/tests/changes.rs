//! Files and directories that come, change, move and go.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_written_file_is_reported_once_well_under_a_second() {
    let w = World::new(LiveConfig::default());
    let t = Instant::now();
    w.write("a.jpg", &[1; 100_000]);
    wait_until("the report", || w.reports("a.jpg") > 0);
    assert!(
        t.elapsed() < Duration::from_millis(900),
        "{:?}",
        t.elapsed()
    );
    w.converge();
    // A second one would come within the quiet time.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(w.reports("a.jpg"), 1);
}

#[test]
fn moves_renames_and_removals_are_reported_promptly() {
    let outside = tempfile::tempdir().unwrap();
    let w = World::new(LiveConfig::default());
    fs::write(outside.path().join("in.jpg"), b"in").unwrap();
    fs::rename(outside.path().join("in.jpg"), w.path("in.jpg")).unwrap();
    w.converge();
    fs::rename(w.path("in.jpg"), w.path("new.jpg")).unwrap();
    wait_until("both names", || {
        w.reports("in.jpg") > 1 && w.reports("new.jpg") > 0
    });
    w.converge();
    // The download's name never shows, the final one does.
    w.write("x.jpg.part", b"x");
    fs::rename(w.path("x.jpg.part"), w.path("x.jpg")).unwrap();
    w.converge();
    assert_eq!(w.reports("x.jpg.part"), 0);
    fs::remove_file(w.path("x.jpg")).unwrap();
    fs::rename(w.path("new.jpg"), outside.path().join("out.jpg")).unwrap();
    w.converge();
    assert!(w.state.lock().unwrap().index.is_empty());
}

#[test]
fn sidecars_are_followed_as_photos_are() {
    let w = World::new(LiveConfig::default());
    w.write("a.jpg", b"a");
    w.write("a.xmp", b"x");
    w.write("b.jpg.JSON", b"{}");
    w.write("video.mp4", b"v");
    w.converge();
    // Written beside it and put in its place, as programs do that mean to be safe.
    w.write("a.xmp.tmp", b"new words");
    fs::rename(w.path("a.xmp.tmp"), w.path("a.xmp")).unwrap();
    wait_until("the new one", || w.reports("a.xmp") > 1);
    w.converge();
    fs::remove_file(w.path("b.jpg.JSON")).unwrap();
    w.converge();
    assert_eq!(w.state.lock().unwrap().index.len(), 2);
    assert_eq!((w.reports("video.mp4"), w.reports("a.xmp.tmp")), (0, 0));
}

#[test]
fn a_slowly_growing_file_is_reported_once_in_its_final_form() {
    let w = World::new(LiveConfig::default());
    let mut f = fs::File::create(w.path("slow.jpg")).unwrap();
    for _ in 0..20 {
        f.write_all(&[7; 1024]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(w.reports("slow.jpg"), 0, "reported while it was written");
    drop(f);
    w.converge();
    assert_eq!(w.reports("slow.jpg"), 1);
    assert_eq!(
        w.state.lock().unwrap().index[&rel("slow.jpg")].size,
        20 * 1024
    );
}

#[test]
fn a_directory_moved_within_the_root_reports_under_its_new_name_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/deep/er")).unwrap();
    fs::write(dir.path().join("a/deep/er/1.jpg"), b"1").unwrap();
    let w = World::over(dir, LiveConfig::default());
    for round in 0..20 {
        let (old, new) = if round % 2 == 0 {
            ("a", "b")
        } else {
            ("b", "a")
        };
        fs::rename(w.path(old), w.path(new)).unwrap();
        w.converge();
        let file = format!("{new}/deep/er/r{round}.jpg");
        w.write(&file, b"late");
        w.converge();
        assert_eq!(w.reports(&format!("{old}/deep/er/r{round}.jpg")), 0);
    }
    assert!(w.saw(|e| matches!(e, SourceEvent::DirGone { path, .. } if *path == rel("a"))));
}

#[test]
fn directories_moved_in_out_and_deleted_converge() {
    let outside = tempfile::tempdir().unwrap();
    let w = World::new(LiveConfig::default());
    fs::create_dir_all(outside.path().join("t/u")).unwrap();
    fs::write(outside.path().join("t/u/1.jpg"), b"1").unwrap();
    fs::rename(outside.path().join("t"), w.path("t")).unwrap();
    w.converge();
    w.write("t/u/2.jpg", b"2");
    w.converge();
    fs::rename(w.path("t"), outside.path().join("t")).unwrap();
    w.converge();
    // The watch that went with it is gone: nothing out there is heard.
    wait_until("the watches to go", || w.source.health().watched_dirs == 1);
    fs::rename(outside.path().join("t"), w.path("t")).unwrap();
    w.converge();
    fs::remove_dir_all(w.path("t")).unwrap();
    w.converge();
    // The same name again, at once.
    for _ in 0..20 {
        fs::create_dir_all(w.path("t/u")).unwrap();
        w.write("t/u/3.jpg", b"3");
        fs::remove_dir_all(w.path("t")).unwrap();
        fs::create_dir_all(w.path("t/u")).unwrap();
        w.write("t/u/4.jpg", b"4");
        w.converge();
        fs::remove_dir_all(w.path("t")).unwrap();
    }
    w.converge();
}

#[test]
fn a_new_tree_and_a_file_in_it_at_once_is_never_missed() {
    let w = World::new(LiveConfig::default());
    for round in 0..300 {
        fs::create_dir_all(w.path(&format!("{round}/b/c"))).unwrap();
        w.write(&format!("{round}/b/c/x.jpg"), b"x");
        if round % 50 == 49 {
            w.converge();
        }
    }
    w.converge();
    assert_eq!(w.state.lock().unwrap().index.len(), 300);
}

#[test]
fn links_and_special_files_are_no_files() {
    let w = World::new(LiveConfig::default());
    symlink("/dev/zero", w.path("zero.jpg")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        w.path("fifo.jpg"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::create_dir(w.path("d")).unwrap();
    w.write("d/x.jpg", b"x");
    w.converge();
    // A directory becomes a link to another: the same names, but behind a link.
    fs::rename(w.path("d"), w.path("e")).unwrap();
    symlink("e", w.path("d")).unwrap();
    w.converge();
    let keys: Vec<RelPath> = w.state.lock().unwrap().index.keys().cloned().collect();
    assert_eq!(keys, [rel("e/x.jpg")]);
    // And back; the link must not have counted as a watched directory.
    fs::remove_file(w.path("d")).unwrap();
    fs::create_dir(w.path("d")).unwrap();
    w.write("d/y.jpg", b"y");
    w.converge();
}

#[test]
fn a_file_becomes_a_directory_and_back() {
    let w = World::new(LiveConfig::default());
    w.write("x.jpg", b"x");
    w.converge();
    fs::remove_file(w.path("x.jpg")).unwrap();
    fs::create_dir(w.path("x.jpg")).unwrap();
    w.write("x.jpg/y.jpg", b"x");
    w.converge();
    fs::remove_dir_all(w.path("x.jpg")).unwrap();
    w.write("x.jpg", b"z");
    w.converge();
}

#[test]
fn a_storm_of_everything_converges() {
    let w = World::new(LiveConfig::default());
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let dirs = ["", "a", "b", "a/c", "b/c", "a/c/d"];
    for step in 0..1500 {
        let (d, e) = (dirs[next(6) as usize], dirs[next(6) as usize]);
        let (f, g) = (
            w.path(&format!("{d}/{}.jpg", next(4))),
            w.path(&format!("{e}/{}.jpg", next(4))),
        );
        // Each may fail: what matters is what is there in the end.
        let _ = match next(8) {
            0 | 1 => fs::create_dir_all(w.path(d)),
            2 | 3 => fs::write(f, [1; 10]),
            4 => fs::rename(f, g),
            5 if !d.is_empty() && !e.is_empty() => fs::rename(w.path(d), w.path(e)),
            6 => fs::remove_file(f),
            7 if !d.is_empty() && step % 7 == 0 => fs::remove_dir_all(w.path(d)),
            _ => Ok(()),
        };
        if step % 300 == 299 {
            w.converge();
        }
    }
    w.converge();
}
