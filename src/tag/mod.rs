//! Tags: what a vector says in words.
//!
//! Image vector · label rows (+ bias) → calibration → confidence → terms a person would use.
//! Promises: scores are the same for the same vector, whatever the batch; every confidence lies
//! in 0…1. Never: runs a model, reads a file, or touches the database.
//!
//! Cost: one pass of dot products over the resident label bank a photo, then sums over
//! precomputed index lists; nothing is sorted but what is kept.

mod calibration;
mod error;
mod hierarchy;
mod label_bank;
mod score;
mod vocabulary;

pub use calibration::softmax;
pub use error::TagError;
pub use label_bank::LabelBank;
pub use score::{Keep, Tagger};
pub use vocabulary::{Lookup, Term, Vocabulary};
