//! A stage's thread: how it starts, how its death becomes known, how it is waited for in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// A thread of this process was left behind in a system call or in foreign code that does not come
/// back.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// Notes that a thread was left behind, so that the process ends without waiting for it.
pub fn leave_behind(what: &str) {
    tracing::warn!("{what} is left behind: it hangs");
    LEFT_BEHIND.store(true, Ordering::Relaxed);
}

/// True if a thread was left behind: the process must not run down what that thread may be using.
pub fn is_anything_left_behind() -> bool {
    LEFT_BEHIND.load(Ordering::Relaxed)
}

/// Waits for threads to end, all together no longer than some time.
pub struct Ending {
    at: Instant,
    /// The first stage that had panicked.
    pub(super) died: Option<&'static str>,
}

impl Ending {
    /// From now on.
    pub fn within(patience: Duration) -> Self {
        Self {
            at: Instant::now() + patience,
            died: None,
        }
    }

    /// Waits for one; a thread that is still there when the time is over is left behind.
    pub fn wait_for(&mut self, stage: &'static str, thread: Option<JoinHandle<()>>) {
        let Some(thread) = thread else {
            return;
        };
        while !thread.is_finished() && Instant::now() < self.at {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !thread.is_finished() {
            leave_behind(&format!("the {stage} thread"));
        } else if thread.join().is_err() {
            self.died = Some(stage);
        }
    }
}
