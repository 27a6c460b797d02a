//! The label vectors of one encoder in a memory-mapped file that grows while it is read.
//!
//! Promises: opening costs a few reads and one mapping, whatever the size, and copies no row; rows
//! appended by [`BankWriter`] are seen by every reader of the same process at once, through the
//! mapping it already has. What was published stays published: a kill at any step, a full disk or
//! a torn sector loses at most the chunk that was being written. A file that is stale, damaged, cut
//! short or another program's is told apart by [`BankError`] and never scored.
//!
//! Never: rewrites a row that counts, truncates, or replaces a file otherwise than by rename, so
//! that a mapping stays good for as long as it lives. Never trusts a vector: rows that are not
//! finite or have no direction are refused before anything of their chunk is written.
//!
//! Layout (see `layout.rs`): two header slots, the identity, a table of chunks with their
//! checksums, a key of each row's text, and the rows as bf16 of length one, each on a cache line.
//! The file has its full length from the beginning, sparse, so that it is mapped once. A chunk is
//! written in this order: keys, rows and table entry; sync; the older header slot; sync; then the
//! number of published rows, an atomic that readers load once a scan.
//!
//! Locking: a writer holds an `flock` on a file beside the bank for as long as it lives; readers
//! take none, and a second writer gets [`BankError::InUse`]. Cost: 256 KB of memory while
//! appending, 48 bytes a chunk while opening.

mod disk;
mod encode;
mod error;
mod header;
mod identity;
mod known;
mod layout;
mod lock;
mod make;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use half::bf16;
use half::slice::HalfBitsSliceExt;
use memmap2::{Advice, MmapOptions, MmapRaw};

pub use self::error::BankError;
use self::header::{Entry, Found};
pub use self::identity::BankIdentity;
pub use self::known::text_key;
use self::layout::{KEY, Layout};
pub use self::writer::{BankWriter, Began};

/// Bytes hashed between two looks at whether to stop.
const VERIFY_PIECE: usize = 1 << 20;

/// A bank as a reader has it. Shared by threads; costs nothing to read from.
#[derive(Debug)]
pub struct TermBank {
    path: PathBuf,
    /// Kept open to notice a file that is cut short under the mapping; none in memory.
    file: Option<File>,
    map: MmapRaw,
    layout: Layout,
    identity: BankIdentity,
    /// Rows that count. Only grows.
    published: AtomicUsize,
}

impl TermBank {
    /// Maps the bank at `path` if it is `identity`'s. Rows that another process appends later do
    /// not show; those of a [`BankWriter`] of this process show in the bank that it returned.
    ///
    /// # Errors
    /// [`BankError::Missing`], [`BankError::Stale`], [`BankError::Corrupt`],
    /// [`BankError::Truncated`], [`BankError::Foreign`], or what the system says.
    pub fn open(path: &Path, identity: &BankIdentity) -> Result<Arc<Self>, BankError> {
        let file = open_file(path)?;
        let found = header::read(&file, path, Some(identity))?;
        Self::map(path, file, &found)
    }

    /// Maps the bank at `path` whatever its identity.
    ///
    /// # Errors
    /// As [`TermBank::open`], but for [`BankError::Stale`] of a bank of this version.
    pub fn open_any(path: &Path) -> Result<Arc<Self>, BankError> {
        let file = open_file(path)?;
        let found = header::read(&file, path, None)?;
        Self::map(path, file, &found)
    }

    fn map(path: &Path, file: File, found: &Found) -> Result<Arc<Self>, BankError> {
        let layout = found.layout;
        // Both were checked to fit when the layout was made.
        #[allow(clippy::cast_possible_truncation)]
        let (len, rows) = (layout.end as usize, found.slot.rows as usize);
        let map = MmapOptions::new()
            .len(len)
            .map_raw_read_only(&file)
            .map_err(BankError::io(path, "map"))?;
        let bank = Self {
            path: path.to_path_buf(),
            file: Some(file),
            map,
            layout,
            identity: found.identity.clone(),
            published: AtomicUsize::new(rows),
        };
        #[allow(clippy::cast_possible_truncation)]
        let start = layout.rows as usize;
        // Starts reading what is not in memory yet, in large pieces; a hint, so it may fail.
        let _ = bank
            .map
            .advise_range(Advice::WillNeed, start, rows * layout.stride);
        Ok(Arc::new(bank))
    }

    /// A bank without a file, whole from the beginning: for a user's own few terms. `rows` is whole
    /// vectors one after the other, scaled to length one; the number of rows is theirs, whatever
    /// `identity` says.
    ///
    /// # Errors
    /// [`BankError::Dims`], [`BankError::BadRow`], [`BankError::Impossible`] (also without any row),
    /// or that there is no memory.
    pub fn in_memory(identity: &BankIdentity, rows: &[f32]) -> Result<Arc<Self>, BankError> {
        let path = PathBuf::from("(in memory)");
        let identity = BankIdentity {
            rows: rows.len() / identity.dims.max(1),
            ..identity.clone()
        };
        let layout = Layout::new(&identity, 0)?;
        let encoded = encode::encode(&path, &layout, rows)?;
        #[allow(clippy::cast_possible_truncation)] // the layout's length fits
        let (len, start) = (layout.end as usize, layout.rows as usize);
        let mut map = MmapOptions::new()
            .len(len)
            .map_anon()
            .map_err(BankError::io(&path, "make room for"))?;
        map[start..start + encoded.len()].copy_from_slice(&encoded);
        Ok(Arc::new(Self {
            path,
            file: None,
            map: map.into(),
            layout,
            published: AtomicUsize::new(identity.rows),
            identity,
        }))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose rows it holds.
    #[must_use]
    pub fn identity(&self) -> &BankIdentity {
        &self.identity
    }

    /// Values in a row.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.layout.dims
    }

    /// Rows that count now. Never less later.
    #[must_use]
    pub fn len(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// Whether no row counts yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the whole bank.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.layout.capacity
    }

    /// Whether every row is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.len() == self.capacity()
    }

    /// The vector of a row, of length one; `None` if it does not count (yet).
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&[bf16]> {
        let bits = self.raw();
        let start = row.checked_mul(self.stride())?;
        Some(bits.get(start..start + self.dims())?.reinterpret_cast())
    }

    /// Values from one row to the next in [`TermBank::raw`], a multiple of 32; those behind a row's
    /// own are zero.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.layout.stride / 2
    }

    /// The bits of all rows that count, as they lie there, aligned to 64 bytes.
    #[must_use]
    pub fn raw(&self) -> &[u16] {
        let len = self.len() * self.stride();
        // SAFETY: `len` values from there on lie within the map, which is as long as the layout says
        // and lives as long as `self`; pages and rows are aligned, and each bit pattern is a `u16`.
        // Nobody changes rows that count: writers of this program append behind them (what they
        // wrote happens before the count that was loaded above), or put another file in this one's
        // place. Should somebody cut the file short, reading is a bus error: `check` is the guard
        // that scans have.
        unsafe { std::slice::from_raw_parts(self.rows_pointer().cast(), len) }
    }

    /// Notices a file that was cut short since it was opened, which would end the process at the
    /// next read of a row. One system call.
    ///
    /// # Errors
    /// [`BankError::Truncated`], or what the system says.
    pub fn check(&self) -> Result<(), BankError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let found = file
            .metadata()
            .map_err(BankError::io(&self.path, "look at"))?
            .len();
        if found < self.layout.end {
            return Err(BankError::Truncated {
                path: self.path.clone(),
                found,
                expected: self.layout.end,
            });
        }
        Ok(())
    }

    /// Reads all rows that count when it begins and compares them with their checksums: a few dozen
    /// milliseconds for 100 MB in memory, so it is for the background. True if it came to the end,
    /// false if `stop` was set.
    ///
    /// # Errors
    /// [`BankError::Corrupt`] with the rows that are damaged, [`BankError::Truncated`], or what the
    /// system says.
    pub fn verify(&self, stop: &AtomicBool) -> Result<bool, BankError> {
        let Some(file) = &self.file else {
            return Ok(true);
        };
        let found = header::read(file, &self.path, Some(&self.identity))?;
        for entry in &found.entries {
            match self.is_sound(entry, stop)? {
                Some(true) => {}
                None => return Ok(false),
                Some(false) => {
                    return Err(BankError::corrupt(
                        &self.path,
                        format!(
                            "rows {} to {} are not what was written",
                            entry.first,
                            entry.first + entry.rows - 1
                        ),
                    ));
                }
            }
        }
        Ok(true)
    }

    /// Whether a chunk is what was written; `None` if told to stop.
    fn is_sound(&self, entry: &Entry, stop: &AtomicBool) -> Result<Option<bool>, BankError> {
        let (keys, rows) = self.chunk(entry);
        let mut sum = blake3::Hasher::new();
        for piece in keys.chunks(VERIFY_PIECE).chain(rows.chunks(VERIFY_PIECE)) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.check()?;
            sum.update(piece);
        }
        Ok(Some(sum.finalize() == entry.sum))
    }

    /// The keys and rows of a chunk that a header of this file counts, as they lie there.
    fn chunk(&self, entry: &Entry) -> (&[u8], &[u8]) {
        // At most the capacity, as the reader of the table has checked.
        #[allow(clippy::cast_possible_truncation)]
        let (first, rows) = (entry.first as usize, entry.rows as usize);
        assert!(first + rows <= self.layout.capacity, "a checked entry");
        #[allow(clippy::cast_possible_truncation)] // the file's length fits
        let key_at = self.layout.key_at(first) as usize;
        // SAFETY: both lie within the map, as the layout has room for `capacity` keys and rows;
        // bytes need no alignment. What a header counts does not change (see `raw`).
        unsafe {
            (
                std::slice::from_raw_parts(self.map.as_ptr().add(key_at), rows * KEY),
                std::slice::from_raw_parts(
                    self.rows_pointer().add(first * self.layout.stride),
                    rows * self.layout.stride,
                ),
            )
        }
    }

    /// The text keys of all rows that count.
    fn keys(&self) -> impl Iterator<Item = u64> {
        #[allow(clippy::cast_possible_truncation)] // the file's length fits
        let start = self.layout.keys as usize;
        // SAFETY: as in `chunk`: there is room for a key of each row.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(start), self.len() * KEY) };
        let (keys, _) = bytes.as_chunks::<KEY>();
        keys.iter().map(|key| u64::from_ne_bytes(*key))
    }

    fn rows_pointer(&self) -> *const u8 {
        #[allow(clippy::cast_possible_truncation)] // the file's length fits
        let start = self.layout.rows as usize;
        // SAFETY: the layout's rows begin within the file, all of which is mapped.
        unsafe { self.map.as_ptr().add(start) }
    }
}

fn open_file(path: &Path) -> Result<File, BankError> {
    File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => BankError::Missing {
            path: path.to_path_buf(),
        },
        _ => BankError::io(path, "open")(e),
    })
}
