//! Where decoded rows are put together: a picture laid down cropped and turned as it will be shown, so that
//! no second copy of it is needed.

use super::view::View;
use crate::media::facts::NoPixels;

/// Rows that are put down at once. Where rows become columns, that many bytes of a target row lie side by
/// side.
pub(super) const STRIP: u32 = 16;

/// A picture, laid down as it is shown.
pub(super) struct Canvas {
    pub(super) view: View,
    /// Three bytes a pixel.
    pub(super) colour: Vec<u8>,
    /// One byte a pixel. Empty: all is opaque.
    pub(super) alpha: Vec<u8>,
}

impl Canvas {
    /// A black picture for what is seen through `view`.
    pub(super) fn new(view: View) -> Result<Self, NoPixels> {
        let colour = filled(area(&view).saturating_mul(3), 0)?;
        Ok(Self {
            view,
            colour,
            alpha: Vec::new(),
        })
    }

    /// Width and height as shown.
    pub(super) fn size(&self) -> (u32, u32) {
        self.view.shown_size()
    }

    /// Makes room for alpha, if there is none yet. All is opaque at first.
    pub(super) fn add_alpha(&mut self) -> Result<(), NoPixels> {
        if self.alpha.is_empty() {
            self.alpha = filled(area(&self.view), 255)?;
        }
        Ok(())
    }

    /// Puts down rows of colours, `width` pixels each, the first at (`x`, `y`) as coded.
    pub(super) fn put_colour(&mut self, x: u32, y: u32, width: u32, rows: &[u8]) {
        put::<3>(&self.view, &mut self.colour, [x, y, width], rows);
    }

    /// Puts down rows of alpha. There has to be room for it.
    pub(super) fn put_alpha(&mut self, x: u32, y: u32, width: u32, rows: &[u8]) {
        put::<1>(&self.view, &mut self.alpha, [x, y, width], rows);
    }

    /// Lays the picture over white. `is_premultiplied`: its colours are those over black.
    pub(super) fn over_white(&mut self, is_premultiplied: bool) {
        for (pixel, &alpha) in self.colour.chunks_exact_mut(3).zip(&self.alpha) {
            if alpha == 255 {
                continue;
            }
            let alpha = u32::from(alpha);
            for byte in pixel {
                let colour = if is_premultiplied {
                    255 * u32::from(*byte)
                } else {
                    alpha * u32::from(*byte)
                };
                *byte = ((colour + 255 * (255 - alpha) + 127) / 255).min(255) as u8;
            }
        }
        self.alpha = Vec::new();
    }

    /// Lays another picture over this one, its corner at (`left`, `top`).
    pub(super) fn draw(&mut self, other: &Self, left: i64, top: i64) {
        let (width, height) = self.size();
        let (other_width, other_height) = other.size();
        let overlap = |start: i64, size: u32, room: u32| {
            let first = (-start).clamp(0, i64::from(size));
            let last = (i64::from(room) - start).clamp(first, i64::from(size));
            first as usize..last as usize
        };
        let columns = overlap(left, other_width, width);
        for row in overlap(top, other_height, height) {
            for column in columns.clone() {
                let from = row * other_width as usize + column;
                let at = |start: i64, offset: usize| (start + offset as i64) as usize;
                let to = at(top, row) * width as usize + at(left, column);
                self.blend(to, other, from);
            }
        }
    }

    /// Puts pixel `from` of another picture over pixel `to` (Porter and Duff's "over").
    fn blend(&mut self, to: usize, other: &Self, from: usize) {
        let above = u32::from(other.alpha.get(from).copied().unwrap_or(255));
        let below = u32::from(self.alpha.get(to).copied().unwrap_or(255)) * (255 - above);
        let sum = 255 * above + below; // 255 times the alpha of both
        let colours = self.colour[3 * to..3 * to + 3]
            .iter_mut()
            .zip(&other.colour[3 * from..3 * from + 3]);
        for (colour, &new) in colours {
            let mixed = 255 * above * u32::from(new) + below * u32::from(*colour);
            *colour = mixed.checked_div(sum).unwrap_or(0) as u8;
        }
        if let Some(alpha) = self.alpha.get_mut(to) {
            *alpha = (sum / 255) as u8;
        }
    }
}

fn area(view: &View) -> u64 {
    u64::from(view.width) * u64::from(view.height)
}

/// So many equal bytes, refused if there is no memory for them.
pub(super) fn filled(size: u64, byte: u8) -> Result<Vec<u8>, NoPixels> {
    let size = usize::try_from(size).map_err(|_| NoPixels::NoMemory)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size)
        .map_err(|_| NoPixels::NoMemory)?;
    bytes.resize(size, byte);
    Ok(bytes)
}

/// Copies what the view shows of rows of `N` bytes a pixel to where it is shown.
fn put<const N: usize>(view: &View, target: &mut [u8], [x, y, width]: [u32; 3], rows: &[u8]) {
    let stride = width as usize * N;
    if stride == 0 {
        return;
    }
    let height = (rows.len() / stride) as u32;
    // The part shown, within the rows.
    let clip = |at: u32, size: u32, start: u32, shown: u32| {
        let first = start.saturating_sub(at).min(size);
        let last = (start + shown).saturating_sub(at).min(size);
        first as usize..last.max(first) as usize
    };
    let columns = clip(x, width, view.left, view.width);
    let lines = clip(y, height, view.top, view.height);
    if columns.is_empty() || lines.is_empty() {
        return;
    }
    let (shown_width, shown_height) = view.shown_size();
    let (shown_width, shown_height) = (shown_width as usize, shown_height as usize);
    let turn = view.turn;
    // Where the first pixel goes, and how far it is to the next in each direction.
    let column = columns.start + x as usize - view.left as usize;
    let line = lines.start + y as usize - view.top as usize;
    let (across, down) = if turn.transposes {
        (line, column)
    } else {
        (column, line)
    };
    let flipped = |at: usize, size: usize, flips: bool| if flips { size - 1 - at } else { at };
    let first = flipped(down, shown_height, turn.flips_top_bottom) * shown_width
        + flipped(across, shown_width, turn.flips_left_right);
    let step = |step: usize, flips: bool| if flips { step.wrapping_neg() } else { step };
    let (step_across, step_down) = (
        step(1, turn.flips_left_right),
        step(shown_width, turn.flips_top_bottom),
    );

    let copy = |target: &mut [u8], from: usize, to: usize| {
        if let (Some(to), Some(from)) =
            (target.get_mut(to * N..to * N + N), rows.get(from..from + N))
        {
            to.copy_from_slice(from);
        }
    };
    if turn.transposes {
        for (index, column) in columns.enumerate() {
            let start = first.wrapping_add(step_down.wrapping_mul(index));
            for (index, line) in lines.clone().enumerate() {
                let to = start.wrapping_add(step_across.wrapping_mul(index));
                copy(target, line * stride + column * N, to);
            }
        }
        return;
    }
    for (index, line) in lines.enumerate() {
        let start = first.wrapping_add(step_down.wrapping_mul(index));
        if turn.flips_left_right {
            for (index, column) in columns.clone().enumerate() {
                copy(target, line * stride + column * N, start - index);
            }
        } else {
            let from = &rows[line * stride + columns.start * N..line * stride + columns.end * N];
            if let Some(to) = target.get_mut(start * N..start * N + from.len()) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 3 by 2 with the values 0 to 5, seen through `view`.
    fn seen(view: View) -> Vec<u8> {
        let mut canvas = Canvas::new(view).unwrap();
        canvas.add_alpha().unwrap();
        canvas.put_alpha(0, 0, 3, &[0, 1, 2, 3, 4, 5]);
        canvas.alpha
    }

    #[test]
    fn turns_and_mirrors() {
        let whole = View::whole(3, 2);
        assert_eq!(seen(whole), [0, 1, 2, 3, 4, 5]);
        assert_eq!(seen(whole.rotated_left(1)), [2, 5, 1, 4, 0, 3]);
        assert_eq!(seen(whole.rotated_left(2)), [5, 4, 3, 2, 1, 0]);
        assert_eq!(seen(whole.rotated_left(3)), [3, 0, 4, 1, 5, 2]);
        assert_eq!(seen(whole.mirrored(true)), [3, 4, 5, 0, 1, 2]);
        assert_eq!(seen(whole.mirrored(false)), [2, 1, 0, 5, 4, 3]);
        assert_eq!(
            seen(whole.rotated_left(1).mirrored(true)),
            [0, 3, 1, 4, 2, 5]
        );
        assert_eq!(
            seen(whole.rotated_left(1).mirrored(false)),
            [5, 2, 4, 1, 3, 0]
        );
        let orientations = [1, 8, 3, 6].into_iter().enumerate();
        for (quarters, orientation) in orientations {
            assert_eq!(
                whole.rotated_left(quarters as u8).turn.exif_orientation(),
                orientation
            );
        }
    }

    #[test]
    fn crops_in_the_order_they_come() {
        let right_column = super::super::view::Aperture {
            width: 1.0,
            height: 2.0,
            right_of_centre: 1.0,
            below_centre: 0.0,
        };
        let whole = View::whole(3, 2);
        let cropped = whole.cropped(&right_column).unwrap();
        assert_eq!(seen(cropped), [2, 5]);
        assert_eq!(seen(cropped.rotated_left(1)), [2, 5]);
        // After a quarter turn the picture is 2 by 3, and its lower two thirds are cropped away.
        let top_row = super::super::view::Aperture {
            width: 2.0,
            height: 1.0,
            right_of_centre: 0.0,
            below_centre: -1.0,
        };
        let turned = whole.rotated_left(1).cropped(&top_row).unwrap();
        assert_eq!((turned.shown_size(), seen(turned)), ((2, 1), vec![2, 5]));
        assert!(
            whole
                .cropped(&super::super::view::Aperture {
                    width: 0.0,
                    ..top_row
                })
                .is_none()
        );
    }

    #[test]
    fn alpha_is_laid_over_white() {
        let mut canvas = Canvas::new(View::whole(3, 1)).unwrap();
        canvas.add_alpha().unwrap();
        canvas.put_alpha(0, 0, 3, &[0, 51, 255]);
        canvas.put_colour(0, 0, 3, &[10; 9]);
        canvas.over_white(false);
        assert_eq!(canvas.colour, [255, 255, 255, 206, 206, 206, 10, 10, 10]);
    }

    #[test]
    fn pictures_are_drawn_over_others_and_cut_at_the_edge() {
        let mut canvas = Canvas::new(View::whole(2, 2)).unwrap();
        let mut other = Canvas::new(View::whole(2, 2)).unwrap();
        other.put_colour(0, 0, 2, &[200; 12]);
        other.add_alpha().unwrap();
        other.put_alpha(0, 0, 2, &[255, 255, 255, 128]);
        canvas.draw(&other, -1, -1);
        assert_eq!(canvas.colour, [100, 100, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        canvas.draw(&other, i64::MIN / 2, 0);
        canvas.draw(&other, 1, 1);
        assert_eq!(canvas.colour[9..], [200; 3]);
    }
}
