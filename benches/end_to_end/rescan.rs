//! 100,000 unchanged files: a rescan against `find`, and the idle daemon on top of them.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::measure::{cost, median, ms, photond, scratch};

const DIRS: usize = 200;
const FILES: usize = 500;

pub fn run() {
    let (_dir, photos, data) = scratch();
    // Distinct tiny pictures: 1×1 PNMs whose comment differs.
    for d in 0..DIRS {
        let dir = photos.join(format!("{d:03}"));
        std::fs::create_dir(&dir).expect("it can be made");
        for f in 0..FILES {
            let text = format!("P2\n# {d}/{f}\n1 1\n255\n{}\n", (d + f) % 256);
            std::fs::write(dir.join(format!("{f:03}.pgm")), text).expect("writable");
        }
    }
    let root = photos.to_string_lossy().into_owned();
    let first = cost(&mut photond(&data, &["index", "-q", &root]));
    println!(
        "{} files indexed for the first time: {:.0} s, {:.0}/s",
        DIRS * FILES,
        first.wall.as_secs_f64(),
        (DIRS * FILES) as f64 / first.wall.as_secs_f64()
    );
    let (mut rescans, mut finds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..7 {
        let f = cost(Command::new("find").args([&root, "-type", "f", "-printf", "%s %T@ %p\\n"]));
        let r = cost(&mut photond(&data, &["index", "-q", &root]));
        finds.push(ms(f.wall));
        rescans.push(ms(r.wall));
        ratios.push(r.wall.as_secs_f64() / f.wall.as_secs_f64());
    }
    println!(
        "rescan, whole command: {:.0} ms   find: {:.0} ms   ratio {:.2} (median of 7 pairs)",
        median(&mut rescans),
        median(&mut finds),
        median(&mut ratios)
    );
    idle(&data, &root);
}

/// The daemon with 100,000 rows: memory and CPU once it is up to date.
fn idle(data: &std::path::Path, root: &str) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut daemon = photond(data, &["watch", "-q", root])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let status = photond(data, &["status", "--format", "json"])
            .output()
            .expect("it runs");
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        if status["daemon"]["activity"] == "idle" && status["daemon"]["pid"] == daemon.id() {
            break;
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    let proc = |file: &str| {
        std::fs::read_to_string(format!("/proc/{}/{file}", daemon.id())).unwrap_or_default()
    };
    let cpu = || -> u64 {
        let stat = proc("stat");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0)
    };
    let before = cpu();
    const SECONDS: u64 = 30;
    std::thread::sleep(Duration::from_secs(SECONDS));
    let ticks = cpu() - before;
    let rss = proc("status")
        .lines()
        .find_map(|l| {
            l.strip_prefix("VmRSS:")
                .map(|v| v.trim().trim_end_matches(" kB").trim().to_owned())
        })
        .and_then(|v| v.parse::<f64>().ok())
        .unwrap_or(f64::NAN);
    println!(
        "idle daemon over {} rows: {:.0} MB resident, {} ms CPU in {SECONDS} s",
        DIRS * FILES,
        rss / 1e3,
        ticks * 10
    );
    let _ = daemon.kill();
    let _ = daemon.wait();
}
