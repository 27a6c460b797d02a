//! Pictures in, vectors out.
//!
//! Promises: never more pictures in a run than the pack allows (a graph that is quantised
//! dynamically gives a picture another vector beside other pictures); every output has the pack's
//! shape and only finite values, and vectors of a dual encoder have length one. A graph that cannot
//! keep this is refused when it is loaded, with one blank picture.

use ndarray::{Array4, Ix2, s};
use ort::session::Session;
use ort::value::TensorElementType;

use super::error::ModelError;
use super::pack::{ImageGraph, ImageSide, ModelPack};
use super::runtime::Runtime;
use super::session;
use super::unit::finished;
use crate::embedding::{Embedding, Tensor};

/// How the session uses the machine.
#[derive(Debug, Clone, Copy)]
pub struct EncoderOptions {
    /// Threads inside one run.
    pub threads: usize,
}

/// A session with the buffer that its batches are gathered in. Owned by one thread.
pub struct ImageEncoder {
    session: Session,
    pack: String,
    graph: ImageGraph,
    element: TensorElementType,
    dims: usize,
    batch: usize,
    /// Room for one batch.
    gathered: Array4<f32>,
}

impl ImageEncoder {
    /// Makes the session and checks it with one blank picture.
    ///
    /// # Errors
    /// If the pack has no image graph (a derived one has a [`super::Projection`] instead), the
    /// graph does not load, or it has not the inputs and outputs that the manifest promises.
    pub fn new(
        runtime: &Runtime,
        pack: &ModelPack,
        options: EncoderOptions,
    ) -> Result<Self, ModelError> {
        let ImageSide::Graph(graph) = &pack.image else {
            return Err(ModelError::BadPack {
                pack: pack.id.to_string(),
                reason: "its photo vectors come from a classifier, it has no image graph"
                    .to_owned(),
            });
        };
        let options = session::Options {
            threads: options.threads,
            optimise: true,
            tiny_is_zero: false,
        };
        let session = session::open(runtime, pack, &graph.file, options)?;
        let mut encoder = Self {
            pack: pack.id.to_string(),
            element: TensorElementType::Float32,
            graph: graph.clone(),
            dims: pack.dims,
            batch: graph.batch,
            gathered: Array4::zeros((0, 0, 0, 0)),
            session,
        };
        encoder.check_input()?;
        encoder.check_output()?;
        let side = graph.spec.size as usize;
        encoder.gathered = Array4::zeros((encoder.batch, 3, side, side));
        encoder.encode(&[&Tensor::zeros((3, side, side))])?;
        Ok(encoder)
    }

    /// Most pictures in one run. [`Self::encode`] takes any number and never exceeds this.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// One vector a tensor, in order. All tensors have the pack's input size.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if the answer has a wrong shape or a value that is not finite;
    /// [`ModelError::Run`] if the run itself fails. The call fails or succeeds as a whole.
    pub fn encode(&mut self, tensors: &[&Tensor]) -> Result<Vec<Embedding>, ModelError> {
        let mut embeddings = Vec::with_capacity(tensors.len());
        for batch in tensors.chunks(self.batch) {
            self.run(batch, &mut embeddings)?;
        }
        Ok(embeddings)
    }

    fn run(&mut self, tensors: &[&Tensor], out: &mut Vec<Embedding>) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        let (graph, dims, pack) = (&self.graph, self.dims, &self.pack);
        let side = graph.spec.size as usize;
        for (mut room, tensor) in self.gathered.outer_iter_mut().zip(tensors) {
            if tensor.shape() != [3, side, side] {
                return Err(bad(format!(
                    "it wants {side}×{side} pictures, got {:?}",
                    tensor.shape()
                )));
            }
            room.assign(tensor);
        }
        let batch = self.gathered.slice(s![..tensors.len(), .., .., ..]);
        let input = session::float_input(batch, self.element);
        let input = (graph.input_name.as_str(), input);
        let outputs = session::run(&mut self.session, pack, input)?;
        let values = outputs.floats(&graph.output_name).map_err(&bad)?;
        let shape = values.shape().to_vec();
        match shape[..] {
            [n, found] if n == tensors.len() && found == dims => {}
            [n, found] if n == tensors.len() => return Err(other_dims(pack, graph, dims, found)),
            _ => {
                return Err(bad(format!(
                    "shape {shape:?}, not [{}, {dims}]",
                    tensors.len()
                )));
            }
        }
        let values = values
            .into_dimensionality::<Ix2>()
            .map_err(|e| bad(e.to_string()))?;
        for row in values.outer_iter() {
            out.push(finished(pack, row.to_vec(), graph.normalise)?);
        }
        Ok(())
    }

    /// Type and shape of the input as the graph declares them.
    fn check_input(&mut self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.graph.file),
        };
        let name = &self.graph.input_name;
        let input = session::declared_floats(self.session.inputs(), "input", name).map_err(&bad)?;
        if let Some(other) = self.session.inputs().iter().find(|o| o.name() != name) {
            return Err(bad(format!(
                "wants an input {} besides {name}, of which model.toml says nothing",
                other.name()
            )));
        }
        let side = i64::from(self.graph.spec.size);
        if let [n, channels, height, width] = input.shape[..] {
            let fits = |declared: i64, ours: i64| declared < 0 || declared == ours;
            if !fits(channels, 3) || !fits(height, side) || !fits(width, side) {
                return Err(bad(format!(
                    "takes {width}×{height} pictures with {channels} channels, but image.size in model.toml is {side}"
                )));
            }
            match n {
                1 => self.batch = 1,
                n if n > 1 => {
                    return Err(bad(format!(
                        "takes exactly {n} pictures a run; export it for any number"
                    )));
                }
                _ => {}
            }
        } else if !input.shape.is_empty() {
            return Err(bad(format!(
                "takes {:?} at {name}, not [N, 3, {side}, {side}]",
                input.shape
            )));
        }
        self.element = input.element;
        Ok(())
    }

    /// Type and shape of the output as the graph declares them.
    fn check_output(&self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.graph.file),
        };
        let name = &self.graph.output_name;
        let output =
            session::declared_floats(self.session.outputs(), "output", name).map_err(&bad)?;
        match output.shape[..] {
            [_, dims] if dims < 0 || dims as usize == self.dims => Ok(()),
            [_, dims] => Err(other_dims(
                &self.pack,
                &self.graph,
                self.dims,
                dims as usize,
            )),
            [] => Ok(()),
            _ => Err(bad(format!(
                "gives {:?} at {name}, not one vector a picture",
                output.shape
            ))),
        }
    }
}

fn other_dims(pack: &str, graph: &ImageGraph, expected: usize, found: usize) -> ModelError {
    ModelError::Dimensions {
        pack: pack.to_owned(),
        what: format!("{} of {}", graph.output_name, graph.file),
        expected,
        found,
    }
}

#[cfg(test)]
#[path = "image_encoder_tests.rs"]
mod tests;
