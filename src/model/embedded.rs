//! The packs compiled into the binary: tags, and an image side for sentences, with nothing to
//! download.

use std::borrow::Cow;
use std::path::PathBuf;

use super::error::ModelError;
use super::install;
use super::manifest::Manifest;
use super::pack::{ModelPack, Part};
use crate::embedding::ModelId;

/// Name in the pack, bytes. Lists of them are `static`: each use of a `const` may carry its own copy of a model.
pub(super) type Files = [(&'static str, &'static [u8])];

const CLASSIFIER: &str = include_str!("../../models/efficientnet-lite0/model.toml");

static CLASSIFIER_FILES: &Files = &[
    (
        "encoder.onnx",
        include_bytes!("../../models/efficientnet-lite0/encoder.onnx"),
    ),
    (
        "head.bin",
        include_bytes!("../../models/efficientnet-lite0/head.bin"),
    ),
    (
        "vocabulary.tsv",
        include_bytes!("../../models/efficientnet-lite0/vocabulary.tsv"),
    ),
    (
        "concepts.tsv",
        include_bytes!("../../models/efficientnet-lite0/concepts.tsv"),
    ),
    (
        "classes.tsv",
        include_bytes!("../../models/efficientnet-lite0/classes.tsv"),
    ),
];

/// EfficientNet-Lite0 with its label bank, see `models/efficientnet-lite0/README.md`.
///
/// # Errors
/// Only if the binary itself is damaged: the files are checked like any pack's.
pub fn default_pack() -> Result<ModelPack, ModelError> {
    wholly_compiled_in(CLASSIFIER, CLASSIFIER_FILES)
}

const NANODET: &str = include_str!("../../models/nanodet/model.toml");

static NANODET_FILES: &Files = &[
    (
        "detector.onnx",
        include_bytes!("../../models/nanodet/detector.onnx"),
    ),
    (
        "classes.tsv",
        include_bytes!("../../models/nanodet/classes.tsv"),
    ),
];

/// The detector of things and people, see `models/nanodet/README.md`.
///
/// # Errors
/// As [`default_pack`].
pub fn things_pack() -> Result<ModelPack, ModelError> {
    wholly_compiled_in(NANODET, NANODET_FILES)
}

const CENTERFACE: &str = include_str!("../../models/centerface/model.toml");

static CENTERFACE_FILES: &Files = &[(
    "detector.onnx",
    include_bytes!("../../models/centerface/detector.onnx"),
)];

/// The detector of faces, see `models/centerface/README.md`.
///
/// # Errors
/// As [`default_pack`].
pub fn faces_pack() -> Result<ModelPack, ModelError> {
    wholly_compiled_in(CENTERFACE, CENTERFACE_FILES)
}

const MINILM: &str = include_str!("../../models/lite0-minilm/model.toml");

static MINILM_FILES: &Files = &[(
    "class_vectors.bin",
    include_bytes!("../../models/lite0-minilm/class_vectors.bin"),
)];

/// The dual encoder whose photo vectors come from the embedded classifier. Its class vectors are
/// compiled in; its text model and tokenizer are looked for below `places`, folders of packs, the
/// first one first. Without them its image side works and its text side names what to run.
///
/// # Errors
/// Only if the binary itself is damaged, or a text file cannot be read.
pub fn lite0_minilm(places: &[PathBuf]) -> Result<ModelPack, ModelError> {
    partly_compiled_in(MINILM, MINILM_FILES, places)
}

const DLIB_FACE: &str = include_str!("../../models/dlib-face/model.toml");

static DLIB_FACE_FILES: &Files = &[(
    "encoder.onnx",
    include_bytes!("../../models/dlib-face/encoder.onnx"),
)];

/// The encoder of faces, see `models/dlib-face/README.md`. Its graph is compiled in, its weights are looked
/// for below `places`, as [`lite0_minilm`]'s text files are.
///
/// # Errors
/// As [`lite0_minilm`].
pub fn face_encoder_pack(places: &[PathBuf]) -> Result<ModelPack, ModelError> {
    partly_compiled_in(DLIB_FACE, DLIB_FACE_FILES, places)
}

const TEXT_READER: &str = include_str!("../../models/ppocr-v5-v6/model.toml");

/// Manifest and compiled-in files of a pack whose other files are looked for; `None`: the name is another's.
pub(super) fn partly(name: &str) -> Option<(&'static str, &'static Files)> {
    match name {
        install::LITE0_MINILM => Some((MINILM, MINILM_FILES)),
        install::TEXT_READER => Some((TEXT_READER, &[])),
        install::FACE_ENCODER => Some((DLIB_FACE, DLIB_FACE_FILES)),
        _ => None,
    }
}

/// The reader of text in pictures, see `models/ppocr-v5-v6/README.md`. Its graphs are looked for below
/// `places`, folders of packs; without them the pack opens, and [`ModelPack::whole`] says what to do.
///
/// # Errors
/// As [`lite0_minilm`].
pub fn text_pack(places: &[PathBuf]) -> Result<ModelPack, ModelError> {
    partly_compiled_in(TEXT_READER, &[], places)
}

/// Name and revision of the reader of text; its files are not looked at.
///
/// # Errors
/// As [`default_pack`].
pub fn text_id() -> Result<ModelId, ModelError> {
    Ok(Manifest::parse(TEXT_READER)?.id())
}

/// Name and revision of the detector of things and people; its files are not looked at.
///
/// # Errors
/// As [`default_pack`].
pub fn things_id() -> Result<ModelId, ModelError> {
    Ok(Manifest::parse(NANODET)?.id())
}

/// As [`things_id`], of the encoder of faces.
///
/// # Errors
/// As [`default_pack`].
pub fn face_encoder_id() -> Result<ModelId, ModelError> {
    Ok(Manifest::parse(DLIB_FACE)?.id())
}

/// As [`things_id`], of the detector of faces.
///
/// # Errors
/// As [`default_pack`].
pub fn faces_id() -> Result<ModelId, ModelError> {
    Ok(Manifest::parse(CENTERFACE)?.id())
}

fn wholly_compiled_in(manifest: &str, files: &'static Files) -> Result<ModelPack, ModelError> {
    ModelPack::load(manifest, |name| compiled_in(files, name).map(Cow::Borrowed))
}

fn compiled_in(files: &Files, name: &str) -> Option<&'static [u8]> {
    files
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, bytes)| *bytes)
}

/// A pack of which some files are compiled in and the others lie in the first of `places` (folders
/// of packs) that has all of them, whole. Without them the pack still opens: its image side works,
/// and its text side says what is missing and what to do.
fn partly_compiled_in(
    manifest: &str,
    files: &Files,
    places: &[PathBuf],
) -> Result<ModelPack, ModelError> {
    let manifest = Manifest::parse(manifest)?;
    let outside: Vec<&String> = manifest
        .files
        .keys()
        .filter(|name| compiled_in(files, name).is_none())
        .collect();
    let mut damage = None;
    for place in places {
        let dir = place.join(&manifest.name);
        if !outside.iter().all(|name| dir.join(name).is_file()) {
            continue;
        }
        let opened = ModelPack::load_parts(manifest.clone(), |name| {
            Some(compiled_in(files, name).map_or_else(
                || Part::Disk(dir.join(name)),
                |bytes| Part::Memory(Cow::Borrowed(bytes)),
            ))
        });
        match opened {
            Ok(pack) => return Ok(pack),
            Err(ModelError::BadFile { file, reason, .. }) => {
                damage.get_or_insert_with(|| format!("{file} {reason}"));
            }
            Err(other) => return Err(other),
        }
    }
    let reason = damage.unwrap_or_else(|| {
        let names: Vec<&str> = outside.iter().map(|name| name.as_str()).collect();
        let dirs: Vec<String> = places
            .iter()
            .map(|place| place.join(&manifest.name).display().to_string())
            .collect();
        match dirs[..] {
            [] => format!("{} not found", names.join(", ")),
            _ => format!("{} not found in {}", names.join(", "), dirs.join(", ")),
        }
    });
    let remedy = format!("run `photond model install {}`", manifest.name);
    ModelPack::load_parts(manifest, |name| {
        Some(compiled_in(files, name).map_or_else(
            || Part::Absent {
                reason: reason.clone(),
                remedy: remedy.clone(),
            },
            |bytes| Part::Memory(Cow::Borrowed(bytes)),
        ))
    })
}

#[cfg(test)]
#[path = "embedded_tests.rs"]
mod tests;
