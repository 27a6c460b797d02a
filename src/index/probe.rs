//! Asks a root's disk on behalf of those who must not hang with it: above all the writer.
//!
//! One thread a root. An answer that does not come in time is [`Look::Silent`], and until the disk
//! has answered nobody waits for it again. The thread also vouches for the volume: before it says
//! that something is not there, it makes sure that the folder is still the one that was taken on,
//! in full after every gap in time (the machine slept, the process was stopped), since a disk may
//! have been swapped meanwhile for one with the same device number and the same inode.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::error::IndexError;
use super::marks::Marks;
use super::roots::{RootHandle, Visit};
use super::stage::spawn;
use crate::photo::{FileStamp, RelPath};
use crate::source::{RootPresence, identify, is_certain, place_of, stamp_beneath};
use crate::store::StoreReader;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    File(FileStamp),
    /// No regular file, and the volume is there.
    Absent,
    /// The volume is away, or another one is in its place.
    Away,
    /// It cannot be said: the disk fails, or the file may not be asked for.
    Unknown,
    /// The disk has not answered in time.
    Silent,
}

/// How long the disk may take to answer before it is given up for now.
const PATIENCE: Duration = Duration::from_secs(3);
/// A volume that was identified this long ago is identified again before anything is called absent.
const TRUSTED: Duration = Duration::from_secs(30);

/// The two clocks are not read at the same moment.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

struct Question {
    root: Arc<RootHandle>,
    paths: Vec<RelPath>,
    answer: Sender<(Vec<Look>, bool)>,
}

/// The way to a root's probe thread, which ends with it.
pub(super) struct Probe {
    ask: Sender<Question>,
    /// The last question has had no answer yet.
    silent: Arc<AtomicBool>,
}

impl Probe {
    pub fn start(data_dir: &Path) -> Result<Self, IndexError> {
        // One that is worked on and one that waits: the askers are the writer and the actor.
        let (ask, questions) = bounded(1);
        let silent = Arc::<AtomicBool>::default();
        let thread = ProbeThread {
            data_dir: data_dir.to_path_buf(),
            silent: Arc::clone(&silent),
            identified: Instant::now(),
            slept: asleep(),
        };
        spawn("probe", move || thread.run(&questions))?;
        Ok(Self { ask, silent })
    }

    /// What lies at each of these paths.
    pub fn look(&self, root: &Arc<RootHandle>, paths: Vec<RelPath>) -> Vec<Look> {
        let count = paths.len();
        self.ask(root, paths)
            .map_or_else(|| vec![Look::Silent; count], |(looks, _)| looks)
    }

    /// Whether the volume is there; `None`: its disk does not answer.
    pub fn is_present(&self, root: &Arc<RootHandle>) -> Option<bool> {
        self.ask(root, Vec::new()).map(|(_, present)| present)
    }

    fn ask(&self, root: &Arc<RootHandle>, paths: Vec<RelPath>) -> Option<(Vec<Look>, bool)> {
        if root.is_ended() {
            return None;
        }
        let (answer, answered) = bounded(1);
        let question = Question {
            root: Arc::clone(root),
            paths,
            answer,
        };
        if self.silent.load(Ordering::Acquire) {
            return match self.ask.try_send(question) {
                // It may be back: a moment is enough to find out.
                Ok(()) => answered.recv_timeout(Duration::from_millis(50)).ok(),
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
            };
        }
        let end = Instant::now() + PATIENCE;
        let answer = self
            .ask
            .send_deadline(question, end)
            .ok()
            .and_then(|()| answered.recv_deadline(end).ok());
        if answer.is_none() {
            self.silent.store(true, Ordering::Release);
        }
        answer
    }
}

struct ProbeThread {
    data_dir: PathBuf,
    silent: Arc<AtomicBool>,
    identified: Instant,
    /// Time the machine had slept since its start when the volume was identified.
    slept: Duration,
}

impl ProbeThread {
    fn run(mut self, questions: &Receiver<Question>) {
        for question in questions {
            let Question {
                root,
                paths,
                answer,
            } = question;
            let visit = root.visit();
            let found: Vec<_> = paths
                .iter()
                .map(|path| {
                    visit.goes_on();
                    stamp_beneath(&root.path, path, root.filter.links())
                })
                .collect();
            // After the look: what was seen before was seen on this volume too.
            let present = self.is_present(&root, &visit);
            let looks = found
                .into_iter()
                .map(|f| match f {
                    _ if !present => Look::Away,
                    Ok(Some(stamp)) => Look::File(stamp),
                    Ok(None) => Look::Absent,
                    Err(_) => Look::Unknown,
                })
                .collect();
            drop(visit);
            self.silent.store(false, Ordering::Release);
            let _ = answer.send((looks, present));
        }
    }

    fn is_present(&mut self, root: &RootHandle, visit: &Visit) -> bool {
        if place_of(&root.path) != Some(root.place) {
            return false;
        }
        visit.goes_on();
        let slept = asleep();
        // Read before it is found out, so that a doubt that comes meanwhile is not lost.
        let suspect = root.suspect.swap(false, Ordering::AcqRel);
        let has_slept = slept.abs_diff(self.slept) > CLOCK_SLACK;
        if !suspect && !has_slept && self.identified.elapsed() < TRUSTED {
            return true;
        }
        let same = self.is_same_volume(root, visit);
        if same {
            (self.identified, self.slept) = (Instant::now(), slept);
        } else {
            root.doubt();
        }
        same
    }

    fn is_same_volume(&self, root: &RootHandle, visit: &Visit) -> bool {
        let RootPresence::Present(facts) = identify(&root.path) else {
            return false;
        };
        visit.goes_on();
        if facts.identity.0 != root.volume {
            return false;
        }
        if is_certain(&root.volume) {
            return true;
        }
        // A name that another volume may have too: what lies there decides.
        let marks = StoreReader::open(&self.data_dir)
            .and_then(|reader| reader.sample_files(root.id))
            .map_or(Marks::Unknown, |sample| Marks::of(&root.path, &sample));
        marks != Marks::Other
    }
}

/// How long the machine has slept since its start: the clock that goes on meanwhile, less the one
/// that does not.
#[cfg(target_os = "linux")]
fn asleep() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| {
        let now = clock_gettime(clock);
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    };
    read(ClockId::Boottime).saturating_sub(read(ClockId::Monotonic))
}

/// Elsewhere `Instant` itself stands still or jumps, and the age of the last look must do.
#[cfg(not(target_os = "linux"))]
fn asleep() -> Duration {
    Duration::ZERO
}
