//! A web server on 127.0.0.1 that does as it is told, and counts what it sends. For tests:
//! of the engine, beside it, and of the whole program.

// Two test programs have this file, and each uses a part of it.
#![allow(dead_code, missing_docs)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with one request for a file.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers as a good server does: ranges, ETag, length.
    Serve,
    /// Serves, but closes the connection after so many bytes of the body.
    DropAfter(usize),
    /// Sends the whole file whatever range was asked for.
    IgnoreRange,
    /// The same, and closes the connection after so many bytes.
    IgnoreRangeAndDropAfter(usize),
    /// Claims another Content-Length (bytes more or fewer than there are).
    LieLength(i64),
    /// Answers 206 with a Content-Range that starts elsewhere.
    WrongRange,
    /// A status with nothing else.
    Status(u16),
    /// A status with Retry-After.
    RetryAfter(u16, u64),
    /// A redirect to a path or address.
    Redirect(String),
    /// Sends so many bytes, then nothing for a long time.
    StallAfter(usize),
    /// No Content-Length; the end of the connection ends the body.
    NoLength,
    /// Waits before each piece of the body, so that somebody can be killed in between.
    Slow(Duration),
}

/// A file that it has.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its ETag with quotes, if it has one.
    pub etag: Option<String>,
    /// Headers beside the usual ones.
    pub headers: Vec<(String, String)>,
    /// What happens to GETs, one after another; then [`Act::Serve`].
    pub acts: Vec<Act>,
    /// What happens to HEADs.
    pub head: Act,
}

impl Resource {
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            etag: Some("\"one\"".to_owned()),
            headers: Vec::new(),
            acts: Vec::new(),
            head: Act::Serve,
        }
    }

    pub fn acts(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        self.acts = acts.into_iter().collect();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
}

#[derive(Default)]
struct Shared {
    files: HashMap<String, Resource>,
    seen: Vec<Seen>,
    sent: u64,
}

/// The running server. Its thread ends with the process.
pub struct Hostile {
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

impl Hostile {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared::default()));
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || {
                    let _ = answer(stream, &shared);
                });
            }
        });
        Self { address, shared }
    }

    /// Puts a file at a path.
    pub fn put(&self, path: &str, resource: Resource) {
        let mut shared = self.shared.lock().unwrap();
        shared.files.insert(path.to_owned(), resource);
    }

    /// Changes a file.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Resource)) {
        change(self.shared.lock().unwrap().files.get_mut(path).unwrap());
    }

    /// Requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }

    /// Bytes of bodies sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.lock().unwrap().sent
    }
}

fn answer(stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let Some(request) = read_request(&mut reader)? else {
        return Ok(());
    };
    let (file, act) = {
        let mut shared = shared.lock().unwrap();
        shared.seen.push(request.clone());
        let path = request
            .path
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        match shared.files.get_mut(&path) {
            None => (Resource::new(Vec::new()), Act::Status(404)),
            Some(file) => {
                let act = if request.method == "HEAD" {
                    file.head.clone()
                } else if file.acts.is_empty() {
                    Act::Serve
                } else {
                    file.acts.remove(0)
                };
                (file.clone(), act)
            }
        }
    };
    respond(&mut stream, &request, &file, &act, shared)?;
    // Half-closed and drained, so that what was sent is not lost to a reset.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = reader.read(&mut [0u8; 64]);
    Ok(())
}

fn respond(
    stream: &mut TcpStream,
    request: &Seen,
    file: &Resource,
    act: &Act,
    shared: &Mutex<Shared>,
) -> std::io::Result<()> {
    let simple = |status: u16, more: &str| {
        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n")
    };
    let mut extra = String::new();
    for (name, value) in &file.headers {
        extra += &format!("{name}: {value}\r\n");
    }
    match act {
        Act::Status(status) => return stream.write_all(simple(*status, "").as_bytes()),
        Act::RetryAfter(status, seconds) => {
            let wait = format!("Retry-After: {seconds}\r\n");
            return stream.write_all(simple(*status, &wait).as_bytes());
        }
        Act::Redirect(to) => {
            let to = format!("Location: {to}\r\n{extra}");
            return stream.write_all(simple(302, &to).as_bytes());
        }
        _ => {}
    }
    let total = file.body.len();
    let ignore = matches!(act, Act::IgnoreRange | Act::IgnoreRangeAndDropAfter(_));
    let start = if ignore { None } else { range(request, file) };
    if start.is_some_and(|s| s >= total) {
        return stream.write_all(simple(416, "").as_bytes());
    }
    let body = &file.body[start.unwrap_or(0)..];
    let mut head = match start {
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
        Some(s) => {
            let shown = if matches!(act, Act::WrongRange) {
                s / 2
            } else {
                s
            };
            format!(
                "HTTP/1.1 206 Partial\r\nContent-Range: bytes {shown}-{}/{total}\r\n",
                total - 1
            )
        }
    };
    head += "Connection: close\r\nAccept-Ranges: bytes\r\n";
    if let Some(etag) = &file.etag {
        head += &format!("ETag: {etag}\r\n");
    }
    if !matches!(act, Act::NoLength) {
        let lie = if let Act::LieLength(by) = act { *by } else { 0 };
        head += &format!("Content-Length: {}\r\n", body.len() as i64 + lie);
    }
    head += &extra;
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let end = match act {
        Act::DropAfter(n) | Act::IgnoreRangeAndDropAfter(n) | Act::StallAfter(n) => {
            (*n).min(body.len())
        }
        _ => body.len(),
    };
    for piece in body[..end].chunks(16 << 10) {
        stream.write_all(piece)?;
        shared.lock().unwrap().sent += piece.len() as u64;
        if let Act::Slow(wait) = act {
            std::thread::sleep(*wait);
        }
    }
    if let Act::StallAfter(_) = act {
        std::thread::sleep(Duration::from_secs(20));
    }
    Ok(())
}

/// The first byte that was asked for, if a range was and `If-Range` allows it.
fn range(request: &Seen, file: &Resource) -> Option<usize> {
    let asked = request.headers.get("range")?;
    if let Some(tag) = request.headers.get("if-range")
        && Some(tag) != file.etag.as_ref()
    {
        return None;
    }
    asked
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok(Some(Seen {
        method,
        path,
        headers,
    }))
}
