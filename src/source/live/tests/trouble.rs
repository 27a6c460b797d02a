//! Lost events, dead watchers, too few watches, changed rules, and the end.

use std::collections::BTreeMap;
use std::fs;

use super::*;

#[test]
fn our_own_reads_cause_no_events_and_idle_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..1000 {
        fs::write(dir.path().join(format!("{i}.jpg")), b"x").unwrap();
    }
    let canary = tempfile::tempdir().unwrap();
    let w = World::over(
        dir,
        LiveConfig {
            canary_dir: Some(canary.path().to_path_buf()),
            canary_interval: Duration::from_millis(50),
            ..LiveConfig::default()
        },
    );
    for i in 0..1000 {
        let (mut file, _) = crate::source::open_beneath(
            w.dir.path(),
            &rel(&format!("{i}.jpg")),
            crate::source::Links::Refused,
        )
        .unwrap();
        std::io::copy(&mut file, &mut std::io::sink()).unwrap();
    }
    look(
        w.dir.path(),
        &Filter::new(w.dir.path(), &FilterConfig::default()).unwrap(),
    );
    // What comes after the reads comes after their events, had there been any.
    w.write("last.jpg", b"x");
    wait_until("the last file", || w.reports("last.jpg") > 0);
    let events = w.source.health().events;
    assert!(
        events <= 3,
        "{events} events: create, modify and close are three"
    );
    assert_eq!(w.state.lock().unwrap().log.len(), 1);
}

#[test]
fn a_changed_ignore_file_takes_effect_and_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("d/skip")).unwrap();
    for f in ["d/a.png", "d/b.jpg", "d/skip/c.jpg"] {
        fs::write(dir.path().join(f), b"x").unwrap();
    }
    let w = World::over(dir, LiveConfig::default());
    assert_eq!(w.state.lock().unwrap().index.len(), 3);
    w.write("d/.photondignore", b"*.png\nskip/\n");
    wait_until("one file to be left", || {
        w.state.lock().unwrap().index.len() == 1
    });
    wait_until("the watch to go", || w.source.health().watched_dirs == 2);
    // Live paths obey it too.
    w.write("d/z.png", b"x");
    w.write("d/skip/z.jpg", b"x");
    w.write("d/z.jpg", b"x");
    w.converge();
    assert_eq!(w.reports("d/z.png") + w.reports("d/skip/z.jpg"), 0);
    fs::remove_file(w.path("d/.photondignore")).unwrap();
    wait_until("all to be back", || {
        w.state.lock().unwrap().index.len() == 6
    });
    w.write("d/skip/y.jpg", b"x");
    w.converge();
    assert!(w.saw_rescan(RescanReason::IgnoreFileChanged));
}

#[test]
fn lost_events_become_a_rescan_with_working_watches() {
    let w = World::new(LiveConfig {
        queue: 4,
        ..LiveConfig::default()
    });
    {
        // While the caller is busy, the channel fills, and then the queue.
        let _busy = w.state.lock().unwrap();
        for d in 0..400 {
            fs::create_dir(w.path(&format!("d{d}"))).unwrap();
            w.write(&format!("d{d}/x.jpg"), b"x");
        }
    }
    w.converge();
    wait_until("an overflow", || w.source.health().overflows > 0);
    w.converge();
    // New directories are seen after it, and old ones too.
    fs::create_dir(w.path("after")).unwrap();
    w.write("after/y.jpg", b"y");
    w.write("d7/y.jpg", b"y");
    w.converge();
    assert!(w.saw_rescan(RescanReason::Overflow));
}

#[test]
fn a_kernel_overflow_builds_the_watcher_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    let w = World::over(dir, LiveConfig::default());
    w.source.signals(7).overflow.store(true, Ordering::Release);
    w.write("wake.jpg", b"x");
    wait_until("the rescan", || w.saw_rescan(RescanReason::Overflow));
    assert_eq!(w.source.health().watched_dirs, 2);
    w.write("d/x.jpg", b"x");
    w.converge();
}

#[test]
fn a_dead_watcher_is_noticed_and_started_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    let w = World::over(dir, LiveConfig::default());
    w.source.signals(7).die.store(true, Ordering::Release);
    w.write("killer.jpg", b"x");
    wait_until("its end to be noticed", || w.source.health().failures > 0);
    w.source.signals(7).die.store(false, Ordering::Release);
    wait_until("the rescan", || w.saw_rescan(RescanReason::WatcherError));
    w.converge();
    fs::create_dir_all(w.path("d/new")).unwrap();
    w.write("d/new/x.jpg", b"x");
    w.converge();
}

#[test]
fn a_deaf_watcher_is_found_by_the_canary() {
    let canary = tempfile::tempdir().unwrap();
    let cfg = LiveConfig {
        canary_dir: Some(canary.path().to_path_buf()),
        canary_interval: Duration::from_millis(20),
        canary_timeout: Duration::from_millis(200),
        ..LiveConfig::default()
    };
    let w = World::new(cfg);
    wait_until("a few beats", || {
        w.source.signals(7).canary_seen.load(Ordering::Acquire)
    });
    assert_eq!(w.source.health().failures, 0);
    // Deaf from now on: what the canary's file does is heard no more.
    fs::remove_dir_all(canary.path().join("root-7")).unwrap();
    fs::create_dir(canary.path().join("root-7")).unwrap();
    wait_until("a new watcher", || w.source.health().failures > 0);
    w.write("x.jpg", b"x");
    w.converge();
    assert!(w.saw_rescan(RescanReason::WatcherError));
}

#[test]
fn out_of_watches_means_polling_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    for d in ["a", "b", "c/d"] {
        fs::create_dir_all(dir.path().join(d)).unwrap();
    }
    let cfg = LiveConfig {
        max_watches: Some(3),
        poll_interval: Duration::from_millis(100),
        ..LiveConfig::default()
    };
    let w = World::over(dir, cfg);
    wait_until("the news", || {
        w.saw(|e| matches!(e, SourceEvent::WatchDegraded { .. }))
    });
    let health = w.source.health();
    assert_eq!((health.watched_dirs, health.polled_dirs), (3, 1));
    assert_eq!(health.degraded, [(7, DegradeReason::WatchLimit)]);
    assert!(health.advice.unwrap().contains("max_user_watches"));
    // The parent is watched, so what is in `c` itself is heard of only by polling.
    w.write("c/d/x.jpg", b"x");
    w.write("c/x.jpg", b"x");
    w.write("a/x.jpg", b"x");
    w.converge();
    assert!(w.saw_rescan(RescanReason::Polled));
    // Two watches come free.
    fs::remove_dir_all(w.path("a")).unwrap();
    fs::remove_dir_all(w.path("c/d")).unwrap();
    w.converge();
    wait_until("an end of polling", || {
        w.source.health().degraded.is_empty()
    });
    assert_eq!(w.source.health().polled_dirs, 0);
    w.write("c/y.jpg", b"x");
    w.converge();
    let news = w
        .state
        .lock()
        .unwrap()
        .log
        .iter()
        .filter(|e| matches!(e, SourceEvent::WatchDegraded { .. }))
        .count();
    assert_eq!(news, 1, "said once");
}

#[test]
fn the_root_deleted_asks_for_a_scan_and_a_new_one_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_path_buf();
    let cfg = LiveConfig {
        poll_interval: Duration::from_millis(100),
        ..LiveConfig::default()
    };
    let w = World::over(dir, cfg);
    w.write("x.jpg", b"x");
    w.converge();
    fs::remove_dir_all(&root).unwrap();
    wait_until("the rescan", || w.saw_rescan(RescanReason::RootChanged));
    fs::create_dir(&root).unwrap();
    w.write("y.jpg", b"y");
    w.converge();
    wait_until("an end of polling", || w.source.health().polled_dirs == 0);
    w.write("z.jpg", b"z");
    w.converge();
}

#[test]
fn two_roots_are_followed_apart_and_a_number_is_taken_once() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (tx, rx) = crossbeam_channel::unbounded();
    let source = LiveSource::start(LiveConfig::default(), tx);
    let filter = |t: &TempDir| Arc::new(Filter::new(t.path(), &FilterConfig::default()).unwrap());
    source.add_root(1, a.path(), filter(&a)).unwrap();
    source.add_root(2, b.path(), filter(&b)).unwrap();
    assert!(matches!(
        source.add_root(2, b.path(), filter(&b)),
        Err(SourceError::Duplicate { id: 2, .. })
    ));
    assert!(matches!(
        source.arm(9, &rel("")),
        Err(ArmError::UnknownRoot(9))
    ));
    assert_eq!(source.arm(1, &rel("")).unwrap(), Arm::Watched);
    assert_eq!(source.arm(1, &rel("")).unwrap(), Arm::Already);
    assert_eq!(source.arm(2, &rel("")).unwrap(), Arm::Watched);
    assert!(matches!(
        source.arm(1, &rel("nix")),
        Err(ArmError::Gone { .. })
    ));
    // A photo goes from one root to the other.
    fs::write(a.path().join("x.jpg"), b"x").unwrap();
    fs::rename(a.path().join("x.jpg"), b.path().join("x.jpg")).unwrap();
    let mut seen = BTreeMap::new();
    while seen.get(&2) != Some(&true) || seen.get(&1) != Some(&false) {
        match rx.recv_timeout(Duration::from_secs(20)).unwrap() {
            SourceEvent::Path { root, found, .. } => {
                seen.insert(root, matches!(found, Found::File(_)));
            }
            other => panic!("{other:?}"),
        }
    }
    source.remove_root(2);
    assert!(matches!(
        source.arm(2, &rel("")),
        Err(ArmError::UnknownRoot(2))
    ));
    source.stop();
    assert!(rx.iter().count() < 10, "the channel is closed");
}

#[test]
fn stopping_does_not_wait_for_a_caller_that_reads_nothing() {
    let t = tempfile::tempdir().unwrap();
    let (tx, rx) = crossbeam_channel::bounded(1);
    let source = LiveSource::start(LiveConfig::default(), tx);
    let filter = Arc::new(Filter::new(t.path(), &FilterConfig::default()).unwrap());
    source.add_root(1, t.path(), filter).unwrap();
    source.arm(1, &rel("")).unwrap();
    for i in 0..50 {
        fs::create_dir(t.path().join(i.to_string())).unwrap();
    }
    wait_until("a full channel", || rx.is_full());
    let begin = Instant::now();
    source.stop();
    assert!(begin.elapsed() < Duration::from_secs(1));
}
