//! What is said of photos: kept by whom, and put together into what queries read.
//!
//! A photo's *layers* are what the file says itself, what lies beside it (sidecars) and a person's
//! own marks. [`settle`] is the one place where they meet: whoever changes a layer calls it in the
//! same transaction. A person's mark counts before a sidecar, a sidecar before the file; of dates
//! the most trustworthy field counts, whoever has it; keywords and people are put together, and with those
//! whose faces are known.
//!
//! Cost: a photo of which nobody says anything is one UPDATE; each keyword is two look-ups and a row.

mod read;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

pub use self::read::{KeywordRow, PersonRow, SaidCount};
use super::error::{At, StoreError};
use super::{INDEX_FILE, faces, persons, word_index};
use crate::photo::ContentHash;
use crate::said::text::bare;
use crate::said::{Keyword, Person, Position, Said, SaidDate, Standard};

/// So long a command waits for whoever writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who says something of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The file itself.
    File,
    /// What lies beside it.
    Beside,
    /// A person, with `photond mark`.
    Mark,
}

impl Layer {
    const ALL: [Self; 3] = [Self::File, Self::Beside, Self::Mark];

    /// Its bit in `photo_keywords.sources` and `photo_people.sources`.
    fn bit(self) -> i64 {
        1 << self as i64
    }

    /// The name in JSON: `file`, `sidecar`, `mark`.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Beside => "sidecar",
            Self::Mark => "mark",
        }
    }

    fn of_bits(bits: i64) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|layer| bits & layer.bit() != 0)
            .collect()
    }
}

/// What no layer says, in `photo_people.sources`: a face is theirs.
pub(super) const BY_FACE: i64 = 8;

/// What one layer says of a photo.
pub(super) fn said(conn: &Connection, photo: i64, layer: Layer) -> rusqlite::Result<Said> {
    let text: Option<String> = match layer {
        Layer::File | Layer::Beside => conn
            .prepare_cached("SELECT said FROM said WHERE photo = ?1 AND layer = ?2")?
            .query_row([photo, layer as i64], |r| r.get(0))
            .optional()?,
        Layer::Mark => conn
            .prepare_cached(
                "SELECT m.said FROM photos p JOIN marks m ON m.hash = p.hash WHERE p.id = ?1",
            )?
            .query_row([photo], |r| r.get(0))
            .optional()?,
    };
    // Written by this program; what cannot be read all the same says nothing.
    Ok(text
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default())
}

/// Keeps what one layer says of a photo; [`settle`] makes it count.
pub(super) fn put(
    conn: &Connection,
    photo: i64,
    layer: Layer,
    said: &Said,
) -> rusqlite::Result<()> {
    let json = serde_json::to_string(said).unwrap_or_default();
    if json == "{}" {
        conn.prepare_cached("DELETE FROM said WHERE photo = ?1 AND layer = ?2")?
            .execute([photo, layer as i64])?;
        return Ok(());
    }
    conn.prepare_cached("INSERT OR REPLACE INTO said (photo, layer, said) VALUES (?1, ?2, ?3)")?
        .execute(params![photo, layer as i64, json])?;
    Ok(())
}

/// The part of what a file says that is worth keeping: one date, and nothing that the decoder has seen to.
pub(super) fn worth_keeping(said: &Said) -> Said {
    let mut kept = said.clone();
    kept.orientation = None;
    kept.dates.truncate(1);
    kept
}

/// Has a person's marks on some contents changed, all or none of them, where another process may write
/// too. Content that is not indexed keeps its marks for when it is.
///
/// # Errors
/// If the database cannot be written.
pub fn mark_beside(
    data_dir: &Path,
    contents: &[ContentHash],
    change: &dyn Fn(&mut Said),
) -> Result<(), StoreError> {
    let path = data_dir.join(INDEX_FILE);
    let mut conn =
        super::checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(&path)?;
    conn.busy_timeout(PATIENCE).at(&path)?;
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .at(&path)?;
    for hash in contents {
        mark(&tx, hash, change).at(&path)?;
    }
    tx.commit().at(&path)
}

fn mark(conn: &Connection, hash: &ContentHash, change: &dyn Fn(&mut Said)) -> rusqlite::Result<()> {
    let marks: Option<String> = conn
        .prepare_cached("SELECT said FROM marks WHERE hash = ?1")?
        .query_row([&hash.0[..]], |r| r.get(0))
        .optional()?;
    let mut said = marks
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default();
    change(&mut said);
    let json = serde_json::to_string(&said.tidied()).unwrap_or_default();
    if json == "{}" {
        conn.prepare_cached("DELETE FROM marks WHERE hash = ?1")?
            .execute([&hash.0[..]])?;
    } else {
        conn.prepare_cached("INSERT OR REPLACE INTO marks (hash, said) VALUES (?1, ?2)")?
            .execute(params![&hash.0[..], json])?;
    }
    match super::photos::id(conn, hash)? {
        Some(photo) => settle(conn, photo, false),
        None => Ok(()),
    }
}

/// Makes what queries read of what all layers say. `is_new`: nothing was made of them before.
pub(super) fn settle(conn: &Connection, photo: i64, is_new: bool) -> rusqlite::Result<()> {
    let [file, beside, mark] = Layer::ALL.map(|layer| said(conn, photo, layer));
    let layers = [file?, beside?, mark?];
    let dated = best_date(&layers);
    let position = best_position(&layers);
    let [file, beside, mark] = &layers;
    let title = mark
        .title
        .as_ref()
        .or(beside.title.as_ref())
        .or(file.title.as_ref());
    let caption = mark
        .caption
        .as_ref()
        .or(beside.caption.as_ref())
        .or(file.caption.as_ref());
    let changed = conn
        .prepare_cached(
            "UPDATE photos SET dated = ?2, dated_by = ?3, lat = ?4, lon = ?5, altitude_m = ?6,
                 title = ?7, caption = ?8, rating = ?9
             WHERE id = ?1 AND (dated IS NOT ?2 OR dated_by IS NOT ?3 OR lat IS NOT ?4 OR lon IS NOT ?5
                 OR altitude_m IS NOT ?6 OR title IS NOT ?7 OR caption IS NOT ?8 OR rating IS NOT ?9)",
        )?
        .execute(params![
            photo,
            dated.map(|said| said.date.to_string()),
            dated.map(|said| said.field.number()),
            position.map(|p| p.lat),
            position.map(|p| p.lon),
            position.and_then(|p| p.altitude_m),
            title,
            caption,
            mark.rating.or(beside.rating).or(file.rating),
        ])?;
    if !is_new {
        if changed > 0 {
            super::files::date_again(conn, photo, dated)?;
        }
        for table in ["photo_keywords", "photo_people"] {
            conn.prepare_cached(&format!("DELETE FROM {table} WHERE photo = ?1"))?
                .execute([photo])?;
        }
        word_index::remove_said(conn, photo)?;
    }
    let mut words: Vec<&str> = [title, caption]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let keywords = united(&layers);
    for (keyword, bits) in &keywords {
        let id = keyword_id(conn, keyword)?;
        conn.prepare_cached(
            "INSERT OR REPLACE INTO photo_keywords (keyword, photo, sources) VALUES (?1, ?2, ?3)",
        )?
        .execute([id, photo, *bits])?;
        words.extend(keyword.levels().iter().map(String::as_str));
    }
    let people = people(&layers);
    for (person, bits) in &people {
        let area = person
            .area
            .and_then(|area| serde_json::to_string(&area).ok());
        conn.prepare_cached(
            "INSERT OR REPLACE INTO photo_people (person, photo, sources, area) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![person_id(conn, &person.name)?, photo, bits, area])?;
        words.push(&person.name);
    }
    let by_face = if is_new {
        Vec::new()
    } else {
        faces::by_regions(conn, photo, &people)?;
        persons::by_faces(conn, photo)?
    };
    for person in &by_face {
        let area = serde_json::to_string(&person.area).ok();
        conn.prepare_cached(
            "INSERT INTO photo_people (person, photo, sources, area) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (person, photo) DO UPDATE SET sources = sources | ?3, area = coalesce(area, ?4)",
        )?
        .execute(params![person.people, photo, BY_FACE, area])?;
        words.extend(person.name.as_deref());
    }
    if !words.is_empty() {
        word_index::put_said(conn, photo, &words.join(" "))?;
    }
    Ok(())
}

/// The most trustworthy field's.
fn best_date(layers: &[Said; 3]) -> Option<SaidDate> {
    let dates = layers.iter().flat_map(|layer| &layer.dates);
    dates.min_by_key(|said| said.field).copied()
}

/// A sidecar's is put there by somebody who knew better than the file; Google's notes have guesses.
fn best_position([file, beside, mark]: &[Said; 3]) -> Option<Position> {
    let beside = beside.position;
    let known = beside.filter(|position| position.source != Standard::Takeout);
    mark.position.or(known).or(file.position).or(beside)
}

/// All layers' keywords, each once, with whose they are.
fn united(layers: &[Said; 3]) -> Vec<(Keyword, i64)> {
    let all = layers
        .iter()
        .flat_map(|layer| layer.keywords.iter().cloned());
    let all = Said {
        keywords: all.collect(),
        ..Said::default()
    };
    let theirs = layers.each_ref().map(|layer| {
        let folded = layer.keywords.iter().map(Keyword::folded);
        folded.collect::<HashSet<Vec<String>>>()
    });
    let with_bits = |keyword: Keyword| {
        let levels = keyword.folded();
        let word = &levels[levels.len().saturating_sub(1)..];
        let says = |theirs: &HashSet<_>| theirs.contains(&levels) || theirs.contains(word);
        let bits = Layer::ALL.iter().zip(&theirs);
        let bits = bits.filter(|(_, theirs)| says(theirs));
        let bits = bits.fold(0, |bits, (layer, _)| bits | layer.bit());
        (keyword, bits)
    };
    all.tidied().keywords.into_iter().map(with_bits).collect()
}

/// All layers' people, each once, with whose they are.
fn people(layers: &[Said; 3]) -> Vec<(Person, i64)> {
    let mut all: Vec<(String, Person, i64)> = Vec::new();
    for (layer, said) in Layer::ALL.iter().zip(layers) {
        for person in &said.people {
            let word = bare(&person.name);
            match all.iter_mut().find(|(known, _, _)| *known == word) {
                Some((_, known, bits)) => {
                    // A later layer knows better where somebody is.
                    known.area = person.area.or(known.area);
                    *bits |= layer.bit();
                }
                None => all.push((word, person.clone(), layer.bit())),
            }
        }
    }
    all.into_iter()
        .map(|(_, person, bits)| (person, bits))
        .collect()
}

/// The key of a keyword, made with all above it if it is new.
fn keyword_id(conn: &Connection, keyword: &Keyword) -> rusqlite::Result<i64> {
    let (names, folded) = (keyword.levels(), keyword.folded());
    let mut parent = None;
    let mut id = 0;
    for depth in 1..=folded.len() {
        let path = folded[..depth].join("|");
        let known = conn
            .prepare_cached("SELECT id FROM keywords WHERE path = ?1")?
            .query_row([&path], |r| r.get(0))
            .optional()?;
        id = match known {
            Some(id) => id,
            None => conn
                .prepare_cached(
                    "INSERT INTO keywords (path, name, word, parent) VALUES (?1, ?2, ?3, ?4) RETURNING id",
                )?
                .query_row(
                    params![path, names[..depth].join("|"), bare(&names[depth - 1]), parent],
                    |r| r.get(0),
                )?,
        };
        parent = Some(id);
    }
    Ok(id)
}

/// The key of a person, made if the name is new.
pub(super) fn person_id(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    let word = bare(name);
    let known = conn
        .prepare_cached("SELECT id FROM people WHERE word = ?1")?
        .query_row([&word], |r| r.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => conn
            .prepare_cached("INSERT INTO people (word, name) VALUES (?1, ?2) RETURNING id")?
            .query_row([&word, name], |r| r.get(0)),
    }
}

/// Takes away all that is said of a photo but for a person's marks.
pub(super) fn remove(conn: &Connection, photo: i64) -> rusqlite::Result<()> {
    for table in ["said", "photo_keywords", "photo_people"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE photo = ?1"))?
            .execute([photo])?;
    }
    word_index::remove_said(conn, photo)
}
