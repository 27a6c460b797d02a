//! Writing results: one batch, one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::beside::{self, Touched};
use super::error::{At, StoreError, failpoint};
use super::faces::Made;
use super::failures::Failure;
use super::files::{FileKey, Points};
use super::said::{self, Layer};
use super::{
    Store, Tagged, embeddings, faces, failures, files, localities, photos, picture_text, sidecars,
    tags,
};
use crate::embedding::Embedding;
use crate::photo::{ContentHash, FileStamp, Inspection};
use crate::picture_text::ReadLine;
use crate::sidecar::SidecarWords;

/// What one model made of one photo.
#[derive(Debug, Clone)]
pub struct ModelResult {
    /// `models.id`.
    pub model: i64,
    /// The vector, `dims` values.
    pub embedding: Embedding,
}

/// What a model has read in one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadText {
    /// `models.id`.
    pub model: i64,
    /// Worth keeping ([`crate::picture_text::worth_keeping`]).
    pub lines: Vec<ReadLine>,
}

/// What the models made of one photo, written together.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// One for each model that has seen it.
    pub made: Vec<ModelResult>,
    /// What they say in words: replaces what was said before.
    pub tagged: Option<Tagged>,
    /// What stands in the picture: replaces what was read before.
    pub text: Option<ReadText>,
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
        /// What the models made of it, if there were any.
        results: Option<Box<Results>>,
    },
    /// Content that is known was read again for what is said of it.
    ReadAgain {
        /// The content.
        hash: ContentHash,
        /// What was found; absent when it cannot be read.
        inspection: Option<Box<Inspection>>,
    },
    /// Models' results for content indexed before.
    Embedded {
        /// The content.
        hash: ContentHash,
        /// What the models made of it.
        results: Box<Results>,
    },
    /// A model gave no usable answer for this content; it stays indexed without that vector.
    NotEmbedded {
        /// The content.
        hash: ContentHash,
        /// The model (`models.id`); absent: no input for any model can be made of it.
        model: Option<i64>,
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
    /// A file that is known cannot be read now (the disk fails): its row stays as it is.
    Troubled {
        /// Where it lies.
        key: FileKey,
        /// Why.
        failure: Failure,
    },
    /// A path that was held as missing, or could not be read, is as it was.
    Found {
        /// Where it lies.
        key: FileKey,
    },
    /// A file that may speak of photos has been read.
    Sidecar {
        /// Where it lies.
        key: FileKey,
        /// The stamp under which it was read.
        stamp: FileStamp,
        /// What it says (`None`: it speaks of no photo), or why it cannot be read.
        read: Result<Option<SidecarWords>, String>,
        /// Version of the image code that read it.
        read_by: u32,
    },
    /// A sidecar is not there any more.
    SidecarGone {
        /// Where it lay.
        key: FileKey,
        /// It is there, but left out by the settings now.
        excluded: bool,
    },
}

impl Change {
    /// Content that is known lies at this path too.
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
    pub fn apply<'a>(
        &mut self,
        batch: impl IntoIterator<Item = &'a Change>,
    ) -> Result<(), StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .at(&self.path)?;
        let mut touched = Touched::default();
        // What it says of a transaction that fails is not so.
        let mut book = std::mem::take(&mut self.book);
        self.book.same = book.same;
        for change in batch {
            apply_one(&tx, change, &mut touched, &mut book).at(&self.path)?;
        }
        touched.settle(&tx).at(&self.path)?;
        if let Some(gazetteer) = &mut self.gazetteer {
            localities::locate_new(&tx, gazetteer).at(&self.path)?;
        }
        failpoint("commit.before").at(&self.path)?;
        tx.commit().at(&self.path)?;
        self.book = book;
        failpoint("commit.after").at(&self.path)
    }

    /// So far two faces of one person may be apart, in the space of the model that is in use.
    pub fn tell_faces_apart(&mut self, same: f32) {
        self.book = faces::Book::new(same);
    }
}

fn apply_one(
    conn: &Connection,
    change: &Change,
    touched: &mut Touched,
    book: &mut faces::Book,
) -> rusqlite::Result<()> {
    match change {
        Change::Indexed {
            place,
            hash,
            inspection,
            decoder_version,
            results,
        } => {
            let has_sidecars = match place {
                Some((key, _)) => touched.place(conn, key)?,
                None => false,
            };
            let photo = match inspection {
                Some(inspection) => {
                    let is_new = photos::id(conn, hash)?.is_none();
                    let photo = photos::put(conn, hash, inspection, *decoder_version)?;
                    if !is_new {
                        // What a model made of less of the picture: it sees it again.
                        embeddings::remove(conn, photo)?;
                    }
                    said::put(
                        conn,
                        photo,
                        Layer::File,
                        &said::worth_keeping(&inspection.said),
                    )?;
                    if let Some((key, stamp)) = place.as_ref().filter(|_| has_sidecars) {
                        beside::renew_before(conn, photo, key, stamp.mtime_ns)?;
                    }
                    said::settle(conn, photo, is_new)?;
                    photo
                }
                None => match photos::id(conn, hash)? {
                    Some(id) => id,
                    // Purged between the look-up and now: not acknowledged, the next scan redoes it.
                    None => return Ok(()),
                },
            };
            touched.photo(conn, photo)?;
            if let Some(results) = results {
                put_results(conn, photo, hash, results, book)?;
            }
            match place {
                Some((key, stamp)) => files::put(conn, key, stamp, &Points::Photo(photo)),
                None => Ok(()),
            }
        }
        Change::ReadAgain { hash, inspection } => match photos::id(conn, hash)? {
            Some(photo) => {
                touched.photo(conn, photo)?;
                photos::read_again(conn, photo, inspection.as_deref())
            }
            None => Ok(()),
        },
        Change::Embedded { hash, results } => {
            if let Some(photo) = photos::id(conn, hash)? {
                put_results(conn, photo, hash, results, book)?;
            }
            Ok(())
        }
        Change::NotEmbedded {
            hash,
            model,
            failure,
        } => failures::put(conn, Some(hash), *model, None, failure).map(|_| ()),
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
            let id = failures::put(conn, hash.as_ref(), None, previous, failure)?;
            touched.place(conn, key)?;
            files::put(conn, key, stamp, &Points::Failure(id))
        }
        Change::Gone { key, .. } => {
            touched.place(conn, key)?;
            files::remove(conn, key).map(|_| ())
        }
        Change::Missing { key } => {
            touched.place(conn, key)?;
            files::hold(conn, key)
        }
        Change::Troubled { key, failure } => files::set_trouble(conn, key, failure),
        Change::Found { key } => files::vouch_for(conn, key),
        Change::Sidecar {
            key,
            stamp,
            read,
            read_by,
        } => sidecars::put(conn, (key, stamp), read, *read_by, touched),
        Change::SidecarGone { key, excluded } => sidecars::remove(conn, key, *excluded, touched),
    }
}

fn put_results(
    conn: &Connection,
    photo: i64,
    hash: &ContentHash,
    results: &Results,
    book: &mut faces::Book,
) -> rusqlite::Result<()> {
    for made in &results.made {
        match faces::made_by(conn, made.model)? {
            Made::Faces => faces::put(conn, photo, hash, (made.model, &made.embedding), book)?,
            Made::Forgotten => continue,
            Made::Other => embeddings::put(conn, photo, made.model, &made.embedding)?,
        }
        failures::clear(conn, hash, made.model)?;
    }
    if let Some(ReadText { model, lines }) = &results.text {
        picture_text::put(conn, photo, *model, lines)?;
    }
    match &results.tagged {
        Some(tagged) => tags::put(conn, photo, tagged),
        None => Ok(()),
    }
}
