//! Floor 0: what a photo is, in plain values. No I/O, no clock, no database.
//!
//! Content owns results and paths only point at it: [`ContentHash`] is a photo's identity,
//! [`RelPath`] is one of the places where it lies, [`FileStamp`] is what the file system says of
//! that place without opening the file.

mod locality;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::said::Said;
pub use locality::{Locality, LocalityNames};

/// What one `stat` tells about a file: enough to say "unchanged" without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileStamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch (negative before it).
    pub mtime_ns: i64,
    /// Inode change time, nanoseconds since the Unix epoch; users cannot set it back.
    pub ctime_ns: i64,
    /// Inode number on its volume.
    pub inode: u64,
}

impl FileStamp {
    /// Reads the stamp from file metadata.
    pub fn of(meta: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            size: meta.len(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }

    /// The change test: compares the stamp that was indexed with the one found now.
    ///
    /// Size or mtime differ: [`Verdict::Changed`]. Only ctime or inode differ (chmod, rename,
    /// restored backup, mtime set back by hand): [`Verdict::Touched`], the bytes are hashed again
    /// but not decoded when the hash is known.
    pub fn compare(&self, now: &Self) -> Verdict {
        if self.size != now.size || self.mtime_ns != now.mtime_ns {
            Verdict::Changed
        } else if self.ctime_ns != now.ctime_ns || self.inode != now.inode {
            Verdict::Touched
        } else {
            Verdict::Unchanged
        }
    }
}

/// Seconds and nanoseconds as one signed count, saturating (years 1677 to 2262).
pub fn nanos(sec: i64, nsec: i64) -> i64 {
    sec.saturating_mul(1_000_000_000).saturating_add(nsec)
}

/// What the pre-filter says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The row and the file agree: no byte is read.
    Unchanged,
    /// Only ctime or inode moved: hash again.
    Touched,
    /// New, or size or mtime differ: read, hash, inspect.
    Changed,
    /// A row without a file: forget the path (its content stays while other paths point at it).
    Gone,
}

/// A path relative to its root: bytes as the file system has them, `/`-separated, no leading
/// slash; the empty path is the root itself. Ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// From bytes that are already relative and `/`-separated.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The path of `absolute` below `root`; `None` if it does not lie there.
    pub fn below(root: &Path, absolute: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let rel = absolute.strip_prefix(root).ok()?;
        Some(Self(rel.as_os_str().as_bytes().to_vec()))
    }

    /// This directory's entry `name`.
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The bytes, as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last component.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// The directory this path lies in; `None` for the root itself.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].to_vec()))
    }

    /// True for the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// True if this path is `dir` or lies anywhere below it.
    pub fn is_within(&self, dir: &Self) -> bool {
        dir.is_root()
            || self.0 == dir.0
            || (self.0.len() > dir.0.len()
                && self.0.starts_with(&dir.0)
                && self.0[dir.0.len()] == b'/')
    }

    /// The file-name extension in lower-case ASCII, if there is one.
    pub fn extension(&self) -> Option<String> {
        let (_, ending) = split_name(self.name())?;
        Some(std::str::from_utf8(ending).ok()?.to_ascii_lowercase())
    }

    /// The absolute path below `root`.
    pub fn under(&self, root: &Path) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        if self.is_root() {
            return root.to_path_buf();
        }
        root.join(std::ffi::OsStr::from_bytes(&self.0))
    }
}

/// A file's name before and after its last dot; `None` where it has no ending.
pub fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = name.iter().rposition(|b| *b == b'.').filter(|d| *d > 0)?;
    Some((&name[..dot], &name[dot + 1..]))
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// BLAKE3 of a file's bytes: a photo's identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// From 64 hex digits; anything else is none.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// What a photo looks like, as bits: similar photos differ in few of them
/// (DoubleGradient over 16×16; fewer than 10 differing bits is "very similar").
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PerceptualHash(pub Vec<u8>);

impl PerceptualHash {
    /// How many bits differ; `None` if the two have different lengths.
    pub fn distance(&self, other: &Self) -> Option<u32> {
        (self.0.len() == other.0.len()).then(|| {
            self.0
                .iter()
                .zip(&other.0)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum()
        })
    }

    /// Lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for PerceptualHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        })
}

/// The file formats photond knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Tiff,
    Bmp,
    Ico,
    Tga,
    Pnm,
    Heic,
    Avif,
    Jxl,
    Jp2,
    Psd,
    Raw,
}

impl Format {
    /// The format with a name that [`name`](Self::name) gives.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Jpeg,
            Self::Png,
            Self::Gif,
            Self::Webp,
            Self::Tiff,
            Self::Bmp,
            Self::Ico,
            Self::Tga,
            Self::Pnm,
            Self::Heic,
            Self::Avif,
            Self::Jxl,
            Self::Jp2,
            Self::Psd,
            Self::Raw,
        ];
        all.into_iter().find(|format| format.name() == name)
    }

    /// The name used in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Tiff => "tiff",
            Self::Bmp => "bmp",
            Self::Ico => "ico",
            Self::Tga => "tga",
            Self::Pnm => "pnm",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::Jxl => "jxl",
            Self::Jp2 => "jp2",
            Self::Psd => "psd",
            Self::Raw => "raw",
        }
    }
}

/// When a photo was taken, as its camera's clock said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedAt {
    /// Local wall time, `YYYY-MM-DDTHH:MM:SS`; always a valid date and time.
    pub local: String,
    /// Minutes east of UTC, where the camera said so.
    pub offset_minutes: Option<i32>,
}

impl CapturedAt {
    /// ISO 8601, with the offset where it is known (`2024-07-03T18:04:11+02:00`).
    pub fn to_iso(&self) -> String {
        match self.offset_minutes {
            None => self.local.clone(),
            Some(0) => format!("{}Z", self.local),
            Some(m) => {
                let sign = if m < 0 { '-' } else { '+' };
                format!(
                    "{}{sign}{:02}:{:02}",
                    self.local,
                    m.abs() / 60,
                    m.abs() % 60
                )
            }
        }
    }
}

/// What EXIF says of a photo, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exif {
    /// When it was taken.
    pub captured_at: Option<CapturedAt>,
    /// Camera maker and model as one readable name (`Canon EOS 40D`).
    pub camera: Option<String>,
    /// Lens model.
    pub lens: Option<String>,
    /// Exposure time in seconds.
    pub exposure_s: Option<f64>,
    /// Aperture (f-number).
    pub f_number: Option<f64>,
    /// ISO speed.
    pub iso: Option<u32>,
    /// Focal length in millimetres.
    pub focal_length_mm: Option<f64>,
    /// Degrees north (−90…90), finite.
    pub lat: Option<f64>,
    /// Degrees east (−180…180), finite.
    pub lon: Option<f64>,
    /// Metres above sea level.
    pub altitude_m: Option<f64>,
}

/// A 256 px preview, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// MIME type of `bytes`.
    pub mime: &'static str,
    /// The encoded image.
    pub bytes: Vec<u8>,
}

/// Why a picture is not, or not wholly, to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelTrouble {
    /// Stable short key: `truncated`, `too-large`, `unsupported`, …
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// How much of a photo's picture could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// All of it.
    Whole,
    /// Only the small picture that the file carries beside the large one, until there is time for that.
    Preview,
    /// As far as it could be decoded; the rest is missing or wrong.
    Damaged(PixelTrouble),
    /// Only the small picture that the file carries beside the large one.
    Thumbnail(PixelTrouble),
    /// Nothing: what is known of the photo is what its metadata say.
    None(PixelTrouble),
}

impl Pixels {
    /// The name used in the database and in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Preview => "preview",
            Self::Damaged(_) => "damaged",
            Self::Thumbnail(_) => "thumbnail",
            Self::None(_) => "none",
        }
    }

    /// What is wrong, if anything is.
    pub fn trouble(&self) -> Option<&PixelTrouble> {
        match self {
            Self::Whole | Self::Preview => None,
            Self::Damaged(trouble) | Self::Thumbnail(trouble) | Self::None(trouble) => {
                Some(trouble)
            }
        }
    }
}

/// Everything one look at a photo's bytes gives, before any model has seen it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What the bytes are (not what the name says).
    pub format: Format,
    /// Width in pixels as displayed: orientation applied. 0: not known.
    pub width: u32,
    /// Height in pixels as displayed: orientation applied. 0: not known.
    pub height: u32,
    /// EXIF orientation as found, 1 to 8.
    pub orientation: u8,
    /// Camera metadata.
    pub exif: Exif,
    /// What people and programs say of it.
    pub said: Said,
    /// How much of the picture all that follows was made of.
    pub pixels: Pixels,
    /// Hash of the upright picture; empty without pixels.
    pub perceptual_hash: PerceptualHash,
    /// Preview of the upright picture; absent without pixels.
    pub thumbnail: Option<Thumbnail>,
    /// What tells its kind.
    pub looks: crate::looks::Looks,
    /// Model inputs made from the upright picture, one a spec that was asked for, in their order; none
    /// without pixels.
    pub tensors: Vec<crate::embedding::ModelInput>,
}
