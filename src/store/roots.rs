//! Watched folders, one row for each (path, volume).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::error::{At, StoreError, failpoint};
use super::{Store, StoreReader, beside, unix_now, word_index};

/// A watched folder as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    /// Key used by file rows.
    pub id: i64,
    /// Absolute path.
    pub path: PathBuf,
    /// Identity of the volume it lies on; `#2` and so on behind it where two have the same.
    pub volume: String,
    /// Inode of the folder and when it was made; empty: not known.
    pub mark: String,
    /// False while the volume is away.
    pub online: bool,
    /// When a scan last walked all of it, Unix seconds.
    pub last_full_scan: Option<i64>,
    /// Files seen there that are no photos by their name.
    pub other_files: i64,
    /// Why it is offline or held back.
    pub note: Option<String>,
    /// Files that are photos.
    pub photos: i64,
    /// Different photos among them.
    pub contents: i64,
    /// Files that failed.
    pub failed: i64,
    /// Files held as missing.
    pub missing: i64,
    /// Since when the first of those is held, Unix seconds.
    pub missing_since: Option<i64>,
    /// JSON: what the last full scan passed over.
    pub skipped: String,
    /// The root with a symbolic link to it, if that is why it is one.
    pub linked_by: Option<i64>,
}

impl RootRow {
    /// The identity of its volume as the system gives it.
    pub fn volume_name(&self) -> &str {
        let (name, number) = self.volume.rsplit_once('#').unwrap_or((&self.volume, ""));
        if number.parse::<u32>().is_ok() {
            name
        } else {
            &self.volume
        }
    }

    /// Files known there, missing ones included.
    pub fn files(&self) -> i64 {
        self.photos + self.failed + self.missing
    }
}

const COLUMNS: &str = "id, path, volume, online, last_full_scan, other_files, note, photos, failed, missing, mark, skipped, contents, linked_by,
     CASE WHEN missing > 0 THEN (SELECT min(missing_since) FROM files INDEXED BY files_missing
         WHERE missing_since IS NOT NULL AND root = roots.id) END";

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
            photos: row.get(7)?,
            failed: row.get(8)?,
            missing: row.get(9)?,
            mark: row.get(10)?,
            skipped: row.get(11)?,
            contents: row.get(12)?,
            linked_by: row.get(13)?,
            missing_since: row.get(14)?,
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
}

impl Store {
    /// Takes a folder on: the root `known` if it is one that is known (by another path or volume,
    /// perhaps), else a new one. Other roots at the same path go offline.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn adopt_root(
        &mut self,
        path: &Path,
        (volume, mark): (&str, &str),
        known: Option<i64>,
    ) -> Result<RootRow, StoreError> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        let taken: Vec<String> = tx
            .prepare("SELECT volume FROM roots WHERE path = ?1 AND id IS NOT ?2")
            .and_then(|mut s| s.query_map(params![bytes, known], |r| r.get(0))?.collect())
            .at(&self.path)?;
        let numbered = (2..).map(|n| format!("{volume}#{n}"));
        let name = std::iter::once(volume.to_owned())
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        let id: i64 = match known {
            Some(id) => {
                tx.execute(
                    "UPDATE roots SET path = ?2, volume = ?3, mark = ?4, online = 1,
                         note = CASE WHEN online = 0 THEN NULL ELSE note END WHERE id = ?1",
                    params![id, bytes, name, mark],
                )
                .at(&self.path)?;
                id
            }
            None => tx
                .query_row(
                    "INSERT INTO roots (path, volume, mark, added_at) VALUES (?1, ?2, ?3, ?4) RETURNING id",
                    params![bytes, name, mark, unix_now()],
                    |r| r.get(0),
                )
                .at(&self.path)?,
        };
        tx.execute(
            "UPDATE roots SET online = 0, note = 'another volume is mounted here'
             WHERE path = ?1 AND id <> ?2 AND online = 1",
            params![bytes, id],
        )
        .at(&self.path)?;
        let sql = format!("SELECT {COLUMNS} FROM roots WHERE id = ?1");
        let row = tx.query_row(&sql, [id], RootRow::read).at(&self.path)?;
        own_all(&tx, &row).at(&self.path)?;
        failpoint("adopt.before").at(&self.path)?;
        tx.commit().at(&self.path)?;
        failpoint("adopt.after").at(&self.path)?;
        Ok(row)
    }

    /// Forgets the roots at `path`, whatever their volume, with all their files. Returns how many
    /// files that were; `None` if there is no such root. Photos on disk are not touched.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing is forgotten.
    pub fn forget_root(&mut self, path: &Path) -> Result<Option<usize>, StoreError> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        let tx = self.conn.transaction().at(&self.path)?;
        let files: Vec<Option<i64>> = tx
            .prepare(
                "DELETE FROM files WHERE root IN (SELECT id FROM roots WHERE path = ?1) RETURNING photo",
            )
            .and_then(|mut s| s.query_map([bytes], |r| r.get(0))?.collect())
            .at(&self.path)?;
        let count = files.len();
        let photos: Vec<i64> = files.into_iter().flatten().collect();
        word_index::refresh_all(&tx, photos.clone()).at(&self.path)?;
        tx.execute(
            "DELETE FROM sidecars WHERE root IN (SELECT id FROM roots WHERE path = ?1)",
            [bytes],
        )
        .at(&self.path)?;
        beside::refresh_all(&tx, photos).at(&self.path)?;
        tx.execute(
            "DELETE FROM folders WHERE root IN (SELECT id FROM roots WHERE path = ?1)",
            [bytes],
        )
        .at(&self.path)?;
        let roots = tx
            .execute("DELETE FROM roots WHERE path = ?1", [bytes])
            .at(&self.path)?;
        super::failures::drop_all_unused(&tx).at(&self.path)?;
        tx.commit().at(&self.path)?;
        Ok((roots > 0).then_some(count))
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

    /// How many files are known in a root, missing ones included.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn files_of(&self, root: i64) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("SELECT photos + failed + missing FROM roots WHERE id = ?1")
            .and_then(|mut s| s.query_row([root], |r| r.get(0)).optional())
            .map(Option::unwrap_or_default)
            .at(&self.path)
    }

    /// Notes which root has a link to this one, if that is why it is one.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn set_linked_by(&mut self, root: i64, by: Option<&Path>) -> Result<(), StoreError> {
        let by = by.map(|path| self.root_at(path)).transpose()?.flatten();
        self.conn
            .execute(
                "UPDATE roots SET linked_by = ?2 WHERE id = ?1 AND linked_by IS NOT ?2",
                params![root, by.map(|row| row.id)],
            )
            .at(&self.path)?;
        Ok(())
    }

    /// Forgets the roots that this one had links to, but for those at `still`, and those that they had
    /// links to themselves. Returns how many.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget_unlinked(&mut self, by: i64, still: &[PathBuf]) -> Result<usize, StoreError> {
        let linked: Vec<RootRow> = self
            .conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM roots WHERE linked_by = ?1 AND id <> ?1"
            ))
            .and_then(|mut s| s.query_map([by], RootRow::read)?.collect())
            .at(&self.path)?;
        let mut forgotten = 0;
        for row in linked.into_iter().filter(|row| !still.contains(&row.path)) {
            // Taken out first, so that there is an end even if they named each other.
            self.set_linked_by(row.id, None)?;
            forgotten += 1 + self.forget_unlinked(row.id, &[])?;
            self.forget_root(&row.path)?;
        }
        Ok(forgotten)
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

    /// Notes that a scan walked all of a root, and what it passed over, as JSON.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn root_scanned(
        &mut self,
        root: i64,
        other_files: i64,
        skipped: &str,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE roots SET last_full_scan = ?2, other_files = ?3, skipped = ?4, note = NULL, online = 1
                 WHERE id = ?1",
                params![root, unix_now(), other_files, skipped],
            )
            .at(&self.path)?;
        Ok(())
    }
}

/// Gives a root all rows of files below it that other roots have, so that no file is listed twice:
/// roots inside it are taken over whole, a root around it hands over what lies below. Folder names
/// below the root change by that, and with them the photos' words.
fn own_all(conn: &Connection, owner: &RootRow) -> rusqlite::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let others: Vec<RootRow> = conn
        .prepare(&format!("SELECT {COLUMNS} FROM roots WHERE id <> ?1"))?
        .query_map([owner.id], RootRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    let mut moved = Vec::new();
    for other in others {
        if let Ok(inner) = other.path.strip_prefix(&owner.path) {
            // Another volume that is away keeps its rows: its files are not here now.
            if inner.as_os_str().is_empty() || !other.online {
                continue;
            }
            let inner = inner.as_os_str().as_bytes();
            let (low, high) = bounds(inner);
            moved.extend(photos_between(conn, other.id, &[], None)?);
            // Rows of the owner at the same paths are replaced.
            moved.extend(photos_between(conn, owner.id, &low, Some(&high))?);
            for table in ["files", "sidecars"] {
                conn.execute(
                    &format!(
                        "UPDATE OR REPLACE {table} SET root = ?1, path = CAST(?2 || '/' || path AS BLOB) WHERE root = ?3"
                    ),
                    params![owner.id, inner, other.id],
                )?;
            }
            refolder(conn, owner.id)?;
            conn.execute("DELETE FROM folders WHERE root = ?1", [other.id])?;
            conn.execute("DELETE FROM roots WHERE id = ?1", [other.id])?;
        } else if let Ok(inner) = owner.path.strip_prefix(&other.path) {
            let (low, high) = bounds(inner.as_os_str().as_bytes());
            moved.extend(photos_between(conn, other.id, &low, Some(&high))?);
            // Rows of the owner at the same paths are replaced, perhaps by ones without a photo.
            let any: bool = conn
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM files WHERE root = ?1 AND path >= ?2 AND path < ?3)",
                )?
                .query_row(params![other.id, low, high], |r| r.get(0))?;
            if any {
                moved.extend(photos_between(conn, owner.id, &[], None)?);
            }
            for table in ["files", "sidecars"] {
                conn.execute(
                    &format!(
                        "UPDATE OR REPLACE {table} SET root = ?1, path = substr(path, ?2)
                         WHERE root = ?3 AND path >= ?4 AND path < ?5"
                    ),
                    params![
                        owner.id,
                        i64::try_from(low.len() + 1).unwrap_or(i64::MAX),
                        other.id,
                        low,
                        high
                    ],
                )?;
            }
            refolder(conn, owner.id)?;
        }
    }
    word_index::refresh_all(conn, moved.clone())?;
    beside::refresh_all(conn, moved)
}

/// Puts files and sidecars whose root has changed into its folders.
fn refolder(conn: &Connection, root: i64) -> rusqlite::Result<()> {
    let foreign = "root = ?1 AND folder NOT IN (SELECT id FROM folders WHERE root = ?1)";
    for table in ["files", "sidecars"] {
        conn.execute(
            &format!(
                "INSERT OR IGNORE INTO folders (root, path) SELECT root, folder_of(path) FROM {table} WHERE {foreign}"
            ),
            [root],
        )?;
        conn.execute(
            &format!(
                "UPDATE {table} SET folder = (SELECT d.id FROM folders d WHERE d.root = ?1 AND d.path = folder_of({table}.path))
                 WHERE {foreign}"
            ),
            [root],
        )?;
    }
    Ok(())
}

/// Every path below `dir` lies from the first of these up to the second.
fn bounds(dir: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([dir, b"/"].concat(), [dir, b"0"].concat())
}

/// The photos that a root's paths from `low` up to `high` point at.
fn photos_between(
    conn: &Connection,
    root: i64,
    low: &[u8],
    high: Option<&[u8]>,
) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached(
        "SELECT photo FROM files WHERE root = ?1 AND path >= ?2 AND (?3 IS NULL OR path < ?3)
         AND photo IS NOT NULL",
    )?
    .query_map(params![root, low, high], |r| r.get(0))?
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::{FileStamp, RelPath};
    use crate::store::{Change, Failure, FileKey, Stage};

    fn paths(store: &Store) -> Vec<(String, Vec<u8>)> {
        let reader = store.reader().unwrap();
        let mut all = Vec::new();
        for root in reader.roots().unwrap() {
            let rows = reader
                .files_page(root.id, &RelPath::root(), None, 100)
                .unwrap();
            all.extend(rows.into_iter().map(|f| {
                (
                    root.path.to_str().unwrap().to_owned(),
                    f.path.as_bytes().to_vec(),
                )
            }));
        }
        all
    }

    #[test]
    fn a_file_has_one_root_however_roots_nest() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(dir.path()).unwrap();
        let put = |store: &mut Store, root: i64, path: &[u8]| {
            let failed = Change::Failed {
                key: FileKey {
                    root,
                    path: RelPath::from_bytes(path),
                },
                stamp: FileStamp::default(),
                hash: None,
                failure: Failure {
                    stage: Stage::Read,
                    kind: "io".to_owned(),
                    message: "x".to_owned(),
                    decoder_version: 1,
                },
            };
            store.apply(&[failed]).unwrap();
        };
        let inner = store
            .adopt_root(Path::new("/p/a"), ("v", ""), None)
            .unwrap();
        put(&mut store, inner.id, b"1.jpg");
        put(&mut store, inner.id, b"x\xe9/2.jpg");
        let outer = store.adopt_root(Path::new("/p"), ("v", ""), None).unwrap();
        put(&mut store, outer.id, b"ab/3.jpg");
        let of = |root: &str, paths: &[&[u8]]| -> Vec<(String, Vec<u8>)> {
            paths
                .iter()
                .map(|p| (root.to_owned(), p.to_vec()))
                .collect()
        };
        assert_eq!(
            paths(&store),
            of("/p", &[b"a/1.jpg", b"a/x\xe9/2.jpg", b"ab/3.jpg"])
        );
        store
            .adopt_root(Path::new("/p/a"), ("v", ""), None)
            .unwrap();
        let mut wanted = of("/p", &[b"ab/3.jpg"]);
        wanted.extend(of("/p/a", &[b"1.jpg", b"x\xe9/2.jpg"]));
        assert_eq!(paths(&store), wanted);
        assert_eq!(store.forget_root(Path::new("/p")).unwrap(), Some(1));
        assert_eq!(store.forget_root(Path::new("/q")).unwrap(), None);
        assert_eq!(paths(&store), of("/p/a", &[b"1.jpg", b"x\xe9/2.jpg"]));
    }
}
