//! Tags that are scored from stored vectors: how far that is, the pools of terms, and the tags.
//!
//! Promises: tags of a batch of photos and the mark that says how far labelling has come are written
//! in one transaction, so that a kill costs one batch; a photo's tags of one model are replaced as a
//! whole. Terms of the user's own lie among them under the bank [`OWN_TERMS`], and are replaced apart.
//! Never: scores anything.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader, tags};
use crate::embedding::Tag;

/// What `tags.bank` says of terms of the user's own.
pub const OWN_TERMS: &str = "own";

/// How far the photos of one search model are labelled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labelling {
    /// What made the tags, but for the number of rows.
    pub scheme: String,
    /// Rows of the bank that a photo with a vector up to `done` has been set against.
    pub rows: u32,
    /// See `rows`.
    pub done: i64,
    /// A pass over those photos with more rows; 0: none is under way.
    pub pass_rows: u32,
    /// Vectors up to this number have been through the pass.
    pub pass_done: i64,
    /// Which terms of the user's own the photos have been set against …
    pub terms: String,
    /// … and up to which vector.
    pub terms_done: i64,
    /// Photos scored as they came in.
    pub photos: u64,
    /// JSON: what random terms score in this library.
    pub background: String,
    /// JSON: what the pools know as a whole.
    pub relevance: String,
}

/// What is known of one row of a term bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRow {
    /// Row of the bank.
    pub row: u32,
    /// 0 active, 1 warm, 2 cold, 3 muted.
    pub pool: u8,
    /// Photos that kept it as a tag.
    pub hits: u64,
    /// When it last was one, on the clock of [`Labelling::photos`].
    pub last_hit: u64,
}

/// Tags for one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// `photos.id`.
    pub photo: i64,
    /// Tags from the term bank; `None`: those there are stay.
    pub tags: Option<Vec<Tag>>,
    /// Tags that are terms of the user's own; `None`: those there are stay.
    pub own: Option<Vec<Tag>>,
}

/// A batch, written together.
#[derive(Debug, Clone, Default)]
pub struct LabelBatch {
    /// `models.id`.
    pub model: i64,
    /// Version of the term bank.
    pub bank: String,
    /// The photos.
    pub photos: Vec<Labelled>,
    /// How far labelling is with them.
    pub mark: Labelling,
    /// Rows whose place in the pools has changed.
    pub pools: Vec<PoolRow>,
    /// Terms (keys) that turned out to say nothing: their tags by this model go.
    pub muted: Vec<String>,
}

impl Store {
    /// Writes a batch, all of it or nothing. Photos that are gone meanwhile, or that have no vector
    /// of the model any more, are passed over.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn label(&mut self, batch: &LabelBatch) -> Result<(), StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        write(&tx, batch).at(&self.path)?;
        tx.commit().at(&self.path)
    }

    /// Starts the labelling of a model afresh: its mark and pools go, its tags stay until they are
    /// replaced.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget_labelling(&mut self, model: i64) -> Result<(), StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        forget(&tx, model).at(&self.path)?;
        tx.commit().at(&self.path)
    }

    /// Forgets the tags that were scored from the model's vectors after this number, `limit` photos
    /// in one transaction; returns the last number, `None` at the end, when the mark goes as well.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn drop_labels(
        &mut self,
        model: i64,
        after: i64,
        limit: usize,
    ) -> Result<Option<i64>, StoreError> {
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let tx = self.conn.transaction().at(&self.path)?;
        let page: Vec<(i64, i64)> = tx
            .prepare_cached(
                "SELECT seq, photo FROM embeddings INDEXED BY embeddings_by_model
                 WHERE model = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )
            .and_then(|mut s| {
                s.query_map([model, after, limit], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect()
            })
            .at(&self.path)?;
        for (_, photo) in &page {
            tx.prepare_cached("DELETE FROM tags WHERE photo = ?1 AND source = 0 AND model = ?2")
                .and_then(|mut s| s.execute([*photo, model]))
                .at(&self.path)?;
        }
        let last = page.last().map(|(seq, _)| *seq);
        if last.is_none() {
            forget(&tx, model).at(&self.path)?;
        }
        tx.commit().at(&self.path)?;
        Ok(last)
    }
}

fn forget(conn: &Connection, model: i64) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM labelling WHERE model = ?1", [model])?;
    conn.execute("DELETE FROM label_pools WHERE model = ?1", [model])?;
    Ok(())
}

fn write(conn: &Connection, batch: &LabelBatch) -> rusqlite::Result<()> {
    for labelled in &batch.photos {
        let seen = conn
            .prepare_cached("SELECT 1 FROM embeddings WHERE model = ?1 AND photo = ?2")?
            .exists([batch.model, labelled.photo])?;
        if !seen {
            continue;
        }
        let of = (labelled.photo, batch.model);
        if let Some(all) = &labelled.tags {
            conn.prepare_cached(
                "DELETE FROM tags WHERE photo = ?1 AND source = 0 AND model = ?2 AND bank <> ?3",
            )?
            .execute(params![of.0, of.1, OWN_TERMS])?;
            tags::add(conn, of, &batch.bank, all)?;
        }
        if let Some(own) = &labelled.own {
            conn.prepare_cached(
                "DELETE FROM tags WHERE photo = ?1 AND source = 0 AND model = ?2 AND bank = ?3",
            )?
            .execute(params![of.0, of.1, OWN_TERMS])?;
            tags::add(conn, of, OWN_TERMS, own)?;
        }
    }
    for key in &batch.muted {
        conn.prepare_cached(
            "DELETE FROM tags WHERE term = (SELECT id FROM terms WHERE key = ?1)
             AND source = 0 AND model = ?2 AND bank <> ?3",
        )?
        .execute(params![key, batch.model, OWN_TERMS])?;
    }
    for row in &batch.pools {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO label_pools (model, row, pool, hits, last_hit)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            batch.model,
            row.row,
            row.pool,
            column(row.hits),
            column(row.last_hit)
        ])?;
    }
    let m = &batch.mark;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO labelling (model, scheme, rows, done, pass_rows, pass_done, terms,
             terms_done, photos, background, relevance)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        batch.model,
        m.scheme,
        m.rows,
        m.done,
        m.pass_rows,
        m.pass_done,
        m.terms,
        m.terms_done,
        column(m.photos),
        m.background,
        m.relevance
    ])?;
    Ok(())
}

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read(r: &Row<'_>) -> rusqlite::Result<Labelling> {
    Ok(Labelling {
        scheme: r.get(0)?,
        rows: r.get(1)?,
        done: r.get(2)?,
        pass_rows: r.get(3)?,
        pass_done: r.get(4)?,
        terms: r.get(5)?,
        terms_done: r.get(6)?,
        photos: u64::try_from(r.get::<_, i64>(7)?).unwrap_or(0),
        background: r.get(8)?,
        relevance: r.get(9)?,
    })
}

impl StoreReader {
    /// How far the photos of a model are labelled; `None`: not begun.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn labelling(&self, model: i64) -> Result<Option<Labelling>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT scheme, rows, done, pass_rows, pass_done, terms, terms_done, photos,
                        background, relevance FROM labelling WHERE model = ?1",
            )
            .and_then(|mut s| s.query_row([model], read).optional())
            .at(&self.path)
    }

    /// Models whose photos have been labelled, or are being.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn labelled_models(&self) -> Result<Vec<i64>, StoreError> {
        self.conn
            .prepare_cached("SELECT model FROM labelling ORDER BY model")
            .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// What is known of the rows of a model's bank, by row.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn label_pools(&self, model: i64) -> Result<Vec<PoolRow>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT row, pool, hits, last_hit FROM label_pools WHERE model = ?1 ORDER BY row",
            )
            .and_then(|mut s| {
                s.query_map([model], |r| {
                    Ok(PoolRow {
                        row: r.get(0)?,
                        pool: r.get(1)?,
                        hits: u64::try_from(r.get::<_, i64>(2)?).unwrap_or(0),
                        last_hit: u64::try_from(r.get::<_, i64>(3)?).unwrap_or(0),
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// How many vectors of a model were written after this number, counting at most `most`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn vectors_after(&self, model: i64, seq: i64, most: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM embeddings INDEXED BY embeddings_by_model
                 WHERE model = ?1 AND seq > ?2 LIMIT ?3)",
            )
            .and_then(|mut s| s.query_row([model, seq, most], |r| r.get(0)))
            .at(&self.path)
    }
}
