//! What becomes of bytes that were read: content that is known, or in work, ends here with a change of the
//! row; new content is inspected and goes to the models.
//!
//! Content is claimed before it is looked up, so that no two workers decode the same photo. Whatever ends
//! here lets go of its claim, and whoever waited for it is served by the writer or tries for himself.

use std::sync::Arc;

use super::failing;
use super::inflight::Claim;
use super::job::{FilePlace, Job, Seen, Task, Write};
use super::progress::Progress;
use super::roots::RootHandle;
use super::spaces::LaneId;
use super::worker::{Worker, in_lanes};
use crate::embedding::InputSpec;
use crate::looks::Signs;
use crate::media::{DECODER_VERSION, Extent};
use crate::photo::{ContentHash, FileStamp, Inspection, RelPath};
use crate::store::{Change, Failure, Known, StoreError};

impl Worker {
    /// The bytes are in the buffer: known content ends here, new content is inspected.
    pub(super) fn identify(
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
            Some(Known::Indexed) if look == Extent::Facts => {
                self.read_again(place, hash, urgent);
                return Ok(());
            }
            Some(Known::Indexed) => {
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
    pub(super) fn known(
        &self,
        hash: &ContentHash,
        look: Extent,
    ) -> Result<Option<Known>, StoreError> {
        if look == Extent::Whole && self.reader.is_preview(hash)? {
            return Ok(None);
        }
        self.reader.known(hash, DECODER_VERSION)
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
}

/// A verdict that came from the name as well as from the bytes: another name may mean another one.
fn by_name(failure: &Failure) -> bool {
    matches!(failure.kind.as_str(), "not-an-image" | "unsupported")
}

/// A picture's kind may stand in its name, at the place where it was read.
fn add_name(inspection: &mut Inspection, path: &RelPath) {
    let signs = &mut inspection.looks.signs;
    *signs = signs.with(Signs::of_name(path.name()), true);
}
