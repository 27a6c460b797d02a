//! The rows of a Photoshop file's merged picture, decompressed.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::media::facts::NoPixels;
use crate::media::psd::{Header, corrupt, uint};
use crate::media::room::pack_bits_row;

/// The rows of all channels, one after the other.
pub(crate) struct Rows<'a> {
    stride: usize,
    /// Bits of a sample, if the rows are differences between neighbours.
    differences: Option<u64>,
    source: Source<'a>,
}

enum Source<'a> {
    Raw(&'a [u8]),
    /// Lengths of the packed rows, each in so many bytes, and the packed rows.
    Packed(&'a [u8], usize, &'a [u8]),
    Deflated(Box<ZlibDecoder<&'a [u8]>>),
}

impl<'a> Rows<'a> {
    pub(crate) fn open(data: &'a [u8], header: &Header) -> Result<Self, NoPixels> {
        let compression = uint(data, 0, 2).ok_or(NoPixels::Truncated)?;
        let data = &data[2..];
        let source = match compression {
            0 => Source::Raw(data),
            1 => {
                let size = if header.is_large { 4 } else { 2 };
                let lengths = header.channels * header.height as usize * size;
                let (lengths, rows) = data.split_at_checked(lengths).ok_or(NoPixels::Truncated)?;
                Source::Packed(lengths, size, rows)
            }
            2 | 3 => Source::Deflated(Box::new(ZlibDecoder::new(data))),
            _ => return Err(corrupt("its compression is none that exists")),
        };
        if compression == 3 && !matches!(header.depth, 8 | 16) {
            let what = "Deflate compression with float differences";
            return Err(NoPixels::Unsupported(what.to_owned()));
        }
        Ok(Self {
            stride: header.stride(),
            differences: (compression == 3).then_some(header.depth),
            source,
        })
    }

    /// Fills `row` with the next one.
    pub(crate) fn next(&mut self, row: &mut Vec<u8>) -> Result<(), NoPixels> {
        row.clear();
        match &mut self.source {
            Source::Raw(data) => {
                let (now, later) = data
                    .split_at_checked(self.stride)
                    .ok_or(NoPixels::Truncated)?;
                row.extend_from_slice(now);
                *data = later;
            }
            Source::Packed(lengths, size, data) => {
                let len = uint(lengths, 0, *size).ok_or(NoPixels::Truncated)? as usize;
                *lengths = &lengths[*size..];
                let (now, later) = data.split_at_checked(len).ok_or(NoPixels::Truncated)?;
                pack_bits_row(now, self.stride, row);
                *data = later;
                if row.len() < self.stride {
                    return Err(corrupt("a row of its picture is too short"));
                }
            }
            Source::Deflated(decoder) => {
                row.resize(self.stride, 0);
                decoder.read_exact(row).map_err(|e| match e.kind() {
                    std::io::ErrorKind::UnexpectedEof => NoPixels::Truncated,
                    _ => corrupt("its compressed data is broken"),
                })?;
            }
        }
        match self.differences {
            Some(8) => {
                for i in 1..row.len() {
                    row[i] = row[i].wrapping_add(row[i - 1]);
                }
            }
            Some(_) => {
                let mut last = 0_u16;
                for sample in row.chunks_exact_mut(2) {
                    last = last.wrapping_add(u16::from_be_bytes([sample[0], sample[1]]));
                    sample.copy_from_slice(&last.to_be_bytes());
                }
            }
            None => {}
        }
        Ok(())
    }
}
