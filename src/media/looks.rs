//! What tells a picture's kind: statistics of its pixels, and signs in its file ([`crate::looks`]).

use super::picture::{Channels, Picture};
use super::png_words;
use crate::looks::{PixelLooks, Signs};
use crate::photo::{Exif, Format};

/// Longer side of the picture that is looked at: edges and smoothness are of this size.
pub(super) const SIDE: u32 = 256;

/// Difference of brightness to the left and upper neighbour below which a pixel is smooth …
const SMOOTH: i32 = 12;
/// … and from which it lies at an edge.
const ROUGH: i32 = 24;
/// Bytes behind the name of a field of XMP in which its value stands.
const VALUE: usize = 400;
/// Blocks or chunks of a file that are looked at for a second picture.
const MOST_BLOCKS: usize = 10_000;

/// The statistics of an upright picture, at most [`SIDE`] long.
pub(super) fn pixels(picture: &Picture) -> PixelLooks {
    let width = picture.width.max(1) as usize;
    let pixels: Vec<[u8; 3]> = match picture.channels {
        Channels::Grey => picture.data.iter().map(|v| [*v; 3]).collect(),
        Channels::Rgb => picture.data.as_chunks::<3>().0.to_vec(),
    };
    let rows = pixels.len() / width;
    if rows == 0 {
        return PixelLooks::default();
    }
    let luma: Vec<i32> = pixels.iter().map(|p| brightness(*p)).collect();
    let mut counts = [[0u32; 5]; 3];
    let mut sizes = [0u32; 3];
    let (mut flat, mut paper) = (0, 0);
    let white = percentile(&luma, 80);
    for (at, [r, g, b]) in pixels.iter().enumerate() {
        let (x, y) = (at % width, at / width);
        let [r, g, b] = [r, g, b].map(|v| i32::from(*v));
        let l = luma[at];
        let left = if x > 0 { (l - luma[at - 1]).abs() } else { 0 };
        let above = if y > 0 {
            (l - luma[at - width]).abs()
        } else {
            0
        };
        let step = left + above;
        let colour = r.max(g).max(b) - r.min(g).min(b);
        let is_smooth = step < SMOOTH;
        let is = [
            is_smooth && b > r + 10 && b >= g - 4 && l > 60,
            is_smooth && colour < 36 && l > 150 && b >= r - 12,
            g > r && g > b + 12 && colour > 18 && l > 25,
            l < 40,
            step >= ROUGH,
        ];
        // As Python would cut the rows into thirds.
        let third = if y < rows / 3 {
            0
        } else {
            1 + usize::from(y >= 2 * rows / 3)
        };
        sizes[third] += 1;
        for (count, is) in counts[third].iter_mut().zip(is) {
            *count += u32::from(is);
        }
        flat += u32::from(x > 0 && pixels[at] == pixels[at - 1]);
        paper += u32::from(100 * l > 72 * white && colour < 60 && l > 90);
    }
    let all = pixels.len() as u32;
    let of = |kind: usize| [0, 1, 2].map(|third| share(counts[third][kind], sizes[third]));
    let (common, colours) = palette(&pixels);
    PixelLooks {
        blue: of(0),
        pale: of(1),
        green: of(2),
        dark: of(3),
        rough: of(4),
        flat: share(flat, all),
        paper: share(paper, all),
        common,
        colours,
        tint: tint(&pixels, &luma),
        contrast: contrast(&luma),
    }
}

fn brightness([r, g, b]: [u8; 3]) -> i32 {
    (2126 * i32::from(r) + 7152 * i32::from(g) + 722 * i32::from(b)) / 10_000
}

fn share(count: u32, all: u32) -> u8 {
    let share = f64::from(count) / f64::from(all.max(1));
    (share * 255.0).round() as u8
}

fn percentile(values: &[i32], percent: usize) -> i32 {
    let mut sorted = values.to_vec();
    let at = (sorted.len() - 1) * percent / 100;
    *sorted.select_nth_unstable(at).1
}

/// The share of the four most common of 4,096 colours, and how many there are, by fours.
fn palette(pixels: &[[u8; 3]]) -> (u8, u8) {
    let mut counts = vec![0u32; 4096];
    for [r, g, b] in pixels {
        let key = (usize::from(r >> 4) << 8) | (usize::from(g >> 4) << 4) | usize::from(b >> 4);
        counts[key] += 1;
    }
    let colours = counts.iter().filter(|count| **count > 0).count();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let common = counts[..4].iter().sum();
    (
        share(common, pixels.len() as u32),
        (colours / 4).min(255) as u8,
    )
}

/// See [`PixelLooks::tint`].
fn tint(pixels: &[[u8; 3]], luma: &[i32]) -> u8 {
    /// Levels of brightness whose pixels are compared.
    const LEVELS: usize = 16;
    let off = |at: usize| {
        let [r, _, b] = pixels[at].map(i32::from);
        [r - luma[at], b - luma[at]].map(|v| v as f32)
    };
    let mut sums = [[0f32; 3]; LEVELS];
    for (at, l) in luma.iter().enumerate() {
        let [red, blue] = off(at);
        let sum = &mut sums[*l as usize * LEVELS / 256];
        *sum = [sum[0] + red, sum[1] + blue, sum[2] + 1.0];
    }
    let mut away = 0.0;
    for (at, l) in luma.iter().enumerate() {
        let ([red, blue], [reds, blues, n]) = (off(at), sums[*l as usize * LEVELS / 256]);
        away += (red - reds / n).abs() + (blue - blues / n).abs();
    }
    (16.0 * away / luma.len() as f32).round().min(255.0) as u8
}

/// See [`PixelLooks::contrast`].
fn contrast(luma: &[i32]) -> u8 {
    let n = luma.len() as f32;
    let mean = luma.iter().map(|l| *l as f32).sum::<f32>() / n;
    let away: f32 = luma.iter().map(|l| (*l as f32 - mean).powi(2)).sum();
    (away / n).sqrt().round().min(255.0) as u8
}

/// What the file says of the picture's kind; `signed`: what its EXIF block says.
pub(super) fn signs(
    bytes: &[u8],
    format: Format,
    (exif, signed): (&Exif, Signs),
    xmp: Option<&[u8]>,
) -> Signs {
    let xmp = xmp.unwrap_or_default();
    let is_lossless = match format {
        Format::Png | Format::Gif | Format::Bmp | Format::Tga | Format::Pnm | Format::Ico => true,
        Format::Webp => bytes.get(12..16) == Some(b"VP8L"),
        _ => false,
    };
    let by_camera = exif.camera.is_some() || exif.exposure_s.is_some() || exif.f_number.is_some();
    let lens = exif.lens.as_deref().unwrap_or_default().to_lowercase();
    let is_screenshot = signed.has(Signs::SAID_SCREENSHOT)
        || value_of(xmp, b"UserComment").is_some_and(|value| has(value, b"Screenshot"))
        || (format == Format::Png && png_text(bytes).any(names_a_shooter));
    signed
        .with(Signs::SAID_SCREENSHOT, is_screenshot)
        .with(Signs::PANORAMA, has(xmp, b"GPano:"))
        .with(Signs::FRONT_CAMERA, lens.contains("front"))
        .with(Signs::MOVES, moves(bytes, format))
        .with(Signs::CAMERA, by_camera)
        .with(Signs::LOSSLESS, is_lossless)
}

fn has(text: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(text, what).is_some()
}

/// What stands behind a field's name.
fn value_of<'a>(xmp: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(xmp, field)?;
    Some(&xmp[at..xmp.len().min(at + VALUE)])
}

/// Programs that make screenshots and write their names into them, in lower case.
const SHOOTERS: [&str; 8] = [
    "screenshot",
    "gnome-screenshot",
    "spectacle",
    "flameshot",
    "ksnip",
    "shutter",
    "sharex",
    "greenshot",
];

/// Whether a name of a program, or a comment, is that of a screenshot.
pub(super) fn names_a_shooter(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&text[..text.len().min(VALUE)]).to_lowercase();
    let text = text.trim_matches(|c: char| !c.is_alphanumeric());
    SHOOTERS.iter().any(|name| text.starts_with(name))
}

/// The plain texts of a PNG, without their keywords.
fn png_text(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    chunks(bytes).filter_map(|(kind, data)| {
        let nul = data.iter().take(80).position(|b| *b == 0)?;
        (kind == b"tEXt").then(|| &data[nul + 1..])
    })
}

/// The chunks of a PNG that are looked at.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    png_words::chunks(bytes).take(MOST_BLOCKS)
}

/// Whether there are several pictures that are shown one after the other.
fn moves(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => gif_moves(bytes).unwrap_or(false),
        Format::Png => {
            let mut before = chunks(bytes).take_while(|(kind, _)| *kind != b"IDAT");
            let control = before.find(|(kind, _)| *kind == b"acTL");
            control.is_some_and(|(_, data)| data.get(..4).is_some_and(|n| n > &[0, 0, 0, 1][..]))
        }
        // WebP container specification, "Extended File Format": the second bit of the flags.
        Format::Webp => {
            bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        Format::Avif => bytes.get(8..12) == Some(b"avis"),
        Format::Heic => matches!(bytes.get(8..12), Some(b"hevc" | b"hevx" | b"msf1")),
        _ => false,
    }
}

/// A second image block (GIF89a, 20) before anything is wrong with the file.
fn gif_moves(bytes: &[u8]) -> Option<bool> {
    let colours = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let mut at = 13 + colours(*bytes.get(10)?);
    let mut images = 0;
    for _ in 0..MOST_BLOCKS {
        match *bytes.get(at)? {
            0x2C => {
                images += 1;
                if images == 2 {
                    return Some(true);
                }
                // Its place, its colours, and the width of its codes.
                at += 11 + colours(*bytes.get(at + 9)?);
            }
            0x21 => at += 2,
            _ => return Some(false),
        }
        loop {
            let len = usize::from(*bytes.get(at)?);
            at += 1 + len;
            if len == 0 {
                break;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
        let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let data = data.flat_map(|(x, y)| colour(x, y)).collect();
        Picture::new(width, height, Channels::Rgb, data)
    }

    #[test]
    fn sky_over_grass_is_told_by_its_thirds() {
        let looks = pixels(&picture(60, 60, |x, y| match (y, (x + y) % 2) {
            (0..30, _) => [90, 140, 220],
            (_, 0) => [40, 120, 30],
            _ => [70, 160, 50],
        }));
        assert_eq!(looks.blue[0], 255);
        assert!(looks.blue[2] == 0 && looks.green[2] == 255 && looks.green[0] == 0);
        assert!(looks.rough[2] > 200 && looks.rough[0] == 0);
        assert!(looks.tint > 40, "{looks:?}");
    }

    #[test]
    fn grey_and_sepia_have_no_tint() {
        let tone = |x: u32, y: u32| ((x * 7 + y * 3) % 256) as u8;
        let grey = pixels(&picture(64, 64, |x, y| [tone(x, y); 3]));
        let sepia = pixels(&picture(64, 64, |x, y| {
            let v = tone(x, y);
            [
                v,
                (u32::from(v) * 7 / 8) as u8,
                (u32::from(v) * 5 / 8) as u8,
            ]
        }));
        assert_eq!(grey.tint, 0);
        assert!(sepia.tint < 40, "{}", sepia.tint);
        assert!(grey.contrast > 60);
        let one = Picture::new(64, 64, Channels::Grey, vec![9; 4096]);
        assert_eq!(pixels(&one).contrast, 0);
    }

    #[test]
    fn what_is_drawn_is_flat_and_has_few_colours() {
        let looks = pixels(&picture(80, 60, |x, _| {
            if x < 40 { [250; 3] } else { [0, 90, 200] }
        }));
        assert!(looks.flat > 245 && looks.common == 255 && looks.colours == 0);
    }

    #[test]
    fn signs_are_in_the_metadata() {
        let none = (&Exif::default(), Signs::default());
        let of = |bytes: &[u8], format, xmp: Option<&[u8]>| signs(bytes, format, none, xmp);
        let xmp = br#"<x exif:UserComment><rdf:li xml:lang="x-default">Screenshot</rdf:li>"#;
        assert!(of(b"", Format::Jpeg, Some(xmp)).has(Signs::SAID_SCREENSHOT));
        let xmp = br#"<rdf:Description GPano:ProjectionType="equirectangular"/>"#;
        assert!(of(b"", Format::Jpeg, Some(xmp)).has(Signs::PANORAMA));
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [
            (b"tEXt", &b"Software\0gnome-screenshot"[..]),
            (b"acTL", &[0, 0, 0, 3, 0, 0, 0, 0]),
        ] {
            png.extend((data.len() as u32).to_be_bytes());
            png.extend(kind);
            png.extend(data);
            png.extend([0; 4]);
        }
        let found = of(&png, Format::Png, None);
        assert!(
            found.has(Signs::SAID_SCREENSHOT)
                && found.has(Signs::MOVES)
                && found.has(Signs::LOSSLESS)
        );
        let front = Exif {
            lens: Some("iPhone 13 Pro Max front camera 2.71mm f/2.2".to_owned()),
            ..Exif::default()
        };
        let found = signs(b"", Format::Heic, (&front, Signs::default()), None);
        assert!(found.has(Signs::FRONT_CAMERA) && !found.has(Signs::CAMERA));
    }

    #[test]
    fn a_second_picture_makes_a_gif_move() {
        let image = [0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0];
        let mut gif = b"GIF89a\x01\x00\x01\x00\x80\x00\x00".to_vec();
        gif.extend([0; 6]);
        gif.extend([0x21, 0xF9, 4, 0, 0, 0, 0, 0]);
        gif.extend(image);
        let mut still = gif.clone();
        still.push(0x3B);
        assert!(!moves(&still, Format::Gif));
        gif.extend(image);
        assert!(moves(&gif, Format::Gif));
    }

    proptest! {
        #[test]
        fn any_bytes_have_signs(bytes in prop::collection::vec(any::<u8>(), 0..400), head in 0usize..4) {
            let heads: [&[u8]; 4] = [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X"];
            let mut file = heads[head].to_vec();
            file.extend(&bytes);
            for format in [Format::Gif, Format::Png, Format::Webp, Format::Avif, Format::Heic] {
                let found = signs(&file, format, (&Exif::default(), Signs::default()), Some(&bytes));
                prop_assert!(!found.has(Signs::CAMERA));
            }
        }

        #[test]
        fn any_picture_has_statistics(width in 1u32..20, height in 1u32..20, seed in any::<u32>()) {
            let noise = |x: u32, y: u32| (x.wrapping_mul(seed) ^ y.wrapping_mul(seed >> 3)).to_le_bytes();
            let looks = pixels(&picture(width, height, |x, y| {
                let [a, b, c, _] = noise(x, y);
                [a, b, c]
            }));
            prop_assert!(PixelLooks::mean(looks.blue) <= 1.0);
        }
    }
}
