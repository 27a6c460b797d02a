//! People whose faces have been seen: their numbers and names, and what a person has done with them.
//!
//! A person is one or several looks ([`super::faces`]). Numbers are never given twice; one goes only when
//! somebody says that two are one, or that one is to be forgotten. Whoever changes who a face belongs to has
//! [`super::said::settle`] put the photo's names together again, in the same transaction, so that queries
//! know one table of people and no more (`photo_people`).

mod spoken;

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreReader;
use super::error::{At, StoreError};
use super::faces::{self, FaceRow};
use crate::photo::RelPath;
use crate::said::FaceArea;
use crate::said::text::bare;

pub use spoken::{PersonChanged, PersonWord, forget_all_persons, say_of_persons};

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
    /// Which one that is (`photos.id`).
    pub example_id: Option<i64>,
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
        Ok(ByFace {
            people: r.get(0)?,
            name: r.get(1)?,
            area: read_area(r, 2)?,
        })
    })?
    .collect()
}

/// Four columns from here on: left, top, right, bottom.
fn read_area(r: &Row<'_>, at: usize) -> rusqlite::Result<FaceArea> {
    let edge = |nth: usize| r.get::<_, f64>(at + nth);
    let (left, top) = (edge(0)?, edge(1)?);
    Ok(FaceArea {
        left,
        top,
        width: edge(2)? - left,
        height: edge(3)? - top,
    })
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
                        example_id: None,
                    };
                    Ok((r.get(0)?, count))
                })?
                .collect()
            })
            .at(&self.path)?;
        for (people, count) in &mut counts {
            (count.example_id, count.example) = self.example_of(*people)?.unzip();
        }
        Ok(counts.into_iter().map(|(_, count)| count).collect())
    }

    fn example_of(&self, people: i64) -> Result<Option<(i64, PathBuf)>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT r.path, f.path, w.photo FROM photo_people w
                 JOIN files f INDEXED BY files_by_photo ON f.photo = w.photo JOIN roots r ON r.id = f.root
                 WHERE w.person = ?1 AND f.missing_since IS NULL ORDER BY w.photo DESC LIMIT 1",
            )
            .and_then(|mut s| {
                s.query_row([people], |r| {
                    let root = PathBuf::from(std::ffi::OsString::from_vec(r.get(0)?));
                    let path = RelPath::from_bytes(r.get::<_, Vec<u8>>(1)?).under(&root);
                    Ok((r.get(2)?, path))
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
                    Ok(KnownFace {
                        area: read_area(r, 0)?,
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
    drop_unused_name(conn, before)
}

fn people_of(conn: &Connection, person: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT people FROM persons WHERE id = ?1")?
        .query_row([person], |r| r.get(0))
}

/// The row of a name that no person has any more goes, unless a photo's file says it.
fn drop_unused_name(conn: &Connection, people: i64) -> rusqlite::Result<()> {
    conn.execute(
        "DELETE FROM photo_people WHERE person = ?1 AND sources = ?2",
        [people, super::said::BY_FACE],
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
    let second_name = people_of(conn, second)?;
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
        drop_unused_name(conn, second_name)?;
    }
    Ok(())
}

/// Puts the names of all photos of a person together again; how many.
fn settle_all(conn: &Connection, person: i64) -> rusqlite::Result<usize> {
    let photos = photos_of(conn, person)?;
    settle(conn, &photos)?;
    Ok(photos.len())
}

/// The photos in which a person's face is.
fn photos_of(conn: &Connection, person: i64) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached(
        "SELECT DISTINCT f.photo FROM looks l JOIN faces f INDEXED BY faces_of_look ON f.look = l.id
         WHERE l.person = ?1",
    )?
    .query_map([person], |r| r.get(0))?
    .collect()
}

fn settle(conn: &Connection, photos: &[i64]) -> rusqlite::Result<()> {
    for photo in photos {
        super::said::settle(conn, *photo, false)?;
    }
    Ok(())
}
