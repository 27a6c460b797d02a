//! Signing in and out: `POST /api/v1/login` and `/api/v1/logout`, at the listener on the network alone.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;

use super::super::answer::{Failed, as_json};
use super::super::doors::CameThrough;
use super::super::gate::Doorway;
use super::super::routes::{cookies, read};
use super::LanDoor;
use super::kept::SESSION;

/// What a browser gets that has not signed in: the page that asks for the password (in place of the gallery), what it
/// is made of, and where it sends it to.
pub(in crate::serve) const OPEN_TO_ALL: [&str; 5] = [
    "/",
    "/app/login.js",
    "/app/login.css",
    "/app/icon.svg",
    "/api/v1/login",
];

pub(in crate::serve) fn routes(door: &Arc<LanDoor>) -> Router {
    Router::new()
        .route("/api/v1/login", post(login))
        .route("/api/v1/logout", post(logout))
        .with_state(Arc::clone(door))
}

/// The name of the cookie. Browsers take one with this prefix only over TLS, from the host itself and for all of it;
/// cookies are shared by all ports of a host.
pub(super) fn cookie_name(port: u16) -> String {
    format!("__Host-photond-{port}")
}

fn set_cookie(port: u16, value: &str, seconds: u64) -> [(header::HeaderName, String); 1] {
    let name = cookie_name(port);
    let cookie =
        format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    [(header::SET_COOKIE, cookie)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithPassword {
    password: String,
}

/// `POST /api/v1/login {"password"}`
async fn login(
    State(door): State<Arc<LanDoor>>,
    Extension(through): Extension<CameThrough>,
    body: Bytes,
) -> Result<Response, Failed> {
    let port = port_of(through)?;
    let WithPassword { password } = read(&body)?;
    // One at a time: a try takes memory and time, and its wait is known when it has ended.
    let mut tries = Arc::clone(&door.tries).lock_owned().await;
    if let Some(wait) = tries.wait(Instant::now()) {
        let seconds = wait.as_secs() + 1;
        let unit = if seconds == 1 { "second" } else { "seconds" };
        return Err(Failed::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("too many wrong passwords: wait {seconds} {unit}, then try again"),
        ));
    }
    let tried = tokio::task::spawn_blocking(move || {
        let known = door
            .password()
            .map_err(|e| Failed::of_ours(&e.to_string()))?;
        let known = known.filter(|known| known.is_of(&password));
        tries.note(known.is_some(), Instant::now());
        let known =
            known.ok_or_else(|| Failed::new(StatusCode::FORBIDDEN, "this is not the password"))?;
        let cookie = door.kept.sign_in(&known, SystemTime::now());
        cookie.map_err(|_| Failed::of_ours("the system gives no random numbers"))
    });
    let cookie = tried
        .await
        .map_err(|_| Failed::of_ours("photond broke off; its log says why"))??;
    let set = set_cookie(port, &cookie, SESSION.as_secs());
    Ok((set, as_json(&json!({ "done": 1 }))).into_response())
}

/// `POST /api/v1/logout`
async fn logout(
    State(door): State<Arc<LanDoor>>,
    Extension(through): Extension<CameThrough>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let port = port_of(through)?;
    if let Ok(Some(password)) = door.password() {
        for cookie in cookies(&headers, &cookie_name(port)) {
            door.kept.sign_out(&password, cookie);
        }
    }
    Ok((set_cookie(port, "", 0), as_json(&json!({ "done": 1 }))).into_response())
}

fn port_of(through: CameThrough) -> Result<u16, Failed> {
    match through.0 {
        Doorway::Lan(at) => Ok(at.port()),
        _ => Err(Failed::of_theirs("nobody signs in here")),
    }
}
