//! The best k of many, without sorting them all.
//!
//! Promises: the same k in the same order whichever way the candidates come or are divided among
//! threads: higher score first, equal scores by id. Cost: 16 bytes for each of the k kept, and
//! one comparison for a candidate that is not among them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A row and its cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Its id.
    pub id: i64,
    /// Cosine with the query, −1 to 1 but for rounding.
    pub score: f32,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    /// The better one is the lesser, so that sorting puts the best first and a heap's top is the
    /// worst.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.id.cmp(&other.id))
    }
}

/// A bounded heap of the best.
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    heap: BinaryHeap<Scored>,
}

impl TopK {
    /// Keeps up to `k`; memory grows with what is offered, not with `k`.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
        }
    }

    /// Offers a candidate.
    #[inline]
    pub fn push(&mut self, candidate: Scored) {
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    /// Offers all that another one kept.
    pub fn merge(&mut self, other: Self) {
        for candidate in other.heap {
            self.push(candidate);
        }
    }

    /// What was kept, best first.
    pub fn into_sorted(self) -> Vec<Scored> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_head_of_the_sorted_list(
            // Few different scores, so that ties are common.
            scores in prop::collection::vec(-4i8..=4, 0..200),
            k in 0..50usize,
            parts in 1..5usize,
        ) {
            let all: Vec<Scored> = scores
                .iter()
                .enumerate()
                .map(|(i, s)| Scored { id: (i as i64 * 37) % 211, score: f32::from(*s) / 4.0 })
                .collect();
            let mut merged = TopK::new(k);
            for part in 0..parts {
                let mut top = TopK::new(k);
                all.iter().skip(part).step_by(parts).for_each(|s| top.push(*s));
                merged.merge(top);
            }
            let mut sorted = all;
            sorted.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.id.cmp(&b.id)));
            sorted.truncate(k);
            prop_assert_eq!(merged.into_sorted(), sorted);
        }
    }

    #[test]
    fn an_endless_limit_takes_no_memory_in_advance() {
        let mut top = TopK::new(usize::MAX);
        top.push(Scored { id: 1, score: 0.5 });
        assert_eq!(top.into_sorted().len(), 1);
    }
}
