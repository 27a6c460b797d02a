//! Things the tests of this module share.

#![allow(clippy::unwrap_used)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::open::open_root;
use crate::photo::RelPath;

/// `depth` directories inside one another, each with a name of `len` bytes, and an empty file in
/// the deepest; returns that file's path. The kernel would not take such a path in one piece.
pub(super) fn deep_tree(root: &Path, depth: usize, len: usize, file: &[u8]) -> RelPath {
    let name = vec![b'd'; len];
    let mut rel = RelPath::root();
    let mut at = open_root(root).unwrap();
    for _ in 0..depth {
        mkdirat(at.as_fd(), &name[..], Mode::RWXU).unwrap();
        at = open_dir_at(at.as_fd(), &name).unwrap();
        rel = rel.join(&name);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    openat(at.as_fd(), file, flags, Mode::RUSR | Mode::WUSR).unwrap();
    rel.join(file)
}

/// Waits until `done` says yes; panics with `what` after half a minute.
pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Opens the directory `name` in `dir` for reading its entries, following no link.
pub(super) fn open_dir_at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}
