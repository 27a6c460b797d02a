//! Where photos were taken, as people say it.
//!
//! Whoever changes a photo's coordinates need not know of this: a trigger takes the locality away, and the
//! next [`Store::apply`] looks up what has none, in its own transaction. What an older gazetteer has named
//! waits for [`Store::locate_again`]. The words for a locality are written with its first photo, so that a
//! query needs no gazetteer.
//!
//! Cost: one look at an index a transaction; a photo with coordinates is a look-up and an UPDATE.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader};
use crate::photo::{Locality, LocalityNames};

/// Who knows the names of places.
pub trait NamesLocalities: Send {
    /// What tells its data from another's.
    fn identity(&self) -> &str;
    /// Where a point is.
    fn locality(&mut self, lat: f64, lon: f64) -> Option<Locality>;
    /// All words for where a point is.
    fn words(&mut self, lat: f64, lon: f64) -> LocalityNames;
}

/// A gazetteer that the index knows.
pub(super) struct Gazetteer {
    names: Box<dyn NamesLocalities>,
    /// `gazetteers.id`.
    id: i64,
}

/// A locality and how many photos were taken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalityCount {
    /// `localities.id`.
    pub id: i64,
    /// Where.
    pub locality: Locality,
    /// Photos (contents) that lie somewhere.
    pub photos: i64,
}

/// Where photos must have been taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalityFilter {
    /// In one of these (`localities.id`).
    pub within: Option<Vec<i64>>,
    /// No coordinates are known.
    pub nowhere: bool,
}

impl LocalityFilter {
    /// Whether every photo fits.
    pub fn is_empty(&self) -> bool {
        self.within.is_none() && !self.nowhere
    }

    /// Conditions over `files f`.
    pub(super) fn conditions(&self) -> Vec<String> {
        // As a list that is made once: the row of a photo is long, and a walk would look at all of them.
        let within = self.photos();
        let within = within.iter().map(|photos| format!("f.photo IN ({photos})"));
        let nowhere = self.nowhere.then(|| {
            "EXISTS (SELECT 1 FROM photos l WHERE l.id = f.photo AND l.lat IS NULL)".to_owned()
        });
        within.chain(nowhere).collect()
    }

    /// A statement that gives the photos within, if that is asked.
    pub(super) fn photos(&self) -> Option<String> {
        self.within.as_ref().map(|ids| {
            format!(
                "SELECT id AS photo FROM photos WHERE locality IS NOT NULL AND locality IN ({})",
                list(ids)
            )
        })
    }
}

fn list(ids: &[i64]) -> String {
    // SQLite finds no plan for an index by which nothing is asked for.
    if ids.is_empty() {
        return "NULL".to_owned();
    }
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    ids.join(",")
}

impl Store {
    /// Has localities named by this gazetteer from now on.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn name_localities(&mut self, names: Box<dyn NamesLocalities>) -> Result<(), StoreError> {
        let known = "SELECT id FROM gazetteers WHERE identity = ?1";
        let identity = names.identity();
        let id = self
            .conn
            .query_row(known, [identity], |r| r.get(0))
            .optional()
            .at(&self.path)?;
        let id = match id {
            Some(id) => id,
            None => self
                .conn
                .query_row(
                    "INSERT INTO gazetteers (identity) VALUES (?1) RETURNING id",
                    [identity],
                    |r| r.get(0),
                )
                .at(&self.path)?,
        };
        self.gazetteer = Some(Gazetteer { names, id });
        Ok(())
    }

    /// Looks up where up to `limit` photos were taken that no gazetteer or another one has looked up;
    /// true: there may be more, call again.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing of this step is.
    pub fn locate_again(&mut self, limit: usize) -> Result<bool, StoreError> {
        let Some(gazetteer) = &mut self.gazetteer else {
            return Ok(false);
        };
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let tx = self.conn.transaction().at(&self.path)?;
        let mut left = limit;
        // Each is one way along the index.
        for which in ["gazetteer IS NULL", "gazetteer < ?1", "gazetteer > ?1"] {
            left -= locate(&tx, gazetteer, which, left).at(&self.path)?;
        }
        tx.commit().at(&self.path)?;
        Ok(left == 0)
    }
}

/// Looks up where photos were taken whose coordinates have changed.
pub(super) fn locate_new(conn: &Connection, gazetteer: &mut Gazetteer) -> rusqlite::Result<()> {
    locate(conn, gazetteer, "gazetteer IS NULL", -1).map(|_| ())
}

/// Returns how many.
fn locate(
    conn: &Connection,
    gazetteer: &mut Gazetteer,
    which: &str,
    limit: i64,
) -> rusqlite::Result<i64> {
    if limit == 0 {
        return Ok(0);
    }
    let sql = format!(
        "SELECT id, lat, lon, ?1 FROM photos INDEXED BY photos_by_gazetteer
         WHERE lat IS NOT NULL AND {which} LIMIT ?2"
    );
    let photos: Vec<(i64, f64, Option<f64>)> = conn
        .prepare_cached(&sql)?
        .query_map([gazetteer.id, limit], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut count = 0;
    for (photo, lat, lon) in photos {
        let lon = lon.unwrap_or(f64::NAN);
        let found = gazetteer.names.locality(lat, lon);
        let locality = found
            .map(|found| locality_id(conn, &found, || gazetteer.names.words(lat, lon)))
            .transpose()?;
        conn.prepare_cached("UPDATE photos SET locality = ?2, gazetteer = ?3 WHERE id = ?1")?
            .execute(params![photo, locality, gazetteer.id])?;
        count += 1;
    }
    Ok(count)
}

/// The key of a locality, made with its words if it is new.
fn locality_id(
    conn: &Connection,
    locality: &Locality,
    words: impl FnOnce() -> LocalityNames,
) -> rusqlite::Result<i64> {
    let region = locality.region.as_deref().unwrap_or_default();
    let name = locality.name.as_deref().unwrap_or_default();
    let key = params![locality.code, region, name, locality.near];
    let known = conn
        .prepare_cached(
            "SELECT id FROM localities WHERE code = ?1 AND region = ?2 AND name = ?3 AND near = ?4",
        )?
        .query_row(key, |r| r.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let words = words();
    let said = [
        (&words.country, "", ""),
        (&words.region, region, ""),
        (&words.place, region, name),
    ];
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO locality_words (word, code, region, name) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (words, region, name) in said {
        for word in words {
            insert.execute(params![word, locality.code, region, name])?;
        }
    }
    conn.prepare_cached(
        "INSERT INTO localities (code, region, name, near, country) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
    )?
    .query_row(
        params![locality.code, region, name, locality.near, locality.country],
        |r| r.get(0),
    )
}

impl StoreReader {
    /// Where a photo was taken.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn locality_of(&self, photo: i64) -> Result<Option<Locality>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT l.code, l.region, l.name, l.near, l.country
                 FROM photos p JOIN localities l ON l.id = p.locality WHERE p.id = ?1",
            )
            .and_then(|mut s| s.query_row([photo], |r| locality_of(r, 0)).optional())
            .at(&self.path)
    }

    /// The localities (`localities.id`) that a word means, ascending: places of this name, and all in a
    /// region or country of this name. The word has no case and accents any more.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn localities_called(&self, word: &str) -> Result<Vec<i64>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT DISTINCT l.id FROM locality_words w JOIN localities l
                     ON l.code = w.code AND (w.region = '' OR l.region = w.region) AND (w.name = '' OR l.name = w.name)
                 WHERE w.word = ?1 ORDER BY l.id",
            )
            .and_then(|mut s| s.query_map([word], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// The photos taken in these localities, ascending.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn taken_in(&self, localities: &[i64]) -> Result<Vec<i64>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT id FROM photos INDEXED BY photos_by_locality
                 WHERE locality IS NOT NULL AND locality IN (SELECT value FROM json_each(?1)) ORDER BY id",
            )
            .and_then(|mut s| s.query_map([format!("{localities:?}")], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// Every locality with at least one photo, by country, region and name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn locality_counts(&self) -> Result<Vec<LocalityCount>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT id, photos, code, region, name, near, country FROM localities WHERE photos > 0
                 ORDER BY country, region, name, near",
            )
            .and_then(|mut s| {
                s.query_map([], |r| {
                    Ok(LocalityCount {
                        id: r.get(0)?,
                        photos: r.get(1)?,
                        locality: locality_of(r, 2)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }
}

/// From the columns code, region, name, near, country.
pub(super) fn locality_of(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Locality> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Locality {
        code: row.get(first)?,
        region: some(row.get(first + 1)?),
        name: some(row.get(first + 2)?),
        near: row.get(first + 3)?,
        country: row.get(first + 4)?,
    })
}
