//! People on a photo and where their faces are: as the Metadata Working Group has it (`mwg-rs`,
//! written by digiKam, Lightroom, Picasa and others), and as Microsoft's gallery programs have it.

use super::gps::decimal;
use super::rdf::{RdfValue, Statement};
use super::read::{STANDARD, find};
use crate::said::{FaceArea, Said};

const MWG: &str = "http://www.metadataworkinggroup.com/schemas/regions/";
const AREA: &str = "http://ns.adobe.com/xmp/sType/Area#";
const MICROSOFT: &str = "http://ns.microsoft.com/photo/1.2/";
const MICROSOFT_INFO: &str = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#";
const MICROSOFT_REGION: &str = "http://ns.microsoft.com/photo/1.2/t/Region#";
const MEDIAPRO: &str = "http://ns.iview-multimedia.com/mediapro/1.0/";
const IPTC_EXTENSION: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";

/// Adds everybody who is named. Faces without a name are nobody yet.
pub(super) fn read(all: &[Statement], said: &mut Said) {
    for (space, name, list, field, read) in [
        (
            MWG,
            "Regions",
            (MWG, "RegionList"),
            "Regions",
            mwg as Reader,
        ),
        (
            MICROSOFT,
            "RegionInfo",
            (MICROSOFT_INFO, "Regions"),
            "RegionInfo",
            microsoft,
        ),
    ] {
        let Some(info) = find(all, space, name) else {
            continue;
        };
        let Some(list) = find(&info.fields(), list.0, list.1) else {
            continue;
        };
        for region in list.items() {
            let Some(face) = read(&region.fields()) else {
                continue;
            };
            if face.area == Some(None) {
                said.drop_value(
                    STANDARD,
                    field,
                    &face.name,
                    "has an area outside the picture",
                );
            }
            if !said.add_person(STANDARD, &face.name, face.area.flatten()) {
                return;
            }
        }
    }
    for (space, name) in [(IPTC_EXTENSION, "PersonInImage"), (MEDIAPRO, "People")] {
        let names = find(all, space, name).into_iter().flat_map(RdfValue::items);
        for name in names {
            if !said.add_person(STANDARD, &name.text(), None) {
                return;
            }
        }
    }
}

type Reader = fn(&[Statement]) -> Option<Face>;

struct Face {
    name: String,
    /// `Some(None)`: there is one, but it cannot be.
    #[allow(clippy::option_option)]
    area: Option<Option<FaceArea>>,
}

/// Its area has its point in the middle. Areas in pixels are left out: later programs scale the
/// picture and not them.
fn mwg(region: &[Statement]) -> Option<Face> {
    let text = |name| find(region, MWG, name).map(|value| value.text());
    // Other types are pets, bar codes, and where the camera put its focus.
    if text("Type").is_some_and(|kind| !kind.trim().eq_ignore_ascii_case("face")) {
        return None;
    }
    let area = find(region, MWG, "Area").map(RdfValue::fields);
    let area = area.filter(|area| {
        let unit = find(area, AREA, "unit").map(|unit| unit.text());
        unit.is_none_or(|unit| unit.trim() == "normalized")
    });
    let area = area.map(|area| {
        let number = |name| decimal(&find(&area, AREA, name)?.text());
        let (x, y) = (number("x")?, number("y")?);
        // A circle has a diameter.
        let (w, h) = (
            number("w").or_else(|| number("d"))?,
            number("h").or_else(|| number("d"))?,
        );
        FaceArea::inside(x - w / 2.0, y - h / 2.0, w, h)
    });
    Some(Face {
        name: text("Name")?.into_owned(),
        area,
    })
}

/// `left, top, width, height`.
fn microsoft(region: &[Statement]) -> Option<Face> {
    let text = |name| find(region, MICROSOFT_REGION, name).map(|value| value.text());
    let area = text("Rectangle").map(|rectangle| {
        let numbers: Vec<f64> = rectangle.split(',').map_while(decimal).collect();
        match numbers[..] {
            [left, top, width, height] => FaceArea::inside(left, top, width, height),
            _ => None,
        }
    });
    Some(Face {
        name: text("PersonDisplayName")?.into_owned(),
        area,
    })
}
