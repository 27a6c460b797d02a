//! How the index was left: a small file beside it that says whether a writer has it open, or what
//! it looked like when the last one closed it in peace. Whatever differs is checked in full.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::INDEX_FILE;
use crate::safe_file;

/// File name in the data directory.
pub(super) const STATE_FILE: &str = "index.state";

/// What a file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outside {
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
    inode: u64,
}

impl Outside {
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let nanos = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Some(Self {
            size: meta.len(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        })
    }

    fn words(self) -> String {
        let Self {
            size,
            mtime_ns,
            ctime_ns,
            inode,
        } = self;
        format!("clean {size} {mtime_ns} {ctime_ns} {inode}")
    }
}

/// What the marker says.
#[derive(Debug, Default)]
pub(super) struct LastState {
    /// There was an index here.
    pub known: bool,
    /// Its pages had checksums.
    pub checksums: bool,
    line: String,
}

impl LastState {
    /// Reads the marker of a data directory; a damaged one says as little as none.
    pub fn read(data_dir: &Path) -> Self {
        let Ok(text) = std::fs::read_to_string(data_dir.join(STATE_FILE)) else {
            return Self {
                known: data_dir.join(STATE_FILE).exists(),
                ..Self::default()
            };
        };
        let mut lines = text.lines();
        Self {
            known: true,
            line: lines.next().unwrap_or_default().to_owned(),
            checksums: lines.next() == Some("checksums"),
        }
    }

    /// True if the index was closed in peace and nobody has touched it since.
    pub fn is_clean(&self, data_dir: &Path) -> bool {
        let now = Outside::of(&data_dir.join(INDEX_FILE));
        now.is_some_and(|now| now.words() == self.line) && !has_log(data_dir)
    }
}

fn has_log(data_dir: &Path) -> bool {
    let log = data_dir.join(format!("{INDEX_FILE}-wal"));
    std::fs::metadata(log).is_ok_and(|m| m.len() > 0)
}

fn write(data_dir: &Path, line: &str, checksums: bool) -> std::io::Result<()> {
    let kind = if checksums { "checksums" } else { "plain" };
    safe_file::write(
        &data_dir.join(STATE_FILE),
        format!("{line}\n{kind}\n").as_bytes(),
    )
}

/// Held by the writer beside its connection, and dropped after it: then the marker says what the
/// index looks like closed.
pub(super) struct OpenMark {
    data_dir: PathBuf,
    /// Its pages have checksums.
    pub checksums: bool,
    /// It was closed in peace before, or has been checked since: only then is it called clean.
    pub trusted: bool,
}

impl OpenMark {
    /// Says that a writer has the index open.
    ///
    /// # Errors
    /// If neither that can be written nor an older marker be removed.
    pub fn set(data_dir: &Path, checksums: bool) -> std::io::Result<Self> {
        if let Err(e) = write(data_dir, "open", checksums) {
            // On a full disk: no marker says the same, and takes no room.
            match std::fs::remove_file(data_dir.join(STATE_FILE)) {
                Err(gone) if gone.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => tracing::debug!("{STATE_FILE}: {e}"),
            }
        }
        Ok(Self {
            data_dir: data_dir.to_path_buf(),
            checksums,
            trusted: false,
        })
    }

    /// Says that its pages have got checksums.
    ///
    /// # Errors
    /// As [`OpenMark::set`].
    pub fn note_checksums(&mut self, checksums: bool) -> std::io::Result<()> {
        self.checksums = checksums;
        write(&self.data_dir, "open", checksums)
    }
}

impl Drop for OpenMark {
    fn drop(&mut self) {
        // A log that is left belongs to a reader that goes on: what it holds comes into the file later.
        if !self.trusted || has_log(&self.data_dir) {
            return;
        }
        if let Some(now) = Outside::of(&self.data_dir.join(INDEX_FILE))
            && let Err(e) = write(&self.data_dir, &now.words(), self.checksums)
        {
            tracing::debug!("{STATE_FILE}: {e}");
        }
    }
}
