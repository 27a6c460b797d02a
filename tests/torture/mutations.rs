//! Good files of every format, mutated along their own structure: each ends as a photo or as a failure,
//! no process dies or takes too long, and what cannot be whole is not called whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::anatomy::{Anatomy, Number};
use crate::env::TestEnv;
use crate::oracle;
use crate::rng::{Rng, first_seed, number};
use crate::samples::{self, GoodFile};
use crate::strict;
use crate::world::without_model;

/// Files that are given to photond at once.
const BATCH: u64 = 250;
/// How long decoding one of them may take, as the settings say.
const DECODE_SECONDS: u64 = 20;
/// What a decoding process may map, as the settings say.
const DECODE_MEMORY_MIB: u64 = 1024;
/// A batch that takes longer has not ended.
const DEADLINE: Duration = Duration::from_secs(300);

/// A file that something is wrong with, perhaps.
struct Mutation {
    name: String,
    how: String,
    bytes: Vec<u8>,
    /// The good file whose beginning it is.
    beginning_of: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Photo {
        format: String,
        is_whole: bool,
        trouble: Option<String>,
        phash: Vec<u8>,
    },
    Failure {
        kind: String,
    },
}

impl Outcome {
    /// What is wrong, in photond's terms.
    fn trouble(&self) -> Option<&str> {
        match self {
            Self::Photo { trouble, .. } => trouble.as_deref(),
            Self::Failure { kind } => Some(kind),
        }
    }
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Mutated {
    files: usize,
    whole: usize,
    /// Photos that the strict look, too, has something against.
    proven: usize,
    /// By what photond says is wrong with them.
    troubles: BTreeMap<String, usize>,
    /// The most that a decoding process has mapped, in KiB, and held in memory.
    mapped: u64,
    resident: u64,
    /// Looks at decoding processes.
    looks: u64,
}

#[test]
fn mutated_files_end_as_photos_or_failures_and_harm_nobody() {
    let mutations = number("PHOTOND_TORTURE_MUTATIONS", 2_000);
    let seed = first_seed();
    eprintln!("PHOTOND_SEED={seed}");
    let good = samples::all();
    let begun = Instant::now();
    let mut tally = Mutated::default();
    let phashes = good_files_are_good(&good, &mut tally);
    let mut wrong: Vec<String> = Vec::new();
    let mut at = 0;
    while at < mutations {
        let end = mutations.min(at + BATCH);
        let batch: Vec<Mutation> = (at..end).map(|n| mutation(seed, n, &good)).collect();
        let found = index(&batch, &mut tally);
        for file in &batch {
            let outcome = &found[&file.name];
            tally.proven += usize::from(is_proven(file, outcome));
            if let Some(what) = judge(file, outcome, &phashes) {
                let kept = keep(seed, file);
                wrong.push(format!("{}: {} ({kept}): {what}", file.name, file.how));
            }
        }
        at = end;
    }
    eprintln!("{tally:#?} in {:?}", begun.elapsed());
    assert!(wrong.is_empty(), "PHOTOND_SEED={seed}: {wrong:#?}");
    assert!(tally.looks > 0, "no decoding process was seen at work");
}

/// Indexes the files that nothing is wrong with; gives their perceptual hashes.
fn good_files_are_good(good: &[GoodFile], tally: &mut Mutated) -> BTreeMap<String, Vec<u8>> {
    let files: Vec<Mutation> = good
        .iter()
        .map(|file| Mutation {
            name: file.name.clone(),
            how: "as it is".to_owned(),
            bytes: file.bytes.clone(),
            beginning_of: None,
        })
        .collect();
    let found = index(&files, tally);
    let seen = found.into_iter().map(|(name, outcome)| match outcome {
        Outcome::Photo {
            is_whole, phash, ..
        } if is_whole || name.ends_with(".nef") || name.ends_with(".raf") => (name, phash),
        other => panic!("{name} is good: {other:?}"),
    });
    let seen = seen.collect();
    for file in good {
        let format = match &*file.extension {
            "jpg" => "jpeg",
            "tif" => "tiff",
            "ppm" | "pgm" => "pnm",
            other => other,
        };
        assert_eq!(
            strict::not_whole(&file.bytes, format),
            None,
            "{}",
            file.name
        );
    }
    seen
}

/// What is wrong with this outcome.
fn judge(
    file: &Mutation,
    outcome: &Outcome,
    phashes: &BTreeMap<String, Vec<u8>>,
) -> Option<String> {
    if let Some(kind @ ("crash" | "timeout")) = outcome.trouble() {
        return Some(format!("its decoder had a {kind}"));
    }
    let Outcome::Photo {
        format,
        is_whole: true,
        phash,
        ..
    } = outcome
    else {
        return None;
    };
    if let Some(why) = strict::not_whole(&file.bytes, format) {
        return Some(format!("this {format} is called whole, but {why}"));
    }
    // The beginning of a file is the same picture or it is not whole.
    let original = phashes.get(file.beginning_of.as_ref()?)?;
    (phash != original).then(|| "its beginning is called whole, but is another picture".to_owned())
}

/// Whether photond and the strict look agree that a photo is not whole.
fn is_proven(file: &Mutation, outcome: &Outcome) -> bool {
    let Outcome::Photo {
        format,
        is_whole: false,
        ..
    } = outcome
    else {
        return false;
    };
    strict::not_whole(&file.bytes, format).is_some()
}

/// Gives files to photond and reads from its index what became of them: none is lost.
fn index(files: &[Mutation], tally: &mut Mutated) -> BTreeMap<String, Outcome> {
    let env = TestEnv::new();
    env.configure(&format!(
        "decode_seconds = {DECODE_SECONDS}\ndecode_memory_mib = {DECODE_MEMORY_MIB}\n[labels]\nterms = 0\n[detect]\ntext = false\n"
    ));
    for file in files {
        fs::write(env.photo(&file.name), &file.bytes).unwrap();
    }
    let photos = env.photos();
    let mut command = env.command(&["index", "--format", "json", photos.to_str().unwrap()]);
    without_model(&mut command);
    let said = env.outside("said");
    command
        .stdout(File::create(env.outside("summary")).unwrap())
        .stderr(File::create(&said).unwrap());
    let status = watched(command, tally);
    let said = fs::read_to_string(said).unwrap();
    assert!(status.success(), "{status}: {said}");
    let summary = fs::read_to_string(env.outside("summary")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let done = ["indexed", "deduplicated", "failed"].map(|of| summary[of].as_u64().unwrap());
    assert_eq!(summary["changing"], 0, "{summary}");
    assert!(
        done.iter().sum::<u64>() >= files.len() as u64,
        "{done:?} of {}: {summary}",
        files.len()
    );
    let unsound = oracle::sound(&env.data());
    assert!(unsound.is_empty(), "{unsound:#?}");
    let found = outcomes(&env.data());
    for file in files {
        let outcome = found
            .get(&file.name)
            .unwrap_or_else(|| panic!("{} is lost: {}", file.name, file.how));
        tally.files += 1;
        match outcome.trouble() {
            None => tally.whole += 1,
            Some(kind) => *tally.troubles.entry(kind.to_owned()).or_default() += 1,
        }
    }
    assert_eq!(found.len(), files.len());
    found
}

fn outcomes(data: &Path) -> BTreeMap<String, Outcome> {
    let conn = oracle::open(data).unwrap();
    let mut rows = conn
        .prepare(
            "SELECT f.path, e.kind, p.format, p.pixels, p.pixels_kind, p.phash
             FROM files f LEFT JOIN photos p ON p.id = f.photo LEFT JOIN failures e ON e.id = f.failure
             WHERE f.missing_since IS NULL AND f.trouble IS NULL",
        )
        .unwrap();
    let rows = rows.query_map([], |r| {
        let name = String::from_utf8(r.get(0)?).unwrap();
        let outcome = match r.get::<_, Option<String>>(1)? {
            Some(kind) => Outcome::Failure { kind },
            None => Outcome::Photo {
                format: r.get(2)?,
                is_whole: r.get::<_, u8>(3)? == 0,
                trouble: r.get(4)?,
                phash: r.get(5)?,
            },
        };
        Ok((name, outcome))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Waits for photond, and looks at its decoding processes meanwhile.
fn watched(mut command: std::process::Command, tally: &mut Mutated) -> ExitStatus {
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > DEADLINE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("a batch does not end");
        }
        for worker in workers(child.id()) {
            look_at(worker, tally);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The children of a process, whichever of its threads has started them.
fn workers(parent: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    let text = lists.collect::<String>();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Its memory, held against its limit once that is set.
fn look_at(worker: u32, tally: &mut Mutated) {
    let read = |what: &str| fs::read_to_string(format!("/proc/{worker}/{what}"));
    let (Ok(limits), Ok(status)) = (read("limits"), read("status")) else {
        return;
    };
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let Some(limit) = limit else {
        return;
    };
    assert_eq!(limit, DECODE_MEMORY_MIB << 20, "the limit of {worker}");
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mapped = kib("VmPeak:").unwrap_or(0);
    assert!(
        mapped <= DECODE_MEMORY_MIB << 10,
        "a decoding process has mapped {mapped} KiB"
    );
    tally.looks += 1;
    tally.mapped = tally.mapped.max(mapped);
    tally.resident = tally.resident.max(kib("VmHWM:").unwrap_or(0));
}

/// For whoever looks into it.
fn keep(seed: u64, file: &Mutation) -> String {
    let folder = std::env::temp_dir().join(format!("photond-mutations-{seed}"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(&file.name);
    fs::write(&path, &file.bytes).unwrap();
    path.display().to_string()
}

/// The mutation of this number; it needs no other.
fn mutation(seed: u64, n: u64, good: &[GoodFile]) -> Mutation {
    let mut rng = Rng::new(seed.wrapping_add(n.wrapping_mul(0xd134_2543_de82_ef95)));
    let file = rng.pick(good).unwrap();
    let mut surgeon = Surgeon {
        anatomy: Anatomy::of(&file.bytes),
        bytes: file.bytes.clone(),
        how: Vec::new(),
    };
    let mut is_cut = false;
    match rng.below(10) {
        0 | 1 => {
            surgeon.cut(&mut rng);
            is_cut = true;
        }
        2 => surgeon.wrong_length(&mut rng),
        3 => surgeon.duplicate(&mut rng),
        4 => surgeon.remove(&mut rng),
        5 => surgeon.swap(&mut rng),
        6 | 7 => surgeon.wrong_number(&mut rng),
        8 => match rng.below(2) {
            0 => surgeon.flip(&mut rng),
            _ => surgeon.zeros(&mut rng),
        },
        _ => {
            let other = rng.pick(good).unwrap();
            surgeon.splice(&mut rng, other);
        }
    }
    // Checksums that are right again let a mutation through to the decoder.
    let is_png = surgeon.bytes.starts_with(b"\x89PNG");
    if is_png && !is_cut && !rng.once_in(3) {
        mend_checksums(&mut surgeon.bytes);
        surgeon.how.push("checksums mended".to_owned());
    }
    Mutation {
        name: format!("{n}.{}", file.extension),
        how: format!("{}: {}", file.name, surgeon.how.join(", ")),
        bytes: surgeon.bytes,
        beginning_of: is_cut.then(|| file.name.clone()),
    }
}

fn mend_checksums(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(len) = bytes.get(at..at + 4) {
        let len = u32::from_be_bytes(len.try_into().unwrap()) as usize;
        let end = at + 8 + len;
        let Some(chunk) = bytes.get(at + 4..end) else {
            break;
        };
        let sum = crc32fast::hash(chunk).to_be_bytes();
        if let Some(field) = bytes.get_mut(end..end + 4) {
            field.copy_from_slice(&sum);
        }
        at = end + 4;
    }
}

/// A file under the knife.
struct Surgeon {
    /// Of the file as it was.
    anatomy: Anatomy,
    bytes: Vec<u8>,
    how: Vec<String>,
}

impl Surgeon {
    /// A block's number.
    fn any(&self, rng: &mut Rng) -> usize {
        rng.below(self.anatomy.blocks.len())
    }

    fn cut(&mut self, rng: &mut Rng) {
        let range = &self.anatomy.blocks[self.any(rng)].range;
        let at = match rng.below(5) {
            0 => range.start,
            1 => range.end,
            2 => range.start + 1,
            3 => range.end.saturating_sub(1),
            _ => range.start + rng.below(range.len().max(1)),
        };
        self.bytes.truncate(at.max(1));
        self.how.push(format!("cut off at {at}"));
    }

    fn wrong_length(&mut self, rng: &mut Rng) {
        let lengths: Vec<Number> = self
            .anatomy
            .blocks
            .iter()
            .filter_map(|b| b.length)
            .collect();
        match rng.pick(&lengths) {
            Some(length) => self.put(rng, *length, "length"),
            None => self.wrong_number(rng),
        }
    }

    fn wrong_number(&mut self, rng: &mut Rng) {
        if let Some(range) = rng.pick(&self.anatomy.digits).cloned() {
            let values = [
                "0",
                "1",
                "65535",
                "65536",
                "4294967295",
                "4294967296",
                "47",
                "49",
                "-1",
            ];
            let value = rng.pick(&values).unwrap();
            self.how
                .push(format!("{value} in digits at {}", range.start));
            self.bytes.splice(range, value.bytes());
        } else if let Some(field) = rng.pick(&self.anatomy.numbers).copied() {
            self.put(rng, field, "number");
        } else {
            self.flip(rng);
        }
    }

    fn put(&mut self, rng: &mut Rng, field: Number, what: &str) {
        let was = field.get(&self.bytes).unwrap_or(0);
        let value = match rng.below(9) {
            0 => 0,
            1 => 1,
            2 => field.most(),
            3 => field.most() >> 1,
            4 => (field.most() >> 1) + 1,
            5 => was.wrapping_sub(1),
            6 => was.wrapping_mul(2),
            7 => self.bytes.len() as u64,
            _ => was.wrapping_add(1),
        };
        field.put(&mut self.bytes, value);
        self.how
            .push(format!("{what} at {}: {was} to {value}", field.at));
    }

    /// The lengths around a block are made right again, or are not.
    fn grown(&mut self, rng: &mut Rng, around: &[Number], by: i64) {
        if rng.once_in(3) {
            return;
        }
        for length in around {
            let was = length.get(&self.bytes).unwrap_or(0);
            length.put(&mut self.bytes, was.wrapping_add_signed(by));
        }
        self.how.push("lengths mended".to_owned());
    }

    fn duplicate(&mut self, rng: &mut Rng) {
        let block = self.anatomy.blocks[self.any(rng)].clone();
        let copy = self.bytes[block.range.clone()].to_vec();
        self.grown(rng, &block.around, copy.len() as i64);
        self.how.push(format!("{:?} twice", block.range));
        self.bytes.splice(block.range.end..block.range.end, copy);
    }

    fn remove(&mut self, rng: &mut Rng) {
        let block = self.anatomy.blocks[self.any(rng)].clone();
        self.grown(rng, &block.around, -(block.range.len() as i64));
        self.how.push(format!("without {:?}", block.range));
        self.bytes.drain(block.range);
    }

    fn swap(&mut self, rng: &mut Rng) {
        let (one, other) = (self.any(rng), self.any(rng));
        let (one, other) = (one.min(other), one.max(other));
        let ranges = [one, other].map(|n| self.anatomy.blocks[n].range.clone());
        let [first, second] = &ranges;
        if first.end > second.start {
            return self.remove(rng);
        }
        let swapped = [
            &self.bytes[..first.start],
            &self.bytes[second.clone()],
            &self.bytes[first.end..second.start],
            &self.bytes[first.clone()],
            &self.bytes[second.end..],
        ]
        .concat();
        self.how.push(format!("{first:?} and {second:?} swapped"));
        self.bytes = swapped;
    }

    fn flip(&mut self, rng: &mut Rng) {
        for _ in 0..1 + rng.below(8) {
            let at = rng.below(self.bytes.len());
            self.bytes[at] ^= 1 << rng.below(8);
            self.how.push(format!("a bit flipped at {at}"));
        }
    }

    fn zeros(&mut self, rng: &mut Rng) {
        let sector = [16, 64, 512][rng.below(3)];
        let start = rng.below(self.bytes.len()) / sector * sector;
        let end = self.bytes.len().min(start + sector);
        self.bytes[start..end].fill(0);
        self.how.push(format!("zeros in {start}..{end}"));
    }

    /// The beginning of this file and the end of another.
    fn splice(&mut self, rng: &mut Rng, other: &GoodFile) {
        let here = self.anatomy.blocks[self.any(rng)].range.end;
        let anatomy = Anatomy::of(&other.bytes);
        let there = anatomy.blocks[rng.below(anatomy.blocks.len())].range.start;
        self.bytes.truncate(here);
        self.bytes.extend(&other.bytes[there..]);
        self.how
            .push(format!("from {here} on {} from {there} on", other.name));
    }
}
