//! PNG, row by row: where its data are cut off or wrong, what came before is still a picture, as viewers show
//! it. Wrong are data whose checksums say so, that of a block and that of all pixels together.

use std::io::Cursor;

use image::ColorType;
use png::{
    ColorType as Colours, DecodeOptions, Decoder, DecodingError, InterlaceInfo, Limits as Bounds,
    Transformations, splat_interlaced_row,
};

use super::decode::{Decoded, png_size, reduce};
use super::error::InspectError;
use super::icc;
use super::limits::Limits;
use super::picture::Picture;
use super::wholeness::is_cut_short;
use super::wording;
use crate::photo::Format;

/// Decodes a PNG, also one in a file of another `format`.
pub(super) fn decode(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
) -> Result<Decoded, InspectError> {
    let is_cut = is_cut_short(bytes, Format::Png);
    let cut_short = InspectError::Truncated { format };
    let mut rows = match Rows::read(bytes, format, limits, true) {
        Err(InspectError::Corrupt { .. }) if is_cut => return Err(cut_short),
        rows => rows?,
    };
    let mut damage = rows.trouble.take();
    if is_cut {
        damage = Some(cut_short);
    } else if matches!(damage, Some(InspectError::Corrupt { .. })) {
        // Where a sum is wrong the decoder keeps what it has of the rows before it.
        drop(std::mem::take(&mut rows.data));
        rows = Rows::read(bytes, format, limits, false)?;
    }
    if let Some(damage) = damage.take_if(|_| rows.come == 0) {
        return Err(damage);
    }
    let (width, height) = rows.size;
    let kind = match rows.colours {
        Colours::Grayscale => ColorType::L8,
        Colours::GrayscaleAlpha => ColorType::La8,
        Colours::Rgba => ColorType::Rgba8,
        _ => ColorType::Rgb8,
    };
    let (channels, data) = reduce(rows.data, kind)
        .ok_or_else(|| InspectError::unsupported(format, "an unusual kind of samples"))?;
    let mut picture = Picture::new(width, height, channels, data);
    if let Some(profile) = rows.profile {
        icc::to_srgb(&mut picture, &profile);
    }
    Ok(Decoded {
        picture,
        damage,
        width,
        height,
    })
}

/// What came of a picture.
struct Rows {
    size: (u32, u32),
    colours: Colours,
    /// White, or what earlier passes brought, where nothing came.
    data: Vec<u8>,
    /// Of its colours.
    profile: Option<Vec<u8>>,
    /// How many rows came; of an interlaced picture, of all its passes.
    come: usize,
    /// Why no more came.
    trouble: Option<InspectError>,
}

impl Rows {
    /// Reads all that can be had. A header that cannot be used is an error.
    fn read(
        bytes: &[u8],
        format: Format,
        limits: &Limits,
        checked: bool,
    ) -> Result<Self, InspectError> {
        let claimed = png_size(bytes).unwrap_or_default();
        let trouble = |e: &DecodingError| refusal(format, claimed, e);
        let mut options = DecodeOptions::default();
        options.set_ignore_adler32(!checked);
        options.set_ignore_crc(!checked);
        let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
        decoder.set_limits(Bounds {
            bytes: usize::try_from(limits.max_alloc).unwrap_or(usize::MAX),
        });
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|e| trouble(&e))?;
        let size = reader.info().size();
        limits.check_size(format, size.0, size.1)?;
        let profile = reader.info().icc_profile.as_deref().map(<[u8]>::to_vec);
        let (colours, _) = reader.output_color_type();
        let step = colours.samples();
        let len = u64::from(size.0) * u64::from(size.1) * step as u64;
        limits.check_alloc(format, size, len)?;
        let len = usize::try_from(len)
            .map_err(|_| InspectError::corrupt(format, "its size does not fit in memory"))?;
        let row = size.0 as usize * step;
        let mut rows = Self {
            size,
            colours,
            data: vec![255; len],
            profile,
            come: 0,
            trouble: None,
        };
        loop {
            match reader.next_interlaced_row() {
                Ok(Some(next)) => {
                    match next.interlace() {
                        // Coarse at first, as viewers show it while it loads.
                        InterlaceInfo::Adam7(place) => {
                            let (to, bits) = (&mut rows.data, 8 * step as u8);
                            splat_interlaced_row(to, row, next.data(), place, bits);
                        }
                        InterlaceInfo::Null(_) => {
                            let to = rows.data.get_mut(rows.come * row..).unwrap_or_default();
                            let len = row.min(to.len());
                            to[..len].copy_from_slice(&next.data()[..len]);
                        }
                    }
                    rows.come += 1;
                }
                Ok(None) => return Ok(rows),
                Err(e) => {
                    rows.trouble = Some(trouble(&e));
                    return Ok(rows);
                }
            }
        }
    }
}

fn refusal(format: Format, size: (u32, u32), error: &DecodingError) -> InspectError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            InspectError::Truncated { format }
        }
        DecodingError::LimitsExceeded => InspectError::TooLarge {
            format,
            width: size.0,
            height: size.1,
            limit: "decoding it takes too much memory".to_owned(),
        },
        error => wording::refusal(format, size, &error.to_string()),
    }
}

/// The picture in an icon file that decoders take, if it is a PNG: the deepest, of those the largest.
pub(super) fn in_icon(bytes: &[u8]) -> Option<&[u8]> {
    let u16_at = |at: usize| {
        let two = bytes.get(at..at + 2)?;
        Some(usize::from(u16::from_le_bytes([two[0], two[1]])))
    };
    let u32_at = |at: usize| Some(u16_at(at)? | u16_at(at + 2)? << 16);
    let side = |at: usize| Some(usize::from(bytes.get(at)?.wrapping_sub(1)) + 1);
    let (_, start, len) = (0..u16_at(4)?)
        .map_while(|entry| {
            let at = 6 + 16 * entry;
            let worth = (u16_at(at + 6)?, side(at)? * side(at + 1)?);
            Some((worth, u32_at(at + 12)?, u32_at(at + 8)?))
        })
        .max_by_key(|(worth, ..)| *worth)?;
    let rest = bytes.get(start..)?;
    let picture = &rest[..len.min(rest.len())];
    picture.starts_with(b"\x89PNG\r\n\x1a\n").then_some(picture)
}
