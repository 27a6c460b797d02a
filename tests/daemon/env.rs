//! The tests' small language: a folder of photos, a data directory, a daemon, and questions.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

/// How long a condition may take on a busy machine before the test gives up.
const PATIENCE: Duration = Duration::from_secs(240);
/// The longest pause between two looks: each look is a process, which takes from what is waited for.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// A wait with growing pauses.
struct Waiting {
    since: Instant,
    pause: Duration,
}

impl Waiting {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            pause: Duration::from_millis(20),
        }
    }

    /// Waits for the next look; false: long enough.
    fn goes_on(&mut self) -> bool {
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 5 / 4).min(LONGEST_PAUSE);
        self.since.elapsed() < PATIENCE
    }
}

pub struct TestEnv {
    dir: TempDir,
}

/// A running `photond watch`, killed when dropped.
pub struct Daemon {
    child: Child,
}

impl TestEnv {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("photond-")
            .tempdir()
            .unwrap();
        fs::create_dir(dir.path().join("photos")).unwrap();
        let env = Self { dir };
        // Tests of tags say how much of the vocabulary a search model encodes.
        env.configure("[labels]\nterms = 0\n[detect]\ntext = false\n");
        env
    }

    /// Replaces the settings file.
    pub fn configure(&self, text: &str) {
        let dir = self.dir.path().join("config/photond");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.toml"), text).unwrap();
    }

    /// A path below the watched folder.
    pub fn photo(&self, name: &str) -> PathBuf {
        self.photos().join(name)
    }

    pub fn photos(&self) -> PathBuf {
        // macOS has /tmp behind a link.
        fs::canonicalize(self.dir.path()).unwrap().join("photos")
    }

    /// A path outside it, on the same volume.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photond"));
        command
            .args(args)
            .env("PHOTOND_DATA_DIR", self.data())
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("HOME", self.dir.path().join("home"))
            .env_remove("PHOTOND_LOG")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null());
        command
    }

    /// Another program, with the environment that photond would have.
    pub fn wrapped(&self, words: &[&str]) -> Command {
        let photond = self.command(&[]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        for (name, value) in photond.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed and gives its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "photond {args:?} ended with {}\nstdout: {}\nstderr: {}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Indexes the folder once and gives the summary.
    pub fn index(&self) -> Value {
        let photos = self.photos();
        self.json(&["index", "--format", "json", photos.to_str().unwrap()])
    }

    pub fn status(&self) -> Value {
        self.json(&["status", "--format", "json", "--errors"])
    }

    /// Rows of a query, one a place; empty where nothing is found.
    pub fn query(&self, args: &[&str]) -> Vec<Value> {
        let mut all = vec!["query", "--all-paths", "--format", "json"];
        all.extend(args);
        let output = self.run(&all);
        let code = output.status.code();
        assert!(
            code == Some(0) || code == Some(1),
            "query {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        match serde_json::from_slice(&output.stdout) {
            Ok(Value::Array(rows)) => rows,
            _ => Vec::new(),
        }
    }

    /// Paths below the watched folder, sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.names(&self.query(&[]));
        paths.sort();
        paths
    }

    pub fn watch(&self) -> Daemon {
        self.watch_with(&[], |_| {})
    }

    /// Starts `photond watch` and waits for nothing.
    pub fn start(&self, args: &[&str], prepare: impl FnOnce(&mut Command)) -> Daemon {
        let photos = self.photos();
        let mut all = vec!["watch", photos.to_str().unwrap()];
        all.extend(args);
        let mut command = self.command(&all);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        prepare(&mut command);
        Daemon {
            child: command.spawn().unwrap(),
        }
    }

    /// Starts `photond watch` and waits until it has looked through the folder once.
    pub fn watch_with(&self, args: &[&str], prepare: impl FnOnce(&mut Command)) -> Daemon {
        let daemon = self.start(args, prepare);
        let pid = u64::from(daemon.child.id());
        self.wait_until("the daemon is up to date", || {
            let output = self.run(&["status", "--format", "json"]);
            let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) else {
                return false;
            };
            status["daemon"]["pid"] == pid
                && status["daemon"]["activity"] == "idle"
                && status["roots"].as_array().is_some_and(|r| {
                    r.iter().all(|root| {
                        root["last_full_scan"].is_number() || root["state"] == "offline"
                    })
                })
        });
        daemon
    }

    /// Runs a command in the background.
    pub fn spawn(&self, mut command: Command) -> Daemon {
        Daemon {
            child: command.process_group(0).spawn().unwrap(),
        }
    }

    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut waiting = Waiting::new();
        while !holds() {
            assert!(waiting.goes_on(), "waited in vain: {what}");
        }
    }

    /// Waits until exactly these paths (below the watched folder) are indexed.
    pub fn wait_for_paths(&self, paths: &[&str]) {
        let mut wanted: Vec<&str> = paths.to_vec();
        wanted.sort_unstable();
        let mut waiting = Waiting::new();
        loop {
            let found = self.paths();
            if found == wanted {
                return;
            }
            assert!(waiting.goes_on(), "wanted {wanted:?}, found {found:?}");
        }
    }

    /// Walks the folder and waits until the index says the same: every path, every hash.
    pub fn wait_for_truth(&self) {
        let mut truth = Vec::new();
        let mut folders = vec![self.photos()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let hash = blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string();
                    truth.push((path.to_str().unwrap().to_owned(), hash));
                }
            }
        }
        truth.sort();
        let mut waiting = Waiting::new();
        loop {
            let mut index: Vec<(String, String)> = self
                .query(&["--all-files"])
                .iter()
                .map(|r| {
                    (
                        r["path"].as_str().unwrap().to_owned(),
                        r["hash"].as_str().unwrap().to_owned(),
                    )
                })
                .collect();
            index.sort();
            if index == truth {
                return;
            }
            if !waiting.goes_on() {
                let missed: Vec<_> = truth.iter().filter(|t| !index.contains(t)).collect();
                let stale: Vec<_> = index.iter().filter(|i| !truth.contains(i)).collect();
                panic!(
                    "not indexed: {missed:#?}\nstale: {stale:#?}\n{}",
                    self.status()["daemon"]
                );
            }
        }
    }

    /// Whether ONNX Runtime is there; tests about tags skip without it, and say so.
    pub fn has_model(&self) -> bool {
        let there = self.run(&["model", "verify"]).status.success();
        if !there {
            eprintln!("skipped: no ONNX Runtime (`make runtime` fetches it)");
        }
        there
    }

    /// Whether the text model of lite0-minilm is there too; tests of `--text` skip without it.
    pub fn has_text(&self) -> bool {
        if !self.has_model() {
            return false;
        }
        let models = self.json(&["model", "list", "--format", "json"]);
        let there = models.as_array().unwrap().iter().any(|m| {
            m["name"] == "lite0-minilm" && !m["about"].as_str().unwrap().contains("--text")
        });
        if !there {
            eprintln!("skipped: no text model (`make text-model` fetches it)");
        }
        there
    }

    /// Whether the reader of text in pictures is there too; its tests skip without it.
    pub fn has_reader(&self) -> bool {
        if !self.has_model() {
            return false;
        }
        let models = self.json(&["model", "list", "--format", "json"]);
        let mut models = models.as_array().unwrap().iter();
        let there = models.any(|m| m["kind"] == "text" && m["state"] != "available");
        if !there {
            eprintln!("skipped: no reader of text in pictures (`make runtime` fetches it)");
        }
        there
    }

    /// Paths of rows below the watched folder, in their order.
    pub fn names(&self, rows: &[Value]) -> Vec<String> {
        let photos = self.photos();
        rows.iter()
            .map(|row| {
                let path = Path::new(row["path"].as_str().unwrap());
                let below = path.strip_prefix(&photos).unwrap();
                below.to_string_lossy().into_owned()
            })
            .collect()
    }

    /// Runs a command that must end by itself and be refused; gives its standard error.
    pub fn refused(&self, args: &[&str]) -> String {
        let mut child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("{args:?} does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            output.stdout.is_empty() && !said.trim().is_empty(),
            "{args:?}"
        );
        said
    }
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status();
        assert!(done.unwrap().success());
    }

    /// Makes it stand still, every thread of it, until it gets a SIGCONT.
    pub fn hold(&self) {
        self.signal("STOP");
        if !cfg!(target_os = "linux") {
            return;
        }
        let mut waiting = Waiting::new();
        let stands = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|s| s.starts_with('T'))
        };
        loop {
            let mut tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
            if tasks.all(|task| stands(task.unwrap())) {
                return;
            }
            assert!(waiting.goes_on(), "waited in vain: it stands still");
        }
    }

    /// Sends SIGTERM and gives the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A picture that no other seed gives: coloured shapes, the same on every machine.
pub fn picture(seed: u32, width: u32, height: u32) -> RgbImage {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let blobs: Vec<(i64, i64, i64, [u8; 3])> = (0..12)
        .map(|_| {
            let (x, y) = (next() % u64::from(width), next() % u64::from(height));
            let r = 1 + next() % u64::from(width.max(height) / 3 + 1);
            let c = next().to_le_bytes();
            (x as i64, y as i64, r as i64, [c[0], c[1], c[2]])
        })
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (i64::from(x), i64::from(y));
        let inside =
            |b: &&(i64, i64, i64, [u8; 3])| (x - b.0).pow(2) + (y - b.1).pow(2) < b.2.pow(2);
        match blobs.iter().find(inside) {
            Some(b) => Rgb(b.3),
            None => Rgb([(x % 256) as u8, (y % 256) as u8, ((x + y) % 256) as u8]),
        }
    })
}

/// Writes a picture in the format of the path's extension.
pub fn save(seed: u32, path: &Path) {
    let picture = picture(seed, 320, 240);
    if path.extension().is_some_and(|e| e == "tiff") {
        fs::write(path, tiff(&picture)).unwrap();
    } else {
        picture.save(path).unwrap();
    }
}

/// The bytes of an uncompressed TIFF of one strip.
pub fn tiff(picture: &RgbImage) -> Vec<u8> {
    // Tag, type (3: short, 4: long), number of values, and the value or where the values are.
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 4, 1, picture.width()),
        (257, 4, 1, picture.height()),
        (258, 3, 3, 122),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 128),
        (277, 3, 1, 3),
        (278, 4, 1, picture.height()),
        (279, 4, 1, picture.as_raw().len() as u32),
    ];
    let mut bytes = b"II*\0\x08\0\0\0\x09\0".to_vec();
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([8, 0, 8, 0, 8, 0]);
    bytes.extend(picture.as_raw());
    bytes
}

/// The bytes of a JPEG.
pub fn jpeg(seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
    picture(seed, 320, 240).write_with_encoder(encoder).unwrap();
    bytes
}

/// True where file permissions bind this process (not root).
pub fn permissions_bind(dir: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let probe = dir.join("permission-probe");
    fs::write(&probe, b"x").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o000)).unwrap();
    let bound = fs::read(&probe).is_err();
    fs::remove_file(&probe).unwrap();
    if !bound {
        eprintln!("skipped: permissions do not bind root");
    }
    bound
}
