//! Ranked queries over 100,000 photos as a person makes them, one command each, beside what such a
//! command consists of. Scans beside reading their bytes once are in `benches/matrix.rs`.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use photond::daemon::classifier;
use photond::matrix::{Piece, Scan};
use photond::model::{ModelPack, Runtime, TextEncoder, TextOptions, default_pack, find_runtime};
use photond::search::{Query, Searcher, SourceNames, Space, VectorIndex, Wish};
use photond::store::StoreReader;
use photond::tag::{Lexicon, OwnTerms, Words};

use crate::library::{DIMS, fill};
use crate::measure::{median, ms, photond, scratch};
use crate::photos::{jpeg, synthetic};

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
        "first --text ever, search index and background made for it: {:.0} ms (`photond watch` makes both in a quiet moment)",
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
        (
            "(--place kyoto --limit 100)",
            &["--place", "kyoto", "--limit", "100"],
        ),
        (
            "(--place \"united states\" --limit 100)",
            &["--place", "united states", "--limit", "100"],
        ),
        (
            "(--place \"Paris, Texas\" --limit 100)",
            &["--place", "Paris, Texas", "--limit", "100"],
        ),
        (
            "(--no-place --limit 100)",
            &["--no-place", "--limit", "100"],
        ),
        (
            "(--keyword \"group 7\" --limit 100)",
            &["--keyword", "group 7", "--limit", "100"],
        ),
        (
            "(--keyword \"word 123\" --limit 100)",
            &["--keyword", "word 123", "--limit", "100"],
        ),
        (
            "(--person \"person 7\" --rating 3- --limit 100)",
            &["--person", "person 7", "--rating", "3-", "--limit", "100"],
        ),
        (
            "(--in-picture notice123 --limit 100)",
            &["--in-picture", "notice123", "--limit", "100"],
        ),
        (
            "(--in-picture total7, on 3,300 photos, --limit 100)",
            &["--in-picture", "total7", "--limit", "100"],
        ),
        (
            "(--name IMG_0004711 --limit 100)",
            &["--name", "IMG_0004711", "--limit", "100"],
        ),
        (
            "(--on 12-24 --limit 100)",
            &["--on", "12-24", "--limit", "100"],
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
    let built_in = timed("built-in pack", || default_pack().expect("it is whole"));
    let classifier = timed("words and label bank", || {
        classifier(&built_in).expect("they fit")
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
    let of_model = (model.id, &pack.id, pack.dims);
    let index = VectorIndex::new(&reader, data, of_model).expect("readable");
    let vectors = timed("search index mapped", || {
        index.open(4096, &mut |_, _| ()).expect("readable")
    });
    let scan = Scan::new(&[&vector.values], pack.dims).expect("a direction");
    let pieces: Vec<Piece<'_>> = vectors.pieces().iter().map(Piece::from).collect();
    for what in ["all scores, every byte checked", "all scores again"] {
        timed(what, || {
            scan.best(&pieces, &|_| true, 100).expect("it scans")
        });
    }
    let (lexicon, own) = (
        Lexicon::built_in().expect("the lexicon"),
        OwnTerms::default(),
    );
    let searcher = Searcher {
        reader: &reader,
        words: Words {
            vocabulary: classifier.vocabulary(),
            lexicon: &lexicon,
            own: &own,
        },
        classifier: &classifier,
        sources: SourceNames::default(),
        cutoff: 0.6,
    };
    let space = Space {
        pack,
        model: model.id,
        classifier: &built_in,
        data_dir: data,
        max_file: 1 << 29,
        stop: None,
        text: None,
    };
    for text in ["waves on a beach", "dog", "IMG"] {
        let wishes = [Wish::text(text, true).expect("a wish")];
        timed(&format!("whole ranking of {text:?}"), || {
            searcher
                .rank(
                    &space,
                    &Query::default(),
                    &wishes,
                    &mut |_, _| (),
                    &mut |row| {
                        black_box(row.standing);
                        ControlFlow::Continue(())
                    },
                )
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
