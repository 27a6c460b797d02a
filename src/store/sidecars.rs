//! Rows of sidecars: the stamps that the pre-filter compares, and what each file says by itself.
//!
//! Whose they are, and what counts of it, is decided in [`super::beside`].

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreReader;
use super::beside::{Family, Touched};
use super::error::{At, StoreError};
use super::files::{FileKey, folder, inode_column, read_stamp, size_column, subtree_bounds};
use crate::photo::{FileStamp, RelPath};
use crate::sidecar::{SidecarWords, group};

/// What the pre-filter needs of a sidecar's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarRow {
    /// Path below the root.
    pub path: RelPath,
    /// The stamp under which it was read.
    pub stamp: FileStamp,
    /// Version of the image code that read it.
    pub read_by: u32,
}

/// A sidecar that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubledSidecar {
    /// The root's path.
    pub root: PathBuf,
    /// Path below it.
    pub path: RelPath,
    /// Why, for people.
    pub why: String,
}

const COLUMNS: &str = "path, size, mtime_ns, ctime_ns, inode, read_by";

fn read_row(row: &Row<'_>) -> rusqlite::Result<SidecarRow> {
    Ok(SidecarRow {
        path: RelPath::from_bytes(row.get::<_, Vec<u8>>(0)?),
        stamp: read_stamp(row, 1)?,
        read_by: row.get(5)?,
    })
}

impl StoreReader {
    /// The row of one sidecar.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sidecar(&self, key: &FileKey) -> Result<Option<SidecarRow>, StoreError> {
        self.conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM sidecars WHERE root = ?1 AND path = ?2"
            ))
            .and_then(|mut s| {
                s.query_row(params![key.root, key.path.as_bytes()], read_row)
                    .optional()
            })
            .at(&self.path)
    }

    /// Up to `limit` sidecars of `root` below `dir` whose path sorts after `after`, in byte order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn sidecars_page(
        &self,
        root: i64,
        dir: &RelPath,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<SidecarRow>, StoreError> {
        let (low, high) = subtree_bounds(dir);
        let low = after.map_or(low, |after| after.as_bytes().to_vec());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM sidecars
                 WHERE root = ?1 AND path > ?2 AND (?3 IS NULL OR path < ?3) ORDER BY path LIMIT ?4"
            ))
            .and_then(|mut s| {
                s.query_map(params![root, low, high, limit], read_row)?
                    .collect()
            })
            .at(&self.path)
    }

    /// Sidecars that cannot be read, at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn troubled_sidecars(&self, limit: usize) -> Result<Vec<TroubledSidecar>, StoreError> {
        use std::os::unix::ffi::OsStringExt;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(
                "SELECT r.path, s.path, s.trouble FROM sidecars s INDEXED BY sidecars_troubled
                 JOIN roots r ON r.id = s.root WHERE s.trouble IS NOT NULL
                 ORDER BY r.path, s.path LIMIT ?1",
            )
            .and_then(|mut s| {
                s.query_map([limit], |r| {
                    Ok(TroubledSidecar {
                        root: std::ffi::OsString::from_vec(r.get(0)?).into(),
                        path: RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?),
                        why: r.get(2)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }
}

/// Writes what was read of a sidecar.
pub(super) fn put(
    conn: &Connection,
    (key, stamp): (&FileKey, &FileStamp),
    read: &Result<Option<SidecarWords>, String>,
    read_by: u32,
    touched: &mut Touched,
) -> rusqlite::Result<()> {
    let words = read.as_ref().ok().and_then(Option::as_ref);
    let said = words.and_then(|words| serde_json::to_string(&words.said).ok());
    let family = match read {
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(group(key.path.name())),
    };
    let folder = folder(conn, key)?;
    let spoke: Option<bool> = conn
        .prepare_cached("SELECT family IS NOT NULL FROM sidecars WHERE root = ?1 AND path = ?2")?
        .query_row(params![key.root, key.path.as_bytes()], |r| r.get(0))
        .optional()?;
    conn.prepare_cached(
        "INSERT INTO sidecars (root, path, size, mtime_ns, ctime_ns, inode, folder, family, said,
             derived_from, trouble, read_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (root, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
             ctime_ns = excluded.ctime_ns, inode = excluded.inode, family = excluded.family,
             said = excluded.said,
             derived_from = excluded.derived_from, trouble = excluded.trouble,
             read_by = excluded.read_by",
    )?
    .execute(params![
        key.root,
        key.path.as_bytes(),
        size_column(stamp),
        stamp.mtime_ns,
        stamp.ctime_ns,
        inode_column(stamp),
        folder,
        family,
        said,
        words.and_then(|words| words.derived_from.as_deref()),
        read.as_ref().err(),
        read_by,
    ])?;
    if family.is_some() || spoke == Some(true) {
        touched.family(folder, group(key.path.name()));
    }
    Ok(())
}

/// Removes the row of a sidecar that is not there any more. Where its photos have disappeared with it
/// and are held as missing, it is held too.
pub(super) fn remove(
    conn: &Connection,
    key: &FileKey,
    excluded: bool,
    touched: &mut Touched,
) -> rusqlite::Result<()> {
    let known = conn
        .prepare_cached("SELECT folder, family FROM sidecars WHERE root = ?1 AND path = ?2")?
        .query_row(params![key.root, key.path.as_bytes()], |r| {
            Ok((r.get(0)?, r.get::<_, Option<String>>(1)?))
        })
        .optional()?;
    let Some((folder, family)) = known else {
        return Ok(());
    };
    if let Some(family) = &family
        && !excluded
        && Family::read(conn, folder, family, None)?.is_held(&key.path)
    {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM sidecars WHERE root = ?1 AND path = ?2")?
        .execute(params![key.root, key.path.as_bytes()])?;
    if let Some(family) = family {
        touched.family(folder, family);
    }
    Ok(())
}
