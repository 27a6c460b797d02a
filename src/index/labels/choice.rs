//! From raw hits to a photo's tags, with what this library and this pack say about scores.

use half::bf16;
use serde::{Deserialize, Serialize};

use super::{LabelError, LabelPlan};
use crate::model::{Calibration, ModelPack};
use crate::tag::{
    Background, CANDIDATES, Candidate, Hit, Kept, Kinship, LEAST_KEPT, Loudness, Measure, Rows,
    TermBank, best, choose,
};

/// How tags are chosen; another number has all photos tagged again.
const VERSION: u32 = 1;

/// Standard deviations above the background from which a text by itself is as likely true as not: in
/// the derived space (mean 0.00, deviation 0.13) a cosine of 0.43, from where on a sentence finds what
/// is there, measured with some 280 sentences (see `FLOOR` in `search/judge.rs`).
const HALF: f64 = 3.3;
/// How fast that changes: 0.3 at a cosine of 0.39, 0.8 at 0.50.
const STEEP: f64 = 2.6;

/// Chooses the tags of one space.
pub(super) struct Chooser {
    kinship: Kinship,
    measure: Measure,
    derived: bool,
    loudness: Loudness,
    /// Confidence from which a tag is shown.
    cutoff: f32,
    /// As it was saved last: it is large, and changes little from photo to photo.
    saved: String,
}

/// What is remembered from run to run.
#[derive(Serialize, Deserialize, Default)]
struct Saved {
    background: Option<Background>,
    #[serde(default)]
    loudness: Loudness,
}

/// A photo's tags.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Terms of the bank, surest first.
    kept: Vec<Kept>,
    /// Terms of the user's own, by their place among those given.
    pub own: Vec<(usize, f32)>,
}

impl Chosen {
    /// Rows of the bank and their confidences, surest first.
    pub fn rows(&self) -> impl Iterator<Item = (u32, f32)> {
        let row = |tag: &Kept| Some((tag.row?, tag.confidence));
        self.kept.iter().filter_map(row)
    }
}

impl Chooser {
    pub fn new(plan: &LabelPlan, pack: &ModelPack, saved: &str) -> Self {
        let lexicon = &plan.lexicon;
        let kinship = Kinship::of(lexicon.len(), lexicon.labels(), |row| {
            lexicon.term(row).parents
        });
        let derived = pack.derived_from().is_some();
        let remembered: Saved = serde_json::from_str(saved).unwrap_or_default();
        let background = remembered.background.filter(Background::is_sound);
        let measure = match &pack.calibration {
            Some(Calibration::Sigmoid { scale, bias }) => Measure::Sigmoid {
                scale: *scale,
                bias: *bias,
            },
            _ => Measure::Cosine(background.unwrap_or_else(|| prior(derived))),
        };
        Self {
            kinship,
            measure,
            derived,
            loudness: remembered.loudness,
            cutoff: plan.settings.cutoff,
            saved: saved.to_owned(),
        }
    }

    /// Hits that are looked at of each photo.
    pub fn wanted(&self) -> usize {
        CANDIDATES
    }

    /// What tells one way of choosing from another.
    pub fn scheme(&self) -> String {
        match self.measure {
            Measure::Sigmoid { scale, bias } => format!("choice {VERSION}, sigmoid {scale} {bias}"),
            Measure::Cosine(_) => format!("choice {VERSION}, background"),
        }
    }

    /// A pass over all photos begins: what is known of scores is learnt afresh from them.
    pub fn refit(&mut self) {
        if let Measure::Cosine(background) = &mut self.measure {
            *background = prior(self.derived);
        }
        self.loudness = Loudness::default();
    }

    /// Learns from photos what random terms score.
    pub fn look(
        &mut self,
        bank: &TermBank,
        photos: &[&[f32]],
        threads: usize,
    ) -> Result<(), LabelError> {
        let Measure::Cosine(background) = &mut self.measure else {
            return Ok(());
        };
        if background.is_settled() {
            return Ok(());
        }
        let rows: Vec<u32> = Background::rows(bank.len())
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        for hits in best(bank, &Rows::List(&rows), photos, rows.len(), threads)? {
            let cosines: Vec<f32> = hits.iter().map(|hit| hit.cosine).collect();
            background.add(&cosines);
        }
        Ok(())
    }

    /// A photo's tags. `own` are its cosines with terms of the user's own.
    pub fn tags(&self, bank: &TermBank, hits: &[Hit], own: &[f32]) -> Chosen {
        let vectors: Vec<Vec<f32>> = match self.measure {
            Measure::Sigmoid { .. } => vec![Vec::new(); hits.len()],
            Measure::Cosine(_) => hits
                .iter()
                .map(|hit| {
                    let row = bank.row(hit.row as usize).unwrap_or_default();
                    row.iter().map(|v| bf16::to_f32(*v)).collect()
                })
                .collect(),
        };
        let candidates: Vec<Candidate<'_>> = hits
            .iter()
            .zip(&vectors)
            .map(|(hit, vector)| Candidate {
                row: Some(hit.row),
                cosine: hit.cosine,
                vector,
            })
            .collect();
        let kept = choose(&self.kinship, &self.measure, &candidates, |row| {
            self.loudness.is_muted(row)
        });
        // A person's own word stands by itself: that the vocabulary has one as near says nothing
        // against it.
        let alone = own.iter().map(|cosine| self.alone(*cosine));
        let sure = |(_, confidence): &(usize, f32)| *confidence >= LEAST_KEPT;
        Chosen {
            kept,
            own: alone.enumerate().filter(sure).collect(),
        }
    }

    /// How likely a text by itself is true of a photo.
    fn alone(&self, cosine: f32) -> f32 {
        let cosine = f64::from(cosine);
        let logit = match &self.measure {
            Measure::Sigmoid { scale, bias } => scale * cosine + bias,
            Measure::Cosine(background) => {
                STEEP * ((cosine - background.mean()) / background.deviation() - HALF)
            }
        };
        #[allow(clippy::cast_possible_truncation)]
        let confidence = (1.0 / (1.0 + (-logit).exp())) as f32;
        confidence
    }

    /// Counts what fires.
    pub fn record(&mut self, chosen: &Chosen) {
        self.loudness.record(&chosen.kept);
    }

    /// Mutes what fires on everything; the rows that are muted from now on.
    pub fn mute(&mut self) -> Vec<u32> {
        let background = match &self.measure {
            Measure::Cosine(background) => Some(background),
            Measure::Sigmoid { .. } => None,
        };
        let muted = self.loudness.mute(background);
        self.remember();
        muted
    }

    /// Has what is known now saved with the next batch.
    fn remember(&mut self) {
        let saved = Saved {
            background: match &self.measure {
                Measure::Cosine(background) => Some(*background),
                Measure::Sigmoid { .. } => None,
            },
            loudness: self.loudness.clone(),
        };
        self.saved = serde_json::to_string(&saved).unwrap_or_default();
    }

    /// As [`Chooser::new`] reads it.
    pub fn saved(&self) -> String {
        self.saved.clone()
    }

    /// Terms that are muted.
    pub fn muted(&self) -> usize {
        self.loudness.muted().count()
    }

    /// Of the kept rows, those that are sure enough to be shown.
    pub fn shown(&self, chosen: &Chosen) -> Vec<u32> {
        let sure = |(_, confidence): &(u32, f32)| *confidence >= self.cutoff;
        chosen.rows().filter(sure).map(|(row, _)| row).collect()
    }
}

fn prior(derived: bool) -> Background {
    if derived {
        Background::derived_space()
    } else {
        Background::unknown()
    }
}
