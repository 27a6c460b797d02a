//! TIFF pictures of nearly all kinds, as 8-bit grey or sRGB.
//!
//! Reads classic and BigTIFF; strips and tiles; samples together or in planes; 1 to 16-bit, 32-bit and float samples;
//! grey, palette, RGB, CMYK, YCbCr, CIE Lab, with or without alpha; no compression, fax codings, LZW, Deflate, PackBits,
//! JPEG, zstd and LZMA. Refuses by name what it does not read. The first picture of a file counts, in the orientation
//! it is stored in.
//!
//! Memory: the picture (with its alpha), one chunk, and for float grey four bytes a pixel.

mod codec;
mod colour;
mod fax;
mod ifd;
mod layout;
mod lzma;
mod samples;
#[cfg(test)]
mod testing;

use std::borrow::Cow;

use crate::media::facts::{Facts, NoPixels};
use crate::media::icc;
use crate::media::limits::Limits;
use crate::media::picture::{Channels, Picture};
use crate::media::tiff::codec::Extras;
use crate::media::tiff::colour::Canvas;
use crate::media::tiff::ifd::Directory;
use crate::media::tiff::layout::{Compression, Layout, corrupt};

pub(crate) use crate::media::tiff::ifd::iptc;

const JPEG_START: u16 = 513;
const JPEG_LEN: u16 = 514;
const JPEG_TABLES: u16 = 347;
const FAX_OPTIONS: u16 = 292;
const COLOUR_PROFILE: u16 = 34_675;

/// Size and metadata. The EXIF block is the whole file, for EXIF in TIFF points anywhere.
pub fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Facts<'a>, NoPixels> {
    let directory = open(bytes)?;
    let (width, height) = layout::size(&directory).unwrap_or_default();
    let is_classic = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    Ok(Facts {
        width,
        height,
        is_upright: false,
        exif: is_classic.then_some(Cow::Borrowed(bytes)),
        xmp: ifd::xmp(bytes).filter(|packet| packet.len() <= limits.max_metadata),
    })
}

/// The pixels of the first picture.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, NoPixels> {
    let directory = open(bytes)?;
    let layout = Layout::read(&directory, limits)?;
    let sizes = Sizes::of(&layout)?;
    check_memory(&layout, &sizes, limits)?;
    if layout.compression == Compression::OldJpeg {
        return old_jpeg(bytes, &directory, &layout);
    }
    let extras = Extras {
        jpeg_tables: directory.raw(JPEG_TABLES),
        fax_options: directory.number(FAX_OPTIONS).unwrap_or(0),
        is_little: directory.little,
    };
    let mut canvas = Canvas::new(&layout, &directory)?;
    let per_plane = layout.chunks_across() * layout.chunks_down();
    for (i, chunk) in layout.chunks.iter().enumerate() {
        let plane = i / per_plane;
        if plane >= canvas.samples() {
            break; // samples that mean nothing
        }
        let (across, down) = (
            i % layout.chunks_across(),
            i % per_plane / layout.chunks_across(),
        );
        let (x, y) = (
            across as u32 * layout.chunk_width,
            down as u32 * layout.chunk_height,
        );
        let pixels = read_chunk(bytes, *chunk, &layout, &extras, &sizes, layout.height - y)?;
        let is_little = directory.little && layout.predictor != 3;
        canvas.put(&pixels, sizes.stride, is_little, (x, y), plane);
    }
    let mut picture = canvas.finish()?;
    if let Some(profile) = directory.raw(COLOUR_PROFILE) {
        icc::to_srgb(&mut picture, profile);
    }
    Ok(picture)
}

fn open(bytes: &[u8]) -> Result<Directory<'_>, NoPixels> {
    let is_tiff = matches!(
        bytes.get(..4),
        Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+")
    );
    Directory::first(bytes).ok_or(if is_tiff || bytes.len() < 4 {
        NoPixels::Truncated
    } else {
        corrupt("it does not start like a TIFF file")
    })
}

/// Sizes of a chunk's decompressed data.
struct Sizes {
    /// Bytes of a row of samples, or of a row of blocks that share chroma.
    stride: usize,
    /// Rows of pixels that one `stride` is.
    rows: usize,
}

impl Sizes {
    fn of(layout: &Layout) -> Result<Self, NoPixels> {
        let too_large = || NoPixels::TooLarge("more bytes a row than there can be".to_owned());
        let width = layout.chunk_width as usize;
        if layout.subsampling != (1, 1) {
            if layout.is_planar || layout.bits != 8 || layout.samples != 3 {
                return Err(layout::unsupported("an unusual kind of chroma subsampling"));
            }
            let (across, down) = layout.subsampling;
            return Ok(Self {
                stride: width.div_ceil(across) * (across * down + 2),
                rows: down,
            });
        }
        let samples = if layout.is_planar { 1 } else { layout.samples };
        let bits = (width * samples).checked_mul(layout.bits as usize);
        Ok(Self {
            stride: bits.ok_or_else(too_large)?.div_ceil(8),
            rows: 1,
        })
    }

    fn chunk(&self, rows: u32) -> usize {
        (rows as usize)
            .div_ceil(self.rows)
            .saturating_mul(self.stride)
    }
}

fn check_memory(layout: &Layout, sizes: &Sizes, limits: &Limits) -> Result<(), NoPixels> {
    let pixels = u64::from(layout.width) * u64::from(layout.height);
    // A JPEG chunk is decoded with as much again beside it.
    let chunk = (sizes.chunk(layout.chunk_height) as u64).saturating_mul(2);
    let needed = (pixels * Canvas::bytes_per_pixel(layout)).saturating_add(chunk);
    if needed > limits.max_alloc {
        let limit = format!(
            "decoding it takes {} MiB of memory, the limit is {} MiB",
            needed >> 20,
            limits.max_alloc >> 20
        );
        return Err(NoPixels::TooLarge(limit));
    }
    // Tiles may reach beyond the picture, but a narrow picture of wide tiles would be all work and no picture.
    const SLACK: u64 = 256 << 20;
    let work = (sizes.chunk(layout.chunk_height) as u64).saturating_mul(layout.chunks.len() as u64);
    if work > needed.saturating_mul(8).saturating_add(SLACK) {
        return Err(corrupt("its tiles are far larger than its picture"));
    }
    Ok(())
}

/// Decompresses one chunk that has `rows_left` rows of the picture below its top.
fn read_chunk(
    bytes: &[u8],
    (start, len): (u64, u64),
    layout: &Layout,
    extras: &Extras,
    sizes: &Sizes,
    rows_left: u32,
) -> Result<Vec<u8>, NoPixels> {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let rest = bytes.get(start..).ok_or(NoPixels::Truncated)?;
    let is_cut = len != u64::MAX && len > rest.len() as u64;
    let data = &rest[..usize::try_from(len).unwrap_or(usize::MAX).min(rest.len())];
    // Strips end with the picture, tiles do not.
    let rows = if layout.is_tiled {
        layout.chunk_height
    } else {
        layout.chunk_height.min(rows_left)
    };
    let size = sizes.chunk(rows);
    let pixels = codec::decompress(data, layout, extras, rows, size);
    let mut pixels = pixels.map_err(|e| match e {
        NoPixels::Corrupt(_) if is_cut => NoPixels::Truncated,
        e => e,
    })?;
    if layout.predictor != 1 && has_predictor(layout.compression) {
        let samples = if layout.is_planar { 1 } else { layout.samples };
        let is_little = extras.is_little;
        codec::undo_predictor(&mut pixels, sizes.stride, samples, layout, is_little);
    }
    Ok(pixels)
}

/// Only these codings have a predictor; with others the tag means nothing.
fn has_predictor(compression: Compression) -> bool {
    matches!(
        compression,
        Compression::Lzw | Compression::Deflate | Compression::Zstd | Compression::Lzma
    )
}

/// TIFF 6.0's first way to put JPEG into TIFF: readable where it is one whole JPEG stream somewhere in the file.
fn old_jpeg(bytes: &[u8], directory: &Directory, layout: &Layout) -> Result<Picture, NoPixels> {
    let odd = || layout::unsupported("JPEG compression of the old kind");
    let start = directory.number(JPEG_START).ok_or_else(odd)?;
    let start = usize::try_from(start).map_err(|_| NoPixels::Truncated)?;
    let rest = bytes.get(start..).ok_or(NoPixels::Truncated)?;
    let len = directory.number(JPEG_LEN).unwrap_or(u64::MAX);
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
    let stream = &rest[..len];
    let has_scan = stream.windows(2).any(|pair| pair == [0xFF, 0xDA]);
    if !stream.starts_with(&[0xFF, 0xD8]) || !has_scan {
        return Err(odd());
    }
    let size = (layout.width as usize, layout.height as usize);
    let samples = layout.samples;
    if !matches!(samples, 1 | 3) {
        return Err(odd());
    }
    let is_accepted = |w, h, n| (w, h) == size && n == samples;
    let data = codec::jpeg_stream(stream, true, is_accepted)?;
    Ok(Picture {
        width: layout.width,
        height: layout.height,
        content: (f64::from(layout.width), f64::from(layout.height)),
        channels: if samples == 1 {
            Channels::Grey
        } else {
            Channels::Rgb
        },
        data,
    })
}

#[cfg(test)]
mod tests;
