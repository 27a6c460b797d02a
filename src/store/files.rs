//! Places: which content lies at which path, and the stamp it had when it was read. `write` has the ways in
//! which a row changes.

mod write;

use rusqlite::{OptionalExtension, params};

pub(super) use self::write::{
    Points, date_again, folder, hold, put, remove, set_trouble, vouch_for,
};
use super::error::{At, StoreError};
use super::{Failure, Stage, Store, StoreReader, beside, word_index};
use crate::photo::{ContentHash, FileStamp, RelPath};

/// Where a file lies: a root's key and the path below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// `roots.id`.
    pub root: i64,
    /// Path below the root.
    pub path: RelPath,
}

/// What the pre-filter needs of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Path below the root.
    pub path: RelPath,
    /// The stamp that was indexed.
    pub stamp: FileStamp,
    /// Decoder version of the failure, where the file failed in the image code.
    pub failed_decoder: Option<u32>,
    /// Held in a mass disappearance.
    pub missing: bool,
    /// It could not be read when that was last tried.
    pub troubled: bool,
    /// It is no file but a folder that could not be read.
    pub is_folder: bool,
}

impl FileRow {
    /// Something was found wrong with it that may be over.
    pub fn is_in_doubt(&self) -> bool {
        self.missing || self.troubled
    }
}

/// What is known of some content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Indexed, whichever models have seen it.
    Indexed,
    /// Failed in the image code of this very version.
    Failed(Failure),
}

/// A statement that gives what [`read_row`] reads.
macro_rules! rows {
    ($which:literal) => {
        concat!(
            "SELECT f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, x.decoder_version,
                 f.missing_since, f.trouble, x.stage = 'scan'
             FROM files f LEFT JOIN failures x ON x.id = f.failure ",
            $which
        )
    };
}

/// By folder: a million rows are not sorted for a look at two dozen. `CROSS`: the folders are chosen first, once,
/// not anew for each row.
pub(super) const SAMPLE: &str = "SELECT f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode
     FROM (SELECT id FROM folders WHERE root = ?1 AND photos > 0 ORDER BY random() LIMIT 24) d
     CROSS JOIN files f ON f.root = ?1 AND f.path IN (
         SELECT g.path FROM files g INDEXED BY files_by_folder
         WHERE g.folder = d.id AND g.photo IS NOT NULL AND g.missing_since IS NULL
         ORDER BY g.taken DESC LIMIT 8)
     LIMIT 48";

impl StoreReader {
    /// The row of one path.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn file(&self, key: &FileKey) -> Result<Option<FileRow>, StoreError> {
        self.conn
            .prepare_cached(rows!("WHERE f.root = ?1 AND f.path = ?2"))
            .and_then(|mut s| {
                s.query_row(params![key.root, key.path.as_bytes()], read_row)
                    .optional()
            })
            .at(&self.path)
    }

    /// Up to `limit` rows of `root` at or below `dir` whose path sorts after `after`, in byte order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn files_page(
        &self,
        root: i64,
        dir: &RelPath,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<FileRow>, StoreError> {
        let (low, high) = subtree_bounds(dir);
        let low = match after {
            Some(after) => after.as_bytes().to_vec(),
            None => low,
        };
        let mut stmt = self
            .conn
            .prepare_cached(rows!(
                "WHERE f.root = ?1 AND f.path > ?2 AND (?3 IS NULL OR f.path < ?3)
                 ORDER BY f.path LIMIT ?4"
            ))
            .at(&self.path)?;
        let rows = stmt
            .query_map(
                params![root, low, high, i64::try_from(limit).unwrap_or(i64::MAX)],
                read_row,
            )
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Whether any row lies below this path.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn has_files_below(&self, root: i64, path: &RelPath) -> Result<bool, StoreError> {
        Ok(!self.files_page(root, path, None, 1)?.is_empty())
    }

    /// A few of a root's photos from all over it, with the stamps they were indexed with.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sample_files(&self, root: i64) -> Result<Vec<(RelPath, FileStamp)>, StoreError> {
        let mut stmt = self.conn.prepare_cached(SAMPLE).at(&self.path)?;
        let rows = stmt
            .query_map([root], |r| {
                let path = RelPath::from_bytes(r.get::<_, Vec<u8>>(0)?);
                Ok((path, read_stamp(r, 1)?))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Other paths that were the same file as this one when they were indexed (hard links): those with
    /// the content that it had, if it has another now, and those with the content that it has, if they
    /// were indexed under another time or size.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn links_of(
        &self,
        key: &FileKey,
        now: &FileStamp,
        content: &ContentHash,
    ) -> Result<Vec<RelPath>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT g.path FROM files f JOIN photos p ON p.id = f.photo AND p.hash <> ?7
                 JOIN files g INDEXED BY files_by_photo ON g.photo = f.photo
                 WHERE f.root = ?1 AND f.path = ?2 AND g.root = ?1 AND g.path <> ?2 AND g.inode = ?3
                     AND (g.size, g.mtime_ns, g.ctime_ns) <> (?4, ?5, ?6)
                 UNION ALL
                 SELECT g.path FROM files f JOIN failures e ON e.id = f.failure AND e.hash <> ?7
                 JOIN files g INDEXED BY files_by_failure ON g.failure = f.failure
                 WHERE f.root = ?1 AND f.path = ?2 AND g.root = ?1 AND g.path <> ?2 AND g.inode = ?3
                     AND (g.size, g.mtime_ns, g.ctime_ns) <> (?4, ?5, ?6)
                 UNION ALL
                 SELECT g.path FROM photos p JOIN files g INDEXED BY files_by_photo ON g.photo = p.id
                 WHERE p.hash = ?7 AND g.root = ?1 AND g.path <> ?2 AND g.inode = ?3
                     AND (g.size, g.mtime_ns) <> (?4, ?5)
                 UNION ALL
                 SELECT g.path FROM failures e JOIN files g INDEXED BY files_by_failure ON g.failure = e.id
                 WHERE e.hash = ?7 AND g.root = ?1 AND g.path <> ?2 AND g.inode = ?3
                     AND (g.size, g.mtime_ns) <> (?4, ?5)",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map(
                params![
                    key.root,
                    key.path.as_bytes(),
                    inode_column(now),
                    size_column(now),
                    now.mtime_ns,
                    now.ctime_ns,
                    content.0
                ],
                |r| Ok(RelPath::from_bytes(r.get::<_, Vec<u8>>(0)?)),
            )
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Whether less than all of a photo's picture could be had, and by an older image code.
    fn may_be_seen_better(&self, photo: i64, decoder_version: u32) -> Result<bool, StoreError> {
        self.conn
            .prepare_cached("SELECT pixels > 0 AND decoder_version < ?2 FROM photos WHERE id = ?1")
            .and_then(|mut s| s.query_row(params![photo, decoder_version], |r| r.get(0)))
            .at(&self.path)
    }

    /// What is known of a content hash. A failure of an older image code counts for nothing, nor does a model's
    /// alone, which is no verdict on the picture.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn known(
        &self,
        hash: &ContentHash,
        decoder_version: u32,
    ) -> Result<Option<Known>, StoreError> {
        if let Some(photo) = self.photo_id(hash)? {
            let may_be_better = self.may_be_seen_better(photo, decoder_version)?;
            return Ok((!may_be_better).then_some(Known::Indexed));
        }
        let is_verdict = |(model, failure): &(Option<i64>, Failure)| {
            model.is_none()
                && failure.stage != Stage::Embed
                && failure.decoder_version >= decoder_version
        };
        let failed = self.failures_of(hash)?.into_iter().find(is_verdict);
        Ok(failed.map(|(_, failure)| Known::Failed(failure)))
    }
}

impl Store {
    /// Has the files looked at again of whose pictures an older image code could not have all: the next
    /// scan does. Returns how many.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn doubt_older_than(&mut self, decoder_version: u32) -> Result<usize, StoreError> {
        self.conn
            .execute(
                "UPDATE files SET ctime_ns = 0 WHERE photo IN (
                     SELECT id FROM photos INDEXED BY photos_not_whole
                     WHERE pixels > 0 AND decoder_version < ?1)",
                [decoder_version],
            )
            .at(&self.path)
    }

    /// How many rows are held as missing.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn held_missing(&self) -> Result<i64, StoreError> {
        self.conn
            .query_row(
                "SELECT count(*) FROM files WHERE missing_since IS NOT NULL",
                [],
                |r| r.get(0),
            )
            .at(&self.path)
    }

    /// Deletes the rows of one root that are held as missing. Returns how many.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing is deleted.
    pub fn release_missing(&mut self, root: i64) -> Result<usize, StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        let released: Vec<Option<i64>> = tx
            .prepare_cached(
                "DELETE FROM files WHERE root = ?1 AND missing_since IS NOT NULL RETURNING photo",
            )
            .and_then(|mut s| s.query_map([root], |r| r.get(0))?.collect())
            .at(&self.path)?;
        let count = released.len();
        let photos: Vec<i64> = released.into_iter().flatten().collect();
        word_index::refresh_all(&tx, photos.clone()).at(&self.path)?;
        beside::refresh_all(&tx, photos).at(&self.path)?;
        super::failures::drop_all_unused(&tx).at(&self.path)?;
        tx.commit().at(&self.path)?;
        Ok(count)
    }
}

/// A path without its last part; empty: the root itself.
pub(super) fn folder_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    &path[..end]
}

/// Everything strictly below `dir` lies between these two; `None`: no upper bound.
/// `/` is followed by `0` in ASCII, so `dir/` ≤ path < `dir0`.
pub(super) fn subtree_bounds(dir: &RelPath) -> (Vec<u8>, Option<Vec<u8>>) {
    if dir.is_root() {
        return (Vec::new(), None);
    }
    let mut low = dir.as_bytes().to_vec();
    let mut high = low.clone();
    low.push(b'/');
    high.push(b'0');
    (low, Some(high))
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<FileRow> {
    Ok(FileRow {
        path: RelPath::from_bytes(row.get::<_, Vec<u8>>(0)?),
        stamp: read_stamp(row, 1)?,
        failed_decoder: row.get(5)?,
        missing: row.get::<_, Option<i64>>(6)?.is_some(),
        troubled: row.get::<_, Option<i64>>(7)?.is_some(),
        is_folder: row.get::<_, Option<bool>>(8)?.unwrap_or(false),
    })
}

/// Size, mtime, ctime and inode, in this order from column `at` on.
pub(super) fn read_stamp(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<FileStamp> {
    Ok(FileStamp {
        size: row.get::<_, i64>(at)?.cast_unsigned(),
        mtime_ns: row.get(at + 1)?,
        ctime_ns: row.get(at + 2)?,
        inode: row.get::<_, i64>(at + 3)?.cast_unsigned(),
    })
}

pub(super) fn size_column(stamp: &FileStamp) -> i64 {
    stamp.size.cast_signed()
}

pub(super) fn inode_column(stamp: &FileStamp) -> i64 {
    stamp.inode.cast_signed()
}
