//! Models: which vector spaces are stored here, and which one queries use.
//!
//! A model's row is never deleted, so that its id is never given to another one; dropping its
//! vectors sets its dimensions to 0 until it is adopted again.

use rusqlite::{OptionalExtension, Row, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader};
use crate::embedding::ModelId;

/// What a model's vectors are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceKind {
    /// Tags are scored from them.
    Classifier,
    /// Texts and photos are compared in them.
    Search,
    /// They are boxes ([`crate::boxes`]), and tags are made of them too.
    Boxes,
    /// They are boxes of lines of text, which are kept beside them ([`crate::picture_text`]).
    Text,
    /// They are faces ([`crate::faces`]), which are given to people.
    Faces,
}

impl SpaceKind {
    fn column(self) -> i64 {
        match self {
            Self::Classifier => 0,
            Self::Search => 1,
            Self::Boxes => 2,
            Self::Text => 3,
            Self::Faces => 4,
        }
    }

    pub(super) fn from_column(value: i64) -> Self {
        match value {
            0 => Self::Classifier,
            2 => Self::Boxes,
            3 => Self::Text,
            4 => Self::Faces,
            _ => Self::Search,
        }
    }
}

/// A model as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// `models.id`, never given twice.
    pub id: i64,
    /// Pack name and revision.
    pub name: ModelId,
    /// Values in each of its vectors; 0: they have been dropped.
    pub dims: usize,
    /// What its vectors are for.
    pub kind: SpaceKind,
    /// Queries use it.
    pub serving: bool,
}

const COLUMNS: &str = "id, name, dims, kind, serving";

impl ModelRow {
    fn read(r: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: r.get(0)?,
            name: ModelId(r.get(1)?),
            dims: usize::try_from(r.get::<_, i64>(2)?).unwrap_or(0),
            kind: SpaceKind::from_column(r.get(3)?),
            serving: r.get(4)?,
        })
    }
}

impl Store {
    /// The key of a model, made if it is new.
    ///
    /// # Errors
    /// [`StoreError::Dimensions`] if vectors of another length are stored under this very name;
    /// or if the database cannot be written.
    pub fn adopt_model(
        &mut self,
        model: &ModelId,
        dims: usize,
        kind: SpaceKind,
    ) -> Result<i64, StoreError> {
        let column = i64::try_from(dims).unwrap_or(i64::MAX);
        let tx = self.conn.transaction().at(&self.path)?;
        let (id, stored): (i64, i64) = tx
            .query_row(
                "INSERT INTO models (name, dims, kind) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET kind = excluded.kind,
                     dims = CASE WHEN dims = 0 THEN excluded.dims ELSE dims END
                 RETURNING id, dims",
                params![model.0, column, kind.column()],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .at(&self.path)?;
        if stored != column {
            return Err(StoreError::Dimensions {
                path: self.path.clone(),
                model: model.0.clone(),
                stored: usize::try_from(stored).unwrap_or(0),
                found: dims,
            });
        }
        tx.commit().at(&self.path)?;
        Ok(id)
    }

    /// Makes this the model that queries use, instead of the one before.
    ///
    /// # Errors
    /// If the database cannot be written; then the one before stays.
    pub fn serve(&mut self, model: i64) -> Result<(), StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        tx.execute(
            "UPDATE models SET serving = 0 WHERE serving = 1 AND id <> ?1",
            [model],
        )
        .at(&self.path)?;
        tx.execute(
            "UPDATE models SET serving = 1 WHERE id = ?1 AND serving = 0",
            [model],
        )
        .at(&self.path)?;
        tx.commit().at(&self.path)
    }

    /// Forgets up to `limit` vectors of a model in one transaction;
    /// true: there are more, call again. Queries stop using the model with the first call; after
    /// the last one its name may come back with vectors of any length.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing of this step is forgotten.
    pub fn drop_space(&mut self, model: i64, limit: usize) -> Result<bool, StoreError> {
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let tx = self.conn.transaction().at(&self.path)?;
        tx.execute(
            "UPDATE models SET serving = 0 WHERE id = ?1 AND serving = 1",
            [model],
        )
        .at(&self.path)?;
        tx.execute(
            "DELETE FROM embeddings WHERE seq IN
                 (SELECT seq FROM embeddings WHERE model = ?1 ORDER BY seq LIMIT ?2)",
            [model, limit],
        )
        .at(&self.path)?;
        let more: bool = tx
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM embeddings WHERE model = ?1)",
                [model],
                |r| r.get(0),
            )
            .at(&self.path)?;
        if !more {
            for sql in [
                "DELETE FROM failures WHERE model = ?1",
                "UPDATE models SET dims = 0 WHERE id = ?1",
            ] {
                tx.execute(sql, [model]).at(&self.path)?;
            }
        }
        tx.commit().at(&self.path)?;
        Ok(more)
    }
}

impl StoreReader {
    /// Every model that was ever adopted, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn models(&self) -> Result<Vec<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM models ORDER BY id");
        let mut stmt = self.conn.prepare_cached(&sql).at(&self.path)?;
        let rows = stmt.query_map([], ModelRow::read).at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// One model by its name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn model(&self, name: &ModelId) -> Result<Option<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE name = ?1");
        self.conn
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([&name.0], ModelRow::read).optional())
            .at(&self.path)
    }

    /// The classifier that was adopted last (`models.id`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn classifier_id(&self) -> Result<Option<i64>, StoreError> {
        self.conn
            .prepare_cached("SELECT max(id) FROM models WHERE kind = 0 AND dims > 0")
            .and_then(|mut s| s.query_row([], |r| r.get(0)))
            .at(&self.path)
    }

    /// The search model that queries use; none before the first one was whole.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn serving(&self) -> Result<Option<ModelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE serving = 1");
        self.conn
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([], ModelRow::read).optional())
            .at(&self.path)
    }
}
