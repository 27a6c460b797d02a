//! Churn for as long as one likes, and what it leaves behind: descriptors, watches, memory; then what
//! an idle daemon costs.
//!
//! `make soak` runs it for half an hour. In `make test` it is short: then what can only drift (open
//! files, watches) is compared, and what depends on the machine is printed.

use std::fs;
use std::time::{Duration, Instant};

use crate::env::TestEnv;
use crate::rng::{Rng, first_seed, number};
use crate::tree::Tree;
use crate::world::{bind_to_permissions, descriptors, settle};

/// From this length on figures are held to their limits.
const LONG: u64 = 600;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Holds {
    descriptors: u64,
    watches: usize,
    threads: u64,
    rss_kb: u64,
}

fn proc_file(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// The number behind a name in one of its files.
fn field(pid: u32, file: &str, name: &str) -> u64 {
    proc_file(pid, file)
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

fn watches(pid: u32) -> usize {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten();
    infos
        .flatten()
        .filter_map(|e| fs::read_to_string(e.path()).ok())
        .map(|text| {
            text.lines()
                .filter(|l| l.starts_with("inotify wd:"))
                .count()
        })
        .sum()
}

/// What it holds at rest: the least memory of some seconds in which nothing happens.
fn holds_at_rest(pid: u32, seconds: u64) -> Holds {
    let mut least = holds(pid);
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        let now = holds(pid);
        let rss_kb = least.rss_kb.min(now.rss_kb);
        least = Holds { rss_kb, ..now };
    }
    least
}

fn holds(pid: u32) -> Holds {
    Holds {
        descriptors: descriptors(pid),
        watches: watches(pid),
        threads: field(pid, "status", "Threads:"),
        rss_kb: field(pid, "status", "VmRSS:"),
    }
}

/// Ticks of processor time that it has had.
fn ticks(pid: u32) -> u64 {
    let stat = proc_file(pid, "stat");
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = after
        .split_whitespace()
        .map(|f| f.parse().unwrap_or(0))
        .collect();
    fields[11] + fields[12]
}

fn empty(env: &TestEnv, tree: &mut Tree) {
    tree.finish();
    tree.reopen();
    for folder in [env.photos(), env.outside("out")] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
}

#[test]
fn churn_leaves_nothing_behind() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let seconds = number("PHOTOND_SOAK_SECONDS", 10);
    let long = seconds >= LONG;
    let seed = first_seed();
    eprintln!("PHOTOND_SEED={seed}, {seconds} s of churn");
    let mut rng = Rng::new(seed);
    let env = TestEnv::new();
    let mut tree = Tree::new(&env.photos(), &env.outside("out"));
    let daemon = env.watch_with(&[], bind_to_permissions);
    let pid = daemon.pid();
    let mut churn = |tree: &mut Tree, what: &str| {
        for _ in 0..300 {
            tree.step(&mut rng);
            if rng.once_in(12) {
                std::thread::sleep(Duration::from_millis(rng.next() % 25));
            }
        }
        tree.finish();
        settle(&env, seed, what, false)
    };
    // Everything that is made once is made, and every pool is as large as it gets.
    let warm = Instant::now() + Duration::from_secs(seconds / 10);
    loop {
        churn(&mut tree, "warming up");
        if Instant::now() >= warm {
            break;
        }
    }
    empty(&env, &mut tree);
    settle(&env, seed, "warmed up", false);
    let rest = if long { 15 } else { 0 };
    let before = holds_at_rest(pid, rest);
    let begun = Instant::now();
    let (mut rounds, mut agreed) = (0u64, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        agreed += churn(&mut tree, &format!("round {rounds}")).0;
        rounds += 1;
    }
    empty(&env, &mut tree);
    settle(&env, seed, "the end", false);
    // A watch on a folder that has gone ends a moment later.
    env.wait_until("descriptors and watches are as before", || {
        let now = holds(pid);
        now.descriptors <= before.descriptors + 2 && now.watches <= before.watches
    });
    let after = holds_at_rest(pid, rest);
    let drift = 100.0 * (after.rss_kb as f64 / before.rss_kb as f64 - 1.0);
    eprintln!(
        "{rounds} rounds, {} operations, {agreed} agreements",
        tree.done
    );
    eprintln!("before: {before:?}\nafter:  {after:?}, memory {drift:+.1} %");
    assert!(after.threads <= before.threads + 2, "threads stay behind");
    if long {
        // An index that was never left alone until now gets its first backup when it is.
        env.wait_until("the index has its backup", || {
            env.data().join("index.db.backup").exists()
        });
        // And the first look at an index after a change touches its shared memory: the one that is
        // made of each folder's volume every half minute.
        std::thread::sleep(Duration::from_secs(45));
    }
    let idle = if long { 60 } else { 3 };
    let was = (
        ticks(pid),
        field(pid, "io", "write_bytes:"),
        field(pid, "io", "syscw:"),
    );
    std::thread::sleep(Duration::from_secs(idle));
    let is = (
        ticks(pid),
        field(pid, "io", "write_bytes:"),
        field(pid, "io", "syscw:"),
    );
    let cost = (is.0 - was.0, is.1 - was.1, is.2 - was.2);
    eprintln!(
        "idle for {idle} s: {} ticks of processor time, {} bytes written, {} calls of write",
        cost.0, cost.1, cost.2
    );
    if long {
        assert!(drift < 5.0, "memory has grown by {drift:.1} %");
        assert!(cost.0 <= 1 && cost.1 == 0, "idle is not idle: {cost:?}");
    }
    assert_eq!(daemon.stop(), Some(0));
}
