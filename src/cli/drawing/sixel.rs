//! Sixel: a palette, then bands of six lines; in each band, one pass for each of its colours.
//!
//! <https://vt100.net/docs/vt3xx-gp/chapter14.html>

use std::io::{self, Write};

use color_quant::NeuQuant;
use image::RgbImage;

/// Lines of a band.
const BAND: u32 = 6;
/// The most that terminals promise.
const COLORS: usize = 256;
/// One pixel in so many is looked at for the palette.
const SAMPLED: i32 = 3;
/// From here on a count is shorter than the character again and again.
const WORTH_COUNTING: usize = 4;

/// The terminal leaves the cursor in the picture's last line.
pub(super) fn draw(picture: &RgbImage, out: &mut impl Write) -> io::Result<()> {
    let (width, height) = picture.dimensions();
    let mut rgba = Vec::with_capacity(picture.as_raw().len() / 3 * 4);
    for pixel in picture.pixels() {
        rgba.extend_from_slice(&pixel.0);
        rgba.push(255);
    }
    // The network wants some pixels to learn from.
    let samples = if rgba.len() < 4096 { 1 } else { SAMPLED };
    let palette = NeuQuant::new(samples, COLORS, &rgba);
    let colors: Vec<u8> = rgba
        .chunks_exact(4)
        .map(|pixel| palette.index_of(pixel) as u8)
        .collect();
    // Pixels are square, and what no band sets stays as it was.
    write!(out, "\x1bP0;1;0q\"1;1;{width};{height}")?;
    let mut used = [false; COLORS];
    for color in &colors {
        used[usize::from(*color)] = true;
    }
    for (at, rgb) in palette.color_map_rgb().chunks_exact(3).enumerate() {
        if used.get(at) == Some(&true) {
            // In percent.
            let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(|v| (u32::from(v) * 100 + 127) / 255);
            write!(out, "#{at};2;{r};{g};{b}")?;
        }
    }
    for band in colors.chunks((width * BAND) as usize) {
        write_band(band, width as usize, out)?;
    }
    out.write_all(b"\x1b\\\n")
}

/// At most six lines, of the colours' numbers.
fn write_band(band: &[u8], width: usize, out: &mut impl Write) -> io::Result<()> {
    let mut here: Vec<u8> = band.to_vec();
    here.sort_unstable();
    here.dedup();
    let mut columns = vec![0_u8; width];
    for (nth, color) in here.iter().enumerate() {
        columns.fill(0);
        for (line, pixels) in band.chunks_exact(width).enumerate() {
            for (column, pixel) in columns.iter_mut().zip(pixels) {
                *column |= u8::from(pixel == color) << line;
            }
        }
        if nth > 0 {
            // Back to the band's start.
            out.write_all(b"$")?;
        }
        write!(out, "#{color}")?;
        for run in columns.chunk_by(|a, b| a == b) {
            let sixel = char::from(b'?' + run[0]);
            if run.len() >= WORTH_COUNTING {
                write!(out, "!{}{sixel}", run.len())?;
            } else {
                for _ in run {
                    write!(out, "{sixel}")?;
                }
            }
        }
    }
    out.write_all(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a picture back: the pixels that were set, as percents.
    fn read(text: &str) -> (usize, usize, Vec<Option<[u32; 3]>>) {
        let body = text.strip_prefix("\x1bP0;1;0q\"1;1;").unwrap();
        let body = body.strip_suffix("\x1b\\\n").unwrap();
        let (size, rest) = body.split_at(body.find('#').unwrap());
        let (width, height) = size.split_once(';').unwrap();
        let (width, height): (usize, usize) = (width.parse().unwrap(), height.parse().unwrap());
        let mut pixels = vec![None; width * height];
        let mut palette = std::collections::HashMap::new();
        let (mut color, mut x, mut y) = (0, 0, 0);
        let mut chars = rest.chars().peekable();
        fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u32 {
            let mut digits = String::new();
            while let Some(c) = chars.next_if(char::is_ascii_digit) {
                digits.push(c);
            }
            digits.parse().unwrap()
        }
        while let Some(c) = chars.next() {
            let mut count = 1;
            let sixel = match c {
                '#' => {
                    color = number(&mut chars);
                    if chars.next_if_eq(&';').is_some() {
                        assert_eq!(number(&mut chars), 2);
                        let rgb = std::array::from_fn(|_| {
                            assert_eq!(chars.next(), Some(';'));
                            number(&mut chars)
                        });
                        palette.insert(color, rgb);
                    }
                    continue;
                }
                '$' => {
                    x = 0;
                    continue;
                }
                '-' => {
                    (x, y) = (0, y + 6);
                    continue;
                }
                '!' => {
                    count = number(&mut chars);
                    chars.next().unwrap()
                }
                c => c,
            };
            let bits = sixel as u32 - '?' as u32;
            for _ in 0..count {
                for line in (0..6).filter(|line| bits >> line & 1 == 1) {
                    let at: &mut Option<[u32; 3]> = &mut pixels[(y + line) * width + x];
                    assert!(at.is_none(), "a pixel has one colour");
                    *at = Some(palette[&color]);
                }
                x += 1;
            }
        }
        (width, height, pixels)
    }

    #[test]
    fn every_pixel_is_set_once_and_nearly_in_its_colour() {
        let picture = RgbImage::from_fn(70, 20, |x, y| match (x / 10, y / 10) {
            (0..3, _) => image::Rgb([255, 255, 255]),
            (_, 0) => image::Rgb([250, 10, 20]),
            _ => image::Rgb([0, 60, 240]),
        });
        let mut out = Vec::new();
        draw(&picture, &mut out).unwrap();
        let (width, height, pixels) = read(std::str::from_utf8(&out).unwrap());
        assert_eq!((width, height), (70, 20));
        for (pixel, drawn) in picture.pixels().zip(pixels) {
            let drawn = drawn.expect("a pixel is drawn");
            for (wanted, got) in pixel.0.iter().zip(drawn) {
                assert!((u32::from(*wanted) * 100 / 255).abs_diff(got) <= 4);
            }
        }
    }

    #[test]
    fn one_pixel_is_a_picture() {
        let mut out = Vec::new();
        draw(&RgbImage::new(1, 1), &mut out).unwrap();
        assert_eq!(read(std::str::from_utf8(&out).unwrap()).2.len(), 1);
    }
}
