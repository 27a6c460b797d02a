//! Two copies of the index, each checked when it is made and again before it is put back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{At, StoreError, failpoint};
use super::{BACKUP_FILE, INDEX_FILE, OLDER_BACKUP_FILE, Store, check, checked_pages, private};

/// What becomes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackedUp {
    /// There is a new one.
    Made,
    /// Nothing has changed since the last.
    Unchanged,
    /// There is one that is young enough.
    Young,
}

/// Makes a backup unless there is one younger than `age`, on a connection of its own: the writer
/// goes on meanwhile, and the copy is of one state.
///
/// # Errors
/// If the copy cannot be made; the backups that are there stay.
pub fn back_up_if_older(data_dir: &Path, age: Duration) -> Result<BackedUp, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let modified = |name: &str| {
        std::fs::metadata(data_dir.join(name))
            .and_then(|m| m.modified())
            .ok()
    };
    if let Some(made) = modified(BACKUP_FILE) {
        if made.elapsed().is_ok_and(|since| since < age) {
            return Ok(BackedUp::Young);
        }
        let log = format!("{INDEX_FILE}-wal");
        let touched = [modified(INDEX_FILE), modified(&log)];
        if touched.into_iter().flatten().all(|at| at < made) {
            return Ok(BackedUp::Unchanged);
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = checked_pages::connect(&path, flags).at(&path)?;
    source.busy_timeout(Duration::from_secs(10)).at(&path)?;
    copy(&source, &path, data_dir)?;
    Ok(BackedUp::Made)
}

/// Makes both backups anew, so that they have nothing that has been forgotten since. The log is emptied first,
/// as far as nobody reads it.
///
/// # Errors
/// If a copy cannot be made; what is there stays.
pub fn back_up_anew(data_dir: &Path) -> Result<(), StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let conn = checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(&path)?;
    conn.busy_timeout(Duration::from_secs(10)).at(&path)?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .at(&path)?;
    for _ in [BACKUP_FILE, OLDER_BACKUP_FILE] {
        copy(&conn, &path, data_dir)?;
    }
    Ok(())
}

fn copy(source: &Connection, path: &Path, data_dir: &Path) -> Result<(), StoreError> {
    let partial = data_dir.join(format!("{BACKUP_FILE}.partial"));
    remove(&partial);
    let come_by = |place| failpoint(place).at(&partial);
    let made = room_for(path, data_dir)
        .and_then(|()| come_by("backup.before"))
        .and_then(|()| fill(source, &partial))
        .and_then(|()| come_by("backup.copied"))
        .and_then(|()| check_file(&partial))
        .and_then(|()| come_by("backup.checked"))
        .and_then(|()| put(&partial, data_dir));
    if made.is_err() {
        remove(&partial);
    }
    made
}

/// A copy must not be what fills the disk.
fn room_for(path: &Path, data_dir: &Path) -> Result<(), StoreError> {
    /// Left free beside it.
    const SPARE: u64 = 64 << 20;
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    if crate::safe_file::free_space(data_dir).is_none_or(|free| free >= size + SPARE) {
        return Ok(());
    }
    Err(StoreError::NotWritable {
        path: data_dir.join(BACKUP_FILE),
        reason: format!(
            "the disk has no room for a backup of {} MB; the last one stays",
            size >> 20
        ),
    })
}

/// All pages in one step: a copy in several would begin anew at each write in between.
fn fill(source: &Connection, partial: &Path) -> Result<(), StoreError> {
    private::make(partial);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = checked_pages::connect(partial, flags).at(partial)?;
    if checked_pages::has_checksums(source) {
        checked_pages::seal_from_now(&copy).at(partial)?;
    }
    rusqlite::backup::Backup::new(source, &mut copy)
        .and_then(|backup| backup.run_to_completion(i32::MAX, Duration::ZERO, None))
        .at(partial)?;
    // One file without a log beside it, and an identity of its own: whoever puts it back, derived
    // files notice.
    copy.pragma_update(None, "journal_mode", "DELETE")
        .at(partial)?;
    super::open::draw_identity(&copy).at(partial)
}

/// Opened anew, so that what lies on the disk is read and not what SQLite remembers.
fn check_file(path: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = checked_pages::connect(path, flags).at(path)?;
    super::migrate::check(&conn, path)?;
    check::pages(&conn, path)
}

/// The new one takes the place of the last, which becomes the older one.
fn put(partial: &Path, data_dir: &Path) -> Result<(), StoreError> {
    let newest = data_dir.join(BACKUP_FILE);
    let fail = |e: std::io::Error| StoreError::NotWritable {
        path: newest.clone(),
        reason: e.to_string(),
    };
    synced(partial).map_err(fail)?;
    match std::fs::rename(&newest, data_dir.join(OLDER_BACKUP_FILE)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    crate::failpoint::hit("backup.between").map_err(fail)?;
    std::fs::rename(partial, &newest).map_err(fail)?;
    let _ = synced(data_dir);
    crate::failpoint::hit("backup.after").map_err(fail)
}

/// Puts the newest sound backup where the index lies; `None` if there is none. Those found damaged
/// on the way are handed to `aside`.
///
/// # Errors
/// If a sound one cannot be put in place.
pub(super) fn restore(
    data_dir: &Path,
    mut aside: impl FnMut(&Path),
) -> Result<Option<&'static str>, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let partial = data_dir.join(format!("{INDEX_FILE}.restoring"));
    for name in [BACKUP_FILE, OLDER_BACKUP_FILE] {
        let backup = data_dir.join(name);
        if !backup.exists() {
            continue;
        }
        remove(&partial);
        let fail = |e: std::io::Error| StoreError::NotWritable {
            path: path.clone(),
            reason: format!("the backup cannot be put in its place: {e}"),
        };
        crate::failpoint::hit("restore.before").map_err(fail)?;
        private::make(&partial);
        std::fs::copy(&backup, &partial).map_err(fail)?;
        synced(&partial).map_err(fail)?;
        match judge(&partial).and_then(|()| check_file(&partial)) {
            Ok(()) => {
                crate::failpoint::hit("restore.copied").map_err(fail)?;
                std::fs::rename(&partial, &path).map_err(fail)?;
                let _ = synced(data_dir);
                crate::failpoint::hit("restore.after").map_err(fail)?;
                return Ok(Some(name));
            }
            Err(e) => {
                tracing::warn!("{name} is of no use: {e}");
                remove(&partial);
                aside(&backup);
            }
        }
    }
    Ok(None)
}

/// A header that says otherwise than its page's checksum is wrong though SQLite may take it.
fn judge(path: &Path) -> Result<(), StoreError> {
    let page = checked_pages::first_page(path).unwrap_or_default();
    let plain = checked_pages::layout(&page).is_some_and(|(_, reserved)| reserved == 0);
    if plain || checked_pages::is_sound(1, &page) {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path.to_path_buf(),
        reason: "its first page does not match its checksum".to_owned(),
    })
}

pub(super) fn synced(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

/// A database file that is no longer wanted, with what lies beside it.
fn remove(path: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}

impl Store {
    /// Makes a backup from this connection: the one way when the file itself has lost its name.
    ///
    /// # Errors
    /// If the copy cannot be made; the backups that are there stay.
    pub fn back_up(&self, data_dir: &Path) -> Result<(), StoreError> {
        copy(&self.conn, &self.path, data_dir)
    }

    /// The file has lost its name while it was open: what is in it becomes the newest backup, and
    /// whatever bears the name now is moved aside. The error says what has happened, and the next
    /// open puts the backup in place.
    pub fn save_lost(&self, what: &str) -> StoreError {
        if let Err(e) = self.back_up(&self.data_dir) {
            tracing::warn!("what was in the index cannot be saved: {e}");
        }
        if let Err(e) = super::recover::set_aside(&self.path) {
            return e;
        }
        StoreError::Damaged {
            path: self.path.clone(),
            reason: what.to_owned(),
        }
    }
}
