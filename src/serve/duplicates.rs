//! Photos that are there several times, or look alike: copies that were scaled or saved again, and shots of a
//! burst.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::answer::{Failed, as_bytes};
use super::desk::Desk;
use super::view::{ViewBody, ViewHead};
use crate::store::Appearance;

/// Bits of 144 in which perceptual hashes of photos that look alike differ, at most. Of 128 everyday photos
/// the copies of half the size at JPEG quality 60 differ by 0 to 5 bits, those cropped by 2 % at each side by 8
/// (median; 13 in nineteen of twenty), different photos by 29 and more.
const ALIKE: u32 = 8;
/// Two that differ by no more have one of so many parts in common: one part more than bits.
const PARTS: usize = ALIKE as usize + 1;
/// So many with the same part are compared each with each. Of more (black frames, say) each is with those
/// next to it by the whole hash.
const EACH_WITH_EACH: usize = 500;
const NEXT: usize = 32;

/// `POST /api/v1/duplicates`
pub(super) async fn duplicates(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    let view = desk.with(|desk, reader| {
        let tiles = desk.tiles(reader)?;
        let mut looks = HashMap::new();
        reader.appearances(&mut |look| {
            looks.insert(look.photo, look);
        })?;
        // Newest first, and of a raw with its JPEG only the face.
        let looks: Vec<Appearance> = tiles
            .all
            .tiles()
            .ids()
            .filter_map(|id| looks.remove(&id))
            .collect();
        let sets = sets(&looks);
        let groups = sets.iter().map(Vec::len).collect();
        let photos = sets.iter().flatten().map(|at| looks[*at].photo);
        let photos: Vec<i64> = photos.collect();
        let head = ViewHead {
            groups: Some(groups),
            ..tiles.head()
        };
        ViewBody::of(&Arc::new(tiles.all.in_order(&photos)?), head)
    });
    Ok(as_bytes("application/octet-stream", view.await?))
}

/// Sets of what looks alike, each in the order of its first, the largest picture first; and what is at several
/// places by itself.
fn sets(looks: &[Appearance]) -> Vec<Vec<usize>> {
    let mut together = Together((0..looks.len()).collect());
    let near = |a: usize, b: usize| distance(&looks[a].hash, &looks[b].hash) <= ALIKE;
    let mut order: Vec<usize> = (0..looks.len()).collect();
    for part in 0..PARTS {
        let key = |at: &usize| (part_of(&looks[*at].hash, part), &looks[*at].hash);
        order.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        for same in order.chunk_by(|a, b| key(a).0 == key(b).0) {
            let reach = if same.len() > EACH_WITH_EACH {
                NEXT
            } else {
                same.len()
            };
            for (i, a) in same.iter().enumerate() {
                for b in same[i + 1..].iter().take(reach) {
                    if near(*a, *b) {
                        together.join(*a, *b);
                    }
                }
            }
        }
    }
    let mut sets: Vec<Vec<usize>> = vec![Vec::new(); looks.len()];
    for at in 0..looks.len() {
        let first = together.first(at);
        sets[first].push(at);
    }
    sets.retain(|set| set.len() > 1 || set.iter().any(|at| looks[*at].places > 1));
    for set in &mut sets {
        set.sort_by_key(|at| std::cmp::Reverse(looks[*at].pixels));
    }
    sets
}

fn distance(a: &[u8], b: &[u8]) -> u32 {
    let differ = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones());
    differ.sum::<u32>() + 8 * a.len().abs_diff(b.len()) as u32
}

/// One of the parts that a hash is divided into.
fn part_of(hash: &[u8], part: usize) -> &[u8] {
    let size = hash.len().div_ceil(PARTS).max(1);
    let from = (part * size).min(hash.len());
    &hash[from..(from + size).min(hash.len())]
}

/// What belongs together; each knows an earlier one, the first itself.
struct Together(Vec<usize>);

impl Together {
    fn first(&mut self, at: usize) -> usize {
        let mut first = at;
        while self.0[first] != first {
            self.0[first] = self.0[self.0[first]];
            first = self.0[first];
        }
        first
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(photo: i64, hash: Vec<u8>) -> Appearance {
        Appearance {
            photo,
            hash,
            pixels: photo,
            places: 1,
        }
    }

    fn flipped(hash: &[u8], bits: &[usize]) -> Vec<u8> {
        let mut other = hash.to_vec();
        for bit in bits {
            other[bit / 8] ^= 1 << (bit % 8);
        }
        other
    }

    proptest! {
        #[test]
        fn what_differs_little_is_found_wherever_it_differs(
            hash in prop::collection::vec(any::<u8>(), 18),
            other in prop::collection::vec(any::<u8>(), 18),
            bits in prop::collection::btree_set(0usize..144, 0..=8),
        ) {
            prop_assume!(distance(&hash, &other) > 30);
            let bits: Vec<usize> = bits.into_iter().collect();
            let looks = [look(1, hash.clone()), look(2, other), look(3, flipped(&hash, &bits))];
            prop_assert_eq!(sets(&looks), [[2, 0]]);
        }
    }

    #[test]
    fn copies_of_one_file_are_a_set_and_single_photos_none() {
        let mut looks = vec![look(1, vec![0; 18]), look(2, vec![0xff; 18])];
        assert!(sets(&looks).is_empty());
        looks[1].places = 2;
        assert_eq!(sets(&looks), [[1]]);
    }

    #[test]
    fn very_many_that_are_the_same_are_one_set() {
        let looks: Vec<Appearance> = (0..3000).map(|i| look(i, vec![7; 18])).collect();
        assert_eq!(sets(&looks).len(), 1);
        assert_eq!(sets(&looks)[0].len(), 3000);
    }
}
