//! What `watch` and `index` have in common: opening things, in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Observer;
use super::error::DaemonError;
use super::lock::DataDirLock;
use super::search_model;
use crate::config::Config;
use crate::index::{Indexer, IndexerOptions, LabelPlan, LabelSettings, ModelPlan};
use crate::model::{ModelPack, default_pack};
use crate::source::{Filter, FilterConfig};
use crate::store::{Recovery, Store, ThumbStore};
use crate::tag::{Keep, LabelBank, Lexicon, PoolSettings, TagError, Tagger, Vocabulary};

/// Settings of one run.
pub struct Setup {
    /// Where the index lives.
    pub data_dir: PathBuf,
    /// Folders, as given.
    pub roots: Vec<PathBuf>,
    /// Everything else.
    pub config: Config,
}

/// A pack's words and label bank.
///
/// # Errors
/// If the pack's files do not belong together.
pub fn tagger(pack: &ModelPack) -> Result<Tagger, DaemonError> {
    let words = |name| pack.text_file(name);
    let vocabulary = Vocabulary::parse(&words("vocabulary.tsv")?, &words("aliases.tsv")?)?;
    let bank = LabelBank::parse(&pack.file("head.bin")?)?;
    if bank.dims() != pack.dims {
        return Err(DaemonError::Tag(TagError::Mismatch {
            what: "the model's vectors",
            found: bank.dims(),
            expected: pack.dims,
        }));
    }
    Ok(Tagger::new(vocabulary, bank, Keep::default())?)
}

impl Setup {
    /// Locks the data directory, opens the index and starts the pipeline.
    pub(super) fn start(
        &self,
        background: bool,
        observer: &dyn Observer,
    ) -> Result<Started, DaemonError> {
        let lock = DataDirLock::take(&self.data_dir)?;
        let (store, recovery) = Store::open(&self.data_dir)?;
        self.refuse_unknown_missing(&store)?;
        tell(recovery, observer);
        let thumbs = ThumbStore::open(&self.data_dir)?;
        let classifier = default_pack()?;
        let model = classifier.id.to_string();
        let parallel = self.parallel();
        let plan = ModelPlan {
            tagger: Arc::new(tagger(&classifier)?),
            classifier,
            derived: search_model::derived(&self.data_dir)?,
            search: search_model::choice(&self.data_dir),
            before: search_model::before(&self.data_dir, &store)?,
            data_dir: self.data_dir.clone(),
            threads: parallel,
        };
        let labels = match self.config.labels.terms {
            0 => None,
            terms => Some(self.labels(terms, parallel, &plan.tagger)?),
        };
        let options = IndexerOptions {
            labels,
            parallel,
            max_file: self.config.max_file_mib << 20,
            background,
            model: Some(plan),
        };
        let indexer = Indexer::start(store, thumbs, &self.data_dir, options)?;
        Ok(Started {
            lock,
            indexer,
            model,
        })
    }

    fn labels(
        &self,
        terms: usize,
        threads: usize,
        tagger: &Arc<Tagger>,
    ) -> Result<LabelPlan, DaemonError> {
        let tagger = Arc::clone(tagger);
        let pools = &self.config.pools;
        let pools = PoolSettings {
            enabled: pools.enabled,
            sweep_every: pools.sweep_every,
            active_patience: pools.active_patience,
            warm_patience: pools.warm_patience,
            warm_every: pools.warm_every,
            cold_every: pools.cold_every,
            most_missed: pools.most_missed,
            ..PoolSettings::default()
        };
        pools
            .check()
            .map_err(|e| DaemonError::Settings(e.to_string()))?;
        Ok(LabelPlan {
            lexicon: Arc::new(Lexicon::built_in()?),
            names: Arc::new(move |key| {
                let term = tagger.vocabulary().term(key)?;
                Some(term.name.clone())
            }),
            settings: LabelSettings {
                terms,
                cutoff: self.config.min_confidence,
                pools,
            },
            data_dir: self.data_dir.clone(),
            threads,
        })
    }

    /// The same for labels alone: no folder is looked at, and no model sees a photo.
    pub(super) fn start_labels(&self, observer: &dyn Observer) -> Result<Started, DaemonError> {
        let lock = DataDirLock::take(&self.data_dir)?;
        let (store, recovery) = Store::open(&self.data_dir)?;
        tell(recovery, observer);
        let thumbs = ThumbStore::open(&self.data_dir)?;
        let classifier = default_pack()?;
        let words = Arc::new(tagger(&classifier)?);
        let parallel = self.parallel();
        let terms = self.config.labels.terms;
        if terms == 0 {
            observer.notice("labels are turned off by the settings file (labels.terms = 0)");
        }
        let options = IndexerOptions {
            labels: Some(self.labels(terms, parallel, &words)?),
            parallel,
            max_file: self.config.max_file_mib << 20,
            background: false,
            model: None,
        };
        let indexer = Indexer::start(store, thumbs, &self.data_dir, options)?;
        Ok(Started {
            lock,
            indexer,
            model: classifier.id.to_string(),
        })
    }

    /// A root that is not there is waited for if it was indexed before, and is a mistake otherwise.
    fn refuse_unknown_missing(&self, store: &Store) -> Result<(), DaemonError> {
        for path in self.resolved_roots()? {
            if path.is_dir() || store.root_at(&path)?.is_some() {
                continue;
            }
            let reason = if path.exists() {
                "it is not a folder".to_owned()
            } else {
                "there is no such folder; check the spelling, or mount its volume first".to_owned()
            };
            return Err(DaemonError::Root { path, reason });
        }
        Ok(())
    }

    fn parallel(&self) -> usize {
        match self.config.parallel {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            n => n,
        }
    }

    /// The roots as absolute paths, none inside another.
    pub(super) fn resolved_roots(&self) -> Result<Vec<PathBuf>, DaemonError> {
        let mut roots: Vec<PathBuf> = Vec::new();
        for given in &self.roots {
            let path = absolute(given);
            if !roots.contains(&path) {
                roots.push(path);
            }
        }
        for inner in &roots {
            if let Some(outer) = roots.iter().find(|r| *r != inner && inner.starts_with(r)) {
                return Err(DaemonError::Nested {
                    inner: inner.clone(),
                    outer: outer.clone(),
                });
            }
        }
        Ok(roots)
    }

    pub(super) fn filter(&self, root: &Path) -> Result<Arc<Filter>, DaemonError> {
        let mut exclude = self.config.exclude.clone();
        // Our own files are no photos.
        if let Ok(inside) = absolute(&self.data_dir).strip_prefix(root) {
            exclude.push(format!("/{}/", literal(&inside.to_string_lossy())));
        }
        let config = FilterConfig {
            exclude,
            hidden: self.config.hidden,
        };
        Ok(Arc::new(Filter::new(root, &config)?))
    }
}

fn tell(recovery: Option<Recovery>, observer: &dyn Observer) {
    let Some(recovery) = recovery else {
        return;
    };
    observer.notice(&match recovery {
        Recovery::RestoredBackup { aside } => format!(
            "the index was damaged: the last backup took its place, the damaged file is kept as {}",
            aside.display()
        ),
        Recovery::StartedAfresh { aside } => format!(
            "the index was damaged and there was no backup: photos are indexed again, the damaged file is kept as {}",
            aside.display()
        ),
    });
}

/// A path as a gitignore pattern that matches just it.
fn literal(path: &str) -> String {
    path.chars()
        .flat_map(|c| {
            "\\*?[]{}!# "
                .contains(c)
                .then_some('\\')
                .into_iter()
                .chain([c])
        })
        .collect()
}

/// Symbolic links resolved where the folder is there; merely absolute where it is not.
fn absolute(given: &Path) -> PathBuf {
    // Links followed at most: as many as the system itself would.
    const LINKS: usize = 40;
    let mut path = std::path::absolute(given).unwrap_or_else(|_| given.to_path_buf());
    for _ in 0..LINKS {
        if let Ok(real) = std::fs::canonicalize(&path) {
            return real;
        }
        // The volume behind a link is away: the link still says where it was.
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = path
            .parent()
            .map_or_else(|| target.clone(), |dir| dir.join(&target));
    }
    path
}

/// The running pipeline with its lock.
pub(super) struct Started {
    pub lock: DataDirLock,
    pub indexer: Indexer,
    /// The model's name and revision.
    pub model: String,
}
