//! How a path stands in the index, for people who ask why.

use rusqlite::{OptionalExtension, params};

use super::StoreReader;
use super::error::{At, StoreError};
use super::files::subtree_bounds;
use crate::photo::{FileStamp, RelPath};

/// Why something could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFailure {
    /// `scan`, `read`, `inspect` or `embed`.
    pub stage: String,
    /// Stable short key.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it last failed, Unix seconds.
    pub failed_at: i64,
}

/// What the index has at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathState {
    /// The stamp it was read under.
    pub stamp: FileStamp,
    /// Since when it is held as missing, Unix seconds.
    pub missing_since: Option<i64>,
    /// Why it is not indexed; absent: it is.
    pub failure: Option<PathFailure>,
    /// Why it cannot be read now, though it is indexed.
    pub trouble: Option<PathFailure>,
}

/// How many files the index has at and below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderCounts {
    /// Files that are photos.
    pub photos: i64,
    /// Files that failed.
    pub failed: i64,
    /// Files held as missing.
    pub missing: i64,
}

impl StoreReader {
    /// What is known of one path.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn path_state(&self, root: i64, path: &RelPath) -> Result<Option<PathState>, StoreError> {
        type Row = (FileStamp, Option<i64>, Option<i64>, Option<i64>);
        let row: Option<Row> = self
            .conn
            .prepare_cached(
                "SELECT size, mtime_ns, ctime_ns, inode, missing_since, failure, trouble FROM files
                 WHERE root = ?1 AND path = ?2",
            )
            .and_then(|mut s| {
                s.query_row(params![root, path.as_bytes()], |r| {
                    let stamp = super::files::read_stamp(r, 0)?;
                    Ok((stamp, r.get(4)?, r.get(5)?, r.get(6)?))
                })
                .optional()
            })
            .at(&self.path)?;
        let Some((stamp, missing_since, failure, trouble)) = row else {
            return Ok(None);
        };
        Ok(Some(PathState {
            stamp,
            missing_since,
            failure: failure.map(|id| self.path_failure(id)).transpose()?,
            trouble: trouble.map(|id| self.path_failure(id)).transpose()?,
        }))
    }

    fn path_failure(&self, id: i64) -> Result<PathFailure, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT stage, kind, message, attempts, failed_at FROM failures WHERE id = ?1",
            )
            .and_then(|mut s| {
                s.query_row([id], |r| {
                    Ok(PathFailure {
                        stage: r.get(0)?,
                        kind: r.get(1)?,
                        message: r.get(2)?,
                        attempts: r.get(3)?,
                        failed_at: r.get(4)?,
                    })
                })
            })
            .at(&self.path)
    }

    /// How many files are known in a folder and below it. Proportional to them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn folder_counts(&self, root: i64, dir: &RelPath) -> Result<FolderCounts, StoreError> {
        let (low, high) = subtree_bounds(dir);
        self.conn
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE photo IS NOT NULL AND missing_since IS NULL),
                        count(*) FILTER (WHERE failure IS NOT NULL AND missing_since IS NULL),
                        count(*) FILTER (WHERE missing_since IS NOT NULL)
                 FROM files WHERE root = ?1 AND path > ?2 AND (?3 IS NULL OR path < ?3)",
            )
            .and_then(|mut s| {
                s.query_row(params![root, low, high], |r| {
                    Ok(FolderCounts {
                        photos: r.get(0)?,
                        failed: r.get(1)?,
                        missing: r.get(2)?,
                    })
                })
            })
            .at(&self.path)
    }
}
