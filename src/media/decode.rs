//! One entrance for all formats: bytes to 8-bit grey or RGB pixels, in the file's orientation.
//!
//! JPEG comes scaled (`jpeg`), everything else whole through the `image` crate, after its header
//! was held against the limits. Alpha lies over white, 16-bit and float samples are reduced, all
//! inside the one buffer the decoder filled.

use std::error::Error as _;
use std::io::{self, Cursor};

use image::codecs::{bmp, gif, ico, jpeg as jpeg_codec, pnm, tga, webp};
use image::error::{LimitErrorKind, UnsupportedErrorKind};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageError};

use super::error::InspectError;
use super::facts::{NoPixels, facts};
use super::jpeg::{self, Care, Need};
use super::jpeg_layout::{Coding, Layout};
use super::limits::Limits;
use super::picture::{Channels, Picture};
use super::wholeness::is_cut_short;
use super::wording;
use super::{heif, icc, jp2, jxl, png_rows, psd, tiff};
use crate::photo::Format;

/// Pixels, and the size the file says, which a scaled picture no longer shows.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) picture: Picture,
    /// Why part of it is not what was written, if that is so.
    pub(super) damage: Option<InspectError>,
    /// As stored, before orientation.
    pub(super) width: u32,
    /// As stored, before orientation.
    pub(super) height: u32,
}

/// Decodes `bytes`, known to be `format`; a JPEG only as large as `need` asks.
pub(super) fn decode(
    bytes: &[u8],
    format: Format,
    need: Need,
    limits: &Limits,
) -> Result<Decoded, InspectError> {
    if format != Format::Png && is_cut_short(bytes, format) {
        return Err(InspectError::Truncated { format });
    }
    let input = Cursor::new(bytes);
    let fail = |e| failure(format, (0, 0), e);
    match format {
        Format::Jpeg => jpeg(bytes, need, limits),
        Format::Png => {
            if let Some((width, height)) = png_size(bytes) {
                limits.check_size(format, width, height)?;
            }
            png_rows::decode(bytes, format, limits)
        }
        Format::Gif => whole(gif::GifDecoder::new(input).map_err(fail)?, format, limits),
        Format::Webp => whole(webp::WebPDecoder::new(input).map_err(fail)?, format, limits),
        Format::Bmp => whole(bmp::BmpDecoder::new(input).map_err(fail)?, format, limits),
        // What lies in an icon may have any of PNG's colours, but for the decoder here.
        Format::Ico if let Some(picture) = png_rows::in_icon(bytes) => {
            png_rows::decode(picture, format, limits)
        }
        Format::Ico => whole(ico::IcoDecoder::new(input).map_err(fail)?, format, limits),
        Format::Tga => whole(tga::TgaDecoder::new(input).map_err(fail)?, format, limits),
        Format::Pnm => whole(pnm::PnmDecoder::new(input).map_err(fail)?, format, limits),
        Format::Heic | Format::Avif => {
            let decode = |bytes: &[u8], limits: &Limits| heif::decode(bytes, need, limits);
            contained(bytes, format, limits, decode)
        }
        Format::Jxl => contained(bytes, format, limits, jxl::decode),
        Format::Jp2 => contained(bytes, format, limits, jp2::decode),
        Format::Psd => contained(bytes, format, limits, psd::decode),
        Format::Tiff => contained(bytes, format, limits, tiff::decode),
        Format::Raw => Err(InspectError::unsupported(
            format,
            "a camera's unprocessed sensor data",
        )),
    }
}

/// A format with a decoder here, which may give the picture smaller than its file says it is.
fn contained(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    decode: impl Fn(&[u8], &Limits) -> Result<Picture, NoPixels>,
) -> Result<Decoded, InspectError> {
    let known = facts(bytes, format, limits);
    let size = (known.width, known.height);
    let picture = decode(bytes, limits).map_err(|why| why.of(format, size))?;
    let (width, height) = match size {
        (0, _) | (_, 0) => (picture.width, picture.height),
        size => size,
    };
    Ok(Decoded {
        picture,
        damage: None,
        width,
        height,
    })
}

fn jpeg(bytes: &[u8], need: Need, limits: &Limits) -> Result<Decoded, InspectError> {
    let format = Format::Jpeg;
    let layout = Layout::read(bytes);
    let decoded = |mut picture: Picture, damage| {
        if let Some(profile) = icc::of_jpeg(bytes) {
            icc::to_srgb(&mut picture, &profile);
        }
        // A scaled decode succeeded, so the frame header it read is there.
        let size = layout.frame.as_ref().map(|f| (f.width, f.height));
        let (width, height) = size.unwrap_or((picture.width, picture.height));
        Decoded {
            picture,
            damage,
            width,
            height,
        }
    };
    let error = match jpeg::decode(bytes, &layout, need, Care::WantAll, limits) {
        Ok((picture, wrong)) => {
            let what = || InspectError::corrupt(format, "part of the picture's data is wrong");
            return Ok(decoded(picture, wrong.then(what)));
        }
        Err(error @ InspectError::Truncated { .. }) => {
            return match jpeg::decode(bytes, &layout, need, Care::TakeWhatIsThere, limits) {
                Ok((picture, _)) => Ok(decoded(picture, Some(error))),
                Err(_) => Err(error),
            };
        }
        Err(error) => error,
    };
    // What libjpeg calls damaged or cannot do, another reading of the standard may still show; only a file that
    // reaches its end marker gets that chance, for this decoder takes half files for whole.
    let baseline = layout
        .frame
        .as_ref()
        .is_some_and(|f| f.coding == Coding::Baseline);
    let refused = matches!(
        error,
        InspectError::Corrupt { .. } | InspectError::Unsupported { .. }
    );
    if !refused || !baseline || !layout.scans().ended {
        return Err(error);
    }
    jpeg_codec::JpegDecoder::new(Cursor::new(bytes))
        .map_err(|e| failure(format, (0, 0), e))
        .and_then(|decoder| whole(decoder, format, limits))
        .map_err(|_| error)
}

/// Width and height that the header claims, if it can be read; nothing is decoded.
pub(super) fn stored_size(bytes: &[u8], format: Format) -> Option<(u32, u32)> {
    use image::ImageFormat;
    let kind = match format {
        Format::Jpeg => {
            let frame = Layout::read(bytes).frame?;
            return Some((frame.width, frame.height)).filter(|(w, h)| *w > 0 && *h > 0);
        }
        Format::Png => return png_size(bytes).filter(|(w, h)| *w > 0 && *h > 0),
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        Format::Bmp => ImageFormat::Bmp,
        Format::Ico => ImageFormat::Ico,
        Format::Tga => ImageFormat::Tga,
        Format::Pnm => ImageFormat::Pnm,
        Format::Heic
        | Format::Avif
        | Format::Jxl
        | Format::Jp2
        | Format::Psd
        | Format::Tiff
        | Format::Raw => return None,
    };
    let reader = image::ImageReader::with_format(Cursor::new(bytes), kind);
    reader
        .into_dimensions()
        .ok()
        .filter(|(w, h)| *w > 0 && *h > 0)
}

/// Width and height from the header chunk, before the decoder allocates anything by them.
pub(super) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.get(16..)?.split_first_chunk::<4>()?;
    let height = rest.first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

fn codec_limits(limits: &Limits) -> image::Limits {
    let mut codec = image::Limits::default();
    codec.max_image_width = Some(limits.max_side);
    codec.max_image_height = Some(limits.max_side);
    codec.max_alloc = Some(limits.max_alloc);
    codec
}

/// How much a decoder holds at its worst, in multiples of its output: WebP's planes, a GIF frame beside its canvas, TGA's
/// indices. None of them counts this itself.
fn working_factor(format: Format) -> u64 {
    match format {
        Format::Webp => 3,
        Format::Gif | Format::Tga => 2,
        _ => 1,
    }
}

fn whole(
    mut decoder: impl ImageDecoder,
    format: Format,
    limits: &Limits,
) -> Result<Decoded, InspectError> {
    let (width, height) = decoder.dimensions();
    let (color, bytes) = (decoder.color_type(), decoder.total_bytes());
    limits.check_size(format, width, height)?;
    limits.check_alloc(
        format,
        (width, height),
        bytes.saturating_mul(working_factor(format)),
    )?;
    let len = usize::try_from(bytes)
        .map_err(|_| InspectError::corrupt(format, "its size does not fit in memory"))?;
    let fail = |e| failure(format, (width, height), e);
    decoder.set_limits(codec_limits(limits)).map_err(fail)?;
    let profile = decoder.icc_profile().ok().flatten();
    let mut data = vec![0; len];
    decoder.read_image(&mut data).map_err(fail)?;
    let (channels, data) = reduce(data, color)
        .ok_or_else(|| InspectError::unsupported(format, "an unusual kind of samples"))?;
    let mut picture = Picture::new(width, height, channels, data);
    if let Some(profile) = profile {
        icc::to_srgb(&mut picture, &profile);
    }
    Ok(Decoded {
        picture,
        damage: None,
        width,
        height,
    })
}

/// Samples of any depth, with or without alpha, as 8-bit over white; in place.
pub(super) fn reduce(mut data: Vec<u8>, color: ColorType) -> Option<(Channels, Vec<u8>)> {
    let channels = if color.has_color() {
        Channels::Rgb
    } else {
        Channels::Grey
    };
    let width = usize::from(color.bytes_per_pixel()) / usize::from(color.channel_count());
    let sample: fn(&[u8]) -> u8 = match (width, color) {
        (1, _) => |s| s[0],
        (2, _) => |s| (u16::from_ne_bytes([s[0], s[1]]) >> 8) as u8,
        (4, ColorType::Rgb32F | ColorType::Rgba32F) => |s| {
            let v = f32::from_ne_bytes([s[0], s[1], s[2], s[3]]);
            (v.clamp(0.0, 1.0) * 255.0).round() as u8 // NaN becomes 0
        },
        _ => return None,
    };
    if width == 1 && !color.has_alpha() {
        return Some((channels, data));
    }
    let (step, out) = (usize::from(color.bytes_per_pixel()), channels.count());
    let pixels = data.len() / step;
    for i in 0..pixels {
        let mut pixel = [0_u8; 16];
        pixel[..step].copy_from_slice(&data[i * step..(i + 1) * step]);
        let alpha = if color.has_alpha() {
            sample(&pixel[out * width..])
        } else {
            255
        };
        for c in 0..out {
            data[i * out + c] = over_white(sample(&pixel[c * width..]), alpha);
        }
    }
    data.truncate(pixels * out);
    Some((channels, data))
}

fn over_white(value: u8, alpha: u8) -> u8 {
    let (v, a) = (u32::from(value), u32::from(alpha));
    ((v * a + 255 * (255 - a) + 127) / 255) as u8
}

/// An `image` error as ours; data that ends early is told from data that is wrong.
fn failure(format: Format, (width, height): (u32, u32), error: ImageError) -> InspectError {
    if ended_early(&error) {
        return InspectError::Truncated { format };
    }
    match error {
        ImageError::Unsupported(e) => match e.kind() {
            UnsupportedErrorKind::Color(ExtendedColorType::Unknown(bits)) => {
                let why = format!("an unusual colour layout ({bits} bits a pixel)");
                InspectError::unsupported(format, why)
            }
            UnsupportedErrorKind::Color(_) => {
                InspectError::unsupported(format, "an unusual colour layout")
            }
            UnsupportedErrorKind::GenericFeature(what) => wording::unsupported(format, &what),
            _ => wording::unsupported(format, &e.to_string()),
        },
        ImageError::Limits(e) => InspectError::TooLarge {
            format,
            width,
            height,
            limit: match e.kind() {
                LimitErrorKind::InsufficientMemory => "decoding it takes too much memory",
                _ => "more than its decoder takes",
            }
            .to_owned(),
        },
        // The wrapper's "format error decoding …" says nothing the cause does not.
        e => {
            let words = e.source().map_or_else(|| e.to_string(), |c| c.to_string());
            wording::refusal(format, (width, height), &words)
        }
    }
}

/// Most decoders report missing data as the reader's error; `gif` has words for it instead.
fn ended_early(error: &ImageError) -> bool {
    if let ImageError::IoError(e) = error {
        return e.kind() == io::ErrorKind::UnexpectedEof;
    }
    let mut next = error.source();
    while let Some(e) = next {
        if e.downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof)
            || e.to_string().eq_ignore_ascii_case("unexpected end of file")
        {
            return true;
        }
        next = e.source();
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn alpha_lies_over_white() {
        let (channels, data) = reduce(
            vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128],
            ColorType::Rgba8,
        )
        .unwrap();
        assert_eq!(channels, Channels::Rgb);
        assert_eq!(data, [10, 20, 30, 255, 255, 255, 127, 127, 127]);
        assert_eq!(
            reduce(vec![0, 255, 0, 0], ColorType::La8).unwrap().1,
            [0, 255]
        );
    }

    #[test]
    fn deep_samples_keep_their_high_byte_and_floats_their_range() {
        let deep: Vec<u8> = [0_u16, 0x12FF, 0xFFFF]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        assert_eq!(reduce(deep, ColorType::L16).unwrap().1, [0, 0x12, 255]);
        let float: Vec<u8> = [-1.0_f32, 0.5, 7.0]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        assert_eq!(reduce(float, ColorType::Rgb32F).unwrap().1, [0, 128, 255]);
        let nan: Vec<u8> = [f32::NAN; 3].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(reduce(nan, ColorType::Rgb32F).unwrap().1, [0, 0, 0]);
    }
}
