//! What the daemon does for its index beside the photos: a daily sweep, check and backup, and a look
//! at whether the file is still there.
//!
//! The check and the backup read on connections of their own, on a thread of lowest priority: the
//! writer is never held up. Damage that is found ends the run in order, and the next one mends it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::DaemonError;
use super::search_model;
use crate::failpoint;
use crate::index::{Indexer, lower_priority};
use crate::store::{
    BACKUP_FILE, INDEX_FILE, PreviewStore, Store, StoreError, ThumbStore, back_up_if_older,
    check_index,
};

/// How long content without a path is kept.
const GRACE: Duration = Duration::from_secs(30 * 86400);
/// How often the index is swept, checked and backed up.
const EVERY: Duration = Duration::from_secs(86400);
/// How long after the start that is first done: whoever has just logged in has other things to do.
const FIRST: Duration = Duration::from_secs(600);
/// How long it is quiet before an index that has no backup yet gets its first: the first indexing
/// may take days, and go on in a moment.
const FIRST_BACKUP: Duration = Duration::from_secs(60);
/// How soon the next try is made where a backup could not be.
const RETRY: Duration = Duration::from_secs(3600);
/// How often the index's own name is looked at: one `stat`.
const LOOK: Duration = Duration::from_secs(2);

/// When what is due.
pub(super) struct Upkeep {
    data_dir: PathBuf,
    next: Instant,
    next_look: Instant,
    /// The last upkeep left something to do.
    more: Arc<AtomicBool>,
    /// The index was not closed in peace.
    unchecked: Arc<AtomicBool>,
    quiet_since: Option<Instant>,
    next_first: Instant,
    /// Which file the index is.
    file: Option<(u64, u64)>,
    /// Its name is another's by now, and that is being seen to.
    lost: bool,
    /// Something was taken out of the data directory since the last look.
    moved: Arc<AtomicBool>,
    /// Sees that; without one the daemon's own looks around must do.
    _watcher: Option<notify::RecommendedWatcher>,
    found: Arc<Mutex<Option<StoreError>>>,
    at_work: Option<JoinHandle<()>>,
}

fn identity(data_dir: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(data_dir.join(INDEX_FILE)).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// A test need not wait for it.
fn first() -> Duration {
    if failpoint::is_ordered("upkeep.early") {
        Duration::ZERO
    } else {
        FIRST
    }
}

/// Wakes the daemon when something is taken out of its data directory, or renamed there.
fn on_removal(
    indexer: &Indexer,
    data_dir: &Path,
    moved: &Arc<AtomicBool>,
) -> Option<notify::RecommendedWatcher> {
    use notify::{Config, EventKindMask, RecursiveMode, Watcher};
    let (moved, progress) = (Arc::clone(moved), Arc::clone(indexer.progress()));
    let kinds = EventKindMask::REMOVE | EventKindMask::MODIFY_NAME;
    let config = Config::default().with_event_kinds(kinds);
    let wake = move |event: notify::Result<notify::Event>| {
        let index = |path: &PathBuf| path.file_name().is_some_and(|name| name == INDEX_FILE);
        if event.is_ok_and(|event| event.paths.iter().any(index)) {
            moved.store(true, Ordering::Relaxed);
            progress.turn();
        }
    };
    let mut watcher = notify::RecommendedWatcher::new(wake, config).ok()?;
    watcher.watch(data_dir, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

impl Upkeep {
    pub(super) fn new(indexer: &Indexer, data_dir: &Path) -> Self {
        let unchecked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&unchecked);
        indexer.post(move |store| flag.store(store.is_unchecked(), Ordering::Relaxed));
        let moved = Arc::<AtomicBool>::default();
        Self {
            _watcher: on_removal(indexer, data_dir, &moved),
            moved,
            data_dir: data_dir.to_path_buf(),
            next: Instant::now() + first(),
            next_look: Instant::now(),
            more: Arc::default(),
            unchecked,
            quiet_since: None,
            next_first: Instant::now(),
            file: identity(data_dir),
            lost: false,
            found: Arc::default(),
            at_work: None,
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Damage that was found since the last call.
    pub(super) fn tick(&mut self, indexer: &Arc<Indexer>, busy: bool) -> Result<(), DaemonError> {
        if let Some(e) = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            return Err(e.into());
        }
        let now = Instant::now();
        self.look(indexer, now);
        self.quiet_since = if busy {
            None
        } else {
            self.quiet_since.or(Some(now))
        };
        let Some(since) = self.quiet_since else {
            return Ok(());
        };
        // Not before the last check and backup have ended.
        let idle = self.at_work.as_ref().is_none_or(JoinHandle::is_finished);
        let due = idle && self.next <= now;
        if due || self.more.swap(false, Ordering::Relaxed) {
            let (dir, more) = (self.data_dir.clone(), Arc::clone(&self.more));
            indexer.post(move |store| {
                if due {
                    sweep(store, &dir);
                }
                more.store(search_model::drop_removed(store, &dir), Ordering::Relaxed);
            });
        }
        let unchecked = self.unchecked.load(Ordering::Relaxed);
        let first = since.elapsed() >= FIRST_BACKUP
            && self.next_first <= now
            && !self.data_dir.join(BACKUP_FILE).exists();
        if idle && (due || unchecked || first) {
            if due {
                self.next = now + EVERY;
            }
            self.next_first = now + RETRY;
            self.unchecked.store(false, Ordering::Relaxed);
            self.begin(indexer);
        }
        Ok(())
    }

    /// Deleted or replaced while it was open: what is in it is saved from the open connection.
    fn look(&mut self, indexer: &Indexer, now: Instant) {
        let moved = self.moved.swap(false, Ordering::Relaxed);
        if self.lost || (!moved && now < self.next_look) {
            return;
        }
        self.next_look = now + LOOK;
        let is = identity(&self.data_dir);
        if is == self.file || self.file.is_none() {
            self.file = is;
            return;
        }
        self.lost = true;
        let (found, progress) = (Arc::clone(&self.found), Arc::clone(indexer.progress()));
        let what = if is.is_none() {
            "it was deleted or moved away while photond ran"
        } else {
            "another file was put in its place while photond ran"
        };
        indexer.post(move |store| {
            let e = store.save_lost(what);
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
            // Heard at once, not at the next look around.
            progress.turn();
        });
    }

    fn begin(&mut self, indexer: &Arc<Indexer>) {
        let (dir, found) = (self.data_dir.clone(), Arc::clone(&self.found));
        let writer = Arc::downgrade(indexer);
        let progress = Arc::clone(indexer.progress());
        let begun = std::thread::Builder::new()
            .name("photond-upkeep".to_owned())
            .spawn(move || {
                lower_priority();
                let damage = |e: StoreError| {
                    tracing::warn!("upkeep: {e}");
                    if e.is_corruption() {
                        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                        progress.turn();
                    }
                };
                match check_index(&dir) {
                    Ok(checked) => {
                        let post = move |store: &mut Store| {
                            let mended = if checked.counts {
                                Ok(())
                            } else {
                                store.recount()
                            };
                            let sealed = mended.and_then(|()| {
                                store.was_checked();
                                if store.has_checksums() {
                                    Ok(())
                                } else {
                                    store.add_checksums()
                                }
                            });
                            if let Err(e) = sealed {
                                tracing::warn!("upkeep: {e}");
                            }
                        };
                        if let Some(indexer) = writer.upgrade() {
                            indexer.post(post);
                        }
                    }
                    Err(e) => return damage(e),
                }
                if let Err(e) = back_up_if_older(&dir, EVERY) {
                    damage(e);
                }
            });
        match begun {
            Ok(thread) => self.at_work = Some(thread),
            Err(e) => tracing::warn!("upkeep: {e}"),
        }
    }
}

fn sweep(store: &mut Store, data_dir: &Path) {
    let done = store.sweep(GRACE, 10_000).and_then(|swept| {
        ThumbStore::open(data_dir)?.remove(&swept.photos)?;
        PreviewStore::forget(data_dir, &swept.photos)
    });
    if let Err(e) = done {
        tracing::warn!("upkeep: {e}");
    }
}

/// What a single pass does at its end: a check that was put off, and the daily backup.
///
/// # Errors
/// Damage; that a backup cannot be made is only said.
pub(super) fn after_one_pass(store: &mut Store, data_dir: &Path) -> Result<(), StoreError> {
    if store.is_unchecked() {
        store.check()?;
    }
    match back_up_if_older(data_dir, EVERY) {
        Err(e) if e.is_corruption() => Err(e),
        Err(e) => {
            tracing::warn!("{e}");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
