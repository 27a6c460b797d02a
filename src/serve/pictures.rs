//! Thumbnails, larger pictures and the files themselves. A request names a photo by its number; no path
//! that a request holds is ever opened.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::answer::{Failed, for_good};
use super::desk::Desk;
use crate::photo::Format;
use crate::source::{Links, open_beneath};
use crate::store::{Hit, StoreReader};

/// Bytes of a file that are on their way at once, in pieces: a client that reads slowly costs no more.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;
/// How long a client may take for the next piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// `GET /t/{epoch}/{id}`
pub(super) async fn thumbnail(
    State(desk): State<Arc<Desk>>,
    Path((_epoch, id)): Path<(String, u32)>,
) -> Result<Response, Failed> {
    let (kind, bytes) = desk
        .with(move |desk, reader| {
            let hash = reader.content_of_photo(i64::from(id))?;
            let hash = hash.ok_or_else(no_photo)?;
            let image = desk.thumbs(|thumbs| Ok(thumbs.image_of(&hash)?))?;
            image.ok_or_else(|| Failed::not_there("this photo has no thumbnail"))
        })
        .await?;
    Ok(for_good(&kind, bytes))
}

/// `GET /o/{id}`
pub(super) async fn original(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<u32>,
) -> Result<Response, Failed> {
    let (file, size, kind) = desk
        .with(move |desk, reader| open(reader, id, desk.links()))
        .await?;
    let (pieces, body) = mpsc::channel(PIECES);
    tokio::spawn(read_on(file, pieces));
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((headers, Body::new(Pieces(body))).into_response())
}

pub(super) fn no_photo() -> Failed {
    Failed::not_there("there is no such photo")
}

/// The file of a photo, at whichever of its places it can be opened; its size, and what it is.
pub(super) fn open(
    reader: &StoreReader,
    id: u32,
    links: Links,
) -> Result<(File, u64, &'static str), Failed> {
    let hit = reader.photo_called(i64::from(id))?.ok_or_else(no_photo)?;
    let kind = media_type(&hit.photo.format);
    let (_, file, size) = opened(reader, &hit, links)?;
    Ok((file, size, kind))
}

/// Where a photo lies now, for programs of the desktop.
pub(super) fn path_of(reader: &StoreReader, id: u32, links: Links) -> Result<PathBuf, Failed> {
    let hit = reader.photo_called(i64::from(id))?.ok_or_else(no_photo)?;
    Ok(opened(reader, &hit, links)?.0)
}

fn opened(reader: &StoreReader, hit: &Hit, links: Links) -> Result<(PathBuf, File, u64), Failed> {
    let mut why = None;
    for place in reader.places(&hit.photo.hash)? {
        match open_beneath(&place.root, &place.path, links) {
            Ok((file, stamp)) => return Ok((place.path.under(&place.root), file, stamp.size)),
            Err(e) => why = Some(e.to_string()),
        }
    }
    let why = why.unwrap_or_else(|| "it lies nowhere any more".to_owned());
    Err(Failed::not_there(&why))
}

/// Reads a file piece by piece, as fast as the pieces are taken. A thread is used while a piece is read,
/// and none while a client makes us wait.
async fn read_on(file: File, pieces: mpsc::Sender<std::io::Result<Bytes>>) {
    let mut file = Some(file);
    while let Some(mut reading) = file.take() {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let n = reading.read(&mut piece)?;
            piece.truncate(n);
            Ok::<_, std::io::Error>((reading, Bytes::from(piece)))
        });
        let piece = match read.await {
            Ok(Ok((_, piece))) if piece.is_empty() => return,
            Ok(Ok((reading, piece))) => {
                file = Some(reading);
                Ok(piece)
            }
            Ok(Err(e)) => Err(e),
            Err(e) => Err(std::io::Error::other(e)),
        };
        if pieces.send_timeout(piece, PATIENCE).await.is_err() {
            return;
        }
    }
}

/// A body that comes in pieces.
pub(super) struct Pieces(pub mpsc::Receiver<std::io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let next = self.0.poll_recv(cx);
        next.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// What a browser is told that a file is.
fn media_type(format: &str) -> &'static str {
    match Format::from_name(format) {
        Some(Format::Jpeg) => "image/jpeg",
        Some(Format::Png) => "image/png",
        Some(Format::Gif) => "image/gif",
        Some(Format::Webp) => "image/webp",
        Some(Format::Tiff) => "image/tiff",
        Some(Format::Bmp) => "image/bmp",
        Some(Format::Heic) => "image/heic",
        Some(Format::Avif) => "image/avif",
        Some(Format::Jxl) => "image/jxl",
        Some(Format::Jp2) => "image/jp2",
        _ => "application/octet-stream",
    }
}
