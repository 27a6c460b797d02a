//! The entries of one directory, stamped and in the order the walk emits them.
//!
//! Names lie in one arena, so that a directory of 100,000 files costs two allocations that grow
//! and not 100,000. A directory's name is kept with a `/` behind it: comparing the names as bytes
//! then is the order of the full paths below.

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::open::stamp_of;
use crate::photo::FileStamp;

/// What an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A regular file.
    File(FileStamp),
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Special,
    /// Something that could not be stamped.
    Failed(Errno),
}

#[derive(Debug)]
struct ListEntry {
    start: usize,
    len: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A file by its directory entry, with its inode number; not stamped yet.
    Listed(u64),
    /// Deleted, or no file any more, since it was listed.
    Vanished,
    Known(What),
}

/// The entries of one directory, taken out one by one.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    entries: Vec<ListEntry>,
    next: usize,
}

impl Listing {
    /// Adds an entry that needs no stamp.
    pub(super) fn push(&mut self, name: &[u8], what: What) {
        self.add(name, matches!(what, What::Dir), State::Known(what));
    }

    /// Adds a file to be stamped by [`stamp_and_sort`](Self::stamp_and_sort).
    pub(super) fn push_unstamped(&mut self, name: &[u8], inode: u64) {
        self.add(name, false, State::Listed(inode));
    }

    fn add(&mut self, name: &[u8], is_dir: bool, state: State) {
        let start = self.names.len();
        self.names.extend_from_slice(name);
        if is_dir {
            self.names.push(b'/');
        }
        self.entries.push(ListEntry {
            start,
            len: self.names.len() - start,
            state,
        });
    }

    /// Stamps the files in the order of their inodes, then sorts by name. True if the directory lets
    /// nobody look at what is in it (those entries are left out).
    pub(super) fn stamp_and_sort(&mut self, dir: BorrowedFd<'_>) -> bool {
        let mut denied = false;
        let Self { names, entries, .. } = self;
        entries.sort_unstable_by_key(|e| match e.state {
            State::Listed(inode) => inode,
            State::Vanished | State::Known(_) => 0,
        });
        for entry in entries.iter_mut() {
            if let State::Listed(_) = entry.state {
                entry.state = stamp(dir, &names[entry.start..entry.start + entry.len]);
                if let State::Known(What::Failed(Errno::ACCESS)) = entry.state {
                    (denied, entry.state) = (true, State::Vanished);
                }
            }
        }
        entries.retain(|e| !matches!(e.state, State::Vanished));
        let key = |e: &ListEntry| &names[e.start..e.start + e.len];
        entries.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        // A rename during the reading can list one name twice.
        entries.dedup_by(|a, b| key(a) == key(b));
        denied
    }

    /// The next entry in order: its name without the `/`, and what it is.
    pub(super) fn next(&mut self) -> Option<(&[u8], What)> {
        let entry = self.entries.get(self.next)?;
        self.next += 1;
        let State::Known(what) = entry.state else {
            return None;
        };
        let len = entry.len - usize::from(matches!(what, What::Dir));
        Some((&self.names[entry.start..entry.start + len], what))
    }
}

fn stamp(dir: BorrowedFd<'_>, name: &[u8]) -> State {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(st) => match FileType::from_raw_mode(st.st_mode) {
            FileType::RegularFile => State::Known(What::File(stamp_of(&st))),
            // Replaced since it was listed; as a directory it has an event of its own.
            FileType::Directory => State::Vanished,
            FileType::Symlink => State::Known(What::Link),
            _ => State::Known(What::Special),
        },
        Err(Errno::NOENT) => State::Vanished,
        Err(e) => State::Known(What::Failed(e)),
    }
}

/// Whether a directory has any entry; reads no more of it than tells that.
pub(super) fn is_empty(dir: BorrowedFd<'_>) -> Result<bool, Errno> {
    for entry in rustix::fs::Dir::read_from(dir)? {
        let name = entry?;
        let name = name.file_name().to_bytes();
        if name != b"." && name != b".." {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Calls `each` with name, type as far as the directory tells it, and inode number of every entry
/// but `.` and `..`; ends with the error that hid the rest.
#[cfg(target_os = "linux")]
pub(super) fn for_each_entry(
    dir: BorrowedFd<'_>,
    each: &mut dyn FnMut(&[u8], FileType, u64),
) -> Result<(), Errno> {
    use std::mem::MaybeUninit;
    /// Bytes read from the kernel at a time: about 1,000 entries.
    const BUFFER: usize = 32 * 1024;
    let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER];
    let mut entries = rustix::fs::RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name, entry.file_type(), entry.ino());
        }
    }
    Ok(())
}

/// Calls `each` with name, type as far as the directory tells it, and inode number of every entry
/// but `.` and `..`; ends with the error that hid the rest.
#[cfg(not(target_os = "linux"))]
pub(super) fn for_each_entry(
    dir: BorrowedFd<'_>,
    each: &mut dyn FnMut(&[u8], FileType, u64),
) -> Result<(), Errno> {
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name, entry.file_type(), entry.ino());
        }
    }
    Ok(())
}
