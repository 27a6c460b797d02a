//! Scans: a walk of the folders merged with the rows of the database, both in path order.
//!
//! Nothing is opened and no row is looked up by itself: a hundred thousand unchanged files cost
//! one walk and one ordered read. Rows without a file are not deleted here; they are looked at
//! again by a worker, and in a mass disappearance they are held for a person to confirm.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use super::job::{Job, Task, Write};
use super::progress::Progress;
use super::roots::RootHandle;
use super::worker::Shared;
use super::{failing, prefilter};
use crate::media::DECODER_VERSION;
use crate::photo::{FileStamp, RelPath, Verdict};
use crate::source::{FileKind, WalkError, WalkEvent, walk};
use crate::store::{Change, FileKey, FileRow, StoreError, StoreReader};

/// Arms a watch on a directory before its entries are read.
pub trait ArmDirectory: Send + Sync {
    /// Called for each directory of a scan, parents first.
    fn arm(&self, root: i64, dir: &RelPath);
}

/// What to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanScope {
    /// Directory below the root; the empty path is all of it.
    pub dir: RelPath,
    /// The directory is known to have been deleted or moved: its absence is an event, not a doubt.
    pub deletion: bool,
    /// Commit what is found at once (it has just arrived) instead of behind the backlog.
    pub urgent: bool,
}

impl ScanScope {
    /// All of a root, behind everything else.
    pub fn whole() -> Self {
        Self {
            dir: RelPath::root(),
            deletion: false,
            urgent: false,
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanOutcome {
    /// Candidate files seen.
    pub files: u64,
    /// Of those, new or changed.
    pub changed: u64,
    /// Files that are no photos by their name.
    pub other: u64,
    /// Rows without a file.
    pub gone: u64,
    /// Rows held in a mass disappearance.
    pub held: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// False if a stop came first.
    pub complete: bool,
}

/// More rows than this, and more than a fifth of the root's, gone at once: held, not deleted.
const MASS_COUNT: u64 = 100;
const MASS_SHARE: u64 = 5;
/// From this many on, a root with nothing left in it is held too: an empty folder may be put where
/// the photos were.
const EMPTIED_COUNT: u64 = 10;
/// Rows read from the database at a time.
const PAGE: usize = 4096;

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
        root: &RootHandle,
        scope: &ScanScope,
        arm: Option<&dyn ArmDirectory>,
    ) -> Result<ScanOutcome, StoreError> {
        let _scanning = self.shared.progress.scanning();
        let mut run = Run {
            scanner: self,
            root,
            scope,
            known: KnownRows::new(&self.reader, root.id, scope.dir.clone()),
            outcome: ScanOutcome::default(),
            gone: Vec::new(),
            unreadable: Vec::new(),
            failed: None,
            deletion: scope.deletion,
        };
        let walked = walk(&root.path, &scope.dir, &root.filter, &mut |event| {
            if self.shared.stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            match run.on(&event, arm) {
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
        let stopped = self.shared.stop.load(Ordering::Relaxed);
        match walked {
            Ok(summary) => run.outcome.other = summary.other,
            Err(e @ WalkError::StartGone { .. }) => {
                // The directory has left meanwhile: its rows are looked at one by one.
                tracing::debug!("{e}");
                run.deletion = root.is_present();
            }
            Err(e) => {
                // The root itself is not there or cannot be read: nothing can be said of its files.
                tracing::warn!("{e}");
                return Ok(run.outcome);
            }
        }
        if stopped {
            return Ok(run.outcome);
        }
        run.finish()
    }

    fn submit(&self, key: FileKey, urgent: bool) {
        let job = Job {
            key,
            task: Task::Refresh,
            urgent,
            tries: 0,
            ticket: self.shared.progress.ticket(),
        };
        let queue = if urgent { &self.urgent } else { &self.backlog };
        let _ = enqueue(queue, job, &self.shared.stop);
    }
}

/// Queues a job. A full queue is waited for, this is what bounds the memory, but not past a stop.
/// False: a stop came first, or nobody works any more.
pub(super) fn enqueue(queue: &Sender<Job>, mut job: Job, stop: &AtomicBool) -> bool {
    loop {
        match queue.send_timeout(job, Duration::from_millis(200)) {
            Ok(()) => return true,
            Err(SendTimeoutError::Disconnected(_)) => return false,
            Err(SendTimeoutError::Timeout(back)) => job = back,
        }
        if stop.load(Ordering::Relaxed) {
            return false;
        }
    }
}

struct Run<'a> {
    scanner: &'a Scanner,
    root: &'a RootHandle,
    scope: &'a ScanScope,
    known: KnownRows<'a>,
    outcome: ScanOutcome,
    gone: Vec<FileRow>,
    unreadable: Vec<RelPath>,
    failed: Option<StoreError>,
    deletion: bool,
}

impl Run<'_> {
    fn on(
        &mut self,
        event: &WalkEvent<'_>,
        arm: Option<&dyn ArmDirectory>,
    ) -> Result<(), StoreError> {
        match event {
            WalkEvent::Dir { path } => {
                if let Some(arm) = arm {
                    arm.arm(self.root.id, path);
                }
            }
            WalkEvent::File { path, stamp } => {
                self.outcome.files += 1;
                Progress::add(&self.scanner.shared.progress.seen, 1);
                while let Some(row) = self.known.next_before(path)? {
                    self.gone.push(row);
                }
                let row = self.known.take_equal(path)?;
                match prefilter::verdict(row.as_ref(), Some(stamp), DECODER_VERSION) {
                    Verdict::Unchanged if row.as_ref().is_none_or(|r| !r.missing) => {
                        Progress::add(&self.scanner.shared.progress.unchanged, 1);
                    }
                    _ => {
                        self.outcome.changed += 1;
                        self.queue((*path).clone());
                    }
                }
            }
            WalkEvent::Unreadable {
                path,
                is_dir,
                error,
            } => {
                self.unreadable.push((*path).clone());
                if *is_dir {
                    self.outcome.unreadable += 1;
                    self.folder_unreadable(path, error);
                } else {
                    // The worker records why it cannot be read.
                    self.queue((*path).clone());
                }
            }
            WalkEvent::Special { .. } => {}
        }
        Ok(())
    }

    fn queue(&self, path: RelPath) {
        let key = FileKey {
            root: self.root.id,
            path,
        };
        self.scanner.submit(key, self.scope.urgent);
    }

    /// A folder that cannot be read is a failure of its own: what lies in it may be missed.
    fn folder_unreadable(&self, path: &RelPath, error: &std::io::Error) {
        let _ = self.scanner.write.send(Write::Change {
            change: Change::Failed {
                key: FileKey {
                    root: self.root.id,
                    path: path.clone(),
                },
                stamp: FileStamp::default(),
                hash: None,
                failure: failing::folder_unreadable(error),
            },
            release: None,
            urgent: false,
            ticket: Some(self.scanner.shared.progress.ticket()),
        });
    }

    fn finish(mut self) -> Result<ScanOutcome, StoreError> {
        while let Some(row) = self.known.next()? {
            self.gone.push(row);
        }
        // Of what lies in a directory that cannot be read, nothing is known.
        let unreadable = std::mem::take(&mut self.unreadable);
        self.gone
            .retain(|row| !unreadable.iter().any(|dir| row.path.is_within(dir)));
        self.outcome.complete = true;
        self.outcome.gone = self.gone.len() as u64;
        let fresh = self.gone.iter().filter(|r| !r.missing).count() as u64;
        let emptied = self.scope.dir.is_root() && self.outcome.files == 0 && fresh >= EMPTIED_COUNT;
        let mut mass = !self.deletion && (emptied || fresh > MASS_COUNT);
        if mass {
            let roots = self.scanner.reader.roots()?;
            let known = roots.iter().find(|row| row.id == self.root.id);
            let known = known.map_or(0, crate::store::RootRow::files);
            mass = fresh * MASS_SHARE > u64::try_from(known).unwrap_or(0);
        }
        let excluded = |row: &FileRow| self.root.filter.file_kind(&row.path) != FileKind::Candidate;
        for row in std::mem::take(&mut self.gone) {
            if row.missing && !self.deletion && !excluded(&row) {
                self.outcome.held += 1;
            } else if mass && !excluded(&row) {
                self.outcome.held += 1;
                let _ = self.scanner.write.send(Write::Change {
                    change: Change::Missing {
                        key: FileKey {
                            root: self.root.id,
                            path: row.path,
                        },
                    },
                    release: None,
                    urgent: false,
                    ticket: Some(self.scanner.shared.progress.ticket()),
                });
            } else {
                self.queue(row.path);
            }
        }
        Ok(self.outcome)
    }
}

/// The rows of a subtree in path order, read a page at a time.
struct KnownRows<'a> {
    reader: &'a StoreReader,
    root: i64,
    dir: RelPath,
    page: VecDeque<FileRow>,
    last: Option<RelPath>,
    done: bool,
}

impl<'a> KnownRows<'a> {
    fn new(reader: &'a StoreReader, root: i64, dir: RelPath) -> Self {
        Self {
            reader,
            root,
            dir,
            page: VecDeque::new(),
            last: None,
            done: false,
        }
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        if self.page.is_empty() && !self.done {
            self.page = self
                .reader
                .files_page(self.root, &self.dir, self.last.as_ref(), PAGE)?
                .into();
            self.done = self.page.len() < PAGE;
            if let Some(row) = self.page.back() {
                self.last = Some(row.path.clone());
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<FileRow>, StoreError> {
        self.fill()?;
        Ok(self.page.pop_front())
    }

    fn next_before(&mut self, path: &RelPath) -> Result<Option<FileRow>, StoreError> {
        self.fill()?;
        let before = self.page.front().is_some_and(|row| row.path < *path);
        Ok(if before { self.page.pop_front() } else { None })
    }

    fn take_equal(&mut self, path: &RelPath) -> Result<Option<FileRow>, StoreError> {
        self.fill()?;
        let equal = self.page.front().is_some_and(|row| row.path == *path);
        Ok(if equal { self.page.pop_front() } else { None })
    }
}
