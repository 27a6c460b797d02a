//! Pictures larger than a thumbnail, kept once they have been made: derived data in a file of its own that never
//! grows beyond a bound. What was kept first goes first.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::derived;
use super::error::{At, StoreError};
use crate::photo::ContentHash;

/// File name in the data directory.
const PREVIEWS_FILE: &str = "previews.db";

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS previews (
     id    INTEGER NOT NULL PRIMARY KEY, -- in the order in which they were made
     hash  BLOB    NOT NULL,             -- the photo's content
     side  INTEGER NOT NULL,             -- the longer side that was asked for, in pixels
     image BLOB    NOT NULL,             -- JPEG
     UNIQUE (hash, side)
 ) STRICT";
/// Rows that go at once when there are too many bytes.
const FEW: i64 = 16;

/// The kept previews; owned by whoever serves them.
pub struct PreviewStore {
    conn: Connection,
    path: PathBuf,
    most_bytes: i64,
    /// Bytes of all images.
    bytes: i64,
}

impl PreviewStore {
    /// Opens or makes it, to keep so many bytes at most; a damaged file is deleted and made anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(data_dir: &Path, most_bytes: u64) -> Result<Self, StoreError> {
        let path = data_dir.join(PREVIEWS_FILE);
        derived::or_anew(&path, || Self::open_at(&path, most_bytes))
    }

    fn open_at(path: &Path, most_bytes: u64) -> Result<Self, StoreError> {
        let conn = derived::open(path, SCHEMA)?;
        let bytes = conn
            .query_row(
                "SELECT coalesce(sum(length(image)), 0) FROM previews",
                [],
                |r| r.get(0),
            )
            .at(path)?;
        let mut store = Self {
            conn,
            path: path.to_path_buf(),
            most_bytes: i64::try_from(most_bytes).unwrap_or(i64::MAX),
            bytes,
        };
        // The bound may have been lowered.
        store.make_room()?;
        Ok(store)
    }

    /// A preview, if it is kept.
    ///
    /// # Errors
    /// If the database cannot be read. A damaged one is made anew, empty.
    pub fn image_of(
        &mut self,
        hash: &ContentHash,
        side: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self
            .conn
            .prepare_cached("SELECT image FROM previews WHERE hash = ?1 AND side = ?2")
            .and_then(|mut s| {
                s.query_row(params![&hash.0[..], side], |r| r.get(0))
                    .optional()
            })
            .at(&self.path);
        match found {
            Err(e) if e.is_corruption() => self.start_afresh().map(|()| None),
            other => other,
        }
    }

    /// Keeps a preview; the oldest go if there are too many bytes then.
    ///
    /// # Errors
    /// If the database cannot be written. A damaged one is made anew, empty.
    pub fn put(&mut self, hash: &ContentHash, side: u32, image: &[u8]) -> Result<(), StoreError> {
        match self.try_put(hash, side, image) {
            Err(e) if e.is_corruption() => self.start_afresh(),
            other => other,
        }
    }

    fn try_put(&mut self, hash: &ContentHash, side: u32, image: &[u8]) -> Result<(), StoreError> {
        let size = image.len() as i64;
        if size > self.most_bytes {
            return Ok(());
        }
        let added = self
            .conn
            .prepare_cached(
                "INSERT OR IGNORE INTO previews (hash, side, image) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut s| s.execute(params![&hash.0[..], side, image]))
            .at(&self.path)?;
        self.bytes += size * added as i64;
        self.make_room()
    }

    fn make_room(&mut self) -> Result<(), StoreError> {
        while self.bytes > self.most_bytes {
            let oldest =
                "DELETE FROM previews WHERE id IN (SELECT id FROM previews ORDER BY id LIMIT ?1)
                 RETURNING length(image)";
            let gone = self.delete(oldest, params![FEW])?;
            if gone == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Deletes, and gives the bytes that have gone.
    fn delete(&mut self, sql: &str, which: impl rusqlite::Params) -> Result<i64, StoreError> {
        let sizes: Vec<i64> = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map(which, |r| r.get(0))?.collect())
            .at(&self.path)?;
        let gone: i64 = sizes.iter().sum();
        self.bytes = (self.bytes - gone).max(0);
        Ok(gone)
    }

    fn start_afresh(&mut self) -> Result<(), StoreError> {
        tracing::warn!("{} was damaged and is made anew", self.path.display());
        derived::discard(&mut self.conn, &self.path)?;
        *self = Self::open_at(&self.path, self.most_bytes.unsigned_abs())?;
        Ok(())
    }

    /// Removes the previews of forgotten photos, if any are kept.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget(data_dir: &Path, hashes: &[ContentHash]) -> Result<(), StoreError> {
        if hashes.is_empty() || !data_dir.join(PREVIEWS_FILE).exists() {
            return Ok(());
        }
        let mut store = Self::open(data_dir, u64::MAX)?;
        for hash in hashes {
            let sql = "DELETE FROM previews WHERE hash = ?1 RETURNING length(image)";
            store.delete(sql, params![&hash.0[..]])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> ContentHash {
        ContentHash([n; 32])
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = PreviewStore::open(dir.path(), 100_000).unwrap();
        for n in 0..60 {
            store.put(&hash(n), 512, &[n; 2000]).unwrap();
            assert!(store.bytes <= 100_000);
        }
        assert_eq!(store.image_of(&hash(0), 512).unwrap(), None);
        assert_eq!(
            store.image_of(&hash(59), 512).unwrap(),
            Some(vec![59; 2000])
        );
        assert_eq!(store.image_of(&hash(59), 1440).unwrap(), None);
        // Again is no second one, and what is larger than all is not kept.
        let bytes = store.bytes;
        store.put(&hash(59), 512, &[1; 2000]).unwrap();
        store.put(&hash(70), 512, &vec![1; 100_001]).unwrap();
        assert_eq!(store.bytes, bytes);
        assert_eq!(
            store.image_of(&hash(59), 512).unwrap(),
            Some(vec![59; 2000])
        );
        drop(store);
        let size = std::fs::metadata(dir.path().join(PREVIEWS_FILE))
            .unwrap()
            .len();
        assert!(size < 300_000, "room is used again: {size}");
        let mut less = PreviewStore::open(dir.path(), 10_000).unwrap();
        assert!(less.bytes <= 10_000);
        assert!(less.image_of(&hash(59), 512).unwrap().is_some() || less.bytes == 0);
    }

    #[test]
    fn what_is_forgotten_has_no_previews() {
        let dir = tempfile::tempdir().unwrap();
        PreviewStore::forget(dir.path(), &[hash(1)]).unwrap();
        assert!(
            !dir.path().join(PREVIEWS_FILE).exists(),
            "nothing is made for it"
        );
        let mut store = PreviewStore::open(dir.path(), 1 << 20).unwrap();
        for side in [512, 1440] {
            store.put(&hash(1), side, b"one").unwrap();
            store.put(&hash(2), side, b"two").unwrap();
        }
        PreviewStore::forget(dir.path(), &[hash(1)]).unwrap();
        assert_eq!(store.image_of(&hash(1), 512).unwrap(), None);
        assert_eq!(store.image_of(&hash(1), 1440).unwrap(), None);
        assert_eq!(
            store.image_of(&hash(2), 512).unwrap(),
            Some(b"two".to_vec())
        );
    }

    #[test]
    fn damage_costs_the_previews_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = PreviewStore::open(dir.path(), 1 << 20).unwrap();
        for n in 0..50 {
            store.put(&hash(n), 512, &[n; 9000]).unwrap();
        }
        drop(store);
        let path = dir.path().join(PREVIEWS_FILE);
        let mut store = PreviewStore::open(dir.path(), 1 << 20).unwrap();
        let mut file = std::fs::read(&path).unwrap();
        for at in (4096..file.len()).step_by(4096) {
            file[at + 50] ^= 1;
        }
        std::fs::write(&path, file).unwrap();
        assert_eq!(store.image_of(&hash(7), 512).unwrap(), None);
        store.put(&hash(7), 512, b"new").unwrap();
        assert_eq!(
            store.image_of(&hash(7), 512).unwrap(),
            Some(b"new".to_vec())
        );
        std::fs::write(&path, b"this is no database").unwrap();
        drop(store);
        assert!(PreviewStore::open(dir.path(), 1 << 20).is_ok());
    }
}
