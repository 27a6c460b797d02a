//! Terms that fire on everything.
//!
//! In every space some labels are near to all photos alike. In a library that is half dogs "dog" is
//! on half of the photos, too; what tells them apart is how sure the tag is where it is, and how far
//! above the background its cosine: measured on 60 photos, half of them dogs, "dog" is kept on 40 %
//! with a mean confidence of 0.98; of dogs alone, "terrier" on a third with 0.79.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Kept;
use super::background::Background;

/// Photos before which nothing is muted.
const ENOUGH: u64 = 200;
/// Share of the photos that a term must be on.
const SHARE: f64 = 0.4;
/// Mean confidence from which it is meant.
const SURE: f64 = 0.7;
/// Mean cosine, in deviations above the background, from which it is meant: two random things are
/// not so near (one pair in a thousand), kinds that are there score from 4 on.
const NEAR: f64 = 3.0;
/// Terms on less than this share of the photos are forgotten, which keeps the state small.
const RARE: f64 = 0.02;
/// After so many photos older ones count half.
const MEMORY: u64 = 10_000;

/// How often each term fires, how surely, and which terms are muted. One small JSON value. A
/// person's own terms are not in it and are never muted.
///
/// What is muted stays so (it does not fire any more, so nothing is learnt about it) until all
/// photos are tagged again, which begins with a new one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loudness {
    photos: u64,
    terms: BTreeMap<u32, Fired>,
    muted: BTreeSet<u32>,
}

/// Of one term.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Fired {
    times: u64,
    confidence: f64,
    cosine: f64,
}

impl Loudness {
    /// One more photo, with the tags that were kept of it.
    pub fn record(&mut self, kept: &[Kept]) {
        self.photos += 1;
        for kept in kept {
            let Some(row) = kept.row else { continue };
            let fired = self.terms.entry(row).or_default();
            fired.times += 1;
            fired.confidence += f64::from(kept.confidence);
            fired.cosine += f64::from(kept.cosine);
        }
    }

    /// Mutes the terms that say nothing, and gives back the newly muted rows, ascending: they are on
    /// two of five photos or more, and either not surely, or no nearer than anything is. Their tags
    /// on earlier photos say nothing either. `background`: for models without a calibration of their
    /// own. To be called now and then, with the sweeps of the pools.
    #[allow(clippy::cast_precision_loss)]
    pub fn mute(&mut self, background: Option<&Background>) -> Vec<u32> {
        if self.photos < ENOUGH {
            return Vec::new();
        }
        let photos = self.photos as f64;
        let mut new = Vec::new();
        self.terms.retain(|row, fired| {
            let times = fired.times as f64;
            let near = background.is_none_or(|background| {
                (fired.cosine / times - background.mean()) / background.deviation() >= NEAR
            });
            let meant = near && fired.confidence / times >= SURE;
            if times >= photos * SHARE && !meant {
                new.push(*row);
                return false;
            }
            times >= photos * RARE
        });
        self.muted.extend(&new);
        if self.photos >= MEMORY {
            self.photos /= 2;
            for fired in self.terms.values_mut() {
                // At least 200 times, so that a half is near enough.
                fired.times /= 2;
                fired.confidence /= 2.0;
                fired.cosine /= 2.0;
            }
        }
        new
    }

    /// Whether a row says nothing here.
    #[must_use]
    pub fn is_muted(&self, row: u32) -> bool {
        self.muted.contains(&row)
    }

    /// All that are muted, ascending.
    pub fn muted(&self) -> impl Iterator<Item = u32> {
        self.muted.iter().copied()
    }
}
