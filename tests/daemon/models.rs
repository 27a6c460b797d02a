//! `photond model`: from a local hub that misbehaves, from folders, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::env::TestEnv;
use crate::hostile::{Act, Hostile, Resource};

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// A hub with one repository, and a manifest for it. The graphs are no graphs: they are installed,
/// checked and moved about here, and never run.
struct Hub {
    server: Hostile,
    vision: Vec<u8>,
}

impl Hub {
    fn new() -> Self {
        let hub = Self {
            server: Hostile::start(),
            vision: (0..2_000_000u32).map(|i| (i % 251) as u8).collect(),
        };
        hub.put("onnx/vision_model.onnx", hub.vision.clone());
        hub.put("onnx/text_model.onnx", vec![2; 100_000]);
        hub.put("tokenizer.json", b"{}".to_vec());
        hub
    }

    fn put(&self, path: &str, body: Vec<u8>) {
        let mut resource = Resource::new(body).header("X-Repo-Commit", COMMIT);
        resource.etag = Some(format!("\"{path}\""));
        for revision in ["main", COMMIT] {
            self.server.put(&at(revision, path), resource.clone());
        }
    }

    fn vision_acts(&self, acts: &[Act]) {
        self.server
            .change(&at(COMMIT, "onnx/vision_model.onnx"), |file| {
                file.acts = acts.to_vec();
            });
    }

    fn manifest(&self, env: &TestEnv, name: &str) -> PathBuf {
        let dir = env.outside("manifests");
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{name}.toml"));
        let sum = blake3::hash(&self.vision).to_hex();
        let text = format!(
            r#"name = "{name}"
revision = "install"
kind = "dual-encoder"
description = "a tiny pack"
dims = 8
image = {{ file = "vision_model.onnx", tensor = "pixel_values", output = "pooler_output", size = 32, fit = "squash", mean = [127.5, 127.5, 127.5], std = [127.5, 127.5, 127.5] }}
text = {{ file = "text_model.onnx", tokenizer = "tokenizer.json", ids = "input_ids", output = "pooler_output", length = 8 }}
licence = {{ weights = "MIT" }}
source = {{ repo = "me/tiny", revision = "main" }}
[files."vision_model.onnx"]
path = "onnx/vision_model.onnx"
size = {}
blake3 = "{sum}"
[files."text_model.onnx"]
path = "onnx/text_model.onnx"
[files."tokenizer.json"]
"#,
            self.vision.len()
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, env: &TestEnv, args: &[&str]) -> Command {
        let mut command = env.command(args);
        for proxy in [
            "http_proxy",
            "HTTP_PROXY",
            "all_proxy",
            "ALL_PROXY",
            "HF_TOKEN",
        ] {
            command.env_remove(proxy);
        }
        command.env("HF_ENDPOINT", &self.server.address);
        command
    }

    fn install(&self, env: &TestEnv, manifest: &Path) -> Output {
        let args = ["model", "install", manifest.to_str().unwrap()];
        self.command(env, &args).output().unwrap()
    }
}

fn at(revision: &str, path: &str) -> String {
    format!("/me/tiny/resolve/{revision}/{path}")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn listed(env: &TestEnv, name: &str) -> Value {
    env.json(&["model", "list", "--format", "json"])
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == name)
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn a_pack_is_installed_chosen_and_removed() {
    let env = TestEnv::new();
    let hub = Hub::new();
    let done = hub.install(&env, &hub.manifest(&env, "tiny"));
    assert!(done.status.success(), "{}", err(&done));
    let said = out(&done);
    assert!(said.contains(COMMIT), "{said}");
    assert!(said.contains("the BLAKE3 in its manifest"), "{said}");
    assert!(said.contains("no checksum of it is known"), "{said}");
    assert_eq!(listed(&env, "tiny")["state"], "installed");
    assert_eq!(listed(&env, "tiny")["in_use"], false);

    let chosen = env.ok(&["model", "use", "tiny"]);
    assert!(chosen.contains("lite0-minilm"), "{chosen}");
    assert_eq!(
        fs::read_to_string(env.data().join("models/in-use")).unwrap(),
        "tiny\n"
    );
    assert_eq!(listed(&env, "tiny")["in_use"], true);
    let refused = env.run(&["model", "remove", "tiny"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("model use lite0-minilm"));

    env.ok(&["model", "use", "lite0-minilm"]);
    env.ok(&["model", "remove", "tiny"]);
    assert_eq!(listed(&env, "tiny"), Value::Null);
    assert!(!env.data().join("models/tiny").exists());
}

#[test]
fn a_kill_in_the_middle_of_a_download_costs_only_the_rest() {
    let env = TestEnv::new();
    let hub = Hub::new();
    let manifest = hub.manifest(&env, "tiny");
    hub.vision_acts(&[Act::Slow(Duration::from_millis(20))]);
    let args = ["model", "install", manifest.to_str().unwrap()];
    let mut child = hub
        .command(&env, &args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = env
        .data()
        .join("models/.partial-tiny/vision_model.onnx.part");
    let here = || fs::metadata(&part).map_or(0, |m| m.len());
    env.wait_until("half of it is here", || here() > 600_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = here();
    assert!(kept < hub.vision.len() as u64, "it was too quick");
    assert_eq!(listed(&env, "tiny"), Value::Null, "a part is no pack");

    let ranged = || {
        hub.server
            .seen()
            .iter()
            .filter_map(|r| r.headers.get("range").cloned())
            .next_back()
    };
    assert_eq!(ranged(), None);
    let done = hub.install(&env, &manifest);
    assert!(done.status.success(), "{}", err(&done));
    assert_eq!(ranged(), Some(format!("bytes={kept}-")));
    assert_eq!(
        fs::read(env.data().join("models/tiny/vision_model.onnx")).unwrap(),
        hub.vision
    );
}

#[test]
fn ctrl_c_keeps_what_is_here_and_says_so() {
    let env = TestEnv::new();
    let hub = Hub::new();
    let manifest = hub.manifest(&env, "tiny");
    // A server that says nothing any more must not hold it up.
    hub.vision_acts(&[Act::StallAfter(700_000)]);
    let args = ["model", "install", manifest.to_str().unwrap()];
    let child = hub
        .command(&env, &args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let part = env
        .data()
        .join("models/.partial-tiny/vision_model.onnx.part");
    env.wait_until("some of it is here", || {
        fs::metadata(&part).is_ok_and(|m| m.len() >= 600_000)
    });
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        err(&ended).contains("run it again to go on"),
        "{}",
        err(&ended)
    );
    assert!(hub.install(&env, &manifest).status.success());
}

#[test]
fn a_hub_that_misbehaves_is_put_up_with() {
    let env = TestEnv::new();
    let hub = Hub::new();
    hub.vision_acts(&[
        Act::Status(500),
        Act::DropAfter(400_000),
        Act::IgnoreRangeAndDropAfter(900_000),
        Act::RetryAfter(429, 0),
    ]);
    let done = hub.install(&env, &hub.manifest(&env, "tiny"));
    assert!(done.status.success(), "{}", err(&done));
    assert!(err(&done).contains("answered 500"), "{}", err(&done));
}

#[test]
fn what_is_wrong_at_the_hub_is_said_and_nothing_is_installed() {
    let env = TestEnv::new();
    let hub = Hub::new();
    let manifest = hub.manifest(&env, "tiny");
    let mut wrong = hub.vision.clone();
    wrong[1_000_000] ^= 1;
    hub.put("onnx/vision_model.onnx", wrong);
    let bad = hub.install(&env, &manifest);
    assert_eq!(bad.status.code(), Some(2));
    assert!(err(&bad).contains("BLAKE3"), "{}", err(&bad));

    hub.put("onnx/vision_model.onnx", hub.vision[1..].to_vec());
    let bad = hub.install(&env, &manifest);
    assert_eq!(bad.status.code(), Some(2));
    assert!(
        err(&bad).contains("1999999 bytes, not 2000000"),
        "{}",
        err(&bad)
    );

    for revision in ["main", COMMIT] {
        hub.server.change(&at(revision, "tokenizer.json"), |f| {
            f.head = Act::Status(404)
        });
    }
    let bad = hub.install(&env, &manifest);
    assert_eq!(bad.status.code(), Some(2));
    for part in ["me/tiny", "tokenizer.json", "404"] {
        assert!(err(&bad).contains(part), "{}", err(&bad));
    }

    hub.server.change(&at(COMMIT, "onnx/text_model.onnx"), |f| {
        f.head = Act::Status(401);
    });
    let bad = hub.install(&env, &manifest);
    assert!(err(&bad).contains("HF_TOKEN"), "{}", err(&bad));
    assert_eq!(listed(&env, "tiny"), Value::Null);
    assert!(!env.data().join("models/tiny").exists());
}

#[test]
fn a_pack_moves_to_another_machine_in_a_folder() {
    let env = TestEnv::new();
    let hub = Hub::new();
    assert!(
        hub.install(&env, &hub.manifest(&env, "tiny"))
            .status
            .success()
    );
    let folder = env.outside("stick");
    fs::rename(env.data().join("models/tiny"), &folder).unwrap();

    let other = TestEnv::new();
    let from = folder.to_str().unwrap();
    let said = other.ok(&["model", "install", "tiny", "--from", from]);
    assert!(said.contains("installed"), "{said}");
    let again = other.ok(&["model", "install", "tiny", "--from", from]);
    assert!(again.contains("already"), "{again}");

    fs::write(folder.join("text_model.onnx"), vec![3; 100_000]).unwrap();
    let third = TestEnv::new();
    let bad = third.run(&["model", "install", "tiny", "--from", from]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(err(&bad).contains("text_model.onnx"), "{}", err(&bad));
}

#[test]
fn damage_is_found_named_and_mended() {
    let env = TestEnv::new();
    let hub = Hub::new();
    let manifest = hub.manifest(&env, "tiny");
    assert!(hub.install(&env, &manifest).status.success());
    let file = env.data().join("models/tiny/text_model.onnx");
    let mut bytes = fs::read(&file).unwrap();
    bytes[77] ^= 1;
    fs::write(&file, bytes).unwrap();
    let bad = env.run(&["model", "verify", "tiny"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(out(&bad).contains("text_model.onnx"), "{}", out(&bad));
    assert!(err(&bad).contains("model install"), "{}", err(&bad));
    assert_eq!(listed(&env, "tiny")["state"], "damaged");
    assert!(hub.install(&env, &manifest).status.success());
    assert_eq!(listed(&env, "tiny")["state"], "installed");
}

#[test]
fn names_that_are_none_are_refused() {
    let env = TestEnv::new();
    for args in [
        ["model", "install", "no-such-pack"],
        ["model", "install", ".."],
        ["model", "install", "efficientnet-lite0"],
        ["model", "use", "no-such-pack"],
        ["model", "use", "efficientnet-lite0"],
        ["model", "use", "../../etc"],
        ["model", "remove", "lite0-minilm"],
        ["model", "remove", ".partial-x"],
        ["model", "verify", "no-such-pack"],
    ] {
        let refused = env.run(&args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(!err(&refused).is_empty());
    }
    let said = err(&env.run(&["model", "install", "no-such-pack"]));
    assert!(said.contains("clip-vit-base-patch32"), "{said}");
    assert_eq!(listed(&env, "lite0-minilm")["in_use"], true);
    assert_eq!(listed(&env, "clip-vit-base-patch32")["state"], "available");
}
