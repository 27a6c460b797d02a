//! Reading a file's bytes from the disk, gently, and leaving no trace of it in memory.
//!
//! What the system holds of the file in memory is let go before, or the memory would be compared
//! and not the disk, and after, or a pass over a library would push everybody else's files out.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::photo::{ContentHash, FileStamp, RelPath};
use crate::source::{Links, OpenError, open_beneath};

/// Read at a time; also how much of the file is in memory at most.
const PIECE: usize = 1 << 20;

/// Keeps an average rate.
pub(super) struct Throttle {
    per_second: Option<f64>,
    since: Instant,
    bytes: f64,
}

impl Throttle {
    /// Bytes a second; `None`: as fast as the disk goes.
    pub fn new(per_second: Option<f64>) -> Self {
        Self {
            per_second,
            since: Instant::now(),
            bytes: 0.0,
        }
    }

    /// Waits as long as `bytes` more should have taken.
    fn wait(&mut self, bytes: usize) {
        /// What was not used so far back is not made up for: a pause is no reason to hurry.
        const WINDOW: Duration = Duration::from_secs(2);
        let Some(rate) = self.per_second else {
            return;
        };
        self.bytes += bytes as f64;
        let due = Duration::from_secs_f64(self.bytes / rate);
        let elapsed = self.since.elapsed();
        if let Some(left) = due.checked_sub(elapsed) {
            std::thread::sleep(left);
        } else if elapsed > due + WINDOW {
            (self.since, self.bytes) = (Instant::now(), 0.0);
        }
    }
}

/// What reading gave.
pub(super) enum Content {
    Is {
        hash: ContentHash,
        stamp: FileStamp,
    },
    /// It was written to meanwhile.
    Changing,
    Gone,
    Unreadable(io::Error),
    /// A stop was asked for.
    Stopped,
}

pub(super) fn content(
    root: &Path,
    path: &RelPath,
    throttle: &mut Throttle,
    stop: &dyn Fn() -> bool,
) -> Content {
    let (mut file, before) = match open_beneath(root, path, Links::Followed) {
        Ok(opened) => opened,
        Err(OpenError::Unreadable { source, .. }) => return Content::Unreadable(source),
        Err(_) => return Content::Gone,
    };
    forget(&file, 0, None);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        if stop() {
            return Content::Stopped;
        }
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                // Not what the system has read ahead.
                forget(&file, at, NonZeroU64::new(n as u64));
                at += n as u64;
                throttle.wait(n);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Content::Unreadable(e),
        }
    }
    match file.metadata() {
        Ok(meta) if FileStamp::of(&meta) == before => Content::Is {
            hash: ContentHash(*hasher.finalize().as_bytes()),
            stamp: before,
        },
        Ok(_) => Content::Changing,
        Err(e) => Content::Unreadable(e),
    }
}

/// Lets go of what the system holds of a file in memory. A wish; not every file system heeds it.
#[cfg(target_os = "linux")]
fn forget(file: &File, from: u64, bytes: Option<NonZeroU64>) {
    let _ = rustix::fs::fadvise(file, from, bytes, rustix::fs::Advice::DontNeed);
}

#[cfg(target_os = "macos")]
fn forget(file: &File, _: u64, bytes: Option<NonZeroU64>) {
    use std::os::fd::AsRawFd;
    if bytes.is_none() {
        // SAFETY: a plain call on a descriptor that is open.
        unsafe {
            libc::fcntl(file.as_raw_fd(), libc::F_NOCACHE, 1);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn forget(_: &File, _: u64, _: Option<NonZeroU64>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_on_average() {
        let mut throttle = Throttle::new(Some(1e6));
        let start = Instant::now();
        for _ in 0..20 {
            throttle.wait(10_000);
        }
        // Never faster; how much slower is up to the machine.
        assert!(start.elapsed() >= Duration::from_millis(199));
    }

    #[test]
    fn content_is_what_the_file_holds() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = vec![7; 3 * PIECE + 5];
        std::fs::write(dir.path().join("a.jpg"), &bytes).unwrap();
        let mut throttle = Throttle::new(None);
        let mut read = |name: &str| {
            content(
                dir.path(),
                &RelPath::from_bytes(name),
                &mut throttle,
                &|| false,
            )
        };
        let Content::Is { hash, stamp } = read("a.jpg") else {
            panic!("it can be read");
        };
        assert_eq!(hash.0, *blake3::hash(&bytes).as_bytes());
        assert_eq!(stamp.size, bytes.len() as u64);
        assert!(matches!(read("b.jpg"), Content::Gone));
        let stopped = content(
            dir.path(),
            &RelPath::from_bytes("a.jpg"),
            &mut throttle,
            &|| true,
        );
        assert!(matches!(stopped, Content::Stopped));
    }
}
