//! Tags from a vocabulary of tens of thousands of terms: how good they are on labelled photos, what
//! tagging a library again costs, the same at full scale, and what pools of terms save and lose.
//!
//! The built-in model's bank is encoded once, which takes minutes; `PHOTOND_BENCH_BANK` names a bank
//! that was encoded before (`labels/*.bank` of a data directory).

mod life;
mod pools;
mod retag;
mod scale;
mod steps;
mod tags;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use photond::index::bank_path;
use photond::model::{find_runtime, packs};
use photond::tag::TermBank;

use crate::library::fill;
use crate::measure::{photond, scratch};
use crate::photos::{jpeg, synthetic};

/// Photos that are tagged again.
const PHOTOS: u64 = 10_000;
/// A run ends before all terms are encoded if that takes long, and is begun again; in all so long.
const ENCODING: Duration = Duration::from_secs(1800);

pub fn run() {
    let (dir, _, data) = scratch();
    let bank = encoded(&dir.path().join("terms"));
    if let Some(bank) = &bank {
        println!("\n-- tags of labelled photos");
        tags::run(bank);
    }
    println!("\n-- a library of {PHOTOS} photos tagged again");
    let example = jpeg(&synthetic(0, 1024, 768), 85);
    let start = Instant::now();
    fill(&data, PHOTOS, &example);
    println!(
        "its rows, tags and vectors are made in {:.0} s; the folder that its photos are said to lie in does not exist",
        start.elapsed().as_secs_f64()
    );
    if let Some(bank) = &bank {
        retag::run(&data, bank);
    }
    println!("\n-- the same at full scale");
    scale::run(&data);
    if let Some(bank) = &bank {
        println!("\n-- pools while photos come in");
        pools::run(bank);
    }
}

/// A whole bank of the built-in search model, and whose it is.
struct Encoded {
    file: PathBuf,
    model: photond::embedding::ModelId,
}

impl Encoded {
    /// Gives it to another index.
    fn put(&self, data: &Path) {
        let to = bank_path(data, &self.model);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("it can be made");
        std::fs::copy(&self.file, to).expect("it can be copied");
    }

    fn open(&self) -> std::sync::Arc<TermBank> {
        TermBank::open_any(&self.file).expect("it was just used")
    }
}

/// Encodes every term in an index without photos, so that nothing else is timed.
fn encoded(data: &Path) -> Option<Encoded> {
    let pack = packs::derived(data).expect("the built-in pack");
    if let Err(e) = pack.text_side() {
        println!("tags and pools skipped: {e}");
        return None;
    }
    if let Err(e) = find_runtime(Path::new("runtime")) {
        println!("tags and pools skipped: {e}");
        return None;
    }
    fill(data, 0, b"");
    let encoded = Encoded {
        file: bank_path(data, &pack.id),
        model: pack.id.clone(),
    };
    let made = std::env::var_os("PHOTOND_BENCH_BANK").map(PathBuf::from);
    if let Some(made) = &made {
        std::fs::create_dir_all(encoded.file.parent().expect("a folder")).expect("it can be made");
        std::fs::copy(made, &encoded.file).expect("PHOTOND_BENCH_BANK names a bank");
    }
    let (mut runs, mut took, mut peak) = (0, Duration::ZERO, None);
    let bank = loop {
        let run = Run::of(&mut photond(data, &["retag", "-q"]));
        runs += 1;
        took += run.took;
        peak = peak.max(run.peak_kb);
        let bank = TermBank::open_any(&encoded.file).expect("a bank");
        if bank.is_whole() || took > ENCODING {
            break bank;
        }
    };
    let terms = bank.len();
    assert!(bank.is_whole(), "{terms} of {}", bank.capacity());
    if made.is_none() {
        println!(
            "{terms} terms of {} (× {}) encoded by `photond retag` in an index without photos: {:.0} s (runs: {runs}), {:.0} terms/s, peak {}",
            pack.id,
            bank.dims(),
            took.as_secs_f64(),
            terms as f64 / took.as_secs_f64(),
            megabytes(peak)
        );
    } else {
        println!(
            "{terms} terms of {} (× {}), most of them as PHOTOND_BENCH_BANK has them",
            pack.id,
            bank.dims()
        );
    }
    Some(encoded)
}

/// What one run of a command cost.
struct Run {
    took: Duration,
    /// The most that was resident of the program itself, as the system counts it (`VmHWM`); what
    /// `wait4` says includes the parent it was forked from. `None` where there is no `/proc`.
    peak_kb: Option<u64>,
}

impl Run {
    fn of(command: &mut Command) -> Self {
        let start = Instant::now();
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak_kb = None;
        let ended = loop {
            peak_kb = peak_kb.max(resident(&status));
            if let Some(ended) = child.try_wait().expect("it is ours") {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(ended.success(), "{command:?} failed");
        Self {
            took: start.elapsed(),
            peak_kb,
        }
    }
}

fn resident(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn megabytes(kb: Option<u64>) -> String {
    kb.map_or_else(
        || "unknown".to_owned(),
        |kb| format!("{:.0} MB", kb as f64 / 1e3),
    )
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
