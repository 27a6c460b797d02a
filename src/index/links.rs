//! Several names of one file: what is written under one has changed under all, and the system tells of
//! one only.
//!
//! The index knows names by their content and inode; what it cannot know yet, of names that came a
//! moment ago, is kept here for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::photo::{FileStamp, RelPath};

/// Files with several names that are remembered: as many as may be in work at once, and some.
const FILES: usize = 4096;
/// Names of one file that are remembered.
const NAMES: usize = 64;

/// A file: its root and its inode.
type File = (i64, u64);

/// Names that were read lately, each with the stamp that was found.
#[derive(Default)]
pub(super) struct LinkNames(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    names: HashMap<File, Vec<(RelPath, FileStamp)>>,
    order: VecDeque<File>,
}

impl LinkNames {
    /// Remembers that a file was read under this name; gives the other names under which it was read
    /// when it was not what it is now.
    pub fn outdated_by(&self, root: i64, path: &RelPath, now: FileStamp) -> Vec<RelPath> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let file = (root, now.inode);
        let names = inner.names.entry(file).or_insert_with(|| {
            inner.order.push_back(file);
            Vec::new()
        });
        let others = names.iter().filter(|(name, _)| name != path);
        let outdated = others.filter(|(_, read)| *read != now);
        let outdated = outdated.map(|(name, _)| name.clone()).collect();
        names.retain(|(name, _)| name != path);
        if names.len() < NAMES {
            names.push((path.clone(), now));
        }
        if inner.order.len() > FILES
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.names.remove(&oldest);
        }
        outdated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64, mtime_ns: i64) -> FileStamp {
        FileStamp {
            size: 1,
            mtime_ns,
            ctime_ns: mtime_ns,
            inode,
        }
    }

    #[test]
    fn other_names_are_told_of_what_is_newer() {
        let (a, b) = (RelPath::from_bytes("a.jpg"), RelPath::from_bytes("b.jpg"));
        let names = LinkNames::default();
        assert!(names.outdated_by(1, &a, stamp(7, 10)).is_empty());
        assert!(
            names.outdated_by(1, &b, stamp(7, 10)).is_empty(),
            "the same"
        );
        assert!(
            names.outdated_by(2, &b, stamp(7, 11)).is_empty(),
            "elsewhere"
        );
        assert_eq!(
            names.outdated_by(1, &b, stamp(7, 11)),
            std::slice::from_ref(&a)
        );
        assert!(names.outdated_by(1, &a, stamp(7, 11)).is_empty());
        assert!(names.outdated_by(1, &b, stamp(7, 11)).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let names = LinkNames::default();
        for inode in 0..3 * FILES as u64 {
            names.outdated_by(1, &RelPath::from_bytes("a"), stamp(inode, 1));
        }
        for n in 0..3 * NAMES {
            let name = RelPath::from_bytes(format!("{n}"));
            names.outdated_by(1, &name, stamp(9_999_999, 1));
        }
        let inner = names.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(inner.names.len() <= FILES && inner.order.len() == inner.names.len());
        assert!(inner.names.values().all(|n| n.len() <= NAMES));
    }
}
