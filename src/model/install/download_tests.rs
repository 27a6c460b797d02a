use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::model::install::environment::Environment;
use crate::model::install::hostile::{Act, Hostile, Resource};
use crate::model::install::retry::Patience;
use crate::model::install::retry::testing::NoTime;
use crate::model::install::{InstallProgress, Silent};

const PATH: &str = "/a/b/resolve/main/f";

struct Bench {
    server: Hostile,
    dir: tempfile::TempDir,
    pause: NoTime,
    body: Vec<u8>,
}

fn bytes_of(n: usize) -> Vec<u8> {
    let mut x = 7u32;
    (0..n)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .collect()
}

impl Bench {
    fn new(size: usize, acts: impl IntoIterator<Item = Act>) -> Self {
        let server = Hostile::start();
        let body = bytes_of(size);
        server.put(PATH, Resource::new(body.clone()).acts(acts));
        Self {
            server,
            dir: tempfile::tempdir().unwrap(),
            pause: NoTime::default(),
            body,
        }
    }

    fn client(&self) -> Client {
        let environment = Environment {
            endpoint: self.server.address.clone(),
            ..Environment::default()
        };
        let patience = Patience {
            stall: Duration::from_millis(300),
            ..Patience::default()
        };
        Client::new(environment, patience).unwrap()
    }

    fn fetch_as(
        &self,
        size: Option<u64>,
        checked: bool,
        watch: &dyn Watch,
    ) -> Result<Arrived, InstallError> {
        let wanted = Wanted {
            url: &format!("{}{PATH}", self.server.address),
            name: "f",
            dir: self.dir.path(),
            size,
            checked,
        };
        fetch(&self.client(), &wanted, &self.pause, watch, &mut |_| {})
    }

    fn fetch(&self) -> Result<Arrived, InstallError> {
        self.fetch_as(None, true, &Silent)
    }

    fn arrived(&self) -> bool {
        std::fs::read(self.dir.path().join("f")).is_ok_and(|b| b == self.body)
    }

    fn part(&self) -> u64 {
        std::fs::metadata(self.dir.path().join("f.part")).map_or(0, |m| m.len())
    }

    fn waits(&self) -> usize {
        self.pause.0.borrow().len()
    }
}

/// Stops as soon as it has been asked `after` times.
struct StopAfter(std::sync::atomic::AtomicU32, u32);

impl Watch for StopAfter {
    fn progress(&self, _: &InstallProgress) {}
    fn notice(&self, _: &str) {}
    fn stopped(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_file_arrives_whole() {
    let b = Bench::new(300_000, []);
    let got = b.fetch().unwrap();
    assert!(b.arrived());
    assert_eq!((got.received, got.resumed), (300_000, false));
    // And is not asked for again.
    assert_eq!(b.fetch().unwrap().received, 0);
    assert_eq!(b.server.sent(), 300_000);
}

#[test]
fn dropped_connections_are_gone_on_with_where_they_were() {
    let b = Bench::new(
        1_000_000,
        [Act::DropAfter(300_000), Act::DropAfter(400_000)],
    );
    let got = b.fetch().unwrap();
    assert!(b.arrived() && got.resumed);
    assert_eq!(b.server.sent(), 1_000_000, "no byte twice");
    let ranges: Vec<_> = b
        .server
        .seen()
        .iter()
        .map(|r| r.headers.get("range").cloned())
        .collect();
    assert_eq!(
        ranges,
        [
            None,
            Some("bytes=300000-".to_owned()),
            Some("bytes=700000-".to_owned())
        ]
    );
}

#[test]
fn a_server_that_gives_up_at_once_is_given_up() {
    let b = Bench::new(100_000, vec![Act::DropAfter(0); 20]);
    let error = b.fetch().unwrap_err();
    assert!(
        matches!(error, InstallError::GaveUp { tries: 6, .. }),
        "{error}"
    );
    assert_eq!(b.server.seen().len(), 6);
}

#[test]
fn the_same_bytes_again_and_again_are_no_progress() {
    let b = Bench::new(1_000_000, vec![Act::IgnoreRangeAndDropAfter(500_000); 40]);
    let error = b.fetch().unwrap_err();
    assert!(matches!(error, InstallError::GaveUp { .. }), "{error}");
    assert!(b.server.seen().len() <= 7, "{}", b.server.seen().len());
    assert!(!b.dir.path().join("f").exists());
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let b = Bench::new(400_000, [Act::DropAfter(100_000), Act::IgnoreRange]);
    let got = b.fetch().unwrap();
    assert!(b.arrived() && !got.resumed);
    assert_eq!(b.server.sent(), 500_000);
}

#[test]
fn a_part_that_is_another_one_is_not_taken() {
    let b = Bench::new(400_000, [Act::DropAfter(100_000), Act::WrongRange]);
    b.fetch().unwrap();
    assert!(b.arrived());
}

#[test]
fn a_file_that_changed_meanwhile_starts_afresh() {
    let mut b = Bench::new(400_000, [Act::DropAfter(100_000), Act::Status(404)]);
    b.fetch().unwrap_err();
    assert_eq!(b.part(), 100_000);
    b.body = bytes_of(400_001);
    b.server.change(PATH, |file| {
        file.body.clone_from(&b.body);
        file.etag = Some("\"two\"".to_owned());
    });
    let got = b.fetch().unwrap();
    assert!(b.arrived() && !got.resumed);
}

#[test]
fn without_an_etag_only_what_will_be_checked_is_gone_on_with() {
    for checked in [true, false] {
        let b = Bench::new(400_000, [Act::DropAfter(100_000)]);
        b.server.change(PATH, |file| file.etag = None);
        let got = b.fetch_as(None, checked, &Silent).unwrap();
        assert!(b.arrived());
        assert_eq!(got.resumed, checked);
    }
}

#[test]
fn a_length_that_is_not_the_expected_one_is_refused_before_the_bytes() {
    let b = Bench::new(400_000, []);
    let error = b.fetch_as(Some(400_001), true, &Silent).unwrap_err();
    assert!(matches!(
        error,
        InstallError::WrongSize {
            expected: 400_001,
            found: 400_000,
            ..
        }
    ));
    assert_eq!(b.part(), 0);
}

#[test]
fn a_lie_of_more_bytes_ends() {
    let b = Bench::new(400_000, vec![Act::LieLength(10); 40]);
    let error = b.fetch().unwrap_err();
    assert!(matches!(error, InstallError::GaveUp { .. }), "{error}");
    assert!(!b.dir.path().join("f").exists());
    assert!(b.server.seen().len() <= 14);
}

#[test]
fn a_lie_of_fewer_bytes_is_seen_by_who_knows_the_size() {
    let b = Bench::new(400_000, vec![Act::LieLength(-10); 3]);
    let error = b.fetch_as(Some(400_000), true, &Silent).unwrap_err();
    assert!(matches!(
        error,
        InstallError::WrongSize { found: 399_990, .. }
    ));
}

#[test]
fn without_a_length_the_size_is_still_held() {
    let b = Bench::new(400_000, [Act::NoLength]);
    b.fetch_as(Some(400_000), true, &Silent).unwrap();
    assert!(b.arrived());
    let b = Bench::new(400_000, [Act::NoLength]);
    let error = b.fetch_as(Some(399_999), true, &Silent).unwrap_err();
    assert!(matches!(error, InstallError::WrongSize { .. }), "{error}");
    assert!(!b.dir.path().join("f").exists());
}

#[test]
fn a_stalled_connection_is_tried_again() {
    let b = Bench::new(400_000, [Act::StallAfter(150_000)]);
    b.fetch().unwrap();
    assert!(b.arrived());
    assert_eq!(b.server.sent(), 400_000);
}

#[test]
fn passing_errors_pass() {
    let b = Bench::new(
        1_000,
        [
            Act::Status(500),
            Act::Status(500),
            Act::RetryAfter(429, 7),
            Act::RetryAfter(503, 3),
        ],
    );
    b.fetch().unwrap();
    let waits: Vec<u64> = b.pause.0.borrow().iter().map(Duration::as_secs).collect();
    assert_eq!(waits, [1, 2, 7, 3]);
}

#[test]
fn a_day_is_not_waited_for() {
    let b = Bench::new(1_000, [Act::RetryAfter(429, 86_400)]);
    assert!(matches!(
        b.fetch().unwrap_err(),
        InstallError::AskedToWait {
            status: 429,
            seconds: 86_400,
            ..
        }
    ));
    assert_eq!(b.waits(), 0);
}

#[test]
fn lasting_errors_are_said_at_once() {
    for (status, says) in [
        (404, "404"),
        (401, "HF_TOKEN"),
        (403, "HF_TOKEN"),
        (410, "410"),
    ] {
        let b = Bench::new(1_000, [Act::Status(status)]);
        let error = b.fetch().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(b.waits(), 0);
    }
}

#[test]
fn nobody_there() {
    let mut b = Bench::new(1_000, []);
    b.server.address = "http://127.0.0.1:1".to_owned();
    let error = b.fetch().unwrap_err();
    assert!(matches!(error, InstallError::GaveUp { .. }), "{error}");
}

#[test]
fn stopping_keeps_what_has_arrived() {
    let b = Bench::new(4_000_000, []);
    let watch = StopAfter(0.into(), 4);
    let error = b.fetch_as(None, true, &watch).unwrap_err();
    assert!(matches!(error, InstallError::Stopped));
    let part = b.part();
    assert!(part > 0 && part < 4_000_000);
    let got = b.fetch().unwrap();
    assert!(b.arrived() && got.resumed);
    assert_eq!(got.received, 4_000_000 - part);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let b = Bench::new(1_000, [Act::Redirect("/store/f?sig=1".to_owned())]);
    b.server.put("/store/f", Resource::new(b.body.clone()));
    b.fetch().unwrap();
    assert!(b.arrived());

    let b = Bench::new(1_000, vec![Act::Redirect(PATH.to_owned()); 50]);
    let error = b.fetch().unwrap_err();
    assert!(
        error.to_string().contains("more than 8 redirects"),
        "{error}"
    );

    let b = Bench::new(1_000, [Act::Redirect("file:///etc/passwd".to_owned())]);
    assert!(matches!(
        b.fetch().unwrap_err(),
        InstallError::Redirect { .. }
    ));
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let b = Bench::new(1_000, []);
    let store = Hostile::start();
    store.put("/f", Resource::new(b.body.clone()));
    let elsewhere = format!("{}/f", store.address);
    b.server
        .change(PATH, |f| f.acts = vec![Act::Redirect(elsewhere)]);
    let environment = Environment {
        endpoint: b.server.address.clone(),
        token: Some("hf_secret".to_owned()),
        ..Environment::default()
    };
    let client = Client::new(environment, Patience::default()).unwrap();
    let wanted = Wanted {
        url: &format!("{}{PATH}", b.server.address),
        name: "f",
        dir: b.dir.path(),
        size: None,
        checked: true,
    };
    fetch(&client, &wanted, &b.pause, &Silent, &mut |_| {}).unwrap();
    assert_eq!(
        b.server.seen()[0].headers.get("authorization").unwrap(),
        "Bearer hf_secret"
    );
    assert_eq!(store.seen()[0].headers.get("authorization"), None);
}

#[test]
fn a_proxy_is_used_where_one_is_named_and_only_there() {
    // A proxy for `http` is asked to CONNECT; this one refuses, which shows that it was asked.
    let b = Bench::new(1_000, []);
    let proxy = Hostile::start();
    let with = |no_proxy: &str| {
        let environment = Environment {
            endpoint: b.server.address.clone(),
            http_proxy: Some(proxy.address.clone()),
            no_proxy: no_proxy.to_owned(),
            ..Environment::default()
        };
        let client = Client::new(environment, Patience::default()).unwrap();
        let wanted = Wanted {
            url: &format!("{}{PATH}", b.server.address),
            name: "f",
            dir: b.dir.path(),
            size: None,
            checked: true,
        };
        fetch(&client, &wanted, &b.pause, &Silent, &mut |_| {})
    };
    assert!(with("").unwrap_err().to_string().contains("proxy"));
    assert!(proxy.seen().iter().all(|r| r.method == "CONNECT"));
    let asked = proxy.seen().len();
    assert!(asked > 0 && b.server.seen().is_empty());
    with("127.0.0.1").unwrap();
    assert_eq!(proxy.seen().len(), asked);
}

#[test]
fn content_ranges_are_read_strictly() {
    assert_eq!(content_range("bytes 5-9/10"), Some((5, 9, Some(10))));
    assert_eq!(content_range("bytes 5-9/*"), Some((5, 9, None)));
    for bad in [
        "bytes 9-5/10",
        "bytes 5-10/10",
        "5-9/10",
        "bytes -5/10",
        "bytes 5-9",
        "bytes */10",
    ] {
        assert_eq!(content_range(bad), None, "{bad}");
    }
}

#[test]
fn a_stopped_flag_ends_the_waiting_too() {
    struct Stopping(AtomicBool);
    impl Watch for Stopping {
        fn progress(&self, _: &InstallProgress) {}
        fn notice(&self, _: &str) {
            self.0.store(true, Ordering::Relaxed);
        }
        fn stopped(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }
    let b = Bench::new(1_000, vec![Act::Status(500); 9]);
    let error = b
        .fetch_as(None, true, &Stopping(AtomicBool::new(false)))
        .unwrap_err();
    assert!(matches!(error, InstallError::Stopped));
    assert_eq!(b.server.seen().len(), 1);
}
