//! What could not be indexed, and why.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::{StoreReader, unix_now};
use crate::photo::{ContentHash, RelPath};

/// Where in the pipeline a file failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The folder it lies in (or is) could not be walked.
    Scan,
    /// Its bytes could not be had.
    Read,
    /// Its bytes are no picture that can be decoded.
    Inspect,
    /// The model gave no usable answer.
    Embed,
}

impl Stage {
    /// The name stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Read => "read",
            Self::Inspect => "inspect",
            Self::Embed => "embed",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "scan" => Self::Scan,
            "read" => Self::Read,
            "embed" => Self::Embed,
            _ => Self::Inspect,
        }
    }
}

/// One failure, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where it happened.
    pub stage: Stage,
    /// Stable short key: `truncated`, `not-an-image`, `unreadable`, …
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// Version of the image code that failed.
    pub decoder_version: u32,
}

/// One failed file, as `status --errors` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRow {
    /// Folder it lies in.
    pub root: std::path::PathBuf,
    /// Path below it.
    pub path: RelPath,
    /// `scan`, `read`, `inspect` or `embed`.
    pub stage: String,
    /// Stable short key.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// The model that failed on it, where it is that model's failure alone.
    pub model: Option<String>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it last failed, Unix seconds.
    pub failed_at: i64,
}

impl StoreReader {
    /// Every failed file, by path.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failures(&self) -> Result<Vec<FailureRow>, StoreError> {
        use std::os::unix::ffi::OsStringExt;
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT r.path, f.path, x.stage, x.kind, x.message, x.attempts, x.failed_at, NULL
                 FROM files f JOIN failures x ON x.id = f.failure JOIN roots r ON r.id = f.root
                 UNION ALL
                 SELECT r.path, f.path, x.stage, x.kind, x.message, x.attempts, x.failed_at, NULL
                 FROM files f JOIN failures x ON x.id = f.trouble JOIN roots r ON r.id = f.root
                 UNION ALL
                 SELECT r.path, f.path, x.stage, x.kind, x.message, x.attempts, x.failed_at, m.name
                 FROM failures x JOIN photos p ON p.hash = x.hash
                 JOIN files f INDEXED BY files_by_photo ON f.photo = p.id JOIN roots r ON r.id = f.root
                 LEFT JOIN models m ON m.id = x.model
                 UNION ALL
                 SELECT r.path, f.path, 'inspect', p.pixels_kind, p.pixels_why, 1, p.indexed_at, NULL
                 FROM photos p INDEXED BY photos_not_whole
                 JOIN files f INDEXED BY files_by_photo ON f.photo = p.id JOIN roots r ON r.id = f.root
                 WHERE p.pixels > 0 AND p.pixels <> 4
                 ORDER BY 1, 2, 8",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map([], |r| {
                Ok(FailureRow {
                    root: std::ffi::OsString::from_vec(r.get(0)?).into(),
                    path: RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?),
                    stage: r.get(2)?,
                    kind: r.get(3)?,
                    message: r.get(4)?,
                    attempts: r.get(5)?,
                    failed_at: r.get(6)?,
                    model: r.get(7)?,
                })
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// Every failure of some content: its own, and those of single models (`models.id`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failures_of(
        &self,
        hash: &ContentHash,
    ) -> Result<Vec<(Option<i64>, Failure)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT model, stage, kind, message, decoder_version FROM failures WHERE hash = ?1",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map([&hash.0[..]], |r| {
                Ok((
                    r.get(0)?,
                    Failure {
                        stage: Stage::from_name(&r.get::<_, String>(1)?),
                        kind: r.get(2)?,
                        message: r.get(3)?,
                        decoder_version: r.get(4)?,
                    },
                ))
            })
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// How many files failed, by kind, most first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failure_kinds(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut stmt = self
            .conn
            .prepare_cached(
                "SELECT x.kind, count(*) FROM files f JOIN failures x ON x.id = f.failure
                 GROUP BY x.kind ORDER BY 2 DESC, 1",
            )
            .at(&self.path)?;
        let rows = stmt
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
            .at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }
}

/// Records a failure of some content (or of a path whose bytes were never had), or of one model on
/// it, and returns its id.
pub(super) fn put(
    conn: &Connection,
    hash: Option<&ContentHash>,
    model: Option<i64>,
    previous: Option<i64>,
    failure: &Failure,
) -> rusqlite::Result<i64> {
    if let Some(hash) = hash
        && let Some(id) = same(conn, hash, model, failure)?
    {
        // Another path with content that is known to fail.
        return Ok(id);
    }
    if let (None, Some(id)) = (hash, previous) {
        // The same path failed before without its bytes: one row, one more attempt.
        let updated = conn
            .prepare_cached(
                "UPDATE failures SET stage = ?2, kind = ?3, message = ?4, decoder_version = ?5,
                     failed_at = ?6, attempts = attempts + 1 WHERE id = ?1 AND hash IS NULL",
            )?
            .execute(params![
                id,
                failure.stage.name(),
                failure.kind,
                failure.message,
                failure.decoder_version,
                unix_now()
            ])?;
        if updated > 0 {
            return Ok(id);
        }
    }
    conn.prepare_cached(
        "INSERT INTO failures (hash, model, stage, kind, message, decoder_version, failed_at)
         VALUES (?1, ?7, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (hash, coalesce(model, 0)) DO UPDATE SET stage = excluded.stage, kind = excluded.kind,
             message = excluded.message, decoder_version = excluded.decoder_version,
             failed_at = excluded.failed_at, attempts = attempts + 1
         RETURNING id",
    )?
    .query_row(
        params![
            hash.map(|h| &h.0[..]),
            failure.stage.name(),
            failure.kind,
            failure.message,
            failure.decoder_version,
            unix_now(),
            model
        ],
        |r| r.get(0),
    )
}

/// The failure recorded for some content and model, if it is this very one.
fn same(
    conn: &Connection,
    hash: &ContentHash,
    model: Option<i64>,
    failure: &Failure,
) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(
        "SELECT id FROM failures WHERE hash = ?1 AND coalesce(model, 0) = coalesce(?5, 0)
         AND kind = ?2 AND message = ?3 AND decoder_version = ?4",
    )?
    .query_row(
        params![
            &hash.0[..],
            failure.kind,
            failure.message,
            failure.decoder_version,
            model
        ],
        |r| r.get(0),
    )
    .optional()
}

/// Forgets that one model failed on some content, or that no model's input could be made of it:
/// that model has seen it now. What other models failed on stays.
pub(super) fn clear(conn: &Connection, hash: &ContentHash, model: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM failures WHERE hash = ?1 AND stage = 'embed' AND (model IS NULL OR model = ?2)",
    )?
    .execute(params![&hash.0[..], model])?;
    Ok(())
}

/// Drops every failure to which no file points (embed failures belong to a photo and stay).
pub(super) fn drop_all_unused(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "DELETE FROM failures WHERE stage <> 'embed'
         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.failure = failures.id)
         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.trouble = failures.id)",
        [],
    )?;
    Ok(())
}

/// Drops a failure to which no file points (embed failures belong to a photo and stay).
pub(super) fn drop_if_unused(conn: &Connection, id: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM failures WHERE id = ?1 AND stage <> 'embed'
         AND NOT EXISTS (SELECT 1 FROM files WHERE failure = ?1)
         AND NOT EXISTS (SELECT 1 FROM files WHERE trouble = ?1)",
    )?
    .execute([id])?;
    Ok(())
}
