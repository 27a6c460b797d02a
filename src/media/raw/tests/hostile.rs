//! Arbitrary bytes, and made files that are cut off or damaged anywhere.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::{Limits, facts, is_raw, previews};
use super::build::{Tiff, Value, directory, long, short};
use super::{cameras, containers};

/// Reads `bytes` in every way, and holds what comes out against what is promised.
fn check(bytes: &[u8]) {
    let limits = Limits::default();
    let facts = facts(bytes, &limits);
    for block in [&facts.exif, &facts.xmp].into_iter().flatten() {
        assert!(block.len() <= limits.max_metadata);
    }
    for preview in previews(bytes) {
        let end = preview.start.checked_add(preview.len);
        assert!(end.is_some_and(|e| e <= bytes.len()), "{preview:?}");
        assert!(preview.len > 0 && preview.width > 0 && preview.height > 0);
        assert!(preview.jpeg(bytes).starts_with(&[0xFF, 0xD8]));
    }
    is_raw(bytes);
}

static MADE: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| [containers::samples(), cameras::samples()].concat());

#[test]
fn every_cut_is_survived() {
    for file in MADE.iter() {
        for len in (0..file.len()).step_by(1 + file.len() / 500) {
            check(&file[..len]);
        }
    }
}

#[test]
fn a_loop_of_directories_ends() {
    let mut file = Tiff {
        directories: vec![vec![(0x014A, directory(0)), (0x8769, directory(0))]],
        ..Tiff::default()
    }
    .to_bytes();
    let next = file.len() - 4;
    file[next..].copy_from_slice(&8u32.to_le_bytes());
    check(&file);
}

#[test]
fn huge_counts_allocate_nothing() {
    let file = Tiff {
        directories: vec![vec![
            (0x0111, Value::Long(vec![u32::MAX; 3])),
            (0x0100, long(u32::MAX as usize)),
            (0x0101, long(u32::MAX as usize)),
            (0x0106, short(32803)),
        ]],
        ..Tiff::default()
    }
    .to_bytes();
    for at in 0..file.len() {
        let mut damaged = file.clone();
        let end = (at + 4).min(file.len());
        damaged[at..end].fill(0xFF);
        check(&damaged);
    }
}

#[test]
fn many_directories_and_entries_end_in_time() {
    let entries: Vec<_> = (0..2000).map(|i| (i, long(8))).collect();
    let file = Tiff {
        directories: vec![entries; 70],
        chained: 69,
        ..Tiff::default()
    }
    .to_bytes();
    let start = std::time::Instant::now();
    check(&file);
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn starts_of_jpegs_all_over_end_in_time() {
    let starts = [0xFF, 0xD8].repeat(500_000);
    let fill = [&[0xFF, 0xD8, 0xFF, 0xDB][..], &vec![0xFF; 2_000_000]].concat();
    let start = std::time::Instant::now();
    check(&starts);
    check(&fill);
    assert!(start.elapsed().as_secs() < 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        check(&bytes);
    }

    #[test]
    fn arbitrary_bytes_after_a_mark(
        mark in 0usize..12,
        noise in proptest::collection::vec(any::<u8>(), 0..1000),
    ) {
        let marks: [&[u8]; 12] = [
            b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"IIU\0\x08\0\0\0", b"IIRO\x08\0\0\0",
            b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", b"II\x1A\0\0\0HEAPCCDR\x02\0\x01\0",
            b"\0MRM\0\0\0\x40", b"\0MRI\x40\0\0\0", b"FUJIFILMCCD-RAW 0201", b"FOVb\0\0\x02\0",
            b"FOVb\0\0\x04\0", b"II*\0\x10\0\0\0CR\x02\0",
        ];
        // Small numbers lead further than large ones.
        let small = |b: u8| if b < 160 { b % 8 } else { b };
        let bytes: Vec<u8> = noise.into_iter().map(small).collect();
        check(&[marks[mark], &bytes].concat());
    }

    #[test]
    fn damaged_files(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![Just(0u8), Just(0xFF), any::<u8>()]),
            1..12,
        ),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = MADE[which.index(MADE.len())].clone();
        for (at, value) in damage {
            // Half of the damage goes where the structure is.
            let at = at.index(file.len());
            let at = if value % 2 == 0 { at % 400 } else { at };
            let at = at % file.len();
            file[at] = value;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        check(&file);
    }
}
