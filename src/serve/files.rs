//! The gallery itself: a page, its modules and its style, compiled in.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::answer::Failed;

const PAGE: &str = include_str!("placeholder.html");
const SCRIPT: &str = include_str!("placeholder.js");

/// Name, type and bytes of each file.
const FILES: &[(&str, &str, &[u8])] = &[("placeholder.js", JAVASCRIPT, SCRIPT.as_bytes())];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

fn file(kind: &'static str, bytes: &'static [u8]) -> Response {
    // Asked for again after an update; a few kilobytes from this machine.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers, bytes).into_response()
}

/// `GET /`
pub(super) async fn index() -> Response {
    file("text/html; charset=utf-8", PAGE.as_bytes())
}

/// `GET /app/{file}`
pub(super) async fn app(Path(name): Path<String>) -> Result<Response, Failed> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, bytes) = found.ok_or_else(|| Failed::not_there("there is no such file"))?;
    Ok(file(kind, bytes))
}
