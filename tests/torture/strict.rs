//! A strict look at a picture's data: why it cannot be whole, whatever is shown of it.
//!
//! Shares no code with photond. Says something only where a format's own bookkeeping proves that data
//! are missing or wrong; where it cannot know (lossy data that decode to anything), it is silent.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};

/// Why these bytes hold no whole picture; `None`: nothing is known against it. `format` is what
/// photond says they are.
pub fn not_whole(bytes: &[u8], format: &str) -> Option<String> {
    let (proof, decoder) = match format {
        "png" => (png(bytes), ImageFormat::Png),
        "gif" => (gif(bytes), ImageFormat::Gif),
        "bmp" => (bmp(bytes), ImageFormat::Bmp),
        "webp" => (riff(bytes), ImageFormat::WebP),
        "tga" => (tga(bytes), ImageFormat::Tga),
        "pnm" => (pnm(bytes), ImageFormat::Pnm),
        "ico" => match ico(bytes) {
            // The image crate takes PNGs of one colour type only, and reads fields that no picture needs.
            Some(proof) => return proof.err(),
            None => (Ok(()), ImageFormat::Ico),
        },
        "jpeg" => return jpeg(bytes).err(),
        "psd" => return psd(bytes).err(),
        "tiff" => return tiff(bytes).err(),
        _ => return None,
    };
    proof.err().or_else(|| {
        let decoded = ImageReader::with_format(Cursor::new(bytes), decoder).decode();
        decoded.err().map(|e| format!("the image crate says: {e}"))
    })
}

type Proof = Result<(), String>;

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Proof {
    if condition { Ok(()) } else { Err(otherwise()) }
}

fn u16_le(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at + 2)?;
    Some(usize::from(u16::from_le_bytes(field.try_into().unwrap())))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(field.try_into().unwrap()) as usize)
}

fn u32_be(bytes: &[u8], at: usize) -> Option<usize> {
    u32_le(bytes, at).map(|n| (n as u32).swap_bytes() as usize)
}

/// Checksums of the chunks that the picture needs, and as many bytes in them as it has.
fn png(bytes: &[u8]) -> Proof {
    let mut at = 8;
    let (mut header, mut data) = (None, Vec::new());
    while let Some(len) = u32_be(bytes, at) {
        // Everybody has the picture by then.
        if bytes.get(at + 4..at + 8) == Some(b"IEND") {
            break;
        }
        let Some(chunk) = bytes.get(at + 4..(at + 8).saturating_add(len)) else {
            return Err("a chunk is longer than the file".to_owned());
        };
        let sum = u32_be(bytes, at + 8 + len);
        let is_right = sum == Some(crc32fast::hash(chunk) as usize);
        let (name, body) = chunk.split_at(4);
        match name {
            b"IHDR" | b"PLTE" | b"IDAT" if !is_right => {
                let name = String::from_utf8_lossy(name);
                return Err(format!("the checksum of {name} is wrong"));
            }
            b"IHDR" => header = header.or_else(|| <[u8; 13]>::try_from(body).ok()),
            b"IDAT" => data.extend_from_slice(body),
            _ => {}
        }
        at += 12 + len;
    }
    let header = header.ok_or("there is no header")?;
    let (width, height) = (
        u32_be(&header, 0).unwrap_or(0),
        u32_be(&header, 4).unwrap_or(0),
    );
    let samples = match header[9] {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let bits = samples * usize::from(header[8]);
    let rows = |width: usize, height: usize| match width {
        0 => 0,
        _ => height * (1 + (width * bits).div_ceil(8)),
    };
    let wanted = match header[12] {
        0 => rows(width, height),
        _ => [
            (0, 8, 0, 8),
            (4, 8, 0, 8),
            (0, 4, 4, 8),
            (2, 4, 0, 4),
            (0, 2, 2, 4),
            (1, 2, 0, 2),
            (0, 1, 1, 2),
        ]
        .into_iter()
        .map(|(x, dx, y, dy)| {
            let part = |all: usize, from: usize, step| all.saturating_sub(from).div_ceil(step);
            rows(part(width, x, dx), part(height, y, dy))
        })
        .sum(),
    };
    // No data come out as more than 1,032 times what they were.
    holds(wanted <= data.len() * 1032, || {
        format!("{wanted} bytes of pixels cannot be in {}", data.len())
    })?;
    // Without the sum behind the data, which viewers pass over, and without what the picture does not need.
    let mut pixels = vec![0; wanted];
    let mut inflater = flate2::Decompress::new(false);
    let packed = data.get(2..).unwrap_or_default();
    let ended = inflater.decompress(packed, &mut pixels, flate2::FlushDecompress::Finish);
    let there = inflater.total_out();
    holds(there >= wanted as u64, || {
        format!("{there} of {wanted} bytes of pixels are there ({ended:?})")
    })
}

/// What is to be said against all PNGs of an icon; `None`: there is none.
fn ico(bytes: &[u8]) -> Option<Proof> {
    let entries = (0..u16_le(bytes, 4)?).map_while(|n| {
        let at = 6 + 16 * n;
        Some((u32_le(bytes, at + 12)?, u32_le(bytes, at + 8)?))
    });
    let pictures = entries.filter_map(|(from, len)| {
        let rest = bytes.get(from..)?;
        let picture = &rest[..len.min(rest.len())];
        picture.starts_with(b"\x89PNG").then(|| png(picture))
    });
    pictures.reduce(|found, next| if found.is_ok() { found } else { next })
}

/// As many pixels in the first frame as it says it has.
fn gif(bytes: &[u8]) -> Proof {
    let short = || "it ends in the middle of a block".to_owned();
    let byte = |at: usize| bytes.get(at).copied().ok_or_else(short);
    let table = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    let mut at = 13 + table(byte(10)?);
    loop {
        let kind = byte(at)?;
        let mut frame = None;
        match kind {
            0x21 => at += 2,
            0x2C => {
                let size = u16_le(bytes, at + 5).zip(u16_le(bytes, at + 7));
                let data = at + 10 + table(byte(at + 9)?);
                frame = Some((size.ok_or_else(short)?, byte(data)?));
                at = data + 1;
            }
            _ => return Err("there is no frame".to_owned()),
        }
        let mut data = Vec::new();
        loop {
            let len = usize::from(byte(at)?);
            data.extend_from_slice(bytes.get(at + 1..at + 1 + len).ok_or_else(short)?);
            at += 1 + len;
            if len == 0 {
                break;
            }
        }
        let Some(((width, height), bits)) = frame else {
            continue;
        };
        holds((1..=11).contains(&bits), || format!("codes of {bits} bits"))?;
        let mut there = Vec::new();
        let mut decoder = weezl::decode::Decoder::new(weezl::BitOrder::Lsb, bits);
        let ended = decoder.into_vec(&mut there).decode_all(&data).status;
        return holds(there.len() >= width * height, || {
            format!(
                "{} of {} pixels are there ({ended:?})",
                there.len(),
                width * height
            )
        });
    }
}

/// No chunk is longer than the file.
fn riff(bytes: &[u8]) -> Proof {
    let mut at = 12;
    while let Some(len) = u32_le(bytes, at + 4) {
        holds(at + 8 + len <= bytes.len(), || {
            "a chunk is longer than the file".to_owned()
        })?;
        at = (at + 8 + len).next_multiple_of(2);
    }
    Ok(())
}

/// Rows that are not compressed are all in the file.
fn bmp(bytes: &[u8]) -> Proof {
    let short = || "it ends in its header".to_owned();
    let number = |at| u32_le(bytes, at).ok_or_else(short);
    let (data, width, compression) = (number(10)?, number(18)?, number(30)?);
    let height = (number(22)? as i32).unsigned_abs() as usize;
    let bits = u16_le(bytes, 28).ok_or_else(short)?;
    if number(14)? != 40 || compression != 0 {
        return Ok(());
    }
    let rows = height * (width * bits).div_ceil(32) * 4;
    // The last row may go without what fills it up.
    holds(data + rows <= bytes.len() + 3, || {
        format!("{rows} bytes of pixels from {data} on")
    })
}

/// Rows and runs of colours are all in the file.
fn tga(bytes: &[u8]) -> Proof {
    let number = |at| u16_le(bytes, at).unwrap_or(0);
    let pixels = number(12) * number(14);
    let depth = usize::from(bytes[16]).div_ceil(8);
    let map = match bytes[1] {
        0 => 0,
        _ => number(5) * usize::from(bytes[7]).div_ceil(8),
    };
    let start = 18 + usize::from(bytes[0]) + map;
    if bytes[2] < 8 {
        return holds(start + pixels * depth <= bytes.len(), || {
            "it ends before its pixels".to_owned()
        });
    }
    let (mut at, mut there) = (start, 0);
    while there < pixels {
        let packet = bytes.get(at).ok_or("it ends before its pixels")?;
        // What a packet has beyond the picture is nobody's.
        let count = (usize::from(packet & 0x7F) + 1).min(pixels - there);
        there += count;
        at += 1 + if packet & 0x80 == 0 {
            count * depth
        } else {
            depth
        };
    }
    holds(at <= bytes.len(), || "it ends before its pixels".to_owned())
}

/// Samples of the binary kinds are all in the file.
fn pnm(bytes: &[u8]) -> Proof {
    let samples = match bytes.get(1) {
        Some(b'5') => 1,
        Some(b'6') => 3,
        _ => return Ok(()),
    };
    if bytes[..bytes.len().min(64)].contains(&b'#') {
        return Ok(());
    }
    let mut at = 2;
    let mut next = || -> Option<usize> {
        while bytes.get(at)?.is_ascii_whitespace() {
            at += 1;
        }
        let start = at;
        while bytes.get(at)?.is_ascii_digit() {
            at += 1;
        }
        std::str::from_utf8(&bytes[start..at]).ok()?.parse().ok()
    };
    let numbers = (next(), next(), next());
    let (Some(width), Some(height), Some(most)) = numbers else {
        return Ok(());
    };
    let sample = if most > 255 { 2 } else { 1 };
    let wanted = width
        .saturating_mul(height)
        .saturating_mul(samples * sample);
    holds(wanted <= bytes.len().saturating_sub(at + 1), || {
        format!("{wanted} bytes of samples from {} on", at + 1)
    })
}

/// Planes that are not compressed are all in the file.
fn psd(bytes: &[u8]) -> Proof {
    let mut at = 26_usize;
    for _ in 0..3 {
        let len = u32_be(bytes, at).ok_or("it ends in its sections")?;
        at = at.saturating_add(4 + len);
    }
    let number = |at| u32_be(bytes, at).unwrap_or(0);
    let (height, width) = (number(14), number(18));
    let (channels, depth) = (number(10) & 0xFFFF, number(20) & 0xFFFF);
    if bytes.get(at..at + 2) != Some(&[0, 0]) || number(24) >> 16 & 0xFFFF != 3 {
        return Ok(());
    }
    // More channels than three are no colours of the picture.
    let wanted = (width * depth).div_ceil(8) * height * channels.min(3);
    holds(at + 2 + wanted <= bytes.len(), || {
        format!("{wanted} bytes of planes from {} on", at + 2)
    })
}

/// One strip that is not compressed is all in the file.
fn tiff(bytes: &[u8]) -> Proof {
    if !bytes.starts_with(b"II*\0\x08\0\0\0\x09\0") {
        return Ok(());
    }
    let mut known = [None; 9];
    let tags = [256, 257, 258, 259, 262, 273, 277, 278, 279];
    for (n, tag) in tags.into_iter().enumerate() {
        let entry = 10 + 12 * n;
        if u16_le(bytes, entry) != Some(tag) {
            return Ok(());
        }
        known[n] = match u16_le(bytes, entry + 2) {
            Some(3) => u16_le(bytes, entry + 8),
            Some(4) => u32_le(bytes, entry + 8),
            _ => return Ok(()),
        };
    }
    let [
        Some(width),
        Some(height),
        Some(122),
        Some(1),
        Some(2),
        Some(at),
        Some(3),
        Some(rows),
        Some(_),
    ] = known
    else {
        return Ok(());
    };
    let wanted = width * height * 3;
    holds(rows < height || at + wanted <= bytes.len(), || {
        format!("{wanted} bytes of pixels from {at} on")
    })
}

/// Another decoder at its strictest, as far as it speaks of the picture's data. An end marker may be
/// missing.
fn jpeg(bytes: &[u8]) -> Proof {
    use zune_jpeg::zune_core::{bytestream::ZCursor, options::DecoderOptions};
    let ended = [bytes, &[0xFF, 0xD9]].concat();
    let strict = DecoderOptions::default().set_strict_mode(true);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&ended), strict);
    let Err(e) = decoder.decode() else {
        return Ok(());
    };
    // Headers that it does not like say nothing of the data.
    let about_data = [
        "Exhausted",
        "Premature",
        "Bad Huffman Code",
        "more than bits left",
    ];
    let said = format!("{e:?}");
    holds(!about_data.iter().any(|words| said.contains(words)), || {
        format!("zune-jpeg says: {said}")
    })
}
