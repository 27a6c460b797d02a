//! What a JPEG's markers say, read without decoding: size, kind, EXIF block, and whether every
//! scan the picture needs is in the file.
//!
//! The first part, up to the first scan, costs microseconds. [`Layout::scans`] walks the
//! compressed data too (about a millisecond a megabyte) and is asked only where it matters.

/// How the coefficients are coded, as far as it decides who can decode them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Baseline,
    Progressive,
    /// Arithmetic instead of Huffman, `progressive` or not.
    Arithmetic {
        progressive: bool,
    },
    /// Lossless, hierarchical: nothing a camera writes.
    Exotic,
}

/// The frame header (SOF).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) coding: Coding,
    /// Bits a sample.
    pub(super) precision: u8,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Of each component: identifier, horizontal and vertical sampling.
    pub(super) components: Vec<(u8, u8, u8)>,
}

impl Frame {
    /// Bytes the decoder keeps when it must hold all coefficients at once: two a sample.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        let h_max = u64::from(
            self.components
                .iter()
                .map(|c| c.1)
                .max()
                .unwrap_or(1)
                .max(1),
        );
        let v_max = u64::from(
            self.components
                .iter()
                .map(|c| c.2)
                .max()
                .unwrap_or(1)
                .max(1),
        );
        let padded = |side: u32, unit: u64| u64::from(side).div_ceil(8 * unit) * 8;
        self.components
            .iter()
            .map(|(_, h, v)| {
                2 * padded(self.width, h_max)
                    * u64::from(*h)
                    * padded(self.height, v_max)
                    * u64::from(*v)
            })
            .sum()
    }
}

/// All scans of the file, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scans {
    pub(super) count: u32,
    /// Every coefficient of every component is there to its last bit.
    pub(super) complete: bool,
    /// The end marker was found.
    pub(super) ended: bool,
    /// Something else stands where a scan's marker should be.
    pub(super) strays: bool,
}

/// The markers up to the first scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout<'a> {
    bytes: &'a [u8],
    /// Absent when the header is not whole.
    pub(super) frame: Option<Frame>,
    /// The TIFF structure inside the first EXIF segment.
    pub(super) exif: Option<&'a [u8]>,
    /// Adobe's marker is there: CMYK samples are stored inverted.
    pub(super) adobe: bool,
    /// Offset of the first scan's marker, and how many components that scan holds.
    first_scan: Option<(usize, u8)>,
}

impl<'a> Layout<'a> {
    /// Reads the markers of `bytes` up to the first scan; never fails, what is missing is `None`.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut layout = Self {
            bytes,
            frame: None,
            exif: None,
            adobe: false,
            first_scan: None,
        };
        for (marker, body, start) in segments(bytes) {
            match marker {
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                    layout.frame = layout.frame.or_else(|| frame(marker, body));
                }
                0xE1 if layout.exif.is_none() => {
                    layout.exif = body.strip_prefix(b"Exif\0").and_then(|b| b.get(1..));
                }
                0xEE => layout.adobe |= body.starts_with(b"Adobe"),
                0xDA => {
                    layout.first_scan = Some((start, body.first().copied().unwrap_or(0)));
                }
                _ => {}
            }
        }
        layout
    }

    /// True when there is a scan to decode at all.
    pub(super) fn has_scan(&self) -> bool {
        self.first_scan.is_some()
    }

    /// Bytes from the first scan on that are not the zeros a copy is preallocated with.
    pub(super) fn scan_bytes(&self) -> usize {
        let data = self.first_scan.and_then(|(at, _)| self.bytes.get(at..));
        let data = data.unwrap_or_default();
        data.iter()
            .rposition(|b| *b != 0)
            .map_or(0, |last| last + 1)
    }

    /// True when the decoder must gather several scans before it has a picture.
    pub(super) fn is_multi_scan(&self) -> bool {
        let Some(frame) = &self.frame else {
            return false;
        };
        match frame.coding {
            Coding::Progressive | Coding::Arithmetic { progressive: true } => true,
            _ => self
                .first_scan
                .is_some_and(|(_, n)| usize::from(n) < frame.components.len()),
        }
    }

    /// Walks all scans to the end of the picture.
    pub(super) fn scans(&self) -> Scans {
        let mut scans = Scans {
            count: 0,
            complete: false,
            ended: false,
            strays: false,
        };
        let (Some(frame), Some((start, _))) = (&self.frame, self.first_scan) else {
            return scans;
        };
        // Per component and coefficient: how many low bits are still missing. 255: all of them.
        let mut missing = vec![[u8::MAX; 64]; frame.components.len()];
        let mut at = start;
        while let Some((marker, body, found)) = next_segment(self.bytes, at) {
            let between = self.bytes.get(at..found).unwrap_or_default();
            // Markers may have any number of these before them.
            scans.strays |= between.iter().any(|b| *b != 0xFF);
            at = body.as_ptr() as usize - self.bytes.as_ptr() as usize + body.len();
            match marker {
                0xDA => {
                    scans.count += 1;
                    note_scan(frame, body, &mut missing);
                    at = end_of_scan(self.bytes, at);
                }
                0xD9 => {
                    scans.ended = true;
                    break;
                }
                _ => {}
            }
        }
        scans.complete = missing.iter().all(|c| c.iter().all(|bits| *bits == 0));
        scans
    }
}

/// The segments up to the first scan's header or the end mark, with it: marker, body, offset.
pub(super) fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8], usize)> {
    let mut at = Some(2);
    std::iter::from_fn(move || {
        let segment = next_segment(bytes, at?)?;
        let (marker, body, _) = segment;
        let end = body.as_ptr() as usize - bytes.as_ptr() as usize + body.len();
        at = (!matches!(marker, 0xDA | 0xD9)).then_some(end);
        Some(segment)
    })
}

/// The next marker at or after `at`: its code, its body (empty where it has none), its offset.
fn next_segment(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let mut at = at;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == 0xFF)?;
        let marker = *bytes.get(at + 1)?;
        match marker {
            // Stuffing, fill bytes, restart markers, TEM, a second SOI: no body, go on.
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => return Some((marker, &bytes[at + 2..at + 2], at)),
            _ => {
                let len = bytes.get(at + 2..at + 4)?;
                let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                let body = bytes.get(at + 4..at + 2 + len.max(2))?;
                return Some((marker, body, at));
            }
        }
    }
}

/// Offset of the first marker after compressed data that is not part of that data.
fn end_of_scan(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(i) = bytes
        .get(at..)
        .and_then(|b| b.iter().position(|b| *b == 0xFF))
    {
        at += i;
        match bytes.get(at + 1) {
            Some(0x00 | 0xD0..=0xD7) => at += 2,
            Some(0xFF) => at += 1,
            _ => return at,
        }
    }
    bytes.len()
}

fn frame(marker: u8, body: &[u8]) -> Option<Frame> {
    let [precision, h1, h0, w1, w0, n, components @ ..] = body else {
        return None;
    };
    let coding = match marker {
        0xC0 | 0xC1 => Coding::Baseline,
        0xC2 => Coding::Progressive,
        0xC9 => Coding::Arithmetic { progressive: false },
        0xCA => Coding::Arithmetic { progressive: true },
        _ => Coding::Exotic,
    };
    let components = components
        .as_chunks::<3>()
        .0
        .iter()
        .take(usize::from(*n))
        .map(|&[id, sampling, _]| (id, sampling >> 4, sampling & 15))
        .collect();
    Some(Frame {
        coding,
        precision: *precision,
        width: u32::from(u16::from_be_bytes([*w1, *w0])),
        height: u32::from(u16::from_be_bytes([*h1, *h0])),
        components,
    })
}

/// Marks what one scan header brings: its components, coefficients Ss to Se, down to bit Al.
fn note_scan(frame: &Frame, body: &[u8], missing: &mut [[u8; 64]]) {
    let Some((count, rest)) = body.split_first() else {
        return;
    };
    let Some((selectors, &[from, to, bits])) = rest
        .split_at_checked(2 * usize::from(*count))
        .and_then(|(s, tail)| Some((s, tail.first_chunk::<3>()?)))
    else {
        return;
    };
    // Sequential coding always brings everything, whatever these bytes say.
    let (from, to, low) = match frame.coding {
        Coding::Progressive | Coding::Arithmetic { progressive: true } => (from, to, bits & 15),
        _ => (0, 63, 0),
    };
    for selector in selectors.as_chunks::<2>().0 {
        let component = frame.components.iter().position(|c| c.0 == selector[0]);
        if let Some(coefficients) = component.and_then(|i| missing.get_mut(i)) {
            let range = usize::from(from.min(63))..=usize::from(to.min(63));
            if range.start() <= range.end() {
                coefficients[range].fill(low);
            }
        }
    }
}
