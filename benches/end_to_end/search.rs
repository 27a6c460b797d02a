//! Ranked queries over 100,000 photos as a person makes them, one command each, beside what such a
//! command consists of; scans of vectors beside reading their bytes once.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use half::f16;
use photond::daemon::tagger;
use photond::embedding::ModelId;
use photond::model::{ModelPack, Runtime, TextEncoder, TextOptions, default_pack, find_runtime};
use photond::search::{Allowed, Query, Scan, Searcher, Space, Wish};
use photond::store::{
    ModelVectors, StoreError, StoreReader, VECTORS_DIR, VectorFile, VectorSource, Vectors,
};
use photond::tag::{Lexicon, OwnTerms, Words};

use crate::library::{DIMS, SYNTHETIC, clustered, fill};
use crate::measure::{median, ms, photond, scratch};
use crate::photos::{jpeg, synthetic};
use crate::room::has_room;

const PHOTOS: u64 = 100_000;
const RUNS: usize = 20;

pub fn run() {
    let (dir, photos, data) = scratch();
    let example = dir.path().join("example.jpg");
    let bytes = jpeg(&synthetic(0, 1024, 768), 85);
    std::fs::write(&example, &bytes).expect("writable");
    let start = Instant::now();
    let pack = fill(&data, PHOTOS, &bytes);
    println!(
        "{PHOTOS} photos' rows, names, tags and vectors of {}, {} and {DIMS} values written in {:.0} s",
        default_pack().expect("the built-in pack").dims,
        pack.dims,
        start.elapsed().as_secs_f64()
    );
    if pack.text_side().is_err() {
        println!("sentences skipped: the text model is not there (`make text-model`)");
    } else {
        commands(&data, &example);
        parts(&data, &pack);
        live(&data, &photos);
    }
    scan_of_index(&data);
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let roomy = std::env::var_os("PHOTOND_BENCH_SMALL").is_none();
    if roomy {
        scan_of_million(dir.path(), threads);
    }
}

/// One command from start to end in milliseconds. Finding nothing is an answer too.
fn command(data: &Path, args: &[&str]) -> f64 {
    let start = Instant::now();
    let status = photond(data, &[&["-q", "query"], args].concat())
        .stdout(Stdio::null())
        .status()
        .expect("it runs");
    let took = ms(start.elapsed());
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "query {args:?} failed"
    );
    took
}

fn commands(data: &Path, example: &Path) {
    let example = example.to_string_lossy().into_owned();
    let sentence: &[&str] = &["--text", "waves on a beach"];
    println!(
        "first --text ever, vector file and background made for it: {:.0} ms (`photond watch` makes both in a quiet moment)",
        command(data, sentence)
    );
    let queries: &[(&str, &[&str])] = &[
        ("--text \"waves on a beach\"", sentence),
        (
            "  … --all --limit 250",
            &["--text", "waves on a beach", "--all", "--limit", "250"],
        ),
        ("--text dog (20,000 are tagged so)", &["--text", "dog"]),
        ("--text IMG (all 100,000 are called so)", &["--text", "IMG"]),
        (
            "--text … --since 2020 --not-tag dog",
            &["--text", "a red car", "--since", "2020", "--not-tag", "dog"],
        ),
        ("--like a photo of the index", &["--like", &example]),
        (
            "(--tag beagle --limit 100)",
            &["--tag", "beagle", "--limit", "100"],
        ),
        ("(--limit 1, newest of all)", &["--limit", "1"]),
    ];
    let mut times = vec![Vec::new(); queries.len()];
    for round in 0..=RUNS {
        for ((_, args), times) in queries.iter().zip(&mut times) {
            let took = command(data, args);
            // The first round warms up.
            if round > 0 {
                times.push(took);
            }
        }
    }
    println!("whole commands, in turns, {RUNS} each (wanted: 400 ms):");
    for ((name, _), times) in queries.iter().zip(&mut times) {
        let middle = median(times);
        println!(
            "  {name:42} median {middle:4.0} ms   most {:4.0} ms",
            times[times.len() - 1]
        );
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    println!("  {what:42} {:6.1} ms", ms(start.elapsed()));
    value
}

/// What a command consists of, one after the other in this process.
fn parts(data: &Path, pack: &ModelPack) {
    println!("its parts, in one process, once:");
    let choice = match find_runtime(Path::new("runtime")) {
        Ok(choice) => choice,
        Err(e) => {
            println!("  skipped: {e}");
            return;
        }
    };
    let reader = timed("index opened", || {
        StoreReader::open(data).expect("an index")
    });
    let classifier = timed("built-in pack", || default_pack().expect("it is whole"));
    let words = timed("words and label bank", || {
        tagger(&classifier).expect("they fit")
    });
    let runtime = timed("ONNX Runtime loaded", || {
        Runtime::load(&choice).expect("it loads")
    });
    let options = TextOptions {
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        quick: true,
    };
    let mut text = timed("text model and tokenizer", || {
        TextEncoder::new(&runtime, pack, options).expect("it loads")
    });
    let vector = timed("sentence encoded", || {
        text.encode(&["waves on a beach"])
            .expect("it runs")
            .remove(0)
    });
    let model = reader
        .model(&pack.id)
        .expect("readable")
        .expect("it is there");
    let identity = reader.identity().expect("readable");
    let file = VectorFile::new(data, identity, &pack.id, pack.dims);
    let mut source = ModelVectors::new(&reader, model.id);
    let vectors = timed("vector file mapped", || {
        file.refresh(&mut source, 4096).expect("readable")
    });
    let scan = Scan::new(&[&vector.values], pack.dims).expect("a direction");
    timed("all scores", || {
        scan.scores(&vectors, &mut source, &Allowed::All)
            .expect("readable")
    });
    for word in ["waves", "IMG"] {
        timed(&format!("names that say {word:?}"), || {
            reader.matching_words(&[word]).expect("readable")
        });
    }
    let (lexicon, own) = (
        Lexicon::built_in().expect("the lexicon"),
        OwnTerms::default(),
    );
    let searcher = Searcher {
        reader: &reader,
        words: Words {
            tagger: &words,
            lexicon: &lexicon,
            own: &own,
        },
        cutoff: 0.3,
    };
    let space = Space {
        pack,
        model: model.id,
        classifier: &classifier,
        data_dir: data,
        max_file: 1 << 29,
        stop: None,
    };
    for text in ["waves on a beach", "dog", "IMG"] {
        let wishes = [Wish::text(text, true).expect("a wish")];
        timed(&format!("whole ranking of {text:?}"), || {
            searcher
                .rank(&space, &Query::default(), &wishes, &mut |row| {
                    black_box(row.standing);
                    ControlFlow::Continue(())
                })
                .expect("it ranks")
        });
    }
}

/// From "committed" to "found by --text" with the daemon at work on such an index.
fn live(data: &Path, photos: &Path) {
    let mut daemon = photond(data, &["watch", "-q", &photos.to_string_lossy()])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let says = |args: &[&str], wanted: &str| {
        let output = photond(data, args).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).contains(wanted)
    };
    let ready = || {
        let status = photond(data, &["status", "--format", "json"])
            .output()
            .expect("it runs");
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["daemon"]["activity"] == "idle"
    };
    while !ready() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (mut committed, mut found, mut at_once) = (Vec::new(), Vec::new(), 0);
    let outside = photos.with_file_name("arriving.jpg");
    for i in 0..RUNS as u32 {
        let name = format!("zanzibar{i:02}.jpg");
        let bytes = jpeg(&synthetic(1000 + i, 1024, 768), 85);
        std::fs::write(&outside, bytes).expect("writable");
        let moved = Instant::now();
        std::fs::rename(&outside, photos.join(&name)).expect("it moves");
        let wait = |args: &[&str]| {
            let mut asked = 0;
            loop {
                asked += 1;
                if says(args, &name) {
                    return asked;
                }
                assert!(moved.elapsed() < Duration::from_secs(30), "{name} is lost");
            }
        };
        wait(&["query", "--format", "paths", "--path", &name]);
        committed.push(ms(moved.elapsed()));
        let word = format!("zanzibar{i:02}");
        let asked = wait(&["query", "--format", "paths", "--text", &word]);
        at_once += u32::from(asked == 1);
        found.push(ms(moved.elapsed()) - committed[committed.len() - 1]);
    }
    println!(
        "moved into place → committed: median {:.0} ms; then found by --text: median {:.0} ms, the command itself (first try in {at_once} of {RUNS})",
        median(&mut committed),
        median(&mut found)
    );
    let _ = daemon.kill();
    let _ = daemon.wait();
}

/// The limit that memory sets: every byte once, the same threads, one addition each.
fn read_once(bits: &[u16], threads: usize) -> u16 {
    let part = bits.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = bits
            .chunks(part)
            .map(|part| scope.spawn(move || part.iter().fold(0u16, |a, b| a.wrapping_add(*b))))
            .collect();
        parts
            .into_iter()
            .filter_map(|p| p.join().ok())
            .fold(0, u16::wrapping_add)
    })
}

/// Scan and read in turns, so that both meet the same machine.
fn in_turns(name: &str, vectors: &Vectors, source: &mut dyn VectorSource, wanted: f64) {
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let query = clustered(u64::MAX / 3, DIMS);
    let scan = Scan::new(&[&query], DIMS).expect("a direction");
    let (mut scans, mut reads, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=RUNS {
        let start = Instant::now();
        black_box(
            scan.best(vectors, source, &Allowed::All, 100)
                .expect("readable"),
        );
        let scanned = ms(start.elapsed());
        let start = Instant::now();
        vectors
            .visit(source, &mut |rows| {
                black_box(read_once(rows.raw(), threads));
            })
            .expect("readable");
        let read = ms(start.elapsed());
        if round > 0 {
            scans.push(scanned);
            reads.push(read);
            ratios.push(scanned / read);
        }
    }
    println!(
        "best 100 of {name} × {DIMS}: median {:.1} ms (wanted: {wanted:.0}), read once {:.1} ms, ratio {:.2} (wanted: 2; medians of {RUNS} in turns, {threads} threads)",
        median(&mut scans),
        median(&mut reads),
        median(&mut ratios)
    );
}

/// Over the index's own vectors.
fn scan_of_index(data: &Path) {
    let reader = StoreReader::open(data).expect("an index");
    let id = ModelId(SYNTHETIC.to_owned());
    let model = reader.model(&id).expect("readable").expect("it is there");
    let identity = reader.identity().expect("readable");
    let file = VectorFile::new(data, identity, &id, DIMS);
    let mut source = ModelVectors::new(&reader, model.id);
    let start = Instant::now();
    let vectors = file.refresh(&mut source, 0).expect("readable");
    assert!(vectors.is_resident(), "{:?}", vectors.not_written());
    println!(
        "vector file of {PHOTOS} × {DIMS} made from the index in {:.0} ms",
        ms(start.elapsed())
    );
    in_turns("100,000", &vectors, &mut source, 60.0);
}

/// Vectors that are made when they are asked for: 1000 different ones, again and again.
struct Made {
    rows: i64,
    kinds: Vec<Vec<u8>>,
}

impl VectorSource for Made {
    fn since(
        &mut self,
        after: i64,
        limit: usize,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StoreError> {
        for seq in (after + 1..=self.rows).take(limit) {
            visit(seq, seq, &self.kinds[seq as usize % self.kinds.len()]);
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<i64, StoreError> {
        Ok(self.rows)
    }

    fn live(&mut self) -> Result<u64, StoreError> {
        Ok(self.rows as u64)
    }
}

/// Over a million, in a file of 1.6 GB.
fn scan_of_million(dir: &Path, threads: usize) {
    const ROWS: i64 = 1_000_000;
    if !has_room(dir) {
        println!("a million skipped: it takes 4 GB of disk and 3 GB of memory");
        return;
    }
    let kinds = (0..1000)
        .map(|seed| {
            clustered(seed, DIMS)
                .into_iter()
                .flat_map(|v| f16::from_f32(v).to_le_bytes())
                .collect()
        })
        .collect();
    let mut source = Made { rows: ROWS, kinds };
    let million = dir.join("million").join(VECTORS_DIR);
    std::fs::create_dir_all(&million).expect("it can be made");
    let id = ModelId("million@1".to_owned());
    let file = VectorFile::new(&dir.join("million"), [1; 16], &id, DIMS);
    let vectors = file.refresh(&mut source, 0).expect("nothing to fail");
    assert!(vectors.is_resident(), "{:?}", vectors.not_written());
    // Once before it counts: pages that were just written are not mapped yet.
    vectors
        .visit(&mut source, &mut |rows| {
            black_box(read_once(rows.raw(), threads));
        })
        .expect("nothing to fail");
    in_turns("1,000,000", &vectors, &mut source, 400.0);
}
