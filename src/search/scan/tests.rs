//! The scan against a plain sum in f64, over rows that lie in the file, in memory and in neither.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::embedding::ModelId;
use crate::store::{VectorFile, VectorFileError};

const DIMS: usize = 37;

/// Vectors by sequence number.
#[derive(Clone, Default)]
struct Table {
    rows: BTreeMap<i64, (i64, Vec<f32>)>,
}

impl Table {
    /// As f16 in the database, so that what is compared is what was stored.
    fn put(&mut self, photo: i64, vector: &[f32]) {
        let seq = self.rows.keys().next_back().map_or(1, |s| s + 1);
        self.rows.retain(|_, (p, _)| *p != photo);
        let stored = vector.iter().map(|v| f16::from_f32(*v).to_f32()).collect();
        self.rows.insert(seq, (photo, stored));
    }

    fn random(photos: i64, seed: u64) -> Self {
        let mut table = Self::default();
        let mut random = Random(seed);
        for photo in 1..=photos {
            table.put(photo, &random.vector());
        }
        table
    }

    /// Photo and cosine in f64, best first.
    fn reference(&self, query: &[f32], allowed: impl Fn(i64) -> bool) -> Vec<(i64, f64)> {
        let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let mut all: Vec<_> = self
            .rows
            .values()
            .filter(|(photo, _)| allowed(*photo))
            .map(|(photo, v)| {
                let dot: f64 = v
                    .iter()
                    .zip(query)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                (*photo, dot / norm(v) / norm(query))
            })
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}

impl VectorSource for Table {
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError> {
        for (seq, (photo, vector)) in self.rows.range(after + 1..).take(limit) {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect();
            visit(*seq, *photo, &bytes);
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<i64, StoreError> {
        Ok(self.rows.keys().next_back().copied().unwrap_or(0))
    }

    fn live(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows.len() as u64)
    }
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn vector(&mut self) -> Vec<f32> {
        (0..DIMS)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }
}

/// Part of the table in the file, part in memory, and, if `behind`, part in neither.
fn vectors(dir: &std::path::Path, table: &mut Table, in_file: usize, behind: bool) -> Vectors {
    let file = VectorFile::new(dir, [1; 16], &ModelId("m@1".to_owned()), DIMS);
    let mut first = Table {
        rows: table
            .rows
            .iter()
            .take(in_file)
            .map(|(s, r)| (*s, r.clone()))
            .collect(),
    };
    assert!(file.write(&mut first).unwrap().is_none());
    if !behind {
        return file.refresh(table, usize::MAX).unwrap();
    }
    let lock = std::fs::File::open(format!("{}.lock", file.path().display())).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let vectors = file.refresh(table, 7).unwrap();
    if !vectors.is_resident() {
        assert!(matches!(
            vectors.not_written(),
            Some(VectorFileError::Busy { .. })
        ));
    }
    vectors
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn finds_what_a_plain_sum_in_f64_finds(
        photos in 1..400i64,
        share in 0.0..=1.0f64,
        seed in 1..u64::MAX,
        k in 1..60usize,
        behind: bool,
        threads in 1..5usize,
        every_allowed in prop::option::of(1..20i64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut table = Table::random(photos, seed);
        // A few come again, some of them in the part that the file has.
        let mut random = Random(seed ^ 0x5555);
        for photo in (1..=photos).step_by(11) {
            table.put(photo, &random.vector());
        }
        let query = random.vector();
        let vectors = vectors(dir.path(), &mut table, (photos as f64 * share) as usize, behind);
        let allowed = every_allowed.map_or(Allowed::All, |n| {
            Allowed::these((1..=photos).filter(|p| p % n == 0).collect())
        });
        let reference = table.reference(&query, |p| every_allowed.is_none_or(|n| p % n == 0));

        let scan = Scan::new(&[&query], DIMS).unwrap().with_threads(threads);
        let found = scan.best(&vectors, &mut table, &allowed, k).unwrap();
        prop_assert_eq!(found.photos, reference.len() as u64);
        prop_assert_eq!(found.damaged, 0);
        let best = &found.result[0];
        prop_assert_eq!(best.len(), k.min(reference.len()));
        // Each place has the score that belongs there, and each photo its own score.
        let own: BTreeMap<i64, f64> = reference.iter().copied().collect();
        for (scored, (_, score)) in best.iter().zip(&reference) {
            prop_assert!((f64::from(scored.score) - score).abs() < 1e-3);
            prop_assert!((f64::from(scored.score) - own[&scored.photo]).abs() < 1e-3);
        }
        prop_assert!(best.windows(2).all(|w| w[0] < w[1]), "best first, each once");

        // All scores say the same, for any number of threads.
        let all = scan.scores(&vectors, &mut table, &allowed).unwrap().result;
        prop_assert!(all.windows(2).all(|w| w[0].photo < w[1].photo));
        let mut sorted = all.clone();
        sorted.sort();
        sorted.truncate(k);
        prop_assert_eq!(&sorted, best);
        let alone = Scan::new(&[&query], DIMS).unwrap().with_threads(1);
        prop_assert_eq!(&alone.best(&vectors, &mut table, &allowed, k).unwrap().result[0], best);
        prop_assert_eq!(
            alone.spread(&vectors, &mut table, &allowed).unwrap(),
            scan.spread(&vectors, &mut table, &allowed).unwrap()
        );
    }
}

#[test]
fn threads_share_a_large_scan_and_agree() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::random(30_000, 99);
    let held = vectors(dir.path(), &mut table, 25_000, false);
    let queries: Vec<Vec<f32>> = (0..5).map(|i| Random(i + 77).vector()).collect();
    let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let with = |threads| {
        let scan = Scan::new(&queries, DIMS).unwrap().with_threads(threads);
        let best = scan.best(&held, &mut table.clone(), &Allowed::All, 100);
        let spread = scan.spread(&held, &mut table.clone(), &Allowed::All);
        (best.unwrap(), spread.unwrap())
    };
    let (best, spread) = with(1);
    for threads in [2, 3, 16] {
        assert_eq!(with(threads), (best.clone(), spread.clone()));
    }
    assert_eq!(best.photos, 30_000);
    for ((best, spread), query) in best.result.iter().zip(&spread.result).zip(&queries) {
        let reference = table.reference(query, |_| true);
        assert!((f64::from(best[0].score) - reference[0].1).abs() < 1e-3);
        assert_eq!(spread.highest, best[0].score);
        let n = reference.len() as f64;
        let mean = reference.iter().map(|r| r.1).sum::<f64>() / n;
        let variance = reference.iter().map(|r| (r.1 - mean).powi(2)).sum::<f64>() / n;
        assert!((spread.mean - mean).abs() < 1e-4, "{spread:?}, mean {mean}");
        assert!((spread.deviation - variance.sqrt()).abs() < 1e-4);
    }
}

#[test]
fn equal_scores_come_by_photo() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    let vector = Random(5).vector();
    for photo in [30, 10, 50, 20, 40] {
        table.put(photo, &vector);
    }
    for in_file in 0..=5 {
        let held = vectors(dir.path(), &mut table, in_file, false);
        let found = Scan::new(&[&vector], DIMS)
            .unwrap()
            .best(&held, &mut table, &Allowed::All, 3)
            .unwrap();
        let photos: Vec<i64> = found.result[0].iter().map(|s| s.photo).collect();
        assert_eq!(photos, [10, 20, 30]);
        assert!((found.result[0][0].score - 1.0).abs() < 1e-3);
    }
}

#[test]
fn a_sample_is_the_same_wherever_the_rows_lie() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::random(5000, 3);
    let query = Random(8).vector();
    let mut first = None;
    for in_file in [0, 1234, 5000] {
        let held = vectors(dir.path(), &mut table, in_file, false);
        let scan = Scan::new(&[&query], DIMS).unwrap().sampled(10);
        let photos = scan
            .scores(&held, &mut table, &Allowed::All)
            .unwrap()
            .result;
        assert!((400..600).contains(&photos.len()), "{}", photos.len());
        assert_eq!(first.get_or_insert(photos.clone()), &photos);
    }
}

#[test]
fn a_photo_is_not_set_against_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::random(30, 4);
    let held = vectors(dir.path(), &mut table, 20, false);
    let queries: Vec<(i64, Vec<f32>)> = table.rows.values().take(3).cloned().collect();
    let vectors: Vec<&[f32]> = queries.iter().map(|(_, v)| v.as_slice()).collect();
    let scan = Scan::new(&vectors, DIMS).unwrap();
    let with = scan.spread(&held, &mut table, &Allowed::All).unwrap();
    assert!(
        with.result
            .iter()
            .all(|s| s.photos == 30 && s.highest > 0.99)
    );
    let own = queries.iter().map(|(photo, _)| *photo).collect();
    let scan = scan.of_photos(own);
    let without = scan.spread(&held, &mut table, &Allowed::All).unwrap();
    assert!(
        without
            .result
            .iter()
            .all(|s| s.photos == 29 && s.highest < 0.99)
    );
}

#[test]
fn damaged_rows_are_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::random(50, 12);
    drop(vectors(dir.path(), &mut table, 50, false));
    let file = VectorFile::new(dir.path(), [1; 16], &ModelId("m@1".to_owned()), DIMS);
    let mut bytes = std::fs::read(file.path()).unwrap();
    let stride = (bytes.len() - 4096) / 50;
    // Row 3 has a NaN, row 5 values far too large.
    bytes[4096 + 3 * stride..][..2].copy_from_slice(&f16::NAN.to_ne_bytes());
    for value in bytes[4096 + 5 * stride..][..DIMS * 2].chunks_exact_mut(2) {
        value.copy_from_slice(&f16::from_f32(3e4).to_ne_bytes());
    }
    std::fs::write(file.path(), bytes).unwrap();
    let held = file.refresh(&mut table, 10).unwrap();
    let query = Random(8).vector();
    let scan = Scan::new(&[&query], DIMS).unwrap();
    let found = scan.scores(&held, &mut table, &Allowed::All).unwrap();
    assert_eq!((found.photos, found.damaged), (48, 2));
    assert!(found.result.iter().all(|s| s.photo != 4 && s.photo != 6));
}

#[test]
fn queries_of_another_space_or_none_are_refused() {
    for bad in [
        vec![0.0; DIMS],
        vec![f32::NAN; DIMS],
        vec![f32::INFINITY; DIMS],
    ] {
        assert!(matches!(
            Scan::new(&[&bad], DIMS),
            Err(ScanError::NoDirection)
        ));
    }
    assert!(matches!(
        Scan::new(&[&[1.0, 2.0]], DIMS),
        Err(ScanError::Dims {
            expected: DIMS,
            found: 2
        })
    ));
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table::random(3, 1);
    let held = vectors(dir.path(), &mut table, 3, false);
    let scan = Scan::new(&[&[1.0, 2.0]], 2).unwrap();
    assert!(matches!(
        scan.best(&held, &mut table, &Allowed::All, 1),
        Err(ScanError::Dims { expected: DIMS, .. })
    ));
    // From tiny to huge, the direction is what counts.
    let query = Random(8).vector();
    let ranking = |scale: f32| {
        let scaled: Vec<f32> = query.iter().map(|v| v * scale).collect();
        let scan = Scan::new(&[&scaled], DIMS).unwrap();
        scan.best(&held, &mut table.clone(), &Allowed::All, 3)
            .unwrap()
            .result
    };
    assert_eq!(ranking(1.0), ranking(2f32.powi(90)));
    assert_eq!(ranking(1.0), ranking(2f32.powi(-90)));
}
