//! What the trials share: a daemon that permissions bind, and the wait for agreement with the oracle.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use crate::env::{Daemon, TestEnv};
use crate::oracle::{self, Truth, Verdict};
use crate::rng::number;

/// How long the two may differ while photond works on it, on a machine that does other things.
const PATIENCE_SECONDS: u64 = 180;

/// The started program may not read what permissions forbid, even if root starts it.
pub fn bind_to_permissions(command: &mut Command) {
    let drop_overrides = || {
        for power in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
            // Whoever is not root has not got them.
            let _ = remove_capability_from_bounding_set(power);
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls, and touches no lock and no heap.
    unsafe { command.pre_exec(drop_overrides) };
}

/// Without ONNX Runtime, where a trial is not about tags.
pub fn without_model(command: &mut Command) {
    command.env("ORT_DYLIB_PATH", "/nowhere");
}

/// What the daemon says goes to a file beside the folder, which is kept if the trial fails.
pub fn logged(env: &TestEnv, command: &mut Command) {
    let log = std::fs::File::options()
        .append(true)
        .create(true)
        .open(env.outside("log"))
        .unwrap();
    command.env("PHOTOND_LOG", "photond=trace").stderr(log);
}

/// The truth of a folder, when it holds still.
pub fn truth(env: &TestEnv) -> Truth {
    oracle::walk(&env.photos())
}

pub fn verdict(env: &TestEnv, truth: &Truth, tags: bool) -> Verdict {
    oracle::compare(&env.data(), &env.photos(), truth, tags)
}

/// Waits until the daemon is idle and index and folder say the same; files held as missing are let
/// go as a person would. Gives how many files they agree on and how many were held.
pub fn settle(env: &TestEnv, seed: u64, what: &str, tags: bool) -> (usize, usize) {
    let before = truth(env);
    let begun = Instant::now();
    let patience = Duration::from_secs(number("PHOTOND_TORTURE_PATIENCE", PATIENCE_SECONDS));
    let mut held = 0;
    loop {
        let idle = is_idle(env);
        let found = verdict(env, &before, tags);
        if found.wrong.is_empty() && found.held > 0 && idle {
            held += found.held;
            env.run(&["confirm"]);
        } else if found.wrong.is_empty() && idle && found.held == 0 {
            // Once more: it is to stay so.
            let again = verdict(env, &before, tags);
            assert!(again.wrong.is_empty(), "seed {seed}, {what}: {again:#?}");
            let unsound = oracle::sound(&env.data());
            assert!(unsound.is_empty(), "seed {seed}, {what}: {unsound:#?}");
            assert_eq!(
                truth(env),
                before,
                "seed {seed}, {what}: a photo was changed"
            );
            return (found.agreed, held);
        }
        if begun.elapsed() > patience {
            keep(env, seed);
            // The log first, the verdict last: what is cut from a long output is its middle.
            eprintln!("{:#}", env.status());
            for wrong in found.wrong.iter().take(3) {
                eprintln!("{}", said_of(env, wrong));
            }
            panic!(
                "PHOTOND_SEED={seed}, {what}: idle: {idle}, held: {}, {} agreed, {} wrong, the first ten: {:#?}",
                found.held,
                found.agreed,
                found.wrong.len(),
                found.wrong.iter().take(10).collect::<Vec<_>>(),
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The last lines of the daemon's log that name the path of a disagreement.
fn said_of(env: &TestEnv, wrong: &str) -> String {
    let path = wrong.split('"').nth(1).unwrap_or_default();
    let log = std::fs::read(env.outside("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let top = path.split('/').next().unwrap_or(path);
    let names = |line: &&str| line.contains(path) || line.contains(&format!("{top:?}"));
    let lines: Vec<&str> = log.lines().filter(names).collect();
    let last = &lines[lines.len().saturating_sub(40)..];
    format!("of {path:?} the log says:\n{}", last.join("\n"))
}

/// Waits for what the daemon is to say; a trial in which it does not is kept.
pub fn wait_for(env: &TestEnv, seed: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > Duration::from_secs(PATIENCE_SECONDS) {
            keep(env, seed);
            panic!(
                "PHOTOND_SEED={seed}, in vain: {what}\n{:#}",
                env.status()["daemon"]
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// True while the daemon says that there is nothing to do.
pub fn is_idle(env: &TestEnv) -> bool {
    let output = env.run(&["status", "--format", "json"]);
    serde_json::from_slice::<serde_json::Value>(&output.stdout)
        .is_ok_and(|s| s["daemon"]["activity"] == "idle")
}

/// The index of a trial that failed, for whoever looks into it.
fn keep(env: &TestEnv, seed: u64) {
    let to = std::env::temp_dir().join(format!("photond-torture-{seed}"));
    let done = Command::new("cp")
        .arg("-a")
        .arg(env.outside(""))
        .arg(&to)
        .status();
    if done.is_ok_and(|s| s.success()) {
        eprintln!("everything of this trial is kept in {}", to.display());
    }
}

/// Descriptors that a process has open.
pub fn descriptors(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |fds| fds.count() as u64)
}

/// The highest descriptor that a process has open.
fn highest(pid: u32) -> u64 {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    fds.flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u64>().ok())
        .max()
        .unwrap_or(0)
}

/// Lets a daemon have no descriptors beyond those it has and `spare`, until this is dropped.
pub struct FewDescriptors {
    pid: Pid,
    before: Rlimit,
}

impl FewDescriptors {
    pub fn of(daemon: &Daemon, spare: u64) -> Self {
        let pid = Pid::from_raw(daemon.pid() as i32).unwrap();
        let low = Rlimit {
            current: Some(highest(daemon.pid()) + 1 + spare),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        let before = prlimit(Some(pid), Resource::Nofile, low).unwrap();
        Self { pid, before }
    }
}

impl Drop for FewDescriptors {
    fn drop(&mut self) {
        let _ = prlimit(Some(self.pid), Resource::Nofile, self.before);
    }
}

/// Waits for a process, no longer than the deadline; when `enough`, it is told to stop.
pub fn wait(
    mut command: Command,
    deadline: Duration,
    what: &str,
    mut enough: impl FnMut() -> bool,
) -> ExitStatus {
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if !told && enough() {
            told = true;
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        }
        if begun.elapsed() > deadline {
            let _ = child.kill();
            panic!("{what}: {command:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
