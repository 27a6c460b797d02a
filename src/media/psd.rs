//! Photoshop files (PSD, and PSB for large ones): metadata, and the merged picture that they carry for other programs.
//!
//! Layers are not read: a file that was saved without its merged picture is refused. Where the picture is transparent,
//! Photoshop has laid it over white already, so extra channels are left out.

mod rows;

use std::borrow::Cow;
use std::ops::Range;

use crate::media::facts::{Facts, NoPixels};
use crate::media::limits::Limits;
use crate::media::picture::{Channels, Picture};
use crate::media::psd::rows::Rows;
use crate::media::srgb;

/// Image resource numbers, from Adobe's file format specification.
const THUMBNAIL: u16 = 1036;
const VERSION_INFO: u16 = 1057;
const EXIF: u16 = 1058;
const XMP: u16 = 1060;

/// Length of the header before the first section.
const HEADER: usize = 26;

/// Size, EXIF and XMP.
pub fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Facts<'a>, NoPixels> {
    let header = Header::read(bytes)?;
    let block =
        |id| resource(bytes, id).filter(|b| !b.is_empty() && b.len() <= limits.max_metadata);
    let exif = block(EXIF).map(|b| b.strip_prefix(b"Exif\0\0").unwrap_or(b));
    Ok(Facts {
        width: header.width,
        height: header.height,
        is_upright: false,
        exif: exif.map(Cow::Borrowed),
        xmp: block(XMP).map(Cow::Borrowed),
    })
}

/// Where in the file its thumbnail is: a JPEG stream, usually of 160 pixels.
pub fn thumbnail(bytes: &[u8]) -> Option<Range<usize>> {
    /// Kind, width, height, bytes a row, size, compressed size, bits, planes.
    const THUMBNAIL_HEADER: usize = 28;
    let range = resource_range(bytes, THUMBNAIL)?;
    let is_jpeg = bytes.get(range.clone())?.starts_with(&[0, 0, 0, 1]);
    let stream = range.start + THUMBNAIL_HEADER..range.end;
    let is_whole = bytes.get(stream.clone())?.starts_with(&[0xFF, 0xD8]);
    (is_jpeg && is_whole).then_some(stream)
}

/// The contents of an image resource, by its number.
pub fn resource(bytes: &[u8], id: u16) -> Option<&[u8]> {
    bytes.get(resource_range(bytes, id)?)
}

fn resource_range(bytes: &[u8], wanted: u16) -> Option<Range<usize>> {
    Header::read(bytes).ok()?;
    let colours = section(bytes, HEADER, 4)?;
    find_resource(bytes, section(bytes, colours.end, 4)?, wanted)
}

/// Where the contents of an image resource are, among those in `within`.
pub(crate) fn find_resource(
    bytes: &[u8],
    within: Range<usize>,
    wanted: u16,
) -> Option<Range<usize>> {
    let end = within.end.min(bytes.len());
    let mut at = within.start;
    while at < end {
        // A signature ("8BIM", rarely others), the number, a name, the length, the contents.
        let id = uint(bytes, at + 4, 2)?;
        let name = usize::from(*bytes.get(at + 6)?);
        let sized = at + 6 + (name + 1).next_multiple_of(2);
        let len = uint(bytes, sized, 4)? as usize;
        let start = sized + 4;
        let stop = start.checked_add(len)?;
        if id == u64::from(wanted) {
            return (stop <= end).then_some(start..stop);
        }
        at = stop.checked_next_multiple_of(2)?;
    }
    None
}

/// Contents of a section whose length in `size` bytes is at `at`; may reach beyond the end of a file that is cut off.
fn section(bytes: &[u8], at: usize, size: usize) -> Option<Range<usize>> {
    let len = usize::try_from(uint(bytes, at, size)?).ok()?;
    let start = at + size;
    Some(start..start.checked_add(len)?)
}

/// A big-endian number of `size` bytes.
pub(crate) fn uint(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
}

pub(crate) struct Header {
    /// A PSB file: lengths of some sections have 64 bits, counts of packed rows 32.
    pub(crate) is_large: bool,
    pub(crate) channels: usize,
    width: u32,
    pub(crate) height: u32,
    /// Bits of a sample: 1, 8, 16, or 32 (floats).
    pub(crate) depth: u64,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bitmap,
    Grey,
    Indexed,
    Rgb,
    Cmyk,
    Multichannel,
    Lab,
}

impl Mode {
    /// Channels that are colours.
    fn colours(self) -> usize {
        match self {
            Self::Bitmap | Self::Grey | Self::Indexed => 1,
            Self::Rgb | Self::Lab => 3,
            Self::Cmyk => 4,
            Self::Multichannel => 0,
        }
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, NoPixels> {
        let number = |at, size| uint(bytes, at, size).ok_or(NoPixels::Truncated);
        if !bytes.starts_with(b"8BPS") && !b"8BPS".starts_with(bytes) {
            return Err(corrupt("it does not start like a Photoshop file"));
        }
        let is_large = match number(4, 2)? {
            1 => false,
            2 => true,
            _ => return Err(corrupt("its version is none that exists")),
        };
        let mode = match number(24, 2)? {
            0 => Mode::Bitmap,
            1 | 8 => Mode::Grey, // 8: duotone, whose inks only Photoshop knows
            2 => Mode::Indexed,
            3 => Mode::Rgb,
            4 => Mode::Cmyk,
            7 => Mode::Multichannel,
            9 => Mode::Lab,
            _ => return Err(corrupt("its colour mode is none that exists")),
        };
        Ok(Self {
            is_large,
            channels: number(12, 2)? as usize,
            height: number(14, 4)? as u32,
            width: number(18, 4)? as u32,
            depth: number(22, 2)?,
            mode,
        })
    }

    /// Bytes of a row of one channel.
    pub(crate) fn stride(&self) -> usize {
        (self.width as usize * self.depth as usize).div_ceil(8)
    }

    fn check(&self, limits: &Limits) -> Result<(), NoPixels> {
        crate::media::room::check_size(self.width, self.height, limits)?;
        let fits = match self.mode {
            Mode::Bitmap => self.depth == 1,
            Mode::Indexed => self.depth == 8,
            Mode::Grey | Mode::Rgb => matches!(self.depth, 8 | 16 | 32),
            Mode::Cmyk | Mode::Lab => matches!(self.depth, 8 | 16),
            Mode::Multichannel => {
                return Err(NoPixels::Unsupported("multichannel colours".to_owned()));
            }
        };
        if !fits || self.channels < self.mode.colours() || self.channels > 56 {
            return Err(corrupt("its channels do not fit its colour mode"));
        }
        let step = self
            .mode
            .colours()
            .max(if self.mode == Mode::Indexed { 3 } else { 1 });
        let needed = u64::from(self.width) * u64::from(self.height) * step as u64;
        if needed > limits.max_alloc {
            let limit = format!(
                "decoding it takes {} MiB of memory, the limit is {} MiB",
                needed >> 20,
                limits.max_alloc >> 20
            );
            return Err(NoPixels::TooLarge(limit));
        }
        Ok(())
    }
}

/// The merged picture.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, NoPixels> {
    let header = Header::read(bytes)?;
    header.check(limits)?;
    if resource(bytes, VERSION_INFO).is_some_and(|info| info.get(4) == Some(&0)) {
        let what = "layers without their merged picture";
        return Err(NoPixels::Unsupported(what.to_owned()));
    }
    let next = |at, size| section(bytes, at, size).ok_or(NoPixels::Truncated);
    let palette = next(HEADER, 4)?;
    let resources = next(palette.end, 4)?;
    let layers = next(resources.end, if header.is_large { 8 } else { 4 })?;
    let data = bytes.get(layers.end..).ok_or(NoPixels::Truncated)?;
    let mut rows = Rows::open(data, &header)?;

    let colours = header.mode.colours();
    let pixels = header.width as usize * header.height as usize;
    // Indices come to lie at the end, where they are not overwritten before they are read.
    let step = if header.mode == Mode::Indexed {
        3
    } else {
        colours
    };
    let mut canvas = crate::media::room::buffer(pixels * step)?;
    canvas.resize(pixels * step, 0);
    let first = pixels * (step - colours);
    let mut row = crate::media::room::buffer(header.stride())?;
    let per_row = header.width as usize * colours;
    for channel in 0..colours {
        for to in canvas[first..].chunks_exact_mut(per_row) {
            rows.next(&mut row)?;
            spread(&row, header.depth, &mut to[channel..], colours);
        }
    }
    let palette = bytes.get(palette).unwrap_or_default();
    Ok(Picture {
        width: header.width,
        height: header.height,
        content: (f64::from(header.width), f64::from(header.height)),
        channels: finish(&mut canvas, header.mode, palette)?,
        data: canvas,
    })
}

/// Puts one channel's row into every `step`th byte, reduced to 8 bits.
fn spread(row: &[u8], depth: u64, to: &mut [u8], step: usize) {
    let to = to.iter_mut().step_by(step);
    match depth {
        1 => {
            // 1 is black.
            for (x, to) in to.enumerate() {
                *to = if row[x / 8] >> (7 - x % 8) & 1 == 1 {
                    0
                } else {
                    255
                };
            }
        }
        32 => {
            for (to, float) in to.zip(row.chunks_exact(4)) {
                let light = f32::from_be_bytes([float[0], float[1], float[2], float[3]]);
                *to = srgb::srgb(light); // linear in Photoshop
            }
        }
        _ => {
            for (to, sample) in to.zip(row.chunks_exact(depth as usize / 8)) {
                *to = sample[0];
            }
        }
    }
}

/// From the file's colours to grey or sRGB, in place.
fn finish(canvas: &mut Vec<u8>, mode: Mode, palette: &[u8]) -> Result<Channels, NoPixels> {
    match mode {
        Mode::Bitmap | Mode::Grey => return Ok(Channels::Grey),
        Mode::Indexed => {
            // All reds, all greens, all blues.
            if palette.len() < 768 {
                return Err(corrupt("its palette is missing"));
            }
            let pixels = canvas.len() / 3;
            for i in 0..pixels {
                let index = usize::from(canvas[2 * pixels + i]);
                for c in 0..3 {
                    canvas[3 * i + c] = palette[256 * c + index];
                }
            }
        }
        // Ink is stored as what it leaves of the light.
        Mode::Cmyk => srgb::in_place(canvas, 4, 3, |pixel, out| {
            let inks = [pixel[0], pixel[1], pixel[2], pixel[3]].map(|v| 255 - v);
            out.copy_from_slice(&srgb::cmyk_to_rgb(&inks));
        }),
        Mode::Lab => srgb::in_place(canvas, 3, 3, |pixel, out| {
            let lab = [pixel[0], pixel[1], pixel[2]];
            out.copy_from_slice(&srgb::lab_to_srgb(lab, false));
        }),
        Mode::Rgb | Mode::Multichannel => {}
    }
    Ok(Channels::Rgb)
}

pub(crate) fn corrupt(why: &str) -> NoPixels {
    NoPixels::Corrupt(why.to_owned())
}

#[cfg(test)]
mod tests;
