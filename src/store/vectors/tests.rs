//! The file under appends, reopens, crashes and damage, against a plain table in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use half::f16;
use proptest::prelude::*;

use super::header::{HEADER, USED};
use super::*;

const DIMS: usize = 5;
const IDENTITY: [u8; 16] = [3; 16];

/// What a database would be: photo → (sequence number, vector).
#[derive(Clone, Default)]
struct Table {
    rows: BTreeMap<i64, (i64, Vec<u8>)>,
    seq: i64,
    /// Times that vectors were asked for.
    asked: usize,
}

impl Table {
    fn put(&mut self, photo: i64, salt: u16) {
        self.seq += 1;
        // Distinct for each photo and salt, never zero.
        let values = [1.0, f32::from(salt), photo as f32 / 7.0, 0.5, -2.0];
        let bytes = values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect();
        self.rows.insert(photo, (self.seq, bytes));
    }

    fn filled(photos: std::ops::RangeInclusive<i64>) -> Self {
        let mut table = Self::default();
        photos.for_each(|photo| table.put(photo, 1));
        table
    }

    /// What every reader must get.
    fn expected(&self) -> BTreeMap<i64, Vec<f16>> {
        self.rows
            .iter()
            .map(|(photo, (_, bytes))| {
                let mut buffer = RowBuffer::new(DIMS, 64);
                assert!(buffer.push(*photo, bytes));
                (*photo, buffer.rows(&[]).vector(0).to_vec())
            })
            .collect()
    }
}

impl VectorSource for Table {
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError> {
        self.asked += 1;
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, (seq, _))| *seq > after)
            .collect();
        rows.sort_by_key(|(_, (seq, _))| *seq);
        for (photo, (seq, bytes)) in rows.into_iter().take(limit) {
            visit(*seq, *photo, bytes);
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<i64, StoreError> {
        Ok(self.seq)
    }

    fn live(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows.len() as u64)
    }
}

fn file(dir: &Path) -> VectorFile {
    VectorFile::new(dir, IDENTITY, &ModelId("a/model@1".to_owned()), DIMS)
}

fn all(vectors: &Vectors, table: &mut Table) -> BTreeMap<i64, Vec<f16>> {
    let mut found = BTreeMap::new();
    vectors
        .visit(table, &mut |rows| {
            for row in 0..rows.len() {
                if let Some(photo) = rows.photo(row) {
                    let twice = found.insert(photo, rows.vector(row).to_vec());
                    assert!(twice.is_none(), "photo {photo} twice");
                }
            }
        })
        .unwrap();
    found
}

/// Reads with a tail of this size and compares.
fn agrees(file: &VectorFile, table: &mut Table, tail_limit: usize) -> Vectors {
    let vectors = file.refresh(table, tail_limit).unwrap();
    let expected = table.expected();
    let found = all(&vectors, table);
    // Dropped photos may still be in the file: whoever shows photos looks them up.
    let known: BTreeMap<_, _> = found
        .into_iter()
        .filter(|(photo, _)| expected.contains_key(photo))
        .collect();
    assert_eq!(known, expected);
    vectors
}

#[test]
fn a_few_new_rows_stay_in_memory_and_many_go_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let mut table = Table::filled(1..=10);
    agrees(&file, &mut table, 10);
    assert!(!file.path().exists(), "not worth a file");
    table.put(11, 1);
    let vectors = agrees(&file, &mut table, 10);
    assert!(vectors.is_resident() && vectors.not_written().is_none());
    assert_eq!(vectors.mapped.unwrap().progress().count, 11);
    let size = fs::metadata(file.path()).unwrap().len();
    assert_eq!(size, (HEADER + 11 * 64) as u64);
    table.put(12, 1);
    agrees(&file, &mut table, 10);
    assert_eq!(fs::metadata(file.path()).unwrap().len(), size);
    assert!(file.write(&mut table).unwrap().is_none());
    assert_eq!(fs::metadata(file.path()).unwrap().len(), size + 64);
    table.asked = 0;
    let vectors = agrees(&file, &mut table, 10);
    assert_eq!(vectors.tail.len(), 0);
    assert_eq!(table.asked, 0, "a file that is up to date is enough");
}

#[test]
fn a_reader_of_before_keeps_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let mut table = Table::filled(1..=40);
    let before = agrees(&file, &mut table, 0);
    let old = table.expected();
    // Appended with one superseded, then replaced by a smaller one.
    table.put(7, 9);
    assert!(file.write(&mut table).unwrap().is_none());
    assert_eq!(all(&before, &mut table), old);
    agrees(&file, &mut table, 0);
    table.rows.retain(|photo, _| *photo == 7);
    assert!(file.write(&mut table).unwrap().is_none());
    assert_eq!(
        fs::metadata(file.path()).unwrap().len(),
        (HEADER + 64) as u64,
        "compacted"
    );
    assert_eq!(all(&before, &mut table), old);
    agrees(&file, &mut table, 0);
}

#[test]
fn who_cannot_write_reads_from_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let mut table = Table::filled(1..=30);
    agrees(&file, &mut table, 0);
    for photo in 20..=300 {
        table.put(photo, 2);
    }
    let writer = Writer::take(&file.path, &file.owner).ok().unwrap();
    let vectors = agrees(&file, &mut table, 100);
    assert!(matches!(
        vectors.not_written(),
        Some(VectorFileError::Busy { .. })
    ));
    assert!(!vectors.is_resident());
    assert_eq!(vectors.tail.len(), 100, "no more than allowed");
    drop(writer);
    assert!(agrees(&file, &mut table, 100).is_resident());
    // A directory that cannot be made.
    let blocked = dir.path().join("blocked");
    fs::write(&blocked, b"a file").unwrap();
    let vectors = agrees(&self::file(&blocked), &mut table, 3);
    assert!(matches!(
        vectors.not_written(),
        Some(VectorFileError::Io { .. })
    ));
}

#[test]
fn a_full_disk_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let mut table = Table::filled(1..=30);
    agrees(&file, &mut table, 0);
    let before = fs::read(file.path()).unwrap();
    let writer = Writer::take(&file.path, &file.owner).ok().unwrap();
    // The place of the temporary file is taken by what cannot be opened for writing; /dev/full
    // answers each write with ENOSPC.
    let mut temporary = file.path().as_os_str().to_owned();
    temporary.push(".new");
    std::os::unix::fs::symlink("/dev/full", &temporary).unwrap();
    table.rows.retain(|photo, _| *photo > 20);
    let Err(Trouble::File(VectorFileError::Io { source, .. })) =
        writer.bring_up_to_date(&mut table)
    else {
        panic!("a write to a full disk went well");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(fs::read(file.path()).unwrap(), before);
    assert!(!Path::new(&temporary).is_symlink(), "swept");
    drop(writer);
    agrees(&file, &mut table, 0);
}

#[test]
fn files_of_others_are_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let mine = file(dir.path());
    let mut table = Table::filled(1..=30);
    agrees(&mine, &mut table, 0);
    let other = VectorFile {
        owner: Owner {
            identity: [4; 16],
            ..mine.owner
        },
        ..mine.clone()
    };
    let mut theirs = Table::filled(100..=120);
    agrees(&other, &mut theirs, 0);
    agrees(&mine, &mut table, 0);
    // A database put back to an earlier state.
    let mut earlier = Table::filled(1..=3);
    let vectors = agrees(&mine, &mut earlier, 50);
    assert_eq!(vectors.most(), 3);
    agrees(&mine, &mut earlier, 0);
}

#[test]
fn names_differ_where_models_do() {
    let of = |name: &str| {
        VectorFile::new(Path::new("/d"), IDENTITY, &ModelId(name.to_owned()), 1)
            .path()
            .to_path_buf()
    };
    assert_ne!(of("a@1"), of("a/1"));
    assert_eq!(of("a@1").parent(), Some(Path::new("/d/vectors")));
    let long = of(&"ü/../".repeat(200));
    assert_eq!(long.parent(), Some(Path::new("/d/vectors")));
    assert!(long.file_name().unwrap().len() < 200);
}

#[test]
fn every_cut_and_every_flipped_header_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let mut table = Table::filled(1..=8);
    agrees(&file, &mut table, 0);
    let good = fs::read(file.path()).unwrap();
    for cut in (0..USED).chain((USED..good.len()).step_by(61)) {
        fs::write(file.path(), &good[..cut]).unwrap();
        let vectors = agrees(&file, &mut table, 100);
        assert!(vectors.mapped.is_none(), "cut to {cut} and trusted");
    }
    for at in 0..USED {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        fs::write(file.path(), &bad).unwrap();
        let vectors = agrees(&file, &mut table, 100);
        assert!(vectors.mapped.is_none(), "byte {at} changed and trusted");
    }
    agrees(&file, &mut table, 0);
    assert_eq!(fs::read(file.path()).unwrap(), good, "healed");
}

#[derive(Debug, Clone)]
enum Step {
    Put(i64, u16),
    Forget(i64),
    /// Read with this tail limit.
    Read(usize),
    Write,
    /// The append stopped after this many bytes: rows and marks may be there, the header is old.
    Crash(usize),
    /// The database is put back to an earlier state, the file is not.
    Earlier,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let photo = 1..60i64;
    prop::collection::vec(
        prop_oneof![
            8 => (photo.clone(), 0..9u16).prop_map(|(p, s)| Step::Put(p, s)),
            2 => photo.prop_map(Step::Forget),
            3 => (0..20usize).prop_map(Step::Read),
            2 => Just(Step::Write),
            1 => (0..2000usize).prop_map(Step::Crash),
        ],
        1..80,
    )
    .prop_flat_map(|steps| {
        let n = steps.len();
        (Just(steps), prop::option::weighted(0.1, 0..n))
    })
    .prop_map(|(mut steps, earlier)| {
        if let Some(at) = earlier {
            steps.insert(at, Step::Earlier);
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn file_and_tail_are_always_the_database(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        let mut table = Table::default();
        for step in steps {
            match step {
                Step::Put(photo, salt) => table.put(photo, salt),
                Step::Forget(photo) => {
                    table.rows.remove(&photo);
                }
                Step::Read(limit) => {
                    agrees(&file, &mut table, limit);
                }
                Step::Write => {
                    prop_assert!(file.write(&mut table).unwrap().is_none());
                }
                Step::Crash(kept) => {
                    let Ok(before) = fs::read(file.path()) else { continue };
                    let inode = |f: &VectorFile| fs::metadata(f.path()).unwrap().ino();
                    let first = inode(&file);
                    file.write(&mut table).unwrap();
                    let after = fs::read(file.path()).unwrap();
                    // Everything but the header, as far as it got. (A file made anew comes whole
                    // or not at all.)
                    if inode(&file) == first {
                        let end = after.len().min(before.len() + kept);
                        let torn = [&before[..HEADER], &after[HEADER..end]].concat();
                        fs::write(file.path(), torn).unwrap();
                    }
                }
                Step::Earlier => {
                    table.rows.retain(|_, (seq, _)| *seq < 4);
                    table.seq = table.seq.min(3);
                    agrees(&file, &mut table, 0);
                }
            }
        }
        agrees(&file, &mut table, 4);
        agrees(&file, &mut table, 0);
    }

    #[test]
    fn damage_anywhere_never_panics(
        at in 0..HEADER + 20 * 64,
        flip in 1..=255u8,
        cut in prop::option::of(0..HEADER + 20 * 64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        let mut table = Table::filled(1..=20);
        agrees(&file, &mut table, 0);
        let mut bytes = fs::read(file.path()).unwrap();
        bytes[at] ^= flip;
        bytes.truncate(cut.unwrap_or(bytes.len()));
        fs::write(file.path(), &bytes).unwrap();
        let vectors = file.refresh(&mut table, 5).unwrap();
        let mut rows = 0;
        vectors.visit(&mut table, &mut |r| rows += (0..r.len()).filter_map(|i| r.photo(i)).count()).unwrap();
        // A flipped row may be another photo's or look superseded; no row is made up.
        prop_assert!((19..=20).contains(&rows));
        if bytes.len() < HEADER + 20 * 64 || at < USED {
            agrees(&file, &mut table, 5);
        }
    }
}
