//! Listeners for browsers, opened by `photond open` and `photond serve --lan` and handed over to the daemon.
//!
//! The daemon never opens a port because somebody asks: run as a service it may not (it has a network of its
//! own, and no address family but Unix). Whoever asks opens one, of 127.0.0.1 or of the network, and sends it through
//! a socket beside the API's; the daemon thanks for it, or says in a sentence why it does not take it.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};
use sd_notify::NotifyState;

use crate::dirs::socket_address;

/// How long either side may take.
const MANNERS: Duration = Duration::from_secs(2);
/// How long photond may take to say whether it takes a listener: it may have to make a certificate first.
const ANSWER: Duration = Duration::from_secs(20);
/// What is said beside the descriptor, and back.
const WORD: &[u8] = b"l";
/// The longest sentence instead.
const LONGEST: u64 = 4096;
/// What a service manager knows them by.
pub(super) const LOOPBACK: &str = "gallery";
pub(super) const LAN: &str = "lan";

/// Where listeners are handed over, beside the API's socket.
pub(super) fn beside(socket: &Path) -> PathBuf {
    socket.with_file_name("listener.sock")
}

/// Opens a port of 127.0.0.1: this one, or any if it is taken.
pub(super) fn loopback(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        }
        other => other,
    }
}

/// Opens a port of 127.0.0.1, this one if it is free, and hands it to the daemon whose API socket this is.
///
/// # Errors
/// If no port can be opened, or nobody takes it.
pub fn hand_over(socket: &Path, port: u16) -> io::Result<()> {
    send(socket, &loopback(port)?)
}

/// Opens an address of the network and hands it to the daemon whose API socket this is.
///
/// # Errors
/// If it cannot be opened, or the daemon does not take it: then as the daemon says it.
pub fn hand_over_lan(socket: &Path, at: SocketAddr) -> io::Result<()> {
    if at.ip().to_canonical().is_loopback() {
        return Err(io::Error::other(format!(
            "{at} is this machine's alone, which `photond open` is for; 0.0.0.0:{} is all of its network",
            at.port()
        )));
    }
    let listener = TcpListener::bind(at)
        .map_err(|e| io::Error::new(e.kind(), format!("{at} cannot be opened: {e}")))?;
    send(socket, &listener)
}

fn send(socket: &Path, listener: &TcpListener) -> io::Result<()> {
    let stream = UnixStream::connect(socket_address(&beside(socket))?.path())?;
    stream.set_read_timeout(Some(ANSWER))?;
    let fds = [listener.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    if !with.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    sendmsg(
        &stream,
        &[IoSlice::new(WORD)],
        &mut with,
        SendFlags::empty(),
    )?;
    let mut said = Vec::new();
    stream.take(LONGEST).read_to_end(&mut said)?;
    match said.as_slice() {
        WORD => Ok(()),
        [] => Err(io::Error::other(
            "the running photond does not take it, perhaps one of an earlier version: restart it",
        )),
        why => Err(io::Error::other(String::from_utf8_lossy(why).into_owned())),
    }
}

/// Takes what somebody hands over: a listener at a port of 127.0.0.1, or one of the network.
pub(super) fn taken(stream: &UnixStream) -> io::Result<TcpListener> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(MANNERS))?;
    stream.set_write_timeout(Some(MANNERS))?;
    let mut said = [0];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(&mut said)];
    recvmsg(stream, into, &mut with, RecvFlags::CMSG_CLOEXEC)?;
    let fd = with.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    for_browsers(fd.ok_or_else(|| io::Error::other("no descriptor came"))?)
}

/// Whether a listener is reached from this machine alone, under the one address that it is known by there.
pub(super) fn is_of_loopback(listener: &TcpListener) -> bool {
    let at = listener.local_addr();
    at.is_ok_and(|at| at.ip() == Ipv4Addr::LOCALHOST)
}

/// A listener at a port of 127.0.0.1 or of the network, and nothing else.
fn for_browsers(fd: OwnedFd) -> io::Result<TcpListener> {
    if !sockopt::socket_acceptconn(&fd)? {
        return Err(io::Error::other("it does not listen"));
    }
    let listener = TcpListener::from(fd);
    match listener.local_addr()? {
        at if at.ip().to_canonical().is_loopback() && !is_of_loopback(&listener) => Err(
            io::Error::other(format!("{at} is neither 127.0.0.1 nor of the network")),
        ),
        _ => Ok(listener),
    }
}

/// Has the service manager keep a listener, if there is one that keeps such things: an open page goes on when
/// photond is started anew.
pub(super) fn keep(listener: &TcpListener, name: &str) {
    let states = [NotifyState::FdStore, NotifyState::FdName(name)];
    if let Err(e) = sd_notify::notify_with_fds(&states, &[listener.as_fd()]) {
        tracing::debug!("the gallery's port will not outlive this photond: {e}");
    }
}

/// Has it keep one no longer.
pub(super) fn keep_no_more(name: &str) {
    let states = [NotifyState::FdStoreRemove, NotifyState::FdName(name)];
    let _ = sd_notify::notify(&states);
}

/// The listeners that the service manager has kept, once: of 127.0.0.1, and of the network.
pub(super) fn kept() -> (Option<TcpListener>, Option<TcpListener>) {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return (None, None);
    }
    let Ok(fds) = sd_notify::listen_fds() else {
        return (None, None);
    };
    // SAFETY: the manager has opened these descriptors for this process (it names it), and nothing but this
    // takes them, once.
    let fds: Vec<OwnedFd> = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect();
    for fd in &fds {
        // Children have no use for them.
        let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
    }
    let listeners = fds.into_iter().filter_map(|fd| for_browsers(fd).ok());
    let (mut here, mut elsewhere): (Vec<_>, Vec<_>) = listeners.partition(is_of_loopback);
    (here.pop(), elsewhere.pop())
}

/// Tells whoever has handed a listener over that it is served.
pub(super) fn thank(mut stream: &UnixStream) -> io::Result<()> {
    stream.write_all(WORD)
}

/// Says why it is not.
pub(super) fn refuse(mut stream: &UnixStream, why: &io::Error) {
    let _ = stream.write_all(why.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn handed(
        socket: &Path,
        what: impl FnOnce() -> io::Result<()>,
    ) -> (io::Result<TcpListener>, io::Result<()>) {
        let _ = std::fs::remove_file(beside(socket));
        let at = UnixListener::bind(beside(socket)).unwrap();
        std::thread::scope(|scope| {
            let taker = scope.spawn(move || {
                let (stream, _) = at.accept().unwrap();
                let taken = taken(&stream);
                match &taken {
                    Ok(_) => thank(&stream).unwrap(),
                    Err(e) => refuse(&stream, e),
                }
                taken
            });
            let said = what();
            (taker.join().unwrap(), said)
        })
    }

    #[test]
    fn a_listener_changes_hands() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let (taken, said) = handed(&socket, || hand_over(&socket, 0));
        said.unwrap();
        let at = taken.unwrap().local_addr().unwrap();
        assert!(at.ip().is_loopback() && at.port() != 0);
        let everywhere = "0.0.0.0:0".parse().unwrap();
        let (taken, said) = handed(&socket, || hand_over_lan(&socket, everywhere));
        said.unwrap();
        assert!(!is_of_loopback(&taken.unwrap()));
    }

    #[test]
    fn why_a_listener_is_not_taken_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let at = UnixListener::bind(beside(&socket)).unwrap();
        let refused = std::thread::scope(|scope| {
            scope.spawn(move || {
                for said in ["no password is set", ""] {
                    let (stream, _) = at.accept().unwrap();
                    taken(&stream).unwrap();
                    refuse(&stream, &io::Error::other(said));
                }
            });
            let everywhere = || hand_over_lan(&socket, "0.0.0.0:0".parse().unwrap());
            [everywhere(), everywhere()].map(|refused| refused.unwrap_err().to_string())
        });
        assert_eq!(refused[0], "no password is set");
        assert!(refused[1].contains("earlier version"), "{}", refused[1]);
        for here in ["127.0.0.1:7756", "[::1]:7756", "127.0.0.2:0"] {
            let refused = hand_over_lan(&socket, here.parse().unwrap()).unwrap_err();
            assert!(refused.to_string().contains("`photond open`"), "{refused}");
        }
    }

    #[test]
    fn nothing_else_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let send = |fd: Option<OwnedFd>| {
            let stream = UnixStream::connect(beside(&socket))?;
            let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut with = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() {
                assert!(with.push(SendAncillaryMessage::ScmRights(&fds)));
            }
            sendmsg(
                &stream,
                &[IoSlice::new(WORD)],
                &mut with,
                SendFlags::empty(),
            )?;
            Ok(())
        };
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let elsewhere = OwnedFd::from(TcpListener::bind("127.0.0.2:0").unwrap());
        let unix = OwnedFd::from(UnixListener::bind(dir.path().join("other")).unwrap());
        for wrong in [None, Some(file), Some(elsewhere), Some(unix)] {
            let (taken, _) = handed(&socket, || send(wrong));
            assert!(taken.is_err());
        }
    }
}
