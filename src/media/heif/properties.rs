//! The properties of items (`ipco`): size, coding, colour, crop and turn.

use super::boxes::{Fields, Kind, Piece};
use super::view::{Aperture, View};

/// What a property box says. Those that do not parse and those of no use here are `Other`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Property<'a> {
    /// `ispe`: width and height as coded.
    Size(u32, u32),
    /// `hvcC`, `av1C`: how the decoder is set up.
    Codec(Kind, &'a [u8]),
    /// `colr` with code points.
    Nclx(Nclx),
    /// `colr` with an ICC profile.
    Icc(&'a [u8]),
    /// `irot`: quarter turns anti-clockwise.
    Rotation(u8),
    /// `imir`: true if top and bottom change places, false if left and right do.
    Mirror(bool),
    /// `clap`.
    Crop(Aperture),
    /// `auxC`: what an auxiliary picture is for.
    Auxiliary(&'a [u8]),
    /// `jpgC`: the bytes that go before the data of a `jpeg` item.
    JpegPrefix(&'a [u8]),
    /// `a1op`: which operating point of an AV1 stream is meant.
    OperatingPoint(u8),
    Other,
}

/// Colour code points (ITU-T H.273). 2 is "unspecified" in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nclx {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    /// Whether samples use all code values, or the television range (16 to 235 of 255).
    pub(super) is_full_range: bool,
}

impl<'a> Property<'a> {
    pub(super) fn read(piece: &Piece<'a>) -> Self {
        Self::parse(piece).unwrap_or(Self::Other)
    }

    fn parse(piece: &Piece<'a>) -> Option<Self> {
        let mut fields = Fields::new(piece.body);
        Some(match &piece.kind {
            b"ispe" => {
                fields.version()?;
                Self::Size(fields.u32()?, fields.u32()?)
            }
            b"hvcC" | b"av1C" => Self::Codec(piece.kind, piece.body),
            b"colr" => match &fields.kind()? {
                b"nclx" => Self::Nclx(Nclx {
                    primaries: fields.u16()?,
                    transfer: fields.u16()?,
                    matrix: fields.u16()?,
                    is_full_range: fields.u8()? & 0x80 != 0,
                }),
                b"prof" | b"rICC" => Self::Icc(fields.rest()),
                _ => Self::Other,
            },
            b"irot" => Self::Rotation(fields.u8()? & 3),
            b"imir" => Self::Mirror(fields.u8()? & 1 == 0),
            b"clap" => {
                let mut fraction = |is_signed: bool| -> Option<f64> {
                    let (over, under) = (fields.u32()?, fields.u32()?);
                    let over = if is_signed {
                        f64::from(over as i32)
                    } else {
                        f64::from(over)
                    };
                    (under != 0).then(|| over / f64::from(under))
                };
                Self::Crop(Aperture {
                    width: fraction(false)?,
                    height: fraction(false)?,
                    right_of_centre: fraction(true)?,
                    below_centre: fraction(true)?,
                })
            }
            b"auxC" => {
                fields.version()?;
                Self::Auxiliary(fields.text())
            }
            b"jpgC" => Self::JpegPrefix(piece.body),
            b"a1op" => Self::OperatingPoint(fields.u8()?),
            _ => Self::Other,
        })
    }

    /// The view after this property, which comes after those that made `view`. `None` if it crops all away.
    pub(super) fn applied_to(&self, view: View) -> Option<View> {
        match self {
            Self::Rotation(quarters) => Some(view.rotated_left(*quarters)),
            Self::Mirror(exchanges_top_and_bottom) => {
                Some(view.mirrored(*exchanges_top_and_bottom))
            }
            Self::Crop(aperture) => view.cropped(aperture),
            _ => Some(view),
        }
    }
}
