//! Writing results: one batch, one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::error::{At, StoreError};
use super::failures::Failure;
use super::files::{FileKey, Points};
use super::{Store, embeddings, failures, files, photos, tags};
use crate::embedding::{Embedding, Tag};
use crate::photo::{ContentHash, FileStamp, Inspection};

/// What the model made of one photo.
#[derive(Debug, Clone)]
pub struct Results {
    /// `models.id`.
    pub model: i64,
    /// Version of the label bank that scored the tags.
    pub bank: String,
    /// The vector, `dims` values.
    pub embedding: Embedding,
    /// Kept tags, with confidence.
    pub tags: Vec<Tag>,
}

/// One thing to write.
#[derive(Debug)]
pub enum Change {
    /// This content lies at this path; `inspection` is absent when the content is known already.
    Indexed {
        /// Where it lies and the stamp under which it was read; absent when the file vanished
        /// meanwhile: the content is kept for the other places that may hold it.
        place: Option<(FileKey, FileStamp)>,
        /// The content.
        hash: ContentHash,
        /// What the image code found, for content seen for the first time.
        inspection: Option<Box<Inspection>>,
        /// Version of the image code that made the inspection.
        decoder_version: u32,
        /// What the model made of it, if there was one.
        results: Option<Box<Results>>,
    },
    /// The model's results for content indexed before.
    Embedded {
        /// The content.
        hash: ContentHash,
        /// What the model made of it.
        results: Box<Results>,
    },
    /// The model gave no usable answer for this content; it stays indexed without a vector.
    NotEmbedded {
        /// The content.
        hash: ContentHash,
        /// Why.
        failure: Failure,
    },
    /// This path could not be indexed.
    Failed {
        /// Where it lies.
        key: FileKey,
        /// Stamp under which it was tried.
        stamp: FileStamp,
        /// The content, where its bytes were had.
        hash: Option<ContentHash>,
        /// Why.
        failure: Failure,
    },
    /// Nothing lies at this path any more.
    Gone {
        /// Where it lay.
        key: FileKey,
        /// It is there, but left out by the settings now.
        excluded: bool,
    },
    /// This path is gone together with many others: hold the row until a person confirms.
    Missing {
        /// Where it lay.
        key: FileKey,
    },
    /// A path held as missing is there again, unchanged.
    Found {
        /// Where it lies.
        key: FileKey,
    },
}

impl Change {
    /// Content that is known lies at this path too.
    #[must_use]
    pub fn known(key: FileKey, stamp: FileStamp, hash: ContentHash) -> Self {
        Self::Indexed {
            place: Some((key, stamp)),
            hash,
            inspection: None,
            decoder_version: 0,
            results: None,
        }
    }
}

impl Store {
    /// Writes a batch, all of it or nothing.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing of the batch is.
    pub fn apply(&mut self, batch: &[Change]) -> Result<(), StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        for change in batch {
            apply_one(&tx, change).at(&self.path)?;
        }
        tx.commit().at(&self.path)
    }
}

fn apply_one(conn: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Indexed {
            place,
            hash,
            inspection,
            decoder_version,
            results,
        } => {
            let photo = match inspection {
                Some(inspection) => photos::put(conn, hash, inspection, *decoder_version)?,
                None => match photos::id(conn, hash)? {
                    Some(id) => id,
                    // Purged between the look-up and now: not acknowledged, the next scan redoes it.
                    None => return Ok(()),
                },
            };
            if let Some(results) = results {
                put_results(conn, photo, results)?;
                failures::clear(conn, hash)?;
            }
            match place {
                Some((key, stamp)) => files::put(conn, key, stamp, &Points::Photo(photo)),
                None => Ok(()),
            }
        }
        Change::Embedded { hash, results } => {
            if let Some(photo) = photos::id(conn, hash)? {
                put_results(conn, photo, results)?;
                failures::clear(conn, hash)?;
            }
            Ok(())
        }
        Change::NotEmbedded { hash, failure } => {
            failures::put(conn, Some(hash), None, failure).map(|_| ())
        }
        Change::Failed {
            key,
            stamp,
            hash,
            failure,
        } => {
            let previous: Option<i64> = conn
                .prepare_cached("SELECT failure FROM files WHERE root = ?1 AND path = ?2")?
                .query_row(params![key.root, key.path.as_bytes()], |r| r.get(0))
                .optional()?
                .flatten();
            let id = failures::put(conn, hash.as_ref(), previous, failure)?;
            files::put(conn, key, stamp, &Points::Failure(id))
        }
        Change::Gone { key, .. } => files::remove(conn, key).map(|_| ()),
        Change::Missing { key } => files::set_missing(conn, key, true),
        Change::Found { key } => files::set_missing(conn, key, false),
    }
}

fn put_results(conn: &Connection, photo: i64, results: &Results) -> rusqlite::Result<()> {
    embeddings::put(conn, photo, results.model, &results.embedding)?;
    tags::put_model_tags(conn, photo, results.model, &results.bank, &results.tags)
}
