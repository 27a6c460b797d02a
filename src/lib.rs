//! photond: a photo is findable by what is in it, within a second of landing in a watched folder.
//!
//! The house and its floors are described in ARCHITECTURE.md.

pub mod embedding;
pub mod photo;
pub mod store;
