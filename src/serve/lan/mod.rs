//! The gallery for other machines of a network: a listener that is open only with a password and with TLS, and only
//! while somebody wants it.
//!
//! Promises: without a password, or without a certificate that can be used, nothing listens, and a sentence says
//! what is missing; without a session a browser gets the page that asks for the password, and nothing else; a
//! password is tried once at a time and after waits that grow. Never: opens a window on this machine because
//! another one asks.

mod certificate;
mod kept;
mod machine;
mod password;
mod signing;
mod tries;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::HeaderMap;
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::doors::{connection, each_connection};
use super::gate::Doorway;
use super::handover::{LAN, keep, keep_no_more};
use super::routes::cookies;
use certificate::{Certificate, TlsIdentity};
use kept::KeptOnLan;
use password::PasswordHash;
use tries::Tries;

pub use certificate::{CertificateFiles, CertificateTrouble};
pub use kept::{LanStanding, OpenOnLan, lan_standing};
pub use machine::{addresses, host_names};
pub use password::{PasswordTrouble, SHORTEST, remove_password, set_password};
pub(super) use signing::{OPEN_TO_ALL, routes};

/// How long a connection may take until it is encrypted.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// What a browser is told that has forgotten the `s`.
const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\
    Content-Length: 62\r\n\r\nphotond speaks only https here: write https:// in the address\n";

/// What the settings say of the listener on the network.
#[derive(Debug, Clone, Default)]
pub struct LanSettings {
    /// Open it there as long as photond runs.
    pub at: Option<SocketAddr>,
    /// More names that browsers may ask for, with a port where it is another one.
    pub names: Vec<String>,
    /// A certificate of one's own, with those that have signed it, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, as PEM.
    pub key: Option<PathBuf>,
}

/// The listener on the network, and who is let in there.
pub(super) struct LanDoor {
    data_dir: PathBuf,
    settings: LanSettings,
    names: Vec<String>,
    kept: KeptOnLan,
    tries: Arc<tokio::sync::Mutex<Tries>>,
    listening: Mutex<Option<Listening>>,
}

struct Listening {
    listener: TcpListener,
    accepts: AbortHandle,
    /// Told when all connections are to end.
    ended: Arc<Notify>,
}

impl LanDoor {
    pub fn new(data_dir: PathBuf, settings: LanSettings) -> Self {
        let more = settings.names.iter().map(|name| name.to_ascii_lowercase());
        Self {
            names: host_names().into_iter().chain(more).collect(),
            kept: KeptOnLan::of(&data_dir),
            tries: Arc::default(),
            listening: Mutex::default(),
            data_dir,
            settings,
        }
    }

    /// Names that browsers may ask for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Opens it where it was kept, is set or was wanted; what is in the way is said and noted.
    pub fn begin(self: &Arc<Self>, kept: Option<TcpListener>, router: &Router) {
        let was = self.kept.standing();
        let was_kept = kept.as_ref().and_then(|kept| kept.local_addr().ok());
        let Some(at) = was_kept.or(self.settings.at).or(was.wanted) else {
            return self.kept.stands(LanStanding::default());
        };
        let bound = kept.map_or_else(|| bind(at), Ok);
        let opened = bound.and_then(|listener| self.open(listener, was.wanted, router));
        if let Err(e) = opened {
            tracing::warn!("the gallery is not open on the network: {e}");
            keep_no_more(LAN);
            self.kept.stands(LanStanding {
                wanted: was.wanted,
                open: None,
                trouble: Some(e.to_string()),
            });
        }
    }

    /// Listens at what somebody has brought, also after the next start.
    pub fn take(self: &Arc<Self>, listener: TcpListener, router: &Router) -> io::Result<()> {
        let at = listener.local_addr()?;
        self.open(listener, Some(at), router)
    }

    /// Listens there from now on, in place of where it has listened before.
    fn open(
        self: &Arc<Self>,
        listener: TcpListener,
        wanted: Option<SocketAddr>,
        router: &Router,
    ) -> io::Result<()> {
        let at = listener.local_addr()?;
        if self.password().map_err(io::Error::other)?.is_none() {
            return Err(io::Error::other(
                "no password is set: `photond password` sets one, then `photond serve --lan` opens it",
            ));
        }
        let files = CertificateFiles::prepared(&self.data_dir, &self.settings);
        let prepared = files.and_then(|files| Ok((files.is_made, Certificate::read(files)?)));
        let (self_signed, certificate) = prepared.map_err(io::Error::other)?;
        let fingerprint = certificate.now().fingerprint;
        listener.set_nonblocking(true)?;
        let taken = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        let ended = Arc::new(Notify::new());
        self.hang_up_all(true);
        keep(&listener, LAN);
        let serving = serve(
            taken,
            router.clone(),
            (Arc::clone(self), certificate, Arc::clone(&ended)),
        );
        *self.listening() = Some(Listening {
            listener,
            accepts: tokio::spawn(serving).abort_handle(),
            ended,
        });
        self.kept.stands(LanStanding {
            wanted,
            open: Some(OpenOnLan {
                at,
                fingerprint,
                self_signed,
            }),
            trouble: None,
        });
        Ok(())
    }

    /// Closes it for good. False if it was not open.
    pub fn close(&self) -> bool {
        self.kept.stands(LanStanding::default());
        self.hang_up_all(true)
    }

    /// Ends all connections: who is still let in comes back. Without a password it is closed.
    pub fn hang_up(&self) -> bool {
        match self.password() {
            Ok(Some(_)) => self.hang_up_all(false),
            _ => self.close(),
        }
    }

    fn hang_up_all(&self, closes: bool) -> bool {
        let mut listening = self.listening();
        let Some(open) = listening.as_ref() else {
            return false;
        };
        open.ended.notify_waiters();
        if closes {
            open.accepts.abort();
            keep_no_more(LAN);
            // A manager that keeps it all the same keeps one that nobody reaches.
            let _ = shutdown(&open.listener, Shutdown::Both);
            *listening = None;
        }
        true
    }

    fn listening(&self) -> MutexGuard<'_, Option<Listening>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn password(&self) -> Result<Option<PasswordHash>, PasswordTrouble> {
        password::set_in(&self.data_dir)
    }

    /// Whether a request comes from a browser that has signed in.
    pub fn knows(&self, headers: &HeaderMap, port: u16) -> bool {
        let Ok(Some(password)) = self.password() else {
            return false;
        };
        let now = SystemTime::now();
        let name = signing::cookie_name(port);
        cookies(headers, &name).any(|cookie| self.kept.knows(&password, cookie, now))
    }
}

fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(at).map_err(|e| {
        io::Error::new(
            e.kind(),
            format!("photond cannot open {at} itself ({e}): `photond serve --lan {at}` opens it"),
        )
    })
}

async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    (door, certificate, ended): (Arc<LanDoor>, Certificate, Arc<Notify>),
) {
    each_connection(&listener, |stream| {
        // Somebody may have taken the password's file away.
        let is_open = matches!(door.password(), Ok(Some(_)));
        let (router, identity) = (router.clone(), is_open.then(|| certificate.now()));
        let ended = Arc::clone(&ended).notified_owned();
        async move {
            let Some(identity) = identity else {
                return;
            };
            tokio::select! {
                () = ended => {}
                () = answer(stream, identity, router) => {}
            }
        }
    })
    .await;
}

async fn answer(stream: TcpStream, identity: TlsIdentity, router: Router) {
    let _ = stream.set_nodelay(true);
    let Ok(at) = stream.local_addr() else {
        return;
    };
    let at = SocketAddr::new(at.ip().to_canonical(), at.port());
    let encrypted = tokio::time::timeout(HANDSHAKE, encrypted(stream, identity));
    match encrypted.await {
        Ok(Ok(stream)) => connection(stream, Doorway::Lan(at), router).await,
        Ok(Err(e)) => tracing::debug!("a connection from the network ended: {e}"),
        Err(_) => tracing::debug!("a connection from the network was not encrypted in time"),
    }
}

async fn encrypted(
    mut stream: TcpStream,
    identity: TlsIdentity,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut first = [0];
    // The first record of TLS is a handshake.
    if stream.peek(&mut first).await? == 1 && first[0] != 22 {
        // What is left unread would take the answer with it.
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(NO_TLS).await?;
        return Err(io::Error::other("it speaks no TLS"));
    }
    TlsAcceptor::from(identity.config).accept(stream).await
}
