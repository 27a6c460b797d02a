//! HEVC stills, decoded by `heifer-hevc-dec`: one frame, on the calling thread.

use heifer_hevc_dec::Error;
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_hevc_dec::nal::{NalUnit, NalUnitType};
use heifer_hevc_dec::params::{ParameterSets, Sps};

use super::boxes::Fields;
use super::frame::{Chroma, Frame, Header, Samples, Siting};
use super::properties::Nclx;
use crate::media::facts::NoPixels;

/// The start code before each unit of a byte stream (H.265, annex B).
const START: [u8; 4] = [0, 0, 0, 1];

/// A picture's data and set-up as one byte stream, and what its header says.
pub(super) struct Stream {
    bytes: Vec<u8>,
    pub(super) header: Header,
}

impl Stream {
    /// Joins an `hvcC` box and an item's data, and reads the sequence header. Units of other layers (the
    /// second eye of a spatial photo) are left out.
    pub(super) fn new(config: &[u8], data: &[u8]) -> Result<Self, NoPixels> {
        let mut bytes = Vec::new();
        // Every length of four bytes becomes a start code; shorter ones grow by at most three bytes, and
        // a unit has at least two.
        let room = config.len().saturating_mul(2) + data.len() + data.len() / 4;
        bytes.try_reserve(room).map_err(|_| NoPixels::NoMemory)?;

        let length_size = push_set_up(&mut bytes, config)?;
        let mut fields = Fields::new(data);
        while !fields.rest().is_empty() {
            let unit = fields
                .number(length_size)
                .and_then(|size| fields.bytes(usize::try_from(size).ok()?))
                .ok_or_else(|| {
                    NoPixels::Corrupt("its HEVC data is not cut into units properly".into())
                })?;
            push_unit(&mut bytes, unit);
        }

        let sps = sequence_header(&bytes)?;
        let header = header_of(&sps)?;
        Ok(Self { bytes, header })
    }

    /// What decoding holds at its worst, in bytes, this stream included: two bytes a sample for the planes, as
    /// much again for the copy that the conformance window is cut out into (or one plane's copy for the last
    /// filter), and 19 bytes for each block of 4×4 pixels. Measured with the picture itself at 33 megapixels
    /// in 4:2:0: 9.0 bytes a pixel, of 10.5 reckoned.
    pub(super) fn memory(&self) -> u64 {
        let units = 2 * self.bytes.len() as u64; // this, and the units without escapes
        2 * self.header.plane_bytes(2) + self.header.pixels() * 3 / 2 + units
    }

    /// Decodes the first picture.
    pub(super) fn decode(self) -> Result<Frame, NoPixels> {
        let options = DecodeOptions {
            max_pixels: self.header.pixels(),
            ..DecodeOptions::default()
        };
        let frame = decode_picture(&self.bytes, options).map_err(refusal)?;
        let chroma = match frame.chroma_format {
            0 => Chroma::None,
            1 => Chroma::Half,
            2 => Chroma::HalfWidth,
            _ => Chroma::Full,
        };
        let decoded = Frame {
            width: frame.widths[0],
            height: frame.heights[0],
            chroma,
            depths: frame.bit_depth,
            siting: self.header.siting,
            samples: Samples::Planes(frame.planes),
        };
        let is_consistent = (1..3).all(|plane| {
            chroma == Chroma::None
                || decoded.plane_size(plane) == (frame.widths[plane], frame.heights[plane])
        });
        if !is_consistent {
            return Err(NoPixels::Corrupt(
                "its HEVC planes do not fit together".into(),
            ));
        }
        Ok(decoded)
    }
}

/// The size of the picture that an `hvcC` box is for, without padding.
pub(super) fn picture_size(config: &[u8]) -> Option<(u32, u32)> {
    let mut bytes = Vec::new();
    push_set_up(&mut bytes, config).ok()?;
    Some(sequence_header(&bytes).ok()?.output_size())
}

/// Appends the parameter sets of an `hvcC` box (ISO/IEC 14496-15, 8.3.3.1). Gives how many bytes the length
/// before each unit of the data has.
fn push_set_up(bytes: &mut Vec<u8>, config: &[u8]) -> Result<u8, NoPixels> {
    let broken = || NoPixels::Corrupt("its HEVC set-up cannot be read".into());
    let mut fields = Fields::new(config);
    let set_up = fields.bytes(21).ok_or_else(broken)?;
    if set_up[0] != 1 {
        return Err(NoPixels::Unsupported(format!(
            "HEVC set-up version {}",
            set_up[0]
        )));
    }
    let length_size = (fields.u8().ok_or_else(broken)? & 3) + 1;
    for _ in 0..fields.u8().ok_or_else(broken)? {
        fields.u8().ok_or_else(broken)?; // what the units are
        for _ in 0..fields.u16().ok_or_else(broken)? {
            let size = fields.u16().ok_or_else(broken)?;
            push_unit(bytes, fields.bytes(size.into()).ok_or_else(broken)?);
        }
    }
    Ok(length_size)
}

fn push_unit(bytes: &mut Vec<u8>, unit: &[u8]) {
    // The layer's number is the low bit of the first byte and the five high ones of the second.
    let is_base = matches!(unit, [first, second, ..] if first & 1 == 0 && second >> 3 == 0);
    if is_base {
        bytes.extend_from_slice(&START);
        bytes.extend_from_slice(unit);
    }
}

/// The first sequence parameter set before the first slice.
fn sequence_header(bytes: &[u8]) -> Result<Sps, NoPixels> {
    let mut sets = ParameterSets::default();
    for unit in heifer_hevc_dec::nal::split_annex_b(bytes) {
        let unit = NalUnit::parse(unit).map_err(refusal)?;
        match unit.header.unit_type {
            NalUnitType::Sps => {
                sets.add(&unit).map_err(refusal)?;
                if let Some(sps) = sets.sps.iter_mut().find_map(Option::take) {
                    return Ok(sps);
                }
            }
            kind if kind.is_slice() => break,
            _ => {}
        }
    }
    Err(NoPixels::Corrupt(
        "its HEVC sequence header is missing".into(),
    ))
}

fn header_of(sps: &Sps) -> Result<Header, NoPixels> {
    let chroma = match (sps.chroma_format_idc, sps.separate_colour_plane_flag) {
        (0, _) => Chroma::None,
        (1, _) => Chroma::Half,
        (2, _) => Chroma::HalfWidth,
        (3, false) => Chroma::Full,
        _ => {
            return Err(NoPixels::Unsupported(
                "HEVC with separate colour planes".into(),
            ));
        }
    };
    let vui = sps.vui.as_ref();
    // Without a description HEVC infers "unspecified" and the television range (H.265, E.3.1).
    let code_point = |value: Option<u8>| value.map_or(2, u16::from);
    Ok(Header {
        width: sps.pic_width_in_luma_samples,
        height: sps.pic_height_in_luma_samples,
        chroma,
        depth: sps.bit_depth_luma.max(sps.bit_depth_chroma),
        // The default of H.265 (E.3.1): on the even columns, between the rows.
        siting: Siting {
            is_between_columns: false,
            is_between_rows: true,
        },
        nclx: Nclx {
            primaries: code_point(vui.map(|vui| vui.colour_primaries)),
            transfer: code_point(vui.map(|vui| vui.transfer_characteristics)),
            matrix: code_point(vui.map(|vui| vui.matrix_coeffs)),
            is_full_range: vui.is_some_and(|vui| vui.video_full_range_flag),
        },
    })
}

fn refusal(error: Error) -> NoPixels {
    match error {
        Error::Unimplemented(what) => NoPixels::Unsupported(format!("HEVC ({what})")),
        Error::UnexpectedEof => NoPixels::Corrupt("its HEVC data ends too early".into()),
        Error::Invalid(what) => NoPixels::Corrupt(format!("its HEVC data is damaged ({what})")),
        Error::HashMismatch(_) => NoPixels::Corrupt("its HEVC data is damaged".into()),
    }
}
