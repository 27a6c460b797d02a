//! Files that are not what was written.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use super::*;
use crate::tag::term_bank::layout::{PAGE, TEXT};

fn scribble(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn each_kind_of_useless_file_is_told_apart_and_replaced() {
    type Damage = fn(&Path);
    type Kind = fn(&BankError) -> bool;
    let kinds: [(&str, Damage, Kind); 9] = [
        (
            "empty",
            |p| fs::write(p, b"").unwrap(),
            |e| matches!(e, BankError::Truncated { found: 0, .. }),
        ),
        (
            "foreign",
            |p| fs::write(p, b"my holiday notes").unwrap(),
            |e| matches!(e, BankError::Foreign { .. }),
        ),
        (
            "large and foreign",
            |p| fs::write(p, [7; 100_000]).unwrap(),
            |e| matches!(e, BankError::Foreign { .. }),
        ),
        (
            "cut in its header",
            |p| {
                OpenOptions::new()
                    .write(true)
                    .open(p)
                    .unwrap()
                    .set_len(100)
                    .unwrap()
            },
            |e| matches!(e, BankError::Truncated { .. }),
        ),
        (
            "cut in its identity",
            |p| {
                OpenOptions::new()
                    .write(true)
                    .open(p)
                    .unwrap()
                    .set_len(TEXT + 3)
                    .unwrap()
            },
            |e| matches!(e, BankError::Truncated { .. }),
        ),
        (
            "cut in its rows",
            |p| {
                let len = fs::metadata(p).unwrap().len();
                OpenOptions::new()
                    .write(true)
                    .open(p)
                    .unwrap()
                    .set_len(len - 1)
                    .unwrap();
            },
            |e| matches!(e, BankError::Truncated { .. }),
        ),
        (
            "both headers damaged",
            |p| (0..2).for_each(|slot| scribble(p, slot * PAGE + 90, &[0xff; 4])),
            |e| matches!(e, BankError::Corrupt { .. }),
        ),
        (
            "identity damaged",
            |p| scribble(p, TEXT + 20, b"\0\0"),
            |e| matches!(e, BankError::Corrupt { .. }),
        ),
        (
            "another version",
            |p| (0..2).for_each(|slot| scribble(p, slot * PAGE + 8, &[99])),
            |e| matches!(e, BankError::Stale { .. }),
        ),
    ];
    for (name, damage, kind) in kinds {
        let (dir, path) = place();
        made(&path, 20);
        damage(&path);
        let before = fs::read(&path).unwrap();
        let error = TermBank::open(&path, &identity()).unwrap_err();
        assert!(kind(&error) && error.is_unusable(), "{name}: {error:?}");
        assert!(error.to_string().contains("a.bank"), "{error}");
        let (mut writer, bank, began) = BankWriter::open(&path, &identity()).unwrap();
        assert!(
            matches!(&began, Began::Rebuilt(e) if kind(e)),
            "{name}: {began:?}"
        );
        assert!(bank.is_empty());
        writer.append(&vectors(0..3)).unwrap();
        holds(&bank, 3);
        let aside = dir.path().join("labels").join("a.bank.aside");
        if matches!(error, BankError::Foreign { .. }) {
            assert_eq!(
                fs::read(aside).unwrap(),
                before,
                "{name}: not ours to delete"
            );
        } else {
            assert!(!aside.exists(), "{name}");
        }
    }
}

#[test]
fn a_torn_header_leaves_the_one_before() {
    for torn in 0..2 {
        let (_dir, path) = place();
        // Chunks 0..7, 7..14, 14..20: the last header went into slot 1.
        made(&path, 20);
        scribble(&path, torn * PAGE + 95, &[0x5a]);
        let left = if torn == 1 { 14 } else { 20 };
        holds(&TermBank::open(&path, &identity()).unwrap(), left);
        let (mut writer, bank, began) = BankWriter::open(&path, &identity()).unwrap();
        assert!(matches!(began, Began::Resumed(rows) if rows == left));
        writer.append(&vectors(left..30)).unwrap();
        holds(&bank, 30);
        drop(writer);
        holds(&TermBank::open(&path, &identity()).unwrap(), 30);
    }
}

#[test]
fn a_damaged_table_leaves_the_header_before() {
    let (_dir, path) = place();
    let layout = made(&path, 20).layout;
    scribble(&path, layout.entry_at(2) + 20, &[0x5a; 2]);
    holds(&TermBank::open(&path, &identity()).unwrap(), 14);
    scribble(&path, layout.entry_at(0) + 20, &[0x5a; 2]);
    assert!(matches!(
        TermBank::open(&path, &identity()),
        Err(BankError::Corrupt { .. })
    ));
}

#[test]
fn damage_in_rows_and_keys_is_found_and_the_chunks_before_it_kept() {
    let (_dir, path) = place();
    let layout = made(&path, 20).layout;
    let never = AtomicBool::new(false);
    for (at, kept) in [
        (layout.row_at(0), 0),
        (layout.row_at(7) - 1, 0),
        (layout.row_at(7), 7),
        (layout.row_at(20) - 1, 14),
        (layout.key_at(15), 14),
    ] {
        let (_dir, copy) = place();
        fs::create_dir(copy.parent().unwrap()).unwrap();
        fs::copy(&path, &copy).unwrap();
        scribble(&copy, at, &[0x99]);
        let bank = TermBank::open(&copy, &identity()).unwrap();
        let Err(BankError::Corrupt { reason, .. }) = bank.verify(&never) else {
            panic!("damage at {at} was not found");
        };
        assert!(reason.starts_with(&format!("rows {kept} to ")), "{reason}");
        let (mut writer, repaired, began) = BankWriter::repair(&copy, &identity()).unwrap();
        assert!(matches!(began, Began::Rebuilt(BankError::Corrupt { .. })));
        holds(&repaired, kept);
        assert_eq!(bank.len(), 20, "readers keep what they have");
        writer.append(&vectors(kept..25)).unwrap();
        holds(&repaired, 25);
    }
    let bank = TermBank::open(&path, &identity()).unwrap();
    assert!(
        !bank.verify(&AtomicBool::new(true)).unwrap(),
        "told to stop"
    );
}

#[test]
fn a_file_cut_under_its_readers_is_noticed() {
    let (_dir, path) = place();
    let bank = made(&path, 20);
    bank.check().unwrap();
    let len = fs::metadata(&path).unwrap().len();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(len / 2).unwrap();
    for error in [
        bank.check().unwrap_err(),
        bank.verify(&AtomicBool::new(false)).unwrap_err(),
    ] {
        assert!(matches!(error, BankError::Truncated { expected, .. } if expected == len));
    }
}
