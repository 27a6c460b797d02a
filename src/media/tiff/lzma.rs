//! LZMA compression as libtiff writes it: an XZ stream of one block, whose filters are a byte delta and LZMA2.
//!
//! The XZ container is read here (format description 1.1), since the LZMA decoder's own reader knows no delta filter,
//! and so that the size of the output is known and held against the limit before anything is decoded.

use std::io::Cursor;

use crate::media::facts::NoPixels;
use crate::media::room::buffer;
use crate::media::tiff::codec::Bounded;
use crate::media::tiff::layout::{corrupt, unsupported};

const STREAM_HEADER: usize = 12;
const MAGIC: &[u8] = b"\xFD7zXZ\0";
const DELTA: u64 = 0x03;
const LZMA2: u64 = 0x21;

/// Decodes an XZ stream to at most `len` bytes.
pub(crate) fn decode(data: &[u8], len: usize) -> Result<Vec<u8>, NoPixels> {
    if !data.starts_with(MAGIC) {
        return Err(corrupt("its LZMA data has no XZ header"));
    }
    let block = data.get(STREAM_HEADER..).ok_or(NoPixels::Truncated)?;
    let header_len = (usize::from(*block.first().ok_or(NoPixels::Truncated)?) + 1) * 4;
    let header = block.get(..header_len).ok_or(NoPixels::Truncated)?;
    let distance = delta_distance(header)?;
    let data = &block[header_len..];
    let (data, size) = one_lzma2_stream(data)?;
    if size > len {
        return Err(corrupt("its LZMA data is longer than its picture"));
    }
    let mut out = Bounded {
        out: buffer(size)?,
        max: size,
    };
    lzma_rs::lzma2_decompress(&mut Cursor::new(data), &mut out)
        .map_err(|_| corrupt("its LZMA data is broken"))?;
    let mut out = out.out;
    if let Some(distance) = distance {
        for i in distance..out.len() {
            out[i] = out[i].wrapping_add(out[i - distance]);
        }
    }
    Ok(out)
}

/// The distance of the delta filter, if there is one before LZMA2.
fn delta_distance(header: &[u8]) -> Result<Option<usize>, NoPixels> {
    let broken = || corrupt("its XZ header is broken");
    let flags = *header.get(1).ok_or_else(broken)?;
    let mut rest = header.get(2..).ok_or_else(broken)?;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            variable_number(&mut rest).ok_or_else(broken)?; // compressed and uncompressed size
        }
    }
    let mut distance = None;
    for _ in 0..=(flags & 3) {
        let id = variable_number(&mut rest).ok_or_else(broken)?;
        let len = variable_number(&mut rest).ok_or_else(broken)? as usize;
        let properties = rest.get(..len).ok_or_else(broken)?;
        rest = &rest[len..];
        match (id, properties) {
            (DELTA, [less_one]) if distance.is_none() => {
                distance = Some(usize::from(*less_one) + 1);
            }
            (LZMA2, [_]) => return Ok(distance),
            _ => return Err(unsupported("LZMA compression with unusual filters")),
        }
    }
    Err(broken())
}

/// XZ's numbers: seven bits a byte, lowest first, the top bit says that more follow.
fn variable_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for i in 0..9 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The bytes of the LZMA2 stream that `data` starts with, and how many it says it decompresses to.
fn one_lzma2_stream(data: &[u8]) -> Result<(&[u8], usize), NoPixels> {
    let (mut at, mut size) = (0_usize, 0_usize);
    loop {
        let control = *data.get(at).ok_or(NoPixels::Truncated)?;
        if control == 0 {
            return Ok((&data[..=at], size));
        }
        let short = |i: usize| -> Result<usize, NoPixels> {
            let bytes = data.get(at + i..at + i + 2).ok_or(NoPixels::Truncated)?;
            Ok(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
        };
        let mut unpacked = short(1)? + 1;
        let packed = match control {
            1 | 2 => 3 + unpacked, // stored as it is
            0x80.. => {
                unpacked += usize::from(control & 0x1F) << 16;
                // New properties take a byte.
                5 + short(3)? + 1 + usize::from(control >= 0xC0)
            }
            _ => return Err(corrupt("its LZMA data is broken")),
        };
        at += packed;
        size += unpacked;
    }
}
