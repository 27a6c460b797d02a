//! The pack compiled into the binary: tags with nothing to download.

use std::borrow::Cow;

use super::error::ModelError;
use super::pack::ModelPack;

const MANIFEST: &str = include_str!("../../models/efficientnet-lite0/model.toml");

const FILES: &[(&str, &[u8])] = &[
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
        "aliases.tsv",
        include_bytes!("../../models/efficientnet-lite0/aliases.tsv"),
    ),
];

/// EfficientNet-Lite0 with its label bank, see `models/efficientnet-lite0/README.md`.
///
/// # Errors
/// Only if the binary itself is damaged: the files are checked like any pack's.
pub fn default_pack() -> Result<ModelPack, ModelError> {
    ModelPack::load(MANIFEST, |name| {
        FILES
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, bytes)| Cow::Borrowed(*bytes))
    })
}
