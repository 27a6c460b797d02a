//! Pictures in, boxes out, by the rules of `models/detection/README.md`.
//!
//! Promises: every box lies in the picture and covers some of it, whatever the network says; at most
//! `boxes.most` of them; the same picture gives the same boxes. A graph that has not the inputs and
//! outputs it should have is refused when it is loaded, with one black picture.
//!
//! One picture a run: a batch of them, which would have to be of one shape, was no faster on any number
//! of threads (NanoDet 11.3 ms alone, 11.9 of eight; CenterFace 15.7 and 20.3), and a second thread gained
//! nothing with one.

use ndarray::{Array2, ArrayView2, Axis, Ix3};
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef};

use super::error::ModelError;
use super::pack::{BoxGraph, ImageSide, ModelPack};
use super::runtime::Runtime;
use super::session;
use crate::boxes::{DetectedBox, MOST_CLASSES};
use crate::embedding::{Fit, Letterbox};
use crate::model::BoxRules;

/// A face with the points that it is turned upright by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FacePoints {
    /// Where it is.
    pub found: DetectedBox,
    /// Left eye, right eye (as the viewer sees them), nose, left and right corner of the mouth: x and y in
    /// pixels of the tensor. They may lie outside; all are finite.
    pub points: [[f32; 2]; 5],
}

/// A box with the place of the network's that it is from.
type Placed = (DetectedBox, usize);

/// A session. Owned by one thread.
pub struct Detector {
    session: Session,
    pack: String,
    graph: BoxGraph,
    multiple: u32,
}

impl Detector {
    /// Makes the session and checks it with one black picture.
    ///
    /// # Errors
    /// If the pack is no detector, the graph does not load, or it has not the inputs and outputs that the
    /// manifest promises.
    pub fn new(runtime: &Runtime, pack: &ModelPack) -> Result<Self, ModelError> {
        let name = pack.id.to_string();
        let ImageSide::Boxes(graph) = &pack.image else {
            return Err(ModelError::BadPack {
                pack: name,
                reason: "it is no detector".to_owned(),
            });
        };
        let Fit::Letterbox(multiple) = graph.spec.fit else {
            return Err(ModelError::BadPack {
                pack: name,
                reason: "it takes squares, a detector takes the whole picture".to_owned(),
            });
        };
        let options = session::Options {
            threads: 1,
            optimise: true,
            tiny_is_zero: false,
        };
        let session = session::open(runtime, pack, &graph.file, options)?;
        let mut detector = Self {
            session,
            pack: name,
            graph: graph.clone(),
            multiple,
        };
        detector.check()?;
        let size = graph.spec.size;
        detector.detect(&Letterbox::black((size, size), multiple))?;
        Ok(detector)
    }

    /// What is in a picture, the surest first.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if the picture or the answer has a wrong shape, [`ModelError::Run`] if the
    /// run itself fails.
    pub fn detect(&mut self, picture: &Letterbox) -> Result<Vec<DetectedBox>, ModelError> {
        let (found, _) = self.run(picture, false)?;
        Ok(found.into_iter().map(|(found, _)| found).collect())
    }

    /// The faces in a picture with their points, the surest first. A face with a point that is not a number
    /// is passed over.
    ///
    /// # Errors
    /// As [`Self::detect`], and if the pack has no points.
    pub fn faces(&mut self, picture: &Letterbox) -> Result<Vec<FacePoints>, ModelError> {
        let (found, points) = self.run(picture, true)?;
        let face = |(found, place): Placed| {
            let at = |n: usize| [points[[2 * n, place]], points[[2 * n + 1, place]]];
            let points = std::array::from_fn(at);
            let finite = points.iter().flatten().all(|v| v.is_finite());
            finite.then_some(FacePoints { found, points })
        };
        Ok(found.into_iter().filter_map(face).collect())
    }

    /// Boxes with their places, and what the network says of points at each place (`[10, places]`).
    fn run(
        &mut self,
        picture: &Letterbox,
        with_points: bool,
    ) -> Result<(Vec<Placed>, Array2<f32>), ModelError> {
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        let [rows, columns] = [picture.height, picture.width]
            .map(|side| side.next_multiple_of(self.multiple) as usize);
        if picture.pixels.shape() != [rows, columns, 3] {
            let shape = picture.pixels.shape();
            return Err(bad(format!(
                "it wants [{rows}, {columns}, 3], got {shape:?}"
            )));
        }
        let input = TensorRef::from_array_view(picture.pixels.view().insert_axis(Axis(0)));
        let input = (self.graph.input_name.as_str(), input.map(Into::into));
        let outputs = session::run(&mut self.session, &self.pack, input)?;
        let output = |name: &str| {
            let values = outputs.floats(name)?;
            let shape = values.shape().to_vec();
            let values = values.into_dimensionality::<Ix3>();
            values.map_err(|_| format!("shape {shape:?} at {name}, not three sides"))
        };
        let scores = output(&self.graph.scores).map_err(&bad)?;
        let edges = output(&self.graph.boxes).map_err(&bad)?;
        let [n, classes, places] = [0, 1, 2].map(|axis| scores.len_of(Axis(axis)));
        let fits = n == 1 && edges.shape() == [1, 4, places];
        if !fits || classes == 0 || classes > MOST_CLASSES {
            let (scores, boxes) = (scores.shape(), edges.shape());
            return Err(bad(format!(
                "scores of shape {scores:?} and boxes of {boxes:?}"
            )));
        }
        let points = match &self.graph.points {
            Some(name) if with_points => {
                let points = output(name).map_err(&bad)?;
                if points.shape() != [1, 10, places] {
                    return Err(bad(format!("points of shape {:?}", points.shape())));
                }
                points.index_axis(Axis(0), 0).to_owned()
            }
            None if with_points => return Err(bad("it has no points".to_owned())),
            _ => Array2::zeros((0, 0)),
        };
        let size = (picture.width as f32, picture.height as f32);
        let (scores, edges) = (scores.index_axis(Axis(0), 0), edges.index_axis(Axis(0), 0));
        Ok((boxes(scores, edges, size, self.graph.rules), points))
    }

    /// Types of input and outputs as the graph declares them.
    fn check(&self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.graph.file),
        };
        let name = &self.graph.input_name;
        let input = session::declared(self.session.inputs(), "input", name)
            .map_err(|e| bad(format!("does not fit: {e}")))?;
        if input.element != TensorElementType::Uint8 {
            return Err(bad(format!("takes {} at {name}, not bytes", input.element)));
        }
        let outputs = [&self.graph.scores, &self.graph.boxes];
        for name in outputs.into_iter().chain(&self.graph.points) {
            session::declared_floats(self.session.outputs(), "output", name).map_err(&bad)?;
        }
        Ok(())
    }
}

/// The boxes that are kept of what a network says, each with its place: `scores` [classes, places], `edges` [4, places] in
/// pixels of the tensor, in which the picture covers `size`.
fn boxes(
    scores: ArrayView2<'_, f32>,
    edges: ArrayView2<'_, f32>,
    (width, height): (f32, f32),
    rules: BoxRules,
) -> Vec<Placed> {
    let mut found: Vec<Placed> = Vec::new();
    for (class, row) in scores.outer_iter().enumerate() {
        // What is not a number is not at least anything.
        let sure = row.iter().enumerate().filter(|(_, s)| **s >= rules.least);
        let mut places: Vec<usize> = sure.map(|(at, _)| at).collect();
        places.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        let first = found.len();
        for at in places {
            let share = |edge: usize, side: f32| (edges[[edge, at]] / side).clamp(0.0, 1.0);
            let found_here = DetectedBox {
                class,
                score: row[at].min(1.0),
                left: share(0, width),
                top: share(1, height),
                right: share(2, width),
                bottom: share(3, height),
            };
            let finite = (0..4).all(|edge| edges[[edge, at]].is_finite());
            let is_new = |kept: &Placed| kept.0.overlap(&found_here) <= rules.overlap;
            if finite && found_here.is_sound() && found[first..].iter().all(is_new) {
                found.push((found_here, at));
                // More of one class than are kept of all change nothing.
                if found.len() - first == rules.most {
                    break;
                }
            }
        }
    }
    found.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
    found.truncate(rules.most);
    found
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
