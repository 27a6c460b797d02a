//! The parent's side: decoding processes, each lent to one file at a time.
//!
//! One that dies, stalls or gives an answer that cannot be true is replaced, and its file has a second
//! attempt; after that the file is to blame. After some hundred photos a process is replaced anyway, so
//! that nothing adds up in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use memmap2::{Mmap, MmapOptions};

use super::child::WORD;
use super::protocol::{self, Lie, REPLY_ROOM, Reply, Request, Want, receive, send};
use super::sandbox::Walls;
use crate::embedding::{InputSpec, ModelInput};
use crate::media::{Extent, Inspects, Refusal};
use crate::photo::{Inspection, Pixels};

/// Files after which a process is replaced.
const FILES: u32 = 500;
/// How long a process may take until it is ready; a loaded machine takes some milliseconds.
const START: Duration = Duration::from_secs(20);
/// The shared memory grows in steps of this …
const STEP: usize = 16 << 20;
/// … and a process whose memory grew beyond this is not kept: to start another one takes some
/// milliseconds, a file of more than 24 MB some hundred.
const KEPT: usize = 32 << 20;
/// Attempts that a file has.
const ATTEMPTS: u32 = 2;

/// How decoding processes are kept.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that is one, when it is told so; absent: this very program.
    pub program: Option<PathBuf>,
    /// How long one file may take.
    pub deadline: Duration,
    /// The most that a process may map, in bytes.
    pub memory: u64,
    /// Pictures with more pixels are not decoded, in millions.
    pub max_megapixels: u64,
    /// What the thread that starts them does first, and they have it from it: stepping back.
    pub first: Option<fn()>,
}

/// A started process, on its way to whoever wants it.
type Started = io::Result<(Process, Walls)>;

/// Decoding processes: as many as are in use at once.
pub struct Pool {
    options: PoolOptions,
    idle: Mutex<Vec<Process>>,
    /// The way to the thread that starts them: a process ends with the thread that started it, so
    /// that one stays as long as the pool.
    starter: Mutex<Option<Sender<Sender<Started>>>>,
    /// The walls around the last one that started.
    walls: Mutex<Option<Walls>>,
}

/// What is asked about one file.
struct Question<'a> {
    want: Want,
    bytes: &'a [u8],
    extension: Option<&'a str>,
    inputs: &'a [InputSpec],
}

impl Pool {
    /// Starts nothing yet.
    pub fn new(options: PoolOptions) -> Self {
        Self {
            options,
            idle: Mutex::default(),
            starter: Mutex::default(),
            walls: Mutex::default(),
        }
    }

    /// Starts a process, keeps it for later, and says which walls are around it.
    ///
    /// # Errors
    /// If there is none to be had.
    pub fn try_one(&self) -> io::Result<Walls> {
        let (process, walls) = self.start()?;
        self.idle().push(process);
        Ok(walls)
    }

    fn start(&self) -> Started {
        let (to, from) = bounded(1);
        let gone = || io::Error::other("the thread that starts decoding processes has ended");
        self.starter()?.send(to).map_err(|_| gone())?;
        let (process, walls) = from.recv().map_err(|_| gone())??;
        *self.walls.lock().unwrap_or_else(PoisonError::into_inner) = Some(walls);
        Ok((process, walls))
    }

    fn starter(&self) -> io::Result<Sender<Sender<Started>>> {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(starter) = &*starter {
            return Ok(starter.clone());
        }
        let (ask, wishes) = bounded::<Sender<Started>>(0);
        let options = self.options.clone();
        std::thread::Builder::new()
            .name("decoders".to_owned())
            .spawn(move || {
                if let Some(first) = options.first {
                    first();
                }
                for wish in wishes {
                    let _ = wish.send(Process::start(&options));
                }
            })?;
        Ok(starter.insert(ask).clone())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> Result<Process, Trouble> {
        // One that has ended meanwhile is no file's fault.
        let mut idle = std::iter::from_fn(|| self.idle().pop());
        match idle.find_map(Process::if_alive) {
            Some(process) => Ok(process),
            None => Ok(self.start().map_err(Trouble::Machine)?.0),
        }
    }

    /// Asks a process, and another one if the first fails at it.
    fn ask<T>(
        &self,
        question: &Question<'_>,
        read: impl Fn(Reply, &[u8]) -> Result<Result<T, Refusal>, Lie>,
    ) -> Result<T, NoAnswer> {
        let mut attempt = 1;
        loop {
            let mut process = self.process().map_err(|trouble| trouble.no_answer())?;
            let trouble = match process.ask(question, self.options.deadline, &read) {
                Ok(answer) => {
                    process.files += 1;
                    if process.files < FILES && process.size <= KEPT {
                        self.idle().push(process);
                    }
                    return answer.map_err(NoAnswer::Refused);
                }
                Err(trouble) => trouble,
            };
            tracing::debug!("{trouble}");
            if attempt == ATTEMPTS {
                return Err(trouble.no_answer());
            }
            attempt += 1;
        }
    }
}

impl Inspects for Pool {
    fn look(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
        look: Extent,
    ) -> Result<Inspection, Refusal> {
        let ask = |look| {
            let question = Question {
                want: Want::All(look),
                bytes,
                extension,
                inputs,
            };
            self.ask(&question, |reply, memory| {
                protocol::inspection(reply, inputs, memory)
            })
        };
        let refusal = match ask(look) {
            Err(NoAnswer::Fault(refusal)) if look != Extent::Small => refusal,
            answer => return answer.map_err(NoAnswer::refusal),
        };
        // What ends its decoder may still say what it is.
        let Ok(mut seen) = ask(Extent::Small) else {
            return Err(refusal);
        };
        if let Pixels::None(trouble) | Pixels::Thumbnail(trouble) = &mut seen.pixels {
            trouble.kind = refusal.kind;
            trouble.message = refusal.message;
        }
        Ok(seen)
    }

    fn tensors(
        &self,
        bytes: &[u8],
        extension: Option<&str>,
        inputs: &[InputSpec],
    ) -> Result<Vec<ModelInput>, Refusal> {
        let question = Question {
            want: Want::Tensors,
            bytes,
            extension,
            inputs,
        };
        self.ask(&question, |reply, memory| {
            protocol::tensors(reply, inputs, memory)
        })
        .map_err(NoAnswer::refusal)
    }

    fn lacks(&self) -> Vec<&'static str> {
        let walls = *self.walls.lock().unwrap_or_else(PoisonError::into_inner);
        walls.map_or_else(Vec::new, Walls::lacking)
    }
}

/// Why a file is not seen.
enum NoAnswer {
    /// Its decoder says why, or the machine has no room now.
    Refused(Refusal),
    /// It has ended its decoder, stalled it or made it lie.
    Fault(Refusal),
}

impl NoAnswer {
    fn refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) | Self::Fault(refusal) => refusal,
        }
    }
}

/// What went wrong with a process.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no decoding process to be had: {0}")]
    Machine(io::Error),
    #[error("a decoding process ended in the middle of a file: {0}")]
    Ended(io::Error),
    #[error("a decoding process took too long")]
    Late,
    #[error(transparent)]
    Lie(#[from] Lie),
}

impl Trouble {
    fn of(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            _ => Self::Ended(e),
        }
    }

    fn no_answer(&self) -> NoAnswer {
        let (kind, message) = match self {
            // The moment's, and no file's.
            Self::Machine(_) => return NoAnswer::Refused(Refusal::no_memory()),
            Self::Ended(_) => (
                "crash",
                "its decoder ends when it reads this file, which is probably damaged; if other programs cannot open it either, copy it again from its source",
            ),
            Self::Late => (
                "timeout",
                "decoding takes longer than decode_seconds in the settings allows; the file is probably damaged",
            ),
            Self::Lie(_) => (
                "crash",
                "its decoder's answer about this file cannot be true; the file is probably made to attack programs",
            ),
        };
        NoAnswer::Fault(Refusal {
            kind: kind.to_owned(),
            message: message.to_owned(),
            is_passing: false,
        })
    }
}

struct Process {
    child: Child,
    socket: UnixStream,
    shared: File,
    /// Bytes of the shared memory.
    size: usize,
    /// Its beginning.
    replies: Option<Mmap>,
    files: u32,
}

impl Process {
    fn start(options: &PoolOptions) -> io::Result<(Self, Walls)> {
        let (ours, theirs) = UnixStream::pair()?;
        let shared = shared_memory()?;
        let program = match &options.program {
            Some(program) => program.clone(),
            None => this_program()?,
        };
        let child = Command::new(program)
            .arg(WORD)
            .arg(options.memory.to_string())
            .arg(options.max_megapixels.to_string())
            .env_clear()
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::from(shared.try_clone()?))
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Self {
            child,
            socket: ours,
            shared,
            size: 0,
            replies: None,
            files: 0,
        };
        process.socket.set_read_timeout(Some(START))?;
        match receive(&mut process.socket)? {
            Reply::Ready(walls) => Ok((process, walls)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn if_alive(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    fn ask<T>(
        &mut self,
        question: &Question<'_>,
        deadline: Duration,
        read: impl Fn(Reply, &[u8]) -> Result<Result<T, Refusal>, Lie>,
    ) -> Result<Result<T, Refusal>, Trouble> {
        let Question {
            want,
            bytes,
            extension,
            inputs,
        } = question;
        self.hand_over(bytes).map_err(Trouble::Machine)?;
        let request = Request {
            want: *want,
            len: bytes.len(),
            mapped: self.size,
            extension: extension.map(str::to_owned),
            inputs: inputs.to_vec(),
        };
        self.socket
            .set_read_timeout(Some(deadline))
            .map_err(Trouble::Machine)?;
        send(&mut self.socket, &request).map_err(Trouble::of)?;
        let reply = receive(&mut self.socket).map_err(Trouble::of)?;
        Ok(read(reply, self.replies()?)?)
    }

    /// Puts a file into the shared memory. Written, not copied into a mapping: so its pages count as
    /// the child's alone.
    fn hand_over(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wanted = (REPLY_ROOM + bytes.len()).next_multiple_of(STEP);
        if self.size < wanted {
            self.shared.set_len(wanted as u64)?;
            self.size = wanted;
        }
        self.shared.write_all_at(bytes, REPLY_ROOM as u64)
    }

    /// Where the child puts its answers.
    fn replies(&mut self) -> Result<&[u8], Trouble> {
        let memory = match self.replies.take() {
            Some(memory) => memory,
            // SAFETY: the child writes to it only while an answer is waited for; what it wrote is
            // copied before it is looked at; and it cannot be made shorter.
            None => unsafe { MmapOptions::new().len(REPLY_ROOM).map(&self.shared) }
                .map_err(Trouble::Machine)?,
        };
        Ok(self.replies.insert(memory))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program, even after another version was put in its place.
fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Memory that two processes can map, and that cannot be made shorter: a page that is gone would end
/// whoever reads it.
#[cfg(target_os = "linux")]
fn shared_memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = memfd_create("photond-decode", flags)?;
    fcntl_add_seals(&memory, SealFlags::SHRINK)?;
    Ok(File::from(memory))
}

/// A file without a name; its process may not make it shorter.
#[cfg(not(target_os = "linux"))]
fn shared_memory() -> io::Result<File> {
    let name = format!(
        "photond-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
