//! What a followed root's thread says: of the paths that came to rest, and of the directories
//! that had events in this turn.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::Follower;
use crate::photo::RelPath;
use crate::source::filter::is_rule_file;
use crate::source::links::Links;
use crate::source::live::{Found, RescanReason, SourceEvent};
use crate::source::open::{Probe, probe};
use crate::source::settle::{Hint, Settled};
use crate::source::watch::RECURSIVE;
use crate::source::watched::{Because, accessible};

impl Follower {
    /// Looks at the paths that came to rest.
    pub(super) fn settle(&mut self, now: Instant) {
        let mut found: HashMap<RelPath, Found> = HashMap::new();
        let root = &self.root;
        let settled = self.settler.due(now, &mut |path| {
            let (what, stamp) = match probe(root, path) {
                Ok(Probe::File(stamp)) => (Found::File(stamp), Some(stamp)),
                Ok(Probe::Dir) => (Found::Dir, None),
                Ok(Probe::Special) => (Found::Special, None),
                Ok(Probe::Gone) => (Found::Gone, None),
                Err(_) => (Found::Unreadable, None),
            };
            found.insert(path.clone(), what);
            stamp
        });
        for Settled {
            key: path, hint, ..
        } in settled
        {
            let found = found.get(&path).copied().unwrap_or(Found::Gone);
            self.report(path, hint, found);
        }
    }

    fn report(&mut self, path: RelPath, hint: Hint, found: Found) {
        tracing::trace!(?path, ?hint, ?found, "at rest");
        if is_rule_file(path.name()) {
            return self.ignore_file_changed(&path.parent().unwrap_or_default());
        }
        if found == Found::Dir && !self.filter.dir_excluded(&path) {
            match hint {
                Hint::Doubt => self.dir_touched(&path),
                _ => drop(self.dirs.entry(path.clone()).or_insert(RescanReason::Moved)),
            }
            if hint == Hint::Doubt {
                return;
            }
        }
        // Only a scan of the folder knows all links in it.
        let news = found == Found::Special && self.filter.links() == Links::Followed;
        if news || self.filter.is_folder_link(&path) {
            let folder = path.parent().unwrap_or_default();
            self.dirs.entry(folder).or_insert(RescanReason::Moved);
        }
        // It may be a folder that has just arrived: a scan finds out, when it can be read.
        if found == Found::Unreadable && hint == Hint::MovedIn && !self.filter.dir_excluded(&path) {
            let entry = self.dirs.entry(path.clone());
            entry.or_insert(RescanReason::Moved);
        }
        // What is undecided, a worker decides: the ignore file may be readable by now.
        if self.filter.file_kind(&path).may_matter() {
            self.send(SourceEvent::Path {
                root: self.id,
                path,
                found,
            });
        }
    }

    /// A directory's metadata changed: interesting if it can be read now and could not before, or
    /// the other way round, or if somebody was refused something in it. (A copy that sets the times of
    /// directories must cost no scans.)
    fn dir_touched(&mut self, dir: &RelPath) {
        let readable = accessible(&dir.under(&self.root)).is_ok();
        let (armed, refused) = self.shared.with_watched(|w| {
            let armed = RECURSIVE || w.is_armed(dir);
            (armed, readable && w.take_refused(dir))
        });
        if dir.is_root() && !readable {
            // It is asked for again and again, and its watch says when that is worth it.
            return;
        }
        if armed && !readable {
            self.forget(dir, Because::Ours);
        }
        if armed != readable || refused {
            self.dirs.insert(dir.clone(), RescanReason::Permissions);
        }
    }

    fn ignore_file_changed(&mut self, dir: &RelPath) {
        if self.filter.dir_excluded(dir) {
            return;
        }
        // Scanned even if the rules are known: a walk further down may have learned them.
        self.filter.learn(dir);
        let filter = &self.filter;
        let out = self
            .shared
            .with_watched(|w| w.armed_where(dir, |d| filter.dir_excluded(d)));
        for excluded in out {
            self.forget(&excluded, Because::Ours);
        }
        self.dirs
            .insert(dir.clone(), RescanReason::IgnoreFileChanged);
    }

    /// Says of each directory with events that it is to be scanned or that it is gone.
    pub(super) fn judge_dirs(&mut self) {
        let dirs = std::mem::take(&mut self.dirs);
        let mut said: BTreeSet<RelPath> = BTreeSet::new();
        // In the order of the names a directory comes before what is in it.
        for (dir, why) in dirs {
            if covered(&said, &dir) || self.filter.dir_excluded(&dir) {
                continue;
            }
            let event = match probe(&self.root, &dir) {
                Ok(Probe::Dir) | Err(_) => {
                    // Whoever armed it has read it since, or is about to.
                    if why == RescanReason::NewDirectory
                        && self.shared.with_watched(|w| w.is_armed(&dir))
                    {
                        continue;
                    }
                    SourceEvent::Rescan {
                        root: self.id,
                        dir: dir.clone(),
                        why,
                    }
                }
                Ok(_) if dir.is_root() => SourceEvent::Rescan {
                    root: self.id,
                    dir: dir.clone(),
                    why,
                },
                Ok(_) => {
                    self.filter.forget(&dir);
                    SourceEvent::DirGone {
                        root: self.id,
                        path: dir.clone(),
                    }
                }
            };
            said.insert(dir);
            self.send(event);
        }
    }
}

/// True if a directory above `dir` is in the set.
fn covered(said: &BTreeSet<RelPath>, dir: &RelPath) -> bool {
    let mut above = dir.parent();
    while let Some(at) = above {
        if said.contains(&at) {
            return true;
        }
        above = at.parent();
    }
    false
}
