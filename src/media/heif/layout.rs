//! How pictures are made of others: the data of `grid` and `iovl` items (ISO/IEC 23008-12, 6.6.2), and the
//! sizes that follow from it.

use super::boxes::Fields;
use super::container::{Container, Item, MAX_DEPTH};
use super::hevc;
use super::properties::Property;
use crate::media::facts::NoPixels;

/// Tiles laid side by side and cut at the right and the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Pictures laid over each other on a ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlay {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Red, green, blue and alpha of the ground.
    pub(super) ground: [u8; 4],
    /// Where each picture's left upper corner is.
    pub(super) corners: Vec<(i64, i64)>,
}

impl Grid {
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(data);
        if fields.u8()? != 0 {
            return None;
        }
        let is_wide = fields.u8()? & 1 != 0;
        Some(Self {
            rows: u32::from(fields.u8()?) + 1,
            columns: u32::from(fields.u8()?) + 1,
            width: fields.id(is_wide)?,
            height: fields.id(is_wide)?,
        })
    }
}

impl Overlay {
    /// The layout of `count` pictures.
    pub(super) fn read(data: &[u8], count: usize) -> Option<Self> {
        let mut fields = Fields::new(data);
        if fields.u8()? != 0 {
            return None;
        }
        let is_wide = fields.u8()? & 1 != 0;
        let mut ground = [0; 4];
        for part in &mut ground {
            *part = (fields.u16()? >> 8) as u8;
        }
        let (width, height) = (fields.id(is_wide)?, fields.id(is_wide)?);
        let mut corner = || -> Option<i64> {
            Some(if is_wide {
                i64::from(fields.u32()? as i32)
            } else {
                i64::from(fields.u16()? as i16)
            })
        };
        let corners = (0..count)
            .map(|_| Some((corner()?, corner()?)))
            .collect::<Option<_>>()?;
        Some(Self {
            width,
            height,
            ground,
            corners,
        })
    }
}

/// The alpha plane of a picture.
pub(super) fn alpha_of<'c, 'a>(
    container: &'c Container<'a>,
    item: &Item<'a>,
) -> Option<&'c Item<'a>> {
    let is_alpha = |kind: &[u8]| {
        matches!(
            kind,
            b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" | b"urn:mpeg:hevc:2015:auxid:1"
        )
    };
    container.referring(item.id, b"auxl").find(|aux| {
        container.properties_of(aux).any(|property| match property {
            Property::Auxiliary(kind) => is_alpha(kind),
            _ => false,
        })
    })
}

/// Width and height of an item before its own crops and turns.
pub(super) fn own_size(
    container: &Container<'_>,
    item: &Item<'_>,
    depth: u32,
) -> Result<(u32, u32), NoPixels> {
    let told = container.coded_size(item);
    let from_data = match &item.kind {
        b"grid" => container
            .data(item)
            .ok()
            .and_then(|data| Grid::read(&data))
            .map(|grid| (grid.width, grid.height)),
        b"iovl" => container
            .data(item)
            .ok()
            .and_then(|data| Overlay::read(&data, 0))
            .map(|overlay| (overlay.width, overlay.height)),
        b"iden" | b"tmap" if depth < MAX_DEPTH => {
            match container
                .referred(item.id, b"dimg")
                .first()
                .and_then(|&source| container.item(source))
            {
                Some(source) => Some(shown_size(container, source, depth + 1)?),
                None => None,
            }
        }
        b"hvc1" | b"hev1" if told.is_none() => {
            container.codec(item, b"hvcC").and_then(hevc::picture_size)
        }
        _ => None,
    };
    let (width, height) = from_data
        .or(told)
        .ok_or_else(|| NoPixels::Corrupt("it does not say how large the picture is".into()))?;
    if width == 0 || height == 0 {
        return Err(NoPixels::Corrupt("the picture has no area".into()));
    }
    Ok((width, height))
}

/// Width and height of an item as people would see it.
pub(super) fn shown_size(
    container: &Container<'_>,
    item: &Item<'_>,
    depth: u32,
) -> Result<(u32, u32), NoPixels> {
    let (width, height) = own_size(container, item, depth)?;
    if item.kind == *b"tmap" {
        return Ok((width, height)); // its source is turned already
    }
    Ok(container.view_of(item, width, height)?.shown_size())
}
