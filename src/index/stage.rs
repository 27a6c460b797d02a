//! A stage's thread, and how its death becomes known.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use super::error::IndexError;
use super::worker::Shared;

/// Makes the death of a stage known, whether it ended with an error or a panic.
pub(super) struct Deadman(pub Arc<Shared>);

impl Deadman {
    /// The stage is of no use any more: the pipeline ends.
    pub fn report(&self) {
        self.0.progress.dead.store(true, Ordering::Relaxed);
        self.0.progress.turn();
    }
}

impl Drop for Deadman {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
    }
}

/// Starts a stage's thread.
pub(super) fn spawn<T: Send + 'static>(
    stage: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, IndexError> {
    std::thread::Builder::new()
        .name(format!("photond-{stage}"))
        .spawn(work)
        .map_err(|source| IndexError::Spawn { stage, source })
}
