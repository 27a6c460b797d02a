//! Reads one directory of a TIFF file: classic (32-bit offsets) and BigTIFF (64-bit), both byte orders.
//!
//! Nothing is trusted: every read is checked against the file, and a tag's values are read only when asked for,
//! at most as many as the caller allows.

use std::borrow::Cow;

use crate::media::psd;

/// One entry of a directory: where its values are, not yet read.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where in the file the values start.
    at: usize,
}

/// The first directory of a TIFF file.
#[derive(Debug)]
pub(crate) struct Directory<'a> {
    bytes: &'a [u8],
    pub(crate) little: bool,
    entries: Vec<Entry>,
}

/// Bytes of one value by its type number: BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG,
/// SRATIONAL, FLOAT, DOUBLE, IFD, (none), (none), LONG8, SLONG8, IFD8. From TIFF 6.0 and the BigTIFF proposal.
const SIZES: [usize; 19] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

impl<'a> Directory<'a> {
    /// The first directory, as far as the file has it. `None` if this is no TIFF file or has no directory.
    pub(crate) fn first(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut directory = Self {
            bytes,
            little,
            entries: Vec::new(),
        };
        let is_big = match directory.uint(2, 2)? {
            42 => false,
            43 => true,
            _ => return None,
        };
        let start = usize::try_from(if is_big {
            directory.uint(8, 8)?
        } else {
            directory.uint(4, 4)?
        })
        .ok()?;
        directory.read_entries(start, is_big)?;
        Some(directory)
    }

    fn read_entries(&mut self, start: usize, is_big: bool) -> Option<()> {
        /// More than any writer uses; TIFF 6.0 and its extensions define about 200 tags.
        const MAX_ENTRIES: u64 = 4096;
        let (counter, size, inline) = if is_big { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.uint(start, counter)?.min(MAX_ENTRIES) as usize;
        let first = start.checked_add(counter)?;
        for i in 0..count {
            let at = first.checked_add(i * size)?;
            let Some(entry) = self.entry(at, inline) else {
                break; // the file is cut off here
            };
            self.entries.extend(entry);
        }
        Some(())
    }

    /// `Some(None)`: an entry that cannot be read, which does not stop the others.
    fn entry(&self, at: usize, inline: usize) -> Option<Option<Entry>> {
        let tag = self.uint(at, 2)? as u16;
        let kind = self.uint(at + 2, 2)? as u16;
        let count = self.uint(at + 4, inline)?;
        let value = at + 4 + inline;
        let pointer = self.uint(value, inline)?;
        let size = SIZES.get(usize::from(kind)).copied().unwrap_or(0) as u64;
        if size == 0 {
            return Some(None);
        }
        let at = if count.saturating_mul(size) <= inline as u64 {
            Some(value)
        } else {
            usize::try_from(pointer).ok()
        };
        Some(at.map(|at| Entry {
            tag,
            kind,
            count,
            at,
        }))
    }

    /// An unsigned number of `size` bytes (1, 2, 4 or 8) in the file's byte order.
    fn uint(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let append = |n: u64, b: &u8| (n << 8) | u64::from(*b);
        Some(if self.little {
            bytes.iter().rev().fold(0, append)
        } else {
            bytes.iter().fold(0, append)
        })
    }

    fn find(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|e| e.tag == tag)
    }

    pub(crate) fn has(&self, tag: u16) -> bool {
        self.find(tag).is_some()
    }

    /// Whether the file ends before the values of a tag do.
    pub(crate) fn is_cut(&self, tag: u16) -> bool {
        self.has(tag) && self.raw(tag).is_none()
    }

    /// The unsigned whole numbers of a tag, at most `max` of them; fewer if the file ends before them.
    pub(crate) fn numbers(&self, tag: u16, max: usize) -> Option<Vec<u64>> {
        let entry = self.find(tag)?;
        let size = match entry.kind {
            1 | 3 | 4 | 7 | 13 | 16 | 18 => SIZES[usize::from(entry.kind)],
            _ => return None,
        };
        let there = self.bytes.len().saturating_sub(entry.at) / size;
        let count = usize::try_from(entry.count).unwrap_or(usize::MAX);
        let count = count.min(there).min(max);
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(count).ok()?;
        for i in 0..count {
            numbers.push(self.uint(entry.at + i * size, size)?);
        }
        Some(numbers)
    }

    /// The first value of a tag of whole numbers.
    pub(crate) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag, 1)?.first().copied()
    }

    /// Exactly `N` numbers of a tag of rationals, floats or whole numbers.
    pub(crate) fn reals<const N: usize>(&self, tag: u16) -> Option<[f64; N]> {
        let entry = self.find(tag)?;
        if entry.count < N as u64 {
            return None;
        }
        let mut out = [0.0; N];
        for (i, out) in out.iter_mut().enumerate() {
            let at = entry.at.checked_add(i * SIZES[usize::from(entry.kind)])?;
            *out = match entry.kind {
                5 => self.uint(at, 4)? as f64 / self.uint(at + 4, 4)? as f64,
                10 => {
                    let top = self.uint(at, 4)? as u32 as i32;
                    f64::from(top) / f64::from(self.uint(at + 4, 4)? as u32 as i32)
                }
                3 => self.uint(at, 2)? as f64,
                4 => self.uint(at, 4)? as f64,
                11 => f64::from(f32::from_bits(self.uint(at, 4)? as u32)),
                12 => f64::from_bits(self.uint(at, 8)?),
                _ => return None,
            };
        }
        out.iter().all(|v| v.is_finite()).then_some(out)
    }

    /// The raw bytes of a tag, if the file has all of them.
    pub(crate) fn raw(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.find(tag)?;
        let size = SIZES.get(usize::from(entry.kind))?;
        let len = usize::try_from(entry.count).ok()?.checked_mul(*size)?;
        self.bytes.get(entry.at..entry.at.checked_add(len)?)
    }
}

/// The XMP packet of a TIFF file: tag 700, in the first directory (Adobe XMP specification, part 3).
pub(crate) fn xmp(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    const XMP: u16 = 700;
    let packet = Directory::first(bytes)?.raw(XMP)?;
    (!packet.is_empty()).then_some(Cow::Borrowed(packet))
}

/// The IPTC records of a TIFF file: tag 33723, else in Photoshop's resources.
pub(crate) fn iptc(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    const RECORDS: u16 = 33_723;
    const PHOTOSHOP: u16 = 34_377;
    const RESOURCE: u16 = 1028;
    const MARK: u8 = 0x1C;
    let directory = Directory::first(bytes)?;
    if let Some(records) = directory.raw(RECORDS) {
        // Written as 32-bit numbers, they may have been turned around by a program that knew no better.
        let is_turned = records.first() != Some(&MARK) && records.get(3) == Some(&MARK);
        return Some(match is_turned {
            true => records
                .chunks(4)
                .flat_map(|c| c.iter().rev().copied())
                .collect(),
            false => Cow::Borrowed(records),
        });
    }
    let resources = directory.raw(PHOTOSHOP)?;
    let found = psd::find_resource(resources, 0..resources.len(), RESOURCE)?;
    resources.get(found).map(Cow::Borrowed)
}
