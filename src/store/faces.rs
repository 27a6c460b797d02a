//! Faces: which are in a photo, to which look each belongs, and what was said of them.
//!
//! Here are their rows, and what counts before the vectors: a person's word (a face with a mark is never given
//! to whom it is not, and one that is to be forgotten is never kept), then a face region in a file or sidecar
//! that has a name ([`by_regions`]). To which look the others belong, `assign` says.

mod assign;

use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) use self::assign::{Book, put};
use super::persons;
use crate::boxes::DetectedBox;
use crate::faces::SAME_PLACE;
use crate::photo::ContentHash;
use crate::said::{FaceArea, Person};

/// A face as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FaceRow {
    pub id: i64,
    pub photo: i64,
    pub nth: i64,
    pub look: Option<i64>,
    pub found: DetectedBox,
}

pub(super) const COLUMNS: &str = "f.id, f.photo, f.nth, f.look, f.x0, f.y0, f.x1, f.y1";

impl FaceRow {
    pub fn read(r: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: r.get(0)?,
            photo: r.get(1)?,
            nth: r.get(2)?,
            look: r.get(3)?,
            found: read_box(r, 4)?,
        })
    }
}

fn read_box(r: &Row<'_>, at: usize) -> rusqlite::Result<DetectedBox> {
    let edge = |nth: usize| Ok::<_, rusqlite::Error>(r.get::<_, f64>(at + nth)? as f32);
    Ok(DetectedBox {
        class: 0,
        score: 1.0,
        left: edge(0)?,
        top: edge(1)?,
        right: edge(2)?,
        bottom: edge(3)?,
    })
}

fn edges(found: &DetectedBox) -> [f64; 4] {
    [found.left, found.top, found.right, found.bottom].map(f64::from)
}

/// Of a face; `person`: whose it is not, or that it is to be forgotten.
struct FaceMark {
    person: Option<i64>,
    found: DetectedBox,
}

fn marks_of(conn: &Connection, hash: &ContentHash) -> rusqlite::Result<Vec<FaceMark>> {
    conn.prepare_cached("SELECT person, x0, y0, x1, y1 FROM face_marks WHERE hash = ?1")?
        .query_map([&hash.0[..]], |r| {
            Ok(FaceMark {
                person: r.get(0)?,
                found: read_box(r, 1)?,
            })
        })?
        .collect()
}

/// Remembers that a face is not this person's, or is to be forgotten.
pub(super) fn mark(
    conn: &Connection,
    hash: &ContentHash,
    found: &DetectedBox,
    person: Option<i64>,
) -> rusqlite::Result<()> {
    let [x0, y0, x1, y1] = edges(found);
    conn.prepare_cached(
        "INSERT INTO face_marks (hash, x0, y0, x1, y1, person) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![&hash.0[..], x0, y0, x1, y1, person])?;
    Ok(())
}

/// The faces of a photo.
pub(super) fn of_photo(conn: &Connection, photo: i64) -> rusqlite::Result<Vec<FaceRow>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM faces f WHERE f.photo = ?1 ORDER BY f.nth"
    ))?
    .query_map([photo], FaceRow::read)?
    .collect()
}

/// Where faces have changed hands other than by a new photo.
pub(super) fn note_change(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE database SET faces_changed = faces_changed + 1")?
        .execute([])?;
    Ok(())
}

fn changed(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT faces_changed FROM database")?
        .query_row([], |r| r.get(0))
}

/// Whose look it is.
pub(super) fn person_of(conn: &Connection, look: i64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT person FROM looks WHERE id = ?1")?
        .query_row([look], |r| r.get(0))
        .optional()
}

pub(super) fn new_look(conn: &Connection, person: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached("INSERT INTO looks (person) VALUES (?1) RETURNING id")?
        .query_row([person], |r| r.get(0))
}

pub(super) fn set_look(conn: &Connection, face: i64, look: Option<i64>) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE faces SET look = ?2 WHERE id = ?1")?
        .execute(params![face, look])?;
    Ok(())
}

/// What becomes of what a model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Faces,
    /// Faces, and all that were known have been forgotten since it looked.
    Forgotten,
    Other,
}

pub(super) fn made_by(conn: &Connection, model: i64) -> rusqlite::Result<Made> {
    let dims: Option<i64> = conn
        .prepare_cached("SELECT dims FROM models WHERE id = ?1 AND kind = 4")?
        .query_row([model], |r| r.get(0))
        .optional()?;
    Ok(match dims {
        None => Made::Other,
        Some(0) => Made::Forgotten,
        Some(_) => Made::Faces,
    })
}

/// Which of these overlaps a place best, if by so much at least.
fn best_at(rows: &[FaceRow], place: &DetectedBox, least: f32) -> Option<usize> {
    let overlap = |row: &FaceRow| row.found.overlap(place);
    let best = rows.iter().enumerate();
    let best = best.max_by(|a, b| overlap(a.1).total_cmp(&overlap(b.1)));
    best.filter(|(_, row)| overlap(row) >= least)
        .map(|(at, _)| at)
}

fn by_id(conn: &Connection, face: i64) -> rusqlite::Result<Option<FaceRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM faces f WHERE f.id = ?1"))?
        .query_row([face], FaceRow::read)
        .optional()
}

pub(super) fn hash_of(conn: &Connection, photo: i64) -> rusqlite::Result<ContentHash> {
    conn.prepare_cached("SELECT hash FROM photos WHERE id = ?1")?
        .query_row([photo], |r| Ok(ContentHash(r.get(0)?)))
}

/// A face and a region that a file names somebody in are of one face from this overlap on: programs draw
/// them from the brows to the chin, or around the whole head.
const SAME_REGION: f32 = 0.2;

/// Gives faces to those whom regions of the photo's file or sidecars name there.
pub(super) fn by_regions(
    conn: &Connection,
    photo: i64,
    people: &[(Person, i64)],
) -> rusqlite::Result<()> {
    let regions = people
        .iter()
        .filter_map(|(person, _)| Some((person, person.area?)));
    let regions: Vec<(&Person, FaceArea)> = regions.collect();
    if regions.is_empty() {
        return Ok(());
    }
    let mut rows = of_photo(conn, photo)?;
    for (person, area) in regions {
        let region = DetectedBox {
            class: 0,
            score: 1.0,
            left: area.left as f32,
            top: area.top as f32,
            right: (area.left + area.width) as f32,
            bottom: (area.top + area.height) as f32,
        };
        let Some(at) = best_at(&rows, &region, SAME_REGION) else {
            continue;
        };
        let row = rows.swap_remove(at);
        let name = super::said::person_id(conn, &person.name)?;
        let named = persons::called(conn, name)?;
        let marks = marks_of(conn, &hash_of(conn, photo)?)?;
        let is_not = |mark: &FaceMark| {
            mark.person.is_some()
                && mark.person == named
                && mark.found.overlap(&row.found) >= SAME_PLACE
        };
        if !marks.iter().any(is_not) {
            persons::is_called(conn, &row, (name, named))?;
        }
    }
    Ok(())
}
