//! What can go wrong while looking for changed paths; every error names the place.

use std::io;
use std::path::PathBuf;

use crate::photo::RelPath;

/// True if the error is this process's or the machine's moment of weakness and says nothing of the
/// file: no descriptors or memory left, interrupted.
pub fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN | Errno::INTR
        )
    ) || error.kind() == io::ErrorKind::OutOfMemory
}

/// Whether nothing of the kind lies at a path: it, or a folder above it, is not there, or is something
/// else by now.
pub(super) fn is_gone(e: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(e, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

/// A filter that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// One of the user's exclude patterns is not a valid glob.
    #[error("the exclude pattern {glob:?} is not valid: {reason}")]
    BadGlob {
        /// The pattern as it was given.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// All patterns are valid, but not together (too large when compiled).
    #[error("the exclude patterns of {root} cannot be compiled: {reason}")]
    Compile {
        /// The root they belong to.
        root: PathBuf,
        /// What the compiler said.
        reason: String,
    },
}

/// A walk that could not begin. Trouble further down is reported as an event instead.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The root is not there: deleted, or its volume is not mounted.
    #[error("the folder {root} does not exist")]
    RootMissing {
        /// The root.
        root: PathBuf,
    },
    /// The root is a file or something else.
    #[error("{root} is not a folder")]
    NotADirectory {
        /// The root.
        root: PathBuf,
    },
    /// The root is there but cannot be read.
    #[error("the folder {root} cannot be read: {source}")]
    Root {
        /// The root.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The root is fine, the directory to start in is not there any more.
    #[error("{path} below {root} is not a folder any more")]
    StartGone {
        /// The root.
        root: PathBuf,
        /// The directory that was asked for.
        path: RelPath,
    },
}

/// A file that was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there.
    #[error("{path} below {root} does not exist")]
    Gone {
        /// The root.
        root: PathBuf,
        /// The file.
        path: RelPath,
    },
    /// Something is there that the system does not let us read (permissions, I/O error).
    #[error("{path} below {root} cannot be read: {source}")]
    Unreadable {
        /// The root.
        root: PathBuf,
        /// The file.
        path: RelPath,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, FIFO, socket or device: never opened.
    #[error("{path} below {root} is not a regular file")]
    NotRegular {
        /// The root.
        root: PathBuf,
        /// The file.
        path: RelPath,
    },
    /// The name, or a directory on the way to it, is a symbolic link: never followed.
    #[error("{path} below {root} is or lies behind a symbolic link")]
    Symlink {
        /// The root.
        root: PathBuf,
        /// The file.
        path: RelPath,
    },
    /// Not a plain relative path: it has an empty, `.` or `..` component, or a NUL byte.
    #[error("{path:?} is not a plain path below {root}")]
    BadPath {
        /// The root.
        root: PathBuf,
        /// The path.
        path: RelPath,
    },
}

/// A live source, or one of its roots, that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A thread could not be started.
    #[error("cannot start a thread for {root}: {source}")]
    Thread {
        /// The root it was for.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The root's path cannot be made absolute.
    #[error("cannot make {root} absolute: {source}")]
    Absolute {
        /// The root.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A root with this number is already followed.
    #[error("root number {id} ({root}) is already followed")]
    Duplicate {
        /// The caller's number.
        id: usize,
        /// The root that was to be added.
        root: PathBuf,
    },
}

/// A directory that is not watched after [`arm`](super::LiveSource::arm). Running out of watches
/// is no error: such a directory is polled.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// No root has this number.
    #[error("root number {0} is not followed")]
    UnknownRoot(usize),
    /// The directory is not there any more; its parent's watch says so too.
    #[error("{path} does not exist any more")]
    Gone {
        /// Absolute path of the directory.
        path: PathBuf,
    },
    /// The directory cannot be read; the walk reports it, and restored permissions are noticed by
    /// its parent's watch.
    #[error("{path} cannot be watched: {source}")]
    Unreadable {
        /// Absolute path of the directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
