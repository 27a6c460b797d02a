//! What sidecars cost: a folder of photos with one beside each, against the same folder without, and how
//! soon an edited one counts.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::measure::{Cost, cost, median, ms, percentile, photond, scratch};
use crate::photos::{jpeg, synthetic};

const PHOTOS: usize = 5_000;
const PAIRS: usize = 3;
const EDITS: usize = 50;

pub fn run() {
    let (_dir, plain, data) = scratch();
    let told = plain.with_file_name("told");
    std::fs::create_dir(&told).expect("it can be made");
    let sources: Vec<Vec<u8>> = (0..16).map(|i| jpeg(&synthetic(i, 640, 480), 85)).collect();
    for i in 0..PHOTOS {
        let mut bytes = sources[i % sources.len()].clone();
        // Bytes after the picture's end: another content, the same picture.
        bytes.extend(format!("copy {i}").bytes());
        let name = format!("IMG_{i:05}.jpg");
        std::fs::write(plain.join(&name), &bytes).expect("writable");
        std::fs::write(told.join(&name), &bytes).expect("writable");
        std::fs::write(told.join(format!("{name}.xmp")), sidecar(i, "")).expect("writable");
    }
    println!(
        "{PHOTOS} synthetic 640×480 JPEGs, beside each a sidecar of {:.1} KB",
        sidecar(0, "").len() as f64 / 1e3
    );
    let index = |photos: &Path, data: &Path| {
        cost(&mut photond(
            data,
            &["index", "-q", &photos.to_string_lossy()],
        ))
    };
    let (mut ratios, mut cpus) = (Vec::new(), Vec::new());
    let rate = |c: Cost| PHOTOS as f64 / c.wall.as_secs_f64();
    for n in 0..PAIRS {
        let without = index(&plain, &data.join(format!("plain-{n}")));
        let with = index(&told, &data.join(format!("told-{n}")));
        println!(
            "  {:.0} photos/s without, {:.0} with",
            rate(without),
            rate(with)
        );
        ratios.push(rate(with) / rate(without));
        cpus.push((ms(with.cpu) - ms(without.cpu)) / PHOTOS as f64);
    }
    println!(
        "with sidecars {:.3} × the speed without, {:.2} ms more CPU a photo (medians of {PAIRS} pairs)",
        median(&mut ratios),
        median(&mut cpus)
    );
    let (mut again, mut again_told) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        again.push(ms(index(&plain, &data.join("plain-0")).wall));
        again_told.push(ms(index(&told, &data.join("told-0")).wall));
    }
    println!(
        "looked through again, nothing changed: {:.0} ms without, {:.0} ms with",
        median(&mut again),
        median(&mut again_told)
    );
    edits(&told, &data.join("told-0"));
}

/// From "put in its place" to "found by its new word".
fn edits(photos: &Path, data: &Path) {
    let mut daemon = photond(data, &["watch", "-q", &photos.to_string_lossy()])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let found = |word: &str| {
        let output = photond(data, &["query", "--format", "paths", "--keyword", word])
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        output.status.success()
    };
    let idle = || {
        let status = photond(data, &["status", "--format", "json"])
            .output()
            .expect("it runs");
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["daemon"]["pid"] == daemon.id() && status["daemon"]["activity"] == "idle"
    };
    while !idle() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut times = Vec::new();
    for i in 0..EDITS {
        let path = photos.join(format!("IMG_{:05}.jpg.xmp", i * 7));
        let beside = path.with_extension("tmp");
        let word = format!("edited{i}");
        std::fs::write(&beside, sidecar(i * 7, &word)).expect("writable");
        let start = Instant::now();
        std::fs::rename(&beside, &path).expect("it moves");
        while !found(&word) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{word} was not found"
            );
        }
        times.push(ms(start.elapsed()));
    }
    println!(
        "a sidecar put in its place → found by its new word: median {:.0} ms, p99 {:.0} ms of {EDITS}",
        median(&mut times),
        percentile(&mut times, 0.99),
    );
    daemon.kill().expect("it is there");
    let _ = daemon.wait();
}

/// As a raw developer writes it: words, stars, a date, and a history of edits.
fn sidecar(n: usize, more: &str) -> String {
    let words = [
        "Trip", "Family", "Beach", "Sunset", "Boat", "Garden", "Dog", "Snow",
    ];
    let mut items: String = (0..5)
        .map(|i| {
            format!(
                "<rdf:li>{} {}</rdf:li>",
                words[(n + i) % 8],
                (n / 8 + i) % 50
            )
        })
        .collect();
    if !more.is_empty() {
        items += &format!("<rdf:li>{more}</rdf:li>");
    }
    let history: String = (0..12)
        .map(|i| {
            format!(
                "<rdf:li darktable:num=\"{i}\" darktable:operation=\"exposure\" darktable:enabled=\"1\" darktable:modversion=\"6\" darktable:params=\"{}\" darktable:multi_priority=\"0\"/>",
                "00c0ff3f".repeat(24)
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\" xmlns:darktable=\"http://darktable.sf.net/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" exif:DateTimeOriginal=\"2019:05:{:02} 10:{:02}:12\" \
         xmp:Rating=\"{}\" xmpMM:DerivedFrom=\"IMG_{n:05}.jpg\"><dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>\
         <darktable:history><rdf:Seq>{history}</rdf:Seq></darktable:history>\
         </rdf:Description></rdf:RDF></x:xmpmeta>",
        1 + n % 28,
        n % 60,
        n % 6
    )
}
