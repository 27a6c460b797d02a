//! How sure a label is, from its place among the others.

use super::Candidate;
use super::background::Background;
use super::kinship::Kinship;
use super::things::news;

/// What a cosine means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// The model states it: `sigmoid(scale · cosine + bias)`.
    Sigmoid {
        /// Multiplies the cosine.
        scale: f64,
        /// Added to it.
        bias: f64,
    },
    /// The model says nothing: the cosine is set against what random labels get in this library.
    Cosine(Background),
}

/// Factors of the logistic function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// Of the cosine, in deviations above the background.
    cosine: f64,
    /// Of how much nearer the nearest rival is, in deviations.
    rival: f64,
    /// Of the decimal logarithm of the row: the lexicon has the common words first.
    rare: f64,
    /// For the nearest label of all.
    first: f64,
    /// Of what a label says beyond the nearer ones, in deviations.
    news: f64,
    /// Of how sure it is that one of the nearer labels below this one is true.
    support: f64,
    /// Always.
    constant: f64,
}

impl Weights {
    /// Fitted in the space of `lite0-minilm` on 250 labelled photos, one a class, and 200 more made
    /// of two of them (the classifier's probabilities mixed 35:65 to 65:35), each with its 64 nearest
    /// of 24,073 labels. True is a label if it is the class, has a name of it, or is a kind above
    /// it; what else is in a photo counts as untrue, so that the figures are cautious. Five-fold,
    /// by photo:
    ///
    /// | | log loss of a photo's 64 |
    /// |---|---|
    /// | cosine, rival, rare | 5.67 |
    /// | and first | 4.95 |
    /// | and support | 3.94 |
    /// | and news (these weights) | 2.92 |
    ///
    /// | said | 0.01 | 0.07 | 0.15 | 0.25 | 0.39 | 0.61 | 0.80 | 0.94 |
    /// |---|---|---|---|---|---|---|---|---|
    /// | true | 0.00 | 0.10 | 0.15 | 0.38 | 0.55 | 0.53 | 0.82 | 0.93 |
    /// | labels | 27185 | 59 | 75 | 42 | 75 | 73 | 310 | 981 |
    ///
    /// Of the photos, 93 % keep their class or the kind right above it, and 86 % have it among
    /// those shown from 0.3 on, when no kind is shown beside a narrower tag. A background that is off
    /// by what single photos differ from it (deviation 0.09 or 0.17, mean −0.1 or 0.09) makes that
    /// 84 to 88 %. How common a word is changes little once the rest is known.
    pub const MEASURED: Self = Self {
        cosine: 0.34,
        rival: -1.26,
        rare: -0.53,
        first: 5.15,
        news: 1.26,
        support: 7.9,
        constant: -3.49,
    };
}

/// Rows before this one are as common as it.
const COMMON: f64 = 10.0;

pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The confidence of each candidate; they come nearest first.
pub(super) fn of_crowd(
    weights: &Weights,
    background: &Background,
    kinship: &Kinship,
    candidates: &[Candidate<'_>],
) -> Vec<f64> {
    let (mean, deviation) = (background.mean(), background.deviation());
    let news = news(candidates);
    let mut confidences: Vec<f64> = Vec::with_capacity(candidates.len());
    for (place, candidate) in candidates.iter().enumerate() {
        let cosine = f64::from(candidate.cosine);
        let mut rival: f64 = 0.0;
        let mut none_below = 1.0;
        if let Some(row) = candidate.row {
            for (nearer, sure) in candidates.iter().zip(&confidences) {
                let Some(other) = nearer.row else { continue };
                if kinship.is_above(row, other) {
                    none_below *= 1.0 - sure;
                } else if kinship.are_rivals(row, other) {
                    rival = rival.max(f64::from(nearer.cosine) - cosine);
                }
            }
        }
        let rare = (f64::from(candidate.row.unwrap_or(0)) + COMMON).log10();
        let sum = weights.cosine * (cosine - mean) / deviation
            + weights.rival * rival / deviation
            + weights.rare * rare
            + if place == 0 { weights.first } else { 0.0 }
            + weights.news * news[place] / deviation
            + weights.support * (1.0 - none_below)
            + weights.constant;
        confidences.push(logistic(sum));
    }
    confidences
}
