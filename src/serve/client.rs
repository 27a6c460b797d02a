//! Asking a living daemon over its socket: one small request, one JSON answer.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::dirs::socket_address;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer.
const LONGEST: u64 = 64 << 20;

/// Why a daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no photond answers at {path}: {source}")]
    NobodyThere {
        /// The socket.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It broke off, or speaks another language.
    #[error("photond's answer could not be read: {0}")]
    Unreadable(String),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// The first of these sockets at which a daemon listens.
///
/// # Errors
/// If none does.
pub fn reached(sockets: &[PathBuf]) -> Result<&Path, ClientError> {
    let mut trouble = None;
    for socket in sockets {
        let listens =
            socket_address(socket).and_then(|address| UnixStream::connect(address.path()));
        match listens {
            Ok(_) => return Ok(socket),
            Err(e) => trouble = Some((socket, e)),
        }
    }
    let (path, source) = trouble.map_or_else(
        || (String::new(), io::ErrorKind::NotFound.into()),
        |(socket, e)| (socket.display().to_string(), e),
    );
    Err(ClientError::NobodyThere { path, source })
}

/// Has `POST path` answered by the daemon whose socket this is.
///
/// # Errors
/// If there is none, or it says no.
pub fn ask(socket: &Path, path: &str, body: &Value) -> Result<Value, ClientError> {
    let nobody = |source| ClientError::NobodyThere {
        path: socket.display().to_string(),
        source,
    };
    let address = socket_address(socket).map_err(nobody)?;
    let mut stream = UnixStream::connect(address.path()).map_err(nobody)?;
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: photond\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let unreadable = |e: io::Error| ClientError::Unreadable(e.to_string());
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(unreadable)?;
    stream.write_all(head.as_bytes()).map_err(unreadable)?;
    stream.write_all(body.as_bytes()).map_err(unreadable)?;
    let mut answer = Vec::new();
    stream
        .take(LONGEST)
        .read_to_end(&mut answer)
        .map_err(unreadable)?;
    understood(&answer)
}

/// The JSON of an answer that was sent in one piece.
fn understood(answer: &[u8]) -> Result<Value, ClientError> {
    let broken = || ClientError::Unreadable("it broke off".to_owned());
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.ok_or_else(broken)? + 4);
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').nth(1).ok_or_else(broken)?;
    let value: Value =
        serde_json::from_slice(body).map_err(|e| ClientError::Unreadable(e.to_string()))?;
    if status == "200" {
        return Ok(value);
    }
    let why = value["error"].as_str().unwrap_or(status);
    Err(ClientError::Refused(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let ok = understood(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"url\":1}").unwrap();
        assert_eq!(ok["url"], 1);
        let no = understood(b"HTTP/1.1 403 Forbidden\r\n\r\n{\"error\":\"not you\"}").unwrap_err();
        assert_eq!(no.to_string(), "not you");
        for broken in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n{\"ur",
        ] {
            assert!(matches!(
                understood(broken),
                Err(ClientError::Unreadable(_))
            ));
        }
    }
}
