//! The API as an open gallery asks it, over a library of `PHOTOND_BENCH_PHOTOS` (100,000): each figure beside
//! what the same costs without the daemon's help.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use photond::photo::{ContentHash, Thumbnail};
use photond::store::{StoreReader, ThumbStore};
use serde_json::{Value, json};

use crate::library::{Random, fill};
use crate::measure::{median, ms, percentile, photond, scratch};
use crate::photos::{jpeg, synthetic};

/// Thumbnails that are asked for.
const THUMBNAILS: u64 = 2000;
/// Requests of each kind.
const RUNS: usize = 40;

pub fn run() {
    let photos = std::env::var("PHOTOND_BENCH_PHOTOS").ok();
    let photos: u64 = photos.and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let (dir, watched, data) = scratch();
    let pack = fill(&data, photos, &jpeg(&synthetic(0, 1024, 768), 85));
    let hashes = thumbnails(&data, photos);
    if pack.text_side().is_ok() {
        // What is derived once is made before, as the daemon does in a quiet moment.
        let args = ["-q", "query", "--text", "waves on a beach"];
        let _ = photond(&data, &args).stdout(Stdio::null()).status();
    }
    let mut daemon = photond(&data, &["watch", "-q", &watched.to_string_lossy()])
        .env_remove("XDG_RUNTIME_DIR")
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let socket = data.join("api.sock");
    let begun = Instant::now();
    while StoreReader::open(&data).is_ok_and(|r| !is_idle(&r)) || !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(300), "never at rest");
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(2));
    let mut gallery = Gallery::at(&socket);
    println!("{photos} photos");
    views(&mut gallery, &data, &daemon, photos);
    if pack.text_side().is_ok() {
        searches(&mut gallery, &data);
    }
    pictures(&mut gallery, &data, &hashes);
    let _ = daemon.kill();
    let _ = daemon.wait();
    drop(dir);
}

fn is_idle(reader: &StoreReader) -> bool {
    let row = reader.daemon().ok().flatten();
    let report: Option<Value> = row.and_then(|row| serde_json::from_str(&row.report).ok());
    report.is_some_and(|report| report["activity"] == "idle")
}

/// Real thumbnails of some photos; their photos' numbers are learnt from the index.
fn thumbnails(data: &Path, photos: u64) -> Vec<ContentHash> {
    let pictures: Vec<Vec<u8>> = (0..16).map(|i| jpeg(&synthetic(i, 256, 192), 80)).collect();
    let mut random = Random::new(7);
    let mut rows = Vec::new();
    for i in 0..THUMBNAILS.min(photos - 1) {
        let number = 1 + random.draw() % (photos - 1);
        let hash = ContentHash(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let thumbnail = Thumbnail {
            width: 256,
            height: 192,
            mime: "image/jpeg",
            bytes: pictures[i as usize % 16].clone(),
        };
        rows.push((hash, thumbnail));
    }
    let mut store = ThumbStore::open(data).expect("writable");
    store
        .put(rows.iter().map(|(hash, thumbnail)| (hash, thumbnail)))
        .expect("writable");
    rows.into_iter().map(|(hash, _)| hash).collect()
}

/// One connection that stays, as a browser's.
struct Gallery(BufReader<UnixStream>);

impl Gallery {
    fn at(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon answers");
        Self(BufReader::new(stream))
    }

    /// Milliseconds until the last byte, and the body.
    fn ask(&mut self, line: &str, body: &str) -> (f64, Vec<u8>) {
        let kind = "Content-Type: application/json";
        let length = body.len();
        let request = match line.starts_with("POST") {
            true => format!(
                "{line} HTTP/1.1\r\nHost: p\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
            false => format!("{line} HTTP/1.1\r\nHost: p\r\n\r\n"),
        };
        let begun = Instant::now();
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("it is sent");
        let (mut size, mut status) = (0, String::new());
        self.0.read_line(&mut status).expect("an answer");
        loop {
            let mut header = String::new();
            self.0.read_line(&mut header).expect("a header");
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(length) = header.strip_prefix("content-length: ") {
                size = length.parse().expect("a number");
            }
        }
        let mut body = vec![0; size];
        self.0.read_exact(&mut body).expect("the body");
        let took = ms(begun.elapsed());
        assert!(
            status.contains(" 200 "),
            "{line}: {status}{}",
            String::from_utf8_lossy(&body)
        );
        (took, body)
    }

    fn times(&mut self, line: &str, bodies: &[String]) -> Vec<f64> {
        bodies.iter().map(|body| self.ask(line, body).0).collect()
    }
}

/// Resident memory of the daemon in bytes, where the system says it.
fn memory(daemon: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb * 1024.0)
}

fn say(what: &str, mut times: Vec<f64>, beside: &str) {
    println!(
        "{what}: median {:.1} ms, p99 {:.1} ms {beside}",
        median(&mut times),
        percentile(&mut times, 0.99)
    );
}

fn views(gallery: &mut Gallery, data: &Path, daemon: &Child, photos: u64) {
    let before = memory(daemon);
    let (first, bytes) = gallery.ask("POST /api/v1/view", "{}");
    let all = vec!["{}".to_owned(); RUNS];
    let times = gallery.times("POST /api/v1/view", &all);
    let begun = Instant::now();
    let listed = photond(
        data,
        &["-q", "query", "--format", "jsonl", "--limit", "20000"],
    )
    .output()
    .expect("it runs");
    let naive = ms(begun.elapsed()) * photos as f64 / 20_000.0;
    let naive_mb = listed.stdout.len() as f64 * photos as f64 / 20_000.0 / 1e6;
    println!(
        "all photos, first time: {first:.0} ms, {:.2} MB (as JSON: {naive:.0} ms, {naive_mb:.0} MB)",
        bytes.len() as f64 / 1e6
    );
    say("all photos, from memory", times, "(budget p99 30)");
    if let (Some(before), Some(after)) = (before, memory(daemon)) {
        println!(
            "memory of an open gallery: {:.1} bytes a photo (budget 12)",
            (after - before) / photos as f64
        );
    }
    let filters: Vec<String> = (0..RUNS)
        .map(|i| {
            json!({ "query": { "since": (2005 + i % 18).to_string(), "tag": "dog" } }).to_string()
        })
        .collect();
    say(
        "dogs since a year",
        gallery.times("POST /api/v1/view", &filters),
        "",
    );
    let facets = vec![json!({ "query": { "tag": "dog" } }).to_string(); 5];
    say(
        "facets among dogs",
        gallery.times("POST /api/v1/facets", &facets),
        "",
    );
}

fn searches(gallery: &mut Gallery, data: &Path) {
    let words = [
        "waves on a beach",
        "a red car",
        "snow",
        "birthday cake",
        "old town at night",
    ];
    let body = |text: &str| json!({ "query": { "text": text } }).to_string();
    let (first, _) = gallery.ask("POST /api/v1/view", &body("a dog on grass"));
    let bodies: Vec<String> = (0..RUNS).map(|i| body(words[i % words.len()])).collect();
    let times = gallery.times("POST /api/v1/view", &bodies);
    let mut commands = Vec::new();
    for text in words {
        let begun = Instant::now();
        let args = ["-q", "query", "--text", text];
        let _ = photond(data, &args).stdout(Stdio::null()).status();
        commands.push(ms(begun.elapsed()));
    }
    let beside = format!(
        "(first {first:.0}; the command {:.0}; budget p99 300)",
        median(&mut commands)
    );
    say("a sentence", times, &beside);
}

fn pictures(gallery: &mut Gallery, data: &Path, hashes: &[ContentHash]) {
    let (_, head) = gallery.ask("POST /api/v1/view", "{\"query\": {\"since\": \"2999\"}}");
    let head: Value =
        serde_json::from_slice(head.split(|b| *b == b'\n').next().expect("a head")).expect("JSON");
    let epoch = head["epoch"].as_str().expect("an epoch").to_owned();
    let reader = StoreReader::open(data).expect("it is there");
    let ids: Vec<i64> = hashes
        .iter()
        .filter_map(|hash| reader.photo_id(hash).ok().flatten())
        .collect();
    let asked: Vec<f64> = ids
        .iter()
        .map(|id| gallery.ask(&format!("GET /t/{epoch}/{id}"), "").0)
        .collect();
    let store = ThumbStore::open_read_only(data).expect("it is there");
    let mut direct: Vec<f64> = hashes
        .iter()
        .map(|hash| {
            let begun = Instant::now();
            assert!(store.image_of(hash).expect("readable").is_some());
            ms(begun.elapsed())
        })
        .collect();
    let beside = format!(
        "(read from the file alone: {:.2}; budget p99 10)",
        median(&mut direct)
    );
    say("a thumbnail", asked, &beside);
}
