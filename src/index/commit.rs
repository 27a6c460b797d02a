//! The writer thread: collects changes, writes them once, in one transaction, and says when a job is done.
//!
//! Just before that and right after, `still_true` has the files looked at. A disk that is full is waited
//! for; any other trouble ends the pipeline.

mod still_true;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::departures::Departures;
use super::inflight::InFlight;
use super::job::Write;
use super::later::Later;
use super::progress::{Progress, Ticket};
use super::roots::RootHandle;
use super::worker::Shared;
use crate::photo::{ContentHash, Pixels, RelPath};
use crate::store::{Change, Store, StoreError, ThumbStore};

/// Rows in one transaction: enough to make its cost small, few enough to keep memory small.
const BATCH: usize = 128;
/// How long the first change of a batch waits for others.
const MAX_AGE: Duration = Duration::from_millis(250);
pub(super) struct CommitThread {
    pub shared: Arc<Shared>,
    pub inflight: Arc<InFlight>,
    pub store: Store,
    pub thumbs: ThumbStore,
    pub input: Receiver<Write>,
    pub later: Later,
    pub departures: Departures,
}

pub(super) struct Pending {
    pub change: Change,
    pub root: Option<Arc<RootHandle>>,
    pub release: Option<ContentHash>,
    pub ticket: Option<Ticket>,
}

impl Pending {
    /// The path that leaves, if it does.
    pub fn leaves(&self) -> Option<&RelPath> {
        match &self.change {
            Change::Gone {
                key,
                excluded: false,
            }
            | Change::SidecarGone {
                key,
                excluded: false,
            } => Some(&key.path),
            _ => None,
        }
    }

    pub fn is_of_a_sidecar(&self) -> bool {
        matches!(
            self.change,
            Change::Sidecar { .. } | Change::SidecarGone { .. }
        )
    }

    /// What is left of it if the handle it was made under has ended: nothing of the path; but content
    /// that was inspected stays, since others may wait for it who found it under a newer handle.
    fn if_stale(self) -> Option<Self> {
        if !self.root.as_ref().is_some_and(|root| root.is_ended()) {
            return Some(self);
        }
        match self.change {
            Change::Indexed {
                hash,
                inspection: Some(inspection),
                decoder_version,
                results,
                ..
            } => Some(Self {
                change: Change::Indexed {
                    place: None,
                    hash,
                    inspection: Some(inspection),
                    decoder_version,
                    results,
                },
                root: None,
                ..self
            }),
            _ => None,
        }
    }
}

impl CommitThread {
    /// Writes until it is told to end; returns the store for the last upkeep.
    pub fn run(mut self) -> Result<Store, StoreError> {
        let mut batch: Vec<Pending> = Vec::new();
        let mut deadline = Instant::now();
        loop {
            let due = (!batch.is_empty()).then_some(deadline);
            let due = due.into_iter().chain(self.departures.due()).min();
            let next = match due {
                Some(at) => self.input.recv_deadline(at),
                None => self.input.recv().map_err(RecvTimeoutError::from),
            };
            match next {
                Ok(Write::Change {
                    change,
                    root,
                    release,
                    urgent,
                    ticket,
                }) => {
                    let pending = Pending {
                        change,
                        root,
                        release,
                        ticket,
                    };
                    let Some(pending) = self.departures.take(pending) else {
                        continue;
                    };
                    if batch.is_empty() {
                        deadline = Instant::now() + MAX_AGE;
                    }
                    batch.push(pending);
                    if batch.len() >= BATCH || (urgent && self.input.is_empty()) {
                        self.flush(&mut batch)?;
                    }
                }
                Ok(Write::Run(work)) => {
                    self.flush(&mut batch)?;
                    work(&mut self.store);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !batch.is_empty() && deadline <= Instant::now() {
                        self.flush(&mut batch)?;
                    }
                    self.flush_departures(Instant::now())?;
                }
                Ok(Write::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.flush(&mut batch)?;
                    return Ok(self.store);
                }
            }
        }
    }

    /// Writes what has left, once it is known how much that is.
    fn flush_departures(&mut self, now: Instant) -> Result<(), StoreError> {
        let left = self.departures.ready(now, &self.store)?;
        for part in left {
            let mut batch = part;
            self.flush(&mut batch)?;
        }
        Ok(())
    }

    fn flush(&mut self, batch: &mut Vec<Pending>) -> Result<(), StoreError> {
        while !batch.is_empty() {
            let mut released = Vec::new();
            let mut tickets = Vec::new();
            let mut pending = std::mem::take(batch);
            for p in &mut pending {
                if let Some(hash) = p.release.take() {
                    let failure = match &p.change {
                        Change::Failed { failure, .. } => Some(failure.clone()),
                        _ => None,
                    };
                    released.push((hash, failure));
                }
                tickets.extend(p.ticket.take());
            }
            let pending = pending.into_iter().filter_map(Pending::if_stale);
            let mut checked = self.check_all(pending.collect());
            if !self.write(&mut checked)? {
                return Ok(());
            }
            let as_written = self.look_again(&checked);
            self.count(&checked, &as_written);
            for (hash, failure) in released {
                for place in self.inflight.release(&hash) {
                    let change = if let Some(failure) = &failure {
                        Change::Failed {
                            key: place.key,
                            stamp: place.stamp,
                            hash: Some(hash),
                            failure: failure.clone(),
                        }
                    } else {
                        Progress::add(&self.shared.progress.deduplicated, 1);
                        Change::known(place.key, place.stamp, hash)
                    };
                    batch.push(Pending {
                        change,
                        root: Some(place.root),
                        release: None,
                        ticket: Some(place.ticket),
                    });
                }
            }
            // Only now are these jobs done.
            drop(tickets);
        }
        Ok(())
    }

    /// Writes a batch, waiting while the disk is full. False: a stop came first, nothing written.
    fn write(&mut self, batch: &mut Vec<Pending>) -> Result<bool, StoreError> {
        let mut wait = Duration::from_millis(250);
        let mut paused = false;
        loop {
            match self.try_write(batch) {
                Ok(()) => {
                    if paused {
                        tracing::warn!("writing goes on");
                        self.shared.progress.set_paused(None);
                        self.shared.progress.turn();
                    }
                    return Ok(true);
                }
                Err(e) if e.is_temporary() => {
                    if !paused {
                        tracing::warn!("{e}; waiting, nothing is lost");
                        self.shared.progress.set_paused(Some(e.to_string()));
                        self.shared.progress.turn();
                    }
                    paused = true;
                }
                Err(e) => return Err(e),
            }
            let until = Instant::now() + wait;
            while Instant::now() < until {
                if self.shared.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            wait = (wait * 2).min(Duration::from_secs(10));
            // Much may have happened to the files meanwhile.
            *batch = self.check_all(std::mem::take(batch));
        }
    }

    fn try_write(&mut self, batch: &[Pending]) -> Result<(), StoreError> {
        let thumbs = batch.iter().filter_map(|p| match &p.change {
            Change::Indexed {
                hash,
                inspection: Some(inspection),
                ..
            } => Some((hash, inspection.thumbnail.as_ref()?)),
            _ => None,
        });
        match self.thumbs.put(thumbs) {
            Err(e) if e.is_temporary() => return Err(e),
            // Derived data must not hold up the index.
            Err(e) => tracing::warn!("thumbnails: {e}"),
            Ok(()) => {}
        }
        self.store.apply(batch.iter().map(|p| &p.change))
    }

    /// What will be looked at again is counted then.
    fn count(&self, written: &[Pending], as_written: &[bool]) {
        let p = &self.shared.progress;
        let done = written.iter().zip(as_written).filter(|(_, done)| **done);
        for (pending, _) in done {
            match &pending.change {
                // Counted when it has been seen whole.
                Change::Indexed {
                    inspection: Some(inspection),
                    ..
                } if inspection.pixels == Pixels::Preview => {}
                Change::Indexed {
                    place: Some((key, _)),
                    ..
                } => {
                    Progress::add(&p.indexed, 1);
                    tracing::debug!("{} indexed", key.path);
                }
                Change::Failed { key, failure, .. } => {
                    Progress::add(&p.failed, 1);
                    tracing::info!("{}: {}", key.path, failure.message);
                }
                Change::Gone { .. } => Progress::add(&p.gone, 1),
                _ => {}
            }
        }
    }
}
