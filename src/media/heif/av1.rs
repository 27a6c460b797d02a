//! AV1 stills, decoded by `rav1d`: one frame, on the calling thread. The only file with `unsafe` code, since
//! that decoder is driven through the C interface of dav1d, which it is a port of.
//!
//! The crate behind the name is `re_rav1d`, a fork with the same interface: rav1d 1.1.0 itself panics at any
//! damaged frame if it runs on one thread (its issue 1497), and a panic cannot unwind through its
//! `extern "C"` functions but ends the process. The fork returns an error there. Other panics would still end
//! the process; none were found.
//!
//! Every pointer that the decoder hands out is in the keeping of a type here that gives it back when dropped:
//! [`Input`], [`Decoder`] and [`Shown`].

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_CHR_COLOCATED, DAV1D_CHR_VERTICAL, DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420,
    DAV1D_PIXEL_LAYOUT_I422, DAV1D_PIXEL_LAYOUT_I444, Dav1dPixelLayout, Dav1dSequenceHeader,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture,
    dav1d_open, dav1d_parse_sequence_header, dav1d_picture_unref, dav1d_send_data,
};

use super::frame::{Chroma, Frame, Header, Samples, Siting};
use super::obu;
use super::properties::Nclx;
use crate::media::facts::NoPixels;

/// How often the decoder is asked for a picture. A still needs one or two turns, one with layers four.
const MAX_TURNS: u32 = 64;

fn damaged() -> NoPixels {
    NoPixels::Corrupt("its AV1 data is damaged".into())
}

/// A picture's data, and what its sequence header says.
pub(super) struct Stream<'a> {
    data: &'a [u8],
    pub(super) header: Header,
    /// Which operating point to decode (`a1op`), 0 to 31.
    point: u8,
    /// Whether film grain may be added, onto a second set of planes.
    has_grain: bool,
}

impl<'a> Stream<'a> {
    /// Reads the sequence header of an item's data.
    pub(super) fn new(data: &'a [u8], point: u8) -> Result<Self, NoPixels> {
        let unit = obu::sequence_header(data)?;
        let mut parsed = MaybeUninit::<Dav1dSequenceHeader>::uninit();
        // SAFETY: the first pointer is to memory for one header. The second and the length are those of a
        // live slice, which is only read during the call.
        let result = unsafe {
            dav1d_parse_sequence_header(
                NonNull::new(parsed.as_mut_ptr()),
                NonNull::new(unit.as_ptr().cast_mut()),
                unit.len(),
            )
        };
        if result.0 != 0 {
            return Err(damaged());
        }
        // SAFETY: the call said that it succeeded, so it has written the header.
        let parsed = unsafe { parsed.assume_init() };
        Ok(Self {
            data,
            header: header_of(&parsed)?,
            point: point.min(31),
            has_grain: parsed.film_grain_present != 0,
        })
    }

    /// What decoding holds at its worst, in bytes, the copy of the data included: planes with their padding, a
    /// second set if film grain is added, and 1.5 bytes a pixel and 2 MiB of the decoder's own. Measured for
    /// the last two: 0.4 bytes a pixel at 20 megapixels in 8 bits, 1.1 at 12 megapixels in 10 bits.
    pub(super) fn memory(&self) -> u64 {
        // The decoder pads both sides to a multiple of 128.
        let padded = Header {
            width: self.header.width.next_multiple_of(128),
            height: self.header.height.next_multiple_of(128),
            ..self.header
        };
        let sample = if self.header.depth > 8 { 2 } else { 1 };
        let sets = if self.has_grain { 2 } else { 1 };
        let own = padded.pixels() * 3 / 2 + (2 << 20);
        sets * padded.plane_bytes(sample) + own + self.data.len() as u64
    }

    /// Decodes the first picture.
    pub(super) fn decode(self) -> Result<Frame, NoPixels> {
        let decoder = Decoder::open(self.header.pixels(), self.point)?;
        let mut input = Input::copy_of(self.data)?;
        for _ in 0..MAX_TURNS {
            let sent = decoder.send(&mut input);
            if let Some(shown) = decoder.shown() {
                return frame_of(shown, decoder, self.header.siting);
            }
            match sent {
                Sent::Later => {}
                Sent::NoMemory => return Err(NoPixels::NoMemory),
                Sent::Taken | Sent::Damaged => break,
            }
        }
        Err(damaged())
    }
}

/// What the decoder did with data handed to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Taken,
    /// Not taken: a picture has to be fetched first.
    Later,
    Damaged,
    NoMemory,
}

/// Compressed data in memory that the decoder has allocated.
struct Input(Dav1dData);

impl Input {
    fn copy_of(bytes: &[u8]) -> Result<Self, NoPixels> {
        let mut input = Self(Dav1dData::default());
        // SAFETY: the pointer is to a live `Dav1dData`, which the call may overwrite.
        let start = unsafe { dav1d_data_create(Some(NonNull::from(&mut input.0)), bytes.len()) };
        if start.is_null() {
            return Err(NoPixels::NoMemory);
        }
        // SAFETY: the call gave a new allocation of `bytes.len()` bytes, which cannot overlap with `bytes`,
        // and nobody else has it yet.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(input)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // SAFETY: a `Dav1dData` is empty or owns a reference from `dav1d_data_create`; this gives it back
        // and leaves it empty.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// An open decoder.
struct Decoder(Option<Dav1dContext>);

impl Decoder {
    /// A decoder on this thread alone that refuses frames of more than `max_pixels`.
    fn open(max_pixels: u64, point: u8) -> Result<Self, NoPixels> {
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: the pointer is to memory for one `Dav1dSettings`, which the call fills completely.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0; // the best layer alone
        settings.operating_point = i32::from(point);
        // 0 would be "no limit".
        settings.frame_size_limit = u32::try_from(max_pixels).unwrap_or(u32::MAX).max(1);
        // SAFETY: without a callback there is nothing that could be called wrongly: messages are dropped.
        settings.logger = unsafe { Dav1dLogger::new(None, None) };
        let mut context = None;
        // SAFETY: both pointers are to live values. The settings are read once, and own nothing.
        let result = unsafe {
            dav1d_open(
                Some(NonNull::from(&mut context)),
                Some(NonNull::from(&mut settings)),
            )
        };
        if result.0 != 0 || context.is_none() {
            return Err(NoPixels::NoMemory);
        }
        Ok(Self(context))
    }

    /// Hands over data, which is empty once it has been taken.
    fn send(&self, input: &mut Input) -> Sent {
        if input.0.sz == 0 {
            return Sent::Taken;
        }
        // SAFETY: the context is open, and the data is alive and may be changed.
        let result = unsafe { dav1d_send_data(self.0, Some(NonNull::from(&mut input.0))) };
        match -result.0 {
            0 => Sent::Taken,
            libc::EAGAIN => Sent::Later,
            libc::ENOMEM => Sent::NoMemory,
            _ => Sent::Damaged,
        }
    }

    /// The next picture, if there is one.
    fn shown(&self) -> Option<Shown> {
        let mut shown = Shown(Dav1dPicture::default());
        // SAFETY: the context is open, and the picture is alive, owns nothing, and may be overwritten.
        let result = unsafe { dav1d_get_picture(self.0, Some(NonNull::from(&mut shown.0))) };
        (result.0 == 0 && shown.0.data[0].is_some()).then_some(shown)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context is from `dav1d_open`; the call takes it, and it is not used again.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

/// A picture in the decoder's memory.
struct Shown(Dav1dPicture);

impl Drop for Shown {
    fn drop(&mut self) {
        // SAFETY: the picture is empty or from `dav1d_get_picture`; the call gives its references back.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// The planes of a decoded picture. Fields are dropped in this order: the picture's memory belongs to a pool
/// of the decoder.
pub(super) struct Buffers {
    shown: Shown,
    _decoder: Decoder,
    /// Width and height of luma, and of chroma.
    sizes: [(u32, u32); 2],
    is_wide: bool,
}

impl Buffers {
    /// Copies the start of a row of a plane. False if the plane has no such row or it is shorter.
    pub(super) fn read_row(&self, plane: usize, y: u32, row: &mut [u16]) -> bool {
        let (width, height) = self.sizes[plane.min(1)];
        let start = self.shown.0.data.get(plane).copied().flatten();
        let (Some(start), Ok(stride)) = (start, usize::try_from(self.shown.0.stride[plane.min(1)]))
        else {
            return false;
        };
        let sample = if self.is_wide { 2 } else { 1 };
        if y >= height || row.len() > width as usize || stride < row.len() * sample {
            return false;
        }
        // SAFETY: a plane has `height` rows of `width` samples, `stride` bytes apart (see `frame_of`), so
        // that row `y` lies inside it.
        let start = unsafe { start.cast::<u8>().add(y as usize * stride) };
        if self.is_wide {
            // SAFETY: as above, for at most `width` samples of two bytes; planes start at multiples of 64
            // and strides are even. Nobody writes to a picture that was given out.
            row.copy_from_slice(unsafe {
                std::slice::from_raw_parts(start.cast::<u16>().as_ptr(), row.len())
            });
        } else {
            // SAFETY: as above, for samples of one byte.
            let samples = unsafe { std::slice::from_raw_parts(start.as_ptr(), row.len()) };
            for (to, &from) in row.iter_mut().zip(samples) {
                *to = u16::from(from);
            }
        }
        true
    }
}

fn frame_of(shown: Shown, decoder: Decoder, siting: Siting) -> Result<Frame, NoPixels> {
    let parameters = &shown.0.p;
    let width = u32::try_from(parameters.w).map_err(|_| damaged())?;
    let height = u32::try_from(parameters.h).map_err(|_| damaged())?;
    let depth = u8::try_from(parameters.bpc).map_err(|_| damaged())?;
    let chroma = chroma_of(parameters.layout)?;
    if !matches!(depth, 8 | 10 | 12)
        || width == 0
        || height == 0
        || shown.0.stride.iter().any(|s| s % 2 != 0)
    {
        return Err(damaged());
    }
    let (across, down) = chroma.shifts().unwrap_or((0, 0));
    let chroma_size = match chroma {
        Chroma::None => (0, 0),
        _ => ((width + across) >> across, (height + down) >> down),
    };
    Ok(Frame {
        width,
        height,
        chroma,
        depths: [depth; 2],
        siting,
        samples: Samples::Av1(Box::new(Buffers {
            shown,
            _decoder: decoder,
            sizes: [(width, height), chroma_size],
            is_wide: depth > 8,
        })),
    })
}

fn chroma_of(layout: Dav1dPixelLayout) -> Result<Chroma, NoPixels> {
    match layout {
        DAV1D_PIXEL_LAYOUT_I400 => Ok(Chroma::None),
        DAV1D_PIXEL_LAYOUT_I420 => Ok(Chroma::Half),
        DAV1D_PIXEL_LAYOUT_I422 => Ok(Chroma::HalfWidth),
        DAV1D_PIXEL_LAYOUT_I444 => Ok(Chroma::Full),
        _ => Err(damaged()),
    }
}

fn header_of(parsed: &Dav1dSequenceHeader) -> Result<Header, NoPixels> {
    let code_point = |value: u32| u16::try_from(value).unwrap_or(2);
    Ok(Header {
        width: u32::try_from(parsed.max_width).map_err(|_| damaged())?,
        height: u32::try_from(parsed.max_height).map_err(|_| damaged())?,
        chroma: chroma_of(parsed.layout)?,
        depth: match parsed.hbd {
            0 => 8,
            1 => 10,
            _ => 12,
        },
        // Where the stream does not say it, encoders of stills average the samples around.
        siting: Siting {
            is_between_columns: !matches!(parsed.chr, DAV1D_CHR_VERTICAL | DAV1D_CHR_COLOCATED),
            is_between_rows: parsed.chr != DAV1D_CHR_COLOCATED,
        },
        nclx: Nclx {
            primaries: code_point(parsed.pri),
            transfer: code_point(parsed.trc),
            matrix: code_point(parsed.mtrx),
            is_full_range: parsed.color_range != 0,
        },
    })
}
