//! Fax coding in TIFF: ITU-T T.4 (Group 3, one- and two-dimensional), T.6 (Group 4) and TIFF's own variant of T.4
//! without end-of-line codes.
//!
//! The code tables are those of the `fax` crate. Its decoders know one-dimensional Group 3 and Group 4 up to 65,535
//! pixels a row only, so the rows are put together here. Work is bounded by the bits there are.

use std::convert::Infallible;

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};

use crate::media::facts::NoPixels;
use crate::media::tiff::layout::{Compression, corrupt, unsupported};

/// Bytes that reading ahead may want behind the last code.
const PADDING: usize = 4;

/// Decodes `rows` rows of `width` pixels: one bit a pixel, rows padded to bytes, 1 is black.
///
/// `options` is the T4Options tag (bit 0: two-dimensional rows may come). Rows that are missing behind a proper end stay
/// white; a broken code is an error.
pub(crate) fn decode(
    data: &[u8],
    is_reversed: bool,
    coding: Compression,
    options: u64,
    (width, rows): (u32, u32),
) -> Result<Vec<u8>, NoPixels> {
    let stride = width.div_ceil(8) as usize;
    let mut out = Vec::new();
    let len = stride * rows as usize;
    out.try_reserve_exact(len).map_err(|_| NoPixels::NoMemory)?;
    out.resize(len, 0);
    let turn = |b: u8| if is_reversed { b.reverse_bits() } else { b };
    let bytes = data.iter().copied().map(turn).chain([0; PADDING]).map(Ok);
    let mut rows = Rows::new(bytes, width)?;
    for (i, row) in out.chunks_exact_mut(stride).enumerate() {
        let more = match coding {
            Compression::Fax4 => rows.two_dimensional(),
            Compression::Fax3 => rows.group_3(options & 1 == 1),
            _ => rows.without_ends(),
        };
        match more? {
            Next::Row => rows.paint(row),
            Next::End if i == 0 => return Err(NoPixels::Truncated),
            Next::End => break,
        }
    }
    Ok(out)
}

enum Next {
    Row,
    End,
}

struct Rows<R> {
    bits: ByteReader<R>,
    /// Pixels a row.
    width: u32,
    /// Where the colour changes in the row that is being read, starting from white.
    current: Vec<u32>,
    /// The same of the row above.
    above: Vec<u32>,
}

impl<R: Iterator<Item = Result<u8, Infallible>>> Rows<R> {
    fn new(bytes: R, width: u32) -> Result<Self, NoPixels> {
        let bits = match ByteReader::new(bytes) {
            Ok(bits) => bits,
            Err(never) => match never {},
        };
        let mut rows = Self {
            bits,
            width,
            current: Vec::new(),
            above: Vec::new(),
        };
        // A row changes colour at most once a pixel, and one that stays within that never grows these.
        for list in [&mut rows.current, &mut rows.above] {
            list.try_reserve_exact(width as usize + 2)
                .map_err(|_| NoPixels::NoMemory)?;
        }
        Ok(rows)
    }

    /// A run of one colour: any number of codes for multiples of 64, then one for less.
    fn run(&mut self, is_black: bool) -> Option<u32> {
        let mut run = 0_u32;
        loop {
            let part = if is_black {
                black::decode(&mut self.bits)
            } else {
                white::decode(&mut self.bits)
            }?;
            run = run.checked_add(u32::from(part))?;
            if part < 64 {
                return Some(run);
            }
            if run > self.width {
                return None;
            }
        }
    }

    /// Runs in turn until the row is full.
    fn one_dimensional(&mut self) -> Result<Next, NoPixels> {
        self.begin();
        let (mut at, mut is_black) = (0, false);
        while at < self.width {
            let run = self.run(is_black).ok_or_else(broken)?;
            at = at.saturating_add(run);
            if at > self.width {
                return Err(broken());
            }
            self.change(at)?;
            is_black = !is_black;
        }
        Ok(Next::Row)
    }

    /// Rows by themselves, each from a new byte on.
    fn without_ends(&mut self) -> Result<Next, NoPixels> {
        let extra = self.bits.bits_to_byte_boundary();
        if self.skip(extra).is_none() || self.bits.peek(1).is_none() {
            return Ok(Next::End);
        }
        self.one_dimensional()
    }

    /// A row behind an end-of-line code, which some writers leave out; in two-dimensional coding a bit tells the kind.
    fn group_3(&mut self, may_be_two_dimensional: bool) -> Result<Next, NoPixels> {
        let mut ends = 0;
        while self.bits.peek(11) == Some(0) {
            while self.bits.peek(1) == Some(0) {
                self.skip(1).ok_or(NoPixels::Truncated)?;
            }
            if self.skip(1).is_none() {
                return Ok(Next::End); // only padding was left
            }
            ends += 1;
            // Six in a row end the picture, each with its kind bit if there are kind bits.
            if ends > 1 {
                return Ok(Next::End);
            }
            if may_be_two_dimensional && self.bits.peek(12) == Some(0b1000_0000_0000) {
                return Ok(Next::End);
            }
        }
        if self.bits.peek(1).is_none() {
            return Ok(Next::End);
        }
        if may_be_two_dimensional {
            let is_one_dimensional = self.bits.peek(1) == Some(1);
            self.skip(1).ok_or(NoPixels::Truncated)?;
            if !is_one_dimensional {
                return self.two_dimensional();
            }
        }
        self.one_dimensional()
    }

    /// A row told by its differences to the row above (T.6, and T.4's second kind of row).
    fn two_dimensional(&mut self) -> Result<Next, NoPixels> {
        self.begin();
        let (mut at, mut is_black, mut is_start) = (0, false, true);
        // The change above that was found last: those before it are never wanted again, but for one.
        let mut near = 0;
        while at < self.width {
            let mode = mode::decode(&mut self.bits).ok_or_else(broken)?;
            near = self.change_above(near, at, is_black, is_start);
            let b1 = self.above_at(near);
            match mode {
                Mode::Pass => at = self.above_at(near + 1),
                Mode::Vertical(shift) => {
                    let to = b1.saturating_add_signed(i32::from(shift));
                    if to < at || to > self.width {
                        return Err(broken());
                    }
                    at = to;
                    self.change(at)?;
                    is_black = !is_black;
                }
                Mode::Horizontal => {
                    for colour in [is_black, !is_black] {
                        let run = self.run(colour).ok_or_else(broken)?;
                        at = at.saturating_add(run);
                        if at > self.width {
                            return Err(broken());
                        }
                        self.change(at)?;
                    }
                }
                Mode::Extension => return Err(unsupported("fax coding with uncompressed parts")),
                Mode::EOF if at == 0 => return Ok(Next::End),
                Mode::EOF => return Err(broken()),
            }
            is_start = false;
        }
        Ok(Next::Row)
    }

    /// The index of the first change above that is right of `at` (or at it, at the start of a row) and goes to the colour
    /// opposite to the current one. Even indices go to black.
    fn change_above(&self, near: usize, at: u32, is_black: bool, is_start: bool) -> usize {
        let mut i = near.saturating_sub(2);
        i += usize::from((i % 2 == 1) != is_black);
        while let Some(change) = self.above.get(i) {
            if *change > at || (is_start && *change >= at) {
                break;
            }
            i += 2;
        }
        i
    }

    fn above_at(&self, i: usize) -> u32 {
        self.above.get(i).copied().unwrap_or(self.width)
    }

    fn begin(&mut self) {
        std::mem::swap(&mut self.current, &mut self.above);
        self.current.clear();
    }

    fn change(&mut self, at: u32) -> Result<(), NoPixels> {
        if self.current.len() > self.width as usize {
            return Err(broken()); // runs of length 0 without end
        }
        self.current.push(at);
        Ok(())
    }

    fn skip(&mut self, bits: u8) -> Option<()> {
        if bits == 0 {
            return Some(());
        }
        self.bits.peek(bits)?;
        self.bits.consume(bits).ok()
    }

    /// Sets the black pixels of the row.
    fn paint(&self, row: &mut [u8]) {
        for pair in self.current.chunks(2) {
            let from = pair[0];
            let to = pair.get(1).copied().unwrap_or(self.width);
            for x in from..to {
                if let Some(byte) = row.get_mut(x as usize / 8) {
                    *byte |= 0x80 >> (x % 8);
                }
            }
        }
    }
}

fn broken() -> NoPixels {
    corrupt("its fax coding is broken")
}
