//! Tags: final with the photo, the same whatever the order, joined by words of a person's own and of a
//! search model's vocabulary, and made again without opening a photo.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::env::{TestEnv, jpeg};
use crate::switching::{Sight, install};

/// Photos of a library.
const PHOTOS: u32 = 8;

/// Drawn pictures; a search model is set against so many terms.
fn library(terms: usize) -> Option<TestEnv> {
    let env = TestEnv::new();
    if !env.has_model() {
        return None;
    }
    env.configure(&format!("[labels]\nterms = {terms}\n"));
    for i in 0..PHOTOS {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    Some(env)
}

/// A tag: its term, its confidence in ten-thousandths, and who says it.
type Said = (String, u64, Vec<String>);

fn tags(env: &TestEnv, name: &str) -> Vec<Said> {
    let path = env.photo(name);
    let shown = env.json(&["show", path.to_str().unwrap()]);
    said(&shown)
}

fn said(photo: &Value) -> Vec<Said> {
    let tag = |t: &Value| {
        let sources = t["sources"].as_array().unwrap().iter();
        (
            t["term"].as_str().unwrap().to_owned(),
            (t["confidence"].as_f64().unwrap() * 1e4).round() as u64,
            sources.map(|s| s.as_str().unwrap().to_owned()).collect(),
        )
    };
    photo["tags"].as_array().unwrap().iter().map(tag).collect()
}

fn all(env: &TestEnv) -> Vec<Vec<Said>> {
    (0..PHOTOS)
        .map(|i| tags(env, &format!("{i}.jpg")))
        .collect()
}

/// Tags of all photos that a model says, and perhaps others too.
fn by(env: &TestEnv, model: &str) -> usize {
    let by_model = |said: &&Said| said.2.iter().any(|s| s.starts_with(&format!("{model}@")));
    all(env).iter().flatten().filter(by_model).count()
}

#[test]
fn a_photo_comes_with_all_its_tags() {
    let Some(env) = library(0) else { return };
    fs::remove_file(env.photo("7.jpg")).unwrap();
    assert_eq!(env.index()["failed"], 0);
    let daemon = env.watch();
    let waiting = env.outside("7.jpg");
    fs::write(&waiting, jpeg(7)).unwrap();
    fs::rename(&waiting, env.photo("7.jpg")).unwrap();
    let mut first = Vec::new();
    env.wait_until("it is there", || {
        let rows = env.query(&["--path", "**/7.jpg"]);
        first = rows.iter().flat_map(said).collect();
        !rows.is_empty()
    });
    assert!(!first.is_empty(), "it was there before its tags");
    assert_eq!(tags(&env, "7.jpg"), first);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_order_in_which_photos_come_changes_nothing() {
    let (Some(at_once), Some(one_by_one)) = (library(0), library(0)) else {
        return;
    };
    assert_eq!(at_once.index()["indexed"], PHOTOS);
    for i in (0..PHOTOS).rev() {
        let name = format!("{i}.jpg");
        fs::rename(one_by_one.photo(&name), one_by_one.outside(&name)).unwrap();
    }
    for i in [5, 2, 7, 0, 3, 1, 6, 4] {
        let name = format!("{i}.jpg");
        fs::rename(one_by_one.outside(&name), one_by_one.photo(&name)).unwrap();
        assert_eq!(one_by_one.index()["indexed"], 1);
    }
    assert_eq!(all(&at_once), all(&one_by_one));
}

#[test]
fn a_retag_opens_no_photo_and_changes_nothing() {
    let Some(env) = library(0) else { return };
    env.index();
    let before = all(&env);
    assert!(before.iter().any(|t| !t.is_empty()), "{before:?}");
    assert!(before.iter().all(|t| t.len() <= 40));
    // Without the photos nothing but what is stored can be read.
    let away = env.outside("away");
    fs::rename(env.photos(), &away).unwrap();
    let said = env.ok(&["retag"]);
    assert!(said.contains("8 photos tagged again"), "{said}");
    fs::rename(&away, env.photos()).unwrap();
    assert_eq!(all(&env), before);
    // The running daemon does it, and says when it is done.
    let daemon = env.watch();
    assert!(env.ok(&["retag"]).contains("8 photos tagged again"));
    assert_eq!(env.status()["tags"]["stale"], 0);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(all(&env), before);
}

#[test]
fn a_word_of_ones_own_takes_part_by_name_and_by_examples() {
    let Some(env) = library(0) else { return };
    if !env.has_text() {
        return;
    }
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
    let rex: Vec<Option<u64>> = all(&env)
        .iter()
        .map(|tags| {
            let rex = tags
                .iter()
                .find(|(term, _, by)| term == "u.rex" && by[0] == "own");
            rex.map(|tag| tag.1)
        })
        .collect();
    // Drawn pictures are much alike; none is more like the examples than they are themselves.
    assert_eq!(rex[3], rex.iter().copied().max().unwrap(), "{rex:?}");
    let list = env.json(&["vocab", "list", "--format", "json"]);
    assert_eq!(list[0]["name"], "Rex");
    assert_eq!(list[0]["photos"], found.len());
    assert_eq!(list[1]["term"], "u.our-blue-tent");
    // The running daemon takes a change on by itself, and new photos get what words there are.
    let daemon = env.watch();
    fs::write(env.photo("again.jpg"), [&jpeg(3)[..], b"one more"].concat()).unwrap();
    env.wait_until("the word is there", || {
        let rows = env.query(&["--path", "**/again.jpg"]);
        rows.iter().flat_map(said_of).any(|term| term == "u.rex")
    });
    env.ok(&["vocab", "remove", "REX"]);
    env.wait_until("the tags are gone", || {
        !tags(&env, "3.jpg").iter().any(|(term, ..)| term == "u.rex")
    });
    let said = env.ok(&["retag"]);
    assert!(said.contains("1 word of your own"), "{said}");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.run(&["query", "--tag", "Rex"]).status.code(), Some(1));
}

fn said_of(photo: &Value) -> Vec<String> {
    said(photo).into_iter().map(|tag| tag.0).collect()
}

#[test]
fn words_that_are_added_at_once_all_stay() {
    let env = TestEnv::new();
    let words: Vec<String> = (0..8).map(|i| format!("our dog number {i}")).collect();
    let running: Vec<_> = words
        .iter()
        .map(|word| env.command(&["vocab", "add", word]).spawn().unwrap())
        .collect();
    for mut command in running {
        assert!(command.wait().unwrap().success());
    }
    let list = env.json(&["vocab", "list", "--format", "json"]);
    let mut there: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word["name"].as_str().unwrap())
        .collect();
    there.sort_unstable();
    assert_eq!(there, words);
}

#[test]
fn words_that_cannot_be_are_refused() {
    let Some(env) = library(0) else { return };
    env.index();
    let refused = |args: &[&str], why: &str| {
        let said = env.refused(&[&["vocab", "add"], args].concat());
        assert!(said.contains(why), "{said}");
    };
    refused(&[" "], "no letter or digit");
    refused(&["dog"], "knows already");
    let missing = env.outside("missing.jpg");
    refused(
        &["Rex", "--examples", missing.to_str().unwrap()],
        "missing.jpg",
    );
    let text = env.outside("text.jpg");
    fs::write(&text, "no picture").unwrap();
    refused(&["Rex", "--examples", text.to_str().unwrap()], "text.jpg");
    assert_eq!(env.run(&["vocab", "remove", "Rex"]).status.code(), Some(1));
    // A slip in the file by hand is said with its line, and nothing else stops.
    env.ok(&["vocab", "add", "Our blue tent"]);
    let own = env.data().join("vocabulary/own.toml");
    let text = fs::read_to_string(&own).unwrap();
    fs::write(&own, format!("{text}\n[[term]]\nnom = 'x'\n")).unwrap();
    let said = env.refused(&["vocab", "list"]);
    assert!(said.contains("own.toml, line"), "{said}");
    let said = env.refused(&["vocab", "add", "Our red tent"]);
    assert!(said.contains("own.toml, line"), "{said}");
    assert_eq!(env.index()["failed"], 0);
    let left = fs::read_to_string(&own).unwrap();
    assert!(
        left.contains("nom") && !left.contains("red"),
        "it is left as it was"
    );
    let daemon = env.watch();
    env.wait_until("status says it", || {
        let trouble = env.status()["tags"]["trouble"].take();
        trouble
            .as_str()
            .is_some_and(|t| t.contains("own.toml, line"))
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// The pieces of the only vocabulary there is.
fn pieces(env: &TestEnv) -> Vec<PathBuf> {
    let Ok(models) = fs::read_dir(env.data().join("labels")) else {
        return Vec::new();
    };
    let files = models.flat_map(|model| fs::read_dir(model.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "mx"))
        .collect();
    files.sort();
    files
}

#[test]
fn a_search_model_tags_with_the_terms_that_it_has_encoded() {
    let Some(env) = library(1200) else { return };
    env.index();
    assert_eq!(pieces(&env).len(), 0, "the built-in model encodes nothing");
    install(&env, "tiny", Sight::Quick);
    env.ok(&["model", "use", "tiny"]);
    env.index();
    assert_eq!(pieces(&env).len(), 3);
    let before = all(&env);
    assert!(by(&env, "tiny") > 0, "{before:?}");
    // A piece that is damaged, cut or something else is made again, and the tags stay as they are.
    let piece = pieces(&env).remove(1);
    let whole = fs::read(&piece).unwrap();
    let mut spoilt = whole.clone();
    spoilt[5000] ^= 1;
    for bad in [&spoilt[..], &whole[..4000], b"a note to myself"] {
        fs::write(&piece, bad).unwrap();
        env.index();
        assert_eq!(fs::read(&piece).unwrap(), whole);
        env.ok(&["retag"]);
        assert_eq!(all(&env), before);
    }
    // Made anew from nothing they are the same, too.
    for piece in pieces(&env) {
        fs::remove_file(piece).unwrap();
    }
    env.index();
    assert_eq!(all(&env), before);
    // No vocabulary, no tags of it.
    env.configure("[labels]\nterms = 0\n[detect]\ntext = false\n");
    env.ok(&["retag"]);
    assert_eq!(by(&env, "tiny"), 0);
    assert!(by(&env, "efficientnet-lite0") > 0);
}

#[test]
fn a_kill_while_terms_are_encoded_costs_a_piece() {
    let Some(env) = library(2_000) else { return };
    install(&env, "tiny", Sight::Quick);
    env.ok(&["model", "use", "tiny"]);
    let daemon = env.watch();
    env.wait_until("the first terms", || !pieces(&env).is_empty());
    daemon.kill();
    let there = pieces(&env);
    let made = |piece: &PathBuf| fs::metadata(piece).unwrap().modified().unwrap();
    let before: Vec<_> = there.iter().map(made).collect();
    let daemon = env.watch();
    env.wait_until("all terms, and photos tagged with them", || {
        let report = env.status()["tags"].take();
        report["terms"] == serde_json::json!([2_000, 2_000]) && report["stale"] == 0
    });
    assert_eq!(before, there.iter().map(made).collect::<Vec<_>>());
    assert_eq!(pieces(&env).len(), 4);
    assert!(by(&env, "tiny") > 0);
    assert_eq!(daemon.stop(), Some(0));
}
