//! JPEG XL: bare codestreams and files with boxes, to 8-bit grey or sRGB.
//!
//! The decoder turns the picture as the codestream says, so EXIF orientation must not be applied again. Of an animation
//! the first frame counts. Colours become sRGB, from a described colour space (Display P3, BT.2100 with PQ or HLG, linear
//! light, …) as from an ICC profile, which pictures without loss have and JPEGs packed anew.

mod colour;

use std::borrow::Cow;
use std::io::Read;

use brotli_decompressor::Decompressor;
use jxl::api::ExtraChannel;
use jxl::api::{
    AlphaMode, Endianness, Event, JxlBasicInfo, JxlColorProfile, JxlColorType, JxlDataFormat,
    JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlPixelFormat, ProfileLevel,
};
use jxl::error::Error;

use crate::media::facts::{Facts, NoPixels};
use crate::media::jxl::colour::ToSrgb;
use crate::media::limits::Limits;
use crate::media::picture::{Channels, Picture};
use crate::media::srgb::{self, Profile8, ToSrgb8};

/// A file with boxes starts with this box (ISO/IEC 18181-2).
const SIGNATURE_BOX: &[u8] = b"\0\0\0\x0CJXL \r\n\x87\n";
/// A bare codestream starts with this.
const CODESTREAM: &[u8] = &[0xFF, 0x0A];

/// Size as it is seen, and the EXIF and XMP boxes, also compressed ones.
pub fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Facts<'a>, NoPixels> {
    check_start(bytes)?;
    let mut facts = Facts {
        is_upright: true,
        ..Facts::default()
    };
    read_boxes(bytes, limits.max_metadata, &mut facts);
    match header(bytes, limits) {
        Ok((_, _, info)) => (facts.width, facts.height) = size(&info)?,
        Err(NoPixels::Truncated) => {}
        Err(_) if facts.exif.is_some() || facts.xmp.is_some() => {}
        Err(e) => return Err(e),
    }
    Ok(facts)
}

/// The pixels of the first frame.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, NoPixels> {
    check_start(bytes)?;
    let (mut decoder, mut input, info) = header(bytes, limits)?;
    let (width, height) = size(&info)?;
    let form = Form::choose(&mut decoder, &info)?;
    check_size(width, height, &form, &info, limits)?;
    let pixels = width as usize * height as usize;
    let stride = width as usize * form.step();
    let mut data = Vec::new();
    // A byte more than needed, to start at an even address.
    let len = pixels * form.step() + 1;
    data.try_reserve_exact(len)
        .map_err(|_| NoPixels::NoMemory)?;
    data.resize(len, 0_u8);
    let start = data.as_ptr().align_offset(2).min(1);
    loop {
        let room = &mut data[start..start + pixels * form.step()];
        let mut buffers = [JxlOutputBuffer::new(room, height as usize, stride)];
        match next(&mut decoder, &mut input, Some(&mut buffers))? {
            Event::FrameComplete { .. } => break,
            Event::Complete => return Err(NoPixels::Truncated),
            _ => {}
        }
    }
    if start > 0 {
        data.copy_within(start.., 0);
    }
    data.truncate(pixels * form.step());
    let channels = form.finish(&mut data);
    Ok(Picture {
        width,
        height,
        content: (f64::from(width), f64::from(height)),
        channels,
        data,
    })
}

fn check_start(bytes: &[u8]) -> Result<(), NoPixels> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    if starts(CODESTREAM) || starts(SIGNATURE_BOX) {
        return Ok(());
    }
    if CODESTREAM.starts_with(bytes) || SIGNATURE_BOX.starts_with(bytes) {
        return Err(NoPixels::Truncated);
    }
    Err(NoPixels::Corrupt(
        "it does not start like a JPEG XL file".to_owned(),
    ))
}

/// Reads to the end of the header.
fn header<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(JxlDecoder, &'a [u8], JxlBasicInfo), NoPixels> {
    let mut options = JxlDecoderOptions::default();
    options.alpha_mode = AlphaMode::Unpremultiplied;
    options.max_profile_level = ProfileLevel::Main10;
    // Frames may be larger than the picture; samples count extra channels too.
    let samples = limits.max_pixels.saturating_mul(5);
    options.sample_limit = Some(usize::try_from(samples).unwrap_or(usize::MAX));
    let mut decoder = JxlDecoder::new(options);
    let mut input = bytes;
    loop {
        next(&mut decoder, &mut input, None)?;
        if let Some(info) = decoder.basic_info() {
            let info = info.clone();
            return Ok((decoder, input, info));
        }
    }
}

/// Goes on to the decoder's next event. All of the file is there, so a wish for more means that it is cut off.
fn next(
    decoder: &mut JxlDecoder,
    input: &mut &[u8],
    buffers: Option<&mut [JxlOutputBuffer]>,
) -> Result<Event, NoPixels> {
    match decoder.process(input, buffers, None) {
        Ok(Event::NeedMoreInput { .. }) => Err(NoPixels::Truncated),
        Ok(event) => Ok(event),
        Err(e) => Err(refusal(&e)),
    }
}

fn refusal(error: &Error) -> NoPixels {
    match error {
        Error::OutOfMemory(_) | Error::ImageOutOfMemory(..) => NoPixels::NoMemory,
        Error::ImageSizeTooLarge(..)
        | Error::ImageDimensionTooLarge(_)
        | Error::LevelLimitExceeded { .. } => {
            NoPixels::TooLarge("more than its decoder takes".to_owned())
        }
        Error::OutOfBounds(_) => NoPixels::Truncated,
        e => NoPixels::Corrupt(e.to_string()),
    }
}

fn size(info: &JxlBasicInfo) -> Result<(u32, u32), NoPixels> {
    let too_large = |_| NoPixels::TooLarge("more pixels a side than there can be".to_owned());
    let (width, height) = info.size;
    Ok((
        u32::try_from(width).map_err(too_large)?,
        u32::try_from(height).map_err(too_large)?,
    ))
}

fn check_size(
    width: u32,
    height: u32,
    form: &Form,
    info: &JxlBasicInfo,
    limits: &Limits,
) -> Result<(), NoPixels> {
    /// Bytes a sample that the decoder holds beside its output. It works in groups: measured 0.5 for photos of 12
    /// megapixels, lossy, without loss, and progressive. Frames that others refer to are kept as floats.
    const WORKING: u64 = 2;
    crate::media::room::check_size(width, height, limits)?;
    let pixels = u64::from(width) * u64::from(height);
    let samples = 3 + info.extra_channels.len() as u64;
    let needed = pixels.saturating_mul(form.step() as u64 + WORKING * samples);
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

/// What the decoder is asked for, and what is still to be done with it.
struct Form {
    is_grey: bool,
    has_alpha: bool,
    is_cmyk: bool,
    /// `Some`: samples come with 16 bits and are to be converted.
    to_srgb: Option<ToSrgb>,
    /// `Some`: samples come with 8 bits and are to be converted.
    icc: Option<ToSrgb8>,
}

impl Form {
    /// Tells the decoder the form that suits the picture's colours.
    fn choose(decoder: &mut JxlDecoder, info: &JxlBasicInfo) -> Result<Self, NoPixels> {
        let has = |kind| info.extra_channels.iter().any(|c| c.ec_type == kind);
        let is_grey = decoder
            .embedded_color_profile()
            .is_some_and(|p| p.channels() == 1);
        let is_cmyk = has(ExtraChannel::Black)
            && decoder
                .embedded_color_profile()
                .is_some_and(|p| p.is_cmyk());
        let mut form = Self {
            is_grey,
            has_alpha: has(ExtraChannel::Alpha) && !is_cmyk,
            is_cmyk,
            to_srgb: None,
            icc: None,
        };
        let count = info.extra_channels.len();
        form.ask(decoder, count)?;
        if let Some(profile) = decoder.output_color_profile() {
            form.to_srgb = ToSrgb::from_profile(profile);
            form.icc = match profile {
                JxlColorProfile::Icc(icc) if !is_grey && !is_cmyk => by_icc(icc),
                _ => None,
            };
        }
        if form.to_srgb.is_some() {
            form.ask(decoder, count)?;
        }
        Ok(form)
    }

    fn ask(&self, decoder: &mut JxlDecoder, extra_channels: usize) -> Result<(), NoPixels> {
        let color_type = match (self.is_cmyk, self.is_grey, self.has_alpha) {
            (true, ..) => JxlColorType::Cmyk,
            (_, true, true) => JxlColorType::GrayscaleAlpha,
            (_, true, false) => JxlColorType::Grayscale,
            (_, false, true) => JxlColorType::Rgba,
            (_, false, false) => JxlColorType::Rgb,
        };
        let format = match self.to_srgb {
            None => JxlDataFormat::U8 { bit_depth: 8 },
            Some(_) => JxlDataFormat::U16 {
                endianness: Endianness::native(),
                bit_depth: 16,
            },
        };
        let format = JxlPixelFormat {
            color_type,
            color_data_format: Some(format),
            extra_channel_format: vec![None; extra_channels],
        };
        decoder.set_pixel_format(format).map_err(|e| refusal(&e))
    }

    /// Bytes a pixel that the decoder writes.
    fn step(&self) -> usize {
        let samples = match (self.is_cmyk, self.is_grey) {
            (true, _) => 4,
            (_, true) => 1 + usize::from(self.has_alpha),
            _ => 3 + usize::from(self.has_alpha),
        };
        samples * if self.to_srgb.is_some() { 2 } else { 1 }
    }

    /// Makes what the decoder wrote a picture's data.
    fn finish(&self, data: &mut Vec<u8>) -> Channels {
        let (colours, channels) = if self.is_grey {
            (1, Channels::Grey)
        } else {
            (3, Channels::Rgb)
        };
        if let Some(icc) = &self.icc {
            srgb::convert(data, self.step(), icc);
        }
        match &self.to_srgb {
            Some(to_srgb) => srgb::in_place(data, self.step(), colours, |pixel, out| {
                let sample = |i: usize| u16::from_ne_bytes([pixel[2 * i], pixel[2 * i + 1]]);
                if colours == 1 {
                    out[0] = to_srgb.grey(sample(0));
                } else {
                    out.copy_from_slice(&to_srgb.rgb([sample(0), sample(1), sample(2)]));
                }
                if self.has_alpha {
                    srgb::over_white(out, (sample(colours) >> 8) as u8);
                }
            }),
            // In JPEG XL 0 is full ink.
            None if self.is_cmyk => srgb::in_place(data, 4, 3, |pixel, out| {
                let inks = [pixel[0], pixel[1], pixel[2], pixel[3]].map(|v| 255 - v);
                out.copy_from_slice(&srgb::cmyk_to_rgb(&inks));
            }),
            None if self.has_alpha => srgb::in_place(data, colours + 1, colours, |pixel, out| {
                out.copy_from_slice(&pixel[..colours]);
                srgb::over_white(out, pixel[colours]);
            }),
            None => {}
        }
        channels
    }
}

/// `None`: the colours stay as they are.
fn by_icc(profile: &[u8]) -> Option<ToSrgb8> {
    match Profile8::read(profile)? {
        Profile8::Srgb => None,
        Profile8::Other(to_srgb) => Some(to_srgb),
    }
}

/// Takes EXIF and XMP from the file's boxes; the first of each counts.
fn read_boxes<'a>(bytes: &'a [u8], max: usize, facts: &mut Facts<'a>) {
    if !bytes.starts_with(SIGNATURE_BOX) {
        return;
    }
    let mut rest = bytes;
    while let Some((kind, content, after)) = next_box(rest) {
        rest = after;
        let (kind, content) = match kind {
            // The compressed form of any other box: its name, then its content.
            b"brob" => match content.split_first_chunk::<4>() {
                Some((kind @ (b"Exif" | b"xml "), data)) => match expand(data, max) {
                    Some(content) => (kind, Cow::Owned(content)),
                    None => continue,
                },
                _ => continue,
            },
            kind => (kind, Cow::Borrowed(content)),
        };
        if content.len() > max {
            continue;
        }
        match kind {
            b"Exif" if facts.exif.is_none() => facts.exif = exif(content),
            b"xml " if facts.xmp.is_none() => facts.xmp = Some(content),
            _ => {}
        }
    }
}

/// A box's name, its content, and what follows it. `None` where the file ends, or ends inside the box.
fn next_box(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (content, after) = match u32::from_be_bytes(*len) {
        0 => (rest, &[][..]), // to the end of the file
        1 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            let len = usize::try_from(u64::from_be_bytes(*len)).ok()?;
            rest.split_at_checked(len.checked_sub(16)?)?
        }
        len => rest.split_at_checked((len as usize).checked_sub(8)?)?,
    };
    Some((kind, content, after))
}

/// The TIFF structure in an `Exif` box: four bytes say how far behind them it starts.
fn exif(content: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let offset = u32::from_be_bytes(*content.first_chunk::<4>()?) as usize;
    let start = offset.checked_add(4)?;
    let block = match content {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(start..)?),
        Cow::Owned(mut bytes) => {
            if start > bytes.len() {
                return None;
            }
            bytes.drain(..start);
            Cow::Owned(bytes)
        }
    };
    (!block.is_empty()).then_some(block)
}

/// Brotli data decompressed, unless that is more than `max` bytes.
fn expand(data: &[u8], max: usize) -> Option<Vec<u8>> {
    const CHUNK: usize = 4096;
    let mut out = Vec::new();
    let mut limited = Decompressor::new(data, CHUNK).take(max as u64 + 1);
    limited.read_to_end(&mut out).ok()?;
    (out.len() <= max).then_some(out)
}

#[cfg(test)]
mod tests;
