//! Floor 1: rows of numbers in a file that is written once and never changed, and the scan that
//! sets vectors against them.
//!
//! The one format for everything that vectors are compared with: the terms of a vocabulary and the
//! photos of a search index. A [`Matrix`] is one piece; whoever has more rows makes another piece, and
//! a list of pieces is what is scanned. Rows have length one and are bf16: of each value 8 bits
//! count, so a cosine is off by some 1e-3, and a scan reads half of what f32 would take.
//!
//! Promises: a piece that is there is whole (it got its name after it was synced); one that is
//! damaged, of another identity, version or byte order is refused, never trusted; results do not
//! depend on the number of threads or on how rows are divided into pieces. Never: changes a file
//! that has its name, or reads one into memory: it is mapped.
//!
//! Cost: opening reads a page and eight bytes a row; a scan reads each row once from memory, checks it
//! if it is the first to read it (BLAKE3, some 5 GB/s a processor), and of several query vectors a
//! block of rows is compared with all before the next is read.

mod file;
mod kernel;
mod layout;
mod scan;
mod topk;
mod write;

pub use file::{Matrix, MatrixError};
pub use scan::{Piece, Scan, ScanError, Scanned};
pub use topk::{Scored, TopK};
pub use write::MatrixWriter;

/// The identity of a matrix: a hash of whatever its rows depend on.
pub fn identity(parts: &[impl AsRef<[u8]>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        let part = part.as_ref();
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}
