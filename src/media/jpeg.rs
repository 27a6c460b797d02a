//! JPEG at reduced scale, by the libjpeg-turbo family (`mozjpeg`): the inverse DCT itself gives
//! 1/2, 1/4 or 1/8 of the size, which leaves little more than the entropy decoding to pay.
//!
//! libjpeg reports through callbacks. Ours print nothing, unwind on errors without passing the
//! panic hook, and know the warnings that matter: compressed data that ran out because the *file*
//! did, which is a half-copied file and refused unless [`Care::TakeWhatIsThere`] is wanted, and data
//! that cannot be what was written. All else that libjpeg can paint over is nothing a viewer shows.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mozjpeg::decompress::DecompressBuilder;
use mozjpeg::{ColorSpace, Decompress};
use mozjpeg_sys::{
    JERR_FILE_READ, JERR_INPUT_EMPTY, JERR_INPUT_EOF, JERR_OUT_OF_MEMORY, JWRN_BOGUS_PROGRESSION,
    JWRN_EXTRANEOUS_DATA, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC,
    c_int, jpeg_common_struct, jpeg_decompress_struct, jpeg_error_mgr, jpeg_std_error,
};

use super::error::InspectError;
use super::jpeg_layout::{Coding, Layout};
use super::limits::Limits;
use super::picture::{Channels, Picture};
use super::wording;
use crate::photo::Format;

/// The least a scaled decode must keep, in pixels of the stored picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    /// Of the shorter side.
    pub(super) short: f64,
    /// Of the longer side.
    pub(super) long: f64,
}

impl Need {
    /// Eighths of the full size: the smallest of 1, 2, 4, 8 that keeps enough. The scales between
    /// have no SIMD in libjpeg and cost more than the next larger one.
    pub(super) fn eighths(self, width: u32, height: u32) -> u8 {
        let enough = |n: &u8| {
            let scale = f64::from(*n) / 8.0;
            f64::from(width.min(height)) * scale >= self.short
                && f64::from(width.max(height)) * scale >= self.long
        };
        [1, 2, 4].into_iter().find(enough).unwrap_or(8)
    }

    /// All of the picture.
    pub(super) const WHOLE: Self = Self {
        short: f64::INFINITY,
        long: f64::INFINITY,
    };

    /// True if half of the size is enough.
    pub(super) fn allows_half(self, width: u32, height: u32) -> bool {
        self.eighths(width, height) <= 4
    }
}

/// What to do with a file whose data end before its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Refuse it.
    WantAll,
    /// Show what is there.
    TakeWhatIsThere,
}

/// A picture with less data than this shows nothing.
const LEAST_DATA: usize = 512;

/// So many bytes between the last row and the end are what wrong codes have left over; some cameras
/// leave a few.
const LEFT_OVER: c_int = 64;
/// The second byte of the marker that ends a picture …
const END_MARKER: c_int = 0xD9;
/// … and of those that come before another scan: its tables, and its own.
const SCAN_MARKERS: [c_int; 2] = [0xC4, 0xDA];

thread_local! {
    /// The decoder of this thread has met data that cannot be what was written.
    static WRONG_DATA: Cell<bool> = const { Cell::new(false) };
    /// It gathers several scans.
    static MANY_SCANS: Cell<bool> = const { Cell::new(false) };
}

/// Decodes at the smallest scale that satisfies `need`. Also says whether some of the data was wrong,
/// so that part of the picture is not what it was.
pub(super) fn decode(
    bytes: &[u8],
    layout: &Layout<'_>,
    need: Need,
    care: Care,
    limits: &Limits,
) -> Result<(Picture, bool), InspectError> {
    let format = Format::Jpeg;
    let truncated = || InspectError::Truncated { format };
    let frame = match &layout.frame {
        Some(frame) if layout.has_scan() => frame,
        _ if has_end_marker(bytes) => {
            return Err(InspectError::corrupt(format, "there is no picture in it"));
        }
        _ => return Err(truncated()),
    };
    let size = (frame.width, frame.height);
    limits.check_size(format, size.0, size.1)?;
    if frame.coding == Coding::Exotic {
        return Err(InspectError::unsupported(
            format,
            "lossless or hierarchical coding",
        ));
    }
    // The standard has 8 and 12 for all coding that is not lossless.
    match frame.precision {
        8 => {}
        12 => {
            let why = "12 bits a sample instead of 8";
            return Err(InspectError::unsupported(format, why));
        }
        n => {
            let what = format!("it claims {n} bits a sample");
            return Err(InspectError::corrupt(format, what));
        }
    }
    let eighths = need.eighths(size.0, size.1);
    let side = |v: u32| u64::from((v * u32::from(eighths)).div_ceil(8));
    let mut memory = side(size.0) * side(size.1) * frame.components.len() as u64;
    let mut lost_scan = false;
    let arithmetic = matches!(frame.coding, Coding::Arithmetic { .. });
    if layout.is_multi_scan() || arithmetic || ends_in_zeros(bytes) {
        let scans = layout.scans();
        limits.check_scans(size, scans.count)?;
        // Between scans, in arithmetic data and in zeros the decoder cannot notice the end itself.
        // Scans that are missing before the end marker were left out on purpose: a coarse picture. Unless
        // something else stands there.
        lost_scan = layout.is_multi_scan() && !scans.complete && scans.strays;
        let suspicious = !scans.complete || arithmetic || ends_in_zeros(bytes);
        if suspicious && !scans.ended && care == Care::WantAll {
            return Err(truncated());
        }
        if layout.is_multi_scan() {
            memory += frame.coefficient_bytes();
        }
    }
    limits.check_alloc(format, size, memory)?;
    if care == Care::TakeWhatIsThere && layout.scan_bytes() < LEAST_DATA {
        return Err(truncated());
    }
    WRONG_DATA.set(false);
    MANY_SCANS.set(layout.is_multi_scan());
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        scaled(bytes, eighths, layout.adobe, care)
    }));
    match decoded {
        Ok(Ok(mut picture)) => {
            let scale = f64::from(eighths) / 8.0;
            picture.content = (f64::from(size.0) * scale, f64::from(size.1) * scale);
            Ok((picture, WRONG_DATA.get() || lost_scan))
        }
        Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => Err(truncated()),
        Ok(Err(e)) => Err(wording::refusal(format, size, &e.to_string())),
        Err(payload) => match payload.downcast::<Stop>() {
            Ok(stop) => match *stop {
                Stop::FileEnded => Err(truncated()),
                Stop::NoMemory => Err(InspectError::NoMemory { format }),
                Stop::Error(message) => Err(wording::refusal(format, size, &message)),
            },
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// True when the file's last bytes hold an end-of-image marker, trailing padding aside.
pub(super) fn has_end_marker(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(64)..];
    tail.windows(2).any(|w| w == [0xFF, 0xD9])
}

/// A copy that was preallocated and never finished ends in zeros, and so do files padded to a
/// block: only a walk to the end marker tells one from the other.
fn ends_in_zeros(bytes: &[u8]) -> bool {
    const RUN: usize = 64;
    bytes.len() > RUN && bytes[bytes.len() - RUN..].iter().all(|b| *b == 0)
}

fn scaled(bytes: &[u8], eighths: u8, adobe: bool, care: Care) -> io::Result<Picture> {
    let mut header = DecompressBuilder::new()
        .with_err(silent_errors(care))
        .from_mem(bytes)?;
    header.scale(eighths);
    match header.color_space() {
        ColorSpace::JCS_GRAYSCALE => rows(header, ColorSpace::JCS_GRAYSCALE, Channels::Grey),
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => {
            let mut picture = rows(header, ColorSpace::JCS_CMYK, Channels::Rgb)?;
            picture.data = cmyk_to_rgb(picture.data, adobe);
            Ok(picture)
        }
        _ => rows(header, ColorSpace::JCS_RGB, Channels::Rgb),
    }
}

fn rows(header: Decompress<&[u8]>, space: ColorSpace, channels: Channels) -> io::Result<Picture> {
    let mut started = header.to_colorspace(space)?;
    let (width, height) = (started.width() as u32, started.height() as u32);
    let data = started.read_scanlines::<u8>()?;
    // What follows the last row cannot change the picture; it may show that the data are not what was
    // written, and no more than that is made of it.
    let _ = catch_unwind(AssertUnwindSafe(|| started.finish()));
    Ok(Picture::new(width, height, channels, data))
}

/// Naive CMYK, as viewers without colour management show it; Adobe stores it inverted.
fn cmyk_to_rgb(mut data: Vec<u8>, inverted: bool) -> Vec<u8> {
    let ink = |v: u8| u16::from(if inverted { v } else { 255 - v });
    let pixels = data.len() / 4;
    for i in 0..pixels {
        let black = ink(data[4 * i + 3]);
        for c in 0..3 {
            data[3 * i + c] = ((ink(data[4 * i + c]) * black + 127) / 255) as u8;
        }
    }
    data.truncate(3 * pixels);
    data
}

/// What our callbacks unwind with.
enum Stop {
    /// The file ended where compressed data was wanted.
    FileEnded,
    /// It asked the system for memory in vain.
    NoMemory,
    /// libjpeg gave up; its message.
    Error(String),
}

/// Set in `num_warnings` (which libjpeg itself never reads) once the file's end was met.
const FILE_ENDED: std::ffi::c_long = 1 << 30;

fn silent_errors(care: Care) -> jpeg_error_mgr {
    // SAFETY: all-zero is a valid `jpeg_error_mgr` (integers, nullable pointers, `None` callbacks),
    // and `jpeg_std_error` only fills the one it is given with callbacks and static tables.
    let mut errors = unsafe {
        let mut errors: jpeg_error_mgr = std::mem::zeroed();
        jpeg_std_error(&mut errors);
        errors
    };
    errors.error_exit = Some(on_error);
    errors.emit_message = Some(match care {
        Care::WantAll => on_message,
        Care::TakeWhatIsThere => on_message_about_a_part,
    });
    errors
}

/// libjpeg cannot go on. `resume_unwind` carries the reason out past C without the panic hook.
#[cold]
unsafe extern "C-unwind" fn on_error(cinfo: &mut jpeg_common_struct) {
    // SAFETY: libjpeg calls back with the error manager it was given, alive in the decompressor.
    let errors = unsafe { &*cinfo.err };
    let (code, format_message) = (errors.msg_code, errors.format_message);
    let file_ended = errors.num_warnings & FILE_ENDED != 0
        || [JERR_FILE_READ, JERR_INPUT_EMPTY, JERR_INPUT_EOF]
            .iter()
            .any(|c| *c as c_int == code);
    if file_ended {
        resume_unwind(Box::new(Stop::FileEnded));
    }
    if code == JERR_OUT_OF_MEMORY as c_int {
        resume_unwind(Box::new(Stop::NoMemory));
    }
    resume_unwind(Box::new(Stop::Error(match format_message {
        None => format!("libjpeg error {code}"),
        Some(write) => {
            type WriteInto = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, *mut u8);
            let mut text = [0_u8; 80];
            // SAFETY: the binding says `&[u8; 80]` for what C calls `char *` and writes to; both
            // are one pointer. It writes a NUL-terminated string of at most 80 bytes
            // (JMSG_LENGTH_MAX), which is the buffer's size.
            unsafe {
                let write: WriteInto = std::mem::transmute(write);
                write(cinfo, text.as_mut_ptr());
            }
            let len = text.iter().position(|b| *b == 0).unwrap_or(text.len());
            String::from_utf8_lossy(&text[..len]).into_owned()
        }
    })));
}

/// Warnings and trace messages. Said to nobody; one pair of them means a half-copied file.
#[cold]
unsafe extern "C-unwind" fn on_message(cinfo: &mut jpeg_common_struct, _level: c_int) {
    let is_after_a_scan = is_after_a_scan(cinfo);
    // SAFETY: as in `on_error`; libjpeg is single-threaded and holds no reference meanwhile.
    let errors = unsafe { &mut *cinfo.err };
    if errors.msg_code == JWRN_JPEG_EOF as c_int {
        errors.num_warnings |= FILE_ENDED;
    } else if errors.msg_code == JWRN_HIT_MARKER as c_int && errors.num_warnings & FILE_ENDED != 0 {
        resume_unwind(Box::new(Stop::FileEnded));
    }
    note_wrong_data(errors, is_after_a_scan);
}

/// The same where half a picture is better than none.
#[cold]
unsafe extern "C-unwind" fn on_message_about_a_part(cinfo: &mut jpeg_common_struct, _level: c_int) {
    let is_after_a_scan = is_after_a_scan(cinfo);
    // SAFETY: as in `on_message`.
    note_wrong_data(unsafe { &mut *cinfo.err }, is_after_a_scan);
}

/// Whether a scan of a picture of several has been read.
fn is_after_a_scan(cinfo: &jpeg_common_struct) -> bool {
    if cinfo.is_decompressor == 0 || !MANY_SCANS.get() {
        return false;
    }
    // SAFETY: what says that it is a decompressor is the beginning of one.
    let decompressor = unsafe { &*std::ptr::from_ref(cinfo).cast::<jpeg_decompress_struct>() };
    decompressor.input_scan_number > 0
}

fn note_wrong_data(errors: &mut jpeg_error_mgr, is_after_a_scan: bool) {
    let code = errors.msg_code;
    let wrong = [
        JWRN_HIT_MARKER,
        JWRN_HUFF_BAD_CODE,
        JWRN_MUST_RESYNC,
        // A scan adds to what an earlier one should have brought.
        JWRN_BOGUS_PROGRESSION,
    ];
    if wrong.iter().any(|w| *w as c_int == code) {
        WRONG_DATA.set(true);
    }
    if code == JWRN_EXTRANEOUS_DATA as c_int {
        // SAFETY: of a message with numbers these are eight, as libjpeg's own `WARNMS2` writes them.
        let [count, marker, ..] = unsafe { *errors.msg_parm.i() };
        let is_next = is_after_a_scan && SCAN_MARKERS.contains(&marker);
        if count >= LEFT_OVER && (marker == END_MARKER || is_next) {
            WRONG_DATA.set(true);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_sufficient_scale_is_chosen() {
        let need = Need {
            short: 320.0,
            long: 256.0,
        };
        assert_eq!(need.eighths(4032, 3024), 1);
        assert_eq!(need.eighths(3024, 4032), 1);
        assert_eq!(need.eighths(2566, 1500), 2);
        assert_eq!(need.eighths(1400, 700), 4);
        assert_eq!(need.eighths(640, 480), 8);
        assert_eq!(
            need.eighths(60_000, 10),
            8,
            "a thin strip keeps its short side"
        );
    }

    #[test]
    fn cmyk_black_is_black_either_way_round() {
        assert_eq!(
            cmyk_to_rgb(vec![255, 255, 255, 255, 0, 0, 0, 0], true),
            [255, 255, 255, 0, 0, 0]
        );
        assert_eq!(
            cmyk_to_rgb(vec![0, 0, 0, 0, 9, 9, 9, 255], false),
            [255, 255, 255, 0, 0, 0]
        );
        assert_eq!(
            cmyk_to_rgb(vec![0, 255, 255, 255], true),
            [0, 255, 255],
            "pure cyan"
        );
    }
}
