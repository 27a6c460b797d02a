//! The listeners, and what holds of every connection: a bound on how many there are, on how long a
//! request's head may take, and on how long an answer may wait to be read.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::gate::Doorway;
use super::handover::{LOOPBACK, keep, refuse, taken, thank};
use super::patient::PatientStream;
use crate::dirs::socket_address;

/// Connections of one listener at most; the next ones wait until the system turns them away.
const MOST_CONNECTIONS: usize = 64;
/// How long a request's head may take, and a connection without a request may stay.
const HEAD: Duration = Duration::from_secs(15);
/// How long an answer may wait to be read.
const STUCK: Duration = Duration::from_secs(30);
/// Bytes of a head, and of what is read ahead.
const BUFFER: usize = 32 << 10;
/// After an accept that failed (no descriptors left, perhaps): they come back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// What a request is told apart by.
#[derive(Debug, Clone, Copy)]
pub(super) struct CameThrough(pub Doorway);

/// Opens the Unix socket, 0600 in a folder that is its owner's alone. Whoever calls it holds the data
/// directory's lock: a socket that is left over is nobody's.
pub(super) fn socket(path: &Path) -> io::Result<UnixListener> {
    if let Some(dir) = path.parent().filter(|dir| !dir.exists()) {
        fs::DirBuilder::new().mode(0o700).create(dir)?;
    }
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(socket_address(path)?.path())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The listener for browsers, which is there when somebody has asked for it.
#[derive(Default)]
pub(super) struct BrowserDoor(Mutex<Option<u16>>);

impl BrowserDoor {
    /// Its port, if it is open.
    pub fn port(&self) -> Option<u16> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers at this listener from now on; if there is one already, that stays and this goes.
    pub fn open(&self, listener: std::net::TcpListener, router: &Router) -> io::Result<()> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            let port = listener.local_addr()?.port();
            keep(&listener, LOOPBACK);
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(serve_loopback(listener, port, router.clone()));
            *open = Some(port);
        }
        Ok(())
    }
}

/// Takes the listeners that are handed over, and says why one is not taken.
pub(super) async fn take_from(
    at: UnixListener,
    open: impl Fn(std::net::TcpListener) -> io::Result<()>,
) {
    loop {
        let taken = async {
            let (stream, _) = at.accept().await?;
            let stream = stream.into_std()?;
            let taken = tokio::task::spawn_blocking(move || (taken(&stream), stream));
            let (listener, stream) = taken.await.map_err(io::Error::other)?;
            match listener.and_then(&open) {
                Ok(()) => thank(&stream),
                Err(e) => {
                    refuse(&stream, &e);
                    Err(e)
                }
            }
        };
        if let Err(e) = taken.await {
            tracing::warn!("no port was taken over for the gallery: {e}");
            tokio::time::sleep(ACCEPT_AGAIN).await;
        }
    }
}

async fn serve_loopback(listener: TcpListener, port: u16, router: Router) {
    each_connection(&listener, |stream| {
        let _ = stream.set_nodelay(true);
        connection(stream, Doorway::Loopback(port), router.clone())
    })
    .await;
}

/// Answers on the Unix socket for as long as the daemon lives.
pub(super) async fn serve_socket(listener: UnixListener, router: Router) {
    each_connection(&listener, |stream| {
        connection(stream, Doorway::Socket, router.clone())
    })
    .await;
}

/// What connections come from.
pub(super) trait Accepts {
    type Stream;
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>>;
}

impl Accepts for TcpListener {
    type Stream = TcpStream;
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.poll_accept(cx).map_ok(|(stream, _)| stream)
    }
}

impl Accepts for UnixListener {
    type Stream = UnixStream;
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.poll_accept(cx).map_ok(|(stream, _)| stream)
    }
}

/// Has each connection answered by itself, so many at once at most.
pub(super) async fn each_connection<L: Accepts, F>(listener: &L, answer: impl Fn(L::Stream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok(stream) = poll_fn(|cx| listener.poll_next(cx)).await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let answered = answer(stream);
        tokio::spawn(async move {
            let _permit = permit;
            answered.await;
        });
    }
}

/// Answers what comes through a connection, to its end.
pub(super) async fn connection<S>(stream: S, doorway: Doorway, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use tower_service::Service;
    let through = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(CameThrough(doorway));
        router.clone().call(request.map(Body::new))
    });
    let io = TokioIo::new(PatientStream::new(stream, STUCK));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(io, through)
        .await;
    if let Err(e) = served {
        tracing::debug!("a connection ended: {e}");
    }
}
