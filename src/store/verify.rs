//! What `photond verify` reads: places of photos with the content that was found there.

use rusqlite::{Row, params};

use super::StoreReader;
use super::error::{At, StoreError};
use super::files::{read_stamp, subtree_bounds};
use crate::photo::{ContentHash, FileStamp, RelPath};

/// A photo's place, and what was read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFile {
    /// Path below the root.
    pub path: RelPath,
    /// The stamp that was indexed.
    pub stamp: FileStamp,
    /// The content that was indexed.
    pub hash: ContentHash,
}

const COLUMNS: &str = "f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, p.hash";

impl IndexedFile {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            path: RelPath::from_bytes(row.get::<_, Vec<u8>>(0)?),
            stamp: read_stamp(row, 1)?,
            hash: ContentHash(row.get(5)?),
        })
    }
}

impl StoreReader {
    /// The photo at one path.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn indexed_file(
        &self,
        root: i64,
        path: &RelPath,
    ) -> Result<Option<IndexedFile>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM files f JOIN photos p ON p.id = f.photo
             WHERE f.root = ?1 AND f.path = ?2 AND f.missing_since IS NULL"
        );
        let mut stmt = self.conn.prepare_cached(&sql).at(&self.path)?;
        let mut rows = stmt
            .query_map(params![root, path.as_bytes()], IndexedFile::read)
            .at(&self.path)?;
        rows.next().transpose().at(&self.path)
    }

    /// Up to `limit` photos of a root below `dir` whose path sorts after `after`, in byte order of
    /// the path. Held as missing: not there.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn indexed_files(
        &self,
        root: i64,
        dir: &RelPath,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<IndexedFile>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM files f JOIN photos p ON p.id = f.photo
             WHERE f.root = ?1 AND f.path > ?2 AND (?3 IS NULL OR f.path < ?3)
                 AND f.missing_since IS NULL
             ORDER BY f.path LIMIT ?4"
        );
        let (low, high) = subtree_bounds(dir);
        let low = after.map_or(low, |after| after.as_bytes().to_vec());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut stmt = self.conn.prepare_cached(&sql).at(&self.path)?;
        let rows = stmt
            .query_map(params![root, low, high, limit], IndexedFile::read)
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}
