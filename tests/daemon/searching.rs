//! Photos by a sentence and by another photo: what is found, what is said, what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::env::{TestEnv, jpeg, picture, save};

/// Something that none of the drawn pictures shows.
const ABSENT: &str = "an octopus playing the violin";

/// A folder of eight drawn pictures, `0.jpg` to `7.jpg`, indexed.
fn library() -> TestEnv {
    let env = TestEnv::new();
    for i in 0..8 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    assert_eq!(env.index()["failed"], 0);
    env
}

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn score(row: &Value) -> f64 {
    row["score"].as_f64().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Photos found by one example, best first.
fn like(env: &TestEnv, path: &Path) -> Vec<String> {
    env.names(&env.query(&["--like", at(path)]))
}

#[test]
fn a_photo_is_most_like_itself() {
    let env = library();
    if !env.has_model() {
        return;
    }
    for i in 0..8 {
        let own = env.photo(&format!("{i}.jpg"));
        let found = env.query(&["--like", at(&own)]);
        assert_eq!(env.names(&found)[0], format!("{i}.jpg"));
        assert!((score(&found[0]) - 1.0).abs() < 2e-3, "{}", found[0]);
        assert_eq!(found[0]["confident"], true);
        let falls = found.windows(2).all(|w| score(&w[0]) >= score(&w[1]));
        assert!(falls, "best first");
        let all = env.query(&["--like", at(&own), "--all"]);
        assert_eq!(all.len(), 8, "--all ranks every photo");
    }
}

#[test]
fn an_example_need_not_be_indexed() {
    let env = library();
    if !env.has_model() {
        return;
    }
    // The same bytes under another name; then the same picture in other bytes, which the index
    // does not know: something behind the picture's end.
    let example = env.outside("holiday.jpeg");
    for tail in [&b""[..], b"not indexed"] {
        fs::write(&example, [&jpeg(3), tail].concat()).unwrap();
        let found = env.query(&["--like", at(&example)]);
        assert_eq!(env.names(&found)[0], "3.jpg");
        assert!((score(&found[0]) - 1.0).abs() < 2e-3, "{}", found[0]);
    }
    // Another format, and no ending that says so.
    let other = env.outside("holiday");
    picture(3, 320, 240)
        .save_with_format(&other, image::ImageFormat::Png)
        .unwrap();
    assert!(!env.query(&["--like", at(&other), "--all"]).is_empty());
    assert_eq!(env.paths().len(), 8, "an example is not indexed");

    // A copy beside the original is another place of the same photo.
    fs::copy(env.photo("3.jpg"), env.photo("copy.jpg")).unwrap();
    env.index();
    let found = env.query(&["--like", at(&example), "--limit", "2"]);
    let mut names = env.names(&found);
    names.sort();
    assert_eq!(names, ["3.jpg", "copy.jpg"]);
    assert_eq!(found[0]["score"], found[1]["score"]);
    fs::remove_file(env.photo("3.jpg")).unwrap();
    env.index();
    assert_eq!(like(&env, &example)[0], "copy.jpg");

    // From the folder one stands in, as people type it.
    let here = env
        .command(&["query", "--like", "holiday.jpeg", "--format", "paths"])
        .current_dir(env.outside(""))
        .output()
        .unwrap();
    let said = format!("{}{}", out(&here), err(&here));
    assert!(said.starts_with(at(&env.photo("copy.jpg"))), "{said}");
}

#[test]
fn several_examples_weights_and_what_is_not_wanted() {
    let env = library();
    if !env.has_model() {
        return;
    }
    let (a, b) = (env.photo("1.jpg"), env.photo("6.jpg"));
    let (a, b) = (at(&a), at(&b));
    let both = env.query(&["--like", a, "--like", b, "--all"]);
    let of = |rows: &[Value], path: &str| score(rows.iter().find(|r| r["path"] == path).unwrap());
    let apart = (of(&both, a) - of(&both, b)).abs();
    assert!(apart < 2e-3, "as close to one as to the other: {both:?}");
    let (equal, heavy) = (format!("1:{a}"), format!("50:{a}"));
    let same = env.query(&["--like", &equal, "--like", b, "--all"]);
    assert_eq!(same, both, "1 is the weight if none is said");
    let leaning = env.query(&["--like", &heavy, "--like", b, "--all"]);
    assert_eq!(env.names(&leaning)[0], "1.jpg");
    assert!(score(&leaning[0]) > 0.999, "{}", leaning[0]);
    assert!(of(&leaning, b) < of(&both, b));

    let without = env.query(&["--like", a, "--minus-like", b]);
    assert!(!env.names(&without).contains(&"6.jpg".to_owned()));
    let all = env.query(&["--like", a, "--minus-like", b, "--all"]);
    let refused = all.iter().find(|r| r["path"] == b).unwrap();
    assert_eq!(refused["confident"], false);
    assert!(
        env.refused(&["query", "--like", a, "--minus-like", a])
            .contains("cancel")
    );
}

#[test]
fn names_of_files_and_folders_are_words_too() {
    let env = TestEnv::new();
    fs::create_dir_all(env.photo("Trips/Lisbon trip 2019")).unwrap();
    save(1, &env.photo("Trips/Lisbon trip 2019/img.png"));
    fs::write(env.photo("Trips/other.jpg"), jpeg(2)).unwrap();
    fs::write(env.photo("seaside.jpg"), jpeg(3)).unwrap();
    env.index();
    if !env.has_text() {
        return;
    }
    let named = "Trips/Lisbon trip 2019/img.png";
    let found = env.query(&["--text", "Lisbon trip", "--explain"]);
    assert_eq!(env.names(&found)[0], named);
    assert_eq!(found[0]["confident"], true);
    assert_eq!(found[0]["why"]["named"], true, "{}", found[0]);
    let quiet = env.query(&["--text", "Lisbon trip"]);
    assert!(quiet[0].get("why").is_none(), "only if it is asked for");
    let table = out(&env.run(&["query", "--text", "our trip to LISBON", "--explain"]));
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].contains(named) && !lines[0].contains('?'),
        "{table}"
    );
    assert!(lines[1].contains("has every word"), "{table}");
    let unnamed = env.query(&["--text", "Lisbon harbour", "--all", "--explain"]);
    assert!(
        unnamed.iter().all(|r| r["why"]["named"] == false),
        "every word"
    );

    // With every other filter.
    let asked = |more: &[&str]| {
        let mut args = vec!["--text", "Lisbon trip", "--all"];
        args.extend(more);
        env.names(&env.query(&args))
    };
    assert_eq!(asked(&[]).len(), 3);
    let trips = env.photo("Trips");
    assert_eq!(asked(&["--path", at(&trips)]).len(), 2);
    assert_eq!(asked(&["--path", at(&trips)])[0], named);
    assert_eq!(asked(&["--path", "**/*.jpg"]).len(), 2);
    assert_eq!(asked(&["--since", "1d"])[0], named);
    assert_eq!(asked(&["--until", "1999"]), Vec::<String>::new());
    let tag = found[0]["tags"][0]["name"].as_str().unwrap();
    assert_eq!(asked(&["--tag", tag])[0], named);
    assert!(!asked(&["--not-tag", tag]).contains(&named.to_owned()));
    assert_eq!(asked(&["--limit", "1"]), [named]);

    // Nothing in a sentence is the full-text index's own language.
    for inert in [
        "\"NEAR(seaside trips)\" OR *",
        "sea*",
        "seaside OR lisbon NOT",
        "words:seaside",
        "seaside\" OR \"lisbon",
        "^seaside + -lisbon",
        "{a b}: (seaside AND",
        "'; DROP TABLE photos; --",
    ] {
        let output = env.run(&[
            "query",
            "--text",
            inert,
            "--all",
            "--explain",
            "--format",
            "json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{inert}: {}", err(&output));
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(rows.len(), 3, "{inert}");
        assert!(
            rows.iter().all(|r| r["why"]["named"] == false),
            "{inert}: {rows:?}"
        );
    }
    let plain = env.query(&["--text", "\"seaside\"", "--explain"]);
    assert_eq!(plain[0]["why"]["named"], true);
}

#[test]
fn what_is_not_there_is_said_not_to_be() {
    let env = library();
    if !env.has_text() {
        return;
    }
    let none = env.run(&["query", "--text", ABSENT]);
    assert_eq!(none.status.code(), Some(1));
    assert_eq!(out(&none), "");
    assert!(
        err(&none).contains("nothing like that among 8 photos"),
        "{}",
        err(&none)
    );
    for (format, nothing) in [("paths", ""), ("jsonl", ""), ("json", "[]\n")] {
        let none = env.run(&["query", "--text", ABSENT, "--format", format]);
        assert_eq!(
            (none.status.code(), out(&none).as_str()),
            (Some(1), nothing),
            "{format}"
        );
    }
    let all = env.query(&["--text", ABSENT, "--all"]);
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|r| r["confident"] == false));
    let ranked = env.run(&["query", "--text", ABSENT, "--all"]);
    assert_eq!(ranked.status.code(), Some(0));
    assert!(
        err(&ranked).contains("0 of all 8 a confident answer"),
        "{}",
        err(&ranked)
    );
    assert!(
        out(&ranked).lines().all(|l| l.contains('?')),
        "{}",
        out(&ranked)
    );
}

#[test]
fn every_format_gives_the_same_ranking_every_time() {
    let env = library();
    if !env.has_text() {
        return;
    }
    let own = env.photo("2.jpg");
    let asked = [
        "query",
        "--like",
        at(&own),
        "--text",
        "2:blue",
        "--all",
        "--limit",
        "5",
    ];
    let run = |more: &[&str]| {
        let mut args = asked.to_vec();
        args.extend(more);
        env.run(&args).stdout
    };
    let json: Vec<Value> = serde_json::from_slice(&run(&["--format", "json"])).unwrap();
    assert_eq!(json.len(), 5);
    let ranking: Vec<&str> = json.iter().map(|r| r["path"].as_str().unwrap()).collect();
    let lines = String::from_utf8(run(&["--format", "jsonl"])).unwrap();
    let jsonl: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(jsonl, json);
    let paths = String::from_utf8(run(&["--format", "paths"])).unwrap();
    assert_eq!(paths.lines().collect::<Vec<_>>(), ranking);
    assert_eq!(
        String::from_utf8(run(&["-0"])).unwrap(),
        ranking.join("\0") + "\0"
    );
    let table = String::from_utf8(run(&["--explain"])).unwrap();
    let rows: Vec<&str> = table.lines().step_by(2).collect();
    assert!(
        rows.iter()
            .zip(&ranking)
            .all(|(row, path)| row.contains(path)),
        "{table}"
    );
    for more in [&["--format", "json", "--explain"][..], &["--explain"], &[]] {
        assert_eq!(run(more), run(more), "{more:?}");
    }
}

#[test]
fn what_lands_while_watching_is_found_and_what_leaves_is_not() {
    let env = library();
    if !env.has_model() {
        return;
    }
    let daemon = env.watch();
    let example = env.outside("example.jpg");
    fs::write(&example, jpeg(40)).unwrap();
    assert!(!like(&env, &example).contains(&"new.jpg".to_owned()));
    fs::copy(&example, env.photo("new.jpg")).unwrap();
    env.wait_until("the new photo is found by its like", || {
        like(&env, &example).first().is_some_and(|n| n == "new.jpg")
    });
    fs::rename(env.photo("new.jpg"), env.photo("moved.jpg")).unwrap();
    env.wait_until("it is found where it is now", || {
        like(&env, &example)
            .first()
            .is_some_and(|n| n == "moved.jpg")
    });
    fs::remove_file(env.photo("moved.jpg")).unwrap();
    env.wait_until("the deleted photo is not found", || {
        !like(&env, &example).contains(&"moved.jpg".to_owned())
    });
    fs::write(env.photo("0.jpg"), jpeg(41)).unwrap();
    fs::write(&example, jpeg(41)).unwrap();
    env.wait_until("new content under an old name counts", || {
        let rows = env.query(&["--like", at(&example)]);
        rows.first()
            .is_some_and(|r| r["path"] == at(&env.photo("0.jpg")) && score(r) > 0.99)
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// The piece of the search index that holds all photos, once the daemon has made it.
fn piece(env: &TestEnv) -> PathBuf {
    let find = || {
        let models = fs::read_dir(env.data().join("vectors")).ok()?;
        let pieces = models.filter_map(|m| fs::read_dir(m.ok()?.path()).ok());
        pieces
            .flatten()
            .filter_map(|e| Some(e.ok()?.path()))
            .find(|p| p.extension().is_some_and(|e| e == "mx"))
    };
    env.wait_until("the search index is written", || find().is_some());
    find().unwrap()
}

#[test]
fn derived_files_may_vanish_or_rot() {
    let env = library();
    if !env.has_text() {
        return;
    }
    let daemon = env.watch();
    let file = piece(&env);
    assert_eq!(daemon.stop(), Some(0));
    let good = fs::read(&file).unwrap();
    let own = env.photo("5.jpg");
    let ask = || {
        let by_photo = env.run(&["query", "--like", at(&own), "--all", "--format", "json"]);
        let by_text = env.run(&["query", "--text", "green", "--all", "--format", "json"]);
        (out(&by_photo), out(&by_text))
    };
    let answers = ask();

    // Each byte of the header that says anything, some of them at once.
    for byte in (0..152).step_by(9) {
        let mut bad = good.clone();
        bad[byte] ^= 0x40;
        fs::write(&file, bad).unwrap();
        assert_eq!(ask(), answers, "byte {byte} of the header");
    }
    // A vector that is none.
    let mut bad = good.clone();
    bad[4096..4096 + 128].fill(0xff);
    fs::write(&file, bad).unwrap();
    assert_eq!(ask(), answers, "a row of NaN");
    // All rows, the end, everything.
    for (what, bad) in [
        (
            "lost pages",
            [&good[..4096], &vec![0; good.len() - 4096]].concat(),
        ),
        (
            "all rows",
            [&good[..4096], &vec![0xff; good.len() - 4096]].concat(),
        ),
        ("cut short", good[..good.len() - 100].to_vec()),
        ("the header alone", good[..4096].to_vec()),
        ("empty", Vec::new()),
        ("another file", jpeg(1)),
    ] {
        fs::write(&file, bad).unwrap();
        assert_eq!(ask(), answers, "{what}");
    }
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        fs::write(entry.unwrap().path(), b"rot").unwrap();
    }
    assert_eq!(ask(), answers, "the background too");
    fs::remove_dir_all(env.data().join("vectors")).unwrap();
    assert_eq!(ask(), answers, "gone");
    // Nothing can be written there.
    let _ = fs::remove_dir_all(env.data().join("vectors"));
    fs::write(env.data().join("vectors"), b"in the way").unwrap();
    assert_eq!(ask(), answers, "a file in its place");
}

#[test]
fn bad_wishes_are_refused_in_a_sentence() {
    let env = library();
    if !env.has_text() {
        return;
    }
    let own = env.photo("1.jpg");
    let own = at(&own);
    let text = env.outside("notes.jpg");
    fs::write(&text, "no picture at all").unwrap();
    let cut = env.outside("cut.jpg");
    fs::write(&cut, &jpeg(1)[..300]).unwrap();
    let pipe = env.outside("pipe.jpg");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let gone = env.outside("gone.jpg");
    let dangling = env.outside("dangling.jpg");
    std::os::unix::fs::symlink(&gone, &dangling).unwrap();
    let long = "word ".repeat(10_000);
    let heavy = format!("1000:{own}");
    let folder = env.photos();
    for (args, says) in [
        (["--text", ""], "says nothing"),
        (["--text", "  \t"], "says nothing"),
        (["--text", "?!"], "says nothing"),
        (["--text", "2:"], "says nothing"),
        (["--text", long.as_str()], "at most"),
        (["--text", "0:dog"], "weight"),
        (["--like", heavy.as_str()], "weight"),
        (["--like", ""], "no file"),
        (["--like", at(&text)], "notes.jpg"),
        (["--like", at(&cut)], "cut.jpg"),
        (["--like", at(&gone)], "no such file"),
        (["--like", at(&dangling)], "no such file"),
        (["--like", at(&folder)], "not a file"),
        (["--like", at(&pipe)], "not a file"),
        (["--like", "/dev/zero"], "not a file"),
        (["--minus-text", "people"], "--text or --like"),
        (["--minus-like", own], "--text or --like"),
    ] {
        let said = env.refused(&["query", args[0], args[1]]);
        assert!(said.contains(says), "{args:?} says {says}: {said}");
        assert!(
            said.len() < 600,
            "a line for people, not the whole query: {said}"
        );
    }
    env.refused(&["query", "--text", "dog", "--limit", "many"]);
    env.refused(&["query", "--text", "dog", "--format", "yaml"]);
    env.refused(&["query", "--txt", "dog"]);
    // Not a number: words, and a question like any other.
    let words = env.run(&["query", "--text", "1e9:dog", "--all"]);
    assert_eq!(words.status.code(), Some(0), "{}", err(&words));
}

#[test]
fn without_the_text_model_examples_still_work() {
    let env = library();
    if !env.has_model() {
        return;
    }
    let detail = out(&env.run(&["model", "list"]));
    let Some(runtime) = detail
        .lines()
        .find_map(|l| l.strip_prefix("they run on ")?.split(" (").next())
    else {
        panic!("model list does not say where the runtime is: {detail}");
    };
    // A binary that has nothing beside it, as on a machine without the text model.
    let bin = env.outside("bin");
    fs::create_dir(&bin).unwrap();
    let alone = bin.join("photond");
    let own_binary = env.command(&[]).get_program().to_owned();
    if fs::hard_link(&own_binary, &alone).is_err() {
        fs::copy(&own_binary, &alone).unwrap();
    }
    let run = |args: &[&str]| {
        let like = env.command(&[]);
        let mut command = Command::new(&alone);
        command.args(args).env("ORT_DYLIB_PATH", runtime);
        for (key, value) in like.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.output().unwrap()
    };
    let refused = run(&["query", "--text", "a dog"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = err(&refused);
    assert!(
        said.contains("photond model install lite0-minilm"),
        "{said}"
    );

    let own = env.photo("4.jpg");
    let found = run(&["query", "--like", at(&own), "--format", "paths"]);
    assert_eq!(found.status.code(), Some(0), "{}", err(&found));
    assert!(out(&found).starts_with(at(&own)), "{}", out(&found));
    let other = env.outside("other.jpg");
    fs::write(&other, [&jpeg(4)[..], b"not indexed"].concat()).unwrap();
    let found = run(&["query", "--like", at(&other), "--format", "paths"]);
    assert!(out(&found).starts_with(at(&own)), "{}", out(&found));
    let listed = out(&run(&["model", "list"]));
    assert!(
        listed.contains("photond model install lite0-minilm"),
        "{listed}"
    );
}
