//! Kitty's graphics protocol: pixels, deflated, in base64, in pieces of 4096 characters.
//!
//! <https://sw.kovidgoyal.net/kitty/graphics-protocol/>

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::RgbImage;

/// As the protocol wants it: a piece but the last is a multiple of four.
const PIECE: usize = 4096;

/// The terminal leaves the cursor right of the picture, in its last line.
pub(super) fn draw(picture: &RgbImage, out: &mut impl Write) -> io::Result<()> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(picture.as_raw())?;
    let text = STANDARD.encode(packed.finish()?);
    let (width, height) = picture.dimensions();
    let mut pieces = text.as_bytes().chunks(PIECE).peekable();
    // Shown at once; 24 bits a pixel, deflated; nothing is to be answered, since nobody reads it.
    let mut keys = format!("a=T,f=24,o=z,s={width},v={height},q=2,");
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        write!(out, "\x1b_G{keys}m={more};")?;
        out.write_all(piece)?;
        out.write_all(b"\x1b\\")?;
        keys.clear();
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_pixels_come_back_from_the_pieces() {
        // Noise, which does not pack.
        let mut state = 1_u32;
        let picture = RgbImage::from_fn(60, 50, |_, _| {
            image::Rgb(std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }))
        });
        let mut out = Vec::new();
        draw(&picture, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let pieces: Vec<&str> = text
            .trim_end_matches('\n')
            .split_terminator("\x1b\\")
            .map(|piece| piece.strip_prefix("\x1b_G").unwrap())
            .collect();
        assert!(pieces.len() > 2);
        assert!(pieces[0].starts_with("a=T,f=24,o=z,s=60,v=50,q=2,m=1;"));
        let (last, before) = pieces.split_last().unwrap();
        assert!(last.starts_with("m=0;"));
        assert!(before[1..].iter().all(|piece| piece.starts_with("m=1;")));
        let data: Vec<&str> = pieces
            .iter()
            .map(|p| p.split_once(';').unwrap().1)
            .collect();
        assert!(data.iter().all(|d| d.len() <= PIECE));
        let packed = STANDARD.decode(data.concat()).unwrap();
        let mut pixels = Vec::new();
        let mut unpacked = flate2::read::ZlibDecoder::new(packed.as_slice());
        unpacked.read_to_end(&mut pixels).unwrap();
        assert_eq!(&pixels, picture.as_raw());
    }
}
