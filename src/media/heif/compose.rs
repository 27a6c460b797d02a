//! Pictures made of others: grids, overlays, and pictures seen through another's crops and turns.

use super::canvas::Canvas;
use super::container::{Item, MAX_DEPTH};
use super::layout::{Grid, Overlay, shown_size};
use super::render::{Colours, Renderer, Wanted};
use super::view::View;
use crate::media::facts::NoPixels;

impl<'c, 'a> Renderer<'c, 'a> {
    /// Paints a grid's tiles onto a canvas, its corner at the place's.
    pub(super) fn paint_grid(
        &mut self,
        item: &Item<'a>,
        canvas: &mut Canvas,
        wanted: Wanted,
        [left, top, ..]: [u32; 4],
        colours: Colours<'c>,
        depth: u32,
    ) -> Result<(), NoPixels> {
        let broken = |what: &str| NoPixels::Corrupt(format!("its grid {what}"));
        let data = self.container.data(item)?;
        let grid = Grid::read(&data).ok_or_else(|| broken("cannot be read"))?;
        let tiles = self.container.referred(item.id, b"dimg");
        if depth >= MAX_DEPTH || tiles.len() != (grid.columns * grid.rows) as usize {
            return Err(broken("does not have all its tiles"));
        }
        let first = self.container.needed(tiles[0])?;
        let (tile_width, tile_height) = shown_size(self.container, first, depth + 1)?;
        let fits = |tile: u32, count: u32, size: u32| {
            let (tile, count, size) = (u64::from(tile), u64::from(count), u64::from(size));
            tile * count >= size && tile * (count - 1) < size
        };
        if !fits(tile_width, grid.columns, grid.width) || !fits(tile_height, grid.rows, grid.height)
        {
            return Err(broken("has tiles of the wrong size"));
        }
        for (index, &tile) in tiles.iter().enumerate() {
            let tile = self.container.needed(tile)?;
            let x = (index as u32 % grid.columns) * tile_width;
            let y = (index as u32 / grid.columns) * tile_height;
            let width = tile_width.min(grid.width - x);
            let height = tile_height.min(grid.height - y);
            let place = [left + x, top + y, width, height];
            if self.is_plain(tile) {
                let colours = self.colours_of(tile, colours);
                self.paint(tile, canvas, wanted, place, colours, depth + 1)?;
            } else if wanted == Wanted::Colour {
                let inner = self.render_within(tile, colours, depth + 1)?;
                self.lay(&inner, canvas, place)?;
                self.forget(inner);
            } else {
                return Err(NoPixels::Unsupported("alpha made of turned tiles".into()));
            }
        }
        Ok(())
    }

    /// Pictures laid over each other, with the item's crops and turns.
    pub(super) fn overlay(
        &mut self,
        item: &Item<'a>,
        colours: Colours<'c>,
        depth: u32,
    ) -> Result<Canvas, NoPixels> {
        let data = self.container.data(item)?;
        let parts = self.container.referred(item.id, b"dimg");
        let overlay = Overlay::read(&data, parts.len())
            .ok_or_else(|| NoPixels::Corrupt("its overlay cannot be read".into()))?;
        let mut canvas = self.canvas(View::whole(overlay.width, overlay.height))?;
        let [red, green, blue, alpha] = overlay.ground;
        for pixel in canvas.colour.chunks_exact_mut(3) {
            pixel.copy_from_slice(&[red, green, blue]);
        }
        if alpha < 255 {
            self.make_room_for_alpha(&mut canvas)?;
            canvas.alpha.fill(alpha);
        }
        for (&part, &(left, top)) in parts.iter().zip(&overlay.corners) {
            let part = self.render_within(self.container.needed(part)?, colours, depth + 1)?;
            canvas.draw(&part, left, top);
            self.forget(part);
        }
        self.seen_through(item, canvas)
    }

    /// A finished picture with an item's crops and turns.
    pub(super) fn seen_through(
        &mut self,
        item: &Item<'a>,
        inner: Canvas,
    ) -> Result<Canvas, NoPixels> {
        let (width, height) = inner.size();
        let view = self.container.view_of(item, width, height)?;
        self.seen(view, inner)
    }

    /// A finished picture through another view.
    pub(super) fn seen(&mut self, view: View, inner: Canvas) -> Result<Canvas, NoPixels> {
        let (width, height) = inner.size();
        if view == View::whole(width, height) {
            return Ok(inner);
        }
        let mut canvas = self.canvas(view)?;
        self.lay(&inner, &mut canvas, [0, 0, width, height])?;
        self.forget(inner);
        Ok(canvas)
    }

    /// Copies the first `width` by `height` pixels of a finished picture onto a canvas.
    fn lay(
        &mut self,
        inner: &Canvas,
        canvas: &mut Canvas,
        place: [u32; 4],
    ) -> Result<(), NoPixels> {
        let [x, top, width, height] = place;
        let (inner_width, inner_height) = inner.size();
        if inner_width < width || inner_height < height {
            return Err(NoPixels::Corrupt(
                "a part of the picture is smaller than the file says".into(),
            ));
        }
        if !inner.alpha.is_empty() {
            self.make_room_for_alpha(canvas)?;
        }
        for y in 0..height {
            let start = y as usize * inner_width as usize;
            let end = start + width as usize;
            canvas.put_colour(x, top + y, width, &inner.colour[3 * start..3 * end]);
            if let Some(row) = inner.alpha.get(start..end) {
                canvas.put_alpha(x, top + y, width, row);
            }
        }
        Ok(())
    }
}
