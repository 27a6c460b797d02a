//! The API over both listeners, asked in raw HTTP.

use std::fs;
use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

use crate::env::{TestEnv, save};

/// What came back.
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The line above a view, and the numbers of its photos.
    pub fn view(&self) -> (Value, Vec<u32>) {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let end = self.body.iter().position(|b| *b == b'\n').unwrap() + 1;
        let head: Value = serde_json::from_slice(&self.body[..end]).unwrap();
        let n = head["n"].as_u64().unwrap() as usize;
        let ids = self.body[end..end + 4 * n].chunks_exact(4);
        let ids = ids.map(|id| u32::from_le_bytes(id.try_into().unwrap()));
        (head, ids.collect())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

/// Sends a request and reads to the end of the answer.
pub fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Reply {
    // One that is refused early may be answered before it is sent to its end.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&answer))) + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: answer[end..].to_vec(),
    }
}

pub fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if line.starts_with("POST") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    (text + "\r\n" + body).into_bytes()
}

pub type Headers<'h> = &'h [(&'h str, &'h str)];

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

fn at_socket(env: &TestEnv) -> UnixStream {
    UnixStream::connect(env.data().join("api.sock")).unwrap()
}

fn ask(env: &TestEnv, line: &str, body: &str) -> Reply {
    exchange(at_socket(env), &request(line, &[("Host", "p"), JSON], body))
}

/// Two photos, one in a folder, and a daemon that knows them.
pub fn library(env: &TestEnv) -> crate::env::Daemon {
    fs::create_dir(env.photo("sea")).unwrap();
    save(1, &env.photo("sea/one.jpg"));
    save(2, &env.photo("two.png"));
    let daemon = env.watch();
    env.wait_for_paths(&["sea/one.jpg", "two.png"]);
    daemon
}

/// The requests of `docs/api.md`: a line, and what is sent with it.
fn examples() -> Vec<(String, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let docs = fs::read_to_string(docs).unwrap();
    let blocks = docs.split("```http\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().trim());
    let parts = blocks.map(|block| block.split_once("\n\n").unwrap_or((block, "")));
    parts
        .map(|(line, body)| (line.to_owned(), body.to_owned()))
        .collect()
}

/// 10,000 connections that say nothing, or as many as this process may have. Nobody waits for them: what the
/// system does not let through stays on its way.
fn crowd(port: u16) -> Vec<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, connect, socket};
    let room = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let many = room.unwrap_or(u64::MAX).saturating_sub(500).min(10_000);
    let at = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    (0..many)
        .map_while(|_| {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
            rustix::io::ioctl_fionbio(&socket, true).ok()?;
            let _ = connect(&socket, &at);
            Some(socket)
        })
        .collect()
}

#[test]
fn every_example_of_the_documentation_is_answered() {
    let env = TestEnv::new();
    let daemon = library(&env);
    let socket = env.data().join("api.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (head, ids) = ask(&env, "POST /api/v1/view", "{}").view();
    assert_eq!((ids.len(), &head["ranked"]), (2, &Value::Bool(false)));
    let (photo, epoch) = (
        ids[0].to_string(),
        head["epoch"].as_str().unwrap().to_owned(),
    );
    let folders = ask(&env, "GET /api/v1/folders", "").json();
    assert_eq!(
        (&folders[0]["photos"], &folders[0]["folders"]),
        (&2.into(), &1.into())
    );
    let status = ask(&env, "GET /api/v1/status", "").json();
    assert_eq!(status["daemon"]["alive"], true);
    let names = [
        ("PHOTO", photo),
        ("EPOCH", epoch),
        ("FOLDER", folders[0]["id"].to_string()),
        ("ROOT", status["roots"][0]["id"].to_string()),
    ];
    let fill = |text: &str| {
        let filled = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        names.iter().fold(text.to_owned(), filled)
    };
    let examples = examples();
    let routes = include_str!("../../src/serve/routes.rs");
    let routes = routes.split("\"/api/v1/").skip(1);
    for route in routes.map(|rest| rest.split(['"', '{']).next().unwrap().trim_end_matches('/')) {
        let has = examples.iter().any(|(line, _)| line.contains(route));
        assert!(has, "docs/api.md has no example of {route}");
    }
    for (line, body) in &examples {
        let line = fill(line);
        if line.contains("/events") {
            // It has no end; the next test listens to it.
            continue;
        }
        let reply = ask(&env, &line, &fill(body));
        if line.ends_with("/reveal") || line.ends_with("/open") {
            // Tests have no desktop.
            let why = reply.json()["error"].as_str().unwrap().to_owned();
            assert!(why.contains("copy the path"), "{why}");
            continue;
        }
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 200, "{line}: {said}");
    }
    // The last order took the root out, and the view knows.
    env.wait_until("the photos are forgotten", || {
        ask(&env, "POST /api/v1/view", "{}").view().1.is_empty()
    });
    assert_eq!(daemon.stop(), Some(0));
    assert!(!socket.exists(), "the socket goes with the daemon");
}

#[test]
fn a_photo_that_lands_is_told_and_shown() {
    let env = TestEnv::new();
    let daemon = library(&env);
    let folder = ask(&env, "GET /api/v1/folders", "").json()[0]["id"].clone();
    let below = ask(&env, &format!("GET /api/v1/folders?under={folder}"), "").json();
    assert_eq!(
        (&below[0]["name"], &below[0]["photos"]),
        (&"sea".into(), &1.into())
    );
    let sea = format!("{{\"query\": {{\"folder\": {}}}}}", below[0]["id"]);
    // A name says when the photo was taken: in a view, the day behind the numbers and the ratios.
    save(5, &env.photo("IMG_20190503_101112.jpg"));
    env.wait_for_paths(&["IMG_20190503_101112.jpg", "sea/one.jpg", "two.png"]);
    let may = ask(
        &env,
        "POST /api/v1/view",
        r#"{"query": {"on": "2019-05-03"}}"#,
    );
    assert_eq!(may.view().1.len(), 1);
    let (day, count) = may.body[may.body.len() - 8..].split_at(4);
    assert_eq!(
        (day, count),
        (&18_019i32.to_le_bytes()[..], &1u32.to_le_bytes()[..])
    );
    let (head, before) = ask(&env, "POST /api/v1/view", &sea).view();
    assert_eq!(before.len(), 1);

    let line = format!("GET /api/v1/events?since={}", head["clock"]);
    let lines = ("Accept", "application/x-ndjson");
    let mut stream = at_socket(&env);
    stream
        .write_all(&request(&line, &[("Host", "p"), lines], ""))
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(240)))
        .unwrap();
    save(3, &env.photo("sea/three.jpg"));
    let told = BufReader::new(stream).lines().map(|line| line.unwrap());
    let told = told.filter(|line| line.starts_with('{'));
    let mut told = told.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let event = told.find(|event| event["type"] == "photos").unwrap();
    let (now, after) = ask(&env, "POST /api/v1/view", &sea).view();
    assert!(now["clock"].as_u64() >= event["clock"].as_u64());
    assert_eq!(after.len(), 2);

    let new = after.iter().find(|id| !before.contains(id)).unwrap();
    let photo = ask(&env, &format!("GET /api/v1/photos/{new}"), "").json();
    assert!(photo["path"].as_str().unwrap().ends_with("sea/three.jpg"));
    let file = ask(&env, &format!("GET /o/{new}"), "");
    assert_eq!(file.body, fs::read(env.photo("sea/three.jpg")).unwrap());
    assert_eq!(file.header("content-type"), Some("image/jpeg"));
    let small = ask(
        &env,
        &format!("GET /t/{}/{new}", now["epoch"].as_str().unwrap()),
        "",
    );
    assert!(small.header("cache-control").unwrap().contains("immutable"));
    assert!(image::load_from_memory(&small.body).is_ok());
    let larger = ask(&env, &format!("GET /p/x/{new}?s=512"), "");
    assert_eq!(larger.header("content-type"), Some("image/jpeg"));
    let larger = image::load_from_memory(&larger.body).unwrap();
    let shape = [
        photo["width"].as_u64().unwrap(),
        photo["height"].as_u64().unwrap(),
    ];
    let wanted = shape.map(|side| side * 512 / shape[0].max(shape[1]).max(512));
    let got = [larger.width(), larger.height()].map(u64::from);
    assert!(
        got.iter()
            .zip(wanted)
            .all(|(got, wanted)| got.abs_diff(wanted) <= 1)
    );
    let chosen = |how: &str| format!("{{\"ids\": [{new}], \"how\": \"{how}\"}}");
    let zip = ask(&env, "POST /api/v1/export", &chosen("zip")).json();
    let line = format!("GET {}", zip["url"].as_str().unwrap());
    let sent = ask(&env, &line, "");
    let whole = fs::read(env.photo("sea/three.jpg")).unwrap();
    let holds = |what: &[u8]| sent.body.windows(what.len()).any(|w| w == what);
    assert!(holds(&whole) && holds(b"three.jpg") && holds(b"PK\x05\x06"));
    assert_eq!(
        ask(&env, &line, "").status,
        404,
        "an export is fetched once"
    );
    let links = ask(&env, "POST /api/v1/export", &chosen("links")).json();
    let folder = Path::new(links["folder"].as_str().unwrap());
    let link = fs::read_link(folder.join("three.jpg")).unwrap();
    assert_eq!(link, env.photo("sea/three.jpg"));
    // What has changed since is not taken for what it was.
    fs::write(env.photo("sea/three.jpg"), b"no picture any more").unwrap();
    assert_eq!(ask(&env, &format!("GET /p/x/{new}?s=1440"), "").status, 404);
    // What was made before is kept, and shown of photos whose drive is away too.
    let kept = ask(&env, &format!("GET /p/x/{new}?s=512"), "");
    assert!(kept.status == 200 && image::load_from_memory(&kept.body).is_ok());
    let none = ask(&env, "GET /t/x/999999", "");
    assert_eq!(none.status, 404);
    assert!(none.json()["error"].is_string());
    assert_eq!(daemon.stop(), Some(0));
}

/// A service manager that keeps a descriptor, as systemd's does.
#[test]
fn the_service_manager_keeps_the_port() {
    let env = TestEnv::new();
    let manager = env.outside("notify.sock");
    let manager = UnixDatagram::bind(&manager)
        .map(|at| (manager, at))
        .unwrap();
    let daemon = env.watch_with(&[], |command| {
        command.env("NOTIFY_SOCKET", &manager.0);
    });
    env.ok(&["open", "--print"]);
    manager
        .1
        .set_read_timeout(Some(Duration::from_secs(240)))
        .unwrap();
    let mut text = [0; 512];
    let listener = loop {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut text)];
        let got = recvmsg(&manager.1, into, &mut with, RecvFlags::empty()).unwrap();
        let fd = with.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        if let Some(fd) = fd {
            let text = String::from_utf8_lossy(&text[..got.bytes]).into_owned();
            assert!(text.contains("FDSTORE=1"), "{text}");
            break TcpListener::from(fd);
        }
    };
    assert_eq!(daemon.stop(), Some(0));

    // systemd gives it as descriptor 3, and says to whom.
    let start = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0 0</dev/null";
    let photos = env.photos();
    let command = env.command(&["watch", photos.to_str().unwrap()]);
    let mut shell = env.wrapped(&["sh", "-c", start, "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    let at = listener.local_addr().unwrap();
    shell.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    let daemon = env.spawn(shell);
    env.wait_until("the port is answered again", || {
        let stream = TcpStream::connect(at).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let host = format!("photond.localhost:{}", at.port());
        let asked = request("GET /", &[("Host", &host)], "");
        let mut stream = stream;
        let _ = stream.write_all(&asked);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 40")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn photos_that_come_to_fit_are_told_as_they_come() {
    let env = TestEnv::new();
    let daemon = library(&env);
    let body = r#"{"query": {"name": "wanted"}, "follow": true}"#;
    let mut stream = at_socket(&env);
    stream
        .set_read_timeout(Some(Duration::from_secs(240)))
        .unwrap();
    stream
        .write_all(&request("POST /api/v1/query", &[("Host", "p"), JSON], body))
        .unwrap();
    let mut told = BufReader::new(stream).lines().map(|line| line.unwrap());
    // The head comes when it is known what fits already.
    assert!(told.any(|line| line.is_empty()));

    let mut command = env.command(&["query", "--follow", "--name", "wanted", "--format", "paths"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut notice = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut notice).unwrap();
    assert!(notice.contains("waiting for photos"), "{notice}");

    save(6, &env.photo("other.jpg"));
    save(7, &env.photo("sea/wanted.jpg"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let path = lines.next().unwrap().unwrap();
    assert_eq!(path, env.photo("sea/wanted.jpg").to_str().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    let photo = told.find(|line| line.starts_with('{')).unwrap();
    let photo: Value = serde_json::from_str(&photo).unwrap();
    assert_eq!(photo["path"], path.as_str());
    // Without `follow`: what there is.
    let body = r#"{"query": {"folder": null}, "limit": 3}"#;
    let all = ask(&env, "POST /api/v1/query", body);
    let all = String::from_utf8(all.body).unwrap();
    assert_eq!(all.lines().filter(|line| line.starts_with('{')).count(), 3);
    let wrong = r#"{"query": {"since": "never"}, "follow": true}"#;
    assert_eq!(ask(&env, "POST /api/v1/query", wrong).status, 400);
    assert!(
        env.refused(&["query", "--follow", "--format", "json"])
            .contains("jsonl")
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_browser_gets_in_by_a_code_and_nobody_else_does() {
    let env = TestEnv::new();
    env.configure("[labels]\nterms = 0\n[detect]\ntext = false\n[gallery]\nport = 0\n");
    let daemon = library(&env);
    let url = env.ok(&["open", "--print"]);
    let (host, code) = url
        .trim()
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let port: u16 = host
        .strip_prefix("photond.localhost:")
        .unwrap()
        .parse()
        .unwrap();
    let at = |line: &str, headers: &[(&str, &str)], body: &str| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        exchange(stream, &request(line, headers, body))
    };
    let known = ("Host", host);
    let typed = [
        known,
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    let own = ("Sec-Fetch-Site", "same-origin");

    // Nobody is in yet, and no other code is of use.
    assert_eq!(at("GET /", &typed, "").status, 401);
    let wrong = format!("GET /in?code={}", "0".repeat(64));
    assert_eq!(at(&wrong, &typed, "").status, 403);
    let line = format!("GET /{code}");
    // The code is not used up by a page of another site that knows it.
    let cross = [
        known,
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    assert_eq!(at(&line, &cross, "").status, 403);
    assert_eq!(at(&line, &[("Host", "evil.example"), own], "").status, 421);
    let entered = at(&line, &typed, "");
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/"))
    );
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    assert_eq!(at(&line, &typed, "").status, 403, "a code works once");

    let cookie = ("Cookie", cookie.split(';').next().unwrap());
    let page = at("GET /", &[known, cookie, own], "");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("access-control-allow-origin"), None);
    let app = at("GET /app/app.js", &[known, cookie, own], "");
    assert_eq!(
        app.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    let view = at("POST /api/v1/view", &[known, cookie, own, JSON], "{}");
    let photo = format!("GET /api/v1/photos/{}", view.view().1[0]);

    let other = format!("photond-{port}={}", "0".repeat(64));
    let another_port = format!("http://photond.localhost:{}", port ^ 1);
    let refused: &[(&str, Headers<'_>, u16)] = &[
        (&photo, &[known, own], 401),
        (&photo, &[known, own, ("Cookie", &other)], 401),
        (&photo, &[("Host", "photond.localhost"), own, cookie], 421),
        (&photo, &[("Host", "evil.example"), own, cookie], 421),
        (&photo, &[("Host", "localhost"), own, cookie], 421),
        (&photo, &[own, cookie], 421),
        (&photo, &[known, known, own, cookie], 400),
        (
            &photo,
            &[known, cookie, ("Sec-Fetch-Site", "cross-site")],
            403,
        ),
        (
            &photo,
            &[known, cookie, ("Sec-Fetch-Site", "same-site")],
            403,
        ),
        (
            &photo,
            &[known, cookie, ("Origin", "https://evil.example")],
            403,
        ),
        (&photo, &[known, cookie, ("Origin", &another_port)], 403),
        ("POST /api/v1/pause", &[known, cookie, JSON], 403),
        (
            "POST /api/v1/pause",
            &[known, cookie, own, ("Content-Type", "text/plain")],
            415,
        ),
        ("POST /api/v1/pause", &[known, own, JSON], 401),
        // Only the socket invites.
        ("POST /api/v1/invite", &[known, cookie, own, JSON], 404),
        ("GET /o/..%2f..%2fetc%2fpasswd", &[known, own, cookie], 400),
        ("GET /o/../../etc/passwd", &[known, own, cookie], 404),
        ("GET /app/..%2fCargo.toml", &[known, own, cookie], 404),
        ("GET /t/..%2f../1%00", &[known, own, cookie], 400),
        (
            "GET /api/v1/folders?under=../..",
            &[known, own, cookie],
            400,
        ),
        ("GET /api/v1/photos/-1", &[known, own, cookie], 400),
        ("GET /api/v1/photos/4294967296", &[known, own, cookie], 400),
    ];
    for (line, headers, status) in refused {
        let reply = at(line, headers, "{}");
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, *status, "{line} {headers:?}: {said}");
    }
    let big = format!("{{\"query\": {{\"words\": \"{}\"}}}}", "x".repeat(2 << 20));
    assert_eq!(
        at("POST /api/v1/view", &[known, cookie, own, JSON], &big).status,
        413
    );
    let page = [("Host", "p"), JSON, ("Origin", "http://evil.example")];
    let page = request("POST /api/v1/invite", &page, "");
    assert_eq!(exchange(at_socket(&env), &page).status, 403);

    // Many that connect and say nothing hold up neither the socket nor the index.
    let silent = crowd(port);
    println!("{} silent connections", silent.len());
    assert_eq!(ask(&env, "GET /api/v1/status", "").status, 200);
    save(4, &env.photo("four.jpg"));
    env.wait_for_paths(&["four.jpg", "sea/one.jpg", "two.png"]);
    drop(silent);
    env.wait_until("the browser is answered again", || {
        at(&photo, &[known, own, cookie], "").status == 200
    });

    // A second code is for the same listener.
    assert!(env.ok(&["open", "--print"]).contains(host));
    assert_eq!(daemon.stop(), Some(0));

    // An open page goes on when photond is started anew.
    let daemon = env.watch();
    assert_eq!(at(&photo, &[known, own, cookie], "").status, 200);
    assert_eq!(
        at(&photo, &[known, own, ("Cookie", &other)], "").status,
        401
    );
    assert_eq!(daemon.stop(), Some(0));
    let alone = env.refused(&["open", "--print"]);
    assert!(alone.contains("photond is not running"), "{alone}");
}
