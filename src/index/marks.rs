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
    /// Too few rows, some here and some not, or some that could not be asked for.
    Unknown,
}

/// Fewer rows than this prove nothing by their absence.
const ENOUGH: usize = 3;

impl Marks {
    /// Compares a sample of rows (path, size and time) with what lies in a folder now.
    pub fn of(root: &Path, sample: &[(RelPath, FileStamp)]) -> Self {
        let (mut same, mut unsaid) = (0, 0);
        for (path, stamp) in sample {
            // What is known of a link's target was found through it.
            match stamp_beneath(root, path, Links::Followed) {
                Ok(Some(f)) if f.size == stamp.size && f.mtime_ns == stamp.mtime_ns => same += 1,
                Ok(_) => {}
                // No descriptors left, or a disk that fails: nothing speaks against it.
                Err(_) => unsaid += 1,
            }
        }
        if same > 0 && same * 2 >= sample.len() {
            Self::Same
        } else if same == 0 && unsaid == 0 && sample.len() >= ENOUGH {
            Self::Other
        } else {
            Self::Unknown
        }
    }
}
