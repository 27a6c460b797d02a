//! `[boxes]`, `[people]` and `[after]`: what only a detector has.

use serde::{Deserialize, Serialize};

use super::Manifest;
use super::rules::{MOST_BOXES, listed, share, within};
use crate::model::error::ModelError;

/// `[boxes]`: which boxes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxRules {
    /// Least score.
    pub least: f32,
    /// Of two of one class that overlap by more of their union the surer is kept.
    pub overlap: f32,
    /// At most so many, the surest.
    pub most: usize,
}

/// `[people]`: how likely there are people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleOdds {
    /// Of the best person box's evidence, and of the best face's.
    pub weights: [f32; 2],
    /// Added to their sum.
    pub constant: f32,
    /// What each evidence is at least, and where nothing is found.
    pub least: [f32; 2],
    /// The share of the picture from which a face's size takes nothing from its evidence.
    pub face_area: f32,
}

/// `[after]`: the detector is run only where the other one saw this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// A class of the other one.
    pub class: String,
    /// Least score of a box of it.
    pub score: f32,
}

/// Whether a detector has what it needs.
pub(super) fn check(m: &Manifest) -> Result<(), ModelError> {
    if m.dims != 0 {
        return Err(m.wrong("dims", "is there, but a detector has no vectors"));
    }
    if m.image.is_none() {
        return Err(m.wrong("image", "is missing (a detector needs it)"));
    }
    match (&m.classes, &m.class) {
        (Some(file), None) => listed(m, "classes", file)?,
        (None, Some(class)) if !class.trim().is_empty() => {}
        _ => {
            return Err(m.wrong(
                "classes",
                "or class must be there, and not both (a file with names, or one name)",
            ));
        }
    }
    let Some(rules) = m.boxes else {
        return Err(m.wrong("boxes", "is missing (a detector needs it)"));
    };
    share(m, "boxes.least", rules.least)?;
    share(m, "boxes.overlap", rules.overlap)?;
    within(m, "boxes.most", rules.most, &MOST_BOXES)?;
    if let Some(people) = m.people {
        let numbers = [people.weights, people.least].concat();
        if !numbers
            .iter()
            .chain([&people.constant])
            .all(|v| v.is_finite())
        {
            return Err(m.wrong("people", "has a value that is not a number"));
        }
        share(m, "people.face_area", people.face_area)?;
    }
    if let Some(after) = &m.after {
        share(m, "after.score", after.score)?;
    }
    Ok(())
}
