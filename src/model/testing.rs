//! What the tests of this module share: packs of a few bytes, written here.

mod graphs;

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use super::manifest::Manifest;
use super::pack::ModelPack;
use super::runtime::{Runtime, find_runtime};
pub(crate) use graphs::{
    FLOAT, Graph, Head, INT32, INT64, UINT8, text, token_vector, tokenizer, vision,
};

/// A dual encoder with graphs of its own.
pub(crate) const DUAL: &str = r#"
name = "tiny-dual"
revision = "r1"
kind = "dual-encoder"
dims = 3
description = "three dimensions"

[image]
file = "vision.onnx"
tensor = "pixel_values"
output = "image_embeds"
size = 16
fit = "squash"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
batch = 4

[text]
file = "text.onnx"
tokenizer = "tokenizer.json"
ids = "input_ids"
mask = "attention_mask"
output = "last_hidden_state"
pooling = "mean"
length = 8
pad_id = 1
prompt = "a photo of a {}"

[calibration]
kind = "sigmoid"
scale = 117.33
bias = -12.93

[licence]
weights = "Apache-2.0"

[source]
repo = "someone/tiny"

[files."vision.onnx"]
path = "onnx/vision.onnx"
size = 11
blake3 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[files."text.onnx"]
size = 12
blake3 = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[files."tokenizer.json"]
size = 13
blake3 = "2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[variants.int8.files."vision.onnx"]
path = "onnx/vision_quantized.onnx"

[variants.int8.image]
batch = 1
"#;

/// A classifier.
pub(crate) const CLASSIFIER: &str = r#"
name = "tiny-classifier"
revision = "r1"
label_revision = "l1"
kind = "classifier"
dims = 3
rows = 2

[image]
file = "vision.onnx"
tensor = "pixel_values"
output = "image_embeds"
size = 16
fit = "center-crop"
crop = 0.875
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]

[calibration]
kind = "softmax"
temperature = 1.0
classes = [1.0, 0.0]
kinds = [1.0, 0.0]
concepts = [1.0, 0.0]

[roles]
label_bank = "head.bin"

[licence]
weights = "Apache-2.0"
vocabulary = "WordNet-3.0"

[files."vision.onnx"]
size = 11
blake3 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[files."head.bin"]
size = 12
blake3 = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"#;

/// A pack's files by name.
pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

/// The manifest with the sizes and checksums of these files.
pub(crate) fn sealed(manifest: &str, files: &Files) -> String {
    let mut manifest = Manifest::parse(manifest).unwrap();
    for (name, bytes) in files {
        let entry = manifest.files.entry((*name).to_owned()).or_default();
        entry.size = Some(bytes.len() as u64);
        entry.blake3 = Some(blake3::hash(bytes).to_hex().to_string());
    }
    manifest.to_toml().unwrap()
}

/// The pack of these files, in memory.
pub(crate) fn pack(manifest: &str, files: &Files) -> ModelPack {
    ModelPack::load(&sealed(manifest, files), |name| {
        files
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, bytes)| Cow::Owned(bytes.clone()))
    })
    .unwrap()
}

/// Writes the pack of these files into a folder.
pub(crate) fn write(dir: &Path, manifest: &str, files: &Files) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("model.toml"), sealed(manifest, files)).unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// The files of [`DUAL`].
pub(crate) fn dual_files() -> Files {
    vec![
        ("vision.onnx", vision(Head::Mean)),
        ("text.onnx", text(&[], INT64)),
        ("tokenizer.json", tokenizer()),
    ]
}

/// ONNX Runtime if this machine has it; the tests that need it say that they are skipped.
pub(crate) fn runtime() -> Option<Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let choice = find_runtime(Path::new(env!("CARGO_MANIFEST_DIR"))).ok()?;
        Some(Runtime::load(&choice).unwrap())
    });
    if runtime.is_none() {
        println!("skipped: no ONNX Runtime here (`make runtime` fetches one)");
    }
    runtime.clone()
}
