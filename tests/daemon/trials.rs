//! What a machine does to a daemon: disks swapped behind its back, disks that hang, no descriptors.
//!
//! These need what not every machine gives (namespaces, FUSE, util-linux); where it is refused they
//! say so and skip.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::env::{TestEnv, jpeg};

fn has(program: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !there {
        eprintln!("skipped: no {program} here");
    }
    there
}

/// What the scripts below begin with.
const HELPERS: &str = r#"
set -eu
count() { "$PHOTOND" query --all --all-paths --format paths 2>/dev/null | wc -l; }
until_is() { for _ in $(seq 2400); do [ "$($1)" = "$2" ] && return; sleep 0.1; done; echo "in vain: $1 is $($1), wanted $2"; "$PHOTOND" status; exit 1; }
"#;

/// The steps of a swap, in a mount namespace of its own: `$PHOTOND`, `$MNT`, `$A` and `$B` are given.
const SWAP: &str = r#"
online() { "$PHOTOND" status --format json | python3 -c '
import json, sys
roots = json.load(sys.stdin)["roots"]
print(" ".join(sorted("%s:%d" % (r["state"], r["indexed"]) for r in roots)))'; }
mount -t tmpfs none "$MNT"; cp "$A"/* "$MNT"/
"$PHOTOND" watch "$MNT" >/dev/null 2>&1 & daemon=$!
trap 'kill -CONT $daemon; kill $daemon; wait $daemon || true' EXIT
until_is count 12
until_is online "online:12"
# Asleep, the disk is pulled and another one put in.
kill -STOP $daemon
mkdir "$MNT.kept"; mount --move "$MNT" "$MNT.kept"
mount -t tmpfs none "$MNT"; cp "$B"/* "$MNT"/
kill -CONT $daemon
until_is online "offline:12 online:5"
until_is count 17
# And back again.
kill -STOP $daemon
umount "$MNT"; mount --move "$MNT.kept" "$MNT"
kill -CONT $daemon
until_is online "offline:5 online:12"
cp "$B"/other-100-0.jpg "$MNT"/one-more.jpg
until_is count 18
# Unplugged while it runs: an empty folder is left.
umount -l "$MNT"
until_is online "offline:13 offline:5"
[ "$(count)" = 18 ] || { echo "rows went: $(count)"; exit 1; }
echo fine
"#;

#[test]
fn disks_that_are_swapped_while_it_sleeps_are_told_apart() {
    with_mounts(SWAP, 5);
}

/// The index on a disk that is full when it begins.
const FULL: &str = r#"
waits() { grep -c "is full" "$MNT.said" || true; }
mkdir -p "$DATA"; mount -t tmpfs -o size=8m,mode=700 none "$DATA"
fill() { head -c 8000000 /dev/zero > "$DATA/filler"; }  # a file of a few bytes still has room
cp "$A"/* "$MNT"/
fill
"$PHOTOND" index "$MNT" >/dev/null 2>&1 && { echo "a full disk is no error"; exit 1; }
"$PHOTOND" watch "$MNT" >"$MNT.said" 2>&1 & daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
until_is waits 1
"$PHOTOND" status 2>&1 | grep -q "no index yet.*full" || { echo "status: $("$PHOTOND" status 2>&1)"; exit 1; }
rm "$DATA/filler"
until_is count 12
echo fine
"#;

#[test]
fn a_disk_that_is_full_at_the_start_is_waited_for() {
    with_mounts(FULL, 0);
}

/// A disk that fills up in the middle of the work, and has room again later.
const FILLED: &str = r#"
paused() { "$PHOTOND" status --format json | python3 -c '
import json, sys
print("full" in ((json.load(sys.stdin)["daemon"] or {}).get("paused") or ""))'; }
mkdir -p "$DATA"; mount -t tmpfs -o size=8m,mode=700 none "$DATA"
cp "$A"/* "$MNT"/
"$PHOTOND" watch "$MNT" >/dev/null 2>&1 & daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
until_is count 12
head -c 9000000 /dev/zero > "$DATA/filler" 2>/dev/null || true
cp "$B"/* "$MNT"/
until_is paused True
[ "$(count)" -ge 12 ] || { echo "no answer: $(count)"; exit 1; }
[ "$(count)" -lt 212 ] || { echo "it was never full"; exit 1; }
rm "$DATA/filler"; mount -o remount,size=64m "$DATA"
until_is count 212
until_is paused False
echo fine
"#;

#[test]
fn a_disk_that_fills_up_pauses_the_work_and_no_query() {
    with_mounts(FILLED, 200);
}

/// Runs a script where it may mount; it is to end with the word "fine". `A` has 12 photos and `B` others.
fn with_mounts(script: &str, others: u32) {
    let allowed = Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !allowed {
        eprintln!("skipped: no mount namespaces for this user");
        return;
    }
    let env = TestEnv::new();
    let photos = |name: &str, from: u32, count: u32| {
        let dir = env.outside(name);
        fs::create_dir(&dir).unwrap();
        for n in 0..count {
            fs::write(dir.join(format!("other-{from}-{n}.jpg")), jpeg(from + n)).unwrap();
        }
        dir
    };
    let (a, b) = (photos("a", 0, 12), photos("b", 100, others));
    let done = env
        .wrapped(&["unshare", "-Urm", "sh", "-c", &[HELPERS, script].concat()])
        .env("PHOTOND", env!("CARGO_BIN_EXE_photond"))
        .env("MNT", env.photos())
        .env("DATA", env.data())
        .env("A", a)
        .env("B", b)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(
        said.trim(),
        "fine",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A folder shown through FUSE, whose server can be made to stand still.
struct Fuse {
    server: std::process::Child,
    at: std::path::PathBuf,
}

impl Fuse {
    fn show(source: &Path, at: &Path) -> Option<Self> {
        if !has("bindfs") {
            return None;
        }
        fs::create_dir(at).unwrap();
        let server = Command::new("bindfs")
            .arg("-f")
            .args([source, at])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut fuse = Self {
            server,
            at: at.to_path_buf(),
        };
        let begun = Instant::now();
        while fs::read_dir(at).unwrap().next().is_none() {
            if begun.elapsed() > Duration::from_secs(10)
                || fuse.server.try_wait().unwrap().is_some()
            {
                eprintln!("skipped: FUSE is refused here");
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(fuse)
    }

    fn signal(&self, name: &str) {
        let pid = self.server.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.signal("-CONT");
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
        let _ = Command::new("fusermount3")
            .arg("-uz")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_disk_that_hangs_holds_up_nobody_else_and_no_stop() {
    let env = TestEnv::new();
    let source = env.outside("source");
    fs::create_dir(&source).unwrap();
    for n in 0..6 {
        fs::write(source.join(format!("slow{n}.jpg")), jpeg(n)).unwrap();
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(100 + n)).unwrap();
    }
    let hung = fs::canonicalize(env.outside(".")).unwrap().join("hung");
    let Some(disk) = Fuse::show(&source, &hung) else {
        return;
    };
    let standing = |what: &str| {
        let status = env.status();
        let daemon = status["daemon"]["roots"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        daemon
            .iter()
            .any(|r| r["path"] == hung.to_str().unwrap() && r["standing"] == what)
    };
    let count = || {
        let listed = env.run(&["query", "--all", "--all-paths", "--format", "paths"]);
        String::from_utf8_lossy(&listed.stdout).lines().count()
    };
    // From the start …
    disk.signal("-STOP");
    let daemon = env.start(&[hung.to_str().unwrap()], |_| {});
    env.wait_until("the other folder is indexed", || count() == 6);
    env.wait_until("it is told which hangs", || standing("hanging"));
    let begun = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    // The promise is five seconds; a machine that is busy with something else gets more.
    assert!(begun.elapsed() < Duration::from_secs(30));
    disk.signal("-CONT");
    // … and while it runs.
    let daemon = env.start(&[hung.to_str().unwrap()], |_| {});
    env.wait_until("both are indexed", || count() == 12);
    disk.signal("-STOP");
    fs::write(source.join("late.jpg"), jpeg(50)).unwrap();
    env.ok(&["rescan"]);
    fs::write(env.photo("late.jpg"), jpeg(150)).unwrap();
    env.wait_until("the other folder goes on", || count() == 13);
    env.wait_until("it is told which hangs", || standing("hanging"));
    disk.signal("-CONT");
    env.wait_until("it goes on where it was", || {
        count() == 14 && standing("watching")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn descriptors_that_run_out_and_come_back_cost_no_photo() {
    if !cfg!(target_os = "linux") || !has("prlimit") {
        return;
    }
    let env = TestEnv::new();
    for n in 0..5 {
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(n)).unwrap();
    }
    let daemon = env.watch();
    let pid = daemon.pid().to_string();
    let limit = |n: usize| {
        let limits = format!("--nofile={n}:4096");
        assert!(
            Command::new("prlimit")
                .args(["--pid", &pid, &limits])
                .status()
                .unwrap()
                .success()
        );
    };
    // The lowest number that is free is what the next descriptor would get.
    let taken: Vec<usize> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    limit((0..).find(|n| !taken.contains(n)).unwrap());
    fs::create_dir_all(env.photo("new/deep")).unwrap();
    for n in 0..20 {
        fs::write(env.photo(&format!("new/deep/{n}.jpg")), jpeg(100 + n)).unwrap();
        fs::write(env.photo(&format!("more{n}.jpg")), jpeg(200 + n)).unwrap();
    }
    // It has tried, in vain, and knows it.
    env.wait_until("it waits", || {
        let counters = &env.status()["daemon"]["counters"];
        counters["waiting"].as_u64() > Some(0) || counters["queued"].as_u64() > Some(0)
    });
    assert_eq!(env.status()["counts"]["failed"], 0, "nothing is broken");
    limit(1024);
    env.wait_for_truth();
    let status = env.status();
    assert_eq!(status["counts"]["failed"], 0);
    assert_eq!(status["errors"].as_array().unwrap().len(), 0);
    assert_eq!(daemon.stop(), Some(0));
}
