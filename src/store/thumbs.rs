//! Thumbnails, in a database of their own: derived data that can be deleted and comes back.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::derived;
use super::error::{At, StoreError, failpoint};
use crate::photo::{ContentHash, Thumbnail};

/// File name in the data directory.
pub const THUMBS_FILE: &str = "thumbs.db";

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS thumbs (
     hash   BLOB    NOT NULL PRIMARY KEY, -- the photo's content
     width  INTEGER NOT NULL,             -- pixels, upright
     height INTEGER NOT NULL,
     mime   TEXT    NOT NULL,
     image  BLOB    NOT NULL              -- the encoded preview
 ) STRICT";

/// The thumbnails' database; owned by the writer thread.
pub struct ThumbStore {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

impl ThumbStore {
    /// Opens or makes it; a damaged file is deleted and made anew, since everything in it can be.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(THUMBS_FILE);
        derived::or_anew(&path, || Self::open_at(&path))
    }

    /// Makes it anew after damage was met, empty; what was in it comes back as photos are read.
    fn start_afresh(&mut self) -> Result<(), StoreError> {
        tracing::warn!(
            "{} was damaged and is made anew; thumbnails come back when their photos are read again",
            self.path.display()
        );
        derived::discard(&mut self.conn, &self.path)?;
        *self = Self::open_at(&self.path)?;
        Ok(())
    }

    /// Opens it for looking things up.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn open_read_only(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(THUMBS_FILE);
        let conn = derived::open_read_only(&path)?;
        Ok(Self { conn, path })
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            conn: derived::open(path, SCHEMA)?,
            path: path.to_path_buf(),
        })
    }

    /// Writes thumbnails in one transaction; those that are there stay.
    ///
    /// # Errors
    /// If the database cannot be written. A damaged one is made anew.
    pub fn put<'a>(
        &mut self,
        thumbs: impl IntoIterator<Item = (&'a ContentHash, &'a Thumbnail)> + Clone,
    ) -> Result<(), StoreError> {
        match self.try_put(thumbs.clone()) {
            Err(e) if e.is_corruption() => {
                self.start_afresh()?;
                self.try_put(thumbs)
            }
            other => other,
        }
    }

    fn try_put<'a>(
        &mut self,
        thumbs: impl IntoIterator<Item = (&'a ContentHash, &'a Thumbnail)>,
    ) -> Result<(), StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        for (hash, thumb) in thumbs {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO thumbs (hash, width, height, mime, image) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut s| {
                s.execute(params![&hash.0[..], thumb.width, thumb.height, thumb.mime, thumb.bytes])
            })
            .at(&self.path)?;
        }
        failpoint("thumbs.before").at(&self.path)?;
        tx.commit().at(&self.path)?;
        failpoint("thumbs.after").at(&self.path)
    }

    /// Removes thumbnails of forgotten photos.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn remove(&mut self, hashes: &[ContentHash]) -> Result<(), StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        for hash in hashes {
            tx.prepare_cached("DELETE FROM thumbs WHERE hash = ?1")
                .and_then(|mut s| s.execute([&hash.0[..]]))
                .at(&self.path)?;
        }
        tx.commit().at(&self.path)
    }

    /// Width, height and size in bytes of a photo's thumbnail.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn size_of(&self, hash: &ContentHash) -> Result<Option<(u32, u32, u32)>, StoreError> {
        self.conn
            .prepare_cached("SELECT width, height, length(image) FROM thumbs WHERE hash = ?1")
            .and_then(|mut s| {
                s.query_row([&hash.0[..]], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                    .optional()
            })
            .at(&self.path)
    }
}
