//! What is known of a person's photos is theirs alone: the data directory and the files in it can
//! be read by nobody else, whatever the umask, also those that an earlier photond made.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Names that photond gives to what lies directly in its data directory; a dot at the end stands for
/// any ending.
const OWN: &[&str] = &[
    "index.",
    ".index.",
    "thumbs.db",
    "thumbs.db-wal",
    "thumbs.db-shm",
    "previews.db",
    "previews.db-wal",
    "previews.db-shm",
    "gallery.json",
    "photond.",
    "pause.json",
    ".pause.json.",
    "gallery.",
    ".gallery.",
    "vectors",
    "labels",
    "vocabulary",
    "models",
    "canary",
    "runtime",
];

/// Folders below it are photond's own as deep as this.
const DEPTH: usize = 6;

fn is_own(name: &str) -> bool {
    OWN.iter()
        .any(|own| name == *own || (own.ends_with('.') && name.starts_with(own)))
}

/// Makes the directory and what lies in it private, as far as it is photond's and this user's. A
/// directory with other things in it stays as it is, and only photond's own files are closed.
/// Best effort: a file system without permissions is no error.
pub(super) fn tighten(data_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(data_dir) else {
        return;
    };
    let mut all_own = true;
    for entry in entries.flatten() {
        if is_own(&entry.file_name().to_string_lossy()) {
            close(&entry.path(), DEPTH);
        } else {
            all_own = false;
        }
    }
    if all_own {
        set(data_dir, 0o700);
    }
}

fn close(path: &Path, depth: usize) {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return;
    };
    if meta.is_dir() && depth > 0 {
        set(path, 0o700);
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            close(&entry.path(), depth - 1);
        }
    } else if meta.is_file() {
        set(path, 0o600);
    }
}

/// Takes what others may do away; what the owner may do stays as it is.
fn set(path: &Path, most: u32) {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return;
    };
    let mode = meta.mode() & 0o7777;
    if meta.is_symlink() || mode & !most & 0o077 == 0 {
        return;
    }
    if let Err(e) = std::fs::set_permissions(path, Permissions::from_mode(mode & 0o700)) {
        tracing::debug!("{}: {e}", path.display());
    }
}

/// Makes an empty private file, so that SQLite does not make one for all to read; its log gets the
/// same permissions.
pub(super) fn make(path: &Path) {
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    if let Err(e) = made
        && e.kind() != std::io::ErrorKind::AlreadyExists
    {
        // Opening says what is wrong, in words for the user.
        tracing::debug!("{}: {e}", path.display());
    }
}

/// Files made by this process from here on are its user's alone.
pub fn keep_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
