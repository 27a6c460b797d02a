//! Tags from the vocabulary: encoded while photos come in, gone on with after a kill, joined by
//! words of a person's own, and made again without opening a photo.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::env::{TestEnv, jpeg};

/// Eight drawn pictures, set against so many terms.
fn library(terms: usize) -> Option<TestEnv> {
    let env = TestEnv::new();
    if !(env.has_model() && env.has_text()) {
        return None;
    }
    env.configure(&format!("[labels]\nterms = {terms}\n"));
    for i in 0..8 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    Some(env)
}

fn labels(env: &TestEnv) -> Value {
    env.status()["labels"].clone()
}

fn terms(env: &TestEnv) -> u64 {
    labels(env)["terms"].as_u64().unwrap_or(0)
}

/// Tags of a photo by the search model, with their confidences.
fn tags(env: &TestEnv, name: &str) -> Vec<(String, u64)> {
    let path = env.photo(name);
    let shown = env.json(&["show", path.to_str().unwrap()]);
    let rows = shown["tags"].as_array().unwrap();
    rows.iter()
        .filter(|t| {
            t["model"]
                .as_str()
                .is_some_and(|m| m.starts_with("lite0-minilm@"))
        })
        .map(|t| {
            let confidence = t["confidence"].as_f64().unwrap();
            (
                t["term"].as_str().unwrap().to_owned(),
                (confidence * 1e4) as u64,
            )
        })
        .collect()
}

fn bank(env: &TestEnv) -> PathBuf {
    let mut banks = fs::read_dir(env.data().join("labels"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "bank"));
    banks.next().expect("a bank")
}

#[test]
fn an_index_run_ends_with_labels_and_a_retag_opens_no_photo() {
    let Some(env) = library(600) else { return };
    assert_eq!(env.index()["failed"], 0);
    let report = labels(&env);
    assert_eq!(
        (&report["terms"], &report["tagged_with"]),
        (&600.into(), &600.into())
    );
    assert_eq!(report["waiting"], 0);
    let before: Vec<_> = (0..8).map(|i| tags(&env, &format!("{i}.jpg"))).collect();
    assert!(before.iter().any(|t| !t.is_empty()), "{before:?}");
    assert!(before.iter().all(|t| t.len() <= 40));
    // Without the photos nothing but what is stored can be read.
    let away = env.outside("away");
    fs::rename(env.photos(), &away).unwrap();
    let said = env.ok(&["retag"]);
    assert!(said.contains("8 photos set against 600"), "{said}");
    fs::rename(&away, env.photos()).unwrap();
    let after: Vec<_> = (0..8).map(|i| tags(&env, &format!("{i}.jpg"))).collect();
    assert_eq!(before, after);
}

#[test]
fn a_kill_while_terms_are_encoded_costs_what_was_under_way() {
    let Some(env) = library(1500) else { return };
    let daemon = env.watch();
    env.wait_until("the first terms", || terms(&env) >= 256);
    daemon.kill();
    let there = terms(&env);
    assert!((256..1500).contains(&there), "{there}");
    // Photos have tags from what there is, and the rest comes.
    let daemon = env.watch();
    env.wait_until("all terms, and photos set against them", || {
        let report = labels(&env);
        report["tagged_with"] == 1500 && report["waiting"] == 0
    });
    fs::write(env.photo("new.jpg"), jpeg(3)).unwrap();
    env.wait_until("a new photo's tags", || {
        labels(&env)["waiting"] == 0 && env.paths().iter().any(|p| p.ends_with("new.jpg"))
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_word_of_ones_own_takes_part_by_name_and_by_examples() {
    let Some(env) = library(300) else { return };
    env.index();
    let (three, other) = (env.photo("3.jpg"), env.outside("other.jpg"));
    // One example lies in the index, one nowhere near it.
    fs::write(&other, [&jpeg(3)[..], b"another file"].concat()).unwrap();
    let (three, other) = (three.to_str().unwrap(), other.to_str().unwrap());
    let said = env.ok(&[
        "vocab",
        "add",
        "Rex",
        "--category",
        "pet",
        "--examples",
        three,
        other,
    ]);
    assert!(said.contains("Rex is added, by 2 examples"), "{said}");
    env.ok(&["vocab", "add", "Our blue tent"]);
    let said = env.ok(&["retag"]);
    assert!(said.contains("2 words of your own"), "{said}");
    let found = env.names(&env.query(&["--tag", "rex"]));
    assert!(found.contains(&"3.jpg".to_owned()), "{found:?}");
    let rex: Vec<Option<u64>> = (0..8)
        .map(|i| {
            let tags = tags(&env, &format!("{i}.jpg"));
            tags.iter().find(|(term, _)| term == "u.rex").map(|t| t.1)
        })
        .collect();
    // Drawn pictures are much alike; none is more like the examples than they are themselves.
    assert_eq!(rex[3], rex.iter().copied().max().unwrap(), "{rex:?}");
    let list = env.json(&["vocab", "list", "--format", "json"]);
    assert_eq!(list[0]["name"], "Rex");
    assert_eq!(list[0]["photos"], found.len());
    assert_eq!(list[1]["term"], "u.our-blue-tent");
    // The running daemon takes a change on by itself.
    let daemon = env.watch();
    env.ok(&["vocab", "remove", "REX"]);
    env.wait_until("the tags are gone", || {
        let path = env.photo("3.jpg");
        let shown = env.json(&["show", path.to_str().unwrap()]);
        let tags = shown["tags"].as_array().unwrap();
        !tags.iter().any(|t| t["name"] == "Rex")
    });
    let said = env.ok(&["retag"]);
    assert!(said.contains("1 word of your own"), "{said}");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.run(&["query", "--tag", "Rex"]).status.code(), Some(1));
}

#[test]
fn a_damaged_bank_is_made_again_and_bad_words_are_refused() {
    let Some(env) = library(300) else { return };
    env.index();
    let before = tags(&env, "1.jpg");
    let path = bank(&env);
    for damage in 0..3 {
        match damage {
            // The header is gone, the file is short, and it is something else.
            0 => {
                let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.seek(SeekFrom::Start(0)).unwrap();
                file.write_all(&[0x5a; 12288]).unwrap();
            }
            1 => {
                let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(9000).unwrap();
            }
            _ => fs::write(&path, "a note to myself").unwrap(),
        }
        env.index();
        assert_eq!(terms(&env), 300, "damage {damage}");
        env.ok(&["retag"]);
        assert_eq!(tags(&env, "1.jpg"), before, "damage {damage}");
    }
    assert!(
        env.refused(&["vocab", "add", " "])
            .contains("no letter or digit")
    );
    assert!(
        env.refused(&["vocab", "add", "dog"])
            .contains("knows already")
    );
    let missing = env.outside("missing.jpg");
    let missing = missing.to_str().unwrap();
    assert!(
        env.refused(&["vocab", "add", "Rex", "--examples", missing])
            .contains("missing.jpg")
    );
    let text = env.outside("text.jpg");
    fs::write(&text, "no picture").unwrap();
    assert!(
        env.refused(&["vocab", "add", "Rex", "--examples", text.to_str().unwrap()])
            .contains("text.jpg")
    );
    assert_eq!(env.run(&["vocab", "remove", "Rex"]).status.code(), Some(1));
    // A slip in the file by hand is said with its line, and nothing else stops.
    env.ok(&["vocab", "add", "Our blue tent"]);
    let own = env.data().join("vocabulary/own.toml");
    let text = fs::read_to_string(&own).unwrap();
    fs::write(&own, format!("{text}\n[[term]]\nnom = 'x'\n")).unwrap();
    let said = env.refused(&["vocab", "list"]);
    assert!(said.contains("own.toml, line"), "{said}");
    assert_eq!(env.index()["failed"], 0);
    assert!(
        fs::read_to_string(&own).unwrap().contains("nom"),
        "it is left as it was"
    );
}
