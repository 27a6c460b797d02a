//! Slow upkeep, between scans: forgetting content that lies nowhere any more.

use std::time::Duration;

use rusqlite::params;

use super::error::{At, StoreError, failpoint};
use super::{Store, unix_now};
use crate::photo::ContentHash;

/// What an upkeep removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Contents that lay nowhere; their thumbnails can go too.
    pub photos: Vec<ContentHash>,
}

impl Store {
    /// Removes up to `limit` photos that no path has pointed at for `grace`. The first sweep that
    /// finds a photo without a path only notes the time: the grace is what makes a file that is
    /// moved away and back cost nothing.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn sweep(&mut self, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
        let now = unix_now();
        let cutoff = now.saturating_sub(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        let tx = self.conn.transaction().at(&self.path)?;
        tx.execute(
            "UPDATE photos SET orphaned_at = NULL WHERE orphaned_at IS NOT NULL
             AND EXISTS (SELECT 1 FROM files f WHERE f.photo = photos.id)",
            [],
        )
        .at(&self.path)?;
        tx.execute(
            "UPDATE photos SET orphaned_at = ?1 WHERE orphaned_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM files f WHERE f.photo = photos.id)",
            [now],
        )
        .at(&self.path)?;
        let mut gone: Vec<(i64, ContentHash)> = Vec::new();
        {
            let mut stmt = tx
                .prepare_cached(
                    "SELECT p.id, p.hash FROM photos p WHERE p.orphaned_at <= ?1 LIMIT ?2",
                )
                .at(&self.path)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = stmt
                .query_map(params![cutoff, limit], |r| {
                    Ok((r.get(0)?, ContentHash(r.get(1)?)))
                })
                .at(&self.path)?;
            for row in rows {
                gone.push(row.at(&self.path)?);
            }
        }
        for (id, hash) in &gone {
            super::word_index::remove(&tx, *id).at(&self.path)?;
            super::said::remove(&tx, *id).at(&self.path)?;
            for sql in [
                "DELETE FROM tags WHERE photo = ?1",
                "DELETE FROM embeddings WHERE photo = ?1",
                "DELETE FROM faces WHERE photo = ?1",
                "DELETE FROM photos WHERE id = ?1",
            ] {
                tx.prepare_cached(sql)
                    .and_then(|mut s| s.execute([id]))
                    .at(&self.path)?;
            }
            tx.prepare_cached("DELETE FROM failures WHERE hash = ?1 AND stage = 'embed'")
                .and_then(|mut s| s.execute([&hash.0[..]]))
                .at(&self.path)?;
        }
        if let Some(highest) = gone.iter().map(|(id, _)| *id).max() {
            tx.execute(
                "UPDATE database SET last_photo = max(last_photo, ?1)",
                [highest],
            )
            .at(&self.path)?;
        }
        failpoint("sweep.before").at(&self.path)?;
        tx.commit().at(&self.path)?;
        failpoint("sweep.after").at(&self.path)?;
        Ok(Swept {
            photos: gone.into_iter().map(|(_, hash)| hash).collect(),
        })
    }
}
