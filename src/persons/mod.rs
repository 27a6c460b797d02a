//! Floor 1: whose face it is, told by vectors alone.
//!
//! A *look* is a cluster of faces that resemble each other; a person has one or several (with a beard and
//! without, as a child and grown up). A face joins the look whose mean is nearest, if that is near enough; two
//! that belong to no look and are near each other make a new one; any other stays *loose* until one comes
//! that it resembles. Two faces of one photo are never one person's.
//!
//! Promises: what was put into a look stays there until somebody takes it out, so that more photos never
//! rename or renumber anybody; the same faces in the same order give the same looks. Never: a file, a
//! database, or what a person said; whoever calls knows that, and leaves out what may not be.
//!
//! Cost: a face is compared with every look and the newest [`MOST_LOOSE`] loose faces: 14 ms with 20,000 looks
//! and all of these, on one core. Memory: 1 KB a look, 256 bytes a loose face.

mod divide;

use std::collections::{BTreeMap, HashSet};

use simsimd::{SpatialSimilarity, f16};

use crate::faces::DIMS;

pub(crate) use divide::divide;

/// Loose faces that a new one is compared with: those of strangers pile up for ever. 64 MB.
pub(crate) const MOST_LOOSE: usize = 250_000;

/// Where a face belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Belongs {
    /// To a look, so far from its mean.
    Look(i64, f32),
    /// With a loose face, so far from it: they are a new look.
    With(i64, f32),
    /// Nowhere yet.
    Nowhere,
}

impl Belongs {
    /// How far it is from what it belongs to.
    pub fn distance(self) -> f32 {
        match self {
            Self::Look(_, distance) | Self::With(_, distance) => distance,
            Self::Nowhere => f32::INFINITY,
        }
    }
}

struct Mean {
    sum: Vec<f32>,
    faces: f32,
    mean: Vec<f32>,
}

/// All looks and loose faces, by their numbers. A copy of what the index says, made from it.
pub(crate) struct Looks {
    /// The square of the distance up to which two faces are one person's.
    limit: f64,
    means: BTreeMap<i64, Mean>,
    loose: BTreeMap<i64, Box<[f16]>>,
}

impl Looks {
    /// None yet. `same`: so far two faces of one person may be apart.
    pub fn new(same: f32) -> Self {
        Self {
            limit: f64::from(same) * f64::from(same),
            means: BTreeMap::new(),
            loose: BTreeMap::new(),
        }
    }

    /// Puts a face into a look, which is new if nobody was in it.
    pub fn join(&mut self, look: i64, vector: &[f32]) {
        let mean = self.means.entry(look).or_insert_with(|| Mean {
            sum: vec![0.0; DIMS],
            faces: 0.0,
            mean: vec![0.0; DIMS],
        });
        mean.faces += 1.0;
        let each = mean.sum.iter_mut().zip(&mut mean.mean).zip(vector);
        each.for_each(|((sum, mean_of), value)| {
            *sum += value;
            *mean_of = *sum / mean.faces;
        });
    }

    /// How many faces a look has.
    pub fn faces_of(&self, look: i64) -> u32 {
        self.means.get(&look).map_or(0, |mean| mean.faces as u32)
    }

    /// Keeps a face that belongs to nobody. Where there are too many the oldest goes.
    pub fn keep_loose(&mut self, face: i64, vector: &[f32]) {
        self.loose.insert(face, halves(vector).into());
        if self.loose.len() > MOST_LOOSE {
            self.loose.pop_first();
        }
    }

    /// Whether a face belongs to nobody, as far as is remembered.
    pub fn is_loose(&self, face: i64) -> bool {
        self.loose.contains_key(&face)
    }

    /// Takes a loose face out; its vector.
    pub fn take_loose(&mut self, face: i64) -> Option<Vec<f32>> {
        let halves = self.loose.remove(&face)?;
        let floats = halves.iter().map(|v| half::f16::from_bits(v.0).to_f32());
        Some(floats.collect())
    }

    /// Where a face belongs, without some looks and loose faces. Of two as near the one that was first.
    pub fn belongs(
        &self,
        vector: &[f32],
        not_looks: &HashSet<i64>,
        not_loose: &HashSet<i64>,
    ) -> Belongs {
        let means = self.means.iter().filter(|(id, _)| !not_looks.contains(id));
        let apart = means.map(|(id, mean)| (*id, f32::l2sq(&mean.mean, vector)));
        if let Some((id, apart)) = self.nearest(apart) {
            return Belongs::Look(id, apart);
        }
        let vector = halves(vector);
        let loose = self.loose.iter().filter(|(id, _)| !not_loose.contains(id));
        let apart = loose.map(|(id, other)| (*id, f16::l2sq(other, &vector)));
        match self.nearest(apart) {
            Some((id, apart)) => Belongs::With(id, apart),
            None => Belongs::Nowhere,
        }
    }

    /// The loose faces that are near enough to a look now, the nearest first, with their distance.
    pub fn near(&self, look: i64) -> Vec<(i64, f32)> {
        let Some(mean) = self.means.get(&look) else {
            return Vec::new();
        };
        let mean = halves(&mean.mean);
        let apart = self
            .loose
            .iter()
            .map(|(id, other)| (*id, f16::l2sq(other, &mean)));
        let mut near: Vec<(i64, f32)> = self.within(apart).collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        near
    }

    fn nearest(&self, apart: impl Iterator<Item = (i64, Option<f64>)>) -> Option<(i64, f32)> {
        self.within(apart).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Those that are near enough, with their distances.
    fn within(
        &self,
        apart: impl Iterator<Item = (i64, Option<f64>)>,
    ) -> impl Iterator<Item = (i64, f32)> {
        let limit = self.limit;
        apart.filter_map(move |(id, apart)| {
            let apart = apart.filter(|apart| *apart <= limit)?;
            Some((id, apart.sqrt() as f32))
        })
    }
}

fn halves(vector: &[f32]) -> Vec<f16> {
    let half = |v: &f32| f16(half::f16::from_f32(*v).to_bits());
    vector.iter().map(half).collect()
}

#[cfg(test)]
mod tests;
