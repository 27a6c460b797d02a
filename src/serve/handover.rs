//! A listener for browsers, opened by `photond open` and handed over to the daemon.
//!
//! The daemon never opens a port because somebody asks: run as a service it may not (it has a network of its
//! own, and no address family but Unix). Whoever asks opens one of 127.0.0.1 and sends it through a socket
//! beside the API's.

use std::io::{self, IoSlice, IoSliceMut};
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
/// What is said beside the descriptor, and back.
const WORD: &[u8] = b"l";

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
    let listener = loopback(port)?;
    let stream = UnixStream::connect(socket_address(&beside(socket))?.path())?;
    stream.set_read_timeout(Some(MANNERS))?;
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
    let mut said = [0];
    io::Read::read_exact(&mut &stream, &mut said)
}

/// Takes what somebody hands over: a listener at a port of 127.0.0.1.
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
    of_loopback(fd.ok_or_else(|| io::Error::other("no descriptor came"))?)
}

/// A listener at a port of 127.0.0.1, and nothing else.
fn of_loopback(fd: OwnedFd) -> io::Result<TcpListener> {
    if !sockopt::socket_acceptconn(&fd)? {
        return Err(io::Error::other("it does not listen"));
    }
    let listener = TcpListener::from(fd);
    match listener.local_addr()? {
        SocketAddr::V4(at) if *at.ip() == Ipv4Addr::LOCALHOST => Ok(listener),
        other => Err(io::Error::other(format!("{other} is not of 127.0.0.1"))),
    }
}

/// Has the service manager keep a listener, if there is one that keeps such things: an open page goes on when
/// photond is started anew.
pub(super) fn keep(listener: &TcpListener) {
    let states = [NotifyState::FdStore, NotifyState::FdName("gallery")];
    if let Err(e) = sd_notify::notify_with_fds(&states, &[listener.as_fd()]) {
        tracing::debug!("the gallery's port will not outlive this photond: {e}");
    }
}

/// The listener that the service manager has kept, once.
pub(super) fn kept() -> Option<TcpListener> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    let fds = sd_notify::listen_fds().ok()?;
    // SAFETY: the manager has opened these descriptors for this process (it names it), and nothing but this
    // takes them, once.
    let fds: Vec<OwnedFd> = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect();
    for fd in &fds {
        // Children have no use for them.
        let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
    }
    fds.into_iter().find_map(|fd| of_loopback(fd).ok())
}

/// Tells whoever has handed a listener over that it is served.
pub(super) fn thank(mut stream: &UnixStream) -> io::Result<()> {
    io::Write::write_all(&mut stream, WORD)
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
                if taken.is_ok() {
                    thank(&stream).unwrap();
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
        let everywhere = OwnedFd::from(TcpListener::bind("0.0.0.0:0").unwrap());
        let unix = OwnedFd::from(UnixListener::bind(dir.path().join("other")).unwrap());
        for wrong in [None, Some(file), Some(everywhere), Some(unix)] {
            let (taken, _) = handed(&socket, || send(wrong));
            assert!(taken.is_err());
        }
    }
}
