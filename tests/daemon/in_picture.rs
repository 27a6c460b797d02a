//! Text in pictures: read behind everything else, found, shown, turned off, and read in an index of before.

use std::fs;

use crate::env::{TestEnv, jpeg};

/// A notice with three lines, see `make_notice.py`.
const NOTICE: &[u8] = include_bytes!("../samples/notice.png");
const ON: &str = "[labels]\nterms = 0\n";
const OFF: &str = "[labels]\nterms = 0\n[detect]\ntext = false\n";
const LINES: [&str; 3] = ["TOWN MUSEUM", "Open daily from 9 to 17 h", "Rue du Pont 42"];

/// The notice and two pictures of nothing.
fn library() -> Option<TestEnv> {
    let env = TestEnv::new();
    if !env.has_reader() {
        return None;
    }
    env.configure(ON);
    fs::write(env.photo("notice.png"), NOTICE).unwrap();
    for i in 0..2 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    Some(env)
}

fn read_in(env: &TestEnv, name: &str) -> Vec<String> {
    let shown = env.json(&["show", env.photo(name).to_str().unwrap()]);
    let lines = shown["text"].as_array().unwrap();
    lines
        .iter()
        .map(|l| l.as_str().unwrap().to_owned())
        .collect()
}

fn with_words(env: &TestEnv, words: &str) -> Vec<String> {
    env.names(&env.query(&["--in-picture", words]))
}

#[test]
fn what_stands_in_a_picture_is_found_and_shown_with_its_place() {
    let Some(env) = library() else { return };
    for (name, width, height) in [("black", 300, 200), ("one", 1, 1), ("wide", 60_000, 1)] {
        let picture = image::RgbImage::new(width, height);
        picture.save(env.photo(&format!("{name}.png"))).unwrap();
    }
    env.index();
    assert_eq!(read_in(&env, "notice.png"), LINES);
    for name in ["black.png", "one.png", "wide.png", "0.jpg"] {
        assert!(read_in(&env, name).is_empty(), "{name}");
    }
    let shown = env.json(&["show", env.photo("notice.png").to_str().unwrap()]);
    let first = &shown["text_areas"][0];
    let edge = |at: usize| first["area"][at].as_f64().unwrap();
    assert!(first["confidence"].as_f64().unwrap() > 0.8, "{first}");
    for (at, wanted) in [0.15, 0.17, 0.84, 0.36].into_iter().enumerate() {
        assert!((edge(at) - wanted).abs() < 0.05, "{first}");
    }
    assert_eq!(with_words(&env, "MUSEUM"), ["notice.png"]);
    assert_eq!(with_words(&env, "pont 42 town"), ["notice.png"]);
    assert!(with_words(&env, "zebra").is_empty());
    let row = &env.query(&["--in-picture", "museum"])[0];
    assert_eq!(row["text"][2], LINES[2]);
    // Plain words, with and without the text model.
    assert_eq!(env.names(&env.query(&["museum"])), ["notice.png"]);
    if env.has_text() {
        let why = env.ok(&["query", "town museum", "--explain"]);
        assert!(why.contains("every word stands in the picture"), "{why}");
    }
    let nothing = env.run(&["query", "--in-picture", "…"]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn an_index_of_before_is_read_while_it_is_quiet_and_reading_can_be_turned_off() {
    let Some(env) = library() else { return };
    env.configure(OFF);
    env.index();
    let none = env.run(&["query", "--in-picture", "museum"]);
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("no text has been read"), "{said}");
    env.configure(ON);
    let daemon = env.watch();
    env.wait_until("the notice is read", || {
        with_words(&env, "museum") == ["notice.png"]
    });
    // One that lands while it watches is read too.
    let mut later = NOTICE.to_vec();
    later.extend(b"another");
    fs::write(env.photo("later.png"), later).unwrap();
    env.wait_until("the new one is read", || {
        with_words(&env, "museum").len() == 2
    });
    env.wait_until("status has counted all", || {
        let status = env.status();
        let detectors = status["detectors"].as_array().unwrap().clone();
        let text = detectors.iter().find(|d| d["looks_for"] == "text").unwrap();
        text["seen"] == 4 && text["ready"] == true
    });
    drop(daemon);
}
