//! The fields that are read, and in which order of trust.
//!
//! Sources of names and forms: XMP specification parts 1 and 2, MWG guidelines 2.0, and for
//! programs' own fields the files they write.

use roxmltree::{Document, ParsingOptions};

use super::bounds;
use super::encoding::decode;
use super::gps::{OUT_OF_RANGE, decimal, degrees, rational};
use super::rdf::{RdfValue, Statement, statements};
use super::{MAX_PACKET, regions};
use crate::said::text::{is_camera_default, line, paragraphs};
use crate::said::{
    DateField, Keyword, MAX_CAPTION, MAX_TITLE, MAX_WORD, Position, Said, Standard, is_blank_date,
    stars_of_percent,
};
use crate::sidecar::SidecarWords;

/// Whom values that are dropped were from.
pub(super) const STANDARD: Standard = Standard::Xmp;

/// Elements, texts and comments of a packet.
const MAX_NODES: u32 = 500_000;

const ACDSEE: &str = "http://ns.acdsee.com/iptc/1.0/";
const DC: &str = "http://purl.org/dc/elements/1.1/";
const DIGIKAM: &str = "http://www.digikam.org/ns/1.0/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const LIGHTROOM: &str = "http://ns.adobe.com/lightroom/1.0/";
const MEDIAPRO: &str = "http://ns.iview-multimedia.com/mediapro/1.0/";
const MICROSOFT: &str = "http://ns.microsoft.com/photo/1.0/";
const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";
const XMP_MEDIA: &str = "http://ns.adobe.com/xap/1.0/mm/";

/// Fields with keywords, and what is between the levels of a hierarchy in them.
const KEYWORDS: [(&str, &str, Option<char>); 7] = [
    (DC, "subject", None),
    (LIGHTROOM, "hierarchicalSubject", Some('|')),
    (DIGIKAM, "TagsList", Some('/')),
    (MICROSOFT, "LastKeywordXMP", Some('/')),
    (MICROSOFT, "LastKeywordIPTC", Some('/')),
    (MEDIAPRO, "CatalogSets", Some('|')),
    (ACDSEE, "keywords", None),
];

/// All that a packet says.
pub(crate) fn read(packet: &[u8]) -> Said {
    with_statements(packet, all_said).unwrap_or_else(|why| {
        let mut said = Said::default();
        said.tell(STANDARD, why);
        said
    })
}

/// All that an XMP file beside a photo says.
///
/// # Errors
/// Why nothing can be read in it.
pub(crate) fn read_sidecar(text: &[u8]) -> Result<SidecarWords, String> {
    with_statements(text, |all| {
        let derived_from = find(all, XMP_MEDIA, "DerivedFrom").map(RdfValue::text);
        SidecarWords {
            said: all_said(all),
            derived_from: derived_from.and_then(|name| line(&name, MAX_WORD)),
        }
    })
}

fn all_said(all: &[Statement]) -> Said {
    let mut said = Said::default();
    said.orientation = orientation_in(all, &mut said);
    dates(all, &mut said);
    position(all, &mut said);
    keywords(all, &mut said);
    said.rating = rating(all, &mut said);
    words(all, &mut said);
    regions::read(all, &mut said);
    said
}

/// True for a packet that something can be read in.
pub(super) fn is_sound(packet: &[u8]) -> bool {
    with_statements(packet, |_| ()).is_ok()
}

/// Calls `work` with what `packet` says, or gives the reason why nothing can be read in it.
fn with_statements<T>(packet: &[u8], work: impl FnOnce(&[Statement]) -> T) -> Result<T, String> {
    if packet.len() > MAX_PACKET {
        return Err(format!("a packet of {} MB is not read", packet.len() >> 20));
    }
    let text = decode(packet);
    if text.is_empty() {
        return Err("the packet is empty".to_owned());
    }
    bounds::check(&text).map_err(|why| format!("the packet is not read, for {why}"))?;
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&text, options)
        .map_err(|e| line(&format!("the packet is broken: {e}"), 120).unwrap_or_default())?;
    Ok(work(&statements(&document)))
}

/// The first value that a property has.
pub(super) fn find<'a>(all: &[Statement<'a>], space: &str, name: &str) -> Option<RdfValue<'a>> {
    each(all, space, name).next()
}

/// All that are said of a property: a packet and its extension may both have it.
fn each<'s, 'a>(
    all: &'s [Statement<'a>],
    space: &'s str,
    name: &'s str,
) -> impl Iterator<Item = RdfValue<'a>> + 's {
    let wanted = all
        .iter()
        .filter(move |statement| statement.is(space, name));
    wanted.map(|statement| statement.value)
}

fn orientation_in(all: &[Statement], said: &mut Said) -> Option<u8> {
    let text = find(all, TIFF, "Orientation")?.text();
    let value = text.trim().parse().ok().filter(|v| (1..=8).contains(v));
    // 0 is what cameras write that do not know it.
    if value.is_none() && text.trim() != "0" {
        said.drop_value(STANDARD, "Orientation", &text, OUT_OF_RANGE);
    }
    value
}

fn dates(all: &[Statement], said: &mut Said) {
    for (field, space, name) in [
        (DateField::XmpOriginal, EXIF, "DateTimeOriginal"),
        (DateField::XmpCreated, PHOTOSHOP, "DateCreated"),
        (DateField::XmpFileCreated, XMP, "CreateDate"),
    ] {
        let mut texts = each(all, space, name).map(RdfValue::text);
        if let Some(text) = texts.find(|text| !is_blank_date(text)) {
            said.add_date(STANDARD, field, name, &text);
        }
    }
}

fn position(all: &[Statement], said: &mut Said) {
    let mut angle = |name: &str, reference: &str, letters, most| {
        let text = find(all, EXIF, name)?.text();
        let reference = find(all, EXIF, reference).map(RdfValue::text);
        let degrees = degrees(&text, reference.as_deref(), letters, most);
        degrees
            .map_err(|why| said.drop_value(STANDARD, name, &text, why))
            .ok()
    };
    let lat = angle("GPSLatitude", "GPSLatitudeRef", ['N', 'S'], 90.0);
    let lon = angle("GPSLongitude", "GPSLongitudeRef", ['E', 'W'], 180.0);
    let (Some(lat), Some(lon)) = (lat, lon) else {
        return;
    };
    // Exactly there is what receivers write before they have a fix.
    if (lat, lon) != (0.0, 0.0) {
        said.position = Some(Position {
            lat,
            lon,
            altitude_m: altitude(all, said),
            source: STANDARD,
        });
    }
}

fn altitude(all: &[Statement], said: &mut Said) -> Option<f64> {
    let text = find(all, EXIF, "GPSAltitude")?.text();
    let below = find(all, EXIF, "GPSAltitudeRef").is_some_and(|r| r.text().trim() == "1");
    let metres = rational(&text).filter(|m| m.abs() <= Position::MAX_ALTITUDE);
    if metres.is_none() {
        said.drop_value(STANDARD, "GPSAltitude", &text, OUT_OF_RANGE);
    }
    metres.map(|m| if below && m > 0.0 { -m } else { m })
}

fn keywords(all: &[Statement], said: &mut Said) {
    let mut bookkeeping: Vec<String> = Vec::new();
    for (space, name, separator) in KEYWORDS {
        for value in each(all, space, name) {
            for item in value.items() {
                let text = item.text();
                let is_list = !value.is_array() && separator.is_none();
                let words = text.split(|c: char| is_list && matches!(c, ',' | ';'));
                for word in words {
                    let keyword = match separator {
                        Some(separator) => Keyword::path(word, separator),
                        None => Keyword::flat(word),
                    };
                    let keyword = match keyword {
                        Some(keyword) if is_bookkeeping(&keyword) => {
                            bookkeeping.extend(keyword.levels().iter().cloned());
                            None
                        }
                        keyword => keyword,
                    };
                    if !said.add_keyword(STANDARD, keyword) {
                        return;
                    }
                }
            }
        }
    }
    // Each level of it stands among the flat words too.
    let is_level =
        |k: &Keyword| matches!(k.levels(), [word] if bookkeeping.iter().any(|level| level == word));
    said.keywords.retain(|keyword| !is_level(keyword));
    let is_categories =
        |s: &&Statement| s.is(ACDSEE, s.name) && s.name.eq_ignore_ascii_case("categories");
    for categories in all.iter().filter(is_categories) {
        acdsee_categories(&categories.value.text(), said);
    }
}

/// darktable notes as keywords that a picture was exported, or is a JPEG.
fn is_bookkeeping(keyword: &Keyword) -> bool {
    matches!(keyword.levels(), [first, _, ..] if first == "darktable")
}

/// `<Categories><Category Assigned="0">People<Category Assigned="1">Nora</Category></Category>…`.
fn acdsee_categories(xml: &str, said: &mut Said) {
    let document = bounds::check(xml).ok().and_then(|()| {
        let options = ParsingOptions {
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        Document::parse_with_options(xml, options).ok()
    });
    let Some(document) = document else {
        return said.tell(STANDARD, "ACDSee's categories are broken");
    };
    let is_category = |node: &roxmltree::Node| node.has_tag_name("Category");
    for category in document.descendants().filter(is_category) {
        let is_assigned = match category.attribute("Assigned") {
            Some(assigned) => assigned.trim() != "0",
            None => !category.children().any(|child| is_category(&child)),
        };
        let mut levels: Vec<&str> = category
            .ancestors()
            .filter(is_category)
            .filter_map(|c| c.text())
            .collect();
        levels.reverse();
        let keyword = Keyword::of_levels(levels.into_iter());
        if is_assigned && !said.add_keyword(STANDARD, keyword) {
            return;
        }
    }
}

/// Stars; Microsoft has them in percent.
fn rating(all: &[Statement], said: &mut Said) -> Option<i8> {
    if let Some(text) = find(all, XMP, "Rating").map(RdfValue::text) {
        match decimal(&text).filter(|r| (-1.0..=5.0).contains(r)) {
            Some(rating) => return Some(rating.round() as i8),
            None => said.drop_value(STANDARD, "Rating", &text, OUT_OF_RANGE),
        }
    }
    let text = find(all, MICROSOFT, "Rating")?.text();
    let stars = decimal(&text).and_then(stars_of_percent);
    if stars.is_none() {
        said.drop_value(STANDARD, "MicrosoftPhoto:Rating", &text, OUT_OF_RANGE);
    }
    stars
}

fn words(all: &[Statement], said: &mut Said) {
    let title = |space, name| line(&preferred(find(all, space, name)?)?, MAX_TITLE);
    said.title = title(DC, "title").or_else(|| title(PHOTOSHOP, "Headline"));
    let caption = |space, name| {
        let text = paragraphs(&preferred(find(all, space, name)?)?, MAX_CAPTION);
        text.filter(|text| !is_camera_default(text))
    };
    said.caption = caption(DC, "description").or_else(|| caption(TIFF, "ImageDescription"));
}

/// Of alternatives in several languages the default one, else the first that says something.
fn preferred(value: RdfValue) -> Option<String> {
    let is_default = |item: &RdfValue| item.language() == Some("x-default");
    let texts = |wanted: bool| {
        let items = value.items().filter(move |item| is_default(item) == wanted);
        items.map(|item| item.text().into_owned())
    };
    let mut all = texts(true).chain(texts(false));
    all.find(|text| !text.trim().is_empty())
}
