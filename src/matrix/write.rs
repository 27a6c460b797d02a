//! Makes a piece: rows as they come, a chunk at a time; ids, sums and the header at the end.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::file::{Matrix, MatrixError};
use super::layout::{Facts, HEADER, chunk_rows, header, push_row};
use crate::safe_file::NewFile;

/// A piece in the making. Nothing has its name before [`MatrixWriter::finish`].
pub struct MatrixWriter {
    out: NewFile,
    path: PathBuf,
    identity: [u8; 32],
    dims: usize,
    ids: Vec<i64>,
    /// Rows of the chunk in work.
    buffer: Vec<u16>,
    sums: Vec<u8>,
}

impl MatrixWriter {
    /// Begins the piece at `path`.
    ///
    /// # Errors
    /// [`MatrixError::Io`].
    pub fn begin(path: &Path, identity: &[u8; 32], dims: usize) -> Result<Self, MatrixError> {
        let io = |source| MatrixError::Io {
            path: path.to_path_buf(),
            source,
        };
        let mut out = NewFile::begin(path).map_err(io)?;
        out.file().write_all(&[0; HEADER]).map_err(io)?;
        Ok(Self {
            out,
            path: path.to_path_buf(),
            identity: *identity,
            dims,
            ids: Vec::new(),
            buffer: Vec::new(),
            sums: Vec::new(),
        })
    }

    /// Adds a row; false if it has no direction, and then it is left out.
    ///
    /// # Errors
    /// [`MatrixError::Io`].
    pub fn push(&mut self, id: i64, values: &[f32]) -> Result<bool, MatrixError> {
        if !push_row(&mut self.buffer, self.dims, values) {
            return Ok(false);
        }
        self.ids.push(id);
        if self.ids.len().is_multiple_of(chunk_rows(self.dims)) {
            self.write_out()?;
        }
        Ok(true)
    }

    /// Puts the piece in place, with the two numbers that say what it was made of.
    ///
    /// # Errors
    /// [`MatrixError::Io`]; then nothing of it is left.
    pub fn finish(mut self, span: (i64, i64)) -> Result<Matrix, MatrixError> {
        if !self.buffer.is_empty() {
            self.write_out()?;
        }
        let mut ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_ne_bytes()).collect();
        ids.extend(&self.sums);
        let facts = Facts {
            dims: self.dims,
            len: self.ids.len(),
            span,
            highest: self.ids.iter().copied().max().unwrap_or(i64::MIN),
            digest: *blake3::hash(&ids).as_bytes(),
        };
        let head = header(&facts, &self.identity);
        let mut out = BufWriter::new(self.out.file());
        out.write_all(&ids)
            .and_then(|()| out.seek(SeekFrom::Start(0)).map(|_| ()))
            .and_then(|()| out.write_all(&head))
            .and_then(|()| out.flush())
            .map_err(|source| MatrixError::Io {
                path: self.path.clone(),
                source,
            })?;
        drop(out);
        let before = crate::failpoint::hit("piece.before");
        let put = before.and_then(|()| self.out.put());
        let after = put.and_then(|()| crate::failpoint::hit("piece.after"));
        after.map_err(|source| MatrixError::Io {
            path: self.path.clone(),
            source,
        })?;
        Matrix::open(&self.path, &self.identity, self.dims)
    }

    fn write_out(&mut self) -> Result<(), MatrixError> {
        // SAFETY: a `u16` is two bytes without padding, and bytes need no alignment.
        let (_, bytes, _) = unsafe { self.buffer.align_to::<u8>() };
        self.sums.extend(blake3::hash(bytes).as_bytes());
        self.out
            .file()
            .write_all(bytes)
            .map_err(|source| MatrixError::Io {
                path: self.path.clone(),
                source,
            })?;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: [u8; 32] = [7; 32];

    #[test]
    fn what_has_no_direction_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mx");
        let mut writer = MatrixWriter::begin(&path, &WHO, 3).unwrap();
        for bad in [
            &[0.0, 0.0, -0.0][..],
            &[f32::NAN, 1.0, 0.0],
            &[1.0, f32::INFINITY, 0.0],
            &[1.0, 0.0],
            &[],
        ] {
            assert!(!writer.push(1, bad).unwrap(), "{bad:?}");
        }
        assert!(writer.push(2, &[0.0, 1e-30, 0.0]).unwrap());
        assert!(writer.push(3, &[3e38, 3e38, 3e38]).unwrap());
        let matrix = writer.finish((0, 0)).unwrap();
        assert_eq!(matrix.ids().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn an_unfinished_piece_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mx");
        let mut writer = MatrixWriter::begin(&path, &WHO, 2).unwrap();
        writer.push(1, &[1.0, 0.0]).unwrap();
        drop(writer);
        assert!(matches!(
            Matrix::open(&path, &WHO, 2),
            Err(MatrixError::Absent(_))
        ));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
