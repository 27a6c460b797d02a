//! `[faces]`: the graph of a face encoder, and which faces it is shown.

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::rules::{MULTIPLES, SIDES, identity, listed, named, share, within};
use crate::model::error::ModelError;

/// `[faces]`: a graph that takes faces, turned upright.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesTable {
    /// The graph's file.
    pub file: String,
    /// The file that its weights lie in.
    pub weights: String,
    /// Name of its input, `[N, side, side, 3]` of bytes (RGB).
    pub tensor: String,
    /// Name of its output, `[N, dims]`.
    pub output: String,
    /// Width and height of a face in pixels.
    pub side: u32,
    /// Where left eye, right eye, nose, left and right corner of the mouth are put, in shares of the side.
    pub points: [[f32; 2]; 5],
    /// The detector that finds faces, `name@revision`.
    pub detector: String,
    /// The longer side of the picture that it is shown.
    pub size: u32,
    /// What the sides of that picture's tensor are multiples of.
    pub multiple: u32,
    /// Least score of a face.
    pub least: f32,
    /// Least height of a face in pixels of that picture: smaller ones cannot be told apart.
    pub smallest: f32,
    /// The farthest that the points may lie from where they are put, root mean square in shares of the
    /// side: faces from the side cannot be told apart.
    pub askew: f32,
}

pub(super) fn check(m: &Manifest, faces: &FacesTable) -> Result<(), ModelError> {
    listed(m, "faces.file", &faces.file)?;
    listed(m, "faces.weights", &faces.weights)?;
    named(m, "faces.tensor", &faces.tensor)?;
    named(m, "faces.output", &faces.output)?;
    identity(m, "faces.detector", &faces.detector)?;
    for (key, side) in [("faces.side", faces.side), ("faces.size", faces.size)] {
        within(m, key, side, &SIDES)?;
    }
    within(m, "faces.multiple", faces.multiple, &MULTIPLES)?;
    let mut shares = faces.points.iter().flatten();
    if !shares.all(|v| (0.0..=1.0).contains(v)) {
        return Err(m.wrong("faces.points", "has a point outside of the face's picture"));
    }
    let [left, right, ..] = faces.points;
    if left[0] >= right[0] {
        return Err(m.wrong("faces.points", "has the eyes the wrong way round"));
    }
    share(m, "faces.least", faces.least)?;
    share(m, "faces.askew", faces.askew)?;
    if !(faces.smallest >= 1.0 && faces.smallest <= faces.size as f32) {
        let reason = format!("is {}, not 1 to faces.size", faces.smallest);
        return Err(m.wrong("faces.smallest", &reason));
    }
    Ok(())
}
