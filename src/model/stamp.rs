//! The `verified` stamp: which bytes of a pack were hashed, so that they need not be again.
//!
//! Hashing a pack of a gigabyte takes a good part of a second, too long before every query. The
//! stamp says that a file of this size and modification time had this BLAKE3. It is no protection
//! against somebody who can write the folder (they could write the manifest too); it tells a whole
//! pack from one that was cut off, mixed up or replaced. Written beside the files when they were
//! verified, replaced as a whole, derived data: without it files are hashed.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::safe_file;

/// Its name in the pack's folder.
pub(super) const FILE: &str = "verified";

/// The stamp of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    files: BTreeMap<String, Verified>,
}

/// What was verified of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Verified {
    size: u64,
    /// Modification time in nanoseconds since 1970, as text: TOML's integers end in 2262.
    mtime_ns: String,
    blake3: String,
}

impl Stamp {
    /// The stamp in `dir`; one that is missing or unreadable vouches for nothing.
    pub(super) fn read(dir: &Path) -> Self {
        fs::read_to_string(dir.join(FILE))
            .ok()
            .and_then(|text| toml::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Whether the file is still the one that was hashed, and had this checksum.
    pub(super) fn vouches(&self, name: &str, metadata: &Metadata, blake3: &str) -> bool {
        self.files.get(name).is_some_and(|verified| {
            verified.size == metadata.len()
                && mtime_ns(metadata).as_ref() == Some(&verified.mtime_ns)
                && verified.blake3 == blake3
        })
    }

    /// Notes a file that was hashed. Without a modification time there is nothing to note.
    pub(super) fn note(&mut self, name: &str, metadata: &Metadata, blake3: &str) {
        if let Some(mtime_ns) = mtime_ns(metadata) {
            self.files.insert(
                name.to_owned(),
                Verified {
                    size: metadata.len(),
                    mtime_ns,
                    blake3: blake3.to_owned(),
                },
            );
        }
    }

    /// Writes it into `dir`, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        safe_file::write(&dir.join(FILE), text.as_bytes())
    }
}

/// BLAKE3 of a file's bytes in hex, with its metadata from the open file.
///
/// # Errors
/// If it cannot be read, or changed meanwhile.
pub(super) fn hash(path: &Path) -> io::Result<(String, Metadata)> {
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0u8; 1 << 18];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let after = file.metadata()?;
    if before.len() != after.len() || mtime_ns(&before) != mtime_ns(&after) {
        return Err(io::Error::other("it was changed while it was read"));
    }
    Ok((hasher.finalize().to_hex().to_string(), after))
}

fn mtime_ns(metadata: &Metadata) -> Option<String> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_nanos().to_string())
}
