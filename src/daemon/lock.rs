//! One process a data directory: an advisory lock on a file of its own (never on the database,
//! whose locks are SQLite's).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::DaemonError;

const LOCK_FILE: &str = "photond.lock";

/// The lock file has this size from the start: what is said through it needs no free disk space.
const SIZE: usize = 1024;

/// Held as long as this value lives; the system drops it with the process, however it ends.
pub struct DataDirLock {
    file: File,
}

impl DataDirLock {
    /// Makes the data directory if need be and locks it.
    ///
    /// # Errors
    /// [`DaemonError::Locked`] with the other process, [`DaemonError::Full`], [`DaemonError::DataDir`] if
    /// it cannot be written.
    pub fn take(data_dir: &Path) -> Result<Self, DaemonError> {
        let fail = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                DaemonError::Full {
                    dir: data_dir.to_path_buf(),
                }
            }
            _ => DaemonError::DataDir {
                dir: data_dir.to_path_buf(),
                reason: e.to_string(),
            },
        };
        std::fs::create_dir_all(data_dir).map_err(fail)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(data_dir.join(LOCK_FILE))
            .map_err(fail)?;
        // `is_held` in another process holds the lock for a moment.
        let mut tries = 0;
        while let Err(e) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if e != rustix::io::Errno::WOULDBLOCK {
                return Err(fail(e.into()));
            }
            tries += 1;
            if tries > 10 {
                return Err(DaemonError::Locked {
                    dir: data_dir.to_path_buf(),
                    holder: read(data_dir).and_then(|(pid, _)| pid),
                });
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        file.set_len(SIZE as u64).map_err(fail)?;
        let lock = Self { file };
        lock.say("").map_err(fail)?;
        Ok(lock)
    }

    /// Leaves a line for `status`, even on a full disk; the empty line takes it back.
    pub(super) fn say(&self, line: &str) -> std::io::Result<()> {
        let mut text = format!("{}\n{}", std::process::id(), line.replace('\n', " ")).into_bytes();
        text.truncate(SIZE - 1);
        text.resize(SIZE, b'\n');
        self.file.write_all_at(&text, 0)
    }
}

/// Process id and line of whoever holds the lock (or held it last).
fn read(data_dir: &Path) -> Option<(Option<u32>, String)> {
    let bytes = std::fs::read(data_dir.join(LOCK_FILE)).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let pid = lines.next().and_then(|l| l.trim().parse().ok());
    Some((pid, lines.next().unwrap_or_default().to_owned()))
}

/// Whether a process holds the lock now. Does not wait and changes nothing.
pub fn is_held(data_dir: &Path) -> bool {
    let Ok(file) = File::open(data_dir.join(LOCK_FILE)) else {
        return false;
    };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

/// The line that the running process has left, if there is one: why it cannot write.
pub fn held_says(data_dir: &Path) -> Option<String> {
    is_held(data_dir)
        .then(|| read(data_dir))
        .flatten()
        .map(|(_, line)| line)
        .filter(|line| !line.is_empty())
}
