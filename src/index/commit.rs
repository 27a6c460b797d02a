//! The writer thread: collects changes, writes them once, in one transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::inflight::InFlight;
use super::job::Write;
use super::progress::{Progress, Ticket};
use super::roots::Roots;
use super::worker::Shared;
use crate::photo::{ContentHash, FileStamp, Verdict};
use crate::source::stamp_beneath;
use crate::store::{Change, FileKey, Stage, Store, StoreError, ThumbStore};

/// Rows in one transaction: enough to make its cost small, few enough to keep memory small.
const BATCH: usize = 128;
/// How long the first change of a batch waits for others.
const MAX_AGE: Duration = Duration::from_millis(250);

pub(super) struct CommitThread {
    pub shared: Arc<Shared>,
    pub roots: Arc<Roots>,
    pub inflight: Arc<InFlight>,
    pub store: Store,
    pub thumbs: ThumbStore,
    pub input: Receiver<Write>,
}

struct Pending {
    change: Change,
    release: Option<ContentHash>,
    ticket: Option<Ticket>,
}

impl CommitThread {
    /// Writes until every sender is gone; returns the store for the last upkeep.
    pub fn run(mut self) -> Result<Store, StoreError> {
        let mut batch: Vec<Pending> = Vec::new();
        let mut deadline = Instant::now();
        loop {
            let next = if batch.is_empty() {
                self.input
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.input.recv_deadline(deadline)
            };
            match next {
                Ok(Write::Change {
                    change,
                    release,
                    urgent,
                    ticket,
                }) => {
                    if batch.is_empty() {
                        deadline = Instant::now() + MAX_AGE;
                    }
                    batch.push(Pending {
                        change,
                        release,
                        ticket,
                    });
                    if batch.len() >= BATCH || (urgent && self.input.is_empty()) {
                        self.flush(&mut batch)?;
                    }
                }
                Ok(Write::Run(work)) => {
                    self.flush(&mut batch)?;
                    work(&mut self.store);
                }
                Err(RecvTimeoutError::Timeout) => self.flush(&mut batch)?,
                Err(RecvTimeoutError::Disconnected) => {
                    self.flush(&mut batch)?;
                    return Ok(self.store);
                }
            }
        }
    }

    fn flush(&mut self, batch: &mut Vec<Pending>) -> Result<(), StoreError> {
        while !batch.is_empty() {
            let mut pending = std::mem::take(batch);
            let mut changes = Vec::with_capacity(pending.len());
            let mut released = Vec::new();
            let mut tickets = Vec::new();
            for p in pending.drain(..) {
                if let Some(hash) = p.release {
                    let failure = match &p.change {
                        Change::Failed { failure, .. } => Some(failure.clone()),
                        _ => None,
                    };
                    released.push((hash, failure));
                }
                tickets.extend(p.ticket);
                changes.extend(self.check(p.change));
            }
            if !self.write(&mut changes)? {
                return Ok(());
            }
            self.count(&changes);
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

    /// The last look at the file before its row is written: between reading and now it may have
    /// changed, vanished or come back, and the order in which two jobs for one path arrive here is
    /// open. Only what is still true is written; the event of the change itself, or the next scan,
    /// brings the rest.
    fn check(&self, change: Change) -> Option<Change> {
        match change {
            Change::Indexed {
                place: Some((key, stamp)),
                hash,
                inspection,
                decoder_version,
                results,
            } => {
                let holds = self.still_holds(&key, &stamp);
                if !holds && inspection.is_none() {
                    return None;
                }
                // The content is kept even so: it was read, and may lie elsewhere.
                Some(Change::Indexed {
                    place: holds.then_some((key, stamp)),
                    hash,
                    inspection,
                    decoder_version,
                    results,
                })
            }
            Change::Failed {
                ref key,
                ref stamp,
                hash: Some(_),
                ..
            } if !self.still_holds(key, stamp) => None,
            Change::Failed {
                ref key,
                hash: None,
                ref failure,
                ..
            } if failure.stage != Stage::Scan && !self.lies_there(key) => None,
            Change::Gone {
                ref key,
                excluded: false,
            }
            | Change::Missing { ref key }
                if self.lies_there(key) =>
            {
                None
            }
            other => Some(other),
        }
    }

    /// True if the file still has the stamp under which it was read (or cannot be asked).
    fn still_holds(&self, key: &FileKey, read: &FileStamp) -> bool {
        let Some(root) = self.roots.get(key.root) else {
            return true;
        };
        match stamp_beneath(&root.path, &key.path) {
            Ok(None) => !root.is_present(),
            Err(_) => true,
            Ok(Some(now)) => match read.compare(&now) {
                Verdict::Unchanged => true,
                // Stored without its ctime because it was too fresh to be trusted.
                Verdict::Touched => read.ctime_ns == 0 && read.inode == now.inode,
                Verdict::Changed | Verdict::Gone => false,
            },
        }
    }

    /// True unless it is certain that nothing lies there.
    fn lies_there(&self, key: &FileKey) -> bool {
        let Some(root) = self.roots.get(key.root) else {
            return true;
        };
        match stamp_beneath(&root.path, &key.path) {
            Ok(None) => !root.is_present(),
            Ok(Some(_)) | Err(_) => true,
        }
    }

    /// Writes a batch, waiting while the disk is full. False: a stop came first, nothing written.
    fn write(&mut self, changes: &mut Vec<Change>) -> Result<bool, StoreError> {
        let mut wait = Duration::from_millis(250);
        let mut paused = false;
        loop {
            match self.try_write(changes) {
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
            *changes = std::mem::take(changes)
                .into_iter()
                .filter_map(|c| self.check(c))
                .collect();
        }
    }

    fn try_write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let thumbs = changes.iter().filter_map(|c| match c {
            Change::Indexed {
                hash,
                inspection: Some(inspection),
                ..
            } => Some((hash, &inspection.thumbnail)),
            _ => None,
        });
        match self.thumbs.put(thumbs) {
            Err(e) if e.is_temporary() => return Err(e),
            // Derived data must not hold up the index.
            Err(e) => tracing::warn!("thumbnails: {e}"),
            Ok(()) => {}
        }
        self.store.apply(changes)
    }

    fn count(&self, changes: &[Change]) {
        let p = &self.shared.progress;
        for change in changes {
            match change {
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
