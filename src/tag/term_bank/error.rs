//! Why a term bank cannot be used or added to.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a term bank, with its path and what to do about it.
///
/// [`BankError::Missing`], [`BankError::Stale`], [`BankError::Corrupt`], [`BankError::Truncated`]
/// and [`BankError::Foreign`] say that the file is of no use; [`super::BankWriter::open`] then makes
/// it anew. The others leave it as it is.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    /// There is no file.
    #[error("there is no label bank at {path} yet: it is made when labels are encoded")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A sound bank, but of other labels, another model or another version of this program.
    #[error(
        "the label bank {path} is out of date ({reason}): it is made anew when labels are encoded"
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Its content is not what was written.
    #[error(
        "the label bank {path} is damaged ({reason}): it is made anew when labels are encoded; check the disk if this comes again"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file is shorter than what was written.
    #[error(
        "the label bank {path} has been cut short ({found} bytes of {expected}): it is made anew when labels are encoded"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The length it was given.
        expected: u64,
    },
    /// Some other program's file.
    #[error("{path} is no label bank: move it away if it is yours, its place is needed")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another writer has it.
    #[error(
        "the label bank {path} is being written by another process: wait until it is done, or stop it"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk has no room for the rows that are still to come.
    #[error(
        "no room for the label bank {path}: {needed} bytes are needed, {free} are free; make room, encoding then goes on"
    )]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Bytes still to be written.
        needed: u64,
        /// Bytes that may be written.
        free: u64,
    },
    /// The system refused.
    #[error("cannot {doing} the label bank {path}: {source}")]
    Io {
        /// The file, or what belongs to it.
        path: PathBuf,
        /// What was tried: `read`, `write`, …
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An identity that no bank can have.
    #[error("no label bank can hold {rows} rows of {dims} values")]
    Impossible {
        /// Rows asked for.
        rows: usize,
        /// Values in a row.
        dims: usize,
    },
    /// Values that are no whole rows.
    #[error("{path}: {values} values are no whole rows of {dims}: they are of another model")]
    Dims {
        /// The file.
        path: PathBuf,
        /// Values given.
        values: usize,
        /// Values in a row.
        dims: usize,
    },
    /// Not one key for each row.
    #[error("{path}: {keys} text keys for {rows} rows")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Keys given.
        keys: usize,
        /// Rows given.
        rows: usize,
    },
    /// A vector that scores nothing.
    #[error("{path}: the vector for row {row} {reason}: nothing of this chunk was stored")]
    BadRow {
        /// The file.
        path: PathBuf,
        /// Row of the bank that it was meant for.
        row: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More rows than the bank was made for.
    #[error("{path}: {rows} more rows do not fit, {room} are left of {capacity}")]
    Full {
        /// The file.
        path: PathBuf,
        /// Rows given.
        rows: usize,
        /// Rows that still fit.
        room: usize,
        /// Rows it was made for.
        capacity: usize,
    },
    /// After an error while the header was written: what counts stands on the disk alone.
    #[error("writing the label bank {path} was interrupted by an earlier error: open it again")]
    Interrupted {
        /// The file.
        path: PathBuf,
    },
}

impl BankError {
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }

    pub(super) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }

    /// Whether the disk was full, so that the same may succeed later.
    #[must_use]
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }

    /// Whether the file itself is of no use, so that a writer makes it anew.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Stale { .. }
                | Self::Corrupt { .. }
                | Self::Truncated { .. }
                | Self::Foreign { .. }
        )
    }
}
