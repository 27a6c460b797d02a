//! Whose faces they are: off until asked for, listed, named, parted, found and forgotten.
//!
//! No face of anybody lies in the project. What a model would have seen is written into the index of a
//! library at rest; everything else is the real binary.

use std::fs;
use std::path::Path;

use photond::boxes::DetectedBox;
use photond::embedding::ModelId;
use photond::faces::{self, DIMS, Face};
use photond::photo::ContentHash;
use photond::store::{Change, ModelResult, Results, SpaceKind, Store};
use serde_json::{Value, json};

use crate::env::{TestEnv, jpeg};
use crate::saying::with_xmp;

/// A drawing with a person, see `make_scene.py`.
const SCENE: &[u8] = include_bytes!("../samples/scene.png");
const ANNA: usize = 3;
const BEN: usize = 5;

/// Somebody's face, as far from how they usually look, at a place of the picture.
fn face(who: usize, off: f32, left: f32) -> Face {
    let mut vector = vec![0.0; DIMS];
    vector[who] = 1.0;
    vector[100] = off;
    Face {
        found: DetectedBox {
            class: 0,
            score: 0.9,
            left,
            top: 0.25,
            right: left + 0.125,
            bottom: 0.5,
        },
        vector,
    }
}

/// A model sees these faces in the photos of a library that no photond works on.
fn see(env: &TestEnv, seen: &[(&str, Vec<Face>)]) {
    let (mut store, _) = Store::open(&env.data()).unwrap();
    let id = ModelId("made-up@1".to_owned());
    let model = store
        .adopt_model(&id, faces::NUMBERS, SpaceKind::Faces)
        .unwrap();
    store.tell_faces_apart(0.4);
    for (name, found) in seen {
        let bytes = fs::read(env.photo(name)).unwrap();
        let results = Results {
            made: vec![ModelResult {
                model,
                embedding: faces::kept(found),
            }],
            ..Results::default()
        };
        let change = Change::Embedded {
            hash: ContentHash(*blake3::hash(&bytes).as_bytes()),
            results: Box::new(results),
        };
        store.apply(&[change]).unwrap();
    }
}

/// Anna on 1, 2 and 3, Ben on 2, 3 and 4, nobody on 5; the file of 1 names whose face it is.
fn library() -> TestEnv {
    let env = TestEnv::new();
    let region = "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li><rdf:Description
        MPReg:PersonDisplayName=\"Anna Berg\" MPReg:Rectangle=\"0.1, 0.24, 0.13, 0.27\"/></rdf:li></rdf:Bag>
        </MPRI:Regions></rdf:Description></MP:RegionInfo>";
    fs::write(env.photo("1.jpg"), with_xmp(1, region)).unwrap();
    for n in 2..=5 {
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(n)).unwrap();
    }
    env.index();
    see(
        &env,
        &[
            ("1.jpg", vec![face(ANNA, 0.1, 0.1)]),
            ("2.jpg", vec![face(ANNA, 0.0, 0.5), face(BEN, 0.1, 0.1)]),
            ("3.jpg", vec![face(ANNA, 0.2, 0.1), face(BEN, 0.0, 0.5)]),
            ("4.jpg", vec![face(BEN, 0.2, 0.3)]),
            ("5.jpg", vec![]),
        ],
    );
    env
}

fn found(env: &TestEnv, args: &[&str]) -> Vec<String> {
    let mut names = env.names(&env.query(args));
    names.sort();
    names
}

/// Everybody with the number of photos.
fn everybody(env: &TestEnv) -> Vec<(String, u64)> {
    let listed = env.run(&["people", "--format", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let one = |p: &Value| {
        (
            p["name"].as_str().unwrap().to_owned(),
            p["photos"].as_u64().unwrap(),
        )
    };
    listed.as_array().unwrap().iter().map(one).collect()
}

fn people(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    let own = |(name, photos): &(&str, u64)| ((*name).to_owned(), *photos);
    pairs.iter().map(own).collect()
}

#[test]
fn faces_are_listed_named_and_found() {
    let env = library();
    assert_eq!(
        everybody(&env),
        people(&[("Anna Berg", 3), ("person 2", 3)])
    );
    let table = env.ok(&["people"]);
    assert!(table.contains("3  Anna Berg (1)"), "{table}");
    assert!(table.contains("3  person 2"), "{table}");
    let folder = env.photos();
    assert!(table.contains(folder.to_str().unwrap()), "{table}");
    assert_eq!(
        found(&env, &["--person", "Anna"]),
        ["1.jpg", "2.jpg", "3.jpg"]
    );
    // All of them, by name or number.
    for ben in ["2", "person 2"] {
        assert_eq!(
            found(&env, &["--person", "Anna", "--person", ben]),
            ["2.jpg", "3.jpg"]
        );
    }
    let said = env.ok(&["people", "name", "2", "Ben", "Ash"]);
    assert!(said.contains("person 2 is Ben Ash (3 photos)"), "{said}");
    assert_eq!(everybody(&env), people(&[("Anna Berg", 3), ("Ben Ash", 3)]));
    assert_eq!(
        found(&env, &["--person", "ash", "--person", "berg"]),
        ["2.jpg", "3.jpg"]
    );
    let shown = env.json(&["show", env.photo("3.jpg").to_str().unwrap()]);
    assert_eq!(shown["people"], json!(["Anna Berg", "Ben Ash"]));
    assert_eq!(shown["people_areas"][1]["sources"], json!(["face"]));
    assert_eq!(shown["people_areas"][1]["area"]["left"], 0.5);
    // Names are words that are searched.
    assert_eq!(found(&env, &["ash"]), ["2.jpg", "3.jpg", "4.jpg"]);
    let unknown = env.run(&["query", "--person", "Ben Ahs"]);
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said.contains("Ben Ash"), "{said}");
    assert_eq!(env.run(&["query", "--person", "9"]).status.code(), Some(1));
}

#[test]
fn a_persons_word_counts_and_stays() {
    let env = library();
    let photo = env.photo("3.jpg");
    let photo = photo.to_str().unwrap();
    env.ok(&["people", "not", "2", photo]);
    assert_eq!(found(&env, &["--person", "2"]), ["2.jpg", "4.jpg"]);
    // Seen again.
    see(
        &env,
        &[("3.jpg", vec![face(ANNA, 0.2, 0.1), face(BEN, 0.0, 0.5)])],
    );
    assert_eq!(found(&env, &["--person", "2"]), ["2.jpg", "4.jpg"]);
    let said = env.refused(&["people", "not", "2", photo]);
    assert!(
        said.contains("no face of person 2 is known there"),
        "{said}"
    );
    env.ok(&["people", "merge", "Anna Berg", "2"]);
    assert_eq!(everybody(&env), people(&[("Anna Berg", 4)]));
    let said = env.ok(&["people", "split", "anna berg"]);
    assert!(said.contains("person 3"), "{said}");
    assert_eq!(
        everybody(&env),
        people(&[("Anna Berg", 3), ("person 3", 2)])
    );
    env.ok(&["people", "name", "3", "Anna Berg"]);
    assert_eq!(everybody(&env), people(&[("Anna Berg", 4)]));
    for (words, says) in [
        (vec!["name", "7", "Zoe"], "no person 7"),
        (vec!["name", "1", "12"], "is no name but a number"),
        (vec!["name", "1", " "], "no letter in it"),
        (vec!["merge", "1", "1"], "both times"),
        (vec!["split", "Zoe"], "nobody called"),
    ] {
        let words: Vec<&str> = std::iter::once("people").chain(words).collect();
        let said = env.refused(&words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
}

/// Whether any file of the index has these bytes.
fn holds(dir: &Path, wanted: &[u8]) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let files = files.filter(|f| f.file_type().unwrap().is_file());
    let has = |f: &fs::DirEntry| {
        let bytes = fs::read(f.path()).unwrap();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    };
    files
        .filter(has)
        .map(|f| f.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn what_is_forgotten_leaves_no_trace() {
    let env = library();
    env.ok(&["people", "name", "2", "Benedikt"]);
    // As Ben's vector on 4.jpg is kept: 1 in half precision where he is, 0.2 in the hundredth place.
    let vector = faces::kept(&[face(BEN, 0.2, 0.3)]).values;
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
        .collect();
    assert!(!holds(&env.data(), &bytes).is_empty());
    env.ok(&["people", "forget", "Benedikt"]);
    assert_eq!(holds(&env.data(), &bytes), Vec::<String>::new());
    for word in [&b"Benedikt"[..], b"benedikt"] {
        assert_eq!(holds(&env.data(), word), Vec::<String>::new());
    }
    assert_eq!(everybody(&env), people(&[("Anna Berg", 3)]));
    // Not even when these photos are seen again.
    see(
        &env,
        &[
            ("4.jpg", vec![face(BEN, 0.2, 0.3)]),
            ("3.jpg", vec![face(BEN, 0.0, 0.5)]),
        ],
    );
    assert_eq!(everybody(&env), people(&[("Anna Berg", 2)]));

    let vector = faces::kept(&[face(ANNA, 0.1, 0.1)]).values;
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
        .collect();
    assert!(!holds(&env.data(), &bytes).is_empty());
    let said = env.ok(&["people", "forget", "--all"]);
    assert!(said.contains("every face is forgotten"), "{said}");
    assert_eq!(holds(&env.data(), &bytes), Vec::<String>::new());
    // What the file says is the file's.
    assert_eq!(everybody(&env), people(&[("Anna Berg", 1)]));
    assert_eq!(
        env.ok(&["query", "--person", "Anna", "--format", "paths"])
            .lines()
            .count(),
        1
    );
    // The index is whole, and goes on.
    env.index();
    assert!(env.run(&["doctor", "--deep"]).status.success());
}

#[test]
fn it_is_off_until_it_is_asked_for() {
    let env = TestEnv::new();
    fs::write(env.photo("1.jpg"), jpeg(1)).unwrap();
    env.index();
    let listed = env.run(&["people"]);
    let said = String::from_utf8_lossy(&listed.stderr);
    assert_eq!(listed.status.code(), Some(1));
    assert!(said.contains("photond people on"), "{said}");
    assert!(env.status()["detectors"].to_string().contains("faces"));
    assert!(!env.status()["detectors"].to_string().contains("dlib-face"));
    // Nothing that would bring the model is here: it stays off, and says why.
    let weights = env.data().join("models/dlib-face");
    assert!(!weights.exists());
    let mut command = env.command(&["people", "on"]);
    let refused = command.env("PATH", "").output().unwrap();
    if !refused.status.success() {
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("python3"), "{said}");
        assert!(!env.data().join("models/people-on").exists());
    }
    env.ok(&["people", "off"]);
}

#[test]
fn it_is_turned_on_and_catches_up() {
    let env = TestEnv::new();
    let verified = env.run(&["model", "verify", "dlib-face"]);
    let there =
        env.has_model() && !String::from_utf8_lossy(&verified.stdout).contains("not complete");
    if !there || !verified.status.success() {
        eprintln!("skipped: no encoder of faces (`photond people on` fetches it)");
        return;
    }
    fs::write(env.photo("1.png"), SCENE).unwrap();
    // Nobody is on it: one pass does not look for faces there.
    fs::write(env.photo("nobody.jpg"), jpeg(1)).unwrap();
    env.index();
    let seen = |env: &TestEnv| {
        let detectors = env.status()["detectors"].clone();
        let people = detectors
            .as_array()
            .unwrap()
            .iter()
            .find(|d| d["looks_for"] == "people");
        people.map(|d| d["seen"].as_i64().unwrap())
    };
    assert_eq!(seen(&env), None);
    env.ok(&["people", "on"]);
    env.index();
    assert_eq!(seen(&env), Some(1));
    env.ok(&["people", "off"]);
    fs::write(env.photo("2.png"), [SCENE, b"another"].concat()).unwrap();
    env.index();
    env.ok(&["people", "on"]);
    assert_eq!(seen(&env), Some(1));
    env.ok(&["people", "forget", "--all"]);
    env.index();
    assert_eq!(seen(&env), None);
    env.ok(&["people", "on"]);
    env.index();
    assert_eq!(seen(&env), Some(2));
}
