//! The pipeline: from "this path may have changed" to "committed".
//!
//! ```text
//! urgent ─┐   workers ×N: pre-filter → read+hash → known? → inspect      1 thread        1 thread
//! backlog ┴─► ───────────────────────────────────────────────────────►  embed + tag  ─►  commit
//! ```
//!
//! Promises: live events overtake the backlog; every channel is bounded, and so are the bytes of files
//! in memory; content that is known, or
//! being worked on, is never decoded twice; one bad file is recorded and the rest goes on; a photo
//! is done when, and only when, its transaction has committed. Stopping loses nothing that was
//! committed and redoes nothing that was.
//!
//! Locking: the writer thread owns the store, the embed thread owns the model, workers share
//! [`Progress`] (atomics) and the table of content in work (one short mutex).

mod adopt;
mod again;
mod catch_up;
mod claims;
mod closer;
mod commit;
mod content;
mod crew;
mod departures;
mod embed;
mod error;
mod failing;
mod gate;
mod inflight;
mod job;
mod known_rows;
mod lanes;
mod large;
mod later;
mod links;
mod localities;
mod marks;
mod memory;
mod models;
mod photos;
mod pipeline;
mod prefilter;
mod priority;
mod probe;
mod progress;
mod read;
mod roots;
mod runner;
mod scan;
mod scoped;
mod sidecars;
mod spaces;
mod stage;
mod tagging;
mod wanted;
mod worker;

pub use adopt::RootState;
pub use closer::CloserPlan;
pub use error::IndexError;
pub use gate::Flow;
pub use lanes::{Derived, ModelPlan, SearchChoice};
pub use localities::BuiltInNames;
pub use marks::Marks;
pub use memory::{give_memory_back, spend_little_memory};
pub use models::{DetectorState, SettledModel};
pub use pipeline::{Indexer, IndexerOptions};
pub use prefilter::verdict;
pub use priority::lower as lower_priority;
pub use progress::{Activity, Progress, Scanning, Snapshot};
pub use roots::RootHandle;
pub use scan::{ArmDirectory, ScanOutcome, Skipped};
pub use spaces::ModelState;
pub use stage::{Ending, is_anything_left_behind, leave_behind};
pub use tagging::{ExampleVectors, TagPlan, TagReport, TextModelTurn, tag_again, vocabulary_dir};
pub use wanted::{ScanScope, Wanted, WantedScans};
