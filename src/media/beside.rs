//! What a file beside a photo says of it: an XMP packet, or a note of a Google Takeout.
//!
//! Strangers' bytes, but small ones that no decoder of pictures sees: parsers without `unsafe` read
//! them, within limits of size, depth and work, and behind a fence that keeps a panic inside. A value
//! that cannot be is left out by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{takeout, xmp};
use crate::said::Said;
use crate::sidecar::{SidecarKind, SidecarWords};

/// The largest note that is read, in bytes. Google's have a few thousand.
const MAX_NOTE: u64 = 1 << 20;

/// The largest sidecar of a kind that is read, in bytes.
pub fn largest_sidecar(kind: SidecarKind) -> u64 {
    match kind {
        SidecarKind::Xmp => xmp::MAX_PACKET as u64,
        SidecarKind::Note => MAX_NOTE,
    }
}

/// What the bytes of a sidecar say; `None`: it is JSON of another kind and speaks of no photo.
///
/// # Errors
/// Why nothing can be read in it, in a few words for people.
pub fn read_sidecar(kind: SidecarKind, bytes: &[u8]) -> Result<Option<SidecarWords>, String> {
    let read = || match kind {
        SidecarKind::Xmp => xmp::read_sidecar(bytes).map(Some),
        SidecarKind::Note => Ok(takeout::read(bytes)?.map(|said| SidecarWords {
            said,
            derived_from: None,
        })),
    };
    let read = catch_unwind(AssertUnwindSafe(read));
    let words =
        read.unwrap_or_else(|_| Err("reading it failed: this is a mistake in photond".to_owned()))?;
    Ok(words.map(|words| SidecarWords {
        said: Said {
            // The file's own: nothing is decoded for a sidecar.
            orientation: None,
            ..words.said.tidied()
        },
        ..words
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DARKTABLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/" exif:DateTimeOriginal="2019:05:03 10:11:12.345" xmp:Rating="3" tiff:Orientation="6"
    xmpMM:DerivedFrom="bay.CR2">
   <dc:subject><rdf:Seq><rdf:li>darktable</rdf:li><rdf:li>format</rdf:li><rdf:li>cr2</rdf:li>
    <rdf:li>Lisbon</rdf:li><rdf:li>Places</rdf:li><rdf:li>boat</rdf:li></rdf:Seq></dc:subject>
   <lr:hierarchicalSubject><rdf:Seq><rdf:li>darktable|format|cr2</rdf:li><rdf:li>Places|Lisbon</rdf:li>
    <rdf:li>boat</rdf:li></rdf:Seq></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"#;

    #[test]
    fn xmp_says_what_and_whose_it_is() {
        let words = read_sidecar(SidecarKind::Xmp, DARKTABLE.as_bytes());
        let words = words.expect("XMP").expect("a sidecar");
        assert_eq!(words.derived_from.as_deref(), Some("bay.CR2"));
        let said = words.said;
        assert_eq!((said.rating, said.orientation), (Some(3), None));
        assert_eq!(said.dates[0].date.to_string(), "2019-05-03T10:11:12.345");
        let words: Vec<String> = said.keywords.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["boat", "Places|Lisbon"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in ["", "<x:xmpmeta", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"] {
            assert!(
                read_sidecar(SidecarKind::Xmp, text.as_bytes()).is_err(),
                "{text}"
            );
        }
        assert_eq!(read_sidecar(SidecarKind::Note, b"[1, 2]"), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_kept_of_anything_is_possible(
            at in 0..DARKTABLE.len(),
            put in prop::collection::vec(any::<u8>(), 0..8),
            is_xmp in any::<bool>(),
        ) {
            let mut bytes = DARKTABLE.as_bytes().to_vec();
            let end = (at + put.len()).min(bytes.len());
            bytes.splice(at..end, put);
            let kind = if is_xmp { SidecarKind::Xmp } else { SidecarKind::Note };
            if let Ok(Some(words)) = read_sidecar(kind, &bytes) {
                prop_assert!(words.said.is_possible());
            }
        }
    }
}
