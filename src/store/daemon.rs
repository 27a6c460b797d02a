//! What the daemon is doing: one row, for `status` in another process.

use rusqlite::{OptionalExtension, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader, unix_now};

/// The daemon's last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonRow {
    /// Process id.
    pub pid: u32,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub heartbeat_at: i64,
    /// JSON, written and read by floor 4.
    pub report: String,
}

impl Store {
    /// Writes the daemon's row.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn heartbeat(&mut self, pid: u32, started_at: i64, report: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO daemon (one, pid, started_at, heartbeat_at, report)
                 VALUES (1, ?1, ?2, ?3, ?4)
                 ON CONFLICT (one) DO UPDATE SET pid = excluded.pid, started_at = excluded.started_at,
                     heartbeat_at = excluded.heartbeat_at, report = excluded.report",
            )
            .and_then(|mut s| s.execute(params![pid, started_at, unix_now(), report]))
            .at(&self.path)?;
        Ok(())
    }
}

impl StoreReader {
    /// The daemon's row, if there ever was one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn daemon(&self) -> Result<Option<DaemonRow>, StoreError> {
        self.conn
            .query_row(
                "SELECT pid, started_at, heartbeat_at, report FROM daemon",
                [],
                |r| {
                    Ok(DaemonRow {
                        pid: r.get(0)?,
                        started_at: r.get(1)?,
                        heartbeat_at: r.get(2)?,
                        report: r.get(3)?,
                    })
                },
            )
            .optional()
            .at(&self.path)
    }
}
