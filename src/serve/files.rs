//! The gallery itself: a page, its modules and its style, compiled in.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::answer::Failed;

/// What is compiled in, by name.
macro_rules! web {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../web/", $name)))),*]
    };
}

const PAGE: &[u8] = include_bytes!("../../web/index.html");
const LOGIN: &[u8] = include_bytes!("../../web/login.html");
const FILES: &[(&str, &[u8])] = web![
    "api.js",
    "app.css",
    "app.js",
    "details.js",
    "dom.js",
    "grid.js",
    "icon.svg",
    "land.bin",
    "layout.js",
    "login.css",
    "login.js",
    "map.js",
    "pages.js",
    "query.js",
    "scrubber.js",
    "search.js",
    "viewer.js",
];

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn file(name: &str, bytes: &'static [u8]) -> Response {
    // Asked for again each time, from this machine: another version has other files.
    let headers = [
        (header::CONTENT_TYPE, kind(name)),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, bytes).into_response()
}

/// `GET /`
pub(super) async fn index() -> Response {
    file("index.html", PAGE)
}

/// `GET /` where nobody has signed in yet.
pub(super) async fn login() -> Response {
    file("login.html", LOGIN)
}

/// `GET /app/{file}`
pub(super) async fn app(Path(name): Path<String>) -> Result<Response, Failed> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let (name, bytes) = found.ok_or_else(|| Failed::not_there("there is no such file"))?;
    Ok(file(name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_gallery_is_compiled_in() {
        let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let names = std::fs::read_dir(web).unwrap().flatten();
        let mut names: Vec<_> = names
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".html"))
            .collect();
        names.sort();
        let known: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names, known);
    }
}
