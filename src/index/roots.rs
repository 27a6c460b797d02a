//! The roots in work, and whether what lies there is what was indexed.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::source::{self, Filter, identify};
use crate::store::RootRow;

/// A root in work.
pub struct RootHandle {
    /// `roots.id`.
    pub id: i64,
    /// Absolute path.
    pub path: PathBuf,
    /// What is left out.
    pub filter: Arc<Filter>,
    /// Device and inode of the folder itself when it was taken on.
    seen_as: (u64, u64),
}

impl RootHandle {
    /// Takes a folder on that was found at this device and inode.
    pub fn new(id: i64, path: &Path, filter: Arc<Filter>, place: (u64, u64)) -> Self {
        Self {
            id,
            path: path.to_path_buf(),
            filter,
            seen_as: place,
        }
    }

    /// True while the folder is the very one that was taken on: a file that is not found below it
    /// is gone, not merely unplugged.
    pub fn is_present(&self) -> bool {
        place_of(&self.path) == Some(self.seen_as)
    }
}

fn place_of(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    meta.is_dir().then(|| (meta.dev(), meta.ino()))
}

/// The roots in work, by id.
#[derive(Default)]
pub(super) struct Roots(RwLock<HashMap<i64, Arc<RootHandle>>>);

impl Roots {
    pub fn get(&self, id: i64) -> Option<Arc<RootHandle>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub fn put(&self, handle: Arc<RootHandle>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(handle.id, handle);
    }

    pub fn remove(&self, id: i64) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }
}

/// What lies at a root's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootState {
    /// A folder on this volume.
    Online {
        /// Volume identity.
        volume: String,
        /// Device and inode of the folder itself.
        place: (u64, u64),
        /// On a network file system: no events from other machines, so it is scanned more often.
        network: bool,
    },
    /// Not there now; nothing that was indexed is touched.
    Offline {
        /// For people.
        why: String,
    },
}

impl RootState {
    /// Looks at a root's path. `known` is its newest row with the number of files it has.
    ///
    /// An empty folder where an indexed one used to be, on another volume, is the mount point of a
    /// disk that is away.
    pub fn look(path: &Path, known: Option<(&RootRow, i64)>) -> Self {
        match identify(path) {
            source::RootPresence::Present(facts) => {
                let volume = facts.identity.to_string();
                match known {
                    Some((row, files)) if files > 0 && facts.empty && row.volume != volume => {
                        Self::Offline {
                            why: "its volume is not mounted (an empty folder is there)".to_owned(),
                        }
                    }
                    _ => Self::Online {
                        volume,
                        place: (facts.device, facts.inode),
                        network: facts.network_fs,
                    },
                }
            }
            source::RootPresence::Missing => Self::Offline {
                why: "the folder is not there".to_owned(),
            },
            source::RootPresence::NotADirectory => Self::Offline {
                why: "it is not a folder".to_owned(),
            },
            source::RootPresence::Unreadable(e) => Self::Offline {
                why: format!("it cannot be read: {e}"),
            },
        }
    }
}
