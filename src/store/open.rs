//! The one way to open the database: prepare, check, migrate, tune.
//!
//! [`Store`] is the only connection that writes and lives on one thread. [`StoreReader`]s are
//! read-only connections, one a thread, that never block the writer and are never blocked by it
//! (WAL). Nothing here opens `index.db` by any means but SQLite: closing another descriptor of the
//! file would drop SQLite's locks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{At, StoreError};
use super::marker::{LastState, OpenMark};
use super::recover::{self, Recovery};
use super::{checked_pages, migrate, private, wal};

/// File name of the index in the data directory.
pub const INDEX_FILE: &str = "index.db";
/// File name of the last good copy.
pub const BACKUP_FILE: &str = "index.db.backup";
/// File name of the one before it.
pub const OLDER_BACKUP_FILE: &str = "index.db.backup.1";

/// There while damage was met at run time: the next start checks the whole index.
const SUSPECT_FILE: &str = "index.suspect";
/// An index up to this size that was not closed in peace is checked before work begins, which takes
/// a fraction of a second; a larger one while work goes on.
const CHECK_AT_ONCE: u64 = 64 << 20;
/// An index up to this size that has no checksums yet gets them when it is opened, which takes some
/// seconds; a larger one in a quiet moment.
const SEAL_AT_ONCE: u64 = 256 << 20;

/// Notes that damage was met, so that the next start checks the whole index and recovers.
pub fn suspect_damage(data_dir: &Path) {
    let _ = std::fs::write(data_dir.join(SUSPECT_FILE), b"");
}

/// The writing connection. One a data directory, held by whoever holds the data directory's lock.
pub struct Store {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    pub(super) data_dir: PathBuf,
    /// Who says where photos were taken, once somebody has said who.
    pub(super) gazetteer: Option<super::localities::Gazetteer>,
    /// What is in memory of faces.
    pub(super) book: super::faces::Book,
    /// After the connection: dropped when that is closed.
    pub(super) mark: OpenMark,
}

/// A read-only connection.
pub struct StoreReader {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

impl Store {
    /// Opens for writing, creating or upgrading as needed. A damaged file is moved aside and
    /// replaced by a backup or an empty index, and that is reported.
    ///
    /// # Errors
    /// Foreign, newer or unwritable databases are refused and left as they are.
    pub fn open(data_dir: &Path) -> Result<(Self, Option<Recovery>), StoreError> {
        refuse_network(data_dir)?;
        private::tighten(data_dir);
        let path = data_dir.join(INDEX_FILE);
        let suspect = data_dir.join(SUSPECT_FILE);
        let last = LastState::read(data_dir);
        let clean = last.is_clean(data_dir) && !suspect.exists();
        let log = scan_log(&path)?;
        let mut recovery = None;
        if let Some(what) = &log.damage {
            recovery = recover::keep_log(&path, what);
        }
        let opened = recover::judge(data_dir, &last, &log)
            .and_then(|()| Self::open_at(data_dir))
            .and_then(|store| store.checked_unless(clean, suspect.exists()));
        let mut store = match opened {
            Err(e) if e.is_corruption() => {
                recovery = Some(recover::replace(data_dir, e.damage())?);
                let store = Self::open_at(data_dir)?;
                // Rows written since the backup are gone, their numbers come again.
                draw_identity(&store.conn).at(&path)?;
                store.checked_unless(true, false)?
            }
            other => other?,
        };
        if let Some(recovery) = &recovery {
            recovery.note(data_dir);
        }
        let _ = std::fs::remove_file(suspect);
        store.skip_numbers()?;
        if !store.mark.checksums && size_of(&path) <= SEAL_AT_ONCE {
            store.add_checksums()?;
        }
        Ok((store, recovery))
    }

    /// Checks it now, or leaves that for later if it is large.
    fn checked_unless(mut self, clean: bool, suspect: bool) -> Result<Self, StoreError> {
        self.mark.trusted = clean;
        if clean {
            return Ok(self);
        }
        if suspect || size_of(&self.path) <= CHECK_AT_ONCE {
            self.check()?;
        }
        Ok(self)
    }

    /// True if this index was not closed in peace and is too large to be checked before work begins.
    pub fn is_unchecked(&self) -> bool {
        !self.mark.trusted
    }

    /// [`super::check_index`] has found no damage.
    pub fn was_checked(&mut self) {
        self.mark.trusted = true;
    }

    /// True if each page has a checksum.
    pub fn has_checksums(&self) -> bool {
        self.mark.checksums
    }

    /// Gives an index that an earlier photond has made its checksums, by writing all of it anew.
    /// Holds up other writes meanwhile. Where the disk has no room it stays as it is, for another time.
    ///
    /// # Errors
    /// If the database cannot be written for another reason.
    pub fn add_checksums(&mut self) -> Result<(), StoreError> {
        let free = crate::safe_file::free_space(&self.data_dir).unwrap_or(u64::MAX);
        // A temporary copy, and another in the log.
        if free < size_of(&self.path).saturating_mul(3) {
            tracing::info!("no room to give {} its checksums", self.path.display());
            return Ok(());
        }
        checked_pages::keep_checksums(&self.conn).at(&self.path)?;
        let written = self
            .conn
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
            .at(&self.path);
        match written {
            Err(e) if e.is_temporary() => tracing::info!("no checksums yet: {e}"),
            other => other?,
        }
        self.mark
            .note_checksums(checked_pages::has_checksums(&self.conn))
            .map_err(|e| not_marked(&self.path, &e))
    }

    /// A power cut can take back the last commits, and with them the numbers that vectors had: a
    /// derived file that holds those must not take other vectors under the same numbers for known.
    fn skip_numbers(&self) -> Result<(), StoreError> {
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
        match skipped.map_err(|e| not_writable(&self.path, e)) {
            Ok(_) => Ok(()),
            // On a full disk: nothing is written before there is room, and the next open tries again.
            Err(e) if e.is_temporary() => {
                tracing::debug!("{e}");
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn open_at(data_dir: &Path) -> Result<Self, StoreError> {
        let path = &data_dir.join(INDEX_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        private::make(path);
        let mut conn = checked_pages::connect(path, flags).map_err(|e| not_writable(path, e))?;
        let fresh = size_of(path) == 0;
        if fresh {
            checked_pages::keep_checksums(&conn).at(path)?;
        }
        conn.busy_timeout(Duration::from_secs(10)).at(path)?;
        // SQLite opens what it may not write for reading, without a word.
        if conn.is_readonly("main").at(path)? {
            return Err(StoreError::NotWritable {
                path: path.clone(),
                reason: "it is read-only".to_owned(),
            });
        }
        // The first look at the file, for which SQLite makes its log beside it.
        migrate::check(&conn, path).map_err(|e| match e {
            StoreError::Sqlite { source, .. } => not_writable(path, source),
            other => other,
        })?;
        let marked = |conn: &Connection| {
            let checksums = checked_pages::has_checksums(conn);
            OpenMark::set(data_dir, checksums).map_err(|e| not_marked(path, &e))
        };
        // Not for a new one: killed before it has its tables, it was never anything.
        let mark = (!fresh).then(|| marked(&conn)).transpose()?;
        // A transaction that begins to write in its middle could be refused there.
        conn.set_transaction_behavior(TransactionBehavior::Immediate);
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
        let mark = match mark {
            Some(mark) => mark,
            None => marked(&conn)?,
        };
        Ok(Self {
            conn,
            path: path.clone(),
            data_dir: data_dir.to_path_buf(),
            gazetteer: None,
            book: super::faces::Book::default(),
            mark,
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

    /// Another reader of the same database, for another thread.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn beside(&self) -> Result<Self, StoreError> {
        Self::open_at(&self.path)
    }

    /// Lets go of the pages that it has read, up to 4 MB: what is kept open between questions needs none of
    /// them, and the system has them in its own cache.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn let_go_of_pages(&self) -> Result<(), StoreError> {
        self.conn
            .execute_batch("PRAGMA shrink_memory")
            .at(&self.path)
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = checked_pages::connect(path, flags)
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

fn not_marked(path: &Path, e: &std::io::Error) -> StoreError {
    StoreError::NotWritable {
        path: path.to_path_buf(),
        reason: format!("beside it, {e}"),
    }
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

fn scan_log(path: &Path) -> Result<wal::LogScan, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    wal::scan(&log).map_err(|e| StoreError::NotReadable {
        path: log,
        reason: e.to_string(),
    })
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
