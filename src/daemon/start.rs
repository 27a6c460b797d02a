//! What `watch` and `index` have in common: opening things, in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Observer;
use super::actor::RootPlan;
use super::error::DaemonError;
use super::lock::DataDirLock;
use super::room::lock_with_room;
use super::search_model;
use crate::config::{Config, Decode};
use crate::index::{
    CloserPlan, Indexer, IndexerOptions, ModelPlan, TagPlan, leave_behind, lower_priority,
};
use crate::media::{DECODER_VERSION, Inspector, Inspects, Limits};
use crate::model::packs::{self, Packs};
use crate::model::{self, ModelPack, default_pack, faces_pack, things_pack};
use crate::source::{Filter, FilterConfig};
use crate::store::{Recovery, Store, StoreReader, ThumbStore};
use crate::tag::{
    ClassOdds, Classifier, Detectors, FaceOdds, Head, Lexicon, TagError, ThingOdds, Vocabulary,
};
use crate::worker::{Pool, PoolOptions};

/// Settings of one run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where the index lives.
    pub data_dir: PathBuf,
    /// Folders, as given.
    pub roots: Vec<PathBuf>,
    /// Everything else.
    pub config: Config,
}

/// The classifier of a pack, with its words.
///
/// # Errors
/// If the pack's files do not belong together.
pub fn classifier(pack: &ModelPack) -> Result<Classifier, DaemonError> {
    let table = |name| pack.text_file(name);
    let vocabulary = Vocabulary::parse(
        &table("vocabulary.tsv")?,
        &table("concepts.tsv")?,
        &table("classes.tsv")?,
    )?;
    // Words for what detectors see are there whether they are on or not, as those of the lexicon are.
    let vocabulary = vocabulary
        .with_kinds()
        .with_things(&things_pack()?.text_file("classes.tsv")?)?;
    let head = Head::parse(&pack.file("head.bin")?)?;
    if head.dims() != pack.dims {
        return Err(DaemonError::Tag(TagError::Mismatch {
            what: "the model's vectors",
            found: head.dims(),
            expected: pack.dims,
        }));
    }
    let Some(model::Calibration::Softmax {
        temperature,
        classes,
        kinds,
        concepts,
    }) = pack.calibration
    else {
        return Err(DaemonError::Uncalibrated(pack.id.to_string()));
    };
    let calibration = ClassOdds {
        temperature,
        classes,
        kinds,
        concepts,
    };
    Ok(Classifier::new(vocabulary, head, calibration)?)
}

/// What the boxes of these packs are worth.
///
/// # Errors
/// If a pack does not say so.
pub fn detectors(
    things: Option<&ModelPack>,
    faces: Option<&ModelPack>,
) -> Result<Detectors, DaemonError> {
    let uncalibrated = |pack: &ModelPack| DaemonError::Uncalibrated(pack.id.to_string());
    let revision = |pack: &&ModelPack| pack.manifest.label_revision.clone().unwrap_or_default();
    let label_revision: Vec<String> = [things, faces].iter().flatten().map(revision).collect();
    let things = things.map(|pack| match (&pack.calibration, pack.manifest.people) {
        (
            Some(model::Calibration::SizedLogistic {
                area,
                per_area,
                alone,
                with_classifier,
                with_classifier_size,
            }),
            Some(people),
        ) => Ok(ThingOdds {
            size: [*area, *per_area],
            alone: *alone,
            with_classifier: *with_classifier,
            with_classifier_size: *with_classifier_size,
            people: people.weights,
            people_constant: people.constant,
            people_least: people.least,
            face_area: people.face_area,
        }),
        _ => Err(uncalibrated(pack)),
    });
    let faces = faces.map(|pack| match pack.calibration {
        Some(model::Calibration::Threshold { shown }) => Ok(FaceOdds {
            shown,
            after: pack
                .manifest
                .after
                .as_ref()
                .map(|after| (after.class.clone(), after.score)),
        }),
        _ => Err(uncalibrated(pack)),
    });
    Ok(Detectors {
        things: things.transpose()?,
        faces: faces.transpose()?,
        label_revision: label_revision.join(" "),
    })
}

/// How decoding processes are kept, as the settings have it.
pub fn decoding(config: &Config) -> PoolOptions {
    PoolOptions {
        program: None,
        deadline: Duration::from_secs(config.decode_seconds),
        memory: config.decode_memory_mib << 20,
        max_megapixels: config.max_megapixels,
        first: None,
    }
}

/// Who looks at pictures, as the settings have it; beside other work, if that is what the settings want.
pub fn inspector(config: &Config, beside: bool) -> Arc<dyn Inspects> {
    match config.decode {
        Decode::InProcess => Arc::new(Inspector::new(
            Limits::default().with_megapixels(config.max_megapixels),
        )),
        Decode::Workers => Arc::new(Pool::new(PoolOptions {
            first: (config.background && beside).then_some(lower_priority),
            ..decoding(config)
        })),
    }
}

impl Setup {
    /// Locks the data directory, opens the index and starts the pipeline.
    pub(super) fn start(&self, way: Way, observer: &dyn Observer) -> Result<Started, DaemonError> {
        let lock = lock_with_room(&self.data_dir, way, observer)?;
        let (mut store, recovery) = Store::open(&self.data_dir)?;
        tell(recovery, observer);
        let thumbs = ThumbStore::open(&self.data_dir)?;
        remove_old_files(&self.data_dir);
        store.count_from(self.config.min_confidence)?;
        store.doubt_older_than(DECODER_VERSION)?;
        let classifier = default_pack()?;
        let model = classifier.id.to_string();
        let chosen = packs::in_use(&self.data_dir);
        let plan = ModelPlan {
            tags: self.tag_plan(&classifier)?,
            classifier,
            things: self.config.detect.things.then(things_pack).transpose()?,
            faces: self.config.detect.faces.then(faces_pack).transpose()?,
            derived: search_model::derived(&self.data_dir)?,
            search: search_model::choice(&self.data_dir, &chosen),
            before: search_model::before(&self.data_dir, &store)?,
            data_dir: self.data_dir.clone(),
            threads: self.parallel(),
        };
        let options = IndexerOptions {
            parallel: self.parallel(),
            max_file: self.config.max_file_mib << 20,
            background: self.config.background && way == Way::Watch,
            one_pass: way == Way::Once,
            inspector: inspector(&self.config, way == Way::Watch),
            model: Some(plan),
            closer: self.closer(&mut store)?,
        };
        let indexer = Indexer::start(store, thumbs, &self.data_dir, options)?;
        Ok(Started {
            lock,
            indexer,
            model,
            chosen,
        })
    }

    /// What looks closer, behind everything else.
    fn closer(&self, store: &mut Store) -> Result<Vec<CloserPlan>, DaemonError> {
        let packs = Packs::new(&self.data_dir);
        let mut plans = Vec::new();
        if self.config.detect.text {
            plans.push(CloserPlan::text(packs.places(), self.parallel())?);
        }
        let (people, same) = CloserPlan::people(packs)?;
        store.tell_faces_apart(same);
        plans.push(people);
        Ok(plans)
    }

    /// What photos are tagged with.
    pub(super) fn tag_plan(&self, pack: &ModelPack) -> Result<TagPlan, DaemonError> {
        let detect = &self.config.detect;
        let things = detect.things.then(things_pack).transpose()?;
        let faces = detect.faces.then(faces_pack).transpose()?;
        Ok(TagPlan {
            classifier: Arc::new(classifier(pack)?),
            label_revision: pack.manifest.label_revision.clone().unwrap_or_default(),
            detectors: Arc::new(detectors(things.as_ref(), faces.as_ref())?),
            things: things.map(|pack| pack.id),
            faces: faces.map(|pack| pack.id),
            lexicon: Arc::new(Lexicon::built_in()?),
            terms: self.config.labels.terms,
            data_dir: self.data_dir.clone(),
            threads: self.parallel(),
        })
    }

    /// What each root is to be kept with.
    ///
    /// # Errors
    /// Roots inside each other, a bad exclude pattern, or no root that is there or was indexed
    /// before: one that is away is waited for, but if there is none at all that is a mistake.
    pub(super) fn plans(&self) -> Result<Vec<RootPlan>, DaemonError> {
        let roots = self.resolved_roots()?;
        let setup = Arc::new(self.clone());
        let plans = roots.iter().map(|path| RootPlan::new(&setup, path, None));
        let plans = plans.collect::<Result<Vec<_>, DaemonError>>()?;
        self.refuse_if_all_unknown(&roots)?;
        Ok(plans)
    }

    fn refuse_if_all_unknown(&self, roots: &[PathBuf]) -> Result<(), DaemonError> {
        let known = StoreReader::open(&self.data_dir).and_then(|reader| reader.roots());
        let known = known.unwrap_or_default();
        let mut mistake = None;
        for path in roots {
            let asked = path.clone();
            // A disk that does not answer is there.
            let is_folder = answered(move || asked.is_dir());
            if is_folder != Some(false) || known.iter().any(|row| row.path == *path) {
                return Ok(());
            }
            let asked = path.clone();
            let reason = if answered(move || asked.exists()) == Some(true) {
                "it is not a folder"
            } else {
                "there is no such folder; check the spelling, or mount its volume first"
            };
            mistake.get_or_insert(DaemonError::Root {
                path: path.clone(),
                reason: reason.to_owned(),
            });
        }
        mistake.map_or(Ok(()), Err)
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
            let path = resolved(given);
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

    /// What is left out of a root.
    ///
    /// # Errors
    /// A bad exclude pattern.
    pub fn filter(&self, root: &Path) -> Result<Filter, DaemonError> {
        Ok(Filter::new(root, &self.filter_config(root))?)
    }

    pub(super) fn filter_config(&self, root: &Path) -> FilterConfig {
        let mut exclude = self.config.exclude.clone();
        // Our own files are no photos.
        if let Ok(inside) = absolute(&self.data_dir).strip_prefix(root) {
            exclude.push(format!("/{}/", literal(&inside.to_string_lossy())));
        }
        FilterConfig {
            exclude,
            hidden: self.config.hidden,
            follow_links: self.config.follow_symlinks,
        }
    }
}

/// What the pipeline is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `photond watch`.
    Watch,
    /// `photond index`.
    Once,
}

/// Asks a disk something, on a thread that is left behind if the disk does not answer.
fn answered<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    /// Longer than a disk takes to wake up is not worth holding up the start of everything else.
    const PATIENCE: Duration = Duration::from_secs(3);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("photond-ask".to_owned())
        .spawn(move || tell.send(question()))
        .ok()?;
    let answer = told.recv_timeout(PATIENCE).ok();
    if answer.is_none() {
        leave_behind("a look at a folder");
    }
    answer
}

/// A root's path with links resolved; merely absolute if its disk does not answer.
fn resolved(given: &Path) -> PathBuf {
    let asked = given.to_path_buf();
    answered(move || absolute(&asked))
        .unwrap_or_else(|| std::path::absolute(given).unwrap_or_else(|_| given.to_path_buf()))
}

pub(super) fn tell(recovery: Option<Recovery>, observer: &dyn Observer) {
    if let Some(recovery) = recovery {
        observer.notice(&recovery.to_string());
    }
}

/// Removes what earlier versions derived from the index and nobody reads any more.
fn remove_old_files(data_dir: &Path) {
    let old = [
        ".bank",
        ".bank.lock",
        ".vec",
        ".phrases",
        ".background.json",
    ];
    for folder in ["labels", "vectors"].map(|name| data_dir.join(name)) {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for file in files.filter(|f| f.file_type().is_ok_and(|t| t.is_file())) {
            let name = file.file_name();
            if old.iter().any(|end| name.to_string_lossy().ends_with(end)) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
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
    /// Name of the search model that it began with.
    pub chosen: String,
}
