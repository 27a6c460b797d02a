//! Model packs: a manifest (`model.toml`) and the files it names, with size and BLAKE3.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::ModelError;
use crate::embedding::{Fit, InputSpec, ModelId};

/// What a pack can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Label rows are the classifier's own last layer; calibration is softmax.
    Classifier,
}

/// A verified pack.
#[derive(Debug, Clone)]
pub struct ModelPack {
    /// Name and revision, the key of everything the model makes.
    pub id: ModelId,
    /// What it can do.
    pub kind: Kind,
    /// Length of its vectors.
    pub dims: usize,
    /// How it wants its pictures.
    pub input: InputSpec,
    /// Name of the graph's input.
    pub input_name: String,
    /// Name of the graph's output.
    pub output_name: String,
    /// Licence of the weights, SPDX.
    pub licence: String,
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

#[derive(Deserialize)]
struct Manifest {
    name: String,
    revision: String,
    kind: Kind,
    dims: usize,
    input: Input,
    output: Output,
    licence: Licence,
    files: BTreeMap<String, FileEntry>,
}

#[derive(Deserialize)]
struct Input {
    tensor: String,
    size: u32,
    fit: String,
    crop: Option<f32>,
    mean: [f32; 3],
    std: [f32; 3],
}

#[derive(Deserialize)]
struct Output {
    tensor: String,
}

#[derive(Deserialize)]
struct Licence {
    weights: String,
}

#[derive(Deserialize)]
struct FileEntry {
    size: usize,
    blake3: String,
}

impl ModelPack {
    /// Reads a manifest and takes its files from `open`, each checked for size and BLAKE3.
    ///
    /// # Errors
    /// A manifest that cannot be understood, a missing file, a wrong size or checksum.
    pub fn load(
        manifest: &str,
        mut open: impl FnMut(&str) -> Option<Cow<'static, [u8]>>,
    ) -> Result<Self, ModelError> {
        let manifest: Manifest = toml::from_str(manifest).map_err(|e| ModelError::BadPack {
            pack: "(unnamed)".to_owned(),
            reason: format!("model.toml: {e}"),
        })?;
        let bad = |reason: String| ModelError::BadPack {
            pack: manifest.name.clone(),
            reason,
        };
        let fit = match (manifest.input.fit.as_str(), manifest.input.crop) {
            ("center-crop", Some(crop)) if crop > 0.0 && crop <= 1.0 => Fit::CenterCrop(crop),
            ("squash", None) => Fit::Squash,
            (fit, crop) => {
                return Err(bad(format!(
                    "input.fit = {fit:?} with crop {crop:?} is unknown"
                )));
            }
        };
        if manifest.dims == 0
            || manifest.dims > 1 << 16
            || !(16..=1024).contains(&manifest.input.size)
        {
            return Err(bad(format!(
                "dims {} or input.size {} is out of range",
                manifest.dims, manifest.input.size
            )));
        }
        let mut files = BTreeMap::new();
        for (name, entry) in &manifest.files {
            let bytes = open(name).ok_or_else(|| bad(format!("{name} is missing")))?;
            if bytes.len() != entry.size {
                return Err(bad(format!(
                    "{name} has {} bytes, not {}",
                    bytes.len(),
                    entry.size
                )));
            }
            let found = blake3::hash(&bytes).to_hex();
            if *found != *entry.blake3 {
                return Err(bad(format!(
                    "{name} has BLAKE3 {found}, not {}",
                    entry.blake3
                )));
            }
            files.insert(name.clone(), bytes);
        }
        Ok(Self {
            id: ModelId(format!("{}@{}", manifest.name, manifest.revision)),
            kind: manifest.kind,
            dims: manifest.dims,
            input: InputSpec {
                size: manifest.input.size,
                fit,
                mean: manifest.input.mean,
                std: manifest.input.std,
            },
            input_name: manifest.input.tensor,
            output_name: manifest.output.tensor,
            licence: manifest.licence.weights,
            files,
        })
    }

    /// The bytes of one of the pack's files.
    ///
    /// # Errors
    /// If the manifest does not name it.
    pub fn file(&self, name: &str) -> Result<&[u8], ModelError> {
        self.files
            .get(name)
            .map(AsRef::as_ref)
            .ok_or_else(|| ModelError::BadPack {
                pack: self.id.to_string(),
                reason: format!("it has no {name}"),
            })
    }

    /// One of the pack's files as text.
    ///
    /// # Errors
    /// If the manifest does not name it, or it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<&str, ModelError> {
        std::str::from_utf8(self.file(name)?).map_err(|e| ModelError::BadPack {
            pack: self.id.to_string(),
            reason: format!("{name}: {e}"),
        })
    }

    /// Names and sizes in bytes of the pack's files.
    pub fn files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.len()))
    }
}
