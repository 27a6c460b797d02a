//! A full-size dual encoder whose graphs come from a folder named in the environment.

use std::path::{Path, PathBuf};

use photond::model::ModelPack;

/// The pack's name.
pub const NAME: &str = "bench-siglip";

/// A folder with `vision_model.onnx`, `text_model.onnx` and, if there is one,
/// `vision_model_quantized.onnx`, shaped like the public exports of SigLIP base at 224 pixels.
/// Says so where there is none.
pub fn folder() -> Option<PathBuf> {
    let folder = crate::photos::folder_from("PHOTOND_BENCH_SIGLIP");
    if folder.is_none() {
        println!("skipped: PHOTOND_BENCH_SIGLIP names no folder with the graphs of a SigLIP");
    }
    folder
}

/// Puts a pack around one of the folder's image graphs at `dir`. Any tokenizer will do here: no
/// sentence is asked.
pub fn pack(dir: &Path, folder: &Path, vision: &str, batch: usize) -> ModelPack {
    std::fs::create_dir_all(dir).expect("it can be made");
    let name = dir
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let mut manifest = format!(
        r#"name = "{name}"
revision = "1"
kind = "dual-encoder"
dims = 768
image = {{ file = "{vision}", tensor = "pixel_values", output = "pooler_output", size = 224, fit = "squash", mean = [127.5, 127.5, 127.5], std = [127.5, 127.5, 127.5], batch = {batch} }}
text = {{ file = "text_model.onnx", tokenizer = "tokenizer.json", ids = "input_ids", output = "pooler_output", length = 64, pad_id = 1 }}
calibration = {{ kind = "sigmoid", scale = 117.33, bias = -12.93 }}
licence = {{ weights = "none" }}
"#
    );
    let tokenizer = b"{}";
    std::fs::write(dir.join("tokenizer.json"), tokenizer).expect("writable");
    let mut list = |file: &str, size: u64, hash: blake3::Hash| {
        manifest += &format!("[files.\"{file}\"]\nsize = {size}\nblake3 = \"{hash}\"\n");
    };
    list(
        "tokenizer.json",
        tokenizer.len() as u64,
        blake3::hash(tokenizer),
    );
    for file in [vision, "text_model.onnx"] {
        let real = std::fs::canonicalize(folder.join(file)).expect("the graph is there");
        let mut hasher = blake3::Hasher::new();
        let source = std::fs::File::open(&real).expect("readable");
        let size = source.metadata().expect("readable").len();
        hasher.update_reader(source).expect("readable");
        list(file, size, hasher.finalize());
        let _ = std::fs::remove_file(dir.join(file));
        std::os::unix::fs::symlink(real, dir.join(file)).expect("a link");
    }
    std::fs::write(dir.join("model.toml"), manifest).expect("writable");
    ModelPack::open_and_stamp(dir).expect("the pack is sound")
}
