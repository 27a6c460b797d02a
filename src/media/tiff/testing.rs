//! Makes TIFF files for tests.

use crate::media::facts::NoPixels;
use crate::media::limits::Limits;
use crate::media::picture::Picture;
use crate::media::tiff::decode;

/// A TIFF file of one strip or tile after the other, built from tags.
#[derive(Clone)]
pub(crate) struct File {
    is_little: bool,
    is_big: bool,
    pub(crate) tags: Vec<(u16, Vec<u32>)>,
    chunks: Vec<Vec<u8>>,
    is_tiled: bool,
}

/// A picture of this size, with these bits and colours, and its chunks.
pub(crate) fn file(size: (u32, u32), bits: &[u32], colours: u32, chunks: &[&[u8]]) -> File {
    let tags = [
        (256, vec![size.0]),
        (257, vec![size.1]),
        (258, bits.to_vec()),
        (262, vec![colours]),
        (277, vec![bits.len() as u32]),
    ];
    File {
        is_little: true,
        is_big: false,
        tags: tags.to_vec(),
        chunks: chunks.iter().map(|c| c.to_vec()).collect(),
        is_tiled: false,
    }
}

impl File {
    pub(crate) fn with(mut self, tag: u16, values: &[u32]) -> Self {
        self.tags.push((tag, values.to_vec()));
        self
    }

    pub(crate) fn big_endian(mut self) -> Self {
        self.is_little = false;
        self
    }

    pub(crate) fn big_tiff(mut self) -> Self {
        self.is_big = true;
        self
    }

    pub(crate) fn tiled(mut self, width: u32, height: u32) -> Self {
        self.is_tiled = true;
        self.with(322, &[width]).with(323, &[height])
    }

    fn number(&self, out: &mut Vec<u8>, value: u64, size: usize) {
        if self.is_little {
            out.extend_from_slice(&value.to_le_bytes()[..size]);
        } else {
            out.extend_from_slice(&value.to_be_bytes()[8 - size..]);
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = if self.is_little { b"II" } else { b"MM" }.to_vec();
        let word = if self.is_big { 8 } else { 4 };
        self.number(&mut out, if self.is_big { 43 } else { 42 }, 2);
        if self.is_big {
            self.number(&mut out, 8, 2);
            self.number(&mut out, 0, 2);
        }
        let mut tags = self.tags.clone();
        let (starts, lengths) = if self.is_tiled {
            (324, 325)
        } else {
            (273, 279)
        };
        tags.push((starts, vec![0; self.chunks.len()]));
        let len_of = |c: &Vec<u8>| c.len() as u32;
        tags.push((lengths, self.chunks.iter().map(len_of).collect()));
        tags.sort();
        let start = out.len() + word;
        self.number(&mut out, start as u64, word);
        let (counter, entry) = if self.is_big { (8, 20) } else { (2, 12) };
        let mut free = start + counter + tags.len() * entry + word;
        let mut behind = Vec::new();
        // The chunks come first behind the directory, then long values.
        let mut places = Vec::new();
        for chunk in &self.chunks {
            places.push((free + behind.len()) as u32);
            behind.extend_from_slice(chunk);
        }
        free += behind.len();
        let mut long = Vec::new();
        self.number(&mut out, tags.len() as u64, counter);
        for (tag, values) in tags {
            let values = if tag == starts {
                places.clone()
            } else {
                values
            };
            self.number(&mut out, u64::from(tag), 2);
            self.number(&mut out, 4, 2);
            self.number(&mut out, values.len() as u64, word);
            let mut inside = Vec::new();
            for value in values {
                self.number(&mut inside, u64::from(value), 4);
            }
            if inside.len() <= word {
                inside.resize(word, 0);
                out.extend_from_slice(&inside);
            } else {
                self.number(&mut out, (free + long.len()) as u64, word);
                long.extend_from_slice(&inside);
            }
        }
        self.number(&mut out, 0, word);
        out.extend_from_slice(&behind);
        out.extend_from_slice(&long);
        out
    }

    pub(crate) fn decoded(&self) -> Result<Picture, NoPixels> {
        decode(&self.bytes(), &Limits::default())
    }
}
