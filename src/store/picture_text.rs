//! Text in pictures: the lines that a model has read, and their words for full-text search.
//!
//! A row goes when the vector goes that says it was read (a trigger), so whoever forgets a model or a
//! photo need not know of it.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::{StoreReader, words};
use crate::picture_text::ReadLine;

/// Different words of one picture that are searched: two dense pages have fewer.
const MOST_WORDS: usize = 2000;

/// Keeps what was read in a photo instead of what was read in it before.
pub(super) fn put(
    conn: &Connection,
    photo: i64,
    model: i64,
    lines: &[ReadLine],
) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM picture_text WHERE photo = ?1")?
        .execute([photo])?;
    if lines.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(lines)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    conn.prepare_cached("INSERT INTO picture_text (photo, model, lines) VALUES (?1, ?2, ?3)")?
        .execute(params![photo, model, json])?;
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = words::of_text(&text.join(" "), MOST_WORDS);
    conn.prepare_cached("INSERT INTO picture_words (rowid, words) VALUES (?1, ?2)")?
        .execute(params![photo, text])?;
    Ok(())
}

/// Words that must all stand in the picture, each in one of its forms, as a full-text expression; `None`:
/// one of them has no letter or digit.
pub(super) fn expression(wanted: &[Vec<String>]) -> Option<String> {
    let any = |forms: &Vec<String>| Some(format!("({})", words::any_form(forms)?));
    let all: Option<Vec<String>> = wanted.iter().map(any).collect();
    all.filter(|all| !all.is_empty())
        .map(|all| all.join(" AND "))
}

impl StoreReader {
    /// What was read in a photo; empty: nothing, or it has not been looked at.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn picture_text(&self, photo: i64) -> Result<Vec<ReadLine>, StoreError> {
        let json: Option<String> = self
            .conn
            .prepare_cached("SELECT lines FROM picture_text WHERE photo = ?1")
            .and_then(|mut s| s.query_row([photo], |r| r.get(0)).optional())
            .at(&self.path)?;
        // Written by an earlier or later photond, at worst: then it is as if nothing had been read.
        Ok(json
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default())
    }

    /// Photos in whose pictures all of these words stand, each in one of its forms, ascending. A word
    /// without a letter or digit stands in none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn in_picture(&self, wanted: &[Vec<String>]) -> Result<Vec<i64>, StoreError> {
        let Some(expression) = expression(wanted) else {
            return Ok(Vec::new());
        };
        self.conn
            .prepare_cached(
                "SELECT rowid FROM picture_words WHERE picture_words MATCH ?1 ORDER BY rowid",
            )
            .and_then(|mut s| s.query_map([expression], |r| r.get(0))?.collect())
            .at(&self.path)
    }

    /// Photos in which something was read.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn with_text(&self) -> Result<i64, StoreError> {
        self.conn
            .prepare_cached("SELECT count(*) FROM picture_text")
            .and_then(|mut s| s.query_row([], |r| r.get(0)))
            .at(&self.path)
    }
}
