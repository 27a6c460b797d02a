//! One search model's bank, pools and mark, and the steps of labelling its photos.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::choice::{Chooser, Chosen};
use super::doubt::Doubt;
use super::encode::Encoding;
use super::own::Own;
use super::report::{LabelPhase, LabelReport};
use super::{LabelError, LabelPlan};
use crate::embedding::{ModelId, Tag};
use crate::index::priority;
use crate::model::ModelPack;
use crate::store::{LabelBatch, Labelled, Labelling, PoolRow, StoreReader, decode_vector};
use crate::tag::{
    BankIdentity, BankWriter, Began, Lexicon, Pool, PoolSettings, Pools, RowState, Rows, Scope,
    TermBank, best,
};

/// Photos in one step: a scan of a whole bank for so many takes a second at most, and a pass over
/// the bank is shared by up to 64.
const PAGE: usize = 256;
/// Folder of the banks in the data directory.
const LABELS_DIR: &str = "labels";
/// Rows from which photos are tagged at all, and the bank's first piece.
pub(super) const FIRST: usize = 128;

/// What a person can set of labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelSettings {
    /// Most terms of the built-in vocabulary; 0: no labels.
    pub terms: usize,
    /// Confidence from which a tag is shown: such a one is a hit.
    pub cutoff: f32,
    /// When terms are no longer set against every photo.
    pub pools: PoolSettings,
}

/// Where the bank of a model lies.
#[must_use]
pub fn bank_path(data_dir: &Path, model: &ModelId) -> PathBuf {
    let plain: String = model
        .0
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.@".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    data_dir.join(LABELS_DIR).join(format!("{plain}.bank"))
}

/// What the rows of a pack's bank are made from.
#[must_use]
pub fn identity(pack: &ModelPack, lexicon: &Lexicon) -> BankIdentity {
    let tokenizer = pack
        .text
        .as_ref()
        .and_then(|text| pack.checksum(&text.tokenizer));
    BankIdentity {
        model: pack.id.0.clone(),
        texts: super::encode::texts_of(pack),
        vocabulary: lexicon.version().to_owned(),
        tokenizer: tokenizer.unwrap_or_default().to_owned(),
        dims: pack.dims,
        rows: lexicon.labels(),
    }
}

pub(super) struct Space {
    pub model: i64,
    pub pack: ModelPack,
    pub writer: BankWriter,
    pub bank: Arc<TermBank>,
    pub mark: Labelling,
    pub chooser: Chooser,
    pub encoding: Option<Encoding>,
    pub own: Own,
    pools: Pools,
    doubt: Doubt,
    verified: bool,
    rate: Pace,
    waiting: u64,
}

/// A page of stored vectors.
struct Page {
    photos: Vec<i64>,
    vectors: Vec<Vec<f32>>,
    /// Vectors looked at, those without direction included; none: there are no more.
    seen: usize,
    last: i64,
}

impl Page {
    fn vectors(&self) -> Vec<&[f32]> {
        self.vectors.iter().map(Vec::as_slice).collect()
    }
}

/// Photos a second of a pass.
struct Pace {
    since: Instant,
    photos: u64,
}

impl Pace {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            photos: 0,
        }
    }

    fn rate(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let photos = self.photos as f64;
        photos / self.since.elapsed().as_secs_f64().max(1e-3)
    }
}

type WriteBatch<'a> = &'a dyn Fn(LabelBatch) -> Result<(), LabelError>;

impl Space {
    pub fn open(
        plan: &LabelPlan,
        reader: &StoreReader,
        (pack, model): (ModelPack, i64),
        repair: bool,
    ) -> Result<Self, LabelError> {
        let identity = identity(&pack, &plan.lexicon);
        let path = bank_path(&plan.data_dir, &pack.id);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .map_err(|e| LabelError::Cannot(format!("{}: {e}", dir.display())))?;
        }
        let (writer, bank, began) = if repair {
            BankWriter::repair(&path, &identity)?
        } else {
            BankWriter::open(&path, &identity)?
        };
        match &began {
            Began::New => {}
            Began::Resumed(rows) => tracing::info!("labels: {rows} terms are there already"),
            Began::Rebuilt(reason) => tracing::warn!("{reason}"),
        }
        let mark = reader.labelling(model)?.unwrap_or_default();
        let progress = serde_json::from_str(&mark.relevance).unwrap_or_default();
        let saved: Vec<RowState> = reader
            .label_pools(model)?
            .into_iter()
            .filter_map(|row| {
                Some(RowState {
                    row: row.row,
                    pool: Pool::from_number(row.pool)?,
                    last: row.last_hit,
                    hits: u32::try_from(row.hits).unwrap_or(u32::MAX),
                })
            })
            .collect();
        let pools = Pools::restore(plan.settings.pools, bank.len(), progress, saved);
        let chooser = Chooser::new(plan, &pack, &mark.background);
        let scheme = scheme(&identity, &chooser);
        let mut space = Self {
            model,
            pack,
            writer,
            bank,
            mark,
            chooser,
            encoding: None,
            own: Own::default(),
            pools,
            doubt: Doubt::default(),
            verified: matches!(began, Began::New),
            rate: Pace::new(),
            waiting: 0,
        };
        if space.mark.scheme != scheme {
            // What is stored was made in another way: all photos once more, new ones first.
            space.mark.scheme = scheme;
            space.mark.done = space.mark.done.max(reader.newest_seq(model)?);
            space.start_over();
        }
        Ok(space)
    }

    /// Every photo is set against every term again.
    pub fn start_over(&mut self) {
        self.mark.rows = 0;
        self.mark.pass_rows = 0;
        self.mark.pass_done = 0;
        self.mark.terms_done = 0;
        self.mark.terms.clear();
        self.chooser.refit();
    }

    /// Rows that there are to be.
    pub fn goal(&self, plan: &LabelPlan) -> usize {
        self.bank.capacity().min(plan.settings.terms)
    }

    /// Tags some photos whose vectors are new; true: there were some.
    pub fn new_photos(
        &mut self,
        plan: &LabelPlan,
        reader: &StoreReader,
        write: WriteBatch<'_>,
    ) -> Result<bool, LabelError> {
        if self.bank.len() < FIRST.min(self.goal(plan)) {
            return Ok(false);
        }
        let page = self.page(reader, self.mark.done, i64::MAX)?;
        if page.seen == 0 {
            return Ok(false);
        }
        self.pools.grow(self.bank.len());
        let chosen = self.scoped(plan, &page)?;
        let mut muted = Vec::new();
        if self.pools.sweep_due() {
            let sweep = self.pools.sweep();
            tracing::debug!("labels: {sweep:?}");
            muted = self.chooser.mute();
        }
        self.mark.done = page.last;
        self.mark.photos += page.photos.len() as u64;
        self.save(plan, &page, (chosen, true), muted, write)?;
        Ok(true)
    }

    /// Sets photos of a page against what the pools say, and tells them what came of it.
    fn scoped(&mut self, plan: &LabelPlan, page: &Page) -> Result<Vec<Chosen>, LabelError> {
        let scopes: Vec<Scope> = (0..page.photos.len() as u64)
            .map(|ahead| self.pools.scope(ahead))
            .collect();
        let mut chosen: Vec<Chosen> = Vec::new();
        chosen.resize_with(page.photos.len(), Chosen::default);
        self.chooser
            .look(&self.bank, &page.vectors(), plan.threads)?;
        for scope in [Scope::All, Scope::Warm, Scope::Active] {
            let of: Vec<usize> = (0..scopes.len()).filter(|i| scopes[*i] == scope).collect();
            if of.is_empty() {
                continue;
            }
            let list = self.pools.list(scope);
            let rows = list
                .as_ref()
                .map_or(Rows::All, |list| Rows::List(list.as_ref()));
            let vectors: Vec<&[f32]> = of.iter().map(|i| page.vectors[*i].as_slice()).collect();
            for (i, tags) in of.into_iter().zip(self.chosen(plan, &rows, &vectors)?) {
                chosen[i] = tags;
            }
        }
        for (scope, tags) in scopes.into_iter().zip(&chosen) {
            self.chooser.record(tags);
            let sure = self.chooser.shown(tags);
            self.pools
                .record(scope, &sure, |row| plan.lexicon.siblings(row as usize));
        }
        Ok(chosen)
    }

    fn chosen(
        &mut self,
        plan: &LabelPlan,
        rows: &Rows<'_>,
        vectors: &[&[f32]],
    ) -> Result<Vec<Chosen>, LabelError> {
        let (wanted, threads) = (self.chooser.wanted(), plan.threads);
        let mut all = best(&self.bank, rows, vectors, wanted, threads)?;
        if matches!(rows, Rows::All) {
            all.iter().for_each(|hits| self.doubt.learn(hits));
        } else {
            let unsure = self.doubt.unsure(&all);
            let again: Vec<&[f32]> = unsure.iter().map(|at| vectors[*at]).collect();
            let hits = best(&self.bank, &Rows::All, &again, wanted, threads)?;
            for (at, hits) in unsure.into_iter().zip(hits) {
                all[at] = hits;
            }
        }
        Ok(all
            .iter()
            .zip(vectors)
            .map(|(hits, photo)| {
                let own = self.own.named(photo);
                self.chooser.tags(&self.bank, hits, &own)
            })
            .collect())
    }

    /// Goes over photos that were tagged with fewer terms; true: there is more to do.
    pub fn pass(
        &mut self,
        plan: &LabelPlan,
        reader: &StoreReader,
        write: WriteBatch<'_>,
    ) -> Result<bool, LabelError> {
        let there = self.bank.len();
        if self.mark.pass_rows == 0 {
            let (rows, goal) = (self.mark.rows as usize, self.goal(plan));
            // Each pass doubles, so that all together cost at most twice the last.
            let worth =
                there > rows && there >= FIRST.min(goal) && (there >= goal || there >= 2 * rows);
            if !worth {
                return Ok(false);
            }
            self.chooser.refit();
            self.mark.pass_rows = u32::try_from(there).unwrap_or(u32::MAX);
            self.mark.pass_done = 0;
            self.rate = Pace::new();
        }
        let page = self.page(reader, self.mark.pass_done, self.mark.done)?;
        let mut chosen = Vec::new();
        let mut muted = Vec::new();
        if page.seen > 0 {
            self.chooser
                .look(&self.bank, &page.vectors(), plan.threads)?;
            chosen = self.chosen(plan, &Rows::All, &page.vectors())?;
            self.pools.grow(there);
            for tags in &chosen {
                self.chooser.record(tags);
                let sure = self.chooser.shown(tags);
                self.pools
                    .learn(&sure, |row| plan.lexicon.siblings(row as usize));
            }
            self.mark.pass_done = page.last;
            self.rate.photos += page.photos.len() as u64;
        } else {
            self.mark.rows = self.mark.pass_rows;
            self.mark.pass_rows = 0;
            self.mark.pass_done = 0;
            muted = self.chooser.mute();
        }
        self.waiting =
            u64::try_from(reader.vectors_after(self.model, self.mark.pass_done, i64::MAX)?)
                .unwrap_or(0);
        self.save(plan, &page, (chosen, true), muted, write)?;
        Ok(true)
    }

    /// Sets photos against terms of the user's own that are new; true: there is more to do.
    pub fn own_terms(
        &mut self,
        plan: &LabelPlan,
        reader: &StoreReader,
        write: WriteBatch<'_>,
    ) -> Result<bool, LabelError> {
        let pack = &self.pack;
        self.own.refresh(plan, reader, pack, self.model)?;
        let version = self.own.version();
        if self.mark.terms == version && self.mark.terms_done == i64::MAX {
            return Ok(false);
        }
        if self.mark.terms != version {
            self.mark.terms = version;
            self.mark.terms_done = 0;
        }
        let page = self.page(reader, self.mark.terms_done, self.mark.done)?;
        if page.seen == 0 {
            self.mark.terms_done = i64::MAX;
        } else {
            self.mark.terms_done = page.last;
        }
        let chosen = self.chosen(plan, &Rows::All, &page.vectors())?;
        self.save(plan, &page, (chosen, false), Vec::new(), write)?;
        Ok(true)
    }

    /// Whether the first terms are there, and others are to come.
    pub fn is_begun(&self, plan: &LabelPlan) -> bool {
        (FIRST.min(self.goal(plan))..self.goal(plan)).contains(&self.bank.len())
    }

    /// Encodes more terms; true: there may be more to do.
    pub fn encode(&mut self, plan: &LabelPlan, stop: &AtomicBool) -> Result<bool, LabelError> {
        if self.bank.len() >= self.goal(plan) {
            if self.encoding.take().is_some() {
                crate::index::give_memory_back();
            }
            return Ok(false);
        }
        let goal = self.goal(plan);
        // The first terms are waited for. The others come where nobody else wants the processor: the
        // model's own threads have the priority of the one that makes them.
        let behind = self.bank.len() >= FIRST.min(goal);
        if self.encoding.as_ref().is_some_and(|e| e.behind != behind) {
            self.encoding = None;
        }
        priority::only_idle(behind);
        let done = self.step(plan, behind, goal, stop);
        priority::only_idle(false);
        done.map(|()| true)
    }

    fn step(
        &mut self,
        plan: &LabelPlan,
        behind: bool,
        goal: usize,
        stop: &AtomicBool,
    ) -> Result<(), LabelError> {
        let encoding = match &mut self.encoding {
            Some(encoding) => encoding,
            none => none.insert(Encoding::new(plan, &self.pack, behind)?),
        };
        encoding.step(plan, &mut self.writer, goal, stop)
    }

    /// Reads the whole bank once a run, when there is nothing else to do: what is damaged is made
    /// anew.
    pub fn verify_once(&mut self, stop: &AtomicBool) -> Result<(), LabelError> {
        if self.verified {
            return Ok(());
        }
        self.verified = self.bank.verify(stop)?;
        Ok(())
    }

    pub fn report(&self, phase: LabelPhase) -> LabelReport {
        let sizes = self.pools.sizes();
        LabelReport {
            phase,
            model: self.pack.id.0.clone(),
            terms: self.bank.len(),
            of: self.bank.capacity(),
            rate: self.encoding.as_ref().map_or(0.0, Encoding::rate),
            passed: if self.mark.pass_rows > 0 {
                (self.rate.photos, self.rate.photos + self.waiting)
            } else {
                (0, 0)
            },
            pass_rate: if self.mark.pass_rows > 0 {
                self.rate.rate()
            } else {
                0.0
            },
            pools: [sizes.active, sizes.warm, sizes.cold, self.chooser.muted()],
            missed: self.pools.missed(),
            own: self.own.len(),
            reason: self.own.trouble(),
            photos: self.mark.photos,
            rows_tagged: self.mark.rows as usize >= FIRST.min(self.bank.capacity()),
            encoded: self.encoding.as_ref().map_or(0, Encoding::encoded),
            looks: 0,
            retags: 0,
        }
    }

    fn page(&self, reader: &StoreReader, after: i64, to: i64) -> Result<Page, LabelError> {
        let mut page = Page {
            photos: Vec::new(),
            vectors: Vec::new(),
            seen: 0,
            last: after,
        };
        let bytes = self.pack.dims * 2;
        reader.embeddings_since(self.model, after, PAGE, &mut |seq, photo, vector| {
            if seq > to {
                return;
            }
            page.last = seq;
            page.seen += 1;
            let values = decode_vector(vector).values;
            let length: f32 = values.iter().map(|x| x * x).sum();
            // A vector without direction cannot be compared; it has no tags.
            if vector.len() == bytes && length.is_finite() && length > 0.0 {
                page.photos.push(photo);
                page.vectors.push(values);
            }
        })?;
        Ok(page)
    }

    /// Writes a page's tags with the mark; those of the bank only if `bank`.
    fn save(
        &mut self,
        plan: &LabelPlan,
        page: &Page,
        (chosen, bank): (Vec<Chosen>, bool),
        muted: Vec<u32>,
        write: WriteBatch<'_>,
    ) -> Result<(), LabelError> {
        let photos = page
            .photos
            .iter()
            .zip(&page.vectors)
            .zip(chosen)
            .map(|((photo, vector), chosen)| Labelled {
                photo: *photo,
                tags: bank.then(|| named(plan, &chosen)),
                own: Some(self.own.tags(vector, &chosen.own)),
            })
            .collect();
        self.mark.background = self.chooser.saved();
        self.mark.relevance = serde_json::to_string(&self.pools.progress()).unwrap_or_default();
        let pools = self
            .pools
            .changes()
            .into_iter()
            .map(|row| PoolRow {
                row: row.row,
                pool: row.pool as u8,
                hits: u64::from(row.hits),
                last_hit: row.last,
            })
            .collect();
        let key = |row: u32| plan.lexicon.term(row as usize).key.to_owned();
        write(LabelBatch {
            model: self.model,
            bank: self.bank_version(),
            photos,
            mark: self.mark.clone(),
            pools,
            muted: muted.into_iter().map(key).collect(),
        })
    }

    /// Stored with each tag: the vocabulary.
    fn bank_version(&self) -> String {
        self.bank.identity().vocabulary.clone()
    }
}

/// What makes tags beside the number of rows: when it changes, all photos are tagged again.
fn scheme(identity: &BankIdentity, chooser: &Chooser) -> String {
    let BankIdentity {
        texts,
        vocabulary,
        tokenizer,
        ..
    } = identity;
    let whole = format!("{texts}\n{vocabulary}\n{tokenizer}\n{}", chooser.scheme());
    blake3::hash(whole.as_bytes()).to_hex()[..16].to_owned()
}

fn named(plan: &LabelPlan, chosen: &Chosen) -> Vec<Tag> {
    let tags = chosen.rows().map(|(row, confidence)| {
        let term = plan.lexicon.term(row as usize);
        Tag {
            term: term.key.to_owned(),
            name: (plan.names)(term.key).unwrap_or_else(|| term.name.to_owned()),
            confidence,
        }
    });
    tags.collect()
}
