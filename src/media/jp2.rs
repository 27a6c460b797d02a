//! JPEG 2000, as files with boxes (.jp2) and as bare codestreams (.j2k), to 8-bit grey or sRGB.
//!
//! The decoder fills what is missing at the end of a codestream by guessing, so the lengths of the tile parts are held
//! against the file first. Colours in an ICC profile stay as they are.

use std::borrow::Cow;

use hayro_jpeg2000::{
    ColorSpace, DecodeError, DecodeSettings, DecoderContext, DecodingError, Image,
};

use crate::media::facts::{Facts, NoPixels};
use crate::media::limits::Limits;
use crate::media::picture::{Channels, Picture};
use crate::media::room::{buffer, check_size};
use crate::media::srgb;

const SIGNATURE_BOX: &[u8] = b"\0\0\0\x0CjP  \r\n\x87\n";
/// Start of codestream, then the size marker (ISO/IEC 15444-1, annex A).
const CODESTREAM: &[u8] = &[0xFF, 0x4F, 0xFF, 0x51];
const TILE_PART: u16 = 0xFF90;
const END: u16 = 0xFFD9;

/// Box identifiers of metadata, from the XMP specification (part 3), JPEG's Exif for JPEG 2000, and Photoshop.
const XMP: &[u8] = b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";
const EXIF: [&[u8]; 2] = [
    b"JpgTiffExif->JP2",
    b"\x05\x37\xCD\xAB\x9D\x0C\x44\x31\xA7\x2A\xFA\x56\x1F\x2A\x11\x3E",
];

/// Size, EXIF and XMP.
pub fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Facts<'a>, NoPixels> {
    check_start(bytes)?;
    let mut facts = Facts::default();
    let known = |block: &&[u8]| !block.is_empty() && block.len() <= limits.max_metadata;
    for (kind, content, is_whole) in boxes(bytes) {
        let is_metadata = kind == b"uuid" && is_whole;
        let Some((id, block)) = content.split_at_checked(16).filter(|_| is_metadata) else {
            continue;
        };
        if id == XMP && facts.xmp.is_none() {
            facts.xmp = Some(block).filter(known).map(Cow::Borrowed);
        } else if EXIF.contains(&id) && facts.exif.is_none() {
            let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
            facts.exif = Some(block).filter(known).map(Cow::Borrowed);
        }
    }
    if let Ok(size) = Size::read(codestream(bytes).unwrap_or_default()) {
        (facts.width, facts.height) = (size.width, size.height);
    } else if let Some((width, height)) = header_box_size(bytes) {
        (facts.width, facts.height) = (width, height);
    }
    Ok(facts)
}

/// The pixels. A picture that takes too much memory comes at half, a quarter or an eighth of its size, which JPEG 2000
/// holds ready.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, NoPixels> {
    check_start(bytes)?;
    let stream = codestream(bytes).ok_or(NoPixels::Truncated)?;
    let size = Size::read(stream)?;
    let halvings = size.check(limits)?;
    check_tile_parts(stream)?;
    let scaled = |side: u32| side.div_ceil(1 << halvings);
    let settings = DecodeSettings {
        target_resolution: (halvings > 0).then(|| (scaled(size.width), scaled(size.height))),
        ..DecodeSettings::default()
    };
    let image = Image::new(bytes, &settings).map_err(|e| refusal(&e))?;
    let form = Form::of(&image)?;
    let (width, height) = (image.width(), image.height());
    if width > scaled(size.width) + 1 || height > scaled(size.height) + 1 {
        return Err(size.too_large(limits)); // it has no smaller sizes
    }
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|e| refusal(&e))?;
    let pixels = width as usize * height as usize;
    let components = decoded.components();
    let fits = components.iter().all(|c| c.samples().len() == pixels);
    if !fits || components.len() != form.samples() {
        return Err(corrupt("its components do not fit its size"));
    }
    let mut data = buffer(pixels * form.samples())?;
    data.resize(pixels * form.samples(), 0);
    decoded.store_u8_into(&mut data);
    Ok(Picture {
        width,
        height,
        content: (f64::from(width), f64::from(height)),
        channels: form.finish(&mut data),
        data,
    })
}

fn check_start(bytes: &[u8]) -> Result<(), NoPixels> {
    if bytes.starts_with(SIGNATURE_BOX) || bytes.starts_with(CODESTREAM) {
        return Ok(());
    }
    if SIGNATURE_BOX.starts_with(bytes) || CODESTREAM.starts_with(bytes) {
        return Err(NoPixels::Truncated);
    }
    Err(corrupt("it does not start like a JPEG 2000 file"))
}

/// What a codestream's size marker says.
struct Size {
    width: u32,
    height: u32,
    tiles: u64,
    components: u64,
}

impl Size {
    fn read(stream: &[u8]) -> Result<Self, NoPixels> {
        let number = |at, size| uint(stream, at, size).ok_or(NoPixels::Truncated);
        if CODESTREAM.starts_with(stream) {
            return Err(NoPixels::Truncated);
        }
        if !stream.starts_with(CODESTREAM) {
            return Err(corrupt("its codestream does not start like one"));
        }
        // Marker, length, capabilities; then right and bottom edge, left and top edge, the same of tiles.
        let mut edges = [0; 8];
        for (i, edge) in edges.iter_mut().enumerate() {
            *edge = number(8 + 4 * i, 4)?;
        }
        let [right, bottom, left, top, tile_width, tile_height, ..] = edges;
        let (Some(width), Some(height)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
            return Err(corrupt("its size makes no sense"));
        };
        if tile_width == 0 || tile_height == 0 {
            return Err(corrupt("its tiles have no size"));
        }
        Ok(Self {
            width: width as u32,
            height: height as u32,
            tiles: right.div_ceil(tile_width) * bottom.div_ceil(tile_height),
            components: number(40, 2)?,
        })
    }

    /// How often the sides are to be halved for the picture to stay within the limits.
    fn check(&self, limits: &Limits) -> Result<u32, NoPixels> {
        /// The standard's limit for tiles.
        const MAX_TILES: u64 = 65_535;
        /// Writers hold at least so many smaller sizes ready, usually five.
        const MAX_HALVINGS: u32 = 3;
        check_size(self.width, self.height, limits)?;
        if self.components == 0 || self.tiles == 0 || self.tiles > MAX_TILES {
            return Err(corrupt("its size makes no sense"));
        }
        if self.components > 5 {
            let what = format!("a picture of {} components", self.components);
            return Err(NoPixels::Unsupported(what));
        }
        (0..=MAX_HALVINGS)
            .find(|halvings| self.memory() >> (2 * halvings) <= limits.max_alloc)
            .ok_or_else(|| self.too_large(limits))
    }

    /// Bytes that decoding holds at its worst.
    fn memory(&self) -> u64 {
        /// Bytes a sample: coefficients and samples as floats, and the result. Measured: 8.
        const WORKING: u64 = 9;
        u64::from(self.width) * u64::from(self.height) * self.components * WORKING
    }

    fn too_large(&self, limits: &Limits) -> NoPixels {
        NoPixels::TooLarge(format!(
            "decoding it takes {} MiB of memory, the limit is {} MiB",
            self.memory() >> 20,
            limits.max_alloc >> 20
        ))
    }
}

/// Whether the file has all tile parts, by the lengths they say.
fn check_tile_parts(stream: &[u8]) -> Result<(), NoPixels> {
    let (mut at, mut has_tiles) = (2, false);
    loop {
        let Some(marker) = uint(stream, at, 2) else {
            // A missing end marker does no harm, if only that is missing.
            return if at == stream.len() && has_tiles {
                Ok(())
            } else {
                Err(NoPixels::Truncated)
            };
        };
        has_tiles |= marker as u16 == TILE_PART;
        at += match marker as u16 {
            END => return Ok(()),
            TILE_PART => match uint(stream, at + 6, 4).ok_or(NoPixels::Truncated)? as usize {
                0 => return Ok(()), // to the end of the codestream
                len if len < 12 => return Err(corrupt("a tile part is too short")),
                len => len,
            },
            0xFF01..=0xFFFE => {
                let len = uint(stream, at + 2, 2).ok_or(NoPixels::Truncated)? as usize;
                2 + len.max(2)
            }
            _ => {
                return Err(corrupt(
                    "its codestream has no marker where there should be one",
                ));
            }
        };
        if at > stream.len() {
            return Err(NoPixels::Truncated);
        }
    }
}

/// The codestream of a file, as far as it is there.
fn codestream(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(CODESTREAM) {
        return Some(bytes);
    }
    let (_, content, _) = boxes(bytes).find(|(kind, ..)| *kind == b"jp2c")?;
    Some(content)
}

/// Width and height from the image header box.
fn header_box_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (_, header, _) = boxes(bytes).find(|(kind, ..)| *kind == b"jp2h")?;
    let (_, image, _) = boxes(header).find(|(kind, ..)| *kind == b"ihdr")?;
    Some((uint(image, 4, 4)? as u32, uint(image, 0, 4)? as u32))
}

/// The boxes one after the other: name, contents, and whether all of them are there.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8], bool)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let (len, after) = match u32::from_be_bytes(*len) as usize {
            0 => (after.len(), after),
            1 => {
                let (len, after) = after.split_first_chunk::<8>()?;
                let len = usize::try_from(u64::from_be_bytes(*len)).ok()?;
                (len.checked_sub(16)?, after)
            }
            len => (len.checked_sub(8)?, after),
        };
        let (content, later) = after.split_at(len.min(after.len()));
        rest = later;
        Some((kind, content, content.len() == len))
    })
}

/// A big-endian number of `size` bytes.
fn uint(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
}

fn refusal(error: &DecodeError) -> NoPixels {
    match error {
        DecodeError::Decoding(DecodingError::UnexpectedEof) => NoPixels::Truncated,
        DecodeError::Marker(hayro_jpeg2000::MarkerError::Unsupported)
        | DecodeError::Format(hayro_jpeg2000::FormatError::Unsupported) => {
            NoPixels::Unsupported("an unusual kind of JPEG 2000 coding".to_owned())
        }
        e => NoPixels::Corrupt(e.to_string()),
    }
}

/// What the decoder's samples are.
#[derive(Debug, Clone, Copy)]
struct Form {
    colours: Colours,
    has_alpha: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    Grey,
    Rgb,
    Lab,
    Cmyk,
}

impl Form {
    fn of(image: &Image) -> Result<Self, NoPixels> {
        let colours = match image.color_space() {
            ColorSpace::Gray => Colours::Grey,
            ColorSpace::RGB => Colours::Rgb,
            ColorSpace::CMYK => Colours::Cmyk,
            // Bytes 16 to 19 of a profile say what colours it is for.
            ColorSpace::Icc { profile, .. } if profile.get(16..20) == Some(b"Lab ") => Colours::Lab,
            ColorSpace::Icc { num_channels, .. } | ColorSpace::Unknown { num_channels } => {
                match num_channels {
                    1 => Colours::Grey,
                    3 => Colours::Rgb,
                    4 => Colours::Cmyk,
                    n => {
                        let what = format!("a colour space of {n} components");
                        return Err(NoPixels::Unsupported(what));
                    }
                }
            }
        };
        Ok(Self {
            colours,
            has_alpha: image.has_alpha(),
        })
    }

    fn samples(self) -> usize {
        let colours = match self.colours {
            Colours::Grey => 1,
            Colours::Rgb | Colours::Lab => 3,
            Colours::Cmyk => 4,
        };
        colours + usize::from(self.has_alpha)
    }

    /// Makes interleaved 8-bit samples a picture's data.
    fn finish(self, data: &mut Vec<u8>) -> Channels {
        let (to, channels) = match self.colours {
            Colours::Grey => (1, Channels::Grey),
            _ => (3, Channels::Rgb),
        };
        let samples = self.samples();
        if samples > to || self.colours == Colours::Lab {
            srgb::in_place(data, samples, to, |pixel, out| {
                match self.colours {
                    Colours::Cmyk => out.copy_from_slice(&srgb::cmyk_to_rgb(pixel)),
                    Colours::Lab => {
                        let lab = [pixel[0], pixel[1], pixel[2]];
                        out.copy_from_slice(&srgb::lab_to_srgb(lab, false));
                    }
                    Colours::Grey | Colours::Rgb => out.copy_from_slice(&pixel[..to]),
                }
                if self.has_alpha {
                    srgb::over_white(out, pixel[samples - 1]);
                }
            });
        }
        channels
    }
}

fn corrupt(why: &str) -> NoPixels {
    NoPixels::Corrupt(why.to_owned())
}

#[cfg(test)]
mod tests;
