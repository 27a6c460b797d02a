//! The search model in use: follows a person's choice while the daemon runs, and sees the switch
//! through.
//!
//! `photond model use` writes a name into the data directory; the daemon is woken by that and loads
//! the pack. Photos that were indexed before are caught up behind everything else. Queries go by
//! the old space until the new one is whole; how far that is stands in the index itself, so that a
//! kill costs nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::Watcher;

use super::Observer;
use super::error::DaemonError;
use super::report::{ModelReport, Rate, SearchReport};
use super::sighting::Sighting;
use crate::embedding::ModelId;
use crate::index::{Derived, Indexer, SearchChoice, SettledModel, vocabulary_dir};
use crate::model::{ModelPack, Projection, default_pack, packs};
use crate::search::{SearchError, Searcher, SourceNames, Space, choose, vectors_dir};
use crate::store::{SpaceKind, Store, StoreReader};
use crate::tag::{Lexicon, OWN_TERMS_DIR, OwnTerms, Words};

/// How often a space that is being filled is counted.
const COUNT: Duration = Duration::from_secs(10);
/// How often at least what is lacking is looked for again while nothing else is to be done.
const LONGEST: Duration = Duration::from_secs(3600);

/// The space that costs no inference.
pub(super) fn derived(data_dir: &Path) -> Result<Derived, DaemonError> {
    let pack = packs::derived(data_dir)?;
    Ok(Derived {
        projection: Arc::new(Projection::new(&pack)?),
        dims: pack.dims,
        id: pack.id,
    })
}

/// The search model of this name, which has been chosen. Who chooses may choose again meanwhile: the name is not
/// asked for here once more.
pub(super) fn choice(data_dir: &Path, name: &str) -> SearchChoice {
    match packs::open(data_dir, name) {
        Ok(pack) if pack.derived_from().is_some() => SearchChoice::Derived,
        Ok(pack) => SearchChoice::Graph(Box::new(pack)),
        Err(e) => SearchChoice::Broken(name.to_owned(), e.to_string()),
    }
}

/// The search model that queries go by, if it has a graph of its own, is another than the one in use,
/// and can be opened.
pub(super) fn before(
    data_dir: &Path,
    store: &Store,
) -> Result<Option<Box<ModelPack>>, DaemonError> {
    let Some(serving) = store.reader()?.serving()? else {
        return Ok(None);
    };
    let name = serving.name.pack_name();
    if name == packs::in_use(data_dir) {
        return Ok(None);
    }
    let pack = packs::open(data_dir, name).ok().filter(|pack| {
        pack.id == serving.name && pack.dims == serving.dims && pack.derived_from().is_none()
    });
    Ok(pack.map(Box::new))
}

/// Vectors forgotten in one transaction.
const FORGOTTEN: usize = 2000;

/// Forgets some vectors of a search model whose pack has been removed or replaced by another
/// revision, or some boxes of a detector's earlier revision; true: there are more.
pub(super) fn drop_removed(store: &mut Store, data_dir: &Path) -> bool {
    try_drop_removed(store, data_dir).unwrap_or_else(|e| {
        tracing::warn!("upkeep: {e}");
        false
    })
}

fn try_drop_removed(store: &mut Store, data_dir: &Path) -> Result<bool, DaemonError> {
    // A folder that cannot be read says nothing of what was removed.
    if std::fs::read_dir(data_dir.join("models")).is_err() {
        return Ok(false);
    }
    let packs = packs::Packs::new(data_dir).list();
    let in_use = packs::in_use(data_dir);
    let wanted = |id: &ModelId| {
        let name = id.pack_name();
        packs.iter().any(|entry| match &entry.pack {
            Ok(pack) => pack.id == *id,
            Err(_) => entry.name == name,
        }) || (name == in_use && !packs.iter().any(|entry| entry.name == name))
    };
    let removed = store.reader()?.models()?.into_iter().find(|row| {
        row.kind != SpaceKind::Classifier && row.dims > 0 && !row.serving && !wanted(&row.name)
    });
    let Some(row) = removed else {
        return Ok(false);
    };
    for folder in [
        vectors_dir(data_dir, &row.name),
        vocabulary_dir(data_dir, &row.name),
    ] {
        let _ = std::fs::remove_dir_all(folder);
    }
    store.drop_space(row.id, FORGOTTEN)?;
    // Perhaps another model's, too.
    Ok(true)
}

/// Calls `wake` when the choice may have changed, as long as the returned guard lives. Where the
/// system has no watch to give, the daemon's own looks around must do.
pub(super) fn on_choice(
    data_dir: &Path,
    wake: impl Fn() + Send + 'static,
) -> Option<notify::RecommendedWatcher> {
    let dirs = ["models", OWN_TERMS_DIR].map(|dir| data_dir.join(dir));
    for dir in &dirs {
        std::fs::create_dir_all(dir).ok()?;
    }
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no news.
        if event.is_ok_and(|e| !e.kind.is_access()) {
            wake();
        }
    })
    .ok()?;
    for dir in &dirs {
        let mode = notify::RecursiveMode::NonRecursive;
        watcher.watch(dir, mode).ok()?;
    }
    Some(watcher)
}

/// What the daemon knows of the choice.
pub(super) struct SearchModel {
    data_dir: PathBuf,
    name: String,
    /// Its folder when it was last opened: a pack that comes, goes or is replaced is taken on.
    seen: Sighting,
    settled: SettledModel,
    /// The counter of photos caught up when that was found.
    counted: u64,
    /// When the pipeline was last asked how far it is, and how long until it is asked again.
    asked: Option<Instant>,
    patience: Duration,
    was_busy: bool,
    rate: Rate,
    /// A switch is being made, and its end is worth a word.
    switching: bool,
    /// The file that names the choice cannot be read, and that has been said.
    told_damaged: bool,
    prepared: Prepared,
}

/// The manifest of a pack by this name.
fn sighting(data_dir: &Path, name: &str) -> Sighting {
    Sighting::of(&data_dir.join("models").join(name).join("model.toml"))
}

/// How often the derived files of queries are brought up to date, at most.
const PREPARE: Duration = Duration::from_secs(60);
/// New vectors that make that worth while: a query reads so many from the database in a few
/// milliseconds.
const WORTH_WHILE: i64 = 1000;

/// The derived files of queries.
#[derive(Default)]
struct Prepared {
    thread: Option<JoinHandle<Option<i64>>>,
    last: Option<Instant>,
    /// Newest vector they hold.
    seq: Option<i64>,
    stop: Arc<AtomicBool>,
}

impl Prepared {
    /// Brings them up to date on a thread of its own if enough has come in.
    fn look(&mut self, data_dir: &Path, indexer: &Indexer) {
        if let Some(thread) = self.thread.take_if(|t| t.is_finished()) {
            self.seq = thread.join().ok().flatten().or(self.seq);
        }
        if self.thread.is_some() || self.last.is_some_and(|at| at.elapsed() < PREPARE) {
            return;
        }
        let newest = StoreReader::open(data_dir).and_then(|reader| reader.last_seq());
        let due = match (&newest, self.seq) {
            (Ok(newest), Some(seq)) => newest - seq >= WORTH_WHILE,
            (Ok(_), None) => true,
            (Err(_), _) => false,
        };
        if !due {
            return;
        }
        self.last = Some(Instant::now());
        let taken = indexer.take_text_model();
        let (data_dir, stop) = (data_dir.to_path_buf(), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name("photond-prepare".to_owned());
        self.thread = thread
            .spawn(move || {
                crate::index::lower_priority();
                let seq = prepare(&data_dir, &stop).inspect_err(|e| tracing::debug!("{e}"));
                drop(taken);
                crate::index::give_memory_back();
                seq.ok()
            })
            .ok();
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Never leave a thread inside the model's runtime behind.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn prepare(data_dir: &Path, stop: &AtomicBool) -> Result<i64, DaemonError> {
    let reader = StoreReader::open(data_dir)?;
    let seq = reader.last_seq()?;
    let pack = default_pack()?;
    let classifier = super::classifier(&pack)?;
    let (lexicon, own) = (Lexicon::built_in()?, OwnTerms::default());
    let searcher = Searcher {
        reader: &reader,
        words: Words {
            vocabulary: classifier.vocabulary(),
            lexicon: &lexicon,
            own: &own,
        },
        classifier: &classifier,
        sources: SourceNames::default(),
        cutoff: 0.0,
    };
    let chosen = match choose(&reader, data_dir) {
        Err(SearchError::NothingSeen { .. }) => return Ok(seq),
        chosen => chosen?,
    };
    let space = Space {
        pack: &chosen.pack,
        model: chosen.row.id,
        classifier: &pack,
        data_dir,
        max_file: 0,
        stop: Some(stop),
        text: None,
    };
    crate::search::prepare(&searcher, &space)?;
    Ok(seq)
}

impl SearchModel {
    /// The pipeline has begun with the model of this name.
    pub fn new(data_dir: &Path, name: String) -> Self {
        Self {
            data_dir: data_dir.to_path_buf(),
            seen: sighting(data_dir, &name),
            name,
            settled: SettledModel::Unknown,
            counted: 0,
            asked: None,
            patience: COUNT,
            was_busy: false,
            rate: Rate::new(),
            switching: false,
            told_damaged: false,
            prepared: Prepared::default(),
        }
    }

    /// Tells the pipeline when another model has been chosen.
    pub fn follow(&mut self, indexer: &Indexer) {
        let name = match packs::Packs::new(&self.data_dir).in_use() {
            Ok(name) => name,
            Err(e) => {
                // A damaged file is nobody's choice.
                if !std::mem::replace(&mut self.told_damaged, true) {
                    tracing::warn!("{e}; search model {} stays", self.name);
                }
                return;
            }
        };
        self.told_damaged = false;
        let seen = sighting(&self.data_dir, &name);
        if name == self.name && seen == self.seen {
            return;
        }
        tracing::info!("search model: {name} (it was {})", self.name);
        self.name = name;
        self.seen = seen;
        self.settled = SettledModel::Unknown;
        self.asked = None;
        self.patience = COUNT;
        self.switching = true;
        let serving = StoreReader::open(&self.data_dir).and_then(|reader| reader.serving());
        let serving = serving.ok().flatten().map(|row| row.name);
        indexer.use_search(choice(&self.data_dir, &self.name), serving);
    }

    /// Has queries go by the new space once it is whole: asks now and then, never waits.
    pub fn settle(&mut self, indexer: &Indexer, busy: bool, observer: &dyn Observer) {
        let found = indexer.settled();
        // The pipeline takes a choice on when it comes to it; until then it speaks of the one before.
        let ours = match &found {
            SettledModel::Serving { id } | SettledModel::Behind { id, .. } => {
                id.pack_name() == self.name
            }
            SettledModel::Unknown => false,
        };
        if ours && found != self.settled {
            let serving = matches!(found, SettledModel::Serving { .. });
            if serving && self.switching {
                observer.notice(&format!("queries use {} now", self.name));
            }
            if serving {
                indexer.request_tags();
            }
            self.switching = !serving;
            self.counted = indexer.progress().snapshot().caught_up;
            self.settled = found;
        }
        // Not ours: a choice before this one was served since, and what was heard last is old.
        if ours && matches!(self.settled, SettledModel::Serving { .. }) {
            if !busy {
                self.prepared.look(&self.data_dir, indexer);
            }
            return;
        }
        let turned = self.was_busy && !busy;
        self.was_busy = busy;
        // Asked before the pipeline has taken the choice on, it would speak of the one before, and
        // the next look may be far: it wakes the daemon when it has.
        let taken_on = indexer
            .search_state()
            .is_some_and(|(id, _)| id.pack_name() == self.name);
        if !taken_on {
            return;
        }
        if !turned && self.asked.is_some_and(|at| at.elapsed() < self.patience) {
            return;
        }
        self.asked = Some(Instant::now());
        if busy || turned || !ours {
            self.patience = COUNT;
            indexer.request_settling();
        } else {
            // Idle and not whole: something was lost on the way, or is out of reach for now.
            self.patience = (self.patience * 2).min(LONGEST);
            indexer.request_catch_up();
        }
    }

    /// For `status`.
    pub fn report(&mut self, indexer: &Indexer) -> Option<SearchReport> {
        let (id, state) = indexer.search_state()?;
        let caught_up = indexer.progress().snapshot().caught_up;
        let rate = self.rate.update(Instant::now(), caught_up);
        let mut report = SearchReport {
            model: ModelReport::new(&id.0, state),
            meanwhile: None,
            done: None,
            photos: None,
            lost: 0,
            rate,
            eta_s: None,
        };
        if let SettledModel::Behind {
            serving,
            done,
            photos,
            lost,
            ..
        } = &self.settled
        {
            let photos = u64::try_from(*photos).unwrap_or(0);
            let done = u64::try_from(*done).unwrap_or(0) + caught_up.saturating_sub(self.counted);
            let done = done.min(photos);
            report.meanwhile = serving.as_ref().map(ToString::to_string);
            report.done = Some(done);
            report.photos = Some(photos);
            report.lost = u64::try_from(*lost).unwrap_or(0);
            if rate > 0.01 {
                report.eta_s = Some(((photos - done) as f64 / rate).ceil() as u64);
            }
        }
        Some(report)
    }
}
