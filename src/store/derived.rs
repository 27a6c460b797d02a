//! Databases of derived data beside the index: everything in them can be made again, so they are worth no sync,
//! and a damaged one is deleted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{At, StoreError};
use super::{checked_pages, private};

/// Opens or makes one with this schema, for its owner alone.
pub(super) fn open(path: &Path, schema: &str) -> Result<Connection, StoreError> {
    private::make(path);
    let mut conn = checked_pages::connect(path, OpenFlags::default()).at(path)?;
    if std::fs::metadata(path).is_ok_and(|m| m.len() == 0) {
        checked_pages::keep_checksums(&conn).at(path)?;
    }
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    conn.busy_timeout(Duration::from_secs(10)).at(path)?;
    conn.pragma_update(None, "journal_mode", "WAL").at(path)?;
    conn.pragma_update(None, "synchronous", "OFF").at(path)?;
    conn.pragma_update(None, "cache_size", -1024).at(path)?;
    conn.pragma_update(None, "journal_size_limit", 8 << 20)
        .at(path)?;
    conn.execute_batch(schema).at(path)?;
    Ok(conn)
}

/// What `open` opens there; if that is damaged it is deleted and made anew.
pub(super) fn or_anew<T>(
    path: &Path,
    open: impl Fn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match open() {
        Err(e) if e.is_corruption() => {
            remove(path);
            open()
        }
        other => other,
    }
}

/// Closes one in which damage was met, and removes it: before a new file bears its name.
pub(super) fn discard(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    *conn = Connection::open_in_memory().at(path)?;
    remove(path);
    Ok(())
}

/// Opens one for looking things up.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    checked_pages::connect(path, flags).at(path)
}

/// Removes the file and what lies beside it.
fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}
