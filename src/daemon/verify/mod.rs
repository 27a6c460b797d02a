//! `photond verify`: reads photos again and compares them with what was indexed.
//!
//! A file whose size and time are those that were indexed and whose bytes are not has rotted, or was
//! tampered with: nobody meant to change it. Promises: reads only, beside a running daemon too;
//! never faster than it is told to; whatever it has read is gone from memory afterwards; stopped or
//! killed, the next run goes on where it was (at most [`NOTE_EVERY`] earlier). It walks the rows of
//! the index, not the folders: what was never indexed has nothing to be compared with.

mod places;
mod reading;
mod sample;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use sample::{Sample, SampleSize};
pub use state::{
    MOST_FINDINGS, VerifyCounts, VerifyFinding, VerifyRun, VerifyState, VerifyVerdict,
};

use super::error::DaemonError;
use super::{HexPath, signals};
use crate::index::lower_priority;
use crate::photo::{ContentHash, RelPath};
use crate::source::{Links, stamp_beneath};
use crate::store::{IndexedFile, RootRow, StoreError, StoreReader, unix_now};
use places::{Place, each_file, places, why_offline};
use reading::{Content, Throttle, content};
use state::{Cursor, VerifyLock};

/// How often it is noted how far it is.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// Times a file that changes while it is read is read again.
const TRIES: usize = 3;

/// What is to be verified, and how.
#[derive(Debug, Clone)]
pub struct VerifyPlan {
    /// The index.
    pub data_dir: PathBuf,
    /// Files and folders, absolute; empty: all that is indexed.
    pub paths: Vec<PathBuf>,
    /// Which of their photos.
    pub size: SampleSize,
    /// Bytes a second; `None`: as fast as the disk goes.
    pub rate: Option<f64>,
    /// Begin anew, even if an earlier run was interrupted.
    pub restart: bool,
}

/// What keeps a verification from running.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// One at a time.
    #[error("another `photond verify` is at work on this index; wait for it, or end it")]
    Busy,
    /// A path that no root has.
    #[error("{} lies in no folder that is indexed; `photond status` lists them", .0.display())]
    NotIndexed(PathBuf),
    /// Its notes cannot be kept.
    #[error("cannot note in {} how far it is: {source}", .dir.display())]
    State {
        /// The data directory.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signal handling.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Who hears of it while it runs.
pub trait VerifyObserver {
    /// An interrupted run goes on.
    fn goes_on(&self, run: &VerifyRun);
    /// One file is done.
    fn file(&self, path: &Path, verdict: VerifyVerdict, finding: Option<&VerifyFinding>);
    /// A folder is not there; so many photos of it are passed over.
    fn offline(&self, root: &Path, why: &str, photos: u64);
    /// Where it stands; called often.
    fn progress(&self, run: &VerifyRun);
}

/// Verifies until the end or a signal. The run that it gives is unfinished if a signal came.
///
/// # Errors
/// If another one runs, a path is not indexed, or the index cannot be read. Trouble with a photo is
/// no error but a finding.
pub fn verify(plan: &VerifyPlan, observer: &dyn VerifyObserver) -> Result<VerifyRun, VerifyError> {
    let note = |source| VerifyError::State {
        dir: plan.data_dir.clone(),
        source,
    };
    let reader = StoreReader::open(&plan.data_dir)?;
    let places = places(&reader, &plan.paths)?;
    let _lock = VerifyLock::take(&plan.data_dir)
        .map_err(note)?
        .ok_or(VerifyError::Busy)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let _signals = signals::on_stop_signal({
        let stopped = Arc::clone(&stopped);
        move || stop(&stopped)
    })?;
    lower_priority();
    let mut state = VerifyState::read(&plan.data_dir);
    let resumed = state
        .current
        .take()
        .filter(|run| !plan.restart && is_of(run, plan));
    let run = match resumed {
        Some(run) => {
            observer.goes_on(&run);
            run
        }
        None => begin(&reader, plan, &places)?,
    };
    state.current = Some(run.clone());
    state.write(&plan.data_dir).map_err(note)?;
    let mut work = Work {
        reader: &reader,
        data_dir: &plan.data_dir,
        observer,
        stopped: &stopped,
        throttle: Throttle::new(plan.rate),
        noted: Instant::now(),
        state,
        run,
    };
    let ended = work.places(&places);
    let finished = matches!(ended, Ok(true));
    if finished {
        work.run.finished_at = Some(unix_now());
        work.run.at = None;
    }
    let written = work.note(finished).map_err(note);
    ended?;
    written?;
    Ok(work.run)
}

/// At the first signal all is noted and ended in order, unless a disk does not answer.
fn stop(stopped: &AtomicBool) {
    const PATIENCE: Duration = Duration::from_secs(5);
    stopped.store(true, Ordering::Relaxed);
    let last = std::thread::Builder::new().name("photond-patience".to_owned());
    let _ = last.spawn(|| {
        std::thread::sleep(PATIENCE);
        // SAFETY: ends the process and touches nothing before that.
        unsafe { libc::_exit(2) }
    });
}

/// Whether an interrupted run is the one that is asked for now.
fn is_of(run: &VerifyRun, plan: &VerifyPlan) -> bool {
    let paths: Vec<HexPath> = plan.paths.iter().map(|p| HexPath::new(p)).collect();
    run.paths == paths && run.sample.size == plan.size
}

fn begin(
    reader: &StoreReader,
    plan: &VerifyPlan,
    places: &[Place],
) -> Result<VerifyRun, VerifyError> {
    use std::hash::{BuildHasher, Hasher};
    let seed = std::hash::RandomState::new().build_hasher().finish();
    let (sample, planned) = Sample::draw(plan.size, seed, |each| {
        for place in places {
            each_file(reader, place, None, &mut |file| {
                each(place.root.id, &file.path);
                Ok(true)
            })?;
        }
        Ok::<(), VerifyError>(())
    })?;
    Ok(VerifyRun {
        started_at: unix_now(),
        finished_at: None,
        paths: plan.paths.iter().map(|p| HexPath::new(p)).collect(),
        sample,
        planned,
        counts: VerifyCounts::default(),
        findings: Vec::new(),
        at: None,
    })
}

struct Work<'a> {
    reader: &'a StoreReader,
    data_dir: &'a Path,
    observer: &'a dyn VerifyObserver,
    stopped: &'a AtomicBool,
    throttle: Throttle,
    noted: Instant,
    state: VerifyState,
    run: VerifyRun,
}

impl Work<'_> {
    /// True at the end, false at a stop.
    fn places(&mut self, places: &[Place]) -> Result<bool, VerifyError> {
        let from = self.run.at.take().unwrap_or(Cursor {
            place: 0,
            after: None,
        });
        for (number, place) in places.iter().enumerate().skip(from.place) {
            let after = from
                .after
                .as_ref()
                .filter(|_| number == from.place)
                .map(bytes_of);
            if let Some(why) = why_offline(self.reader, &place.root)? {
                let mut passed = 0;
                each_file(self.reader, place, after, &mut |file| {
                    passed += u64::from(self.run.sample.takes(place.root.id, &file.path));
                    Ok(true)
                })?;
                self.run.counts.offline += passed;
                self.observer.offline(&place.root.path, &why, passed);
                continue;
            }
            self.run.at = Some(Cursor {
                place: number,
                after: from.after.clone().filter(|_| number == from.place),
            });
            let reader = self.reader;
            let ended = each_file(reader, place, after, &mut |file| {
                if self.stopped.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                if self.run.sample.takes(place.root.id, &file.path) {
                    let path = file.path.clone();
                    if !self.file(&place.root, file)? {
                        return Ok(false);
                    }
                    self.run.at = Some(Cursor {
                        place: number,
                        after: Some(hex_of(&path)),
                    });
                    self.note_at_times();
                    self.observer.progress(&self.run);
                }
                Ok(true)
            })?;
            if !ended {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// False if a stop came first.
    fn file(&mut self, root: &RootRow, file: IndexedFile) -> Result<bool, VerifyError> {
        let Some((verdict, detail, hash)) = self.judge(root, file.clone())? else {
            return Ok(false);
        };
        let path = file.path.under(&root.path);
        self.run.counts.count(verdict);
        if verdict == VerifyVerdict::Sound {
            self.observer.file(&path, verdict, None);
            return Ok(true);
        }
        let mut copies = Vec::new();
        if verdict.is_bad() {
            for hit in self.reader.places(&hash)? {
                let other = hit.path.under(&hit.root);
                if other != path {
                    copies.push(HexPath::new(&other));
                }
            }
        }
        let finding = VerifyFinding {
            path: HexPath::new(&path),
            verdict,
            detail,
            copies,
        };
        self.observer.file(&path, verdict, Some(&finding));
        if self.run.findings.len() < MOST_FINDINGS {
            self.run.findings.push(finding);
        }
        Ok(true)
    }

    /// What a file is, more about it in words, and the content it should have.
    fn judge(
        &mut self,
        root: &RootRow,
        mut file: IndexedFile,
    ) -> Result<Option<(VerifyVerdict, String, ContentHash)>, VerifyError> {
        let is_stopped = || self.stopped.load(Ordering::Relaxed);
        let verdict = |verdict, detail: &str, hash| Ok(Some((verdict, detail.to_owned(), hash)));
        let mut seen: Option<ContentHash> = None;
        for _ in 0..TRIES {
            // Others cost no reading.
            let is_as_indexed = match stamp_beneath(&root.path, &file.path, Links::Followed) {
                Ok(Some(now)) => (now.size, now.mtime_ns) == (file.stamp.size, file.stamp.mtime_ns),
                Ok(None) => {
                    return verdict(VerifyVerdict::Gone, "it is not there any more", file.hash);
                }
                Err(e) => return verdict(VerifyVerdict::Unreadable, &e.to_string(), file.hash),
            };
            if is_as_indexed {
                match content(&root.path, &file.path, &mut self.throttle, &is_stopped) {
                    Content::Is { hash, stamp } => {
                        self.run.counts.bytes += stamp.size;
                        if hash == file.hash {
                            return match seen {
                                None => verdict(VerifyVerdict::Sound, "", hash),
                                Some(_) => verdict(
                                    VerifyVerdict::Unsteady,
                                    "read twice, and sound only the second time: the disk, its cable or this machine's memory is failing",
                                    hash,
                                ),
                            };
                        }
                        if seen == Some(hash) {
                            // The clock of the last change cannot be set back by programs.
                            let written =
                                stamp.ctime_ns != file.stamp.ctime_ns && file.stamp.ctime_ns != 0;
                            let how = if written {
                                "its bytes are not those that were indexed, with the same size and time: something has written to it, or to its properties, since"
                            } else {
                                "its bytes are not those that were indexed, and nothing has written to it since: the disk has lost them"
                            };
                            return verdict(VerifyVerdict::Rotten, how, file.hash);
                        }
                        seen = Some(hash);
                    }
                    Content::Changing => {}
                    Content::Gone => {
                        return verdict(VerifyVerdict::Gone, "it is not there any more", file.hash);
                    }
                    Content::Unreadable(e) => {
                        return verdict(VerifyVerdict::Unreadable, &e.to_string(), file.hash);
                    }
                    Content::Stopped => return Ok(None),
                }
            }
            // The daemon may have indexed it anew since the row was read.
            match self.reader.indexed_file(root.id, &file.path)? {
                None => {
                    return verdict(
                        VerifyVerdict::Gone,
                        "it has left the index meanwhile",
                        file.hash,
                    );
                }
                Some(now) if now != file => (file, seen) = (now, None),
                Some(_) if !is_as_indexed => break,
                Some(_) => {}
            }
        }
        if seen.is_some() {
            let how = "read again and again, and never the same: the disk, its cable or this machine's memory is failing";
            return verdict(VerifyVerdict::Unsteady, how, file.hash);
        }
        verdict(
            VerifyVerdict::Changed,
            "it has been changed and is not indexed again yet",
            file.hash,
        )
    }

    fn note_at_times(&mut self) {
        if self.noted.elapsed() >= NOTE_EVERY {
            self.noted = Instant::now();
            if let Err(e) = self.note(false) {
                tracing::warn!("it cannot be noted how far the verification is: {e}");
            }
        }
    }

    fn note(&mut self, finished: bool) -> std::io::Result<()> {
        if finished {
            self.state.last = Some(self.run.clone());
            self.state.current = None;
        } else {
            self.state.current = Some(self.run.clone());
        }
        self.state.write(self.data_dir)
    }
}

fn hex_of(path: &RelPath) -> HexPath {
    use std::os::unix::ffi::OsStrExt;
    HexPath::new(Path::new(std::ffi::OsStr::from_bytes(path.as_bytes())))
}

fn bytes_of(hex: &HexPath) -> RelPath {
    use std::os::unix::ffi::OsStringExt;
    RelPath::from_bytes(hex.path().into_os_string().into_vec())
}
