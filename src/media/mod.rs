//! From a file's bytes to everything photond can say of a picture before a model has seen it.
//!
//! **Promises.** [`Inspector::inspect`] is a pure function of its bytes (and an extension used only
//! where bytes have no signature): same input, same [`crate::photo::Inspection`], on any thread,
//! any number at once. All that comes out is *upright*: width and height, hash, thumbnail and
//! tensor have the EXIF orientation applied. Every failure is an [`InspectError`], decoder panics
//! included; none of them prints, and libjpeg errors do not even reach the panic hook.
//!
//! **Never.** No file, clock, database, environment or global state; no thread of its own; no more
//! memory than [`Limits`] allows, decided on the header before pixels are touched; no picture from
//! half a file: bytes that end before the picture does are [`InspectError::Truncated`], while what
//! every viewer forgives (trailing garbage, a missing end marker, broken EXIF) is forgiven here.
//!
//! **Cost.** One decode, and everything after it works on a small picture. JPEG, nearly every
//! photo there is, is decoded at 1/8 to 1/1 scale inside the DCT, at the smallest scale the model
//! input, hash and thumbnail can stand, so a 12-megapixel file takes a few megabytes and little
//! more than its entropy decoding. Other formats are decoded whole, within [`Limits::max_alloc`].
//!
//! | room | what is in it |
//! |---|---|
//! | `sniff` | format from the first 64 bytes |
//! | `jpeg`, `jpeg_layout` | scaled JPEG decode; what the markers say about size, EXIF, completeness |
//! | `decode` | one entrance for all formats; pixels reduced to 8-bit grey or RGB over white |
//! | `wholeness` | whether a file stops in the middle of a block |
//! | `picture` | 8-bit pixels and their resampling |
//! | `orientation` | the eight EXIF orientations, applied to small pictures only |
//! | `exif_block`, `exif` | where each container keeps EXIF; range-checked camera facts from it |
//! | `xmp`, `iptc`, `exif_words` | what people and programs say of a photo, in each standard |
//! | `beside`, `takeout` | what files beside a photo say of it |
//! | `said`, `date`, `text` | the same of all standards together; dates of all forms; text made safe to show |
//! | `perceptual_hash`, `thumbnail`, `tensor` | the three things made from pixels |
//! | `looks` | what tells the picture's kind: statistics of its pixels, signs in its file |
//! | `wording` | which error a decoder's complaint is, and what of its words is worth reading |
//! | `inspect` | the order of all this, and the panic fence |

mod beside;
mod decode;
mod error;
mod exif;
mod exif_block;
mod exif_words;
mod facts;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod heif;
mod icc;
mod inspect;
mod iptc;
mod jp2;
mod jpeg;
mod jpeg_layout;
mod jxl;
mod limits;
mod looks;
mod orientation;
mod perceptual_hash;
mod picture;
mod png_rows;
mod png_words;
mod psd;
mod raw;
mod room;
pub(crate) mod said_by;
mod sniff;
mod srgb;
mod takeout;
mod tensor;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod thumbnail;
mod tiff;
mod wholeness;
mod wording;
mod xmp;

pub use beside::{largest_sidecar, read_sidecar};
pub use error::{InspectError, Refusal};
pub use inspect::{Extent, Inspector, Inspects};
pub use limits::Limits;
pub use sniff::{SNIFF_LEN, sniff};
pub use thumbnail::preview;

/// Bumped whenever this module learns a format, forgives something it refused, or changes a value
/// it gives: failures recorded under an older version are tried again.
pub const DECODER_VERSION: u32 = 3;
