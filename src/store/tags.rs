//! Tags: which terms belong to which photo, with confidence and source.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::models::SpaceKind;
use super::{StoreReader, word_index};
use crate::embedding::Tag;

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagSource {
    /// A model.
    Model,
    /// The user.
    User,
    /// Keywords in the file or beside it.
    Sidecar,
}

impl TagSource {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::User => "user",
            Self::Sidecar => "sidecar",
        }
    }

    fn from_column(value: i64) -> Self {
        match value {
            1 => Self::User,
            2 => Self::Sidecar,
            _ => Self::Model,
        }
    }
}

/// One tag of one photo, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TagRow {
    /// Key in its vocabulary.
    pub key: String,
    /// Name shown to people.
    pub name: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Who said so.
    pub source: TagSource,
    /// The model's name, where a model made it.
    pub model: Option<String>,
    /// What that model's vectors are for.
    pub kind: Option<SpaceKind>,
}

/// A term and the photos that carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCount {
    /// Key in its vocabulary.
    pub key: String,
    /// Name shown to people.
    pub name: String,
    /// Photos (contents) that lie somewhere and carry it.
    pub photos: i64,
    /// Who said so: names of models, `user`, `sidecar`.
    pub sources: Vec<String>,
}

impl StoreReader {
    /// The tags of one photo, most confident first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tags_of(&self, photo: i64, min_confidence: f32) -> Result<Vec<TagRow>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT t.key, t.name, g.confidence, g.source, m.name, m.kind
                 FROM tags g JOIN terms t ON t.id = g.term LEFT JOIN models m ON m.id = g.model
                 WHERE g.photo = ?1 AND (g.confidence >= ?2 OR g.source <> 0)
                 ORDER BY g.confidence DESC, t.name",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map(params![photo, min_confidence], |r| {
                Ok(TagRow {
                    key: r.get(0)?,
                    name: r.get(1)?,
                    confidence: r.get(2)?,
                    source: TagSource::from_column(r.get(3)?),
                    model: r.get(4)?,
                    kind: r.get::<_, Option<i64>>(5)?.map(SpaceKind::from_column),
                })
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Every term with at least one photo at or above the confidence, most photos first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tag_counts(&self, min_confidence: f32) -> Result<Vec<TagCount>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT t.key, t.name, count(DISTINCT g.photo),
                        json_group_array(DISTINCT CASE g.source WHEN 0 THEN m.name WHEN 1 THEN 'user' ELSE 'sidecar' END)
                 FROM tags g JOIN terms t ON t.id = g.term LEFT JOIN models m ON m.id = g.model
                 WHERE (g.confidence >= ?1 OR g.source <> 0)
                   AND EXISTS (SELECT 1 FROM files f WHERE f.photo = g.photo AND f.missing_since IS NULL)
                 GROUP BY t.id ORDER BY 3 DESC, t.name",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map(params![min_confidence], |r| {
                Ok(TagCount {
                    key: r.get(0)?,
                    name: r.get(1)?,
                    photos: r.get(2)?,
                    sources: serde_json::from_str(&r.get::<_, String>(3)?).unwrap_or_default(),
                })
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}

/// That a photo carries a term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TagConfidence {
    /// `photos.id`.
    pub photo: i64,
    /// Place of the term in the keys asked for.
    pub term: usize,
    /// 0 to 1; the highest where several said so.
    pub confidence: f32,
}

impl StoreReader {
    /// Which photos carry which of these terms at or above the confidence by a classifier's word
    /// (or by a person's), by term, then photo; photos that lie nowhere included. Reads one index, proportional to
    /// what it returns.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tag_confidences(
        &self,
        keys: &[&str],
        min_confidence: f32,
    ) -> Result<Vec<TagConfidence>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT g.photo, max(g.confidence) FROM tags g
                 WHERE g.term = (SELECT id FROM terms WHERE key = ?1)
                   AND (g.source <> 0 OR g.confidence >= ?2
                        AND g.model IN (SELECT id FROM models WHERE kind = 0))
                 GROUP BY g.photo ORDER BY g.photo",
            )
            .at(&self.path)?;
        let mut found = Vec::new();
        for (term, key) in keys.iter().enumerate() {
            let rows = stmt
                .query_map(params![key, min_confidence], |r| {
                    Ok(TagConfidence {
                        photo: r.get(0)?,
                        term,
                        confidence: r.get(1)?,
                    })
                })
                .at(&self.path)?;
            for row in rows {
                found.push(row.at(&self.path)?);
            }
        }
        Ok(found)
    }
}

/// Replaces what one model said of one photo.
pub(super) fn put_model_tags(
    conn: &Connection,
    photo: i64,
    model: i64,
    bank: &str,
    tags: &[Tag],
) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM tags WHERE photo = ?1 AND source = 0 AND model = ?2")?
        .execute([photo, model])?;
    add(conn, (photo, model), bank, tags)
}

/// Adds to what one model said of one photo.
pub(super) fn add(
    conn: &Connection,
    (photo, model): (i64, i64),
    bank: &str,
    tags: &[Tag],
) -> rusqlite::Result<()> {
    for tag in tags {
        let term = term_id(conn, &tag.term, &tag.name)?;
        conn.prepare_cached(
            "INSERT OR REPLACE INTO tags (photo, source, model, term, confidence, bank)
             VALUES (?1, 0, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![photo, model, term, tag.confidence, bank])?;
    }
    Ok(())
}

/// The id of a term, interned if it is new; its name is searchable from then on.
fn term_id(conn: &Connection, key: &str, name: &str) -> rusqlite::Result<i64> {
    let known: Option<(i64, String)> = conn
        .prepare_cached("SELECT id, name FROM terms WHERE key = ?1")?
        .query_row([key], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match known {
        Some((id, stored)) if stored == name => Ok(id),
        _ => {
            let id = conn
                .prepare_cached(
                    "INSERT INTO terms (key, name) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET name = excluded.name RETURNING id",
                )?
                .query_row([key, name], |r| r.get(0))?;
            word_index::put_term(conn, id, name)?;
            Ok(id)
        }
    }
}
