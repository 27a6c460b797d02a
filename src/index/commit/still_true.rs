//! Whether a change is still true of what lies on the disk.
//!
//! The last look at a file before its row is written, and another one right after the commit: in
//! between anything may happen to it, and the order in which two jobs for one path arrive here is
//! open. What is no longer true is not written, and what was touched meanwhile is looked at again.
//! The writer never asks a photo's disk itself, since that may hang; the root's probe does.

use std::sync::Arc;
use std::time::Duration;

use super::{CommitThread, Pending};
use crate::index::job::Job;
use crate::index::probe::Look;
use crate::index::roots::RootHandle;
use crate::photo::{FileStamp, RelPath, Verdict};
use crate::source::FileKind;
use crate::store::{Change, FileKey, Stage};

/// How soon a file that was touched while its row was written is looked at again: whoever touches
/// it may not be done.
const AGAIN: Duration = Duration::from_millis(300);

impl CommitThread {
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

    pub(super) fn check_all(&self, batch: Vec<Pending>) -> Vec<Pending> {
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
    pub(super) fn look_again(&self, written: &[Pending]) -> Vec<bool> {
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
