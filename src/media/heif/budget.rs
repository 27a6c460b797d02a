//! The limits while one picture is decoded: sizes, memory and work.
//!
//! Memory is reckoned from headers before it is taken: three bytes a pixel for the picture as it is shown, one
//! more with alpha, and what the decoder holds for the one frame that it is at (`Stream::memory` of each codec).

use super::frame::Header;
use crate::media::facts::NoPixels;
use crate::media::limits::Limits;

/// How many pixels may be decoded for each that the picture has, and how many coded bytes for each of the
/// file. Layers of an overlay, alpha planes and the tiles' parts outside of the picture need some; endless
/// repetition needs more.
const MAX_WORK: u64 = 4;

/// Pixels that may be decoded besides.
const SPARE_WORK: u64 = 16 << 20;

/// The fewest pixels that any frame counts for: setting up a decoder costs about as much as decoding so many.
const FRAME_WORK: u64 = 4096;

/// What is left to one call.
pub(super) struct Budget<'l> {
    pub(super) limits: &'l Limits,
    /// Bytes held now, as reckoned.
    held: u64,
    /// Pixels that may still be decoded.
    pixels: u64,
    /// Coded bytes that may still be decoded.
    coded_bytes: u64,
}

impl<'l> Budget<'l> {
    /// For a picture of this size in a file of so many bytes. Refused if it is over the limits.
    pub(super) fn new(
        limits: &'l Limits,
        width: u32,
        height: u32,
        file: u64,
    ) -> Result<Self, NoPixels> {
        let mut budget = Self {
            limits,
            held: 0,
            pixels: 0,
            coded_bytes: MAX_WORK.saturating_mul(file),
        };
        budget.check_size(width, height)?;
        let pixels = u64::from(width) * u64::from(height);
        budget.pixels = MAX_WORK.saturating_mul(pixels).saturating_add(SPARE_WORK);
        Ok(budget)
    }

    /// Refuses a size over the limits.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), NoPixels> {
        let (side, most) = (width.max(height), self.limits.max_side);
        if side > most {
            return Err(NoPixels::TooLarge(format!(
                "{side} pixels on one side, more than {most}"
            )));
        }
        let (pixels, most) = (u64::from(width) * u64::from(height), self.limits.max_pixels);
        if pixels > most {
            return Err(NoPixels::TooLarge(format!(
                "{pixels} pixels, more than {most}"
            )));
        }
        Ok(())
    }

    /// Reckons with so many bytes more.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<(), NoPixels> {
        let sum = self.held.saturating_add(bytes);
        if sum > self.limits.max_alloc {
            let (needed, most) = (sum.div_ceil(1 << 20), self.limits.max_alloc >> 20);
            return Err(NoPixels::TooLarge(format!(
                "{needed} MiB of memory to decode, more than {most} MiB"
            )));
        }
        self.held = sum;
        Ok(())
    }

    /// Reckons with so many bytes less.
    pub(super) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Holds a frame that is about to be decoded against all limits.
    pub(super) fn prepare(&mut self, header: &Header, memory: u64) -> Result<(), NoPixels> {
        self.check_size(header.width, header.height)?;
        let left = self.pixels.checked_sub(header.pixels().max(FRAME_WORK));
        self.pixels = left.ok_or_else(|| {
            NoPixels::TooLarge("far more to decode than such a picture needs".into())
        })?;
        self.hold(memory)
    }

    /// Counts coded data that is about to be decoded.
    pub(super) fn spend_bytes(&mut self, bytes: u64) -> Result<(), NoPixels> {
        let left = self.coded_bytes.checked_sub(bytes);
        self.coded_bytes =
            left.ok_or_else(|| NoPixels::TooLarge("far more coded data than the file has".into()))?;
        Ok(())
    }
}
