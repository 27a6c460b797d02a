//! Small pictures in the terminal.
//!
//! Pixels where the terminal is known to take them (kitty's graphics protocol, else sixel), else half-blocks: two
//! coloured halves a character cell, in 24 bits or in 256 colours. What a terminal can do is told by its
//! environment alone. Asking it would mean to wait for an answer that many never give.

mod blocks;
mod kitty;
mod sixel;

use std::io::Write;

use anyhow::{Context, bail};
use image::{ImageFormat, RgbImage, imageops};

use super::output::Output;

/// How a terminal is given a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawing {
    Kitty,
    Sixel,
    Blocks { true_color: bool },
}

impl Drawing {
    fn of(var: &dyn Fn(&str) -> Option<String>) -> Self {
        let (term, program) = (var("TERM"), var("TERM_PROGRAM"));
        let (term, program) = (term.as_deref(), program.as_deref());
        let begins =
            |names: &[&str]| term.is_some_and(|term| names.iter().any(|n| term.starts_with(n)));
        let is_set = |name: &str| var(name).is_some_and(|value| !value.is_empty());
        // These pass no pictures on, whatever the terminal around them can do and has put into the environment.
        let inside =
            begins(&["screen", "tmux"]) || ["TMUX", "STY", "ZELLIJ"].iter().any(|v| is_set(v));
        if !inside {
            let kitty = begins(&["xterm-kitty", "xterm-ghostty"])
                || matches!(program, Some("ghostty" | "WezTerm"))
                || is_set("KITTY_WINDOW_ID");
            if kitty {
                return Self::Kitty;
            }
            let sixel = begins(&["foot", "mlterm", "contour", "yaft"])
                || matches!(program, Some("mintty" | "iTerm.app"));
            if sixel {
                return Self::Sixel;
            }
        }
        let color = var("COLORTERM");
        let true_color = matches!(color.as_deref(), Some("truecolor" | "24bit"))
            || term.is_some_and(|term| term.ends_with("-direct"));
        Self::Blocks { true_color }
    }
}

/// A terminal, or a window in one, that takes pictures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    drawing: Drawing,
    /// Character cells across and down.
    columns: u32,
    rows: u32,
    /// Pixels of a cell.
    cell: (u32, u32),
}

/// What cells measure where the terminal does not say.
const USUAL_CELL: (u32, u32) = (8, 16);

impl Screen {
    /// The whole window.
    ///
    /// # Errors
    /// In words for a person, where nothing can be drawn.
    pub fn new(out: &Output) -> anyhow::Result<Self> {
        let var = |name: &str| std::env::var(name).ok();
        let number = |name: &str| var(name)?.parse().ok().filter(|n| (1..=1000).contains(n));
        // fzf hands on what its preview command writes.
        let fzf = number("FZF_PREVIEW_COLUMNS").zip(number("FZF_PREVIEW_LINES"));
        if !out.terminal_out && fzf.is_none() {
            bail!("--preview draws in a terminal, and standard output is none");
        }
        if var("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            bail!("--preview cannot draw here: TERM names no terminal that takes more than text");
        }
        let drawing = Drawing::of(&var);
        if matches!(drawing, Drawing::Blocks { .. }) && out.color_forbidden {
            bail!(
                "--preview draws with colours in this terminal, and NO_COLOR or `--color never` forbids them"
            );
        }
        let size = rustix::termios::tcgetwinsize(std::io::stdout())
            .or_else(|_| rustix::termios::tcgetwinsize(std::io::stderr()))
            .ok();
        let sides = |cells: u16, pixels: u16, usual: u32| {
            let cells = u32::from(cells);
            let cell = u32::from(pixels).checked_div(cells).filter(|c| *c > 1);
            (cells, cell.unwrap_or(usual))
        };
        let ((columns, across), (rows, down)) =
            size.map_or(((0, USUAL_CELL.0), (0, USUAL_CELL.1)), |s| {
                (
                    sides(s.ws_col, s.ws_xpixel, USUAL_CELL.0),
                    sides(s.ws_row, s.ws_ypixel, USUAL_CELL.1),
                )
            });
        let (columns, rows) = fzf.unwrap_or((columns, rows));
        Ok(Self {
            drawing,
            columns: if columns == 0 { 80 } else { columns },
            rows: if rows == 0 { 24 } else { rows },
            cell: (across, down),
        })
    }

    /// A part of it, at most this large: for one picture of many.
    pub fn at_most(self, columns: u32, rows: u32) -> Self {
        Self {
            columns: self.columns.min(columns),
            rows: self.rows.min(rows),
            ..self
        }
    }

    /// Draws a JPEG from the cursor down, and leaves the cursor at the start of the line below it.
    ///
    /// # Errors
    /// If it is no JPEG, or cannot be written.
    pub fn draw(&self, jpeg: &[u8], out: &mut impl Write) -> anyhow::Result<()> {
        let picture = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg)
            .context("this thumbnail cannot be drawn")?
            .into_rgb8();
        let (columns, rows, pixels) = self.fitted(picture.dimensions());
        match self.drawing {
            Drawing::Kitty => kitty::draw(&scaled(&picture, pixels), out)?,
            Drawing::Sixel => sixel::draw(&scaled(&picture, pixels), out)?,
            Drawing::Blocks { true_color } => {
                blocks::draw(&scaled(&picture, (columns, 2 * rows)), true_color, out)?;
            }
        }
        Ok(())
    }

    /// How many cells a picture of this size takes, and in how many pixels it is drawn there.
    fn fitted(&self, (width, height): (u32, u32)) -> (u32, u32, (u32, u32)) {
        let (across, down) = (f64::from(self.cell.0), f64::from(self.cell.1));
        // The line below the picture is for what follows.
        let rows = f64::from(self.rows.saturating_sub(1).max(1));
        let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let fits = (f64::from(self.columns) * across / width).min(rows * down / height);
        let scale = fits.min(match self.drawing {
            // A pixel is a cell wide.
            Drawing::Blocks { .. } => across,
            _ => 1.0,
        });
        let (width, height) = (width * scale, height * scale);
        let cells = |pixels: f64, cell: f64| ((pixels / cell).round() as u32).max(1);
        let pixels = ((width as u32).max(1), (height as u32).max(1));
        (cells(width, across), cells(height, down), pixels)
    }
}

fn scaled(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    imageops::resize(picture, width, height, imageops::FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(vars: &[(&str, &str)]) -> Drawing {
        let vars: Vec<_> = vars.to_vec();
        Drawing::of(&move |name| {
            let found = vars.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_terminal_is_known_by_its_environment() {
        let plain = Drawing::Blocks { true_color: false };
        assert_eq!(drawing(&[("TERM", "xterm-kitty")]), Drawing::Kitty);
        assert_eq!(
            drawing(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]),
            Drawing::Kitty
        );
        assert_eq!(drawing(&[("TERM", "foot-extra")]), Drawing::Sixel);
        assert_eq!(drawing(&[("TERM", "xterm-256color")]), plain);
        assert_eq!(drawing(&[]), plain);
        assert_eq!(
            drawing(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            Drawing::Blocks { true_color: true }
        );
        // Started in kitty, which cannot be reached from here.
        assert_eq!(
            drawing(&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]),
            plain
        );
        assert_eq!(
            drawing(&[("TERM", "foot"), ("TMUX", "/tmp/tmux-1000/default,1,0")]),
            plain
        );
    }

    fn screen(drawing: Drawing) -> Screen {
        Screen {
            drawing,
            columns: 40,
            rows: 11,
            cell: (8, 16),
        }
    }

    #[test]
    fn a_picture_keeps_its_shape_and_its_bounds() {
        let blocks = screen(Drawing::Blocks { true_color: true });
        assert_eq!(blocks.fitted((256, 171)).0, 30);
        assert_eq!(blocks.fitted((256, 171)).1, 10);
        let kitty = screen(Drawing::Kitty);
        assert_eq!(kitty.fitted((256, 171)).2, (239, 160));
        // Never enlarged, and never nothing.
        assert_eq!(kitty.fitted((100, 50)), (13, 3, (100, 50)));
        assert_eq!(kitty.fitted((1, 1)), (1, 1, (1, 1)));
        assert_eq!(blocks.fitted((1, 1)), (1, 1, (8, 8)));
        assert_eq!(kitty.fitted((256, 1)), (32, 1, (256, 1)));
        let (columns, rows, _) = blocks.fitted((1, 100_000));
        assert_eq!((columns, rows), (1, 10));
    }

    #[test]
    fn only_a_jpeg_is_drawn() {
        let mut out = Vec::new();
        let screen = screen(Drawing::Kitty);
        assert!(screen.draw(b"\x1b]0;no picture\x07", &mut out).is_err());
        assert!(out.is_empty());
        let mut jpeg = std::io::Cursor::new(Vec::new());
        let picture = RgbImage::from_pixel(16, 16, image::Rgb([200, 0, 0]));
        picture.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        screen.draw(jpeg.get_ref(), &mut out).unwrap();
        assert!(out.starts_with(b"\x1b_Ga=T,") && out.ends_with(b"\x1b\\\n"));
    }
}
