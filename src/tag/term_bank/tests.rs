//! The file against plain rows in memory.

mod damage;
mod kills;

use std::fs;
use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;

use super::*;

const DIMS: usize = 40;
const CAPACITY: usize = 60;

fn identity() -> BankIdentity {
    BankIdentity {
        model: "a/model@1".to_owned(),
        texts: "a photo of a {}".to_owned(),
        vocabulary: "0123456789abcdef".to_owned(),
        tokenizer: "feedbeef".to_owned(),
        dims: DIMS,
        rows: CAPACITY,
    }
}

/// A direction that depends on `seed` alone.
fn vector(seed: usize) -> Vec<f32> {
    let values = (0..DIMS).map(|i| ((i * 29 + seed * 131) % 97) as f32 / 48.5 - 1.0);
    values.collect()
}

fn vectors(seeds: std::ops::Range<usize>) -> Vec<f32> {
    seeds.flat_map(vector).collect()
}

/// What a row of the bank must be.
fn stored(seed: usize) -> Vec<bf16> {
    let vector = vector(seed);
    let length = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let by = length.sqrt().recip() as f32;
    vector.iter().map(|v| bf16::from_f32(v * by)).collect()
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels").join("a.bank");
    (dir, path)
}

/// Row `i` was made of seed `i` in every test.
fn holds(bank: &TermBank, rows: usize) {
    assert_eq!(bank.len(), rows);
    for row in 0..rows {
        assert_eq!(bank.row(row).unwrap(), stored(row), "row {row}");
    }
    assert!(bank.row(rows).is_none() && bank.row(usize::MAX).is_none());
    assert!(bank.verify(&AtomicBool::new(false)).unwrap());
}

fn made(path: &Path, rows: usize) -> Arc<TermBank> {
    let (mut writer, bank, _) = BankWriter::open(path, &identity()).unwrap();
    for first in (0..rows).step_by(7) {
        writer.append(&vectors(first..rows.min(first + 7))).unwrap();
    }
    holds(&bank, rows);
    bank
}

#[test]
fn readers_see_rows_as_they_come() {
    let (_dir, path) = place();
    assert!(matches!(
        TermBank::open(&path, &identity()),
        Err(BankError::Missing { .. })
    ));
    let (mut writer, bank, began) = BankWriter::open(&path, &identity()).unwrap();
    assert!(matches!(began, Began::New) && bank.is_empty());
    let raw = bank.raw().as_ptr();
    assert!(raw.addr().is_multiple_of(64));
    assert_eq!(writer.append(&[]).unwrap(), 0);
    assert_eq!(writer.append(&vectors(0..1)).unwrap(), 1);
    holds(&bank, 1);
    let other = TermBank::open(&path, &identity()).unwrap();
    assert_eq!(writer.append(&vectors(1..CAPACITY)).unwrap(), CAPACITY);
    holds(&bank, CAPACITY);
    assert_eq!(bank.raw().as_ptr(), raw, "mapped once");
    assert!(bank.is_whole());
    assert_eq!(other.len(), 1, "what the header said when it was opened");
    holds(&TermBank::open(&path, &identity()).unwrap(), CAPACITY);
    assert!(matches!(
        writer.append(&vectors(0..2)),
        Err(BankError::Full {
            room: 0,
            rows: 2,
            ..
        })
    ));
    drop(writer);
    let (_, bank, began) = BankWriter::open(&path, &identity()).unwrap();
    assert!(matches!(began, Began::Resumed(CAPACITY)));
    holds(&bank, CAPACITY);
}

#[test]
fn padding_is_zero_and_unwritten_rows_take_no_room() {
    let (_dir, path) = place();
    let large = BankIdentity {
        rows: 68_000,
        ..identity()
    };
    let (mut writer, bank, _) = BankWriter::open(&path, &large).unwrap();
    writer.append(&vectors(0..3)).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert!(meta.len() > 68_000 * 128 && meta.blocks() * 512 < 64 << 10);
    assert_eq!(bank.stride(), 64);
    for row in bank.raw().chunks_exact(64) {
        assert_eq!(row[DIMS..], [0; 64 - DIMS]);
    }
}

#[test]
fn vectors_that_score_nothing_are_refused_with_their_row() {
    let (_dir, path) = place();
    let (mut writer, bank, _) = BankWriter::open(&path, &identity()).unwrap();
    writer.append(&vectors(0..5)).unwrap();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut rows = vectors(5..10);
        rows[2 * DIMS + 3] = bad;
        let Err(BankError::BadRow { row: 7, reason, .. }) = writer.append(&rows) else {
            panic!("{bad} was taken");
        };
        assert!(reason.contains("not a number"), "{reason}");
    }
    let mut rows = vectors(5..10);
    rows[4 * DIMS..].fill(0.0);
    assert!(matches!(
        writer.append(&rows),
        Err(BankError::BadRow { row: 9, .. })
    ));
    assert!(matches!(
        writer.append(&rows[..DIMS + 1]),
        Err(BankError::Dims { values, dims: DIMS, .. }) if values == DIMS + 1
    ));
    assert!(matches!(
        writer.append_keyed(&vectors(5..10), &[1, 2]),
        Err(BankError::Keys {
            keys: 2,
            rows: 5,
            ..
        })
    ));
    holds(&bank, 5);
    writer.append(&vectors(5..10)).unwrap();
    holds(&bank, 10);
}

#[test]
fn a_bank_of_other_labels_is_stale_and_says_why() {
    let (_dir, path) = place();
    made(&path, 20);
    let others = [
        BankIdentity {
            model: "b/model@1".to_owned(),
            ..identity()
        },
        BankIdentity {
            texts: "{}".to_owned(),
            ..identity()
        },
        BankIdentity {
            vocabulary: "ffff".to_owned(),
            ..identity()
        },
        BankIdentity {
            tokenizer: "0".to_owned(),
            ..identity()
        },
        BankIdentity {
            dims: DIMS - 1,
            ..identity()
        },
        BankIdentity {
            rows: CAPACITY + 1,
            ..identity()
        },
    ];
    for (other, word) in others.iter().zip([
        "model",
        "texts",
        "vocabulary",
        "tokenizer",
        "dimensions",
        "rows",
    ]) {
        let Err(BankError::Stale { reason, .. }) = TermBank::open(&path, other) else {
            panic!("{other:?}");
        };
        assert!(
            reason.contains(word) && reason.contains(", not "),
            "{reason}"
        );
    }
    assert_eq!(*TermBank::open_any(&path).unwrap().identity(), identity());
    let (_, bank, began) = BankWriter::open(&path, &others[2]).unwrap();
    assert!(matches!(began, Began::Rebuilt(BankError::Stale { .. })));
    assert_eq!((bank.len(), bank.identity()), (0, &others[2]));
}

#[test]
fn one_writer_at_a_time() {
    let (_dir, path) = place();
    let (writer, ..) = BankWriter::open(&path, &identity()).unwrap();
    for error in [
        BankWriter::open(&path, &identity()).unwrap_err(),
        BankWriter::repair(&path, &identity()).unwrap_err(),
    ] {
        assert!(matches!(error, BankError::InUse { .. }), "{error:?}");
        assert!(error.to_string().contains("another process"), "{error}");
    }
    TermBank::open(&path, &identity()).unwrap();
    drop(writer);
    BankWriter::open(&path, &identity()).unwrap();
}

#[test]
fn vectors_of_the_former_bank_are_known_until_the_new_one_is_whole() {
    let (_dir, path) = place();
    let key = |row: usize| text_key(&format!("term {row}"));
    let keys = |rows: std::ops::Range<usize>| rows.map(key).collect::<Vec<_>>();
    {
        let (mut writer, ..) = BankWriter::open(&path, &identity()).unwrap();
        assert!(writer.known(key(0)).is_none(), "there was none before");
        writer.append_keyed(&vectors(0..30), &keys(0..30)).unwrap();
        writer.append(&vectors(30..CAPACITY)).unwrap();
    }
    let next = BankIdentity {
        vocabulary: "the next".to_owned(),
        rows: 45,
        ..identity()
    };
    let old = path.with_extension("bank.old");
    // Killed after the first chunk, and the vocabulary changed back and forth meanwhile.
    let (mut writer, bank, _) = BankWriter::open(&path, &next).unwrap();
    let taken: Vec<f32> = (10..20)
        .flat_map(|row| {
            writer
                .known(key(row))
                .unwrap()
                .iter()
                .map(|v| v.to_f32())
                .collect::<Vec<_>>()
        })
        .collect();
    writer.append_keyed(&taken, &keys(10..20)).unwrap();
    for row in 0..10 {
        assert_eq!(bank.row(row).unwrap(), stored(row + 10), "the same bits");
    }
    drop((writer, bank));
    BankWriter::open(
        &path,
        &BankIdentity {
            vocabulary: "a third".to_owned(),
            ..next.clone()
        },
    )
    .unwrap();
    let (mut writer, bank, _) = BankWriter::open(&path, &next).unwrap();
    assert!(bank.is_empty());
    assert_eq!(
        writer.known(key(29)).unwrap(),
        stored(29),
        "the fuller one was kept"
    );
    assert!(writer.known(key(30)).is_none() && writer.known(0).is_none());
    writer.append(&vectors(0..44)).unwrap();
    assert!(old.exists());
    writer.append(&vectors(44..45)).unwrap();
    assert!(!old.exists());
    drop(writer);
    // Another encoder's vectors say nothing.
    let other = BankIdentity {
        model: "b/model@1".to_owned(),
        ..identity()
    };
    let (writer, ..) = BankWriter::open(&path, &other).unwrap();
    assert!(writer.known(key(10)).is_none() && !old.exists());
}

#[test]
fn a_bank_in_memory_is_like_one_in_a_file() {
    let bank = TermBank::in_memory(&identity(), &vectors(0..9)).unwrap();
    holds(&bank, 9);
    assert!(bank.is_whole() && bank.raw().as_ptr().addr().is_multiple_of(64));
    bank.check().unwrap();
    assert!(matches!(
        TermBank::in_memory(&identity(), &[]),
        Err(BankError::Impossible { rows: 0, .. })
    ));
    let mut bad = vectors(0..9);
    bad[8 * DIMS] = f32::NAN;
    assert!(matches!(
        TermBank::in_memory(&identity(), &bad),
        Err(BankError::BadRow { row: 8, .. })
    ));
    assert!(TermBank::in_memory(&identity(), &bad[1..]).is_err());
}
