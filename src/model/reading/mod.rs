//! Text in pictures: a finder of lines, and a reader of one line ([`crate::model::Kind::TextReader`]).
//!
//! Promises: whatever the networks say, boxes have finite corners, there are at most `finder.most` of them,
//! and a line's text is no longer than its steps. Graphs that have not the inputs and outputs they should
//! have are refused when they are loaded.

mod crop;
mod finder;
mod quad;
mod reader;
#[cfg(test)]
pub(super) mod tests;

pub use crop::LinePicture;
pub use finder::TextFinder;
pub use quad::TextBox;
pub use reader::{LineReader, LineText};

use ndarray::{Array4, ArrayView3, CowArray, IxDyn};
use ort::session::Session;
use ort::value::TensorElementType;

use super::error::ModelError;
use super::manifest::{ChannelOrder, ReaderTable};
use super::pack::{ImageSide, ModelPack, TextGraphs};
use super::runtime::Runtime;
use super::session::{self, TinyIsZero};
use crate::embedding::Letterbox;

/// What of a picture the reader is shown.
pub fn cut_line(picture: &Letterbox, line: &TextBox, reader: &ReaderTable) -> LinePicture {
    let (height, most) = (reader.height as usize, reader.most_width as usize);
    crop::cut(picture, line, height, most)
}

/// How bytes become numbers.
#[derive(Clone, Copy)]
struct Channels {
    order: ChannelOrder,
    mean: [f32; 3],
    std: [f32; 3],
}

/// A picture as a network wants it, `[1, 3, height, width]`; what is added on the right is 0.
fn prepare(pixels: ArrayView3<'_, u8>, width: usize, how: Channels) -> Array4<f32> {
    let (rows, columns, _) = pixels.dim();
    let mut input = Array4::zeros((1, 3, rows, width.max(columns)));
    for channel in 0..3 {
        let table: [f32; 256] =
            std::array::from_fn(|v| (v as f32 - how.mean[channel]) / how.std[channel]);
        let from = match how.order {
            ChannelOrder::Rgb => channel,
            ChannelOrder::Bgr => 2 - channel,
        };
        for y in 0..rows {
            for x in 0..columns {
                input[[0, channel, y, x]] = table[usize::from(pixels[[y, x, from]])];
            }
        }
    }
    input
}

/// The pack's tables, if it reads text.
fn tables(pack: &ModelPack) -> Result<&TextGraphs, ModelError> {
    match &pack.image {
        ImageSide::Text(tables) => Ok(tables),
        _ => Err(ModelError::BadPack {
            pack: pack.id.to_string(),
            reason: "it reads no text".to_owned(),
        }),
    }
}

/// One of the two networks: pixels in, one array of floats out.
struct Network {
    session: Session,
    pack: String,
    tensor: String,
    output: String,
    element: TensorElementType,
    how: Channels,
}

impl Network {
    /// Makes the session, if input and output are what the manifest says.
    fn open(
        runtime: &Runtime,
        pack: &ModelPack,
        (file, tensor, output): (&str, &str, &str),
        how: Channels,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: pack.id.to_string(),
            reason: format!("{file} {reason}"),
        };
        let options = session::Options {
            threads,
            optimise: true,
            // The finder makes many of them: half of its time went into them.
            tiny_is_zero: true,
        };
        let session = session::open(runtime, pack, file, options)?;
        let input = session::declared_floats(session.inputs(), "input", tensor).map_err(bad)?;
        session::declared_floats(session.outputs(), "output", output).map_err(bad)?;
        Ok(Self {
            element: input.element,
            session,
            pack: pack.id.to_string(),
            tensor: tensor.to_owned(),
            output: output.to_owned(),
            how,
        })
    }

    /// What the network says of these pixels, as `read` reads it.
    fn see<T>(
        &mut self,
        pixels: ArrayView3<'_, u8>,
        read: impl FnOnce(CowArray<'_, f32, IxDyn>) -> Result<T, String>,
    ) -> Result<T, ModelError> {
        let input = prepare(pixels, pixels.dim().1, self.how);
        let input = session::float_input(input.view(), self.element);
        let tiny_is_zero = TinyIsZero::begin();
        let outputs = session::run(&mut self.session, &self.pack, (&self.tensor, input))?;
        drop(tiny_is_zero);
        let said = outputs.floats(&self.output).and_then(read);
        said.map_err(|reason| bad(&self.pack, reason))
    }
}

fn bad(pack: &str, reason: String) -> ModelError {
    ModelError::BadOutput {
        pack: pack.to_owned(),
        reason,
    }
}
