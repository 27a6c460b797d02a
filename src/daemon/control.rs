//! Orders to a running daemon: a Unix socket in the data directory, one line of JSON each way.
//!
//! The data directory is its owner's alone, and with it the socket. Without a daemon the commands act
//! on the index themselves.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::once::Summary;
use crate::dirs::socket_address;
use crate::photo::RelPath;

const SOCKET: &str = "photond.sock";
/// The longest line that is read from either side.
const LONGEST: u64 = 1 << 20;
/// How long an answer may take: forgetting a large folder is a long transaction.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long whoever connects may take to say what they want.
const MANNERS: Duration = Duration::from_secs(2);

/// What can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "order")]
pub enum ControlOrder {
    /// Look again whether to rest.
    Rest,
    /// Scan this folder, or everything.
    Rescan {
        /// Absolute, bytes in hex.
        path: Option<HexPath>,
    },
    /// Let go of the files held as missing in these roots, or in all.
    Confirm {
        /// Roots.
        roots: Vec<HexPath>,
    },
    /// Look through folders, watched or not, and answer when all that is in them is indexed.
    Index {
        /// Folders.
        folders: Vec<HexPath>,
    },
    /// Take a root out of the index, and do not watch it until the next start.
    Forget {
        /// The root.
        path: HexPath,
    },
}

/// A path whose bytes survive JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HexPath(String);

impl HexPath {
    /// From a path.
    pub fn new(path: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt;
        Self(crate::photo::hex(path.as_os_str().as_bytes()))
    }

    /// From a path below a root.
    pub fn of_bytes(path: &RelPath) -> Self {
        Self(crate::photo::hex(path.as_bytes()))
    }

    /// The path.
    pub fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
        let bytes = self.0.as_bytes().chunks_exact(2);
        let bytes = bytes.map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
        std::ffi::OsString::from_vec(bytes.collect()).into()
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ControlAnswer {
    /// How many roots or files it concerned; `None`: there is no such root.
    Done(Option<u64>),
    /// What a pass over folders did.
    Indexed(Box<Summary>),
    /// Why nothing was done.
    Failed(String),
}

/// The socket of a living daemon.
pub(super) struct Control(UnixListener);

impl Control {
    /// Opens the socket. Whoever calls it holds the data directory's lock: one that is left over is
    /// nobody's.
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        Self::close(dir);
        Ok(Self(UnixListener::bind(
            socket_address(&dir.join(SOCKET))?.path(),
        )?))
    }

    /// Answers orders until the process ends. One that takes long has a thread of its own.
    pub fn serve(&self, obey: impl Fn(ControlOrder) -> ControlAnswer + Send + Sync + 'static) {
        let obey = Arc::new(obey);
        for stream in self.0.incoming() {
            // Out of descriptors, perhaps: they come back.
            let Ok(stream) = stream else {
                std::thread::sleep(Duration::from_millis(500));
                continue;
            };
            if let Err(e) = answer(stream, &obey) {
                tracing::debug!("control: {e}");
            }
        }
    }

    /// Takes the socket's name away.
    pub fn close(dir: &Path) {
        let _ = std::fs::remove_file(dir.join(SOCKET));
    }
}

fn answer(
    stream: UnixStream,
    obey: &Arc<impl Fn(ControlOrder) -> ControlAnswer + Send + Sync + 'static>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(MANNERS))?;
    stream.set_write_timeout(Some(MANNERS))?;
    let answer = match serde_json::from_str(&read_line(&stream)?) {
        Ok(order @ ControlOrder::Index { .. }) => {
            let obey = Arc::clone(obey);
            std::thread::Builder::new()
                .name("photond-guest".to_owned())
                .spawn(move || write_line(&stream, &obey(order)))?;
            return Ok(());
        }
        Ok(order) => obey(order),
        Err(e) => ControlAnswer::Failed(format!("this photond does not understand that: {e}")),
    };
    write_line(&stream, &answer)
}

/// Gives an order to the daemon of a data directory.
///
/// # Errors
/// If there is none, or it does not answer.
pub fn order(data_dir: &Path, order: &ControlOrder) -> std::io::Result<ControlAnswer> {
    let stream = UnixStream::connect(socket_address(&data_dir.join(SOCKET))?.path())?;
    let patience = !matches!(order, ControlOrder::Index { .. });
    stream.set_read_timeout(patience.then_some(PATIENCE))?;
    write_line(&stream, order)?;
    Ok(serde_json::from_str(&read_line(&stream)?)?)
}

fn read_line(stream: &UnixStream) -> std::io::Result<String> {
    use std::io::Read;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    Ok(line)
}

fn write_line(mut stream: &UnixStream, what: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_answered_however_long_the_path() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().join("x".repeat(200));
        std::fs::create_dir(&dir).unwrap();
        let control = Control::open(&dir).unwrap();
        std::thread::spawn(move || {
            control.serve(|order| match order {
                ControlOrder::Forget { path } if path.path() == odd() => {
                    ControlAnswer::Done(Some(7))
                }
                _ => ControlAnswer::Done(None),
            });
        });
        let asked = ControlOrder::Forget {
            path: HexPath::new(&odd()),
        };
        assert_eq!(order(&dir, &asked).unwrap(), ControlAnswer::Done(Some(7)));
        let stream =
            UnixStream::connect(socket_address(&dir.join(SOCKET)).unwrap().path()).unwrap();
        write_line(&stream, &"what?").unwrap();
        assert!(read_line(&stream).unwrap().contains("Failed"));
        assert_eq!(
            order(&dir, &ControlOrder::Rest).unwrap(),
            ControlAnswer::Done(None)
        );
    }

    fn odd() -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        std::ffi::OsString::from_vec(b"/p/\xff\n\"x".to_vec()).into()
    }
}
