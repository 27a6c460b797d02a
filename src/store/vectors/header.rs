//! The first page of a vector file: whose vectors these are and how many of them count.
//!
//! The header is written last, after the rows it counts have reached the disk, so that a crash
//! leaves the old count. It fits in one sector; a torn one fails its checksum.

/// Bytes before the first row: one page, so that rows are aligned for SIMD loads.
pub(super) const HEADER: usize = 4096;
/// Bytes of the page that mean something.
pub(super) const USED: usize = 144;

const MAGIC: [u8; 8] = *b"photonVF";
const VERSION: u32 = 1;
/// Reads differently on a machine of the other byte order.
const ORDER: u32 = 0x0102_0304;
/// Where the checksum lies: behind all it covers.
const SUM: usize = USED - 32;
/// Bytes of a row that are not vector: the photo and when it was superseded.
const ROW_TAIL: usize = 16;
/// A cache line; the vector of each row starts on one.
const LINE: usize = 64;

/// Whose vectors a file holds. All of it must fit, or the file is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// The database's own random identity.
    pub(super) identity: [u8; 16],
    /// BLAKE3 of the model's name and revision.
    pub(super) model: [u8; 32],
    /// Values in a vector.
    pub(super) dims: usize,
}

impl Owner {
    /// Bytes from one row to the next.
    pub(super) fn stride(&self) -> usize {
        (self.dims * 2 + ROW_TAIL).next_multiple_of(LINE)
    }
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Rows that count.
    pub(super) count: u64,
    /// Rows among them that a later one of the same photo supersedes.
    pub(super) superseded: u64,
    /// Highest sequence number seen in the database, whether or not its row was taken.
    pub(super) seq: i64,
    /// Highest photo id among the rows: what lies above it is new for certain.
    pub(super) max_photo: i64,
}

impl Progress {
    /// Of a file without rows.
    pub(super) const EMPTY: Self = Self {
        count: 0,
        superseded: 0,
        seq: 0,
        max_photo: i64::MIN,
    };
}

/// The bytes of a header.
pub(super) fn write(owner: &Owner, progress: &Progress) -> [u8; USED] {
    let mut bytes = [0; USED];
    let mut at = 0;
    let mut put = |field: &[u8]| {
        bytes[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    };
    put(&MAGIC);
    put(&VERSION.to_ne_bytes());
    put(&ORDER.to_ne_bytes());
    put(&owner.identity);
    put(&owner.model);
    put(&(owner.dims as u64).to_ne_bytes());
    put(&(owner.stride() as u64).to_ne_bytes());
    put(&progress.count.to_ne_bytes());
    put(&progress.superseded.to_ne_bytes());
    put(&progress.seq.to_ne_bytes());
    put(&progress.max_photo.to_ne_bytes());
    debug_assert_eq!(at, SUM);
    let sum = blake3::hash(&bytes[..SUM]);
    bytes[SUM..].copy_from_slice(sum.as_bytes());
    bytes
}

/// Reads a header that `owner` expects; otherwise says what is wrong with it.
pub(super) fn read(bytes: &[u8; USED], owner: &Owner) -> Result<Progress, &'static str> {
    if bytes[..8] != MAGIC {
        return Err("it is no vector file");
    }
    if blake3::hash(&bytes[..SUM]).as_bytes() != &bytes[SUM..] {
        return Err("its header is damaged");
    }
    let long = |at: usize| {
        let mut field = [0; 8];
        field.copy_from_slice(&bytes[at..at + 8]);
        field
    };
    let progress = Progress {
        count: u64::from_ne_bytes(long(80)),
        superseded: u64::from_ne_bytes(long(88)),
        seq: i64::from_ne_bytes(long(96)),
        max_photo: i64::from_ne_bytes(long(104)),
    };
    // Everything that is not progress must be what this program would write here and now.
    let expected = write(owner, &progress);
    if bytes[8..16] != expected[8..16] {
        return Err("another version or machine wrote it");
    }
    if bytes[16..32] != expected[16..32] {
        return Err("it belongs to another index");
    }
    if bytes[..SUM] != expected[..SUM] {
        return Err("it belongs to another model");
    }
    if progress.superseded > progress.count {
        return Err("its counts contradict each other");
    }
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        identity: [7; 16],
        model: [9; 32],
        dims: 768,
    };

    #[test]
    fn a_row_is_whole_cache_lines() {
        for dims in 1..2000 {
            let stride = Owner { dims, ..OWNER }.stride();
            assert!(stride.is_multiple_of(64) && stride >= dims * 2 + 16 && stride < dims * 2 + 80);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let progress = Progress {
            count: 5,
            superseded: 1,
            seq: 9,
            max_photo: 4,
        };
        let good = write(&OWNER, &progress);
        assert_eq!(read(&good, &OWNER), Ok(progress));
        for bit in 0..USED * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad, &OWNER).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn other_owners_are_refused() {
        let good = write(&OWNER, &Progress::EMPTY);
        for other in [
            Owner {
                identity: [8; 16],
                ..OWNER
            },
            Owner {
                model: [8; 32],
                ..OWNER
            },
            Owner { dims: 769, ..OWNER },
            // The same stride, but not the same model.
            Owner { dims: 767, ..OWNER },
        ] {
            assert!(read(&good, &other).is_err(), "{other:?}");
        }
    }
}
