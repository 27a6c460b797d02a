//! `photond status --format prometheus`, read by a strict reader of the exposition format.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::env::{TestEnv, jpeg};

type Labels = BTreeMap<String, String>;

/// What a scraper has after reading.
#[derive(Debug, Default)]
struct Scraped {
    kinds: HashMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Scraped {
    /// Panics where the format says otherwise than the text.
    fn read(text: &str) -> Self {
        let mut scraped = Self::default();
        let mut helped = HashSet::new();
        let mut family = String::new();
        let mut seen = HashSet::new();
        assert!(text.ends_with('\n'), "the last line has an end");
        for line in text.lines() {
            assert!(!line.is_empty() && line == line.trim(), "{line:?}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && !help.trim().is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "explained twice: {name}");
                unescape(help, false);
                name.clone_into(&mut family);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family, "explained before its type");
                assert!(["gauge", "counter"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(
                    scraped
                        .kinds
                        .insert(name.to_owned(), kind.to_owned())
                        .is_none()
                );
            } else {
                assert!(!line.starts_with('#'), "{line}");
                let (name, labels, value) = sample(line);
                assert_eq!(name, family, "a family stands together");
                assert!(scraped.kinds.contains_key(&name), "no type: {line}");
                assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
                if scraped.kinds[&name] == "counter" {
                    assert!(value >= 0.0, "{line}");
                }
                scraped.samples.push((name, labels, value));
            }
        }
        scraped
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let name = format!("photond_{name}");
        let wanted: Labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mut found = self
            .samples
            .iter()
            .filter(|(n, l, _)| *n == name && *l == wanted);
        found.next().map(|(_, _, value)| *value)
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn unescape(text: &str, quoted: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some('n') => out.push('\n'),
                Some('"') if quoted => out.push('"'),
                other => panic!("no escape: \\{other:?} in {text}"),
            },
            c => out.push(c),
        }
    }
    out
}

fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (key, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(key) && !key.contains(':'), "{line}");
            let mut escaped = false;
            let close = after.char_indices().find(|(_, c)| {
                let is_close = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                is_close
            });
            let close = close.unwrap().0;
            let value = unescape(&after[..close], true);
            assert!(labels.insert(key.to_owned(), value).is_none(), "{line}");
            rest = &after[close + 1..];
            if let Some(more) = rest.strip_prefix(',') {
                rest = more;
            } else {
                rest = rest.strip_prefix('}').unwrap();
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "no time: {line}");
    (name.to_owned(), labels, value.parse().unwrap())
}

#[test]
fn everything_that_status_knows_is_there_and_well_formed() {
    let env = TestEnv::new();
    assert_eq!(
        env.run(&["status", "--format", "prometheus"]).status.code(),
        Some(2),
        "without an index it is as without the format"
    );
    for n in 0..3 {
        fs::write(env.photo(&format!("{n}.jpg")), jpeg(n)).unwrap();
    }
    fs::copy(env.photo("0.jpg"), env.photo("copy.jpg")).unwrap();
    fs::write(env.photo("broken.jpg"), b"\xff\xd8\xff no").unwrap();
    let scrape = || Scraped::read(&env.ok(&["status", "--format", "prometheus"]));
    env.index();
    let photos = env.photos();
    let root = [("path", photos.to_str().unwrap())];
    let idle = scrape();
    assert_eq!(idle.value("up", &[]), Some(0.0));
    assert_eq!(idle.value("photos", &[]), Some(3.0));
    assert_eq!(idle.value("files_indexed", &[]), Some(4.0));
    assert_eq!(idle.value("files_failed", &[]), Some(1.0));
    assert_eq!(idle.value("root_photos", &root), Some(4.0));
    assert_eq!(idle.value("root_online", &root), Some(1.0));
    assert!(idle.value("root_last_full_scan_timestamp_seconds", &root) > Some(1.7e9));
    assert_eq!(
        idle.value("seen_total", &[]),
        None,
        "nothing stale looks alive"
    );
    let status = env.status();
    let kinds = status["failures_by_kind"].as_object().unwrap();
    assert!(!kinds.is_empty());
    for (kind, n) in kinds {
        assert_eq!(idle.value("failures", &[("kind", kind)]), n.as_f64());
    }
    env.run(&["verify", "--rate", "0"]);

    let daemon = env.watch();
    let alive = scrape();
    assert_eq!(alive.value("up", &[]), Some(1.0));
    assert_eq!(alive.value("activity", &[("state", "idle")]), Some(1.0));
    assert_eq!(alive.value("activity", &[("state", "indexing")]), Some(0.0));
    assert_eq!(alive.value("queue_files", &[]), Some(0.0));
    assert_eq!(alive.value("paused", &[]), Some(0.0));
    assert!(alive.value("seen_total", &[]) >= Some(5.0));
    assert!(alive.value("watched_folders", &[]) >= Some(1.0));
    assert_eq!(alive.value("event_overflows_total", &[]), Some(0.0));
    let mut watching = root.to_vec();
    watching.push(("state", "watching"));
    env.wait_until("the folder is watched", || {
        scrape().value("root_state", &watching) == Some(1.0)
    });
    assert_eq!(
        alive.value("verify_files", &[("verdict", "sound")]),
        Some(4.0)
    );
    assert!(alive.value("verify_last_timestamp_seconds", &[]) > Some(1.7e9));
    let detectors = env.status()["detectors"].as_array().unwrap().clone();
    for detector in detectors.iter().filter(|d| d["on"] == true) {
        let model = [("model", detector["model"].as_str().unwrap())];
        env.wait_until("the detectors are told of", || {
            let now = scrape();
            ["seen", "waiting", "failed"].iter().all(|what| {
                let name = format!("detector_{what}_photos");
                now.value(&name, &model).is_some()
            })
        });
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn folders_of_any_name_are_labels() {
    let env = TestEnv::new();
    let names: [&[u8]; 4] = [
        b"a \"b\" \\n {x=\"1\"}",
        b"two\nlines",
        b"caf\xe9",
        b"caf\xe8",
    ];
    let mut command = env.command(&["index"]);
    let mut made = 0;
    for (n, name) in names.iter().enumerate() {
        let dir = env.photos().join(std::ffi::OsStr::from_bytes(name));
        if fs::create_dir(&dir).is_err() {
            eprintln!("skipped a name: this file system takes only UTF-8");
            continue;
        }
        fs::write(dir.join("a.jpg"), jpeg(n as u32)).unwrap();
        command.arg(dir);
        made += 1;
    }
    assert!(command.output().unwrap().status.success());
    let scraped = Scraped::read(&env.ok(&["status", "--format", "prometheus"]));
    let roots: Vec<&str> = scraped
        .samples
        .iter()
        .filter(|(name, _, _)| name == "photond_root_photos")
        .map(|(_, labels, _)| labels["path"].as_str())
        .collect();
    assert_eq!(roots.len(), made, "{roots:?}");
    assert!(
        roots.iter().any(|r| r.ends_with("a \"b\" \\n {x=\"1\"}")),
        "{roots:?}"
    );
    assert!(roots.iter().any(|r| r.ends_with("two\nlines")), "{roots:?}");
}
