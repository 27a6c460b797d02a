//! Reads a line: a network that says for each step along it which character stands there, or none
//! (connectionist temporal classification).

use ndarray::{ArrayView2, Axis, Ix3};

use super::crop::LinePicture;
use super::{Channels, Network, bad, tables};
use crate::model::error::ModelError;
use crate::model::manifest::ReaderTable;
use crate::model::pack::ModelPack;
use crate::model::runtime::Runtime;

/// A session. Owned by one thread.
pub struct LineReader {
    network: Network,
    table: ReaderTable,
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
        let table = tables(pack)?.reader.clone();
        let how = Channels {
            order: table.channels,
            mean: table.mean,
            std: table.std,
        };
        let names = (&*table.file, &*table.tensor, &*table.output);
        let network = Network::open(runtime, pack, names, how, threads)?;
        let metadata = network.session.metadata().ok();
        let property = metadata.and_then(|m| m.custom(&table.keys));
        let keys = property.map(|text| keys(&text)).ok_or_else(|| {
            let reason = format!("{} has no property {}", table.file, table.keys);
            ModelError::BadPack {
                pack: pack.id.to_string(),
                reason,
            }
        })?;
        let height = table.height as usize;
        let mut reader = Self {
            network,
            table,
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
        let (height, wanted) = (line.pixels.dim().0, self.table.height);
        if height != wanted as usize {
            let reason = format!("a line of {height} rows, it wants {wanted}");
            return Err(bad(&self.network.pack, reason));
        }
        let keys = &self.keys;
        self.network.see(line.pixels.view(), |output| {
            let shape = output.shape().to_vec();
            let classes = keys.len() + 1;
            if shape.len() != 3 || shape[0] != 1 || shape[2] != classes {
                return Err(format!(
                    "shape {shape:?}, not one line of {classes} classes"
                ));
            }
            let steps = output.into_dimensionality::<Ix3>();
            let steps = steps.map_err(|e| e.to_string())?;
            Ok(decode(steps.index_axis(Axis(0), 0), keys))
        })
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
