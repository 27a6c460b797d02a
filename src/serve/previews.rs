//! Pictures larger than a thumbnail, of every format, made when they are asked for.
//!
//! The browser keeps each for a year, and so does photond as long as there is room (a HEIC of 12 MP takes half a
//! second of a processor, and one from the disk a millisecond). Decoding happens where all decoding does, behind
//! walls; two at once, since somebody waits and the index does too.

use std::io::Read;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::answer::{Failed, for_good};
use super::desk::Desk;
use super::pictures::{no_photo, open};
use super::routes::MaxFile;
use crate::media;
use crate::photo::ContentHash;
use crate::store::StoreReader;

static MAKING: Semaphore = Semaphore::const_new(2);

/// The longer side, in pixels.
#[derive(Deserialize)]
pub(super) struct PreviewSize {
    s: u32,
}

/// `GET /p/{epoch}/{id}?s=512|1440`
pub(super) async fn preview(
    State(desk): State<Arc<Desk>>,
    Extension(MaxFile(max_file)): Extension<MaxFile>,
    Path((_epoch, id)): Path<(String, u32)>,
    Query(PreviewSize { s }): Query<PreviewSize>,
) -> Result<Response, Failed> {
    if !matches!(s, 512 | 1440) {
        return Err(Failed::of_theirs("s is 512 or 1440"));
    }
    let kept = desk.with(move |desk, reader| {
        let hash = reader.content_of_photo(i64::from(id))?;
        let hash = hash.ok_or_else(no_photo)?;
        Ok(desk.previews(|previews| previews.image_of(&hash, s)))
    });
    if let Some(bytes) = kept.await? {
        return Ok(for_good("image/jpeg", bytes));
    }
    let making = MAKING.acquire().await;
    let _one = making.map_err(|_| Failed::of_ours("photond is stopping"))?;
    let bytes = desk.with(move |desk, reader| {
        let (hash, bytes) = make(desk, reader, (id, s), max_file)?;
        desk.previews(|previews| previews.put(&hash, s, &bytes).map(Some));
        Ok(bytes)
    });
    Ok(for_good("image/jpeg", bytes.await?))
}

fn make(
    desk: &Desk,
    reader: &StoreReader,
    (id, side): (u32, u32),
    max_file: u64,
) -> Result<(ContentHash, Vec<u8>), Failed> {
    let hit = reader.photo_called(i64::from(id))?.ok_or_else(no_photo)?;
    let (file, ..) = open(reader, id, desk.links())?;
    let mut bytes = Vec::new();
    let read = file.take(max_file).read_to_end(&mut bytes);
    read.map_err(|e| Failed::not_there(&format!("the file cannot be read: {e}")))?;
    // What the browser keeps for good must be of this content; the index will soon know of the other.
    if *blake3::hash(&bytes).as_bytes() != hit.photo.hash.0 {
        return Err(Failed::not_there("the file has just changed"));
    }
    let inspector = desk.answers()?.inspector();
    let extension = hit.path.extension();
    let made = media::preview(&*inspector, &bytes, extension.as_deref(), side);
    let made = made.map_err(|why| Failed::not_there(&format!("there is no picture: {why}")))?;
    Ok((hit.photo.hash, made))
}
