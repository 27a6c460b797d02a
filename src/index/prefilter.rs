//! The pre-filter: what a row and a stamp say together, before any byte is read.

use crate::photo::{FileStamp, Verdict};
use crate::store::FileRow;

/// Compares a stored row with the stamp found now (`None`: nothing lies there).
///
/// A file that failed in an older decoder counts as changed: this one may know better.
pub fn verdict(row: Option<&FileRow>, now: Option<&FileStamp>, decoder_version: u32) -> Verdict {
    match (row, now) {
        (_, None) => Verdict::Gone,
        (None, Some(_)) => Verdict::Changed,
        (Some(row), Some(_)) if row.failed_decoder.is_some_and(|v| v < decoder_version) => {
            Verdict::Changed
        }
        (Some(row), Some(now)) => row.stamp.compare(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::RelPath;
    use proptest::prelude::*;

    fn stamp() -> impl Strategy<Value = FileStamp> {
        // Small ranges, so that equal parts are common.
        (0u64..3, -1i64..3, 0i64..3, 0u64..3).prop_map(|(size, mtime_ns, ctime_ns, inode)| {
            FileStamp {
                size,
                mtime_ns,
                ctime_ns,
                inode,
            }
        })
    }

    fn row(stamp: FileStamp, failed_decoder: Option<u32>) -> FileRow {
        FileRow {
            path: RelPath::from_bytes("a.jpg"),
            stamp,
            failed_decoder,
            missing: false,
            troubled: false,
            is_folder: false,
        }
    }

    proptest! {
        #[test]
        fn unchanged_means_equal_in_every_field(old in stamp(), now in stamp()) {
            let v = verdict(Some(&row(old, None)), Some(&now), 1);
            prop_assert_eq!(v == Verdict::Unchanged, old == now);
            let content_may_differ = old.size != now.size || old.mtime_ns != now.mtime_ns;
            prop_assert_eq!(v == Verdict::Changed, content_may_differ);
        }

        #[test]
        fn failures_are_retried_by_newer_decoders_only(s in stamp(), failed in 1u32..4, decoder in 1u32..4) {
            let v = verdict(Some(&row(s, Some(failed))), Some(&s), decoder);
            prop_assert_eq!(v == Verdict::Changed, failed < decoder);
        }

        #[test]
        fn a_file_without_a_row_is_read_and_a_row_without_a_file_is_gone(s in stamp()) {
            prop_assert_eq!(verdict(None, Some(&s), 1), Verdict::Changed);
            prop_assert_eq!(verdict(Some(&row(s, None)), None, 1), Verdict::Gone);
        }
    }
}
