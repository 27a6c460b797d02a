//! SIGINT and SIGTERM for whoever has no timers of its own.

use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::error::DaemonError;

/// Calls `stop` at the first SIGINT or SIGTERM, as long as the returned guard lives.
pub(super) fn on_stop_signal(stop: impl Fn() + Send + 'static) -> Result<SignalGuard, DaemonError> {
    let start = |source| DaemonError::Start {
        what: "signal handling",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(start)?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("photond-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                let (Ok(mut terminate), Ok(mut interrupt)) = (
                    signal(SignalKind::terminate()),
                    signal(SignalKind::interrupt()),
                ) else {
                    return;
                };
                tokio::select! {
                    _ = terminate.recv() => stop(),
                    _ = interrupt.recv() => stop(),
                    _ = ended => {}
                }
            });
        })
        .map_err(start)?;
    Ok(SignalGuard {
        inner: Mutex::new(Some((end, thread))),
    })
}

/// Ends the signal thread when dropped.
pub(super) struct SignalGuard {
    inner: Mutex<
        Option<(
            tokio::sync::oneshot::Sender<()>,
            std::thread::JoinHandle<()>,
        )>,
    >,
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        let inner = self
            .inner
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((end, thread)) = inner {
            let _ = end.send(());
            let _ = thread.join();
        }
    }
}
