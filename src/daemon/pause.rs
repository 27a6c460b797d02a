//! When the daemon rests: because a person said so, or on battery.
//!
//! What a person said is a small file in the data directory, so that it outlives the process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::power;
use crate::config::OnBattery;
use crate::index::Flow;
use crate::safe_file;
use crate::store::unix_now;

const FILE: &str = "pause.json";

/// A person's wish that nothing be indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Unix seconds; absent: until told otherwise.
    pub until: Option<i64>,
}

impl Pause {
    /// The wish that holds now.
    pub fn now(data_dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(data_dir)).ok()?;
        // A file that says nothing that can be read is nobody's wish.
        let pause: Self = serde_json::from_str(&text).ok()?;
        pause
            .until
            .is_none_or(|at| at > unix_now())
            .then_some(pause)
    }

    /// Puts it in force, or ends it (`None`).
    ///
    /// # Errors
    /// What the system says.
    pub fn put(data_dir: &Path, pause: Option<Self>) -> std::io::Result<()> {
        match pause {
            Some(pause) => {
                let text = serde_json::to_vec(&pause)?;
                safe_file::write(&path(data_dir), &text)
            }
            None => match std::fs::remove_file(path(data_dir)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
        }
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Why the daemon does less than everything, if it does, and how much it does.
pub(super) fn rest(data_dir: &Path, on_battery: OnBattery) -> (Flow, Option<String>) {
    if let Some(pause) = Pause::now(data_dir) {
        let until = match pause.until {
            Some(at) => format!("paused for {} more", minutes(at - unix_now())),
            None => "paused".to_owned(),
        };
        return (
            Flow::Nothing,
            Some(format!("{until}; `photond resume` ends that")),
        );
    }
    match on_battery {
        OnBattery::Everything => (Flow::Everything, None),
        _ if !power::on_battery() => (Flow::Everything, None),
        OnBattery::Live => (
            Flow::Live,
            Some("on battery: photos that come in now; the rest waits for mains power".to_owned()),
        ),
        OnBattery::Nothing => (
            Flow::Nothing,
            Some("on battery: waiting for mains power".to_owned()),
        ),
    }
}

fn minutes(seconds: i64) -> String {
    match (seconds.max(0) + 59) / 60 {
        m @ 0..=119 => format!("{m} min"),
        m => format!("{} h", m / 60),
    }
}
