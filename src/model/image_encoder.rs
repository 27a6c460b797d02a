//! Pictures in, vectors out.

use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::error::ModelError;
use super::pack::ModelPack;
use super::runtime::Runtime;
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
    name: String,
    input_name: String,
    output_name: String,
    size: u32,
    dims: usize,
    batch: Vec<f32>,
}

impl ImageEncoder {
    /// Makes the session and checks it with one blank picture.
    ///
    /// # Errors
    /// If the graph does not load, or its answer has not the shape that the manifest promises.
    pub fn new(
        runtime: &Runtime,
        pack: &ModelPack,
        options: EncoderOptions,
    ) -> Result<Self, ModelError> {
        let run = |e: String| ModelError::Run {
            pack: pack.id.to_string(),
            reason: e,
        };
        let session = build(runtime, pack, options).map_err(run)?;
        let mut encoder = Self {
            session,
            name: pack.id.to_string(),
            input_name: pack.input_name.clone(),
            output_name: pack.output_name.clone(),
            size: pack.input.size,
            dims: pack.dims,
            batch: Vec::new(),
        };
        let side = pack.input.size as usize;
        let blank = Tensor {
            size: pack.input.size,
            data: vec![0.0; 3 * side * side],
        };
        encoder.encode(&[&blank])?;
        Ok(encoder)
    }

    /// One vector a tensor, in order. All tensors have the pack's input size.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if the answer has a wrong shape or a value that is not finite;
    /// [`ModelError::Run`] if the run itself fails. A batch fails or succeeds as a whole.
    pub fn encode(&mut self, tensors: &[&Tensor]) -> Result<Vec<Embedding>, ModelError> {
        let run = |e: ort::Error| ModelError::Run {
            pack: self.name.clone(),
            reason: e.to_string(),
        };
        let side = self.size as usize;
        let plane = 3 * side * side;
        self.batch.clear();
        for tensor in tensors {
            if tensor.size != self.size || tensor.data.len() != plane {
                return Err(ModelError::BadOutput {
                    pack: self.name.clone(),
                    reason: format!("it wants {side}×{side} pictures, got {}", tensor.size),
                });
            }
            self.batch.extend_from_slice(&tensor.data);
        }
        let shape = [tensors.len(), 3, side, side];
        let input = TensorRef::from_array_view((shape, self.batch.as_slice())).map_err(run)?;
        let outputs = self
            .session
            .run(ort::inputs![self.input_name.as_str() => input])
            .map_err(run)?;
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.name.clone(),
            reason,
        };
        let output = outputs
            .get(self.output_name.as_str())
            .ok_or_else(|| bad(format!("no output named {}", self.output_name)))?;
        let vectors = output.try_extract_array::<f32>().map_err(run)?;
        if vectors.shape() != [tensors.len(), self.dims] {
            return Err(bad(format!(
                "shape {:?}, not [{}, {}]",
                vectors.shape(),
                tensors.len(),
                self.dims
            )));
        }
        let mut embeddings = Vec::with_capacity(tensors.len());
        for row in vectors.rows() {
            let values = row.to_vec();
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(bad(format!("value {at} is {}", values[at])));
            }
            embeddings.push(Embedding { values });
        }
        Ok(embeddings)
    }
}

fn build(runtime: &Runtime, pack: &ModelPack, options: EncoderOptions) -> Result<Session, String> {
    let graph = pack.file("encoder.onnx").map_err(|e| e.to_string())?;
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let mut builder = Session::builder(&runtime.env)
        .map_err(|e| text(&e))?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(|e| text(&e))?
        .with_intra_threads(options.threads.max(1))
        .map_err(|e| text(&e))?
        .with_inter_threads(1)
        .map_err(|e| text(&e))?
        // ONNX Runtime's threads would spin between runs and keep idle cores busy.
        .with_intra_op_spinning(false)
        .map_err(|e| text(&e))?
        .with_inter_op_spinning(false)
        .map_err(|e| text(&e))?
        // The arena keeps the largest batch's memory for ever; the pipeline has a memory budget.
        .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])
        .map_err(|e| text(&e))?;
    builder.commit_from_memory(graph).map_err(|e| text(&e))
}
