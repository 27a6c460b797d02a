//! The live source against the real system: a small caller keeps an index by the events alone, and
//! every test ends with that index equal to an independent look at the tree.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::sync::Mutex;

use tempfile::TempDir;

mod changes;
mod trouble;

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
                        // A hint like any other: a new directory of that name may have been scanned
                        // before this was heard.
                        if path.under(&root).is_dir() {
                            scan(&source, &root, &filter, path, &st);
                        }
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
        if let WalkEvent::File { path, stamp } | WalkEvent::Sidecar { path, stamp } = e {
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
            WalkEvent::File { path, stamp } | WalkEvent::Sidecar { path, stamp } => {
                found.insert(path.clone(), stamp);
            }
            WalkEvent::Unreadable { .. } | WalkEvent::Link { .. } | WalkEvent::Special { .. } => {}
        }
        ControlFlow::Continue(())
    });
    let index = &mut state.lock().unwrap().index;
    index.retain(|p, _| !p.is_within(dir));
    index.extend(found);
}
