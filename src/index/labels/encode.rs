//! Terms into vectors, appended to the bank.
//!
//! What a term's text is depends on the pack: a model of captions wants the pack's own prompt around
//! the name; the space derived from the classifier wants what the term is called and what it is. Rows are written in pieces that grow with the bank and are at most some seconds of work,
//! which is what a kill costs. A vocabulary that has changed a little takes its known rows over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::space::FIRST;
use super::{LabelError, LabelPlan};
use crate::embedding::Embedding;
use crate::index::lanes::runtime;
use crate::model::{ModelPack, TextEncoder, TextOptions};
use crate::tag::{BankWriter, Lexicon, text_key};

/// Longest time of encoding between two writes.
const PIECE: Duration = Duration::from_secs(8);
/// Most rows of a piece.
const ROWS: usize = 5000;
/// How long one step may take before new photos get their turn.
const STEP: Duration = Duration::from_millis(800);

/// Under way.
pub(super) struct Encoding {
    /// Made to run behind everything else.
    pub behind: bool,
    encoder: TextEncoder,
    texts: Texts,
    general: HashMap<u32, bool>,
    shared: HashMap<String, Vec<f32>>,
    /// The graph gives a text the same vector beside others.
    batched: bool,
    /// Rows not written yet, one after the other, and their keys.
    rows: Vec<f32>,
    keys: Vec<u64>,
    begun: Instant,
    /// Terms encoded (not taken over), and the time that took.
    encoded: usize,
    spent: Duration,
}

/// How a term becomes text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Texts {
    /// The pack's prompt around the name.
    Prompt(String),
    /// Its names and its kinds: for a space whose photos are mixtures of classes, a term lies near
    /// what it is a kind of. On 250 photos, one a class, the photo's class, a synonym or what is
    /// directly above it is among the 15 nearest terms for 94 %; with the name alone for 89 %, and
    /// the very class is the nearest for 80 % instead of 50 %.
    NamesAndKinds,
}

/// Synonyms that count.
const SYNONYMS: usize = 2;
/// A kind that this share of all labels belongs to says nothing of one of them.
const GENERAL: f64 = 0.1;

/// What is encoded of a term: the sum of the means of these groups, each of vectors of length one.
type Groups = Vec<Vec<String>>;

impl Texts {
    fn new(pack: &ModelPack) -> Self {
        if pack.derived_from().is_some() {
            return Self::NamesAndKinds;
        }
        let prompt = pack.text.as_ref().map(|text| text.prompt.clone());
        Self::Prompt(prompt.unwrap_or_else(|| "{}".to_owned()))
    }

    fn of(&self, lexicon: &Lexicon, general: &mut HashMap<u32, bool>, row: usize) -> Groups {
        let term = lexicon.term(row);
        match self {
            Self::Prompt(prompt) => vec![vec![prompt.replace("{}", term.name)]],
            Self::NamesAndKinds => {
                let mut names = vec![term.name.to_owned()];
                names.extend(term.synonyms().take(SYNONYMS).map(str::to_owned));
                let mut groups = vec![names];
                let kinds = kinds(lexicon, general, row);
                if !kinds.is_empty() {
                    groups.push(kinds);
                }
                groups
            }
        }
    }
}

/// Names of what a term is a kind of, along the first line up, as far as that says something; at
/// least the nearest.
fn kinds(lexicon: &Lexicon, general: &mut HashMap<u32, bool>, row: usize) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let mut at = lexicon.term(row).parents.first().copied();
    let mut steps = 0;
    while let Some(kind) = at.filter(|_| steps < 32) {
        let is_general = *general.entry(kind).or_insert_with(|| {
            let below = lexicon.below(kind as usize);
            let labels = below
                .iter()
                .filter(|r| (**r as usize) < lexicon.labels())
                .count();
            #[allow(clippy::cast_precision_loss)]
            let share = labels as f64 / lexicon.labels().max(1) as f64;
            share > GENERAL
        });
        if is_general && !kinds.is_empty() {
            break;
        }
        let name = lexicon.term(kind as usize).name;
        kinds.push(name.split(" (").next().unwrap_or(name).to_owned());
        if is_general {
            break;
        }
        at = lexicon.term(kind as usize).parents.first().copied();
        steps += 1;
    }
    kinds
}

/// How terms become text, in words that tell one way from another.
pub(super) fn texts_of(pack: &ModelPack) -> String {
    match Texts::new(pack) {
        Texts::Prompt(prompt) => prompt,
        Texts::NamesAndKinds => {
            "name and 2 synonyms; kinds with a tenth of the labels or less".to_owned()
        }
    }
}

/// The pack's text side, ready.
pub(super) fn encoder(plan: &LabelPlan, pack: &ModelPack) -> Result<TextEncoder, LabelError> {
    let runtime = runtime(&plan.data_dir)?;
    let options = TextOptions {
        threads: plan.threads,
        quick: false,
    };
    Ok(TextEncoder::new(&runtime, pack, options)?)
}

/// The vector of a text alone.
pub(super) fn one(encoder: &mut TextEncoder, text: &str) -> Result<Vec<f32>, LabelError> {
    let vector = encoder.uncentred(text)?;
    Ok(encoder.centred(vector)?.values)
}

/// Vectors of texts that many terms share: the kinds, some thousands.
const SHARED: usize = 20_000;
/// Terms whose texts are encoded together.
const BLOCK: usize = 64;

/// Vectors of a block's terms: the sums of the means of their groups.
fn sums(
    encoder: &mut TextEncoder,
    shared: &mut HashMap<String, Vec<f32>>,
    batched: bool,
    terms: &[Groups],
) -> Result<Vec<Vec<f32>>, LabelError> {
    let mut texts: Vec<&str> = terms
        .iter()
        .flatten()
        .flatten()
        .map(String::as_str)
        .filter(|text| !shared.contains_key(*text))
        .collect();
    texts.sort_unstable();
    texts.dedup();
    let vectors = encoder.uncentred_many(&texts, batched)?;
    let new: HashMap<&str, Vec<f32>> = texts
        .iter()
        .copied()
        .zip(vectors.into_iter().map(|v| v.values))
        .collect();
    let mut all = Vec::with_capacity(terms.len());
    for groups in terms {
        let mut sum: Vec<f32> = Vec::new();
        for group in groups {
            #[allow(clippy::cast_precision_loss)]
            let share = 1.0 / group.len() as f32;
            for vector in group
                .iter()
                .filter_map(|text| new.get(text.as_str()).or_else(|| shared.get(text)))
            {
                sum.resize(vector.len(), 0.0);
                sum.iter_mut()
                    .zip(vector)
                    .for_each(|(a, b)| *a += share * b);
            }
        }
        all.push(encoder.centred(Embedding { values: sum })?.values);
    }
    // Names are a term's own, kinds are shared.
    for text in terms
        .iter()
        .flat_map(|groups| groups.iter().skip(1))
        .flatten()
    {
        if shared.len() < SHARED
            && let Some(vector) = new.get(text.as_str())
        {
            shared.insert(text.clone(), vector.clone());
        }
    }
    Ok(all)
}

impl Encoding {
    pub fn new(plan: &LabelPlan, pack: &ModelPack, behind: bool) -> Result<Self, LabelError> {
        // Says at once what is missing.
        let mut encoder = encoder(plan, pack)?;
        let batched = encoder.can_batch()?;
        Ok(Self {
            behind,
            encoder,
            texts: Texts::new(pack),
            general: HashMap::new(),
            shared: HashMap::new(),
            batched,
            rows: Vec::new(),
            keys: Vec::new(),
            begun: Instant::now(),
            encoded: 0,
            spent: Duration::ZERO,
        })
    }

    /// Terms encoded, those taken over not counted.
    pub fn encoded(&self) -> usize {
        self.encoded
    }

    /// Terms a second.
    #[allow(clippy::cast_precision_loss)]
    pub fn rate(&self) -> f64 {
        self.encoded as f64 / self.spent.as_secs_f64().max(1e-3)
    }

    /// Encodes for a moment, and writes what is due.
    pub fn step(
        &mut self,
        plan: &LabelPlan,
        writer: &mut BankWriter,
        goal: usize,
        stop: &AtomicBool,
    ) -> Result<(), LabelError> {
        let began = Instant::now();
        let there = writer.bank().len();
        let piece = there.clamp(FIRST, ROWS);
        while there + self.keys.len() < goal
            && self.keys.len() < piece
            && began.elapsed() < STEP
            && !stop.load(Ordering::Relaxed)
        {
            let first = there + self.keys.len();
            let last = (first + BLOCK).min(goal).min(there + piece);
            let mut unknown: Vec<(usize, Groups)> = Vec::new();
            for row in first..last {
                let groups = self.texts.of(&plan.lexicon, &mut self.general, row);
                let lines: Vec<String> = groups.iter().map(|g| g.join("\t")).collect();
                let key = text_key(&lines.join("\n"));
                self.keys.push(key);
                if let Some(known) = writer.known(key) {
                    self.rows.extend(known.iter().map(|v| v.to_f32()));
                } else {
                    unknown.push((self.rows.len(), groups));
                    self.rows
                        .resize(self.rows.len() + writer.bank().dims(), 0.0);
                }
            }
            if !unknown.is_empty() {
                let at = Instant::now();
                let (places, groups): (Vec<usize>, Vec<Groups>) = unknown.into_iter().unzip();
                let vectors = sums(&mut self.encoder, &mut self.shared, self.batched, &groups)?;
                for (place, vector) in places.into_iter().zip(vectors) {
                    self.rows[place..place + vector.len()].copy_from_slice(&vector);
                    self.encoded += 1;
                }
                self.spent += at.elapsed();
            }
        }
        let ready = self.keys.len() >= piece
            || there + self.keys.len() >= goal
            || (there > 0 && self.begun.elapsed() >= PIECE)
            || stop.load(Ordering::Relaxed);
        if ready && !self.keys.is_empty() {
            writer.append_keyed(&self.rows, &self.keys)?;
            self.rows.clear();
            self.keys.clear();
            self.begun = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        Lexicon::built_in().unwrap()
    }

    #[test]
    fn a_term_is_its_names_and_what_it_is_a_kind_of() {
        let lexicon = lexicon();
        let row = lexicon.row("n02084071").unwrap();
        let mut general = HashMap::new();
        let groups = Texts::NamesAndKinds.of(&lexicon, &mut general, row);
        assert_eq!(groups[0][0], "dog");
        assert!((2..=1 + SYNONYMS).contains(&groups[0].len()), "{groups:?}");
        // "animal" is a tenth of everything and says nothing of a dog.
        assert!(!groups[1].is_empty(), "{groups:?}");
        assert!(!groups[1].iter().any(|kind| kind == "animal"), "{groups:?}");
        let prompt = Texts::Prompt("a photo of a {}".to_owned());
        assert_eq!(
            prompt.of(&lexicon, &mut general, row),
            [["a photo of a dog"]]
        );
    }

    #[test]
    fn every_term_has_a_text_and_kinds_are_shared() {
        let lexicon = lexicon();
        let mut general = HashMap::new();
        let mut kinds = std::collections::HashSet::new();
        let mut named = 0;
        for row in 0..lexicon.labels() {
            let groups = Texts::NamesAndKinds.of(&lexicon, &mut general, row);
            assert!(groups.iter().flatten().all(|text| !text.trim().is_empty()));
            named += groups[0].len();
            kinds.extend(groups.into_iter().skip(1).flatten());
        }
        assert!(
            kinds.len() < SHARED && kinds.len() < named,
            "{}",
            kinds.len()
        );
        assert!(
            !kinds.iter().any(|kind| kind.contains('(')),
            "suffixes are no words"
        );
    }
}
