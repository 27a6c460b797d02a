//! Tags: which terms belong to which photo, with confidence and who said so.
//!
//! A photo's tags are replaced as a whole, in the transaction that says which snapshot
//! ([`crate::tag::Tagger`]) made them: `photos.tagger`. Rows of another snapshot are tagged again from
//! stored vectors, the newest photos first. How many photos carry a term is kept, not counted.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::error::{At, StoreError};
use super::{INDEX_FILE, Store, StoreReader};
use crate::embedding::{Sources, Tag};

/// The tags of one photo, and what made them.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagged {
    /// `taggers.id`.
    pub tagger: i64,
    /// All of them, one a term.
    pub tags: Vec<Tag>,
}

/// A term and how many photos carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCount {
    /// Key in its vocabulary.
    pub key: String,
    /// Name shown to people.
    pub name: String,
    /// Photos (contents) that lie somewhere and carry it.
    pub photos: i64,
}

/// A confidence is stored in so many steps from 0 to 1.
pub const CONFIDENCE_STEPS: f32 = 10_000.0;
/// Above every confidence.
pub const BEYOND_SURE: f32 = 1.1;

/// A confidence as stored.
pub(super) fn column(confidence: f32) -> i64 {
    (f64::from(confidence) * f64::from(CONFIDENCE_STEPS)).round() as i64
}

fn from_column(stored: i64) -> f32 {
    stored as f32 / CONFIDENCE_STEPS
}

impl StoreReader {
    /// The tags of one photo, surest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tags_of(&self, photo: i64, min_confidence: f32) -> Result<Vec<Tag>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT t.key, t.name, g.confidence, g.sources FROM tags g JOIN terms t ON t.id = g.term
                 WHERE g.photo = ?1 AND g.confidence >= ?2 ORDER BY g.confidence DESC, t.name",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map(params![photo, column(min_confidence)], |r| {
                Ok(Tag {
                    key: r.get::<_, String>(0)?.into(),
                    name: r.get::<_, String>(1)?.into(),
                    confidence: from_column(r.get(2)?),
                    sources: Sources(r.get(3)?),
                })
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Every term with at least one photo at or above the confidence, most photos first. Read off
    /// the kept numbers, if they are of this confidence; else counted, some 20 s for a million photos.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tag_counts(&self, min_confidence: f32) -> Result<Vec<TagCount>, StoreError> {
        let kept: i64 = self
            .conn
            .query_row("SELECT cutoff FROM database", [], |r| r.get(0))
            .at(&self.path)?;
        let cutoff = column(min_confidence);
        let sql = if kept == cutoff {
            "SELECT key, name, photos FROM terms WHERE photos > 0 AND ?1 >= 0
             ORDER BY photos DESC, name"
        } else {
            "SELECT t.key, t.name, count(*) FROM tags g JOIN terms t ON t.id = g.term
                 JOIN photos p ON p.id = g.photo
             WHERE g.confidence >= ?1 AND p.places > 0 GROUP BY t.id ORDER BY 3 DESC, t.name"
        };
        let mut stmt = self.conn.prepare_cached(sql).at(&self.path)?;
        let rows = stmt
            .query_map([cutoff], |r| {
                Ok(TagCount {
                    key: r.get(0)?,
                    name: r.get(1)?,
                    photos: r.get(2)?,
                })
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Shows which photos carry these terms with a confidence from `least` to below `below`, and with which, by
    /// term and confidence; photos that lie nowhere included, those with several terms several times. Reads one
    /// index, proportional to what it shows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tag_confidences(
        &self,
        keys: &[impl AsRef<str>],
        (least, below): (f32, f32),
        visit: &mut dyn FnMut(i64, f32),
    ) -> Result<(), StoreError> {
        for key in keys {
            self.each(
                // In one number, whose lowest 14 bits have room for all steps: of a million rows, fetching a second
                // column took a sixth of the time.
                "SELECT photo << 14 | confidence FROM tags INDEXED BY tags_by_term
                 WHERE term = (SELECT id FROM terms WHERE key = ?1) AND confidence >= ?2 AND confidence < ?3",
                params![key.as_ref(), column(least), column(below)],
                &mut |r| {
                    let both: i64 = r.get(0)?;
                    visit(both >> 14, from_column(both & 0x3FFF));
                    Ok(())
                },
            )?;
        }
        Ok(())
    }

    /// Up to `limit` photos whose tags another snapshot made, the newest photos first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn stale(&self, tagger: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // Two ranges of one index instead of "other than", which would read all of it.
        self.conn
            .prepare_cached(
                "SELECT id FROM (SELECT id FROM photos WHERE tagger < ?1 ORDER BY tagger DESC, id DESC LIMIT ?2)
                 UNION ALL
                 SELECT id FROM (SELECT id FROM photos WHERE tagger > ?1 ORDER BY tagger DESC, id DESC LIMIT ?2)
                 LIMIT ?2",
            )
            .and_then(|mut s| s.query_map([tagger, limit], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// How many photos' tags another snapshot made.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn stale_count(&self, tagger: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM photos WHERE tagger < ?1)
                      + (SELECT count(*) FROM photos WHERE tagger > ?1)",
            )
            .and_then(|mut s| s.query_row([tagger], |r| r.get(0)))
            .at(&self.path)
    }

    /// How often a person has asked to have all photos tagged again.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn asked_again(&self) -> Result<i64, StoreError> {
        self.conn
            .query_row("SELECT again FROM database", [], |r| r.get(0))
            .at(&self.path)
    }
}

impl Store {
    /// The key of a snapshot, made if it is new.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn adopt_tagger(&mut self, identity: &str) -> Result<i64, StoreError> {
        self.conn
            .query_row(
                "INSERT INTO taggers (identity) VALUES (?1)
                 ON CONFLICT (identity) DO UPDATE SET identity = excluded.identity RETURNING id",
                [identity],
                |r| r.get(0),
            )
            .at(&self.path)
    }

    /// Replaces the tags of some photos, all of them or none. Photos that are gone are passed over.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn retag(&mut self, photos: &[(i64, Tagged)]) -> Result<(), StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        for (photo, tagged) in photos {
            put(&tx, *photo, tagged).at(&self.path)?;
        }
        tx.commit().at(&self.path)
    }

    /// Makes this the confidence from which photos are counted; another one is counted once, some
    /// 20 s for a million photos.
    ///
    /// # Errors
    /// If the database cannot be written; then the old one stays.
    pub fn count_from(&mut self, min_confidence: f32) -> Result<(), StoreError> {
        let cutoff = column(min_confidence);
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        let other = tx
            .execute(
                "UPDATE database SET cutoff = ?1 WHERE cutoff <> ?1",
                [cutoff],
            )
            .at(&self.path)?;
        if other > 0 {
            tx.execute(
                "UPDATE terms SET photos = (SELECT count(*) FROM tags g JOIN photos p ON p.id = g.photo
                 WHERE g.term = terms.id AND g.confidence >= ?1 AND p.places > 0)",
                [cutoff],
            )
            .at(&self.path)?;
        }
        tx.commit().at(&self.path)
    }

    /// Notes that a person wants all photos tagged again; how often that has been.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn ask_again(&mut self) -> Result<i64, StoreError> {
        note_wish(&self.conn).at(&self.path)
    }
}

/// [`Store::ask_again`] where another process writes.
///
/// # Errors
/// If the database cannot be written.
pub fn ask_again_beside(data_dir: &Path) -> Result<i64, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let conn = super::checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(&path)?;
    conn.busy_timeout(Duration::from_secs(10)).at(&path)?;
    note_wish(&conn).at(&path)
}

fn note_wish(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row(
        "UPDATE database SET again = again + 1 RETURNING again",
        [],
        |r| r.get(0),
    )
}

/// Replaces what is said of one photo.
pub(super) fn put(conn: &Connection, photo: i64, tagged: &Tagged) -> rusqlite::Result<()> {
    let there = conn
        .prepare_cached("UPDATE photos SET tagger = ?2 WHERE id = ?1")?
        .execute([photo, tagged.tagger])?;
    if there == 0 {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM tags WHERE photo = ?1")?
        .execute([photo])?;
    for tag in &tagged.tags {
        let term = term_id(conn, tag)?;
        conn.prepare_cached(
            "INSERT INTO tags (photo, term, confidence, sources) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (photo, term) DO NOTHING",
        )?
        .execute(params![photo, term, column(tag.confidence), tag.sources.0])?;
    }
    Ok(())
}

/// The id of a term, interned if it is new.
fn term_id(conn: &Connection, tag: &Tag) -> rusqlite::Result<i64> {
    let known: Option<(i64, bool)> = conn
        .prepare_cached("SELECT id, name = ?2 FROM terms WHERE key = ?1")?
        .query_row([&*tag.key, &*tag.name], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match known {
        Some((id, true)) => Ok(id),
        _ => conn
            .prepare_cached(
                "INSERT INTO terms (key, name) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET name = excluded.name RETURNING id",
            )?
            .query_row([&*tag.key, &*tag.name], |r| r.get(0)),
    }
}
