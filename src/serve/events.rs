//! What happens, as it happens: photos that come and go, and what the daemon says of itself.
//!
//! While nobody listens nothing is looked at. Each listener looks four times a second whether anything has been
//! written, which costs microseconds when nothing has: a photo that lands is to be seen within 1.5 seconds, all in all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use super::answer::{Failed, as_bytes};
use super::desk::Desk;
use super::pictures::Pieces;

/// Listeners at most: an open page is one while it is looked at.
const MOST_LISTENERS: usize = 8;
static LISTENERS: Semaphore = Semaphore::const_new(MOST_LISTENERS);
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// A listener is told something at least this often: one that has gone is noticed by that.
const ALIVE: Duration = Duration::from_secs(20);
/// Events that wait for a listener; one that takes none for [`ALIVE`] is let go.
const WAITING: usize = 16;
/// What takes long to find out is not found out all the time: it rests for this many times what it took.
const REST: u32 = 20;
/// However long it takes: somebody waits for a photo to appear.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How long to wait before what took so long is done again.
pub(super) fn rest_after(took: Duration) -> Duration {
    (took * REST).min(LONGEST_REST)
}

/// Since when somebody wants to know.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Since {
    since: Option<u64>,
}

/// `GET /api/v1/events?since=CLOCK`
pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
    Query(Since { since }): Query<Since>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let accepts = headers.get(header::ACCEPT);
    let as_lines = accepts.is_some_and(|a| a.as_bytes().starts_with(b"application/x-ndjson"));
    let (mut telling, body) = Telling::begin(as_lines)?;
    tokio::spawn(async move {
        // It ends when the listener has gone.
        let _ = tell(&desk, since, &mut telling).await;
    });
    let kind = if as_lines {
        "application/x-ndjson"
    } else {
        "text/event-stream"
    };
    Ok(as_bytes(kind, Body::new(Pieces(body))))
}

/// The listener has gone.
pub(super) struct Gone;

/// Tells one listener what happens.
pub(super) struct Telling {
    out: mpsc::Sender<std::io::Result<Bytes>>,
    as_lines: bool,
    told: Instant,
    _permit: SemaphorePermit<'static>,
}

impl Telling {
    /// If there are not too many listeners already.
    pub fn begin(as_lines: bool) -> Result<(Self, mpsc::Receiver<std::io::Result<Bytes>>), Failed> {
        let permit = LISTENERS.try_acquire().map_err(|_| {
            let why = format!("{MOST_LISTENERS} listen already; close one");
            Failed::new(StatusCode::TOO_MANY_REQUESTS, why)
        })?;
        let (out, body) = mpsc::channel(WAITING);
        let telling = Self {
            out,
            as_lines,
            told: Instant::now(),
            _permit: permit,
        };
        Ok((telling, body))
    }

    /// When the listener has gone.
    pub async fn has_gone(&self) {
        self.out.closed().await;
    }

    async fn say(&mut self, text: String) -> Result<(), Gone> {
        self.told = Instant::now();
        let sent = self.out.send_timeout(Ok(text.into()), ALIVE).await;
        sent.map_err(|_| Gone)
    }

    pub async fn event(&mut self, event: &Value) -> Result<(), Gone> {
        let text = match self.as_lines {
            true => format!("{event}\n"),
            false => format!("data: {event}\n\n"),
        };
        self.say(text).await
    }

    pub async fn still_here(&mut self) -> Result<(), Gone> {
        if self.told.elapsed() < ALIVE {
            return Ok(());
        }
        let text = if self.as_lines { "\n" } else { ":\n\n" };
        self.say(text.to_owned()).await
    }
}

async fn tell(desk: &Arc<Desk>, since: Option<u64>, telling: &mut Telling) -> Result<(), Gone> {
    let mut clock = since;
    let mut said_at = None;
    let mut news_at: Option<Instant> = None;
    loop {
        let look = desk.with(|desk, reader| {
            let row = reader.daemon()?;
            Ok((desk.clock()?, desk.clock_from(), desk.reading_took(), row))
        });
        // What cannot be read now may be in a second; the pipeline says what is wrong elsewhere.
        if let Ok((now, first, took, daemon)) = look.await {
            let known = *clock.get_or_insert(now);
            if known < first || known > now {
                telling
                    .event(&json!({ "type": "fresh", "clock": now }))
                    .await?;
                clock = Some(now);
            } else if known < now && news_at.is_none_or(|at| at.elapsed() >= rest_after(took)) {
                telling
                    .event(&json!({ "type": "photos", "clock": now }))
                    .await?;
                clock = Some(now);
                news_at = Some(Instant::now());
            }
            let daemon = daemon.filter(|row| said_at != Some(row.heartbeat_at));
            if let Some(row) = daemon {
                said_at = Some(row.heartbeat_at);
                let report: Value = serde_json::from_str(&row.report).unwrap_or_default();
                telling
                    .event(&json!({ "type": "status", "report": report }))
                    .await?;
            }
        }
        telling.still_here().await?;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = telling.has_gone() => return Err(Gone),
        }
    }
}
