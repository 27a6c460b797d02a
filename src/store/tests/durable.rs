//! Checksums on pages, the marker, backups and what is put back from them.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::library::{Library, indexed};
use crate::store::checked_pages::{self, PAGE};
use crate::store::{
    BACKUP_FILE, BackedUp, INDEX_FILE, OLDER_BACKUP_FILE, PhotoFilter, Recovery, Store, StoreError,
    back_up_if_older, check_index, incidents,
};

fn flip(path: &Path, at: u64) {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x41], at).unwrap();
}

/// A closed library of some pages.
fn closed(photos: u64) -> tempfile::TempDir {
    let mut lib = Library::new();
    let root = lib.root("/photos");
    for n in 0..photos {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.close()
}

fn photos(store: &Store) -> usize {
    let reader = store.reader().unwrap();
    reader.photo_ids(&PhotoFilter::default()).unwrap().len()
}

#[test]
fn a_wound_in_any_part_of_any_page_is_a_read_error() {
    let dir = closed(40);
    let path = dir.path().join(INDEX_FILE);
    let original = std::fs::read(&path).unwrap();
    assert_eq!(original.len() % PAGE, 0);
    let pages = original.len() / PAGE;
    assert!(pages > 20, "{pages} pages");
    // A page's header, its list of cells, the free middle, cells, and the checksum itself.
    let parts = [0, 3, 9, 700, 2044, 2100, PAGE - 9, PAGE - 8, PAGE - 1];
    for page in 0..pages {
        for part in parts {
            let whole = &original[page * PAGE..(page + 1) * PAGE];
            let number = u32::try_from(page + 1).unwrap();
            assert!(checked_pages::is_sound(number, whole), "page {number}");
            assert!(!checked_pages::is_sound(number + 1, whole), "its number");
            let mut wounded = whole.to_vec();
            wounded[part] ^= 1;
            assert!(!checked_pages::is_sound(number, &wounded), "byte {part}");
        }
    }
    // The same as SQLite sees it: no statement gets a row from the page.
    let at = original
        .windows(6)
        .position(|w| w == b"11.jpg")
        .expect("a path of the library");
    flip(&path, at as u64);
    let conn = checked_pages::connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let read = conn
        .prepare("SELECT path, size, mtime_ns FROM files")
        .and_then(|mut s| {
            s.query_map([], |r| r.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
    let index = conn
        .prepare(
            "SELECT photo, root, path FROM files INDEXED BY files_by_photo WHERE photo IS NOT NULL",
        )
        .and_then(|mut s| {
            s.query_map([], |r| r.get::<_, Vec<u8>>(2))?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
    let bad =
        |e: &rusqlite::Error| e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt);
    assert!(
        read.as_ref().err().is_some_and(bad) || index.as_ref().err().is_some_and(bad),
        "{read:?} {index:?}"
    );
}

#[test]
fn other_programs_read_the_index() {
    let dir = closed(10);
    let conn = Connection::open(dir.path().join(INDEX_FILE)).unwrap();
    let verdict: String = conn
        .query_row("PRAGMA integrity_check", [], |r| r.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    let n: i64 = conn
        .query_row("SELECT count(*) FROM photos", [], |r| r.get(0))
        .unwrap();
    assert_eq!(n, 10);
}

#[test]
fn readers_see_sound_pages_while_the_log_is_taken_over() {
    let mut lib = Library::new();
    let root = lib.root("/photos");
    lib.put(root, "first.jpg", 0);
    let dir = lib.dir.path().to_path_buf();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) || rounds == 0 {
                        check_index(&dir).unwrap();
                        rounds += 1;
                    }
                })
            })
            .collect();
        for n in 1..60 {
            lib.put(root, &format!("{n}.jpg"), n);
            if n % 5 == 0 {
                lib.sql("PRAGMA wal_checkpoint(PASSIVE)");
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert!(check_index(&dir).unwrap().counts);
}

#[test]
fn a_program_that_reads_for_long_holds_the_log_no_longer_than_it_reads() {
    let mut lib = Library::new();
    let root = lib.root("/photos");
    lib.put(root, "first.jpg", 0);
    let log = lib.dir.path().join(format!("{INDEX_FILE}-wal"));
    let size = || std::fs::metadata(&log).unwrap().len();
    let limit = 16 << 20;
    let other = Connection::open_with_flags(
        lib.dir.path().join(INDEX_FILE),
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .unwrap();
    let count = |conn: &Connection| -> i64 {
        conn.query_row("SELECT count(*) FROM files", [], |r| r.get(0))
            .unwrap()
    };
    other.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&other), 1);
    let mut written = 0;
    while size() <= 2 * limit {
        for _ in 0..50 {
            written += 1;
            lib.put(root, &format!("{written}.jpg"), written);
        }
        assert!(written < 20_000, "the log does not grow: {} bytes", size());
    }
    assert_eq!(count(&other), 1, "it sees what it began with");
    other.execute_batch("COMMIT").unwrap();
    // A checkpoint carries all over, and the next writer begins the log anew.
    for _ in 0..2 {
        written += 1;
        lib.put(root, &format!("{written}.jpg"), written);
    }
    assert!(size() <= limit, "{} bytes", size());
    assert_eq!(count(&other), i64::try_from(written).unwrap() + 1);
}

#[test]
fn an_index_without_checksums_gets_them_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(INDEX_FILE);
    {
        let plain = Connection::open(&path).unwrap();
        plain
            .execute_batch(include_str!("../../../migrations/0001_initial.sql"))
            .unwrap();
        plain
            .pragma_update(None, "application_id", crate::store::APPLICATION_ID)
            .unwrap();
        plain.pragma_update(None, "user_version", 1).unwrap();
    }
    let (mut store, recovery) = Store::open(dir.path()).unwrap();
    assert_eq!(recovery, None);
    assert!(store.has_checksums());
    let root = store
        .adopt_root(Path::new("/photos"), ("volume", ""), None)
        .unwrap()
        .id;
    store.apply(&[indexed(root, b"a.jpg", 1)]).unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for (n, page) in bytes.chunks(PAGE).enumerate() {
        assert!(
            checked_pages::is_sound(u32::try_from(n + 1).unwrap(), page),
            "page {}",
            n + 1
        );
    }
}

#[test]
fn the_older_backup_serves_when_the_newer_is_damaged() {
    let dir = closed(5);
    let data = dir.path();
    assert_eq!(
        back_up_if_older(data, Duration::ZERO).unwrap(),
        BackedUp::Made
    );
    let (mut store, _) = Store::open(data).unwrap();
    let root = store.root_at(Path::new("/photos")).unwrap().unwrap().id;
    store.apply(&[indexed(root, b"new.jpg", 99)]).unwrap();
    drop(store);
    assert_eq!(
        back_up_if_older(data, Duration::ZERO).unwrap(),
        BackedUp::Made
    );
    assert_eq!(
        back_up_if_older(data, Duration::from_secs(3600)).unwrap(),
        BackedUp::Young
    );
    assert_eq!(
        back_up_if_older(data, Duration::ZERO).unwrap(),
        BackedUp::Unchanged
    );
    // A damaged index becomes no backup.
    let sound = std::fs::read(data.join(BACKUP_FILE)).unwrap();
    flip(&data.join(INDEX_FILE), 3 * PAGE as u64 + 100);
    let failed = back_up_if_older(data, Duration::ZERO);
    assert!(failed.is_err_and(|e| e.is_corruption()));
    assert_eq!(std::fs::read(data.join(BACKUP_FILE)).unwrap(), sound);
    flip(&data.join(BACKUP_FILE), 5 * PAGE as u64 + 7);
    let (store, recovery) = Store::open(data).unwrap();
    let Some(Recovery::RestoredBackup {
        aside: Some(aside),
        older: true,
        ..
    }) = recovery
    else {
        panic!("{recovery:?}");
    };
    assert!(aside.exists() && data.join(OLDER_BACKUP_FILE).exists());
    assert_eq!(photos(&store), 5);
    let told = incidents(data);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kept.as_ref(), Some(&aside));
    assert!(told[0].done.contains("the one before it"), "{told:?}");
}

#[test]
fn an_index_that_is_empty_or_gone_is_put_back() {
    for gone in [false, true] {
        let dir = closed(4);
        let data = dir.path();
        back_up_if_older(data, Duration::ZERO).unwrap();
        let path = data.join(INDEX_FILE);
        if gone {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::write(&path, b"").unwrap();
        }
        let (store, recovery) = Store::open(data).unwrap();
        assert!(matches!(
            recovery,
            Some(Recovery::RestoredBackup { older: false, .. })
        ));
        assert_eq!(photos(&store), 4);
    }
}

#[test]
fn what_lost_its_name_while_open_is_saved() {
    for replaced in [false, true] {
        let mut lib = Library::new();
        let root = lib.root("/photos");
        for n in 0..7 {
            lib.put(root, &format!("{n}.jpg"), n);
        }
        let Library { store, dir, .. } = lib;
        let path = dir.path().join(INDEX_FILE);
        std::fs::remove_file(&path).unwrap();
        if replaced {
            std::fs::write(&path, b"something else").unwrap();
        }
        assert!(store.save_lost("it was deleted").is_corruption());
        drop(store);
        let (store, recovery) = Store::open(dir.path()).unwrap();
        assert!(matches!(
            recovery,
            Some(Recovery::RestoredBackup { older: false, .. })
        ));
        assert_eq!(photos(&store), 7);
    }
}

#[test]
fn a_wrong_header_is_damage_where_the_index_was_ours() {
    // The magic, the page size, the bytes kept free, the schema's version, the application's number.
    for at in [2, 16, 20, 60, 63, 68, 71] {
        let dir = closed(3);
        back_up_if_older(dir.path(), Duration::ZERO).unwrap();
        flip(&dir.path().join(INDEX_FILE), at);
        let (store, recovery) = Store::open(dir.path()).unwrap();
        assert!(
            matches!(recovery, Some(Recovery::RestoredBackup { .. })),
            "byte {at}: {recovery:?}"
        );
        assert_eq!(photos(&store), 3, "byte {at}");
    }
    // Written by a newer photond, whose pages are whole.
    let dir = closed(3);
    let path = dir.path().join(INDEX_FILE);
    let newer = checked_pages::connect(&path, OpenFlags::default()).unwrap();
    newer.pragma_update(None, "user_version", 900).unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        Store::open(dir.path()),
        Err(StoreError::Newer { found: 900, .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Another program's, in the place of ours.
    std::fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("PRAGMA application_id = 77; CREATE TABLE x (y)")
        .unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        Store::open(dir.path()),
        Err(StoreError::Foreign { found: 77, .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn wrong_kept_numbers_are_counted_anew() {
    let dir = closed(6);
    let (store, _) = Store::open(dir.path()).unwrap();
    store
        .conn
        .execute_batch("UPDATE roots SET photos = 5; UPDATE database SET photos = 17")
        .unwrap();
    drop(store);
    assert!(!check_index(dir.path()).unwrap().counts);
    crate::store::suspect_damage(dir.path());
    let (store, recovery) = Store::open(dir.path()).unwrap();
    assert_eq!(recovery, None);
    assert_eq!(store.reader().unwrap().counts().unwrap().photos, 6);
    assert!(check_index(dir.path()).unwrap().counts);
    assert_eq!(incidents(dir.path()).len(), 1);
}

#[test]
fn only_the_newest_damaged_files_are_kept() {
    let dir = closed(2);
    back_up_if_older(dir.path(), Duration::ZERO).unwrap();
    for _ in 0..4 {
        std::fs::write(dir.path().join(INDEX_FILE), vec![9; 5000]).unwrap();
        let (_, recovery) = Store::open(dir.path()).unwrap();
        assert!(recovery.is_some());
    }
    let kept = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| {
            let name = e.as_ref().unwrap().file_name();
            name.to_string_lossy().contains(".damaged-")
        })
        .count();
    assert_eq!(kept, 2);
}

#[test]
fn what_is_known_of_photos_is_private() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = closed(2);
    let open_to_all = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = dir.path().join(INDEX_FILE);
    assert_eq!(mode(&path), 0o600, "made private");
    open_to_all(&path, 0o644);
    open_to_all(dir.path(), 0o755);
    let (store, _) = Store::open(dir.path()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(dir.path()), 0o700);
    let log = dir.path().join(format!("{INDEX_FILE}-wal"));
    assert_eq!(mode(&log), 0o600);
    drop(store);
    // A folder with other things in it is not photond's to close.
    std::fs::write(dir.path().join("letter.txt"), b"x").unwrap();
    open_to_all(&dir.path().join("letter.txt"), 0o644);
    open_to_all(&path, 0o644);
    open_to_all(dir.path(), 0o755);
    let (_store, _) = Store::open(dir.path()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(dir.path()), 0o755);
    assert_eq!(mode(&dir.path().join("letter.txt")), 0o644);
}

#[test]
fn damaged_thumbnails_are_made_anew_while_running() {
    use crate::store::{THUMBS_FILE, ThumbStore};
    let dir = tempfile::tempdir().unwrap();
    let thumb = crate::photo::Thumbnail {
        width: 3,
        height: 2,
        mime: "image/jpeg",
        bytes: vec![5; 9000],
    };
    let hash = super::library::hash;
    let mut thumbs = ThumbStore::open(dir.path()).unwrap();
    for n in 0..50 {
        thumbs.put([(&hash(n), &thumb)]).unwrap();
    }
    drop(thumbs);
    let path = dir.path().join(THUMBS_FILE);
    let mut thumbs = ThumbStore::open(dir.path()).unwrap();
    // Every tree of it, but not the page that opening reads.
    let size = std::fs::metadata(&path).unwrap().len();
    for page in 1..size / PAGE as u64 {
        flip(&path, page * PAGE as u64 + 50);
    }
    thumbs.put([(&hash(7), &thumb)]).unwrap();
    thumbs.put([(&hash(99), &thumb)]).unwrap();
    assert_eq!(thumbs.size_of(&hash(99)).unwrap(), Some((3, 2, 9000)));
    assert_eq!(thumbs.size_of(&hash(3)).unwrap(), None, "made anew");
}
