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
    /// A pack's manifest or files are wrong.
    #[error("model pack {pack}: {reason}")]
    BadPack {
        /// Pack name.
        pack: String,
        /// What is wrong with it.
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
