//! photond: a photo is findable by what is in it, within a second of landing in a watched folder.
//!
//! The house and its floors are described in ARCHITECTURE.md.

pub mod boxes;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dirs;
pub mod embedding;
pub mod faces;
pub mod failpoint;
pub mod geo;
pub mod index;
mod link_folder;
pub mod looks;
pub mod matrix;
pub mod media;
pub mod model;
mod persons;
pub mod photo;
pub mod picture_text;
mod safe_file;
pub mod said;
pub mod search;
pub mod serve;
pub(crate) mod sidecar;
pub mod source;
pub mod store;
pub mod tag;
pub mod worker;
