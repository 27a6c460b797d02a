//! Reads the whole index for damage: every page, every reference, every kept number.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::checked_pages;
use super::error::{At, StoreError};
use super::{INDEX_FILE, Store};

/// Kept numbers that differ from what they count; each gives how many rows are wrong.
const KEPT: &[&str] = &[
    "SELECT count(*) FROM photos p WHERE places <>
        (SELECT count(*) FROM files f WHERE f.photo = p.id AND f.missing_since IS NULL)",
    "SELECT count(*) FROM database WHERE photos <> (SELECT count(*) FROM photos WHERE places > 0)",
    "SELECT count(*) FROM roots r WHERE
        photos <> (SELECT count(*) FROM files f WHERE f.root = r.id AND f.photo IS NOT NULL AND f.missing_since IS NULL)
        OR failed <> (SELECT count(*) FROM files f WHERE f.root = r.id AND f.failure IS NOT NULL AND f.missing_since IS NULL)
        OR missing <> (SELECT count(*) FROM files f WHERE f.root = r.id AND f.missing_since IS NOT NULL)",
    "SELECT count(*) FROM folders d WHERE photos <>
        (SELECT count(*) FROM files f WHERE f.folder = d.id AND f.photo IS NOT NULL AND f.missing_since IS NULL)",
    "SELECT count(*) FROM terms t WHERE photos <>
        (SELECT count(*) FROM tags g JOIN photos p ON p.id = g.photo WHERE g.term = t.id
            AND g.confidence >= (SELECT cutoff FROM database) AND p.places > 0)",
];

/// Counts them anew. The triggers of `photos` would count along, so what they keep comes after.
const RECOUNT: &str = "
    UPDATE photos SET places = (SELECT count(*) FROM files f WHERE f.photo = photos.id AND f.missing_since IS NULL)
        WHERE places <> (SELECT count(*) FROM files f WHERE f.photo = photos.id AND f.missing_since IS NULL);
    UPDATE database SET photos = (SELECT count(*) FROM photos WHERE places > 0);
    UPDATE roots SET
        photos  = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.photo IS NOT NULL AND f.missing_since IS NULL),
        failed  = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.failure IS NOT NULL AND f.missing_since IS NULL),
        missing = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.missing_since IS NOT NULL);
    UPDATE folders SET photos = (SELECT count(*) FROM files f WHERE f.folder = folders.id AND f.photo IS NOT NULL AND f.missing_since IS NULL);
    UPDATE terms SET photos = (SELECT count(*) FROM tags g JOIN photos p ON p.id = g.photo
        WHERE g.term = terms.id AND g.confidence >= (SELECT cutoff FROM database) AND p.places > 0);";

/// What a check has found, damage aside, which is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Every kept number is what it should be.
    pub counts: bool,
}

/// Checks the index of a data directory on a connection of its own, from one state of it, while
/// others read and write.
///
/// # Errors
/// [`StoreError::Damaged`] with the first thing found; others if it cannot be read.
pub fn check_index(data_dir: &Path) -> Result<Checked, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = checked_pages::connect(&path, flags).at(&path)?;
    conn.busy_timeout(std::time::Duration::from_secs(10))
        .at(&path)?;
    whole(&conn, &path)
}

/// Every page with its checksum, the trees that they make, the words' index, what refers to what.
pub(super) fn pages(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        path: path.to_path_buf(),
        reason,
    };
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
        .at(path)?;
    if verdict != "ok" {
        return Err(damaged(verdict.replace('\n', " ")));
    }
    let mut stmt = conn.prepare("PRAGMA foreign_key_check").at(path)?;
    let broken: Option<String> = stmt
        .query_map([], |r| r.get(0))
        .at(path)?
        .next()
        .transpose()
        .at(path)?;
    match broken {
        Some(table) => Err(damaged(format!(
            "a row of {table} refers to one that is not there"
        ))),
        None => Ok(()),
    }
}

pub(super) fn whole(conn: &Connection, path: &Path) -> Result<Checked, StoreError> {
    // One state for all of it: else a row that comes meanwhile would be a wrong count.
    let tx = conn.unchecked_transaction().at(path)?;
    pages(&tx, path)?;
    let mut counts = true;
    for sql in KEPT {
        let wrong: i64 = tx.query_row(sql, [], |r| r.get(0)).at(path)?;
        if wrong > 0 {
            tracing::warn!("{}: {wrong} kept numbers are wrong: {sql}", path.display());
            counts = false;
        }
    }
    Ok(Checked { counts })
}

impl Store {
    /// Checks the index and counts anew what is wrong with its kept numbers.
    ///
    /// # Errors
    /// As [`check_index`].
    pub fn check(&mut self) -> Result<(), StoreError> {
        if !whole(&self.conn, &self.path)?.counts {
            self.recount()?;
        }
        self.was_checked();
        Ok(())
    }

    /// Counts the kept numbers anew, and notes that it had to be done.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn recount(&mut self) -> Result<(), StoreError> {
        let tx = self.conn.transaction().at(&self.path)?;
        tx.execute_batch(RECOUNT).at(&self.path)?;
        tx.commit().at(&self.path)?;
        super::incidents::note(
            &self.data_dir,
            "numbers that the index keeps did not match its rows",
            "they were counted anew; nothing is lost",
            None,
        );
        Ok(())
    }
}
