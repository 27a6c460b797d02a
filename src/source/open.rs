//! Opening and stamping below a root, without following links.
//!
//! Promises: no symbolic link below the root is ever followed (the root itself may be one), so
//! nothing outside it is read; nothing but a regular file is opened, so no FIFO blocks, no tape
//! rewinds and no writer of a FIFO sees a reader; paths of any length work, although the kernel
//! takes at most 4,096 bytes at a time. Never writes, and leaves the access time alone where the
//! system allows it. Cost: five system calls a file. No locks, no state but one flag remembering
//! that `openat2` is missing.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, statat};
use rustix::io::Errno;

use super::error::{OpenError, is_gone};
use super::links::Links;
use crate::photo::{FileStamp, RelPath, nanos};

/// Most bytes of a path given to the kernel at once: PATH_MAX is 4,096 with its NUL; half of it
/// leaves room for one more 255-byte name without another thought.
const CHUNK: usize = 2048;

/// How a directory on the way is opened: as a place, not for reading, where the system can.
#[cfg(target_os = "linux")]
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const PLACE: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// A regular file.
    File(FileStamp),
    /// A directory.
    Dir,
    /// A link, FIFO, socket or device.
    Special,
    /// Nothing, or something behind a link.
    Gone,
}

/// Opens a regular file below `root` for reading and says what it was at that moment. Its last name may
/// be a link, if `links` says so.
///
/// # Errors
///
/// See [`OpenError`]: gone, unreadable, not a regular file, a link, or not a plain path.
pub fn open_beneath(
    root: &Path,
    rel: &RelPath,
    links: Links,
) -> Result<(File, FileStamp), OpenError> {
    let fail = |e: Errno| open_error(root, rel, e);
    if !is_plain(rel) {
        return Err(OpenError::BadPath {
            root: root.into(),
            path: rel.clone(),
        });
    }
    let not_regular = || OpenError::NotRegular {
        root: root.into(),
        path: rel.clone(),
    };
    let base = open_root(root).map_err(fail)?;
    let parent = rel.parent().unwrap_or_default();
    let dir = descend(base.as_fd(), parent.as_bytes()).map_err(fail)?;
    // Look before opening: opening a device or a FIFO can already do harm.
    let seen = statat(&dir, rel.name(), at_flags(links)).map_err(fail)?;
    match FileType::from_raw_mode(seen.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(fail(Errno::LOOP)),
        _ => return Err(not_regular()),
    }
    let file = open_file_at(dir.as_fd(), rel.name(), links).map_err(fail)?;
    let now = fstat(&file).map_err(fail)?;
    if FileType::from_raw_mode(now.st_mode) != FileType::RegularFile {
        return Err(not_regular());
    }
    Ok((File::from(file), stamp_of(&now)))
}

/// The stamp of a regular file below `root`, without opening it; `None` if there is none (gone,
/// a directory, a link or behind one, a FIFO…). Its last name may be a link, if `links` says so.
///
/// # Errors
///
/// Permission or I/O errors: the file may well be there.
pub fn stamp_beneath(
    root: &Path,
    rel: &RelPath,
    links: Links,
) -> Result<Option<FileStamp>, io::Error> {
    Ok(match look(root, rel, links)? {
        Probe::File(stamp) => Some(stamp),
        Probe::Dir | Probe::Special | Probe::Gone => None,
    })
}

/// What lies at `rel` below `root`; links are not followed.
pub(super) fn probe(root: &Path, rel: &RelPath) -> Result<Probe, io::Error> {
    look(root, rel, Links::Refused)
}

fn look(root: &Path, rel: &RelPath, links: Links) -> Result<Probe, io::Error> {
    let found = (|| {
        let base = open_root(root)?;
        if rel.is_root() {
            return Ok(Probe::Dir);
        }
        if !is_plain(rel) {
            return Ok(Probe::Gone);
        }
        let parent = rel.parent().unwrap_or_default();
        let dir = descend(base.as_fd(), parent.as_bytes())?;
        let stat = statat(&dir, rel.name(), at_flags(links))?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Probe::File(stamp_of(&stat)),
            FileType::Directory => Probe::Dir,
            _ => Probe::Special,
        })
    })();
    match found {
        Err(e) if is_gone(e) => Ok(Probe::Gone),
        other => other.map_err(io::Error::from),
    }
}

/// The root as a place; the root itself may be a link.
pub(super) fn open_root(root: &Path) -> Result<OwnedFd, Errno> {
    open(root, PLACE, Mode::empty())
}

/// The directory `rel` below `base` as a place, no link followed, in pieces the kernel takes.
pub(super) fn descend(base: BorrowedFd<'_>, rel: &[u8]) -> Result<OwnedFd, Errno> {
    if rel.is_empty() {
        return openat(base, c".", PLACE, Mode::empty());
    }
    let mut rest = rel;
    let mut at: Option<OwnedFd> = None;
    while !rest.is_empty() {
        let (piece, tail) = split_chunk(rest);
        let from = at.as_ref().map_or(base, |fd| fd.as_fd());
        at = Some(descend_piece(from, piece)?);
        rest = tail;
    }
    at.ok_or(Errno::INVAL)
}

/// The first components of `path` that fit in [`CHUNK`] bytes, and what follows them.
fn split_chunk(path: &[u8]) -> (&[u8], &[u8]) {
    if path.len() <= CHUNK {
        return (path, &[]);
    }
    let cut = path[..CHUNK].iter().rposition(|b| *b == b'/');
    // One component longer than the chunk: the kernel refuses it by itself.
    let cut = cut.or_else(|| path.iter().position(|b| *b == b'/'));
    cut.map_or((path, &[][..]), |i| (&path[..i], &path[i + 1..]))
}

#[cfg(target_os = "linux")]
fn descend_piece(from: BorrowedFd<'_>, piece: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    /// Set once when the kernel (before 5.6) or a system-call filter has no `openat2`.
    static MISSING: AtomicBool = AtomicBool::new(false);
    if !MISSING.load(Ordering::Relaxed) {
        let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        match openat2(from, piece, PLACE, Mode::empty(), how) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
                MISSING.store(true, Ordering::Relaxed)
            }
            // A rename raced with the look-up: the careful way below cannot be raced.
            Err(Errno::AGAIN) => {}
            done => return done,
        }
    }
    descend_by_components(from, piece)
}

#[cfg(not(target_os = "linux"))]
fn descend_piece(from: BorrowedFd<'_>, piece: &[u8]) -> Result<OwnedFd, Errno> {
    descend_by_components(from, piece)
}

/// One directory at a time, each opened without following it: works on every Unix.
fn descend_by_components(from: BorrowedFd<'_>, piece: &[u8]) -> Result<OwnedFd, Errno> {
    let mut at: Option<OwnedFd> = None;
    for name in piece.split(|b| *b == b'/') {
        let here = at.as_ref().map_or(from, |fd| fd.as_fd());
        let next = match openat(here, name, PLACE | OFlags::NOFOLLOW, Mode::empty()) {
            // Linux says "not a directory" of a link here; the callers tell the two apart.
            Err(Errno::NOTDIR) if is_link(here, name) => return Err(Errno::LOOP),
            other => other?,
        };
        at = Some(next);
    }
    at.ok_or(Errno::INVAL)
}

fn is_link(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|st| FileType::from_raw_mode(st.st_mode) == FileType::Symlink)
}

fn at_flags(links: Links) -> AtFlags {
    match links {
        Links::Refused => AtFlags::SYMLINK_NOFOLLOW,
        Links::Followed => AtFlags::empty(),
    }
}

/// Opens the file `name` for reading: never blocks, follows no link unless it may, becomes no terminal.
fn open_file_at(dir: BorrowedFd<'_>, name: &[u8], links: Links) -> Result<OwnedFd, Errno> {
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if links == Links::Refused {
        flags |= OFlags::NOFOLLOW;
    }
    #[cfg(target_os = "linux")]
    {
        // Only the owner may ask not to be noticed; everybody else reads as usual.
        match openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => {}
            done => return done,
        }
    }
    openat(dir, name, flags, Mode::empty())
}

/// The whole of a small regular file in `dir`; `None` if there is none.
///
/// # Errors
///
/// It is there and cannot be had: unreadable, no regular file, or more than `limit` bytes.
pub(super) fn read_small_at(
    dir: BorrowedFd<'_>,
    name: &CStr,
    limit: u64,
) -> Result<Option<Vec<u8>>, io::Error> {
    use std::io::Read;
    let not_regular = || io::Error::other("it is no regular file");
    let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(not_regular());
    }
    let file = match open_file_at(dir, name.to_bytes(), Links::Refused) {
        Err(Errno::NOENT) => return Ok(None),
        other => File::from(other?),
    };
    if !file.metadata()?.is_file() {
        return Err(not_regular());
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let most = limit >> 20;
        return Err(io::Error::other(format!("it has more than {most} MiB")));
    }
    Ok(Some(bytes))
}

/// A path the kernel resolves to exactly its components.
fn is_plain(rel: &RelPath) -> bool {
    let bytes = rel.as_bytes();
    !bytes.contains(&0)
        && bytes
            .split(|b| *b == b'/')
            .all(|c| !c.is_empty() && c != b"." && c != b"..")
}

/// The stamp in a `stat` answer. Field types differ between systems, hence the casts.
#[allow(clippy::unnecessary_cast, clippy::cast_possible_wrap)]
pub(super) fn stamp_of(st: &Stat) -> FileStamp {
    FileStamp {
        size: u64::try_from(st.st_size).unwrap_or(0),
        mtime_ns: nanos(st.st_mtime as i64, st.st_mtime_nsec as i64),
        ctime_ns: nanos(st.st_ctime as i64, st.st_ctime_nsec as i64),
        inode: st.st_ino as u64,
    }
}

fn open_error(root: &Path, rel: &RelPath, e: Errno) -> OpenError {
    let (root, path) = (root.to_path_buf(), rel.clone());
    match e {
        Errno::NOENT | Errno::NOTDIR => OpenError::Gone { root, path },
        Errno::LOOP => OpenError::Symlink { root, path },
        other => OpenError::Unreadable {
            root,
            path,
            source: other.into(),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::testing::deep_tree;

    fn rel(s: &str) -> RelPath {
        RelPath::from_bytes(s)
    }

    #[test]
    fn a_regular_file_opens_and_its_stamp_is_the_one_of_stat() {
        let t = tempfile::tempdir().unwrap();
        std::fs::create_dir(t.path().join("d")).unwrap();
        std::fs::write(t.path().join("d/a.jpg"), b"hello").unwrap();
        let (mut f, stamp) = open_beneath(t.path(), &rel("d/a.jpg"), Links::Refused).unwrap();
        let mut s = String::new();
        f.read_to_string(&mut s).unwrap();
        assert_eq!(s, "hello");
        assert_eq!(
            stamp,
            FileStamp::of(&std::fs::metadata(t.path().join("d/a.jpg")).unwrap())
        );
        assert_eq!(
            stamp_beneath(t.path(), &rel("d/a.jpg"), Links::Refused).unwrap(),
            Some(stamp)
        );
    }

    #[test]
    fn links_are_refused_at_every_component_but_the_root() {
        let t = tempfile::tempdir().unwrap();
        let real = t.path().join("real");
        std::fs::create_dir_all(real.join("in")).unwrap();
        std::fs::write(real.join("in/a"), b"x").unwrap();
        symlink("in", real.join("dirlink")).unwrap();
        symlink("a", real.join("in/filelink")).unwrap();
        symlink(&real, t.path().join("rootlink")).unwrap();
        let root = t.path().join("rootlink");
        assert!(open_beneath(&root, &rel("in/a"), Links::Refused).is_ok());
        for p in ["dirlink/a", "in/filelink"] {
            assert!(
                matches!(
                    open_beneath(&root, &rel(p), Links::Refused),
                    Err(OpenError::Symlink { .. })
                ),
                "{p}"
            );
            assert_eq!(stamp_beneath(&root, &rel(p), Links::Refused).unwrap(), None);
        }
        let base = open_root(&root).unwrap();
        assert_eq!(
            descend_by_components(base.as_fd(), b"dirlink").unwrap_err(),
            Errno::LOOP
        );
        assert!(descend_by_components(base.as_fd(), b"in").is_ok());
    }

    #[test]
    fn fifos_sockets_and_directories_are_refused_without_blocking() {
        let t = tempfile::tempdir().unwrap();
        let fifo = t.path().join("fifo.jpg");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _sock = std::os::unix::net::UnixListener::bind(t.path().join("s.jpg")).unwrap();
        std::fs::create_dir(t.path().join("d")).unwrap();
        for p in ["fifo.jpg", "s.jpg", "d"] {
            let r = open_beneath(t.path(), &rel(p), Links::Refused);
            assert!(matches!(r, Err(OpenError::NotRegular { .. })), "{p}: {r:?}");
            assert_eq!(
                stamp_beneath(t.path(), &rel(p), Links::Refused).unwrap(),
                None
            );
        }
        assert!(matches!(
            open_beneath(t.path(), &rel("nix"), Links::Refused),
            Err(OpenError::Gone { .. })
        ));
        assert!(matches!(
            open_beneath(t.path(), &rel("fifo.jpg/x"), Links::Refused),
            Err(OpenError::Gone { .. })
        ));
    }

    #[test]
    fn paths_that_are_not_plain_are_refused() {
        let t = tempfile::tempdir().unwrap();
        std::fs::write(t.path().join("a"), b"").unwrap();
        for p in ["", "/a", "a/", "./a", "../a", "x/../a", "a//b", "a\0"] {
            let r = open_beneath(t.path(), &rel(p), Links::Refused);
            assert!(matches!(r, Err(OpenError::BadPath { .. })), "{p:?}: {r:?}");
        }
    }

    #[test]
    fn paths_longer_than_the_kernel_takes_work() {
        let t = tempfile::tempdir().unwrap();
        let deepest = deep_tree(t.path(), 60, 200, b"deep.jpg");
        assert!(deepest.as_bytes().len() > 3 * 4096 - 300);
        let (_, stamp) = open_beneath(t.path(), &deepest, Links::Refused).unwrap();
        assert_eq!(
            stamp_beneath(t.path(), &deepest, Links::Refused).unwrap(),
            Some(stamp)
        );
    }

    #[test]
    fn chunks_put_together_are_the_path() {
        for len in [1usize, 7, 200, 255] {
            let path: Vec<u8> = vec![vec![b'n'; len]; 9000 / len].join(&b'/');
            let (mut rest, mut back) = (&path[..], Vec::<Vec<u8>>::new());
            while !rest.is_empty() {
                let (piece, tail) = split_chunk(rest);
                assert!(piece.len() <= CHUNK);
                back.push(piece.to_vec());
                rest = tail;
            }
            assert_eq!(back.join(&b'/'), path);
        }
    }
}
