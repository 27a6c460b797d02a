//! What has happened to the index, in a small file beside it: it has to outlive the index itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::unix_now;
use crate::safe_file;

/// File name in the data directory.
pub(super) const INCIDENTS_FILE: &str = "index.incidents.json";
/// How long an incident is told of.
const TOLD_FOR: i64 = 30 * 86_400;
/// Incidents kept at most: whoever has more has one cause.
const KEPT: usize = 20;

/// Something that happened to the index and that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Unix seconds.
    pub at: i64,
    /// What was found.
    pub what: String,
    /// What was done about it, and what that means for the photos.
    pub done: String,
    /// Where the damaged file lies now, if it was kept.
    pub kept: Option<PathBuf>,
}

/// The incidents of the last thirty days, oldest first.
pub fn incidents(data_dir: &Path) -> Vec<Incident> {
    let since = unix_now() - TOLD_FOR;
    let text = std::fs::read(data_dir.join(INCIDENTS_FILE)).unwrap_or_default();
    let all: Vec<Incident> = serde_json::from_slice(&text).unwrap_or_default();
    all.into_iter().filter(|i| i.at >= since).collect()
}

/// Adds one. That it cannot be written must not keep the index from being mended.
pub(super) fn note(data_dir: &Path, what: &str, done: &str, kept: Option<&Path>) {
    let mut all = incidents(data_dir);
    all.push(Incident {
        at: unix_now(),
        what: what.to_owned(),
        done: done.to_owned(),
        kept: kept.map(Path::to_path_buf),
    });
    let from = all.len().saturating_sub(KEPT);
    let written = serde_json::to_vec_pretty(&all[from..])
        .map_err(std::io::Error::from)
        .and_then(|text| safe_file::write(&data_dir.join(INCIDENTS_FILE), &text));
    if let Err(e) = written {
        tracing::warn!("{INCIDENTS_FILE}: {e}");
    }
}
