//! Watched folders, one row for each (path, volume).

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader, unix_now};

/// A watched folder as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    /// Key used by file rows.
    pub id: i64,
    /// Absolute path.
    pub path: PathBuf,
    /// Identity of the volume it lies on.
    pub volume: String,
    /// False while the volume is away.
    pub online: bool,
    /// When a scan last walked all of it, Unix seconds.
    pub last_full_scan: Option<i64>,
    /// Files seen there that are no photos by their name.
    pub other_files: i64,
    /// Why it is offline or held back.
    pub note: Option<String>,
}

const COLUMNS: &str = "id, path, volume, online, last_full_scan, other_files, note";

impl RootRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        use std::os::unix::ffi::OsStringExt;
        Ok(Self {
            id: row.get(0)?,
            path: PathBuf::from(std::ffi::OsString::from_vec(row.get(1)?)),
            volume: row.get(2)?,
            online: row.get(3)?,
            last_full_scan: row.get(4)?,
            other_files: row.get(5)?,
            note: row.get(6)?,
        })
    }
}

impl StoreReader {
    /// All roots, in the order in which they were added.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn roots(&self) -> Result<Vec<RootRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM roots ORDER BY id");
        let mut stmt = self.conn.prepare_cached(&sql).at(&self.path)?;
        let rows = stmt.query_map([], RootRow::read).at(&self.path)?;
        rows.collect::<rusqlite::Result<_>>().at(&self.path)
    }

    /// How many files are known under a root (missing ones included).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn files_in_root(&self, root: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("SELECT count(*) FROM files WHERE root = ?1")
            .and_then(|mut s| s.query_row([root], |r| r.get(0)))
            .at(&self.path)
    }
}

impl Store {
    /// The root at `path` on `volume`, made if it is new; other volumes' roots at the same path
    /// go offline.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn adopt_root(&mut self, path: &Path, volume: &str) -> Result<RootRow, StoreError> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        let tx = self.conn.transaction().at(&self.path)?;
        tx.execute(
            "UPDATE roots SET online = 0, note = 'another volume is mounted here'
             WHERE path = ?1 AND volume <> ?2 AND online = 1",
            params![bytes, volume],
        )
        .at(&self.path)?;
        tx.execute(
            "INSERT INTO roots (path, volume, added_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (path, volume) DO UPDATE SET online = 1,
                 note = CASE WHEN online = 0 THEN NULL ELSE note END",
            params![bytes, volume, unix_now()],
        )
        .at(&self.path)?;
        let row = tx
            .query_row(
                &format!("SELECT {COLUMNS} FROM roots WHERE path = ?1 AND volume = ?2"),
                params![bytes, volume],
                RootRow::read,
            )
            .at(&self.path)?;
        tx.commit().at(&self.path)?;
        Ok(row)
    }

    /// The newest root known at `path`, whatever its volume.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn root_at(&self, path: &Path) -> Result<Option<RootRow>, StoreError> {
        use std::os::unix::ffi::OsStrExt;
        self.conn
            .query_row(
                &format!(
                    "SELECT {COLUMNS} FROM roots WHERE path = ?1 ORDER BY online DESC, id DESC LIMIT 1"
                ),
                [path.as_os_str().as_bytes()],
                RootRow::read,
            )
            .optional()
            .at(&self.path)
    }

    /// Marks a root as away, with the reason shown to people; its files stay.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn root_offline(&mut self, root: i64, why: &str) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE roots SET online = 0, note = ?2 WHERE id = ?1",
                params![root, why],
            )
            .at(&self.path)?;
        Ok(())
    }

    /// Notes that a scan walked all of a root.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn root_scanned(
        &mut self,
        root: i64,
        other_files: i64,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE roots SET last_full_scan = ?2, other_files = ?3, note = ?4, online = 1 WHERE id = ?1",
                params![root, unix_now(), other_files, note],
            )
            .at(&self.path)?;
        Ok(())
    }
}
