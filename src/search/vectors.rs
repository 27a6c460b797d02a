//! All vectors of one search model, ready to be scanned: pieces on disk, and what has come since.
//!
//! The database has the vectors, numbered in the order in which they were written; a query that read
//! them from there would take seconds. So they lie once more in pieces ([`crate::matrix`]), each of the
//! vectors between two numbers. Few new ones are read from the database with each query; more become
//! another piece; when the daemon has nothing else to do, small pieces are put together.
//!
//! Promises: what is scanned is always the database's vectors, all of them, whatever became of the
//! pieces: one that is damaged, of another index, or newer than the database is thrown away and made
//! again. Never: fails a query because a piece cannot be written; then pages of the database are
//! scanned instead.
//!
//! Locking: who writes tries an `flock` on a file beside the pieces, and goes without if it is taken.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::embedding::ModelId;
use crate::matrix::{self, Matrix, MatrixError, MatrixWriter, Piece};
use crate::photo::hex;
use crate::store::{StoreError, StoreReader, decode_vector};

/// Directory in the data directory where the pieces lie.
const VECTORS_DIR: &str = "vectors";
/// Vectors read from the database at a time.
const PAGE: usize = 8192;
/// A piece is put together with the one before it if that has at most so many times its rows.
const GROWTH: usize = 3;

/// Why pieces were not written. Never a reason for a query to fail.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// Another process writes them.
    #[error("{0} is being written by another process")]
    Busy(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// Stamps of the pieces that a check found sound.
const CHECKED: &str = "checked";

/// Told how many new vectors of how many have been read.
pub type Tell<'a> = &'a mut dyn FnMut(u64, u64);

/// The pieces of one model's vectors in one database. Holds nothing open.
pub struct VectorIndex<'a> {
    reader: &'a StoreReader,
    model: i64,
    dims: usize,
    dir: PathBuf,
    identity: [u8; 32],
}

/// All vectors as they were at one moment.
pub struct Vectors {
    pieces: Vec<Matrix>,
    /// For each piece: photos whose later vectors lie in a later one, sorted.
    hidden: Vec<Vec<i64>>,
    /// Vectors after this number are in no piece: they could not be written.
    rest: Option<i64>,
    /// How many those are.
    rest_len: usize,
    not_written: Option<NotWritten>,
}

/// Where the pieces of a model lie.
pub fn vectors_dir(data_dir: &Path, model: &ModelId) -> PathBuf {
    data_dir.join(VECTORS_DIR).join(model.file_name())
}

impl<'a> VectorIndex<'a> {
    /// Of a model (`models.id`, name and revision, length of its vectors).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn new(
        reader: &'a StoreReader,
        data_dir: &Path,
        (model, id, dims): (i64, &ModelId, usize),
    ) -> Result<Self, StoreError> {
        let database = hex(&reader.identity()?);
        Ok(Self {
            reader,
            model,
            dims,
            dir: vectors_dir(data_dir, id),
            identity: matrix::identity(&["photos", &database, &id.0]),
        })
    }

    /// Where the pieces lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All vectors as they are now. Up to `tail` of them that no piece has are read into memory; if
    /// there are more, they become a piece first.
    ///
    /// # Errors
    /// If the database cannot be read. Trouble with the pieces is in [`Vectors::not_written`].
    pub fn open(&self, tail: usize, tell: Tell<'_>) -> Result<Vectors, StoreError> {
        let (mut pieces, mut after) = self.chain()?;
        let mut not_written = None;
        let mut rest = self.page(after, tail + 1)?;
        if rest.1.len() > tail {
            not_written = self.write(tell)?;
            (pieces, after) = self.chain()?;
            rest = self.page(after, tail + 1)?;
        }
        let (last, page) = rest;
        let whole = page.len() <= tail;
        let mut vectors = Vectors {
            pieces,
            hidden: Vec::new(),
            rest: None,
            rest_len: 0,
            not_written,
        };
        vectors.pieces.push(page);
        if !whole {
            vectors.rest = Some(last);
            vectors.rest_len = self.reader.vectors_after(self.model, last)?;
        }
        vectors.hide();
        Ok(vectors)
    }

    /// Makes pieces of everything that is in none, and puts small ones together.
    ///
    /// # Errors
    /// If the database cannot be read. `Ok(Some(_))` says why the pieces could not be written.
    pub fn write(&self, tell: Tell<'_>) -> Result<Option<NotWritten>, StoreError> {
        let lock = match self.lock() {
            Ok(lock) => lock,
            Err(e) => return Ok(Some(e)),
        };
        let (pieces, after) = self.chain()?;
        let new = self.reader.vectors_after(self.model, after)?;
        let mut from = pieces.len();
        let mut rows = new;
        // A quarter of no use: all anew.
        let live = usize::try_from(self.reader.embedding_count(self.model)?).unwrap_or(0);
        let there: usize = pieces.iter().map(Matrix::len).sum();
        if (there + new) * 3 > (live + PAGE) * 4 {
            (from, rows) = (0, live);
        }
        while from > 0 && pieces[from - 1].len() <= GROWTH * rows && rows > 0 {
            from -= 1;
            rows += pieces[from].len();
        }
        if rows > 0 {
            let after = pieces[..from].last().map_or(0, |piece| piece.span().1);
            drop(pieces);
            if let Err(e) = self.piece(after, rows as u64, tell)? {
                return Ok(Some(e.into()));
            }
        }
        self.sweep()?;
        drop(lock);
        Ok(None)
    }

    /// Throws pieces away that turned out to be damaged; who has them mapped keeps what they have.
    pub fn distrust(&self, vectors: &Vectors) {
        for piece in &vectors.pieces {
            let damaged = (0..piece.chunks()).any(|chunk| !piece.is_sound(chunk));
            if let (true, Some(path)) = (damaged, piece.path()) {
                tracing::warn!("{} is damaged; it is made again", path.display());
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Notes which pieces are sound, so that no query has to hash them again: a million of 384 values
    /// take 0.15 s, as long as everything else.
    pub fn note_checked(&self, vectors: &Vectors) {
        let pieces = vectors.pieces.iter().filter(|p| !p.stamp().is_empty());
        let checked = pieces.filter(|p| p.is_checked()).map(Matrix::stamp);
        let text: String = checked.map(|stamp| format!("{stamp}\n")).collect();
        let path = self.dir.join(CHECKED);
        if !text.is_empty() && std::fs::read_to_string(&path).unwrap_or_default() != text {
            let written = crate::safe_file::write(&path, text.as_bytes());
            written.unwrap_or_else(|e| tracing::debug!("{}: {e}", path.display()));
        }
    }

    /// Writes the piece of everything after a number.
    fn piece(
        &self,
        after: i64,
        rows: u64,
        tell: Tell<'_>,
    ) -> Result<Result<(), MatrixError>, StoreError> {
        // What is written meanwhile may be in it or not; nothing before this number is missed.
        let through = self.reader.last_seq()?;
        let path = self.path(after, through);
        let mut writer = match MatrixWriter::begin(&path, &self.identity, self.dims) {
            Ok(writer) => writer,
            Err(e) => return Ok(Err(e)),
        };
        let (mut last, mut done) = (after, 0);
        loop {
            let mut failed = None;
            let before = last;
            self.reader
                .embeddings_since(self.model, before, PAGE, &mut |seq, photo, bytes| {
                    if seq > through {
                        return;
                    }
                    last = seq;
                    done += 1;
                    if let Err(e) = writer.push(photo, &decode_vector(bytes).values) {
                        failed = Some(e);
                    }
                })?;
            if let Some(e) = failed {
                return Ok(Err(e));
            }
            if last == before {
                break;
            }
            tell(done, rows.max(done));
        }
        Ok(writer.finish((after, through)).map(|_| ()))
    }

    /// Up to `limit` vectors after a number in memory, and the last number among them.
    fn page(&self, after: i64, limit: usize) -> Result<(i64, Matrix), StoreError> {
        let mut rows: Vec<(i64, Vec<f32>)> = Vec::new();
        let mut last = after;
        self.reader
            .embeddings_since(self.model, after, limit, &mut |seq, photo, bytes| {
                last = seq;
                rows.push((photo, decode_vector(bytes).values));
            })?;
        let rows = rows
            .iter()
            .map(|(photo, values)| (*photo, values.as_slice()));
        Ok((last, Matrix::in_memory(self.dims, rows)))
    }

    /// The pieces that follow on each other from the first vector on, and the number up to which
    /// they go.
    fn chain(&self) -> Result<(Vec<Matrix>, i64), StoreError> {
        let newest = self.reader.last_seq()?;
        let mut by_start: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (after, through, _) in self.files() {
            by_start.entry(after).or_default().push(through);
        }
        let checked = std::fs::read_to_string(self.dir.join(CHECKED)).unwrap_or_default();
        let (mut pieces, mut at) = (Vec::new(), 0);
        while let Some(ends) = by_start.get_mut(&at) {
            ends.sort_unstable();
            let next = ends
                .iter()
                .rev()
                .filter(|end| **end > at && **end <= newest);
            let piece = next.clone().find_map(|end| self.sound(at, *end));
            let Some(piece) = piece else { break };
            if checked
                .lines()
                .any(|stamp| stamp == piece.stamp() && !stamp.is_empty())
            {
                piece.trust();
            }
            at = piece.span().1;
            pieces.push(piece);
        }
        Ok((pieces, at))
    }

    fn sound(&self, after: i64, through: i64) -> Option<Matrix> {
        match Matrix::open(&self.path(after, through), &self.identity, self.dims) {
            Ok(piece) => (piece.span() == (after, through)).then_some(piece),
            Err(e) => {
                tracing::debug!("{e}");
                None
            }
        }
    }

    fn path(&self, after: i64, through: i64) -> PathBuf {
        self.dir.join(format!("{after:016x}-{through:016x}.mx"))
    }

    fn files(&self) -> Vec<(i64, i64, PathBuf)> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name();
                let (after, through) = name.to_str()?.strip_suffix(".mx")?.split_once('-')?;
                let number = |text| i64::from_str_radix(text, 16).ok();
                Some((number(after)?, number(through)?, entry.path()))
            })
            .collect()
    }

    /// Removes pieces that are of no use.
    fn sweep(&self) -> Result<(), StoreError> {
        let (pieces, _) = self.chain()?;
        let used: Vec<(i64, i64)> = pieces.iter().map(Matrix::span).collect();
        for (after, through, path) in self.files() {
            if !used.contains(&(after, through)) {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<File, NotWritten> {
        use rustix::fs::{FlockOperation, flock};
        let path = self.dir.join("lock");
        let io = |source| MatrixError::Io {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(&self.dir).map_err(io)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| NotWritten::Busy(self.dir.clone()))?;
        Ok(file)
    }
}

impl Vectors {
    /// Finds the photos of each piece that a later one has again. New photos have higher ids than old
    /// ones, so that mostly there is nothing to look for.
    fn hide(&mut self) {
        self.hidden = Vec::with_capacity(self.pieces.len());
        for (at, piece) in self.pieces.iter().enumerate() {
            let later = self.pieces[at + 1..].iter().flat_map(Matrix::ids);
            let mut again: Vec<i64> = later.filter(|id| *id <= piece.highest()).collect();
            again.sort_unstable();
            self.hidden.push(again);
        }
    }

    /// Shows all of them, in one list of pieces; where some could not be written, in several: a photo
    /// that is written again in this very moment may then be shown twice.
    ///
    /// # Errors
    /// If the database cannot be read, or what `visit` says.
    pub fn visit<E: From<StoreError>>(
        &self,
        index: &VectorIndex<'_>,
        visit: &mut dyn FnMut(&[Piece<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let pieces: Vec<Piece<'_>> = self
            .pieces
            .iter()
            .zip(&self.hidden)
            .map(|(matrix, hidden)| Piece { matrix, hidden })
            .collect();
        visit(&pieces)?;
        let Some(mut after) = self.rest else {
            return Ok(());
        };
        loop {
            let (last, page) = index.page(after, PAGE)?;
            if last == after {
                return Ok(());
            }
            visit(&[(&page).into()])?;
            after = last;
        }
    }

    /// How many rows at most: those of dropped photos are among them.
    pub fn most(&self) -> usize {
        self.pieces.iter().map(Matrix::len).sum::<usize>() + self.rest_len
    }

    /// The pieces.
    pub fn pieces(&self) -> &[Matrix] {
        &self.pieces
    }

    /// Why pieces are behind, if they could not be written. Worth a line in the log.
    pub fn not_written(&self) -> Option<&NotWritten> {
        self.not_written.as_ref()
    }
}

#[cfg(test)]
mod tests;
