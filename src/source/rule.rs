//! The rules that leave paths out, by name: what `status` counts and `why` explains.

use serde::{Deserialize, Serialize};

use crate::photo::RelPath;

/// What leaves a path out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A leading dot.
    Hidden,
    /// A folder or file that systems and programs keep for themselves.
    System,
    /// macOS's notes on a file (`._*`).
    Companion,
    /// In Android's bin (`.trashed-*`).
    Bin,
    /// A copy that a program keeps of what it changes (`*_original`, `*~`, `*.orig`).
    Backup,
    /// Its folder has a `.nomedia` or `.noimage`.
    Mark,
    /// A pattern in a `.photondignore`.
    IgnoreFile,
    /// A pattern of the setting `exclude`.
    Setting,
}

/// A rule that leaves a path out, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The rule.
    pub rule: Rule,
    /// What it is about: the path itself, or a folder above it.
    pub at: RelPath,
    /// The pattern, where it is one.
    pub pattern: Option<String>,
    /// The file that says so, below the root.
    pub file: Option<RelPath>,
    /// The line of that file, counted from 1.
    pub line: Option<usize>,
}

impl LeftOut {
    pub(super) fn by(rule: Rule, at: RelPath) -> Self {
        Self {
            rule,
            at,
            pattern: None,
            file: None,
            line: None,
        }
    }
}

/// How many files and folders each rule left out; a folder counts once, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleCounts {
    /// [`Rule::Hidden`].
    pub hidden: u64,
    /// [`Rule::System`].
    pub system: u64,
    /// [`Rule::Companion`].
    pub companions: u64,
    /// [`Rule::Bin`].
    pub bin: u64,
    /// [`Rule::Backup`].
    pub backups: u64,
    /// [`Rule::Mark`].
    pub marked: u64,
    /// [`Rule::IgnoreFile`].
    pub ignore_files: u64,
    /// [`Rule::Setting`].
    pub settings: u64,
}

impl RuleCounts {
    /// One more.
    pub fn add(&mut self, rule: Rule) {
        let count = match rule {
            Rule::Hidden => &mut self.hidden,
            Rule::System => &mut self.system,
            Rule::Companion => &mut self.companions,
            Rule::Bin => &mut self.bin,
            Rule::Backup => &mut self.backups,
            Rule::Mark => &mut self.marked,
            Rule::IgnoreFile => &mut self.ignore_files,
            Rule::Setting => &mut self.settings,
        };
        *count += 1;
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.hidden
            + self.system
            + self.companions
            + self.bin
            + self.backups
            + self.marked
            + self.ignore_files
            + self.settings
    }
}
