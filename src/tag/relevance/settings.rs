//! When a term moves from pool to pool: what a person can set.

use serde::Deserialize;

/// `[pools]` of the settings file. All numbers count photos that were scored.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolSettings {
    /// False: every photo is scored against every term.
    pub enabled: bool,
    /// Photos from one sweep (demotions, saving) to the next.
    pub sweep_every: u64,
    /// Photos without a hit after which an Active term becomes Warm; as often again for each hit
    /// that it had.
    pub active_patience: u64,
    /// Further photos without a hit after which a Warm term becomes Cold. A Warm term is looked for
    /// on one photo in `warm_every` only.
    pub warm_patience: u64,
    /// Warm terms take part in every so-manieth photo.
    pub warm_every: u64,
    /// Cold terms take part in every so-manieth photo.
    pub cold_every: u64,
    /// How often the pools count as widened at the start: while little is known, Warm and Cold terms
    /// are looked for more often by a factor of two to this power.
    pub start_wide: u32,
    /// Share of the kept tags that may be missed by not scoring everything; above it terms are
    /// looked for twice as often and stay twice as long.
    pub most_missed: f64,
}

impl Default for PoolSettings {
    /// Sweep, Warm and Cold are the seed system's. The rest is from simulated libraries of 60,000
    /// photos (events of 30 photos, things as frequent as words are): with 1,500 different things
    /// 0.5 % of the tags are lost in all, 0.2 % in the end, at a tenth of the work; with
    /// `start_wide` 0 it is 1.5 % in all. The test
    /// `a_library_like_a_persons_shrinks_and_loses_little` is one of them.
    fn default() -> Self {
        Self {
            enabled: true,
            sweep_every: 1_000,
            active_patience: 1_000,
            warm_patience: 10_000,
            warm_every: 100,
            cold_every: 1_000,
            start_wide: 3,
            most_missed: 0.01,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("pools.{key} = {value} is out of range; allowed: {allowed}")]
pub struct SettingsError {
    /// Which setting.
    pub key: &'static str,
    /// What it says.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

/// Widened more often than this, everything is scored anyway.
pub(super) const WIDEST: u32 = 20;
/// The longest patience there can be, in photos.
const LONGEST: u64 = 1_000_000_000;

impl PoolSettings {
    /// Whether every number makes sense, alone and beside the others.
    ///
    /// # Errors
    /// The first one that does not, with what is allowed.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, value: String, allowed| {
            Err(SettingsError {
                key,
                value,
                allowed,
            })
        };
        let counts = [
            ("sweep_every", self.sweep_every),
            ("active_patience", self.active_patience),
            ("warm_patience", self.warm_patience),
            ("warm_every", self.warm_every),
            ("cold_every", self.cold_every),
        ];
        for (key, value) in counts {
            if !(1..=LONGEST).contains(&value) {
                return wrong(key, value.to_string(), "1 to 1000000000");
            }
        }
        if self.cold_every < self.warm_every {
            let value = self.cold_every.to_string();
            return wrong("cold_every", value, "warm_every or more");
        }
        if self.start_wide > WIDEST {
            return wrong("start_wide", self.start_wide.to_string(), "0 to 20");
        }
        if !(self.most_missed > 0.0 && self.most_missed <= 1.0) {
            let value = self.most_missed.to_string();
            return wrong("most_missed", value, "above 0, at most 1");
        }
        Ok(())
    }
}
