//! What parent and child say to each other.
//!
//! A request and a reply are one message each on a socket; pictures lie in
//! memory that both have mapped: the reply's at its beginning, the file's behind that. The parent
//! takes a reply for what a stranger says: every length, number and text is held against what can be
//! true of a photo before anything is done with it.

use std::io::{self, Read, Write};

use ndarray::Array3;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sandbox::Walls;
use crate::embedding::{Fit, InputSpec, Letterbox, ModelInput};
use crate::looks::Looks;
use crate::media::{Extent, Refusal};
use crate::photo::{Exif, Format, Inspection, PerceptualHash, PixelTrouble, Pixels, Thumbnail};
use crate::said::Said;

/// Bytes at the beginning of the shared memory that are the reply's: tensors of a few models and a
/// thumbnail; 224² × 3 × 4 is 602,112, and 480² × 3 691,200; what looks closer wants up to 1600² × 3, 7,680,000.
pub(super) const REPLY_ROOM: usize = 16 << 20;
/// The longest message. A reply without its pictures has some hundred bytes, and what is said of the
/// photo: 64 KB of words and a caption of 120 KB at most, which JSON may double, with some signs about each word.
pub(super) const LONGEST: usize = 1 << 20;
/// Writes a message with its length before it.
pub(super) fn send(socket: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let len = u32::try_from(body.len())
        .ok()
        .filter(|n| *n as usize <= LONGEST);
    let len = len.ok_or(io::ErrorKind::InvalidInput)?;
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend(body);
    socket.write_all(&bytes)
}

/// Reads one.
///
/// # Errors
/// The other side has ended, takes longer than the socket's timeout, or says what is no message.
pub(super) fn receive<T: DeserializeOwned>(socket: &mut impl Read) -> io::Result<T> {
    let mut len = [0; 4];
    socket.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; len];
    socket.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Longest text in a reply that is shown to people, in bytes.
const LONGEST_TEXT: usize = 1024;
/// Longest name of a camera or lens, in bytes.
const LONGEST_NAME: usize = 512;

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Want {
    /// Everything, of so much of the picture.
    All(Extent),
    /// Model inputs alone.
    Tensors,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub want: Want,
    /// Bytes of the file, which lie behind [`REPLY_ROOM`].
    pub len: usize,
    /// Bytes that are mapped in all.
    pub mapped: usize,
    pub extension: Option<String>,
    pub inputs: Vec<InputSpec>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The first message, before any request.
    Ready(Walls),
    /// Everything of a photo. The tensors lie at the beginning of the shared memory, the thumbnail
    /// behind them.
    Seen(Box<Seen>),
    /// The tensors lie at the beginning of the shared memory.
    Tensors { letterboxed: Sizes },
    Refused {
        kind: String,
        message: String,
        passing: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    format: String,
    width: u32,
    height: u32,
    orientation: u8,
    camera: Option<String>,
    lens: Option<String>,
    /// exposure, f-number, focal length, latitude, longitude, altitude
    numbers: [Option<f64>; 6],
    iso: Option<u32>,
    said: Said,
    pixels: u8,
    trouble: Option<(String, String)>,
    phash: Vec<u8>,
    looks: Looks,
    /// Width, height, bytes.
    thumbnail: Option<(u32, u32, usize)>,
    /// Whether there are tensors.
    tensors: bool,
    letterboxed: Sizes,
}

/// Width and height of the picture in each letterbox, in order.
type Sizes = Vec<(u32, u32)>;

/// A reply that cannot be true.
#[derive(Debug, thiserror::Error)]
#[error("a decoding process gave an answer that cannot be true: {0}")]
pub(super) struct Lie(&'static str);

/// The child's side: puts a result into the shared memory and says what lies there.
pub(super) fn reply(seen: Result<Inspection, Refusal>, memory: &mut [u8]) -> Reply {
    let seen = match seen {
        Ok(seen) => seen,
        Err(refusal) => return refused(refusal),
    };
    let Some((at, letterboxed)) = put_tensors(&seen.tensors, memory) else {
        return refused(Refusal::no_memory());
    };
    let thumbnail = match &seen.thumbnail {
        None => None,
        Some(thumb) => match memory.get_mut(at..at + thumb.bytes.len()) {
            Some(room) => {
                room.copy_from_slice(&thumb.bytes);
                Some((thumb.width, thumb.height, thumb.bytes.len()))
            }
            None => return refused(Refusal::no_memory()),
        },
    };
    let exif = seen.exif;
    let trouble = seen.pixels.trouble();
    Reply::Seen(Box::new(Seen {
        format: seen.format.name().to_owned(),
        width: seen.width,
        height: seen.height,
        orientation: seen.orientation,
        camera: exif.camera,
        lens: exif.lens,
        numbers: [
            exif.exposure_s,
            exif.f_number,
            exif.focal_length_mm,
            exif.lat,
            exif.lon,
            exif.altitude_m,
        ],
        iso: exif.iso,
        said: seen.said,
        pixels: match seen.pixels {
            Pixels::Whole => 0,
            Pixels::Damaged(_) => 1,
            Pixels::Thumbnail(_) => 2,
            Pixels::None(_) => 3,
            Pixels::Preview => 4,
        },
        trouble: trouble.map(|t| (t.kind.clone(), t.message.clone())),
        phash: seen.perceptual_hash.0,
        looks: seen.looks,
        thumbnail,
        tensors: !seen.tensors.is_empty(),
        letterboxed,
    }))
}

/// The same for tensors alone.
pub(super) fn tensors_reply(made: Result<Vec<ModelInput>, Refusal>, memory: &mut [u8]) -> Reply {
    match made.map(|tensors| put_tensors(&tensors, memory)) {
        Ok(Some((_, letterboxed))) => Reply::Tensors { letterboxed },
        Ok(None) => refused(Refusal::no_memory()),
        Err(refusal) => refused(refusal),
    }
}

pub(super) fn refused(refusal: Refusal) -> Reply {
    Reply::Refused {
        kind: refusal.kind,
        message: refusal.message,
        passing: refusal.is_passing,
    }
}

/// Where they end; `None`: they do not fit.
fn put_tensors(tensors: &[ModelInput], memory: &mut [u8]) -> Option<(usize, Sizes)> {
    let (mut at, mut letterboxed) = (0, Vec::new());
    for tensor in tensors {
        match tensor {
            ModelInput::Square(values) => {
                for value in values {
                    let room = memory.get_mut(at..at + 4)?;
                    room.copy_from_slice(&value.to_ne_bytes());
                    at += 4;
                }
            }
            ModelInput::Whole(whole) => {
                let pixels = whole.pixels.as_slice()?;
                memory
                    .get_mut(at..at + pixels.len())?
                    .copy_from_slice(pixels);
                at += pixels.len();
                letterboxed.push((whole.width, whole.height));
            }
        }
    }
    Some((at, letterboxed))
}

/// The parent's side: what a reply says, if it can be true. `memory` is the reply's room.
pub(super) fn inspection(
    reply: Reply,
    inputs: &[InputSpec],
    memory: &[u8],
) -> Result<Result<Inspection, Refusal>, Lie> {
    let seen = match reply {
        Reply::Seen(seen) => seen,
        Reply::Refused {
            kind,
            message,
            passing,
        } => return refusal(kind, message, passing).map(Err),
        Reply::Ready(_) | Reply::Tensors { .. } => return Err(Lie("it was not asked for")),
    };
    let format = Format::from_name(&seen.format).ok_or(Lie("its format"))?;
    let is_known = |(w, h): (u32, u32)| (w > 0) == (h > 0);
    check(is_known((seen.width, seen.height)), "its size")?;
    check((1..=8).contains(&seen.orientation), "its orientation")?;
    let trouble = match seen.trouble {
        Some((kind, message)) => {
            let checked = refusal(kind, message, false)?;
            Some(PixelTrouble {
                kind: checked.kind,
                message: checked.message,
            })
        }
        None => None,
    };
    let pixels = match (seen.pixels, trouble) {
        (0, None) => Pixels::Whole,
        (1, Some(trouble)) => Pixels::Damaged(trouble),
        (2, Some(trouble)) => Pixels::Thumbnail(trouble),
        (3, Some(trouble)) => Pixels::None(trouble),
        (4, None) => Pixels::Preview,
        _ => return Err(Lie("how much of it there is")),
    };
    let has_picture = !matches!(pixels, Pixels::None(_));
    check(seen.thumbnail.is_some() == has_picture, "its thumbnail")?;
    let has_tensors = has_picture && !inputs.is_empty();
    check(seen.tensors == has_tensors, "its tensors")?;
    check(
        seen.phash.len() == if has_picture { PHASH } else { 0 },
        "its perceptual hash",
    )?;
    let sizes = [
        (seen.looks.width, seen.looks.height),
        (seen.width, seen.height),
    ];
    let is_told = seen.looks.pixels.is_some() == has_picture;
    check(sizes[0] == sizes[1] && is_told, "its looks")?;
    let (tensors, at) = if has_tensors {
        take_tensors(inputs, &seen.letterboxed, memory)?
    } else {
        (Vec::new(), 0)
    };
    let thumbnail = match seen.thumbnail {
        None => None,
        Some((width, height, len)) => {
            let side = |v: u32| (1..=256).contains(&v);
            check(side(width) && side(height), "its thumbnail's size")?;
            let end = at.checked_add(len).ok_or(Lie("its thumbnail's length"))?;
            // Copied before it is looked at: the other side can still write there.
            let bytes = memory.get(at..end).map(<[u8]>::to_vec);
            let bytes = bytes.ok_or(Lie("its thumbnail's length"))?;
            check(bytes.starts_with(&[0xFF, 0xD8, 0xFF]), "its thumbnail")?;
            Some(Thumbnail {
                width,
                height,
                mime: THUMBNAIL_MIME,
                bytes,
            })
        }
    };
    let [exposure_s, f_number, focal_length_mm, lat, lon, altitude_m] = seen.numbers;
    let within = |value: Option<f64>, most: f64| value.is_none_or(|v| v.abs() <= most);
    check(
        within(exposure_s, 1e6) && within(f_number, 1e6) && within(focal_length_mm, 1e6),
        "its exposure",
    )?;
    check(
        within(lat, 90.0) && within(lon, 180.0) && within(altitude_m, 1e6),
        "its place",
    )?;
    for name in [&seen.camera, &seen.lens].into_iter().flatten() {
        check(name.len() <= LONGEST_NAME && is_printable(name), "a name")?;
    }
    check(seen.said.is_possible(), "what is said of it")?;
    Ok(Ok(Inspection {
        format,
        width: seen.width,
        height: seen.height,
        orientation: seen.orientation,
        exif: Exif {
            captured_at: seen.said.captured_at(),
            camera: seen.camera,
            lens: seen.lens,
            exposure_s,
            f_number,
            iso: seen.iso,
            focal_length_mm,
            lat,
            lon,
            altitude_m,
        },
        said: seen.said,
        pixels,
        perceptual_hash: PerceptualHash(seen.phash),
        looks: seen.looks,
        thumbnail,
        tensors,
    }))
}

/// The same for tensors alone.
pub(super) fn tensors(
    reply: Reply,
    inputs: &[InputSpec],
    memory: &[u8],
) -> Result<Result<Vec<ModelInput>, Refusal>, Lie> {
    match reply {
        Reply::Tensors { letterboxed } => {
            take_tensors(inputs, &letterboxed, memory).map(|(tensors, _)| Ok(tensors))
        }
        Reply::Refused {
            kind,
            message,
            passing,
        } => refusal(kind, message, passing).map(Err),
        Reply::Ready(_) | Reply::Seen(_) => Err(Lie("it was not asked for")),
    }
}

/// Bytes of a perceptual hash (`media::perceptual_hash`).
const PHASH: usize = 18;
/// What thumbnails are encoded as (`media::thumbnail`).
const THUMBNAIL_MIME: &str = "image/jpeg";

fn take_tensors(
    inputs: &[InputSpec],
    letterboxed: &[(u32, u32)],
    memory: &[u8],
) -> Result<(Vec<ModelInput>, usize), Lie> {
    let mut at = 0;
    let mut tensors = Vec::with_capacity(inputs.len());
    let mut letterboxed = letterboxed.iter();
    for spec in inputs {
        if let Fit::Letterbox(multiple) | Fit::Within(multiple) = spec.fit {
            let (width, height) = *letterboxed.next().ok_or(Lie("its letterboxes"))?;
            let longer = width.max(height);
            let fits = longer == spec.size || matches!(spec.fit, Fit::Within(_));
            let fits = fits && width.min(height) >= 1 && longer <= spec.size;
            check(fits, "a letterbox's size")?;
            let mut whole = Letterbox::black((width, height), multiple);
            let pixels = whole.pixels.as_slice_mut().unwrap_or_default();
            let bytes = memory.get(at..at + pixels.len());
            pixels.copy_from_slice(bytes.ok_or(Lie("its tensors' length"))?);
            at += pixels.len();
            tensors.push(ModelInput::Whole(whole));
            continue;
        }
        let side = spec.size as usize;
        let len = 3 * side * side;
        let bytes = memory
            .get(at..at + 4 * len)
            .ok_or(Lie("its tensors' length"))?;
        let values: Vec<f32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_ne_bytes(*b))
            .collect();
        check(values.iter().all(|v| v.is_finite()), "its tensors")?;
        let tensor = Array3::from_shape_vec((3, side, side), values);
        let tensor = tensor.map_err(|_| Lie("its tensors' shape"))?;
        tensors.push(ModelInput::Square(tensor));
        at += 4 * len;
    }
    check(letterboxed.next().is_none(), "its letterboxes")?;
    Ok((tensors, at))
}

fn refusal(kind: String, message: String, passing: bool) -> Result<Refusal, Lie> {
    let is_key = |c: char| c.is_ascii_lowercase() || c == '-';
    check(
        !kind.is_empty() && kind.len() <= 32 && kind.chars().all(is_key),
        "a kind of failure",
    )?;
    check(
        message.len() <= LONGEST_TEXT && is_printable(&message),
        "a sentence",
    )?;
    Ok(Refusal {
        kind,
        message,
        is_passing: passing,
    })
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn check(holds: bool, what: &'static str) -> Result<(), Lie> {
    holds.then_some(()).ok_or(Lie(what))
}
