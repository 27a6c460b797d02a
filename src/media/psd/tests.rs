use std::io::Write;

use super::*;
use crate::media::testing::damaged;

/// A file with these values in its header, sections and picture data.
struct File<'a> {
    version: u16,
    channels: u16,
    size: (u32, u32),
    depth: u16,
    mode: u16,
    palette: &'a [u8],
    resources: Vec<u8>,
    compression: u16,
    data: &'a [u8],
}

impl Default for File<'_> {
    fn default() -> Self {
        Self {
            version: 1,
            channels: 3,
            size: (2, 1),
            depth: 8,
            mode: 3,
            palette: &[],
            resources: Vec::new(),
            compression: 0,
            data: &[1, 2, 3, 4, 5, 6],
        }
    }
}

impl File<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut file = b"8BPS".to_vec();
        file.extend_from_slice(&self.version.to_be_bytes());
        file.extend_from_slice(&[0; 6]);
        file.extend_from_slice(&self.channels.to_be_bytes());
        file.extend_from_slice(&self.size.1.to_be_bytes());
        file.extend_from_slice(&self.size.0.to_be_bytes());
        file.extend_from_slice(&self.depth.to_be_bytes());
        file.extend_from_slice(&self.mode.to_be_bytes());
        for section in [self.palette, &self.resources] {
            file.extend_from_slice(&(section.len() as u32).to_be_bytes());
            file.extend_from_slice(section);
        }
        let layers = if self.version == 2 { 8 } else { 4 };
        file.extend_from_slice(&vec![0; layers]);
        file.extend_from_slice(&self.compression.to_be_bytes());
        file.extend_from_slice(self.data);
        file
    }

    fn decoded(&self) -> Result<Picture, NoPixels> {
        decode(&self.bytes(), &Limits::default())
    }
}

fn resource_of(id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = b"8BIM".to_vec();
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(b"\x04name\0");
    out.extend_from_slice(&(content.len() as u32).to_be_bytes());
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

#[test]
fn planes_become_pixels_raw_and_packed() -> Result<(), NoPixels> {
    let expected = [1, 3, 5, 2, 4, 6];
    let raw = File::default().decoded()?;
    assert_eq!(
        (raw.channels, &raw.data[..]),
        (Channels::Rgb, &expected[..])
    );
    let packed = File {
        compression: 1,
        // Lengths of three rows; a literal run, another, and one repeated byte.
        data: &[0, 3, 0, 4, 0, 2, 1, 1, 2, 128, 1, 3, 4, 255, 5],
        ..File::default()
    };
    assert_eq!(packed.decoded()?.data, [1, 3, 5, 2, 4, 5]);
    let large = File {
        version: 2,
        compression: 1,
        data: &[0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 255, 1, 255, 2, 255, 3],
        ..File::default()
    };
    assert_eq!(large.decoded()?.data, [1, 2, 3, 1, 2, 3]);
    Ok(())
}

#[test]
fn deflated_rows_may_be_differences() -> Result<(), NoPixels> {
    let deflated = |data: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
        let written = encoder.write_all(data).and_then(|()| encoder.finish());
        written.unwrap_or_default()
    };
    let plain = File {
        compression: 2,
        data: &deflated(&[1, 2, 3, 4, 5, 6]),
        ..File::default()
    };
    assert_eq!(plain.decoded()?.data, [1, 3, 5, 2, 4, 6]);
    let differences = File {
        compression: 3,
        channels: 1,
        mode: 1,
        depth: 16,
        data: &deflated(&[10, 200, 1, 100]),
        ..File::default()
    };
    assert_eq!(differences.decoded()?.data, [10, 12]);
    Ok(())
}

#[test]
fn all_colour_modes_become_grey_or_srgb() -> Result<(), NoPixels> {
    let bitmap = File {
        channels: 1,
        mode: 0,
        depth: 1,
        size: (10, 1),
        data: &[0b1010_0000, 0b0100_0000],
        ..File::default()
    };
    let expected = [0, 255, 0, 255, 255, 255, 255, 255, 255, 0];
    assert_eq!(bitmap.decoded()?.data, expected);
    let mut palette = [0; 768];
    (palette[7], palette[263], palette[519]) = (10, 20, 30);
    let indexed = File {
        channels: 1,
        mode: 2,
        palette: &palette,
        data: &[7, 0],
        ..File::default()
    };
    assert_eq!(indexed.decoded()?.data, [10, 20, 30, 0, 0, 0]);
    // Stored is what ink leaves: the first pixel has none, the second full cyan and half black.
    let cmyk = File {
        channels: 4,
        mode: 4,
        data: &[255, 0, 255, 255, 255, 255, 255, 128],
        ..File::default()
    };
    assert_eq!(cmyk.decoded()?.data, [255, 255, 255, 0, 128, 128]);
    // L*a*b* 54, 81, 70 is sRGB's red; white is white.
    let lab = File {
        mode: 9,
        data: &[255, 138, 128, 209, 128, 198],
        ..File::default()
    };
    crate::media::testing::assert_data_close(&lab.decoded()?.data, &[255, 255, 255, 255, 0, 0], 6);
    let deep = File {
        channels: 2, // the second means nothing here
        mode: 1,
        depth: 16,
        data: &[0x12, 0xFF, 0xFE, 1, 9, 9, 9, 9],
        ..File::default()
    };
    assert_eq!(deep.decoded()?.data, [0x12, 0xFE]);
    let float = File {
        channels: 1,
        mode: 1,
        depth: 32,
        data: &[0.214_f32.to_be_bytes(), 9_f32.to_be_bytes()].concat(),
        ..File::default()
    };
    assert_eq!(float.decoded()?.data, [127, 255]);
    Ok(())
}

fn with_resources() -> Vec<u8> {
    let thumbnail = [&[0, 0, 0, 1], &[0; 24][..], &[0xFF, 0xD8, 0xFF]].concat();
    File {
        resources: [
            resource_of(1028, b"odd"),
            resource_of(EXIF, b"MM\0*\0\0\0\x08"),
            resource_of(THUMBNAIL, &thumbnail),
            resource_of(XMP, b"<x/>"),
        ]
        .concat(),
        ..File::default()
    }
    .bytes()
}

#[test]
fn metadata_is_read_from_the_resources() -> Result<(), NoPixels> {
    let file = with_resources();
    let found = facts(&file, &Limits::default())?;
    assert_eq!((found.width, found.height), (2, 1));
    assert_eq!(found.exif.as_deref(), Some(&b"MM\0*\0\0\0\x08"[..]));
    assert_eq!(found.xmp.as_deref(), Some(&b"<x/>"[..]));
    assert_eq!(resource(&file, 1028), Some(&b"odd"[..]));
    let range = thumbnail(&file).unwrap_or(0..0);
    assert_eq!(file[range], [0xFF, 0xD8, 0xFF]);
    let end = file.windows(4).position(|w| w == b"<x/>").unwrap_or(0);
    let cut = facts(&file[..end + 2], &Limits::default())?;
    assert_eq!((cut.exif.is_some(), cut.xmp), (true, None));
    Ok(())
}

#[test]
fn a_file_without_its_merged_picture_and_unknown_colours_are_refused_by_name() {
    let layers_only = File {
        resources: resource_of(VERSION_INFO, &[0, 0, 0, 1, 0, 0, 0]),
        ..File::default()
    };
    let multichannel = File {
        mode: 7,
        ..File::default()
    };
    for file in [layers_only, multichannel] {
        assert!(matches!(file.decoded(), Err(NoPixels::Unsupported(_))));
    }
    let huge = File {
        size: (60_000, 60_000),
        ..File::default()
    };
    assert!(matches!(huge.decoded(), Err(NoPixels::TooLarge(_))));
}

#[test]
fn a_file_that_is_cut_off_is_truncated() {
    let file = with_resources();
    for len in 0..file.len() {
        let result = decode(&file[..len], &Limits::default());
        assert_eq!(result, Err(NoPixels::Truncated), "{len}");
    }
}

#[test]
fn damaged_files_never_panic() {
    let limits = Limits {
        max_pixels: 1_000_000,
        ..Limits::default()
    };
    let packed = File {
        compression: 1,
        data: &[0, 3, 0, 4, 0, 2, 1, 1, 2, 128, 1, 3, 4, 255, 5],
        ..File::default()
    };
    for file in [with_resources(), packed.bytes()] {
        for bytes in damaged(&file) {
            let _ = facts(&bytes, &limits);
            let _ = decode(&bytes, &limits);
            let _ = thumbnail(&bytes);
        }
    }
}
