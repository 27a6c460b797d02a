//! Who is let in: a judgement over a request's head, before anything else is done with it.
//!
//! Other web pages in the same browser are the enemy (DNS rebinding, requests across sites), and other
//! users of the machine. A request on the loopback listener needs the exact host, the browser's word that it
//! comes from the gallery itself, and a cookie that only `photond open` gives. The Unix socket is its owner's
//! alone by its permissions; a browser cannot speak to it, so whatever names an origin there is refused. On the
//! network's listener the same holds as on the loopback one, over TLS, with the names that this machine has there.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

/// The name that a browser finds the gallery under; it always means this machine.
pub(super) const GALLERY_HOST: &str = "photond.localhost";
/// Where a one-time code is exchanged for a cookie.
pub(super) const ENTRANCE: &str = "/in";

/// Which listener a request has come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doorway {
    /// The Unix socket.
    Socket,
    /// 127.0.0.1, at this port.
    Loopback(u16),
    /// The network, at this address of ours.
    Lan(SocketAddr),
}

/// The port that browsers leave out of `https` addresses.
const HTTPS: u16 = 443;

/// A name of this machine on the network, with the listener's port where it has none of its own.
pub fn with_port(name: &str, port: u16) -> String {
    match name.rsplit_once(':') {
        Some((_, own)) if own.parse::<u16>().is_ok() => name.to_owned(),
        _ => format!("{name}:{port}"),
    }
}

/// What may stand in `Host` at a doorway, and what an origin begins with there. `names` are this machine's on the
/// network.
fn own_hosts(doorway: Doorway, names: &[String]) -> (&'static str, Vec<String>) {
    match doorway {
        Doorway::Socket => ("", Vec::new()),
        Doorway::Loopback(port) => {
            let names = [GALLERY_HOST, "127.0.0.1"];
            ("http://", names.map(|name| format!("{name}:{port}")).into())
        }
        Doorway::Lan(at) => {
            let mut hosts = vec![at.to_string()];
            hosts.extend(names.iter().map(|name| with_port(name, at.port())));
            let usual = format!(":{HTTPS}");
            let without = hosts.iter().filter_map(|host| host.strip_suffix(&usual));
            let without: Vec<String> = without.map(str::to_owned).collect();
            hosts.extend(without);
            ("https://", hosts)
        }
    }
}

/// A request that is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TurnedAway {
    pub status: StatusCode,
    pub why: &'static str,
}

fn away<T>(status: StatusCode, why: &'static str) -> Result<T, TurnedAway> {
    Err(TurnedAway { status, why })
}

/// The one value of a header; `Err` if it comes twice or is no text.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, TurnedAway> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    let text = first.map(HeaderValue::to_str).transpose();
    match (text, values.next()) {
        (Ok(text), None) => Ok(text),
        _ => away(
            StatusCode::BAD_REQUEST,
            "a header is there twice, or is no text",
        ),
    }
}

/// Whether the head of a request may pass. Who it is from is asked afterwards, by the cookie.
pub(super) fn judge(
    doorway: Doorway,
    names: &[String],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), TurnedAway> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads && *method != Method::POST {
        return away(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET, HEAD and POST are understood",
        );
    }
    if uri.authority().is_some() {
        return away(StatusCode::BAD_REQUEST, "this is no proxy");
    }
    let origin = one(headers, "origin")?;
    // A form of another site can send all types but this one.
    let is_json = one(headers, "content-type")?.is_some_and(|given| {
        let kind = given.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    });
    if !reads && !is_json {
        return away(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a POST needs Content-Type: application/json",
        );
    }
    if doorway == Doorway::Socket {
        return match origin {
            None => Ok(()),
            Some(_) => away(StatusCode::FORBIDDEN, "the socket is not for web pages"),
        };
    }
    let host = one(headers, "host")?.unwrap_or_default();
    let (scheme, known) = own_hosts(doorway, names);
    if !known.iter().any(|known| known == host) {
        return away(
            StatusCode::MISDIRECTED_REQUEST,
            "the gallery is not known under this host name",
        );
    }
    let is_own = |origin: &str| origin.strip_prefix(scheme) == Some(host);
    if origin.is_some_and(|origin| !is_own(origin)) {
        return away(StatusCode::FORBIDDEN, "another site may not ask this");
    }
    match one(headers, "sec-fetch-site")? {
        Some("same-origin") => Ok(()),
        // Typed, a bookmark, or opened by another program.
        Some("none") if reads && one(headers, "sec-fetch-mode")? == Some("navigate") => Ok(()),
        None if reads || origin.is_some() => Ok(()),
        _ => away(StatusCode::FORBIDDEN, "another site may not ask this"),
    }
}

/// What every answer says to the browser.
pub(super) const ANSWER_HEADERS: [(header::HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src 'self' blob:; script-src 'self'; style-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 7755;
    const HOST: (&str, &str) = ("host", "photond.localhost:7755");
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
    const JSON: (&str, &str) = ("content-type", "application/json");

    type Headers<'h> = &'h [(&'static str, &'h str)];

    fn asked(
        doorway: Doorway,
        method: &str,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let names = ["nas", "nas.local", "photos.example:443"].map(str::to_owned);
        judge(doorway, &names, &method, &uri, &map).map_err(|away| away.status.as_u16())
    }

    #[test]
    fn the_gallery_itself_is_let_in() {
        let at = Doorway::Loopback(PORT);
        let navigation = [
            HOST,
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
        ];
        let own = ("origin", "http://photond.localhost:7755");
        for (method, headers) in [
            ("GET", &[HOST, SAME][..]),
            ("GET", &navigation),
            ("GET", &[HOST]),
            ("GET", &[("host", "127.0.0.1:7755"), SAME]),
            ("POST", &[HOST, SAME, JSON, own]),
            ("POST", &[HOST, JSON, own]),
            (
                "POST",
                &[
                    HOST,
                    SAME,
                    ("content-type", "application/json; charset=utf-8"),
                ],
            ),
        ] {
            assert_eq!(
                asked(at, method, "/", headers),
                Ok(()),
                "{method} {headers:?}"
            );
        }
        assert_eq!(asked(Doorway::Socket, "GET", "/", &[("host", "x")]), Ok(()));
        assert_eq!(asked(Doorway::Socket, "POST", "/", &[JSON]), Ok(()));
    }

    #[test]
    fn everybody_else_is_turned_away() {
        let at = Doorway::Loopback(PORT);
        let foreign_hosts = [
            "evil.example:7755",
            "photond.localhost",
            "photond.localhost:7756",
            "photond.localhost:7755.evil.example",
            "localhost:7755",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]:7755",
            "0.0.0.0:7755",
            "PHOTOND.localhost:7755",
            "photond.localhost:7755 ",
            "",
        ];
        for host in foreign_hosts {
            let host = ("host", host);
            let got = asked(at, "GET", "/", &[host, SAME]);
            // A space at the end is taken off while the header is parsed, which this does not do.
            assert_eq!(got, Err(421), "{host:?}");
        }
        let none = ("sec-fetch-site", "none");
        let refused: &[(&str, &str, Headers<'_>, u16)] = &[
            ("GET", "/", &[], 421),
            ("GET", "/", &[HOST, HOST, SAME], 400),
            ("GET", "/", &[HOST, ("host", "127.0.0.1:7755"), SAME], 400),
            ("GET", "http://photond.localhost:7755/", &[HOST, SAME], 400),
            ("GET", "/", &[HOST, ("sec-fetch-site", "cross-site")], 403),
            ("GET", "/", &[HOST, ("sec-fetch-site", "same-site")], 403),
            ("GET", "/", &[HOST, ("sec-fetch-site", "anything")], 403),
            ("GET", "/", &[HOST, none], 403),
            (
                "GET",
                "/",
                &[HOST, none, ("sec-fetch-mode", "no-cors")],
                403,
            ),
            ("GET", "/", &[HOST, none, ("sec-fetch-mode", "cors")], 403),
            ("GET", "/", &[HOST, SAME, SAME], 400),
            (
                "GET",
                "/",
                &[HOST, SAME, ("origin", "http://evil.example")],
                403,
            ),
            ("GET", "/", &[HOST, SAME, ("origin", "null")], 403),
            (
                "GET",
                "/",
                &[HOST, ("origin", "https://photond.localhost:7755")],
                403,
            ),
            ("POST", "/", &[HOST, JSON], 403),
            (
                "POST",
                "/",
                &[HOST, JSON, ("origin", "http://127.0.0.1:7755")],
                403,
            ),
            (
                "POST",
                "/",
                &[HOST, JSON, ("origin", "http://photond.localhost:80")],
                403,
            ),
            (
                "POST",
                "/",
                &[HOST, JSON, none, ("sec-fetch-mode", "navigate")],
                403,
            ),
            (
                "POST",
                "/",
                &[HOST, JSON, ("sec-fetch-site", "cross-site")],
                403,
            ),
            ("POST", "/", &[HOST, SAME], 415),
            (
                "POST",
                "/",
                &[HOST, SAME, ("content-type", "text/plain")],
                415,
            ),
            (
                "POST",
                "/",
                &[HOST, SAME, ("content-type", "multipart/form-data")],
                415,
            ),
            (
                "POST",
                "/",
                &[HOST, SAME, ("content-type", "text/plain;application/json")],
                415,
            ),
            ("PUT", "/", &[HOST, SAME, JSON], 405),
            ("DELETE", "/", &[HOST, SAME, JSON], 405),
            ("OPTIONS", "/", &[HOST, SAME], 405),
            ("CONNECT", "photond.localhost:7755", &[HOST, SAME], 405),
            ("TRACE", "/", &[HOST, SAME], 405),
        ];
        for (method, uri, headers, status) in refused {
            let got = asked(at, method, uri, headers);
            assert_eq!(got, Err(*status), "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn on_the_network_it_is_the_same_under_its_names_there() {
        let at = Doorway::Lan("192.168.1.5:7756".parse().unwrap());
        for host in [
            "192.168.1.5:7756",
            "nas:7756",
            "nas.local:7756",
            "photos.example",
            "photos.example:443",
        ] {
            let (own, origin) = (("host", host), format!("https://{host}"));
            let origin = ("origin", origin.as_str());
            assert_eq!(asked(at, "GET", "/", &[own, SAME]), Ok(()), "{host}");
            assert_eq!(asked(at, "POST", "/", &[own, SAME, JSON, origin]), Ok(()));
            assert_eq!(asked(at, "POST", "/", &[own, JSON]), Err(403));
            let insecure = format!("http://{host}");
            let others = [
                "null",
                "https://evil.example",
                "https://nas:1",
                insecure.as_str(),
            ];
            for other in others {
                let headers = [own, SAME, JSON, ("origin", other)];
                assert_eq!(asked(at, "POST", "/", &headers), Err(403), "{host} {other}");
            }
            let cross = ("sec-fetch-site", "cross-site");
            assert_eq!(asked(at, "GET", "/", &[own, cross]), Err(403));
        }
        let foreign = [
            "evil.example:7756",
            "192.168.1.6:7756",
            "192.168.1.5",
            "192.168.1.5:443",
            "nas",
            "nas.local:443",
            "nas.local:7756.evil.example",
            "photos.example:7756",
            "photond.localhost:7756",
            "127.0.0.1:7756",
            "",
        ];
        for host in foreign {
            assert_eq!(
                asked(at, "GET", "/", &[("host", host), SAME]),
                Err(421),
                "{host}"
            );
        }
        let usual = Doorway::Lan("[fd00::5]:443".parse().unwrap());
        for host in ["[fd00::5]", "[fd00::5]:443", "nas", "nas.local:443"] {
            assert_eq!(
                asked(usual, "GET", "/", &[("host", host), SAME]),
                Ok(()),
                "{host}"
            );
        }
        let other = [("host", "fd00::5"), SAME];
        assert_eq!(asked(usual, "GET", "/", &other), Err(421));
    }

    #[test]
    fn the_socket_is_not_for_pages() {
        let page = ("origin", "http://photond.localhost:7755");
        assert_eq!(asked(Doorway::Socket, "GET", "/", &[page]), Err(403));
        assert_eq!(asked(Doorway::Socket, "POST", "/", &[]), Err(415));
    }
}
