//! What a model has not seen yet, and how far it has come.

use rusqlite::params;

use super::error::{At, StoreError};
use super::{FileKey, StoreReader, embeddings};
use crate::embedding::Embedding;
use crate::photo::{ContentHash, RelPath};

/// How far a model has come with the photos that lie somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Distinct contents with a place that is not held as missing.
    pub photos: i64,
    /// Of those, the ones with a vector.
    pub embedded: i64,
    /// Of the rest, the ones that cannot have one: the model or the image code failed on them.
    pub failed: i64,
    /// Of the rest, the ones that lie only on volumes that are away.
    pub away: i64,
}

impl Coverage {
    /// Photos that can get a vector now and have none.
    #[must_use]
    pub fn waiting(&self) -> i64 {
        self.photos - self.embedded - self.failed - self.away
    }

    /// True if nothing waits: queries lose nothing by using this model. A model that fails on every
    /// photo there is has nothing to offer, and is never whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.waiting() <= 0 && (self.embedded > 0 || self.photos == 0)
    }
}

impl StoreReader {
    /// How far a model has come. Reads two indices to the end: about a quarter of a second for
    /// each 100,000 photos at worst.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn coverage(&self, model: i64) -> Result<Coverage, StoreError> {
        let (photos, embedded) = self
            .conn
            .prepare_cached(
                "SELECT count(*), count(e.seq) FROM
                     (SELECT DISTINCT photo FROM files
                      WHERE photo IS NOT NULL AND missing_since IS NULL) f
                 LEFT JOIN embeddings e ON e.model = ?1 AND e.photo = f.photo",
            )
            .and_then(|mut s| s.query_row([model], |r| Ok((r.get(0)?, r.get(1)?))))
            .at(&self.path)?;
        if photos == embedded {
            return Ok(Coverage {
                photos,
                embedded,
                ..Coverage::default()
            });
        }
        let (failed, away) = self
            .conn
            .prepare_cached(
                "SELECT coalesce(sum(failed), 0), coalesce(sum(NOT failed AND away), 0) FROM (
                     SELECT EXISTS (SELECT 1 FROM failures x
                                    WHERE x.hash = p.hash AND (x.model IS NULL OR x.model = ?1)) AS failed,
                            NOT EXISTS (SELECT 1 FROM files g JOIN roots r ON r.id = g.root
                                        WHERE g.photo = p.id AND g.missing_since IS NULL
                                          AND r.online = 1) AS away
                     FROM (SELECT DISTINCT photo FROM files
                           WHERE photo IS NOT NULL AND missing_since IS NULL) f
                     JOIN photos p ON p.id = f.photo
                     WHERE NOT EXISTS (SELECT 1 FROM embeddings e
                                       WHERE e.model = ?1 AND e.photo = f.photo))",
            )
            .and_then(|mut s| s.query_row([model], |r| Ok((r.get(0)?, r.get(1)?))))
            .at(&self.path)?;
        Ok(Coverage {
            photos,
            embedded,
            failed,
            away,
        })
    }

    /// Photos that lie on a volume that is there and that the model has not seen, without those
    /// that it or the image code failed on: up to `limit`, with one place each, ids above `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_embedding(
        &self,
        model: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, FileKey)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT p.id, p.hash, f.root, f.path FROM photos p
                 JOIN files f ON f.photo = p.id JOIN roots r ON r.id = f.root AND r.online = 1
                 WHERE p.id > ?2 AND f.missing_since IS NULL
                   AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.model = ?1 AND e.photo = p.id)
                   AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash
                                   AND (x.model IS NULL OR x.model = ?1))
                 GROUP BY p.id ORDER BY p.id LIMIT ?3",
            )
            .at(&self.path)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = stmt
            .query_map(params![model, after, limit], |r| {
                Ok((
                    r.get(0)?,
                    ContentHash(r.get(1)?),
                    FileKey {
                        root: r.get(2)?,
                        path: RelPath::from_bytes(r.get::<_, Vec<u8>>(3)?),
                    },
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Photos whose vector in a derived space can be made from the classifier's, and is not there
    /// nor failed: up to `limit` of them with the classifier's vector, ids above `after`. No photo
    /// has to be at hand for it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn without_derived(
        &self,
        classifier: i64,
        derived: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, ContentHash, Embedding)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT p.id, p.hash, c.vector FROM embeddings c JOIN photos p ON p.id = c.photo
                 WHERE c.model = ?1 AND c.photo > ?3
                   AND NOT EXISTS (SELECT 1 FROM embeddings d WHERE d.model = ?2 AND d.photo = c.photo)
                   AND NOT EXISTS (SELECT 1 FROM failures x WHERE x.hash = p.hash AND x.model = ?2)
                 ORDER BY c.photo LIMIT ?4",
            )
            .at(&self.path)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = stmt
            .query_map(params![classifier, derived, after, limit], |r| {
                Ok((
                    r.get(0)?,
                    ContentHash(r.get(1)?),
                    embeddings::decode(r.get_ref(2)?.as_blob()?),
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}
