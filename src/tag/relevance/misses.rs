//! How many tags are lost because not every photo is scored against every term.
//!
//! Photos that were scored against more than the Active pool say what the Active pool alone would
//! have lost. Which photos those are depends on nothing but a counter, so they are a fair sample.
//! They themselves lose nothing. Warm terms are seen to be missed on more photos than Cold ones;
//! each kind has its own share, and their sum is what is lost.

use serde::{Deserialize, Serialize};

/// Tags that were kept on photos where a pool took part, and those of them it alone had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence {
    kept: u64,
    missed: u64,
}

/// From so many kept tags on, older evidence counts half: libraries change.
const MEMORY: u64 = 5_000;
/// So many misses are no accident.
const NO_ACCIDENT: u64 = 5;
/// If as much as may be were lost, so many misses would have been seen.
const ENOUGH: f64 = 20.0;

impl Evidence {
    pub fn add(&mut self, kept: u64, missed: u64) {
        self.kept += kept;
        self.missed += missed;
        if self.kept >= MEMORY {
            self.kept /= 2;
            self.missed /= 2;
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn share(self) -> f64 {
        if self.kept == 0 {
            return 0.0;
        }
        self.missed as f64 / self.kept as f64
    }
}

/// What was found out since the pools were last widened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Misses {
    pub warm: Evidence,
    pub cold: Evidence,
}

impl Misses {
    /// Share of all tags that is lost; `None` while nothing is known. `every`: Warm and Cold terms
    /// take part in one photo of so many.
    pub fn share(&self, every: (u64, u64)) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)]
        let without = |every: u64| 1.0 - 1.0 / every as f64;
        (self.warm.kept > 0)
            .then(|| self.warm.share() * without(every.0) + self.cold.share() * without(every.1))
    }

    /// Whether more than `most` is lost, and not by accident.
    pub fn above(&self, most: f64, every: (u64, u64)) -> bool {
        self.warm.missed + self.cold.missed >= NO_ACCIDENT
            && self.share(every).is_some_and(|share| share > most)
    }

    /// Whether little would be lost, and not by accident, if terms were looked for half as often as
    /// one photo in `every`: twice as much is then yet to be found.
    pub fn far_below(&self, most: f64, every: (u64, u64)) -> bool {
        #[allow(clippy::cast_precision_loss)]
        let enough = self.warm.kept as f64 * most >= ENOUGH;
        let share = self.share((every.0 * 2, every.1 * 2));
        enough && share.is_some_and(|share| share * 2.0 < most / 2.0)
    }

    /// Kept tags that [`Misses::share`] rests on.
    pub fn seen(&self) -> u64 {
        self.warm.kept
    }
}
