//! The ways in which the row of a path changes. Each leaves nothing behind that no row points at any more, and
//! the words of photos as their places are.

use rusqlite::{Connection, OptionalExtension, params};

use super::{FileKey, folder_of, inode_column, size_column};
use crate::photo::{FileStamp, RelPath};
use crate::said::SaidDate;
use crate::sidecar::group;
use crate::store::{Failure, failures, photos, unix_now, word_index};

/// What a file row points at.
pub(in crate::store) enum Points {
    Photo(i64),
    Failure(i64),
}

/// Writes the row of one path, and the words of the photos it points at and pointed at; a failure
/// that nothing points at any more goes with it.
pub(in crate::store) fn put(
    conn: &Connection,
    key: &FileKey,
    stamp: &FileStamp,
    points: &Points,
) -> rusqlite::Result<()> {
    let old = points_at(conn, key)?;
    let (photo, failure) = match points {
        Points::Photo(id) => (Some(*id), None),
        Points::Failure(id) => (None, Some(*id)),
    };
    let dated = match photo {
        Some(photo) => photos::dated(conn, photo)?,
        None => None,
    };
    let taken = SaidDate::of_place(dated, key.path.as_bytes(), stamp.mtime_ns);
    conn.prepare_cached(
        "INSERT INTO files (root, path, size, mtime_ns, ctime_ns, inode, photo, failure, folder, taken,
             family)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (root, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
             ctime_ns = excluded.ctime_ns, inode = excluded.inode, photo = excluded.photo,
             failure = excluded.failure, missing_since = NULL, trouble = NULL, taken = excluded.taken",
    )?
    .execute(params![
        key.root,
        key.path.as_bytes(),
        size_column(stamp),
        stamp.mtime_ns,
        stamp.ctime_ns,
        inode_column(stamp),
        photo,
        failure,
        folder(conn, key)?,
        taken.date.millis(),
        group(key.path.name()),
    ])?;
    let replaced = old.failure.filter(|old| Some(*old) != failure);
    for unused in [replaced, old.trouble].into_iter().flatten() {
        failures::drop_if_unused(conn, unused)?;
    }
    if let Some(photo) = photo {
        let_go_of_missing(conn, key, photo)?;
    }
    if old.photo != photo {
        for photo in [old.photo, photo].into_iter().flatten() {
            word_index::refresh(conn, photo)?;
        }
    }
    Ok(())
}

/// The places of a photo of which another date is known now.
pub(in crate::store) fn date_again(
    conn: &Connection,
    photo: i64,
    dated: Option<SaidDate>,
) -> rusqlite::Result<()> {
    let places: Vec<(i64, Vec<u8>, i64)> = conn
        .prepare_cached("SELECT root, path, mtime_ns FROM files WHERE photo = ?1")?
        .query_map([photo], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (root, path, mtime_ns) in places {
        let taken = SaidDate::of_place(dated, &path, mtime_ns).date.millis();
        conn.prepare_cached(
            "UPDATE files SET taken = ?3 WHERE root = ?1 AND path = ?2 AND taken <> ?3",
        )?
        .execute(params![root, path, taken])?;
    }
    Ok(())
}

/// Content that lies here has not disappeared: its rows that are held as missing elsewhere go.
fn let_go_of_missing(conn: &Connection, here: &FileKey, photo: i64) -> rusqlite::Result<()> {
    let held: Vec<FileKey> = conn
        .prepare_cached(
            "SELECT root, path FROM files INDEXED BY files_by_photo
             WHERE photo = ?1 AND missing_since IS NOT NULL AND NOT (root = ?2 AND path = ?3)",
        )?
        .query_map(params![photo, here.root, here.path.as_bytes()], |r| {
            Ok(FileKey {
                root: r.get(0)?,
                path: RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for key in &held {
        remove(conn, key)?;
    }
    Ok(())
}

/// The key of the folder that a file lies in, made if it is new.
pub(in crate::store) fn folder(conn: &Connection, key: &FileKey) -> rusqlite::Result<i64> {
    let path = folder_of(key.path.as_bytes());
    let known = conn
        .prepare_cached("SELECT id FROM folders WHERE root = ?1 AND path = ?2")?
        .query_row(params![key.root, path], |r| r.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => conn
            .prepare_cached("INSERT INTO folders (root, path) VALUES (?1, ?2) RETURNING id")?
            .query_row(params![key.root, path], |r| r.get(0)),
    }
}

/// Removes the row of one path.
pub(in crate::store) fn remove(conn: &Connection, key: &FileKey) -> rusqlite::Result<bool> {
    let old = points_at(conn, key)?;
    let removed = conn
        .prepare_cached("DELETE FROM files WHERE root = ?1 AND path = ?2")?
        .execute(params![key.root, key.path.as_bytes()])?;
    for unused in [old.failure, old.trouble].into_iter().flatten() {
        failures::drop_if_unused(conn, unused)?;
    }
    if let Some(old) = old.photo {
        word_index::refresh(conn, old)?;
    }
    Ok(removed > 0)
}

/// Holds the row of one path as missing. A photo that lies elsewhere too has not disappeared: there
/// the row goes.
pub(in crate::store) fn hold(conn: &Connection, key: &FileKey) -> rusqlite::Result<()> {
    let elsewhere: bool = conn
        .prepare_cached(
            "SELECT coalesce((SELECT p.places - (f.missing_since IS NULL) FROM photos p WHERE p.id = f.photo), 0) > 0
             FROM files f WHERE f.root = ?1 AND f.path = ?2",
        )?
        .query_row(params![key.root, key.path.as_bytes()], |r| r.get(0))
        .optional()?
        .unwrap_or(false);
    if elsewhere {
        return remove(conn, key).map(|_| ());
    }
    conn.prepare_cached(
        "UPDATE files SET missing_since = coalesce(missing_since, ?3) WHERE root = ?1 AND path = ?2",
    )?
    .execute(params![key.root, key.path.as_bytes(), unix_now()])?;
    Ok(())
}

/// The row of one path is right after all: it is not missing, and can be read.
pub(in crate::store) fn vouch_for(conn: &Connection, key: &FileKey) -> rusqlite::Result<()> {
    let old = points_at(conn, key)?;
    conn.prepare_cached(
        "UPDATE files SET missing_since = NULL, trouble = NULL WHERE root = ?1 AND path = ?2",
    )?
    .execute(params![key.root, key.path.as_bytes()])?;
    match old.trouble {
        Some(trouble) => failures::drop_if_unused(conn, trouble),
        None => Ok(()),
    }
}

/// Notes on the row of one path that the file cannot be read now; what is known of it stays.
pub(in crate::store) fn set_trouble(
    conn: &Connection,
    key: &FileKey,
    failure: &Failure,
) -> rusqlite::Result<()> {
    let old = points_at(conn, key)?;
    if old.photo.is_none() && old.failure.is_none() {
        return Ok(());
    }
    let id = failures::put(conn, None, None, old.trouble, failure)?;
    conn.prepare_cached("UPDATE files SET trouble = ?3 WHERE root = ?1 AND path = ?2")?
        .execute(params![key.root, key.path.as_bytes(), id])?;
    Ok(())
}

/// What a row refers to now.
#[derive(Default)]
struct PointsAt {
    photo: Option<i64>,
    failure: Option<i64>,
    trouble: Option<i64>,
}

fn points_at(conn: &Connection, key: &FileKey) -> rusqlite::Result<PointsAt> {
    conn.prepare_cached("SELECT photo, failure, trouble FROM files WHERE root = ?1 AND path = ?2")?
        .query_row(params![key.root, key.path.as_bytes()], |r| {
            Ok(PointsAt {
                photo: r.get(0)?,
                failure: r.get(1)?,
                trouble: r.get(2)?,
            })
        })
        .optional()
        .map(Option::unwrap_or_default)
}
