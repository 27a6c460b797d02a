//! What becomes of orders, in a living daemon and without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::control::{Control, ControlAnswer, ControlOrder, HexPath};
use super::error::DaemonError;
use super::guest::look_through;
use super::keeper::Keeper;
use super::lock::DataDirLock;
use super::start::Setup;
use crate::index::{IndexError, Indexer};
use crate::store::Store;

/// How long a root that is to be forgotten may take to be let go.
const LET_GO: Duration = Duration::from_secs(20);

/// Obeys in a living daemon.
pub(super) struct Orders {
    pub indexer: Arc<Indexer>,
    pub keeper: Arc<Keeper>,
    /// The settings that folders which are not watched are looked through with.
    pub setup: Setup,
    /// The model that makes tags, name and revision.
    pub model: String,
}

impl Orders {
    /// Takes orders from the socket of a data directory, on a thread of its own that ends with the
    /// process. Without a socket everything else works.
    pub fn take_from(self, data_dir: &Path) {
        let started = Control::open(data_dir).and_then(|control| {
            std::thread::Builder::new()
                .name("photond-control".to_owned())
                .spawn(move || control.serve(move |order| self.obey(order)))
        });
        if let Err(e) = started {
            tracing::warn!("`photond pause` and the like cannot reach this daemon: {e}");
        }
    }

    fn obey(&self, order: ControlOrder) -> ControlAnswer {
        let done = match order {
            ControlOrder::Rest => {
                self.keeper.look();
                Ok(None)
            }
            ControlOrder::Rescan { path } => {
                let path = path.map(|p| p.path());
                let count = self.keeper.rescan(path.as_deref());
                Ok((count > 0).then_some(count as u64))
            }
            ControlOrder::Confirm { roots } => self
                .indexer
                .with_store(move |store| confirm(store, &paths(&roots))),
            ControlOrder::Forget { path } => self.forget(path.path()),
            ControlOrder::Index { folders } => {
                let with = (&self.setup, self.model.as_str());
                return match look_through(&self.indexer, &self.keeper, with, &paths(&folders)) {
                    Ok(summary) => ControlAnswer::Indexed(Box::new(summary)),
                    Err(why) => ControlAnswer::Failed(why),
                };
            }
        };
        done.map_or_else(
            |e| ControlAnswer::Failed(e.to_string()),
            ControlAnswer::Done,
        )
    }

    fn forget(&self, path: PathBuf) -> Result<Option<u64>, IndexError> {
        if !self.keeper.drop_root(&path, LET_GO) {
            return Err(IndexError::Busy(path));
        }
        self.indexer
            .with_store(move |store| Ok(store.forget_root(&path)?.map(|n| n as u64)))
    }
}

/// Obeys where no daemon lives.
///
/// # Errors
/// If one does, or the index cannot be written.
pub fn obey_alone(data_dir: &Path, order: &ControlOrder) -> Result<ControlAnswer, DaemonError> {
    let _lock = DataDirLock::take(data_dir)?;
    let (mut store, _) = Store::open(data_dir)?;
    let done = match order {
        ControlOrder::Rest | ControlOrder::Rescan { .. } | ControlOrder::Index { .. } => None,
        ControlOrder::Confirm { roots } => confirm(&mut store, &paths(roots))?,
        ControlOrder::Forget { path } => store.forget_root(&path.path())?.map(|n| n as u64),
    };
    Ok(ControlAnswer::Done(done))
}

fn paths(roots: &[HexPath]) -> Vec<PathBuf> {
    roots.iter().map(HexPath::path).collect()
}

/// Lets go of what is held as missing; `None`: no root is among these.
fn confirm(store: &mut Store, roots: &[PathBuf]) -> Result<Option<u64>, crate::store::StoreError> {
    let known = store.reader()?.roots()?;
    let chosen = known
        .iter()
        .filter(|row| roots.is_empty() || roots.contains(&row.path));
    let mut forgotten = None;
    for row in chosen {
        let count = store.release_missing(row.id)? as u64;
        *forgotten.get_or_insert(0) += count;
    }
    Ok(forgotten)
}
