//! Photos that are there several times, or look alike: copies that were scaled or saved again, and shots of a
//! burst.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::answer::{Failed, as_bytes};
use super::desk::Desk;
use super::view::{AllTiles, ViewBody, ViewHead};
use crate::store::StoreReader;

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
        let looks = looks(reader, &tiles.all)?;
        let sets = sets(&looks);
        let groups = sets.iter().map(Vec::len).collect();
        let photos = sets.iter().flatten();
        let photos: Vec<i64> = photos.map(|at| i64::from(looks[*at].photo)).collect();
        let head = ViewHead {
            groups: Some(groups),
            ..tiles.head()
        };
        ViewBody::of(&Arc::new(tiles.all.in_order(&photos)?), head)
    });
    Ok(as_bytes("application/octet-stream", view.await?))
}

/// Bytes of a perceptual hash.
const HASH: usize = 18;

/// What a photo looks like, in 28 bytes: there may be a million.
#[derive(Clone, Copy)]
struct Look {
    photo: u32,
    hash: [u8; HASH],
    /// Width times height.
    pixels: u32,
    /// Whether several files hold it.
    has_copies: bool,
}

/// All looks, newest first; of a raw with its JPEG only the face.
fn looks(reader: &StoreReader, tiles: &AllTiles) -> Result<Vec<Look>, Failed> {
    let mut looks = Vec::with_capacity(tiles.tiles().len());
    reader.appearances(&mut |look| {
        let photo = u32::try_from(look.photo);
        if let (Ok(photo), Ok(hash)) = (photo, look.hash.try_into()) {
            looks.push(Look {
                photo,
                hash,
                pixels: u32::try_from(look.pixels).unwrap_or(u32::MAX),
                has_copies: look.places > 1,
            });
        }
    })?;
    let places = tiles.places();
    let place = |look: &Look| places.get(look.photo as usize).copied().unwrap_or(u32::MAX);
    looks.retain(|look| place(look) != u32::MAX);
    looks.sort_unstable_by_key(place);
    Ok(looks)
}

/// Sets of what looks alike, each in the order of its first, the largest picture first; and what is at several
/// places by itself.
fn sets(looks: &[Look]) -> Vec<Vec<usize>> {
    let mut together = Together((0..looks.len() as u32).collect());
    let look = |at: u32| &looks[at as usize];
    let near = |a: u32, b: u32| distance(&look(a).hash, &look(b).hash) <= ALIKE;
    let mut order = together.0.clone();
    for part in 0..PARTS {
        let key = |at: &u32| (part_of(&look(*at).hash, part), look(*at).hash);
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
    let mut members: Vec<(u32, u32)> = (0..looks.len() as u32)
        .map(|at| (together.first(at), at))
        .collect();
    members.sort_unstable();
    let sets = members.chunk_by(|a, b| a.0 == b.0);
    let sets = sets.filter(|set| set.len() > 1 || look(set[0].1).has_copies);
    sets.map(|set| {
        let mut set: Vec<usize> = set.iter().map(|(_, at)| *at as usize).collect();
        set.sort_by_key(|at| std::cmp::Reverse(looks[*at].pixels));
        set
    })
    .collect()
}

fn distance(a: &[u8; HASH], b: &[u8; HASH]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// One of the parts that a hash is divided into.
fn part_of(hash: &[u8; HASH], part: usize) -> &[u8] {
    const SIZE: usize = HASH / PARTS;
    &hash[part * SIZE..(part + 1) * SIZE]
}

/// What belongs together; each knows an earlier one, the first itself.
struct Together(Vec<u32>);

impl Together {
    fn first(&mut self, at: u32) -> u32 {
        let mut first = at as usize;
        while self.0[first] as usize != first {
            self.0[first] = self.0[self.0[first] as usize];
            first = self.0[first] as usize;
        }
        first as u32
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(photo: u32, hash: [u8; HASH]) -> Look {
        Look {
            photo,
            hash,
            pixels: photo,
            has_copies: false,
        }
    }

    fn flipped(hash: [u8; HASH], bits: &[usize]) -> [u8; HASH] {
        let mut other = hash;
        for bit in bits {
            other[bit / 8] ^= 1 << (bit % 8);
        }
        other
    }

    proptest! {
        #[test]
        fn what_differs_little_is_found_wherever_it_differs(
            hash in any::<[u8; HASH]>(),
            other in any::<[u8; HASH]>(),
            bits in prop::collection::btree_set(0usize..144, 0..=8),
        ) {
            prop_assume!(distance(&hash, &other) > 30);
            let bits: Vec<usize> = bits.into_iter().collect();
            let looks = [look(1, hash), look(2, other), look(3, flipped(hash, &bits))];
            prop_assert_eq!(sets(&looks), [[2, 0]]);
        }
    }

    #[test]
    fn copies_of_one_file_are_a_set_and_single_photos_none() {
        let mut looks = [look(1, [0; HASH]), look(2, [0xff; HASH])];
        assert!(sets(&looks).is_empty());
        looks[1].has_copies = true;
        assert_eq!(sets(&looks), [[1]]);
    }

    #[test]
    fn very_many_that_are_the_same_are_one_set() {
        let looks: Vec<Look> = (0..3000).map(|i| look(i, [7; HASH])).collect();
        assert_eq!(sets(&looks).len(), 1);
        assert_eq!(sets(&looks)[0].len(), 3000);
    }
}
