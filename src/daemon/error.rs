//! What keeps the daemon from starting or going on.

use std::path::PathBuf;

use crate::index::IndexError;
use crate::model::ModelError;
use crate::search::SearchError;
use crate::source::{FilterError, SourceError};
use crate::store::StoreError;
use crate::tag::TagError;

/// A failure of the daemon as a whole.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another process works on this data directory.
    #[error("{dir} is in use by another photond{}; see `photond status`, or choose another --data-dir", pid(.holder))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Process id of the other one, if it could be read.
        holder: Option<u32>,
    },
    /// The data directory cannot be made or written.
    #[error(
        "cannot use the data directory {dir}: {reason}. Choose another with --data-dir or PHOTOND_DATA_DIR"
    )]
    DataDir {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No room where the index lives.
    #[error("the disk of {dir} is full: make room there, or choose another with --data-dir")]
    Full {
        /// The data directory.
        dir: PathBuf,
    },
    /// A folder that was asked for is not there.
    #[error("{path}: {reason}")]
    Root {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two folders, one inside the other.
    #[error("{inner} lies inside {outer}: watch only {outer}, it includes the other")]
    Nested {
        /// The folder inside.
        inner: PathBuf,
        /// The folder around it.
        outer: PathBuf,
    },
    /// A bad exclude pattern.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The file-system watcher.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pipeline.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The built-in model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The derived files of queries.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// Its words.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The pack of the classifier does not say what its scores mean.
    #[error("{0} cannot make tags: its [calibration] is not of kind softmax")]
    Uncalibrated(String),
    /// A signal came first.
    #[error("interrupted; what was tagged stays, run it again to go on")]
    Interrupted,
    /// A thread or the signal handling could not be had.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DaemonError {
    /// True if the index is damaged, or gone: whoever works on it has made it before.
    pub fn is_corruption(&self) -> bool {
        match self {
            Self::Store(e) | Self::Index(IndexError::Store(e)) => {
                e.is_corruption() || matches!(e, StoreError::NoIndex { .. })
            }
            _ => false,
        }
    }
}

fn pid(holder: &Option<u32>) -> String {
    holder
        .map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}
