//! CR3, RAF, CRW, MRW and X3F.

use exif::Tag;

use super::super::{Facts, Limits, facts, is_raw, previews};
use super::build::{Tiff, Value, boxed, exif_block, jpeg, jpeg_with, long, short};
use super::exif_text;

fn read(file: &[u8]) -> Facts<'_> {
    assert!(is_raw(file));
    facts(file, &Limits::default())
}

fn text(file: &[u8], tag: Tag) -> Option<String> {
    exif_text(&read(file).exif.expect("EXIF"), tag)
}

fn size(file: &[u8]) -> (u32, u32) {
    let facts = read(file);
    (facts.width, facts.height)
}

fn widths(file: &[u8]) -> Vec<u32> {
    let found = previews(file);
    assert!(found.iter().all(|p| p.is_whole));
    found.iter().map(|p| p.width).collect()
}

fn structure(entries: Vec<(u16, Value)>) -> Vec<u8> {
    Tiff {
        directories: vec![entries],
        ..Tiff::default()
    }
    .to_bytes()
}

fn cr3() -> Vec<u8> {
    let cmt1 = structure(vec![
        (0x0100, short(6000)),
        (0x0101, short(4000)),
        (0x0110, Value::Ascii("Canon EOS M50")),
        (0x0112, short(8)),
    ]);
    let cmt2 = structure(vec![(0x9003, Value::Ascii("2018:02:21 12:08:56"))]);
    let cmt4 = structure(vec![
        (0x0001, Value::Ascii("N")),
        (0x0002, Value::Rational(vec![(12, 1), (30, 1), (0, 1)])),
    ]);
    let picture = |header: &[u8], w, h| [header, &jpeg(w, h)].concat();
    let canon = [
        &b"\x85\xC0\xB6\x87\x82\x0F\x11\xE0\x81\x11\xF4\xCE\x46\x2B\x6A\x48"[..],
        &boxed(b"CMT1", &cmt1),
        &boxed(b"CMT2", &cmt2),
        &boxed(b"CMT4", &cmt4),
        &boxed(b"THMB", &picture(&[0; 16], 160, 120)),
    ]
    .concat();
    let full = jpeg(6000, 4000);
    let len = u32::try_from(full.len()).unwrap().to_be_bytes();
    let file = |offset: u32| {
        let chunk = [
            &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0][..],
            &offset.to_be_bytes(),
        ]
        .concat();
        let sizes = [&[0; 8][..], &[0, 0, 0, 1], &len].concat();
        let tables = [boxed(b"stsz", &sizes), boxed(b"co64", &chunk)].concat();
        let track = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &tables)));
        let movie = [boxed(b"uuid", &canon), boxed(b"trak", &track)].concat();
        let xmp = [
            &b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC"[..],
            b"<x:xmpmeta/>",
        ]
        .concat();
        let preview = [
            &b"\xEA\xF4\x2B\x5E\x1C\x98\x4B\x88\xB9\xFB\xB7\xDC\x40\x6E\x4D\x16"[..],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &boxed(b"PRVW", &picture(&[0; 16], 1620, 1080)),
        ]
        .concat();
        [
            boxed(b"ftyp", b"crx \0\0\0\x01crx isom"),
            boxed(b"moov", &movie),
            boxed(b"uuid", &xmp),
            boxed(b"uuid", &preview),
            boxed(b"mdat", &full),
        ]
        .concat()
    };
    let offset = file(0).len() - full.len();
    file(u32::try_from(offset).unwrap())
}

fn raf() -> Vec<u8> {
    let app = [&b"Exif\0\0"[..], &exif_block(true, 6).to_bytes()].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>";
    let picture = jpeg_with(0xC0, 1920, 1280, &[&app, xmp], 700);
    let mut records = vec![0, 0, 0, 2];
    records.extend([0x01, 0x00, 0, 4, 0x0F, 0xC0, 0x18, 0x10]);
    records.extend([0x01, 0x11, 0, 4, 0x0F, 0xC0, 0x17, 0x90]);
    let mut out = b"FUJIFILMCCD-RAW 0201".to_vec();
    out.resize(84, 0);
    let jpeg_len = u32::try_from(picture.len()).unwrap();
    for number in [160, jpeg_len, 160 + jpeg_len, 20] {
        out.extend(number.to_be_bytes());
    }
    out.resize(160, 0);
    [out, picture, records].concat()
}

/// A heap: data, then its directory, then the directory's offset. Records of up to 8 bytes that ask
/// for it are kept in the directory.
fn heap(records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut directory = u16::try_from(records.len()).unwrap().to_le_bytes().to_vec();
    for (kind, value) in records {
        directory.extend(kind.to_le_bytes());
        if kind & 0x4000 != 0 {
            directory.extend(value.iter().copied().chain([0; 8]).take(8));
        } else {
            directory.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            directory.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            data.extend(value);
        }
    }
    let at = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&data[..], &directory, &at].concat()
}

fn crw() -> Vec<u8> {
    let numbers = |n: &[u32]| n.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    // 10 November 2003, 17:39:26.
    let time = numbers(&[1_068_485_966, 0, 0]);
    let size = numbers(&[3072, 2048, 1f32.to_bits(), 270]);
    let exposure = numbers(&[0, 6f32.to_bits(), 3.614_71_f32.to_bits()]);
    let camera = heap(&[(0x080A, b"Canon\0Canon EOS 300D\0".to_vec())]);
    let properties = heap(&[
        (0x2807, camera),
        (0x180E, time),
        (0x1810, size),
        (0x1818, exposure),
        (0x5029, vec![1]),
    ]);
    let root = heap(&[
        (0x2005, vec![7; 300]),
        (0x2007, jpeg(2048, 1360)),
        (0x2008, jpeg(160, 120)),
        (0x300A, properties),
    ]);
    [
        &b"II\x1A\0\0\0HEAPCCDR\x02\0\x01\0\0\0\0\0\0\0\0\0"[..],
        &root,
    ]
    .concat()
}

fn mrw() -> Vec<u8> {
    let mut preview = jpeg(640, 480);
    preview[0] = 2;
    let len = preview.len();
    let mut ttw = exif_block(true, 1);
    let note = Tiff {
        is_big_endian: true,
        directories: vec![vec![(0x0088, long(0)), (0x0089, long(len))]],
        ..Tiff::default()
    };
    ttw.blobs.push(preview);
    ttw.directories[1].push((0x927C, Value::Bytes(note.to_bytes()[8..].to_vec())));
    let at = memchr::memmem::find(&ttw.to_bytes(), &[2, 0xD8, 0xFF]).unwrap();
    let note = Tiff {
        directories: vec![vec![(0x0088, long(at)), (0x0089, long(len))]],
        ..note
    };
    let place = ttw.directories[1].len() - 1;
    ttw.directories[1][place].1 = Value::Bytes(note.to_bytes()[8..].to_vec());
    let block = |kind: &[u8; 4], body: &[u8]| {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&kind[..], &len, body].concat()
    };
    let prd = b"21860001\x09\xA0\x0C\xD0\x09\x90\x0C\xC0\x0C\x0C\x59\0\0\0\0\x01";
    let blocks = [block(b"\0PRD", prd), block(b"\0TTW", &ttw.to_bytes())].concat();
    [block(b"\0MRM", &blocks), vec![3; 200]].concat()
}

/// With the header of version 2 or 4, and EXIF in the preview or properties only.
fn x3f(is_new: bool, has_exif: bool) -> Vec<u8> {
    let mut out = b"FOVb\0\0".to_vec();
    out.extend([if is_new { 4 } else { 2 }, 0]);
    out.resize(if is_new { 40 } else { 28 }, 0);
    for number in [2640u32, 1760, 90] {
        out.extend(number.to_le_bytes());
    }
    out.resize(120, 0);
    let app = [&b"Exif\0\0"[..], &exif_block(false, 8).to_bytes()].concat();
    let apps: &[&[u8]] = if has_exif { &[&app] } else { &[] };
    let mut image = b"SECi\0\0\x02\0\x02\0\0\0\x12\0\0\0".to_vec();
    image.resize(28, 0);
    image.extend(jpeg_with(0xC0, 1024, 680, apps, 400));
    let pairs = [
        ("CAMMANUF", "SIGMA"),
        ("CAMMODEL", "SD10"),
        ("TIME", "1068485966"),
        ("EXPTIME", "4000"),
        ("APERTURE", "8.4"),
    ];
    let (mut table, mut text) = (Vec::new(), Vec::new());
    for piece in pairs.iter().flat_map(|(name, value)| [name, value]) {
        table.extend(u32::try_from(text.len() / 2).unwrap().to_le_bytes());
        text.extend(piece.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    let mut properties = b"SECp\0\0\x02\0\x05\0\0\0".to_vec();
    properties.resize(24, 0);
    properties.extend([table, text].concat());
    let mut directory = b"SECd\0\0\x02\0\x02\0\0\0".to_vec();
    for (kind, section) in [(b"IMA2", &image), (b"PROP", &properties)] {
        directory.extend(u32::try_from(out.len()).unwrap().to_le_bytes());
        directory.extend(u32::try_from(section.len()).unwrap().to_le_bytes());
        directory.extend(kind);
        out.extend(section);
    }
    let at = u32::try_from(out.len()).unwrap().to_le_bytes();
    [out, directory, at.to_vec()].concat()
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    vec![
        cr3(),
        raf(),
        crw(),
        mrw(),
        x3f(false, false),
        x3f(true, true),
    ]
}

#[test]
fn cr3_joins_its_structures_and_lists_its_three_previews() {
    let file = cr3();
    assert_eq!(size(&file), (6000, 4000));
    assert_eq!(widths(&file), [6000, 1620, 160]);
    assert_eq!(
        text(&file, Tag::Model).as_deref(),
        Some("\"Canon EOS M50\"")
    );
    let date = text(&file, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2018-02-21 12:08:56"));
    let place = text(&file, Tag::GPSLatitude);
    assert_eq!(place.as_deref(), Some("12 deg 30 min 0 sec"));
    assert_eq!(read(&file).xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
}

#[test]
fn raf_has_the_exif_of_its_jpeg_and_the_sensors_size() {
    let file = raf();
    assert_eq!(size(&file), (6032, 4032));
    assert_eq!(widths(&file), [1920]);
    assert_eq!(text(&file, Tag::Make).as_deref(), Some("\"Maker\""));
    assert_eq!(read(&file).xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
}

#[test]
fn crw_has_date_camera_turn_and_exposure() {
    let file = crw();
    assert_eq!(size(&file), (3072, 2048));
    assert_eq!(widths(&file), [2048, 160]);
    assert_eq!(text(&file, Tag::Make).as_deref(), Some("\"Canon\""));
    assert_eq!(
        text(&file, Tag::Model).as_deref(),
        Some("\"Canon EOS 300D\"")
    );
    let date = text(&file, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2003-11-10 17:39:26"));
    let turn = text(&file, Tag::Orientation);
    assert_eq!(
        turn.as_deref(),
        Some("row 0 at left and column 0 at bottom")
    );
    assert_eq!(text(&file, Tag::FNumber).as_deref(), Some("3.5"));
}

#[test]
fn crw_without_its_end_is_searched() {
    let file = crw();
    let cut = &file[..file.len() - 20];
    assert_eq!(previews(cut)[0].width, 2048);
}

#[test]
fn mrw_has_its_blocks() {
    let file = mrw();
    assert_eq!(size(&file), (3264, 2448));
    assert_eq!(widths(&file), [640]);
    assert_eq!(previews(&file)[0].jpeg(&file)[..2], [0xFF, 0xD8]);
    assert_eq!(text(&file, Tag::Make).as_deref(), Some("\"Maker\""));
}

#[test]
fn x3f_has_its_properties_or_its_previews_exif() {
    let old = x3f(false, false);
    assert_eq!(size(&old), (2640, 1760));
    assert_eq!(widths(&old), [1024]);
    assert_eq!(text(&old, Tag::Model).as_deref(), Some("\"SD10\""));
    let date = text(&old, Tag::DateTimeOriginal);
    assert_eq!(date.as_deref(), Some("2003-11-10 17:39:26"));
    assert_eq!(text(&old, Tag::ExposureTime).as_deref(), Some("1/250"));
    let new = x3f(true, true);
    assert_eq!(size(&new), (2640, 1760));
    assert_eq!(text(&new, Tag::Make).as_deref(), Some("\"Maker\""));
}

#[test]
fn x3f_without_its_end_is_searched() {
    let file = x3f(true, true);
    let cut = &file[..file.len() - 30];
    assert_eq!(text(cut, Tag::Make).as_deref(), Some("\"Maker\""));
    assert_eq!(previews(cut)[0].width, 1024);
}
