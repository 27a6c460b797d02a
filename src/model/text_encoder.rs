//! Sentences in, vectors of length one out, in the space of the pack's photo vectors.
//!
//! A query is run alone: graphs that are quantised dynamically give a text another vector beside
//! other texts, and a query must find the same photos whatever it is asked with. Tens of thousands
//! of labels are run in batches of equally long texts, if a trial shows that the graph gives them the
//! same vectors there. Which inputs an export has is asked of the graph: mask and token types that the manifest
//! names are fed only where they are wanted.

use ndarray::{Array1, ArrayView2, Ix3};
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType};

use super::error::ModelError;
use super::manifest::{Pooling, TextSpec};
use super::pack::{ImageSide, ModelPack};
use super::projection::Projection;
use super::runtime::Runtime;
use super::session;
use super::tokens::{Row, Tokens};
use super::unit::finished;
use crate::embedding::Embedding;

/// Most texts in one run: more bring nothing.
const BATCH: usize = 64;
/// Most that a value may differ between a batch and alone; what f32 sums in another order differ by
/// is a tenth of it, what a dynamically quantised graph does a hundred times as much.
const SAME: f32 = 1e-5;

/// How the session is made.
#[derive(Debug, Clone, Copy)]
pub struct TextOptions {
    /// Threads inside one run.
    pub threads: usize,
    /// For a single query: the graph is not optimised first and not tried with a text when it is
    /// loaded (MiniLM is ready in 40 ms instead of 350 ms; its answers are checked all the same).
    pub quick: bool,
}

/// A session with its tokenizer. Owned by one thread.
pub struct TextEncoder {
    session: Session,
    tokens: Tokens,
    spec: TextSpec,
    pack: String,
    dims: usize,
    feeds: Vec<Feed>,
    /// Taken from every vector of a derived pack.
    centre: Option<Vec<f32>>,
}

/// One input of the graph.
struct Feed {
    name: String,
    what: What,
    element: TensorElementType,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Ids,
    Mask,
    Types,
}

impl TextEncoder {
    /// Reads the tokenizer and makes the session.
    ///
    /// # Errors
    /// [`ModelError::NoText`] if the pack has no text side or its files are not here, with what to
    /// do; else if they do not load or do not fit the manifest.
    pub fn new(
        runtime: &Runtime,
        pack: &ModelPack,
        options: TextOptions,
    ) -> Result<Self, ModelError> {
        let spec = pack.text_side()?.clone();
        let tokens = Tokens::new(pack, &spec)?;
        let centre = match &pack.image {
            ImageSide::Derived(_) => Some(Projection::new(pack)?.into_centre()),
            ImageSide::Graph(_)
            | ImageSide::Boxes(_)
            | ImageSide::Text(_)
            | ImageSide::Faces(_) => None,
        };
        let how = session::Options {
            threads: options.threads,
            optimise: !options.quick,
            tiny_is_zero: false,
        };
        let session = session::open(runtime, pack, &spec.file, how)?;
        let mut encoder = Self {
            pack: pack.id.to_string(),
            dims: pack.dims,
            feeds: Vec::new(),
            session,
            tokens,
            spec,
            centre,
        };
        encoder.feeds = encoder.check_inputs()?;
        encoder.check_output()?;
        if !options.quick {
            encoder.encode(&["a photo"])?;
        }
        Ok(encoder)
    }

    /// Tokens of a text, special ones included, before anything is cut off.
    ///
    /// # Errors
    /// If the tokenizer fails on it.
    pub fn tokens(&self, text: &str) -> Result<usize, ModelError> {
        self.tokens.count(text)
    }

    /// Into how many pieces a word is cut: one, if the model knows it.
    ///
    /// # Errors
    /// If the tokenizer fails on it.
    pub fn pieces(&self, word: &str) -> Result<usize, ModelError> {
        self.tokens.pieces(word)
    }

    /// Whether it reads one language only: those have 30,000 to 50,000 pieces of words, those for many
    /// languages more than 100,000.
    pub fn reads_english_only(&self) -> bool {
        const MANY: usize = 80_000;
        self.tokens.vocabulary() < MANY
    }

    /// Most tokens, special ones included, that the model reads of a text.
    pub fn limit(&self) -> usize {
        self.spec.length
    }

    /// One vector a text, in order, each by itself. What is beyond [`Self::limit`] is not read.
    ///
    /// # Errors
    /// [`ModelError::Tokens`] for a text without any token, [`ModelError::BadOutput`] if the answer
    /// has a wrong shape or is not finite, [`ModelError::Run`] if a run fails.
    pub fn encode(&mut self, texts: &[&str]) -> Result<Vec<Embedding>, ModelError> {
        self.encode_many(texts, false)
    }

    /// The same of many texts, in batches if [`Self::can_batch`] says that it changes nothing.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_many(
        &mut self,
        texts: &[&str],
        batched: bool,
    ) -> Result<Vec<Embedding>, ModelError> {
        let rows: Vec<Row> = texts
            .iter()
            .map(|text| self.tokens.row(text))
            .collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| rows[*at].ids.len());
        let mut vectors: Vec<Option<Embedding>> = vec![None; rows.len()];
        let most = if batched { BATCH } else { 1 };
        // Only texts of one length go together: padding would be work for nothing.
        for equal in order.chunk_by(|a, b| rows[*a].ids.len() == rows[*b].ids.len()) {
            for batch in equal.chunks(most) {
                let together: Vec<&Row> = batch.iter().map(|at| &rows[*at]).collect();
                for (at, raw) in batch.iter().zip(self.run(&together)?) {
                    vectors[*at] = Some(self.finished(raw)?);
                }
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }

    /// Whether texts have the same vectors in a batch as alone.
    ///
    /// # Errors
    /// If a run fails.
    pub fn can_batch(&mut self) -> Result<bool, ModelError> {
        let texts = [
            "a dog", "a tree", "a photo", "a house", "a sunset", "a river",
        ];
        let alone = self.encode_many(&texts, false)?;
        let together = self.encode_many(&texts, true)?;
        let furthest = alone
            .iter()
            .flat_map(|v| &v.values)
            .zip(together.iter().flat_map(|v| &v.values))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        Ok(furthest <= SAME)
    }

    /// Of length one, without a derived pack's centre.
    fn finished(&self, raw: Vec<f32>) -> Result<Embedding, ModelError> {
        let mut vector = finished(&self.pack, raw, true)?;
        if let Some(centre) = &self.centre {
            for (value, middle) in vector.values.iter_mut().zip(centre) {
                *value -= middle;
            }
            vector = finished(&self.pack, vector.values, true)?;
        }
        Ok(vector)
    }

    /// One raw vector a row; all rows are equally long.
    fn run(&mut self, rows: &[&Row]) -> Result<Vec<Vec<f32>>, ModelError> {
        let run = |e: ort::Error| ModelError::Run {
            pack: self.pack.clone(),
            reason: e.to_string(),
        };
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for feed in &self.feeds {
            let values: Vec<u32> = rows
                .iter()
                .flat_map(|row| match feed.what {
                    What::Ids => &row.ids,
                    What::Mask => &row.mask,
                    What::Types => &row.types,
                })
                .copied()
                .collect();
            let value = integers(&values, rows.len(), feed.element).map_err(run)?;
            inputs.push((feed.name.as_str(), value));
        }
        let outputs = self.session.run(inputs).map_err(run)?;
        let output = outputs
            .get(self.spec.output.as_str())
            .ok_or_else(|| bad(format!("no output named {}", self.spec.output)))?;
        let values = session::floats(output).map_err(&bad)?;
        let shape = values.shape().to_vec();
        let (texts, dims) = (rows.len(), self.dims);
        let count = rows.first().map_or(0, |row| row.ids.len());
        match (self.spec.pooling, &shape[..]) {
            (Pooling::None, [n, found]) | (Pooling::Mean, [n, _, found])
                if *n == texts && *found != dims =>
            {
                Err(other_dims(&self.pack, &self.spec, dims, *found))
            }
            (Pooling::None, [n, _]) if *n == texts => Ok(values
                .outer_iter()
                .map(|row| row.iter().copied().collect())
                .collect()),
            (Pooling::Mean, [n, l, _]) if *n == texts && *l == count => {
                let values = values
                    .into_dimensionality::<Ix3>()
                    .map_err(|e| bad(e.to_string()))?;
                let means = values.outer_iter().zip(rows);
                Ok(means.map(|(states, row)| mean(states, &row.mask)).collect())
            }
            (Pooling::None, _) => Err(bad(format!("shape {shape:?}, not [{texts}, {dims}]"))),
            (Pooling::Mean, _) => Err(bad(format!(
                "shape {shape:?}, not [{texts}, {count}, {dims}]"
            ))),
        }
    }

    /// What each of the graph's inputs is given.
    fn check_inputs(&self) -> Result<Vec<Feed>, ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.spec.file),
        };
        let mut feeds = Vec::new();
        for outlet in self.session.inputs() {
            let name = outlet.name();
            let what = if name == self.spec.ids {
                What::Ids
            } else if Some(name) == self.spec.mask.as_deref() {
                What::Mask
            } else if Some(name) == self.spec.types.as_deref() {
                What::Types
            } else {
                return Err(bad(format!(
                    "wants an input {name}, of which [text] in model.toml says nothing"
                )));
            };
            let declared = session::declared(self.session.inputs(), "input", name).map_err(&bad)?;
            if !matches!(
                declared.element,
                TensorElementType::Int64 | TensorElementType::Int32
            ) {
                return Err(bad(format!(
                    "takes {} at {name}, not int64 or int32",
                    declared.element
                )));
            }
            if let [_, exact] = declared.shape[..]
                && exact > 0
                && (exact as usize != self.spec.length || self.spec.pad_id.is_none())
            {
                return Err(bad(format!(
                    "takes exactly {exact} tokens: text.length in model.toml must be {exact} and text.pad_id must be set"
                )));
            }
            feeds.push(Feed {
                name: name.to_owned(),
                what,
                element: declared.element,
            });
        }
        if feeds.iter().any(|f| f.what == What::Ids) {
            Ok(feeds)
        } else {
            Err(bad(format!("has no input named {}", self.spec.ids)))
        }
    }

    /// Type and shape of the output as the graph declares them.
    fn check_output(&self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.spec.file),
        };
        let name = &self.spec.output;
        let output =
            session::declared_floats(self.session.outputs(), "output", name).map_err(&bad)?;
        let rank = match self.spec.pooling {
            Pooling::None => 2,
            Pooling::Mean => 3,
        };
        match output.shape.last() {
            None => Ok(()),
            Some(_) if output.shape.len() != rank => Err(bad(format!(
                "gives {:?} at {name}, which is not of {rank} dimensions as text.pooling in model.toml wants it",
                output.shape
            ))),
            Some(&dims) if dims >= 0 && dims as usize != self.dims => {
                Err(other_dims(&self.pack, &self.spec, self.dims, dims as usize))
            }
            Some(_) => Ok(()),
        }
    }
}

fn other_dims(pack: &str, spec: &TextSpec, expected: usize, found: usize) -> ModelError {
    ModelError::Dimensions {
        pack: pack.to_owned(),
        what: format!("{} of {}", spec.output, spec.file),
        expected,
        found,
    }
}

/// Rows `[N, L]` of the session's type.
fn integers(
    values: &[u32],
    rows: usize,
    element: TensorElementType,
) -> ort::Result<SessionInputValue<'static>> {
    let shape = [rows, values.len() / rows.max(1)];
    Ok(if element == TensorElementType::Int32 {
        let values: Vec<i32> = values.iter().map(|v| *v as i32).collect();
        Tensor::from_array((shape, values))?.into()
    } else {
        let values: Vec<i64> = values.iter().map(|v| i64::from(*v)).collect();
        Tensor::from_array((shape, values))?.into()
    })
}

/// The mean of those rows of `[L, dims]` that are no padding.
fn mean(states: ArrayView2<'_, f32>, mask: &[u32]) -> Vec<f32> {
    let mut sum = Array1::<f64>::zeros(states.ncols());
    let mut count = 0.0;
    for (row, _) in states.outer_iter().zip(mask).filter(|(_, m)| **m != 0) {
        count += 1.0;
        sum += &row.mapv(f64::from);
    }
    sum.mapv(|v| (v / f64::max(count, 1.0)) as f32).to_vec()
}

#[cfg(test)]
#[path = "text_encoder_tests.rs"]
mod tests;
