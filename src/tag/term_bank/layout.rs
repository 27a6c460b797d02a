//! Where things lie in a bank file, a function of its identity alone.
//!
//! ```text
//! page 0      header slot A
//! page 1      header slot B
//! page 2 …    identity, readable (JSON)
//! then, each from a page on, sized for the whole bank and sparse until written:
//!   chunk table   one entry a chunk: first row, rows, BLAKE3 of its keys and rows
//!   text keys     8 bytes a row
//!   rows          bf16, each padded with zeros to whole cache lines
//! ```

use super::error::BankError;
use super::identity::BankIdentity;

/// Header slots and regions begin on pages, so that rows are aligned and a torn page hits one slot.
pub(super) const PAGE: u64 = 4096;
/// Where the identity begins.
pub(super) const TEXT: u64 = 2 * PAGE;
/// Longer identities are refused: templates and names are a few hundred bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// Bytes of a chunk's entry.
pub(super) const ENTRY: usize = 48;
/// Bytes of a text key.
pub(super) const KEY: usize = 8;
/// A cache line and an AVX-512 register: each row starts on one and is a multiple of it.
pub(super) const LINE: usize = 64;
/// More values no model has; keeps all sums below far from overflow.
const MAX_DIMS: usize = 1 << 16;

/// Offsets and sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) dims: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    /// Rows it has room for.
    pub(super) capacity: usize,
    pub(super) table: u64,
    pub(super) keys: u64,
    pub(super) rows: u64,
    /// Length of the file.
    pub(super) end: u64,
}

impl Layout {
    /// For an identity whose text is `text_len` bytes long.
    pub(super) fn new(identity: &BankIdentity, text_len: usize) -> Result<Self, BankError> {
        let &BankIdentity { dims, rows, .. } = identity;
        let sound = (1..=MAX_DIMS).contains(&dims)
            && (1..=u32::MAX as usize).contains(&rows)
            && text_len <= MAX_TEXT;
        let stride = (dims.min(MAX_DIMS) * 2).next_multiple_of(LINE);
        let page = |bytes: u64| bytes.next_multiple_of(PAGE);
        let (count, table) = (rows as u64, TEXT + page(text_len as u64));
        let keys = table + page(count.min(u64::from(u32::MAX)) * ENTRY as u64);
        let first = keys + page(count.min(u64::from(u32::MAX)) * KEY as u64);
        let end = first + page(count.min(u64::from(u32::MAX)) * stride as u64);
        if !sound || isize::try_from(end).is_err() {
            return Err(BankError::Impossible { rows, dims });
        }
        Ok(Self {
            dims,
            stride,
            capacity: rows,
            table,
            keys,
            rows: first,
            end,
        })
    }

    pub(super) fn row_at(&self, row: usize) -> u64 {
        self.rows + row as u64 * self.stride as u64
    }

    pub(super) fn key_at(&self, row: usize) -> u64 {
        self.keys + (row * KEY) as u64
    }

    pub(super) fn entry_at(&self, chunk: u64) -> u64 {
        self.table + chunk * ENTRY as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(dims: usize, rows: usize) -> BankIdentity {
        BankIdentity {
            model: "a/model@1".to_owned(),
            texts: "a photo of {}".to_owned(),
            vocabulary: "0123".to_owned(),
            tokenizer: "4567".to_owned(),
            dims,
            rows,
        }
    }

    #[test]
    fn rows_are_aligned_and_regions_do_not_meet() {
        for dims in [1, 31, 32, 33, 384, 767, 768, 1152] {
            for rows in [1, 2, 255, 68_000] {
                let layout = Layout::new(&identity(dims, rows), 300).unwrap();
                assert!(layout.stride.is_multiple_of(LINE) && layout.stride >= dims * 2);
                assert!(layout.stride < dims * 2 + LINE);
                assert!(layout.rows.is_multiple_of(PAGE) && layout.end.is_multiple_of(PAGE));
                assert!(layout.table >= TEXT + 300);
                assert!(layout.entry_at(rows as u64) <= layout.keys);
                assert!(layout.key_at(rows) <= layout.rows);
                assert!(layout.row_at(rows) <= layout.end);
            }
        }
    }

    #[test]
    fn sizes_that_no_bank_has_are_refused() {
        for (dims, rows) in [
            (0, 1),
            (1, 0),
            (MAX_DIMS + 1, 1),
            (usize::MAX, 1),
            (1, usize::MAX),
            (usize::MAX, usize::MAX),
        ] {
            assert!(matches!(
                Layout::new(&identity(dims, rows), 300),
                Err(BankError::Impossible { .. })
            ));
        }
        assert!(Layout::new(&identity(8, 8), MAX_TEXT + 1).is_err());
    }
}
