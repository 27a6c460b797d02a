//! The gallery itself: a page, its modules and its style, compiled in.
//!
//! They are compiled in as they were written and sent without what is for readers alone: comments and indentation
//! are taken out and the rest is compressed when the first of them is asked for, once.

use std::io::Write;
use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::answer::Failed;

/// What is compiled in, by name.
macro_rules! web {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../web/", $name)))),*]
    };
}

const PAGE: &str = "index.html";
const LOGIN: &str = "login.html";
const FILES: &[(&str, &[u8])] = web![
    "api.js",
    "app.css",
    "app.js",
    "details.js",
    "dom.js",
    "grid.js",
    "icon.svg",
    "index.html",
    "land.bin",
    "layout.js",
    "login.css",
    "login.html",
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

/// A file as it is sent.
struct ServedFile {
    plain: Vec<u8>,
    gzipped: Vec<u8>,
}

impl ServedFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let plain = match std::str::from_utf8(bytes) {
            Ok(text) if name.ends_with(".js") || name.ends_with(".css") => bare(text).into_bytes(),
            _ => bytes.to_vec(),
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzipped = encoder.write_all(&plain).and_then(|()| encoder.finish());
        // Writing to memory does not fail; if it did, nothing would be sent compressed.
        let gzipped = gzipped.unwrap_or_default();
        Self { plain, gzipped }
    }
}

/// What was written, without comments and indentation.
///
/// This knows no JavaScript. In our modules a comment is a line, lines, or a `/** type */`, and `/*` stands in no
/// string; a test reads them with care and holds that nothing but comments goes.
fn bare(written: &str) -> String {
    let mut bare = String::with_capacity(written.len());
    let mut in_comment = false;
    for line in written.lines() {
        let mut rest = line.trim();
        if !in_comment && rest.starts_with("//") {
            continue;
        }
        let before = bare.len();
        loop {
            if in_comment {
                let Some((_, after)) = rest.split_once("*/") else {
                    break;
                };
                in_comment = false;
                rest = after.trim_start();
            }
            let (code, comment) = rest.split_once("/*").unwrap_or((rest, ""));
            bare.push_str(code);
            if code.len() == rest.len() {
                break;
            }
            in_comment = true;
            rest = comment;
        }
        bare.truncate(bare.trim_end().len().max(before));
        if bare.len() > before {
            bare.push('\n');
        }
    }
    bare
}

fn sent(name: &str) -> Option<(&'static str, &'static ServedFile)> {
    static ALL: OnceLock<Vec<(&str, ServedFile)>> = OnceLock::new();
    let made =
        |(name, bytes): &(&'static str, &'static [u8])| (*name, ServedFile::new(name, bytes));
    let all = ALL.get_or_init(|| FILES.iter().map(made).collect());
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(name, sent)| (*name, sent))
}

/// Whether the browser takes what is compressed; all of them do.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let accepted = accepted.filter_map(|line| line.to_str().ok());
    let mut codings = accepted.flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, how) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = how.trim().strip_prefix("q=").map(|q| q.parse::<f32>());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(Ok(0.0))
    })
}

fn file(name: &str, asked: &HeaderMap) -> Result<Response, Failed> {
    let found = sent(name);
    let (name, sent) = found.ok_or_else(|| Failed::not_there("there is no such file"))?;
    let is_gzip = takes_gzip(asked) && !sent.gzipped.is_empty();
    let bytes: &[u8] = if is_gzip { &sent.gzipped } else { &sent.plain };
    // Asked for again each time, from this machine: another version has other files.
    let headers = [
        (header::CONTENT_TYPE, kind(name)),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding"),
    ];
    let mut response = (headers, bytes).into_response();
    if is_gzip {
        let gzip = HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, gzip);
    }
    Ok(response)
}

/// `GET /`
pub(super) fn index(asked: &HeaderMap) -> Result<Response, Failed> {
    file(PAGE, asked)
}

/// `GET /` where nobody has signed in yet.
pub(super) fn login(asked: &HeaderMap) -> Result<Response, Failed> {
    file(LOGIN, asked)
}

/// `GET /app/{file}`
pub(super) async fn app(Path(name): Path<String>, asked: HeaderMap) -> Result<Response, Failed> {
    file(&name, &asked)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_whole_gallery_is_compiled_in() {
        let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let names = std::fs::read_dir(web).unwrap().flatten();
        let mut names: Vec<_> = names
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        let known: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names, known);
    }

    /// How long the string, pattern or piece of a template is that begins here.
    fn length(rest: &str) -> usize {
        let open = rest.chars().next();
        let (mut is_escaped, mut in_class) = (false, false);
        for (at, c) in rest.char_indices().skip(1) {
            match (open.unwrap(), c) {
                _ if is_escaped => is_escaped = false,
                (_, '\\') => is_escaped = true,
                ('/', '[') => in_class = true,
                ('/', ']') => in_class = false,
                ('/', '/') if in_class => {}
                ('/', '/') | ('"', '"') | ('\'', '\'') | ('`' | '}', '`') => return at + 1,
                ('`' | '}', '{') if rest[..at].ends_with('$') => return at + 1,
                _ => {}
            }
        }
        rest.len()
    }

    /// Reads JavaScript or CSS with care for strings, templates and patterns: the code with spaces only where
    /// they part two words, and how many comments there were.
    fn read(mut rest: &str) -> (String, usize) {
        let (mut code, mut comments, mut space) = (String::new(), 0, None);
        // For each template that is open, how many braces are open in its expression.
        let mut templates: Vec<usize> = Vec::new();
        let is_word = |c: char| c.is_alphanumeric() || "_$#.-".contains(c);
        while let Some(c) = rest.chars().next() {
            if c.is_whitespace() {
                space = Some(space == Some(true) || c == '\n');
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let comment = if rest.starts_with("//") {
                rest.find('\n')
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else {
                None
            };
            if let Some(end) = comment {
                comments += 1;
                rest = &rest[end..];
                continue;
            }
            let last = code.chars().last().unwrap_or('\n');
            match space.take() {
                Some(true) if last != '\n' => code.push('\n'),
                Some(false) if is_word(last) && is_word(c) => code.push(' '),
                _ => {}
            }
            let goes_on = c == '}' && templates.last() == Some(&0);
            let is_pattern = c == '/' && "(,=:[!&|?{};+>\n".contains(last);
            let length = match (c, templates.last_mut()) {
                ('"' | '\'' | '`', _) => length(rest),
                _ if goes_on || is_pattern => length(rest),
                ('{', Some(open)) => {
                    *open += 1;
                    1
                }
                ('}', Some(open)) => {
                    *open -= 1;
                    1
                }
                _ => c.len_utf8(),
            };
            if goes_on {
                templates.pop();
            }
            if (c == '`' || goes_on) && rest[..length].ends_with('{') {
                templates.push(0);
            }
            code.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        assert!(templates.is_empty());
        (code, comments)
    }

    #[test]
    fn the_reader_of_these_tests_knows_comments_from_strings() {
        let (code, comments) = read(
            "// one\nconst a = '/* no */' + `// ${f({ b: \"}//\" }) + `/*${1}*/`} */`; /** @type {x} */ (y) /\n2;\n\
             s.replace(/[/*]\\//g, \"\")/* three */",
        );
        assert_eq!(
            code,
            "const a='/* no */'+`// ${f({b:\"}//\"})+`/*${1}*/`} */`;(y)/\n2;\ns.replace(/[/*]\\//g,\"\")"
        );
        assert_eq!(comments, 3);
    }

    #[test]
    fn what_is_sent_is_what_was_written_but_for_comments_and_indentation() {
        let mut comments = 0;
        for (name, bytes) in FILES {
            let (_, sent) = sent(name).unwrap();
            if !(name.ends_with(".js") || name.ends_with(".css")) {
                assert_eq!(sent.plain, *bytes, "{name}");
                continue;
            }
            let plain = std::str::from_utf8(&sent.plain).unwrap();
            let written = read(std::str::from_utf8(bytes).unwrap());
            comments += written.1;
            assert_eq!(read(plain), (written.0, 0), "{name}");
            assert!(
                plain
                    .lines()
                    .all(|line| !line.is_empty() && line == line.trim()),
                "{name}"
            );
        }
        assert!(comments > 200, "{comments} comments");
    }

    fn asked(accepts: &'static str) -> HeaderMap {
        let accepts = HeaderValue::from_static(accepts);
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepts)])
    }

    #[tokio::test]
    async fn the_same_is_sent_compressed_to_those_who_take_it() {
        for (accepts, is_gzip) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("identity", false),
            ("gzip;q=0, *", false),
            ("xgzip", false),
        ] {
            let response = file("app.js", &asked(accepts)).unwrap();
            let headers = response.headers();
            assert_eq!(headers[header::VARY], "accept-encoding");
            assert_eq!(
                headers[header::CONTENT_TYPE],
                "text/javascript; charset=utf-8"
            );
            let coding = headers.get(header::CONTENT_ENCODING);
            assert_eq!(
                coding.is_some_and(|coding| coding == "gzip"),
                is_gzip,
                "{accepts}"
            );
            let body = axum::body::to_bytes(response.into_body(), 1 << 20)
                .await
                .unwrap();
            let mut plain = Vec::new();
            match is_gzip {
                true => flate2::read::GzDecoder::new(&body[..])
                    .read_to_end(&mut plain)
                    .unwrap(),
                false => (&body[..]).read_to_end(&mut plain).unwrap(),
            };
            assert_eq!(plain, sent("app.js").unwrap().1.plain);
        }
        assert!(file("Cargo.toml", &asked("gzip")).is_err());
    }
}
