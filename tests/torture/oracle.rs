//! The oracle: what lies in the folder, walked without any of photond's code, and what the database
//! says, read without any of photond's code, must be the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::content;

/// The files with rules of their own that the trials make say just this.
pub const RULE: &str = "skip-*\n";

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lies {
    /// A file that photond must know.
    File {
        size: u64,
        mtime_ns: i64,
        /// `None`: photond may not read it.
        hash: Option<[u8; 32]>,
        /// It is a whole photo.
        whole: bool,
    },
    /// A folder that photond may not read: nothing is known of what is in it.
    Closed,
}

pub type Truth = BTreeMap<Vec<u8>, Lies>;

/// Walks a root. Permissions are judged as for a process that they bind, whoever walks.
pub fn walk(root: &Path) -> Truth {
    let mut truth = Truth::new();
    // Folder, its path below the root, whether a rule applies in it.
    let mut folders = vec![(root.to_path_buf(), Vec::new(), false)];
    while let Some((folder, below, ruled)) = folders.pop() {
        let ruled = ruled || folder.join(".photondignore").is_file();
        let Ok(entries) = fs::read_dir(&folder) else {
            truth.insert(below, Lies::Closed);
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let mut path = below.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(name.as_bytes());
            if name == ".photondignore" || (ruled && name.as_bytes().starts_with(b"skip-")) {
                continue;
            }
            let Ok(meta) = fs::symlink_metadata(entry.path()) else {
                continue;
            };
            let open = meta.permissions().mode() & 0o400 != 0;
            if meta.is_dir() {
                if open {
                    folders.push((entry.path(), path, ruled));
                } else {
                    truth.insert(path, Lies::Closed);
                }
            } else if meta.is_file() && may_be_photo(&name) {
                let bytes = open.then(|| fs::read(entry.path()).ok()).flatten();
                let mtime_ns = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
                let lies = Lies::File {
                    size: meta.size(),
                    mtime_ns,
                    hash: bytes.as_ref().map(|b| *blake3::hash(b).as_bytes()),
                    whole: bytes.as_ref().is_some_and(|b| content::is_whole(b)),
                };
                truth.insert(path, lies);
            }
        }
    }
    truth
}

fn may_be_photo(name: &OsStr) -> bool {
    let name = name.as_bytes();
    !name.ends_with(b".txt") && !name.ends_with(b".part")
}

/// A row of `files` with what it points at.
#[derive(Debug)]
struct Row {
    size: i64,
    mtime_ns: i64,
    photo: Option<Vec<u8>>,
    /// All of its picture could be had.
    whole: bool,
    tagged: bool,
    stage: Option<String>,
    failed_content: Option<Vec<u8>>,
    missing: bool,
    troubled: bool,
}

/// Opens the index as anybody could; photond does not notice.
pub fn open(data: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(data.join("index.db"), flags)?;
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(conn)
}

fn rows(conn: &Connection, root: &Path) -> rusqlite::Result<BTreeMap<Vec<u8>, Row>> {
    conn.prepare(
        "SELECT f.path, f.size, f.mtime_ns, p.hash, p.tagger IS NOT NULL, e.stage, e.hash,
                f.missing_since IS NOT NULL, f.trouble IS NOT NULL, p.pixels = 0
         FROM files f JOIN roots r ON r.id = f.root
         LEFT JOIN photos p ON p.id = f.photo LEFT JOIN failures e ON e.id = f.failure
         WHERE r.path = ?1",
    )?
    .query_map([root.as_os_str().as_bytes()], |r| {
        let row = Row {
            size: r.get(1)?,
            mtime_ns: r.get(2)?,
            photo: r.get(3)?,
            tagged: r.get(4)?,
            stage: r.get(5)?,
            failed_content: r.get(6)?,
            missing: r.get(7)?,
            troubled: r.get(8)?,
            whole: r.get::<_, Option<bool>>(9)?.unwrap_or(false),
        };
        Ok((r.get(0)?, row))
    })?
    .collect()
}

/// What the two disagree about.
#[derive(Debug, Default)]
pub struct Verdict {
    pub wrong: Vec<String>,
    /// Rows held because very many files left at once.
    pub held: usize,
    /// Files that both agree on.
    pub agreed: usize,
}

/// Compares a root with its rows.
pub fn compare(data: &Path, root: &Path, truth: &Truth, tags: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let rows = open(data).and_then(|conn| rows(&conn, root));
    let rows = match rows {
        Ok(rows) => rows,
        Err(e) => {
            verdict.wrong.push(format!("the index cannot be read: {e}"));
            return verdict;
        }
    };
    for (path, lies) in truth {
        let problem = match (lies, rows.get(path)) {
            (Lies::Closed, None) => Some("no row says that the folder cannot be read".to_owned()),
            (Lies::Closed, Some(row)) => (row.stage.as_deref() != Some("scan"))
                .then(|| format!("a folder that cannot be read: {row:?}")),
            (Lies::File { .. }, None) => Some("missed".to_owned()),
            (lies, Some(row)) => differs(lies, row, tags),
        };
        match problem {
            Some(problem) => verdict.wrong.push(format!("{}: {problem}", shown(path))),
            None => verdict.agreed += 1,
        }
    }
    let closed: Vec<&Vec<u8>> = truth
        .iter()
        .filter(|(_, lies)| **lies == Lies::Closed)
        .map(|(path, _)| path)
        .collect();
    for (path, row) in &rows {
        let hidden = closed
            .iter()
            .any(|dir| path.starts_with(dir) && path.get(dir.len()) == Some(&b'/'));
        if truth.contains_key(path) || hidden {
            continue;
        }
        if row.missing {
            verdict.held += 1;
        } else {
            verdict
                .wrong
                .push(format!("{}: nothing lies there: {row:?}", shown(path)));
        }
    }
    verdict
}

fn differs(lies: &Lies, row: &Row, tags: bool) -> Option<String> {
    let Lies::File {
        size,
        mtime_ns,
        hash,
        whole,
    } = lies
    else {
        return None;
    };
    let stamped = row.size as u64 == *size && row.mtime_ns == *mtime_ns;
    let fine = match (hash, &row.photo) {
        _ if row.missing => false,
        // Whoever may not read it keeps what was known or says that it cannot be read.
        (None, Some(_)) => true,
        (None, None) => row.stage.as_deref() == Some("read"),
        (Some(hash), Some(photo)) => {
            // Of half a picture the upper part may be there, with tags of its own.
            let seen = !whole || row.whole && (row.tagged || !tags);
            stamped && photo == hash && !row.troubled && seen
        }
        (Some(hash), None) => {
            !whole
                && stamped
                && row.stage.as_deref() == Some("inspect")
                && row.failed_content.as_deref() == Some(&hash[..])
        }
    };
    (!fine).then(|| format!("{lies:?} but {row:?}"))
}

/// A path for people, with what it is made of.
pub fn shown(path: &[u8]) -> String {
    format!("{:?}", OsStr::from_bytes(path))
}

/// What must hold of the database by itself.
pub fn sound(data: &Path) -> Vec<String> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let conn = open(data)?;
        let mut wrong: Vec<String> = conn
            .prepare("PRAGMA integrity_check(5)")?
            .query_map([], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        wrong.retain(|line| line != "ok");
        let mut none = |what: &str, sql: &str| -> rusqlite::Result<()> {
            let n: i64 = conn.query_row(sql, [], |r| r.get(0))?;
            if n != 0 {
                wrong.push(format!("{n} {what}"));
            }
            Ok(())
        };
        none(
            "rows break a foreign key",
            "SELECT count(*) FROM pragma_foreign_key_check",
        )?;
        none(
            "failures of files that are no file's",
            "SELECT count(*) FROM failures e WHERE e.stage <> 'embed'
             AND NOT EXISTS (SELECT 1 FROM files f WHERE f.failure = e.id OR f.trouble = e.id)",
        )?;
        none(
            "photos whose count of places is wrong",
            "SELECT count(*) FROM photos p WHERE p.places <>
             (SELECT count(*) FROM files f WHERE f.photo = p.id AND f.missing_since IS NULL)",
        )?;
        Ok(wrong)
    };
    check().unwrap_or_else(|e| vec![format!("the index cannot be read: {e}")])
}
