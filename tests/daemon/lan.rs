//! The listener on the network: open only with a password and TLS, asked by a client that trusts its certificate.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::env::{Daemon, TestEnv, save};
use crate::serving::{Headers, JSON, Reply, exchange, library, request};

const SETTINGS: &str = "[labels]\nterms = 0\n[detect]\ntext = false\n[gallery]\nport = 0\n";
const PASSWORD: &str = "correct horse";
const OWN: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const TYPED: [(&str, &str); 2] = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")];

/// Runs a command that reads a line.
fn told(env: &TestEnv, args: &[&str], line: &str) -> Output {
    let mut command = env.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn set_password(env: &TestEnv, password: &str) {
    let set = told(env, &["password"], &format!("{password}\n"));
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
}

/// Has the running photond listen on the network; its port.
fn opened(env: &TestEnv) -> u16 {
    let said = env.ok(&["serve", "--lan", "0.0.0.0:0"]);
    let first = said.lines().next().unwrap();
    let port = first.trim_end_matches('/').rsplit(':').next().unwrap();
    port.parse().unwrap_or_else(|_| panic!("{said}"))
}

/// A browser that trusts photond's own certificate, at 127.0.0.1, which is one of all addresses.
struct Browser {
    port: u16,
    host: String,
    trusts: Arc<ClientConfig>,
}

impl Browser {
    fn of(env: &TestEnv, port: u16) -> Self {
        let pem = fs::read(env.data().join("gallery.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&pem).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self {
            port,
            host: format!("127.0.0.1:{port}"),
            trusts: Arc::new(config),
        }
    }

    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // The certificate is for this machine's names.
        let name = "localhost".try_into().unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.trusts), name).unwrap();
        StreamOwned::new(tls, stream)
    }

    fn ask(&self, line: &str, headers: Headers<'_>, body: &str) -> Reply {
        exchange(self.connect(), &request(line, headers, body))
    }

    /// As the gallery's own page.
    fn own(&self, line: &str, cookie: &str, body: &str) -> Reply {
        let headers = [("Host", self.host.as_str()), OWN, JSON, ("Cookie", cookie)];
        self.ask(line, &headers, body)
    }

    fn login(&self, password: &str) -> Reply {
        let body = serde_json::json!({ "password": password }).to_string();
        self.own("POST /api/v1/login", "", &body)
    }

    /// Signs in; the cookie.
    fn cookie(&self) -> String {
        let reply = self.login(PASSWORD);
        assert_eq!(reply.status, 200, "{}", reply.json());
        let cookie = reply.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn why(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap().to_owned()
}

fn ends(daemon: Daemon) {
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn nothing_is_open_without_a_password() {
    let env = TestEnv::new();
    env.configure(SETTINGS);
    let lan = ["serve", "--lan", "0.0.0.0:0"];
    assert!(env.refused(&lan).contains("photond is not running"));
    let daemon = env.watch();
    let refused = env.refused(&lan);
    assert!(
        refused.contains("no password is set: `photond password`"),
        "{refused}"
    );
    let here = env.refused(&["serve", "--lan", "127.0.0.1:0"]);
    assert!(here.contains("`photond open`"), "{here}");
    let short = told(&env, &["password"], "1234567\n");
    assert_eq!(short.status.code(), Some(2));
    let said = String::from_utf8_lossy(&short.stderr).into_owned();
    assert!(
        said.contains("at least 8") && said.contains("nothing was changed"),
        "{said}"
    );
    assert!(env.refused(&lan).contains("no password is set"));
    assert_eq!(env.status()["lan"]["open"], Value::Null);

    set_password(&env, PASSWORD);
    // Certificates that cannot be used.
    let (certificate, key) = (env.outside("c.pem"), env.outside("k.pem"));
    let own = format!("{SETTINGS}certificate = {certificate:?}\n");
    env.configure(&own);
    assert!(env.refused(&lan).contains("go together"));
    env.configure(SETTINGS);
    let port = opened(&env);
    for secret in ["gallery.password", "gallery.pem", "gallery.lan.json"] {
        let mode = fs::metadata(env.data().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let text = env.ok(&["status"]);
    assert!(
        text.contains(&format!("open for other machines at 0.0.0.0:{port}")),
        "{text}"
    );
    assert!(env.ok(&["password", "--remove"]).contains("nobody gets in"));
    env.wait_until("it is closed", || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    assert_eq!(env.status()["lan"]["open"], Value::Null);
    assert_eq!(env.run(&["serve", "--no-lan"]).status.code(), Some(1));
    ends(daemon);

    set_password(&env, PASSWORD);
    fs::copy(env.data().join("gallery.pem"), &certificate).unwrap();
    fs::remove_file(env.data().join("gallery.pem")).unwrap();
    env.configure(&format!("{own}key = {key:?}\n"));
    let daemon = env.watch();
    assert!(env.refused(&lan).contains("k.pem: "));
    fs::write(&key, "no key").unwrap();
    assert!(env.refused(&lan).contains("holds no private key"));
    fs::copy(&certificate, &key).unwrap();
    opened(&env);
    assert!(
        !env.data().join("gallery.pem").exists(),
        "one's own is used"
    );
    ends(daemon);
}

#[test]
fn who_has_signed_in_sees_the_photos_and_nobody_else() {
    let env = TestEnv::new();
    env.configure(&format!("{SETTINGS}names = [\"photos.example\"]\n"));
    let daemon = library(&env);
    set_password(&env, PASSWORD);
    let browser = Browser::of(&env, opened(&env));
    let (port, host) = (browser.port, browser.host.as_str());
    let known = ("Host", host);
    let mut refused = 0;

    // Without a cookie there is one page, which asks for the password.
    let typed = [known, TYPED[0], TYPED[1]];
    let page = browser.ask("GET /", &typed, "");
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert!(
        page.status == 200 && text.contains("type=\"password\""),
        "{text}"
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'none'"));
    for part in ["login.js", "login.css", "icon.svg"] {
        assert!(text.contains(part));
        let line = format!("GET /app/{part}");
        assert_eq!(browser.own(&line, "", "").status, 200, "{part}");
    }
    let routes = include_str!("../../src/serve/routes.rs");
    let routes = routes.split(".route(").skip(1);
    let routes = routes.map(|rest| rest.trim_start().trim_start_matches('"'));
    let routes = routes.filter(|rest| rest.starts_with('/') && !rest.starts_with("/\""));
    let routes: Vec<_> = routes.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        let path = route.replace(['{', '}'], "");
        for line in [format!("GET {path}"), format!("POST {path}")] {
            let reply = browser.own(&line, "", "{}");
            assert_eq!(reply.status, 401, "{line}: {}", why(&reply));
            refused += 1;
        }
    }

    // Wrong ones: three at once, then after a wait that grows.
    for wrong in ["", "Correct horse", "correct horse "] {
        let reply = browser.login(wrong);
        assert_eq!(
            (reply.status, why(&reply).as_str()),
            (403, "this is not the password")
        );
        assert_eq!(reply.header("set-cookie"), None);
        refused += 1;
    }
    env.wait_until("the next one has to wait", || {
        let reply = browser.login("another one");
        assert!(
            reply.status != 429 || why(&reply).contains("wait "),
            "{}",
            why(&reply)
        );
        reply.status == 429
    });
    refused += 1;
    env.wait_until("the right one is taken", || {
        browser.login(PASSWORD).status == 200
    });
    for body in [
        "",
        "{}",
        "{\"password\": 1}",
        "password=x",
        "{\"password\": \"x\", \"y\": 1}",
    ] {
        assert_eq!(
            browser.own("POST /api/v1/login", "", body).status,
            400,
            "{body}"
        );
        refused += 1;
    }
    let long = format!("{{\"password\": \"{}\"}}", "x".repeat(5000));
    assert_eq!(browser.own("POST /api/v1/login", "", &long).status, 413);
    refused += 1;

    let reply = browser.login(PASSWORD);
    let set = reply.header("set-cookie").unwrap();
    for part in [
        "__Host-photond-",
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    ] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    let (head, ids) = browser.own("POST /api/v1/view", cookie, "{}").view();
    assert_eq!((ids.len(), &head["n"]), (2, &2.into()));
    let gallery = String::from_utf8(browser.own("GET /", cookie, "").body).unwrap();
    assert!(gallery.contains("/app/app.js"));
    let photo = format!("GET /api/v1/photos/{}", ids[0]);
    let file = browser.own(&format!("GET /o/{}", ids[0]), cookie, "");
    assert_eq!(file.status, 200);
    let named = format!("photos.example:{port}");
    let origin = format!("https://{named}");
    let headers = [
        ("Host", named.as_str()),
        OWN,
        JSON,
        ("Cookie", cookie),
        ("Origin", origin.as_str()),
    ];
    assert_eq!(browser.ask("POST /api/v1/view", &headers, "{}").status, 200);

    // The same cookie in any other way.
    let c = ("Cookie", cookie);
    let value = cookie.split_once('=').unwrap().1;
    let [other, loopback, unsafe_name, other_port] = [
        format!("__Host-photond-{port}={}", "0".repeat(64)),
        format!("photond-{port}={value}"),
        format!("__host-photond-{port}={value}"),
        format!("__Host-photond-{}={value}", port ^ 1),
    ];
    let [insecure, elsewhere, bare] = [
        format!("http://{host}"),
        format!("https://127.0.0.1:{}", port ^ 1),
        "https://127.0.0.1".to_owned(),
    ];
    let [other_address, no_port, rebound] = [
        format!("192.0.2.1:{port}"),
        "photos.example".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
    ];
    let gallery_host = format!("photond.localhost:{port}");
    let cross = ("Sec-Fetch-Site", "cross-site");
    let table: &[(&str, Headers<'_>, u16)] = &[
        (&photo, &[known, OWN, ("Cookie", &other)], 401),
        (&photo, &[known, OWN, ("Cookie", &loopback)], 401),
        (&photo, &[known, OWN, ("Cookie", &unsafe_name)], 401),
        (&photo, &[known, OWN, ("Cookie", &other_port)], 401),
        (&photo, &[known, OWN, ("Cookie", value)], 401),
        (&photo, &[OWN, c], 421),
        (&photo, &[known, known, OWN, c], 400),
        (&photo, &[("Host", "evil.example"), OWN, c], 421),
        (&photo, &[("Host", &rebound), OWN, c], 421),
        (&photo, &[("Host", &other_address), OWN, c], 421),
        (&photo, &[("Host", &no_port), OWN, c], 421),
        (&photo, &[("Host", &gallery_host), OWN, c], 421),
        (&photo, &[("Host", "127.0.0.1"), OWN, c], 421),
        (&photo, &[known, cross, c], 403),
        (&photo, &[known, ("Sec-Fetch-Site", "same-site"), c], 403),
        (&photo, &[known, TYPED[0], c], 403),
        (&photo, &[known, OWN, c, ("Origin", &insecure)], 403),
        (&photo, &[known, OWN, c, ("Origin", &elsewhere)], 403),
        (&photo, &[known, OWN, c, ("Origin", &bare)], 403),
        (&photo, &[known, OWN, c, ("Origin", "null")], 403),
        (
            &photo,
            &[known, OWN, c, ("Origin", "https://evil.example")],
            403,
        ),
        ("POST /api/v1/pause", &[known, c, JSON], 403),
        ("POST /api/v1/pause", &[known, cross, c, JSON], 403),
        (
            "POST /api/v1/pause",
            &[known, OWN, c, ("Content-Type", "text/plain")],
            415,
        ),
        ("POST /api/v1/login", &[known, cross, JSON], 403),
        ("POST /api/v1/login", &[known, JSON], 403),
        (
            "POST /api/v1/login",
            &[known, OWN, ("Content-Type", "text/plain")],
            415,
        ),
        (
            "POST /api/v1/login",
            &[("Host", "evil.example"), OWN, JSON],
            421,
        ),
        ("GET /api/v1/login", &[known, OWN], 405),
        ("GET /", &[("Host", "evil.example"), OWN], 421),
        (
            "GET /",
            &[known, cross, ("Sec-Fetch-Mode", "navigate")],
            403,
        ),
        ("GET /app/login.js", &[known, cross], 403),
        ("PUT /", &[known, OWN, c, JSON], 405),
        // Only the socket invites, and closes.
        ("POST /api/v1/invite", &[known, OWN, c, JSON], 404),
        ("POST /api/v1/lan", &[known, OWN, c, JSON], 404),
        ("GET /o/..%2f..%2fetc%2fpasswd", &[known, OWN, c], 400),
        ("GET /app/..%2Fgallery.password", &[known, OWN, c], 404),
    ];
    for (line, headers, status) in table {
        let reply = browser.ask(line, headers, "{}");
        assert_eq!(reply.status, *status, "{line} {headers:?}: {}", why(&reply));
        refused += 1;
    }
    // Windows open for whoever sits before this machine.
    let body = format!("{{\"id\": {}}}", ids[0]);
    for line in ["POST /api/v1/reveal", "POST /api/v1/open"] {
        let reply = browser.own(line, cookie, &body);
        assert_eq!(reply.status, 403);
        assert!(
            why(&reply).contains("the machine that photond runs on"),
            "{}",
            why(&reply)
        );
        refused += 1;
    }
    // Codes are for 127.0.0.1, and cookies of the one listener are none of the other.
    let url = env.ok(&["open", "--print"]);
    let (at, code) = url
        .trim()
        .trim_start_matches("http://")
        .split_once('/')
        .unwrap();
    let line = format!("GET /{code}");
    let by_code = [known, TYPED[0], TYPED[1]];
    assert_eq!(browser.ask(&line, &by_code, "").status, 401);
    let local: u16 = at.rsplit(':').next().unwrap().parse().unwrap();
    let here = |line: &str, headers: Headers<'_>| {
        let stream = TcpStream::connect(("127.0.0.1", local)).unwrap();
        exchange(stream, &request(line, headers, "{}"))
    };
    let entered = here(&line, &[("Host", at), TYPED[0], TYPED[1]]);
    assert_eq!(entered.status, 303, "the code is not used up");
    let of_loopback = entered.header("set-cookie").unwrap();
    let of_loopback = of_loopback
        .split(';')
        .next()
        .unwrap()
        .split_once('=')
        .unwrap()
        .1;
    let borrowed = format!("__Host-photond-{port}={of_loopback}");
    assert_eq!(browser.own(&photo, &borrowed, "").status, 401);
    let lent = format!("photond-{local}={value}");
    assert_eq!(
        here(&photo, &[("Host", at), OWN, ("Cookie", &lent)]).status,
        401
    );
    let login = here("POST /api/v1/login", &[("Host", at), OWN, JSON]);
    assert_eq!(login.status, 401);
    refused += 4;

    // Without TLS there is a sentence and nothing more; neither what is no TLS nor silence holds anything up.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.write_all(&request("GET /", &[known, c], "")).unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"),
        "{answer}"
    );
    let mut noise = TcpStream::connect(("127.0.0.1", port)).unwrap();
    noise.write_all(&[22, 3, 1, 255, 255, 0]).unwrap();
    let silent: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    assert_eq!(browser.own(&photo, cookie, "").status, 200);
    refused += 2;
    drop((noise, silent));
    assert!(refused >= 100, "{refused} requests were refused");
    eprintln!("{refused} requests were refused");
    save(4, &env.photo("four.jpg"));
    env.wait_for_paths(&["four.jpg", "sea/one.jpg", "two.png"]);
    ends(daemon);
}

#[test]
fn it_stays_open_until_it_is_closed_and_a_new_password_throws_out() {
    let env = TestEnv::new();
    env.configure(SETTINGS);
    let daemon = env.watch();
    set_password(&env, PASSWORD);
    let browser = Browser::of(&env, opened(&env));
    let cookie = browser.cookie();
    let status = |cookie: &str| browser.own("GET /api/v1/facets", cookie, "").status;
    assert_eq!(status(&cookie), 200);
    ends(daemon);

    let daemon = env.watch();
    assert_eq!(status(&cookie), 200, "open again, and who was in is in");
    let fingerprint = env.status()["lan"]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(fingerprint.len(), 95);
    let anew = opened(&env);
    env.wait_until("it is open at one place alone", || {
        TcpStream::connect(("127.0.0.1", browser.port)).is_err()
    });
    assert_eq!(env.status()["lan"]["fingerprint"], fingerprint.as_str());
    let browser = Browser::of(&env, anew);
    let cookie = browser.cookie();
    let status = |cookie: &str| browser.own("GET /api/v1/facets", cookie, "").status;

    // Signing out is for one browser.
    let second = browser.cookie();
    let out = browser.own("POST /api/v1/logout", &second, "");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!((status(&second), status(&cookie)), (401, 200));

    // An open stream ends with the password that it was opened with.
    let mut events = browser.connect();
    let headers = [
        ("Host", browser.host.as_str()),
        OWN,
        ("Cookie", cookie.as_str()),
    ];
    events
        .write_all(&request("GET /api/v1/events", &headers, ""))
        .unwrap();
    let mut head = [0; 12];
    events.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    set_password(&env, PASSWORD);
    let _ = events.read_to_end(&mut Vec::new());
    assert_eq!(status(&cookie), 401);
    let cookie = browser.cookie();
    assert_eq!(status(&cookie), 200);

    // A file that goes without a word closes it as well.
    fs::rename(env.data().join("gallery.password"), env.outside("password")).unwrap();
    let mut stream = browser.connect();
    assert!(stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_err());
    fs::rename(env.outside("password"), env.data().join("gallery.password")).unwrap();
    assert_eq!(status(&cookie), 200);

    let closed = env.ok(&["serve", "--no-lan"]);
    assert!(closed.contains("closed"), "{closed}");
    assert!(TcpStream::connect(("127.0.0.1", browser.port)).is_err());
    ends(daemon);
    let daemon = env.watch();
    assert!(TcpStream::connect(("127.0.0.1", browser.port)).is_err());
    assert_eq!(env.status()["lan"]["open"], Value::Null);
    ends(daemon);
}

#[test]
fn the_setting_opens_it_and_without_a_password_indexing_goes_on() {
    let env = TestEnv::new();
    let free = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    env.configure(&format!("{SETTINGS}lan = \"0.0.0.0:{port}\"\n"));
    let daemon = library(&env);
    let trouble = env.status()["lan"]["trouble"].as_str().unwrap().to_owned();
    assert!(
        trouble.contains("no password is set: `photond password`"),
        "{trouble}"
    );
    assert!(env.ok(&["status"]).contains("not open for other machines"));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    set_password(&env, PASSWORD);
    ends(daemon);

    let daemon = env.watch();
    let browser = Browser::of(&env, port);
    assert_eq!(
        browser
            .own("GET /api/v1/facets", &browser.cookie(), "")
            .status,
        200
    );
    assert_eq!(env.status()["lan"]["trouble"], Value::Null);
    // Asking for what is there says where, and changes nothing.
    let said = env.ok(&["serve", "--lan", &format!("0.0.0.0:{port}")]);
    assert!(said.contains(&format!(":{port}/")), "{said}");
    ends(daemon);
    // What the settings alone have opened goes with the setting.
    env.configure(SETTINGS);
    let daemon = env.watch();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    ends(daemon);
}
