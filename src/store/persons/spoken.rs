//! What a person says of people: names, who is whom, who is not there, whom to forget.
//!
//! Each word is one transaction, where another process may write too; only forgetting everybody takes several.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::{
    called, drop_unused_name, merge, new, people_of, photos_of, rename, settle, settle_all,
};
use crate::photo::ContentHash;
use crate::store::error::{At, StoreError};
use crate::store::faces::{self, FaceRow};
use crate::store::{INDEX_FILE, embeddings, photos, said};

/// So long a command waits for whoever writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Photos whose names are put together again in one transaction when everybody is forgotten.
const AT_ONCE: usize = 2000;

/// What a person says of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonWord {
    /// This one is called so.
    Name(i64, String),
    /// The second is the first.
    Merge(i64, i64),
    /// This one is several.
    Split(i64),
    /// This one is not on the photo.
    Not(i64, ContentHash),
    /// Nothing is to be known of this one.
    Forget(i64),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonChanged {
    /// It is so; so many photos.
    Done(usize),
    /// The name was another one's, who are one now: their number.
    Merged(i64),
    /// The numbers of those who are not the first any more.
    Split(Vec<i64>),
    /// There is nobody with this number.
    Nobody(i64),
    /// The person's face is not on this photo.
    NotThere,
    /// One face alone cannot be split.
    TooFew,
}

/// Does what a person says of people, where another process may write too.
///
/// # Errors
/// If the database cannot be written; then nothing has changed.
pub fn say_of_persons(data_dir: &Path, word: &PersonWord) -> Result<PersonChanged, StoreError> {
    write_beside(data_dir, |conn| match word {
        PersonWord::Name(person, name) => say_name(conn, *person, name),
        PersonWord::Merge(first, second) => say_merged(conn, *first, *second),
        PersonWord::Split(person) => say_split(conn, *person),
        PersonWord::Not(person, hash) => say_not(conn, *person, hash),
        PersonWord::Forget(person) => say_forgotten(conn, *person),
    })
}

fn write_beside<T>(
    data_dir: &Path,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let mut conn =
        crate::store::checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(&path)?;
    conn.busy_timeout(PATIENCE).at(&path)?;
    // What is forgotten is not to be found in free pages either.
    conn.pragma_update(None, "secure_delete", "ON").at(&path)?;
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .at(&path)?;
    let done = work(&tx).at(&path)?;
    tx.commit().at(&path)?;
    Ok(done)
}

fn say_name(conn: &Connection, person: i64, name: &str) -> rusqlite::Result<PersonChanged> {
    if !exists(conn, person)? {
        return Ok(PersonChanged::Nobody(person));
    }
    let people = said::person_id(conn, name)?;
    // As it is written now.
    conn.execute(
        "UPDATE people SET name = ?2 WHERE id = ?1",
        params![people, name],
    )?;
    match called(conn, people)? {
        Some(other) if other != person => {
            merge(conn, other, person)?;
            settle_all(conn, other)?;
            Ok(PersonChanged::Merged(other))
        }
        _ => {
            if people_of(conn, person)? != people {
                rename(conn, person, people)?;
            }
            Ok(PersonChanged::Done(settle_all(conn, person)?))
        }
    }
}

fn say_merged(conn: &Connection, first: i64, second: i64) -> rusqlite::Result<PersonChanged> {
    for person in [first, second] {
        if !exists(conn, person)? {
            return Ok(PersonChanged::Nobody(person));
        }
    }
    if first != second {
        merge(conn, first, second)?;
    }
    Ok(PersonChanged::Done(settle_all(conn, first)?))
}

fn say_split(conn: &Connection, person: i64) -> rusqlite::Result<PersonChanged> {
    if !exists(conn, person)? {
        return Ok(PersonChanged::Nobody(person));
    }
    // The look with most faces stays.
    let looks: Vec<i64> = conn
        .prepare_cached(
            "SELECT l.id FROM looks l LEFT JOIN faces f INDEXED BY faces_of_look ON f.look = l.id
             WHERE l.person = ?1 GROUP BY l.id HAVING count(f.id) > 0 ORDER BY count(f.id) DESC, l.id",
        )?
        .query_map([person], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut away = Vec::new();
    match &looks[..] {
        [] => return Ok(PersonChanged::TooFew),
        [only] => {
            let faces = vectors_of(conn, *only)?;
            if faces.len() < 2 {
                return Ok(PersonChanged::TooFew);
            }
            let vectors: Vec<Vec<f32>> = faces.iter().map(|(_, v)| v.clone()).collect();
            let other = new(conn)?;
            let look = faces::new_look(conn, other)?;
            let second = crate::persons::divide(&vectors);
            for ((face, _), _) in faces.iter().zip(second).filter(|(_, second)| *second) {
                faces::set_look(conn, *face, Some(look))?;
            }
            away.push(other);
        }
        [_, others @ ..] => {
            for look in others {
                let other = new(conn)?;
                conn.execute("UPDATE looks SET person = ?2 WHERE id = ?1", [*look, other])?;
                away.push(other);
            }
        }
    }
    faces::note_change(conn)?;
    for other in away.iter().chain([&person]) {
        settle_all(conn, *other)?;
    }
    Ok(PersonChanged::Split(away))
}

/// The faces of a look with their vectors, those that have one.
fn vectors_of(conn: &Connection, look: i64) -> rusqlite::Result<Vec<(i64, Vec<f32>)>> {
    let mut stmt = conn.prepare_cached(
        "SELECT f.id, f.nth, e.vector FROM faces f INDEXED BY faces_of_look
         JOIN embeddings e INDEXED BY embeddings_by_photo ON e.photo = f.photo
         JOIN models m ON m.id = e.model AND m.kind = 4 WHERE f.look = ?1 ORDER BY f.id, m.id",
    )?;
    let rows = stmt.query_map([look], |r| {
        let kept = crate::faces::of(&embeddings::decode(r.get_ref(2)?.as_blob()?).values);
        let nth: i64 = r.get(1)?;
        let face = kept.into_iter().nth(nth as usize);
        Ok((r.get(0)?, face.map(|face| face.vector)))
    })?;
    let mut found: Vec<(i64, Vec<f32>)> = Vec::new();
    for row in rows {
        let (face, vector): (i64, Option<Vec<f32>>) = row?;
        let is_new = found.last().is_none_or(|(last, _)| *last != face);
        match vector {
            Some(vector) if is_new => found.push((face, vector)),
            _ => {}
        }
    }
    Ok(found)
}

/// Their faces on a photo.
fn on_photo(conn: &Connection, person: i64, photo: i64) -> rusqlite::Result<Vec<FaceRow>> {
    let mut rows = faces::of_photo(conn, photo)?;
    let mut theirs = Vec::new();
    for row in rows.drain(..) {
        if let Some(look) = row.look
            && faces::person_of(conn, look)? == Some(person)
        {
            theirs.push(row);
        }
    }
    Ok(theirs)
}

fn say_not(conn: &Connection, person: i64, hash: &ContentHash) -> rusqlite::Result<PersonChanged> {
    if !exists(conn, person)? {
        return Ok(PersonChanged::Nobody(person));
    }
    let Some(photo) = photos::id(conn, hash)? else {
        return Ok(PersonChanged::NotThere);
    };
    let theirs = on_photo(conn, person, photo)?;
    if theirs.is_empty() {
        return Ok(PersonChanged::NotThere);
    }
    for face in &theirs {
        faces::mark(conn, hash, &face.found, Some(person))?;
        faces::set_look(conn, face.id, None)?;
    }
    faces::note_change(conn)?;
    settle(conn, &[photo])?;
    Ok(PersonChanged::Done(1))
}

fn say_forgotten(conn: &Connection, person: i64) -> rusqlite::Result<PersonChanged> {
    if !exists(conn, person)? {
        return Ok(PersonChanged::Nobody(person));
    }
    let photos = photos_of(conn, person)?;
    for photo in &photos {
        let hash = faces::hash_of(conn, *photo)?;
        let theirs = on_photo(conn, person, *photo)?;
        for face in &theirs {
            faces::mark(conn, &hash, &face.found, None)?;
        }
        forget_faces(conn, *photo, &theirs)?;
    }
    let people = people_of(conn, person)?;
    for sql in [
        "DELETE FROM looks WHERE person = ?1",
        "DELETE FROM face_marks WHERE person = ?1",
        "DELETE FROM persons WHERE id = ?1",
    ] {
        conn.execute(sql, [person])?;
    }
    drop_unused_name(conn, people)?;
    faces::note_change(conn)?;
    settle(conn, &photos)?;
    forget_words(conn)?;
    Ok(PersonChanged::Done(photos.len()))
}

/// Words of rows that are gone stay in a full-text index until it is put together anew.
fn forget_words(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO said_words (said_words) VALUES ('optimize')",
        [],
    )
    .map(|_| ())
}

/// Takes faces and their vectors out of a photo.
fn forget_faces(conn: &Connection, photo: i64, gone: &[FaceRow]) -> rusqlite::Result<()> {
    let is_gone = |nth: usize| gone.iter().any(|face| face.nth == nth as i64);
    let kept: Vec<(i64, Vec<u8>)> = conn
        .prepare_cached(
            "SELECT e.model, e.vector FROM embeddings e JOIN models m ON m.id = e.model
             WHERE e.photo = ?1 AND m.kind = 4",
        )?
        .query_map([photo], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (model, vector) in kept {
        let mut left = crate::faces::of(&embeddings::decode(&vector).values);
        let mut nth = 0..;
        left.retain(|_| nth.next().is_some_and(|nth| !is_gone(nth)));
        embeddings::put(conn, photo, model, &crate::faces::kept(&left))?;
    }
    let rows = faces::of_photo(conn, photo)?;
    for row in rows.iter().filter(|row| is_gone(row.nth as usize)) {
        conn.execute("DELETE FROM faces WHERE id = ?1", [row.id])?;
    }
    let left = rows.iter().filter(|row| !is_gone(row.nth as usize));
    for (nth, row) in (0i64..).zip(left) {
        conn.execute("UPDATE faces SET nth = ?2 WHERE id = ?1", [row.id, nth])?;
    }
    Ok(())
}

/// Forgets every face: vectors, people, the names that they were given, and what was said of them. What
/// files say stays. In steps, each a transaction; a kill between two leaves less, and the next call the rest.
///
/// # Errors
/// If the database cannot be written.
pub fn forget_all_persons(data_dir: &Path) -> Result<usize, StoreError> {
    let mut photos = 0;
    loop {
        let done = write_beside(data_dir, |conn| forget_some(conn, AT_ONCE))?;
        if done == 0 {
            break;
        }
        photos += done;
    }
    write_beside(data_dir, |conn| {
        for sql in [
            "DELETE FROM faces",
            "DELETE FROM looks",
            "DELETE FROM face_marks",
            "DELETE FROM persons",
            "DELETE FROM people WHERE NOT EXISTS (SELECT 1 FROM photo_people w WHERE w.person = people.id)",
            "DELETE FROM failures WHERE model IN (SELECT id FROM models WHERE kind = 4)",
            "UPDATE models SET dims = 0 WHERE kind = 4",
        ] {
            conn.execute(sql, [])?;
        }
        forget_words(conn)?;
        faces::note_change(conn)
    })?;
    Ok(photos)
}

fn forget_some(conn: &Connection, limit: usize) -> rusqlite::Result<usize> {
    let mut photos: Vec<i64> = conn
        .prepare(
            "SELECT photo FROM embeddings WHERE model IN (SELECT id FROM models WHERE kind = 4)
             UNION ALL SELECT photo FROM faces LIMIT ?1",
        )?
        .query_map([limit as i64], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    photos.sort_unstable();
    photos.dedup();
    for photo in &photos {
        let had = conn
            .prepare_cached("DELETE FROM faces WHERE photo = ?1")?
            .execute([photo])?;
        conn.prepare_cached(
            "DELETE FROM embeddings WHERE photo = ?1 AND model IN (SELECT id FROM models WHERE kind = 4)",
        )?
        .execute([photo])?;
        if had > 0 {
            said::settle(conn, *photo, false)?;
        }
    }
    Ok(photos.len())
}

fn exists(conn: &Connection, person: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM persons WHERE id = ?1")?
        .exists([person])
}
