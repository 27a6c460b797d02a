//! The terms of a vocabulary as vectors of a search model, and the tags that lie near a photo.
//!
//! A list of pieces, each a [`Matrix`] whose ids are rows of the lexicon; more terms are more pieces.
//! Only a model that says what its cosines mean (SigLIP: a sigmoid) has one: a tag's number must be
//! true. Kinds above a term are tags too, as sure as the surest below them, so that `--tag animal`
//! finds a giraffe.

use std::sync::Arc;

use super::classifier::logistic;
use super::lexicon::Lexicon;
use super::{LEAST_KEPT, MOST_KEPT};
use crate::embedding::{Sources, Tag};
use crate::matrix::{Matrix, Piece, Scan, ScanError};

/// Terms looked at of each photo, the nearest. Below the 64th nothing reaches the least confidence
/// that is kept.
const NEAREST: usize = 64;

/// What a model says of its cosines: `sigmoid(scale · cosine + bias)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sigmoid {
    /// Multiplies the cosine.
    pub scale: f32,
    /// Added to it.
    pub bias: f32,
}

impl Sigmoid {
    /// How likely a cosine means that it is so.
    pub fn of(self, cosine: f32) -> f32 {
        logistic(self.scale * cosine + self.bias)
    }
}

/// The terms encoded so far.
pub struct Bank {
    pieces: Vec<Arc<Matrix>>,
    lexicon: Arc<Lexicon>,
    sigmoid: Sigmoid,
    rows: usize,
}

impl Bank {
    /// Of these pieces; terms from row `rows` on do not count.
    pub fn new(
        pieces: Vec<Arc<Matrix>>,
        lexicon: Arc<Lexicon>,
        sigmoid: Sigmoid,
        rows: usize,
    ) -> Self {
        Self {
            pieces,
            lexicon,
            sigmoid,
            rows,
        }
    }

    /// Rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows beside a row: of the same kind.
    pub fn siblings(&self, row: u32) -> Vec<u32> {
        self.lexicon.siblings(row as usize)
    }

    /// The row of a term.
    pub fn row(&self, key: &str) -> Option<u32> {
        let row = self.lexicon.row(key).filter(|row| *row < self.rows)?;
        u32::try_from(row).ok()
    }

    /// Tells one list of pieces from another.
    pub(super) fn identity(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for piece in &self.pieces {
            hasher.update(&piece.digest());
        }
        let Sigmoid { scale, bias } = self.sigmoid;
        let pieces = &hasher.finalize().to_hex()[..16];
        format!("{pieces} {} {scale} {bias}", self.rows)
    }

    /// The tags near each photo, surest first. Only rows that `wanted` wants are looked at.
    ///
    /// # Errors
    /// If a vector is of another space or has no direction.
    pub fn tags(
        &self,
        photos: &[&[f32]],
        wanted: &(impl Fn(u32) -> bool + Sync),
        threads: usize,
    ) -> Result<Vec<Vec<Tag>>, ScanError> {
        let Some(first) = self.pieces.first() else {
            return Ok(photos.iter().map(|_| Vec::new()).collect());
        };
        let pieces: Vec<Piece<'_>> = self.pieces.iter().map(|p| (&**p).into()).collect();
        let scan = Scan::new(photos, first.dims())?.with_threads(threads);
        let row = |id: i64| {
            u32::try_from(id)
                .ok()
                .filter(|row| (*row as usize) < self.rows)
        };
        let found = scan.best(&pieces, &|id| row(id).is_some_and(wanted), NEAREST)?;
        if found.damaged > 0 {
            tracing::warn!("{} rows of the vocabulary are damaged", found.damaged);
        }
        let near = found.result.into_iter();
        Ok(near
            .map(|hits| self.with_kinds(hits.iter().filter_map(|h| Some((row(h.id)?, h.score)))))
            .collect())
    }

    fn with_kinds(&self, near: impl Iterator<Item = (u32, f32)>) -> Vec<Tag> {
        let mut sure: Vec<(u32, f32)> = Vec::new();
        for (row, cosine) in near {
            let confidence = self.sigmoid.of(cosine);
            if confidence < LEAST_KEPT || row as usize >= self.lexicon.rows() {
                continue;
            }
            let above = self.lexicon.ancestors(row as usize).into_iter();
            let labels = self.lexicon.labels();
            for row in above.filter(|r| (*r as usize) < labels).chain([row]) {
                match sure.iter_mut().find(|(known, _)| *known == row) {
                    Some((_, known)) => *known = known.max(confidence),
                    None => sure.push((row, confidence)),
                }
            }
        }
        sure.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sure.truncate(MOST_KEPT);
        let tag = |(row, confidence): (u32, f32)| {
            let term = self.lexicon.term(row as usize);
            Tag {
                key: term.key.into(),
                name: term.name.into(),
                confidence,
                sources: Sources::VOCABULARY,
            }
        };
        sure.into_iter().map(tag).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const TEXT: &str = "# key\tname\tsynonyms\tcategory\tparents\n\
        n2\tdog\t\tnoun.animal\t3\n\
        v.golden-hour\tgolden hour\t\tlight\t\n\
        m1\tpuppy\t\tnoun.animal\t0\n\
        m2\tthing\t\t-\t\n";

    pub fn lexicon() -> Arc<Lexicon> {
        Arc::new(Lexicon::parse(TEXT).unwrap())
    }

    pub fn piece(rows: &[(i64, [f32; 3])]) -> Arc<Matrix> {
        Arc::new(Matrix::in_memory(
            3,
            rows.iter().map(|(id, row)| (*id, &row[..])),
        ))
    }

    #[test]
    fn near_terms_and_their_kinds_are_tags() {
        let pieces = vec![
            piece(&[(0, [0.0, 1.0, 0.0])]),
            piece(&[(1, [0.0, 0.0, 1.0]), (2, [1.0, 0.0, 0.0])]),
        ];
        let sigmoid = Sigmoid {
            scale: 10.0,
            bias: -5.0,
        };
        let bank = Bank::new(pieces.clone(), lexicon(), sigmoid, 3);
        let photo = [1.0, 0.0, 0.6];
        let tags = bank.tags(&[&photo], &|_| true, 1).unwrap().remove(0);
        let said: Vec<(&str, bool)> = tags
            .iter()
            .map(|t| (&*t.name, t.confidence > 0.5))
            .collect();
        assert_eq!(
            said,
            [("dog", true), ("puppy", true), ("golden hour", true)]
        );
        assert_eq!(tags[0].confidence, tags[1].confidence, "a puppy is a dog");
        let some = bank.tags(&[&photo], &|row| row == 1, 1).unwrap().remove(0);
        assert_eq!(some.len(), 1);
        assert!(bank.tags(&[&[1.0, 0.0]], &|_| true, 1).is_err());
        let first = Bank::new(pieces, lexicon(), sigmoid, 1);
        assert!(first.tags(&[&photo], &|_| true, 1).unwrap()[0].is_empty());
    }
}
