//! Reading of the boxes that HEIF, AVIF and film files are made of (ISO/IEC 14496-12, 4.2). Nothing here
//! allocates, and nothing reads past the bytes it was given.

/// The four letters that name a box, an item's coding or a reference.
pub(super) type Kind = [u8; 4];

/// Big-endian fields, one after the other. Each read is `None` past the end.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn kind(&mut self) -> Option<Kind> {
        self.array()
    }

    /// A number of `size` bytes (0 to 8): nothing for 0, as `iloc` writes what it leaves out.
    pub(super) fn number(&mut self, size: u8) -> Option<u64> {
        let bytes = self.bytes(usize::from(size.min(8)))?;
        Some(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    /// An item's number: two bytes, or four if `is_wide`.
    pub(super) fn id(&mut self, is_wide: bool) -> Option<u32> {
        if is_wide {
            self.u32()
        } else {
            self.u16().map(u32::from)
        }
    }

    /// Version and flags, which start a "full" box.
    pub(super) fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0xFF_FFFF))
    }

    /// Text up to its zero byte, or up to the end where that is missing.
    pub(super) fn text(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| byte == 0);
        let text = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = self.rest.get(text.len() + 1..).unwrap_or_default();
        text
    }
}

/// One box.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    /// What follows the header, as far as the data goes.
    pub(super) body: &'a [u8],
    /// False if the box says that it is longer than the data that is there.
    pub(super) is_whole: bool,
}

/// The boxes in `bytes`, in order. Ends at the first header that makes no sense.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let mut fields = Fields::new(rest);
        let short = fields.u32()?;
        let kind = fields.kind()?;
        let size = match short {
            0 => rest.len() as u64, // up to the end of the file
            1 => fields.u64()?,
            _ => u64::from(short),
        };
        let header = rest.len() - fields.rest().len();
        if size < header as u64 {
            return None;
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX);
        let piece = Piece {
            kind,
            body: &rest[header..end.min(rest.len())],
            is_whole: end <= rest.len(),
        };
        rest = rest.get(end..).unwrap_or_default();
        Some(piece)
    })
}

/// The body of the first box of this kind.
pub(super) fn find<'a>(bytes: &'a [u8], kind: &Kind) -> Option<&'a [u8]> {
    pieces(bytes)
        .find(|piece| piece.kind == *kind)
        .map(|piece| piece.body)
}
