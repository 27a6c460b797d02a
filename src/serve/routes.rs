//! Who answers what, and the one way in: every request passes [`enter`] first.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::UnixListener;

use super::answer::{Failed, as_bytes, as_json};
use super::desk::Desk;
use super::doors::{BrowserDoor, CameThrough, serve_socket, take_from};
use super::folders::{self, FolderId};
use super::gate::{ANSWER_HEADERS, Doorway, ENTRANCE, GALLERY_HOST, judge};
use super::handover::{is_of_loopback, kept, loopback};
use super::lan::{self, LanDoor};
use super::pictures::{original, path_of, thumbnail};
use super::previews::preview;
use super::visitors::Visitors;
use super::{Errand, ServeOptions, duplicates, events, export, facets, files, finding, listing};
use crate::store::StoreReader;

/// The longest request body: a selection of 100,000 photos.
const LONGEST_BODY: usize = 1 << 20;
/// The same of somebody who has not signed in.
const LONGEST_LOGIN: usize = 4 << 10;
/// In the data directory: which browsers were let in.
const VISITORS: &str = "gallery.json";
/// How long a request's body may take.
const BODY: Duration = Duration::from_secs(15);

/// Who is let in, and through which doors.
struct Porter {
    visitors: Visitors,
    browsers: BrowserDoor,
    lan: Arc<LanDoor>,
}

/// Whether a request comes from somebody who is let in, and not merely to sign in.
#[derive(Clone, Copy)]
struct IsIn(bool);

/// Answers until it is dropped.
pub(super) async fn serve(api: UnixListener, handed: UnixListener, options: ServeOptions) {
    let links = options.links();
    let porter = Arc::new(Porter {
        visitors: Visitors::kept_in(options.data_dir.join(VISITORS)),
        browsers: BrowserDoor::default(),
        lan: Arc::new(LanDoor::new(options.data_dir.clone(), options.lan.clone())),
    });
    let known = porter.visitors.port_in_use(SystemTime::now());
    let desk = Desk::new(
        options.data_dir,
        links,
        options.most_previews,
        options.get_answers,
    );
    let desk = Arc::new(desk);
    let router = router(Arc::clone(&desk), options.max_file, &porter);
    let (kept, kept_lan) = kept();
    let kept = kept.map(Ok);
    let wanted = options.always || known.is_some();
    let opened = kept.or_else(|| wanted.then(|| loopback(known.unwrap_or(options.port))));
    let opened = opened.map(|at| at.and_then(|at| porter.browsers.open(at, &router)));
    if let Some(Err(e)) = opened {
        tracing::warn!("the gallery has no port; `photond open` brings one: {e}");
    }
    let for_lan = lan::routes(&porter.lan);
    let for_lan = for_lan.layer(from_fn_with_state(Arc::clone(&porter), enter));
    let for_lan = for_lan.merge(router.clone());
    porter.lan.begin(kept_lan, &for_lan);
    let invite = Router::new()
        .route("/api/v1/invite", post(invite))
        .route("/api/v1/lan", post(on_lan))
        .with_state(Arc::clone(&porter))
        .layer(Extension(desk))
        .layer(from_fn_with_state(Arc::clone(&porter), enter));
    tokio::join!(
        serve_socket(api, invite.merge(router.clone())),
        take_from(handed, |listener| match is_of_loopback(&listener) {
            true => porter.browsers.open(listener, &router),
            false => porter.lan.take(listener, &for_lan),
        }),
    );
}

fn router(desk: Arc<Desk>, max_file: u64, porter: &Arc<Porter>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/app/{file}", get(files::app))
        .route("/t/{epoch}/{id}", get(thumbnail))
        .route("/p/{epoch}/{id}", get(preview))
        .route("/o/{id}", get(original))
        .route("/api/v1/view", post(finding::view))
        .route("/api/v1/photos/{id}", get(listing::photo))
        .route("/api/v1/duplicates", post(duplicates::duplicates))
        .route("/api/v1/query", post(listing::query))
        .route("/api/v1/facets", get(facets::of_all).post(facets::among))
        .route("/api/v1/folders", get(folder_list))
        .route("/api/v1/places", get(places))
        .route("/api/v1/people", get(people))
        .route("/api/v1/status", get(status))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/pause", post(pause))
        .route("/api/v1/resume", post(resume))
        .route("/api/v1/reload", post(reload))
        .route("/api/v1/rescan", post(rescan))
        .route("/api/v1/confirm", post(confirm))
        .route("/api/v1/forget", post(forget))
        .route("/api/v1/reveal", post(reveal))
        .route("/api/v1/open", post(open))
        .route("/api/v1/export", post(export_chosen))
        .route("/api/v1/export/{name}", get(export::fetch))
        .with_state(desk)
        .route(ENTRANCE, get(entrance).with_state(Arc::clone(porter)))
        .layer(Extension(MaxFile(max_file)))
        .layer(from_fn_with_state(Arc::clone(porter), enter))
}

/// Largest file that is read whole, in bytes.
#[derive(Clone, Copy)]
pub(super) struct MaxFile(pub u64);

/// Judges a request, reads its body with patience and a bound, and says in the answer what browsers are to
/// keep to.
async fn enter(State(porter): State<Arc<Porter>>, request: Request, next: Next) -> Response {
    let mut response = match let_in(&porter, request).await {
        Ok(request) => in_json(next.run(request).await).await,
        Err(failed) => failed.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in ANSWER_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn let_in(porter: &Porter, request: Request) -> Result<Request, Failed> {
    let through = request.extensions().get::<CameThrough>();
    let through = through.ok_or_else(|| Failed::of_ours("a request came through no door"))?;
    let doorway = through.0;
    let (names, headers) = (porter.lan.names(), request.headers());
    judge(doorway, names, request.method(), request.uri(), headers)
        .map_err(|away| Failed::new(away.status, away.why))?;
    let path = request.uri().path();
    let (is_in, is_open, why) = match doorway {
        Doorway::Socket => (true, true, ""),
        Doorway::Loopback(port) => (
            cookies(headers, &cookie_name(port)).any(|cookie| porter.visitors.knows(cookie)),
            path == ENTRANCE,
            "this browser is not let in: run `photond open`",
        ),
        Doorway::Lan(at) => (
            porter.lan.knows(headers, at.port()),
            lan::OPEN_TO_ALL.contains(&path),
            "sign in first",
        ),
    };
    if !is_in && !is_open {
        return Err(Failed::new(StatusCode::UNAUTHORIZED, why));
    }
    if let Doorway::Loopback(port) = doorway {
        porter.visitors.are_at(port, SystemTime::now());
    }
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(IsIn(is_in));
    let longest = if is_in { LONGEST_BODY } else { LONGEST_LOGIN };
    let body = tokio::time::timeout(BODY, to_bytes(body, longest)).await;
    let body = body.map_err(|_| Failed::new(StatusCode::REQUEST_TIMEOUT, "the request is slow"))?;
    let body = body.map_err(|_| {
        Failed::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the request is longer than {} KiB, or broke off",
                longest >> 10
            ),
        )
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// The name of the cookie: cookies are shared by all ports of a host.
fn cookie_name(port: u16) -> String {
    format!("photond-{port}")
}

/// The values of all cookies of this name.
pub(super) fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok());
    let pairs = pairs.flat_map(|line| line.split(';'));
    pairs.filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// What the router itself turns down is said as everything else is.
async fn in_json(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let said = to_bytes(response.into_body(), 4096).await;
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    let said = if said.is_empty() {
        "there is nothing here".to_owned()
    } else {
        said
    };
    Failed::new(status, said).into_response()
}

pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failed> {
    // Nothing at all is an empty object.
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| Failed::of_theirs(e.to_string()))
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
}

/// `GET /in?code=`: a code becomes a cookie.
async fn entrance(
    State(porter): State<Arc<Porter>>,
    Extension(through): Extension<CameThrough>,
    method: Method,
    Query(Code { code }): Query<Code>,
) -> Result<Response, Failed> {
    let Doorway::Loopback(port) = through.0 else {
        return Err(Failed::of_theirs("codes are for 127.0.0.1 alone"));
    };
    let cookie = (method == Method::GET).then(|| porter.visitors.enter(&code, Instant::now()));
    let cookie = cookie.flatten().ok_or_else(|| {
        Failed::new(
            StatusCode::FORBIDDEN,
            "this link has been used, or is older than a minute: run `photond open` again",
        )
    })?;
    let name = cookie_name(port);
    let headers = [
        (header::LOCATION, "/".to_owned()),
        (
            header::SET_COOKIE,
            format!("{name}={cookie}; Path=/; HttpOnly; SameSite=Strict"),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// `POST /api/v1/invite`, at the socket alone: an address with a one-time code, or none where there is no
/// listener for browsers yet.
async fn invite(
    State(porter): State<Arc<Porter>>,
    Extension(desk): Extension<Arc<Desk>>,
) -> Result<Response, Failed> {
    let Some(port) = porter.browsers.port() else {
        return Ok(as_json(&json!({ "url": null })));
    };
    let code = porter.visitors.invite(Instant::now());
    let code = code.map_err(|_| Failed::of_ours("the system gives no random numbers"))?;
    desk.prepare();
    let at = |host: &str| format!("http://{host}:{port}{ENTRANCE}?code={code}");
    Ok(as_json(
        &json!({ "url": at(GALLERY_HOST), "by_number": at("127.0.0.1") }),
    ))
}

/// `GET /`: the gallery, or the page that asks for the password.
async fn front(
    State(desk): State<Arc<Desk>>,
    Extension(IsIn(is_in)): Extension<IsIn>,
    asked: HeaderMap,
) -> Result<Response, Failed> {
    if !is_in {
        return files::login(&asked);
    }
    desk.prepare();
    files::index(&asked)
}

/// What is to become of the listener on the network.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OnLan {
    close: bool,
}

/// `POST /api/v1/lan {"close"}`, at the socket alone: closes the listener on the network, or looks at the password
/// again and ends all connections there.
async fn on_lan(State(porter): State<Arc<Porter>>, body: Bytes) -> Result<Response, Failed> {
    let done = match read::<OnLan>(&body)?.close {
        true => porter.lan.close(),
        false => porter.lan.hang_up(),
    };
    Ok(as_json(&json!({ "done": u8::from(done) })))
}

#[derive(Deserialize)]
struct Under {
    under: Option<FolderId>,
}

/// `GET /api/v1/folders?under=ID`
async fn folder_list(
    State(desk): State<Arc<Desk>>,
    Query(Under { under }): Query<Under>,
) -> Result<Response, Failed> {
    let listed = desk.with(move |_, reader| folders::list(reader, under));
    Ok(as_json(&listed.await?))
}

/// `GET /api/v1/places`: where each photo was taken, in numbers.
async fn places(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    let bytes = desk.with(|_, reader| {
        let micro = |degrees: f64| ((degrees * 1e6).round() as i32).to_le_bytes();
        let mut count = 0u32;
        let mut bytes = count.to_le_bytes().to_vec();
        reader.positions(&mut |at| {
            if let Ok(id) = u32::try_from(at.photo) {
                bytes.extend(id.to_le_bytes());
                bytes.extend(micro(at.lat));
                bytes.extend(micro(at.lon));
                count += 1;
            }
        })?;
        bytes[..4].copy_from_slice(&count.to_le_bytes());
        Ok(bytes)
    });
    Ok(as_bytes("application/octet-stream", bytes.await?))
}

/// `GET /api/v1/people`
async fn people(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    let people = desk.with(|desk, reader| Ok(desk.answers()?.people(reader)?));
    Ok(as_json(&people.await?))
}

/// `GET /api/v1/status`
async fn status(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    let status = desk.with(|desk, reader| Ok(desk.answers()?.status(reader)?));
    Ok(as_json(&status.await?))
}

/// For how long.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ForSeconds {
    seconds: Option<u32>,
}

/// A root, by `roots.id` as the status lists them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OfRoot {
    root: Option<i64>,
}

/// A folder with all below it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OfFolder {
    folder: Option<FolderId>,
}

fn root_path(reader: &StoreReader, id: i64) -> Result<PathBuf, Failed> {
    let found = reader.roots()?.into_iter().find(|row| row.id == id);
    let found = found.ok_or_else(|| Failed::not_there("there is no such root"))?;
    Ok(found.path)
}

/// Has an errand run. What it concerned is counted; nothing at all is an error of the request's.
async fn run(
    desk: &Arc<Desk>,
    errand: impl FnOnce(&StoreReader) -> Result<Errand, Failed> + Send + 'static,
) -> Result<Response, Failed> {
    let done = desk.with(move |desk, reader| {
        let errand = errand(reader)?;
        Ok(desk.answers()?.run(errand)?)
    });
    Ok(as_json(&json!({ "done": done.await? })))
}

/// `POST /api/v1/pause {"seconds"}`
async fn pause(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response, Failed> {
    let ForSeconds { seconds } = read(&body)?;
    run(&desk, move |_| Ok(Errand::Pause(seconds))).await
}

/// `POST /api/v1/resume`
async fn resume(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    run(&desk, |_| Ok(Errand::Resume)).await
}

/// `POST /api/v1/reload`
async fn reload(State(desk): State<Arc<Desk>>) -> Result<Response, Failed> {
    run(&desk, |_| Ok(Errand::Reload)).await
}

/// `POST /api/v1/rescan {"folder"}`
async fn rescan(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response, Failed> {
    let OfFolder { folder } = read(&body)?;
    let errand = move |reader: &StoreReader| {
        let path = folder.map(|folder| folder.path(reader)).transpose()?;
        Ok(Errand::Rescan(path))
    };
    run(&desk, errand).await
}

/// `POST /api/v1/confirm {"root"}`
async fn confirm(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response, Failed> {
    let OfRoot { root } = read(&body)?;
    let errand = move |reader: &StoreReader| {
        let path = root.map(|root| root_path(reader, root)).transpose()?;
        Ok(Errand::Confirm(path))
    };
    run(&desk, errand).await
}

/// `POST /api/v1/forget {"root"}`
async fn forget(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response, Failed> {
    let OfRoot { root } = read(&body)?;
    let root = root.ok_or_else(|| Failed::of_theirs("say which root: {\"root\": 1}"))?;
    run(&desk, move |reader| {
        Ok(Errand::Forget(root_path(reader, root)?))
    })
    .await
}

/// A photo, by number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPhoto {
    id: u32,
}

/// Windows are opened for whoever may sit before this machine.
fn at_this_machine(CameThrough(doorway): CameThrough) -> Result<(), Failed> {
    match doorway {
        Doorway::Socket | Doorway::Loopback(_) => Ok(()),
        Doorway::Lan(_) => Err(Failed::new(
            StatusCode::FORBIDDEN,
            "a window would open on the machine that photond runs on: download the photo, or copy its path",
        )),
    }
}

/// `POST /api/v1/reveal {"id"}`: its folder in the desktop's file manager.
async fn reveal(
    State(desk): State<Arc<Desk>>,
    Extension(through): Extension<CameThrough>,
    body: Bytes,
) -> Result<Response, Failed> {
    at_this_machine(through)?;
    let (OfPhoto { id }, links) = (read(&body)?, desk.links());
    run(&desk, move |reader| {
        Ok(Errand::Reveal(path_of(reader, id, links)?))
    })
    .await
}

/// `POST /api/v1/open {"id"}`: with the desktop's program for it.
async fn open(
    State(desk): State<Arc<Desk>>,
    Extension(through): Extension<CameThrough>,
    body: Bytes,
) -> Result<Response, Failed> {
    at_this_machine(through)?;
    let (OfPhoto { id }, links) = (read(&body)?, desk.links());
    run(&desk, move |reader| {
        Ok(Errand::Open(path_of(reader, id, links)?))
    })
    .await
}

/// `POST /api/v1/export {"ids", "how": "zip" | "links"}`
async fn export_chosen(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Response, Failed> {
    export::prepare(desk, read(&body)?).await
}
