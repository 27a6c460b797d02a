//! What can go wrong with the database, always with its path.

use std::path::PathBuf;

/// A failure of the database itself, never of one photo.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database yet.
    #[error(
        "no index at {path}: nothing has been indexed yet (start with `photond watch DIR` or `photond index DIR`)"
    )]
    NoIndex {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is a SQLite database of some other program.
    #[error(
        "{path} belongs to another program (application id {found:#x}); photond leaves it untouched. Use another --data-dir"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its `application_id`.
        found: i32,
    },
    /// The file was written by a newer photond.
    #[error(
        "{path} was written by a newer photond (schema {found}, this one knows up to {known}); it is left untouched. Install the newer version again, or use another --data-dir"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i32,
        /// The newest schema known here.
        known: i32,
    },
    /// The schema is older than this program and the caller may only read.
    #[error(
        "{path} has schema {found} and needs an upgrade to {known}: start `photond watch` or `photond index` once"
    )]
    NeedsMigration {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i32,
        /// The schema wanted.
        known: i32,
    },
    /// The data directory cannot be written.
    #[error(
        "cannot write the index at {path}: {reason}. Make it writable or choose another place with --data-dir or PHOTOND_DATA_DIR"
    )]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The database would lie on a network file system, where SQLite's locks do not hold.
    #[error(
        "{path} lies on a network file system ({fs}); SQLite's locks are not reliable there. Choose a local --data-dir (the photos themselves may stay on the network)"
    )]
    NetworkFileSystem {
        /// The directory.
        path: PathBuf,
        /// Name of the file system.
        fs: &'static str,
    },
    /// A migration failed; the database is as it was before.
    #[error("{path}: upgrading the index to schema {version} failed and was undone: {source}")]
    Migration {
        /// The file.
        path: PathBuf,
        /// The schema being made.
        version: i32,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A model's vectors are stored with another length than its pack has now.
    #[error(
        "{path} holds vectors of {model} with {stored} values, but its pack gives {found}: the pack is not the one that made them. Check it with `photond model verify`, or forget its vectors with `photond model remove`; they are then made anew"
    )]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// Name and revision of the model.
        model: String,
        /// Values a vector, as stored.
        stored: usize,
        /// Values a vector, as the pack says.
        found: usize,
    },
    /// A check found damage.
    #[error(
        "{path} is damaged ({reason}): run `photond index` or start `photond watch` again; the last backup takes its place and the rest is indexed again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check said.
        reason: String,
    },
    /// The database is there but cannot be read.
    #[error(
        "cannot read the index at {path}: {reason}. Make it readable for this user, or choose another --data-dir"
    )]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Any other answer of SQLite.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// True if the file's contents are damaged (as opposed to busy, full, or forbidden).
    pub fn is_corruption(&self) -> bool {
        if matches!(self, Self::Damaged { .. }) {
            return true;
        }
        self.code().is_some_and(|code| {
            matches!(
                code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            )
        })
    }

    /// True if the disk is full or the write could not be made for now: worth waiting and retrying.
    pub fn is_temporary(&self) -> bool {
        self.code().is_some_and(|code| {
            matches!(
                code,
                rusqlite::ErrorCode::DiskFull
                    | rusqlite::ErrorCode::DatabaseBusy
                    | rusqlite::ErrorCode::DatabaseLocked
                    | rusqlite::ErrorCode::SystemIoFailure
            )
        })
    }

    /// What is damaged, without the path and the advice.
    pub(super) fn damage(&self) -> String {
        match self {
            Self::Damaged { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// SQLite's answer about the database at `path`.
    pub(super) fn from_sqlite(path: &std::path::Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged {
                path,
                reason: "a page of it is not what was written there".to_owned(),
            },
            _ => Self::Sqlite { path, source },
        }
    }

    fn code(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Sqlite { source, .. } | Self::Migration { source, .. } => {
                source.sqlite_error_code()
            }
            _ => None,
        }
    }
}

/// A place where a test can make SQLite fail, as a disk does that is full or broken.
pub(super) fn failpoint(place: &'static str) -> rusqlite::Result<()> {
    use rusqlite::ffi::{Error, SQLITE_FULL, SQLITE_IOERR};
    crate::failpoint::hit(place).map_err(|e| {
        let code = match e.kind() {
            std::io::ErrorKind::StorageFull => SQLITE_FULL,
            _ => SQLITE_IOERR,
        };
        rusqlite::Error::SqliteFailure(Error::new(code), Some(format!("at {place}: {e}")))
    })
}

/// Attaches the database's path to SQLite's answers.
pub(super) trait At<T> {
    /// Names the file in the error.
    fn at(self, path: &std::path::Path) -> Result<T, StoreError>;
}

impl<T> At<T> for rusqlite::Result<T> {
    fn at(self, path: &std::path::Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::from_sqlite(path, source))
    }
}
