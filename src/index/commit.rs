//! The writer thread: collects changes, writes them once, in one transaction.
//!
//! The last look at a file before its row is written, and another one right after the commit: in
//! between anything may happen to it, and the order in which two jobs for one path arrive here is
//! open. What is no longer true is not written, and what was touched meanwhile is looked at again.
//! The writer never asks a photo's disk itself, since that may hang; the root's probe does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::departures::Departures;
use super::inflight::InFlight;
use super::job::{Job, Write};
use super::later::Later;
use super::probe::Look;
use super::progress::{Progress, Ticket};
use super::roots::RootHandle;
use super::worker::Shared;
use crate::photo::{ContentHash, FileStamp, Pixels, RelPath, Verdict};
use crate::source::FileKind;
use crate::store::{Change, FileKey, Stage, Store, StoreError, ThumbStore};

/// Rows in one transaction: enough to make its cost small, few enough to keep memory small.
const BATCH: usize = 128;
/// How long the first change of a batch waits for others.
const MAX_AGE: Duration = Duration::from_millis(250);
/// How soon a file that was touched while its row was written is looked at again: whoever touches
/// it may not be done.
const AGAIN: Duration = Duration::from_millis(300);

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

    /// What lies at the path of each of these changes; [`Look::Unknown`] for those without one.
    fn looks(batch: &[Pending]) -> Vec<Look> {
        let mut looks = vec![Look::Unknown; batch.len()];
        let mut asked: Vec<(&Arc<RootHandle>, Vec<usize>)> = Vec::new();
        for (n, p) in batch.iter().enumerate() {
            let (Some(root), Some(_)) = (&p.root, path_of(&p.change)) else {
                continue;
            };
            match asked.iter_mut().find(|(other, _)| Arc::ptr_eq(other, root)) {
                Some((_, indices)) => indices.push(n),
                None => asked.push((root, vec![n])),
            }
        }
        for (root, indices) in asked {
            let paths: Vec<RelPath> = indices
                .iter()
                .filter_map(|n| path_of(&batch[*n].change).cloned())
                .collect();
            for (n, look) in indices.into_iter().zip(root.probe().look(root, paths)) {
                looks[n] = look;
            }
        }
        looks
    }

    fn check_all(&self, batch: Vec<Pending>) -> Vec<Pending> {
        let looks = Self::looks(&batch);
        batch
            .into_iter()
            .zip(looks)
            .filter_map(|(p, look)| self.check(p, look))
            .collect()
    }

    /// Only what is still true is written; the rest is looked at again.
    fn check(&self, pending: Pending, look: Look) -> Option<Pending> {
        let Pending {
            change,
            root,
            release,
            ticket,
        } = pending;
        let again = |path: &RelPath| self.again(root.as_ref(), path);
        if look == Look::Away {
            // Another volume's file, perhaps: nothing is said of this one's. All of it is looked at
            // when it is back.
            root.iter().for_each(|root| root.put_off());
        }
        let on_path = root.as_ref().zip(path_of(&change));
        let kind = on_path.map(|(root, path)| root.filter.file_kind(path));
        // What an ignore file leaves out by now has no row.
        let wanted = kind_of(&change);
        let left_out = wanted.is_some() && kind.is_some() && kind != wanted;
        if left_out
            && kind == Some(FileKind::Undecided)
            && let Some((_, path)) = on_path
        {
            again(path);
        }
        let change = match change {
            Change::Indexed {
                place: Some((key, stamp)),
                hash,
                inspection,
                decoder_version,
                results,
            } => {
                let holds = !left_out && still_holds(&stamp, look);
                if !holds {
                    if !left_out && look != Look::Away {
                        again(&key.path);
                    }
                    inspection.as_ref()?;
                }
                // The content is kept even so: it was read, and may lie elsewhere.
                Change::Indexed {
                    place: holds.then_some((key, stamp)),
                    hash,
                    inspection,
                    decoder_version,
                    results,
                }
            }
            _ if left_out => return None,
            Change::Failed { .. }
            | Change::Gone { .. }
            | Change::Missing { .. }
            | Change::Troubled { .. }
            | Change::Found { .. }
            | Change::Sidecar { .. }
            | Change::SidecarGone { .. }
                if look == Look::Away =>
            {
                return None;
            }
            Change::Failed {
                ref key,
                ref stamp,
                hash: Some(_),
                ..
            } if !still_holds(stamp, look) => {
                again(&key.path);
                return None;
            }
            Change::Sidecar {
                ref key, ref stamp, ..
            } if !still_holds(stamp, look) => {
                again(&key.path);
                return None;
            }
            // A folder that could not be walked is no file, and is told of even so.
            Change::Failed {
                ref key,
                hash: None,
                ref failure,
                ..
            } if failure.stage != Stage::Scan && look == Look::Absent => {
                again(&key.path);
                return None;
            }
            // It is a candidate by now.
            Change::Gone {
                ref key,
                excluded: true,
            } if matches!(look, Look::File(_)) && kind == Some(FileKind::Candidate) => {
                again(&key.path);
                return None;
            }
            Change::SidecarGone {
                ref key,
                excluded: true,
            } if matches!(look, Look::File(_)) && kind == Some(FileKind::Sidecar) => {
                again(&key.path);
                return None;
            }
            Change::Gone {
                ref key,
                excluded: false,
            }
            | Change::SidecarGone {
                ref key,
                excluded: false,
            }
            | Change::Missing { ref key }
                if look != Look::Absent =>
            {
                match look {
                    Look::File(_) => again(&key.path),
                    _ => root.iter().for_each(|root| root.put_off()),
                }
                return None;
            }
            other => other,
        };
        Some(Pending {
            change,
            root,
            release,
            ticket,
        })
    }

    /// What was written a moment ago may have become untrue before that: then the event of the
    /// change, or the scan after it, has seen the rows as they were. From here on they see these.
    /// Which of them are as they were written.
    fn look_again(&self, written: &[Pending]) -> Vec<bool> {
        let looks = Self::looks(written);
        let look = |(p, look): (&Pending, Look)| {
            let (Some(root), Some(path)) = (&p.root, path_of(&p.change)) else {
                return true;
            };
            let left_out = |wanted| root.filter.file_kind(path) != wanted;
            let as_written = match (&p.change, look) {
                // Its row is taken out again.
                (change, _) if kind_of(change).is_some_and(left_out) => false,
                (Change::Failed { failure, .. }, Look::Unknown | Look::Silent | Look::Absent)
                    if failure.stage == Stage::Scan =>
                {
                    // A scan that read the rows before this one was written cannot end it.
                    root.wanted.unfinished(path.clone(), true);
                    true
                }
                (_, Look::Silent) => {
                    // Written on trust: all of it is looked at when the disk answers again.
                    root.put_off();
                    true
                }
                (change, Look::Unknown) if was_read(change) => {
                    // No descriptors left, perhaps: it may have gone before its row was written, and
                    // whoever looked at its folder then found nothing to take out.
                    root.wanted
                        .unfinished(path.parent().unwrap_or_default(), false);
                    true
                }
                (_, Look::Unknown | Look::Away) => true,
                (
                    Change::Indexed {
                        place: Some((_, stamp)),
                        ..
                    }
                    | Change::Failed { stamp, .. }
                    | Change::Sidecar { stamp, .. },
                    Look::File(now),
                ) => holds_exactly(stamp, &now),
                (
                    Change::Gone { excluded, .. } | Change::SidecarGone { excluded, .. },
                    Look::File(_),
                ) => *excluded,
                (Change::Missing { .. }, Look::File(_)) => false,
                (Change::Indexed { .. } | Change::Found { .. }, Look::Absent) => false,
                (Change::Failed { .. } | Change::Sidecar { .. }, Look::Absent) => false,
                _ => true,
            };
            if !as_written {
                self.again(Some(root), path);
            }
            as_written
        };
        written.iter().zip(looks).map(look).collect()
    }

    fn again(&self, root: Option<&Arc<RootHandle>>, path: &RelPath) {
        if let Some(root) = root.filter(|root| !root.is_ended()) {
            let job = Job::refresh(root, path.clone(), &self.shared.progress);
            self.later.put(AGAIN, job.live());
        }
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

/// What its path must say of the file that a change makes a row of, if it makes one.
fn kind_of(change: &Change) -> Option<FileKind> {
    let is_of_a_photo = match change {
        Change::Sidecar { .. } => return Some(FileKind::Sidecar),
        Change::Indexed { place, .. } => place.is_some(),
        Change::Failed { failure, .. } => failure.stage != Stage::Scan,
        Change::Troubled { .. } | Change::Found { .. } => true,
        _ => false,
    };
    is_of_a_photo.then_some(FileKind::Candidate)
}

/// True if it makes a row of a file whose bytes were read.
fn was_read(change: &Change) -> bool {
    match change {
        Change::Indexed { place, .. } => place.is_some(),
        Change::Failed { hash, .. } => hash.is_some(),
        Change::Sidecar { .. } => true,
        _ => false,
    }
}

/// The path that a change writes a row of, where that row is to be true of what lies there.
fn path_of(change: &Change) -> Option<&RelPath> {
    let key: &FileKey = match change {
        Change::Indexed { place, .. } => &place.as_ref()?.0,
        Change::Failed { key, .. }
        | Change::Gone { key, .. }
        | Change::Missing { key }
        | Change::Troubled { key, .. }
        | Change::Found { key }
        | Change::Sidecar { key, .. }
        | Change::SidecarGone { key, .. } => key,
        Change::Embedded { .. } | Change::NotEmbedded { .. } | Change::ReadAgain { .. } => {
            return None;
        }
    };
    Some(&key.path)
}

/// True if the file still has the size and time under which it was read, or cannot be asked. If
/// only its inode was touched (a link made, permissions changed) the row is written as what was
/// read, so that it is known to be in need of another look.
fn still_holds(read: &FileStamp, look: Look) -> bool {
    match look {
        Look::Unknown | Look::Silent => true,
        Look::Absent | Look::Away => false,
        Look::File(now) => matches!(read.compare(&now), Verdict::Unchanged | Verdict::Touched),
    }
}

/// True if nothing has happened to the file since it was read.
fn holds_exactly(read: &FileStamp, now: &FileStamp) -> bool {
    match read.compare(now) {
        Verdict::Unchanged => true,
        // Stored without its ctime because it was too fresh to be trusted: the next scan looks.
        Verdict::Touched => read.ctime_ns == 0 && read.inode == now.inode,
        Verdict::Changed | Verdict::Gone => false,
    }
}
