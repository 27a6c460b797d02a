//! Scans: a walk of the folders merged with the rows of the database, both in path order.
//!
//! Nothing is opened and no row is looked up by itself: a hundred thousand unchanged files cost
//! one walk and one ordered read. Rows without a file are not deleted here; they are looked at
//! again by a worker, and in a mass disappearance they are held for a person to confirm.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender};
use serde::{Deserialize, Serialize};

use super::job::{Job, Write};
use super::known_rows::KnownRows;
use super::progress::Progress;
use super::roots::{RootHandle, Visit};
use super::wanted::ScanScope;
use super::worker::Shared;
use super::{failing, prefilter, sidecars};
use crate::media::DECODER_VERSION;
use crate::photo::{FileStamp, RelPath, Verdict};
use crate::source::{
    FileKind, LinkTarget, RuleCounts, WalkError, WalkEvent, WalkSummary, is_passing, walk,
};
use crate::store::{Change, FileKey, FileRow, SidecarRow, StoreError, StoreReader};

/// Arms a watch on a directory before its entries are read.
pub trait ArmDirectory: Send + Sync {
    /// Called for each directory that could not be read for want of permission. True if it can be by
    /// now.
    fn refused(&self, root: i64, dir: &RelPath) -> bool;

    /// Called for each directory of a scan, parents first. False if it could not be watched though it
    /// is there: what happens in it from now on may go unnoticed, so it is to be scanned again.
    fn arm(&self, root: i64, dir: &RelPath) -> bool;
}

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanOutcome {
    /// Candidate files seen.
    pub files: u64,
    /// Of those, new or changed.
    pub changed: u64,
    /// Rows without a file.
    pub gone: u64,
    /// Rows held in a mass disappearance.
    pub held: u64,
    /// What was passed over.
    pub skipped: Skipped,
    /// Directories that could not be read, and files that could not be asked for: they are wanted
    /// again.
    pub unreadable: u64,
    /// False if a stop came first, or the root could not be read at all.
    pub complete: bool,
}

/// What a scan passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Skipped {
    /// Files that are no photos by their name.
    pub other: u64,
    /// Files and folders that rules leave out.
    pub excluded: u64,
    /// The same by rule.
    pub rules: RuleCounts,
    /// Files that are not finished yet, by their name (downloads, synchronisation).
    pub temporary: u64,
    /// Symbolic links with a name that a photo or a folder may have.
    pub links: u64,
    /// Links, and FIFOs, sockets and devices with such a name.
    pub special: u64,
}

impl Skipped {
    fn of(walked: &WalkSummary) -> Self {
        Self {
            other: walked.other,
            excluded: walked.excluded.total(),
            rules: walked.excluded,
            temporary: walked.temporary,
            links: walked.links,
            special: walked.links + walked.special,
        }
    }

    /// As it is stored.
    pub fn to_json(self) -> String {
        serde_json::to_string(&self).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// More rows than this, and more than a fifth of the root's, gone at once: held, not deleted.
const MASS_COUNT: u64 = 100;
const MASS_SHARE: u64 = 5;
/// From this many on, a root with nothing left in it is held too: an empty folder may be put where
/// the photos were.
const EMPTIED_COUNT: u64 = 10;

pub(super) struct Scanner {
    pub shared: Arc<Shared>,
    pub reader: StoreReader,
    pub backlog: Sender<Job>,
    pub urgent: Sender<Job>,
    pub write: Sender<Write>,
}

impl Scanner {
    /// Walks `scope` and queues what differs from the index.
    pub fn scan(
        &self,
        root: &Arc<RootHandle>,
        scope: &ScanScope,
        arm: Option<&dyn ArmDirectory>,
    ) -> Result<ScanOutcome, StoreError> {
        let _scanning = root.wanted.scanning();
        let begun = Instant::now();
        let visit = root.visit();
        let stopped = || self.shared.stop.load(Ordering::Relaxed) || root.is_ended();
        let mut run = Run {
            scanner: self,
            root,
            scope,
            known: KnownRows::new(&self.reader, root.id, scope.dir.clone()),
            sidecars: KnownRows::new(&self.reader, root.id, scope.dir.clone()),
            outcome: ScanOutcome::default(),
            gone: Vec::new(),
            sidecars_gone: Vec::new(),
            unreadable: Vec::new(),
            links: Vec::new(),
            linked_files: Vec::new(),
            failed: None,
        };
        let walked = walk(&root.path, &scope.dir, &root.filter, &mut |event| {
            if stopped() {
                return ControlFlow::Break(());
            }
            let handled = run.on(&event, arm, &visit);
            visit.goes_on();
            match handled {
                Ok(()) => ControlFlow::Continue(()),
                Err(e) => {
                    run.failed = Some(e);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(e) = run.failed.take() {
            return Err(e);
        }
        drop(visit);
        match walked {
            Ok(summary) => run.outcome.skipped = Skipped::of(&summary),
            // The directory has left meanwhile: its rows are looked at one by one.
            Err(e @ WalkError::StartGone { .. }) => tracing::debug!("{e}"),
            Err(e) => {
                // The root itself is not there or cannot be read: nothing can be said of its files.
                tracing::warn!("{e}");
                root.wanted.unfinished(RelPath::root(), false);
                return Ok(run.outcome);
            }
        }
        if stopped() {
            return Ok(run.outcome);
        }
        let outcome = run.finish()?;
        root.wanted.finished(&scope.dir, begun);
        Ok(outcome)
    }
}

/// Queues a job. A full queue is waited for, this is what bounds the memory, but not past a stop.
/// False: a stop came first, or nobody works any more.
pub(super) fn enqueue(
    queue: &Sender<Job>,
    mut job: Job,
    stop: &AtomicBool,
    goes_on: &dyn Fn(),
) -> bool {
    loop {
        match queue.send_timeout(job, Duration::from_millis(200)) {
            Ok(()) => return true,
            Err(SendTimeoutError::Disconnected(_)) => return false,
            Err(SendTimeoutError::Timeout(back)) => job = back,
        }
        if stop.load(Ordering::Relaxed) || job.is_stale() {
            return false;
        }
        goes_on();
    }
}

struct Run<'a> {
    scanner: &'a Scanner,
    root: &'a Arc<RootHandle>,
    scope: &'a ScanScope,
    known: KnownRows<'a, FileRow>,
    sidecars: KnownRows<'a, SidecarRow>,
    outcome: ScanOutcome,
    gone: Vec<FileRow>,
    sidecars_gone: Vec<SidecarRow>,
    unreadable: Vec<RelPath>,
    /// Links that were met, where they are followed.
    links: Vec<(RelPath, LinkTarget)>,
    /// Of those, the ones to files that are to be taken, unless another link leads to their folder.
    linked_files: Vec<LinkedFile>,
    failed: Option<StoreError>,
}

/// A link to a file.
struct LinkedFile {
    path: RelPath,
    target: PathBuf,
    stamp: FileStamp,
    row: Option<FileRow>,
}

impl Run<'_> {
    fn on(
        &mut self,
        event: &WalkEvent<'_>,
        arm: Option<&dyn ArmDirectory>,
        visit: &Visit,
    ) -> Result<(), StoreError> {
        match event {
            WalkEvent::Dir { path } => {
                if arm.is_some_and(|arm| !arm.arm(self.root.id, path)) {
                    self.root.wanted.unfinished((*path).clone(), true);
                }
            }
            WalkEvent::File { path, stamp } => {
                let row = self.known.take(path, &mut self.gone)?;
                self.file(path, stamp, row.as_ref(), &|| visit.goes_on());
            }
            WalkEvent::Unreadable {
                path,
                is_dir,
                error,
            } => {
                self.unreadable.push((*path).clone());
                self.outcome.unreadable += 1;
                let passing = is_passing(error);
                if *is_dir {
                    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
                    let mended = denied && arm.is_some_and(|arm| arm.refused(self.root.id, path));
                    let at_fault = !passing && !mended;
                    self.root.wanted.unfinished((*path).clone(), at_fault);
                    if at_fault {
                        self.folder_unreadable(path, error);
                    }
                } else if passing {
                    let folder = path.parent().unwrap_or_default();
                    self.root.wanted.unfinished(folder, false);
                } else {
                    // The worker records why it cannot be read.
                    self.queue((*path).clone(), &|| visit.goes_on());
                }
            }
            WalkEvent::Sidecar { path, stamp } => {
                let row = self.sidecars.take(path, &mut self.sidecars_gone)?;
                if !sidecars::is_known(row.as_ref(), stamp) {
                    self.queue((*path).clone(), &|| visit.goes_on());
                }
            }
            WalkEvent::Link { path } => self.link(path)?,
            WalkEvent::Special { .. } => {}
        }
        Ok(())
    }

    /// Compares a file with its row.
    fn file(
        &mut self,
        path: &RelPath,
        stamp: &FileStamp,
        row: Option<&FileRow>,
        goes_on: &dyn Fn(),
    ) {
        self.outcome.files += 1;
        Progress::add(&self.scanner.shared.progress.seen, 1);
        match prefilter::verdict(row, Some(stamp), DECODER_VERSION) {
            Verdict::Unchanged if row.is_none_or(|r| !r.is_in_doubt()) => {
                Progress::add(&self.scanner.shared.progress.unchanged, 1);
            }
            _ => {
                self.outcome.changed += 1;
                self.queue(path.clone(), goes_on);
            }
        }
    }

    fn link(&mut self, path: &RelPath) -> Result<(), StoreError> {
        let filter = &self.root.filter;
        let Some(target) = filter.link_target(path) else {
            return Ok(());
        };
        if let LinkTarget::File(target, stamp) = &target
            && filter.takes_link(path, target)
        {
            let row = self.known.take(path, &mut self.gone)?;
            self.linked_files.push(LinkedFile {
                path: path.clone(),
                target: target.clone(),
                stamp: *stamp,
                row,
            });
        }
        self.links.push((path.clone(), target));
        Ok(())
    }

    /// Now that all links are known: a file in a folder that a link leads to is found there.
    fn follow_links(&mut self) {
        let links = std::mem::take(&mut self.links);
        let folder = |(_, target): &(RelPath, LinkTarget)| match target {
            LinkTarget::Folder(folder) => Some(folder.clone()),
            LinkTarget::File(..) | LinkTarget::Nowhere => None,
        };
        // One around this root is no way to anything: it is not followed.
        let folders = links.iter().filter_map(folder);
        let folders: Vec<PathBuf> = folders
            .filter(|folder| !self.root.path.starts_with(folder))
            .collect();
        let mut followed = folders.len() as u64;
        if self.root.filter.found_links(&self.scope.dir, links) {
            self.scanner.shared.progress.turn();
        }
        for file in std::mem::take(&mut self.linked_files) {
            if folders.iter().any(|folder| file.target.starts_with(folder)) {
                self.gone.extend(file.row);
            } else {
                followed += 1;
                self.file(&file.path, &file.stamp, file.row.as_ref(), &|| {});
            }
        }
        let skipped = &mut self.outcome.skipped;
        skipped.links = skipped.links.saturating_sub(followed);
        skipped.special = skipped.special.saturating_sub(followed);
    }

    /// Queues a look at a file. Waiting for room is not waiting for the disk, and `goes_on` says so.
    fn queue(&self, path: RelPath, goes_on: &dyn Fn()) {
        let scanner = self.scanner;
        let mut job = Job::refresh(self.root, path, &scanner.shared.progress);
        if self.scope.urgent {
            job = job.live();
        }
        let queue = if job.urgent {
            &scanner.urgent
        } else {
            &scanner.backlog
        };
        let _ = enqueue(queue, job, &scanner.shared.stop, goes_on);
    }

    fn write(&self, change: Change) {
        let _ = self.scanner.write.send(Write::Change {
            change,
            root: Some(Arc::clone(self.root)),
            release: None,
            urgent: false,
            ticket: Some(self.scanner.shared.progress.ticket()),
        });
    }

    fn key(&self, path: RelPath) -> FileKey {
        FileKey {
            root: self.root.id,
            path,
        }
    }

    /// A folder that cannot be read is a failure of its own: what lies in it may be missed.
    fn folder_unreadable(&self, path: &RelPath, error: &std::io::Error) {
        self.write(Change::Failed {
            key: self.key(path.clone()),
            stamp: FileStamp::default(),
            hash: None,
            failure: failing::folder_unreadable(error),
        });
    }

    fn finish(mut self) -> Result<ScanOutcome, StoreError> {
        while let Some(row) = self.known.next()? {
            self.gone.push(row);
        }
        while let Some(row) = self.sidecars.next()? {
            self.sidecars_gone.push(row);
        }
        self.follow_links();
        if !self.scope.dir.is_root() {
            // The row of the folder itself: that it could not be read, which is over.
            let key = self.key(self.scope.dir.clone());
            self.gone.extend(self.scanner.reader.file(&key)?);
        }
        // Of what lies in a directory that cannot be read, nothing is known.
        let unreadable = std::mem::take(&mut self.unreadable);
        let is_readable = |path: &RelPath| !unreadable.iter().any(|dir| path.is_within(dir));
        self.gone.retain(|row| is_readable(&row.path));
        self.sidecars_gone.retain(|row| is_readable(&row.path));
        self.outcome.complete = true;
        // What failed was a folder's reading, which is over: no file has left.
        let readable: Vec<FileRow> = self.gone.extract_if(.., |row| row.is_folder).collect();
        for row in readable {
            self.write(Change::Gone {
                key: self.key(row.path),
                excluded: true,
            });
        }
        self.outcome.gone = self.gone.len() as u64;
        let excluded = |row: &FileRow| self.root.filter.file_kind(&row.path) != FileKind::Candidate;
        let left = self.gone.iter().filter(|r| !r.missing && !excluded(r));
        let fresh = left.count() as u64;
        let emptied = self.scope.dir.is_root() && self.outcome.files == 0 && fresh >= EMPTIED_COUNT;
        let mut mass = emptied || fresh > MASS_COUNT;
        if mass && !emptied {
            let roots = self.scanner.reader.roots()?;
            let known = roots.iter().find(|row| row.id == self.root.id);
            let known = known.map_or(0, crate::store::RootRow::files);
            mass = is_mass(fresh, known);
        }
        for row in std::mem::take(&mut self.gone) {
            if row.missing && !excluded(&row) {
                self.outcome.held += 1;
            } else if mass && !excluded(&row) {
                self.outcome.held += 1;
                self.write(Change::Missing {
                    key: self.key(row.path),
                });
            } else {
                self.queue(row.path, &|| {});
            }
        }
        // After their photos: those of photos that are held are held too.
        for row in std::mem::take(&mut self.sidecars_gone) {
            self.queue(row.path, &|| {});
        }
        Ok(self.outcome)
    }
}

/// Whether so many files of so many, gone at once, are held instead of forgotten.
pub(super) fn is_mass(gone: u64, known: i64) -> bool {
    gone > MASS_COUNT && gone * MASS_SHARE > u64::try_from(known).unwrap_or(0)
}
