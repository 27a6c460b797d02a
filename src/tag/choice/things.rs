//! The things in a photo: which labels say something that the nearer ones have not said.
//!
//! Matching pursuit: the nearest label is the first thing. What its vector explains is taken out of
//! the photo's, and of every label; the label that is then nearest to the rest is the next thing,
//! and so on. S. Mallat, Z. Zhang, *Matching Pursuits with Time-Frequency Dictionaries*, IEEE
//! Transactions on Signal Processing 41 (1993), in its orthogonal form.

use super::Candidate;

/// Most things in a photo.
const MOST: usize = 5;
/// Cosine of a label with what is left of the photo from which it is a thing.
const LEAST: f64 = 0.25;
/// Labels have so much of them left at least, as far as their cosine is concerned: one that is
/// nearly explained itself must not be scaled up to meaning.
const LEFT: f64 = 0.15;

/// For each candidate, nearest first, its cosine with what was left of the photo when it was found
/// to be another thing; 0 if it is none, and for the first.
pub(super) fn news(candidates: &[Candidate<'_>]) -> Vec<f64> {
    let count = candidates.len();
    let mut news = vec![0.0; count];
    // Of the photo's and each label's vector: their dot product after what the things explain is
    // taken out of both, and how much of the label is left (squared length).
    let mut rest: Vec<f64> = candidates.iter().map(|c| f64::from(c.cosine)).collect();
    let mut left: Vec<f64> = vec![1.0; count];
    let mut free = vec![true; count];
    let mut axes: Vec<Vec<f64>> = Vec::new();
    while axes.len() < MOST {
        let next = if axes.is_empty() {
            (count > 0).then_some((0, 0.0))
        } else {
            (0..count)
                .filter(|at| free[*at])
                .map(|at| (at, rest[at] / left[at].max(LEFT).sqrt()))
                .reduce(|best, other| if other.1 > best.1 { other } else { best })
                .filter(|(_, cosine)| *cosine >= LEAST)
        };
        let Some((thing, cosine)) = next else { break };
        news[thing] = cosine;
        free[thing] = false;
        let mut axis: Vec<f64> = candidates[thing]
            .vector
            .iter()
            .map(|v| f64::from(*v))
            .collect();
        for other in &axes {
            let along = dot(&axis, other.iter().copied());
            for (value, part) in axis.iter_mut().zip(other) {
                *value -= along * part;
            }
        }
        let length = dot(&axis, axis.iter().copied()).sqrt();
        // Nothing is left of it (or there is no vector): there is nothing to take out.
        if length < 1e-3 {
            if axes.is_empty() {
                break;
            }
            continue;
        }
        for value in &mut axis {
            *value /= length;
        }
        let photo_along = rest[thing] / length;
        for (at, candidate) in candidates.iter().enumerate() {
            let along = dot(&axis, candidate.vector.iter().map(|v| f64::from(*v)));
            rest[at] -= photo_along * along;
            left[at] -= along * along;
        }
        axes.push(axis);
    }
    news
}

/// In a fixed order of sums, several at a time.
fn dot(a: &[f64], b: impl Iterator<Item = f64>) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (place, (x, y)) in a.iter().zip(b).enumerate() {
        sums[place % LANES] += x * y;
    }
    sums.iter().sum()
}
