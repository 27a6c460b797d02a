//! One file from the network to the disk, whatever the network does.
//!
//! Promises: the file has its final name only when every byte that the server promised has arrived
//! and is on the disk; until then it is `NAME.part`, with `NAME.state` beside it saying what the
//! bytes belong to. A later call goes on where the last one ended, in this process or another, if
//! the server still has the same file (its ETag, or the checksum the hub states), and starts afresh
//! if not. Memory: one buffer. Never judges the content: that is the caller's, who knows the
//! checksum.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::io;
use super::http::{Answer, Ask, Client};
use super::hub::Stated;
use super::retry::{Pause, Trouble, until_done};
use super::{InstallError, Watch, space};

/// Larger than any single file of a model pack; a server without a length may not fill the disk.
const LARGEST: u64 = 16 << 30;

const BUFFER: usize = 256 << 10;

/// What is wanted, and where to.
pub(super) struct Wanted<'a> {
    /// Address at the hub.
    pub url: &'a str,
    /// Name in the pack.
    pub name: &'a str,
    /// Folder that it goes to.
    pub dir: &'a Path,
    /// Size in bytes, if it is known beforehand.
    pub size: Option<u64>,
    /// Whether its content will be checked: bytes of a file without an ETag are only added to
    /// where a mix-up would be noticed.
    pub checked: bool,
}

/// Kept beside a partial file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    url: String,
    /// Strong ETag of whoever sent the bytes.
    etag: Option<String>,
    /// What the hub says the content is.
    stated: Stated,
    /// Size of the whole.
    size: Option<u64>,
}

/// A file that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    /// What the hub says of it.
    pub stated: Stated,
    /// Whether bytes of an earlier connection are in it.
    pub resumed: bool,
    /// Bytes that came over the network now.
    pub received: u64,
}

/// Fetches one file. `step` is told how many bytes of it are here, after each piece.
pub(super) fn fetch(
    client: &Client,
    wanted: &Wanted,
    pause: &dyn Pause,
    watch: &dyn Watch,
    step: &mut dyn FnMut(u64),
) -> Result<Arrived, InstallError> {
    let file = Partial::new(wanted);
    if let Some(state) = file.whole() {
        return Ok(Arrived {
            stated: state.stated,
            resumed: false,
            received: 0,
        });
    }
    let mut tally = Tally {
        furthest: here(wanted.dir, wanted.name),
        ..Tally::default()
    };
    let stated = until_done(wanted.url, client.patience(), pause, watch, |brought| {
        let before = tally.furthest;
        let result = attempt(client, wanted, &file, watch, step, &mut tally);
        // Bytes that only replace bytes are no progress: a server that starts from the beginning
        // each time and breaks off at the same place would be asked for ever.
        *brought = tally.furthest - before;
        result
    })?;
    Ok(Arrived {
        stated,
        resumed: tally.resumed,
        received: tally.received,
    })
}

/// What the tries of one call have brought.
#[derive(Default)]
struct Tally {
    received: u64,
    furthest: u64,
    resumed: bool,
}

/// Forgets what has arrived of a file: its content was wrong.
pub(super) fn forget(dir: &Path, name: &str) {
    for path in [
        dir.join(name),
        dir.join(format!("{name}.part")),
        dir.join(format!("{name}.state")),
    ] {
        let _ = std::fs::remove_file(path);
    }
}

/// How many bytes of a file are here already.
pub(super) fn here(dir: &Path, name: &str) -> u64 {
    [dir.join(name), dir.join(format!("{name}.part"))]
        .iter()
        .find_map(|path| std::fs::metadata(path).ok())
        .map_or(0, |m| m.len())
}

fn attempt(
    client: &Client,
    wanted: &Wanted,
    file: &Partial,
    watch: &dyn Watch,
    step: &mut dyn FnMut(u64),
    tally: &mut Tally,
) -> Result<Stated, Trouble> {
    let (have, mut state) = file.so_far(wanted);
    let ask = Ask {
        from: (have > 0).then(|| (have, state.etag.clone())),
        headers_only: false,
    };
    let answer = client
        .ask(wanted.url, &ask)
        .map_err(|trouble| match trouble {
            // 416: there is nothing behind what is here, so what is here is not what the server has.
            Trouble::Final(InstallError::Status { status: 416, .. }) if have > 0 => {
                file.start_afresh();
                Trouble::passing("the file has changed at the server")
            }
            other => other,
        })?;
    let span = Span::of(&answer, have).map_err(|reason| {
        file.start_afresh();
        Trouble::passing(reason)
    })?;
    let now = State {
        url: wanted.url.to_owned(),
        etag: strong_etag(&answer),
        stated: Stated::of(&answer),
        size: span.total,
    };
    if span.start > 0 && !same_content(&state, &now) {
        file.start_afresh();
        return Err(Trouble::passing("the file has changed at the server"));
    }
    if let (Some(expected), Some(found)) = (wanted.size.or(now.stated.size), span.total)
        && expected != found
    {
        return Err(InstallError::WrongSize {
            file: wanted.name.to_owned(),
            from: wanted.url.to_owned(),
            expected,
            found,
        }
        .into());
    }
    let size = span.total.or(wanted.size).or(now.stated.size);
    if span.start == 0 {
        state = now;
        state.size = size;
        file.begin(&state)?;
    } else {
        tally.resumed = true;
    }
    space::check(wanted.dir, size.unwrap_or(0).saturating_sub(span.start))?;
    let here = receive(answer, file, span.start, size, watch, step, tally)?;
    match size {
        Some(size) if here < size => Err(Trouble::passing(format!(
            "the connection ended after {here} of {size} bytes"
        ))),
        _ => {
            file.finish()?;
            Ok(state.stated)
        }
    }
}

/// Writes the body behind the first `start` bytes. Returns how many bytes the file then has.
fn receive(
    answer: Answer,
    file: &Partial,
    start: u64,
    size: Option<u64>,
    watch: &dyn Watch,
    step: &mut dyn FnMut(u64),
    tally: &mut Tally,
) -> Result<u64, Trouble> {
    let mut out = file.open_at(start)?;
    let mut here = start;
    let mut body = answer.into_reader();
    let mut buffer = vec![0u8; BUFFER];
    let result = loop {
        if watch.stopped() {
            break Err(Trouble::Final(InstallError::Stopped));
        }
        match body.read(&mut buffer) {
            Ok(0) => break Ok(here),
            Ok(n) => {
                let n64 = n as u64;
                if size.is_some_and(|size| here + n64 > size) || here + n64 > LARGEST {
                    break Err(Trouble::Final(InstallError::WrongSize {
                        file: file.name.clone(),
                        from: file.url.clone(),
                        expected: size.unwrap_or(LARGEST),
                        found: here + n64,
                    }));
                }
                if let Err(e) = out.write_all(&buffer[..n]) {
                    break Err(file.cannot_write(e, size.unwrap_or(0).saturating_sub(here)));
                }
                here += n64;
                tally.received += n64;
                tally.furthest = tally.furthest.max(here);
                step(here);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if size == Some(here) => {
                // Every byte is here; how the connection ends does not matter.
                tracing::debug!("{}: {e}", file.url);
                break Ok(here);
            }
            Err(e) => {
                let what = match e.kind() {
                    std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                        "nothing has come for a while".to_owned()
                    }
                    _ => format!("the connection broke ({e})"),
                };
                break Err(Trouble::passing(what));
            }
        }
    };
    // What has arrived must survive a crash together with its state, or be shorter: never longer
    // than what was written.
    out.sync_data()
        .map_err(|e| file.cannot_write(e, size.unwrap_or(0).saturating_sub(here)))?;
    result
}

/// Which bytes an answer has.
struct Span {
    start: u64,
    total: Option<u64>,
}

impl Span {
    /// `have`: bytes that are here, and were not asked for.
    fn of(answer: &Answer, have: u64) -> Result<Self, String> {
        let length: Option<u64> = answer.header("content-length").and_then(|v| v.parse().ok());
        if answer.status != 206 {
            // The whole, asked for or not: the server does not know ranges, or has another file.
            return Ok(Self {
                start: 0,
                total: length,
            });
        }
        let range = answer
            .header("content-range")
            .ok_or("a part was sent without saying which")?;
        let (start, end, total) = content_range(range)
            .ok_or_else(|| format!("Content-Range {range:?} makes no sense"))?;
        if start != have {
            return Err(format!("asked for byte {have} on, got {range:?}"));
        }
        if length.is_some_and(|l| l != end + 1 - start) {
            return Err(format!(
                "{range:?} with Content-Length {}",
                length.unwrap_or(0)
            ));
        }
        Ok(Self { start, total })
    }
}

/// `bytes 5-9/10` or `bytes 5-9/*`.
fn content_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total: Option<u64> = match total.trim() {
        "*" => None,
        n => Some(n.parse().ok()?),
    };
    (start <= end && total.is_none_or(|t| end < t)).then_some((start, end, total))
}

/// An ETag that stands for the very bytes (not `W/…`).
fn strong_etag(answer: &Answer) -> Option<String> {
    answer
        .header("etag")
        .filter(|t| t.starts_with('"'))
        .map(str::to_owned)
}

/// Whether bytes of `then` and of `now` are of one file, as far as one can tell.
fn same_content(then: &State, now: &State) -> bool {
    let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    agree(&then.etag, &now.etag)
        && agree(&then.stated.sha256, &now.stated.sha256)
        && agree(&then.stated.git, &now.stated.git)
        && (then.size.is_none() || now.size.is_none() || then.size == now.size)
}

/// `NAME`, `NAME.part` and `NAME.state`.
struct Partial {
    name: String,
    url: String,
    dir: PathBuf,
}

impl Partial {
    fn new(wanted: &Wanted) -> Self {
        Self {
            name: wanted.name.to_owned(),
            url: wanted.url.to_owned(),
            dir: wanted.dir.to_path_buf(),
        }
    }

    fn done(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    fn part(&self) -> PathBuf {
        self.dir.join(format!("{}.part", self.name))
    }

    fn state(&self) -> PathBuf {
        self.dir.join(format!("{}.state", self.name))
    }

    fn read_state(&self) -> Option<State> {
        let text = std::fs::read_to_string(self.state()).ok()?;
        toml::from_str(&text).ok()
    }

    /// The state of a file that has arrived as a whole, from this address.
    fn whole(&self) -> Option<State> {
        let there = self.done().is_file();
        let state = self.read_state().filter(|s| there && s.url == self.url);
        if there && state.is_none() {
            forget(&self.dir, &self.name);
        }
        state
    }

    /// Bytes that can be added to, with their state.
    fn so_far(&self, wanted: &Wanted) -> (u64, State) {
        let state = self.read_state().filter(|s| s.url == self.url);
        let len = std::fs::metadata(self.part()).map_or(0, |m| m.len());
        match state {
            Some(state)
                if len > 0
                    && state.size.is_none_or(|size| len < size)
                    && (state.etag.is_some() || wanted.checked) =>
            {
                (len, state)
            }
            _ => {
                self.start_afresh();
                (0, State::default())
            }
        }
    }

    fn start_afresh(&self) {
        forget(&self.dir, &self.name);
    }

    /// An empty file, and what is going to be in it.
    fn begin(&self, state: &State) -> Result<(), InstallError> {
        let path = self.part();
        File::create(&path).map_err(io(&path, "write"))?;
        let path = self.state();
        let text = toml::to_string(state)
            .map_err(|e| io(&path, "write")(std::io::Error::other(e.to_string())))?;
        std::fs::write(&path, text).map_err(|e| match self.cannot_write(e, 0) {
            Trouble::Final(e) => e,
            Trouble::Passing { .. } => InstallError::Stopped,
        })
    }

    fn open_at(&self, start: u64) -> Result<File, InstallError> {
        let path = self.part();
        let open = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(start)?;
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        };
        open().map_err(io(&path, "write"))
    }

    /// `NAME.part` becomes `NAME`.
    fn finish(&self) -> Result<(), InstallError> {
        let path = self.part();
        std::fs::rename(&path, self.done()).map_err(io(&path, "rename"))
    }

    fn cannot_write(&self, e: std::io::Error, need: u64) -> Trouble {
        Trouble::Final(match e.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                space::full(&self.dir, need)
            }
            _ => io(&self.part(), "write")(e),
        })
    }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
