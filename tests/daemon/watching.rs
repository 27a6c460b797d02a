//! The live daemon: what happens in the folder is in the index a moment later.

use std::fs;
use std::io::Write;

use crate::env::{TestEnv, jpeg, save};

#[test]
fn what_lands_is_found_and_what_leaves_is_not() {
    let env = TestEnv::new();
    save(1, &env.photo("first.jpg"));
    let daemon = env.watch();
    env.wait_for_paths(&["first.jpg"]);

    // Moved into place, copied in, and saved.
    save(2, &env.outside("moved.jpg"));
    fs::rename(env.outside("moved.jpg"), env.photo("moved.jpg")).unwrap();
    fs::copy(env.photo("first.jpg"), env.photo("copy.jpg")).unwrap();
    save(3, &env.photo("saved.png"));
    env.wait_for_paths(&["copy.jpg", "first.jpg", "moved.jpg", "saved.png"]);

    fs::rename(env.photo("moved.jpg"), env.photo("renamed.jpg")).unwrap();
    fs::remove_file(env.photo("copy.jpg")).unwrap();
    env.wait_for_paths(&["first.jpg", "renamed.jpg", "saved.png"]);

    let before = env.query(&["--path", "first.jpg"])[0]["hash"].clone();
    fs::write(env.photo("first.jpg"), jpeg(9)).unwrap();
    env.wait_until("the new content is known", || {
        env.query(&["--path", "first.jpg"])
            .first()
            .is_some_and(|r| r["hash"] != before)
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn folders_come_go_and_move_with_their_photos() {
    let env = TestEnv::new();
    let daemon = env.watch();
    fs::create_dir_all(env.photo("a/b/c")).unwrap();
    save(1, &env.photo("a/b/c/deep.jpg"));
    env.wait_for_paths(&["a/b/c/deep.jpg"]);

    // A whole tree moved in, and files landing in it later.
    fs::create_dir_all(env.outside("tree/x")).unwrap();
    save(2, &env.outside("tree/x/2.jpg"));
    fs::rename(env.outside("tree"), env.photo("tree")).unwrap();
    env.wait_for_paths(&["a/b/c/deep.jpg", "tree/x/2.jpg"]);
    save(3, &env.photo("tree/x/3.jpg"));
    env.wait_for_paths(&["a/b/c/deep.jpg", "tree/x/2.jpg", "tree/x/3.jpg"]);

    // Renamed: the watches must follow to the new place.
    fs::rename(env.photo("tree"), env.photo("wood")).unwrap();
    env.wait_for_paths(&["a/b/c/deep.jpg", "wood/x/2.jpg", "wood/x/3.jpg"]);
    save(4, &env.photo("wood/x/4.jpg"));
    env.wait_for_paths(&[
        "a/b/c/deep.jpg",
        "wood/x/2.jpg",
        "wood/x/3.jpg",
        "wood/x/4.jpg",
    ]);

    fs::remove_dir_all(env.photo("wood")).unwrap();
    fs::rename(env.photo("a"), env.outside("a")).unwrap();
    env.wait_for_paths(&[]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_file_being_written_is_indexed_once_and_whole() {
    let env = TestEnv::new();
    let daemon = env.watch();
    let bytes = jpeg(5);
    let mut file = fs::File::create(env.photo("slow.jpg")).unwrap();
    for chunk in bytes.chunks(bytes.len() / 12 + 1) {
        file.write_all(chunk).unwrap();
        file.flush().unwrap();
        // The pace of a slow copy; what is asserted does not depend on it.
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    drop(file);
    fs::write(env.photo("download.jpg.part"), &bytes).unwrap();
    env.wait_for_paths(&["slow.jpg"]);
    let status = env.status();
    assert_eq!(status["counts"]["failed"], 0, "never seen half: {status}");
    assert_eq!(
        env.query(&[])[0]["hash"],
        blake3::hash(&bytes).to_hex().as_str()
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_root_that_leaves_keeps_its_photos_and_comes_back() {
    let env = TestEnv::new();
    for i in 0..5 {
        save(i, &env.photo(&format!("{i}.jpg")));
    }
    let daemon = env.watch();
    assert_eq!(env.paths().len(), 5);
    let photos = env.photos();
    fs::rename(&photos, env.outside("unplugged")).unwrap();
    env.wait_until("the root is offline", || {
        env.status()["roots"][0]["state"] == "offline"
    });
    assert_eq!(env.query(&[]).len(), 5, "nothing is deleted");
    fs::rename(env.outside("unplugged"), &photos).unwrap();
    env.wait_until("the root is back", || {
        env.status()["roots"][0]["state"] == "online"
    });
    save(9, &env.photo("9.jpg"));
    env.wait_until("it is watched again", || env.query(&[]).len() == 6);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_mass_disappearance_is_held_until_it_is_confirmed() {
    let env = TestEnv::new();
    let bytes = jpeg(1);
    fs::create_dir(env.photo("many")).unwrap();
    for i in 0..150 {
        // Different content, cheaply: trailing bytes after the picture's end.
        let mut own = bytes.clone();
        own.extend(format!("{i}").bytes());
        fs::write(env.photo(&format!("many/{i}.jpg")), own).unwrap();
    }
    assert_eq!(env.index()["indexed"], 150);
    fs::rename(env.photo("many"), env.outside("many")).unwrap();
    save(1000, &env.photo("left.jpg"));
    let summary = env.index();
    assert_eq!(
        (&summary["held"], &summary["gone"]),
        (&150.into(), &0.into()),
        "{summary}"
    );
    fs::rename(env.outside("many"), env.photo("many")).unwrap();
    let summary = env.index();
    assert_eq!(
        (&summary["held"], &summary["decoded"]),
        (&0.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(env.query(&[]).len(), 151);
    fs::remove_dir_all(env.photo("many")).unwrap();
    let photos = env.photos();
    env.index();
    env.ok(&["index", "--confirm-deletions", photos.to_str().unwrap()]);
    assert_eq!(env.paths(), ["left.jpg"]);
    assert_eq!(env.status()["counts"]["missing"], 0);
}

#[test]
fn lost_events_become_a_scan() {
    // The kernel's queue holds 16,384 events; a stopped daemon cannot take any.
    const FILES: usize = 17_000;
    if !cfg!(target_os = "linux") {
        return;
    }
    let env = TestEnv::new();
    let daemon = env.watch_with(&[], |command| {
        // Without the model, so that the test is about events.
        command.env("ORT_DYLIB_PATH", "/nowhere");
    });
    daemon.hold();
    for i in 0..FILES {
        fs::write(
            env.photo(&format!("{i}.pgm")),
            format!("P2\n# {i}\n1 1\n255\n7\n"),
        )
        .unwrap();
    }
    daemon.signal("CONT");
    env.wait_until("every file is indexed", || {
        env.status()["counts"]["indexed"] == FILES
    });
    env.wait_until("the overflow is reported", || {
        env.status()["daemon"]["watch"]["overflows"].as_u64() > Some(0)
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn settings_are_read_again_and_bad_ones_change_nothing() {
    let env = TestEnv::new();
    save(1, &env.photo("keep.jpg"));
    fs::create_dir(env.photo("drafts")).unwrap();
    save(2, &env.photo("drafts/a.jpg"));
    let config = env.outside("config.toml");
    fs::write(&config, "labels.terms = 0\ndetect.text = false\n").unwrap();
    let daemon = env.watch_with(&["--config", config.to_str().unwrap()], |_| {});
    env.wait_for_paths(&["drafts/a.jpg", "keep.jpg"]);
    fs::write(&config, "exclude = 7\n").unwrap();
    daemon.signal("HUP");
    fs::write(env.photo("drafts/b.jpg"), jpeg(3)).unwrap();
    env.wait_for_paths(&["drafts/a.jpg", "drafts/b.jpg", "keep.jpg"]);
    fs::write(&config, "exclude = ['drafts/']\n").unwrap();
    daemon.signal("HUP");
    env.wait_for_paths(&["keep.jpg"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_storm_of_changes_ends_in_the_truth() {
    let env = TestEnv::new();
    let daemon = env.watch();
    let seed = std::process::id();
    eprintln!("seed {seed}");
    let mut state = u64::from(seed) | 1;
    let mut next = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % n as u64).unwrap()
    };
    let pool: Vec<Vec<u8>> = (0..12).map(jpeg).collect();
    let dirs = ["", "a/", "a/b/", "c/"];
    for _ in 0..600 {
        let place = |d: usize, f: usize| env.photo(&format!("{}{f}.jpg", dirs[d]));
        let (from, to) = (place(next(4), next(8)), place(next(4), next(8)));
        let _ = match next(7) {
            0 | 1 => fs::create_dir_all(to.parent().unwrap())
                .and_then(|()| fs::write(&to, &pool[next(12)])),
            2 | 3 => fs::rename(&from, &to),
            4 => fs::remove_file(&from),
            5 => fs::rename(
                env.photo(["a", "c", "d"][next(3)]),
                env.photo(["a", "c", "d"][next(3)]),
            ),
            // A file copied onto itself would be emptied.
            _ if from == to => Ok(()),
            _ => fs::copy(&from, &to).map(|_| ()),
        };
    }
    env.wait_for_truth();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn photos_that_were_there_before_the_model_get_their_tags() {
    let env = TestEnv::new();
    if !env.has_model() {
        return;
    }
    for i in 0..3 {
        save(i, &env.photo(&format!("{i}.jpg")));
    }
    // A first daemon without a runtime, a second with it; and one that starts from nothing.
    let daemon = env.watch_with(&[], |c| {
        c.env("ORT_DYLIB_PATH", "/nowhere");
    });
    assert_eq!(env.status()["counts"]["tagged"], 0);
    assert!(env.ok(&["status"]).contains("no tags yet"));
    assert_eq!(daemon.stop(), Some(0));
    let daemon = env.watch();
    env.wait_until("they are caught up", || {
        env.status()["counts"]["tagged"] == 3
    });
    assert_eq!(daemon.stop(), Some(0));

    let fresh = TestEnv::new();
    save(1, &fresh.photo("only.jpg"));
    let daemon = fresh.watch();
    fresh.wait_until("it has tags", || fresh.status()["counts"]["tagged"] == 1);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn new_folders_are_found_in_the_middle_of_a_first_scan_however_many() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("old")).unwrap();
    for i in 0..400 {
        fs::write(env.photo(&format!("old/{i}.jpg")), jpeg(i)).unwrap();
    }
    let photos = env.photos();
    let mut child = env
        .command(&["watch", photos.to_str().unwrap(), "--parallel", "1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    env.wait_until("the first scan is at work", || {
        let output = env.run(&["status", "--format", "json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .is_ok_and(|s| s["counts"]["indexed"].as_u64() > Some(0))
    });
    let bytes = jpeg(7);
    for i in 0..300 {
        fs::create_dir(env.photo(&format!("n{i}"))).unwrap();
        fs::write(env.photo(&format!("n{i}/x.jpg")), &bytes).unwrap();
    }
    env.wait_for_truth();
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn an_emptied_root_keeps_its_photos_until_it_is_confirmed() {
    let env = TestEnv::new();
    for i in 0..12 {
        save(i, &env.photo(&format!("{i}.jpg")));
    }
    let daemon = env.watch();
    let photos = env.photos();
    fs::rename(&photos, env.outside("away")).unwrap();
    fs::create_dir(&photos).unwrap();
    env.wait_until("they are held", || env.status()["counts"]["missing"] == 12);
    fs::remove_dir(&photos).unwrap();
    fs::rename(env.outside("away"), &photos).unwrap();
    env.wait_until("they are back", || env.query(&[]).len() == 12);
    assert_eq!(env.status()["counts"]["missing"], 0);
    assert_eq!(daemon.stop(), Some(0));
}
