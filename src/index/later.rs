//! Jobs put off because their file was changing while it was read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::job::Job;

/// Holds jobs for files that were changing, and queues them again when their time has come.
pub(super) fn put_off(input: &Receiver<(Instant, Job)>, again: &Sender<Job>, stop: &AtomicBool) {
    let mut waiting: Vec<(Instant, Job)> = Vec::new();
    loop {
        let next = waiting.iter().map(|(at, _)| *at).min();
        // Half a second is how soon a stop is noticed while nothing comes in.
        let wake = next
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
            .min(
                Instant::now()
                    + if waiting.is_empty() {
                        Duration::from_secs(3600)
                    } else {
                        Duration::from_millis(500)
                    },
            );
        match input.recv_deadline(wake) {
            Ok(job) => waiting.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let mut index = 0;
        while index < waiting.len() {
            if waiting[index].0 <= now {
                let (_, job) = waiting.swap_remove(index);
                let _ = again.send(job);
            } else {
                index += 1;
            }
        }
    }
}
