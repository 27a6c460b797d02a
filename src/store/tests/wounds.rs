//! Random wounds in the files of a real small index: what comes out is what was there, or the user
//! is told. `PHOTOND_WOUNDS` says how many, `PHOTOND_SEED` repeats a run.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::library::Library;
use crate::store::{
    BACKUP_FILE, INDEX_FILE, OLDER_BACKUP_FILE, SpaceKind, Store, back_up_if_older,
};

/// A small generator of our own, so that a seed says the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }
}

/// Every row that a person could see, in order.
fn rows(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for table in [
        "roots",
        "folders",
        "files",
        "photos",
        "failures",
        "models",
        "embeddings",
        "terms",
        "tags",
        "taggers",
    ] {
        let mut stmt = store
            .conn
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
            .unwrap();
        let columns = stmt.column_count();
        let found = stmt
            .query_map([], |r| {
                (0..columns)
                    .map(|n| r.get::<_, rusqlite::types::Value>(n))
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .unwrap();
        all.extend(found.map(|row| format!("{table} {:?}", row.unwrap())));
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && entry.file_name() != "index.db-shm" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// An index as a killed photond leaves it: a log with changes, two backups of earlier states.
struct Left {
    dir: tempfile::TempDir,
    /// What it holds, and what each backup holds.
    now: Vec<String>,
    backups: [Vec<String>; 2],
}

fn left() -> Left {
    let mut lib = Library::new();
    let root = lib.root("/photos");
    let model = lib.model("m", SpaceKind::Search);
    let add = |lib: &mut Library, photos: std::ops::Range<u64>| {
        for n in photos {
            lib.put(root, &format!("album {}/{n}.jpg", n % 3), n);
            lib.embed(n, model);
            lib.tag(n, &[("dog", "dog", 0.9), ("cat", "cat", 0.3)]);
        }
        rows(&lib.store)
    };
    let data = lib.dir.path().to_path_buf();
    let older = add(&mut lib, 0..15);
    back_up_if_older(&data, Duration::ZERO).unwrap();
    let newer = add(&mut lib, 15..25);
    back_up_if_older(&data, Duration::ZERO).unwrap();
    lib.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let now = add(&mut lib, 25..40);
    let dir = tempfile::tempdir().unwrap();
    copy(&data, dir.path());
    Left {
        dir,
        now,
        backups: [newer, older],
    }
}

#[test]
fn no_wound_is_silent() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let wounds: u64 = number("PHOTOND_WOUNDS").unwrap_or(200);
    let seed = number("PHOTOND_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |d| d.as_nanos() as u64)
    });
    println!("PHOTOND_SEED={seed} PHOTOND_WOUNDS={wounds}");
    let mut dice = Dice(seed);
    let left = left();
    let (mut healed, mut told) = (0, 0);
    for wound in 0..wounds {
        let dir = tempfile::tempdir().unwrap();
        copy(left.dir.path(), dir.path());
        let log = format!("{INDEX_FILE}-wal");
        let names = [INDEX_FILE, INDEX_FILE, &log, BACKUP_FILE, OLDER_BACKUP_FILE];
        let name = names[dice.roll(names.len() as u64) as usize];
        let path = dir.path().join(name);
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size > 0, "{name}");
        let length = 1 + dice.roll(8);
        // Headers are small and matter most: every fourth wound is there.
        let span = if dice.roll(4) == 0 { 120 } else { size };
        let at = dice.roll(span.min(size - length));
        let mut bytes = vec![0; length as usize];
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        file.read_exact_at(&mut bytes, at).unwrap();
        for byte in &mut bytes {
            *byte ^= 1 + dice.roll(255) as u8;
        }
        file.write_all_at(&bytes, at).unwrap();
        let what = format!("seed {seed}, wound {wound}: {length} bytes at {at} of {name}");
        let backup = name.contains("backup");
        if backup {
            std::fs::remove_file(dir.path().join(INDEX_FILE)).unwrap();
        }
        let (store, recovery) = Store::open(dir.path()).expect(&what);
        let found = rows(&store);
        if backup {
            assert!(recovery.is_some(), "{what}");
            assert!(
                found == left.backups[0] || found == left.backups[1],
                "{what}: another content than any backup had"
            );
        } else if recovery.is_none() {
            assert!(found == left.now, "{what}: a silent difference");
            healed += 1;
            continue;
        }
        told += 1;
    }
    println!("{told} told, {healed} without effect");
    assert!(told > 0);
}
