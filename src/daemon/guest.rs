//! `photond index DIR` while a daemon works on the index: the daemon makes the pass.
//!
//! A folder that is watched, or lies in one that is, is looked through again. Another one is kept like a
//! watched root until all of it has been read and indexed, and let go then: its rows stay, as after a
//! pass without a daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::actor::RootPlan;
use super::control::HexPath;
use super::keeper::Keeper;
use super::once::Summary;
use super::report::ModelReport;
use super::start::Setup;
use crate::index::Indexer;

/// How long a folder may take to be let go.
const LET_GO: Duration = Duration::from_secs(20);

/// Looks through folders and waits until all that is in them is indexed.
///
/// # Errors
/// In a sentence: a folder that is not there, or lies around one that is watched.
pub(super) fn look_through(
    indexer: &Arc<Indexer>,
    keeper: &Keeper,
    (setup, model): (&Setup, &str),
    folders: &[PathBuf],
) -> Result<Summary, String> {
    let begun = Instant::now();
    let before = indexer.progress().snapshot();
    let setup = Setup {
        roots: folders.to_vec(),
        ..setup.clone()
    };
    let words = |e: &dyn std::error::Error| e.to_string();
    let plans = setup.plans().map_err(|e| words(&e))?;
    let (watched, guests): (Vec<RootPlan>, Vec<RootPlan>) = plans
        .into_iter()
        .partition(|plan| keeper.is_kept(&plan.path));
    if let Some((guest, inner)) = guests
        .iter()
        .find_map(|guest| Some((guest, keeper.kept_in(&guest.path)?)))
    {
        return Err(format!(
            "{} lies around {}, which is watched: stop photond first, or watch the outer folder",
            guest.path.display(),
            inner.display()
        ));
    }
    for plan in &watched {
        keeper.rescan(Some(&plan.path));
    }
    let guests: Vec<PathBuf> = guests
        .into_iter()
        .map(|plan| {
            let path = plan.path.clone();
            keeper.invite(plan);
            path
        })
        .collect();
    let done = wait(indexer, keeper);
    let missing = keeper.missing().into_iter();
    let missing = missing.filter(|(path, _)| folders_have(&watched, &guests, path));
    let missing = missing
        .map(|(path, why)| (HexPath::new(&path), why))
        .collect();
    let left_over = keeper.left_over();
    for guest in &guests {
        keeper.drop_root(guest, LET_GO);
    }
    let interrupted = !done;
    let counts =
        indexer.with_store(|store| Ok((store.reader()?.counts()?.failed, store.held_missing()?)));
    let (failing, held) = counts.map_err(|e| words(&e))?;
    Ok(Summary {
        counters: indexer.progress().snapshot().since(&before),
        elapsed: begun.elapsed(),
        failing,
        held,
        model: ModelReport::new(model, indexer.model_state()),
        interrupted,
        missing,
        left_over,
    })
}

fn folders_have(watched: &[RootPlan], guests: &[PathBuf], path: &Path) -> bool {
    guests.iter().any(|guest| guest == path)
        || watched.iter().any(|plan| plan.path.starts_with(path))
}

/// Until there is nothing to do; false: the daemon stops.
fn wait(indexer: &Indexer, keeper: &Keeper) -> bool {
    loop {
        if keeper.turn().is_err() || indexer.is_stopping() {
            return false;
        }
        let idle = indexer.progress().wait_idle(Duration::from_millis(100));
        if idle && keeper.is_settled() {
            return true;
        }
    }
}
