//! Decoded frames, of whichever codec: planes of samples, and how they are to be read.

use super::av1;
use super::properties::Nclx;
use crate::media::facts::NoPixels;

/// What a codec's header says of the frame that follows. Read before anything is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Size of the frame as coded, with padding.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) chroma: Chroma,
    /// Bits a sample, the larger of luma's and chroma's.
    pub(super) depth: u8,
    pub(super) siting: Siting,
    /// Colour as the stream tells it. Counts only where the container says nothing.
    pub(super) nclx: Nclx,
}

/// Which part of the colour planes is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chroma {
    /// 4:0:0: luma alone.
    None,
    /// 4:2:0: half the width and half the height.
    Half,
    /// 4:2:2: half the width.
    HalfWidth,
    /// 4:4:4.
    Full,
}

/// Where samples of subsampled chroma lie: between the luma samples, or on the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Siting {
    pub(super) is_between_columns: bool,
    pub(super) is_between_rows: bool,
}

impl Chroma {
    /// By how much the chroma planes are smaller, as shifts across and down. `None`: they are not there.
    pub(super) fn shifts(self) -> Option<(u32, u32)> {
        match self {
            Self::None => None,
            Self::Half => Some((1, 1)),
            Self::HalfWidth => Some((1, 0)),
            Self::Full => Some((0, 0)),
        }
    }

    /// Samples of all planes for so many pixels.
    fn samples(self, pixels: u64) -> u64 {
        match self {
            Self::None => pixels,
            Self::Half => pixels * 3 / 2,
            Self::HalfWidth => pixels * 2,
            Self::Full => pixels * 3,
        }
    }
}

impl Header {
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of all planes if a sample takes so many.
    pub(super) fn plane_bytes(&self, sample: u64) -> u64 {
        self.chroma.samples(self.pixels()) * sample
    }
}

/// A decoded frame.
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) chroma: Chroma,
    /// Bits a luma sample and bits a chroma sample.
    pub(super) depths: [u8; 2],
    pub(super) siting: Siting,
    pub(super) samples: Samples,
}

/// Where the samples of a frame are.
pub(super) enum Samples {
    /// Rows without padding, one plane after the other.
    Planes([Vec<u16>; 3]),
    /// In the AV1 decoder's own buffers.
    Av1(Box<av1::Buffers>),
}

impl Frame {
    /// Width and height of a plane (0 is luma).
    pub(super) fn plane_size(&self, plane: usize) -> (u32, u32) {
        match (plane, self.chroma.shifts()) {
            (0, _) => (self.width, self.height),
            (_, None) => (0, 0),
            (_, Some((across, down))) => (
                (self.width + across) >> across,
                (self.height + down) >> down,
            ),
        }
    }

    /// Copies the start of a row of a plane into `row`, which must not be wider than the plane. Refused
    /// where the plane has no such row.
    pub(super) fn read_row(&self, plane: usize, y: u32, row: &mut [u16]) -> Result<(), NoPixels> {
        let is_read = match &self.samples {
            Samples::Planes(planes) => {
                let start = y as usize * self.plane_size(plane).0 as usize;
                let found = planes
                    .get(plane)
                    .and_then(|plane| plane.get(start..start + row.len()));
                found.map(|found| row.copy_from_slice(found)).is_some()
            }
            Samples::Av1(buffers) => buffers.read_row(plane, y, row),
        };
        is_read
            .then_some(())
            .ok_or_else(|| NoPixels::Corrupt("a decoded picture is too small".into()))
    }
}
