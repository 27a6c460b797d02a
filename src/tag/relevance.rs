//! Which terms are worth scoring on every photo: the pools Active, Warm and Cold.
//!
//! A person's photos show a few thousand things of the 68,000 that there are words for. Terms that
//! nobody's photo had for long are looked for on every 100th photo only (Warm), later on every
//! 1,000th (Cold). A *hit* is a tag that was kept and is sure enough to be shown; being scored is
//! none.
//!
//! Promises: every row is in exactly one pool. A hit makes a row Active at once and brings its
//! siblings to Warm at least: who has one kind of bird may have another. What a photo is scored
//! against depends on its number and the last sweep alone. What that loses is measured on the photos
//! that are scored against more, and where it is more than the bound, the next sweep *widens*: Warm
//! and Cold terms are looked for twice as often, and terms that were a tag before stay Active twice
//! as long; in the end everything is scored. What is lost in a long-tailed library are things seen
//! for the first time, so looking more often helps and waiting longer with terms that never were a
//! tag does not (of 68,000 terms that brings all back). New rows and a person's own terms are
//! Active; the latter always.
//!
//! Never: scores, reads a clock, or touches the database. The state is values that the store keeps:
//! [`RowState`] for rows that changed since they were last saved, and [`Progress`].
//!
//! Cost: 24 bytes a row; a hit is an array access; the index lists are made anew (some 50 µs for
//! 68,000 rows) after a move between pools, at most once a photo. Not locked: one thread owns it
//! and hands out lists as `Arc`s, which stay as they were while a scan reads them.

mod misses;
mod settings;
mod values;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use misses::Misses;
use settings::WIDEST;
pub use settings::{PoolSettings, SettingsError};
pub use values::{Pool, RowState, Scope, Sizes, Sweep};

/// What is saved beside the rows: one small JSON value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Photos scored so far.
    photos: u64,
    /// How often the pools have been widened, less how often they could be narrowed.
    width: u32,
    misses: Misses,
    /// How the bank grew: so many rows were there before photo number so-and-so. Rows that never
    /// were a tag need not be saved for that.
    births: Vec<(usize, u64)>,
}

/// Hits beyond so many say nothing more about how soon the next one comes.
const MOST_CREDIT: u32 = 15;

#[derive(Clone, Copy)]
struct Row {
    pool: Pool,
    /// A person's own term.
    pinned: bool,
    unsaved: bool,
    hits: u32,
    last: u64,
}

impl Row {
    /// Photos without a hit until it is Warm, and until it is Cold. What was a tag before is likely
    /// to be one again: each hit makes it stay longer, up to a bound.
    fn patience(&self, settings: &PoolSettings, width: u32) -> (u64, u64) {
        let mut to_warm = settings.active_patience;
        if self.hits > 0 {
            let known = 1 + u64::from(self.hits.min(MOST_CREDIT));
            to_warm = to_warm.saturating_mul(known << width);
        }
        (to_warm, to_warm.saturating_add(settings.warm_patience))
    }
}

struct Lists {
    active: Arc<[u32]>,
    active_and_warm: Arc<[u32]>,
}

/// The pools of one bank.
pub struct Pools {
    settings: PoolSettings,
    rows: Vec<Row>,
    progress: Progress,
    swept_at: u64,
    lists: Option<Lists>,
}

impl Pools {
    /// Pools of a bank of which nothing is known yet: all `rows` are Active. `settings` are to be
    /// checked before ([`PoolSettings::check`]).
    #[must_use]
    pub fn new(settings: PoolSettings, rows: usize) -> Self {
        let mut pools = Self {
            settings,
            rows: Vec::new(),
            progress: Progress::default(),
            swept_at: 0,
            lists: None,
        };
        pools.progress.width = settings.start_wide.min(WIDEST);
        pools.grow(rows);
        pools
    }

    /// Pools as they were saved, over a bank that has `rows` now: rows that were not saved are new,
    /// and states of rows that are not there any more are ignored.
    #[must_use]
    pub fn restore(
        settings: PoolSettings,
        rows: usize,
        progress: Progress,
        saved: impl IntoIterator<Item = RowState>,
    ) -> Self {
        let mut pools = Self::new(settings, 0);
        // As if it had gone on: runs of fewer photos than a sweep takes would never sweep.
        pools.swept_at = progress.photos - progress.photos % pools.settings.sweep_every.max(1);
        let begun = progress != Progress::default();
        let at_start = pools.progress.width;
        pools.progress = progress;
        pools.progress.width = match begun {
            true => pools.progress.width.min(WIDEST),
            false => at_start,
        };
        for (there, photo) in pools.progress.births.clone() {
            pools.extend(there.min(rows), photo.min(pools.progress.photos));
        }
        pools.grow(rows);
        for state in saved {
            if let Some(row) = pools.rows.get_mut(state.row as usize) {
                row.pool = state.pool;
                row.last = state.last.min(pools.progress.photos);
                row.hits = state.hits;
                row.unsaved = false;
            }
        }
        pools
    }

    /// Takes on new rows up to `rows`, as Active. A bank never shrinks: fewer change nothing.
    pub fn grow(&mut self, rows: usize) {
        if rows <= self.rows.len() {
            return;
        }
        let now = self.progress.photos;
        self.extend(rows, now);
        let births = &mut self.progress.births;
        births.retain(|(there, photo)| *there < rows && *photo < now);
        births.push((rows, now));
    }

    fn extend(&mut self, rows: usize, last: u64) {
        let new = Row {
            pool: Pool::Active,
            pinned: false,
            unsaved: false,
            hits: 0,
            last,
        };
        if rows > self.rows.len() {
            self.rows.resize(rows, new);
            self.lists = None;
        }
    }

    /// Makes these rows a person's own terms, and no others: Active for good.
    pub fn pin(&mut self, own: &[u32]) {
        for row in &mut self.rows {
            row.pinned = false;
        }
        for row in own {
            if let Some(row) = self.rows.get_mut(*row as usize) {
                row.pinned = true;
                row.unsaved |= row.pool != Pool::Active;
                row.pool = Pool::Active;
            }
        }
        self.lists = None;
    }

    /// What the `ahead`-th photo after those recorded is scored against: 0 is the next one.
    #[must_use]
    pub fn scope(&self, ahead: u64) -> Scope {
        let number = self.progress.photos + ahead;
        let (warm, cold) = self.every();
        if !self.settings.enabled || number.is_multiple_of(cold) {
            Scope::All
        } else if number.is_multiple_of(warm) {
            Scope::Warm
        } else {
            Scope::Active
        }
    }

    /// Warm rows take part in one photo of so many, and Cold ones in one of so many.
    fn every(&self) -> (u64, u64) {
        let often = |every: u64| (every >> self.progress.width).max(1);
        (
            often(self.settings.warm_every),
            often(self.settings.cold_every),
        )
    }

    /// The rows of a scope, ascending; `None`: every row of the bank.
    pub fn list(&mut self, scope: Scope) -> Option<Arc<[u32]>> {
        if scope == Scope::All {
            return None;
        }
        let rows = &self.rows;
        let lists = self.lists.get_or_insert_with(|| Lists {
            active: up_to(rows, Pool::Active),
            active_and_warm: up_to(rows, Pool::Warm),
        });
        let list = match scope {
            Scope::Active => &lists.active,
            _ => &lists.active_and_warm,
        };
        // Every row is in it: a scan of the whole bank is faster than a list of it.
        (list.len() < rows.len()).then(|| Arc::clone(list))
    }

    /// One photo was scored against `scope`, and `hits` are the rows of its tags, each once.
    /// `siblings` names the rows beside a row in the hierarchy. Gives back the rows that were not
    /// Active: earlier photos that they were not looked for on may have them.
    pub fn record(
        &mut self,
        scope: Scope,
        hits: &[u32],
        siblings: impl Fn(u32) -> Vec<u32>,
    ) -> Vec<u32> {
        let in_pool = |wanted| {
            let here = |row: &&u32| {
                let row = self.rows.get(**row as usize);
                row.is_some_and(|r| r.pool == wanted)
            };
            hits.iter().filter(here).count() as u64
        };
        let (kept, warm, cold) = (hits.len() as u64, in_pool(Pool::Warm), in_pool(Pool::Cold));
        if scope >= Scope::Warm {
            self.progress.misses.warm.add(kept, warm);
        }
        if scope == Scope::All {
            self.progress.misses.cold.add(kept, cold);
        }
        self.progress.photos += 1;
        self.learn(hits, siblings)
    }

    /// The same for a photo that counts for nothing else: when stored photos are tagged again, all
    /// rows are scored and a photo has no number.
    pub fn learn(&mut self, hits: &[u32], siblings: impl Fn(u32) -> Vec<u32>) -> Vec<u32> {
        let now = self.progress.photos;
        let mut back = Vec::new();
        for hit in hits {
            let Some(row) = self.rows.get_mut(*hit as usize) else {
                continue;
            };
            let was = row.pool;
            row.pool = Pool::Active;
            row.last = now;
            row.hits = row.hits.saturating_add(1);
            row.unsaved = true;
            if was != Pool::Active {
                self.lists = None;
                back.push(*hit);
                for sibling in siblings(*hit) {
                    self.stir(sibling);
                }
            }
        }
        back
    }

    /// Brings a row to Warm at least, and leaves it there for as long as Warm rows are.
    fn stir(&mut self, row: u32) {
        let width = self.progress.width;
        if let Some(row) = self.rows.get_mut(row as usize) {
            let (to_warm, _) = row.patience(&self.settings, width);
            let entry = self.progress.photos.saturating_sub(to_warm);
            if row.pool == Pool::Cold {
                row.pool = Pool::Warm;
                row.unsaved = true;
                self.lists = None;
            }
            if row.pool == Pool::Warm && row.last < entry {
                row.last = entry;
                row.unsaved = true;
            }
        }
    }

    /// Whether it is time for a sweep.
    #[must_use]
    pub fn sweep_due(&self) -> bool {
        self.settings.enabled && self.progress.photos - self.swept_at >= self.settings.sweep_every
    }

    /// Widens the pools if too much was missed, narrows them if far less was than may be, and puts
    /// every row where its last hit says. Save what [`Pools::changes`] and [`Pools::progress`] give
    /// afterwards.
    pub fn sweep(&mut self) -> Sweep {
        self.swept_at = self.progress.photos;
        let (most, every) = (self.settings.most_missed, self.every());
        let (misses, width) = (&self.progress.misses, self.progress.width);
        let widened = misses.above(most, every) && width < WIDEST;
        let narrowed = !widened && misses.far_below(most, every) && width > 0;
        if widened || narrowed {
            self.progress.width = if widened { width + 1 } else { width - 1 };
            self.progress.misses = Misses::default();
        }
        let mut sweep = Sweep {
            demoted: 0,
            returned: 0,
            widened,
            narrowed,
        };
        for row in self.rows.iter_mut().filter(|row| !row.pinned) {
            let silence = self.progress.photos - row.last;
            let (to_warm, to_cold) = row.patience(&self.settings, self.progress.width);
            let pool = if silence < to_warm {
                Pool::Active
            } else if silence < to_cold {
                Pool::Warm
            } else {
                Pool::Cold
            };
            if pool == row.pool {
                continue;
            }
            if pool > row.pool {
                sweep.demoted += 1;
            } else {
                sweep.returned += 1;
            }
            row.pool = pool;
            row.unsaved = true;
            self.lists = None;
        }
        sweep
    }

    /// The rows whose state is not as it was last handed out here. A row that was never hit and
    /// never moved is not among them: it is restored as a new one.
    pub fn changes(&mut self) -> Vec<RowState> {
        let mut changed = Vec::new();
        for (number, row) in (0u32..).zip(self.rows.iter_mut()) {
            if std::mem::take(&mut row.unsaved) {
                changed.push(RowState {
                    row: number,
                    pool: row.pool,
                    last: row.last,
                    hits: row.hits,
                });
            }
        }
        changed
    }

    /// What is to be saved beside the rows.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Where a row is; `None` if there is no such row.
    #[must_use]
    pub fn pool(&self, row: u32) -> Option<Pool> {
        self.rows.get(row as usize).map(|r| r.pool)
    }

    /// How many rows are where.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        for row in &self.rows {
            match row.pool {
                Pool::Active => sizes.active += 1,
                Pool::Warm => sizes.warm += 1,
                Pool::Cold => sizes.cold += 1,
            }
        }
        sizes
    }

    /// Share of the tags that is lost because not every photo is scored against every term, as
    /// measured since the pools were last widened or narrowed, and the number of kept tags it rests
    /// on. `None` before the first photo that was scored against more than the Active pool.
    #[must_use]
    pub fn missed(&self) -> Option<(f64, u64)> {
        let misses = &self.progress.misses;
        Some((misses.share(self.every())?, misses.seen()))
    }
}

/// Rows in `pool` or a hotter one, ascending.
fn up_to(rows: &[Row], pool: Pool) -> Arc<[u32]> {
    let numbered = (0u32..).zip(rows);
    numbered
        .filter(|(_, row)| row.pool <= pool)
        .map(|(number, _)| number)
        .collect()
}

#[cfg(test)]
mod tests;
