//! The life of a root: settings that change, folders that come, go, hang and come back.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::env::{TestEnv, jpeg, save};

fn missing(env: &TestEnv) -> i64 {
    env.status()["counts"]["missing"].as_i64().unwrap()
}

#[test]
fn links_made_beside_an_index_run_leave_no_photo_out() {
    let env = TestEnv::new();
    let names: Vec<String> = (0..120).map(|n| format!("{n:03}.jpg")).collect();
    for (n, name) in names.iter().enumerate() {
        fs::write(env.photo(name), jpeg(n as u32)).unwrap();
    }
    let done = AtomicBool::new(false);
    let summary = std::thread::scope(|scope| {
        scope.spawn(|| {
            // As `cp -al` does it, over and over: every photo's ctime moves all the time.
            let links = env.outside("links");
            while !done.load(Ordering::Relaxed) {
                fs::create_dir_all(&links).unwrap();
                for name in &names {
                    fs::hard_link(env.photo(name), links.join(name)).unwrap();
                }
                fs::remove_dir_all(&links).unwrap();
            }
        });
        // The links end before the last tries of the run do.
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(3));
            done.store(true, Ordering::Relaxed);
        });
        let summary = env.index();
        done.store(true, Ordering::Relaxed);
        summary
    });
    let mut indexed = env.paths();
    indexed.sort();
    assert_eq!(indexed, names, "{summary}");
}

#[test]
fn what_is_written_under_one_name_is_seen_under_all() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("album")).unwrap();
    fs::write(env.photo("one.jpg"), jpeg(1)).unwrap();
    fs::hard_link(env.photo("one.jpg"), env.photo("album/two.jpg")).unwrap();
    let daemon = env.watch();
    env.wait_for_truth();
    fs::write(env.photo("album/two.jpg"), jpeg(2)).unwrap();
    env.wait_for_truth();
    daemon.stop();
}

#[test]
fn settings_read_again_ten_times_in_a_row_lose_nothing() {
    let env = TestEnv::new();
    let roots = |names: &[&str]| {
        let paths: Vec<String> = names
            .iter()
            .map(|n| format!("{:?}", env.photo(n).display().to_string()))
            .collect();
        env.configure(&format!(
            "roots = [{}]\n[labels]\nterms = 0\n[detect]\ntext = false\n",
            paths.join(", ")
        ));
    };
    for folder in ["a", "a/inner", "b", "c"] {
        fs::create_dir_all(env.photo(folder)).unwrap();
        for n in 0..40 {
            let seed = n + 100 * folder.len() as u32 + u32::from(folder.as_bytes()[0]);
            fs::write(env.photo(&format!("{folder}/{n}.jpg")), jpeg(seed)).unwrap();
        }
    }
    roots(&["a/inner", "b"]);
    let mut command = env.command(&["watch"]);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let daemon = env.spawn(command);
    env.wait_until("it has begun", || {
        env.run(&["status"]).status.success() && env.status()["daemon"]["alive"] == true
    });
    let plans: [&[&str]; 5] = [
        &["a", "b"],
        &["a/inner", "c"],
        &["b"],
        &["b", "c", "a/inner"],
        &["a", "b", "c"],
    ];
    for round in 0..10 {
        roots(plans[round % plans.len()]);
        daemon.signal("HUP");
        std::thread::sleep(Duration::from_millis(20 * (round as u64 % 3)));
    }
    env.wait_for_truth();
    fs::write(env.photo("a/inner/late.jpg"), jpeg(9999)).unwrap();
    fs::write(env.photo("c/late.jpg"), jpeg(9998)).unwrap();
    env.wait_for_truth();
    // Bad settings change nothing.
    env.configure("roots = [");
    daemon.signal("HUP");
    fs::write(env.photo("b/later.jpg"), jpeg(9997)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    roots(&["a", "b", "c"]);
    env.wait_for_truth();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn very_many_that_leave_before_its_eyes_are_held_until_a_person_says_so() {
    let env = TestEnv::new();
    for folder in ["keep", "lose"] {
        fs::create_dir(env.photo(folder)).unwrap();
        for n in 0..130u32 {
            let seed = n + if folder == "keep" { 0 } else { 1000 };
            fs::write(env.photo(&format!("{folder}/{n}.jpg")), jpeg(seed)).unwrap();
        }
    }
    let daemon = env.watch();
    env.wait_for_truth();
    fs::rename(env.photo("lose"), env.outside("lost")).unwrap();
    env.wait_until("they are held", || missing(&env) == 130);
    assert!(
        env.ok(&["status"])
            .contains("130 files disappeared at once")
    );
    // They come back: nothing is missing any more.
    fs::rename(env.outside("lost"), env.photo("lose")).unwrap();
    env.wait_until("they are back", || missing(&env) == 0);
    env.wait_for_truth();
    // A rename within the folder is no disappearance.
    fs::rename(env.photo("lose"), env.photo("found")).unwrap();
    env.wait_for_truth();
    env.wait_until("nothing is held", || missing(&env) == 0);
    // Deleted one by one, and confirmed while the daemon runs.
    fs::remove_dir_all(env.photo("found")).unwrap();
    env.wait_until("they are held", || missing(&env) >= 25);
    env.wait_until("all that left is accounted for", || {
        let counts = &env.status()["counts"];
        counts["indexed"] == 130 && env.status()["daemon"]["activity"] == "idle"
    });
    env.ok(&["confirm"]);
    assert_eq!(missing(&env), 0);
    env.wait_for_truth();
    assert_eq!(
        env.run(&["confirm"]).status.code(),
        Some(1),
        "nothing is left to confirm"
    );
    // Forgotten while it runs, and watched no more.
    let photos = env.photos();
    assert!(
        env.ok(&["forget", photos.to_str().unwrap()])
            .contains("130 files forgotten")
    );
    assert!(env.paths().is_empty());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_ignore_file_that_cannot_be_read_stops_its_folder_and_is_told() {
    let env = TestEnv::new();
    fs::create_dir_all(env.photo("a/private")).unwrap();
    save(1, &env.photo("open.jpg"));
    save(2, &env.photo("a/one.jpg"));
    let rules = env.photo("a/.photondignore");
    fs::write(&rules, "private/\n").unwrap();
    save(3, &env.photo("a/private/two.jpg"));
    env.index();
    assert_eq!(env.paths(), ["a/one.jpg", "open.jpg"]);
    let daemon = env.watch();
    // More than any list of rules has; put there at once, so that there is never no rule.
    let put = |text: &[u8]| {
        fs::write(env.outside("rules"), text).unwrap();
        fs::rename(env.outside("rules"), &rules).unwrap();
    };
    put(&vec![b'#'; 2 << 20]);
    save(4, &env.photo("a/private/three.jpg"));
    let told = || {
        let status = env.status();
        let errors = status["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .any(|e| e["error"].as_str().unwrap().contains(".photondignore"))
    };
    env.wait_until("it is told", told);
    save(5, &env.photo("open2.jpg"));
    env.wait_for_paths(&["a/one.jpg", "open.jpg", "open2.jpg"]);
    put(b"private/\n");
    env.wait_until("it is mended", || !told());
    env.wait_for_paths(&["a/one.jpg", "open.jpg", "open2.jpg"]);
    daemon.stop();
}

#[test]
fn a_folder_that_is_not_there_does_not_keep_the_others_from_being_indexed() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let (photos, nowhere) = (env.photos(), env.outside("nowhere"));
    let args = ["index", photos.to_str().unwrap(), nowhere.to_str().unwrap()];
    let run = env.run(&args);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    assert_eq!(env.paths(), ["a.jpg"]);
    let daemon = env.start(&[nowhere.to_str().unwrap()], |_| {});
    save(2, &env.photo("b.jpg"));
    env.wait_for_paths(&["a.jpg", "b.jpg"]);
    // And it is taken on when it comes.
    fs::create_dir(&nowhere).unwrap();
    save(3, &nowhere.join("c.jpg"));
    env.wait_until("it is there", || env.query(&[]).len() == 3);
    daemon.stop();
    // None at all is a mistake.
    let wrong = env.run(&["index", env.outside("wrong").to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(78));
}

#[test]
fn a_folder_that_was_moved_is_known_by_what_is_in_it() {
    let env = TestEnv::new();
    for n in 0..6 {
        save(n, &env.photo(&format!("{n}.jpg")));
    }
    env.index();
    let moved = env.outside("moved");
    fs::rename(env.photos(), &moved).unwrap();
    let summary = env.json(&["index", "--format", "json", moved.to_str().unwrap()]);
    assert_eq!(summary["opened"], 0, "{summary}");
    let rows = env.query(&[]);
    assert_eq!(rows.len(), 6, "no photo twice");
    let there = fs::canonicalize(&moved).unwrap();
    assert!(rows.iter().all(|r| {
        r["path"]
            .as_str()
            .unwrap()
            .starts_with(there.to_str().unwrap())
    }));
    assert_eq!(env.status()["roots"].as_array().unwrap().len(), 1);
}

#[test]
fn a_pause_holds_what_comes_in_and_outlives_the_daemon() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let daemon = env.watch();
    env.wait_for_truth();
    env.ok(&["pause", "2h"]);
    env.wait_until("it rests", || env.status()["daemon"]["resting"].is_string());
    save(2, &env.photo("b.jpg"));
    env.wait_until("it has heard of it", || {
        env.status()["daemon"]["queue"] == 1
    });
    assert_eq!(env.paths(), ["a.jpg"]);
    assert_eq!(daemon.stop(), Some(0), "a pause does not hold up a stop");
    let daemon = env.start(&[], |_| {});
    env.wait_until("it rests again", || {
        env.status()["daemon"]["resting"].is_string()
    });
    assert_eq!(env.paths(), ["a.jpg"]);
    env.ok(&["resume"]);
    env.wait_for_truth();
    assert_eq!(env.run(&["resume"]).status.code(), Some(1));
    daemon.stop();
}
