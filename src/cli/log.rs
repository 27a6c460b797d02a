//! Standard error: the log, and whatever else is said there.
//!
//! Three kinds of readers. A terminal or a file gets plain lines. The systemd journal, which has
//! times of its own, gets lines with a priority in front (`<4>`, see sd-daemon(3)). A log file that a
//! service manager appends to for ever and never cuts (launchd) is cut here when it has grown.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{OFlags, fcntl_getfl, ftruncate};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::safe_file;

/// Names the file that standard error is appended to, where photond is to cut it.
pub(super) const LOG_FILE_VAR: &str = "PHOTOND_LOG_FILE";

/// A log file is cut when it has this many bytes: years of ordinary life.
const LARGEST: u64 = 4 << 20;
/// So much of its end is kept, in a file beside it.
const KEPT: u64 = 1 << 20;

/// How much a line matters, as syslog(3) counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// Begins to log; `PHOTOND_LOG` takes filters like `photond::source=debug`.
pub(super) fn begin(verbose: u8, quiet: bool) {
    let default = match (quiet, verbose) {
        (true, _) => "photond=error",
        (false, 0) => "photond=warn",
        (false, 1) => "photond=info",
        (false, 2) => "photond=debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("PHOTOND_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines)
        .with_ansi(false)
        .with_target(false)
        // The journal's own column says it.
        .with_level(!is_journal())
        .without_time();
    log.init();
}

/// Says a line, or several, on standard error.
pub(super) fn say(priority: Priority, text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(&lines(priority, text));
    cut_if_large();
}

fn lines(priority: Priority, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 4);
    for line in text.trim_end_matches('\n').split('\n') {
        if is_journal() {
            out.extend_from_slice(format!("<{}>", priority as u8).as_bytes());
        }
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out
}

/// Whether standard error goes to the journal: systemd says in the environment which file it has
/// opened there, and whoever redirects it afterwards opens another.
fn is_journal() -> bool {
    static JOURNAL: OnceLock<bool> = OnceLock::new();
    *JOURNAL.get_or_init(|| {
        let said = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        !said.is_empty() && stderr_file().is_ok_and(|meta| names(&said, meta.dev(), meta.ino()))
    })
}

fn stderr_file() -> io::Result<std::fs::Metadata> {
    File::from(rustix::io::dup(io::stderr())?).metadata()
}

/// Whether `DEVICE:INODE` names this file.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    let Some((d, i)) = stream.split_once(':') else {
        return false;
    };
    d.parse() == Ok(device) && i.parse() == Ok(inode)
}

/// Where `tracing` writes.
struct Lines;

/// One event on its way.
struct Line {
    priority: Priority,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            priority: Priority::Info,
            text: Vec::new(),
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        let priority = match *meta.level() {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Info,
            _ => Priority::Debug,
        };
        Line {
            priority,
            text: Vec::new(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            say(self.priority, &String::from_utf8_lossy(&self.text));
        }
    }
}

fn cut_if_large() {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = PATH.get_or_init(|| std::env::var_os(LOG_FILE_VAR).map(PathBuf::from));
    if let Some(path) = path {
        // What cannot be cut goes on growing; there is nobody to tell but this very file.
        let _ = cut(path, LARGEST, KEPT);
    }
}

/// Keeps the end of standard error's file in `PATH.old` and starts it again, if it is large, is
/// really the file at `path`, and is only appended to (else the next line would leave a hole).
fn cut(path: &Path, largest: u64, kept: u64) -> io::Result<()> {
    let now = stderr_file()?;
    let size = now.len();
    if size < largest || !fcntl_getfl(io::stderr())?.contains(OFlags::APPEND) {
        return Ok(());
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if (meta.dev(), meta.ino()) != (now.dev(), now.ino()) || !meta.is_file() {
        return Ok(());
    }
    let kept = kept.min(size);
    let mut end = vec![0; usize::try_from(kept).unwrap_or(0)];
    file.read_exact_at(&mut end, size - kept)?;
    // From a line's beginning on.
    let from = end.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    safe_file::write(Path::new(&old), &end[from..])?;
    ftruncate(io::stderr(), 0)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        assert!(names("8:42", 8, 42));
        for other in ["", "8", "8:", "8:43", "9:42", "8:42:1", "x:42"] {
            assert!(!names(other, 8, 42), "{other}");
        }
    }

    #[test]
    fn every_level_of_the_log_has_its_priority() {
        assert_eq!(lines(Priority::Error, "a\nb\n"), b"a\nb\n");
        assert_eq!(
            [
                Priority::Error as u8,
                Priority::Warning as u8,
                Priority::Debug as u8
            ],
            [3, 4, 7]
        );
    }
}
