//! The workers as a crew: who waits for a disk that hangs is replaced, so that the other roots' photos
//! go on. A worker that comes back from there ends with the job it had.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::error::IndexError;
use super::job::Job;
use super::stage::{Deadman, spawn};
use super::worker::{Outputs, Seat, Shared, Worker};
use crate::store::StoreReader;

pub(super) struct Crew {
    shared: Arc<Shared>,
    out: Option<Outputs>,
    urgent: Receiver<Job>,
    backlog: Receiver<Job>,
    /// Dropped when all are to end; the receivers are theirs.
    quit: (Option<Sender<()>>, Receiver<()>),
    at_work: Vec<(Arc<Seat>, JoinHandle<()>)>,
    /// Those that hung when they were replaced.
    replaced: Vec<JoinHandle<()>>,
}

impl Crew {
    pub fn new(
        shared: Arc<Shared>,
        out: Outputs,
        (urgent, backlog): (Receiver<Job>, Receiver<Job>),
    ) -> Self {
        let (quit, quits) = bounded(0);
        Self {
            shared,
            quit: (Some(quit), quits),
            out: Some(out),
            urgent,
            backlog,
            at_work: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// One more worker.
    pub fn take_on(&mut self, reader: StoreReader) -> Result<(), IndexError> {
        let Some(out) = self.out.clone() else {
            return Ok(());
        };
        let seat = Arc::<Seat>::default();
        let worker = Worker::new(Arc::clone(&self.shared), reader, out, Arc::clone(&seat));
        let (urgent, backlog) = (self.urgent.clone(), self.backlog.clone());
        let quit = self.quit.1.clone();
        let watched = Deadman(Arc::clone(&self.shared));
        let thread = spawn("worker", move || {
            worker.run(&urgent, &backlog, &quit);
            drop(watched);
        })?;
        self.at_work.push((seat, thread));
        Ok(())
    }

    /// Replaces those that hang.
    pub fn relieve(&mut self, data_dir: &Path) {
        self.replaced.retain(|thread| !thread.is_finished());
        for index in (0..self.at_work.len()).rev() {
            if !self.at_work[index].0.hangs() {
                continue;
            }
            // Without a reader for another one (no descriptors, perhaps) it keeps its place for now.
            match StoreReader::open(data_dir).map_err(IndexError::from) {
                Ok(reader) => {
                    if let Err(e) = self.take_on(reader) {
                        tracing::warn!("{e}");
                        continue;
                    }
                    let (seat, thread) = self.at_work.swap_remove(index);
                    seat.replace();
                    self.replaced.push(thread);
                    tracing::warn!(
                        "a worker waits for a disk that hangs; another one takes its place"
                    );
                }
                Err(e) => tracing::debug!("{e}"),
            }
        }
    }

    /// Lets go of everything that keeps the stages behind the workers alive; their threads are to
    /// be waited for.
    pub fn dismiss(&mut self) -> Vec<JoinHandle<()>> {
        self.out = None;
        self.quit.0 = None;
        let at_work = self.at_work.drain(..).map(|(_, thread)| thread);
        at_work.chain(self.replaced.drain(..)).collect()
    }
}
