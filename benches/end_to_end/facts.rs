//! What reading and keeping what a photo says of itself costs, beside the whole look at it: 12 MP JPEGs with
//! a camera's EXIF alone, and the same with the packet that a photo manager writes.

use std::path::Path;
use std::time::{Duration, Instant};

use photond::media::{DECODER_VERSION, Extent, Inspector, Limits};
use photond::photo::{ContentHash, RelPath};
use photond::store::{Change, FileKey, Store};

use crate::library::stamp;
use crate::measure::{median, ms, scratch};
use crate::photos::{fill_large, jpegs};

const PHOTOS: usize = 8;
const TIMES: usize = 40;
/// Photos that are written in one go.
const WRITTEN: u64 = 2000;

pub fn run() {
    let (_dir, photos, data) = scratch();
    println!("{}", fill_large(&photos, PHOTOS));
    let plain: Vec<Vec<u8>> = jpegs(&photos)
        .iter()
        .map(|p| std::fs::read(p).expect("readable"))
        .collect();
    let packet = packet();
    let told: Vec<Vec<u8>> = plain.iter().map(|bytes| with_xmp(bytes, &packet)).collect();
    let inspector = Inspector::new(Limits::default());
    let look = |bytes: &[u8], extent| {
        let start = Instant::now();
        inspector
            .look(bytes, Some("jpg"), &[], extent)
            .expect("a photo");
        start.elapsed()
    };
    let (mut bare, mut words, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..TIMES {
        let (plain, told) = (&plain[n % plain.len()], &told[n % told.len()]);
        bare.push(ms(look(plain, Extent::Facts)));
        words.push(ms(look(told, Extent::Facts)));
        whole.push(ms(look(told, Extent::Whole)));
    }
    println!(
        "read: {:.3} ms with EXIF alone, {:.3} ms with a packet of {} keywords in {:.0} KB   beside the whole look: {:.0} ms (medians of {TIMES})",
        median(&mut bare),
        median(&mut words),
        KEYWORDS,
        packet.len() as f64 / 1000.0,
        median(&mut whole)
    );
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for n in 0..3 {
        without.push(ms(written(
            &data.join(format!("plain-{n}")),
            &inspector,
            &plain[0],
        )));
        with.push(ms(written(
            &data.join(format!("told-{n}")),
            &inspector,
            &told[0],
        )));
    }
    println!(
        "kept: {:.3} ms a photo without, {:.3} ms with (medians of 3 times {WRITTEN} photos, {} keywords each)",
        median(&mut without) / WRITTEN as f64,
        median(&mut with) / WRITTEN as f64,
        KEYWORDS
    );
}

/// How long it takes to write so many photos of which this is said.
fn written(data: &Path, inspector: &Inspector, bytes: &[u8]) -> Duration {
    std::fs::create_dir_all(data).expect("writable");
    let (mut store, _) = Store::open(data).expect("a new index");
    let root = store
        .adopt_root(Path::new("/photond-bench/said"), ("bench", ""), None)
        .expect("writable");
    let seen = inspector
        .look(bytes, Some("jpg"), &[], Extent::Facts)
        .expect("a photo");
    let changes: Vec<Change> = (0..WRITTEN)
        .map(|n| Change::Indexed {
            place: Some((
                FileKey {
                    root: root.id,
                    path: RelPath::from_bytes(format!("{}/{n}.jpg", n % 20).into_bytes()),
                },
                stamp(n),
            )),
            hash: ContentHash(*blake3::hash(&n.to_le_bytes()).as_bytes()),
            inspection: Some(Box::new(seen.clone())),
            decoder_version: DECODER_VERSION,
            results: None,
        })
        .collect();
    let start = Instant::now();
    for batch in changes.chunks(256) {
        store.apply(batch).expect("writable");
    }
    start.elapsed()
}

const KEYWORDS: usize = 20;

/// As photo managers write it: each word flat and in its hierarchy, title, stars, dates, two faces, history.
fn packet() -> String {
    let item = |text: String| format!("<rdf:li>{text}</rdf:li>");
    let flat: String = (0..KEYWORDS)
        .map(|n| item(format!("Keyword {n}")))
        .collect();
    let deep: String = (0..KEYWORDS)
        .map(|n| item(format!("Topics|Group {}|Keyword {n}", n % 4)))
        .collect();
    let history: String = (0..30)
        .map(|n| format!("<rdf:li stEvt:action=\"saved\" stEvt:instanceID=\"xmp.iid:{n:032x}\" stEvt:when=\"2020-05-03T10:11:{n:02}+02:00\" stEvt:softwareAgent=\"A Photo Manager 9.3 (Windows)\" stEvt:changed=\"/metadata\"/>"))
        .collect();
    let face = |name: &str, x: f64| {
        format!(
            "<rdf:li><rdf:Description mwg-rs:Name=\"{name}\" mwg-rs:Type=\"Face\"><mwg-rs:Area stArea:x=\"{x}\" stArea:y=\"0.4\" stArea:w=\"0.1\" stArea:h=\"0.15\" stArea:unit=\"normalized\"/></rdf:Description></rdf:li>"
        )
    };
    format!(
        "<?xpacket begin='\u{feff}' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' \
         xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' \
         xmlns:lr='http://ns.adobe.com/lightroom/1.0/' xmlns:xmpMM='http://ns.adobe.com/xap/1.0/mm/' \
         xmlns:stEvt='http://ns.adobe.com/xap/1.0/sType/ResourceEvent#' xmlns:mwg-rs='http://www.metadataworkinggroup.com/schemas/regions/' \
         xmlns:stArea='http://ns.adobe.com/xmp/sType/Area#' xmp:Rating='4' xmp:CreateDate='2019-05-03T10:11:12.34'>\
         <dc:subject><rdf:Bag>{flat}</rdf:Bag></dc:subject>\
         <lr:hierarchicalSubject><rdf:Bag>{deep}</rdf:Bag></lr:hierarchicalSubject>\
         <dc:title><rdf:Alt><rdf:li xml:lang='x-default'>A title of some words</rdf:li></rdf:Alt></dc:title>\
         <mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:RegionList><rdf:Bag>{}{}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>\
         <xmpMM:History><rdf:Seq>{history}</rdf:Seq></xmpMM:History>\
         </rdf:Description></rdf:RDF></x:xmpmeta>{}<?xpacket end='w'?>",
        face("Anna", 0.3),
        face("Ben", 0.6),
        " ".repeat(2000)
    )
}

fn with_xmp(jpeg: &[u8], packet: &str) -> Vec<u8> {
    let mut segment = b"http://ns.adobe.com/xap/1.0/\0".to_vec();
    segment.extend(packet.as_bytes());
    let len = u16::try_from(segment.len() + 2).expect("it fits into a segment");
    let mut out = jpeg[..2].to_vec();
    out.extend([0xFF, 0xE1]);
    out.extend(len.to_be_bytes());
    out.extend(segment);
    out.extend(&jpeg[2..]);
    out
}
