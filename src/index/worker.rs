//! Workers: pre-filter, read, hash, inspect. As many as `--parallel` says.
//!
//! Here is a worker's life, what it shares with all others, and what each kind of job needs of it: room for
//! a file, questions to a disk that may hang, ways to the models and the writer. The jobs are `photos` (a
//! file that may be one) with `content` (bytes that were read), `sidecars`, and `again` (a model that has
//! not seen a photo).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::claims::Claims;
use super::gate::{Flow, Gate};
use super::inflight::InFlight;
use super::job::{Job, Seen, Task, Write};
use super::large::{LargeFiles, SMALL, Taken};
use super::later::Later;
use super::links::LinkNames;
use super::priority;
use super::progress::{Progress, Ticket};
use super::read::{Bytes, read};
use super::roots::{RootHandle, Roots, Visit};
use super::spaces::{LaneId, LaneSpace, LaneTensor, Role, Spaces};
use super::wanted::ScanScope;
use crate::embedding::ModelInput;
use crate::media::Inspects;
use crate::photo::RelPath;
use crate::source::{FileKind, Links};
use crate::store::{Change, StoreError, StoreReader};

/// What all workers share.
pub(super) struct Shared {
    pub progress: Arc<Progress>,
    pub roots: Arc<Roots>,
    pub inflight: Arc<InFlight>,
    pub inspector: Arc<dyn Inspects>,
    /// How much work is let through.
    pub gate: Gate,
    /// What the models want to see, and where their vectors go.
    pub spaces: Spaces,
    /// The same of those that look behind everything else.
    pub closer: Spaces,
    /// Photos on their way to a model that had not seen them.
    pub embedding: Claims,
    /// Names of files that have several.
    pub links: LinkNames,
    /// Large files in memory.
    pub large: Arc<LargeFiles>,
    pub max_file: u64,
    /// One pass and an end: what keeps changing is given up after some tries.
    pub one_pass: bool,
    /// Damage was met in the database.
    pub damaged: AtomicBool,
    pub stop: AtomicBool,
    pub background: bool,
}

impl Shared {
    /// Damage met while reading ends the pipeline: the next start repairs the index.
    pub fn met(&self, e: &StoreError) {
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
    /// To those that look behind everything else.
    pub closer: Sender<Seen>,
    pub write: Sender<Write>,
    pub later: Later,
}

/// A file that keeps changing while it is read is given up after this many tries in a single pass;
/// the next one brings it back. A daemon goes on trying.
const MAX_TRIES: u32 = 7;
/// How long the first such try waits; each later one waits twice as long, up to 2⁶ times.
const FIRST_DELAY_MS: u64 = 300;
const DOUBLED: u32 = 6;

/// One worker's own things.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: StoreReader,
    pub(super) out: Outputs,
    pub(super) buffer: Vec<u8>,
    seat: Arc<Seat>,
}

/// What others see of a worker.
#[derive(Default)]
pub(super) struct Seat {
    /// The root whose disk it is asking.
    asks: Mutex<Option<Arc<RootHandle>>>,
    /// Room for the file that it has.
    taken: Mutex<Option<Taken>>,
    /// Another one has taken its place: it ends with the job it has.
    replaced: AtomicBool,
}

impl Seat {
    /// True if it waits for a disk that hangs.
    pub fn hangs(&self) -> bool {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.as_ref().is_some_and(|root| root.hangs().is_some())
    }

    /// Ends it after its present job.
    pub fn replace(&self) {
        self.replaced.store(true, Ordering::Relaxed);
        self.takes(None);
    }

    fn takes(&self, room: Option<Taken>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    fn asks(&self, root: Option<Arc<RootHandle>>) {
        *self.asks.lock().unwrap_or_else(PoisonError::into_inner) = root;
    }
}

impl Worker {
    pub fn new(shared: Arc<Shared>, reader: StoreReader, out: Outputs, seat: Arc<Seat>) -> Self {
        Self {
            shared,
            reader,
            out,
            buffer: Vec::new(),
            seat,
        }
    }

    /// Works until `quit` is closed or a stop is asked for. Urgent jobs go first.
    pub fn run(mut self, urgent: &Receiver<Job>, backlog: &Receiver<Job>, quit: &Receiver<()>) {
        if self.shared.background {
            priority::lower();
        }
        let mut only_idle = false;
        while !self.shared.stop.load(Ordering::Relaxed)
            && !self.seat.replaced.load(Ordering::Relaxed)
        {
            let (flow, turned) = self.shared.gate.look();
            let nothing = crossbeam_channel::never();
            let urgent = if flow >= Flow::Live { urgent } else { &nothing };
            let backlog = if flow == Flow::Everything {
                backlog
            } else {
                &nothing
            };
            let next = match urgent.try_recv() {
                Ok(job) => Ok(job),
                Err(_) => crossbeam_channel::select! {
                    recv(quit) -> _ => return,
                    recv(turned) -> _ => continue,
                    recv(urgent) -> job => job,
                    recv(backlog) -> job => job,
                },
            };
            let Ok(job) = next else {
                return;
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
            self.let_go();
        }
    }

    /// Waits for room for a file of this size and says how much there is; `None`: the pipeline ends.
    pub(super) fn make_room(&self, size: u64, urgent: bool) -> Option<u64> {
        // One that is not read needs none.
        let size = if size > self.shared.max_file { 0 } else { size };
        self.seat.takes(None);
        self.seat.takes(Some(self.shared.large.take(size, urgent)?));
        Some(size.max(SMALL))
    }

    /// The bytes in the buffer have been looked at; one huge file does not stay in memory.
    pub(super) fn let_go(&mut self) {
        if self.buffer.capacity() as u64 > SMALL {
            self.buffer = Vec::new();
        }
        self.seat.takes(None);
    }

    fn process(&mut self, job: Job) {
        let root = match &job.task {
            Task::Embed(hash) | Task::Closer(hash) => {
                let hash = *hash;
                if let Err(e) = self.embed_again(&hash, job) {
                    tracing::warn!("{e}");
                    self.shared.met(&e);
                }
                return;
            }
            Task::Refresh(root)
            | Task::RefreshLink(root)
            | Task::Whole(root)
            | Task::Facts(root) => Arc::clone(root),
        };
        if root.is_ended() {
            return;
        }
        if root.hangs().is_some() {
            root.put_off();
            return;
        }
        if let Err(e) = self.look_at(&root, job) {
            tracing::warn!("{e}");
            self.shared.met(&e);
            // The file comes back with its folder.
            root.wanted.unfinished(RelPath::root(), false);
        }
    }

    /// Reads a file of a root into the buffer, where there is `room` for so many bytes.
    pub(super) fn fetch(
        &mut self,
        root: &Arc<RootHandle>,
        file: (&RelPath, Links),
        (limit, room): (u64, u64),
    ) -> Bytes {
        let mut buffer = std::mem::take(&mut self.buffer);
        let bytes = self.ask(root, |visit| {
            let goes_on = || visit.goes_on();
            read(&root.path, file, (limit, room), &mut buffer, &goes_on)
        });
        self.buffer = buffer;
        bytes
    }

    /// Asks a root's disk for something, so that others see when it hangs.
    pub(super) fn ask<T>(&self, root: &Arc<RootHandle>, question: impl FnOnce(&Visit) -> T) -> T {
        let visit = root.visit();
        self.seat.asks(Some(Arc::clone(root)));
        let answer = question(&visit);
        self.seat.asks(None);
        answer
    }

    /// What a path says of a file; `None`: that cannot be said, and it is asked again later.
    pub(super) fn decided_kind(&self, root: &Arc<RootHandle>, path: &RelPath) -> Option<FileKind> {
        let kind = root.filter.file_kind(path);
        if kind != FileKind::Undecided {
            return Some(kind);
        }
        // The folder with the unusable ignore file may have left meanwhile.
        let folder = path.parent().unwrap_or_default();
        self.ask(root, |_| root.filter.learn_with_ancestors(&folder));
        let kind = root.filter.file_kind(path);
        if kind == FileKind::Undecided {
            root.wanted.unfinished(folder, true);
            return None;
        }
        Some(kind)
    }

    /// Live photos have a way of their own, past those that wait for a slow model, and so have those for
    /// models that look behind everything else. `false`: the models have ended.
    pub(super) fn to_models(&self, seen: Seen, is_closer: bool) -> bool {
        let way = if is_closer {
            &self.out.closer
        } else if seen.urgent {
            &self.out.embed_urgent
        } else {
            &self.out.embed
        };
        way.send(seen).is_ok()
    }

    /// Looks at it again, later each time.
    pub(super) fn put_off(&self, mut job: Job) {
        job.tries += 1;
        if self.shared.one_pass && job.tries > MAX_TRIES {
            Progress::add(&self.shared.progress.changing, 1);
            return;
        }
        let delay = Duration::from_millis(FIRST_DELAY_MS << job.tries.min(DOUBLED));
        self.out.later.put(delay, job);
    }

    pub(super) fn write(
        &self,
        root: &Arc<RootHandle>,
        change: Change,
        urgent: bool,
        ticket: Ticket,
    ) {
        self.send(Write::Change {
            change,
            root: Some(Arc::clone(root)),
            release: None,
            urgent,
            ticket: Some(ticket),
        });
    }

    /// A change that concerns content, wherever it lies; of several that end one job the last has
    /// its ticket.
    pub(super) fn write_content(&self, change: Change, urgent: bool, ticket: Option<Ticket>) {
        self.send(Write::Change {
            change,
            root: None,
            release: None,
            urgent,
            ticket,
        });
    }

    pub(super) fn send(&self, write: Write) {
        // The writer goes last: this fails only when it has died, and then everything stops.
        let _ = self.out.write.send(write);
    }
}

pub(super) fn in_lanes(lanes: Vec<LaneId>, tensors: Vec<ModelInput>) -> Vec<LaneTensor> {
    lanes
        .into_iter()
        .zip(tensors)
        .map(|(lane, tensor)| LaneTensor { lane, tensor })
        .collect()
}

pub(super) fn is_denied(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}

/// A file that cannot even be asked for lies in a folder that may not be entered: that is the folder's
/// trouble, and its scan says so or finds it mended.
pub(super) fn look_at_folder(root: &RootHandle, path: &RelPath) {
    let folder = path.parent().unwrap_or_default();
    root.wanted.scan(ScanScope::folder(folder));
}
