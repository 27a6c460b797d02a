//! What the pools hand out and take back, in plain values.

use serde::{Deserialize, Serialize};

/// How often a row is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Pool {
    /// On every photo.
    Active = 0,
    /// On every 100th, or more often while too much would be missed.
    Warm = 1,
    /// On every 1,000th, or more often while too much would be missed.
    Cold = 2,
}

impl Pool {
    /// The pool by its number in the database.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Active),
            1 => Some(Self::Warm),
            2 => Some(Self::Cold),
            _ => None,
        }
    }
}

/// What one photo is scored against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The Active pool.
    Active,
    /// Active and Warm.
    Warm,
    /// Every row.
    All,
}

/// What is saved of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState {
    /// Row of the bank.
    pub row: u32,
    /// Where it is.
    pub pool: Pool,
    /// Number of the photo that last gave a reason to look for it: its hit, a sibling's hit, or
    /// the photo before which the row was new.
    pub last: u64,
    /// Photos that had it as a tag, while pools were kept.
    pub hits: u32,
}

/// How many rows are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Scored on every photo.
    pub active: usize,
    /// Scored now and then.
    pub warm: usize,
    /// Scored seldom.
    pub cold: usize,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Rows that are scored less often than before.
    pub demoted: usize,
    /// Rows that came back because the pools were widened.
    pub returned: usize,
    /// Too much had been missed.
    pub widened: bool,
    /// Much less had been missed than may be.
    pub narrowed: bool,
}
