//! The live source against the real system: a small caller keeps an index by the events alone, and
//! every test ends with that index equal to an independent look at the tree.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::source::filter::FilterConfig;
use crate::source::testing::wait_until;
use crate::source::walk::{WalkEvent, walk};

/// A followed root, and a caller that does what the indexer does.
struct World {
    dir: TempDir,
    source: Arc<LiveSource>,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    index: BTreeMap<RelPath, FileStamp>,
    log: Vec<SourceEvent>,
}

fn rel(s: &str) -> RelPath {
    RelPath::from_bytes(s)
}

impl World {
    fn new(cfg: LiveConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::over(dir, cfg)
    }

    fn over(dir: TempDir, cfg: LiveConfig) -> Self {
        let filter = Arc::new(Filter::new(dir.path(), &FilterConfig::default()).unwrap());
        let (tx, rx) = crossbeam_channel::bounded(256);
        let source = Arc::new(LiveSource::start(cfg, tx));
        source.add_root(7, dir.path(), Arc::clone(&filter)).unwrap();
        let state = Arc::<Mutex<State>>::default();
        scan(&source, dir.path(), &filter, &rel(""), &state);
        let (s, root, st) = (
            Arc::downgrade(&source),
            dir.path().to_path_buf(),
            Arc::clone(&state),
        );
        let thread = std::thread::spawn(move || {
            for event in rx {
                let Some(source) = s.upgrade() else { return };
                match &event {
                    SourceEvent::Path { path, found, .. } => {
                        let index = &mut st.lock().unwrap().index;
                        match found {
                            Found::File(stamp) => drop(index.insert(path.clone(), *stamp)),
                            Found::Gone => index.retain(|p, _| !p.is_within(path)),
                            _ => drop(index.remove(path)),
                        }
                    }
                    SourceEvent::Rescan { dir, .. } => scan(&source, &root, &filter, dir, &st),
                    SourceEvent::DirGone { path, .. } => {
                        st.lock().unwrap().index.retain(|p, _| !p.is_within(path));
                    }
                    SourceEvent::WatchDegraded { .. } => {}
                }
                st.lock().unwrap().log.push(event);
            }
        });
        Self {
            dir,
            source,
            state,
            thread: Some(thread),
        }
    }

    fn path(&self, p: &str) -> PathBuf {
        self.dir.path().join(p)
    }

    fn write(&self, p: &str, bytes: &[u8]) {
        fs::write(self.path(p), bytes).unwrap();
    }

    /// Waits until the index is what an independent walk finds.
    fn converge(&self) {
        let filter = Filter::new(self.dir.path(), &FilterConfig::default()).unwrap();
        let mut last = (BTreeMap::new(), BTreeMap::new());
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let truth = look(self.dir.path(), &filter);
            let index = self.state.lock().unwrap().index.clone();
            if truth == index {
                return;
            }
            last = if Instant::now() > end {
                let log = &self.state.lock().unwrap().log;
                panic!("truth {:?}\nindex {:?}\nlog {log:#?}", last.0, last.1)
            } else {
                (truth, index)
            };
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often a path has been reported.
    fn reports(&self, p: &str) -> usize {
        let log = &self.state.lock().unwrap().log;
        let is = |e: &&SourceEvent| matches!(e, SourceEvent::Path { path, .. } if *path == rel(p));
        log.iter().filter(is).count()
    }

    fn saw(&self, wanted: impl Fn(&SourceEvent) -> bool) -> bool {
        self.state.lock().unwrap().log.iter().any(wanted)
    }

    fn saw_rescan(&self, reason: RescanReason) -> bool {
        self.saw(|e| matches!(e, SourceEvent::Rescan { why, .. } if *why == reason))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.source.remove_root(7);
        let source = Arc::clone(&self.source);
        self.source = Arc::new(LiveSource::start(
            LiveConfig::default(),
            crossbeam_channel::bounded(1).0,
        ));
        drop(source);
        let done = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            done.unwrap();
        }
    }
}

fn look(root: &Path, filter: &Filter) -> BTreeMap<RelPath, FileStamp> {
    let mut found = BTreeMap::new();
    walk(root, &rel(""), filter, &mut |e| {
        if let WalkEvent::File { path, stamp } = e {
            found.insert(path.clone(), stamp);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// The caller's scan: arms, then reads, then replaces what it knew of the directory.
fn scan(source: &LiveSource, root: &Path, filter: &Filter, dir: &RelPath, state: &Mutex<State>) {
    let mut found = BTreeMap::new();
    let _ = walk(root, dir, filter, &mut |e| {
        match e {
            WalkEvent::Dir { path } => drop(source.arm(7, path)),
            WalkEvent::File { path, stamp } => drop(found.insert(path.clone(), stamp)),
            WalkEvent::Unreadable { .. } | WalkEvent::Special { .. } => {}
        }
        ControlFlow::Continue(())
    });
    let index = &mut state.lock().unwrap().index;
    index.retain(|p, _| !p.is_within(dir));
    index.extend(found);
}

#[test]
fn a_written_file_is_reported_once_well_under_a_second() {
    let w = World::new(LiveConfig::default());
    let t = Instant::now();
    w.write("a.jpg", &[1; 100_000]);
    wait_until("the report", || w.reports("a.jpg") > 0);
    assert!(
        t.elapsed() < Duration::from_millis(900),
        "{:?}",
        t.elapsed()
    );
    w.converge();
    // A second one would come within the quiet time.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(w.reports("a.jpg"), 1);
}

#[test]
fn moves_renames_and_removals_are_reported_promptly() {
    let outside = tempfile::tempdir().unwrap();
    let w = World::new(LiveConfig::default());
    fs::write(outside.path().join("in.jpg"), b"in").unwrap();
    fs::rename(outside.path().join("in.jpg"), w.path("in.jpg")).unwrap();
    w.converge();
    fs::rename(w.path("in.jpg"), w.path("new.jpg")).unwrap();
    wait_until("both names", || {
        w.reports("in.jpg") > 1 && w.reports("new.jpg") > 0
    });
    w.converge();
    // The download's name never shows, the final one does.
    w.write("x.jpg.part", b"x");
    fs::rename(w.path("x.jpg.part"), w.path("x.jpg")).unwrap();
    w.converge();
    assert_eq!(w.reports("x.jpg.part"), 0);
    fs::remove_file(w.path("x.jpg")).unwrap();
    fs::rename(w.path("new.jpg"), outside.path().join("out.jpg")).unwrap();
    w.converge();
    assert!(w.state.lock().unwrap().index.is_empty());
}

#[test]
fn a_slowly_growing_file_is_reported_once_in_its_final_form() {
    let w = World::new(LiveConfig::default());
    let mut f = fs::File::create(w.path("slow.jpg")).unwrap();
    for _ in 0..20 {
        f.write_all(&[7; 1024]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(w.reports("slow.jpg"), 0, "reported while it was written");
    drop(f);
    w.converge();
    assert_eq!(w.reports("slow.jpg"), 1);
    assert_eq!(
        w.state.lock().unwrap().index[&rel("slow.jpg")].size,
        20 * 1024
    );
}

#[test]
fn a_directory_moved_within_the_root_reports_under_its_new_name_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/deep/er")).unwrap();
    fs::write(dir.path().join("a/deep/er/1.jpg"), b"1").unwrap();
    let w = World::over(dir, LiveConfig::default());
    for round in 0..20 {
        let (old, new) = if round % 2 == 0 {
            ("a", "b")
        } else {
            ("b", "a")
        };
        fs::rename(w.path(old), w.path(new)).unwrap();
        w.converge();
        let file = format!("{new}/deep/er/r{round}.jpg");
        w.write(&file, b"late");
        w.converge();
        assert_eq!(w.reports(&format!("{old}/deep/er/r{round}.jpg")), 0);
    }
    assert!(w.saw(|e| matches!(e, SourceEvent::DirGone { path, .. } if *path == rel("a"))));
}

#[test]
fn directories_moved_in_out_and_deleted_converge() {
    let outside = tempfile::tempdir().unwrap();
    let w = World::new(LiveConfig::default());
    fs::create_dir_all(outside.path().join("t/u")).unwrap();
    fs::write(outside.path().join("t/u/1.jpg"), b"1").unwrap();
    fs::rename(outside.path().join("t"), w.path("t")).unwrap();
    w.converge();
    w.write("t/u/2.jpg", b"2");
    w.converge();
    fs::rename(w.path("t"), outside.path().join("t")).unwrap();
    w.converge();
    // The watch that went with it is gone: nothing out there is heard.
    wait_until("the watches to go", || w.source.health().watched_dirs == 1);
    fs::rename(outside.path().join("t"), w.path("t")).unwrap();
    w.converge();
    fs::remove_dir_all(w.path("t")).unwrap();
    w.converge();
    // The same name again, at once.
    for _ in 0..20 {
        fs::create_dir_all(w.path("t/u")).unwrap();
        w.write("t/u/3.jpg", b"3");
        fs::remove_dir_all(w.path("t")).unwrap();
        fs::create_dir_all(w.path("t/u")).unwrap();
        w.write("t/u/4.jpg", b"4");
        w.converge();
        fs::remove_dir_all(w.path("t")).unwrap();
    }
    w.converge();
}

#[test]
fn a_new_tree_and_a_file_in_it_at_once_is_never_missed() {
    let w = World::new(LiveConfig::default());
    for round in 0..300 {
        fs::create_dir_all(w.path(&format!("{round}/b/c"))).unwrap();
        w.write(&format!("{round}/b/c/x.jpg"), b"x");
        if round % 50 == 49 {
            w.converge();
        }
    }
    w.converge();
    assert_eq!(w.state.lock().unwrap().index.len(), 300);
}

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
        let (mut file, _) =
            crate::source::open_beneath(w.dir.path(), &rel(&format!("{i}.jpg"))).unwrap();
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
fn links_and_special_files_are_no_files() {
    let w = World::new(LiveConfig::default());
    symlink("/dev/zero", w.path("zero.jpg")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        w.path("fifo.jpg"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::create_dir(w.path("d")).unwrap();
    w.write("d/x.jpg", b"x");
    w.converge();
    // A directory becomes a link to another: the same names, but behind a link.
    fs::rename(w.path("d"), w.path("e")).unwrap();
    symlink("e", w.path("d")).unwrap();
    w.converge();
    let keys: Vec<RelPath> = w.state.lock().unwrap().index.keys().cloned().collect();
    assert_eq!(keys, [rel("e/x.jpg")]);
    // And back; the link must not have counted as a watched directory.
    fs::remove_file(w.path("d")).unwrap();
    fs::create_dir(w.path("d")).unwrap();
    w.write("d/y.jpg", b"y");
    w.converge();
}

#[test]
fn a_file_becomes_a_directory_and_back() {
    let w = World::new(LiveConfig::default());
    w.write("x.jpg", b"x");
    w.converge();
    fs::remove_file(w.path("x.jpg")).unwrap();
    fs::create_dir(w.path("x.jpg")).unwrap();
    w.write("x.jpg/y.jpg", b"x");
    w.converge();
    fs::remove_dir_all(w.path("x.jpg")).unwrap();
    w.write("x.jpg", b"z");
    w.converge();
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
fn a_storm_of_everything_converges() {
    let w = World::new(LiveConfig::default());
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let dirs = ["", "a", "b", "a/c", "b/c", "a/c/d"];
    for step in 0..1500 {
        let (d, e) = (dirs[next(6) as usize], dirs[next(6) as usize]);
        let (f, g) = (
            w.path(&format!("{d}/{}.jpg", next(4))),
            w.path(&format!("{e}/{}.jpg", next(4))),
        );
        // Each may fail: what matters is what is there in the end.
        let _ = match next(8) {
            0 | 1 => fs::create_dir_all(w.path(d)),
            2 | 3 => fs::write(f, [1; 10]),
            4 => fs::rename(f, g),
            5 if !d.is_empty() && !e.is_empty() => fs::rename(w.path(d), w.path(e)),
            6 => fs::remove_file(f),
            7 if !d.is_empty() && step % 7 == 0 => fs::remove_dir_all(w.path(d)),
            _ => Ok(()),
        };
        if step % 300 == 299 {
            w.converge();
        }
    }
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
