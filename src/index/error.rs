//! What stops the pipeline as a whole. One bad photo never does.

use crate::geo::GeoError;
use crate::store::StoreError;

/// A failure of the pipeline.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The built-in place names cannot be read.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// A stage has ended before its time.
    #[error(
        "the {0} thread has ended unexpectedly; restart photond (nothing that was indexed is lost)"
    )]
    StageDied(&'static str),
    /// A root that is to be let go is still in work.
    #[error("{} is still in work: its disk does not answer. Try again when it does, or restart photond", .0.display())]
    Busy(std::path::PathBuf),
    /// A thread could not be started.
    #[error("cannot start the {stage} thread: {source}")]
    Spawn {
        /// Which stage.
        stage: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
