//! Reads a line: a network that says for each step along it which character stands there, or none
//! (connectionist temporal classification).

use ndarray::{Array4, ArrayView2, Axis, Ix3};
use ort::session::Session;
use ort::value::TensorElementType;

use super::crop::LinePicture;
use super::{Channels, prepare};
use crate::model::error::ModelError;
use crate::model::manifest::ReaderTable;
use crate::model::pack::{ImageSide, ModelPack};
use crate::model::runtime::Runtime;
use crate::model::session;

/// A session. Owned by one thread.
pub struct LineReader {
    session: Session,
    pack: String,
    table: ReaderTable,
    element: TensorElementType,
    /// What each class means; the first class is "none".
    keys: Vec<String>,
}

/// What a line says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineText {
    /// In the order in which it is written along the line.
    pub text: String,
    /// Mean of its characters' probabilities, 0 to 1; 0 where there are none.
    pub confidence: f32,
}

impl LineReader {
    /// Makes the session and checks it with one black line.
    ///
    /// # Errors
    /// If the pack reads no text, the graph does not load, or it has not the inputs and outputs that the
    /// manifest promises, or not as many classes as there are characters.
    pub fn new(runtime: &Runtime, pack: &ModelPack, threads: usize) -> Result<Self, ModelError> {
        let name = pack.id.to_string();
        let ImageSide::Text(tables) = &pack.image else {
            return Err(ModelError::BadPack {
                pack: name,
                reason: "it reads no text".to_owned(),
            });
        };
        let table = tables.reader.clone();
        let options = session::Options {
            threads,
            optimise: true,
        };
        let session = session::open(runtime, pack, &table.file, options)?;
        let element = super::check(&session, &name, (&table.file, &table.tensor, &table.output))?;
        let property = session.metadata().ok().and_then(|m| m.custom(&table.keys));
        let keys = property.map(|text| keys(&text)).ok_or_else(|| {
            let reason = format!("{} has no property {}", table.file, table.keys);
            ModelError::BadPack {
                pack: name.clone(),
                reason,
            }
        })?;
        let height = table.height as usize;
        let mut reader = Self {
            session,
            pack: name,
            table,
            element,
            keys,
        };
        let pixels = ndarray::Array3::zeros((height, height, 3));
        reader.read(&LinePicture { pixels })?;
        Ok(reader)
    }

    /// What a line says.
    ///
    /// # Errors
    /// As [`super::TextFinder::find`].
    pub fn read(&mut self, line: &LinePicture) -> Result<LineText, ModelError> {
        let run = |reason: String| ModelError::Run {
            pack: self.pack.clone(),
            reason,
        };
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        let table = &self.table;
        let (height, width, _) = line.pixels.dim();
        if height != table.height as usize {
            return Err(bad(format!(
                "a line of {height} rows, it wants {}",
                table.height
            )));
        }
        let input: Array4<f32> = prepare(
            line.pixels.view(),
            width,
            Channels {
                order: table.channels,
                mean: table.mean,
                std: table.std,
            },
        );
        let input =
            session::float_input(input.view(), self.element).map_err(|e| run(e.to_string()))?;
        crate::failpoint::hit("model.run").map_err(|e| run(e.to_string()))?;
        let outputs = self
            .session
            .run(vec![(table.tensor.as_str(), input)])
            .map_err(|e| run(e.to_string()))?;
        let output = outputs
            .get(table.output.as_str())
            .ok_or_else(|| bad(format!("no output named {}", table.output)))?;
        let output = session::floats(output).map_err(&bad)?;
        let shape = output.shape().to_vec();
        let classes = self.keys.len() + 1;
        if shape.len() != 3 || shape[0] != 1 || shape[2] != classes {
            return Err(bad(format!(
                "shape {shape:?}, not one line of {classes} classes"
            )));
        }
        let steps = output
            .into_dimensionality::<Ix3>()
            .map_err(|e| bad(e.to_string()))?;
        Ok(decode(steps.index_axis(Axis(0), 0), &self.keys))
    }
}

/// Characters, one a line; a space comes after them.
fn keys(text: &str) -> Vec<String> {
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let lines = lines.map(|line| line.trim_end_matches('\r').to_owned());
    lines.chain([" ".to_owned()]).collect()
}

/// The likeliest class of each step; the same one in a row is one character.
fn decode(steps: ArrayView2<'_, f32>, keys: &[String]) -> LineText {
    let mut text = String::new();
    let (mut sum, mut count) = (0.0, 0u16);
    let mut before = 0;
    for step in steps.outer_iter() {
        let likeliest = step
            .iter()
            .enumerate()
            .filter(|(_, p)| **p > 0.0 && p.is_finite())
            .max_by(|(_, a), (_, b)| a.total_cmp(b));
        let (class, p) = likeliest.map_or((0, 0.0), |(class, p)| (class, *p));
        if class != before
            && let Some(key) = class.checked_sub(1).and_then(|at| keys.get(at))
        {
            text.push_str(key);
            sum += p.clamp(0.0, 1.0);
            count = count.saturating_add(1);
        }
        before = class;
    }
    LineText {
        confidence: if count > 0 {
            sum / f32::from(count)
        } else {
            0.0
        },
        text,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    fn steps(classes: &[(usize, f32)]) -> Array2<f32> {
        let mut steps = Array2::zeros((classes.len(), 5));
        for (at, (class, p)) in classes.iter().enumerate() {
            steps[[at, *class]] = *p;
        }
        steps
    }

    #[test]
    fn repeated_classes_are_one_character_and_none_parts_them() {
        let keys = keys("a\nb\n\u{fc}\n");
        assert_eq!(keys, ["a", "b", "\u{fc}", " "]);
        let line = decode(
            steps(&[
                (0, 0.9),
                (1, 0.8),
                (1, 0.9),
                (0, 0.9),
                (1, 0.6),
                (4, 1.0),
                (3, 1.0),
            ])
            .view(),
            &keys,
        );
        assert_eq!(line.text, "aa \u{fc}");
        assert!((line.confidence - (0.8 + 0.6 + 1.0 + 1.0) / 4.0).abs() < 1e-6);
        let nothing = decode(steps(&[(0, 1.0), (0, f32::NAN)]).view(), &keys);
        assert_eq!((nothing.text.as_str(), nothing.confidence), ("", 0.0));
    }

    proptest! {
        #[test]
        fn any_answer_is_read(
            values in prop::collection::vec(prop_oneof![-1.0f32..2.0, Just(f32::NAN)], 5 * 20),
        ) {
            let keys = keys("a\nb\nc");
            let steps = Array2::from_shape_vec((20, 5), values).unwrap();
            let line = decode(steps.view(), &keys);
            prop_assert!((0.0..=1.0).contains(&line.confidence));
            prop_assert!(line.text.chars().count() <= 20);
        }
    }
}
