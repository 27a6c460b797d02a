//! When a path that has events is worth looking at: a pure state machine, clock handed in.
//!
//! A moved or removed path is due at once. A file that was closed after writing is due when
//! nothing happened to it for [`SettleConfig::quiet`]. A file that is being written, with no close
//! in sight, is due when two looks [`SettleConfig::unclosed`] apart give the same stamp and
//! nothing happened between them; the longer a file keeps changing, the rarer the looks, up to
//! [`SettleConfig::patience`], so that it costs nobody else anything. Events on one path merge.
//!
//! Promises: for a path with events, one [`Settled`] comes after the last of them, and none while
//! events come faster than the quiet time. Never sleeps, does no I/O (the caller hands in a
//! function that stamps), holds at most [`SettleConfig::capacity`] paths and says so when full.
//! Cost: one ordered-map operation a deadline; an event on a known path mostly writes one instant.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::photo::FileStamp;

/// What an event says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Created or modified; more may come.
    Written,
    /// Closed by a writer.
    Closed,
    /// Renamed to here: whole, as far as anybody can tell.
    MovedIn,
    /// Deleted or renamed away.
    Removed,
    /// Metadata changed, or the system does not say what happened.
    Doubt,
}

/// The times and the bound of a [`Settler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleConfig {
    /// How long nothing must happen to a closed file. 200 ms: longer than a writer takes that
    /// appends with open and close every 100 ms, short enough for "findable within a second".
    pub quiet: Duration,
    /// How far apart two equal stamps of an unclosed file must be. 500 ms.
    pub unclosed: Duration,
    /// The longest time between two looks at a file that keeps changing. 10 s.
    pub patience: Duration,
    /// Most paths held. 50,000, about 10 MB: more than any burst that a scan would not do better.
    pub capacity: usize,
}

impl Default for SettleConfig {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(200),
            unclosed: Duration::from_millis(500),
            patience: Duration::from_secs(10),
            capacity: 50_000,
        }
    }
}

/// A path that came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled<K> {
    /// The path.
    pub key: K,
    /// What was there at the last look; `None`: no regular file.
    pub stamp: Option<FileStamp>,
    /// The last event on it.
    pub hint: Hint,
}

/// The paths that have events and are not settled yet. `K` is a path.
#[derive(Debug)]
pub struct Settler<K> {
    cfg: SettleConfig,
    pending: HashMap<K, PendingPath>,
    /// By deadline, then in the order noted: nobody overtakes.
    deadlines: BTreeMap<(Instant, u64), K>,
    next_seq: u64,
}

#[derive(Debug)]
struct PendingPath {
    phase: Phase,
    first: Instant,
    last: Instant,
    due: (Instant, u64),
    hint: Hint,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Whatever is there now is final.
    AtOnce,
    /// Nothing should be there; if there is something, it is new and may still grow.
    Gone,
    /// Closed, or touched: waits for quiet.
    Quiet,
    /// Being written: the stamp of the last look.
    Growing(Option<FileStamp>),
}

impl<K: Clone + Eq + Hash> Settler<K> {
    /// An empty settler.
    pub fn new(cfg: SettleConfig) -> Self {
        Self {
            cfg,
            pending: HashMap::new(),
            deadlines: BTreeMap::new(),
            next_seq: 0,
        }
    }

    /// Takes note of an event at `now`. False if there is no room for another path: the caller
    /// must look at the whole directory instead.
    pub fn note(&mut self, key: K, hint: Hint, now: Instant) -> bool {
        let Some(old) = self.pending.get_mut(&key) else {
            if self.pending.len() >= self.cfg.capacity {
                return false;
            }
            let phase = phase_for(hint, None);
            let due = (self.due_for(phase, now), self.seq());
            self.deadlines.insert(due, key.clone());
            self.pending.insert(
                key,
                PendingPath {
                    phase,
                    first: now,
                    last: now,
                    due,
                    hint,
                },
            );
            return true;
        };
        old.phase = phase_for(hint, Some(old.phase));
        old.last = now;
        old.hint = hint;
        // A later deadline is found out when the earlier one comes: a busy file costs no sorting.
        let (phase, scheduled) = (old.phase, old.due.0);
        let due = self.due_for(phase, now);
        if due < scheduled && !matches!(phase, Phase::Growing(Some(_))) {
            self.schedule(&key, due);
        }
        true
    }

    /// When [`due`](Self::due) has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((at, _), _)| *at)
    }

    /// Forgets every path that `keep` says no to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.pending.retain(|key, _| keep(key));
        let pending = &self.pending;
        self.deadlines.retain(|_, key| pending.contains_key(key));
    }

    /// Looks at the paths whose time has come, at most once each, and returns those at rest.
    /// `stamp` says what regular file lies at a path.
    pub fn due(
        &mut self,
        now: Instant,
        stamp: &mut dyn FnMut(&K) -> Option<FileStamp>,
    ) -> Vec<Settled<K>> {
        let mut settled = Vec::new();
        // Only what is scheduled now: a path put off to this very instant waits for the next call.
        let mut left = self.deadlines.range(..=(now, u64::MAX)).count();
        while left > 0 {
            left -= 1;
            let Some((_, key)) = self.deadlines.pop_first() else {
                break;
            };
            let Some(entry) = self.pending.get_mut(&key) else {
                continue;
            };
            match entry.look(&self.cfg, now, &mut || stamp(&key)) {
                Look::Settled(stamp) => {
                    let hint = entry.hint;
                    self.pending.remove(&key);
                    settled.push(Settled { key, stamp, hint });
                }
                Look::Later(at) => self.schedule(&key, at),
            }
        }
        settled
    }

    fn schedule(&mut self, key: &K, at: Instant) {
        let due = (at, self.seq());
        let Some(entry) = self.pending.get_mut(key) else {
            return;
        };
        self.deadlines.remove(&entry.due);
        entry.due = due;
        self.deadlines.insert(due, key.clone());
    }

    fn due_for(&self, phase: Phase, now: Instant) -> Instant {
        match phase {
            // The first look at a growing file is at once: it is what the second compares with.
            Phase::AtOnce | Phase::Gone | Phase::Growing(None) => now,
            Phase::Quiet => now + self.cfg.quiet,
            Phase::Growing(Some(_)) => now + self.cfg.unclosed,
        }
    }

    fn seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}

enum Look {
    Settled(Option<FileStamp>),
    Later(Instant),
}

impl PendingPath {
    fn look(
        &mut self,
        cfg: &SettleConfig,
        now: Instant,
        stamp: &mut dyn FnMut() -> Option<FileStamp>,
    ) -> Look {
        let rested = now.saturating_duration_since(self.last);
        if matches!(self.phase, Phase::Quiet) && rested < cfg.quiet {
            return Look::Later(self.last + cfg.quiet);
        }
        let found = stamp();
        let before = match self.phase {
            // Nothing there is final in every phase: should it come back, an event says so.
            _ if found.is_none() => return Look::Settled(None),
            Phase::AtOnce | Phase::Quiet => return Look::Settled(found),
            Phase::Gone | Phase::Growing(None) => {
                self.phase = Phase::Growing(found);
                return Look::Later(now + cfg.unclosed);
            }
            Phase::Growing(before) => before,
        };
        if before == found && rested >= cfg.unclosed {
            return Look::Settled(found);
        }
        self.phase = Phase::Growing(found);
        if before == found {
            return Look::Later(self.last + cfg.unclosed);
        }
        // An eighth of the time it has been changing: a wait in proportion, at most `patience`.
        // Once its events have stopped, only the time since then counts.
        let changing = if rested >= cfg.unclosed {
            rested
        } else {
            now.saturating_duration_since(self.first)
        };
        Look::Later(now + (changing / 8).clamp(cfg.unclosed, cfg.patience.max(cfg.unclosed)))
    }
}

fn phase_for(hint: Hint, old: Option<Phase>) -> Phase {
    match (hint, old) {
        (Hint::MovedIn, _) => Phase::AtOnce,
        (Hint::Removed, _) => Phase::Gone,
        (Hint::Closed, _) => Phase::Quiet,
        (Hint::Written, Some(Phase::Growing(last))) => Phase::Growing(last),
        (Hint::Written, _) => Phase::Growing(None),
        // Doubt takes nothing back: what was to be looked at stays so.
        (Hint::Doubt, Some(phase)) => phase,
        (Hint::Doubt, None) => Phase::Quiet,
    }
}

#[cfg(test)]
mod tests;
