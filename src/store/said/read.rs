//! What people say of photos, for those who ask: a photo's keywords and people, what a typed word means, and
//! how many photos carry what.

use rusqlite::OptionalExtension;

use super::{BY_FACE, Layer, said};
use crate::said::text::bare;
use crate::said::{FaceArea, Said};
use crate::store::error::{At, StoreError};
use crate::store::{StoreReader, persons};

/// A keyword of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeywordRow {
    /// Its levels, the topmost first, `|` between.
    pub name: String,
    /// Who says so.
    pub layers: Vec<Layer>,
}

impl KeywordRow {
    /// The word itself, without what it stands below.
    pub fn word(&self) -> &str {
        self.name.rsplit('|').next().unwrap_or_default()
    }

    /// Whether a name is the same word, without case and accents.
    pub fn is(&self, name: &str) -> bool {
        bare(self.word()) == bare(name)
    }
}

/// A person on a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonRow {
    /// The name, or `person 7`.
    pub name: String,
    /// Whether somebody has given that name.
    pub is_named: bool,
    /// Where the face is.
    pub area: Option<FaceArea>,
    /// Who says so.
    pub layers: Vec<Layer>,
    /// The face is theirs, as far as vectors and a person's word tell.
    pub by_face: bool,
}

/// A word that photos carry, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidCount {
    /// As it was first written.
    pub name: String,
    /// Photos (contents) that lie somewhere and carry it or something below it.
    pub photos: i64,
}

impl StoreReader {
    /// A photo's keywords, in alphabetical order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn keywords_of(&self, photo: i64) -> Result<Vec<KeywordRow>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT k.name, w.sources FROM photo_keywords w INDEXED BY keywords_of_photo
                 JOIN keywords k ON k.id = w.keyword WHERE w.photo = ?1 ORDER BY k.path",
            )
            .and_then(|mut s| {
                s.query_map([photo], |r| {
                    let (name, bits) = (r.get(0)?, r.get(1)?);
                    let layers = Layer::of_bits(bits);
                    Ok(KeywordRow { name, layers })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// The people on a photo, from left to right where it is known where they are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn people_of(&self, photo: i64) -> Result<Vec<PersonRow>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT n.name, w.area, w.sources, n.number IS NULL FROM photo_people w INDEXED BY people_of_photo
                 JOIN people n ON n.id = w.person WHERE w.photo = ?1
                 ORDER BY w.area ->> 'left', n.word",
            )
            .and_then(|mut s| {
                s.query_map([photo], |r| {
                    let area: Option<String> = r.get(1)?;
                    let sources: i64 = r.get(2)?;
                    Ok(PersonRow {
                        name: r.get(0)?,
                        is_named: r.get(3)?,
                        area: area.and_then(|json| serde_json::from_str(&json).ok()),
                        layers: Layer::of_bits(sources),
                        by_face: sources & BY_FACE != 0,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }

    /// What one layer says of a photo.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn said(&self, photo: i64, layer: Layer) -> Result<Said, StoreError> {
        said(&self.conn, photo, layer).at(&self.path)
    }

    /// The keywords (`keywords.id`) that a typed word means, and all below them: `Portugal`, or with
    /// what it stands below `Places|Portugal`, `places/portugal`. Without case and accents.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn keywords_called(&self, typed: &str) -> Result<Vec<i64>, StoreError> {
        let levels: Vec<String> = typed
            .split(['|', '/'])
            .map(|level| bare(level.trim()))
            .collect();
        let Some(word) = levels.last().filter(|word| !word.is_empty()) else {
            return Ok(Vec::new());
        };
        let named: Vec<(i64, String)> = self
            .conn
            .prepare_cached("SELECT id, name FROM keywords WHERE word = ?1")
            .and_then(|mut s| {
                s.query_map([word], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect()
            })
            .at(&self.path)?;
        let ends_so = |name: &String| {
            let name: Vec<String> = name.split('|').map(bare).collect();
            name.ends_with(&levels)
        };
        let meant: Vec<i64> = named
            .iter()
            .filter(|(_, name)| ends_so(name))
            .map(|(id, _)| *id)
            .collect();
        self.conn
            .prepare_cached(
                "WITH RECURSIVE below (id) AS (
                     SELECT value FROM json_each(?1)
                     UNION SELECT k.id FROM keywords k JOIN below ON k.parent = below.id)
                 SELECT id FROM below",
            )
            .and_then(|mut s| s.query_map([format!("{meant:?}")], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// The people (`people.id`) of whose names this is the whole or some words, without case and accents; or
    /// whose number it is (`7`, `person 7`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn people_called(&self, typed: &str) -> Result<Vec<i64>, StoreError> {
        let typed = bare(typed);
        let words: Vec<&str> = typed.split_whitespace().collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<(i64, String)> = self
            .conn
            .prepare_cached("SELECT id, word FROM people WHERE number IS NULL")
            .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
            .at(&self.path)?;
        let numbered = match persons::number_in(&typed) {
            Some(number) => self
                .conn
                .prepare_cached("SELECT people FROM persons WHERE id = ?1")
                .and_then(|mut s| s.query_row([number], |r| r.get(0)).optional())
                .at(&self.path)?,
            None => None,
        };
        let says_all = |name: &String| {
            let parts: Vec<&str> = name.split_whitespace().collect();
            words.iter().all(|word| parts.contains(word))
        };
        let named = all.iter().filter(|(_, name)| says_all(name));
        let mut ids: Vec<i64> = named.map(|(id, _)| *id).chain(numbered).collect();
        ids.dedup();
        Ok(ids)
    }

    /// Every keyword with at least one photo, itself or below it; most photos first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn keyword_counts(&self) -> Result<Vec<SaidCount>, StoreError> {
        self.counts_by(
            "WITH RECURSIVE above (keyword, photo) AS (
                 SELECT w.keyword, w.photo FROM photo_keywords w JOIN photos p ON p.id = w.photo WHERE p.places > 0
                 UNION SELECT k.parent, above.photo FROM above JOIN keywords k ON k.id = above.keyword
                 WHERE k.parent IS NOT NULL)
             SELECT k.name, count(*) FROM above JOIN keywords k ON k.id = above.keyword
             GROUP BY k.id ORDER BY 2 DESC, k.path",
        )
    }

    /// Every named person with at least one photo, most photos first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn people_counts(&self) -> Result<Vec<SaidCount>, StoreError> {
        self.counts_by(
            "SELECT n.name, count(*) FROM photo_people w JOIN photos p ON p.id = w.photo
             JOIN people n ON n.id = w.person WHERE p.places > 0 AND n.number IS NULL
             GROUP BY n.id ORDER BY 2 DESC, n.word",
        )
    }

    fn counts_by(&self, sql: &str) -> Result<Vec<SaidCount>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut s| {
                s.query_map([], |r| {
                    Ok(SaidCount {
                        name: r.get(0)?,
                        photos: r.get(1)?,
                    })
                })?
                .collect()
            })
            .at(&self.path)
    }
}
