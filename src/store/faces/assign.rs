//! Gives the faces of a photo to looks, in the transaction that writes their vectors ([`put`]), by what is in
//! memory of all looks ([`Book`]). That is made of the index alone and thrown away whenever a transaction
//! fails or somebody else has changed hands of faces.
//!
//! A face keeps its look for good: also when the photo is looked at again, by the same model or another one,
//! as long as it lies at the same place. Nobody is twice in one photo.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{
    FaceMark, FaceRow, best_at, by_id, changed, edges, hash_of, marks_of, new_look, of_photo,
    person_of, set_look,
};
use crate::embedding::Embedding;
use crate::faces::{self, Face, SAME_PLACE};
use crate::persons::{Belongs, Looks};
use crate::photo::ContentHash;
use crate::store::{embeddings, persons, said};

/// What is in memory of the faces of an index.
#[derive(Default)]
pub(in crate::store) struct Book {
    /// So far two faces of one person may be apart; none: faces are not given to anybody.
    pub same: Option<f32>,
    /// The state of the index that this is a copy of (`database.faces_changed`), and of which model.
    at: Option<(i64, i64)>,
    looks: Option<Looks>,
}

impl Book {
    /// One in which nothing stands yet.
    pub fn new(same: f32) -> Self {
        Self {
            same: Some(same),
            ..Self::default()
        }
    }

    /// All looks as the index has them.
    fn read(&mut self, conn: &Connection, model: i64) -> rusqlite::Result<Option<&mut Looks>> {
        let Some(same) = self.same else {
            return Ok(None);
        };
        let at = Some((changed(conn)?, model));
        if self.at != at {
            self.looks = None;
        }
        if self.looks.is_none() {
            self.looks = Some(read_all(conn, model, same)?);
            self.at = at;
        }
        Ok(self.looks.as_mut())
    }
}

/// Keeps what a model has found in a photo, and gives each face to whom it belongs.
pub(in crate::store) fn put(
    conn: &Connection,
    photo: i64,
    hash: &ContentHash,
    (model, embedding): (i64, &Embedding),
    book: &mut Book,
) -> rusqlite::Result<()> {
    let marks = marks_of(conn, hash)?;
    let mut found = faces::of(&embedding.values);
    let is_at = |mark: &FaceMark, face: &Face| mark.found.overlap(&face.found) >= SAME_PLACE;
    let forgotten = |face: &Face| {
        let mut marks = marks.iter().filter(|mark| mark.person.is_none());
        marks.any(|mark| is_at(mark, face))
    };
    found.retain(|face| !forgotten(face));
    let mut looks = book.read(conn, model)?;
    if let Some(looks) = &mut looks {
        // Those of an earlier look at it go.
        for row in of_photo(conn, photo)? {
            looks.take_loose(row.id);
        }
    }
    embeddings::put(conn, photo, model, &faces::kept(&found))?;
    let rows = keep_rows(conn, photo, &found)?;
    if let Some(looks) = looks {
        let mut giving = Giving {
            conn,
            photo,
            looks,
            taken: Taken::default(),
        };
        giving.give(&rows, &found, |face| {
            let marks = marks.iter().filter(|mark| is_at(mark, &found[face]));
            marks.filter_map(|mark| mark.person).collect()
        })?;
    }
    said::settle(conn, photo, false)?;
    // What regions in the file said meanwhile is in the index; here it is too.
    let at = Some((changed(conn)?, model));
    if book.at != at
        && let Some(looks) = &mut book.looks
    {
        for (row, before) in of_photo(conn, photo)?.iter().zip(&rows) {
            if let (Some(look), face) = (row.look, &found[row.nth as usize])
                && before.look != Some(look)
                && (looks.take_loose(row.id).is_some() || looks.faces_of(look) == 0)
            {
                looks.join(look, &face.vector);
            }
        }
        book.at = at;
    }
    Ok(())
}

fn read_all(conn: &Connection, model: i64, same: f32) -> rusqlite::Result<Looks> {
    let mut looks = Looks::new(same);
    let mut stmt = conn.prepare_cached(
        "SELECT f.id, f.nth, f.look, f.photo, e.vector FROM faces f
         JOIN embeddings e ON e.model = ?1 AND e.photo = f.photo ORDER BY f.photo",
    )?;
    let mut rows = stmt.query([model])?;
    let mut kept: (i64, Vec<Face>) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        let (face, nth, look): (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let photo: i64 = row.get(3)?;
        if kept.0 != photo {
            let vector = embeddings::decode(row.get_ref(4)?.as_blob()?);
            kept = (photo, faces::of(&vector.values));
        }
        let Some(vector) = kept.1.get(nth as usize).map(|face| &face.vector) else {
            continue;
        };
        match look {
            Some(look) => looks.join(look, vector),
            None => looks.keep_loose(face, vector),
        }
    }
    Ok(looks)
}

/// Rows of these faces instead of those that are there, each with the look of the one at its place.
fn keep_rows(conn: &Connection, photo: i64, found: &[Face]) -> rusqlite::Result<Vec<FaceRow>> {
    let mut before = of_photo(conn, photo)?;
    let mut looks = Vec::with_capacity(found.len());
    for face in found {
        let at = best_at(&before, &face.found, SAME_PLACE);
        looks.push(at.and_then(|at| before.swap_remove(at).look));
    }
    conn.prepare_cached("DELETE FROM faces WHERE photo = ?1")?
        .execute([photo])?;
    let mut rows = Vec::with_capacity(found.len());
    for (nth, (face, look)) in (0..).zip(found.iter().zip(looks)) {
        let [x0, y0, x1, y1] = edges(&face.found);
        let id = conn
            .prepare_cached(
                "INSERT INTO faces (photo, nth, look, x0, y0, x1, y1)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?
            .query_row(params![photo, nth, look, x0, y0, x1, y1], |r| r.get(0))?;
        rows.push(FaceRow {
            id,
            photo,
            nth,
            look,
            found: face.found,
        });
    }
    Ok(rows)
}

/// Who has a face in the photo already, and which faces are its own.
#[derive(Default)]
struct Taken {
    looks: HashSet<i64>,
    loose: HashSet<i64>,
}

/// The faces of one photo, on their way to people.
struct Giving<'a> {
    conn: &'a Connection,
    photo: i64,
    looks: &'a mut Looks,
    taken: Taken,
}

impl Giving<'_> {
    /// Gives each face that has no look to one, the surest first. `not`: persons that it is not.
    fn give(
        &mut self,
        rows: &[FaceRow],
        found: &[Face],
        not: impl Fn(usize) -> Vec<i64>,
    ) -> rusqlite::Result<()> {
        let mut left = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            match row.look {
                Some(look) => {
                    self.looks.join(look, &found[at].vector);
                    self.take_person(look)?;
                }
                None => left.push(at),
            }
        }
        let mut asked = Vec::with_capacity(left.len());
        for at in left {
            let mut barred = HashSet::new();
            for person in not(at) {
                barred.extend(self.looks_of(person)?);
            }
            let belongs = self.ask(&found[at], &barred);
            asked.push((belongs, at, barred));
        }
        asked.sort_by(|a, b| a.0.distance().total_cmp(&b.0.distance()));
        for (mut belongs, at, barred) in asked {
            let is_taken = match belongs {
                Belongs::Look(look, _) => self.taken.looks.contains(&look),
                Belongs::With(face, _) => !self.looks.is_loose(face),
                Belongs::Nowhere => false,
            };
            if is_taken {
                belongs = self.ask(&found[at], &barred);
            }
            self.give_one(&rows[at], &found[at].vector, belongs)?;
        }
        Ok(())
    }

    fn ask(&self, face: &Face, barred: &HashSet<i64>) -> Belongs {
        let not_looks: HashSet<i64> = self.taken.looks.union(barred).copied().collect();
        self.looks
            .belongs(&face.vector, &not_looks, &self.taken.loose)
    }

    fn give_one(
        &mut self,
        row: &FaceRow,
        vector: &[f32],
        belongs: Belongs,
    ) -> rusqlite::Result<()> {
        let look = match belongs {
            Belongs::Nowhere => {
                self.looks.keep_loose(row.id, vector);
                self.taken.loose.insert(row.id);
                return Ok(());
            }
            Belongs::Look(look, _) => look,
            Belongs::With(other, _) => {
                let look = new_look(self.conn, persons::new(self.conn)?)?;
                self.join_loose(other, look)?;
                look
            }
        };
        set_look(self.conn, row.id, Some(look))?;
        self.looks.join(look, vector);
        self.take_person(look)?;
        // A mean moves with the first few faces, and others may be near it now.
        if self.looks.faces_of(look).is_power_of_two() {
            for (face, _) in self.looks.near(look) {
                self.join_if_allowed(face, look)?;
            }
        }
        Ok(())
    }

    fn join_if_allowed(&mut self, face: i64, look: i64) -> rusqlite::Result<()> {
        let Some(row) = by_id(self.conn, face)? else {
            self.looks.take_loose(face);
            return Ok(());
        };
        let person = person_of(self.conn, look)?;
        let mut others = of_photo(self.conn, row.photo)?;
        others.retain(|other| other.id != face);
        for look in others.iter().filter_map(|other| other.look) {
            if person_of(self.conn, look)? == person {
                return Ok(());
            }
        }
        let marks = marks_of(self.conn, &hash_of(self.conn, row.photo)?)?;
        let here = |mark: &FaceMark| mark.found.overlap(&row.found) >= SAME_PLACE;
        if row.photo == self.photo || marks.iter().any(|m| m.person == person && here(m)) {
            return Ok(());
        }
        self.join_loose(face, look)
    }

    fn join_loose(&mut self, face: i64, look: i64) -> rusqlite::Result<()> {
        let Some(vector) = self.looks.take_loose(face) else {
            return Ok(());
        };
        set_look(self.conn, face, Some(look))?;
        self.looks.join(look, &vector);
        match by_id(self.conn, face)? {
            Some(row) => said::settle(self.conn, row.photo, false),
            None => Ok(()),
        }
    }

    /// Nobody is twice in one photo.
    fn take_person(&mut self, look: i64) -> rusqlite::Result<()> {
        if let Some(person) = person_of(self.conn, look)? {
            let looks = self.looks_of(person)?;
            self.taken.looks.extend(looks);
        }
        Ok(())
    }

    fn looks_of(&self, person: i64) -> rusqlite::Result<Vec<i64>> {
        self.conn
            .prepare_cached("SELECT id FROM looks WHERE person = ?1")?
            .query_map([person], |r| r.get(0))?
            .collect()
    }
}
