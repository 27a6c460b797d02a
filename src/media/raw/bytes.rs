//! Numbers and slices out of untrusted bytes. Everything outside the bytes is `None`.

/// Which end of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// From TIFF's and CIFF's two letters: "II" (Intel) or "MM" (Motorola).
    pub(super) fn from_mark(mark: &[u8]) -> Option<Self> {
        match mark {
            [b'I', b'I', ..] => Some(Self::Little),
            [b'M', b'M', ..] => Some(Self::Big),
            _ => None,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Little => Self::Big,
            Self::Big => Self::Little,
        }
    }

    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(raw),
            Self::Big => u16::from_be_bytes(raw),
        })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(raw),
            Self::Big => u32::from_be_bytes(raw),
        })
    }

    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u64::from_le_bytes(raw),
            Self::Big => u64::from_be_bytes(raw),
        })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// `len` bytes from `at`, if all of them are there.
pub(super) fn slice(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// As many of `len` bytes from `at` as there are.
pub(super) fn available(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    let end = at.saturating_add(len).min(bytes.len());
    bytes.get(at..end).unwrap_or_default()
}

/// A 32-bit field as an offset or length.
pub(super) fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A run of bytes in the file, possibly reaching beyond its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) len: usize,
}
