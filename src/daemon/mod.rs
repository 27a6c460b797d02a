//! The daemon: lock, start order, live events, signals, heartbeat, ordered stop.
//!
//! Promises: one process a data directory; a stop within seconds that loses nothing committed; an
//! offline root stays in the index and comes back by itself. Never prints: what a person should
//! hear goes to an [`Observer`], the rest to the log.

mod actor;
mod control;
mod error;
mod guest;
mod keeper;
mod lock;
mod once;
mod orders;
mod pause;
mod power;
mod report;
mod room;
mod search_model;
mod sighting;
mod signals;
mod start;
mod tags;
mod upkeep;
mod verify;
mod watch;

pub use control::{ControlAnswer, ControlOrder, HexPath, order};
pub use error::DaemonError;
pub use lock::{DataDirLock, held_says, is_held};
pub use once::{OnceOptions, Summary, index_once};
pub use orders::obey_alone;
pub use pause::Pause;
pub use report::{
    DetectorReport, ModelReport, Report, RootReport, RootStanding, RootWatch, SearchReport,
    WatchReport,
};
pub use start::{Setup, classifier, decoding, detectors, inspector};
pub use tags::{request_retag, retag};
pub use verify::{
    MOST_FINDINGS, Sample, SampleSize, VerifyCounts, VerifyError, VerifyFinding, VerifyObserver,
    VerifyPlan, VerifyRun, VerifyState, VerifyVerdict, verify,
};
pub use watch::{Companion, Reload, WatchOptions, watch};

use crate::index::{Activity, Snapshot, TagReport};

/// What a person in front of the terminal should hear and see.
pub trait Observer: Send + Sync {
    /// A line worth reading.
    fn notice(&self, line: &str);
    /// Where things stand; called a few times a second while there is work.
    fn progress(&self, activity: Activity, now: &Snapshot);
    /// The same for photos that are tagged again, and words that are encoded.
    fn tags(&self, _now: &TagReport) {}
}
