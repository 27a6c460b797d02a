//! What a gallery reads of all photos.

use super::library::{Library, hash, key};
use crate::store::Change;

#[test]
fn tiles_come_newest_first_at_each_place() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    let old = lib.put(root, "old.jpg", 1);
    let new = lib.put(root, "new.jpg", 2);
    lib.put(root, "copy.jpg", 1);
    lib.sql("UPDATE files SET taken = CASE path WHEN CAST('old.jpg' AS BLOB) THEN -5 WHEN CAST('copy.jpg' AS BLOB) THEN 50 ELSE 100 END");
    let mut tiles = Vec::new();
    lib.reader()
        .moments(&mut |photo, taken| tiles.push((photo, taken)))
        .unwrap();
    assert_eq!(tiles, [(new, 100), (old, 50), (old, -5)]);
    let reader = lib.reader();
    assert_eq!(
        reader.photo_called(old).unwrap().unwrap().photo.hash,
        hash(1)
    );
    assert_eq!(reader.content_of_photo(new).unwrap(), Some(hash(2)));
    assert!(reader.photo_called(99).unwrap().is_none());
    lib.sql("UPDATE photos SET width = 10 * id, height = 7");
    let mut shapes = Vec::new();
    reader
        .shapes(&mut |shape| shapes.push((shape.photo, shape.width, shape.height)))
        .unwrap();
    let wide = |id: i64| (id, u32::try_from(10 * id).unwrap(), 7);
    assert_eq!(shapes, [wide(old), wide(new)]);
    // One held as missing is no tile.
    lib.sql("UPDATE files SET missing_since = 1 WHERE path = CAST('new.jpg' AS BLOB)");
    tiles.clear();
    lib.reader()
        .moments(&mut |photo, taken| tiles.push((photo, taken)))
        .unwrap();
    assert_eq!(tiles, [(old, 50), (old, -5)]);
}

#[test]
fn a_reader_notices_what_changes_tiles_and_nothing_else() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    assert_eq!(lib.put(root, "1.jpg", 1), 1);
    let reader = lib.reader();
    let version = reader.data_version().unwrap();
    assert_eq!(reader.data_version().unwrap(), version);
    let mut last = reader.tiles_mark().unwrap().changes;
    let mut changes = move || {
        let now = reader.tiles_mark().unwrap().changes;
        now - std::mem::replace(&mut last, now)
    };
    lib.store.heartbeat(1, 1, "{}").unwrap();
    assert_ne!(lib.reader().data_version().unwrap(), version);
    lib.sql("UPDATE photos SET facts_by = 0, lat = 7");
    assert_eq!(changes(), 0);
    lib.put(root, "2.jpg", 2);
    assert_eq!(changes(), 1);
    lib.put(root, "copy.jpg", 2);
    assert_eq!(changes(), 1);
    lib.gone(root, "2.jpg");
    assert_eq!(changes(), 1);
    // Another photo at its place: one goes, one comes.
    lib.put(root, "copy.jpg", 3);
    assert_eq!(changes(), 2);
    for change in [
        "UPDATE files SET taken = taken + 1",
        "UPDATE files SET path = CAST('other' AS BLOB) WHERE photo = 1",
        "UPDATE files SET missing_since = 1 WHERE photo = 1",
        "UPDATE files SET missing_since = NULL WHERE photo = 1",
        "UPDATE photos SET width = height, height = 3 * width",
        "UPDATE photos SET captured_local = '2001-01-01T00:00:00'",
    ] {
        lib.sql(change);
        assert_ne!(changes(), 0, "{change}");
    }
    lib.apply(Change::Gone {
        key: key(root, b"other"),
        excluded: false,
    });
    assert_eq!(changes(), 1);
}

#[test]
fn cameras_and_positions_are_those_of_photos_that_lie_somewhere() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    for n in 1..=4 {
        lib.put(root, &format!("{n}.jpg"), n);
    }
    lib.sql("UPDATE photos SET camera = CASE id WHEN 1 THEN 'B' ELSE 'A' END, lat = id, lon = -id");
    lib.gone(root, "4.jpg");
    let reader = lib.reader();
    let cameras = reader.cameras(9).unwrap();
    assert_eq!(cameras, [("A".to_owned(), 2), ("B".to_owned(), 1)]);
    assert_eq!(reader.cameras(1).unwrap().len(), 1);
    let mut at = Vec::new();
    reader.positions(&mut |position| at.push(position)).unwrap();
    at.sort_by_key(|at| at.photo);
    let at: Vec<_> = at.iter().map(|at| (at.photo, at.lat, at.lon)).collect();
    assert_eq!(at, [(1, 1.0, -1.0), (2, 2.0, -2.0), (3, 3.0, -3.0)]);
    let plan = lib.plan(crate::store::gallery::POSITIONS);
    assert!(plan.contains("COVERING INDEX"), "{plan}");
}
