//! A worker's look at a file that may speak of photos: it is read if it has changed, by itself. Whose it
//! is, the store knows: no photo is opened for it.
//!
//! One that cannot be read is told with its reason and costs no photo anything. JSON of another kind is
//! remembered as that, so that it is read once.

use std::sync::Arc;
use std::time::SystemTime;

use super::job::Job;
use super::progress::Progress;
use super::read::{Bytes, trusted};
use super::roots::RootHandle;
use super::worker::{Worker, is_denied, look_at_folder};
use crate::media::{DECODER_VERSION, largest_sidecar, read_sidecar};
use crate::photo::{FileStamp, Verdict};
use crate::sidecar::{SidecarKind, SidecarWords, is_surely_note};
use crate::source::{FileKind, Links, is_passing, stamp_beneath};
use crate::store::{Change, SidecarRow, StoreError};

/// The pre-filter for sidecars: true if this one has been read as it is, by this version.
pub(super) fn is_known(row: Option<&SidecarRow>, now: &FileStamp) -> bool {
    row.is_some_and(|row| {
        row.read_by >= DECODER_VERSION && row.stamp.compare(now) == Verdict::Unchanged
    })
}

impl Worker {
    pub(super) fn look_at_sidecar(
        &mut self,
        root: &Arc<RootHandle>,
        job: Job,
        kind: SidecarKind,
    ) -> Result<(), StoreError> {
        let path = &job.key.path;
        let row = self.reader.sidecar(&job.key)?;
        match self.decided_kind(root, path) {
            Some(FileKind::Sidecar) => {}
            None | Some(FileKind::Temporary) => return Ok(()),
            Some(_) => {
                if row.is_some() {
                    self.sidecar_gone(root, job, true);
                }
                return Ok(());
            }
        }
        let stamp = match self.ask(root, |_| stamp_beneath(&root.path, path, Links::Refused)) {
            Ok(Some(stamp)) => stamp,
            Ok(None) => {
                // Even without a row: one may be on its way to the writer.
                self.sidecar_gone(root, job, false);
                return Ok(());
            }
            Err(error) if is_denied(&error) => {
                look_at_folder(root, path);
                return Ok(());
            }
            Err(error) => {
                self.sidecar_unreadable(root, job, row.is_some(), FileStamp::default(), &error);
                return Ok(());
            }
        };
        if is_known(row.as_ref(), &stamp) {
            return Ok(());
        }
        let limit = largest_sidecar(kind);
        let Some(room) = self.make_room(stamp.size.min(limit), job.urgent) else {
            return Ok(());
        };
        Progress::add(&self.shared.progress.sidecars, 1);
        let file = (&job.key.path, Links::Refused);
        match self.fetch(root, file, (limit, room)) {
            Bytes::Read { stamp, .. } => {
                let read = read_sidecar(kind, &self.buffer);
                // JSON that is broken may be anybody's.
                let is_told = kind == SidecarKind::Xmp || is_surely_note(job.key.path.name());
                let read = read.or_else(|why| if is_told { Err(why) } else { Ok(None) });
                self.sidecar_read(root, job, stamp, read);
            }
            Bytes::Changing => self.put_off(job),
            Bytes::TooLarge { stamp, limit } => {
                let why = format!(
                    "it has {} MB; sidecars of up to {} are read",
                    stamp.size.div_ceil(1 << 20),
                    limit >> 20
                );
                let read = match kind {
                    SidecarKind::Xmp => Err(why),
                    // No note of a photo is as large.
                    SidecarKind::Note => Ok(None),
                };
                self.sidecar_read(root, job, trusted(stamp, SystemTime::now()), read);
            }
            Bytes::Gone => self.sidecar_gone(root, job, false),
            Bytes::Unreadable { error } => {
                let stamp = trusted(stamp, SystemTime::now());
                self.sidecar_unreadable(root, job, row.is_some(), stamp, &error);
            }
        }
        Ok(())
    }

    fn sidecar_read(
        &self,
        root: &Arc<RootHandle>,
        job: Job,
        stamp: FileStamp,
        read: Result<Option<SidecarWords>, String>,
    ) {
        let change = Change::Sidecar {
            key: job.key,
            stamp,
            read,
            read_by: DECODER_VERSION,
        };
        self.write(root, change, job.urgent, job.ticket);
    }

    /// Nothing lies there, or it is left out by now. The writer makes sure of that.
    fn sidecar_gone(&self, root: &Arc<RootHandle>, job: Job, excluded: bool) {
        let change = Change::SidecarGone {
            key: job.key,
            excluded,
        };
        self.write(root, change, job.urgent, job.ticket);
    }

    fn sidecar_unreadable(
        &self,
        root: &Arc<RootHandle>,
        job: Job,
        is_known: bool,
        stamp: FileStamp,
        error: &std::io::Error,
    ) {
        if is_passing(error) {
            self.put_off(job);
            return;
        }
        if is_denied(error) {
            self.sidecar_read(root, job, stamp, Err(format!("it cannot be read: {error}")));
            return;
        }
        // An I/O error is the disk's, not the file's: it is tried again before long, and what the
        // sidecar has said stays.
        let folder = job.key.path.parent().unwrap_or_default();
        root.wanted.unfinished(folder, true);
        if !is_known {
            let stamp = FileStamp {
                ctime_ns: 0,
                ..stamp
            };
            self.sidecar_read(root, job, stamp, Err(format!("it cannot be read: {error}")));
        }
    }
}
