//! From items to pixels: coded pictures, grids, overlays and what they are nested in, with their alpha.
//!
//! Memory is reckoned before each step and held against the limit: the canvas (three bytes a pixel, four with
//! alpha), and on top of it what the decoder holds for the one frame that is being decoded. Frames are
//! converted sixteen rows at a time, straight to where they are shown.

use super::budget::Budget;
use super::canvas::{Canvas, filled};
use super::coded;
use super::colour::ToSrgb;
use super::container::{Container, Item, MAX_DEPTH};
use super::layout::{alpha_of, own_size};
use super::properties::{Nclx, Property};
use super::view::View;
use super::yuv::{Converter, Row, Scale};
use crate::media::facts::NoPixels;
use crate::media::jpeg::Need;
use crate::media::limits::Limits;

/// How many rows or columns a coded picture may have less than the item: less than the largest block.
const MAX_MISSING: u32 = 63;

/// What is known of colours from the items around a coded picture.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Colours<'c> {
    icc: Option<&'c [u8]>,
    nclx: Option<Nclx>,
}

/// Decodes items of one file.
pub(super) struct Renderer<'c, 'a> {
    pub(super) container: &'c Container<'a>,
    pub(super) budget: Budget<'c>,
    /// The last way to sRGB, and what it was made for.
    to_srgb: Option<(Option<&'c [u8]>, Nclx, u8, ToSrgb)>,
    /// Colours are painted at half the size.
    halves: bool,
}

/// Which samples of a frame are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Colour,
    Alpha,
}

impl<'c, 'a> Renderer<'c, 'a> {
    /// For decoding `item` once.
    pub(super) fn new(
        container: &'c Container<'a>,
        item: &Item<'a>,
        limits: &'c Limits,
    ) -> Result<Self, NoPixels> {
        let (width, height) = own_size(container, item, 0)?;
        let file = container.file.len() as u64;
        Ok(Self {
            container,
            budget: Budget::new(limits, width, height, file)?,
            to_srgb: None,
            halves: false,
        })
    }

    /// The item as it is shown, in sRGB; at half its size where that is enough for `need` and simple. Most of
    /// what follows the codec is work on pixels, and of a photo a quarter of them are plenty.
    pub(super) fn render(&mut self, item: &Item<'a>, need: Need) -> Result<Canvas, NoPixels> {
        self.halves = self.can_halve(item, need)?;
        self.render_within(item, Colours::default(), 0)
    }

    /// Coded pictures and grids of them, without alpha, whose edges all lie between pairs of pixels.
    fn can_halve(&self, item: &Item<'a>, need: Need) -> Result<bool, NoPixels> {
        let (width, height) = own_size(self.container, item, 0)?;
        if !need.allows_half(width, height) || alpha_of(self.container, item).is_some() {
            return Ok(false);
        }
        let view = self.container.view_of(item, width, height)?;
        let is_even = |(width, height): (u32, u32)| (width | height).is_multiple_of(2);
        if !is_even((width, height)) || view.halved().is_none() {
            return Ok(false);
        }
        Ok(match &item.kind {
            b"hvc1" | b"hev1" | b"av01" => true,
            b"grid" => {
                let mut tiles = self.container.referred(item.id, b"dimg").iter();
                tiles.all(|&tile| {
                    let tile = self.container.item(tile);
                    tile.is_some_and(|tile| {
                        self.is_plain(tile) && own_size(self.container, tile, 1).is_ok_and(is_even)
                    })
                })
            }
            _ => false,
        })
    }

    pub(super) fn render_within(
        &mut self,
        item: &Item<'a>,
        around: Colours<'c>,
        depth: u32,
    ) -> Result<Canvas, NoPixels> {
        if depth > MAX_DEPTH {
            return Err(NoPixels::Corrupt(
                "its pictures are nested too deeply".into(),
            ));
        }
        let colours = self.colours_of(item, around);
        let (width, height) = own_size(self.container, item, depth)?;
        self.budget.check_size(width, height)?;
        let mut canvas = match &item.kind {
            b"hvc1" | b"hev1" | b"av01" | b"grid" => {
                let view = self.container.view_of(item, width, height)?;
                let half = view.halved().filter(|_| self.halves);
                let mut canvas = self.canvas(half.unwrap_or(view))?;
                self.paint(
                    item,
                    &mut canvas,
                    Wanted::Colour,
                    [0, 0, width, height],
                    colours,
                    depth,
                )?;
                canvas
            }
            b"iovl" => self.overlay(item, colours, depth)?,
            b"iden" | b"tmap" => {
                let source = self.container.referred(item.id, b"dimg").first().copied();
                let source =
                    source.ok_or_else(|| NoPixels::Corrupt("its picture is missing".into()))?;
                let inner =
                    self.render_within(self.container.needed(source)?, colours, depth + 1)?;
                match &item.kind {
                    b"iden" => self.seen_through(item, inner)?,
                    _ => inner,
                }
            }
            kind => {
                return Err(NoPixels::Unsupported(format!(
                    "HEIF coding {}",
                    kind.escape_ascii()
                )));
            }
        };
        if let Some(alpha) = alpha_of(self.container, item) {
            match self.add_alpha(&mut canvas, alpha, (width, height)) {
                Ok(()) | Err(NoPixels::Unsupported(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(canvas)
    }

    /// What an item says of colours, filled up with what is said around it.
    pub(super) fn colours_of(&self, item: &Item<'a>, around: Colours<'c>) -> Colours<'c> {
        let mut own = Colours::default();
        let container: &'c Container<'a> = self.container;
        let Some(item) = container.item(item.id) else {
            return around;
        };
        for property in container.properties_of(item) {
            match property {
                Property::Nclx(nclx) => own.nclx = own.nclx.or(Some(*nclx)),
                Property::Icc(icc)
                    if !icc.is_empty() && icc.len() <= self.budget.limits.max_metadata =>
                {
                    own.icc = own.icc.or(Some(*icc));
                }
                _ => {}
            }
        }
        Colours {
            icc: around.icc.or(own.icc),
            nclx: own.nclx.or(around.nclx),
        }
    }

    /// Paints a coded picture or a grid onto a canvas: the first `width` by `height` pixels, at (`x`, `y`).
    pub(super) fn paint(
        &mut self,
        item: &Item<'a>,
        canvas: &mut Canvas,
        wanted: Wanted,
        place: [u32; 4],
        colours: Colours<'c>,
        depth: u32,
    ) -> Result<(), NoPixels> {
        if item.kind == *b"grid" {
            return self.paint_grid(item, canvas, wanted, place, colours, depth);
        }
        let (frame, header, memory) = coded::decode(self.container, item, &mut self.budget)?;
        let [x, y, width, height] = place;
        let place_width = width;
        // Codecs round sizes up to whole blocks: what is more than the item has is padding. Some writers
        // tell the size with padding that the codec has cut away; the last rows and columns stand in.
        if frame.width + MAX_MISSING < width || frame.height + MAX_MISSING < height {
            return Err(NoPixels::Corrupt(
                "a coded picture is smaller than the file says".into(),
            ));
        }
        let scale = if self.halves {
            Scale::Half
        } else {
            Scale::Full
        };
        let present = scale.of(width.min(frame.width)) as usize;
        let last = scale.of(frame.height) - 1;
        let nclx = coded::effective(colours.nclx, header.nclx);
        let place = [x, y, width, height].map(|edge| scale.of(edge));
        let [x, _, width, _] = place;
        match wanted {
            Wanted::Colour => {
                let to_srgb = self.way_to_srgb(colours.icc, nclx, header.depth);
                let shown = place_width.min(frame.width);
                let mut converter = Converter::new(&frame, nclx, shown, to_srgb.top(), scale)?;
                let mut row = Row::default();
                let make = |y: u32, bytes: &mut [u8]| {
                    converter.row(y.min(last), &mut row)?;
                    to_srgb.finish(&row, &mut bytes[..3 * present]);
                    for at in 3 * present..bytes.len() {
                        bytes[at] = bytes[at - 3];
                    }
                    Ok(())
                };
                coded::in_strips(place, 3, make, |y, rows| {
                    canvas.put_colour(x, y, width, rows)
                })?;
            }
            Wanted::Alpha => {
                let mut converter = Converter::new(&frame, nclx, width, 255, Scale::Full)?;
                let mut row = Vec::new();
                let make = |y: u32, bytes: &mut [u8]| {
                    converter.luma_row(y.min(last), &mut row)?;
                    bytes[..present].copy_from_slice(&row);
                    bytes[present..].fill(row[present - 1]);
                    Ok(())
                };
                coded::in_strips(place, 1, make, |y, rows| {
                    canvas.put_alpha(x, y, width, rows)
                })?;
            }
        }
        drop(frame);
        self.budget.release(memory);
        Ok(())
    }

    /// True for coded pictures that are shown as they are, without crops, turns and alpha.
    pub(super) fn is_plain(&self, item: &Item<'a>) -> bool {
        let is_turned = self.container.properties_of(item).any(|property| {
            matches!(
                property,
                Property::Rotation(_) | Property::Mirror(_) | Property::Crop(_)
            )
        });
        matches!(&item.kind, b"hvc1" | b"hev1" | b"av01")
            && !is_turned
            && alpha_of(self.container, item).is_none()
    }

    /// Decodes an alpha plane onto a picture of this size before its turns. A plane of another size is
    /// stretched.
    fn add_alpha(
        &mut self,
        canvas: &mut Canvas,
        alpha: &Item<'a>,
        size: (u32, u32),
    ) -> Result<(), NoPixels> {
        let colours = self.colours_of(alpha, Colours::default());
        let (width, height) = own_size(self.container, alpha, 1)?;
        self.budget.check_size(width, height)?;
        if !matches!(&alpha.kind, b"hvc1" | b"hev1" | b"av01" | b"grid") {
            return Err(NoPixels::Unsupported("this kind of alpha".into()));
        }
        // A view made by `seen_through` is not the one that alpha, which has no turns, goes through.
        let is_direct = (width, height) == size;
        if is_direct {
            self.make_room_for_alpha(canvas)?;
            return self.paint(
                alpha,
                canvas,
                Wanted::Alpha,
                [0, 0, width, height],
                colours,
                1,
            );
        }
        let bytes = u64::from(width) * u64::from(height);
        self.budget.hold(bytes)?;
        let mut plane = Canvas {
            view: View::whole(width, height),
            colour: Vec::new(),
            alpha: filled(bytes, 255)?,
        };
        self.paint(
            alpha,
            &mut plane,
            Wanted::Alpha,
            [0, 0, width, height],
            colours,
            1,
        )?;
        self.make_room_for_alpha(canvas)?;
        let scaled = |at: u32, from: u32, to: u32| {
            (u64::from(at) * u64::from(from) / u64::from(to)) as usize
        };
        let mut row = vec![0; size.0 as usize];
        for y in 0..size.1 {
            let start = scaled(y, height, size.1) * width as usize;
            for (x, value) in (0..).zip(&mut row) {
                *value = plane.alpha[start + scaled(x, width, size.0)];
            }
            canvas.put_alpha(0, y, size.0, &row);
        }
        self.budget.release(bytes);
        Ok(())
    }

    pub(super) fn canvas(&mut self, view: View) -> Result<Canvas, NoPixels> {
        self.budget
            .hold(3 * u64::from(view.width) * u64::from(view.height))?;
        Canvas::new(view)
    }

    pub(super) fn make_room_for_alpha(&mut self, canvas: &mut Canvas) -> Result<(), NoPixels> {
        if canvas.alpha.is_empty() {
            self.budget
                .hold(u64::from(canvas.view.width) * u64::from(canvas.view.height))?;
            canvas.add_alpha()?;
        }
        Ok(())
    }

    /// Drops a picture that is needed no more.
    pub(super) fn forget(&mut self, canvas: Canvas) {
        self.budget
            .release((canvas.colour.len() + canvas.alpha.len()) as u64);
    }

    fn way_to_srgb(&mut self, icc: Option<&'c [u8]>, nclx: Nclx, depth: u8) -> &mut ToSrgb {
        let is_same = |made: &(Option<&[u8]>, Nclx, u8, ToSrgb)| {
            made.1 == nclx
                && made.2 == depth
                && made.0.map(<[u8]>::as_ptr) == icc.map(<[u8]>::as_ptr)
        };
        let kept = self.to_srgb.take().filter(is_same);
        &mut self
            .to_srgb
            .insert(kept.unwrap_or_else(|| (icc, nclx, depth, ToSrgb::new(icc, nclx, depth))))
            .3
    }
}
