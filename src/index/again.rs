//! Photos that are indexed and that a model has not seen: read once more, decoded once for all models
//! that lack them.
//!
//! What is asked for is the content: any of its places will do, also one in a folder that is indexed
//! but not watched now. Nothing is ever deleted here, whatever is found: scans and events settle
//! that.

use std::path::Path;

use super::failing;
use super::job::{Job, Seen, Task};
use super::progress::Progress;
use super::read::{Bytes, read};
use super::spaces::LaneId;
use super::worker::{Worker, in_lanes};
use crate::embedding::{Embedding, InputSpec};
use crate::looks::Looks;
use crate::photo::{ContentHash, RelPath};
use crate::source::{Links, stamp_beneath};
use crate::store::{Change, PhotoFilter, StoreError};

impl Worker {
    /// Takes content to the models that lack it; reads nothing if there are none.
    pub(super) fn embed_again(&mut self, hash: &ContentHash, job: Job) -> Result<(), StoreError> {
        let Some(photo) = self.reader.photo_id(hash)? else {
            return Ok(());
        };
        let is_closer = matches!(job.task, Task::Closer(_));
        let table = if is_closer {
            self.shared.closer.get()
        } else {
            self.shared.spaces.get()
        };
        let (mut lanes, mut inputs, mut models) = (Vec::new(), Vec::new(), Vec::new());
        for (space, input) in table.seeing().filter(|(space, _)| space.is_ready()) {
            if let Some(model) = space.model
                && !self.reader.has_embedding(photo, model)?
            {
                lanes.push(space.lane);
                inputs.push(input.clone());
                models.push(model);
            }
        }
        if lanes.is_empty() {
            return Ok(());
        }
        // Tags are made of what all models say, and of how the photo looks; what looks closer makes none.
        let (mut known, mut looks) = (Vec::new(), None);
        if !is_closer {
            for model in table.spaces.iter().filter_map(|space| space.model) {
                let kept = self.reader.embedding(photo, model)?;
                known.extend(kept.map(|kept| (model, kept)));
            }
            looks = self.reader.looks(photo)?;
        }
        let mut changing = false;
        for place in self.reader.hits_of(&[photo], &PhotoFilter::default())? {
            Progress::add(&self.shared.progress.opened, 1);
            match self.read_at(&place.root, &place.path, job.urgent) {
                Bytes::Read {
                    stamp, hash: found, ..
                } if found == *hash => {
                    Progress::add(&self.shared.progress.bytes, stamp.size);
                    let extension = place.path.extension();
                    let known = (known, looks);
                    self.show(hash, extension.as_deref(), job, (lanes, inputs), known);
                    return Ok(());
                }
                Bytes::Changing => changing = true,
                // Other bytes by now, or out of reach: perhaps another of its places.
                _ => {}
            }
        }
        if changing {
            self.put_off(job);
            return Ok(());
        }
        let root = self.shared.roots.get(job.key.root);
        if root.is_some_and(|root| root.is_present() != Some(true)) {
            // Its volume has just gone, or does not answer: it waits until that is back.
            return Ok(());
        }
        // One file that cannot be read must not hold a switch up for ever.
        let (urgent, mut ticket) = (job.urgent, Some(job.ticket));
        while let Some(model) = models.pop() {
            let change = Change::NotEmbedded {
                hash: *hash,
                model: Some(model),
                failure: failing::out_of_reach(),
            };
            let last = models.is_empty();
            self.write_content(change, urgent, ticket.take_if(|_| last));
        }
        Ok(())
    }

    /// Reads a file into the buffer; nothing is asked of a disk that hangs.
    fn read_at(&mut self, root: &Path, path: &RelPath, urgent: bool) -> Bytes {
        let handle = self.shared.roots.at(root);
        if handle.as_ref().is_some_and(|root| root.hangs().is_some()) {
            return Bytes::Gone;
        }
        let links = handle.as_ref().map_or(Links::Refused, |h| h.filter.links());
        let size = || {
            stamp_beneath(root, path, links)
                .ok()
                .flatten()
                .map(|s| s.size)
        };
        let size = match &handle {
            Some(handle) => self.ask(handle, |_| size()),
            None => size(),
        };
        let Some(room) = self.make_room(size.unwrap_or(0), urgent) else {
            // Not the file's fault, and not to be written down: the pipeline ends.
            return Bytes::Changing;
        };
        let bounds = (self.shared.max_file, room);
        match &handle {
            Some(handle) => self.fetch(handle, (path, links), bounds),
            None => read(root, (path, links), bounds, &mut self.buffer, &|| {}),
        }
    }

    /// The bytes are in the buffer.
    fn show(
        &mut self,
        hash: &ContentHash,
        extension: Option<&str>,
        job: Job,
        (lanes, inputs): (Vec<LaneId>, Vec<InputSpec>),
        (known, looks): (Vec<(i64, Embedding)>, Option<Looks>),
    ) {
        Progress::add(&self.shared.progress.inspected, 1);
        let seen = self
            .shared
            .inspector
            .tensors(&self.buffer, extension, &inputs);
        self.let_go();
        match seen {
            Ok(tensors) => {
                let is_closer = matches!(job.task, Task::Closer(_));
                let seen = Seen {
                    hash: *hash,
                    place: None,
                    inspection: None,
                    looks,
                    tensors: in_lanes(lanes, tensors),
                    known,
                    urgent: job.urgent,
                    ticket: Some(job.ticket),
                };
                let _ = self.to_models(seen, is_closer);
            }
            Err(e) if e.is_passing => self.put_off(job),
            Err(e) => self.write_content(
                Change::NotEmbedded {
                    hash: *hash,
                    model: None,
                    failure: failing::no_tensor(&e),
                },
                job.urgent,
                Some(job.ticket),
            ),
        }
    }
}
