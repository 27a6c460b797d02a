//! How a piece lies on the disk.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `photonMX` |
//! | 8 | 4 | version |
//! | 12 | 4 | `0x01020304`: reads differently on a machine of the other byte order |
//! | 16 | 8 | values in a row |
//! | 24 | 8 | rows |
//! | 32 | 8 + 8 | span: what the rows were made of, two numbers that are the maker's affair |
//! | 48 | 8 | highest id |
//! | 56 | 32 | identity |
//! | 88 | 32 | BLAKE3 of ids and sums |
//! | 120 | 32 | BLAKE3 of the bytes before |
//! | 4096 | rows × stride | bf16, native byte order, each row padded with zeros to 64 bytes |
//! | … | rows × 8 | ids, i64 |
//! | … | chunks × 32 | sums: BLAKE3 of each chunk of rows, about 1 MB |

use half::bf16;

const MAGIC: &[u8; 8] = b"photonMX";
const VERSION: u32 = 1;
const ORDER: u32 = 0x0102_0304;
/// A page, so that rows are aligned however wide a load is.
pub(super) const HEADER: usize = 4096;
/// Bytes of the header that mean something, its own checksum included.
pub(super) const USED: usize = 152;
/// A cache line; the widest SIMD load.
const LINE: usize = 64;
/// Values in a row that make sense; a file that claims more is no matrix.
const MOST_DIMS: u64 = 1 << 16;
/// Bytes of rows that are checked, and handed to a thread, together: few enough to stay in a cache
/// between the two, enough that handing out costs nothing.
const CHUNK: usize = 1 << 20;

/// The numbers of a header.
pub(super) struct Facts {
    pub dims: usize,
    pub len: usize,
    pub span: (i64, i64),
    pub highest: i64,
    pub digest: [u8; 32],
}

/// Bytes from one row to the next.
pub(super) fn stride(dims: usize) -> usize {
    (dims * 2).next_multiple_of(LINE)
}

/// Rows in a chunk.
pub(super) fn chunk_rows(dims: usize) -> usize {
    (CHUNK / stride(dims)).max(1)
}

/// What a header says, if it is one of this identity and length of rows.
pub(super) fn parse(bytes: &[u8], identity: &[u8; 32], dims: usize) -> Result<Facts, &'static str> {
    let part = |at: usize, len: usize| &bytes[at..at + len];
    let word =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| {
        let mut field = [0; 8];
        field.copy_from_slice(part(at, 8));
        i64::from_ne_bytes(field)
    };
    let hash = |at: usize| {
        let mut field = [0; 32];
        field.copy_from_slice(part(at, 32));
        field
    };
    if part(0, 8) != MAGIC {
        return Err("it is no file of vectors");
    }
    if word(12) != ORDER {
        return Err("it was written on a machine of the other byte order");
    }
    if word(8) != VERSION {
        return Err("it is of another version");
    }
    if *blake3::hash(part(0, USED - 32)).as_bytes() != hash(USED - 32) {
        return Err("its header is damaged");
    }
    if hash(56) != *identity {
        return Err("it is of something else");
    }
    let found = long(16).cast_unsigned();
    if found != dims as u64 || found > MOST_DIMS {
        return Err("its rows have another length");
    }
    Ok(Facts {
        dims,
        len: usize::try_from(long(24)).map_err(|_| "it counts more rows than memory has")?,
        span: (long(32), long(40)),
        highest: long(48),
        digest: hash(88),
    })
}

/// The header's page.
pub(super) fn header(facts: &Facts, identity: &[u8; 32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_ne_bytes());
    bytes.extend(ORDER.to_ne_bytes());
    for number in [
        facts.dims as i64,
        facts.len as i64,
        facts.span.0,
        facts.span.1,
        facts.highest,
    ] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(identity);
    bytes.extend(facts.digest);
    let sum = blake3::hash(&bytes);
    bytes.extend(sum.as_bytes());
    bytes.resize(HEADER, 0);
    bytes
}

/// Appends a row scaled to length one; false, and nothing appended, if it has another length, a
/// value that is not finite, or no direction.
pub(super) fn push_row(bits: &mut Vec<u16>, dims: usize, values: &[f32]) -> bool {
    let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    if values.len() != dims || !squares.is_finite() || squares <= 0.0 {
        return false;
    }
    let scale = squares.sqrt().recip() as f32;
    if !values.iter().all(|v| (v * scale).is_finite()) {
        return false;
    }
    let start = bits.len();
    bits.resize(start + stride(dims) / 2, 0);
    for (bits, value) in bits[start..].iter_mut().zip(values) {
        *bits = bf16::from_f32(value * scale).to_bits();
    }
    true
}
