//! One piece: opened, checked, and read. `layout` says how it lies on the disk, `write` makes one.
//!
//! Header, ids and sums are checked when it is opened, each chunk when it is first read.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use half::bf16;
use half::slice::HalfBitsSliceExt;
use memmap2::Mmap;

use super::layout::{HEADER, USED, chunk_rows, parse, push_row, stride};

/// Why a piece is of no use.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// There is no such file.
    #[error("{0} is not there")]
    Absent(PathBuf),
    /// It is something else, of something else, or not what was written.
    #[error("{path}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

enum Rows {
    Mapped {
        map: Mmap,
        path: PathBuf,
        stamp: String,
    },
    Memory {
        bits: Vec<u16>,
        ids: Vec<i64>,
    },
}

/// Rows of length one with an id each, in a mapped file or in memory.
pub struct Matrix {
    rows: Rows,
    dims: usize,
    len: usize,
    span: (i64, i64),
    highest: i64,
    digest: [u8; 32],
    /// What is known of each chunk, see [`Matrix::is_sound`].
    checked: Box<[AtomicU8]>,
}

fn stamp(metadata: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    /// Seconds; the coarsest file systems count in twos.
    const FRESH: i64 = 3;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs().cast_signed());
    if now - metadata.ctime() < FRESH {
        return String::new();
    }
    format!(
        "{} {} {}.{:09} {}.{:09}",
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

fn unchecked(chunks: usize) -> Box<[AtomicU8]> {
    (0..chunks).map(|_| AtomicU8::new(UNKNOWN)).collect()
}

const UNKNOWN: u8 = 0;
const SOUND: u8 = 1;
const DAMAGED: u8 = 2;

impl Matrix {
    /// Maps the piece at `path`, if it is one of this identity and length of rows.
    ///
    /// # Errors
    /// [`MatrixError`]; the file is left as it is.
    pub fn open(path: &Path, identity: &[u8; 32], dims: usize) -> Result<Self, MatrixError> {
        let io = |source| MatrixError::Io {
            path: path.to_path_buf(),
            source,
        };
        let unusable = |reason| MatrixError::Unusable {
            path: path.to_path_buf(),
            reason,
        };
        let file = File::open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => MatrixError::Absent(path.to_path_buf()),
            _ => io(e),
        })?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.len() < HEADER as u64 {
            return Err(unusable("it is cut short"));
        }
        // SAFETY: files of this kind are never written to after they have got their name: a writer
        // puts another file in this one's place, and the mapping keeps the old one.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let facts = parse(&map[..USED], identity, dims).map_err(unusable)?;
        let chunks = facts.len.div_ceil(chunk_rows(dims));
        let expected = facts
            .len
            .checked_mul(stride(dims) + 8)
            .and_then(|bytes| bytes.checked_add(HEADER + chunks * 32));
        if expected != Some(map.len()) {
            return Err(unusable("its size is not what its header says"));
        }
        let ids = HEADER + facts.len * stride(dims);
        if *blake3::hash(&map[ids..]).as_bytes() != facts.digest {
            return Err(unusable("its ids or checksums are damaged"));
        }
        Ok(Self {
            checked: unchecked(chunks),
            rows: Rows::Mapped {
                map,
                path: path.to_path_buf(),
                stamp: stamp(&metadata),
            },
            dims,
            len: facts.len,
            span: facts.span,
            highest: facts.highest,
            digest: facts.digest,
        })
    }

    /// Rows in memory, of those that have a direction.
    pub fn in_memory<'v>(dims: usize, rows: impl IntoIterator<Item = (i64, &'v [f32])>) -> Self {
        let (mut bits, mut ids) = (Vec::new(), Vec::new());
        for (id, values) in rows {
            if push_row(&mut bits, dims, values) {
                ids.push(id);
            }
        }
        Self {
            checked: unchecked(ids.len().div_ceil(chunk_rows(dims))),
            dims,
            len: ids.len(),
            span: (0, 0),
            highest: ids.iter().copied().max().unwrap_or(i64::MIN),
            digest: [0; 32],
            rows: Rows::Memory { bits, ids },
        }
    }

    /// Rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values in a row.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The two numbers that its maker gave it.
    pub fn span(&self) -> (i64, i64) {
        self.span
    }

    /// The highest id; `i64::MIN` without rows.
    pub fn highest(&self) -> i64 {
        self.highest
    }

    /// Says what its rows and ids are; zeros in memory.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Bytes that a scan reads.
    pub fn bytes(&self) -> usize {
        self.len * stride(self.dims)
    }

    /// Where it lies; `None`: in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.rows {
            Rows::Mapped { path, .. } => Some(path),
            Rows::Memory { .. } => None,
        }
    }

    /// Says which file it is, and when it was last changed: as long as that is the same, it need not be
    /// checked again. Empty in memory, and just after a change, when another could bear the same time.
    pub fn stamp(&self) -> &str {
        match &self.rows {
            Rows::Mapped { stamp, .. } => stamp,
            Rows::Memory { .. } => "",
        }
    }

    /// Takes all of it for sound: a check of this file, of the same stamp, said so.
    pub fn trust(&self) {
        for chunk in &self.checked {
            chunk.store(SOUND, Ordering::Relaxed);
        }
    }

    /// Whether all of it is known to be sound.
    pub fn is_checked(&self) -> bool {
        self.checked
            .iter()
            .all(|c| c.load(Ordering::Relaxed) == SOUND)
    }

    /// The row at this place.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn row(&self, at: usize) -> &[bf16] {
        let (bits, _) = self.padded(at..at + 1);
        bits[..self.dims].reinterpret_cast()
    }

    /// The bits of some rows, each with the zeros behind it, and how many that are a row.
    pub(super) fn padded(&self, rows: Range<usize>) -> (&[u16], usize) {
        let width = stride(self.dims) / 2;
        (&self.bits()[rows.start * width..rows.end * width], width)
    }

    /// The id of the row at this place.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn id(&self, at: usize) -> i64 {
        match &self.rows {
            Rows::Memory { ids, .. } => ids[at],
            Rows::Mapped { map, .. } => {
                let start = HEADER + self.bytes() + at * 8;
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&map[start..start + 8]);
                i64::from_ne_bytes(bytes)
            }
        }
    }

    /// All ids, in the order of the rows.
    pub fn ids(&self) -> impl Iterator<Item = i64> {
        (0..self.len).map(|at| self.id(at))
    }

    fn bits(&self) -> &[u16] {
        match &self.rows {
            Rows::Memory { bits, .. } => bits,
            Rows::Mapped { map, .. } => {
                // SAFETY: every bit pattern is a `u16`; the map begins on a page and the rows on
                // the next, strides are even, so nothing is cut off at either end.
                let (_, bits, _) = unsafe { map[HEADER..HEADER + self.bytes()].align_to::<u16>() };
                bits
            }
        }
    }

    /// Chunks of rows there are.
    pub fn chunks(&self) -> usize {
        self.checked.len()
    }

    /// The rows of a chunk.
    pub fn chunk(&self, number: usize) -> Range<usize> {
        let rows = chunk_rows(self.dims);
        number * rows..((number + 1) * rows).min(self.len)
    }

    /// Whether a chunk is what was written. Read and hashed the first time it is asked.
    ///
    /// # Panics
    /// If there is no such chunk.
    pub fn is_sound(&self, chunk: usize) -> bool {
        let Rows::Mapped { map, .. } = &self.rows else {
            return true;
        };
        match self.checked[chunk].load(Ordering::Relaxed) {
            SOUND => return true,
            DAMAGED => return false,
            _ => {}
        }
        let rows = self.chunk(chunk);
        let stride = stride(self.dims);
        let bytes = &map[HEADER + rows.start * stride..HEADER + rows.end * stride];
        let sums = HEADER + self.bytes() + self.len * 8;
        let sound = blake3::hash(bytes).as_bytes()[..] == map[sums + chunk * 32..][..32];
        let verdict = if sound { SOUND } else { DAMAGED };
        self.checked[chunk].store(verdict, Ordering::Relaxed);
        sound
    }

    /// Checks all of it; `Ok(false)`: a stop came first.
    ///
    /// # Errors
    /// [`MatrixError::Unusable`] if a byte is another than was written.
    pub fn verify(&self, stop: &AtomicBool) -> Result<bool, MatrixError> {
        for chunk in 0..self.chunks() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if let (false, Rows::Mapped { path, .. }) = (self.is_sound(chunk), &self.rows) {
                return Err(MatrixError::Unusable {
                    path: path.clone(),
                    reason: "its rows are not what was written",
                });
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matrix::MatrixWriter;

    const WHO: [u8; 32] = [7; 32];

    fn row(seed: usize, dims: usize) -> Vec<f32> {
        (0..dims)
            .map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0)
            .collect()
    }

    fn made(path: &Path, dims: usize, rows: usize) -> Matrix {
        let mut writer = MatrixWriter::begin(path, &WHO, dims).unwrap();
        for at in 0..rows {
            assert!(writer.push(at as i64 * 3, &row(at, dims)).unwrap());
        }
        writer.finish((1, 99)).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mx");
        for (dims, rows) in [(1, 0), (3, 1), (32, 5), (384, 700)] {
            let matrix = made(&path, dims, rows);
            assert_eq!((matrix.len(), matrix.span()), (rows, (1, 99)));
            assert!(matrix.verify(&AtomicBool::new(false)).unwrap());
            let memory = Matrix::in_memory(
                dims,
                (0..rows)
                    .map(|at| (at as i64 * 3, row(at, dims)))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|(id, row)| (*id, row.as_slice())),
            );
            assert_eq!(memory.highest(), matrix.highest());
            for at in 0..rows {
                assert_eq!(matrix.id(at), at as i64 * 3);
                assert_eq!(matrix.row(at), memory.row(at));
                let length: f32 = matrix.row(at).iter().map(|v| v.to_f32().powi(2)).sum();
                assert!((length - 1.0).abs() < 0.01, "{length}");
            }
        }
    }

    #[test]
    fn foreign_pieces_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mx");
        made(&path, 8, 4);
        for (who, dims) in [([8; 32], 8), (WHO, 9), (WHO, 7)] {
            assert!(Matrix::open(&path, &who, dims).is_err());
        }
        std::fs::write(&path, b"").unwrap();
        assert!(Matrix::open(&path, &WHO, 8).is_err());
        std::fs::write(&path, vec![0; 9000]).unwrap();
        assert!(Matrix::open(&path, &WHO, 8).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Any byte that is another one, anywhere but in the padding of the header, and any cut.
        #[test]
        fn damage_is_found(at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<bool>()) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.mx");
            made(&path, 40, 9);
            let mut bytes = std::fs::read(&path).unwrap();
            let meaningful: Vec<usize> = (0..USED).chain(HEADER..bytes.len()).collect();
            let at = meaningful[at.index(meaningful.len())];
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= flip;
            }
            std::fs::write(&path, bytes).unwrap();
            let found = Matrix::open(&path, &WHO, 40)
                .and_then(|matrix| matrix.verify(&AtomicBool::new(false)));
            prop_assert!(found.is_err());
        }
    }
}
