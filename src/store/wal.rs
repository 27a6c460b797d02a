//! A look through the log before SQLite opens it.
//!
//! SQLite takes the log up to the first frame that does not match its checksum and drops the rest
//! without a word, which is right for a write that was cut off and wrong for one that has been
//! damaged. This tells the two apart as far as that can be done: frames of the same run of the log
//! behind a broken one, or a broken one that lies there in full.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes of the log's header, and of a frame's.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// What the log holds.
#[derive(Debug, Default)]
pub(super) struct LogScan {
    /// What is wrong with it, in words.
    pub damage: Option<String>,
    /// Page 1 as the last whole transaction in it has left it: what counts instead of the one in
    /// the database file.
    pub first_page: Option<Vec<u8>>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// The log's own checksum, carried from frame to frame.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn over(self, bytes: &[u8], big_endian: bool) -> Self {
        let Self(mut a, mut b) = self;
        let read = |four: &[u8]| {
            let four: [u8; 4] = four.try_into().unwrap_or_default();
            if big_endian {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            }
        };
        for eight in bytes.chunks_exact(8) {
            a = a.wrapping_add(read(&eight[..4])).wrapping_add(b);
            b = b.wrapping_add(read(&eight[4..])).wrapping_add(a);
        }
        Self(a, b)
    }
}

/// Reads the log at `path`; nothing is wrong with one that is not there.
///
/// # Errors
/// If it cannot be read.
pub(super) fn scan(path: &Path) -> io::Result<LogScan> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(LogScan::default()),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut header = [0_u8; HEADER];
    if length < HEADER as u64 {
        return Ok(LogScan::default());
    }
    input.read_exact(&mut header)?;
    let damaged = |what: &str| LogScan {
        damage: Some(what.to_owned()),
        first_page: None,
    };
    if length == HEADER as u64 {
        return Ok(LogScan::default());
    }
    let (magic, size) = (word(&header, 0), word(&header, 8) as usize);
    let big_endian = magic & 1 == 1;
    let mut sum = Sum(0, 0).over(&header[..24], big_endian);
    if magic & !1 != 0x377f_0682 || sum != Sum(word(&header, 24), word(&header, 28)) {
        return Ok(damaged("the header of its log does not match its checksum"));
    }
    if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
        return Ok(damaged("the header of its log names no page size"));
    }
    let salts = (word(&header, 16), word(&header, 20));
    let mut frame = vec![0_u8; FRAME + size];
    let mut found = LogScan::default();
    let mut pending: Option<Vec<u8>> = None;
    let mut number = 0_u64;
    let mut broken: Option<u64> = None;
    loop {
        match input.read_exact(&mut frame) {
            Ok(()) => number += 1,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
        let of_frame = (word(&frame, 8), word(&frame, 12));
        if let Some(first) = broken {
            if of_frame == salts {
                found.damage = Some(format!(
                    "frame {first} of its log is broken, and there are more behind it"
                ));
                break;
            }
            continue;
        }
        let next = sum
            .over(&frame[..8], big_endian)
            .over(&frame[FRAME..], big_endian);
        let matches = next == Sum(word(&frame, 16), word(&frame, 20));
        if of_frame == salts && matches && word(&frame, 0) != 0 {
            sum = next;
            if word(&frame, 0) == 1 {
                pending = Some(frame[FRAME..].to_vec());
            }
            if word(&frame, 4) != 0 {
                found.first_page = pending.take().or(found.first_page);
            }
        } else {
            // Left from an earlier run of the log: its salts differ, both of them.
            if of_frame.0 == salts.0 || of_frame.1 == salts.1 {
                found.damage = Some(format!("frame {number} of its log is broken"));
            }
            broken = Some(number);
        }
    }
    Ok(found)
}
