//! From raw hits to a photo's tags, with what this library and this pack say about scores.

use super::{LabelError, LabelPlan};
use crate::model::{Calibration, ModelPack};
use crate::tag::{Hit, Lexicon, TermBank};

pub(super) struct Chooser {
    sigmoid: Option<(f32, f32)>,
}

impl Chooser {
    pub fn new(_plan: &LabelPlan, pack: &ModelPack, _background: &str) -> Self {
        #[allow(clippy::cast_possible_truncation)]
        let sigmoid = match &pack.calibration {
            Some(Calibration::Sigmoid { scale, bias }) => Some((*scale as f32, *bias as f32)),
            _ => None,
        };
        Self { sigmoid }
    }

    /// Hits that are looked at.
    pub fn wanted(&self) -> usize {
        100
    }

    pub fn scheme(&self) -> String {
        format!("provisional {:?}", self.sigmoid)
    }

    pub fn refit(&mut self) {}

    pub fn is_due(&self, _photos: u64) -> bool {
        false
    }

    pub fn look(
        &mut self,
        _bank: &TermBank,
        _vectors: &[&[f32]],
        _threads: usize,
    ) -> Result<(), LabelError> {
        Ok(())
    }

    pub fn background(&self) -> String {
        String::new()
    }

    pub fn muted(&self) -> usize {
        0
    }

    fn confidence(&self, cosine: f32) -> f32 {
        let (scale, bias) = self.sigmoid.unwrap_or((14.0, -8.0));
        1.0 / (1.0 + (-(scale * cosine + bias)).exp())
    }

    pub fn tags(&self, lexicon: &Lexicon, hits: &[Hit]) -> Vec<(u32, f32)> {
        let mut kept: Vec<(u32, f32)> = Vec::new();
        for hit in hits {
            let confidence = self.confidence(hit.cosine);
            if confidence < 0.1 || kept.len() >= 15 {
                break;
            }
            let above =
                |(lower, _): &(u32, f32)| lexicon.is_above(hit.row as usize, *lower as usize);
            if !kept.iter().any(above) {
                kept.push((hit.row, confidence));
            }
        }
        kept
    }

    /// Of the kept ones, those that are sure enough to be shown.
    pub fn shown<'a>(&self, kept: &'a [(u32, f32)]) -> impl Iterator<Item = u32> + use<'a> {
        kept.iter().filter(|(_, c)| *c >= 0.3).map(|(row, _)| *row)
    }

    /// What a label's cosine means, for terms that have no row.
    pub fn confidences(&self, _sample: &[Vec<f32>]) -> Box<dyn Fn(f32) -> f32 + Send> {
        let (scale, bias) = self.sigmoid.unwrap_or((14.0, -8.0));
        Box::new(move |cosine| 1.0 / (1.0 + (-(scale * cosine + bias)).exp()))
    }
}
