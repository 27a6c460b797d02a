//! What a TIFF directory says of its picture: size, samples, colours, and where the chunks (strips or tiles) are.

use crate::media::facts::NoPixels;
use crate::media::limits::Limits;
use crate::media::room::check_size;
use crate::media::tiff::ifd::Directory;

/// How samples become colours: the PhotometricInterpretation tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    /// CIE L*a*b*, a and b signed.
    Lab,
    /// CIE L*a*b* as ICC profiles have it, a and b with an offset.
    IccLab,
}

/// What one sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// What the first sample beside the colours means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    None,
    Straight,
    /// The colours are multiplied by it already.
    Associated,
}

/// Compression tag numbers, from TIFF 6.0, its supplements, and libtiff for the last two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// ITU-T T.4 coding without end-of-line codes; rows start at bytes.
    FaxRle,
    Fax3,
    Fax4,
    Lzw,
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    Lzma,
    Zstd,
}

/// Everything that is needed to read the pixels. All sizes are checked: no product of them overflows.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bits of one sample, 1 to 64.
    pub(crate) bits: u32,
    pub(crate) kind: Kind,
    /// Samples of one pixel, colours first.
    pub(crate) samples: usize,
    pub(crate) colours: Colours,
    pub(crate) alpha: Alpha,
    /// Every chunk holds one sample of each pixel instead of all.
    pub(crate) is_planar: bool,
    pub(crate) compression: Compression,
    /// 1: none, 2: differences between neighbours, 3: differences of the bytes of floats.
    pub(crate) predictor: u64,
    /// Bits in bytes run from the lowest.
    pub(crate) is_reversed: bool,
    pub(crate) chunk_width: u32,
    pub(crate) chunk_height: u32,
    pub(crate) is_tiled: bool,
    /// Start and length of every chunk in the file, row by row, plane after plane.
    pub(crate) chunks: Vec<(u64, u64)>,
    /// How many pixels share a chroma sample, across and down: 1, 2 or 4.
    pub(crate) subsampling: (usize, usize),
}

impl Layout {
    /// Colour samples of one pixel, without alpha.
    pub(crate) fn colour_samples(&self) -> usize {
        match self.colours {
            Colours::WhiteIsZero | Colours::BlackIsZero | Colours::Palette => 1,
            Colours::Cmyk => 4,
            Colours::Lab | Colours::IccLab if self.samples < 3 => 1,
            _ => 3,
        }
    }

    pub(crate) fn chunks_across(&self) -> usize {
        self.width.div_ceil(self.chunk_width) as usize
    }

    pub(crate) fn chunks_down(&self) -> usize {
        self.height.div_ceil(self.chunk_height) as usize
    }

    /// Planes that have chunks of their own.
    pub(crate) fn planes(&self) -> usize {
        if self.is_planar { self.samples } else { 1 }
    }

    /// Reads and checks the directory.
    pub(crate) fn read(directory: &Directory, limits: &Limits) -> Result<Self, NoPixels> {
        let number = |tag, default| directory.number(tag).unwrap_or(default);
        let (width, height) = size(directory)?;
        check_size(width, height, limits)?;
        let samples = number(277, 1) as usize;
        if samples == 0 || samples > 32 {
            return Err(corrupt("its number of samples a pixel makes no sense"));
        }
        let bits = same(directory, 258, samples, 1)?;
        if !(1..=64).contains(&bits) {
            return Err(corrupt("its number of bits a sample makes no sense"));
        }
        let kind = match same(directory, 339, samples, 1)? {
            2 => Kind::Signed,
            3 => Kind::Float,
            5 | 6 => return Err(unsupported("complex numbers as samples")),
            _ => Kind::Unsigned, // 4: undefined
        };
        let colours = colours(directory)?;
        let compression = compression(number(259, 1))?;
        let mut layout = Self {
            width,
            height,
            bits: bits as u32,
            kind,
            samples,
            colours,
            alpha: Alpha::None,
            is_planar: number(284, 1) == 2 && samples > 1,
            compression,
            predictor: number(317, 1),
            is_reversed: number(266, 1) == 2,
            chunk_width: width,
            chunk_height: height,
            is_tiled: directory.has(324),
            chunks: Vec::new(),
            subsampling: (1, 1),
        };
        layout.alpha = layout.alpha(directory)?;
        layout.check_samples()?;
        if colours == Colours::YCbCr && compression != Compression::Jpeg {
            layout.subsampling = subsampling(directory)?;
        }
        // In one JPEG stream there are no chunks; the tags that say otherwise describe its inside.
        if compression != Compression::OldJpeg {
            layout.read_chunks(directory)?;
        }
        Ok(layout)
    }

    fn alpha(&self, directory: &Directory) -> Result<Alpha, NoPixels> {
        let colours = self.colour_samples();
        if self.samples < colours {
            return Err(corrupt("it has fewer samples a pixel than colours"));
        }
        let extras = directory.numbers(338, self.samples).unwrap_or_default();
        Ok(match extras.first() {
            Some(1) if self.samples > colours => Alpha::Associated,
            Some(2) if self.samples > colours => Alpha::Straight,
            // Writers that leave the tag out mean this.
            None if self.colours == Colours::Rgb && self.samples == 4 => Alpha::Straight,
            _ => Alpha::None,
        })
    }

    fn check_samples(&self) -> Result<(), NoPixels> {
        let is_whole = matches!(self.bits, 8 | 16 | 32 | 64);
        let fits = match self.kind {
            Kind::Float => matches!(self.bits, 16 | 24 | 32 | 64),
            _ => self.bits <= 16 || is_whole,
        };
        let fits_colours = match self.colours {
            Colours::Palette => self.bits <= 16 && self.kind == Kind::Unsigned,
            Colours::YCbCr | Colours::Lab | Colours::IccLab => {
                matches!(self.bits, 8 | 16) && self.kind != Kind::Float
            }
            _ => true,
        };
        let fits_predictor = match self.predictor {
            1 => true,
            2 => is_whole,
            3 => self.kind == Kind::Float,
            _ => return Err(corrupt("its predictor is none that exists")),
        };
        if !fits || !fits_colours || !fits_predictor {
            let what = format!("samples of {} bits in such colours", self.bits);
            return Err(NoPixels::Unsupported(what));
        }
        if self.is_fax() && (self.bits != 1 || (self.samples != 1 && !self.is_planar)) {
            return Err(corrupt("fax coding with more than one bit a pixel"));
        }
        Ok(())
    }

    pub(crate) fn is_fax(&self) -> bool {
        matches!(
            self.compression,
            Compression::FaxRle | Compression::Fax3 | Compression::Fax4
        )
    }

    fn read_chunks(&mut self, directory: &Directory) -> Result<(), NoPixels> {
        let (offsets, lengths) = if self.is_tiled {
            let side = |tag| {
                let side = directory.number(tag).and_then(|n| u32::try_from(n).ok());
                // TIFF 6.0 wants multiples of 16; far larger than the picture is an attack.
                side.filter(|n| (1..=1 << 16).contains(n))
                    .ok_or_else(|| corrupt("its tiles have no size"))
            };
            (self.chunk_width, self.chunk_height) = (side(322)?, side(323)?);
            (324, 325)
        } else {
            let rows = directory.number(278).unwrap_or(u64::MAX);
            let rows = rows.min(u64::from(self.height)) as u32;
            if rows == 0 {
                return Err(corrupt("its strips have no rows"));
            }
            self.chunk_height = rows;
            (273, 279)
        };
        let needed = self.chunks_across() * self.chunks_down() * self.planes();
        if directory.is_cut(offsets) || directory.is_cut(lengths) {
            return Err(NoPixels::Truncated);
        }
        let offsets = directory.numbers(offsets, needed).unwrap_or_default();
        let lengths = directory.numbers(lengths, needed).unwrap_or_default();
        if offsets.len() < needed {
            return Err(NoPixels::Truncated);
        }
        // Without lengths, or with useless ones, a chunk may reach to the end of the file: decoders know when to stop.
        let length = |i| lengths.get(i).copied().filter(|n| *n > 0);
        let whole = |i: usize| length(i).unwrap_or(u64::MAX);
        self.chunks = (0..needed).map(|i| (offsets[i], whole(i))).collect();
        Ok(())
    }
}

/// Width and height as stored.
pub(crate) fn size(directory: &Directory) -> Result<(u32, u32), NoPixels> {
    let side = |tag| {
        let side = directory.number(tag).ok_or(NoPixels::Truncated)?;
        u32::try_from(side)
            .map_err(|_| NoPixels::TooLarge("more pixels a side than there can be".to_owned()))
    };
    Ok((side(256)?, side(257)?))
}

/// A value that TIFF allows to differ from sample to sample, and no picture makes use of that.
fn same(directory: &Directory, tag: u16, samples: usize, default: u64) -> Result<u64, NoPixels> {
    let values = directory.numbers(tag, samples).unwrap_or_default();
    let first = values.first().copied().unwrap_or(default);
    if values.iter().any(|v| *v != first) {
        return Err(unsupported("samples that differ in kind or size"));
    }
    Ok(first)
}

fn colours(directory: &Directory) -> Result<Colours, NoPixels> {
    Ok(match directory.number(262) {
        Some(0) => Colours::WhiteIsZero,
        Some(1 | 4) => Colours::BlackIsZero, // 4: a mask
        Some(2) => Colours::Rgb,
        Some(3) => Colours::Palette,
        Some(5) => Colours::Cmyk,
        Some(6) => Colours::YCbCr,
        Some(8) => Colours::Lab,
        Some(9) => Colours::IccLab,
        Some(10) => return Err(unsupported("the Lab coding of colour faxes")),
        Some(32803 | 34892) => return Err(unsupported("a camera's unprocessed sensor data")),
        Some(32844 | 32845) => return Err(unsupported("LogLuv coding")),
        // The tag is required; faxes are known to lack it.
        None => Colours::WhiteIsZero,
        Some(other) => {
            let what = format!("an unusual colour layout (number {other})");
            return Err(NoPixels::Unsupported(what));
        }
    })
}

fn compression(number: u64) -> Result<Compression, NoPixels> {
    Ok(match number {
        1 => Compression::None,
        2 => Compression::FaxRle,
        3 => Compression::Fax3,
        4 => Compression::Fax4,
        5 => Compression::Lzw,
        6 => Compression::OldJpeg,
        7 => Compression::Jpeg,
        8 | 32946 => Compression::Deflate,
        32773 => Compression::PackBits,
        34925 => Compression::Lzma,
        50000 => Compression::Zstd,
        other => {
            let name = match other {
                33003 | 33005 | 34712 => "JPEG 2000 compression".to_owned(),
                34887 => "LERC compression".to_owned(),
                50001 => "WebP compression".to_owned(),
                50002 | 52546 => "JPEG XL compression".to_owned(),
                _ => format!("compression number {other}"),
            };
            return Err(NoPixels::Unsupported(name));
        }
    })
}

fn subsampling(directory: &Directory) -> Result<(usize, usize), NoPixels> {
    let values = directory.numbers(530, 2).unwrap_or_default();
    match values.as_slice() {
        [] => Ok((2, 2)), // TIFF 6.0's default
        [across @ (1 | 2 | 4), down @ (1 | 2 | 4)] => Ok((*across as usize, *down as usize)),
        _ => Err(corrupt("its chroma subsampling makes no sense")),
    }
}

pub(crate) fn corrupt(why: &str) -> NoPixels {
    NoPixels::Corrupt(why.to_owned())
}

pub(crate) fn unsupported(what: &str) -> NoPixels {
    NoPixels::Unsupported(what.to_owned())
}
