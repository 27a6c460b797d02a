//! `--from`: the files of a pack in a folder or in a tar archive.
//!
//! A folder may be flat, laid out as the repository is (also as the hub's own cache has it, with
//! links), or be an installed pack. An archive holds the same, with or without one folder around it;
//! what is in it is only ever copied out under names that photond chose, but an archive that *tries*
//! something (absolute paths, `..`, links, devices) is refused as a whole: it is not what the user
//! thinks it is. Nothing is unpacked that is not wanted; an archive is read through once, without its
//! contents, for the list.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::error::io;
use super::name::is_inner_path;
use super::{InstallError, Watch, space};

/// More entries than any pack's archive has.
const MOST_ENTRIES: usize = 10_000;

/// A manifest is a page of text.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// Where files are taken from.
pub(super) struct Shelf {
    path: PathBuf,
    kind: ShelfKind,
}

enum ShelfKind {
    Folder,
    /// Path inside (without the one folder around all) → offset and size in the archive.
    Archive(BTreeMap<String, (u64, u64)>),
}

/// A file that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OnShelf {
    path: PathBuf,
    offset: u64,
    /// Bytes.
    pub size: u64,
}

impl Shelf {
    /// A folder, or a tar archive.
    pub fn open(path: &Path) -> Result<Self, InstallError> {
        let metadata = std::fs::metadata(path).map_err(io(path, "open"))?;
        let kind = if metadata.is_dir() {
            ShelfKind::Folder
        } else {
            ShelfKind::Archive(list(path, metadata.len())?)
        };
        Ok(Self {
            path: path.to_path_buf(),
            kind,
        })
    }

    /// For messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The pack's own `model.toml`, if it has one.
    pub fn manifest(&self) -> Result<Option<String>, InstallError> {
        let Some(found) = self.look("model.toml") else {
            return Ok(None);
        };
        let label = self.path.join("model.toml");
        if found.size > LARGEST_MANIFEST {
            return Err(InstallError::BadManifest {
                path: label.display().to_string(),
                reason: format!("it has {} bytes", found.size),
            });
        }
        let mut text = String::new();
        found
            .open()
            .and_then(|file| file.take(found.size).read_to_string(&mut text))
            .map_err(io(&label, "read"))?;
        Ok(Some(text))
    }

    /// Looks for a file of a pack: where the repository has it, by its name there, and under its
    /// name in the pack. The last one only if that is what the repository calls it too, or `own`
    /// says that this is an installed pack: beside `vision_model_quantized.onnx`, a
    /// `vision_model.onnx` is another file.
    pub fn find(&self, name: &str, path: Option<&str>, own: bool) -> Result<OnShelf, InstallError> {
        let mut looked: Vec<&str> = Vec::new();
        if own {
            looked.push(name);
        } else {
            let path = path.unwrap_or(name);
            looked.push(path);
            let base = path.rsplit('/').next().unwrap_or(path);
            if base != path {
                looked.push(base);
            }
        }
        looked
            .iter()
            .find_map(|candidate| self.look(candidate))
            .ok_or_else(|| InstallError::Missing {
                from: self.name(),
                file: name.to_owned(),
                looked: looked.iter().map(|l| (*l).to_owned()).collect(),
            })
    }

    fn look(&self, inner: &str) -> Option<OnShelf> {
        match &self.kind {
            ShelfKind::Folder => {
                let path = self.path.join(inner);
                let metadata = std::fs::metadata(&path).ok().filter(|m| m.is_file())?;
                Some(OnShelf {
                    path,
                    offset: 0,
                    size: metadata.len(),
                })
            }
            ShelfKind::Archive(entries) => {
                let (offset, size) = *entries.get(inner)?;
                Some(OnShelf {
                    path: self.path.clone(),
                    offset,
                    size,
                })
            }
        }
    }
}

impl OnShelf {
    fn open(&self) -> std::io::Result<File> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file)
    }

    /// Copies it to a new file. `step` is told how many bytes are there, after each piece.
    pub fn copy(
        &self,
        to: &Path,
        watch: &dyn Watch,
        step: &mut dyn FnMut(u64),
    ) -> Result<(), InstallError> {
        let mut from = self.open().map_err(io(&self.path, "open"))?.take(self.size);
        let mut out = File::create(to).map_err(io(to, "write"))?;
        let mut buffer = vec![0u8; 1 << 20];
        let mut copied = 0u64;
        loop {
            if watch.stopped() {
                return Err(InstallError::Stopped);
            }
            let n = from.read(&mut buffer).map_err(io(&self.path, "read"))?;
            if n == 0 {
                break;
            }
            out.write_all(&buffer[..n]).map_err(|e| match e.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    let dir = to.parent().unwrap_or(to);
                    space::full(dir, self.size - copied)
                }
                _ => io(to, "write")(e),
            })?;
            copied += n as u64;
            step(copied);
        }
        if copied != self.size {
            return Err(InstallError::Archive {
                path: self.path.clone(),
                reason: format!("it ends after {copied} of {} bytes of a file", self.size),
            });
        }
        out.sync_all().map_err(io(to, "write"))
    }
}

/// Lists an archive's files, and refuses one that is cut off or tries something.
fn list(path: &Path, length: u64) -> Result<BTreeMap<String, (u64, u64)>, InstallError> {
    let bad = |reason: String| InstallError::Archive {
        path: path.to_path_buf(),
        reason,
    };
    let file = File::open(path).map_err(io(path, "open"))?;
    let mut archive = tar::Archive::new(file);
    let entries = archive
        .entries_with_seek()
        .map_err(|e| bad(format!("it is no tar archive ({e})")))?;
    let mut files = BTreeMap::new();
    for (n, entry) in entries.enumerate() {
        if n >= MOST_ENTRIES {
            return Err(bad(format!("it has more than {MOST_ENTRIES} entries")));
        }
        let entry = entry.map_err(|e| {
            if n == 0 {
                bad(format!(
                    "it is no tar archive ({e}); a compressed one must be unpacked first"
                ))
            } else {
                bad(format!("it is damaged or cut off ({e})"))
            }
        })?;
        let raw = entry.path_bytes();
        let name = std::str::from_utf8(&raw)
            .map_err(|_| bad("it has a name that is no UTF-8".to_owned()))?;
        let inner = name.trim_start_matches("./").trim_end_matches('/');
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => continue,
            EntryType::Directory if inner.is_empty() => continue,
            _ if name.starts_with('/') || !is_inner_path(inner) => {
                return Err(bad(format!("it has {name:?}, which leads out of it")));
            }
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous => {}
            other => {
                return Err(bad(format!(
                    "it has {name:?}, which is no plain file ({other:?})"
                )));
            }
        }
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(bad(format!(
                "it is cut off: {name:?} should have {size} bytes"
            )));
        }
        if files.insert(inner.to_owned(), (offset, size)).is_some() {
            return Err(bad(format!("it has {name:?} twice")));
        }
    }
    if files.is_empty() {
        return Err(bad("it is no tar archive, or an empty one".to_owned()));
    }
    Ok(without_outer_folder(files))
}

/// `siglip/onnx/a`, `siglip/b` → `onnx/a`, `b`: most archives have one folder around all.
fn without_outer_folder(files: BTreeMap<String, (u64, u64)>) -> BTreeMap<String, (u64, u64)> {
    let mut outer = files.keys().map(|f| f.split_once('/').map(|(o, _)| o));
    let Some(Some(first)) = outer.next() else {
        return files;
    };
    // A repository's own folder is none: one with a file that a pack looks for stays.
    if first == "onnx" || !outer.all(|o| o == Some(first)) {
        return files;
    }
    files
        .iter()
        .filter_map(|(name, place)| Some((name.split_once('/')?.1.to_owned(), *place)))
        .collect()
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
