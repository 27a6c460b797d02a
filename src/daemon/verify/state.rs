//! How far a verification is, in a file of the data directory, so that it goes on where it was.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::super::HexPath;
use super::sample::Sample;
use crate::safe_file;

const STATE_FILE: &str = "verify.json";
const LOCK_FILE: &str = "verify.lock";

/// What is wrong with a file, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyVerdict {
    /// Its bytes are those that were indexed.
    Sound,
    /// Size and time are those that were indexed, the bytes are not.
    Rotten,
    /// Its bytes differed from one reading to the next.
    Unsteady,
    /// Somebody has changed it; not indexed again yet.
    Changed,
    /// It is not there any more; not noticed yet.
    Gone,
    /// It cannot be read.
    Unreadable,
}

impl VerifyVerdict {
    /// Whether a person has to do something about it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Rotten | Self::Unsteady | Self::Unreadable)
    }
}

/// One file that is not simply sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyFinding {
    /// Where it lies.
    pub path: HexPath,
    /// What is wrong.
    pub verdict: VerifyVerdict,
    /// More, in words.
    pub detail: String,
    /// Other places where the same content was indexed.
    pub copies: Vec<HexPath>,
}

/// How many files there were of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct VerifyCounts {
    pub sound: u64,
    pub rotten: u64,
    pub unsteady: u64,
    pub changed: u64,
    pub gone: u64,
    pub unreadable: u64,
    /// In folders that are not there now.
    pub offline: u64,
    /// Bytes read and compared.
    pub bytes: u64,
}

impl VerifyCounts {
    pub(super) fn count(&mut self, verdict: VerifyVerdict) {
        let counter = match verdict {
            VerifyVerdict::Sound => &mut self.sound,
            VerifyVerdict::Rotten => &mut self.rotten,
            VerifyVerdict::Unsteady => &mut self.unsteady,
            VerifyVerdict::Changed => &mut self.changed,
            VerifyVerdict::Gone => &mut self.gone,
            VerifyVerdict::Unreadable => &mut self.unreadable,
        };
        *counter += 1;
    }

    /// Files that were looked at.
    pub fn files(&self) -> u64 {
        self.sound + self.rotten + self.unsteady + self.changed + self.gone + self.unreadable
    }

    /// Files that a person has to do something about.
    pub fn bad(&self) -> u64 {
        self.rotten + self.unsteady + self.unreadable
    }
}

/// One verification, finished or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRun {
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds; absent while there is more to do.
    pub finished_at: Option<i64>,
    /// Files and folders it is about; empty: everything.
    pub paths: Vec<HexPath>,
    /// Which of their photos.
    pub sample: Sample,
    /// Photos there were to look at when it began.
    pub planned: u64,
    /// What has been found so far.
    pub counts: VerifyCounts,
    /// Files that are not sound, the first [`MOST_FINDINGS`] of them.
    pub findings: Vec<VerifyFinding>,
    /// The last file that was looked at: which of `paths`, and where.
    pub(super) at: Option<Cursor>,
}

/// Where a verification is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Number of the place in the plan.
    pub place: usize,
    /// Path below the root, bytes in hex; absent: none yet.
    pub after: Option<HexPath>,
}

/// A disk that is dying altogether is told of without a file of its own size.
pub const MOST_FINDINGS: usize = 10_000;

/// The last verifications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyState {
    /// The last that came to its end.
    pub last: Option<VerifyRun>,
    /// One that has not.
    pub current: Option<VerifyRun>,
}

impl VerifyState {
    /// As it was left; nothing if there was none, or it cannot be understood.
    pub fn read(data_dir: &Path) -> Self {
        let text = std::fs::read(data_dir.join(STATE_FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self)?;
        safe_file::write(&data_dir.join(STATE_FILE), &text)
    }
}

/// One verification a data directory.
pub(super) struct VerifyLock(#[allow(dead_code)] File);

impl VerifyLock {
    /// `Ok(None)`: another one runs.
    pub fn take(data_dir: &Path) -> std::io::Result<Option<Self>> {
        let path: PathBuf = data_dir.join(LOCK_FILE);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
