//! Jobs that wait: their file was changing while it was read, or the machine had nothing to read it
//! with.
//!
//! A job that waits long is not counted as work: a webcam's picture that is written all day must not
//! keep the daemon from being up to date with everything else. It is counted apart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::job::{Job, Task};
use super::progress::Progress;
use super::scan::enqueue;
use super::worker::Shared;
use crate::store::FileKey;

/// A wait from this long on is not work under way, in a process that goes on.
const LONG: Duration = Duration::from_secs(2);

/// Puts jobs off.
#[derive(Clone)]
pub(super) struct Later(Sender<Option<(Duration, Job)>>);

/// The thread's side.
pub(super) struct LaterThread {
    shared: Arc<Shared>,
    input: Receiver<Option<(Duration, Job)>>,
    again: Sender<Job>,
    backlog: Sender<Job>,
    waiting: BTreeMap<(Instant, u64), Waiting>,
    next: u64,
}

enum Waiting {
    Counted(Job),
    /// Everything of a job but its ticket.
    Apart {
        key: FileKey,
        task: Task,
        urgent: bool,
        tries: u32,
    },
}

impl Later {
    /// The two sides. Jobs put off are few: files caught while they were being written.
    pub fn new(
        shared: &Arc<Shared>,
        again: Sender<Job>,
        backlog: Sender<Job>,
    ) -> (Self, LaterThread) {
        let (out, input) = unbounded();
        let thread = LaterThread {
            shared: Arc::clone(shared),
            input,
            again,
            backlog,
            waiting: BTreeMap::new(),
            next: 0,
        };
        (Self(out), thread)
    }

    /// Queues a job again after a while.
    pub fn put(&self, delay: Duration, job: Job) {
        let _ = self.0.send(Some((delay, job)));
    }

    /// Ends the thread.
    pub fn end(&self) {
        let _ = self.0.send(None);
    }
}

impl LaterThread {
    /// Works until it is told to end.
    pub fn run(mut self) {
        loop {
            let next = match self.waiting.first_key_value() {
                Some(((at, _), _)) => self.input.recv_deadline(*at),
                None => self.input.recv().map_err(RecvTimeoutError::from),
            };
            match next {
                Ok(Some((delay, job))) => self.hold(delay, job),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(None) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.queue_due();
        }
    }

    fn hold(&mut self, delay: Duration, job: Job) {
        let waiting = if delay >= LONG && !self.shared.one_pass {
            Progress::add(&self.shared.progress.waiting, 1);
            let Job {
                key,
                task,
                urgent,
                tries,
                ticket: _,
            } = job;
            Waiting::Apart {
                key,
                task,
                urgent,
                tries,
            }
        } else {
            Waiting::Counted(job)
        };
        self.next += 1;
        self.waiting
            .insert((Instant::now() + delay, self.next), waiting);
    }

    fn queue_due(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.waiting.first_entry().filter(|e| e.key().0 <= now) {
            let job = match entry.remove() {
                Waiting::Counted(job) => job,
                Waiting::Apart {
                    key,
                    task,
                    urgent,
                    tries,
                } => {
                    self.shared.progress.waiting.fetch_sub(1, Ordering::Relaxed);
                    let ticket = self.shared.progress.ticket();
                    Job {
                        key,
                        task,
                        urgent,
                        tries,
                        ticket: if urgent { ticket.live() } else { ticket },
                    }
                }
            };
            if job.is_stale() {
                continue;
            }
            let queue = if job.urgent {
                &self.again
            } else {
                &self.backlog
            };
            if !enqueue(queue, job, &self.shared.stop, &|| {})
                && self.shared.stop.load(Ordering::Relaxed)
            {
                return;
            }
        }
    }
}
