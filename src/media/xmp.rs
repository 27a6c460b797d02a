//! XMP: where containers keep the packet, and what it says.
//!
//! **Promises.** [`xmp_block`] and [`read`] are pure functions of bytes: no panic, and no time or
//! memory beyond what the size of the packet allows, whatever is in it. A value that cannot be is
//! left out by itself and told; a packet that is not XML says nothing, and that is told.
//!
//! **Never.** No document type definition is read, so there are no entities to multiply. No more
//! than [`MAX_PACKET`] is parsed, and nothing that would make the parser's work grow faster than
//! the packet (see `bounds`).
//!
//! | room | what is in it |
//! |---|---|
//! | `find` | the packet in JPEG (with its extension), PNG, WebP and GIF; other decoders find it themselves |
//! | `encoding` | from UTF-8, UTF-16 or UTF-32, whole or broken, to text that a parser takes |
//! | `bounds` | whether parsing stays a small job |
//! | `rdf` | the forms in which RDF may say one and the same thing |
//! | `read` | the fields that are read, and in which order of trust |
//! | `gps`, `regions` | coordinates; people and where their faces are |

mod bounds;
mod encoding;
mod find;
mod gps;
mod rdf;
mod read;
mod regions;
#[cfg(test)]
mod tests;

pub(super) use find::{is_about_these_pixels, xmp_block};
pub(super) use read::{read, read_sidecar};

/// Bytes of a packet that is read. Camera raw programs write some hundred kilobytes for a picture
/// with many masks; phones that put a depth map into XMP write megabytes.
pub(super) const MAX_PACKET: usize = 16 << 20;
