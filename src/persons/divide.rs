//! One look into two, where a person says that it is not one person.

use crate::faces::distance;

/// Rounds after which it is left as it is: it settles after a few.
const ROUNDS: usize = 50;

/// Which faces are the second person's: two means, begun with the two faces that are farthest apart of those
/// tried, until no face changes sides. The larger part comes first (false); of equals the one with the first
/// face. Fewer than two faces are not divided.
pub(crate) fn divide(vectors: &[Vec<f32>]) -> Vec<bool> {
    let mut second = vec![false; vectors.len()];
    if vectors.len() < 2 {
        return second;
    }
    let farthest = |from: usize| {
        let apart = |at: &usize| distance(&vectors[*at], &vectors[from]);
        let others = (0..vectors.len()).filter(|at| *at != from);
        others.max_by(|a, b| apart(a).total_cmp(&apart(b)))
    };
    let Some(one) = farthest(0) else {
        return second;
    };
    let Some(other) = farthest(one) else {
        return second;
    };
    let mut middles = [vectors[one].clone(), vectors[other].clone()];
    for _ in 0..ROUNDS {
        let mut now: Vec<bool> = vectors
            .iter()
            .map(|v| distance(v, &middles[1]) < distance(v, &middles[0]))
            .collect();
        // All alike: somebody has to go.
        if !now.contains(&true) {
            now[other] = true;
        } else if !now.contains(&false) {
            now[one] = false;
        }
        let done = now == second;
        second = now;
        if done {
            break;
        }
        for (side, middle) in [false, true].into_iter().zip(&mut middles) {
            *middle = mean(
                vectors
                    .iter()
                    .zip(&second)
                    .filter(|(_, s)| **s == side)
                    .map(|(v, _)| v),
            );
        }
    }
    let away = second.iter().filter(|side| **side).count();
    let smaller_is_first = 2 * away > second.len() || (2 * away == second.len() && second[0]);
    if smaller_is_first {
        second.iter_mut().for_each(|side| *side = !*side);
    }
    second
}

fn mean<'a>(vectors: impl Iterator<Item = &'a Vec<f32>>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0.0;
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, v)| *sum += v);
        count += 1.0;
    }
    sum.iter_mut().for_each(|v| *v /= count);
    sum
}
