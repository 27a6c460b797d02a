//! Room on the disk of the data directory, before anything is opened there.
//!
//! Once it works, a full disk is waited for where it is met (`index/commit.rs`). At the start there is
//! not even room to open a database.

use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;

use super::Observer;
use super::error::DaemonError;
use super::lock::DataDirLock;
use super::start::Way;
use crate::safe_file::free_space;

/// With less than this, databases cannot be opened: each has a log and an index of it.
const LEAST: u64 = 1 << 20;
/// How often a full disk is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// systemd waits for so many microseconds after each look.
const SUPERVISORS_PATIENCE: u32 = 60_000_000;

/// Locks the data directory when its disk has room. The daemon waits for that; a single pass does not.
pub(super) fn lock_with_room(
    data_dir: &Path,
    way: Way,
    observer: &dyn Observer,
) -> Result<DataDirLock, DaemonError> {
    let mut lock = None;
    let mut told = false;
    loop {
        if lock.is_none() {
            lock = match DataDirLock::take(data_dir) {
                Ok(lock) => Some(lock),
                Err(DaemonError::Full { .. }) => None,
                Err(e) => return Err(e),
            };
        }
        let has_room = free_space(data_dir).is_none_or(|free| free >= LEAST);
        if has_room && let Some(lock) = lock.take() {
            if told {
                observer.notice("there is room again");
            }
            return Ok(lock);
        }
        let full = DaemonError::Full {
            dir: data_dir.to_path_buf(),
        };
        if way == Way::Once {
            return Err(full);
        }
        if !told {
            observer.notice(&format!("{full}; waiting for that"));
            told = true;
        }
        if let Some(lock) = &lock {
            let _ = lock.say(&full.to_string());
        }
        let _ = sd_notify::notify(&[
            NotifyState::Status("waiting for room on the disk of the index"),
            NotifyState::ExtendTimeoutUsec(SUPERVISORS_PATIENCE),
        ]);
        std::thread::sleep(LOOK);
    }
}
