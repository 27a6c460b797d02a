//! HEIC, HEIF, HIF and AVIF: still pictures, and the first frame of sequences.
//!
//! The container says how a picture is cropped and turned (`clap`, `irot`, `imir`), and this module does it:
//! an EXIF orientation in such files is a copy for information and never counts (ISO/IEC 23008-12, A.2.1).
//! [`facts`] reads boxes alone, and so works on files whose picture data is cut off; `decode` refuses those
//! as truncated before it decodes anything.
//!
//! - `boxes`, `container`, `meta`, `sequence`, `properties`, `layout`: what a file says
//! - `hevc`, `av1` (with `obu`), `frame`: the codecs and what they give
//! - `yuv`, `primaries`, `colour`: from samples to sRGB
//! - `view`, `canvas`, `coded`, `compose`, `render`, `budget`: putting it together, within the limits
//!
//! Colours come from an ICC profile, else from code points in the container, else from those in the codec's
//! header. Where nothing is said: sRGB, with BT.601's matrix (ISO/IEC 23000-22, 7.3.6.4), and in the range
//! that the codec's header has (television range for HEVC without a description, H.265 E.3.1).
//!
//! A panic in the AV1 decoder would end the process (see `av1`): decode in a process that may be lost.

mod av1;
mod boxes;
mod budget;
mod canvas;
mod coded;
mod colour;
mod compose;
mod container;
mod frame;
mod hevc;
mod layout;
mod meta;
mod obu;
mod primaries;
mod properties;
mod render;
mod sequence;
#[cfg(test)]
mod tests;
mod view;
mod yuv;

use std::borrow::Cow;

use self::canvas::Canvas;
use self::container::{Container, Item};
use self::properties::Property;
use self::render::Renderer;
use self::view::{Turn, View};
use crate::media::facts::{Facts, NoPixels};
use crate::media::jpeg::Need;
use crate::media::limits::Limits;
use crate::media::picture::{Channels, Picture};

/// Of several thumbnails the smallest is taken whose longer side has so many pixels: enough for the models
/// (224 to 384 pixels) and for people.
const THUMBNAIL_SIDE: u32 = 320;

/// An embedded thumbnail.
#[derive(Debug, Clone, PartialEq)]
pub enum Thumbnail<'a> {
    /// Decoded, upright.
    Pixels(Picture),
    /// A JPEG file, to be decoded and then turned as this EXIF orientation (1 to 8) says. Its own EXIF does
    /// not count.
    Jpeg {
        /// The file.
        bytes: Cow<'a, [u8]>,
        /// What remains to be done to it.
        orientation: u8,
    },
}

/// What the boxes of a file say of its primary picture. Metadata longer than `limits.max_metadata` is left
/// out; sizes are told even if they are over the limits.
///
/// # Errors
///
/// Truncated if the boxes are cut off, corrupt if they make no sense.
pub fn facts<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Facts<'a>, NoPixels> {
    let container = Container::read(bytes)?;
    let primary = container.needed(container.primary)?;
    let (width, height) = layout::shown_size(&container, primary, 0).unwrap_or((0, 0));
    let block = |is_wanted: &dyn Fn(&Item<'a>) -> bool| {
        let found = container.metadata(is_wanted)?;
        container
            .data(found)
            .ok()
            .filter(|data| data.len() <= limits.max_metadata)
    };
    let exif = block(&|item| item.kind == *b"Exif").and_then(tiff_of);
    let is_xmp =
        |item: &Item<'_>| item.kind == *b"mime" && item.content_type == b"application/rdf+xml";
    let xmp = block(&is_xmp).filter(|xmp| !xmp.is_empty());
    Ok(Facts {
        width,
        height,
        is_upright: true,
        exif,
        xmp,
    })
}

/// The primary picture, upright, in 8-bit sRGB over white; at half its size where that is enough and the file
/// makes it simple.
///
/// # Errors
///
/// Truncated if any of the picture's data lies behind the end of the file; the others as [`NoPixels`] says.
pub(super) fn decode(bytes: &[u8], need: Need, limits: &Limits) -> Result<Picture, NoPixels> {
    let container = Container::read(bytes)?;
    let primary = container.needed(container.primary)?;
    let mut renderer = Renderer::new(&container, primary, limits)?;
    container.check_whole(primary)?;
    if let Some(alpha) = layout::alpha_of(&container, primary) {
        container.check_whole(alpha)?;
    }
    let canvas = renderer.render(primary, need)?;
    Ok(finished(&container, primary, canvas))
}

/// The embedded thumbnail of the primary picture. `None` if there is none that is whole and can be decoded.
pub fn thumbnail<'a>(bytes: &'a [u8], limits: &Limits) -> Option<Thumbnail<'a>> {
    let container = Container::read(bytes).ok()?;
    let primary = container.item(container.primary)?;
    // Of a picture made from one other, the other's thumbnail does as well.
    let source = container.referred(primary.id, b"dimg");
    let masters = [
        Some(primary.id),
        source.first().copied().filter(|_| source.len() == 1),
    ];
    let mut found: Vec<(u64, &Item<'a>)> = Vec::new();
    for item in masters
        .into_iter()
        .flatten()
        .flat_map(|id| container.referring(id, b"thmb"))
    {
        let (width, height) = container.coded_size(item).unwrap_or((0, 0));
        let is_large_enough = width.max(height) >= THUMBNAIL_SIDE;
        let pixels = u64::from(width) * u64::from(height);
        // Large ones first, the smallest of them leading; then small ones, the largest of them leading.
        found.push((
            if is_large_enough {
                pixels
            } else {
                u64::MAX - pixels
            },
            item,
        ));
    }
    found.sort_by_key(|&(order, _)| order);
    found
        .into_iter()
        .take(8)
        .find_map(|(_, item)| match &item.kind {
            b"jpeg" => jpeg_thumbnail(&container, primary, item),
            _ => {
                container.check_whole(item).ok()?;
                let mut renderer = Renderer::new(&container, item, limits).ok()?;
                let mut canvas = renderer.render(item, Need::WHOLE).ok()?;
                let (width, height) = canvas.size();
                if let Some(turn) = forgotten_turn(&container, primary, item, (width, height)) {
                    canvas = renderer
                        .seen(
                            View {
                                turn,
                                ..View::whole(width, height)
                            },
                            canvas,
                        )
                        .ok()?;
                }
                Some(Thumbnail::Pixels(finished(&container, item, canvas)))
            }
        })
}

fn jpeg_thumbnail<'a>(
    container: &Container<'a>,
    primary: &Item<'a>,
    item: &Item<'a>,
) -> Option<Thumbnail<'a>> {
    let mut bytes = container.data(item).ok()?;
    let prefix = container
        .properties_of(item)
        .find_map(|property| match property {
            Property::JpegPrefix(prefix) => Some(*prefix),
            _ => None,
        });
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        bytes = Cow::Owned([prefix, &bytes].concat());
    }
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let (width, height) = container.coded_size(item).unwrap_or((1, 1));
    let own = container.view_of(item, width, height).ok()?.turn;
    let turn = forgotten_turn(container, primary, item, (width, height)).unwrap_or(own);
    Some(Thumbnail::Jpeg {
        bytes,
        orientation: turn.exif_orientation(),
    })
}

/// The turn of the primary picture, if it seems to hold for a thumbnail that has none of its own: it would lie
/// on its side otherwise.
fn forgotten_turn<'a>(
    container: &Container<'a>,
    primary: &Item<'a>,
    thumbnail: &Item<'a>,
    (width, height): (u32, u32),
) -> Option<Turn> {
    let is_turned = container
        .properties_of(thumbnail)
        .any(|property| matches!(property, Property::Rotation(_) | Property::Mirror(_)));
    let (own_width, own_height) = layout::own_size(container, primary, 0).ok()?;
    let turn = container.view_of(primary, own_width, own_height).ok()?.turn;
    let lies_alike = (width > height) == (own_width > own_height) && width != height;
    (!is_turned && turn.transposes && lies_alike).then_some(turn)
}

fn finished(container: &Container<'_>, item: &Item<'_>, mut canvas: Canvas) -> Picture {
    let (width, height) = canvas.size();
    canvas.over_white(!container.referred(item.id, b"prem").is_empty());
    Picture {
        width,
        height,
        content: (f64::from(width), f64::from(height)),
        channels: Channels::Rgb,
        data: canvas.colour,
    }
}

/// The TIFF structure in an `Exif` item: four bytes say how far after them it starts, and some writers put
/// JPEG's prefix before it.
fn tiff_of(block: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    const STARTS: [&[u8]; 2] = [b"II*\0", b"MM\0*"];
    let told = block
        .first_chunk::<4>()
        .map(|bytes| u32::from_be_bytes(*bytes) as usize);
    // Some count wrongly, or leave the four bytes out.
    let places = [
        told.map(|told| told.saturating_add(4)),
        Some(10),
        Some(4),
        Some(6),
        Some(0),
    ];
    let start = places.into_iter().flatten().find_map(|place| {
        let rest = block.get(place..)?;
        let skipped = if rest.starts_with(b"Exif\0\0") { 6 } else { 0 };
        let is_tiff = STARTS
            .iter()
            .any(|start| rest[skipped..].starts_with(start));
        is_tiff.then_some(place + skipped)
    })?;
    Some(match block {
        Cow::Borrowed(block) => Cow::Borrowed(&block[start..]),
        Cow::Owned(block) => Cow::Owned(block[start..].to_vec()),
    })
}
