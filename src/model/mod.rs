//! Models: where the runtime is, what a pack is, and the encoders that run it.
//!
//! A pack is a classifier (a graph from pictures to vectors, whose label rows make the tags), a detector
//! (a graph from pictures to boxes, [`Detector`]), a text reader (two graphs, [`reading`]), a face encoder
//! (a graph from faces to vectors, [`FaceEncoder`]) or a
//! dual encoder (pictures and sentences in one space, vectors of length one). A dual encoder's
//! photo vectors come from a graph of its own ([`ImageEncoder`]) or from the classifier's
//! probabilities ([`Projection`]); its sentences from a [`TextEncoder`].
//!
//! Promises: a pack's files are checked against its manifest before they are used; every output
//! is checked for shape and finiteness; nothing here hangs when the runtime is missing (the
//! library file is looked at and vouched for before it is loaded). Never: decodes a picture, or knows a tag.
//!
//! Locking: an encoder is owned by one thread (`Session::run` takes `&mut self`).

mod detector;
mod embedded;
mod error;
mod face_chip;
mod face_encoder;
mod image_encoder;
pub mod install;
mod manifest;
mod pack;
pub mod packs;
pub mod projection;
pub mod reading;
mod runtime;
mod session;
mod stamp;
#[cfg(test)]
pub(crate) mod testing;
mod text_encoder;
mod tokens;
mod unit;
mod vouch;

pub use detector::{Detector, FacePoints};
pub use embedded::{
    default_pack, face_encoder_id, face_encoder_pack, faces_id, faces_pack, lite0_minilm, text_id,
    text_pack, things_id, things_pack,
};
pub use error::ModelError;
pub use face_encoder::FaceEncoder;
pub use image_encoder::{EncoderOptions, ImageEncoder};
pub use install::InstallError;
pub use manifest::{
    After, BoxRules, Calibration, ChannelOrder, DerivedTable, FacesTable, FileEntry, FinderTable,
    FitName, ImageTable, Kind, Licence, Manifest, PeopleOdds, Pooling, ReaderTable, Source,
    TextSpec,
};
pub use pack::{BoxGraph, DerivedImage, FaceGraph, ImageGraph, ImageSide, ModelPack, TextGraphs};
pub use projection::Projection;
pub use runtime::{Runtime, RuntimeChoice, find_runtime, try_runtime};
pub use text_encoder::{TextEncoder, TextOptions};
pub use vouch::{TRIAL_COMMAND, TRIAL_PASSED};
