//! What the targets share: each checks that nothing dies, and that what comes out can be true.

use std::fs;
use std::panic;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use libfuzzer_sys::Corpus;
use photond::config::Config;
use photond::embedding::{Fit, InputSpec};
use photond::matrix::Matrix;
use photond::media::{self, Inspector, Inspects, Limits, sniff};
use photond::photo::{Exif, Format};
use photond::said::{WrittenDate, date_of_name};
use photond::search::{Edge, Wish, parse_date, parse_on, parse_place};
use photond::worker;

/// A small model input: a real one is slower and no other code.
const INPUT: InputSpec = InputSpec {
    size: 4,
    fit: Fit::Squash,
    mean: [127.0; 3],
    std: [128.0; 3],
};

/// What an encoder wants, and a detector.
const INPUTS: [InputSpec; 2] = [
    INPUT,
    InputSpec {
        fit: Fit::Letterbox(2),
        ..INPUT
    },
];

/// A panic of a decoder is contained, and costs one photo; one of photond's own is a mistake.
pub fn contain_panics_of_decoders() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |l| l.file());
        if !file.contains("/registry/src/") {
            abort(info);
        }
    }));
}

/// Smaller limits than a daemon's: what is large is slow, and no other code.
fn inspector() -> &'static Inspector {
    static INSPECTOR: OnceLock<Inspector> = OnceLock::new();
    INSPECTOR.get_or_init(|| {
        Inspector::new(Limits {
            max_pixels: 1 << 20,
            max_alloc: 64 << 20,
            max_scan_pixels: 16 << 20,
            ..Limits::default()
        })
    })
}

/// Looks at a picture as a decoding process does, and at the answer as its parent does.
pub fn inspect(bytes: &[u8], extension: &str, format: Format) -> Corpus {
    // A TIFF may turn out to be a raw file.
    let is_near = |found| found == format || (found == Format::Tiff && format == Format::Raw);
    if !sniff(bytes, Some(extension)).is_some_and(is_near) {
        return Corpus::Reject;
    }
    let seen = Inspects::inspect(inspector(), bytes, Some(extension), &INPUTS);
    if let Ok(seen) = &seen {
        exif_is_possible(&seen.exif);
    }
    let disbelieved = worker::fuzzing::disbelieved(seen, &INPUTS);
    assert_eq!(disbelieved, None, "a parent would not believe it");
    Corpus::Keep
}

fn exif_is_possible(exif: &Exif) {
    let within = |value: Option<f64>, most: f64| value.is_none_or(|v| v.abs() <= most);
    assert!(
        within(exif.lat, 90.0) && within(exif.lon, 180.0),
        "{exif:?}"
    );
    let numbers = [exif.exposure_s, exif.f_number, exif.focal_length_mm];
    let is_finite = |v: &f64| v.is_finite();
    assert!(numbers.iter().flatten().all(is_finite), "{exif:?}");
}

/// An EXIF block, wherever it was.
pub fn exif(block: &[u8]) {
    let (exif, said) = media::fuzzing::exif(block);
    exif_is_possible(&exif);
    assert!(said.is_possible(), "{said:?}");
}

/// An XMP packet, IPTC records, a PNG's texts, a file's name.
pub fn words(bytes: &[u8]) {
    for said in media::fuzzing::words(bytes) {
        assert!(said.is_possible(), "{said:?}");
    }
    if let Some(date) = date_of_name(bytes) {
        assert_eq!(WrittenDate::parse(&date.to_string()), Some(date));
    }
}

/// What is read of a file before its pixels.
pub fn container(bytes: &[u8], extension: &str) -> Corpus {
    let Some(format) = sniff(bytes, Some(extension)) else {
        return Corpus::Reject;
    };
    let (width, height, _) = media::fuzzing::container(bytes, format);
    assert_eq!(width > 0, height > 0, "half a size");
    Corpus::Keep
}

/// A message of a decoding process that somebody has taken over.
pub fn reply(message: &[u8]) {
    // The tensor of one input, then the beginning of a JPEG.
    let mut memory = vec![0; 3 * 4 * 4 * 4];
    memory.extend([0xFF, 0xD8, 0xFF, 0xE0]);
    memory.resize(1024, 0);
    worker::fuzzing::is_believed(message, &INPUTS, &memory);
}

/// What `photond query` takes: dates, places, sentences.
pub fn query(text: &str) {
    let today = jiff::civil::date(2024, 2, 29);
    let dates = [Edge::Start, Edge::End].map(|edge| parse_date(text, edge, today));
    if let [Ok(start), Ok(end)] = &dates {
        assert!(start.millis < end.millis, "{text:?}: {start:?} to {end:?}");
    }
    let _ = parse_on(text, today);
    assert_eq!(dates[0].is_ok(), dates[1].is_ok(), "{text:?}");
    if let Ok(place) = parse_place(text) {
        assert!(place.lat.abs() <= 90.0 && place.lon.abs() <= 180.0);
        assert!(place.km > 0.0);
    }
    for wanted in [true, false] {
        if let Ok(wish) = Wish::text(text, wanted) {
            assert!(wish.weight.is_finite(), "{text:?}");
        }
    }
}

/// A settings file.
pub fn settings(text: &str) {
    let path = "config.toml".as_ref();
    match Config::parse(text, path, Some("/home/ann".as_ref())) {
        Ok(config) => assert!((0.0..=1.0).contains(&config.min_confidence)),
        // It names the line.
        Err(e) => assert!(e.to_string().starts_with("config.toml, line "), "{e}"),
    }
}

/// Values in a row of the matrices here.
const DIMS: usize = 8;
/// Bytes of a row, padded.
const STRIDE: usize = 64;

/// A matrix file whose header claims the first five numbers and whose sums are right, so that the
/// claims are believed as far as they can be.
pub fn matrix(bytes: &[u8]) -> Corpus {
    let Some((numbers, body)) = bytes.split_first_chunk::<40>() else {
        return Corpus::Reject;
    };
    let rows = u64::from_ne_bytes(numbers[8..16].first_chunk().copied().unwrap_or_default());
    let ids = usize::try_from(rows)
        .ok()
        .and_then(|rows| body.get(rows.checked_mul(STRIDE)?..));
    let identity = [7; 32];
    let mut file = b"photonMX".to_vec();
    file.extend(1_u32.to_ne_bytes());
    file.extend(0x0102_0304_u32.to_ne_bytes());
    file.extend(numbers);
    file.extend(identity);
    file.extend(blake3::hash(ids.unwrap_or_default()).as_bytes());
    let sum = blake3::hash(&file);
    file.extend(sum.as_bytes());
    file.resize(4096, 0);
    file.extend(body);
    let path = scratch();
    fs::write(&path, &file).expect("a file for the matrix");
    let opened = Matrix::open(&path, &identity, DIMS);
    let Ok(matrix) = opened else {
        return Corpus::Keep;
    };
    assert_eq!(matrix.len(), matrix.ids().count());
    for at in 0..matrix.len() {
        assert_eq!(matrix.row(at).len(), DIMS);
        let _ = matrix.id(at);
    }
    for chunk in 0..matrix.chunks() {
        assert!(matrix.chunk(chunk).end <= matrix.len());
        let _ = matrix.is_sound(chunk);
    }
    let _ = matrix.verify(&AtomicBool::new(false));
    Corpus::Keep
}

/// One a process: libFuzzer may run several.
fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("photond-fuzz-{}.mx", std::process::id()))
}
