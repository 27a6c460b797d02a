//! TIFF-based files, laid out as each maker does.

use super::build::{Tiff, Value, directory, exif_block, jpeg, jpeg_with, long, short};

const CFA: u16 = 32803;

/// NEF: a small picture first; sub-directories with the camera's JPEG and the sensor's data; a
/// maker note with a TIFF structure of its own that knows of a preview.
pub(super) fn nef(orientation: u16, full: (u16, u16)) -> Vec<u8> {
    let full = jpeg(full.0, full.1);
    let preview = jpeg(570, 376);
    let note_tiff = Tiff {
        is_big_endian: true,
        directories: vec![
            vec![(0x0011, directory(1))],
            vec![(0x0201, Value::Blob(0)), (0x0202, long(preview.len()))],
        ],
        blobs: vec![preview],
        ..Tiff::default()
    };
    let note = [&b"Nikon\0\x02\x10\0\0"[..], &note_tiff.to_bytes()].concat();
    let mut file = exif_block(true, orientation);
    file.directories[0].extend([
        (0x00FE, long(1)),
        (0x0100, long(160)),
        (0x0101, long(120)),
        (0x014A, Value::Directories(vec![2, 3])),
    ]);
    file.directories[1].push((0x927C, Value::Bytes(note)));
    file.directories.push(vec![
        (0x00FE, long(1)),
        (0x0103, short(6)),
        (0x0201, Value::Blob(0)),
        (0x0202, long(full.len())),
    ]);
    file.directories.push(vec![
        (0x00FE, long(0)),
        (0x0100, long(6048)),
        (0x0101, long(4024)),
        (0x0103, short(34713)),
        (0x0106, short(CFA)),
    ]);
    file.blobs.push(full);
    file.to_bytes()
}

/// CR2: EXIF has the size; the first directory's strip is the preview, the last one's the sensor's
/// data as a lossless JPEG.
pub(super) fn cr2() -> Vec<u8> {
    let (preview, sensor) = (jpeg(2784, 1856), jpeg_with(0xC3, 5184, 3456, &[], 2000));
    let mut file = exif_block(false, 6);
    file.directories[0].extend([
        (0x0100, short(2784)),
        (0x0101, short(1856)),
        (0x0103, short(6)),
        (0x0111, Value::Blob(0)),
        (0x0117, long(preview.len())),
    ]);
    file.directories[1].extend([(0xA002, short(5184)), (0xA003, short(3456))]);
    file.directories.push(vec![
        (0x0103, short(6)),
        (0x0111, Value::Blob(1)),
        (0x0117, long(sensor.len())),
    ]);
    // EXIF's directory is in the chain too, which does no harm.
    file.chained = 2;
    file.after_header = b"CR\x02\0\0\0\0\0".to_vec();
    file.blobs = vec![preview, sensor];
    file.to_bytes()
}

pub(super) fn dng() -> Vec<u8> {
    let preview = jpeg(1024, 683);
    let mut file = exif_block(false, 1);
    file.directories[0].extend([
        (0x00FE, long(1)),
        (0x014A, directory(2)),
        (0x02BC, Value::Bytes(b"<x:xmpmeta/>".to_vec())),
        (0x0103, short(7)),
        (0x0111, Value::Blob(0)),
        (0x0117, long(preview.len())),
        (0xC612, Value::Bytes(vec![1, 4, 0, 0])),
    ]);
    file.directories.push(vec![
        (0x00FE, long(0)),
        (0x0100, long(3516)),
        (0x0101, long(2328)),
        (0x0106, short(CFA)),
        (0xC620, Value::Rational(vec![(3456, 1), (2304, 1)])),
    ]);
    file.blobs.push(preview);
    file.to_bytes()
}

/// RW2: a mark of its own, borders instead of a size, a JPEG as a value.
pub(super) fn rw2() -> Vec<u8> {
    let inner = exif_block(false, 1).to_bytes();
    let app = [&b"Exif\0\0"[..], &inner].concat();
    Tiff {
        mark: Some(*b"IIU\0"),
        directories: vec![vec![
            (0x0002, short(5000)),
            (0x0003, short(4000)),
            (0x0004, short(8)),
            (0x0005, short(16)),
            (0x0006, short(3472)),
            (0x0007, short(4624)),
            (
                0x002E,
                Value::Bytes(jpeg_with(0xC0, 1920, 1440, &[&app], 600)),
            ),
            (0x0112, short(1)),
        ]],
        ..Tiff::default()
    }
    .to_bytes()
}

/// ORF: a mark of its own; a maker note whose offsets count from its own start.
pub(super) fn orf() -> Vec<u8> {
    let preview = jpeg(1600, 1200);
    let len = u32::try_from(preview.len()).expect("a small file");
    let mut note = b"OLYMPUS\0II\x03\0".to_vec();
    // One entry: camera settings, a directory at 30.
    note.extend([1, 0, 0x20, 0x20, 13, 0, 1, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0]);
    note.extend([2, 0, 0x01, 0x01, 4, 0, 1, 0, 0, 0, 60, 0, 0, 0]);
    note.extend([0x02, 0x01, 4, 0, 1, 0, 0, 0]);
    note.extend(len.to_le_bytes());
    note.extend([0; 4]);
    assert_eq!(note.len(), 60);
    note.extend(preview);
    let mut file = exif_block(false, 8);
    file.mark = Some(*b"IIRO");
    file.directories[0].extend([
        (0x0100, long(4640)),
        (0x0101, long(3472)),
        (0x0106, short(CFA)),
    ]);
    file.directories[1].extend([
        (0x927C, Value::Bytes(note)),
        (0xA002, long(4608)),
        (0xA003, long(3456)),
    ]);
    file.to_bytes()
}

/// `file` with `note` as its maker note, in which the number at `at` is where `target` is.
fn with_note(mut file: Tiff, mut note: Vec<u8>, at: usize, target: &[u8]) -> Vec<u8> {
    file.directories[1].push((0x927C, Value::Bytes(note.clone())));
    let found = memchr::memmem::find(&file.to_bytes(), target).expect("the target");
    let found = u32::try_from(found).expect("a small file");
    let found = if file.is_big_endian {
        found.to_be_bytes()
    } else {
        found.to_le_bytes()
    };
    note[at..at + 4].copy_from_slice(&found);
    file.directories[1].pop();
    file.directories[1].push((0x927C, Value::Bytes(note)));
    file.to_bytes()
}

/// PEF: the maker's directory counts offsets from the file's start.
pub(super) fn pef() -> Vec<u8> {
    let preview = jpeg(640, 480);
    let mut note = b"AOC\0MM\0\x02\0\x03\0\x04\0\0\0\x01".to_vec();
    note.extend(u32::try_from(preview.len()).expect("small").to_be_bytes());
    note.extend(b"\0\x04\0\x04\0\0\0\x01");
    let offset_at = note.len();
    note.extend([0; 8]);
    let mut file = exif_block(true, 1);
    file.blobs.push(preview);
    with_note(file, note, offset_at, &[0xFF, 0xD8, 0xFF])
}

/// SRW: the maker's directory has no header and names a directory that knows of the preview.
pub(super) fn srw() -> Vec<u8> {
    let preview = jpeg(1440, 960);
    let note = b"\x01\0\x35\0\x04\0\x01\0\0\0????\0\0\0\0".to_vec();
    let mut file = exif_block(false, 1);
    file.directories.push(vec![
        (0x0201, Value::Blob(0)),
        (0x0202, long(preview.len())),
    ]);
    file.blobs.push(preview);
    with_note(file, note, 10, b"\x02\0\x01\x02\x04\0")
}

/// ARW: the maker's entry is the preview, after a header.
pub(super) fn arw() -> Vec<u8> {
    let preview = [&[7; 32][..], &jpeg(1616, 1080)].concat();
    let mut note = b"SONY DSC \0\0\0\x01\0\x01\x20\x07\0".to_vec();
    note.extend(u32::try_from(preview.len()).expect("small").to_le_bytes());
    let offset_at = note.len();
    note.extend([0; 8]);
    let mut file = exif_block(false, 1);
    file.blobs.push(preview);
    with_note(file, note, offset_at, &[7; 32])
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    vec![
        nef(1, (6016, 4016)),
        cr2(),
        dng(),
        rw2(),
        orf(),
        pef(),
        srw(),
        arw(),
    ]
}
