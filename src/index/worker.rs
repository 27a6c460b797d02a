//! Workers: pre-filter, read, hash, inspect. As many as `--parallel` says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::claims::Claims;
use super::inflight::{Claim, InFlight};
use super::job::{FilePlace, Job, Seen, Task, Write};
use super::progress::Progress;
use super::read::{Bytes, read};
use super::roots::{RootHandle, Roots};
use super::spaces::{LaneId, LaneSpace, LaneTensor, Role, Spaces};
use super::{failing, prefilter, priority};
use crate::embedding::{InputSpec, Tensor};
use crate::media::{DECODER_VERSION, Inspector};
use crate::photo::{ContentHash, FileStamp, Verdict};
use crate::source::{FileKind, stamp_beneath};
use crate::store::{Change, Failure, FileKey, FileRow, Known, StoreReader};

/// What all workers share.
pub(super) struct Shared {
    pub progress: Arc<Progress>,
    pub roots: Arc<Roots>,
    pub inflight: Arc<InFlight>,
    pub inspector: Inspector,
    /// What the models want to see, and where their vectors go.
    pub spaces: Spaces,
    /// Photos on their way to a model that had not seen them.
    pub embedding: Claims,
    pub max_file: u64,
    /// Damage was met in the database.
    pub damaged: AtomicBool,
    pub stop: AtomicBool,
    pub background: bool,
}

impl Shared {
    /// Damage met while reading ends the pipeline: the next start repairs the index.
    pub fn met(&self, e: &crate::store::StoreError) {
        if e.is_corruption() {
            self.damaged.store(true, Ordering::Relaxed);
            self.progress.dead.store(true, Ordering::Relaxed);
            self.progress.turn();
        }
    }
}

/// Where a worker's results go.
#[derive(Clone)]
pub(super) struct Outputs {
    pub embed: Sender<Seen>,
    /// The same for live photos.
    pub embed_urgent: Sender<Seen>,
    pub write: Sender<Write>,
    pub later: Sender<(Instant, Job)>,
}

/// A file that keeps changing while it is read is given up after this many tries; its next event
/// or scan brings it back.
const MAX_TRIES: u32 = 7;

/// One worker's own things.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: StoreReader,
    out: Outputs,
    pub(super) buffer: Vec<u8>,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, reader: StoreReader, out: Outputs) -> Self {
        Self {
            shared,
            reader,
            out,
            buffer: Vec::new(),
        }
    }

    /// Works until both channels are closed or a stop is asked for. Urgent jobs go first.
    pub fn run(mut self, urgent: &Receiver<Job>, backlog: &Receiver<Job>) {
        if self.shared.background {
            priority::lower();
        }
        let mut only_idle = false;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let job = match urgent.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => match backlog.recv_timeout(POLL_STOP) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                Err(TryRecvError::Empty) => {
                    crossbeam_channel::select! {
                        recv(urgent) -> job => match job { Ok(job) => job, Err(_) => continue },
                        recv(backlog) -> job => match job { Ok(job) => job, Err(_) => return },
                    }
                }
            };
            let large = self.shared.spaces.get();
            let large = large
                .with_role(Role::Search)
                .is_some_and(LaneSpace::is_ready);
            let behind = large && !job.urgent;
            if behind != only_idle {
                priority::only_idle(behind);
                only_idle = behind;
            }
            self.process(job);
        }
    }

    fn process(&mut self, job: Job) {
        if let Task::Embed(hash) = job.task {
            if let Err(e) = self.embed_again(&hash, job) {
                tracing::warn!("{e}");
                self.shared.met(&e);
            }
            return;
        }
        let Some(root) = self.shared.roots.get(job.key.root) else {
            return;
        };
        if let Err(e) = self.look_at(&root, job) {
            // This file comes back with the next scan.
            tracing::warn!("{e}");
            self.shared.met(&e);
        }
    }

    fn look_at(&mut self, root: &RootHandle, job: Job) -> Result<(), crate::store::StoreError> {
        Progress::add(&self.shared.progress.seen, 1);
        let path = &job.key.path;
        let row = self.reader.file(&job.key)?;
        let kind = root.filter.file_kind(path);
        if kind != FileKind::Candidate {
            // Left out since it was indexed, or never a photo.
            if row.is_some() && kind != FileKind::Temporary {
                self.write(
                    Change::Gone {
                        key: job.key,
                        excluded: true,
                    },
                    job.urgent,
                    job.ticket,
                );
            }
            return Ok(());
        }
        let stamp = match stamp_beneath(&root.path, path) {
            Ok(stamp) => stamp,
            Err(error) => {
                self.unreadable(job, row.as_ref(), FileStamp::default(), &error);
                return Ok(());
            }
        };
        match prefilter::verdict(row.as_ref(), stamp.as_ref(), DECODER_VERSION) {
            Verdict::Gone => {
                if row.is_none() {
                    self.rows_below(root, &job)?;
                }
                // Even without a row: one may be on its way to the writer.
                self.gone(root, job);
            }
            Verdict::Unchanged => {
                Progress::add(&self.shared.progress.unchanged, 1);
                if row.is_some_and(|r| r.missing) {
                    self.write(Change::Found { key: job.key }, job.urgent, job.ticket);
                }
            }
            Verdict::Touched | Verdict::Changed => self.read(root, job, row.as_ref())?,
        }
        Ok(())
    }

    /// A path without a row may have been a folder: whatever was known below it is looked at.
    fn rows_below(&self, root: &RootHandle, job: &Job) -> Result<(), crate::store::StoreError> {
        let mut after = None;
        loop {
            let page = self
                .reader
                .files_page(root.id, &job.key.path, after.as_ref(), 512)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.path.clone());
            for row in page {
                let job = Job {
                    key: FileKey {
                        root: root.id,
                        path: row.path,
                    },
                    task: Task::Refresh,
                    urgent: true,
                    tries: 0,
                    ticket: self.shared.progress.ticket(),
                };
                let _ = self.out.later.send((Instant::now(), job));
            }
        }
    }

    fn read(
        &mut self,
        root: &RootHandle,
        job: Job,
        row: Option<&FileRow>,
    ) -> Result<(), crate::store::StoreError> {
        Progress::add(&self.shared.progress.opened, 1);
        match read(
            &root.path,
            &job.key.path,
            self.shared.max_file,
            &mut self.buffer,
        ) {
            Bytes::Read { stamp, hash } => {
                Progress::add(&self.shared.progress.bytes, stamp.size);
                self.identify(job, stamp, hash)
            }
            Bytes::Changing => {
                self.put_off(job);
                Ok(())
            }
            Bytes::TooLarge { stamp, limit } => {
                let failure = failing::too_large(stamp.size, limit);
                self.fail(job, stamp, None, failure);
                Ok(())
            }
            // The worker that comes with the deletion's own event settles it.
            Bytes::Gone => {
                self.gone(root, job);
                Ok(())
            }
            Bytes::Unreadable { error } => {
                let stamp = stamp_beneath(&root.path, &job.key.path).ok().flatten();
                self.unreadable(job, row, stamp.unwrap_or_default(), &error);
                Ok(())
            }
        }
    }

    /// The bytes are in the buffer: known content ends here, new content is inspected.
    fn identify(
        &mut self,
        job: Job,
        stamp: FileStamp,
        hash: ContentHash,
    ) -> Result<(), crate::store::StoreError> {
        let Job {
            key,
            urgent,
            ticket,
            ..
        } = job;
        let place = match self
            .shared
            .inflight
            .claim(hash, FilePlace { key, stamp, ticket })
        {
            Claim::Mine(place) => place,
            Claim::Waits => return Ok(()),
        };
        let known = match self.reader.known(&hash, &[], DECODER_VERSION) {
            Ok(known) => known,
            Err(e) => {
                drop(self.shared.inflight.release(&hash));
                return Err(e);
            }
        };
        let change = match known {
            Some(Known::Complete | Known::WithoutEmbedding) => {
                Progress::add(&self.shared.progress.deduplicated, 1);
                Change::known(place.key, place.stamp, hash)
            }
            Some(Known::Failed(failure)) if !by_name(&failure) => Change::Failed {
                key: place.key,
                stamp: place.stamp,
                hash: Some(hash),
                failure,
            },
            Some(Known::Failed(_)) | None => {
                self.inspect(place, hash, urgent);
                return Ok(());
            }
        };
        self.send(Write::Change {
            change,
            release: Some(hash),
            urgent,
            ticket: Some(place.ticket),
        });
        Ok(())
    }

    fn inspect(&mut self, place: FilePlace, hash: ContentHash, urgent: bool) {
        let table = self.shared.spaces.get();
        let (lanes, inputs): (Vec<LaneId>, Vec<InputSpec>) = table
            .seeing()
            .map(|(space, input)| (space.lane, input.clone()))
            .unzip();
        let extension = place.key.path.extension();
        let result = self
            .shared
            .inspector
            .inspect(&self.buffer, extension.as_deref(), &inputs);
        Progress::add(&self.shared.progress.inspected, 1);
        match result {
            Ok(mut inspection) => {
                let tensors = std::mem::take(&mut inspection.tensors);
                let seen = Seen {
                    hash,
                    place: Some(place),
                    inspection: Some(Box::new(inspection)),
                    tensors: in_lanes(lanes, tensors),
                    urgent,
                    ticket: None,
                };
                if !self.to_embed(seen) {
                    drop(self.shared.inflight.release(&hash));
                }
            }
            Err(e) => {
                self.send(Write::Change {
                    change: Change::Failed {
                        key: place.key,
                        stamp: place.stamp,
                        hash: Some(hash),
                        failure: failing::undecodable(&e),
                    },
                    release: Some(hash),
                    urgent,
                    ticket: Some(place.ticket),
                });
            }
        }
    }

    /// Live photos have a way of their own, past those that wait for a slow model. `false`: the
    /// models have ended.
    pub(super) fn to_embed(&self, seen: Seen) -> bool {
        let way = if seen.urgent {
            &self.out.embed_urgent
        } else {
            &self.out.embed
        };
        way.send(seen).is_ok()
    }

    pub(super) fn put_off(&self, mut job: Job) {
        job.tries += 1;
        if job.tries > MAX_TRIES {
            Progress::add(&self.shared.progress.changing, 1);
            return;
        }
        let delay = Duration::from_millis(300 << job.tries.min(5));
        let _ = self.out.later.send((Instant::now() + delay, job));
    }

    /// Nothing lies there, and not because its volume is away.
    fn gone(&self, root: &RootHandle, job: Job) {
        if root.is_present() {
            let change = Change::Gone {
                key: job.key,
                excluded: false,
            };
            self.write(change, job.urgent, job.ticket);
        }
    }

    fn unreadable(
        &self,
        job: Job,
        row: Option<&FileRow>,
        stamp: FileStamp,
        error: &std::io::Error,
    ) {
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        if !denied && row.is_some() {
            // A failing disk says nothing of the photo: what is known of it stays.
            tracing::warn!("{}: {error}; its row stays as it was", job.key.path);
            return;
        }
        let failure = failing::unreadable(error);
        // An I/O error is the disk's, not the file's: with no stamp the next scan tries again.
        let stamp = if denied {
            stamp
        } else {
            FileStamp {
                ctime_ns: 0,
                ..stamp
            }
        };
        self.fail(job, stamp, None, failure);
    }

    fn fail(&self, job: Job, stamp: FileStamp, hash: Option<ContentHash>, failure: Failure) {
        let change = Change::Failed {
            key: job.key,
            stamp,
            hash,
            failure,
        };
        self.write(change, job.urgent, job.ticket);
    }

    pub(super) fn write(&self, change: Change, urgent: bool, ticket: super::progress::Ticket) {
        self.write_with(change, urgent, Some(ticket));
    }

    /// A change of several that end one job: the last has its ticket.
    pub(super) fn write_with(
        &self,
        change: Change,
        urgent: bool,
        ticket: Option<super::progress::Ticket>,
    ) {
        self.send(Write::Change {
            change,
            release: None,
            urgent,
            ticket,
        });
    }

    fn send(&self, write: Write) {
        // The writer goes last: this fails only when it has died, and then everything stops.
        let _ = self.out.write.send(write);
    }
}

pub(super) fn in_lanes(lanes: Vec<LaneId>, tensors: Vec<Tensor>) -> Vec<LaneTensor> {
    lanes
        .into_iter()
        .zip(tensors)
        .map(|(lane, tensor)| LaneTensor { lane, tensor })
        .collect()
}

/// A verdict that came from the name as well as from the bytes: another name may mean another one.
fn by_name(failure: &Failure) -> bool {
    matches!(failure.kind.as_str(), "not-an-image" | "unsupported")
}

/// How often a waiting worker looks whether it should stop.
const POLL_STOP: Duration = Duration::from_millis(200);
