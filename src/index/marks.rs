//! Content as a mark of identity: is what lies in a folder what was indexed there?

use std::path::Path;

use crate::photo::{FileStamp, RelPath};
use crate::source::{Links, stamp_beneath};

/// What a sample of the rows says of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Most of them lie there as they were.
    Same,
    /// None of them lies there.
    Other,
    /// Too few rows, or some here and some not.
    Unknown,
}

/// Fewer rows than this prove nothing by their absence.
const ENOUGH: usize = 3;

impl Marks {
    /// Compares a sample of rows (path, size and time) with what lies in a folder now.
    pub fn of(root: &Path, sample: &[(RelPath, FileStamp)]) -> Self {
        let same = sample
            .iter()
            .filter(|(path, stamp)| {
                // What is known of a link's target was found through it.
                stamp_beneath(root, path, Links::Followed).is_ok_and(|found| {
                    found.is_some_and(|f| f.size == stamp.size && f.mtime_ns == stamp.mtime_ns)
                })
            })
            .count();
        if same > 0 && same * 2 >= sample.len() {
            Self::Same
        } else if same == 0 && sample.len() >= ENOUGH {
            Self::Other
        } else {
            Self::Unknown
        }
    }
}
