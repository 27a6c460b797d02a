//! The service: installing, the unit by systemd's own judgement, and what photond says to whoever
//! supervises it.
//!
//! Most of it runs against stand-ins for systemd's commands, which keep what they were told. What
//! needs a real manager asks for it: `PHOTOND_TEST_SERVICE=1` in a session of one's own installs,
//! starts, kills and removes the real service, on a machine where none is installed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::env::{TestEnv, jpeg, save};

const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$FAKE/log"
if [ "$1" = --version ]; then echo "systemd ${FAKE_VERSION:-252} (252.1)"; exit; fi
if [ -e "$FAKE/no-bus" ]; then echo "Failed to connect to bus: No medium found" >&2; exit 1; fi
case "$2" in
    daemon-reload|reset-failed|reload) ;;
    enable) touch "$FAKE/enabled" ;;
    disable) rm -f "$FAKE/enabled" "$FAKE/active" ;;
    restart)
        if [ -e "$FAKE/broken" ]; then echo "Job for photond.service failed." >&2; exit 1; fi
        touch "$FAKE/active" ;;
    show)
        if [ -e "$FAKE/active" ]; then echo ActiveState=active; else echo ActiveState=inactive; fi
        if [ -e "$FAKE/enabled" ]; then echo UnitFileState=enabled; else echo UnitFileState=disabled; fi
        echo SubState=dead; echo NeedDaemonReload=no; echo Result=success; echo ExecMainStatus=0
        echo "MainPID=$(cat "$FAKE/pid" 2>/dev/null || echo 0)" ;;
    *) echo "what is $2?" >&2; exit 1 ;;
esac
"#;
const SYSTEMD_RUN: &str = r#"#!/bin/sh
if [ -e "$FAKE/no-bus" ]; then echo "Failed to connect to bus: No medium found" >&2; exit 1; fi
[ ! -e "$FAKE/no-namespaces" ]
"#;
const LOGINCTL: &str = "#!/bin/sh\necho no\n";
const JOURNALCTL: &str = "#!/bin/sh\necho 'photond: the very reason'\n";

/// A test environment with stand-ins for systemd.
struct Fake {
    env: TestEnv,
}

impl Fake {
    fn new() -> Self {
        let env = TestEnv::new();
        let roots = format!("roots = [{:?}]\n", env.photos());
        env.configure(&roots);
        let dir = env.outside("fake");
        fs::create_dir(&dir).unwrap();
        for (name, text) in [
            ("systemctl", SYSTEMCTL),
            ("systemd-run", SYSTEMD_RUN),
            ("loginctl", LOGINCTL),
            ("journalctl", JOURNALCTL),
        ] {
            // Through a child, so that no other test's fork can hold the file open for writing
            // while it is run.
            let mut child = Command::new("sh")
                .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
                .arg(dir.join(name))
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            assert!(child.wait().unwrap().success());
        }
        Self { env }
    }

    fn command(&self, args: &[&str]) -> Command {
        let dir = self.env.outside("fake");
        let mut command = self.env.command(args);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", dir.display()))
            .env("FAKE", dir);
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        said(&self.command(args).output().unwrap())
    }

    fn set(&self, what: &str, on: bool) {
        let path = self.env.outside("fake").join(what);
        if on {
            fs::write(path, b"").unwrap();
        } else {
            let _ = fs::remove_file(path);
        }
    }

    /// What systemctl has been told since the last look, but for questions.
    fn told(&self) -> Vec<String> {
        let log = self.env.outside("fake").join("log");
        let lines = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        let orders = lines.lines().filter_map(|l| l.strip_prefix("--user "));
        let orders = orders.map(|l| l.replace(" photond.service", ""));
        orders.filter(|l| !l.starts_with("show")).collect()
    }

    fn unit(&self) -> PathBuf {
        self.env.outside("config/systemd/user/photond.service")
    }

    fn drop_in(&self, name: &str) -> PathBuf {
        self.env
            .outside("config/systemd/user/photond.service.d")
            .join(name)
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn installing_twice_is_installing_once() {
    let fake = Fake::new();
    let (code, text) = fake.run(&["service", "status"]);
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = fake.run(&["service", "install"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("enable-linger"), "{text}");
    assert_eq!(
        fake.told(),
        ["daemon-reload", "enable", "reset-failed", "restart"]
    );
    let unit = fs::read_to_string(fake.unit()).unwrap();
    assert!(fake.drop_in("hardening.conf").exists());
    assert!(
        !fake.drop_in("newer.conf").exists(),
        "this systemd is too old for it"
    );

    let (code, text) = fake.run(&["service", "install"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing to do"), "{text}");
    assert!(fake.told().is_empty(), "what runs is left alone");
    assert_eq!(fs::read_to_string(fake.unit()).unwrap(), unit);
    let (code, text) = fake.run(&["service", "status"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("install"), "nothing to put right: {text}");

    // It runs, but what it runs is another program than the one that lies there now.
    fs::write(fake.env.outside("fake/pid"), std::process::id().to_string()).unwrap();
    assert!(
        fake.run(&["service", "status"])
            .1
            .contains("has been replaced")
    );
    fake.run(&["service", "install"]);
    assert_eq!(fake.told(), ["reset-failed", "restart"]);
    fake.set("pid", false);

    // Another version's file.
    fs::write(fake.unit(), unit.replace("Nice=10", "Nice=5")).unwrap();
    let (code, text) = fake.run(&["service", "status"]);
    assert_eq!(code, Some(0), "it runs all the same");
    assert!(
        text.contains("is not what this version of photond writes"),
        "{text}"
    );
    fake.run(&["service", "install"]);
    assert_eq!(fake.told(), ["daemon-reload", "reset-failed", "restart"]);
    assert_eq!(fs::read_to_string(fake.unit()).unwrap(), unit);

    // What has become possible, and what is so no more.
    fake.set("no-namespaces", true);
    let (_, text) = fake.run(&["service", "install"]);
    assert!(text.contains("namespaces"), "{text}");
    assert!(!fake.drop_in("hardening.conf").exists());
    let mut command = fake.command(&["service", "install"]);
    command.env("FAKE_VERSION", "257");
    assert!(command.output().unwrap().status.success());
    assert!(fake.drop_in("newer.conf").exists());
    fake.told();

    let (code, text) = fake.run(&["service", "uninstall"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(
        fake.told(),
        ["disable --now", "daemon-reload", "reset-failed"]
    );
    assert!(!fake.unit().exists() && !fake.drop_in("").exists());
    let (code, text) = fake.run(&["service", "uninstall"]);
    assert_eq!((code, text.trim()), (Some(1), "no service is installed"));
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_moved_is_noticed() {
    let fake = Fake::new();
    let first = fake.env.outside("first data");
    fake.run(&["--data-dir", first.to_str().unwrap(), "service", "install"]);
    let (_, text) = fake.run(&["service", "status"]);
    assert!(
        text.contains("first data") && text.contains("yours is"),
        "{text}"
    );
    let (_, text) = fake.run(&["service", "install"]);
    assert!(text.contains("until now"), "{text}");
    let hardening = fs::read_to_string(fake.drop_in("hardening.conf")).unwrap();
    assert!(
        hardening.contains(&format!("\"-{}\"", fake.env.data().display())),
        "{hardening}"
    );
    // The program is gone from where the unit says.
    let unit = fs::read_to_string(fake.unit()).unwrap();
    let program = env!("CARGO_BIN_EXE_photond");
    assert!(unit.contains(program));
    fs::write(fake.unit(), unit.replace(program, "/nowhere/photond")).unwrap();
    let (_, text) = fake.run(&["service", "status"]);
    assert!(
        text.contains("/nowhere/photond, which is not there any more"),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_manager_that_cannot_be_reached_is_explained() {
    let fake = Fake::new();
    fake.set("no-bus", true);
    let (code, text) = fake.run(&["service", "install"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("XDG_RUNTIME_DIR") && text.contains("No medium found"),
        "{text}"
    );
    assert!(!fake.unit().exists(), "half a service is none");
    // The file alone can be had.
    let (code, text) = fake.run(&["service", "install", "--no-start"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("systemctl --user enable"), "{text}");
    let (code, text) = fake.run(&["service", "install", "--no-start"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("is as it should be"), "{text}");
    let (code, text) = fake.run(&["service", "uninstall"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!fake.unit().exists());
    // No systemd at all.
    let mut command = fake.command(&["service", "install"]);
    let nothing = fake.env.outside("nothing");
    let (code, text) = said(&command.env("PATH", nothing).output().unwrap());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("no `systemctl` on this machine"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_that_does_not_start_says_why() {
    let fake = Fake::new();
    fake.set("broken", true);
    let (code, text) = fake.run(&["service", "install"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the very reason"), "{text}");
    fake.set("broken", false);
    assert_eq!(
        fake.run(&["service", "reload"]).0,
        Some(1),
        "it does not run"
    );
    fake.run(&["service", "install"]);
    fake.told();
    assert_eq!(fake.run(&["service", "reload"]).0, Some(0));
    assert_eq!(fake.told(), ["reload"]);
    // Settings that cannot be read are found before the daemon is asked to read them.
    fake.env.configure("roots = [");
    let (code, text) = fake.run(&["service", "reload"]);
    assert_eq!(code, Some(78), "{text}");
    assert!(fake.told().is_empty());
}

/// systemd's own opinion of the unit.
#[cfg(target_os = "linux")]
#[test]
fn systemd_finds_the_unit_sound_and_tight() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("skipped: no systemd-analyze");
        return;
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let version = version.split_whitespace().nth(1).unwrap_or_default();
    let number: u32 = version.parse().unwrap_or(0);
    if number < 252 {
        eprintln!("skipped: systemd {version} is older than 252");
        return;
    }
    let fake = Fake::new();
    let mut install = fake.command(&["service", "install"]);
    assert!(
        install
            .env("FAKE_VERSION", version)
            .output()
            .unwrap()
            .status
            .success()
    );
    let runtime = fake.env.outside("runtime");
    fs::create_dir(&runtime).unwrap();
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command
            .args(args)
            .arg(fake.unit())
            .env("XDG_RUNTIME_DIR", &runtime)
            // No files of a photond that is installed here.
            .env("HOME", &runtime)
            .env("XDG_CONFIG_HOME", &runtime);
        command.env("SYSTEMD_LOG_LEVEL", "warning");
        command.output().unwrap()
    };
    let (code, text) = said(&analyze(&["verify", "--user", "--man=no"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("photond.service"), "{text}");
    // In tenths: 2.0 with what a user namespace allows, 6.0 without.
    let rated = |most: &str| {
        let threshold = format!("--threshold={most}");
        said(&analyze(&[
            "security",
            "--user",
            "--offline=true",
            "--no-pager",
            &threshold,
        ]))
    };
    let (code, text) = rated("20");
    assert_eq!(code, Some(0), "{text}");
    fs::remove_file(fake.drop_in("hardening.conf")).unwrap();
    let (code, text) = rated("60");
    assert_eq!(code, Some(0), "{text}");
    let (code, _) = rated("10");
    assert_ne!(code, Some(0), "the limit is heeded at all");
}

/// What systemd would hear from the daemon, by the protocol alone.
#[cfg(target_os = "linux")]
#[test]
fn the_daemon_says_that_it_is_ready_alive_reloading_and_stopping() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let path = env.outside("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let hear = |what: &str| {
        let start = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "never heard: {what}"
            );
            let n = socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if text.lines().any(|l| l == what) {
                return text;
            }
        }
    };
    let daemon = env.start(&[], |command| {
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000");
    });
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    daemon.signal("HUP");
    let text = hear("RELOADING=1");
    assert!(text.contains("MONOTONIC_USEC="), "{text}");
    hear("READY=1");
    hear("WATCHDOG=1");
    daemon.signal("TERM");
    hear("STOPPING=1");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_journal_gets_priorities_and_others_plain_lines() {
    let env = TestEnv::new();
    let log = env.outside("log");
    let missing = env.outside("missing");
    let run = |stream: Option<String>| {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&log)
            .unwrap();
        let meta = file.metadata().unwrap();
        let mut command = env.command(&["-vv", "index", missing.to_str().unwrap()]);
        command.env_remove("JOURNAL_STREAM");
        if let Some(stream) = stream {
            let own = format!("{}:{}", meta.dev(), meta.ino());
            command.env("JOURNAL_STREAM", stream.replace("OWN", &own));
        }
        command.stdout(Stdio::null()).stderr(file);
        assert_eq!(command.status().unwrap().code(), Some(78));
        fs::read_to_string(&log).unwrap()
    };
    let text = run(Some("OWN".to_owned()));
    assert!(text.lines().count() > 0);
    for line in text.lines() {
        let priority = line.as_bytes();
        assert!(
            priority.starts_with(b"<") && (b'3'..=b'7').contains(&priority[1]),
            "{line}"
        );
    }
    assert!(text.contains("<3>photond: "), "{text}");
    // Inherited from a parent in the journal, but going elsewhere.
    for text in [run(None), run(Some("1:2".to_owned()))] {
        assert!(
            text.starts_with("photond: ") || text.contains("\nphotond: "),
            "{text}"
        );
        assert!(!text.contains('<'), "{text}");
    }
}

#[test]
fn a_log_file_that_nobody_cuts_is_cut() {
    let env = TestEnv::new();
    let log = env.outside("photond.log");
    let open = |append: bool| {
        let mut options = fs::OpenOptions::new();
        options.create(true).mode(0o600);
        if append {
            options.append(true)
        } else {
            options.write(true)
        };
        options.open(&log).unwrap()
    };
    let fill = || fs::write(&log, "an old line\n".repeat(400_000)).unwrap();
    let missing = env.outside("missing");
    let run = |append: bool, named: &PathBuf| {
        let mut command = env.command(&["index", missing.to_str().unwrap()]);
        command.env("PHOTOND_LOG_FILE", named);
        command.stdout(Stdio::null()).stderr(open(append));
        assert_eq!(command.status().unwrap().code(), Some(78));
    };
    fill();
    run(true, &log);
    assert_eq!(fs::metadata(&log).unwrap().len(), 0, "it begins again");
    let old = fs::read_to_string(env.outside("photond.log.old")).unwrap();
    assert!((1_000_000..=1 << 20).contains(&old.len()), "{}", old.len());
    assert!(old.starts_with("an old line\n") && old.contains("missing"));
    run(true, &log);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("photond: ") && text.len() < 1000, "{text}");
    // Not the file that was named, or not one that is only appended to: left alone.
    fill();
    let size = fs::metadata(&log).unwrap().len();
    run(true, &env.outside("another"));
    run(false, &log);
    assert!(fs::metadata(&log).unwrap().len() >= size);
}

#[test]
fn launchd_is_told_that_bad_settings_are_no_reason_to_try_again() {
    let env = TestEnv::new();
    env.configure("parallel = 1000\n");
    let mut command = env.command(&["watch"]);
    let (code, text) = said(&command.output().unwrap());
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.contains("line 1") && text.contains("0 to 256"),
        "{text}"
    );
    let (code, _) = said(
        &command
            .env("PHOTOND_SUPERVISOR", "launchd")
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(0));
}

/// FAULTS: bad settings end a start with 78, the line and the fix, and change nothing on a reload.
#[test]
fn bad_settings_name_their_line_and_a_reload_keeps_the_old_ones() {
    let env = TestEnv::new();
    for (text, line, fix) in [
        ("roots = [\n", "line", "expected"),
        ("hidden = true\nrots = []\n", "line 2", "roots"),
        (
            "hidden = true\nparallel = 'two'\n",
            "line 2",
            "whole number",
        ),
        ("\n\nmin_confidence = 2.0\n", "line 3", "0 to 1"),
        ("[labels]\nterm = 3\n", "line 2", "terms"),
    ] {
        env.configure(text);
        let (code, text) = said(&env.run(&["watch"]));
        assert_eq!(code, Some(78), "{text}");
        assert!(
            text.contains("config.toml") && text.contains(line) && text.contains(fix),
            "{text}"
        );
    }
    let log = env.outside("log");
    let roots = format!("roots = [{:?}]\n", env.photos());
    env.configure(&roots);
    let mut command = env.command(&["watch"]);
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap());
    let daemon = env.spawn(command);
    env.wait_until("it has begun", || env.run(&["status"]).status.success());
    save(1, &env.photo("a.jpg"));
    env.wait_for_paths(&["a.jpg"]);
    env.configure("roots = [\n");
    daemon.signal("HUP");
    env.wait_until("it says what is wrong", || {
        let log = fs::read_to_string(&log).unwrap();
        log.contains("line") && log.contains("the settings stay as they were")
    });
    // For the questions that follow; the daemon does not read it again by itself.
    env.configure("");
    save(2, &env.photo("b.jpg"));
    env.wait_for_paths(&["a.jpg", "b.jpg"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// All of it, with the real manager of this user.
#[cfg(target_os = "linux")]
#[test]
fn a_real_user_manager_starts_supervises_and_stops_it() {
    if std::env::var_os("PHOTOND_TEST_SERVICE").is_none() {
        eprintln!("skipped: PHOTOND_TEST_SERVICE=1 lets the real service manager be used");
        return;
    }
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else {
        eprintln!("skipped: no home directory");
        return;
    };
    let unit = home.join(".config/systemd/user/photond.service");
    assert!(
        !unit.exists(),
        "a service is installed here: {}",
        unit.display()
    );
    let env = TestEnv::new();
    let settings = env.outside("config/photond/config.toml");
    let roots = |folders: &[&str]| {
        let folders: Vec<PathBuf> = folders.iter().map(|name| env.photo(name)).collect();
        env.configure(&format!(
            "roots = {folders:?}\n[labels]\nterms = 0\n[detect]\ntext = false\n"
        ));
    };
    for (n, folder) in ["one", "two"].iter().enumerate() {
        fs::create_dir(env.photo(folder)).unwrap();
        let name = format!("{folder}/{n}.jpg");
        fs::write(env.photo(&name), jpeg(n as u32)).unwrap();
    }
    roots(&["one"]);
    let service = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photond"));
        command
            .arg("--config")
            .arg(&settings)
            .arg("--data-dir")
            .arg(env.data());
        said(&command.args(["service", what]).output().unwrap())
    };
    let show = |property: &str| {
        let output = Command::new("systemctl")
            .args([
                "--user",
                "show",
                "--value",
                "--property",
                property,
                "photond.service",
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    struct Uninstall<'a>(&'a dyn Fn(&str) -> (Option<i32>, String));
    impl Drop for Uninstall<'_> {
        fn drop(&mut self) {
            (self.0)("uninstall");
        }
    }
    let (code, text) = service("install");
    let _uninstall = Uninstall(&service);
    assert_eq!(code, Some(0), "{text}");
    env.wait_for_paths(&["one/0.jpg"]);
    if env.has_model() {
        env.wait_until("it is tagged under all its locks", || {
            env.status()["counts"]["tagged"] == 1
        });
    }
    let (_, text) = service("install");
    assert!(text.contains("nothing to do"), "{text}");

    // A photo that lands, and settings that change.
    fs::write(env.photo("one/late.jpg"), jpeg(7)).unwrap();
    env.wait_for_paths(&["one/0.jpg", "one/late.jpg"]);
    roots(&["one", "two"]);
    let (code, text) = service("reload");
    assert_eq!(code, Some(0), "{text}");
    env.wait_for_paths(&["one/0.jpg", "one/late.jpg", "two/1.jpg"]);

    // The locks hold, if a namespace can be had: nothing of the photos' folder can be written.
    let pid = show("MainPID");
    let drop_in = home.join(".config/systemd/user/photond.service.d/hardening.conf");
    if drop_in.exists() {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let root = mounts
            .lines()
            .find(|l| l.split(' ').nth(4) == Some("/"))
            .unwrap();
        assert!(root.split(' ').nth(5).unwrap().starts_with("ro"), "{root}");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("CapBnd:\t0000000000000000"), "{status}");
    } else {
        eprintln!("skipped: no user namespaces here");
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(
        status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
        "{status}"
    );

    // Killed, it is started again; with bad settings it is not.
    let kill = Command::new("kill").args(["-9", &pid]).status();
    assert!(kill.unwrap().success());
    env.wait_until("it is there again", || {
        let now = show("MainPID");
        now != pid && now != "0" && show("ActiveState") == "active"
    });
    env.configure("roots = [\n");
    let restart = Command::new("systemctl")
        .args(["--user", "restart", "photond.service"])
        .stderr(Stdio::null())
        .status();
    assert!(!restart.unwrap().success());
    env.wait_until("it is given up", || show("ActiveState") == "failed");
    assert_eq!(show("ExecMainStatus"), "78");
    assert_eq!(show("NRestarts"), "0");
    roots(&["one"]);
    let (_, text) = service("status");
    assert!(text.contains("because of its settings"), "{text}");
    let (code, text) = service("install");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(show("ActiveState"), "active");
    let (code, text) = service("uninstall");
    assert_eq!(code, Some(0), "{text}");
    assert!(!unit.exists() && !drop_in.exists());
    assert_eq!(show("ActiveState"), "inactive");
    let mode = fs::metadata(env.data()).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o777,
        0o700,
        "the data directory is the user's alone"
    );
}
