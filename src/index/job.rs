//! What travels through the pipeline.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::error::IndexError;
use super::progress::{Progress, Ticket};
use super::roots::RootHandle;
use super::spaces::LaneTensor;
use crate::embedding::Embedding;
use crate::looks::Looks;
use crate::photo::{ContentHash, FileStamp, Inspection, RelPath};
use crate::store::{Change, FileKey, Store, StoreError};

/// One path to look at.
pub(super) struct Job {
    pub key: FileKey,
    pub task: Task,
    /// A live event: overtakes the backlog and is committed at once.
    pub urgent: bool,
    /// How often it was put off because the file changed while it was read.
    pub tries: u32,
    pub ticket: Ticket,
}

/// What is wanted of a path.
#[derive(Clone)]
pub(super) enum Task {
    /// Bring its row up to date, for as long as this handle is the root's.
    Refresh(Arc<RootHandle>),
    /// The same for another name of a file that was written to under one name.
    RefreshLink(Arc<RootHandle>),
    /// It is seen by its small picture: the whole one is wanted.
    Whole(Arc<RootHandle>),
    /// An older photond indexed it: what is said of it is to be read.
    Facts(Arc<RootHandle>),
    /// Its content is indexed, but a model has not seen it.
    Embed(ContentHash),
    /// The same for those that look behind everything else.
    Closer(ContentHash),
}

impl Job {
    /// A look at one path, behind the live ones.
    pub fn refresh(root: &Arc<RootHandle>, path: RelPath, progress: &Arc<Progress>) -> Self {
        let id = root.id;
        Self {
            key: FileKey { root: id, path },
            task: Task::Refresh(Arc::clone(root)),
            urgent: false,
            tries: 0,
            ticket: progress.ticket(),
        }
    }

    /// The photo has just landed: it overtakes the backlog.
    pub fn live(mut self) -> Self {
        self.urgent = true;
        self.ticket = self.ticket.live();
        self
    }

    /// Of a root that was let go since: nothing is to be done.
    pub fn is_stale(&self) -> bool {
        match &self.task {
            Task::Refresh(root)
            | Task::RefreshLink(root)
            | Task::Whole(root)
            | Task::Facts(root) => root.is_ended(),
            Task::Embed(_) | Task::Closer(_) => false,
        }
    }
}

/// A path whose bytes were read, with its job's ticket.
pub(super) struct FilePlace {
    pub root: Arc<RootHandle>,
    pub key: FileKey,
    pub stamp: FileStamp,
    pub ticket: Ticket,
}

/// A photo on its way to the models.
pub(super) struct Seen {
    pub hash: ContentHash,
    /// Where it lies; absent when only the model's results are wanted.
    pub place: Option<FilePlace>,
    /// What the image code found; absent when only the models' results are wanted.
    pub inspection: Option<Box<Inspection>>,
    /// The picture as each model wants it.
    pub tensors: Vec<LaneTensor>,
    /// What tells its kind, where it is known and not in `inspection`.
    pub looks: Option<Looks>,
    /// What models made of it before, by `models.id`: tags are made of all that is known.
    pub known: Vec<(i64, Embedding)>,
    pub urgent: bool,
    pub ticket: Option<Ticket>,
}

/// Something for the writer thread.
// Nearly every message is a change: a box for each would only cost an allocation.
#[expect(clippy::large_enum_variant)]
pub(super) enum Write {
    /// A row to write, with the ticket of the job it ends.
    Change {
        change: Change,
        /// The root that the row's path lies in; absent where the change concerns no path.
        root: Option<Arc<RootHandle>>,
        /// Content to take off the in-work table once it has committed.
        release: Option<ContentHash>,
        urgent: bool,
        ticket: Option<Ticket>,
    },
    /// Anything else that needs the store. Runs between batches.
    Run(Box<dyn FnOnce(&mut Store) + Send>),
    /// Nothing more comes: write what is there and end.
    End,
}

impl Write {
    /// Runs something on the writer's store, between two batches, and waits for its answer.
    ///
    /// # Errors
    /// If the writer has died, or the work itself fails.
    pub fn ask<T: Send + 'static>(
        writer: &Sender<Self>,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (tx, rx) = bounded(1);
        writer
            .send(Self::Run(Box::new(move |store| {
                let _ = tx.send(work(store));
            })))
            .map_err(|_| IndexError::StageDied("commit"))?;
        Ok(rx.recv().map_err(|_| IndexError::StageDied("commit"))??)
    }
}
