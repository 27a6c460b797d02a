//! What can be wrong with the tables that tags are made with.

/// A vocabulary or a classifier's last layer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// A line of a vocabulary file.
    #[error("{file}, line {line}: {reason}")]
    Line {
        /// Which file.
        file: &'static str,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The last layer's bytes.
    #[error("label rows: {0}")]
    Head(String),
    /// The last layer and the vocabulary or the vectors do not belong together.
    #[error("the label rows and {what} do not match: {found}, not {expected}")]
    Mismatch {
        /// What they were set against.
        what: &'static str,
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
    },
}
