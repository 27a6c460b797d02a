//! What `status` and `doctor` say of the database as such: what has happened to it, and a log that
//! cannot be cut back.

use std::path::Path;

use serde_json::{Value, json};

use super::output::{printable, span};
use crate::store::{INDEX_FILE, incidents, unix_now};

/// A log of this size is told of: photond cuts it back at 16 MB, unless some program goes on reading
/// from an early part of it.
const LARGE_LOG: u64 = 256 << 20;

/// Bytes of the log, if it is too large.
fn large_log(data_dir: &Path) -> Option<u64> {
    let log = data_dir.join(format!("{INDEX_FILE}-wal"));
    let size = std::fs::metadata(log).ok()?.len();
    (size >= LARGE_LOG).then_some(size)
}

/// A line for each thing to be told.
pub(super) fn lines(data_dir: &Path) -> Vec<String> {
    let mut lines: Vec<String> = incidents(data_dir)
        .iter()
        .map(|i| {
            let ago = u64::try_from(unix_now() - i.at).unwrap_or(0);
            let kept = i.kept.as_ref().map_or_else(String::new, |path| {
                let path = printable(&path.to_string_lossy());
                format!("; the damaged file is kept as {path}")
            });
            format!(
                "{} ago {}: {}{kept}",
                span(ago),
                printable(&i.what),
                printable(&i.done)
            )
        })
        .collect();
    if let Some(size) = large_log(data_dir) {
        lines.push(format!(
            "the index's log has grown to {} MB because some program has been reading the index for long; end that program (`fuser {}` names it), and the log is cut back",
            size >> 20,
            data_dir.join(INDEX_FILE).display()
        ));
    }
    lines
}

/// The same for programs.
pub(super) fn as_json(data_dir: &Path) -> Value {
    json!({
        "incidents": incidents(data_dir),
        "large_log_bytes": large_log(data_dir),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_without_end_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join(format!("{INDEX_FILE}-wal"))).unwrap();
        log.set_len(LARGE_LOG - 1).unwrap();
        assert!(lines(dir.path()).is_empty());
        log.set_len(LARGE_LOG).unwrap();
        assert!(lines(dir.path())[0].contains("256 MB"));
        assert_eq!(as_json(dir.path())["large_log_bytes"], LARGE_LOG);
    }
}
