use std::io::Write;

use flate2::write::ZlibEncoder;

use super::*;
use crate::media::testing::damaged;

const PACKET: &[u8] = b"<x:xmpmeta><rdf:RDF xmlns:rdf=\"r\"><a/></rdf:RDF></x:xmpmeta>";

fn limits() -> Limits {
    Limits::default()
}

fn found(bytes: &[u8], format: Format) -> Option<Vec<u8>> {
    xmp_block(bytes, format, &limits()).map(Cow::into_owned)
}

fn app1(content: &[u8]) -> Vec<u8> {
    let len = (content.len() + 2) as u16;
    [&[0xFF, 0xE1], &len.to_be_bytes()[..], content].concat()
}

fn jpeg_of(segments: &[Vec<u8>]) -> Vec<u8> {
    let app0 = [0xFF, 0xE0, 0, 4, 1, 2];
    let scan = [0xFF, 0xDA, 0, 2, 1, 2, 3, 0xFF, 0xD9];
    [&[0xFF, 0xD8], &app0[..], &segments.concat(), &scan].concat()
}

fn part(name: &[u8; 32], total: usize, offset: usize, data: &[u8]) -> Vec<u8> {
    let total = (total as u32).to_be_bytes();
    let offset = (offset as u32).to_be_bytes();
    app1(&[EXTENDED, name, &total, &offset, data].concat())
}

#[test]
fn a_jpegs_packet_is_found_behind_other_segments() {
    let exif = app1(b"Exif\0\0II*\0");
    let file = jpeg_of(&[exif, app1(&[MAIN, PACKET].concat())]);
    assert_eq!(found(&file, Format::Jpeg).as_deref(), Some(PACKET));
    assert_eq!(found(&jpeg_of(&[]), Format::Jpeg), None);
}

#[test]
fn a_packet_with_an_overwritten_header_is_found_but_not_turned_by() {
    let odd = [b"XMP\0://ns.adobe.com/xap/1.0/\0", PACKET].concat();
    let file = jpeg_of(&[app1(&odd)]);
    assert_eq!(found(&file, Format::Jpeg).as_deref(), Some(PACKET));
    assert!(!is_about_these_pixels(&file, Format::Jpeg));
    let usual = jpeg_of(&[app1(&[MAIN, PACKET].concat())]);
    assert!(is_about_these_pixels(&usual, Format::Jpeg));
}

const NAME: &[u8; 32] = b"0123456789ABCDEF0123456789ABCDEF";

fn main_with_extension() -> Vec<u8> {
    let main =
        b"<x:xmpmeta><rdf:RDF><a xmpNote:HasExtendedXMP=\"0123456789ABCDEF0123456789ABCDEF\"/>\
        </rdf:RDF></x:xmpmeta>";
    app1(&[MAIN, main].concat())
}

#[test]
fn an_extended_packet_is_joined_in_any_order_and_merged() {
    let extension =
        b"\xEF\xBB\xBF<?xml version=\"1.0\"?><x:xmpmeta xmlns:x=\"x\"><b>long</b></x:xmpmeta>";
    let (first, second) = extension.split_at(20);
    let total = extension.len();
    let file = jpeg_of(&[
        part(NAME, total, 20, second),
        main_with_extension(),
        part(b"FEDCBA9876543210FEDCBA9876543210", 3, 0, b"abc"),
        part(NAME, total, 0, first),
        part(NAME, total, 0, first),
    ]);
    let text =
        String::from_utf8(found(&file, Format::Jpeg).unwrap_or_default()).unwrap_or_default();
    assert!(
        text.ends_with("</rdf:RDF><x:xmpmeta xmlns:x=\"x\"><b>long</b></x:xmpmeta></x:xmpmeta>"),
        "{text}"
    );
}

#[test]
fn an_extended_packet_with_a_gap_a_false_size_or_broken_xml_leaves_the_main_one() {
    for parts in [
        part(NAME, 50, 20, b"<rdf:RDF>x</rdf:RDF>12345678901"),
        part(NAME, u32::MAX as usize, 0, b"<rdf:RDF>x</rdf:RDF>"),
        part(NAME, 3, 0, b"<rdf:RDF>x</rdf:RDF>"),
        part(NAME, 7, 0, b"<a></b>"),
        part(NAME, 7, 0, b"<a><a/>"),
    ] {
        let file = jpeg_of(&[main_with_extension(), parts]);
        let packet = found(&file, Format::Jpeg).unwrap_or_default();
        assert!(packet.ends_with(b"\"/></rdf:RDF></x:xmpmeta>"));
    }
}

fn png_of(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &[0; 13][..]), (kind, content), (b"IEND", &[])] {
        file.extend_from_slice(&(content.len() as u32).to_be_bytes());
        file.extend_from_slice(kind);
        file.extend_from_slice(content);
        file.extend_from_slice(&[0; 4]); // a checksum, which is not looked at
    }
    file
}

#[test]
fn a_pngs_packet_is_found_plain_and_compressed() {
    let plain = [b"XML:com.adobe.xmp\0\0\0en\0\0", PACKET].concat();
    assert_eq!(
        found(&png_of(b"iTXt", &plain), Format::Png).as_deref(),
        Some(PACKET)
    );
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let packed = encoder.write_all(PACKET).and_then(|()| encoder.finish());
    let packed = [
        b"XML:com.adobe.xmp\0\x01\0\0\0",
        &packed.unwrap_or_default()[..],
    ]
    .concat();
    let file = png_of(b"iTXt", &packed);
    assert_eq!(found(&file, Format::Png).as_deref(), Some(PACKET));
    let tight = Limits {
        max_metadata: PACKET.len() - 1,
        ..limits()
    };
    assert_eq!(xmp_block(&file, Format::Png, &tight), None);
    let other = [b"Comment\0\0\0en\0\0", PACKET].concat();
    assert_eq!(found(&png_of(b"iTXt", &other), Format::Png), None);
}

#[test]
fn a_webps_packet_is_found_behind_a_chunk_of_odd_length() {
    let len = (PACKET.len() as u32).to_le_bytes();
    let file = [b"RIFF\0\0\0\0WEBPVP8X\x03\0\0\0abc\0XMP ", &len[..], PACKET].concat();
    assert_eq!(found(&file, Format::Webp).as_deref(), Some(PACKET));
}

fn gif() -> Vec<u8> {
    let mut file = b"GIF89a\x01\0\x01\0\x80\0\0\x01\x02\x03\x04\x05\x06".to_vec();
    file.extend_from_slice(b"\x21\xF9\x04\0\0\0\0\0"); // a control extension
    file.extend_from_slice(b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x4C\x01\0"); // a frame
    file.extend_from_slice(b"\x21\xFF\x0BXMP DataXMP");
    file.extend_from_slice(PACKET);
    file.push(1);
    file.extend((0..=255).rev());
    file.extend_from_slice(&[0, 0x3B]);
    file
}

#[test]
fn a_gifs_packet_is_found_behind_a_frame() {
    assert_eq!(found(&gif(), Format::Gif).as_deref(), Some(PACKET));
}

#[test]
fn damaged_files_never_panic() {
    let files = [
        (
            jpeg_of(&[main_with_extension(), part(NAME, 9, 0, b"123456789")]),
            Format::Jpeg,
        ),
        (
            png_of(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0xyz"),
            Format::Png,
        ),
        (gif(), Format::Gif),
    ];
    for (file, format) in files {
        for bytes in damaged(&file) {
            for other in [format, Format::Webp, Format::Psd, Format::Bmp] {
                found(&bytes, other);
            }
        }
    }
}
