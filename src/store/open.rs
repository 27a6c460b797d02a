//! The one way to open the database: prepare, check, migrate, tune.
//!
//! [`Store`] is the only connection that writes and lives on one thread. [`StoreReader`]s are
//! read-only connections, one a thread, that never block the writer and are never blocked by it
//! (WAL). Nothing here opens `index.db` by any means but SQLite: closing another descriptor of the
//! file would drop SQLite's locks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{At, StoreError};
use super::migrate;

/// File name of the index in the data directory.
pub const INDEX_FILE: &str = "index.db";
/// File name of the last good copy.
pub const BACKUP_FILE: &str = "index.db.backup";

/// There while damage was met at run time: the next start checks the whole index.
const SUSPECT_FILE: &str = "index.suspect";

/// Notes that damage was met, so that the next start checks the whole index and recovers.
pub fn suspect_damage(data_dir: &Path) {
    let _ = std::fs::write(data_dir.join(SUSPECT_FILE), b"");
}

/// The writing connection. One a data directory, held by whoever holds the data directory's lock.
pub struct Store {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

/// A read-only connection.
pub struct StoreReader {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

/// What opening found out that the user should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// The index was damaged; it lies at `aside` and the last backup took its place.
    RestoredBackup {
        /// Where the damaged file was moved.
        aside: PathBuf,
    },
    /// The index was damaged and there was no usable backup: it starts empty and fills again.
    StartedAfresh {
        /// Where the damaged file was moved.
        aside: PathBuf,
    },
}

impl Store {
    /// Opens for writing, creating or upgrading as needed. A damaged file is moved aside and
    /// replaced by the last backup or an empty index, and that is reported.
    ///
    /// # Errors
    /// Foreign, newer or unwritable databases are refused and left as they are.
    pub fn open(data_dir: &Path) -> Result<(Self, Option<Recovery>), StoreError> {
        refuse_network(data_dir)?;
        let path = data_dir.join(INDEX_FILE);
        let suspect = data_dir.join(SUSPECT_FILE);
        let opened = Self::open_at(&path).and_then(|store| {
            if suspect.exists() {
                store.quick_check()?;
            }
            Ok(store)
        });
        let result = Self::recover(data_dir, &path, opened);
        if let Ok((store, _)) = &result {
            let _ = std::fs::remove_file(suspect);
            store.skip_numbers();
        }
        result
    }

    /// A power cut can take back the last commits, and with them the numbers that vectors had: a
    /// derived file that holds those must not take other vectors under the same numbers for known.
    fn skip_numbers(&self) {
        /// More vectors than any writer commits between two syncs of the disk.
        const GAP: i64 = 1_000_000;
        // On the disk before anything is written behind it: else the same power cut takes the gap
        // back too, and the next start skips to the very same numbers.
        let synced = |level| self.conn.pragma_update(None, "synchronous", level);
        let skipped = synced("FULL").and_then(|()| {
            self.conn.execute(
                "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'embeddings'",
                [GAP],
            )
        });
        let skipped = synced("NORMAL").and(skipped);
        // On a full disk: nothing is written before there is room, and the next open tries again.
        if let Err(e) = skipped {
            tracing::debug!("{}: {e}", self.path.display());
        }
    }

    fn quick_check(&self) -> Result<(), StoreError> {
        let verdict: String = self
            .conn
            .query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
            .at(&self.path)?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(StoreError::Damaged {
            path: self.path.clone(),
            reason: verdict,
        })
    }

    fn recover(
        data_dir: &Path,
        path: &Path,
        opened: Result<Self, StoreError>,
    ) -> Result<(Self, Option<Recovery>), StoreError> {
        match opened {
            Ok(store) => Ok((store, None)),
            Err(e) if e.is_corruption() => {
                let aside = move_aside(path)?;
                let backup = data_dir.join(BACKUP_FILE);
                if backup.exists() && std::fs::copy(&backup, path).is_ok() {
                    match Self::open_at(path) {
                        Ok(store) => {
                            // Rows written since the backup are gone, their numbers come again.
                            draw_identity(&store.conn).at(path)?;
                            return Ok((store, Some(Recovery::RestoredBackup { aside })));
                        }
                        Err(e) if e.is_corruption() => {
                            move_aside(path)?;
                        }
                        Err(e) => return Err(e),
                    }
                }
                let store = Self::open_at(path)?;
                Ok((store, Some(Recovery::StartedAfresh { aside })))
            }
            Err(e) => Err(e),
        }
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn =
            Connection::open_with_flags(path, flags).map_err(|e| not_writable(path, e))?;
        conn.busy_timeout(Duration::from_secs(10)).at(path)?;
        migrate::check(&conn, path)?;
        // Readers go on while the writer commits; a crash loses at most the last commits, never
        // the file (NORMAL syncs the WAL at each checkpoint).
        conn.pragma_update(None, "journal_mode", "WAL")
            .map_err(|e| not_writable(path, e))?;
        conn.pragma_update(None, "synchronous", "NORMAL").at(path)?;
        conn.pragma_update(None, "cache_size", -8192).at(path)?;
        // The WAL is cut back to this after a checkpoint.
        conn.pragma_update(None, "journal_size_limit", 16 << 20)
            .at(path)?;
        // A row that gives way to another one is a row that goes: kept numbers know of it.
        conn.pragma_update(None, "recursive_triggers", "ON")
            .at(path)?;
        migrate::migrate(&mut conn, path)?;
        conn.set_prepared_statement_cache_capacity(64);
        // Damage in the schema's root pages shows here rather than in the middle of the work.
        for table in ["roots", "files", "photos", "failures", "tags", "database"] {
            conn.query_row(&format!("SELECT 1 FROM {table} LIMIT 1"), [], |_| Ok(()))
                .or_else(|e| match e {
                    rusqlite::Error::QueryReturnedNoRows => Ok(()),
                    e => Err(e),
                })
                .at(path)?;
        }
        Ok(Self {
            conn,
            path: path.to_path_buf(),
        })
    }

    /// A reader of the same database.
    ///
    /// # Errors
    /// As [`StoreReader::open`].
    pub fn reader(&self) -> Result<StoreReader, StoreError> {
        StoreReader::open_at(&self.path)
    }
}

impl StoreReader {
    /// Opens read-only.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`] where there is none; foreign, newer and older schemas are refused.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(INDEX_FILE);
        match std::fs::metadata(&path) {
            Ok(_) => Self::open_at(&path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(StoreError::NoIndex { path }),
            Err(e) => Err(StoreError::NotReadable {
                path,
                reason: e.to_string(),
            }),
        }
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)
            .at(path)
            .map_err(|e| not_readable(path, e))?;
        conn.busy_timeout(Duration::from_secs(5)).at(path)?;
        // The first look at the file: SQLite opens nothing before.
        let found = migrate::check(&conn, path).map_err(|e| not_readable(path, e))?;
        let known = migrate::current_version();
        if found < known {
            return Err(StoreError::NeedsMigration {
                path: path.to_path_buf(),
                found,
                known,
            });
        }
        conn.pragma_update(None, "query_only", "ON").at(path)?;
        conn.pragma_update(None, "cache_size", -4096).at(path)?;
        conn.set_prepared_statement_cache_capacity(32);
        Ok(Self {
            conn,
            path: path.to_path_buf(),
        })
    }

    /// Which database this is: 16 random bytes, others after every restore from a backup and every
    /// fresh start. A file derived from the database is worth nothing beside another identity.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn identity(&self) -> Result<[u8; 16], StoreError> {
        self.conn
            .query_row("SELECT identity FROM database", [], |r| r.get(0))
            .at(&self.path)
    }

    /// Checks the whole file; an empty list means that all is well.
    ///
    /// # Errors
    /// If the check itself cannot run.
    pub fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let mut stmt = self
            .conn
            .prepare("PRAGMA integrity_check(20)")
            .at(&self.path)?;
        let rows = stmt
            .query_map([], |r| r.get::<_, String>(0))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .at(&self.path)?;
        Ok(rows.into_iter().filter(|line| line != "ok").collect())
    }
}

/// Gives the database a new identity, so that files derived from it before are made anew.
pub(super) fn draw_identity(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("UPDATE database SET identity = randomblob(16)", [])?;
    Ok(())
}

fn not_writable(path: &Path, e: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    match e.sqlite_error_code() {
        Some(CannotOpen | PermissionDenied | ReadOnly) => StoreError::NotWritable {
            path: path.to_path_buf(),
            reason: e.to_string(),
        },
        _ => StoreError::from_sqlite(path, e),
    }
}

/// "Unable to open" in words. An index that was closed in peace has no `-wal` and `-shm` beside it,
/// and even a reader has to make them.
fn not_readable(path: &Path, e: StoreError) -> StoreError {
    use rustix::fs::{Access, access};
    let code = match &e {
        StoreError::Sqlite { source, .. } => source.sqlite_error_code(),
        _ => None,
    };
    // Which of the two depends on whether the folder or the whole file system refuses.
    let cannot_open = matches!(
        code,
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    if !cannot_open {
        return e;
    }
    let reason = match access(path, Access::READ_OK) {
        Err(errno) => errno.to_string(),
        Ok(()) => "SQLite has to make two small files beside it while it reads, and cannot. Run the query as a user who may write in that folder, or while photond runs".to_owned(),
    };
    StoreError::NotReadable {
        path: path.to_path_buf(),
        reason,
    }
}

/// Renames a damaged database with its WAL; nothing is deleted.
fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let stamp = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(&format!(".damaged-{stamp}"));
    let fail = |e: std::io::Error| StoreError::NotWritable {
        path: path.to_path_buf(),
        reason: format!("the index is damaged and cannot be moved aside: {e}"),
    };
    std::fs::rename(path, &aside).map_err(fail)?;
    for suffix in ["-wal", "-shm"] {
        let from = with(suffix);
        if from.exists() {
            let mut to = aside.as_os_str().to_owned();
            to.push(suffix);
            std::fs::rename(&from, PathBuf::from(to)).map_err(fail)?;
        }
    }
    Ok(aside)
}

#[cfg(target_os = "linux")]
fn refuse_network(dir: &Path) -> Result<(), StoreError> {
    // Magic numbers of linux/magic.h and the file systems' own headers.
    const NETWORK: &[(u64, &str)] = &[
        (0x6969, "NFS"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
    ];
    let Ok(fs) = rustix::fs::statfs(dir) else {
        return Ok(());
    };
    let magic = (fs.f_type as u64) & 0xffff_ffff;
    match NETWORK.iter().find(|(m, _)| *m == magic) {
        Some((_, name)) => Err(StoreError::NetworkFileSystem {
            path: dir.to_path_buf(),
            fs: name,
        }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_dir: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_cannot_be_opened_says_what_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(INDEX_FILE);
        std::fs::write(&path, b"").unwrap();
        let failed = |code| StoreError::Sqlite {
            path: path.clone(),
            source: rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None),
        };
        for code in [
            rusqlite::ffi::SQLITE_CANTOPEN,
            rusqlite::ffi::SQLITE_READONLY_DIRECTORY,
        ] {
            let text = not_readable(&path, failed(code)).to_string();
            assert!(text.contains("may write in that folder"), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        let text = not_readable(&path, failed(rusqlite::ffi::SQLITE_CANTOPEN)).to_string();
        assert!(text.contains("o such file"), "{text}");
        assert!(matches!(
            not_readable(&path, failed(rusqlite::ffi::SQLITE_BUSY)),
            StoreError::Sqlite { .. }
        ));
    }

    #[test]
    fn numbers_are_skipped_for_good_and_the_rest_is_written_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let next = |store: &Store| -> Option<i64> {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'embeddings'";
            store.conn.query_row(sql, [], |r| r.get(0)).ok()
        };
        let (store, _) = Store::open(dir.path()).unwrap();
        let level = |store: &Store| -> i64 {
            store
                .conn
                .pragma_query_value(None, "synchronous", |r| r.get(0))
                .unwrap()
        };
        assert_eq!(level(&store), 1, "NORMAL");
        store
            .conn
            .execute_batch(
                "INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('embeddings', 7)",
            )
            .unwrap();
        let before = next(&store).unwrap();
        drop(store);
        let (store, _) = Store::open(dir.path()).unwrap();
        assert!(next(&store).unwrap() >= before + 1_000_000);
        assert_eq!(level(&store), 1, "NORMAL");
    }
}
