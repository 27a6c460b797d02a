//! Workers: pre-filter, read, hash, inspect. As many as `--parallel` says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender};

use super::claims::Claims;
use super::gate::{Flow, Gate};
use super::inflight::{Claim, InFlight};
use super::job::{FilePlace, Job, Seen, Task, Write};
use super::large::{LargeFiles, SMALL, Taken};
use super::later::Later;
use super::links::LinkNames;
use super::progress::{Progress, Ticket};
use super::read::{Bytes, read, trusted};
use super::roots::{RootHandle, Roots, Visit};
use super::spaces::{LaneId, LaneSpace, LaneTensor, Role, Spaces};
use super::wanted::ScanScope;
use super::{failing, prefilter, priority};
use crate::embedding::{InputSpec, ModelInput};
use crate::looks::Signs;
use crate::media::{DECODER_VERSION, Extent, Inspects};
use crate::photo::{ContentHash, FileStamp, Inspection, RelPath, Verdict};
use crate::sidecar::SidecarKind;
use crate::source::{FileKind, LinkTarget, is_passing, stamp_beneath};
use crate::store::{Change, Failure, FileRow, Known, StoreError, StoreReader};

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
    out: Outputs,
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

    fn look_at(&mut self, root: &Arc<RootHandle>, job: Job) -> Result<(), StoreError> {
        let path = &job.key.path;
        if let Some(kind) = SidecarKind::of(path.name()) {
            return self.look_at_sidecar(root, job, kind);
        }
        Progress::add(&self.shared.progress.seen, 1);
        let row = self.reader.file(&job.key)?;
        let Some(kind) = self.decided_kind(root, path) else {
            return Ok(());
        };
        if kind != FileKind::Candidate {
            // Left out since it was indexed, or never a photo.
            if row.is_some() && kind != FileKind::Temporary {
                self.gone(root, job, true);
            }
            return Ok(());
        }
        let stamp = match self.ask(root, |_| stamp_at(root, path)) {
            Ok(stamp) => stamp,
            Err(error) if is_denied(&error) => {
                look_at_folder(root, path);
                return Ok(());
            }
            Err(error) => {
                self.unreadable(root, job, row.as_ref(), FileStamp::default(), &error);
                return Ok(());
            }
        };
        match prefilter::verdict(row.as_ref(), stamp.as_ref(), DECODER_VERSION) {
            Verdict::Gone => {
                let was_folder = row.as_ref().is_some_and(|row| row.is_folder);
                if was_folder || row.is_none() && self.reader.has_files_below(root.id, path)? {
                    // What was known below it is looked at.
                    root.wanted.scan(ScanScope::folder(path.clone()));
                }
                if was_folder {
                    // That scan sees whether the folder's own row is still true.
                    return Ok(());
                }
                // Even without a row: one may be on its way to the writer.
                self.gone(root, job, false);
            }
            Verdict::Unchanged if matches!(job.task, Task::Whole(_) | Task::Facts(_)) => {
                self.read(root, job, row.as_ref(), stamp.unwrap_or_default())?;
            }
            Verdict::Unchanged => {
                Progress::add(&self.shared.progress.unchanged, 1);
                if row.is_some_and(|r| r.is_in_doubt()) {
                    self.write(root, Change::Found { key: job.key }, job.urgent, job.ticket);
                }
            }
            Verdict::Changed | Verdict::Touched => {
                self.read(root, job, row.as_ref(), stamp.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// What was written under one name has changed under all names of the file.
    fn look_at_links(
        &self,
        root: &Arc<RootHandle>,
        job: &Job,
        hash: &ContentHash,
        now: FileStamp,
    ) -> Result<(), StoreError> {
        let path = &job.key.path;
        let mut links = self.shared.links.outdated_by(root.id, path, now);
        links.extend(self.reader.links_of(&job.key, &now, hash)?);
        links.sort_unstable();
        links.dedup();
        for link in links {
            let mut link = Job::refresh(root, link, &self.shared.progress);
            link.task = Task::RefreshLink(Arc::clone(root));
            if job.urgent {
                link = link.live();
            }
            self.out.later.put(Duration::ZERO, link);
        }
        Ok(())
    }

    fn read(
        &mut self,
        root: &Arc<RootHandle>,
        job: Job,
        row: Option<&FileRow>,
        before: FileStamp,
    ) -> Result<(), StoreError> {
        let Some(room) = self.make_room(before.size, job.urgent) else {
            return Ok(());
        };
        Progress::add(&self.shared.progress.opened, 1);
        let mut buffer = std::mem::take(&mut self.buffer);
        let (path, bounds) = (&job.key.path, (self.shared.max_file, room));
        let bytes = self.ask(root, |visit| {
            let path = (path, root.filter.links());
            read(&root.path, path, bounds, &mut buffer, &|| visit.goes_on())
        });
        self.buffer = buffer;
        match bytes {
            Bytes::Read {
                stamp,
                hash,
                found,
                linked,
            } => {
                Progress::add(&self.shared.progress.bytes, stamp.size);
                if linked && matches!(job.task, Task::Refresh(_)) {
                    self.look_at_links(root, &job, &hash, found)?;
                    let known = || self.known(&hash, Extent::Quick);
                    if row.is_none() && job.urgent && known()?.is_none() {
                        // A new name of a file that may have been indexed under another one, and was
                        // written to since: which one that is, only a look at all of them tells.
                        root.wanted.unfinished(RelPath::root(), false);
                    }
                }
                self.identify(root, job, stamp, hash)?;
            }
            Bytes::Changing => self.put_off(job),
            Bytes::TooLarge { stamp, limit } => {
                let failure = failing::too_large(stamp.size, limit);
                self.fail(root, job, stamp, failure);
            }
            Bytes::Gone => self.gone(root, job, false),
            Bytes::Unreadable { error } => {
                let stamp = self.ask(root, |_| stamp_at(root, &job.key.path));
                if matches!(&stamp, Err(e) if is_denied(e)) {
                    look_at_folder(root, &job.key.path);
                } else {
                    // From before it was tried: if that has been mended since, the stamp is another.
                    let stamp = trusted(before, SystemTime::now());
                    self.unreadable(root, job, row, stamp, &error);
                }
            }
        }
        Ok(())
    }

    /// The bytes are in the buffer: known content ends here, new content is inspected.
    fn identify(
        &mut self,
        root: &Arc<RootHandle>,
        job: Job,
        stamp: FileStamp,
        hash: ContentHash,
    ) -> Result<(), StoreError> {
        let Job {
            key,
            urgent,
            ticket,
            tries,
            task,
        } = job;
        let look = match task {
            Task::Whole(_) => Extent::Whole,
            Task::Facts(_) => Extent::Facts,
            _ => Extent::Quick,
        };
        let place = FilePlace {
            root: Arc::clone(root),
            key,
            stamp,
            ticket,
        };
        let place = match self.shared.inflight.claim(hash, place) {
            Claim::Mine(place) => place,
            Claim::Waits => return Ok(()),
        };
        let known = match self.known(&hash, look) {
            Ok(known) => known,
            Err(e) => {
                drop(self.shared.inflight.release(&hash));
                return Err(e);
            }
        };
        let change = match known {
            Some(Known::Complete | Known::WithoutEmbedding) if look == Extent::Facts => {
                self.read_again(place, hash, urgent);
                return Ok(());
            }
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
                self.inspect(place, hash, look, (urgent, tries));
                return Ok(());
            }
        };
        self.send(Write::Change {
            change,
            root: Some(place.root),
            release: Some(hash),
            urgent,
            ticket: Some(place.ticket),
        });
        Ok(())
    }

    /// Known content, for what is said of it.
    fn read_again(&mut self, place: FilePlace, hash: ContentHash, urgent: bool) {
        let extension = place.key.path.extension();
        let extension = extension.as_deref();
        // What tells its kind is in its pixels too; a small picture of it will do.
        let seen = self
            .shared
            .inspector
            .look(&self.buffer, extension, &[], Extent::Quick);
        // A passing trouble: it is found again by the next look at the index.
        let change = match seen {
            Err(e) if e.is_passing => Change::known(place.key, place.stamp, hash),
            seen => Change::ReadAgain {
                hash,
                inspection: seen.ok().map(|mut inspection| {
                    add_name(&mut inspection, &place.key.path);
                    Box::new(inspection)
                }),
            },
        };
        self.send(Write::Change {
            change,
            root: None,
            release: Some(hash),
            urgent,
            ticket: Some(place.ticket),
        });
    }

    /// What is known of some content; of one that is to be seen whole and was not, nothing.
    fn known(&self, hash: &ContentHash, look: Extent) -> Result<Option<Known>, StoreError> {
        if look == Extent::Whole && self.reader.is_preview(hash)? {
            return Ok(None);
        }
        self.reader.known(hash, &[], DECODER_VERSION)
    }

    fn inspect(
        &mut self,
        place: FilePlace,
        hash: ContentHash,
        look: Extent,
        (urgent, tries): (bool, u32),
    ) {
        let table = self.shared.spaces.get();
        let (lanes, inputs): (Vec<LaneId>, Vec<InputSpec>) = table
            .seeing()
            .map(|(space, input)| (space.lane, input.clone()))
            .unzip();
        let extension = place.key.path.extension();
        let result = self
            .shared
            .inspector
            .look(&self.buffer, extension.as_deref(), &inputs, look);
        self.let_go();
        Progress::add(&self.shared.progress.inspected, 1);
        match result {
            Ok(mut inspection) => {
                add_name(&mut inspection, &place.key.path);
                let tensors = std::mem::take(&mut inspection.tensors);
                let seen = Seen {
                    hash,
                    place: Some(place),
                    inspection: Some(Box::new(inspection)),
                    tensors: in_lanes(lanes, tensors),
                    looks: None,
                    known: Vec::new(),
                    urgent,
                    ticket: None,
                };
                if !self.to_models(seen, false) {
                    drop(self.shared.inflight.release(&hash));
                }
            }
            Err(e) if e.is_passing => {
                tracing::debug!("{}: {e}", place.key.path);
                // Whoever waits for the same content tries for himself.
                let waiting = self.shared.inflight.release(&hash);
                for place in std::iter::once(place).chain(waiting) {
                    let root = place.root;
                    self.put_off(Job {
                        task: match look {
                            Extent::Whole => Task::Whole(root),
                            Extent::Quick | Extent::Small | Extent::Facts => Task::Refresh(root),
                        },
                        key: place.key,
                        urgent,
                        tries,
                        ticket: place.ticket,
                    });
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
                    root: Some(place.root),
                    release: Some(hash),
                    urgent,
                    ticket: Some(place.ticket),
                });
            }
        }
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

    /// Nothing lies there, or it is left out by now. The writer makes sure of that.
    fn gone(&self, root: &Arc<RootHandle>, job: Job, excluded: bool) {
        let change = Change::Gone {
            key: job.key,
            excluded,
        };
        self.write(root, change, job.urgent, job.ticket);
    }

    fn unreadable(
        &self,
        root: &Arc<RootHandle>,
        job: Job,
        row: Option<&FileRow>,
        stamp: FileStamp,
        error: &std::io::Error,
    ) {
        if is_passing(error) {
            tracing::debug!("{}: {error}", job.key.path);
            self.put_off(job);
            return;
        }
        let failure = failing::unreadable(error);
        if is_denied(error) {
            self.fail(root, job, stamp, failure);
            return;
        }
        // An I/O error is the disk's, not the file's: it is tried again before long.
        let folder = job.key.path.parent().unwrap_or_default();
        root.wanted.unfinished(folder, true);
        if row.is_some() {
            // It says nothing of the photo either: what is known of it stays.
            let change = Change::Troubled {
                key: job.key,
                failure,
            };
            self.write(root, change, job.urgent, job.ticket);
        } else {
            let stamp = FileStamp {
                ctime_ns: 0,
                ..stamp
            };
            self.fail(root, job, stamp, failure);
        }
    }

    fn fail(&self, root: &Arc<RootHandle>, job: Job, stamp: FileStamp, failure: Failure) {
        let change = Change::Failed {
            key: job.key,
            stamp,
            hash: None,
            failure,
        };
        self.write(root, change, job.urgent, job.ticket);
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

    fn send(&self, write: Write) {
        // The writer goes last: this fails only when it has died, and then everything stops.
        let _ = self.out.write.send(write);
    }
}

/// The stamp of a file, which a link may lead to, if it is to be taken there.
fn stamp_at(root: &RootHandle, path: &RelPath) -> std::io::Result<Option<FileStamp>> {
    let links = root.filter.links();
    match root.filter.link_target(path) {
        Some(LinkTarget::File(target, _)) if root.filter.takes_link(path, &target) => {}
        Some(_) => return Ok(None),
        None => {}
    }
    stamp_beneath(&root.path, path, links)
}

pub(super) fn in_lanes(lanes: Vec<LaneId>, tensors: Vec<ModelInput>) -> Vec<LaneTensor> {
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

pub(super) fn is_denied(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}

/// A file that cannot even be asked for lies in a folder that may not be entered: that is the folder's
/// trouble, and its scan says so or finds it mended.
pub(super) fn look_at_folder(root: &RootHandle, path: &RelPath) {
    let folder = path.parent().unwrap_or_default();
    root.wanted.scan(ScanScope::folder(folder));
}

/// A picture's kind may stand in its name, at the place where it was read.
fn add_name(inspection: &mut Inspection, path: &RelPath) {
    let signs = &mut inspection.looks.signs;
    *signs = signs.with(Signs::of_name(path.name()), true);
}
