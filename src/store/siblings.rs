//! Photos that differ from one in nothing but the ending of their names: `IMG_1.JPG` and `img_1.cr2`.
//!
//! Nothing is kept for this. Rows of `files` are in the order of their paths, so those of one stem lie
//! side by side for each way of writing it in upper and lower case. Of these ways, only those that the
//! folder has are visited: from a name that is none of them, the search goes on at the first way behind
//! it. Where all names are written alike that makes two look-ups.

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::StoreReader;
use super::error::{At, StoreError};
use super::photos::Hit;
use super::query::{PhotoFilter, is_at};
use crate::photo::{Format, RelPath, split_name};

/// Look-ups for one photo: far more than people have ways of writing a name, and few enough that no
/// folder made for it slows a query down.
const MOST_SEEKS: usize = 64;
/// Rows looked at for one photo, with the same in mind: `a.jpg` has `a.1.jpg`, `a.2.jpg`, … beside it.
const MOST_ROWS: usize = 4096;

/// A filter, made ready to be asked about single places.
pub struct Condition<'a> {
    reader: &'a StoreReader,
    filter: &'a PhotoFilter<'a>,
    sql: String,
    values: Vec<Value>,
}

impl Condition<'_> {
    /// Whether [`StoreReader::list`] with this filter shows this place.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn holds(&self, hit: &Hit) -> Result<bool, StoreError> {
        if !is_at(hit, self.filter) {
            return Ok(false);
        }
        let place = [
            Value::Integer(hit.root_id),
            Value::Blob(hit.path.as_bytes().to_vec()),
        ];
        let reader = self.reader;
        reader
            .conn
            .prepare_cached(&self.sql)
            .and_then(|mut s| s.exists(params_from_iter(place.iter().chain(&self.values))))
            .at(&reader.path)
    }
}

/// A raw and the JPEG or HEIC beside it, whose names differ only in their endings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideRaw {
    /// `photos.id`.
    pub raw: i64,
    /// Files that hold the raw.
    pub raw_places: i64,
    /// `photos.id` of what lies beside it.
    pub other: i64,
    /// When each was taken, by the camera's clock.
    pub captured: (Option<String>, Option<String>),
}

impl StoreReader {
    /// Shows what lies beside raws to `visit`, raw by raw: all of a library in one pass.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn beside_raws(&self, visit: &mut dyn FnMut(BesideRaw)) -> Result<(), StoreError> {
        // What has a stem in common is of one family.
        let sql = "SELECT r.id, r.places, o.photo, r.captured_local, q.captured_local, f.path, o.path
             FROM photos r
             CROSS JOIN files f INDEXED BY files_by_photo ON f.photo = r.id AND f.missing_since IS NULL
             CROSS JOIN files o INDEXED BY files_by_family
                 ON o.folder = f.folder AND o.family = f.family AND o.photo <> r.id AND o.missing_since IS NULL
             CROSS JOIN photos q ON q.id = o.photo AND q.format IN (?2, ?3)
             WHERE r.format = ?1 AND r.places > 0 ORDER BY r.id";
        let formats = [Format::Raw, Format::Jpeg, Format::Heic].map(Format::name);
        self.each(sql, formats, &mut |row| {
            let path = |at| -> rusqlite::Result<_> {
                Ok(RelPath::from_bytes(row.get_ref(at)?.as_blob()?))
            };
            let (path, other) = (path(5)?, path(6)?);
            let meets = Stem::of(&path).map(|stem| stem.meets(other.as_bytes()));
            if matches!(meets, Some(Meets::Ending(ending)) if !ending.contains(&b'.')) {
                visit(BesideRaw {
                    raw: row.get(0)?,
                    raw_places: row.get(1)?,
                    other: row.get(2)?,
                    captured: (row.get(3)?, row.get(4)?),
                });
            }
            Ok(())
        })
    }

    /// Makes a filter ready to be asked about single places.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn condition<'a>(
        &'a self,
        filter: &'a PhotoFilter<'a>,
    ) -> Result<Condition<'a>, StoreError> {
        let (wheres, values) = self.conditions(filter).at(&self.path)?;
        Ok(Condition {
            reader: self,
            filter,
            sql: format!("SELECT 1 FROM files f WHERE f.root = ? AND f.path = ? AND {wheres}"),
            values,
        })
    }

    /// The photos in the same folder whose names differ from this one only in what follows the last
    /// dot, and in upper and lower case (of ASCII letters); in the order of their paths.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn siblings(&self, root: i64, path: &RelPath) -> Result<Vec<Hit>, StoreError> {
        let names = self.sibling_paths(root, path).at(&self.path)?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            found.extend(self.photo_at(root, &name)?);
        }
        Ok(found)
    }

    fn sibling_paths(&self, root: i64, path: &RelPath) -> rusqlite::Result<Vec<RelPath>> {
        let mut found = Vec::new();
        let Some(stem) = Stem::of(path) else {
            return Ok(found);
        };
        let mut stmt = self.conn.prepare_cached(
            "SELECT path, photo IS NOT NULL AND missing_since IS NULL FROM files
             WHERE root = ?1 AND path >= ?2 ORDER BY path",
        )?;
        let (mut from, mut seeks, mut looked_at) = (stem.way(b""), 0, 0);
        'seek: while seeks < MOST_SEEKS {
            seeks += 1;
            let mut rows = stmt.query(params![root, from])?;
            while let Some(row) = rows.next()? {
                let at = row.get_ref(0)?.as_blob()?;
                match stem.meets(at) {
                    Meets::Ending(ending) => {
                        let is_other = at != path.as_bytes() && !ending.contains(&b'.');
                        if is_other && row.get(1)? {
                            found.push(RelPath::from_bytes(at));
                        }
                        looked_at += 1;
                        if looked_at == MOST_ROWS {
                            break 'seek;
                        }
                    }
                    Meets::GoOn(next) => {
                        from = next;
                        continue 'seek;
                    }
                    Meets::End => break 'seek,
                }
            }
            break;
        }
        Ok(found)
    }
}

/// What siblings have in common.
struct Stem<'a> {
    /// Path of the folder, with the slash.
    folder: &'a [u8],
    /// Up to the last dot, with that dot.
    name: &'a [u8],
}

/// What a path is to a stem.
#[derive(Debug, PartialEq)]
enum Meets<'a> {
    /// The stem and this.
    Ending(&'a [u8]),
    /// Something else; no path with the stem lies between it and this.
    GoOn(Vec<u8>),
    /// It lies behind all paths with the stem.
    End,
}

impl<'a> Stem<'a> {
    /// `None` where the name has no ending.
    fn of(path: &'a RelPath) -> Option<Self> {
        let name = path.name();
        let (stem, _) = split_name(name)?;
        Some(Self {
            folder: path.as_bytes().strip_suffix(name)?,
            name: &name[..=stem.len()],
        })
    }

    /// The first way of writing it that begins with this.
    fn way(&self, begin: &[u8]) -> Vec<u8> {
        let rest = self.name[begin.len()..].to_ascii_uppercase();
        [self.folder, begin, &rest].concat()
    }

    /// `path` must not lie before the folder.
    fn meets<'p>(&self, path: &'p [u8]) -> Meets<'p> {
        let Some(name) = path.strip_prefix(self.folder) else {
            return Meets::End;
        };
        let alike = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
        let same = name.iter().zip(self.name).take_while(alike).count();
        if same == self.name.len() {
            let ending = &name[same..];
            return match ending.iter().position(|b| *b == b'/') {
                None => Meets::Ending(ending),
                // A folder with such a name: on behind all that lies in it.
                Some(slash) => {
                    let folder = &path[..self.folder.len() + same + slash];
                    Meets::GoOn([folder, b"0"].concat())
                }
            };
        }
        // The first way behind the name: it goes on as the name does for as long as it can.
        let (upper, lower) = (
            self.name[same].to_ascii_uppercase(),
            self.name[same].to_ascii_lowercase(),
        );
        match name.get(same) {
            Some(at) if *at > lower => {}
            Some(at) if *at > upper => {
                return Meets::GoOn(self.way(&[&name[..same], &[lower]].concat()));
            }
            _ => return Meets::GoOn(self.way(&name[..same])),
        }
        match name[..same].iter().rposition(u8::is_ascii_uppercase) {
            Some(turn) => {
                let lower = name[turn].to_ascii_lowercase();
                Meets::GoOn(self.way(&[&name[..turn], &[lower]].concat()))
            }
            None => Meets::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stem_of(path: &RelPath) -> Option<Vec<u8>> {
        let stem = Stem::of(path)?;
        Some([stem.folder, &stem.name.to_ascii_lowercase()].concat())
    }

    proptest! {
        /// Whatever lies in a folder, the search from name to name meets just those with the stem.
        #[test]
        fn going_from_name_to_name_misses_none(
            names in prop::collection::btree_set("(a/|A/)?[aAbB_]{1,4}\\.[a.B/]{1,3}", 1..40),
        ) {
            let paths: Vec<RelPath> = names
                .iter()
                .filter(|name| !name.contains("//") && !name.ends_with('/'))
                .map(|name| RelPath::from_bytes(name.as_bytes()))
                .collect();
            for path in &paths {
                let Some(stem) = Stem::of(path) else { continue };
                let mut from = stem.way(b"");
                let mut met = Vec::new();
                let mut steps = 0;
                'seek: loop {
                    steps += 1;
                    prop_assert!(steps <= 2 + 2 * paths.len(), "each step goes on");
                    for at in paths.iter().filter(|at| at.as_bytes() >= &*from) {
                        match stem.meets(at.as_bytes()) {
                            Meets::Ending(ending) if ending.contains(&b'.') => {}
                            Meets::Ending(_) => met.push(at),
                            Meets::GoOn(next) => {
                                prop_assert!(&*next > at.as_bytes());
                                from = next;
                                continue 'seek;
                            }
                            Meets::End => break 'seek,
                        }
                    }
                    break;
                }
                let all: Vec<&RelPath> = paths
                    .iter()
                    .filter(|other| stem_of(other) == stem_of(path))
                    .collect();
                prop_assert_eq!(met, all, "beside {}", path);
            }
        }
    }
}
