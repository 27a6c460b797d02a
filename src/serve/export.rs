//! Photos to take along: a zip that is made while it is sent, or a folder of links.
//!
//! A zip is asked for with a list of numbers and fetched by a browser as any download, so the list is kept for
//! a minute under a name that nobody can guess.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path as InPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::answer::{Failed, as_json};
use super::desk::Desk;
use super::pictures::{Pieces, open};
use super::visitors::secret;
use crate::link_folder::{FreeNames, LinkFolder};
use crate::store::StoreReader;

/// Lists that wait to be fetched, and for how long.
const MOST_WAITING: usize = 4;
const WAITS: Duration = Duration::from_secs(60);
/// Zips that are sent at once: each has a thread.
static SENDING: Semaphore = Semaphore::const_new(2);
/// Bytes that are sent in one piece, and pieces under way.
const PIECE: usize = 256 << 10;
const PIECES: usize = 4;
/// A file from here on needs the long form of sizes.
const LONG_FROM: u64 = 0xF000_0000;

/// Lists that wait to be fetched.
#[derive(Default)]
pub(super) struct Exports(Mutex<Vec<WaitingExport>>);

struct WaitingExport {
    name: String,
    photos: Vec<u32>,
    until: Instant,
}

impl Exports {
    fn put(&self, photos: Vec<u32>) -> Result<String, Failed> {
        let name = secret().map_err(|_| Failed::of_ours("the system gives no random numbers"))?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|w| w.until > Instant::now());
        if waiting.len() == MOST_WAITING {
            waiting.remove(0);
        }
        waiting.push(WaitingExport {
            name: name.clone(),
            photos,
            until: Instant::now() + WAITS,
        });
        Ok(name)
    }

    fn take(&self, name: &str) -> Option<Vec<u32>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|w| w.until > Instant::now());
        let at = waiting.iter().position(|w| w.name == name)?;
        Some(waiting.remove(at).photos)
    }
}

/// What `POST /api/v1/export` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    ids: Vec<u32>,
    how: ExportAs,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ExportAs {
    Zip,
    Links,
}

/// Prepares an export.
pub(super) async fn prepare(desk: Arc<Desk>, wanted: Selection) -> Result<Response, Failed> {
    if wanted.ids.is_empty() {
        return Err(Failed::of_theirs("no photo is chosen"));
    }
    match wanted.how {
        ExportAs::Zip => {
            let photos = wanted.ids.len();
            let name = desk.exports().put(wanted.ids)?;
            let url = format!("/api/v1/export/{name}");
            Ok(as_json(&json!({ "url": url, "photos": photos })))
        }
        ExportAs::Links => {
            let made = desk
                .with(move |desk, reader| link(desk, reader, &wanted.ids))
                .await?;
            let (folder, photos) = made;
            Ok(as_json(
                &json!({ "folder": folder.to_string_lossy(), "photos": photos }),
            ))
        }
    }
}

/// `GET /api/v1/export/{name}`
pub(super) async fn fetch(
    State(desk): State<Arc<Desk>>,
    InPath(name): InPath<String>,
) -> Result<Response, Failed> {
    let Ok(permit) = SENDING.try_acquire() else {
        let why = "two exports are being sent already";
        return Err(Failed::new(StatusCode::TOO_MANY_REQUESTS, why));
    };
    let photos = desk.exports().take(&name).ok_or_else(|| {
        Failed::not_there("this export has been fetched, or was prepared longer than a minute ago")
    })?;
    let (out, body) = mpsc::channel(PIECES);
    std::thread::Builder::new()
        .name("photond-export".to_owned())
        .spawn(move || {
            let _permit = permit;
            let ended = send(&desk, &photos, out.clone());
            if let Err(e) = ended {
                // The client sees a transfer that broke off, and no zip that looks whole.
                tracing::debug!("an export ended: {e}");
                let _ = out.blocking_send(Err(e));
            }
        })
        .map_err(|e| Failed::of_ours(&e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"photos.zip\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(Pieces(body))).into_response())
}

/// Sends photos as they are, one after the other. One that cannot be read is named in a list at the end.
fn send(desk: &Desk, photos: &[u32], out: mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let reader = StoreReader::open(desk.data_dir()).map_err(io::Error::other)?;
    let sender = PieceWriter {
        out,
        piece: Vec::with_capacity(PIECE),
    };
    let mut zip = ZipWriter::new_stream(sender);
    let (mut names, mut missing) = (FreeNames::default(), Vec::new());
    for id in photos {
        let hit = reader
            .photo_called(i64::from(*id))
            .map_err(io::Error::other)?;
        let (Some(hit), Ok((mut file, size, _))) = (hit, open(&reader, *id, desk.links())) else {
            missing.push(*id);
            continue;
        };
        let name = names.free(hit.path.name());
        // Photos are packed already.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size >= LONG_FROM);
        zip.start_file(name.to_string_lossy(), options)?;
        io::copy(&mut file, &mut zip)?;
    }
    if !missing.is_empty() {
        zip.start_file(
            "not-exported.txt",
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        )?;
        for id in missing {
            writeln!(zip, "photo {id} is not there now")?;
        }
    }
    zip.finish()?.into_inner().flush()
}

/// A folder with a link to each photo, in the data directory.
fn link(desk: &Desk, reader: &StoreReader, photos: &[u32]) -> Result<(PathBuf, usize), Failed> {
    let fail = |at: &Path, e: &io::Error| Failed::of_ours(&format!("{}: {e}", at.display()));
    let above = desk.data_dir().join("exports");
    fs::create_dir_all(&above).map_err(|e| fail(&above, &e))?;
    let now = jiff::Zoned::now().strftime("%Y-%m-%d %H.%M.%S").to_string();
    let mut folders = FreeNames::default();
    let folder = loop {
        let folder = above.join(folders.free(now.as_bytes()));
        match fs::create_dir(&folder) {
            Ok(()) => break folder,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(fail(&folder, &e)),
        }
    };
    let mut links = LinkFolder::begin(&folder).map_err(|e| fail(&folder, &e))?;
    for id in photos {
        if let Some(hit) = reader.photo_called(i64::from(*id))? {
            let added = links.add(hit.path.name(), &hit.path.under(&hit.root));
            added.map_err(|e| Failed::of_ours(&e.to_string()))?;
        }
    }
    Ok((folder, links.links()))
}

/// Sends what is written, in pieces of one size.
struct PieceWriter {
    out: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        // The connection itself gives up on a client that takes nothing.
        let sent = self.out.blocking_send(Ok(Bytes::from(piece)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_fetched_once() {
        let exports = Exports::default();
        let first = exports.put(vec![1]).unwrap();
        assert_eq!(exports.take("x"), None);
        assert_eq!(exports.take(&first), Some(vec![1]));
        assert_eq!(exports.take(&first), None);
        let names: Vec<_> = (0..9).map(|n| exports.put(vec![n]).unwrap()).collect();
        assert_eq!(
            (exports.take(&names[0]), exports.take(&names[8])),
            (None, Some(vec![8]))
        );
    }
}
