//! What a file says of its photo in all standards together.
//!
//! XMP, IPTC and EXIF are read each by itself into a [`Said`], then merged. Where they contradict
//! each other, the order is that of the Metadata Working Group's guidelines, as other programs
//! have it: cameras' facts (place, orientation) from EXIF first, people's words from XMP first,
//! then IPTC, then EXIF. Keywords and people are put together.

use super::{iptc, xmp};
use crate::said::Said;
use crate::said::text::folded;

/// What a file says: by its EXIF block ([`super::exif_words`]), XMP packet and IPTC records, as far
/// as it has them. Costs about a millisecond for what cameras and programs write.
pub(crate) fn said_by_file(exif: Said, xmp: Option<&[u8]>, iptc: Option<&[u8]>) -> Said {
    let xmp = xmp.map(xmp::read).unwrap_or_default();
    let iptc = iptc.map(iptc::read).unwrap_or_default();
    merged([xmp, iptc, exif])
}

/// One after the other in their order for words; for facts EXIF, which is the last, goes first.
fn merged([xmp, iptc, exif]: [Said; 3]) -> Said {
    let caption = xmp.caption.or(iptc.caption).or(exif.caption);
    // Programs write a caption into EXIF's title field too, for it has no better one.
    let is_caption = |title: &String| {
        caption
            .as_ref()
            .is_some_and(|caption| folded(caption) == folded(title))
    };
    let title = exif.title.filter(|title| !is_caption(title));
    let mut said = Said {
        orientation: exif.orientation.or(xmp.orientation),
        position: exif.position.or(xmp.position),
        title: xmp.title.or(iptc.title).or(title),
        caption,
        rating: xmp.rating.or(exif.rating),
        ..Said::default()
    };
    for (dates, keywords, people, dropped) in [
        (xmp.dates, xmp.keywords, xmp.people, xmp.dropped),
        (iptc.dates, iptc.keywords, iptc.people, iptc.dropped),
        (exif.dates, exif.keywords, exif.people, exif.dropped),
    ] {
        said.dates.extend(dates);
        said.keywords.extend(keywords);
        said.people.extend(people);
        said.dropped.extend(dropped);
    }
    said.tidied()
}

#[cfg(test)]
mod tests;
