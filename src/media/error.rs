//! Why a file's bytes did not become an inspection, said so that a user knows what to do about it.

use super::wording;
use crate::photo::{Format, PixelTrouble};

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
        "{}: this version cannot yet decode {why}; save it as a JPEG with another program to see it \
         here (it is retried automatically when photond learns it)",
        .format.name()
    )]
    Unsupported {
        /// What the bytes are.
        format: Format,
        /// Which part of the format is meant, as what is decoded.
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
    #[error(
        "{}: the data is damaged or breaks the format's rules ({reason}); if other programs cannot \
         open it either, copy it again from its source",
        .format.name()
    )]
    Corrupt {
        /// What the bytes are.
        format: Format,
        /// What is wrong, or the decoder's words, made printable and short.
        reason: String,
    },
    /// Decoding would take more than [`super::Limits`] allows; nothing was decoded.
    #[error("{}: {} is too large to decode ({limit})", .format.name(), a_picture_of(*.width, *.height))]
    TooLarge {
        /// What the bytes are.
        format: Format,
        /// Width the header claims; 0 if it was refused before its size was known.
        width: u32,
        /// Height the header claims; 0 if it was refused before its size was known.
        height: u32,
        /// Which limit, with its value, as a remark of its own.
        limit: String,
    },
    /// The system has no memory for it now. Says nothing of the picture.
    #[error("{}: there is no memory left to decode it in now; it is tried again", .format.name())]
    NoMemory {
        /// What the bytes are.
        format: Format,
    },
    /// A decoder panicked; it was contained.
    #[error(
        "{}: the decoder gave up on this file, which is probably damaged ({message})",
        .format.name()
    )]
    Panicked {
        /// What the bytes are.
        format: Format,
        /// The panic's message, made printable and short.
        message: String,
    },
}

impl InspectError {
    /// A short key that never changes, for the database and for grouping.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAnImage => "not-an-image",
            Self::Unsupported { .. } => "unsupported",
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::TooLarge { .. } => "too-large",
            Self::NoMemory { .. } => "no-memory",
            Self::Panicked { .. } => "panic",
        }
    }

    /// True if the error is the machine's moment of weakness and says nothing of the file.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NoMemory { .. })
    }

    /// The same for the index.
    pub(super) fn trouble(&self) -> PixelTrouble {
        PixelTrouble {
            kind: self.kind().to_owned(),
            message: self.to_string(),
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
            message: wording::brief(message),
        }
    }
}

/// Why a file has no inspection, as whoever asked for one hears it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable short key: `truncated`, `not-an-image`, `crash`, …
    pub kind: String,
    /// A sentence for people.
    pub message: String,
    /// It is the machine's moment of weakness and says nothing of the file.
    pub is_passing: bool,
}

impl Refusal {
    /// There is no memory, or no process, for it now.
    pub fn no_memory() -> Self {
        Self {
            kind: "no-memory".to_owned(),
            message: "there is no memory left to decode it in now; it is tried again".to_owned(),
            is_passing: true,
        }
    }
}

impl From<InspectError> for Refusal {
    fn from(error: InspectError) -> Self {
        Self {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            is_passing: error.is_passing(),
        }
    }
}

fn a_picture_of(width: u32, height: u32) -> String {
    match (width, height) {
        (0, _) | (_, 0) => "the picture".to_owned(),
        _ => format!("a picture of {width}×{height} pixels"),
    }
}

/// Messages can quote the file: control characters go, length is capped.
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
        let e = InspectError::unsupported(Format::Heic, "HEVC coding");
        assert!(e.to_string().starts_with("heic: "), "{e}");
        assert!(e.to_string().contains("retried automatically"), "{e}");
        assert_eq!(e.kind(), "unsupported");
    }

    #[test]
    fn a_panic_is_told_without_rust_syntax_and_a_size_only_when_it_is_known() {
        let payload: Box<dyn std::any::Any + Send> =
            Box::new("called `Option::unwrap()` on a Thing { a: 1 }".to_owned());
        let text = InspectError::panicked(Format::Tiff, payload.as_ref()).to_string();
        assert!(!text.contains(['{', '`']), "{text}");
        let too_large = |width| InspectError::TooLarge {
            format: Format::Tiff,
            width,
            height: 9,
            limit: "at most 8 pixels a side".to_owned(),
        };
        let text = too_large(0).to_string();
        assert!(!text.contains('0') && !text.contains('×'), "{text}");
        assert!(too_large(7).to_string().contains("7×9"));
    }
}
