//! Photos that land are put among the tiles that were read before, without a look at the others: an open gallery over
//! a million photos shows one at once, and goes on doing so while many come.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::{AllTiles, Failed, Tiles, day_of, log_ratio, narrow};
use crate::search::raws_with;
use crate::store::{NewPhoto, StoreReader};

/// Changes that are looked at one by one; with more, all tiles are read again.
const MOST: i64 = 1000;

/// A new photo, and the place among the old tiles before which it goes.
struct Landing {
    before: usize,
    id: u32,
    ratio: u8,
    day: i32,
}

impl AllTiles {
    /// The same with the photos that have come since. `None` where all have to be read again: something else has
    /// happened, too, or too much.
    pub fn with_what_came(&self, reader: &StoreReader) -> Result<Option<Self>, Failed> {
        reader.at_one_moment(|| {
            let now = reader.tiles_mark()?;
            let Some(earlier) = self.mark else {
                return Ok(None);
            };
            let changes = now.changes - earlier.changes;
            if !(0..=MOST).contains(&changes) {
                return Ok(None);
            }
            let came = reader.come_after(earlier.newest)?;
            // Nothing else has happened if each change was a place of theirs.
            if came.iter().any(|photo| photo.places != 1) || came.len() as i64 != changes {
                return Ok(None);
            }
            let mut faces = self.faces.clone();
            let mut shown_as_another = HashSet::new();
            for photo in &came {
                for (raw, face) in raws_with(reader, photo.shape.photo)? {
                    faces.insert(narrow(raw)?, narrow(face)?);
                    shown_as_another.insert(narrow(raw)?);
                }
            }
            let mut landings = Vec::with_capacity(came.len());
            for photo in &came {
                let id = narrow(photo.shape.photo)?;
                if shown_as_another.contains(&id) {
                    continue;
                }
                let Some(before) = self.tiles.place_for(reader, photo)? else {
                    return Ok(None);
                };
                landings.push(Landing {
                    before,
                    id,
                    ratio: log_ratio(photo.shape.width, photo.shape.height),
                    day: day_of(photo.taken_ms),
                });
            }
            Ok(Some(Self {
                tiles: Arc::new(self.tiles.with(&landings, &shown_as_another)),
                faces,
                mark: Some(now),
            }))
        })
    }
}

impl Tiles {
    /// The place of the first tile that a new photo goes before. `None` if one that it is compared with has gone.
    fn place_for(&self, reader: &StoreReader, new: &NewPhoto) -> Result<Option<usize>, Failed> {
        let day = day_of(new.taken_ms);
        let mut low = 0;
        for (of, photos) in &self.days {
            let behind = low + *photos as usize;
            match of.cmp(&day) {
                Ordering::Greater => low = behind,
                Ordering::Less => break,
                Ordering::Equal => {
                    let mut high = behind;
                    while low < high {
                        let middle = low.midpoint(high);
                        let id = i64::from(self.ids[middle]);
                        let Some(taken_ms) = reader.moment_of(id)? else {
                            return Ok(None);
                        };
                        if (taken_ms, id) > (new.taken_ms, new.shape.photo) {
                            low = middle + 1;
                        } else {
                            high = middle;
                        }
                    }
                    break;
                }
            }
        }
        Ok(Some(low))
    }

    /// These with others, which are in their order, and without some.
    fn with(&self, landings: &[Landing], without: &HashSet<u32>) -> Self {
        let mut made = Self::with_room_for(self.ids.len() + landings.len());
        let mut landings = landings.iter().peekable();
        let mut at = 0;
        for (day, photos) in &self.days {
            for _ in 0..*photos {
                while let Some(new) = landings.next_if(|new| new.before == at) {
                    made.push(new.id, new.ratio, new.day);
                }
                if !without.contains(&self.ids[at]) {
                    made.push(self.ids[at], self.ratios[at], *day);
                }
                at += 1;
            }
        }
        for new in landings {
            made.push(new.id, new.ratio, new.day);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::DAY_MS;
    use super::*;
    use crate::store::tests::library::Library;

    /// Photo `n`, taken then, at its place.
    fn put(lib: &mut Library, root: i64, path: &str, n: u64, taken_ms: i64, format: &str) -> i64 {
        let id = lib.put(root, path, n);
        lib.sql(&format!(
            "UPDATE files SET taken = {taken_ms} WHERE photo = {id};
             UPDATE photos SET width = {n}, height = 1, format = '{format}' WHERE id = {id};
             UPDATE database SET tiles = (SELECT count(*) FROM files)"
        ));
        id
    }

    #[test]
    fn what_lands_takes_its_place_without_a_look_at_the_others() {
        let mut lib = Library::new();
        let root = lib.root("/p");
        for n in 1..4 {
            let taken = (10 + n / 2) * DAY_MS;
            put(&mut lib, root, &format!("{n}.jpg"), n as u64, taken, "jpeg");
        }
        let before = AllTiles::read(&lib.reader()).unwrap();
        let same = before.with_what_came(&lib.reader()).unwrap().unwrap();
        assert_eq!(same.tiles, before.tiles);
        for (n, day) in [(5, 12), (4, 11), (6, 9)] {
            put(&mut lib, root, &format!("{n}.jpg"), n, day * DAY_MS, "jpeg");
        }
        let with = before.with_what_came(&lib.reader()).unwrap().unwrap();
        assert_eq!(with.tiles.ids, [4, 5, 3, 2, 1, 6]);
        assert_eq!(with.tiles.days, [(12, 1), (11, 3), (10, 1), (9, 1)]);
        // One that has gone, or has another date: all is read again.
        lib.gone(root, "2.jpg");
        assert!(with.with_what_came(&lib.reader()).unwrap().is_none());
        let without = AllTiles::read(&lib.reader()).unwrap();
        lib.sql("UPDATE files SET taken = 7 WHERE photo = 3");
        assert!(without.with_what_came(&lib.reader()).unwrap().is_none());
        // Another photo at the place of one.
        let dated = AllTiles::read(&lib.reader()).unwrap();
        lib.put(root, "3.jpg", 9);
        assert!(dated.with_what_came(&lib.reader()).unwrap().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever lands, in whatever order, raws and their JPEGs among it: the tiles are those that are read.
        #[test]
        fn landing_makes_what_reading_makes(
            photos in prop::collection::vec((0..6u8, 0..5i64, 0..4usize), 1..14),
            splits in prop::collection::vec(any::<bool>(), 14),
        ) {
            let mut lib = Library::new();
            let root = lib.root("/p");
            let mut tiles = AllTiles::read(&lib.reader()).unwrap();
            let mut names = HashSet::new();
            for (n, ((stem, moment, kind), reads)) in (1..).zip(photos.iter().zip(&splits)) {
                let (ending, format) = [("jpg", "jpeg"), ("heic", "heic"), ("arw", "raw"), ("png", "png")][*kind];
                let path = format!("{stem}.{ending}");
                if names.insert(path.clone()) {
                    put(&mut lib, root, &path, n, moment * DAY_MS / 3, format);
                }
                if *reads {
                    tiles = tiles.with_what_came(&lib.reader()).unwrap().unwrap();
                    let whole = AllTiles::read(&lib.reader()).unwrap();
                    prop_assert_eq!(&tiles.tiles, &whole.tiles);
                    prop_assert_eq!(&tiles.faces, &whole.faces);
                    prop_assert_eq!(tiles.mark, whole.mark);
                }
            }
        }
    }
}
