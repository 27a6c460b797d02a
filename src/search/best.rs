//! The best of very many photos, without keeping all of them.

use std::cmp::Ordering;

use super::judge::Standing;

/// Room for more than are wanted, so that they are seldom thinned out.
const ROOM: usize = 1024;

/// Every confident answer, and the best of the others.
pub(super) struct Best {
    confident: Vec<Standing>,
    others: Vec<Standing>,
    /// So many others are wanted.
    beyond: usize,
    /// Others with a lower score are not among the best.
    least: f32,
}

impl Best {
    /// None yet; so many `beyond` the confident answers will be wanted.
    pub fn new(beyond: usize) -> Self {
        Self {
            confident: Vec::new(),
            others: Vec::new(),
            beyond,
            least: f32::NEG_INFINITY,
        }
    }

    pub fn put(&mut self, standing: Standing) {
        if standing.confident {
            self.confident.push(standing);
        } else if self.beyond > 0 && standing.score >= self.least {
            self.others.push(standing);
            if self.others.len() >= self.beyond.saturating_add(self.beyond.max(ROOM)) {
                self.thin_out();
            }
        }
    }

    fn thin_out(&mut self) {
        if self.others.len() <= self.beyond {
            return;
        }
        let (_, last, _) = self.others.select_nth_unstable_by(self.beyond - 1, better);
        self.least = last.score;
        self.others.truncate(self.beyond);
    }

    pub fn join(&mut self, others: Self) {
        self.confident.extend(others.confident);
        others.others.into_iter().for_each(|other| self.put(other));
    }

    /// All of them, in no order.
    pub fn into_standings(mut self) -> Vec<Standing> {
        if self.beyond > 0 {
            self.thin_out();
        }
        self.confident.append(&mut self.others);
        self.confident
    }
}

/// Puts the best `n` first, in order, and the others behind them in none.
pub(super) fn sort_best(standings: &mut [Standing], n: usize) {
    if n < standings.len() {
        standings.select_nth_unstable_by(n, better);
    }
    standings[..n].sort_unstable_by(better);
}

/// Confident before not confident, then by score; of equals the photo indexed first.
fn better(a: &Standing, b: &Standing) -> Ordering {
    b.confident
        .cmp(&a.confident)
        .then(b.score.total_cmp(&a.score))
        .then(a.photo.cmp(&b.photo))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However the photos are divided, the best are those of all of them in order.
        #[test]
        fn the_best_are_those_of_all(
            scores in prop::collection::vec((0..40u8, prop::bool::weighted(0.1)), 0..4000),
            beyond in prop_oneof![Just(0), Just(1), 2..30usize, Just(usize::MAX)],
            parts in 1..4usize,
        ) {
            let all: Vec<Standing> = (0..)
                .zip(&scores)
                .map(|(photo, (score, confident))| Standing {
                    photo,
                    cosine: 0.0,
                    score: f32::from(*score),
                    confident: *confident,
                })
                .collect();
            let mut best = Best::new(beyond);
            for part in all.chunks(all.len() / parts + 1) {
                let mut of_part = Best::new(beyond);
                part.iter().for_each(|standing| of_part.put(*standing));
                best.join(of_part);
            }
            let mut found = best.into_standings();
            let found_len = found.len();
            sort_best(&mut found, found_len);
            let mut wanted = all;
            wanted.sort_by(better);
            let confident = wanted.iter().filter(|standing| standing.confident).count();
            wanted.truncate(confident.saturating_add(beyond));
            prop_assert_eq!(found, wanted);
        }
    }
}
