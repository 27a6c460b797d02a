//! Making a bank and adding to it, in steps each of which may be the last.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use half::bf16;

use super::disk::Disk;
use super::encode::{Encoded, look_at};
use super::error::BankError;
use super::header::{self, Entry, Slot};
use super::identity::BankIdentity;
use super::known::{self, Known};
use super::layout::{Layout, PAGE};
use super::lock::Lock;
use super::make::{create, move_aside, room_for};
use super::{TermBank, open_file};

/// Rows are converted, hashed and written in pieces of about this size, which bounds the memory.
const PIECE_BYTES: usize = 256 << 10;
/// What a writer found.
#[derive(Debug)]
pub enum Began {
    /// Nothing: a new bank.
    New,
    /// A bank with this many rows, which is gone on with.
    Resumed(usize),
    /// A file that is of no use and was replaced by an empty bank.
    Rebuilt(BankError),
}

/// The right to add to one bank, for as long as it lives.
#[derive(Debug)]
pub struct BankWriter {
    bank: Arc<TermBank>,
    pub(super) disk: Disk,
    slot: Slot,
    /// Which header slot holds `slot`: the next goes into the other.
    which: usize,
    /// Over the table's entries so far.
    table: blake3::Hasher,
    known: Option<Known>,
    /// After an error while a header was written.
    interrupted: bool,
    _lock: Lock,
}

impl BankWriter {
    /// Takes the right to write the bank at `path`, without waiting, and goes on with what is there
    /// or makes it anew. The bank returned shows every row as soon as it is published.
    ///
    /// A stale bank of the same encoder is kept beside the new one until that is whole, for
    /// [`BankWriter::known`]. Another program's file is moved aside (`.aside`); a damaged bank is
    /// replaced.
    ///
    /// # Errors
    /// [`BankError::InUse`], [`BankError::NoSpace`] if the rows still to come do not fit on the disk,
    /// [`BankError::Impossible`], or what the system says.
    pub fn open(
        path: &Path,
        identity: &BankIdentity,
    ) -> Result<(Self, Arc<TermBank>, Began), BankError> {
        let lock = Lock::take(path)?;
        match Self::resume(path, identity) {
            Ok(found) => {
                let rows = usize::try_from(found.slot.rows).unwrap_or(usize::MAX);
                Self::begin(path, identity, lock, Began::Resumed(rows))
            }
            Err(BankError::Missing { .. }) => {
                create(path, identity)?;
                Self::begin(path, identity, lock, Began::New)
            }
            Err(reason) if reason.is_unusable() => {
                tracing::info!("{reason}");
                // Checked before the old file goes.
                room_for(path, &Layout::new(identity, identity.text().len())?, 0)?;
                match &reason {
                    BankError::Foreign { .. } => move_aside(path)?,
                    BankError::Stale { .. } => known::put_by(path, identity)?,
                    _ => {}
                }
                create(path, identity)?;
                Self::begin(path, identity, lock, Began::Rebuilt(reason))
            }
            Err(other) => Err(other),
        }
    }

    /// Makes the bank anew from those of its chunks that are what was written, up to the first that
    /// is not: for after [`TermBank::verify`] has found damage. Readers of the damaged file keep it
    /// until they open the new one.
    ///
    /// # Errors
    /// As [`BankWriter::open`].
    pub fn repair(
        path: &Path,
        identity: &BankIdentity,
    ) -> Result<(Self, Arc<TermBank>, Began), BankError> {
        let lock = Lock::take(path)?;
        let found = match Self::resume(path, identity) {
            Ok(found) => found,
            Err(reason) if reason.is_unusable() => {
                drop(lock);
                return Self::open(path, identity);
            }
            Err(other) => return Err(other),
        };
        let damaged = TermBank::map(path, open_file(path)?, &found)?;
        create(path, identity)?;
        let reason = BankError::corrupt(path, "its content is not what was written");
        let (mut writer, bank, began) = Self::begin(path, identity, lock, Began::Rebuilt(reason))?;
        let never = AtomicBool::new(false);
        for entry in &found.entries {
            if damaged.is_sound(entry, &never)? != Some(true) {
                break;
            }
            let (keys, rows) = damaged.chunk(entry);
            let at = writer.bank.layout;
            let first = bank.len();
            writer.write(keys, at.key_at(first))?;
            writer.write(rows, at.row_at(first))?;
            writer.commit(*entry)?;
        }
        Ok((writer, bank, began))
    }

    fn resume(path: &Path, identity: &BankIdentity) -> Result<header::Found, BankError> {
        header::read(&open_file(path)?, path, Some(identity))
    }

    /// With a sound bank at `path`.
    fn begin(
        path: &Path,
        identity: &BankIdentity,
        lock: Lock,
        began: Began,
    ) -> Result<(Self, Arc<TermBank>, Began), BankError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(BankError::io(path, "open"))?;
        let found = header::read(&file, path, Some(identity))?;
        room_for(path, &found.layout, found.slot.rows)?;
        let bank = TermBank::map(path, open_file(path)?, &found)?;
        let mut table = blake3::Hasher::new();
        for entry in &found.entries {
            table.update(&entry.write());
        }
        let writer = Self {
            known: (!bank.is_whole())
                .then(|| Known::open(path, identity))
                .flatten(),
            bank: Arc::clone(&bank),
            disk: Disk::new(file),
            slot: found.slot,
            which: found.which,
            table,
            interrupted: false,
            _lock: lock,
        };
        writer.forget_former();
        Ok((writer, bank, began))
    }

    /// The bank as readers see it.
    #[must_use]
    pub fn bank(&self) -> &Arc<TermBank> {
        &self.bank
    }

    /// The vector that the former bank of the same encoder has for a text, if it has one (see
    /// [`super::text_key`]); stored again, it keeps its bits.
    #[must_use]
    pub fn known(&self, key: u64) -> Option<&[bf16]> {
        self.known.as_ref()?.row(key)
    }

    /// Adds rows behind those there are, all or none, and publishes them: `rows` is whole vectors
    /// one after the other, which are scaled to length one. Returns how many rows count now.
    ///
    /// # Errors
    /// [`BankError::Dims`], [`BankError::BadRow`], [`BankError::Full`],
    /// [`BankError::Interrupted`], or what the system says. Nothing that counted before is lost, and
    /// after a full disk the same may be tried again.
    pub fn append(&mut self, rows: &[f32]) -> Result<usize, BankError> {
        self.append_keyed(rows, &[])
    }

    /// The same with the key of each row's text, so that a later bank can take the rows over. No keys
    /// at all are as good as [`BankWriter::append`].
    ///
    /// # Errors
    /// As [`BankWriter::append`], and [`BankError::Keys`].
    pub fn append_keyed(&mut self, rows: &[f32], keys: &[u64]) -> Result<usize, BankError> {
        let layout = self.bank.layout;
        let (first, count) = (self.bank.len(), rows.len() / layout.dims);
        let path = || self.bank.path.clone();
        if self.interrupted {
            return Err(BankError::Interrupted { path: path() });
        }
        look_at(&self.bank.path, &layout, first, rows)?;
        if !keys.is_empty() && keys.len() != count {
            return Err(BankError::Keys {
                path: path(),
                keys: keys.len(),
                rows: count,
            });
        }
        if count > layout.capacity - first {
            return Err(BankError::Full {
                path: path(),
                rows: count,
                room: layout.capacity - first,
                capacity: layout.capacity,
            });
        }
        if count == 0 {
            return Ok(first);
        }
        let mut sum = blake3::Hasher::new();
        let bytes: Vec<u8> = if keys.is_empty() {
            vec![0; count * size_of::<u64>()]
        } else {
            keys.iter().flat_map(|key| key.to_ne_bytes()).collect()
        };
        self.write(&bytes, layout.key_at(first))?;
        sum.update(&bytes);
        drop(bytes);
        let piece = (PIECE_BYTES / layout.stride).max(1);
        let mut encoded = Encoded::new(&layout, piece);
        for (at, rows) in rows.chunks(piece * layout.dims).enumerate() {
            let bytes = encoded.fill(rows);
            self.write(bytes, layout.row_at(first + at * piece))?;
            sum.update(bytes);
        }
        self.commit(Entry {
            first: first as u64,
            rows: count as u64,
            sum: *sum.finalize().as_bytes(),
        })?;
        Ok(self.bank.len())
    }

    /// Makes a chunk count whose keys and rows are written.
    fn commit(&mut self, entry: Entry) -> Result<(), BankError> {
        let layout = self.bank.layout;
        let bytes = entry.write();
        self.write(&bytes, layout.entry_at(self.slot.chunks))?;
        self.sync()?;
        let mut table = self.table.clone();
        table.update(&bytes);
        let slot = Slot {
            generation: self.slot.generation + 1,
            rows: entry.first + entry.rows,
            chunks: self.slot.chunks + 1,
            table: *table.finalize().as_bytes(),
            ..self.slot
        };
        let which = 1 - self.which;
        // An error from here on leaves open which header the disk has, so that rows must not be
        // written again behind the old one: whoever opens the bank next reads which it is.
        self.interrupted = true;
        self.write(&slot.write(&layout), which as u64 * PAGE)?;
        self.sync()?;
        self.interrupted = false;
        (self.slot, self.which, self.table) = (slot, which, table);
        #[allow(clippy::cast_possible_truncation)] // at most the capacity
        self.bank
            .published
            .store(slot.rows as usize, Ordering::Release);
        self.forget_former();
        Ok(())
    }

    /// Removes the former bank once this one is whole.
    fn forget_former(&self) {
        if self.bank.is_whole() {
            let _ = std::fs::remove_file(known::former(&self.bank.path));
        }
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), BankError> {
        self.disk
            .write(bytes, at)
            .map_err(BankError::io(&self.bank.path, "write"))
    }

    fn sync(&self) -> Result<(), BankError> {
        self.disk
            .sync()
            .map_err(BankError::io(&self.bank.path, "write"))
    }
}
