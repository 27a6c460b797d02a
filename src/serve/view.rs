//! All photos as a grid needs them, in memory: about five bytes a photo, newest first.
//!
//! A view is what is sent of it: all, those that a filter lets through, or the best of a ranked query. The
//! order never comes from the database again, so that any view costs one pass over the ids; and it is sent from
//! where it lies, a piece at a time, so that no second copy of it is made.

mod landing;

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use super::answer::Failed;
use crate::search::{Allowed, Standing, faces_of_raws};
use crate::store::{StoreReader, TilesMark};

const DAY_MS: i64 = 86_400_000;

/// Never earlier for a later moment.
fn day_of(taken_ms: i64) -> i32 {
    let day = taken_ms.div_euclid(DAY_MS);
    day.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Photos of one day that follow each other.
type DayRun = (i32, u32);

/// The photos of a grid, in its order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tiles {
    ids: Vec<u32>,
    /// [`log_ratio`] of each.
    ratios: Vec<u8>,
    days: Vec<DayRun>,
}

impl Tiles {
    /// `photos.id` of each.
    pub fn ids(&self) -> impl Iterator<Item = i64> {
        self.ids.iter().copied().map(i64::from)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    fn with_room_for(photos: usize) -> Self {
        Self {
            ids: Vec::with_capacity(photos),
            ratios: Vec::with_capacity(photos),
            days: Vec::new(),
        }
    }

    fn push(&mut self, id: u32, ratio: u8, day: i32) {
        self.ids.push(id);
        self.ratios.push(ratio);
        self.push_run((day, 1));
    }

    fn push_run(&mut self, (day, photos): DayRun) {
        match self.days.last_mut() {
            Some((last, count)) if *last == day => *count += photos,
            _ => self.days.push((day, photos)),
        }
    }
}

/// Every photo once, at its newest place; of those that are one photo, the face.
#[derive(Default)]
pub(super) struct AllTiles {
    tiles: Arc<Tiles>,
    /// Files that are shown as another one: a raw as its JPEG.
    faces: HashMap<u32, u32>,
    /// What told the tiles that these are; none of what was made for a test.
    mark: Option<TilesMark>,
}

/// What stands above a view's bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct ViewHead {
    pub clock: u64,
    pub epoch: String,
    pub n: usize,
    pub days: usize,
    pub ranked: bool,
    /// Of a ranked view: how many of the photos, which come first, are confident answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confident: Option<usize>,
    /// Photos that look alike stand together: how many each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<usize>>,
}

/// An aspect ratio in a byte: 2^((r − 128) / 32), so that a step is 2 %.
fn log_ratio(width: u32, height: u32) -> u8 {
    if width == 0 || height == 0 {
        return SQUARE;
    }
    let ratio = f64::from(width) / f64::from(height);
    (f64::from(SQUARE) + 32.0 * ratio.log2())
        .round()
        .clamp(0.0, 255.0) as u8
}

fn narrow(id: i64) -> Result<u32, Failed> {
    u32::try_from(id)
        .map_err(|_| Failed::of_ours("the index has more photos than a view can number"))
}

/// What has no size is a square.
const SQUARE: u8 = 128;

impl AllTiles {
    /// Reads all there is.
    pub fn read(reader: &StoreReader) -> Result<Self, Failed> {
        reader.at_one_moment(|| Self::read_now(reader))
    }

    fn read_now(reader: &StoreReader) -> Result<Self, Failed> {
        // Room for all from the start: what grows leaves its smaller copies behind.
        let mark = reader.tiles_mark()?;
        let mut ratios = vec![SQUARE; narrow(mark.newest)? as usize + 1];
        let mut any_raw = false;
        reader.shapes(&mut |shape| {
            any_raw |= shape.is_raw;
            let place = usize::try_from(shape.photo)
                .ok()
                .and_then(|id| ratios.get_mut(id));
            if let Some(place) = place {
                *place = log_ratio(shape.width, shape.height);
            }
        })?;
        let mut faces = HashMap::new();
        if any_raw {
            for (raw, face) in faces_of_raws(reader)? {
                faces.insert(narrow(raw)?, narrow(face)?);
            }
        }
        let mut seen = IdSet::default();
        let mut tiles = Tiles::with_room_for(usize::try_from(mark.photos).unwrap_or(0));
        let mut too_many = None;
        reader.moments(&mut |photo, taken_ms| match narrow(photo) {
            Ok(id) if !faces.contains_key(&id) && seen.insert(id) => {
                let day = day_of(taken_ms);
                tiles.push(id, ratios.get(id as usize).copied().unwrap_or(SQUARE), day);
            }
            Ok(_) => {}
            Err(e) => too_many = Some(e),
        })?;
        tiles.ids.shrink_to_fit();
        tiles.ratios.shrink_to_fit();
        let all = Self {
            tiles: Arc::new(tiles),
            faces,
            mark: Some(mark),
        };
        too_many.map_or(Ok(all), Err)
    }

    /// All tiles.
    pub fn tiles(&self) -> &Arc<Tiles> {
        &self.tiles
    }

    /// By the number of each photo its place in the order; `u32::MAX` where a number has none.
    pub fn places(&self) -> Vec<u32> {
        let newest = self.tiles.ids.iter().copied().max().unwrap_or(0);
        let mut places = vec![u32::MAX; newest as usize + 1];
        for (place, id) in (0..).zip(&self.tiles.ids) {
            places[*id as usize] = place;
        }
        places
    }

    /// Those of these photos, or whose pairs are among them.
    pub fn only(&self, mut ids: Vec<i64>) -> Tiles {
        let faces = ids.iter().filter_map(|id| self.face_of(*id));
        let faces: Vec<i64> = faces.collect();
        ids.extend(faces);
        let allowed = Allowed::these(ids);
        let mut only = Tiles::default();
        let mut at = 0;
        for (day, count) in &self.tiles.days {
            for _ in 0..*count {
                let id = self.tiles.ids[at];
                if allowed.contains(i64::from(id)) {
                    only.push(id, self.tiles.ratios[at], *day);
                }
                at += 1;
            }
        }
        only
    }

    fn face_of(&self, id: i64) -> Option<i64> {
        let id = u32::try_from(id).ok()?;
        self.faces.get(&id).map(|face| i64::from(*face))
    }

    /// The best of a ranked query, in that order, each photo once: with its score in a byte.
    pub fn best(&self, standings: &[Standing]) -> Result<BestTiles, Failed> {
        let mut best = BestTiles::default();
        let mut shown = HashSet::new();
        // Photos that have gone since they were compared are no tiles.
        let wanted = standings.iter().map(|s| s.photo);
        let wanted: Vec<i64> = wanted.map(|id| self.face_of(id).unwrap_or(id)).collect();
        let ratios = self.ratios_of(&wanted);
        let scores = standings.iter().map(|s| s.score);
        let (low, high) = scores.fold((f32::MAX, f32::MIN), |(low, high), score| {
            (low.min(score), high.max(score))
        });
        for (standing, id) in standings.iter().zip(wanted) {
            let id = narrow(id)?;
            let Some(ratio) = ratios.get(&id).filter(|_| shown.insert(id)) else {
                continue;
            };
            best.ids.push(id);
            best.ratios.push(*ratio);
            let share = (standing.score - low) / (high - low).max(f32::MIN_POSITIVE);
            best.scores.push((share * 255.0).round() as u8);
            best.confident += usize::from(standing.confident);
        }
        Ok(best)
    }

    /// These photos in this order, of no days.
    pub fn in_order(&self, photos: &[i64]) -> Result<Tiles, Failed> {
        let ratios = self.ratios_of(photos);
        let ids: Vec<u32> = photos
            .iter()
            .map(|id| narrow(*id))
            .collect::<Result<_, _>>()?;
        let ratio = |id: &u32| ratios.get(id).copied().unwrap_or(SQUARE);
        Ok(Tiles {
            ratios: ids.iter().map(ratio).collect(),
            ids,
            days: Vec::new(),
        })
    }

    fn ratios_of(&self, photos: &[i64]) -> HashMap<u32, u8> {
        let mut wanted = IdSet::default();
        for id in photos.iter().filter_map(|id| u32::try_from(*id).ok()) {
            wanted.insert(id);
        }
        let tiles = self.tiles.ids.iter().zip(&self.tiles.ratios);
        let tiles = tiles.filter(|(id, _)| wanted.contains(**id));
        tiles.map(|(id, ratio)| (*id, *ratio)).collect()
    }
}

/// The best photos of a ranked query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BestTiles {
    ids: Vec<u32>,
    ratios: Vec<u8>,
    /// 255: the best, 0: the last.
    scores: Vec<u8>,
    confident: usize,
}

/// Bytes of a view that are on their way at once.
const PIECE: usize = 64 << 10;

/// A view on its way: the line above, then ids, ratios and days.
pub(super) struct ViewBody {
    head: Option<Bytes>,
    tiles: Arc<Tiles>,
    /// How far what follows the head has gone, in bytes.
    at: usize,
}

impl ViewBody {
    /// Of these tiles.
    pub fn of(tiles: &Arc<Tiles>, mut head: ViewHead) -> Result<Self, Failed> {
        (head.n, head.days) = (tiles.ids.len(), tiles.days.len());
        Ok(Self {
            head: Some(above(&head, 0)?.into()),
            tiles: Arc::clone(tiles),
            at: 0,
        })
    }

    /// Bytes behind the head.
    fn length(&self) -> usize {
        self.days_begin() + self.tiles.days.len() * 8
    }

    /// Where the days begin, at a multiple of four.
    fn days_begin(&self) -> usize {
        (self.tiles.ids.len() * 5).next_multiple_of(4)
    }

    /// The next bytes, whole numbers of one kind; none at the end.
    fn piece(&mut self) -> Option<Vec<u8>> {
        let (tiles, days) = (&self.tiles, self.days_begin());
        let ratios = tiles.ids.len() * 4;
        let piece = if self.at < ratios {
            let ids = tiles.ids[self.at / 4..].iter().take(PIECE / 4);
            ids.flat_map(|id| id.to_le_bytes()).collect()
        } else if self.at < days {
            let from = &tiles.ratios[(self.at - ratios).min(tiles.ratios.len())..];
            let mut piece = from[..from.len().min(PIECE)].to_vec();
            if piece.len() == from.len() {
                piece.resize(days - self.at, 0);
            }
            piece
        } else {
            let runs = tiles.days[(self.at - days) / 8..].iter().take(PIECE / 8);
            runs.flat_map(|(day, count)| [day.to_le_bytes(), count.to_le_bytes()])
                .flatten()
                .collect::<Vec<u8>>()
        };
        self.at += piece.len();
        Some(piece).filter(|piece| !piece.is_empty())
    }
}

impl hyper::body::Body for ViewBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let head = self.head.take();
        let next = head.or_else(|| self.piece().map(Bytes::from));
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        let head = self.head.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact((head + self.length() - self.at) as u64)
    }
}

impl From<ViewBody> for Body {
    fn from(view: ViewBody) -> Self {
        Self::new(view)
    }
}

impl BestTiles {
    /// The bytes of a ranked view.
    pub fn bytes(&self, mut head: ViewHead) -> Result<Vec<u8>, Failed> {
        (head.n, head.ranked) = (self.ids.len(), true);
        head.confident = Some(self.confident);
        let mut out = above(&head, self.ids.len() * 6)?;
        put_ids(&mut out, &self.ids, &self.ratios);
        out.extend_from_slice(&self.scores);
        Ok(out)
    }
}

/// The line above, ended so that what follows lies at a multiple of four.
fn above(head: &ViewHead, room: usize) -> Result<Vec<u8>, Failed> {
    let mut out = serde_json::to_vec(head).map_err(|e| Failed::of_ours(&e.to_string()))?;
    out.reserve_exact(room + 16);
    while out.len() % 4 != 3 {
        out.push(b' ');
    }
    out.push(b'\n');
    Ok(out)
}

fn put_ids(out: &mut Vec<u8>, ids: &[u32], ratios: &[u8]) {
    out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    out.extend_from_slice(ratios);
    while !out.len().is_multiple_of(4) {
        out.push(0);
    }
}

/// Ids that have been seen: a bit each.
#[derive(Default)]
struct IdSet(Vec<u64>);

impl IdSet {
    /// Whether it is new.
    fn insert(&mut self, id: u32) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn contains(&self, id: u32) -> bool {
        let word = self.0.get(id as usize / 64);
        word.is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(tiles: &[(u32, u8, i32)]) -> AllTiles {
        let mut made = Tiles::default();
        for (id, ratio, day) in tiles {
            made.push(*id, *ratio, *day);
        }
        AllTiles {
            tiles: Arc::new(made),
            ..AllTiles::default()
        }
    }

    /// All that is sent of a view, which must be as long as it says.
    fn sent(mut view: ViewBody) -> Vec<u8> {
        let size = hyper::body::Body::size_hint(&view).exact().unwrap();
        let mut bytes = view.head.take().unwrap().to_vec();
        while let Some(piece) = view.piece() {
            assert!(piece.len() <= PIECE + 3);
            bytes.extend(piece);
        }
        assert_eq!(bytes.len() as u64, size);
        bytes
    }

    /// What a page makes of a view: the head and what follows it.
    fn read(bytes: &[u8]) -> (serde_json::Value, &[u8]) {
        let end = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        assert_eq!(end % 4, 0, "what follows is aligned");
        let head = serde_json::from_slice(&bytes[..end]).unwrap();
        (head, &bytes[end..])
    }

    #[test]
    fn ratios_are_true_to_two_percent() {
        for (width, height) in [(4000, 3000), (3, 4), (1, 1), (10_000, 2000), (1, 5)] {
            let back = 2f64.powf((f64::from(log_ratio(width, height)) - 128.0) / 32.0);
            let ratio = f64::from(width) / f64::from(height);
            assert!(
                (back / ratio - 1.0).abs() < 0.011,
                "{width}×{height}: {back}"
            );
        }
        assert_eq!(log_ratio(0, 7), 128);
        assert_eq!((log_ratio(100_000, 1), log_ratio(1, 100_000)), (255, 0));
    }

    #[test]
    fn a_view_is_what_the_contract_says() {
        let all = all(&[(9, 130, 2), (7, 100, 2), (8, 128, -1)]);
        let head = ViewHead {
            clock: 5,
            epoch: "ab".to_owned(),
            ..ViewHead::default()
        };
        let bytes = sent(ViewBody::of(all.tiles(), head.clone()).unwrap());
        let (line, body) = read(&bytes);
        let wanted =
            serde_json::json!({"clock": 5, "epoch": "ab", "n": 3, "days": 2, "ranked": false});
        assert_eq!(line, wanted);
        let wanted: Vec<u8> = [9u32, 7, 8]
            .iter()
            .flat_map(|id| id.to_le_bytes())
            .chain([130, 100, 128, 0])
            .chain([(2i32, 2u32), (-1, 1)].iter().flat_map(|(day, n)| {
                let mut run = day.to_le_bytes().to_vec();
                run.extend(n.to_le_bytes());
                run
            }))
            .collect();
        assert_eq!(body, wanted);
        let standing = |photo, score, confident| Standing {
            photo,
            cosine: 0.0,
            score,
            confident,
        };
        let best = [
            standing(8, 3.0, true),
            standing(1, 2.0, true),
            standing(9, 1.0, false),
        ];
        let bytes = all.best(&best).unwrap().bytes(head).unwrap();
        let (line, body) = read(&bytes);
        assert_eq!(
            (&line["ranked"], &line["confident"]),
            (&true.into(), &1.into())
        );
        assert_eq!((&line["n"], &line["days"]), (&2.into(), &0.into()));
        assert_eq!(body, [8, 0, 0, 0, 9, 0, 0, 0, 128, 130, 0, 0, 255, 0]);
    }

    #[test]
    fn a_raw_is_its_jpeg() {
        let mut all = all(&[(9, 130, 2), (7, 100, 2)]);
        all.faces.insert(3, 7);
        assert_eq!(all.only(vec![3]).ids, [7]);
        assert_eq!(all.only(vec![3, 7, 9]).ids, [9, 7]);
        assert_eq!(all.only(Vec::new()), Tiles::default());
    }

    #[test]
    fn a_long_view_is_sent_in_pieces() {
        let tiles: Vec<_> = (0..70_001u32)
            .map(|id| (id * 3, id as u8, -(id as i32) / 4))
            .collect();
        let all = all(&tiles);
        let bytes = sent(ViewBody::of(all.tiles(), ViewHead::default()).unwrap());
        let (line, body) = read(&bytes);
        assert_eq!(line["n"], 70_001);
        let number = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap());
        let (ids, days) = (70_001 * 4, (70_001usize * 5).next_multiple_of(4));
        for at in [0, 1, 16_383, 16_384, 70_000] {
            assert_eq!(number(at * 4), at as u32 * 3);
            assert_eq!(body[ids + at], at as u8);
        }
        assert_eq!(body.len(), days + 8 * (70_000 / 4 + 1));
        assert_eq!(number(days + 8 * 10_000) as i32, -10_000);
        assert_eq!(number(days + 8 * 10_000 + 4), 4);
    }

    proptest! {
        #[test]
        fn a_part_has_the_order_and_the_days_of_the_whole(
            tiles in prop::collection::btree_map(1u32..500, (any::<u8>(), -3i32..3), 0..80),
            some in prop::collection::vec(0i64..500, 0..80),
        ) {
            let tiles: Vec<_> = tiles.into_iter().map(|(id, (ratio, day))| (id, ratio, day)).collect();
            let only = all(&tiles).only(some.clone());
            let kept = tiles.iter().filter(|tile| some.contains(&i64::from(tile.0)));
            let wanted = all(&kept.copied().collect::<Vec<_>>());
            prop_assert_eq!(&only, &*wanted.tiles);
        }
    }
}
