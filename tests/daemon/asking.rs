//! What people type and ask: what is left out and why, names, paths, dates, plain words, and orders that a
//! running daemon obeys.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::env::{TestEnv, jpeg, save};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Names below the folder that a query finds, sorted.
fn found(env: &TestEnv, args: &[&str]) -> Vec<String> {
    let mut names = env.names(&env.query(args));
    names.sort();
    names
}

/// The same, asked from another folder.
fn found_from(env: &TestEnv, here: &str, args: &[&str]) -> Vec<String> {
    let mut command = env.command(&["query", "--format", "paths"]);
    let output = command
        .args(args)
        .current_dir(env.photo(here))
        .output()
        .unwrap();
    let photos = env.photos();
    let below = |line: &str| {
        let path = std::path::Path::new(line).strip_prefix(&photos).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut names: Vec<String> = out(&output).lines().map(below).collect();
    names.sort();
    names
}

fn why(env: &TestEnv, path: &str) -> Value {
    let path = env.photo(path);
    env.json(&["why", "--format", "json", path.to_str().unwrap()])
}

#[test]
fn copies_of_programs_and_closed_folders_are_left_out_and_counted() {
    let env = TestEnv::new();
    env.configure("hidden = true\n[labels]\nterms = 0\n[detect]\ntext = false\n");
    save(1, &env.photo("a.jpg"));
    fs::create_dir_all(env.photo("closed/deep")).unwrap();
    fs::write(env.photo("closed/.nomedia"), b"").unwrap();
    for (n, name) in [
        ".a.jpg",
        "._a.jpg",
        ".trashed-1700000000-IMG_1.jpg",
        "a.jpg_original",
        "b.jpg~",
        "b.jpg.orig",
        "closed/c.jpg",
        "closed/deep/d.jpg",
    ]
    .iter()
    .enumerate()
    {
        fs::write(env.photo(name), jpeg(10 + n as u32)).unwrap();
    }
    env.index();
    assert_eq!(env.paths(), [".a.jpg", "a.jpg"]);
    let skipped = env.status()["roots"][0]["skipped"].clone();
    let count = |rule: &str| skipped["rules"][rule].as_u64().unwrap();
    assert_eq!(
        (
            count("backups"),
            count("companions"),
            count("bin"),
            count("marked")
        ),
        (3, 1, 1, 1),
        "{skipped}"
    );
    let text = env.ok(&["status"]);
    assert!(text.contains("3 backup copies"), "{text}");
}

#[test]
fn a_mark_that_comes_or_goes_is_followed() {
    let env = TestEnv::new();
    fs::create_dir_all(env.photo("d/e")).unwrap();
    fs::write(env.photo("a.jpg"), jpeg(1)).unwrap();
    fs::write(env.photo("d/b.jpg"), jpeg(2)).unwrap();
    fs::write(env.photo("d/e/c.jpg"), jpeg(3)).unwrap();
    let daemon = env.watch();
    env.wait_for_paths(&["a.jpg", "d/b.jpg", "d/e/c.jpg"]);
    fs::write(env.photo("d/.noimage"), b"").unwrap();
    env.wait_for_paths(&["a.jpg"]);
    // What comes in now is left out too, and found when the mark has gone.
    fs::write(env.photo("d/e/late.jpg"), jpeg(4)).unwrap();
    fs::remove_file(env.photo("d/.noimage")).unwrap();
    env.wait_for_paths(&["a.jpg", "d/b.jpg", "d/e/c.jpg", "d/e/late.jpg"]);
    fs::write(env.photo("d/e/later.jpg"), jpeg(5)).unwrap();
    env.wait_until("the folder is watched again", || env.paths().len() == 5);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn why_names_the_rule_the_error_or_what_is_known() {
    let env = TestEnv::new();
    env.configure("exclude = [\n  \"*.gif\",\n]\n[labels]\nterms = 0\n[detect]\ntext = false\n");
    fs::create_dir_all(env.photo("closed")).unwrap();
    fs::create_dir_all(env.photo("sub")).unwrap();
    fs::write(env.photo("closed/.nomedia"), b"").unwrap();
    fs::write(env.photo("sub/.photondignore"), "# ours\n/private\n").unwrap();
    fs::write(env.photo("a.jpg"), jpeg(1)).unwrap();
    fs::write(env.photo("copy.jpg"), jpeg(1)).unwrap();
    fs::write(env.photo("bad.jpg"), "<html>no photo</html>").unwrap();
    fs::write(env.photo("clip.mp4"), b"film").unwrap();
    env.index();
    fs::write(env.photo("new.jpg"), jpeg(2)).unwrap();
    let check = |running: bool| {
        let photo = why(&env, "a.jpg");
        assert_eq!(photo["verdict"], "photo", "{photo}");
        assert_eq!(photo["photo"]["format"], "jpeg");
        assert!(
            photo["sentences"].to_string().contains("copy.jpg"),
            "{photo}"
        );
        let failed = why(&env, "bad.jpg");
        assert_eq!(failed["verdict"], "failed", "{failed}");
        assert_eq!(failed["failure"]["stage"], "inspect", "{failed}");
        for (path, rule, line) in [
            ("sub/private/x.jpg", "photondignore", 2),
            ("x.gif", "exclude", 2),
        ] {
            let out = why(&env, path);
            assert_eq!(out["verdict"], "left-out", "{out}");
            assert_eq!(
                (&out["rule"]["rule"], &out["rule"]["line"]),
                (&rule.into(), &line.into())
            );
        }
        let closed = why(&env, "closed/deep/x.jpg");
        assert_eq!(closed["rule"]["rule"], "mark");
        assert!(
            closed["rule"]["file"]
                .as_str()
                .unwrap()
                .ends_with("closed/.nomedia")
        );
        for (path, verdict) in [
            ("clip.mp4", "other-kind"),
            ("b.jpg~", "left-out"),
            ("sub", "folder"),
            ("", "root"),
            ("..", "around"),
            ("../elsewhere/x.jpg", "outside"),
        ] {
            assert_eq!(why(&env, path)["verdict"], verdict, "{path}");
        }
        let watched = if running {
            Value::Bool(true)
        } else {
            Value::Null
        };
        assert_eq!(why(&env, "sub")["watched"], watched);
        let gone = env.run(&["why", env.photo("nix.jpg").to_str().unwrap()]);
        assert_eq!(gone.status.code(), Some(1), "{}", out(&gone));
    };
    let waiting = why(&env, "new.jpg");
    assert_eq!(waiting["verdict"], "waiting", "{waiting}");
    check(false);
    let daemon = env.watch();
    env.wait_until("the new photo is indexed", || {
        why(&env, "new.jpg")["verdict"] == "photo"
    });
    check(true);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn names_and_paths_are_found_in_the_index_alone() {
    let env = TestEnv::new();
    let places: [&[u8]; 6] = [
        b"sub/IMG_0001.jpg",
        b"Trip [2019]/t.jpg",
        b"Hochzeit Anna/h.jpg",
        "Mu\u{308}nchen.jpg".as_bytes(),
        b"other/o.jpg",
        b"sub/deep/University notes.jpg",
    ];
    for (n, place) in places.iter().enumerate() {
        let path = env.photos().join(std::ffi::OsStr::from_bytes(place));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, jpeg(n as u32)).unwrap();
    }
    env.index();
    let check = || {
        let path = |typed: &str| found(&env, &["--path", typed]);
        let whole = env.photo("Trip [2019]");
        assert_eq!(path(whole.to_str().unwrap()), ["Trip [2019]/t.jpg"]);
        assert_eq!(path("Trip [2019]"), ["Trip [2019]/t.jpg"]);
        let of_sub = ["sub/IMG_0001.jpg", "sub/deep/University notes.jpg"];
        assert_eq!(path("sub"), of_sub);
        assert_eq!(path("*Hochzeit*"), ["Hochzeit Anna/h.jpg"]);
        assert_eq!(path("M\u{fc}nchen.jpg"), ["Mu\u{308}nchen.jpg"]);
        assert_eq!(path("/").len(), 6);
        let name = |typed: &str| found(&env, &["--name", typed]);
        assert_eq!(name("img_0001.JPG"), ["sub/IMG_0001.jpg"]);
        assert_eq!(name("0001"), ["sub/IMG_0001.jpg"]);
        assert_eq!(name("munchen"), ["Mu\u{308}nchen.jpg"]);
        assert_eq!(name("univ*notes.*"), ["sub/deep/University notes.jpg"]);
        assert_eq!(name("notes uni"), ["sub/deep/University notes.jpg"]);
        assert!(name("sub").is_empty());
    };
    check();
    let of_sub = ["sub/IMG_0001.jpg"];
    assert_eq!(found_from(&env, "other", &["--path", "../sub/*"]), of_sub);
    assert_eq!(
        found_from(&env, "", &["--path", "./sub", "--name", "img"]),
        of_sub
    );
    let photos = env.photos();
    std::os::unix::fs::symlink(&photos, env.outside("link")).unwrap();
    let link = env.outside("link/sub");
    assert_eq!(found(&env, &["--path", link.to_str().unwrap()]).len(), 2);
    for (typed, says) in [
        ("SUB", "do you mean"),
        ("/somewhere/else", "outside all folders"),
        ("*nothing*", "no path that is known matches"),
    ] {
        let nothing = env.run(&["query", "--path", typed]);
        assert_eq!(nothing.status.code(), Some(1));
        assert!(err(&nothing).contains(says), "{typed}: {}", err(&nothing));
    }
    // The disk need not be there.
    fs::rename(&photos, env.outside("away")).unwrap();
    check();
}

#[test]
fn dates_are_compared_by_the_clock_of_the_photo() {
    let env = TestEnv::new();
    for (n, name) in [
        "IMG_20191224_180000.jpg",
        "IMG_20190503_101112.jpg",
        "IMG_20181224_090000.jpg",
        "1978.jpg",
    ]
    .iter()
    .enumerate()
    {
        fs::write(env.photo(name), jpeg(n as u32)).unwrap();
    }
    env.index();
    let dated = |args: &[&str], zone: &str| {
        let mut command = env.command(&["query", "--format", "paths"]);
        let output = command.args(args).env("TZ", zone).output().unwrap();
        let name = |line: &str| line.rsplit('/').next().unwrap().to_owned();
        let mut names: Vec<String> = out(&output).lines().map(name).collect();
        names.sort();
        names
    };
    for zone in ["UTC", "Asia/Tokyo", "America/Los_Angeles"] {
        let day = ["IMG_20190503_101112.jpg"];
        for typed in [
            "2019/05/03",
            "20190503",
            "2019.05.03",
            "3 May 2019",
            "3.5.2019",
        ] {
            assert_eq!(
                dated(&["--since", typed, "--until", typed], zone),
                day,
                "{typed}"
            );
            assert_eq!(dated(&["--on", typed], zone), day, "{typed}");
        }
        assert_eq!(dated(&["--on", "2019-05"], zone), day);
        let eves = ["IMG_20181224_090000.jpg", "IMG_20191224_180000.jpg"];
        for typed in ["12-24", "*-12-24", "24 Dec", "*-12"] {
            assert_eq!(dated(&["--on", typed], zone), eves, "{typed}");
        }
        let later = ["--since", "2019-12-24T18:00", "--until", "2019-12-24T18:00"];
        assert_eq!(dated(&later, zone), ["IMG_20191224_180000.jpg"]);
        assert!(dated(&["--since", "tomorrow"], zone).is_empty());
    }
    let empty = env.refused(&["query", "--since", "2025", "--until", "2020"]);
    assert!(empty.contains("no photo can be both"), "{empty}");
    let two = env.refused(&["query", "--on", "3/5/2019"]);
    assert!(
        two.contains("2019-05-03") && two.contains("2019-03-05"),
        "{two}"
    );
    for typed in [
        "30days",
        "30 days",
        "last week",
        "monday",
        "may 2020",
        "2020-05-03T10:00:00Z",
    ] {
        let code = env.run(&["query", "--since", typed]).status.code();
        assert!(code == Some(0) || code == Some(1), "{typed} is understood");
    }
}

#[test]
fn a_content_is_one_result_unless_all_its_places_are_asked_for() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("d")).unwrap();
    for name in ["a.jpg", "b.jpg", "d/c.jpg"] {
        fs::write(env.photo(name), jpeg(1)).unwrap();
    }
    fs::write(env.photo("other.jpg"), jpeg(2)).unwrap();
    env.index();
    let rows = env.ok(&["query", "--format", "jsonl"]);
    let rows: Vec<Value> = rows
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().any(|row| row["copies"] == 3));
    assert_eq!(
        env.ok(&["query", "--all-paths", "--format", "paths"])
            .lines()
            .count(),
        4
    );
    let limited = env.ok(&["query", "--limit", "2", "--format", "paths"]);
    assert!(
        limited.contains("other.jpg"),
        "copies count once: {limited}"
    );
    let in_d = env.ok(&["query", "--path", "d", "--format", "paths"]);
    assert_eq!(
        in_d.lines().count(),
        1,
        "the place that was asked for: {in_d}"
    );
    let status = env.ok(&["status"]);
    assert!(status.contains("2 photos in 4 files, last"), "{status}");
    assert!(
        status.contains("2 photos in 4 files, 2 with")
            || status.contains("2 photos in 4 files, 0 with"),
        "{status}"
    );
    if env.has_model() {
        let like = env.photo("a.jpg");
        let args = [
            "query",
            "--like",
            like.to_str().unwrap(),
            "--all",
            "--format",
            "paths",
        ];
        assert_eq!(env.ok(&args).lines().count(), 2);
    }
}

#[test]
fn words_signs_and_slips_are_understood() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("dogs")).unwrap();
    fs::write(env.photo("dogs/IMG_0001.jpg"), jpeg(1)).unwrap();
    fs::write(env.photo("University notes.jpg"), jpeg(2)).unwrap();
    env.index();
    for args in [
        &["query", "--tag", "!dog"][..],
        &["query", "--tag", "not dog"],
        &["query", "--tag", "-dog"],
        &["query", "--tag=-dog"],
        &["query", "-dog"],
        &["query", "not", "dog"],
    ] {
        let said = env.refused(args);
        assert!(said.contains("--not-tag \"dog\""), "{args:?}: {said}");
    }
    let slip = env.run(&["query", "--tag", "pupy"]);
    assert_eq!(slip.status.code(), Some(1));
    assert!(err(&slip).contains("puppy"), "{}", err(&slip));
    // With a model and without one: the folder says so.
    assert_eq!(found(&env, &["dog"]), ["dogs/IMG_0001.jpg"]);
    let mut without = env.command(&["query", "dog", "--format", "paths"]);
    let without = without.env("ORT_DYLIB_PATH", "/nowhere").output().unwrap();
    assert!(
        out(&without).trim().ends_with("dogs/IMG_0001.jpg"),
        "{}",
        err(&without)
    );
    if !env.has_text() {
        return;
    }
    assert_eq!(
        found(&env, &["--text", "IMG_0001.jpg"]),
        ["dogs/IMG_0001.jpg"]
    );
    assert!(found(&env, &["--text", "universe"]).is_empty());
    let foreign = env.run(&["query", "ein Hund im Schnee"]);
    assert!(err(&foreign).contains("reads English"), "{}", err(&foreign));
    let plain = env.run(&["query", "a dog in the snow"]);
    assert!(!err(&plain).contains("English"), "{}", err(&plain));
    let mut child = env
        .command(&["query", "--like", "-", "--all", "--format", "paths"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&jpeg(2)).unwrap();
    let like = child.wait_with_output().unwrap();
    assert!(
        out(&like)
            .lines()
            .next()
            .unwrap()
            .ends_with("University notes.jpg")
    );
    let twice = env.refused(&["query", "--like", "-", "--like", "-"]);
    assert!(twice.contains("once"), "{twice}");
}

#[test]
fn settings_mistakes_name_the_line_and_what_to_write() {
    let env = TestEnv::new();
    for (text, says) in [
        ("roots = \"~/Pictures\"\n", "roots = [\"~/Pictures\"]"),
        ("\nexclude = [\"[\"]\n", "line 2"),
        ("hidden = yes\n", "`true` or `false`"),
        ("roots = [\"Pictures\"]\n", "~/Pictures"),
    ] {
        env.configure(text);
        let refused = env.run(&["index"]);
        assert_eq!(refused.status.code(), Some(78), "{text}");
        assert!(err(&refused).contains(says), "{text}: {}", err(&refused));
    }
    // The others are indexed, and what is missing is named.
    env.configure("");
    save(1, &env.photo("a.jpg"));
    let gone = env.outside("nope");
    let output = env.run(&[
        "index",
        env.photos().to_str().unwrap(),
        gone.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("nope"), "{}", err(&output));
    assert_eq!(env.paths(), ["a.jpg"]);
}

#[test]
fn a_running_daemon_makes_the_pass_and_forgets() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("sub")).unwrap();
    fs::create_dir(env.outside("guest")).unwrap();
    fs::write(env.photo("sub/a.jpg"), jpeg(1)).unwrap();
    for n in 2..5 {
        fs::write(env.outside(&format!("guest/{n}.jpg")), jpeg(n)).unwrap();
    }
    let guest = fs::canonicalize(env.outside("guest")).unwrap();
    let guest = guest.to_str().unwrap();
    let daemon = env.watch();
    let summary = env.json(&[
        "index",
        "--format",
        "json",
        env.photo("sub").to_str().unwrap(),
    ]);
    assert_eq!(summary["unchanged"], 1, "{summary}");
    let summary = env.json(&["index", "--format", "json", guest]);
    assert_eq!(
        (&summary["indexed"], &summary["failing"]),
        (&3.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(env.query(&["--path", guest]).len(), 3);
    // It is not kept: only what is watched is. The daemon's report comes a moment after its answer.
    env.wait_until("the guest is let go", || {
        env.status()["daemon"]["roots"].as_array().unwrap().len() == 1
    });
    let part = env.run(&["forget", env.photo("sub").to_str().unwrap()]);
    assert_eq!(part.status.code(), Some(1));
    assert!(err(&part).contains(".photondignore"), "{}", err(&part));
    env.ok(&["index", "--forget", guest]);
    assert!(env.query(&["--path", guest]).is_empty());
    env.ok(&[
        "index",
        "--confirm-deletions",
        env.photos().to_str().unwrap(),
    ]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn links_are_followed_if_that_is_wanted_each_target_once() {
    let env = TestEnv::new();
    for dir in ["album", "in"] {
        fs::create_dir(env.photo(dir)).unwrap();
    }
    fs::create_dir_all(env.outside("far/deep")).unwrap();
    fs::write(env.photo("in/a.jpg"), jpeg(1)).unwrap();
    fs::write(env.outside("far/b.jpg"), jpeg(2)).unwrap();
    fs::write(env.outside("far/deep/c.jpg"), jpeg(3)).unwrap();
    fs::write(env.outside("single.jpg"), jpeg(4)).unwrap();
    for (target, link) in [
        ("../far", "far"),
        ("../far/deep", "deep"),
        ("..", "up"),
        (".", "loop"),
        ("in", "again"),
        ("../../single.jpg", "album/one.jpg"),
        ("../single.jpg", "two.jpg"),
        ("../in/a.jpg", "album/a.jpg"),
        ("../../far/b.jpg", "album/b.jpg"),
        ("nowhere", "dangling.jpg"),
    ] {
        std::os::unix::fs::symlink(target, env.photo(link)).unwrap();
    }
    std::os::unix::fs::symlink("../photos", env.outside("far/back")).unwrap();
    let names = || {
        let rows = env.query(&[]);
        let name = |row: &Value| {
            row["path"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        };
        let mut names: Vec<String> = rows.iter().map(name).collect();
        names.sort();
        names
    };
    env.index();
    assert_eq!(names(), ["a.jpg"]);
    assert_eq!(env.status()["roots"][0]["skipped"]["links"], 10);

    env.configure("follow_symlinks = true\n[labels]\nterms = 0\n[detect]\ntext = false\n");
    env.index();
    let all = ["a.jpg", "b.jpg", "c.jpg", "one.jpg"];
    assert_eq!(names(), all);
    let daemon = env.watch();
    fs::write(env.outside("far/late.jpg"), jpeg(5)).unwrap();
    env.wait_until("what comes in behind a link is seen", || {
        names().contains(&"late.jpg".to_owned())
    });
    fs::create_dir(env.outside("new")).unwrap();
    fs::write(env.outside("new/n.jpg"), jpeg(6)).unwrap();
    std::os::unix::fs::symlink("../new", env.photo("new")).unwrap();
    env.wait_until("a new link is followed", || {
        names().contains(&"n.jpg".to_owned())
    });
    fs::remove_file(env.photo("new")).unwrap();
    fs::remove_file(env.photo("far")).unwrap();
    env.wait_until("what a link has led to leaves with it", || {
        names() == ["a.jpg", "b.jpg", "c.jpg", "one.jpg"]
            || names() == ["a.jpg", "c.jpg", "one.jpg"]
    });
    assert_eq!(daemon.stop(), Some(0));
    env.configure("[labels]\nterms = 0\n[detect]\ntext = false\n");
    env.index();
    assert_eq!(names(), ["a.jpg"]);
}
