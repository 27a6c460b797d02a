//! What can be wrong with a vocabulary or a label bank.

/// A vocabulary or label bank that cannot be used.
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
    /// The label bank's bytes.
    #[error("label bank: {0}")]
    Bank(String),
    /// The bank and the vocabulary or the vectors do not belong together.
    #[error("label bank and {what} do not match: {found}, not {expected}")]
    Mismatch {
        /// What it was set against.
        what: &'static str,
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
    },
}
