//! Makes small files: JPEGs by their markers, TIFF structures, boxes.

/// Samples that no marker hides in.
fn samples(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 200) as u8).collect()
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 2).unwrap();
    [&[0xFF, marker], &len.to_be_bytes()[..], body].concat()
}

/// A JPEG by its markers only, with `sof` as its frame's marker and `app` segments first.
pub(super) fn jpeg_with(sof: u8, width: u16, height: u16, apps: &[&[u8]], data: usize) -> Vec<u8> {
    let mut frame = vec![8];
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.extend([3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    let mut out = vec![0xFF, 0xD8];
    for app in apps {
        out.extend(segment(0xE1, app));
    }
    out.extend(segment(0xDB, &[1; 65]));
    out.extend(segment(sof, &frame));
    out.extend(segment(0xDA, &[3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]));
    out.extend(samples(data));
    out.extend([0xFF, 0xD9]);
    out
}

pub(super) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    jpeg_with(0xC0, width, height, &[], 500)
}

/// A value of a TIFF entry.
#[derive(Clone)]
pub(super) enum Value {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Rational(Vec<(u32, u32)>),
    Ascii(&'static str),
    Bytes(Vec<u8>),
    /// The offset of a blob, by its index.
    Blob(usize),
    /// The offsets of directories of [`Tiff::directories`], by their indices.
    Directories(Vec<usize>),
}

pub(super) fn short(v: u16) -> Value {
    Value::Short(vec![v])
}

pub(super) fn directory(index: usize) -> Value {
    Value::Directories(vec![index])
}

pub(super) fn long(v: usize) -> Value {
    Value::Long(vec![u32::try_from(v).unwrap()])
}

/// A TIFF structure to be.
#[derive(Default, Clone)]
pub(super) struct Tiff {
    pub(super) is_big_endian: bool,
    pub(super) mark: Option<[u8; 4]>,
    /// Bytes between the header and the first directory.
    pub(super) after_header: Vec<u8>,
    pub(super) directories: Vec<Vec<(u16, Value)>>,
    pub(super) blobs: Vec<Vec<u8>>,
    /// Each directory of this many from the first on names the one after it as the next.
    pub(super) chained: usize,
}

impl Tiff {
    fn u16(&self, v: u16) -> [u8; 2] {
        if self.is_big_endian {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    }

    fn u32(&self, v: usize) -> [u8; 4] {
        let v = u32::try_from(v).unwrap();
        if self.is_big_endian {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    }

    /// Field type, count and bytes of a value.
    fn encode(
        &self,
        value: &Value,
        blobs: &[usize],
        directories: &[usize],
    ) -> (u16, usize, Vec<u8>) {
        match value {
            Value::Short(v) => (3, v.len(), v.iter().flat_map(|v| self.u16(*v)).collect()),
            Value::Long(v) => (
                4,
                v.len(),
                v.iter().flat_map(|v| self.u32(*v as usize)).collect(),
            ),
            Value::Rational(v) => {
                let numbers = v.iter().flat_map(|(a, b)| [*a, *b]);
                (
                    5,
                    v.len(),
                    numbers.flat_map(|n| self.u32(n as usize)).collect(),
                )
            }
            Value::Ascii(text) => (2, text.len() + 1, [text.as_bytes(), b"\0"].concat()),
            Value::Bytes(v) => (7, v.len(), v.clone()),
            Value::Blob(i) => (4, 1, self.u32(blobs[*i]).to_vec()),
            Value::Directories(v) => {
                let offsets = v.iter().flat_map(|i| self.u32(directories[*i]));
                (4, v.len(), offsets.collect())
            }
        }
    }

    /// The bytes: header, directories, their values, then the blobs.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Lengths do not depend on offsets, so a first round with zeros finds the offsets.
        let mut directories = vec![0; self.directories.len()];
        let mut blobs = vec![0; self.blobs.len()];
        self.round(&mut directories, &mut blobs);
        self.round(&mut directories, &mut blobs)
    }

    fn round(&self, directories: &mut [usize], blobs: &mut [usize]) -> Vec<u8> {
        let plain = if self.is_big_endian {
            *b"MM\0*"
        } else {
            *b"II*\0"
        };
        let mut out = self.mark.unwrap_or(plain).to_vec();
        out.extend(self.u32(8 + self.after_header.len()));
        out.extend(&self.after_header);
        let known = (directories.to_vec(), blobs.to_vec());
        for (i, directory) in self.directories.iter().enumerate() {
            directories[i] = out.len();
            let mut values = Vec::new();
            let values_at = out.len() + 2 + 12 * directory.len() + 4;
            out.extend(self.u16(directory.len() as u16));
            for (tag, value) in directory {
                let (kind, count, data) = self.encode(value, &known.1, &known.0);
                out.extend(self.u16(*tag));
                out.extend(self.u16(kind));
                out.extend(self.u32(count));
                if data.len() <= 4 {
                    out.extend(data.iter().copied().chain([0; 4]).take(4));
                } else {
                    out.extend(self.u32(values_at + values.len()));
                    values.extend(data);
                }
            }
            let has_next = i < self.chained;
            let next = if has_next {
                values_at + values.len()
            } else {
                0
            };
            out.extend(self.u32(next));
            out.extend(values);
        }
        for (i, blob) in self.blobs.iter().enumerate() {
            blobs[i] = out.len();
            out.extend(blob);
        }
        out
    }
}

/// A box of an ISO base media file.
pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + body.len()).unwrap();
    [&len.to_be_bytes()[..], kind, body].concat()
}

/// The usual EXIF: a first directory and one with the date.
pub(super) fn exif_block(is_big_endian: bool, orientation: u16) -> Tiff {
    Tiff {
        is_big_endian,
        directories: vec![
            vec![
                (0x010F, Value::Ascii("Maker")),
                (0x0110, Value::Ascii("Camera 1")),
                (0x0112, short(orientation)),
                (0x8769, directory(1)),
            ],
            vec![
                (0x829A, Value::Rational(vec![(1, 250)])),
                (0x9003, Value::Ascii("2020:01:02 03:04:05")),
            ],
        ],
        ..Tiff::default()
    }
}
