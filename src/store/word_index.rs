//! The full-text index: the words of photos' names, kept in step with every change.
//!
//! A photo's row holds the words of its first [`MAX_PLACES`] places in the order of (root, path),
//! and is a function of `files` alone: whoever changes which paths point at a photo calls
//! [`refresh`] in the same transaction. A photo that lies nowhere has no row. The index keeps no
//! text of its own (it is contentless): what it knows can always be made again from `files`.

use rusqlite::{Connection, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader, words};

/// Places of one photo whose names are searched: thousands of copies add nothing.
const MAX_PLACES: i64 = 64;
/// Words of one query that are looked up.
const MAX_QUERY_WORDS: usize = 64;

impl StoreReader {
    /// Photos whose file or folder names, what people say of them or what stands in their pictures have every
    /// one of these words, ascending: in one of the forms given of it, as it stands or in its parts, without case and accents.
    /// Nothing in a word is syntax; one without a letter or digit matches nothing.
    ///
    /// Cost: proportional to the photos that match.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn named(&self, words: &[Vec<String>]) -> Result<Vec<i64>, StoreError> {
        let mut named: Option<Vec<i64>> = None;
        for forms in words.iter().take(MAX_QUERY_WORDS) {
            let Some(forms) = words::any_form(forms) else {
                return Ok(Vec::new());
            };
            // Of a photo's words some may stand in its name and some in what is said of it.
            let found: Vec<i64> = self
                .conn
                .prepare_cached(
                    "SELECT rowid FROM path_words WHERE path_words MATCH ?1
                     UNION SELECT rowid FROM said_words WHERE said_words MATCH ?1
                     UNION SELECT rowid FROM picture_words WHERE picture_words MATCH ?1 ORDER BY rowid",
                )
                .and_then(|mut s| s.query_map([forms], |r| r.get(0))?.collect())
                .at(&self.path)?;
            named = Some(match named {
                None => found,
                Some(mut before) => {
                    before.retain(|photo| found.binary_search(photo).is_ok());
                    before
                }
            });
        }
        Ok(named.unwrap_or_default())
    }
}

impl Store {
    /// Makes the rows of up to `limit` photos that were indexed before there were words; true:
    /// there are more, call again. Costs one look when there is nothing to do.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing of this step is.
    pub fn fill_words(&mut self, limit: usize) -> Result<bool, StoreError> {
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let tx = self.conn.transaction().at(&self.path)?;
        let todo: i64 = tx
            .query_row("SELECT words_todo FROM database", [], |r| r.get(0))
            .at(&self.path)?;
        if todo == 0 {
            return Ok(false);
        }
        let photos: Vec<i64> = tx
            .prepare_cached("SELECT id FROM photos WHERE id <= ?1 ORDER BY id DESC LIMIT ?2")
            .and_then(|mut s| s.query_map([todo, limit], |r| r.get(0))?.collect())
            .at(&self.path)?;
        for photo in &photos {
            refresh(&tx, *photo).at(&self.path)?;
        }
        let left = match photos.last() {
            Some(lowest) if i64::try_from(photos.len()).is_ok_and(|n| n == limit) => lowest - 1,
            _ => 0,
        };
        tx.execute("UPDATE database SET words_todo = ?1", [left])
            .at(&self.path)?;
        tx.commit().at(&self.path)?;
        Ok(left > 0)
    }
}

/// Brings the words of one photo in step with its places.
pub(super) fn refresh(conn: &Connection, photo: i64) -> rusqlite::Result<()> {
    let places: Vec<Vec<u8>> = conn
        .prepare_cached("SELECT path FROM files WHERE photo = ?1 ORDER BY root, path LIMIT ?2")?
        .query_map([photo, MAX_PLACES], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if places.is_empty() {
        return remove(conn, photo);
    }
    let text = words::of_places(places.iter().map(Vec::as_slice));
    conn.prepare_cached("INSERT OR REPLACE INTO path_words (rowid, words) VALUES (?1, ?2)")?
        .execute(params![photo, text])?;
    Ok(())
}

/// Brings the words of several photos in step; each is looked at once.
pub(super) fn refresh_all(conn: &Connection, mut photos: Vec<i64>) -> rusqlite::Result<()> {
    photos.sort_unstable();
    photos.dedup();
    photos
        .into_iter()
        .try_for_each(|photo| refresh(conn, photo))
}

/// Takes the words of a photo away.
pub(super) fn remove(conn: &Connection, photo: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM path_words WHERE rowid = ?1")?
        .execute([photo])?;
    Ok(())
}

/// Keeps what is said of a photo in words, where nothing is kept of it.
pub(super) fn put_said(conn: &Connection, photo: i64, text: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO said_words (rowid, words) VALUES (?1, ?2)")?
        .execute(params![photo, words::of_text(text, words::MAX_WORDS)])?;
    Ok(())
}

/// Takes what is said of a photo away.
pub(super) fn remove_said(conn: &Connection, photo: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM said_words WHERE rowid = ?1")?
        .execute([photo])?;
    Ok(())
}
