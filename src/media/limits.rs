//! How much one picture may cost. Checked on the header, before a single pixel is decoded.

use super::error::InspectError;
use crate::photo::Format;

/// Bounds on one picture. A file beyond any of them gives [`InspectError::TooLarge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest side in pixels. Default 65,535: the most a JPEG, GIF or TGA header can say.
    pub max_side: u32,
    /// Pixels in the file. Default 300 million: above the 200-megapixel phone sensors.
    pub max_pixels: u64,
    /// Bytes one decode may hold, the decoder's own buffers included. Default 512 MiB, which is
    /// 178 megapixels of RGB in formats that are decoded whole; baseline JPEG stays far below.
    pub max_alloc: u64,
    /// Pixels times scans in a progressive JPEG. Every scan walks the whole picture however few
    /// bytes it has, so a small file can ask for hours. Default 3 billion: the usual 10 scans of
    /// 300 megapixels, about two seconds.
    pub max_scan_pixels: u64,
    /// Bytes of metadata handed to the EXIF parser. Default 64 MiB: only a TIFF, whose metadata
    /// may lie anywhere in the file, comes near; a JPEG's block has at most 64 KiB.
    pub max_metadata: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_side: 65_535,
            max_pixels: 300_000_000,
            max_alloc: 512 << 20,
            max_scan_pixels: 3_000_000_000,
            max_metadata: 64 << 20,
        }
    }
}

impl Limits {
    /// The same for pictures of so many million pixels.
    #[must_use]
    pub fn with_megapixels(mut self, most: u64) -> Self {
        self.max_pixels = most.saturating_mul(1_000_000);
        self
    }

    /// Side and area; a picture without either is damaged rather than small.
    pub(super) fn check_size(
        &self,
        format: Format,
        width: u32,
        height: u32,
    ) -> Result<(), InspectError> {
        if width == 0 || height == 0 {
            return Err(InspectError::corrupt(format, "its width or height is zero"));
        }
        let limit = if width.max(height) > self.max_side {
            format!("at most {} pixels a side", self.max_side)
        } else if u64::from(width) * u64::from(height) > self.max_pixels {
            format!("at most {} million pixels", self.max_pixels / 1_000_000)
        } else {
            return Ok(());
        };
        Err(InspectError::TooLarge {
            format,
            width,
            height,
            limit,
        })
    }

    /// Memory, for a decode that will hold `bytes`: within the limit, and there to be had now.
    pub(super) fn check_alloc(
        &self,
        format: Format,
        (width, height): (u32, u32),
        bytes: u64,
    ) -> Result<(), InspectError> {
        if bytes <= self.max_alloc {
            return is_to_be_had(bytes)
                .then_some(())
                .ok_or(InspectError::NoMemory { format });
        }
        let limit = format!(
            "decoding it takes {} of memory, the limit is {}",
            memory(bytes),
            memory(self.max_alloc)
        );
        Err(InspectError::TooLarge {
            format,
            width,
            height,
            limit,
        })
    }

    /// Work, for a JPEG of `scans` scans.
    pub(super) fn check_scans(
        &self,
        (width, height): (u32, u32),
        scans: u32,
    ) -> Result<(), InspectError> {
        let work = u64::from(width) * u64::from(height) * u64::from(scans);
        if work <= self.max_scan_pixels {
            return Ok(());
        }
        let limit = format!("its {scans} progressive scans are too much work");
        Err(InspectError::TooLarge {
            format: Format::Jpeg,
            width,
            height,
            limit,
        })
    }
}

/// Whether the system would give so much memory now. Decoders ask for theirs in ways that end the
/// process if it is refused; asked first, it costs one photo. The pages are never touched.
fn is_to_be_had(bytes: u64) -> bool {
    /// Less is refused only where nothing goes on anyhow.
    const WORTH_ASKING: u64 = 1 << 20;
    let mut probe = Vec::<u8>::new();
    bytes < WORTH_ASKING
        || usize::try_from(bytes).is_ok_and(|bytes| probe.try_reserve_exact(bytes).is_ok())
}

/// An amount of memory in the largest unit that leaves at least one of it.
fn memory(bytes: u64) -> String {
    let (unit, name) = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes >> shift > 0)
        .unwrap_or((0, "bytes"));
    let tenths = (u128::from(bytes) * 10) >> unit;
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_a_unit_of_its_size() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (4096, "4 KiB"),
            (512 << 20, "512 MiB"),
            (3 << 29, "1.5 GiB"),
            (1 << 40, "1 TiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(memory(bytes), text);
        }
    }
}
