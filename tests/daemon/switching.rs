//! Another search model while the daemon runs: the old one answers until the new one is whole,
//! nothing is decoded twice, and a pack that is no good harms nobody.
//!
//! The packs are real ones, of graphs of a few hundred bytes; a slow one gives time for the middle.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::env::{Daemon, TestEnv, jpeg};
use crate::graphs::{self, FLOAT, Graph, Head};

/// Photos of a library that is switched.
const PHOTOS: u64 = 40;

/// How a tiny pack sees.
#[derive(Clone, Copy)]
pub enum Sight {
    /// The mean colour, at once.
    Quick,
    /// The same after a long think: some tens of milliseconds a photo.
    Slow,
    /// Not a number for photos with little red.
    RedOnly,
    /// Six values, declared as such, where the manifest says three.
    TooLong,
    /// Six values, declared as any number.
    TooLongUnsaid,
}

impl Sight {
    fn graph(self) -> (Vec<u8>, u32) {
        match self {
            Self::Quick => (graphs::vision(Head::Mean), 16),
            Self::Slow => (slow(), 64),
            Self::RedOnly => (graphs::vision(Head::Root), 16),
            Self::TooLong => (graphs::vision(Head::Double), 16),
            Self::TooLongUnsaid => (graphs::vision(Head::Unsaid), 16),
        }
    }
}

/// The mean colour of `[N, 3, 64, 64]` pixels, with a chain of convolutions beside it that adds
/// next to nothing but takes its time.
fn slow() -> Vec<u8> {
    const CHANNELS: u64 = 64;
    const LAYERS: usize = 12;
    let mut graph = Graph::default();
    graph.input("pixel_values", FLOAT, &[-1, 3, 64, 64]);
    let kernel = |from: u64| vec![1.0 / (from * 9) as f32; (CHANNELS * from * 9) as usize];
    graph.floats("first", &[CHANNELS, 3, 3, 3], &kernel(3));
    graph.floats("next", &[CHANNELS, CHANNELS, 3, 3], &kernel(CHANNELS));
    graph.node("Conv", &["pixel_values", "first"], "layer0", &[]);
    for layer in 0..LAYERS {
        let (from, to) = (format!("layer{layer}"), format!("layer{}", layer + 1));
        graph.node("Conv", &[&from, "next"], &to, &[]);
    }
    let last = format!("layer{LAYERS}");
    graph.node("GlobalAveragePool", &[&last], "deep", &[]);
    graph.node("Flatten", &["deep"], "thought", &[("axis", 1)]);
    graph.floats("little", &[CHANNELS, 3], &vec![1e-6; CHANNELS as usize * 3]);
    graph.node("MatMul", &["thought", "little"], "trace", &[]);
    graph.node("GlobalAveragePool", &["pixel_values"], "pooled", &[]);
    graph.node("Flatten", &["pooled"], "flat", &[("axis", 1)]);
    graph.floats("bias", &[3], &[1.0, 2.0, 3.0]);
    graph.node("Add", &["flat", "bias"], "colour", &[]);
    graph.node("Add", &["colour", "trace"], "image_embeds", &[]);
    graph.output("image_embeds", FLOAT, &[-1, 3]);
    graph.model()
}

/// Writes a pack into a folder of its own and installs it.
pub fn install(env: &TestEnv, name: &str, sight: Sight) {
    let dir = packed(env, name, sight);
    let said = env.ok(&["model", "install", name, "--from", dir.to_str().unwrap()]);
    assert!(said.contains("installed"), "{said}");
}

fn packed(env: &TestEnv, name: &str, sight: Sight) -> PathBuf {
    let (graph, size) = sight.graph();
    let dir = env.outside(&format!("pack of {name}"));
    fs::create_dir_all(&dir).unwrap();
    let manifest = format!(
        r#"name = "{name}"
revision = "install"
kind = "dual-encoder"
description = "mean colours"
dims = 3
image = {{ file = "vision.onnx", tensor = "pixel_values", output = "image_embeds", size = {size}, fit = "squash", mean = [127.5, 127.5, 127.5], std = [60.0, 60.0, 60.0] }}
text = {{ file = "text.onnx", tokenizer = "tokenizer.json", ids = "input_ids", output = "pooler_output", length = 8, pad_id = 1 }}
calibration = {{ kind = "sigmoid", scale = 117.33, bias = -12.93 }}
licence = {{ weights = "MIT" }}
[files."vision.onnx"]
[files."text.onnx"]
[files."tokenizer.json"]
"#
    );
    fs::write(dir.join("model.toml"), manifest).unwrap();
    fs::write(dir.join("vision.onnx"), graph).unwrap();
    fs::write(dir.join("text.onnx"), graphs::text(&[], graphs::INT64)).unwrap();
    fs::write(dir.join("tokenizer.json"), graphs::tokenizer()).unwrap();
    dir
}

/// A plain colour as a PNG.
fn plain(env: &TestEnv, name: &str, colour: [u8; 3]) {
    RgbImage::from_pixel(40, 30, Rgb(colour))
        .save(env.photo(name))
        .unwrap();
}

/// A folder of drawn photos, indexed; `None` without ONNX Runtime.
fn library() -> Option<TestEnv> {
    let env = TestEnv::new();
    if !env.has_model() {
        return None;
    }
    for i in 0..PHOTOS as u32 {
        fs::write(env.photo(&format!("{i}.jpg")), jpeg(i)).unwrap();
    }
    let summary = env.index();
    assert_eq!(summary["indexed"], PHOTOS, "{summary}");
    Some(env)
}

fn search(env: &TestEnv) -> Value {
    env.status()["search"].take()
}

fn counter(env: &TestEnv, name: &str) -> u64 {
    env.status()["daemon"]["counters"][name].as_u64().unwrap()
}

/// What the daemon counts once it has nothing left to do.
fn counters_at_rest(env: &TestEnv, names: [&str; 2]) -> [u64; 2] {
    env.wait_until("the daemon is idle", || {
        let daemon = env.status()["daemon"].take();
        daemon["activity"] == "idle" && daemon["counters"]["queued"] == 0
    });
    names.map(|name| counter(env, name))
}

fn serves(search: &Value, name: &str) -> bool {
    search["whole"] == true
        && search["serving"]
            .as_str()
            .is_some_and(|id| id.starts_with(&format!("{name}@")))
}

fn wait_for(env: &TestEnv, name: &str) {
    env.wait_until(&format!("queries go by {name}"), || {
        serves(&search(env), name)
    });
}

/// Waits until some but not all photos are seen by the chosen model, and stops the daemon's clock
/// there: what is asked meanwhile is asked in the middle of the switch.
fn hold_in_the_middle(env: &TestEnv, daemon: &Daemon) -> u64 {
    env.wait_until("the switch is under way", || {
        search(env)["done"].as_u64().is_some_and(|n| n > 0)
    });
    daemon.hold();
    let now = search(env);
    let done = now["done"].as_u64().unwrap_or(PHOTOS);
    assert!(0 < done && done < PHOTOS, "the middle was missed: {now}");
    done
}

/// Whether a photo of the folder is an answer to itself (not always the first: three values cannot
/// tell all pictures apart), what is said beside it, and the exit code.
fn ask(env: &TestEnv, name: &str) -> (bool, String, Option<i32>) {
    let photo = env.photo(name);
    let photo = photo.to_str().unwrap();
    let output = env.run(&["query", "--like", photo]);
    let table = String::from_utf8_lossy(&output.stdout);
    (
        table
            .lines()
            .any(|l| l.starts_with(" 1.00  ") && l.contains(photo)),
        String::from_utf8_lossy(&output.stderr).into_owned(),
        output.status.code(),
    )
}

/// The old space answers, and it is said which one does.
fn old_space_answers(env: &TestEnv, name: &str, because: &str) {
    let (found, said, code) = ask(env, name);
    assert_eq!(code, Some(0), "{said}");
    assert!(found, "{name} is no answer to itself");
    assert!(
        said.contains(because) && said.contains("lite0-minilm@"),
        "{said}"
    );
}

/// The space in use answers, without a word about it.
fn new_space_answers(env: &TestEnv, name: &str) {
    let (found, said, code) = ask(env, name);
    assert_eq!(code, Some(0), "{said}");
    assert!(found, "{name} is no answer to itself");
    assert!(!said.contains("answers"), "{said}");
}

#[test]
fn the_old_space_answers_until_the_new_one_is_whole() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "tiny", Sight::Slow);
    let daemon = env.watch();
    assert!(serves(&search(&env), "lite0-minilm"));
    let said = env.ok(&["model", "use", "tiny"]);
    assert!(
        said.contains("the running photond switches by itself"),
        "{said}"
    );

    let done = hold_in_the_middle(&env, &daemon);
    let middle = search(&env);
    assert_eq!(middle["chosen"], "tiny");
    assert_eq!(middle["photos"], PHOTOS);
    assert!(
        middle["serving"]
            .as_str()
            .unwrap()
            .starts_with("lite0-minilm@")
    );
    let text = env.ok(&["status"]);
    let line = format!("search model tiny: {done} of {PHOTOS} photos seen");
    assert!(text.contains(&line), "{text}");
    assert!(
        text.contains("until then --text and --like use lite0-minilm@"),
        "{text}"
    );
    old_space_answers(&env, "3.jpg", "tiny has not seen all photos yet");
    let listed = env.json(&["model", "list", "--format", "json"]);
    let in_use = |m: &&Value| m["in_use"] == true;
    assert_eq!(
        listed.as_array().unwrap().iter().find(in_use).unwrap()["name"],
        "tiny"
    );

    // What lands meanwhile is found before and after.
    fs::write(env.photo("meanwhile.jpg"), jpeg(1000)).unwrap();
    daemon.signal("CONT");
    env.wait_until("the new photo is indexed", || {
        env.paths().contains(&"meanwhile.jpg".to_owned())
    });
    let (found, _, code) = ask(&env, "meanwhile.jpg");
    assert!(code == Some(0) && found);

    wait_for(&env, "tiny");
    for name in ["meanwhile.jpg", "0.jpg", "39.jpg"] {
        new_space_answers(&env, name);
    }
    assert_eq!(
        counters_at_rest(&env, ["inspected", "caught_up"]),
        [PHOTOS + 1, PHOTOS],
        "each photo is decoded once, the new one for both models"
    );
    // The space of three dimensions has a text side of its own.
    let by_text = env.query(&["--text", "dog", "--all", "--limit", "3"]);
    assert_eq!(by_text.len(), 3);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn back_and_forth_costs_nothing_the_second_time() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "tiny", Sight::Quick);
    let daemon = env.watch();
    env.ok(&["model", "use", "tiny"]);
    wait_for(&env, "tiny");
    let before = counters_at_rest(&env, ["inspected", "opened"]);
    for name in ["lite0-minilm", "tiny", "lite0-minilm", "tiny"] {
        env.ok(&["model", "use", name]);
        let chosen = Instant::now();
        wait_for(&env, name);
        // Not at the daemon's next look around, which is half a minute away.
        assert!(chosen.elapsed() < Duration::from_secs(20), "back at {name}");
        new_space_answers(&env, "7.jpg");
    }
    let after = counters_at_rest(&env, ["inspected", "opened"]);
    assert_eq!(before, after, "nothing is read or decoded");

    // Both stay whole while the other serves.
    env.ok(&["model", "use", "lite0-minilm"]);
    wait_for(&env, "lite0-minilm");
    fs::write(env.photo("later.jpg"), jpeg(77)).unwrap();
    env.wait_until("it is indexed", || {
        env.paths().contains(&"later.jpg".to_owned())
    });
    env.ok(&["model", "use", "tiny"]);
    env.wait_until("it is caught up", || {
        let (found, said, _) = ask(&env, "later.jpg");
        found && !said.contains("answers")
    });
    // Chosen and taken back before anything has come of it.
    for name in ["lite0-minilm", "tiny", "lite0-minilm"] {
        env.ok(&["model", "use", name]);
    }
    wait_for(&env, "lite0-minilm");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_kill_in_the_middle_loses_nothing_and_nothing_is_done_twice() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "tiny", Sight::Slow);
    let daemon = env.watch();
    env.ok(&["model", "use", "tiny"]);
    hold_in_the_middle(&env, &daemon);
    daemon.kill();
    // What had been committed by then.
    let left = search(&env);
    let done = left["done"].as_u64().unwrap();
    assert!(0 < done && done < PHOTOS, "{left}");
    old_space_answers(&env, "3.jpg", "tiny has not seen all photos yet");

    let daemon = env.watch();
    wait_for(&env, "tiny");
    assert_eq!(
        counters_at_rest(&env, ["inspected", "caught_up"]),
        [PHOTOS - done; 2],
        "only what was left, each once"
    );
    new_space_answers(&env, "3.jpg");
    assert_eq!(daemon.stop(), Some(0));
    let daemon = env.watch();
    assert_eq!(counters_at_rest(&env, ["opened", "inspected"]), [0, 0]);
    assert!(serves(&search(&env), "tiny"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn between_two_packs_a_restart_keeps_both_spaces_fed() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "one", Sight::Quick);
    install(&env, "two", Sight::Slow);
    let daemon = env.watch();
    env.ok(&["model", "use", "one"]);
    wait_for(&env, "one");
    env.ok(&["model", "use", "two"]);
    hold_in_the_middle(&env, &daemon);
    daemon.kill();

    // Started again in the middle; a photo lands before the second space is whole.
    let daemon = env.start(&[], |_| {});
    env.wait_until("it runs again", || {
        let status = env.status();
        status["daemon"]["pid"] == daemon.pid() && status["search"]["ready"] == true
    });
    fs::write(env.photo("meanwhile.jpg"), jpeg(1000)).unwrap();
    env.wait_until("it is indexed", || {
        env.paths().contains(&"meanwhile.jpg".to_owned())
    });
    daemon.hold();
    let middle = search(&env);
    let (found, said, code) = ask(&env, "meanwhile.jpg");
    let early = middle["whole"] == false;
    assert!(code == Some(0) && found, "{said}");
    assert_eq!(early, said.contains("one@"), "{middle}: {said}");
    daemon.signal("CONT");
    wait_for(&env, "two");
    new_space_answers(&env, "meanwhile.jpg");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn one_pass_completes_a_switch_too() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "tiny", Sight::Quick);
    let said = env.ok(&["model", "use", "tiny"]);
    assert!(said.contains("photond index"), "{said}");
    old_space_answers(&env, "3.jpg", "tiny has not seen all photos yet");
    let summary = env.index();
    assert_eq!(
        (&summary["decoded"], &summary["indexed"]),
        (&PHOTOS.into(), &0.into()),
        "{summary}"
    );
    assert!(serves(&search(&env), "tiny"), "{}", search(&env));
    new_space_answers(&env, "3.jpg");
    assert_eq!(env.index()["decoded"], 0);
    env.ok(&["model", "use", "lite0-minilm"]);
    assert_eq!(env.index()["decoded"], 0);
    assert!(serves(&search(&env), "lite0-minilm"));
}

#[test]
fn a_model_that_makes_nothing_of_any_photo_is_never_served() {
    let env = TestEnv::new();
    if !env.has_model() {
        return;
    }
    for i in 0..4u8 {
        plain(&env, &format!("blue{i}.png"), [0, 0, 100 + 40 * i]);
    }
    env.index();
    install(&env, "tiny", Sight::RedOnly);
    let daemon = env.watch();
    env.ok(&["model", "use", "tiny"]);
    env.wait_until("all have been tried", || search(&env)["failed"] == 4);
    counters_at_rest(&env, ["inspected", "caught_up"]);
    let now = search(&env);
    assert_eq!(now["whole"], false, "{now}");
    assert!(
        now["serving"]
            .as_str()
            .unwrap()
            .starts_with("lite0-minilm@")
    );
    let text = env.ok(&["status"]);
    assert!(text.contains("it makes nothing of 4 photos"), "{text}");
    let errors = env.status()["errors"].take();
    let why = &errors.as_array().unwrap()[0];
    assert!(why["model"].as_str().unwrap().starts_with("tiny@"), "{why}");
    assert!(why["error"].as_str().unwrap().contains("tiny"), "{why}");
    old_space_answers(&env, "blue1.png", "tiny has not seen all photos yet");

    // The daemon goes on, and tags are made as ever.
    plain(&env, "late.png", [0, 50, 90]);
    env.wait_until("a new photo has its tags", || {
        env.query(&["--path", "late.png"])
            .first()
            .is_some_and(|r| !r["tags"].as_array().unwrap().is_empty())
    });
    // Among many that it can see, a few are no reason not to use it.
    for i in 0..60u8 {
        plain(&env, &format!("red{i}.png"), [250, 10, 2 * i]);
    }
    wait_for(&env, "tiny");
    new_space_answers(&env, "red7.png");
    assert_eq!(env.status()["counts"]["failed"], 0, "no file is broken");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_graph_of_other_dimensions_is_refused_and_everything_else_goes_on() {
    for (sight, name) in [(Sight::TooLong, "said"), (Sight::TooLongUnsaid, "unsaid")] {
        let env = TestEnv::new();
        if !env.has_model() {
            return;
        }
        fs::write(env.photo("a.jpg"), jpeg(1)).unwrap();
        env.index();
        install(&env, name, sight);
        let daemon = env.watch();
        env.ok(&["model", "use", name]);
        fs::write(env.photo("b.jpg"), jpeg(2)).unwrap();
        env.wait_until("it is refused, and why is said", || {
            let now = search(&env);
            let why = now["detail"].as_str().unwrap_or_default();
            now["ready"] == false && why.contains('6') && why.contains('3') && why.contains(name)
        });
        let text = env.ok(&["status"]);
        assert!(text.contains("vision.onnx"), "{text}");
        old_space_answers(&env, "a.jpg", "has not seen all photos yet");
        env.wait_until("a new photo has its tags and is found", || {
            let (found, _, code) = ask(&env, "b.jpg");
            code == Some(0)
                && found
                && !env.query(&["--path", "b.jpg"])[0]["tags"]
                    .as_array()
                    .unwrap()
                    .is_empty()
        });
        let bad = env.run(&["model", "verify", name]);
        assert_eq!(bad.status.code(), Some(2));
        env.ok(&["model", "use", "lite0-minilm"]);
        wait_for(&env, "lite0-minilm");
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_pack_that_is_lost_or_damaged_is_named_and_can_come_back() {
    let Some(env) = library() else {
        return;
    };
    install(&env, "tiny", Sight::Quick);
    env.ok(&["model", "use", "tiny"]);
    env.index();
    assert!(serves(&search(&env), "tiny"));
    let folder = env.data().join("models/tiny");

    // Bytes have changed under it.
    let graph = folder.join("vision.onnx");
    let mut bytes = fs::read(&graph).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&graph, bytes).unwrap();
    let daemon = env.watch();
    env.wait_until("the damage is named", || {
        let now = search(&env);
        now["ready"] == false && now["detail"].as_str().unwrap().contains("tiny")
    });
    old_space_answers(&env, "3.jpg", "vision.onnx");
    assert!(
        env.ok(&["status"]).contains("lite0-minilm"),
        "it says what answers"
    );
    assert_eq!(daemon.stop(), Some(0));

    // Gone.
    fs::remove_dir_all(&folder).unwrap();
    old_space_answers(&env, "3.jpg", "photond model install tiny");
    let daemon = env.watch();
    let now = search(&env);
    assert_eq!(
        (&now["chosen"], &now["ready"]),
        (&"tiny".into(), &false.into()),
        "{now}"
    );
    assert!(
        now["answering"]
            .as_str()
            .unwrap()
            .starts_with("lite0-minilm@")
    );
    fs::write(env.photo("meanwhile.jpg"), jpeg(1000)).unwrap();
    env.wait_until("the daemon goes on", || {
        env.paths().contains(&"meanwhile.jpg".to_owned())
    });
    old_space_answers(&env, "meanwhile.jpg", "photond model install tiny");

    // Installed again, under the running daemon: it takes up where it was.
    install(&env, "tiny", Sight::Quick);
    env.wait_until("the photo of meanwhile is caught up", || {
        let (found, said, _) = ask(&env, "meanwhile.jpg");
        found && !said.contains("answers")
    });
    // What the daemon says of itself comes a moment after what it has written.
    env.wait_until("the daemon tells of it", || counter(&env, "caught_up") > 0);
    assert_eq!(
        counters_at_rest(&env, ["inspected", "caught_up"]),
        [2, 1],
        "decoded: the new photo, once for each model that was there"
    );
    assert_eq!(daemon.stop(), Some(0));
}
