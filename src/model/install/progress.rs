//! What an installation says while it goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Is told how it goes, and may stop it. Called from the installing thread.
pub trait Watch: Sync {
    /// Where it is now; often, many times a second.
    fn progress(&self, now: &InstallProgress);
    /// Something the user should know, one line.
    fn notice(&self, line: &str);
    /// True once the user wants it to end.
    fn stopped(&self) -> bool;
}

/// Nobody watches.
pub struct Silent;

impl Watch for Silent {
    fn progress(&self, _: &InstallProgress) {}
    fn notice(&self, _: &str) {}
    fn stopped(&self) -> bool {
        false
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes come over the network.
    Download,
    /// Bytes are copied from a folder or archive.
    Copy,
    /// A file that is here is compared with its checksum.
    Check,
}

/// Where an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallProgress {
    /// What is being done.
    pub step: Step,
    /// The file, by its name in the pack.
    pub file: String,
    /// Bytes here of all files; while checking, bytes checked of this one.
    pub done: u64,
    /// Bytes of all files (while checking, of this one), where every size is known.
    pub total: Option<u64>,
    /// Of `done`, what was here before this run.
    pub before: u64,
}

/// What a file was compared with, the best of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The BLAKE3 in the manifest.
    Blake3,
    /// The SHA-256 published for that commit.
    Sha256,
    /// The SHA-256 that the hub states.
    HubSha256,
    /// The Git object name that the hub states.
    HubGit,
    /// Nothing to compare with: what came was recorded, and is what `verify` compares with.
    Recorded,
}

impl Check {
    /// The kind of checksum, for messages.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Blake3 | Self::Recorded => "BLAKE3",
            Self::Sha256 | Self::HubSha256 => "SHA-256",
            Self::HubGit => "Git object name",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Blake3 => "compared with the BLAKE3 in its manifest",
            Self::Sha256 => "compared with the SHA-256 published for this commit",
            Self::HubSha256 => "compared with the SHA-256 that the hub states",
            Self::HubGit => "compared with the Git object name that the hub states",
            Self::Recorded => {
                "compared with nothing, for no checksum of it is known; its BLAKE3 is recorded"
            }
        }
    }
}

/// Adds up the files.
pub(super) struct Meter<'a> {
    watch: &'a dyn super::Watch,
    files: RefCell<BTreeMap<String, Share>>,
}

#[derive(Default)]
struct Share {
    size: Option<u64>,
    before: u64,
    here: u64,
}

impl<'a> Meter<'a> {
    pub fn new(watch: &'a dyn super::Watch) -> Self {
        Self {
            watch,
            files: RefCell::default(),
        }
    }

    /// A file that is going to come, of which `before` bytes are here.
    pub fn expect(&self, name: &str, size: Option<u64>, before: u64) {
        let share = Share {
            size,
            before,
            here: before,
        };
        self.files.borrow_mut().insert(name.to_owned(), share);
    }

    /// Bytes of a file are here (or, while checking, read).
    pub fn at(&self, step: Step, name: &str, here: u64) {
        let mut files = self.files.borrow_mut();
        let share = files.entry(name.to_owned()).or_default();
        let progress = if step == Step::Check {
            InstallProgress {
                step,
                file: name.to_owned(),
                done: here,
                total: share.size,
                before: 0,
            }
        } else {
            share.here = here;
            share.before = share.before.min(here);
            InstallProgress {
                step,
                file: name.to_owned(),
                done: files.values().map(|s| s.here).sum(),
                total: files.values().map(|s| s.size).sum(),
                before: files.values().map(|s| s.before).sum(),
            }
        };
        drop(files);
        self.watch.progress(&progress);
    }

    /// All is here.
    pub fn finish(&self) {
        self.files.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<InstallProgress>>);

    impl Watch for Heard {
        fn progress(&self, now: &InstallProgress) {
            self.0.lock().unwrap().push(now.clone());
        }
        fn notice(&self, _: &str) {}
        fn stopped(&self) -> bool {
            false
        }
    }

    #[test]
    fn files_add_up_and_an_unknown_size_makes_the_total_unknown() {
        let heard = Heard::default();
        let meter = Meter::new(&heard);
        meter.expect("a", Some(100), 40);
        meter.expect("b", Some(10), 0);
        meter.at(Step::Download, "a", 70);
        meter.at(Step::Check, "a", 5);
        meter.expect("c", None, 0);
        meter.at(Step::Download, "b", 10);
        let heard = heard.0.into_inner().unwrap();
        let short: Vec<_> = heard.iter().map(|p| (p.done, p.total, p.before)).collect();
        assert_eq!(
            short,
            [(70, Some(110), 40), (5, Some(100), 0), (80, None, 40)]
        );
    }
}
