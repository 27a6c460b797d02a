//! The vectors of one model in a memory-mapped file, so that a one-shot query need not read the
//! whole table from SQLite.
//!
//! Promises: what a reader gets is always the database's vectors, all of them, whatever became of
//! the file. The file is derived: one that is damaged, cut short, or of another index, model or
//! version is thrown away and made anew, never trusted. Rows are only appended, a crash at any step
//! leaves the old count, and a file is replaced by rename, never truncated, so that a mapping stays
//! good for as long as it lives.
//!
//! Never: fails a query because the file cannot be written (full disk, another process at it, no
//! permission): then the rows beyond it come from the database, in memory up to a limit and in
//! pages beyond.
//!
//! Layout: a page of header, then rows of `2·dims` bytes f16, padding, photo id, and the sequence
//! number at which a later row of the same photo superseded this one; a reader that mapped the file
//! before that still counts the old row and finds the new one in its tail. Rows of photos that the
//! index has dropped stay until they, with the superseded ones, are a quarter.
//!
//! Locking: writers try an `flock` on a file beside it and go without if it is taken; readers take
//! none. Cost: opening maps the file and reads one sector; a page of 8 MB is in memory while
//! writing, and some 20 bytes a photo when one comes again.

mod header;
mod mapped;
mod rows;
mod source;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use self::header::Owner;
use self::mapped::Mapped;
use self::rows::RowBuffer;
pub use self::rows::Rows;
pub use self::source::ModelVectors;
use self::writer::{Trouble, Writer, page_rows};
use super::StoreError;
use crate::embedding::ModelId;
use crate::photo::hex;

/// Directory in the data directory where the files lie.
pub const VECTORS_DIR: &str = "vectors";

/// Where vectors come from: one model's, in a database.
///
/// Each vector has a sequence number of its own that is higher than any given before, and a new
/// one when it is written again; one vector a photo.
pub trait VectorSource {
    /// Shows up to `limit` vectors with sequence numbers above `after`, in their order, as
    /// little-endian f16, with sequence number and photo.
    ///
    /// # Errors
    /// If the database cannot be read.
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError>;

    /// The highest sequence number ever given, 0 if none. (Not the highest of those still there:
    /// a file that knows a higher one is of another history and is not trusted.)
    ///
    /// # Errors
    /// If the database cannot be read.
    fn newest(&mut self) -> Result<i64, StoreError>;

    /// How many vectors there are.
    ///
    /// # Errors
    /// If the database cannot be read.
    fn live(&mut self) -> Result<u64, StoreError>;
}

/// Why the file was not written. Never a reason for a query to fail.
#[derive(Debug, thiserror::Error)]
pub enum VectorFileError {
    /// Another process writes it.
    #[error("{path} is being written by another process")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write the vector file {path}: {source}")]
    Io {
        /// The file or its directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl VectorFileError {
    fn at(path: &Path) -> impl Fn(std::io::Error) -> Self + Copy {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// The file of one model of one database. Holds nothing open.
#[derive(Debug, Clone)]
pub struct VectorFile {
    path: PathBuf,
    owner: Owner,
}

impl VectorFile {
    /// The file for `model` in `data_dir`, there or not. `identity` is the database's.
    #[must_use]
    pub fn new(data_dir: &Path, identity: [u8; 16], model: &ModelId, dims: usize) -> Self {
        let hash = *blake3::hash(model.0.as_bytes()).as_bytes();
        // Readable, safe as a file name, and different for different models.
        let safe = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
            _ => '-',
        };
        let name: String = model.0.chars().take(80).map(safe).collect();
        let key = hex(&hash[..4]);
        Self {
            path: data_dir.join(VECTORS_DIR).join(format!("{name}-{key}.vec")),
            owner: Owner {
                identity,
                model: hash,
                dims,
            },
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All vectors as they are now. Up to `tail_limit` of them that the file has not are read into
    /// memory; if there are more, the file is written first.
    ///
    /// # Errors
    /// If the database cannot be read. Trouble with the file is in [`Vectors::not_written`].
    pub fn refresh(
        &self,
        source: &mut dyn VectorSource,
        tail_limit: usize,
    ) -> Result<Vectors, StoreError> {
        let vectors = self.gather(source, tail_limit)?;
        if vectors.rest.is_none() {
            return Ok(vectors);
        }
        drop(vectors);
        let not_written = self.write(source)?;
        let mut vectors = self.gather(source, tail_limit)?;
        vectors.not_written = not_written;
        Ok(vectors)
    }

    /// Writes what the file has not, however little, and makes it anew when a quarter of it is of
    /// no use. For the daemon's quiet moments.
    ///
    /// # Errors
    /// If the database cannot be read. `Ok(Some(_))` says why the file could not be written.
    pub fn write(
        &self,
        source: &mut dyn VectorSource,
    ) -> Result<Option<VectorFileError>, StoreError> {
        let written = Writer::take(&self.path, &self.owner)
            .map_err(Trouble::File)
            .and_then(|writer| writer.bring_up_to_date(source));
        match written {
            Ok(()) => Ok(None),
            Err(Trouble::File(e)) => Ok(Some(e)),
            Err(Trouble::Store(e)) => Err(e),
        }
    }

    /// Throws the file away, for one whose model is removed or whose rows turned out to be wrong.
    /// Who has it mapped keeps what they have.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn remove(&self) -> Result<(), VectorFileError> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(VectorFileError::at(&self.path)(e))
            }
            _ => Ok(()),
        }
    }

    /// What the file has and what it has not; writes nothing.
    fn gather(
        &self,
        source: &mut dyn VectorSource,
        tail_limit: usize,
    ) -> Result<Vectors, StoreError> {
        let mapped = Mapped::open(&self.path, &self.owner).ok();
        // In this order: a file that is ahead of the database now was so when it was opened.
        let newest = source.newest()?;
        let mapped = mapped.filter(|m| m.progress().seq <= newest);
        let mut vectors = Vectors {
            owner: self.owner,
            tail: RowBuffer::new(self.owner.dims, self.owner.stride()),
            hidden: Vec::new(),
            refused: 0,
            rest: None,
            not_written: None,
            mapped,
        };
        let mut after = vectors.mapped.as_ref().map_or(0, |m| m.progress().seq);
        if newest > after {
            let before = after;
            source.since(before, tail_limit, &mut |seq, photo, vector| {
                after = seq;
                vectors.hidden.push(photo);
                vectors.refused += u64::from(!vectors.tail.push(photo, vector));
            })?;
        }
        // The newest may be another model's.
        if newest > after && vectors.hidden.len() >= tail_limit {
            vectors.rest = Rest::find(source, after, page_rows(&self.owner))?;
        }
        if let Some(rest) = &vectors.rest {
            vectors.hidden.extend(&rest.photos);
        }
        vectors.hidden.sort_unstable();
        Ok(vectors)
    }
}

/// All vectors of one model at one moment: the file's, newer ones in memory, and, where the file
/// could not be written, still newer ones that stay in the database.
pub struct Vectors {
    owner: Owner,
    mapped: Option<Mapped>,
    tail: RowBuffer,
    /// Photos whose rows in the file are out of date, sorted.
    hidden: Vec<i64>,
    rest: Option<Rest>,
    refused: u64,
    not_written: Option<VectorFileError>,
}

/// Vectors that are read from the database in pages each time they are visited.
struct Rest {
    after: i64,
    until: i64,
    /// Whose they are, sorted.
    photos: Vec<i64>,
}

impl Rest {
    fn find(
        source: &mut dyn VectorSource,
        after: i64,
        page: usize,
    ) -> Result<Option<Self>, StoreError> {
        let mut rest = Self {
            after,
            until: after,
            photos: Vec::new(),
        };
        loop {
            let before = rest.until;
            source.since(before, page, &mut |seq, photo, _| {
                rest.until = seq;
                rest.photos.push(photo);
            })?;
            if rest.until == before {
                break;
            }
        }
        rest.photos.sort_unstable();
        Ok((!rest.photos.is_empty()).then_some(rest))
    }
}

impl Vectors {
    /// Shows all rows, in a few large pieces; each photo once. `source` is asked only if there are
    /// rows in neither file nor memory (then a photo that is embedded again in this very moment
    /// may be left out).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn visit(
        &self,
        source: &mut dyn VectorSource,
        visit: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), StoreError> {
        if let Some(mapped) = &self.mapped {
            visit(mapped.rows(&self.hidden));
        }
        let Some(rest) = &self.rest else {
            visit(self.tail.rows(&[]));
            return Ok(());
        };
        visit(self.tail.rows(&rest.photos));
        let mut page = RowBuffer::new(self.owner.dims, self.owner.stride());
        let mut after = rest.after;
        while after < rest.until {
            let before = after;
            page.clear();
            source.since(before, page_rows(&self.owner), &mut |seq, photo, vector| {
                after = seq;
                if seq <= rest.until {
                    page.push(photo, vector);
                }
            })?;
            if after == before {
                break;
            }
            visit(page.rows(&[]));
        }
        Ok(())
    }

    /// Values in a vector.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.owner.dims
    }

    /// How many rows at most: superseded ones and those of dropped photos are in it.
    #[must_use]
    pub fn most(&self) -> usize {
        let mapped = self.mapped.as_ref().map_or(0, |m| m.rows(&[]).len());
        mapped + self.tail.len() + self.rest.as_ref().map_or(0, |r| r.photos.len())
    }

    /// Whether every row is in the file or in memory.
    #[must_use]
    pub fn is_resident(&self) -> bool {
        self.rest.is_none()
    }

    /// Vectors of the tail that have no direction or another length, and so match nothing.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Why the file is behind, if it could not be written. Worth a line in the log.
    #[must_use]
    pub fn not_written(&self) -> Option<&VectorFileError> {
        self.not_written.as_ref()
    }
}
