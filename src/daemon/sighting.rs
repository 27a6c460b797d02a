//! What tells that a file is another than it was, without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file's inode and time; none: it is not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sighting(Option<(u64, i64, i64)>);

impl Sighting {
    pub fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        Self(metadata.map(|m| (m.ino(), m.mtime(), m.mtime_nsec())))
    }
}
