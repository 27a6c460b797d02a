//! How large the developed photo is. The sensor's samples have borders that no viewer shows; where
//! the developed picture lies within them each maker says in another way.

use super::bytes::{Order, size};
use super::ifd::{Directory, View};
use super::tags::{self, panasonic};
use super::tree::Tree;

/// Width and height in pixels, and how sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
    /// False for the sensor's whole size: the camera's own full-size picture, if there is one, says
    /// better what to show.
    pub(super) is_developed: bool,
}

/// A longer side is no photo.
const MAX_SIDE: u32 = 1_000_000;
/// A picture that keeps less than this part (in percent) of a side is a small version, not the
/// developed picture: borders take up to a tenth.
const LEAST_KEPT: u64 = 85;

impl Size {
    pub(super) fn developed(width: u32, height: u32) -> Option<Self> {
        Self::of(width, height, true)
    }

    pub(super) fn whole_sensor(width: u32, height: u32) -> Option<Self> {
        Self::of(width, height, false)
    }

    fn of(width: u32, height: u32, is_developed: bool) -> Option<Self> {
        let sides = 1..=MAX_SIDE;
        (sides.contains(&width) && sides.contains(&height)).then_some(Self {
            width,
            height,
            is_developed,
        })
    }

    /// This, unless `width` and `height` are those of the developed picture inside it.
    pub(super) fn refined_by(self, width: u32, height: u32) -> Self {
        let keeps = |part: u32, whole: u32| {
            part <= whole && u64::from(part) * 100 >= u64::from(whole) * LEAST_KEPT
        };
        if !self.is_developed && keeps(width, self.width) && keeps(height, self.height) {
            return Self {
                width,
                height,
                is_developed: true,
            };
        }
        self
    }

    /// True if one is clearly landscape and the other clearly portrait.
    pub(super) fn is_turned_against(self, width: u32, height: u32) -> bool {
        // More than a tenth from square.
        let slant = |w: u32, h: u32| {
            let (w, h) = (u64::from(w), u64::from(h));
            i8::from(w * 10 > h * 11) - i8::from(h * 10 > w * 11)
        };
        slant(self.width, self.height) * slant(width, height) < 0
    }
}

/// The size of the photo in a TIFF-based file.
pub(super) fn of_tree(tree: &Tree<'_>) -> Option<Size> {
    let exif = exif_size(tree);
    if tree.root(tags::DNG_VERSION).is_some() {
        let raw = raw_directory(tree)?;
        return dng_size(&tree.view, raw).or_else(|| whole(&tree.view, raw));
    }
    if let Some(size) = inside_borders(tree).or_else(|| phase_one(tree)) {
        return Some(size);
    }
    // Canon's CR2 has the sizes of previews only in its directories, and the photo's in EXIF.
    if let (Some(b"CR"), Some(size)) = (tree.view.bytes.get(8..10), exif) {
        return Some(size);
    }
    let raw = raw_directory(tree);
    let cropped = raw.and_then(|d| crop_size(&tree.view, d));
    let has_sensor_size = raw.is_some_and(|d| tree.holds_samples(d));
    let sensor = raw.and_then(|d| whole(&tree.view, d));
    match (cropped, sensor, exif) {
        (Some(size), _, _) => Some(size),
        (None, Some(sensor), Some(exif)) if has_sensor_size => {
            Some(sensor.refined_by(exif.width, exif.height))
        }
        (None, Some(sensor), Some(exif)) => Some(larger(sensor, exif)),
        (None, sensor, exif) => sensor.or(exif),
    }
}

fn larger(a: Size, b: Size) -> Size {
    let pixels = |s: Size| u64::from(s.width) * u64::from(s.height);
    if pixels(b) >= pixels(a) { b } else { a }
}

/// EXIF's PixelXDimension and PixelYDimension.
fn exif_size(tree: &Tree<'_>) -> Option<Size> {
    let side = |tag| tree.view.number(tree.exif(tag)?, 0);
    Size::developed(
        side(tags::PIXEL_X_DIMENSION)?,
        side(tags::PIXEL_Y_DIMENSION)?,
    )
}

/// The directory of the main picture: with sensor samples before others, of full resolution before
/// reduced, then the largest.
fn raw_directory<'t>(tree: &'t Tree<'_>) -> Option<&'t Directory> {
    tree.pictures()
        .filter_map(|d| {
            let size = whole(&tree.view, d)?;
            let is_main = d
                .get(tags::NEW_SUBFILE_TYPE)
                .is_none_or(|e| tree.view.number(e, 0) == Some(0));
            let samples = tree.holds_samples(d);
            let pixels = u64::from(size.width) * u64::from(size.height);
            // A reduced picture is no sign of the photo's size.
            (is_main || samples).then_some(((samples && is_main, samples, pixels), d))
        })
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, d)| d)
}

/// ImageWidth and ImageLength.
fn whole(view: &View<'_>, directory: &Directory) -> Option<Size> {
    let side = |tag| view.number(directory.get(tag)?, 0);
    Size::whole_sensor(side(tags::IMAGE_WIDTH)?, side(tags::IMAGE_LENGTH)?)
}

/// What a DNG reader shows: DefaultCropSize (else the active area), times DefaultScale, less
/// DefaultUserCrop (DNG 1.7, chapter 4).
fn dng_size(view: &View<'_>, raw: &Directory) -> Option<Size> {
    let crop = crop_size(view, raw).or_else(|| active_area(view, raw))?;
    let pair = |tag, i| raw.get(tag).and_then(|e| view.real(e, i));
    let scale = |i| {
        pair(tags::DEFAULT_SCALE, i)
            .filter(|s| (0.1..=10.0).contains(s))
            .unwrap_or(1.0)
    };
    // Top, left, bottom, right as parts of 1.
    let kept = |from, to| {
        let part = pair(tags::DEFAULT_USER_CROP, to)? - pair(tags::DEFAULT_USER_CROP, from)?;
        (0.01..=1.0).contains(&part).then_some(part)
    };
    let width = f64::from(crop.width) * scale(0) * kept(1, 3).unwrap_or(1.0);
    let height = f64::from(crop.height) * scale(1) * kept(0, 2).unwrap_or(1.0);
    // Rounded numbers of at most 10 · MAX_SIDE fit.
    Size::developed(width.round() as u32, height.round() as u32)
}

/// DefaultCropSize: width, height. Sony writes it outside DNG too.
fn crop_size(view: &View<'_>, raw: &Directory) -> Option<Size> {
    let crop = raw.get(tags::DEFAULT_CROP_SIZE)?;
    let side = |i| view.real(crop, i).map(|s| s.round() as u32);
    let (crop, sensor) = (Size::developed(side(0)?, side(1)?)?, whole(view, raw)?);
    (crop.width <= sensor.width && crop.height <= sensor.height).then_some(crop)
}

/// ActiveArea: top, left, bottom, right.
fn active_area(view: &View<'_>, raw: &Directory) -> Option<Size> {
    let area = raw.get(tags::ACTIVE_AREA)?;
    let side = |i| view.number(area, i);
    let width = side(3)?.checked_sub(side(1)?)?;
    let height = side(2)?.checked_sub(side(0)?)?;
    Size::developed(width, height)
}

/// Panasonic's sensor borders.
fn inside_borders(tree: &Tree<'_>) -> Option<Size> {
    let side = |tag| tree.view.number(tree.root(tag)?, 0);
    let width = side(panasonic::SENSOR_RIGHT)?.checked_sub(side(panasonic::SENSOR_LEFT)?)?;
    let height = side(panasonic::SENSOR_BOTTOM)?.checked_sub(side(panasonic::SENSOR_TOP)?)?;
    Size::developed(width, height)
}

/// Where Phase One's own directory starts in the file.
const PHASE_ONE_AT: usize = 8;

fn phase_one_order(bytes: &[u8]) -> Option<Order> {
    match bytes.get(PHASE_ONE_AT..PHASE_ONE_AT + 8)? {
        [b'I', b'I', b'I', b'I', _, b'w', b'a', b'R'] => Some(Order::Little),
        [b'M', b'M', b'M', b'M', b'R', b'a', b'w', _] => Some(Order::Big),
        _ => None,
    }
}

/// True if a TIFF-based file is Phase One's (or Leaf's) IIQ.
pub(super) fn is_phase_one(bytes: &[u8]) -> bool {
    phase_one_order(bytes).is_some()
}

/// What Phase One's own directory says: after its mark the offset of a list of 16-byte entries
/// (tag, type, bytes, value), counted from the mark.
fn phase_one(tree: &Tree<'_>) -> Option<Size> {
    const WIDTH: u32 = 0x010C;
    const HEIGHT: u32 = 0x010D;
    const MAX_ENTRIES: u32 = 300;
    let bytes = tree.view.bytes;
    let order = phase_one_order(bytes)?;
    let list = PHASE_ONE_AT.checked_add(size(order.u32(bytes, PHASE_ONE_AT + 8)?))?;
    let count = size(order.u32(bytes, list)?.min(MAX_ENTRIES));
    let value = |tag| {
        (0..count).find_map(|i| {
            let at = list.checked_add(8 + 16 * i)?;
            (order.u32(bytes, at)? == tag).then(|| order.u32(bytes, at + 12))?
        })
    };
    Size::developed(value(WIDTH)?, value(HEIGHT)?)
}
