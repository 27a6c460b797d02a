//! Ends at every step: kills, full disks, second processes.

use std::fs::{self, OpenOptions};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::tag::term_bank::disk::{BUDGET, Disk};

const CHILD: &str = "PHOTOND_TEST_BANK";
const MANY: usize = 1_000_000;

fn endless() -> BankIdentity {
    BankIdentity {
        rows: MANY,
        ..identity()
    }
}

#[test]
fn a_full_disk_takes_nothing_away_and_the_same_can_be_tried_again() {
    let (_dir, path) = place();
    let (mut writer, bank, _) = BankWriter::open(&path, &identity()).unwrap();
    writer.append(&vectors(0..5)).unwrap();
    // Answers each write with ENOSPC.
    let full = Disk::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let disk = std::mem::replace(&mut writer.disk, full);
    let error = writer.append(&vectors(5..9)).unwrap_err();
    assert!(error.is_full_disk(), "{error:?}");
    holds(&bank, 5);
    writer.disk = disk;
    writer.append(&vectors(5..9)).unwrap();
    holds(&bank, 9);
    let endless = BankIdentity {
        rows: u32::MAX as usize,
        dims: 1 << 15,
        ..identity()
    };
    let error = BankWriter::open(&path.with_extension("other"), &endless).unwrap_err();
    assert!(matches!(error, BankError::NoSpace { .. }) && error.is_full_disk());
}

#[test]
fn making_a_bank_may_be_killed_at_any_step() {
    let mut whole = 0;
    for budget in (0..).step_by(7) {
        let (dir, path) = place();
        BUDGET.set(Some(budget));
        let done = BankWriter::open(&path, &identity()).is_ok();
        BUDGET.set(None);
        match TermBank::open(&path, &identity()) {
            Ok(bank) => assert!(bank.is_empty() && done),
            Err(BankError::Missing { .. }) => assert!(!done),
            Err(other) => panic!("{budget}: {other:?}"),
        }
        // As after a kill, which removes nothing.
        fs::write(dir.path().join("labels").join("a.bank.new"), b"left").unwrap();
        made(&path, 3);
        whole += usize::from(done);
        if whole == 2 {
            break;
        }
    }
}

#[test]
fn an_append_may_be_killed_at_any_byte() {
    let (_dir, path) = place();
    made(&path, 11);
    let before = fs::read(&path).unwrap();
    let (mut kept, mut published) = (0, 0);
    // Keys, rows, entry, sync, header, sync: each byte of the header, some of the rows'.
    let rows_end = 6 * 8 + 6 * 128;
    let budgets = (0..rows_end).step_by(61).chain(rows_end..rows_end + 300);
    for budget in budgets {
        fs::write(&path, &before).unwrap();
        {
            let (mut writer, bank, _) = BankWriter::open(&path, &identity()).unwrap();
            writer.disk.budget.set(Some(budget));
            let done = writer.append(&vectors(11..17)).is_ok();
            assert_eq!(bank.len(), if done { 17 } else { 11 });
            if !done {
                holds(&bank, 11);
                writer.disk.budget.set(None);
                // Either it is as if it had never been tried, or the writer says that it must look.
                match writer.append(&vectors(11..17)) {
                    Ok(17) => holds(&bank, 17),
                    Err(BankError::Interrupted { .. }) => holds(&bank, 11),
                    other => panic!("{budget}: {other:?}"),
                }
                fs::write(&path, &before).unwrap();
                drop(writer);
                let (mut writer, ..) = BankWriter::open(&path, &identity()).unwrap();
                writer.disk.budget.set(Some(budget));
                assert!(writer.append(&vectors(11..17)).is_err());
            }
        }
        let (mut writer, bank, _) = BankWriter::open(&path, &identity()).unwrap();
        match bank.len() {
            11 => kept += 1,
            17 => published += 1,
            other => panic!("{budget}: {other} rows"),
        }
        holds(&bank, bank.len());
        writer.append(&vectors(bank.len()..20)).unwrap();
        holds(&bank, 20);
    }
    assert!(kept > 20 && published > 20, "{kept}, {published}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn chunks_of_any_size_with_kills_between(
        steps in prop::collection::vec((0..9usize, prop::option::weighted(0.3, 0..2000usize)), 1..12)
    ) {
        let (_dir, path) = place();
        let mut rows = 0;
        let (mut writer, mut bank, _) = BankWriter::open(&path, &identity()).unwrap();
        for (count, budget) in steps {
            let next = (rows + count).min(CAPACITY);
            writer.disk.budget.set(budget);
            if writer.append(&vectors(rows..next)).is_ok() {
                rows = next;
            } else {
                drop((writer, bank));
                (writer, bank, _) = BankWriter::open(&path, &identity()).unwrap();
                prop_assert!(bank.len() == rows || bank.len() == next);
                rows = bank.len();
            }
            holds(&bank, rows);
        }
    }
}

/// The process that the next test kills.
#[test]
#[ignore = "runs in a process of its own"]
fn child_that_appends_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let (mut writer, bank, _) = BankWriter::open(Path::new(&path), &endless()).unwrap();
    while !bank.is_whole() {
        let first = bank.len();
        let rows = vectors(first..MANY.min(first + 1 + first % 5));
        writer.append(&rows).unwrap();
    }
}

#[test]
fn two_processes_and_a_kill() {
    let (_dir, path) = place();
    let mut rows = 0;
    for _ in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored"])
            .arg(
                concat!(module_path!(), "::child_that_appends_until_it_is_killed")
                    .split_once("::")
                    .unwrap()
                    .1,
            )
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let more = loop {
            assert!(child.try_wait().unwrap().is_none(), "the child has ended");
            match TermBank::open(&path, &endless()) {
                Ok(bank) if bank.len() > rows + 10 => break bank.len(),
                Ok(_) | Err(BankError::Missing { .. }) => std::thread::yield_now(),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert!(matches!(
            BankWriter::open(&path, &endless()),
            Err(BankError::InUse { .. })
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        let (_, bank, began) = BankWriter::open(&path, &endless()).unwrap();
        assert!(matches!(began, Began::Resumed(found) if found >= more));
        rows = bank.len();
        holds(&bank, rows);
    }
}
