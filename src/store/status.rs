//! Counts for `status`: kept by the writer, so that reading them costs nothing.

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
    /// Paths that are known and could not be read when that was last tried.
    pub troubled: i64,
    /// Distinct contents with at least one path.
    pub photos: i64,
    /// Of those, the ones without tags: no model has seen them.
    pub untagged: i64,
}

impl StoreReader {
    /// How much there is.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        // Photos without tags are few, or all new: their part of an index is read.
        self.conn
            .prepare_cached(
                "SELECT coalesce(sum(r.photos), 0), coalesce(sum(r.failed), 0), coalesce(sum(r.missing), 0),
                     (SELECT photos FROM database),
                     (SELECT count(*) FROM photos WHERE tagger IS NULL AND places > 0 AND pixels <> 3),
                     (SELECT count(*) FROM files WHERE trouble IS NOT NULL)
                 FROM roots r",
            )
            .and_then(|mut s| {
                s.query_row([], |r| {
                    let (indexed, failed): (i64, i64) = (r.get(0)?, r.get(1)?);
                    Ok(Counts {
                        files: indexed + failed,
                        indexed,
                        failed,
                        missing: r.get(2)?,
                        photos: r.get(3)?,
                        untagged: r.get(4)?,
                        troubled: r.get(5)?,
                    })
                })
            })
            .at(&self.path)
    }
}
