//! What a file is made of: its segments, chunks, boxes and directory entries, and the numbers in them.
//! Reads good files only, and shares no code with photond.

use std::ops::Range;

/// A number that lies in a file.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    pub at: usize,
    /// In bytes, at most 8.
    pub width: usize,
    pub big_endian: bool,
}

impl Number {
    pub fn get(self, bytes: &[u8]) -> Option<u64> {
        let field = bytes.get(self.at..self.at + self.width)?;
        let digits = field.iter().map(|b| u64::from(*b));
        Some(if self.big_endian {
            digits.fold(0, |n, b| n << 8 | b)
        } else {
            digits.rev().fold(0, |n, b| n << 8 | b)
        })
    }

    /// Its lowest bytes, as many as there is room for.
    pub fn put(self, bytes: &mut [u8], value: u64) {
        let Some(field) = bytes.get_mut(self.at..self.at + self.width) else {
            return;
        };
        for (n, byte) in field.iter_mut().enumerate() {
            let place = if self.big_endian {
                self.width - 1 - n
            } else {
                n
            };
            *byte = (value >> (8 * place)) as u8;
        }
    }

    /// The largest that there is room for.
    pub fn most(self) -> u64 {
        u64::MAX >> (64 - 8 * self.width)
    }
}

/// A segment, chunk, box or entry: what has a beginning and an end of its own.
#[derive(Debug, Clone)]
pub struct Block {
    pub range: Range<usize>,
    /// Where it says how long it is.
    pub length: Option<Number>,
    /// The same of the blocks that it lies in.
    pub around: Vec<Number>,
}

/// All of a file.
#[derive(Debug, Default)]
pub struct Anatomy {
    pub blocks: Vec<Block>,
    pub numbers: Vec<Number>,
    /// Numbers in digits.
    pub digits: Vec<Range<usize>>,
}

fn big(at: usize, width: usize) -> Number {
    Number {
        at,
        width,
        big_endian: true,
    }
}

fn little(at: usize, width: usize) -> Number {
    Number {
        at,
        width,
        big_endian: false,
    }
}

impl Anatomy {
    pub fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let whole = 0..bytes.len();
        match bytes {
            [0xFF, 0xD8, ..] => found.jpeg(bytes, 0),
            [0x89, b'P', b'N', b'G', ..] => found.png(bytes),
            [b'G', b'I', b'F', ..] => found.gif(bytes),
            [b'R', b'I', b'F', b'F', ..] => found.riff(bytes),
            [b'I', b'I', b'*', 0, ..] => found.tiff(bytes, 0),
            [b'B', b'M', ..] => found.bmp(bytes),
            [0, 0, 1, 0, ..] => found.ico(bytes),
            [b'P', b'1'..=b'7', ..] => found.pnm(bytes),
            [b'8', b'B', b'P', b'S', ..] => found.psd(bytes),
            [0xFF, 0x4F, ..] => found.codestream(bytes, whole, &[]),
            [0xFF, 0x0A, ..] => found.every_number(0..16.min(bytes.len())),
            [b'F', b'U', b'J', b'I', ..] => found.raf(bytes),
            [0, 0, 0, _, b'f' | b'j' | b'J', ..] => found.boxes(bytes, whole, &[]),
            _ => found.tga(bytes),
        }
        if found.blocks.len() < 2 {
            found.quarters(0..bytes.len());
        }
        found.numbers.retain(|n| n.at + n.width <= bytes.len());
        found
    }

    fn block(&mut self, range: Range<usize>, length: Option<Number>, around: &[Number]) {
        self.blocks.push(Block {
            range,
            length,
            around: around.to_vec(),
        });
    }

    /// Data without a structure that is known here.
    fn quarters(&mut self, range: Range<usize>) {
        let step = range.len().div_ceil(4).max(1);
        for start in range.clone().step_by(step) {
            self.block(start..(start + step).min(range.end), None, &[]);
        }
    }

    /// Every number that might lie there.
    fn every_number(&mut self, range: Range<usize>) {
        for at in range.clone() {
            let aligned = at - range.start;
            for width in [1, 2, 4] {
                if aligned.is_multiple_of(width) && at + width <= range.end {
                    self.numbers.push(big(at, width));
                }
            }
        }
    }

    fn png(&mut self, bytes: &[u8]) {
        let mut at = 8;
        while let Some(len) = big(at, 4).get(bytes) {
            let end = at + 12 + len as usize;
            self.block(at..end.min(bytes.len()), Some(big(at, 4)), &[]);
            if &bytes[at + 4..at + 8] == b"IHDR" {
                self.numbers.extend([big(at + 8, 4), big(at + 12, 4)]);
                self.numbers.extend((16..21).map(|n| big(at + n, 1)));
            } else {
                self.every_number(at + 8..(at + 24).min(end - 4));
            }
            at = end;
        }
    }

    fn jpeg(&mut self, bytes: &[u8], start: usize) {
        self.block(start..start + 2, None, &[]);
        let mut at = start + 2;
        while bytes.get(at) == Some(&0xFF) {
            let marker = bytes.get(at + 1).copied().unwrap_or(0xD9);
            if marker == 0xD9 {
                self.block(at..(at + 2).min(bytes.len()), None, &[]);
                break;
            }
            let Some(len) = big(at + 2, 2).get(bytes) else {
                break;
            };
            let mut end = (at + 2 + len as usize).min(bytes.len());
            match marker {
                0xC0 | 0xC2 => {
                    self.numbers
                        .extend([big(at + 4, 1), big(at + 5, 2), big(at + 7, 2)]);
                    self.numbers.extend((at + 9..end).map(|n| big(n, 1)));
                }
                0xE1 => self.tiff(&bytes[..end], at + 10),
                0xDA => {
                    self.numbers.extend((at + 4..end).map(|n| big(n, 1)));
                    // The data belong to the scan that they follow.
                    while bytes.get(end).is_some_and(|b| *b != 0xFF)
                        || matches!(bytes.get(end + 1), Some(0 | 0xD0..=0xD7))
                    {
                        end += 1;
                    }
                }
                _ => self.every_number(at + 4..(at + 24).min(end)),
            }
            self.block(at..end, Some(big(at + 2, 2)), &[]);
            at = end;
        }
    }

    /// JPEG 2000.
    fn codestream(&mut self, bytes: &[u8], range: Range<usize>, around: &[Number]) {
        let mut at = range.start + 2;
        while let (Some(0xFF), Some(marker)) = (bytes.get(at), bytes.get(at + 1)) {
            let (end, length) = match marker {
                0x93 => (range.end - 2, None),
                0xD9 => (at + 2, None),
                _ => match big(at + 2, 2).get(bytes) {
                    Some(len) => (at + 2 + len as usize, Some(big(at + 2, 2))),
                    None => break,
                },
            };
            self.block(at..end.min(range.end), length, around);
            if length.is_some() {
                self.every_number(at + 4..(at + 52).min(end));
            }
            at = end;
        }
    }

    fn gif(&mut self, bytes: &[u8]) {
        let table = |flags: u8| match flags & 0x80 {
            0 => 0,
            _ => 3 << ((flags & 7) + 1),
        };
        let mut at = 13 + table(bytes[10]);
        self.block(0..at, None, &[]);
        self.numbers
            .extend([little(6, 2), little(8, 2), little(10, 1)]);
        while at < bytes.len() {
            let start = at;
            at += match bytes[at] {
                0x21 => 2,
                0x2C => {
                    self.numbers
                        .extend([1, 3, 5, 7].map(|n| little(start + n, 2)));
                    self.numbers.push(little(start + 9, 1));
                    let data = 10 + table(bytes[start + 9]);
                    self.numbers.push(little(start + data, 1));
                    data + 1
                }
                _ => {
                    self.block(at..at + 1, None, &[]);
                    break;
                }
            };
            let length = little(at, 1);
            while let Some(len) = bytes.get(at).copied() {
                self.numbers.push(little(at, 1));
                at += 1 + usize::from(len);
                if len == 0 {
                    break;
                }
            }
            self.block(start..at.min(bytes.len()), Some(length), &[]);
        }
    }

    fn riff(&mut self, bytes: &[u8]) {
        let all = little(4, 4);
        self.numbers.push(all);
        self.block(0..12, Some(all), &[]);
        let mut at = 12;
        while let Some(len) = little(at + 4, 4).get(bytes) {
            let end = (at + 8 + len as usize).next_multiple_of(2);
            let range = at..end.min(bytes.len());
            self.every_number(at + 8..range.end.min(at + 24));
            self.block(range, Some(little(at + 4, 4)), &[all]);
            at = end;
        }
    }

    fn tiff(&mut self, bytes: &[u8], base: usize) {
        self.numbers.push(little(base + 4, 4));
        let first = little(base + 4, 4).get(bytes);
        let mut queue: Vec<u64> = first.into_iter().collect();
        while let Some(offset) = queue.pop() {
            let at = base + offset as usize;
            let Some(count) = little(at, 2).get(bytes).filter(|_| offset > 0) else {
                continue;
            };
            self.numbers.push(little(at, 2));
            let end = at + 2 + 12 * count as usize;
            for entry in (at + 2..end).step_by(12) {
                self.block(entry..entry + 12, None, &[]);
                self.numbers
                    .extend([little(entry, 2), little(entry + 2, 2)]);
                self.numbers
                    .extend([little(entry + 4, 4), little(entry + 8, 4)]);
                self.numbers.push(little(entry + 8, 2));
                if matches!(little(entry, 2).get(bytes), Some(0x8769 | 0x8825 | 0x14A)) {
                    queue.extend(little(entry + 8, 4).get(bytes));
                }
            }
            self.numbers.push(little(end, 4));
            queue.extend(little(end, 4).get(bytes));
            if queue.len() > 8 {
                break;
            }
        }
    }

    fn bmp(&mut self, bytes: &[u8]) {
        let data = little(10, 4).get(bytes).unwrap_or(54) as usize;
        self.block(0..14, None, &[]);
        self.block(14..data, Some(little(14, 4)), &[]);
        self.quarters(data..bytes.len());
        let long = [2, 10, 14, 18, 22, 30, 34, 46];
        self.numbers.extend(long.map(|at| little(at, 4)));
        self.numbers.extend([26, 28].map(|at| little(at, 2)));
    }

    fn ico(&mut self, bytes: &[u8]) {
        self.block(0..6, None, &[]);
        self.block(6..22, None, &[]);
        self.quarters(22..bytes.len());
        self.numbers.extend([2, 4, 10, 12].map(|at| little(at, 2)));
        self.numbers.extend([6, 7, 8].map(|at| little(at, 1)));
        self.numbers.extend([14, 18].map(|at| little(at, 4)));
        self.numbers
            .extend((22..64).step_by(4).map(|at| little(at, 4)));
    }

    fn tga(&mut self, bytes: &[u8]) {
        self.block(0..18, None, &[]);
        self.quarters(18..bytes.len());
        self.numbers
            .extend([0, 1, 2, 7, 16, 17].map(|at| little(at, 1)));
        self.numbers
            .extend([3, 5, 8, 10, 12, 14].map(|at| little(at, 2)));
    }

    fn pnm(&mut self, bytes: &[u8]) {
        let mut at = 2;
        for _ in 0..3 {
            while bytes[at].is_ascii_whitespace() {
                at += 1;
            }
            let start = at;
            while bytes[at].is_ascii_digit() {
                at += 1;
            }
            self.digits.push(start..at);
        }
        self.block(0..at + 1, None, &[]);
        self.quarters(at + 1..bytes.len());
    }

    fn psd(&mut self, bytes: &[u8]) {
        self.block(0..26, None, &[]);
        self.numbers.extend([4, 12, 22, 24].map(|at| big(at, 2)));
        self.numbers.extend([14, 18].map(|at| big(at, 4)));
        let mut at = 26;
        for _ in 0..3 {
            let end = at + 4 + big(at, 4).get(bytes).unwrap_or(0) as usize;
            self.block(at..end, Some(big(at, 4)), &[]);
            self.numbers.push(big(at, 4));
            at = end;
        }
        self.block(at..at + 2, None, &[]);
        self.numbers.push(big(at, 2));
        self.quarters(at + 2..bytes.len());
    }

    fn raf(&mut self, bytes: &[u8]) {
        let jpeg = big(84, 4).get(bytes).unwrap_or(160) as usize;
        self.block(0..84, None, &[]);
        self.block(84..jpeg, None, &[]);
        self.every_number(84..140);
        self.jpeg(bytes, jpeg);
    }

    /// Boxes of ISO base media files, JPEG 2000 and JPEG XL.
    fn boxes(&mut self, bytes: &[u8], range: Range<usize>, around: &[Number]) {
        let mut at = range.start;
        while let Some(len) = big(at, 4).get(bytes).filter(|_| at + 8 <= range.end) {
            let (mut length, mut head) = (big(at, 4), 8);
            let mut end = at + len as usize;
            if len == 1 {
                (length, head) = (big(at + 8, 8), 16);
                end = at + length.get(bytes).unwrap_or(16) as usize;
            }
            let to_the_end = len == 0;
            let end = if to_the_end { range.end } else { end }.min(range.end);
            self.block(at..end, (!to_the_end).then_some(length), around);
            let inner: Vec<Number> = around.iter().copied().chain([length]).collect();
            let inner = if to_the_end { around } else { &inner };
            let start = at + head;
            match &bytes[at + 4..at + 8] {
                b"iprp" | b"ipco" | b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"jp2h" => {
                    self.boxes(bytes, start..end, inner);
                }
                b"meta" | b"iref" => self.boxes(bytes, start + 4..end, inner),
                b"iinf" => {
                    self.every_number(start..start + 6);
                    self.boxes(bytes, start + 6..end, inner);
                }
                b"stsd" => self.boxes(bytes, start + 8..end, inner),
                b"jp2c" => self.codestream(bytes, start..end, inner),
                b"mdat" | b"jxlc" => self.every_number(start..(start + 16).min(end)),
                _ => self.every_number(start..(start + 96).min(end)),
            }
            at = end.max(at + 8);
        }
    }
}
