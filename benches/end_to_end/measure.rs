//! Running a command and what the system says it cost.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of a command cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Peak resident memory in MB.
    pub peak_mb: f64,
}

/// A command of the binary under test, on a data directory of its own.
pub fn photond(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_photond"));
    command
        .args(args)
        .env("PHOTOND_DATA_DIR", data)
        .env("XDG_CONFIG_HOME", data)
        .stdin(Stdio::null());
    command
}

/// Runs to the end, output thrown away.
// wait4 below reaps the child: it alone tells what the child cost.
#[allow(clippy::zombie_processes)]
pub fn cost(command: &mut Command) -> Cost {
    let start = Instant::now();
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");
    let pid = libc::pid_t::try_from(child.id()).expect("a pid");
    // SAFETY: both out parameters are valid for the call, and the child is ours and not reaped yet.
    let (status, usage) = unsafe {
        let mut status = 0;
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(pid, &raw mut status, 0, &raw mut usage), pid);
        (status, usage)
    };
    let wall = start.elapsed();
    assert_eq!(status, 0, "{command:?} failed");
    Cost {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_mb: usage.ru_maxrss as f64 / if cfg!(target_os = "macos") { 1e6 } else { 1e3 },
    }
}

/// User and system time of this process so far.
pub fn own_cpu() -> Duration {
    // SAFETY: the out parameter is valid for the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn time(t: libc::timeval) -> Duration {
    Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000)
}

/// Cosine of two vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

/// The middle of several values.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which this share lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// A temporary folder with `photos` and `data` in it.
pub fn scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::Builder::new()
        .prefix("photond-bench-")
        .tempdir()
        .expect("a temporary folder");
    let (photos, data) = (dir.path().join("photos"), dir.path().join("data"));
    std::fs::create_dir(&photos).expect("it can be made");
    (dir, photos, data)
}

/// Milliseconds.
pub fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}
