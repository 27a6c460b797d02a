//! From the labels nearest to a photo to its tags, each with a confidence that means something.
//!
//! The nearest labels of a photo are a crowd: of a house finch there are thirty other birds almost
//! as near, and every kind that it belongs to. Six things say which of them are true:
//!
//! - the cosine, against the library's own background ([`Background`]);
//! - *rivals*: how much nearer a relative is ("greenfinch" beside "house finch");
//! - whether it is the nearest of all;
//! - *news*: what it says beyond the nearer ones that were chosen before ([`things`]): in a photo of
//!   a swan and a mug the mug is news, the twentieth water bird is not;
//! - *support*: how sure the narrower terms below it are ("finch" is as sure as all finches);
//! - how common the word is.
//!
//! A logistic function of these is the confidence; [`confidence`] has its constants and how they
//! were measured. For a model that states its own calibration (a sigmoid of the cosine), that is the
//! confidence and nothing else.
//!
//! Promises: a photo's tags depend on its candidates and the background alone, not on their order;
//! confidences lie in 0…1; at most [`MOST_KEPT`] are kept. Kinds above a kept tag are kept too, for
//! queries; `words.rs` decides what is shown of them. Never: scores, reads a file or a clock.
//!
//! Cost: for 64 candidates of 384 values a quarter of a millisecond a photo, not optimised; the
//! kinship of 26,000 terms takes 9 ms and two megabytes, once. `Sync`, nothing is locked.

mod background;
mod confidence;
mod kinship;
mod loudness;
mod things;

pub use background::Background;
pub use confidence::Measure;
pub use kinship::Kinship;
pub use loudness::Loudness;

use confidence::Weights;

/// Labels to look at of each photo, the nearest: all constants were measured with so many. With 40
/// or 100 the tags are as good (of those from 0.3 on 84 or 85 % are true).
pub const CANDIDATES: usize = 64;
/// Most tags kept of one photo.
pub const MOST_KEPT: usize = 40;
/// Confidence from which a tag is kept: of those below, one in a hundred is true.
pub const LEAST_KEPT: f32 = 0.05;

/// A label near to a photo.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its row in the lexicon; `None`: a person's own term, which has no kin and is as common as any.
    pub row: Option<u32>,
    /// Cosine with the photo.
    pub cosine: f32,
    /// The label's vector, of length one. Only [`Measure::Cosine`] looks at it.
    pub vector: &'a [f32],
}

/// A tag of the photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Place among the candidates given.
    pub at: usize,
    /// Row in the lexicon; `None`: a person's own term.
    pub row: Option<u32>,
    /// Cosine with the photo.
    pub cosine: f32,
    /// How likely it is true, 0 to 1.
    pub confidence: f32,
}

/// Of these labels near to one photo, those to keep, surest first. A cosine that is not a number is
/// passed over. `muted` says which rows fire on everything ([`Loudness::is_muted`]); they are left out
/// before anything is compared.
#[must_use]
pub fn choose(
    kinship: &Kinship,
    measure: &Measure,
    candidates: &[Candidate<'_>],
    muted: impl Fn(u32) -> bool,
) -> Vec<Kept> {
    let mut order: Vec<usize> = (0..candidates.len())
        .filter(|at| {
            let candidate = &candidates[*at];
            candidate.cosine.is_finite() && !candidate.row.is_some_and(&muted)
        })
        .collect();
    // Equal cosines: own terms first, then the more common word.
    order.sort_by(|a, b| {
        let (a, b) = (&candidates[*a], &candidates[*b]);
        b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row))
    });
    let sorted: Vec<Candidate<'_>> = order.iter().map(|at| candidates[*at]).collect();
    let confidences = match measure {
        Measure::Sigmoid { scale, bias } => sorted
            .iter()
            .map(|c| confidence::logistic(scale * f64::from(c.cosine) + bias))
            .collect(),
        Measure::Cosine(background) => {
            confidence::of_crowd(&Weights::MEASURED, background, kinship, &sorted)
        }
    };
    #[allow(clippy::cast_possible_truncation)]
    let mut kept: Vec<Kept> = order
        .iter()
        .zip(&sorted)
        .zip(confidences)
        .map(|((at, candidate), confidence)| Kept {
            at: *at,
            row: candidate.row,
            cosine: candidate.cosine,
            confidence: confidence as f32,
        })
        .filter(|kept| kept.confidence >= LEAST_KEPT)
        .collect();
    // Stable: of equal confidence the nearer first.
    kept.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    kept.truncate(MOST_KEPT);
    kept
}

#[cfg(test)]
mod tests;
