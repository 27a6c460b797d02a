//! Samples of a TIFF file, of any depth, as 8-bit grey or sRGB.

use crate::media::facts::NoPixels;
use crate::media::picture::{Channels, Picture};
use crate::media::room::buffer;
use crate::media::srgb;
use crate::media::tiff::ifd::Directory;
use crate::media::tiff::layout::{Alpha, Colours, Compression, Kind, Layout, corrupt};
use crate::media::tiff::samples::Samples;

const COLOUR_MAP: u16 = 320;
const YCBCR_COEFFICIENTS: u16 = 529;
const REFERENCE_BLACK_WHITE: u16 = 532;
const SMALLEST: u16 = 340;
const LARGEST: u16 = 341;
const WHITE_POINT: u16 = 318;

/// The picture while chunks come in: samples already 8-bit, colours still the file's.
pub(crate) struct Canvas<'a> {
    layout: &'a Layout,
    /// Samples of a pixel that are kept: the colours, and alpha.
    samples: usize,
    /// `width · height · samples` bytes; for a palette its colours; empty for measured grey.
    data: Vec<u8>,
    /// Measured grey, whose range is only known when all is there.
    floats: Vec<f32>,
    /// Three bytes for each index.
    palette: Vec<u8>,
    /// What black and white are in measured grey, if the file says it.
    range: Option<(f32, f32)>,
    ycbcr: YCbCr,
    /// The white of Lab colours is daylight, not print's.
    is_white_d65: bool,
}

impl<'a> Canvas<'a> {
    /// The most that a pixel takes while it is decoded.
    pub(crate) fn bytes_per_pixel(layout: &Layout) -> u64 {
        if is_measured(layout) {
            return 5;
        }
        let colours = match layout.colours {
            Colours::Palette => 3,
            _ => layout.colour_samples() as u64,
        };
        colours + u64::from(layout.alpha != Alpha::None)
    }

    pub(crate) fn new(layout: &'a Layout, directory: &Directory) -> Result<Self, NoPixels> {
        let pixels = layout.width as usize * layout.height as usize;
        let mut samples = layout.colour_samples() + usize::from(layout.alpha != Alpha::None);
        let mut canvas = Self {
            layout,
            samples,
            data: Vec::new(),
            floats: Vec::new(),
            palette: Vec::new(),
            range: None,
            ycbcr: YCbCr::read(directory),
            is_white_d65: directory.reals::<2>(WHITE_POINT).is_some_and(is_d65),
        };
        if is_measured(layout) {
            samples = 0;
            canvas.samples = 1;
            let floats = &mut canvas.floats;
            floats
                .try_reserve_exact(pixels)
                .map_err(|_| NoPixels::NoMemory)?;
            floats.resize(pixels, 0.0);
            if let (Some([low]), Some([high])) =
                (directory.reals(SMALLEST), directory.reals(LARGEST))
                && low < high
            {
                canvas.range = Some((low as f32, high as f32));
            }
        }
        if layout.colours == Colours::Palette {
            canvas.palette = palette(directory, layout.bits)?;
            canvas.samples = 1;
            samples = 3;
        }
        canvas.data = buffer(pixels * samples)?;
        canvas.data.resize(pixels * samples, 0);
        Ok(canvas)
    }

    /// Samples of a pixel that are used.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Takes a chunk whose top left pixel is (`left`, `top`); `plane` is its sample if it holds only one.
    pub(crate) fn put(
        &mut self,
        chunk: &[u8],
        stride: usize,
        is_little: bool,
        (left, top): (u32, u32),
        plane: usize,
    ) {
        let layout = self.layout;
        let width = layout.width as usize;
        let (left, top) = (left as usize, top as usize);
        let columns = (layout.chunk_width as usize).min(width - left);
        let rows = layout.height as usize - top;
        if layout.subsampling != (1, 1) {
            self.put_subsampled(chunk, stride, (left, top));
            return;
        }
        let source = if layout.is_planar { 1 } else { layout.samples };
        for (y, row) in chunk.chunks_exact(stride).take(rows).enumerate() {
            let first = (top + y) * width + left;
            let reader = Samples {
                row,
                bits: layout.bits as usize,
                kind: layout.kind,
                is_little,
            };
            if !self.floats.is_empty() {
                let to = &mut self.floats[first..first + columns];
                for (x, to) in to.iter_mut().enumerate() {
                    *to = reader.number(x * source);
                }
            } else if layout.colours == Colours::Palette {
                let to = &mut self.data[first * 3..(first + columns) * 3];
                for (x, to) in to.chunks_exact_mut(3).enumerate() {
                    let index = reader.raw(x * source) as usize;
                    let colour = self.palette.get(index * 3..index * 3 + 3);
                    to.copy_from_slice(colour.unwrap_or(&[0; 3]));
                    if layout.alpha != Alpha::None && source > 1 {
                        srgb::over_white(to, reader.byte(x * source + 1));
                    }
                }
            } else {
                let kept = self.samples;
                let to = &mut self.data[first * kept..(first + columns) * kept];
                if layout.is_planar {
                    for (x, to) in to.chunks_exact_mut(kept).enumerate() {
                        to[plane] = reader.byte(x);
                    }
                } else if layout.bits == 8 && layout.kind == Kind::Unsigned && kept == source {
                    to.copy_from_slice(&row[..to.len()]);
                } else {
                    for (x, to) in to.chunks_exact_mut(kept).enumerate() {
                        for (c, to) in to.iter_mut().enumerate() {
                            *to = reader.byte(x * source + c);
                        }
                    }
                }
            }
        }
    }

    /// Takes a chunk of blocks: `across · down` luma samples, one Cb, one Cr.
    fn put_subsampled(&mut self, chunk: &[u8], stride: usize, (left, top): (usize, usize)) {
        let (width, height) = (self.layout.width as usize, self.layout.height as usize);
        let (across, down) = self.layout.subsampling;
        let chunk_width = self.layout.chunk_width as usize;
        for (block_y, row) in chunk.chunks_exact(stride).enumerate() {
            for (block_x, block) in row.chunks_exact(across * down + 2).enumerate() {
                let (luma, chroma) = block.split_at(across * down);
                for (i, luma) in luma.iter().enumerate() {
                    let in_chunk = block_x * across + i % across;
                    let (x, y) = (left + in_chunk, top + block_y * down + i / across);
                    if in_chunk < chunk_width && x < width && y < height {
                        let at = (y * width + x) * 3;
                        self.data[at..at + 3].copy_from_slice(&[*luma, chroma[0], chroma[1]]);
                    }
                }
            }
        }
    }

    /// The picture in sRGB or grey, over white.
    pub(crate) fn finish(mut self) -> Result<Picture, NoPixels> {
        if !self.floats.is_empty() {
            self.data = buffer(self.floats.len())?;
            let (low, high) = self.range.unwrap_or_else(|| range(&self.floats));
            let scale = 255.0 / (high - low);
            let bytes = self
                .floats
                .iter()
                .map(|v| ((v - low) * scale).round() as u8);
            self.data.extend(bytes); // NaN becomes 0, the rest is held within 0 and 255
        }
        let colours = self.layout.colours;
        // A JPEG decoder turned YCbCr into RGB already.
        let is_rgb = colours == Colours::YCbCr && self.layout.compression == Compression::Jpeg;
        let is_d65 = self.is_white_d65;
        let lab = |pixel: [u8; 3]| srgb::lab_to_srgb(pixel, is_d65);
        let (from, to) = match colours {
            Colours::Cmyk => (4, 3),
            Colours::Palette => (3, 3),
            _ => (self.layout.colour_samples(), self.layout.colour_samples()),
        };
        let alpha = match colours {
            Colours::Palette => Alpha::None,
            _ => self.layout.alpha,
        };
        let step = from + usize::from(alpha != Alpha::None);
        if colours == Colours::WhiteIsZero && alpha == Alpha::None {
            self.data.iter_mut().for_each(|v| *v = 255 - *v);
        }
        let is_as_wanted = matches!(
            colours,
            Colours::WhiteIsZero | Colours::BlackIsZero | Colours::Rgb | Colours::Palette
        ) || is_rgb
            || to == 1;
        if !is_as_wanted || alpha != Alpha::None {
            let ycbcr = self.ycbcr;
            srgb::in_place(&mut self.data, step, to, |pixel, out| {
                match colours {
                    Colours::Cmyk => out.copy_from_slice(&srgb::cmyk_to_rgb(pixel)),
                    Colours::YCbCr if !is_rgb => out.copy_from_slice(&ycbcr.to_rgb(pixel)),
                    Colours::Lab if to == 3 => {
                        out.copy_from_slice(&lab([pixel[0], pixel[1] ^ 0x80, pixel[2] ^ 0x80]))
                    }
                    Colours::IccLab if to == 3 => {
                        out.copy_from_slice(&lab([pixel[0], pixel[1], pixel[2]]));
                    }
                    Colours::WhiteIsZero => out[0] = 255 - pixel[0],
                    _ => out.copy_from_slice(&pixel[..to]),
                }
                match alpha {
                    Alpha::None => {}
                    Alpha::Straight => srgb::over_white(out, pixel[from]),
                    Alpha::Associated => srgb::associated_over_white(out, pixel[from]),
                }
            });
        }
        Ok(Picture {
            width: self.layout.width,
            height: self.layout.height,
            content: (f64::from(self.layout.width), f64::from(self.layout.height)),
            channels: if to == 1 {
                Channels::Grey
            } else {
                Channels::Rgb
            },
            data: self.data,
        })
    }
}

/// Grey of kinds that are measurements rather than photos, and may have any range.
fn is_measured(layout: &Layout) -> bool {
    let is_grey = matches!(layout.colours, Colours::WhiteIsZero | Colours::BlackIsZero);
    let is_unusual = layout.kind != Kind::Unsigned || layout.bits > 16;
    is_grey && is_unusual && layout.alpha == Alpha::None
}

/// Black and white of such grey whose file does not say them: 0 and 1 if all values are within, else the least and the
/// greatest.
fn range(values: &[f32]) -> (f32, f32) {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low >= high || (low >= 0.0 && high <= 1.0) || !(high - low).is_finite() {
        return (0.0, 1.0);
    }
    (low, high)
}

fn is_d65([x, y]: [f64; 2]) -> bool {
    (x - 0.3127).abs() < 0.005 && (y - 0.329).abs() < 0.005
}

/// The ColorMap tag, all reds before all greens before all blues, as three bytes an index.
fn palette(directory: &Directory, bits: u32) -> Result<Vec<u8>, NoPixels> {
    let count = 1_usize << bits;
    let map = directory.numbers(COLOUR_MAP, count * 3).unwrap_or_default();
    if map.len() < count * 3 {
        return Err(corrupt("its colour map is missing or too short"));
    }
    // The values have 16 bits, but some writers put in bytes.
    let shift = if map.iter().all(|v| *v < 256) { 0 } else { 8 };
    let colour = |i: usize| [map[i], map[count + i], map[2 * count + i]];
    Ok((0..count)
        .flat_map(|i| colour(i).map(|v| (v >> shift).min(255) as u8))
        .collect())
}

/// How Y, Cb and Cr make up R, G and B.
#[derive(Debug, Clone, Copy)]
struct YCbCr {
    /// Shares of red, green and blue in luma.
    shares: [f32; 3],
    /// Black and white of Y, Cb, Cr.
    range: [f32; 6],
}

impl YCbCr {
    fn read(directory: &Directory) -> Self {
        // The defaults of TIFF 6.0; the shares are those of ITU-R BT.601.
        let shares = directory.reals::<3>(YCBCR_COEFFICIENTS);
        let shares = shares
            .filter(|s| s[1] > 0.0)
            .unwrap_or([0.299, 0.587, 0.114]);
        let full = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let range = directory.reals::<6>(REFERENCE_BLACK_WHITE).unwrap_or(full);
        let is_sound = range.chunks(2).all(|pair| pair[0] < pair[1]);
        Self {
            shares: shares.map(|v| v as f32),
            range: if is_sound { range } else { full }.map(|v| v as f32),
        }
    }

    fn to_rgb(self, pixel: &[u8]) -> [u8; 3] {
        let value = |i: usize, full: f32| {
            let (black, white) = (self.range[2 * i], self.range[2 * i + 1]);
            (f32::from(pixel[i]) - black) * full / (white - black)
        };
        let (y, cb, cr) = (value(0, 255.0), value(1, 127.0), value(2, 127.0));
        let [red, green, blue] = self.shares;
        let r = y + cr * (2.0 - 2.0 * red);
        let b = y + cb * (2.0 - 2.0 * blue);
        let g = (y - blue * b - red * r) / green;
        [r, g, b].map(|v| v.round() as u8)
    }
}
