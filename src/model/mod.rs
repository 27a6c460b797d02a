//! Models: where the runtime is, what a pack is, and an encoder that runs it.
//!
//! Promises: a pack's files are checked against its manifest before they are used; every output
//! is checked for shape and finiteness; nothing here hangs when the runtime is missing (the
//! library file is looked at before it is loaded). Never: decodes a picture, or knows a tag.
//!
//! Locking: an encoder is owned by one thread (`Session::run` takes `&mut self`).

mod embedded;
mod error;
mod image_encoder;
mod pack;
mod runtime;

pub use embedded::default_pack;
pub use error::ModelError;
pub use image_encoder::{EncoderOptions, ImageEncoder};
pub use pack::{Kind, ModelPack};
pub use runtime::{Runtime, RuntimeChoice, find_runtime};
