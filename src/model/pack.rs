//! Model packs: a manifest (`model.toml`) and the files it names, with size and BLAKE3.
//!
//! Promises: no file of a pack is used unless it has the size and checksum of the manifest. Files
//! that are compiled in are hashed when the pack is loaded; files on disk stay there (a graph can
//! have a gigabyte) and are hashed when the pack is opened, unless the `verified` stamp beside them
//! still fits; sizes are always looked at. Never writes, but for that stamp, when every file was
//! hashed ([`ModelPack::open_and_stamp`], [`ModelPack::verify`]). A clone shares the bytes in memory.

mod image_side;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::image_side::{BoxGraph, DerivedImage, FaceGraph, ImageGraph, ImageSide, TextGraphs};
use super::error::ModelError;
use super::manifest::{Calibration, FileEntry, Kind, Manifest, TextSpec, UNNAMED};
use super::stamp::{self, Stamp};
use crate::boxes;
use crate::embedding::{InputSpec, ModelId};

/// A pack that is ready for its encoders.
#[derive(Debug, Clone)]
pub struct ModelPack {
    /// Name and revision, the key of everything the model makes.
    pub id: ModelId,
    /// What it can do.
    pub kind: Kind,
    /// Length of its vectors; of a detector the numbers of one box, of a face encoder those of one face.
    pub dims: usize,
    /// One line for people.
    pub description: String,
    /// Licence of the weights, SPDX.
    pub licence: String,
    /// Where a photo's vector comes from.
    pub image: ImageSide,
    /// How a sentence becomes a vector; dual encoders have it.
    pub text: Option<TextSpec>,
    /// What its scores mean.
    pub calibration: Option<Calibration>,
    /// Everything its `model.toml` says.
    pub manifest: Manifest,
    files: BTreeMap<String, PackFile>,
}

/// One file of a pack, after its check.
#[derive(Debug, Clone)]
struct PackFile {
    size: u64,
    blake3: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Memory(Arc<Cow<'static, [u8]>>),
    Disk(PathBuf),
    /// Known to be missing, and the pack is of use without it.
    Absent {
        reason: String,
        remedy: String,
    },
}

/// Where ONNX Runtime finds a graph.
pub(super) enum GraphSource<'a> {
    Memory(&'a [u8]),
    File(&'a Path),
}

/// A file that [`ModelPack::load_parts`] is given.
pub(super) enum Part {
    /// Its bytes.
    Memory(Cow<'static, [u8]>),
    /// Where it lies on disk.
    Disk(PathBuf),
    /// It is missing and may be: why, and what to do.
    Absent { reason: String, remedy: String },
}

impl ModelPack {
    /// Reads a manifest and takes its files from `open`, each checked for size and BLAKE3.
    ///
    /// # Errors
    /// A manifest that makes no sense, a missing file, a wrong size or checksum.
    pub fn load(
        manifest: &str,
        mut open: impl FnMut(&str) -> Option<Cow<'static, [u8]>>,
    ) -> Result<Self, ModelError> {
        Self::load_parts(Manifest::parse(manifest)?, |name| {
            open(name).map(Part::Memory)
        })
    }

    /// Opens the pack in `dir`. Its files stay on disk; those that the stamp does not vouch for
    /// are hashed.
    ///
    /// # Errors
    /// As [`Self::load`], and if a file cannot be read.
    pub fn open_dir(dir: &Path) -> Result<Self, ModelError> {
        Self::load_parts(read_manifest(dir)?, |name| Some(Part::Disk(dir.join(name))))
    }

    /// Opens the pack in `dir`, hashes every file whatever the stamp says, and writes the stamp.
    /// The last step of an installation.
    ///
    /// # Errors
    /// As [`Self::open_dir`], and if the stamp cannot be written.
    pub fn open_and_stamp(dir: &Path) -> Result<Self, ModelError> {
        let manifest = read_manifest(dir)?;
        manifest.complete()?;
        let mut stamp = Stamp::default();
        for (name, entry) in &manifest.files {
            let path = dir.join(name);
            let wrong = |reason| bad_file(&manifest.name, &path, reason);
            let (size, blake3) = expected(entry);
            look(&path, size).map_err(wrong)?;
            let (found, metadata) = stamp::hash(&path).map_err(|e| wrong(e.to_string()))?;
            same_hash(&found, blake3).map_err(wrong)?;
            stamp.note(name, &metadata, &found);
        }
        stamp.write(dir).map_err(|e| {
            bad_file(
                &manifest.name,
                &dir.join(stamp::FILE),
                format!("cannot be written: {e}"),
            )
        })?;
        Self::open_dir(dir)
    }

    /// Checks the parts that `part` gives for each name in the manifest.
    pub(super) fn load_parts(
        manifest: Manifest,
        mut part: impl FnMut(&str) -> Option<Part>,
    ) -> Result<Self, ModelError> {
        manifest.complete()?;
        let mut files = BTreeMap::new();
        let mut stamps: BTreeMap<PathBuf, Stamp> = BTreeMap::new();
        for (name, entry) in &manifest.files {
            let (size, blake3) = expected(entry);
            let content = match part(name) {
                Some(Part::Memory(bytes)) => {
                    let wrong = |reason| bad_file(&manifest.name, Path::new(name), reason);
                    same_size(bytes.len() as u64, size).map_err(wrong)?;
                    same_hash(blake3::hash(&bytes).to_hex().as_str(), blake3).map_err(wrong)?;
                    Content::Memory(Arc::new(bytes))
                }
                Some(Part::Disk(path)) => {
                    let dir = path.parent().unwrap_or(Path::new("")).to_path_buf();
                    let stamp = stamps.entry(dir).or_insert_with_key(|dir| Stamp::read(dir));
                    let wrong = |reason| bad_file(&manifest.name, &path, reason);
                    let metadata = look(&path, size).map_err(wrong)?;
                    if !stamp.vouches(name, &metadata, blake3) {
                        let (found, _) = stamp::hash(&path).map_err(|e| wrong(e.to_string()))?;
                        same_hash(&found, blake3).map_err(wrong)?;
                    }
                    Content::Disk(path)
                }
                Some(Part::Absent { reason, remedy }) => Content::Absent { reason, remedy },
                None => {
                    return Err(bad_file(
                        &manifest.name,
                        Path::new(name),
                        "is missing".to_owned(),
                    ));
                }
            };
            let file = PackFile {
                size,
                blake3: blake3.to_owned(),
                content,
            };
            files.insert(name.clone(), file);
        }
        Ok(Self {
            id: manifest.id(),
            kind: manifest.kind,
            dims: match manifest.kind {
                Kind::Detector | Kind::TextReader => boxes::NUMBERS,
                Kind::FaceEncoder => boxes::NUMBERS + manifest.dims,
                Kind::Classifier | Kind::DualEncoder => manifest.dims,
            },
            description: manifest.description.clone(),
            licence: manifest.licence.weights.clone(),
            image: ImageSide::of(&manifest)?,
            text: manifest.text.clone(),
            calibration: manifest.calibration.clone(),
            manifest,
            files,
        })
    }

    /// Pack name without the revision.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// How its image graph wants its pictures; derived packs see none.
    pub fn input(&self) -> Option<&InputSpec> {
        self.image.input()
    }

    /// The classifier whose probabilities this pack's photo vectors are made of, if they are.
    pub fn derived_from(&self) -> Option<&ModelId> {
        match &self.image {
            ImageSide::Derived(derived) => Some(&derived.from),
            _ => None,
        }
    }

    /// Why sentences cannot be encoded, with what to do: no text side, or its files are missing.
    /// Says nothing about whether they would load.
    ///
    /// # Errors
    /// [`ModelError::NoText`].
    pub fn text_side(&self) -> Result<&TextSpec, ModelError> {
        let Some(text) = &self.text else {
            return Err(ModelError::NoText {
                pack: self.id.to_string(),
                reason: format!("it is a {}", self.kind),
                remedy: "`photond model list` shows those that can".to_owned(),
            });
        };
        for name in [&text.file, &text.tokenizer] {
            self.there(name)?;
        }
        Ok(text)
    }

    /// Whether all of its files are here.
    ///
    /// # Errors
    /// The first that is not, and what to do.
    pub fn whole(&self) -> Result<(), ModelError> {
        self.files
            .keys()
            .try_for_each(|name| self.there(name).map(drop))
    }

    /// The bytes of one of the pack's files, read from disk if they lie there.
    ///
    /// # Errors
    /// If the manifest does not name it, it is missing, or cannot be read.
    pub fn file(&self, name: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        match self.there(name)? {
            GraphSource::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            GraphSource::File(path) => fs::read(path)
                .map(Cow::Owned)
                .map_err(|e| bad_file(self.name(), path, format!("cannot be read: {e}"))),
        }
    }

    /// The same, compared with the checksum as it is read, whatever a stamp says.
    ///
    /// # Errors
    /// As [`Self::file`], and if it was cut off or is another since the pack was opened.
    pub(super) fn checked_file(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        let bytes = self.file(name)?.into_owned();
        if let Some(file) = self.files.get(name) {
            let path = match &file.content {
                Content::Disk(path) => path.as_path(),
                _ => Path::new(name),
            };
            let wrong = |reason| bad_file(self.name(), path, reason);
            same_size(bytes.len() as u64, file.size).map_err(wrong)?;
            same_hash(blake3::hash(&bytes).to_hex().as_str(), &file.blake3).map_err(wrong)?;
        }
        Ok(bytes)
    }

    /// One of the pack's files as text.
    ///
    /// # Errors
    /// As [`Self::file`], and if it is not UTF-8.
    pub fn text_file(&self, name: &str) -> Result<Cow<'_, str>, ModelError> {
        let not_text = |e: std::str::Utf8Error| {
            bad_file(self.name(), Path::new(name), format!("is no text: {e}"))
        };
        match self.file(name)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(not_text),
            Cow::Owned(bytes) => String::from_utf8(bytes)
                .map(Cow::Owned)
                .map_err(|e| not_text(e.utf8_error())),
        }
    }

    /// Names and sizes in bytes of the pack's files, those that are not here included.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files
            .iter()
            .map(|(name, file)| (name.as_str(), file.size))
    }

    /// Hashes every file that is here, whatever a stamp says, and renews the stamps beside them
    /// where they can be written. Returns the number of bytes read.
    ///
    /// # Errors
    /// The first file that is missing, cut off or another.
    pub fn verify(&self) -> Result<u64, ModelError> {
        let mut bytes = 0;
        let mut stamps: BTreeMap<&Path, Stamp> = BTreeMap::new();
        for (name, file) in &self.files {
            let (path, found) = match &file.content {
                Content::Memory(content) => {
                    (Path::new(name), blake3::hash(content).to_hex().to_string())
                }
                Content::Disk(path) => {
                    let wrong = |reason| bad_file(self.name(), path, reason);
                    look(path, file.size).map_err(wrong)?;
                    let (found, metadata) = stamp::hash(path).map_err(|e| wrong(e.to_string()))?;
                    let dir = path.parent().unwrap_or(Path::new(""));
                    let stamp = stamps.entry(dir).or_insert_with(|| Stamp::read(dir));
                    stamp.note(name, &metadata, &found);
                    (path.as_path(), found)
                }
                Content::Absent { .. } => continue,
            };
            same_hash(&found, &file.blake3).map_err(|r| bad_file(self.name(), path, r))?;
            bytes += file.size;
        }
        for (dir, stamp) in stamps {
            // Without it the files are hashed again, no more.
            if let Err(e) = stamp.write(dir) {
                tracing::debug!("{}: {e}", dir.join(stamp::FILE).display());
            }
        }
        Ok(bytes)
    }

    /// Where a file's bytes are.
    pub(super) fn there(&self, name: &str) -> Result<GraphSource<'_>, ModelError> {
        let file = self.files.get(name).ok_or_else(|| ModelError::BadPack {
            pack: self.id.to_string(),
            reason: format!("it has no {name}"),
        })?;
        match &file.content {
            Content::Memory(bytes) => Ok(GraphSource::Memory(bytes)),
            Content::Disk(path) => Ok(GraphSource::File(path)),
            Content::Absent { reason, remedy } if self.text.is_some() => Err(ModelError::NoText {
                pack: self.id.to_string(),
                reason: reason.clone(),
                remedy: remedy.clone(),
            }),
            Content::Absent { reason, remedy } => Err(ModelError::Incomplete {
                pack: self.id.to_string(),
                reason: reason.clone(),
                remedy: remedy.clone(),
            }),
        }
    }
}

/// Reads `dir/model.toml`.
pub(super) fn read_manifest(dir: &Path) -> Result<Manifest, ModelError> {
    let path = dir.join("model.toml");
    let text = fs::read_to_string(&path).map_err(|e| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        bad_file(&name, &path, format!("cannot be read: {e}"))
    })?;
    Manifest::parse(&text).map_err(|e| match e {
        // The folder is a better name than none.
        ModelError::Manifest {
            pack,
            key,
            reason,
            remedy,
        } if pack == UNNAMED => ModelError::Manifest {
            pack: dir.display().to_string(),
            key,
            reason,
            remedy,
        },
        other => other,
    })
}

/// Size and checksum of a complete manifest's entry.
fn expected(entry: &FileEntry) -> (u64, &str) {
    (
        entry.size.unwrap_or_default(),
        entry.blake3.as_deref().unwrap_or_default(),
    )
}

/// A regular file of this size. Links are followed: model files are often shared that way.
fn look(path: &Path, size: u64) -> Result<fs::Metadata, String> {
    let metadata = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "is missing".to_owned(),
        _ => format!("cannot be read: {e}"),
    })?;
    if !metadata.is_file() {
        return Err("is no regular file".to_owned());
    }
    same_size(metadata.len(), size)?;
    Ok(metadata)
}

fn same_size(found: u64, expected: u64) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("has {found} bytes, not {expected}"))
    }
}

fn same_hash(found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("has BLAKE3 {found}, not {expected}"))
    }
}

fn bad_file(pack: &str, path: &Path, reason: String) -> ModelError {
    let compiled_in = path.components().count() == 1;
    ModelError::BadFile {
        pack: pack.to_owned(),
        file: path.display().to_string(),
        reason,
        remedy: if compiled_in {
            "photond itself is damaged or incomplete: install it again".to_owned()
        } else {
            format!("run `photond model install {pack}` again")
        },
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
