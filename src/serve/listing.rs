//! Photos as JSON: a single one, or one a line those that a query finds, or those that come to fit it.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::answer::{Failed, as_bytes, as_json};
use super::asked::AskedQuery;
use super::desk::Desk;
use super::events::{Gone, LOOK, Telling, rest_after};
use super::finding::Matching;
use super::pictures::{Pieces, no_photo};
use super::routes::{MaxFile, read};
use crate::store::StoreReader;

/// Photos that are read at once.
const PAGE: usize = 100;

/// What `POST /api/v1/query` is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListRequest {
    query: AskedQuery,
    /// At most so many.
    limit: Option<usize>,
    /// Not what fits now, but what comes to fit, until the listener goes.
    follow: bool,
}

/// `POST /api/v1/query`
pub(super) async fn query(
    State(desk): State<Arc<Desk>>,
    Extension(MaxFile(max_file)): Extension<MaxFile>,
    body: Bytes,
) -> Result<Response, Failed> {
    let request: ListRequest = read(&body)?;
    let (mut telling, body) = Telling::begin(true)?;
    let asked = (request.query, request.limit);
    // What is wrong with the query is said with a status.
    let now = matching(&desk, asked.clone(), max_file).await?;
    tokio::spawn(async move {
        // It ends when the listener has gone.
        let _ = match request.follow {
            true => follow(&desk, (asked, max_file), now, &mut telling).await,
            false => {
                let limit = request.limit.unwrap_or(usize::MAX).min(now.ids.len());
                tell(&desk, &now.ids[..limit], &mut telling).await
            }
        };
    });
    Ok(as_bytes("application/x-ndjson", Body::new(Pieces(body))))
}

type Asked = (AskedQuery, Option<usize>);

/// Those that fit, with the clock before they were looked for.
struct FitNow {
    clock: u64,
    ids: Vec<i64>,
}

async fn matching(desk: &Arc<Desk>, asked: Asked, max_file: u64) -> Result<FitNow, Failed> {
    desk.with(move |desk, reader| {
        let clock = desk.clock()?;
        let found = Matching::find(desk, reader, asked, 0, max_file)?;
        let ids = found.ids(desk, reader)?;
        Ok(FitNow { clock, ids })
    })
    .await
}

async fn tell(desk: &Arc<Desk>, ids: &[i64], telling: &mut Telling) -> Result<(), Gone> {
    for page in ids.chunks(PAGE) {
        for photo in photos(desk, page.to_vec()).await {
            telling.event(&photo).await?;
        }
    }
    Ok(())
}

async fn follow(
    desk: &Arc<Desk>,
    (asked, max_file): (Asked, u64),
    now: FitNow,
    telling: &mut Telling,
) -> Result<(), Gone> {
    let mut clock = now.clock;
    let mut known: HashSet<i64> = now.ids.into_iter().collect();
    let mut rest = Duration::ZERO;
    loop {
        tokio::select! {
            () = sleep(LOOK.max(rest)) => {}
            () = telling.has_gone() => return Err(Gone),
        }
        telling.still_here().await?;
        // What cannot be read now may be in a second.
        let Ok(now) = desk.with(|desk, _| desk.clock()).await else {
            continue;
        };
        if now == clock {
            continue;
        }
        let begun = Instant::now();
        let Ok(now) = matching(desk, asked.clone(), max_file).await else {
            continue;
        };
        rest = rest_after(begun.elapsed());
        let new: Vec<i64> = now
            .ids
            .iter()
            .copied()
            .filter(|id| !known.contains(id))
            .collect();
        (clock, known) = (now.clock, now.ids.into_iter().collect());
        tell(desk, &new, telling).await?;
    }
}

/// All that is known of these photos; one that has gone meanwhile is left out.
async fn photos(desk: &Arc<Desk>, ids: Vec<i64>) -> Vec<Value> {
    let read = desk.with(move |desk, reader| {
        let photos = ids.into_iter().map(|id| known_of(desk, reader, id));
        photos.filter_map(Result::transpose).collect()
    });
    read.await.unwrap_or_default()
}

/// All that is known of a photo, and its number; `None` if it is not there.
fn known_of(desk: &Desk, reader: &StoreReader, id: i64) -> Result<Option<Value>, Failed> {
    let Some(hit) = reader.photo_called(id)? else {
        return Ok(None);
    };
    let mut photo = desk.answers()?.photo(reader, &hit)?;
    photo["id"] = json!(id);
    Ok(Some(photo))
}

/// `GET /api/v1/photos/{id}`
pub(super) async fn photo(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<u32>,
) -> Result<Response, Failed> {
    let photo = desk.with(move |desk, reader| known_of(desk, reader, i64::from(id)));
    Ok(as_json(&photo.await?.ok_or_else(no_photo)?))
}
