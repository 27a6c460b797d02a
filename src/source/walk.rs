//! The ordered scan: every candidate file below a directory, in the byte order of its path.
//!
//! Promises: files come in the order in which a plain sort of their relative paths would put them
//! (a directory sorts as `name/`), so that the caller can merge them with rows sorted by path.
//! [`WalkEvent::Dir`] comes before that directory is opened by its path, so that a watch armed there
//! by the same path misses nothing: what another directory of that name holds is read only if it was
//! put there before, and if it was put there later the watch above says so. No photo is opened, only
//! stamped; no link below the root is followed; names that cannot be photos cost no system call.
//! Trouble in one place is an event, and the walk goes on; something deleted meanwhile is no trouble.
//!
//! No recursion; memory holds the entries not yet emitted of the directories on the current path,
//! and only the directory that is being read is open. Within one directory files are stamped in
//! inode order, which on a spinning disk is the order they lie in.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::error::{WalkError, is_gone};
use super::filter::{FileKind, Filter, Scope};
use super::listing::{Listing, What};
use super::open::{descend, open_root};
use super::rule::{Rule, RuleCounts};
use crate::photo::{FileStamp, RelPath};
use crate::sidecar::SidecarKind;

/// What a walk finds.
#[derive(Debug)]
pub enum WalkEvent<'a> {
    /// A file that may be a photo.
    File {
        /// Where.
        path: &'a RelPath,
        /// What the file system says of it.
        stamp: FileStamp,
    },
    /// A file that may speak of a photo beside it.
    Sidecar {
        /// Where.
        path: &'a RelPath,
        /// What the file system says of it.
        stamp: FileStamp,
    },
    /// A directory, before its entries are read. The first event is the directory walked.
    Dir {
        /// Where.
        path: &'a RelPath,
    },
    /// Something that may be or hold photos and cannot be looked at. Rows at or below it must not
    /// be taken for deleted.
    Unreadable {
        /// Where.
        path: &'a RelPath,
        /// Whether it is a directory: its entries, or the rest of them, are not known.
        is_dir: bool,
        /// What the system said.
        error: io::Error,
    },
    /// A symbolic link, which the walk does not go through.
    Link {
        /// Where.
        path: &'a RelPath,
    },
    /// A FIFO, socket or device: never opened.
    Special {
        /// Where.
        path: &'a RelPath,
    },
}

/// Counts of one walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WalkSummary {
    /// Candidate files emitted.
    pub files: u64,
    /// Directories entered, the one walked included.
    pub dirs: u64,
    /// Files that may speak of photos.
    pub sidecars: u64,
    /// Files that are neither by their names.
    pub other: u64,
    /// Files and directories left out by rules.
    pub excluded: RuleCounts,
    /// Unfinished files.
    pub temporary: u64,
    /// Symbolic links with a name that a photo or a folder may have.
    pub links: u64,
    /// FIFOs, sockets, devices.
    pub special: u64,
    /// Files and directories that could not be looked at.
    pub unreadable: u64,
    /// Directories not entered because they hold no files of anybody (`/proc`, `/sys`…).
    pub pseudo: u64,
    /// The visitor ended the walk early.
    pub stopped: bool,
}

/// One directory on the current path.
struct Level {
    dev: u64,
    path: RelPath,
    listing: Listing,
    scope: Scope,
}

struct Walk<'a> {
    root: OwnedFd,
    filter: &'a Filter,
    visit: &'a mut dyn FnMut(WalkEvent<'_>) -> ControlFlow<()>,
    sum: WalkSummary,
    stack: Vec<Level>,
}

/// Walks `start` (the empty path for all of the root) and everything below it.
///
/// # Errors
///
/// [`WalkError`] if the walk cannot begin: the root is missing, is no directory or cannot be
/// read, or `start` is not there. An unreadable `start` other than the root is an event.
pub fn walk(
    root: &Path,
    start: &RelPath,
    filter: &Filter,
    visit: &mut dyn FnMut(WalkEvent<'_>) -> ControlFlow<()>,
) -> Result<WalkSummary, WalkError> {
    let base = open_root(root).map_err(|e| root_error(root, e))?;
    if !start.is_root() {
        let above = start.parent().unwrap_or_default();
        filter.learn_with_ancestors(&above);
        if let Some((path, error)) = filter.undecided_at(&above) {
            let flow = visit(WalkEvent::Unreadable {
                path: &path,
                is_dir: true,
                error,
            });
            return Ok(WalkSummary {
                unreadable: 1,
                stopped: flow.is_break(),
                ..WalkSummary::default()
            });
        }
        if filter.dir_excluded(start) {
            return Ok(WalkSummary::default());
        }
    }
    let sum = WalkSummary::default();
    let mut walk = Walk {
        root: base,
        filter,
        visit,
        sum,
        stack: Vec::new(),
    };
    let flow = match walk.enter_start(start) {
        Err(e) if start.is_root() => return Err(root_error(root, e)),
        Err(e) if is_gone(e) => {
            return Err(WalkError::StartGone {
                root: root.into(),
                path: start.clone(),
            });
        }
        Err(e) => walk.unreadable(start, true, e),
        Ok(flow) => flow,
    };
    match flow {
        ControlFlow::Continue(()) => walk.run(),
        ControlFlow::Break(()) => walk.sum.stopped = true,
    }
    Ok(walk.sum)
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some(frame) = self.stack.last_mut() {
            let Some((name, what)) = frame.listing.next() else {
                self.stack.pop();
                continue;
            };
            let path = frame.path.join(name);
            let flow = match what {
                What::File(stamp) if SidecarKind::of(name).is_some() => {
                    self.sum.sidecars += 1;
                    (self.visit)(WalkEvent::Sidecar { path: &path, stamp })
                }
                What::File(stamp) => {
                    self.sum.files += 1;
                    (self.visit)(WalkEvent::File { path: &path, stamp })
                }
                What::Dir => self.descend_into(path),
                What::Link => {
                    self.sum.links += 1;
                    (self.visit)(WalkEvent::Link { path: &path })
                }
                What::Special => {
                    self.sum.special += 1;
                    (self.visit)(WalkEvent::Special { path: &path })
                }
                What::Failed(e) => self.unreadable(&path, false, e),
            };
            if flow.is_break() {
                self.sum.stopped = true;
                return;
            }
        }
    }

    fn enter_start(&mut self, start: &RelPath) -> Result<ControlFlow<()>, Errno> {
        let above = start.parent().unwrap_or_default();
        // The root's own rules are learned, and put in scope, by `enter` as any directory's.
        let scope = if start.is_root() {
            Scope::default()
        } else {
            self.filter.scope_if_entered(&above).unwrap_or_default()
        };
        self.enter(start.clone(), &scope, None)
    }

    fn descend_into(&mut self, path: RelPath) -> ControlFlow<()> {
        let Some(above) = self.stack.last() else {
            return ControlFlow::Continue(());
        };
        let (dev, scope) = (above.dev, above.scope.clone());
        match self.enter(path.clone(), &scope, Some(dev)) {
            Ok(flow) => flow,
            // Deleted, or replaced by a file or a link, since it was listed.
            Err(e) if is_gone(e) => ControlFlow::Continue(()),
            Err(e) => self.unreadable(&path, true, e),
        }
    }

    /// # Errors
    /// It could not be opened.
    fn enter(
        &mut self,
        path: RelPath,
        outer: &Scope,
        outer_dev: Option<u64>,
    ) -> Result<ControlFlow<()>, Errno> {
        let place = descend(self.root.as_fd(), path.as_bytes())?;
        let dev = fstat(&place)?.st_dev;
        #[allow(
            clippy::useless_conversion,
            clippy::cast_sign_loss,
            clippy::unnecessary_cast
        )]
        let dev = dev as u64;
        if outer_dev != Some(dev) && is_pseudo(place.as_fd()) {
            self.sum.pseudo += 1;
            return Ok(ControlFlow::Continue(()));
        }
        // Watched before it is opened, so that no change comes in between.
        if (self.visit)(WalkEvent::Dir { path: &path }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let place = descend(self.root.as_fd(), path.as_bytes())?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(&place, c".", flags, Mode::empty())?;
        self.filter.learn_at(fd.as_fd(), &path);
        if let Some(error) = self.filter.unusable(&path) {
            // What it would leave out is not known: nothing is let in, and nothing taken out.
            self.sum.unreadable += 1;
            return Ok((self.visit)(WalkEvent::Unreadable {
                path: &path,
                is_dir: true,
                error,
            }));
        }
        self.sum.dirs += 1;
        if self.filter.mark_of(&path).is_some() {
            self.sum.excluded.add(Rule::Mark);
            return Ok(ControlFlow::Continue(()));
        }
        let scope = self.filter.scope_below(outer, &path);
        let (listing, trouble) = self.list(fd.as_fd(), &path, &scope);
        if let Some(e) = trouble
            && self.unreadable(&path, true, e).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        self.stack.push(Level {
            dev,
            path,
            listing,
            scope,
        });
        Ok(ControlFlow::Continue(()))
    }

    /// Reads, filters, stamps and sorts the entries of one directory; with the error that hid the
    /// rest of them, if there was one.
    fn list(
        &mut self,
        fd: BorrowedFd<'_>,
        dir: &RelPath,
        scope: &Scope,
    ) -> (Listing, Option<Errno>) {
        let mut listing = Listing::default();
        let (filter, sum) = (self.filter, &mut self.sum);
        let mut path = dir.as_bytes().to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        let prefix = path.len();
        let end = super::listing::for_each_entry(fd, &mut |name, kind, inode| {
            let kind = match kind {
                FileType::Unknown => match statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(st) => FileType::from_raw_mode(st.st_mode),
                    Err(Errno::NOENT) => return,
                    Err(e) => return listing.push(name, What::Failed(e)),
                },
                known => known,
            };
            path.truncate(prefix);
            path.extend_from_slice(name);
            match kind {
                FileType::Directory => match filter.subdir_excluded(scope, &path) {
                    Some(rule) => sum.excluded.add(rule),
                    None => listing.push(name, What::Dir),
                },
                _ => match (filter.kind_in(scope, &path), kind) {
                    (FileKind::OtherKind, _) => sum.other += 1,
                    (FileKind::Excluded(rule), _) => sum.excluded.add(rule),
                    (FileKind::Temporary, _) => sum.temporary += 1,
                    (FileKind::Undecided, _) => {}
                    (FileKind::Candidate | FileKind::Sidecar, FileType::RegularFile) => {
                        listing.push_unstamped(name, inode);
                    }
                    (FileKind::Candidate, FileType::Symlink) => listing.push(name, What::Link),
                    (FileKind::Candidate, _) => listing.push(name, What::Special),
                    (FileKind::Sidecar, _) => sum.other += 1,
                },
            }
        });
        let denied = listing.stamp_and_sort(fd);
        let trouble = match end {
            // Closed while it was read: that is the directory's trouble, and no file's.
            _ if denied => Some(Errno::ACCESS),
            // Deleted while it was read: what was read is all there ever will be.
            Ok(()) | Err(Errno::NOENT) => None,
            Err(e) => Some(e),
        };
        (listing, trouble)
    }

    fn unreadable(&mut self, path: &RelPath, is_dir: bool, e: Errno) -> ControlFlow<()> {
        self.sum.unreadable += 1;
        (self.visit)(WalkEvent::Unreadable {
            path,
            is_dir,
            error: e.into(),
        })
    }
}

/// True for file systems that hold the kernel's own state instead of anybody's files.
#[cfg(target_os = "linux")]
fn is_pseudo(fd: BorrowedFd<'_>) -> bool {
    /// From linux/magic.h: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, devpts,
    /// bpf, pstore, mqueue, configfs, selinux, smack, efivarfs, binfmt_misc, nsfs.
    const PSEUDO: [u64; 17] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0x1cd1,
        0xcafe_4a11,
        0x6165_676c,
        0x1980_0202,
        0x6265_6570,
        0xf97c_ff8c,
        0x4341_5d53,
        0xde5e_81e4,
        0x4249_4e4d,
        0x6e73_6673,
    ];
    rustix::fs::fstatfs(fd).is_ok_and(|fs| PSEUDO.contains(&(fs.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn is_pseudo(_: BorrowedFd<'_>) -> bool {
    false
}

fn root_error(root: &Path, e: Errno) -> WalkError {
    let root = root.to_path_buf();
    match e {
        Errno::NOENT => WalkError::RootMissing { root },
        Errno::NOTDIR => WalkError::NotADirectory { root },
        other => WalkError::Root {
            root,
            source: other.into(),
        },
    }
}

#[cfg(test)]
mod tests;
