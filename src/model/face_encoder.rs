//! Pictures in, faces with their vectors out, by the rules of `models/dlib-face/README.md`.
//!
//! Promises: at most [`faces::MOST`] faces a picture, each in the picture and with a vector of finite values,
//! whatever the networks say. A face whose vector has a value that is not a number is an error of the whole
//! picture; faces too small, too far from the side or too unsure are passed over. A graph or weights that do
//! not fit are refused when they are loaded, with one grey face.
//!
//! One face a run: of several together each costs the same (4.4 ms, and the memory of all).

use ndarray::{ArrayView3, Axis, Ix2};
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef};

use super::detector::{Detector, FacePoints};
use super::error::ModelError;
use super::face_chip::{Similarity, cut};
use super::manifest::FacesTable;
use super::pack::{FaceGraph, ImageSide, ModelPack};
use super::runtime::Runtime;
use super::session;
use crate::embedding::Letterbox;
use crate::faces::{self, Face};

/// Two sessions: the detector's and the encoder's. Owned by one thread.
pub struct FaceEncoder {
    detector: Detector,
    session: Session,
    pack: String,
    table: FacesTable,
    dims: usize,
    /// Where the points belong, in pixels.
    points: [[f32; 2]; 5],
}

impl FaceEncoder {
    /// Makes the sessions and checks them with a blank picture and a grey face. `detector` is the pack that
    /// the manifest names.
    ///
    /// # Errors
    /// If the pack is no face encoder or wants another detector, a graph does not load, the weights are
    /// missing or not those of the manifest, or inputs and outputs are not what it promises.
    pub fn new(
        runtime: &Runtime,
        pack: &ModelPack,
        detector: &ModelPack,
    ) -> Result<Self, ModelError> {
        let name = pack.id.to_string();
        let bad = |reason: String| ModelError::BadPack {
            pack: name.clone(),
            reason,
        };
        let ImageSide::Faces(FaceGraph { table, .. }) = &pack.image else {
            return Err(bad("it is no face encoder".to_owned()));
        };
        if detector.id.0 != table.detector {
            return Err(bad(format!(
                "it was made for the faces that {} finds, and there is {}; `photond model install {}` fetches one that fits",
                table.detector,
                detector.id,
                pack.name()
            )));
        }
        let options = session::Options {
            threads: 1,
            optimise: true,
            tiny_is_zero: false,
        };
        let files = (table.file.as_str(), table.weights.as_str());
        let session = session::open_with_weights(runtime, pack, files, options)?;
        let side = table.side as f32;
        let mut encoder = Self {
            detector: Detector::new(runtime, detector)?,
            session,
            table: table.clone(),
            dims: pack.manifest.dims,
            points: table.points.map(|point| point.map(|share| share * side)),
            pack: name,
        };
        encoder.check()?;
        let side = table.side as usize;
        let grey = ndarray::Array3::from_elem((side, side, 3), 128);
        encoder.vector(grey.view())?;
        Ok(encoder)
    }

    /// The faces in a picture that can be told apart, the surest first, at most [`faces::MOST`].
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn find(&mut self, picture: &Letterbox) -> Result<Vec<FacePoints>, ModelError> {
        let mut found = self.detector.faces(picture)?;
        found.retain(|face| self.fits(face, picture).is_some());
        found.truncate(faces::MOST);
        Ok(found)
    }

    /// One of these with its vector.
    ///
    /// # Errors
    /// [`ModelError::BadOutput`] if that is none, or the face is none of these.
    pub fn encode(&mut self, picture: &Letterbox, face: &FacePoints) -> Result<Face, ModelError> {
        let to_picture = self
            .fits(face, picture)
            .ok_or_else(|| ModelError::BadOutput {
                pack: self.pack.clone(),
                reason: "a face that it did not find".to_owned(),
            })?;
        let chip = cut(picture, &to_picture, self.table.side);
        Ok(Face {
            found: face.found,
            vector: self.vector(chip.view())?,
        })
    }

    /// How the face lies in the picture, if it can be told from others.
    fn fits(&self, face: &FacePoints, picture: &Letterbox) -> Option<Similarity> {
        let high = face.found.height() * picture.height as f32;
        if face.found.score < self.table.least || high < self.table.smallest {
            return None;
        }
        let upright = Similarity::fit(&face.points, &self.points)?;
        let askew = upright.askew(&face.points, &self.points) / self.table.side as f32;
        (askew <= self.table.askew)
            .then(|| Similarity::fit(&self.points, &face.points))
            .flatten()
    }

    /// The vector of a face that is cut out.
    fn vector(&mut self, chip: ArrayView3<'_, u8>) -> Result<Vec<f32>, ModelError> {
        let bad = |reason: String| ModelError::BadOutput {
            pack: self.pack.clone(),
            reason,
        };
        let input = TensorRef::from_array_view(chip.insert_axis(Axis(0)));
        let input = (self.table.tensor.as_str(), input.map(Into::into));
        let outputs = session::run(&mut self.session, &self.pack, input)?;
        let name = &self.table.output;
        let values = outputs.floats(name).map_err(&bad)?;
        let shape = values.shape().to_vec();
        let values = values.into_dimensionality::<Ix2>();
        let values = values.map_err(|_| bad(format!("shape {shape:?} at {name}")))?;
        if values.dim() != (1, self.dims) {
            return Err(bad(format!("shape {shape:?}, not [1, {}]", self.dims)));
        }
        if !values.iter().all(|v| v.is_finite()) {
            return Err(bad(
                "a face's vector has a value that is not a number".to_owned()
            ));
        }
        Ok(values.iter().copied().collect())
    }

    /// Types of input and output as the graph declares them.
    fn check(&self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::BadPack {
            pack: self.pack.clone(),
            reason: format!("{} {reason}", self.table.file),
        };
        if self.dims != faces::DIMS {
            return Err(ModelError::Dimensions {
                pack: self.pack.clone(),
                what: "a face's vector as it is kept".to_owned(),
                expected: self.dims,
                found: faces::DIMS,
            });
        }
        let name = &self.table.tensor;
        let input = session::declared(self.session.inputs(), "input", name)
            .map_err(|e| bad(format!("does not fit: {e}")))?;
        if input.element != TensorElementType::Uint8 {
            return Err(bad(format!("takes {} at {name}, not bytes", input.element)));
        }
        let name = &self.table.output;
        session::declared_floats(self.session.outputs(), "output", name).map_err(&bad)?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "face_encoder_tests.rs"]
mod tests;
