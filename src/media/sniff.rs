//! What a file is, from its first bytes. The name is believed only where the bytes cannot tell:
//! TGA has no signature, and most camera raw files are TIFF on the outside.
//!
//! Looks at no more than [`SNIFF_LEN`] bytes and never decodes.

use crate::photo::Format;

/// How many leading bytes [`sniff`] looks at.
pub const SNIFF_LEN: usize = 64;

/// Extensions of camera raw files that wear a plain TIFF header.
const TIFF_BASED_RAW: &[&str] = &[
    "3fr", "arw", "cr2", "dcr", "dng", "erf", "fff", "iiq", "k25", "kdc", "mef", "mos", "nef",
    "nrw", "pef", "raw", "rwl", "sr2", "srf", "srw",
];

const TGA: &[&str] = &["tga", "icb", "vda", "vst"];

/// The format of `bytes` (the first [`SNIFF_LEN`] are enough); `extension` is the file's, in lower
/// case and without its dot, a hint for TGA and TIFF-based raw. `None`: no image known here.
pub fn sniff(bytes: &[u8], extension: Option<&str>) -> Option<Format> {
    let b = &bytes[..bytes.len().min(SNIFF_LEN)];
    signature(b, extension).or_else(|| {
        extension
            .filter(|e| TGA.contains(e) && is_tga(b))
            .map(|_| Format::Tga)
    })
}

fn signature(b: &[u8], extension: Option<&str>) -> Option<Format> {
    Some(match b {
        [0xFF, 0xD8, 0xFF, ..] => Format::Jpeg,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Format::Png,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Format::Webp,
        // Canon CR2 signs itself after the TIFF header.
        [b'I', b'I', 42, 0, _, _, _, _, b'C', b'R', ..] => Format::Raw,
        _ if b.get(6..14) == Some(b"HEAPCCDR") => Format::Raw,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => {
            match extension.is_some_and(|e| TIFF_BASED_RAW.contains(&e)) {
                true => Format::Raw,
                false => Format::Tiff,
            }
        }
        // Panasonic RW2; Olympus ORF (three ways); Fujifilm RAF; Minolta MRW; Sigma X3F.
        [b'I', b'I', b'U', 0, ..]
        | [b'I', b'I', b'R', b'O' | b'S', ..]
        | [b'M', b'M', b'O', b'R', ..]
        | [0, b'M', b'R', b'M', ..]
        | [b'F', b'O', b'V', b'b', ..] => Format::Raw,
        _ if b.starts_with(b"FUJIFILMCCD-RAW") => Format::Raw,
        [0xFF, 0x0A, ..]
        | [
            0,
            0,
            0,
            12,
            b'J',
            b'X',
            b'L',
            b' ',
            b'\r',
            b'\n',
            0x87,
            b'\n',
            ..,
        ] => Format::Jxl,
        [0xFF, 0x4F, 0xFF, 0x51, ..]
        | [
            0,
            0,
            0,
            12,
            b'j',
            b'P',
            b' ',
            b' ',
            b'\r',
            b'\n',
            0x87,
            b'\n',
            ..,
        ] => Format::Jp2,
        [b'8', b'B', b'P', b'S', 0, 1 | 2, ..] => Format::Psd,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return iso_media(b),
        [b'B', b'M', ..] if is_bmp(b) => Format::Bmp,
        [0, 0, 1, 0, ..] if is_ico(b) => Format::Ico,
        [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Format::Pnm,
        _ => return None,
    })
}

/// HEIF family and CR3, by major brand, then by the compatible brands in sight.
fn iso_media(b: &[u8]) -> Option<Format> {
    let box_len = u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let brands = &b[8..b.len().min(box_len.max(12))];
    let mut generic = None;
    // The second is a version number, in which minimised files (mif3) put the codec's brand.
    for brand in brands.as_chunks::<4>().0 {
        match brand {
            b"avif" | b"avis" => return Some(Format::Avif),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"hevm" | b"hevs" => {
                return Some(Format::Heic);
            }
            b"crx " => return Some(Format::Raw),
            b"mif1" | b"mif2" | b"mif3" | b"msf1" => generic = Some(Format::Heic),
            _ => {}
        }
    }
    generic
}

/// Two letters are a weak signature: the header's own length must be one that exists.
fn is_bmp(b: &[u8]) -> bool {
    b.get(14..18).is_some_and(|n| {
        let n = u32::from_le_bytes([n[0], n[1], n[2], n[3]]);
        matches!(n, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)
    })
}

/// At least one entry, whose reserved byte is zero and whose data lies behind the directory.
fn is_ico(b: &[u8]) -> bool {
    let (Some(count), Some(entry)) = (b.get(4..6), b.get(6..22)) else {
        return false;
    };
    let count = u32::from(u16::from_le_bytes([count[0], count[1]]));
    let offset = u32::from_le_bytes([entry[12], entry[13], entry[14], entry[15]]);
    count > 0 && entry[3] == 0 && offset >= 6 + 16 * count
}

/// A TGA header whose fields make sense together.
fn is_tga(b: &[u8]) -> bool {
    let [
        _,
        map,
        kind,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        w0,
        w1,
        h0,
        h1,
        depth,
        ..,
    ] = *b
    else {
        return false;
    };
    map <= 1
        && matches!(kind, 1 | 2 | 3 | 9 | 10 | 11)
        && matches!(depth, 8 | 15 | 16 | 24 | 32)
        && (w0, w1) != (0, 0)
        && (h0, h1) != (0, 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ftyp(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
        let len = 16 + 4 * compatible.len();
        let mut b = u32::try_from(len).unwrap().to_be_bytes().to_vec();
        b.extend_from_slice(b"ftyp");
        b.extend_from_slice(major);
        b.extend_from_slice(&[0; 4]);
        compatible.iter().for_each(|c| b.extend_from_slice(*c));
        b
    }

    #[test]
    fn the_heif_family_is_told_apart_by_its_brands() {
        assert_eq!(sniff(&ftyp(b"heic", &[]), None), Some(Format::Heic));
        assert_eq!(
            sniff(&ftyp(b"mif1", &[b"miaf", b"avif"]), None),
            Some(Format::Avif)
        );
        assert_eq!(sniff(&ftyp(b"mif1", &[b"miaf"]), None), Some(Format::Heic));
        assert_eq!(sniff(&ftyp(b"crx ", &[b"isom"]), None), Some(Format::Raw));
        assert_eq!(
            sniff(&ftyp(b"isom", &[b"mp42"]), None),
            None,
            "a film is not a photo"
        );
    }

    #[test]
    fn a_compatible_brand_beyond_the_box_is_not_read() {
        let mut film = ftyp(b"isom", &[]);
        film.extend_from_slice(b"avif");
        assert_eq!(sniff(&film, None), None);
    }

    #[test]
    fn raw_is_told_from_tiff_by_signature_or_extension() {
        let tiff = b"II\x2a\0\x08\0\0\0\0\0";
        assert_eq!(sniff(tiff, None), Some(Format::Tiff));
        assert_eq!(sniff(tiff, Some("tif")), Some(Format::Tiff));
        assert_eq!(sniff(tiff, Some("nef")), Some(Format::Raw));
        assert_eq!(
            sniff(b"II\x2a\0\x10\0\0\0CR\x02\0", Some("tif")),
            Some(Format::Raw)
        );
        assert_eq!(sniff(b"FUJIFILMCCD-RAW 0201", None), Some(Format::Raw));
    }

    #[test]
    fn the_bytes_decide_and_the_name_only_fills_in_for_tga() {
        let mut tga = [0_u8; 18];
        (tga[2], tga[12], tga[14], tga[16]) = (2, 1, 1, 24);
        assert_eq!(sniff(&tga, Some("tga")), Some(Format::Tga));
        assert_eq!(sniff(&tga, Some("jpg")), None);
        assert_eq!(
            sniff(&[0xFF, 0xD8, 0xFF, 0xE0], Some("tga")),
            Some(Format::Jpeg)
        );
    }

    #[test]
    fn text_that_starts_like_a_picture_is_not_one() {
        assert_eq!(
            sniff(b"BMW owners' manual, second edition", Some("bmp")),
            None
        );
        assert_eq!(sniff(b"P1a is a plan", None), None);
        assert_eq!(sniff(&[0, 0, 1, 0, 0, 0], Some("ico")), None);
    }

    proptest! {
        #[test]
        fn only_the_first_bytes_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            tail in proptest::collection::vec(any::<u8>(), 0..50),
            ext in proptest::option::of("tga|jpg|nef"),
        ) {
            let head = &bytes[..bytes.len().min(SNIFF_LEN)];
            let ext = ext.as_deref();
            prop_assert_eq!(sniff(&bytes, ext), sniff(head, ext));
            if bytes.len() >= SNIFF_LEN {
                let mut longer = bytes.clone();
                longer.extend_from_slice(&tail);
                prop_assert_eq!(sniff(&longer, ext), sniff(&bytes, ext));
            }
        }

        #[test]
        fn an_extension_never_overrules_a_signature(
            tail in proptest::collection::vec(any::<u8>(), 0..60),
            ext in "tga|png|nef|ico|txt",
        ) {
            for (magic, format) in [
                (&b"\xFF\xD8\xFF"[..], Format::Jpeg),
                (b"\x89PNG\r\n\x1a\n", Format::Png),
                (b"GIF89a", Format::Gif),
                (b"RIFF\x10\0\0\0WEBP", Format::Webp),
            ] {
                let bytes = [magic, &tail].concat();
                prop_assert_eq!(sniff(&bytes, Some(&ext)), Some(format));
            }
        }
    }
}
