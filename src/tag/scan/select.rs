//! What of a stream of rough scores may be among the `k` best.
//!
//! With rough scores at most `margin` off, and `t` the `k`-th best of them: `k` rows have an exact
//! score of at least `t − margin`, so a row that is rougher than `t − 2·margin` is not among the
//! exact `k` best. All others are kept, most often a few more than `k`.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A score beyond this is no cosine, whatever the rounding: the row is damaged.
pub(super) const MOST: f32 = 1.05;
/// Kept rows are looked through again when there are this many, or twice those left the last time.
const TIDY: usize = 256;

/// For one photo.
#[derive(Debug)]
pub(super) struct Select {
    k: usize,
    margin: f32,
    /// Below it nothing is kept; −∞ until there are `k`.
    floor: f32,
    /// The `k` best rough scores, the worst on top.
    best: BinaryHeap<Reverse<Score>>,
    near: Vec<(u32, f32)>,
    tidy: usize,
}

impl Select {
    pub(super) fn new(k: usize, margin: f32) -> Self {
        Self {
            k,
            margin,
            floor: f32::NEG_INFINITY,
            best: BinaryHeap::new(),
            near: Vec::new(),
            tidy: TIDY,
        }
    }

    /// Whether a row of this score is to be pushed. Never, if it is no number.
    #[inline]
    pub(super) fn wants(&self, score: f32) -> bool {
        score >= self.floor
    }

    pub(super) fn push(&mut self, row: u32, score: f32) {
        if !self.wants(score) || score.abs() > MOST {
            return;
        }
        self.near.push((row, score));
        if self.best.len() < self.k {
            self.best.push(Reverse(Score(score)));
        } else if let Some(mut worst) = self.best.peek_mut()
            && score > worst.0.0
        {
            *worst = Reverse(Score(score));
        } else {
            return self.tidy();
        }
        if let Some(worst) = self.best.peek()
            && self.best.len() == self.k
        {
            self.floor = worst.0.0 - 2.0 * self.margin;
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.near.len() >= self.tidy {
            self.near.retain(|(_, score)| *score >= self.floor);
            self.tidy = TIDY.max(self.near.len() * 2);
        }
    }

    /// Takes what another one kept of other rows.
    pub(super) fn merge(&mut self, other: Self) {
        for (row, score) in other.near {
            self.push(row, score);
        }
    }

    /// The rows that may be among the best.
    pub(super) fn near(&mut self) -> Vec<u32> {
        let floor = self.floor;
        self.near
            .iter()
            .filter(|(_, score)| *score >= floor)
            .map(|(row, _)| *row)
            .collect()
    }
}

/// Ordered; never NaN here.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f32);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Exact scores in steps, so that ties are common; rough ones off by up to the margin.
        #[test]
        fn the_best_are_always_among_the_kept(
            rows in prop::collection::vec((-20i8..=20, -1.0f32..=1.0), 0..700),
            k in 1..40usize,
            parts in 1..4usize,
        ) {
            let margin = 0.03f32;
            let exact = |at: usize| f32::from(rows[at].0) / 40.0;
            let mut all = Select::new(k, margin);
            for part in 0..parts {
                let mut select = Select::new(k, margin);
                for at in (part..rows.len()).step_by(parts) {
                    select.push(at as u32, exact(at) + rows[at].1 * margin * 0.999);
                }
                all.merge(select);
            }
            let near = all.near();
            let mut sorted: Vec<usize> = (0..rows.len()).collect();
            sorted.sort_by(|a, b| exact(*b).total_cmp(&exact(*a)).then(a.cmp(b)));
            for best in sorted.iter().take(k) {
                prop_assert!(near.contains(&(*best as u32)), "{best} of {near:?}");
            }
        }
    }

    #[test]
    fn what_is_no_cosine_does_not_count() {
        let mut select = Select::new(2, 0.001);
        for (row, score) in [
            f32::NAN,
            f32::INFINITY,
            2.0,
            0.5,
            -7.0,
            f32::NEG_INFINITY,
            0.4,
            0.3,
        ]
        .into_iter()
        .enumerate()
        {
            select.push(row as u32, score);
        }
        assert_eq!(select.near(), [3, 6]);
    }

    #[test]
    fn memory_follows_what_is_near_and_not_the_bank() {
        let mut select = Select::new(15, 0.001);
        for row in 0..100_000u32 {
            // Ever better: each is pushed.
            select.push(row, row as f32 / 100_000.0);
        }
        assert!(
            select.near.capacity() <= 4 * TIDY,
            "{}",
            select.near.capacity()
        );
    }
}
