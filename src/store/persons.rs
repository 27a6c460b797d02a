//! People whose faces have been seen: their numbers and names, and what a person has done with them.
//!
//! A person is one or several looks ([`super::faces`]). Numbers are never given twice; one goes only when
//! somebody says that two are one, or that one is to be forgotten. Whoever changes who a face belongs to has
//! [`super::said::settle`] put the photo's names together again, in the same transaction, so that queries
//! know one table of people and no more (`photo_people`).

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::error::{At, StoreError};
use super::faces::{self, FaceRow};
use super::{INDEX_FILE, StoreReader, embeddings};
use crate::photo::{ContentHash, RelPath};
use crate::said::FaceArea;
use crate::said::text::bare;

/// So long a command waits for whoever writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Photos whose names are put together again in one transaction when everybody is forgotten.
const AT_ONCE: usize = 2000;

/// Somebody whom photos show or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonCount {
    /// The name, or `person 7`.
    pub name: String,
    /// Whether somebody has given that name.
    pub is_named: bool,
    /// The number, if photond knows the face.
    pub number: Option<i64>,
    /// Photos (contents) that lie somewhere.
    pub photos: i64,
    /// Where one of these lies, the newest.
    pub example: Option<PathBuf>,
}

/// A face that can be told from others.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFace {
    /// Where it is.
    pub area: FaceArea,
    /// The person's number, if it is anybody's yet.
    pub number: Option<i64>,
    /// Their name, if somebody has given one.
    pub name: Option<String>,
}

/// Somebody whose face is in a photo.
pub(super) struct ByFace {
    pub people: i64,
    /// If somebody has given one.
    pub name: Option<String>,
    pub area: FaceArea,
}

/// Everybody whose face is in a photo.
pub(super) fn by_faces(conn: &Connection, photo: i64) -> rusqlite::Result<Vec<ByFace>> {
    conn.prepare_cached(
        "SELECT n.id, CASE WHEN n.number IS NULL THEN n.name END, f.x0, f.y0, f.x1, f.y1
         FROM faces f JOIN looks l ON l.id = f.look JOIN persons s ON s.id = l.person
         JOIN people n ON n.id = s.people WHERE f.photo = ?1 ORDER BY f.nth",
    )?
    .query_map([photo], |r| {
        let edge = |at: usize| r.get::<_, f64>(at);
        let (left, top) = (edge(2)?, edge(3)?);
        Ok(ByFace {
            people: r.get(0)?,
            name: r.get(1)?,
            area: FaceArea {
                left,
                top,
                width: edge(4)? - left,
                height: edge(5)? - top,
            },
        })
    })?
    .collect()
}

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

impl StoreReader {
    /// Everybody with at least one photo, most photos first; whom nobody has named last of as many.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn persons(&self) -> Result<Vec<PersonCount>, StoreError> {
        let mut counts: Vec<(i64, PersonCount)> = self
            .conn
            .prepare_cached(
                "SELECT n.id, n.name, n.number IS NULL, s.id, count(*) FROM photo_people w
                 JOIN photos p ON p.id = w.photo JOIN people n ON n.id = w.person
                 LEFT JOIN persons s ON s.people = n.id WHERE p.places > 0
                 GROUP BY n.id ORDER BY 5 DESC, n.number IS NOT NULL, n.number, n.word",
            )
            .and_then(|mut s| {
                s.query_map([], |r| {
                    let count = PersonCount {
                        name: r.get(1)?,
                        is_named: r.get(2)?,
                        number: r.get(3)?,
                        photos: r.get(4)?,
                        example: None,
                    };
                    Ok((r.get(0)?, count))
                })?
                .collect()
            })
            .at(&self.path)?;
        for (people, count) in &mut counts {
            count.example = self.example_of(*people)?;
        }
        Ok(counts.into_iter().map(|(_, count)| count).collect())
    }

    fn example_of(&self, people: i64) -> Result<Option<PathBuf>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT r.path, f.path FROM photo_people w
                 JOIN files f INDEXED BY files_by_photo ON f.photo = w.photo JOIN roots r ON r.id = f.root
                 WHERE w.person = ?1 AND f.missing_since IS NULL ORDER BY w.photo DESC LIMIT 1",
            )
            .and_then(|mut s| {
                s.query_row([people], |r| {
                    let root = PathBuf::from(std::ffi::OsString::from_vec(r.get(0)?));
                    Ok(RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?).under(&root))
                })
                .optional()
            })
            .at(&self.path)
    }

    /// Whether a name would be taken for a person's number.
    pub fn is_number(&self, name: &str) -> bool {
        number_in(name).is_some()
    }

    /// The faces of a photo that can be told from others; none where no model has looked for them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn known_faces(&self, photo: i64) -> Result<Vec<KnownFace>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT f.x0, f.y0, f.x1, f.y1, s.id, CASE WHEN n.number IS NULL THEN n.name END
                 FROM faces f LEFT JOIN looks l ON l.id = f.look LEFT JOIN persons s ON s.id = l.person
                 LEFT JOIN people n ON n.id = s.people WHERE f.photo = ?1 ORDER BY f.x0",
            )
            .and_then(|mut s| {
                s.query_map([photo], |r| {
                    let edge = |at: usize| r.get::<_, f64>(at);
                    let (left, top) = (edge(0)?, edge(1)?);
                    Ok(KnownFace {
                        area: FaceArea {
                            left,
                            top,
                            width: edge(2)? - left,
                            height: edge(3)? - top,
                        },
                        number: r.get(4)?,
                        name: r.get(5)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// The number that a typed word means: `7`, `person 7`, or the whole name of somebody whose face is known.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn person_called(&self, typed: &str) -> Result<Option<i64>, StoreError> {
        if let Some(number) = number_in(typed) {
            return Ok(Some(number));
        }
        self.conn
            .prepare_cached(
                "SELECT s.id FROM persons s JOIN people n ON n.id = s.people WHERE n.word = ?1",
            )
            .and_then(|mut s| s.query_row([bare(typed.trim())], |r| r.get(0)).optional())
            .at(&self.path)
    }
}

/// `7`, `person 7`, `#7`.
pub(super) fn number_in(typed: &str) -> Option<i64> {
    let typed = typed.trim();
    let bare = bare(typed);
    let digits = bare.strip_prefix("person").map_or(typed, str::trim_start);
    let digits = digits.strip_prefix('#').unwrap_or(digits);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// A person whom nobody has named yet; the number.
pub(super) fn new(conn: &Connection) -> rusqlite::Result<i64> {
    // Under the number that comes next, which the first row has to have before the second is there.
    let number: i64 = conn
        .prepare_cached(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'persons'), 0) + 1",
        )?
        .query_row([], |r| r.get(0))?;
    let people = unnamed(conn, number)?;
    conn.prepare_cached("INSERT INTO persons (id, people) VALUES (?1, ?2)")?
        .execute([number, people])?;
    Ok(number)
}

/// The row in `people` of somebody without a name.
fn unnamed(conn: &Connection, number: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached(
        "INSERT INTO people (word, name, number) VALUES (?1, ?2, ?3)
         ON CONFLICT (word) DO UPDATE SET number = ?3 RETURNING id",
    )?
    .query_row(
        // A control character, which names lose.
        params![
            format!("\u{1f}{number}"),
            format!("person {number}"),
            number
        ],
        |r| r.get(0),
    )
}

/// Whose name (`people.id`) it is, if photond knows the face.
pub(super) fn called(conn: &Connection, name: i64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT id FROM persons WHERE people = ?1")?
        .query_row([name], |r| r.get(0))
        .optional()
}

fn exists(conn: &Connection, person: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM persons WHERE id = ?1")?
        .exists([person])
}

fn is_unnamed(conn: &Connection, person: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM persons s JOIN people n ON n.id = s.people WHERE s.id = ?1 AND n.number IS NOT NULL",
    )?
    .exists([person])
}

/// A file says who it is: `name` is `people.id`, `named` who is called so already.
pub(super) fn is_called(
    conn: &Connection,
    face: &FaceRow,
    (name, named): (i64, Option<i64>),
) -> rusqlite::Result<()> {
    let now = match face.look {
        Some(look) => faces::person_of(conn, look)?,
        None => None,
    };
    match (now, named) {
        (Some(now), Some(named)) if now == named => Ok(()),
        // Nobody has said who that is: all of that look are.
        (Some(now), Some(named)) if is_unnamed(conn, now)? => {
            merge(conn, named, now)?;
            settle_all(conn, named).map(|_| ())
        }
        (Some(now), None) if is_unnamed(conn, now)? => {
            rename(conn, now, name)?;
            settle_all(conn, now).map(|_| ())
        }
        // Only this face is somebody else's.
        (_, named) => {
            let person = match named {
                Some(named) => named,
                None => conn
                    .prepare_cached("INSERT INTO persons (people) VALUES (?1) RETURNING id")?
                    .query_row([name], |r| r.get(0))?,
            };
            let look = faces::new_look(conn, person)?;
            faces::set_look(conn, face.id, Some(look))?;
            faces::note_change(conn)
        }
    }
}

/// Has a person called otherwise. Whoever calls settles the photos.
fn rename(conn: &Connection, person: i64, name: i64) -> rusqlite::Result<()> {
    let before = people_of(conn, person)?;
    conn.execute(
        "UPDATE persons SET people = ?2 WHERE id = ?1",
        [person, name],
    )?;
    drop_unused_name(conn, before, person)
}

fn people_of(conn: &Connection, person: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT people FROM persons WHERE id = ?1")?
        .query_row([person], |r| r.get(0))
}

/// The row of a name that no person has any more goes, unless a photo's file says it.
fn drop_unused_name(conn: &Connection, people: i64, person: i64) -> rusqlite::Result<()> {
    /// What faces say (`photo_people.sources`).
    const BY_FACE: i64 = super::said::BY_FACE;
    let photos: Vec<i64> = conn
        .prepare_cached("SELECT photo FROM photo_people WHERE person = ?1 AND sources = ?2")?
        .query_map([people, BY_FACE], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    tracing::debug!("person {person}: {} photos get another name", photos.len());
    conn.execute(
        "DELETE FROM photo_people WHERE person = ?1 AND sources = ?2",
        [people, BY_FACE],
    )?;
    conn.execute(
        "DELETE FROM people WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM photo_people w WHERE w.person = ?1)
         AND NOT EXISTS (SELECT 1 FROM persons s WHERE s.people = ?1)",
        [people],
    )
    .map(|_| ())
}

/// The second's looks become the first's, and so does the name if the first has none.
fn merge(conn: &Connection, first: i64, second: i64) -> rusqlite::Result<()> {
    let (first_name, second_name) = (people_of(conn, first)?, people_of(conn, second)?);
    let takes_name = is_unnamed(conn, first)? && !is_unnamed(conn, second)?;
    conn.execute(
        "UPDATE looks SET person = ?1 WHERE person = ?2",
        [first, second],
    )?;
    conn.execute(
        "UPDATE face_marks SET person = ?1 WHERE person = ?2",
        [first, second],
    )?;
    conn.execute("DELETE FROM persons WHERE id = ?1", [second])?;
    if takes_name {
        rename(conn, first, second_name)?;
    } else {
        drop_unused_name(conn, second_name, second)?;
    }
    debug_assert!(first_name != second_name);
    Ok(())
}

/// Puts the names of all photos of a person together again; how many.
fn settle_all(conn: &Connection, person: i64) -> rusqlite::Result<usize> {
    let photos: Vec<i64> = conn
        .prepare_cached(
            "SELECT DISTINCT f.photo FROM looks l JOIN faces f INDEXED BY faces_of_look ON f.look = l.id
             WHERE l.person = ?1",
        )?
        .query_map([person], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    settle(conn, &photos)?;
    Ok(photos.len())
}

fn settle(conn: &Connection, photos: &[i64]) -> rusqlite::Result<()> {
    for photo in photos {
        super::said::settle(conn, *photo, false)?;
    }
    Ok(())
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
        super::checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(&path)?;
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
    let people = super::said::person_id(conn, name)?;
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
    let Some(photo) = super::photos::id(conn, hash)? else {
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
    let photos: Vec<i64> = conn
        .prepare_cached(
            "SELECT DISTINCT f.photo FROM looks l JOIN faces f INDEXED BY faces_of_look ON f.look = l.id
             WHERE l.person = ?1",
        )?
        .query_map([person], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
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
    drop_unused_name(conn, people, person)?;
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
    let photos: Vec<i64> = conn
        .prepare(
            "SELECT photo FROM embeddings WHERE model IN (SELECT id FROM models WHERE kind = 4)
             UNION SELECT photo FROM faces LIMIT ?1",
        )?
        .query_map([limit as i64], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for photo in &photos {
        let had = conn
            .prepare_cached("DELETE FROM faces WHERE photo = ?1")?
            .execute([photo])?;
        conn.prepare_cached(
            "DELETE FROM embeddings WHERE photo = ?1 AND model IN (SELECT id FROM models WHERE kind = 4)",
        )?
        .execute([photo])?;
        if had > 0 {
            super::said::settle(conn, *photo, false)?;
        }
    }
    Ok(photos.len())
}
