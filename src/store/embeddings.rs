//! Vectors, one a photo and model, as little-endian f16.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader};
use crate::embedding::{Embedding, ModelId};
use crate::photo::ContentHash;

impl Store {
    /// The key of a model, made if it is new.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn adopt_model(&mut self, model: &ModelId, dims: usize) -> Result<i64, StoreError> {
        let dims = i64::try_from(dims).unwrap_or(i64::MAX);
        self.conn
            .query_row(
                "INSERT INTO models (name, dims) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET dims = dims RETURNING id",
                params![model.0, dims],
                |r| r.get(0),
            )
            .at(&self.path)
    }
}

impl StoreReader {
    /// Whether the model has seen the photo.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn has_embedding(&self, photo: i64, model: i64) -> Result<bool, StoreError> {
        self.conn
            .prepare_cached("SELECT 1 FROM embeddings WHERE model = ?1 AND photo = ?2")
            .and_then(|mut s| s.query_row([model, photo], |_| Ok(())).optional())
            .map(|found| found.is_some())
            .at(&self.path)
    }

    /// The vectors of a photo, with the models' names.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn embeddings_of(&self, photo: i64) -> Result<Vec<(ModelId, Embedding)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT m.name, e.vector FROM embeddings e JOIN models m ON m.id = e.model
                 WHERE e.photo = ?1 ORDER BY m.id",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map([photo], |r| {
                Ok((ModelId(r.get(0)?), decode(&r.get::<_, Vec<u8>>(1)?)))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Photos that lie somewhere and that the model has not seen, without those it failed on:
    /// up to `limit`, with one place each, ids above `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_embedding(
        &self,
        model: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, super::FileKey)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT p.id, p.hash, f.root, f.path FROM photos p
                 JOIN files f ON f.photo = p.id JOIN roots r ON r.id = f.root AND r.online = 1
                 WHERE p.id > ?2 AND f.missing_since IS NULL
                   AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.model = ?1 AND e.photo = p.id)
                   AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash)
                 GROUP BY p.id ORDER BY p.id LIMIT ?3",
            )
            .at(&self.path)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = stmt
            .query_map(params![model, after, limit], |r| {
                Ok((
                    r.get(0)?,
                    ContentHash(r.get(1)?),
                    super::FileKey {
                        root: r.get(2)?,
                        path: crate::photo::RelPath::from_bytes(r.get::<_, Vec<u8>>(3)?),
                    },
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}

/// Writes the vector of one photo.
pub(super) fn put(
    conn: &Connection,
    photo: i64,
    model: i64,
    embedding: &Embedding,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO embeddings (photo, model, vector) VALUES (?1, ?2, ?3)
         ON CONFLICT (model, photo) DO UPDATE SET vector = excluded.vector",
    )?
    .execute(params![photo, model, encode(embedding)])?;
    Ok(())
}

fn encode(embedding: &Embedding) -> Vec<u8> {
    let mut halves = vec![f16::ZERO; embedding.values.len()];
    halves.convert_from_f32_slice(&embedding.values);
    halves.iter().flat_map(|h| h.to_le_bytes()).collect()
}

fn decode(bytes: &[u8]) -> Embedding {
    let values = bytes
        .chunks_exact(2)
        .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
        .collect();
    Embedding { values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_survive_as_f16() {
        let values: Vec<f32> = (0..1280u16).map(|i| f32::from(i) / 213.7).collect();
        let back = decode(&encode(&Embedding {
            values: values.clone(),
        }));
        assert_eq!(back.values.len(), 1280);
        for (a, b) in values.iter().zip(&back.values) {
            assert!((a - b).abs() <= a.abs() / 1024.0, "{a} became {b}");
        }
    }
}
