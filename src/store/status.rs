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
    /// Of those, the ones without tags though they have a picture: no model has seen them.
    pub untagged: i64,
    /// Of those, the ones whose picture is shown as far as it goes.
    pub damaged: i64,
    /// Of those, the ones of which only the embedded thumbnail can be shown.
    pub thumbnail_only: i64,
    /// Of those, the ones whose small picture will do until there is time for the large one.
    pub previews: i64,
    /// Of those, the ones known without their picture.
    pub without_picture: i64,
}

impl Counts {
    /// Photos with tags.
    pub fn tagged(&self) -> i64 {
        self.photos - self.untagged - self.without_picture
    }
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
                     (SELECT count(*) FROM files WHERE trouble IS NOT NULL), w.damaged, w.thumbnails, w.without,
                     w.previews
                 FROM roots r,
                     (SELECT count(*) FILTER (WHERE pixels = 1) AS damaged,
                             count(*) FILTER (WHERE pixels = 2) AS thumbnails,
                             count(*) FILTER (WHERE pixels = 3) AS without,
                             count(*) FILTER (WHERE pixels = 4) AS previews
                      FROM photos INDEXED BY photos_not_whole WHERE pixels > 0 AND places > 0) w",
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
                        damaged: r.get(6)?,
                        thumbnail_only: r.get(7)?,
                        without_picture: r.get(8)?,
                        previews: r.get(9)?,
                    })
                })
            })
            .at(&self.path)
    }
}
