//! TIFF directories (IFDs): lists of 12-byte entries, each a tag, a type, a count and a value or its offset.
//!
//! Layout: TIFF 6.0, section 2.

use super::bytes::{Order, available, size, slice};

/// Directories one file may have. Real files stay below twenty.
const MAX_DIRECTORIES: usize = 64;
/// Entries of all directories together. Real files stay below a thousand.
const MAX_ENTRIES: usize = 4096;

/// What may still be read of one file, and which directories were, so that no loop is followed.
#[derive(Debug)]
pub(super) struct Budget {
    entries: usize,
    seen: Vec<usize>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            entries: MAX_ENTRIES,
            seen: Vec::new(),
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) tag: u16,
    /// TIFF's field type, 1 to 13.
    pub(super) kind: u16,
    pub(super) count: u32,
    /// Where the value starts in the file; it may lie outside.
    pub(super) at: usize,
    /// Bytes of the value as declared.
    pub(super) len: usize,
}

/// The entries of one directory, and the offset of the next in the chain (0: none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) entries: Vec<Entry>,
    pub(super) next: u32,
}

/// Bytes of one value of field type `kind`; TIFF 6.0 types 1 to 12 and 13 (IFD) of TIFF technical note 1.
pub(super) fn unit(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

/// A TIFF structure inside a file: offsets count from `base`.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// The whole file.
    pub(super) bytes: &'a [u8],
    pub(super) base: usize,
    pub(super) order: Order,
}

impl<'a> View<'a> {
    /// The structure whose 8-byte header is at `base`, and the offset of its first directory. The
    /// header's magic number is not checked: camera makers have their own.
    pub(super) fn open(bytes: &'a [u8], base: usize) -> Option<(Self, u32)> {
        let order = Order::from_mark(slice(bytes, base, 2)?)?;
        let first = order.u32(bytes, base.checked_add(4)?)?;
        let view = Self { bytes, base, order };
        Some((view, first))
    }

    /// The directory at `offset`. Entries cut off by the end of the file or of an unknown type are
    /// left out; `None` if there is no entry, or the budget is used up, or it was read before.
    pub(super) fn directory(&self, offset: u32, budget: &mut Budget) -> Option<Directory> {
        let start = self.base.checked_add(size(offset))?;
        let count = usize::from(self.order.u16(self.bytes, start)?);
        if count == 0 || budget.seen.len() >= MAX_DIRECTORIES || budget.seen.contains(&start) {
            return None;
        }
        budget.seen.push(start);
        let first = start.checked_add(2)?;
        let taken = count.min(budget.entries);
        budget.entries -= taken;
        let entries: Vec<Entry> = available(self.bytes, first, taken * 12)
            .as_chunks::<12>()
            .0
            .iter()
            .enumerate()
            .filter_map(|(i, raw)| self.entry(raw, first + i * 12))
            .collect();
        let next = first
            .checked_add(count * 12)
            .and_then(|at| self.order.u32(self.bytes, at))
            .unwrap_or(0);
        (!entries.is_empty()).then_some(Directory { entries, next })
    }

    fn entry(&self, raw: &[u8; 12], at: usize) -> Option<Entry> {
        let kind = self.order.u16(raw, 2)?;
        let count = self.order.u32(raw, 4)?;
        let len = unit(kind)?.saturating_mul(size(count));
        let at = if len <= 4 {
            at + 8
        } else {
            self.base.checked_add(size(self.order.u32(raw, 8)?))?
        };
        Some(Entry {
            tag: self.order.u16(raw, 0)?,
            kind,
            count,
            at,
            len,
        })
    }

    /// The bytes of a value, if all of them are there.
    pub(super) fn value(&self, entry: &Entry) -> Option<&'a [u8]> {
        slice(self.bytes, entry.at, entry.len)
    }

    /// The whole number at `index` of a BYTE, SHORT, LONG or IFD value.
    pub(super) fn number(&self, entry: &Entry, index: usize) -> Option<u32> {
        if index >= size(entry.count) {
            return None;
        }
        let at = |unit: usize| entry.at.checked_add(index.checked_mul(unit)?);
        match entry.kind {
            1 => self.bytes.get(at(1)?).copied().map(u32::from),
            3 => self.order.u16(self.bytes, at(2)?).map(u32::from),
            4 | 13 => self.order.u32(self.bytes, at(4)?),
            _ => None,
        }
    }

    /// The number at `index` of a RATIONAL value or of one that [`Self::number`] reads.
    pub(super) fn real(&self, entry: &Entry, index: usize) -> Option<f64> {
        if entry.kind != 5 {
            return self.number(entry, index).map(f64::from);
        }
        if index >= size(entry.count) {
            return None;
        }
        let at = entry.at.checked_add(index.checked_mul(8)?)?;
        let over = f64::from(self.order.u32(self.bytes, at)?);
        let under = f64::from(self.order.u32(self.bytes, at.checked_add(4)?)?);
        (under > 0.0).then_some(over / under)
    }
}

impl Directory {
    pub(super) fn get(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|e| e.tag == tag)
    }
}
