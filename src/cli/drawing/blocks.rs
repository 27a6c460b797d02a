//! Half-blocks: each cell shows two pixels, one above the other, as the colours of a `▀` and of what is behind it.

use std::io::{self, Write};

use image::{Rgb, RgbImage};

/// Of an even number of lines.
pub(super) fn draw(picture: &RgbImage, true_color: bool, out: &mut impl Write) -> io::Result<()> {
    for y in (0..picture.height() - 1).step_by(2) {
        let mut before = None;
        for x in 0..picture.width() {
            let halves = [picture.get_pixel(x, y), picture.get_pixel(x, y + 1)].map(|pixel| {
                if true_color {
                    let Rgb([r, g, b]) = pixel;
                    format!("2;{r};{g};{b}")
                } else {
                    format!("5;{}", of_256(*pixel))
                }
            });
            if before.as_ref() != Some(&halves) {
                let [above, below] = &halves;
                write!(out, "\x1b[38;{above};48;{below}m")?;
                before = Some(halves);
            }
            out.write_all("▀".as_bytes())?;
        }
        out.write_all(b"\x1b[0m\n")?;
    }
    Ok(())
}

/// The values of each channel in the cube of 6 × 6 × 6 that all terminals of 256 colours have.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of 256 colours: one of the cube (from 16), or of 24 greys (from 232).
fn of_256(Rgb(pixel): Rgb<u8>) -> u8 {
    let nearest = |v: u8| (0..6_u8).min_by_key(|at| CUBE[usize::from(*at)].abs_diff(v));
    let cube = pixel.map(|v| nearest(v).unwrap_or(0));
    let mean = pixel.iter().map(|v| u32::from(*v)).sum::<u32>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let distance = |other: [u8; 3]| -> u32 {
        let channels = pixel.iter().zip(other);
        channels.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let of_cube = cube.map(|at| CUBE[usize::from(at)]);
    if distance([8 + 10 * grey; 3]) < distance(of_cube) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_one_and_a_colour_is_said_once() {
        let picture = RgbImage::from_fn(3, 2, |x, y| match (x, y) {
            (2, _) => Rgb([1, 2, 3]),
            (_, 0) => Rgb([255, 0, 0]),
            _ => Rgb([0, 0, 255]),
        });
        let mut out = Vec::new();
        draw(&picture, true, &mut out).unwrap();
        let wanted = "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[38;2;1;2;3;48;2;1;2;3m▀\x1b[0m\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        let mut out = Vec::new();
        draw(&picture, false, &mut out).unwrap();
        let wanted = "\x1b[38;5;196;48;5;21m▀▀\x1b[38;5;16;48;5;16m▀\x1b[0m\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn greys_are_grey() {
        assert_eq!(of_256(Rgb([0, 0, 0])), 16);
        assert_eq!(of_256(Rgb([255, 255, 255])), 231);
        assert_eq!(of_256(Rgb([128, 128, 128])), 244);
        assert_eq!(of_256(Rgb([95, 0, 0])), 52);
        assert_eq!(of_256(Rgb([8, 8, 8])), 232);
    }
}
