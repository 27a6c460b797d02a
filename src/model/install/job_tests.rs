use std::fs;

use super::*;
use crate::model::install::digest::Digests;
use crate::model::install::hostile::{Act, Hostile, Resource};
use crate::model::install::retry::testing::NoTime;
use crate::model::install::{CLASSIFIER, Silent, remove};
use crate::model::packs::Packs;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A pack that is only looked at, never run.
fn manifest(name: &str, revision: &str) -> String {
    format!(
        r#"name = "{name}"
revision = "install"
kind = "dual-encoder"
dims = 8
[image]
file = "vision_model.onnx"
tensor = "pixel_values"
output = "pooler_output"
size = 32
fit = "squash"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
[text]
file = "text_model.onnx"
tokenizer = "tokenizer.json"
ids = "input_ids"
output = "pooler_output"
length = 8
[licence]
weights = "MIT"
[source]
repo = "me/tiny"
revision = "{revision}"
[files."vision_model.onnx"]
path = "onnx/vision_model.onnx"
[files."text_model.onnx"]
path = "onnx/text_model.onnx"
[files."tokenizer.json"]
[variants.int8.files."vision_model.onnx"]
path = "onnx/vision_model_quantized.onnx"
"#
    )
}

struct World {
    server: Hostile,
    data: tempfile::TempDir,
    pause: NoTime,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl World {
    /// A hub as the real one is: a commit, SHA-256 of large files, Git names of small ones.
    fn new() -> Self {
        let files = vec![
            ("onnx/vision_model.onnx", vec![1u8; 200_000]),
            ("onnx/vision_model_quantized.onnx", vec![4u8; 50_000]),
            ("onnx/text_model.onnx", vec![2u8; 100_000]),
            ("tokenizer.json", b"{}".to_vec()),
        ];
        let world = Self {
            server: Hostile::start(),
            data: tempfile::tempdir().unwrap(),
            pause: NoTime::default(),
            files,
        };
        for (path, body) in &world.files {
            let digests = world.digests(body);
            let mut resource = Resource::new(body.clone()).header("X-Repo-Commit", COMMIT);
            if path.ends_with("onnx") {
                resource = resource
                    .header("X-Linked-Etag", &format!("\"{}\"", digests.sha256))
                    .header("X-Linked-Size", &body.len().to_string());
                resource.etag = Some(format!("\"store-{}\"", body.len()));
            } else {
                resource.etag = Some(format!("\"{}\"", digests.git));
            }
            for revision in ["main", COMMIT] {
                world.server.put(&at(revision, path), resource.clone());
            }
        }
        world
    }

    fn digests(&self, body: &[u8]) -> Digests {
        let path = self.data.path().join("digest");
        fs::write(&path, body).unwrap();
        digest::of_file(&path, &Silent, |_| {}).unwrap()
    }

    /// Writes a manifest and gives its path.
    fn recipe(&self, name: &str) -> String {
        let path = self.data.path().join(format!("{name}.toml"));
        fs::write(&path, manifest(name, "main")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn install_with(
        &self,
        what: &str,
        variant: Option<&str>,
        from: Option<&Path>,
    ) -> Result<Installed, InstallError> {
        let installer = Installer {
            data_dir: self.data.path(),
            environment: Environment {
                endpoint: self.server.address.clone(),
                ..Environment::default()
            },
            patience: Patience::default(),
            pause: &self.pause,
            watch: &Silent,
        };
        installer.install(&InstallRequest {
            what: what.to_owned(),
            variant: variant.map(str::to_owned),
            from: from.map(Path::to_path_buf),
        })
    }

    fn install(&self, name: &str) -> Result<Installed, InstallError> {
        self.install_with(&self.recipe(name), None, None)
    }

    fn change(&self, path: &str, mut change: impl FnMut(&mut Resource)) {
        for revision in ["main", COMMIT] {
            self.server.change(&at(revision, path), &mut change);
        }
    }

    fn models(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.data.path().join("models"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| !n.starts_with(".lock"))
            .collect();
        names.sort();
        names
    }
}

fn at(revision: &str, path: &str) -> String {
    format!("/me/tiny/resolve/{revision}/{path}")
}

#[test]
fn a_pack_is_of_one_commit_and_checked_against_the_hub() {
    let world = World::new();
    let done = world.install("tiny").unwrap();
    assert!(!done.already);
    assert_eq!(done.commit.as_deref(), Some(COMMIT));
    assert_eq!(done.received, 300_002);
    let checks: Vec<_> = done
        .files
        .iter()
        .map(|(n, _, c)| (n.as_str(), *c))
        .collect();
    assert_eq!(
        checks,
        [
            ("text_model.onnx", Check::HubSha256),
            ("tokenizer.json", Check::HubGit),
            ("vision_model.onnx", Check::HubSha256),
        ]
    );
    // All of the commit, none of the branch.
    assert!(
        world
            .server
            .seen()
            .iter()
            .filter(|r| r.method == "GET")
            .all(|r| r.path.contains(COMMIT))
    );
    let pack = ModelPack::open_dir(&done.dir).unwrap();
    assert_eq!(pack.id, done.id);
    let sum = blake3::hash(&vec![1u8; 200_000]).to_hex();
    assert_eq!(done.id.0, format!("tiny@{}", &sum[..12]));
    let written = read_manifest(&done.dir).unwrap();
    assert_eq!(written.source.unwrap().revision, COMMIT);
    assert!(written.variants.is_empty());
    assert_eq!(world.models(), ["tiny"]);
    // Nothing but the pack is in its folder.
    assert_eq!(fs::read_dir(&done.dir).unwrap().count(), 5);
}

#[test]
fn what_is_installed_is_not_fetched_again_but_what_is_damaged_is() {
    let world = World::new();
    let dir = world.install("tiny").unwrap().dir;
    let asked = world.server.seen().len();
    assert!(world.install("tiny").unwrap().already);
    assert_eq!(world.server.seen().len(), asked);
    fs::write(dir.join("text_model.onnx"), "short").unwrap();
    let again = world.install("tiny").unwrap();
    assert!(!again.already);
    assert!(ModelPack::open_dir(&dir).is_ok());
    assert_eq!(world.models(), ["tiny"]);
}

#[test]
fn a_broken_off_installation_goes_on_at_the_same_commit() {
    let world = World::new();
    world.change("onnx/vision_model.onnx", |f| {
        f.acts = vec![Act::DropAfter(150_000), Act::Status(410)];
    });
    world.install("tiny").unwrap_err();
    assert_eq!(world.models(), [".partial-tiny"]);
    let sent = world.server.sent();
    // The branch has moved on; the commit has not.
    for (path, _) in &world.files {
        world.server.change(&at("main", path), |f| {
            f.body = b"other".to_vec();
            f.headers.clear();
        });
    }
    let done = world.install("tiny").unwrap();
    assert_eq!(done.received, 50_000);
    assert_eq!(world.server.sent() - sent, 50_000);
    assert_eq!(done.commit.as_deref(), Some(COMMIT));
}

#[test]
fn content_that_the_hub_does_not_vouch_for_never_counts() {
    let world = World::new();
    world.change("onnx/text_model.onnx", |f| f.body[5] ^= 1);
    let error = world.install("tiny").unwrap_err();
    assert!(
        matches!(&error, InstallError::WrongContent { file, kind: "SHA-256", .. } if file == "text_model.onnx"),
        "{error}"
    );
    assert_eq!(world.models(), [".partial-tiny"]);
    // Small files are checked too.
    let world = World::new();
    world.change("tokenizer.json", |f| f.body = b"[]".to_vec());
    assert!(matches!(
        world.install("tiny").unwrap_err(),
        InstallError::WrongContent {
            kind: "Git object name",
            ..
        }
    ));
}

#[test]
fn a_mix_of_two_files_is_noticed_and_fetched_anew() {
    let world = World::new();
    world.change("onnx/vision_model.onnx", |f| {
        f.acts = vec![Act::DropAfter(100_000), Act::Status(410)];
    });
    world.install("tiny").unwrap_err();
    let part = world
        .data
        .path()
        .join("models/.partial-tiny/vision_model.onnx.part");
    fs::write(&part, vec![9u8; 100_000]).unwrap();
    let done = world.install("tiny").unwrap();
    assert!(ModelPack::open_dir(&done.dir).is_ok());
}

#[test]
fn a_manifest_with_checksums_is_held_to_them() {
    let world = World::new();
    let path = world.recipe("tiny");
    let good = blake3::hash(&vec![2u8; 100_000]).to_hex().to_string();
    let pinned = |sum: &str| {
        manifest("tiny", "main").replace(
            "path = \"onnx/text_model.onnx\"",
            &format!("path = \"onnx/text_model.onnx\"\nblake3 = \"{sum}\""),
        )
    };
    fs::write(&path, pinned(&"0".repeat(64))).unwrap();
    assert!(matches!(
        world.install_with(&path, None, None).unwrap_err(),
        InstallError::WrongContent { kind: "BLAKE3", .. }
    ));
    fs::write(&path, pinned(&good)).unwrap();
    let done = world.install_with(&path, None, None).unwrap();
    assert_eq!(done.files[0].2, Check::Blake3);
}

#[test]
fn a_plain_mirror_is_taken_as_it_is_and_said_so() {
    let world = World::new();
    for (path, body) in &world.files {
        let mut plain = Resource::new(body.clone());
        plain.head = Act::Status(405);
        world.server.put(&at("main", path), plain);
    }
    let done = world.install("tiny").unwrap();
    assert_eq!(done.commit, None);
    assert!(done.files.iter().all(|(_, _, c)| *c == Check::Recorded));
}

#[test]
fn a_missing_file_is_named() {
    let world = World::new();
    for revision in ["main", COMMIT] {
        let gone = Resource::new(Vec::new()).acts([Act::Status(404)]);
        let mut gone = gone;
        gone.head = Act::Status(404);
        world
            .server
            .put(&at(revision, "onnx/text_model.onnx"), gone);
    }
    let error = world.install("tiny").unwrap_err().to_string();
    for part in ["me/tiny", "onnx/text_model.onnx", "404"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_variant_is_a_pack_of_its_own() {
    let world = World::new();
    let path = world.recipe("tiny");
    let base = world.install_with(&path, None, None).unwrap();
    let int8 = world.install_with(&path, Some("int8"), None).unwrap();
    assert_ne!(base.id, int8.id);
    assert_eq!(int8.dir.file_name().unwrap(), "tiny-int8");
    assert_eq!(
        fs::read(int8.dir.join("vision_model.onnx")).unwrap(),
        vec![4u8; 50_000]
    );
    assert_eq!(world.models(), ["tiny", "tiny-int8"]);
}

#[test]
fn a_pack_comes_from_a_folder_a_pack_or_an_archive() {
    let world = World::new();
    let installed = world.install("tiny").unwrap();
    let sent = world.server.sent();
    // As the repository has it.
    let folder = world.data.path().join("mirror");
    for (path, body) in &world.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    let recipe = world.recipe("tiny");
    remove(world.data.path(), "tiny").unwrap();
    let copied = world.install_with(&recipe, None, Some(&folder)).unwrap();
    assert_eq!(copied.id, installed.id);
    // An installed pack, by its name alone.
    let moved = world.data.path().join("moved");
    fs::rename(&copied.dir, &moved).unwrap();
    let again = world.install_with("tiny", None, Some(&moved)).unwrap();
    assert_eq!(again.id, installed.id);
    // The same in an archive.
    let tar = world.data.path().join("tiny.tar");
    let mut builder = tar::Builder::new(fs::File::create(&tar).unwrap());
    builder.append_dir_all("tiny", &moved).unwrap();
    builder.finish().unwrap();
    remove(world.data.path(), "tiny").unwrap();
    let unpacked = world.install_with("tiny", None, Some(&tar)).unwrap();
    assert_eq!(unpacked.id, installed.id);
    assert_eq!(world.server.sent(), sent, "nothing came over the network");
    assert_eq!(
        fs::read(unpacked.dir.join("vision_model.onnx")).unwrap(),
        vec![1u8; 200_000]
    );
}

#[test]
fn a_folder_with_other_content_is_refused_and_the_installed_pack_stays() {
    let world = World::new();
    let dir = world.install("tiny").unwrap().dir;
    let moved = world.data.path().join("copy");
    fs::create_dir(&moved).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), moved.join(entry.file_name())).unwrap();
    }
    fs::write(moved.join("vision_model.onnx"), vec![3u8; 200_000]).unwrap();
    // The installed one is damaged, so that there is something to do.
    fs::write(dir.join("tokenizer.json"), "x").unwrap();
    let error = world.install_with("tiny", None, Some(&moved)).unwrap_err();
    assert!(
        matches!(error, InstallError::WrongContent { .. }),
        "{error}"
    );
    assert_eq!(fs::read(dir.join("tokenizer.json")).unwrap(), b"x");
    fs::remove_file(moved.join("text_model.onnx")).unwrap();
    assert!(matches!(
        world.install_with("tiny", None, Some(&moved)).unwrap_err(),
        InstallError::Missing { .. }
    ));
}

#[test]
fn a_disk_that_is_too_small_is_said_before_the_download() {
    let world = World::new();
    world.change("onnx/vision_model.onnx", |f| {
        f.headers.retain(|(n, _)| n != "X-Linked-Size");
        f.headers
            .push(("X-Linked-Size".to_owned(), (1u64 << 60).to_string()));
    });
    let error = world.install("tiny").unwrap_err();
    assert!(matches!(error, InstallError::NoSpace { .. }), "{error}");
    assert_eq!(world.server.sent(), 0);
}

#[test]
fn two_at_once_do_not_collide() {
    let world = World::new();
    let _held = PackPlace::take(world.data.path(), "tiny").unwrap();
    assert!(matches!(
        world.install("tiny").unwrap_err(),
        InstallError::Busy { .. }
    ));
    world.install("other").unwrap();
}

#[test]
fn packs_see_what_was_installed_and_removed() {
    let world = World::new();
    let id = world.install("tiny").unwrap().id;
    let packs = Packs::new(world.data.path());
    assert_eq!(packs.open("tiny").unwrap().id, id);
    assert!(packs.list().iter().any(|e| e.name == "tiny"));
    remove(world.data.path(), "tiny").unwrap();
    assert!(packs.open("tiny").is_err());
    assert!(matches!(
        remove(world.data.path(), "tiny"),
        Err(InstallError::NotInstalled { .. })
    ));
    assert!(packs.open(CLASSIFIER).is_ok());
}
