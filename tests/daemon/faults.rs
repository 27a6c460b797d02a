//! Faults of the machine around it: no watches left, a disk that fails, a clock that lies, folders and
//! files of odd shapes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use image::ImageEncoder;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use crate::env::{TestEnv, jpeg, save};

/// Rounds of a trial, from the environment.
fn rounds(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |n| n.parse().unwrap())
}

/// A program that is killed when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn idle(env: &TestEnv) -> Option<Value> {
    let output = env.run(&["status", "--format", "json"]);
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    let scanned = |root: &Value| root["last_full_scan"].is_number();
    let through = status["roots"].as_array()?.iter().all(scanned);
    (status["daemon"]["activity"] == "idle" && through).then_some(status)
}

/// Lets a process have no more memory than it has and `spare`; gives what it was allowed before.
fn limit_memory(pid: u32, spare: u64) -> Rlimit {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmSize:"));
    let kb = line.and_then(|l| l.split_whitespace().next()).unwrap();
    let low = Rlimit {
        current: Some(kb.parse::<u64>().unwrap() * 1024 + spare),
        maximum: getrlimit(Resource::As).maximum,
    };
    prlimit(Pid::from_raw(pid as i32), Resource::As, low).unwrap()
}

#[test]
fn memory_that_is_refused_costs_a_photo_some_time_and_nothing_else() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let env = TestEnv::new();
    // A decoding process of its own has its own limit.
    env.configure("decode = \"in-process\"\n[labels]\nterms = 0\n[detect]\ntext = false\n");
    save(0, &env.photo("before.jpg"));
    let daemon = env.watch();
    let before = limit_memory(daemon.pid(), 48 << 20);
    // 72 MB when it is decoded; the file has next to none.
    let mut huge = Vec::new();
    image::codecs::png::PngEncoder::new(&mut huge)
        .write_image(
            &vec![90; 6000 * 4000 * 3],
            6000,
            4000,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    fs::write(env.photo("huge.png"), &huge).unwrap();
    env.wait_until("it waits for memory", || {
        let daemon = &env.status()["daemon"];
        daemon["counters"]["waiting"].as_u64() > Some(0)
    });
    save(1, &env.photo("meanwhile.jpg"));
    env.wait_for_paths(&["before.jpg", "meanwhile.jpg"]);
    assert_eq!(env.status()["counts"]["failed"], 0);
    prlimit(Pid::from_raw(daemon.pid() as i32), Resource::As, before).unwrap();
    env.wait_for_paths(&["before.jpg", "huge.png", "meanwhile.jpg"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn folders_that_find_no_watch_left_are_polled_and_that_is_said() {
    let allowed = Command::new("unshare")
        .args([
            "-Ur",
            "sh",
            "-c",
            "echo 20 > /proc/sys/user/max_inotify_watches",
        ])
        .stderr(Stdio::null())
        .status();
    if !allowed.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no user namespace with limits of its own here");
        return;
    }
    let env = TestEnv::new();
    for n in 0..40 {
        fs::create_dir(env.photo(&format!("{n:02}"))).unwrap();
        fs::write(env.photo(&format!("{n:02}/0.jpg")), jpeg(n)).unwrap();
    }
    let script = r#"echo 20 > /proc/sys/user/max_inotify_watches; exec "$0" watch "$1""#;
    let photond = env.command(&["watch"]);
    let mut command = Command::new("unshare");
    command
        .args(["-Ur", "sh", "-c", script])
        .arg(photond.get_program())
        .arg(env.photos())
        .envs(photond.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .env("ORT_DYLIB_PATH", "/nowhere")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _daemon = Running(command.spawn().unwrap());
    env.wait_until("all are indexed", || {
        idle(&env).is_some_and(|s| s["counts"]["indexed"] == 40)
    });
    env.wait_until("it says that folders are polled", || {
        idle(&env).is_some_and(|s| s["daemon"]["watch"]["polled"].as_u64() > Some(0))
    });
    let watch = env.status()["daemon"]["watch"].clone();
    assert!(
        watch["advice"]
            .as_str()
            .is_some_and(|a| a.contains("sysctl")),
        "{watch}"
    );
    // What lands in a polled folder is found too.
    for n in 0..40 {
        fs::write(env.photo(&format!("{n:02}/new.jpg")), jpeg(100 + n)).unwrap();
    }
    env.wait_until("the polls have found them", || env.query(&[]).len() == 80);
}

#[test]
fn a_folder_and_a_file_in_it_at_once_are_never_missed() {
    let rounds = rounds("PHOTOND_TORTURE_ROUNDS", 300);
    let env = TestEnv::new();
    let daemon = env.watch_with(&[], |c| {
        c.env("ORT_DYLIB_PATH", "/nowhere");
    });
    let bytes = jpeg(1);
    for n in 0..rounds {
        let folder = env.photo(&format!("{}/{n}/b/c", n % 50));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("x.jpg"), &bytes).unwrap();
    }
    env.wait_until("every one is indexed", || {
        env.status()["counts"]["indexed"] == rounds
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn reading_photos_makes_no_work() {
    let env = TestEnv::new();
    for n in 0..30 {
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(n)).unwrap();
    }
    let daemon = env.watch();
    env.wait_until("it is at rest", || {
        idle(&env).is_some_and(|s| s["counts"]["indexed"] == 30)
    });
    // Something that comes after everything before it, so that its events are through.
    save(1000, &env.photo("last.png"));
    env.wait_until("the last one is indexed", || {
        idle(&env).is_some_and(|s| s["counts"]["indexed"] == 31)
    });
    let opened = || {
        env.status()["daemon"]["counters"]["opened"]
            .as_u64()
            .unwrap()
    };
    env.wait_until("that is counted", || opened() >= 31);
    assert_eq!(opened(), 31, "each was opened once");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_disk_that_fails_to_read_a_photo_costs_no_row() {
    let env = TestEnv::new();
    for n in 0..5 {
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(n)).unwrap();
    }
    env.index();
    let hash = env.query(&["--path", "3.jpg"])[0]["hash"].clone();
    // Touched, so that it is read again; that fails once.
    let file = fs::File::options()
        .append(true)
        .open(env.photo("3.jpg"))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(5000))
        .unwrap();
    drop(file);
    let daemon = env.watch_with(&[], |command| {
        command.env("PHOTOND_FAILPOINTS", "read.photo=eio@1");
    });
    let status = env.status();
    let failures = status["errors"].as_array().unwrap();
    let said = failures
        .iter()
        .any(|f| f["path"].as_str().is_some_and(|p| p.ends_with("/3.jpg")) && f["kind"] == "io");
    assert!(said, "status --errors names it: {status}");
    assert_eq!(
        env.query(&["--path", "3.jpg"])[0]["hash"],
        hash,
        "its row stays"
    );
    env.wait_until(
        "it is tried again by itself, and nothing is said of it any more",
        || {
            let status = env.status();
            status["errors"].as_array().is_some_and(Vec::is_empty)
        },
    );
    assert_eq!(env.query(&[]).len(), 5);
    assert_eq!(daemon.stop(), Some(0));
}

/// A shim that adds `PHOTOND_TEST_CLOCK` seconds to the wall clock, preloaded.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *at) {
    int done = syscall(SYS_clock_gettime, which, at);
    const char *by = getenv("PHOTOND_TEST_CLOCK");
    if (!done && by && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += atol(by);
    return done;
}
"#;

#[test]
fn a_clock_that_jumps_by_ten_years_changes_nothing() {
    let env = TestEnv::new();
    let shim = env.outside("clock.so");
    let source = env.outside("clock.c");
    fs::write(&source, CLOCK).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&shim, &source])
        .status();
    if !cfg!(target_os = "linux") || !made.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no C compiler");
        return;
    }
    let year = 365 * 86_400_i64;
    for n in 0..20 {
        let path = env.photo(&format!("{n}.jpg"));
        fs::write(&path, jpeg(n)).unwrap();
        let now = SystemTime::now();
        let span = Duration::from_secs((10 * year).cast_unsigned());
        let at = match n % 4 {
            0 => now + span,
            1 => now - span,
            2 => SystemTime::UNIX_EPOCH - Duration::from_secs(86_400),
            _ => now,
        };
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(at).unwrap();
    }
    let index = |years: i64| -> Value {
        let photos = env.photos();
        let output = env
            .command(&["index", "--format", "json", photos.to_str().unwrap()])
            .env("LD_PRELOAD", &shim)
            .env("PHOTOND_TEST_CLOCK", (years * year).to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{years}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(index(0)["indexed"], 20);
    for years in [10, -10, 0, -20, 20] {
        let summary = index(years);
        assert_eq!(summary["decoded"], 0, "{years} years: {summary}");
        assert_eq!(summary["gone"], 0, "{years} years: {summary}");
        assert_eq!(env.query(&[]).len(), 20, "{years} years");
    }
    // The daemon too, with a change under a clock that went back.
    let daemon = env.watch_with(&[], |command| {
        command
            .env("LD_PRELOAD", &shim)
            .env("PHOTOND_TEST_CLOCK", (-10 * year).to_string());
    });
    fs::write(env.photo("3.jpg"), jpeg(1003)).unwrap();
    fs::remove_file(env.photo("7.jpg")).unwrap();
    env.wait_for_truth();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn two_thousand_folders_deep_a_photo_is_found() {
    const DEPTH: usize = 2000;
    let env = TestEnv::new();
    let mut dir = openat(
        CWD,
        env.photos(),
        OFlags::DIRECTORY | OFlags::RDONLY,
        Mode::empty(),
    )
    .unwrap();
    for _ in 0..DEPTH {
        mkdirat(&dir, "deep", Mode::RWXU).unwrap();
        dir = openat(
            &dir,
            "deep",
            OFlags::DIRECTORY | OFlags::RDONLY,
            Mode::empty(),
        )
        .unwrap();
    }
    // Through its descriptor: the path is longer than any call takes.
    let by_descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir));
    fs::write(Path::new(&by_descriptor).join("x.jpg"), jpeg(1)).unwrap();
    let summary = env.index();
    let daemon = env.watch();
    fs::write(Path::new(&by_descriptor).join("y.jpg"), jpeg(2)).unwrap();
    // So deep a folder cannot be watched and is polled once a minute; asked for, it is sooner.
    env.ok(&["rescan"]);
    env.wait_until("the second is found too", || env.query(&[]).len() == 2);
    let path = env.query(&[])[0]["path"].as_str().unwrap().to_owned();
    assert!(path.len() > 4096, "{} {summary}", path.len());
    assert_eq!(daemon.stop(), Some(0));
    let emptied = Command::new("rm")
        .arg("-rf")
        .arg(env.photo("deep"))
        .status();
    assert!(emptied.unwrap().success());
}

#[test]
fn files_of_odd_sizes_and_kinds_end_in_a_sane_row() {
    let env = TestEnv::new();
    fs::write(env.photo("empty.jpg"), b"").unwrap();
    let sparse = fs::File::create(env.photo("sparse.jpg")).unwrap();
    let huge = sparse.set_len(1 << 40).is_ok();
    fs::write(env.photo("really-a-jpeg.png"), jpeg(1)).unwrap();
    fs::hard_link(env.photo("really-a-jpeg.png"), env.photo("second name.jpg")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", env.photo("zero.jpg")).unwrap();
    std::os::unix::fs::symlink(".", env.photo("loop")).unwrap();
    let summary = env.index();
    assert_eq!(
        env.paths(),
        ["really-a-jpeg.png", "second name.jpg"],
        "{summary}"
    );
    let inode = |name: &str| fs::metadata(env.photo(name)).unwrap().ino();
    assert_eq!(inode("second name.jpg"), inode("really-a-jpeg.png"));
    let status = env.status();
    let kind = |name: &str| {
        let failures = status["errors"].as_array().unwrap().iter();
        let mut named = failures.filter(|f| f["path"].as_str().unwrap().ends_with(name));
        named.next().map(|f| f["kind"].clone())
    };
    assert!(kind("empty.jpg").is_some(), "{status}");
    if huge {
        assert_eq!(kind("sparse.jpg"), Some("too-large".into()), "{status}");
    }
}
