//! Tags of new photos, against fewer terms where looking at all of them would cost too much.

use std::time::{Duration, Instant};

use super::tagging::VersionedTagger;
use crate::embedding::Sources;
use crate::store::Tagged;
use crate::tag::{Pools, SeenByModels, WORTH};

/// Tags photos as they come in. Owned by the embed thread.
#[derive(Default)]
pub(super) struct ScopedTagging {
    /// The pools, and of which snapshot's vocabulary.
    pools: Pools,
    of: i64,
    /// Seconds that tags took of all that photos took, lately.
    tags_s: f64,
    all_s: f64,
}

impl ScopedTagging {
    /// What a batch took as a whole, tags included.
    pub fn took(&mut self, all: Duration) {
        self.all_s = 0.9 * self.all_s + all.as_secs_f64();
    }

    /// Whether terms that nobody's photo has are left for later.
    fn is_worth_it(&self) -> bool {
        self.tags_s > WORTH * self.all_s && self.all_s > 0.0
    }

    /// The tags of a batch. Those of photos that were not set against every term are marked as
    /// another snapshot's, so that they are made up for later.
    pub fn tags(&mut self, current: &VersionedTagger, photos: &[SeenByModels<'_>]) -> Vec<Tagged> {
        let begun = Instant::now();
        let tagger = &current.tagger;
        let all = match tagger.space().terms() {
            Some(bank) if self.is_worth_it() => {
                if self.of != current.id {
                    (self.pools, self.of) = (Pools::new(bank.len()), current.id);
                }
                let mut tagged = Vec::with_capacity(photos.len());
                for photo in photos {
                    let whole = self.pools.wants_all();
                    let wanted = |row| self.pools.wants(row);
                    let tags = tagger.tags_within(&[*photo], &wanted, 1).swap_remove(0);
                    let sure = tags.iter().filter(|t| t.sources.has(Sources::VOCABULARY));
                    let hits: Vec<u32> = sure.filter_map(|tag| bank.row(&tag.key)).collect();
                    self.pools.record(&hits, |row| bank.siblings(row));
                    let id = if whole { current.id } else { -current.id };
                    tagged.push(Tagged { tagger: id, tags });
                }
                tagged
            }
            _ => tagger
                .tags(photos, 1)
                .into_iter()
                .map(|tags| Tagged {
                    tagger: current.id,
                    tags,
                })
                .collect(),
        };
        self.tags_s = 0.9 * self.tags_s + begun.elapsed().as_secs_f64();
        all
    }
}
