//! The embedded database: what is known of every file, photo, vector and tag.
//!
//! Promises: one writer thread, read-only readers that never wait for it, every batch of results
//! in one transaction (a photo is done when, and only when, that commits), photos' rows shared by
//! all paths with the same content. Never: sees a pixel, reads a photo, or knows why a value was
//! computed. A row's meaning is written in `migrations/`.
//!
//! Cost: a point look-up of a stamp is one B-tree descent; a batch of a hundred photos is one
//! fsync-free WAL append. A photo's words cost about as much as its other rows together.

mod backup;
mod beside;
mod catch_up;
mod check;
mod checked_pages;
mod circle;
mod commit;
mod daemon;
mod derived;
mod embeddings;
mod error;
mod faces;
mod failures;
mod files;
mod gallery;
mod gear;
mod incidents;
mod localities;
mod maintenance;
mod marker;
mod migrate;
mod models;
mod open;
mod persons;
mod photos;
mod picture_text;
mod previews;
mod private;
mod query;
mod recover;
mod roots;
mod said;
mod said_filter;
mod siblings;
mod sidecars;
mod standing;
mod status;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod thumbs;
mod verify;
mod wal;
mod when;
mod word_index;
mod words;

pub use backup::{BackedUp, back_up_anew, back_up_if_older};
pub use beside::{SidecarOf, SidecarState};
pub use catch_up::Coverage;
pub use check::{Checked, check_index};
pub use circle::Circle;
pub use commit::{Change, ModelResult, ReadText, Results};
pub use daemon::DaemonRow;
pub use embeddings::decode as decode_vector;
pub use error::StoreError;
pub use failures::{Failure, FailureRow, Stage};
pub use files::{FileKey, FileRow, Known};
pub use gallery::{Appearance, NewPhoto, PhotoFacets, PhotoPosition, PhotoShape, TilesMark};
pub use gear::is_gear;
pub use incidents::{Incident, incidents};
pub use localities::{LocalityCount, LocalityFilter, NamesLocalities};
pub use maintenance::Swept;
pub use migrate::{APPLICATION_ID, current_version};
pub use models::{ModelRow, SpaceKind};
pub use open::{BACKUP_FILE, INDEX_FILE, OLDER_BACKUP_FILE, Store, StoreReader, suspect_damage};
pub use persons::{
    KnownFace, PersonChanged, PersonCount, PersonWord, forget_all_persons, say_of_persons,
};
pub use photos::{Hit, PhotoRow};
pub use previews::PreviewStore;
pub use private::keep_private;
pub use query::{FitsPath, FolderRow, PhotoFilter, TagCondition};
pub use recover::Recovery;
pub use roots::RootRow;
pub use said::{KeywordRow, Layer, PersonRow, SaidCount, mark_beside};
pub use said_filter::SaidFilter;
pub use siblings::{BesideRaw, Condition};
pub use sidecars::{SidecarRow, TroubledSidecar};
pub use standing::{FolderCounts, PathFailure, PathState};
pub use status::Counts;
pub use tags::{BEYOND_SURE, CONFIDENCE_STEPS, TagCount, Tagged, ask_again_beside};
pub use thumbs::{THUMBS_FILE, ThumbStore};
pub use verify::IndexedFile;
pub use when::{Moment, YearlyDay};

/// Seconds since the Unix epoch, for the columns that people read. Nothing is ordered by it.
pub(crate) fn unix_now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
