//! Which photos a verification looks at: all, a part, or a number of them, drawn anew each time.
//!
//! A photo's lot is a hash of its place with a seed: whoever goes on with a verification draws the
//! same ones, without a list of them anywhere.

use std::collections::BinaryHeap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::photo::RelPath;

/// How many photos were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleSize {
    /// Every one.
    All,
    /// This part of them, 0 to 1.
    Part(f64),
    /// So many.
    Number(u64),
}

impl Eq for SampleSize {}

impl FromStr for SampleSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim().parse::<f64>() {
                Ok(p) if p > 0.0 && p <= 100.0 => Ok(Self::Part(p / 100.0)),
                _ => Err("a percentage is more than 0 % and at most 100 %".to_owned()),
            };
        }
        match text.parse::<u64>() {
            Ok(n) if n > 0 => Ok(Self::Number(n)),
            _ => Err("say how many photos (500), or which part of them (5%)".to_owned()),
        }
    }
}

/// Which photos are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// What was asked for.
    pub size: SampleSize,
    /// What the lots are drawn with.
    pub seed: u64,
    /// The highest lot that is taken.
    pub(super) highest: u64,
}

impl Sample {
    /// For a number, every lot has to be drawn once to know where to stop.
    pub(super) fn draw<E>(
        size: SampleSize,
        seed: u64,
        each: impl FnOnce(&mut dyn FnMut(i64, &RelPath)) -> Result<(), E>,
    ) -> Result<(Self, u64), E> {
        let mut all = 0_u64;
        let mut taken = 0_u64;
        let mut lowest = BinaryHeap::new();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let mut highest = match size {
            SampleSize::Part(part) if part < 1.0 => (part * u64::MAX as f64) as u64,
            SampleSize::All | SampleSize::Part(_) | SampleSize::Number(_) => u64::MAX,
        };
        each(&mut |root, path| {
            all += 1;
            let lot = lot(seed, root, path);
            taken += u64::from(lot <= highest);
            if let SampleSize::Number(n) = size {
                lowest.push(lot);
                if lowest.len() as u64 > n {
                    lowest.pop();
                }
            }
        })?;
        if let SampleSize::Number(n) = size {
            taken = all.min(n);
            if all > n {
                highest = lowest.peek().copied().unwrap_or(0);
            }
        }
        let sample = Self {
            size,
            seed,
            highest,
        };
        Ok((sample, taken))
    }

    pub(super) fn takes(&self, root: i64, path: &RelPath) -> bool {
        self.highest == u64::MAX || lot(self.seed, root, path) <= self.highest
    }
}

fn lot(seed: u64, root: i64, path: &RelPath) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&root.to_le_bytes());
    hasher.update(path.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(size: SampleSize, seed: u64, of: usize) -> (u64, Vec<usize>) {
        let paths: Vec<RelPath> = (0..of)
            .map(|n| RelPath::from_bytes(format!("{n}.jpg")))
            .collect();
        let (sample, planned) = Sample::draw::<()>(size, seed, |each| {
            paths.iter().for_each(|path| each(1, path));
            Ok(())
        })
        .unwrap();
        let taken = (0..of).filter(|n| sample.takes(1, &paths[*n])).collect();
        (planned, taken)
    }

    #[test]
    fn a_number_is_that_number_and_a_part_about_that_part() {
        for (size, least, most) in [
            (SampleSize::All, 2000, 2000),
            (SampleSize::Number(10), 10, 10),
            (SampleSize::Number(3000), 2000, 2000),
            (SampleSize::Part(1.0), 2000, 2000),
            (SampleSize::Part(0.05), 60, 140),
        ] {
            let (planned, taken) = drawn(size, 7, 2000);
            assert!(
                (least..=most).contains(&taken.len()),
                "{size:?}: {}",
                taken.len()
            );
            assert_eq!(planned, taken.len() as u64, "{size:?}");
        }
    }

    #[test]
    fn another_seed_draws_others_and_the_same_the_same() {
        let ten = SampleSize::Number(10);
        assert_eq!(drawn(ten, 1, 500), drawn(ten, 1, 500));
        assert_ne!(drawn(ten, 1, 500).1, drawn(ten, 2, 500).1);
    }

    #[test]
    fn what_is_asked_for_is_read() {
        assert_eq!("5%".parse(), Ok(SampleSize::Part(0.05)));
        assert_eq!("500".parse(), Ok(SampleSize::Number(500)));
        for wrong in ["0", "0%", "101%", "-1", "x", "", "5 percent"] {
            assert!(wrong.parse::<SampleSize>().is_err(), "{wrong}");
        }
    }
}
