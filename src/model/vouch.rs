//! Whether a library may be loaded into this process. Loading runs foreign code that can crash it or
//! never come back, and nothing can undo that; so it is made sure of before.
//!
//! A library that was fetched has its SHA-256 noted beside it, and is compared with that each time
//! (22 MB take 15 ms). Somebody else's is tried in a child process, which loads it and runs the
//! built-in model once; the verdict is kept in the data directory for as long as the file is the same.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256};

use crate::safe_file;

/// What was fetched notes this beside the library, as `key = "value"` lines.
const STAMP: &str = "onnxruntime.stamp";
/// File in the data directory that remembers what trials have shown.
const TRIED: &str = "runtime.tried";
/// The argument that makes photond try a library; it is no command for people.
pub const TRIAL_COMMAND: &str = "try-runtime";
/// What the child says when all went well: another program would not.
pub const TRIAL_PASSED: &str = "photond: this runtime works";
/// How long a trial may take. A good library needs two seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A bad verdict is looked at again after this: the machine may have been at fault.
const FORGIVEN: Duration = Duration::from_secs(86_400);

/// Makes sure that a library may be loaded.
///
/// # Errors
/// Why it may not, for people.
pub(super) fn vouch(library: &Path, data_dir: &Path) -> Result<(), String> {
    match noted_sum(library) {
        Some(noted) => compare(library, &noted),
        // Unit tests are no photond that could be started again.
        None if cfg!(test) => Ok(()),
        None => try_once(library, data_dir),
    }
}

/// The SHA-256 that was noted when the library was fetched.
fn noted_sum(library: &Path) -> Option<String> {
    let library = std::fs::canonicalize(library).ok()?;
    let text = std::fs::read_to_string(library.parent()?.join(STAMP)).ok()?;
    let note: toml::Table = toml::from_str(&text).ok()?;
    let value = |key: &str| note.get(key)?.as_str();
    let is_of_it = value("library").is_some_and(|name| library.ends_with(name));
    let sum = value("sha256").filter(|sum| is_of_it && sum.len() == 64);
    sum.map(str::to_owned)
}

fn compare(library: &Path, noted: &str) -> Result<(), String> {
    let found = sha256(library).map_err(|e| e.to_string())?;
    if found.eq_ignore_ascii_case(noted) {
        return Ok(());
    }
    Err(format!(
        "it is damaged: its SHA-256 is {found}, and {noted} was fetched"
    ))
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => sum.update(&buffer[..n]),
        }
    }
    Ok(crate::photo::hex(sum.finish().as_ref()))
}

/// What a file is known by from outside, and which photond has tried it.
fn identity(library: &Path) -> std::io::Result<String> {
    let path = std::fs::canonicalize(library)?;
    let meta = std::fs::metadata(&path)?;
    Ok(format!(
        "{} {} {} {} {} {} {:?}",
        env!("CARGO_PKG_VERSION"),
        meta.dev(),
        meta.ino(),
        meta.size(),
        meta.mtime() as i128 * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        meta.ctime() as i128 * 1_000_000_000 + i128::from(meta.ctime_nsec()),
        path,
    ))
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}

/// Tries it in a child unless that was done before.
fn try_once(library: &Path, data_dir: &Path) -> Result<(), String> {
    let is = identity(library).map_err(|e| e.to_string())?;
    let notes = data_dir.join(TRIED);
    if let Some(verdict) = remembered(&notes, &is, unix_now()) {
        return verdict;
    }
    let verdict = in_child(library, data_dir);
    let word = match &verdict {
        Ok(()) => "good",
        Err(why) => why.as_str(),
    };
    let text = format!("{is}\n{}\n{word}\n", unix_now());
    if let Err(e) = safe_file::write(&notes, text.as_bytes()) {
        tracing::debug!("{}: {e}", notes.display());
    }
    verdict
}

/// What a trial of this very file has shown.
fn remembered(notes: &Path, is: &str, now: u64) -> Option<Result<(), String>> {
    let text = std::fs::read_to_string(notes).ok()?;
    let mut lines = text.lines();
    if lines.next()? != is {
        return None;
    }
    let at: u64 = lines.next()?.parse().ok()?;
    match lines.next()? {
        "good" => Some(Ok(())),
        _ if now.abs_diff(at) > FORGIVEN.as_secs() => None,
        why => Some(Err(why.to_owned())),
    }
}

/// The library is loaded by another process of this program.
fn in_child(library: &Path, data_dir: &Path) -> Result<(), String> {
    let cannot = |e: std::io::Error| format!("it cannot be tried: {e}");
    let program: PathBuf = std::env::current_exe().map_err(cannot)?;
    tracing::info!("trying {} in a process of its own", library.display());
    let mut child = Command::new(program)
        .arg("--data-dir")
        .arg(data_dir)
        .arg(TRIAL_COMMAND)
        .arg(library)
        // It must not ask for trials of its own.
        .env("ORT_DYLIB_PATH", library)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(cannot)?;
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(None) | Err(_) => break None,
        }
    };
    let Some(status) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!(
            "in a trial it did not come back within {} seconds",
            PATIENCE.as_secs()
        ));
    };
    // One line: it fits the pipe, and the child has ended.
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    let said = said.trim();
    match said {
        TRIAL_PASSED if status.success() => Ok(()),
        "" => Err(format!("a trial of it ended with {status}")),
        why => Err(why.lines().next_back().unwrap_or_default().to_owned()),
    }
}

/// The child's first act: it ends with whoever started it, and its crash leaves no image.
pub(super) fn be_a_child() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_compared_with_what_was_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("libonnxruntime.so");
        std::fs::write(&library, b"abc").unwrap();
        assert_eq!(noted_sum(&library), None);
        // SHA-256 of "abc", as FIPS 180-2 gives it.
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let stamp =
            |name: &str| format!("version = \"1\"\nlibrary = \"{name}\"\nsha256 = \"{sum}\"\n");
        std::fs::write(dir.path().join(STAMP), stamp("another.so")).unwrap();
        assert_eq!(noted_sum(&library), None, "the note is another library's");
        std::fs::write(dir.path().join(STAMP), stamp("libonnxruntime.so")).unwrap();
        assert_eq!(vouch(&library, dir.path()), Ok(()));
        std::fs::write(&library, b"abd").unwrap();
        assert!(vouch(&library, dir.path()).unwrap_err().contains("damaged"));
    }

    #[test]
    fn a_verdict_holds_for_one_file_and_a_bad_one_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let notes = dir.path().join(TRIED);
        assert_eq!(remembered(&notes, "a", 0), None);
        std::fs::write(&notes, "a\n1000\ngood\n").unwrap();
        assert_eq!(remembered(&notes, "a", 9_000_000), Some(Ok(())));
        assert_eq!(remembered(&notes, "b", 1000), None);
        std::fs::write(&notes, "a\n1000\nit crashed\n").unwrap();
        assert_eq!(
            remembered(&notes, "a", 2000),
            Some(Err("it crashed".to_owned()))
        );
        assert_eq!(remembered(&notes, "a", 1001 + 86_400), None);
        std::fs::write(&notes, "a\n10").unwrap();
        assert_eq!(remembered(&notes, "a", 20), None);
    }
}
