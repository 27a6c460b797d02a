//! One API over HTTP for the gallery in the browser, the command line and scripts.
//!
//! It listens on a Unix socket as long as a daemon lives, and on 127.0.0.1 only when somebody asks for that
//! (`photond open`, or the setting); on the network only with a password and TLS (`lan`). Promises: nobody else is let
//! in (`gate`, `visitors`, `handover`); no path that a request holds is opened; a client that is slow, or gone, holds
//! nothing up (`doors`, `patient`); with nobody asking no CPU is used, and after five minutes the memory is given back
//! (`desk`). Never: writes to the index, or waits for the writer. What changes something is handed to the program as
//! an [`Errand`].
//!
//! Cost: a runtime with one thread, and up to six more while they read; about five bytes a photo while a
//! gallery is open.

mod answer;
mod asked;
mod client;
mod desk;
mod doors;
mod duplicates;
mod events;
mod export;
mod facets;
mod files;
mod finding;
mod folders;
mod gate;
mod handover;
mod lan;
mod listing;
mod patient;
mod pictures;
mod previews;
mod routes;
mod view;
mod visitors;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use crate::media::Inspects;
use crate::model::ModelPack;
use crate::search::Searcher;
use crate::source::Links;
use crate::store::{Hit, StoreReader};

pub use client::{ClientError, ask, reached};
pub use gate::with_port;
pub use handover::{hand_over, hand_over_lan};
pub use lan::{
    CertificateFiles, CertificateTrouble, LanSettings, LanStanding, OpenOnLan, PasswordTrouble,
    SHORTEST, addresses, host_names, lan_standing, remove_password, set_password,
};

/// An error of whatever floor.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Makes the [`Answers`] when somebody asks for the first time in a while.
pub type GetAnswers = Box<dyn Fn() -> Result<Arc<dyn Answers>, BoxedError> + Send + Sync>;

/// What the server asks of the program around it: the words that queries are understood by, what its
/// commands say as JSON, and errands.
pub trait Answers: Send + Sync {
    /// Understands queries.
    ///
    /// # Errors
    /// The database, or files of one's own words.
    fn searcher<'a>(&'a self, reader: &'a StoreReader) -> Result<Searcher<'a>, BoxedError>;
    /// The classifier, which derived search models are made of.
    fn classifier_pack(&self) -> &ModelPack;
    /// Who decodes pictures.
    fn inspector(&self) -> Arc<dyn Inspects>;
    /// All that is known of a photo, as `photond show` says it.
    ///
    /// # Errors
    /// The database.
    fn photo(&self, reader: &StoreReader, hit: &Hit) -> Result<Value, BoxedError>;
    /// As `photond people --format json` says it.
    ///
    /// # Errors
    /// The database.
    fn people(&self, reader: &StoreReader) -> Result<Value, BoxedError>;
    /// As `photond status --format json` says it.
    ///
    /// # Errors
    /// The database.
    fn status(&self, reader: &StoreReader) -> Result<Value, BoxedError>;
    /// Does something; the answer is how many folders or files it concerned, if that can be said.
    ///
    /// # Errors
    /// Why it was not done.
    fn run(&self, errand: Errand) -> Result<Option<u64>, BoxedError>;
}

/// What can be told to a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Index nothing for so many seconds, or until told otherwise.
    Pause(Option<u32>),
    /// Go on.
    Resume,
    /// Look through a folder again, or through all.
    Rescan(Option<PathBuf>),
    /// Let go of the files held as missing in a root, or in all.
    Confirm(Option<PathBuf>),
    /// Take a root out of the index.
    Forget(PathBuf),
    /// Read the settings again.
    Reload,
    /// Show a file in the desktop's file manager.
    Reveal(PathBuf),
    /// Open a file with the desktop's program for it.
    Open(PathBuf),
}

/// What a server is started with.
pub struct ServeOptions {
    /// Where the index lies.
    pub data_dir: PathBuf,
    /// Where the Unix socket may lie, the best place first.
    pub sockets: Vec<PathBuf>,
    /// Port of 127.0.0.1 for browsers; any, if it is taken.
    pub port: u16,
    /// Open that port at once, and do not wait for `photond open` to bring one.
    pub always: bool,
    /// The listener on the network.
    pub lan: LanSettings,
    /// Whether the last name of a photo's path may be a link.
    pub follow_links: bool,
    /// Largest file that is read whole, in bytes.
    pub max_file: u64,
    /// Bytes of previews that are kept on disk, at most.
    pub most_previews: u64,
    /// The program around it.
    pub get_answers: GetAnswers,
}

/// Threads that read, at most; they end when there is nothing to do.
const MOST_THREADS: usize = 6;
const THREAD_STAYS: Duration = Duration::from_secs(10);
/// How long a stop waits for threads that read: what they do changes nothing.
const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// A running server; it stops when this is dropped.
pub struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Serving {
    /// Starts it on a thread of its own.
    ///
    /// # Errors
    /// If no socket can be opened: the last place, and why.
    pub fn start(options: ServeOptions) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MOST_THREADS)
            .thread_keep_alive(THREAD_STAYS)
            .thread_name("photond-serve")
            .build()?;
        let (socket, api, handed) = {
            let _inside = runtime.enter();
            first_that_opens(&options.sockets)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("photond-serve".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let serving = routes::serve(api, handed, options);
                    tokio::select! {
                        () = serving => {}
                        _ = stopped => {}
                    }
                });
                runtime.shutdown_timeout(STOP_PATIENCE);
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            socket,
        })
    }
}

/// The first of these sockets that can be opened, and the one beside it that listeners are handed over at.
fn first_that_opens(sockets: &[PathBuf]) -> io::Result<(PathBuf, UnixListener, UnixListener)> {
    let mut trouble = io::Error::from(io::ErrorKind::NotFound);
    for socket in sockets {
        let opened = doors::socket(socket)
            .and_then(|api| Ok((api, doors::socket(&handover::beside(socket))?)));
        match opened {
            Ok((api, handed)) => return Ok((socket.clone(), api, handed)),
            Err(e) => trouble = io::Error::new(e.kind(), format!("{}: {e}", socket.display())),
        }
    }
    Err(trouble)
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
        let _ = std::fs::remove_file(handover::beside(&self.socket));
    }
}

impl ServeOptions {
    fn links(&self) -> Links {
        match self.follow_links {
            true => Links::Followed,
            false => Links::Refused,
        }
    }
}
