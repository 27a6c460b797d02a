//! What the fuzzer begins with: the good files of each format, and a few texts.

use std::fs;
use std::path::Path;

use crate::samples;

/// Targets of `fuzz/` that take files with these extensions.
const OF_FILES: &[(&str, &[&str])] = &[
    ("avif", &["avif"]),
    ("bmp", &["bmp"]),
    ("gif", &["gif"]),
    ("heif", &["heic"]),
    ("ico", &["ico"]),
    ("jp2", &["jp2", "j2k"]),
    ("jpeg", &["jpg"]),
    ("jxl", &["jxl"]),
    ("png", &["png"]),
    ("pnm", &["ppm", "pgm"]),
    ("psd", &["psd"]),
    ("raw", &["nef", "raf"]),
    ("tga", &["tga"]),
    ("tiff", &["tif"]),
    ("webp", &["webp"]),
];

const QUERIES: &[&str] = &[
    "2023",
    "2023-07",
    "2024-02-29",
    "2024-07-03T18:04",
    "yesterday",
    "7d",
    "3 weeks",
    "48.85,2.29",
    "-33.9,151.2,25",
    "2.5:a dog's ball on the beach",
];

const SETTINGS: &str = "roots = ['~/Pictures']\nexclude = ['*.tmp']\nparallel = 2\n\
    max_file_mib = 512\ndecode = \"workers\"\ndecode_seconds = 60\nrescan_hours = 6.0\n\
    min_confidence = 0.6\non_battery = \"live\"\n[labels]\nterms = 1000\n";

const XMP: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
    xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' \
    xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='4' \
    xmp:CreateDate='2019-05-03T10:11:12.34'><dc:subject><rdf:Bag><rdf:li>tram</rdf:li></rdf:Bag></dc:subject>\
    </rdf:Description></rdf:RDF></x:xmpmeta>";

/// What an honest process says of a photo with one input of 4 × 4.
const REPLY: &str = r#"{"Seen":{"format":"jpeg","width":64,"height":48,"orientation":1,
    "said":{"dates":[{"field":"exif-original","date":"2008-05-30T15:56:01.5+02:00"}],"keywords":[["Places","Lisbon"]],"rating":4},"camera":"Canon EOS 40D","lens":null,
    "numbers":[0.00625,7.1,135.0,48.85,2.29,35.0],"iso":100,"pixels":0,"trouble":null,
    "phash":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17],"thumbnail":[64,48,100],"tensors":true}}"#;
const REFUSED: &str =
    r#"{"Refused":{"kind":"truncated","message":"the file is cut short","passing":false}}"#;

#[test]
#[ignore = "writes fuzz/corpus: `make fuzz` runs it"]
fn seeds_of_the_fuzzer() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    for file in samples::all() {
        let (target, _) = OF_FILES
            .iter()
            .find(|(_, extensions)| extensions.contains(&&*file.extension))
            .unwrap_or_else(|| panic!("{} is no target's", file.name));
        put(target, &file.name, &file.bytes);
        put("container", &file.name, &file.bytes);
        // EXIF is a TIFF structure.
        if *target == "tiff" {
            put("exif", &file.name, &file.bytes);
        }
    }
    put("exif", "camera", &samples::camera_exif());
    put("words", "xmp", XMP.as_bytes());
    put("words", "name", b"IMG_20190503_101112.jpg");
    for (n, text) in QUERIES.iter().enumerate() {
        put("query", &n.to_string(), text.as_bytes());
    }
    put("settings", "all", SETTINGS.as_bytes());
    put("reply", "seen", REPLY.as_bytes());
    put("reply", "refused", REFUSED.as_bytes());
    put("matrix", "two-rows", &two_rows());
}

/// The numbers of a header, two rows, their ids and the sum of their only chunk.
fn two_rows() -> Vec<u8> {
    let rows = [[0x80, 0x3F]; 64].concat();
    let numbers = [8_i64, 2, 0, 0, 12];
    let ids = [11_i64, 12];
    [
        numbers.map(i64::to_ne_bytes).concat(),
        rows.clone(),
        ids.map(i64::to_ne_bytes).concat(),
        blake3::hash(&rows).as_bytes().to_vec(),
    ]
    .concat()
}
