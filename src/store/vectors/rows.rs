//! Rows as they lie in the file and in memory: a vector, then the photo, then when it was superseded.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

/// In the place of a sequence number: no later row of the same photo.
pub(super) const CURRENT: i64 = i64::MAX;

/// Some rows, borrowed. Cheap to copy and to cut; shared by threads.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    bits: &'a [u16],
    dims: usize,
    /// In `u16`s.
    stride: usize,
    seq: i64,
    hidden: &'a [i64],
}

impl<'a> Rows<'a> {
    /// `bits` is whole rows of `stride` bytes. Rows superseded at or before `seq`, and those of the
    /// photos in `hidden` (sorted), do not count.
    pub(super) fn new(
        bits: &'a [u16],
        dims: usize,
        stride: usize,
        seq: i64,
        hidden: &'a [i64],
    ) -> Self {
        debug_assert!(hidden.is_sorted());
        Self {
            bits,
            dims,
            stride: stride / 2,
            seq,
            hidden,
        }
    }

    /// How many, those that do not count included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bits.len() / self.stride
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in a vector.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Bytes that a scan reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bits.len() * 2
    }

    /// Everything as it lies there, for those who measure how fast it can be read.
    #[must_use]
    pub fn raw(&self) -> &'a [u16] {
        self.bits
    }

    /// Rows `from..to`.
    ///
    /// # Panics
    /// If `to` is past the end.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        Self {
            bits: &self.bits[from * self.stride..to * self.stride],
            ..*self
        }
    }

    /// The photo of a row; `None` if the row does not count (any more).
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    #[inline]
    pub fn photo(&self, row: usize) -> Option<i64> {
        let end = (row + 1) * self.stride;
        if long(&self.bits[end - 4..end]) <= self.seq {
            return None;
        }
        let photo = long(&self.bits[end - 8..end - 4]);
        let shown = self.hidden.is_empty() || self.hidden.binary_search(&photo).is_err();
        shown.then_some(photo)
    }

    /// Whether a row that does not count cannot be what was written: no sequence number is below one,
    /// but a page that the disk lost reads as zeros.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn is_damaged(&self, row: usize) -> bool {
        let end = (row + 1) * self.stride;
        long(&self.bits[end - 4..end]) < 1
    }

    /// The vector of a row, of length one.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    #[inline]
    pub fn vector(&self, row: usize) -> &'a [f16] {
        let start = row * self.stride;
        self.bits[start..start + self.dims].reinterpret_cast()
    }
}

#[inline]
fn long(bits: &[u16]) -> i64 {
    let [a, b] = bits[0].to_ne_bytes();
    let [c, d] = bits[1].to_ne_bytes();
    let [e, f] = bits[2].to_ne_bytes();
    let [g, h] = bits[3].to_ne_bytes();
    i64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// Rows in the making.
pub(super) struct RowBuffer {
    bits: Vec<u16>,
    dims: usize,
    stride: usize,
    floats: Vec<f32>,
}

impl RowBuffer {
    /// Empty, for rows of `stride` bytes.
    pub(super) fn new(dims: usize, stride: usize) -> Self {
        Self {
            bits: Vec::new(),
            dims,
            stride,
            floats: vec![0.0; dims],
        }
    }

    /// Appends a row from the database's little-endian f16, scaled to length one. False, and
    /// nothing appended, if it has another length, a value that is not finite, or no direction.
    pub(super) fn push(&mut self, photo: i64, vector: &[u8]) -> bool {
        if vector.len() != self.dims * 2 {
            return false;
        }
        for (value, bytes) in self.floats.iter_mut().zip(vector.chunks_exact(2)) {
            *value = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        }
        let squares: f64 = self.floats.iter().map(|v| f64::from(*v).powi(2)).sum();
        // The smallest f16 squared is 3.6e-15: anything but zero is above this.
        if !squares.is_finite() || squares < 1e-15 {
            return false;
        }
        #[allow(clippy::cast_possible_truncation)]
        let scale = squares.sqrt().recip() as f32;
        self.floats.iter_mut().for_each(|v| *v *= scale);
        let start = self.bits.len();
        self.bits.resize(start + self.stride / 2, 0);
        let row = &mut self.bits[start..];
        row[..self.dims]
            .reinterpret_cast_mut::<f16>()
            .convert_from_f32_slice(&self.floats);
        let end = row.len();
        set_long(&mut row[end - 8..end - 4], photo);
        set_long(&mut row[end - 4..], CURRENT);
        true
    }

    /// Marks a row that was just appended as superseded at `seq`.
    pub(super) fn supersede(&mut self, row: usize, seq: i64) {
        let end = (row + 1) * self.stride / 2;
        set_long(&mut self.bits[end - 4..end], seq);
    }

    pub(super) fn len(&self) -> usize {
        self.bits.len() / (self.stride / 2)
    }

    pub(super) fn clear(&mut self) {
        self.bits.clear();
    }

    /// All rows; those of the photos in `hidden` do not count.
    pub(super) fn rows<'a>(&'a self, hidden: &'a [i64]) -> Rows<'a> {
        Rows::new(&self.bits, self.dims, self.stride, i64::MIN, hidden)
    }

    /// The rows as the file wants them.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bits.len() * 2];
        for (to, from) in bytes.chunks_exact_mut(2).zip(&self.bits) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        bytes
    }
}

fn set_long(bits: &mut [u16], value: i64) {
    for (bits, bytes) in bits.iter_mut().zip(value.to_ne_bytes().chunks_exact(2)) {
        *bits = u16::from_ne_bytes([bytes[0], bytes[1]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn le(values: &[f32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect()
    }

    #[test]
    fn rows_have_length_one() {
        let mut buffer = RowBuffer::new(3, 64);
        assert!(buffer.push(-5, &le(&[3.0, 0.0, 4.0])));
        // Far from one in both directions.
        assert!(buffer.push(i64::MAX, &le(&[6e4, 6e4, 6e4])));
        assert!(buffer.push(0, &le(&[6e-8, 0.0, 0.0])));
        let rows = buffer.rows(&[]);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.photo(0), Some(-5));
        assert_eq!(rows.photo(1), Some(i64::MAX));
        assert_eq!(rows.vector(0), [0.6, 0.0, 0.8].map(f16::from_f32));
        assert_eq!(rows.vector(2), [1.0, 0.0, 0.0].map(f16::from_f32));
        let third = f16::from_f32(1.0 / 3f32.sqrt());
        assert_eq!(rows.vector(1), [third; 3]);
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        let mut buffer = RowBuffer::new(3, 64);
        for bad in [
            le(&[0.0, 0.0, -0.0]),
            le(&[f32::NAN, 1.0, 0.0]),
            le(&[1.0, f32::INFINITY, 0.0]),
            le(&[1.0, 0.0]),
            le(&[1.0, 0.0, 0.0, 0.0]),
            vec![1; 5],
            Vec::new(),
        ] {
            assert!(!buffer.push(1, &bad), "{bad:?}");
        }
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn superseded_and_hidden_rows_do_not_count() {
        let mut buffer = RowBuffer::new(1, 64);
        for photo in 1..=4 {
            assert!(buffer.push(photo, &le(&[1.0])));
        }
        buffer.supersede(1, 20);
        let at = |seq: i64, hidden: &[i64]| {
            let rows = Rows::new(&buffer.bits, 1, 64, seq, hidden);
            (0..4).filter_map(|r| rows.photo(r)).collect::<Vec<_>>()
        };
        assert_eq!(
            at(19, &[]),
            [1, 2, 3, 4],
            "a reader of before still sees it"
        );
        assert_eq!(at(20, &[]), [1, 3, 4]);
        assert_eq!(at(20, &[1, 4]), [3]);
    }
}
