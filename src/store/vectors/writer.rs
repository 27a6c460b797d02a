//! How a vector file grows: rows first, then the count.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::header::{self, HEADER, Owner, Progress};
use super::mapped::{Mapped, Unusable};
use super::rows::RowBuffer;
use super::{VectorFileError, VectorSource};
use crate::store::StoreError;

/// Rows are read and written in pages of about this size, which bounds the memory.
const PAGE_BYTES: usize = 8 << 20;

/// Rows fetched from the database at once.
pub(super) fn page_rows(owner: &Owner) -> usize {
    (PAGE_BYTES / owner.stride()).max(64)
}

/// What can stop a writer: only the second is an error for whoever wants vectors.
pub(super) enum Trouble {
    File(VectorFileError),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

/// The right to write one vector file, for as long as it lives.
pub(super) struct Writer<'a> {
    path: &'a Path,
    owner: &'a Owner,
    _lock: File,
}

impl<'a> Writer<'a> {
    /// Takes the right without waiting.
    pub(super) fn take(path: &'a Path, owner: &'a Owner) -> Result<Self, VectorFileError> {
        let lock = beside(path, "lock");
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(VectorFileError::at(dir))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(VectorFileError::at(&lock))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path,
                owner,
                _lock: file,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(VectorFileError::Busy {
                path: path.to_path_buf(),
            }),
            Err(e) => Err(VectorFileError::at(&lock)(e.into())),
        }
    }

    /// Adds what the database has beyond the file, or makes the file anew if it cannot be trusted
    /// or more than a quarter of its rows are of no use.
    pub(super) fn bring_up_to_date(&self, source: &mut dyn VectorSource) -> Result<(), Trouble> {
        match Mapped::open(self.path, self.owner) {
            Ok(mapped) if mapped.progress().seq <= source.newest()? => {
                let progress = self.append(mapped.progress(), source)?;
                let useless = progress.count.saturating_sub(source.live()?);
                if useless > progress.count / 4 {
                    self.rebuild(source)?;
                }
                Ok(())
            }
            Ok(_) => {
                tracing::info!(path = %self.path.display(), "the vector file is ahead of the index: made anew");
                self.rebuild(source)
            }
            Err(Unusable::Absent) => self.rebuild(source),
            Err(Unusable::Distrusted(why)) => {
                tracing::info!(path = %self.path.display(), why, "the vector file is made anew");
                self.rebuild(source)
            }
            Err(Unusable::Io(e)) => Err(self.io(e)),
        }
    }

    /// Each page counts before the next is begun, so that a stop in the middle loses little.
    fn append(&self, before: Progress, source: &mut dyn VectorSource) -> Result<Progress, Trouble> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path)
            .map_err(|e| self.io(e))?;
        let mut filling = Filling {
            file: &file,
            path: self.path,
            owner: self.owner,
            progress: before,
            known: Known::Unread,
        };
        while filling.page(source)? {
            filling.commit()?;
        }
        Ok(filling.progress)
    }

    fn rebuild(&self, source: &mut dyn VectorSource) -> Result<(), Trouble> {
        let temporary = beside(self.path, "new");
        let made = self.build(&temporary, source).and_then(|()| {
            std::fs::rename(&temporary, self.path).map_err(|e| self.io(e))?;
            // So that the name survives a power cut together with what follows it.
            if let Some(dir) = self.path.parent().and_then(|d| File::open(d).ok()) {
                let _ = dir.sync_all();
            }
            Ok(())
        });
        if made.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        made
    }

    /// Nobody reads the file before it has its real name, so it is synced once, at the end.
    fn build(&self, path: &Path, source: &mut dyn VectorSource) -> Result<(), Trouble> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|e| Trouble::File(VectorFileError::at(path)(e)))?;
        file.write_all_at(&[0; HEADER], 0)
            .map_err(|e| Trouble::File(VectorFileError::at(path)(e)))?;
        let mut filling = Filling {
            file: &file,
            path,
            owner: self.owner,
            progress: Progress::EMPTY,
            known: Known::Rows(HashMap::new()),
        };
        while filling.page(source)? {}
        filling.commit()?;
        file.sync_data()
            .map_err(|e| Trouble::File(VectorFileError::at(path)(e)))
    }

    fn io(&self, e: std::io::Error) -> Trouble {
        Trouble::File(VectorFileError::at(self.path)(e))
    }
}

/// Which row is a photo's, as far as it has been needed.
enum Known {
    /// All of it stands in the file, which is read when a photo may have come again.
    Unread,
    /// The current row of every photo.
    Rows(HashMap<i64, u64>),
}

struct Filling<'a> {
    file: &'a File,
    path: &'a Path,
    owner: &'a Owner,
    progress: Progress,
    known: Known,
}

impl Filling<'_> {
    /// Writes the next page of rows behind those that count, and counts them here only. False if
    /// there was none.
    fn page(&mut self, source: &mut dyn VectorSource) -> Result<bool, Trouble> {
        let limit = page_rows(self.owner);
        let mut buffer = RowBuffer::new(self.owner.dims, self.owner.stride());
        // Sequence number, photo, and whether its vector was taken.
        let mut came: Vec<(i64, i64, bool)> = Vec::new();
        source.since(self.progress.seq, limit, &mut |seq, photo, vector| {
            came.push((seq, photo, buffer.push(photo, vector)));
        })?;
        let Some((last, ..)) = came.last() else {
            return Ok(false);
        };
        let mut next = Progress {
            seq: *last,
            count: self.progress.count + buffer.len() as u64,
            ..self.progress
        };
        let mut marks = Vec::new();
        let photos = came.iter().map(|(_, photo, _)| *photo);
        let new_and_once = photos
            .clone()
            .zip(std::iter::once(self.progress.max_photo).chain(photos))
            .all(|(photo, before)| photo > before);
        if !new_and_once {
            self.learn()?;
        }
        let mut row = self.progress.count;
        for (seq, photo, taken) in came {
            if let Known::Rows(known) = &mut self.known {
                let old = if taken {
                    known.insert(photo, row)
                } else {
                    known.remove(&photo)
                };
                if let Some(old) = old {
                    marks.push((old, seq));
                    next.superseded += 1;
                }
            }
            if taken {
                next.max_photo = next.max_photo.max(photo);
                row += 1;
            }
        }
        // Rows of this very page are still in the buffer.
        let first = self.progress.count;
        marks.retain(|(old, seq)| {
            let Some(here) = old.checked_sub(first) else {
                return true;
            };
            #[allow(clippy::cast_possible_truncation)]
            buffer.supersede(here as usize, *seq);
            false
        });
        self.write(&buffer, &marks)?;
        self.progress = next;
        Ok(true)
    }

    /// Reads which row is whose, if not done yet: about 20 bytes a photo until the filling ends.
    fn learn(&mut self) -> Result<(), Trouble> {
        if matches!(self.known, Known::Rows(_)) {
            return Ok(());
        }
        let mapped = Mapped::open(self.path, self.owner).map_err(|e| {
            let reason = match e {
                Unusable::Io(e) => e,
                Unusable::Absent => std::io::ErrorKind::NotFound.into(),
                Unusable::Distrusted(why) => std::io::Error::other(why),
            };
            Trouble::File(VectorFileError::at(self.path)(reason))
        })?;
        let rows = mapped.rows(&[]);
        self.known = Known::Rows(
            (0..rows.len())
                .filter_map(|row| Some((rows.photo(row)?, row as u64)))
                .collect(),
        );
        Ok(())
    }

    fn write(&self, buffer: &RowBuffer, marks: &[(u64, i64)]) -> Result<(), Trouble> {
        let stride = self.owner.stride() as u64;
        let place = |row: u64| HEADER as u64 + row * stride;
        let wrong = |e| Trouble::File(VectorFileError::at(self.path)(e));
        self.file
            .write_all_at(&buffer.to_bytes(), place(self.progress.count))
            .map_err(wrong)?;
        for (row, seq) in marks {
            self.file
                .write_all_at(&seq.to_ne_bytes(), place(row + 1) - 8)
                .map_err(wrong)?;
        }
        Ok(())
    }

    /// Makes all rows written so far count.
    fn commit(&self) -> Result<(), Trouble> {
        let wrong = |e| Trouble::File(VectorFileError::at(self.path)(e));
        self.file.sync_data().map_err(wrong)?;
        self.file
            .write_all_at(&header::write(self.owner, &self.progress), 0)
            .map_err(wrong)
    }
}

/// The file of the same name with one more extension.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
