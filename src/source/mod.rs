//! Which paths may have changed, and nothing else.
//!
//! Two ways to know: [`walk()`] looks at everything below a directory, in order; a [`LiveSource`]
//! hears of changes soon after they happen. Both ask the same [`Filter`]. [`open_beneath`] then
//! opens what they named, and [`identify`] tells whether the root is still the volume it was.
//!
//! Events are hints, and the file system is the truth: an event never says *what* changed, doubt
//! of any kind (overflow, errors, a directory that appears) becomes "scan this directory", and
//! a scan arms each directory before it reads it, so that nothing falls between the two.
//!
//! What this module never does: open a photo by itself, go through a link below a root, write below
//! a root, touch a database, look at a wall clock. It knows nothing of images.
//!
//! | file | what it decides |
//! |---|---|
//! | `names`, `rule`, `filter` | which paths matter |
//! | `listing`, `walk` | what is there, in order |
//! | `open`, `links` | how a file is opened without leaving the root, and where links lead |
//! | `settle` | when a path with events is worth a look (pure) |
//! | `watch`, `watched` | one root's watcher, and which directories have a watch |
//! | `follow`, `shared`, `canary`, `live` | the thread of a root, and all roots together |
//! | `root` | which volume a root is |

mod canary;
mod error;
mod filter;
mod follow;
mod links;
mod listing;
mod live;
mod names;
mod open;
mod root;
mod rule;
mod settle;
mod shared;
#[cfg(test)]
mod testing;
mod walk;
mod watch;
mod watched;

pub use error::{ArmError, FilterError, OpenError, SourceError, WalkError, is_passing};
pub use filter::{FileKind, Filter, FilterConfig, IGNORE_FILE, MARKS};
pub use links::{LinkTarget, Links, SharedLinks};
pub use live::{Found, LiveConfig, LiveSource, RescanReason, RootHealth, SourceEvent, WatchHealth};
pub use open::{open_beneath, stamp_beneath};
pub use root::{
    RootFacts, RootPlace, RootPresence, VolumeIdentity, identify, is_certain, place_of,
};
pub use rule::{LeftOut, Rule, RuleCounts};
pub use settle::{Hint, SettleConfig, Settled, Settler};
pub use walk::{WalkEvent, WalkSummary, walk};
pub use watched::{Arm, DegradeReason};
