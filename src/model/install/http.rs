//! One GET or HEAD, redirects followed by hand.
//!
//! By hand, because the hub says what a file is (commit, checksum, size) on the redirect and not on
//! the answer behind it, and because the access token must go to the hub and to nobody else.
//! Statuses become [`Trouble`] here: what may pass, and what will not.

use std::io::Read;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use super::InstallError;
use super::environment::Environment;
use super::retry::{Patience, Trouble};

/// Redirects followed in a row. The hub needs one or two.
const MOST_REDIRECTS: usize = 8;

/// Connections are made as the environment says.
pub(super) struct Client {
    environment: Environment,
    hub: HostOrigin,
    patience: Patience,
}

/// What is asked for beyond the address.
#[derive(Debug, Default, Clone)]
pub(super) struct Ask {
    /// First byte wanted, with the tag that the bytes before it had (`If-Range`).
    pub from: Option<(u64, Option<String>)>,
    /// Only the headers: HEAD, and redirects to other hosts are not followed.
    pub headers_only: bool,
}

/// An answer of 200 or 206, or the last redirect of a HEAD.
pub(super) struct Answer {
    /// 200, 206, or 3xx for a HEAD that was sent elsewhere.
    pub status: u16,
    /// Headers of the last answer.
    pub headers: HeaderMap,
    /// Headers of each answer of the hub itself, in order.
    pub hub: Vec<HeaderMap>,
    body: Body,
}

impl Answer {
    /// The body's bytes as they come.
    pub fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// A header of the last answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// A header that the hub itself gave, on whichever of its answers.
    pub fn hub_header(&self, name: &str) -> Option<&str> {
        self.hub.iter().find_map(|headers| text(headers, name))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

impl Client {
    pub fn new(environment: Environment, patience: Patience) -> Result<Self, InstallError> {
        let bad = |reason: &str| InstallError::Setting {
            what: "HF_ENDPOINT",
            value: environment.endpoint.clone(),
            reason: reason.to_owned(),
        };
        let uri: Uri = environment
            .endpoint
            .parse()
            .map_err(|_| bad("it is no address"))?;
        let hub =
            HostOrigin::of(&uri).ok_or_else(|| bad("it must begin with https:// or http://"))?;
        Ok(Self {
            environment,
            hub,
            patience,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.environment.endpoint
    }

    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Asks once, following redirects.
    pub fn ask(&self, url: &str, ask: &Ask) -> Result<Answer, Trouble> {
        let redirect = |reason: String| InstallError::Redirect {
            url: url.to_owned(),
            reason,
        };
        let mut at: Uri = url
            .parse()
            .map_err(|_| redirect("it is no address".to_owned()))?;
        let mut hub = Vec::new();
        for _ in 0..=MOST_REDIRECTS {
            let origin = HostOrigin::of(&at)
                .ok_or_else(|| redirect(format!("it leads to {at}, which is no web address")))?;
            let is_hub = origin == self.hub;
            let response = self.once(&at, &origin, is_hub, ask)?;
            let status = response.status().as_u16();
            let (parts, body) = response.into_parts();
            if is_hub {
                hub.push(parts.headers.clone());
            }
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return match status {
                    200 | 206 => Ok(Answer {
                        status,
                        headers: parts.headers,
                        hub,
                        body,
                    }),
                    _ => Err(self.refused(&at, status, is_hub, &parts.headers)),
                };
            }
            let target = text(&parts.headers, "location")
                .ok_or_else(|| redirect(format!("{at} redirects to nowhere ({status})")))?;
            let next = join(&at, target)
                .ok_or_else(|| redirect(format!("{at} redirects to {target:?}")))?;
            let next_origin = HostOrigin::of(&next)
                .ok_or_else(|| redirect(format!("{at} redirects to {next}")))?;
            if origin.scheme == "https" && next_origin.scheme != "https" {
                return Err(redirect(format!("{at} redirects to {next}, without TLS")).into());
            }
            if ask.headers_only && next_origin != origin {
                // Signed addresses of a store are for one GET; the hub has said what is wanted.
                return Ok(Answer {
                    status,
                    headers: parts.headers,
                    hub,
                    body,
                });
            }
            at = next;
        }
        Err(redirect(format!("more than {MOST_REDIRECTS} redirects")).into())
    }

    fn once(
        &self,
        at: &Uri,
        origin: &HostOrigin,
        is_hub: bool,
        ask: &Ask,
    ) -> Result<Response<Body>, Trouble> {
        let agent = self.agent(origin)?;
        let mut request = if ask.headers_only {
            agent.head(at)
        } else {
            agent.get(at)
        };
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if let Some((first, tag)) = &ask.from {
            request = request.header(header::RANGE, format!("bytes={first}-"));
            if let Some(tag) = tag {
                request = request.header(header::IF_RANGE, tag);
            }
        }
        if let Some(token) = self.environment.token.as_ref().filter(|_| is_hub) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.call().map_err(|e| describe(at, e))
    }

    fn agent(&self, origin: &HostOrigin) -> Result<Agent, InstallError> {
        let proxy = match self.environment.proxy(&origin.scheme, &origin.host) {
            None => None,
            Some(value) => {
                let bad = |reason: &str| InstallError::Setting {
                    what: "the proxy",
                    value: without_password(value),
                    reason: reason.to_owned(),
                };
                let proxy = Proxy::new(value).map_err(|_| bad("it is no proxy address"))?;
                if !matches!(
                    proxy.protocol(),
                    ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https
                ) {
                    return Err(bad("only http and https proxies are supported"));
                }
                Some(proxy)
            }
        };
        Ok(Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("photond/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .timeout_resolve(Some(self.patience.connect))
            .timeout_connect(Some(self.patience.connect))
            .timeout_recv_response(Some(self.patience.stall))
            .timeout_per_read(Some(self.patience.stall))
            .timeout_per_write(Some(self.patience.stall))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            )
            .build()
            .new_agent())
    }

    /// A status other than success.
    fn refused(&self, at: &Uri, status: u16, is_hub: bool, headers: &HeaderMap) -> Trouble {
        // The query of a signed address is long and secret.
        let url = bare(at);
        match status {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => Trouble::Passing {
                reason: format!("{} answered {status}", host(at)),
                status: Some(status),
                // A date instead of seconds is rare, and not worth trusting two clocks for.
                wait: text(headers, "retry-after")
                    .and_then(|v| v.parse().ok())
                    .map(Duration::from_secs),
            },
            401 | 403 if is_hub => Trouble::Final(InstallError::Denied {
                url,
                status,
                token: self.environment.token.is_some(),
            }),
            // A signed address that has expired meanwhile; asking the hub again gives a fresh one.
            403 => Trouble::passing(format!("{} answered {status}", host(at))),
            _ => Trouble::Final(InstallError::Status { url, status }),
        }
    }
}

/// What failed, in words; and whether trying again can help.
fn describe(at: &Uri, e: ureq::Error) -> Trouble {
    let url = bare(at);
    let tls = |reason: String| {
        Trouble::Final(InstallError::Tls {
            url: url.clone(),
            reason,
        })
    };
    match e {
        ureq::Error::Rustls(e) => tls(e.to_string()),
        ureq::Error::Tls(reason) => tls(reason.to_owned()),
        // The handshake's errors come wrapped in an I/O error.
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::InvalidData => tls(e.to_string()),
        ureq::Error::Timeout(_) => Trouble::passing(format!("{} does not answer", host(at))),
        ureq::Error::HostNotFound => Trouble::passing(format!(
            "{} was not found: no network, or a proxy is needed (HTTPS_PROXY)",
            host(at)
        )),
        ureq::Error::ConnectProxyFailed(reason) => Trouble::passing(format!(
            "the proxy did not connect to {}: {reason}",
            host(at)
        )),
        ureq::Error::Io(e) => Trouble::passing(format!("{}: {e}", host(at))),
        e => Trouble::passing(format!("{}: {e}", host(at))),
    }
}

/// Scheme, host and port: who one talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostOrigin {
    scheme: String,
    host: String,
    port: u16,
}

impl HostOrigin {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            scheme,
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(usual),
        })
    }
}

/// The address that a `Location` means, seen from another.
fn join(base: &Uri, target: &str) -> Option<Uri> {
    let target = target.split('#').next().unwrap_or_default();
    if target.contains("://") {
        return target.parse().ok();
    }
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let absolute = if let Some(rest) = target.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if target.starts_with('/') {
        format!("{scheme}://{authority}{target}")
    } else if target.starts_with('?') {
        format!("{scheme}://{authority}{}{target}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(f, _)| f);
        format!("{scheme}://{authority}{folder}/{target}")
    };
    absolute.parse().ok()
}

/// Host and port, for messages.
fn host(uri: &Uri) -> String {
    uri.authority()
        .map_or_else(|| "the server".to_owned(), ToString::to_string)
}

/// An address without its query.
fn bare(uri: &Uri) -> String {
    let text = uri.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

fn without_password(proxy: &str) -> String {
    match (proxy.find("://"), proxy.rfind('@')) {
        (Some(start), Some(at)) if at > start => {
            format!("{}…{}", &proxy[..start + 3], &proxy[at..])
        }
        (None, Some(at)) => format!("…{}", &proxy[at..]),
        _ => proxy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_joined_as_browsers_do() {
        let base: Uri = "https://hub.example/a/b/c?x=1".parse().unwrap();
        for (target, wanted) in [
            ("https://cdn.example/f?sig=1", "https://cdn.example/f?sig=1"),
            ("//cdn.example/f", "https://cdn.example/f"),
            ("/api/f", "https://hub.example/api/f"),
            ("d", "https://hub.example/a/b/d"),
            ("?y=2", "https://hub.example/a/b/c?y=2"),
            ("/f#part", "https://hub.example/f"),
        ] {
            assert_eq!(join(&base, target).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn an_origin_has_its_usual_port() {
        let of = |s: &str| HostOrigin::of(&s.parse().unwrap());
        assert_eq!(of("https://A.example"), of("https://a.example:443/x"));
        assert_ne!(of("https://a.example"), of("http://a.example"));
        assert_ne!(of("http://a.example:80"), of("http://a.example:8080"));
        assert_eq!(of("/path"), None);
        assert_eq!(of("ftp://a.example/"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let uri: Uri = "https://cdn.example/f?Signature=secret".parse().unwrap();
        assert_eq!(bare(&uri), "https://cdn.example/f");
        assert_eq!(
            without_password("http://me:secret@proxy:8080"),
            "http://…@proxy:8080"
        );
        assert_eq!(without_password("http://proxy:8080"), "http://proxy:8080");
    }
}
