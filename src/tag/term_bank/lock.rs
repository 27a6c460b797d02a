//! One writer a bank, among all processes.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::BankError;
use super::known::beside;

/// The right to write the bank at a path: an `flock` on a file beside it, as the bank itself is
/// replaced by rename.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes it without waiting.
    pub(super) fn take(path: &Path) -> Result<Self, BankError> {
        let lock = beside(path, "lock");
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(BankError::io(dir, "make the folder of"))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(BankError::io(&lock, "lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(BankError::InUse {
                path: path.to_path_buf(),
            }),
            Err(e) => Err(BankError::io(&lock, "lock")(e.into())),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a child process that is just being started has a copy of it
    /// for a moment.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
