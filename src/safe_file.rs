//! Floor 1: writes a file so that it is there whole or not at all.
//!
//! A temporary file beside it, synced, renamed over it, the folder synced: after a power cut the
//! old content or the new one is there, and a half-written one never has the name. What was there
//! stays until the rename. A writer that is killed leaves a temporary file whose name says whose
//! it was; it is swept up by the next write of the same file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::failpoint;

/// Ends the name of a file in the making.
const SUFFIX: &str = ".tmp";

/// A file in the making. Dropped before [`NewFile::put`], it leaves nothing.
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Begins to write `path`; makes its folder if it is missing.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        std::fs::create_dir_all(folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sweep(folder, &name);
        let temporary = folder.join(format!(".{name}.{}{SUFFIX}", std::process::id()));
        failpoint::hit("file.begun")?;
        Ok(Self {
            file: File::options()
                .write(true)
                .read(true)
                .create(true)
                .truncate(true)
                .open(&temporary)?,
            path: path.to_path_buf(),
            temporary,
        })
    }

    /// The file to write to.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in place.
    ///
    /// # Errors
    /// What the system says; then nothing of the new file is left.
    pub(crate) fn put(self) -> io::Result<()> {
        failpoint::hit("file.written")?;
        self.file.sync_all()?;
        failpoint::hit("file.synced")?;
        std::fs::rename(&self.temporary, &self.path)?;
        failpoint::hit("file.renamed")?;
        // Some file systems cannot sync a folder; the file itself is safe by now.
        let _ = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        failpoint::hit("file.placed")
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// Writes a file whole.
///
/// # Errors
/// What the system says; then the file that was there is as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = NewFile::begin(path)?;
    let mut out = BufWriter::new(new.file());
    out.write_all(bytes)?;
    out.flush()?;
    drop(out);
    new.put()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Removes what processes that are gone have left of this file.
fn sweep(folder: &Path, name: &str) {
    let start = format!(".{name}.");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let pid = found
            .to_str()
            .and_then(|f| f.strip_prefix(&start)?.strip_suffix(SUFFIX)?.parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Bytes that can still be written to the file system of `dir`; `None` if it does not say.
pub(crate) fn free_space(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    // Some blocks are kept for the system's own user.
    let blocks = if rustix::process::geteuid().is_root() {
        disk.f_bfree
    } else {
        disk.f_bavail
    };
    Some(blocks.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_put_leaves_nothing_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder/file");
        write(&path, b"one").unwrap();
        let mut new = NewFile::begin(&path).unwrap();
        new.file().write_all(b"two, half").unwrap();
        drop(new);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"three").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1);
    }

    #[test]
    fn what_the_dead_have_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        // No process has the highest number there is; ours is alive.
        let dead = dir.path().join(format!(".file.{}.tmp", i32::MAX));
        let other = dir.path().join(format!(".other.{}.tmp", i32::MAX));
        let alive = dir.path().join(".file.1.tmp");
        for path in [&dead, &other, &alive] {
            std::fs::write(path, b"x").unwrap();
        }
        write(&dir.path().join("file"), b"y").unwrap();
        assert!(!dead.exists() && other.exists() && alive.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a file");
        std::fs::write(&file, b"x").unwrap();
        assert!(write(&file.join("below"), b"y").is_err());
    }
}
