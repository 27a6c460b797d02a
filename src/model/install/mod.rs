//! Installing model packs.
//!
//! Promises: an installed pack is whole, of one commit, and every file has been compared with every
//! checksum that is known of it before the pack counts; a broken-off installation is gone on with,
//! and harms nothing; the access token goes to the hub only; whatever a server, folder or archive
//! says, nothing is written outside the pack's own folder. Never prints: it tells a [`Watch`].
//!
//! Locking: one process a pack, see [`place`]. Cost: one buffer of memory; a file is read once for
//! its checksums after it has arrived, and once for the stamp.

mod catalogue;
mod compare;
mod digest;
mod download;
mod environment;
mod error;
mod fetched;
#[cfg(test)]
mod hostile;
mod http;
mod hub;
mod job;
mod name;
mod place;
mod progress;
mod recipe;
mod retry;
mod shelf;
mod space;

pub use catalogue::catalogue;
pub use environment::{Environment, HUB};
pub use error::InstallError;
pub use job::{Installed, Installer};
pub use name::check_name;
pub use progress::{Check, InstallProgress, Silent, Step, Watch};
pub use recipe::InstallRequest;
pub use retry::{Patience, Pause, Sleep};
pub use space::bytes;

use progress::Meter;

/// The search model that needs no image graph of its own, and is in use unless another is chosen.
pub const LITE0_MINILM: &str = "lite0-minilm";

/// The classifier that makes the tags.
pub const CLASSIFIER: &str = "efficientnet-lite0";

/// The detector of things and people.
pub const THINGS: &str = "nanodet-g";

/// The detector of faces.
pub const FACES: &str = "centerface";

/// The reader of text in pictures.
pub const TEXT_READER: &str = "ppocr-v5-v6";

/// The encoder of faces.
pub const FACE_ENCODER: &str = "dlib-face";

/// Names that packs from elsewhere cannot take.
pub fn is_built_in(name: &str) -> bool {
    [
        LITE0_MINILM,
        CLASSIFIER,
        THINGS,
        FACES,
        TEXT_READER,
        FACE_ENCODER,
    ]
    .contains(&name)
}

/// Removes an installed pack. Whether it may be removed is the caller's to know.
///
/// # Errors
/// [`InstallError::NotInstalled`], or while another process works on it.
pub fn remove(data_dir: &std::path::Path, name: &str) -> Result<(), InstallError> {
    let place = place::PackPlace::take(data_dir, name)?;
    if !place.installed().is_dir() {
        return Err(InstallError::NotInstalled {
            name: name.to_owned(),
        });
    }
    place.remove()
}
