//! Vectors that lie as text vectors do: around a common middle, in topics, families and
//! near-synonyms. Independent random ones would be nearly orthogonal, and the best of them far apart.

use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayView2;
use photond::tag::{BankIdentity, BankWriter, TermBank};

pub const ROWS: usize = 68_000;
pub const DIMS: usize = 768;
/// Tags of a photo.
pub const K: usize = 15;
/// Rows appended at once.
pub const CHUNK: usize = 5000;
/// Rows of the pool that every photo is scored against.
const ACTIVE: usize = 2000;

/// Weights of the common middle, topic (of 300), family (of 6,000) and the term's own direction.
const SHARES: [f32; 4] = [0.75, 0.4, 0.35, 0.4];

fn noise(kind: u64, number: usize) -> Vec<f32> {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (kind << 56);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    // Sums of four are near enough to normal; of length about one.
    let scale = (DIMS as f32 * 4.0 / 3.0).sqrt().recip();
    (0..DIMS)
        .map(|_| (next() + next() + next() + next()) * scale)
        .collect()
}

fn sum(parts: &[(f32, &[f32])]) -> Vec<f32> {
    let mut sum = vec![0.0; DIMS];
    for (weight, part) in parts {
        sum.iter_mut()
            .zip(*part)
            .for_each(|(sum, v)| *sum += weight * v);
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    sum.iter_mut().for_each(|v| *v /= length);
    sum
}

/// A full bank in a file, and the same rows in f32.
pub struct Full {
    pub bank: Arc<TermBank>,
    pub floats: Vec<f32>,
    _dir: tempfile::TempDir,
}

impl Full {
    pub fn make() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let floats = rows();
        let (_, bank) = write(&dir.path().join("full.bank"), &floats);
        Self {
            bank,
            floats,
            _dir: dir,
        }
    }

    pub fn matrix(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape((ROWS, DIMS), &self.floats).expect("whole rows")
    }

    /// Pictures of three terms each, far from all texts as pictures are.
    pub fn photos(&self, count: usize) -> Vec<Vec<f32>> {
        let gap = noise(7, 0);
        let row = |at: usize| &self.floats[at * DIMS..(at + 1) * DIMS];
        (0..count)
            .map(|photo| {
                let term = |n: usize| row((photo * 7919 + n * 20_011) % ROWS);
                let own = noise(8, photo);
                let parts = [
                    (0.8, &gap[..]),
                    (0.25, term(0)),
                    (0.15, term(1)),
                    (0.1, term(2)),
                    (0.4, &own[..]),
                ];
                sum(&parts)
            })
            .collect()
    }

    /// Every 34th row, as a pool is: scattered, in ascending order.
    pub fn active(&self) -> Vec<u32> {
        (0..ACTIVE as u32)
            .map(|at| at * (ROWS / ACTIVE) as u32 + at % 7)
            .collect()
    }
}

/// All rows in f32, each of length one.
fn rows() -> Vec<f32> {
    let middle = noise(1, 0);
    let topics: Vec<Vec<f32>> = (0..300).map(|n| noise(2, n)).collect();
    let families: Vec<Vec<f32>> = (0..6000).map(|n| noise(3, n)).collect();
    let [common, topic, family, own] = SHARES;
    (0..ROWS)
        .flat_map(|row| {
            // Neighbours in the bank are of different families, as in order of frequency.
            let in_family = row % families.len();
            sum(&[
                (common, &middle),
                (topic, &topics[in_family % topics.len()]),
                (family, &families[in_family]),
                (own, &noise(4, row)),
            ])
        })
        .collect()
}

pub fn identity() -> BankIdentity {
    BankIdentity {
        model: "bench@1".to_owned(),
        texts: "a photo of {}".to_owned(),
        vocabulary: "bench".to_owned(),
        tokenizer: "bench".to_owned(),
        dims: DIMS,
        rows: ROWS,
    }
}

/// Writes them in chunks.
pub fn write(path: &Path, floats: &[f32]) -> (BankWriter, Arc<TermBank>) {
    let (mut writer, bank, _) = BankWriter::open(path, &identity()).expect("it opens");
    for chunk in floats.chunks(CHUNK * DIMS) {
        writer.append(chunk).expect("it writes");
    }
    (writer, bank)
}
