//! Vectors, one a photo and model, as little-endian f16, numbered in the order they were written.
//!
//! Every write takes a number (`seq`) above all that were ever given, also when it overwrites: who
//! has seen everything up to one number asks for what lies above it and has missed nothing. What
//! was swept leaves no trace; ids of photos are never given twice, so an old copy of such a vector
//! names a photo that no listing holds.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreReader;
use super::error::{At, StoreError};
use crate::embedding::{Embedding, ModelId};

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
                Ok((ModelId(r.get(0)?), decode(r.get_ref(1)?.as_blob()?)))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// The vector that one model gave one photo.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn embedding(&self, photo: i64, model: i64) -> Result<Option<Embedding>, StoreError> {
        self.conn
            .prepare_cached("SELECT vector FROM embeddings WHERE model = ?1 AND photo = ?2")
            .and_then(|mut s| {
                s.query_row([model, photo], |r| Ok(decode(r.get_ref(0)?.as_blob()?)))
                    .optional()
            })
            .at(&self.path)
    }

    /// The vectors that a model gave the `limit` photos whose hashes are lowest: some of a library,
    /// the same ones in whatever order they came.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sample(&self, model: i64, limit: usize) -> Result<Vec<Vec<f32>>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(
                "SELECT e.vector FROM photos p JOIN embeddings e ON e.photo = p.id AND e.model = ?1
                 ORDER BY p.hash LIMIT ?2",
            )
            .and_then(|mut s| {
                s.query_map([model, limit], |r| {
                    Ok(decode(r.get_ref(0)?.as_blob()?).values)
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// Shows up to `limit` vectors of a model that were written after `seq` to `visit`, in the
    /// order in which they were written: number, photo, and `dims` little-endian f16. A photo whose
    /// vector was overwritten is shown once, under its newest number. Returns how many were shown.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn embeddings_since(
        &self,
        model: i64,
        seq: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut stmt = self.conn.prepare_cached(SINCE).at(&self.path)?;
        let mut rows = stmt.query([model, seq, limit]).at(&self.path)?;
        let mut shown = 0;
        while let Some(row) = rows.next().at(&self.path)? {
            let (seq, photo) = (row.get(0).at(&self.path)?, row.get(1).at(&self.path)?);
            let vector = row.get_ref(2).at(&self.path)?;
            visit(seq, photo, vector.as_blob().unwrap_or_default());
            shown += 1;
        }
        Ok(shown)
    }

    /// The number of the last vector written of a model; 0: it has none. One B-tree descent.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn newest_seq(&self, model: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM embeddings WHERE model = ?1")
            .and_then(|mut s| s.query_row([model], |r| r.get(0)))
            .at(&self.path)
    }

    /// The highest number ever given to a vector, of whatever model and whether it is still there
    /// or not; 0: none was.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn last_seq(&self) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'embeddings'",
            )
            .and_then(|mut s| s.query_row([], |r| r.get(0)))
            .at(&self.path)
    }

    /// How many vectors of a model were written after this number.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn vectors_after(&self, model: i64, seq: i64) -> Result<usize, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT count(*) FROM embeddings INDEXED BY embeddings_by_model
                 WHERE model = ?1 AND seq > ?2",
            )
            .and_then(|mut s| s.query_row([model, seq], |r| r.get::<_, i64>(0)))
            .map(|count| usize::try_from(count).unwrap_or(0))
            .at(&self.path)
    }

    /// How many vectors of a model there are. Reads its part of an index, no vector: a few
    /// milliseconds for each 100,000.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn embedding_count(&self, model: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("SELECT count(*) FROM embeddings WHERE model = ?1")
            .and_then(|mut s| s.query_row([model], |r| r.get(0)))
            .at(&self.path)
    }
}

/// Read off `embeddings_by_model`, which holds `seq` behind the model: nothing is sorted.
const SINCE: &str = "SELECT seq, photo, vector FROM embeddings INDEXED BY embeddings_by_model
     WHERE model = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

/// Writes the vector of one photo, under a new number.
pub(super) fn put(
    conn: &Connection,
    photo: i64,
    model: i64,
    embedding: &Embedding,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO embeddings (photo, model, vector) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![photo, model, encode(embedding)])?;
    Ok(())
}

/// Takes away what all models made of a photo.
pub(super) fn remove(conn: &Connection, photo: i64) -> rusqlite::Result<usize> {
    conn.prepare_cached("DELETE FROM embeddings WHERE photo = ?1")?
        .execute([photo])
}

fn encode(embedding: &Embedding) -> Vec<u8> {
    let mut halves = vec![f16::ZERO; embedding.values.len()];
    halves.convert_from_f32_slice(&embedding.values);
    halves.iter().flat_map(|h| h.to_le_bytes()).collect()
}

/// The vector in stored bytes, as [`StoreReader::embeddings_since`] shows them.
pub fn decode(bytes: &[u8]) -> Embedding {
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
