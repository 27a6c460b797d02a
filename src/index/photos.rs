//! A worker's look at a file that may be a photo: what its name says, what its stamp says against the row,
//! and only then its bytes.
//!
//! Nothing is deleted here: what seems gone is told to the writer, which makes sure of it. What cannot be
//! read is tried again where waiting may help, and recorded where it cannot.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::job::{Job, Task};
use super::progress::Progress;
use super::read::{Bytes, trusted};
use super::roots::RootHandle;
use super::wanted::ScanScope;
use super::worker::{Worker, is_denied, look_at_folder};
use super::{failing, prefilter};
use crate::media::{DECODER_VERSION, Extent};
use crate::photo::{ContentHash, FileStamp, RelPath, Verdict};
use crate::sidecar::SidecarKind;
use crate::source::{FileKind, LinkTarget, is_passing, stamp_beneath};
use crate::store::{Change, Failure, FileRow, StoreError};

impl Worker {
    pub(super) fn look_at(&mut self, root: &Arc<RootHandle>, job: Job) -> Result<(), StoreError> {
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
            Verdict::Unchanged if !matches!(job.task, Task::Whole(_) | Task::Facts(_)) => {
                Progress::add(&self.shared.progress.unchanged, 1);
                if row.is_some_and(|r| r.is_in_doubt()) {
                    self.write(root, Change::Found { key: job.key }, job.urgent, job.ticket);
                }
            }
            Verdict::Unchanged | Verdict::Changed | Verdict::Touched => {
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
        let (file, limit) = ((&job.key.path, root.filter.links()), self.shared.max_file);
        match self.fetch(root, file, (limit, room)) {
            Bytes::Read {
                stamp,
                hash,
                found,
                linked,
            } => {
                Progress::add(&self.shared.progress.bytes, stamp.size);
                if linked && matches!(job.task, Task::Refresh(_)) {
                    self.look_at_links(root, &job, &hash, found)?;
                    if row.is_none() && job.urgent && self.known(&hash, Extent::Quick)?.is_none() {
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
