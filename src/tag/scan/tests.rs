//! Kernels against each other, and the whole against sorting everything.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::tag::term_bank::{BankIdentity, BankWriter};

fn identity(dims: usize, rows: usize) -> BankIdentity {
    BankIdentity {
        model: "m".to_owned(),
        texts: "{}".to_owned(),
        vocabulary: "v".to_owned(),
        tokenizer: "t".to_owned(),
        dims,
        rows,
    }
}

/// A direction that depends on `seed` alone; seeds of the same tens are near each other.
fn vector(seed: usize, dims: usize) -> Vec<f32> {
    let noise = |seed: usize| {
        let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        }
    };
    let (mut group, mut own) = (noise(seed / 10), noise(seed + 1_000_000));
    (0..dims).map(|_| group() + 0.3 * own()).collect()
}

fn bank(dims: usize, rows: usize) -> Arc<TermBank> {
    let vectors: Vec<f32> = (0..rows).flat_map(|row| vector(row, dims)).collect();
    TermBank::in_memory(&identity(dims, rows), &vectors).unwrap()
}

fn photos(count: usize, dims: usize) -> Vec<Vec<f32>> {
    (0..count).map(|p| vector(p * 37 + 5, dims)).collect()
}

fn slices(photos: &[Vec<f32>]) -> Vec<&[f32]> {
    photos.iter().map(Vec::as_slice).collect()
}

/// Everything scored in f64 and sorted.
fn plain(bank: &TermBank, rows: &[u32], photo: &[f32], k: usize) -> Vec<Hit> {
    let length = photo
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    let photo: Vec<f32> = photo
        .iter()
        .map(|v| (f64::from(*v) / length) as f32)
        .collect();
    let mut hits: Vec<Hit> = rows
        .iter()
        .map(|row| {
            let values = bank.row(*row as usize).unwrap();
            let bits: Vec<u16> = values.iter().map(|v| v.to_bits()).collect();
            Hit {
                row: *row,
                cosine: exact::dot(&photo, &bits) as f32,
            }
        })
        .collect();
    hits.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
    hits.truncate(k);
    hits
}

#[test]
fn the_exact_score_is_the_sum_of_products() {
    for dims in (1..100).chain([384, 767, 768, 1152]) {
        let bank = bank(dims, 3);
        let photo = vector(77, dims);
        let row = bank.row(1).unwrap();
        let bits: Vec<u16> = row.iter().map(|v| v.to_bits()).collect();
        let sum: f64 = photo
            .iter()
            .zip(row)
            .map(|(p, r)| f64::from(*p) * r.to_f64())
            .sum();
        assert!((exact::dot(&photo, &bits) - sum).abs() < 1e-12, "{dims}");
    }
}

/// What every kernel must give for all pairs of these, within the margin that the scan allows.
#[test]
fn rough_scores_are_within_the_margin() {
    for dims in [1, 15, 16, 31, 32, 33, 64, 100, 384, 767, 768, 1152] {
        let bank = bank(dims, 41);
        for count in (1..=9).chain([16, 17]) {
            let vectors = photos(count, dims);
            for kernel in Kernel::possible() {
                let photos = Photos::new(&slices(&vectors), dims, bank.stride(), kernel).unwrap();
                let lines = kernel::lines(bank.raw());
                let each = photos.lines();
                for len in [1, 2, 3, 5, 31, BLOCK] {
                    let block = lines[..len * each].chunks_exact(each);
                    let mut scores = vec![f32::NAN; count * BLOCK];
                    photos.score(block, &mut scores);
                    for (photo, margin) in photos.margins().enumerate() {
                        for row in 0..len {
                            let bits: Vec<u16> =
                                bank.row(row).unwrap().iter().map(|v| v.to_bits()).collect();
                            let exact = exact::dot(photos.exact(photo), &bits);
                            let rough = scores[photo * BLOCK + row];
                            assert!(
                                (f64::from(rough) - exact).abs() <= f64::from(margin),
                                "{kernel:?}, {dims} values, {count} photos, {len} rows: {rough}, {exact}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_margin_is_small() {
    let vectors = photos(4, 768);
    let photos = Photos::new(&slices(&vectors), 768, 768, Kernel::Simsimd).unwrap();
    for margin in photos.margins() {
        assert!((1e-4..3e-3).contains(&margin), "{margin}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn is_the_head_of_everything_sorted(
        dims in prop::sample::select(vec![3usize, 32, 50, 96]),
        len in 1..400usize,
        count in 1..10usize,
        k in 0..60usize,
        from in 0..300usize,
        keep in 1..7u32,
    ) {
        let bank = bank(dims, len);
        let vectors = photos(count, dims);
        let list: Vec<u32> = (0..len as u32 + 50).filter(|row| row * 7 % 11 < keep).collect();
        let kinds = [
            (Rows::All, (0..len as u32).collect::<Vec<_>>()),
            (Rows::Range(from..from + 100), (from as u32..from as u32 + 100).filter(|r| (*r as usize) < len).collect()),
            (Rows::Range(from..usize::MAX), (from as u32..len as u32).collect()),
            (Rows::List(&list), list.iter().copied().filter(|r| (*r as usize) < len).collect()),
        ];
        for (rows, same) in kinds {
            for kernel in Kernel::possible() {
                let found = best_with(kernel, &bank, &rows, &slices(&vectors), k, 1).unwrap();
                prop_assert_eq!(found.len(), count);
                for (photo, found) in vectors.iter().zip(found) {
                    prop_assert_eq!(found, plain(&bank, &same, photo, k));
                }
            }
        }
    }
}

#[test]
fn threads_and_batches_change_no_bit() {
    let bank = bank(384, 9000);
    let vectors = photos(13, 384);
    let list: Vec<u32> = (0..9000).filter(|row| row % 3 != 0).collect();
    for rows in [Rows::All, Rows::List(&list)] {
        let alone: Vec<Vec<Hit>> = vectors
            .iter()
            .map(|photo| best(&bank, &rows, &[photo], 15, 1).unwrap().remove(0))
            .collect();
        for threads in [1, 2, 3, 8] {
            for batch in [2, 5, 8, 13] {
                for (photos, alone) in vectors.chunks(batch).zip(alone.chunks(batch)) {
                    let together = best(&bank, &rows, &slices(photos), 15, threads).unwrap();
                    assert_eq!(together, alone, "{threads} threads, {batch} together");
                }
            }
        }
    }
}

#[test]
fn equal_rows_come_in_their_order() {
    let one = vector(3, 64);
    let rows: Vec<f32> = (0..500).flat_map(|_| one.clone()).collect();
    let bank = TermBank::in_memory(&identity(64, 500), &rows).unwrap();
    for threads in [1, 4] {
        let found = best(&bank, &Rows::All, &[&one], 7, threads).unwrap();
        let rows: Vec<u32> = found[0].iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6]);
        assert!((found[0][0].cosine - 1.0).abs() < 0.01);
    }
}

#[test]
fn photos_of_another_space_are_refused() {
    let bank = bank(64, 10);
    let good = vector(1, 64);
    let Err(error) = best(&bank, &Rows::All, &[&good, &good[..63]], 5, 1) else {
        panic!("63 values");
    };
    assert!(matches!(
        error,
        ScanError::Dims {
            photo: 1,
            expected: 64,
            found: 63
        }
    ));
    for bad in [0.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            best(&bank, &Rows::All, &[&[bad; 64]], 5, 1),
            Err(ScanError::NoDirection { photo: 0 })
        ));
    }
    assert_eq!(
        best(&bank, &Rows::All, &[], 5, 1).unwrap(),
        Vec::<Vec<Hit>>::new()
    );
}

#[test]
fn length_of_a_photo_does_not_matter() {
    let bank = bank(64, 100);
    let photo = vector(42, 64);
    let long: Vec<f32> = photo.iter().map(|v| v * 1024.0).collect();
    let found = |photo: &[f32]| best(&bank, &Rows::All, &[photo], 10, 1).unwrap();
    assert_eq!(found(&photo), found(&long));
    assert!(found(&photo)[0].iter().all(|hit| hit.cosine.abs() <= 1.01));
}

#[test]
fn a_growing_bank_is_scanned_as_far_as_it_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bank");
    let identity = identity(32, 300);
    let (mut writer, bank, _) = BankWriter::open(&path, &identity).unwrap();
    let photo = vector(123, 32);
    let found = |k| best(&bank, &Rows::All, &[&photo], k, 2).unwrap().remove(0);
    assert!(found(5).is_empty());
    for (from, to) in [(0, 7), (7, 123), (123, 300)] {
        let rows: Vec<f32> = (from..to).flat_map(|row| vector(row, 32)).collect();
        writer.append(&rows).unwrap();
        assert_eq!(found(1000).len(), to);
    }
    assert_eq!(found(1)[0].row, 123);
    // Cut short under us: an error, not a bus error.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(5000).unwrap();
    assert!(matches!(
        best(&bank, &Rows::All, &[&photo], 5, 1),
        Err(ScanError::Bank(BankError::Truncated { .. }))
    ));
}

#[test]
fn damaged_rows_displace_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bank");
    let identity = identity(32, 100);
    let rows: Vec<f32> = (0..100).flat_map(|row| vector(row, 32)).collect();
    let (mut writer, bank, _) = BankWriter::open(&path, &identity).unwrap();
    writer.append(&rows).unwrap();
    let photo = vector(50, 32);
    let sound = best(&bank, &Rows::All, &[&photo], 10, 1).unwrap();
    assert!(sound[0].iter().all(|hit| hit.row != 7 && hit.row != 8));
    let size = std::fs::metadata(&path).unwrap().len();
    let start = size - (100u64 * 64).next_multiple_of(4096);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Rows 7 and 8: not a number, and far too long.
    for (row, bits) in [(7u64, 0x7fc1u16), (8, 0x4500)] {
        let bytes: Vec<u8> = bits.to_ne_bytes().repeat(32);
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, start + row * 64).unwrap();
    }
    for kernel in Kernel::possible() {
        let found = best_with(kernel, &bank, &Rows::All, &[&photo], 10, 1).unwrap();
        assert_eq!(found, sound, "{kernel:?}");
    }
}
