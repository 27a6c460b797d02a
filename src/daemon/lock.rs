//! One process a data directory: an advisory lock on a file of its own (never on the database,
//! whose locks are SQLite's).

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::DaemonError;

const LOCK_FILE: &str = "photond.lock";

/// Held as long as this value lives; the system drops it with the process, however it ends.
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Makes the data directory if need be and locks it.
    ///
    /// # Errors
    /// [`DaemonError::Locked`] with the other process, [`DaemonError::DataDir`] if it cannot be written.
    pub fn take(data_dir: &Path) -> Result<Self, DaemonError> {
        let fail = |e: std::io::Error| DaemonError::DataDir {
            dir: data_dir.to_path_buf(),
            reason: e.to_string(),
        };
        std::fs::create_dir_all(data_dir).map_err(fail)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(data_dir.join(LOCK_FILE))
            .map_err(fail)?;
        if let Err(e) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if e != rustix::io::Errno::WOULDBLOCK {
                return Err(fail(e.into()));
            }
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            return Err(DaemonError::Locked {
                dir: data_dir.to_path_buf(),
                holder: text.trim().parse().ok(),
            });
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

/// Whether a process holds the lock now. Does not wait and changes nothing.
#[must_use]
pub fn is_held(data_dir: &Path) -> bool {
    let Ok(file) = File::open(data_dir.join(LOCK_FILE)) else {
        return false;
    };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}
