//! Chunks of a TIFF file: decompressed, with the predictor undone, samples still as the file has them.

use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;
use weezl::BitOrder;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::media::facts::NoPixels;
use crate::media::room::{buffer, pack_bits_row};
use crate::media::tiff::layout::{Colours, Compression, Layout, corrupt, unsupported};

/// What goes with all chunks of one picture.
pub(crate) struct Extras<'a> {
    /// Quantisation and Huffman tables that the chunks' JPEG streams leave out: tag 347.
    pub(crate) jpeg_tables: Option<&'a [u8]>,
    /// Tag 292.
    pub(crate) fax_options: u64,
    /// Samples are in the order of Intel's processors.
    pub(crate) is_little: bool,
}

/// Where the bytes of a compressed chunk end: at least as many as a JPEG stream's own header takes.
const MIN_JPEG: usize = 4;

/// Decompresses one chunk of `rows` rows to exactly `len` bytes.
///
/// `data` is what the file has of the chunk.
pub(crate) fn decompress(
    data: &[u8],
    layout: &Layout,
    extras: &Extras,
    rows: u32,
    len: usize,
) -> Result<Vec<u8>, NoPixels> {
    if layout.is_fax() {
        let size = (layout.chunk_width, rows);
        let coding = layout.compression;
        let options = extras.fax_options;
        return crate::media::tiff::fax::decode(data, layout.is_reversed, coding, options, size);
    }
    if layout.compression == Compression::Jpeg {
        return jpeg(data, layout, extras, rows, len);
    }
    let turned: Vec<u8>;
    let data = if layout.is_reversed {
        turned = reversed(data)?;
        &turned
    } else {
        data
    };
    let out = match layout.compression {
        Compression::None => copy(data, len),
        Compression::Lzw => read(LzwReader::new(data), len),
        Compression::PackBits => pack_bits(data, len),
        Compression::Deflate => read(ZlibDecoder::new(data), len),
        Compression::Zstd => zstd(data, len),
        Compression::Lzma => crate::media::tiff::lzma::decode(data, len),
        _ => Err(unsupported("an unusual compression")),
    }?;
    if out.len() < len {
        return Err(NoPixels::Truncated);
    }
    Ok(out)
}

fn copy(data: &[u8], len: usize) -> Result<Vec<u8>, NoPixels> {
    let mut out = buffer(len)?;
    out.extend_from_slice(&data[..len.min(data.len())]);
    Ok(out)
}

fn reversed(data: &[u8]) -> Result<Vec<u8>, NoPixels> {
    let mut out = buffer(data.len())?;
    out.extend(data.iter().map(|b| b.reverse_bits()));
    Ok(out)
}

/// Up to `len` bytes of what a decoder gives. An error behind the first bytes counts as the end.
fn read(decoder: impl Read, len: usize) -> Result<Vec<u8>, NoPixels> {
    let mut out = buffer(len)?;
    let result = decoder.take(len as u64).read_to_end(&mut out);
    match result {
        Ok(_) => Ok(out),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(NoPixels::Truncated),
        Err(_) => Err(corrupt("its compressed data is broken")),
    }
}

/// TIFF's LZW as a reader that stops where it is told, however much there is to come.
struct LzwReader<'a> {
    data: &'a [u8],
    decoder: weezl::decode::Decoder,
}

impl<'a> LzwReader<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            decoder: weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
        }
    }
}

impl Read for LzwReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let result = self.decoder.decode_bytes(self.data, out);
            self.data = self.data.get(result.consumed_in..).unwrap_or_default();
            match result.status {
                Ok(_) if result.consumed_out > 0 => return Ok(result.consumed_out),
                Ok(weezl::LzwStatus::Ok) => continue,
                Ok(weezl::LzwStatus::Done | weezl::LzwStatus::NoProgress) => return Ok(0),
                Err(e) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, e)),
            }
        }
    }
}

fn pack_bits(data: &[u8], len: usize) -> Result<Vec<u8>, NoPixels> {
    let mut out = buffer(len)?;
    pack_bits_row(data, len, &mut out);
    Ok(out)
}

fn zstd(data: &[u8], len: usize) -> Result<Vec<u8>, NoPixels> {
    let failed = |_| corrupt("its zstd data is broken");
    let decoder = StreamingDecoder::new(data).map_err(failed)?;
    read(decoder, len)
}

/// Decodes a chunk that is a JPEG stream, to RGB if the picture is YCbCr, else to the samples as they are.
fn jpeg(
    data: &[u8],
    layout: &Layout,
    extras: &Extras,
    rows: u32,
    len: usize,
) -> Result<Vec<u8>, NoPixels> {
    if layout.bits != 8 {
        return Err(unsupported("JPEG compression with more than 8 bits"));
    }
    if data.len() < MIN_JPEG {
        return Err(NoPixels::Truncated);
    }
    // Tables and stream are JPEG files of their own: the end mark of one and the start mark of the other go.
    let joined: Vec<u8>;
    let stream = match extras.jpeg_tables {
        Some(tables) if tables.len() >= MIN_JPEG => {
            let tables = tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(tables);
            let mut all = buffer(tables.len() + data.len())?;
            all.extend_from_slice(tables);
            all.extend_from_slice(&data[2..]);
            joined = all;
            &joined
        }
        _ => data,
    };
    let samples = if layout.is_planar { 1 } else { layout.samples };
    let wanted = (layout.chunk_width as usize, rows as usize, samples);
    let pixels = jpeg_stream(
        stream,
        layout.colours == Colours::YCbCr,
        |width, height, n| {
            // A last strip may be as high as the others, and a tile is always whole.
            (width, n) == (wanted.0, wanted.2)
                && height >= wanted.1
                && height <= wanted.1.max(layout.chunk_height as usize)
        },
    )?;
    if pixels.len() < len {
        return Err(NoPixels::Truncated);
    }
    Ok(pixels)
}

/// Decodes a JPEG stream whose width, height and number of samples a pixel the caller accepts.
pub(crate) fn jpeg_stream(
    stream: &[u8],
    to_rgb: bool,
    is_accepted: impl Fn(usize, usize, usize) -> bool,
) -> Result<Vec<u8>, NoPixels> {
    let failed = |_| corrupt("the JPEG stream in it is broken");
    let options = DecoderOptions::default().set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    decoder.decode_headers().map_err(failed)?;
    let (Some((width, height)), Some(inside)) = (decoder.dimensions(), decoder.input_colorspace())
    else {
        return Err(NoPixels::Truncated);
    };
    if !is_accepted(width, height, inside.num_components()) {
        return Err(corrupt("the JPEG stream in it has another size"));
    }
    let outside = match inside {
        ColorSpace::YCbCr if to_rgb => ColorSpace::RGB,
        other => other,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(outside));
    let len = decoder.output_buffer_size().ok_or(NoPixels::Truncated)?;
    let mut pixels = buffer(len)?;
    pixels.resize(len, 0);
    decoder.decode_into(&mut pixels).map_err(failed)?;
    Ok(pixels)
}

/// Undoes the predictor, in place, for rows of `stride` bytes with `samples` samples a pixel.
///
/// Afterwards samples of more than 8 bits are little endian or big endian as in the file for predictor 2, and big endian
/// for predictor 3.
pub(crate) fn undo_predictor(
    data: &mut [u8],
    stride: usize,
    samples: usize,
    layout: &Layout,
    is_little: bool,
) {
    let size = (layout.bits / 8) as usize;
    for row in data.chunks_exact_mut(stride) {
        match (layout.predictor, size) {
            (2, 1) => {
                for i in samples..row.len() {
                    row[i] = row[i].wrapping_add(row[i - samples]);
                }
            }
            (2, 2 | 4 | 8) => add_neighbours(row, size, samples, is_little),
            (3, 2 | 3 | 4 | 8) => join_float_bytes(row, size, samples),
            _ => return,
        }
    }
}

fn add_neighbours(row: &mut [u8], size: usize, samples: usize, is_little: bool) {
    let step = size * samples;
    for i in (step..row.len() - row.len() % size).step_by(size) {
        let mut carry = 0_u16;
        for byte in 0..size {
            let byte = if is_little { byte } else { size - 1 - byte };
            let sum = u16::from(row[i + byte]) + u16::from(row[i + byte - step]) + carry;
            row[i + byte] = sum as u8;
            carry = sum >> 8;
        }
    }
}

/// Floats come as all their highest bytes, then all their next ones, …, as differences (Adobe's Photoshop technical
/// note 3).
fn join_float_bytes(row: &mut [u8], size: usize, samples: usize) {
    for i in samples..row.len() {
        row[i] = row[i].wrapping_add(row[i - samples]);
    }
    let apart = row.to_vec();
    let count = row.len() / size;
    for (i, float) in row.chunks_exact_mut(size).enumerate() {
        for (byte, to) in float.iter_mut().enumerate() {
            *to = apart[byte * count + i];
        }
    }
}

/// A writer that takes so many bytes and no more.
pub(crate) struct Bounded {
    pub(crate) out: Vec<u8>,
    pub(crate) max: usize,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if data.len() > self.max - self.out.len() {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
