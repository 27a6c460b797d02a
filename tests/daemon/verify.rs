//! `photond verify`: rot is found, changes are no rot, and an interruption costs nothing.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use serde_json::Value;

use crate::env::{TestEnv, jpeg, permissions_bind};

/// Flips one bit in the middle of a file and leaves its time as it was.
fn rot(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before).unwrap();
}

/// Exit code and report.
fn verify(env: &TestEnv, args: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["verify", "--format", "json", "--rate", "0"];
    all.extend(args);
    let output = env.run(&all);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), report)
}

fn verdict(report: &Value, name: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|f| f["path"].as_str().unwrap().ends_with(name));
    found
        .map_or("none", |f| f["verdict"].as_str().unwrap())
        .to_owned()
}

fn library(env: &TestEnv, photos: u32) {
    for n in 0..photos {
        fs::write(env.photo(&format!("{n:03}.jpg")), jpeg(n)).unwrap();
    }
    assert_eq!(env.index()["failed"], 0);
}

#[test]
fn rot_is_told_from_changes_and_from_what_is_gone() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("more")).unwrap();
    for (n, name) in ["sound", "rotten", "changed", "gone", "twin", "more/other"]
        .iter()
        .enumerate()
    {
        fs::write(env.photo(&format!("{name}.jpg")), jpeg(n as u32)).unwrap();
    }
    fs::copy(env.photo("twin.jpg"), env.photo("more/copy.jpg")).unwrap();
    assert_eq!(
        env.run(&["verify"]).status.code(),
        Some(2),
        "there is no index yet"
    );
    env.index();
    let (code, report) = verify(&env, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["counts"]["sound"], 7);
    assert!(report["findings"].as_array().unwrap().is_empty());

    rot(&env.photo("rotten.jpg"));
    rot(&env.photo("twin.jpg"));
    fs::write(env.photo("changed.jpg"), jpeg(100)).unwrap();
    let later = SystemTime::now() + std::time::Duration::from_secs(60);
    let file = fs::File::options()
        .write(true)
        .open(env.photo("changed.jpg"))
        .unwrap();
    file.set_modified(later).unwrap();
    fs::remove_file(env.photo("gone.jpg")).unwrap();
    let before = fs::read(env.photo("rotten.jpg")).unwrap();
    let (code, report) = verify(&env, &["--all"]);
    assert_eq!(code, Some(2), "{report}");
    for (name, wanted) in [
        ("sound.jpg", "none"),
        ("rotten.jpg", "rotten"),
        ("twin.jpg", "rotten"),
        ("copy.jpg", "none"),
        ("changed.jpg", "changed"),
        ("gone.jpg", "gone"),
    ] {
        assert_eq!(verdict(&report, name), wanted, "{name}: {report}");
    }
    let twin = report["findings"].as_array().unwrap().iter();
    let twin = twin
        .clone()
        .find(|f| f["path"].as_str().unwrap().ends_with("twin.jpg"))
        .unwrap();
    assert!(
        twin["copies"][0]["path"]
            .as_str()
            .unwrap()
            .ends_with("more/copy.jpg"),
        "{twin}"
    );
    assert_eq!(report["sound"].as_array().unwrap().len(), 3);
    assert_eq!(
        fs::read(env.photo("rotten.jpg")).unwrap(),
        before,
        "nothing is repaired"
    );

    // Said in words, and remembered.
    let output = env.run(&["verify", "--rate", "0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("ROTTEN") && text.contains("more/copy.jpg"),
        "{text}"
    );
    assert!(text.contains("2 rotten, 1 changed"), "{text}");
    let status = env.status();
    assert_eq!(status["verify"]["last"]["counts"]["rotten"], 2, "{status}");
    assert!(env.ok(&["status"]).contains("ROTTEN"));

    // Parts of it.
    let more = env.photo("more");
    let (code, report) = verify(&env, &[more.to_str().unwrap()]);
    assert_eq!(
        (code, &report["planned"]),
        (Some(0), &Value::from(2)),
        "{report}"
    );
    let rotten = env.photo("rotten.jpg");
    let (code, report) = verify(&env, &[rotten.to_str().unwrap()]);
    assert_eq!(
        (code, &report["planned"]),
        (Some(2), &Value::from(1)),
        "{report}"
    );
    let nowhere = env.outside("nowhere");
    let said = env.refused(&["verify", nowhere.to_str().unwrap()]);
    assert!(said.contains("lies in no folder that is indexed"), "{said}");
}

#[test]
fn a_sample_is_so_many_and_finds_what_is_in_it() {
    let env = TestEnv::new();
    library(&env, 40);
    for n in 0..40 {
        rot(&env.photo(&format!("{n:03}.jpg")));
    }
    let (code, report) = verify(&env, &["--sample", "7"]);
    assert_eq!(code, Some(2));
    assert_eq!(report["counts"]["rotten"], 7, "{report}");
    assert_eq!(report["planned"], 7);
    let (_, report) = verify(&env, &["--sample", "50%"]);
    let rotten = report["counts"]["rotten"].as_u64().unwrap();
    // Out of 40, less than 5 or more than 35 happen once in ten million times.
    assert!(
        (5..=35).contains(&rotten),
        "seed {}: {rotten}",
        report["seed"]
    );
    let said = env.run(&["verify", "--sample", "none"]);
    assert_eq!(said.status.code(), Some(2));
}

#[test]
fn interrupted_it_goes_on_where_it_was() {
    let env = TestEnv::new();
    library(&env, 60);
    rot(&env.photo("002.jpg"));
    let size: u64 = (0..60)
        .map(|n| {
            fs::metadata(env.photo(&format!("{n:03}.jpg")))
                .unwrap()
                .len()
        })
        .sum();
    // Slow enough to be interrupted on any machine: all of it takes a minute.
    let slow = format!("{}", size as f64 / 60e6);
    for signal in ["TERM", "KILL"] {
        let mut command = env.command(&["verify", "--restart", "--rate", &slow]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = env.spawn(command);
        let current = || env.status()["verify"]["current"].clone();
        env.wait_until("some are read", || {
            current()["counts"]["sound"].as_u64() > Some(3)
        });
        // One at a time.
        let said = env.refused(&["verify"]);
        assert!(said.contains("another `photond verify`"), "{said}");
        running.signal(signal);
        if signal == "TERM" {
            assert_eq!(running.stop(), Some(2));
        } else {
            running.kill();
        }
        let left = current();
        let done = left["counts"]["sound"].as_u64().unwrap();
        assert!((4..59).contains(&done), "{left}");
        assert_eq!(left["counts"]["rotten"], 1, "{left}");
        let read = left["counts"]["bytes"].as_u64().unwrap();
        let output = env.run(&["verify", "--rate", "0", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("going on after"), "{said}");
        assert_eq!(
            output.status.code(),
            Some(2),
            "what was found before counts: {said}"
        );
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["seed"], left["seed"]);
        assert_eq!(report["counts"]["sound"], 59, "{report}");
        // The rotten one has been read twice, once; the rest once.
        let again = report["counts"]["bytes"].as_u64().unwrap();
        let twice = fs::metadata(env.photo("002.jpg")).unwrap().len();
        assert_eq!(again, size + twice, "{read} were read before");
        assert!(current().is_null());
    }
    // Another question is another run.
    let mut command = env.command(&["verify", "--rate", &slow]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let running = env.spawn(command);
    env.wait_until("it has begun", || {
        !env.status()["verify"]["current"].is_null()
    });
    running.stop();
    let (_, report) = verify(&env, &["--sample", "3"]);
    assert_eq!(report["planned"], 3);
    assert_eq!(
        report["counts"]["sound"].as_u64().unwrap() + report["counts"]["rotten"].as_u64().unwrap(),
        3
    );
}

#[test]
fn beside_a_daemon_a_changed_photo_is_no_rot() {
    let env = TestEnv::new();
    library(&env, 5);
    let daemon = env.watch();
    fs::write(env.photo("000.jpg"), jpeg(77)).unwrap();
    env.wait_for_truth();
    let (code, report) = verify(&env, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["counts"]["sound"], 5);
    assert!(env.ok(&["status"]).contains("5 photos read"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_folder_that_is_away_is_offline_and_an_unreadable_file_is_bad() {
    let env = TestEnv::new();
    library(&env, 4);
    let away = env.outside("away");
    fs::rename(env.photos(), &away).unwrap();
    let (code, report) = verify(&env, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["counts"]["offline"], 4, "{report}");
    fs::rename(&away, env.photos()).unwrap();
    if permissions_bind(&env.outside("")) {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |mode| fs::set_permissions(env.photo("001.jpg"), fs::Permissions::from_mode(mode));
        mode(0o000).unwrap();
        let (code, report) = verify(&env, &[]);
        assert_eq!(code, Some(2), "{report}");
        assert_eq!(verdict(&report, "001.jpg"), "unreadable");
        mode(0o600).unwrap();
    }
    assert_eq!(verify(&env, &[]).0, Some(0));
}

#[test]
fn names_that_are_no_text_are_verified_like_others() {
    let env = TestEnv::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9\n.jpg");
    let path = env.photos().join(name);
    if fs::write(&path, jpeg(1)).is_err() {
        eprintln!("skipped: this file system takes only UTF-8");
        return;
    }
    fs::write(env.photo("plain.jpg"), jpeg(2)).unwrap();
    env.index();
    rot(&path);
    let (code, report) = verify(&env, &[]);
    assert_eq!(code, Some(2));
    let finding = &report["findings"][0];
    let hex: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(finding["path_bytes"], hex, "{report}");
    let mut command = env.command(&["verify", "--rate", "0"]);
    let output = command.arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\\n.jpg"), "escaped: {text}");
}
