//! The header: whose rows these are and how many of them count.
//!
//! It stands twice, and a writer only ever writes over the older one, after the rows it counts have
//! reached the disk. A torn header fails its checksum, and the other one still counts what it did.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::BankError;
use super::identity::BankIdentity;
use super::layout::{ENTRY, Layout, MAX_TEXT, PAGE, TEXT};

/// Bytes of a slot that mean something: less than a sector.
pub(super) const USED: usize = 168;

const MAGIC: [u8; 8] = *b"photonTB";
const VERSION: u32 = 1;
/// Reads differently on a machine of the other byte order.
const ORDER: u32 = 0x0102_0304;
/// Where the checksum lies: behind all it covers.
const SUM: usize = USED - 32;

/// What one slot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// BLAKE3 of the identity's text.
    pub(super) identity: [u8; 32],
    pub(super) text_len: u64,
    /// Higher in the newer slot.
    pub(super) generation: u64,
    /// Rows that count.
    pub(super) rows: u64,
    /// Chunks they came in.
    pub(super) chunks: u64,
    /// BLAKE3 of the table's entries.
    pub(super) table: [u8; 32],
}

/// Why a slot says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoMagic,
    OtherVersion,
    Damaged,
}

impl Slot {
    pub(super) fn write(&self, layout: &Layout) -> [u8; USED] {
        let mut bytes = [0; USED];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&MAGIC);
        put(&VERSION.to_ne_bytes());
        put(&ORDER.to_ne_bytes());
        put(&self.identity);
        put(&self.text_len.to_ne_bytes());
        put(&(layout.dims as u64).to_ne_bytes());
        put(&(layout.stride as u64).to_ne_bytes());
        put(&(layout.capacity as u64).to_ne_bytes());
        put(&self.generation.to_ne_bytes());
        put(&self.rows.to_ne_bytes());
        put(&self.chunks.to_ne_bytes());
        put(&self.table);
        debug_assert_eq!(at, SUM);
        let sum = blake3::hash(&bytes[..SUM]);
        bytes[SUM..].copy_from_slice(sum.as_bytes());
        bytes
    }

    fn read(bytes: &[u8; USED]) -> Result<Self, Fault> {
        if bytes[..8] != MAGIC {
            return Err(Fault::NoMagic);
        }
        if bytes[8..12] != VERSION.to_ne_bytes() || bytes[12..16] != ORDER.to_ne_bytes() {
            return Err(Fault::OtherVersion);
        }
        if blake3::hash(&bytes[..SUM]).as_bytes() != &bytes[SUM..] {
            return Err(Fault::Damaged);
        }
        Ok(Self {
            identity: field(bytes, 16),
            text_len: u64::from_ne_bytes(field(bytes, 48)),
            generation: u64::from_ne_bytes(field(bytes, 80)),
            rows: u64::from_ne_bytes(field(bytes, 88)),
            chunks: u64::from_ne_bytes(field(bytes, 96)),
            table: field(bytes, 104),
        })
    }
}

/// One chunk's entry in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: u64,
    pub(super) rows: u64,
    /// BLAKE3 of its keys, then its rows, as they lie in the file.
    pub(super) sum: [u8; 32],
}

impl Entry {
    pub(super) fn write(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.first.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.rows.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.sum);
        bytes
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            first: u64::from_ne_bytes(field(bytes, 0)),
            rows: u64::from_ne_bytes(field(bytes, 8)),
            sum: field(bytes, 16),
        }
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

/// What a file says of itself, all of it checked but the rows.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) identity: BankIdentity,
    pub(super) layout: Layout,
    pub(super) slot: Slot,
    /// Which of the two slots it is: 0 or 1.
    pub(super) which: usize,
    pub(super) entries: Vec<Entry>,
}

/// Reads the newest header that is whole, with its table. With `wanted`, a sound file of another
/// identity is [`BankError::Stale`].
pub(super) fn read(
    file: &File,
    path: &Path,
    wanted: Option<&BankIdentity>,
) -> Result<Found, BankError> {
    let found = file
        .metadata()
        .map_err(BankError::io(path, "look at"))?
        .len();
    let truncated = |expected| BankError::Truncated {
        path: path.to_path_buf(),
        found,
        expected,
    };
    let slots = [slot(file, path, 0)?, slot(file, path, 1)?];
    let mut sound: Vec<(Slot, usize)> = slots
        .iter()
        .enumerate()
        .filter_map(|(which, slot)| Some((slot.ok()?, which)))
        .collect();
    sound.sort_by_key(|(slot, _)| std::cmp::Reverse(slot.generation));
    let Some((newest, _)) = sound.first() else {
        let any = |fault| slots.contains(&Err(fault));
        return Err(if any(Fault::Damaged) {
            BankError::corrupt(path, "both of its headers are damaged")
        } else if any(Fault::OtherVersion) {
            BankError::Stale {
                path: path.to_path_buf(),
                reason: "another version of photond or another kind of machine wrote it".to_owned(),
            }
        } else if found < USED as u64 && begins_like_one(file, path, found)? {
            truncated(TEXT)
        } else {
            BankError::Foreign {
                path: path.to_path_buf(),
            }
        });
    };
    let identity = identity(file, path, newest).map_err(|e| match e {
        BankError::Truncated { expected, .. } => truncated(expected),
        other => other,
    })?;
    if let Some(reason) = wanted.and_then(|wanted| identity.differs(wanted)) {
        return Err(BankError::Stale {
            path: path.to_path_buf(),
            reason,
        });
    }
    let text_len = usize::try_from(newest.text_len).unwrap_or(usize::MAX);
    let layout = Layout::new(&identity, text_len)
        .map_err(|_| BankError::corrupt(path, "its sizes contradict each other"))?;
    if found < layout.end {
        return Err(truncated(layout.end));
    }
    let mut reason = "its table is damaged";
    for (slot, which) in sound {
        match table(file, path, &layout, &slot)? {
            Ok(entries) => {
                return Ok(Found {
                    identity,
                    layout,
                    slot,
                    which,
                    entries,
                });
            }
            Err(why) => reason = why,
        }
    }
    Err(BankError::corrupt(path, reason))
}

/// Whether the few bytes there are could be the first of a bank; so could none.
fn begins_like_one(file: &File, path: &Path, len: u64) -> Result<bool, BankError> {
    let mut bytes = [0; MAGIC.len()];
    let some = &mut bytes[..MAGIC.len().min(usize::try_from(len).unwrap_or(usize::MAX))];
    file.read_exact_at(some, 0)
        .map_err(BankError::io(path, "read"))?;
    Ok(MAGIC.starts_with(some))
}

fn slot(file: &File, path: &Path, which: u64) -> Result<Result<Slot, Fault>, BankError> {
    let mut bytes = [0; USED];
    match file.read_exact_at(&mut bytes, which * PAGE) {
        Ok(()) => Ok(Slot::read(&bytes)),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(Err(Fault::NoMagic)),
        Err(e) => Err(BankError::io(path, "read")(e)),
    }
}

fn identity(file: &File, path: &Path, slot: &Slot) -> Result<BankIdentity, BankError> {
    let damaged = || BankError::corrupt(path, "its identity is damaged");
    let len = usize::try_from(slot.text_len)
        .ok()
        .filter(|len| *len <= MAX_TEXT)
        .ok_or_else(damaged)?;
    let mut text = vec![0; len];
    file.read_exact_at(&mut text, TEXT)
        .map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => BankError::Truncated {
                path: path.to_path_buf(),
                found: 0,
                expected: TEXT + slot.text_len,
            },
            _ => BankError::io(path, "read")(e),
        })?;
    if blake3::hash(&text).as_bytes() != &slot.identity {
        return Err(damaged());
    }
    serde_json::from_slice(&text).map_err(|_| damaged())
}

/// The entries of the chunks that a slot counts, or why they cannot be those.
fn table(
    file: &File,
    path: &Path,
    layout: &Layout,
    slot: &Slot,
) -> Result<Result<Vec<Entry>, &'static str>, BankError> {
    let capacity = layout.capacity as u64;
    if slot.rows > capacity || slot.chunks > capacity {
        return Ok(Err("it counts more rows than it has room for"));
    }
    #[allow(clippy::cast_possible_truncation)] // at most `capacity`, a usize
    let mut bytes = vec![0; slot.chunks as usize * ENTRY];
    file.read_exact_at(&mut bytes, layout.table)
        .map_err(BankError::io(path, "read"))?;
    if blake3::hash(&bytes).as_bytes() != &slot.table {
        return Ok(Err("its table is damaged"));
    }
    let entries: Vec<Entry> = bytes.chunks_exact(ENTRY).map(Entry::read).collect();
    let mut next = 0u64;
    for entry in &entries {
        if entry.first != next || entry.rows == 0 || entry.rows > capacity {
            return Ok(Err("its table contradicts itself"));
        }
        next += entry.rows;
    }
    Ok(if next == slot.rows {
        Ok(entries)
    } else {
        Err("its table contradicts its header")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_slot_is_noticed() {
        let identity = BankIdentity {
            model: "m".to_owned(),
            texts: "t".to_owned(),
            vocabulary: "v".to_owned(),
            tokenizer: "k".to_owned(),
            dims: 5,
            rows: 9,
        };
        let layout = Layout::new(&identity, 80).unwrap();
        let slot = Slot {
            identity: [3; 32],
            text_len: 80,
            generation: 7,
            rows: 4,
            chunks: 2,
            table: [9; 32],
        };
        let good = slot.write(&layout);
        assert_eq!(Slot::read(&good), Ok(slot));
        for bit in 0..USED * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Slot::read(&bad).is_err(), "bit {bit}");
        }
    }
}
