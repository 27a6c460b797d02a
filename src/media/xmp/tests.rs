use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::said::{DateField, FaceArea, Keyword, Said};

const SPACES: &str = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' \
    xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' \
    xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' \
    xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' \
    xmlns:lr='http://ns.adobe.com/lightroom/1.0/' xmlns:digiKam='http://www.digikam.org/ns/1.0/' \
    xmlns:MicrosoftPhoto='http://ns.microsoft.com/photo/1.0' \
    xmlns:mediapro='http://ns.iview-multimedia.com/mediapro/1.0/' \
    xmlns:acdsee='http://ns.acdsee.com/iptc/1.0/' \
    xmlns:mwg-rs='http://www.metadataworkinggroup.com/schemas/regions/' \
    xmlns:stArea='http://ns.adobe.com/xmp/sType/Area#' \
    xmlns:MP='http://ns.microsoft.com/photo/1.2/' \
    xmlns:MPRI='http://ns.microsoft.com/photo/1.2/t/RegionInfo#' \
    xmlns:MPReg='http://ns.microsoft.com/photo/1.2/t/Region#' \
    xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'";

/// A packet whose description has these attributes and this content.
fn packet(attributes: &str, content: &str) -> String {
    format!(
        "<?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF {SPACES}>\
         <rdf:Description rdf:about='' {attributes}>{content}</rdf:Description>\
         </rdf:RDF></x:xmpmeta>\n   \n<?xpacket end=\"w\"?>"
    )
}

fn said(attributes: &str, content: &str) -> Said {
    read(packet(attributes, content).as_bytes())
}

fn bag(property: &str, items: &[&str]) -> String {
    let items: String = items
        .iter()
        .map(|i| format!("<rdf:li>{i}</rdf:li>"))
        .collect();
    format!("<{property}><rdf:Bag>{items}</rdf:Bag></{property}>")
}

fn keywords_of(said: &Said) -> Vec<String> {
    said.keywords.iter().map(|k| k.levels().join("|")).collect()
}

fn dates_of(said: &Said) -> Vec<(DateField, String)> {
    let dates = said.dates.iter();
    dates.map(|d| (d.field, d.date.to_string())).collect()
}

#[test]
fn properties_are_read_as_attributes_and_as_elements() {
    let by_attribute = said(
        "tiff:Orientation='6' xmp:Rating='4' exif:DateTimeOriginal='2011-04-05T06:07:08' \
         exif:GPSLatitude='40,25.008N' exif:GPSLongitude='3,42.228W' exif:GPSAltitude='1255/10' \
         exif:GPSAltitudeRef='1'",
        "",
    );
    let by_element = said(
        "",
        "<tiff:Orientation>6</tiff:Orientation><xmp:Rating>4</xmp:Rating>\
         <exif:DateTimeOriginal rdf:parseType='Resource'><rdf:value>2011-04-05T06:07:08</rdf:value>\
         <xmp:qualifier>x</xmp:qualifier></exif:DateTimeOriginal>\
         <exif:GPSLatitude><rdf:Description rdf:value='40,25.008N'/></exif:GPSLatitude>\
         <exif:GPSLongitude><rdf:Description><rdf:value>3,42.228W</rdf:value></rdf:Description>\
         </exif:GPSLongitude><exif:GPSAltitude><!-- x -->1255/<!-- y -->10</exif:GPSAltitude>\
         <exif:GPSAltitudeRef>1</exif:GPSAltitudeRef>",
    );
    assert_eq!(by_attribute, by_element);
    let said = by_element;
    assert_eq!((said.orientation, said.rating), (Some(6), Some(4)));
    let position = said.position.expect("a position");
    assert!((position.lat - 40.4168).abs() < 1e-9 && (position.lon + 3.7038).abs() < 1e-9);
    assert_eq!(position.altitude_m, Some(-125.5));
    assert_eq!(said.dropped, [""; 0]);
}

#[test]
fn dates_come_in_the_order_of_trust() {
    let said = said(
        "xmp:CreateDate='2013' photoshop:DateCreated='2012-03' exif:DateTimeOriginal='2011-04-05T06:07Z'",
        "",
    );
    let expected = [
        (DateField::XmpOriginal, "2011-04-05T06:07Z"),
        (DateField::XmpCreated, "2012-03"),
        (DateField::XmpFileCreated, "2013"),
    ];
    assert_eq!(dates_of(&said), expected.map(|(f, d)| (f, d.to_owned())));
}

#[test]
fn keywords_are_read_from_every_programs_field() {
    let categories = "&lt;Categories&gt;&lt;Category Assigned=&quot;0&quot;&gt;People\
        &lt;Category Assigned=&quot;1&quot;&gt;Nora&lt;/Category&gt;&lt;/Category&gt;\
        &lt;Category Assigned=&quot;0&quot;&gt;Albums&lt;/Category&gt;&lt;/Categories&gt;";
    for (attributes, content, expected) in [
        (
            "",
            bag("dc:subject", &["lighthouse", " Küste ", ""]),
            &["lighthouse", "Küste"][..],
        ),
        (
            "dc:subject='ferry, gull; sea'",
            String::new(),
            &["ferry", "gull", "sea"],
        ),
        ("", bag("dc:subject", &["24/7", "A|B"]), &["24/7", "A|B"]),
        (
            "",
            bag(
                "lr:hierarchicalSubject",
                &["Places|Portugal|Lisbon", "darktable|exported"],
            ),
            &["Places|Portugal|Lisbon"],
        ),
        (
            "",
            bag("digiKam:TagsList", &["Things/Tram"]),
            &["Things|Tram"],
        ),
        (
            "",
            bag("MicrosoftPhoto:LastKeywordXMP", &["Sea/ferry"]),
            &["Sea|ferry"],
        ),
        (
            "",
            bag("mediapro:CatalogSets", &["Trips|2012"]),
            &["Trips|2012"],
        ),
        ("", bag("acdsee:keywords", &["boat"]), &["boat"]),
        (
            &format!("acdsee:categories='{categories}'"),
            String::new(),
            &["People|Nora"],
        ),
    ] {
        let said = said(attributes, &content);
        let got = keywords_of(&said);
        // A keyword with a bar in it is one word all the same.
        assert_eq!(got, expected, "{attributes}{content}");
        assert_eq!(said.dropped, [""; 0]);
    }
}

#[test]
fn stars_are_stars_percent_or_rejection() {
    for (attributes, expected) in [
        ("xmp:Rating='5'", Some(5)),
        ("xmp:Rating='3.0'", Some(3)),
        ("xmp:Rating='-1'", Some(-1)),
        ("xmp:Rating='0' MicrosoftPhoto:Rating='99'", Some(0)),
        ("MicrosoftPhoto:Rating='75'", Some(4)),
        ("MicrosoftPhoto:Rating='1'", Some(1)),
        ("xmp:Rating='77' MicrosoftPhoto:Rating='99'", Some(5)),
        ("xmp:Rating='many'", None),
    ] {
        assert_eq!(said(attributes, "").rating, expected, "{attributes}");
    }
    let told = said("xmp:Rating='77'", "").dropped;
    assert_eq!(told, ["xmp: Rating 77 is out of range"]);
}

#[test]
fn words_are_those_of_the_default_language() {
    let alternatives = |items: &str| format!("<dc:title><rdf:Alt>{items}</rdf:Alt></dc:title>");
    let title = |content: &str| said("", content).title;
    let two = "<rdf:li xml:lang='de'>Haus</rdf:li><rdf:li xml:lang='x-default'>House</rdf:li>";
    assert_eq!(title(&alternatives(two)).as_deref(), Some("House"));
    let empty = "<rdf:li xml:lang='x-default'> </rdf:li><rdf:li xml:lang='de'>Haus</rdf:li>";
    assert_eq!(title(&alternatives(empty)).as_deref(), Some("Haus"));
    assert_eq!(
        title("<dc:title>plain</dc:title>").as_deref(),
        Some("plain")
    );
    let headline = "<photoshop:Headline>News</photoshop:Headline>";
    assert_eq!(title(headline).as_deref(), Some("News"));
    let caption = "<dc:description><rdf:Alt><rdf:li>one\ntwo</rdf:li></rdf:Alt></dc:description>";
    assert_eq!(said("", caption).caption.as_deref(), Some("one\ntwo"));
    let camera = said("tiff:ImageDescription='OLYMPUS DIGITAL CAMERA'", "");
    assert_eq!(camera.caption, None);
}

#[test]
fn people_are_read_with_their_faces() {
    let mwg = "<mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:RegionList><rdf:Bag>\
        <rdf:li rdf:parseType='Resource'><mwg-rs:Name>Nora</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>\
        <mwg-rs:Area stArea:x='0.5' stArea:y='0.25' stArea:w='0.5' stArea:h='0.25' \
        stArea:unit='normalized'/></rdf:li>\
        <rdf:li><rdf:Description mwg-rs:Name='Opa' mwg-rs:Type='Face'><mwg-rs:Area \
        rdf:parseType='Resource'><stArea:x>0.5</stArea:x><stArea:y>0.5</stArea:y>\
        <stArea:d>0.5</stArea:d></mwg-rs:Area></rdf:Description></rdf:li>\
        <rdf:li><rdf:Description mwg-rs:Name='Rex' mwg-rs:Type='Pet'/></rdf:li>\
        <rdf:li><rdf:Description mwg-rs:Type='Face'/></rdf:li>\
        <rdf:li><rdf:Description mwg-rs:Name='Far' mwg-rs:Type='Face'><mwg-rs:Area stArea:x='7' \
        stArea:y='7' stArea:w='1' stArea:h='1'/></rdf:Description></rdf:li>\
        </rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>";
    let said_mwg = said("", mwg);
    let people: Vec<_> = said_mwg
        .people
        .iter()
        .map(|p| (p.name.as_str(), p.area))
        .collect();
    let expected = [
        ("Nora", FaceArea::inside(0.25, 0.125, 0.5, 0.25)),
        ("Opa", FaceArea::inside(0.25, 0.25, 0.5, 0.5)),
        ("Far", None),
    ];
    assert_eq!(people, expected);
    assert_eq!(
        said_mwg.dropped,
        ["xmp: Regions Far has an area outside the picture"]
    );

    let microsoft = "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li><rdf:Description \
        MPReg:Rectangle='0.25, 0.5, 0.125, 0.25' MPReg:PersonDisplayName='Nora'/></rdf:li><rdf:li>\
        <rdf:Description MPReg:PersonDisplayName='Opa'/></rdf:li></rdf:Bag></MPRI:Regions>\
        </rdf:Description></MP:RegionInfo>";
    let names = bag("Iptc4xmpExt:PersonInImage", &["Mia"]);
    let said = said("", &format!("{microsoft}{names}"));
    let people: Vec<_> = said
        .people
        .iter()
        .map(|p| (p.name.as_str(), p.area))
        .collect();
    let area = FaceArea::inside(0.25, 0.5, 0.125, 0.25);
    assert_eq!(people, [("Nora", area), ("Opa", None), ("Mia", None)]);
}

#[test]
fn a_value_that_cannot_be_is_dropped_by_itself_and_told() {
    let said = said(
        "exif:GPSLatitude='123,0N' exif:GPSLongitude='3,42.228W' tiff:Orientation='9' \
         exif:DateTimeOriginal='2011-13-05' xmp:CreateDate='0000-00-00T00:00:00' xmp:Rating='5'",
        "",
    );
    assert_eq!(
        (said.position, said.orientation, said.rating),
        (None, None, Some(5))
    );
    assert_eq!(
        said.dropped,
        [
            "xmp: Orientation 9 is out of range",
            "xmp: DateTimeOriginal 2011-13-05 is no date",
            "xmp: GPSLatitude 123,0N is out of range",
        ]
    );
}

#[test]
fn no_fix_is_no_place() {
    let zero = said("exif:GPSLatitude='0,0N' exif:GPSLongitude='0,0E'", "");
    assert_eq!((zero.position, zero.dropped.len()), (None, 0));
    let half = said("exif:GPSLatitude='40,25.008N'", "");
    assert_eq!(half.position, None);
}

#[test]
fn packets_are_read_in_every_encoding() {
    let text = packet("", &bag("dc:subject", &["Küste"]));
    let utf16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
    let utf32 = |order: fn(u32) -> [u8; 4]| {
        let units = text.chars().map(u32::from);
        units.flat_map(order).collect::<Vec<_>>()
    };
    let marked = |mark: &[u8], text: Vec<u8>| [mark, &text].concat();
    let latin1: Vec<u8> = text
        .replace('\u{FEFF}', "")
        .chars()
        .map(|c| c as u8)
        .collect();
    for bytes in [
        text.clone().into_bytes(),
        marked(b"\xEF\xBB\xBF", text.clone().into_bytes()),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        marked(b"\xFF\xFE", utf16(u16::to_le_bytes)),
        marked(b"\xFE\xFF", utf16(u16::to_be_bytes)),
        marked(b"\xFF\xFE\0\0", utf32(u32::to_le_bytes)),
        marked(b"\0\0\xFE\xFF", utf32(u32::to_be_bytes)),
        latin1,
        marked(b"", [text.as_bytes(), &[0; 500]].concat()),
        text.replace("Küste", "K\u{1}üste")
            .replace("K\u{1}", "K")
            .into_bytes(),
    ] {
        let said = read(&bytes);
        assert_eq!(keywords_of(&said), ["Küste"], "{:?}", &said.dropped);
    }
}

#[test]
fn sidecars_are_packets_with_an_xml_declaration() {
    let text = packet("xmp:Rating='4'", "");
    let from = text.find("<x:").unwrap_or_default();
    let to = text.rfind("<?xpacket").unwrap_or_default();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        &text[from..to]
    );
    assert_eq!(read(text.as_bytes()).rating, Some(4));
}

#[test]
fn what_is_no_packet_is_told() {
    for (text, why) in [
        ("", "xmp: the packet is empty"),
        ("hello", "xmp: the packet is empty"),
        ("<a>", "xmp: the packet is broken: "),
        (
            "<!DOCTYPE a><a/>",
            "xmp: the packet is not read, for it has a document type",
        ),
    ] {
        let told = read(text.as_bytes()).dropped;
        assert!(told.len() == 1 && told[0].starts_with(why), "{told:?}");
    }
    assert_eq!(read(b"<a/>"), Said::default());
}

/// Less than a second each, most of it allowed for machines that do much else.
#[track_caller]
fn assert_quick(text: &str, why: &str) {
    let start = Instant::now();
    let said = read(text.as_bytes());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(
        said.dropped.iter().any(|told| told.contains(why)),
        "{:?}",
        said.dropped
    );
}

#[test]
fn bombs_do_not_go_off() {
    let entities: String = (0..9)
        .map(|i| format!("<!ENTITY e{} '{}'>", i + 1, format!("&e{i};").repeat(10)))
        .collect();
    let laughs = format!(
        "<!DOCTYPE a [<!ENTITY e0 'ha'>{entities}]>{}",
        packet("xmp:Label='&e9;'", "")
    );
    assert_quick(&laughs, "document type");
    assert_quick(&packet("", &"x".repeat(50 << 20)), "50 MB");
    assert_quick(&packet("", &"<dc:a>".repeat(100_000)), "nested too deep");
    let attributes: String = (0..200_000).map(|i| format!(" dc:a{i}=''")).collect();
    assert_quick(&packet(&attributes, ""), "too many attributes");
    let spaces: String = (0..60_000).map(|i| format!(" xmlns:a{i}='{i}'")).collect();
    assert_quick(
        &packet(&spaces, &"<dc:a/>".repeat(1000)),
        "too many attributes",
    );
    assert_quick(&packet("", &"<dc:a/>".repeat(1_000_000)), "broken");
    let words: Vec<String> = (0..100_000).map(|i| i.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_quick(&packet("", &bag("dc:subject", &words)), "too many keywords");
    let names: String = bag("Iptc4xmpExt:PersonInImage", &words);
    assert_quick(&packet("", &names), "too many people");
}

#[test]
fn long_words_are_cut() {
    let long = "y".repeat(1 << 20);
    let said = said(
        &format!("photoshop:Headline='{long}'"),
        &bag("dc:subject", &[&long]),
    );
    assert_eq!(said.title.map(|t| t.len()), Some(512));
    assert_eq!(
        said.keywords.first().map(|k: &Keyword| k.word().len()),
        Some(256)
    );
}

#[test]
fn a_packet_and_its_extension_are_read_together() {
    let main = packet("xmp:Rating='4'", &bag("dc:subject", &["one"]));
    let extension = packet("", &bag("dc:subject", &["two"]));
    let end = main.rfind("</x:xmpmeta>").unwrap_or_default();
    let text = format!("{}{extension}{}", &main[..end], &main[end..]);
    let said = read(text.as_bytes());
    assert_eq!(
        (said.rating, keywords_of(&said)),
        (Some(4), vec!["one".into(), "two".into()])
    );
}

/// A packet with a bit of everything.
fn rich() -> String {
    packet(
        "tiff:Orientation='6' xmp:Rating='4' exif:DateTimeOriginal='2011-04-05T06:07:08' \
         exif:GPSLatitude='40,25.008N' exif:GPSLongitude='3,42.228W' exif:GPSAltitude='1255/10'",
        &[
            bag("dc:subject", &["one", "two"]),
            bag("lr:hierarchicalSubject", &["a|b"]),
            "<mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:RegionList><rdf:Bag><rdf:li \
             mwg-rs:Name='Opa'/></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
                .to_owned(),
        ]
        .concat(),
    )
}

#[test]
fn damaged_packets_never_panic() {
    let mut read_some = 0;
    for bytes in crate::media::testing::damaged(rich().as_bytes()) {
        let said = read(&bytes);
        read_some += usize::from(!said.keywords.is_empty());
        assert!(
            said.position
                .is_none_or(|p| p.lat.abs() <= 90.0 && p.lon.abs() <= 180.0)
        );
    }
    assert!(read_some > 50, "the damage is not all fatal: {read_some}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).tidied().is_possible());
    }

    #[test]
    fn any_values_are_possible_or_dropped(value in "[^<&']{0,40}") {
        let said = said(
            &format!(
                "tiff:Orientation='{value}' xmp:Rating='{value}' exif:DateTimeOriginal='{value}' \
                 exif:GPSLatitude='{value}' exif:GPSLongitude='{value}' exif:GPSAltitude='{value}' \
                 photoshop:Headline='{value}' dc:subject='{value}' MicrosoftPhoto:Rating='{value}'"
            ),
            "",
        );
        prop_assert!(said.orientation.is_none_or(|o| (1..=8).contains(&o)));
        prop_assert!(said.rating.is_none_or(|r| (-1..=5).contains(&r)));
        prop_assert!(said.dropped.iter().all(|told| told.chars().count() < 120));
        prop_assert!(said.tidied().is_possible());
    }
}
