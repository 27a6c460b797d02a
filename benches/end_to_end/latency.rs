//! From "moved into place" to "found by a query", a hundred times.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::measure::{median, ms, percentile, photond, scratch};
use crate::photos::{jpeg, synthetic};

pub fn run() {
    let (dir, photos, data) = scratch();
    let mut daemon = photond(&data, &["watch", "-q", &photos.to_string_lossy()])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let found = |name: &str| {
        let output = photond(&data, &["query", "--format", "paths", "--path", name])
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        output.status.success()
    };
    let ready = || {
        let status = photond(&data, &["status", "--format", "json"])
            .output()
            .expect("it runs");
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["daemon"]["activity"] == "idle" && status["roots"][0]["last_full_scan"].is_number()
    };
    while !ready() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut times = Vec::new();
    let mut probes = Vec::new();
    for i in 0..100 {
        let name = format!("{i:03}.jpg");
        let outside = dir.path().join(&name);
        std::fs::write(&outside, jpeg(&synthetic(i, 1024, 768), 85)).expect("writable");
        let start = Instant::now();
        std::fs::rename(&outside, photos.join(&name)).expect("it moves");
        loop {
            let probe = Instant::now();
            if found(&name) {
                break;
            }
            probes.push(ms(probe.elapsed()));
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{name} was not found"
            );
        }
        times.push(ms(start.elapsed()));
    }
    println!(
        "moved into place → returned by `photond query`: median {:.0} ms, p99 {:.0} ms of {} (one query takes {:.0} ms of it)",
        median(&mut times),
        percentile(&mut times, 0.99),
        times.len(),
        if probes.is_empty() {
            0.0
        } else {
            median(&mut probes)
        }
    );
    let _ = daemon.kill();
    let _ = daemon.wait();
}
