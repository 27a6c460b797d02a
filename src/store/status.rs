//! Counts for `status`.

use super::StoreReader;
use super::error::{At, StoreError};

/// How much the index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Paths known and not held as missing.
    pub files: i64,
    /// Of those, the ones that point at a photo.
    pub indexed: i64,
    /// Of those, the ones that failed.
    pub failed: i64,
    /// Paths held after a mass disappearance.
    pub missing: i64,
    /// Distinct contents with at least one path.
    pub photos: i64,
    /// Distinct contents the model has seen.
    pub embedded: i64,
}

impl StoreReader {
    /// Counts everything, with respect to one model (`models.name`) if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn counts(&self, model: Option<&str>) -> Result<Counts, StoreError> {
        let one = |sql: &str| self.conn.query_row(sql, [], |r| r.get::<_, i64>(0));
        let failed =
            one("SELECT count(*) FROM files WHERE failure IS NOT NULL AND missing_since IS NULL")
                .at(&self.path)?;
        let missing =
            one("SELECT count(*) FROM files WHERE missing_since IS NOT NULL").at(&self.path)?;
        let all = one("SELECT count(*) FROM files").at(&self.path)?;
        let photos = one("SELECT count(DISTINCT photo) FROM files WHERE photo IS NOT NULL AND missing_since IS NULL")
            .at(&self.path)?;
        let embedded = self
            .conn
            .query_row(
                "SELECT count(*) FROM embeddings e JOIN models m ON m.id = e.model
                 WHERE m.name = ?1 AND EXISTS (SELECT 1 FROM files f WHERE f.photo = e.photo AND f.missing_since IS NULL)",
                [model.unwrap_or_default()],
                |r| r.get(0),
            )
            .at(&self.path)?;
        Ok(Counts {
            files: all - missing,
            indexed: all - missing - failed,
            failed,
            missing,
            photos,
            embedded,
        })
    }

    /// The files of one root: indexed, failed, missing.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn root_counts(&self, root: i64) -> Result<(i64, i64, i64), StoreError> {
        self.conn
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE photo IS NOT NULL AND missing_since IS NULL),
                        count(*) FILTER (WHERE failure IS NOT NULL AND missing_since IS NULL),
                        count(*) FILTER (WHERE missing_since IS NOT NULL)
                 FROM files WHERE root = ?1",
            )
            .and_then(|mut s| s.query_row([root], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))))
            .at(&self.path)
    }
}
