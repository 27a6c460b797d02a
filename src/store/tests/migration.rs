//! From a filled database of schema 1 to the current one.

use std::path::Path;

use rusqlite::{Connection, params};

use super::library::{hash, indexed, key, named};
use crate::embedding::ModelId;
use crate::photo::FileStamp;
use crate::store::{
    APPLICATION_ID, BACKUP_FILE, Change, INDEX_FILE, PhotoFilter, Recovery, SpaceKind, Store,
    StoreReader, suspect_damage,
};

const PHOTOS: u64 = 20;

/// A database as version 1 left it: photos 1 to 20 at `folder N/beach_N.jpg`, each with a vector
/// and a tag, but photo 3, on which the model failed, and photo 4, whose input could not be made;
/// and a broken file.
fn schema_1(dir: &Path) {
    let conn = Connection::open(dir.join(INDEX_FILE)).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.execute_batch(include_str!("../../../migrations/0001_initial.sql"))
        .unwrap();
    conn.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.execute_batch(
        "INSERT INTO roots (path, volume, added_at) VALUES (CAST('/photos' AS BLOB), 'volume', 1);
         INSERT INTO models (name, dims) VALUES ('old@1', 4), ('classifier@1', 4);
         INSERT INTO terms (id, key, name) VALUES (7, 'n09428293', 'seashore'), (9, 'c.party', 'parties');",
    )
    .unwrap();
    for n in 1..=PHOTOS {
        conn.execute(
            "INSERT INTO photos (id, hash, format, width, height, orientation, phash,
                 decoder_version, indexed_at) VALUES (?1, ?2, 'jpeg', 4, 3, 1, x'00', 1, 1)",
            params![n.cast_signed(), &hash(n).0[..]],
        )
        .unwrap();
        conn.execute(
            "INSERT INTO files (root, path, size, mtime_ns, ctime_ns, inode, photo)
             VALUES (1, ?1, 1, 2, 3, 4, ?2)",
            params![
                format!("folder {n}/beach_{n}.jpg").into_bytes(),
                n.cast_signed()
            ],
        )
        .unwrap();
        if n == 3 || n == 4 {
            let kind = if n == 3 { "model" } else { "truncated" };
            conn.execute(
                "INSERT INTO failures (hash, stage, kind, message, decoder_version, failed_at)
                 VALUES (?1, 'embed', ?2, 'why', 1, 1)",
                params![&hash(n).0[..], kind],
            )
            .unwrap();
            continue;
        }
        conn.execute(
            "INSERT INTO embeddings (photo, model, vector) VALUES (?1, 2, ?2)",
            params![
                n.cast_signed(),
                [[u8::try_from(n).unwrap(), 0x3c]; 4].concat()
            ],
        )
        .unwrap();
        conn.execute(
            "INSERT INTO tags (photo, source, model, term, confidence, bank)
             VALUES (?1, 0, 2, 7, 0.5, 'b')",
            [n.cast_signed()],
        )
        .unwrap();
    }
    conn.execute(
        "INSERT INTO failures (id, hash, stage, kind, message, attempts, decoder_version, failed_at)
         VALUES (50, ?1, 'inspect', 'not-an-image', 'no image', 3, 1, 8)",
        [&hash(99).0[..]],
    )
    .unwrap();
    conn.execute(
        "INSERT INTO files (root, path, size, mtime_ns, ctime_ns, inode, failure)
         VALUES (1, CAST('broken.jpg' AS BLOB), 1, 2, 3, 4, 50)",
        [],
    )
    .unwrap();
}

/// Every row of a table, as text.
fn rows(dir: &Path, sql: &str) -> Vec<String> {
    let conn = Connection::open(dir.join(INDEX_FILE)).unwrap();
    let mut stmt = conn.prepare(sql).unwrap();
    let columns = stmt.column_count();
    stmt.query_map([], |r| {
        (0..columns)
            .map(|c| r.get_ref(c).map(|v| format!("{v:?}")))
            .collect::<rusqlite::Result<Vec<_>>>()
            .map(|row| row.join("|"))
    })
    .unwrap()
    .map(Result::unwrap)
    .collect()
}

const KEPT: &[&str] = &[
    "SELECT id, path, volume, online FROM roots ORDER BY id",
    "SELECT id, hash, format, width, height, orientation, phash, decoder_version, indexed_at FROM photos ORDER BY id",
    "SELECT root, path, size, mtime_ns, ctime_ns, inode, photo, failure, missing_since FROM files ORDER BY root, path",
    "SELECT id, name, dims FROM models ORDER BY id",
    "SELECT photo, model, vector FROM embeddings ORDER BY model, photo",
    "SELECT id, key, name FROM terms ORDER BY id",
    "SELECT photo, term FROM tags ORDER BY photo",
    "SELECT id, hash, stage, kind, message, attempts, decoder_version, failed_at FROM failures ORDER BY id",
];

#[test]
fn every_row_of_schema_1_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    schema_1(dir.path());
    let before: Vec<_> = KEPT.iter().map(|sql| rows(dir.path(), sql)).collect();
    assert!(before.iter().all(|table| !table.is_empty()));
    let (store, recovery) = Store::open(dir.path()).unwrap();
    assert_eq!(recovery, None);
    let reader = store.reader().unwrap();
    assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
    assert_eq!(
        KEPT.iter()
            .map(|sql| rows(dir.path(), sql))
            .collect::<Vec<_>>(),
        before
    );
    assert_eq!(
        rows(dir.path(), "PRAGMA foreign_key_check"),
        Vec::<String>::new()
    );
    let tables = rows(
        dir.path(),
        "SELECT name FROM sqlite_schema WHERE name LIKE '%next%' OR name LIKE '%before%'",
    );
    assert_eq!(tables, Vec::<String>::new(), "nothing is left over");

    let classifier = reader.model(&ModelId("classifier@1".to_owned())).unwrap();
    let classifier = classifier.unwrap();
    assert_eq!(classifier.kind, SpaceKind::Classifier);
    assert_eq!(reader.serving().unwrap(), None);
    assert_eq!(reader.embedding_count(classifier.id).unwrap(), 18);
    assert_eq!(reader.newest_seq(classifier.id).unwrap(), 18);
    // Photo 3 failed in that model only, photo 4 in the image code.
    let of = |n| reader.failures_of(&hash(n)).unwrap()[0].0;
    assert_eq!((of(3), of(4)), (Some(classifier.id), None));
    let waiting = reader.without_embedding(1, 0, 100).unwrap();
    assert_eq!(
        waiting.len(),
        19,
        "all but photo 4 can be tried by another model"
    );
    // The tags are those of a snapshot that is no more: they are shown, and made again.
    let next = store.reader().unwrap();
    let tags = next.tags_of(1, 0.0).unwrap();
    assert_eq!((&*tags[0].name, tags[0].confidence), ("seashore", 0.5));
    assert_eq!(next.stale_count(2).unwrap(), 18);
    let counts = next.counts().unwrap();
    assert_eq!((counts.photos, counts.failed, counts.untagged), (20, 1, 2));
    for (kept, counted) in super::tags::KEPT {
        assert_eq!(rows(dir.path(), kept), rows(dir.path(), counted), "{kept}");
    }
    // Photos are found when their words have been filled in.
    assert_eq!(named(&reader), 0);
}

#[test]
fn words_are_filled_in_by_and_by() {
    let dir = tempfile::tempdir().unwrap();
    schema_1(dir.path());
    let (mut store, _) = Store::open(dir.path()).unwrap();
    // Meanwhile life goes on: a new photo, one that moved, one that is gone.
    let change = |store: &mut Store, change: Change| store.apply(&[change]).unwrap();
    change(&mut store, indexed(1, b"new/dune.jpg", 21));
    change(
        &mut store,
        Change::known(key(1, b"moved/hill.jpg"), FileStamp::default(), hash(5)),
    );
    for path in ["folder 5/beach_5.jpg", "folder 6/beach_6.jpg"] {
        let key = key(1, path.as_bytes());
        change(
            &mut store,
            Change::Gone {
                key,
                excluded: false,
            },
        );
    }
    let mut steps = 1;
    while store.fill_words(7).unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 3);
    assert!(!store.fill_words(7).unwrap());
    let reader = store.reader().unwrap();
    let photos =
        ["beach", "dune", "hill", "5"].map(|word| reader.named(&[vec![word.to_owned()]]).unwrap());
    let beaches: Vec<i64> = (1..=20).filter(|n| *n != 5 && *n != 6).collect();
    assert_eq!(photos, [beaches, vec![21], vec![5], vec![]]);
    assert_eq!(named(&store.reader().unwrap()), 20);
}

#[test]
fn a_migration_that_would_break_references_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    schema_1(dir.path());
    {
        let conn = Connection::open(dir.path().join(INDEX_FILE)).unwrap();
        conn.pragma_update(None, "foreign_keys", "OFF").unwrap();
        conn.execute(
            "DELETE FROM models WHERE id = 2", // its vectors stay behind
            [],
        )
        .unwrap();
    }
    let before = rows(dir.path(), "SELECT sql FROM sqlite_schema");
    let err = Store::open(dir.path()).err().unwrap();
    assert!(err.to_string().contains("schema 2"), "{err}");
    assert_eq!(rows(dir.path(), "SELECT sql FROM sqlite_schema"), before);
    assert_eq!(rows(dir.path(), "PRAGMA user_version"), ["Integer(1)"]);
}

#[test]
fn derived_files_notice_a_restore_and_a_fresh_start() {
    let dir = tempfile::tempdir().unwrap();
    let identity = |dir: &Path| StoreReader::open(dir).unwrap().identity().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let root = store
        .adopt_root(Path::new("/photos"), ("volume", ""), None)
        .unwrap()
        .id;
    store.apply(&[indexed(root, b"a.jpg", 1)]).unwrap();
    let mut seen = vec![identity(dir.path())];
    drop(store);
    let (store, _) = Store::open(dir.path()).unwrap();
    assert_eq!(identity(dir.path()), seen[0], "opening changes nothing");
    store.back_up(dir.path()).unwrap();
    assert_eq!(
        identity(dir.path()),
        seen[0],
        "making a backup changes nothing"
    );
    drop(store);
    let leftover = dir.path().join(format!("{BACKUP_FILE}.partial-wal"));
    assert!(!leftover.exists());
    let mut damage = |backup: bool| {
        if !backup {
            std::fs::remove_file(dir.path().join(BACKUP_FILE)).unwrap();
        }
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("{INDEX_FILE}{suffix}")));
        }
        std::fs::write(dir.path().join(INDEX_FILE), vec![7; 9000]).unwrap();
        suspect_damage(dir.path());
        let (store, recovery) = Store::open(dir.path()).unwrap();
        let photos = store
            .reader()
            .unwrap()
            .photo_ids(&PhotoFilter::default())
            .unwrap();
        assert_eq!(photos.len(), usize::from(backup));
        let restored = matches!(recovery, Some(Recovery::RestoredBackup { .. }));
        assert_eq!(restored, backup);
        let now = identity(dir.path());
        assert!(!seen.contains(&now));
        seen.push(now);
    };
    damage(true);
    damage(true);
    // Somebody puts the backup in place by hand.
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("{INDEX_FILE}{suffix}")));
    }
    std::fs::copy(dir.path().join(BACKUP_FILE), dir.path().join(INDEX_FILE)).unwrap();
    let by_hand = identity(dir.path());
    damage(false);
    assert!(!seen.contains(&by_hand));
}
