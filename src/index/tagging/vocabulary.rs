//! A search model's vocabulary: terms of the lexicon as vectors, encoded piece by piece.
//!
//! Each piece of [`PIECE`] terms is a file of its own, written whole; the everyday terms come first. A
//! piece that is damaged, or of another model, prompt or lexicon, is made again. Terms are encoded
//! behind everything else, and used when there are twice as many as before, so that all tagging again
//! together costs twice the last.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{TagPlan, TaggingError, stated};
use crate::index::priority;
use crate::matrix::{self, Matrix, MatrixError, MatrixWriter};
use crate::model::{ModelPack, Runtime, TextEncoder, TextOptions};
use crate::tag::{Bank, Sigmoid};

/// Terms in a piece: 40 s of work for a model of SigLIP's size, which is what a kill costs.
const PIECE: usize = 512;
/// Terms encoded together.
const BLOCK: usize = 16;
/// How long one step may take before photos get their turn.
const STEP: Duration = Duration::from_millis(800);

/// Where the pieces of a model lie.
pub fn vocabulary_dir(data_dir: &Path, model: &crate::embedding::ModelId) -> PathBuf {
    data_dir.join("labels").join(model.file_name())
}

pub(super) struct EncodedTerms {
    pack: ModelPack,
    sigmoid: Sigmoid,
    prompt: String,
    dir: PathBuf,
    identity: [u8; 32],
    labels: usize,
    goal: usize,
    /// By their number; a missing one is to be encoded.
    pieces: Vec<Option<Arc<Matrix>>>,
    encoder: Option<(TextEncoder, bool)>,
    /// The piece in work: its number, its writer, and the next term.
    work: Option<(usize, MatrixWriter, usize)>,
    rate: f64,
}

impl EncodedTerms {
    /// What there is of a pack's; `None` if the pack does not say what its cosines mean, or nobody
    /// wants any terms.
    pub fn open(plan: &TagPlan, pack: &ModelPack) -> Option<Self> {
        let sigmoid = stated(pack)?;
        let prompt = pack.text.as_ref()?.prompt.clone();
        let goal = plan.terms.min(plan.lexicon.labels());
        if goal == 0 {
            return None;
        }
        let dir = vocabulary_dir(&plan.data_dir, &pack.id);
        let identity = matrix::identity(&["terms", &pack.id.0, &prompt, plan.lexicon.version()]);
        let pieces = (0..goal.div_ceil(PIECE))
            .map(|number| sound(&dir, number, &identity, pack.dims, plan.lexicon.labels()))
            .collect();
        Some(Self {
            pack: pack.clone(),
            sigmoid,
            prompt,
            dir,
            identity,
            labels: plan.lexicon.labels(),
            goal,
            pieces,
            encoder: None,
            work: None,
            rate: 0.0,
        })
    }

    /// Terms there are to be.
    pub fn goal(&self) -> usize {
        self.goal
    }

    /// Terms in pieces that are there.
    pub fn encoded(&self) -> usize {
        let there = self.pieces.iter().enumerate().filter(|(_, p)| p.is_some());
        there
            .map(|(number, _)| self.range(number).len().min(self.goal - number * PIECE))
            .sum()
    }

    /// Terms worth tagging all photos with: all of them, or a power of two of pieces.
    pub fn worth_using(&self) -> usize {
        let there = self.pieces.iter().take_while(|p| p.is_some()).count();
        if there == self.pieces.len() {
            return self.goal;
        }
        there
            .checked_ilog2()
            .map_or(0, |power| (1 << power) * PIECE)
    }

    /// Those, to tag with.
    pub fn bank(&self, plan: &TagPlan) -> Option<Bank> {
        let worth = self.worth_using();
        let pieces: Vec<Arc<Matrix>> = self.pieces[..worth.div_ceil(PIECE)]
            .iter()
            .flatten()
            .cloned()
            .collect();
        let lexicon = Arc::clone(&plan.lexicon);
        (!pieces.is_empty()).then(|| Bank::new(pieces, lexicon, self.sigmoid, worth))
    }

    /// Terms encoded a second, lately.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Lets the text model go until the next step.
    pub fn rest(&mut self) {
        self.encoder = None;
    }

    /// Encodes for a moment; true: there is more to do.
    pub fn step(&mut self, plan: &TagPlan, stop: &AtomicBool) -> Result<bool, TaggingError> {
        let Some(number) = self.pieces.iter().position(Option::is_none) else {
            if self.encoder.take().is_some() {
                crate::index::give_memory_back();
            }
            return Ok(false);
        };
        // The model's own threads have the priority of the one that makes them.
        priority::only_idle(true);
        let done = self.encode(plan, number, stop);
        priority::only_idle(false);
        if done.is_err() {
            (self.work, self.encoder) = (None, None);
        }
        done.map(|()| true)
    }

    fn encode(
        &mut self,
        plan: &TagPlan,
        number: usize,
        stop: &AtomicBool,
    ) -> Result<(), TaggingError> {
        let range = self.range(number);
        let (encoder, batched) = match &mut self.encoder {
            Some(ready) => ready,
            none => {
                let options = TextOptions {
                    threads: plan.threads,
                    quick: false,
                };
                let mut encoder =
                    TextEncoder::new(&Runtime::find(&plan.data_dir)?, &self.pack, options)?;
                let batched = encoder.can_batch()?;
                none.insert((encoder, batched))
            }
        };
        let (_, writer, next) = match &mut self.work {
            Some(work) if work.0 == number => work,
            other => {
                let path = piece_path(&self.dir, number);
                let writer = MatrixWriter::begin(&path, &self.identity, self.pack.dims)?;
                other.insert((number, writer, range.start))
            }
        };
        let begun = Instant::now();
        let before = *next;
        while *next < range.end && begun.elapsed() < STEP && !stop.load(Ordering::Relaxed) {
            let rows = *next..(*next + BLOCK).min(range.end);
            let texts: Vec<String> = rows
                .clone()
                .map(|row| self.prompt.replace("{}", plan.lexicon.term(row).name))
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for (row, vector) in rows.clone().zip(encoder.encode_many(&texts, *batched)?) {
                writer.push(i64::try_from(row).unwrap_or(i64::MAX), &vector.values)?;
            }
            *next = rows.end;
        }
        let now = (*next - before) as f64 / begun.elapsed().as_secs_f64().max(1e-6);
        self.rate = if self.rate > 0.0 {
            0.9 * self.rate + 0.1 * now
        } else {
            now
        };
        if *next == range.end
            && let Some((_, writer, _)) = self.work.take()
        {
            let span = (range.start as i64, range.end as i64);
            self.pieces[number] = Some(Arc::new(writer.finish(span)?));
        }
        Ok(())
    }

    fn range(&self, number: usize) -> std::ops::Range<usize> {
        number * PIECE..((number + 1) * PIECE).min(self.labels)
    }
}

fn piece_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{:06}.mx", number * PIECE))
}

/// The piece, if every byte of it is what was written.
fn sound(
    dir: &Path,
    number: usize,
    identity: &[u8; 32],
    dims: usize,
    labels: usize,
) -> Option<Arc<Matrix>> {
    let path = piece_path(dir, number);
    let opened = Matrix::open(&path, identity, dims)
        .and_then(|matrix| matrix.verify(&AtomicBool::new(false)).map(|_| matrix));
    match opened {
        Ok(matrix) => {
            let wanted = (number * PIECE) as i64..((number + 1) * PIECE).min(labels) as i64;
            (matrix.span() == (wanted.start, wanted.end)).then(|| Arc::new(matrix))
        }
        Err(MatrixError::Absent(_)) => None,
        Err(e) => {
            tracing::warn!("{e}; it is made again");
            None
        }
    }
}
