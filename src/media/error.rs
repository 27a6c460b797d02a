//! Why a file's bytes did not become an inspection, said so that a user knows what to do about it.

use crate::photo::Format;

/// What is wrong with one file's bytes. Belongs to that content only: the next file is unaffected,
/// and the same bytes give the same error until [`super::DECODER_VERSION`] moves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// No bytes at all.
    #[error("the file is empty (0 bytes); it may still be on its way, or the copy failed")]
    Empty,
    /// The bytes carry no signature of an image format.
    #[error("the file is not an image in any format photond knows")]
    NotAnImage,
    /// A known format, or a variant of one, that this version has no decoder for.
    #[error(
        "{}: {why}; recognised, not decoded by this version, and retried automatically when \
         photond learns it",
        .format.name()
    )]
    Unsupported {
        /// What the bytes are.
        format: Format,
        /// Which part of the format is meant.
        why: String,
    },
    /// The picture's data ends before the picture does.
    #[error(
        "{}: the file is cut short, part of the picture is missing; copy it again from its source",
        .format.name()
    )]
    Truncated {
        /// What the bytes are.
        format: Format,
    },
    /// The data breaks the rules of its format beyond what a viewer could show.
    #[error("{}: the file is damaged ({reason}); restore it from a backup or its source", .format.name())]
    Corrupt {
        /// What the bytes are.
        format: Format,
        /// The decoder's words, made printable and short.
        reason: String,
    },
    /// Decoding would take more than [`super::Limits`] allows; nothing was decoded.
    #[error("{}: a picture of {width}×{height} pixels is beyond the limit ({limit})", .format.name())]
    TooLarge {
        /// What the bytes are.
        format: Format,
        /// Width the header claims.
        width: u32,
        /// Height the header claims.
        height: u32,
        /// Which limit, with its value.
        limit: String,
    },
    /// A decoder panicked; it was contained.
    #[error("{}: the decoder failed on this file ({message}); the file is likely damaged", .format.name())]
    Panicked {
        /// What the bytes are.
        format: Format,
        /// The panic's message, made printable and short.
        message: String,
    },
}

impl InspectError {
    /// A short key that never changes, for the database and for grouping.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAnImage => "not-an-image",
            Self::Unsupported { .. } => "unsupported",
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::TooLarge { .. } => "too-large",
            Self::Panicked { .. } => "panic",
        }
    }

    pub(super) fn corrupt(format: Format, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            format,
            reason: printable(&reason.to_string()),
        }
    }

    pub(super) fn unsupported(format: Format, why: impl std::fmt::Display) -> Self {
        Self::Unsupported {
            format,
            why: printable(&why.to_string()),
        }
    }

    pub(super) fn panicked(format: Format, payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Self::Panicked {
            format,
            message: printable(message),
        }
    }
}

/// Decoder messages can quote the file: control characters go, length is capped.
fn printable(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_quote_the_file_are_made_harmless() {
        let hostile = format!("bad\u{1b}[31m\n{}", "x".repeat(5000));
        let text = InspectError::corrupt(Format::Pnm, hostile).to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() < 400);
    }

    #[test]
    fn every_error_names_its_format_and_the_unsupported_one_promises_a_retry() {
        let e = InspectError::unsupported(Format::Heic, "HEIC pictures");
        assert!(e.to_string().starts_with("heic: "), "{e}");
        assert!(e.to_string().contains("retried automatically"), "{e}");
        assert_eq!(e.kind(), "unsupported");
    }
}
