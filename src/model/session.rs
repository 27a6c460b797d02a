//! The one place that makes ONNX Runtime sessions, and their values as plain floats.
//!
//! Graphs on disk are loaded by ONNX Runtime from their path (their weights may lie in files beside
//! them), compiled-in ones from memory. Exports differ in whether their inputs and outputs are
//! float32 or float16: the session is asked, and both are float32 to the rest of the code.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;
use std::sync::Arc;

use half::f16;
use ndarray::{ArrayView, CowArray, Dimension, IxDyn};
use ort::ep;
use ort::memory::Allocator;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynTensor, DynTensorValueType, DynValue, Outlet, TensorElementType, TensorRef};

use super::error::ModelError;
use super::pack::{GraphSource, ModelPack};
use super::runtime::Runtime;

/// How a session is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Threads inside one run.
    pub threads: usize,
    /// Whether the graph is optimised first: faster runs, slower start.
    pub optimise: bool,
    /// Whether numbers too small for full accuracy count as 0 in the session's own threads; the one that
    /// calls needs [`TinyIsZero`].
    pub tiny_is_zero: bool,
}

/// Makes a session of one of the pack's graphs.
pub(super) fn open(
    runtime: &Runtime,
    pack: &ModelPack,
    file: &str,
    options: Options,
) -> Result<Session, ModelError> {
    let source = pack.there(file)?;
    build(runtime, source, None, options).map_err(|reason| not_loaded(pack, file, &reason))
}

/// The same of a graph that is compiled in and whose weights are another file of the pack: they are
/// compared with their checksum once more as they are read.
pub(super) fn open_with_weights(
    runtime: &Runtime,
    pack: &ModelPack,
    (file, weights): (&str, &str),
    options: Options,
) -> Result<Session, ModelError> {
    let graph = pack.file(file)?;
    let bytes = pack.checked_file(weights)?;
    let source = GraphSource::Memory(&graph);
    let session = build(runtime, source, Some((weights, bytes.into())), options);
    session.map_err(|reason| not_loaded(pack, file, &reason))
}

fn not_loaded(pack: &ModelPack, file: &str, reason: &str) -> ModelError {
    ModelError::Run {
        pack: pack.id.to_string(),
        reason: format!("{file} does not load: {reason}"),
    }
}

fn build(
    runtime: &Runtime,
    source: GraphSource<'_>,
    weights: Option<(&str, Arc<[u8]>)>,
    options: Options,
) -> Result<Session, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let level = if options.optimise {
        GraphOptimizationLevel::Level3
    } else {
        GraphOptimizationLevel::Disable
    };
    let mut builder = Session::builder(&runtime.env)
        .map_err(|e| text(&e))?
        .with_optimization_level(level)
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
    if options.tiny_is_zero {
        builder = builder.with_flush_to_zero().map_err(|e| text(&e))?;
    }
    if let Some((name, bytes)) = weights {
        builder = builder
            .with_external_initializer_file_in_memory(name, bytes)
            .map_err(|e| text(&e))?;
    }
    match source {
        GraphSource::Memory(bytes) => builder.commit_from_memory(bytes),
        GraphSource::File(path) => builder.commit_from_file(path),
    }
    .map_err(|e| text(&e))
}

/// While it lives, numbers too small for full accuracy (below 1.2e-38) count as 0 in this thread: x86
/// processors take a hundred times as long for them. ONNX Runtime tells only threads of its own. Between
/// its making and its end no numbers but the runtime's are to be computed.
pub(super) struct TinyIsZero {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl TinyIsZero {
    #[cfg(target_arch = "x86_64")]
    pub fn begin() -> Self {
        /// MXCSR's bits "flush to zero" (15) and "denormals are zero" (6): Intel's manual, volume 1, 10.2.3.
        const TINY_IS_ZERO: u32 = 1 << 15 | 1 << 6;
        let mut before = 0;
        // SAFETY: writes the four bytes of `before`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack, preserves_flags)) };
        set_float_mode(before | TINY_IS_ZERO);
        Self { before }
    }

    /// Other processors are not slowed.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn begin() -> Self {
        Self {}
    }
}

#[cfg(target_arch = "x86_64")]
impl Drop for TinyIsZero {
    fn drop(&mut self) {
        set_float_mode(self.before);
    }
}

/// Sets MXCSR, the register that says how this thread's numbers are computed.
#[cfg(target_arch = "x86_64")]
fn set_float_mode(mode: u32) {
    // SAFETY: `mode` is what the register had, but for two bits that every x86-64 processor knows. Only
    // the runtime computes meanwhile: what Rust code there is between moves pointers.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack, preserves_flags)) };
}

/// What a graph says of one of its inputs or outputs.
#[derive(Debug)]
pub(super) struct Declared {
    /// Type of its elements.
    pub element: TensorElementType,
    /// Its dimensions, −1 where any number will do. Empty if the graph does not say.
    pub shape: Vec<i64>,
}

/// Finds an input or output by name.
///
/// # Errors
/// With the names that there are.
pub(super) fn declared(outlets: &[Outlet], what: &str, name: &str) -> Result<Declared, String> {
    let outlet = outlets.iter().find(|o| o.name() == name).ok_or_else(|| {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        format!(
            "the graph has no {what} named {name}, but {}",
            names.join(", ")
        )
    })?;
    let element = outlet
        .dtype()
        .tensor_type()
        .ok_or_else(|| format!("{what} {name} is no tensor"))?;
    let shape = outlet
        .dtype()
        .tensor_shape()
        .map(|s| s.to_vec())
        .unwrap_or_default();
    Ok(Declared { element, shape })
}

/// The same of an input or output that must be of floats; says what is wrong of the graph's file.
///
/// # Errors
/// If there is none of the name, or it is of something else.
pub(super) fn declared_floats(
    outlets: &[Outlet],
    what: &str,
    name: &str,
) -> Result<Declared, String> {
    let found = declared(outlets, what, name).map_err(|e| format!("does not fit: {e}"))?;
    if is_float(found.element) {
        return Ok(found);
    }
    let verb = if what == "input" { "takes" } else { "gives" };
    Err(format!("{verb} {} at {name}, not floats", found.element))
}

/// Whether vectors of this type can be fed and read.
pub(super) fn is_float(element: TensorElementType) -> bool {
    matches!(
        element,
        TensorElementType::Float32 | TensorElementType::Float16
    )
}

/// A tensor of the session's type. Float32 is a view, float16 a copy.
pub(super) fn float_input<D: Dimension + 'static>(
    values: ArrayView<'_, f32, D>,
    element: TensorElementType,
) -> ort::Result<SessionInputValue<'_>> {
    if element != TensorElementType::Float16 {
        return Ok(TensorRef::from_array_view(values)?.into());
    }
    let shape: Vec<i64> = values.shape().iter().map(|n| *n as i64).collect();
    let mut tensor = DynTensor::new(&Allocator::default(), TensorElementType::Float16, shape)?;
    let at = tensor.data_ptr_mut().cast::<u16>();
    if !at.is_null() {
        // SAFETY: a new CPU tensor of 16-bit elements, zeroed, owned here and not yet shared; it
        // has as many elements as its shape says, which is the array's.
        let room = unsafe { std::slice::from_raw_parts_mut(at, values.len()) };
        for (slot, value) in room.iter_mut().zip(&values) {
            *slot = f16::from_f32(*value).to_bits();
        }
    }
    Ok(tensor.into())
}

/// What a run has given.
pub(super) struct Outputs<'r>(SessionOutputs<'r>);

impl Outputs<'_> {
    /// One output by name, as [`floats`] gives it.
    ///
    /// # Errors
    /// If there is none of the name, or it is of something else.
    pub fn floats(&self, name: &str) -> Result<CowArray<'_, f32, IxDyn>, String> {
        let output = self.0.get(name);
        floats(output.ok_or_else(|| format!("no output named {name}"))?)
    }
}

/// Runs a pack's graph with one input.
///
/// # Errors
/// [`ModelError::Run`] if the run fails.
pub(super) fn run<'r>(
    session: &'r mut Session,
    pack: &str,
    (name, input): (&str, ort::Result<SessionInputValue<'_>>),
) -> Result<Outputs<'r>, ModelError> {
    let failed = |reason: String| ModelError::Run {
        pack: pack.to_owned(),
        reason,
    };
    crate::failpoint::hit("model.run").map_err(|e| failed(e.to_string()))?;
    let outputs = input.and_then(|input| session.run(vec![(name, input)]));
    outputs.map(Outputs).map_err(|e| failed(e.to_string()))
}

/// An output as an array. Float32 is a view, float16 a copy.
///
/// # Errors
/// If it is another type.
pub(super) fn floats(value: &DynValue) -> Result<CowArray<'_, f32, IxDyn>, String> {
    let text = |e: ort::Error| e.to_string();
    if value.dtype().tensor_type() != Some(TensorElementType::Float16) {
        let array = value.try_extract_array::<f32>().map_err(text)?;
        return Ok(array.into());
    }
    let view = value
        .view()
        .downcast::<DynTensorValueType>()
        .map_err(text)?;
    let shape: Vec<usize> = view.shape().iter().map(|n| *n as usize).collect();
    let at = view.data_ptr().cast::<u16>();
    let values = if at.is_null() {
        Vec::new()
    } else {
        // SAFETY: the value is a tensor of 16-bit elements in CPU memory (no other execution
        // provider is ever registered) with as many of them as its shape says, alive as `value`.
        let bits = unsafe { std::slice::from_raw_parts(at, shape.iter().product()) };
        bits.iter().map(|b| f16::from_bits(*b).to_f32()).collect()
    };
    let array = ndarray::ArrayD::from_shape_vec(shape, values).map_err(|e| e.to_string())?;
    Ok(array.into())
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn tiny_numbers_are_zero_only_meanwhile() {
        let half = || black_box(f32::MIN_POSITIVE) / black_box(2.0);
        assert!(half() > 0.0);
        let tiny = TinyIsZero::begin();
        assert_eq!(half(), 0.0);
        drop(tiny);
        assert!(half() > 0.0);
    }
}
