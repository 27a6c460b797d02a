//! What is done about an index that is damaged, empty or gone.
//!
//! Promises: a damaged file is moved aside and never deleted (the newest two sets stay); the newest
//! backup that proves sound takes its place, else the older one, else an empty index that fills
//! again; whatever was done is written down where it outlives the index. A file of another program
//! or of a newer photond is never taken for damage.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::marker::LastState;
use super::wal::LogScan;
use super::{
    APPLICATION_ID, BACKUP_FILE, INDEX_FILE, OLDER_BACKUP_FILE, backup, checked_pages, incidents,
};

/// Sets of damaged files that are kept.
const KEPT_SETS: usize = 2;

/// What opening found out that the user should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// The index was damaged or gone, and a backup took its place.
    RestoredBackup {
        /// Where the damaged file was moved, if there was one.
        aside: Option<PathBuf>,
        /// What was wrong.
        what: String,
        /// The newest backup was damaged too.
        older: bool,
    },
    /// The index was damaged or gone and there was no usable backup: it starts empty and fills again.
    StartedAfresh {
        /// Where the damaged file was moved, if there was one.
        aside: Option<PathBuf>,
        /// What was wrong.
        what: String,
    },
    /// The last changes were in a log that is damaged; the index is as it was before them.
    LostLastChanges {
        /// A copy of the log.
        aside: PathBuf,
        /// What was wrong.
        what: String,
    },
}

impl Recovery {
    fn what(&self) -> &str {
        match self {
            Self::RestoredBackup { what, .. }
            | Self::StartedAfresh { what, .. }
            | Self::LostLastChanges { what, .. } => what,
        }
    }

    fn aside(&self) -> Option<&Path> {
        match self {
            Self::RestoredBackup { aside, .. } | Self::StartedAfresh { aside, .. } => {
                aside.as_deref()
            }
            Self::LostLastChanges { aside, .. } => Some(aside),
        }
    }

    fn done(&self) -> &'static str {
        match self {
            Self::RestoredBackup { older: false, .. } => {
                "the last backup took its place; what has changed since it was made is indexed again"
            }
            Self::RestoredBackup { older: true, .. } => {
                "the last backup was damaged too, and the one before it took its place; what has changed since it was made is indexed again"
            }
            Self::StartedAfresh { .. } => {
                "there was no usable backup: all photos are indexed again"
            }
            Self::LostLastChanges { .. } => {
                "the last changes in it are lost; photos that they were about are indexed again"
            }
        }
    }

    /// Writes it down for `status`.
    pub(super) fn note(&self, data_dir: &Path) {
        incidents::note(
            data_dir,
            &format!("the index was damaged: {}", self.what()),
            self.done(),
            self.aside(),
        );
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the index was damaged ({}): {}",
            self.what(),
            self.done()
        )?;
        match self.aside() {
            Some(aside) => write!(f, "; the damaged file is kept as {}", aside.display()),
            None => Ok(()),
        }
    }
}

/// Looks at what lies there before SQLite does: at what SQLite would take for a new database, for
/// somebody else's, or for one without checksums.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn judge(data_dir: &Path, last: &LastState, log: &LogScan) -> Result<(), StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let damaged = |reason: &str| {
        Err(StoreError::Damaged {
            path: path.clone(),
            reason: reason.to_owned(),
        })
    };
    let backed_up = [BACKUP_FILE, OLDER_BACKUP_FILE]
        .iter()
        .any(|name| data_dir.join(name).exists());
    match std::fs::metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return if last.known || backed_up {
                damaged("it is gone")
            } else {
                Ok(())
            };
        }
        Ok(meta) if meta.len() == 0 => {
            return if last.known || backed_up {
                damaged("it is empty")
            } else {
                Ok(())
            };
        }
        // Opening says it in words.
        Err(_) => return Ok(()),
        Ok(_) => {}
    }
    let Ok(on_disk) = checked_pages::first_page(&path) else {
        return Ok(());
    };
    let sound = checked_pages::is_sound(1, &on_disk);
    if sound || log.first_page.is_some() {
        // A whole page: what it says is what was written, and the log's page has its own checksum.
        return Ok(());
    }
    let layout = checked_pages::layout(&on_disk);
    let sealed = layout == Some((checked_pages::PAGE, checked_pages::RESERVED));
    let ours = on_disk.get(68..72) == Some(&APPLICATION_ID.to_be_bytes()[..]);
    let foreign = layout.is_some() && !sealed && !ours;
    if foreign || (!last.checksums && layout.is_some() && !(sealed && ours)) {
        return Ok(());
    }
    if last.checksums || ours || backed_up {
        return damaged("its first page is not what was written there");
    }
    Ok(())
}

/// Keeps a copy of a log that is about to lose its end.
pub(super) fn keep_log(path: &Path, what: &str) -> Option<Recovery> {
    let from = beside(path, "-wal");
    let aside = beside(path, &format!(".damaged-{}-wal", stamp()));
    if let Err(e) = std::fs::copy(&from, &aside) {
        tracing::warn!("{}: {e}", aside.display());
    }
    prune(path);
    Some(Recovery::LostLastChanges {
        aside,
        what: what.to_owned(),
    })
}

/// Moves the damaged index aside and puts a sound backup in its place, if there is one.
///
/// # Errors
/// If files cannot be moved; what was moved by then stays where it is.
pub(super) fn replace(data_dir: &Path, what: String) -> Result<Recovery, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let stamp = stamp();
    let aside = move_aside(&path, &path, stamp)?;
    let restored = backup::restore(data_dir, |bad| {
        if let Err(e) = move_aside(bad, bad, stamp) {
            tracing::warn!("{e}");
        }
    })?;
    prune(&path);
    Ok(match restored {
        Some(name) => Recovery::RestoredBackup {
            aside,
            what,
            older: name == OLDER_BACKUP_FILE,
        },
        None => Recovery::StartedAfresh { aside, what },
    })
}

/// Moves whatever lies where the index should be aside, with its log.
///
/// # Errors
/// If it cannot be moved.
pub(super) fn set_aside(path: &Path) -> Result<(), StoreError> {
    move_aside(path, path, stamp()).map(|_| ())
}

fn stamp() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Renames a damaged database with its log; nothing is deleted. The new name, if it was there.
fn move_aside(path: &Path, as_name: &Path, stamp: u128) -> Result<Option<PathBuf>, StoreError> {
    let aside = beside(as_name, &format!(".damaged-{stamp}"));
    let fail = |e: std::io::Error| StoreError::NotWritable {
        path: path.to_path_buf(),
        reason: format!("the index is damaged and cannot be moved aside: {e}"),
    };
    // The log first: beside another database it would be taken for that one's.
    for suffix in ["-wal", "-journal", "-shm", ""] {
        let from = beside(path, suffix);
        let renamed = std::fs::rename(&from, beside(&aside, suffix));
        match renamed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
            _ => {}
        }
    }
    Ok(Some(aside).filter(|aside| aside.exists()))
}

/// Removes all but the newest sets of damaged files.
fn prune(path: &Path) {
    let Some(folder) = path.parent() else {
        return;
    };
    let stamp_of = |name: &str| -> Option<u128> {
        let (start, rest) = name.split_once(".damaged-")?;
        let digits = rest.split('-').next()?;
        start
            .starts_with(INDEX_FILE)
            .then_some(digits.parse().ok()?)
    };
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files: Vec<(u128, PathBuf)> = names
        .filter_map(|e| Some((stamp_of(e.file_name().to_str()?)?, e.path())))
        .collect();
    let mut stamps: Vec<u128> = files.iter().map(|(stamp, _)| *stamp).collect();
    stamps.sort_unstable();
    stamps.dedup();
    let old = stamps.len().saturating_sub(KEPT_SETS);
    for (_, file) in files.iter().filter(|(s, _)| stamps[..old].contains(s)) {
        let _ = std::fs::remove_file(file);
    }
}
