//! Things, people and faces: found, shown, told of, turned off, and caught up in an index of before.

use std::fs;

use serde_json::Value;

use crate::env::{TestEnv, jpeg, save};

/// A drawing with a stop sign and a person, see `make_scene.py`.
const SCENE: &[u8] = include_bytes!("../samples/scene.png");
const OFF: &str = "[labels]\nterms = 0\n[detect]\nthings = false\nfaces = false\ntext = false\n";
const ON: &str = "[labels]\nterms = 0\n[detect]\ntext = false\n";

/// The drawing and two pictures of nothing.
fn library() -> Option<TestEnv> {
    let env = TestEnv::new();
    if !env.has_model() {
        return None;
    }
    fs::write(env.photo("scene.png"), SCENE).unwrap();
    for i in 0..2 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    Some(env)
}

fn tagged(env: &TestEnv, tag: &str) -> Vec<String> {
    env.names(&env.query(&["--tag", tag]))
}

fn show(env: &TestEnv, name: &str) -> Value {
    env.json(&["show", env.photo(name).to_str().unwrap()])
}

/// What status says of those of things and faces.
fn detectors(env: &TestEnv) -> Vec<Value> {
    let all = env.status()["detectors"].as_array().unwrap().clone();
    let of_boxes = |d: &Value| d["looks_for"] == "things" || d["looks_for"] == "faces";
    all.into_iter().filter(of_boxes).collect()
}

fn sources(photo: &Value, tag: &str) -> String {
    let tags = photo["tags"].as_array().unwrap();
    let tag = tags.iter().find(|t| t["name"] == tag).unwrap();
    tag["sources"].to_string()
}

#[test]
fn things_people_and_faces_become_tags_and_are_shown_with_their_boxes() {
    let Some(env) = library() else { return };
    for (name, width, height) in [("black", 300, 200), ("one", 1, 1), ("wide", 60_000, 1)] {
        let picture = image::RgbImage::new(width, height);
        picture.save(env.photo(&format!("{name}.png"))).unwrap();
    }
    env.index();
    assert_eq!(tagged(&env, "people"), ["scene.png"]);
    assert_eq!(tagged(&env, "stop sign"), ["scene.png"]);
    assert_eq!(tagged(&env, "portrait"), ["scene.png"]);
    let shown = show(&env, "scene.png");
    let people = sources(&shown, "people");
    assert!(
        people.contains("nanodet-g@") && people.contains("centerface@"),
        "{people}"
    );
    assert!(sources(&shown, "portrait").contains("centerface@"));
    let things = shown["things"].as_array().unwrap();
    let sign = things.iter().find(|t| t["name"] == "stop sign").unwrap();
    let side = |of: &Value, side: &str| of["area"][side].as_f64().unwrap();
    assert!((side(sign, "left") - 0.0764).abs() < 0.02, "{sign}");
    assert!((side(sign, "height") - 0.4564).abs() < 0.03, "{sign}");
    let faces = shown["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 1);
    assert!((side(&faces[0], "left") - 0.5992).abs() < 0.02, "{faces:?}");
    for name in ["black.png", "one.png", "wide.png"] {
        let shown = show(&env, name);
        assert!(shown["things"].is_array(), "{shown}");
        assert_eq!(shown["faces"], serde_json::json!([]), "{name}");
    }
    // Nobody is seen there, so no face is looked for.
    assert_eq!(show(&env, "0.jpg")["faces"], serde_json::json!([]));
    let why = env.ok(&["query", "--tag", "people", "--explain"]);
    assert!(why.contains("by nanodet-g@"), "{why}");
}

#[test]
fn an_index_of_before_is_caught_up_and_each_can_be_turned_off() {
    let Some(env) = library() else { return };
    env.configure(OFF);
    env.index();
    assert!(tagged(&env, "portrait").is_empty());
    assert!(show(&env, "scene.png")["things"].is_null());
    let off = env.ok(&["status"]);
    assert!(off.contains("faces are not looked for"), "{off}");
    // Each photo is decoded once for both of them.
    env.configure(ON);
    let caught_up = env.index();
    assert_eq!(
        (&caught_up["opened"], &caught_up["indexed"]),
        (&3.into(), &0.into())
    );
    assert_eq!(tagged(&env, "stop sign"), ["scene.png"]);
    for detector in detectors(&env) {
        assert_eq!(detector["seen"], 3, "{detector}");
        assert_eq!(detector["on"], true, "{detector}");
    }
    // What is kept of them stays where it is; tags are made without it, and with it again.
    env.configure(OFF);
    assert_eq!(env.index()["opened"], 0);
    assert!(tagged(&env, "portrait").is_empty());
    env.configure("[labels]\nterms = 0\n[detect]\nthings = false\ntext = false\n");
    assert_eq!(env.index()["opened"], 0);
    assert_eq!(tagged(&env, "portrait"), ["scene.png"]);
    assert!(tagged(&env, "stop sign").is_empty());
    env.configure(ON);
    assert_eq!(env.index()["opened"], 0);
    assert_eq!(tagged(&env, "stop sign"), ["scene.png"]);
}

#[test]
fn a_daemon_catches_up_behind_what_comes_in() {
    let Some(env) = library() else { return };
    env.configure(OFF);
    env.index();
    env.configure(ON);
    let daemon = env.watch();
    fs::write(env.photo("late.png"), SCENE).unwrap();
    // The same content: its boxes are those of the one that was there.
    let both = ["late.png", "scene.png"];
    env.wait_until("both are known to show a stop sign", || {
        let mut found = tagged(&env, "stop sign");
        found.sort();
        found == both
    });
    env.wait_until("all are seen by both", || {
        let seen = |d: &Value| d["seen"] == 3 && d["ready"] == true && d["waiting"] == 0;
        detectors(&env).iter().all(seen)
    });
    daemon.stop();
}

#[test]
fn kinds_of_picture_go_by_pixels_and_names() {
    let Some(env) = library() else { return };
    // Nothing in it is as flat as what is drawn.
    let grey = image::GrayImage::from_fn(640, 480, |x, y| {
        let grain = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)) % 40;
        image::Luma([((x * y / 700 + grain) % 256) as u8])
    });
    grey.save(env.photo("grey.jpg")).unwrap();
    save(8, &env.photo("Screenshot_20240703-180411.jpg"));
    env.index();
    assert_eq!(tagged(&env, "black and white"), ["grey.jpg"]);
    assert_eq!(tagged(&env, "monochrome"), ["grey.jpg"]);
    let screenshots = tagged(&env, "screen shot");
    assert!(screenshots.contains(&"Screenshot_20240703-180411.jpg".to_owned()));
    let by = sources(&show(&env, "grey.jpg"), "black and white");
    assert_eq!(by, "[\"picture\"]");
}
