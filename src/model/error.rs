//! What can go wrong with models and the runtime.

use std::path::PathBuf;

/// A failure of a model, a pack or the runtime.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No ONNX Runtime library was found.
    #[error("ONNX Runtime was not found (looked at {}). Run `make runtime` in the project, or set ORT_DYLIB_PATH to libonnxruntime; photos are indexed without tags until then", list(.looked))]
    NoRuntime {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The library is there but is not one that can be loaded.
    #[error(
        "{path} is no usable ONNX Runtime library ({reason}); `make runtime` in the project fetches one"
    )]
    BadRuntime {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A `model.toml` says something that cannot be.
    #[error("model pack {pack}: {key} in model.toml {reason}; {remedy}")]
    Manifest {
        /// Pack name, or `(unnamed)`.
        pack: String,
        /// The key, or the line where there is no key yet.
        key: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A file of a pack is missing, cut off or not the one the manifest names.
    #[error("model pack {pack}: {file} {reason}; {remedy}")]
    BadFile {
        /// Pack name.
        pack: String,
        /// Path, or name for a file that is compiled in.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A pack's parts do not belong together.
    #[error("model pack {pack}: {reason}")]
    BadPack {
        /// Pack name.
        pack: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A graph or stored data has vectors of another length than the manifest says.
    #[error(
        "model {pack}: {what} has {found} dimensions, but the pack says {expected}; install the pack again or mend its model.toml"
    )]
    Dimensions {
        /// Pack name.
        pack: String,
        /// Which part of it.
        what: String,
        /// What the manifest says.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// The pack has no text side, or its files are not here.
    #[error("model pack {pack} cannot read a sentence: {reason}; {remedy}")]
    NoText {
        /// Pack name.
        pack: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// Files of the pack are not here.
    #[error("model pack {pack} is not complete: {reason}; {remedy}")]
    Incomplete {
        /// Pack name.
        pack: String,
        /// What is missing.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A text cannot be turned into tokens.
    #[error("model {pack}: the text cannot be read: {reason}")]
    Tokens {
        /// Pack name.
        pack: String,
        /// Why not.
        reason: String,
    },
    /// The session could not be made or run.
    #[error("model {pack}: {reason}")]
    Run {
        /// Pack name.
        pack: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// A run, or the making of a session, does not come back.
    #[error(
        "model {pack} hangs: {what} has not ended within {seconds} s; photos are indexed without it. `photond doctor` tries it, and `make runtime` fetches ONNX Runtime again"
    )]
    Hangs {
        /// Pack name.
        pack: String,
        /// What does not end.
        what: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The model answered with something that is not its vectors.
    #[error("model {pack} gave a wrong answer: {reason}")]
    BadOutput {
        /// Pack name.
        pack: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    shown.join(", ")
}
