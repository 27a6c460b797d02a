//! Pieces are what the database has, whatever becomes of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::matrix::Scan;
use crate::store::tests::library::Library;
use crate::store::{SpaceKind, StoreError};

/// A library with one search model.
struct Space {
    lib: Library,
    root: i64,
    model: i64,
    id: ModelId,
}

impl Space {
    fn new() -> Self {
        let mut lib = Library::new();
        Self {
            root: lib.root("/p"),
            model: lib.model("a@1", SpaceKind::Search),
            id: ModelId("a@1".to_owned()),
            lib,
        }
    }

    /// Photos with vectors that name them.
    fn add(&mut self, photos: std::ops::Range<u64>) {
        for n in photos {
            self.lib.put(self.root, &format!("{n}.jpg"), n);
            self.lib.embed(n, self.model);
        }
    }

    fn with<T>(&self, look: impl FnOnce(&VectorIndex<'_>) -> T) -> T {
        let reader = self.lib.reader();
        look(&VectorIndex::new(&reader, self.lib.dir.path(), (self.model, &self.id, 4)).unwrap())
    }

    /// What a scan sees: photos and their cosines, damage made good once.
    fn seen(&self, tail: usize) -> BTreeMap<i64, Vec<f32>> {
        self.with(|index| {
            let mut vectors = index.open(tail, &mut |_, _| {}).unwrap();
            for _ in 0..2 {
                let (seen, damaged) = scan(&vectors, index);
                if damaged == 0 {
                    return seen;
                }
                index.distrust(&vectors);
                vectors = index.open(tail, &mut |_, _| {}).unwrap();
            }
            panic!("damage stays");
        })
    }

    /// The same from the database alone.
    fn real(&self) -> BTreeMap<i64, Vec<f32>> {
        let mut rows = Vec::new();
        let reader = self.lib.reader();
        let mut add = |_, photo, bytes: &[u8]| rows.push((photo, decode_vector(bytes).values));
        reader
            .embeddings_since(self.model, 0, usize::MAX >> 1, &mut add)
            .unwrap();
        let matrix = Matrix::in_memory(4, rows.iter().map(|(photo, row)| (*photo, &row[..])));
        let (seen, _) = scan_pieces(&[(&matrix).into()]);
        seen
    }

    fn pieces(&self) -> Vec<PathBuf> {
        let dir = self.with(|index| index.dir().to_path_buf());
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files
            .map(|f| f.path())
            .filter(|p| p.extension().is_some_and(|e| e == "mx"))
            .collect();
        files.sort();
        files
    }
}

fn scan_pieces(pieces: &[Piece<'_>]) -> (BTreeMap<i64, Vec<f32>>, usize) {
    let queries: [&[f32]; 2] = [&[1.0, 0.0, 0.0, 0.0], &[0.0, 1.0, 0.0, 0.0]];
    let scanned = Scan::new(&queries, 4)
        .unwrap()
        .all(
            pieces,
            &|_| true,
            &Vec::new,
            &|rows: &mut Vec<(i64, Vec<f32>)>, photo, scores| rows.push((photo, scores.to_vec())),
        )
        .unwrap();
    let rows: Vec<(i64, Vec<f32>)> = scanned.result.into_iter().flatten().collect();
    let seen: BTreeMap<i64, Vec<f32>> = rows.iter().cloned().collect();
    assert_eq!(seen.len(), rows.len(), "no photo is seen twice");
    (seen, usize::try_from(scanned.damaged).unwrap())
}

fn scan(vectors: &Vectors, index: &VectorIndex<'_>) -> (BTreeMap<i64, Vec<f32>>, usize) {
    let (mut all, mut damaged) = (BTreeMap::new(), 0);
    vectors
        .visit(index, &mut |pieces| -> Result<(), StoreError> {
            let (seen, bad) = scan_pieces(pieces);
            damaged += bad;
            all.extend(seen);
            Ok(())
        })
        .unwrap();
    (all, damaged)
}

#[test]
fn few_new_vectors_are_read_and_many_become_a_piece() {
    let mut space = Space::new();
    space.add(1..6);
    assert_eq!(space.seen(10).len(), 5);
    assert_eq!(space.pieces().len(), 0);
    space.add(6..20);
    let mut told = Vec::new();
    space.with(|index| {
        let vectors = index
            .open(10, &mut |done, of| told.push((done, of)))
            .unwrap();
        assert!(vectors.not_written().is_none());
        assert_eq!(vectors.most(), 19);
    });
    assert_eq!(told, [(19, 19)]);
    assert_eq!(space.seen(10), space.real());
    assert_eq!(space.pieces().len(), 1);
}

#[test]
fn a_photo_that_is_seen_again_counts_once_and_with_its_last_vector() {
    let mut space = Space::new();
    space.add(1..9);
    space.with(|index| index.write(&mut |_, _| {}).unwrap());
    let photo = space.lib.photo(3);
    let model = space.model;
    space.lib.sql(&format!(
        "DELETE FROM embeddings WHERE photo = {photo};
         INSERT INTO embeddings (photo, model, vector) VALUES ({photo}, {model}, x'003c003c003c003c')"
    ));
    let seen = space.seen(10);
    assert_eq!(seen, space.real());
    assert!((seen[&photo][0] - 0.5).abs() < 1e-3);
}

#[test]
fn damage_is_found_and_made_good() {
    let mut space = Space::new();
    space.add(1..40);
    space.with(|index| index.write(&mut |_, _| {}).unwrap());
    let piece = space.pieces().remove(0);
    let whole = std::fs::read(&piece).unwrap();
    // In the header, a row, an id, a sum; cut short; something else; nothing.
    for at in [
        0,
        9,
        20,
        60,
        130,
        4096,
        4096 + 64 * 20,
        whole.len() - 33,
        whole.len() - 1,
    ] {
        let mut bad = whole.clone();
        bad[at] ^= 0x40;
        std::fs::write(&piece, bad).unwrap();
        assert_eq!(space.seen(10), space.real(), "byte {at}");
        assert_eq!(space.pieces().len(), 1);
    }
    for bad in [&whole[..100], &whole[..5000], b"", b"not a matrix at all"] {
        std::fs::write(&piece, bad).unwrap();
        assert_eq!(space.seen(10), space.real());
    }
}

#[test]
fn a_piece_of_another_index_is_not_trusted() {
    let (mut ours, mut theirs) = (Space::new(), Space::new());
    ours.add(1..20);
    theirs.add(30..50);
    theirs.with(|index| index.write(&mut |_, _| {}).unwrap());
    let foreign = theirs.pieces().remove(0);
    let dir = ours.with(|index| index.dir().to_path_buf());
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(&foreign, dir.join(foreign.file_name().unwrap())).unwrap();
    assert_eq!(ours.seen(10), ours.real());
    // Nor one that is newer than the database, as after a backup was put in place.
    ours.lib.sql(
        "DELETE FROM embeddings WHERE seq > 12;
         UPDATE sqlite_sequence SET seq = 12 WHERE name = 'embeddings'",
    );
    assert_eq!(ours.seen(10), ours.real());
}

#[test]
fn without_a_place_to_write_all_vectors_are_scanned_from_the_database() {
    let mut space = Space::new();
    space.add(1..40);
    let dir = space.with(|index| index.dir().to_path_buf());
    std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
    std::fs::write(&dir, b"a file where the folder should be").unwrap();
    space.with(|index| {
        let vectors = index.open(10, &mut |_, _| {}).unwrap();
        assert!(matches!(vectors.not_written(), Some(NotWritten::Matrix(_))));
        assert_eq!(vectors.most(), 39);
        assert_eq!(scan(&vectors, index).0, space.real());
    });
    std::fs::remove_file(&dir).unwrap();
    // Another process writes: this one does not wait.
    std::fs::create_dir_all(&dir).unwrap();
    space.with(|index| {
        let _theirs = index.lock().unwrap();
        let vectors = index.open(10, &mut |_, _| {}).unwrap();
        assert!(matches!(vectors.not_written(), Some(NotWritten::Busy(_))));
        assert_eq!(scan(&vectors, index).0, space.real());
    });
}

fn piece_count(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, |files| {
        files
            .flatten()
            .filter(|f| f.path().extension().is_some_and(|e| e == "mx"))
            .count()
    })
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64),
    Drop(u64),
    Write,
    Open(usize),
    Spoil(prop::sample::Index, usize),
    Leave(u8),
}

#[test]
fn a_checked_piece_is_trusted_until_it_changes() {
    let mut space = Space::new();
    space.add(0..50);
    let checked = |index: &VectorIndex<'_>| {
        let vectors = index.open(0, &mut |_, _| {}).unwrap();
        let piece = &vectors.pieces()[0];
        (piece.is_checked(), piece.stamp().is_empty(), vectors)
    };
    space.with(|index| assert!(index.write(&mut |_, _| {}).unwrap().is_none()));
    // Nobody vouches for what was changed a moment ago.
    space.with(|index| {
        let (_, _, vectors) = checked(index);
        vectors.pieces()[0].verify(&AtomicBool::new(false)).unwrap();
        while checked(index).1 {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (known, _, vectors) = checked(index);
        assert!(!known);
        vectors.pieces()[0].verify(&AtomicBool::new(false)).unwrap();
        index.note_checked(&vectors);
        assert!(checked(index).0);
    });
    let piece = space.pieces().remove(0);
    let mut bytes = std::fs::read(&piece).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&piece, bytes).unwrap();
    space.with(|index| assert!(!checked(index).0));
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..30u64).prop_map(Step::Add),
        1 => (0..99u64).prop_map(Step::Drop),
        2 => Just(Step::Write),
        2 => (0..40usize).prop_map(Step::Open),
        1 => (any::<prop::sample::Index>(), 0..9000usize).prop_map(|(piece, at)| Step::Spoil(piece, at)),
        1 => any::<u8>().prop_map(Step::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is written, merged, spoilt or left by a writer that was killed: a scan sees what the
    /// database has.
    #[test]
    fn a_scan_sees_what_the_database_has(steps in prop::collection::vec(step(), 1..24)) {
        let mut space = Space::new();
        let mut next = 0;
        for step in &steps {
            match step {
                Step::Add(n) => {
                    space.add(next..next + n);
                    next += n;
                }
                Step::Drop(n) => {
                    space.lib.sql(&format!("DELETE FROM embeddings WHERE photo % 100 = {n}"));
                }
                Step::Write => space.with(|index| assert!(index.write(&mut |_, _| {}).unwrap().is_none())),
                Step::Open(tail) => space.with(|index| {
                    index.open(*tail, &mut |_, _| {}).unwrap();
                }),
                Step::Spoil(piece, at) => {
                    let pieces = space.pieces();
                    if !pieces.is_empty() {
                        let path = piece.get(&pieces);
                        let mut bytes = std::fs::read(path).unwrap();
                        let at = at % bytes.len();
                        bytes[at] ^= 0x10;
                        std::fs::write(path, bytes).unwrap();
                    }
                }
                Step::Leave(n) => {
                    let dir = space.with(|index| index.dir().to_path_buf());
                    std::fs::create_dir_all(&dir).unwrap();
                    let name = format!("{:016x}-{:016x}.mx", n % 7, n);
                    std::fs::write(dir.join(name), b"half of something").unwrap();
                }
            }
            let real = space.real();
            let mut seen = space.seen(8);
            // Of a photo that has lost its vector, a piece may still have it; a query shows no place of it.
            seen.retain(|photo, _| real.contains_key(photo));
            prop_assert_eq!(&seen, &real, "after {:?}", step);
            let dir = space.with(|index| index.dir().to_path_buf());
            prop_assert!(piece_count(&dir) <= 12);
        }
    }
}
