//! What a gallery reads of all photos.

use super::library::{Library, hash, indexed, key};
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
fn a_reader_notices_what_comes_and_goes_and_nothing_else() {
    let mut lib = Library::new();
    let root = lib.root("/p");
    lib.put(root, "1.jpg", 1);
    let reader = lib.reader();
    let (version, mark) = (
        reader.data_version().unwrap(),
        reader.photos_mark().unwrap(),
    );
    assert_eq!(reader.data_version().unwrap(), version);
    lib.store.heartbeat(1, 1, "{}").unwrap();
    assert_ne!(reader.data_version().unwrap(), version);
    assert_eq!(reader.photos_mark().unwrap(), mark);
    lib.put(root, "2.jpg", 2);
    let with_two = reader.photos_mark().unwrap();
    assert_ne!(with_two, mark);
    lib.gone(root, "2.jpg");
    let gone = reader.photos_mark().unwrap();
    assert!(
        gone != with_two && gone != mark,
        "its row is kept for a while"
    );
    // It comes back under another name.
    lib.apply(indexed(root, b"3.jpg", 2));
    assert_eq!(reader.photos_mark().unwrap(), with_two);
    lib.apply(Change::Gone {
        key: key(root, b"3.jpg"),
        excluded: false,
    });
    assert_ne!(reader.photos_mark().unwrap(), with_two);
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
    let cameras = reader.camera_counts(9).unwrap();
    assert_eq!(cameras, [("A".to_owned(), 2), ("B".to_owned(), 1)]);
    assert_eq!(reader.camera_counts(1).unwrap().len(), 1);
    let mut at: Vec<_> = reader.positions().unwrap();
    at.sort_by_key(|at| at.photo);
    let at: Vec<_> = at.iter().map(|at| (at.photo, at.lat, at.lon)).collect();
    assert_eq!(at, [(1, 1.0, -1.0), (2, 2.0, -2.0), (3, 3.0, -3.0)]);
}
