//! What goes out: JSON, bytes, and what went wrong as a sentence.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::BoxedError;
use crate::search::SearchError;
use crate::store::StoreError;

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failed {
    pub status: StatusCode,
    pub why: String,
}

impl Failed {
    /// The request is wrong.
    pub fn of_theirs(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    /// photond cannot do it.
    pub fn of_ours(why: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, why)
    }

    /// There is no such thing.
    pub fn not_there(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    /// With any status.
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(e: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string())
    }
}

impl From<SearchError> for Failed {
    fn from(e: SearchError) -> Self {
        match e {
            SearchError::Store(e) => e.into(),
            e => Self::of_theirs(e.to_string()),
        }
    }
}

impl From<BoxedError> for Failed {
    fn from(e: BoxedError) -> Self {
        match e.downcast::<StoreError>() {
            Ok(e) => (*e).into(),
            Err(e) => Self::of_ours(&e.to_string()),
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status, as_json(&json!({ "error": self.why }))).into_response()
    }
}

/// JSON that nobody keeps.
pub(super) fn as_json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => as_bytes("application/json", bytes),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

/// Bytes that nobody keeps.
pub(super) fn as_bytes(kind: &'static str, bytes: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, bytes.into()).into_response()
}

/// The same bytes for good: the browser never asks for them again.
pub(super) fn for_good(kind: &str, bytes: impl Into<Body>) -> Response {
    let mut response = bytes.into().into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(kind);
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    let year = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, year);
    response
}
