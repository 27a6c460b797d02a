//! The API as an open gallery asks it, over a library of `PHOTOND_BENCH_PHOTOS` (100,000): each figure beside
//! what the same costs without the daemon's help. Filling a library takes a minute for 50,000 photos: it is kept
//! where `PHOTOND_BENCH_LIBRARY` says (for `tests/web/measure.mjs` too), and used again.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use photond::photo::{ContentHash, Thumbnail};
use photond::store::{INDEX_FILE, StoreReader, ThumbStore};
use serde_json::{Value, json};

use crate::library::{Random, derived_pack, fill};
use crate::measure::{median, ms, percentile, photond, scratch};
use crate::photos::{fill_large, jpeg, synthetic};

/// Thumbnails that are asked for.
const THUMBNAILS: u64 = 2000;
/// Requests of each kind.
const RUNS: usize = 40;

pub fn run() {
    let photos = std::env::var("PHOTOND_BENCH_PHOTOS").ok();
    let photos: u64 = photos.and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let (dir, watched, own) = scratch();
    let kept = std::env::var_os("PHOTOND_BENCH_LIBRARY").map(PathBuf::from);
    let data = kept.unwrap_or(own);
    let pack = if data.join(INDEX_FILE).exists() {
        derived_pack(&data)
    } else {
        fill(&data, photos, &jpeg(&synthetic(0, 1024, 768), 85))
    };
    let hashes = thumbnails(&data, photos);
    if pack.text_side().is_ok() {
        // What is derived once is made before, as the daemon does in a quiet moment.
        let args = ["-q", "query", "--text", "waves on a beach"];
        let _ = photond(&data, &args).stdout(Stdio::null()).status();
    }
    let mut daemon = watch(&data, &watched);
    let socket = data.join("api.sock");
    until_idle(&data);
    std::thread::sleep(Duration::from_secs(2));
    let mut gallery = Gallery::at(&socket);
    println!("{photos} photos");
    views(&mut gallery, &data, &daemon, photos);
    if pack.text_side().is_ok() {
        searches(&mut gallery, &data);
    }
    pictures(&mut gallery, &data, &hashes);
    landing(&mut gallery, &watched);
    let _ = daemon.kill();
    let _ = daemon.wait();
    drop(dir);
    beside();
}

/// A daemon whose socket lies beside its index.
fn watch(data: &Path, watched: &Path) -> Child {
    photond(data, &["watch", "-q", &watched.to_string_lossy()])
        .env_remove("XDG_RUNTIME_DIR")
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn until_idle(data: &Path) {
    let begun = Instant::now();
    let is_there = || data.join("api.sock").exists();
    while StoreReader::open(data).map_or(true, |r| !is_idle(&r)) || !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(300), "never at rest");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_idle(reader: &StoreReader) -> bool {
    let row = reader.daemon().ok().flatten();
    let report: Option<Value> = row.and_then(|row| serde_json::from_str(&row.report).ok());
    report.is_some_and(|report| report["activity"] == "idle")
}

/// Real thumbnails of all photos; those of some are asked for.
fn thumbnails(data: &Path, photos: u64) -> Vec<ContentHash> {
    let pictures: Vec<Vec<u8>> = (0..16).map(|i| jpeg(&synthetic(i, 256, 192), 60)).collect();
    let mut store = ThumbStore::open(data).expect("writable");
    let hash = |number: u64| ContentHash(*blake3::hash(&number.to_le_bytes()).as_bytes());
    let numbers: Vec<u64> = (1..photos).collect();
    for some in numbers.chunks(1000) {
        let rows: Vec<_> = some
            .iter()
            .map(|number| {
                let thumbnail = Thumbnail {
                    width: 256,
                    height: 192,
                    mime: "image/jpeg",
                    bytes: pictures[*number as usize % 16].clone(),
                };
                (hash(*number), thumbnail)
            })
            .collect();
        let rows = rows.iter().map(|(hash, thumbnail)| (hash, thumbnail));
        store.put(rows).expect("writable");
    }
    let mut random = Random::new(7);
    let mut any = || hash(1 + random.draw() % (photos - 1));
    (0..THUMBNAILS).map(|_| any()).collect()
}

/// One connection that stays, as a browser's.
struct Gallery(BufReader<UnixStream>);

impl Gallery {
    fn at(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon answers");
        Self(BufReader::new(stream))
    }

    /// Another one to the same daemon.
    fn other(&self) -> Self {
        let peer = self.0.get_ref().peer_addr().expect("it is connected");
        Self::at(peer.as_pathname().expect("a path"))
    }

    fn send(&mut self, line: &str, body: &str) -> std::io::Result<()> {
        let kind = "Content-Type: application/json";
        let length = body.len();
        let request = match line.starts_with("POST") {
            true => format!(
                "{line} HTTP/1.1\r\nHost: p\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
            false => format!("{line} HTTP/1.1\r\nHost: p\r\n\r\n"),
        };
        self.0.get_mut().write_all(request.as_bytes())
    }

    /// Asks for events, which have no end.
    fn follow(&mut self, line: &str) {
        self.send(line, "").expect("it is sent");
    }

    /// Reads events until one has this in it; false when the daemon ends first.
    fn next_with(&mut self, what: &str) -> bool {
        let mut line = String::new();
        while self.0.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.contains(what) {
                return true;
            }
            line.clear();
        }
        false
    }

    fn until(&mut self, what: &str) {
        assert!(self.next_with(what), "the daemon ended");
    }

    /// Milliseconds until the last byte, and the body.
    fn ask(&mut self, line: &str, body: &str) -> (f64, Vec<u8>) {
        self.try_ask(line, body).expect("an answer")
    }

    /// The same, or nothing when the daemon has ended.
    fn try_ask(&mut self, line: &str, body: &str) -> Option<(f64, Vec<u8>)> {
        let begun = Instant::now();
        self.send(line, body).ok()?;
        let (mut size, mut status) = (0, String::new());
        self.0
            .read_line(&mut status)
            .ok()
            .filter(|read| *read > 0)?;
        loop {
            let mut header = String::new();
            self.0.read_line(&mut header).ok()?;
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(length) = header.strip_prefix("content-length: ") {
                size = length.parse().expect("a number");
            }
        }
        let mut body = vec![0; size];
        self.0.read_exact(&mut body).ok()?;
        let took = ms(begun.elapsed());
        assert!(
            status.contains(" 200 "),
            "{line}: {status}{}",
            String::from_utf8_lossy(&body)
        );
        Some((took, body))
    }

    fn times(&mut self, line: &str, bodies: &[String]) -> Vec<f64> {
        bodies.iter().map(|body| self.ask(line, body).0).collect()
    }
}

/// Memory of the daemon's own in bytes, where the system says it: pages of mapped files are not counted, which come
/// and go with what is read.
fn memory(daemon: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb * 1024.0)
}

/// How long until a photo that lands in the folder is in the view, as an open page asks for it.
fn landing(gallery: &mut Gallery, watched: &Path) {
    const LANDINGS: u32 = 12;
    let mut times = Vec::new();
    for i in 0..LANDINGS {
        let (_, before) = gallery.ask("POST /api/v1/view", "{}");
        let path = format!("GET /api/v1/events?since={}", number(&before, "clock"));
        let mut events = gallery.other();
        events.follow(&path);
        // What is told at once is of no interest.
        std::thread::sleep(Duration::from_millis(700));
        let aside = watched.with_file_name("landing");
        std::fs::write(&aside, jpeg(&synthetic(100 + i, 1024, 768), 85)).expect("writable");
        std::fs::rename(&aside, watched.join(format!("landing-{i}.jpg"))).expect("writable");
        let begun = Instant::now();
        loop {
            events.until("\"photos\"");
            let (_, view) = gallery.ask("POST /api/v1/view", "{}");
            if number(&view, "n") > number(&before, "n") {
                break;
            }
        }
        times.push(ms(begun.elapsed()));
    }
    say(
        "a photo that lands, until the new view is there",
        times,
        "(budget with the page 1500)",
    );
}

/// What stands above a view.
fn head_of(view: &[u8]) -> Value {
    let line = view.split(|b| *b == b'\n').next().expect("a head");
    serde_json::from_slice(line).expect("JSON")
}

/// A number of it.
fn number(view: &[u8], what: &str) -> u64 {
    head_of(view)[what].as_u64().expect("a number")
}

/// Indexing beside an open gallery that asks as the page does, and alone, in turn.
fn beside() {
    const PAIRS: usize = 5;
    const PHOTOS: usize = 96;
    let (_dir, photos, data) = scratch();
    println!(
        "{} indexed beside an open gallery",
        fill_large(&photos, PHOTOS)
    );
    let run = |name: String, with: bool| {
        let data = data.join(name);
        std::fs::create_dir_all(&data).expect("writable");
        let begun = Instant::now();
        let mut daemon = watch(&data, &photos);
        let gallery = with.then(|| {
            while !data.join("api.sock").exists() {
                std::thread::sleep(Duration::from_millis(10));
            }
            let socket = data.join("api.sock");
            std::thread::spawn(move || open_page(&socket))
        });
        until_idle(&data);
        let took = begun.elapsed().as_secs_f64();
        let _ = daemon.kill();
        let _ = daemon.wait();
        let asked = gallery.map_or(0, |page| page.join().expect("it ends with the daemon"));
        (took, asked)
    };
    run("warm-up".to_owned(), false);
    let (mut shares, mut views) = (Vec::new(), 0);
    for n in 0..PAIRS {
        let (with, asked) = run(format!("with-{n}"), true);
        let (alone, _) = run(format!("alone-{n}"), false);
        shares.push(alone / with * 100.0);
        views += asked;
    }
    println!(
        "  indexing speed {:.1} % of that without (median of {PAIRS} pairs, {:.0} views asked for in each; budget 97)",
        median(&mut shares),
        views as f64 / PAIRS as f64
    );
}

/// What a page does that nobody touches: it listens, and takes the new view when photos have come. The number of
/// views that it asked for, when the daemon ends.
fn open_page(socket: &Path) -> usize {
    let (mut page, mut events) = (Gallery::at(socket), Gallery::at(socket));
    let (_, head) = page.ask("POST /api/v1/view", "{}");
    events.follow(&format!(
        "GET /api/v1/events?since={}",
        number(&head, "clock")
    ));
    let mut views = 1;
    while events.next_with("\"photos\"") {
        if page.try_ask("POST /api/v1/view", "{}").is_none() {
            break;
        }
        views += 1;
    }
    views
}

fn say(what: &str, mut times: Vec<f64>, beside: &str) {
    println!(
        "{what}: median {:.1} ms, p99 {:.1} ms {beside}",
        median(&mut times),
        percentile(&mut times, 0.99)
    );
}

fn views(gallery: &mut Gallery, data: &Path, daemon: &Child, photos: u64) {
    // What answers and the daemon's start leave behind is given back five seconds after a question.
    let given_back = Duration::from_secs(7);
    gallery.ask("GET /api/v1/status", "");
    std::thread::sleep(given_back);
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
    std::thread::sleep(given_back);
    if let (Some(before), Some(after)) = (before, memory(daemon)) {
        println!(
            "memory of an open gallery: {:.1} MB, {:.1} bytes a photo (budget 12)",
            (after - before) / 1e6,
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
    let (_, none) = gallery.ask("POST /api/v1/view", "{\"query\": {\"since\": \"2999\"}}");
    let epoch = head_of(&none)["epoch"]
        .as_str()
        .expect("an epoch")
        .to_owned();
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
