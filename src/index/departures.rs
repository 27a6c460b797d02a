//! Files that leave: held back for a moment, until it is known how many they are.
//!
//! A few are forgotten. Very many at once are more likely a folder that was moved by mistake, a
//! network share that came up empty or a script that ran wild than a wish: they are held as missing
//! until a person says so, whether a scan finds them gone or they go before the daemon's eyes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::Pending;
use super::roots::RootHandle;
use super::scan::is_mass;
use crate::store::{Change, Store, StoreError};

/// Whoever deletes files one by one leaves no longer pause than this between them.
const QUIET: Duration = Duration::from_millis(300);
/// Nobody waits longer than this for the end of a deletion.
const LONGEST: Duration = Duration::from_secs(2);
/// Files that left within this time left together.
const TOGETHER: Duration = Duration::from_secs(60);

/// The departures of all roots, in the writer thread.
#[derive(Default)]
pub(super) struct Departures(HashMap<i64, Leaving>);

struct Leaving {
    root: Arc<RootHandle>,
    waiting: Vec<Pending>,
    first: Instant,
    last: Instant,
    /// Since when, and how many were forgotten since then.
    together: (Instant, u64),
    /// Too many have left: so many that the rest is held, as long as they go on leaving.
    holding: bool,
}

impl Departures {
    /// Keeps a file that leaves; anything else is given back.
    pub fn take(&mut self, pending: Pending) -> Option<Pending> {
        let (Some(_), Some(root)) = (pending.leaves(), pending.root.clone()) else {
            return Some(pending);
        };
        let now = Instant::now();
        let leaving = self.0.entry(root.id).or_insert_with(|| Leaving {
            root: Arc::clone(&root),
            waiting: Vec::new(),
            first: now,
            last: now,
            together: (now, 0),
            holding: false,
        });
        leaving.root = root;
        if leaving.waiting.is_empty() {
            leaving.first = now;
        }
        if now.duration_since(leaving.last) > TOGETHER {
            (leaving.together, leaving.holding) = ((now, 0), false);
        }
        leaving.last = now;
        leaving.waiting.push(pending);
        None
    }

    /// When some are ready to be written.
    pub fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(Leaving::due).min()
    }

    /// The changes to be written by now: rows forgotten, or held.
    pub fn ready(&mut self, now: Instant, store: &Store) -> Result<Vec<Vec<Pending>>, StoreError> {
        let mut ready = Vec::new();
        for leaving in self.0.values_mut() {
            if leaving.due().is_none_or(|at| now < at) {
                continue;
            }
            let mut waiting = std::mem::take(&mut leaving.waiting);
            // Sidecars after their photos: those of photos that are held are held too.
            let order = |p: &Pending| (p.is_of_a_sidecar(), p.leaves().cloned());
            waiting.sort_by_cached_key(order);
            // Heard of twice, it has left once.
            waiting.dedup_by(|a, b| a.leaves() == b.leaves());
            let (since, before) = leaving.together;
            let before = if now.duration_since(since) > TOGETHER {
                0
            } else {
                before
            };
            if before == 0 {
                leaving.together = (now, 0);
            }
            let photos = waiting.iter().filter(|p| !p.is_of_a_sidecar()).count();
            let gone = before + photos as u64;
            let known = store.files_of(leaving.root.id)?;
            leaving.holding |= is_mass(gone, known + i64::try_from(before).unwrap_or(0));
            if leaving.holding {
                for pending in &mut waiting {
                    hold(&mut pending.change);
                }
                tracing::warn!(
                    "{}: {photos} files disappeared at once and are held",
                    leaving.root.path.display(),
                );
            } else {
                leaving.together.1 = gone;
            }
            ready.push(waiting);
        }
        self.0.retain(|_, leaving| !leaving.root.is_ended());
        Ok(ready)
    }
}

impl Leaving {
    fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| (self.last + QUIET).min(self.first + LONGEST))
    }
}

fn hold(change: &mut Change) {
    if let Change::Gone { key, .. } = change {
        *change = Change::Missing { key: key.clone() };
    }
}
