//! `model.toml`: what a pack is, how it is fed, what its files are and where they come from.
//!
//! One format for all packs: compiled in, in the catalogue of those that can be installed, and on
//! disk. Promises: a [`Manifest`] that was parsed makes sense in itself (each key was looked at,
//! unknown ones are refused, names of files cannot leave the pack's folder), and every complaint
//! names the pack, the key, the reason and the remedy. Never opens a file.
//!
//! Here is what all packs have; each table of one kind's is in a room of its own, with the rules for its
//! values. `check` says which tables each kind has, `rules` what a value may be.
//!
//! A catalogue entry may leave out sizes and checksums; [`Manifest::complete`] is what an installed
//! pack must satisfy. [`Manifest::variant`] makes the manifest of one of the variants.

mod boxes;
mod calibration;
mod check;
mod faces;
mod image;
mod rules;
mod text;
mod text_reader;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::boxes::{After, BoxRules, PeopleOdds};
pub use self::calibration::Calibration;
pub use self::faces::FacesTable;
pub use self::image::{DerivedTable, FitName, ImageTable};
pub use self::text::{Pooling, TextSpec};
pub use self::text_reader::{ChannelOrder, FinderTable, ReaderTable};
use super::error::ModelError;
use crate::embedding::ModelId;

/// What a pack can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Label rows are the classifier's own last layer; calibration is softmax.
    Classifier,
    /// Pictures and texts in one space, vectors of length one.
    DualEncoder,
    /// Things, people or faces with the boxes they lie in (`models/detection/README.md`).
    Detector,
    /// Vectors of faces (`models/dlib-face/README.md`).
    FaceEncoder,
    /// Finds lines of text and reads them.
    TextReader,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classifier => "classifier",
            Self::DualEncoder => "dual-encoder",
            Self::Detector => "detector",
            Self::FaceEncoder => "face-encoder",
            Self::TextReader => "text-reader",
        })
    }
}

/// A parsed and checked `model.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Folder name of the pack, `a-z 0-9 . _ -`.
    pub name: String,
    /// Identity of the vector space.
    pub revision: String,
    /// Classifiers and detectors: identity of what turns their answers into tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_revision: Option<String>,
    /// What it can do.
    pub kind: Kind,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Length of its vectors; a detector has none, nor has a text reader.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dims: usize,
    /// Classifiers: number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Detectors: file with its classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<String>,
    /// Detectors: its only class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Image side: a graph of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageTable>,
    /// Image side: made from a classifier's probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<DerivedTable>,
    /// Detectors: which boxes are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<BoxRules>,
    /// Detectors: how likely there are people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleOdds>,
    /// Detectors: where it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// Face encoders: the graph, and which faces it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faces: Option<FacesTable>,
    /// Text readers: what finds lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finder: Option<FinderTable>,
    /// Text readers: what reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<ReaderTable>,
    /// Text side, dual encoders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSpec>,
    /// What its scores mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Which file is what, for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// Licence of the weights, and other notes.
    pub licence: Licence,
    /// Where `model install` gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The pack's files by name.
    pub files: BTreeMap<String, FileEntry>,
    /// Tables laid over this manifest by [`Manifest::variant`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, toml::Table>,
}

/// `[licence]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// SPDX name of the weights' licence.
    pub weights: String,
    /// Licences of other parts and files with their texts.
    #[serde(flatten)]
    pub others: BTreeMap<String, String>,
}

/// `[source]`: where the files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Repository, `owner/name`.
    pub repo: String,
    /// Branch, tag or commit.
    #[serde(default = "default_source_revision")]
    pub revision: String,
}

fn default_source_revision() -> String {
    "main".to_owned()
}

/// `[files."NAME"]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it lies in the source repository; absent: under its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// BLAKE3 of its bytes, 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// What a pack is called whose name cannot be read.
pub(super) const UNNAMED: &str = "(unnamed)";

/// The name in a text that may not even be TOML, for complaints about the rest.
fn name_of(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("name")?.trim_start();
        let name = value.strip_prefix('=')?.trim().strip_prefix('"')?;
        Some(name.split_once('"')?.0.to_owned())
    })
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] for text that is not TOML, an unknown, missing or senseless key.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let manifest: Self = toml::from_str(text).map_err(|e| {
            let pack = name_of(text).unwrap_or_else(|| UNNAMED.to_owned());
            let line = e
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            ModelError::Manifest {
                remedy: remedy(&pack),
                pack,
                key: format!("line {line}"),
                reason: format!("is not understood: {}", e.message().replace('\n', ", ")),
            }
        })?;
        check::check(&manifest)?;
        Ok(manifest)
    }

    /// The manifest as text that [`Self::parse`] reads back.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self).map_err(|e| self.wrong("the whole", &format!("cannot be put: {e}")))
    }

    /// Key of everything the model makes.
    pub fn id(&self) -> ModelId {
        ModelId(format!("{}@{}", self.name, self.revision))
    }

    /// Whether every file has a size and a checksum, as an installed pack must.
    ///
    /// # Errors
    /// The first key that is missing.
    pub fn complete(&self) -> Result<(), ModelError> {
        for (name, entry) in &self.files {
            for (key, there) in [
                ("size", entry.size.is_some()),
                ("blake3", entry.blake3.is_some()),
            ] {
                if !there {
                    return Err(self.wrong(
                        &format!("files.{name:?}.{key}"),
                        "is missing (an installed pack has it)",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The manifest of a variant: its table is laid over this one, key by key; an entry of `files`
    /// is replaced as a whole (another file has another checksum). It is called `NAME-VARIANT` and
    /// has no variants.
    ///
    /// # Errors
    /// If there is no such variant, or the result makes no sense.
    pub fn variant(&self, variant: &str) -> Result<Self, ModelError> {
        let Some(over) = self.variants.get(variant) else {
            let known: Vec<&str> = self.variants.keys().map(String::as_str).collect();
            return Err(ModelError::Manifest {
                pack: self.name.clone(),
                key: "variants".to_owned(),
                reason: format!("has no {variant:?}"),
                remedy: if known.is_empty() {
                    "this pack has only one form".to_owned()
                } else {
                    format!("there is {}", known.join(", "))
                },
            });
        };
        let name = format!("{}-{variant}", self.name);
        let plain = Self {
            name,
            variants: BTreeMap::new(),
            ..self.clone()
        };
        let table = toml::Table::try_from(&plain)
            .map_err(|e| self.wrong("the whole", &format!("cannot be put: {e}")))?;
        let merged = lay_over(table, over, "");
        let text = toml::to_string(&merged)
            .map_err(|e| self.wrong("variants", &format!("cannot be put: {e}")))?;
        Self::parse(&text)
    }

    /// A complaint about one of this manifest's keys.
    pub(super) fn wrong(&self, key: &str, reason: &str) -> ModelError {
        ModelError::Manifest {
            pack: self.name.clone(),
            key: key.to_owned(),
            reason: reason.to_owned(),
            remedy: remedy(&self.name),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_zero(dims: &usize) -> bool {
    *dims == 0
}

/// What helps against a wrong manifest.
fn remedy(pack: &str) -> String {
    let name = if pack == UNNAMED { "NAME" } else { pack };
    format!("mend it, or run `photond model install {name}` again")
}

fn lay_over(mut base: toml::Table, over: &toml::Table, inside: &str) -> toml::Table {
    for (key, value) in over {
        let both = match (base.remove(key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) if inside != "files" => {
                toml::Value::Table(lay_over(below, above, key))
            }
            _ => value.clone(),
        };
        base.insert(key.clone(), both);
    }
    base
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
